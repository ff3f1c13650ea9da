"""The tables of a study file: what they may hold, and where an error is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from math import inf, isfinite
from typing import Any

from nmrdyn.schema import InputError
from nmrdyn.units import Quantity


@contextmanager
def said_at(where: str) -> Iterator[None]:
    """Put the place in the study before what a constructor finds wrong."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(where) else f"{where}: {text}") from error


def as_table(value: object, what: str, where: str) -> Mapping[str, Any]:
    """`value` if it is a table."""
    if not isinstance(value, dict):
        raise InputError(f"{where}: needed a table for {what}, found {value!r}")
    return value


def require_known(table: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuse keys that mean nothing, with the nearest that does."""
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.0)
            raise InputError(f"{where}: unknown key {key!r}; the nearest known is {near[0]!r}")


def one_of(value: object, known: Mapping[str, Any], what: str, where: str) -> str:
    """`value` if it is one of the known words."""
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{where}: needed {what} among {', '.join(known)}, found {value!r}")
    return value


def number(value: object, what: str, where: str) -> float:
    """A plain number."""
    try:
        return float("not a number" if isinstance(value, bool) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where}: needed a number for {what}, found {value!r}") from None


def plain(value: object, what: str, where: str) -> Quantity:
    """A number without a unit, which may have an error: 0.4 or "0.40 ± 0.05"."""
    middle, sign, error = value.partition("±") if isinstance(value, str) else (value, "", "")
    found = Quantity(number(middle, what, where), number(error, what, where) if sign else 0.0)
    if not (isfinite(found.value) and 0 <= found.stderr < inf):
        raise InputError(f"{where}: needed a finite number and an error of 0 or more for {what}, found {value!r}")
    return found
