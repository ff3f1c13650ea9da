"""nmrdyn tau: correlation times on both branches, from one T1."""

from __future__ import annotations

import argparse
import math
from typing import Any

from nmrdyn.cli.parser import Commands, Parser, add_command
from nmrdyn.cli.show import print_json, shown


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "tau",
        "give the correlation times on both branches for one T1, and the share of each mechanism",
        usage="--nucleus 11B --cq 0.1MHz --eta 0.4 --larmor 160.49MHz --t1 61.1s [--dipolar 1H:1.20A:4]",
        examples=[
            "--nucleus 11B --cq 0.1MHz --eta 0.4 --larmor 160.49MHz --t1 61.1s",
            "--nucleus 11B --cq 0.1MHz --eta 0.4 --larmor 160.49MHz --t1 61.1s --dipolar 1H:1.20A:4",
            "--nucleus 23Na --cq 1MHz --eta 0.1 --larmor 132.32MHz --t1 35ms --json",
        ],
        details="By BPP: spectral densities of Debye's form. Every value has its unit.",
        json="tau_c_fast_s, tau_c_slow_s, t1_minimum_s, feasible and shares",
    )
    for name, example, words in (
        ("nucleus", "11B", "the isotope"),
        ("cq", "0.1MHz", "quadrupolar coupling constant"),
        ("larmor", "160.49MHz", "Larmor frequency"),
        ("t1", "61.1s", "the T1 measured"),
    ):
        command.add_argument(f"--{name}", required=True, metavar=example, help=words)
    command.add_argument("--eta", required=True, type=float, metavar="0.4", help="asymmetry of the coupling")
    command.add_argument(
        "--dipolar",
        action="append",
        default=[],
        metavar="1H:1.20A:4",
        help="dipolar relaxation by partners as well: isotope, distance and their number; may be repeated",
    )
    command.set_defaults(command=_tau)


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
        print_json(times | {"t1_minimum_s": minimum, "feasible": t1 >= minimum, "shares": shares})
        return
    print(f"T1 minimum   {minimum:.4g} s")
    if t1 < minimum:
        needed = float(mechanism.coupling_needed(t1, larmor))
        print(f"no solution: T1 {t1:.4g} s is shorter; C_Q would have to be at least {needed / 1e6:.4g} MHz")
        return
    for branch, tau in branches.items():
        print(f"tau_c {branch}   {shown(tau, '.4g', 'none in reach,')} s")
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
