"""Dipolar relaxation by like and unlike spins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.constants import hbar, mu_0

from nmrdyn.isotopes import Isotope
from nmrdyn.motion.mechanism import Adjustable, Mechanism
from nmrdyn.motion.spectral_density import Debye, SpectralDensity
from nmrdyn.schema import Array, InputError, require_within


@dataclass(frozen=True, kw_only=True)
class Dipolar(Mechanism):
    """Relaxation of `nucleus` by the dipolar fields of `count` partners whose vectors reorient isotropically.

    Like spins (partner = nucleus), with M2 the powder second moment of the rigid lattice:

        1/T1 = (2/3) M2 [J(omega_I) + 4 J(2 omega_I)],

    unlike spins, with the partner at equilibrium (irradiated partners change the steady state, and the Solomon pair
    otherwise has two rates):

        1/T1 = (1/2) M2 [J(omega_I - omega_S) + 3 J(omega_I) + 6 J(omega_I + omega_S)].

    Partners add up without cross-correlation. It enters populations as a magnetic rate W = 1/(2 T1), exact for I = 1/2.
    Sources: Abragam (1961), ch. VIII; Solomon, Phys. Rev. 99 (1955) 559; second moments: Van Vleck, Phys. Rev. 74
    (1948) 1168.

    Parameters
    ----------
    nucleus, partner : isotopes such as "11B" and "1H"
    distance : [m]; or say `second_moment`
    count : partners at that distance
    second_moment : [rad^2 s^-2], of all partners together, in place of `distance`
    spectral_density : J(omega), `Debye()` unless said

    Raises
    ------
    InputError
        For unknown isotopes, values that are not above 0, or both or neither of `distance` and `second_moment`.

    Examples
    --------
    >>> field = Dipolar(nucleus="11B", partner="1H", distance=1.2e-10, count=4)
    >>> print(f"{field.coupling / 2 / np.pi / 1e3:.2f} kHz, T1 minimum {1e3 * field.t1_minimum(160.49e6):.1f} ms")
    22.31 kHz, T1 minimum 61.7 ms
    """

    kind: ClassVar[str] = "dipolar"
    nucleus: str
    partner: str
    distance: float | Array | None = None
    count: float = 1
    second_moment: float | Array | None = None
    spectral_density: SpectralDensity = field(default_factory=Debye)

    def __post_init__(self) -> None:
        for name in ("nucleus", "partner"):
            object.__setattr__(self, name, Isotope.get(getattr(self, name)).name)
        if (self.distance is None) == (self.second_moment is None):
            found = "neither" if self.distance is None else "both"
            raise InputError(f"Dipolar: needed distance= or second_moment=, found {found}")
        for name in ("distance", "count", "second_moment"):
            if getattr(self, name) is not None:
                require_within(f"Dipolar: {name}", getattr(self, name), above=0)

    @property
    def quantities(self) -> Mapping[str, Adjustable]:
        """The distance or the second moment, whichever was said."""
        if self.distance is not None:
            return {"distance": Adjustable("m")}
        return {"second_moment": Adjustable("rad^2 s^-2")}

    @property
    def label(self) -> str:
        return f"dipolar {self.partner}"

    @property
    def long_label(self) -> str:
        if self.distance is None:
            return f"{self.label} of {np.mean(self.moment):.3g} s^-2"
        return f"{self.label} at {np.mean(self.distance) * 1e10:.2f} Å"

    @property
    def spin(self) -> float:
        """The spin of the nucleus."""
        return Isotope.get(self.nucleus).spin

    @property
    def like(self) -> bool:
        """Whether the partners are of the same isotope."""
        return self.nucleus == self.partner

    @property
    def coupling(self) -> Array:
        """b = (mu0 / 4 pi) gamma_I gamma_S hbar / r^3 [rad/s] of one pair; NaN where only a second moment is known."""
        if self.distance is None:
            return np.asarray(self.second_moment, dtype=float) * np.nan
        product = Isotope.get(self.nucleus).gamma * Isotope.get(self.partner).gamma
        return mu_0 / (4 * np.pi) * product * hbar / np.asarray(self.distance, dtype=float) ** 3

    @property
    def moment(self) -> Array:
        """Second moment of the rigid lattice [rad^2 s^-2]: that given, or that of `count` partners at `distance`."""
        if self.second_moment is not None:
            return np.asarray(self.second_moment, dtype=float)
        return self._moment_per_pair * self.coupling**2 * self.count

    @property
    def _moment_per_pair(self) -> float:
        """M2 / b^2 of one pair."""
        partner = Isotope.get(self.partner).spin
        return (3 / 5 if self.like else 4 / 15) * partner * (partner + 1)

    def _frequencies(self, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
        """Signed Larmor frequencies [rad/s] of nucleus and partner; only their relative sign matters."""
        omega = 2 * np.pi * np.asarray(larmor_frequency, dtype=float)
        return omega, omega * Isotope.get(self.partner).gamma / Isotope.get(self.nucleus).gamma

    def transition_rates(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array, Array]:
        own, other = self._frequencies(larmor_frequency)
        j = self.spectral_density.evaluate
        if self.like:
            rate = 2 / 3 * self.moment * (j(own, tau_c) + 4 * j(2 * own, tau_c))
        else:
            rate = self.moment / 2 * (j(own - other, tau_c) + 3 * j(own, tau_c) + 6 * j(own + other, tau_c))
        return np.zeros_like(rate), np.zeros_like(rate), rate / 2

    def rate_t2(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        return self._transverse(tau_c, larmor_frequency, 0.0)

    def rate_t1rho(
        self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike, *, nutation_frequency: npt.ArrayLike
    ) -> Array:
        return self._transverse(tau_c, larmor_frequency, nutation_frequency)

    def _transverse(
        self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike, nutation_frequency: npt.ArrayLike
    ) -> Array:
        own, other = self._frequencies(larmor_frequency)
        lock = 2 * np.pi * np.asarray(nutation_frequency, dtype=float)
        j = self.spectral_density.evaluate
        if self.like:
            return self.moment / 3 * (3 * j(2 * lock, tau_c) + 5 * j(own, tau_c) + 2 * j(2 * own, tau_c))
        fast = j(own - other, tau_c) + 3 * j(own, tau_c) + 6 * j(other, tau_c) + 6 * j(own + other, tau_c)
        return self.moment / 4 * (4 * j(lock, tau_c) + fast)

    def cross_relaxation(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        """sigma [s^-1] in d<I_z>/dt = -(<I_z> - I_0)/T1 - sigma (<S_z> - S_0), summed over the partners.

        Raises
        ------
        InputError
            For like spins, whose 1/T1 already holds it.
        """
        if self.like:
            raise InputError("cross_relaxation: needed unlike spins, found like ones, whose T1 already holds it")
        own, other = self._frequencies(larmor_frequency)
        squared = self.moment / self._moment_per_pair
        j = self.spectral_density.evaluate
        return 2 / 15 * squared * self.spin * (self.spin + 1) * (6 * j(own + other, tau_c) - j(own - other, tau_c))
