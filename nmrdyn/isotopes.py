"""Spins, frequency ratios and quadrupole moments; every value in data/isotopes.csv has its source beside it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from math import nan

from nmrdyn.schema import InputError


@dataclass(frozen=True)
class Isotope:
    """One isotope.

    Attributes
    ----------
    spin : nuclear spin I
    larmor_ratio : Xi / 100, Larmor frequency over that of 1H in TMS (IUPAC 2001/2008); always positive
    gamma : magnetogyric ratio [rad s^-1 T^-1], signed
    quadrupole_moment : Q [m^2], Pyykkö 2018; NaN for spin 1/2
    abundance : natural abundance [%]

    Examples
    --------
    >>> Isotope.get("11B").spin
    1.5
    >>> round(500.2e6 * Isotope.get("11B").larmor_ratio / 1e6, 2)  # 11B where 1H is at 500.2 MHz
    160.48
    """

    name: str
    spin: float
    larmor_ratio: float
    gamma: float
    quadrupole_moment: float
    abundance: float

    @staticmethod
    def get(name: str) -> Isotope:
        """The isotope called `name` ("11B"); "B11" and "11b" are understood.

        Raises
        ------
        InputError
            For a name that is not in the table, with the nearest that are.
        """
        table = _table()
        text = str(name).strip()
        match = re.fullmatch(r"(\d+)\s*-?\s*([A-Za-z]+)|([A-Za-z]+)\s*-?\s*(\d+)", text)
        if match:
            mass, element = (match[1], match[2]) if match[1] else (match[4], match[3])
            text = f"{mass}{element.capitalize()}"
        if text not in table:
            near = ", ".join(get_close_matches(text, table, n=3, cutoff=0.4)) or "none like it"
            raise InputError(f"nucleus: needed an isotope such as 23Na, found {name!r}; the nearest known: {near}")
        return table[text]


@cache
def _table() -> dict[str, Isotope]:
    def number(text: str) -> float:
        return float(text) if text else nan

    text = (files("nmrdyn") / "data" / "isotopes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["isotope"]: Isotope(
            name=row["isotope"],
            spin=float(row["spin"]),
            larmor_ratio=number(row["xi_percent"]) / 100,
            gamma=number(row["gamma_rad_per_s_T"]),
            quadrupole_moment=number(row["q2018_mb"]) * 1e-31,
            abundance=number(row["abundance_percent"]),
        )
        for row in rows
    }
