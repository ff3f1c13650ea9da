"""Samplers against each other: autocorrelation times from long runs, time per step from short ones that take turns."""

import time
from dataclasses import dataclass

import numpy as np
from emcee.autocorr import integrated_time

from speed.peers import Emcee
from speed.studies import draw

BURN_IN = 5  # the first fifth of a long run is left out


@dataclass(frozen=True)
class Effort:
    """The share of its length that a long run has, how many autocorrelation times it must keep, and short runs.

    There are `rounds` of these, of `seconds` each.
    """

    share: float
    enough: float
    rounds: int
    seconds: float


class Ours:
    """nmrdyn's sampler as `infer` runs it, with its own start, moves, walkers and diagnostics."""

    length = 3_000

    def __init__(self, model, modes, barrier, effort):
        self.model, self.modes = model, modes
        self.block = round(1_000 * effort.share)  # of fewer steps, start and diagnostics would be the most
        self.column = model.parameters.index(barrier)
        self.run(50)

    def run(self, steps):
        self.chains = draw(self.model, self.modes, steps=steps, to_the_end=True)
        self.walkers = self.chains.walkers

    def starts(self, walkers):
        """Draws of the posterior (walker, parameter), from which the peers start too."""
        chosen = np.random.default_rng(5).choice(len(self.modes.draws), walkers, p=self.modes.draw_weight)
        return self.modes.draws[chosen]


def autocorrelation(contender, effort):
    """Autocorrelation time [steps] of the barrier, and how many of them the run kept: enough, or it is made longer."""
    block = getattr(contender, "block", 1)
    steps = block * int(np.ceil(effort.share * contender.length / block))
    while True:
        contender.run(steps)
        if isinstance(contender, Ours):
            kept, tau = contender.chains.kept, float(contender.chains.autocorrelation_time[contender.column])
        else:
            chain = contender.barrier[steps // BURN_IN :]
            kept, tau = len(chain), float(integrated_time(chain, tol=0, quiet=True)[0])
        if kept >= effort.enough * tau:
            return tau, kept / tau
        steps = block * int(np.ceil(1.2 * steps * effort.enough * tau / kept / block))


def interleaved(contenders, effort):
    """Time per step [s] (round,) of each contender by its name; every round begins with another one."""
    steps = {}
    for name, one in contenders.items():
        block = getattr(one, "block", 20)
        steps[name] = block * max(1, round(effort.seconds / timed(one, block) / block))
    found = {name: np.empty(effort.rounds) for name in contenders}
    for k in range(effort.rounds):
        for name in np.roll(np.array(list(contenders), dtype=object), -k):
            found[name][k] = timed(contenders[name], steps[name])
    return found


def timed(contender, steps):
    """Seconds of the processor a step; other work on the machine does not count."""
    began = time.process_time()
    contender.run(steps)
    return (time.process_time() - began) / steps


@dataclass(frozen=True)
class Result:
    """Of one contender: autocorrelation time [steps], how many the long run kept, time per step [s] (round,)."""

    walkers: int
    tau: float
    kept: float
    step: np.ndarray

    @property
    def rate(self):
        """Effective samples of the barrier per second (round,)."""
        return self.walkers / self.tau / self.step


def race(contenders, effort, *, chain_of):
    """Results by name; `chain_of` names, for a contender, another one that makes the same chain in less time."""
    tau = {name: autocorrelation(one, effort) for name, one in contenders.items() if name not in chain_of}
    tau |= {name: tau[other] for name, other in chain_of.items()}
    step = interleaved(contenders, effort)
    return {name: Result(one.walkers, *tau[name], step[name]) for name, one in contenders.items()}


def as_table(results, base):
    """Markdown of results; ratios are those of each round to `base` in the same round."""
    lines = [
        "| sampler | walkers | autocorrelation time / steps | long run / that | ms a step | µs a step and walker | "
        "effective samples a second | ratio: median (rounds) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in results.items():
        step, ratio = np.median(one.step), one.rate / results[base].rate
        lines.append(
            f"| {name} | {one.walkers} | {one.tau:.1f} | {one.kept:.0f} | {1e3 * step:.2f} | "
            f"{1e6 * step / one.walkers:.1f} | {np.median(one.rate):.0f} | "
            f"{np.median(ratio):.1f} ({ratio.min():.1f} to {ratio.max():.1f}) |"
        )
    return lines


def trivial(dimension, walkers, moves):
    """emcee by itself: the same moves and walkers on a round normal distribution."""

    def target(x):
        return -0.5 * np.sum(x**2, axis=1)

    return Emcee(target, np.random.default_rng(6).standard_normal((walkers, dimension)), length=0, moves=moves)
