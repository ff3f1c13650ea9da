"""Parameter files of an expno (acqus, acqu2s), and what they say of the experiment."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nmrglue as ng
import numpy as np

from nmrdyn.schema import InputError


def read_parameters(path: Path) -> dict[str, Any]:
    """A JCAMP-DX parameter file as a dict.

    Raises
    ------
    InputError
        Where the file is missing or cannot be parsed.
    """
    if not path.is_file():
        raise InputError(f"{path.parent}: needed the parameter file {path.name}, found none; copy the whole expno")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(ng.bruker.read_jcamp(str(path), encoding="utf-8"))
    except Exception as error:  # nmrglue raises whatever its line-by-line parser meets
        raise InputError(f"{path}: not a readable parameter file ({error})") from error


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
    try:
        result = float(value)
    except (TypeError, ValueError):
        result = np.nan
    if not np.isfinite(result):
        raise InputError(f"{where}: needed a number for {key}, found {value!r}")
    return result
