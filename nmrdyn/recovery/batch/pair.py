"""Two exponentials with both of their coefficients eliminated: what is left to search are two times.

A search of times and fraction would creep along a bent valley, where a fraction makes up for a time.
"""

from __future__ import annotations

import numpy as np

from nmrdyn.recovery.batch.shapes import Two
from nmrdyn.schema import Array

_ALIKE = 1e-9  # of two nodes
_LEAST = 1e-14  # of a determinant: two times that are the same


def pair_criterion(
    shape: Two, at: Array, signal: Array, *, level: Array, fixed: float | None
) -> tuple[Array, Array, dict[tuple[int, int], Array], dict[tuple[int, int], Array], Array]:
    """The squares explained at `at` (ln of the longer time and of the ratio), -inf unless both exponentials recover.

    Then ½ of their slopes, minus ½ of their curvature, what Gauss and Newton put for that, and the fraction of the
    longer. `level` is the sum of the signal that a fixed depth takes off.
    """
    one, along, same, mixed, slopes = shape.parts(at, signal)
    n = shape.size

    def across(product: Array, left: Array, right: Array) -> Array:
        """A product of two decays or slopes, less what the constant takes."""
        return product - left * right / n

    if fixed is None:
        gram = [across(same[k][0], one[k][0], one[k][0]) for k in (0, 1)]
        cross = across(mixed[0], one[0][0], one[1][0])
        own = [across(same[k][1], one[k][0], one[k][1]) for k in (0, 1)]  # of a decay and its own slope
        other = [across(mixed[1 + k], one[k][1], one[1 - k][0]) for k in (0, 1)]  # of a slope and the other decay
        bent = [across(same[k][2], one[k][0], one[k][2]) for k in (0, 1)]  # of a decay and its own second slope
        bent_other = [across(mixed[3 + k], one[k][2], one[1 - k][0]) for k in (0, 1)]
        squares = [across(slopes[k], one[k][1], one[k][1]) for k in (0, 1)]
        both = across(slopes[2], one[0][1], one[1][1])
        b = [along[k][0] for k in (0, 1)]
    else:
        gram = [same[k][0] - (2 * one[k][0] - n / fixed) / fixed for k in (0, 1)]
        cross = mixed[0] - (one[0][0] + one[1][0] - n / fixed) / fixed
        own = [same[k][1] - one[k][1] / fixed for k in (0, 1)]
        other = [mixed[1 + k] - one[k][1] / fixed for k in (0, 1)]
        bent = [same[k][2] - one[k][2] / fixed for k in (0, 1)]
        bent_other = [mixed[3 + k] - one[k][2] / fixed for k in (0, 1)]
        squares, both = list(slopes[:2]), slopes[2]
        b = [along[k][0] - level / fixed for k in (0, 1)]
    determinant = np.maximum(gram[0] * gram[1] - cross**2, _LEAST * gram[0] * gram[1])

    def solved(first: Array, second: Array) -> tuple[Array, Array]:
        return (gram[1] * first - cross * second) / determinant, (gram[0] * second - cross * first) / determinant

    loss = solved(*b)
    gain = b[0] * loss[0] + b[1] * loss[1]
    rest = [along[k][1] - loss[k] * own[k] - loss[1 - k] * other[k] for k in (0, 1)]  # of a slope and the residuals
    bend = [along[k][2] - loss[k] * bent[k] - loss[1 - k] * bent_other[k] for k in (0, 1)]
    # Slopes of both coefficients in each time.
    turned = [
        solved(rest[0] - loss[0] * own[0], -loss[0] * other[0]),
        solved(-loss[1] * other[1], rest[1] - loss[1] * own[1]),
    ]
    second = {
        (k, k): turned[k][k] * rest[k]
        + loss[k] * (bend[k] - turned[k][k] * own[k] - turned[k][1 - k] * other[k] - loss[k] * squares[k])
        for k in (0, 1)
    }
    second[0, 1] = turned[1][0] * rest[0] - loss[0] * (turned[1][0] * own[0] + turned[1][1] * other[0] + loss[1] * both)
    inside = [(own[0], other[0]), (other[1], own[1])]
    projected = [solved(*pair) for pair in inside]
    known = {
        (i, j): loss[i]
        * loss[j]
        * ((squares[i] if i == j else both) - inside[i][0] * projected[j][0] - inside[i][1] * projected[j][1])
        for i, j in ((0, 0), (0, 1), (1, 1))
    }
    slope = np.stack([loss[0] * rest[0] + loss[1] * rest[1], -loss[1] * rest[1]])
    feasible = (loss[0] < 0) & (loss[1] < 0)
    share = loss[0] / np.where(feasible, loss[0] + loss[1], 1.0)
    curvature = {pair: -value for pair, value in _turned(second).items()}
    return np.where(feasible, gain, -np.inf), slope, curvature, _turned(known), share


def _turned(matrix: dict[tuple[int, int], Array]) -> dict[tuple[int, int], Array]:
    """From the logarithms of two times to that of the longer and that of the ratio."""
    return {
        (0, 0): matrix[0, 0] + 2 * matrix[0, 1] + matrix[1, 1],
        (0, 1): -matrix[0, 1] - matrix[1, 1],
        (1, 1): matrix[1, 1],
    }


def pair_starts(units: Array, logarithms: Array, signal: Array) -> tuple[Array, np.ndarray]:
    """The best two of the nodes for each trace, as (ln longer, ln ratio) x trace, and whether any two explain it.

    `units` (node, delay) are decays of length 1 across the constant, `logarithms` (node,) of their times.
    """
    short, long = np.triu_indices(len(units), 1)
    overlap = np.einsum("kt,kt->k", units[short], units[long])[:, None]
    along = units @ signal
    first, second = along[long], along[short]
    feasible = (first < overlap * second) & (second < overlap * first)
    apart = np.maximum(1 - overlap**2, _ALIKE)
    gain = np.where(feasible, (first**2 + second**2 - 2 * overlap * first * second) / apart, -1.0)
    best = np.argmax(gain, axis=0)
    found = np.take_along_axis(gain, best[None], axis=0)[0] > 0
    return np.stack([logarithms[long[best]], logarithms[long[best]] - logarithms[short[best]]]), found
