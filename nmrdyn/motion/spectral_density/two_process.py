"""The spectral density of a fast libration and a slow jump over one barrier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.motion.spectral_density.debye import Debye
from nmrdyn.schema import Array, require_within


@dataclass(frozen=True)
class TwoProcess:
    """J = (1 - s2) J_Debye(ratio tau) + s2 J_Debye(tau): a fast and a slow motion that share one barrier.

    tau is the time of the slow motion, which sees the part s2 of the squared interaction that the fast one leaves.
    Against 1/kT, ln T1 has the slopes -E on the fast flank of both, where T1 does not depend on the field, and +E on
    the slow flank of both, where T1 grows as omega^2. T1 has two minima where the two are far enough apart: at
    s2 = 1/2, where both are equally deep, below a ratio of 0.1236, at s2 = 0.8 below 0.0251.
    Source: the limit of Lipari, Szabo, J. Am. Chem. Soc. 104 (1982) 4546, for motions of different speed.

    Parameters
    ----------
    s2 : squared order parameter of the fast motion, 0 to 1; 1 is Debye's
    ratio : tau_fast/tau_slow, above 0 and below 1; both may be arrays that broadcast with omega and tau

    Raises
    ------
    InputError
        For s2 or ratio outside that range.

    Examples
    --------
    >>> print(f"{TwoProcess(s2=0.9, ratio=0.01).evaluate(omega=0.0, tau=1e-9):.3e} s")
    9.010e-10 s
    """

    s2: float | Array
    ratio: float | Array

    def __post_init__(self) -> None:
        require_within("TwoProcess: s2", self.s2, least=0, most=1)
        advice = "ratio is tau_fast/tau_slow, and tau the slow one"
        require_within("TwoProcess: ratio", self.ratio, above=0, below=1, advice=advice)

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        tau, s2 = np.asarray(tau, dtype=float), np.asarray(self.s2, dtype=float)
        fast = np.asarray(self.ratio, dtype=float) * tau
        return (1.0 - s2) * Debye().evaluate(omega, fast) + s2 * Debye().evaluate(omega, tau)
