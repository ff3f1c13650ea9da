"""What a referee would remark on in a posterior, with what the stages of each process carry."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from nmrdyn.findings import Finding, attached
from nmrdyn.inference.blocks import Sampled
from nmrdyn.inference.diagnostics import LEAST_ESS, LEAST_LENGTH, MOST_R_HAT
from nmrdyn.inference.measurements import QUANTITY, Measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.observed import Conductivity
from nmrdyn.inference.predictive import Misfit
from nmrdyn.inference.process import Probe
from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.laws.phase_transition import PhaseTransition
from nmrdyn.priors import HalfNormal, LogUniform, Normal, Uniform
from nmrdyn.schema import BOLTZMANN_EV, Array

if TYPE_CHECKING:
    from nmrdyn.inference.posterior import Outcome

LAW_LEVEL = 0.01
# Data of one law have such odds for another at most this rarely: once in as many studies.
LAW_ODDS = 100.0
_DECIDES = 2.0  # standard deviations that a barrier moves without one temperature
_PLAUSIBLE_LOG10_TAU0 = (-15.0, -11.0)


def of_outcome(outcome: Outcome) -> Iterator[Finding]:
    """All remarks on a posterior: sampling first, then each process, then priors and probes."""
    model, flat = outcome.model, outcome.sampled.flat
    yield from _of_sampling(outcome.sampled)
    if outcome.stopped:
        yield Finding(
            "interrupted", "posterior", "the comparison of laws and the influence of temperatures were interrupted"
        )
    for one, misfit in zip(model.data, outcome.prediction.misfits, strict=True):
        yield from _of_law(one, misfit, outcome.laws.get(one.process.name))
        yield from _of_process(one, outcome.stages[one.process.name], model.probes)
    yield from _of_influence(outcome.influence)
    yield from _of_errors(model)
    yield from _of_priors(model, flat)
    yield from _of_prefactors(model, flat)
    yield from _of_probes(model)


def _of_sampling(sampled: Sampled) -> Iterator[Finding]:
    """Whether the draws can be believed, and whether more than one mode holds weight."""
    steps = max(chains.steps for chains in sampled.chains)
    if sampled.interrupted:
        yield Finding("interrupted", "posterior", f"sampling was interrupted after {steps} steps")
    if not sampled.converged:
        r_hat, ess, length = np.max(sampled.check.r_hat), sampled.check.ess.min(), sampled.length.min()
        failed = [
            words
            for words, wrong in (
                (f"R-hat {r_hat:.3f} (needed {MOST_R_HAT})", not r_hat <= MOST_R_HAT),
                (f"smallest ESS {ess:.0f} (needed {LEAST_ESS:.0f})", ess < LEAST_ESS),
                (f"{length:.0f} autocorrelation times (needed {LEAST_LENGTH:.0f})", length < LEAST_LENGTH),
            )
            if wrong
        ]
        yield Finding(
            "not-converged",
            "posterior",
            f"the sampler did not converge in {steps} steps: {', '.join(failed)}; no number here can be trusted",
        )
    if not sampled.agrees:
        yield Finding(
            "modes-disagree",
            "posterior",
            "the draws do not visit the modes of the posterior as often as importance sampling weighs them; "
            "no number here can be trusted",
        )
    for block in sampled.blocks:
        heavy = block.modes.weight[block.modes.weight > 1e-4]
        if heavy.size > 1:
            weights = ", ".join(f"{weight:.3f}" for weight in heavy)
            names = ", ".join(one.process.name for one in block.model.data)
            yield Finding("several-modes", names, f"the posterior has {heavy.size} modes of weight {weights}")


def _of_priors(model: JointModel, flat: Array) -> Iterator[Finding]:
    """Where the data pull against what was believed, or lean on the end of what was allowed."""
    units = [model.unit(name) for name in model.parameters]
    for k, (name, prior) in enumerate(model.priors.items()):
        middle, spread = float(np.median(flat[:, k])), float(np.std(flat[:, k]))
        if isinstance(prior, Normal) and abs(middle - prior.mean) > 3 * prior.sd:
            yield Finding(
                "prior-conflict",
                name,
                f"the data pull it to {middle:.4g} {units[k]}, {abs(middle - prior.mean) / prior.sd:.1f} standard "
                f"deviations from its prior, {prior.mean:.4g} ± {prior.sd:.2g} {units[k]}: "
                "mechanism, prior or law is wrong",
            )
        if isinstance(prior, HalfNormal) and middle > 3 * prior.scale:
            yield Finding(
                "prior-conflict",
                name,
                f"the data need {middle:.2g} where at most about {2 * prior.scale:.2g} was believed: "
                "mechanism, law or errors are wrong",
            )
        if not isinstance(prior, Uniform | LogUniform) or spread > 0.25 * (prior.high - prior.low):
            continue  # a uniform of which the data say nothing has a spread of 0.29
        if min(middle - prior.low, prior.high - middle) < 2 * spread:
            yield Finding(
                "at-bound",
                name,
                f"the posterior (median {middle:.4g} {units[k]}) leans on an end of its range, "
                f"{prior.low:g} to {prior.high:g}",
            )


def _of_influence(influence: xr.Dataset) -> Iterator[Finding]:
    """Single temperatures on which a barrier hangs."""
    if "shift_sd" not in influence:
        return
    for run, label in zip(*np.nonzero(np.abs(np.nan_to_num(influence["shift_sd"].values)) > _DECIDES), strict=True):
        one = influence.isel(run=run, barrier=label)
        yield Finding(
            "one-temperature-decides",
            one["experiments"].item(),
            f"without {one['temperature'].item():.1f} K the barrier {one['barrier'].item()} would be "
            f"{1e3 * one['mean'].item():.0f} ± {1e3 * one['sd'].item():.0f} meV, "
            f"{abs(one['shift_sd'].item()):.1f} standard deviations away",
        )


def _of_errors(model: JointModel) -> Iterator[Finding]:
    """Data without errors, whose size had to be inferred."""
    for one in model.data:
        name, known = one.process.name, int(np.isfinite(one.stderr).sum())
        if f"{name}.log10_noise" in model.priors:
            given = f"gives errors of {known} values in {one.stderr.size} only" if known else "gives no errors"
            quantity = QUANTITY[one.process.datum].replace("_", "-")
            yield Finding(f"no-{quantity}-error", name, f"the table {given}: their size was inferred from the scatter")


def _of_prefactors(model: JointModel, flat: Array) -> Iterator[Finding]:
    """Attempt times that no vibration has."""
    low, high = _PLAUSIBLE_LOG10_TAU0
    for k, name in enumerate(model.parameters):
        inside = np.mean((flat[:, k] > low) & (flat[:, k] < high))
        if name.rsplit(".", 1)[1].startswith("log10_tau0") and inside < 0.05:
            yield Finding(
                "tau0-implausible",
                name,
                f"tau0 is about 1e{np.median(flat[:, k]):.1f} s, outside 1e{low:g} to 1e{high:g} s: C_Q, branch, a "
                "distribution of barriers or an activation entropy would explain it",
            )


def _of_probes(model: JointModel) -> Iterator[Finding]:
    """Declarations about temperature that the data do not bear out."""
    for name, probe in model.probes.items():
        users = [one.process.name for one in model.data if name in one.probe]
        if probe.same_runs and len(users) > 1 and not model.runs.shared:
            yield Finding(
                "no-shared-runs", name, f"same_runs is declared, but {', '.join(users)} have no temperature in common"
            )


def _of_law(one: Measurements, misfit: Misfit, laws: xr.Dataset | None) -> Iterator[Finding]:
    """Whether the law of a process describes its data, by itself and beside others."""
    name, law = one.process.name, one.process.law.name
    if misfit.dof > 0 and misfit.p < LAW_LEVEL:
        yield Finding(
            "law-misfit",
            name,
            f"the law {law} does not describe these data: chi-square {misfit.chi2:.0f} for {misfit.dof} degrees of "
            f"freedom (p = {misfit.p_chi2:.2g}; of its curvature, {misfit.p_curvature:.2g}); what it calls a barrier "
            "is none",
        )
    if misfit.dof <= 0:
        yield Finding(
            "law-untested",
            name,
            f"whether the law {law} describes these data cannot be told: {_untested(one)}",
        )
    better, gain = _better(law, laws)
    if gain > np.log(LAW_ODDS):
        yield Finding(
            "another-law",
            name,
            f"the data speak for the law {better} over {law}, by {gain:.1f} in ln(evidence): odds above "
            f"{LAW_ODDS:.0f}, so that what {law} calls a barrier is none",
        )


def _untested(one: Measurements) -> str:
    """Why the law of a process was not tested."""
    if not np.all(np.isfinite(one.stderr)):
        return "the table gives no errors, so that scatter cannot be told from curvature"
    n = np.unique(one.temperature).size
    return f"{n} temperatures always agree with its {len(one.process.law.parameters)} parameters"


def law_fits(law: str, misfit: Misfit, laws: xr.Dataset | None) -> bool:
    """Whether a law may be said to have a barrier: it describes its data, and no other does so much better."""
    return bool(not (misfit.dof > 0 and misfit.p < LAW_LEVEL) and _better(law, laws)[1] <= np.log(LAW_ODDS))


def _better(law: str, laws: xr.Dataset | None) -> tuple[str, float]:
    """The law of the largest evidence, and by how much its logarithm exceeds that of `law`, for all its error.

    Only Arrhenius claims that there is one barrier; the others are not wrong where they are not needed.
    """
    if laws is None or law != Arrhenius.name:
        return law, 0.0
    best, own = laws.isel(law=int(np.argmax(laws["log_evidence"].values))), laws.sel(law=law)
    error = np.hypot(best["log_evidence_stderr"], own["log_evidence_stderr"])
    return str(best["law"].item()), float(best["log_evidence"] - own["log_evidence"] - 3 * error)


def _of_process(one: Measurements, stages: Mapping[str, xr.Dataset], probes: Mapping[str, Probe]) -> Iterator[Finding]:
    """Remarks on the data of one process and its mechanism."""
    process, name = one.process, one.process.name
    used = [probes[str(probe)] for probe in set(one.probe) - {""}]
    if not one.temperature_stderr.any() and not any(probe.offset or probe.scale for probe in used):
        yield Finding(
            "no-temperature-error",
            name,
            "no temperature error was given: the interval takes every temperature as exact",
        )
    if isinstance(process.law, PhaseTransition) and process.law.temperature is not None:
        yield Finding(
            "two-phases",
            name,
            f"the data lie on both sides of the phase transition at {process.law.temperature:g} K: each side has a "
            "barrier of its own",
        )
    left_out: dict[str, list[str]] = {}
    for experiment, why in json.loads(process.data.attrs.get("left_out", "{}")).items():
        left_out.setdefault(why, []).append(experiment)
    for why, experiments in left_out.items():
        yield Finding("left-out", f"{name}/{', '.join(experiments)}", f"left out: {why}")
    for finding in attached(stages.get("motion", process.data)):
        yield Finding(finding.code, f"{name}/{finding.where}" if finding.where else name, finding.text)
    if isinstance(process.mechanism, Conductivity) and process.mechanism.convention == "sigma":
        kt = 1e3 * BOLTZMANN_EV * float(process.data["temperature"].mean())
        yield Finding(
            "sigma-convention",
            name,
            f"the barrier is that of sigma, which is about kT ({kt:.0f} meV) lower than that of sigma T; "
            "only the latter compares with barriers of tau_c",
        )
