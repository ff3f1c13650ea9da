"""Simulation-based calibration: how often the intervals of `infer` hold the truth, over many kinds of studies.

    python benchmarks/calibration.py [--scenario NAME ...] [--studies 1000] [--emcee 250] [--jobs 2] [--minutes M]

Every study is simulated and inferred with its own seed, by the importance sampler that weighs the branches, and the
first ones by emcee too. Rows are added to calibration.csv in `--out` as studies end; what stands there is not done
again, so that a stopped run goes on where it stopped. Then the table and the figure are made of all rows there are.
A study that raises is a row that says so, and counts as failed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from sbc import results
from sbc.posteriors import METHODS, Draws, search
from sbc.scenarios import SCENARIOS, Quantity, study
from sbc.uniformity import thinned_rank, weighted_rank

OUT = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Task:
    """One study, and the methods that are still to infer it."""

    scenario: str
    seed: int
    methods: tuple[str, ...]


def pending(scenarios: Sequence[str], seeds: dict[str, Iterable[int]], done: set[tuple[str, str, int]]) -> list[Task]:
    """The tasks that are left, all scenarios in turn, so that a run that stops leaves as many of each."""
    wanted = {method: list(each) for method, each in seeds.items()}
    tasks = []
    for seed in dict.fromkeys(itertools.chain(*wanted.values())):
        for scenario in scenarios:
            methods = tuple(
                method for method, each in wanted.items() if seed in each and (scenario, method, seed) not in done
            )
            if methods:
                tasks.append(Task(scenario, seed, methods))
    return tasks


def infer_study(task: Task) -> list[results.Row]:
    """The rows of one study: one a method and quantity, or one that says why a method failed."""
    rows = []
    began = time.process_time()
    try:
        made = study(task.scenario, task.seed)
        began = time.process_time()  # simulating is not inferring
        found = search(made.processes, probes=made.probes, priors=made.priors, seed=task.seed)
    except Exception as error:  # whatever it is, it is counted
        return [_failure(task, method, error) for method in task.methods]
    searched = time.process_time() - began
    for method in task.methods:
        began = time.process_time()
        try:
            draws = METHODS[method](found)
            seconds = searched + time.process_time() - began
            rows += [_row(task, method, name, one, draws, seconds) for name, one in made.quantities.items()]
        except Exception as error:
            rows.append(_failure(task, method, error))
    return rows


def _row(task: Task, method: str, name: str, quantity: Quantity, draws: Draws, seconds: float) -> results.Row:
    values = draws.draws[:, draws.names.index(quantity.of)]
    if quantity.less:
        values = values - draws.draws[:, draws.names.index(quantity.less)]
    mean = float(draws.weight @ values)
    sd = float(np.sqrt(draws.weight @ (values - mean) ** 2))
    if draws.chain:
        rank = thinned_rank(values, quantity.truth, np.random.default_rng(task.seed))
    else:
        rank = weighted_rank(values, draws.weight, quantity.truth)
    return results.Row(task.scenario, method, task.seed, name, quantity.truth, mean, sd, rank, seconds, draws.doubt)


def _failure(task: Task, method: str, error: Exception) -> results.Row:
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return results.Row(task.scenario, method, task.seed, note=said)


def finished(tasks: Iterable[Task], jobs: int) -> Iterator[list[results.Row]]:
    """The rows of each study as it ends, by `jobs` processes; tasks are taken as they are needed."""
    if jobs == 1:
        yield from map(infer_study, tasks)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started here
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        under_way: set[Future[list[results.Row]]] = set()
        for task in tasks:
            under_way.add(pool.submit(infer_study, task))
            if len(under_way) > jobs:
                ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ended)
        yield from (future.result() for future in wait(under_way).done)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), metavar="NAME")
    parser.add_argument("--studies", type=int, default=1000, help="of each scenario, by importance sampling")
    parser.add_argument("--emcee", type=int, default=250, help="of each scenario, by emcee")
    parser.add_argument("--seed", type=int, default=1, help="of the first study; the next have the next")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--minutes", type=float, default=np.inf, help="start no study after this time")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of calibration.csv, .md and .svg")
    options = parser.parse_args(arguments)

    options.out.mkdir(parents=True, exist_ok=True)
    table = options.out / "calibration.csv"
    done = results.load(table)
    known = set(zip(done["scenario"], done["method"], done["seed"], strict=True))
    counts = {"importance": options.studies, "emcee": options.emcee}
    seeds = {method: range(options.seed, options.seed + count) for method, count in counts.items()}
    tasks = pending(options.scenario, seeds, known)
    print(f"{len(tasks)} studies to do")
    end = time.monotonic() + 60 * options.minutes
    in_time = itertools.takewhile(lambda _: time.monotonic() < end, tasks)
    for number, rows in enumerate(finished(in_time, options.jobs), start=1):
        results.append(table, rows)
        if number % 100 == 0:
            print(f"{number} of {len(tasks)}", flush=True)

    page = results.write(options.out, "python benchmarks/calibration.py")
    print(page)


if __name__ == "__main__":
    main()
