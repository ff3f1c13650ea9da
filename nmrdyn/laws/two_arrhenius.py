"""Two thermally activated ways to make the same motion, whose rates add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.laws.law import ACTIVATION_ENERGY, LN10, LOG10_TAU0, Law, LawParameter, spread_over
from nmrdyn.schema import Array

_STEP = 0.3  # eV between the barriers, to start from


@dataclass(frozen=True)
class TwoArrhenius(Law):
    """1/tau_c = exp(-E1/kT)/tau1 + exp(-E2/kT)/tau2 with E2 above E1: the lower barrier rules in the cold.

    `activation_energy` is E1 and `activation_energy_step` E2 - E1 [eV], `log10_tau0` and `log10_tau0_upper` belong to
    tau1 and tau2. The step, which is not negative and has the prior of a barrier, tells the two apart, so that they
    cannot swap; below 0 every result is NaN. ln(1/tau_c) against 1/T is convex, where that of VTF is concave. The upper
    barrier shows only where tau2 is shorter than tau1.

    Examples
    --------
    Few defects that are always there, and many that have to be made: 0.70 eV in the cold, 1.70 eV in the heat.

    >>> law, two = TwoArrhenius(), {"activation_energy": 0.7, "log10_tau0": -10.0}
    >>> two |= {"activation_energy_step": 1.0, "log10_tau0_upper": -17.5}
    >>> law.apparent_barrier([400.0, 672.0, 1000.0], **two).round(2)
    array([0.7, 1.2, 1.7])
    """

    name: ClassVar[str] = "two_arrhenius"
    parameters: ClassVar[Mapping[str, LawParameter]] = MappingProxyType(
        {
            "activation_energy": ACTIVATION_ENERGY,
            "log10_tau0": LOG10_TAU0,
            "activation_energy_step": ACTIVATION_ENERGY,
            "log10_tau0_upper": LOG10_TAU0,
        }
    )

    def log_correlation_time(
        self,
        temperature: npt.ArrayLike,
        *,
        activation_energy: npt.ArrayLike,
        log10_tau0: npt.ArrayLike,
        activation_energy_step: npt.ArrayLike,
        log10_tau0_upper: npt.ArrayLike,
    ) -> Array:
        """ln(tau_c/s) at `temperature` [K], broadcast."""
        alone = Arrhenius().log_correlation_time(
            temperature, activation_energy=activation_energy, log10_tau0=log10_tau0
        )
        return alone - np.log1p(np.exp(_log_ratio(temperature, log10_tau0, activation_energy_step, log10_tau0_upper)))

    def like(
        self, *, log_tau: npt.ArrayLike, barrier: npt.ArrayLike, temperature: float, measured: Array
    ) -> list[dict[str, Array]]:
        sets = []
        # The given barrier is the lower one, and another shows where it is hottest; or the upper, and the coldest.
        for step, equal in ((_STEP, float(measured.max())), (-_STEP, float(measured.min()))):
            one = np.asarray(barrier, dtype=float)
            other = np.maximum(one + step, one / 4)
            (known,) = Arrhenius().like(log_tau=log_tau, barrier=one, temperature=temperature, measured=measured)
            there = Arrhenius().log_correlation_time(equal, **known)
            (second,) = Arrhenius().like(log_tau=there, barrier=other, temperature=equal, measured=measured)
            lower, upper = (known, second) if step > 0 else (second, known)
            sets.append(
                lower
                | {
                    "activation_energy_step": upper["activation_energy"] - lower["activation_energy"],
                    "log10_tau0_upper": upper["log10_tau0"],
                }
            )
        return sets

    def apparent_barrier(
        self,
        temperature: npt.ArrayLike,
        *,
        activation_energy: npt.ArrayLike,
        log10_tau0: npt.ArrayLike,
        activation_energy_step: npt.ArrayLike,
        log10_tau0_upper: npt.ArrayLike,
    ) -> Array:
        """The mean of the two barriers [eV], each weighed by its rate at `temperature` [K], broadcast."""
        share = expit(_log_ratio(temperature, log10_tau0, activation_energy_step, log10_tau0_upper))
        return np.asarray(activation_energy) + np.asarray(activation_energy_step) * share

    def barriers(self, temperature: npt.ArrayLike, **parameters: npt.ArrayLike) -> dict[str, Array]:
        """The "lower" and the "upper" barrier [eV], the same at every `temperature` [K], broadcast."""
        lower, step = np.asarray(parameters["activation_energy"]), _ordered(parameters["activation_energy_step"])
        shape = (temperature, *parameters.values())
        return {"lower": spread_over(lower, *shape), "upper": spread_over(lower + step, *shape)}


def _log_ratio(
    temperature: npt.ArrayLike, log10_tau0: npt.ArrayLike, step: npt.ArrayLike, log10_tau0_upper: npt.ArrayLike
) -> Array:
    """ln of the rate over the upper barrier relative to that over the lower."""
    scale = LN10 * (np.asarray(log10_tau0) - np.asarray(log10_tau0_upper))
    return scale - Arrhenius().exponent(temperature, _ordered(step))


def _ordered(step: npt.ArrayLike) -> Array:
    """The step between the barriers, NaN where it is negative."""
    return np.where(np.asarray(step) >= 0, step, np.nan)
