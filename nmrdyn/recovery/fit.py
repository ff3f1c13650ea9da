"""recovery -> relaxation: T1 of each trace, with an error that knows measured noise and misfit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import least_squares
from scipy.stats import f as f_distribution

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.single import SingleExponential
from nmrdyn.recovery.stretched import StretchedExponential
from nmrdyn.schema import RECOVERY_KINDS, Array, InputError, require, stamp

MODELS: dict[str, RecoveryModel] = {model.name: model for model in (SingleExponential(), StretchedExponential())}

_NUMBERS = ("t1", "t1_stderr", "t1_dof", "beta", "beta_stderr", "amplitude", "depth", "reduced_chi2")

# Residuals are called larger than the measured noise when an F test says so at this level.
MISFIT_LEVEL = 0.01


@dataclass(frozen=True)
class TraceFit:
    """One fitted trace. `covariance` is of the model's parameters, ln(T1) first."""

    parameters: Array
    covariance: Array
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
    criterion: float = field(default=np.inf)


def fit_recovery(recovery: xr.Dataset, model: RecoveryModel | str = "auto") -> xr.Dataset:
    """T1 of every experiment, by least squares with free amplitude and depth.

    Amplitude and depth are linear and eliminated; what is left is searched from a grid and then converged. The
    standard error follows one rule: residuals no larger than the measured noise (F test at 1 %) are pooled with it;
    larger ones scale the error with their own degrees of freedom, and `reason` says so.

    Parameters
    ----------
    recovery : stage `recovery`, saturation or inversion
    model : `SingleExponential()`, `StretchedExponential()` or its name; "auto" fits both to each experiment and keeps
        the one with the smaller corrected Akaike criterion (its weights are in `model_weight`)

    Returns
    -------
    relaxation : `t1` and `t1_stderr` [s] and what goes with them; a failed fit is a NaN row with a reason

    Raises
    ------
    InputError
        For an unknown model, or experiments that are not recoveries.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, snr=1e6,
    ...     activation_energy=0.45, tau_c=1e-5, reference_temperature=333.15, temperature=[333.15])
    >>> relaxation = nd.fit_recovery(nd.simulate(truth, seed=1), nd.SingleExponential())
    >>> exact = 1 / nd.BPP(nucleus="23Na", cq=1e6, eta=0.1).rate(1e-5, 132.32e6)
    >>> bool(abs(relaxation.t1.item() / exact - 1) < 1e-4)
    True
    """
    require(recovery, "recovery")
    candidates = _candidates(model)
    for name, kind, reason in zip(*(recovery[key].values for key in ("experiment", "kind", "reason")), strict=True):
        if kind not in RECOVERY_KINDS and not reason:
            raise InputError(f"{name}: needed a saturation or inversion recovery, found {kind}; leave it out")

    rows = []
    for trace in range(recovery.sizes["experiment"]):
        one = recovery.isel(experiment=trace)
        fits: list[TraceFit | FailedFit] = [
            FailedFit(str(one["reason"].item())) if one["reason"].item() else _fit_trace(one, candidate)
            for candidate in candidates
        ]
        rows.append(fits)
    return _assemble(recovery, candidates, rows, model if isinstance(model, str) else repr(model))


def complete(relaxation: xr.Dataset) -> xr.Dataset:
    """A relaxation that was not fitted here, with NaN or "" for what it does not tell."""
    n = relaxation.sizes["experiment"]
    unknown = np.full(n, np.nan)
    given: dict[str, Any] = dict.fromkeys(_NUMBERS[2:], ("experiment", unknown)) | {
        "converged": ("experiment", np.isfinite(relaxation["t1"].values)),
        "error_scaled": ("experiment", np.zeros(n, dtype=bool)),
        "rows_used": ("experiment", np.zeros(n, dtype=int)),
        "reason": ("experiment", np.full(n, "", dtype=object)),
        "model": ("experiment", np.full(n, "given", dtype=object)),
    }
    missing = {name: value for name, value in given.items() if name not in relaxation}
    rows = {} if "rows_planned" in relaxation else {"rows_planned": ("experiment", np.zeros(n, dtype=int))}
    return stamp(relaxation.assign(missing).assign_coords(rows), "relaxation")


def _candidates(model: RecoveryModel | str) -> Sequence[RecoveryModel]:
    if not isinstance(model, str):
        if isinstance(model, type) or not hasattr(model, "decay"):
            raise InputError(f"recovery model: needed a model such as SingleExponential(), found {model!r}")
        return [model]
    if model == "auto":
        return list(MODELS.values())
    if model not in MODELS:
        raise InputError(f"recovery model: needed one of auto, {', '.join(MODELS)}, found {model!r}")
    return [MODELS[model]]


def _fit_trace(trace: xr.Dataset, model: RecoveryModel) -> TraceFit | FailedFit:
    used = np.isfinite(trace["signal"].values) & np.isfinite(trace["delay"].values)
    delay, signal = trace["delay"].values[used], trace["signal"].values[used]
    noise = trace["signal_stderr"].values[used]
    noise_dof = float(trace["noise_dof"])
    n_parameters = len(model.parameters) + 2
    dof = delay.size - n_parameters
    unusable = _unusable(delay, signal, model, n_parameters)
    if unusable:
        return FailedFit(unusable)
    measured = bool(np.all(np.isfinite(noise) & (noise > 0)))
    weight = 1 / noise if measured else np.ones_like(signal) / np.std(signal)

    positive = delay[delay > 0]
    span = np.log([positive.min() / 30, delay.max() * 30])
    lower = np.array([span[0], *(model.bounds[name][0] for name in model.parameters[1:])])
    upper = np.array([span[1], *(model.bounds[name][1] for name in model.parameters[1:])])

    def project(parameters: Array) -> tuple[Array, Array]:
        """Residuals in units of the noise, and the two linear coefficients."""
        decay = model.decay(delay, np.exp(parameters[0]), *parameters[1:])
        basis = np.stack([np.ones_like(decay), decay], axis=1) * weight[:, None]
        linear = np.linalg.lstsq(basis, signal * weight, rcond=None)[0]
        return basis @ linear - signal * weight, linear

    grid = itertools.product(np.linspace(span[0], span[1], 64), *(model.start[name] for name in model.parameters[1:]))
    start = min((np.array(point) for point in grid), key=lambda point: float(np.sum(project(point)[0] ** 2)))
    start = np.clip(start, lower + 1e-9, upper - 1e-9)
    found = least_squares(
        lambda p: project(p)[0], start, bounds=(lower, upper), jac="3-point", xtol=1e-12, ftol=1e-12, gtol=1e-12
    )
    residual, (amplitude, minus_lost) = project(found.x)
    undetermined = "" if found.success else f"the {model.name} fit did not converge"
    undetermined = undetermined or _undetermined(model, found.x, (lower, upper), amplitude, minus_lost)
    if undetermined:
        return FailedFit(undetermined)

    def curve(parameters: Array) -> Array:
        decay = model.decay(delay, np.exp(parameters[0]), *parameters[1:])
        return (amplitude + minus_lost * decay) * weight

    steps = 1e-5 * np.eye(found.x.size)
    slopes = [(curve(found.x + step) - curve(found.x - step)) / 2e-5 for step in steps]
    decay = model.decay(delay, np.exp(found.x[0]), *found.x[1:])
    jacobian = np.stack([*slopes, weight, decay * weight], axis=1)
    scale = np.linalg.norm(jacobian, axis=0)
    unscaled = np.linalg.pinv((jacobian / scale).T @ (jacobian / scale)) / np.outer(scale, scale)

    chi2 = float(residual @ residual)
    variance, error_dof, scaled, reason = _error_scale(chi2, dof, noise_dof if measured else 0.0)
    n = delay.size
    k = n_parameters + 1  # the noise variance counts
    correction = 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.inf
    full = amplitude + minus_lost * model.decay(np.nan_to_num(trace["delay"].values), np.exp(found.x[0]), *found.x[1:])
    return TraceFit(
        parameters=found.x,
        covariance=unscaled[: found.x.size, : found.x.size] * variance,
        amplitude=float(amplitude),
        depth=float(-minus_lost / amplitude),
        dof=error_dof,
        reduced_chi2=chi2 / dof if measured else np.nan,
        criterion=n * np.log(chi2) + 2 * k + correction,
        curve=np.where(used, full, np.nan),
        scaled=scaled,
        reason=reason,
    )


def _unusable(delay: Array, signal: Array, model: RecoveryModel, n_parameters: int) -> str:
    """Why a trace cannot be fitted at all, or ""."""
    if delay.size <= n_parameters:
        return f"needed at least {n_parameters + 1} rows for a {model.name} exponential, found {delay.size}"
    if np.unique(delay).size < n_parameters:
        return f"needed at least {n_parameters} different delays, found {np.unique(delay).size}"
    if np.any(delay < 0) or not np.any(delay > 0):
        return "needed delays of 0 s or more, found others"
    if np.ptp(signal) == 0:
        return "the signal is the same at all delays: nothing recovers"
    return ""


def _undetermined(
    model: RecoveryModel, best: Array, bounds: tuple[Array, Array], amplitude: float, minus_lost: float
) -> str:
    """Why the best fit is no T1, or ""."""
    if minus_lost > 0:
        return "the signal falls with the delay: this is not a recovery"
    if amplitude <= 0:
        return "the signal does not recover to a positive intensity"
    for name, value, low, high in zip(model.parameters, best, *bounds, strict=True):
        if min(value - low, high - value) < 1e-4 * (high - low):
            bound = f"{name} is at its bound, {value:.2g}"
            what = "T1 is not within a factor of 30 of the delays" if name == "t1" else bound
            return f"{what}: the delays do not determine it"
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


def _assemble(
    recovery: xr.Dataset, candidates: Sequence[RecoveryModel], rows: list[list[TraceFit | FailedFit]], said: str
) -> xr.Dataset:
    n, m = recovery.sizes["experiment"], len(candidates)
    values = {name: np.full(n, np.nan) for name in _NUMBERS}
    reason, chosen = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    weights, scaled = np.zeros((n, m)), np.zeros(n, dtype=bool)
    curves = np.full(recovery["signal"].shape, np.nan)
    for i, fits in enumerate(rows):
        criteria = np.array([fit.criterion for fit in fits])
        best = int(np.argmin(criteria))
        fit, candidate = fits[best], candidates[best]
        reason[i], chosen[i] = fit.reason, candidate.name
        if isinstance(fit, FailedFit):
            continue
        if np.isfinite(criteria[best]):
            weights[i] = np.exp(-(criteria - criteria[best]) / 2)
        else:
            weights[i, best] = 1.0
        weights[i] /= weights[i].sum()
        scaled[i] = fit.scaled
        t1, error = np.exp(fit.parameters[0]), np.sqrt(np.diag(fit.covariance))
        values["t1"][i], values["t1_stderr"][i], values["t1_dof"][i] = t1, t1 * error[0], fit.dof
        values["amplitude"][i], values["depth"][i] = fit.amplitude, fit.depth
        values["reduced_chi2"][i], curves[i] = fit.reduced_chi2, fit.curve
        if "beta" in candidate.parameters:
            at = candidate.parameters.index("beta")
            values["beta"][i], values["beta_stderr"][i] = fit.parameters[at], error[at]
    coordinates = ("temperature", "temperature_stderr", "larmor_frequency", "rows_recorded", "rows_planned", "kind")
    relaxation = xr.Dataset(
        {name: ("experiment", value) for name, value in values.items()}
        | {
            "converged": ("experiment", np.isfinite(values["t1"])),
            "error_scaled": ("experiment", scaled),
            "rows_used": ("experiment", np.isfinite(recovery["signal"].values).sum(axis=1)),
            "reason": ("experiment", reason),
            "model": ("experiment", chosen),
            "model_weight": (("experiment", "candidate"), weights),
            "fit": (("experiment", "increment"), curves),
        },
        coords={"experiment": recovery["experiment"].values, "candidate": [c.name for c in candidates]}
        | {name: recovery[name].variable for name in coordinates},
    )
    return stamp(relaxation, "relaxation", nucleus=recovery.attrs.get("nucleus", ""), model=said)
