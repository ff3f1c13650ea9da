"""A table as HTML."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nmrdyn.table.column import Column
    from nmrdyn.table.table import Table

# Only the colour of the text around it, so that it suits light and dark notebooks.
_STYLE = """
.nmrdyn-table { overflow-x: auto; }
.nmrdyn-table table { color: inherit; border-collapse: collapse; border: 0; margin: 0.5em 0; font-size: 0.95em; }
.nmrdyn-table caption { caption-side: top; text-align: left; font-weight: 600; padding: 0.2em 0; color: inherit; }
.nmrdyn-table th, .nmrdyn-table td { text-align: left; vertical-align: top; padding: 0.2em 0.8em; border: 0;
  background: none; color: inherit; font-variant-numeric: tabular-nums; white-space: nowrap; }
.nmrdyn-table .number { text-align: right; }
.nmrdyn-table .words { white-space: normal; min-width: 16em; max-width: 40em; }
.nmrdyn-table thead th { border-bottom: 1px solid currentColor; }
.nmrdyn-table tbody tr { background: none; border-bottom: 1px solid rgba(128, 128, 128, 0.3); }
.nmrdyn-table ul { margin: 0.3em 0; padding-left: 1.2em; font-size: 0.9em; }
"""
_LONG = 30  # letters of a cell that may be broken into lines


def html_table(table: Table, *, identity: str, caption: str) -> str:
    """The element `<table>`."""
    kinds = [_kind(column) for column in table.columns]
    heads = "".join(
        f'<th scope="col"{kind}>{escape(_shown(column.head))}</th>'
        for column, kind in zip(table.columns, kinds, strict=True)
    )
    first = [next(iter(column.data.values()), None) if column.numeric else None for column in table.columns]
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{kind}{_sorted_by(values, i)}>{escape(_shown(cell))}</td>"
            for cell, kind, values in zip(row, kinds, first, strict=True)
        )
        + "</tr>\n"
        for i, row in enumerate(table.rows)
    )
    name = f' id="{escape(_shown(identity))}"' if identity else ""
    above = f"<caption>{escape(_shown(caption))}</caption>\n" if caption else ""
    return f"<table{name}>\n{above}<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"


def notebook_html(table: Table) -> str:
    """The element with its styles and notes, which needs nothing else."""
    notes = "".join(f"<li>{escape(_shown(note))}</li>" for note in table.notes)
    below = f"\n<ul>{notes}</ul>" if notes else ""
    element = html_table(table, identity="", caption=table.caption)
    return f'<div class="nmrdyn-table"><style>{_STYLE}</style>\n{element}{below}</div>'


def _kind(column: Column) -> str:
    if column.numeric:
        return ' class="number"'
    return ' class="words"' if any(len(cell) > _LONG for cell in column.cells) else ""


def _sorted_by(values: Any, row: int) -> str:
    if values is None:
        return ""
    value = float(values[row])
    return f' data-value="{value!r}"' if math.isfinite(value) else ' data-value=""'


def _shown(text: str) -> str:
    """Text without characters that HTML must not hold."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
