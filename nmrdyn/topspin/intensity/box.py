"""The integral over a region, with one phase for all rows and time counted from the top of the echo."""

from __future__ import annotations

import numpy as np

from nmrdyn.schema import Array
from nmrdyn.topspin.files.digital_filter import ComplexArray

_SIGNIFICANT = 3.0  # standard errors
_END = 0.2  # share of a region, at either end, that is taken for its baseline


def box_filter(n_points: int, dwell: float, regions: list[tuple[float, float]], *, echo: float = 0.0) -> ComplexArray:
    """The filter (point) whose product with a FID is the integral of its spectrum over `regions` [Hz].

    `echo` [s] is when all frequencies are in phase. A FID that begins there gives half of its first point: the other
    half is the constant that the Fourier transform of a jump adds to the spectrum.
    """
    time = np.arange(n_points) * dwell - echo
    filter_ = np.zeros(n_points, dtype=complex)
    for low, high in regions:
        width = high - low
        filter_ += width * dwell * np.sinc(width * time) * np.exp(1j * np.pi * (low + high) * time)
    if echo < dwell / 2:
        filter_[0] /= 2
    return filter_


def box_over_baseline(
    n_points: int, dwell: float, line: tuple[float, float], *, around: tuple[float, float], echo: float = 0.0
) -> ComplexArray:
    """`box_filter` for one line, less the straight line through the spectrum beside it: what other lines leave there.

    The baseline is taken from `around` outside `line`, and from the ends of `line` where that is all there is.
    """
    frequency = np.fft.fftfreq(n_points, dwell)
    low, high = line
    end = _END * (high - low) if around == line else 0.0
    inside = (frequency >= low) & (frequency <= high)
    beside = (frequency >= around[0]) & (frequency <= around[1])
    beside &= (frequency < low + end) | (frequency > high - end)
    place = (2 * frequency - low - high) / (high - low)
    base = np.stack([np.ones(int(beside.sum())), place[beside]])
    under = np.array([np.sum(inside), np.sum(place[inside])])
    weights = inside.astype(float)
    weights[beside] -= np.linalg.lstsq(base @ base.T, under, rcond=None)[0] @ base
    return np.fft.ifft(weights * np.exp(-2j * np.pi * frequency * echo))


def phased(filter_: ComplexArray, rows: ComplexArray, values: Array) -> ComplexArray:
    """The filter with the phase in which rows (row, point) of intensities `values` (row) are real and alike in sign."""
    turn = (values @ rows) @ filter_.conj()
    return filter_ * np.exp(1j * np.angle(turn))


def echo_top(shape: ComplexArray, dwell: float, error: float) -> float:
    """When the FID of the strongest rows (point) is at its top [s after the first point]; `error` of its real part.

    The earliest point that noise cannot tell from the highest: 0 where a FID only decays. Three points are taken
    together, as the console's filter overshoots where a FID begins.
    """
    height = np.convolve(np.abs(shape), np.ones(3) / 3, mode="same")
    top = int(np.argmax(height >= height.max() - _SIGNIFICANT * error / np.sqrt(3)))
    # No echo: the FID begins where it has risen, which may be after the first point.
    return (top if top > 2 else int(np.argmax(np.abs(shape) > 0.5 * height.max()))) * dwell
