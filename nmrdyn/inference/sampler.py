"""Independent emcee ensembles, run until their diagnostics pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import emcee
import numpy as np
from scipy import stats
from tqdm import tqdm

from nmrdyn.inference.checkpoint import (
    Checkpoint,
    CheckpointError,
    another_study,
    read_checkpoint,
    require_place,
    write_checkpoint,
)
from nmrdyn.inference.coordinates import Coordinates
from nmrdyn.inference.diagnostics import (
    LEAST_LENGTH,
    Diagnostics,
    Reported,
    autocorrelation_time,
    converged,
    diagnose,
    with_reported,
)
from nmrdyn.inference.importance import LEAST_DRAWS, draw_prior, spread, systematic
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import Modes
from nmrdyn.progress import names, wanted
from nmrdyn.schema import Array

DISCARDED = 5  # one in so many steps, the first ones, is left out
_WALKERS = 128
_KDE_DIMENSIONS = 10  # kernel proposals halve the autocorrelation time up to here, and gain nothing at 14
_PRIOR_DRAWS = 4000  # of the prior, and at most of the proposals, among which starts are looked for after a poor search
_RARE = 1e-6  # of posterior draws lie lower than a start may
_FIRST_BLOCK, _LEAST_BLOCK = 60, 20  # steps between checks
_GROWTH = 3  # steps of a block over those before it, at most
_SPARE = 1.05  # more steps than the autocorrelation time so far asks for, since it is uncertain


@dataclass(frozen=True)
class Chains:
    """`draws (chain, draw, parameter)` walker-major, `log_posterior (chain, draw)`, and how they were made.

    Of `steps` steps the first `discarded` were left out; `check` and `autocorrelation_time` are of the parameters and
    then of what is reported. `interrupted` tells that someone stopped the sampling, and `resumed` that a checkpoint
    held the first so many steps.
    """

    draws: Array
    log_posterior: Array
    steps: int
    discarded: int
    kept: int
    thin: int
    walkers: int
    acceptance: float
    autocorrelation_time: Array
    check: Diagnostics
    moves: str
    interrupted: bool
    resumed: int

    @property
    def converged(self) -> bool:
        """Whether everything passes."""
        return converged(self.check, self.autocorrelation_time, self.kept)


@dataclass(frozen=True)
class _Run:
    """The ensembles of one posterior, in round coordinates, and the way from these to the parameters."""

    coordinates: Coordinates
    samplers: list[emcee.EnsembleSampler]
    centre: Array
    spread: Array
    reported: Reported | None

    @property
    def steps(self) -> int:
        """The steps that all ensembles have done."""
        return int(min(sampler.iteration for sampler in self.samplers))

    def advance(self, states: list[emcee.State], steps: int, bar: tqdm) -> None:
        """Let each ensemble go on from its state, which is replaced by its last."""
        for k, sampler in enumerate(self.samplers):
            for state in sampler.sample(states[k], iterations=steps, skip_initial_state_check=True):
                states[k] = state
                bar.update()

    def assess(self) -> _Assessed:
        """What the ensembles have drawn so far."""
        kept = slice(self.steps // DISCARDED, self.steps)
        points = self.centre + np.stack([one.get_chain()[kept] for one in self.samplers]) @ self.spread.T
        log_prob = np.stack([one.get_log_prob()[kept] for one in self.samplers])
        theta = self.coordinates.inside(points)
        tau = autocorrelation_time(with_reported(theta, self.reported))
        # Draws this far apart lose next to nothing.
        shortest = tau[np.isfinite(tau)].min(initial=np.inf)
        thin = max(1, int(shortest / 2)) if np.isfinite(shortest) else 1
        log_posterior = log_prob - self.coordinates.log_slope(points)
        return _Assessed(
            kept=theta.shape[1],
            tau=tau,
            thin=thin,
            draws=_walker_major(theta[:, ::thin]),
            log_posterior=_walker_major(log_posterior[:, ::thin, :, None])[..., 0],
            reported=self.reported,
        )


@dataclass(frozen=True)
class _Assessed:
    """Draws (chain, draw, parameter) of the kept part, and what their autocorrelation allows to say."""

    kept: int
    tau: Array
    thin: int
    draws: Array
    log_posterior: Array
    reported: Reported | None

    @cached_property
    def check(self) -> Diagnostics:
        """Their diagnostics, which take as long as a hundred steps."""
        return diagnose(self.draws, self.reported)

    def next_block(self, steps: int) -> int:
        """How many steps to do before the next look, 0 where all passes."""
        needed = LEAST_LENGTH * float(self.tau.max())
        least = max(_LEAST_BLOCK, steps // 10)
        if self.kept < needed:
            more = _SPARE * needed * DISCARDED / (DISCARDED - 1) - steps
            return int(np.clip(more, least, _GROWTH * steps))
        return 0 if converged(self.check, self.tau, self.kept) else least


def sample(
    model: JointModel,
    modes: Modes,
    *,
    seed: np.random.SeedSequence,
    ensembles: int,
    max_steps: int,
    progress: bool,
    reported: Reported | None = None,
    checkpoint: Path | None = None,
) -> Chains:
    """Draw from the posterior with `ensembles` independent ensembles of walkers, at most `max_steps` long.

    Each starts from importance-sampling draws over all modes, since no move leaves a wrong branch. Stops once R-hat,
    ESS and length pass for all parameters and all that is reported, or at `max_steps`, or by an interrupt from the
    keyboard, which keeps what all ensembles have done; `Chains` then says so.

    Parameters
    ----------
    modes : of the same model
    seed : makes every draw
    reported : parameters (draw, parameter) to further columns (draw, column), such as barriers and their differences
    checkpoint : a file that is written between blocks of steps, and from which the same call goes on, if it exists

    Raises
    ------
    CheckpointError
        For a checkpoint of another study, another file in its place, or a place at which there can be none.
    InputError
        Where there is no room for it.
    """
    dimension = len(model.parameters)
    walkers = max(_WALKERS, 8 * dimension)
    if dimension <= _KDE_DIMENSIONS:
        moves = [(emcee.moves.KDEMove(), 0.5), (emcee.moves.DEMove(), 0.5)]
    else:
        moves = [(emcee.moves.DEMove(), 1.0)]
    said = " + ".join(f"{weight:g} {type(move).__name__}" for move, weight in moves)
    study = _study(model, seed) | {"ensembles": str(ensembles), "walkers": str(walkers), "moves": said}
    coordinates = modes.coordinates
    # Round coordinates: Hz beside eV, and Ea beside log tau0, would make ill-conditioned proposals.
    centre, shape = _round(modes)
    stored = None
    if checkpoint is not None:
        require_place(checkpoint)
        if checkpoint.exists():
            stored = read_checkpoint(checkpoint, study=study)
            centre, shape = stored.centre, stored.spread

    def target(x: Array) -> Array:
        return coordinates(centre + x @ shape.T)

    samplers, states = [], []
    for k, child in enumerate(seed.spawn(ensembles)):
        backend = stored.ensembles[k] if stored else None
        sampler = emcee.EnsembleSampler(walkers, dimension, target, moves=moves, vectorize=True, backend=backend)
        sampler.log_prob_fn = target  # without emcee's wrapper, which prints what passes through it at an interrupt
        samplers.append(sampler)
        states.append(sampler.get_last_sample() if stored else _start(modes, centre, shape, child, walkers))
    if stored and checkpoint is not None:
        _require_same_density(checkpoint, target, states)
    run = _Run(coordinates, samplers, centre, shape, reported)
    resumed, interrupted = run.steps, False
    with tqdm(
        initial=ensembles * resumed, desc=f"sampling {names(one.process.name for one in model.data)}", unit="step",
        disable=not (progress or wanted()), leave=False,
    ) as bar:  # fmt: skip
        try:
            block = _FIRST_BLOCK if run.steps == 0 else (found := run.assess()).next_block(run.steps)
            while (block := min(block, max_steps - run.steps)) > 0:
                bar.total = ensembles * (run.steps + block)  # as far as is known to be needed
                run.advance(states, block, bar)
                if checkpoint is not None:
                    write_checkpoint(checkpoint, Checkpoint([s.backend for s in samplers], centre, shape), study=study)
                found = run.assess()
                block = found.next_block(run.steps)
        except KeyboardInterrupt:
            if run.steps == 0:
                raise
            found, interrupted = run.assess(), True
    return Chains(
        draws=found.draws,
        log_posterior=found.log_posterior,
        steps=run.steps,
        discarded=run.steps // DISCARDED,
        kept=found.kept,
        thin=found.thin,
        walkers=walkers,
        acceptance=float(np.mean([sampler.acceptance_fraction.mean() for sampler in samplers])),
        autocorrelation_time=found.tau,
        check=found.check,
        moves=said,
        interrupted=interrupted,
        resumed=resumed,
    )


def _study(model: JointModel, seed: np.random.SeedSequence) -> dict[str, str]:
    """What decides the draws, beside the density itself."""
    return {
        "parameters": ", ".join(model.parameters),
        "priors": "; ".join(map(repr, model.priors.values())),
        "seed": f"{seed.entropy}, {seed.spawn_key}",
        "versions": ", ".join(f"{name} {version(name)}" for name in ("emcee", "numpy", "scipy")),
    }


def _require_same_density(path: Path, target: Reported, states: list[emcee.State]) -> None:
    """Refuse a checkpoint whose last draws have another density now, since data or model are others."""
    for state in states:
        if not np.allclose(target(state.coords), state.log_prob, rtol=1e-9, atol=1e-6):
            raise CheckpointError(another_study(path, ["data or model"]))


def _searched(modes: Modes) -> bool:
    """Whether enough importance draws carry the weight to tell how wide the posterior is."""
    return modes.effective_draws > LEAST_DRAWS * modes.points.shape[1]


def _round(modes: Modes) -> tuple[Array, Array]:
    """Mean and spread of the importance draws; where too few carry the weight to tell them, of the proposals."""
    return spread(modes.points, modes.draw_weight if _searched(modes) else np.ones(len(modes.points)))


def _start(modes: Modes, centre: Array, shape: Array, seed: np.random.SeedSequence, walkers: int) -> emcee.State:
    """Systematic resampling of the importance draws; where too few carry the weight, proposals near the best."""
    rng = np.random.default_rng(seed)
    legacy = np.random.RandomState(rng.integers(2**32, dtype=np.uint32))
    if modes.effective_draws > 4 * walkers:
        points = modes.points[systematic(modes.draw_weight, walkers, rng)]
    else:
        points = _near(modes, rng, walkers)
    start = np.linalg.solve(shape, (points - centre).T).T
    return emcee.State(start, random_state=legacy.get_state())


def _near(modes: Modes, rng: np.random.Generator, walkers: int) -> Array:
    """Proposals (walker, parameter) whose density posterior draws may have beside the best, or else the best of them.

    A walker that starts far below the others stays there: proposals of the ensemble hardly ever reach the others from
    there. Where the search failed, proposals may all be alike, which no ensemble can start from: the prior adds some.
    """
    possible = np.flatnonzero(modes.draw_weight > 0)
    points = modes.points[rng.permutation(possible)[:_PRIOR_DRAWS]]
    if not _searched(modes):
        points = np.concatenate(
            [points, modes.coordinates.outside(draw_prior(modes.coordinates.model, _PRIOR_DRAWS, rng))]
        )
    height = modes.coordinates(points)
    order = np.argsort(-height)
    reach = stats.chi2.isf(_RARE, points.shape[1]) / 2
    near = order[: max(walkers, np.count_nonzero(height > height[order[0]] - reach))]
    return points[rng.choice(near, walkers, replace=near.size < walkers)]


def _walker_major(chain: Array) -> Array:
    """(chain, step, walker, parameter) -> (chain, draw, parameter), each walker's history in one piece."""
    return np.swapaxes(chain, 1, 2).reshape(len(chain), -1, chain.shape[-1])
