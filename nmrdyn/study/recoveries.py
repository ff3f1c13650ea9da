"""The recoveries among what `scan` lists, each series of one-dimensional expnos as one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmrdyn.schema import RECOVERY_KINDS
from nmrdyn.topspin.read import ScanEntry

_SERIES = re.compile(r": read together as (\w+) (.+)$")  # as `scan` says it


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """A recovery that was found: an expno, or a series of one-dimensional ones, with what is wrong with it."""

    name: str
    path: Path
    nucleus: str
    larmor_frequency: float
    kind: str
    temperature: float | None
    temperature_stderr: float | None
    temperature_source: str
    rows_recorded: int
    rows_planned: int
    problem: str = ""
    members: tuple[str, ...] = ()


def series_of(entry: ScanEntry) -> tuple[str, str] | None:
    """Kind and name of the recovery that a one-dimensional expno is read with; None for one by itself."""
    for text in entry["warnings"]:
        if match := _SERIES.search(text):
            return match[1], match[2]
    return None


def recoveries(entries: Iterable[ScanEntry]) -> list[Recovery]:
    """The recoveries among what `scan` found, a series once."""
    groups: dict[tuple[str, str], list[ScanEntry]] = {}
    for entry in entries:
        kind, name = series_of(entry) or (entry["kind"], entry["experiment"])
        if kind in RECOVERY_KINDS:
            groups.setdefault((kind, name), []).append(entry)
    return [_recovery(kind, name, members) for (kind, name), members in groups.items()]


def _recovery(kind: str, name: str, members: list[ScanEntry]) -> Recovery:
    first, single = members[0], len(members) == 1
    known = [one["temperature_K"] for one in members if one["temperature_K"] is not None]
    rows = first["rows_recorded"] if single else sum(_has_fid(Path(one["path"])) for one in members)
    problem = "" if rows else next(iter(reversed(first["warnings"])), "no row was recorded")
    return Recovery(
        name=name,
        path=Path(first["path"]),
        nucleus=first["nucleus"],
        larmor_frequency=first["larmor_frequency_Hz"] or np.nan,
        kind=kind,
        temperature=float(np.mean(known)) if known else None,
        temperature_stderr=first["temperature_stderr_K"],
        temperature_source=first["temperature_source"],
        rows_recorded=rows,
        rows_planned=first["rows_planned"] if single else len(members),
        problem=problem or ("" if known else "no temperature is known"),
        members=() if single else tuple(one["experiment"] for one in members),
    )


def _has_fid(path: Path) -> bool:
    """Whether a one-dimensional expno has a FID; one in a zip is taken to have one."""
    return path.is_file() or (path / "fid").is_file()


def name_within(one: Recovery, data: Path) -> str:
    """How a recovery is called where `data` is read; a zip and an expno by itself keep their names."""
    if one.path == data:
        return one.name
    depth = len(one.path.relative_to(data).parts)
    return "/".join(one.name.split("/")[-depth:])
