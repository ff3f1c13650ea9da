"""The Kohlrausch-Williams-Watts spectral density: a stretched exponential correlation function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from nmrdyn.motion.spectral_density.tabulated import tabulate
from nmrdyn.schema import Array, require_within

# At 0.05 the mean time is already 1e18 times the shortest that matters.
_SMALLEST = 0.05
# The power series serves where x^-beta is below this: its terms fall at least as fast as the powers of 0.3.
_SERIES_BELOW = 0.3
_SERIES_TERMS = 32


@dataclass(frozen=True)
class KWW:
    """J = integral of exp(-(t/tau)^beta) cos(omega t) over t > 0, 0.05 <= beta <= 1; beta = 1 is Debye's.

    J(0) = tau/beta Gamma(1/beta), the mean correlation time. Against 1/kT, ln T1 has the slope -E on the fast flank,
    where T1 does not depend on the field, and +beta E on the slow flank, where T1 grows as omega^(1 + beta); for
    small beta both are reached slowly.

    The first call with a beta takes some milliseconds, in which the integral is tabulated; every value is good to a
    relative 1e-12. Source: Williams, Watts, Trans. Faraday Soc. 66 (1970) 80.

    Parameters
    ----------
    beta : stretching exponent, 0.05 to 1, one number

    Raises
    ------
    InputError
        For beta outside 0.05 to 1, or an array.

    Examples
    --------
    The mean correlation time of beta = 1/2 is tau/beta Gamma(1/beta) = 2 tau:

    >>> print(f"{KWW(0.5).evaluate(omega=0.0, tau=1e-9):.6e} s")
    2.000000e-09 s
    """

    beta: float

    def __post_init__(self) -> None:
        require_within(
            "KWW: beta",
            self.beta,
            least=_SMALLEST,
            most=1,
            single=True,
            advice="LogNormal describes wider distributions",
        )

    def evaluate(self, omega: npt.ArrayLike, tau: npt.ArrayLike) -> Array:
        """J [s] for `omega` [rad/s] and `tau` [s], broadcast."""
        tau, beta = np.asarray(tau, dtype=float), float(self.beta)
        x = np.abs(np.asarray(omega, dtype=float)) * tau
        edge = series_edge(beta)
        with np.errstate(divide="ignore"):  # ln 0 is below the table, which is constant there
            near = np.exp(_table(beta)(np.log(x)))
        return tau * np.where(x > edge, series(np.maximum(x, edge), beta), near)[()]


def integral(ln_x: Array, beta: float) -> Array:
    """J/tau at x = exp(`ln_x`), shape (n,), for x^-beta above 0.3.

    The path of integration is turned by an angle into the complex plane, where exp(ixt) and exp(-t^beta) both decay;
    the trapezoid rule in ln t then converges exponentially, the faster the wider the sector in which both do.
    """
    angle = min(np.pi / 2, np.pi / (4 * beta))
    step = angle / 6.5
    # From where t/x is below 1e-17 of J to where exp(-t^beta) is.
    first, last = -max(0.0, np.max(ln_x)) - 42.0, np.log(60.0 + 4.0 / beta) / beta
    t = np.exp(np.arange(first, last + step, step) + 1j * angle)
    weight = step * t * np.exp(-(t**beta))
    return (np.exp(1j * np.exp(ln_x)[:, None] * t) @ weight).real


def series(x: Array, beta: float) -> Array:
    """J/tau = (1/x) sum over k of (-1)^(k+1) Gamma(1 + k beta)/k! sin(k beta pi/2) x^(-k beta), for large x."""
    k = np.arange(1, _SERIES_TERMS + 1)
    terms = np.exp(gammaln(1 + k * beta) - gammaln(k + 1)) * np.sin(k * beta * np.pi / 2)
    terms[1::2] *= -1
    return np.polynomial.polynomial.polyval(x**-beta, np.concatenate([[0.0], terms])) / x


def series_edge(beta: float) -> float:
    """The x above which the series is used."""
    return float(_SERIES_BELOW ** (-1 / beta))


@lru_cache(maxsize=64)
def _table(beta: float) -> Callable[[Array], Array]:
    """ln(J/tau) against ln x, from where J differs from J(0) by 1e-14 to where the series begins."""
    # J = J(0) (1 - x^2 Gamma(3/beta) / (2 Gamma(1/beta)) + ...)
    low = 0.5 * (np.log(2e-14) - gammaln(3 / beta) + gammaln(1 / beta))
    high = np.log(series_edge(beta))
    return tabulate(lambda ln_x: np.log(integral(ln_x, beta)), low=low, high=high)
