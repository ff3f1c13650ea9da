"""A table of text (CSV) whose header names quantities and units, as columns of SI numbers."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmrdyn.schema import ZERO_CELSIUS, Array, InputError
from nmrdyn.units import UNITS

_LARGEST = 4_000_000  # bytes; the tables people write have some kilobytes
_MOST_COLUMNS, _MOST_ROWS = 1000, 100_000
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNIT = re.compile(
    r"(?P<name>.*?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\]|/\s*(?P<slash>[^\s/()\[\]][^()\[\]]*))"
)
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_LONGEST_NAME = 200  # letters; a longer header is no name of a column
_UNKNOWN = ("", "-", "nan")
_SHIFT = {"ppm": 1.0}


@dataclass(frozen=True)
class ColumnSpec:
    """A column that a table may have.

    Attributes
    ----------
    pattern : regular expression that the name in the header matches as a whole, in either case, without its unit
    dimension : a key of `nmrdyn.units.UNITS` or "shift" (ppm), where the header must name the unit; "number" for one
        without a unit; "text" for words
    required : the table is refused without it
    positive : values of 0 and less are refused
    difference : a temperature is a step or an error, so that 1 °C is 1 K
    remark : words may follow the unit, as in "(ppm from 298.15 K)"
    """

    pattern: str
    dimension: str
    required: bool = False
    positive: bool = False
    difference: bool = False
    remark: bool = False

    @property
    def units(self) -> Mapping[str, float]:
        """Factors to SI by unit; empty where the column has none."""
        return _SHIFT if self.dimension == "shift" else UNITS.get(self.dimension, {})


@dataclass(frozen=True, eq=False)
class Table:
    """What `read_columns` found; a column that the table does not have is in none of the dicts.

    Attributes
    ----------
    path : the file
    numbers : SI values (row,) by the names of `wanted`; NaN for an empty cell
    texts : words (row,) by the names of `wanted`
    lines : line of the file that each row stands in, from 1
    remarks : what follows the unit in the header, such as "from 298.15 K"; "" where nothing does
    ignored : headers of the columns that were not wanted
    """

    path: Path
    numbers: dict[str, Array]
    texts: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]
    remarks: dict[str, str]
    ignored: tuple[str, ...]

    def where(self, row: int) -> str:
        """File and line of a row, for an error."""
        return f"{self.path}, line {self.lines[row]}"


def read_columns(path: str | Path, wanted: Mapping[str, ColumnSpec], *, what: str) -> Table:
    """Read the `wanted` columns of a table whose first line names quantities and units, and pass over the others.

    A unit stands as `T1 (s)`, `T1 [s]` or `T1/s`. Cells are apart by tabs, `;` or `,` (whichever of these comes first
    in that order in the header); decimals have a point. Empty cells, `-` and `nan` are unknown: NaN. Lines that begin
    with # are comments, empty lines are passed over.

    Parameters
    ----------
    path : the file, UTF-8 (or UTF-16 with its mark), at most 4 MB and 100,000 lines
    wanted : the columns by the names the result gives them
    what : what the table holds, for errors: "a table of temperatures"

    Raises
    ------
    InputError
        Where the file cannot be read, a required column or a unit is missing, a column is there twice, a line has
        more cells than the header, or a cell holds no (positive) number; with file, line, column and known units.

    Examples
    --------
    >>> import tempfile
    >>> wanted = {"t1": ColumnSpec("T_?1", "time", positive=True), "sample": ColumnSpec("sample", "text")}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "t1.csv"
    ...     _ = path.write_text("sample; T1 (ms); note\\nNa; 250; good\\nB; ;\\n")
    ...     table = read_columns(path, wanted, what="a table of T1")
    >>> table.numbers["t1"], table.texts["sample"], table.lines, table.ignored
    (array([0.25,  nan]), ('Na', 'B'), (2, 3), ('note',))
    """
    file = Path(path)
    lines = [
        (number, line)
        for number, line in enumerate(_LINE_END.split(_text(file, what)), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not 2 <= len(lines) <= _MOST_ROWS:
        raise InputError(f"{file}: needed {what}, a header and rows of data, found {len(lines)} lines")
    (first, header_line), *body = lines
    delimiter = next((mark for mark in "\t;" if mark in header_line), ",")
    header = cells_of_line(header_line, delimiter, where=f"{file}, line {first}")
    places, factors, remarks = _find(header, wanted, where=f"{file}, line {first}", what=what)
    rows = [(number, cells_of_line(line, delimiter, where=f"{file}, line {number}")) for number, line in body]
    rows = [(number, cells) for number, cells in rows if any(cells)]
    for number, cells in rows:
        if any(cells[len(header) :]):
            raise InputError(
                f"{file}, line {number}: needed {len(header)} cells as in the header, found {len(cells)}; "
                "write decimals with a point"
            )
    cells_of = {
        name: [cells[place] if place < len(cells) else "" for _, cells in rows] for name, place in places.items()
    }
    numbers, texts = {}, {}
    for name, cells in cells_of.items():
        if wanted[name].dimension == "text":
            texts[name] = tuple(cells)
        else:
            numbers[name] = np.array(
                [
                    _value(
                        cell,
                        wanted[name],
                        factors[name],
                        where=f"{file}, line {number}, column {header[places[name]][:40]!r}",
                    )
                    for cell, (number, _) in zip(cells, rows, strict=True)
                ],
                dtype=float,
            )
    ignored = tuple(cell for place, cell in enumerate(header) if cell and place not in places.values())
    return Table(file, numbers, texts, tuple(number for number, _ in rows), remarks, ignored)


def table_bytes(file: Path, *, what: str) -> bytes:
    """What the file of a table holds.

    Raises
    ------
    InputError
        Where it is missing, no plain file, cannot be read or is above 4 MB.
    """
    try:
        found = file.is_file()
        data = file.read_bytes() if found and file.stat().st_size <= _LARGEST else b""
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        raise InputError(f"{file}: needed {what} that can be read, found {error}; check its permissions") from error
    if not found:
        raise InputError(f"{file}: needed {what}, found no such file; give the path of a CSV")
    if file.stat().st_size > _LARGEST:
        raise InputError(f"{file}: needed {what} of at most {_LARGEST / 1e6:g} MB, found more; is this the table?")
    return data


def _text(file: Path, what: str) -> str:
    data = table_bytes(file, what=what)
    try:
        return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: needed text in UTF-8, found other bytes; save the table as CSV UTF-8") from error


def cells_of_line(line: str, delimiter: str, *, where: str) -> list[str]:
    """The cells of one line of a CSV; by itself, so that a stray quote does not swallow the lines after it.

    Raises
    ------
    InputError
        Where the line is no CSV.
    """
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise InputError(f"{where}: not readable as CSV ({error}); correct the line") from error
    return [cell.strip() for cell in cells]


def _find(
    header: list[str], wanted: Mapping[str, ColumnSpec], *, where: str, what: str
) -> tuple[dict[str, int], dict[str, tuple[float, float]], dict[str, str]]:
    """The place of each wanted column, its factor and shift to SI, and the remark behind its unit."""
    places: dict[str, int] = {}
    factors: dict[str, tuple[float, float]] = {}
    remarks: dict[str, str] = {}
    if len(header) > _MOST_COLUMNS:
        raise InputError(f"{where}: needed at most {_MOST_COLUMNS} columns, found {len(header)}; is this the header?")
    for place, cell in enumerate(header):
        if len(cell) > _LONGEST_NAME:
            continue
        match = _UNIT.fullmatch(cell)
        title = match["name"] if match else cell
        name = next((key for key, spec in wanted.items() if re.fullmatch(spec.pattern, title, re.IGNORECASE)), None)
        if name is None:
            continue
        if name in places:
            raise InputError(
                f"{where}: needed one column of {name}, found {header[places[name]][:40]!r} and {cell[:40]!r}"
            )
        spec = wanted[name]
        unit = (match["round"] or match["square"] or match["slash"] or "").strip() if match else ""
        if spec.remark:
            unit, _, remarks[name] = unit.partition(" ")
        factors[name] = (1.0, 0.0)
        if spec.units:
            if unit not in spec.units:
                known = ", ".join(spec.units)
                found = f"the unit {unit[:40]!r}" if unit else "none"
                raise InputError(f"{where}: needed a unit for the column {cell[:40]!r} ({known}), found {found}")
            celsius = spec.dimension == "temperature" and unit != "K" and not spec.difference
            factors[name] = (spec.units[unit], ZERO_CELSIUS if celsius else 0.0)
        elif unit and spec.dimension == "number":
            raise InputError(
                f"{where}: needed a column {title[:40]!r} without a unit, found {unit[:40]!r}; leave the unit out"
            )
        places[name] = place
    for name, spec in wanted.items():
        if spec.required and name not in places:
            example = f"{name} ({next(iter(spec.units))})" if spec.units else name
            raise InputError(f"{where}: needed {what} with a column such as {example!r}, found {_shown(header)}")
    return places, factors, remarks


def _shown(header: list[str]) -> str:
    """Headers for an error: short, and without what a terminal would obey."""
    return ", ".join(repr(cell[:40]) for cell in header[:20])


def _value(cell: str, spec: ColumnSpec, factor: tuple[float, float], *, where: str) -> float:
    if cell.lower() in _UNKNOWN:
        return math.nan
    value = float(cell) * factor[0] + factor[1] if _NUMBER.fullmatch(cell) else math.nan
    if not math.isfinite(value):
        move = "write decimals with a point" if "," in cell else "leave the cell empty where it is not known"
        raise InputError(f"{where}: needed a finite number, found {cell[:40]!r}; {move}")
    if spec.positive and value <= 0:
        raise InputError(f"{where}: needed a value above 0, found {cell!r}; leave the cell empty where it is not known")
    return value
