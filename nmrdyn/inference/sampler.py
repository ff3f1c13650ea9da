"""Independent emcee ensembles, run until their diagnostics pass."""

from __future__ import annotations

from dataclasses import dataclass

import emcee
import numpy as np
from tqdm import tqdm

from nmrdyn.inference.diagnostics import LEAST_LENGTH, autocorrelation_time, converged, diagnose
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import Modes
from nmrdyn.schema import Array

_WALKERS = 128
_BLOCK = 250
_KDE_DIMENSIONS = 8  # kernel proposals lose their edge above


@dataclass(frozen=True)
class Chains:
    """`draws (chain, draw, parameter)` walker-major, `log_posterior (chain, draw)`, and how they were made."""

    draws: Array
    log_posterior: Array
    steps: int
    kept: int
    thin: int
    walkers: int
    acceptance: float
    autocorrelation_time: Array
    moves: str


def sample(
    model: JointModel, modes: Modes, *, seed: np.random.SeedSequence, ensembles: int, max_steps: int, progress: bool
) -> Chains:
    """Draw from the posterior with `ensembles` independent ensembles of walkers, at most `max_steps` long.

    Each starts from importance-sampling draws over all modes, since no move leaves a wrong branch. Stops once
    R-hat, ESS and length pass, or at `max_steps`; the diagnostics then say so.
    """
    dimension = len(model.parameters)
    walkers = max(_WALKERS, 8 * dimension)
    if dimension <= _KDE_DIMENSIONS:
        moves = [(emcee.moves.KDEMove(), 0.5), (emcee.moves.DEMove(), 0.5)]
    else:
        moves = [(emcee.moves.DEMove(), 1.0)]
    # Round coordinates: Hz beside eV, and Ea beside log tau0, would make ill-conditioned proposals.
    centre, spread = _round(modes)

    def target(x: Array) -> Array:
        return model(centre + x @ spread.T)

    samplers, states = [], []
    for child in seed.spawn(ensembles):
        rng = np.random.default_rng(child)
        legacy = np.random.RandomState(rng.integers(2**32, dtype=np.uint32))
        samplers.append(emcee.EnsembleSampler(walkers, dimension, target, moves=moves, vectorize=True))
        start = np.linalg.solve(spread, (_walkers(modes, walkers, rng) - centre).T).T
        states.append(emcee.State(start, random_state=legacy.get_state()))

    steps = 0
    with tqdm(total=max_steps, desc="sampling", unit="step", disable=not progress, leave=False) as bar:
        while True:
            for index, sampler in enumerate(samplers):
                states[index] = sampler.run_mcmc(states[index], _BLOCK, skip_initial_state_check=True)
            steps += _BLOCK
            bar.update(_BLOCK)
            discard = steps // 5
            chain = np.stack([sampler.get_chain(discard=discard) for sampler in samplers])
            tau = autocorrelation_time(chain)
            if steps >= max_steps:
                break
            kept = chain.shape[1]
            if kept >= LEAST_LENGTH * tau.max() and converged(diagnose(_walker_major(chain, tau)), tau, kept):
                break
    thin = _thinning(tau)
    log_posterior = np.stack([sampler.get_log_prob(discard=discard) for sampler in samplers])[..., None]
    return Chains(
        draws=centre + _walker_major(chain, tau) @ spread.T,
        log_posterior=_walker_major(log_posterior, tau)[..., 0],
        steps=steps,
        kept=chain.shape[1],
        thin=thin,
        walkers=walkers,
        acceptance=float(np.mean([sampler.acceptance_fraction.mean() for sampler in samplers])),
        autocorrelation_time=tau,
        moves=" + ".join(f"{weight:g} {type(move).__name__}" for move, weight in moves),
    )


def _round(modes: Modes) -> tuple[Array, Array]:
    """Mean of the importance draws and a matrix that makes standard normals as spread and correlated as they are."""
    mean = modes.draw_weight @ modes.draws
    away = modes.draws - mean
    sd = np.sqrt(modes.draw_weight @ away**2)
    correlation = (away / sd).T @ (modes.draw_weight[:, None] * (away / sd))
    return mean, sd[:, None] * np.linalg.cholesky(correlation + 1e-9 * np.eye(sd.size))


def _walkers(modes: Modes, walkers: int, rng: np.random.Generator) -> Array:
    """Systematic resampling of the importance draws; where too few carry the weight, the proposals themselves."""
    if modes.effective_draws > 4 * walkers:
        place = (rng.random() + np.arange(walkers)) / walkers
        chosen = np.searchsorted(np.cumsum(modes.draw_weight), place)
        return modes.draws[np.minimum(chosen, len(modes.draws) - 1)]
    possible = np.flatnonzero(modes.draw_weight > 0)
    return modes.draws[rng.choice(possible, walkers, replace=possible.size < walkers)]


def _thinning(tau: Array) -> int:
    return max(1, int(tau.min() / 2))


def _walker_major(chain: Array, tau: Array) -> Array:
    """(chain, step, walker, parameter) -> (chain, draw, parameter), each walker's history in one piece."""
    thinned = chain[:, :: _thinning(tau)]
    return np.swapaxes(thinned, 1, 2).reshape(len(chain), -1, chain.shape[-1])
