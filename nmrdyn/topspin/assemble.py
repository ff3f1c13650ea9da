"""Expnos -> stage recovery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.findings import Finding, attach, merged
from nmrdyn.schema import stamp
from nmrdyn.topspin.expno import Expno
from nmrdyn.topspin.files.results import topspin_results
from nmrdyn.topspin.intensity.measure import Intensities

_SIGNALS = ("signal", "signal_stderr", "box", "box_stderr")


def assemble(expnos: list[Expno], *, nucleus: str, left_out: dict[str, str], tables: list[Path]) -> xr.Dataset:
    """Stage `recovery`: one experiment for each expno, or each of its sites, with its rows in the order of delays."""
    rows: list[tuple[Expno, str, Intensities | None]] = []
    for one in expnos:
        rows += [(one, site, found) for site, found in one.sites.items()] or [(one, "", None)]
    names = [name for one in expnos for name in one.experiments()]
    width = max(max((int(one.used.sum()) for one in expnos), default=0), 1)
    table = {name: np.full((len(rows), width), np.nan) for name in (*_SIGNALS, "delay", "row")}
    for i, (one, _, found) in enumerate(rows):
        if found is not None:
            _fill({name: values[i] for name, values in table.items()}, one, found)
    experiments = [one for one, _, _ in rows]
    measured = [found for _, _, found in rows]
    recovery = xr.Dataset(
        {name: (("experiment", "increment"), table[name]) for name in _SIGNALS},
        coords={
            "experiment": names,
            "delay": (("experiment", "increment"), table["delay"]),
            "row": (("experiment", "increment"), table["row"]),
        }
        | {name: ("experiment", values) for name, values in _conditions(experiments).items()}
        | {
            "reason": ("experiment", np.array([_reason(one, found) for one, _, found in rows], dtype=object)),
            "site": ("experiment", np.array([site for _, site, _ in rows], dtype=object)),
            "read_by": ("experiment", np.array([_read_by(one) for one in measured], dtype=object)),
            "noise_dof": ("experiment", [one.noise_dof if one else 0.0 for one in measured]),
            "second_component": ("experiment", [one.second_component if one else np.nan for one in measured]),
            "second_component_limit": (
                "experiment",
                [one.second_component_limit if one else np.nan for one in measured],
            ),
        },
    )
    files = [file for one in expnos for file in one.located.sources([file for file in one.files if file.is_file()])]
    recovery = stamp(
        recovery,
        "recovery",
        nucleus=nucleus,
        left_out=json.dumps(left_out),
        sources=json.dumps([str(file) for file in dict.fromkeys([*files, *tables])]),
        topspin=json.dumps(_by_topspin(dict(zip(names, experiments, strict=True)))),
    )
    return attach(recovery, merged(finding for one in expnos for finding in _of_experiments(one)))


def _reason(one: Expno, found: Intensities | None) -> str:
    """Why a row is empty: the expno could not be read, or a site holds no signal."""
    empty = found is not None and not np.any(np.isfinite(found.values))
    return one.problem or (found.notes[0] if found is not None and empty and found.notes else "")


def _read_by(found: Intensities | None) -> str:
    """How intensities were read: the method and, in Hz from the carrier, where."""
    return f"{found.method}, {found.region[0]:.0f}:{found.region[1]:.0f} Hz" if found else ""


def _of_experiments(one: Expno) -> Iterator[Finding]:
    """Findings under the names that results have: what is said of an expno holds for all its sites."""
    for finding in one.findings:
        for name in one.experiments() if finding.where == one.name else [finding.where]:
            yield replace(finding, where=name)


def _fill(into: dict[str, np.ndarray], one: Expno, found: Intensities) -> None:
    """One row of each variable: those rows that were recorded, by their delays."""
    at = np.flatnonzero(one.used)
    order = np.argsort(one.delay[at], kind="stable")
    columns = {
        "signal": found.values,
        "signal_stderr": found.stderr,
        "box": found.box,
        "box_stderr": found.box_stderr,
        "delay": one.delay[at],
        "row": at + 1.0,
    }
    for name, values in columns.items():
        into[name][: at.size] = values[order]


def _conditions(experiments: list[Expno]) -> dict[str, Any]:
    """What was set and read beside the signal, one value an experiment."""
    words = {
        "temperature_source": [one.temperature.source for one in experiments],
        "kind": [one.kind for one in experiments],
        "pulse_program": [one.pulse_program for one in experiments],
        "irradiated": [one.conditions.irradiated for one in experiments],
    }
    return {
        "temperature": [one.temperature.kelvin for one in experiments],
        "temperature_stderr": [one.temperature.stderr for one in experiments],
        "larmor_frequency": [one.larmor_frequency for one in experiments],
        "mas_rate": [one.conditions.mas_rate for one in experiments],
        "rows_recorded": [int(one.used.sum()) for one in experiments],
        "rows_planned": [one.rows_planned for one in experiments],
    } | {name: np.array(values, dtype=object) for name, values in words.items()}


def _by_topspin(experiments: dict[str, Expno]) -> dict[str, list[dict[str, Any]]]:
    """The relaxation times of TopSpin's own module."""
    fits = {name: [fit for fit in topspin_results(one.path) if fit.quantity] for name, one in experiments.items()}
    return {
        name: [{"quantity": fit.quantity, "t1_s": fit.t1, "site": fit.site, "fit": fit.fit} for fit in found]
        for name, found in fits.items()
        if found
    }
