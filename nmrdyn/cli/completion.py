"""nmrdyn completion: a script that lets a shell complete commands, options and paths."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmrdyn.cli.parser import Commands, Parser, add_command
from nmrdyn.cli.suggest import choice

_SHELLS = ("bash", "zsh", "fish")


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "completion",
        "print a script that lets a shell complete commands, options, their words and paths",
        usage="bash|zsh|fish",
        examples=[
            "bash > ~/.local/share/bash-completion/completions/nmrdyn",
            "zsh > ~/.zfunc/_nmrdyn         (with fpath+=~/.zfunc before compinit in ~/.zshrc)",
            "fish > ~/.config/fish/completions/nmrdyn.fish",
        ],
        details='For this session only, in bash: eval "$(nmrdyn completion bash)"',
    )
    command.add_argument("shell", type=choice(*_SHELLS), choices=_SHELLS, help="bash, zsh or fish")
    command.set_defaults(command=_completion)


def _completion(options: argparse.Namespace) -> None:
    import shtab

    from nmrdyn.cli.main import parsers  # which knows this file

    parser, commands = parsers()
    for command in commands.values():
        for action in command._actions:
            if action.type is Path:
                action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=options.shell))
