"""Leave-one-temperature-out: what each barrier would be without each run."""

from __future__ import annotations

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats  # type: ignore[attr-defined]

from nmrdyn.inference.measurements import Measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import Modes, find_modes
from nmrdyn.progress import track
from nmrdyn.schema import Array

MOST_PARETO_K = 0.7  # above it, weights are not to be trusted
_MOST_K_OF_POSTERIOR = 0.5  # draws of the posterior have no tails that would show where weights fail
_MOST_ANEW = 12  # searches, each of which takes as long as that for the modes
_ENOUGH = 1000  # effective draws of the search
_LEAST_DRAWS, _MOST_DRAWS, _MOST_VALUES = 4000, 20_000, 4_000_000
_BATCH = 500  # draws whose likelihoods are held together


def influence(model: JointModel, theta: Array, *, modes: Modes, seed: np.random.SeedSequence) -> xr.Dataset:
    """What each barrier becomes without a run: without all experiments at one temperature of one thermometer.

    The draws of the search, whose wide proposals know other branches and the prior, are weighted by 1/L of the run; the
    largest weights are smoothed (Vehtari, Simpson, Gelman, Yao, Gabry, J. Mach. Learn. Res. 25 (2024) 72). Where the
    Pareto k of the weights exceeds 0.7, the posterior without the run is searched and weighed anew by `find_modes`.
    Where the search kept fewer than 1,000 effective draws, as it may with many parameters, those of the posterior are
    weighted in their place, up to k = 0.5. At most 12 runs, those of the largest k, are searched anew, and nothing is
    said of others whose weights fail. A process left with fewer than two temperatures has no barrier.

    Parameters
    ----------
    model : the joint model
    theta : draws of its posterior (draw, parameter)
    modes : what `find_modes` found of its posterior
    seed : makes the draws where they are made anew

    Returns
    -------
    influence : without each `run`, of each `barrier`: `mean` and `sd` [eV], `mean_shift` [eV], and `shift_sd`, the
        shift in standard deviations with all runs. Of each run: the `pareto_k` of its weights, whether draws were made
        `anew`, and `effective_draws`. Coordinates along `run` are `temperature` [K], `probe` and `experiments`

    Examples
    --------
    Five conductivities, of which the last is a tenth too large:

    >>> import nmrdyn as nd
    >>> from nmrdyn.inference.measurements import measurements
    >>> eis = nd.simulate(nd.ConductivityTruth(activation_energy=0.5, conductivity=1e-2, reference_temperature=300.0,
    ...     temperature=[280.0, 290.0, 300.0, 310.0, 320.0]), seed=1)
    >>> eis["conductivity"][-1] *= 1.1
    >>> process = nd.Process("eis", eis, mechanism=nd.Conductivity("sigma_T"))
    >>> model = JointModel([measurements(process, {"transport": eis})], {}, {"eis.scatter": 0.0})
    >>> rng = np.random.default_rng(1)
    >>> modes = find_modes(model, rng)
    >>> draws = modes.draws[rng.choice(len(modes.draws), 4000, p=modes.draw_weight)]
    >>> shift = influence(model, draws, modes=modes, seed=np.random.SeedSequence(2)).mean_shift.sel(barrier="eis")
    >>> print(f"without {shift.temperature[np.argmax(np.abs(shift.values))].item():g} K it changes most")
    without 320 K it changes most
    """
    rng = np.random.default_rng(seed)
    theta, weight_of_all, most = _proposed(model, theta, modes)
    log_likelihood = [model.runs_log_likelihood(part) for part in np.array_split(theta, -(-len(theta) // _BATCH))]
    log_weight, pareto_k = _smoothed(np.log(weight_of_all)[:, None] - np.concatenate(log_likelihood))
    failing = ~(pareto_k <= most)
    anew = failing & (np.argsort(np.argsort(-pareto_k)) < _MOST_ANEW)
    with_all = model.barriers(theta)
    values = np.array(list(with_all.values()))
    mean_of_all, sd_of_all = _moments(values, weight_of_all)
    mean, sd = np.full((2, model.runs.n, len(with_all)), np.nan)
    effective = np.full(model.runs.n, np.nan)
    for run in track(range(model.runs.n), "leaving out each temperature", unit="run"):
        left = _without(model, run)
        if not left or (failing[run] and not anew[run]):
            continue
        if anew[run]:
            rest = model.of(left)
            found = find_modes(rest, rng)
            names, draws, weight = rest.parameters, found.draws, found.draw_weight
        else:
            there = {one.process.name for one in left} | set(model.probes)
            names = [name for name in model.parameters if name.rsplit(".", 1)[0] in there]
            draws = np.stack([model.column(theta, name) for name in names], axis=1)
            weight = np.exp(log_weight[run])
        effective[run] = 1 / np.sum(weight**2)
        # By the whole model, which tells barriers that change with temperature where it told them before.
        values = np.array(list(model.barriers(_columns(model, names, draws)).values()))
        mean[run], sd[run] = _moments(values, weight)
    by_both = ("run", "barrier")
    return xr.Dataset(
        {
            "mean": (by_both, mean, {"units": "eV"}),
            "sd": (by_both, sd, {"units": "eV"}),
            "mean_shift": (by_both, mean - mean_of_all, {"units": "eV"}),
            "shift_sd": (by_both, (mean - mean_of_all) / sd_of_all),
            "pareto_k": ("run", pareto_k),
            "anew": ("run", anew),
            "effective_draws": ("run", effective),
        },
        coords={
            "run": np.arange(1, model.runs.n + 1),
            "barrier": list(with_all),
            "temperature": ("run", model.runs.temperature, {"units": "K"}),
            "probe": ("run", np.array(model.runs.probe, dtype=object)),
            "experiments": ("run", np.array(_experiments(model), dtype=object)),
        },
    )


def _proposed(model: JointModel, theta: Array, modes: Modes) -> tuple[Array, Array, float]:
    """Draws to be weighted, their weights with all runs, and up to which Pareto k they serve."""
    most = int(np.clip(_MOST_VALUES / model.runs.of_row.size, _LEAST_DRAWS, _MOST_DRAWS))
    searched = modes.effective_draws * min(1.0, most / len(modes.draws)) > _ENOUGH
    draws, weight = (modes.draws, modes.draw_weight) if searched else (theta, np.ones(len(theta)))
    pick = np.linspace(0, len(draws) - 1, min(most, len(draws))).astype(int)
    pick = pick[weight[pick] > 0]
    return draws[pick], weight[pick] / weight[pick].sum(), MOST_PARETO_K if searched else _MOST_K_OF_POSTERIOR


def _smoothed(log_weight: Array) -> tuple[Array, Array]:
    """Normalised log weights (run, draw), from (draw, run), with the largest smoothed; and their Pareto k."""
    smoothed, pareto_k = np.full(log_weight.T.shape, -np.log(len(log_weight))), np.zeros(log_weight.shape[1])
    for run in np.flatnonzero(np.ptp(log_weight, axis=0) > 0):
        try:
            with np.errstate(all="ignore"):
                smoothed[run], pareto_k[run] = array_stats.psislw(-log_weight[:, run])
        except ValueError:  # equal draws in the tail leave no shape of it to fit
            pareto_k[run] = np.inf
    pareto_k[~np.isfinite(smoothed).all(axis=1) | np.isnan(pareto_k)] = np.inf
    return smoothed, pareto_k


def _moments(values: Array, weight: Array) -> tuple[Array, Array]:
    """Mean and sd (barrier,) of weighted draws (barrier, draw)."""
    mean = values @ weight
    return mean, np.sqrt((values - mean[:, None]) ** 2 @ weight)


def _without(model: JointModel, run: int) -> list[Measurements]:
    """The measurements without a run, of the processes that keep two temperatures."""
    parts = zip(model.data, model.parts, strict=True)
    left = [one.without(model.runs.of_row[part] == run) for one, part in parts]
    return [one for one in left if np.unique(one.temperature).size > 1]


def _columns(model: JointModel, names: list[str], draws: Array) -> Array:
    """Draws of some parameters as draws of all, NaN for the others."""
    theta = np.full((len(draws), len(model.parameters)), np.nan)
    for k, name in enumerate(names):
        if name in model.priors:
            theta[:, model.parameters.index(name)] = draws[:, k]
    return theta


def _experiments(model: JointModel) -> list[str]:
    """The experiments of each run, as PROCESS/EXPERIMENT."""
    names: list[list[str]] = [[] for _ in range(model.runs.n)]
    for one, part in zip(model.data, model.parts, strict=True):
        for run, row in zip(model.runs.of_row[part], one.rows, strict=True):
            names[run].append(f"{one.process.name}/{one.process.data['experiment'].values[row]}")
    return [", ".join(members) for members in names]
