"""Delay lists (vdlist)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nmrdyn.schema import Array, InputError

_UNITS = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_DELAY = re.compile(r"(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)(?:([munMUN]?)[sS]?)")


def read_delays(path: Path) -> Array:
    """The delays of a vdlist in s, in the order of the file; "20m", "5u" and "1.3" (seconds) are understood.

    Raises
    ------
    InputError
        Where the list is missing, empty, or holds something that is not a delay.
    """
    if not path.is_file():
        raise InputError(f"{path.parent}: needed a delay list {path.name}, found none; is this an arrayed experiment?")
    delays = []
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        for word in line.split("#")[0].split(";")[0].split():
            match = _DELAY.fullmatch(word)
            if match is None:
                raise InputError(f"{path}: needed delays such as 0.5, 20m or 5u, found {word!r}")
            delays.append(float(match[1]) * _UNITS[match[2].lower()])
    if not delays:
        raise InputError(f"{path}: needed delays, found an empty list")
    return np.array(delays)
