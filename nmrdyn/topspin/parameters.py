"""Parameter files of an expno (acqus, acqu2s), and what they say of the experiment."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import nmrglue as ng
import numpy as np

from nmrdyn.schema import InputError

# Read-outs of a console without a sensor; never a temperature.
_NO_SENSOR = (0.0, 673.2, 683.16, 690.2)


def find_expnos(path: Path) -> list[Path]:
    """The expno `path`, or every expno up to three folders below it, in natural order.

    Raises
    ------
    InputError
        Where `path` does not exist or holds no expno.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a TopSpin expno or a folder of expnos")
    if not path.is_dir():
        raise InputError(f"{path}: needed a TopSpin expno or a folder of expnos, found a file")
    if (path / "acqus").is_file():
        return [path]
    found = [file.parent for depth in ("*", "*/*", "*/*/*") for file in path.glob(f"{depth}/acqus")]
    if not found:
        raise InputError(f"{path}: needed expnos (folders with acqus), found none; give the folder that holds them")
    return sorted(found, key=lambda expno: [_natural(part) for part in expno.relative_to(path).parts])


def _natural(part: str) -> tuple[int, int, str]:
    return (0, int(part), "") if part.isdigit() else (1, 0, part)


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


def temperature(parameters: dict[str, Any]) -> float:
    """TE in K, NaN where it is a console's read-out without a sensor."""
    try:
        te = float(parameters.get("TE", np.nan))
    except (TypeError, ValueError):
        return np.nan
    return te if te > 0 and not np.any(np.isclose(te, _NO_SENSOR, atol=0.05)) else np.nan


def named_kind(parameters: dict[str, Any]) -> str:
    """The kind of experiment as ZGOPTNS and the name of the pulse program tell it; "" where they do not."""
    options = str(parameters.get("ZGOPTNS", "")).lower()
    program = str(parameters.get("PULPROG", "")).strip("<>").lower()
    if "-dt2" in options:
        return "t2"
    if "-dt1" in options:
        return ""
    for kind, words in _PROGRAMS.items():
        for word in words:
            if word in program:
                return kind
    return ""


def kind_from_program(path: Path) -> str:
    """The kind of recovery from the text of a pulse program: what is done to the spins just before the delay vd.

    A loop of pulses saturates them, one pulse p2 (180 degrees by the field's convention) inverts them; "" where
    neither is plain.
    """
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line.split(";")[0].strip() for line in text.splitlines() if not line.startswith(("#", ";"))]
    delays = [i for i, line in enumerate(lines) if re.match(r"vd\b", line)]
    if not delays:
        return ""
    before = [line for line in lines[: delays[0]] if line]
    if any(re.match(r"lo to \S+ times", line) for line in before[-3:]):
        return "saturation_recovery"
    pulses = [line for line in before if re.search(r"\bph\d+", line)]
    return "inversion_recovery" if len(pulses) == 1 and re.search(r"\bp2\b", pulses[0]) else ""


_PROGRAMS = {
    "t1rho": ("t1rho", "t1r."),
    "t2": ("cpmg", "t2", "project"),
    "diffusion": ("dosy", "diff", "ledbp", "stebp", "pfg"),
    "stimulated_echo": ("stimecho", "stim_echo", "stecho"),
    "saturation_recovery": ("satrec", "satrect1", "t1sat", "sr_t1", "satr"),
    "inversion_recovery": ("t1ir", "invrec", "inversion", "_fir", "irt1"),
}
