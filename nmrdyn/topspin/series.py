"""A recovery measured as one-dimensional expnos, one delay each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from nmrdyn.schema import RECOVERY_KINDS, InputError
from nmrdyn.topspin.experiment.kind import kind_of
from nmrdyn.topspin.expno import Expno, Reading, measure_sites
from nmrdyn.topspin.files.fid import Fids, read_fid

_LEAST = 4  # fewer delays tell no T1 with free amplitude and depth
_SAME_TEMPERATURE = 1.0  # K
# What must agree for FIDs to differ by their delay alone.
_SHARED = ("NUC1", "PULPROG", "TD", "SW_h", "NS", "RG", "ZGOPTNS")


def join_series(expnos: list[Expno], reading: Reading, *, delays: str | None) -> list[Expno]:
    """The expnos, with one in place of every series of one-dimensional ones that differ in one delay.

    A series shares its folder, nucleus, pulse program, scans, gain and temperature (within 1 K). It is joined where
    the pulse program says that it is a recovery, or where `delays` names the delay ("D7"), or `reading.delays` gives
    one for each of its expnos.
    """
    single = [one for one in expnos if not one.arrayed and one.acqus and (one.path / "fid").is_file()]
    joined: dict[int, Expno | None] = {}
    for group in _groups(single):
        array = _array(group, reading, delays)
        if array is None:
            continue
        label, seconds = array
        kind = reading.kind or kind_of(group[0].path, group[0].acqus, dimensions=2, varied=label.lower()).name
        if kind not in RECOVERY_KINDS and not (delays or group[0].name in reading.delays):
            continue
        joined |= dict.fromkeys((id(one) for one in group), None)
        joined[id(group[0])] = _joined(group, label, seconds, kind, reading)
    return [one for one in (joined.get(id(one), one) for one in expnos) if one is not None]


def _groups(single: Iterable[Expno]) -> list[list[Expno]]:
    """Expnos of one folder, in their order, that agree in all but their delays."""
    groups: list[list[Expno]] = []
    for one in single:
        for group in groups:
            if _alike(group[0], one):
                group.append(one)
                break
        else:
            groups.append([one])
    return [group for group in groups if len(group) >= _LEAST]


def _alike(first: Expno, other: Expno) -> bool:
    apart = abs(first.temperature.kelvin - other.temperature.kelvin)
    return (
        first.path.parent == other.path.parent
        and all(first.acqus.get(key) == other.acqus.get(key) for key in _SHARED)
        and not apart > _SAME_TEMPERATURE  # nor where a temperature is unknown
        and abs(first.larmor_frequency - other.larmor_frequency) < 1e-6 * first.larmor_frequency
    )


def _array(group: list[Expno], reading: Reading, delays: str | None) -> tuple[str, list[float]] | None:
    """The delay that was stepped through and its values [s]: the one told, else the only one that differs."""
    told = [reading.delays[one.name] for one in group if one.name in reading.delays]
    if told:
        if len(told) < len(group) or any(values.size != 1 for values in told):
            raise InputError(
                f"{group[0].name} to {group[-1].name}: needed one delay for each of {len(group)} one-dimensional "
                f"expnos, found {len(told)} in delays="
            )
        return "the delays told", [float(values[0]) for values in told]
    table = [_delays(one.acqus) for one in group]
    width = min(len(row) for row in table)
    values = np.array([row[:width] for row in table])
    differ = [k for k in range(width) if np.unique(values[:, k]).size >= _LEAST]
    if delays is not None:
        k = int(delays[1:])
        if k >= width:
            raise InputError(f"{group[0].name}: needed the delay {delays}, found {width} delays (D in acqus)")
        return delays, list(values[:, k])
    return (f"D{differ[0]}", list(values[:, differ[0]])) if len(differ) == 1 else None


def _delays(acqus: Mapping[str, Any]) -> list[float]:
    """D0, D1, ... [s]."""
    given = acqus.get("D", [])
    try:
        return [float(value) for value in given] if isinstance(given, list) else []
    except (TypeError, ValueError):
        return []


def _joined(group: list[Expno], label: str, seconds: list[float], kind: str, reading: Reading) -> Expno:
    """One expno with a row for each of the group; its problem is that of the first that cannot be read."""
    first, last = group[0], group[-1]
    name = f"{first.name}-{PurePosixPath(last.name).name}"
    kelvin = float(np.mean([one.temperature.kelvin for one in group]))
    series = Expno(
        located=replace(first.located, name=name),
        acqus=first.acqus,
        nucleus=first.nucleus,
        larmor_frequency=first.larmor_frequency,
        pulse_program=first.pulse_program,
        kind=kind,
        evidence=[f"{len(group)} one-dimensional expnos that differ in {label}", *first.evidence],
        temperature=replace(first.temperature, kelvin=kelvin),
        conditions=first.conditions,
        files=[file for one in group for file in (one.path / "acqus", one.path / "fid")],
        delay=np.array(seconds),
        rows_planned=len(group),
        members=tuple(one.name for one in group),
    )
    for finding in dict.fromkeys((finding.code, finding.text) for one in group for finding in one.findings):
        series.remark(*finding)
    try:
        fids = [read_fid(one.path, one.acqus) for one in group]
        rows = np.concatenate([fid.rows for fid in fids])
        series.used = np.any(rows, axis=1)
        series.rows_recorded = int(series.used.sum())
        if series.rows_recorded < len(group):
            series.remark("rows", f"used {series.rows_recorded} of {len(group)} expnos: the others hold only zeros")
        measure_sites(series, Fids(rows, ~series.used, fids[0].dwell, len(group)), reading)
    except InputError as error:
        series.problem = str(error)
    return series
