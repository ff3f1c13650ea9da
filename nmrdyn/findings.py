"""What a referee would remark on. Findings are made by each stage and travel with its data into every later one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

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
