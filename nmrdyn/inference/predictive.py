"""What the posterior says of the data: replicated data, misfit, branches, and the curves of the laws."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy.stats import chi2

from nmrdyn.inference.model import JointModel, Measurements
from nmrdyn.inference.process import Conductivity
from nmrdyn.inference.sampler import Chains
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import Array

_PREDICTIVE_DRAWS = 500
_CURVE_POINTS = 60
_QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
_CURVE_UNITS = {"t1": "s", "tau_c": "s", "conductivity": "S/m"}


@dataclass(frozen=True)
class Misfit:
    """Chi-square of the best draw against noise and temperature error, its degrees of freedom and p-value."""

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
    squares = residual**2 / (stderr**2 + slope**2)
    misfits, start = [], 0
    for one in model.data:
        part = slice(start, start + one.value.size)
        start += one.value.size
        best = float(squares[:, part].sum(axis=1).min())
        free = len(one.process.law.parameters)
        left = one.value.size - free
        p = float(chi2.sf(best, left)) if left > 0 else np.nan
        misfits.append(Misfit(best, left, p))
    return Prediction(replicated, misfits)


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
    slow = tau > process.mechanism.turning_point(one.larmor_frequency)[0]
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
    shapes = {"conductivity" if isinstance(process.mechanism, Conductivity) else "t1": value}
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
