"""A phase transition: an Arrhenius law of its own on each side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.laws.law import ACTIVATION_ENERGY, LOG10_TAU0, Law, LawParameter, spread_over
from nmrdyn.priors import Uniform
from nmrdyn.schema import Array, InputError, require_within

_SIDES = {
    "activation_energy_below": ACTIVATION_ENERGY,
    "log10_tau0_below": LOG10_TAU0,
    "activation_energy_above": ACTIVATION_ENERGY,
    "log10_tau0_above": LOG10_TAU0,
}
_TRANSITION = LawParameter("K", Uniform(50.0, 1500.0))


@dataclass(frozen=True)
class PhaseTransition(Law):
    """An Arrhenius law of its own below and above a phase transition, since tau_c and its barrier may jump there.

    `temperature` is that of the transition [K], which itself belongs to the side above. Without it, it is one more
    parameter, `transition_temperature`; between two measured temperatures the data do not tell where it lies. `infer`
    looks for it where there are two temperatures or more on each side.

    Raises
    ------
    InputError
        For a temperature that is not above 0 K, or a transition temperature that is said twice or not at all.

    Examples
    --------
    A crystal in which ions move a thousand times faster once it is disordered:

    >>> law, sides = PhaseTransition(temperature=285.0), {"activation_energy_below": 0.6, "log10_tau0_below": -13.0}
    >>> sides |= {"activation_energy_above": 0.4, "log10_tau0_above": -12.5}
    >>> print(law.correlation_time([284.9, 285.0], **sides))
    [4.10944784e-03 3.74431943e-06]
    >>> law.apparent_barrier([284.9, 285.0], **sides)
    array([0.6, 0.4])
    """

    temperature: float | None = None
    name: ClassVar[str] = "phase_transition"

    def __post_init__(self) -> None:
        if self.temperature is not None:
            require_within("PhaseTransition: temperature [K]", self.temperature, above=0, single=True)

    @property
    def parameters(self) -> Mapping[str, LawParameter]:
        """Unit and prior of each parameter, in order; a transition temperature that was not given comes last."""
        return _SIDES | ({"transition_temperature": _TRANSITION} if self.temperature is None else {})

    def log_correlation_time(
        self,
        temperature: npt.ArrayLike,
        *,
        activation_energy_below: npt.ArrayLike,
        log10_tau0_below: npt.ArrayLike,
        activation_energy_above: npt.ArrayLike,
        log10_tau0_above: npt.ArrayLike,
        transition_temperature: npt.ArrayLike | None = None,
    ) -> Array:
        """ln(tau_c/s) at `temperature` [K], broadcast."""
        above = self._above(temperature, transition_temperature)
        return Arrhenius().log_correlation_time(
            temperature,
            activation_energy=np.where(above, activation_energy_above, activation_energy_below),
            log10_tau0=np.where(above, log10_tau0_above, log10_tau0_below),
        )

    def like(
        self, *, log_tau: npt.ArrayLike, barrier: npt.ArrayLike, temperature: float, measured: Array
    ) -> list[dict[str, Array]]:
        (known,) = Arrhenius().like(log_tau=log_tau, barrier=barrier, temperature=temperature, measured=measured)
        both = {f"{name}_{side}": value for side in ("below", "above") for name, value in known.items()}
        if self.temperature is not None:
            return [both]
        distinct = np.unique(measured)
        # Between two temperatures the data do not tell where it lies; each side has two at least.
        gaps = (distinct[2:-1] + distinct[1:-2]) / 2
        return [both | {"transition_temperature": np.array(gap)} for gap in gaps]

    def apparent_barrier(
        self,
        temperature: npt.ArrayLike,
        *,
        activation_energy_below: npt.ArrayLike,
        log10_tau0_below: npt.ArrayLike,
        activation_energy_above: npt.ArrayLike,
        log10_tau0_above: npt.ArrayLike,
        transition_temperature: npt.ArrayLike | None = None,
    ) -> Array:
        """The barrier of the side on which `temperature` [K] lies [eV], broadcast."""
        above = self._above(temperature, transition_temperature)
        barrier = np.where(above, activation_energy_above, activation_energy_below)
        return spread_over(barrier, log10_tau0_below, log10_tau0_above)

    def barriers(self, temperature: npt.ArrayLike, **parameters: npt.ArrayLike) -> dict[str, Array]:
        """The barriers "below" and "above" the transition [eV], the same at every `temperature` [K], broadcast."""
        shape = (temperature, *parameters.values())
        return {side: spread_over(parameters[f"activation_energy_{side}"], *shape) for side in ("below", "above")}

    def _above(self, temperature: npt.ArrayLike, inferred: npt.ArrayLike | None) -> npt.NDArray[np.bool_]:
        """Whether a temperature lies at the transition or above it."""
        if (self.temperature is None) == (inferred is None):
            found = "none" if inferred is None else f"{self.temperature:g} K and transition_temperature={inferred}"
            raise InputError(
                f"PhaseTransition: needed one transition temperature, found {found}; "
                "give it to PhaseTransition(temperature=...) or as transition_temperature"
            )
        at = self.temperature if inferred is None else inferred
        return np.asarray(temperature, dtype=float) >= np.asarray(at, dtype=float)
