"""Spectral densities J(omega) = integral of C(t) cos(omega t) over t > 0, with C(0) = 1. One model a file."""

from __future__ import annotations

from typing import Protocol

import numpy.typing as npt

from nmrdyn.motion.spectral_density.beta_bpp import BetaBPP
from nmrdyn.motion.spectral_density.cole_cole import ColeCole
from nmrdyn.motion.spectral_density.cole_davidson import ColeDavidson
from nmrdyn.motion.spectral_density.debye import Debye
from nmrdyn.motion.spectral_density.havriliak_negami import HavriliakNegami
from nmrdyn.motion.spectral_density.kww import KWW
from nmrdyn.motion.spectral_density.lipari_szabo import LipariSzabo
from nmrdyn.motion.spectral_density.log_normal import LogNormal
from nmrdyn.motion.spectral_density.richards_2d import Richards2D
from nmrdyn.motion.spectral_density.two_process import TwoProcess
from nmrdyn.schema import Array

__all__ = [
    "KWW",
    "BetaBPP",
    "ColeCole",
    "ColeDavidson",
    "Debye",
    "HavriliakNegami",
    "LipariSzabo",
    "LogNormal",
    "Richards2D",
    "SpectralDensity",
    "TwoProcess",
]


class SpectralDensity(Protocol):
    """What a mechanism needs of a spectral density."""

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J in s, for omega in rad/s and tau in s; the two broadcast."""
        ...
