"""Quadrupolar relaxation of a spin I >= 1 (BPP when the spectral density is Debye's)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from nmrdyn.isotopes import QUADRUPOLAR_SPINS
from nmrdyn.motion.mechanism import Adjustable, Mechanism, named_spin
from nmrdyn.motion.spectral_density import Debye, SpectralDensity
from nmrdyn.schema import Array, InputError, require_within


class CouplingLaw(Protocol):
    """A coupling that depends on temperature."""

    def at(self, temperature: npt.ArrayLike) -> Array:
        """C_Q [Hz] at `temperature` [K]."""
        ...


@dataclass(frozen=True, kw_only=True)
class BPP(Mechanism):
    """Quadrupolar relaxation by an isotropic rank-2 motion with one correlation time.

    The rate is the initial rate of the total <I_z> after all levels were saturated,

        1/T1 = (3 pi^2 / 50) (2I + 3) / (I^2 (2I - 1)) C_Q^2 (1 + eta^2 / 3) [J(omega_0) + 4 J(2 omega_0)],

    which is the T1 of a single exponential for I = 1, in the extreme narrowing limit, or under a common spin
    temperature; otherwise the recovery has several exponentials (`PopulationRecovery`). Valid in high field (C_Q below
    about 0.05 of the Larmor frequency). Source: Abragam, Principles of Nuclear Magnetism (1961), ch. VIII; the rates
    of T2 and T1rho after Hubbard, J. Chem. Phys. 53 (1970) 985.

    Parameters
    ----------
    nucleus : isotope such as "11B"; or say `spin`
    cq : quadrupolar coupling C_Q = eQV_zz/h [Hz], or a law of it with `at(temperature)`; only its square matters
    eta : asymmetry (V_xx - V_yy)/V_zz, 0 to 1
    spectral_density : J(omega), `Debye()` unless said
    spin : I = 1, 3/2, ... 9/2 in place of `nucleus`
    fluctuating : the fraction of C_Q^2 (1 + eta^2/3) that the motion modulates, 1 unless it is restricted (see
        `fluctuating_fraction`); the rate is then the powder average

    Raises
    ------
    InputError
        For spin 1/2, which has no quadrupole moment, for eta or `fluctuating` outside 0 to 1, or C_Q that is zero or
        not finite.

    Examples
    --------
    11B at 160.49 MHz with T1 = 61.13 s moves at 1 µs, or at 0.39 ps:

    >>> fast, slow = BPP(nucleus="11B", cq=0.1e6, eta=0.4).correlation_times(61.13, 160.49e6)
    >>> print(f"{fast:.3e} s, {slow:.3e} s")
    3.934e-13 s, 1.000e-06 s
    """

    kind: ClassVar[str] = "quadrupolar"
    nucleus: str | None = None
    cq: float | Array | CouplingLaw
    eta: float | Array
    spectral_density: SpectralDensity = field(default_factory=Debye)
    spin: float | None = None
    fluctuating: float | Array = 1.0

    def __post_init__(self) -> None:
        nucleus, spin = named_spin("BPP", self.nucleus, self.spin)
        object.__setattr__(self, "nucleus", nucleus)
        object.__setattr__(self, "spin", spin)
        if spin not in QUADRUPOLAR_SPINS:
            what = f"{nucleus} with spin {spin:g}" if nucleus else f"spin {spin:g}"
            raise InputError(
                f"BPP: needed a quadrupolar nucleus (spin 1, 3/2, ... 9/2), found {what}; "
                "spin 1/2 relaxes by other mechanisms"
            )
        if not hasattr(self.cq, "at"):
            require_within("BPP: C_Q in Hz", self.cq)
            if np.any(np.asarray(self.cq) == 0):
                raise InputError(f"BPP: needed a C_Q in Hz that is not zero, found {self.cq}")
        require_within("BPP: eta", self.eta, least=0, most=1)
        require_within("BPP: fluctuating fraction", self.fluctuating, above=0, most=1)

    @property
    def quantities(self) -> Mapping[str, Adjustable]:
        """C_Q, unless a law gives it, and eta."""
        eta = {"eta": Adjustable("", 0.0, 1.0)}
        return eta if hasattr(self.cq, "at") else {"cq": Adjustable("Hz")} | eta

    @property
    def coupling_squared(self) -> Array:
        """The part of C_Q^2 (1 + eta^2/3) that fluctuates [Hz^2]."""
        if hasattr(self.cq, "at"):
            raise InputError(f"BPP: needed a temperature for {self.cq}, found none; say at(temperature) first")
        return self.fluctuating * np.asarray(self.cq) ** 2 * (1.0 + np.asarray(self.eta) ** 2 / 3.0)

    def transition_rates(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array, Array]:
        assert self.spin is not None  # set in __post_init__
        factor = 3 * np.pi**2 / 10 / self.spin * self.coupling_squared
        omega = 2 * np.pi * np.asarray(larmor_frequency, dtype=float)
        w1 = factor * self.spectral_density.evaluate(omega, tau_c)
        return w1, factor * self.spectral_density.evaluate(2 * omega, tau_c), np.zeros_like(w1)

    def rate_t2(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        return self._transverse(tau_c, larmor_frequency, 0.0)

    def rate_t1rho(
        self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike, *, nutation_frequency: npt.ArrayLike
    ) -> Array:
        return self._transverse(tau_c, larmor_frequency, 2 * np.asarray(nutation_frequency, dtype=float))

    def _transverse(
        self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike, slow_frequency: npt.ArrayLike
    ) -> Array:
        """K/2 [3 J(slow) + 5 J(omega_0) + 2 J(2 omega_0)], of the whole signal at its start."""
        assert self.spin is not None
        factor = 3 * np.pi**2 / 50 * (2 * self.spin + 3) / (self.spin**2 * (2 * self.spin - 1)) * self.coupling_squared
        omega = 2 * np.pi * np.asarray(larmor_frequency, dtype=float)
        j = self.spectral_density.evaluate
        slow = j(2 * np.pi * np.asarray(slow_frequency), tau_c)
        return factor / 2 * (3 * slow + 5 * j(omega, tau_c) + 2 * j(2 * omega, tau_c))
