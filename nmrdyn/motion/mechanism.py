"""What every relaxation mechanism can do: rates from tau_c, and tau_c from T1 on both branches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields

import numpy as np
import numpy.typing as npt
from scipy.optimize import elementwise

from nmrdyn.schema import Array, InputError

# The wanted root lies within this many e-foldings of the minimum: T1 up to e^80 of its minimum.
_REACH = 80.0
_ROUNDING = 1e-14


class Mechanism(ABC):
    """A source of fluctuating fields. Subclasses are frozen dataclasses whose fields may be arrays that broadcast."""

    @abstractmethod
    def rate(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        """1/T1 [s^-1] for `tau_c` [s] and `larmor_frequency` [Hz], broadcast."""

    @abstractmethod
    def transition_rates(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """(W1, W2, W) [s^-1]: quadrupolar single- and double-quantum, and magnetic transition rates."""

    def turning_point(self, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
        """tau_c [s] at the T1 minimum and the T1 minimum [s] itself, for a rate with one maximum."""
        self._require_scalars()
        larmor = np.asarray(larmor_frequency, dtype=float)
        centre = -np.log(2 * np.pi * larmor)
        found = elementwise.find_minimum(
            lambda ln_tau, nu: -np.log(self.rate(np.exp(ln_tau), nu)),
            (centre - 7.0, centre, centre + 7.0),
            args=(larmor,),
        )
        return np.exp(found.x), np.exp(found.f_x)

    def t1_minimum(self, larmor_frequency: npt.ArrayLike) -> Array:
        """The shortest T1 [s] this mechanism allows at `larmor_frequency` [Hz]."""
        return self.turning_point(larmor_frequency)[1]

    def correlation_times(self, t1: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array]:
        """tau_c [s] on the (fast, slow) branch for `t1` [s] at `larmor_frequency` [Hz], broadcast.

        NaN where T1 is shorter than `t1_minimum`: there is no solution, and none is made up. The roots are found
        in ln(tau_c) by Chandrupatla's bracketed method to the precision of a float.
        """
        t1_array, larmor = np.broadcast_arrays(np.asarray(t1, dtype=float), np.asarray(larmor_frequency, dtype=float))
        fast, slow = np.full(t1_array.shape, np.nan), np.full(t1_array.shape, np.nan)
        tau_turn, t1_min = self.turning_point(larmor)
        # At the minimum itself rounding must not decide: there both roots are the turning point.
        at_turn = np.isclose(t1_array, t1_min, rtol=_ROUNDING, atol=0)
        solvable = np.isfinite(t1_array) & (t1_array > t1_min) & ~at_turn
        if np.any(solvable):
            turn = np.log(np.asarray(tau_turn)[solvable])

            def excess(ln_tau: Array, ln_t1: Array, nu: Array) -> Array:
                return np.log(self.rate(np.exp(ln_tau), nu)) + ln_t1

            args = (np.log(t1_array[solvable]), larmor[solvable])
            for branch, bracket in ((fast, (turn - _REACH, turn)), (slow, (turn, turn + _REACH))):
                branch[solvable] = np.exp(elementwise.find_root(excess, bracket, args=args).x)
        for branch in (fast, slow):
            branch[at_turn] = np.asarray(tau_turn)[at_turn]
        return fast, slow

    def _require_scalars(self) -> None:
        """Refuse to invert for arrays of couplings, which is what the posterior is for."""
        for item in fields(self):  # type: ignore[arg-type]
            if np.ndim(getattr(self, item.name)) > 0:
                raise InputError(f"{type(self).__name__}: needed one {item.name} to invert T1, found an array")

    def sensitivity(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        """d ln(tau_c) / d ln(T1) at `tau_c`: -1 far on the fast branch, +1 far on the slow, infinite at the minimum."""
        tau = np.asarray(tau_c, dtype=float)
        step = 1e-5
        rise = np.log(self.rate(tau * np.exp(step), larmor_frequency))
        rise = rise - np.log(self.rate(tau * np.exp(-step), larmor_frequency))
        with np.errstate(divide="ignore"):
            return -2 * step / rise
