"""What would change a verdict, as sentences, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nmrdyn.compare import verdict_of
from nmrdyn.schema import Array


@dataclass(frozen=True)
class Lever:
    """One sentence, its theme, and whether it would change a verdict."""

    theme: str
    text: str
    changes: bool = False


def ends_of(draws: Array) -> tuple[float, float]:
    """The ends of the central 95 % interval."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def margin_of(summary: dict[str, Any]) -> float:
    """The margin [eV] of the comparison."""
    return float(next(iter(summary["differences"].values()))["equivalence_margin_eV"])


def decidable_of(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The differences whose verdict follows from their interval."""
    return {
        pair: one
        for pair, one in summary["differences"].items()
        if one["verdict"] == verdict_of(one["ci95"][0], one["ci95"][1], one["equivalence_margin_eV"])
        and (one["verdict"] != "undecided" or "95 % interval" in one["reason"])
    }
