"""study.toml -> processes with their data, probes and priors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.conductivity.table import read_conductivity
from nmrdyn.findings import attach, attached, within
from nmrdyn.inference.measurements import LIKELIHOODS
from nmrdyn.inference.observed import Conductivity, CorrelationTime, Observed
from nmrdyn.inference.process import Probe, Process
from nmrdyn.join import join
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.priors import Prior
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import InputError
from nmrdyn.study.models import MechanismReader, read_law, read_priors, read_recovery
from nmrdyn.study.toml import as_table, number, one_of, read_toml, require_known, said_at, shown
from nmrdyn.tables import read_table
from nmrdyn.topspin.read import read_topspin
from nmrdyn.units import parse

_STUDY = {"name", "seed", "margin", "likelihood"}
_PROBE = {"point", "offset", "scale", "same_runs"}
_PROCESS = {
    "name", "role", "data", "nucleus", "probe", "recovery", "mechanism", "law", "exclude", "temperature_range",
    "transition", "larmor", "region", "temperature", "method", "delays", "processed",
    "priors",
}  # fmt: skip
# How raw data are read; what each may be.
_READING = ("region", "temperature", "method", "delays", "processed")
_METHODS = {"shape": None, "box": None}
_DEFAULT_MARGIN = "20 meV"


@dataclass(frozen=True)
class Study:
    """A study as its file tells it, with everything read."""

    name: str
    seed: int
    margin: float
    processes: list[Process]
    probes: list[Probe]
    priors: dict[str, Prior | float] = field(default_factory=dict)
    likelihood: str = "traces"


def read_study(file: Path) -> Study:
    """Read a study file and the data it names.

    Raises
    ------
    InputError
        Naming the file, the key, what was needed and what was found.
    """
    table = read_toml(file)
    require_known(table, {"study", "probe", "process"}, str(file))
    head = as_table(table.get("study", {}), "[study]", str(file))
    require_known(head, _STUDY, f"{file}, [study]")
    seed = head.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise InputError(
            f"{file}, [study]: needed a whole number seed from 0 to 2^63, found {shown(seed)}; say seed = 1"
        )
    margin = parse(head.get("margin", _DEFAULT_MARGIN), "energy", name=f"{file}, margin", positive=True, exact=True)
    probes = [
        _probe(name, as_table(entry, f"[probe.{name}]", str(file)), file)
        for name, entry in as_table(table.get("probe", {}), "[probe]", str(file)).items()
    ]
    entries = table.get("process", [])
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{file}: needed at least one [[process]], found none")
    priors: dict[str, Prior | float] = {}
    processes = [_process(as_table(entry, "[[process]]", str(file)), file, priors) for entry in entries]
    return Study(
        name=str(head.get("name", file.stem)),
        seed=seed,
        margin=margin.value,
        processes=processes,
        probes=probes,
        priors=priors,
        likelihood=one_of(head.get("likelihood", "traces"), LIKELIHOODS, "a likelihood", f"{file}, [study]"),
    )


def _probe(name: str, entry: Mapping[str, Any], file: Path) -> Probe:
    where = f"{file}, [probe.{name}]"
    require_known(entry, _PROBE, where)
    errors = {}
    for key in ("point", "offset"):
        if key in entry:
            errors[key] = parse(entry[key], "temperature", name=f"{where}, {key}", difference=True, exact=True).value
    if "scale" in entry:
        errors["scale"] = number(entry["scale"], "scale", where)
    same_runs = entry.get("same_runs", False)
    if not isinstance(same_runs, bool):
        raise InputError(f"{where}: needed same_runs = true or false, found {shown(same_runs)}")
    with said_at(where):
        return Probe(name=name, same_runs=same_runs, **errors)


def _process(entry: Mapping[str, Any], file: Path, priors: dict[str, Prior | float]) -> Process:
    name = str(entry.get("name", ""))
    where = f"{file}, process {name!r}"
    require_known(entry, _PROCESS, where)
    for key in ("name", "data", "mechanism"):
        if key not in entry:
            raise InputError(f"{where}: needed the key {key}, found {', '.join(entry)}")
    reader = MechanismReader(name, entry.get("nucleus"), where)
    mechanism = reader.read(entry["mechanism"])
    priors |= reader.priors | read_priors(entry.get("priors", {}), name, where)
    data, recovery = _all_data(entry, mechanism, file, where)
    law = read_law(entry.get("law", "arrhenius"), where)
    probe = entry.get("probe")
    at = entry.get("transition")
    transition = parse(at, "temperature", name=f"{where}, transition", exact=True).value if at is not None else None
    with said_at(where):
        return Process(
            name,
            data,
            mechanism=mechanism,
            recovery=recovery,
            law=law,
            probe=probe if isinstance(probe, str) else None,
            role=str(entry.get("role", "")),
            transition=transition,
        )


def _all_data(
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
    """The data of a process, from a table or from a folder, and the recovery model of a folder."""
    path = _existing(entry["data"], "data", file, where)
    table = not isinstance(mechanism, Mechanism) or (path.suffix.lower() == ".csv" and path.is_file())
    for key in ("recovery", *_READING) if table else ():
        if key in entry:
            found = "found a file with a table, in which nothing is left to read so or to fit"
            raise InputError(
                f"{where}: needed raw data in a folder for the key {key}, {found}, {path}; leave {key} out"
            )
    if "larmor" in entry and (not table or isinstance(mechanism, Conductivity)):
        raise InputError(
            f"{where}: needed a table of T1 or tau_c (CSV) for the key larmor, found {path}; leave larmor out"
        )
    nucleus = entry.get("nucleus")
    if isinstance(mechanism, Conductivity):
        return read_conductivity(path), None
    if table:
        larmor = None
        if "larmor" in entry:
            said = parse(entry["larmor"], "frequency", name=f"{where}, larmor", positive=True, exact=True)
            larmor = said.value
        with said_at(where):
            data = read_table(path, nucleus=nucleus, larmor_frequency=larmor)
        if isinstance(mechanism, CorrelationTime) != (data.attrs["stage"] == "motion"):
            kind, needed = (
                ("T1", "a mechanism of relaxation") if "t1" in data else ("tau_c", "kind = 'correlation_time'")
            )
            raise InputError(f"{where}: needed {needed} for a table of {kind}, {path}, found another mechanism")
        return data, None
    assert isinstance(mechanism, Mechanism)
    recovery = read_recovery(entry.get("recovery"), mechanism, where)
    options, beside = _reading(entry, file, where)
    data = read_topspin(path, nucleus=nucleus, **options)
    sources = [*json.loads(data.attrs.get("sources", "[]")), *beside]
    data.attrs["sources"] = json.dumps(list(dict.fromkeys(sources)))
    return data, recovery


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
