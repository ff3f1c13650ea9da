"""Data that follow a law of temperature themselves, with no mechanism of relaxation in between; one class each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmrdyn.priors import Prior, Uniform
from nmrdyn.schema import Array, InputError


class Observed(ABC):
    """What an observed quantity has to do with the correlation time of a law.

    Attributes
    ----------
    stage, quantity : the stage of its data, and the variable that the likelihood reads there
    prefactor : prior of log10 of its prefactor, which stands in place of tau0; None if it is a time
    """

    stage: ClassVar[str]
    quantity: ClassVar[str]
    prefactor: ClassVar[Prior | None]

    @abstractmethod
    def log_value(self, log_tau: Array, kelvin: Array) -> Array:
        """ln of the quantity in SI where a law gives ln(tau_c), or -ln of what grows with temperature."""

    @abstractmethod
    def log_correlation_time(self, log_value: Array, kelvin: Array) -> Array:
        """The inverse of `log_value`."""


@dataclass(frozen=True)
class CorrelationTime(Observed):
    """The mechanism of data that are correlation times themselves (stage `motion` with one branch, see `read_table`).

    Examples
    --------
    >>> CorrelationTime()
    CorrelationTime()
    """

    stage: ClassVar[str] = "motion"
    quantity: ClassVar[str] = "tau_c"
    prefactor: ClassVar[Prior | None] = None

    def log_value(self, log_tau: Array, kelvin: Array) -> Array:
        return log_tau

    def log_correlation_time(self, log_value: Array, kelvin: Array) -> Array:
        return log_value


@dataclass(frozen=True)
class Conductivity(Observed):
    """The mechanism of a conductivity: which quantity follows the law, "sigma_T" (Nernst-Einstein) or "sigma".

    The barrier of sigma is lower than that of sigma T by about kT (26 meV at 298 K).

    Raises
    ------
    InputError
        For another convention.

    Examples
    --------
    >>> Conductivity("sigma_T")
    Conductivity(convention='sigma_T')
    """

    convention: str
    stage: ClassVar[str] = "transport"
    quantity: ClassVar[str] = "conductivity"
    prefactor: ClassVar[Prior | None] = Uniform(-10.0, 25.0)  # S K/m for sigma T, S/m for sigma

    def __post_init__(self) -> None:
        if self.convention not in ("sigma_T", "sigma"):
            raise InputError(f"conductivity: needed the convention sigma_T or sigma, found {self.convention!r}")

    def log_value(self, log_tau: Array, kelvin: Array) -> Array:
        return -log_tau - np.log(kelvin) if self.convention == "sigma_T" else -log_tau

    def log_correlation_time(self, log_value: Array, kelvin: Array) -> Array:
        return -log_value - np.log(kelvin) if self.convention == "sigma_T" else -log_value


@dataclass(frozen=True)
class Diffusion(Observed):
    """The mechanism of diffusion coefficients, D = D0 exp(-Ea/kT) (stage `diffusion`, see `read_diffusion`).

    Its barrier compares with that of sigma T and of 1/tau_c: all three count jumps.

    Examples
    --------
    >>> Diffusion()
    Diffusion()
    """

    stage: ClassVar[str] = "diffusion"
    quantity: ClassVar[str] = "diffusion"
    prefactor: ClassVar[Prior | None] = Uniform(-16.0, 2.0)  # m^2/s

    def log_value(self, log_tau: Array, kelvin: Array) -> Array:
        return -log_tau

    def log_correlation_time(self, log_value: Array, kelvin: Array) -> Array:
        return -log_value
