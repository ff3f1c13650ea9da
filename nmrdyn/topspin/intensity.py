"""FIDs to intensities by the line shape that all rows share, with the noise measured beside the signal.

Only fixed linear operations shared by all rows act on the data: row-by-row phases or magnitudes would bias T1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmrdyn.schema import Array, InputError
from nmrdyn.topspin.fid import ComplexArray

_LEAST_POINTS = 8
_LEAST_DOF = 40


@dataclass(frozen=True)
class Intensities:
    """`values (row)` and their standard error (both real), and the degrees of freedom of the noise.

    `second_component` is the second singular value over the first where it exceeds noise, else 0: rows that do not
    share one line shape (a line that drifts or broadens, a second site). A weak second site stays unseen.
    """

    values: Array
    stderr: Array
    noise_dof: float
    second_component: float


def band(rows: ComplexArray, dwell: float, region: tuple[float, float]) -> ComplexArray:
    """Keep only `region` (low, high) in Hz from the carrier.

    Raises
    ------
    InputError
        Where the region lies outside the spectrum.
    """
    frequency = np.fft.fftfreq(rows.shape[1], dwell)
    keep = (frequency >= min(region)) & (frequency <= max(region))
    if not keep.any():
        edge = 0.5 / dwell
        raise InputError(f"region: needed frequencies within ±{edge:g} Hz of the carrier, found {region}")
    return np.fft.ifft(np.fft.fft(rows, axis=1) * keep, axis=1)


def shared_line_shape(rows: ComplexArray, delay: Array, *, whole: ComplexArray | None = None) -> Intensities:
    """Intensity of each row as its projection on the first singular vector of all rows.

    The sign is the one with which the signal grows with `delay` [s] (row). The standard error holds the noise of the
    projection, measured where there is no signal, and the noise that the estimated line shape itself carries. `whole`
    are the rows before a region was cut out of them, in which the noise is white; `rows` unless said.

    Raises
    ------
    InputError
        For fewer than two rows, or where all are zero.
    """
    if len(rows) < 2:
        raise InputError(f"needed at least two recorded rows, found {len(rows)}")
    whole = rows if whole is None else whole
    clean = _signal_free(whole[:, whole.shape[1] // 2 :])
    variance = _point_variance(whole, clean)
    points = _signal_length(rows, variance)
    cropped = rows[:, :points]
    energy, vectors = np.linalg.eigh(cropped @ cropped.conj().T)
    shape = vectors[:, -1].conj() @ cropped
    if not energy[-1] > 0:
        raise InputError("needed a signal, found none in the region that was read")
    shape /= np.linalg.norm(shape)
    projected = cropped @ shape.conj()

    phase = np.angle(np.sum(projected**2)) / 2
    values = np.real(projected * np.exp(-1j * phase))
    if np.sum((delay - delay.mean()) * values) < 0 and not _falls(values, delay):
        values = -values

    measured, dof = _projected_variance(whole, shape, points, variance, clean)
    total = float(np.sum(values**2))
    # First-order perturbation of the singular vector: through it, row i picks up the noise of the other rows, and its
    # own once more.
    carried = 2 * (points - 1) * variance * (total + values**2) / total**2
    # The largest second singular value that noise alone makes, with room for its scatter.
    noise_energy = 1.3 * 2 * variance * (np.sqrt(len(rows)) + np.sqrt(points)) ** 2
    second = float(np.sqrt(energy[-2] / energy[-1])) if len(rows) > 1 and energy[-2] > noise_energy else 0.0
    return Intensities(values, np.sqrt(measured * (1 + carried)), dof, second)


def _falls(values: Array, delay: Array) -> bool:
    """A decay, not a recovery: |signal| ends much smaller than it began, without passing through zero."""
    ordered = values[np.argsort(delay)]
    return bool(
        np.all(ordered * np.sign(ordered[0]) > -0.1 * abs(ordered[0])) and abs(ordered[-1]) < 0.5 * abs(ordered[0])
    )


def _signal_free(tail: ComplexArray) -> bool:
    """Whether the two halves of the FIDs' tail hold the same power, as noise alone does."""
    half = tail.shape[1] // 2
    if half < _LEAST_DOF:
        return False
    early, late = (np.mean(np.abs(part) ** 2) for part in (tail[:, :half], tail[:, half : 2 * half]))
    spread = np.sqrt(2 / (tail.shape[0] * half))
    return bool(early < late * (1 + 5 * spread))


def _point_variance(rows: ComplexArray, clean: bool) -> float:
    """Noise variance of the real part of one FID point."""
    if clean:
        return _variance_over_rows(rows[:, rows.shape[1] // 2 :])[0]
    # The signal fills the FID: take the typical power of a frequency, which a few lines do not move.
    power = np.abs(np.fft.fft(rows, axis=1)) ** 2 / rows.shape[1]
    return float(np.median(power) / np.log(2) / 2)


def _signal_length(rows: ComplexArray, variance: float) -> int:
    """Where to crop: as long as further points bring more signal than noise to the rows' weighted sum."""
    first = np.cumsum(np.sum(np.abs(rows) ** 2, axis=0) - 2 * variance * rows.shape[0])
    length = max(int(np.argmax(first)) + 1, _LEAST_POINTS)
    for _ in range(2):
        weights = np.linalg.eigh(rows[:, :length] @ rows[:, :length].conj().T)[1][:, -1]
        gain = np.cumsum(np.abs(weights.conj() @ rows) ** 2 - 4 * variance)
        length = min(max(int(np.argmax(gain)) + 1, _LEAST_POINTS), rows.shape[1])
    return length


def _projected_variance(
    rows: ComplexArray, shape: ComplexArray, points: int, variance: float, clean: bool
) -> tuple[float, float]:
    """Noise variance of the projection's real part, through the same filter, and its degrees of freedom."""
    n_rows, n_points = rows.shape
    if not clean:
        return variance, float(n_rows * n_points)
    start = max(2 * points, n_points // 2)
    windows = (n_points - start) // points
    if 2 * (n_rows - 1) * windows < _LEAST_DOF:
        return variance, float(n_rows * n_points)
    blocks = rows[:, start : start + windows * points].reshape(n_rows, windows, points) @ shape.conj()
    return _variance_over_rows(blocks)


def _variance_over_rows(values: ComplexArray) -> tuple[float, float]:
    """Variance of the real part about what all rows have in common (an offset, a ring-down), and its dof."""
    n_rows, n_values = values.shape
    dof = 2 * (n_rows - 1) * n_values
    return float(np.sum(np.abs(values - values.mean(axis=0)) ** 2) / dof), float(dof)
