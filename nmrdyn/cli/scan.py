"""nmrdyn scan: what is in a TopSpin folder."""

from __future__ import annotations

import argparse

from nmrdyn.cli.reading import add_folder, temperature_said
from nmrdyn.cli.show import print_json, print_table, printable, shown


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Its options."""
    command = commands.add_parser(
        "scan",
        help="what is in a TopSpin folder",
        epilog='example: nmrdyn scan vt-run.zip --temperature "1.013*TE - 4.2"',
    )
    add_folder(command)
    command.set_defaults(command=_scan)


def _scan(options: argparse.Namespace) -> None:
    from nmrdyn.topspin.read import scan

    entries = scan(options.folder, temperature=temperature_said(options))
    if options.json:
        print_json(entries)
        return
    print_table(
        {
            "expno": [entry["experiment"] for entry in entries],
            "nucleus": [entry["nucleus"] for entry in entries],
            "kind": [entry["kind"] for entry in entries],
            "T/K": [shown(entry["temperature_K"], ".1f", "unknown") for entry in entries],
            "from": [entry["temperature_source"] for entry in entries],
            "nu/MHz": [
                shown(entry["larmor_frequency_Hz"] and entry["larmor_frequency_Hz"] / 1e6, ".3f") for entry in entries
            ],
            "MAS/kHz": [shown(entry["mas_rate_Hz"] and entry["mas_rate_Hz"] / 1e3, ".3g") for entry in entries],
            "rows": [f"{entry['rows_recorded']}/{entry['rows_planned']}" for entry in entries],
            "program": [entry["pulse_program"] for entry in entries],
            "evidence": [entry["evidence"][0] if entry["evidence"] else "" for entry in entries],
        }
    )
    places: dict[str, list[str]] = {}
    for entry in entries:
        for text in [*filter(None, [entry["irradiated"]]), *entry["warnings"]]:
            places.setdefault(text, []).append(entry["experiment"])
    for text, names in places.items():
        print(printable(f"{', '.join(names)}: {text}"))
