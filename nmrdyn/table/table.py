"""What `nmrdyn.table` returns."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nmrdyn.schema import InputError
from nmrdyn.table.column import Column
from nmrdyn.table.files import csv_text, exported, written
from nmrdyn.table.html import html_table, notebook_html
from nmrdyn.table.latex import latex_table
from nmrdyn.table.text import text_table


@dataclass(frozen=True, eq=False)
class Table:
    """A table that shows itself: as HTML in a notebook, as text in a terminal.

    Values are rounded by their standard errors where they are shown, and have all digits in what is exported. A column
    that is empty all the way down is left out.

    Attributes
    ----------
    columns : those that say something, as `nmrdyn.table.column.Column` has them
    caption : what the table shows, in one line
    notes : findings that the data carry, and what is not in the rows
    """

    columns: tuple[Column, ...]
    caption: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Leave out columns that say nothing."""
        kept = tuple(column for column in self.columns if column.kept or not column.empty)
        object.__setattr__(self, "columns", kept)

    def __repr__(self) -> str:
        return text_table(self)

    def _repr_html_(self) -> str:
        return notebook_html(self)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells as they are shown, row by row."""
        return list(zip(*(column.cells for column in self.columns), strict=True))

    def to_html(self, *, identity: str = "", caption: str | None = None) -> str:
        """A `<table>` element without styles and notes, in which all text of the data is escaped.

        Heads are `<th scope="col">`; a cell with a number behind it has that in `data-value`, "" where there is none.

        Parameters
        ----------
        identity : the `id` of the element
        caption : in place of the caption of the table; "" for none
        """
        return html_table(self, identity=identity, caption=self.caption if caption is None else caption)

    def to_latex(self) -> str:
        r"""A `table` with a `tabular` of booktabs; special characters are escaped, ± is `$\pm$`.

        >>> from nmrdyn.table.column import texts
        >>> print(Table((texts("sample", ["a_b"]), texts("T1 / s", ["4.71 ± 0.19"])), caption="50 % doped").to_latex())
        % needs \usepackage{booktabs}
        \begin{table}
        \centering
        \caption{50 \% doped}
        \begin{tabular}{ll}
        \toprule
        sample & $T_1$ / s \\
        \midrule
        a\_b & 4.71 $\pm$ 0.19 \\
        \bottomrule
        \end{tabular}
        \end{table}
        """
        return latex_table(self)

    def to_csv(self, path: str | Path | None = None) -> str:
        """CSV with all digits, in SI and eV with the units in the heads, a column each for values and errors.

        Tables of T1, of correlation times without branches and of conductivities are such as `read_table` and
        `read_conductivity` read. A cell of words that a spreadsheet would take for a formula, since it begins with
        =, +, - or @, has a ' before it. A file begins with the mark by which Excel knows UTF-8.

        Parameters
        ----------
        path : a file to write; without it, nothing is written

        Returns
        -------
        text : what the file holds, without the mark

        Raises
        ------
        InputError
            Where the file cannot be written.
        """
        text = csv_text(self)
        if path is not None:
            written(Path(path), lambda file: file.write_text(text, encoding="utf-8-sig", newline=""))
        return text

    def to_pandas(self) -> Any:
        """The columns of `to_csv` as a DataFrame, numbers as numbers."""
        import pandas as pd  # type: ignore[import-untyped]

        return pd.DataFrame(exported(self))

    def to_excel(self, path: str | Path) -> None:
        """The columns of `to_csv` as a sheet of Excel (.xlsx); words are never formulas.

        Raises
        ------
        InputError
            Where openpyxl is missing, or the file is not called .xlsx or cannot be written.
        """
        file, frame = Path(path), self.to_pandas()
        if file.suffix.lower() != ".xlsx":
            raise InputError(f"{file}: needed a name that ends in .xlsx, found {file.suffix!r}; rename it")
        if find_spec("openpyxl") is None:
            raise InputError(f"{file}: needed openpyxl for a sheet of Excel, found none; pip install openpyxl")
        written(file, lambda file: _to_sheet(frame, file))


def _to_sheet(frame: Any, file: Path) -> None:
    """Write a sheet, with what looks like a formula as the text that it is."""
    import pandas as pd

    with pd.ExcelWriter(file, engine="openpyxl") as writer:
        frame.to_excel(writer, index=False, sheet_name="table", freeze_panes=(1, 0))
        for row in writer.sheets["table"].iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    cell.data_type = "s"
