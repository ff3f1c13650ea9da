"""The tables of a study file: what they may hold, and where an error is."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from math import inf, isfinite
from pathlib import Path
from typing import Any

from nmrdyn.schema import InputError
from nmrdyn.units import Quantity

_LARGEST = 100_000  # bytes; studies have some kilobytes
_DEEPEST = 8  # tables and lists within each other
_LONGEST = 500  # letters of a text or a key
_MOST_BITS = 1000  # of a whole number that is to become a float
_SHOWN = 100  # letters of a value in an error


def read_toml(file: Path) -> dict[str, Any]:
    """The tables of a study file.

    Raises
    ------
    InputError
        Where it cannot be read, is no TOML, or holds what no study needs: more than 100 kB, tables 8 deep, texts of
        500 letters, whole numbers that are no float.
    """
    try:
        if not file.is_file():
            raise InputError(f"{file}: needed a study file, found {'no plain file' if file.exists() else 'none'}")
        with file.open("rb") as handle:
            data = handle.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: needed a study file, found {getattr(error, 'strerror', None) or error}") from error
    if len(data) > _LARGEST:
        raise InputError(f"{file}: needed a study file of at most {_LARGEST // 1000} kB, found more; is this a study?")
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: also numbers of thousands of digits, and other bytes
        raise InputError(f"{file}: not readable as TOML ({str(error)[:200]})") from error
    _require_bounded(table, file)
    return table


def _require_bounded(table: Mapping[str, Any], file: Path) -> None:
    """Refuse what is too deep or too long to be shown in an error."""
    pending: list[tuple[object, int]] = [(table, 0)]
    while pending:
        value, depth = pending.pop()
        found = ""
        if depth > _DEEPEST:
            found = f"tables or lists more than {_DEEPEST} deep"
        elif isinstance(value, dict):
            pending += [(one, depth + 1) for one in (*value, *value.values())]
        elif isinstance(value, list):
            pending += [(one, depth + 1) for one in value]
        elif isinstance(value, str) and len(value) > _LONGEST:
            found = f"a text of {len(value)} letters, {value[:40]!r}..."
        elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
            found = f"a whole number of {value.bit_length()} bits"
        if found:
            raise InputError(f"{file}: needed a study, found {found}; is this one?")


def shown(value: object) -> str:
    """A value in an error."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


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
        raise InputError(f"{where}: needed a table for {what}, found {shown(value)}")
    return value


def require_known(table: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuse keys that mean nothing, with the nearest that does."""
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.0)
            raise InputError(f"{where}: unknown key {shown(key)}; the nearest known is {near[0]!r}")


def one_of(value: object, known: Mapping[str, Any], what: str, where: str) -> str:
    """`value` if it is one of the known words."""
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{where}: needed {what} among {', '.join(known)}, found {shown(value)}")
    return value


def number(value: object, what: str, where: str) -> float:
    """A plain number."""
    try:
        return float("not a number" if isinstance(value, bool) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where}: needed a number for {what}, found {shown(value)}") from None


def plain(value: object, what: str, where: str) -> Quantity:
    """A number without a unit, which may have an error: 0.4 or "0.40 ± 0.05"."""
    middle, sign, error = value.partition("±") if isinstance(value, str) else (value, "", "")
    found = Quantity(number(middle, what, where), number(error, what, where) if sign else 0.0)
    if not (isfinite(found.value) and 0 <= found.stderr < inf):
        raise InputError(f"{where}: needed a finite number and an error of 0 or more for {what}, found {shown(value)}")
    return found
