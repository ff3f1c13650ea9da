"""What a referee would remark on: each finding has a code, a place, and a sentence with numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr

from nmrdyn.inference.diagnostics import LEAST_ESS, LEAST_LENGTH, MOST_R_HAT, Diagnostics, converged
from nmrdyn.inference.model import UNITS, JointModel
from nmrdyn.inference.modes import Modes
from nmrdyn.inference.predictive import Misfit
from nmrdyn.inference.priors import Normal, Uniform
from nmrdyn.inference.process import Conductivity, Probe, Process
from nmrdyn.inference.sampler import Chains
from nmrdyn.motion.quadrupolar import BPP
from nmrdyn.recovery.single import SingleExponential
from nmrdyn.recovery.stretched import StretchedExponential
from nmrdyn.schema import BOLTZMANN_EV

LAW_LEVEL = 0.01
_HIGH_FIELD = 0.05


@dataclass(frozen=True)
class Finding:
    """One remark."""

    code: str
    where: str
    text: str

    def as_dict(self) -> dict[str, str]:
        """As it stands in summary.json."""
        return asdict(self)


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
    units = [UNITS[name.rsplit(".", 1)[1]] for name in model.parameters]
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
        if isinstance(prior, Uniform) and min(middle - prior.low, prior.high - middle) < 2 * spread:
            yield Finding(
                "at-bound",
                name,
                f"the posterior (median {middle:.4g} {units[k]}) leans on an end of its range, "
                f"{prior.low:g} to {prior.high:g}",
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
        if not np.all(np.isfinite(process.data["conductivity_stderr"].values)):
            yield Finding(
                "no-conductivity-error", name, "the table gives no errors: their size was inferred from the scatter"
            )
        return
    relaxation, motion = stages["relaxation"], stages["motion"]
    yield from _of_rows(process, stages)
    yield from _of_motion(process, relaxation, motion)


def _of_rows(process: Process, stages: dict[str, xr.Dataset]) -> Iterator[Finding]:
    name = process.name
    recovery, relaxation = stages.get("recovery"), stages["relaxation"]
    if recovery is not None:
        for experiment, notes in json.loads(recovery.attrs.get("notes", "{}")).items():
            for note in notes:
                yield Finding("reading", f"{name}/{experiment}", note)
    experiments = relaxation["experiment"].values
    reasons = relaxation["reason"].values
    for experiment, t1, reason in zip(experiments, relaxation["t1"].values, reasons, strict=True):
        if np.isnan(t1):
            yield Finding("no-t1", f"{name}/{experiment}", str(reason))
    scaled = experiments[relaxation["error_scaled"].values]
    if scaled.size:
        chi2 = relaxation["reduced_chi2"].values
        yield Finding(
            "recovery-misfit",
            f"{name}/{', '.join(scaled)}",
            f"residuals exceed the measured noise (reduced chi-square up to {np.nanmax(chi2):.3g}): "
            "errors of T1 were scaled by them",
        )
    missing = experiments[np.isnan(relaxation["temperature"].values)]
    if missing.size:
        yield Finding("no-temperature", f"{name}/{', '.join(missing)}", "temperature unknown: not used")
    if isinstance(process.recovery, StretchedExponential):
        yield Finding(
            "stretched-t1", name, "T1 is T1* of a stretched exponential, which is not the initial-rate T1 of BPP theory"
        )


def _of_motion(process: Process, relaxation: xr.Dataset, motion: xr.Dataset) -> Iterator[Finding]:
    name, mechanism = process.name, process.mechanism
    t1 = relaxation["t1"].values
    low = np.flatnonzero(np.isfinite(t1) & ~motion["feasible"].values)
    if low.size:
        kelvin = ", ".join(f"{value:g}" for value in np.sort(motion["temperature"].values[low]))
        shortest = motion["t1_minimum"].values[low].min()
        text = (
            f"T1 at {kelvin} K is shorter than the shortest this mechanism allows ({shortest:.3g} s): "
            "no tau_c exists there"
        )
        if isinstance(mechanism, BPP):
            needed = mechanism.coupling_needed(t1[low], motion["larmor_frequency"].values[low]).max()
            text += f"; C_Q would have to be at least {needed / 1e6:.3g} MHz"
        yield Finding("t1-below-minimum", f"{name}/{', '.join(motion['experiment'].values[low])}", text)
    near = motion["near_minimum"].values
    if near.any():
        where = ", ".join(motion["experiment"].values[near])
        yield Finding("near-minimum", f"{name}/{where}", "T1 is within three standard errors of its minimum")
    larmor = motion["larmor_frequency"].values.min()
    if isinstance(mechanism, BPP) and abs(float(mechanism.cq)) > _HIGH_FIELD * larmor:
        yield Finding(
            "not-high-field",
            name,
            f"C_Q ({float(mechanism.cq) / 1e6:.3g} MHz) is above {_HIGH_FIELD:g} of the Larmor frequency: "
            "the BPP rate, which is of second order, may not hold",
        )
    slow = motion["branch_probability"].sel(branch="slow").values
    spin = mechanism.spin if isinstance(mechanism, BPP) and isinstance(process.recovery, SingleExponential) else None
    if spin is not None and spin > 1 and np.nanmax(slow) > 0.5:
        yield Finding(
            "several-exponentials",
            name,
            f"on the slow branch a spin {spin:g} recovers with several rates unless a common spin temperature holds; "
            "a single exponential then shifts tau0 (at spin 3/2 T1 comes out some 20 % long for the total signal with "
            "delays of 0.01 to 8 T1), and Ea where the T1 minimum is in range",
        )
