"""What kind of experiment an expno is, with the evidence: pulse program, names, options, lists, and last the data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmrdyn.schema import RECOVERY_KINDS, Array, InputError
from nmrdyn.topspin.experiment.program import Program, options, program_of
from nmrdyn.topspin.experiment.sequence import measured
from nmrdyn.topspin.files.lists import find_list
from nmrdyn.topspin.files.text import plain

KINDS = (*RECOVERY_KINDS, "t2", "t1rho", "stimulated_echo", "diffusion", "other", "unknown")

_RECOVERY = "recovery"  # a T1, whether by saturation or inversion is not told
_FIRST_DIFFERS = 0.7  # of the last intensity; what starts above it did not recover
_GONE = 0.2  # of the strongest intensity; what ends below it fell to zero

# Looked for in this order in the name of the pulse program, in small letters.
_NAMES = (
    ("t1rho", r"t1_?rho|(?<![a-z])t1r(?![a-z])|spin_?lock"),
    ("diffusion", r"dosy|diff|^ste(?:bp|gp)|^led(?:bp|gp)|one_?shot|pgs[et]|pfg"),
    ("stimulated_echo", r"stim|ste_?echo|(?<![a-z])ste(?![a-z])"),
    ("other", r"cpxt1|torchia"),
    # Before cpmg, with which recoveries are often detected.
    ("saturation_recovery", r"sat_?rec|satr(?![a-z])|(?<![a-z])sr(?![a-z])|t1_?sat|t1_?sr|saturation"),
    ("inversion_recovery", r"t1_?ir|inv_?rec|inversion|(?<![a-z])f?ir(?![a-z])|ir_?t1|t1_?inv"),
    (_RECOVERY, r"(?<![a-z])t1(?![a-z0-9])"),
    ("t2", r"cpmg|^project|(?<![a-z])t2(?![a-z0-9])"),
)
# Names that tell how the signal is read; only in want of all else do they tell what is measured.
_READING = (("t2", r"echo"), ("other", r"^zg|one_?pulse|single_?pulse"))
_OPTIONS = {
    "t1": _RECOVERY,
    "t2": "t2",
    "t1rho": "t1rho",
    "cpmg": "t2",
    "ir": "inversion_recovery",
    "inv": "inversion_recovery",
    "sr": "saturation_recovery",
    "satrec": "saturation_recovery",
}
_LISTS = {
    "vd": "delays are varied",
    "vp": "pulse lengths are varied",
    "vc": "a count is varied",
}


@dataclass(frozen=True)
class Kind:
    """What kind of experiment it is.

    Attributes
    ----------
    name : one of `KINDS`; a CPMG is a t2, whatever is one-dimensional is other
    evidence : sentences, the strongest first
    warnings : contradictions, and what was measured where that is not plain
    """

    name: str
    evidence: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Vote:
    """One source says one kind."""

    kind: str
    source: str
    why: str

    @property
    def sentence(self) -> str:
        return f"{self.source}: {self.why}"


def kind_of(expno: Path, acqus: Mapping[str, Any], *, dimensions: int, varied: str = "") -> Kind:
    """The kind of experiment from the pulse program, its name, ZGOPTNS and the lists; "unknown" where they do not tell.

    The stronger evidence wins, in that order: a text is what the console did, a name is what somebody called it, and
    options and lists stay behind from earlier experiments. A contradiction is a warning. No error is raised.

    Parameters
    ----------
    expno : the folder that holds acqus
    acqus : as `read_parameters` gives it
    dimensions : of the data; one-dimensional data are "other", with what their pulse program is called
    varied : the delay that a set of one-dimensional expnos differs in, such as "d7"; give `dimensions` as 2 then

    Examples
    --------
    >>> kind = kind_of(Path("no-such-folder"), {"PULPROG": "<satrect1.abc>", "ZGOPTNS": "<-Dt2>"}, dimensions=2)
    >>> kind.name, kind.evidence[0]
    ('saturation_recovery', 'pulse program satrect1.abc: named saturation recovery')
    >>> kind.warnings
    ('ZGOPTNS -Dt2 says t2, pulse program satrect1.abc says saturation recovery: taken as the latter',)
    """
    name = plain(acqus.get("PULPROG", ""))
    source = f"pulse program {name}"
    named = _named(name, _NAMES)
    if dimensions < 2:
        return Kind("other", ("one-dimensional", *([f"{source}: named {_words(named)}"] if named else [])))
    chosen = options(str(acqus.get("ZGOPTNS", "")))
    program = program_of(expno, acqus, varied=varied)
    votes, evidence, warnings = _from_text(program, acqus)
    if named:
        votes.append(_Vote(named, source, f"named {_words(named)}"))
    optional, left_over = _from_options(chosen, program)
    votes += optional
    lists, unused = _lists(expno, acqus, program)
    understood = program is not None and bool(program.steps)
    if not votes and not understood and (reading := _named(name, _READING)):
        votes.append(_Vote(reading, source, f"named {_words(reading)}"))
    if not votes and (expno / "difflist").is_file():
        votes.append(_Vote("diffusion", "difflist", "the strength of gradient pulses is varied"))
    if not votes and understood and not evidence:
        votes.append(_Vote("other", "pulse program text", "nothing is varied that is known"))
    kind, contradictions = _weigh(votes)
    sentences = (*(vote.sentence for vote in votes), *evidence, *lists, *unused)
    return Kind(kind, sentences, (*warnings, *left_over, *contradictions))


def kind_from_data(values: Array, delay: Array) -> Kind:
    """The kind of experiment from the intensities alone, where nothing else tells.

    A signal that falls to zero is "other": it may be T2, T1rho, a stimulated echo or diffusion, and the numbers do not
    tell which. Where it falls to a plateau or does not change, nothing is told: an inversion recovery that was stopped
    before its zero looks so too.

    Parameters
    ----------
    values : (row,) intensities of either sign; NaN where there is none
    delay : (row,) delays [s], in any order

    Raises
    ------
    InputError
        Where `values` and `delay` differ in shape.

    Examples
    --------
    >>> delay = np.geomspace(0.01, 10, 8)
    >>> kind_from_data(1 - 2 * np.exp(-delay), delay).name, kind_from_data(np.exp(-delay), delay).name
    ('inversion_recovery', 'other')
    """
    if np.shape(values) != np.shape(delay):
        raise InputError(
            f"kind_from_data: needed a delay for each intensity, found {np.size(delay)} and {np.size(values)}"
        )
    known = np.isfinite(values) & np.isfinite(delay)
    ordered = np.asarray(values, dtype=float)[known][np.argsort(np.asarray(delay)[known], kind="stable")]
    if ordered.size < 4 or not np.any(ordered):
        return Kind("unknown", ("data: too few intensities to tell",))
    scaled = ordered / np.max(np.abs(ordered))
    # A plateau has many rows, the start of a fast recovery few.
    first, last = np.mean(scaled[:2]), np.mean(scaled[-max(2, ordered.size // 5) :])
    # What the rows scatter about their neighbours: half the points of a smooth curve lie below it on either side.
    noise = np.median(np.abs(scaled[1:-1] - (scaled[:-2] + scaled[2:]) / 2))
    if abs(last - first) < max(3 * noise, 1 - _FIRST_DIFFERS):
        return Kind("unknown", ("data: the signal does not change with the delay",))
    if (last if abs(last) >= _GONE else first) < 0:
        first, last = -first, -last
    seen = f"from {first:.2f} to {last:.2f} of the strongest"
    if abs(last) < _GONE:
        return Kind("other", (f"data: the signal falls to zero with the delay ({seen}): a decay, no recovery",))
    if first < -_GONE * last:
        return Kind("inversion_recovery", (f"data: the signal turns from negative to positive ({seen})",))
    if first < _FIRST_DIFFERS * last:
        return Kind("saturation_recovery", (f"data: the signal grows with the delay to a plateau ({seen})",))
    return Kind("unknown", (f"data: the signal falls with the delay, but not to zero ({seen})",))


def _from_text(program: Program | None, acqus: Mapping[str, Any]) -> tuple[list[_Vote], list[str], list[str]]:
    """The vote of the text; what it says without telling the kind; warnings."""
    if program is None:
        return [], [], []
    found = measured(program)
    if not found.kind:
        return [], [f"pulse program text: {found.why}"] if found.why else [], []
    warnings = list(found.warnings)
    if found.channel > 1:
        nucleus = plain(acqus.get(f"NUC{found.channel}", "")) or "another nucleus"
        warnings.append(f"the relaxation is that of {nucleus} on channel f{found.channel}, not that of NUC1")
    return [_Vote(found.kind, "pulse program text", found.why)], [], warnings


def _from_options(chosen: tuple[str, ...], program: Program | None) -> tuple[list[_Vote], list[str]]:
    """What ZGOPTNS says, and what of it means nothing because the program never asks for it."""
    votes, left_over = [], []
    for option in chosen:
        kind = _OPTIONS.get(option.lower(), "")
        if not kind:
            continue
        # A program that TopSpin wrote out has obeyed its options and asks no more.
        if program is not None and not program.expanded and option not in program.tested:
            left_over.append(f"ZGOPTNS -D{option} is left over: the pulse program does not use it")
            continue
        if kind == _RECOVERY and "sat" in (one.lower() for one in chosen):
            kind = "saturation_recovery"
        votes.append(_Vote(kind, f"ZGOPTNS -D{option}", _words(kind)))
    return votes, left_over


def _lists(expno: Path, acqus: Mapping[str, Any], program: Program | None) -> tuple[list[str], list[str]]:
    """What the lists of the expno say, and which of them the program does not use."""
    used, unused = [], []
    for kind, meaning in _LISTS.items():
        try:
            found = find_list(expno, kind, acqus)
        except InputError:
            continue
        if found is None:
            continue
        if program is not None and program.steps and kind not in program.lists:
            unused.append(f"{kind}list: left over, the pulse program does not use it")
        else:
            used.append(f"{kind}list: {meaning}")
    return used, unused


def _weigh(votes: list[_Vote]) -> tuple[str, list[str]]:
    """The kind of the strongest vote, and the votes against it."""
    if not votes:
        return "unknown", []
    strongest = votes[0]
    kind = strongest.kind
    if kind == _RECOVERY:
        kind = next((vote.kind for vote in votes if vote.kind in RECOVERY_KINDS), "unknown")
    against = [vote for vote in votes[1:] if vote.kind not in (kind, strongest.kind) and not _agree(vote.kind, kind)]
    return kind, [
        f"{vote.source} says {_words(vote.kind)}, {strongest.source} says {_words(strongest.kind)}: taken as the latter"
        for vote in against
    ]


def _agree(said: str, kind: str) -> bool:
    return said == _RECOVERY and kind in RECOVERY_KINDS


def _named(name: str, table: tuple[tuple[str, str], ...]) -> str:
    return next((kind for kind, pattern in table if re.search(pattern, name.lower())), "")


def _words(kind: str) -> str:
    return "a T1, saturation or inversion not told" if kind == _RECOVERY else kind.replace("_", " ")
