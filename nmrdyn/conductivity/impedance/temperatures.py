"""The temperatures of impedance spectra: from a table, a mapping, a number, or the names of the files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmrdyn.columns.headers import ColumnSpec
from nmrdyn.columns.read import TEMPERATURES, kelvin, read_columns
from nmrdyn.findings import Finding
from nmrdyn.schema import ZERO_CELSIUS, InputError, require_within

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9.])(?P<sign>[-−]?)(?P<number>[0-9]{1,4}(?:[.p][0-9]{1,3})?)"
    r"(?: ?(?P<celsius>degC|[°º]C|C)|c| ?(?P<kelvin>K))(?![A-Za-z0-9])"
)
_DIRECTIONS = {"heating": {"heating", "heat", "h"}, "cooling": {"cooling", "cool", "c"}}
_COLUMNS = {"file": ColumnSpec("file|filename|experiment|spectrum|name", "text", required=True)} | TEMPERATURES


@dataclass(frozen=True)
class Told:
    """A temperature [K], its standard error [K] and what told it, or why it is not known (NaN)."""

    kelvin: float
    stderr: float
    source: str


def temperatures_of(names: list[str], given: Any) -> tuple[list[Told], list[Finding]]:
    """The temperature of each spectrum, and remarks on entries of a table that belong to none.

    Parameters
    ----------
    names : of the spectra: the path of the file within the folder, with "#2" for the second spectrum in it
    given : None to take them from the names, a number [K] for all, {name: K or (K, standard error)}, or the path of a
        CSV with a column `file` and one such as `temperature (°C)`; names with or without folder and ending

    Raises
    ------
    InputError
        Where no spectrum has a temperature, or one that is given is none.

    Examples
    --------
    >>> temperatures_of(["pellet_40p5C.mpt", "pellet_333K.mpt"], None)[0][0]
    Told(kelvin=313.65, stderr=nan, source='name of the file')
    """
    findings: list[Finding] = []
    if given is None:
        told = [_of_name(name) for name in names]
    elif isinstance(given, bool) or not isinstance(given, Mapping | str | Path):
        require_within("temperature [K]", given, above=0, single=True)
        told = [Told(float(given), math.nan, "given") for _ in names]
    else:
        table = _mapped(given) if isinstance(given, Mapping) else _read(Path(given))
        source = "given" if isinstance(given, Mapping) else f"table {Path(given).name}"
        told, used = [], set()
        for name in names:
            key = next((key for key in _keys(name) if key in table), None)
            used.add(key)
            unknown = Told(math.nan, math.nan, "not among the temperatures given")
            told.append(Told(*table[key], source) if key else unknown)
        unused = [key for key in table if key not in used]
        if unused:
            said = ", ".join(repr(key[:40]) for key in unused[:20])
            findings.append(Finding("temperatures-not-used", "", f"temperatures of no spectrum: {said}"))
    if not any(math.isfinite(one.kelvin) for one in told):
        raise InputError(
            f"impedance spectra: needed a temperature, found {told[0].source} for {names[0][:80]!r}; say "
            "temperature={'name': kelvin}, a CSV with columns 'file' and 'temperature (°C)', or call it pellet_60C"
        )
    return told, findings


def direction_of(name: str) -> str:
    """heating or cooling, if a part of the name says one of them (heating, heat, h, cooling, cool, c); else ""."""
    words = set(re.split(r"[^a-z]+", _TOKEN.sub(" ", _without_ending(name)).lower()))
    said = [direction for direction, spellings in _DIRECTIONS.items() if words & spellings]
    return said[0] if len(said) == 1 else ""


def _of_name(name: str) -> Told:
    """The one temperature with a unit in a name."""
    text = _without_ending(name)
    found = list(_TOKEN.finditer(text))
    if len(found) != 1:
        return Told(
            math.nan, math.nan, f"{'no' if not found else 'more than one'} temperature with its unit in the name"
        )
    (match,) = found
    if not match["sign"] and text[: match.start()].endswith(("-", "−")):
        return Told(math.nan, math.nan, "a sign or a hyphen before the temperature in the name; write _20C or _-20C")
    value = float(match["number"].replace("p", ".")) * (-1 if match["sign"] else 1)
    value += 0.0 if match["kelvin"] else ZERO_CELSIUS
    if value <= 0:
        return Told(math.nan, math.nan, f"{match.group()} in the name, which is no temperature")
    return Told(value, math.nan, "name of the file")


def _without_ending(name: str) -> str:
    return re.sub(r"\.(?:dta|mpt|z|par|csv|tsv|txt)$", "", name.partition("#")[0], flags=re.IGNORECASE)


def _keys(name: str) -> list[str]:
    """The forms in which a table may have a name, the most exact first."""
    file, mark, number = name.partition("#")
    forms = [file, _without_ending(file)]
    forms += [form.rsplit("/", 1)[-1] for form in forms]
    return [f"{form}#{number}" for form in forms if mark] + forms


def _mapped(given: Mapping[Any, Any]) -> dict[str, tuple[float, float]]:
    """Temperatures by name from what the user gave."""
    table = {}
    for name, entry in given.items():
        value, stderr = entry if isinstance(entry, tuple | list) and len(entry) == 2 else (entry, math.nan)
        require_within(f"temperature of {str(name)[:40]!r} [K]", value, above=0, single=True)
        if not (isinstance(stderr, float) and math.isnan(stderr)):
            require_within(f"standard error of the temperature of {str(name)[:40]!r} [K]", stderr, least=0, single=True)
        table[_plain(str(name))] = (float(value), float(stderr))
    return table


def _read(path: Path) -> dict[str, tuple[float, float]]:
    """Temperatures by name from a CSV."""
    table = read_columns(path, _COLUMNS, what="a table of the temperatures of spectra")
    values: dict[str, tuple[float, float]] = {}
    for row, (text, *pair) in enumerate(zip(table.texts["file"], *kelvin(table), strict=True)):
        name = _plain(text)
        if not name or name in values:
            raise InputError(f"{table.where(row)}: needed each file once, found {name[:40]!r}; leave one")
        values[name] = (float(pair[0]), float(pair[1]))
    return values


def _plain(name: str) -> str:
    return name.strip().replace("\\", "/").removeprefix("./")
