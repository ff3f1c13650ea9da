"""One trace and one model: whether it can be fitted, its T1, and an error that knows misfit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.stats import f as f_distribution

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.projection import STEP, Projection, moments, search
from nmrdyn.schema import Array, InputError

# Residuals are called larger than the measured noise when an F test says so at this level.
MISFIT_LEVEL = 0.01
# T1 is looked for within this factor of the shortest and the longest delay.
_REACH = 30.0
# An exponential this many times shorter than the first delay has left nothing to see.
_UNSEEN = 3.0
# Two searched regions whose chi-square differs by less than this times its residual variance fit alike (95 %).
_CHANCE = 0.01  # how often noise alone passes for a recovery
_ALIKE = 3.84


@dataclass(frozen=True)
class TraceFit:
    """One fitted trace: T1 [s] in the model's sense, its relative variance, and what goes with it.

    `parameters` and `stderr` are the model's, the first as its logarithm; `component_stderr` (2, k) is that of the
    logarithms of the component times and of their fractions.
    """

    model: RecoveryModel
    parameters: Array
    stderr: Array
    t1: float
    variance: float
    mean_time: float
    components: tuple[Array, Array]
    component_stderr: Array
    amplitude: float
    depth: float
    dof: float
    reduced_chi2: float
    criterion: float
    curve: Array
    scaled: bool
    reason: str


@dataclass(frozen=True)
class FailedFit:
    """A trace that has no T1, and why."""

    reason: str
    criterion: float = np.inf


def fit_trace(trace: xr.Dataset, model: RecoveryModel) -> TraceFit | FailedFit:
    """Fit a recovery model to one experiment of stage `recovery`."""
    try:
        model = model.at(float(trace["larmor_frequency"]), float(trace["temperature"]))
    except InputError as error:
        return FailedFit(str(error))
    used = np.isfinite(trace["signal"].values) & np.isfinite(trace["delay"].values)
    delay, signal = trace["delay"].values[used], trace["signal"].values[used]
    noise, noise_dof = trace["signal_stderr"].values[used], float(trace["noise_dof"])
    n_parameters = len(model.parameters) + (2 if model.fixed is None else 1)
    unusable = _unusable(delay, signal, model, n_parameters)
    if unusable:
        return FailedFit(unusable)
    measured = bool(np.all(np.isfinite(noise) & (noise > 0)))
    weight = 1 / noise if measured else np.ones_like(signal) / np.std(signal)
    projection = Projection(model, delay, signal, weight)
    positive = delay[delay > 0]
    regions = model.regions(positive.min() / _REACH, positive.max() * _REACH)
    searched = [search(projection, region) for region in regions if region.size > 1]
    if not searched:
        return FailedFit("the mechanism allows no T1 as short as the delays could tell")
    best, lower, upper, success = min(searched, key=lambda found: projection.chi2(found[0]))
    amplitude, loss = projection.coefficients(best)
    undetermined = _undetermined(model, best, (lower, upper), amplitude, loss) or _unseen(model, best, positive.min())
    if undetermined or not success:
        return FailedFit(undetermined or f"the {model.name} fit did not converge")
    factor = model.fixed if model.fixed is not None else -loss / amplitude
    chi2 = projection.chi2(best)
    dof = delay.size - n_parameters
    variance, error_dof, scaled, reason = _error_scale(chi2, dof, noise_dof if measured else 0.0)
    gained = (_constant_chi2(signal, weight) - chi2) / (n_parameters - 1) / variance
    if f_distribution.sf(gained, n_parameters - 1, error_dof) > _CHANCE:
        return FailedFit("the signal changes with the delay by no more than its noise: nothing is seen to recover")
    mean, covariance = moments(projection, best, (lower, upper), variance)
    natural = _natural(best)
    t1 = model.t1(*_natural(mean))
    times, fractions = model.components(*natural)
    worse = (np.array([projection.chi2(found[0]) for found in searched]) - chi2) / variance
    likely = np.exp(-worse / 2) / np.exp(-worse / 2).sum()
    apart = np.log([model.t1(*_natural(found[0])) / model.t1(*natural) for found in searched])
    if np.sum(worse < _ALIKE) > 1:
        reason = "; ".join(filter(None, (reason, "both branches of the mechanism give this shape alike")))
    full = 1 - factor * model.decay(np.nan_to_num(trace["delay"].values), *natural)
    k = n_parameters + 1  # the noise variance counts
    correction = 2 * k * (k + 1) / (delay.size - k - 1) if delay.size > k + 1 else np.inf
    return TraceFit(
        model=model,
        parameters=mean,
        stderr=np.sqrt(np.diag(covariance)),
        t1=t1,
        variance=_propagated(lambda p: np.log([model.t1(*_natural(p))]), mean, covariance)[0] + likely @ apart**2,
        mean_time=model.mean_time(*natural),
        components=(times, fractions),
        component_stderr=np.sqrt(
            [
                _propagated(lambda p: np.log(model.components(*_natural(p))[0]), best, covariance),
                _propagated(lambda p: model.components(*_natural(p))[1], best, covariance),
            ]
        ),
        amplitude=amplitude,
        depth=float(factor * model.decay(np.zeros(1), *natural)[0]),
        dof=error_dof,
        reduced_chi2=chi2 / dof if measured else np.nan,
        criterion=delay.size * np.log(chi2) + 2 * k + correction,
        curve=np.where(used, amplitude * full, np.nan),
        scaled=scaled,
        reason=reason,
    )


def _natural(parameters: Array) -> list[float]:
    return [float(np.exp(parameters[0])), *(float(value) for value in parameters[1:])]


def _propagated(function: Callable[[Array], Array], best: Array, covariance: Array) -> Array:
    """Variances of a function of the parameters, to first order."""
    steps = STEP * np.eye(best.size)
    gradient = np.stack([(function(best + s) - function(best - s)) / (2 * STEP) for s in steps], axis=1)
    return np.einsum("ij,jk,ik->i", gradient, covariance, gradient)


def _unusable(delay: Array, signal: Array, model: RecoveryModel, n_parameters: int) -> str:
    """Why a trace cannot be fitted at all, or ""."""
    if delay.size <= n_parameters:
        return f"needed at least {n_parameters + 1} rows for the model {model.name}, found {delay.size}"
    if np.unique(delay).size < n_parameters:
        return f"needed at least {n_parameters} different delays, found {np.unique(delay).size}"
    if np.any(delay < 0) or not np.any(delay > 0):
        return "needed delays of 0 s or more, found others"
    if np.ptp(signal) == 0:
        return "the signal is the same at all delays: nothing recovers"
    return ""


def _undetermined(model: RecoveryModel, best: Array, bounds: tuple[Array, Array], amplitude: float, loss: float) -> str:
    """Why the best fit is no T1, or ""."""
    if loss >= 0 and model.fixed is None:
        return "the signal falls with the delay: this is not a recovery"
    if amplitude <= 0:
        return "the signal does not recover to a positive intensity"
    for name, value, low, high in zip(model.parameters, best, *bounds, strict=True):
        if name not in model.ends and min(value - low, high - value) < 1e-4 * min(high - low, 1.0):
            what = {
                "t1": f"T1 is not within a factor of {_REACH:.0f} of the delays",
                "tau_c": "T1 is at the shortest that the mechanism allows, or far from the delays",
            }.get(name, f"{name} is at its bound, {value:.2g}")
            return f"{what}: the delays do not determine it"
    return ""


def _unseen(model: RecoveryModel, best: Array, first: float) -> str:
    """Why an exponential was not seen, or "": over before the first delay, it imitates any depth and any T1."""
    times, _ = model.components(*_natural(best))
    if not times.size and model.fixed is None and model.name in ("single", "stretched"):
        times = np.array([model.t1(*_natural(best))])
    if times.size and times[-1] < first / _UNSEEN:
        return f"an exponential of {times[-1]:.2g} s is over before the first delay: the delays do not determine it"
    return ""


def _constant_chi2(signal: Array, weight: Array) -> float:
    """Chi-square of the best constant."""
    mean = np.sum(weight**2 * signal) / np.sum(weight**2)
    return float(np.sum((weight * (signal - mean)) ** 2))


def _error_scale(chi2: float, dof: int, noise_dof: float) -> tuple[float, float, bool, str]:
    """Variance of the residuals in units of the measured noise, its dof, whether it is misfit, and what was done."""
    reduced = chi2 / dof
    if noise_dof == 0:
        return reduced, dof, False, "noise was not measured: error from the residuals alone"
    if f_distribution.sf(reduced, dof, noise_dof) < MISFIT_LEVEL:
        said = f"residuals are {np.sqrt(reduced):.1f} times the measured noise: error scaled by them"
        return reduced, dof, True, said
    return (noise_dof + chi2) / (noise_dof + dof), noise_dof + dof, False, ""
