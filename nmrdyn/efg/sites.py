"""One atom of a calculation with its tensor as printed: what each reader of a file makes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np

from nmrdyn.schema import Array, InputError

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?([0-9]*)|\.([0-9]+))(?:[eEdD]([-+]?[0-9]{1,3}))?")
_LARGEST = 1e60  # of a gradient, in any unit
_LONGEST = 10_000  # letters of a line that is read
_COARSEST = 1e-3  # programs print three decimals or more: fewer are typed by hand and exact


@dataclass(frozen=True)
class Site:
    """An atom: its label, the tensor (3, 3) [V/m^2], and the last digit that is printed of it [V/m^2]."""

    label: str
    element: str
    tensor: Array
    step: float
    quadrupole_moment: float = nan  # Q [m^2] with which the program made its own C_Q


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, read one by one: an OUTCAR may have gigabytes.

    Raises
    ------
    InputError
        Where it is no plain file, or a line is longer than 10,000 letters.
    """
    try:
        plain = file.is_file()
    except ValueError:  # a name that no file can have
        plain = False
    if not plain:
        raise InputError(f"{file}: needed an OUTCAR or a .magres file, found no such file; give the path of one")
    with file.open(encoding="utf-8", errors="replace") as handle:
        for number, line in enumerate(iter(lambda: handle.readline(_LONGEST + 1), ""), 1):
            if len(line) > _LONGEST:
                raise InputError(
                    f"{file}, line {number}: needed lines of at most {_LONGEST} letters, found a longer one; is this "
                    "the output of the calculation?"
                )
            yield number, line


def read_numbers(words: Sequence[str], where: str) -> tuple[Array, float]:
    """The numbers of one line, and the step between the numbers that its format can print.

    Raises
    ------
    InputError
        For NaN, Fortran's asterisks, numbers above 1e60, or anything else that is no number; `where` names file and
        line.
    """
    matches = []
    for word in words:
        match = _NUMBER.fullmatch(word)
        if match is None:
            raise InputError(f"{where}: needed a number, found {word[:40]!r}; was the calculation finished?")
        matches.append(match)
    values = np.array([float(word.replace("D", "E").replace("d", "e")) for word in words])
    if not np.all(np.abs(values) < _LARGEST):
        raise InputError(
            f"{where}: needed numbers below {_LARGEST:g}, found {' '.join(words)[:80]}; was the calculation finished?"
        )
    # Writers that drop trailing zeros still print the longest with all its digits; the exponent of a zero says nothing.
    decimals = max(len(match[1] or match[2] or "") for match in matches)
    telling = [match for match, value in zip(matches, values, strict=True) if value] or matches
    step = max(float(f"1e{int(match[3] or 0) - decimals}") for match in telling)
    return values, min(step, _COARSEST)
