"""Raw data of an expno (ser, fid): rows of complex FIDs without the build-up of the digital filter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array, InputError
from nmrdyn.topspin.files.digital_filter import ComplexArray, without_build_up
from nmrdyn.topspin.files.layout import Layout, file_size, row_layout, ser_layout
from nmrdyn.topspin.files.parameters import count, number, read_parameters

_CHUNK = 2**16  # bytes read at a time, so that nothing but the rows grows with the file
_ABSURD = 1e60  # no counts; what integers look like when they are read as float64


@dataclass(frozen=True)
class Fids:
    """Rows of FIDs, and what was recorded of what was planned.

    Attributes
    ----------
    rows : (recorded, points) counts; positive frequencies are at higher ppm
    empty : (recorded,) rows that hold only zeros
    dwell : time from point to point [s]
    planned : rows planned, never fewer than recorded
    notes : what a reader of the results should know
    white : the noise of a row is the same in all points and independent from point to point
    centre : frequency of the middle of the rows' spectrum from the carrier [Hz]
    """

    rows: ComplexArray
    empty: npt.NDArray[np.bool_]
    dwell: float
    planned: int
    notes: tuple[str, ...] = ()
    white: bool = True
    centre: float = 0.0


def count_rows(expno: Path, acqus: dict[str, Any]) -> int:
    """Complete rows in the ser file; 0 where there is none.

    Raises
    ------
    InputError
        Where acqus does not tell the length of a row, or ser cannot be read.
    """
    if not (expno / "ser").is_file():
        return 0
    acqu2s = read_parameters(expno / "acqu2s") if (expno / "acqu2s").is_file() else {}
    return ser_layout(expno, acqus, planned=_rows_planned(acqu2s, where=expno / "acqu2s")).recorded


def read_fids(expno: Path, acqus: dict[str, Any], acqu2s: dict[str, Any]) -> Fids:
    """Read all complete rows of an expno's ser, as counts times 2**NC.

    A row takes a multiple of 1024 bytes, that of a NEO console sometimes only its own length; the size of the file
    tells which.

    Parameters
    ----------
    expno : the folder that holds ser
    acqus, acqu2s : its parameters as `read_parameters` gives them

    Raises
    ------
    InputError
        Where ser is missing, shorter than one row, linked from outside the expno or of real points only (AQ_mod 0
        or 2), where it holds numbers that are not finite, or where a parameter is missing or absurd.

    Examples
    --------
    Two rows of three points, 1+2j, 3+4j, 5+6j and their doubles, in units of 2**-1:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     row = np.zeros(256, "<i4")
    ...     row[:6] = range(1, 7)
    ...     _ = Path(folder, "ser").write_bytes(row.tobytes() + (2 * row).tobytes())
    ...     fids = read_fids(Path(folder), {"TD": 6, "NC": -1, "SW_h": 1e5}, {"TD": 4})
    >>> fids.rows[1].tolist(), fids.notes
    ([(1+2j), (3+4j), (5+6j)], ('ser holds 2 complete rows of 4 planned',))
    """
    where = expno / "acqus"
    planned = _rows_planned(acqu2s, where=expno / "acqu2s")
    layout = ser_layout(expno, acqus, planned=planned)
    rows, empty = _read_rows(expno / "ser", layout, acqus, where=where)
    notes = _what_was_recorded(layout, empty, planned)
    rows, more = without_build_up(rows, acqus, where=where)
    return Fids(rows, empty, dwell_time(acqus, where=where), max(planned, len(rows)), (*notes, *more))


def read_fid(expno: Path, acqus: dict[str, Any]) -> Fids:
    """Read the fid of a one-dimensional expno as one row, as counts times 2**NC, so that expnos can be compared.

    Counts also grow with NS and RG, which are left to the caller.

    Raises
    ------
    InputError
        As `read_fids`, or where fid holds more or less than TD numbers.
    """
    where = expno / "acqus"
    size = file_size(expno / "fid", inside=expno)
    dtype, words, bare, padded = row_layout(acqus, where=where)
    if size not in (bare, padded):
        raise InputError(
            f"{expno / 'fid'}: needed {bare} bytes (TD {words} in acqus), found {size}; copy the expno once more"
        )
    rows, empty = _read_rows(expno / "fid", Layout(dtype, words, size, 1, 0), acqus, where=where)
    rows, notes = without_build_up(rows, acqus, where=where)
    return Fids(rows, empty, dwell_time(acqus, where=where), 1, tuple(notes))


def dwell_time(acqus: dict[str, Any], *, where: Path) -> float:
    """Time from one complex point to the next [s], from SW_h, or SW and SFO1 where there is no SW_h.

    Raises
    ------
    InputError
        Where the spectral width is missing or not above 0.
    """
    if acqus.get("SW_h") is None and acqus.get("SW") is not None:
        width = number(acqus, "SW", where=where) * number(acqus, "SFO1", where=where)
    else:
        width = number(acqus, "SW_h", where=where)
    if not 1e-3 < width < 1e12:
        raise InputError(f"{where}: needed SW_h above 0 Hz, found {width:g}; is this the acqus of the console?")
    return 1 / width


def scale(parameters: dict[str, Any], key: str, *, where: Path) -> float:
    """2**NC: what a number of the file counts.

    Raises
    ------
    InputError
        Where it is no whole number from -64 to 64.
    """
    power = number(parameters, key, where=where, default=0)
    if power != int(power) or abs(power) > 64:
        raise InputError(f"{where}: needed {key} as a whole number from -64 to 64, found {power:g}; is it damaged?")
    return float(2.0**power)


def check_counts(counts: Array, *, path: Path) -> None:
    """Refuse numbers that no console counts.

    Raises
    ------
    InputError
        For one that is not finite or above 1e60.
    """
    if not (np.min(counts) > -_ABSURD and np.max(counts) < _ABSURD):
        raise InputError(f"{path}: needed finite counts, found others; is the type of the numbers in acqus right?")


def zero_rows(empty: npt.NDArray[np.bool_], *, file: str) -> list[str]:
    """A note on the rows of a file that hold only zeros, counted from 1; none where there are none."""
    rows = np.flatnonzero(empty) + 1
    if not rows.size:
        return []
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    named = ", ".join(f"{run[0]}-{run[-1]}" if run.size > 1 else f"{run[0]}" for run in runs)
    return [f"row {named} of {file} holds only zeros" if rows.size == 1 else f"rows {named} of {file} hold only zeros"]


def _rows_planned(acqu2s: dict[str, Any], *, where: Path) -> int:
    return count(acqu2s, "TD", where=where, default=0)


def _read_rows(
    path: Path, layout: Layout, acqus: dict[str, Any], *, where: Path
) -> tuple[ComplexArray, npt.NDArray[np.bool_]]:
    mode = number(acqus, "AQ_mod", where=where, default=3)
    if mode not in (1, 3):
        raise InputError(
            f"{where}: needed complex points (AQ_mod 1 qsim or 3 DQD), found AQ_mod {mode:g}; process the data in "
            "TopSpin and read 2rr"
        )
    factor = scale(acqus, "NC", where=where)
    points = layout.words // 2
    rows = np.zeros((layout.recorded, points), dtype=complex)
    empty = np.zeros(layout.recorded, dtype=bool)
    step = max(1, _CHUNK // layout.stride)
    with path.open("rb") as file, np.errstate(all="ignore"):
        for start in range(0, layout.recorded, step):
            part = rows.view(float)[start : start + step]
            data = file.read(len(part) * layout.stride)
            if len(data) < len(part) * layout.stride:
                raise InputError(f"{path}: needed {layout.recorded} rows, found fewer; is it still being written?")
            if not np.frombuffer(data, np.uint8).any():  # zeros that nobody writes take no memory
                empty[start : start + step] = True
                continue
            part[:] = np.frombuffer(data, layout.dtype).reshape(len(part), -1)[:, : 2 * points]
            part *= factor
            check_counts(part, path=path)
            empty[start : start + step] = ~part.any(axis=1)
    return rows, empty


def _what_was_recorded(layout: Layout, empty: npt.NDArray[np.bool_], planned: int) -> list[str]:
    notes = []
    torn = " and part of one more, which was dropped" if layout.rest else ""
    if planned and layout.recorded > planned:
        notes.append(f"ser holds {layout.recorded} rows, more than the {planned} planned{torn}")
    elif torn or layout.recorded < planned:
        of = f" of {planned} planned" if planned else ""
        notes.append(f"ser holds {layout.recorded} complete rows{of}{torn}")
    return notes + zero_rows(empty, file="ser")
