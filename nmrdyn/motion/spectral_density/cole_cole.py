"""The Cole-Cole spectral density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array, require_within


@dataclass(frozen=True)
class ColeCole:
    """J = (1/omega) sin(a) x^alpha / (1 + 2 cos(a) x^alpha + x^(2 alpha)), x = omega tau, a = pi alpha / 2.

    A symmetric distribution of ln tau, 0 < alpha <= 1; alpha = 1 is Debye's. (Cole and Cole write 1 - alpha
    for this alpha.) It has no mean: J(0) is infinite for alpha < 1. Against 1/kT, ln T1 has the slopes
    -alpha E on the fast flank, where T1 grows as omega^(1 - alpha), and +alpha E on the slow flank, where T1 grows
    as omega^(1 + alpha): neither gives the barrier itself. The minimum lies at omega tau = 0.626 for alpha = 0.7.
    Source: Cole, Cole, J. Chem. Phys. 9 (1941) 341; Beckmann, Phys. Rep. 171 (1988) 85.

    Parameters
    ----------
    alpha : width, above 0 and up to 1; may be an array that broadcasts with omega and tau

    Raises
    ------
    InputError
        For alpha outside that range.

    Examples
    --------
    At omega tau = 1 it is tau tan(pi alpha / 4) / 2, and tan(pi / 6) is 1 / sqrt(3):

    >>> print(f"{ColeCole(2 / 3).evaluate(omega=1e9, tau=1e-9):.6e} s, {3**-0.5 / 2:.6f}")
    2.886751e-10 s, 0.288675
    """

    alpha: float | Array

    def __post_init__(self) -> None:
        require_within("ColeCole: alpha", self.alpha, above=0, most=1)

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        omega, tau = np.abs(np.asarray(omega, dtype=float)), np.asarray(tau, dtype=float)
        alpha = np.asarray(self.alpha, dtype=float)
        frequency, angle = np.where(omega == 0, 1.0, omega), np.pi / 2 * alpha
        # The same for x and 1/x, so the one below 1 does: its powers cannot overflow.
        y = np.exp(-alpha * np.abs(np.log(frequency * tau)))
        value = np.sin(angle) / frequency * y / (1.0 + 2.0 * np.cos(angle) * y + y**2)
        return np.where(omega == 0, np.where(alpha < 1, np.inf, tau), value)[()]
