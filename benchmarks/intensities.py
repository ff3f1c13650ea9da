"""What each way from FIDs to intensities costs T1: scatter against a matched filter that knows the line, and bias.

    python benchmarks/intensities.py [--studies 300] [--seed 1]

Every study is a saturation recovery of 16 rows of a Gaussian line of 3 kHz, 1 kHz off the carrier, in FIDs of 2048
points at 100 kHz; SNR is that of the strongest row through the matched filter. T1 is by least squares of all rows.
"""

import argparse

import numpy as np

from nmrdyn.topspin.intensity.box import box_filter
from nmrdyn.topspin.intensity.measure import measure
from nmrdyn.topspin.intensity.shape import shared_shape

DWELL, POINTS, WIDTH, OFFSET = 1e-5, 2048, 3e3, 1e3
DELAY = np.geomspace(0.05, 5, 16)
TIME = np.arange(POINTS) * DWELL
GRID = np.linspace(np.log(0.02), np.log(50), 1200)


def line(*, width=WIDTH, offset=OFFSET):
    """A Gaussian line of full width `width` [Hz] at `offset` [Hz]: points, or rows of points."""
    width, offset = (np.asarray(one, dtype=float)[..., None] for one in (width, offset))
    return np.exp(0.7j + 2j * np.pi * offset * TIME - (np.pi * width * TIME) ** 2 / (4 * np.log(2)))


def log_t1(signals):
    """ln T1 (study) of recoveries (study, row) with free amplitude and depth: a grid, then a parabola."""
    explained = np.empty((GRID.size, len(signals)))
    for i, at in enumerate(GRID):
        basis = np.linalg.qr(np.stack([np.ones_like(DELAY), np.exp(-DELAY / np.exp(at))], axis=1))[0]
        explained[i] = np.sum((signals @ basis) ** 2, axis=1)
    top = np.clip(explained.argmax(axis=0), 1, GRID.size - 2)
    before, here, after = (explained[top + step, np.arange(top.size)] for step in (-1, 0, 1))
    return GRID[top] + (GRID[1] - GRID[0]) * 0.5 * (before - after) / (before - 2 * here + after)


def integral(rows, half_width, *, baseline=False):
    """The integral over ±half_width around the line, with the phase of the last row, less the ends of it if asked."""
    region = (OFFSET - half_width, OFFSET + half_width)
    values = rows @ box_filter(POINTS, DWELL, [region]).conj()
    if baseline:
        edges = [(region[0] - half_width, region[0]), (region[1], region[1] + half_width)]
        values -= rows @ box_filter(POINTS, DWELL, edges).conj()
    return (values * np.exp(-1j * np.angle(values[-3:].sum()))).real


def spectrum(rows):
    """Spectra (row, point) and the points within ±5 kHz of the line."""
    half = rows.copy()
    half[:, 0] /= 2
    near = np.abs(np.fft.fftfreq(POINTS, DWELL) - OFFSET) < 5e3
    return np.fft.fft(half, axis=1)[:, near]


def autophased(rows):
    values = spectrum(rows).sum(axis=1)
    return np.abs(values)


def methods(known):
    """Name and function (rows -> intensities) of each method; `known` is what the matched filter knows of each row."""
    matched = known / np.sum(np.abs(known) ** 2, axis=-1, keepdims=True)
    return {
        "matched filter that knows each line": lambda rows: np.sum(rows * matched.conj(), axis=1).real,
        "**measure**": lambda rows: measure(rows, DELAY, dwell=DWELL).values,
        "shape on all points": lambda rows: shared_shape(rows).values,
        "box found by measure": lambda rows: measure(rows, DELAY, dwell=DWELL).box,
        "box ±3 kHz": lambda rows: integral(rows, 3e3),
        "box ±5 kHz": lambda rows: integral(rows, 5e3),
        "box ±15 kHz": lambda rows: integral(rows, 15e3),
        "box ±5 kHz over a baseline": lambda rows: integral(rows, 5e3, baseline=True),
        "first 4 points": lambda rows: np.real(rows[:, :4] @ np.conj(known[-1, :4])),
        "each row autophased, ±5 kHz": autophased,
        "magnitude, ±5 kHz": lambda rows: np.abs(spectrum(rows)).sum(axis=1),
        "peak height": lambda rows: np.abs(spectrum(rows)).max(axis=1),
        "last row as filter": lambda rows: np.real(rows @ rows[-1].conj()),
    }


def table(title, lines, snrs, names, *, studies, seed):
    """Print one table: scatter of ln T1 over that of the matched filter, bias in percent and in standard errors."""
    ways = methods(lines)
    recovery = 1 - np.exp(-DELAY)
    print(f"\n{title}\n")
    print("| method | " + " | ".join(f"SNR {snr}" for snr in snrs) + " |")
    print("|---" * (1 + len(snrs)) + "|")
    cells = {name: [] for name in names}
    for snr in snrs:
        rng = np.random.default_rng(seed)
        level = np.linalg.norm(line()) / snr
        read = {name: [] for name in names}
        for _ in range(studies):
            noise = rng.standard_normal(lines.shape) + 1j * rng.standard_normal(lines.shape)
            rows = recovery[:, None] * lines + level * noise
            for name in names:
                values = ways[name](rows)
                read[name].append(values * np.sign(values[-1]))
        best = log_t1(np.array(read[names[0]]))
        for name in names:
            found = log_t1(np.array(read[name]))
            # Draw by draw against the matched filter, which shares the noise
            bias = float(np.median(found - best))
            cells[name].append(
                f"{found.std() / best.std():.2f}, {100 * np.expm1(bias):+.1f} %, {bias / best.std():+.2f}"
            )
    for name in names:
        print(f"| {name} | " + " | ".join(cells[name]) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"`python benchmarks/intensities.py --studies {options.studies} --seed {options.seed}`\n")
    print(
        "Each cell: standard deviation of ln T1 over that of the matched filter, median bias of T1 "
        "beside it draw by draw, and the same in standard deviations of the matched filter. "
        "Saturation recovery, 16 rows, Gaussian line of 3 kHz, 2048 points at 100 kHz."
    )
    settings = {"studies": options.studies, "seed": options.seed}
    still = np.broadcast_to(line(), (16, POINTS))
    table("A line that stays", still, (20, 60, 200), list(methods(still)), **settings)
    place = np.linspace(-0.5, 0.5, 16)
    few = ["matched filter that knows each line", "**measure**", "shape on all points", "box found by measure"]
    few += ["box ±5 kHz", "box ±15 kHz"]
    for drift in (0.3, 1, 3):
        moved = line(offset=OFFSET + drift * WIDTH * place)
        table(f"A line that moves by {drift:g} of its width", moved, (20, 60, 200), few, **settings)
    for factor in (1.3, 2):
        widened = line(width=WIDTH * (1 + (factor - 1) * (place + 0.5)))
        table(f"A line that becomes {factor:g} times as broad", widened, (20, 60, 200), few, **settings)


if __name__ == "__main__":
    main()
