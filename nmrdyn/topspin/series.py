"""A recovery measured as one-dimensional expnos, one delay each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from nmrdyn.schema import RECOVERY_KINDS, Array, InputError
from nmrdyn.temperatures import TemperatureTable
from nmrdyn.topspin.experiment.kind import kind_of
from nmrdyn.topspin.experiment.temperature import temperature_of
from nmrdyn.topspin.expno import Expno, ReadOptions, measure_sites
from nmrdyn.topspin.files.fid import Fids, read_fid
from nmrdyn.topspin.files.lists import is_delay
from nmrdyn.topspin.files.parameters import loose_number

_LEAST = 4  # fewer delays tell no T1 with free amplitude and depth
_DELAYS = 64  # that consoles have
_SAME_TEMPERATURE = 1.0  # K, between one expno and the next
# What must agree for FIDs to differ by their delay alone, and what besides where no delays were told.
_SHARED = ("NUC1", "TD", "SW_h", "NS", "RG", "GRPDLY", "DECIM", "DSPFVS", "DIGMOD")
_ALSO_SHARED = ("PULPROG", "ZGOPTNS")


@dataclass(frozen=True)
class _Set:
    """Expnos that differ in one delay [s]; `label` says which."""

    members: list[Expno]
    label: str
    seconds: list[float]


def join_series(expnos: list[Expno], reading: ReadOptions, *, delays: str | None) -> list[Expno]:
    """The expnos, with one in place of every series of one-dimensional ones that differ in one delay.

    A series shares its folder, nucleus, pulse program, scans, gain and temperature (within 1 K from one to the next),
    and begins anew where its first delay comes back. It is joined where the pulse program says that it is a recovery,
    where `delays` names the delay ("D7"), or where `reading.delays` gives one for each expno, from whatever folder.

    Raises
    ------
    InputError
        Where the delays that were told belong to no series.
    """
    single = [one for one in expnos if not one.arrayed and one.acqus]
    joined: dict[int, Expno | None] = {}
    for told in (True, False):
        for group in _groups([one for one in single if (one.name in reading.delays) == told], told=told):
            for found in _sets(group, reading, delays):
                kind = _kind(found, reading, told=told or delays is not None)
                if kind:
                    joined |= dict.fromkeys((id(one) for one in found.members), None)
                    joined[id(found.members[0])] = _joined(found, kind, reading)
    alone = [one.name for one in single if one.name in reading.delays and id(one) not in joined]
    if alone:
        raise InputError(
            f"delays: needed those of {_LEAST} or more one-dimensional expnos that share nucleus, scans, gain and "
            f"temperature, found {', '.join(alone[:20])}; tell the delays of all of a series"
        )
    for series in filter(None, joined.values()):
        _tell_left_out(series, [one for one in single if id(one) not in joined])
    return [one for one in (joined.get(id(one), one) for one in expnos) if one is not None]


def _groups(single: Iterable[Expno], *, told: bool) -> list[list[Expno]]:
    """Expnos in their order that agree in all but their delays."""
    groups: list[list[Expno]] = []
    for one in single:
        for group in groups:
            if not _difference(group[-1], one, told=told):
                group.append(one)
                break
        else:
            groups.append([one])
    return [group for group in groups if len(group) >= _LEAST]


def _difference(first: Expno, other: Expno, *, told: bool) -> str:
    """In what two expnos differ beside a delay, "" where in nothing."""
    if not told and first.path.parent != other.path.parent:
        return "the folder"
    for key in _SHARED if told else (*_SHARED, *_ALSO_SHARED):
        if first.acqus.get(key) != other.acqus.get(key):
            return key
    if abs(first.larmor_frequency - other.larmor_frequency) > 1e-6 * first.larmor_frequency:
        return "SFO1"
    apart = abs(first.temperature.kelvin - other.temperature.kelvin)
    return f"the temperature, by {apart:.1f} K," if apart > _SAME_TEMPERATURE else ""  # NaN is no difference


def _sets(group: list[Expno], reading: ReadOptions, delays: str | None) -> list[_Set]:
    """The series in a group: one for each time that its first delay begins them anew."""
    found = _array(group, reading, delays)
    if found is None:
        return []
    label, seconds = found
    sets: list[_Set] = []
    for one, delay in zip(group, seconds, strict=True):
        if not sets or (delay == sets[-1].seconds[0] and len(set(sets[-1].seconds)) >= _LEAST):
            sets.append(_Set([], label, []))
        sets[-1].members.append(one)
        sets[-1].seconds.append(delay)
    return [one for one in sets if len(set(one.seconds)) >= _LEAST]


def _array(group: list[Expno], reading: ReadOptions, delays: str | None) -> tuple[str, list[float]] | None:
    """The delay that was stepped through and its values [s]: the one told, else the only one that differs."""
    told = [reading.delays[one.name] for one in group if one.name in reading.delays]
    if told:
        if any(values.size != 1 for values in told):
            raise InputError(f"{group[0].name}: needed one delay for each one-dimensional expno in delays=, found more")
        return "the delays told", [float(values[0]) for values in told]
    table = [_delays(one.acqus) for one in group]
    width = min(len(row) for row in table)
    values = np.array([row[:width] for row in table])
    timed = np.all(is_delay(values), axis=0)
    if delays is not None:
        k = int(delays[1:])
        if k >= width:
            raise InputError(f"{group[0].name}: needed the delay {delays}, found {width} delays (D in acqus)")
        if not timed[k]:
            raise InputError(f"{group[0].name}: needed a delay {delays}, found {values[:20, k]} s; is acqus damaged?")
        return delays, list(values[:, k])
    differ = [k for k in range(width) if timed[k] and np.unique(values[:, k]).size >= _LEAST]
    if len(differ) > 1:
        names = " and ".join(f"D{k}" for k in differ)
        for one in group:
            one.problem = (
                f"{one.name}: one of {len(group)} one-dimensional expnos that differ in {names}; say which of them was "
                f'stepped through, such as delays="D{differ[0]}"'
            )
    return (f"D{differ[0]}", list(values[:, differ[0]])) if len(differ) == 1 else None


def _delays(acqus: Mapping[str, Any]) -> list[float]:
    """D0, D1, ... [s]."""
    given = acqus.get("D", [])
    return [loose_number(value) for value in given[:_DELAYS]] if isinstance(given, list) else []


def _kind(found: _Set, reading: ReadOptions, *, told: bool) -> str:
    """The kind of a series, "unknown" where the data have to tell, "" where it is not to be joined."""
    first = found.members[0]
    kind = reading.kind or kind_of(first.path, first.acqus, dimensions=2, varied=found.label.lower()).name
    if kind in RECOVERY_KINDS:
        return kind
    if told:
        return "unknown"
    for one in found.members:
        one.problem = (
            f"{one.name}: one of {len(found.members)} one-dimensional expnos that differ in {found.label}; "
            f'to read them as one recovery say delays="{found.label}"'
        )
    return ""


def _joined(found: _Set, kind: str, reading: ReadOptions) -> Expno:
    """One expno with a row for each of a series; a FID that cannot be read is a row that was not recorded."""
    group, first = found.members, found.members[0]
    last = group[-1].name if group[-1].path.parent != first.path.parent else PurePosixPath(group[-1].name).name
    series = Expno(
        located=replace(first.located, name=f"{first.name}-{last}"),
        acqus=first.acqus,
        nucleus=first.nucleus,
        larmor_frequency=first.larmor_frequency,
        pulse_program=first.pulse_program,
        kind=kind,
        evidence=[f"{len(group)} one-dimensional expnos that differ in {found.label}", *first.evidence],
        conditions=first.conditions,
        files=[file for one in group for file in (one.path / "acqus", one.path / "fid")],
        delay=np.array(found.seconds),
        rows_planned=len(group),
        members=tuple(one.name for one in group),
    )
    for code, text in dict.fromkeys((finding.code, finding.text) for one in group for finding in one.findings):
        series.remark(code, text)
    _take_temperature(series, group, reading)
    try:
        fids = _rows(series, group)
        series.rows_recorded = int(series.used.sum())
        if series.rows_recorded < len(group):
            series.remark("rows", f"{series.rows_recorded} of {len(group)} rows used, each with its own delay")
        measure_sites(series, fids, reading)
    except InputError as error:
        series.problem = str(error)
    return series


def _take_temperature(series: Expno, group: list[Expno], reading: ReadOptions) -> None:
    """The mean over the members, unless a table names the series."""
    first = group[0]
    if isinstance(reading.given, TemperatureTable):
        own = temperature_of(first.path, first.acqus, name=series.name, trust=["given"], given=reading.given)
        if np.isfinite(own.kelvin):
            series.temperature = own
            return
    kelvin = np.array([one.temperature.kelvin for one in group])
    known = kelvin[np.isfinite(kelvin)]
    series.temperature = replace(first.temperature, kelvin=float(known.mean()) if known.size else np.nan)
    if known.size and np.ptp(known) > _SAME_TEMPERATURE:
        series.remark(
            "temperature", f"the temperature wanders by {np.ptp(known):.1f} K in this series: its mean is used"
        )


def _rows(series: Expno, group: list[Expno]) -> Fids:
    """The FIDs of a series as rows; those that cannot be read are empty, and told."""
    rows: list[Array | None] = []
    dwell = np.nan
    for one in group:
        try:
            fid = read_fid(one.path, one.acqus)
        except (InputError, OSError) as error:
            series.remark("rows", one.located.shown(str(error)))
            rows.append(None)
        else:
            rows.append(fid.rows[0])
            dwell = fid.dwell
    points = next((row.size for row in rows if row is not None), 0)
    for i, row in enumerate(rows):
        if row is not None and row.size != points:  # where only the data tell when the signal begins
            series.remark("rows", f"{group[i].name}: its signal begins at another point than in the first: left out")
            rows[i] = None
    table = np.array([row if row is not None else np.zeros(points) for row in rows], dtype=complex)
    series.used = np.any(table, axis=1)
    if not series.used.any():
        raise InputError(f"{series.name}: needed FIDs, found none that can be read; copy the whole expnos")
    return Fids(table, ~series.used, dwell, len(group))


def _tell_left_out(series: Expno, others: list[Expno]) -> None:
    """Expnos that look like members and are none, with what sets them apart."""
    for one in others:
        alike = one.path.parent == series.path.parent and one.pulse_program == series.pulse_program
        if alike and one.nucleus.name == series.nucleus.name:
            why = _difference(series, one, told=False) or "its delays"
            series.remark("rows", f"{one.name} has the same pulse program and is not read with it: {why} differs")
