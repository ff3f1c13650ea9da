"""The command line. Results go to standard output, errors as one line to standard error with exit status 2."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    from nmrdyn.schema import InputError

    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except InputError as error:
        print(f"nmrdyn: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"nmrdyn: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("nmrdyn: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    from nmrdyn import __version__

    parser = argparse.ArgumentParser(
        prog="nmrdyn",
        description="Solid-state NMR relaxation and the motion behind it: from TopSpin folders to barriers.",
    )
    parser.add_argument("--version", action="version", version=f"nmrdyn {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    scan = commands.add_parser("scan", help="what is in a TopSpin folder")
    scan.add_argument("folder", type=Path)
    scan.add_argument("--json", action="store_true", help="print JSON")
    scan.set_defaults(command=_scan)

    t1 = commands.add_parser("t1", help="T1 of every recovery in a TopSpin folder")
    t1.add_argument("folder", type=Path)
    t1.add_argument("--model", default="auto", help="auto (default), single or stretched")
    t1.add_argument("--nucleus", help="which nucleus, where the folder holds several")
    t1.add_argument("--region", type=float, nargs=2, metavar=("LOW", "HIGH"), help="one line only, Hz from the carrier")
    t1.add_argument("--json", action="store_true", help="print JSON")
    t1.set_defaults(command=_t1)

    tau = commands.add_parser("tau", help="correlation times on both branches, from one T1")
    for name, example in (("nucleus", "11B"), ("cq", "0.1MHz"), ("larmor", "160.49MHz"), ("t1", "61.1s")):
        tau.add_argument(f"--{name}", required=True, metavar=example)
    tau.add_argument("--eta", required=True, type=float, metavar="0.4")
    tau.add_argument("--json", action="store_true", help="print JSON")
    tau.set_defaults(command=_tau)

    run = commands.add_parser("run", help="run a study into a folder of results")
    run.add_argument("study", type=Path)
    run.add_argument("--out", type=Path, required=True, metavar="DIR")
    run.set_defaults(command=_run)

    demo = commands.add_parser("demo", help="write an example study as TopSpin folders and run it")
    demo.add_argument("folder", type=Path, metavar="DIR")
    demo.add_argument("--seed", type=int, help="another draw of noise and temperature errors than the example's")
    demo.set_defaults(command=_demo)
    return parser


def _scan(options: argparse.Namespace) -> None:
    from nmrdyn.topspin.read import scan

    entries = scan(options.folder)
    if options.json:
        _print_json(entries)
        return
    rows = [
        [
            entry["experiment"],
            entry["nucleus"],
            entry["kind"],
            _shown(entry["temperature_K"], ".1f", "unknown"),
            _shown(entry["larmor_frequency_Hz"] and entry["larmor_frequency_Hz"] / 1e6, ".3f"),
            f"{entry['rows_recorded']}/{entry['rows_planned']}",
            entry["pulse_program"],
            "; ".join(entry["warnings"]),
        ]
        for entry in entries
    ]
    _print_table(["expno", "nucleus", "kind", "T/K", "nu/MHz", "rows", "program", "remarks"], rows)


def _t1(options: argparse.Namespace) -> None:
    from nmrdyn.recovery.fit import fit_recovery
    from nmrdyn.topspin.read import read_topspin

    region = tuple(options.region) if options.region else None
    recovery = read_topspin(options.folder, nucleus=options.nucleus, region=region)
    relaxation = fit_recovery(recovery, options.model)
    notes = json.loads(recovery.attrs["notes"])
    entries = []
    for i, name in enumerate(relaxation["experiment"].values):
        one = relaxation.isel(experiment=i)
        entries.append(
            {
                "experiment": str(name),
                "temperature_K": float(one["temperature"]),
                "nucleus": relaxation.attrs["nucleus"],
                "larmor_frequency_Hz": float(one["larmor_frequency"]),
                "model": one["model"].item(),
                "t1_s": float(one["t1"]),
                "t1_stderr_s": float(one["t1_stderr"]),
                "beta": float(one["beta"]),
                "depth": float(one["depth"]),
                "reduced_chi2": float(one["reduced_chi2"]),
                "rows_used": int(one["rows_used"]),
                "rows_planned": int(one["rows_planned"]),
                "converged": bool(one["converged"]),
                "reason": one["reason"].item(),
                "warnings": notes.get(str(name), []),
            }
        )
    if options.json:
        _print_json(entries)
        return
    rows = [
        [
            entry["experiment"],
            _shown(entry["temperature_K"], ".1f", "unknown"),
            entry["model"],
            _with_error(entry["t1_s"], entry["t1_stderr_s"]),
            _shown(entry["beta"], ".3f"),
            _shown(entry["depth"], ".2f"),
            _shown(entry["reduced_chi2"], ".3g"),
            f"{entry['rows_used']}/{entry['rows_planned']}",
            entry["reason"],
        ]
        for entry in entries
    ]
    _print_table(["expno", "T/K", "model", "T1/s", "beta", "depth", "chi2_red", "rows", "remarks"], rows)


def _tau(options: argparse.Namespace) -> None:
    from nmrdyn.motion.quadrupolar import BPP
    from nmrdyn.units import parse

    mechanism = BPP(
        nucleus=options.nucleus, cq=parse(options.cq, "frequency", name="--cq", exact=True).value, eta=options.eta
    )
    larmor = parse(options.larmor, "frequency", name="--larmor", positive=True, exact=True).value
    t1 = parse(options.t1, "time", name="--t1", positive=True, exact=True).value
    fast, slow = (float(value) for value in mechanism.correlation_times(t1, larmor))
    minimum = float(mechanism.t1_minimum(larmor))
    if options.json:
        _print_json({"tau_c_fast_s": fast, "tau_c_slow_s": slow, "t1_minimum_s": minimum, "feasible": t1 >= minimum})
        return
    print(f"T1 minimum   {minimum:.4g} s")
    if t1 < minimum:
        needed = float(mechanism.coupling_needed(t1, larmor))
        print(f"no solution: T1 {t1:.4g} s is shorter; C_Q would have to be at least {needed / 1e6:.4g} MHz")
    else:
        print(f"tau_c fast   {fast:.4g} s\ntau_c slow   {slow:.4g} s")


def _run(options: argparse.Namespace) -> None:
    _finish(options.study, options.out)


def _demo(options: argparse.Namespace) -> None:
    from nmrdyn.simulate.example import example_study

    study = example_study(options.folder, seed=options.seed)
    print(f"wrote {study}", flush=True)
    _finish(study, options.folder / "results")


def _finish(study: Path, out: Path) -> None:
    from nmrdyn.report.summary import verdict_lines
    from nmrdyn.study import run

    run(study, out, progress=sys.stderr.isatty())
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    print("\n".join(verdict_lines(summary)))
    print(f"results in {out}")


def _print_json(value: object) -> None:
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    """Lists and dicts with null in place of NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value: float | None, form: str, missing: str = "-") -> str:
    return missing if value is None or math.isnan(value) else format(value, form)


def _with_error(value: float, error: float) -> str:
    """Value and error with two digits of the error, as in 4.71(19)e-3."""
    if not (math.isfinite(value) and math.isfinite(error)) or error <= 0:
        return "-"
    exponent = math.floor(math.log10(abs(value)))
    digits = max(0, exponent - math.floor(math.log10(error)) + 1)
    return f"{value / 10**exponent:.{digits}f}({round(error / 10 ** (exponent - digits))})e{exponent}"


def _print_table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(str(row[k])) for row in [head, *rows]) for k in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
