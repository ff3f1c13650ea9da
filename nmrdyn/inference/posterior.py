"""The posterior as a DataTree in ArviZ's layout, with everything that a report needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from math import log
from platform import python_version
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.findings import Finding
from nmrdyn.inference.blocks import Block, Sampled
from nmrdyn.inference.checks import LAW_LEVEL, LAW_ODDS, law_fits
from nmrdyn.inference.diagnostics import LEAST_ESS, LEAST_LENGTH, MOST_R_HAT, Diagnostics
from nmrdyn.inference.measurements import LIKELIHOODS, Measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.observed import Conductivity
from nmrdyn.inference.predictive import Branches, Prediction
from nmrdyn.inference.process import adjustable, law_parameters
from nmrdyn.inference.sampler import DISCARDED
from nmrdyn.laws.phase_transition import PhaseTransition
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import Array

_LABEL = {"transport": "ln_sigma", "diffusion": "ln_d", "relaxation": "ln_t1", "motion": "ln_tau_c"}
_MEASURED = {"transport": "ln σ", "diffusion": "ln D", "relaxation": "ln T1", "motion": "ln tau_c"}


@dataclass(frozen=True)
class Outcome:
    """All that `infer` found out: the draws, what was made of them, and the data of each process by stage."""

    seed: int
    model: JointModel
    sampled: Sampled
    prediction: Prediction
    branch: Mapping[str, Branches]
    laws: Mapping[str, xr.Dataset]
    stages: Mapping[str, Mapping[str, xr.Dataset]]
    budget: xr.Dataset
    influence: xr.Dataset
    stopped: bool


def assemble(outcome: Outcome, findings: Sequence[Finding]) -> xr.DataTree:
    """The DataTree that `infer` returns."""
    from nmrdyn import __version__

    model, sampled = outcome.model, outcome.sampled
    posterior = xr.Dataset(
        {
            name: (("chain", "draw"), sampled.draws[..., k], {"units": model.unit(name)})
            for k, name in enumerate(model.parameters)
        }
    )
    variables: dict[str, dict[str, str]] = {name: {} for name in outcome.stages}
    for one in model.data:
        for label, suffix, value in _barriers(one, model, sampled.draws):
            variable = f"{one.process.name}.activation_energy{suffix}"
            variables[one.process.name][label] = variable
            if variable not in posterior:
                posterior[variable] = (("chain", "draw"), value, {"units": "eV"})
    described_as = dict.fromkeys(f"{one.moves}, {one.walkers} walkers" for one in sampled.chains)
    posterior.attrs |= {
        "sampler": f"emcee {version('emcee')}, {'; '.join(described_as)}, {len(sampled.draws)} ensembles",
        "steps": max(one.steps for one in sampled.chains),
        "discarded": f"1/{DISCARDED}",
        "thinned_by": max(one.thin for one in sampled.chains),
        "acceptance": float(np.mean([one.acceptance for one in sampled.chains])),
        "interrupted": int(sampled.interrupted),
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
    for one, misfit in zip(model.data, outcome.prediction.misfits, strict=True):
        process = one.process
        columns = [k for k, name in enumerate(model.parameters) if name.startswith(f"{process.name}.")]
        alone = Diagnostics(sampled.check.r_hat[columns], sampled.check.ess[columns])
        length = sampled.length[columns]
        described[process.name] = {
            "role": process.role,
            "kind": process.datum,
            "nucleus": process.data.attrs.get("nucleus", ""),
            "mechanism": repr(process.mechanism),
            "convention": process.mechanism.convention if isinstance(process.mechanism, Conductivity) else "",
            "recovery": repr(process.recovery) if process.recovery else process.data.attrs.get("model", ""),
            "law": repr(process.law),
            "law_name": process.law.name,
            "transition": process.law.temperature if isinstance(process.law, PhaseTransition) else None,
            "law_fits": law_fits(process.law.name, misfit, outcome.laws.get(process.name)),
            "laws": _laws(outcome.laws.get(process.name)),
            "parameters": [name for name in law_parameters(process) if name in posterior],
            "barriers": variables[process.name],
            "barriers_at": one.middle,
            "likelihood": LIKELIHOODS[one.likelihood].format(quantity=_MEASURED[process.datum]),
            "t1_meaning": _meanings(outcome.stages[process.name]),
            "probe": ", ".join(sorted(set(map(str, one.probe)) - {""})),
            "left_out": json.loads(process.data.attrs.get("left_out", "{}")),
            "branch": outcome.branch[process.name].overall if process.name in outcome.branch else {},
            "misfit": vars(misfit) | {"level": LAW_LEVEL},
            "diagnostics": {
                "ess": float(alone.ess.min()),
                "r_hat": float(alone.r_hat.max()),
                "autocorrelation_time": float(np.nan_to_num(sampled.autocorrelation_time[columns], posinf=1e9).max()),
                "lengths": float(length.min()),
                "passed": bool(alone.passed and np.all(length >= LEAST_LENGTH)),
            },
        }
    tree: dict[str, xr.Dataset] = {
        "/posterior": posterior,
        "/sample_stats": xr.Dataset({"lp": (("chain", "draw"), sampled.log_posterior)}),
        "/observed_data": xr.Dataset(observed),
        "/posterior_predictive": xr.Dataset(predictive),
    }
    if outcome.influence.sizes.get("run"):
        tree["/influence"] = outcome.influence
    tree["/budget"] = outcome.budget
    for name, parts in outcome.stages.items():
        for stage, dataset in parts.items():
            tree[f"/processes/{name}/{stage}"] = dataset
    result = xr.DataTree.from_dict(tree)
    result.attrs |= {
        "stage": "posterior",
        "nmrdyn_version": __version__,
        "seed": outcome.seed,
        "passed": int(sampled.converged and sampled.agrees),
        "needed": json.dumps(
            {"r_hat": MOST_R_HAT, "ess": LEAST_ESS, "length": LEAST_LENGTH, "law_log_odds": log(LAW_ODDS)}
        ),
        "processes": json.dumps(described),
        "priors": json.dumps({name: repr(prior) for name, prior in model.priors.items()}),
        "fixed": json.dumps(model.fixed),
        "nuisances": json.dumps(nuisances(model)),
        "probes": json.dumps({name: repr(probe) for name, probe in model.probes.items()}),
        "modes": json.dumps([_described(block) for block in sampled.blocks]),
        "warnings": json.dumps([finding.as_dict() for finding in findings]),
        "versions": json.dumps(versions()),
    }
    return result


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide the numbers."""
    return {"python": python_version()} | {
        name: version(name) for name in ("numpy", "scipy", "emcee", "nmrglue", "xarray", "arviz-stats")
    }


def _described(block: Block) -> dict[str, Any]:
    """The modes of the processes that were sampled together."""
    modes, names = block.modes, block.model.parameters
    return {
        "processes": [one.process.name for one in block.model.data],
        "weights": modes.weight.tolist(),
        "weights_stderr": modes.weight_stderr.tolist(),
        "centres": [dict(zip(names, centre, strict=True)) for centre in modes.centre.tolist()],
        "log_evidence": modes.log_evidence,
        "log_evidence_stderr": modes.log_evidence_stderr,
        "draws": len(modes.draws),
        "effective_draws": modes.effective_draws,
    }


def _barriers(one: Measurements, model: JointModel, draws: Array) -> list[tuple[str, str, Array]]:
    """Label, suffix and draws (chain, draw) [eV] of each barrier of a process."""
    flat = draws.reshape(-1, draws.shape[-1])
    found = one.process.law.barriers(one.middle, **model.law_values(one.process, flat))
    return [
        (f"{one.process.name} {suffix}".rstrip(), f"_{suffix}" if suffix else "", value.reshape(draws.shape[:2]))
        for suffix, value in found.items()
    ]


def _laws(evidence: xr.Dataset | None) -> dict[str, dict[str, float | None]]:
    """The evidence of each law that was compared, by its name."""
    if evidence is None:
        return {}
    return {
        str(law): {
            str(name): float(value) if np.isfinite(value) else None
            for name, value in evidence.sel(law=law).data_vars.items()
        }
        for law in evidence["law"].values
    }


def nuisances(model: JointModel) -> dict[str, str]:
    """Every quantity beside the laws that could be uncertain: its prior, its fixed value, or that it was left out."""
    said = {}
    laws = {name for one in model.data for name in law_parameters(one.process)}
    for name, prior in model.priors.items():
        if name not in laws:
            said[name] = f"sampled, {prior!r}"
    for name, value in model.fixed.items():
        if name not in laws:
            said[name] = (
                "left out" if name.endswith(".scatter") and value == 0 else f"fixed at {value:.6g} {model.unit(name)}"
            )
    for one in model.data:
        for name, quantity in adjustable(one.process).items():
            assert isinstance(one.process.mechanism, Mechanism)
            value = next(getattr(part, name) for part in one.process.mechanism.parts if name in part.quantities)
            said.setdefault(f"{one.process.name}.{name}", f"fixed at {value} {quantity.unit}")
    for name in dict.fromkeys(str(name) for one in model.data for name in one.probe if name):
        point = model.probes[name].point
        said[f"{name}.point"] = f"integrated out, {point:g} K" if point > 0 else "left out unless the data give it"
        for error in ("offset", "scale"):
            said.setdefault(f"{name}.{error}", "left out")
    return {name: text.strip() for name, text in sorted(said.items())}


def _meanings(stages: Mapping[str, xr.Dataset]) -> str:
    """Which T1 the experiments of a process have, in words."""
    if "relaxation" not in stages:
        return ""
    return "; ".join(dict.fromkeys(str(meaning) for meaning in stages["relaxation"]["t1_meaning"].values if meaning))
