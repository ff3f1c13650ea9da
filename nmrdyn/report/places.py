"""Where each warning belongs: the section, the process and the experiments that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# The section of a code; what is not listed stands with the data.
_SECTIONS = {
    "fits": (
        "no-t1", "t1-outside-delays", "t1-above-maximum", "t1-distribution", "stretched-t1", "exponentials-t1",
        "recovery", "model-undecided", "delays-too-short", "depth-low", "one-site-two-rates", "impedance",
        "conductivity-large", "no-t1-error", "no-sigma-error", "no-diffusion-error", "no-tau-c-error",
    ),
    "motion": (
        "several-exponentials", "dipolar-unchecked", "near-minimum", "fast-implausible", "branch-trend",
        "t1-below-minimum", "not-high-field", "not-high-temperature", "rotational-rank",
    ),
    "barriers": ("law", "another-law", "two-phases", "tau0-implausible", "prior-conflict", "at-bound"),
    "lines": ("no-single-barrier", "sigma-convention", "hysteresis", "break-found"),
    "haven": ("haven", "no-cell-error"),
    "influence": ("one-temperature-decides",),
    "diagnostics": ("not-converged", "modes-disagree", "several-modes", "interrupted"),
}  # fmt: skip
_SECTION_OF = {code: section for section, codes in _SECTIONS.items() for code in codes}
TITLES = {
    "data": "Data",
    "fits": "Fits",
    "motion": "Motion",
    "barriers": "Barriers",
    "lines": "Conductivity, both conventions",
    "haven": "Haven ratio",
    "influence": "Single temperatures",
    "diagnostics": "Diagnostics",
}


@dataclass(frozen=True)
class Placed:
    """A warning with its number, its section, and the (process, experiment) pairs that it names."""

    number: int
    code: str
    where: str
    text: str
    section: str
    processes: tuple[str, ...]
    experiments: tuple[tuple[str, str], ...]


def placed(
    warnings: Iterable[Mapping[str, str]], experiments: Mapping[str, Iterable[str]], sections: Iterable[str]
) -> list[Placed]:
    """Every warning with its place.

    Parameters
    ----------
    warnings : `code`, `where` and `text` of each
    experiments : the experiments of each process
    sections : those that the page has; what belongs into another stands with the data

    Examples
    --------
    >>> said = [{"code": "no-t1", "where": "Na hop/2, 3", "text": "zeros"}]
    >>> (found,) = placed(said, {"Na hop": ["1", "2", "3"]}, ["data", "fits"])
    >>> found.section, found.processes, found.experiments
    ('fits', ('Na hop',), (('Na hop', '2'), ('Na hop', '3')))
    """
    known = {name: set(map(str, one)) for name, one in experiments.items()}
    there = set(sections)
    result = []
    for k, warning in enumerate(warnings, start=1):
        section = _section(warning["code"])
        processes, pairs = _about(warning["where"], known)
        result.append(
            Placed(
                number=k,
                code=warning["code"],
                where=warning["where"],
                text=warning["text"],
                section=section if section in there else "data",
                processes=processes,
                experiments=pairs,
            )
        )
    return result


def _section(code: str) -> str:
    """The section of a code, or of the longest beginning of it that is listed."""
    parts = code.split("-")
    heads = ("-".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((_SECTION_OF[head] for head in heads if head in _SECTION_OF), "data")


def _about(where: str, known: Mapping[str, set[str]]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The processes and experiments of a place such as "NAME", "NAME.quantity", "A, B" or "NAME/1, 2"."""
    owner, processes, pairs = "", [], []
    names = "|".join(re.escape(name) for name in sorted(known, key=len, reverse=True))
    # A name begins the text or follows a comma; what stands between two names are experiments of the first.
    for match in re.finditer(rf"(?:^|, )(?:({names or '(?!)'})(?=$|[/.,]))?(/)?([^,]*)", where):
        name, slash, rest = match.groups()
        owner = name or owner
        if name:
            processes.append(name)
        if owner and (slash or not name) and rest in known[owner]:
            pairs.append((owner, rest))
    return tuple(dict.fromkeys(processes)), tuple(dict.fromkeys(pairs))
