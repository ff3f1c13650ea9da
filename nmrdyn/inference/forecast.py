"""posterior -> what would be measured at other temperatures and fields."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.inference.observed import CorrelationTime, Observed
from nmrdyn.inference.process import Process, adjustable, law_parameter
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import STAGES, Array, InputError, require, require_within

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
_DRAWS = 4000


def predict(
    posterior: xr.DataTree,
    process: Process,
    *,
    temperature: npt.ArrayLike,
    larmor_frequency: npt.ArrayLike | None = None,
) -> xr.Dataset:
    """What a posterior says of a process at any temperature and field, with both branches in it.

    These are quantiles of the law and its mechanism at true temperatures: without noise, scatter and thermometer.
    Outside the measured range they hold as far as the law does.

    Parameters
    ----------
    posterior : what `infer` returned
    process : the process as `infer` was given it
    temperature : one, or (temperature,) [K]
    larmor_frequency : one, or several [Hz]; those of the data unless said

    Returns
    -------
    prediction : quantiles 0.025, 0.16, 0.5, 0.84 and 0.975 of `tau_c (quantile, temperature)` [s]; for a mechanism of
        relaxation also of `t1 (quantile, field, temperature)` [s], and `slow_probability (field, temperature)`, that of
        tau_c on the branch where T1 grows with it; for a conductivity `conductivity (quantile, temperature)` [S/m]
        alone, for diffusion `diffusion (quantile, temperature)` [m^2/s]. NaN where some draws have no motion, as VTF
        has none below its Vogel temperature

    Raises
    ------
    InputError
        For a process that the posterior does not have, temperatures or frequencies that are not above 0, or a Larmor
        frequency for data without one.

    Examples
    --------
    Conductivities from 280 to 330 K, and what they make expect at 400 K, where it is 0.01 S/m x 293 K/400 K x
    exp(0.5 eV/k (1/293 K - 1/400 K)) = 1.46 S/m:

    >>> import nmrdyn as nd
    >>> eis = nd.simulate(nd.ConductivityTruth(activation_energy=0.5, conductivity=1e-2, reference_temperature=293.0,
    ...     temperature=range(280, 331, 10)), seed=2)
    >>> process = nd.Process("eis", eis, mechanism=nd.Conductivity("sigma_T"))
    >>> found = nd.predict(nd.infer([process], seed=1), process, temperature=400.0)
    >>> low, high = found.conductivity.sel(quantile=[0.025, 0.975]).values.ravel()
    >>> bool(low < 1.46 < high)
    True
    """
    require(posterior, "posterior")
    name, mechanism = process.name, process.mechanism
    if larmor_frequency is not None and not isinstance(mechanism, Mechanism):
        raise InputError(f"predict: needed no Larmor frequency for {name}, whose data have none, found one")
    kelvin = np.atleast_1d(np.asarray(temperature, dtype=float))
    require_within("predict: temperature [K]", kelvin, above=0)
    log_value = log_draws(posterior, process, temperature=kelvin)
    coords: dict[str, Any] = {"quantile": list(QUANTILES), "temperature": ("temperature", kelvin, {"units": "K"})}
    if isinstance(mechanism, Observed) and not isinstance(mechanism, CorrelationTime):
        value = _quantiles(log_value)
        unit = STAGES[mechanism.stage].variables[mechanism.quantity].unit
        return xr.Dataset({mechanism.quantity: (("quantile", "temperature"), value, {"units": unit})}, coords=coords)
    found: dict[str, Any] = {"tau_c": (("quantile", "temperature"), _quantiles(log_value), {"units": "s"})}
    if isinstance(mechanism, Mechanism):
        said_fields = process.data["larmor_frequency"].values if larmor_frequency is None else larmor_frequency
        field = np.unique(np.asarray(said_fields, dtype=float))
        require_within("predict: Larmor frequency [Hz]", field, above=0)
        coords["larmor_frequency"] = ("field", field, {"units": "Hz"})
        values, log_tau = _values(posterior, process), log_value[:, None]
        sampled = {name: values[name] for name in adjustable(process) if name in values}
        here = (mechanism.with_values(**sampled) if sampled else mechanism).at(kelvin)
        with np.errstate(all="ignore"):  # far from the data rates overflow
            tau, larmor = np.exp(log_tau), field[:, None]
            log_t1 = -np.log(here.rate(tau, larmor))
            slow = (here.sensitivity(tau, larmor) > 0).mean(axis=0)
        found["t1"] = (("quantile", "field", "temperature"), _quantiles(log_t1), {"units": "s"})
        found["slow_probability"] = (("field", "temperature"), np.where(np.isnan(log_tau).any(axis=0), np.nan, slow))
    return xr.Dataset(found, coords=coords)


def log_draws(posterior: xr.DataTree, process: Process, *, temperature: npt.ArrayLike) -> Array:
    """ln of tau_c [s], or of what is observed in its place (sigma [S/m], D [m^2/s]), by the law (draw, temperature).

    The draws are those of the posterior or an even choice of them, the same for all of its processes, so that what they
    share cancels. NaN where a draw has no motion.
    """
    known = json.loads(posterior.attrs["processes"])
    if process.name not in known:
        raise InputError(f"posterior: needed a process of this posterior ({', '.join(known)}), found {process.name!r}")
    kelvin, values, law = np.atleast_1d(np.asarray(temperature, dtype=float)), _values(posterior, process), {}
    for parameter in process.law.parameters:
        said = law_parameter(process, parameter)
        law[parameter] = values[said] if said == parameter else -values[said]  # a prefactor in place of tau0
    log_tau = process.law.log_correlation_time(kelvin, **law)[:, 0]
    return process.mechanism.log_value(log_tau, kelvin) if isinstance(process.mechanism, Observed) else log_tau


def _values(posterior: xr.DataTree, process: Process) -> dict[str, Array]:
    """Draws (draw, 1, 1) of what is sampled of a process or fixed in place of a prior, by their names in it."""
    draws, fixed = posterior["posterior"].dataset, json.loads(posterior.attrs["fixed"])
    count = draws.sizes["chain"] * draws.sizes["draw"]
    pick = np.linspace(0, count - 1, min(_DRAWS, count)).astype(int)
    names = [*(law_parameter(process, name) for name in process.law.parameters), *adjustable(process)]
    values = {}
    for name in names:
        said = f"{process.name}.{name}"
        if said in draws:
            values[name] = draws[said].values.ravel()[pick, None, None]
        elif said in fixed:
            values[name] = np.full((pick.size, 1, 1), fixed[said])
    return values


def _quantiles(log_value: Array) -> Array:
    """Quantiles over draws, the first axis, of a value given by its logarithm."""
    return np.exp(np.quantile(log_value, QUANTILES, axis=0))
