"""The least-squares optimum of each of many traces: a grid of starts as one product of matrices, then Newton's method.

Amplitude and loss are linear and eliminated (variable projection: Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973)
413): what is left to maximise is the part of the signal that lies along the decay.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nmrdyn.recovery.batch.chunk import TINY, WIDTH, Chunk, Grid, across
from nmrdyn.recovery.batch.newton import WORSE, search
from nmrdyn.recovery.batch.one_exponential import optimum
from nmrdyn.recovery.batch.shapes import Shape, Single, Two
from nmrdyn.schema import Array

# Traces at work at once, which nearly stay in the cache; more where the last passes are for a few of them.
_CHUNK, _LARGE_CHUNK = 1024, 4096
_NEAR = 1.1  # of two times, in logarithms


@dataclass(frozen=True)
class Optima:
    """What least squares say of each trace; `at` are coordinates of the shape.

    `loss` is the coefficient of the decay, `information` the matrix (coordinate, coordinate, trace) whose inverse is
    the covariance of the coordinates for residuals of variance 1, `rises` whether anything recovers in the grid.
    """

    at: Array
    amplitude: Array
    loss: Array
    ssr: Array
    information: Array
    converged: np.ndarray
    rises: np.ndarray


def optima(shape: Shape, signal: Array, *, fixed: float | None, low: float, high: float, exact: bool = False) -> Optima:
    """The optima of `signal` (delay, trace), T1 between `low` and `high` [s], for free depth or one that is fixed.

    The information is that of the place before the last step, which may be 1e-4 of itself off, or `exact`.
    """
    grid = _grid(type(shape), shape.delay.tobytes(), fixed, low, high)
    lone = _grid(Single, shape.delay.tobytes(), fixed, low, high) if isinstance(shape, Two) else None
    traces, width = signal.shape[1], _CHUNK if isinstance(shape, Single) else _LARGE_CHUNK
    found: Optima | None = None
    for first in range(0, traces, width):
        part = signal[:, first : first + width]
        chunk = Chunk(shape, _padded(part), fixed, grid)
        if isinstance(shape, Single):
            results, rises = optimum(chunk, exact)
        else:
            at, rises = chunk.pair_start() if lone else chunk.start()
            results = _results(chunk, at, rises, exact)
        if lone:
            _try_others(chunk, rises, results, lone)
        some = Optima(*(result[..., : part.shape[1]] for result in (*results, rises)))
        if part.shape[1] == traces:
            return some
        found = found or Optima(*(np.empty((*one.shape[:-1], traces), one.dtype) for one in vars(some).values()))
        for name, one in vars(some).items():
            getattr(found, name)[..., first : first + width] = one
    assert found
    return found


@lru_cache(maxsize=16)
def _grid(kind: type[Shape], delays: bytes, fixed: float | None, low: float, high: float) -> Grid:
    """Where a search begins, which is the same from call to call of a bootstrap."""
    return Grid.of(kind(np.frombuffer(delays)), fixed, low, high)


def _padded(signal: Array) -> Array:
    """Traces as many as a multiple of the width, the last one repeated."""
    traces = signal.shape[1]
    if traces % WIDTH == 0:
        return signal
    padded = np.empty((len(signal), -(-traces // WIDTH) * WIDTH))
    padded[:, :traces] = signal
    padded[:, traces:] = signal[:, -1:]
    return padded


def _results(chunk: Chunk, at: Array, rises: np.ndarray, exact: bool) -> list[Array]:
    """Search from `at`: places, amplitudes, losses, sums of squares, information, and whether it converged."""
    at, information, converged = search(chunk, at, rises)
    if isinstance(chunk.shape, Two):
        share = np.clip(chunk.pair(at, slice(None))[4], 0.0, 1.0)
        at = np.vstack([at, share])
    if exact or len(at) != len(information):
        values, q = chunk.evaluate(at, slice(None)).information, len(at)
        information = np.array([[values[min(i, j), max(i, j)] for j in range(q)] for i in range(q)])
    return [at, *chunk.residual(at), information, converged]


def _try_others(chunk: Chunk, rises: np.ndarray, results: list[Array], lone: Grid) -> None:
    """Begin two exponentials anew from one and a second on either side of it, where that may lead further."""
    single = Chunk(
        lone.shape, chunk.signal if chunk.fixed is not None else chunk.signal + chunk.mean, chunk.fixed, lone
    )
    first, _, _ = search(single, *single.start())
    column = across(lone.shape.decay(first), chunk.fixed)
    size = np.maximum(np.add.reduce(column * column, axis=0), TINY)
    loss = np.add.reduce(column * chunk.signal, axis=0) / size
    rest = chunk.signal - loss * column
    squares = np.add.reduce(rest * rest, axis=0)
    # What each node adds across the first, and how much of the residuals lies along that.
    units, nodes = chunk.grid.units, chunk.grid.nodes.T
    overlap = units @ (column / np.sqrt(size))
    free = np.maximum(1 - overlap**2, 1e-3)
    along = np.minimum(units @ rest, 0.0)
    gain = along**2 / free
    apart = nodes - first
    settled = results[5] & chunk.within(results[0])
    near = np.abs(apart) < _NEAR
    longer = apart > 0
    for side in (longer & near, longer & ~near, ~longer & near, ~longer & ~near):
        best = np.argmax(np.where(side, gain, -1.0), axis=0)
        place = best, np.arange(best.size)
        gained, other, added, shared = gain[place], nodes[best, 0], (along / free)[place], overlap[place]
        kept = loss - added * shared / np.sqrt(size)
        start = np.stack([np.maximum(first[0], other), np.abs(first[0] - other)])
        todo = np.flatnonzero(rises & (gained > 0) & (kept < 0) & (~settled | (squares - gained < results[3])))
        if not todo.size:
            continue
        todo = np.resize(todo, -(-todo.size // WIDTH) * WIDTH)
        part = chunk.taken(todo)
        tried = _results(part, part.inside(start[:, todo]), np.ones(todo.size, dtype=bool), True)
        better = tried[3] < results[3][todo] - WORSE * squares[todo]
        for old, new in zip(results, tried, strict=True):
            old[..., todo[better]] = new[..., better]
