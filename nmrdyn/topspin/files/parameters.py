"""Parameter files of an expno (acqus, acqu2s, procs)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from nmrdyn.schema import InputError
from nmrdyn.topspin.files.text import decoded, leads_inside

_LARGEST = 4_000_000  # bytes; parameter files have some ten kilobytes
_ENTRY = re.compile(r"^##\$(?P<key>[^=\n]{1,80})=[ \t]*(?P<value>.*(?:\n(?!##|\$\$).*)*)", re.MULTILINE)
_MOST = 10**15  # of anything counted; a float beyond is no whole number
_ARRAY = re.compile(r"\(\d{1,9}\.\.(?P<last>\d{1,9})\)")


def read_parameters(path: Path) -> dict[str, Any]:
    """A JCAMP-DX parameter file as a dict: numbers, texts without their <>, lists of both.

    Our own lines, as nmrglue's parser does not come to an end where a file was cut inside a text or an array.

    Raises
    ------
    InputError
        Where the file is missing, linked from outside its folder, cannot be read, is above 4 MB, or ends inside a
        text or an array.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "acqus"
    ...     _ = path.write_text("##TITLE= x\\n##$D= (0..2)\\n0 0.5\\n1e-05\\n##$NUC1= <11B>\\n##$TD= 1024\\n##END=\\n")
    ...     read_parameters(path)
    {'D': [0, 0.5, 1e-05], 'NUC1': '11B', 'TD': 1024}
    """
    try:
        if not path.is_file():
            raise InputError(f"{path.parent}: needed the parameter file {path.name}, found none; copy the whole expno")
        if not leads_inside(path, path.parent):
            raise InputError(
                f"{path}: needed a file of the expno, found a link that leads out of it; copy the file itself"
            )
        with path.open("rb") as file:
            data = file.read(min(path.stat().st_size, _LARGEST) + 1)
    except OSError as error:
        raise InputError(f"{path}: needed a readable parameter file, found {error.strerror}; copy it again") from error
    if len(data) > _LARGEST:
        raise InputError(f"{path}: needed a parameter file of at most 4 MB, found more; is this one?")
    text = decoded(data).replace("\r\n", "\n").replace("\r", "\n")
    return {match["key"].strip(): _value(match["key"], match["value"], path) for match in _ENTRY.finditer(text)}


def _value(key: str, text: str, path: Path) -> Any:
    text = text.strip()
    array = _ARRAY.match(text)
    if array is None:
        if text.startswith("<") and not text.endswith(">"):
            raise InputError(f"{path}: needed the end of {key}, found {text[:40]!r}; was the file cut?")
        return _scalar(text)
    words = re.findall(r"<[^<>]*>|[^\s<>]+", text[array.end() :])
    if len(words) < int(array["last"]) + 1:
        needed = int(array["last"]) + 1
        raise InputError(
            f"{path}: needed {needed} values of {key}, found {len(words)}; was the file cut? copy it again"
        )
    return [_scalar(word) for word in words]


def _scalar(text: str) -> int | float | str:
    if text.startswith("<"):
        return text[1:-1]
    for kind in (int, float) if text.isascii() and "_" not in text else ():  # Python alone reads 1_024 as a number
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def number(parameters: dict[str, Any], key: str, *, where: Path, default: float | None = None) -> float:
    """One numeric parameter.

    Raises
    ------
    InputError
        Where it is missing without a default, or not a finite number.
    """
    value = parameters.get(key, default)
    if value is None:
        raise InputError(f"{where}: needed the parameter {key}, found none")
    result = loose_number(value)
    if np.isnan(result):
        raise InputError(f"{where}: needed a number for {key}, found {str(value)[:40]!r}")
    return result


def count(parameters: dict[str, Any], key: str, *, where: Path, least: int = 0, default: int | None = None) -> int:
    """A parameter that counts something.

    Raises
    ------
    InputError
        Where it is missing without a default, or no whole number from `least` to 1e15.
    """
    value = number(parameters, key, where=where, default=default)
    if not least <= value <= _MOST or value != int(value):
        raise InputError(
            f"{where}: needed {key} of {least} or more, a whole number, found {value:g}; is the file damaged?"
        )
    return int(value)


def loose_number(value: Any) -> float:
    """A parameter as a finite number; NaN where it is none."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
    return result if np.isfinite(result) else np.nan
