"""Importance sampling of the posterior, and its evidence.

Rounds of draws share one deterministic mixture: a draw is weighed by the mean of all proposals, each as often as it was
drawn from (balance heuristic: Veach, Guibas, SIGGRAPH 1995; Owen, Zhou, J. Am. Stat. Assoc. 95 (2000) 135), so that no
round can spoil the others. The first proposal has a Student-t at each mode and a share of the prior. Where too few
draws carry the weight, these are fitted to the weighted draws (Cappé et al., Stat. Comput. 18 (2008) 447), and at last
there are kernels about draws that carry it. Each kernel gives its exact share of the draws, not a random one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from nmrdyn.inference.coordinates import Coordinates
from nmrdyn.inference.model import JointModel
from nmrdyn.schema import Array

_T_DOF = 5.0
_T_WIDTH = 1.1  # a little wider than the mode
_PRIOR_SHARE = 0.1
_KERNELS = 150
_MOMENTS = 2  # times that the kernels at the modes are fitted to the weighted draws
LEAST_DRAWS = 10  # effective draws a parameter that such a fit needs
_WIDER = 2.0  # a kernel with fewer
_ENOUGH, _POOR = 0.5, 0.2  # effective draws over draws; below, kernels are fitted, or others made about the draws
_FIRST_BATCHES = 2  # of a new proposal
_MOST_BATCHES = 20
_MOST_ERROR = 0.0033  # standard error of the weight of a mode or a region
_BLOCK = 2048  # draws whose distances to all kernels are held at once

# Parameters (draw, parameter) to which of them lie in each of some regions (draw,).
Regions = Callable[[Array], Sequence[npt.NDArray[np.bool_]]]


def draw_prior(model: JointModel, n: int, rng: np.random.Generator) -> Array:
    """`n` draws from the priors (draw, parameter)."""
    return np.stack([prior.draw(n, rng) for prior in model.priors.values()], axis=1)


@dataclass(frozen=True)
class Proposal:
    """A mixture of Student-t kernels: `share (k,)`, `centre (k, parameter)`, `transform (k, parameter, parameter)`.

    What the shares leave of 1 is drawn from the prior. All are in the coordinates of the target.
    """

    share: Array
    centre: Array
    transform: Array

    @property
    def shares(self) -> Array:
        """The share of each kernel and that of the prior (k + 1,)."""
        return np.append(self.share, 1 - self.share.sum())

    def draw(self, n: int, target: Coordinates, rng: np.random.Generator) -> tuple[Array, npt.NDArray[np.intp]]:
        """`n` draws (draw, parameter), less those that no parameters can be, and the kernel of each (draw,).

        The kernel after the last is the prior.
        """
        ends = np.rint(np.cumsum([0.0, *self.shares]) * n).astype(int)
        kernel = np.repeat(np.arange(len(self.shares)), np.diff(ends))
        own = kernel[kernel < len(self.share)]
        heavy = np.sqrt(_T_DOF / rng.chisquare(_T_DOF, size=(own.size, 1)))
        normal = heavy * rng.standard_normal((own.size, self.centre.shape[1]))
        about = self.centre[own] + np.einsum("nij,nj->ni", self.transform[own], normal)
        theta = np.concatenate([target.inside(about), draw_prior(target.model, n - own.size, rng)])
        possible = np.isfinite(target.model.log_prior(theta))
        return target.outside(theta[possible]), kernel[possible]

    def log_parts(self, points: Array) -> Array:
        """Log density of each kernel times its share (draw, k)."""
        d = points.shape[1]
        inverse = np.linalg.inv(self.transform)
        log_scale = np.log(self.share) - np.linalg.slogdet(self.transform)[1] + _log_t_constant(d)
        # All kernels in one product of matrices: (draw, parameter) by (parameter, k times parameter).
        columns = inverse.transpose(2, 0, 1).reshape(d, -1)
        shift = np.einsum("kij,kj->ki", inverse, self.centre).ravel()
        parts = np.empty((len(points), len(self.share)))
        for start in range(0, len(points), _BLOCK):
            z = (points[start : start + _BLOCK] @ columns - shift).reshape(-1, len(self.share), d)
            distance = np.einsum("nki,nki->nk", z, z)
            parts[start : start + _BLOCK] = log_scale - (_T_DOF + d) / 2 * np.log1p(distance / _T_DOF)
        return parts

    def nearest(self, points: Array) -> npt.NDArray[np.intp]:
        """The kernel to which each draw belongs (draw,)."""
        return np.argmax(self.log_parts(points), axis=1)

    def log_density(self, points: Array, target: Coordinates) -> Array:
        """Log density of the whole mixture (draw,)."""
        prior = target.log_prior(points) + np.log(self.shares[-1])
        return np.logaddexp(np.logaddexp.reduce(self.log_parts(points), axis=1), prior)


def _log_t_constant(d: int) -> float:
    return float(gammaln((_T_DOF + d) / 2) - gammaln(_T_DOF / 2) - d / 2 * np.log(_T_DOF * np.pi))


@dataclass(frozen=True)
class Weighted:
    """Draws (draw, parameter) in the coordinates of the target, with weights that add up to 1, and the evidence.

    `stratum (draw,)` is the kernel that a draw comes from, which gave `drawn (stratum,)` draws, possible ones or not.
    """

    sample: Array
    weight: Array
    log_evidence: float
    stratum: npt.NDArray[np.intp]
    drawn: npt.NDArray[np.intp]

    @property
    def effective(self) -> float:
        """How many equally weighted draws they are worth."""
        return float(1 / np.sum(self.weight**2))

    def stderr(self, value: Array) -> float:
        """Monte Carlo standard error of the sum of `value (draw,)`, a weight times a function of the draw.

        Between kernels there is none, since each gave its exact share.
        """
        first, second = (np.bincount(self.stratum, value**power, self.drawn.size) for power in (1, 2))
        variance = (second - first**2 / self.drawn) * self.drawn / np.maximum(self.drawn - 1, 1)
        return float(np.sqrt(max(0.0, variance.sum())))

    @property
    def log_evidence_stderr(self) -> float:
        """Monte Carlo standard error of the log evidence."""
        return self.stderr(self.weight)

    def share(self, inside: npt.NDArray[np.bool_]) -> tuple[float, float]:
        """The weight of some of the draws (draw,), and its Monte Carlo standard error."""
        total = float(self.weight[inside].sum())
        return total, self.stderr(self.weight * (inside - total))


def modes_proposal(log_weight: Array, centre: Array, transform: Array, *, draws: int) -> Proposal:
    """A Student-t at each mode in proportion to its Laplace weight, but none unvisited, and a share of the prior."""
    return Proposal(_shares(np.exp(log_weight - np.max(log_weight)), draws), centre, _T_WIDTH * transform)


def importance_sample(
    target: Coordinates,
    first: Proposal,
    *,
    draws: int,
    effective: float,
    regions: Regions,
    rng: np.random.Generator,
) -> Weighted:
    """Batches of `draws` draws, until they are worth `effective` and the weight of each mode and region is known."""
    proposals, drawn = [first], [0]
    sample, log_target, log_proposal = np.empty((0, first.centre.shape[1])), np.empty(0), [np.empty(0)]
    stratum, batches = np.empty(0, dtype=int), 1
    while True:
        offset = sum(len(proposal.shares) for proposal in proposals[:-1])
        more, kernel = proposals[-1].draw(batches * draws, target, rng)
        drawn[-1] += batches * draws
        log_proposal = [
            np.concatenate([old, proposal.log_density(more, target)])
            for old, proposal in zip(log_proposal, proposals, strict=True)
        ]
        sample, log_target = np.concatenate([sample, more]), np.concatenate([log_target, target(more)])
        stratum = np.concatenate([stratum, kernel + offset])
        by_stratum = np.concatenate([n * proposal.shares for n, proposal in zip(drawn, proposals, strict=True)])
        mixture = np.logaddexp.reduce(np.log(drawn)[:, None] + log_proposal, axis=0)
        found = _weighted(sample, log_target - mixture, stratum, np.rint(by_stratum).astype(int))

        total, label = sum(drawn), first.nearest(sample)
        modes = [label == mode for mode in range(len(first.share))]
        error = max(found.share(inside)[1] for inside in [*modes, *regions(target.inside(sample))])
        missing = max(effective / found.effective, (error / _MOST_ERROR) ** 2) - 1
        room = _MOST_BATCHES - total // draws
        if missing <= 0 or room <= 0:
            return found
        if found.effective < _ENOUGH * total and len(proposals) <= _MOMENTS:
            proposals.append(_moments(found, proposals[-1], draws))
        elif found.effective < _POOR * total and len(proposals) == _MOMENTS + 1:
            proposals.append(_kernels(found, draws, rng))
        if len(proposals) > len(drawn):
            drawn.append(0)
            log_proposal.append(proposals[-1].log_density(sample, target))
        # A new proposal has to show what it is worth first.
        batches = int(np.clip(np.ceil(missing * total / draws), 1, room if drawn[-1] else min(room, _FIRST_BATCHES)))


def _weighted(sample: Array, log_ratio: Array, stratum: npt.NDArray[np.intp], drawn: npt.NDArray[np.intp]) -> Weighted:
    """Draws with the logarithms of target over mixture, and the draws that each stratum gave."""
    top = log_ratio.max()
    ratio = np.exp(log_ratio - top)
    return Weighted(sample, ratio / ratio.sum(), float(top + np.log(ratio.sum())), stratum, drawn)


def _whole(share: Array, draws: int) -> Array:
    """The shares as whole numbers of `draws` draws, none without."""
    return np.maximum(np.rint(share * draws), 1) / draws


def spread(points: Array, weight: Array) -> tuple[Array, Array]:
    """Mean of weighted points (draw, parameter), and a matrix that makes standard normals as spread and tilted."""
    weight = weight / weight.sum()
    mean = weight @ points
    away = points - mean
    sd = np.sqrt(weight @ away**2)
    correlation = (away / sd).T @ (weight[:, None] * (away / sd))
    return mean, sd[:, None] * np.linalg.cholesky(correlation + 1e-9 * np.eye(sd.size))


def _moments(found: Weighted, last: Proposal, draws: int) -> Proposal:
    """The kernels of the last proposal, each as heavy, wide and tilted as the weighted draws that belong to it."""
    label, d = last.nearest(found.sample), last.centre.shape[1]
    share, centre, transform = [], last.centre.copy(), _WIDER * last.transform
    for kernel in range(len(last.share)):
        own = label == kernel
        share.append(found.weight[own].sum())
        if share[-1] ** 2 > LEAST_DRAWS * d * np.sum(found.weight[own] ** 2):
            centre[kernel], transform[kernel] = spread(found.sample[own], found.weight[own])
            transform[kernel] *= _T_WIDTH
    return Proposal(_shares(np.array(share), draws), centre, transform)


def _shares(weight: Array, draws: int) -> Array:
    """Half of what the prior leaves in proportion to `weight`, half to all alike, in whole draws of `draws`."""
    even = (weight / weight.sum() + 1 / len(weight)) / 2
    return _whole((1 - _PRIOR_SHARE) * even, draws)


def _kernels(found: Weighted, draws: int, rng: np.random.Generator) -> Proposal:
    """Kernels about draws picked by weight, each as wide and tilted as the weighted draws nearest to it."""
    d, n = found.sample.shape[1], min(_KERNELS, draws // 10)
    picked = found.sample[systematic(found.weight, n, rng)]
    pool = found.sample[systematic(found.weight, 4000, rng)]
    mean, sd = pool.mean(axis=0), pool.std(axis=0) + 1e-12
    scaled = (pool - mean) / sd
    near = max(60 * d, 400)
    transforms = []
    for centre in (picked - mean) / sd:
        distance = np.sum((scaled - centre) ** 2, axis=1)
        away = scaled[np.argpartition(distance, near)[:near]] - centre
        covariance = away.T @ away / near + 1e-8 * np.eye(d)
        transforms.append(sd[:, None] * np.linalg.cholesky(0.6 * covariance))
    share = np.full(n, (1 - _PRIOR_SHARE) / n)
    return Proposal(_whole(share, draws), picked, np.array(transforms))


def systematic(weight: Array, n: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Indices of `n` draws picked in proportion to their weights, evenly."""
    place = (rng.random() + np.arange(n)) / n
    return np.minimum(np.searchsorted(np.cumsum(weight), place), len(weight) - 1)
