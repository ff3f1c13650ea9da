"""A mechanism in one file: the anisotropy of the chemical shift, which turns with a molecule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nmrdyn.isotopes import Isotope
from nmrdyn.motion.mechanism import Adjustable, Mechanism
from nmrdyn.motion.spectral_density import Debye, SpectralDensity
from nmrdyn.schema import Array, require_within


@dataclass(frozen=True, kw_only=True)
class ShiftAnisotropy(Mechanism):
    """1/T1 = (2/15) (omega_0 anisotropy)^2 J(omega_0) of an axially symmetric shift that reorients isotropically.

    Valid in high field for the symmetric part of the shift tensor. Source: Abragam, Principles of Nuclear Magnetism
    (1961), ch. VIII.

    Parameters
    ----------
    nucleus : isotope such as "31P"
    anisotropy : sigma_parallel - sigma_perpendicular, a plain number (100 ppm is 100e-6)
    spectral_density : J(omega), `Debye()` unless said
    """

    kind: ClassVar[str] = "shift anisotropy"
    quantities: ClassVar[Mapping[str, Adjustable]] = {"anisotropy": Adjustable("")}
    nucleus: str
    anisotropy: float | Array
    spectral_density: SpectralDensity = field(default_factory=Debye)

    def __post_init__(self) -> None:
        require_within("ShiftAnisotropy: anisotropy", self.anisotropy, least=-0.1, most=0.1)

    @property
    def spin(self) -> float:
        """The spin of the nucleus."""
        return Isotope.get(self.nucleus).spin

    def transition_rates(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array, Array]:
        omega = 2 * np.pi * np.asarray(larmor_frequency, dtype=float)
        rate = 2 / 15 * self._squared(omega) * self.spectral_density.evaluate(omega, tau_c)
        return np.zeros_like(rate), np.zeros_like(rate), rate / 2

    def rate_t2(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        return self.rate_t1rho(tau_c, larmor_frequency, nutation_frequency=0.0)

    def rate_t1rho(
        self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike, *, nutation_frequency: npt.ArrayLike
    ) -> Array:
        omega = 2 * np.pi * np.asarray(larmor_frequency, dtype=float)
        lock = 2 * np.pi * np.asarray(nutation_frequency, dtype=float)
        j = self.spectral_density.evaluate
        return self._squared(omega) / 45 * (4 * j(lock, tau_c) + 3 * j(omega, tau_c))

    def _squared(self, omega: Array) -> Array:
        """(omega_0 anisotropy)^2 [s^-2]."""
        return (omega * np.asarray(self.anisotropy, dtype=float)) ** 2
