"""Everything on the way from the data of a process to what the likelihood needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.findings import attach, attached
from nmrdyn.inference.observed import CorrelationTime, Observed
from nmrdyn.inference.predictive import Branches
from nmrdyn.inference.process import Probe, Process
from nmrdyn.motion.checks import of_motion
from nmrdyn.motion.correlation_time import BRANCHES, correlation_time
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.recovery.fit import complete, fit_recovery
from nmrdyn.recovery.interval import t1_interval
from nmrdyn.schema import InputError, stamp


def stages_of(process: Process, probes: Mapping[str, Probe]) -> dict[str, xr.Dataset]:
    """The stages of a process by name, with the point errors of its probes where the data have none."""
    given = process.data["temperature_stderr"]
    points = [probes[name].point if name in probes else 0.0 for name in process.probes]
    known = given.fillna(xr.DataArray(points, dims="experiment")).variable
    data = stamp(process.data.assign_coords(temperature_stderr=known), process.data.attrs["stage"])
    if isinstance(process.mechanism, CorrelationTime):
        return {"motion": _on_their_branch(data)}
    if isinstance(process.mechanism, Observed):
        return {process.mechanism.stage: data}
    if data.attrs["stage"] == "recovery":
        relaxation = fit_recovery(data, process.untied)
        low, high = t1_interval(data, relaxation).values.T
        relaxation = relaxation.assign(t1_low=("experiment", low), t1_high=("experiment", high))
        stages = {"recovery": data, "relaxation": stamp(relaxation, "relaxation")}
    else:
        stages = {"relaxation": complete(data)}
    try:
        return stages | {"motion": correlation_time(stages["relaxation"], process.mechanism)}
    except InputError as error:
        raise InputError(f"{process.name}: {error}") from error


def _on_their_branch(motion: xr.Dataset) -> xr.Dataset:
    """Correlation times whose one branch whoever made them has chosen, with what later stages ask of motion."""
    known = np.isfinite(motion["tau_c"].values)
    none = ("experiment", np.zeros(len(known), dtype=int))
    given: dict[str, Any] = {
        "branch_probability": (("experiment", "branch"), np.where(known, 1.0, np.nan)),
        "reason": ("experiment", np.full(len(known), "", dtype=object)),
        "rows_used": none,
    }
    missing = {name: value for name, value in given.items() if name not in motion}
    rows = {name: none for name in ("rows_recorded", "rows_planned") if name not in motion}
    return stamp(motion.assign(missing).assign_coords(rows), "motion")


def with_branches(process: Process, stages: Mapping[str, xr.Dataset], branch: Branches) -> xr.Dataset:
    """Correlation times with the weights of their branches, and the remarks that follow from these."""
    motion = stages["motion"]
    assert tuple(motion["branch"].values) == BRANCHES
    assert isinstance(process.mechanism, Mechanism)
    probability = np.stack([1 - branch.slow, branch.slow], axis=-1)
    motion = stamp(motion.assign(branch_probability=(("experiment", "branch"), probability)), "motion")
    return attach(motion, [*attached(stages["relaxation"]), *of_motion(motion, process.mechanism)])
