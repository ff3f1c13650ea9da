"""How often barriers of conductivities and resistances of spectra hold the truth, and what is called a transition.

    python benchmarks/conductivity.py [--lines 2000] [--breaks 400] [--pellets 400]

Straight lines of barrier 0.5 eV between 290 and 350 K with scatter in ln(sigma T); lines with and without a jump at
313 K, of which `find_break` tells one at 1 %; and impedance spectra of pellets of all sizes of bulk and grain
boundaries, ranges of frequency and noise, with the circuit that "auto" takes.
Writes benchmarks/results/conductivity.md.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import xarray as xr

from nmrdyn.conductivity.impedance.fit import fit_impedance
from nmrdyn.conductivity.lines import straight_lines
from nmrdyn.conductivity.transition import find_break
from nmrdyn.schema import BOLTZMANN_EV, stamp

RESULT = Path(__file__).parent / "results" / "conductivity.md"
BARRIER = 0.5  # eV
SCATTERS = {"2 %": (0.02, 0.02), "20 %": (0.2, 0.2), "1 to 10 %": (0.01, 0.1)}
JUMPS = ((6, 0, 0.0), (9, 0, 0.0), (3, 6, 4.6), (3, 3, 4.6), (4, 8, 1.0), (4, 8, 0.5))


def said(which: np.ndarray) -> str:
    """A share in per cent with its Monte Carlo error."""
    share = np.mean(which)
    return f"{100 * share:.1f} ± {100 * np.sqrt(share * (1 - share) / which.size):.1f}"


def transport(kelvin: np.ndarray, log_sigma_t: np.ndarray) -> xr.Dataset:
    """Stage `transport` of samples (sample, temperature)."""
    n, points = log_sigma_t.shape
    sigma = np.exp(log_sigma_t) / kelvin
    each = {"temperature": np.tile(kelvin, n), "temperature_stderr": np.full(n * points, np.nan)}
    each |= {"sample": np.repeat(np.arange(n).astype(str), points), "direction": np.full(n * points, "")}
    data = xr.Dataset(
        {
            "conductivity": ("experiment", sigma.ravel()),
            "conductivity_stderr": ("experiment", np.full(sigma.size, np.nan)),
        },
        coords={name: ("experiment", values) for name, values in each.items()}
        | {"experiment": np.arange(sigma.size).astype(str), "part": "total"},
    )
    return stamp(data, "transport")


def lines_table(n: int) -> list[str]:
    rows = [
        "| points | scatter of ln(sigma T) | 95 % interval holds the barrier of sigma T | called crooked |",
        "|---|---|---|---|",
    ]
    for number, (points, (scatter, (least, most))) in enumerate((p, s) for p in (4, 6, 10) for s in SCATTERS.items()):
        rng = np.random.default_rng([1, number])
        kelvin = np.linspace(290, 350, points)
        error = np.exp(rng.uniform(np.log(least), np.log(most), (n, points)))
        log_value = 10 - BARRIER / (BOLTZMANN_EV * kelvin) + error * rng.standard_normal((n, points))
        found = straight_lines(transport(kelvin, log_value))
        low, high = (found[f"activation_energy_{end}"].sel(convention="sigma_T").values for end in ("low", "high"))
        held = (low <= BARRIER) & (high >= BARRIER)
        rows.append(f"| {points} | {scatter} | {said(held)} | {said(~found['straight'].values)} |")
        print(rows[-1], flush=True)
    return rows


def breaks_table(n: int) -> list[str]:
    rows = ["| points below, above | jump in ln(sigma T) | scatter | transition found |", "|---|---|---|---|"]
    for number, (below, above, jump) in enumerate(JUMPS):
        rng = np.random.default_rng([2, number])
        low = np.linspace(285, 310, below) if above else np.linspace(290, 350, below)
        kelvin = np.concatenate([low, np.linspace(316, 345, above)])
        rise = np.where(np.arange(kelvin.size) >= below, jump, 0.0) - BARRIER / (BOLTZMANN_EV * kelvin)
        noisy = rise + 0.1 * rng.standard_normal((n, kelvin.size))
        found = np.array([find_break(kelvin, one, seed=k) is not None for k, one in enumerate(noisy)])
        where = f"{below}, {above}" if above else f"{below}, no transition"
        rows.append(f"| {where} | {jump:g} | 10 % | {said(found)} |")
        print(rows[-1], flush=True)
    return rows


def pellet(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Frequencies, a noisy spectrum, and the resistances of bulk and grain boundaries of a pellet of any kind."""
    frequency = np.geomspace(10 ** rng.uniform(6, 7), 10 ** rng.uniform(-1, 2), int(rng.integers(30, 71)))
    s = 2j * np.pi * frequency
    bulk = 10 ** rng.uniform(2, 8)
    boundary = bulk * 10 ** rng.uniform(-1, 1.5) if rng.random() < 0.7 else 0.0
    z = 1 / (10 ** rng.uniform(-7, -5) * s ** rng.uniform(0.75, 0.95))
    for resistance, capacitance, alpha in (
        (bulk, 10 ** rng.uniform(-11.7, -10.7), rng.uniform(0.9, 1.0)),
        (boundary, 10 ** rng.uniform(-9.7, -8.3), rng.uniform(0.8, 0.98)),
    ):
        if resistance:
            z = z + resistance / (1 + (s * resistance * capacitance) ** alpha)
    noise = 10 ** rng.uniform(-2.7, -1.7)
    z = z + noise * np.abs(z) * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size))
    return frequency, z, bulk, boundary


def impedance(frequency: np.ndarray, z: np.ndarray) -> xr.Dataset:
    """Stage `impedance` of one spectrum."""
    data = xr.Dataset(
        {
            "impedance_real": (("experiment", "point"), z.real[None]),
            "impedance_imaginary": (("experiment", "point"), z.imag[None]),
        },
        coords={
            "experiment": ["pellet"],
            "temperature": ("experiment", [300.0]),
            "temperature_stderr": ("experiment", [np.nan]),
            "direction": ("experiment", [""]),
            "frequency": (("experiment", "point"), frequency[None]),
        },
    )
    return stamp(data, "impedance")


def spectra_table(n: int) -> list[str]:
    rng = np.random.default_rng(3)
    scores: dict[str, list[float]] = {"total": [], "bulk": []}
    wrong_limits, refused = 0, 0
    for _ in range(n):
        frequency, z, bulk, boundary = pellet(rng)
        found = fit_impedance(impedance(frequency, z)).isel(experiment=0)
        total = bulk + boundary
        if np.isnan(found["resistance"]):
            refused += 1
            wrong_limits += not (
                float(found["resistance_low"]) <= 1.1 * total and 0.9 * total <= float(found["resistance_high"])
            )
        for part, name, truth in (("total", "resistance", total), ("bulk", "bulk_resistance", bulk)):
            if name in found and np.isfinite(found[name]):
                scores[part].append(float((found[name] - truth) / found[f"{name}_stderr"]))
    rows = ["| resistance | given | within 1 error | within 1.96 | beyond 3 |", "|---|---|---|---|---|"]
    for part, score in scores.items():
        z_score = np.abs(score)
        shares = " | ".join(said(z_score < limit) for limit in (1.0, 1.96))
        rows.append(f"| {part} | {len(score)} of {n} | {shares} | {said(z_score > 3)} |")
    rows += [
        "",
        f"Of the {refused} without a total, {wrong_limits} have a limit that the truth is beyond by over 10 %.",
    ]
    print("\n".join(rows), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--breaks", type=int, default=400)
    parser.add_argument("--pellets", type=int, default=400)
    options = parser.parse_args()
    began = time.perf_counter()
    text = [
        "# How often barriers of conductivities and resistances of spectra hold the truth",
        "",
        f"`python benchmarks/conductivity.py`: {options.lines:,} lines, {options.breaks:,} series and "
        f"{options.pellets:,} pellets. In per cent, with Monte Carlo errors. Lines are unweighted, with errors from "
        "their residuals and Student's t; a transition is looked for at 1 %.",
        "",
        *lines_table(options.lines),
        "",
        *breaks_table(options.breaks),
        "",
        *spectra_table(options.pellets),
    ]
    RESULT.write_text("\n".join(text) + "\n", encoding="utf-8")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
