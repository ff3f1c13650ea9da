"""One trace and one model: least squares with the linear coefficients eliminated, and an error that knows misfit."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import least_squares
from scipy.stats import f as f_distribution

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import Array, InputError

# Residuals are called larger than the measured noise when an F test says so at this level.
MISFIT_LEVEL = 0.01
# T1 is looked for within this factor of the shortest and the longest delay.
_REACH = 30.0
# An exponential this many times shorter than the first delay has left nothing to see.
_UNSEEN = 3.0
# Two searched regions whose chi-square differs by less than this times its residual variance fit alike (95 %).
_ALIKE = 3.84
_STEP = 1e-5
_STARTS = 3


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


class _Projection:
    """The signal of a trace as amplitude and loss times a decay, at their least-squares values."""

    def __init__(self, model: RecoveryModel, delay: Array, signal: Array, weight: Array) -> None:
        self.model, self.delay, self.weight = model, delay, weight
        self.target = signal * weight

    def columns(self, parameters: Array) -> tuple[Array, Array]:
        """The curves that add up to the signal, in units of the noise: what is constant, and the decay."""
        decay = self.model.decay(self.delay, float(np.exp(parameters[0])), *parameters[1:]) * self.weight
        if self.model.fixed is None:
            return self.weight, decay
        return self.weight - self.model.fixed * decay, np.zeros_like(decay)

    def coefficients(self, parameters: Array) -> tuple[float, float]:
        """Of both columns. That of the decay is 0 or less: a long recovery upside down could imitate a short one."""
        constant, decay = self.columns(parameters)
        overlap = (constant @ decay) / (constant @ constant)
        rest = decay - overlap * constant
        size = rest @ rest
        loss = min(float(rest @ self.target / size), 0.0) if size > 1e-20 * (decay @ decay) else 0.0
        return float(constant @ self.target / (constant @ constant) - overlap * loss), loss

    def residual(self, parameters: Array) -> Array:
        return self.curve(parameters, self.coefficients(parameters)) - self.target

    def chi2(self, parameters: Array) -> float:
        return float(np.sum(self.residual(parameters) ** 2))

    def curve(self, parameters: Array, coefficients: tuple[float, float]) -> Array:
        """The signal for given coefficients, in units of the noise."""
        constant, decay = self.columns(parameters)
        return coefficients[0] * constant + coefficients[1] * decay

    def jacobian(self, parameters: Array) -> Array:
        """Slopes (row, parameter and coefficient) of the curve, in units of the noise."""
        coefficients = self.coefficients(parameters)
        steps = _STEP * np.eye(parameters.size)
        slopes = [
            (self.curve(parameters + s, coefficients) - self.curve(parameters - s, coefficients)) / (2 * _STEP)
            for s in steps
        ]
        constant, decay = self.columns(parameters)
        return np.stack([*slopes, constant] if self.model.fixed is not None else [*slopes, constant, decay], axis=1)


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
    projection = _Projection(model, delay, signal, weight)
    positive = delay[delay > 0]
    regions = model.regions(positive.min() / _REACH, positive.max() * _REACH)
    searched = [_search(projection, region) for region in regions if region.size > 1]
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
    covariance = _covariance(projection, best, (lower, upper), variance)
    natural = _natural(best)
    t1 = model.t1(*natural)
    times, fractions = model.components(*natural)
    worse = (np.array([projection.chi2(found[0]) for found in searched]) - chi2) / variance
    likely = np.exp(-worse / 2) / np.exp(-worse / 2).sum()
    apart = np.log([model.t1(*_natural(found[0])) / t1 for found in searched])
    if np.sum(worse < _ALIKE) > 1:
        reason = "; ".join(filter(None, (reason, "both branches of the mechanism give this shape alike")))
    full = 1 - factor * model.decay(np.nan_to_num(trace["delay"].values), *natural)
    k = n_parameters + 1  # the noise variance counts
    correction = 2 * k * (k + 1) / (delay.size - k - 1) if delay.size > k + 1 else np.inf
    return TraceFit(
        model=model,
        parameters=best,
        stderr=np.sqrt(np.diag(covariance)),
        t1=t1,
        variance=_propagated(lambda p: np.log([model.t1(*_natural(p))]), best, covariance)[0] + likely @ apart**2,
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


def _search(projection: _Projection, region: Array) -> tuple[Array, Array, Array, bool]:
    """The best parameters that begin in a region of the first, their limits, and whether the search converged."""
    model = projection.model
    lower = np.array([region.min(), *(model.bounds[name][0] for name in model.parameters[1:])])
    upper = np.array([region.max(), *(model.bounds[name][1] for name in model.parameters[1:])])
    tight = {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12}
    found = [
        least_squares(projection.residual, start, bounds=(lower, upper), jac="3-point", x_scale="jac", **tight)
        for start in _starts(projection, region, lower, upper)
    ]
    best = min(found, key=lambda one: float(one.cost))
    return best.x, lower, upper, bool(best.success)


def _starts(projection: _Projection, region: Array, lower: Array, upper: Array) -> list[Array]:
    """Where to begin: of each combination of the other parameters the best in the region, and of these the best few."""
    model = projection.model
    ranked = []
    for others in itertools.product(*(model.start[name] for name in model.parameters[1:])):
        points = [np.clip([first, *others], lower + 1e-9, upper - 1e-9) for first in region]
        chi2 = [projection.chi2(point) for point in points]
        ranked.append((min(chi2), points[int(np.argmin(chi2))]))
    ranked.sort(key=lambda pair: pair[0])
    return [point for _, point in ranked[:_STARTS]]


def _covariance(projection: _Projection, best: Array, bounds: tuple[Array, Array], variance: float) -> Array:
    """Covariance of the model's parameters for residuals of `variance`.

    What physics confines is known to within its range before any data; that carries it into T1 where the data do not
    tell it.
    """
    jacobian = projection.jacobian(best) / np.sqrt(variance)
    confined = np.array([name in projection.model.ends for name in projection.model.parameters])
    known = np.where(confined, np.sqrt(12) / (bounds[1] - bounds[0]), 0.0)  # one over the sd of a uniform
    jacobian = np.vstack([jacobian, np.pad(np.diag(known), ((0, 0), (0, jacobian.shape[1] - best.size)))])
    scale = np.linalg.norm(jacobian, axis=0)
    scale[scale == 0] = 1.0
    inverse = np.linalg.pinv((jacobian / scale).T @ (jacobian / scale)) / np.outer(scale, scale)
    return inverse[: best.size, : best.size]


def _propagated(function: Callable[[Array], Array], best: Array, covariance: Array) -> Array:
    """Variances of a function of the parameters, to first order."""
    steps = _STEP * np.eye(best.size)
    gradient = np.stack([(function(best + s) - function(best - s)) / (2 * _STEP) for s in steps], axis=1)
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
    if times.size and times[-1] < first / _UNSEEN:
        return f"an exponential of {times[-1]:.2g} s is over before the first delay: the delays do not determine it"
    return ""


def _error_scale(chi2: float, dof: int, noise_dof: float) -> tuple[float, float, bool, str]:
    """Variance of the residuals in units of the measured noise, its dof, whether it is misfit, and what was done."""
    reduced = chi2 / dof
    if noise_dof == 0:
        return reduced, dof, False, "noise was not measured: error from the residuals alone"
    if f_distribution.sf(reduced, dof, noise_dof) < MISFIT_LEVEL:
        said = f"residuals are {np.sqrt(reduced):.1f} times the measured noise: error scaled by them"
        return reduced, dof, True, said
    return (noise_dof + chi2) / (noise_dof + dof), noise_dof + dof, False, ""
