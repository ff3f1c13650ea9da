"""What of a study file is still to be filled in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nmrdyn.schema import InputError

# What nobody can tell from the data, with an example of each.
_EXAMPLES = {
    "cq": '"1.00 ± 0.05 MHz"',
    "eta": "0.1",
    "partner": '"1H"',
    "distance": '"1.20 ± 0.02 A"',
    "count": "4",
    "thickness": '"0.90 ± 0.02 mm"',
    "radius": '"5.0 ± 0.1 mm"',
}
_OPEN = re.compile(rf'\b({"|".join(_EXAMPLES)})\s*=\s*"\?')


@dataclass(frozen=True)
class Gap:
    """A value that is to be filled in: its line in the file (from 1) and its key."""

    line: int
    key: str


def gaps(text: str) -> list[Gap]:
    """The values of a study file that still are "?".

    >>> gaps('[[process]]\\nmechanism = { kind = "quadrupolar", cq = "? MHz", eta = 0.1 }  # eta = "?"')
    [Gap(line=2, key='cq')]
    """
    lines = enumerate(text.splitlines(), 1)
    return [Gap(number, key) for number, line in lines for key in _OPEN.findall(line.partition("#")[0])]


def require_filled(file: Path) -> None:
    """Refuse a study file in which values still are "?"; one that cannot be read is told of where it is read.

    Raises
    ------
    InputError
        Naming the lines and keys.
    """
    try:
        found = gaps(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if found:
        key = found[0].key
        raise InputError(
            f'{file}: needed values in place of "?", found none ({said(found)}); write them into the file, such as '
            f"{key} = {_EXAMPLES[key]}"
        )


def said(found: Sequence[Gap]) -> str:
    """Gaps in words, by line.

    >>> said([Gap(4, "cq"), Gap(4, "eta"), Gap(9, "cq")])
    'line 4: cq, eta; line 9: cq'
    """
    lines = dict.fromkeys(gap.line for gap in found)
    return "; ".join(f"line {line}: {', '.join(gap.key for gap in found if gap.line == line)}" for line in lines)
