"""How many 95 % intervals of the example study hold the truth, over many draws of noise and temperature errors.

    python benchmarks/demo_seeds.py [--seeds 20] [--jobs 2]

Each seed goes the whole way: TopSpin folders and a CSV are written, read, fitted, sampled and compared.
"""

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from nmrdyn.simulate.example import example_study, example_truths
from nmrdyn.study.run import run

FOLDERS = {"23Na hop": "23Na", "BH4 rotation": "11B", "conductivity": "eis"}


def one(seed: int) -> list[tuple[str, float, list[float], str]]:
    """Name, truth, interval [eV] and verdict of every barrier and difference."""
    truth = {name: example_truths(seed)[folder].activation_energy for name, folder in FOLDERS.items()}
    with tempfile.TemporaryDirectory() as folder:
        run(example_study(folder, seed=seed), Path(folder) / "results")
        summary = json.loads((Path(folder) / "results" / "summary.json").read_text(encoding="utf-8"))
    rows = [(n, truth[n], p["activation_energy_eV"]["ci95"], "") for n, p in summary["processes"].items()]
    for pair, difference in summary["differences"].items():
        a, b = pair.split(" - ")
        rows.append((pair, truth[a] - truth[b], difference["ci95"], difference["verdict"]))
    codes = {warning["code"] for warning in summary["warnings"]} - {"several-exponentials", "recovery-misfit"}
    print(f"seed {seed}: {', '.join(sorted(codes)) or 'no further warnings'}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs) as pool:
        studies = list(pool.map(one, range(1, options.seeds + 1)))
    print(f"\n{'quantity':32}{'truth/meV':>10}{'held':>10}{'mean width/meV':>16}  verdicts")
    for rows in zip(*studies, strict=True):
        name, truth = rows[0][0], rows[0][1]
        held = sum(low <= truth <= high for _, _, (low, high), _ in rows)
        width = sum(high - low for _, _, (low, high), _ in rows) / len(rows)
        counts = {verdict: sum(row[3] == verdict for row in rows) for verdict in ("same", "different", "undecided")}
        said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        print(f"{name:32}{1e3 * truth:10.0f}{f'{held}/{len(rows)}':>10}{1e3 * width:16.0f}  {said}")


if __name__ == "__main__":
    main()
