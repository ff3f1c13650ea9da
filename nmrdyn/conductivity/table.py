"""Step 1': conductivity table -> transport."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from nmrdyn.columns import cells_of_line, table_bytes
from nmrdyn.schema import ZERO_CELSIUS, InputError, stamp
from nmrdyn.units import UNITS

_HEADER = re.compile(r"^\s*(?P<name>.*?)\s*(?:[(\[/]\s*(?P<unit>[^)\]]+?)\s*[)\]]?)?\s*$")
_MOST_ROWS = 100_000
_LONGEST_NAME = 200  # letters; a longer header is no name of a column
_ERROR_WORDS = ("stderr", "error", "err", "uncertainty", "sd", "±")


@dataclass(frozen=True)
class _Column:
    """A column that is used: its place, the factor to SI, and what to add after it."""

    index: int
    factor: float
    shift: float = 0.0


def read_conductivity(path: str | Path) -> xr.Dataset:
    """Read a CSV of conductivities whose header names the units.

    Needed are a column of temperatures, such as `temperature (°C)` or `T [K]`, and one of conductivities, such as
    `conductivity (S/cm)` or `sigma [mS/cm]`; a column such as `conductivity_stderr (S/cm)` is used where there is one.
    Lines that begin with # are comments.

    Returns
    -------
    transport : `conductivity` and `conductivity_stderr` [S/m], NaN where the table gives no error

    Raises
    ------
    InputError
        Where the file, a column or a unit is missing, or a value is not a positive number; it names the line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "eis.csv"
    ...     _ = file.write_text("T [K], sigma [mS/cm]\\n300, 0.1\\n310, 0.2\\n", encoding="utf-8")
    ...     read_conductivity(file).conductivity.values
    array([0.01, 0.02])
    """
    file = Path(path)
    try:
        text = table_bytes(file, what="a CSV of conductivities").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: needed text in UTF-8, found other bytes; save the table as CSV UTF-8") from error
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if not 2 <= len(lines) <= _MOST_ROWS:
        raise InputError(f"{file}: needed a header and rows of data, found {len(lines)} lines")
    header, *rows = (cells_of_line(line, ",", where=f"{file}, line {number}") for number, line in lines)
    columns = _find_columns(header, file)
    table = {
        name: [_value(row, column, f"{file}, line {number}") for row, (number, _) in zip(rows, lines[1:], strict=True)]
        for name, column in columns.items()
    }
    for name, values in table.items():
        for value, (number, _) in zip(values, lines[1:], strict=True):
            if value <= 0:
                raise InputError(f"{file}, line {number}: needed a positive {name}, found {value:g} (in SI)")
    n = len(rows)
    transport = xr.Dataset(
        {
            "conductivity": ("experiment", np.array(table["conductivity"])),
            "conductivity_stderr": ("experiment", np.array(table.get("stderr", [np.nan] * n))),
        },
        coords={
            "experiment": [str(index + 1) for index in range(n)],
            "temperature": ("experiment", np.array(table["temperature"])),
            "temperature_stderr": ("experiment", np.full(n, np.nan)),
        },
    )
    return stamp(transport, "transport", sources=json.dumps([str(file)]))


def _find_columns(header: list[str], file: Path) -> dict[str, _Column]:
    columns: dict[str, _Column] = {}
    for index, cell in enumerate(header):
        if len(cell) > _LONGEST_NAME:
            continue
        match = _HEADER.match(cell)
        name, unit = (match["name"].lower(), match["unit"]) if match else (cell.lower(), None)
        if name in ("t", "temp", "temperature"):
            dimension, role = "temperature", "temperature"
        elif name.startswith(("conductivity", "sigma", "σ")):
            dimension = "conductivity"
            role = "stderr" if any(word in name for word in _ERROR_WORDS) else "conductivity"
        else:
            continue
        if unit not in UNITS[dimension]:
            known = ", ".join(UNITS[dimension])
            found = f"the unit {unit[:40]!r}" if unit else "none"
            raise InputError(f"{file}: needed a unit for the column {cell.strip()[:40]!r} ({known}), found {found}")
        if role in columns:
            raise InputError(f"{file}: needed one column of {role}, found two; leave one")
        celsius = dimension == "temperature" and unit != "K"
        columns[role] = _Column(index, UNITS[dimension][unit], ZERO_CELSIUS if celsius else 0.0)
    found = ", ".join(cell.strip()[:40] for cell in header[:20])
    for role, example in (("temperature", "temperature (°C)"), ("conductivity", "conductivity (S/cm)")):
        if role not in columns:
            raise InputError(f"{file}: needed a column such as {example!r}, found {found}")
    return columns


def _value(row: list[str], column: _Column, where: str) -> float:
    text = row[column.index].strip() if column.index < len(row) else ""
    try:
        value = float(text) * column.factor + column.shift
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"{where}: needed a number in column {column.index + 1}, found {text[:40]!r}")
    return value
