"""The noise of FIDs, measured where there is no signal, and what of it passes a filter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array
from nmrdyn.topspin.files.digital_filter import ComplexArray

LEAST_DOF = 40
_EDGE = 0.05  # share of the spectrum at either end, where the console's filter cuts the noise
_SAMPLES = 160  # values that are averaged before a frequency is called free of signal
_ALIKE = 8  # neighbouring frequencies that apodised noise has in common, at most
_ROOM = 3.3  # the largest singular value of noise is below mean + 3.3 scales in 999 of 1000 cases (Tracy-Widom)
_EXCESS = 1.5  # power over that of noise alone, above which it is not


@dataclass(frozen=True)
class Noise:
    """Noise that is independent from point to point.

    `power` (point) is the variance of the real part of a point. `dof` are the degrees of freedom of its level;
    `spread` is how many values were averaged at each point where the points were measured one by one, and 0 where
    they share one level. `late` says that the second half of the FIDs holds noise alone.
    """

    power: Array
    dof: float
    spread: float
    late: bool

    def through(self, filter_: ComplexArray) -> tuple[float, float]:
        """Variance of the real part of rows @ conj(filter) for a filter (point), and its degrees of freedom."""
        passed = np.abs(filter_) ** 2 * self.power[: filter_.size]
        total = float(np.sum(passed))
        if not self.spread:
            return total, self.dof
        # Satterthwaite: the points have powers of their own, each known from `spread` values.
        dof = 2 * (self.spread + 1) * total**2 / float(np.sum(passed**2)) if total > 0 else 0.0
        return total, dof


def measure_noise(rows: ComplexArray, *, white: bool = True) -> Noise:
    """The noise of FIDs (row, point).

    White noise is taken from the second half of the FIDs where that holds nothing else, and from the frequencies
    without signal where it does not. Noise that was apodised (`white` False) decays along the FID: it is measured
    point by point, from what is left when the frequencies with signal are cut out.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> rows = 3 * (rng.standard_normal((8, 1024)) + 1j * rng.standard_normal((8, 1024)))
    >>> bool(abs(measure_noise(rows).power[0] / 9 - 1) < 0.05)
    True
    """
    n_rows, n_points = rows.shape
    tail = rows[:, n_points // 2 :]
    if white and _holds_noise_alone(tail):
        level, dof = variance_over_rows(tail)
        return Noise(np.full(n_points, level), dof, 0.0, True)
    rows, left = _without_first(rows)
    if white:
        # A taper keeps the strong lines of truncated FIDs from spreading over the frequencies without signal.
        taper = np.cos(0.5 * np.pi * np.arange(n_points) / n_points) ** 2
        power = np.mean(np.abs(np.fft.fft(rows * taper, axis=1)) ** 2, axis=0) / np.sum(taper**2)
        free = signal_free(power, n_rows)
        if not free.any():
            level, dof = float(np.median(power) / np.log(2) / 2 / left), float(n_rows * n_points)
        else:
            independent = np.sum(taper**2) ** 2 / (n_points * np.sum(taper**4))
            level, dof = float(np.mean(power[free]) / 2 / left), float(2 * n_rows * left * free.sum() * independent)
        return Noise(np.full(n_points, level), dof, 0.0, False)
    spectrum = np.fft.fft(rows, axis=1)
    free = signal_free(np.mean(np.abs(spectrum) ** 2, axis=0), n_rows, alike=_ALIKE)
    if not free.any():
        free = np.ones(n_points, dtype=bool)
    share = left * float(free.mean())
    power = np.mean(np.abs(np.fft.ifft(spectrum * free, axis=1)) ** 2, axis=0) / (2 * share)
    return Noise(power, 2 * n_rows * n_points * share, n_rows * share, False)


def _without_first(rows: ComplexArray) -> tuple[ComplexArray, float]:
    """Rows without the strongest shape they share, and the share of the noise that is left in them.

    Its tails reach all frequencies. Orthogonal to its intensities, a row in n is lost and nothing of the noise's form.
    """
    first = np.linalg.eigh((rows @ rows.conj().T).real)[1][:, -1:]
    return rows - first @ (first.T @ rows), 1 - 1 / len(rows)


def signal_free(power: Array, n_rows: int, *, alike: int = 1) -> npt.NDArray[np.bool_]:
    """Which frequencies hold noise alone, from the mean power of the rows at each (in the order of the FFT)."""
    n_points = power.size
    width = -(-_SAMPLES * alike // n_rows)
    if n_points < 4 * width:
        return np.zeros(n_points, dtype=bool)
    smooth = smoothed(power, width)
    inside = np.abs(np.fft.fftfreq(n_points)) < 0.5 - _EDGE
    level = float(np.quantile(smooth[inside], 0.2))
    free = inside & (smooth <= _EXCESS * level)
    for _ in range(4):
        level = float(np.mean(smooth[free])) if free.any() else level
        free = inside & (smooth <= _EXCESS * level)
    return free


def smoothed(values: Array, width: int) -> Array:
    """Mean over `width` neighbours on a circle."""
    padded = np.concatenate([values[-(width // 2) :] if width > 1 else values[:0], values, values[: width - 1]])
    sums = np.cumsum(np.concatenate([[0.0], padded]))
    return (sums[width : width + values.size] - sums[: values.size]) / width


def through_filter(rows: ComplexArray, filter_: ComplexArray) -> tuple[float, float]:
    """What `Noise.through` says, measured through the filter itself in the second half of the FIDs; 0 dof if short."""
    n_rows, n_points = rows.shape
    length = filter_.size
    start = max(2 * length, n_points // 2)
    windows = (n_points - start) // length
    if 2 * (n_rows - 1) * windows < LEAST_DOF:
        return 0.0, 0.0
    blocks = rows[:, start : start + windows * length].reshape(n_rows, windows, length) @ filter_.conj()
    return variance_over_rows(blocks)


def variance_over_rows(values: ComplexArray) -> tuple[float, float]:
    """Variance of the real part about what all rows have in common (an offset, a ring-down), and its dof."""
    n_rows, n_values = values.shape
    dof = 2 * (n_rows - 1) * n_values
    return float(np.linalg.norm(values - values.mean(axis=0))) ** 2 / dof, float(dof)


def without_offset(rows: ComplexArray, noise: Noise) -> ComplexArray:
    """Rows less the offset that all share, where their tail tells it.

    One number for all rows: what they have in common cannot change how they recover.
    """
    if not noise.late or len(rows) < 3:
        return rows
    return rows - rows[:, rows.shape[1] // 2 :].mean()


def _holds_noise_alone(tail: ComplexArray) -> bool:
    """Whether the two halves of the FIDs' tail hold the same power, and no shape that grows with the rows."""
    half = tail.shape[1] // 2
    if half < LEAST_DOF:
        return False
    early, late = (float(np.linalg.norm(part)) ** 2 for part in (tail[:, :half], tail[:, half : 2 * half]))
    return early < late * (1 + 5 * np.sqrt(2 / (tail.shape[0] * half))) and not _share_a_shape(tail)


def _share_a_shape(tail: ComplexArray) -> bool:
    """Whether rows share more than noise does, beside what is the same in all."""
    n_rows = len(tail)
    if n_rows < 3:
        return False
    tail = tail - tail.mean(axis=0)
    energy, vectors = np.linalg.eigh((tail @ tail.conj().T).real)
    rest = tail - vectors[:, -1:] @ (vectors[:, -1:].T @ tail)
    # Noise that is not white has fewer independent points; each frequency is known from n_rows - 2 values.
    power = np.sum(np.abs(np.fft.fft(rest, axis=1)) ** 2, axis=0)
    total = float(np.sum(power))
    mean = float(np.sum(energy)) / (n_rows - 1)
    if not total > 0 or not mean > 0:
        return mean > 0
    spread = mean**2 * float(np.sum((power / total) ** 2)) / 2 / (1 + 1 / (n_rows - 2))
    # Spurs of any phase raise several singular values alike, a shape that recovers one.
    lowest, second, first = energy[[1, -2, -1]]
    return first - second > second - lowest and float(first) > noise_edge(n_rows, mean=mean, spread=spread)


def noise_edge(n_rows: int, *, mean: float, spread: float) -> float:
    """The largest energy of a singular value that noise alone has in 999 of 1000 cases.

    For the noise that `n_rows` rows have left where one singular value, or their mean, was taken out.

    Johnstone, Ann. Stat. 29 (2001) 295, for as many real points of equal noise as have the trace `mean` and the trace
    of the square `spread` of the covariance.
    """
    points, level = mean**2 / spread, spread / mean
    left, right = np.sqrt(max(n_rows - 2, 1)), np.sqrt(points)
    return float(level * ((left + right) ** 2 + _ROOM * (left + right) * (1 / left + 1 / right) ** (1 / 3)))
