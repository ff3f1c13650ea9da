"""Spectral densities J(omega) = integral of C(t) cos(omega t) over t > 0, with C(0) = 1. One model a file."""

from __future__ import annotations

from typing import Protocol

import numpy.typing as npt

from nmrdyn.motion.spectral_density.debye import Debye
from nmrdyn.schema import Array

__all__ = ["Debye", "SpectralDensity"]


class SpectralDensity(Protocol):
    """What a mechanism needs of a spectral density."""

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J in s, for omega in rad/s and tau in s; the two broadcast."""
        ...
