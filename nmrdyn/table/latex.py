"""A table as LaTeX with booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nmrdyn.table.column import Column
    from nmrdyn.table.table import Table

_LETTERS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$", '"': "''",
    "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "°": r"$^{\circ}$", "–": "--", "−": "$-$", "Å": r"\AA{}",
    "Ω": r"$\Omega$", "µ": r"$\mu$", "μ": r"$\mu$", "σ": r"$\sigma$", "τ": r"$\tau$",
    "χ": r"$\chi$", "η": r"$\eta$", "ν": r"$\nu$", "β": r"$\beta$", "…": r"\ldots{}", "≤": r"$\le$", "≥": r"$\ge$",
    "→": r"$\to$",
}  # fmt: skip
_RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_RUN = re.compile("[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+")
# How a symbol in a head is set.
_SYMBOLS = {
    "tau_c": r"$\tau_{\mathrm{c}}$",
    "C_Q": "$C_Q$",
    "T1": "$T_1$",
    "E_a": r"$E_{\mathrm{a}}$",
    "chi2_red": r"$\chi^2_{\mathrm{red}}$",
    "beta": r"$\beta$",
    "sigma T": r"$\sigma T$",
    "sigma": r"$\sigma$",
    "T": "$T$",
}
_SYMBOL = re.compile(r"(?<!\w)(" + "|".join(map(re.escape, _SYMBOLS)) + r")(?!\w)")
_SIGN = re.compile(r"(?<![\w.-])-(?=[0-9])")
_LONG = 30  # letters of a cell that is set in lines


def latex_table(table: Table) -> str:
    """The `table` environment."""
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{escaped(table.caption)}}}"] if table.caption else []),
        rf"\begin{{tabular}}{{{''.join(map(_alignment, table.columns))}}}",
        r"\toprule",
        _row(_head(column.head) for column in table.columns),
        r"\midrule",
        *(_row(_cell(cell) for cell in row) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize {escaped(note)}" for note in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines)


def escaped(text: str) -> str:
    r"""Text as LaTeX sets it.

    >>> print(escaped(r"a_b & 50 % of (4.7 ± 0.2) × 10⁻³"))
    a\_b \& 50 \% of (4.7 $\pm$ 0.2) $\times$ 10$^{-3}$
    """
    set_text = "".join(_LETTERS.get(letter, letter if letter.isprintable() else " ") for letter in text)
    return _RUN.sub(lambda run: f"$^{{{run[0].translate(_RAISED)}}}$", set_text)


def _cell(text: str) -> str:
    """A cell, with signs in place of hyphens before numbers, and symbols that can be nothing else."""
    number = _SIGN.sub("−", text)
    return _SYMBOLS[text] if "_" in text and text in _SYMBOLS else escaped(number)


def _head(text: str) -> str:
    """A head, with its symbols set as such."""
    parts = _SYMBOL.split(text)
    return "".join(_SYMBOLS[part] if place % 2 else escaped(part) for place, part in enumerate(parts))


def _row(cells: Iterable[str]) -> str:
    # Braces, as a [ after \\ would be its argument.
    joined = " & ".join(cells)
    return (f"{{}}{joined}" if joined.startswith("[") else joined) + r" \\"


def _alignment(column: Column) -> str:
    if column.numeric:
        return "r"
    return r"p{6cm}" if any(len(cell) > _LONG for cell in column.cells) else "l"
