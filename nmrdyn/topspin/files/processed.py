"""Processed data (pdata/N/2rr) back into rows of FIDs, where there is no ser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmrdyn.schema import Array, InputError
from nmrdyn.topspin.files.digital_filter import LONGEST_DELAY, ComplexArray, group_delay
from nmrdyn.topspin.files.fid import Fids, check_counts, dwell_time, scale, zero_rows
from nmrdyn.topspin.files.layout import file_size, number_type
from nmrdyn.topspin.files.parameters import count, number, read_parameters
from nmrdyn.topspin.files.shift import ppm_to_hz
from nmrdyn.topspin.files.text import numbered_pdata

_LEAST = 0.05  # of the largest weight; points that the window function made smaller hold little but rounding
_WINDOWS = {0: "no", 1: "em", 2: "gm", 3: "sine", 4: "qsine"}


@dataclass(frozen=True)
class _Matrix:
    """Sizes of a 2rr: points of a row and their blocks, rows and theirs, and points of the whole transform."""

    points: int
    block: int
    rows: int
    row_block: int
    transform: int


def find_processed(expno: Path) -> Path | None:
    """The folder pdata/N with the lowest N that holds a 2rr; None where there is none."""
    return next((path for path in numbered_pdata(expno) if (path / "2rr").is_file()), None)


def read_processed(pdata: Path, acqus: dict[str, Any]) -> Fids:
    """Rows of FIDs from spectra along the delays, as counts times 2**NC_proc.

    The real part of a spectrum holds the FID x(t) as x(t) + x*(-t): for t > 0 that is x(t), where zero filling left
    room. Elsewhere (a first-order phase that reaches before the first point, fewer points than the FID has) two parts
    of the FID lie on each other, in the same way in every row. Each point is divided by its standard deviation, which
    undoes the window function (none, em, gm, sine, qsine) and makes the noise white; points that the window made
    smaller than 5 % are left out. Phase, reference and baseline stay as they were processed.

    Parameters
    ----------
    pdata : the folder that holds 2rr, procs and proc2s
    acqus : parameters of the acquisition, as `read_parameters` gives them

    Raises
    ------
    InputError
        Where a file or parameter is missing or absurd, 2rr has another size than its parameters tell, a spectrum is
        one of magnitudes, or the rows were transformed along the delays too.

    Examples
    --------
    >>> import nmrdyn as nd, tempfile
    >>> truth = nd.RelaxationTruth(nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, activation_energy=0.45,
    ...     tau_c=1e-5, reference_temperature=333.15, temperature=[333.15], delays=[0.1, 1e3], snr=1e4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     expno = nd.simulate_folder(truth, folder, seed=1, processed=True) / "1"
    ...     rows = read_processed(expno / "pdata" / "1", read_parameters(expno / "acqus")).rows
    >>> found = np.abs(np.vdot(rows[1], rows[0])) / np.linalg.norm(rows[1]) ** 2
    >>> round(float(found), 3), round(float(truth.recovered[0, 0]), 3)
    (0.023, 0.023)
    """
    expno, where = pdata.parent.parent, pdata / "procs"
    procs, proc2s = read_parameters(where), read_parameters(pdata / "proc2s")
    _check_processing(procs, proc2s, pdata)
    matrix = _matrix(procs, proc2s, pdata)
    # A window of the spectrum has fewer points, further apart in time, than the whole of it.
    part = matrix.points / matrix.transform
    width = number(procs, "SW_p", where=where, default=part / dwell_time(acqus, where=expno / "acqus"))
    if not 1e-3 < width < 1e12:
        raise InputError(f"{where}: needed SW_p above 0 Hz, found {width:g}; process the data once more")

    weight, notes, white = _weight(procs, acqus, matrix, dwell=1 / width, expno=expno, where=where)
    kept = np.flatnonzero((weight > 0) & (weight >= _LEAST * weight[1:].max(initial=0)))
    if kept.size == 0:
        raise InputError(f"{where}: needed a FID inside {matrix.points} points, found none; process the data once more")
    gaps = np.flatnonzero(np.diff(kept) > 1)
    kept = kept[: gaps[0] + 1] if gaps.size else kept
    recorded, planned, said = _rows_processed(proc2s, expno, matrix, where=pdata / "proc2s")
    rows, empty = _fids(pdata, procs, matrix, kept, recorded)
    rows /= weight[kept]
    said += zero_rows(empty, file="2rr")
    centre = 0.0
    if part < 1:
        left = number(procs, "OFFSET", where=where)
        centre = ppm_to_hz(left, acqus, procs=procs, where=expno / "acqus") - width / 2
        notes.append(f"2rr holds {matrix.points} of the {matrix.transform} points of the spectrum")
    return Fids(rows, empty, 1 / width, planned, (*said, *notes), white, centre)


def _check_processing(procs: dict[str, Any], proc2s: dict[str, Any], pdata: Path) -> None:
    if number(procs, "FT_mod", where=pdata / "procs", default=6) == 0:
        raise InputError(f"{pdata}: needed spectra, found rows that were not transformed; run xf2 in TopSpin")
    if number(procs, "PH_mod", where=pdata / "procs", default=1) in (2, 3):
        raise InputError(f"{pdata}: needed phased spectra, found magnitudes or powers (PH_mod); run xf2 with PH_mod pk")
    if number(proc2s, "FT_mod", where=pdata / "proc2s", default=0) != 0:
        raise InputError(
            f"{pdata}: needed a row for each delay, found a transform along them (xfb); run xf2 in TopSpin"
        )


def _matrix(procs: dict[str, Any], proc2s: dict[str, Any], pdata: Path) -> _Matrix:
    sizes = []
    for parameters, name in ((procs, "procs"), (proc2s, "proc2s")):
        size = count(parameters, "SI", where=pdata / name, least=1)
        block = count(parameters, "XDIM", where=pdata / name, default=0) or size
        if size % block:
            raise InputError(
                f"{pdata / name}: needed SI as a multiple of XDIM, found {size} and {block}; run xf2 again"
            )
        sizes += [size, block]
    points, block, rows, row_block = sizes
    size = file_size(pdata / "2rr", inside=pdata.parent.parent)
    needed = points * rows * number_type(procs, "P", where=pdata / "procs").itemsize
    if size != needed:
        raise InputError(
            f"{pdata / '2rr'}: needed {needed} bytes ({rows} rows of {points} points), found {size}; run xf2 again"
        )
    transform = count(procs, "FTSIZE", where=pdata / "procs", default=points)
    return _Matrix(points, block, rows, row_block, max(transform, points))


def _rows_processed(proc2s: dict[str, Any], expno: Path, matrix: _Matrix, *, where: Path) -> tuple[int, int, list[str]]:
    """Rows that were recorded (those after them fill 2rr up with zeros), rows planned, and what to say of them."""
    acqu2s = read_parameters(expno / "acqu2s") if (expno / "acqu2s").is_file() else {}
    told = count(acqu2s, "TD", where=expno / "acqu2s", default=0)
    used = count(proc2s, "TDeff", where=where, default=0)
    recorded = min([matrix.rows, *(count for count in (told, used) if count > 0)])
    if recorded < told:
        return recorded, told, [f"2rr holds {recorded} rows of {told} planned"]
    return recorded, recorded, []


def _weight(
    procs: dict[str, Any], acqus: dict[str, Any], matrix: _Matrix, *, dwell: float, expno: Path, where: Path
) -> tuple[Array, list[str], bool]:
    """Standard deviation of the noise in each time point of x(t) + x*(-t) over that in the FID, notes, and whether
    dividing by it makes the noise white."""
    part = matrix.points / matrix.transform
    points = number(procs, "TDeff", where=where, default=0) or number(acqus, "TD", where=expno / "acqus")
    length = min(points // 2, matrix.transform) * part
    delay = _delay(acqus, where=expno / "acqus") * part
    # The filter's build-up holds next to no noise. TopSpin moves it before the first point, unless PKNL is off.
    moved = delay if procs.get("PKNL") != "no" else 0.0
    first, last = delay - moved, length - moved
    shift = number(procs, "PHC1", where=where, default=0) / 360 * part
    window = int(number(procs, "WDW", where=where, default=0))

    def variance(time: Array) -> Array:
        inside = (time >= first) & (time < last)
        return np.where(inside, _window(procs, window, time * dwell, last * dwell, where=where) ** 2, 0.0)

    time = np.arange(matrix.points // 2, dtype=float)
    mirrored = (time, -time, matrix.points - time)
    with np.errstate(all="ignore"):  # absurd parameters leave weights that are no numbers
        weight = np.sqrt(sum((variance(moment + shift) for moment in mirrored), start=np.zeros_like(time)))
    weight[:1] *= np.sqrt(2)  # the first point is its own mirror image: its real part is left, twice
    weight[~np.isfinite(weight)] = 0.0
    notes = []
    if shift - first >= 1:
        notes.append(
            f"the first-order phase (PHC1) moved the FID {shift - first:.1f} points before the first, where it is "
            "folded in all rows"
        )
    if 2 * last > matrix.points:
        notes.append(f"2rr has fewer points ({matrix.points}) than two FIDs of {length:.0f}: its end lies on its start")
    unknown = [f"WDW {window}"] if window not in _WINDOWS else []
    unknown += [key for key in ("TDoff", "ME_mod") if number(procs, key, where=where, default=0) != 0]
    if unknown:
        notes.append(f"processed with {' and '.join(unknown)}, which cannot be undone: the noise is not white")
    return weight, notes, not unknown


def _delay(acqus: dict[str, Any], *, where: Path) -> float:
    """Group delay in points; where it is unknown the longest there is, so that no zeros are taken for the FID's end."""
    try:
        delay = group_delay(acqus, where=where)
    except InputError:
        delay = None
    return LONGEST_DELAY if delay is None else delay


def _window(procs: dict[str, Any], window: int, time: Array, end: float, *, where: Path) -> Array:
    """TopSpin's window function at `time` [s] of a FID that ends at `end` (TopSpin's Processing Reference, wm)."""
    name = _WINDOWS.get(window)
    broadening = np.pi * number(procs, "LB", where=where, default=0)
    if name == "em":
        exponent = -broadening * time
    elif name == "gm":
        top = number(procs, "GB", where=where, default=0) * end
        exponent = -broadening * time * (1 - time / (2 * top)) if top > 0 else 0 * time
    elif name in ("sine", "qsine"):
        start = np.pi / ssb if (ssb := number(procs, "SSB", where=where, default=0)) >= 2 else 0.0
        sine = np.sin((np.pi - start) * np.clip(time / end, 0, 1) + start)
        return np.asarray(sine**2 if name == "qsine" else sine)
    else:
        return np.ones_like(time)
    return np.exp(np.clip(exponent, -300, 300))


def _fids(
    pdata: Path, procs: dict[str, Any], matrix: _Matrix, kept: np.ndarray[Any, Any], recorded: int
) -> tuple[ComplexArray, np.ndarray[Any, Any]]:
    """The points `kept` of x(t) + x*(-t) of each row, and which rows hold only zeros."""
    where, path = pdata / "procs", pdata / "2rr"
    dtype, factor = number_type(procs, "P", where=where), scale(procs, "NC_proc", where=where)
    blocks = np.fromfile(path, dtype, count=matrix.points * matrix.rows).reshape(
        matrix.rows // matrix.row_block, matrix.points // matrix.block, matrix.row_block, matrix.block
    )
    rows = np.empty((recorded, kept.size), dtype=complex)
    empty = np.zeros(recorded, dtype=bool)
    for i, row in enumerate(rows):
        with np.errstate(all="ignore"):
            spectrum = blocks[i // matrix.row_block, :, i % matrix.row_block].reshape(-1).astype(float) * factor
        check_counts(spectrum, path=path)
        empty[i] = not spectrum.any()
        # Point 0 is at the highest frequency, half of the width above the middle.
        row[:] = 2 * np.fft.ifft(np.roll(spectrum[::-1], 1 + (matrix.points + 1) // 2))[kept]
    return rows, empty
