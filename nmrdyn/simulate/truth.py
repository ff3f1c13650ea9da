"""What is true in a simulated study: relaxation and conductivity without noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.motion.quadrupolar import BPP
from nmrdyn.schema import Array
from nmrdyn.thermal import Arrhenius


@dataclass(frozen=True, kw_only=True)
class RelaxationTruth:
    """What a saturation- or inversion-recovery study of one nucleus would find if it were exact.

    Attributes
    ----------
    nucleus, larmor_frequency [Hz], cq [Hz], eta : as in `BPP`, which makes T1 from tau_c
    activation_energy [eV], tau_c [s] at reference_temperature [K] : the Arrhenius law of tau_c
    temperature : what the thermometer reads, one an experiment [K]
    temperature_error : true minus read temperature, one an experiment [K]; 0 unless said
    delays : recovery delays [s] shared by all experiments; unless said, 16 from 0.02 to 5 T1 for each
    depth : 1 saturated, 2 inverted
    beta : stretching exponent of the recovery
    snr : intensity at full recovery over its noise
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
    delays: npt.ArrayLike | None = None
    depth: float = 1.0
    beta: float = 1.0
    snr: float = 60.0
    linewidth: float = 3e3
    offset: float = 1.5e3

    @property
    def kind(self) -> str:
        """What `scan` should call it."""
        return "inversion_recovery" if self.depth > 1.5 else "saturation_recovery"

    @property
    def log10_tau0(self) -> float:
        """log10 of the prefactor of tau_c in s."""
        exponent = Arrhenius().exponent(self.reference_temperature, self.activation_energy)
        return float(np.log10(self.tau_c) - exponent / np.log(10))

    @property
    def t1(self) -> Array:
        """True T1 of each experiment [s]."""
        actual = np.asarray(self.temperature, dtype=float) + np.asarray(self.temperature_error)
        tau = Arrhenius().correlation_time(actual, activation_energy=self.activation_energy, log10_tau0=self.log10_tau0)
        return 1 / BPP(nucleus=self.nucleus, cq=self.cq, eta=self.eta).rate(tau, self.larmor_frequency)

    @property
    def delay(self) -> Array:
        """Recovery delays (experiment, increment) [s]."""
        if self.delays is not None:
            return np.tile(np.asarray(self.delays, dtype=float), (np.size(self.temperature), 1))
        table = self.t1[:, None] * np.geomspace(0.02, 5.0, 16)
        digits = 10.0 ** (1 - np.floor(np.log10(table)))
        return np.round(table * digits) / digits

    @property
    def recovered(self) -> Array:
        """Noise-free intensities (experiment, increment), 1 at full recovery."""
        return 1 - self.depth * np.exp(-((self.delay / self.t1[:, None]) ** self.beta))


@dataclass(frozen=True, kw_only=True)
class ConductivityTruth:
    """A conductivity that follows sigma T = A exp(-Ea / kT).

    Attributes
    ----------
    activation_energy : [eV], of sigma T
    conductivity : [S/m] at reference_temperature [K]
    temperature, temperature_error : as in `RelaxationTruth` [K]
    relative_error : standard error of a conductivity over its value
    """

    activation_energy: float
    conductivity: float
    reference_temperature: float
    temperature: npt.ArrayLike
    temperature_error: npt.ArrayLike = 0.0
    relative_error: float = 0.02

    @property
    def exact(self) -> Array:
        """True conductivities [S/m]."""
        actual = np.asarray(self.temperature, dtype=float) + np.asarray(self.temperature_error)
        law = Arrhenius()
        rise = law.exponent(self.reference_temperature, self.activation_energy)
        rise = rise - law.exponent(actual, self.activation_energy)
        return self.conductivity * self.reference_temperature / actual * np.exp(rise)
