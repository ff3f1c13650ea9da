"""Text with a unit at the edges (study.toml, vdlist, CSV headers, command line) to SI numbers inside."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from nmrdyn.schema import ZERO_CELSIUS, InputError

UNITS: dict[str, dict[str, float]] = {
    "frequency": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
    "time": {
        "s": 1.0,
        "ms": 1e-3,
        "us": 1e-6,
        "µs": 1e-6,
        "ns": 1e-9,
        "ps": 1e-12,
        "fs": 1e-15,
        "min": 60.0,
    },
    "energy": {"eV": 1.0, "meV": 1e-3, "kJ/mol": 1 / 96.48533212331002, "kcal/mol": 4.184 / 96.48533212331002},
    "length": {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "nm": 1e-9, "pm": 1e-12, "A": 1e-10, "Å": 1e-10},
    "area": {"m^2": 1.0, "cm^2": 1e-4, "mm^2": 1e-6, "m²": 1.0, "cm²": 1e-4, "mm²": 1e-6},
    "second moment": {"s^-2": 1.0, "/s^2": 1.0},
    "rate": {"/s": 1.0, "s^-1": 1.0, "ms^-1": 1e3},
    "diffusion": {
        "m^2/s": 1.0,
        "m²/s": 1.0,
        "cm^2/s": 1e-4,
        "cm²/s": 1e-4,
        "nm^2/ns": 1e-9,
        "A^2/ps": 1e-8,
        "Å^2/ps": 1e-8,
    },
    "volume": {"m^3": 1.0, "nm^3": 1e-27, "A^3": 1e-30, "Å^3": 1e-30},
    "temperature": {"K": 1.0, "°C": 1.0, "C": 1.0, "degC": 1.0},
    "reciprocal temperature": {"1/K": 1.0},
    "shift": {"ppm": 1.0},
    "conductivity": {
        "S/m": 1.0, "S/cm": 1e2, "mS/cm": 0.1, "µS/cm": 1e-4, "uS/cm": 1e-4, "mS/m": 1e-3, "Ω^-1 cm^-1": 1e2,
    },
    "conductivity times temperature": {
        "S K/m": 1.0, "S K/cm": 1e2, "mS K/cm": 0.1, "µS K/cm": 1e-4, "Ω^-1 cm^-1 K": 1e2,
    },
    "resistance": {
        "ohm": 1.0, "Ω": 1.0, "kohm": 1e3, "kΩ": 1e3, "Mohm": 1e6, "MΩ": 1e6, "Gohm": 1e9, "GΩ": 1e9,
    },
}  # fmt: skip

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_FACTOR = re.compile(r"(/?)\s*(?:1(?=\s*/)|(°?[^\W\d_]+)(?:\^?([-+]?[0-9]))?)[\s·⋅*.]*")
_QUANTITY = re.compile(rf"^\s*({_NUMBER})\s*(?:(?:±|\+/-|\+-)\s*({_NUMBER})\s*)?([^\s\d].*?)?\s*$")


@dataclass(frozen=True)
class Quantity:
    """A value in SI (eV for an energy) and its standard error, 0 where none was given."""

    value: float
    stderr: float = 0.0


@lru_cache(maxsize=1000)
def unit_factors(unit: str) -> tuple[tuple[str, int], ...]:
    """The factors of a unit with their powers in the order of the alphabet, alike for every spelling; () for no unit.

    >>> unit_factors("S cm⁻¹") == unit_factors("S/cm") == unit_factors("S·cm^-1") == unit_factors("S cm-1")
    True
    >>> unit_factors("kOhm") == unit_factors("kΩ") == unit_factors("KΩ")  # no unit has kelvin before ohm
    True
    """
    text = re.sub("ohms?", "Ω", unicodedata.normalize("NFKC", unit).replace("−", "-"), flags=re.IGNORECASE).strip()
    text = text.replace("KΩ", "kΩ")
    powers: dict[str, int] = {}
    place = 0
    while place < len(text):
        match = _FACTOR.match(text, place)
        if match is None:
            return ()
        slash, symbol, power = match.groups()
        if symbol:
            powers[symbol] = powers.get(symbol, 0) + (-1 if slash else 1) * int(power or 1)
        place = match.end()
    return tuple(sorted(powers.items()))


def factor_to_si(unit: str, units: Mapping[str, float]) -> float | None:
    """The factor of a unit in any of its spellings, None for one that is not among `units`.

    >>> factor_to_si("mS cm^-1", UNITS["conductivity"])
    0.1
    """
    factors = unit_factors(unit)
    return next((value for known, value in units.items() if factors and unit_factors(known) == factors), None)


def parse(
    text: object, dimension: str, *, name: str, difference: bool = False, positive: bool = False, exact: bool = False
) -> Quantity:
    """Read "0.1 MHz" or "1.00 ± 0.05 MHz".

    `difference` says that a temperature is a step or an error, so that "1 °C" is 1 K and not 274.15 K; `positive`
    refuses 0 and less, `exact` a ± of its own.

    Raises
    ------
    InputError
        For a missing or unknown unit, or text that holds no number; it names `name` and the units that do.

    Examples
    --------
    >>> parse("1.00 ± 0.05 MHz", "frequency", name="cq")
    Quantity(value=1000000.0, stderr=50000.0)
    >>> parse("60 °C", "temperature", name="temperature").value
    333.15
    """
    units = UNITS[dimension]
    known, article = ", ".join(units), "an" if dimension == "energy" else "a"
    match = _QUANTITY.match(str(text))
    if match is None:
        raise InputError(f'{name}: needed {article} {dimension} such as "1 {next(iter(units))}", found {text!r}')
    number, error, unit = match.groups()
    if unit is None:
        raise InputError(f"{name}: needed {article} {dimension} with a unit ({known}), found {text!r} without one")
    factor = factor_to_si(unit, units)
    if factor is None:
        raise InputError(f"{name}: needed {article} {dimension} in one of {known}, found the unit {unit!r} in {text!r}")
    value, stderr = float(number) * factor, float(error or 0.0) * factor
    if stderr < 0:
        raise InputError(f"{name}: needed a standard error of 0 or more, found {text!r}")
    if not (math.isfinite(value) and math.isfinite(stderr)):
        raise InputError(f"{name}: needed a finite {dimension}, found {text!r}")
    if dimension == "temperature" and unit != "K" and not difference:
        value += ZERO_CELSIUS
    if dimension == "temperature" and not difference and value <= 0:
        raise InputError(f"{name}: needed a temperature above 0 K, found {text!r}")
    if exact and stderr > 0:
        raise InputError(f"{name}: needed one value without a ± of its own, found {text!r}")
    if positive and value <= 0:
        raise InputError(f"{name}: needed {article} {dimension} above 0, found {text!r}")
    return Quantity(value, stderr)


def interval_said(low: float, high: float) -> str:
    """An interval of a positive quantity in words, as far as it is limited.

    >>> interval_said(0.0123, 0.0456), interval_said(0.0, 0.5), interval_said(0.5, math.inf)
    ('0.0123 to 0.0456', 'below 0.5', 'above 0.5')
    """
    if math.isnan(low):
        return "-"
    if low == 0:
        return "any" if math.isinf(high) else f"below {high:.3g}"
    return f"above {low:.3g}" if math.isinf(high) else f"{low:.3g} to {high:.3g}"
