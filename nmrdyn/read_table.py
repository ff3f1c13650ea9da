"""A table of T1 or of correlation times, in place of a folder of raw data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.columns.headers import ERROR, ColumnSpec
from nmrdyn.columns.read import TEMPERATURES, Table, kelvin, read_columns, row_names
from nmrdyn.findings import attach
from nmrdyn.isotopes import Isotope
from nmrdyn.schema import Array, InputError, require_within, stamp

_LONGEST = 1e5  # s; where every T1 or tau_c is longer, the column holds something else
_SWAPPED = "are columns swapped, or is the unit in the header another?"
_T1, _R1, _TAU = "T_?1", r"(?:1 ?/ ?T_?1|R_?1)", "(?:tau|τ)[ _]?c?"

_WANTED: dict[str, ColumnSpec] = {
    "experiment": ColumnSpec("experiment|expno", "text"),
    "nucleus": ColumnSpec("nucleus", "text"),
    "larmor": ColumnSpec("larmor(?:[ _]frequency)?", "frequency", positive=True),
    **TEMPERATURES,
    "T1": ColumnSpec(_T1, "time", positive=True),
    "T1_stderr": ColumnSpec(_T1 + ERROR, "time", positive=True, error=True),
    "1/T1": ColumnSpec(_R1, "rate", positive=True),
    "1/T1_stderr": ColumnSpec(_R1 + ERROR, "rate", positive=True, error=True),
    "tau_c": ColumnSpec(_TAU, "time", positive=True, logarithm=True),
    "tau_c_stderr": ColumnSpec(_TAU + ERROR, "time", positive=True, logarithm=True, error=True),
}


def read_table(path: str | Path, *, nucleus: str | None = None, larmor_frequency: float | None = None) -> xr.Dataset:
    """Read a table (CSV, TSV) of T1 or of correlation times whose header names the units.

    Needed are a column of temperatures (`temperature (°C)`, `T [K]` or `1000/T (1/K)`), and one of T1 (`T1 (ms)`,
    `1/T1 (1/s)`) or of tau_c (`tau_c (ps)`, `log10 tau_c (s)`). Columns such as `T1_stderr (ms)`, `R1_stderr (1/s)`,
    `tau_c_stderr (%)`, `log10 tau_c_stderr`, `temperature_stderr (K)`, `experiment`, `nucleus` and `larmor (MHz)` are
    used where there are any. Rows may come in any order, temperatures may repeat; cells and comments are as
    `nmrdyn.columns.read_columns` has them.

    Parameters
    ----------
    path : the file
    nucleus : such as "23Na"; T1 needs it, from here or from a column, of which only the rows of this nucleus are kept
    larmor_frequency : [Hz], of all rows; T1 needs it, from here or from a column

    Returns
    -------
    relaxation or motion : one row an experiment. A table of T1 gives the stage `relaxation`, one of tau_c the stage
        `motion` with the branch "given", for a `Process` with the mechanism `CorrelationTime()`. Errors are NaN where
        the table gives none, an empty cell makes a NaN row with a `reason`. Rows of other nuclei are listed in
        `attrs["left_out"]`.

    Raises
    ------
    InputError
        Where a column or a unit is missing, a column is there twice or in two forms, a value is no (positive) number,
        or columns seem to be swapped; it names the file, the line and the column.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "tau.csv"
    ...     _ = file.write_text("T (°C), tau_c (us), tau_c_stderr (us)\\n60, 1, 0.1\\n15, 7, 0.7\\n", encoding="utf-8")
    ...     motion = read_table(file)
    >>> motion.attrs["stage"], motion.temperature.values, motion.tau_c.values.ravel()
    ('motion', array([333.15, 288.15]), array([1.e-06, 7.e-06]))
    """
    table = read_columns(path, _WANTED, what="a table of T1 or tau_c")
    if not table.lines:
        raise InputError(f"{table.path}: needed rows of data below the header, found none")
    names = row_names(table)
    temperature, temperature_stderr = kelvin(table)
    form = table.one_of(("T1", "1/T1", "tau_c"), "T1 (ms) or tau_c (s)")
    quantity = "T1" if form in ("T1", "1/T1") else "tau_c"
    value, stderr = _values(table, form, quantity)
    larmor = _larmor(table, larmor_frequency, needed=quantity == "T1")
    kept, isotope, left_out = _of_nucleus(table, names, nucleus, needed=quantity == "T1")

    reason = np.full(len(names), "", dtype=object)
    reason[np.isnan(temperature)] = "no temperature"
    reason[np.isnan(value)] = f"no {quantity}"
    if quantity == "T1":
        reason[np.isnan(larmor)] = "no Larmor frequency"
        value = np.where(np.isnan(larmor), np.nan, value)
    stderr = np.where(np.isnan(value), np.nan, stderr)
    variables: dict[str, Any] = {"reason": ("experiment", reason)}
    if quantity == "T1":
        variables |= {"t1": ("experiment", value), "t1_stderr": ("experiment", stderr)}
    else:
        variables |= {
            "tau_c": (("experiment", "branch"), value[:, None]),
            "tau_c_stderr": (("experiment", "branch"), stderr[:, None]),
            "feasible": ("experiment", np.isfinite(value)),
        }
    data = xr.Dataset(
        variables,
        coords={
            "experiment": names,
            "temperature": ("experiment", temperature),
            "temperature_stderr": ("experiment", temperature_stderr),
            "larmor_frequency": ("experiment", larmor),
        }
        | ({"branch": ["given"]} if quantity == "tau_c" else {}),
    ).isel(experiment=kept)
    attach(data, table.findings())
    return stamp(
        data,
        "relaxation" if quantity == "T1" else "motion",
        nucleus=isotope,
        left_out=json.dumps(left_out),
        sources=json.dumps([str(table.path)]),
    )


def _values(table: Table, form: str, quantity: str) -> tuple[Array, Array]:
    """T1 or tau_c and its standard error [s], NaN where not known."""
    forms = ("T1", "1/T1") if quantity == "T1" else ("tau_c",)
    errors = [f"{name}_stderr" for name in forms if f"{name}_stderr" in table.numbers]
    if len(errors) > 1:
        raise InputError(f"{table.path}: needed one column of errors, found {' and '.join(errors)}; leave one of these")
    given = table.numbers[form]
    stderr = table.numbers[errors[0]] if errors else np.full(given.size, np.nan)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        value = 1 / given if form == "1/T1" else given
        if table.relative.intersection(errors):
            stderr = stderr * value
        elif errors == ["1/T1_stderr"]:
            stderr = stderr * value**2
    for what, numbers, source in ((quantity, value, given), (f"error of {quantity}", stderr, stderr)):
        wrong = np.flatnonzero(~np.isnan(source) & ~((numbers > 0) & np.isfinite(numbers)))
        if wrong.size:
            raise InputError(
                f"{table.where(int(wrong[0]))}: needed a positive, finite {what} in s, found {numbers[wrong[0]]:g}"
            )
    known = value[~np.isnan(value)]
    if known.size and known.min() > _LONGEST:
        raise InputError(f"{table.path}: needed {quantity}, found all longer than {_LONGEST:g} s; {_SWAPPED}")
    return value, stderr


def _larmor(table: Table, said: float | None, *, needed: bool) -> Array:
    """Larmor frequencies [Hz] from the column or the argument, never both."""
    n = len(table.lines)
    column = table.numbers.get("larmor")
    if said is not None:
        require_within("larmor_frequency [Hz]", said, least=1e3, most=1e11, single=True)
        if column is not None:
            raise InputError(
                f"{table.path}: needed one Larmor frequency, found a column and {said:g} Hz beside it; leave one"
            )
        return np.full(n, float(said))
    if column is None:
        if needed:
            raise InputError(
                f"{table.path}: needed the Larmor frequency of the T1, found none; add a column 'larmor (MHz)', or "
                'say larmor_frequency=132.3e6 (in a study larmor = "132.3 MHz")'
            )
        return np.full(n, np.nan)
    for row, value in enumerate(column):
        if np.isfinite(value):
            require_within(f"{table.where(row)}: larmor [Hz]", float(value), least=1e3, most=1e11)
    return column


def _of_nucleus(
    table: Table, names: list[str], said: str | None, *, needed: bool
) -> tuple[npt.NDArray[np.bool_], str, dict[str, str]]:
    """Which rows are kept, their isotope ("" if not known), and the others with the reason."""
    wanted = Isotope.get(said).name if said is not None else ""
    column = table.texts.get("nucleus")
    if column is None:
        if needed and not wanted:
            raise InputError(
                f"{table.path}: needed the nucleus of the T1, found none; add a column 'nucleus', or say nucleus='23Na'"
            )
        return np.full(len(names), True), wanted, {}
    nuclei = []
    for row, cell in enumerate(column):
        try:
            nuclei.append(Isotope.get(cell[:40]).name)
        except InputError as error:
            raise InputError(f"{table.where(row)}: {error}") from error
    several = list(dict.fromkeys(nuclei))
    if not wanted and len(several) > 1:
        raise InputError(
            f"{table.path}: needed one nucleus, found {', '.join(several)}; say which, as in nucleus={several[0]!r}"
        )
    wanted = wanted or several[0]
    if wanted not in several:
        raise InputError(f"{table.path}: needed rows of {wanted}, found {', '.join(several)}")
    kept = np.array([nucleus == wanted for nucleus in nuclei])
    others = {name: one for name, one in zip(names, nuclei, strict=True) if one != wanted}
    return kept, wanted, {name: f"of another nucleus, {one}" for name, one in others.items()}
