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
from nmrdyn.recovery.trace import Fits, fit_model
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
_DETERMINED = 1.0  # relative error of T1 above which a model that is not the best says nothing of it
_SOURCES = {"t1_stderr": "variance", "t1_dof": "dof", "t1_mean": "mean_time"}  # their names in `Fits`


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
    require_recoveries(recovery)
    nucleus = recovery.attrs.get("nucleus", "")
    known = known_spin(nucleus)
    for candidate in candidates:
        spin = getattr(candidate, "spin", None)
        if None not in (spin, known) and spin != known:
            raise InputError(f"fit_recovery: needed a model of {nucleus}, found one of spin {spin:g}: {candidate}")

    fits = [fit_model(recovery, candidate) for candidate in candidates]
    relaxation = _assemble(recovery, fits, model if isinstance(model, str) else repr(model))
    return attach(relaxation, [*attached(recovery), *checks.of_relaxation(relaxation, recovery)])


def require_recoveries(recovery: xr.Dataset) -> None:
    """Refuse experiments that were read and are no recoveries.

    Raises
    ------
    InputError
        Naming the first.
    """
    for name, kind, reason in zip(*(recovery[key].values for key in ("experiment", "kind", "reason")), strict=True):
        if kind not in RECOVERY_KINDS and not reason:
            raise InputError(f"{name}: needed a saturation or inversion recovery, found {kind}; leave it out")


def complete(relaxation: xr.Dataset) -> xr.Dataset:
    """A relaxation that was not fitted here, with NaN or "" for what it does not tell."""
    n = relaxation.sizes["experiment"]
    unknown = np.full(n, np.nan)
    given: dict[str, Any] = dict.fromkeys((*_NUMBERS[2:], "t1_low", "t1_high"), ("experiment", unknown)) | {
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


def _weights(fits: Sequence[Fits]) -> Array:
    """Akaike weights (experiment, candidate); where no criterion is finite, all to the first that fits."""
    criteria, fitted = (
        np.stack(columns, axis=1) for columns in zip(*((f.criterion, f.fitted) for f in fits), strict=True)
    )
    criteria = np.where(fitted, criteria, np.inf)
    weighed = np.isfinite(criteria).any(axis=1)
    weights = np.zeros(criteria.shape)
    weights[~weighed] = (np.cumsum(fitted[~weighed], axis=1) == 1) & fitted[~weighed]
    above = criteria[weighed] - criteria[weighed].min(axis=1, keepdims=True)
    weights[weighed] = np.exp(-above / 2)
    weights[weighed] /= weights[weighed].sum(axis=1, keepdims=True)
    return weights


def _assemble(recovery: xr.Dataset, fits: Sequence[Fits], said: str) -> xr.Dataset:
    """The stage `relaxation`: of each experiment the best fit, and an error that holds what the others say."""
    weights = _weights(fits)
    best = np.argmax(weights, axis=1)
    experiment = np.arange(best.size)

    def of_best(parts: Sequence[np.ndarray]) -> np.ndarray:
        """The rows of the best model, from arrays (experiment, ...) of each."""
        return parts[0].copy() if len(parts) == 1 else np.stack(parts)[best, experiment]

    values = {name: of_best([fit.numbers[_SOURCES.get(name, name)] for fit in fits]) for name in _NUMBERS}
    each = np.stack([fit.numbers["t1"] for fit in fits], axis=1)
    # Relative variance of T1: within the models by their weights, and between them about the best.
    inside = np.stack([fit.numbers["variance"] for fit in fits], axis=1)
    apart = np.log(each / values["t1"][:, None]) ** 2
    heard = (weights > 0) & ((inside < _DETERMINED**2) | (np.arange(len(fits)) == best[:, None]))
    share = np.where(heard, weights, 0.0)
    with np.errstate(invalid="ignore"):  # no model was fitted
        spread = np.sum(np.where(heard, share * (inside + apart), 0.0), axis=1) / share.sum(axis=1)
    values["t1_stderr"] = values["t1"] * np.sqrt(spread)
    times, time_errors, fractions, fraction_errors = of_best(
        [np.moveaxis(fit.components, 0, 1) for fit in fits]
    ).swapaxes(0, 1)
    components = dict(zip(_COMPONENTS, (times, times * time_errors, fractions, fraction_errors), strict=True))
    fitted = np.isfinite(values["t1"])
    names = np.array([fit.model.name for fit in fits], dtype=object)
    meanings = np.array([fit.model.meaning for fit in fits], dtype=object)
    words = {
        "reason": of_best([fit.reason for fit in fits]),
        "model": names[best],
        "t1_meaning": np.where(fitted, meanings[best], ""),
    }
    relaxation = xr.Dataset(
        {name: ("experiment", value) for name, value in (values | words).items()}
        | {name: (("experiment", "component"), value) for name, value in components.items()}
        | {
            "converged": ("experiment", fitted),
            "error_scaled": ("experiment", of_best([fit.scaled for fit in fits])),
            "rows_used": ("experiment", np.isfinite(recovery["signal"].values).sum(axis=1)),
            "model_weight": (("experiment", "candidate"), weights),
            "model_t1": (("experiment", "candidate"), each),
            "fit": (("experiment", "increment"), of_best([fit.curve for fit in fits])),
        },
        coords={"experiment": recovery["experiment"].values, "candidate": _names([fit.model for fit in fits])}
        | {name: recovery[name].variable for name in (*STAGES["relaxation"].coords, "kind")},
    )
    return stamp(relaxation, "relaxation", nucleus=recovery.attrs.get("nucleus", ""), model=said)
