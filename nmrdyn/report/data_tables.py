"""The tables of what was measured: what was read, and the rows of each process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.report.places import Placed
from nmrdyn.report.tables import TAU, Cell, Row, Table, estimate, number, table, words
from nmrdyn.schema import ZERO_CELSIUS
from nmrdyn.units import interval_said

# Stages that are measured as they are, and the heading of what stands in them.
DIRECT = {"transport": ("conductivity", "σ / (S/m)"), "diffusion": ("diffusion", "D / (m²/s)")}


def experiments_of(process: xr.DataTree) -> xr.Dataset:
    """The stage that has the experiments of a process with all that was measured with them."""
    return next(
        process[stage].dataset for stage in ("relaxation", "transport", "diffusion", "motion") if stage in process
    )


def read_table(posterior: xr.DataTree, described: Mapping[str, Any]) -> Table:
    """What was read for each process, from where, and over which temperatures."""
    rows = []
    for name, process in posterior["processes"].children.items():
        data = experiments_of(process)
        celsius = data["temperature"].values - ZERO_CELSIUS
        known = celsius[np.isfinite(celsius)]
        fields = np.unique(data["larmor_frequency"].values) / 1e6 if "larmor_frequency" in data.coords else np.array([])
        across = Cell(f"{known.min():.1f} to {known.max():.1f}", float(known.min())) if known.size else number(None)
        rows.append(
            [
                Cell(name, soft=described[name]["role"]),
                Cell(described[name]["nucleus"] or "–"),
                Cell(", ".join(f"{field:.2f}" for field in fields if np.isfinite(field)) or "–"),
                words(_folder(process)),
                number(data.sizes["experiment"], "{:.0f}"),
                across,
                words(", ".join(sorted(set(map(str, recovered(process, "temperature_source", ""))) - {""})) or "–"),
                words("; ".join(f"{one} ({why})" for one, why in described[name]["left_out"].items()) or "none"),
            ]
        )
    head = ["Process", "Nucleus", "Larmor frequency / MHz", "Read from", "Experiments", "T / °C", "T from", "Left out"]
    return table("table-read", "What was read", head, rows)


def recovered(process: xr.DataTree, name: str, missing: Any) -> list[Any]:
    """One value an experiment of what was read with the recoveries, or of what stands for it."""
    data = process["recovery"].dataset if "recovery" in process else experiments_of(process)
    return list(data[name].values) if name in data.coords else [missing] * data.sizes["experiment"]


def reading(process: xr.DataTree) -> str:
    """How the recoveries of a process were measured and read, in one sentence; "" where that is not known."""
    if "recovery" not in process:
        return ""
    rates = np.array(recovered(process, "mas_rate", np.nan), dtype=float) / 1e3
    limits = 100 * np.array(recovered(process, "second_component_limit", np.nan), dtype=float)
    parts = sorted(set(filter(None, recovered(process, "irradiated", ""))))
    if np.isfinite(rates).any():
        parts.insert(0, f"MAS {_range(rates)} kHz" if np.nanmax(rates) > 0 else "static")
    if read := sorted(set(filter(None, map(str, recovered(process, "read_by", ""))))):
        parts.append(f"intensities by {'; '.join(read)}")
    if np.isfinite(limits).any():
        parts.append(
            f"a second line shape would have been seen from {_range(limits)} % of the first; "
            "a weaker site with a T1 of its own is averaged in"
        )
    return "; ".join(parts)


def fit_table(index: int, name: str, process: xr.DataTree, warnings: Iterable[Placed]) -> Table | None:
    """T1 of each experiment, or what was measured in its place; None for a process of correlation times alone."""
    number_of = {one: [w.number for w in warnings if (name, one) in w.experiments] for one in names_of(process)}
    for stage, (quantity, heading) in DIRECT.items():
        if stage in process:
            data = process[stage].dataset
            reasons = data["reason"].values if "reason" in data else [""] * data.sizes["experiment"]
            rows = [
                [
                    estimate(data[quantity].values[i], data[f"{quantity}_stderr"].values[i]),
                    words(reasons[i]),
                ]
                for i in range(data.sizes["experiment"])
            ]
            return _rows(
                f"table-fits-{index}", f"e-{index}", name, ["Row", "T / °C", heading, "Remark"], data, rows, number_of
            )
    if "relaxation" not in process:
        return None
    data = process["relaxation"].dataset
    sources = recovered(process, "temperature_source", "–")
    rows = []
    for i in range(data.sizes["experiment"]):
        one = data.isel(experiment=i)
        used = f"{one['rows_used'].item()} of {one['rows_planned'].item()}" if one["rows_planned"].item() else "–"
        rows.append(
            [
                Cell(str(sources[i])),
                estimate(one["t1"].item(), one["t1_stderr"].item()),
                Cell(interval_said(one["t1_low"].item(), one["t1_high"].item()), one["t1_low"].item()),
                estimate(one["beta"].item(), one["beta_stderr"].item()),
                number(one["depth"].item()),
                number(one["reduced_chi2"].item()),
                Cell(used, float(one["rows_used"])),
                words(one["reason"].item()),
            ]
        )
    head = ["Expno", "T / °C", "T from", "T1 / s", "95 % / s", "β", "Depth", "Reduced χ²", "Rows used", "Remark"]
    return _rows(f"table-fits-{index}", f"e-{index}", name, head, data, rows, number_of)


def motion_table(index: int, name: str, process: xr.DataTree) -> Table | None:
    """The correlation times of each experiment on both branches; None for a process without."""
    if "motion" not in process:
        return None
    data = process["motion"].dataset
    both = data.sizes["branch"] > 1
    rows = []
    for i in range(data.sizes["experiment"]):
        one = data.isel(experiment=i)
        cells = [
            estimate(value, error) for value, error in zip(one["tau_c"].values, one["tau_c_stderr"].values, strict=True)
        ]
        if both:
            slow = one["branch_probability"].values[1] if "branch_probability" in one else None
            cells.append(number(slow, "{:.3f}"))
        rows.append([*cells, words(one["reason"].item())])
    head = [TAU + " fast / s", TAU + " slow / s", "P(slow)"] if both else [TAU + " / s"]
    first = ["Expno" if "relaxation" in process else "Row", "T / °C"]
    # Only where no other table has the experiments do their names belong to this one.
    identity = "" if "relaxation" in process else f"e-{index}"
    return _rows(f"table-motion-{index}", identity, name, [*first, *head, "Remark"], data, rows, {})


def names_of(process: xr.DataTree) -> list[str]:
    """The experiments of a process."""
    return [str(one) for one in experiments_of(process)["experiment"].values]


def _rows(
    identity: str, prefix: str, caption: str, head: list[str], data: xr.Dataset, cells: list[list[Cell]],
    warnings: Mapping[str, list[int]],
) -> Table:  # fmt: skip
    """Rows that begin with experiment and temperature."""
    rows = []
    for i, rest in enumerate(cells):
        experiment = str(data["experiment"].values[i])
        celsius = number(float(data["temperature"].values[i]) - ZERO_CELSIUS)
        name = f"{prefix}-{i}" if prefix else ""
        rows.append(Row((Cell(experiment), celsius, *rest), name, tuple(warnings.get(experiment, ()))))
    if not any(row.cells[-1].text for row in rows):  # no remark
        head, rows = head[:-1], [Row(row.cells[:-1], row.identity, row.warnings) for row in rows]
    return Table(identity, caption, tuple(head), tuple(rows))


def _folder(process: xr.DataTree) -> str:
    """The folder or the files that the data of a process came from."""
    stage = process["recovery"].dataset if "recovery" in process else experiments_of(process)
    files = [str(one) for one in json.loads(stage.attrs.get("sources", "[]"))]
    if not files:
        return "memory"
    try:
        return files[0] if len(files) == 1 else f"{os.path.commonpath(files)} ({len(files)} files)"
    except ValueError:  # paths of several drives, or absolute and relative ones
        return f"{files[0]} and {len(files) - 1} others"


def _range(values: np.ndarray) -> str:
    low, high = f"{np.nanmin(values):.2g}", f"{np.nanmax(values):.2g}"
    return low if low == high else f"{low} to {high}"
