"""A table as CSV and as plain columns."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmrdyn.schema import InputError

if TYPE_CHECKING:
    from nmrdyn.table.table import Table

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def exported(table: Table) -> dict[str, Sequence[Any]]:
    """The columns that are exported, by their names."""
    columns: dict[str, Sequence[Any]] = {}
    for column in table.columns:
        columns |= column.data or {column.head: column.cells}
    return columns


def csv_text(table: Table) -> str:
    """The exported columns as CSV."""
    columns = exported(table)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_cell(name) for name in columns)
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    return file.getvalue()


def written(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file, or say why that is not possible."""
    try:
        write(path)
    except OSError as error:
        raise InputError(
            f"{path}: needed a file that can be written, found {error.strerror or error}; choose another"
        ) from error


def _cell(value: Any) -> str:
    """A number with all its digits, nothing for NaN, words that no spreadsheet takes for a formula."""
    if isinstance(value, str):
        text = " ".join(value.split()) if any(letter in value for letter in "\r\n") else value
        return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text
    return "" if isinstance(value, float) and math.isnan(value) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
