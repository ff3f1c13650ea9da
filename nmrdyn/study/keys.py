"""Every key of a study file, from `data/study-keys.toml`: what the reader knows, and what the reference prints."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key: what it takes and says, an example and a value that is refused (as TOML), its default, its kind of data.

    `default` is "" where the key has to be said, `wrong` where any text will do, `data` where all kinds have the key.
    """

    name: str
    takes: str
    says: str
    example: str
    wrong: str = ""
    default: str = ""
    data: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table of a study file: how it is written there, what it is, and its keys."""

    head: str
    says: str
    keys: tuple[Key, ...]

    @property
    def known(self) -> set[str]:
        """The names of all keys."""
        return {key.name for key in self.keys}

    @property
    def needed(self) -> list[str]:
        """The names of those that have to be said."""
        return [key.name for key in self.keys if not key.default]


def _sections() -> dict[str, Section]:
    """The sections by name, in the order of the file."""
    text = resources.files("nmrdyn").joinpath("data/study-keys.toml").read_text(encoding="utf-8")
    return {
        name: Section(
            head=table["head"],
            says=table["says"],
            keys=tuple(Key(name=key, **entry) for key, entry in table.get("keys", {}).items()),
        )
        for name, table in tomllib.loads(text).items()
    }


SECTIONS = _sections()
TABLES = {"study", "probe", "process", "haven"}
"""What a study file may hold."""
