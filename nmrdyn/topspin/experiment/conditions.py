"""What else was done to the sample: magic-angle spinning, with its heating, and irradiation of other nuclei."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmrdyn.topspin.experiment.program import Program, program_of
from nmrdyn.topspin.experiment.sequence import irradiated
from nmrdyn.topspin.files.parameters import loose_number
from nmrdyn.topspin.files.text import plain, title_of

_SLOWEST, _FASTEST = 100.0, 200e3  # Hz
UNSET_MASR = 4200.0  # Hz; MASR of consoles on which nobody set it, some of them with probes that cannot spin so
_ROTORS = (0.4, 0.5, 0.7, 0.8, 1.2, 1.3, 1.6, 1.9, 2.5, 3.2, 4.0, 5.0, 7.0)  # mm
_HEATING, _AT_RATE, _AT_ROTOR = 10.0, 10e3, 4.0  # K, Hz, mm

_NUMBER = r"(\d{1,6}(?:\.\d{1,6})?)\s{0,3}(k?)hz"
_SPINNING = r"\(?\s{0,3}(?:mas\b|spin|rotation)"
_TITLE = (
    re.compile(rf"(?<![\d.]){_NUMBER}\s{{0,3}}{_SPINNING}"),
    re.compile(rf"(?:\bmas|\bspinning|\bspin rate|\bspinning speed)[ a-z]{{0,20}}[\s:=@~]{{0,5}}{_NUMBER}"),
)
_STATIC = re.compile(r"\bstatic\b")
_ROTOR = re.compile(r"\b(?:BL|DB|SB)\s?(\d(?:\.\d)?)\b|(?<![\d.])(\d(?:\.\d)?)\s?mm\b")
_LIQUIDS = re.compile(r"BB[IO]|BBFO|T[XBC][IO]|QNP|Q[CX]I|QNP|SEF|SEI|DUL|Multinuclear")


@dataclass(frozen=True)
class Conditions:
    """Spinning and irradiation.

    Attributes
    ----------
    mas_rate : rate of magic-angle spinning [Hz], 0 for a static sample, NaN where it is not known
    irradiated : which nuclei are irradiated while the magnetisation recovers, and how; "" where none is
    notes : where the rate was taken from, its heating, and what else to know
    """

    mas_rate: float = np.nan
    irradiated: str = ""
    notes: tuple[str, ...] = ()


def conditions(expno: Path, acqus: Mapping[str, Any]) -> Conditions:
    """Spinning rate and irradiation of an expno, as its title, pulse program and parameters tell them.

    MASR is what somebody set, if anybody did: a rate in the title is believed before it, and so is CNST31 where the
    pulse program uses it. Friction heats as the square of the speed of the rotor's surface, about 10 K at 10 kHz in a
    4 mm rotor (Brus, Solid State Nucl. Magn. Reson. 16 (2000) 151); a note says how much, and nothing is corrected.
    No error is raised.

    Examples
    --------
    >>> acqus = {"PROBHD": "<4 mm MAS BB/1H>", "MASR": 12000}
    >>> rotor = conditions(Path("no-such-folder"), acqus)
    >>> rotor.mas_rate, rotor.irradiated
    (12000.0, '')
    >>> rotor.notes[-1].split(":")[0]
    'friction at 12000 Hz heats the 4 mm rotor by about 14 K, which TE does not contain'
    """
    program = program_of(expno, acqus)
    rate, notes = _mas(expno, acqus, program)
    if rate > 0:
        notes.append(_friction(rate, _rotor(acqus)))
    irradiation, told = _irradiation(acqus, program)
    return Conditions(rate, irradiation, (*notes, *told))


def _mas(expno: Path, acqus: Mapping[str, Any], program: Program | None) -> tuple[float, list[str]]:
    """The rate by the most trusted source, and where it is from."""
    probe = plain(acqus.get("PROBHD", ""))
    set_rate = loose_number(acqus.get("MASR"))
    title = _title_rate(expno)
    if title == 0:
        return 0.0, ["static, by the title"]
    found = [(title, "the title")]
    if program is not None and "cnst31" in program.names:
        found.append((_constant(acqus, 31), "CNST31, which the pulse program uses"))
    if "MAS" in probe.upper() and set_rate != UNSET_MASR:
        found.append((set_rate, "MASR"))
    found = [(rate, source) for rate, source in found if _SLOWEST <= rate <= _FASTEST]
    if found:
        rate, source = found[0]
        others = [f"{other} {value:g} Hz" for value, other in found[1:] if abs(value / rate - 1) > 0.02]
        differing = f"; {', '.join(others)} would be another" if others else ""
        return rate, [f"MAS rate {rate:g} Hz by {source}{differing}"]
    if "MAS" not in probe.upper() and _LIQUIDS.search(probe):
        return 0.0, []
    if set_rate == UNSET_MASR:
        return np.nan, [f"MASR is {UNSET_MASR:g} Hz, its value where nobody set it: the MAS rate is not known"]
    return np.nan, []


def _title_rate(expno: Path) -> float:
    """The spinning rate [Hz] in the title, 0 for "static", NaN where it says neither."""
    title = title_of(expno).lower()
    for pattern in _TITLE:
        if match := pattern.search(title):
            return float(match[1]) * (1e3 if match[2] else 1.0)
    return 0.0 if _STATIC.search(title) else np.nan


def _rotor(acqus: Mapping[str, Any]) -> float:
    """Outer diameter of the rotor [mm] by the name of the probe; NaN where it does not say."""
    match = _ROTOR.search(plain(acqus.get("PROBHD", "")))
    diameter = float(match[1] or match[2]) if match else np.nan
    return diameter if diameter in _ROTORS else np.nan


def _friction(rate: float, rotor: float) -> str:
    known = np.isfinite(rotor)
    heating = _HEATING * (rate / _AT_RATE * (rotor if known else _AT_ROTOR) / _AT_ROTOR) ** 2
    which = f"the {rotor:g} mm rotor" if known else f"a {_AT_ROTOR:g} mm rotor (the probe's name does not say which)"
    return (
        f"friction at {rate:g} Hz heats {which} by about {heating:.2g} K, which TE does not contain: calibrate on this "
        "rotor at this rate, nothing is corrected"
    )


def _irradiation(acqus: Mapping[str, Any], program: Program | None) -> tuple[str, list[str]]:
    """What is on during the recovery delay besides channel 1, and what it means."""
    if program is None or not program.steps:
        decoupled = [
            f"{_nucleus(acqus, channel)} ({sequence})"
            for channel in range(2, 5)
            if _nucleus(acqus, channel) and (sequence := _decoupling(acqus, channel))
        ]
        unsure = f"decoupling of {', '.join(decoupled)} is set up, and no pulse program tells when it is on"
        return "", [unsure] if decoupled else []
    during = irradiated(program.steps)
    words: dict[int, str] = {}
    for i, step in enumerate(program.steps):
        if step.varied != "vd" or step.what != "delay":
            continue
        for channel, word in during[i].items():
            sequence = _decoupling(acqus, int(word[-1]) if word[-1].isdigit() else channel)
            words[channel] = word if word == "cw" or not sequence else f"{word} {sequence}"
        for other in program.steps:
            if other.what == "pulse" and step.loops and other.loops[-1:] == step.loops[-1:]:
                words.setdefault(other.channel, "pulses")
    words = {channel: word for channel, word in words.items() if channel > 1}
    idle = [f"f{channel}" for channel in words if not _nucleus(acqus, channel)]
    on = [f"{nucleus}, {words[channel]}" for channel in words if (nucleus := _nucleus(acqus, channel))]
    notes = [f"the pulse program irradiates {', '.join(idle)} during the delay, but no nucleus is set there"] * bool(
        idle
    )
    if not on:
        return "", notes
    irradiation = f"{'; '.join(on)} during the recovery delay"
    meaning = (
        f"{irradiation}: cross relaxation with it is suppressed, and the intensities may carry a nuclear Overhauser "
        "effect (Solomon, Phys. Rev. 99 (1955) 559)"
    )
    return irradiation, [*notes, meaning]


def _nucleus(acqus: Mapping[str, Any], channel: int) -> str:
    name = plain(acqus.get(f"NUC{channel}", ""))
    return "" if name.lower() == "off" else name


def _decoupling(acqus: Mapping[str, Any], channel: int) -> str:
    """The decoupling sequence of a channel: CPDPRG2 of older consoles, an entry of CPDPRG of newer ones."""
    listed = acqus.get("CPDPRG", "")
    if isinstance(listed, list) and channel < len(listed):
        return plain(listed[channel])
    return plain(acqus.get(f"CPDPRG{channel}", ""))


def _constant(acqus: Mapping[str, Any], index: int) -> float:
    values = acqus.get("CNST")
    return loose_number(values[index]) if isinstance(values, list) and index < len(values) else np.nan
