"""Frequencies: where lines are, a window that keeps one of them, and what the tails of the others look like in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

from nmrdyn.schema import Array, InputError
from nmrdyn.topspin.files.digital_filter import ComplexArray
from nmrdyn.topspin.intensity.noise import Noise

_EDGE = 0.15  # share of a region, on either side, over which its window opens
_FALSE = 1e-4  # how often noise alone makes a line
_MOST = 128  # lines and shoulders that are looked at, strongest first
_VALLEY = 0.1  # power of a valley over that of the lower of two peaks, below which they are two lines
_FOOT = 0.01  # power of the foot of a line over that of its peak
_INSIDE = 0.95  # of the spectrum, which the console's filter passes whole
_FAINT = 1e-3  # power of the faintest line over that of the strongest: the side lobes of a line are below


def window(n_points: int, dwell: float, region: tuple[float, float]) -> Array:
    """Weights (point) of the frequencies of an FFT: 1 inside `region` [Hz from the carrier], 0 outside, smooth edges.

    Raises
    ------
    InputError
        Where the region is no range of the spectrum.
    """
    low, high = sorted(region)
    edge = 0.5 / dwell
    frequency = np.fft.fftfreq(n_points, dwell)
    inside = (frequency >= low) & (frequency <= high)
    if not inside.any():
        raise InputError(
            f"region: needed low and high frequencies within ±{edge:g} Hz of the carrier, at least "
            f"{2 * edge / n_points:.3g} Hz apart, found ({low:g}, {high:g}) Hz; give two that enclose a line"
        )
    rise = _EDGE * (high - low) + 0.5 / (n_points * dwell)
    depth = np.minimum(frequency - low, high - frequency)
    weights = np.where(inside, np.sin(0.5 * np.pi * np.clip((depth + 0.5 / (n_points * dwell)) / rise, 0, 1)) ** 2, 0.0)
    # A region up to the end of the spectrum needs no edge there.
    weights[inside & (frequency < (low + high) / 2) & (low <= -edge)] = 1
    weights[inside & (frequency > (low + high) / 2) & (high >= edge)] = 1
    return weights


def settling(n_points: int, dwell: float, region: tuple[float, float]) -> int:
    """Points at the end of windowed FIDs into which the window's answer to their beginning wraps round."""
    return int(min(2 / (_EDGE * abs(region[1] - region[0]) * dwell) + 1, n_points / 4))


def through_window(rows: ComplexArray, weights: Array) -> ComplexArray:
    """FIDs that keep only the frequencies of a window."""
    spectrum = np.fft.fft(rows, axis=1)
    spectrum *= weights
    return np.fft.ifft(spectrum, axis=1)


def tails(weights: Array, points: int, degree: int) -> ComplexArray:
    """What lines outside a window can leave in the first `points` of it (1 + degree, point), orthonormal.

    The tail of a line outside is smooth inside: a polynomial of the frequency, as seen through the window. In time
    that is the answer of the window to the jump with which every FID begins.
    """
    place = np.fft.fftfreq(weights.size)
    middle = float(np.sum(weights * place) / np.sum(weights))
    place = (place - middle) / np.max(np.abs(place - middle)[weights > 0], initial=1e-12)
    shapes = np.fft.ifft(weights * place ** np.arange(degree + 1)[:, None], axis=1)[:, :points]
    return np.linalg.qr(shapes.T)[0].T


def find_regions(rows: ComplexArray, dwell: float, noise: Noise) -> list[tuple[float, float]]:
    """Where the signal of FIDs (row, point), cropped to where there is some, is: (low, high) in Hz from the carrier.

    Lowest first. Lines are apart where the power between them falls below a tenth of that of the weaker; spinning
    sidebands are lines of their own. A line ends where it sinks into the noise, or to a tenth of its height (in
    magnitude); one of less than 3 % of the strongest is not told from that one's side lobes.

    Examples
    --------
    >>> import numpy as np
    >>> from nmrdyn.topspin.intensity.noise import measure_noise
    >>> time = np.arange(1024) * 1e-5
    >>> line = np.exp(2j * np.pi * 5e3 * time - (1e3 * time) ** 2)
    >>> rng = np.random.default_rng(1)
    >>> rows = np.outer([1, 2, 3, 4], line) + 0.02 * rng.standard_normal((4, 1024))
    >>> [(low, high)] = find_regions(rows[:, :300], 1e-5, measure_noise(rows))
    >>> low < 5e3 < high
    True
    """
    n_rows, n_points = rows.shape
    # A rise before the fall: the jump with which a FID begins gives a line long tails that hold next to no area.
    taper = np.sin(np.pi * np.sqrt(np.arange(n_points) / n_points)) ** 2
    size = 2 * n_points
    power = np.fft.fftshift(np.mean(np.abs(np.fft.fft(rows * taper, n=size, axis=1)) ** 2, axis=0))
    level = 2 * float(np.sum(taper**2 * noise.power[:n_points]))
    frequency = np.fft.fftshift(np.fft.fftfreq(size, dwell))
    step = 0.5 / (size * dwell)
    floor = level * float(chdtri(2 * n_rows, _FALSE / size)) / (2 * n_rows)
    floor = max(floor, _FAINT * float(power.max()))
    edge = 0.5 / dwell
    found = [
        (max(float(frequency[low] - step), -edge), min(float(frequency[high] + step), edge))
        for low, high in _lines(power, floor)
    ]
    # Where the console's filter ends, what is left of a fast beginning looks like a line.
    inside = [(low, high) for low, high in found if high > -_INSIDE * edge and low < _INSIDE * edge]
    return inside or found


def listed(regions: list[tuple[float, float]]) -> str:
    """Regions as they may be typed, up to six."""
    return " and ".join(f"{low:.0f}:{high:.0f} Hz" for low, high in regions[:6])


def _lines(power: Array, floor: float) -> list[tuple[int, int]]:
    """First and last index of each line: peaks from the strongest down, each with the slope on both sides."""
    taken = np.zeros(power.size, dtype=bool)
    found: list[tuple[int, int]] = []
    open_ = power > floor
    for _ in range(_MOST):
        candidates = np.where(open_ & ~taken, power, 0.0)
        top = int(np.argmax(candidates))
        if not candidates[top] > floor:
            break
        foot = max(floor, _FOOT * power[top])
        ends = [_end(power, taken, top, step, foot) for step in (-1, 1)]
        low, high = ends
        taken[low : high + 1] = True
        # A shoulder of a line that was found is no line of its own.
        beside = [i for i in (low - 1, high + 1) if 0 <= i < power.size and taken[i]]
        if beside and min(power[i] for i in beside) > _VALLEY * power[top]:
            continue
        found.append((low, high))
    return sorted(found)


def _end(power: Array, taken: npt.NDArray[np.bool_], top: int, step: int, foot: float) -> int:
    """Walk down from a peak until the foot, another line, or the bottom of a valley before one."""
    path = power[top:] if step > 0 else power[top::-1]
    blocked = np.flatnonzero((taken[top:] if step > 0 else taken[top::-1]) | (path < foot))
    path = path[: int(blocked[0])] if blocked.size else path
    lowest = np.minimum.accumulate(path)
    rises = np.flatnonzero((path > lowest / _VALLEY) & (path > 0))
    reach = int(np.argmin(path[: int(rises[0])])) if rises.size else max(path.size - 1, 0)
    return top + step * reach
