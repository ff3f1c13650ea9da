"""Least squares with the linear coefficients eliminated: the search for the others, and their covariance."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import least_squares

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import Array

STEP = 1e-5  # of finite differences
_STARTS = 3
# Squares that change by 1e-12 of themselves may leave 4e-6 standard errors.
_TIGHT = {"xtol": 1e-12, "ftol": 1e-15, "gtol": 1e-12}
# Values of each parameter that physics confines, by how many of them there are.
_NODES = {1: 15, 2: 7}
_REACH = 4.0  # standard errors
_NO_VOLUME = 1e-300  # where nothing recovers, T1 has no slope


class Projection:
    """The signal of a trace as amplitude and loss times a decay, at their least-squares values."""

    def __init__(self, model: RecoveryModel, delay: Array, signal: Array, weight: Array) -> None:
        self.model, self.delay, self.weight = model, delay, weight
        self.target = signal * weight

    def columns(self, parameters: Array) -> tuple[Array, Array]:
        """The curves that add up to the signal, in units of the noise: what is constant, and the decay."""
        decay = self.model.decay(self.delay, float(np.exp(parameters[0])), *parameters[1:]) * self.weight
        if self.model.fixed is None:
            return self.weight, decay
        return self.weight - self.model.fixed * decay, np.zeros_like(decay)

    def coefficients(self, parameters: Array) -> tuple[float, float]:
        """Of both columns. That of the decay is 0 or less: a long recovery upside down could imitate a short one."""
        constant, decay = self.columns(parameters)
        overlap = (constant @ decay) / (constant @ constant)
        rest = decay - overlap * constant
        size = rest @ rest
        loss = min(float(rest @ self.target / size), 0.0) if size > 1e-20 * (decay @ decay) else 0.0
        return float(constant @ self.target / (constant @ constant) - overlap * loss), loss

    def residual(self, parameters: Array) -> Array:
        return self.curve(parameters, self.coefficients(parameters)) - self.target

    def chi2(self, parameters: Array) -> float:
        return float(np.sum(self.residual(parameters) ** 2))

    def curve(self, parameters: Array, coefficients: tuple[float, float]) -> Array:
        """The signal for given coefficients, in units of the noise."""
        constant, decay = self.columns(parameters)
        return coefficients[0] * constant + coefficients[1] * decay

    def jacobian(self, parameters: Array) -> Array:
        """Slopes (row, parameter and coefficient) of the curve, in units of the noise."""
        coefficients = self.coefficients(parameters)
        steps = STEP * np.eye(parameters.size)
        slopes = [
            (self.curve(parameters + s, coefficients) - self.curve(parameters - s, coefficients)) / (2 * STEP)
            for s in steps
        ]
        constant, decay = self.columns(parameters)
        return np.stack([*slopes, constant] if self.model.fixed is not None else [*slopes, constant, decay], axis=1)


def search(projection: Projection, region: Array) -> tuple[Array, Array, Array, bool]:
    """The best parameters that begin in a region of the first, their limits, and whether the search converged."""
    model = projection.model
    lower = np.array([region.min(), *(model.bounds[name][0] for name in model.parameters[1:])])
    upper = np.array([region.max(), *(model.bounds[name][1] for name in model.parameters[1:])])
    found = [
        least_squares(projection.residual, start, bounds=(lower, upper), jac="3-point", x_scale="jac", **_TIGHT)
        for start in _starts(projection, region, lower, upper)
    ]
    best = min(found, key=lambda one: float(one.cost))
    return best.x, lower, upper, bool(best.success)


def _starts(projection: Projection, region: Array, lower: Array, upper: Array) -> list[Array]:
    """Where to begin: of each combination of the other parameters the best in the region, and of these the best few."""
    model = projection.model
    ranked = []
    for others in itertools.product(*(model.start[name] for name in model.parameters[1:])):
        points = [np.clip([first, *others], lower + 1e-9, upper - 1e-9) for first in region]
        chi2 = [projection.chi2(point) for point in points]
        ranked.append((min(chi2), points[int(np.argmin(chi2))]))
    ranked.sort(key=lambda pair: pair[0])
    return [point for _, point in ranked[:_STARTS]]


def moments(projection: Projection, best: Array, bounds: tuple[Array, Array], variance: float) -> tuple[Array, Array]:
    """Mean (parameter,) and covariance (parameter, parameter) of the parameters for residuals of `variance`.

    The best, and slopes there; but where physics confines a parameter it may be told by curvature only, or not at
    all, and the best lies anywhere along a bent valley or at its end: there the likelihood is integrated over the
    range of that parameter, with all else at its best and its slopes there.
    """
    local = _local_covariance(projection, best, bounds, variance)
    confined = np.flatnonzero([name in projection.model.ends for name in projection.model.parameters])
    if not confined.size:
        return best, local
    reach = _REACH * np.sqrt(np.diag(local))
    axes = [
        np.linspace(max(best[k] - reach[k], bounds[0][k]), min(best[k] + reach[k], bounds[1][k]), _NODES[confined.size])
        for k in confined
    ]
    free = np.setdiff1d(np.arange(best.size), confined)
    height, places, spread = [], [], []
    for values in itertools.product(*axes):
        here, inverse = _best_at(projection, best, confined, np.array(values), free)
        volume = max(float(np.linalg.det(inverse)), _NO_VOLUME)
        height.append(-projection.chi2(here) / variance / 2 + np.log(volume) / 2)
        places.append(here)
        inside = np.zeros_like(local)
        inside[np.ix_(free, free)] = inverse * variance
        spread.append(inside)
    weight = np.exp(np.array(height) - max(height))
    weight /= weight.sum()
    mean = weight @ np.array(places)
    apart = np.array(places) - mean
    return mean, np.einsum("n,nij->ij", weight, spread) + np.einsum("n,ni,nj->ij", weight, apart, apart)


def _best_at(
    projection: Projection, best: Array, confined: np.ndarray, values: Array, free: np.ndarray
) -> tuple[Array, Array]:
    """The parameters with the confined ones held at `values`, and the covariance of the others for noise of 1."""
    point = best.copy()
    point[confined] = values

    def residual(others: Array) -> Array:
        point[free] = others
        return projection.residual(point)

    found = least_squares(residual, best[free], jac="3-point", **_TIGHT)
    point[free] = found.x
    jacobian = projection.jacobian(point)
    kept = np.append(free, np.arange(best.size, jacobian.shape[1]))
    root = np.asarray(np.linalg.pinv(jacobian[:, kept]), dtype=float)
    return point, (root @ root.T)[: free.size, : free.size]


def _local_covariance(projection: Projection, best: Array, bounds: tuple[Array, Array], variance: float) -> Array:
    """Covariance of the model's parameters for residuals of `variance`.

    What physics confines is known to within its range before any data; that carries it into T1 where the data do not
    tell it.
    """
    jacobian = projection.jacobian(best) / np.sqrt(variance)
    confined = np.array([name in projection.model.ends for name in projection.model.parameters])
    known = np.where(confined, np.sqrt(12) / (bounds[1] - bounds[0]), 0.0)  # one over the sd of a uniform
    jacobian = np.vstack([jacobian, np.pad(np.diag(known), ((0, 0), (0, jacobian.shape[1] - best.size)))])
    scale = np.linalg.norm(jacobian, axis=0)
    scale[scale == 0] = 1.0
    root = np.linalg.pinv(jacobian / scale) / scale[:, None]  # squared only now, with all digits
    return np.asarray((root @ root.T)[: best.size, : best.size])
