"""A table of text (CSV) whose header names quantities and units, as columns of SI numbers."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nmrdyn.columns.cells import Cells, has_decimal_commas, is_number, is_spreadsheet_error, number, read_cells
from nmrdyn.columns.headers import ERROR, Column, ColumnSpec, find_columns, shown, with_units
from nmrdyn.findings import Finding
from nmrdyn.schema import Array, InputError

_COLDEST, _HOTTEST = 1.0, 3000.0  # K; no measurement of a solid has been hotter
_SWAPPED = "are columns swapped, or is the unit in the header another?"


TEMPERATURES: dict[str, ColumnSpec] = {
    "temperature": ColumnSpec(r"t|temp\.?|temperature", "temperature"),
    "1000/T": ColumnSpec(r"(?:1000|10\^?3|1e3) ?/ ?t", "reciprocal temperature", positive=True),
    "1/T": ColumnSpec(r"1 ?/ ?t|t\^?[-−]1", "reciprocal temperature", positive=True),
    "temperature_stderr": ColumnSpec(f"(?:t|temp|temperature){ERROR}", "temperature", difference=True),
}
"""The columns that `kelvin` makes temperatures of."""


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
    relative : names of the errors that are relative to the value
    broken : places of cells that a spreadsheet could not compute (#DIV/0!), taken as unknown
    encoding : of the file
    """

    path: Path
    numbers: dict[str, Array]
    texts: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]
    remarks: dict[str, str]
    ignored: tuple[str, ...]
    relative: frozenset[str] = frozenset()
    broken: tuple[str, ...] = ()
    encoding: str = "utf-8-sig"

    def where(self, row: int) -> str:
        """File and line of a row, for an error."""
        return f"{self.path}, line {self.lines[row]}"

    def one_of(self, forms: tuple[str, ...], example: str) -> str:
        """Which of several columns that say the same the table has; refused where that is not one."""
        found = [form for form in forms if form in self.numbers]
        if len(found) != 1:
            listed = " and ".join(found) or shown(self.ignored) or "no other column"
            move = "leave one of these" if found else "rename the one that is meant"
            raise InputError(f"{self.path}: needed one column such as {example}, found {listed}; {move}")
        return found[0]

    def findings(self) -> list[Finding]:
        """Columns that were not used, cells that a spreadsheet could not compute, an encoding that was guessed."""
        found = []
        if self.ignored:
            found.append(Finding("columns-not-used", "", f"columns of the table not used: {shown(self.ignored)}"))
        if self.broken:
            text = f"cells without a value for an error of the spreadsheet: {', '.join(self.broken[:20])}"
            found.append(Finding("cells-without-value", "", text))
        if self.encoding == "cp1252":
            text = "the table is no UTF-8 and was read as Windows-1252; save it as CSV UTF-8 if names look wrong"
            found.append(Finding("encoding-guessed", "", text))
        return found


def read_columns(
    path: str | Path, wanted: Mapping[str, ColumnSpec], *, what: str, renamed: Mapping[str, str] | None = None
) -> Table:
    """Read the `wanted` columns of a table whose header names quantities and units, and pass over the others.

    A unit stands as `T1 (s)`, `T1 [s]` or `T1/s`, in any spelling of its powers: `S/cm`, `S cm-1`, `S·cm⁻¹`, or in a
    line of units below the header, as Origin writes it. Cells are apart by tabs, `;` or `,` (whichever of these comes
    first in that order in the header), or else by spaces. Decimals have a point, or all of them a comma. Empty cells,
    `-`, `nan`, `n/a` and the errors of spreadsheets (`#N/A`, `#DIV/0!`) are unknown: NaN. Lines that begin with # are
    comments, empty lines are passed over; the first other line is the header.

    Parameters
    ----------
    path : the file, at most 4 MB and 100,000 lines, in UTF-8, in UTF-16 with its mark, or in Windows-1252, which Excel
        writes; a finding ("encoding-guessed") says so
    wanted : the columns by the names the result gives them
    what : what the table holds, for errors: "a table of temperatures"
    renamed : headers of the file by what they are read as, {"target": "sigma (S/cm)"}; "" passes over a column

    Raises
    ------
    InputError
        Where the file cannot be read, a required column or a unit is missing, a column is there twice, a logarithm may
        be that to base 10 or e, a line has more cells than the header, or a cell holds no (positive) number; with file,
        line, column and known units.

    Examples
    --------
    >>> import tempfile
    >>> wanted = {"t1": ColumnSpec("T_?1", "time", positive=True), "sample": ColumnSpec("sample", "text")}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "t1.csv"
    ...     _ = path.write_text("sample; T1 (ms); note\\nNa; 250,5; good\\nB; ;\\n")
    ...     table = read_columns(path, wanted, what="a table of T1")
    >>> table.numbers["t1"], table.texts["sample"], table.lines, table.ignored
    (array([0.2505,    nan]), ('Na', 'B'), (2, 3), ('note',))
    """
    file = Path(path)
    cells = _with_units_below(read_cells(file, what=what))
    where = f"{file}, line {cells.line}"
    header = _renamed(cells.header, renamed or {}, where=where)
    columns = find_columns(header, wanted, where=where, what=what)
    said = [cell for cell in header if cell]
    if not columns and (len(said) == 1 or all(is_number(cell) for cell in said)):
        raise InputError(
            f"{where}: needed a header that names quantities and units, as in 'T (K)', found {shown(said)}; write "
            "one, begin lines above it with #, and set cells apart by tabs, ; or ,"
        )
    lines = tuple(line for line, _ in cells.rows)
    texts: dict[str, tuple[str, ...]] = {}
    grid: dict[str, list[tuple[str, str]]] = {}
    for name, found in columns.items():
        if wanted[name].dimension == "text":
            parts = [[row[column.place] for column in found] for _, row in cells.rows]
            texts[name] = tuple(", ".join(part for part in row if part) for row in parts)
        else:
            (column,) = found
            label = f"column {cells.header[column.place][:40]!r}"
            grid[name] = [(row[column.place], f"{file}, line {line}, {label}") for line, row in cells.rows]
    comma = has_decimal_commas([cell for column_cells in grid.values() for cell in column_cells])
    numbers = {
        name: np.array(
            [_value(cell, name, wanted[name], columns[name][0], comma=comma, where=place) for cell, place in of_column],
            dtype=float,
        )
        for name, of_column in grid.items()
    }
    used = {column.place for found in columns.values() for column in found}
    return Table(
        file,
        numbers,
        texts,
        lines,
        remarks={name: found[0].remark for name, found in columns.items() if wanted[name].remark},
        ignored=tuple(cell for place, cell in enumerate(header) if cell and place not in used),
        relative=frozenset(name for name, found in columns.items() if found[0].relative),
        broken=tuple(
            f"{cell} in {place.removeprefix(f'{file}, ')}"
            for of_column in grid.values()
            for cell, place in of_column
            if is_spreadsheet_error(cell)
        ),
        encoding=cells.encoding,
    )


def kelvin(table: Table) -> tuple[Array, Array]:
    """Temperatures [K] and their standard errors, from the columns `TEMPERATURES`; NaN where not known.

    Raises
    ------
    InputError
        Where the table has none or several of them, or a value can be none.
    """
    form = table.one_of(("temperature", "1000/T", "1/T"), "temperature (K)")
    given = table.numbers[form]
    with np.errstate(over="ignore"):
        temperature = given if form == "temperature" else (1000 if form == "1000/T" else 1) / given
    known = temperature[np.isfinite(temperature)]
    wrong = np.flatnonzero((temperature <= 0) | (temperature > _HOTTEST))
    if wrong.size:
        raise InputError(
            f"{table.where(int(wrong[0]))}: needed a temperature from 0 to {_HOTTEST:g} K, found "
            f"{temperature[wrong[0]]:g} K; {_SWAPPED}"
        )
    if known.size and known.max() < _COLDEST:
        raise InputError(f"{table.path}: needed temperatures, found all below {_COLDEST:g} K; {_SWAPPED}")
    stderr = table.numbers.get("temperature_stderr", np.full(len(table.lines), np.nan))
    wrong = np.flatnonzero(stderr < 0)
    if wrong.size:
        raise InputError(
            f"{table.where(int(wrong[0]))}: needed a temperature error of 0 K or more, found {stderr[wrong[0]]:g}"
        )
    return temperature, stderr


def row_names(table: Table) -> list[str]:
    """What the rows are called: as the column "experiment" says, or by their number.

    Raises
    ------
    InputError
        Where a name is empty, cannot be read, or comes twice.
    """
    if "experiment" not in table.texts:
        return [str(row + 1) for row in range(len(table.lines))]
    names = list(table.texts["experiment"])
    seen: set[str] = set()
    for row, name in enumerate(names):
        if not name or len(name) > 200 or not name.isprintable():
            raise InputError(
                f"{table.where(row)}: needed a name of the experiment that can be read, found {name[:40]!r}"
            )
        if name in seen:
            raise InputError(
                f"{table.where(row)}: needed a different name for each experiment, found {name[:40]!r} twice; "
                "number them, or leave the column out"
            )
        seen.add(name)
    return names


def _with_units_below(cells: Cells) -> Cells:
    """The table with the units of a line below the header in it; comments may follow that line."""
    header = with_units(cells.header, cells.rows[0][1]) if cells.rows else None
    if header is None:
        return cells
    data = (place for place, (_, row) in enumerate(cells.rows) if any(is_number(cell) for cell in row))
    return replace(cells, header=header, rows=cells.rows[next(data, len(cells.rows)) :])


def _renamed(header: list[str], renamed: Mapping[str, str], *, where: str) -> list[str]:
    """The header as the user wants it read."""
    for name in renamed:
        if name not in header:
            near = difflib.get_close_matches(name, header, n=1)
            move = f"; did you mean {near[0][:40]!r}?" if near else ""
            raise InputError(f"{where}: needed a column {name[:40]!r} to rename, found {shown(header)}{move}")
    return [renamed.get(cell, cell) for cell in header]


def _value(cell: str, name: str, spec: ColumnSpec, column: Column, *, comma: bool, where: str) -> float:
    """The value of one cell in SI; NaN where it is not known."""
    given = number(cell, decimal_comma=comma, where=where)
    if math.isnan(given):
        return math.nan
    if column.form:
        base = 10.0 if column.form == "log10" else math.e
        try:
            value = base**given * column.factor
        except OverflowError:
            value = math.inf
        if not 0 < value < math.inf:
            raise InputError(f"{where}: needed the logarithm of a positive, finite {name}, found {cell[:40]!r}")
        return value
    value = given * column.factor + column.shift
    if not math.isfinite(value):
        raise InputError(f"{where}: needed a finite number, found {cell[:40]!r} in {name}")
    if spec.positive and value <= 0:
        move = f"is it log10 {name}? Otherwise " if spec.logarithm and not spec.error and value < 0 else ""
        raise InputError(
            f"{where}: needed a value above 0, found {cell!r}; {move}leave the cell empty where it is not known"
        )
    return value
