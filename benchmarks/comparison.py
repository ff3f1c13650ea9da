"""What other ways from the same data to a barrier make of it, and which folders each program reads.

    python benchmarks/comparison.py [--studies 500] [--kinisi 30] [--seed 1]

Barriers: ten recoveries on one branch, with temperatures that are exact, off by 2 K each, or by 2 K together as well.
From the same fits of T1 go a straight line through ln tau_c and a least-squares fit of BPP to ln T1, each with the
errors that its covariance gives, as spreadsheets and programs for VT series print them, either from the scatter of the
points or from the errors of T1 as they are; kinisi's posterior with 1/tau_c in place of its diffusion coefficient; and
nmrdyn, which is told the size of the errors of temperature. Counted is how often the 95 % interval holds the truth.

Folders: one expno as laboratories leave it, read by nmrdyn and by ionhop's loader, which is given the best phase of its
longest delay and the region of the line. Counted as read is a T1 within 5 % of the truth.

ionhop and kinisi are of the extra `bench`; what is not installed is left out. The table goes to results/comparison.md.
"""

import argparse
import contextlib
import importlib.util
import io
import tempfile
import warnings
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sbc.posteriors import by_importance, search
from scipy import optimize, stats
from speed.peers import Kinisi

import nmrdyn as nd
from nmrdyn.schema import BOLTZMANN_EV

RESULTS = Path(__file__).parent / "results" / "comparison.md"
LARMOR, CQ, ETA, ENERGY = 132.32e6, 1e6, 0.1, 0.45
KELVIN = np.linspace(288.15, 333.15, 10)
ERRORS = {"exact": (0.0, 0.0), "2 K each": (2.0, 0.0), "2 K each, 2 K together": (2.0, 2.0)}  # point, offset [K]
KINISI_STEPS, KINISI_BURN = 800, 300
DAMAGE = (
    "whole", "cut:9", "torn:9", "zeros:6", "hole:5", "longer:2", "shorter:2", "units",
    "neo", "xwinnmr", "topspin1", "2rr alone", "one expno a delay", "zip",
)  # fmt: skip


def truth(kelvin, *, error=0.0, snr=100.0):
    return nd.RelaxationTruth(
        nucleus="23Na", larmor_frequency=LARMOR, cq=CQ, eta=ETA, activation_energy=ENERGY, tau_c=1e-6,
        reference_temperature=310.0, temperature=kelvin, temperature_error=error, snr=snr,
    )  # fmt: skip


def straight_line(relaxation, mechanism):
    """95 % interval of the barrier [eV] from a straight line through ln tau_c of the true branch."""
    tau = mechanism.correlation_times(relaxation["t1"].values, LARMOR)[1]
    relative = (relaxation["t1_stderr"] / relaxation["t1"]).values
    inverse = 1 / (BOLTZMANN_EV * relaxation["temperature"].values)
    found, covariance = np.polyfit(inverse, np.log(tau), 1, w=1 / relative, cov=True)
    return interval(found[0], np.sqrt(covariance[0, 0]))


def least_squares(relaxation, mechanism, *, as_they_are):
    """95 % interval of the barrier [eV] from BPP fitted to ln T1, errors `as_they_are` or scaled by the scatter."""
    inverse = 1 / (BOLTZMANN_EV * relaxation["temperature"].values)
    middle = inverse.mean()
    relative = (relaxation["t1_stderr"] / relaxation["t1"]).values

    def model(x, energy, ln_tau):
        return -np.log(mechanism.rate(np.exp(ln_tau + energy * (x - middle)), LARMOR))

    start = (ENERGY, np.log(1e-6))
    found, covariance = optimize.curve_fit(
        model, inverse, np.log(relaxation["t1"].values), start, sigma=relative, absolute_sigma=as_they_are
    )
    return interval(found[0], np.sqrt(covariance[0, 0]))


def interval(value, error):
    reach = stats.t.isf(0.025, KELVIN.size - 2) * error
    return value - reach, value + reach


def kinisi(relaxation, mechanism):
    tau = mechanism.correlation_times(relaxation["t1"].values, LARMOR)[1]
    relative = (relaxation["t1_stderr"] / relaxation["t1"]).values
    fit = Kinisi(relaxation["temperature"].values, tau, relative)
    fit.run(KINISI_STEPS)
    return np.quantile(fit.barrier[KINISI_BURN:], [0.025, 0.975])


def nmrdyn(recovery, mechanism, *, point, offset, seed):
    hop = nd.Process("hop", recovery, mechanism=mechanism, recovery=nd.SingleExponential(), probe="vt")
    probe = nd.Probe(name="vt", point=point, offset=offset)
    found = by_importance(search([hop], probes=[probe], priors={}, seed=seed))
    draws = found.draws[:, list(found.names).index("hop.activation_energy")]
    order = np.argsort(draws)
    return np.interp([0.025, 0.975], np.cumsum(found.weight[order]), draws[order])


def barriers(studies, some, seed):
    """How many intervals of how many hold the truth, and their median width [meV], by way and kind of error."""
    mechanism = nd.BPP(nucleus="23Na", cq=CQ, eta=ETA)
    counts = {}
    for kind, (point, offset) in ERRORS.items():
        for study in range(studies):
            rng = np.random.default_rng([seed, study])
            error = rng.normal(0, 1, KELVIN.size) * point + rng.normal() * offset
            recovery = nd.simulate(truth(KELVIN, error=error), seed=seed * 100_000 + study)
            relaxation = nd.fit_recovery(recovery, nd.SingleExponential())
            found = {
                "straight line through ln tau_c, errors from the scatter": straight_line(relaxation, mechanism),
                "BPP fitted to T1, errors from the scatter": least_squares(relaxation, mechanism, as_they_are=False),
                "BPP fitted to T1, errors of T1": least_squares(relaxation, mechanism, as_they_are=True),
                "nmrdyn": nmrdyn(recovery, mechanism, point=point, offset=offset, seed=study),
            }
            if study < some:
                found[f"kinisi {version('kinisi')}"] = kinisi(relaxation, mechanism)
            for way, edges in found.items():
                counts.setdefault(way, {}).setdefault(kind, []).append(edges)
        print(f"barriers, {kind}: done", flush=True)
    return counts


def left_behind(folder, how):
    """One expno at 310 K as `how` says; what to give a program."""
    one = truth([310.0], snr=200.0)
    if how in ("neo", "xwinnmr", "topspin1"):
        return nd.simulate_folder(one, folder, seed=3, console=how) / "1"
    if how == "one expno a delay":
        return nd.simulate_folder(one, folder, seed=3, arrayed=True)
    expno = nd.simulate_folder(one, folder, seed=3, processed=how == "2rr alone") / "1"
    if how == "2rr alone":
        (expno / "ser").unlink()
    elif how == "zip":
        packed = Path(folder) / "run.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for file in expno.rglob("*"):
                archive.write(file, file.relative_to(expno.parent))
        return packed
    elif how != "whole":
        nd.damage(expno, how)
    return expno


def t1_of_nmrdyn(path):
    options = {"delays": "D7"} if path.is_dir() and (path / "101").is_dir() else {}
    return nd.fit_recovery(nd.read_topspin(path, **options), nd.SingleExponential())["t1"].item()


def t1_of_ionhop(path):
    """As its guide goes: load, process, phase, integrate, and fit the saturation recovery it has, with A fixed at 1."""
    from ionhop.relaxometry import T1Functions

    work = T1Functions(f"{path}/")
    source, rows, delays, extra = work.load_relaxation_series(save_nmrpipe=False, remove_digital_filter=True)
    if source == "raw":
        spectra = [work.process_spectrum(row, "200 Hz", 2, 0.0, 0.0, "lorentzian") for row in rows]
        shift = spectra[0].dimensions[0].coordinates.value
        values = np.array([spectrum.dependent_variables[0].components[0] for spectrum in spectra])
    else:
        values, shift = np.array(rows), extra[0]
    longest = values[np.argmax(delays)]
    peak = np.argmax(np.abs(longest))
    inside = np.abs(shift - shift[peak]) < 20  # ppm
    values = (values * np.exp(-1j * np.angle(longest[peak]))).real[:, inside].sum(axis=1)
    values /= values.max()
    found, _ = optimize.curve_fit(
        lambda t, m0, t1, b: work.mono_satrec_func(t, m0, t1, 1.0, b), delays, values, (1.0, np.median(delays), 0.0)
    )
    return found[1]


def folders():
    """What each program made of each folder: T1 over the truth, or the error."""
    exact = truth([310.0]).t1.item()
    readers = {"nmrdyn": t1_of_nmrdyn}
    if importlib.util.find_spec("ionhop"):
        readers[f"ionhop {version('ionhop')}"] = t1_of_ionhop
    found = {name: {} for name in readers}
    for how in DAMAGE:
        for name, reader in readers.items():
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with contextlib.redirect_stdout(io.StringIO()):
                    path = left_behind(Path(folder), how)
                    try:
                        found[name][how] = reader(path) / exact
                    except Exception as error:
                        found[name][how] = type(error).__name__
    return found


def coverage(edges):
    edges = np.array(edges)
    held = np.mean((edges[:, 0] <= ENERGY) & (edges[:, 1] >= ENERGY))
    width = 1e3 * np.median(edges[:, 1] - edges[:, 0])
    return f"{100 * held:.1f} % of {len(edges)} ({width:.0f} meV)"


def read(ratio):
    if isinstance(ratio, str):
        return f"no: {ratio}"
    return "yes" if abs(ratio - 1) < 0.05 else f"T1 {100 * (ratio - 1):+.0f} %"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--kinisi", type=int, default=30, help="how many of these kinisi samples too")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    some = options.kinisi if importlib.util.find_spec("kinisi") else 0
    counts = barriers(options.studies, some, options.seed)
    opened = folders()
    by_way = [[way, *(coverage(edges) for edges in kinds.values())] for way, kinds in counts.items()]
    by_folder = [[how, *(read(opened[name][how]) for name in opened)] for how in DAMAGE]
    RESULTS.write_text(
        "# The same data, other ways\n\n"
        f"Made by `python benchmarks/comparison.py --studies {options.studies} --kinisi {some} --seed {options.seed}`, "
        "which says what each way is.\n\n"
        "How many 95 % intervals of a barrier hold the truth, and their median width, by what is wrong with the "
        "temperatures:\n\n" + table(["way", *ERRORS], by_way) + "\n\nWhether T1 comes out within 5 %:\n\n"
        + table(["folder", *opened], by_folder) + "\n",
        encoding="utf-8",
    )  # fmt: skip
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
