"""The joint model: parameters, priors and the likelihood of all processes, for many walkers at once.

A row is the likelihood of ln T1 that its recovery leaves, or a Student-t about ln T1, ln tau_c or ln sigma. The error
of each temperature is integrated out by adaptive Gauss-Hermite quadrature; processes that were measured in the same
runs share it. Offset and scale of a probe are parameters, so that they cancel in differences.

Longer than other modules, since parameters, priors and likelihood of one posterior are read together.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from nmrdyn.inference.measurements import Measurements
from nmrdyn.inference.motions import Motion
from nmrdyn.inference.observed import Observed
from nmrdyn.inference.process import Probe, Process, adjustable, law_parameter
from nmrdyn.inference.runs import Runs
from nmrdyn.motion.mechanism import Adjustable, Mechanism
from nmrdyn.priors import HalfNormal, Normal, Prior, Uniform
from nmrdyn.recovery.table import MOST_SCATTER
from nmrdyn.schema import Array, InputError

_HERMITE = {n: np.polynomial.hermite.hermgauss(n) for n in (1, 5)}
_TOGETHER = 12_000  # values evaluated at once; memory for more is given back to the system and fetched anew

# Fixed here, printed in every report; those of a law's parameters and of prefactors stand in their classes.
CLASS_PRIORS: dict[str, Prior] = {
    "log10_noise": Uniform(-4.0, 0.0),  # of ln sigma, ln D, ln T1 or ln tau_c, where the table gives no errors
    "scatter": HalfNormal(0.03),  # of ln T1, ln tau_c, ln D or ln sigma between experiments, beyond their errors
}
_UNITS = {"offset": "K", "scale": "", "scatter": "", "log10_noise": ""}


class JointModel:
    """Log posterior of all processes; `parameters` names its columns and `priors` what is believed of them.

    `fixed` are quantities that were given a number in place of a prior. `fast` takes temperature errors to first order.
    """

    def __init__(
        self,
        data: Sequence[Measurements],
        probes: Mapping[str, Probe],
        priors: Mapping[str, Prior | float],
        *,
        fast: bool = False,
    ) -> None:
        self.data = list(data)
        self.probes = dict(probes)
        self.given = dict(priors)
        self.fast = fast
        self.priors: dict[str, Prior] = {}
        self.fixed: dict[str, float] = {}
        self._adjusted: dict[str, Adjustable] = {}
        self._units: dict[str, str] = {}
        for one in self.data:
            self._add_process(one)
        for name in dict.fromkeys(str(name) for one in self.data for name in one.probe if name):
            for error in ("offset", "scale"):
                sd = getattr(probes[name], error)
                self._believe(f"{name}.{error}", Normal(0.0, sd) if sd > 0 else None)
        if unknown := sorted(set(priors) - set(self.priors) - set(self.fixed)):
            free = [f"{one.process.name}.{name}" for one in self.data for name in adjustable(one.process)]
            raise InputError(
                f"priors: needed names among {', '.join(dict.fromkeys([*self.priors, *self.fixed, *free]))}, found "
                f"{', '.join(unknown)}; what follows a law of temperature or is shared by two mechanisms has none"
            )
        self.parameters = list(self.priors)
        self._column = {name: index for index, name in enumerate(self.parameters)}
        bounds = {name: (item.low, item.high) for name, item in self._adjusted.items()}
        allowed = [(*prior.support, *bounds.get(name, (-np.inf, np.inf))) for name, prior in self.priors.items()]
        # Between two temperatures the data do not tell where a transition is: by column, a width that fills a gap.
        self.flat = {
            self._column[name]: float(np.median(np.diff(np.unique(one.temperature)))) / np.sqrt(12)
            for one in self.data
            if (name := f"{one.process.name}.transition_temperature") in self.priors
        }
        self.supports = np.array([(max(low, least), min(high, most)) for low, high, least, most in allowed])
        scattered = [name.endswith(".scatter") for name in self.priors]
        self._most = np.where(scattered, np.minimum(self.supports[:, 1], MOST_SCATTER), self.supports[:, 1])
        self.runs = Runs(self.data, self.probes)
        ends = np.cumsum([0, *(one.value.size for one in self.data)])
        self.parts = [slice(start, end) for start, end in itertools.pairwise(ends)]
        self._exact = exact = not any(one.uncertain for one in self.data)
        self.value = np.concatenate([one.value for one in self.data])
        self._nodes, self._weights = _HERMITE[1 if fast or exact else 5]
        self._chunk = max(1, _TOGETHER // int(ends[-1] * self._nodes.size))

    def _believe(self, name: str, default: Prior | None, unit: str | None = None) -> None:
        """Sample a quantity, or fix it at the number that was given in place of a prior."""
        said = self.given.get(name, default)
        if isinstance(said, int | float):
            self.fixed[name] = float(said)
        elif said is not None:
            self.priors[name] = said
        self._units[name] = _UNITS.get(name.rsplit(".", 1)[1], "") if unit is None else unit

    def _add_process(self, one: Measurements) -> None:
        process = one.process
        for name, parameter in process.law.parameters.items():
            said = law_parameter(process, name)
            prior = parameter.prior
            if said != name:
                assert isinstance(process.mechanism, Observed)
                prior = process.mechanism.prefactor or prior
            self._believe(f"{process.name}.{said}", prior, "" if said != name else parameter.unit)
            if name == "transition_temperature":
                self._adjusted[f"{process.name}.{name}"] = _between(one)
        # Where the size of errors is inferred from the scatter, there is no other scatter.
        spread = "scatter" if np.all(np.isfinite(one.stderr)) else "log10_noise"
        self._believe(f"{process.name}.{spread}", CLASS_PRIORS[spread])
        if spread == "scatter":
            self._adjusted[f"{process.name}.scatter"] = Adjustable("")
            if not 0 <= self.fixed.get(f"{process.name}.scatter", 0.0) <= MOST_SCATTER:
                found = self.fixed[f"{process.name}.scatter"]
                raise InputError(f"{process.name}.scatter: needed a number from 0 to {MOST_SCATTER}, found {found:g}")
        for name, quantity in adjustable(process).items():
            said = f"{process.name}.{name}"
            given = self.given.get(said)
            if given is None:
                continue
            centre = given if isinstance(given, int | float) else given.centre
            if not quantity.low <= centre <= quantity.high or (name in ("cq", "distance") and centre <= 0):
                raise InputError(f"{said}: needed a prior about a possible value, found {given}")
            self._believe(said, None, quantity.unit)
            self._adjusted[said] = quantity

    def unit(self, name: str) -> str:
        """The unit of a parameter, "" for none."""
        return self._units[name]

    def alone(self, one: Measurements) -> JointModel:
        """The model of one process without the others."""
        return self.of([one])

    def of(self, data: Sequence[Measurements]) -> JointModel:
        """The same model for other data of some of its processes."""
        return JointModel(data, self.probes, priors_of(data, self.given), fast=self.fast)

    def has(self, name: str) -> bool:
        """Whether a quantity is sampled or fixed, rather than left out."""
        return name in self.priors or name in self.fixed

    def column(self, theta: Array, name: str) -> Array:
        """The values (walker,) of a quantity, sampled or fixed."""
        return theta[:, self._column[name]] if name in self._column else np.full(len(theta), self.fixed[name])

    def law_values(self, process: Process, theta: Array) -> dict[str, Array]:
        """The parameters (walker,) of the law of a process, as its functions take them."""
        values = {}
        for name in process.law.parameters:
            said = law_parameter(process, name)
            column = self.column(theta, f"{process.name}.{said}")
            values[name] = column if said == name else -column
        return values

    def barriers(self, theta: Array) -> dict[str, Array]:
        """Every barrier (walker,) [eV] by its label: the name of the process, and which of several it is."""
        found = {}
        for one in self.data:
            name, law = one.process.name, one.process.law
            for suffix, value in law.barriers(one.middle, **self.law_values(one.process, theta)).items():
                found[f"{name} {suffix}".rstrip()] = np.broadcast_to(value, len(theta))
        return found

    def log_prior(self, theta: Array) -> Array:
        """Log prior density (walker,), -inf outside the support."""
        total = np.zeros(len(theta))
        for k, prior in enumerate(self.priors.values()):
            total += prior.log_density(theta[:, k])
        inside = (theta >= self.supports[:, 0]) & (theta <= self._most)
        return np.where(inside.all(axis=1), total, -np.inf)

    def __call__(self, theta: Array) -> Array:
        """Log posterior (walker,) for `theta` (walker, parameter)."""
        theta = np.atleast_2d(theta)
        total = self.log_prior(theta)
        inside = np.flatnonzero(np.isfinite(total))
        total[inside] += self.log_likelihood(theta[inside])
        return np.where(np.isnan(total), -np.inf, total)

    def log_likelihood(self, theta: Array) -> Array:
        """Log likelihood (walker,) with the temperature errors integrated out."""
        total = np.empty(len(theta))
        for start in range(0, len(theta), self._chunk):
            chunk = slice(start, start + self._chunk)
            total[chunk] = self.runs_log_likelihood(theta[chunk]).sum(axis=1)
        return total

    def runs_log_likelihood(self, theta: Array) -> Array:
        """Log likelihood (walker, run) of each run, whose sum is that of all; up to a constant."""
        with np.errstate(all="ignore"):  # far from the data rates overflow, and the density is 0
            motions = self.motions(theta)
            if self._exact:
                return self.runs.sum(self._log_density(theta, np.zeros((1, 1, 1)), motions)[..., 0])
            residual, slope = self.residuals(theta, motions)
            square, dof = self._squares(theta)
            # Centre and width of each temperature error given the data, with the Student-t seen as a Gaussian.
            outlying = residual**2 / (square + slope**2)
            variance = square * (dof + outlying) / (dof + 1)
            precision = 1 + self.runs.sum(slope**2 / variance)
            centre = self.runs.sum(slope * residual / variance) / precision
            width = np.sqrt(2 / precision)
            if self.fast:
                left = residual - slope * self.runs.spread(centre)
                log_density = _student_t(left, square, dof)
                return self.runs.sum(log_density) - centre**2 / 2 + np.log(width)
            error = centre[:, :, None] + width[:, :, None] * self._nodes
            log_term = self.runs.sum(self._log_density(theta, error, motions)) - error**2 / 2
            log_term += self._nodes**2 + np.log(self._weights)
            nodes = np.ascontiguousarray(np.moveaxis(log_term, 2, 0))  # sums along long axes are fast
            top = nodes.max(axis=0)
            return top + np.log(np.exp(nodes - top).sum(axis=0)) + np.log(width)

    def _log_density(self, theta: Array, error: Array, motions: Sequence[Motion]) -> Array:
        """Log density (walker, row, node) of each row, with temperatures off by `error` (walker, run, node)."""
        parts = []
        for motion, part in zip(motions, self.parts, strict=True):
            one = motion.one
            kelvin = self._kelvin(one, part, theta, error)
            predicted = np.broadcast_to(motion.predict(kelvin), (len(theta), one.value.size, error.shape[2]))
            if one.table is None:
                square, dof = self._spread_of(one, theta)
                parts.append(_student_t(one.value[:, None] - predicted, square[:, :, None], dof[:, :, None]))
                continue
            scatter = f"{one.process.name}.scatter"
            # A fixed scatter is tabulated too, unless it is 0.
            sampled = self.column(theta, scatter) if self.fixed.get(scatter) != 0 else None
            ratio = motion.ratio(kelvin) if one.table.shaped else None
            parts.append(one.table.log_density(predicted, scatter=sampled, ratio=ratio))
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def _kelvin(self, one: Measurements, part: slice, theta: Array, error: Array) -> Array:
        """True temperatures (walker or 1, row, node or 1) [K]."""
        kelvin = one.temperature[:, None]
        if one.uncertain:
            rows = error[:, self.runs.of_row[part]] if error.shape[1] > 1 else error
            kelvin = kelvin + one.temperature_stderr[:, None] * rows
        else:
            kelvin = kelvin[None]
        for name, here in one.probes.items():
            if self.has(f"{name}.scale"):
                kelvin = kelvin * (1 + here * self.column(theta, f"{name}.scale")[:, None, None])
            if self.has(f"{name}.offset"):
                kelvin = kelvin + here * self.column(theta, f"{name}.offset")[:, None, None]
        return kelvin

    def predict(self, theta: Array, error: Array, motions: Sequence[Motion] | None = None) -> Array:
        """ln T1, ln tau_c or ln sigma (walker, row, node).

        The temperatures are off by `error` (walker or 1, run or 1, node) of their standard errors.
        """
        parts = []
        for motion, part in zip(motions or self.motions(theta), self.parts, strict=True):
            found = motion.predict(self._kelvin(motion.one, part, theta, error))
            parts.append(np.broadcast_to(found, (len(theta), motion.one.value.size, error.shape[2])))
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def motions(self, theta: Array) -> list[Motion]:
        """All processes as the walkers have them."""
        return [self.motion(one, theta) for one in self.data]

    def motion(self, one: Measurements, theta: Array) -> Motion:
        """One process as the walkers have it."""
        process = one.process
        values = {name: value[:, None, None] for name, value in self.law_values(process, theta).items()}
        mechanism = self.mechanism_of(process, theta) if isinstance(process.mechanism, Mechanism) else None
        return Motion(one, values, mechanism)

    def mechanism_of(self, process: Process, theta: Array) -> Mechanism:
        """The mechanism with its sampled parameters in place, shaped to broadcast over (walker, row, node)."""
        assert isinstance(process.mechanism, Mechanism)
        said = {name: f"{process.name}.{name}" for name in process.mechanism.quantities}
        values: dict[str, float | Array] = {
            name: self.column(theta, key)[:, None, None] for name, key in said.items() if key in self.priors
        }
        values |= {name: self.fixed[key] for name, key in said.items() if key in self.fixed}
        return process.mechanism.with_values(**values) if values else process.mechanism

    def _spread_of(self, one: Measurements, theta: Array) -> tuple[Array, Array]:
        """Square of the scale, and degrees of freedom (walker or 1, row) of one process, with its scatter."""
        noise, scatter = f"{one.process.name}.log10_noise", f"{one.process.name}.scatter"
        if self.has(noise):
            return np.repeat(100.0 ** self.column(theta, noise)[:, None], one.value.size, axis=1), one.dof[None]
        if self.fixed.get(scatter) == 0:
            return one.stderr[None] ** 2, one.dof[None]
        return one.scattered(self.column(theta, scatter)[:, None])

    def _squares(self, theta: Array) -> tuple[Array, Array]:
        """Square of the scale, and degrees of freedom (walker or 1, row) of all rows."""
        parts = [self._spread_of(one, theta) for one in self.data]
        if len(parts) == 1:
            return parts[0]
        squares, dofs = (
            np.concatenate([np.broadcast_to(part[k], (len(theta), part[k].shape[1])) for part in parts], axis=1)
            for k in range(2)
        )
        return squares, dofs

    def spread(self, theta: Array) -> tuple[Array, Array]:
        """Standard error and degrees of freedom (walker or 1, row) of all rows."""
        squares, dof = self._squares(theta)
        return np.sqrt(squares), dof

    def residuals(self, theta: Array, motions: Sequence[Motion] | None = None) -> tuple[Array, Array]:
        """Residual (walker, row) about the read temperatures and its slope with a temperature error of one sd.

        Both come from half a standard deviation on either side, which sees the curvature that the error averages over.
        """
        if self._exact:
            return self.value - self.predict(theta, np.zeros((1, 1, 1)), motions)[..., 0], np.zeros((1, 1))
        low, high = np.moveaxis(self.predict(theta, np.array([[[-0.5, 0.5]]]), motions), -1, 0)
        return self.value - (low + high) / 2, high - low


def priors_of(data: Sequence[Measurements], priors: Mapping[str, Prior | float]) -> dict[str, Prior | float]:
    """The priors of some processes and their thermometers."""
    names = {one.process.name for one in data} | {str(name) for one in data for name in one.probe}
    return {name: prior for name, prior in priors.items() if name.rsplit(".", 1)[0] in names}


def _between(one: Measurements) -> Adjustable:
    """Where a transition may be that the data should tell: with two temperatures or more on each side."""
    kelvin = np.unique(one.temperature)
    if kelvin.size < 4:
        raise InputError(
            f"{one.process.name}: needed four temperatures or more to tell where a transition is, found {kelvin.size}; "
            "give it, as in PhaseTransition(temperature=285)"
        )
    return Adjustable("K", float(kelvin[1]), float(kelvin[-2]))


def _student_t(residual: Array, square: Array, dof: Array) -> Array:
    """Log density of a Student-t whose scale has this square, up to its constant at infinitely many dof."""
    shape = (1 / (6 * dof * dof) - 1) / (4 * dof)  # of the logarithm of the constant, after Stirling
    return shape - (dof + 1) / 2 * np.log1p(residual**2 / (square * dof)) - np.log(square) / 2
