"""Regions of the spectrum: what may be typed, in Hz and ppm, and several sites at once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nmrdyn as nd
from nmrdyn.topspin.regions import Region, regions_of


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, []),
        ((-100.0, 250.0), [Region(-100.0, 250.0)]),
        ([-100, 250], [Region(-100.0, 250.0)]),
        ("-5:5kHz", [Region(-5000.0, 5000.0)]),
        ("5 .. -5 kHz", [Region(-5000.0, 5000.0)]),
        ("-30 -40 ppm", [Region(-40.0, -30.0, ppm=True)]),
        ("BH4=-40:-30ppm", [Region(-40.0, -30.0, ppm=True, site="BH4")]),
        ({"a": (0, 1), "b": "2:3 kHz"}, [Region(0.0, 1.0, site="a"), Region(2000.0, 3000.0, site="b")]),
        (
            ["1:2 ppm", "x = 3:4 ppm"],
            [Region(1.0, 2.0, ppm=True, site="1:2 ppm"), Region(3.0, 4.0, ppm=True, site="x")],
        ),
    ],
)
def test_what_may_be_said(said, expected):
    assert regions_of(said) == expected


@pytest.mark.parametrize(
    "said", ["", "5", "1:1 ppm", "1:2 MHz", "a=b", (1, 2, 3), 5, [], {}, {"a": (1, 1)}, ("x", "y"), (0, float("inf"))]
)
def test_what_may_not(said):
    with pytest.raises(nd.InputError, match=r"^region: needed"):
        regions_of(said)


def test_two_sites_of_one_name():
    with pytest.raises(nd.InputError, match="sites of different names, found a, a"):
        regions_of(["a=1:2 ppm", "a=3:4 ppm"])


@given(low=st.floats(-1e6, 1e6), width=st.floats(0.1, 1e6), ppm=st.booleans())
def test_the_text_of_a_region_gives_it_back(low, width, ppm):
    region = Region(float(f"{low:g}"), float(f"{low + width:g}"), ppm)
    if region.low < region.high:
        assert regions_of(region.text) == [region]


def test_regions_in_hz_and_ppm_are_the_same_region(sodium, tmp_path):
    """The line is at +1.5 kHz from the carrier of 132.32 MHz, 11.3 ppm."""
    expno = nd.simulate_folder(replace(sodium, snr=100), tmp_path / "na", seed=1) / "1"
    hertz = nd.read_topspin(expno, region="-6:9 kHz")
    ppm = nd.read_topspin(expno, region=f"{-6e3 / 132.32}:{9e3 / 132.32} ppm")
    np.testing.assert_allclose(hertz.signal, ppm.signal, rtol=1e-9)
    with pytest.raises(nd.InputError, match="region"):
        nd.read_topspin(expno, region="200:300 kHz")


def test_several_sites_are_experiments_of_their_own(sodium, tmp_path):
    folder = nd.simulate_folder(replace(sodium, temperature=[333.15, 343.15], snr=100), tmp_path / "na", seed=1)
    recovery = nd.read_topspin(folder, region={"line": "-6:9 kHz", "nothing": "20:40 kHz"})
    assert list(recovery.experiment.values) == ["1 line", "1 nothing", "2 line", "2 nothing"]
    assert list(recovery.site.values) == ["line", "nothing"] * 2
    assert list(recovery.reason.values) == ["", recovery.reason.values[1]] * 2
    assert "needed a signal, found none above the noise in 20000:40000 Hz" in recovery.reason.values[1]
    assert list(np.isfinite(nd.fit_recovery(recovery, "single").t1.values)) == [True, False] * 2
    alone = nd.read_topspin(folder, region="-6:9 kHz")
    np.testing.assert_array_equal(recovery.isel(experiment=recovery.site == "line").signal, alone.signal)


def test_ppm_are_those_of_the_processing_that_is_read(sodium, tmp_path):
    expno = nd.simulate_folder(replace(sodium, snr=100), tmp_path / "na", seed=1, processed=True) / "1"
    expected = nd.read_topspin(expno, region="-40:70 ppm", processed=True)
    (expno / "pdata" / "1").rename(expno / "pdata" / "2")
    (expno / "pdata" / "10").mkdir()
    other = (expno / "pdata" / "2" / "procs").read_text(encoding="utf-8").replace("##$SF= 132.32", "##$SF= 132.30")
    (expno / "pdata" / "10" / "procs").write_text(other, encoding="utf-8")
    np.testing.assert_array_equal(nd.read_topspin(expno, region="-40:70 ppm", processed=True).signal, expected.signal)
