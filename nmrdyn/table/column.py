"""One column of a table: what is shown, and the plain numbers behind it; with the ways to make one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.rounding import interval, significant, with_error
from nmrdyn.schema import ZERO_CELSIUS
from nmrdyn.units import interval_said

MISSING = "–"


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a `Table`.

    Attributes
    ----------
    head : quantity and unit as shown, "T1 / s"
    cells : text (row,), rounded by the errors, "–" where there is no value
    data : what is exported, (row,) each, in SI and eV, by names with units: {"T1 (s)": ..., "T1_stderr (s)": ...};
        NaN where there is no value. Rows are sorted by the first of them, or by `cells` where there is none
    kept : whether it stays where it is empty all the way down
    """

    head: str
    cells: tuple[str, ...]
    data: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    kept: bool = False

    @property
    def empty(self) -> bool:
        """Whether no cell says anything."""
        return all(cell in ("", MISSING) for cell in self.cells)

    @property
    def numeric(self) -> bool:
        """Whether its cells are numbers."""
        first = next(iter(self.data.values()), ())
        return len(first) > 0 and np.asarray(first).dtype.kind in "fiu"


def texts(
    head: str, values: Sequence[Any] | npt.NDArray[Any], name: str = "", *, beside: Mapping[str, Sequence[Any]] = {}
) -> Column:
    """Words, exported as `name` (`head` unless said), with what is exported `beside` them."""
    cells = tuple(str(value) for value in values)
    return Column(head, cells, {name or head: cells, **beside})


def measured(
    head: str,
    name: str,
    unit: str,
    value: npt.ArrayLike,
    error: npt.ArrayLike,
    *,
    factor: float = 1.0,
    kept: bool = True,
) -> Column:
    """Values with standard errors, exported in `unit` and shown times `factor`."""
    values, errors = np.asarray(value, dtype=float), np.asarray(error, dtype=float)
    cells = tuple(with_error(v * factor, e * factor) for v, e in zip(values, errors, strict=True))
    data = {named(name, unit): values.tolist()}
    if np.isfinite(errors).any():
        data[named(f"{name}_stderr", unit)] = errors.tolist()
    return Column(head, cells, data, kept)


def numbers(
    head: str, name: str, unit: str, value: npt.ArrayLike, *, form: str = "", factor: float = 1.0, digits: int = 4
) -> Column:
    """Values without errors, with so many significant digits, or as `form` says."""
    values = np.asarray(value, dtype=float)
    cells = tuple(
        format(v * factor, form) if form and np.isfinite(v) else significant(v * factor, digits) for v in values
    )
    return Column(head, cells, {named(name, unit): values.tolist()})


def limits(head: str, name: str, unit: str, low: npt.ArrayLike, high: npt.ArrayLike) -> Column:
    """Intervals of a positive quantity, which may be open."""
    lows, highs = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    cells = tuple(interval_said(a, b).replace("-", MISSING, 1) for a, b in zip(lows, highs, strict=True))
    return Column(head, cells, _ends(name, unit, lows, highs))


def intervals(
    head: str, name: str, unit: str, low: npt.ArrayLike, high: npt.ArrayLike, *, factor: float = 1.0
) -> Column:
    """Intervals with both ends, rounded by their width."""
    lows, highs = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    cells = tuple(interval(a * factor, b * factor) for a, b in zip(lows, highs, strict=True))
    return Column(head, cells, _ends(name, unit, lows, highs))


def spans(
    head: str, name: str, unit: str, low: npt.ArrayLike, high: npt.ArrayLike, *, factor: float = 1.0, shift: float = 0.0
) -> Column:
    """From where to where values go, shown times `factor` and less `shift`."""
    lows, highs = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    cells = tuple(
        MISSING if np.isnan(a + b) else " to ".join(dict.fromkeys(significant(end * factor - shift) for end in (a, b)))
        for a, b in zip(lows, highs, strict=True)
    )
    return Column(head, cells, _ends(name, unit, lows, highs))


def ends_of(
    values: npt.NDArray[Any], known: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The least and the largest of the known values in each row; NaN where none is known."""
    low = np.min(values, axis=1, initial=np.inf, where=known)
    high = np.max(values, axis=1, initial=-np.inf, where=known)
    none = ~known.any(axis=1)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def counts(head: str, name: str, value: npt.ArrayLike) -> Column:
    """Whole numbers."""
    values = np.asarray(value)
    return Column(head, tuple(str(int(v)) for v in values), {name: values.tolist()})


def temperatures(data: xr.Dataset) -> Column:
    """Temperatures, shown in °C and exported in K."""
    kelvin = np.asarray(data["temperature"].values, dtype=float)
    error = values_of(data, "temperature_stderr", along=str(data["temperature"].dims[0]))
    cells = tuple(
        with_error(k - ZERO_CELSIUS, e) if np.isfinite(e) and e > 0 else celsius(k)
        for k, e in zip(kelvin, error, strict=True)
    )
    exported = {"temperature (K)": kelvin.tolist()}
    if np.isfinite(error).any():
        exported["temperature_stderr (K)"] = error.tolist()
    return Column("T / °C", cells, exported, kept=True)


def celsius(kelvin: float) -> str:
    """A temperature in °C, with one decimal."""
    return f"{kelvin - ZERO_CELSIUS:.1f}" if np.isfinite(kelvin) else MISSING


def rows_used(used: npt.ArrayLike, planned: npt.ArrayLike) -> Column:
    """The rows of recoveries that are used, of those that were planned."""
    have, want = np.asarray(used, dtype=float), np.asarray(planned, dtype=float)
    cells = tuple(f"{a:.0f} of {b:.0f}" if b > 0 else MISSING for a, b in zip(have, want, strict=True))
    return Column("rows", cells, {"rows_used": have.tolist(), "rows_planned": want.tolist()})


def remarks(*parts: npt.ArrayLike) -> Column:
    """Why a value is missing or in doubt, from several sources; always the last column."""
    columns = [[str(part) for part in np.asarray(column)] for column in parts]
    return texts("remark", ["; ".join(dict.fromkeys(filter(None, row))) for row in zip(*columns, strict=True)])


def values_of(data: xr.Dataset, name: str, *, along: str = "experiment") -> npt.NDArray[Any]:
    """Numbers of a variable, NaN where the stage does not have it."""
    return np.asarray(data[name].values, dtype=float) if name in data.variables else np.full(data.sizes[along], np.nan)


def words_of(data: xr.Dataset, name: str, *, along: str = "experiment") -> list[str]:
    """Words of a variable, "" where the stage does not have it."""
    return [str(word) for word in data[name].values] if name in data.variables else [""] * data.sizes[along]


def named(name: str, unit: str) -> str:
    """The name of an exported column."""
    return f"{name} ({unit})" if unit else name


def _ends(name: str, unit: str, low: npt.NDArray[Any], high: npt.NDArray[Any]) -> dict[str, list[float]]:
    return {named(f"{name}_low", unit): low.tolist(), named(f"{name}_high", unit): high.tolist()}
