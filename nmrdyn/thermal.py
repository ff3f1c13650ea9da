"""Laws of temperature: how a correlation time or a conductivity follows 1/T."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import BOLTZMANN_EV, Array


@dataclass(frozen=True)
class Arrhenius:
    """tau_c = tau0 exp(Ea / kT), with Ea in eV and tau0 in s; one barrier, no phase transition in between.

    Examples
    --------
    >>> law = Arrhenius()
    >>> print(f"{law.correlation_time(333.15, activation_energy=0.4, log10_tau0=-13):.4e} s")
    1.1248e-07 s
    """

    parameters: ClassVar[tuple[str, ...]] = ("activation_energy", "log10_tau0")

    def exponent(self, temperature: npt.ArrayLike, activation_energy: npt.ArrayLike) -> Array:
        """Ea / kT, broadcast."""
        return np.asarray(activation_energy) / (BOLTZMANN_EV * np.asarray(temperature, dtype=float))

    def correlation_time(
        self, temperature: npt.ArrayLike, *, activation_energy: npt.ArrayLike, log10_tau0: npt.ArrayLike
    ) -> Array:
        """tau_c [s] at `temperature` [K], broadcast."""
        return np.exp(np.log(10.0) * np.asarray(log10_tau0) + self.exponent(temperature, activation_energy))
