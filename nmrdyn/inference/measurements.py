"""What each process was measured to be: one row an experiment, as a number with its error or as a likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.inference.observed import Conductivity, CorrelationTime, Diffusion
from nmrdyn.inference.process import Process
from nmrdyn.recovery.marginal import MarginalTable, supported, tabulate
from nmrdyn.schema import Array, InputError

# What the likelihood may be made of, and how the report calls it.
LIKELIHOODS = {
    "traces": "the recovery of every experiment, with amplitude, depth and noise integrated out",
    "t1": "{quantity} with a Student-t error, temperature errors by quadrature",
    "fast": "{quantity} with a Student-t error, temperature errors to first order",
}
# What the likelihood reads of each stage.
QUANTITY = {"relaxation": "t1"} | {one.stage: one.quantity for one in (Conductivity, Diffusion, CorrelationTime)}
_LARGE_DOF = 1e6


@dataclass(frozen=True)
class Measurements:
    """The usable rows of a process: `value` = ln of T1, tau_c, sigma or D in SI.

    `stderr` is NaN where no error is known. `probe` names the thermometer of each row, "" for none. Where there is a
    `table`, it is the likelihood, and `value`, `stderr` and `dof` only tell where it is large.
    """

    process: Process
    rows: npt.NDArray[np.intp]
    value: Array
    stderr: Array
    dof: Array
    temperature: Array
    temperature_stderr: Array
    larmor_frequency: Array
    probe: npt.NDArray[np.object_]
    likelihood: str
    table: MarginalTable | None = None

    @cached_property
    def probes(self) -> dict[str, Array | float]:
        """Which rows (row, 1) have which thermometer, by its name; 1 for all."""
        names = sorted(set(map(str, self.probe)) - {""})
        every = len(names) == 1 and bool(np.all(self.probe == names[0]))
        return {name: 1.0 if every else (self.probe == name)[:, None].astype(float) for name in names}

    @cached_property
    def uncertain(self) -> bool:
        """Whether any temperature has an error of its own."""
        return bool(self.temperature_stderr.any())

    @property
    def middle(self) -> float:
        """The middle of the measured range [K] in 1/T, at which barriers are told that change with temperature."""
        return float(2 / (1 / self.temperature.min() + 1 / self.temperature.max()))

    @cached_property
    def _moments(self) -> tuple[Array, Array, bool]:
        """Variance of each Student-t, what its kurtosis is told by (dof - 4), and whether all have both."""
        few = self.dof < 5
        dof = np.where(few, 5.0, self.dof)
        return self.stderr**2 * np.where(few, 1.0, dof / (dof - 2)), dof - 4, not few.any()

    def scattered(self, scatter: Array) -> tuple[Array, Array]:
        """Square of the scale, and dof, of the Student-t that is nearest to the sum of one and a normal (walker, row).

        `scatter` is the sd of the normal (walker, 1). The two have variance and kurtosis in common; below five degrees
        of freedom, where there is no kurtosis, they are as after Welch (1947).
        """
        own, above_four, regular = self._moments
        variance = own + scatter**2
        ratio = (variance / own) ** 2
        dof = 4 + above_four * ratio
        square = variance - 2 * variance / dof
        if regular:
            return square, dof
        few = self.dof < 5
        return np.where(few, variance, square), np.where(few, self.dof * ratio, dof)

    def without(self, row: npt.NDArray[np.bool_]) -> Measurements:
        """The measurements less some rows (row,)."""
        kept = ~row
        parts = ("rows", "value", "stderr", "dof", "temperature", "temperature_stderr", "larmor_frequency", "probe")
        values = {name: getattr(self, name)[kept] for name in parts}
        table = None if self.table is None else self.table.select(np.flatnonzero(kept))
        return Measurements(process=self.process, likelihood=self.likelihood, table=table, **values)


def usable_rows(data: xr.Dataset, datum: str) -> npt.NDArray[np.intp]:
    """The rows of the stage `datum` that have a value and a temperature."""
    value = data[QUANTITY[datum]].values.ravel()
    return np.flatnonzero(np.isfinite(value) & (value > 0) & np.isfinite(data["temperature"].values))


def measurements(
    process: Process, stages: Mapping[str, xr.Dataset], *, likelihood: str = "traces", scatter: bool = True
) -> Measurements:
    """The usable rows of the stage that the likelihood reads; with traces where there are recoveries for it.

    Raises
    ------
    InputError
        Where fewer than two temperatures are usable, or an error is 0.
    """
    data = stages[process.datum]
    quantity = QUANTITY[process.datum]
    value, stderr = data[quantity].values.ravel(), data[f"{quantity}_stderr"].values.ravel()
    temperature = data["temperature"].values
    rows = usable_rows(data, process.datum)
    distinct = np.unique(temperature[rows])
    if distinct.size < 2:
        raise InputError(
            f"{process.name}: needed at least two temperatures, found {distinct.size} "
            f"with a {quantity} among {value.size} experiments"
        )
    if np.any(stderr[rows] <= 0):
        zero = ", ".join(str(name) for name in data["experiment"].values[rows][stderr[rows] <= 0])
        raise InputError(f"{process.name}: needed standard errors above 0, found 0 at {zero}; leave unknown ones empty")
    dof = data["t1_dof"].values[rows] if "t1_dof" in data else np.full(rows.size, np.inf)
    table = None
    if likelihood == "traces":
        likelihood = "t1"
        if "recovery" in stages and supported(process.untied):
            likelihood = "traces"
            table = tabulate(stages["recovery"], data, process.untied, scatter=scatter, rows=rows)
    return Measurements(
        process=process,
        rows=rows,
        value=np.log(value[rows]),
        stderr=stderr[rows] / value[rows],
        dof=np.minimum(np.where(np.isfinite(dof), dof, _LARGE_DOF), _LARGE_DOF),
        temperature=temperature[rows],
        temperature_stderr=np.nan_to_num(data["temperature_stderr"].values[rows]),
        larmor_frequency=data["larmor_frequency"].values[rows] if process.datum == "relaxation" else np.ones(rows.size),
        probe=process.probes[rows],
        likelihood=likelihood,
        table=table,
    )
