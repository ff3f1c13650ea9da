"""What makes a fit no T1, and how large its error is: one set of rules, for one trace and for many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import f as f_distribution

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import Array

# Residuals are called larger than the measured noise when an F test says so at this level.
MISFIT_LEVEL = 0.01
# T1 is looked for within this factor of the shortest and the longest delay.
REACH = 30.0
# An exponential this many times shorter than the first delay has left nothing to see.
_UNSEEN = 3.0
_AT_BOUND = 1e-4
FLAT = "the signal is the same at all delays: nothing recovers"
NOTHING = "the signal changes with the delay by no more than its noise: nothing is seen to recover"

GOOD, FALLS, NEGATIVE, UNSEEN, UNCONVERGED, AT_BOUND = range(6)  # from AT_BOUND on: + which parameter


def parameter_count(model: RecoveryModel) -> int:
    """Parameters of a fit with amplitude and, where it is free, depth."""
    return len(model.parameters) + (2 if model.fixed is None else 1)


def unusable(delay: Array, model: RecoveryModel) -> str:
    """Why no trace with these delays can be fitted, or ""."""
    n_parameters = parameter_count(model)
    if delay.size <= n_parameters:
        return f"needed at least {n_parameters + 1} rows for the model {model.name}, found {delay.size}"
    different = len(set(delay.tolist()))
    if different < n_parameters:
        return f"needed at least {n_parameters} different delays, found {different}"
    if np.any(delay < 0) or not np.any(delay > 0):
        return "needed delays of 0 s or more, found others"
    return ""


def verdicts(
    model: RecoveryModel,
    best: Array,
    bounds: tuple[Array, Array],
    *,
    amplitude: Array,
    loss: Array,
    converged: np.ndarray,
    shortest: Array,
    first: float,
) -> np.ndarray:
    """Why the best fits (parameter, trace) are no T1, as codes (trace,); GOOD where they are one.

    The first parameter is a logarithm; `shortest` [s] is the shortest exponential of each, `first` the first delay.
    """
    code = np.full(amplitude.shape, GOOD, dtype=np.uint8)
    code[~converged] = UNCONVERGED
    code[shortest < first / _UNSEEN] = UNSEEN
    for k, (name, value, low, high) in reversed(list(enumerate(zip(model.parameters, best, *bounds, strict=True)))):
        if name not in model.ends:
            code[np.minimum(value - low, high - value) < _AT_BOUND * min(high - low, 1.0)] = AT_BOUND + k
    code[amplitude <= 0] = NEGATIVE
    if model.fixed is None:
        code[loss >= 0] = FALLS
    return code


def explanation(model: RecoveryModel, code: int, best: Array, shortest: float) -> str:
    """A verdict in words, for one trace."""
    if code == FALLS:
        return "the signal falls with the delay: this is not a recovery"
    if code == NEGATIVE:
        return "the signal does not recover to a positive intensity"
    if code == UNSEEN:
        return f"an exponential of {shortest:.2g} s is over before the first delay: the delays do not determine it"
    if code == UNCONVERGED:
        return f"the {model.name} fit did not converge"
    name, value = model.parameters[code - AT_BOUND], best[code - AT_BOUND]
    what = {
        "t1": f"T1 is not within a factor of {REACH:.0f} of the delays",
        "tau_c": "T1 is at the shortest that the mechanism allows, or far from the delays",
    }.get(name, f"{name} is at its bound, {value:.2g}")
    return f"{what}: the delays do not determine it"


def error_scale(chi2: npt.ArrayLike, dof: npt.ArrayLike, noise_dof: npt.ArrayLike) -> tuple[Array, Array, np.ndarray]:
    """Variance of the residuals in units of the measured noise, its dof, and whether it is misfit, each (trace,).

    Residuals no larger than the noise are pooled with it; larger ones, or those without a measured noise (0 degrees of
    freedom), stand by themselves.
    """
    chi2, dof, noise_dof = (np.asarray(given, dtype=float) for given in (chi2, dof, noise_dof))
    reduced = chi2 / dof
    known = noise_dof > 0
    scaled = known & (f_distribution.sf(reduced, dof, np.where(known, noise_dof, 1.0)) < MISFIT_LEVEL)
    alone = scaled | ~known
    pooled = (noise_dof + chi2) / (noise_dof + dof)
    return np.where(alone, reduced, pooled), np.where(alone, dof, noise_dof + dof), scaled
