"""nmrdyn scan: what is in a TopSpin folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nmrdyn.cli.parser import Commands, Parser, add_command, bars_wanted
from nmrdyn.cli.reading import WHAT, add_folder, temperature_said
from nmrdyn.cli.show import print_json, print_table, printable, shown
from nmrdyn.cli.suggest import require_there

if TYPE_CHECKING:
    from nmrdyn.topspin.read import ScanEntry


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "scan",
        "list what is in a TopSpin folder: nucleus, kind of experiment and why, temperature and its source, rows",
        usage="[options] FOLDER",
        examples=["vt-run/", 'vt-run.zip --temperature "1.013*TE - 4.2"', "vt-run/ --temperature title,te --json"],
        details="A recovery measured as one-dimensional expnos has one row; --json lists each expno.",
        json="a list with an entry for each expno",
        bars=True,
    )
    add_folder(command)
    command.set_defaults(command=_scan)


def _scan(options: argparse.Namespace) -> None:
    from nmrdyn.progress import shown as shown_bars
    from nmrdyn.progress import stage
    from nmrdyn.topspin.read import scan

    folder = require_there(options.folder, WHAT)
    with shown_bars(bars_wanted(options)), stage(f"reading {printable(folder.name)}"):
        entries = scan(folder, temperature=temperature_said(options))
    if options.json:
        print_json(entries)
        return
    rows = _rows(entries)
    print_table(
        {
            "expno": [entry["experiment"] for entry in rows],
            "nucleus": [entry["nucleus"] for entry in rows],
            "kind": [entry["kind"] for entry in rows],
            "T/K": [shown(entry["temperature_K"], ".1f", "unknown") for entry in rows],
            "from": [entry["temperature_source"] for entry in rows],
            "nu/MHz": [
                shown(entry["larmor_frequency_Hz"] and entry["larmor_frequency_Hz"] / 1e6, ".3f") for entry in rows
            ],
            "MAS/kHz": [shown(entry["mas_rate_Hz"] and entry["mas_rate_Hz"] / 1e3, ".3g") for entry in rows],
            "rows": [f"{entry['rows_recorded']}/{entry['rows_planned']}" for entry in rows],
            "program": [entry["pulse_program"] for entry in rows],
            "evidence": [entry["evidence"][0] if entry["evidence"] else "" for entry in rows],
        }
    )
    places: dict[str, list[str]] = {}
    for entry in rows:
        for text in [*filter(None, [entry["irradiated"]]), *entry["warnings"]]:
            places.setdefault(text, []).append(entry["experiment"])
    for text, names in places.items():
        print(printable(f"{', '.join(names)}: {text}"))


def _rows(entries: list[ScanEntry]) -> list[ScanEntry]:
    """The entries, with one in place of those of a series, which tells its members."""
    from nmrdyn.study.recoveries import recoveries, series_of

    whole = {one.name: one for one in recoveries(entries) if one.members}
    rows: dict[str, ScanEntry] = {}
    for entry in entries:
        kind, name = series_of(entry) or ("", "")
        if name not in whole:
            rows[entry["experiment"]] = entry
            continue
        series = whole[name]
        warnings = [text for text in entry["warnings"] if "read together as" not in text]
        if name not in rows:
            how = next(text.partition(":")[0] for text in entry["warnings"] if "read together as" in text)
            rows[name] = entry | {
                "experiment": name,
                "kind": kind,
                "temperature_K": series.temperature,
                "rows_recorded": series.rows_recorded,
                "rows_planned": series.rows_planned,
                "evidence": [how],
                "warnings": [f"read together: {', '.join(series.members)}"],
            }
        rows[name]["warnings"] += [text for text in warnings if text not in rows[name]["warnings"]]
    return list(rows.values())
