"""One recovery as a non-negative distribution of ln T1: inverted many times, and the peaks of what is found."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.optimize import nnls

from nmrdyn.recovery.batch.rules import error_scale
from nmrdyn.schema import Array

_STRENGTHS = np.geomspace(1e-14, 1e2, 161)  # of the penalty, over the largest eigenvalue of what is inverted
_SEEN = np.log(100.0)  # that a recovery is more likely than noise alone
_VALLEY = 0.5  # of the lower of two peaks that are two
_TINY = 1e-150  # its square is a float
_LEAST_AREA = 0.01  # of a peak, at the low end of its band


@dataclass(frozen=True)
class Inversion:
    """What is inverted, in units of the noise: design (row, t1) and target (row,) without what the offset can do.

    `noise_dof` is 0 where the noise was not measured.
    """

    design: Array
    target: Array
    noise_dof: float

    def draw(self, number: int, rng: np.random.Generator) -> tuple[Array, float]:
        """Non-negative solutions (draw, t1), none if no recovery is seen, and the noise."""
        drawn, noise = self._drawn(number, rng, noise_dof=self.noise_dof)
        # Residuals above the measured noise stand alone, as in the fit.
        _, _, scaled = error_scale(self.misfit(drawn), self.target.size, self.noise_dof)
        if scaled:
            drawn, noise = self._drawn(number, rng, noise_dof=0.0)
        more_likely = (self.target @ self.target - self.misfit(drawn)) / 2 / max(noise, _TINY) ** 2
        return drawn[drawn.sum(axis=1) > 0] if more_likely > _SEEN else drawn[:0], noise

    def misfit(self, drawn: Array) -> float:
        """Sum of squares that the mean of solutions leaves."""
        rest = self.target - self.design @ drawn.mean(axis=0)
        return float(rest @ rest)

    def _drawn(self, number: int, rng: np.random.Generator, *, noise_dof: float) -> tuple[Array, float]:
        """Solutions for strengths and noises drawn from their marginal likelihood, and the mean noise."""
        eigenvalues, vectors = np.linalg.eigh(self.design @ self.design.T)
        projected = (vectors.T @ self.target) ** 2
        strengths = _STRENGTHS * eigenvalues[-1]
        gain = 1 + np.maximum(eigenvalues, 0.0) / strengths[:, None]
        squares, dof = noise_dof + np.sum(projected / gain, axis=1), noise_dof + self.target.size
        log_likelihood = -np.sum(np.log(gain), axis=1) / 2 - dof / 2 * np.log(squares)
        weight = np.exp(log_likelihood - log_likelihood.max())
        chosen = rng.choice(strengths.size, number, p=weight / weight.sum())
        noise = np.sqrt(squares[chosen] / rng.chisquare(dof, number))
        drawn = np.stack([self._solved(strengths[k], sd, rng) for k, sd in zip(chosen, noise, strict=True)])
        return drawn, float(np.sqrt(np.mean(noise**2)))

    def _solved(self, strength: float, noise: float, rng: np.random.Generator) -> Array:
        """One solution with fresh noise and fresh prior means."""
        nodes = self.design.shape[1]
        matrix = np.vstack([self.design, np.sqrt(strength) * np.eye(nodes)])
        fresh = noise * rng.standard_normal(self.target.size + nodes)
        solution, _ = nnls(matrix, np.pad(self.target, (0, nodes)) + fresh, maxiter=30 * nodes)
        return np.asarray(solution)


@dataclass(frozen=True)
class Trace:
    """The recorded rows of a trace, weighted by their noise."""

    delay: Array
    signal: Array
    weight: Array
    noise_dof: float
    depth: float | None

    def inversion(self, grid: Array, signal: Array) -> Inversion:
        """The inversion of a signal on these delays."""
        curves = self.weight[:, None] * self.curves(grid)
        if self.depth is not None:
            return Inversion(curves, self.weight * signal, self.noise_dof)
        beside = np.linalg.qr(self.weight[:, None], mode="complete")[0][:, 1:].T
        return Inversion(beside @ curves, beside @ (self.weight * signal), self.noise_dof)

    def alone(self, grid: Array, *, t1: float, size: float, noise: float) -> Inversion:
        """The inversion of what a single T1 gives, without noise but with noise known as well as here."""
        inversion = self.inversion(grid, size * self.curves(np.array([t1]))[:, 0])
        dof = self.noise_dof or float(self.delay.size)
        return Inversion(inversion.design / noise, inversion.target / noise, dof)

    def curves(self, t1: Array) -> Array:
        """What each T1 adds to the signal (row, t1), beside the offset where the depth is free."""
        decay = np.exp(-self.delay[:, None] / t1)
        return -decay if self.depth is None else 1 - self.depth * decay

    def amplitude(self, grid: Array, drawn: Array) -> float:
        """Mean intensity at full recovery."""
        if self.depth is not None:
            return float(drawn.sum(axis=1).mean())
        offset = self.signal - drawn.mean(axis=0) @ self.curves(grid).T
        return float(np.average(offset, weights=self.weight**2))


def read_trace(one: xr.Dataset, depth: float | None) -> Trace:
    """The trace of one experiment of stage `recovery`."""
    signal, delay, noise = (one[name].values for name in ("signal", "delay", "signal_stderr"))
    used = np.isfinite(signal) & np.isfinite(delay)
    signal, delay, noise = signal[used], delay[used], noise[used]
    measured = bool(np.all(np.isfinite(noise) & (noise > 0)))
    weight = 1 / noise if measured else np.full(signal.size, 1 / max(float(np.linalg.norm(signal)), 1e-300))
    return Trace(delay, signal, weight, float(one["noise_dof"]) if measured else 0.0, depth)


def width(mass: Array, log_t1: Array) -> float:
    """Half the width of the middle 68 %, which is the standard deviation of a normal."""
    edges = np.append(log_t1, 2 * log_t1[-1] - log_t1[-2]) - (log_t1[1] - log_t1[0]) / 2
    low, high = np.interp([0.16, 0.84], np.append(0.0, np.cumsum(mass)) / mass.sum(), edges)
    return float(high - low) / 2


def peaks(share: Array, log_t1: Array, *, tail: Array, reached: npt.NDArray[np.bool_]) -> list[tuple[Array, Array]]:
    """For each peak within the delays its T1 [s] and its area, each with its interval (value, low, high)."""
    mean = share.mean(axis=0)
    tops, cuts = _maxima(mean)
    places = []
    for top, (start, stop) in zip(tops, itertools.pairwise(cuts), strict=True):
        area = share[:, start:stop].sum(axis=1)
        there = area > 0
        place = share[there, start:stop] @ log_t1[start:stop] / area[there]
        middle = mean[start:stop] @ log_t1[start:stop] / mean[start:stop].sum()
        seen = reached[top] and np.quantile(area, tail[0]) >= _LEAST_AREA
        places.append(np.exp([middle, *np.quantile(place, tail)]) if seen else None)
    # What was not counted as a peak belongs to the areas of its neighbours.
    counted = [top for top, place in zip(tops, places, strict=True) if place is not None]
    borders = [0, *(_valley(mean, a, b) for a, b in itertools.pairwise(counted)), mean.size]
    areas = [share[:, start:stop].sum(axis=1) for start, stop in itertools.pairwise(borders)]
    return [
        (place, np.array([area.mean(), *np.quantile(area, tail)]))
        for place, area in zip((place for place in places if place is not None), areas, strict=False)
    ]


def _maxima(mean: Array) -> tuple[list[int], list[int]]:
    """The maxima of a distribution, and where it is cut between them; those with a shallow valley are one."""
    padded = np.pad(mean, 1)
    tops = [int(k) for k in np.flatnonzero((mean > padded[:-2]) & (mean >= padded[2:]))]
    while True:
        valleys = [_valley(mean, a, b) for a, b in itertools.pairwise(tops)]
        shallow = [mean[v] / min(mean[a], mean[b]) for v, (a, b) in zip(valleys, itertools.pairwise(tops), strict=True)]
        if max(shallow, default=0.0) <= _VALLEY:
            return tops, [0, *valleys, mean.size]
        worst = int(np.argmax(shallow))
        tops.remove(min(tops[worst], tops[worst + 1], key=lambda k: mean[k]))


def _valley(mean: Array, start: int, stop: int) -> int:
    """Where it is lowest between two maxima."""
    return start + int(np.argmin(mean[start : stop + 1]))
