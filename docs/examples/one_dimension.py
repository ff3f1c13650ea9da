"""A spectral density in one file: diffusion in channels, whose correlation decays as the root of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx

from nmrdyn.schema import Array


@dataclass(frozen=True)
class OneDimension:
    """J of C(t) = exp(t/tau) erfc(sqrt(t/tau)), which decays as t^(-1/2): jumps along one dimension.

    In closed form J = tau Re[1 / (sqrt(i x) + i x)], x = omega tau, the transform of the Mittag-Leffler function of
    order 1/2. For small x it grows as omega^(-1/2), so that T1 depends on the field also on the fast flank; for large
    x it falls as omega^(-3/2).
    Source: Mainardi, Chaos Solitons Fractals 7 (1996) 1461, for the transform.
    """

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s], not 0, and `tau` [s], broadcast."""
        x = np.abs(np.asarray(omega, dtype=float)) * np.asarray(tau, dtype=float)
        return np.asarray(tau, dtype=float) * np.real(1 / (np.sqrt(1j * x) + 1j * x))

    def correlation(self, time: npt.ArrayLike, tau: float) -> Array:
        """C(t), for a check of `evaluate` by integration."""
        return erfcx(np.sqrt(np.asarray(time, dtype=float) / tau))
