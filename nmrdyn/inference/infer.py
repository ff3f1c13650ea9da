"""processes -> posterior: one joint set of draws over everything that is uncertain."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from nmrdyn.inference import checks
from nmrdyn.inference.blocks import sample_blocks
from nmrdyn.inference.budget import error_budget
from nmrdyn.inference.evidence import candidates, evidence_of
from nmrdyn.inference.influence import influence
from nmrdyn.inference.measurements import LIKELIHOODS, measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.posterior import Outcome, assemble
from nmrdyn.inference.predictive import branches, curves, predict
from nmrdyn.inference.process import Probe, Process
from nmrdyn.inference.stages import stages_of, with_branches
from nmrdyn.priors import Prior
from nmrdyn.progress import track
from nmrdyn.schema import Array, InputError


@threadpool_limits.wrap(limits=1)  # with more, the last digits of sums depend on their number
def infer(
    processes: Sequence[Process],
    *,
    seed: int,
    probes: Iterable[Probe] = (),
    priors: Mapping[str, Prior | float] | None = None,
    likelihood: str = "traces",
    ensembles: int = 2,
    max_steps: int = 20_000,
    progress: bool = False,
    checkpoint: str | Path | None = None,
) -> xr.DataTree:
    """The joint posterior of the barriers of all processes.

    Sampled are, for each process, the parameters of its law (Arrhenius: the activation energy, uniform from 0 to 2 eV,
    and log10 tau0/s, uniform from -18 to -8; a conductivity has a log10 prefactor in place of it), the scatter between
    experiments beyond their errors, what of its mechanism has a prior, and offset and scale of each probe. Errors of
    single temperatures are integrated out. Both branches of T1(tau_c) are searched and weighed. Where data give no
    errors, one relative error of all values of the process is sampled in place of the scatter.

    Parameters
    ----------
    processes : n processes with different names
    seed : makes every draw; the same processes and seed give the same posterior
    probes : the thermometers that the processes name
    priors : by "PROCESS.quantity", such as {"BH4.cq": Normal(0.10e6, 0.005e6)}. A number fixes a quantity, so that
        {"BH4.scatter": 0.0} leaves the scatter out; a quantity of a mechanism that is not named has the mechanism's
        value
    likelihood : "traces" takes the recovery of each experiment with amplitude, depth and noise integrated out (single
        and stretched exponentials, and populations, whose rates all follow from tau_c); other data are ln T1 with a
        Student-t error, as all are with "t1". "fast" also takes temperature errors to first order, for hundreds of
        temperatures
    ensembles : independent ensembles, which become the chains
    max_steps : where to stop if the diagnostics have not passed
    progress : show a progress bar
    checkpoint : a file that keeps what was drawn, from which the same call goes on to the same draws. An interrupt from
        the keyboard is then passed on; without it, it ends the sampling, and the posterior says so

    Returns
    -------
    posterior : DataTree in ArviZ's layout. `/posterior (chain, draw)` holds PROCESS.activation_energy and the rest;
        `/processes/NAME` the data of each process, `/budget` where the variance of each barrier comes from,
        `/influence` what each is without one temperature; `attrs["warnings"]` a JSON list of {code, where, text}.

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
    known = _checked(processes, probes, likelihood)
    believed = dict(priors or {})
    stages = {one.name: stages_of(one, known) for one in track(processes, "fitting recoveries", unit="process")}
    data = [
        measurements(
            process,
            stages[process.name],
            likelihood=likelihood,
            scatter=believed.get(f"{process.name}.scatter") != 0,
        )
        for process in processes
    ]
    model = JointModel(data, known, believed, fast=likelihood == "fast")
    draw_seed, predict_seed, law_seed, influence_seed = np.random.SeedSequence(seed).spawn(4)
    sampled = sample_blocks(
        model,
        seed=draw_seed,
        ensembles=ensembles,
        max_steps=max_steps,
        progress=progress,
        reported=reported,
        checkpoint=None if checkpoint is None else Path(checkpoint),
    )
    flat = sampled.flat
    prediction = predict(model, flat, np.random.default_rng(predict_seed))
    branch = {one.process.name: branches(model, one, flat) for one in data if one.process.datum == "relaxation"}
    for one in data:
        name = one.process.name
        stages[name]["prediction"] = curves(model, one, flat)
        if name in branch:
            stages[name]["motion"] = with_branches(one.process, stages[name], branch[name])
    laws: dict[str, xr.Dataset] = {}
    left_out: list[xr.Dataset] = []
    stopped = False
    try:  # what was drawn is not lost to an interrupt while more is asked of it
        for one, child in zip(data, law_seed.spawn(len(data)), strict=True):
            if others := candidates(one):
                laws[one.process.name] = evidence_of(one, others, known, believed, seed=child, fast=model.fast)
        for block, child in zip(sampled.blocks, influence_seed.spawn(len(sampled.blocks)), strict=True):
            left_out.append(influence(block.model, block.flat, modes=block.modes, seed=child))
    except KeyboardInterrupt:
        if checkpoint is not None:
            raise
        stopped = True
    outcome = Outcome(
        seed=seed,
        model=model,
        sampled=sampled,
        prediction=prediction,
        branch=branch,
        laws=laws,
        stages=stages,
        budget=error_budget(model, flat, sampled.label.ravel()),
        # What one block would be without a temperature of another is not asked.
        influence=xr.concat(left_out, dim="run", join="outer") if left_out else xr.Dataset(),
        stopped=stopped,
    )
    return assemble(outcome, [*checks.of_outcome(outcome)])


def reported(model: JointModel, theta: Array) -> Array:
    """Barriers and their differences (draw, quantity), which must have converged too."""
    barriers = list(model.barriers(theta).values())
    return np.stack([*barriers, *(a - b for a, b in itertools.combinations(barriers, 2))], axis=1)


def _checked(processes: Sequence[Process], probes: Iterable[Probe], likelihood: str) -> dict[str, Probe]:
    """The probes by name, if everything that is named is there once."""
    names = [process.name for process in processes]
    if not processes:
        raise InputError("infer: needed at least one process, found none")
    if len(set(names)) < len(names):
        raise InputError(f"infer: needed processes with different names, found {', '.join(names)}")
    if likelihood not in LIKELIHOODS:
        raise InputError(f"infer: needed a likelihood among {', '.join(LIKELIHOODS)}, found {likelihood!r}")
    known = {probe.name: probe for probe in probes}
    if set(known) & set(names):
        raise InputError(f"infer: needed probes and processes of different names, found {set(known) & set(names)}")
    for process in processes:
        for name in set(process.probes) - {"", *known}:
            raise InputError(f"{process.name}: needed the probe {name!r}, found {', '.join(known) or 'none'}")
    return known
