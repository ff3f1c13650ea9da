"""What every mechanism can do: one protocol, `transition_rates`, from which T1, sums and inversion follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from nmrdyn.isotopes import Isotope
from nmrdyn.motion import inversion
from nmrdyn.schema import Array, InputError


@dataclass(frozen=True)
class Adjustable:
    """A quantity of a mechanism that may be given a prior: its unit and the values it can have."""

    unit: str
    low: float = 0.0
    high: float = np.inf


class Mechanism(ABC):
    """A source of fluctuating fields. Subclasses are frozen dataclasses whose fields may be arrays that broadcast.

    A mechanism is its `transition_rates`; `rate`, both branches of tau_c and sums (`BPP(...) + Dipolar(...)`) follow.
    """

    kind: ClassVar[str]

    if TYPE_CHECKING:  # a property at run time would become the default of a dataclass field of its name

        @property
        def nucleus(self) -> str | None: ...
        @property
        def spin(self) -> float | None: ...
        @property
        def quantities(self) -> Mapping[str, Adjustable]: ...

    @abstractmethod
    def transition_rates(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """(W1, W2, W) [s^-1] for `tau_c` [s] and `larmor_frequency` [Hz], broadcast.

        W1 and W2 are the quadrupolar single- and double-quantum rates in the normalisation of Andrew and Tunstall
        (Proc. Phys. Soc. 78 (1961) 1), W the magnetic rate with P(m -> m+1) = W (I - m)(I + m + 1).
        """

    def rate(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        """1/T1 [s^-1], the initial rate of the total <I_z> after all levels were saturated, broadcast."""
        w1, w2, w = self.transition_rates(tau_c, larmor_frequency)
        if self.spin is None or self.spin < 1:
            return 2 * w
        return (2 * self.spin + 3) / (5 * self.spin * (2 * self.spin - 1)) * (w1 + 4 * w2) + 2 * w

    @abstractmethod
    def rate_t2(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        """1/T2 [s^-1], the initial rate of the transverse magnetisation, broadcast."""

    @abstractmethod
    def rate_t1rho(
        self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike, *, nutation_frequency: npt.ArrayLike
    ) -> Array:
        """1/T1rho [s^-1], the initial rate on resonance under a spin lock of `nutation_frequency` [Hz], broadcast.

        Valid for a lock that is strong against static splittings and weak against the Larmor frequency.
        """

    @property
    def parts(self) -> tuple[Mechanism, ...]:
        """The mechanisms that add up to this one."""
        return (self,)

    @property
    def label(self) -> str:
        """Its name in a budget."""
        return self.kind

    @property
    def long_label(self) -> str:
        """Its name beside others of the same label."""
        return self.label

    @property
    def labels(self) -> list[str]:
        """The names of its parts in a budget, all different."""
        short = [part.label for part in self.parts]
        return [part.label if short.count(part.label) == 1 else part.long_label for part in self.parts]

    def shares(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> dict[str, Array]:
        """The fraction of 1/T1 that each part contributes, by its label."""
        total = self.rate(tau_c, larmor_frequency)
        parts = zip(self.labels, self.parts, strict=True)
        return {label: part.rate(tau_c, larmor_frequency) / total for label, part in parts}

    def __add__(self, other: object) -> MechanismSum:
        return MechanismSum((*self.parts, *other.parts)) if isinstance(other, Mechanism) else NotImplemented

    def __radd__(self, other: object) -> Mechanism:
        return self if other == 0 else NotImplemented  # sum() begins with 0

    def with_values(self, **values: float | Array) -> Mechanism:
        """The mechanism with other values of some of its `quantities`."""
        return replace(self, **values)  # type: ignore[type-var]

    def at(self, temperature: npt.ArrayLike) -> Mechanism:
        """The mechanism at `temperature` [K], where a coupling depends on it."""
        laws = {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type]
        moving = {name: law.at(temperature) for name, law in laws.items() if hasattr(law, "at")}
        return self.with_values(**moving) if moving else self

    @property
    def varies(self) -> bool:
        """Whether a coupling depends on temperature, so that `at` has to be said before any rate."""
        return any(hasattr(getattr(part, item.name), "at") for part in self.parts for item in fields(part))  # type: ignore[arg-type]

    def turning_point(self, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
        """tau_c [s] at the T1 minimum and the T1 minimum [s] itself.

        Raises
        ------
        InputError
            Where T1 has no minimum, or more than one.
        """
        self._require_scalars()
        return inversion.turning_point(self.rate, larmor_frequency)

    def t1_minimum(self, larmor_frequency: npt.ArrayLike) -> Array:
        """The shortest T1 [s] this mechanism allows at `larmor_frequency` [Hz]."""
        return self.turning_point(larmor_frequency)[1]

    def correlation_times(self, t1: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
        """tau_c [s] on the (fast, slow) branch for `t1` [s] at `larmor_frequency` [Hz], broadcast.

        NaN where there is no solution, and none is made up: T1 shorter than `t1_minimum`, or longer than a rate that
        does not depend on tau_c allows. The roots are bracketed in ln(tau_c) and found to the precision of a float.

        Raises
        ------
        InputError
            Where T1 has more than one minimum, so that there may be four solutions: see `all_correlation_times`.
        """
        self._require_scalars()
        return inversion.branch_roots(self.rate, t1, larmor_frequency)

    def all_correlation_times(self, t1: float, larmor_frequency: float) -> Array:
        """Every tau_c [s] (root,) that gives `t1` [s], shortest first, however many minima T1 has."""
        self._require_scalars()
        return inversion.all_roots(self.rate, t1, larmor_frequency)

    def sensitivity(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        """d ln(tau_c) / d ln(T1) at `tau_c`: -1 far on the fast branch, +1 far on the slow, infinite at the minimum."""
        return inversion.sensitivity(self.rate, tau_c, larmor_frequency)

    def coupling_needed(self, t1: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        """The smallest C_Q [Hz], all else the same, with which `t1` [s] would not lie below the T1 minimum.

        NaN without a quadrupolar part, 0 where the other parts suffice.
        """
        if "cq" not in self.quantities:
            return np.full(np.broadcast_shapes(np.shape(t1), np.shape(larmor_frequency)), np.nan)

        def needed(one_t1: float, larmor: float) -> float:
            def excess(ln_cq: float) -> float:
                return float(
                    np.log(inversion.shortest(self.with_values(cq=float(np.exp(ln_cq))).rate, larmor) / one_t1)
                )

            low, high = np.log(1e-3), np.log(1e12)
            return float(np.exp(brentq(excess, low, high, xtol=1e-14))) if excess(low) > 0 else 0.0

        return np.vectorize(needed, otypes=[float])(t1, larmor_frequency)

    def _require_scalars(self) -> None:
        """Refuse to invert for arrays of couplings, which is what the posterior is for."""
        for part in self.parts:
            for item in fields(part):  # type: ignore[arg-type]
                value = getattr(part, item.name)
                names = {item.name: value} | (vars(value) if hasattr(value, "evaluate") else {})
                for name, one in names.items():
                    if np.ndim(one) > 0:
                        raise InputError(f"{type(part).__name__}: needed one {name} to invert T1, found an array")


@dataclass(frozen=True, repr=False)
class MechanismSum(Mechanism):
    """Several mechanisms of one nucleus; their transition rates add up. Written `BPP(...) + Dipolar(...)`.

    Raises
    ------
    InputError
        Where the parts are not of one nucleus, or two of them are the same.

    Examples
    --------
    11B in BH4-, with four protons at 1.20 Å: the dipolar rate is 1.69 times the quadrupolar one.

    >>> from nmrdyn import BPP, Dipolar
    >>> both = BPP(nucleus="11B", cq=0.1e6, eta=0.4) + Dipolar(nucleus="11B", partner="1H", distance=1.2e-10, count=4)
    >>> shares = both.shares(1e-6, 160.49e6)
    >>> print(f"{shares['dipolar 1H'] / shares['quadrupolar']:.2f}")
    1.69
    """

    kind: ClassVar[str] = "sum"
    members: tuple[Mechanism, ...]

    def __post_init__(self) -> None:
        for attribute in ("nucleus", "spin"):
            found = {getattr(part, attribute) for part in self.members} - {None}
            if len(found) > 1:
                said = " and ".join(sorted(map(str, found)))
                raise InputError(f"sum of mechanisms: needed one {attribute}, found {said}")
        if not self.members or len(set(self.labels)) < len(self.members):
            raise InputError(f"sum of mechanisms: needed different ones, found {', '.join(self.labels) or 'none'}")

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.members))

    @property
    def parts(self) -> tuple[Mechanism, ...]:
        return self.members

    @property
    def nucleus(self) -> str | None:
        """The nucleus, where a part names it."""
        return next((part.nucleus for part in self.members if part.nucleus is not None), None)

    @property
    def spin(self) -> float | None:
        """Its spin."""
        return next((part.spin for part in self.members if part.spin is not None), None)

    @property
    def quantities(self) -> Mapping[str, Adjustable]:
        """Those of all parts; a name that two parts share belongs to neither."""
        names = [name for part in self.members for name in part.quantities]
        return {name: item for part in self.members for name, item in part.quantities.items() if names.count(name) == 1}

    def with_values(self, **values: float | Array) -> MechanismSum:
        if unknown := sorted(set(values) - set(self.quantities)):
            raise InputError(f"sum of mechanisms: needed names among {sorted(self.quantities)}, found {unknown}")
        return MechanismSum(
            tuple(
                part.with_values(**{name: value for name, value in values.items() if name in part.quantities})
                for part in self.members
            )
        )

    def at(self, temperature: npt.ArrayLike) -> MechanismSum:
        return MechanismSum(tuple(part.at(temperature) for part in self.members))

    def transition_rates(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array, Array]:
        rates = [part.transition_rates(tau_c, larmor_frequency) for part in self.members]
        w1, w2, w = (sum(parts[1:], start=parts[0]) for parts in zip(*rates, strict=True))
        return w1, w2, w

    def rate_t2(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        first, *others = (part.rate_t2(tau_c, larmor_frequency) for part in self.members)
        return sum(others, start=first)

    def rate_t1rho(
        self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike, *, nutation_frequency: npt.ArrayLike
    ) -> Array:
        first, *others = (
            part.rate_t1rho(tau_c, larmor_frequency, nutation_frequency=nutation_frequency) for part in self.members
        )
        return sum(others, start=first)


def named_spin(kind: str, nucleus: str | None, spin: float | None) -> tuple[str | None, float]:
    """The nucleus in its usual spelling and its spin, from either.

    Raises
    ------
    InputError
        Where neither is said, or they contradict each other.
    """
    if nucleus is None and spin is None:
        raise InputError(f"{kind}: needed nucleus= or spin=, found neither")
    if nucleus is None:
        return None, float(spin)  # type: ignore[arg-type]
    isotope = Isotope.get(nucleus)
    if spin not in (None, isotope.spin):
        raise InputError(f"{kind}: needed the spin of {isotope.name}, {isotope.spin:g}, found {spin:g}")
    return isotope.name, isotope.spin
