"""How often 95 % intervals of T1 hold the truth, over simulated recoveries of few and of short delays.

    python benchmarks/t1_intervals.py [--traces 20000] [--fitted 2000]

Single exponentials of T1 = 1 s at a signal-to-noise ratio of 20, delays from 0.05 s to 5 or 1.5 T1, saturated or
inverted, with the noise measured with 40 degrees of freedom or told by the residuals alone. Beside `t1_interval`, of
the first traces only, stand scipy's curve_fit with 1.96 standard errors and `fit_recovery` with Student's t; these say
nothing where they find no T1, and are counted over the others. Writes benchmarks/results/t1_intervals.md.
"""

import argparse
import itertools
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.stats import t as student_t

import nmrdyn as nd
from nmrdyn.recovery.interval import t1_interval
from nmrdyn.schema import STAGES, stamp

SNR, DOF = 20.0, 40
RESULT = Path(__file__).parent / "results" / "t1_intervals.md"


@dataclass(frozen=True)
class Design:
    """What is measured; T1 is 1 s."""

    rows: int
    reach: float
    depth: float
    measured: bool

    @property
    def delay(self) -> np.ndarray:
        return np.geomspace(0.05, self.reach, self.rows)


DESIGNS = [
    Design(rows, reach, depth, measured)
    for reach, depth, measured, rows in itertools.product((5.0, 1.5), (1.0, 2.0), (False, True), (5, 6, 8, 16))
]


def simulated(design: Design, n: int, *, rng: np.random.Generator) -> xr.Dataset:
    """Stage `recovery` of n traces."""
    size = (n, design.rows)
    signal = 1 - design.depth * np.exp(-design.delay) + rng.standard_normal(size) / SNR
    noise = np.sqrt(rng.chisquare(DOF, n) / DOF) / SNR if design.measured else np.full(n, np.nan)
    kind = "inversion_recovery" if design.depth == 2 else "saturation_recovery"
    each = {"temperature": 300.0, "temperature_stderr": np.nan, "larmor_frequency": 1e8, "noise_dof": float(DOF)}
    each |= {"rows_recorded": design.rows, "rows_planned": design.rows, "kind": kind}
    each |= {"pulse_program": "simulated", "reason": ""}
    values = {name: np.full(n, value, dtype=object if isinstance(value, str) else None) for name, value in each.items()}
    recovery = xr.Dataset(
        {
            "signal": (("experiment", "increment"), signal),
            "signal_stderr": (("experiment", "increment"), np.broadcast_to(noise[:, None], size)),
        },
        coords={name: ("experiment", value) for name, value in values.items()}
        | {"experiment": np.arange(n).astype(str)}
        | {"delay": (("experiment", "increment"), np.broadcast_to(design.delay, size))},
    )
    return stamp(recovery, "recovery", nucleus="1H")


def unfitted(recovery: xr.Dataset, model: str) -> xr.Dataset:
    """Stage `relaxation` that names the model only: the profile likelihood does not need a fit."""
    n = recovery.sizes["experiment"]
    numbers = dict.fromkeys(("t1", "t1_stderr", "t1_dof", "depth"), np.nan)
    each = numbers | {"error_scaled": False, "model": model}
    relaxation = xr.Dataset({name: ("experiment", np.full(n, value)) for name, value in each.items()})
    return stamp(relaxation.assign_coords({name: recovery[name] for name in STAGES["relaxation"].coords}), "relaxation")


def held(interval: np.ndarray) -> np.ndarray:
    """Which intervals (trace, bound) hold the truth."""
    return (interval[:, 0] <= 1) & (interval[:, 1] >= 1)


def by_curve_fit(recovery: xr.Dataset) -> np.ndarray:
    """T1 of scipy's curve_fit, with 1.96 standard errors."""

    def curve(delay: np.ndarray, amplitude: float, loss: float, t1: float) -> np.ndarray:
        return amplitude - loss * np.exp(-delay / t1)

    interval = np.full((recovery.sizes["experiment"], 2), np.nan)
    for i, (delay, signal) in enumerate(zip(recovery["delay"].values, recovery["signal"].values, strict=True)):
        with warnings.catch_warnings(), np.errstate(over="ignore"):
            warnings.simplefilter("ignore", OptimizeWarning)
            try:
                best, covariance = curve_fit(curve, delay, signal, p0=(signal.max(), np.ptp(signal), delay.max() / 3))
            except RuntimeError:
                continue
        interval[i] = best[2] + 1.96 * np.sqrt(covariance[2, 2]) * np.array([-1, 1])
    return interval


def table(traces: int, fitted: int) -> list[str]:
    lines = [
        "| rows | last delay | prepared | noise | `t1_interval` | open above | curve_fit, 1.96 se | with T1 "
        "| t1 ± t se | `t1_interval`, with T1 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for number, design in enumerate(DESIGNS):
        recovery = simulated(design, traces, rng=np.random.default_rng([1, number]))
        interval = t1_interval(recovery, unfitted(recovery, "single")).values
        some = recovery.isel(experiment=slice(fitted))
        plain = by_curve_fit(some)
        fit = nd.fit_recovery(some, "single")
        t1 = fit["t1"].values[:, None]
        reach = fit["t1_stderr"].values[:, None] * student_t.ppf(0.975, fit["t1_dof"].values)[:, None]
        found = np.isfinite(fit["t1"].values)
        counts = (
            held(plain)[np.isfinite(plain[:, 0])],
            held(np.hstack([t1 - reach, t1 + reach]))[found],
            held(t1_interval(some, fit).values)[found],
        )
        lines.append(
            f"| {design.rows} | {design.reach:g} T1 | {'inverted' if design.depth == 2 else 'saturated'} "
            f"| {'measured' if design.measured else 'residuals'} | {said(held(interval))} "
            f"| {100 * np.isinf(interval[:, 1]).mean():.0f} % | {said(counts[0])} | {100 * found.mean():.0f} % "
            f"| {said(counts[1])} | {said(counts[2])} |"
        )
        print(lines[-1], flush=True)
    return lines


def said(which: np.ndarray) -> str:
    """A share in per cent with its Monte Carlo error."""
    share = which.mean()
    return f"{100 * share:.1f} ± {100 * np.sqrt(share * (1 - share) / which.size):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=20_000)
    parser.add_argument("--fitted", type=int, default=2000)
    options = parser.parse_args()
    began = time.perf_counter()
    lines = table(options.traces, options.fitted)
    head = [
        "# How often 95 % intervals of T1 hold the truth",
        "",
        f"`python benchmarks/t1_intervals.py`: {options.traces:,} recoveries a row for `t1_interval`, "
        f"{options.fitted:,} of them fitted. Signal-to-noise ratio {SNR:g}; noise measured with {DOF} degrees of "
        'freedom or told by the residuals alone. In per cent, with Monte Carlo errors; "with T1" is the share that '
        "`fit_recovery` gives a T1, and the columns after it count those alone: where few rows tell the noise, the fit "
        "accepts those with small residuals, and so a selection.",
        "",
    ]
    RESULT.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
