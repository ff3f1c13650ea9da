"""Rows through one filter: values with their noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import fdtr, fdtrc

from nmrdyn.schema import Array
from nmrdyn.topspin.files.digital_filter import ComplexArray
from nmrdyn.topspin.intensity.box import box_filter, phased
from nmrdyn.topspin.intensity.noise import LEAST_DOF, Noise, through_filter
from nmrdyn.topspin.intensity.shape import Shape

_LEVEL = 1e-3  # how often noise that is white is called something else


@dataclass(frozen=True)
class Reading:
    """One way of reading the rows, its noise, and the filter that does it."""

    values: Array
    stderr: Array
    dof: float


def passed_by(inside: ComplexArray, filter_: ComplexArray, noise: Noise, weights: Array | None) -> tuple[float, Noise]:
    """Noise variance of the values by a filter, and the noise as it is at the frequencies of the filter."""
    whole = filter_
    if weights is not None:
        whole = np.fft.ifft(weights * np.fft.fft(filter_, n=weights.size))
    passed = noise.through(whole)[0]
    if noise.late and passed > 0:
        measured, dof = through_filter(inside, filter_)
        # Noise that is not white, as near the edges of the console's filter, is told by the filter itself.
        if dof >= LEAST_DOF:
            ratio = measured / passed
            if 2 * min(fdtrc(dof, noise.dof, ratio), fdtr(dof, noise.dof, ratio)) < _LEVEL:
                return measured, replace(noise, power=ratio * noise.power, dof=dof)
    return passed, noise


def integral(
    rows: ComplexArray, shape: Shape, noise: Noise, *, dwell: float, regions: list[tuple[float, float]], echo: float
) -> Reading:
    """The integral over regions, in the phase in which the shape is real."""
    return read_by(rows, box_filter(rows.shape[1], dwell, regions, echo=echo), shape, noise)


def read_by(rows: ComplexArray, filter_: ComplexArray, shape: Shape, noise: Noise) -> Reading:
    """The rows through a filter, in the phase in which the shape is real."""
    filter_ = phased(filter_, rows, shape.values)
    variance, dof = noise.through(filter_)
    return Reading((rows @ filter_.conj()).real, np.full(len(rows), np.sqrt(variance)), dof)
