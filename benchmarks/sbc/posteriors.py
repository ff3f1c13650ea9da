"""The posterior of a study by each method: all that the calibration knows of how `infer` works inside.

Both methods are the parts of `infer` itself: the search for modes, whose importance sampling weighs the branches, and
the ensembles that start from it. What `infer` does beyond that (predictive checks, curves, the report's tree) changes
no draw and would double the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

import nmrdyn as nd
from nmrdyn.inference.diagnostics import modes_agree
from nmrdyn.inference.infer import reported
from nmrdyn.inference.measurements import measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import Modes, find_modes
from nmrdyn.inference.sampler import sample
from nmrdyn.priors import Prior
from nmrdyn.recovery.fit import fit_recovery
from nmrdyn.schema import Array

_DRAWS, _EFFECTIVE = 2_000, 1_000.0  # of a batch, and what all are worth: ranks are then known to 0.016
_FEWEST = 400  # effective draws below which a posterior is doubtful
_MAX_STEPS = 20_000  # as in `infer`


@dataclass(frozen=True)
class Draws:
    """`draws (draw, parameter)` with weights that add up to 1, and why they may be poor ("" if they are not).

    The draws of a chain depend on each other.
    """

    names: Sequence[str]
    draws: Array
    weight: Array
    doubt: str
    chain: bool


@dataclass(frozen=True)
class Search:
    """The joint model of a study, its modes, and the seed of what follows."""

    model: JointModel
    modes: Modes
    seed: np.random.SeedSequence


def search(
    processes: Sequence[nd.Process], *, probes: Sequence[nd.Probe], priors: Mapping[str, Prior | float], seed: int
) -> Search:
    """The joint model of the processes and its modes, as `infer` makes them."""
    known = {probe.name: probe for probe in probes}
    data = []
    for process in processes:
        stage = process.data
        points = [known[name].point for name in process.probes]
        error = stage["temperature_stderr"].fillna(xr.DataArray(points, dims="experiment")).variable
        stages = {process.data.attrs["stage"]: stage.assign_coords(temperature_stderr=error)}
        if process.recovery is not None:
            stages["relaxation"] = fit_recovery(stages["recovery"], process.untied)
        data.append(measurements(process, stages, scatter=priors.get(f"{process.name}.scatter") != 0))
    model = JointModel(data, known, priors)
    first, second = np.random.SeedSequence(seed).spawn(2)
    return Search(model, find_modes(model, np.random.default_rng(first), draws=_DRAWS, effective=_EFFECTIVE), second)


def by_importance(found: Search) -> Draws:
    """The weighted draws that weigh the modes."""
    modes = found.modes
    doubt = "" if modes.effective_draws >= _FEWEST else f"{modes.effective_draws:.0f} effective draws"
    return Draws(found.model.parameters, modes.draws, modes.draw_weight, doubt, chain=False)


def by_emcee(found: Search) -> Draws:
    """The draws of two ensembles of emcee, run until they pass what `infer` asks of them."""
    model, modes = found.model, found.modes
    chains = sample(
        model,
        modes,
        seed=found.seed,
        ensembles=2,
        max_steps=_MAX_STEPS,
        progress=False,
        reported=lambda theta: reported(model, theta),
    )
    flat = chains.draws.reshape(-1, chains.draws.shape[-1])
    label = modes.nearest(flat).reshape(chains.draws.shape[:2])
    agree = modes_agree(label, modes.weight, modes.effective_draws)
    doubt = "" if chains.converged and agree else "weights of the modes differ" if chains.converged else "not converged"
    return Draws(model.parameters, flat, np.full(len(flat), 1 / len(flat)), doubt, chain=True)


METHODS: dict[str, Callable[[Search], Draws]] = {"importance": by_importance, "emcee": by_emcee}
