"""T1 -> tau_c: the extrema of a rate as a function of tau_c, and its roots between them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import elementwise
from scipy.signal import find_peaks

from nmrdyn.schema import Array, InputError, require_within

Rate = Callable[[npt.ArrayLike, npt.ArrayLike], Array]

# The extrema of T1 lie within this many e-foldings of omega tau_c = 1, and the roots as far again from them.
_REACH = 40.0
_STEP = 0.05
# Wiggles of ln T1 below this are rounding, not minima.
_LEAST_PROMINENCE = 1e-6
_ROUNDING = 1e-14


def turning_point(rate: Rate, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
    """tau_c [s] at the only T1 minimum, and the T1 there [s].

    Raises
    ------
    InputError
        Where T1 has no minimum as a function of tau_c, or several.
    """
    larmor = np.asarray(larmor_frequency, dtype=float)
    if larmor.size:
        require_within("mechanism: Larmor frequency in Hz", larmor, above=0)
    values, index = np.unique(larmor, return_inverse=True)
    points = np.array([_only_minimum(rate, float(value)) for value in values]).reshape(-1, 2)
    tau, t1 = (points[index, k].reshape(larmor.shape)[()] for k in range(2))
    return tau, t1


def branch_roots(rate: Rate, t1: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
    """tau_c [s] on both sides of the only T1 minimum, broadcast; NaN where there is none."""
    t1_array, larmor = np.broadcast_arrays(np.asarray(t1, dtype=float), np.asarray(larmor_frequency, dtype=float))
    tau_turn, t1_min = (np.asarray(part) for part in turning_point(rate, larmor))
    fast, slow = np.full(t1_array.shape, np.nan), np.full(t1_array.shape, np.nan)
    # At the minimum itself rounding must not decide: there both roots are the turning point.
    at_turn = np.isclose(t1_array, t1_min, rtol=_ROUNDING, atol=0)
    solvable = np.isfinite(t1_array) & (t1_array > t1_min) & ~at_turn
    if np.any(solvable):
        turn = np.log(tau_turn[solvable])
        for branch, end in ((fast, turn - 2 * _REACH), (slow, turn + 2 * _REACH)):
            branch[solvable] = _root(rate, (end, turn), t1_array[solvable], larmor[solvable])
    for branch in (fast, slow):
        branch[at_turn] = tau_turn[at_turn]
    return fast[()], slow[()]


def all_roots(rate: Rate, t1: float, larmor_frequency: float) -> Array:
    """Every tau_c [s] with this T1 [s], shortest first: one at most between two neighbouring extrema of T1."""
    minima, maxima = extrema(rate, larmor_frequency)
    centre = -np.log(2 * np.pi * larmor_frequency)
    edges = np.array([centre - 3 * _REACH, *sorted([*minima, *maxima]), centre + 3 * _REACH])
    n = edges.size - 1
    found = _root(rate, (edges[:-1], edges[1:]), np.full(n, float(t1)), np.full(n, float(larmor_frequency)))
    return found[np.isfinite(found)]


def extrema(rate: Rate, larmor_frequency: float) -> tuple[Array, Array]:
    """ln(tau_c/s) at the minima and at the maxima of T1."""
    grid = -np.log(2 * np.pi * larmor_frequency) + np.arange(-_REACH, _REACH + _STEP, _STEP)
    log_rate = np.log(rate(np.exp(grid), larmor_frequency))
    found = []
    for sign in (-1.0, 1.0):
        at, _ = find_peaks(-sign * log_rate, prominence=_LEAST_PROMINENCE)
        refined = elementwise.find_minimum(
            lambda ln_tau, sign=sign: sign * np.log(rate(np.exp(ln_tau), larmor_frequency)),
            (grid[at - 1], grid[at], grid[at + 1]),
        )
        found.append(np.atleast_1d(refined.x) if at.size else np.zeros(0))
    return found[0], found[1]


def shortest(rate: Rate, larmor: float) -> float:
    """The shortest T1 [s], however many minima it has, or none."""
    minima, _ = extrema(rate, larmor)
    centre = -np.log(2 * np.pi * larmor)
    return 1 / float(np.max(rate(np.exp([*minima, centre - _REACH, centre + _REACH]), larmor)))


def sensitivity(rate: Rate, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
    """d ln(tau_c) / d ln(T1), by a central difference."""
    tau, step = np.asarray(tau_c, dtype=float), 1e-5
    rise = np.log(rate(tau * np.exp(step), larmor_frequency)) - np.log(rate(tau * np.exp(-step), larmor_frequency))
    with np.errstate(divide="ignore"):
        return -2 * step / rise


def _only_minimum(rate: Rate, larmor: float) -> tuple[float, float]:
    minima, _ = extrema(rate, larmor)
    if minima.size == 0:
        raise InputError("mechanism: needed a T1 with a minimum in tau_c, found none: T1 tells no branches apart")
    if minima.size > 1:
        places = ", ".join(f"{tau:.2g}" for tau in np.exp(minima))
        raise InputError(
            f"mechanism: needed a T1 with one minimum in tau_c, found {minima.size} (tau_c = {places} s): fast and "
            "slow do not name its branches; all_correlation_times gives every solution"
        )
    tau = float(np.exp(minima[0]))
    return tau, 1 / float(rate(tau, larmor))


def _root(rate: Rate, bracket: tuple[Array, Array], t1: Array, larmor: Array) -> Array:
    """tau_c where 1/rate = t1, inside the brackets of ln(tau_c); NaN where the ends do not enclose one."""

    def excess(ln_tau: Array, ln_t1: Array, nu: Array) -> Array:
        return np.log(rate(np.exp(ln_tau), nu)) + ln_t1

    log_t1 = np.log(t1)
    encloses = excess(bracket[0], log_t1, larmor) * excess(bracket[1], log_t1, larmor) < 0
    root = np.full(t1.shape, np.nan)
    if np.any(encloses):
        ends = (bracket[0][encloses], bracket[1][encloses])
        root[encloses] = np.exp(elementwise.find_root(excess, ends, args=(log_t1[encloses], larmor[encloses])).x)
    return root
