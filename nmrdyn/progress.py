"""Progress bars of what takes long, on standard error, for whoever has asked for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

_WANTED: ContextVar[bool] = ContextVar("nmrdyn.progress", default=False)
_LONGEST = 40  # letters of names

T = TypeVar("T")


@contextmanager
def shown(wanted: bool) -> Iterator[None]:
    """Show what is under way in this thread, if `wanted`."""
    token = _WANTED.set(wanted)
    try:
        yield
    finally:
        _WANTED.reset(token)


def wanted() -> bool:
    """Whether somebody has asked for bars."""
    return _WANTED.get()


def track(items: Sequence[T], what: str, *, unit: str) -> Iterable[T]:
    """The items, with a bar that counts them.

    >>> list(track([1, 2], "counting", unit="number"))
    [1, 2]
    """
    return tqdm(items, desc=what, unit=unit, disable=not wanted(), leave=False)


@contextmanager
def stage(what: str) -> Iterator[None]:
    """A line that says what is under way, as long as it is."""
    with tqdm(total=0, desc=what, bar_format="{desc} ...", disable=not wanted(), leave=False):
        yield


def names(items: Iterable[str]) -> str:
    """Names in a line of progress, without what a terminal would obey.

    >>> names(["23Na hop", "BH4 rotation"])
    '23Na hop, BH4 rotation'
    """
    text = "".join(letter if letter.isprintable() else "?" for letter in ", ".join(items))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
