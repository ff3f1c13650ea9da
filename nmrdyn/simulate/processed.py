"""Simulated FIDs -> processed data (pdata/1/2rr), as TopSpin's xf2 leaves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmrdyn.schema import Array
from nmrdyn.simulate.console import ComplexArray

_SPECTRUM = 2048  # points of a row
_BLOCK = 512  # points and rows of a submatrix
_ROW_BLOCK = 4
_LARGEST = 2**29  # TopSpin scales the largest number to 28 to 29 bits


@dataclass(frozen=True)
class Processed:
    """A 2rr and the parameters in procs and proc2s."""

    data: bytes
    procs: dict[str, object]
    proc2s: dict[str, object]


def transformed(rows: ComplexArray, *, width: float, carrier: float, group_delay: float, phase: float) -> Processed:
    """Spectra of rows (row, point) with 100 Hz of line broadening, zero filled, in submatrices of 4 x 512.

    `width` [Hz] is that of the spectrum, `carrier` its frequency [MHz], `phase` [degrees] the receiver's.
    """
    n_rows, n_points = rows.shape
    height = (n_rows // _ROW_BLOCK + 1) * _ROW_BLOCK  # at least one row of zeros at the end
    broadening = 100.0
    time = (np.arange(n_points) - group_delay) / width
    turn = np.exp(2j * np.pi * np.fft.fftfreq(_SPECTRUM) * group_delay - 1j * np.radians(phase))
    # A console's filter starts empty: other than in the simulated ser, its build-up holds next to no noise.
    window = np.where(np.arange(n_points) > group_delay - 2, np.exp(-np.pi * broadening * time), 0.0)
    spectra = np.fft.fft(rows * window, _SPECTRUM, axis=1) * turn
    # The first point is at the highest frequency, half of the width above the carrier.
    table = np.zeros((height, _SPECTRUM))
    table[:n_rows] = np.roll(np.fft.fftshift(spectra, axes=1)[:, ::-1], 1, axis=1).real
    power = int(np.ceil(np.log2(np.abs(table).max() / _LARGEST)))
    shared: dict[str, object] = {"BYTORDP": 0, "DTYPP": 0, "NC_proc": power}
    direct: dict[str, object] = {
        "FTSIZE": _SPECTRUM,
        "FT_mod": 6,
        "LB": broadening,
        "OFFSET": width / 2 / carrier,
        "PHC0": phase,
        "PHC1": 0,
        "PH_mod": 1,
        "PKNL": "yes",
        "SF": f"{carrier:.6f}",
        "SI": _SPECTRUM,
        "SW_p": width,
        "TDeff": 2 * n_points,
        "WDW": 1,
        "XDIM": _BLOCK,
    }
    indirect: dict[str, object] = {"FT_mod": 0, "SI": height, "TDeff": n_rows, "WDW": 0, "XDIM": _ROW_BLOCK}
    return Processed(_blocks(table / 2.0**power), direct | shared, indirect | shared)


def _blocks(table: Array) -> bytes:
    """A matrix as its submatrices, one after the other."""
    height, width = table.shape
    blocks = table.reshape(height // _ROW_BLOCK, _ROW_BLOCK, width // _BLOCK, _BLOCK).swapaxes(1, 2)
    return np.round(blocks).astype("<i4").tobytes()
