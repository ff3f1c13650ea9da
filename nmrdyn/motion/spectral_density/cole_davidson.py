"""The Cole-Davidson spectral density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array, require_within


@dataclass(frozen=True)
class ColeDavidson:
    """J = sin(beta atan x) / (omega (1 + x^2)^(beta/2)), x = omega tau, 0 < beta <= 1; beta = 1 is Debye's.

    A distribution of correlation times that ends at tau, with the mean J(0) = beta tau. Against 1/kT, ln T1 has the
    slope -E on the fast flank, where T1 does not depend on the field, and +beta E on the slow flank, where T1 grows
    as omega^(1 + beta). The minimum lies at omega tau = 1.124 for beta = 0.5.
    Source: Davidson, Cole, J. Chem. Phys. 19 (1951) 1484; Beckmann, Phys. Rep. 171 (1988) 85.

    Parameters
    ----------
    beta : exponent, above 0 and up to 1; may be an array that broadcasts with omega and tau

    Raises
    ------
    InputError
        For beta outside that range.

    Examples
    --------
    >>> print(f"{ColeDavidson(0.5).evaluate(omega=0.0, tau=1e-9):.3e} s")
    5.000e-10 s
    """

    beta: float | Array

    def __post_init__(self) -> None:
        require_within("ColeDavidson: beta", self.beta, above=0, most=1)

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        omega, tau = np.abs(np.asarray(omega, dtype=float)), np.asarray(tau, dtype=float)
        beta = np.asarray(self.beta, dtype=float)
        frequency = np.where(omega == 0, 1.0, omega)
        x = frequency * tau
        value = np.sin(beta * np.arctan(x)) * (1.0 + x**2) ** (-beta / 2) / frequency
        return np.where(omega == 0, beta * tau, value)[()]
