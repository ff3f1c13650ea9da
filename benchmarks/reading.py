"""Time and memory of reading recoveries, as ratios to nmrglue's own way over the same rows in the same run.

    python benchmarks/reading.py [FOLDER] [--repeats 5]

FOLDER holds TopSpin expnos with a ser; unless it is given, simulated ones of three sizes are read. nmrglue's way is
`bruker.read`, `remove_digital_filter`, Fourier transform and `autops` of every row, which leaves spectra to be
integrated; ours ends with intensities, their errors and their delays. Times are the best of the repeats, memory is the
peak of what Python and numpy allocate, over the bytes of ser.
"""

import argparse
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nmrglue as ng
import numpy as np

import nmrdyn as nd
from nmrdyn.simulate.example import example_truths

SIZES = ((512, 16), (4096, 16), (4096, 64))  # complex points, rows


def simulated(root: Path) -> list[Path]:
    """Expnos of several sizes: a simulated one, its FIDs followed by noise and its rows repeated."""
    truth = replace(example_truths()["23Na"], temperature=[333.15], temperature_error=0.0)
    rng = np.random.default_rng(1)
    expnos = []
    for points, rows in SIZES:
        expno = nd.simulate_folder(truth, root / f"{points}x{rows}", seed=1) / "1"
        words = np.frombuffer((expno / "ser").read_bytes(), "<i4").reshape(16, -1)
        noise = words[:, -200:].std()
        table = np.round(noise * rng.standard_normal((rows, 2 * points))).astype("<i4")
        table[:, : words.shape[1]] = np.tile(words, (rows // 16, 1))
        (expno / "ser").write_bytes(table.tobytes())
        for name, value in (("acqus", 2 * points), ("acqu2s", rows)):
            text = (expno / name).read_text(encoding="utf-8")
            old = 1024 if name == "acqus" else 16
            (expno / name).write_text(text.replace(f"##$TD= {old}\n", f"##$TD= {value}\n"), encoding="utf-8")
        delays = (expno / "vdlist").read_text(encoding="utf-8")
        (expno / "vdlist").write_text(delays * (rows // 16), encoding="utf-8")
        expnos.append(expno)
    return expnos


def by_nmrglue(expno: Path) -> None:
    """Read, remove the digital filter, transform, and phase every row by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parameters, data = ng.bruker.read(str(expno))
        data = ng.bruker.remove_digital_filter(parameters, data)
        spectra = ng.proc_base.fft(data)
        for row in spectra:
            ng.proc_autophase.autops(row, "acme", disp=False)


def cost(read: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Best time [s], and peak of allocated memory [bytes] in a run of its own."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        read()
        times.append(time.perf_counter() - start)
    tracemalloc.start()
    read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return min(times), float(peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = simulated(Path(scratch)) if options.folder is None else sorted(options.folder.rglob("ser"))
        expnos = [path.parent if path.name == "ser" else path for path in found]
        print("| expno | ser / MB | nmrglue / ours, time | ours, memory / ser | nmrglue, memory / ser |")
        print("|---|---|---|---|---|")
        for expno in expnos:
            size = (expno / "ser").stat().st_size
            nd.read_topspin(expno)  # imports are no part of it
            ours, our_peak = cost(lambda expno=expno: nd.read_topspin(expno), options.repeats)
            theirs, their_peak = cost(lambda expno=expno: by_nmrglue(expno), 1)
            name = expno.relative_to(scratch if options.folder is None else options.folder).as_posix()
            print(
                f"| {name} | {size / 1e6:.2f} | {theirs / ours:.0f} | {our_peak / size:.1f} | {their_peak / size:.1f} |"
            )


if __name__ == "__main__":
    main()
