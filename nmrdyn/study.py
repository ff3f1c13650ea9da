"""study.toml -> the whole pipeline."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.conductivity import read_conductivity
from nmrdyn.inference.infer import infer
from nmrdyn.inference.priors import Normal, Prior
from nmrdyn.inference.process import Conductivity, Probe, Process
from nmrdyn.motion.quadrupolar import BPP
from nmrdyn.recovery.fit import MODELS
from nmrdyn.report.write import report, require_writable
from nmrdyn.schema import InputError
from nmrdyn.thermal import Arrhenius
from nmrdyn.topspin.read import read_topspin
from nmrdyn.units import parse

_STUDY = {"name", "seed", "margin"}
_PROBE = {"point", "offset", "same_runs"}
_PROCESS = {
    "name", "role", "data", "nucleus", "probe", "recovery", "mechanism", "law", "exclude", "temperature_range",
}  # fmt: skip
_MECHANISMS = {
    "quadrupolar": {"kind", "cq", "eta"},
    "conductivity": {"kind", "convention"},
}
_LAWS = {"arrhenius": Arrhenius()}
_DEFAULT_MARGIN = "20 meV"


@dataclass(frozen=True)
class Study:
    """A study as its file tells it, with everything read."""

    name: str
    seed: int
    margin: float
    processes: list[Process]
    probes: list[Probe]
    priors: dict[str, Prior] = field(default_factory=dict)


def run(study: str | Path, out: str | Path | None = None, *, progress: bool = False) -> xr.DataTree:
    """Run a study file and write report.html, summary.json, results.nc, t1.csv, tau_c.csv and draws.csv into `out`.

    Nothing is written before everything has succeeded, and nothing at all unless `out` is given.

    Parameters
    ----------
    study : a study.toml; the paths in it are relative to it
    out : a folder, made where it does not exist
    progress : show a progress bar

    Returns
    -------
    posterior : what `infer` returned, with the study's name, margin and the sha256 of every file read

    Raises
    ------
    InputError
        For anything in the study or its data that cannot be used.
    """
    file = Path(study)
    plan = read_study(file)
    if out is not None:
        require_writable(Path(out))  # before the work, not after it
    sources = {source for process in plan.processes for source in json.loads(process.data.attrs.get("sources", "[]"))}
    inputs = {name: _sha256(Path(name)) for name in [str(file), *sorted(sources)]}
    with _said_at(str(file)):
        posterior = infer(plan.processes, seed=plan.seed, probes=plan.probes, priors=plan.priors, progress=progress)
    posterior.attrs |= {
        "study": plan.name,
        "margin": plan.margin,
        "inputs": json.dumps(inputs),
    }
    if out is not None:
        report(posterior, out, margin=plan.margin)
    return posterior


def read_study(file: Path) -> Study:
    """Read a study file and the data it names.

    Raises
    ------
    InputError
        Naming the file, the key, what was needed and what was found.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: needed a study file, found {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not readable as TOML ({error})") from error
    _known(table, {"study", "probe", "process"}, str(file))
    head = _table(table.get("study", {}), "[study]", file)
    _known(head, _STUDY, f"{file}, [study]")
    seed = head.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise InputError(f"{file}, [study]: needed a whole number seed from 0 to 2^63, found {seed!r}; say seed = 1")
    margin = parse(head.get("margin", _DEFAULT_MARGIN), "energy", name=f"{file}, margin", positive=True, exact=True)
    probes = [
        _probe(name, _table(entry, f"[probe.{name}]", file), file)
        for name, entry in _table(table.get("probe", {}), "[probe]", file).items()
    ]
    entries = table.get("process", [])
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{file}: needed at least one [[process]], found none")
    priors: dict[str, Prior] = {}
    processes = [_process(_table(entry, "[[process]]", file), file, priors) for entry in entries]
    return Study(
        name=str(head.get("name", file.stem)),
        seed=seed,
        margin=margin.value,
        processes=processes,
        probes=probes,
        priors=priors,
    )


def _probe(name: str, entry: Mapping[str, Any], file: Path) -> Probe:
    where = f"{file}, [probe.{name}]"
    _known(entry, _PROBE, where)
    errors = {}
    for key in ("point", "offset"):
        if key in entry:
            errors[key] = parse(entry[key], "temperature", name=f"{where}, {key}", difference=True, exact=True).value
    same_runs = entry.get("same_runs", False)
    if not isinstance(same_runs, bool):
        raise InputError(f"{where}: needed same_runs = true or false, found {same_runs!r}")
    with _said_at(where):
        return Probe(name=name, same_runs=same_runs, **errors)


def _process(entry: Mapping[str, Any], file: Path, priors: dict[str, Prior]) -> Process:
    name = str(entry.get("name", ""))
    where = f"{file}, process {name!r}"
    _known(entry, _PROCESS, where)
    for key in ("name", "data", "mechanism"):
        if key not in entry:
            raise InputError(f"{where}: needed the key {key}, found {', '.join(entry)}")
    mechanism = _mechanism(_table(entry["mechanism"], "mechanism", file), entry, where, name, priors)
    path = file.parent / str(entry["data"])
    if not path.exists():
        raise InputError(
            f"{where}: needed the data {entry['data']!r}, found no {path}; paths are relative to the study"
        )
    law = str(entry.get("law", "arrhenius"))
    if law not in _LAWS:
        raise InputError(f"{where}: needed a law among {', '.join(_LAWS)}, found {law!r}")
    probe = entry.get("probe")
    if not isinstance(probe, str | None):
        raise InputError(f"{where}: needed the name of a probe, found {probe!r}")
    recovery = None
    if isinstance(mechanism, Conductivity):
        data = read_conductivity(path)
    else:
        said = entry.get("recovery")
        if not isinstance(said, str) or said not in MODELS:
            raise InputError(f"{where}: needed a recovery among {', '.join(MODELS)}, found {said!r}")
        recovery = MODELS[said]
        data = read_topspin(path, nucleus=entry.get("nucleus"))
    with _said_at(where):
        return Process(
            name,
            _selected(data, entry, where),
            mechanism=mechanism,
            recovery=recovery,
            law=_LAWS[law],
            probe=probe,
            role=str(entry.get("role", "")),
        )


def _mechanism(
    table: Mapping[str, Any], entry: Mapping[str, Any], where: str, name: str, priors: dict[str, Prior]
) -> BPP | Conductivity:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in _MECHANISMS:
        raise InputError(f"{where}: needed a mechanism kind among {', '.join(_MECHANISMS)}, found {kind!r}")
    _known(table, _MECHANISMS[kind], f"{where}, mechanism")
    missing = sorted(_MECHANISMS[kind] - set(table))
    if missing:
        raise InputError(f"{where}, mechanism {kind}: needed {', '.join(missing)}, found {', '.join(table)}")
    if kind == "conductivity":
        with _said_at(where):
            return Conductivity(str(table["convention"]))
    if "nucleus" not in entry:
        raise InputError(f'{where}: needed the nucleus of a quadrupolar mechanism, found none; say nucleus = "23Na"')
    cq = parse(table["cq"], "frequency", name=f"{where}, cq")
    try:
        eta = float("not a number" if isinstance(table["eta"], bool) else table["eta"])
    except (TypeError, ValueError):
        raise InputError(f"{where}: needed a number for eta, found {table['eta']!r}") from None
    magnitude = abs(cq.value)  # codes print a sign, on which relaxation does not depend
    if cq.stderr > 0:
        priors[f"{name}.cq"] = Normal(magnitude, cq.stderr)
    with _said_at(where):
        return BPP(nucleus=str(entry["nucleus"]), cq=magnitude, eta=eta)


def _selected(data: xr.Dataset, entry: Mapping[str, Any], where: str) -> xr.Dataset:
    """Leave out experiments by name and by temperature, and keep a list of them."""
    names, kelvin = data["experiment"].values, data["temperature"].values
    excluded = entry.get("exclude", [])
    if not isinstance(excluded, list):
        raise InputError(f'{where}: needed exclude = ["expno", ...], found {excluded!r}')
    folder = str(entry["data"]).rstrip("/")
    wanted = {str(name).removeprefix(f"{folder}/") for name in excluded}
    unknown = sorted(wanted - set(names))
    if unknown:
        raise InputError(f"{where}, exclude: needed experiments among {', '.join(names)}, found {', '.join(unknown)}")
    out = dict.fromkeys(wanted, "excluded by the study")
    if "temperature_range" in entry:
        span = entry["temperature_range"]
        if not isinstance(span, list) or len(span) != 2:
            raise InputError(f"{where}: needed temperature_range = [low, high], found {span!r}")
        low, high = (parse(value, "temperature", name=f"{where}, temperature_range").value for value in span)
        if low >= high:
            raise InputError(f"{where}: needed temperature_range = [low, high], found {span!r}")
        for name, value in zip(names, kelvin, strict=True):
            if not low <= value <= high:
                out.setdefault(str(name), f"outside {low:g} to {high:g} K")
    kept = data.isel(experiment=~np.isin(names, list(out)))
    kept.attrs["left_out"] = json.dumps(json.loads(data.attrs.get("left_out", "{}")) | out)
    return kept


@contextmanager
def _said_at(where: str) -> Iterator[None]:
    """Put the place in the study before what a constructor finds wrong."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(where) else f"{where}: {text}") from error


def _table(value: object, what: str, file: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{file}: needed a table for {what}, found {value!r}")
    return value


def _known(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.0)
            raise InputError(f"{where}: unknown key {key!r}; the nearest known is {near[0]!r}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
