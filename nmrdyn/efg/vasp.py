"""Electric field gradients from the OUTCAR of VASP (LEFG = .TRUE.)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np

from nmrdyn.efg.sites import Site, lines_of, read_numbers
from nmrdyn.isotopes import MILLIBARN, efg_factor
from nmrdyn.schema import InputError

_TENSORS = "Electric field gradients (V/A^2)"
_TENSOR_COLUMNS = "ion V_xx V_yy V_zz V_xy V_xz V_yz"
_MOMENTS = "NMR quadrupolar parameters"
_MOMENT_COLUMNS = "ion Cq(MHz) eta Q (mb)"
_COUNTS = "ions per type ="
_MOST = 1_000_000  # ions

# Each species has both. TITEL goes first: VRHFIN is misspelt in some POTCARs ("X" for Xe, "r" for Zr_sv).
_TITEL = re.compile(r"TITEL\s*=\s*\S+\s+([A-Z][a-z]?)(?![a-z])")
_VRHFIN = re.compile(r"VRHFIN\s*=\s*([A-Z][a-z]?)(?![a-z])")


def read_outcar(file: Path) -> tuple[list[Site], list[str]]:
    """All ions of an OUTCAR with their tensors, and what is worth a note.

    Of several blocks, as a relaxation or a restart leaves them, the last is used. Sites are called "B 3" after the
    number of the ion in the file, which counts through all species.

    Raises
    ------
    InputError
        Where there is no block of electric field gradients, it is cut short, or a line of it is not readable.
    """
    titel: list[str] = []
    vrhfin: list[str] = []
    counts: list[int] = []
    sites: list[Site] = []
    blocks = 0
    lines = lines_of(file)
    for number, line in lines:
        if "TITEL" in line or "VRHFIN" in line:
            if counts:  # another run begins in the same file
                titel, vrhfin, counts = [], [], []
            names, pattern = (titel, _TITEL) if "TITEL" in line else (vrhfin, _VRHFIN)
            match = pattern.search(line)
            names.append(match[1] if match else "")
        elif _COUNTS in line:
            counts = _counts(line, f"{file}, line {number}")
        elif line.strip() == _TENSORS:
            elements = [one or other for one, other in zip_longest(titel, vrhfin, fillvalue="")]
            if len(elements) != len(counts) or not all(elements) or not counts:
                raise InputError(
                    f"{file}, line {number}: needed the species (TITEL or VRHFIN) and 'ions per type' before the "
                    f"electric field gradients, found the species {elements[:20]} and the counts {counts[:20]}"
                )
            sites = _tensors(lines, [e for e, n in zip(elements, counts, strict=True) for _ in range(n)], file)
            blocks += 1
        elif line.strip() == _MOMENTS and sites:
            sites = _with_moments(lines, sites, file)
    if not sites:
        raise InputError(f"{file}: needed the block {_TENSORS!r}, found none; run VASP with LEFG = .TRUE.")
    notes = [f"the file has {blocks} blocks of electric field gradients; the last was used"] if blocks > 1 else []
    return sites, notes


def _counts(line: str, where: str) -> list[int]:
    words = line.split("=")[1].split()
    counts = [int(word) if re.fullmatch("[0-9]{1,9}", word) else _MOST + 1 for word in words]
    if sum(counts) > _MOST:
        raise InputError(
            f"{where}: needed the number of ions of each species, up to {_MOST}, found {line.strip()[:80]!r}"
        )
    return counts


def _tensors(lines: Iterator[tuple[int, str]], elements: list[str], file: Path) -> list[Site]:
    factor = efg_factor("V/A^2")
    sites: list[Site] = []
    for words, where in _rows(lines, _TENSOR_COLUMNS, len(elements), file):
        (xx, yy, zz, xy, xz, yz), step = read_numbers(words, where)
        tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) * factor
        element = elements[len(sites)]
        sites.append(Site(f"{element} {len(sites) + 1}", element, tensor, step * factor))
    return sites


def _with_moments(lines: Iterator[tuple[int, str]], sites: list[Site], file: Path) -> list[Site]:
    rows = _rows(lines, _MOMENT_COLUMNS, len(sites), file, printed=3)
    # C_Q and eta are NaN in some files where V vanishes; only Q is of use.
    moments = [read_numbers(words[2:], where)[0][0] * MILLIBARN for words, where in rows]
    return [replace(site, quadrupole_moment=moment) for site, moment in zip(sites, moments, strict=True)]


def _rows(
    lines: Iterator[tuple[int, str]], columns: str, count: int, file: Path, *, printed: int = 6
) -> Iterator[tuple[list[str], str]]:
    """The words after the number of each of `count` ions in the table with these columns, and where they stand."""
    heading = next(((number, line) for number, line in lines if line.split()[:1] == ["ion"]), None)
    if heading is None or heading[1].split() != columns.split():
        where, found = (
            (f"{file}, line {heading[0]}", repr(heading[1].strip()[:80])) if heading else (f"{file}", "the end")
        )
        raise InputError(f"{where}: needed the columns {columns!r}, found {found}")
    ion = 0
    table = ((number, line) for number, line in lines if set(line.strip()) != {"-"})
    for ion, (number, line) in enumerate(islice(table, count), 1):
        words, where = line.split(), f"{file}, line {number}"
        if words[:1] != [str(ion)] or len(words) != printed + 1:
            raise InputError(
                f"{where}: needed ion {ion} of {count} with {printed} numbers, found {line.strip()[:80]!r}; "
                "was the calculation finished?"
            )
        yield words[1:], where
    if ion < count:
        raise InputError(f"{file}: needed {count} ions in the table {columns!r}, found {ion} before the end")
