"""The model-free spectral density of Lipari and Szabo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.motion.spectral_density.debye import Debye
from nmrdyn.schema import Array, require_within


@dataclass(frozen=True)
class LipariSzabo:
    """J = s2 J_Debye(tau) + (1 - s2) J_Debye(tau'), 1/tau' = 1/tau + 1/tau_e.

    tau is the time tau_M of the slow, global motion; the fast, internal motion with the time tau_e leaves the order
    s2 = S^2 and does not change with temperature here (`TwoProcess` has a fast motion that follows the slow one).
    While the global motion with its barrier E governs, ln T1 against 1/kT has the slopes -E on the fast flank, where
    T1 does not depend on the field, and +E on the slow flank, where T1 grows as omega^2. So far on the slow flank
    that omega^2 tau tau_e is well above s2/(1 - s2), the internal motion governs, and T1 no longer depends on tau.
    Source: Lipari, Szabo, J. Am. Chem. Soc. 104 (1982) 4546.

    Parameters
    ----------
    s2 : squared order parameter of the fast motion, 0 to 1; 1 is Debye's
    tau_e : correlation time of the fast motion [s], above 0; both may be arrays that broadcast with omega and tau

    Raises
    ------
    InputError
        For s2 or tau_e outside that range.

    Examples
    --------
    A fast motion hides 1 - s2 of the fluctuation from the slow one:

    >>> print(f"{LipariSzabo(s2=0.8, tau_e=1e-15).evaluate(omega=1e9, tau=1e-9):.3e} s")
    4.000e-10 s
    """

    s2: float | Array
    tau_e: float | Array

    def __post_init__(self) -> None:
        require_within("LipariSzabo: s2", self.s2, least=0, most=1)
        require_within("LipariSzabo: tau_e in s", self.tau_e, above=0)

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        tau, s2 = np.asarray(tau, dtype=float), np.asarray(self.s2, dtype=float)
        both = tau / (1.0 + tau / np.asarray(self.tau_e, dtype=float))
        return s2 * Debye().evaluate(omega, tau) + (1.0 - s2) * Debye().evaluate(omega, both)
