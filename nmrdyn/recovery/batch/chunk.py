"""A chunk of traces at work: where a search begins, the criterion that it climbs, and the residuals at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nmrdyn.recovery.batch.pair import pair_criterion, pair_starts
from nmrdyn.recovery.batch.shapes import Shape, Sums, Two
from nmrdyn.schema import Array

# Products of matrices are alike in every last digit, whoever else is in them, when their width is a multiple of this.
WIDTH = 32
TINY = 1e-150
_GRID = 2**15  # numbers in one product of matrices
_AT_BOUND = 1e-4


@dataclass
class Point:
    """The criterion and its slopes at one place for each trace."""

    gain: Array
    slope: Array
    curvature: dict[tuple[int, int], Array]
    information: dict[tuple[int, int], Array]


@dataclass(frozen=True)
class Grid:
    """Where a search begins (coordinate, node), ends of it, and what the decays there add, each of length 1."""

    shape: Shape
    nodes: Array
    limits: tuple[Array, Array]
    units: Array
    lengths: Array

    @classmethod
    def of(cls, shape: Shape, fixed: float | None, low: float, high: float) -> Grid:
        nodes = shape.nodes(low, high)
        columns = across(shape.decay(nodes), fixed)
        lengths = np.sqrt(np.sum(columns**2, axis=0))
        return cls(shape, nodes, shape.bounds(low, high), np.ascontiguousarray((columns / lengths).T), lengths)


class Chunk:
    """Traces at work (delay, trace), in columns as many as a multiple of the width."""

    def __init__(self, shape: Shape, signal: Array, fixed: float | None, grid: Grid) -> None:
        self.shape, self.fixed, self.grid = shape, fixed, grid
        self.lower, self.upper = (limit[:, None] for limit in grid.limits)
        self.longest = np.array(shape.steps)[:, None]
        self.mean = np.add.reduce(signal, axis=0) / shape.size
        self.signal = signal - self.mean if fixed is None else signal
        self.squares = np.add.reduce(self.signal * self.signal, axis=0)

    def taken(self, chosen: np.ndarray) -> Chunk:
        """Some of the traces."""
        signal = self.signal[:, chosen]
        return Chunk(
            self.shape, signal if self.fixed is not None else signal + self.mean[chosen], self.fixed, self.grid
        )

    def start(self) -> tuple[Array, np.ndarray]:
        """The best node for each trace, moved along the first coordinate by a parabola, and whether it rises."""
        nodes, grid = self.grid.nodes, self.grid.units
        width, count = self.signal.shape[1], len(grid)
        at, rises = np.empty((len(nodes), width)), np.empty(width, dtype=bool)
        step = max(WIDTH, _GRID // count // WIDTH * WIDTH)
        for first in range(0, width, step):
            part = slice(first, min(first + step, width))
            along = self.signal[:, part].T @ grid.T
            best = along.argmin(axis=1) if self.fixed is None else np.abs(along).argmax(axis=1)
            rows = np.arange(len(best)) * count
            flat = along.ravel()
            here = flat[rows + best]
            rises[part] = here < 0
            inner = np.minimum(np.maximum(best, 1), count - 2)
            before, middle, after = flat[rows + inner - 1], flat[rows + inner], flat[rows + inner + 1]
            bend = before - 2 * middle + after
            at[:, part] = nodes[:, best]
            neighbours = (inner == best) & (bend > 0)
            shift = np.divide(0.5 * (before - after), bend, out=np.zeros_like(bend), where=neighbours)
            spacing = nodes[0, 1] - nodes[0, 0]
            at[0, part] += np.minimum(np.maximum(shift, -0.5), 0.5) * spacing
        return self.inside(at), rises

    def pair_start(self) -> tuple[Array, np.ndarray]:
        """The best pair of nodes for each trace, and whether there is one that rises."""
        nodes, units, width = self.grid.nodes[0], self.grid.units, self.signal.shape[1]
        at, rises = np.empty((2, width)), np.empty(width, dtype=bool)
        step = max(WIDTH, 2 * _GRID // len(nodes) ** 2 // WIDTH * WIDTH)
        for first in range(0, width, step):
            part = slice(first, min(first + step, width))
            at[:, part], rises[part] = pair_starts(units, nodes, self.signal[:, part])
        return self.inside(at), rises

    def inside(self, at: Array) -> Array:
        """The nearest place that is within the bounds."""
        return np.minimum(np.maximum(at, self.lower[: len(at)]), self.upper[: len(at)])

    def within(self, at: Array) -> np.ndarray:
        """Whether a place is not at the bounds."""
        margin = _AT_BOUND * np.minimum(self.upper - self.lower, 1.0)
        return np.all((at - self.lower >= margin) & (self.upper - at >= margin), axis=0)

    def evaluate(self, at: Array, chosen: np.ndarray | slice) -> Point:
        """The criterion at `at`, for the chosen traces."""
        signal = self.signal[:, chosen]
        if isinstance(self.shape, Two) and len(at) == 2:
            return Point(*self.pair(at, chosen)[:4])
        sums = self.shape.sums(at, signal)
        return _criterion(sums, self.shape.size, self.fixed, self.mean[chosen], len(at))

    def pair(self, at: Array, chosen: np.ndarray | slice) -> tuple[Any, ...]:
        """The criterion of two exponentials at two times, and the fraction of the longer."""
        level = self.mean[chosen] * self.shape.size
        assert isinstance(self.shape, Two)
        return pair_criterion(self.shape, at, self.signal[:, chosen], level=level, fixed=self.fixed)

    def residual(self, at: Array) -> tuple[Array, Array, Array]:
        """Amplitude, loss and sum of squares at `at`, from the residuals themselves."""
        decay = self.shape.decay(at)
        if self.fixed is None:
            level = np.add.reduce(decay, axis=0) / self.shape.size
        else:
            level = np.full(at.shape[1], 1 / self.fixed)
        decay -= level
        size = np.add.reduce(decay * decay, axis=0)
        loss = np.add.reduce(decay * self.signal, axis=0) / np.maximum(size, TINY)
        decay *= loss
        decay -= self.signal
        np.multiply(decay, decay, out=decay)
        amplitude = self.mean - loss * level if self.fixed is None else -loss * level
        return amplitude, loss, np.add.reduce(decay, axis=0)


def across(columns: Array, fixed: float | None) -> Array:
    """What the decay adds to what is linear beside it: the mean, or with a fixed depth nothing, taken off."""
    return columns - (columns.mean(axis=0) if fixed is None else 1 / fixed)


def _criterion(sums: Sums, n: int, fixed: float | None, mean: Array, q: int) -> Point:
    """The squares explained, ½ of their slopes, minus ½ of their curvature, and what Gauss and Newton put for that."""
    pairs = [(i, j) for i in range(q) for j in range(i, q)]
    along, decays, cross = list(sums.signal), list(sums.decay), list(sums.cross)
    # The part of each product that the constant takes.
    if fixed is None:
        level = sums.one[0] / n
        decays = [product - level * one for product, one in zip(decays, sums.one, strict=True)]
        cross = [
            product - sums.one[1 + i] * (sums.one[1 + j] / n) for product, (i, j) in zip(cross, pairs, strict=True)
        ]
    else:
        decays = [product - one / fixed for product, one in zip(decays, sums.one, strict=True)]
        decays[0] = decays[0] - (sums.one[0] - n / fixed) / fixed
        along[0] = along[0] - mean * (n / fixed)
    size = np.maximum(decays[0], TINY)
    loss = along[0] / size
    slope = np.empty((q, size.size))
    for i in range(q):
        np.subtract(along[1 + i], loss * decays[1 + i], out=slope[i])
    turned = [(slope[i] - loss * decays[1 + i]) / size for i in range(q)]  # slopes of the loss
    curvature, information = {}, {}
    for k, (i, j) in enumerate(pairs):
        second = along[1 + q + k] - loss * (cross[k] + decays[1 + q + k])
        curvature[i, j] = -(size * turned[i] * turned[j] + loss * second)
        information[i, j] = loss**2 * (cross[k] - decays[1 + i] * decays[1 + j] / size)
    return Point(np.where(loss < 0, along[0] * loss, -np.inf), loss * slope, curvature, information)
