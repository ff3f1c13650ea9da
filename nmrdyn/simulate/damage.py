"""What goes wrong in a laboratory, done to a simulated expno."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nmrdyn.schema import InputError

_SIGNATURE = "##TITLE= Parameter file, nmrdyn simulator"
_HOW = "cut:9, torn:9, zeros:6, hole:5, longer:2, shorter:2, units or no ser"


def damage(expno: str | Path, how: str) -> None:
    """Change a simulated expno in place, as an aborted or odd acquisition would have left it.

    Parameters
    ----------
    expno : one that `simulate_folder` wrote; no other is touched
    how : "cut:9" ser ends after 9 rows; "torn:9" ser ends inside the row after 9; "zeros:6" the last 6 rows are zero;
        "hole:5" row 5 is zero; "longer:2" and "shorter:2" the list has 2 delays more or fewer; "units" the delays are
        written as 5u, 10m, 2s; "no ser" ser is gone

    Raises
    ------
    InputError
        Where the expno is not a simulated one, or `how` is unknown or asks for rows that are not there.

    Examples
    --------
    >>> import nmrdyn as nd, tempfile
    >>> truth = nd.RelaxationTruth(nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, activation_energy=0.45,
    ...     tau_c=1e-5, reference_temperature=333.15, temperature=[333.15])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     expno = nd.simulate_folder(truth, folder, seed=1) / "1"
    ...     damage(expno, "cut:9")
    ...     nd.scan(expno)[0]["rows_recorded"]
    9
    """
    folder = Path(expno)
    if not all((folder / name).is_file() for name in ("ser", "acqus", "acqu2s")) or _SIGNATURE not in _text(folder):
        raise InputError(f"{folder}: needed an expno with ser that simulate_folder wrote, found none; simulate one")
    match = re.fullmatch(r"(cut|torn|zeros|hole|longer|shorter):([0-9]{1,6})|units|no ser", how)
    if match is None:
        raise InputError(f"how: needed one of {_HOW}, found {how!r}; choose one of these")
    verb, count = match[1] or how, int(match[2] or 0)
    if verb in ("cut", "torn", "zeros", "hole"):
        _damage_rows(folder, verb, count)
    elif verb == "no ser":
        (folder / "ser").unlink()
    else:
        _damage_list(folder, verb, count)


def _text(folder: Path, name: str = "acqus") -> str:
    return (folder / name).read_text(encoding="utf-8", errors="replace")


def _damage_rows(folder: Path, verb: str, count: int) -> None:
    points, kind = (int(re.findall(rf"##\${key}= ([0-9]+)", _text(folder))[0]) for key in ("TD", "DTYPA"))
    rows = np.frombuffer((folder / "ser").read_bytes(), np.uint8)
    length = -(-points * (8 if kind == 2 else 4) // 1024) * 1024
    rows = rows[: rows.size // length * length].reshape(-1, length).copy()
    if not 1 <= count < len(rows):
        raise InputError(f"how: needed a number of rows from 1 and below {len(rows)}, found {count}; choose another")
    data = rows.tobytes()
    if verb == "cut":
        data = data[: count * length]
    elif verb == "torn":
        data = data[: count * length + length // 3]
    else:
        rows[count - 1 if verb == "hole" else slice(len(rows) - count, None)] = 0
        data = rows.tobytes()
    (folder / "ser").write_bytes(data)


def _damage_list(folder: Path, verb: str, count: int) -> None:
    path = next(path for path in (folder / "vdlist", folder / "lists" / "vd" / "simulated") if path.is_file())
    words = path.read_text(encoding="utf-8").split()
    if verb == "shorter" and count >= len(words):
        raise InputError(f"how: needed fewer than {len(words)} delays to take away, found {count}; choose fewer")
    if verb == "longer":
        words += [f"{100 * (i + 1)}" for i in range(count)]
    elif verb == "shorter":
        words = words[: len(words) - count]
    else:
        words = [_with_unit(float(word)) if word[-1].isdigit() else word for word in words]
    path.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")


def _with_unit(delay: float) -> str:
    power, unit = (6, "u") if delay < 1e-3 else (3, "m") if delay < 1 else (0, "s")
    return f"{delay * 10**power:.6g}{unit}"
