"""A file of text (CSV, TSV, what a spreadsheet exports) as cells, and cells as numbers."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nmrdyn.schema import InputError

_LARGEST = 4_000_000  # bytes; the tables people write have some kilobytes
_MOST_ROWS = 100_000
_LINE_END = re.compile(r"\r\n|\r|\n")
_SPREADSHEET_ERROR = re.compile(r"#(?:DIV/0!|N/A|VALUE!|REF!|NUM!|NAME\?|NULL!|WERT!|NV|BEZUG!|ZAHL!)(?![^\s,;\"])")
_SEPARATOR_LINE = re.compile(r'"?sep=[,;\t]"?', re.IGNORECASE)  # what a spreadsheet writes for itself
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*|,[0-9]+)?|[.,][0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_GROUPED = re.compile(r"[-+]?[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_UNKNOWN = ("", "-", "nan", "n/a", "na")


@dataclass(frozen=True)
class Cells:
    """The cells of a table.

    Attributes
    ----------
    header : the cells of the first line that is no comment
    line : where it stands in the file, from 1
    rows : (line, cells) of those below that hold anything, as long as the header
    encoding : of the file
    """

    header: list[str]
    line: int
    rows: list[tuple[int, list[str]]]
    encoding: str = "utf-8-sig"


def read_cells(file: Path, *, what: str) -> Cells:
    """Read a file as `nmrdyn.columns.read_columns` describes it.

    Raises
    ------
    InputError
        Where the file cannot be read, is no text in UTF-8, UTF-16 or Windows-1252, is above 4 MB or 100,000 lines, has
        no rows, or a line has more cells than the header.
    """
    text, encoding = _text(file, what)
    lines = [(number, line) for number, line in enumerate(_LINE_END.split(text), 1) if _says(line)]
    while lines and _stands_before(lines[0][1]):
        del lines[0]
    if not 2 <= len(lines) <= _MOST_ROWS:
        raise InputError(f"{file}: needed {what}, a header and rows of data, found {len(lines)} lines")
    (first, header_line), *body = lines
    delimiter = _delimiter([line for _, line in lines])
    header = _split(header_line, delimiter, where=f"{file}, line {first}")
    rows = []
    for number, line in body:
        cells = _split(line, delimiter, where=f"{file}, line {number}")
        if any(cells[len(header) :]):
            raise InputError(
                f"{file}, line {number}: needed {len(header)} cells as in the header, found {len(cells)}; "
                "write decimals with a point, or cells apart by ;"
            )
        if any(cells):
            rows.append((number, cells[: len(header)] + [""] * (len(header) - len(cells))))
    return Cells(header, first, rows, encoding)


def has_decimal_commas(cells: Sequence[tuple[str, str]]) -> bool:
    """Whether the numbers of a table have decimal commas, told from all of them, each with its place.

    Raises
    ------
    InputError
        Where some have a comma and some a point, or each comma may as well set thousands apart.
    """
    numbers = [(cell, where) for cell, where in cells if _NUMBER.fullmatch(cell) or _GROUPED.fullmatch(cell)]
    commas = [(cell, where) for cell, where in numbers if "," in cell]
    points = [(cell, where) for cell, where in numbers if "." in cell]
    if not commas:
        return False
    cell, where = commas[0]
    if points:
        raise InputError(
            f"{where}: needed one mark of decimals, found {cell[:40]!r} here and {points[0][0][:40]!r} at "
            f"{points[0][1]}; write decimals with a point"
        )
    if all(_GROUPED.fullmatch(cell) for cell, _ in commas):
        raise InputError(
            f"{where}: needed a number of one meaning, found {cell[:40]!r}, which is "
            f"{cell.replace(',', '')[:40]} or {cell.replace(',', '.', 1)[:40]}; write decimals with a point"
        )
    return True


def number(cell: str, *, decimal_comma: bool, where: str) -> float:
    """The number in a cell; NaN where it says that none is known.

    Raises
    ------
    InputError
        For anything that is no finite number.
    """
    if cell.lower() in _UNKNOWN or is_spreadsheet_error(cell):
        return math.nan
    text = cell.replace("−", "-")  # the sign of a typesetter
    if decimal_comma:
        text = text.replace(",", ".")
    value = float(text) if _NUMBER.fullmatch(text) and "," not in text else math.nan
    if not math.isfinite(value):
        move = "write decimals with a point" if "," in cell else "leave the cell empty where it is not known"
        if "±" in cell or "(" in cell:
            move = "write the error in a column of its own"
        raise InputError(f"{where}: needed a finite number, found {cell[:40]!r}; {move}")
    return value


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, with a decimal point or a comma."""
    return bool(_NUMBER.fullmatch(cell.replace("−", "-")))


def is_spreadsheet_error(cell: str) -> bool:
    """Whether a cell holds what a spreadsheet writes for a value it cannot compute, such as #DIV/0!."""
    return bool(_SPREADSHEET_ERROR.fullmatch(cell))


def _says(line: str) -> bool:
    """Whether a line is neither empty nor a comment."""
    text = line.strip()
    return bool(text) and (not text.startswith("#") or bool(_SPREADSHEET_ERROR.match(text)))


def _stands_before(line: str) -> bool:
    """Whether a line can only stand before a header: empty cells, a quoted comment, what tells the delimiter."""
    # A spreadsheet quotes a comment that holds its delimiter; below the header that would be a name such as "#3".
    text = line.strip(" \t,;")
    return not text.strip('"') or text.startswith('"#') or bool(_SEPARATOR_LINE.fullmatch(line.strip()))


def _delimiter(lines: list[str]) -> str:
    """What sets cells apart; spaces where nothing else does and every line has as many words as the header."""
    mark = next((mark for mark in "\t;," if mark in lines[0]), "")
    words = len(lines[0].split())
    spaced = not mark and words > 1 and '"' not in lines[0] and all(len(line.split()) == words for line in lines)
    return mark or (" " if spaced else ",")


def _text(file: Path, what: str) -> tuple[str, str]:
    """What the file says, and its encoding: that of its mark, UTF-8, or what Excel writes on Windows."""
    try:
        found = file.is_file()
        data = file.read_bytes() if found and file.stat().st_size <= _LARGEST else b""
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        raise InputError(f"{file}: needed {what} that can be read, found {error}; check its permissions") from error
    if not found:
        raise InputError(f"{file}: needed {what}, found no such file; give the path of a CSV")
    if file.stat().st_size > _LARGEST:
        raise InputError(f"{file}: needed {what} of at most {_LARGEST / 1e6:g} MB, found more; is this the table?")
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # Units are letters that every code page for spreadsheets has in one place or not at all; bytes of no text show.
        if encoding != "cp1252" or not _CONTROL.search(text):
            return text, encoding
    raise InputError(f"{file}: needed text in UTF-8, found other bytes; save the table as CSV UTF-8")


def _split(line: str, delimiter: str, *, where: str) -> list[str]:
    """The cells of one line; by itself, so that a stray quote does not swallow the lines after it."""
    line = line.strip(" ") if delimiter == " " else line
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        said = str(error).replace("\t", "tab")
        raise InputError(f"{where}: not readable as CSV ({said}); correct the line") from error
    return [cell.strip() for cell in cells]
