"""The line shape that all rows share: complex FIDs, real intensities, one singular vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmrdyn.schema import Array, InputError
from nmrdyn.topspin.files.digital_filter import ComplexArray
from nmrdyn.topspin.intensity.noise import Noise

_LEAST_POINTS = 8


@dataclass(frozen=True)
class Shape:
    """`filter` (point), of norm 1; `values` (row), real; `energy` of the singular values of all rows, largest first."""

    filter: ComplexArray
    values: Array
    energy: Array


def shared_shape(rows: ComplexArray) -> Shape:
    """The first singular vector of complex FIDs (row, point) with real intensities.

    Rows that share one line shape and one phase differ by a real factor: real and imaginary parts are 2 x points real
    numbers, whose Gram matrix is the real part of the complex one. No phase has to be found.

    Raises
    ------
    InputError
        Where there is no signal at all.
    """
    energy, vectors = np.linalg.eigh((rows @ rows.conj().T).real)
    shape = vectors[:, -1] @ rows
    norm = float(np.linalg.norm(shape))
    if not norm > 0:
        raise InputError("region: needed a signal, found none in what was read; choose another region")
    shape /= norm
    return Shape(shape, (rows @ shape.conj()).real, np.maximum(energy[::-1], 0))


def signal_length(rows: ComplexArray, noise: Noise, *, share: float = 1.0) -> int:
    """Where to crop: as long as further points bring more signal than noise to the rows' weighted sum.

    `share` is the share of the noise that a window has left.
    """
    level = share * noise.power[: rows.shape[1]]
    energy = np.cumsum(np.einsum("ij,ij->j", rows.real, rows.real) + np.einsum("ij,ij->j", rows.imag, rows.imag))
    length = max(int(np.argmax(energy - np.cumsum(2 * level * len(rows)))) + 1, _LEAST_POINTS)
    for _ in range(2):
        weights = np.linalg.eigh((rows[:, :length] @ rows[:, :length].conj().T).real)[1][:, -1]
        gain = np.cumsum(np.abs(weights @ rows) ** 2 - 4 * level)
        length = min(max(int(np.argmax(gain)) + 1, _LEAST_POINTS), rows.shape[1])
    return length


def carried(values: Array, spread: float, passed: float) -> Array:
    """Variance (row) that the noise in the shape itself adds to `values`.

    By first-order perturbation of the singular vector, row i picks up the noise of the other rows, and its own once
    more. `spread` is the trace of the squared noise covariance, `passed` the noise variance of the values.
    """
    total = float(np.sum(values**2))
    return max(spread - passed**2, 0.0) * (total + values**2) / total**2
