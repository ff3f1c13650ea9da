"""Whether ranks are uniform: simultaneous bands for their ECDF, a p-value, and the coverage of central intervals.

Source: Säilynoja, Bürkner, Vehtari, Graphical test for discrete uniformity and its applications in goodness-of-fit
evaluation and multiple sample comparison, Statistics and Computing 32 (2022) 32. Their statistic is used, with its
exact distribution.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.stats import binom, poisson

from nmrdyn.schema import Array

STEPS = 100
GRID = np.arange(1, STEPS) / STEPS  # where the ECDF is looked at


def weighted_rank(values: Array, weight: Array, truth: float) -> float:
    """The posterior weight below the truth."""
    return float(weight[values < truth].sum())


def thinned_rank(values: Array, truth: float, rng: np.random.Generator) -> float:
    """The place of the truth among STEPS - 1 of the draws, spread evenly over them, and uniform within its step.

    Ranks among all draws of a chain are too extreme, since the draws are autocorrelated.
    """
    chosen = values[np.linspace(0, len(values) - 1, STEPS - 1).round().astype(int)]
    return float((np.sum(chosen < truth) + rng.random()) / STEPS)


def coverage(rank: Array, level: float) -> tuple[float, float]:
    """How often the central interval of this level holds the truth, and the binomial error if it is calibrated."""
    inside = float(np.mean(np.abs(rank - 0.5) < level / 2))
    return inside, float(np.sqrt(level * (1 - level) / rank.size))


def counts(rank: Array) -> Array:
    """How many ranks are no larger than each point of the grid."""
    return np.searchsorted(np.sort(rank), GRID, side="right")


def p_value(rank: Array) -> float:
    """Probability that uniform ranks leave the middle as far as these do, at that point of the grid where most so."""
    tails = _tails(rank.size)
    return 1 - _probability(rank.size, float(tails[np.arange(GRID.size), counts(rank)].min()))


@lru_cache
def band(n: int, level: float = 0.95) -> tuple[Array, Array]:
    """Lowest and highest ECDF (grid,) that n uniform ranks keep between, everywhere at once, with this probability."""
    low, high = 0.0, 1 - level  # a band that is so wide at each point is too narrow for all of them
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _probability(n, middle) >= level else (low, middle)
    inside = _tails(n) > low
    return inside.argmax(axis=1) / n, (n - inside[:, ::-1].argmax(axis=1)) / n


@lru_cache
def _tails(n: int) -> Array:
    """Two-sided tail probability of each count 0 to n at each point of the grid (grid, count)."""
    count = np.arange(n + 1)
    binomial = binom(n, GRID[:, None])
    tails = 2 * np.minimum(binomial.cdf(count), binomial.sf(count - 1))
    return (tails + tails[::-1, ::-1]) / 2  # symmetric to the last digit, so that equal departures compare as equal


def _probability(n: int, least: float) -> float:
    """Probability that the tail probabilities of n uniform ranks exceed `least` at every point of the grid.

    The counts between grid points are those of a Poisson process, given that there are n in all.
    """
    mean = n / STEPS
    step = poisson.pmf(np.arange(min(n, int(mean + 40 * np.sqrt(mean) + 40)) + 1), mean)
    path = np.ones(1)
    for allowed in _tails(n) > least:
        path = np.convolve(path, step)[: n + 1]
        path = np.pad(path, (0, n + 1 - path.size)) * allowed
        path = path[: path.nonzero()[0].max(initial=0) + 1]
    last = path @ poisson.pmf(n - np.arange(path.size), mean)
    return float(last / poisson.pmf(n, n))
