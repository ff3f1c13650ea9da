"""Text with a unit at the edges (study.toml, vdlist, CSV headers, command line) to SI numbers inside."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from nmrdyn.schema import ZERO_CELSIUS, InputError

UNITS: dict[str, dict[str, float]] = {
    "frequency": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
    "time": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9, "ps": 1e-12, "min": 60.0},
    "energy": {"eV": 1.0, "meV": 1e-3, "kJ/mol": 1 / 96.48533212331002, "kcal/mol": 4.184 / 96.48533212331002},
    "length": {"m": 1.0, "mm": 1e-3, "nm": 1e-9, "pm": 1e-12, "A": 1e-10, "Å": 1e-10},
    "second moment": {"s^-2": 1.0, "/s^2": 1.0},
    "rate": {"/s": 1.0, "s^-1": 1.0},
    "temperature": {"K": 1.0, "°C": 1.0, "C": 1.0, "degC": 1.0},
    "conductivity": {"S/m": 1.0, "S/cm": 1e2, "mS/cm": 0.1, "µS/cm": 1e-4, "uS/cm": 1e-4, "mS/m": 1e-3},
}

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_QUANTITY = re.compile(rf"^\s*({_NUMBER})\s*(?:(?:±|\+/-|\+-)\s*({_NUMBER})\s*)?([^\s\d].*?)?\s*$")


@dataclass(frozen=True)
class Quantity:
    """A value in SI (eV for an energy) and its standard error, 0 where none was given."""

    value: float
    stderr: float = 0.0


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
    if unit not in units:
        raise InputError(f"{name}: needed {article} {dimension} in one of {known}, found the unit {unit!r} in {text!r}")
    value, stderr = float(number) * units[unit], float(error or 0.0) * units[unit]
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
