"""Newton's method for many traces at once, damped where it does not climb."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nmrdyn.recovery.batch.chunk import WIDTH, Chunk, Point
from nmrdyn.schema import Array

_PASSES = 40
# Newton's error is about the square of its last step: both factors in standard errors and in natural units.
CLOSE = 1e-9
WORSE = 1e-13  # of the squares of the signal: rounding
_LEAST_DAMPING = 1e-2
_MOST_DAMPING = 1e8
_SINGULAR = 1e-13  # what is left of a pivot
NO_NOISE = 1e-24  # of the squares of the signal: its variance where the fit is exact


def search(chunk: Chunk, at: Array, rises: np.ndarray) -> tuple[Array, Array, np.ndarray]:
    """Newton's method from `at`, damped where it does not climb; places, information and whether it converged."""
    q, width = at.shape
    dof = max(chunk.shape.size - len(chunk.shape.steps) - (2 if chunk.fixed is None else 1), 1)
    final, information = at.copy(), np.full((q, q, width), np.nan)
    converged = np.zeros(width, dtype=bool)
    index, over = np.arange(width), ~rises
    squares, damping = chunk.squares, np.zeros(width)
    best, point = at, chunk.evaluate(at, slice(None))
    for _ in range(_PASSES):
        move, newton = _step(point, best, chunk, damping)
        moved = best + move
        noise = np.maximum(squares - point.gain, NO_NOISE * squares) / dof
        size = _quadratic(point.information, move)
        close = (np.max(move * move, axis=0) * size < CLOSE**2 * noise) & newton & (point.gain > 0)
        inside = chunk.inside(moved)
        close &= (moved == inside).all(axis=0)
        ended = close if not damping.any() else close | (damping > _MOST_DAMPING)
        ended &= ~over
        if ended.any():
            where = index[ended]
            final[:, where] = np.where(close, moved, best)[:, ended]
            converged[where] = close[ended]
            for (i, j), value in point.information.items():
                information[i, j, where] = information[j, i, where] = value[ended]
            over |= ended
            if over.all():
                break
            if 2 * np.count_nonzero(over) > over.size > WIDTH:
                left = np.flatnonzero(~over)
                left = np.resize(left, -(-left.size // WIDTH) * WIDTH)  # some twice, for the width
                index, over, squares, damping = index[left], over[left], squares[left], damping[left]
                best, inside, point = (
                    best[:, left],
                    inside[:, left],
                    _mapped(lambda one, left=left: np.asarray(one[..., left]), point),
                )
        trial = chunk.evaluate(inside, slice(None) if index.size == width else index)
        better = trial.gain >= point.gain - WORSE * squares
        eased = np.where(damping < _LEAST_DAMPING, 0.0, damping / 10) if damping.any() else damping
        if better.all():
            best, point, damping = inside, trial, eased
        else:
            best = np.where(better, inside, best)
            point = _mapped(lambda new, old, better=better: np.asarray(np.where(better, new, old)), trial, point)
            damping = np.where(better, eased, np.maximum(4 * damping, _LEAST_DAMPING))
    where = index[~over]
    final[:, where] = best[:, ~over]
    return final, information, converged


def _step(point: Point, at: Array, chunk: Chunk, damping: Array) -> tuple[Array, np.ndarray]:
    """The step of Newton's method, or of Gauss and Newton where that does not climb; whether it is Newton's."""
    q = len(at)
    slope, curvature, information = point.slope, point.curvature, point.information
    frozen = ((at <= chunk.lower[:q]) & (slope < 0)) | ((at >= chunk.upper[:q]) & (slope > 0))
    if frozen.any():
        slope = np.where(frozen, 0.0, slope)
        held = {(i, j): frozen[i] | frozen[j] for i, j in curvature}
        information = {(i, j): np.where(held[i, j], float(i == j), information[i, j]) for i, j in held}
        curvature = {(i, j): np.where(held[i, j], float(i == j), curvature[i, j]) for i, j in held}
    damped = bool(damping.any())
    if damped:
        curvature = curvature | {(i, i): curvature[i, i] + damping * information[i, i] for i in range(q)}
    move, climbs = _solved(curvature, slope)
    if not climbs.all():
        least = np.maximum(damping, _LEAST_DAMPING)
        safe = information | {(i, i): (1 + least) * information[i, i] for i in range(q)}
        move = np.where(climbs, move, _solved(safe, slope)[0])
    longest = chunk.longest[:q]
    return np.minimum(np.maximum(move, -longest), longest), climbs & (damping == 0) if damped else climbs


def _solved(matrix: dict[tuple[int, int], Array], right: Array) -> tuple[Array, np.ndarray]:
    """Solutions (coordinate, trace) for symmetric matrices by elimination, where these are positive definite."""
    q, left, values = len(right), dict(matrix), right.copy()
    positive = left[0, 0] > 0
    for i in range(q):
        regular = left[i, i] > _SINGULAR * matrix[i, i] if i else positive
        if not regular.all():
            left[i, i] = np.where(regular, left[i, i], 1.0)
            positive = positive & regular
        for j in range(i + 1, q):
            factor = left[i, j] / left[i, i]
            values[j] -= factor * values[i]
            for k in range(j, q):
                left[j, k] = left[j, k] - factor * left[i, k]
    for i in reversed(range(q)):
        for j in range(i + 1, q):
            values[i] -= left[i, j] * values[j]
        values[i] /= left[i, i]
    return values, positive


def _quadratic(matrix: dict[tuple[int, int], Array], move: Array) -> Array:
    """The squared length of a step in standard errors for residuals of variance 1."""
    terms = [(1 if i == j else 2) * move[i] * move[j] * value for (i, j), value in matrix.items()]
    return np.maximum(sum(terms[1:], terms[0]), 0.0)


def _mapped(function: Callable[..., Array], *points: Point) -> Point:
    """A function of each array of one point, or of those of two."""
    return Point(
        function(*(one.gain for one in points)),
        function(*(one.slope for one in points)),
        {key: function(*(one.curvature[key] for one in points)) for key in points[0].curvature},
        {key: function(*(one.information[key] for one in points)) for key in points[0].information},
    )


def covariance(information: Array) -> tuple[Array, np.ndarray]:
    """The inverse (coordinate, coordinate, trace) of the information of each trace, and where there is one."""
    q = len(information)
    if q == 1:
        regular = information[0, 0] > 0
        return 1 / np.where(regular, information, np.nan), regular
    matrix = {(i, j): information[i, j] for i in range(q) for j in range(i, q)}
    inverse, regular = np.empty_like(information), np.ones(information.shape[2], dtype=bool)
    for k in range(q):
        unit = np.zeros(information.shape[1:])
        unit[k] = 1.0
        inverse[k], regular = _solved(matrix, unit)
    return inverse, regular


def propagated(slopes: Array, spread: Array) -> Array:
    """Variances (trace,) of a function with `slopes` (coordinate, trace), to first order."""
    if len(slopes) == 1:
        return slopes[0] ** 2 * spread[0, 0]
    return np.asarray(np.einsum("in,ijn,jn->n", slopes, spread, slopes))
