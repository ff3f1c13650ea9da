"""Where the posterior has its modes, and how much each weighs.

Starting points come from a scan, not from luck: for each process, the posterior over the barrier with tau_c near the
fast branch and near the slow one. Each peak is refined by Newton's method on the joint posterior, and importance
sampling weighs what was found.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from heapq import nlargest

import numpy as np
from scipy.special import expit, log_expit, logit

from nmrdyn.inference.importance import Proposal, importance_sample, modes_proposal
from nmrdyn.inference.model import JointModel, Measurements
from nmrdyn.priors import Uniform
from nmrdyn.inference.process import Conductivity, CorrelationTime
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import BOLTZMANN_EV, Array, InputError

_ENERGIES, _OFFSETS = 60, 31  # of the scan
_MOST_STARTS = 10  # per process
_MOST_MODES = 16  # of the joint posterior
_DEPTH = 15.0  # modes this far below the best in log posterior weigh nothing


class _Unbounded:
    """The log posterior over coordinates without bounds: the logit of a parameter with a uniform prior.

    A posterior that leans on a bound has no peak in its own coordinates, but has one in these.
    """

    def __init__(self, model: JointModel) -> None:
        priors = list(model.priors.values())
        self.model = model
        self.bounded = np.array([isinstance(prior, Uniform) for prior in priors])
        self.low = np.array([prior.low if isinstance(prior, Uniform) else 0.0 for prior in priors])
        self.span = np.array([prior.high - prior.low if isinstance(prior, Uniform) else 1.0 for prior in priors])
        self.width = np.array([prior.width for prior in priors])

    def outside(self, theta: Array) -> Array:
        """Parameters to unbounded coordinates."""
        return np.where(self.bounded, logit(np.where(self.bounded, (theta - self.low) / self.span, 0.5)), theta)

    def inside(self, free: Array) -> Array:
        """Unbounded coordinates to parameters."""
        return np.where(self.bounded, self.low + self.span * expit(free), free)

    def slope(self, free: Array) -> Array:
        """d parameter / d coordinate (..., parameter)."""
        return np.where(self.bounded, self.span * expit(free) * expit(-free), 1.0)

    def __call__(self, free: Array) -> Array:
        """Log density of the unbounded coordinates."""
        stretch = np.where(self.bounded, log_expit(free) + log_expit(-free) + np.log(self.span), 0.0)
        return self.model(self.inside(free)) + stretch.sum(axis=-1)


@dataclass(frozen=True)
class Modes:
    """`centre (mode, parameter)`, `weight (mode,)`, the weighted draws, and their effective number.

    `proposal` tells to which mode a draw belongs.
    """

    centre: Array
    weight: Array
    draws: Array
    draw_weight: Array
    effective_draws: float
    proposal: Proposal

    def nearest(self, theta: Array) -> Array:
        """The mode to which each draw belongs (draw,)."""
        return np.argmax(self.proposal.log_parts(theta), axis=1)


def find_modes(model: JointModel, rng: np.random.Generator, draws: int = 20_000) -> Modes:
    """Modes of the joint posterior, weighed by mixture importance sampling."""
    peaks = [_process_peaks(model.alone(one)) for one in model.data]
    combinations = nlargest(_MOST_MODES, itertools.product(*peaks), key=lambda parts: sum(part[0] for part in parts))
    starts = [{name: value for _, part in parts for name, value in part.items()} for parts in combinations]
    target = _Unbounded(model)
    height, peak, transform = (np.array(part) for part in zip(*_distinct_peaks(target, starts), strict=True))
    centre = target.inside(peak)
    laplace = height + np.linalg.slogdet(transform)[1]
    proposal = modes_proposal(laplace, centre, target.slope(peak)[:, :, None] * transform)
    found = importance_sample(model, proposal, draws, rng)
    nearest = np.argmax(proposal.log_parts(found.sample), axis=1)
    weight = np.array([found.weight[nearest == mode].sum() for mode in range(len(centre))])
    return Modes(centre, weight, found.sample, found.weight, found.effective, proposal)


def _process_peaks(model: JointModel) -> list[tuple[float, dict[str, float]]]:
    """The modes of one process by itself with their heights, best first."""
    target = _Unbounded(model)
    found = _distinct_peaks(target, _starts(model, model.data[0]))
    return [(top, dict(zip(model.parameters, target.inside(peak).tolist(), strict=True))) for top, peak, _ in found]


def _distinct_peaks(target: _Unbounded, starts: list[dict[str, float]]) -> list[tuple[float, Array, Array]]:
    """Height, place and transform of each mode that the starts lead to, best first."""
    found: list[tuple[float, Array, Array]] = []
    for start in starts:
        begin = np.array([start.get(name, prior.centre) for name, prior in target.model.priors.items()])
        height, peak, transform = _climb(target, target.outside(begin))
        known = any(_close(peak, other, scale) for _, other, scale in found)
        if np.isfinite(height) and not known:
            found.append((height, peak, transform))
    if not found:
        raise InputError(
            "no values of the parameters have a finite posterior density: priors and data exclude each other"
        )
    best = max(height for height, _, _ in found)
    return sorted((mode for mode in found if mode[0] > best - _DEPTH), key=lambda mode: -mode[0])


def _starts(model: JointModel, one: Measurements) -> list[dict[str, float]]:
    """A straight line through ln sigma or ln tau_c, or the peaks of a scan over both branches of T1(tau_c)."""
    mechanism = one.process.mechanism
    if isinstance(mechanism, Conductivity):
        return [_line(one, one.value + (np.log(one.temperature) if mechanism.convention == "sigma_T" else 0.0))]
    if isinstance(mechanism, CorrelationTime):
        return [_line(one, -one.value)]
    return _profile_peaks(model, one, mechanism)


def _line(one: Measurements, falling: Array) -> dict[str, float]:
    """Where to start with ln sigma T, ln sigma or -ln tau_c, which fall by the barrier with 1/kT."""
    name, inverse = one.process.name, 1 / (BOLTZMANN_EV * one.temperature)
    slope, intercept = np.polyfit(inverse, falling, 1)
    rms = np.std(falling - slope * inverse - intercept)
    barrier = float(np.clip(-slope, 0.01, 1.99))
    prefactor = float(np.mean(falling + barrier * inverse) / np.log(10))
    return {
        f"{name}.activation_energy": barrier,
        f"{name}.log10_prefactor": prefactor,
        f"{name}.log10_tau0": float(np.clip(-prefactor, -17.99, -8.01)),
        f"{name}.log10_noise": float(np.clip(np.log10(max(rms, 1e-9)), -3.9, -0.1)),
    }


def _profile_peaks(model: JointModel, one: Measurements, mechanism: Mechanism) -> list[dict[str, float]]:
    """Where the posterior over the barrier peaks, with tau_c in the middle of the range near each branch."""
    name = one.process.name
    middle = np.argsort(one.temperature)[one.temperature.size // 2]
    larmor = one.larmor_frequency[middle]
    here = mechanism.at(one.temperature[middle])
    turn = float(here.turning_point(larmor)[0])
    branches = [float(tau) for tau in here.correlation_times(np.exp(one.value[middle]), larmor)]
    logs = [np.log(turn if np.isnan(tau) else tau) for tau in branches]
    target = _Unbounded(model)
    energy = np.linspace(0.01, 1.99, _ENERGIES)
    starts = []
    for log_tau in logs:
        tau = log_tau + np.linspace(-1.5, 1.5, _OFFSETS)
        grid_energy, grid_tau = np.meshgrid(energy, tau, indexing="ij")
        exponent = grid_energy / (BOLTZMANN_EV * one.temperature[middle])
        log10_tau0 = np.clip((grid_tau - exponent) / np.log(10), -17.99, -8.01)
        theta = np.tile([prior.centre for prior in model.priors.values()], (grid_energy.size, 1))
        theta[:, model.parameters.index(f"{name}.activation_energy")] = grid_energy.ravel()
        theta[:, model.parameters.index(f"{name}.log10_tau0")] = log10_tau0.ravel()
        # A peak of either density: one that leans on a bound shows in the unbounded one alone, and one beside a
        # bound in the other.
        for height in (model(theta), target(target.outside(theta))):
            surface = height.reshape(grid_energy.shape)
            best, profile = surface.argmax(axis=1), surface.max(axis=1)
            padded = np.concatenate([[-np.inf], profile, [-np.inf]])
            for k in np.flatnonzero((profile >= padded[:-2]) & (profile > padded[2:])):
                starts.append((profile[k], energy[k], log10_tau0[k, best[k]]))
    starts = sorted(starts, reverse=True)[:_MOST_STARTS]
    return [{f"{name}.activation_energy": float(e), f"{name}.log10_tau0": float(t)} for _, e, t in starts]


def _close(a: Array, b: Array, transform: Array) -> bool:
    """Less than one standard deviation apart."""
    return bool(np.sum(np.linalg.solve(transform, a - b) ** 2) < 1.0)


def _climb(target: _Unbounded, start: Array) -> tuple[float, Array, Array]:
    """Damped Newton ascent from `start`: height, peak, and the transform in whose columns the posterior is round."""
    transform = np.diag(np.where(target.bounded, 0.03, 0.1 * target.width))
    here, height = start, float(target(start[None])[0])
    for _ in range(100):
        gradient, hessian = _derivatives(target, here, transform)
        eigenvalue, eigenvector = np.linalg.eigh(-hessian)
        curvature = np.maximum(np.abs(eigenvalue), 1e-6)
        step = transform @ (eigenvector @ ((eigenvector.T @ gradient) / curvature))
        trials = here + step * np.array([2.0, 1.0, 0.5, 0.25, 0.1, 0.03, 0.01])[:, None]
        heights = target(trials)
        best = int(np.argmax(heights))
        gain = heights[best] - height
        if gain > 0:
            here, height = trials[best], float(heights[best])
        # New coordinates in which the posterior is round here, so that finite differences suit its scale.
        transform = transform @ (eigenvector / np.sqrt(np.clip(eigenvalue, 1e-4, None)))
        if gain < 1e-6 and np.all(np.abs(eigenvalue - 1) < 0.2):
            break
    return height, here, transform


def _derivatives(target: _Unbounded, here: Array, transform: Array) -> tuple[Array, Array]:
    """Gradient and Hessian of the log posterior in units of the columns of `transform`, by central differences."""
    n = here.size
    step = 0.3
    unit = np.eye(n) * step
    pairs = list(itertools.combinations(range(n), 2))
    moves = [np.zeros(n), *unit, *-unit]
    moves += [a * unit[i] + b * unit[j] for i, j in pairs for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    value = target(here + np.array(moves) @ transform.T)
    value = np.where(np.isfinite(value), value, value[0] - 50.0)
    plus, minus = value[1 : n + 1], value[n + 1 : 2 * n + 1]
    hessian = np.diag((plus + minus - 2 * value[0]) / step**2)
    for (i, j), (pp, pm, mp, mm) in zip(pairs, value[2 * n + 1 :].reshape(-1, 4), strict=True):
        hessian[i, j] = hessian[j, i] = (pp - pm - mp + mm) / (4 * step**2)
    return (plus - minus) / (2 * step), hessian
