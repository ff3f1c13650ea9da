"""What a referee would remark on. Findings are made by each stage and travel with its data into every later one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace

import xarray as xr


@dataclass(frozen=True)
class Finding:
    """One remark: a code, the place (experiments, a process, a quantity), and a sentence with numbers."""

    code: str
    where: str
    text: str

    def as_dict(self) -> dict[str, str]:
        """As it stands in summary.json."""
        return asdict(self)


def attach(data: xr.Dataset, findings: Iterable[Finding]) -> xr.Dataset:
    """Write findings into `attrs["warnings"]`, in place of those that were there."""
    data.attrs["warnings"] = json.dumps([finding.as_dict() for finding in findings])
    return data


def attached(data: xr.Dataset) -> list[Finding]:
    """The findings that a stage carries."""
    return [Finding(**entry) for entry in json.loads(data.attrs.get("warnings", "[]"))]


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """One finding in place of several that say the same of different places."""
    places: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        places.setdefault((finding.code, finding.text), []).append(finding.where)
    return [Finding(code, ", ".join(dict.fromkeys(where)), text) for (code, text), where in places.items()]


def within(findings: Iterable[Finding], names: Collection[str]) -> list[Finding]:
    """The findings on these experiments, and on none in particular."""
    kept = []
    for finding in findings:
        places = [place for place in finding.where.split(", ") if place in names]
        if places or not finding.where:
            kept.append(replace(finding, where=", ".join(places)))
    return kept
