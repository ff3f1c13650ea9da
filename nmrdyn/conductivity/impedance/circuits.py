"""Equivalent circuits: their grammar (that of impedance.py), their impedance with its slopes, where a fit starts."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from nmrdyn.schema import Array, InputError

ComplexArray = npt.NDArray[np.complex128]

CIRCUITS = {
    "tail": "R0-CPE1",
    "arc": "p(R1,CPE1)",
    "arc-tail": "p(R1,CPE1)-CPE2",
    "series-arc-tail": "R0-p(R1,CPE1)-CPE2",
    "two-arcs": "p(R1,CPE1)-p(R2,CPE2)",
    "two-arcs-tail": "p(R1,CPE1)-p(R2,CPE2)-CPE3",
}
"""Circuits in words. An arc is a resistance beside a constant phase element, a tail the blocking electrode, a series
resistance what is seen as an intercept only."""

_ELEMENT = re.compile(r"(R|CPE|C|L|W)[0-9]+")
_MOST_ELEMENTS = 20
_ALPHA_ARC, _ALPHA_TAIL = 0.9, 0.8  # where a fit starts
_STARTS = 3
_MOST_COMBINATIONS = 500
LEAST_ALPHA = 0.4  # a lower exponent is no capacitance


@dataclass(frozen=True)
class Element:
    """One element: R, C, L, W (semi-infinite Warburg) or CPE, with its number."""

    name: str

    @property
    def kind(self) -> str:
        """Its name without the number."""
        return self.name.rstrip("0123456789")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Its parameters as impedance.py calls them."""
        return (f"{self.name}_0", f"{self.name}_1") if self.kind == "CPE" else (self.name,)

    def evaluate(self, omega: Array, x: Array) -> tuple[ComplexArray, ComplexArray]:
        """Impedance (frequency,) and its slopes (frequency, parameter); see `Circuit.evaluate`."""
        s = np.asarray(1j * omega, dtype=np.complex128)
        value = math.exp(x[0])
        if self.kind == "CPE":
            z = np.asarray(s ** -x[1] / value, dtype=np.complex128)
            return z, np.stack([-z, -z * np.log(s)], axis=1)
        if self.kind == "C":
            z = 1 / (s * value)
            return z, -z[:, None]
        z = {"R": np.ones_like(s), "L": s, "W": (1 - 1j) / np.sqrt(omega)}[self.kind] * value
        return z, z[:, None]

    def starting(self, amplitude: float, time: float, alpha: float) -> list[float]:
        """Parameters of an element whose impedance is of `amplitude` around the time constant `time`."""
        ln_a, ln_t = math.log(amplitude), math.log(time)
        if self.kind == "CPE":
            return [alpha * ln_t - ln_a, alpha]
        return [{"R": ln_a, "C": ln_t - ln_a, "L": ln_a + ln_t, "W": ln_a - ln_t / 2}[self.kind]]


@dataclass(frozen=True)
class Group:
    """Elements and groups in series, or beside each other."""

    parts: tuple[Element | Group, ...]
    parallel: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Those of its parts, as written."""
        return tuple(name for part in self.parts for name in part.parameters)

    def evaluate(self, omega: Array, x: Array) -> tuple[ComplexArray, ComplexArray]:
        """Impedance (frequency,) and its slopes (frequency, parameter); see `Circuit.evaluate`."""
        stops = np.cumsum([len(part.parameters) for part in self.parts])[:-1]
        done = [part.evaluate(omega, piece) for part, piece in zip(self.parts, np.split(x, stops), strict=True)]
        if not self.parallel:
            return np.sum([z for z, _ in done], axis=0), np.hstack([slopes for _, slopes in done])
        total = 1 / np.sum([1 / z for z, _ in done], axis=0)
        return total, np.hstack([slopes * ((total / z) ** 2)[:, None] for z, slopes in done])

    def starting(self, amplitude: float, time: float, alpha: float) -> list[float]:
        """Parameters with which all of its elements have `amplitude` around the time constant `time`."""
        return [value for part in self.parts for value in part.starting(amplitude, time, alpha)]


@dataclass(frozen=True)
class Circuit:
    """An equivalent circuit.

    Attributes
    ----------
    name : as it was asked for
    text : in the grammar of impedance.py: elements in series "R0-CPE1", beside each other "p(R1,CPE1)"
    parts : what stands in series
    """

    name: str
    text: str
    parts: tuple[Element | Group, ...]

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of impedance.py."""
        return Group(self.parts).parameters

    @cached_property
    def is_alpha(self) -> npt.NDArray[np.bool_]:
        """Which parameters are exponents of constant phase elements."""
        return np.array([name.startswith("CPE") and name.endswith("_1") for name in self.parameters])

    @property
    def arcs(self) -> tuple[Group, ...]:
        """Parts that have a time constant, in the order written."""
        return tuple(part for part in self.parts if isinstance(part, Group))

    def evaluate(self, omega: Array, x: Array) -> tuple[ComplexArray, ComplexArray]:
        """Impedance [ohm] (frequency,) and its slopes (frequency, parameter) at `omega` [rad/s].

        `x` holds the exponents of constant phase elements, Z = 1/(Q (j omega)^alpha), as they are, and of all other
        parameters the natural logarithm, so that all values are positive and of one size.
        """
        return Group(self.parts).evaluate(omega, x)

    def values(self, x: Array) -> dict[str, float]:
        """Parameters in SI by their names."""
        return dict(zip(self.parameters, np.where(self.is_alpha, x, np.exp(x)).tolist(), strict=True))

    def starts(self, omega: Array, z: ComplexArray) -> list[Array]:
        """Parameters from which to fit, best first.

        With exponents and time constants held on a grid, the amplitudes of the parts are a linear problem with
        non-negative solutions; the combinations of time constants that describe the data best are the starts. Arcs
        are taken in the order written from short to long time constants.
        """
        n_arcs = len(self.arcs)
        size = 14
        while math.comb(size, n_arcs) > _MOST_COMBINATIONS:
            size -= 1
        grid = np.geomspace(0.5 / omega.max(), 2 / omega.min(), max(size, n_arcs))
        unit = {
            (part, k): part.evaluate(omega, np.array(part.starting(1.0, time, _alpha(part))))[0]
            for part in dict.fromkeys(self.parts)
            for k, time in enumerate(grid if isinstance(part, Group) else [1.0])
        }
        weight = np.concatenate([1 / np.abs(z)] * 2)
        data = np.concatenate([z.real, z.imag]) * weight
        tried = []
        for places in itertools.combinations(range(grid.size), n_arcs):
            place = iter(places)
            keys = [(part, next(place) if isinstance(part, Group) else 0) for part in self.parts]
            columns = [np.concatenate([unit[key].real, unit[key].imag]) * weight for key in keys]
            scale = np.array([np.linalg.norm(column) for column in columns])
            solution, misfit = nnls(np.stack(columns, axis=1) / scale, data)
            tried.append((misfit, places, keys, np.maximum(solution, 1e-3 * solution.max()) / scale))
        tried.sort(key=lambda one: one[0])
        chosen: list[tuple[int, ...]] = []
        starts: list[Array] = []
        for _, places, keys, amplitudes in tried:
            if len(starts) == _STARTS:
                break
            if any(all(abs(a - b) < 3 for a, b in zip(places, other, strict=True)) for other in chosen):
                continue
            chosen.append(places)
            x = [
                value
                for (part, k), amplitude in zip(keys, amplitudes, strict=True)
                for value in part.starting(amplitude, grid[k] if isinstance(part, Group) else 1.0, _alpha(part))
            ]
            starts.append(np.array(x))
        return starts


def _alpha(part: Element | Group) -> float:
    return _ALPHA_ARC if isinstance(part, Group) else _ALPHA_TAIL


def circuit_of(name: str) -> Circuit:
    """The circuit of a name of `CIRCUITS`, or of a text in the grammar of impedance.py.

    Raises
    ------
    InputError
        For a text that is no circuit of R, CPE, C, L and W, that has an element twice, or that has no R.

    Examples
    --------
    >>> circuit_of("arc-tail").parameters
    ('R1', 'CPE1_0', 'CPE1_1', 'CPE2_0', 'CPE2_1')
    >>> circuit_of("R0-p(R1-W1,C1)").text
    'R0-p(R1-W1,C1)'
    """
    text = re.sub(r"\s", "", CIRCUITS.get(name, name))
    names = [match.group() for match in _ELEMENT.finditer(text)]
    tokens = re.findall(r"p\(|[-,)]|(?:R|CPE|C|L|W)[0-9]+", text)
    try:
        parts, rest = _series(tokens)
    except IndexError:
        parts, rest = (), ["?"]
    if rest or "".join(tokens) != text or not 1 <= len(names) <= _MOST_ELEMENTS:
        raise InputError(
            f"circuit: needed one of {', '.join(CIRCUITS)}, or a text such as 'R0-p(R1,CPE1)-CPE2' of R, CPE, C, L and "
            f"W with numbers, found {name[:80]!r}"
        )
    if len(set(names)) < len(names):
        raise InputError(f"circuit: needed each element once, found {text!r}; number them R1, R2, ...")
    if not any(one.startswith("R") for one in names):
        raise InputError(f"circuit: needed a resistance R, found {text!r}; without one there is no conductivity")
    return Circuit(name, text, parts)


def _series(tokens: list[str]) -> tuple[tuple[Element | Group, ...], list[str]]:
    """Parts in series at the head of the tokens, and the tokens after them."""
    parts: list[Element | Group] = []
    while True:
        part, tokens = _part(tokens)
        parts.append(part)
        if not tokens or tokens[0] != "-":
            return tuple(parts), tokens
        tokens = tokens[1:]


def _part(tokens: list[str]) -> tuple[Element | Group, list[str]]:
    """One part at the head of the tokens; IndexError where there is none."""
    first, tokens = tokens[0], tokens[1:]
    if _ELEMENT.fullmatch(first):
        return Element(first), tokens
    if first != "p(":
        raise IndexError
    branches: list[Element | Group] = []
    while True:
        branch, tokens = _series(tokens)
        branches.append(branch[0] if len(branch) == 1 else Group(branch))
        mark, tokens = tokens[0], tokens[1:]
        if mark == ")" and len(branches) > 1:
            return Group(tuple(branches), parallel=True), tokens
        if mark != ",":
            raise IndexError
