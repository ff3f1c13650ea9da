"""Decays of many traces at once: their coordinates, where a search begins, and all sums that Newton's method takes.

Coordinates are those of the model, except that times and the ratio of two are logarithms. Arrays are (delay, trace).
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize.elementwise import find_root
from scipy.special import gamma

from nmrdyn.recovery.exponentials import BiExponential
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.single import SingleExponential
from nmrdyn.recovery.stretched import StretchedExponential
from nmrdyn.schema import Array

_ZERO = 1e-300  # s; in the place of a delay of 0, whose logarithm is infinite


@dataclass(frozen=True)
class Sums:
    """Inner products over the delays, each (trace,): of the decay d and its slopes, with 1, the signal and d.

    `one`, `signal` and `decay` begin with that of d itself; then come its slopes, then the second slopes (i, j >= i)
    in rows. `cross` are the products of slopes with slopes in the same order.
    """

    one: list[Array]
    signal: list[Array]
    decay: list[Array]
    cross: list[Array]


class Shape(ABC):
    """A decay at given delays [s], with slopes; `steps` are the longest steps of a search in each coordinate."""

    steps: ClassVar[tuple[float, ...]]

    def __init__(self, delay: Array) -> None:
        scale = self._scale(delay)
        self.delay, self.size, self._delay = delay, delay.size, scale[:, None]
        self._powers = np.stack([np.ones_like(scale), scale, scale**2])  # for moments

    def _scale(self, delay: Array) -> Array:
        """The delays as the shape takes them."""
        return delay

    def _moments(self, terms: Array) -> Array:
        """Sums over the delays (power, term, trace) of `terms (delay, term, trace)`, as one product of matrices."""
        return (self._powers @ terms.reshape(len(terms), -1)).reshape(len(self._powers), *terms.shape[1:])

    @abstractmethod
    def bounds(self, low: float, high: float) -> tuple[Array, Array]:
        """Lower and upper ends (coordinate,) for T1 between `low` and `high` [s]."""

    def limits(self, low: float, high: float) -> tuple[Array, Array]:
        """The same ends as the model's parameters (parameter,)."""
        lower, upper = (self.best(limit[:, None])[0][:, 0] for limit in self.bounds(low, high))
        return lower, upper

    @abstractmethod
    def nodes(self, low: float, high: float) -> Array:
        """Where a search may begin (coordinate, node); consecutive nodes of one coordinate are neighbours."""

    @abstractmethod
    def decay(self, at: Array) -> Array:
        """The decay (delay, trace) at `at` (coordinate, trace)."""

    def best(self, at: Array) -> tuple[Array, Array]:
        """The model's parameters (parameter, trace), the first as its logarithm, and their slopes."""
        return at, np.ones_like(at)

    def t1(self, at: Array) -> tuple[Array, Array]:
        """The T1 [s] (trace,) that a model means, and the slopes of its logarithm (coordinate, trace)."""
        slopes = np.zeros_like(at)
        slopes[0] = 1.0
        return np.exp(at[0]), slopes

    def shortest(self, at: Array) -> Array:
        """The shortest time [s] of an exponential."""
        return np.exp(at[0])

    def mean_time(self, at: Array) -> Array:
        """The area under the decay [s]."""
        return np.exp(at[0])

    @abstractmethod
    def sums(self, at: Array, signal: Array) -> Sums:
        """All sums at `at` (coordinate, trace) with `signal` (delay, trace)."""


class Single(Shape):
    """One exponential: ln T1."""

    steps = (1.0,)

    def bounds(self, low: float, high: float) -> tuple[Array, Array]:
        return np.log([low]), np.log([high])

    limits = bounds

    def nodes(self, low: float, high: float) -> Array:
        return _ladder(low, high, 0.1)[None]

    def decay(self, at: Array) -> Array:
        return np.exp(self._delay * -np.exp(-at[0]))

    def moments(self, rate: Array, signal: Array) -> Array:
        """Sums (1, decay or signal; power; trace) over the delays, each times the decay and a power of the delay."""
        terms = np.empty((3, self.size, rate.size))
        decay = terms[0]
        np.exp(np.multiply(self._delay, -rate, out=decay), out=decay)
        np.multiply(decay, decay, out=terms[1])
        np.multiply(decay, signal, out=terms[2])
        return np.asarray(self._powers @ terms)

    def sums(self, at: Array, signal: Array) -> Sums:
        rate = np.exp(-at[0])
        moments = self.moments(rate, signal).swapaxes(0, 1)
        first = moments[1] * rate
        second = moments[2] * rate**2
        slopes = [moments[0], first, second - first]
        one, decays, signals = ([part[k] for part in slopes] for k in range(3))
        return Sums(one, signals, decays, [second[1]])


class Stretched(Shape):
    """A stretched exponential: ln T1*, beta."""

    steps = (1.0, 0.3)
    _BETA = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.25, 1.6)

    def _scale(self, delay: Array) -> Array:
        return np.log(np.maximum(delay, _ZERO))

    def bounds(self, low: float, high: float) -> tuple[Array, Array]:
        least, most = StretchedExponential.bounds["beta"]
        return np.array([np.log(low), least]), np.array([np.log(high), most])

    def nodes(self, low: float, high: float) -> Array:
        return _product(self._BETA, _ladder(low, high, 0.4))[::-1]

    def decay(self, at: Array) -> Array:
        return np.exp(-np.exp(at[1] * (self._delay - at[0])))

    def mean_time(self, at: Array) -> Array:
        return np.asarray(np.exp(at[0]) / at[1] * gamma(1 / at[1]))

    def sums(self, at: Array, signal: Array) -> Sums:
        log_t1, beta = at
        terms = np.empty((self.size, 10, beta.size))
        decay, bent, more = terms[:, 0], terms[:, 1], terms[:, 2]
        power = np.subtract(self._delay, log_t1)
        power *= beta
        np.exp(power, out=power)
        np.exp(np.negative(power, out=decay), out=decay)
        np.multiply(power, decay, out=bent)  # -d decay / d ln power
        np.multiply(bent, np.subtract(1.0, power, out=power), out=more)  # its slope in ln power
        np.multiply(terms[:, :3], signal[:, None], out=terms[:, 3:6])
        np.multiply(terms[:, :3], decay[:, None], out=terms[:, 6:9])
        np.multiply(bent, bent, out=terms[:, 9])
        # Slopes bring powers of ln(t / T1), which come out of the moments of ln t.
        moments = self._moments(terms)
        plain = moments[0]
        once = moments[1] - log_t1 * plain
        twice = moments[2] - log_t1 * (moments[1] + once)

        def slopes(k: int) -> list[Array]:
            first, second = k + 1, k + 2
            return [
                plain[k],
                beta * plain[first],
                -once[first],
                -(beta**2) * plain[second],
                plain[first] + beta * once[second],
                -twice[second],
            ]

        cross = [beta**2 * plain[9], -beta * once[9], twice[9]]
        return Sums(slopes(0), slopes(3), slopes(6), cross)


class Two(Shape):
    """Two exponentials: ln of the longer time, ln of the ratio, fraction of the longer."""

    steps = (1.0, 1.0, 0.3)

    def bounds(self, low: float, high: float) -> tuple[Array, Array]:
        ratio, fraction = BiExponential.bounds["ratio"], BiExponential.bounds["fraction"]
        least, most = np.log(low), np.log(high)
        return np.array([least, np.log(ratio[0]), fraction[0]]), np.array([most, np.log(ratio[1]), fraction[1]])

    def nodes(self, low: float, high: float) -> Array:
        return _ladder(low, high, 0.6)[None]

    def decay(self, at: Array) -> Array:
        slow = np.exp(self._delay * -np.exp(-at[0]))
        if len(at) == 1:
            return slow
        fast = np.exp(self._delay * -np.exp(at[1] - at[0]))
        return at[2] * slow + (1 - at[2]) * fast

    def best(self, at: Array) -> tuple[Array, Array]:
        ratio = np.exp(at[1])
        return np.stack([at[0], ratio, at[2]]), np.stack([np.ones_like(ratio), ratio, np.ones_like(ratio)])

    def shortest(self, at: Array) -> Array:
        return np.exp(at[0] - at[1])

    def mean_time(self, at: Array) -> Array:
        return np.exp(at[0]) * (at[2] + (1 - at[2]) * np.exp(-at[1]))

    def t1(self, at: Array) -> tuple[Array, Array]:
        """The time at which 1/e is left, in units of the longer time between 1 / ratio and 1."""
        ratio, fraction = np.exp(at[1]), at[2]

        def excess(time: Array, ratio: Array, fraction: Array) -> Array:
            return fraction * np.exp(-time) + (1 - fraction) * np.exp(-ratio * time) - np.exp(-1)

        ends = 0.999 / ratio, np.full_like(ratio, 1.001)
        time = find_root(excess, ends, args=(ratio, fraction), tolerances={"xrtol": 1e-14}).x
        slow, fast = fraction * np.exp(-time), (1 - fraction) * ratio * np.exp(-ratio * time)
        rest = (np.exp(-time) - np.exp(-ratio * time)) / time
        return np.exp(at[0]) * time, np.stack([slow + fast, -fast, rest]) / (slow + fast)

    def parts(
        self, at: Array, signal: Array
    ) -> tuple[list[list[Array]], list[list[Array]], list[list[Array]], list[Array], list[Array]]:
        """Sums of both exponentials (ln of the longer time, ln of the ratio), each with its slopes in its own ln T.

        With 1, with the signal, and with itself: for each the decay, its slope, its second slope; of the two: decays,
        slope of the first with the second decay and the other way round, second slopes likewise; slopes with
        themselves, and with each other.
        """
        rates = np.exp(np.stack([-at[0], at[1] - at[0]]))
        terms = np.empty((self.size, 7, rates.shape[1]))
        decays = terms[:, :2]
        np.exp(np.multiply(self._delay[:, None], -rates, out=decays), out=decays)
        np.multiply(decays, signal[:, None], out=terms[:, 2:4])
        np.multiply(decays, decays, out=terms[:, 4:6])
        np.multiply(decays[:, 0], decays[:, 1], out=terms[:, 6])
        moments = self._moments(terms)
        moments[1, :6] *= np.tile(rates, (3, 1))
        moments[2, :6] *= np.tile(rates**2, (3, 1))
        slopes = [moments[2, 4].copy(), moments[2, 5].copy(), moments[2, 6] * rates[0] * rates[1]]
        moments[2, :6] -= moments[1, :6]
        once = [moments[1, 6] * rate for rate in rates]
        twice = [moments[2, 6] * rates[k] ** 2 - once[k] for k in (0, 1)]
        each = [[[moments[power, 2 * kind + k] for power in range(3)] for k in (0, 1)] for kind in range(3)]
        return each[0], each[1], each[2], [moments[0, 6], *once, *twice], slopes

    def sums(self, at: Array, signal: Array) -> Sums:
        one, along, same, mixed, squares = self.parts(at, signal)
        slow, fast = at[2], 1 - at[2]

        def joined(first: list[Array], second: list[Array]) -> list[Array]:
            """Of the sum of both: itself, 3 slopes, 6 second slopes."""
            return [
                slow * first[0] + fast * second[0],
                slow * first[1] + fast * second[1],
                -fast * second[1],
                first[0] - second[0],
                slow * first[2] + fast * second[2],
                -fast * second[2],
                first[1] - second[1],
                fast * second[2],
                second[1],
                np.zeros_like(slow),
            ]

        first_with = same[0], [mixed[0], mixed[2], mixed[4]]  # of the longer with both and their slopes
        second_with = [mixed[0], mixed[1], mixed[3]], same[1]
        decays = [
            slow * one_part + fast * other
            for one_part, other in zip(joined(*first_with), joined(*second_with), strict=True)
        ]
        with_slow = slow * squares[0] + fast * squares[2]  # of the slope in ln T1, with those of each
        with_fast = slow * squares[2] + fast * squares[1]
        apart = [same[0][1] - mixed[1], mixed[2] - same[1][1]]  # of each slope with the difference of both
        cross = [
            slow * with_slow + fast * with_fast,
            -fast * with_fast,
            slow * apart[0] + fast * apart[1],
            fast**2 * squares[1],
            -fast * apart[1],
            same[0][0] - 2 * mixed[0] + same[1][0],
        ]
        return Sums(joined(*one), joined(*along), decays, cross)


SHAPES: dict[type[RecoveryModel], type[Shape]] = {
    SingleExponential: Single,
    StretchedExponential: Stretched,
    BiExponential: Two,
}


def _ladder(low: float, high: float, spacing: float) -> Array:
    return np.linspace(np.log(low), np.log(high), 2 + int(np.log(high / low) / spacing))


def _product(*axes: Array | tuple[float, ...]) -> Array:
    """All combinations (axis, node), the last axis first to change."""
    return np.array(list(itertools.product(*axes))).T
