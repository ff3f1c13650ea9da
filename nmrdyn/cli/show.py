"""Numbers, tables and JSON on a terminal."""

from __future__ import annotations

import codecs
import io
import json
import math
import re
import shutil
import sys
import textwrap
from typing import Any, TextIO

_NARROWEST = 24  # letters, in which a remark is still readable
# What a terminal shows that has not these letters; units are read back so.
_PLAIN = {"±": "+-", "°": "deg", "µ": "u", "μ": "u", "Å": "A", "×": "x", "τ": "tau", "σ": "sigma", "–": "-", "−": "-"}
_RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")


def encodable(stream: TextIO) -> None:
    """Let a stream that has not all letters write others in their place, where it would end in an error."""
    codecs.register_error("nmrdyn", _in_plain_letters)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="nmrdyn")


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    text = re.sub("[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: f"^{found[0].translate(_RAISED)}", text)
    return "".join(letter if letter.isascii() else _PLAIN.get(letter, "?") for letter in text), error.end


def print_json(value: object) -> None:
    """JSON with null in place of NaN, which JSON does not have."""
    print(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(columns: dict[str, list[str]]) -> None:
    """Columns by their heads; one that is empty all the way down is left out.

    On a terminal that is too narrow, the last column is wrapped or goes below its row, else each row becomes a list.
    """
    kept = {
        _encoded(head): [_encoded(printable(cell)) for cell in cells]
        for head, cells in columns.items()
        if any(cell not in ("", "-") for cell in cells)
    }
    if not kept:
        return
    widths = [max(len(cell) for cell in [head, *cells]) for head, cells in kept.items()]
    rows = [tuple(kept), *zip(*kept.values(), strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    if 0 < room < before - 2:
        _print_lists(rows)
        return
    for row in rows:
        start = "".join(cell.ljust(width + 2) for cell, width in zip(row[:-1], widths[:-1], strict=True))
        if not room or before + widths[-1] <= room:
            print(f"{start}{row[-1]}".rstrip())
        elif room - before >= _NARROWEST:
            wrapped = textwrap.wrap(row[-1], room - before) or [""]
            print(f"\n{' ' * before}".join([f"{start}{wrapped[0]}", *wrapped[1:]]).rstrip())
        else:
            print(start.rstrip())
            if row is not rows[0] and row[-1]:
                print(textwrap.fill(row[-1], room, initial_indent="    ", subsequent_indent="    "))


def _encoded(text: str) -> str:
    """Text in letters that standard output has, so that columns stay in line."""
    return text.encode(sys.stdout.encoding or "utf-8", "nmrdyn").decode(sys.stdout.encoding or "utf-8")


def _print_lists(rows: list[tuple[str, ...]]) -> None:
    heads, *cells = rows
    width = max(map(len, heads))
    for row in cells:
        print(
            "\n".join(f"{head.ljust(width)}  {cell}" for head, cell in zip(heads, row, strict=True) if cell), end="\n\n"
        )


def print_remark(text: str) -> None:
    """A remark on standard error."""
    print(printable(f"nmrdyn: {text}"), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """A line without control characters, which a terminal would obey, and without what it cannot show."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def shown(value: float | None, form: str, missing: str = "-") -> str:
    """A number, or what stands for one that is missing."""
    return missing if value is None or math.isnan(value) else format(value, form)
