"""The levels of a spin: their populations, what a preparation does to them, and how they exchange."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from nmrdyn.isotopes import QUADRUPOLAR_SPINS
from nmrdyn.schema import Array, InputError

_LINE = re.compile(r"(?:(st)([1-9])|(line)([1-9]?))_(upper|lower)")


@dataclass(frozen=True)
class Levels:
    """The 2I + 1 levels of a spin I, from m = I to -I; lines are called as in `PopulationRecovery`."""

    spin: float

    def __post_init__(self) -> None:
        if self.spin not in QUADRUPOLAR_SPINS:
            raise InputError(f"populations: needed spin 1, 3/2, ... 9/2, found {self.spin}")

    def rate_matrix(self, *, w1: Array, w2: Array, w: Array) -> Array:
        """R (..., level, level) of dn/dt = -R (n - n_eq)."""
        spin = self.spin
        m = spin - np.arange(round(2 * spin) + 1)[1:]  # the lower level of each step
        step = (spin - m) * (spin + m + 1)
        norm = 2 * spin * (2 * spin - 1) ** 2
        low = m[1:]
        w1, w2, w = (rate[..., None] for rate in np.broadcast_arrays(w1, w2, w))
        single = w1 * (2 * m + 1) ** 2 * step / norm + w * step
        double = w2 * (spin - low) * (spin + low + 1) * (spin - low - 1) * (spin + low + 2) / norm
        size = m.size + 1
        exchange = np.zeros((*single.shape[:-1], size, size))
        index = np.arange(size)
        exchange[..., index[:-1], index[1:]] = single
        exchange[..., index[:-2], index[2:]] = double
        exchange = exchange + np.swapaxes(exchange, -1, -2)
        return np.eye(size) * exchange.sum(axis=-1)[..., None] - exchange

    def _index(self, m: float) -> int:
        """The index of the level m; levels run from I to -I."""
        return round(self.spin - m)

    def transition(self, name: str) -> tuple[int, int] | None:
        """Indices of the upper and lower level of a line, None where the spin has no such line."""
        half_integer = self.spin % 1 == 0.5
        if name == "ct" and half_integer:
            return self._index(0.5), self._index(-0.5)
        match = _LINE.fullmatch(name)
        if match is None or bool(match[1]) != half_integer:
            return None
        m = float(match[2] or match[4] or 1) + (0.5 if half_integer else 0.0)
        if m > self.spin:
            return None
        return (self._index(m), self._index(m - 1)) if match[5] == "upper" else (self._index(1 - m), self._index(-m))

    @property
    def equilibrium(self) -> Array:
        """Populations (level,) at equilibrium, but for a constant and a factor."""
        return self.spin - np.arange(round(2 * self.spin) + 1, dtype=float)

    def deviation(self, initial: str, relaxation: Array | None = None) -> Array:
        """Populations less those at equilibrium (..., level) after the preparation; `relaxation` for steady states."""
        equilibrium = self.equilibrium
        if initial in ("all_sat", "all_inv"):
            return -equilibrium * (1 if initial == "all_sat" else 2)
        if initial == "ct_sat_long" and self.spin % 1 == 0.5:
            return equilibrium * 0 if relaxation is None else self._clamped(relaxation)
        what, _, how = initial.rpartition("_")
        lines = [self.transition(what)]
        if what.endswith("_both"):
            lines = [self.transition(what.replace("both", side)) for side in ("upper", "lower")]
        if how not in ("sat", "inv") or None in lines:
            self._refuse("initial", initial, [f"{line}_sat" for line in ("all", *self._lines())])
        prepared = equilibrium.copy()
        levels = [list(line) for line in lines if line is not None]
        if len(levels) == 2 and levels[0][1] == levels[1][0]:
            if how == "inv":
                self._refuse("initial", initial, ["all_inv"])  # two inversions of one level have an order
            levels = [[*levels[0], levels[1][1]]]
        for level in levels:
            prepared[level] = prepared[level[::-1]] if how == "inv" else prepared[level].mean()
        return prepared - equilibrium

    def _clamped(self, relaxation: Array) -> Array:
        """The steady state while the central transition is held saturated, less equilibrium."""
        equilibrium = self.equilibrium
        upper, lower = self._index(0.5), self._index(-0.5)
        merge = np.delete(np.eye(equilibrium.size), lower, axis=1)
        merge[lower, upper] = 1.0
        held = np.swapaxes(merge, 0, 1) @ relaxation @ merge
        drive = np.swapaxes(merge, 0, 1) @ relaxation @ equilibrium
        inverse = np.asarray(np.linalg.pinv(held, hermitian=True), dtype=float)
        return np.asarray(np.einsum("ij,...jk,...k->...i", merge, inverse, drive) - equilibrium, dtype=float)

    def weights(self, observed: str) -> Array:
        """What is observed, as weights of the levels, over its value at equilibrium."""
        equilibrium = self.equilibrium
        if observed == "total":
            return equilibrium / (equilibrium @ equilibrium)
        line = self.transition(observed)
        if line is None:
            self._refuse("observed", observed, ["total", *self._lines()])
        weights = np.zeros(equilibrium.size)
        weights[list(line)] = 1.0, -1.0
        return weights

    def _lines(self) -> list[str]:
        if self.spin % 1 == 0.5:
            return ["ct", *(f"st{k}_upper" for k in range(1, round(self.spin + 0.5)))]
        return [f"line{k}_upper" for k in range(1, round(self.spin) + 1)]

    def _refuse(self, what: str, found: str, known: list[str]) -> NoReturn:
        raise InputError(
            f"populations: needed {what} of spin {self.spin:g} such as {', '.join(known)}, found {found!r}"
        )
