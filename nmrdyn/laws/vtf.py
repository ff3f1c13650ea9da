"""The Vogel-Tammann-Fulcher law: motion that freezes at a temperature above 0 K."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nmrdyn.laws.law import LN10, LOG10_TAU0, Law, LawParameter, spread_over
from nmrdyn.priors import LogUniform, Uniform
from nmrdyn.schema import BOLTZMANN_EV, Array

_SHARES = (0.02, 0.4, 0.7, 0.9)  # of the lowest measured temperature, as Vogel temperatures to start from


@dataclass(frozen=True)
class VTF(Law):
    """tau_c = tau0 exp(B / (T - T0)): motion that freezes at the Vogel temperature T0, as in glasses and polymers.

    `temperature_scale` is B [K], `vogel_temperature` T0 [K], tau0 in s. T0 = 0 is Arrhenius with Ea = k B. At T0 and
    below there is no motion, and every result is NaN. Source: Vogel, Phys. Z. 22 (1921) 645; Fulcher, J. Am. Ceram.
    Soc. 8 (1925) 339; Tammann, Hesse, Z. Anorg. Allg. Chem. 156 (1926) 245.

    The prior of B is flat in its logarithm, since B is known to its order of magnitude only: about 1,000 K in polymers
    and molten nitrates, 10,000 K in silicate melts, and up to 20,000 K where T0 = 0 and the barrier is 1.7 eV. That of
    T0 ends at 400 K; a glass that freezes above, as silicates do, needs one of its own.

    Examples
    --------
    The barrier grows on cooling, here from 0.65 eV at 300 K to 3.13 eV at 220 K:

    >>> law = VTF()
    >>> law.apparent_barrier([300.0, 220.0], temperature_scale=1200.0, vogel_temperature=180.0, log10_tau0=-13).round(2)
    array([0.65, 3.13])
    """

    name: ClassVar[str] = "vtf"
    parameters: ClassVar[Mapping[str, LawParameter]] = MappingProxyType(
        {
            "temperature_scale": LawParameter("K", LogUniform(100.0, 20_000.0)),
            "vogel_temperature": LawParameter("K", Uniform(0.0, 400.0)),
            "log10_tau0": LOG10_TAU0,
        }
    )

    def log_correlation_time(
        self,
        temperature: npt.ArrayLike,
        *,
        temperature_scale: npt.ArrayLike,
        vogel_temperature: npt.ArrayLike,
        log10_tau0: npt.ArrayLike,
    ) -> Array:
        """ln(tau_c/s) at `temperature` [K], broadcast; NaN at T0 and below."""
        return np.asarray(temperature_scale) / _above(temperature, vogel_temperature) + LN10 * np.asarray(log10_tau0)

    def like(
        self, *, log_tau: npt.ArrayLike, barrier: npt.ArrayLike, temperature: float, measured: Array
    ) -> list[dict[str, Array]]:
        sets = []
        for share in _SHARES:
            vogel = share * float(measured.min())
            gap = temperature - vogel
            scale = np.asarray(barrier) / BOLTZMANN_EV * (gap / temperature) ** 2
            prefactor = (np.asarray(log_tau) - scale / gap) / LN10
            sets.append({"temperature_scale": scale, "vogel_temperature": np.array(vogel), "log10_tau0": prefactor})
        return sets

    def apparent_barrier(
        self,
        temperature: npt.ArrayLike,
        *,
        temperature_scale: npt.ArrayLike,
        vogel_temperature: npt.ArrayLike,
        log10_tau0: npt.ArrayLike,
    ) -> Array:
        """The barrier k B T^2 / (T - T0)^2 [eV] at `temperature` [K], broadcast; NaN at T0 and below."""
        ratio = np.asarray(temperature, dtype=float) / _above(temperature, vogel_temperature)
        return spread_over(BOLTZMANN_EV * np.asarray(temperature_scale) * ratio**2, log10_tau0)


def _above(temperature: npt.ArrayLike, vogel_temperature: npt.ArrayLike) -> Array:
    """T - T0 [K], NaN where it is not positive."""
    gap = np.asarray(temperature, dtype=float) - np.asarray(vogel_temperature)
    return np.where(gap > 0, gap, np.nan)
