"""What a law of temperature must offer; each law is one small file beside this one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nmrdyn.priors import Prior, Uniform
from nmrdyn.schema import Array

LN10 = float(np.log(10.0))


@dataclass(frozen=True)
class LawParameter:
    """The unit of a parameter of a law ("" for none), and its prior, which is fixed in the class of the law."""

    unit: str
    prior: Prior


# Wide enough for any motion that NMR sees; attempt times of vibrations are 1e-14 to 1e-12 s.
ACTIVATION_ENERGY = LawParameter("eV", Uniform(0.0, 2.0))
LOG10_TAU0 = LawParameter("log10(s)", Uniform(-18.0, -8.0))


class Law(ABC):
    """How a correlation time follows temperature: ln tau_c of each temperature, for many draws of `parameters` at once.

    The methods take a temperature [K] and each parameter by its name; all broadcast. The names of parameters that set
    the scale of tau_c begin with `log10_tau0`; a conductivity, sigma T = 1/tau_c, has prefactors in their place.
    """

    name: ClassVar[str]  # its word in a study file

    # Laws name their parameters in their signatures; `*_` permits that to a type checker and takes nothing.

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, LawParameter]:
        """Unit and prior of each parameter, in order."""

    @abstractmethod
    def log_correlation_time(self, temperature: npt.ArrayLike, *_: Any, **parameters: Any) -> Array:
        """ln(tau_c/s) at `temperature` [K], broadcast; NaN where the law has no motion."""

    @abstractmethod
    def apparent_barrier(self, temperature: npt.ArrayLike, *_: Any, **parameters: Any) -> Array:
        """The slope d ln(tau_c) / d(1/kT) [eV] that an Arrhenius plot shows at `temperature` [K], broadcast."""

    @abstractmethod
    def like(
        self, *, log_tau: npt.ArrayLike, barrier: npt.ArrayLike, temperature: float, measured: Array
    ) -> list[dict[str, Array]]:
        """Parameters with this ln(tau_c/s) and apparent barrier [eV] at one of the `measured` temperatures [K].

        Where a search for the law may start; several sets where that leaves something open.
        """

    def correlation_time(self, temperature: npt.ArrayLike, **parameters: npt.ArrayLike) -> Array:
        """tau_c [s] at `temperature` [K], broadcast; infinite where it exceeds every float, NaN without motion."""
        # A motion that is too slow for a float is frozen, which is no cause for a warning.
        with np.errstate(over="ignore"):
            return np.exp(self.log_correlation_time(temperature, **parameters))

    def barriers(self, temperature: npt.ArrayLike, **parameters: npt.ArrayLike) -> dict[str, Array]:
        """Every barrier [eV] by its suffix, broadcast: here "" for the only one, as it appears at `temperature` [K]."""
        return {"": self.apparent_barrier(temperature, **parameters)}


def spread_over(value: npt.ArrayLike, *others: npt.ArrayLike) -> Array:
    """`value` in the shape that it and the others broadcast to."""
    return np.broadcast_arrays(value, *others)[0].astype(float)[()]
