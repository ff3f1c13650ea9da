"""Temperatures that the user gives: a table by experiment, readings of a thermometer, or a formula of read-outs."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nmrdyn.columns.headers import ColumnSpec
from nmrdyn.columns.read import Table, read_columns
from nmrdyn.formulas import Formula, read_formula
from nmrdyn.schema import InputError, require_within
from nmrdyn.thermometers import thermometer
from nmrdyn.units import parse

READINGS = ("TE", "TE1", "VT", "TITLE", "AUDIT", "MAS")
"""What a formula may use of an expno: TE and TE1 (sensor of the first channel) of acqus, the set point, the title and
the audit trail, all in K, and the spinning rate in Hz."""

_MOST = 20_000  # experiments of a table
_UNKNOWN = (math.nan, math.nan)
_THERMOMETERS = {  # what a reading of `nmrdyn.thermometers.thermometer` is
    "methanol": "shift",
    "ethylene_glycol": "shift",
    "KBr_T1": "time",
    "Sm2Sn2O7_shift": "shift",
    "KBr_shift": "shift",
    "PbNO3_shift": "shift",
    "MAPbCl3_shift": "shift",
}
_QUANTITIES = {"temperature": "temperature"} | _THERMOMETERS
_ERROR = r"[ _](?:stderr|error|err|sd|uncertainty)"


def _columns() -> dict[str, ColumnSpec]:
    columns = {"experiment": ColumnSpec("experiment|expno|name", "text", required=True)}
    for name, dimension in _QUANTITIES.items():
        pattern = "(?:t|temp|temperature)" if name == "temperature" else name
        shift = dimension == "shift"
        columns[name] = ColumnSpec(pattern, dimension, positive=not shift, remark=shift)
        columns[f"{name}_stderr"] = ColumnSpec(f"{pattern}{_ERROR}", dimension, positive=True, difference=True)
    return columns


_COLUMNS = _columns()


@dataclass(frozen=True)
class TemperatureTable:
    """Temperatures by experiment, as `read_temperatures` and `given_temperatures` make them.

    Attributes
    ----------
    values : (temperature, standard error) [K] by experiment; NaN where not known
    source : what the table is called
    thermometers : the NMR thermometer that a temperature was read with, by experiment
    """

    values: Mapping[str, tuple[float, float]]
    source: str
    thermometers: Mapping[str, str] = field(default_factory=dict)

    def temperature(self, name: str, readings: Mapping[str, float]) -> tuple[float, float]:
        """Temperature of an experiment and its standard error [K]; NaN where the table has none."""
        return self.values.get(_key(name), _UNKNOWN)

    def source_of(self, name: str) -> str:
        """The table, and the thermometer where one was read."""
        used = self.thermometers.get(_key(name))
        return f"{self.source} ({used})" if used else self.source

    def unused(self, names: Iterable[str]) -> list[str]:
        """Experiments of the table that are not among `names`."""
        present = {_key(name) for name in names}
        return [name for name in self.values if name not in present]


@dataclass(frozen=True)
class TemperatureFormula:
    """A temperature [K] from the read-outs of each experiment, as `temperature_formula` makes it.

    Attributes
    ----------
    formula : of the names `READINGS`
    stderr : standard error of the temperature [K]; NaN where none was given
    """

    formula: Formula
    stderr: float = math.nan

    def temperature(self, name: str, readings: Mapping[str, float]) -> tuple[float, float]:
        """Temperature of an experiment and its standard error [K]; NaN where a read-out is unknown or none follows."""
        kelvin = self.formula.value(readings)
        return (kelvin, self.stderr) if kelvin > 0 else _UNKNOWN

    def source_of(self, name: str) -> str:
        """The formula."""
        return f"formula {self.formula.text}"

    def unused(self, names: Iterable[str]) -> list[str]:
        """Nothing: a formula is for all experiments."""
        return []


Given = TemperatureTable | TemperatureFormula


def given_temperatures(value: Any) -> Given:
    """What a user gives as temperatures, in any of its forms.

    Parameters
    ----------
    value : a mapping from experiment to temperature [K] or to (temperature, standard error) [K], the path of a table
        (`read_temperatures`), the text of a formula (`temperature_formula`), or what these give

    Raises
    ------
    InputError
        Where it is none of these, or a temperature is not a number above 0.

    Examples
    --------
    >>> given_temperatures({"na/12": (333.2, 0.5)}).temperature("na/12", {})
    (333.2, 0.5)
    >>> given_temperatures("TE + 4 ± 1.5").temperature("na/12", {"TE": 300.0})
    (304.0, 1.5)
    """
    if isinstance(value, Given):
        return value
    if isinstance(value, Mapping):
        return TemperatureTable({_key(name): _pair(name, entry) for name, entry in value.items()}, "table given")
    if isinstance(value, Path) or (isinstance(value, str) and _is_path(value)):
        return read_temperatures(value)
    if isinstance(value, str):
        return temperature_formula(value)
    raise InputError(
        "temperatures: needed {experiment: temperature in K}, the path of a CSV or a formula such as '1.02*TE - 3', "
        f"found {type(value).__name__}"
    )


def read_temperatures(path: str | Path) -> TemperatureTable:
    """Read a CSV of temperatures, or of thermometer readings, by experiment; its header names the units.

    Needed are a column `experiment` and one of temperatures, such as `temperature (K)` or `T (°C)`, or one named after
    a thermometer of `nmrdyn.thermometers.thermometer`: `KBr_T1 (s)`, `methanol (ppm)`, and for a shift that counts from
    a reference `PbNO3_shift (ppm from 298.15 K)`. Columns such as `temperature_stderr (K)` and `KBr_T1_stderr (s)` hold
    standard errors; without one the error of the temperature is unknown. A row has one temperature or one reading; one
    without is passed over. Cells and comments are as `nmrdyn.columns.read_columns` has them.

    Raises
    ------
    InputError
        Where the file, a column or a unit is missing, a row has two temperatures or an error alone, an experiment
        is there twice, or a reading lies outside the range of its thermometer; with the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "temperatures.csv"
    ...     _ = path.write_text("experiment, T (°C), KBr_T1 (ms), KBr_T1_stderr (ms)\\n1, 60, ,\\n2, , 77.3, 0.5\\n")
    ...     table = read_temperatures(path)
    >>> for name in table.values:
    ...     kelvin, stderr = table.temperature(name, {})
    ...     print(f"{name}: {kelvin:.2f} ± {stderr:.2f} K, {table.source_of(name)}")
    1: 333.15 ± nan K, table temperatures.csv
    2: 295.74 ± 1.14 K, table temperatures.csv (KBr_T1)
    """
    table = read_columns(path, _COLUMNS, what="a table of temperatures")
    _refuse_misspelt(table)
    if not any(name in table.numbers for name in _QUANTITIES):
        raise InputError(
            f"{table.path}: needed a column 'temperature (K)' or a thermometer ({', '.join(_THERMOMETERS)}) with its "
            f"unit, found {', '.join(repr(header[:40]) for header in table.ignored[:20]) or 'none'}"
        )
    if len(table.lines) > _MOST:
        raise InputError(f"{table.path}: needed at most {_MOST} rows, found {len(table.lines)}; is this the table?")
    values: dict[str, tuple[float, float]] = {}
    thermometers: dict[str, str] = {}
    for row, text in enumerate(table.texts["experiment"]):
        name = _key(text)
        if not name:
            raise InputError(f"{table.where(row)}: needed the name of an experiment, found an empty cell")
        if name in values:
            raise InputError(f"{table.where(row)}: needed each experiment once, found {name!r} again; leave one")
        quantity, values[name] = _row(table, row)
        if quantity in _THERMOMETERS:
            thermometers[name] = quantity
    return TemperatureTable(values, f"table {table.path.name}", thermometers)


def temperature_formula(text: str) -> TemperatureFormula:
    """A formula for the temperature [K] of each experiment, such as "1.013*TE - 4.2 + 1.1e-7*MAS**2 ± 1.5".

    It may hold numbers, + - * / **, parentheses and the names TE (acqus), TE1 (acqus, sensor of the first channel), VT
    (set point), TITLE, AUDIT, all in K, and MAS (spinning rate in Hz). What follows ± is the standard error in K. Where
    a name has no value in an experiment, the temperature there is unknown.

    Raises
    ------
    InputError
        For anything else in the formula, with the nearest known name for one that is unknown.

    Examples
    --------
    >>> formula = temperature_formula("TE - 4 + 1.1e-7*MAS**2 ± 1.5")
    >>> formula.temperature("12", {"TE": 300.0, "MAS": 10e3})
    (307.0, 1.5)
    """
    expression, mark, error = text.replace("+/-", "±").partition("±")
    formula = read_formula(expression, READINGS, what="temperature formula")
    if not mark:
        return TemperatureFormula(formula)
    what = "temperature formula, after ±"
    stderr = parse(f"{error.strip().removesuffix('K')} K", "temperature", name=what, difference=True, exact=True).value
    require_within(what, stderr, least=0)
    return TemperatureFormula(formula, stderr)


def _is_path(text: str) -> bool:
    """Whether a text names a file; one that could be either is a file where that file exists."""
    if text.lower().endswith((".csv", ".tsv", ".txt")):
        return True
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # names that no file can have
        return False


def _key(name: object) -> str:
    """The name of an experiment in the one form that all are compared in."""
    return str(name).strip().replace("\\", "/").removeprefix("./").strip("/")


def _pair(name: object, entry: Any) -> tuple[float, float]:
    """A temperature and its standard error, from what a mapping holds."""
    kelvin, stderr = entry if isinstance(entry, tuple | list) and len(entry) == 2 else (entry, math.nan)
    require_within(f"temperature of {name!r} [K]", kelvin, above=0, single=True)
    if not (isinstance(stderr, float) and math.isnan(stderr)):
        require_within(f"standard error of the temperature of {name!r} [K]", stderr, least=0, single=True)
    return float(kelvin), float(stderr)


def _refuse_misspelt(table: Table) -> None:
    """A column that was meant but is spelt otherwise would be passed over without a word."""
    for header in table.ignored:
        name = re.split(r"[(\[/]", header, maxsplit=1)[0].strip()[:40]
        near = difflib.get_close_matches(name, _COLUMNS, n=1, cutoff=0.87)
        if near:
            raise InputError(f"{table.path}: needed known columns, found {name!r}; did you mean {near[0]}?")


def _row(table: Table, row: int) -> tuple[str, tuple[float, float]]:
    """What a row was read with, and (temperature, standard error) [K]."""
    known: list[tuple[str, float, float]] = []
    for name in _QUANTITIES:
        value, stderr = (
            float(table.numbers[column][row]) if column in table.numbers else math.nan
            for column in (name, f"{name}_stderr")
        )
        if not math.isnan(value):
            known.append((name, value, stderr))
        elif not math.isnan(stderr):
            raise InputError(f"{table.where(row)}: needed {name} beside its standard error, found an empty cell")
    if len(known) > 1:
        names = " and ".join(name for name, _, _ in known)
        raise InputError(f"{table.where(row)}: needed one temperature, found {names}; leave one")
    if not known:
        return "", _UNKNOWN
    name, value, stderr = known[0]
    if name == "temperature":
        return name, (value, stderr)
    try:
        kelvin, error = thermometer(
            name, reference_temperature=_reference(table.remarks.get(name, ""), name)
        ).temperature(value, stderr)
    except InputError as problem:
        # The argument that a Python caller could give is none of a table's.
        text = str(problem).removesuffix("; say extrapolate=True to go beyond its calibration")
        raise InputError(f"{table.where(row)}: {text}; leave the cell empty") from None
    return name, (float(kelvin), float(error))


def _reference(words: str, name: str) -> float | None:
    """The temperature in "from 298.15 K", None where there are no words."""
    if not words.strip():
        return None
    if not words.startswith("from "):
        raise InputError(f"{name}: needed a unit such as 'ppm from 298.15 K', found 'ppm {words[:40]}'")
    return parse(words.removeprefix("from "), "temperature", name=f"{name}, reference", exact=True).value
