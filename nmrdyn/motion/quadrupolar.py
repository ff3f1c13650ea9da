"""Quadrupolar relaxation of a spin I >= 1 (BPP when the spectral density is Debye's)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nmrdyn.isotopes import Isotope
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.motion.spectral_density import Debye, SpectralDensity
from nmrdyn.schema import Array, InputError

_SPINS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.5)


@dataclass(frozen=True, kw_only=True)
class BPP(Mechanism):
    """Quadrupolar relaxation by an isotropic rank-2 motion with one correlation time.

    The rate is the initial rate of the total <I_z> after all levels were saturated,

        1/T1 = (3 pi^2 / 50) (2I + 3) / (I^2 (2I - 1)) C_Q^2 (1 + eta^2 / 3) [J(omega_0) + 4 J(2 omega_0)],

    which is the T1 of a single exponential for I = 1, in the extreme narrowing limit, or under a common spin
    temperature; otherwise the recovery has several exponentials. Valid in high field (C_Q below about 0.05 of
    the Larmor frequency). Source: Abragam, Principles of Nuclear Magnetism (1961), ch. VIII.

    Parameters
    ----------
    nucleus : isotope such as "11B"; or say `spin`
    cq : quadrupolar coupling C_Q = eQV_zz/h [Hz]; only its square matters
    eta : asymmetry (V_xx - V_yy)/V_zz, 0 to 1
    spectral_density : J(omega), `Debye()` unless said
    spin : I = 1, 3/2, ... 9/2 in place of `nucleus`

    Raises
    ------
    InputError
        For spin 1/2, which has no quadrupole moment, for eta outside 0 to 1, or C_Q that is zero or not finite.

    Examples
    --------
    11B at 160.49 MHz with T1 = 61.13 s moves at 1 µs, or at 0.39 ps:

    >>> fast, slow = BPP(nucleus="11B", cq=0.1e6, eta=0.4).correlation_times(61.13, 160.49e6)
    >>> print(f"{fast:.3e} s, {slow:.3e} s")
    3.934e-13 s, 1.000e-06 s
    """

    nucleus: str | None = None
    cq: float | Array
    eta: float | Array
    spectral_density: SpectralDensity = field(default_factory=Debye)
    spin: float | None = None

    def __post_init__(self) -> None:
        if self.nucleus is None and self.spin is None:
            raise InputError("BPP: needed nucleus= or spin=, found neither")
        if self.nucleus is not None:
            isotope = Isotope.get(self.nucleus)
            if self.spin not in (None, isotope.spin):
                raise InputError(f"BPP: needed the spin of {isotope.name}, {isotope.spin:g}, found {self.spin:g}")
            object.__setattr__(self, "nucleus", isotope.name)
            object.__setattr__(self, "spin", isotope.spin)
        if self.spin not in _SPINS:
            what = f"{self.nucleus} with spin {self.spin:g}" if self.nucleus else f"spin {self.spin:g}"
            raise InputError(
                f"BPP: needed a quadrupolar nucleus (spin 1, 3/2, ... 9/2), found {what}; "
                "spin 1/2 relaxes by other mechanisms"
            )
        if not np.all(np.isfinite(self.cq)) or np.any(np.asarray(self.cq) == 0):
            raise InputError(f"BPP: needed a C_Q in Hz that is not zero, found {self.cq}")
        if not np.all((np.asarray(self.eta) >= 0) & (np.asarray(self.eta) <= 1)):
            raise InputError(f"BPP: needed eta from 0 to 1, found {self.eta}")

    @property
    def coupling_squared(self) -> Array:
        """C_Q^2 (1 + eta^2/3) [Hz^2]."""
        return np.asarray(self.cq) ** 2 * (1.0 + np.asarray(self.eta) ** 2 / 3.0)

    def _densities(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
        omega = 2 * np.pi * np.asarray(larmor_frequency, dtype=float)
        return self.spectral_density.evaluate(omega, tau_c), self.spectral_density.evaluate(2 * omega, tau_c)

    def rate(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        spin = self._spin
        factor = 3 * np.pi**2 / 50 * (2 * spin + 3) / (spin**2 * (2 * spin - 1))
        j1, j2 = self._densities(tau_c, larmor_frequency)
        return factor * self.coupling_squared * (j1 + 4 * j2)

    def transition_rates(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array, Array]:
        factor = 3 * np.pi**2 / 10 / self._spin
        j1, j2 = self._densities(tau_c, larmor_frequency)
        w1 = factor * self.coupling_squared * j1
        return w1, factor * self.coupling_squared * j2, np.zeros_like(w1)

    @property
    def _spin(self) -> float:
        assert self.spin is not None  # set in __post_init__
        return self.spin

    def coupling_needed(self, t1: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        """The smallest C_Q [Hz] at the same eta with which `t1` [s] would not lie below the T1 minimum."""
        return np.abs(self.cq) * np.sqrt(self.t1_minimum(larmor_frequency) / np.asarray(t1, dtype=float))
