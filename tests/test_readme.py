"""The README tells the truth: its code prints its output, and the example data are what the simulator makes."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from nmrdyn.simulate.example import example_study

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", README, re.S)[1]


def test_code_of_the_first_screen_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets").symlink_to(ROOT / "datasets")
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(fenced("python"), "README.md", "exec"), {})
    number = r"-?\d+"
    assert re.sub(number, "#", printed.getvalue()) == re.sub(number, "#", fenced("text"))
    # Limits are printed to 1 meV; on another processor the draws may differ in their last digits.
    drawn, said = (np.array(re.findall(number, text), dtype=int) for text in (printed.getvalue(), fenced("text")))
    np.testing.assert_allclose(drawn, said, rtol=0, atol=2)
    assert (tmp_path / "barriers.svg").stat().st_size > 1000


@pytest.mark.parametrize("where", ["study.toml", "eis/conductivity.csv", "23Na/1/acqus", "11B/10/vdlist"])
def test_example_data_are_the_output_of_the_simulator(where, tmp_path):
    example_study(tmp_path)
    assert (tmp_path / where).read_bytes() == (ROOT / "datasets" / "na2nh2bh4" / where).read_bytes()


def test_example_fids_are_the_output_of_the_simulator(tmp_path):
    example_study(tmp_path)
    for made in tmp_path.glob("*/*/ser"):
        kept = ROOT / "datasets" / "na2nh2bh4" / made.relative_to(tmp_path)
        # One count: sine and exponential may differ in their last digit between processors.
        np.testing.assert_allclose(np.fromfile(made, "<i4"), np.fromfile(kept, "<i4"), rtol=0, atol=1)
