"""How cost grows with temperatures, walkers and processes, in time and in memory."""

import time
import tracemalloc
from dataclasses import replace

import numpy as np

from nmrdyn.inference.modes import find_modes
from speed.race import Ours, autocorrelation
from speed.studies import joint_model, t1_tables

HALF = 64  # emcee moves one half of 128 walkers at a time


def near(model, walkers):
    """Parameters (walker, parameter) about the truth, as far apart as a posterior of ten temperatures."""
    rng = np.random.default_rng(7)
    theta = np.empty((walkers, len(model.parameters)))
    for k, (name, prior) in enumerate(model.priors.items()):
        quantity = name.rsplit(".", 1)[1]
        if quantity == "log10_tau0":
            theta[:, k] = -15.0 + 0.05 * rng.standard_normal(walkers)
        elif quantity == "activation_energy":
            theta[:, k] = 0.45 + 0.005 * rng.standard_normal(walkers)
        else:
            theta[:, k] = np.abs(prior.draw(walkers, rng))
    return theta


def evaluation(models, *, walkers, effort):
    """Time [s] and peak memory [bytes] of an evaluation of `walkers` walkers at once, by the keys of `models`."""
    thetas = {key: near(model, walkers) for key, model in models.items()}
    times = {key: [] for key in models}
    repeats = {}
    for key, model in models.items():
        began = time.process_time()
        model(thetas[key])
        repeats[key] = max(1, int(effort.seconds / 4 / (time.process_time() - began)))
    for _ in range(effort.rounds):
        for key, model in models.items():
            began = time.process_time()
            for _ in range(repeats[key]):
                model(thetas[key])
            times[key].append((time.process_time() - began) / repeats[key])
    peaks = {}
    for key, model in models.items():
        tracemalloc.start()
        model(thetas[key])
        peaks[key] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return {key: float(np.median(value)) for key, value in times.items()}, peaks


def with_temperatures(counts, *, folder, effort):
    """Table, and evaluations per second in the fast mode by the number of temperatures."""
    studies = {n: t1_tables(n, folder=folder) for n in counts}
    likelihoods = ("t1", "fast")
    models = {(n, kind): joint_model(studies[n], likelihood=kind) for n in counts for kind in likelihoods}
    seconds, peaks = evaluation(models, walkers=HALF, effort=effort)
    lines = [
        "| temperatures | quadrature: evaluations a second | ns a row | MB | fast: evaluations a second | ns a row "
        "| MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for n in counts:
        cells = [
            f"{HALF / seconds[n, kind]:.0f} | {1e9 * seconds[n, kind] / HALF / n:.0f} | {peaks[n, kind] / 1e6:.1f}"
            for kind in likelihoods
        ]
        lines.append(f"| {n} | {' | '.join(cells)} |")
    return lines, {n: HALF / seconds[n, "fast"] for n in counts}


def with_walkers(counts, *, folder, effort):
    """Table for ten temperatures."""
    model = joint_model(t1_tables(10, folder=folder), likelihood="t1")
    lines = ["| walkers at once | evaluations a second | µs a walker | MB |", "|---|---|---|---|"]
    for n in counts:
        seconds, peaks = evaluation({n: model}, walkers=n, effort=effort)
        lines.append(f"| {n} | {n / seconds[n]:.0f} | {1e6 * seconds[n] / n:.1f} | {peaks[n] / 1e6:.1f} |")
    return lines


def with_processes(counts, *, folder, effort):
    """Table for processes of ten temperatures each in the fast mode, which share their runs, of one run each."""
    effort = replace(effort, enough=0)  # with many parameters, 200 autocorrelation times take minutes
    lines = [
        "| processes | parameters | search / s | walkers | autocorrelation time / steps | long run / that | "
        "ms a step | effective samples a second | evaluation: MB | draws of 1,000 steps: MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for n in counts:
        study = t1_tables(10, n, folder=folder)
        model = joint_model(study, likelihood="fast")
        began = time.process_time()
        modes = find_modes(model, np.random.default_rng(1))
        searched = time.process_time() - began
        ours = Ours(model, modes, study.barrier, effort)
        began = time.process_time()
        tau, kept = autocorrelation(ours, effort)
        step = (time.process_time() - began) / ours.chains.steps
        peak = evaluation({n: model}, walkers=ours.walkers // 2, effort=effort)[1][n]
        stored = 8e-3 * ours.walkers * (len(model.parameters) + 1)
        lines.append(
            f"| {n} | {len(model.parameters)} | {searched:.1f} | {ours.walkers} | {tau:.1f} | {kept:.0f} | "
            f"{1e3 * step:.2f} | {ours.walkers / tau / step:.0f} | {peak / 1e6:.1f} | {stored:.1f} |"
        )
    return lines
