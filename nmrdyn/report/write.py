"""All files of a result, written aside and then moved into place."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import xarray as xr

from nmrdyn.compare import compare
from nmrdyn.report.page import render
from nmrdyn.report.rows import draw_rows, t1_rows, tau_rows
from nmrdyn.report.summary import summarise
from nmrdyn.schema import InputError, require


def report(posterior: xr.DataTree, path: str | Path, *, margin: float = 0.020) -> dict[str, object]:
    """Write report.html, summary.json, results.nc, t1.csv, tau_c.csv and draws.csv into the folder `path`.

    Parameters
    ----------
    posterior : what `infer` returned
    path : a folder, made where it does not exist; files of these names in it are replaced once all are complete
    margin : barriers closer than this [eV] count as the same

    Returns
    -------
    summary : what summary.json holds

    Raises
    ------
    InputError
        Where `path` cannot be a folder that is written to.
    """
    require(posterior, "posterior")
    folder = Path(path)
    comparison = compare(posterior, margin)
    summary = summarise(posterior, comparison)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".nmrdyn-", dir=folder))
    except OSError as error:
        raise InputError(f"{folder}: needed a folder to write to, found {error.strerror or error}") from error
    try:
        (aside / "report.html").write_text(render(posterior, comparison, summary), encoding="utf-8")
        text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
        (aside / "summary.json").write_text(text + "\n", encoding="utf-8")
        compressed = {"zlib": True, "complevel": 4}
        encoding = {
            group.path: {name: compressed for name, variable in group.data_vars.items() if variable.dtype.kind == "f"}
            for group in posterior.subtree
        }
        posterior.to_netcdf(aside / "results.nc", engine="h5netcdf", encoding=encoding)
        _write_csv(aside / "t1.csv", t1_rows(posterior))
        _write_csv(aside / "tau_c.csv", tau_rows(posterior))
        _write_csv(aside / "draws.csv", draw_rows(posterior))
        for file in sorted(aside.iterdir()):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return summary


def require_writable(folder: Path) -> None:
    """Refuse a folder that results could not be written to, without touching it.

    Raises
    ------
    InputError
        Where the folder, or the nearest one above it that exists, is a file or may not be written to, or lies in an
        expno.
    """
    for path in (folder.absolute(), *folder.absolute().parents):
        if (path / "acqus").exists():
            raise InputError(f"{folder}: needed a folder outside the raw data, found the expno {path}; choose another")
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        what = "a folder without permission to write" if nearest.is_dir() else "a file"
        raise InputError(f"{folder}: needed a folder to write to, found {what} ({nearest}); choose another")


def _write_csv(path: Path, rows: Iterable[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
