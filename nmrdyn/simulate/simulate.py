"""Truth -> recovery or transport, with noise."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nmrdyn.schema import Array, stamp
from nmrdyn.simulate.truth import ConductivityTruth, RelaxationTruth

_NOISE_DOF = 400


def simulate(truth: RelaxationTruth | ConductivityTruth, *, seed: int) -> xr.Dataset:
    """Data of a truth with noise: stage `recovery` or `transport`.

    The same truth and seed give the same data.

    Examples
    --------
    >>> truth = ConductivityTruth(activation_energy=0.552, conductivity=1e-2, reference_temperature=333.15,
    ...     temperature=[288.15, 333.15], relative_error=0.0)
    >>> simulate(truth, seed=1).conductivity.values.round(5)
    array([0.00057, 0.01   ])
    """
    rng = np.random.default_rng(seed)
    temperature = np.asarray(truth.temperature, dtype=float)
    if isinstance(truth, ConductivityTruth):
        exact = truth.exact
        noise = truth.relative_error * exact
        transport = xr.Dataset(
            {
                "conductivity": ("experiment", exact + noise * rng.standard_normal(exact.size)),
                "conductivity_stderr": ("experiment", noise),
            },
            coords=_conditions(temperature),
        )
        return stamp(transport, "transport")
    exact = truth.recovered
    n = exact.shape[0]
    planned = np.full(n, exact.shape[1])
    recovery = xr.Dataset(
        {
            "signal": (("experiment", "increment"), exact + rng.standard_normal(exact.shape) / truth.snr),
            "signal_stderr": (("experiment", "increment"), np.full(exact.shape, 1 / truth.snr)),
        },
        coords=_conditions(temperature)
        | {
            "larmor_frequency": ("experiment", np.full(n, truth.larmor_frequency)),
            "delay": (("experiment", "increment"), truth.delay),
            "rows_recorded": ("experiment", planned),
            "rows_planned": ("experiment", planned),
            "kind": ("experiment", [truth.kind] * n),
            "pulse_program": ("experiment", ["simulated"] * n),
            "noise_dof": ("experiment", np.full(n, float(_NOISE_DOF))),
            "reason": ("experiment", np.array([""] * n, dtype=object)),
        },
    )
    return stamp(recovery, "recovery", nucleus=truth.nucleus)


def _conditions(temperature: Array) -> dict[str, object]:
    n = temperature.size
    return {
        "experiment": [str(index + 1) for index in range(n)],
        "temperature": ("experiment", temperature),
        "temperature_stderr": ("experiment", np.full(n, np.nan)),
    }
