"""Step 1': a table of conductivities, or of resistances and a geometry -> transport."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.columns.headers import ERROR, ColumnSpec
from nmrdyn.columns.read import TEMPERATURES, Table, kelvin, read_columns
from nmrdyn.conductivity.cell import PARTS, Cell, with_constants
from nmrdyn.findings import Finding, attach
from nmrdyn.schema import ZERO_CELSIUS, Array, InputError, stamp

_TOO_CONDUCTING = 1e4  # S/m; ions in solids stay below 1e3
_SWAPPED = "are columns swapped, or is the unit in the header another?"
_LENGTHS = ("thickness", "diameter", "radius")
_TIMES = r"[ _]*[*·⋅×x]?[ _]*T"
_SIGMA, _RESISTANCE = "(?:conductivity|sigma|σ)", "(?:resistance|R)"
_OF_PART = {"total": "tot(?:al)?", "bulk": "bulk|b", "grain_boundary": "gb|grain[ _-]?boundar(?:y|ies)"}
_WORDS = {"heating": ".*heat.*|h|(?:ramp[ _])?up", "cooling": ".*cool.*|c|(?:ramp[ _])?down", "": ""}


def _wanted() -> dict[str, ColumnSpec]:
    """Every column that is understood; one of a part is called after it, as "bulk resistance"."""
    wanted = {
        "sample": ColumnSpec("sample", "text", joined=True),
        "direction": ColumnSpec("direction|run|ramp", "text"),
        **TEMPERATURES,
    }
    for quantity, base, times in (
        ("conductivity", _SIGMA, ""),
        ("conductivity times temperature", _SIGMA, _TIMES),
        ("resistance", _RESISTANCE, ""),
    ):
        ions = "(?:dc|ion(?:ic)?|exp|meas|li|na|k|ag)" if base == _SIGMA else "dc"
        patterns = {quantity: rf"(?:(?:ionic|dc|electrical)[ _])?{base}(?:[ _]?{ions}\+?)?{times}"}
        patterns |= {
            f"{part} {quantity}": rf"(?:(?:{word})[ _]{base}|{base}[ _]?(?:{word})){times}"
            for part, word in _OF_PART.items()
        }
        for name, pattern in patterns.items():
            wanted[name] = ColumnSpec(pattern, quantity, positive=True, logarithm=True)
            wanted[f"{name}_stderr"] = ColumnSpec(
                f"(?:{pattern}){ERROR}", quantity, positive=True, logarithm=True, error=True
            )
    for name in (*_LENGTHS, "area"):
        dimension = "area" if name == "area" else "length"
        wanted[name] = ColumnSpec(name, dimension, positive=True)
        wanted[f"{name}_stderr"] = ColumnSpec(name + ERROR, dimension, positive=True, error=True)
    return wanted


_WANTED = _wanted()


def transport_of_table(
    path: str | Path, *, part: str = "total", cell: Cell | None = None, columns: Mapping[str, str] | None = None
) -> xr.Dataset:
    """The transport of every row of a table; see `nmrdyn.conductivity.read.read_conductivity`.

    Raises
    ------
    InputError
        Where a column, a unit or the geometry is missing, a value is not positive, or columns seem to be swapped.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "eis.csv"
    ...     _ = file.write_text("T [K]; ln(sigma T / S K cm-1)\\n300; -8,111728\\n310; \\n", encoding="utf-8")
    ...     transport = transport_of_table(file)
    >>> transport.conductivity.values.round(8), transport.reason.values.tolist()
    (array([0.0001,    nan]), ['', 'no conductivity'])
    """
    table = read_columns(path, _WANTED, what="a CSV of conductivities", renamed=columns)
    if not table.lines:
        raise InputError(f"{table.path}: needed rows of data below the header, found none")
    temperature, temperature_stderr = kelvin(table)
    sample = np.array(table.texts.get("sample", ("",) * len(table.lines)), dtype=str)
    coords = {
        "experiment": [str(row + 1) for row in range(len(table.lines))],
        "temperature": ("experiment", temperature),
        "temperature_stderr": ("experiment", temperature_stderr),
        "sample": ("experiment", sample),
        "direction": ("experiment", _direction(table, temperature, sample)),
    }
    has_conductivity = any("conductivity" in name and "stderr" not in name for name in table.numbers)
    has_resistance = any(name.endswith("resistance") for name in table.numbers)
    findings = table.findings()
    if has_resistance and (cell is not None or not has_conductivity):
        resistance = _resistances(table, part, coords, temperature)
        constant, cell_stderr = _geometry(table, cell)
        transport = with_constants(resistance, constant, part=part, cell_stderr=cell_stderr)
    else:
        if cell is not None:
            raise InputError(f"{table.path}: needed resistances for the cell, such as 'R (kΩ)', found none; leave it")
        if has_resistance:
            findings.append(Finding("columns-not-used", "", "resistances not used, as the table has conductivities"))
        value, stderr = _conductivities(table, part, temperature)
        reason = np.where(np.isnan(temperature), "no temperature", np.where(np.isnan(value), "no conductivity", ""))
        transport = xr.Dataset(
            {
                "conductivity": ("experiment", value),
                "conductivity_stderr": ("experiment", np.where(np.isnan(value), np.nan, stderr)),
                "reason": ("experiment", reason.astype(object)),
            },
            coords=coords | {"part": part},
        )
    _refuse_impossible(table, transport)
    _refuse_swapped(table, transport)
    return stamp(attach(transport, findings), "transport", sources=json.dumps([str(table.path)]))


def _conductivities(table: Table, part: str, temperature: Array) -> tuple[Array, Array]:
    """Conductivities [S/m] of a part and their standard errors, NaN where not known."""
    forms = ("conductivity", "conductivity times temperature")
    parts = [one for one in PARTS for form in forms if f"{one} {form}" in table.numbers]
    plain = [form for form in forms if form in table.numbers]
    if parts and part not in parts and not (plain and part == "total"):
        raise InputError(f"{table.path}: needed the conductivity of the {part}, found {', '.join(parts)}; ask for that")
    names = tuple(f"{part} {form}" for form in forms) if part in parts else forms
    if plain and part == "total" and part in parts:
        raise InputError(f"{table.path}: needed one column of the total conductivity, found two; leave one of these")
    name = table.one_of(names, "'conductivity (S/cm)'")
    errors = [f"{one}_stderr" for one in names if f"{one}_stderr" in table.numbers]
    if len(errors) > 1:
        raise InputError(f"{table.path}: needed one column of errors, found {' and '.join(errors)}; leave one of these")
    value = table.numbers[name]
    stderr = table.numbers[errors[0]] if errors else np.full(value.size, np.nan)
    with np.errstate(all="ignore"):  # `_refuse_impossible` looks at the result
        if name.endswith("temperature"):
            value = value / temperature
        if table.relative.intersection(errors):
            stderr = stderr * value
        elif errors and errors[0].endswith("temperature_stderr"):
            stderr = stderr / temperature
    return value, stderr


def _resistances(table: Table, part: str, coords: Mapping[str, object], temperature: Array) -> xr.Dataset:
    """The stage `resistance` of a table; the total is the sum of the parts where only these are given."""
    known = {one: f"{one} resistance" for one in PARTS if f"{one} resistance" in table.numbers}
    if "resistance" in table.numbers:
        plain = "total" if known else part
        if plain in known:
            raise InputError(
                f"{table.path}: needed one column of the {plain} resistance, found two; leave one of these"
            )
        known[plain] = "resistance"
    values: dict[str, tuple[Array, Array]] = {}
    for one, name in known.items():
        value = table.numbers[name]
        stderr = table.numbers.get(f"{name}_stderr", np.full(value.size, np.nan))
        with np.errstate(all="ignore"):
            values[one] = value, stderr * value if f"{name}_stderr" in table.relative else stderr
    if "total" not in values and {"bulk", "grain_boundary"} <= values.keys():
        bulk, boundary = values["bulk"], values["grain_boundary"]
        values["total"] = bulk[0] + boundary[0], np.hypot(bulk[1], boundary[1])
    values.setdefault("total", (np.full(temperature.size, np.nan),) * 2)
    variables: dict[str, object] = {"reason": ("experiment", np.where(np.isnan(temperature), "no temperature", ""))}
    for one, (value, stderr) in values.items():
        variables |= {PARTS[one]: ("experiment", value), f"{PARTS[one]}_stderr": ("experiment", stderr)}
    return stamp(xr.Dataset(variables, coords=coords), "resistance")


def _geometry(table: Table, cell: Cell | None) -> tuple[Array, Array]:
    """Thickness over area of each row [1/m] and its relative standard error, NaN where not known."""
    n = len(table.lines)
    columns = [name for name in (*_LENGTHS, "area") if name in table.numbers]
    if cell is not None:
        if columns:
            raise InputError(
                f"{table.path}: needed one geometry, found cell and the columns {' and '.join(columns)}; leave one"
            )
        return np.full(n, cell.constant), np.full(n, cell.relative_stderr)
    if "thickness" not in columns or len(columns) != 2:
        raise InputError(
            f"{table.path}: needed the geometry of the sample beside resistances, found "
            f"{' and '.join(columns) or 'none'}; say cell=Cell(thickness=0.9e-3, radius=5e-3) in m (nmrdyn sigma: "
            "--thickness 0.9mm --radius 5mm), or add the columns 'thickness (mm)' and one of 'diameter (mm)', "
            "'radius (mm)' and 'area (cm^2)'"
        )
    constant, error = np.full(n, np.nan), np.full(n, np.nan)
    for row in range(n):
        said = {name: float(table.numbers[name][row]) for name in columns}
        if np.isnan(list(said.values())).any():
            continue
        for name in columns:
            stderr = float(table.numbers.get(f"{name}_stderr", np.zeros(n))[row])
            relative = f"{name}_stderr" in table.relative
            said[f"{name}_stderr"] = np.nan_to_num(stderr) * (said[name] if relative else 1.0)
        try:
            one = Cell(**said)
        except InputError as problem:
            raise InputError(f"{table.where(row)}: {problem}") from None
        constant[row], error[row] = one.constant, one.relative_stderr
    return constant, error


def _direction(table: Table, temperature: Array, sample: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """Heating or cooling of each row, as a column says or the order of temperatures shows; "" where neither does."""
    if "direction" not in table.texts:
        found = np.full(temperature.size, "", dtype="<U7")
        for name in np.unique(sample):
            rows = np.flatnonzero((sample == name) & np.isfinite(temperature))
            found[rows] = _direction_of_order(temperature[rows])
        return found
    words = []
    for row, cell in enumerate(table.texts["direction"]):
        word = next((word for word, pattern in _WORDS.items() if re.fullmatch(pattern, cell, re.IGNORECASE)), None)
        if word is None:
            raise InputError(
                f"{table.where(row)}: needed heating or cooling as the direction, found {cell[:40]!r}; write one of "
                "these, or pass over the column with columns={'run': ''} (nmrdyn sigma: --columns run=)"
            )
        words.append(word)
    return np.array(words, dtype="<U7")


def _direction_of_order(temperature: Array) -> list[str]:
    """Heating and then cooling, or the reverse, each of two steps at least; the turning point belongs to the first."""
    steps = np.sign(np.diff(temperature))
    moving = np.flatnonzero(steps)
    turns = moving[1:][np.diff(steps[moving]) != 0]
    if turns.size != 1 or min(np.sum(moving < turns[0]), np.sum(moving >= turns[0])) < 2:
        return [""] * temperature.size
    first = "heating" if steps[moving[0]] > 0 else "cooling"
    last = int(moving[moving < turns[0]][-1]) + 1  # the row at the turning point
    return [first if row <= last else ({"heating", "cooling"} - {first}).pop() for row in range(temperature.size)]


def _refuse_impossible(table: Table, transport: xr.Dataset) -> None:
    """Values that are no longer numbers above 0 in SI."""
    for name in ("conductivity", "conductivity_stderr"):
        value = transport[name].values
        wrong = np.flatnonzero(~np.isnan(value) & ~((value > 0) & np.isfinite(value)))
        if wrong.size:
            raise InputError(
                f"{table.where(int(wrong[0]))}: needed a positive, finite {name} in S/m, found {value[wrong[0]]:g}"
            )


def _refuse_swapped(table: Table, transport: xr.Dataset) -> None:
    """Columns that hold each other's values."""
    sigma, temperature = transport["conductivity"].values, transport["temperature"].values
    known = np.isfinite(sigma) & np.isfinite(temperature)
    sigma, temperature = sigma[known], temperature[known]
    if sigma.size and sigma.min() > _TOO_CONDUCTING:
        raise InputError(
            f"{table.path}: needed conductivities, found all above {_TOO_CONDUCTING:g} S/m, which no ions in a solid "
            f"have; {_SWAPPED}"
        )
    # Conductivities read as °C are all near the zero of that scale.
    near_zero = sigma.size > 1 and np.ptp(temperature) > 0 and np.abs(temperature - ZERO_CELSIUS).max() < 1
    if near_zero and sigma.min() > 1:
        raise InputError(f"{table.path}: needed temperatures, found all within 1 °C of 0 °C; {_SWAPPED}")
