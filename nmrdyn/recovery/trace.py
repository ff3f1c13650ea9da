"""One model and all experiments: which can be fitted, their T1, and errors that know misfit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import f as f_distribution

from nmrdyn.recovery.batch.newton import propagated
from nmrdyn.recovery.batch.rules import (
    FLAT,
    GOOD,
    NOTHING,
    REACH,
    error_scale,
    explanation,
    parameter_count,
    unusable,
    verdicts,
)
from nmrdyn.recovery.batch.shapes import SHAPES
from nmrdyn.recovery.batch.traces import find
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.projection import STEP, Projection, moments, search
from nmrdyn.schema import Array, InputError

_CHANCE = 0.01  # how often noise alone passes for a recovery
# Two searched regions whose chi-square differs by less than this times its residual variance fit alike (95 %).
_ALIKE = 3.84
_MOST_COMPONENTS = 3
_NUMBERS = (
    "t1", "variance", "dof", "mean_time", "beta", "beta_stderr", "ratio", "ratio_stderr", "amplitude", "depth",
    "reduced_chi2",
)  # fmt: skip


@dataclass(frozen=True)
class Fits:
    """One model fitted to every experiment; a failed fit is NaN with a reason, and an infinite criterion.

    `numbers` (experiment,) are T1 [s] in the model's sense, its relative variance, and what goes with them;
    `components` (quantity, experiment, component) the times of exponentials, the errors of their logarithms, their
    fractions and the errors of these.
    """

    model: RecoveryModel
    numbers: dict[str, Array]
    components: Array
    criterion: Array
    curve: Array
    scaled: np.ndarray
    reason: np.ndarray

    @property
    def fitted(self) -> np.ndarray:
        """Whether there is a fit (experiment,)."""
        return np.isfinite(self.numbers["t1"])


@dataclass(frozen=True)
class Rows:
    """The recoveries as arrays (experiment, increment) and (experiment,): which rows are used, whose noise is known."""

    delay: Array
    signal: Array
    noise: Array
    noise_dof: Array
    used: np.ndarray
    measured: np.ndarray

    @classmethod
    def of(cls, recovery: xr.Dataset) -> Rows:
        delay, signal, noise = (recovery[name].values for name in ("delay", "signal", "signal_stderr"))
        used = np.isfinite(signal) & np.isfinite(delay)
        measured = np.all((np.isfinite(noise) & (noise > 0)) | ~used, axis=1)
        return cls(delay, signal, noise, recovery["noise_dof"].values.astype(float), used, measured)


def fit_model(recovery: xr.Dataset, model: RecoveryModel) -> Fits:
    """Fit a recovery model to every experiment of stage `recovery` that has no reason against it.

    Experiments with the same delays and an even noise are fitted together where the slopes of the model are known;
    others one by one.
    """
    rows = Rows.of(recovery)
    n = len(rows.signal)
    fits = Fits(
        model,
        {name: np.full(n, np.nan) for name in _NUMBERS},
        np.full((4, n, _MOST_COMPONENTS), np.nan),
        np.full(n, np.inf),
        np.full(rows.signal.shape, np.nan),
        np.zeros(n, dtype=bool),
        recovery["reason"].values.astype(object),
    )
    todo = fits.reason == ""
    even = np.zeros(n, dtype=bool)
    if type(model) in SHAPES:
        least = np.where(rows.used, rows.noise, np.inf).min(axis=1, initial=np.inf)
        most = np.where(rows.used, rows.noise, -np.inf).max(axis=1, initial=-np.inf)
        even = todo & (~rows.measured | (least == most))
        for group in _alike(rows, np.flatnonzero(even)):
            _fit_together(fits, rows, group)
    larmor, temperature = recovery["larmor_frequency"].values, recovery["temperature"].values
    for i in np.flatnonzero(todo & ~even).tolist():
        try:
            _fit_alone(fits, rows, i, model.at(float(larmor[i]), float(temperature[i])))
        except InputError as error:
            fits.reason[i] = str(error)
    return fits


def _alike(rows: Rows, chosen: np.ndarray) -> list[np.ndarray]:
    """The chosen experiments in groups with the same delays in use."""
    keys = np.where(rows.used[chosen], rows.delay[chosen], np.inf)
    if not len(chosen):
        return []
    _, group = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    return np.split(chosen[order], np.flatnonzero(np.diff(group[order])) + 1)


def _fit_together(fits: Fits, rows: Rows, group: np.ndarray) -> None:
    """Fit experiments with the same delays and one noise level each."""
    model, used = fits.model, rows.used[group[0]]
    delay = rows.delay[group[0]][used]
    signal = rows.signal[np.ix_(group, np.flatnonzero(used))].T
    reason = unusable(delay, model)
    if reason:
        fits.reason[group] = reason
        return
    flat = np.ptp(signal, axis=0) == 0
    fits.reason[group[flat]] = FLAT
    group, signal = group[~flat], np.ascontiguousarray(signal[:, ~flat])
    if not group.size:
        return
    found = find(model, delay, signal, exact=True)
    good = found.code == GOOD
    for i in np.flatnonzero(~good).tolist():
        fits.reason[group[i]] = found.explained(i)
    if not good.any():
        return
    level = np.where(rows.measured[group], rows.noise[group][:, np.argmax(used)], np.std(signal, axis=0))[good]
    at, amplitude, signal, group = found.fits.at[:, good], found.fits.amplitude[good], signal[:, good], group[good]
    chi2 = found.fits.ssr[good] / level**2
    constant = np.sum((signal - signal.mean(axis=0)) ** 2, axis=0) / level**2
    variance, seen = _judged(fits, rows, group, chi2=chi2, constant=constant, size=delay.size)
    shape, best = found.shape, found.best[:, good]
    scale = variance * level**2
    spread = found.spread[:, :, good] * scale
    t1, slopes = shape.t1(at)
    factor = model.fixed if model.fixed is not None else -found.fits.loss[good] / amplitude
    numbers: dict[str, Any] = {
        "t1": t1,
        "variance": propagated(slopes, spread),
        "mean_time": shape.mean_time(at),
        "amplitude": amplitude,
        "depth": factor,
    }
    error = found.slopes[:, good] * np.sqrt(np.einsum("iij->ij", spread))
    for k, name in enumerate(model.parameters[1:], 1):
        if name in _NUMBERS:
            numbers |= {name: best[k], f"{name}_stderr": error[k]}
    if model.name == "bi":
        times = np.exp(best[0]), np.exp(at[0] - at[1])
        fast = np.sqrt(propagated(np.repeat([[1.0], [-1.0], [0.0]], len(t1), axis=1), spread))
        parts = np.array([times, (error[0], fast), (best[2], 1 - best[2]), (error[2], error[2])])
        fits.components[:, group, :2] = np.swapaxes(parts, 1, 2)
    for name, value in numbers.items():
        fits.numbers[name][group] = np.where(seen, value, np.nan)
    curve = np.where(seen, amplitude * (1 - factor * shape.decay(at)), np.nan)
    fits.curve[np.ix_(group, np.flatnonzero(used))] = curve.T
    fits.components[:, group[~seen]] = np.nan


def _fit_alone(fits: Fits, rows: Rows, i: int, model: RecoveryModel) -> None:
    """Fit one experiment by finite differences, which every model has."""
    used, measured = rows.used[i], rows.measured[i]
    delay, signal = rows.delay[i][used], rows.signal[i][used]
    reason = unusable(delay, model) or (FLAT if np.ptp(signal) == 0 else "")
    if reason:
        fits.reason[i] = reason
        return
    weight = 1 / rows.noise[i][used] if measured else np.ones_like(signal) / np.std(signal)
    projection = Projection(model, delay, signal, weight)
    first, last = float(delay[delay > 0].min()), float(delay.max())
    regions = [region for region in model.regions(first / REACH, last * REACH) if region.size > 1]
    searched = [search(projection, region) for region in regions]
    if not searched:
        fits.reason[i] = "the mechanism allows no T1 as short as the delays could tell"
        return
    best, lower, upper, success = min(searched, key=lambda found: projection.chi2(found[0]))
    natural = _natural(best)
    amplitude, loss = projection.coefficients(best)
    times, fractions = model.components(*natural)
    if not times.size and model.fixed is None and isinstance(model, tuple(SHAPES)):
        times = np.array([model.t1(*natural)])
    shortest = float(times.min(initial=np.inf))
    code = verdicts(
        model,
        best[:, None],
        (lower, upper),
        amplitude=np.array([amplitude]),
        loss=np.array([loss]),
        converged=np.array([success]),
        shortest=np.array([shortest]),
        first=first,
    )
    if code[0] != GOOD:
        fits.reason[i] = explanation(model, int(code[0]), best, shortest)
        return
    chi2 = projection.chi2(best)
    constant = np.sum((weight * (signal - np.sum(weight**2 * signal) / np.sum(weight**2))) ** 2)
    scale, seen = _judged(
        fits, rows, np.array([i]), chi2=np.array([chi2]), constant=np.array([constant]), size=delay.size
    )
    if not seen[0]:
        return
    variance = float(scale[0])
    mean, spread = moments(projection, best, (lower, upper), variance)
    own = _spread_of(lambda p: np.log([model.t1(*_natural(p))]), mean, spread)[0]
    if not own >= 0:  # rounding has the better of it
        _forget(fits, i, f"the {model.name} fit has no finite error: the delays do not determine it")
        return
    worse = (np.array([projection.chi2(found[0]) for found in searched]) - chi2) / variance
    likely = np.exp(-worse / 2) / np.exp(-worse / 2).sum()
    apart = np.log([model.t1(*_natural(found[0])) / model.t1(*natural) for found in searched])
    if np.sum(worse < _ALIKE) > 1:
        alike = "both branches of the mechanism give this shape alike"
        fits.reason[i] = "; ".join(filter(None, (fits.reason[i], alike)))
    factor = model.fixed if model.fixed is not None else -loss / amplitude
    numbers = {
        "t1": model.t1(*_natural(mean)),
        "variance": own + likely @ apart**2,
        "mean_time": model.mean_time(*natural),
        "amplitude": amplitude,
        "depth": float(factor * model.decay(np.zeros(1), *natural)[0]),
    }
    for k, name in enumerate(model.parameters):
        if name in _NUMBERS[1:]:
            numbers |= {name: mean[k], f"{name}_stderr": np.sqrt(spread[k, k])}
    for name, value in numbers.items():
        fits.numbers[name][i] = value
    times, fractions = model.components(*natural)
    parts = (
        times,
        _root(_spread_of(lambda p: np.log(model.components(*_natural(p))[0]), best, spread)),
        fractions,
        _root(_spread_of(lambda p: model.components(*_natural(p))[1], best, spread)),
    )
    fits.components[:, i, : times.size] = parts
    full = 1 - factor * model.decay(np.nan_to_num(rows.delay[i]), *natural)
    fits.curve[i] = np.where(used, amplitude * full, np.nan)


def _forget(fits: Fits, trace: int, reason: str) -> None:
    """Take back what the residuals said of a fit that is no T1."""
    fits.reason[trace], fits.criterion[trace], fits.scaled[trace] = reason, np.inf, False
    for name in ("dof", "reduced_chi2"):
        fits.numbers[name][trace] = np.nan


def _root(variance: Array) -> Array:
    """Standard errors, NaN where rounding has the better of the variance."""
    return np.sqrt(np.where(variance >= 0, variance, np.nan))


def _natural(parameters: Array) -> list[float]:
    return [float(np.exp(parameters[0])), *(float(value) for value in parameters[1:])]


def _spread_of(function: Callable[[Array], Array], best: Array, covariance: Array) -> Array:
    """Variances of a function of the parameters, to first order."""
    steps = STEP * np.eye(best.size)
    gradient = np.stack([(function(best + s) - function(best - s)) / (2 * STEP) for s in steps], axis=1)
    return np.asarray(np.einsum("ij,jk,ik->i", gradient, covariance, gradient))


def _judged(
    fits: Fits, rows: Rows, group: np.ndarray, *, chi2: Array, constant: Array, size: int
) -> tuple[Array, np.ndarray]:
    """Write down what the residuals say; their variance in units of the noise, and whether anything recovers.

    `chi2` is that of the fit, `constant` that of the best constant.
    """
    n_parameters = parameter_count(fits.model)
    dof, measured = size - n_parameters, rows.measured[group]
    noise_dof = np.where(measured, rows.noise_dof[group], 0.0)
    variance, error_dof, scaled = error_scale(chi2, dof, noise_dof)
    with np.errstate(divide="ignore", invalid="ignore"):  # where the fit is exact
        gained = (constant - chi2) / (n_parameters - 1) / variance
        logarithm = np.log(chi2)
    seen = ~(f_distribution.sf(gained, n_parameters - 1, error_dof) > _CHANCE)
    k = n_parameters + 1  # the noise variance counts
    correction = 2 * k * (k + 1) / (size - k - 1) if size > k + 1 else np.inf
    fits.criterion[group] = np.where(seen, size * logarithm + 2 * k + correction, np.inf)
    fits.numbers["dof"][group] = np.where(seen, error_dof, np.nan)
    fits.numbers["reduced_chi2"][group] = np.where(seen & measured, chi2 / dof, np.nan)
    fits.scaled[group] = scaled & seen
    for i in np.flatnonzero(scaled):
        times = np.sqrt(chi2[i] / dof)
        fits.reason[group[i]] = f"residuals are {times:.1f} times the measured noise: error scaled by them"
    fits.reason[group[~(noise_dof > 0)]] = "noise was not measured: error from the residuals alone"
    fits.reason[group[~seen]] = NOTHING
    return variance, seen
