"""Spins, frequency ratios and quadrupole moments; every value in data/isotopes.csv has its source beside it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from math import isfinite, isnan, nan
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import PLANCK_EV, Array, InputError

MILLIBARN = 1e-31  # m^2

# Electric field gradients in V/m^2; the atomic unit is that of CODATA 2018.
EFG_UNITS = {"V/A^2": 1e20, "1e21 V/m^2": 1e21, "V/m^2": 1.0, "a.u.": 9.7173624292e21}

QUADRUPOLAR_SPINS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5)
_E_OVER_H = 1 / PLANCK_EV  # 1/(V s)
_LARGEST_Q = 1e-27  # m^2; no nucleus reaches 10 b
_SAME_Q = 0.01  # moments closer than this, relatively, count as the same
_MEAN_Q = 0.003  # a mean is recognised this closely: with other abundances, but not as an older value of 7Li


@dataclass(frozen=True)
class Isotope:
    """One isotope.

    Attributes
    ----------
    spin : nuclear spin I
    larmor_ratio : Xi / 100, Larmor frequency over that of 1H in TMS (IUPAC 2001/2008); always positive
    gamma : magnetogyric ratio [rad s^-1 T^-1], signed
    quadrupole_moment : Q [m^2], Pyykkö, Mol. Phys. 116 (2018) 1328; NaN for spin 1/2
    quadrupole_moment_2008 : Q [m^2], Pyykkö, Mol. Phys. 106 (2008) 1965, for comparison with older work
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
    quadrupole_moment_2008: float
    abundance: float

    @property
    def element(self) -> str:
        """Symbol of the element, "B" for 11B."""
        return self.name.lstrip("0123456789")

    @staticmethod
    def get(name: str) -> Isotope:
        """The isotope called `name` ("11B"); "B11" and "11b" are understood.

        Raises
        ------
        InputError
            For a name that is not in the table, with the nearest that are; for an element without a mass number.
        """
        known = table()
        text = str(name).strip()
        match = re.fullmatch(r"(\d+)\s*-?\s*([A-Za-z]+)|([A-Za-z]+)\s*-?\s*(\d+)", text)
        if match:
            mass, element = (match[1], match[2]) if match[1] else (match[4], match[3])
            text = f"{mass}{element.capitalize()}"
        if text not in known:
            if present := isotopes_of(text.capitalize()):
                raise InputError(
                    f"nucleus: needed an isotope with its mass number, found {name!r}; the table has "
                    f"{_and(one.name for one in present)} (spin, Xi and Q belong to one isotope: a mean over a mixture "
                    "means nothing)"
                )
            near = ", ".join(get_close_matches(text, known, n=3, cutoff=0.4)) or "none like it"
            raise InputError(f"nucleus: needed an isotope such as 23Na, found {name!r}; the nearest known: {near}")
        return known[text]

    def quadrupolar_coupling(self, vzz: npt.ArrayLike, *, unit: str, quadrupole_moment: float | None = None) -> Array:
        """C_Q = e Q V_zz / h of this isotope in an electric field gradient.

        Parameters
        ----------
        vzz : largest principal component V_zz of the tensor, any shape, signed
        unit : of `vzz`: "V/A^2" (or "V/Å^2"), "1e21 V/m^2", "V/m^2" or "a.u."
        quadrupole_moment : Q [m^2] in place of that of the table (1 mb = 1e-31 m^2)

        Returns
        -------
        cq : C_Q [Hz], signed, of the shape of `vzz`; T1 needs its square only

        Raises
        ------
        InputError
            For spin 1/2, an unknown unit, a Q that is no moment in m^2, or one that is the abundance-weighted mean
            over the isotopes of the element (within 0.3 %, and farther than 1 % from the isotope's own).

        Notes
        -----
        e and h are exact (SI of 2019), 1 a.u. = 9.7173624292e21 V/m^2 (CODATA 2018). Definition: Cohen and Reif,
        Solid State Phys. 5 (1957) 321.

        Examples
        --------
        >>> Isotope.get("11B").quadrupolar_coupling([1.0, -2.0], unit="V/A^2").round(1)
        array([  98146.2, -196292.4])
        """
        return self._moment(quadrupole_moment) * _E_OVER_H * efg_factor(unit) * np.asarray(vzz, dtype=float)

    def _moment(self, given: float | None) -> float:
        """Q [m^2]: the table's, or the one given if it can be this isotope's."""
        own = self.quadrupole_moment
        if isnan(own):
            others = [one.name for one in isotopes_of(self.element) if not isnan(one.quadrupole_moment)]
            also = f"; of {self.element} the table has {_and(others)}" if others else ""
            raise InputError(f"{self.name}: needed a quadrupole moment, found spin {self.spin:g}, which has none{also}")
        if given is None:
            return own
        try:
            moment = float(given)
        except (TypeError, ValueError):
            moment = nan
        if not (isfinite(moment) and abs(moment) < _LARGEST_Q):
            raise InputError(
                f"quadrupole_moment: needed Q in m^2 (1 mb = 1e-31 m^2; {self.name} is {own:.5g}), found {given!r}"
            )
        if is_mean_moment(moment, self.element) and not same_moment(moment, own):
            raise InputError(
                f"quadrupole_moment: an abundance-weighted Q belongs to no nucleus: {self.name} is "
                f"{own / MILLIBARN:.6g} mb, found {moment / MILLIBARN:.6g} mb, the mean over "
                f"{_and(one.name for one in isotopes_of(self.element))}; leave quadrupole_moment out"
            )
        return moment


def known_spin(name: str) -> float | None:
    """The spin of the isotope called `name`, None where it is not in the table."""
    try:
        return Isotope.get(name).spin
    except InputError:
        return None


def efg_factor(unit: str) -> float:
    """V/m^2 in one `unit` of an electric field gradient.

    Raises
    ------
    InputError
        For a unit that is not known; it lists those that are.
    """
    # NFC makes one character of the three ways to write an ångström.
    text = normalize("NFC", str(unit)).strip().replace("²", "^2").replace("Å", "A")
    if text not in EFG_UNITS:
        raise InputError(f"unit: needed that of an electric field gradient ({', '.join(EFG_UNITS)}), found {unit!r}")
    return EFG_UNITS[text]


def isotopes_of(element: str) -> list[Isotope]:
    """All isotopes of `element` ("B") in the table, lightest first."""
    return [one for one in table().values() if one.element == element]


def mean_quadrupole_moment(element: str) -> float:
    """Abundance-weighted Q [m^2] over the isotopes that have one; NaN where these are fewer than two.

    It belongs to no nucleus, and is here to be recognised.
    """
    isotopes = [one for one in isotopes_of(element) if not isnan(one.quadrupole_moment)]
    if len(isotopes) < 2:
        return nan
    return sum(one.abundance * one.quadrupole_moment for one in isotopes) / sum(one.abundance for one in isotopes)


def same_moment(found: float, known: float) -> bool:
    """Whether two quadrupole moments agree within 1 % of `known`; never where `known` is NaN."""
    return abs(found - known) <= _SAME_Q * abs(known)


def is_mean_moment(found: float, element: str) -> bool:
    """Whether a quadrupole moment [m^2] is the abundance-weighted mean over the isotopes of `element`."""
    mean = mean_quadrupole_moment(element)
    return abs(found - mean) <= _MEAN_Q * abs(mean)


def _and(names: Iterable[str]) -> str:
    """10B and 11B."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


@cache
def table() -> dict[str, Isotope]:
    """All isotopes by name."""

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
            quadrupole_moment=number(row["q2018_mb"]) * MILLIBARN,
            quadrupole_moment_2008=number(row["q2008_mb"]) * MILLIBARN,
            abundance=number(row["abundance_percent"]),
        )
        for row in rows
    }
