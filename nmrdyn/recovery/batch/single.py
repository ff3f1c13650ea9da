"""The optimum of one exponential, the usual case: the same criterion as for others, in as few steps as it takes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nmrdyn.recovery.batch.chunk import TINY, WIDTH, Chunk
from nmrdyn.recovery.batch.newton import CLOSE, NO_NOISE, WORSE, search
from nmrdyn.schema import Array

_PASSES = 6  # whoever needs more takes the general search
_CANCELLED = 1e-6  # of the squares of the signal: less than this is not told by a difference of squares


class _Point(NamedTuple):
    """At one T1 for each trace: squares explained, loss and level of the decay, their slopes, and Newton's step."""

    gain: Array
    loss: Array
    level: Array | float
    turned: Array  # slope of the loss
    tilted: Array | float  # slope of the level
    slope: Array
    curvature: Array
    information: Array


def optimum(chunk: Chunk, exact: bool) -> tuple[list[Array], np.ndarray]:
    """What `search` and `Chunk.residual` find of each trace, and whether anything recovers in the grid."""
    at, rises = chunk.start()
    log_t1, squares = at[0], chunk.squares
    dof = max(chunk.shape.size - (3 if chunk.fixed is None else 2), 1)
    first: Array | None = None
    for _ in range(_PASSES):
        point = _point(chunk, log_t1)
        if first is None:
            first = point.gain
        with np.errstate(divide="ignore", invalid="ignore"):
            move = point.slope / point.curvature
            noise = np.maximum(squares - point.gain, NO_NOISE * squares) / dof
            close = move**4 * point.information < CLOSE**2 * noise
        if (close | ~rises).all():
            break
        log_t1 = log_t1 + np.minimum(np.maximum(move, -1.0), 1.0)
    end = log_t1 + move
    converged = close & rises & (point.curvature > 0) & (point.loss < 0) & (point.gain >= first - WORSE * squares)
    converged &= (end > chunk.lower[0]) & (end < chunk.upper[0])
    if exact:
        end = np.where(converged, end, log_t1)
        point, move = _point(chunk, end), np.zeros_like(end)
    loss = point.loss + point.turned * move
    level = point.level + point.tilted * move
    amplitude = chunk.mean - loss * level if chunk.fixed is None else -loss * level
    ssr = squares - (point.gain + point.slope * move)
    results = [end[None], amplitude, loss, ssr, point.information[None, None], converged]
    if (ssr < _CANCELLED * squares).any():
        results[1:4] = chunk.residual(results[0])
    if not converged.all():
        rest = np.flatnonzero(~converged)
        _search(chunk, at, np.resize(rest, -(-rest.size // WIDTH) * WIDTH), rises, results, exact=exact)
    return results, rises


def _search(chunk: Chunk, at: Array, rest: np.ndarray, rises: np.ndarray, results: list[Array], *, exact: bool) -> None:
    """The general search for the traces that are left."""
    part = chunk.taken(rest)
    found, information, converged = search(part, at[:, rest], rises[rest])
    if exact:
        information = part.evaluate(found, slice(None)).information[0, 0][None, None]
    for old, new in zip(results, [found, *part.residual(found), information, converged], strict=True):
        old[..., rest] = new


def _point(chunk: Chunk, log_t1: Array) -> _Point:
    """The criterion, half of its slope, and minus half of its curvature."""
    sums = chunk.shape.sums(log_t1[None], chunk.signal)
    (one, one1, one2), (along, along1, along2), (size, size1, size2) = sums.one, sums.signal, sums.decay
    cross = sums.cross[0]
    level: Array | float
    tilted: Array | float
    if chunk.fixed is None:
        n = chunk.shape.size
        level, tilted = one / n, one1 / n
        size = size - level * one
        cross = cross - tilted * one1
    else:
        level, tilted = 1 / chunk.fixed, 0.0
        size = size - level * (2 * one - chunk.shape.size * level)
        along = along - chunk.mean * (chunk.shape.size * level)
    size1 = size1 - level * one1
    size = np.maximum(size, TINY)
    loss = along / size
    rest = along1 - loss * size1
    turned = (rest - loss * size1) / size
    second = along2 - loss * (cross + size2 - level * one2)
    return _Point(
        np.where(loss < 0, along * loss, -np.inf),
        loss,
        level,
        turned,
        tilted,
        loss * rest,
        -(size * turned * turned + loss * second),
        loss * loss * (cross - size1 * size1 / size),
    )
