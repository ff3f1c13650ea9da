"""Published barriers, conductivities and correlation times; each in data/literature.csv has its place beside it."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from functools import cache
from importlib.resources import as_file, files
from types import MappingProxyType

import numpy as np
import xarray as xr

from nmrdyn.columns.headers import ColumnSpec
from nmrdyn.columns.read import Table, read_columns
from nmrdyn.schema import InputError, stamp

# The closed list of quantities; each is a barrier [eV] but the last three.
QUANTITIES = MappingProxyType(
    {
        "NMR": "barrier by NMR; by which method is not said",
        "NMR T1": "barrier as the slope of relaxation rates",
        "NMR tau_c": "barrier of correlation times that were calculated from T1",
        "EIS sigma": "barrier of measured conductivities by sigma = A exp(-E/kT)",
        "EIS sigma*T": "barrier of measured conductivities by sigma*T = A exp(-E/kT)",
        "EIS (convention not stated)": "barrier of measured conductivities by an equation that is not stated",
        "AIMD D": "barrier of diffusion coefficients from ab initio molecular dynamics",
        "NEB/DFT": "barrier of one path from total energies",
        "BVSE": "barrier of one path from bond valence site energies",
        "simulation": "calculated barrier; by which method is said in the note or not at all",
        "conductivity": "measured ionic conductivity",
        "conductivity (simulated)": "calculated ionic conductivity",
        "correlation time": "correlation time by NMR",
    }
)

_TEXTS = ("compound", "phase", "quantity", "moves", "qualifier", "value_printed", "unit_printed", "unit")
_SOURCES = ("convention", "paper", "doi", "place", "cited", "note")
_TEMPERATURES = ("temperature_low", "temperature_high")
_WANTED = (
    {name: ColumnSpec(name, "text", required=True) for name in ("key", *_TEXTS, *_SOURCES)}
    | {name: ColumnSpec(name, "number", required=True) for name in ("value", "stderr")}
    | {name: ColumnSpec(name, "temperature", required=True) for name in _TEMPERATURES}
)


def literature(*, compound: str | None = None, quantity: str | None = None) -> xr.Dataset:
    """Published barriers [eV], conductivities [S/m] and correlation times [s], as printed and in these units.

    Entries with `unit` "eV" are barriers. How barriers by impedance were fitted decides 25 to 39 meV between 20 and
    180 °C: the quantity names the equation, and `convention` has it, or "not stated".

    Parameters
    ----------
    compound : such as "Li2OHCl", without which all are given; parentheses, dots and capitals do not matter
    quantity : one of `nmrdyn.literature.QUANTITIES`, such as "NMR tau_c"

    Returns
    -------
    literature : `value` (entry) and `stderr` (entry, NaN where none is printed) in the unit of the coordinate `unit`.
        Other coordinates are `compound`, `phase`, `quantity`, `moves`, `qualifier` ("about", "above", "below", or
        "from" and "to" for the ends of a range), `value_printed` and `unit_printed`, `temperature_low` and
        `temperature_high` [K] (NaN where no number is printed), `convention`, `paper`, `doi` and `place` (what was
        read), `cited` (whom it has the figure from) and `note`.

    Raises
    ------
    InputError
        For a compound or a quantity that is not in the table, with those that are.

    Notes
    -----
    Sources are Tsai et al., Adv. Energy Mater. 13(7) (2023); Gao et al., Nat. Commun. (2023); Yu et al., J. Am. Chem.
    Soc. (2024); and the review of Xia et al., Chem. Rev. 122 (2022) 3763, whose original papers were not read. Ends of
    ranges and bounds are no measurements: look at `qualifier`.

    Examples
    --------
    >>> figures = literature(compound="Na2NH2BH4")
    >>> barriers = figures.isel(entry=figures.unit == "eV")
    >>> for energy, quantity in zip(barriers.value.values, barriers.quantity.values, strict=True):
    ...     print(f"{energy:.3f} eV  {quantity}")
    0.450 eV  NMR tau_c
    0.400 eV  NMR tau_c
    0.552 eV  EIS (convention not stated)
    """
    table = _table()
    columns = {name: np.array(table.texts[name]) for name in table.texts}
    kept = np.ones(len(table.lines), dtype=bool)
    if compound is not None:
        compound = _known("compound", compound, sorted(set(table.texts["compound"])))
        kept &= columns["compound"] == compound
    if quantity is not None:
        quantity = _known("quantity", quantity, QUANTITIES)
        there = sorted(set(columns["quantity"][kept]))
        kept &= columns["quantity"] == quantity
        if not kept.any():
            raise InputError(
                f"literature: needed a quantity known of {compound} ({', '.join(there)}), found {quantity!r}"
            )
    data = xr.Dataset(
        {name: ("entry", table.numbers[name][kept]) for name in ("value", "stderr")},
        coords={"entry": columns["key"][kept]}
        | {name: ("entry", columns[name][kept]) for name in (*_TEXTS, *_SOURCES)}
        | {name: ("entry", table.numbers[name][kept]) for name in _TEMPERATURES},
    )
    return stamp(data, "literature")


@cache
def _table() -> Table:
    """The packaged table."""
    with as_file(files("nmrdyn") / "data" / "literature.csv") as path:
        return read_columns(path, _WANTED, what="a table of published figures")


def _known(what: str, found: str, names: Collection[str]) -> str:
    """The name in the table that `found` means."""
    plain = {_plain(name): name for name in names}
    if _plain(found) not in plain:
        near = plain[get_close_matches(_plain(found), plain, n=1, cutoff=0.0)[0]]
        known = ", ".join(names)
        raise InputError(f"literature: needed a {what} of the table ({known}), found {found!r}; did you mean {near}?")
    return plain[_plain(found)]


def _plain(name: str) -> str:
    """Small letters and digits only: Li2(OH)Cl is Li2OHCl."""
    return re.sub("[^0-9a-z]", "", str(name).casefold())
