"""The joint model: parameters, priors and the likelihood of all processes, for many walkers at once.

Each datum is ln T1, ln tau_c or ln sigma with a Student-t error (its degrees of freedom are those of the measured
noise or of the misfit). The error of each temperature is integrated out by adaptive Gauss-Hermite quadrature; processes
that were measured in the same runs share it. The offset of a probe is a parameter, so that it cancels in differences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.priors import Normal, Prior, Uniform
from nmrdyn.inference.process import Conductivity, CorrelationTime, Probe, Process
from nmrdyn.motion.mechanism import Adjustable, Mechanism
from nmrdyn.schema import Array, InputError

_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(5)
_LARGE_DOF = 1e6
_SAME_RUN = 0.5  # K; read temperatures this close are one run
_CHUNK = 256  # walkers evaluated together; larger batches leave the cache

# Fixed here, printed in every report.
CLASS_PRIORS: dict[str, Prior] = {
    "activation_energy": Uniform(0.0, 2.0),  # eV; its sign is what decides the branch
    "log10_tau0": Uniform(-18.0, -8.0),  # s
    "log10_prefactor": Uniform(-10.0, 25.0),  # S K/m for sigma T, S/m for sigma
    "log10_noise": Uniform(-4.0, 0.0),  # of ln sigma, ln T1 or ln tau_c, where the table gives no errors
}
UNITS = {
    "activation_energy": "eV",
    "log10_tau0": "log10(s)",
    "log10_prefactor": "",
    "log10_noise": "",
    "offset": "K",
}
# What the likelihood reads of each stage.
QUANTITY = {"transport": "conductivity", "relaxation": "t1", "motion": "tau_c"}


@dataclass(frozen=True)
class Measurements:
    """What a process was measured to be: `value` = ln(T1/s), ln(tau_c/s) or ln(sigma/(S/m)), one a usable row.

    `stderr` is NaN where no error is known.
    """

    process: Process
    rows: npt.NDArray[np.intp]
    value: Array
    stderr: Array
    dof: Array
    temperature: Array
    temperature_stderr: Array
    larmor_frequency: Array


def measurements(process: Process, data: xr.Dataset) -> Measurements:
    """The usable rows of stage `relaxation`, `motion` (of one branch) or `transport`.

    Raises
    ------
    InputError
        Where fewer than two temperatures are usable.
    """
    quantity = QUANTITY[process.datum]
    value, stderr = data[quantity].values.ravel(), data[f"{quantity}_stderr"].values.ravel()
    temperature = data["temperature"].values
    rows = np.flatnonzero(np.isfinite(value) & (value > 0) & np.isfinite(temperature))
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
    n = rows.size
    return Measurements(
        process=process,
        rows=rows,
        value=np.log(value[rows]),
        stderr=stderr[rows] / value[rows],
        dof=np.minimum(np.where(np.isfinite(dof), dof, _LARGE_DOF), _LARGE_DOF),
        temperature=temperature[rows],
        temperature_stderr=np.nan_to_num(data["temperature_stderr"].values[rows]),
        larmor_frequency=data["larmor_frequency"].values[rows] if process.datum == "relaxation" else np.ones(n),
    )


class JointModel:
    """Log posterior of all processes; `parameters` names its columns and `priors` what is believed of them."""

    def __init__(self, data: Sequence[Measurements], probes: Mapping[str, Probe], priors: Mapping[str, Prior]) -> None:
        self.data = list(data)
        self.probes = dict(probes)
        self.priors: dict[str, Prior] = {}
        self._adjusted: dict[str, Adjustable] = {}
        for one in self.data:
            self._add_process(one, priors)
        used = dict.fromkeys(one.process.probe for one in self.data if one.process.probe)
        for name in used:
            if probes[name].offset > 0:
                self.priors[f"{name}.offset"] = Normal(0.0, probes[name].offset)
        unknown = sorted(set(priors) - set(self.priors))
        if unknown:
            free = [f"{one.process.name}.{name}" for one in self.data for name in self._adjustable(one.process)]
            raise InputError(
                f"priors: needed names among {', '.join(dict.fromkeys([*self.priors, *free]))}, found "
                f"{', '.join(unknown)}; what follows a law of temperature or is shared by two mechanisms has none"
            )
        self.priors |= priors
        self._given = dict(priors)
        self.parameters = list(self.priors)
        self._column = {name: index for index, name in enumerate(self.parameters)}
        self._assign_runs()

    def _add_process(self, one: Measurements, priors: Mapping[str, Prior]) -> None:
        process = one.process
        if isinstance(process.mechanism, Conductivity):
            names = ["activation_energy", "log10_prefactor"]
        else:
            names = list(process.law.parameters)
        if not np.all(np.isfinite(one.stderr)):
            names.append("log10_noise")
        for name in names:
            self.priors[f"{process.name}.{name}"] = CLASS_PRIORS[name]
        for name, quantity in self._adjustable(process).items():
            said = f"{process.name}.{name}"
            if said in priors:
                if priors[said].centre <= 0:
                    raise InputError(f"{said}: needed a prior about a positive value, found {priors[said]}")
                self.priors[said] = priors[said]
                self._adjusted[said] = quantity

    @staticmethod
    def _adjustable(process: Process) -> Mapping[str, Adjustable]:
        """The quantities of its mechanism that may have priors."""
        return process.mechanism.quantities if isinstance(process.mechanism, Mechanism) else {}

    def unit(self, name: str) -> str:
        """The unit of a sampled parameter, "" for none."""
        return self._adjusted[name].unit if name in self._adjusted else UNITS[name.rsplit(".", 1)[1]]

    def _assign_runs(self) -> None:
        """Number the independent temperature errors; rows that share a run share one."""
        runs: list[tuple[str | None, float, set[int]]] = []
        index = []
        for k, one in enumerate(self.data):
            probe = self.probes.get(one.process.probe or "")
            for kelvin in one.temperature:
                match = None
                if probe is not None and probe.same_runs:
                    for r, (name, at, members) in enumerate(runs):
                        if name == probe.name and k not in members and abs(at - kelvin) <= _SAME_RUN:
                            match = r
                            break
                if match is None:
                    runs.append((one.process.probe, float(kelvin), set()))
                    match = len(runs) - 1
                runs[match][2].add(k)
                index.append(match)
        self.run = np.array(index)
        self.n_runs = len(runs)
        self.shared_runs = sum(len(members) > 1 for _, _, members in runs)
        self._by_run = np.argsort(self.run, kind="stable")
        self._run_starts = np.searchsorted(self.run[self._by_run], np.arange(self.n_runs))

    def prefactors(self, process: Process) -> list[str]:
        """The sampled parameters of the law of `process` beside its barrier."""
        names = (f"{process.name}.log10_tau0", f"{process.name}.log10_prefactor")
        return [name for name in names if name in self.priors]

    def alone(self, one: Measurements) -> JointModel:
        """The model of one process without the others."""
        own = {name: prior for name, prior in self._given.items() if name.startswith(f"{one.process.name}.")}
        return JointModel([one], self.probes, own)

    def column(self, theta: Array, name: str) -> Array:
        """The values (walker,) of a sampled parameter."""
        return theta[:, self._column[name]]

    def log_prior(self, theta: Array) -> Array:
        """Log prior density (walker,), -inf outside the support."""
        total = np.zeros(len(theta))
        for name, prior in self.priors.items():
            value = theta[:, self._column[name]]
            total += prior.log_density(value)
            if name in self._adjusted:
                low, high = self._adjusted[name].low, self._adjusted[name].high
                total[(value < low) | (value > high)] = -np.inf
        return total

    def __call__(self, theta: Array) -> Array:
        """Log posterior (walker,) for `theta` (walker, parameter)."""
        theta = np.atleast_2d(theta)
        total = self.log_prior(theta)
        inside = np.flatnonzero(np.isfinite(total))
        for start in range(0, inside.size, _CHUNK):
            chunk = inside[start : start + _CHUNK]
            with np.errstate(all="ignore"):  # far from the data rates overflow, and the density is 0
                total[chunk] += self.log_likelihood(theta[chunk])
        return np.where(np.isnan(total), -np.inf, total)

    def predict(self, theta: Array, error: Array) -> Array:
        """ln T1, ln tau_c or ln sigma (walker, row, node).

        The temperatures are off by `error` (walker, run, node) of their standard errors.
        """
        parts = []
        start = 0
        for one in self.data:
            run = self.run[start : start + one.value.size]
            start += one.value.size
            kelvin = one.temperature[:, None] + one.temperature_stderr[:, None] * error[:, run, :]
            if f"{one.process.probe}.offset" in self.priors:
                kelvin = kelvin + self.column(theta, f"{one.process.probe}.offset")[:, None, None]
            parts.append(self.predict_process(one, theta, kelvin))
        return np.concatenate(parts, axis=1)

    def predict_process(self, one: Measurements, theta: Array, kelvin: Array) -> Array:
        """What one process should be measured as (walker, row, node) at true temperatures `kelvin`, which broadcast."""
        process = one.process

        def of(name: str) -> Array:
            return self.column(theta, f"{process.name}.{name}")[:, None, None]

        if isinstance(process.mechanism, Conductivity):
            logarithm = np.log(10) * of("log10_prefactor") - process.law.exponent(kelvin, of("activation_energy"))
            return logarithm - np.log(kelvin) if process.mechanism.convention == "sigma_T" else logarithm
        tau = process.law.correlation_time(kelvin, **{name: of(name) for name in process.law.parameters})
        if isinstance(process.mechanism, CorrelationTime):
            return np.log(tau)
        return -np.log(self.mechanism_of(process, theta).at(kelvin).rate(tau, one.larmor_frequency[:, None]))

    def mechanism_of(self, process: Process, theta: Array) -> Mechanism:
        """The mechanism with its sampled parameters in place, shaped to broadcast over (walker, row, node)."""
        assert isinstance(process.mechanism, Mechanism)
        sampled = {
            name: self.column(theta, f"{process.name}.{name}")[:, None, None]
            for name in process.mechanism.quantities
            if f"{process.name}.{name}" in self.priors
        }
        return process.mechanism.with_values(**sampled) if sampled else process.mechanism

    def spread(self, theta: Array) -> tuple[Array, Array, Array]:
        """Value (row,), standard error (walker or 1, row) and degrees of freedom (row,) of all rows."""
        value = np.concatenate([one.value for one in self.data])
        dof = np.concatenate([one.dof for one in self.data])
        errors = []
        for one in self.data:
            name = f"{one.process.name}.log10_noise"
            stderr = 10.0 ** self.column(theta, name)[:, None] if name in self.priors else one.stderr
            errors.append(np.broadcast_to(stderr, (len(theta), one.value.size)))
        return value, np.concatenate(errors, axis=1), dof

    def residuals(self, theta: Array) -> tuple[Array, Array]:
        """Residual (walker, row) about the read temperatures and its slope with a temperature error of one sd.

        Both come from half a standard deviation on either side, which sees the curvature that the error averages over.
        """
        step = 0.5
        ends = np.broadcast_to(np.array([-step, step]), (len(theta), self.n_runs, 2))
        low, high = np.moveaxis(self.predict(theta, ends), -1, 0)
        value, _, _ = self.spread(theta)
        return value - (low + high) / 2, (high - low) / (2 * step)

    def _sum_runs(self, rows: Array) -> Array:
        """Sum over the rows of each run: (walker, row, ...) -> (walker, run, ...)."""
        if self.n_runs == self.run.size:
            return rows[:, self._by_run]
        return np.add.reduceat(rows[:, self._by_run], self._run_starts, axis=1)

    def log_likelihood(self, theta: Array) -> Array:
        """Log likelihood (walker,) with the temperature errors integrated out."""
        value, stderr, dof = self.spread(theta)
        residual, slope = self.residuals(theta)
        # Centre and width of each temperature error given the data, with the Student-t seen as a Gaussian.
        variance = stderr**2
        outlying = residual**2 / (variance + slope**2)
        variance = variance * (dof + outlying) / (dof + 1)
        precision = 1 + self._sum_runs(slope**2 / variance)
        centre = self._sum_runs(slope * residual / variance) / precision
        width = np.sqrt(2 / precision)
        error = centre[:, :, None] + width[:, :, None] * _NODES
        z = (value[:, None] - self.predict(theta, error)) / stderr[:, :, None]
        log_density = -(dof[:, None] + 1) / 2 * np.log1p(z**2 / dof[:, None]) - np.log(stderr)[:, :, None]
        log_term = self._sum_runs(log_density) - error**2 / 2 + _NODES**2 + np.log(_WEIGHTS)
        top = log_term.max(axis=2)
        total = top + np.log(np.exp(log_term - top[:, :, None]).sum(axis=2))
        return (total + np.log(width)).sum(axis=1)
