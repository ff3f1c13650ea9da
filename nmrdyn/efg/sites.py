"""One atom of a calculation with its tensor as printed: what each reader of a file makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from nmrdyn.schema import Array, InputError

_NUMBER = re.compile(r"[-+]?(?:\d+\.?(\d*)|\.(\d+))(?:[eEdD]([-+]?\d+))?")
_COARSEST = 1e-3  # programs print three decimals or more: fewer are typed by hand and exact


@dataclass(frozen=True)
class Site:
    """An atom: its label, the tensor (3, 3) [V/m^2], and the last digit that is printed of it [V/m^2]."""

    label: str
    element: str
    tensor: Array
    step: float
    quadrupole_moment: float = nan  # Q [m^2] with which the program made its own C_Q


def read_numbers(words: Sequence[str], where: str) -> tuple[Array, float]:
    """The numbers of one line, and the step between the numbers that its format can print.

    Raises
    ------
    InputError
        For NaN, Fortran's asterisks, or anything else that is no number; `where` names file and line.
    """
    matches = []
    for word in words:
        match = _NUMBER.fullmatch(word)
        if match is None:
            raise InputError(f"{where}: needed a number, found {word!r}; was the calculation finished?")
        matches.append(match)
    values = np.array([float(word.replace("D", "E").replace("d", "e")) for word in words])
    # Writers that drop trailing zeros still print the longest with all its digits; the exponent of a zero says nothing.
    decimals = max(len(match[1] or match[2] or "") for match in matches)
    telling = [match for match, value in zip(matches, values, strict=True) if value] or matches
    step = max(10.0 ** (int(match[3] or 0) - decimals) for match in telling)
    return values, min(step, _COARSEST)
