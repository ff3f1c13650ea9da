"""Richards' spectral density of diffusion in two dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array


@dataclass(frozen=True)
class Richards2D:
    """J = tau ln(1 + 1/(omega tau)^2): jumps in a plane, whose correlation decays as 1/t.

    An interpolation of the two limits, not normalised; J(0) is infinite. On the fast flank 1/T1 goes as
    tau ln(1/(omega tau)): T1 depends weakly on the field, and against 1/kT the slope of ln T1 approaches -E only
    logarithmically (-0.925 E at omega tau = 1e-6). On the slow flank the slope is +E, and T1 grows as omega^2. The
    minimum lies at omega tau = 0.307. Source: Richards, Solid State Commun. 25 (1978) 1019.

    Examples
    --------
    >>> print(f"{Richards2D().evaluate(omega=1e9, tau=1e-9):.4e} s")  # tau ln 2
    6.9315e-10 s
    """

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        tau = np.asarray(tau, dtype=float)
        with np.errstate(divide="ignore"):  # ln 0, where J is infinite
            ln_x = np.log(np.abs(np.asarray(omega, dtype=float)) * tau)
        # ln(1 + 1/x^2) for large x, and ln(1 + x^2) - 2 ln x for small x, where 1/x^2 could overflow
        return tau * (np.log1p(np.exp(-2.0 * np.abs(ln_x))) - 2.0 * np.minimum(ln_x, 0.0))
