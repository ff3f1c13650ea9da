"""What a study could be made of: the recoveries and the conductivities that lie in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.conductivity.cell import Cell
from nmrdyn.conductivity.read import read_conductivity
from nmrdyn.isotopes import Isotope, known_spin
from nmrdyn.schema import RECOVERY_KINDS, InputError
from nmrdyn.study.recoveries import Recovery, name_within, recoveries, series_of
from nmrdyn.topspin.read import ScanEntry, scan

_TABLES, _SPECTRA = (".csv", ".tsv"), (".dta", ".mpt", ".z", ".par")
_OURS = ("results.nc", "summary.json")  # a folder with one of these holds results, not data
_DEPTH, _MOST_FILES, _MOST_BYTES = 6, 200, 20_000_000
_SAME_FIELD = 0.01  # relative difference of Larmor frequencies at one field
_SAME_TEMPERATURE = 0.05  # K
_LEAST = 2  # temperatures, below which there is no barrier


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A process that a study can have: what its data are, and what is to be known of them.

    The names in `exclude` are of another process. Conductivities have `sample` and `directions`, and `needs_cell` says
    that impedance or resistances want the geometry of the sample.
    """

    name: str
    data: Path
    temperatures: tuple[float, ...]
    nucleus: str = ""
    larmor_frequency: float = np.nan
    recoveries: tuple[Recovery, ...] = ()
    exclude: tuple[str, ...] = ()
    sample: str = ""
    directions: tuple[str, ...] = ()
    needs_cell: bool = False

    @property
    def proton_frequency(self) -> float:
        """The Larmor frequency of 1H at the field [Hz], which tells fields apart."""
        return self.larmor_frequency / Isotope.get(self.nucleus).larmor_ratio


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a folder holds: processes, and by name what none can be made of and why."""

    processes: tuple[Candidate, ...]
    left_out: Mapping[str, str]


def _require_formula(entries: Sequence[ScanEntry]) -> None:
    """Refuse a formula that gives no temperature: a study would be written with it."""
    for entry in entries:
        if said := next((text for text in entry["warnings"] if text.startswith("formula ")), ""):
            raise InputError(f"{entry['experiment']}: needed a temperature from --temperature, found {said}; mend it")


def look_into(folder: Path, *, temperature: Any = None) -> Findings:
    """The processes that a folder has data for: one for each nucleus and field, each sample, each folder of spectra.

    Raises
    ------
    InputError
        Where there is nothing to make a barrier of, with the reasons, or a formula gives no temperature.
    """
    left_out: dict[str, str] = {}
    try:
        entries: Sequence[ScanEntry] = scan(folder, temperature=temperature)
    except InputError:
        if temperature is not None or not folder.is_dir():  # which is only said of expnos
            raise
        entries = []
    if temperature is not None:
        _require_formula(entries)
    found = recoveries(entries)
    for entry in entries:
        if entry["kind"] not in RECOVERY_KINDS and not series_of(entry):
            left_out[entry["experiment"]] = " ".join(filter(None, (entry["nucleus"], entry["kind"])))
    # Names in a table of temperatures are those from the folder that was given.
    whole = folder if isinstance(temperature, str) and temperature.lower().endswith(".csv") else None
    processes = [
        *_of_nuclei(found, whole, left_out),
        *(_of_conductivity(folder, left_out) if folder.is_dir() else ()),
    ]
    if not processes:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3]) or "no expnos and no tables"
        raise InputError(
            f"{folder}: needed recoveries or conductivities at two temperatures or more, found none ({why[:600]}); "
            "see nmrdyn scan, and tell temperatures with --temperature"
        )
    return Findings(processes=tuple(_named(processes)), left_out=left_out)


def _of_nuclei(found: list[Recovery], whole: Path | None, left_out: dict[str, str]) -> Iterator[Candidate]:
    """One process for each nucleus at each field."""
    groups: list[list[Recovery]] = []
    for one in found:
        if known_spin(one.nucleus) is None or not one.larmor_frequency > 0:
            left_out[one.name] = f"{one.kind} of {one.nucleus or 'no nucleus'}, which is no isotope with a frequency"
            continue
        for group in groups:
            other = group[0]
            apart = abs(one.larmor_frequency / other.larmor_frequency - 1)
            if one.nucleus == other.nucleus and apart < _SAME_FIELD:
                group.append(one)
                break
        else:
            groups.append([one])
    for group in groups:
        first = group[0]
        at = _distinct(one.temperature for one in group if not one.problem and one.temperature is not None)
        if len(at) < _LEAST:
            number = f"{len(at) or 'no'} known temperature{'s' * (len(at) != 1)}"
            for one in group:
                left_out[one.name] = f"{one.nucleus} {one.kind}, {one.problem or 'by itself'}: {number}, of two needed"
            continue
        data = whole or _common(group)
        other_field = [
            one for one in found if one.nucleus == first.nucleus and one not in group and _inside(one.path, data)
        ]
        yield Candidate(
            name=first.nucleus,
            data=data,
            temperatures=at,
            nucleus=first.nucleus,
            larmor_frequency=first.larmor_frequency,
            recoveries=tuple(group),
            exclude=tuple(name_within(one, data) for one in other_field),
        )


def _common(group: list[Recovery]) -> Path:
    """The folder of all expnos of a group, or the zip they are in."""
    first = group[0].path
    return first if first.is_file() else Path(os.path.commonpath([one.path.parent for one in group]))


def _inside(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder)


def _distinct(kelvin: Iterable[float]) -> tuple[float, ...]:
    """Temperatures without those that are the same."""
    kept: list[float] = []
    for value in sorted(kelvin):
        if not kept or value - kept[-1] > _SAME_TEMPERATURE:
            kept.append(value)
    return tuple(kept)


def _of_conductivity(folder: Path, left_out: dict[str, str]) -> Iterator[Candidate]:
    """One process for each sample of a table, and each folder of impedance spectra."""
    spectra: dict[Path, int] = {}
    for file in _files(folder):
        if file.suffix.lower() in _SPECTRA or _is_spectrum(file):
            spectra[file.parent] = spectra.get(file.parent, 0) + 1
            continue
        try:
            transport, needs_cell = _table(file)
        except InputError as error:
            left_out[file.relative_to(folder).as_posix()] = str(error).removeprefix(f"{file}").lstrip(":, ")[:200]
            continue
        samples = sorted({str(name) for name in transport["sample"].values})
        for sample in samples:
            rows = transport.isel(experiment=transport["sample"].values == sample)
            at = _distinct(rows["temperature"].values[np.isfinite(rows["conductivity"].values)].tolist())
            if len(at) < _LEAST:
                left_out[f"{file.relative_to(folder).as_posix()} {sample}".rstrip()] = "fewer than two temperatures"
                continue
            yield Candidate(
                name=f"conductivity {sample}".rstrip(),
                data=file,
                temperatures=at,
                sample=sample if len(samples) > 1 else "",
                directions=tuple(sorted({str(one) for one in rows["direction"].values} - {""})),
                needs_cell=needs_cell,
            )
    for place in spectra:
        yield Candidate(name="conductivity", data=place, temperatures=(), needs_cell=True)


def _table(file: Path) -> tuple[xr.Dataset, bool]:
    """Conductivities, and whether they are resistances that want a geometry, for which any serves here."""
    try:
        return read_conductivity(file), False
    except InputError as error:
        try:
            return read_conductivity(file, cell=Cell(thickness=1e-3, radius=5e-3)), True
        except InputError:
            raise error from None


def _files(folder: Path) -> Iterator[Path]:
    """Tables and spectra below a folder, outside expnos and results."""
    found = 0
    for place, folders, names in os.walk(folder):
        here = Path(place)
        deep = len(here.relative_to(folder).parts) >= _DEPTH
        skipped = deep or {"acqus", *_OURS} & set(names)
        folders[:] = [] if skipped else sorted(name for name in folders if not name.startswith("."))
        for name in [] if {"acqus", *_OURS} & set(names) else sorted(names):
            file = here / name
            if file.suffix.lower() in (*_TABLES, *_SPECTRA) and not name.startswith(".") and found < _MOST_FILES:
                found += 1
                if file.is_file() and file.stat().st_size < _MOST_BYTES:
                    yield file


def _is_spectrum(file: Path) -> bool:
    """Whether the header of a table is that of an impedance spectrum."""
    with file.open("rb") as handle:
        head = handle.readline(1000).decode("utf-8", errors="replace")
    return bool(re.search(r"\bZ('|_?re|_?real)|\bRe ?\(?Z", head, re.IGNORECASE))


def _named(processes: Sequence[Candidate]) -> Iterator[Candidate]:
    """The processes under names that are different, and that a study may have."""
    taken: set[str] = set()
    for one in processes:
        several = sum(other.name == one.name for other in processes) > 1
        name = one.name
        if several and one.nucleus:
            name = f"{one.nucleus} at {one.larmor_frequency / 1e6:.0f} MHz"
        elif several:
            name = f"{one.name} {one.data.stem}"
        name = "".join(letter if letter.isprintable() and letter not in "./" else " " for letter in name)[:80]
        number = next(
            f" {k}" if k > 1 else "" for k in range(1, 1000) if name + (f" {k}" if k > 1 else "") not in taken
        )
        taken.add(name + number)
        yield replace(one, name=name + number)
