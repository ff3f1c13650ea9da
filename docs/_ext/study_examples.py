"""A small study of each kind of data, in which one key at a time is set: what the reader takes, and what it refuses."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import nmrdyn as nd
from nmrdyn.schema import InputError
from nmrdyn.study.keys import SECTIONS, Key
from nmrdyn.study.read import read_study

EXAMPLE = Path(__file__).parents[2] / "datasets" / "na2nh2bh4"
_KELVIN = (290, 300, 310, 320, 330, 340)
_QUADRUPOLAR = {"kind": "quadrupolar", "cq": "1.0 MHz", "eta": 0.1}
_CONDUCTIVITY = {"kind": "conductivity", "convention": "sigma_T"}

PROCESSES: dict[str, dict[str, Any]] = {
    "folder": {"data": "23Na", "nucleus": "23Na", "recovery": "single", "mechanism": _QUADRUPOLAR},
    "table": {"data": "t1.csv", "nucleus": "23Na", "larmor": "132.32 MHz", "mechanism": _QUADRUPOLAR},
    "conductivity": {"data": "eis.csv", "sample": "A", "mechanism": _CONDUCTIVITY},
    "resistance": {"data": "r.csv", "cell": {"thickness": "1 mm", "radius": "5 mm"}, "mechanism": _CONDUCTIVITY},
    "spectra": {"data": "spectra", "cell": {"thickness": "1 mm", "radius": "5 mm"}, "mechanism": _CONDUCTIVITY},
    "rotation": {"data": "rotation.csv", "autocorrelation": {"rank": 2}, "mechanism": {"kind": "correlation_time"}},
    "tau_c": {"data": "tau.csv", "mechanism": {"kind": "correlation_time"}},
    "diffusion": {"data": "aimd.csv", "mechanism": {"kind": "diffusion"}},
}
"""A process of each kind of data."""

# Which table holds a section of the reference, in a process of which kind.
_INSIDE = {
    "mechanism-quadrupolar": ("table", "mechanism", {"cq": "1.0 MHz", "eta": 0.1}),
    "mechanism-dipolar": ("table", "mechanism", {"partner": "1H", "distance": "2.5 A"}),
    "mechanism-background": ("table", "mechanism", {"rate": "1e-4 /s"}),
    "mechanism-conductivity": ("conductivity", "mechanism", {"convention": "sigma_T"}),
    "recovery": ("folder", "recovery", {"model": "single"}),
    "recovery-populations": ("folder", "recovery", {"model": "populations", "initial": "all_sat", "observed": "total"}),
    "law": ("table", "law", {"kind": "phase_transition"}),
    "cell": ("resistance", "cell", {"thickness": "0.9 mm", "radius": "5 mm"}),
}
_ROTATION = {
    "rank": {},
    "steps": {"rank": 1},
    "start": {"rank": 2},
    "molecules": {"rank": 2, "length": "50 ps"},
    "length": {"rank": 2, "molecules": 27},
    "temperature": {"rank": 2},
}
_DENSITIES = {
    "kind": {"kind": "debye"},
    "beta": {"kind": "kww", "beta": 0.5},
    "alpha": {"kind": "havriliak_negami", "alpha": 0.8, "gamma": 0.7},
    "gamma": {"kind": "havriliak_negami", "alpha": 0.8, "gamma": 0.7},
    "sigma": {"kind": "log_normal", "sigma": 1.0},
    "s2": {"kind": "two_process", "s2": 0.8, "ratio": 1e-3},
    "tau_e": {"kind": "lipari_szabo", "s2": 0.8, "tau_e": "10 ps"},
    "ratio": {"kind": "two_process", "s2": 0.8, "ratio": 1e-3},
}
_HAVEN = {
    "nmr": "23Na hop",
    "conductivity": "conductivity",
    "charge": 1,
    "ions_per_cell": 2,
    "lattice_constant": "4.70 A",
    "jump_distance": "3.32 A",
    "dimensions": 3,
    "correlation_factor": 0.7,
}
_INSTEAD = {  # of a key, one that may not stand beside it
    "area": "radius",
    "diameter": "radius",
    "cell_volume": "lattice_constant",
    "second_moment": "distance",
}


def write_data(folder: Path) -> None:
    """Data of each kind, small."""
    for expno in ("1", "5", "10"):
        shutil.copytree(EXAMPLE / "23Na" / expno, folder / "23Na" / expno)
    tables = {
        "t1.csv": ("T (K), T1 (s)", [f"{t}, {10 - (t - 290) / 10}" for t in _KELVIN]),
        "tau.csv": ("T (K), tau_c (s)", [f"{t}, {1e-6 * 0.7 ** ((t - 290) / 10):.3g}" for t in _KELVIN]),
        "aimd.csv": ("T (K), D (cm^2/s)", [f"{t}, {1e-9 * 1.3 ** ((t - 290) / 10):.3g}" for t in _KELVIN]),
        "eis.csv": (
            "T (K), sigma (S/cm), sample, direction, note",
            [f"{t}, {1e-6 * 1.5 ** ((t - 290) / 10):.3g}, {one}, heating, 1" for one in "AB" for t in _KELVIN],
        ),
        "r.csv": ("T (K), R (kohm)", [f"{t}, {100 * 0.7 ** ((t - 290) / 10):.3g}" for t in _KELVIN]),
        "rotation.csv": (
            "T (K), t (ps), C",
            [f"{t}, {n}, {0.8 ** (n * (1 + k)):.5f}" for k, t in enumerate((300, 400)) for n in range(20)],
        ),
        "one.csv": ("t (ps), C", [f"{n}, {0.8**n:.5f}" for n in range(20)]),
    }
    for name, (head, rows) in tables.items():
        (folder / name).write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    bulk = nd.ConductivityTruth(
        activation_energy=0.5, conductivity=1e-3, reference_temperature=300.0, temperature=[300.0, 320.0]
    )
    nd.simulate_impedance(nd.ImpedanceTruth(bulk=bulk), folder / "spectra", seed=1)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def as_toml(value: str) -> Any:
    """What a value means that is written as TOML."""
    return tomllib.loads(f"value = {value}")["value"]


def study_with(section: str, key: Key, value: str) -> str:
    """A study in which `key` of `section` is `value`, written as TOML, and everything else as simple as can be."""
    said = {key.name: as_toml(value)}
    head, probe, haven = {"seed": 1}, {"point": "1 K"}, {}
    kind = key.data.split(" or ")[0] or "table"
    process = {"name": "23Na hop", "probe": "nmr", **PROCESSES["table"]}
    others = []
    if section == "study":
        head |= said
    elif section == "probe":
        probe |= said
    elif section == "haven":
        haven = {k: v for k, v in _HAVEN.items() if k != _INSTEAD.get(key.name)} | said
        others = [{"name": "conductivity", **PROCESSES["conductivity"]}]
    elif section == "process":
        kind = {"data": "folder", "cell": "resistance"}.get(key.name, kind)
        process = {"name": "23Na hop", "probe": "nmr", **PROCESSES[kind]} | said
    elif section == "spectral-density":
        process["mechanism"] = _QUADRUPOLAR | {"spectral_density": _DENSITIES[key.name] | said}
    elif section == "autocorrelation":
        process = {"name": "rotation", **PROCESSES["rotation"], section: _ROTATION[key.name] | said}
        if key.name == "temperature":
            process["data"] = "one.csv"  # which has no column of it
    else:
        kind, name, table = _INSIDE[section]
        inner = {k: v for k, v in table.items() if k != _INSTEAD.get(key.name)} | said
        if name == "mechanism":
            inner = {"kind": section.removeprefix("mechanism-")} | inner
        process = {"name": "23Na hop", "probe": "nmr", **PROCESSES[kind], name: inner}
    tables = [("[study]", head), ("[probe.nmr]", probe), *(("[[process]]", one) for one in (process, *others))]
    if haven:
        tables.append(("[haven]", haven))
    return "\n".join(
        f"{name}\n" + "".join(f"{key} = {_toml(one)}\n" for key, one in table.items()) for name, table in tables
    )


def refusal(text: str, folder: Path) -> str:
    """What the reader finds wrong with a study, "" where it takes it."""
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    try:
        read_study(file)
    except InputError as error:
        return str(error).replace(f"{folder}/", "")
    return ""


def all_keys() -> list[tuple[str, Key]]:
    """Every key with the name of its section."""
    return [(name, key) for name, section in SECTIONS.items() for key in section.keys]
