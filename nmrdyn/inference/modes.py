"""Where the posterior has its modes, how much each weighs, and the evidence.

Starting points come from a scan, not from luck (`starts.py`). Each is refined by Newton's method, all at once, for each
process by itself and then on the joint posterior; importance sampling weighs what was found. Climbs run in free
coordinates, since a posterior that leans on an end of a range has a peak in these alone. Proposals leave ranges as they
are: there the ridges of weak data, barrier against prefactor, are straight up to the ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from heapq import nlargest

import numpy as np
import numpy.typing as npt

from nmrdyn.inference.coordinates import Coordinates
from nmrdyn.inference.importance import Proposal, Regions, importance_sample, modes_proposal
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.starts import sides, starting_points
from nmrdyn.progress import names, stage
from nmrdyn.schema import Array, InputError

_MOST_MODES = 16  # of the joint posterior
_DEPTH = 15.0  # modes this far below the best in log posterior weigh nothing
_DRAWS, _EFFECTIVE = 4000, 2000.0
_STEP = 0.3  # of finite differences, in standard deviations
_MOST_STEPS = 60
_FARTHEST = 5.0  # of a step or a standard deviation, in typical steps
_PATIENCE, _HOPELESS = 5, 100.0  # a climb this far below another, at whose pace it stays there, is given up
_LENGTHS = np.array([2.0, 1.0, 0.5, 0.2, 0.05, 0.01])  # of Newton's step that are tried


@dataclass(frozen=True)
class Modes:
    """The modes of a posterior and its weighted draws.

    `centre (mode, parameter)`, `weight (mode,)` with its Monte Carlo error `weight_stderr`; `draws (draw, parameter)`,
    the same in `coordinates` as `points`, their `draw_weight` (draw,) and effective number; the logarithm of the
    evidence, the integral of prior times likelihood, with its Monte Carlo error. `proposal` tells to which mode a draw
    belongs.
    """

    centre: Array
    weight: Array
    weight_stderr: Array
    draws: Array
    points: Array
    draw_weight: Array
    effective_draws: float
    log_evidence: float
    log_evidence_stderr: float
    proposal: Proposal
    coordinates: Coordinates

    def nearest(self, theta: Array) -> npt.NDArray[np.intp]:
        """The mode to which each draw (draw, parameter) belongs (draw,)."""
        return self.proposal.nearest(self.coordinates.outside(theta))


def find_modes(
    model: JointModel, rng: np.random.Generator, *, draws: int = _DRAWS, effective: float = _EFFECTIVE
) -> Modes:
    """Modes of the joint posterior, weighed by mixture importance sampling.

    Batches of `draws` draws are made until they are worth `effective` equally weighted ones, and the weights of each
    mode and of each branch of T1(tau_c) have Monte Carlo errors of a third of a per cent or less; at most 20 batches.

    Raises
    ------
    InputError
        Where priors and data exclude each other.
    """
    with stage(f"searching branches and modes of {names(one.process.name for one in model.data)}"):
        starts = starting_points(Coordinates(model), model.data[0]) if len(model.data) == 1 else _combined(model)
        return weigh(model, starts, rng, draws=draws, effective=effective, regions=partial(sides, model))


def _combined(model: JointModel) -> Array:
    """The best combinations (start, parameter) of the modes that each process has by itself."""
    best: list[tuple[float, dict[str, float]]] = [(0.0, {})]
    for one in model.data:
        peaks = _process_peaks(model.alone(one))
        pairs = ((a + b, before | peak) for (a, before), (b, peak) in itertools.product(best, peaks))
        best = nlargest(_MOST_MODES, pairs, key=lambda pair: pair[0])
    centres = {name: prior.centre for name, prior in model.priors.items()}
    return np.array([list((centres | start).values()) for _, start in best])


def weigh(
    model: JointModel, starts: Array, rng: np.random.Generator, *, draws: int, effective: float, regions: Regions
) -> Modes:
    """The modes to which starting points (start, parameter) lead, weighed."""
    free, straight = Coordinates(model), Coordinates(model, ranges=False)
    height, peak, transform = _distinct_peaks(free, starts)
    laplace = height + np.linalg.slogdet(transform)[1]
    centre = free.inside(peak)
    points = straight.outside(centre)
    transform = (free.slope(peak) / straight.slope(points))[:, :, None] * transform
    proposal = modes_proposal(laplace, points, transform, draws=draws)
    found = importance_sample(straight, proposal, draws=draws, effective=effective, regions=regions, rng=rng)
    nearest = proposal.nearest(found.sample)
    weight, stderr = zip(*(found.share(nearest == mode) for mode in range(len(peak))), strict=True)
    return Modes(
        centre=centre,
        weight=np.array(weight),
        weight_stderr=np.array(stderr),
        draws=straight.inside(found.sample),
        points=found.sample,
        draw_weight=found.weight,
        effective_draws=found.effective,
        log_evidence=found.log_evidence,
        log_evidence_stderr=found.log_evidence_stderr,
        proposal=proposal,
        coordinates=straight,
    )


def _process_peaks(model: JointModel) -> list[tuple[float, dict[str, float]]]:
    """The modes of one process by itself with their heights, best first."""
    target = Coordinates(model)
    height, peak, _ = _distinct_peaks(target, starting_points(target, model.data[0]))
    named = [dict(zip(model.parameters, theta, strict=True)) for theta in target.inside(peak).tolist()]
    return list(zip(height.tolist(), named, strict=True))


def _distinct_peaks(target: Coordinates, starts: Array) -> tuple[Array, Array, Array]:
    """Height, place and transform of each mode that the starts lead to, best first."""
    height, peak, transform = _climb(target, target.outside(starts))
    order = [k for k in np.argsort(-height) if height[k] > max(np.max(height) - _DEPTH, -np.inf)]
    if not order:
        raise InputError(
            "no values of the parameters have a finite posterior density: priors and data exclude each other"
        )
    kept: list[int] = []
    for k in order:
        away = (np.linalg.solve(transform[other], peak[k] - peak[other]) for other in kept)
        if all(np.sum(distance**2) >= 1.0 for distance in away):  # a standard deviation or more from every other
            kept.append(k)
    return height[kept], peak[kept], transform[kept]


def _climb(target: Coordinates, starts: Array) -> tuple[Array, Array, Array]:
    """Damped Newton ascent from all starts (start, parameter) at once.

    Returns heights, peaks, and the transforms in whose columns the posterior is round at each.
    """
    here = starts.copy()
    height = target(here)
    transform = np.tile(np.diag(target.first_step()), (len(here), 1, 1))
    climbing = np.flatnonzero(np.isfinite(height))
    for taken in range(_MOST_STEPS):
        if not climbing.size:
            break
        gradient, hessian = derivatives(target, here[climbing], transform[climbing])
        eigenvalue, eigenvector = _axes(target, hessian)
        downhill = np.einsum("sij,si->sj", eigenvector, gradient) / np.maximum(np.abs(eigenvalue), 1e-6)
        step = _short(target, np.einsum("sij,sjk,sk->si", transform[climbing], eigenvector, downhill))
        trials = here[climbing, None] + step[:, None] * _LENGTHS[:, None]
        heights = target(trials.reshape(-1, trials.shape[-1])).reshape(len(climbing), -1)
        best = heights.argmax(axis=1)
        reached = heights[np.arange(len(climbing)), best]
        gain = reached - height[climbing]
        up = gain > 0
        here[climbing[up]] = trials[up, best[up]]
        height[climbing[up]] = reached[up]
        # New coordinates in which the posterior is round here, so that finite differences suit its scale.
        transform[climbing], flat = _rounder(target, transform[climbing], eigenvalue, eigenvector)
        done = (gain < 1e-4) & np.all((np.abs(eigenvalue - 1) < 0.2) | flat, axis=1)
        if taken >= _PATIENCE:
            done |= reached + _MOST_STEPS / 2 * gain < height.max() - _HOPELESS
        climbing = climbing[~done]
    return height, here, transform


def _axes(target: Coordinates, hessian: Array) -> tuple[Array, Array]:
    """Curvatures (start, axis) and directions (start, parameter, axis) of the axes of a log density.

    A parameter in which it is flat between steps is an axis by itself, which stays as long as it is.
    """
    moving = [k for k in range(hessian.shape[-1]) if k not in target.flat]
    value, vector = np.ones(hessian.shape[:2]), np.tile(np.eye(hessian.shape[-1]), (len(hessian), 1, 1))
    inner = np.ix_(range(len(hessian)), moving, moving)
    value[:, moving], vector[inner] = np.linalg.eigh(-hessian[inner])
    return value, vector


def _rounder(
    target: Coordinates, transform: Array, eigenvalue: Array, eigenvector: Array
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Columns in which the posterior is round, none longer than `_FARTHEST`, and which are flat to there."""
    columns = transform @ (eigenvector / np.sqrt(np.clip(eigenvalue, 0.01, None))[:, None, :])
    size = np.abs(columns / target.scale()[:, None]).max(axis=1)
    flat = (size > _FARTHEST) & (eigenvalue < 1.2)
    return columns / np.maximum(1.0, size / _FARTHEST)[:, None, :], flat


def _short(target: Coordinates, step: Array) -> Array:
    """Steps (start, parameter) no longer than `_FARTHEST`."""
    size = np.abs(step / target.scale()).max(axis=-1, keepdims=True)
    return step / np.maximum(1.0, size / _FARTHEST)


def derivatives(target: Coordinates, here: Array, transform: Array) -> tuple[Array, Array]:
    """Gradient (start, parameter) and Hessian of the log density in units of the columns of `transform`.

    Central differences; a mixed derivative takes two points beside those of the pure ones.
    """
    n = here.shape[1]
    unit = _STEP * np.eye(n)
    first, second = np.triu_indices(n, 1)
    diagonal = unit[first] + unit[second]
    moves = np.concatenate([np.zeros((1, n)), unit, -unit, diagonal, -diagonal])
    points = here[:, None] + np.einsum("mj,sij->smi", moves, transform)
    value = target(points.reshape(-1, n)).reshape(len(here), -1)
    value = np.where(np.isfinite(value), value, value[:, :1] - 50.0)
    middle, plus, minus, ahead, behind = np.split(value, np.cumsum([1, n, n, len(first)]), axis=1)
    hessian = np.zeros((len(here), n, n))
    hessian[:, np.arange(n), np.arange(n)] = plus + minus - 2 * middle
    straight = plus + minus - middle
    mixed = (ahead + behind - straight[:, first] - straight[:, second]) / 2
    hessian[:, first, second] = hessian[:, second, first] = mixed
    gradient = (plus - minus) / (2 * _STEP)
    gradient[:, list(target.flat)] = 0.0  # steps without a slope: it stays where it is
    return gradient, hessian / _STEP**2
