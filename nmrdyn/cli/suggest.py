"""What a mistyped word was probably meant to be."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """The end of an error that names the nearest known word, "" where none is near."""
    by_small = {one.lower(): one for one in known}
    near = get_close_matches(found.lower(), by_small, n=1)
    return f"; did you mean {by_small[near[0]]}?" if near else ""


def choice(*known: str) -> Callable[[str], str]:
    """The type of an option that is one of the known words."""

    def chosen(found: str) -> str:
        if found in known:
            return found
        raise argparse.ArgumentTypeError(
            f"needed one of {', '.join(known)}, found {found[:80]!r}{did_you_mean(found, known)}"
        )

    return chosen


def require_there(path: Path, what: str) -> Path:
    """`path` if it exists.

    Raises
    ------
    InputError
        Naming the nearest name that is there in its place.
    """
    from nmrdyn.schema import InputError

    try:
        if path.exists():
            return path
        missing = next(one for one in (*reversed(path.parents), path) if not one.exists())
        names = [one.name for one in missing.parent.iterdir() if not one.name.startswith(".")]
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise InputError(f"{path}: needed {what}, found {getattr(error, 'strerror', None) or error}") from error
    near = did_you_mean(missing.name, names).replace(
        "mean ", f"mean {missing.parent}/" if missing.parent.name else "mean "
    )
    raise InputError(f"{path}: needed {what}, found no such file or folder{near or '; check the path'}")
