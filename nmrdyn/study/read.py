"""study.toml -> processes with their data, probes and priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nmrdyn.inference.measurements import LIKELIHOODS
from nmrdyn.inference.observed import Conductivity
from nmrdyn.inference.process import Probe, Process
from nmrdyn.literature import literature
from nmrdyn.priors import Prior
from nmrdyn.schema import InputError
from nmrdyn.study.carriers import Jumps, read_haven
from nmrdyn.study.data import all_data, with_lines
from nmrdyn.study.keys import SECTIONS, TABLES
from nmrdyn.study.models import MechanismReader, read_law, read_priors
from nmrdyn.study.toml import as_table, number, one_of, read_toml, require_known, said_at, shown
from nmrdyn.units import parse

_DEFAULT_MARGIN = "20 meV"


@dataclass(frozen=True)
class Study:
    """A study as its file tells it, with everything read.

    `jumps` are what a Haven ratio is made of, `literature` is a compound whose published figures the report shows.
    """

    name: str
    seed: int
    margin: float
    processes: list[Process]
    probes: list[Probe]
    priors: dict[str, Prior | float] = field(default_factory=dict)
    likelihood: str = "traces"
    jumps: Jumps | None = None
    literature: str = ""


def read_study(file: Path) -> Study:
    """Read a study file and the data it names.

    Raises
    ------
    InputError
        Naming the file, the key, what was needed and what was found.
    """
    table = read_toml(file)
    require_known(table, TABLES, str(file))
    head = as_table(table.get("study", {}), "[study]", str(file))
    require_known(head, SECTIONS["study"].known, f"{file}, [study]")
    seed = head.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise InputError(
            f"{file}, [study]: needed a whole number seed from 0 to 2^63, found {shown(seed)}; say seed = 1"
        )
    margin = parse(head.get("margin", _DEFAULT_MARGIN), "energy", name=f"{file}, margin", positive=True, exact=True)
    compound = _compound(head, file)
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
        jumps=read_haven(as_table(table["haven"], "[haven]", str(file)), processes, f"{file}, [haven]")
        if "haven" in table
        else None,
        literature=compound,
    )


def _compound(head: Mapping[str, Any], file: Path) -> str:
    """A compound of which there are published figures; "" for none."""
    said = head.get("literature", "")
    if not isinstance(said, str):
        raise InputError(f"{file}, [study]: needed a compound for literature, found {shown(said)}")
    if said:
        with said_at(f"{file}, [study], literature"):
            literature(compound=said)
    return said


def _probe(name: str, entry: Mapping[str, Any], file: Path) -> Probe:
    where = f"{file}, [probe.{name}]"
    require_known(entry, SECTIONS["probe"].known, where)
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
    require_known(entry, SECTIONS["process"].known, where)
    for key in SECTIONS["process"].needed:
        if key not in entry:
            raise InputError(f"{where}: needed the key {key}, found {', '.join(entry)}")
    reader = MechanismReader(name, entry.get("nucleus"), where)
    mechanism = reader.read(entry["mechanism"])
    priors |= reader.priors | read_priors(entry.get("priors", {}), name, where)
    data, recovery = all_data(entry, mechanism, file, where)
    law = read_law(entry.get("law", "arrhenius"), where)
    probe = entry.get("probe")
    at = entry.get("transition")
    transition = parse(at, "temperature", name=f"{where}, transition", exact=True).value if at is not None else None
    with said_at(where):
        if isinstance(mechanism, Conductivity):
            data = with_lines(data, law, transition=transition)
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
