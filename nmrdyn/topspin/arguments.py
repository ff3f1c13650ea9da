"""What the user chooses of temperatures and delays, from the words of an argument."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nmrdyn.columns.headers import ColumnSpec
from nmrdyn.columns.read import read_columns
from nmrdyn.schema import Array, InputError
from nmrdyn.temperatures import Given, given_temperatures
from nmrdyn.topspin.experiment.temperature import SOURCES
from nmrdyn.topspin.files.lists import LONGEST_DELAY, SHORTEST_DELAY, is_delay

TemperatureLike = str | Path | Sequence[str] | Mapping[str, Any] | Given
DelaysLike = str | Path | Mapping[str, npt.ArrayLike]

_DELAYS = {
    "experiment": ColumnSpec("experiment|expno", "text", required=True),
    "delay": ColumnSpec("delay|vd", "time", required=True),
}


def temperatures_said(said: TemperatureLike | None) -> tuple[Sequence[str], Given | None]:
    """The sources to believe, and the table or formula that comes before them."""
    if said is None:
        return SOURCES, None
    order = [said] if isinstance(said, str) else said
    if isinstance(order, Sequence) and order and all(isinstance(one, str) and one.lower() in SOURCES for one in order):
        return [one.lower() for one in order], None
    if isinstance(said, Sequence) and not isinstance(said, str):
        raise InputError(f"temperature: needed sources among {', '.join(SOURCES)}, found {said!r}")
    return SOURCES, given_temperatures(said)


def delays_said(said: DelaysLike | None) -> tuple[str | None, dict[str, Array], Path | None]:
    """The delay that was stepped through, or the delays by experiment, and the table that told them."""
    if said is None:
        return None, {}, None
    if isinstance(said, str) and re.fullmatch(r"[dD]\d{1,2}", said.strip()):
        return said.strip().upper(), {}, None
    if isinstance(said, Mapping):
        return None, {str(name): _seconds(str(name), values) for name, values in said.items()}, None
    columns = read_columns(said, _DELAYS, what="a table of delays")
    table: dict[str, list[float]] = {}
    for name, value in zip(columns.texts["experiment"], columns.numbers["delay"], strict=True):
        table.setdefault(name, []).append(float(value))
    return None, delays_said(table)[1], Path(said)


def _seconds(name: str, said: npt.ArrayLike) -> Array:
    """The delays of one experiment [s]."""
    try:
        values = np.atleast_1d(np.asarray(said, dtype=float))
    except (TypeError, ValueError):  # words, or lists within lists
        values = np.array([np.nan])
    if values.ndim != 1 or not np.all(is_delay(values)):
        raise InputError(
            f"delays of {name[:80]}: needed delays of 0 s or more, from {SHORTEST_DELAY:g} to {LONGEST_DELAY:g}, found "
            f"{str(said)[:200]}; correct them"
        )
    return values
