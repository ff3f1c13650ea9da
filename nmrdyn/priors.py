"""Prior distributions. Said by the user or fixed in a class; never made from the data that are being fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nmrdyn.schema import Array, InputError


class Prior(Protocol):
    """What the posterior needs of a prior."""

    @property
    def support(self) -> tuple[float, float]:
        """The values it allows lie between these."""
        ...

    @property
    def centre(self) -> float:
        """A typical value, where searches start."""
        ...

    @property
    def width(self) -> float:
        """A typical spread."""
        ...

    def log_density(self, value: Array) -> Array:
        """Log density, -inf outside the support."""
        ...

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """`n` independent draws."""
        ...


@dataclass(frozen=True)
class Normal:
    """Normal distribution with `mean` and standard deviation `sd`.

    Examples
    --------
    >>> float(np.exp(Normal(0.0, 1.0).log_density(np.array(0.0))) * np.sqrt(2 * np.pi))
    1.0
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and np.isfinite(self.sd) and self.sd > 0):
            raise InputError(f"Normal prior: needed a mean and a positive sd, found {self.mean} and {self.sd}")

    @property
    def support(self) -> tuple[float, float]:
        return -np.inf, np.inf

    @property
    def centre(self) -> float:
        return self.mean

    @property
    def width(self) -> float:
        return self.sd

    def log_density(self, value: Array) -> Array:
        return -0.5 * ((value - self.mean) / self.sd) ** 2 - np.log(self.sd * np.sqrt(2 * np.pi))

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        return rng.normal(self.mean, self.sd, n)


@dataclass(frozen=True)
class Uniform:
    """Uniform distribution from `low` to `high`.

    Examples
    --------
    >>> Uniform(0.0, 2.0).log_density(np.array([1.0, 3.0]))
    array([-0.69314718,        -inf])
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise InputError(f"Uniform prior: needed low below high, found {self.low} and {self.high}")

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def centre(self) -> float:
        return (self.low + self.high) / 2

    @property
    def width(self) -> float:
        return (self.high - self.low) / np.sqrt(12)

    def log_density(self, value: Array) -> Array:
        return np.where((value >= self.low) & (value <= self.high), -np.log(self.high - self.low), -np.inf)

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        return rng.uniform(self.low, self.high, n)


@dataclass(frozen=True)
class LogUniform:
    """Uniform distribution of the logarithm from `low` to `high`, for a size whose order of magnitude is not known.

    Examples
    --------
    >>> np.exp(LogUniform(1.0, np.e).log_density(np.array([0.5, 1.0, 2.0])))
    array([0. , 1. , 0.5])
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and 0 < self.low < self.high):
            raise InputError(f"LogUniform prior: needed a positive low below high, found {self.low} and {self.high}")

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def centre(self) -> float:
        return float(np.sqrt(self.low * self.high))

    @property
    def width(self) -> float:
        span = np.log(self.high / self.low)
        mean, square = (self.high - self.low) / span, (self.high**2 - self.low**2) / (2 * span)
        return float(np.sqrt(square - mean**2))

    def log_density(self, value: Array) -> Array:
        inside = (value >= self.low) & (value <= self.high)
        logarithm = np.log(np.where(inside, value, self.low))
        return np.where(inside, -logarithm - np.log(np.log(self.high / self.low)), -np.inf)

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        return np.exp(rng.uniform(np.log(self.low), np.log(self.high), n))


@dataclass(frozen=True)
class HalfNormal:
    """The positive half of a normal distribution about 0 with `scale`, for a size that may well be 0.

    Examples
    --------
    >>> HalfNormal(0.5).log_density(np.array([-0.1, 0.0])).round(3)
    array([ -inf, 0.467])
    """

    scale: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise InputError(f"HalfNormal prior: needed a positive scale, found {self.scale}")

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, np.inf

    @property
    def centre(self) -> float:
        return 0.6745 * self.scale  # the median

    @property
    def width(self) -> float:
        return 0.6028 * self.scale

    def log_density(self, value: Array) -> Array:
        inside = -0.5 * (value / self.scale) ** 2 + np.log(2 / (self.scale * np.sqrt(2 * np.pi)))
        return np.where(value >= 0, inside, -np.inf)

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        return np.abs(rng.normal(0.0, self.scale, n))
