"""Pulse programs: the little of the language that tells what is done to the spins around what is varied."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from nmrdyn.topspin.files.text import text_inside

_LARGEST = 200_000  # bytes; real programs, written out with what they include, have some ten kilobytes
_LONGEST = 1000  # characters of a line
_MOST = 1000  # steps of a scan
_DEEPEST = 50  # #ifdef within each other, and loops before the acquisition

_MARK = re.compile(r'#\s*\d+\s+"')  # TopSpin writes these into a program that it has written out
_DIRECTIVE = re.compile(r"#\s*([a-z]+)\s*(.*)")
_OPTION = re.compile(r"-D\s*([A-Za-z_]\w*)")
_LABEL = re.compile(r"(\d+|[A-Za-z_]\w*\s*,)(?:\s+|$)")
_RELATION = re.compile(r'"\s*([A-Za-z_]\w*)\s*=([^"]*)"')
_DEFINED = re.compile(r"define\s+(?:list\s*<\s*(\w+)\s*>|(\w+))\s+([A-Za-z_]\w*)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_GROUP = re.compile(r"\(([^()]*)\)(?:\s*:f(\d))?")
_LOOP = re.compile(r"lo\s+to\s+(\w+)\s+times\s+(\w+)")
_ACQUIRE = re.compile(r"(?:go\w*=(\w+)|adc|ADC\w*|acq|rcyc\w*=(\w+)|gosc\w*|gonp=?(\w*))(?![\w*])")
_BACK = re.compile(r"\b(?:go\w*|rcyc\w*)=(\w+)")
_STEP = re.compile(r"([A-Za-z_]\w*|\d+(?:\.\d*)?[munMUN]?[ps]?)(?:\[[^\]]*\])?(?:\*(\d+(?:\.\d*)?|\.\d+))?([:*]\S*)?")
_CHANNEL = re.compile(r"(?:^|\s)(?:p\w*)\S*:f(\d)")
_INDEX = re.compile(r"\[[^\]]*\]")
_SWITCH = re.compile(r"\b(cw|cpds?\d?|cpdngs?\d?|cpdhd\d?|do):(?:[^\s:]+:)?f(\d)")
_TIMES = re.compile(r"(\d+(?:\.\d*)?|\.\d+)?\s*\*?\s*(p\d+)\s*(?:\*\s*(\d+(?:\.\d*)?|\.\d+))?")
_LITERAL = re.compile(r"(\d+(?:\.\d*)?)([munMUN]?)([ps]?)")
_UNITS = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
# What a list holds, by the word of its definition.
_LISTS = {"delay": "vd", "pulse": "vp", "loopcounter": "vc", "gradient": "gradient"}


@dataclass(frozen=True)
class Step:
    """One thing the console does.

    Attributes
    ----------
    what : "pulse", "delay", "gradient" or "switch" (irradiation that goes on or off)
    word : what stands in the program: "p1", "d20", "vd", "DELTA"; for a switch "cw", "cpd2" or "do" (off)
    channel : 1 for f1, the observed nucleus
    angle : flip angle of a pulse [deg] as far as the program says, p1 being 90; NaN where it does not
    varied : "vd", "vp", "vc" or "gradient" where the rows differ in it
    loops : counts of the loops around it, from the outermost in
    seconds : length of a delay written as a number [s], else NaN
    """

    what: str
    word: str
    channel: int = 1
    angle: float = math.nan
    varied: str = ""
    loops: tuple[str, ...] = ()
    seconds: float = math.nan


@dataclass(frozen=True)
class Program:
    """What was understood of a pulse program.

    Attributes
    ----------
    steps : one scan from the recycle delay to the acquisition
    varied : name -> "vd", "vp", "vc" or "gradient", of all that follows a list
    lists : the lists in use, as these
    made_of : name -> the names in its definition
    names : all names in the text that is executed, in small letters
    tested : options that #ifdef and #ifndef ask for
    expanded : written out by TopSpin, the options already obeyed
    """

    steps: tuple[Step, ...]
    varied: dict[str, str]
    lists: frozenset[str]
    made_of: dict[str, frozenset[str]]
    names: frozenset[str]
    tested: frozenset[str]
    expanded: bool

    def roots(self, words: set[str]) -> frozenset[str]:
        """`words` and all names they are made of."""
        found, pending = set(words), list(words)
        while pending:
            new = self.made_of.get(pending.pop(), frozenset()) - found
            found |= new
            pending += new
        return frozenset(found)


def options(zgoptns: str) -> tuple[str, ...]:
    """The names that ZGOPTNS defines, "-Dt1 -Drot" giving t1 and rot."""
    return tuple(dict.fromkeys(_OPTION.findall(zgoptns[:1000])))


def program_of(expno: Path, acqus: Mapping[str, Any], *, varied: str = "") -> Program | None:
    """The pulse program of an expno with the options of ZGOPTNS; None where there is none that can be read."""
    text = program_text(expno)
    return _parsed(text, defined=options(str(acqus.get("ZGOPTNS", ""))), varied=varied) if text else None


def program_text(expno: Path) -> str:
    """The pulse program kept in an expno, "" where there is none that can be read, or one above 200 kB."""
    for name in ("pulseprogram", "pulseprogram.precomp"):
        if (text := text_inside(expno / name, expno, most=_LARGEST, whole=True)).strip():
            return text
    return ""


def parse_program(text: str, *, defined: Iterable[str] = (), varied: str = "") -> Program:
    """Read a pulse program; what is not understood is passed over, and no error is raised.

    Comments, labels, #ifdef/#ifndef/#else/#endif and #define, relations in quotes, lists, groups in brackets, loops
    and the switches of irradiation are understood. #include is not followed.

    Parameters
    ----------
    text : the program
    defined : options that are set, as `options` gives them
    varied : a delay that the experiments of a set differ in, such as "d7", beside those that follow a list

    Examples
    --------
    >>> program = parse_program("1 ze\\n2 d1\\n (p1*2 ph1):f1 ; inversion\\n vd\\n p1 ph2\\n go=2 ph31\\nexit")
    >>> [(step.word, step.angle) for step in program.steps if step.what == "pulse"]
    [('p1', 180.0), ('p1', 90.0)]
    >>> [step.word for step in program.steps if step.varied]
    ['vd']
    """
    plain = _without_comments(text)
    lines, tested = _chosen(plain, set(defined))
    kinds, made_of, angles, body = _definitions(lines, varied)
    names = {name for line in lines for name in _NAME.findall(line)}
    back = next((found[1] for line in body if (found := _BACK.search(line))), "")
    return Program(
        steps=tuple(_steps(body, back, kinds, angles)),
        varied={name: kind for name, kind in kinds.items() if kind in _LISTS.values()},
        lists=frozenset(kinds[name] for name in names & kinds.keys() if kinds[name] in _LISTS.values()),
        made_of=made_of,
        names=frozenset(name.lower() for name in names),
        tested=tested,
        expanded=any(_MARK.match(line) for line in plain),
    )


def _without_comments(text: str) -> list[str]:
    parts, at = [], 0
    while (start := text.find("/*", at)) >= 0 and (end := text.find("*/", start + 2)) >= 0:
        parts.append(text[at:start])
        at = end + 2
    lines = re.split(r"\r\n|\r|\n", "".join([*parts, text[at:]]))
    return [line[:_LONGEST].partition(";")[0].strip() for line in lines]


def _chosen(lines: list[str], defined: set[str]) -> tuple[list[str], frozenset[str]]:
    """The lines that the options leave, and the names that were asked for; an #if is taken to hold."""
    kept: list[str] = []
    asked: set[str] = set()
    blocks: list[bool] = []
    for line in lines:
        if not line.startswith("#"):
            if all(blocks):
                kept.append(line)
            continue
        match = _DIRECTIVE.match(line)
        word, rest = (match[1], match[2].split()[:1]) if match else ("", [])
        if word in ("if", "ifdef", "ifndef") and len(blocks) < _DEEPEST:
            asked |= set(rest) if word != "if" else set()
            blocks.append(word == "if" or (rest[:1] != [] and rest[0] in defined) == (word == "ifdef"))
        elif word in ("else", "elif") and blocks:
            blocks[-1] = not blocks[-1]
        elif word == "endif" and blocks:
            blocks.pop()
        elif word == "define" and all(blocks):
            defined |= set(rest)
        elif word == "undef" and all(blocks):
            defined -= set(rest)
    return kept, frozenset(asked)


def _definitions(
    lines: list[str], varied: str
) -> tuple[dict[str, str], dict[str, frozenset[str]], dict[str, float], list[str]]:
    """What each name is (a list's kind, "pulse" or "delay"), what it is made of, flip angles; the other lines."""
    kinds = {"vd": "vd", "vp": "vp", "vc": "vc", "c": "vc"} | ({varied: "vd"} if varied else {})
    angles = {"p1": 90.0, "p2": 180.0}
    made_of: dict[str, set[str]] = {}
    users: dict[str, list[str]] = {}
    body = []
    for line in lines:
        if match := _DEFINED.match(line):
            listed, single, name = match.groups()
            kind = _LISTS.get(listed or "", "") if listed else single
            # Echo and antiecho are chosen by a list of gradients too.
            if kind in (*_LISTS.values(), "pulse", "delay") and not name.upper().startswith("EA"):
                kinds[name] = kind
            continue
        for name, expression in _RELATION.findall(line):
            parts = set(_NAME.findall(_INDEX.sub("", expression))) - {name}
            made_of.setdefault(name, set()).update(parts)
            for part in parts:
                users.setdefault(part, []).append(name)
            if re.fullmatch(r"p\d+", name) and (times := _TIMES.fullmatch(expression.strip())):
                factor = float(times[1] or 1) * float(times[3] or 1)
                angles[name] = factor * angles.get(times[2], math.nan)
        if '"' not in line:
            body.append(line)
    body_text = " ".join(body)
    for count in re.findall(r"\biu(\d+)\b", body_text):
        kinds.setdefault(f"l{count}", "vc")
    pending = list(kinds)
    while pending:
        source = pending.pop()
        for name in users.get(source, []):
            if kinds[source] in _LISTS.values() and kinds.get(name) not in _LISTS.values():
                # It is a pulse, a delay or a count by its own name, whatever it follows.
                own = {"pulse": "p", "delay": "d"}.get(kinds.get(name, ""), name[0] if name[1:].isdigit() else "")
                kinds[name] = {"p": "vp", "d": "vd", "l": "vc"}.get(own, kinds[source])
                pending.append(name)
    return kinds, {name: frozenset(parts) for name, parts in made_of.items()}, angles, body


def _steps(body: list[str], back: str, kinds: dict[str, str], angles: dict[str, float]) -> list[Step]:
    """One scan: from the label that the acquisition goes back to, or from ze, up to the acquisition."""
    steps: list[Step] = []
    labels: dict[str, int] = {}
    loops = 0
    for line in body:
        while label := _LABEL.match(line):
            name = label[1].rstrip(" ,")
            labels[name] = len(steps)
            if name == back:
                steps, labels = [], {name: 0}
            line = line[label.end() :]
        if line.split()[:1] == ["ze"]:
            steps, labels = [], {}
        elif match := _LOOP.match(line):
            loops += 1
            at = labels.get(match[1], len(steps))
            count = match[2]
            varied = "vc" if kinds.get(count) in _LISTS.values() else ""
            steps[at:] = [
                replace(step, loops=(count, *step.loops), varied=step.varied or varied) for step in steps[at:]
            ]
        elif _ACQUIRE.match(line) or line.split()[:1] == ["exit"]:
            break
        else:
            steps += _line(line, kinds, angles)
        if len(steps) > _MOST or loops > _DEEPEST:
            return []
    return steps


def _line(line: str, kinds: dict[str, str], angles: dict[str, float]) -> Iterator[Step]:
    """The steps of one line: switches, which act from its start; groups in brackets, and what stands between them."""
    for found in _SWITCH.finditer(line):
        yield Step("switch", found[1], int(found[2]))
    parts, at = [], 0
    for group in _GROUP.finditer(line):
        parts += [(line[at : group.start()], 0), (group[1], int(group[2] or 1))]
        at = group.end()
    for text, channel in [*parts, (line[at:], 0)]:
        own = _CHANNEL.search(text) if channel == 0 else None
        for word in text.split():
            if step := _word(word, channel or (int(own[1]) if own else 1), kinds, angles):
                yield step


def _word(word: str, channel: int, kinds: dict[str, str], angles: dict[str, float]) -> Step | None:
    match = _STEP.fullmatch(word)
    if match is None:
        return None
    name, factor, tail = match[1], match[2], match[3] or ""
    kind = kinds.get(name, "")
    varied = kind if kind in _LISTS.values() else ""
    if ":gp" in tail or name.lower().startswith("gradient"):
        follows = any(kinds.get(part) == "gradient" for part in _NAME.findall(tail))
        return Step("gradient", name, varied="gradient" if follows else "")
    literal = _LITERAL.fullmatch(name)
    if literal and literal[3] != "p" and (literal[2] or literal[3]):
        return Step("delay", name, channel, seconds=float(literal[1]) * _UNITS[literal[2].lower()])
    if kind in ("pulse", "vp") or re.fullmatch(r"p\d+", name) or (literal and literal[3]):
        known = {"p3": 90.0, "p4": 180.0} if channel > 1 else {}
        angle = float(factor or 1) * angles.get(name, known.get(name, math.nan))
        angle = math.nan if tail.startswith("*") else angle
        return Step("pulse", name, channel, angle, varied)
    if kind in ("delay", "vd") or re.fullmatch(r"d\d+", name):
        return Step("delay", name, channel, varied=varied)
    return None


_parsed = lru_cache(maxsize=8)(parse_program)  # many expnos share a program, and several ask for it
