"""Truth -> recovery or transport, with noise."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nmrdyn.schema import Array, stamp
from nmrdyn.simulate.truth import ConductivityTruth, RelaxationTruth


def simulate(truth: RelaxationTruth | ConductivityTruth, *, seed: int) -> xr.Dataset:
    """Data of a truth with noise: stage `recovery` or `transport`.

    The same truth and seed give the same data. The noise of a recovery is measured as an instrument would, with
    `noise_dof` degrees of freedom: its standard error differs from trace to trace.

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
    signal = exact + truth.excess_noise / truth.snr * rng.standard_normal(exact.shape)
    measured = np.sqrt(rng.chisquare(truth.noise_dof, n) / truth.noise_dof) / truth.snr
    planned = np.full(n, exact.shape[1])
    recovery = xr.Dataset(
        {
            "signal": (("experiment", "increment"), signal),
            "signal_stderr": (("experiment", "increment"), np.tile(measured[:, None], exact.shape[1])),
        },
        coords=_conditions(temperature)
        | {
            "larmor_frequency": ("experiment", np.full(n, truth.larmor_frequency)),
            "delay": (("experiment", "increment"), truth.delay),
            "rows_recorded": ("experiment", planned),
            "rows_planned": ("experiment", planned),
            "kind": ("experiment", [truth.kind] * n),
            "pulse_program": ("experiment", ["simulated"] * n),
            "noise_dof": ("experiment", np.full(n, truth.noise_dof)),
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
