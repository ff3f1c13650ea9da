"""The data of a process, from a folder, a table or spectra, as a study file says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.conductivity.cell import Cell, cell_said
from nmrdyn.conductivity.lines import straight_lines
from nmrdyn.conductivity.read import read_conductivity
from nmrdyn.findings import attach, attached, within
from nmrdyn.inference.observed import Conductivity, CorrelationTime, Diffusion, Observed
from nmrdyn.join import join
from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.laws.law import Law
from nmrdyn.laws.phase_transition import PhaseTransition
from nmrdyn.molecular_dynamics.diffusion import read_diffusion
from nmrdyn.molecular_dynamics.rotation import read_autocorrelation, rotational_correlation_time
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.read_table import read_table
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import InputError
from nmrdyn.study.keys import SECTIONS
from nmrdyn.study.models import read_recovery
from nmrdyn.study.toml import as_table, number, one_of, require_known, said_at, shown
from nmrdyn.topspin.read import read_topspin
from nmrdyn.units import parse

# How raw data are read; what each may be.
_READING = ("region", "temperature", "method", "delays", "processed")
_METHODS = {"shape": None, "box": None}
_LEAST_OF_A_LINE = 3  # temperatures, from which on a line may be crooked
# Keys that only data of one kind have.
_BELONGING: dict[type, tuple[str, ...]] = {
    Conductivity: ("sample", "direction", "part", "columns", "cell", "circuit"),
    CorrelationTime: ("autocorrelation",),
}
_KIND: dict[type, str] = {Conductivity: "conductivity", CorrelationTime: "correlation_time"}


def all_data(
    entry: Mapping[str, Any], mechanism: Mechanism | Observed, file: Path, where: str
) -> tuple[xr.Dataset, RecoveryModel | None]:
    """The data of a process, less what is left out; those of several fields or sessions as one."""
    said, probe = entry["data"], entry.get("probe")
    several = isinstance(said, list)
    names = probe if isinstance(probe, list) else [probe]
    if not all(isinstance(name, str | None) for name in names) or (isinstance(probe, list) and not several):
        raise InputError(f"{where}: needed the name of a probe, found {shown(probe)}; several data may have one each")
    if not several:
        data, recovery = _data(entry, mechanism, file, where)
        return _selected(data, entry, where), recovery
    if not said:
        raise InputError(f"{where}: needed data, found none; name folders or tables")
    if len({_existing(one, "data", file, where).resolve() for one in said}) < len(said):
        raise InputError(f"{where}: needed different data, found one twice in {shown(said)}; each would count as two")
    excluded = _excluded(entry, where)
    mine = {str(one): [name for name in excluded if str(name).startswith(f"{str(one).rstrip('/')}/")] for one in said}
    if unknown := sorted({str(name) for name in excluded} - {str(name) for names in mine.values() for name in names}):
        raise InputError(f"{where}, exclude: needed names such as {said[0]}/1, found {', '.join(unknown[:20])}")
    parts = []
    for one in said:
        single = dict(entry) | {"data": one, "exclude": mine[str(one)]}
        data, recovery = _data(single, mechanism, file, where)
        parts.append((_selected(data, single, where), recovery))
    with said_at(where):
        return join([data for data, _ in parts], probes=probe if isinstance(probe, list) else None), parts[0][1]


def _data(
    entry: Mapping[str, Any], mechanism: Mechanism | Observed, file: Path, where: str
) -> tuple[xr.Dataset, RecoveryModel | None]:
    """The data of a process, and the recovery model of a folder of recoveries."""
    path = _existing(entry["data"], "data", file, where)
    table = not isinstance(mechanism, Mechanism) or (path.suffix.lower() == ".csv" and path.is_file())
    spectra = isinstance(mechanism, Conductivity) and (path.is_dir() or "circuit" in entry)
    for key in ("recovery", *_READING) if table else ():
        if key in entry and not (spectra and key == "temperature"):
            found = "found a file with a table, in which nothing is left to read so or to fit"
            if spectra:
                found = "found impedance spectra"
            raise InputError(
                f"{where}: needed raw data in a folder for the key {key}, {found}, {path}; leave {key} out"
            )
    for kind, keys in _BELONGING.items():
        for key in keys:
            if key in entry and not isinstance(mechanism, kind):
                raise InputError(
                    f"{where}: needed a mechanism of the kind {_KIND[kind]} for the key {key}, found {mechanism}; "
                    f"leave {key} out"
                )
    without_spins = isinstance(mechanism, Conductivity | Diffusion) or "autocorrelation" in entry
    if "larmor" in entry and (not table or without_spins):
        raise InputError(
            f"{where}: needed a table of T1 or tau_c (CSV) for the key larmor, found {path}; leave larmor out"
        )
    if "nucleus" in entry and without_spins:
        raise InputError(f"{where}: needed data of NMR for the key nucleus, found {path}; leave nucleus out")
    if isinstance(mechanism, Conductivity):
        return _conductivity(entry, path, file, where), None
    if isinstance(mechanism, Diffusion):
        with said_at(where):
            return read_diffusion(path), None
    if "autocorrelation" in entry:
        return _rotation(entry, path, where), None
    if table:
        return _table(entry, mechanism, path, where), None
    assert isinstance(mechanism, Mechanism)
    recovery = read_recovery(entry.get("recovery"), mechanism, where)
    options, beside = _reading(entry, file, where)
    data = read_topspin(path, nucleus=entry.get("nucleus"), **options)
    return _made_of(data, beside), recovery


def _table(entry: Mapping[str, Any], mechanism: Mechanism | Observed, path: Path, where: str) -> xr.Dataset:
    """A table of T1 or of correlation times."""
    larmor = None
    if "larmor" in entry:
        larmor = parse(entry["larmor"], "frequency", name=f"{where}, larmor", positive=True, exact=True).value
    with said_at(where):
        data = read_table(path, nucleus=entry.get("nucleus"), larmor_frequency=larmor)
    if isinstance(mechanism, CorrelationTime) != (data.attrs["stage"] == "motion"):
        kind, needed = ("T1", "a mechanism of relaxation") if "t1" in data else ("tau_c", "kind = 'correlation_time'")
        raise InputError(f"{where}: needed {needed} for a table of {kind}, {path}, found another mechanism")
    return data


def _conductivity(entry: Mapping[str, Any], path: Path, file: Path, where: str) -> xr.Dataset:
    """A table of conductivities or resistances, or impedance spectra."""
    options: dict[str, Any] = {}
    for key in ("sample", "direction", "part", "circuit"):
        if key in entry:
            if not isinstance(entry[key], str):
                raise InputError(f"{where}: needed text for {key}, found {shown(entry[key])}")
            options[key] = entry[key]
    if "columns" in entry:
        columns = as_table(entry["columns"], "columns", where)
        if not all(isinstance(name, str) for name in columns.values()):
            raise InputError(f'{where}: needed columns = {{ target = "sigma (S/cm)" }}, found {shown(columns)}')
        options["columns"] = dict(columns)
    beside = []
    if "temperature" in entry:
        beside.append(str(_existing(entry["temperature"], "temperature", file, where).absolute()))
        options["temperature"] = beside[0]
    if "cell" in entry:
        options["cell"] = _cell(as_table(entry["cell"], "cell", where), where)
    with said_at(where):
        return _made_of(read_conductivity(path, **options), beside)


def with_lines(transport: xr.Dataset, law: Law, *, transition: float | None) -> xr.Dataset:
    """A conductivity with what straight lines through it find: no single barrier, heating that differs from cooling."""
    at: float | str | None = transition
    measured = transport["temperature"].values[np.isfinite(transport["conductivity"].values)]
    if np.unique(measured).size < _LEAST_OF_A_LINE:
        return transport
    if isinstance(law, PhaseTransition):
        at = law.temperature or "find"
    elif not isinstance(law, Arrhenius):  # which no straight line describes
        return transport
    return attach(transport, attached(straight_lines(transport, transition=at)))


def _cell(table: Mapping[str, Any], where: str) -> Cell:
    """A cell from thickness and one of area, diameter and radius."""
    require_known(table, SECTIONS["cell"].known, f"{where}, cell")
    if "thickness" not in table:
        raise InputError(f"{where}, cell: needed a thickness, found {', '.join(table) or 'none'}")
    with said_at(f"{where}, cell"):
        return cell_said(table, where=f"{where}, cell, ")


def _rotation(entry: Mapping[str, Any], path: Path, where: str) -> xr.Dataset:
    """The correlation times of a table of C(t)."""
    table = as_table(entry["autocorrelation"], "autocorrelation", where)
    place = f"{where}, autocorrelation"
    require_known(table, SECTIONS["autocorrelation"].known, place)
    if isinstance(table.get("rank"), bool) or table.get("rank") not in (1, 2):
        raise InputError(f"{place}: needed rank = 1 or 2, found {shown(table.get('rank'))}")
    options: dict[str, Any] = {"rank": table["rank"], "steps": table.get("steps")}
    for key in ("start", "length"):
        if key in table:
            options[key] = parse(table[key], "time", name=f"{place}, {key}", exact=True).value
    if "molecules" in table:
        options["molecules"] = number(table["molecules"], "molecules", place)
    kelvin = None
    if "temperature" in table:
        kelvin = parse(table["temperature"], "temperature", name=f"{place}, temperature", exact=True).value
    with said_at(where):
        return rotational_correlation_time(read_autocorrelation(path, temperature=kelvin), **options)


def _made_of(data: xr.Dataset, beside: list[str]) -> xr.Dataset:
    """The same data, which know what else was read for them."""
    sources = [*json.loads(data.attrs.get("sources", "[]")), *beside]
    data.attrs["sources"] = json.dumps(list(dict.fromkeys(sources)))
    return data


def _reading(entry: Mapping[str, Any], file: Path, where: str) -> tuple[dict[str, Any], list[str]]:
    """What a process says of how its raw data are read, and the tables that it names."""
    options, beside = {key: entry[key] for key in _READING if key in entry}, []
    for key, said in options.items():
        several = key == "temperature" and isinstance(said, list) and all(isinstance(one, str) for one in said)
        if key == "processed":
            if not isinstance(said, bool):
                raise InputError(f"{where}: needed processed = true or false, found {shown(said)}")
        elif key == "method":
            one_of(said, _METHODS, "a method", where)
        elif not isinstance(said, str) and not several:
            raise InputError(f"{where}: needed text for {key}, found {shown(said)}")
        elif key != "region" and isinstance(said, str) and said.strip().lower().endswith(".csv"):
            options[key] = str(_existing(said.strip(), key, file, where).absolute())
            beside.append(options[key])
    return options, beside


def _existing(said: object, key: str, file: Path, where: str) -> Path:
    """A path in a study, relative to its file."""
    path = file.parent / str(said)
    try:
        found = path.exists()
    except (OSError, ValueError):  # a name that no file can have
        found = False
    if not found:
        raise InputError(
            f"{where}: needed the {key} {shown(said)}, found no {str(path)[:200]}; paths are relative to the study"
        )
    return path


def _excluded(entry: Mapping[str, Any], where: str) -> list[Any]:
    """The experiments that a process leaves out, as they are said."""
    excluded = entry.get("exclude", [])
    if not isinstance(excluded, list):
        raise InputError(f'{where}: needed exclude = ["expno", ...], found {shown(excluded)}')
    return excluded


def _selected(data: xr.Dataset, entry: Mapping[str, Any], where: str) -> xr.Dataset:
    """Leave out experiments by name and by temperature, and keep a list of them."""
    names, kelvin = data["experiment"].values, data["temperature"].values
    excluded = _excluded(entry, where)
    folder = str(entry["data"]).rstrip("/")
    wanted = {str(name).removeprefix(f"{folder}/") for name in excluded}
    unknown = sorted(wanted - set(names))
    if unknown:
        raise InputError(
            f"{where}, exclude: needed experiments among {', '.join(names[:20])}, found {', '.join(unknown[:20])}"
        )
    out = dict.fromkeys(wanted, "excluded by the study")
    if "temperature_range" in entry:
        span = entry["temperature_range"]
        if not isinstance(span, list) or len(span) != 2:
            raise InputError(f"{where}: needed temperature_range = [low, high], found {shown(span)}")
        low, high = (parse(value, "temperature", name=f"{where}, temperature_range").value for value in span)
        if low >= high:
            raise InputError(f"{where}: needed temperature_range = [low, high], found {shown(span)}")
        for name, value in zip(names, kelvin, strict=True):
            if not low <= value <= high:
                why = f"outside {low:g} to {high:g} K" if np.isfinite(value) else "no temperature"
                out.setdefault(str(name), why)
    kept = data.isel(experiment=~np.isin(names, list(out)))
    kept.attrs["left_out"] = json.dumps(json.loads(data.attrs.get("left_out", "{}")) | out)
    return attach(kept, within(attached(data), set(kept["experiment"].values)))
