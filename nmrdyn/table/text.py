"""A table as text for a terminal."""

from __future__ import annotations

import textwrap
import unicodedata
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nmrdyn.table.table import Table

_WIDTH = 120
_LONGEST_CELL = 60


def text_table(table: Table) -> str:
    """Caption, columns that stand below their heads, and notes."""
    columns = [[_wrapped(cell) for cell in (column.head, *column.cells)] for column in table.columns]
    widths = [max(_width(line) for cell in cells for line in cell) for cells in columns]
    right = [column.numeric for column in table.columns]
    lines = []
    for place, row in enumerate(zip(*columns, strict=True)):
        for parts in zip_longest(*row, fillvalue=""):
            padded = (_padded(*one) for one in zip(parts, widths, right, strict=True))
            lines.append("  ".join(padded).rstrip())
        if place == 0:
            lines.append("  ".join("─" * width for width in widths))
    notes = [
        line for note in table.notes for line in textwrap.wrap(f"- {printable(note)}", _WIDTH, subsequent_indent="  ")
    ]
    return "\n".join([*filter(None, [printable(table.caption)]), *lines, *notes])


def _wrapped(text: str) -> list[str]:
    """A cell as lines."""
    return textwrap.wrap(printable(text), _LONGEST_CELL) or [""]


def printable(text: str) -> str:
    """A line without control characters, which a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
