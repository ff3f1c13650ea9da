"""processes -> posterior: one joint set of draws over everything that is uncertain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.findings import attach, attached
from nmrdyn.inference import checks
from nmrdyn.inference.diagnostics import converged, diagnose, modes_agree
from nmrdyn.inference.model import JointModel, measurements
from nmrdyn.inference.modes import find_modes
from nmrdyn.inference.posterior import Outcome, assemble
from nmrdyn.inference.predictive import Branches, branches, curves, predict
from nmrdyn.priors import Prior
from nmrdyn.inference.process import Conductivity, CorrelationTime, Probe, Process
from nmrdyn.inference.sampler import sample
from nmrdyn.motion.checks import of_motion
from nmrdyn.motion.correlation_time import BRANCHES, correlation_time
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.recovery.fit import complete, fit_recovery
from nmrdyn.schema import InputError, stamp


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
    single temperatures are integrated out. Both branches of T1(tau_c) are searched and weighed. Where data give no
    errors, one relative error of all values of the process is sampled too.

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
    if set(known) & set(names):
        raise InputError(f"infer: needed probes and processes of different names, found {set(known) & set(names)}")
    for process in processes:
        if process.probe is not None and process.probe not in known:
            raise InputError(f"{process.name}: needed the probe {process.probe!r}, found {', '.join(known) or 'none'}")

    stages = {process.name: _stages(process, known.get(process.probe or "")) for process in processes}
    data = [measurements(process, stages[process.name][process.datum]) for process in processes]
    model = JointModel(data, known, dict(priors or {}))
    entropy = np.random.SeedSequence(seed)
    search, chain_seed, predict_seed = entropy.spawn(3)
    modes = find_modes(model, np.random.default_rng(search))
    chains = sample(model, modes, seed=chain_seed, ensembles=ensembles, max_steps=max_steps, progress=progress)

    check = diagnose(chains.draws)
    label = modes.nearest(chains.draws.reshape(-1, chains.draws.shape[-1])).reshape(chains.draws.shape[:2])
    agree = modes_agree(label, modes.weight, modes.effective_draws)
    passed = converged(check, chains.autocorrelation_time, chains.kept) and agree
    prediction = predict(model, chains, np.random.default_rng(predict_seed))
    branch = {one.process.name: branches(model, one, chains) for one in data if one.process.datum == "relaxation"}
    for one in data:
        name = one.process.name
        stages[name]["prediction"] = curves(model, one, chains)
        if name in branch:
            stages[name]["motion"] = _with_branches(one.process, stages[name], branch[name])

    remarks = [*checks.of_sampling(check, chains, model, modes, agree=agree)]
    for process, misfit in zip(processes, prediction.misfits, strict=True):
        remarks += checks.of_process(process, stages[process.name], misfit, known.get(process.probe or ""))
    remarks += [
        *checks.of_errors(model),
        *checks.of_priors(model, chains),
        *checks.of_prefactors(model, chains),
        *checks.of_probes(model, known),
    ]
    return assemble(Outcome(processes, seed, model, modes, chains, check, passed, prediction, branch, stages, remarks))


def _stages(process: Process, probe: Probe | None) -> dict[str, xr.Dataset]:
    """Everything on the way from the data of a process to what the likelihood needs, with the probe's errors."""
    given = process.data["temperature_stderr"]
    error = given.fillna(probe.point if probe else 0.0).variable
    data = stamp(process.data.assign_coords(temperature_stderr=error), process.data.attrs["stage"])
    if isinstance(process.mechanism, Conductivity):
        return {"transport": data}
    if isinstance(process.mechanism, CorrelationTime):
        return {"motion": _on_their_branch(data)}
    if process.recovery is not None and data.attrs["stage"] == "recovery":
        stages = {"recovery": data, "relaxation": fit_recovery(data, process.recovery)}
    else:
        stages = {"relaxation": complete(data)}
    try:
        return stages | {"motion": correlation_time(stages["relaxation"], process.mechanism)}
    except InputError as error:
        raise InputError(f"{process.name}: {error}") from error


def _on_their_branch(motion: xr.Dataset) -> xr.Dataset:
    """Correlation times whose one branch whoever made them has chosen, with what later stages ask of motion."""
    known = np.isfinite(motion["tau_c"].values)
    none = ("experiment", np.zeros(len(known), dtype=int))
    given: dict[str, Any] = {
        "branch_probability": (("experiment", "branch"), np.where(known, 1.0, np.nan)),
        "reason": ("experiment", np.full(len(known), "", dtype=object)),
        "rows_used": none,
    }
    missing = {name: value for name, value in given.items() if name not in motion}
    rows = {name: none for name in ("rows_recorded", "rows_planned") if name not in motion}
    return stamp(motion.assign(missing).assign_coords(rows), "motion")


def _with_branches(process: Process, stages: dict[str, xr.Dataset], branch: Branches) -> xr.Dataset:
    """Correlation times with the weights of their branches, and the remarks that follow from these."""
    motion = stages["motion"]
    assert tuple(motion["branch"].values) == BRANCHES
    assert isinstance(process.mechanism, Mechanism)
    probability = np.stack([1 - branch.slow, branch.slow], axis=-1)
    motion = stamp(motion.assign(branch_probability=(("experiment", "branch"), probability)), "motion")
    return attach(motion, [*attached(stages["relaxation"]), *of_motion(motion, process.mechanism)])
