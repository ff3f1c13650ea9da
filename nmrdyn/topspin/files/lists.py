"""Variable lists of an expno: delays (vd), pulse lengths (vp) and counts (vc), wherever TopSpin keeps them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array, InputError
from nmrdyn.topspin.files.text import decoded, leads_inside

SHORTEST_DELAY, LONGEST_DELAY = 1e-12, 1e6  # s; what is not 0 lies between these
_LARGEST = 4_000_000  # bytes; the longest lists in use have some kilobytes


@dataclass(frozen=True)
class _Kind:
    """What one kind of list holds."""

    noun: str
    example: str
    power: int  # a number without a unit counts in 10**power
    counts: bool = False


_KINDS = {
    "vd": _Kind("delay", "0.5, 20m or 5u", 0),
    "vp": _Kind("pulse length", "2.5 (in microseconds), 20m or 5u", -6),
    "vc": _Kind("count", "4", 0, counts=True),
}
_POWERS = {"s": 0, "m": -3, "u": -6, "n": -9}
# Both cases spelt out: a regex that ignores case takes "ſ" for "s".
_UNIT = r"(?:[munMUN][sS]?|[sS])"
_WORD = re.compile(rf"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eEdD]([+-]?[0-9]{{1,4}}))?({_UNIT}?)")
_DETACHED = re.compile(rf"(?<=[0-9.])\s+(?={_UNIT}(?:\s|$))")
_COMMENT = re.compile(r"[;#]")
_LINE_END = re.compile(r"\r\n|\r|\n")


def find_list(expno: Path, kind: str, parameters: Mapping[str, Any]) -> Path | None:
    """The list of an expno: `vdlist` and its like, else TopSpin 4's `lists/vd/NAME`; None where there is none.

    NAME is VDLIST, VPLIST or VCLIST of acqus. It is compared with the files of `lists/vd` and never opened as a path,
    so it cannot lead out of the expno; neither can a link. Where no file has that name and only one is there, it is
    that one.

    Parameters
    ----------
    expno : the folder that holds acqus
    kind : "vd", "vp" or "vc"
    parameters : acqus as `read_parameters` gives it

    Raises
    ------
    InputError
        Where `kind` is none of the three, or the folder of lists cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     expno = Path(folder)
    ...     (expno / "lists/vc").mkdir(parents=True)
    ...     for name in ("t2.cw", "cpmg"):
    ...         _ = (expno / "lists/vc" / name).write_text("1 2 4")
    ...     found = find_list(expno, "vc", {"VCLIST": "<t2.cw>"})
    ...     found.relative_to(expno).as_posix()
    'lists/vc/t2.cw'
    """
    _known(kind)
    plain = expno / f"{kind}list"
    folder = expno / "lists" / kind
    try:
        if plain.is_file() and leads_inside(plain, expno):
            return plain
        files = {file.name: file for file in folder.iterdir() if file.is_file() and leads_inside(file, expno)}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(
            f"{folder}: needed a readable folder, found {error.strerror}; check its permissions"
        ) from error
    name = str(parameters.get(f"{kind.upper()}LIST", "")).strip(" \t<>\"'")
    if name in files:
        return files[name]
    # What editors and desktops leave beside a list is no second list.
    lists = [file for file in files.values() if not file.name.startswith(".") and not file.name.endswith("~")]
    return lists[0] if len(lists) == 1 else None


def read_list(path: Path, kind: str) -> Array:
    """The values of a variable list in the order of the file, repeats kept.

    Values stand on one line or on several, apart by blanks. A unit s, m, u or n (ms, us, ns too) follows a number in
    either case, with or without a blank between; a number without one counts in s in a vdlist and in microseconds in
    a vplist, as the console takes them. `;` and `#` begin a comment. A comma is refused: "0,5" may be one number or
    two. So is "0.1;0.2", whose second half would be lost as a comment.

    Parameters
    ----------
    path : the list
    kind : "vd", "vp" or "vc"

    Returns
    -------
    values : (n,), n > 0; delays and pulse lengths in s, counts as whole numbers; each the float nearest to the decimal
        number in the file, so that "20m" and "0.02" are equal

    Raises
    ------
    InputError
        Where the list is missing, empty or above 4 MB, or holds something that is not a finite value of zero or more
        (not a whole one without a unit in a vclist); with the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "vdlist"
    ...     _ = path.write_text("; by hand\\r\\n5u 20.000m\\r\\n1.306 30 s\\r\\n")
    ...     read_list(path, "vd").tolist()
    [5e-06, 0.02, 1.306, 30.0]
    """
    spec = _known(kind)
    values = []
    for number, line in enumerate(_LINE_END.split(_text(path, spec)), start=1):
        where = f"{path}, line {number}"
        for word in _words(_code(line, spec, where=where), spec):
            value = _value(word, spec)
            if value is None:
                raise InputError(_refusal(word, spec, where=where))
            values.append(value)
    if not values:
        raise InputError(f"{path}: needed {spec.noun}s, found an empty list; copy it from the console once more")
    return np.array(values)


def is_delay(seconds: npt.ArrayLike) -> Any:
    """Whether times [s], one or many, can be delays: 0, or from 1e-12 to 1e6 s."""
    time = np.asarray(seconds)
    return (time == 0) | ((time >= SHORTEST_DELAY) & (time <= LONGEST_DELAY))


def _known(kind: str) -> _Kind:
    if kind not in _KINDS:
        raise InputError(f"kind: needed one of {', '.join(_KINDS)}, found {kind!r}; vd is a list of delays")
    return _KINDS[kind]


def _text(path: Path, spec: _Kind) -> str:
    try:
        if not path.is_file():
            raise InputError(
                f"{path.parent}: needed a {spec.noun} list {path.name}, found none; is this an arrayed experiment?"
            )
        with path.open("rb") as file:
            data = file.read(min(path.stat().st_size, _LARGEST) + 1)
    except OSError as error:
        raise InputError(f"{path}: needed a readable file, found {error.strerror}; check its permissions") from error
    if len(data) > _LARGEST:
        raise InputError(
            f"{path}: needed a {spec.noun} list of at most {_LARGEST / 1e6:g} MB, found more; is this the list?"
        )
    return decoded(data)


def _code(line: str, spec: _Kind, *, where: str) -> str:
    """A line without its comment."""
    mark = _COMMENT.search(line)
    if mark is None:
        return line
    code, comment = line[: mark.start()], _words(line[mark.end() :].replace(";", " "), spec)
    glued = mark[0] == ";" and code[-1:].strip()
    if glued and comment and all(_value(word, spec) is not None for word in comment):
        raise InputError(
            f"{where}: needed values apart by blanks, found {line[:40]!r}, where ; begins a comment; "
            "leave a blank before ; if it does, and put blanks in its place if it does not"
        )
    return code


def _words(code: str, spec: _Kind) -> list[str]:
    """The values of a line, each with its unit."""
    return (code if spec.counts else _DETACHED.sub("", code)).split()


def _value(word: str, spec: _Kind) -> float | None:
    """A word as a number in s, or as a count; None where it is neither."""
    match = _WORD.fullmatch(word)
    if match is None or (spec.counts and match[3]):
        return None
    power = _POWERS[match[3][0].lower()] if match[3] else spec.power
    # One conversion of the whole decimal number: a product with 1e-3 would round twice.
    value = float(f"{match[1]}e{int(match[2] or 0) + power}")
    return value if math.isfinite(value) and (value.is_integer() or not spec.counts) else None


def _refusal(word: str, spec: _Kind, *, where: str) -> str:
    if "," in word:
        move = "write decimals with a point and a blank between values"
    elif word.startswith("-"):
        move = "none can be below zero"
    elif spec.counts:
        move = "give whole numbers without a unit"
    else:
        move = "correct the line, or begin it with ; where it is a comment"
    return f"{where}: needed a {spec.noun} such as {spec.example}, found {word[:40]!r}; {move}"
