"""Files of impedance spectra, as potentiostats write them -> impedance."""

from __future__ import annotations

import json
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.columns.headers import ColumnSpec
from nmrdyn.columns.read import read_columns
from nmrdyn.conductivity.impedance import package
from nmrdyn.conductivity.impedance.circuits import ComplexArray
from nmrdyn.conductivity.impedance.temperatures import direction_of, temperatures_of
from nmrdyn.findings import Finding, attach
from nmrdyn.schema import Array, InputError, stamp

_LARGEST = 20_000_000  # bytes
_MOST_POINTS = 100_000
_MOST_FILES = 2_000
_ENDINGS = (".dta", ".mpt", ".z", ".par", ".csv", ".tsv", ".txt")
_FREQUENCIES = (1e-7, 1e12)  # Hz
_LARGEST_IMPEDANCE = 1e16  # ohm
_JUMP = 1.5  # ratio of neighbouring frequencies, against the sweep, that begins the next one

_NUMBER = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"
_BETWEEN = r"(?:[ \t]*[,;][ \t]*|[ \t]+)"
# By what stands in the file. Decimal commas are made points where cells are apart by tabs.
_FORMATS: dict[str, tuple[str, re.Pattern[str]]] = {
    "gamry": ("Gamry", re.compile(r"^ZCURVE\b", re.MULTILINE)),
    "biologic": ("BioLogic EC-Lab", re.compile(r"\A(?:EC|BT)-Lab ASCII FILE")),
    "versastudio": ("VersaStudio", re.compile(r"\A\s*<Application>\s*^Name=VersaStudio", re.MULTILINE)),
    "chinstruments": ("CH Instruments", re.compile(r"^Freq/Hz,", re.MULTILINE)),
    "autolab": ("Autolab", re.compile(r"^\"?\s*Freq \(Hz\)\s+Ampl", re.MULTILINE)),
    "zplot": ("ZPlot", re.compile(r"\A\"?ZPLOT|^\"?\s*Freq\(Hz\)\s+Ampl", re.MULTILINE)),
    "parstat": ("Parstat", re.compile(r"\A[^\n]*\tFrequency \(Hz\)\tZre \(ohms\)\tZim \(ohms\)")),
    "powersuite": ("PowerSuite", re.compile(r"\AFreq[^\t\n]*\t\s*Zre[^\t\n]*\t\s*Zim[^\t\n]*\n", re.IGNORECASE)),
    "csv": (
        "three columns",
        re.compile(rf"\A(?:#[^\n]*\n)*[ \t]*{_NUMBER}{_BETWEEN}{_NUMBER}{_BETWEEN}{_NUMBER}[ \t]*(?:\n|\Z)"),
    ),
}
_HEADER = re.compile(r"(?:\s*#[^\n]*\n)*[^\n]*\b(?:f|freq|frequency)\b", re.IGNORECASE)
_TABS = ("biologic", "parstat", "powersuite")

_Z_IMAGINARY = r"(?:im(?:ag(?:inary)?)?[ _]?\(?z\)?|z(?:['’′]{2}|[\"”″])|z[ _]?im(?:ag|g)?)"
_COLUMNS = {
    "frequency": ColumnSpec(r"f|freq\.?|frequency|ν", "frequency", required=True, positive=True),
    "real": ColumnSpec(r"re(?:al)?[ _]?\(?z\)?|z['’′]|z[ _]?re(?:al)?", "resistance", required=True),
    "imaginary": ColumnSpec(_Z_IMAGINARY, "resistance"),
    "minus imaginary": ColumnSpec(rf"[-−–] ?{_Z_IMAGINARY}", "resistance"),
}


def read_impedance(path: str | Path, *, temperature: Any = None) -> xr.Dataset:
    """Read impedance spectra: one file, or all of a folder and the folders in it.

    The formats are those of impedance.py 1.7: Gamry .DTA, BioLogic .mpt, Autolab .txt, ZPlot .z, Parstat .txt,
    VersaStudio .par, CH Instruments .txt, PowerSuite .txt, and three columns without a header (frequency [Hz], Z' and
    Z'' [ohm], Z = Z' + j Z''; apart by commas, semicolons, tabs or spaces). The content of a file tells which it is. A
    CSV with a header has units and says the sign of the imaginary part, `f (Hz), Z' (ohm), -Z'' (ohm)`. Where the
    frequency jumps back, a new spectrum begins: "file#2".

    Parameters
    ----------
    path : file or folder; a file has at most 20 MB and 100,000 points
    temperature : None to take it from the names of the files ("pellet_60C.mpt", "333K", "-20C", "40p5C"), a number [K],
        {file: K or (K, standard error)}, or a CSV with columns `file` and `temperature (°C)`

    Returns
    -------
    impedance : stage `impedance`, in the order of the names and of each sweep. `read_by` says the format,
        `temperature_source` what told the temperature or why it is NaN, `direction` is heating or cooling where the
        name says so. Findings: files of a folder that are no spectra, spectra that are mostly inductive.

    Raises
    ------
    InputError
        Where a file cannot be read or has no frequencies and impedances in the form of its format, none has a
        temperature, or impedance.py is not installed.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "pellet_60C_heating.csv"
    ...     _ = file.write_text("f (kHz), Z' (kohm), -Z'' (kohm)\\n10, 1.2, 0.3\\n1, 1.4, 0.5\\n")
    ...     spectra = read_impedance(file)
    >>> spectra.impedance_imaginary.values, spectra.temperature.item(), spectra.direction.item()
    (array([[-300., -500.]]), 333.15, 'heating')
    """
    root = Path(path)
    findings: list[Finding] = []
    names, formats, spectra, sources = [], [], [], []
    for file, name in _files(root, temperature):
        text = _text(file)
        kind = next((kind for kind, (_, mark) in _FORMATS.items() if mark.search(text)), "table")
        if kind == "table" and root != file and not _HEADER.match(text):
            findings.append(Finding("file-not-read", "", f"{name}: no impedance spectrum in a known format"))
            continue
        read_by = _FORMATS[kind][0] if kind in _FORMATS else "table"
        frequency, z = _table(file) if kind == "table" else _parsed(file, text, kind)
        pieces = _sweeps(*_checked(frequency, z, file))
        sources.append(str(file))
        for number, piece in enumerate(pieces, 1):
            names.append(name if number == 1 else f"{name}#{number}")
            formats.append(read_by)
            spectra.append(piece)
            if np.mean(piece[1].imag > 0) > 0.5:
                text = "most imaginary parts are positive, as of an inductance: is the column -Z''?"
                findings.append(Finding("impedance-sign", names[-1], text))
    if not names:
        raise InputError(f"{root}: needed a file with an impedance spectrum, found none; {_known()}")
    told, remarks = temperatures_of(names, temperature)
    longest = max(frequency.size for frequency, _ in spectra)
    padded = np.full((2, len(spectra), longest), np.nan + 0j)
    for row, piece in enumerate(spectra):
        padded[:, row, : piece[0].size] = piece
    along, point = ("experiment",), ("experiment", "point")
    data = xr.Dataset(
        {"impedance_real": (point, padded[1].real), "impedance_imaginary": (point, padded[1].imag)},
        coords={
            "experiment": names,
            "frequency": (point, padded[0].real),
            "temperature": (along, np.array([one.kelvin for one in told])),
            "temperature_stderr": (along, np.array([one.stderr for one in told])),
            "temperature_source": (along, [one.source for one in told]),
            "direction": (along, [direction_of(name) for name in names]),
            "read_by": (along, formats),
        },
        attrs={"sources": json.dumps(sources)},
    )
    return stamp(attach(data, findings + remarks), "impedance")


def _files(root: Path, temperature: Any) -> list[tuple[Path, str]]:
    """The files that may hold spectra, with their names within the folder."""
    try:
        if root.is_file():
            return [(root, root.name)]
        found = [one for one in sorted(root.rglob("*")) if one.suffix.lower() in _ENDINGS and one.is_file()]
        table = Path(temperature).resolve() if isinstance(temperature, str | Path) else None
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        raise InputError(f"{root}: needed a file or folder that can be read, found {error}") from error
    files = [
        (one, one.relative_to(root).as_posix())
        for one in found
        if one.resolve() != table and not any(part.startswith(".") for part in one.relative_to(root).parts)
    ]
    if not files or len(files) > _MOST_FILES:
        raise InputError(
            f"{root}: needed 1 to {_MOST_FILES} files of impedance spectra ({', '.join(_ENDINGS)}), found "
            f"{len(files) or 'none'}; {_known()}"
        )
    return files


def _known() -> str:
    formats = ", ".join(name for name, _ in _FORMATS.values())
    return f"known are {formats} and tables with a header f (Hz), Z' (ohm), -Z'' (ohm)"


def _text(file: Path) -> str:
    """What a file says, with line ends as here and nothing behind the last one."""
    try:
        if file.stat().st_size > _LARGEST:
            raise InputError(
                f"{file}: needed at most {_LARGEST / 1e6:g} MB, found more; is this an impedance spectrum?"
            )
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: needed a file that can be read, found {error}; check its permissions") from error
    for encoding in ("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig", "latin-1"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip()


def _parsed(file: Path, text: str, kind: str) -> tuple[Array, ComplexArray]:
    """Frequencies and impedances by a reader of impedance.py, from a copy that it can read."""
    preprocessing = package("preprocessing")
    if kind in _TABS:
        text = text.replace(",", ".")
    if kind == "csv":
        text = "\n".join(re.sub(_BETWEEN, ",", line.strip(" \t")) for line in text.split("\n"))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of lines that are no numbers, which are refused below
        copy = Path(folder) / "spectrum"
        copy.write_bytes(text.encode("ascii", errors="replace") + b"\n")
        try:
            frequency, z = preprocessing.readFile(str(copy), None if kind == "csv" else kind)
        except Exception as error:  # its readers raise whatever Python does for a line that they do not expect
            raise InputError(
                f"{file}: needed a spectrum in the format of {_FORMATS[kind][0]}, found {type(error).__name__} "
                f"({_one_line(error)}); export it again"
            ) from error
    return np.atleast_1d(np.asarray(frequency, dtype=float)), np.atleast_1d(np.asarray(z, dtype=complex))


def _one_line(error: Exception) -> str:
    """What a reader said, short and without what a terminal would obey."""
    words = " ".join(str(error).split())[:80]
    return "".join(letter if letter.isprintable() else "?" for letter in words)


def _table(file: Path) -> tuple[Array, ComplexArray]:
    """Frequencies and impedances from a table with a header."""
    table = read_columns(file, _COLUMNS, what="an impedance spectrum")
    form = table.one_of(("imaginary", "minus imaginary"), "Z'' (ohm) or -Z'' (ohm)")
    sign = -1 if form == "minus imaginary" else 1
    return table.numbers["frequency"], table.numbers["real"] + 1j * sign * table.numbers[form]


def _checked(frequency: Array, z: ComplexArray, file: Path) -> tuple[Array, ComplexArray]:
    """The points that were measured; rows of a direct current have the frequency 0."""
    measured = frequency != 0
    frequency, z = frequency[measured], z[measured]
    low, high = _FREQUENCIES
    if not 1 <= frequency.size <= _MOST_POINTS:
        raise InputError(f"{file}: needed 1 to {_MOST_POINTS} points with a frequency, found {frequency.size}")
    wrong = ~((frequency >= low) & (frequency <= high) & (np.abs(z) < _LARGEST_IMPEDANCE))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"{file}: needed frequencies from {low:g} to {high:g} Hz and finite impedances below "
            f"{_LARGEST_IMPEDANCE:g} ohm, found {frequency[at]:g} Hz and {z[at]:g} ohm in point {at + 1}; are "
            "columns swapped, or is a cell empty?"
        )
    return frequency, z


def _sweeps(frequency: Array, z: ComplexArray) -> list[tuple[Array, ComplexArray]]:
    """A file's spectra: the frequency jumps back at the beginning of each."""
    ratio = frequency[1:] / frequency[:-1]
    falling = np.median(ratio) <= 1 if ratio.size else True
    starts = np.flatnonzero(ratio > _JUMP if falling else ratio < 1 / _JUMP) + 1
    return list(zip(np.split(frequency, starts), np.split(z, starts), strict=True))
