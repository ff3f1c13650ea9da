"""Numbers, tables and JSON on a terminal."""

from __future__ import annotations

import json
import math
from typing import Any

_MEANINGLESS = 100.0  # a value with an error of this many times itself


def print_json(value: object) -> None:
    """JSON with null in place of NaN, which JSON does not have."""
    print(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(columns: dict[str, list[str]]) -> None:
    """Columns by their heads; one that is empty all the way down is left out."""
    kept = {
        head: [printable(cell) for cell in cells]
        for head, cells in columns.items()
        if any(cell not in ("", "-") for cell in cells)
    }
    widths = {head: max(len(cell) for cell in [head, *cells]) for head, cells in kept.items()}
    for row in [tuple(kept), *zip(*kept.values(), strict=True)]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths.values(), strict=True)).rstrip())


def printable(text: str) -> str:
    """A line without control characters, which a terminal would obey, and without what it cannot show."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def shown(value: float | None, form: str, missing: str = "-") -> str:
    """A number, or what stands for one that is missing."""
    return missing if value is None or math.isnan(value) else format(value, form)


def with_error(value: float, error: float) -> str:
    """Value and error with two digits of the error, as in 4.71(19)e-3."""
    if not (math.isfinite(value) and math.isfinite(error)) or error <= 0 or error > _MEANINGLESS * abs(value):
        return "-"
    exponent = math.floor(math.log10(abs(value)))
    digits = max(0, exponent - math.floor(math.log10(error)) + 1)
    return f"{value / 10**exponent:.{digits}f}({round(error / 10 ** (exponent - digits))})e{exponent}"
