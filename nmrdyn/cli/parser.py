"""The parser of a command: its help, the options that all commands share, and errors of one line."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from nmrdyn.cli.show import printable
from nmrdyn.cli.suggest import did_you_mean

Commands = argparse._SubParsersAction


class Parser(argparse.ArgumentParser):
    """An `argparse` parser that takes no abbreviations and says one line of what is wrong, below the usage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with status 2."""
        said = message.replace("the following arguments are required:", "needed").removeprefix("argument ")
        self.exit(2, f"{printable(self.format_usage())}\nnmrdyn: {printable(said)}\n")

    def format_usage(self) -> str:
        """One line."""
        return f"usage: {self.usage}"

    def require_known(self, words: Sequence[str]) -> None:
        """Refuse options that there are not, with the nearest, before others are missed."""
        known = self._option_string_actions
        for word in words:
            name = word.partition("=")[0]
            if word == "--":
                return
            if (
                re.match(r"--?[A-Za-z]", name)
                and name not in known
                and (name.startswith("--") or name[:2] not in known)
            ):
                self.error(f"unknown option {name}{did_you_mean(name, known) or f'; see {self.prog} --help'}")


def add_command(
    commands: Commands[Parser],
    name: str,
    summary: str,
    *,
    usage: str,
    examples: Sequence[str],
    details: str = "",
    json: str = "",
    bars: bool = False,
) -> Parser:
    """A command whose help has a sentence, perhaps details, its arguments and examples.

    `json` is what --json prints; where there are `bars`, --quiet silences them.
    """
    command = commands.add_parser(
        name,
        prog=f"nmrdyn {name}",
        usage=f"nmrdyn {name} {usage}",
        help=summary.replace("%", "%%"),
        description="\n\n".join(filter(None, [f"{summary[0].upper()}{summary[1:]}.", details])),
        epilog="\n".join(["examples:", *(f"  nmrdyn {name} {example}" for example in examples)]),
    )
    common = command.add_argument_group("common options")
    if json:
        common.add_argument("--json", action="store_true", help=f"print JSON on standard output: {json}")
    if bars:
        common.add_argument("--quiet", action="store_true", help="no progress bars and no remarks on standard error")
    add_debug(common)
    return command


def add_debug(parser: argparse._ActionsContainer) -> None:
    """--debug, which may stand before the command or behind it."""
    parser.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
    )


def bars_wanted(options: argparse.Namespace) -> bool:
    """Whether somebody looks who has not asked for silence."""
    return sys.stderr.isatty() and not options.quiet
