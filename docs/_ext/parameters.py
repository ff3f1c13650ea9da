"""Docstrings here say "name : what it is" for a parameter; the type stands in the signature."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

_SECTIONS = {"Parameters", "Attributes", "Returns"}
_PARAMETER = re.compile(r"(?P<names>\S[^:]*?) : (?P<text>.+)")


def _tell_text_from_types(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Put the text of each parameter where numpydoc has it, on a line of its own below the name."""
    found, section = [], ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if following and set(following) == {"-"}:
            section = line.strip()
        match = _PARAMETER.fullmatch(line) if section in _SECTIONS else None
        found += [match["names"], f"    {match['text']}"] if match else [line]
    lines[:] = [_plain(line) for line in found]


def _plain(line: str) -> str:
    """A line in which * and | mean themselves, but in code."""
    if line.lstrip().startswith((">>>", "...")):
        return line
    parts = line.split("`")
    return "`".join(re.sub(r"([*|])", r"\\\1", part) if k % 2 == 0 else part for k, part in enumerate(parts))


def setup(app: Sphinx) -> dict[str, bool]:
    """Before napoleon, which reads the docstrings next."""
    app.connect("autodoc-process-docstring", _tell_text_from_types, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
