"""What pages take from the code while they are built: keys of a study file, what commands print, docstrings."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from typing import ClassVar

from commands import run_command
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from study_examples import refusal, study_with, write_data

import nmrdyn
from nmrdyn.schema import STAGES
from nmrdyn.study.keys import SECTIONS, Key, Section


class StudyKeys(SphinxDirective):
    """Every section of a study file: its keys, and what the reader says to a wrong value of each."""

    def run(self) -> list[nodes.Node]:
        with tempfile.TemporaryDirectory() as folder:
            write_data(Path(folder))
            text = "\n".join(_section(name, section, Path(folder)) for name, section in SECTIONS.items())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def _section(name: str, section: Section, folder: Path) -> str:
    entries = "\n".join(_entry(name, key, folder) for key in section.keys)
    return f"({name}-keys)=\n### `{section.head}`\n\n{section.says}\n\n{entries}\n"


def _entry(name: str, key: Key, folder: Path) -> str:
    """One key as an item of a definition list."""
    more = f" With {key.data}." if key.data else ""
    lines = [
        f"`{key.name}`",
        f": {key.says}{more}",
        f"  Takes {key.takes}; {f'unless said: {key.default}' if key.default else '**needed**'}.",
        "",
        f"  `{key.name} = {key.example}`",
    ]
    if key.wrong:
        found = refusal(study_with(name, key, key.wrong), folder)
        lines += [
            "",
            "  ```{code-block} text",
            "  :class: refusal",
            "",
            f"  {key.name} = {key.wrong}",
            f"  {found}",
            "  ```",
        ]
    return "\n".join([*lines, ""])


class Command(SphinxDirective):
    """A command as it is typed and what it prints, run beside a copy of the example study."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"status": directives.nonnegative_int, "lines": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        line = self.arguments[0]
        status, printed = run_command(line)
        if status != self.options.get("status", 0):
            raise self.error(f"{line}: needed exit status {self.options.get('status', 0)}, found {status}: {printed}")
        rows = printed.rstrip().split("\n")
        most = self.options.get("lines", len(rows))
        left_out = [f"... ({len(rows) - most} more lines)"] if len(rows) > most else []
        text = "\n".join([f"$ {line}", *rows[:most], *left_out])
        return [nodes.literal_block(text, text, language="console")]


class PublicNames(SphinxDirective):
    """The docstrings of public names, one a line; a name with dots is taken as it stands."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        text = "\n".join(
            ["```{eval-rst}", *(_documented(name.strip()) for name in self.content if name.strip()), "```"]
        )
        return self.parse_text_to_nodes(text)


def _documented(name: str) -> str:
    path = name if name.startswith("nmrdyn.") else f"nmrdyn.{name}"
    found: object = nmrdyn
    for part in path.split(".")[1:]:
        found = getattr(found, part)
    if inspect.isclass(found):
        return f".. autoclass:: {path}\n   :members:\n"
    return f".. autofunction:: {path}\n" if callable(found) else f".. autodata:: {path}\n"


class Figures(SphinxDirective):
    """The docstrings of all functions that draw."""

    def run(self) -> list[nodes.Node]:
        names = [name for name in nmrdyn.plot.__all__ if callable(getattr(nmrdyn.plot, name))]
        return self.parse_text_to_nodes("\n".join(["```{public-names}", *(f"plot.{name}" for name in names), "```"]))


class Stages(SphinxDirective):
    """The glossary of `nmrdyn.schema` as tables."""

    def run(self) -> list[nodes.Node]:
        lines = []
        for name, stage in STAGES.items():
            lines += [
                f"## {name}",
                "",
                stage.summary,
                "",
                "| variable | what | dimensions | unit |",
                "|---|---|---|---|",
            ]
            for kind in (stage.variables, stage.optional, stage.coords):
                lines += [
                    f"| `{one}` | {what.long_name} | {', '.join(what.dims)} | {what.unit} |".replace("|Z|", r"\|Z\|")
                    for one, what in kind.items()
                ]
            lines.append("")
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """The directives of this module."""
    app.add_directive("study-keys", StudyKeys)
    app.add_directive("command", Command)
    app.add_directive("public-names", PublicNames)
    app.add_directive("plot-names", Figures)
    app.add_directive("stages", Stages)
    return {"parallel_read_safe": False, "parallel_write_safe": True}  # a command runs in a working directory
