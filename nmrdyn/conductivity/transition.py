"""What one straight line through ln(sigma T) cannot describe: a curve, a break at a phase transition, a fall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import stats

from nmrdyn.schema import Array

LEVEL = 0.01  # how often a straight line may be called curved or broken
LARGEST_EXPONENT = 700.0  # exp of more overflows
_LEAST = 3  # temperatures on each side of a break
_LEAST_CURVE = 5  # points that may show a curve
_REPLICATES = 999
_EXACT = 1e-9  # rms in ln that is rounding
_SAME_TEMPERATURE = 0.05  # K
_SEVERAL = 2.0  # ratio of conductivities at one temperature that is no scatter
_LEAST_ERROR = 0.05  # of ln sigma: contacts and thermometers repeat no better


@dataclass(frozen=True)
class Break:
    """A break between two neighbouring temperatures [K], and how often a straight line would seem as broken."""

    low: float
    high: float
    probability: float

    @property
    def temperature(self) -> float:
        """The middle of the gap [K]; the data do not tell where in it the transition lies."""
        return (self.low + self.high) / 2


def find_break(temperature: Array, logarithm: Array, *, seed: int) -> Break | None:
    """One break in ln(sigma T) against 1/T: two lines with a jump between them, or None.

    Among the gaps with three different temperatures or more on each side, the one is taken whose two lines leave least.
    It counts if one line with normal noise at the same temperatures would gain as much in at most 1 of 100 cases, which
    999 simulated lines tell (with normal noise of one size the ratio of the sums of squares does not depend on
    barrier, prefactor or noise, so that the test is exact), and if two lines leave less variance than a parabola: a
    smooth curve is no transition. Source: Andrews, Econometrica 61 (1993) 821; Davison and Hinkley, Bootstrap Methods
    and their Application (1997), section 4.2.

    Parameters
    ----------
    temperature, logarithm : shape (n,), [K] and ln of a conductivity times temperature; finite, in any order
    seed : of the simulated lines

    Examples
    --------
    >>> kelvin = np.arange(290.0, 350.0, 5.0)
    >>> noise = 0.02 * np.random.default_rng(1).normal(size=12)
    >>> found = find_break(kelvin, 20 - 6000 / kelvin + 4.6 * (kelvin > 312) + noise, seed=1)
    >>> found.low, found.high, found.probability
    (310.0, 315.0, 0.001)
    """
    order = np.argsort(temperature, kind="stable")
    kelvin, measured = temperature[order], logarithm[order]
    below = gaps(kelvin)[_LEAST - 1 : 1 - _LEAST]
    if not below.size:
        return None
    distance = _standardised(1 / kelvin)
    residual = _without_line(distance, measured[:, np.newaxis])
    if np.sqrt(np.mean(residual**2)) < _EXACT:
        return None
    noise = np.random.default_rng(seed).normal(size=(kelvin.size, _REPLICATES))
    simulated = _without_line(distance, noise)
    left = _two_lines(distance, residual, below)
    gained = np.min(left) / np.sum(residual**2)
    by_chance = np.min(_two_lines(distance, simulated, below), axis=0) / np.sum(simulated**2, axis=0)
    probability = (1 + np.count_nonzero(by_chance <= gained)) / (1 + _REPLICATES)
    gap = below[int(np.argmin(left))]
    # The place of the break is a parameter as well.
    parabola = np.sum(_without_parabola(distance, measured) ** 2) / (kelvin.size - 3)
    if probability > LEVEL or np.min(left) / (kelvin.size - 5) >= parabola:
        return None
    return Break(float(kelvin[gap - 1]), float(kelvin[gap]), float(probability))


def curvature(temperature: Array, logarithm: Array) -> float:
    """Student's t of the quadratic term in 1/T, with n - 3 degrees of freedom; NaN below five points or for rounding.

    `temperature` [K] and `logarithm` have shape (n,). It is positive where the barrier grows on heating.
    """
    n = temperature.size
    if n < _LEAST_CURVE or gaps(np.sort(temperature)).size < 2:
        return float("nan")
    distance = _standardised(1 / temperature)
    line = _without_line(distance, logarithm[:, np.newaxis])[:, 0]
    parabola = _without_parabola(distance, logarithm)
    if np.sqrt(np.mean(line**2)) < _EXACT:
        return float("nan")
    bent = line - parabola
    sign = np.sign(bent @ distance**2)
    return float(sign * np.sqrt(bent @ bent / (np.maximum(parabola @ parabola, n * _EXACT**2) / (n - 3))))


def is_curved(temperature: Array, logarithm: Array) -> bool:
    """The quadratic term differs from 0 at a level of 1 %."""
    return bool(abs(curvature(temperature, logarithm)) > stats.t.isf(LEVEL / 2, max(temperature.size - 3, 1)))


def phases(temperature: Array, transitions: tuple[float, ...]) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """The name of each phase and its points, from the lowest up; a transition temperature [K] belongs to those above.

    >>> [(name, inside.tolist()) for name, inside in phases(np.array([300.0, 313.15]), (313.15,))]
    [('below 313.15 K', [True, False]), ('above 313.15 K', [False, True])]
    """
    if not transitions:
        return [("", np.ones(temperature.shape, dtype=bool))]
    said = [f"{transition:.6g}" for transition in transitions]
    between = [f"{low} to {high} K" for low, high in pairwise(said)]
    names = [f"below {said[0]} K", *between, f"above {said[-1]} K"]
    place = np.searchsorted(transitions, temperature, side="right")
    return [(name, place == k) for k, name in enumerate(names)]


def falls(temperature: Array, conductivity: Array, *, relative_error: Array) -> Iterator[str]:
    """Sentences on conductivities that differ at one temperature, or fall on heating beyond their errors.

    All have shape (n,), `temperature` in K. Errors that are NaN are the scatter about a straight line (by its median,
    which one point does not move); those below 5 % count as 5 %. The level of 1 % is that of all steps together.
    """
    if np.ptp(temperature) > _SAME_TEMPERATURE:
        scatter = stats.median_abs_deviation(
            _without_line(_standardised(1 / temperature), np.log(conductivity)[:, np.newaxis])[:, 0], scale="normal"
        )
        relative_error = np.where(np.isnan(relative_error), scatter, relative_error)
    order = np.argsort(temperature, kind="stable")
    start = gaps(temperature[order])
    middle = [float(group.mean()) for group in np.split(temperature[order], start)]
    logarithm = np.split(np.log(conductivity[order]), start)
    variance = np.array(
        [np.mean(np.fmax(group, _LEAST_ERROR) ** 2) / group.size for group in np.split(relative_error[order], start)]
    )
    spread = np.array([group.max() - group.min() for group in logarithm])
    if spread.max() > np.log(_SEVERAL):
        at, ratio = middle[int(spread.argmax())], np.exp(min(spread.max(), LARGEST_EXPONENT))
        yield f"conductivities at {at:.6g} K differ {ratio:.2g}-fold (several phases or runs?)"
    if not start.size:
        return
    fall = -np.diff([group.mean() for group in logarithm])
    beyond = fall / np.sqrt(variance[1:] + variance[:-1]) > stats.norm.isf(LEVEL / start.size)
    if beyond.any():
        k = int(np.argmax(np.where(beyond, fall, 0.0)))
        share = 100 * -np.expm1(-fall[k])
        yield f"the conductivity falls by {share:.0f} % from {middle[k]:.6g} to {middle[k + 1]:.6g} K"


def gaps(kelvin: Array) -> npt.NDArray[np.intp]:
    """The numbers of points below each step to another temperature; `kelvin` is sorted."""
    return 1 + np.flatnonzero(np.diff(kelvin) > _SAME_TEMPERATURE)


def _standardised(inverse: Array) -> Array:
    """1/T around 0, of size 1: sums of squares then lose no digits."""
    distance = inverse - inverse.mean()
    size = float(np.max(np.abs(distance)))
    return distance / size if size > 0 else distance


def _without_line(distance: Array, values: Array) -> Array:
    """The residuals of a straight line through each column."""
    centred: Array = values - values.mean(axis=0)
    slope: Array = distance @ centred / (distance @ distance)
    return centred - distance[:, np.newaxis] * slope


def _without_parabola(distance: Array, values: Array) -> Array:
    """The residuals of a parabola."""
    both = _without_line(distance, np.column_stack([values, distance**2]))
    residual, square = both[:, 0], both[:, 1]
    bent: Array = residual - square * (square @ residual) / (square @ square)
    return bent


def _two_lines(distance: Array, values: Array, below: npt.NDArray[np.intp]) -> Array:
    """Sums of squares that two lines leave, shape (gap, column); `below` are the numbers of points below each gap."""
    x = distance[:, np.newaxis]
    sums = [np.cumsum(term, axis=0) for term in (np.ones_like(x), x, x**2, values, x * values, values**2)]
    total = np.zeros((below.size, values.shape[1]))
    for low, high in ((None, below - 1), (below - 1, -1)):
        n, sx, sxx, sy, sxy, syy = (term[high] - (0.0 if low is None else term[low]) for term in sums)
        total += syy - sy**2 / n - (sxy - sx * sy / n) ** 2 / (sxx - sx**2 / n)
    return np.maximum(total, 0.0)
