"""The posterior as a DataTree in ArviZ's layout, with everything that a report needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from platform import python_version

import xarray as xr

from nmrdyn.findings import Finding
from nmrdyn.inference.checks import LAW_LEVEL
from nmrdyn.inference.diagnostics import LEAST_ESS, LEAST_LENGTH, MOST_R_HAT, Diagnostics, converged
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import Modes
from nmrdyn.inference.predictive import Branches, Prediction
from nmrdyn.inference.process import Conductivity, Process
from nmrdyn.inference.sampler import Chains

_LABEL = {"transport": "ln_sigma", "relaxation": "ln_t1", "motion": "ln_tau_c"}


@dataclass(frozen=True)
class Outcome:
    """All that `infer` found out: the draws, what was made of them, and the data of each process by stage."""

    processes: Sequence[Process]
    seed: int
    model: JointModel
    modes: Modes
    chains: Chains
    check: Diagnostics
    passed: bool
    prediction: Prediction
    branch: Mapping[str, Branches]
    stages: Mapping[str, Mapping[str, xr.Dataset]]
    findings: Sequence[Finding]


def assemble(outcome: Outcome) -> xr.DataTree:
    """The DataTree that `infer` returns."""
    from nmrdyn import __version__

    model, chains, check = outcome.model, outcome.chains, outcome.check
    posterior = xr.Dataset(
        {
            name: (("chain", "draw"), chains.draws[..., k], {"units": model.unit(name)})
            for k, name in enumerate(model.parameters)
        }
    )
    posterior.attrs |= {
        "sampler": f"emcee {version('emcee')}, {chains.moves}, {chains.walkers} walkers, {len(chains.draws)} ensembles",
        "steps": chains.steps,
        "kept_steps": chains.kept,
        "thinned_by": chains.thin,
        "acceptance": chains.acceptance,
    }
    observed, predictive, start = {}, {}, 0
    for one in model.data:
        part = slice(start, start + one.value.size)
        start += one.value.size
        label = _LABEL[one.process.datum]
        dims = (f"{one.process.name}.experiment",)
        observed[f"{one.process.name}.{label}"] = (dims, one.value)
        predictive[f"{one.process.name}.{label}"] = (
            ("chain", "draw", *dims),
            outcome.prediction.replicated[None, :, part],
        )
    described = {}
    for process, misfit in zip(outcome.processes, outcome.prediction.misfits, strict=True):
        columns = [k for k, name in enumerate(model.parameters) if name.startswith(f"{process.name}.")]
        tau = chains.autocorrelation_time[columns]
        alone = Diagnostics(check.r_hat[columns], check.ess[columns])
        described[process.name] = {
            "role": process.role,
            "kind": process.datum,
            "nucleus": process.data.attrs.get("nucleus", ""),
            "mechanism": repr(process.mechanism),
            "convention": process.mechanism.convention if isinstance(process.mechanism, Conductivity) else "",
            "recovery": repr(process.recovery) if process.recovery else process.data.attrs.get("model", ""),
            "law": repr(process.law),
            "t1_meaning": _meanings(outcome.stages[process.name]),
            "probe": process.probe or "",
            "left_out": json.loads(process.data.attrs.get("left_out", "{}")),
            "branch": outcome.branch[process.name].overall if process.name in outcome.branch else {},
            "misfit": {"chi2": misfit.chi2, "dof": misfit.dof, "p": misfit.p, "level": LAW_LEVEL},
            "diagnostics": {
                "ess": float(check.ess[columns].min()),
                "r_hat": float(check.r_hat[columns].max()),
                "autocorrelation_time": float(tau.max()),
                "lengths": chains.kept / float(tau.max()),
                "passed": bool(converged(alone, tau, chains.kept)),
            },
        }
    tree: dict[str, xr.Dataset] = {
        "/posterior": posterior,
        "/sample_stats": xr.Dataset({"lp": (("chain", "draw"), chains.log_posterior)}),
        "/observed_data": xr.Dataset(observed),
        "/posterior_predictive": xr.Dataset(predictive),
    }
    for name, parts in outcome.stages.items():
        for stage, dataset in parts.items():
            tree[f"/processes/{name}/{stage}"] = dataset
    result = xr.DataTree.from_dict(tree)
    result.attrs |= {
        "stage": "posterior",
        "nmrdyn_version": __version__,
        "seed": outcome.seed,
        "passed": int(outcome.passed),
        "needed": json.dumps({"r_hat": MOST_R_HAT, "ess": LEAST_ESS, "length": LEAST_LENGTH}),
        "processes": json.dumps(described),
        "priors": json.dumps({name: repr(prior) for name, prior in model.priors.items()}),
        "probes": json.dumps({name: repr(probe) for name, probe in model.probes.items()}),
        "modes": json.dumps(
            {
                "weights": [float(weight) for weight in outcome.modes.weight],
                "centres": [
                    dict(zip(model.parameters, map(float, centre), strict=True)) for centre in outcome.modes.centre
                ],
                "draws": len(outcome.modes.draws),
                "effective_draws": outcome.modes.effective_draws,
            }
        ),
        "warnings": json.dumps([finding.as_dict() for finding in outcome.findings]),
        "versions": json.dumps(
            {"python": python_version()}
            | {name: version(name) for name in ("numpy", "scipy", "emcee", "nmrglue", "xarray", "arviz-stats")}
        ),
    }
    return result


def _meanings(stages: Mapping[str, xr.Dataset]) -> str:
    """Which T1 the experiments of a process have, in words."""
    if "relaxation" not in stages:
        return ""
    return "; ".join(dict.fromkeys(str(meaning) for meaning in stages["relaxation"]["t1_meaning"].values if meaning))
