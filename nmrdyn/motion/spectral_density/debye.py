"""The Debye spectral density of BPP theory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array


@dataclass(frozen=True)
class Debye:
    """J = tau / (1 + (omega tau)^2): one exponential correlation function.

    On the fast flank T1 falls as tau grows and does not depend on the field; on the slow flank T1 grows as
    omega^2 tau. Against 1/kT, ln T1 has the slopes -E and +E of a barrier E, with the minimum at omega tau = 0.6158.
    Source: Bloembergen, Purcell, Pound, Phys. Rev. 73 (1948) 679.

    Examples
    --------
    >>> Debye().evaluate(omega=1e9, tau=1e-9)
    np.float64(5e-10)
    """

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        tau = np.asarray(tau, dtype=float)
        return tau / (1.0 + (np.asarray(omega, dtype=float) * tau) ** 2)
