"""Effective samples of a barrier per second: ours, emcee's default moves, kinisi and NumPyro's NUTS; and what grows.

    python benchmarks/sampling.py [--quick] [--output FILE]

The process is bound to one core, and time is that of the processor, so that every figure is per core. Time per step is
the median of short runs that take turns, each round in another order, so that other work on the machine hits all
alike. The autocorrelation time of the barrier is that of one long run, since short ones make it two to three times too
short; effective samples per second are walkers / autocorrelation time / time per step. Peers that are not installed
(kinisi, numpyro) are left out. `--quick` tries everything with runs that are too short to mean anything.
"""

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import emcee
import numpy as np
from speed.growth import with_processes, with_temperatures, with_walkers
from speed.peers import Emcee, Kinisi, Nuts
from speed.race import Effort, Ours, as_table, race, trivial
from speed.studies import OFFSET, draw, joint_model, recoveries, tau_table

from nmrdyn.inference.modes import find_modes
from nmrdyn.priors import HalfNormal

RESULT = Path(__file__).parent / "results" / "sampling.md"
FULL = Effort(share=1.0, enough=200, rounds=3, seconds=0.5)
QUICK = Effort(share=0.03, enough=0, rounds=2, seconds=0.02)
TARGET, FAST_TARGET = 60, 20_000
DEFAULT, ARRHENIUS = "emcee, default moves, vectorize=False", "kinisi, Arrhenius"


def installed(name):
    """Its version, "" where it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def say(what):
    """What is measured now, beside the report."""
    print(f"{time.process_time():4.0f} s: {what}", file=sys.stderr)


def scalar(model):
    """The same log posterior for one walker at a time, as emcee calls it without vectorize."""
    return lambda theta: float(model(theta)[0])


def searched(study, effort, likelihood="traces"):
    """Our contender, and the time [s] that the search for modes took."""
    model = joint_model(study, likelihood=likelihood)
    began = time.process_time()
    modes = find_modes(model, np.random.default_rng(1))
    return Ours(model, modes, study.barrier, effort), time.process_time() - began


def from_recoveries(effort):
    """Everyone on ten recoveries; lines of the report and our ratio."""
    study = recoveries()
    ours, search_time = searched(study, effort)
    fast, _ = searched(study, effort, "fast")
    model, column, walkers = ours.model, ours.column, ours.walkers
    stretch, start = ours.starts(64), ours.starts(walkers)
    vectorised = DEFAULT.replace("False", "True")
    contenders = {
        DEFAULT: Emcee(scalar(model), stretch, length=20_000, vectorize=False, column=column),
        vectorised: Emcee(model, stretch, length=20_000, column=column),
        "emcee, DEMove, vectorize=True": Emcee(model, start, length=6_000, moves=emcee.moves.DEMove(), column=column),
        "**nmrdyn**": ours,
        '**nmrdyn**, likelihood="fast"': fast,
    }
    if installed("numpyro"):
        scatter = model.priors.get("hop.scatter")
        one = joint_model(study, likelihood="t1").data[0]
        known = {
            "scatter": scatter.scale if isinstance(scatter, HalfNormal) else 0.0,
            "cq": study.priors["hop.cq"],
            "offset": OFFSET,
            "warmup": round(effort.share * 1000),
            "block": max(20, round(effort.share * 200)),
        }
        contenders["NumPyro NUTS, temperature errors to first order"] = Nuts(one, sampled=False, **known)
        if effort is FULL:  # to compile takes half a minute
            contenders["NumPyro NUTS, temperature errors sampled"] = Nuts(one, sampled=True, **known)
    said = [move.split() for move in ours.chains.moves.split(" + ")]
    moves = [(getattr(emcee.moves, name)(), float(share)) for share, name in said]
    contenders["idle"] = trivial(len(model.parameters), walkers, moves)
    # A scalar target makes the same chain in more time, and that of the trivial one does not matter.
    results = race(contenders, effort, chain_of={DEFAULT: vectorised, "idle": vectorised})
    idle, step = (float(np.median(results[name].step)) for name in ("idle", "**nmrdyn**"))
    del results["idle"]
    began = time.process_time()
    chains = draw(model, ours.modes, steps=20_000, ensembles=2)
    taken, ess = time.process_time() - began, chains.check.ess.min()
    lines = [
        "## Ten recoveries",
        "",
        "23Na at 112.7 MHz, 300 to 480 K about the T1 minimum, 16 delays, SNR 60; 1 K of error on each temperature and "
        f"1 K on all, 5 % on C_Q. {len(model.parameters)} parameters: {', '.join(model.parameters)}. The rows of emcee "
        "and the first of nmrdyn share one log posterior. NUTS has a Gaussian in ln T1 in its place, written anew in "
        "JAX; its compilation and warm-up are not counted.",
        "",
        *as_table(results, DEFAULT),
        "",
        "An evaluation without vectorize is mostly calls of numpy, which take as long for one walker as for many. "
        "emcee by itself, with our moves and walkers on a round normal of as many dimensions, takes "
        f"{1e3 * idle:.2f} ms a step, {100 * idle / step:.0f} % of ours, which includes starts and diagnostics. "
        f"Search for modes {search_time:.2f} s; two ensembles until R-hat, ESS and length pass {taken:.2f} s "
        f"({chains.steps} steps each, smallest ESS {ess:.0f}).",
    ]
    return lines, float(np.median(results["**nmrdyn**"].rate / results[DEFAULT].rate))


def from_correlation_times(effort, folder):
    """kinisi and nmrdyn on a table of ten tau_c; lines of the report and our ratio, NaN without kinisi."""
    study = tau_table(folder=folder)
    ours, _ = searched(study, effort)
    one = ours.model.data[0]
    if not installed("kinisi"):
        return ["## A table of ten tau_c", "", "kinisi is not installed: left out."], np.nan
    contenders = {ARRHENIUS: Kinisi(one.temperature, np.exp(one.value), one.stderr), "**nmrdyn**": ours}
    results = race(contenders, effort, chain_of={})
    draws = ours.chains.draws[..., ours.column]
    theirs = contenders[ARRHENIUS].barrier
    lines = [
        "## A table of ten tau_c",
        "",
        "Errors of 2 %, exact temperatures. kinisi's Arrhenius is given 1/tau_c for D, uniform priors, a good start "
        f"and its default of 32 walkers. Barrier: {draws.mean():.4f} ± {draws.std():.4f} eV by nmrdyn, "
        f"{theirs.mean():.4f} ± {theirs.std():.4f} eV by kinisi.",
        "",
        *as_table(results, ARRHENIUS),
    ]
    return lines, float(np.median(results["**nmrdyn**"].rate / results[ARRHENIUS].rate))


def report(options, effort, folder):
    """The lines of the report."""
    temperatures = (5, 10, 30, 100, 300, 1000)
    walkers = (32, 64, 128, 256, 512, 1024)
    processes = (1, 2) if options.quick else (1, 2, 4, 8)
    say("ten recoveries")
    ours, ratio = from_recoveries(effort)
    say("a table of ten tau_c")
    table, arrhenius = from_correlation_times(effort, folder)
    say("temperatures and walkers")
    growth, fast = with_temperatures(temperatures, folder=folder, effort=effort)
    crowd = with_walkers(walkers, folder=folder, effort=effort)
    say("processes")
    several = with_processes(processes, folder=folder, effort=effort)
    say("done")
    verdicts = [
        (f"effective samples over {DEFAULT}", ratio, TARGET),
        (f"effective samples over {ARRHENIUS}", arrhenius, TARGET),
        ("evaluations a second and core, 1,000 temperatures, fast", fast[1000], FAST_TARGET),
    ]
    lines = ["| | needed | reached |", "|---|---|---|"]
    lines += [f"| {what} | {needed:,} | {found:,.0f} |" for what, found, needed in verdicts]
    lines += ["", *ours, "", *table, "", "## Growth", ""]
    lines += [
        f"One nucleus, {64} walkers at once (a half of 128, as emcee moves them), peak of memory by tracemalloc.",
        "",
    ]
    lines += [*growth, "", "Ten temperatures, quadrature:", ""]
    lines += [*crowd, ""]
    lines += [
        "Processes of ten temperatures that share their runs, fast. A run of less than 50 autocorrelation times finds "
        "these too short, and too many effective samples:",
        "",
    ]
    lines += [*several, ""]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*lines, f"Peak of the whole process: {peak:.0f} MB (JAX, where there is one, included)."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cores = os.cpu_count()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    began = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        lines = report(options, QUICK if options.quick else FULL, Path(scratch))
    versions = [
        f"{name} {installed(name) or 'not installed'}"
        for name in ("nmrdyn", "numpy", "scipy", "emcee", "kinisi", "numpyro", "jax")
    ]
    head = [
        f"`python benchmarks/sampling.py{' --quick' if options.quick else ''}`"
        f"{' (too short to mean anything)' if options.quick else ''}",
        "",
        f"One of {cores} cores ({platform.machine()}, {platform.system()}), Python {platform.python_version()}, "
        f"{', '.join(versions)}; {time.process_time() - began:.0f} s in all. Ratios are of one run, seconds of "
        "this machine.",
        "",
    ]
    text = "\n".join([*head, *lines, ""])
    output = options.output or (None if options.quick else RESULT)
    if output is not None:
        output.parent.mkdir(exist_ok=True)
        output.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
