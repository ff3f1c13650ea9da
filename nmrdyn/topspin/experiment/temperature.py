"""The temperature of an expno: read-out, set point, title, audit trail, or what the user gives, in order of trust."""

from __future__ import annotations

import difflib
import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nmrdyn.schema import ZERO_CELSIUS, InputError
from nmrdyn.temperatures import Given, TemperatureFormula
from nmrdyn.topspin.experiment.conditions import UNSET_MASR
from nmrdyn.topspin.files.parameters import loose_number, read_parameters
from nmrdyn.topspin.files.text import text_inside, title_of

SOURCES = ("te", "vt", "title", "audit")  # in the order of trust unless the user has another

_SAME = 2.0  # K; sources that differ by more are named
_NO_SENSOR = (673.2, 683.16, 690.2)  # 400 to 417 °C: thermocouple inputs at the end of their range
_NEW_DATA_SET = (298.0, 300.0)  # K; what TopSpin writes into a new data set
_USUAL = (60.0, 700.0)  # K; what probes reach in most laboratories
_HIGHEST = 2000.0  # K
_LARGEST_TRAIL = 200_000  # bytes that are read

_NUMBER = r"[0-9]{1,4}(?:\.[0-9]{1,3}|,[0-9](?![0-9]))?"
_READING = re.compile(
    rf"""
    (?:(?P<label>(?<![A-Za-z0-9])(?:(?i:temp|temperature|te|t|vt)(?:\s{{0,2}}[=:~≈]\s{{0,2}}|\s{{1,2}})|@\s?))
       |(?<![A-Za-z0-9.,]))
    (?P<sign>(?<![^\s(=:~≈@])[-−–+])?
    (?P<value>{_NUMBER})
    (?:\s?(?:±|\+/-)\s?(?P<stderr>{_NUMBER}))?
    \s{{0,2}}
    (?:(?P<kelvin>°?\s?K(?:elvin)?|kelvin)
       |(?P<celsius>(?:Â?[°º˚]|deg\.?|degrees|o|\ufffd)\s?C(?:elsius)?|℃|[Cc]elsius)
       |(?P<bare>C))
    (?![A-Za-z0-9+^]|\s?\*|\s?/\s?(?:s|min|h)\b)
    """,
    re.VERBOSE,
)
_RANGE = re.compile(r"(?<![0-9])[0-9]{1,4}\s{0,2}[°º˚]?[KC]?\s{0,2}(?:-|−|–|—|→|\.\.|to)\s{0,2}$")
_CARBON = (11.0, 12.0, 13.0, 14.0)
_TAG = re.compile(r"<[^<>]{0,100}>")


@dataclass(frozen=True)
class Temperature:
    """A temperature and where it comes from.

    Attributes
    ----------
    kelvin : the temperature [K]; NaN where unknown
    stderr : its standard error [K]; NaN where unknown
    source : "TE", "VT set point", "title", "audit trail", "table NAME", "formula TEXT", or "" where unknown
    notes : what is doubtful, in sentences
    """

    kelvin: float = math.nan
    stderr: float = math.nan
    source: str = ""
    notes: tuple[str, ...] = ()


def temperature_of(
    expno: Path, acqus: Mapping[str, Any], *, name: str, trust: Sequence[str] = SOURCES, given: Given | None = None
) -> Temperature:
    """The temperature of an expno by the first source of `trust` that knows it.

    "te" is TE of acqus, what the console read; a read-out without a sensor is never a temperature. "vt" is the set
    point, TE of acqu, unless it is 298 or 300 K, which a new data set has before anyone sets it. "title" and "audit"
    are temperatures with their unit in the title and the audit trail. Notes say what was passed over and why, what is
    odd about the value that is used, and which other sources of `trust` differ from it by more than 2 K.

    Parameters
    ----------
    expno : the folder that holds acqus
    acqus : its parameters, as `read_parameters` gives them
    name : the experiment's name in the user's table, such as "na/12"
    trust : names of `SOURCES` in the order they are asked; those left out are not
    given : the user's table or formula; asked before all, or in the place of "given" in `trust`

    Raises
    ------
    InputError
        For an unknown name in `trust`.

    Examples
    --------
    >>> import tempfile
    >>> from nmrdyn.temperatures import given_temperatures
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     title = Path(folder, "pdata", "1", "title")
    ...     title.parent.mkdir(parents=True)
    ...     _ = title.write_text("1H-13C CPMAS at -110C (163K), 14.1 T")
    ...     told = temperature_of(Path(folder), {"TE": 683.16}, name="1")
    ...     calibrated = temperature_of(Path(folder), {}, name="1", given=given_temperatures("TITLE + 4 ± 1"))
    >>> told.kelvin, told.source, told.notes
    (163.0, 'title', ('TE 683.16 is no temperature: no sensor was read',))
    >>> calibrated.kelvin, calibrated.stderr, calibrated.source
    (167.0, 1.0, 'formula TITLE + 4')
    """
    order = _order(trust, given)
    title = _from_text(_without_tags(title_of(expno)), "title")
    found = {
        "te": _read_out(acqus, title.kelvin),
        "vt": _set_point(expno),
        "title": title,
        "audit": _from_text(
            _without_tags(text_inside(expno / "audita.txt", expno, most=_LARGEST_TRAIL)), "audit trail", labelled=True
        ),
    }
    if given is not None:
        readings = {
            "TE": found["te"].kelvin,
            "TE1": _sensor(acqus.get("TE1")),
            "VT": found["vt"].kelvin,
            "TITLE": title.kelvin,
            "AUDIT": found["audit"].kelvin,
            "MAS": loose_number(acqus.get("MASR")),
        }
        found["given"] = _given(given, name, readings)
    place = next((place for place, key in enumerate(order) if math.isfinite(found[key].kelvin)), len(order))
    notes = [note for key in order[: place + 1] for note in found[key].notes]
    if place == len(order):
        return Temperature(notes=(*notes, "no temperature is known; give one in a table or a formula"))
    used = found[order[place]]
    for key in order[place + 1 :]:
        other = found[key]
        derived = "given" in (order[place], key) and isinstance(given, TemperatureFormula)  # differs by intent
        if abs(other.kelvin - used.kelvin) > _SAME and not derived:
            notes.append(
                f"{used.source} says {used.kelvin:g} K, {other.source} {other.kelvin:g} K; {used.source} is used"
            )
    return replace(used, notes=tuple(notes))


def _order(trust: Sequence[str], given: Given | None) -> list[str]:
    known = (*SOURCES, "given")
    order = [trust] if isinstance(trust, str) else list(trust)
    for key in order:
        if key not in known:
            near = difflib.get_close_matches(str(key).lower(), known, n=1, cutoff=0.0)[0]
            raise InputError(
                f"trust: needed sources of temperature ({', '.join(known)}), found {key!r}; did you mean {near}?"
            )
    if given is None:
        return [key for key in order if key != "given"]
    return order if "given" in order else ["given", *order]


def _given(given: Given, name: str, readings: Mapping[str, float]) -> Temperature:
    kelvin, stderr = given.temperature(name, readings)
    source = given.source_of(name)
    if kelvin <= 0 or kelvin > _HIGHEST:
        return Temperature(notes=(f"{source}: {kelvin:.4g} K is no temperature",))
    if not isinstance(given, TemperatureFormula):
        notes = () if math.isfinite(kelvin) else (f"the {source} does not tell the temperature of {name}",)
        return Temperature(kelvin, stderr, source, notes)
    names = given.formula.names
    if math.isnan(kelvin):
        missing = [one for one in names if math.isnan(readings[one])]
        why = f"{' and '.join(missing)} not known here" if missing else "it gives no temperature here"
        return Temperature(notes=(f"{source}: {why}",))
    note = f"{source}: MASR {UNSET_MASR:g} Hz is that of a new data set, perhaps not the spinning rate"
    return Temperature(kelvin, stderr, source, (note,) if "MAS" in names and readings["MAS"] == UNSET_MASR else ())


def _sensor(value: Any) -> float:
    """A sensor's reading [K]; NaN for none, for what is written without a sensor, and for that of a new data set."""
    kelvin = loose_number(value)
    silent = kelvin in _NEW_DATA_SET or any(abs(kelvin - one) < 0.1 for one in _NO_SENSOR)
    return kelvin if 0 < kelvin <= _HIGHEST and not silent else math.nan


def _read_out(acqus: Mapping[str, Any], title: float) -> Temperature:
    """TE of acqus; `title` [K] speaks for a value that is odd."""
    if "TE" not in acqus:
        return Temperature(notes=("acqus has no TE",))
    te = loose_number(acqus["TE"])
    shown = f"TE {te:g}" if math.isfinite(te) else f"TE {str(acqus['TE'])[:20]!r}"
    if abs(te + ZERO_CELSIUS - title) <= _SAME:
        return Temperature(notes=(f"{shown} is no temperature in K: the title says the same in °C",))
    kelvin = te if te in _NEW_DATA_SET else _sensor(te)
    if math.isnan(kelvin):
        first = _sensor(acqus.get("TE1"))
        notes = [f"{shown} is no temperature: no sensor was read"]
        if math.isfinite(first):
            notes.append(f"TE1, the sensor of the first channel, reads {first:g} K; the formula 'TE1' takes it")
        return Temperature(notes=tuple(notes))
    notes = []
    if not abs(kelvin - title) <= _SAME:
        if not _USUAL[0] <= kelvin <= _USUAL[1]:
            notes.append(f"{shown} K is outside what most probes reach ({_USUAL[0]:g} to {_USUAL[1]:g} K): perhaps °C")
        others = [loose_number(acqus[key]) for key in ("TE1", "TE2", "TE3", "TE4") if key in acqus]
        idle = "no other sensor was read" if others and all(other in _NEW_DATA_SET for other in others) else ""
        idle = "nothing was acquired (DATE 0)" if loose_number(acqus.get("DATE")) == 0 else idle
        if idle and kelvin in _NEW_DATA_SET:
            notes.append(f"{shown} K is that of a new data set, and {idle}: perhaps not measured")
    return Temperature(kelvin, source="TE", notes=tuple(notes))


def _set_point(expno: Path) -> Temperature:
    """TE of acqu, which the user sets and the console aims at."""
    try:
        te = loose_number(read_parameters(expno / "acqu").get("TE"))
    except InputError:
        return Temperature()
    if te in _NEW_DATA_SET:
        return Temperature(notes=(f"the set point {te:g} K (TE of acqu) is that of a new data set: not used",))
    kelvin = _sensor(te)
    if not math.isfinite(kelvin):
        return Temperature()
    return Temperature(
        kelvin, source="VT set point", notes=(f"the set point {te:g} K (TE of acqu) is used: no sensor confirms it",)
    )


def _without_tags(text: str) -> str:
    return html.unescape(_TAG.sub(" ", text))


@dataclass(frozen=True)
class _Said:
    """A temperature in a text: whether it stands there in K, and whether "T =" or the like goes before it."""

    kelvin: float
    stderr: float
    in_kelvin: bool
    labelled: bool


def _from_text(text: str, source: str, *, labelled: bool = False) -> Temperature:
    """The one temperature that a text names with its unit; `labelled` asks for a "T =" or the like before it."""
    found: list[_Said] = []
    doubt: tuple[str, ...] = ()
    for match in _READING.finditer(text):
        value = float(match["value"].replace(",", "."))
        if (labelled and not match["label"]) or (match["bare"] and value in _CARBON):
            continue
        before = text[max(0, match.start() - 16) : match.start()]
        if _RANGE.search(before):
            return Temperature(
                notes=(f"the {source} names a range of temperatures up to {match[0].strip()}; not used",)
            )
        in_kelvin, negative = bool(match["kelvin"]), match["sign"] in ("-", "−", "–")
        if not in_kelvin and before.endswith(("-", "−", "–")):  # "sample-60C"
            doubt = (f"the {source} says {before[-1]}{match[0].strip()}, with a minus or a hyphen; not used",)
            continue
        points = in_kelvin and value.is_integer() and int(value).bit_count() == 1  # 64K is a number of points
        rate = match["bare"] and value < 15 and not negative  # 2C is a rate of charging, or an atom
        kelvin = round((-value if negative else value) + (0.0 if in_kelvin else ZERO_CELSIUS), 3)
        stderr = float(match["stderr"].replace(",", ".")) if match["stderr"] else math.nan
        if 1 <= kelvin <= _HIGHEST and (match["label"] or not (points or rate)):
            found.append(_Said(kelvin, stderr, in_kelvin, bool(match["label"])))
    if not found:
        return Temperature(notes=doubt)
    if one := _agreed(found):
        return Temperature(one.kelvin, one.stderr, source)
    values = " and ".join(f"{kelvin:g} K" for kelvin in sorted({said.kelvin for said in found})[:5])
    several = f"the {source} names several temperatures, {values}"
    if one := _agreed([said for said in found if said.labelled]):
        return Temperature(one.kelvin, one.stderr, source, (f"{several}; that after 'T =' is used",))
    return Temperature(notes=(f"{several}; none is used",))


def _agreed(found: list[_Said]) -> _Said | None:
    """What all say to 1 K, in K where it is there in K: that number was not converted, at most rounded."""
    if not found or max(said.kelvin for said in found) - min(said.kelvin for said in found) > 1:
        return None
    return next((said for said in found if said.in_kelvin), found[0])
