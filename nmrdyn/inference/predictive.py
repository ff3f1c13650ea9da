"""What the posterior says of the data: replicated data, misfit, branches, and the curves of the laws."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from nmrdyn.inference.model import QUANTITY, JointModel, Measurements
from nmrdyn.inference.sampler import Chains
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import Array

_PREDICTIVE_DRAWS = 500
_NULL_DRAWS = 4000
_CURVE_POINTS = 60
_QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
_CURVE_UNITS = {"t1": "s", "tau_c": "s", "conductivity": "S/m"}


@dataclass(frozen=True)
class Misfit:
    """Chi-square of the best draw against noise and temperature error, its degrees of freedom and p-value.

    With 0 degrees of freedom there was nothing to test, and `p` is NaN; else it is at least 1 in 4,001, the number of
    simulated nulls and one.
    """

    chi2: float
    dof: int
    p: float


@dataclass(frozen=True)
class Prediction:
    """Replicated data (draw, row), and how well each process is described."""

    replicated: Array
    misfits: list[Misfit]


def predict(model: JointModel, chains: Chains, rng: np.random.Generator) -> Prediction:
    """Replicated data of a few hundred draws, and the misfit of each process."""
    flat = chains.draws.reshape(-1, chains.draws.shape[-1])
    theta = flat[np.linspace(0, len(flat) - 1, min(_PREDICTIVE_DRAWS, len(flat))).astype(int)]
    residual, slope = model.residuals(theta)
    _, stderr, dof = model.spread(theta)
    error = rng.standard_normal((len(theta), model.n_runs, 1))
    noise = stderr * rng.standard_t(dof, size=stderr.shape)
    replicated = model.predict(theta, error)[..., 0] + noise
    misfits, start = [], 0
    for one in model.data:
        part = slice(start, start + one.value.size)
        start += one.value.size
        errors = _Errors(residual[:, part], slope[:, part], stderr[:, part], dof[part])
        misfits.append(_misfit(model, one, theta, errors, rng))
    return Prediction(replicated, misfits)


@dataclass(frozen=True)
class _Errors:
    """Residuals of one process, their slopes with the temperature error, standard errors (draw, row); dof (row)."""

    residual: Array
    slope: Array
    stderr: Array
    dof: Array


def _misfit(model: JointModel, one: Measurements, theta: Array, errors: _Errors, rng: np.random.Generator) -> Misfit:
    """Chi-square of the best draw, and how often a law that holds would do worse.

    Errors that were scaled by few residuals have a Student-t's tails, so that the null is simulated: errors of their
    own distributions, less what the two parameters of the law take up.
    """
    variance = errors.stderr**2 + errors.slope**2
    squares = (errors.residual**2 / variance).sum(axis=1)
    best = int(np.argmin(squares))
    left = one.value.size - 2
    inferred = f"{one.process.name}.log10_noise" in model.priors
    if inferred or np.unique(one.temperature).size <= 2:
        return Misfit(float(squares[best]), 0, np.nan)
    weight = 1 / np.sqrt(variance[best])
    columns = []
    for name in [f"{one.process.name}.activation_energy", *model.prefactors(one.process)]:
        step = np.zeros(theta.shape[1])
        step[model.parameters.index(name)] = 1e-4
        ends = [
            model.predict_process(one, theta[best : best + 1] + s * step, one.temperature[:, None]) for s in (-1, 1)
        ]
        columns.append((ends[1] - ends[0])[0, :, 0] * weight)
    taken = np.linalg.qr(np.stack(columns, axis=1))[0]
    shape = (_NULL_DRAWS, one.value.size)
    null = errors.stderr[best] * rng.standard_t(errors.dof, shape) + errors.slope[best] * rng.standard_normal(shape)
    null = null * weight
    worse = np.sum((null - null @ taken @ taken.T) ** 2, axis=1) >= squares[best]
    return Misfit(float(squares[best]), left, float((1 + worse.sum()) / (1 + _NULL_DRAWS)))


@dataclass(frozen=True)
class Branches:
    """Probability of each branch over the measured range, and of the slow one at each experiment (NaN: not used)."""

    overall: dict[str, float]
    slow: Array


def branches(model: JointModel, one: Measurements, chains: Chains) -> Branches:
    """Where the draws lie: all slow, all fast, or with the T1 minimum inside the measured range."""
    process = one.process
    assert isinstance(process.mechanism, Mechanism)
    flat = chains.draws.reshape(-1, chains.draws.shape[-1])
    theta = flat[:: max(1, len(flat) // 4000)]
    arguments = {name: model.column(theta, f"{process.name}.{name}")[:, None] for name in process.law.parameters}
    tau = process.law.correlation_time(one.temperature, **arguments)
    turns = [
        process.mechanism.at(kelvin).turning_point(larmor)[0]
        for kelvin, larmor in zip(one.temperature, one.larmor_frequency, strict=True)
    ]
    slow = tau > np.array(turns)
    everywhere, nowhere = slow.all(axis=1), ~slow.any(axis=1)
    at_each = np.full(process.data.sizes["experiment"], np.nan)
    at_each[one.rows] = slow.mean(axis=0)
    overall = {"fast": nowhere, "slow": everywhere, "crossing": ~everywhere & ~nowhere}
    return Branches({name: float(which.mean()) for name, which in overall.items()}, at_each)


def curves(model: JointModel, one: Measurements, chains: Chains) -> xr.Dataset:
    """Quantiles of what the law says between and a little beyond the measured temperatures."""
    process = one.process
    flat = chains.draws.reshape(-1, chains.draws.shape[-1])
    theta = flat[:: max(1, len(flat) // 1000)]
    inverse = np.linspace(1 / one.temperature.max(), 1 / one.temperature.min(), _CURVE_POINTS)
    inverse = inverse[0] + (inverse - inverse[0]) * 1.1 - 0.05 * np.ptp(inverse)
    kelvin = 1 / inverse
    grid = replace(one, temperature=kelvin, larmor_frequency=np.full(_CURVE_POINTS, np.median(one.larmor_frequency)))
    value = np.exp(model.predict_process(grid, theta, kelvin[None, :, None])[..., 0])
    shapes = {QUANTITY[process.datum]: value}
    if isinstance(process.mechanism, Mechanism):
        arguments = {name: model.column(theta, f"{process.name}.{name}")[:, None] for name in process.law.parameters}
        shapes["tau_c"] = process.law.correlation_time(kelvin, **arguments)
    return xr.Dataset(
        {
            name: (("quantile", "grid"), np.quantile(curve, _QUANTILES, axis=0), {"units": _CURVE_UNITS[name]})
            for name, curve in shapes.items()
        },
        coords={"quantile": list(_QUANTILES), "temperature": ("grid", kelvin, {"units": "K"})},
    )
