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
    t1.add_argument("--model", default="auto", help="auto (default), single, stretched, bi, tri or populations")
    t1.add_argument("--initial", metavar="all_sat", help="populations: what was done to which levels")
    t1.add_argument("--observed", metavar="total", help="populations: which line is observed")
    t1.add_argument("--nucleus", help="which nucleus, where the folder holds several")
    t1.add_argument("--region", type=float, nargs=2, metavar=("LOW", "HIGH"), help="one line only, Hz from the carrier")
    t1.add_argument("--json", action="store_true", help="print JSON")
    t1.set_defaults(command=_t1)

    tau = commands.add_parser("tau", help="correlation times on both branches, from one T1")
    for name, example in (("nucleus", "11B"), ("cq", "0.1MHz"), ("larmor", "160.49MHz"), ("t1", "61.1s")):
        tau.add_argument(f"--{name}", required=True, metavar=example)
    tau.add_argument("--eta", required=True, type=float, metavar="0.4")
    tau.add_argument(
        "--dipolar",
        action="append",
        default=[],
        metavar="1H:1.20A:4",
        help="dipolar relaxation by partners as well: isotope, distance and their number; may be repeated",
    )
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
    from nmrdyn.findings import attached
    from nmrdyn.recovery.fit import fit_recovery
    from nmrdyn.topspin.read import read_topspin

    region = tuple(options.region) if options.region else None
    recovery = read_topspin(options.folder, nucleus=options.nucleus, region=region)
    relaxation = fit_recovery(recovery, _model(options, recovery.attrs["nucleus"]))
    remarks, topspin = json.loads(recovery.attrs["notes"]), json.loads(recovery.attrs["topspin"])
    # Those left out are the reasons of single rows.
    findings = [finding for finding in attached(relaxation) if finding.code not in ("no-t1", "recovery-misfit")]
    for finding in findings:
        for name in finding.where.split(", "):
            remarks.setdefault(name, []).append(finding.text)
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
                "warnings": remarks.get(str(name), []),
                "t1_meaning": one["t1_meaning"].item(),
                "t1_mean_s": float(one["t1_mean"]),
                "topspin": topspin.get(str(name), []),
                "components": [
                    {"t1_s": float(time), "fraction": float(fraction)}
                    for time, fraction in zip(one["component_t1"], one["component_fraction"], strict=True)
                    if math.isfinite(time)
                ],
                "model_weights": dict(
                    zip(map(str, relaxation["candidate"].values), map(float, one["model_weight"]), strict=True)
                ),
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
            ", ".join(f"{fit['quantity']} {fit['t1_s']:.4g}" for fit in entry["topspin"]) or "-",
            entry["reason"],
        ]
        for entry in entries
    ]
    head = ["expno", "T/K", "model", "T1/s", "beta", "depth", "chi2_red", "rows", "TopSpin/s", "remarks"]
    if not topspin:  # a column of nothing
        at = head.index("TopSpin/s")
        head, rows = head[:at] + head[at + 1 :], [row[:at] + row[at + 1 :] for row in rows]
    _print_table(head, rows)
    for finding in findings:
        print(f"{finding.where}: {finding.text} [{finding.code}]")


def _model(options: argparse.Namespace, nucleus: str) -> Any:
    """A recovery model or its name; populations from the spin and what was said of them."""
    from nmrdyn.isotopes import Isotope
    from nmrdyn.recovery.populations import PopulationRecovery
    from nmrdyn.schema import InputError

    said = {name: getattr(options, name) for name in ("initial", "observed") if getattr(options, name) is not None}
    if options.model != "populations":
        if said:
            raise InputError(f"--{next(iter(said))}: needed --model populations, found --model {options.model}")
        return options.model
    missing = " and ".join(f"--{name}" for name in ("initial", "observed") if name not in said)
    if missing:
        raise InputError(f"--model populations: needed {missing}, found neither a rule nor a default for it")
    return PopulationRecovery(spin=Isotope.get(nucleus).spin, interaction="quad", **said)


def _tau(options: argparse.Namespace) -> None:
    from nmrdyn.motion.mechanism import MechanismSum
    from nmrdyn.motion.quadrupolar import BPP
    from nmrdyn.units import parse

    bpp = BPP(
        nucleus=options.nucleus, cq=parse(options.cq, "frequency", name="--cq", exact=True).value, eta=options.eta
    )
    mechanism = MechanismSum((bpp, *(_dipolar(options.nucleus, text) for text in options.dipolar)))
    larmor = parse(options.larmor, "frequency", name="--larmor", positive=True, exact=True).value
    t1 = parse(options.t1, "time", name="--t1", positive=True, exact=True).value
    minimum = float(mechanism.t1_minimum(larmor))
    branches = dict(zip(("fast", "slow"), map(float, mechanism.correlation_times(t1, larmor)), strict=True))
    shares = {
        branch: {label: float(share) for label, share in mechanism.shares(tau, larmor).items()}
        for branch, tau in branches.items()
    }
    if options.json:
        times = {f"tau_c_{branch}_s": tau for branch, tau in branches.items()}
        _print_json(times | {"t1_minimum_s": minimum, "feasible": t1 >= minimum, "shares": shares})
        return
    print(f"T1 minimum   {minimum:.4g} s")
    if t1 < minimum:
        needed = float(mechanism.coupling_needed(t1, larmor))
        print(f"no solution: T1 {t1:.4g} s is shorter; C_Q would have to be at least {needed / 1e6:.4g} MHz")
        return
    for branch, tau in branches.items():
        print(f"tau_c {branch}   {_shown(tau, '.4g', 'none in reach,')} s")
        if options.dipolar and math.isfinite(tau):
            quadrupolar = shares[branch].pop(bpp.label)
            parts = ", ".join(
                f"{label} {100 * share:.1f} % ({share / quadrupolar:.2f} times quadrupolar)"
                for label, share in shares[branch].items()
            )
            print(f"  1/T1 is quadrupolar {100 * quadrupolar:.1f} %, {parts}")


def _dipolar(nucleus: str, text: str) -> Any:
    """A dipolar mechanism from "1H:1.20A:4"."""
    from nmrdyn.motion.dipolar import Dipolar
    from nmrdyn.schema import InputError
    from nmrdyn.units import parse

    parts = text.split(":")
    count = parts[2] if len(parts) == 3 else "1"
    if len(parts) not in (2, 3) or not (count.isdecimal() and len(count) < 10):
        raise InputError(f"--dipolar: needed isotope:distance:count such as 1H:1.20A:4, found {text!r}")
    return Dipolar(
        nucleus=nucleus,
        partner=parts[0],
        distance=parse(parts[1], "length", name="--dipolar", positive=True, exact=True).value,
        count=int(count),
    )


def _run(options: argparse.Namespace) -> None:
    _finish(options.study, options.out)


def _demo(options: argparse.Namespace) -> None:
    from nmrdyn.simulate.example import example_study

    study = example_study(options.folder, seed=options.seed)
    print(f"wrote {study}", flush=True)
    _finish(study, options.folder / "results")


def _finish(study: Path, out: Path) -> None:
    from nmrdyn.report.summary import verdict_lines
    from nmrdyn.study.run import run

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
