"""The BPP spectral density with a free exponent on the slow flank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array, require_within


@dataclass(frozen=True)
class BetaBPP:
    """J = tau / (1 + (omega tau)^beta), 1 <= beta <= 2: an asymmetric T1 minimum; beta = 2 is Debye's.

    A definition that is not normalised: C(0) is (2/beta) / sin(pi/beta), which is 1 for beta = 2 only. Against 1/kT,
    ln T1 has the slope -E on the fast flank, where T1 does not depend on the field, and +(beta - 1) E on the slow
    flank, where T1 grows as omega^beta: there a line gives beta - 1 times the barrier. The minimum lies at
    omega tau = 0.8750 for beta = 1.6; beta = 1 has none.
    Source: Küchler, Heitjans, Payer, Schöllhorn, Solid State Ionics 70/71 (1994) 434.

    Parameters
    ----------
    beta : exponent, 1 to 2; may be an array that broadcasts with omega and tau

    Raises
    ------
    InputError
        For beta outside 1 to 2.

    Examples
    --------
    On the slow flank J falls by 2^beta when omega doubles:

    >>> j = BetaBPP(1.5).evaluate(omega=[1e9, 2e9], tau=1.0)
    >>> print(f"{j[0] / j[1]:.6f}, {2**1.5:.6f}")
    2.828427, 2.828427
    """

    beta: float | Array

    def __post_init__(self) -> None:
        require_within("BetaBPP: beta", self.beta, least=1, most=2)

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        tau = np.asarray(tau, dtype=float)
        x = np.abs(np.asarray(omega, dtype=float)) * tau
        return tau / (1.0 + x ** np.asarray(self.beta, dtype=float))
