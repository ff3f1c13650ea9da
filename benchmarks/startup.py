"""How long nmrdyn takes to start, over the time of importing what it stands on, and the demo's time and memory.

    python benchmarks/startup.py [--repeats 7]

Each line is a new process; the lines take turns, and the fastest of the repeats counts. Memory is the largest resident
size of the process. The table is written to results/startup.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OUT = Path(__file__).parent / "results" / "startup.md"
PEERS = "import emcee, nmrglue, matplotlib"
LINES = {
    PEERS: ["-c", PEERS],
    "import numpy": ["-c", "import numpy"],
    "import nmrdyn": ["-c", "import nmrdyn"],
    "nmrdyn --help": ["-m", "nmrdyn", "--help"],
    "nmrdyn run --help": ["-m", "nmrdyn", "run", "--help"],
    "import nmrdyn; nmrdyn.read_topspin": ["-c", "import nmrdyn; nmrdyn.read_topspin"],
}
DEMO = "nmrdyn demo DIR"


def timed(arguments: list[str]) -> tuple[float, float]:
    """Seconds and largest resident size [MB] of a new interpreter."""
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)}: ended with status {child.returncode}")
    return seconds, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measured(repeats: int) -> dict[str, tuple[float, float]]:
    """The fastest of the repeats of each line, the demo once."""
    timed(LINES[PEERS])  # from disk once, for all
    runs = [{name: timed(arguments) for name, arguments in LINES.items()} for _ in range(repeats)]
    best = {name: min(run[name] for run in runs) for name in LINES}
    with tempfile.TemporaryDirectory() as folder:
        return best | {DEMO: timed(["-m", "nmrdyn", "demo", f"{folder}/example"])}


def table(best: dict[str, tuple[float, float]]) -> str:
    """The table as text."""
    bare = timed(["-c", "pass"])[0]
    lines = ["| | seconds | over the imports of emcee, nmrglue and matplotlib | peak memory, MB |", "|---|---|---|---|"]
    for name, (seconds, memory) in best.items():
        lines.append(f"| `{name}` | {seconds:.3f} | {seconds / best[PEERS][0]:.3f} | {memory:.0f} |")
    return "\n".join([*lines, "", f"An empty interpreter takes {bare:.3f} s of each line.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    text = table(measured(parser.parse_args().repeats))
    OUT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
