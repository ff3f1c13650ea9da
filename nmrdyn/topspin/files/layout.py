"""How numbers follow each other in a data file: their type, the length of a row, and how many rows there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmrdyn.schema import InputError
from nmrdyn.topspin.files.parameters import count, number
from nmrdyn.topspin.files.text import leads_inside

_BLOCK = 1024  # bytes; a row of a ser begins at a multiple of this (TopSpin's Acquisition Reference, NBL)
_LOOKED_AT = 8  # rows whose ends tell whether rows are padded
_LARGEST = 2_000_000_000  # bytes; a sparse file can claim any size

# DTYPA and DTYPP; dmfit's page on Bruker's formats lists 1 and knows no software that writes it.
_TYPES = {0: "i4", 1: "f4", 2: "f8"}


@dataclass(frozen=True)
class Layout:
    """How the rows of a file follow each other: numbers of a row, and bytes from row to row."""

    dtype: np.dtype[Any]
    words: int
    stride: int
    recorded: int
    rest: int  # bytes after the last complete row


def row_layout(acqus: dict[str, Any], *, where: Path) -> tuple[np.dtype[Any], int, int, int]:
    """Type and number of the numbers of a row, and the bytes they take without and with padding."""
    dtype = number_type(acqus, "A", where=where)
    words = count(acqus, "TD", where=where, least=2)
    bare = words * dtype.itemsize
    return dtype, words, bare, -(-bare // _BLOCK) * _BLOCK


def ser_layout(expno: Path, acqus: dict[str, Any], *, planned: int) -> Layout:
    """How the rows of a ser lie, by its size where the parameters leave padded and bare rows open.

    Raises
    ------
    InputError
        Where ser is missing or shorter than a row, or its size does not tell the length of a row.
    """
    size = file_size(expno / "ser", inside=expno)
    dtype, words, bare, padded = row_layout(acqus, where=expno / "acqus")
    if size < padded and size != bare:
        raise InputError(
            f"{expno / 'ser'}: needed rows of {padded} bytes, found {size} bytes in all; was a row completed?"
        )
    whole = [stride for stride in (padded, bare) if size % stride == 0]
    if len(whole) == 2 and padded != bare:
        if _is_padded(expno / "ser", bare, padded):
            whole = [padded]
        else:
            whole = [stride for stride in whole if size == planned * stride]
    # Where a row was torn, the size tells nothing; rows of integers are always padded.
    stride = whole[0] if whole else padded
    if not whole and padded != bare and (dtype.kind == "f" or size % padded == 0):
        raise InputError(
            f"{expno / 'ser'}: needed a size that tells the length of a row, found {size} bytes, which are "
            f"{size / padded:.4g} rows of {padded} bytes or {size / bare:.4g} rows of {bare}; cut the file at a row"
        )
    return Layout(dtype, words, stride, size // stride, size % stride)


def _is_padded(path: Path, bare: int, padded: int) -> bool:
    """Whether the first rows of a ser end in zeros where padding would be."""
    with path.open("rb") as file:
        for row in range(min(path.stat().st_size // padded, _LOOKED_AT)):
            file.seek(row * padded + bare)
            if any(file.read(padded - bare)):
                return False
    return True


def file_size(path: Path, *, inside: Path) -> int:
    """Bytes of a data file.

    Raises
    ------
    InputError
        Where it is missing, no file, above 2 GB or linked from outside `inside`.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "none"
        raise InputError(
            f"{inside}: needed the data file {path.name}, found {found}; copy the whole expno from the console"
        )
    if not leads_inside(path, inside):
        raise InputError(f"{path}: needed a file of the expno, found a link that leads out of it; copy the file itself")
    size = path.stat().st_size
    if size > _LARGEST:
        raise InputError(
            f"{path}: needed at most {_LARGEST / 1e9:g} GB, found {size / 1e9:g}; is this relaxation data?"
        )
    return size


def number_type(parameters: dict[str, Any], letter: str, *, where: Path) -> np.dtype[Any]:
    """The type of the numbers in a file, from DTYPA and BYTORDA (`letter` "A") or DTYPP and BYTORDP ("P").

    Raises
    ------
    InputError
        Where one of the two is unknown.
    """
    kind = number(parameters, f"DTYP{letter}", where=where, default=0)
    order = number(parameters, f"BYTORD{letter}", where=where, default=0)
    if kind not in _TYPES:
        raise InputError(f"{where}: needed DTYP{letter} 0 (int32) or 2 (float64), found {kind:g}; is the file damaged?")
    if order not in (0, 1):
        raise InputError(f"{where}: needed BYTORD{letter} 0 or 1, found {order:g}; is the file damaged?")
    return np.dtype(("<", ">")[int(order)] + _TYPES[int(kind)])
