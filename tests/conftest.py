import csv
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: the suite has a process for each core

from pathlib import Path

import pytest

import nmrdyn as nd


@pytest.fixture
def oracle():
    """The rows of a table of independently computed values; skipped where there are none."""
    folder = os.environ.get("NMRDYN_PHYSICS")
    if not folder:
        pytest.skip("NMRDYN_PHYSICS is not set (the folder that holds oracle/)")

    def rows(name):
        with (Path(folder) / "oracle" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(line for line in file if not line.startswith("#")))

    return rows


@pytest.fixture(scope="session")
def sodium():
    """23Na deep on the slow flank, T1 = 4.36 s, one temperature; change it with dataclasses.replace."""
    return nd.RelaxationTruth(
        nucleus="23Na",
        larmor_frequency=132.32e6,
        cq=1e6,
        eta=0.1,
        activation_energy=0.45,
        tau_c=1e-5,
        reference_temperature=333.15,
        temperature=[333.15],
    )


@pytest.fixture
def topspin():
    """The folder of real measurements; skipped where there are none."""
    folder = os.environ.get("NMRDYN_REAL_DATA")
    if not folder:
        pytest.skip("NMRDYN_REAL_DATA is not set (the folder that holds topspin/)")
    return Path(folder) / "topspin"
