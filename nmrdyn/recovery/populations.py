"""Recoveries of a spin I >= 1 from its level populations: the master equation, diagonalised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from nmrdyn.recovery.levels import Levels
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import Array, InputError

_INTERACTIONS = {"quad": ("w1", "w2"), "mag": ("w",), "mixed": ("w1", "w2", "w")}


class TransitionRates(Protocol):
    """A mechanism of relaxation, as far as populations need one."""

    def at(self, temperature: npt.ArrayLike) -> TransitionRates:
        """The mechanism at `temperature` [K]."""
        ...

    def transition_rates(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """(W1, W2, W) [s^-1] for `tau_c` [s] and `larmor_frequency` [Hz]."""
        ...

    def rate(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        """1/T1 [s^-1]."""
        ...

    def turning_point(self, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
        """tau_c [s] at the T1 minimum, and that T1 [s]."""
        ...

    def correlation_times(self, t1: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
        """tau_c [s] on both branches."""
        ...


@dataclass(frozen=True, kw_only=True)
class PopulationRecovery(RecoveryModel):
    """The recovery of one line, or of all, after a stated preparation of the levels of a spin I.

    The populations relax by dn/dt = -R (n - n_eq) with the transition rates W1, W2 (quadrupolar) and W (magnetic) in
    R, and n_eq proportional to m (high temperature). The number of exponentials follows: one for magnetic relaxation
    after saturation of all levels, I + 1/2 for quadrupolar relaxation of half-integer spins outside extreme narrowing.
    After saturation of all levels the central transition of I = 3/2 recovers as 1 - 2 exp(-2 W2 t) + exp(-2 W1 t): it
    goes negative first.

    In `fit_recovery` the T1 is that of the initial rate of <I_z> after saturation of all levels (the T1 of `BPP`),
    whatever is prepared and observed. W1/W2 is searched from 1 to 4, which is all that a distribution of Debye
    processes allows, and T1 and its error are means over what the data leave of that range (near its ends they lean
    inwards); with a `mechanism` W1/W2 follows from tau_c, and tau_c is the only unknown beside amplitude and
    efficiency. Sources: Andrew and Tunstall, Proc. Phys. Soc. 78 (1961) 1; Narath, Phys. Rev. 162 (1967) 320; mixed
    mechanisms: Suter et al., J. Phys. Condens. Matter 10 (1998) 5977.

    Parameters
    ----------
    spin : I = 1, 3/2, ... 9/2
    interaction : "quad" (W1, W2), "mag" (W) or "mixed" (all, added in R)
    initial : what was done, and to what: all_sat, all_inv; of half-integer spins ct_sat, ct_inv (an ideal pulse on
        1/2 <-> -1/2), ct_sat_long (held saturated until steady state), and for the K-th satellite stK_both_sat,
        stK_upper_sat, stK_lower_sat or _inv; of integer spins lineK_upper_sat and so on for K <-> K-1 (line_upper is
        that of K = 1)
    observed : total (<I_z>), ct, stK_upper (K+1/2 <-> K-1/2), stK_lower; of integer spins lineK_upper, lineK_lower
    mechanism : such as `BPP`, to tie all rates to one tau_c
    efficiency : of the preparation, free unless said; 1 is ideal

    Raises
    ------
    InputError
        For names that do not fit the spin, with those that do.

    Examples
    --------
    The central transition of a spin 3/2 on the slow flank (W1 = 4 W2), all levels saturated, is lowest at -0.19:

    >>> model = PopulationRecovery(spin=1.5, interaction="quad", initial="all_sat", observed="ct")
    >>> model.evaluate(np.array([0.0, np.log(2) / 6, 100.0]), w1=4.0, w2=1.0).round(4)
    array([ 0.    , -0.1906,  1.    ])
    >>> rates, amplitudes = model.exponentials(w1=4.0, w2=1.0)  # M = 1 - sum of amplitude exp(-rate t)
    >>> print(rates.round(6), amplitudes.round(6))
    [2. 8.] [ 2. -1.]

    A fit of such a recovery finds the T1 of the initial rate, which a single exponential does not:

    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, snr=1e4, recovery=model,
    ...     activation_energy=0.45, tau_c=1e-5, reference_temperature=333.15, temperature=[333.15])
    >>> relaxation = nd.fit_recovery(nd.simulate(truth, seed=1), model)
    >>> print(f"{relaxation.t1.item():.2f} s fitted, {truth.t1.item():.2f} s true")
    4.36 s fitted, 4.36 s true
    """

    name: ClassVar[str] = "populations"
    start: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "ratio": (1.0, 1.5, 2.2, 3.0, 4.0),
        "magnetic_share": (0.0, 0.5, 1.0),
    }
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"ratio": (1.0, 4.0), "magnetic_share": (0.0, 1.0)}
    ends: ClassVar[frozenset[str]] = frozenset({"ratio", "magnetic_share"})
    meaning: ClassVar[str] = "T1 of the initial rate of <I_z>, all levels saturated"
    spin: float
    interaction: str
    initial: str
    observed: str
    mechanism: TransitionRates | None = None
    efficiency: float | None = None
    larmor_frequency: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.interaction, str) or self.interaction not in _INTERACTIONS:
            known = ", ".join(_INTERACTIONS)
            raise InputError(f"populations: needed an interaction among {known}, found {self.interaction!r}")
        for name in ("initial", "observed"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"populations: needed a name for {name}, found {getattr(self, name)!r}")
        self._levels.deviation(self.initial)
        self._levels.weights(self.observed)
        if self.mechanism is not None and getattr(self.mechanism, "spin", None) not in (None, self.spin):
            found = f"one of spin {self.mechanism.spin:g}" if hasattr(self.mechanism, "spin") else self.mechanism
            raise InputError(f"populations: needed a mechanism of spin {self.spin:g}, found {found}")

    @property
    def _levels(self) -> Levels:
        return Levels(self.spin)

    @property
    def parameters(self) -> tuple[str, ...]:
        """tau_c with a mechanism; else T1, W1/W2 where both are there, and the magnetic share of 1/T1 where mixed."""
        if self.mechanism is not None:
            return ("tau_c",)
        return {"quad": ("t1", "ratio"), "mag": ("t1",), "mixed": ("t1", "ratio", "magnetic_share")}[self.interaction]

    @property
    def fixed(self) -> float | None:
        return self.efficiency

    def evaluate(
        self, delay: npt.ArrayLike, *, w1: npt.ArrayLike = 0.0, w2: npt.ArrayLike = 0.0, w: npt.ArrayLike = 0.0
    ) -> Array:
        """M/M_eq at `delay` [s] for the rates [s^-1], all broadcast against each other.

        Raises
        ------
        InputError
            For a rate that the interaction does not have, or one below 0.
        """
        rates, amplitudes = self.exponentials(w1=w1, w2=w2, w=w)
        return 1 - np.sum(amplitudes * np.exp(-rates * np.asarray(delay, dtype=float)[..., None]), axis=-1)

    def exponentials(
        self, *, w1: npt.ArrayLike = 0.0, w2: npt.ArrayLike = 0.0, w: npt.ArrayLike = 0.0
    ) -> tuple[Array, Array]:
        """Rates [s^-1] and amplitudes (..., k) of 1 - M/M_eq = sum A exp(-rate t), equal rates joined for scalars."""
        given = {"w1": np.asarray(w1, float), "w2": np.asarray(w2, float), "w": np.asarray(w, float)}
        rates, amplitudes = self._modes(**self._checked(given))
        return _joined(rates, amplitudes) if rates.ndim == 1 else (rates, amplitudes)

    def _checked(self, rates: dict[str, Array]) -> dict[str, Array]:
        """The rates, if they are rates and the interaction has them."""
        for name, value in rates.items():
            if np.any(value != 0) and name not in _INTERACTIONS[self.interaction]:
                has = " and ".join(_INTERACTIONS[self.interaction])
                raise InputError(f"populations: {self.interaction!r} has {has}, needed {name} = 0, found {value}")
            if not np.all((value >= 0) & np.isfinite(value)):
                raise InputError(f"populations: needed finite rates of 0 /s or more, found {name} = {value}")
        return rates

    def _modes(self, *, w1: Array, w2: Array, w: Array) -> tuple[Array, Array]:
        """Rates and amplitudes (..., k), one for each level; a step of a search may take a rate below 0."""
        relaxation = self._levels.rate_matrix(w1=w1, w2=w2, w=w)
        rates, vectors = np.linalg.eigh(relaxation)
        start = self._levels.deviation(self.initial, relaxation)
        amplitudes = (self._levels.weights(self.observed) @ vectors) * np.einsum("...i,...ij->...j", start, vectors)
        # Rounding may put the rate of the uniform state, which never moves, below 0.
        return np.maximum(rates, 0.0), -amplitudes

    def decay(self, delay: Array, *parameters: float) -> Array:
        rates, amplitudes = self._modes(**self._rates(*parameters))
        return np.exp(-np.asarray(delay)[..., None] * rates) @ amplitudes

    def t1(self, *parameters: float) -> float:
        if self.mechanism is None:
            return parameters[0]
        return 1 / float(self.mechanism.rate(parameters[0], self._larmor))

    def mean_time(self, *parameters: float) -> float:
        rates, amplitudes = _joined(*self._modes(**self._rates(*parameters)))
        lost = float(np.sum(amplitudes))
        return float(np.sum(amplitudes / rates)) / lost if abs(lost) > 1e-9 else np.nan

    def regions(self, low: float, high: float) -> list[Array]:
        if self.mechanism is None:
            return super().regions(low, high)
        turn, shortest = (float(value) for value in self.mechanism.turning_point(self._larmor))
        if shortest >= high:
            return []
        t1 = np.geomspace(max(low, shortest * (1 + 1e-9)), high, 64)
        branches = (
            np.log(branch[np.isfinite(branch)]) for branch in self.mechanism.correlation_times(t1, self._larmor)
        )
        return [np.sort(np.append(branch, np.log(turn))) if low < shortest else np.sort(branch) for branch in branches]

    def at(self, larmor_frequency: float, temperature: float) -> PopulationRecovery:
        if self.mechanism is None:
            return self
        return replace(self, mechanism=self.mechanism.at(temperature), larmor_frequency=larmor_frequency)

    @property
    def _larmor(self) -> float:
        if self.larmor_frequency is None:
            raise InputError("populations: needed a Larmor frequency to tie the rates to tau_c, found none; use at()")
        return self.larmor_frequency

    def _rates(self, *parameters: float) -> dict[str, Array]:
        """Transition rates by name, from the parameters of a fit."""
        if self.mechanism is not None:
            rates = self.mechanism.transition_rates(parameters[0], self._larmor)
            return self._checked(dict(zip(("w1", "w2", "w"), rates, strict=True)))
        t1, *others = parameters
        if self.interaction == "mag":
            return {"w1": np.zeros(()), "w2": np.zeros(()), "w": np.asarray(0.5 / t1)}
        ratio, magnetic = others if self.interaction == "mixed" else (others[0], 0.0)
        i = self.spin
        w2 = (1 - magnetic) / t1 * 5 * i * (2 * i - 1) / (2 * i + 3) / (ratio + 4)
        return {"w1": np.asarray(ratio * w2), "w2": np.asarray(w2), "w": np.asarray(magnetic / 2 / t1)}


def _joined(rates: Array, amplitudes: Array) -> tuple[Array, Array]:
    """Equal rates as one exponential, and those without an amplitude left out."""
    starts = np.flatnonzero(np.diff(rates, prepend=-1.0) > 1e-9 * rates[-1])
    sums = np.add.reduceat(amplitudes, starts)
    kept = np.abs(sums) > 1e-12
    return rates[starts][kept], sums[kept]
