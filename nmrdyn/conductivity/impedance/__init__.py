"""Raw impedance spectra -> resistances: the only room that uses the package `impedance` (impedance.py)."""

from __future__ import annotations

import importlib
from typing import Any

from nmrdyn.schema import InputError


def package(module: str) -> Any:
    """A module of impedance.py (MIT, kept by its community since 2018), which is an extra of nmrdyn.

    Raises
    ------
    InputError
        Where the package is not installed.
    """
    try:
        return importlib.import_module(f"impedance.{module}")
    except ImportError as error:
        raise InputError(
            f"impedance spectra: needed the package impedance, found {error}; "
            "pip install impedance, or nmrdyn with its extra eis"
        ) from error
