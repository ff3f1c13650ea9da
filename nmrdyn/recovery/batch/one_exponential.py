"""The optimum of one exponential, the usual case: the same criterion as for others, in as few steps as it takes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nmrdyn.recovery.batch.chunk import TINY, WIDTH, Chunk
from nmrdyn.recovery.batch.newton import CLOSE, NO_NOISE, WORSE, search
from nmrdyn.recovery.batch.shapes import Single
from nmrdyn.schema import Array

_PASSES = 6  # whoever needs more takes the general search
_CANCELLED = 1e-6  # of the squares of the signal: less than this is not told by a difference of squares


class _Point(NamedTuple):
    """At one T1 for each trace: squares explained, with slopes, and the loss and level of the decay with theirs."""

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
    with np.errstate(all="ignore"):  # of traces that the general search is left with
        results = _climbed(chunk, at[0], rises, exact)
    converged = results[5]
    if not converged.all():
        rest = np.flatnonzero(converged == 0)
        _search(chunk, at, np.resize(rest, -(-rest.size // WIDTH) * WIDTH), rises, results, exact=exact)
    return results, rises


def _climbed(chunk: Chunk, log_t1: Array, rises: np.ndarray, exact: bool) -> list[Array]:
    """Newton's method without a damping."""
    squares = chunk.squares
    least, allowed = NO_NOISE * squares, CLOSE**2 / max(chunk.shape.size - (3 if chunk.fixed is None else 2), 1)
    point = _point(chunk, log_t1)
    first = point.gain - WORSE * squares
    for _ in range(_PASSES):
        move = point.slope / point.curvature
        close = np.square(move * move) * point.information < allowed * np.maximum(squares - point.gain, least)
        if close.all():
            break
        # Whoever is close stays, so that nobody's end depends on the others.
        log_t1 = np.where(close, log_t1, log_t1 + np.minimum(np.maximum(move, -1.0), 1.0))
        point = _point(chunk, log_t1)
    end = log_t1 + move
    converged = close & rises & (point.curvature > 0) & (point.gain >= np.maximum(first, 0.0))
    converged &= (end > chunk.lower[0]) & (end < chunk.upper[0])
    if exact:
        end = np.where(converged, end, log_t1)
        point, move = _point(chunk, end), np.zeros_like(end)
    # To first order in the last step; the gain to second.
    loss, level = point.loss + point.turned * move, point.level + point.tilted * move
    amplitude = chunk.mean - loss * level if chunk.fixed is None else -loss * level
    ssr = squares - (point.gain + point.slope * move)
    results = [end[None], amplitude, loss, ssr, point.information[None, None], converged]
    cancelled = ssr < _CANCELLED * squares
    if cancelled.any():
        results[1:4] = map(np.where, [cancelled] * 3, chunk.residual(results[0]), results[1:4])
    return results


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
    assert isinstance(chunk.shape, Single)
    rate = np.exp(-log_t1)
    # Of the decay d, its sum, and its products with d and the signal: with d itself, its slope, and its curvature.
    one, size, along = moments = chunk.shape.moments(rate, chunk.signal)
    moments[:, 1] *= rate
    moments[:, 2] *= rate * rate
    cross = size[2].copy()
    moments[:, 2] -= moments[:, 1]
    level: Array | float
    tilted: Array | float
    n = chunk.shape.size
    if chunk.fixed is None:
        level, tilted = one[0] / n, one[1] / n
        cross -= tilted * one[1]
    else:
        level, tilted = 1 / chunk.fixed, 0.0
        size[0] -= level * (one[0] - n * level)
        along[0] -= chunk.mean * (n * level)
    size -= level * one
    total, tilt = np.maximum(size[0], TINY), size[1]
    loss = along[0] / total
    half = loss * tilt
    rest = along[1] - half
    turned = (rest - half) / total
    return _Point(
        gain=np.where(loss < 0, along[0] * loss, -np.inf),
        loss=loss,
        level=level,
        turned=turned,
        tilted=tilted,
        slope=loss * rest,
        curvature=loss * (loss * (cross + size[2]) - along[2]) - (rest - half) * turned,
        information=loss * loss * (cross - tilt * tilt / total),
    )
