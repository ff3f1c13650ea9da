"""Electric field gradients from a .magres file (CCP-NC format 1.0: CASTEP, Quantum ESPRESSO GIPAW and others)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from nmrdyn.efg.sites import Site, lines_of, read_numbers
from nmrdyn.isotopes import efg_factor
from nmrdyn.schema import InputError

# Blocks are [magres] ... [/magres], in older files <magres> ... </magres>.
_TAG = re.compile(r"[\[<](/?)(\w+)[\]>]")

_Key = tuple[str, str]  # label and index of an atom


def read_magres(file: Path) -> tuple[list[Site], list[str]]:
    """All atoms of a .magres file with the tensors of its `efg` records.

    Sites are called "B 1" or "H1a 1": label and index in the file. `efg_local` and `efg_nonlocal` are parts of the
    tensor and left alone, as is all outside the blocks `atoms` and `magres`.

    Raises
    ------
    InputError
        Where there is no `efg` record or no unit, an atom has two records or one of its element has none, or a line
        is not readable.
    """
    elements: dict[_Key, str] = {}
    records: list[tuple[list[str], str]] = []
    unit, block = "", ""
    for number, line in lines_of(file):
        words = line.split("#", 1)[0].split()
        where = f"{file}, line {number}"
        if not words:
            continue
        if tag := _TAG.fullmatch(words[0]):
            block = "" if tag[1] else tag[2]
        elif block == "atoms" and words[0] == "atom":
            if len(words) < 4:
                raise InputError(f"{where}: needed 'atom species label index x y z', found {line.strip()[:80]!r}")
            elements[words[2], words[3]] = _element(words[1])
        elif block == "magres" and words[:2] == ["units", "efg"]:
            unit = _unit(words, where)
        elif block == "magres" and words[0] == "efg":
            if len(words) not in (11, 12):
                raise InputError(f"{where}: needed 'efg label index' and nine numbers, found {line.strip()[:80]!r}")
            records.append((words[1:], where))
    if not records:
        raise InputError(f"{file}: needed 'efg' records in a block [magres], found none; calculate them first")
    if not unit:
        raise InputError(f"{file}: needed the line 'units efg au', found none")
    joined: dict[str, list[_Key]] = {}
    for key in elements:
        joined.setdefault("".join(key), []).append(key)
    sites: dict[_Key, Site] = {}
    for words, where in records:
        key = _key(words[:-9], joined, where)
        if key in sites:
            raise InputError(f"{where}: needed one tensor of an atom, found a second one of {' '.join(key)}")
        sites[key] = _site(key, elements, words[-9:], factor=efg_factor(unit), where=where)
    measured = {site.element for site in sites.values()}
    missing = [(one, " ".join(key)) for key, one in elements.items() if one in measured and key not in sites]
    if missing:
        element = missing[0][0]
        names = [name for one, name in missing if one == element]
        raise InputError(f"{file}: needed a tensor of every {element}, found none of {', '.join(names[:20])}")
    return list(sites.values()), []


def _site(key: _Key, elements: Mapping[_Key, str], words: list[str], *, factor: float, where: str) -> Site:
    values, step = read_numbers(words, where)
    # The nine numbers are rows; files that write columns hold a symmetric tensor all the same.
    return Site(" ".join(key), elements.get(key) or _element(key[0]), values.reshape(3, 3) * factor, step * factor)


def _key(words: Sequence[str], joined: Mapping[str, Sequence[_Key]], where: str) -> _Key:
    """Label and index of a record; CASTEP before 22.1 leaves no space between them from index 100 on."""
    if len(words) == 2:
        return words[0], words[1]
    candidates = joined.get(words[0], [])
    if len(candidates) != 1:
        either = " or ".join(" ".join(key) for key in candidates) or "none of the atoms"
        raise InputError(f"{where}: needed an atom as 'label index', found {words[0]!r}, which is {either}")
    return candidates[0]


def _unit(words: Sequence[str], where: str) -> str:
    if words[2:] != ["au"]:
        raise InputError(f"{where}: needed 'units efg au', the unit of the format, found {' '.join(words)!r}")
    return "a.u."


def _element(species: str) -> str:
    """The element of a species such as "Na" or "H:mu"; "" if there is none."""
    match = re.match(r"[A-Za-z]+", species)
    return match[0].capitalize() if match else ""
