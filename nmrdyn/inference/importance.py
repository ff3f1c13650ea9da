"""Importance sampling of the posterior.

Rounds of draws share one deterministic mixture: a draw is weighed by the mean of all proposals, so that no round can
spoil the others. The first proposal has a Student-t at each mode and a share of the prior; where too few draws carry
the weight, the next are kernels about draws that did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from nmrdyn.inference.model import JointModel
from nmrdyn.schema import Array

_T_DOF = 5.0
_T_WIDTH = 1.1  # a little wider than the mode
_PRIOR_SHARE = 0.1
_KERNELS = 150
_MOST_ROUNDS = 4
_ENOUGH = 0.2  # effective draws over draws


def draw_prior(model: JointModel, n: int, rng: np.random.Generator) -> Array:
    """`n` draws from the priors (draw, parameter)."""
    return np.stack([prior.draw(n, rng) for prior in model.priors.values()], axis=1)


@dataclass(frozen=True)
class Proposal:
    """A mixture of Student-t kernels: `share (k,)`, `centre (k, parameter)`, `transform (k, parameter, parameter)`.

    What the shares leave of 1 is drawn from the prior.
    """

    share: Array
    centre: Array
    transform: Array

    def draw(self, n: int, model: JointModel, rng: np.random.Generator) -> Array:
        """`n` draws (draw, parameter)."""
        counts = rng.multinomial(n, np.append(self.share, max(0.0, 1 - self.share.sum())))
        parts = [draw_prior(model, counts[-1], rng)]
        for centre, transform, count in zip(self.centre, self.transform, counts, strict=False):
            heavy = np.sqrt(_T_DOF / rng.chisquare(_T_DOF, size=(count, 1)))
            parts.append(centre + heavy * rng.standard_normal((count, centre.size)) @ transform.T)
        return np.concatenate(parts)

    def log_parts(self, sample: Array) -> Array:
        """Log density of each kernel times its share (draw, k), up to one constant for all."""
        d = sample.shape[1]
        parts = np.empty((len(sample), len(self.share)))
        for k, (share, centre, transform) in enumerate(zip(self.share, self.centre, self.transform, strict=True)):
            z = np.linalg.solve(transform, (sample - centre).T)
            shape = -(_T_DOF + d) / 2 * np.log1p(np.sum(z**2, axis=0) / _T_DOF)
            parts[:, k] = np.log(share) + shape - np.linalg.slogdet(transform)[1]
        return parts + _log_t_constant(d)

    def log_density(self, sample: Array, model: JointModel) -> Array:
        """Log density of the whole mixture (draw,)."""
        rest = max(0.0, 1 - self.share.sum())
        prior = model.log_prior(sample) + np.log(rest) if rest > 1e-12 else np.full(len(sample), -np.inf)
        return np.logaddexp(np.logaddexp.reduce(self.log_parts(sample), axis=1), prior)


def _log_t_constant(d: int) -> float:
    return float(gammaln((_T_DOF + d) / 2) - gammaln(_T_DOF / 2) - d / 2 * np.log(_T_DOF * np.pi))


@dataclass(frozen=True)
class Weighted:
    """Draws (draw, parameter) with weights that add up to 1."""

    sample: Array
    weight: Array

    @property
    def effective(self) -> float:
        """How many equally weighted draws they are worth."""
        return float(1 / np.sum(self.weight**2))


def modes_proposal(log_weight: Array, centre: Array, transform: Array) -> Proposal:
    """A Student-t at each mode in proportion to its Laplace weight, but none unvisited, and a share of the prior."""
    share = np.exp(log_weight - np.max(log_weight))
    share = (share / share.sum() + 1 / len(share)) / 2
    return Proposal((1 - _PRIOR_SHARE) * share, centre, _T_WIDTH * transform)


def importance_sample(model: JointModel, first: Proposal, draws: int, rng: np.random.Generator) -> Weighted:
    """Rounds of `draws` draws each, until enough of them carry the weight."""
    proposals = [first]
    sample = first.draw(draws, model, rng)
    log_target = model(sample)
    log_proposal = [first.log_density(sample, model)]
    while True:
        found = Weighted(sample, _normalised(log_target - _log_mean(log_proposal)))
        if found.effective > _ENOUGH * len(sample) or len(proposals) == _MOST_ROUNDS:
            return found
        following = _kernels(found, rng)
        more = following.draw(draws, model, rng)
        log_proposal = [
            np.concatenate([old, proposal.log_density(more, model)])
            for old, proposal in zip(log_proposal, proposals, strict=True)
        ]
        sample, log_target = np.concatenate([sample, more]), np.concatenate([log_target, model(more)])
        log_proposal.append(following.log_density(sample, model))
        proposals.append(following)


def _normalised(log_weight: Array) -> Array:
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum()


def _log_mean(logs: list[Array]) -> Array:
    return np.logaddexp.reduce(logs, axis=0) - np.log(len(logs))


def _kernels(found: Weighted, rng: np.random.Generator) -> Proposal:
    """Kernels about draws picked by weight, each as wide and tilted as the weighted draws nearest to it."""
    d = found.sample.shape[1]
    picked = found.sample[_systematic(found.weight, _KERNELS, rng)]
    pool = found.sample[_systematic(found.weight, 4000, rng)]
    mean, spread = pool.mean(axis=0), pool.std(axis=0) + 1e-12
    scaled = (pool - mean) / spread
    near = max(60 * d, 400)
    transforms = []
    for centre in (picked - mean) / spread:
        distance = np.sum((scaled - centre) ** 2, axis=1)
        away = scaled[np.argpartition(distance, near)[:near]] - centre
        covariance = away.T @ away / near + 1e-8 * np.eye(d)
        transforms.append(spread[:, None] * np.linalg.cholesky(0.6 * covariance))
    share = np.full(_KERNELS, 1 / _KERNELS)
    return Proposal((1 - _PRIOR_SHARE) * share, picked, np.array(transforms))


def _systematic(weight: Array, n: int, rng: np.random.Generator) -> Array:
    """Indices of `n` draws picked in proportion to their weights, evenly."""
    place = (rng.random() + np.arange(n)) / n
    return np.minimum(np.searchsorted(np.cumsum(weight), place), len(weight) - 1)
