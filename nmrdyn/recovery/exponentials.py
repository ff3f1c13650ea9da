"""Recoveries of two and three exponentials."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import Array

_RATIOS = (2.0, 4.0, 10.0, 40.0)
_RATIO = (1.0, 1e4)
_FRACTION = (0.0, 1.0)


class _Exponentials(RecoveryModel):
    """A sum of exponentials with positive fractions that add up to 1."""

    meaning: ClassVar[str] = "time at which 1/e is left to recover"

    @abstractmethod
    def components(self, *parameters: float) -> tuple[Array, Array]: ...

    def decay(self, delay: Array, *parameters: float) -> Array:
        times, fractions = self.components(*parameters)
        return np.exp(-np.asarray(delay)[..., None] / times) @ fractions

    def t1(self, *parameters: float) -> float:
        times, _ = self.components(*parameters)
        if times[0] == times[-1]:
            return float(times[0])

        def excess(delay: float) -> float:
            return float(self.decay(np.asarray(delay), *parameters) - np.exp(-1))

        return float(brentq(excess, 0.999 * times[-1], 1.001 * times[0], xtol=1e-14 * times[-1], rtol=1e-14))

    def mean_time(self, *parameters: float) -> float:
        times, fractions = self.components(*parameters)
        return float(times @ fractions)


@dataclass(frozen=True, kw_only=True)
class BiExponential(_Exponentials):
    """Two exponentials; five parameters, or four with `depth` fixed.

    The times and fractions of both are `component_t1` and `component_fraction`; `t1` is the time at which 1/e is left
    to recover, which compares with T1 and T1* of the other models. Two rates need not be two sites: one spin 3/2 on
    the slow flank recovers with 0.8 and 0.2 at rates of 1:4, and a fit that comes near it says so. Rates of 1:4 take a
    signal-to-noise ratio of 100 or more to be told apart; a recovery of one exponential has no second, and fails.

    Examples
    --------
    >>> model = BiExponential()
    >>> model.components(10.0, 4.0, 0.8)  # the longer time, the ratio of the two, the fraction of the longer
    (array([10. ,  2.5]), array([0.8, 0.2]))
    >>> bool(abs(model.decay(np.array(model.t1(10.0, 4.0, 0.8)), 10.0, 4.0, 0.8) - np.exp(-1)) < 1e-12)
    True
    """

    name: ClassVar[str] = "bi"
    parameters: ClassVar[tuple[str, ...]] = ("t1", "ratio", "fraction")
    start: ClassVar[Mapping[str, tuple[float, ...]]] = {"ratio": _RATIOS, "fraction": (0.2, 0.5, 0.8)}
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"ratio": _RATIO, "fraction": _FRACTION}
    depth: float | None = None

    def components(self, *parameters: float) -> tuple[Array, Array]:
        t1, ratio, fraction = parameters
        return np.array([t1, t1 / ratio]), np.array([fraction, 1 - fraction])


@dataclass(frozen=True, kw_only=True)
class TriExponential(_Exponentials):
    """Three exponentials; seven parameters, or six with `depth` fixed. It takes excellent data to tell them apart.

    Examples
    --------
    >>> times, fractions = TriExponential().components(10.0, 5.0, 2.0, 0.6, 0.75)
    >>> print(times, fractions.round(3))  # the second fraction is of what the first leaves
    [10.  2.  1.] [0.6 0.3 0.1]
    """

    name: ClassVar[str] = "tri"
    parameters: ClassVar[tuple[str, ...]] = ("t1", "ratio", "next_ratio", "fraction", "next_fraction")
    start: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "ratio": (2.0, 5.0, 20.0),
        "next_ratio": (3.0, 10.0),
        "fraction": (0.3, 0.7),
        "next_fraction": (0.3, 0.7),
    }
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {
        "ratio": _RATIO,
        "next_ratio": _RATIO,
        "fraction": _FRACTION,
        "next_fraction": _FRACTION,
    }
    depth: float | None = None

    def components(self, *parameters: float) -> tuple[Array, Array]:
        t1, ratio, next_ratio, fraction, next_fraction = parameters
        rest = 1 - fraction
        times = np.array([t1, t1 / ratio, t1 / ratio / next_ratio])
        return times, np.array([fraction, rest * next_fraction, rest * (1 - next_fraction)])
