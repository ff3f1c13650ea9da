"""The section [haven] of a study file: which ions jump, and which two processes tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nmrdyn.findings import attached
from nmrdyn.inference.process import Process
from nmrdyn.priors import Normal, Prior
from nmrdyn.schema import InputError
from nmrdyn.study.keys import SECTIONS
from nmrdyn.study.toml import number, plain, require_known, said_at, shown
from nmrdyn.transport import Carriers
from nmrdyn.units import Quantity, parse

_LENGTHS = {"lattice_constant": "length", "cell_volume": "volume", "jump_distance": "length"}
_NUMBERS = ("ions_per_cell", "correlation_factor", "correlation_times_per_jump")

_KINDS = {
    "nmr": (("relaxation", "motion"), "T1 or correlation times"),
    "conductivity": (("transport",), "conductivities"),
}


@dataclass(frozen=True)
class Jumps:
    """What a Haven ratio is made of: two of the processes, and the ions that jump."""

    nmr: Process
    conductivity: Process
    carriers: Carriers


def read_haven(table: Mapping[str, Any], processes: Sequence[Process], where: str) -> Jumps:
    """The section [haven]; a ± is a normal prior.

    Raises
    ------
    InputError
        For a key that is missing or unknown, a process that the study does not have, or a value that cannot be.
    """
    section = SECTIONS["haven"]
    require_known(table, section.known, where)
    if missing := [key for key in section.needed if key not in table]:
        raise InputError(f"{where}: needed {', '.join(missing)}, found {', '.join(table) or 'none'}")
    by_name = {process.name: process for process in processes}
    for key in _KINDS:
        if not isinstance(table[key], str) or table[key] not in by_name:
            raise InputError(f"{where}: needed {key} = one of {', '.join(by_name)}, found {shown(table[key])}")
        kinds, wanted = _KINDS[key]
        if by_name[table[key]].datum not in kinds:
            raise InputError(f"{where}: needed a process of {wanted} for {key}, found {by_name[table[key]].mechanism}")
    if "rotational-rank" in {finding.code for finding in attached(by_name[table["nmr"]].data)}:
        raise InputError(f"{where}: needed jumps of ions for nmr, found {shown(table['nmr'])}, a rotation of molecules")
    lengths = {
        key: _believed(parse(table[key], dimension, name=f"{where}, {key}", positive=True))
        for key, dimension in _LENGTHS.items()
        if key in table
    }
    numbers = {key: _believed(plain(table[key], key, where)) for key in _NUMBERS if key in table}
    dimensions = table["dimensions"]
    if not isinstance(dimensions, int) or isinstance(dimensions, bool):
        raise InputError(f"{where}: needed dimensions = 1, 2 or 3, found {shown(dimensions)}")
    with said_at(where):
        carriers = Carriers(
            charge=number(table["charge"], "charge", where), dimensions=dimensions, **lengths, **numbers
        )
    return Jumps(by_name[table["nmr"]], by_name[table["conductivity"]], carriers)


def _believed(found: Quantity) -> float | Prior:
    return Normal(found.value, found.stderr) if found.stderr > 0 else found.value
