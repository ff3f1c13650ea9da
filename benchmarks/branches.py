"""The probability of each branch, by our mixture importance sampling and by plain importance sampling from the prior.

    python benchmarks/branches.py [--error 0.002] [--most 60000000] [--case NAME]

Each study has two modes or more: T1 near its minimum, temperatures 1 to 2 K apart, weak data. Recoveries are simulated
and go the usual way to the joint model. Plain sampling draws from the prior, at least a million times and until the
Monte Carlo error of every probability is `--error`; it uses nothing of ours but the density. Ours runs with five seeds;
its largest deviation and its median time are shown. Writes benchmarks/results/branches.md.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import nmrdyn as nd
from nmrdyn.inference.importance import draw_prior
from nmrdyn.inference.measurements import measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import find_modes
from nmrdyn.inference.stages import stages_of

LARMOR = 132.32e6
SODIUM = {"nucleus": "23Na", "cq": 1e6, "eta": 0.1}
BATCH, LEAST = 500_000, 1_000_000
BRANCHES = ("slow", "fast", "crossing")


@dataclass(frozen=True)
class Case:
    """A study that hardly tells its branch: temperatures [K], SNR, omega tau_c at the first, seed."""

    temperature: tuple[float, ...]
    snr: float
    omega_tau: float
    seed: int
    point: float = 0.0


CASES = {
    "two temperatures 1 K apart": Case((333.0, 334.0), 30, 3.0, 2),
    "two temperatures 1.5 K apart": Case((333.0, 334.5), 20, 5.0, 1),
    "two temperatures 2 K apart": Case((333.0, 335.0), 10, 3.0, 1),
    "three temperatures, SNR 5": Case((333.0, 336.0, 339.0), 5, 5.0, 3),
    "three temperatures, SNR 10": Case((333.0, 336.0, 339.0), 10, 0.2, 1),
    "three temperatures, each known to 0.3 K": Case((333.0, 334.5, 336.0), 20, 5.0, 4, point=0.3),
    "at the minimum, SNR 10": Case((333.0, 338.0, 343.0), 10, 0.6158, 2),
    "across the minimum, SNR 20": Case((313.0, 323.0, 333.0, 343.0, 353.0), 20, 1.0, 4),
}


def model_of(case: Case) -> JointModel:
    """The joint model of the barrier and tau0 alone."""
    truth = nd.RelaxationTruth(
        larmor_frequency=LARMOR,
        snr=case.snr,
        activation_energy=0.45,
        tau_c=case.omega_tau / (2 * np.pi * LARMOR),
        reference_temperature=case.temperature[0],
        temperature=case.temperature,
        **SODIUM,
    )
    process = nd.Process(
        "hop",
        nd.simulate(truth, seed=case.seed),
        recovery=nd.SingleExponential(),
        mechanism=nd.BPP(**SODIUM),
        probe="oven",
    )
    probes = {"oven": nd.Probe(name="oven", point=case.point)}
    return JointModel([measurements(process, stages_of(process, probes))], probes, {"hop.scatter": 0.0})


def branch(model: JointModel, theta: np.ndarray) -> np.ndarray:
    """Which branch each draw is on (draw,): 0 slow throughout, 1 fast throughout, 2 with the minimum in the range."""
    one = model.data[0]
    barrier, log10_tau0 = theta[:, :1], theta[:, 1:2]
    log_tau = log10_tau0 * np.log(10) + barrier / (8.617333262e-5 * one.temperature)
    slow = log_tau > np.log(nd.BPP(**SODIUM).turning_point(LARMOR)[0])
    return np.where(slow.all(axis=1), 0, np.where(~slow.any(axis=1), 1, 2))


def shares(label: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.bincount(label, weight, 3) / weight.sum()


def from_prior(model: JointModel, error: float, most: int) -> tuple[np.ndarray, np.ndarray, int, float]:
    """Probabilities of the branches, their Monte Carlo errors, the draws and the time [s]."""
    rng, begin = np.random.default_rng(7), time.perf_counter()
    top, draws = -np.inf, 0
    first, second = np.zeros(3), np.zeros(3)  # sums of weights and of their squares, by branch
    while True:
        theta = draw_prior(model, BATCH, rng)
        log_weight = model.log_likelihood(theta)
        log_weight = np.where(np.isnan(log_weight), -np.inf, log_weight)
        higher = max(top, log_weight.max())
        first, second = first * np.exp(top - higher), second * np.exp(2 * (top - higher))
        top, weight, label = higher, np.exp(log_weight - higher), branch(model, theta)
        first, second = first + np.bincount(label, weight, 3), second + np.bincount(label, weight**2, 3)
        draws += BATCH
        p = first / first.sum()
        inside = (1 - p) ** 2 * second + p**2 * (second.sum() - second)
        found = np.sqrt(inside) / first.sum()
        if draws >= LEAST and (found.max() <= error or draws >= most):
            return p, found, draws, time.perf_counter() - begin


def compared(name: str, case: Case, options: argparse.Namespace) -> str:
    """A row of the table."""
    model = model_of(case)
    exact, error, draws, taken = from_prior(model, options.error, options.most)
    ours, times, effective = [], [], []
    for seed in range(5):
        begin = time.perf_counter()
        modes = find_modes(model, np.random.default_rng(seed))
        times.append(time.perf_counter() - begin)
        ours.append(shares(branch(model, modes.draws), modes.draw_weight))
        effective.append(modes.effective_draws)
    deviation = np.abs(np.array(ours) - exact).max()
    row = [name, *(f"{a:.4f} / {b:.4f}" for a, b in zip(ours[0], exact, strict=True)), f"{error.max():.4f}"]
    row += [f"{deviation:.4f}", f"{draws / 1e6:.1f}", f"{taken:.0f}", f"{np.median(effective):.0f}"]
    row += [f"{np.median(times):.2f}"]
    return f"| {' | '.join(row)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--error", type=float, default=0.002)
    parser.add_argument("--most", type=int, default=60_000_000)
    parser.add_argument("--case", choices=CASES)
    options = parser.parse_args()
    head = [*BRANCHES, "error of plain", "largest deviation of ours", "plain draws / 1e6", "plain / s"]
    head += ["effective draws of ours", "ours / s"]
    lines = [f"| study | {' | '.join(head)} |", "|" + "---|" * (len(head) + 1)]
    for name in [options.case] if options.case else CASES:
        lines.append(compared(name, CASES[name], options))
        print(lines[-1], flush=True)
    text = "\n".join(
        [
            "# Probability of each branch\n",
            "Ours with the first seed / plain importance sampling from the prior.\n",
            *lines,
            "",
        ]
    )
    if not options.case:
        results = Path(__file__).parent / "results"
        results.mkdir(exist_ok=True)
        (results / "branches.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")


if __name__ == "__main__":
    main()
