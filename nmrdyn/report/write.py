"""All files of a result, which appear together or not at all, in a folder that one run at a time writes to."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import xarray as xr
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from nmrdyn.compare import compare
from nmrdyn.report.page import render
from nmrdyn.report.rows import draw_rows, t1_rows, tau_rows
from nmrdyn.report.summary import summarise
from nmrdyn.schema import InputError, require

# Hidden names in the folder of results, none of which outlives a run that succeeds.
_LOCK = ".nmrdyn-lock"
_PART = ".nmrdyn-part"  # results that are being written
_WHOLE = ".nmrdyn-whole"  # results that are complete, and on their way into the folder
_RESULTS = ("report.html", "summary.json", "results.nc", "t1.csv", "tau_c.csv", "draws.csv")


def report(posterior: xr.DataTree, path: str | Path, *, margin: float = 0.020) -> dict[str, object]:
    """Write report.html, summary.json, results.nc, t1.csv, tau_c.csv and draws.csv into the folder `path`.

    All are written aside first. Then earlier files of these names are removed and the new ones moved into their place,
    so that old and new never stand side by side; where that is broken off, the next run into the folder, or
    `nmrdyn report`, finishes it. Other files are left alone.

    Parameters
    ----------
    posterior : what `infer` returned
    path : a folder, made where it does not exist
    margin : barriers closer than this [eV] count as the same

    Returns
    -------
    summary : what summary.json holds

    Raises
    ------
    InputError
        Where `path` cannot be a folder that is written to, has no room, or another run writes to it.
    """
    require(posterior, "posterior")
    with held(Path(path)):
        return write_results(posterior, Path(path), margin=margin)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make a folder, and keep every other run out of it; what a broken-off one had completed is put in place first.

    The lock ends with its process, however that ends. A folder made here that nothing came into is removed.

    Raises
    ------
    InputError
        Where the folder cannot be one that is written to, or another run writes to it.
    """
    require_writable(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = FileLock(folder / _LOCK, blocking=False)
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise InputError(
                f"{folder}: needed a folder for one run, found another run that writes to it; wait, or choose another"
            ) from None
        except OSError as error:
            raise InputError(f"{folder}: needed a folder to write to, found {error.strerror or error}") from error
        try:
            finish(folder)
            yield
        finally:
            # While it is still held, so that nobody holds a file that is gone.
            with suppress(OSError):
                (folder / _LOCK).unlink()
            lock.release()
    finally:
        for path in made:
            with suppress(OSError):
                path.rmdir()


@threadpool_limits.wrap(limits=1)  # with more, the last digits of sums depend on their number
def write_results(
    posterior: xr.DataTree, folder: Path, *, margin: float, stored: Path | None = None
) -> dict[str, object]:
    """Write all files into a folder that is held, with the file `stored` as results.nc if there is one; the summary.

    Raises
    ------
    InputError
        Where there is no room or no permission.
    """
    comparison = compare(posterior, margin)
    summary = summarise(posterior, comparison)
    part = folder / _PART
    try:
        part.mkdir()
        (part / "report.html").write_text(render(posterior, comparison, summary), encoding="utf-8")
        text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
        (part / "summary.json").write_text(text + "\n", encoding="utf-8")
        if stored:
            shutil.copyfile(stored, part / "results.nc")
        else:
            (part / "results.nc").write_bytes(_netcdf(posterior, margin))
        _write_csv(part / "t1.csv", t1_rows(posterior))
        _write_csv(part / "tau_c.csv", tau_rows(posterior))
        _write_csv(part / "draws.csv", draw_rows(posterior))
        for file in (*part.iterdir(), part):
            _to_disk(file)
        part.rename(folder / _WHOLE)  # from here on the new results are those that count
        _to_disk(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: needed room and permission for the results, found {error.strerror or error}; "
            "make room and run it again"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    finish(folder)
    return summary


def finish(folder: Path) -> None:
    """Remove results that were left incomplete, and move complete ones into their place, as often as it takes.

    Raises
    ------
    InputError
        Where a file cannot be replaced.
    """
    shutil.rmtree(folder / _PART, ignore_errors=True)
    whole = folder / _WHOLE
    if not whole.is_dir():
        return
    names = sorted(file.name for file in whole.iterdir())  # those that are not yet in place
    try:
        # All old ones first: with some of each in the folder, nobody could tell which is which.
        for name in names:
            (folder / name).unlink(missing_ok=True)
        for name in names:
            (whole / name).rename(folder / name)
        whole.rmdir()
        _to_disk(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: needed to replace {', '.join(names)}, found {error.strerror or error}; the new results are "
            f"complete in {whole} and take their place when it is run again"
        ) from error


def require_writable(folder: Path) -> None:
    """Refuse a folder that results could not be written to, without touching it.

    Raises
    ------
    InputError
        Where the folder, or the nearest one above it that exists, is a file or may not be written to, or lies in an
        expno or among expnos, or has a folder in the place of a result.
    """
    for path in (folder.absolute(), *folder.absolute().parents):
        if (path / "acqus").exists():
            raise InputError(f"{folder}: needed a folder outside the raw data, found the expno {path}; choose another")
    if inside := next(folder.glob("*/acqus"), None):
        raise InputError(
            f"{folder}: needed a folder outside the raw data, found the expno {inside.parent} in it; choose another"
        )
    if beside := next(folder.absolute().parent.glob("[0-9]*/acqus"), None):
        raise InputError(
            f"{folder}: needed a folder outside the raw data, found the expno {beside.parent} beside it; choose another"
        )
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        what = "a folder without permission to write" if nearest.is_dir() else "a file"
        raise InputError(f"{folder}: needed a folder to write to, found {what} ({nearest}); choose another")
    if taken := [name for name in _RESULTS if (folder / name).is_dir()]:
        raise InputError(f"{folder}: needed a place for the file {taken[0]}, found a folder; choose another")


def unfinished(folder: Path) -> bool:
    """Whether complete results are still on their way into the folder."""
    return (folder / _WHOLE).is_dir()


def _netcdf(posterior: xr.DataTree, margin: float) -> memoryview:
    """The bytes of results.nc; HDF5 does not say plainly that a disk is full, and leaves its file open."""
    posterior = posterior.copy(deep=False)
    posterior.attrs["margin"] = margin
    compressed = {"zlib": True, "complevel": 4}
    encoding = {
        group.path: {name: compressed for name, variable in group.data_vars.items() if variable.dtype.kind == "f"}
        for group in posterior.subtree
    }
    return posterior.to_netcdf(engine="h5netcdf", encoding=encoding)


def _write_csv(path: Path, rows: Iterable[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, would outlast a power cut."""
    if os.name == "nt":  # which knows no such wait for what is only read
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
