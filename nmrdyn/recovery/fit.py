"""recovery -> relaxation: T1 of each experiment, by one model or by the most credible of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.findings import attach, attached
from nmrdyn.isotopes import known_spin
from nmrdyn.recovery import checks
from nmrdyn.recovery.exponentials import BiExponential, TriExponential
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.single import SingleExponential
from nmrdyn.recovery.stretched import StretchedExponential
from nmrdyn.recovery.trace import FailedFit, TraceFit, fit_trace
from nmrdyn.schema import RECOVERY_KINDS, STAGES, Array, InputError, require, stamp

MODELS: dict[str, RecoveryModel] = {
    model.name: model for model in (SingleExponential(), StretchedExponential(), BiExponential(), TriExponential())
}
# Three exponentials are told apart by no ordinary recovery; they are fitted where they are asked for.
AUTO = ("single", "stretched", "bi")

_NUMBERS = (
    "t1", "t1_stderr", "t1_dof", "t1_mean", "beta", "beta_stderr", "ratio", "ratio_stderr", "amplitude", "depth",
    "reduced_chi2",
)  # fmt: skip
_COMPONENTS = ("component_t1", "component_t1_stderr", "component_fraction", "component_fraction_stderr")
_MOST_COMPONENTS = 3


def fit_recovery(
    recovery: xr.Dataset, model: RecoveryModel | str | Sequence[RecoveryModel | str] = "auto"
) -> xr.Dataset:
    """T1 of every experiment, by least squares with free amplitude and, unless it is fixed, depth.

    Amplitude and depth are linear and eliminated; what is left is searched from a grid and then converged. The
    standard error follows one rule: residuals no larger than the measured noise (F test at 1 %) are pooled with it;
    larger ones scale the error with their own degrees of freedom, and `reason` says so.

    Parameters
    ----------
    recovery : stage `recovery`, saturation or inversion
    model : a model such as `SingleExponential()` or `PopulationRecovery(...)`, or the name of one (single, stretched,
        bi, tri). Several, in a list, are compared: the one with the smallest corrected Akaike criterion is kept for
        each experiment, and the error of its T1 holds what the others, by their weights, say otherwise. The weights
        are in `model_weight`, the T1 of each in `model_t1`. "auto" is single, stretched and bi, whose T1 is for all
        three the time at which 1/e is left to recover.

    Returns
    -------
    relaxation : `t1` and `t1_stderr` [s] and what goes with them; a failed fit is a NaN row with a reason. Which T1 it
        is stands in `t1_meaning`, what a referee would remark on in `attrs["warnings"]`.

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
    nucleus = recovery.attrs.get("nucleus", "")
    known = known_spin(nucleus)
    for candidate in candidates:
        spin = getattr(candidate, "spin", None)
        if None not in (spin, known) and spin != known:
            raise InputError(f"fit_recovery: needed a model of {nucleus}, found one of spin {spin:g}: {candidate}")

    rows = []
    for trace in range(recovery.sizes["experiment"]):
        one = recovery.isel(experiment=trace)
        fits: list[TraceFit | FailedFit] = [
            FailedFit(str(one["reason"].item())) if one["reason"].item() else fit_trace(one, candidate)
            for candidate in candidates
        ]
        rows.append(fits)
    relaxation = _assemble(recovery, candidates, rows, model if isinstance(model, str) else repr(model))
    return attach(relaxation, [*attached(recovery), *checks.of_relaxation(relaxation, recovery)])


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
        "t1_meaning": ("experiment", np.full(n, "T1 as given", dtype=object)),
    }
    missing = {name: value for name, value in given.items() if name not in relaxation}
    none = ("experiment", np.zeros(n, dtype=int))
    rows = {name: none for name in ("rows_recorded", "rows_planned") if name not in relaxation}
    return stamp(relaxation.assign(missing).assign_coords(rows), "relaxation")


def _candidates(model: RecoveryModel | str | Sequence[RecoveryModel | str]) -> Sequence[RecoveryModel]:
    if isinstance(model, RecoveryModel):
        return [model]
    if isinstance(model, list | tuple) and model:
        return [one for entry in model for one in _candidates(entry)]
    if model == "auto":
        return [MODELS[name] for name in AUTO]
    if not isinstance(model, str) or model not in MODELS:
        known = f"auto, {', '.join(MODELS)}, or a model such as SingleExponential()"
        raise InputError(f"recovery model: needed one of {known}, found {model!r}")
    return [MODELS[model]]


def _names(candidates: Sequence[RecoveryModel]) -> list[str]:
    """What the candidates are called: their names, or all of what they are where two share one."""
    names = [candidate.name for candidate in candidates]
    return names if len(set(names)) == len(names) else [repr(candidate) for candidate in candidates]


def _weights(fits: list[TraceFit | FailedFit]) -> Array:
    """Akaike weights of the models; where no criterion is finite, all to the first that fits."""
    criteria = np.array([fit.criterion for fit in fits])
    fitted = np.array([isinstance(fit, TraceFit) for fit in fits])
    if not fitted.any():
        return np.zeros(len(fits))
    if not np.isfinite(criteria).any():
        return np.eye(len(fits))[int(np.argmax(fitted))]
    weights = np.exp(-(criteria - criteria.min()) / 2)
    return weights / weights.sum()


def _spread(fits: list[TraceFit | FailedFit], weights: Array, best: TraceFit) -> float:
    """Relative variance of T1: within the models by their weights, and between them about the best."""
    pairs = [(weight, fit) for weight, fit in zip(weights, fits, strict=True) if isinstance(fit, TraceFit) and weight]
    return float(sum(weight * (fit.variance + np.log(fit.t1 / best.t1) ** 2) for weight, fit in pairs))


def _assemble(
    recovery: xr.Dataset, candidates: Sequence[RecoveryModel], rows: list[list[TraceFit | FailedFit]], said: str
) -> xr.Dataset:
    n, m = recovery.sizes["experiment"], len(candidates)
    values = {name: np.full(n, np.nan) for name in _NUMBERS}
    components = {name: np.full((n, _MOST_COMPONENTS), np.nan) for name in _COMPONENTS}
    words = {name: np.full(n, "", dtype=object) for name in ("reason", "model", "t1_meaning")}
    weights, scaled = np.zeros((n, m)), np.zeros(n, dtype=bool)
    each = np.full((n, m), np.nan)
    curves = np.full(recovery["signal"].shape, np.nan)
    for i, fits in enumerate(rows):
        weights[i] = _weights(fits)
        each[i] = [fit.t1 if isinstance(fit, TraceFit) else np.nan for fit in fits]
        fit = fits[int(np.argmax(weights[i]))]
        words["reason"][i], words["model"][i] = fit.reason, candidates[int(np.argmax(weights[i]))].name
        if isinstance(fit, FailedFit):
            continue
        words["t1_meaning"][i] = fit.model.meaning
        scaled[i] = fit.scaled
        found = {
            "t1": fit.t1,
            "t1_stderr": fit.t1 * np.sqrt(_spread(fits, weights[i], fit)),
            "t1_dof": fit.dof,
            "t1_mean": fit.mean_time,
            "amplitude": fit.amplitude,
            "depth": fit.depth,
            "reduced_chi2": fit.reduced_chi2,
        }
        for name, value, error in zip(fit.model.parameters, fit.parameters, fit.stderr, strict=True):
            if name in ("beta", "ratio"):
                found |= {name: value, f"{name}_stderr": error}
        for name, number in found.items():
            values[name][i] = number
        times, fractions = fit.components
        parts = (times, times * fit.component_stderr[0], fractions, fit.component_stderr[1])
        for name, part in zip(_COMPONENTS, parts, strict=True):
            components[name][i, : part.size] = part
        curves[i] = fit.curve
    relaxation = xr.Dataset(
        {name: ("experiment", value) for name, value in (values | words).items()}
        | {name: (("experiment", "component"), value) for name, value in components.items()}
        | {
            "converged": ("experiment", np.isfinite(values["t1"])),
            "error_scaled": ("experiment", scaled),
            "rows_used": ("experiment", np.isfinite(recovery["signal"].values).sum(axis=1)),
            "model_weight": (("experiment", "candidate"), weights),
            "model_t1": (("experiment", "candidate"), each),
            "fit": (("experiment", "increment"), curves),
        },
        coords={"experiment": recovery["experiment"].values, "candidate": _names(candidates)}
        | {name: recovery[name].variable for name in (*STAGES["relaxation"].coords, "kind")},
    )
    return stamp(relaxation, "relaxation", nucleus=recovery.attrs.get("nucleus", ""), model=said)
