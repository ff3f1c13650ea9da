"""The command line. Results go to standard output, errors as one line to standard error with exit status 2."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence

from nmrdyn.cli import demo, report, run, scan, sigma, t1, tau
from nmrdyn.cli.show import printable

_COMMANDS = (scan, t1, tau, sigma, run, demo, report)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(_with_signs(sys.argv[1:] if arguments is None else arguments))
    from nmrdyn.schema import InputError  # after --help, which need not wait for it

    try:
        status = options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, such as head, has had enough; at its end Python would say so again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except InputError as error:
        print(printable(f"nmrdyn: {error}"), file=sys.stderr)
        return 2
    except OSError as error:
        print(printable(f"nmrdyn: {error.filename or ''}: {error.strerror or error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(printable(f"nmrdyn: interrupted; {str(error) or 'nothing was written'}"), file=sys.stderr)
        return 130
    return status or 0


def _with_signs(arguments: Sequence[str]) -> list[str]:
    """Join an option and a value that begins with a minus, such as `--region -40:-30ppm`; argparse would not."""
    joined: list[str] = []
    for word in arguments:
        if joined and re.match(r"-\.?\d", word) and re.fullmatch(r"--[a-z-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _parser() -> argparse.ArgumentParser:
    from nmrdyn import __version__

    parser = argparse.ArgumentParser(
        prog="nmrdyn",
        description="Solid-state NMR relaxation and the motion behind it: from TopSpin folders to barriers.",
    )
    parser.add_argument("--version", action="version", version=f"nmrdyn {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser
