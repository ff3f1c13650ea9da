"""Coordinates without ends, in which modes are climbed, proposals are made and ensembles run."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit

from nmrdyn.inference.model import JointModel
from nmrdyn.schema import Array

_SHARPNESS = 30.0  # of the ends of a range: what lies within about a thirtieth of it from an end is stretched
_MOST_LOG = 300.0  # exp of it is neither infinite nor 0, nor is its square
_LEAST, _EPSILON = float(np.finfo(float).tiny), float(np.finfo(float).eps)
_MARGIN = 1e-3  # of a range, that starting points keep from its ends


class Coordinates:
    """Free coordinates of a model, which run from minus to plus infinity.

    A parameter with one end has its logarithm as coordinate. One between two ends is itself in the middle of its range;
    towards an end e its coordinate goes on as the logarithm of the distance from it. A posterior that leans on an end
    then has a peak all the same, and the ridges of weak data, barrier against prefactor, stay straight, which they are
    not in logits.

        theta = e + (range/s) ln(1 + exp(s (x - e)/range))      near the lower end, s = 30; the upper end likewise

    With `ranges=False`, parameters between two ends are left as they are, and their density is 0 beyond. Called with
    coordinates (draw, parameter), it is their log density, with the Jacobian. What a parameter may be is
    `model.supports`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> free = Coordinates(SimpleNamespace(supports=np.array([[0.0, 2.0], [0.0, np.inf], [-np.inf, np.inf]])))
    >>> free.outside(np.array([[1.0, 1.0, -5.0], [0.01, 0.01, -5.0]])).round(2)
    array([[ 1.  ,  0.  , -5.  ],
           [-0.12, -4.61, -5.  ]])
    >>> free.inside(np.array([-0.12, -4.61, -5.0])).round(2)
    array([ 0.01,  0.01, -5.  ])
    """

    def __init__(self, model: JointModel, *, ranges: bool = True) -> None:
        self.model = model
        self.flat: dict[int, float] = getattr(model, "flat", {})
        low, high = np.asarray(model.supports, dtype=float).T
        self._range = np.flatnonzero(np.isfinite(low) & np.isfinite(high) & ranges)
        self._half = np.flatnonzero(np.isfinite(low) != np.isfinite(high))
        self._low, self._high = low[self._range], high[self._range]
        self._span = self._high - self._low
        self._edge = np.where(np.isfinite(low), low, high)[self._half]
        self._sign = np.where(np.isfinite(low), 1.0, -1.0)[self._half]

    def outside(self, theta: Array) -> Array:
        """Parameters (..., parameter) to free coordinates; what lies at an end or beyond comes from just inside."""
        free = np.array(theta, dtype=float)
        share = np.clip((free[..., self._range] - self._low) / self._span, _LEAST, 1 - _EPSILON)
        rise = np.log(np.expm1(_SHARPNESS * share)) - np.log(-np.expm1(_SHARPNESS * (share - 1)))
        free[..., self._range] = self._low + self._span * rise / _SHARPNESS
        free[..., self._half] = np.log(np.maximum(self._sign * (free[..., self._half] - self._edge), _LEAST))
        return free

    def inside(self, free: Array) -> Array:
        """Free coordinates (..., parameter) to parameters."""
        theta = np.array(free, dtype=float)
        from_low, from_high = self._from_ends(theta)
        share = (np.logaddexp(0.0, from_low) - np.logaddexp(0.0, from_high)) / _SHARPNESS
        # The sum may round to beyond the end.
        theta[..., self._range] = np.clip(self._low + self._span * share, self._low, self._high)
        theta[..., self._half] = self._edge + self._sign * self._distance(theta)
        return theta

    def log_slope(self, free: Array) -> Array:
        """ln |d parameters / d coordinates| (...), the logarithm of the Jacobian determinant."""
        from_low, from_high = self._from_ends(free)
        bounded = log_expit(from_low) + log_expit(-from_high) + np.log(-np.expm1(-_SHARPNESS))
        return bounded.sum(axis=-1) + np.clip(free[..., self._half], -_MOST_LOG, _MOST_LOG).sum(axis=-1)

    def slope(self, free: Array) -> Array:
        """d parameter / d coordinate (..., parameter)."""
        slope = np.ones_like(free)
        from_low, from_high = self._from_ends(free)
        slope[..., self._range] = expit(from_low) * expit(-from_high)
        slope[..., self._half] = self._sign * self._distance(free)
        return slope

    def within(self, theta: Array) -> Array:
        """Parameters (..., parameter) moved off the ends of their ranges, so that a climb can start there."""
        moved = np.array(theta, dtype=float)
        margin = _MARGIN * self._span
        moved[..., self._range] = np.clip(moved[..., self._range], self._low + margin, self._high - margin)
        return moved

    def scale(self) -> Array:
        """A typical step of each coordinate (parameter,)."""
        step = np.array([prior.width for prior in self.model.priors.values()])
        step[self._range], step[self._half] = self._span / 10, 0.3
        return step

    def first_step(self) -> Array:
        """A small step of each coordinate (parameter,), with which a climb begins."""
        step = 0.1 * self.scale()
        step[list(self.flat)] = list(self.flat.values())
        return step

    def __call__(self, free: Array) -> Array:
        """Log density (draw,) of free coordinates (draw, parameter)."""
        return self.model(self.inside(free)) + self.log_slope(free)

    def log_prior(self, free: Array) -> Array:
        """Log density (draw,) that the priors have in free coordinates (draw, parameter)."""
        return self.model.log_prior(self.inside(free)) + self.log_slope(free)

    def _from_ends(self, free: Array) -> tuple[Array, Array]:
        """How far coordinates with two ends are above the lower and above the upper one, in units of the edges."""
        edges = _SHARPNESS / self._span
        return (free[..., self._range] - self._low) * edges, (free[..., self._range] - self._high) * edges

    def _distance(self, free: Array) -> Array:
        """How far parameters with one end are from it."""
        return np.exp(np.clip(free[..., self._half], -_MOST_LOG, _MOST_LOG))
