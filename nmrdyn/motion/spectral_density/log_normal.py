"""The spectral density of a Gaussian distribution of barriers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nmrdyn.motion.spectral_density.tabulated import tabulate
from nmrdyn.schema import Array, require_within

_LARGEST = 20.0


@dataclass(frozen=True)
class LogNormal:
    """J = the mean of Debye's over a Gaussian in ln(tau) with the median tau and the standard deviation sigma.

    Barriers with the standard deviation s_E (eV) have sigma = s_E/kT, which changes with temperature. J(0) is
    tau exp(sigma^2/2). Against 1/kT, ln T1 then has the slopes -(E + s_E^2/kT) far on the fast flank, where T1 does
    not depend on the field, and +(E - s_E^2/kT) far on the slow flank, where T1 grows as omega^2: both depend on
    temperature, and both are reached only where |ln(omega tau)| exceeds sigma^2 by a few sigma.

    The first call with a sigma takes some milliseconds, in which the integral is tabulated; every value is good to a
    relative 1e-12. Source: Nowick, Berry, IBM J. Res. Dev. 5 (1961) 297.

    Parameters
    ----------
    sigma : standard deviation of ln(tau), above 0 and up to 20, one number

    Raises
    ------
    InputError
        For sigma outside that range, or an array.

    Examples
    --------
    >>> print(f"{LogNormal(2.0).evaluate(omega=0.0, tau=1e-9):.6e} s")  # tau e^2
    7.389056e-09 s
    """

    sigma: float

    def __post_init__(self) -> None:
        advice = "sigma is the standard deviation of ln(tau), that of the barrier over kT"
        require_within("LogNormal: sigma", self.sigma, above=0, most=_LARGEST, single=True, advice=advice)

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        tau = np.asarray(tau, dtype=float)
        x = np.abs(np.asarray(omega, dtype=float)) * tau
        with np.errstate(divide="ignore"):  # ln 0 is beyond the table, which is constant there
            mean = np.exp(_table(float(self.sigma))(np.abs(np.log(x))))
        return tau * mean / np.maximum(x, 1.0) ** 2  # x J/tau is the same for x and 1/x


def integral(y: Array, sigma: float) -> Array:
    """J/tau at x = exp(-`y`), shape (n,), y >= 0: the mean of exp(y) sech(y + sigma u)/2 over a normal u.

    By the trapezoid rule, which converges exponentially: the nearest poles are pi/(2 sigma) from the real axis. The
    mass of the integrand moves from u = 0 to -sigma as y grows.
    """
    step = min(0.5, 0.24 / sigma)
    u = np.arange(-sigma - 9.0, 9.0 + step, step)
    distance = np.abs(y[:, None] + sigma * u)
    terms = np.exp(y[:, None] - distance - u**2 / 2) / (1.0 + np.exp(-2.0 * distance))
    return step / np.sqrt(2 * np.pi) * np.sum(terms, axis=1)


@lru_cache(maxsize=64)
def _table(sigma: float) -> Callable[[Array], Array]:
    """ln(J/tau) against y = -ln x, from 0 to where J differs from J(0) by less than 1e-15."""
    # The distribution of the times that contribute to J(0) is centred on y = -sigma^2.
    return tabulate(lambda y: np.log(integral(y, sigma)), low=0.0, high=sigma**2 + 8.3 * sigma + 18.0)
