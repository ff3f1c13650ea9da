"""The Havriliak-Negami spectral density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array, require_within


@dataclass(frozen=True)
class HavriliakNegami:
    """J = -(1/omega) Im (1 + (i x)^alpha)^(-gamma), x = omega tau, with alpha and gamma above 0 and up to 1.

    alpha = 1 is Cole-Davidson's with beta = gamma, gamma = 1 is Cole-Cole's, both 1 is Debye's. J(0) is infinite for
    alpha < 1 and gamma tau for alpha = 1. Against 1/kT, ln T1 has the slopes -alpha E on the fast flank, where T1
    grows as omega^(1 - alpha), and +alpha gamma E on the slow flank, where T1 grows as omega^(1 + alpha gamma).
    Source: Havriliak, Negami, Polymer 8 (1967) 161; Beckmann, Phys. Rep. 171 (1988) 85.

    Parameters
    ----------
    alpha : width, above 0 and up to 1
    gamma : asymmetry, above 0 and up to 1; both may be arrays that broadcast with omega and tau

    Raises
    ------
    InputError
        For alpha or gamma outside that range.

    Examples
    --------
    On the slow flank J falls by 2^(1 + alpha gamma) when omega doubles:

    >>> j = HavriliakNegami(alpha=0.8, gamma=0.5).evaluate(omega=[1e15, 2e15], tau=1.0)
    >>> print(f"{j[0] / j[1]:.6f}, {2**1.4:.6f}")
    2.639016, 2.639016
    """

    alpha: float | Array
    gamma: float | Array

    def __post_init__(self) -> None:
        require_within("HavriliakNegami: alpha", self.alpha, above=0, most=1)
        require_within("HavriliakNegami: gamma", self.gamma, above=0, most=1)

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        omega, tau = np.abs(np.asarray(omega, dtype=float)), np.asarray(tau, dtype=float)
        alpha, gamma = np.asarray(self.alpha, dtype=float), np.asarray(self.gamma, dtype=float)
        frequency, angle = np.where(omega == 0, 1.0, omega), np.pi / 2 * alpha
        y = (frequency * tau) ** alpha
        real, imaginary = 1.0 + y * np.cos(angle), y * np.sin(angle)
        value = np.sin(gamma * np.arctan2(imaginary, real)) * np.hypot(real, imaginary) ** -gamma / frequency
        return np.where(omega == 0, np.where(alpha < 1, np.inf, gamma * tau), value)[()]
