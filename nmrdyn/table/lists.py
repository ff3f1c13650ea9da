"""Tables of what is a list: a scan of a folder, reasons of a difference, published figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.rounding import significant
from nmrdyn.schema import ZERO_CELSIUS
from nmrdyn.table.column import Column, celsius, numbers, remarks, rows_used, spans, texts, words_of
from nmrdyn.table.table import Table


def of_scan(entries: Sequence[Mapping[str, Any]]) -> Table:
    """What `scan` found, one row an expno."""
    kelvin = _floats(entries, "temperature_K")
    delays = [(min(one["delays_s"]), max(one["delays_s"])) if one["delays_s"] else (np.nan,) * 2 for one in entries]
    low, high = np.array(delays).reshape(-1, 2).T
    columns = (
        texts("experiment", [one["experiment"] for one in entries]),
        texts("nucleus", [one["nucleus"] for one in entries]),
        texts("kind", [one["kind"].replace("_", " ") for one in entries]),
        Column("T / °C", tuple(map(celsius, kelvin)), {"temperature (K)": kelvin}, kept=True),
        texts("from", [one["temperature_source"] for one in entries], "temperature_source"),
        numbers("ν / MHz", "larmor", "Hz", _floats(entries, "larmor_frequency_Hz"), form=".3f", factor=1e-6),
        numbers("MAS / kHz", "mas_rate", "Hz", _floats(entries, "mas_rate_Hz"), factor=1e-3, digits=3),
        rows_used([one["rows_recorded"] for one in entries], [one["rows_planned"] for one in entries]),
        spans("delays / s", "delay", "s", low, high),
        texts("pulse program", [one["pulse_program"] for one in entries], "pulse_program"),
        texts("evidence", [next(iter(one["evidence"]), "") for one in entries]),
        remarks(
            [one["irradiated"] and f"irradiated: {one['irradiated']}" for one in entries],
            ["; ".join(one["warnings"]) for one in entries],
        ),
    )
    return Table(columns, f"{len(entries)} experiments")


def of_reasons(reasons: Sequence[Any]) -> Table:
    """What could explain that two barriers differ, one row a cause."""
    columns = (
        texts("pair", [one.pair for one in reasons]),
        texts("cause", [one.title for one in reasons]),
        texts("status", [one.status for one in reasons]),
        texts("why", [one.text for one in reasons]),
    )
    return Table(columns, "What could explain a difference, each cause alone")


def of_literature(data: xr.Dataset) -> Table:
    """Published figures, as printed and in eV, S/m or s."""
    words = {name: words_of(data, name, along="entry") for name in _TEXTS}
    value, error = data["value"].values, data["stderr"].values
    printed = [
        " ".join(filter(None, (words["qualifier"][i], words["value_printed"][i], words["unit_printed"][i])))
        for i in range(data.sizes["entry"])
    ]
    low, high = data["temperature_low"].values, data["temperature_high"].values
    columns = (
        *(texts(name, words[name]) for name in ("compound", "phase", "quantity", "moves")),
        texts("as printed", printed, "printed"),
        Column("in SI, eV", tuple(map(significant, value)), {"value": value.tolist(), "stderr": error.tolist()}),
        texts("unit", words["unit"]),
        spans("T / °C", "temperature", "K", low, high, shift=ZERO_CELSIUS),
        *(texts(name, words[name]) for name in ("convention", "paper", "doi", "place", "cited", "note")),
    )
    return Table(columns, "Published figures", ("ends of ranges and bounds are no measurements",))


_TEXTS = (
    "compound", "phase", "quantity", "moves", "qualifier", "value_printed", "unit_printed", "unit", "convention",
    "paper", "doi", "place", "cited", "note",
)  # fmt: skip


def _floats(entries: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [np.nan if one[name] is None else float(one[name]) for one in entries]


MAKERS: Mapping[str, Callable[[xr.Dataset], Table]] = {"literature": of_literature}
