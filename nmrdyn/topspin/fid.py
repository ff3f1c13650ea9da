"""The ser file: rows of complex FIDs without the build-up of the digital filter."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nmrglue as ng
import numpy as np
import numpy.typing as npt

from nmrdyn.schema import InputError
from nmrdyn.topspin.parameters import number

_BLOCK = 1024  # bytes; TopSpin begins each row of a ser at a multiple of this

ComplexArray = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Fids:
    """`rows (recorded, points)`; `empty` marks rows that hold only zeros; `dwell` [s]; `planned` rows."""

    rows: ComplexArray
    empty: npt.NDArray[np.bool_]
    dwell: float
    planned: int


def row_bytes(acqus: dict[str, Any], *, where: Path) -> tuple[int, int]:
    """Bytes that a row takes in the file, and bytes of one number."""
    size = 8 if number(acqus, "DTYPA", where=where, default=0) == 2 else 4
    points = int(number(acqus, "TD", where=where))
    if points < 2:
        raise InputError(f"{where}: needed TD of 2 or more, found {points}")
    return -(-points * size // _BLOCK) * _BLOCK, size


def count_rows(expno: Path, acqus: dict[str, Any]) -> int:
    """Complete rows in the ser file; 0 where there is none."""
    ser = expno / "ser"
    return ser.stat().st_size // row_bytes(acqus, where=expno / "acqus")[0] if ser.is_file() else 0


def read_fids(expno: Path, acqus: dict[str, Any], acqu2s: dict[str, Any]) -> Fids:
    """Read all complete rows of an expno's ser.

    Raises
    ------
    InputError
        Where ser is missing, or shorter than one row.
    """
    ser = expno / "ser"
    if not ser.is_file():
        raise InputError(f"{expno}: needed the data file ser, found none; copy the whole expno from the console")
    length, size = row_bytes(acqus, where=expno / "acqus")
    recorded = ser.stat().st_size // length
    if recorded == 0:
        raise InputError(f"{ser}: needed rows of {length} bytes, found {ser.stat().st_size} bytes in all")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cut ser is counted here, not by nmrglue
        flat = ng.bruker.read_binary(
            str(ser),
            shape=(-1,),
            cplex=False,
            big=number(acqus, "BYTORDA", where=expno / "acqus", default=0) == 1,
            isfloat=size == 8,
        )[1]
    words = length // size
    points = int(number(acqus, "TD", where=expno / "acqus")) // 2 * 2
    table = np.asarray(flat, dtype=float)[: recorded * words].reshape(recorded, words)[:, :points]
    if not np.all(np.isfinite(table)):
        raise InputError(f"{ser}: needed finite numbers, found others; is DTYPA in acqus right?")
    rows = table[:, ::2] + 1j * table[:, 1::2]
    width = number(acqus, "SW_h", where=expno / "acqus")
    if width <= 0:
        raise InputError(f"{expno / 'acqus'}: needed SW_h above 0 Hz, found {width}")
    planned = int(number(acqu2s, "TD", where=expno / "acqu2s", default=recorded))
    empty = ~np.any(rows, axis=1)
    return Fids(_without_filter(rows, acqus, where=expno / "acqus"), empty, 1 / width, max(planned, recorded))


def _without_filter(rows: ComplexArray, acqus: dict[str, Any], *, where: Path) -> ComplexArray:
    """Cut the points before the group delay, in which the digital filter builds up.

    The fraction of a point that remains only turns the phase of the line shape, which all rows share; folding the
    build-up back in, as for a spectrum, would double the noise of the first points.
    """
    delay = number(acqus, "GRPDLY", where=where, default=0)
    version = int(number(acqus, "DSPFVS", where=where, default=0))
    decim = number(acqus, "DECIM", where=where, default=1)
    # DECIM 1 is an acquisition without a digital filter; nmrglue's table has no entry for it.
    if delay <= 0 and decim != 1 and 10 <= version < 14:
        table = ng.bruker.bruker_dsp_table.get(version, {})
        if decim not in table:
            raise InputError(f"{where}: needed a known digital filter, found DSPFVS {version}, DECIM {decim:g}")
        delay = table[decim]
    if delay > rows.shape[1] / 2:
        raise InputError(f"{where}: needed GRPDLY inside the FID of {rows.shape[1]} points, found {delay:g}")
    return rows[:, int(max(delay, 0)) :]
