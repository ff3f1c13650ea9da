"""What a referee would remark on in a posterior, with what the stages of each process carry."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import xarray as xr

from nmrdyn.findings import Finding, attached
from nmrdyn.inference.diagnostics import LEAST_ESS, LEAST_LENGTH, MOST_R_HAT, Diagnostics, converged
from nmrdyn.inference.model import QUANTITY, JointModel
from nmrdyn.inference.modes import Modes
from nmrdyn.inference.predictive import Misfit
from nmrdyn.priors import Normal, Uniform
from nmrdyn.inference.process import Conductivity, Probe, Process
from nmrdyn.inference.sampler import Chains
from nmrdyn.schema import BOLTZMANN_EV

LAW_LEVEL = 0.01
_PLAUSIBLE_LOG10_TAU0 = (-15.0, -11.0)


def of_sampling(
    check: Diagnostics, chains: Chains, model: JointModel, modes: Modes, *, agree: bool
) -> Iterator[Finding]:
    """Whether the draws can be believed, and whether more than one mode holds weight."""
    if not converged(check, chains.autocorrelation_time, chains.kept):
        worst = int(np.nanargmax(np.nan_to_num(check.r_hat, nan=np.inf)))
        yield Finding(
            "not-converged",
            model.parameters[worst],
            f"the sampler did not converge in {chains.steps} steps: R-hat {check.r_hat[worst]:.3f} "
            f"(needed {MOST_R_HAT}), smallest ESS {check.ess.min():.0f} (needed {LEAST_ESS:.0f}), "
            f"{chains.kept / chains.autocorrelation_time.max():.0f} autocorrelation times (needed {LEAST_LENGTH:.0f}); "
            "no number here can be trusted",
        )
    if not agree:
        yield Finding(
            "modes-disagree",
            "posterior",
            "the draws do not visit the modes of the posterior as often as importance sampling weighs them; "
            "no number here can be trusted",
        )
    heavy = modes.weight[modes.weight > 1e-4]
    if heavy.size > 1:
        weights = ", ".join(f"{weight:.3f}" for weight in heavy)
        yield Finding("several-modes", "posterior", f"the posterior has {heavy.size} modes of weight {weights}")


def of_priors(model: JointModel, chains: Chains) -> Iterator[Finding]:
    """Where the data pull against what was believed, or lean on the end of what was allowed."""
    flat = chains.draws.reshape(-1, chains.draws.shape[-1])
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
        if not isinstance(prior, Uniform) or spread > 0.25 * (prior.high - prior.low):
            continue  # a uniform of which the data say nothing has a spread of 0.29
        if min(middle - prior.low, prior.high - middle) < 2 * spread:
            yield Finding(
                "at-bound",
                name,
                f"the posterior (median {middle:.4g} {units[k]}) leans on an end of its range, "
                f"{prior.low:g} to {prior.high:g}",
            )


def of_errors(model: JointModel) -> Iterator[Finding]:
    """Data without errors, whose size had to be inferred."""
    for one in model.data:
        name, known = one.process.name, int(np.isfinite(one.stderr).sum())
        if f"{name}.log10_noise" in model.priors:
            given = f"gives errors of {known} values in {one.stderr.size} only" if known else "gives no errors"
            quantity = QUANTITY[one.process.datum].replace("_", "-")
            yield Finding(f"no-{quantity}-error", name, f"the table {given}: their size was inferred from the scatter")


def of_prefactors(model: JointModel, chains: Chains) -> Iterator[Finding]:
    """Attempt times that no vibration has."""
    low, high = _PLAUSIBLE_LOG10_TAU0
    flat = chains.draws.reshape(-1, chains.draws.shape[-1])
    for k, name in enumerate(model.parameters):
        inside = np.mean((flat[:, k] > low) & (flat[:, k] < high))
        if name.endswith(".log10_tau0") and inside < 0.05:
            yield Finding(
                "tau0-implausible",
                name,
                f"tau0 is about 1e{np.median(flat[:, k]):.1f} s, outside 1e{low:g} to 1e{high:g} s: C_Q, branch, a "
                "distribution of barriers or an activation entropy would explain it",
            )


def of_probes(model: JointModel, probes: dict[str, Probe]) -> Iterator[Finding]:
    """Declarations about temperature that the data do not bear out."""
    for name, probe in probes.items():
        users = [one.process.name for one in model.data if one.process.probe == name]
        if probe.same_runs and len(users) > 1 and not model.shared_runs:
            yield Finding(
                "no-shared-runs", name, f"same_runs is declared, but {', '.join(users)} have no temperature in common"
            )


def of_process(
    process: Process, stages: dict[str, xr.Dataset], misfit: Misfit, probe: Probe | None
) -> Iterator[Finding]:
    """Remarks on the data of one process, its mechanism and its law."""
    name = process.name
    if misfit.dof > 0 and misfit.p < LAW_LEVEL:
        yield Finding(
            "law-misfit",
            name,
            "one straight Arrhenius line does not describe these data: chi-square "
            f"{misfit.chi2:.0f} for {misfit.dof} degrees of freedom (p = {misfit.p:.2g}); its slope is no barrier",
        )
    if misfit.dof <= 0:
        yield Finding(
            "law-untested",
            name,
            "whether one barrier describes these data cannot be told: two temperatures always lie on a line, and "
            "scatter cannot be told from curvature where the table gives no errors",
        )
    if probe is None or (probe.point == 0 and probe.offset == 0):
        data = process.data["temperature_stderr"].values
        if not np.any(data > 0):
            yield Finding(
                "no-temperature-error",
                name,
                "no temperature error was given: the interval takes every temperature as exact",
            )
    kelvin = process.data["temperature"].values
    at = process.transition
    if at is not None and np.nanmin(kelvin) < at < np.nanmax(kelvin):
        yield Finding(
            "across-transition",
            name,
            f"the data lie on both sides of the phase transition at {at:g} K: one law across it has no meaning; "
            "give each phase a process of its own",
        )
    left_out: dict[str, list[str]] = {}
    for experiment, why in json.loads(process.data.attrs.get("left_out", "{}")).items():
        left_out.setdefault(why, []).append(experiment)
    for why, experiments in left_out.items():
        yield Finding("left-out", f"{name}/{', '.join(experiments)}", f"left out: {why}")
    if isinstance(process.mechanism, Conductivity):
        if process.mechanism.convention == "sigma":
            kt = 1e3 * BOLTZMANN_EV * float(process.data["temperature"].mean())
            yield Finding(
                "sigma-convention",
                name,
                f"the barrier is that of sigma, which is about kT ({kt:.0f} meV) lower than that of sigma T; "
                "only the latter compares with barriers of tau_c",
            )
        return
    for finding in attached(stages["motion"]):
        yield Finding(finding.code, f"{name}/{finding.where}" if finding.where else name, finding.text)
