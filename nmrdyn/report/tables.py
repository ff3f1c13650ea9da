"""A table of the report: cells with the numbers by which they sort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from nmrdyn.rounding import with_error

TAU = Markup("τ<sub>c</sub>")
ENERGY = Markup("E<sub>a</sub> / meV")


@dataclass(frozen=True)
class Cell:
    """What a cell shows, the number by which it sorts (None: by its text), and whether long text may break in it."""

    text: str
    value: float | None = None
    wide: bool = False
    soft: str = ""  # a second line
    link: str = ""  # to an element of the page
    code: bool = False


@dataclass(frozen=True)
class Row:
    """One row, with the name of its element and the numbers of the warnings that are about it."""

    cells: tuple[Cell, ...]
    identity: str = ""
    warnings: tuple[int, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table with a caption; `folded` is not shown before it is asked for."""

    identity: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    folded: str = ""


def number(value: float | None, form: str = "{:.2f}") -> Cell:
    """A number in this form; a dash for none."""
    if value is None or not np.isfinite(value):
        return Cell("–", float("nan"))
    return Cell(form.format(value), float(value))


def estimate(value: float, error: float, *, scale: float = 1.0) -> Cell:
    """A value rounded by its error, which sorts by the value."""
    return Cell(with_error(scale * float(value), scale * float(error)), float(value))


def interval(edges: list[float], *, scale: float = 1e3, form: str = "{:.0f} to {:.0f}") -> Cell:
    """An interval, eV as meV unless said, which sorts by its lower edge."""
    return Cell(form.format(*(scale * edge for edge in edges)), float(edges[0]))


def words(text: object, *, code: bool = False) -> Cell:
    """Text that may break into lines."""
    return Cell(str(text), wide=True, code=code)


def table(identity: str, caption: str, head: list[str], rows: list[list[Cell]], *, folded: str = "") -> Table:
    """A table of rows without names."""
    return Table(identity, caption, tuple(head), tuple(Row(tuple(cells)) for cells in rows), folded)
