"""T1 of many traces: ours against loops over curve_fit and lmfit and other packages; growth, memory, and the limit.

    python benchmarks/t1_fits.py [--quick] [--output FILE]

The process is bound to one core, and time is that of the processor. Competitors take turns and each keeps its best
time, so that other work on the machine hits all alike; loops are timed on a part of the traces and scaled. Peers begin
where a careful user would: at the last signal, the depth of the first, the median delay, beta 0.8, a ratio of 4. Those
that are not installed (`pip install -e ".[bench]"`) are named as such.
"""

import argparse
import contextlib
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import platform
import time
import tracemalloc
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from scipy.optimize import curve_fit

from nmrdyn.recovery.batch.traces import fit_traces

RESULT = Path(__file__).parent / "results" / "t1_fits.md"
DELAY = np.geomspace(0.02, 5, 16)
LOOP = 60  # traces on which a loop is timed
PEERS = ("lmfit", "dnplab", "ionhop", "openNMR")


def single(t, a, depth, t1):
    return a * (1 - depth * np.exp(-t / t1))


def stretched(t, a, depth, t1, beta):
    return a * (1 - depth * np.exp(-(np.abs(t / t1) ** beta)))


def bi(t, a, depth, t1, ratio, fraction):
    return a * (1 - depth * (fraction * np.exp(-t / t1) + (1 - fraction) * np.exp(-t * ratio / t1)))


CURVES = {"single": single, "stretched": stretched, "bi": bi}


def draw(kind, n, seed=1):
    """Traces (increment, trace) and the truth (trace, parameter)."""
    rng = np.random.default_rng(seed)
    amplitude, depth, t1 = rng.uniform(0.5, 2, n), rng.uniform(0.8, 2, n), np.exp(rng.uniform(-1.2, 0.3, n))
    more = {
        "single": [],
        "stretched": [rng.uniform(0.4, 1.1, n)],
        "bi": [rng.uniform(5, 20, n), rng.uniform(0.3, 0.7, n)],
    }
    truth = np.array([amplitude, depth, t1, *more[kind]])
    snr = np.exp(rng.uniform(*np.log((100, 1000) if kind == "bi" else (20, 200)), n))
    signal = np.empty((DELAY.size, n))
    for first in range(0, n, 50_000):
        part = slice(first, first + 50_000)
        clean = CURVES[kind](DELAY[:, None], *truth[:, part])
        signal[:, part] = clean + (amplitude / snr)[part] * rng.standard_normal(clean.shape)
    return signal, truth.T


def starts(kind, signal):
    """Where the peers begin (trace, parameter)."""
    more = {"single": [], "stretched": [0.8], "bi": [4.0, 0.5]}[kind]
    rest = np.broadcast_to([np.median(DELAY), *more], (signal.shape[1], 1 + len(more)))
    return np.column_stack([signal[-1], 1 - signal[0] / signal[-1], rest])


def installed(name):
    """Its version, "" where it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def loop_curve_fit(kind, signal, begin):
    """Fit trace by trace."""
    for trace, start in zip(signal.T, begin, strict=True):
        try:
            curve_fit(CURVES[kind], DELAY, trace, start)
        except RuntimeError:  # it gave up; its time counts
            continue


def loop_lmfit(kind, signal, begin):
    """Fit trace by trace."""
    import lmfit

    model = lmfit.Model(CURVES[kind])
    for trace, start in zip(signal.T, begin, strict=True):
        model.fit(trace, model.make_params(**dict(zip(model.param_names, start, strict=True))), t=DELAY)


def loop_dnplab(kind, signal, begin):
    """Its own loop over curve_fit, from one start for all."""
    import dnplab

    data = dnplab.DNPData(signal, ["t1", "trace"], [DELAY, np.arange(signal.shape[1])])
    dnplab.fit(CURVES[kind], data, "t1", p0=tuple(np.median(begin, axis=0)))


def loop_ionhop(kind, signal, begin):
    """It has curves and leaves the fit to curve_fit; its factor A, one with M0, is left at 1."""
    from ionhop.relaxometry.core import T1Functions

    def curve(t, m0, t1, offset):
        return T1Functions.mono_satrec_func(None, t, m0, t1, 1.0, offset)

    for trace, (amplitude, depth, t1) in zip(signal.T, begin, strict=True):
        with contextlib.suppress(RuntimeError):
            curve_fit(curve, DELAY, trace, (amplitude * depth, t1, amplitude * (1 - depth)))


def seconds(function, *arguments):
    """Of the processor."""
    began = time.process_time()
    function(*arguments)
    return time.process_time() - began


def ours(kind, signal):
    fit_traces(DELAY, signal, model=kind)


def race(kind, n, loops, rounds):
    """Best seconds a trace by name; everyone in turn."""
    signal, _ = draw(kind, n)
    best = dict.fromkeys(["nmrdyn", *loops], np.inf)
    part = min(n, LOOP)
    begin = starts(kind, signal[:, :part])
    repeats = max(1, 300 // n)
    for _ in range(rounds):
        taken = sum(seconds(ours, kind, signal) for _ in range(repeats)) / repeats / n
        best["nmrdyn"] = min(best["nmrdyn"], taken)
        for name, loop in loops.items():
            again = max(1, 20 // part)
            taken = sum(seconds(loop, kind, signal[:, :part], begin) for _ in range(again)) / again / part
            best[name] = min(best[name], taken)
    return best


def accuracy(kind, n):
    """Against curve_fit with tight tolerances: largest difference [standard errors], largest excess of the squares."""
    signal, truth = draw(kind, n, seed=2)
    fits = fit_traces(DELAY, signal, model=kind)
    off, excess = [], []
    for i in range(n):
        try:
            best, covariance = curve_fit(CURVES[kind], DELAY, signal[:, i], truth[i], xtol=1e-13, ftol=1e-13)
        except RuntimeError:
            continue
        squares = np.sum((signal[:, i] - CURVES[kind](DELAY, *best)) ** 2)
        excess.append(fits.ssr[i] / squares - 1)
        if fits.converged[i] and abs(excess[-1]) < 1e-6:  # the same optimum
            off.append(abs(fits.parameters["t1"][i] - best[2]) / np.sqrt(covariance[2, 2]))
    return max(off), max(excess), int(np.sum(np.array(excess) > 1e-4)), int(np.sum(~fits.converged))


def memory(n):
    """Peak of memory beside the input, over the input."""
    signal, _ = draw("single", n)
    tracemalloc.start()
    fit_traces(DELAY, signal)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / signal.nbytes


def best_of(function, size, rounds=9):
    """Nanoseconds an element."""
    return 1e9 * min(seconds(function) for _ in range(rounds)) / size


def limit():
    """What a trace costs at least [ns]: the product of matrices, 32 exponentials and one reading of the signal."""
    rng = np.random.default_rng(3)
    width, nodes = 1024, 64
    units, block, big = rng.random((nodes, 16)), rng.random((16, width)), rng.random(4_000_000)
    product, small, out = np.empty((nodes, width)), rng.random(width * 16), np.empty(width * 16)

    def repeated(function):
        return lambda: [function() for _ in range(200)]

    flop = 2 * 16 * nodes * width * 200
    gemm = best_of(repeated(lambda: np.matmul(units, block, out=product)), flop)
    exponential = best_of(repeated(lambda: np.exp(small, out=out)), small.size * 200)
    read = best_of(big.sum, big.nbytes)
    return gemm, exponential, read, 2 * 16 * nodes * gemm + 32 * exponential + 128 * read


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few traces and rounds")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rounds = 2 if chosen.quick else 5
    versions = {name: installed(name) for name in PEERS}
    loops = {"curve_fit": loop_curve_fit}
    more = {"lmfit": loop_lmfit, "dnplab": loop_dnplab, "ionhop": loop_ionhop}
    peers = {name: loop for name, loop in more.items() if versions[name]}
    said = ", ".join(f"{name} {number or 'not installed'}" for name, number in versions.items())
    lines = [
        "# T1 of many traces",
        "",
        "`python benchmarks/t1_fits.py`",
        "",
        f"One core ({platform.machine()}), one thread, Python {platform.python_version()}, numpy {np.__version__}, "
        f"{said}. 16 delays, random T1, amplitude, depth and noise (SNR 20 to 200; two exponentials 100 to 1,000). "
        f"Best of {rounds} rounds in turn, time of the processor.",
        "",
        "## Against loops",
        "",
        "| model | traces | µs a trace | over curve_fit | " + " | ".join(f"over {name}" for name in peers) + " |",
        "|---|---|---|---|" + "---|" * len(peers),
    ]
    sizes = (1, 100, 10_000) if chosen.quick else (1, 100, 10_000, 100_000)
    races = [("single", n, loops | peers) for n in sizes]
    races += [(kind, 1_000 if chosen.quick else 10_000, loops) for kind in ("stretched", "bi")]
    for kind, n, entered in races:
        best = race(kind, n, entered, rounds)
        ratios = [f"{best[name] / best['nmrdyn']:.3g}" if name in best else "" for name in ["curve_fit", *peers]]
        lines.append(f"| {kind} | {n} | {1e6 * best['nmrdyn']:.3g} | {' | '.join(ratios)} |")
        print(lines[-1])
    lines += ["", "## The optimum", ""]
    lines += [
        "| model | traces | largest difference to curve_fit / standard errors | largest excess of squares | "
        "excess above 1e-4 | without T1 |",
        "|---|---|---|---|---|---|",
    ]
    for kind in CURVES:
        n = 100 if chosen.quick else 1_500
        off, excess, worse, failed = accuracy(kind, n)
        lines.append(f"| {kind} | {n} | {off:.1e} | {excess:.1e} | {worse} | {failed} |")
        print(lines[-1])
    lines += [
        "",
        "## Growth of the single exponential",
        "",
        "| traces | µs a trace | extra memory / input |",
        "|---|---|---|",
    ]
    for n in [10**k for k in range(6 if chosen.quick else 7)]:
        taken = race("single", n, {}, max(1, rounds // 2))["nmrdyn"]
        lines.append(f"| {n} | {1e6 * taken:.3g} | {memory(n):.2f} |")
        print(lines[-1])
    gemm, exponential, read, least = limit()
    best = race("single", 100_000, {}, rounds)["nmrdyn"] * 1e9
    lines += [
        "",
        "## The limit",
        "",
        f"Product of matrices {1 / gemm:.1f} Gflop/s, exponential {exponential:.2f} ns, memory {1 / read:.1f} GB/s. A "
        f"grid of 64 starts, two passes of 16 exponentials and one reading of the signal would take {least:.0f} ns a "
        f"trace; nmrdyn takes {best:.0f} ns, {best / least:.1f} times that: the rest are products and sums in "
        "the cache.",
    ]
    print("\n".join(lines[-2:]))
    chosen.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
