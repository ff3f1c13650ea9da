"""What the posterior says of the data: replicated data, misfit, branches, and the curves of the laws."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from nmrdyn.inference.measurements import QUANTITY, Measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.process import law_parameter
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import Array

_PREDICTIVE_DRAWS = 500
_NULL_DRAWS = 4000
_CURVE_POINTS = 60
_QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
_CURVE_UNITS = {"t1": "s", "tau_c": "s", "conductivity": "S/m", "diffusion": "m^2/s"}


@dataclass(frozen=True)
class Misfit:
    """How well a law describes its data: posterior-predictive checks of size and of curvature.

    `chi2` is that of the best draw against noise and temperature error. `p_chi2` is how often data that follow the law,
    scattered as its prior allows, would have a larger one, `p_curvature` how often they would bend more in 1/T, and `p`
    is for both together. With 0 degrees of freedom there was nothing to test, and these are NaN; else the smallest
    they can be is one in the number of simulated data.
    """

    chi2: float
    dof: int
    p: float
    p_chi2: float
    p_curvature: float


@dataclass(frozen=True)
class Prediction:
    """Replicated data (draw, row), and how well each process is described."""

    replicated: Array
    misfits: list[Misfit]


def predict(model: JointModel, flat: Array, rng: np.random.Generator) -> Prediction:
    """Replicated data of a few hundred of the draws (draw, parameter), and the misfit of each process."""
    theta = flat[np.linspace(0, len(flat) - 1, min(_PREDICTIVE_DRAWS, len(flat))).astype(int)]
    stderr, dof = model.spread(theta)
    shape = (len(theta), stderr.shape[1])
    error = rng.standard_normal((len(theta), model.runs.n, 1))
    noise = stderr * rng.standard_t(np.broadcast_to(dof, shape))
    replicated = model.predict(theta, error)[..., 0] + noise
    alone = [model.alone(one) for one in model.data]
    own = [np.stack([model.column(theta, name) for name in one.parameters], axis=1) for one in alone]
    return Prediction(replicated, [_misfit(*pair, rng) for pair in zip(alone, own, strict=True)])


def _misfit(model: JointModel, theta: Array, rng: np.random.Generator) -> Misfit:
    """Residuals of the best draw, less what the parameters of the law take up, against data simulated the same way.

    Errors that were scaled by few residuals have a Student-t's tails, so that the null is simulated.
    """
    (one,) = model.data
    process = one.process
    residual, slope = (np.broadcast_to(part, (len(theta), one.value.size)) for part in model.residuals(theta))
    inferred = not np.all(np.isfinite(one.stderr))
    stderr = np.broadcast_to(model.spread(theta)[0], residual.shape) if inferred else one.stderr[None]
    variance = stderr**2 + slope**2
    squares = (residual**2 / variance).sum(axis=1)
    best = int(np.nanargmin(squares))
    names = [law_parameter(process, name) for name in process.law.parameters]
    free = [name for name in names if f"{process.name}.{name}" in model.priors]
    left = one.value.size - len(free)
    if inferred or left < 1 or np.unique(one.temperature).size <= len(free):
        return Misfit(float(squares[best]), 0, np.nan, np.nan, np.nan)
    weight = 1 / np.sqrt(variance[best % len(variance)])
    taken = np.linalg.qr(_slopes(model, one, theta[best], free) * weight[:, None])[0]
    bend = (1 / one.temperature - np.mean(1 / one.temperature)) ** 2 * weight
    bend = bend - taken @ (taken.T @ bend)
    bend /= max(float(np.linalg.norm(bend)), 1e-300)

    shape = (_NULL_DRAWS, one.value.size)
    name = f"{process.name}.scatter"
    believed = (
        model.priors[name].draw(_NULL_DRAWS, rng) if name in model.priors else np.full(_NULL_DRAWS, model.fixed[name])
    )
    null = one.stderr * rng.standard_t(one.dof, shape) + slope[best] * rng.standard_normal(shape)
    null = (null + believed[:, None] * rng.standard_normal(shape)) * weight
    null = null - null @ taken @ taken.T
    found = residual[best] * weight
    found = found - taken @ (taken.T @ found)
    chi2 = float(found @ found)
    p_chi2 = (1 + np.sum(np.sum(null**2, axis=1) >= chi2)) / (1 + _NULL_DRAWS)
    p_bend = (1 + np.sum(np.abs(null @ bend) >= abs(found @ bend))) / (1 + _NULL_DRAWS)
    both = min(1.0, 2 * min(p_chi2, p_bend)) if left > 1 else p_chi2
    return Misfit(chi2, left, float(both), float(p_chi2), float(p_bend))


def _slopes(model: JointModel, one: Measurements, theta: Array, names: list[str]) -> Array:
    """Derivatives (row, name) of what should be measured with the parameters of the law."""
    columns = []
    for name in names:
        column = model.parameters.index(f"{one.process.name}.{name}")
        step = np.zeros(theta.size)
        step[column] = 1e-5 * max(abs(theta[column]), 1.0)
        ends = [model.motion(one, theta[None] + s * step).predict(one.temperature[None, :, None]) for s in (-1, 1)]
        columns.append((ends[1] - ends[0])[0, :, 0] / (2 * step[column]))
    return np.nan_to_num(np.stack(columns, axis=1))


@dataclass(frozen=True)
class Branches:
    """Probability of each branch over the measured range, and of the slow one at each experiment (NaN: not used)."""

    overall: dict[str, float]
    slow: Array


def branches(model: JointModel, one: Measurements, flat: Array) -> Branches:
    """Where the draws lie: all slow, all fast, or with the T1 minimum inside the measured range."""
    process = one.process
    assert isinstance(process.mechanism, Mechanism)
    theta = flat[:: max(1, len(flat) // 4000)]
    log_tau = model.motion(one, theta).log_correlation_time(one.temperature[None, :, None])[..., 0]
    turns = [
        process.mechanism.at(kelvin).turning_point(larmor)[0]
        for kelvin, larmor in zip(one.temperature, one.larmor_frequency, strict=True)
    ]
    slow = log_tau > np.log(turns)
    everywhere, nowhere = slow.all(axis=1), ~slow.any(axis=1)
    at_each = np.full(process.data.sizes["experiment"], np.nan)
    at_each[one.rows] = slow.mean(axis=0)
    overall = {"fast": nowhere, "slow": everywhere, "crossing": ~everywhere & ~nowhere}
    return Branches({name: float(which.mean()) for name, which in overall.items()}, at_each)


def curves(model: JointModel, one: Measurements, flat: Array) -> xr.Dataset:
    """Quantiles of what the law says between and a little beyond the measured temperatures, at each field."""
    process = one.process
    theta = flat[:: max(1, len(flat) // 1000)]
    inverse = np.linspace(1 / one.temperature.max(), 1 / one.temperature.min(), _CURVE_POINTS)
    inverse = inverse[0] + (inverse - inverse[0]) * 1.1 - 0.05 * np.ptp(inverse)
    kelvin = 1 / inverse
    fields = np.unique(one.larmor_frequency)
    values = []
    for field in fields:
        grid = replace(one, temperature=kelvin, larmor_frequency=np.full(_CURVE_POINTS, field))
        values.append(np.exp(model.motion(grid, theta).predict(kelvin[None, :, None])[..., 0]))
    shapes = {QUANTITY[process.datum]: np.stack(values, axis=1)}
    if isinstance(process.mechanism, Mechanism):
        tau = np.exp(model.motion(one, theta).log_correlation_time(kelvin[None, :, None])[..., 0])
        shapes["tau_c"] = np.repeat(tau[:, None], fields.size, axis=1)
    return xr.Dataset(
        {
            name: (
                ("quantile", "field", "grid"),
                np.nanquantile(curve, _QUANTILES, axis=0),
                {"units": _CURVE_UNITS[name]},
            )
            for name, curve in shapes.items()
        },
        coords={
            "quantile": list(_QUANTILES),
            "temperature": ("grid", kelvin, {"units": "K"}),
            "larmor_frequency": ("field", fields, {"units": "Hz"}),
        },
    )
