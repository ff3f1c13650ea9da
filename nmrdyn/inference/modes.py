"""Where the posterior has its modes, and how much each weighs.

Both branches are scanned without luck: for every temperature at which T1 could pass its minimum, the slow branch is
taken below it and the fast one above. Each distinct start is refined by Newton's method on the joint posterior, and a
mixture of Student-t distributions at the modes is weighed by importance sampling.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, logit

from nmrdyn.inference.model import JointModel, Measurements
from nmrdyn.inference.priors import Uniform
from nmrdyn.inference.process import Conductivity
from nmrdyn.schema import BOLTZMANN_EV, Array

_MOST_STARTS = 9  # per process
_MOST_MODES = 16  # of the joint posterior
_DEPTH = 15.0  # modes this far below the best in log posterior weigh nothing
_T_DOF = 5.0
_T_WIDTH = 1.1  # a little wider than the mode


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
        self.first_step = np.array([0.03 if isinstance(prior, Uniform) else 0.1 * prior.width for prior in priors])

    def outside(self, theta: Array) -> Array:
        """Parameters to unbounded coordinates."""
        return np.where(self.bounded, logit(np.where(self.bounded, (theta - self.low) / self.span, 0.5)), theta)

    def inside(self, free: Array) -> Array:
        """Unbounded coordinates to parameters."""
        return np.where(self.bounded, self.low + self.span * expit(free), free)

    def __call__(self, free: Array) -> Array:
        """Log density of the unbounded coordinates."""
        stretch = np.where(self.bounded, log_expit(free) + log_expit(-free) + np.log(self.span), 0.0)
        return self.model(self.inside(free)) + stretch.sum(axis=-1)


@dataclass(frozen=True)
class Modes:
    """`centre (mode, parameter)`, `weight (mode,)`, the weighted draws, and their effective number."""

    centre: Array
    weight: Array
    draws: Array
    draw_weight: Array
    effective_draws: float


def find_modes(model: JointModel, rng: np.random.Generator, draws: int = 20_000) -> Modes:
    """Modes of the joint posterior, weighed by mixture importance sampling."""
    peaks = [_process_peaks(model.alone(one)) for one in model.data]
    combinations = itertools.islice(itertools.product(*peaks), _MOST_MODES)
    starts = [{name: value for part in parts for name, value in part.items()} for parts in combinations]
    target = _Unbounded(model)
    return _weigh(target, _distinct_peaks(target, starts), rng, draws)


def _process_peaks(model: JointModel) -> list[dict[str, float]]:
    """The modes of one process by itself, best first."""
    target = _Unbounded(model)
    found = _distinct_peaks(target, _starts(model, model.data[0]))
    return [dict(zip(model.parameters, target.inside(peak).tolist(), strict=True)) for _, peak, _ in found]


def _distinct_peaks(target: _Unbounded, starts: list[dict[str, float]]) -> list[tuple[float, Array, Array]]:
    """Height, place and transform of each mode that the starts lead to, best first."""
    found: list[tuple[float, Array, Array]] = []
    for start in starts:
        begin = np.array([start.get(name, prior.centre) for name, prior in target.model.priors.items()])
        height, peak, transform = _climb(target, target.outside(begin))
        known = any(_close(peak, other, scale) for _, other, scale in found)
        if np.isfinite(height) and not known:
            found.append((height, peak, transform))
    best = max(height for height, _, _ in found)
    return sorted((mode for mode in found if mode[0] > best - _DEPTH), key=lambda mode: -mode[0])


def _starts(model: JointModel, one: Measurements) -> list[dict[str, float]]:
    """Straight lines through ln tau (or ln sigma) for each way of passing the T1 minimum."""
    inverse = 1 / (BOLTZMANN_EV * one.temperature)
    mechanism, name = one.process.mechanism, one.process.name
    if isinstance(mechanism, Conductivity):
        value = one.value + (np.log(one.temperature) if mechanism.convention == "sigma_T" else 0.0)
        slope, intercept = np.polyfit(inverse, value, 1)
        rms = np.std(value - slope * inverse - intercept)
        barrier = float(np.clip(-slope, 0.01, 1.99))
        return [
            {
                f"{name}.activation_energy": barrier,
                f"{name}.log10_prefactor": float(np.mean(value + barrier * inverse) / np.log(10)),
                f"{name}.log10_noise": float(np.clip(np.log10(max(rms, 1e-9)), -3.9, -0.1)),
            }
        ]
    fast, slow = mechanism.correlation_times(np.exp(one.value), one.larmor_frequency)
    turn = mechanism.turning_point(one.larmor_frequency)[0]
    on_fast, on_slow = np.log(np.where(np.isnan(fast), turn, fast)), np.log(np.where(np.isnan(slow), turn, slow))
    order = np.argsort(one.temperature)
    lines = []
    for switch in np.unique(np.linspace(0, order.size, _MOST_STARTS).round().astype(int)):
        cold = np.isin(np.arange(order.size), order[:switch])
        ln_tau = np.where(cold, on_slow, on_fast)
        barrier = float(np.clip(np.polyfit(inverse, ln_tau, 1)[0], 0.01, 1.99))
        log10_tau0 = float(np.clip(np.mean(ln_tau - barrier * inverse) / np.log(10), -17.9, -8.1))
        lines.append({f"{name}.activation_energy": barrier, f"{name}.log10_tau0": log10_tau0})
    return lines


def _close(a: Array, b: Array, transform: Array) -> bool:
    """Less than one standard deviation apart."""
    return bool(np.sum(np.linalg.solve(transform, a - b) ** 2) < 1.0)


def _climb(target: _Unbounded, start: Array) -> tuple[float, Array, Array]:
    """Damped Newton ascent from `start`: height, peak, and the transform in whose columns the posterior is round."""
    transform = np.diag(target.first_step)
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


def _weigh(target: _Unbounded, found: list[tuple[float, Array, Array]], rng: np.random.Generator, draws: int) -> Modes:
    height = np.array([mode[0] for mode in found])
    centre = np.array([mode[1] for mode in found])
    transforms = [mode[2] for mode in found]
    volume = np.array([np.linalg.slogdet(transform)[1] for transform in transforms])
    share = np.exp(height + volume - np.max(height + volume))
    share = (share / share.sum() + 1 / len(found)) / 2  # no mode goes unvisited
    counts = rng.multinomial(draws, share)
    sample = np.concatenate(
        [_draw_t(peak, transform, n, rng) for peak, transform, n in zip(centre, transforms, counts, strict=True)]
    )
    log_parts = np.log(share) + np.stack(
        [_log_t(sample, peak, transform) for peak, transform in zip(centre, transforms, strict=True)], axis=1
    )
    log_weight = target(sample) - np.logaddexp.reduce(log_parts, axis=1)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    # The balance heuristic: each draw belongs to the modes in proportion to their densities there.
    membership = np.exp(log_parts - np.logaddexp.reduce(log_parts, axis=1)[:, None])
    return Modes(
        target.inside(centre), weight @ membership, target.inside(sample), weight, float(1 / np.sum(weight**2))
    )


def _draw_t(peak: Array, transform: Array, n: int, rng: np.random.Generator) -> Array:
    """Student-t draws about a mode, in the coordinates in which the posterior is round there."""
    heavy = np.sqrt(_T_DOF / rng.chisquare(_T_DOF, size=(n, 1)))
    return peak + _T_WIDTH * heavy * rng.standard_normal((n, peak.size)) @ transform.T


def _log_t(sample: Array, peak: Array, transform: Array) -> Array:
    """Log density of those draws, up to what all modes share."""
    z = np.linalg.solve(_T_WIDTH * transform, (sample - peak).T)
    volume = np.linalg.slogdet(transform)[1]
    return -(_T_DOF + peak.size) / 2 * np.log1p(np.sum(z**2, axis=0) / _T_DOF) - volume
