"""What each way from FIDs to intensities costs T1: scatter against a matched filter that knows the line, and bias.

    python benchmarks/intensities.py [--studies 100] [--seed 1]

Every study is a saturation recovery of 16 rows of a Gaussian line of 3 kHz, 1 kHz off the carrier, in FIDs of 2048
points at 100 kHz; SNR is that of the strongest row through the matched filter. T1 is by least squares of all rows.
`measure` alone is also tried on a central transition of 23Na, a line of 20 Hz that fills the FID, and five rows.
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


def log_t1(signals, delay=DELAY):
    """ln T1 (study) of recoveries (study, row) with free amplitude and depth: a grid, then a parabola."""
    explained = np.empty((GRID.size, len(signals)))
    for i, at in enumerate(GRID):
        basis = np.linalg.qr(np.stack([np.ones_like(delay), np.exp(-delay / np.exp(at))], axis=1))[0]
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


def central_transition(*, cq=1e6, eta=0.1, larmor=132.3e6, broadening=800.0, orientations=20000):
    """The FID of a static powder of spin 3/2 to second order, with Gaussian broadening [Hz].

    Freude and Haase, NMR Basic Principles and Progress 29 (1993) 1, with nu_Q = CQ / 2.
    """
    number = np.arange(orientations) + 0.5
    cosine = (1 - 2 * number / orientations) ** 2
    side = eta * np.cos(2 * np.pi * (1 + np.sqrt(5)) * number)
    a = -27 / 8 + 9 / 4 * side - 3 / 8 * side**2
    b = 15 / 4 - eta**2 / 2 - 2 * side + 3 / 4 * side**2
    c = -3 / 8 + eta**2 / 3 - side / 4 - 3 / 8 * side**2
    shift = -((cq / 2) ** 2) / (2 * larmor) * (a * cosine**2 + b * cosine + c)
    count, edge = np.histogram(shift, 2000)
    early = TIME[: int(4 / broadening / DWELL)]
    fid = np.zeros(POINTS, dtype=complex)
    place = (edge[1:] + edge[:-1]) / 2 + OFFSET
    fid[: early.size] = count / count.sum() @ np.exp(2j * np.pi * np.outer(place, early))
    return fid * np.exp(0.7j - (np.pi * broadening * TIME) ** 2 / (4 * np.log(2)))


def log_t1_error(values, stderr, delay, at):
    """Standard error of ln T1 = `at` by the errors of the intensities, amplitude and depth being free."""
    decay = np.exp(-delay / np.exp(at))
    basis = np.stack([np.ones_like(delay), decay], axis=1)
    depth = np.linalg.lstsq(basis, values, rcond=None)[0][1]
    slope = np.column_stack([basis, depth * decay * delay / np.exp(at)]) / stderr[:, None]
    return np.sqrt(np.linalg.inv(slope.T @ slope)[2, 2])


def lines_table(snrs, *, studies, seed):
    """Print how `measure` does on other lines: scatter, bias, and how often 95 % intervals hold the truth."""
    print("\n`measure` on other lines\n")
    print("| line | " + " | ".join(f"SNR {snr}" for snr in snrs) + " |")
    print("|---" * (1 + len(snrs)) + "|")
    narrow = np.exp(0.7j + 2j * np.pi * OFFSET * TIME - np.pi * 20 * TIME)
    cases = {
        "Gaussian of 3 kHz": (line(), 16),
        "23Na central transition": (central_transition(), 16),
        "Lorentzian of 20 Hz": (narrow, 16),
        "23Na central transition, 5 rows": (central_transition(), 5),
    }
    for name, (shape, n_rows) in cases.items():
        delay = np.geomspace(DELAY[0], DELAY[-1], n_rows)
        clean = np.outer(1 - np.exp(-delay), shape)
        cells = []
        for snr in snrs:
            rng = np.random.default_rng(seed)
            level = np.linalg.norm(shape) / snr
            known, found = [], []
            for _ in range(studies):
                rows = clean + level * (rng.standard_normal(clean.shape) + 1j * rng.standard_normal(clean.shape))
                known.append((rows @ shape.conj()).real)
                found.append(measure(rows, delay, dwell=DWELL))
            best, ours = log_t1(np.array(known), delay), log_t1(np.array([one.values for one in found]), delay)
            errors = [log_t1_error(one.values, one.stderr, delay, at) for one, at in zip(found, ours, strict=True)]
            z = ours / np.array(errors)
            shift = np.median(ours - best) / best.std()
            cells.append(
                f"{ours.std() / best.std():.2f}, {shift:+.2f}, {100 * np.mean(np.abs(z) < 1.96):.0f} %, {z.std():.2f}"
            )
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"`python benchmarks/intensities.py --studies {options.studies} --seed {options.seed}`\n")
    print(
        "Each cell: standard deviation of ln T1 over that of the matched filter, median bias of T1 "
        "beside it draw by draw, and the same in standard deviations of the matched filter. "
        "Saturation recovery, 16 rows, Gaussian line of 3 kHz, 2048 points at 100 kHz. Of other lines: the first "
        "and the third, then how often intervals of 95 % by the stated errors hold the truth, and the standard "
        "deviation of errors over stated errors."
    )
    settings = {"studies": options.studies, "seed": options.seed}
    still = np.broadcast_to(line(), (16, POINTS))
    table("A line that stays", still, (20, 60, 200), list(methods(still)), **settings)
    lines_table((20, 60, 200), **settings)
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
