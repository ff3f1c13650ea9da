"""Runs a command of nmrdyn beside a copy of the example study, for pages and for their test."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from study_examples import EXAMPLE

from nmrdyn.cli.main import main

_WIDTH = "78"  # letters of a line of --help


def run_command(line: str) -> tuple[int, str]:
    """Exit status and output of `nmrdyn ...` beside a new copy of the example study, called example."""
    program, *arguments = shlex.split(line)
    if program != "nmrdyn":
        raise ValueError(f"needed a command of nmrdyn, found {line}")
    heard, before, columns = io.StringIO(), Path.cwd(), os.environ.get("COLUMNS")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(EXAMPLE, Path(folder) / "example")
        os.chdir(folder)
        os.environ["COLUMNS"] = _WIDTH
        try:
            with redirect_stdout(heard), redirect_stderr(heard):
                try:
                    status = main(arguments)
                except SystemExit as leaving:  # of --help, and of argparse's errors
                    status = int(leaving.code or 0)
        finally:
            os.chdir(before)
            os.environ.pop("COLUMNS")
            if columns is not None:
                os.environ["COLUMNS"] = columns
        return status, heard.getvalue().replace(f"{folder}/", "")
