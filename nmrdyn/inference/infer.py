"""processes -> posterior: one joint set of draws over everything that is uncertain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from platform import python_version

import numpy as np
import xarray as xr
from scipy.stats import chi2

from nmrdyn.inference import findings
from nmrdyn.inference.diagnostics import LEAST_LENGTH, Diagnostics, converged, diagnose
from nmrdyn.inference.findings import Finding, Misfit
from nmrdyn.inference.model import JointModel, Measurements, measurements
from nmrdyn.inference.modes import Modes, find_modes
from nmrdyn.inference.priors import Prior
from nmrdyn.inference.process import Conductivity, Probe, Process
from nmrdyn.inference.sampler import Chains, sample
from nmrdyn.motion.correlation_time import BRANCHES, correlation_time
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.recovery.fit import fit_recovery
from nmrdyn.schema import Array, InputError

_PREDICTIVE_DRAWS = 500
_CURVE_POINTS = 60
_QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
_CURVE_UNITS = {"t1": "s", "tau_c": "s", "conductivity": "S/m"}
UNITS = {"activation_energy": "eV", "log10_tau0": "log10(s)", "cq": "Hz", "offset": "K", "log10_noise": "", "eta": ""}


def infer(
    processes: Sequence[Process],
    *,
    seed: int,
    probes: Iterable[Probe] = (),
    priors: Mapping[str, Prior] | None = None,
    ensembles: int = 2,
    max_steps: int = 20_000,
    progress: bool = False,
) -> xr.DataTree:
    """The joint posterior of the barriers of all processes.

    Sampled are, for each process, the activation energy [eV, uniform 0 to 2] and log10 tau0/s [uniform -18 to -8] (or
    the log10 prefactor of a conductivity), C_Q and eta where they have priors, and the offset of each probe. Errors of
    single temperatures are integrated out. Both branches of T1(tau_c) are searched and weighed.

    Parameters
    ----------
    processes : n processes with different names
    seed : makes every draw; the same processes and seed give the same posterior
    probes : the thermometers that the processes name
    priors : by "PROCESS.quantity", such as {"BH4.cq": Normal(0.10e6, 0.005e6)}; a quantity without one is fixed
    ensembles : independent ensembles, which become the chains
    max_steps : where to stop if the diagnostics have not passed
    progress : show a progress bar

    Returns
    -------
    posterior : DataTree in ArviZ's layout. `/posterior (chain, draw)` holds PROCESS.activation_energy and the rest;
        `/processes/NAME` the data of each process; `attrs["warnings"]` a JSON list of {code, where, text}.

    Raises
    ------
    InputError
        For processes, probes or priors that do not go together.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, snr=200,
    ...     activation_energy=0.45, tau_c=1e-5, reference_temperature=333.15, temperature=range(290, 340, 5))
    >>> hop = nd.Process("hop", nd.simulate(truth, seed=1), recovery=nd.SingleExponential(),
    ...     mechanism=nd.BPP(nucleus="23Na", cq=1e6, eta=0.1))
    >>> barrier = nd.infer([hop], seed=1)["posterior"]["hop.activation_energy"]
    >>> bool(abs(barrier.mean() - 0.45) < 3 * barrier.std())
    True
    """
    names = [process.name for process in processes]
    if not processes:
        raise InputError("infer: needed at least one process, found none")
    if len(set(names)) < len(names):
        raise InputError(f"infer: needed processes with different names, found {', '.join(names)}")
    known = {probe.name: probe for probe in probes}
    for process in processes:
        if process.probe is not None and process.probe not in known:
            raise InputError(f"{process.name}: needed the probe {process.probe!r}, found {', '.join(known) or 'none'}")

    stages = {process.name: _stages(process) for process in processes}
    data = [
        measurements(process, stages[process.name][_datum(process)], known.get(process.probe or ""))
        for process in processes
    ]
    model = JointModel(data, known, dict(priors or {}))
    entropy = np.random.SeedSequence(seed)
    search, chain_seed, predict_seed = entropy.spawn(3)
    modes = find_modes(model, np.random.default_rng(search))
    chains = sample(model, modes, seed=chain_seed, ensembles=ensembles, max_steps=max_steps, progress=progress)

    check = diagnose(chains.draws)
    passed = converged(check, chains.autocorrelation_time, chains.kept)
    prediction = _predict(model, chains, np.random.default_rng(predict_seed))
    branch = {one.process.name: _branches(model, one, chains) for one in data if _is_nmr(one)}
    for name, probabilities in branch.items():
        if "motion" in stages[name]:
            stages[name]["motion"] = _with_branches(stages[name]["motion"], probabilities)

    for one in data:
        stages[one.process.name]["prediction"] = _curves(model, one, chains)

    found = [*findings.of_sampling(passed, check, chains, model, modes)]
    for process, misfit in zip(processes, prediction.misfits, strict=True):
        found += findings.of_process(process, stages[process.name], misfit, known.get(process.probe or ""))
    found += findings.of_probes(model, known)
    return _tree(processes, model, modes, chains, stages, prediction, branch, check, passed, found, seed)


def _datum(process: Process) -> str:
    return "transport" if isinstance(process.mechanism, Conductivity) else "relaxation"


def _is_nmr(one: Measurements) -> bool:
    return isinstance(one.process.mechanism, Mechanism)


def _stages(process: Process) -> dict[str, xr.Dataset]:
    """Everything on the way from the data of a process to what the likelihood needs."""
    if isinstance(process.mechanism, Conductivity):
        return {"transport": process.data}
    if process.data.attrs["stage"] == "recovery":
        assert process.recovery is not None  # checked by Process
        stages = {"recovery": process.data, "relaxation": fit_recovery(process.data, process.recovery)}
    else:
        stages = {"relaxation": process.data}
    return stages | {"motion": correlation_time(stages["relaxation"], process.mechanism)}


@dataclass(frozen=True)
class _Prediction:
    """Replicated data (draw, row), and how well each process is described."""

    replicated: Array
    misfits: list[Misfit]


def _predict(model: JointModel, chains: Chains, rng: np.random.Generator) -> _Prediction:
    flat = chains.draws.reshape(-1, chains.draws.shape[-1])
    theta = flat[np.linspace(0, len(flat) - 1, min(_PREDICTIVE_DRAWS, len(flat))).astype(int)]
    residual, slope = model.residuals(theta)
    value, stderr, dof = model.spread(theta)
    error = rng.standard_normal((len(theta), model.n_runs, 1))
    noise = stderr * rng.standard_t(dof, size=stderr.shape)
    replicated = model.predict(theta, error)[..., 0] + noise
    squares = residual**2 / (stderr**2 + slope**2)
    misfits, start = [], 0
    for one in model.data:
        part = slice(start, start + one.value.size)
        start += one.value.size
        best = float(squares[:, part].sum(axis=1).min())
        free = len(one.process.law.parameters)
        left = one.value.size - free
        p = float(chi2.sf(best, left)) if left > 0 else np.nan
        misfits.append(Misfit(best, left, p))
    return _Prediction(replicated, misfits)


def _branches(model: JointModel, one: Measurements, chains: Chains) -> dict[str, Array | float]:
    """Probability of each branch for the whole range of temperatures, and of the slow one at each."""
    process = one.process
    assert isinstance(process.mechanism, Mechanism)
    flat = chains.draws.reshape(-1, chains.draws.shape[-1])
    theta = flat[:: max(1, len(flat) // 4000)]
    arguments = {name: model.column(theta, f"{process.name}.{name}")[:, None] for name in process.law.parameters}
    tau = process.law.correlation_time(one.temperature, **arguments)
    slow = tau > process.mechanism.turning_point(one.larmor_frequency)[0]
    everywhere, nowhere = slow.all(axis=1), ~slow.any(axis=1)
    at_each = np.full(process.data.sizes["experiment"], np.nan)
    at_each[one.rows.astype(int)] = slow.mean(axis=0)
    return {
        "fast": float(nowhere.mean()),
        "slow": float(everywhere.mean()),
        "crossing": float((~everywhere & ~nowhere).mean()),
        "slow_at_each": at_each,
    }


def _curves(model: JointModel, one: Measurements, chains: Chains) -> xr.Dataset:
    """Quantiles of what the law says between and a little beyond the measured temperatures."""
    process = one.process
    flat = chains.draws.reshape(-1, chains.draws.shape[-1])
    theta = flat[:: max(1, len(flat) // 1000)]
    inverse = np.linspace(1 / one.temperature.max(), 1 / one.temperature.min(), _CURVE_POINTS)
    inverse = inverse[0] + (inverse - inverse[0]) * 1.1 - 0.05 * np.ptp(inverse)
    kelvin = 1 / inverse
    grid = replace(one, temperature=kelvin, larmor_frequency=np.full(_CURVE_POINTS, np.median(one.larmor_frequency)))
    value = np.exp(model.predict_process(grid, theta, kelvin[None, :, None])[..., 0])
    shapes = {"conductivity" if isinstance(process.mechanism, Conductivity) else "t1": value}
    if isinstance(process.mechanism, Mechanism):
        arguments = {name: model.column(theta, f"{process.name}.{name}")[:, None] for name in process.law.parameters}
        shapes["tau_c"] = process.law.correlation_time(kelvin, **arguments)
    return xr.Dataset(
        {
            name: (("quantile", "grid"), np.quantile(curve, _QUANTILES, axis=0), {"units": _CURVE_UNITS[name]})
            for name, curve in shapes.items()
        },
        coords={"quantile": list(_QUANTILES), "temperature": ("grid", kelvin, {"units": "K"})},
    )


def _with_branches(motion: xr.Dataset, probabilities: dict[str, Array | float]) -> xr.Dataset:
    slow = np.asarray(probabilities["slow_at_each"])
    motion = motion.assign(branch_probability=(("experiment", "branch"), np.stack([1 - slow, slow], axis=-1)))
    assert tuple(motion["branch"].values) == BRANCHES
    return motion


def _tree(
    processes: Sequence[Process],
    model: JointModel,
    modes: Modes,
    chains: Chains,
    stages: dict[str, dict[str, xr.Dataset]],
    prediction: _Prediction,
    branch: dict[str, dict[str, Array | float]],
    check: Diagnostics,
    passed: bool,
    found: list[Finding],
    seed: int,
) -> xr.DataTree:
    from nmrdyn import __version__

    posterior = xr.Dataset(
        {
            name: (("chain", "draw"), chains.draws[..., k], {"units": UNITS.get(name.rsplit(".", 1)[1], "")})
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
        label = "ln_sigma" if isinstance(one.process.mechanism, Conductivity) else "ln_t1"
        dims = (f"{one.process.name}.experiment",)
        observed[f"{one.process.name}.{label}"] = (dims, one.value)
        predictive[f"{one.process.name}.{label}"] = (("chain", "draw", *dims), prediction.replicated[None, :, part])
    described = {}
    for process, misfit in zip(processes, prediction.misfits, strict=True):
        columns = [k for k, name in enumerate(model.parameters) if name.startswith(f"{process.name}.")]
        tau = chains.autocorrelation_time[columns]
        alone = Diagnostics(check.r_hat[columns], check.ess[columns])
        described[process.name] = {
            "role": process.role,
            "kind": _datum(process),
            "nucleus": process.data.attrs.get("nucleus", ""),
            "mechanism": repr(process.mechanism),
            "recovery": repr(process.recovery) if process.recovery else process.data.attrs.get("model", ""),
            "law": repr(process.law),
            "probe": process.probe or "",
            "branch": {k: v for k, v in branch.get(process.name, {}).items() if k != "slow_at_each"},
            "misfit": {"chi2": misfit.chi2, "dof": misfit.dof, "p": misfit.p, "level": findings.MISFIT_LEVEL},
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
    for name, parts in stages.items():
        for stage, dataset in parts.items():
            tree[f"/processes/{name}/{stage}"] = dataset
    result = xr.DataTree.from_dict(tree)
    result.attrs |= {
        "stage": "posterior",
        "nmrdyn_version": __version__,
        "seed": seed,
        "passed": int(passed),
        "processes": json.dumps(described),
        "priors": json.dumps({name: repr(prior) for name, prior in model.priors.items()}),
        "probes": json.dumps({name: repr(probe) for name, probe in model.probes.items()}),
        "modes": json.dumps(
            {
                "weights": [float(weight) for weight in modes.weight],
                "centres": [dict(zip(model.parameters, map(float, centre), strict=True)) for centre in modes.centre],
                "effective_draws": modes.effective_draws,
            }
        ),
        "warnings": json.dumps([finding.as_dict() for finding in found]),
        "versions": json.dumps(
            {"python": python_version()}
            | {name: version(name) for name in ("numpy", "scipy", "emcee", "nmrglue", "xarray", "arviz-stats")}
        ),
        "least_length": LEAST_LENGTH,
    }
    return result
