"""The Arrhenius law: one barrier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nmrdyn.laws.law import ACTIVATION_ENERGY, LN10, LOG10_TAU0, Law, LawParameter, spread_over
from nmrdyn.schema import BOLTZMANN_EV, Array


@dataclass(frozen=True)
class Arrhenius(Law):
    """tau_c = tau0 exp(Ea / kT), with Ea in eV and tau0 in s; one barrier, no phase transition in between.

    Examples
    --------
    >>> law = Arrhenius()
    >>> print(f"{law.correlation_time(333.15, activation_energy=0.4, log10_tau0=-13):.4e} s")
    1.1248e-07 s
    """

    name: ClassVar[str] = "arrhenius"
    parameters: ClassVar[Mapping[str, LawParameter]] = MappingProxyType(
        {"activation_energy": ACTIVATION_ENERGY, "log10_tau0": LOG10_TAU0}
    )

    def exponent(self, temperature: npt.ArrayLike, activation_energy: npt.ArrayLike) -> Array:
        """Ea / kT, broadcast."""
        return np.asarray(activation_energy) / BOLTZMANN_EV / np.asarray(temperature, dtype=float)

    def log_correlation_time(
        self, temperature: npt.ArrayLike, *, activation_energy: npt.ArrayLike, log10_tau0: npt.ArrayLike
    ) -> Array:
        """ln(tau_c/s) at `temperature` [K], broadcast."""
        return self.exponent(temperature, activation_energy) + LN10 * np.asarray(log10_tau0)

    def like(
        self, *, log_tau: npt.ArrayLike, barrier: npt.ArrayLike, temperature: float, measured: Array
    ) -> list[dict[str, Array]]:
        prefactor = (np.asarray(log_tau) - self.exponent(temperature, barrier)) / LN10
        return [{"activation_energy": np.asarray(barrier), "log10_tau0": prefactor}]

    def apparent_barrier(
        self, temperature: npt.ArrayLike, *, activation_energy: npt.ArrayLike, log10_tau0: npt.ArrayLike
    ) -> Array:
        """Ea [eV] at every `temperature` [K], broadcast."""
        return spread_over(activation_energy, temperature, log10_tau0)
