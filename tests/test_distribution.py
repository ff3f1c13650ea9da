"""Distributions of T1: known mixtures, what cannot be told, and how often bands hold the truth."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from t1_intervals import Design, simulated

import nmrdyn as nd
from nmrdyn.findings import attached
from nmrdyn.recovery.distribution import t1_distribution

DELAY = np.geomspace(0.02, 15.0, 16)
TEN = ((0.316, 0.5), (3.16, 0.5))  # T1 and areas
UNEQUAL = ((0.316, 0.2), (3.16, 0.8))
TWO = ((0.707, 0.5), (1.414, 0.5))
ONE = ((1.0, 1.0),)
# Log-normal of sd 0.8 in ln T1 about 1 s, by Gauss and Hermite.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
LOG_NORMAL = tuple(zip(np.exp(0.8 * _NODES), _WEIGHTS / _WEIGHTS.sum(), strict=True))


def curve(parts, *, depth=1.0, delay=DELAY):
    return 1 - depth * sum(area * np.exp(-delay / t1) for t1, area in parts)


def recoveries(signal, noise, *, delay=DELAY, noise_dof=40.0):
    """Stage `recovery`, one row of signals an experiment."""
    signal = np.atleast_2d(np.asarray(signal, dtype=float))
    made = simulated(Design(signal.shape[1], 5.0, 1.0, True), len(signal), rng=np.random.default_rng(0))
    made["signal"][:] = signal
    made["signal_stderr"] = (made["signal"].dims, np.broadcast_to(noise, signal.shape).copy())
    made["delay"] = (made["signal"].dims, np.broadcast_to(delay, signal.shape).copy())
    made["noise_dof"][:] = noise_dof
    return made


def mixtures(parts, snr, *, n=1, seed=0, depth=1.0, measured=True):
    """Recoveries of a mixture, with noise as an instrument would measure it."""
    rng = np.random.default_rng(seed)
    exact = curve(parts, depth=depth)
    noise = np.sqrt(rng.chisquare(40, (n, 1)) / 40) / snr if measured else np.nan
    return recoveries(exact + rng.standard_normal((n, exact.size)) / snr, noise)


def inside(interval, truth):
    """Which intervals (..., bound) hold the truth."""
    return (interval[..., 0] <= truth) & (truth <= interval[..., 1])


# Known mixtures


@pytest.mark.parametrize("snr", [200, 1000])
@pytest.mark.parametrize(("depth", "told"), [(1.0, None), (1.0, 1.0), (2.0, 2.0), (2.0, None)])
def test_a_factor_of_ten_shows_as_two_peaks(snr, depth, told):
    found = t1_distribution(mixtures(TEN, snr, n=3, depth=depth, seed=snr), depth=told, draws=150)
    assert found.peaks.values.tolist() == [2, 2, 2]
    # Of 12 intervals of 95 %, three miss with a probability of 0.02.
    held = [inside(found[f"peak_{name}_interval"].values, truth) for name, truth in (("t1", (0.316, 3.16)),)]
    held.append(inside(found.peak_area_interval.values, 0.5))
    assert np.sum(held) >= 10
    np.testing.assert_allclose(found.peak_t1.values, [[0.316, 3.16]] * 3, rtol=0.25 if snr == 200 else 0.05)
    np.testing.assert_allclose(found.peak_area.values, 0.5, atol=0.1 if snr == 200 else 0.02)
    np.testing.assert_allclose(found.depth.values, depth, rtol=0.06 if snr == 200 else 0.02)
    np.testing.assert_allclose(found.amplitude.values, 1.0, rtol=0.08 if snr == 200 else 0.02)


@pytest.mark.parametrize("measured", [True, False])
def test_a_factor_of_two_is_one_broad_peak(measured):
    found = t1_distribution(mixtures(TWO, 200, n=5, seed=2, measured=measured), draws=150)
    assert found.peaks.values.tolist() == [1] * 5
    assert np.sum(found.width > 1.4 * found.resolution) >= 4
    assert inside(found.peak_t1_interval.values[:, 0], 1.0).sum() >= 4


def test_a_factor_of_two_is_not_told_from_one_t1_in_noise():
    found = t1_distribution(mixtures(TWO, 30, n=12, seed=3), draws=150)
    assert np.all(found.peaks <= 1)
    assert np.sum(found.width <= 1.4 * found.resolution) >= 4


@pytest.mark.parametrize("measured", [True, False])
def test_one_t1_is_as_narrow_as_it_can_be(measured):
    found = {}
    for snr in (100, 1000):
        one = t1_distribution(mixtures(ONE, snr, n=3, seed=snr + 5, measured=measured), draws=150)
        assert one.peaks.values.tolist() == [1, 1, 1]
        np.testing.assert_allclose(one.peak_t1.values, 1.0, rtol=10 / snr)
        assert np.all(one.width < 1.5 * one.resolution)
        found[snr] = one.resolution.values
    # It takes a better signal to resolve more.
    assert np.all(found[1000] < 0.7 * found[100])
    codes = {finding.code for finding in attached(one)}
    assert "t1-distribution-unresolved" in codes


def test_a_log_normal_distribution_has_its_width():
    found = t1_distribution(mixtures(LOG_NORMAL, 1000, n=4, seed=6), draws=150)
    assert found.peaks.values.tolist() == [1] * 4
    np.testing.assert_allclose(found.width.values, 0.8, atol=0.12)
    assert inside(found.mean_t1_interval.values, 1.0).sum() >= 3
    # The density itself: that of the normal, within its bands where there is much of it.
    log_t1 = np.log(found.t1.values)
    much = np.abs(log_t1) < 0.8
    exact = stats.norm(0, 0.8).pdf(log_t1[much])
    assert inside(found.band.values[:, much], exact).mean() > 0.9


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("depth", [None, 1.0])
def test_noise_has_no_distribution(measured, depth):
    rng = np.random.default_rng(7)
    signal = rng.standard_normal((20, 16)) + (0.0 if depth else 30.0)
    found = t1_distribution(recoveries(signal, 1.0 if measured else np.nan), depth=depth, draws=50)
    assert np.isnan(found.distribution.values).all()
    assert found.peaks.values.tolist() == [0] * 20
    assert set(found.reason.values) == {
        "the signal changes with the delay by no more than its noise: nothing is seen to recover"
    }
    assert [finding.code for finding in attached(found)] == ["no-distribution"] * 20


def test_a_signal_that_falls_is_no_recovery():
    signal = 50 * np.exp(-DELAY) + np.random.default_rng(8).standard_normal((2, 16))
    free = t1_distribution(recoveries(signal, 1.0), draws=50)
    assert np.all(free.reason.values != "")
    # With its depth fixed, nothing but short T1 can be tried: the misfit says that it does not describe the signal.
    fixed = t1_distribution(recoveries(signal, 1.0), depth=1.0, draws=50)
    assert np.all(fixed.misfit > 10)
    assert "t1-distribution-misfit" in {finding.code for finding in attached(fixed)}


def test_what_lies_past_the_delays_is_said():
    early = DELAY[DELAY < 1.0]
    parts = ((0.1, 0.3), (2.0, 0.7))
    signal = curve(parts, delay=early) + np.random.default_rng(9).standard_normal((2, early.size)) / 1000
    found = t1_distribution(recoveries(signal, 1 / 1000, delay=early), draws=100)
    assert np.all(found.outside > 0.2)
    assert "t1-outside-delays" in {finding.code for finding in attached(found)}
    reached = found.t1.values[found.reached.values[0]]
    assert early[0] <= reached.min() <= 1.2 * early[0]
    assert early[-1] / 1.2 <= reached.max() <= early[-1]


def test_residuals_above_the_measured_noise_stand_alone():
    signal = mixtures(TEN, 200, n=4, seed=10).signal.values
    wrong, unmeasured = (t1_distribution(recoveries(signal, noise), draws=400) for noise in (1 / 20_000, np.nan))
    assert wrong.peaks.values.tolist() == [2] * 4
    np.testing.assert_allclose(wrong.mean_t1, unmeasured.mean_t1, rtol=0.05)
    for name in ("peak_t1_interval", "peak_area_interval"):
        width = [np.diff(np.log(one[name].values), axis=-1) for one in (wrong, unmeasured)]
        np.testing.assert_allclose(width[0], width[1], rtol=0.3)


# How often bands hold the truth


@pytest.mark.slow
@pytest.mark.parametrize("snr", [200, 1000])
@pytest.mark.parametrize("parts", [TEN, UNEQUAL], ids=["equal", "unequal"])
def test_bands_of_two_peaks_hold(parts, snr):
    found = t1_distribution(mixtures(parts, snr, n=200, seed=11), draws=200)
    two = found.peaks.values == 2
    assert two.mean() > 0.9
    mean = np.exp(sum(area * np.log(t1) for t1, area in parts))
    # Three binomial errors of 200 below 95 % are 90 %; the bands of positions are of 90 rather than 95 %.
    assert inside(found.mean_t1_interval.values, mean).mean() > 0.9
    for k, (t1, area) in enumerate(parts):
        assert inside(found.peak_area_interval.values[two, k], area).mean() > 0.9
        assert inside(found.peak_t1_interval.values[two, k], t1).mean() > 0.82


@pytest.mark.slow
@pytest.mark.parametrize("snr", [50, 200, 1000])
@pytest.mark.parametrize("parts", [ONE, TWO, LOG_NORMAL], ids=["one", "two", "log-normal"])
def test_bands_of_one_peak_hold(parts, snr):
    found = t1_distribution(mixtures(parts, snr, n=200, seed=12), draws=200)
    one = found.peaks.values == 1
    assert one.mean() > 0.75
    assert inside(found.mean_t1_interval.values, 1.0).mean() > 0.87
    assert inside(found.peak_t1_interval.values[one, 0], 1.0).mean() > 0.87


# What must be so


@settings(deadline=None, max_examples=12)
@given(
    t1=st.lists(st.floats(0.02, 15.0), min_size=1, max_size=4),
    snr=st.floats(10, 1e4),
    depth=st.sampled_from([None, 1.0, 2.0]),
    seed=st.integers(0, 1000),
)
def test_distributions_are_non_negative_and_add_up_to_one(t1, snr, depth, seed):
    parts = [(each, 1 / len(t1)) for each in t1]
    found = t1_distribution(mixtures(parts, snr, depth=depth or 1.0, seed=seed), depth=depth, draws=50)
    if found.reason.item():
        assert np.isnan(found.distribution.values).all()
        return
    step = np.diff(np.log(found.t1.values))[0]
    assert found.distribution.values.sum() * step == pytest.approx(1.0, rel=1e-9)
    assert np.all(found.distribution.values >= 0)
    assert np.all(found.band.values >= 0)
    assert np.all(found.band.values[..., 0] <= found.band.values[..., 1])
    assert 0 <= found.outside.item() <= 1
    if found.peaks.item():
        assert np.nansum(found.peak_area.values) == pytest.approx(1.0, rel=1e-9)


@settings(deadline=None, max_examples=6)
@given(scale=st.integers(-20, 20), unit=st.integers(-20, 20), seed=st.integers(0, 100))
def test_units_of_time_and_signal_shift_it(scale, unit, seed):
    one = mixtures(TEN, 300, seed=seed)
    # Powers of two, so that rounding is the same.
    time, size = 2.0**scale, 2.0**unit
    other = recoveries(one.signal.values * size, one.signal_stderr.values * size, delay=DELAY * time)
    found, shifted = (t1_distribution(each, draws=50) for each in (one, other))
    np.testing.assert_allclose(shifted.t1, found.t1 * time, rtol=1e-12)
    np.testing.assert_allclose(shifted.distribution, found.distribution, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(shifted.mean_t1, found.mean_t1 * time, rtol=1e-4)
    np.testing.assert_allclose(shifted.amplitude, found.amplitude * size, rtol=1e-4)


def test_the_same_seed_gives_the_same():
    one = mixtures(TEN, 300, n=2)
    first, again, other = (t1_distribution(one, draws=50, seed=seed) for seed in (4, 4, 5))
    assert first.identical(again)
    assert not first.distribution.equals(other.distribution)


def test_own_grids():
    grid = np.geomspace(0.1, 10, 30)
    found = t1_distribution(mixtures(TEN, 500), t1=grid, draws=50)
    assert np.array_equal(found.t1, grid)
    assert found.peaks.item() == 2


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"depth": 0.0}, "depth: needed one finite number above 0 and up to 10"),
        ({"level": 1.0}, "level: needed one finite number above 0 and below 1"),
        ({"draws": 10}, "draws: needed one finite number from 50"),
        ({"t1": [1.0, -1.0]}, "t1: needed a finite number above 0"),
        ({"t1": np.linspace(1, 10, 20)}, "needed 10 or more T1 in even steps of the logarithm"),
        ({"t1": [1.0, 2.0]}, "needed 10 or more T1"),
    ],
)
def test_what_cannot_be_is_refused(told, said):
    with pytest.raises(nd.InputError, match=said):
        t1_distribution(mixtures(ONE, 100), **told)


def test_experiments_without_recovery_keep_their_row():
    recovery = mixtures(TEN, 300, n=3)
    recovery["signal"][1, 4:] = np.nan
    recovery["reason"][2] = "no rows"
    found = t1_distribution(recovery, draws=50)
    assert found.peaks.values.tolist() == [2, 0, 0]
    assert found.reason.values.tolist() == [
        "",
        "needed at least 6 different delays of 0 s or more, found others",
        "no rows",
    ]
    assert np.isnan(found.distribution.values[1:]).all()
    assert {entry["code"] for entry in json.loads(found.attrs["warnings"])} == {"no-distribution"}
    recovery["kind"][0] = "t2"
    with pytest.raises(nd.InputError, match="needed a saturation or inversion recovery, found t2"):
        t1_distribution(recovery)


def test_the_figure_shows_distributions_with_bands_and_peaks():
    found = t1_distribution(mixtures(TEN, 300, n=2), draws=50)
    axes = nd.plot.t1_distribution(found)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("T1 / s", "density of ln T1", "log")
    lines = [line.get_ydata() for line in axes.get_lines()]
    np.testing.assert_allclose(lines[0], found.distribution.values[0])
    assert len(lines) == 4
    with pytest.raises(nd.InputError, match="needed the stage 'distribution', found 'recovery'"):
        nd.plot.t1_distribution(mixtures(TEN, 300))
