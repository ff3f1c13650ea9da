"""What is inferred: processes, and the probes whose temperature errors they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.inference.observed import Conductivity, CorrelationTime, Observed
from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.laws.eyring import Eyring
from nmrdyn.laws.law import Law
from nmrdyn.laws.phase_transition import PhaseTransition
from nmrdyn.motion.mechanism import Adjustable, Mechanism
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.populations import PopulationRecovery
from nmrdyn.schema import InputError, require


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A thermometer: the standard error of each temperature and of its calibration.

    `point` is that of each temperature, `offset` that of all together [K], and `scale` that of their ratio to the true
    ones (0.01: a reading of 300 K may be 297 or 303 K); whatever is 0 is left out. `same_runs` declares that processes
    at the same temperature (within 0.5 K) were measured without changing it in between, so that they share its error.
    Declared falsely, it makes differences look too certain.
    """

    name: str
    point: float = 0.0
    offset: float = 0.0
    scale: float = 0.0
    same_runs: bool = False

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or "." in self.name:
            raise InputError(f"probe: needed a name without '/' and '.', found {self.name!r}")
        if not (self.point >= 0 and self.offset >= 0 and 0 <= self.scale < 0.5):
            raise InputError(
                f"probe {self.name}: needed errors of 0 or more, found point {self.point} K, offset {self.offset} K "
                f"and scale {self.scale}"
            )


@dataclass(frozen=True)
class Process:
    """One motion and the data that tell of it.

    Parameters
    ----------
    name : how results call it
    data : stage `recovery` or `relaxation` with a `Mechanism`, `transport` with `Conductivity`, `diffusion` with
        `Diffusion`, or `motion` of one branch with `CorrelationTime`; of one field, or of several put together by
        `join`; of one sample
    mechanism : what makes the data from the motion
    recovery : the recovery model, where `data` are recoveries; said, not chosen
    law : how the motion follows temperature: `Arrhenius`, `VTF`, `Eyring`, `TwoArrhenius` or `PhaseTransition`
    probe : the thermometer, by the name of a `Probe`; None for that which `join` gave each experiment
    role : words for the report
    transition : the temperature of a phase transition [K]; where data lie on both sides, each has an Arrhenius law of
        its own, since no line is drawn across it

    Raises
    ------
    InputError
        Where data, mechanism and recovery do not go together, or fewer than two temperatures are usable.
    """

    name: str
    data: xr.Dataset
    mechanism: Mechanism | Observed = field(kw_only=True)
    recovery: RecoveryModel | None = field(default=None, kw_only=True)
    law: Law = field(default_factory=Arrhenius, kw_only=True)
    probe: str | None = field(default=None, kw_only=True)
    role: str = field(default="", kw_only=True)
    transition: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or "." in self.name:
            raise InputError(f"process: needed a name without '/' and '.', found {self.name!r}")
        if not isinstance(self.law, Law):
            raise InputError(f"{self.name}: needed a law such as Arrhenius() or VTF(), found {self.law!r}")
        observed = self.mechanism if isinstance(self.mechanism, Observed) else None
        if isinstance(self.law, Eyring) and observed is not None and observed.prefactor is not None:
            raise InputError(f"{self.name}: needed a law with a prefactor for a {observed.quantity}, found {self.law}")
        stage = self.data.attrs.get("stage")
        if self.recovery is not None and stage != "recovery":
            raise InputError(
                f"{self.name}: needed no recovery model, since data of the stage '{stage}' leave nothing to fit, found "
                f"{self.recovery}; leave it out"
            )
        if observed is not None:
            require(self.data, observed.stage)
            if isinstance(observed, Conductivity):
                self._require_one_sample()
            branches = self.data["tau_c"] if isinstance(observed, CorrelationTime) else None
            if branches is not None and (branches.dims != ("experiment", "branch") or branches.shape[1] != 1):
                raise InputError(
                    f"{self.name}: needed correlation times of one branch, found the dimensions "
                    f"{dict(self.data['tau_c'].sizes)}; choose one, such as motion.sel(branch=['slow'])"
                )
        elif stage == "motion":
            raise InputError(
                f"{self.name}: needed mechanism=CorrelationTime() for data that are correlation times, found "
                f"{self.mechanism}"
            )
        elif stage == "recovery":
            if self.recovery is None:
                raise InputError(
                    f"{self.name}: needed a recovery model, such as recovery=SingleExponential(), found none"
                )
        else:
            require(self.data, "relaxation")
        if self.transition is not None and isinstance(self.law, Arrhenius):
            kelvin = np.unique(self.data["temperature"].values)
            below, above = np.sum(kelvin < self.transition), np.sum(kelvin >= self.transition)
            if min(below, above) == 1:
                raise InputError(
                    f"{self.name}: needed two temperatures or more on each side of the transition at "
                    f"{self.transition:g} K, found {below} below and {above} above; leave out the side with one"
                )
            if min(below, above) > 1:
                object.__setattr__(self, "law", PhaseTransition(temperature=self.transition))

    def _require_one_sample(self) -> None:
        samples = sorted({str(name) for name in self.data["sample"].values}) if "sample" in self.data.coords else []
        if len(samples) > 1:
            raise InputError(
                f"{self.name}: needed the conductivity of one sample, found {len(samples)}: {', '.join(samples[:20])}; "
                f"choose one, such as sample={samples[0]!r}"
            )

    @property
    def probes(self) -> npt.NDArray[np.object_]:
        """The thermometer of each experiment, "" for none."""
        n = self.data.sizes["experiment"]
        if self.probe is None and "probe" in self.data.coords:
            return self.data["probe"].values.astype(object)
        return np.full(n, self.probe or "", dtype=object)

    @property
    def untied(self) -> RecoveryModel:
        """The recovery model with rates of its own: they follow from tau_c in the posterior, where C_Q is uncertain."""
        assert self.recovery is not None
        if isinstance(self.recovery, PopulationRecovery):
            return replace(self.recovery, mechanism=None)
        return self.recovery

    @property
    def datum(self) -> str:
        """The stage that the likelihood reads."""
        return self.mechanism.stage if isinstance(self.mechanism, Observed) else "relaxation"


def law_parameter(process: Process, name: str) -> str:
    """What a parameter of the law of a process is called: what grows with temperature has prefactors, not tau0."""
    grows = isinstance(process.mechanism, Observed) and process.mechanism.prefactor is not None
    return name.replace("log10_tau0", "log10_prefactor") if grows else name


def law_parameters(process: Process) -> list[str]:
    """The names "PROCESS.quantity" of the parameters of its law."""
    return [f"{process.name}.{law_parameter(process, name)}" for name in process.law.parameters]


def adjustable(process: Process) -> Mapping[str, Adjustable]:
    """The quantities of its mechanism that may have priors."""
    return process.mechanism.quantities if isinstance(process.mechanism, Mechanism) else {}
