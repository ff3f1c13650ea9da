"""The command line. Results go to standard output, errors as one line to standard error."""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from nmrdyn.cli import compare, completion, demo, init, report, run, scan, sigma, t1, tau
from nmrdyn.cli.parser import Commands, Parser, add_debug
from nmrdyn.cli.show import encodable, printable
from nmrdyn.cli.suggest import did_you_mean

_COMMANDS = (scan, init, t1, tau, sigma, run, demo, report, compare, completion)

_EPILOG = """\
examples:
  nmrdyn demo example                            an example study, run in about a minute
  nmrdyn scan FOLDER                             what was measured
  nmrdyn init FOLDER --cq 23Na=1.00±0.05MHz      a study of it, to be filled in
  nmrdyn run study.toml --out results            from raw data to barriers and a report

exit status:
  0    done, also with warnings
  1    internal error (a bug: please report it)
  2    input that cannot be used; one line says what was needed, what was found, and the next move
  130  interrupted

`nmrdyn COMMAND --help` shows the options of a command, with examples. Tab completion: nmrdyn completion --help"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    # A stream that was closed before the start is None.
    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        encodable(stream)
    words = _with_signs(sys.argv[1:] if arguments is None else arguments)
    parser, commands = parsers()
    if not set(words) - {"--debug"}:
        parser.print_help()
        return 0
    _require_known(words, parser, commands)
    options = parser.parse_args(words)
    try:
        status = options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, such as head, has had enough; at its end Python would say so again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (Exception, KeyboardInterrupt) as error:
        if "debug" in options:
            traceback.print_exception(error)
        said, status = _said(error)
        print(printable(f"nmrdyn: {said}"), file=sys.stderr)
    return status or 0


def _said(error: BaseException) -> tuple[str, int]:
    """An error in a line, and the exit status."""
    from nmrdyn.schema import InputError  # after --help, which need not wait for it

    if isinstance(error, KeyboardInterrupt):
        return f"interrupted; {str(error) or 'nothing was written'}", 130
    if isinstance(error, InputError):
        return str(error), 2
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror}", 2
    text = " ".join(str(error).split())[:300]
    return (
        f"internal error: {type(error).__name__}: {text}; run again with --debug for the traceback, and report it",
        1,
    )


def _require_known(words: list[str], parser: Parser, commands: dict[str, Parser]) -> None:
    """Refuse a command or an option that there is not, with the nearest."""
    at = next((k for k, word in enumerate(words) if not word.startswith("-")), None)
    parser.require_known(words[:at])
    if at is None or {"-h", "--help", "--version"} & set(words[:at]):
        return
    name = words[at]
    if name not in commands:
        near = did_you_mean(name, commands)
        if not near:
            near = f"; did you mean scan {name}?" if Path(name[:200]).exists() else f"; there are {', '.join(commands)}"
        parser.error(f"needed a command, found {name[:200]!r}{near}")
    commands[name].require_known(words[at + 1 :])


def _with_signs(arguments: Sequence[str]) -> list[str]:
    """Join an option and a value that begins with a minus, such as `--region -40:-30ppm`; argparse would not."""
    joined: list[str] = []
    for word in arguments:
        if joined and re.match(r"-\.?\d", word) and re.fullmatch(r"--[a-z-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser and those of the commands by name."""
    from nmrdyn import __version__

    parser = Parser(
        prog="nmrdyn",
        usage="nmrdyn COMMAND [options]",
        description="Solid-state NMR relaxation and the motion behind it: from TopSpin folders to barriers.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"nmrdyn {__version__}")
    add_debug(parser)
    commands: Commands[Parser] = parser.add_subparsers(
        required=True, metavar="COMMAND", title="commands", parser_class=Parser
    )
    for command in _COMMANDS:
        command.add(commands)
    return parser, dict(commands.choices)
