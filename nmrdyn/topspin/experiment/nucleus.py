"""Whether NUC1 can be right: which isotopes the observed frequency fits at the field of the console."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmrdyn.isotopes import Isotope, table
from nmrdyn.schema import InputError
from nmrdyn.topspin.files.text import text_inside

_SHIFT = 0.005  # of the frequency; few lines are farther from their reference
_WIDE = 0.03  # the largest shifts of metals, and offsets within the widest quadrupolar spectra
_SURE = 0.001  # closer than this, an isotope fits better than one that is off by a rare shift
_NOMINAL = 0.02  # of "500" in the name of a console or a probe
_MAGNETS = (200, 250, 270, 300, 360, 400, 500, 600, 700, 750, 800, 850, 900, 950, 1000, 1100, 1200)  # 1H, MHz
_MHZ_PER_TESLA = 42.577478  # 1H (CODATA 2022)
_ELECTRON = 658.2107  # frequency of a free electron over that of 1H (CODATA 2022)
_RADICALS = 0.01  # g of the radicals in use is that of the free electron within this
_MICROWAVES = ((8.5, 10.5), (33.0, 36.5), (92.0, 97.0))  # GHz: bands X, Q and W
_LARGEST = 200_000  # bytes; uxnmr.info has some kilobytes


@dataclass(frozen=True)
class Nucleus:
    """The observed nucleus.

    Attributes
    ----------
    name : NUC1, as `Isotope` writes it where it is one
    fits : isotopes that SFO1 fits at the field of the console, the best first; () where that field is not known
    warnings : where NUC1 cannot be right, or names no isotope
    """

    name: str
    fits: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Field:
    """1H at `proton` [MHz], as `source` says, right within `tolerance`."""

    proton: float
    source: str
    tolerance: float = 0.0

    def offset(self, frequency: float, isotope: Isotope) -> float:
        """How far off `frequency` [MHz] is for an isotope, relatively."""
        return abs(frequency / (self.proton * isotope.larmor_ratio) - 1)

    def isotopes(self, frequency: float, within: float) -> list[str]:
        """All isotopes that `frequency` [MHz] fits, the closest first."""
        offsets = {name: self.offset(frequency, isotope) for name, isotope in table().items()}
        limit = max(within, self.tolerance)
        return sorted((name for name in offsets if offsets[name] <= limit), key=lambda name: offsets[name])


def nucleus_of(acqus: Mapping[str, Any], *, where: Path) -> Nucleus:
    """The nucleus that NUC1 names, and whether its frequency can be that of SFO1.

    The field of the console is what its other channels say: a channel in use by its nucleus, one that is off by the
    frequency of 1H that TopSpin leaves there; then uxnmr.info, and the names of console and probe. A frequency up to
    3 % off passes for a shift or a wide spectrum unless another isotope is within 0.1 %; without any of these, and
    where NUC1 needs the field of a common magnet and no isotope fits better, NUC1 is believed. It is never renamed.

    Parameters
    ----------
    acqus : as `read_parameters` gives it
    where : the file acqus; uxnmr.info beside it is read

    Examples
    --------
    >>> console = {"NUC1": "<13C>", "SFO1": 132.29, "NUC2": "<off>", "BF2": 500.13}
    >>> nucleus = nucleus_of(console, where=Path("12/acqus"))
    >>> nucleus.name, nucleus.fits, fits_frequency("Na23", nucleus)
    ('13C', ('23Na', '63Cu'), True)
    >>> nucleus.warnings[0].split(":")[0]
    'NUC1 says 13C, which does not fit SFO1 = 132.29 MHz'
    """
    name = _isotope_name(str(acqus.get("NUC1", "")))
    frequency = _megahertz(acqus, "SFO1")
    if not frequency > 0:
        return Nucleus(name)
    microwave = _microwave_field(acqus, frequency)
    fields = _fields(acqus, where) or microwave
    isotope = table().get(name)
    if isotope is None:
        fits = _fits(frequency, fields)
        known = f"SFO1 = {frequency:.6g} MHz fits {_or(fits)}" if fits else "nor does its frequency tell one"
        return Nucleus(name, fits, (f"NUC1 says {name!r}, which is no isotope: {known}",))
    if not fields:
        return Nucleus(name)
    own = min(fields, key=lambda field: field.offset(frequency, isotope) - field.tolerance)
    offset = max(own.offset(frequency, isotope) - own.tolerance, 0.0)
    better = [] if own.tolerance else own.isotopes(frequency, _SURE)
    if offset <= _SHIFT or (offset <= _WIDE and not better):
        return Nucleus(name, tuple(dict.fromkeys([*own.isotopes(frequency, _SHIFT), name])))
    fits = _fits(frequency, microwave) or _fits(frequency, fields)
    if not fits and _is_magnet(frequency / isotope.larmor_ratio):
        return Nucleus(name)
    return Nucleus(name, fits, (_contradiction(frequency, isotope, fields, fits, microwave),))


def fits_frequency(name: str, nucleus: Nucleus) -> bool:
    """Whether the observed nucleus may be called `name` ("1H"): it is NUC1, or fits the frequency that NUC1 does not.

    Examples
    --------
    >>> fits_frequency("1H", Nucleus("15N", ("1H",))), fits_frequency("13C", Nucleus("15N", ("1H",)))
    (True, False)
    """
    others = () if nucleus.name in nucleus.fits else nucleus.fits
    return _isotope_name(name) in (nucleus.name, *others)


def _isotope_name(text: str) -> str:
    plain = "".join(letter for letter in text.strip("<> \t") if letter.isprintable())[:20]
    try:
        return Isotope.get(plain).name
    except InputError:
        return plain


def _megahertz(acqus: Mapping[str, Any], key: str) -> float:
    """A frequency above 0, else NaN."""
    try:
        value = float(str(acqus.get(key, np.nan)).strip("<> \t"))
    except (TypeError, ValueError, OverflowError):
        return np.nan
    return value if 0 < value < 1e5 else np.nan


def _fields(acqus: Mapping[str, Any], where: Path) -> list[_Field]:
    """What is known of the console's field, without NUC1: of the strongest source there is, the most frequent first."""
    in_use, off = [], []
    for channel in range(2, 9):
        base = _megahertz(acqus, f"BF{channel}")
        if np.isnan(base):
            continue
        isotope = table().get(_isotope_name(str(acqus.get(f"NUC{channel}", ""))))
        if isotope:
            in_use.append(_Field(base / isotope.larmor_ratio, f"{isotope.name} on channel {channel}"))
        else:
            off.append(_Field(base, f"BF{channel}"))
    return _common(in_use + _configured(where)) or _common(off) or _nominal(acqus)


def _common(fields: list[_Field]) -> list[_Field]:
    """Without those that say the same as another, the most frequent first."""
    groups: list[list[_Field]] = []
    for field in fields:
        for group in groups:
            if abs(group[0].proton / field.proton - 1) < _SURE:
                group.append(field)
                break
        else:
            groups.append([field])
    return [group[0] for group in sorted(groups, key=len, reverse=True)]


def _configured(where: Path) -> list[_Field]:
    """The frequency of 1H in uxnmr.info, which the console writes beside acqus."""
    text = text_inside(where.parent / "uxnmr.info", where.parent, most=_LARGEST)
    found = re.search(r"^1H-frequency\s{0,20}:\s{0,20}(\d{1,4}(?:\.\d{1,9})?)", text, re.MULTILINE)
    return [_Field(float(found[1]), "uxnmr.info")] if found and float(found[1]) > 0 else []


def _nominal(acqus: Mapping[str, Any]) -> list[_Field]:
    """The magnet that the names of the console and the probe say: "AV NEO 600", "CP QCI 600 S3"."""
    return [
        _Field(float(word), key, _NOMINAL)
        for key in ("INSTRUM", "PROBHD")
        for word in re.findall(r"(?<![\d./])\d{3,4}(?![\d./])", str(acqus.get(key, ""))[:200])
        if int(word) in _MAGNETS
    ][:4]


def _microwave_field(acqus: Mapping[str, Any], frequency: float) -> list[_Field]:
    """The field of an electron at the microwave frequency [GHz] that DNP consoles note in USERA1 to USERA5.

    It counts where `frequency` [MHz] is that of an isotope there: those parameters are free for anything.
    """
    for key in (f"USERA{i}" for i in range(1, 6)):
        gigahertz = _megahertz(acqus, key)
        if any(low < gigahertz < high for low, high in _MICROWAVES):
            field = _Field(1e3 * gigahertz / _ELECTRON, f"{key}: electrons at {gigahertz:g} GHz", _RADICALS)
            return [field] if _fits(frequency, [field]) else []
    return []


def _fits(frequency: float, fields: list[_Field]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for field in fields for name in field.isotopes(frequency, _SHIFT)))


def _is_magnet(proton: float) -> bool:
    return any(abs(proton / magnet - 1) < _NOMINAL for magnet in _MAGNETS)


def _contradiction(
    frequency: float, isotope: Isotope, fields: list[_Field], fits: tuple[str, ...], microwave: list[_Field]
) -> str:
    proton = frequency / isotope.larmor_ratio
    known = " or ".join(f"{field.proton:.6g} MHz ({field.source})" for field in fields[:3])
    text = (
        f"NUC1 says {isotope.name}, which does not fit SFO1 = {frequency:.6g} MHz: it needs {_tesla(proton)} "
        f"(1H at {proton:.5g} MHz), the console has 1H at {known}"
    )
    if not fits:
        return f"{text}; 1H needs {_tesla(frequency)}, but nothing in acqus says which nucleus it is"
    needed = _tesla(frequency / table()[fits[0]].larmor_ratio)
    why = f" ({microwave[0].source})" if microwave else ""
    return f"{text}; {_or(fits)} fits: {fits[0]} needs {needed}{why}; say nucleus={fits[0]!r} if it is that"


def _tesla(proton: float) -> str:
    return f"{proton / _MHZ_PER_TESLA:.4g} T"


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(names[:4])
