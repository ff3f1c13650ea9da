"""The header of a table: which column holds which quantity, in which unit and form."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nmrdyn.columns.cells import is_number
from nmrdyn.schema import ZERO_CELSIUS, InputError
from nmrdyn.units import UNITS, factor_to_si

_MOST_COLUMNS = 1000
_LONGEST_UNIT = 40  # letters
_LONGEST_NAME = 200  # letters; a longer header is no name of a column
_LOGARITHM = re.compile(r"(log_?10|lg|ln|log)[ _]*(.+)", re.IGNORECASE)

ERROR = r"[\s_]*(?:standard[ _]error|std(?:err|ev)?|error|err|uncertainty|sd|±)"
"""What the name of a column of errors has behind that of its quantity."""


@dataclass(frozen=True)
class ColumnSpec:
    """A column that a table may have.

    Attributes
    ----------
    pattern : regular expression that the name in the header matches as a whole, in either case, without its unit
    dimension : a key of `nmrdyn.units.UNITS`, where the header must name the unit; "number" for one without a unit;
        "text" for words
    required : the table is refused without it
    positive : values of 0 and less are refused
    difference : a temperature is a step or an error, so that 1 °C is 1 K
    remark : words may follow the unit, as in "(ppm from 298.15 K)"
    logarithm : the header may say `log10` or `ln` of it; the result is the value itself
    error : a standard error, which may be in % or that of a logarithm; it is then relative to the value
    joined : words of several such columns are joined by ", "
    """

    pattern: str
    dimension: str
    required: bool = False
    positive: bool = False
    difference: bool = False
    remark: bool = False
    logarithm: bool = False
    error: bool = False
    joined: bool = False


@dataclass(frozen=True)
class Column:
    """How the cells of one column are read: place, form ("", log10 or ln), factor and shift to SI, remark."""

    place: int
    header: str
    form: str = ""
    factor: float = 1.0
    shift: float = 0.0
    relative: bool = False
    remark: str = ""


def find_columns(
    header: list[str], wanted: Mapping[str, ColumnSpec], *, where: str, what: str
) -> dict[str, list[Column]]:
    """The wanted columns that the header names; several of a name only where words are joined."""
    if len(header) > _MOST_COLUMNS:
        raise InputError(f"{where}: needed at most {_MOST_COLUMNS} columns, found {len(header)}; is this the header?")
    columns: dict[str, list[Column]] = {}
    for place, cell in enumerate(header):
        named = _named(cell, wanted)
        if named is None:
            continue
        name, form, unit = named
        if name in columns and not wanted[name].joined:
            raise InputError(
                f"{where}: needed one column of {name}, found {columns[name][0].header[:40]!r} and {cell[:40]!r}"
            )
        columns.setdefault(name, []).append(_column(place, cell, wanted[name], form=form, unit=unit, where=where))
    for name, spec in wanted.items():
        if spec.required and name not in columns:
            example = f"{name} ({next(iter(UNITS[spec.dimension]))})" if spec.dimension in UNITS else name
            raise InputError(f"{where}: needed {what} with a column such as {example!r}, found {shown(header)}")
    return columns


def _named(cell: str, wanted: Mapping[str, ColumnSpec]) -> tuple[str, str, str] | None:
    """Which wanted column a header names, its form ("", log10, ln or log) and its unit as written."""
    if len(cell) > _LONGEST_NAME:
        return None
    text = unicodedata.normalize("NFKC", cell).strip()
    logarithm = _LOGARITHM.fullmatch(text)
    forms = [("", text)]
    if logarithm:
        forms.append((logarithm[1].lower().replace("_", "").replace("lg", "log10"), _unwrapped(logarithm[2])))
    for form, inner in forms:
        for title, unit in _splits(inner):
            for name, spec in wanted.items():
                if (not form or spec.logarithm) and re.fullmatch(spec.pattern, title, re.IGNORECASE):
                    return name, form, unit
    return None


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """A header as (name, unit) in each way it can be read: a unit in brackets, none, or behind one of its slashes."""
    bracketed = re.fullmatch(r"(.*?)[\s/]*(?:\(([^()]*)\)|\[([^\[\]]*)\])", text)
    if bracketed:
        yield bracketed[1].strip(), (bracketed[2] or bracketed[3] or "").strip()
    yield text, ""
    for slash in re.finditer("/", text):
        yield text[: slash.start()].strip(), text[slash.end() :].strip()


def with_units(header: list[str], below: list[str]) -> list[str] | None:
    """The header with the units of the line below it, as Origin writes them; None where that line holds no units."""
    # Two of them at least, and no number: one letter, such as A or K, may be the name of a sample.
    inner = [cell[1:-1].strip() if cell[:1] + cell[-1:] in ("()", "[]") else cell for cell in below]
    known = [
        len(cell) <= _LONGEST_UNIT and any(factor_to_si(cell, units) is not None for units in UNITS.values())
        for cell in inner[:_MOST_COLUMNS]
    ]
    if len(header) > _MOST_COLUMNS or sum(known) < 2 or any(is_number(cell) for cell in below):
        return None
    known = [one or cell == "%" for one, cell in zip(known, inner, strict=True)]
    return [f"{name} ({unit})" if one else name for name, unit, one in zip(header, inner, known, strict=True)]


def _unwrapped(text: str) -> str:
    """What a logarithm is of, without the brackets around it: (sigma/S cm-1), (sigma) (S/cm), (sigma)_stderr."""
    close = {"(": ")", "[": "]"}.get(text[0])
    depth = 0
    for place, letter in enumerate(text if close else ""):
        depth += (letter == text[0]) - (letter == close)
        if depth == 0:
            return text[1:place].strip() + text[place + 1 :]
    return text


def _column(place: int, cell: str, spec: ColumnSpec, *, form: str, unit: str, where: str) -> Column:
    """How a column is read, from its header."""
    if form == "log":
        raise InputError(
            f"{where}: needed log10 or ln in the name of the column {cell[:40]!r}, found log, which may be either; "
            "write log10 or ln"
        )
    remark = ""
    if spec.remark:
        unit, _, remark = unit.partition(" ")
    if spec.error and (form or unit == "%"):  # that of a logarithm needs no unit
        factor = {"log10": math.log(10), "ln": 1.0, "": 0.01}[form]
        return Column(place, cell, factor=factor, relative=True)
    if spec.dimension not in UNITS:
        if unit and spec.dimension == "number":
            raise InputError(
                f"{where}: needed a column {cell[:40]!r} without a unit, found {unit[:40]!r}; leave it out"
            )
        return Column(place, cell)
    units = UNITS[spec.dimension]
    factor_found = factor_to_si(unit, units)
    if factor_found is None:
        found = (
            f"the unit {unit[:40]!r}; convert to one of these"
            if unit
            else f"none; write it as in {f'{cell[:40]} ({next(iter(units))})'!r}"
        )
        raise InputError(f"{where}: needed a unit for the column {cell[:40]!r} ({', '.join(units)}), found {found}")
    celsius = spec.dimension == "temperature" and unit != "K" and not spec.difference
    return Column(place, cell, form, factor_found, ZERO_CELSIUS if celsius else 0.0, remark=remark)


def shown(header: Sequence[str]) -> str:
    """Headers for an error: short, and without what a terminal would obey."""
    return ", ".join(repr(cell[:40]) for cell in header[:20])[:600]
