"""The Eyring law: a transition state with an enthalpy and an entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nmrdyn.laws.law import LN10, Law, LawParameter, spread_over
from nmrdyn.priors import Uniform
from nmrdyn.schema import BOLTZMANN_EV, PLANCK_EV, Array

_GAS_CONSTANT = 1.380649e-23 * 6.02214076e23  # J/(mol K), exact


@dataclass(frozen=True)
class Eyring(Law):
    """1/tau_c = (kT/h) exp(dS/k) exp(-dH/kT): a transition state with an enthalpy and an entropy.

    `activation_enthalpy` is dH [eV], `activation_entropy` dS [J/(mol K)]. The prior of dS holds what an Arrhenius law
    with tau0 from 1e-18 to 1e-8 s implies, -114 to 114 J/(mol K) between 20 and 1500 K. Source: Eyring, J. Chem. Phys.
    3 (1935) 107.

    Examples
    --------
    >>> law = Eyring()
    >>> print(f"{law.correlation_time(300.0, activation_enthalpy=0.374148, activation_entropy=-4.40795):.3e} s")
    5.245e-07 s
    >>> print(f"{law.apparent_barrier(300.0, activation_enthalpy=0.374148, activation_entropy=-4.40795):.4f} eV")
    0.4000 eV
    """

    name: ClassVar[str] = "eyring"
    parameters: ClassVar[Mapping[str, LawParameter]] = MappingProxyType(
        {
            "activation_enthalpy": LawParameter("eV", Uniform(0.0, 2.0)),
            "activation_entropy": LawParameter("J/(mol K)", Uniform(-200.0, 200.0)),
        }
    )

    def log_correlation_time(
        self, temperature: npt.ArrayLike, *, activation_enthalpy: npt.ArrayLike, activation_entropy: npt.ArrayLike
    ) -> Array:
        """ln(tau_c/s) at `temperature` [K], broadcast."""
        kelvin = np.asarray(temperature, dtype=float)
        constant = np.log(PLANCK_EV / BOLTZMANN_EV) - np.asarray(activation_entropy) / _GAS_CONSTANT
        return np.asarray(activation_enthalpy) / BOLTZMANN_EV / kelvin - np.log(kelvin) + constant

    def like(
        self, *, log_tau: npt.ArrayLike, barrier: npt.ArrayLike, temperature: float, measured: Array
    ) -> list[dict[str, Array]]:
        thermal = BOLTZMANN_EV * temperature
        enthalpy = np.asarray(barrier) - thermal
        entropy = _GAS_CONSTANT * (np.log(PLANCK_EV / thermal) + enthalpy / thermal - np.asarray(log_tau))
        return [{"activation_enthalpy": enthalpy, "activation_entropy": entropy}]

    def apparent_barrier(
        self, temperature: npt.ArrayLike, *, activation_enthalpy: npt.ArrayLike, activation_entropy: npt.ArrayLike
    ) -> Array:
        """The barrier dH + kT [eV] at `temperature` [K], broadcast."""
        barrier = np.asarray(activation_enthalpy) + BOLTZMANN_EV * np.asarray(temperature, dtype=float)
        return spread_over(barrier, activation_entropy)

    @staticmethod
    def from_arrhenius(
        *, activation_energy: npt.ArrayLike, log10_tau0: npt.ArrayLike, temperature: npt.ArrayLike
    ) -> tuple[Array, Array]:
        """(dH [eV], dS [J/(mol K)]) with the tau_c and the slope of an Arrhenius law at `temperature` [K], broadcast.

        dH = Ea - kT and dS = k (ln(h / (kT tau0)) - 1). Away from that temperature the two laws part.

        Examples
        --------
        >>> enthalpy, entropy = Eyring.from_arrhenius(activation_energy=0.4, log10_tau0=-13, temperature=300.0)
        >>> print(f"{enthalpy:.4f} eV, {entropy:.3f} J/(mol K)")
        0.3741 eV, -4.408 J/(mol K)
        """
        thermal = BOLTZMANN_EV * np.asarray(temperature, dtype=float)
        entropy = _GAS_CONSTANT * (np.log(PLANCK_EV / thermal) - LN10 * np.asarray(log10_tau0) - 1.0)
        return np.asarray(activation_energy) - thermal, entropy
