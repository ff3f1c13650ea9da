"""What is true in a simulated study: relaxation and conductivity without noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.motion.quadrupolar import BPP
from nmrdyn.recovery.populations import PopulationRecovery
from nmrdyn.schema import Array


@dataclass(frozen=True, kw_only=True)
class RelaxationTruth:
    """What a saturation- or inversion-recovery study of one nucleus would find if it were exact.

    Attributes
    ----------
    nucleus, larmor_frequency [Hz], cq [Hz], eta : as in `BPP`, which makes T1 from tau_c
    activation_energy [eV], tau_c [s] at reference_temperature [K] : the Arrhenius law of tau_c
    temperature : what the thermometer reads, one an experiment [K]
    temperature_error : true minus read temperature, one an experiment [K]; 0 unless said
    log_scatter : ln of the factor by which T1 differs from what the mechanism makes of tau_c, one an experiment; 0
        unless said
    delays : recovery delays [s], shared by all experiments or (experiment, increment); unless said, 16 from 0.02 to
        5 T1 for each
    beside : what relaxes the nucleus beside its quadrupolar interaction, such as `Dipolar`
    depth : 1 saturated, 2 inverted; with `recovery` the efficiency of its preparation
    beta : stretching exponent of the recovery
    recovery : a `PopulationRecovery`, to make the recovery from the level populations, at the rates of the mechanism
    snr : intensity at full recovery over the noise that is measured beside the signal
    excess_noise : noise of the intensities over the measured one, by `simulate`; folders hold measured noise alone
    noise_dof : degrees of freedom with which `simulate` measures the noise
    linewidth, offset [Hz] : of the Gaussian line
    """

    nucleus: str
    larmor_frequency: float
    cq: float
    eta: float
    activation_energy: float
    tau_c: float
    reference_temperature: float
    temperature: npt.ArrayLike
    temperature_error: npt.ArrayLike = 0.0
    log_scatter: npt.ArrayLike = 0.0
    delays: npt.ArrayLike | None = None
    beside: Mechanism | None = None
    depth: float = 1.0
    beta: float = 1.0
    recovery: PopulationRecovery | None = None
    snr: float = 60.0
    excess_noise: float = 1.0
    noise_dof: float = 400.0
    linewidth: float = 3e3
    offset: float = 1.5e3

    @property
    def kind(self) -> str:
        """What `scan` should call it."""
        inverted = self.recovery.initial.endswith("_inv") if self.recovery else self.depth > 1.5
        return "inversion_recovery" if inverted else "saturation_recovery"

    @property
    def mechanism(self) -> Mechanism:
        """All that relaxes the nucleus."""
        bpp = BPP(nucleus=self.nucleus, cq=self.cq, eta=self.eta)
        return bpp + self.beside if self.beside else bpp

    @property
    def correlation_time(self) -> Array:
        """True tau_c of each experiment [s]."""
        actual = np.asarray(self.temperature, dtype=float) + np.asarray(self.temperature_error)
        law = Arrhenius()
        return law.correlation_time(actual, activation_energy=self.activation_energy, log10_tau0=self.log10_tau0)

    @property
    def log10_tau0(self) -> float:
        """log10 of the prefactor of tau_c in s."""
        exponent = Arrhenius().exponent(self.reference_temperature, self.activation_energy)
        return float(np.log10(self.tau_c) - exponent / np.log(10))

    @property
    def t1(self) -> Array:
        """True T1 of each experiment [s]."""
        return np.exp(self.log_scatter) / self.mechanism.rate(self.correlation_time, self.larmor_frequency)

    @property
    def delay(self) -> Array:
        """Recovery delays (experiment, increment) [s]."""
        if self.delays is not None:
            said = np.asarray(self.delays, dtype=float)
            return said if said.ndim == 2 else np.tile(said, (np.size(self.temperature), 1))
        table = self.t1[:, None] * np.geomspace(0.02, 5.0, 16)
        digits = 10.0 ** (1 - np.floor(np.log10(table)))
        return np.round(table * digits) / digits

    @property
    def recovered(self) -> Array:
        """Noise-free intensities (experiment, increment), 1 at full recovery."""
        if self.recovery is None:
            return 1 - self.depth * np.exp(-((self.delay / self.t1[:, None]) ** self.beta))
        factor = np.exp(-np.reshape(self.log_scatter, (-1, 1)))
        rates = self.mechanism.transition_rates(self.correlation_time[:, None], self.larmor_frequency)
        w1, w2, w = (factor * rate for rate in rates)
        return 1 - self.depth * (1 - self.recovery.evaluate(self.delay, w1=w1, w2=w2, w=w))


@dataclass(frozen=True, kw_only=True)
class ConductivityTruth:
    """A conductivity that follows sigma T = A exp(-Ea / kT).

    Attributes
    ----------
    activation_energy : [eV], of sigma T
    conductivity : [S/m] at reference_temperature [K]
    temperature, temperature_error : as in `RelaxationTruth` [K]
    log_scatter : ln of the factor by which a conductivity differs from the law, one an experiment; 0 unless said
    relative_error : standard error of a conductivity over its value
    """

    activation_energy: float
    conductivity: float
    reference_temperature: float
    temperature: npt.ArrayLike
    temperature_error: npt.ArrayLike = 0.0
    log_scatter: npt.ArrayLike = 0.0
    relative_error: float = 0.02

    @property
    def exact(self) -> Array:
        """True conductivities [S/m]."""
        actual = np.asarray(self.temperature, dtype=float) + np.asarray(self.temperature_error)
        law = Arrhenius()
        rise = law.exponent(self.reference_temperature, self.activation_energy)
        rise = rise - law.exponent(actual, self.activation_energy)
        return self.conductivity * self.reference_temperature / actual * np.exp(rise + np.asarray(self.log_scatter))
