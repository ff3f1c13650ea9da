import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import nmrdyn as nd
from nmrdyn.cli.main import main
from nmrdyn.conductivity.lines import straight_lines
from nmrdyn.conductivity.read import read_conductivity
from nmrdyn.conductivity.transition import curvature, find_break
from nmrdyn.findings import Finding, attach, attached
from nmrdyn.plot.conductivity import conductivity_lines
from nmrdyn.schema import stamp

K = 8.617333262145179e-5  # eV/K, SI of 2019


def series(kelvin, energy=0.35, *, ln_prefactor=25.0, noise=0.0, rng=None):
    """sigma of sigma T = exp(ln_prefactor - energy/kT), with scatter in ln."""
    kelvin = np.asarray(kelvin, dtype=float)
    scatter = noise * rng.normal(size=kelvin.shape) if rng is not None else 0.0
    return np.exp(ln_prefactor - energy / (K * kelvin) + scatter) / kelvin


def transport(kelvin, sigma, *, error=None, **coords):
    kelvin, sigma = np.asarray(kelvin, dtype=float), np.asarray(sigma, dtype=float)
    error = np.full(sigma.shape, np.nan) if error is None else error * sigma
    return stamp(
        xr.Dataset(
            {"conductivity": ("experiment", sigma), "conductivity_stderr": ("experiment", error)},
            coords={"temperature": ("experiment", kelvin)}
            | {name: ("experiment", list(words)) for name, words in coords.items()},
        ),
        "transport",
    )


def joined(*parts):
    """One transport of several; each is (kelvin, sigma, sample, direction)."""
    kelvin, sigma = (np.concatenate([np.asarray(part[k], dtype=float) for part in parts]) for k in (0, 1))
    sample, direction = ([word for part in parts for word in [part[k]] * len(part[0])] for k in (2, 3))
    return transport(kelvin, sigma, sample=sample, direction=direction)


def jump(kelvin, *, at, jump, below=0.9, above=0.55):
    """sigma of two phases with a jump in ln sigma T at a transition."""
    kelvin = np.asarray(kelvin, dtype=float)
    step = np.where(kelvin < at, -below / K * (1 / kelvin - 1 / at), jump - above / K * (1 / kelvin - 1 / at))
    return np.exp(step - 8.0) / kelvin


def findings_of(lines, code):
    return [finding for finding in attached(lines) if finding.code == code]


# ---- the line ----


@settings(deadline=None, max_examples=60)
@given(
    kelvin=st.lists(st.integers(200, 800), min_size=3, max_size=12, unique=True),
    energy=st.floats(0.05, 1.5),
    seed=st.integers(0, 1000),
)
def test_lines_are_those_of_scipy_in_both_conventions(kelvin, energy, seed):
    kelvin = np.array(kelvin, dtype=float)
    sigma = series(kelvin, energy, noise=0.1, rng=np.random.default_rng(seed))
    lines = straight_lines(transport(kelvin, sigma, error=0.01))
    for convention, value in (("sigma_T", sigma * kelvin), ("sigma", sigma)):
        line = lines.sel(convention=convention).isel(line=0)
        expected = stats.linregress(1 / kelvin, np.log(value))
        residual = np.log(value) - expected.intercept - expected.slope / kelvin
        # As in textbooks; linregress works it out from 1 - r^2, which loses digits where points lie on the line.
        spread = np.sum((1 / kelvin - np.mean(1 / kelvin)) ** 2)
        stderr = K * np.sqrt(np.sum(residual**2) / (kelvin.size - 2) / spread)
        reach = stats.t.ppf(0.975, kelvin.size - 2) * stderr
        np.testing.assert_allclose(line.activation_energy, -expected.slope * K, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(line.activation_energy_stderr, stderr, rtol=1e-6)
        np.testing.assert_allclose(line.activation_energy_high - line.activation_energy, reach, rtol=1e-6)
        np.testing.assert_allclose(line.activation_energy - line.activation_energy_low, reach, rtol=1e-6)
        np.testing.assert_allclose(line.log10_prefactor, expected.intercept / np.log(10), rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(line.rms, np.sqrt(np.mean(residual**2)), rtol=1e-6)


def test_barrier_of_sigma_is_lower_by_kt_whatever_the_data():
    # d ln T / d(1/T) = -T, so that the difference is kT in the middle of the range of 1/T: 27 meV over 15 to 60 °C.
    kelvin = 273.15 + np.arange(15.0, 61.0, 5.0)
    for energy in (0.2, 0.9):
        e = straight_lines(transport(kelvin, series(kelvin, energy))).activation_energy.values[0]
        assert e[0] == pytest.approx(energy, abs=1e-12)
        assert e[0] - e[1] == pytest.approx(K / np.mean(1 / kelvin), rel=0.003)
        assert f"{e[0] - e[1]:.3f}" == "0.027"


def test_intervals_hold_the_truth_though_stated_errors_are_wrong():
    # Points scatter by 5 % while the table says 1 % or 5 % in turn: weights would be wrong, and intervals by them hold
    # the truth in 75 of 100 cases; by stated errors alone, in 32 (simulated; four points).
    rng = np.random.default_rng(5)
    kelvin, n = np.linspace(290, 370, 4), 600
    parts = [(kelvin, series(kelvin, 0.5, noise=0.05, rng=rng), str(k), "") for k in range(n)]
    data = joined(*parts)
    data["conductivity_stderr"] = data["conductivity"] * np.tile([0.05, 0.01], 2 * n)
    lines = straight_lines(stamp(data, "transport")).sel(convention="sigma_T")
    held = (lines.activation_energy_low < 0.5) & (lines.activation_energy_high > 0.5)
    assert abs(float(held.mean()) - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / n)


def test_two_points_have_a_barrier_without_error_and_are_no_test_of_a_line():
    line = straight_lines(transport([300, 330], series([300, 330]))).isel(line=0, convention=0)
    assert line.activation_energy.item() == pytest.approx(0.35)
    assert np.isnan([line.activation_energy_stderr, line.activation_energy_low, line.activation_energy_high]).all()
    assert not line.straight
    assert line.reason.item() == "two temperatures do not tell whether a line is straight"


def test_samples_and_directions_are_apart_and_nan_rows_left_out():
    kelvin = np.array([300.0, 320.0, 340.0, 360.0])
    data = joined(
        (kelvin, series(kelvin, 0.3), "A", "heating"),
        (kelvin[::-1], series(kelvin[::-1], 0.4), "A", "cooling"),
        (kelvin, series(kelvin, 0.5), "B", ""),
        (kelvin, np.full(4, np.nan), "C", ""),
        ([300.0], series([300.0]), "D", ""),
    )
    data["conductivity"][1] = np.nan
    data = data.assign_coords(part="bulk")
    lines = straight_lines(data)
    assert lines.attrs["stage"] == "lines"
    assert list(zip(lines["sample"].values, lines["direction"].values, strict=True)) == [
        ("A", "heating"), ("A", "cooling"), ("B", ""), ("C", ""), ("D", ""),
    ]  # fmt: skip
    np.testing.assert_allclose(lines.activation_energy.values[:3, 0], [0.3, 0.4, 0.5], rtol=1e-9)
    assert lines["points"].values.tolist() == [3, 4, 4, 0, 1]
    assert lines["straight"].values.tolist() == [True, True, True, False, False]
    assert np.isnan(lines.activation_energy.values[3:]).all()
    assert [str(reason) for reason in lines["reason"].values[3:]] == [
        "needed conductivities at two temperatures, found 0",
        "needed conductivities at two temperatures, found 1",
    ]
    assert (lines["part"].item(), lines["temperature_low"].values[0], lines["temperature_high"].values[0]) == (
        "bulk", 300.0, 360.0,
    )  # fmt: skip


# ---- what is not straight ----

STEPS = np.linspace(300.0, 380.0, 9)


@pytest.mark.parametrize(
    ("kelvin", "sigma", "words"),
    [
        # Ten times more scatter than a line allows.
        (
            STEPS,
            series(STEPS) * np.exp(0.4 * np.array([1, -1, 1, -1, 1, -1, 1, -1, 1])),
            "points scatter by 0.40 (rms)",
        ),
        # A VTF law: the apparent barrier falls on heating.
        (STEPS, np.exp(-900 / (STEPS - 180)) / STEPS, "the barrier falls on heating"),
        # Two barriers side by side: the larger one wins when hot.
        (STEPS, (np.exp(-0.2 / (K * STEPS)) + np.exp(12 - 0.6 / (K * STEPS))) / STEPS, "the barrier grows on heating"),
        (STEPS, jump(STEPS, at=335, jump=3.0), "a break near 335 K is more likely (between 330 and 340 K, p = 0.001)"),
        (
            STEPS,
            series(STEPS, 0.2) * np.where(STEPS == 350, 0.6, 1),
            "the conductivity falls by 29 % from 340 to 350 K",
        ),
        (STEPS, series(STEPS, -0.05), "a barrier of -0.05 eV is not between 0 and 2 eV"),
        (STEPS, series(STEPS, 2.1), "a barrier of 2.1 eV is not between 0 and 2 eV"),
        ([300, 320, 340, 340], [1e-3, 2e-3, 3.4e-3, 7.2e-3], "conductivities at 340 K differ 2.1-fold"),
    ],
)
def test_crooked_series_keep_their_numbers_and_are_flagged(kelvin, sigma, words):
    lines = straight_lines(transport(kelvin, sigma))
    assert not lines["straight"].item()
    reason = lines["reason"].item()
    assert reason.startswith("no single barrier: ")
    assert words in reason
    assert findings_of(lines, "no-single-barrier") == [Finding("no-single-barrier", "conductivity", reason)]
    expected = -K * stats.linregress(1 / np.asarray(kelvin), np.log(np.asarray(sigma) * kelvin)).slope
    assert lines.activation_energy.values[0, 0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("kelvin", "sigma", "error"),
    [
        (STEPS, series(STEPS), None),
        # As papers that plot ln sigma have it: straight there, bent in ln(sigma T) by kT alone.
        (STEPS, series(STEPS) * STEPS * (1 + 1e-3 * np.random.default_rng(2).normal(size=9)), None),
        (STEPS, series(STEPS, 0.2) * np.where(STEPS == 350, 0.84, 1), None),  # falls by 4 %
        (STEPS, series(STEPS, 0.2) * np.where(STEPS == 350, 0.6, 1), 0.15),  # falls by 29 %, 21 % being one error
        ([300, 320, 340, 340], [1e-3, 1.9e-3, 3.1e-3, 3.6e-3], None),
    ],
)
def test_straight_series_are_not_flagged(kelvin, sigma, error):
    lines = straight_lines(transport(kelvin, sigma, error=error))
    assert lines["reason"].item() == ""
    assert lines["straight"].item()
    assert attached(lines) == []


def test_one_straight_series_in_fifty_is_flagged_at_most():
    # Curved (1 %, in both conventions), broken (1 %) and falling (1 %); at 10 % scatter and 0.4 eV.
    rng = np.random.default_rng(11)
    kelvin, n = np.linspace(290, 370, 9), 300
    lines = straight_lines(
        joined(*((kelvin, series(kelvin, 0.4, noise=0.1, rng=rng), str(k), "") for k in range(n))), seed=3
    )
    flagged = np.count_nonzero(~lines["straight"].values)
    assert stats.binom.sf(flagged - 1, n, 0.03) > 1e-3
    assert flagged > 0


def test_scatter_without_stated_errors_is_no_fall():
    # At 20 % scatter 5 K apart conductivities often fall; by 5 % errors 44 of 100 lines were flagged. Curves and breaks
    # are 3 in 100 together, a scatter of a few points that is not well known adds one or two.
    rng = np.random.default_rng(12)
    kelvin, n = np.linspace(300, 370, 15), 150
    lines = straight_lines(
        joined(*((kelvin, series(kelvin, 0.45, noise=0.2, rng=rng), str(k), "") for k in range(n))), seed=3
    )
    assert stats.binom.sf(np.count_nonzero(~lines["straight"].values) - 1, n, 0.05) > 1e-3


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.tuples(st.floats(1, 3000), st.floats(-690, 690), st.sampled_from("hcn")), min_size=1, max_size=12),
    transition=st.sampled_from([None, "find", 300.0, [200.0, 400.0]]),
)
def test_any_conductivities_make_a_stage_without_a_warning(rows, transition):
    kelvin, ln_sigma, way = zip(*rows, strict=True)
    direction = [{"h": "heating", "c": "cooling", "n": ""}[letter] for letter in way]
    data = transport(kelvin, np.exp(ln_sigma), sample=[""] * len(rows), direction=direction)
    lines = straight_lines(data, transition=transition)
    told = lines["reason"].values != ""
    assert (lines["straight"].values != told).all()
    assert int(lines["points"].sum()) == len(rows)
    assert not told[np.isfinite(lines.activation_energy_stderr.values[:, 0]) & lines["straight"].values].any()


# ---- breaks ----


def two_lines(kelvin, logarithm):
    """The gap whose two lines leave least, by np.polyfit for each."""
    left = {
        j: sum(np.polyfit(1e3 / part[0], part[1], 1, full=True)[1].sum()
               for part in ((kelvin[:j], logarithm[:j]), (kelvin[j:], logarithm[j:])))
        for j in range(3, kelvin.size - 2)
    }  # fmt: skip
    return min(left, key=left.get)


def test_the_gap_is_that_of_two_fits_on_each_side():
    kelvin = np.array([281.0, 290, 296, 305, 309, 318, 331, 344, 350, 366])
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logarithm = np.log(jump(kelvin, at=rng.uniform(300, 340), jump=1.0) * kelvin) + 0.05 * rng.normal(size=10)
        found = find_break(kelvin, logarithm, seed=1)
        j = two_lines(kelvin, logarithm)
        assert found is not None
        assert (found.low, found.high) == (kelvin[j - 1], kelvin[j])


def test_a_jump_of_two_orders_as_in_li2ohcl_is_found_with_three_points_below():
    # Li2OHCl jumps by about two orders of magnitude near 40 °C (orthorhombic to cubic).
    kelvin = np.array([293.0, 300, 308, 318, 328, 338, 348, 358, 368])
    rng = np.random.default_rng(8)
    for _ in range(40):
        logarithm = np.log(jump(kelvin, at=313, jump=4.6) * kelvin) + 0.1 * rng.normal(size=9)
        found = find_break(kelvin, logarithm, seed=1)
        assert found is not None
        assert (found.low, found.high, found.temperature) == (308.0, 318.0, 313.0)


def test_no_break_in_exact_lines_smooth_curves_or_with_too_few_points():
    rng = np.random.default_rng(4)
    kelvin = np.linspace(250, 400, 16)
    for slope in np.linspace(1000, 9000, 400):  # rounding has patterns
        assert find_break(kelvin, 20 - slope / kelvin, seed=1) is None
    for _ in range(20):
        assert find_break(kelvin, -900 / (kelvin - 180) + 0.03 * rng.normal(size=16), seed=1) is None
    few = np.array([290.0, 300, 320, 330, 340])
    assert find_break(few, np.log(jump(few, at=310, jump=5)), seed=1) is None
    repeated = np.repeat([290.0, 300, 320, 330, 340], 3)  # three temperatures are needed, not three points
    assert find_break(repeated, np.log(jump(repeated, at=310, jump=5)) + 0.1 * rng.normal(size=15), seed=1) is None


def test_the_same_seed_gives_the_same_break():
    kelvin = np.linspace(290, 370, 10)
    logarithm = np.log(jump(kelvin, at=325, jump=0.25, below=0.55)) + 0.05 * np.random.default_rng(1).normal(size=10)
    assert find_break(kelvin, logarithm, seed=5) == find_break(kelvin, logarithm, seed=5)


@pytest.mark.slow
@pytest.mark.parametrize("n", [6, 8, 12, 30])
def test_a_straight_line_is_broken_in_one_of_a_hundred_cases(n):
    # Without the comparison with a parabola the level would be 1 % exactly; with it, a little less.
    rng = np.random.default_rng(n)
    kelvin, runs = np.sort(rng.uniform(280, 380, n)), 4000
    broken = sum(find_break(kelvin, rng.normal(size=n), seed=k) is not None for k in range(runs))
    assert stats.binom.sf(broken - 1, runs, 0.01) > 1e-3
    assert stats.binom.cdf(broken, runs, 0.004) > 1e-3


@pytest.mark.parametrize("n", [5, 9])
def test_curvature_is_the_t_of_a_quadratic_term(n):
    # The t of a linear model with an intercept, 1/T and its square, worked out from the normal equations.
    rng = np.random.default_rng(n)
    kelvin = np.linspace(290, 380, n)
    logarithm = np.log(series(kelvin)) + 0.1 * rng.normal(size=n)
    x = 1e3 / kelvin - np.mean(1e3 / kelvin)
    design = np.column_stack([np.ones(n), x, x**2])
    solution, (rss,), *_ = np.linalg.lstsq(design, logarithm)
    t = solution[2] / np.sqrt(rss / (n - 3) * np.linalg.inv(design.T @ design)[2, 2])
    assert curvature(kelvin, logarithm) == pytest.approx(t, rel=1e-6)


# ---- phases, heating and cooling ----


def test_a_given_transition_makes_a_line_for_each_phase():
    kelvin = np.array([290.0, 300.0, 313.15, 320.0, 340.0, 355.0])
    data = transport(kelvin, jump(kelvin, at=313.15, jump=4.6))
    lines = straight_lines(data, transition=313.15)
    assert lines["phase"].values.tolist() == ["below 313.15 K", "above 313.15 K"]
    assert lines["points"].values.tolist() == [2, 4]  # the transition belongs to the phase above
    np.testing.assert_allclose(lines.activation_energy.values[:, 0], [0.9, 0.55], rtol=1e-9)
    lines = straight_lines(data, transition=[350.0, 313.15])
    assert lines["phase"].values.tolist() == ["below 313.15 K", "313.15 to 350 K", "above 350 K"]
    assert np.isnan(lines.activation_energy.values[2]).all()
    assert lines["reason"].values[2] == "needed conductivities at two temperatures, found 1"
    assert straight_lines(data, transition=250.0)["points"].values.tolist() == [0, 6]


def test_find_makes_a_line_on_each_side_of_a_break_and_one_where_there_is_none():
    rng = np.random.default_rng(2)
    kelvin = np.array([293.0, 300, 308, 318, 328, 338, 348, 358, 368])
    noise = np.exp(0.03 * rng.normal(size=9))
    data = joined(
        (kelvin, jump(kelvin, at=313, jump=4.6) * noise, "Li2OHCl", ""), (kelvin, series(kelvin) * noise, "LLZO", "")
    )
    lines = straight_lines(data, transition="find")
    assert lines["phase"].values.tolist() == ["below 313 K", "above 313 K", ""]
    one = lines.sel(convention="sigma_T")
    assert ((one.activation_energy_low < [0.9, 0.55, 0.35]) & (one.activation_energy_high > [0.9, 0.55, 0.35])).all()
    assert lines["straight"].values.all()
    assert findings_of(lines, "break-found") == [
        Finding("break-found", "Li2OHCl", "a break between 308 and 318 K (p = 0.001): a line on each side")
    ]
    told = straight_lines(data)["reason"].values
    assert "a break near 313 K is more likely" in told[0]
    assert told[1] == ""


def test_heating_and_cooling_that_differ_are_remarked_on():
    rng = np.random.default_rng(6)
    kelvin = np.linspace(300, 360, 7)

    def two(factor, energy):
        up, down = series(kelvin, 0.35, noise=0.02, rng=rng), series(kelvin, energy, noise=0.02, rng=rng)
        down *= factor * np.exp((energy - 0.35) / (K * 328))
        return straight_lines(joined((kelvin, up, "A", "heating"), (kelvin, down, "A", "cooling")))

    assert not findings_of(two(1.0, 0.35), "hysteresis")
    (higher,) = findings_of(two(1.3, 0.35), "hysteresis")
    assert higher.where == "A"
    said = re.fullmatch(r"the conductivity on cooling is (.*) times that on heating at 327 K", higher.text)
    assert float(said[1]) == pytest.approx(1.3, abs=0.05)
    (steeper,) = findings_of(two(1.0, 0.45), "hysteresis")
    said = re.fullmatch(r"barriers of sigma T are (.*) eV on heating and (.*) eV on cooling", steeper.text)
    np.testing.assert_allclose([float(said[1]), float(said[2])], [0.35, 0.45], atol=0.01)
    other = joined((kelvin, series(kelvin), "A", "heating"), (kelvin, 2 * series(kelvin), "B", "cooling"))
    assert not findings_of(straight_lines(other), "hysteresis")


def test_runs_without_noise_show_no_hysteresis():
    kelvin = np.linspace(300, 360, 7)
    cooled = kelvin[::-1] * (1 + 1e-15)
    parts = [
        part
        for k, energy in enumerate(np.linspace(0.1, 1.5, 40))
        for part in (
            (kelvin, series(kelvin, energy), str(k), "heating"),
            (cooled, series(cooled, energy), str(k), "cooling"),
        )
    ]
    assert attached(straight_lines(joined(*parts))) == []


def test_hysteresis_is_a_difference_of_more_than_three_standard_errors():
    # The height of either line in the middle, its error s sqrt(1/n + (x - mean)^2 / Sxx), and Student's t.
    rng = np.random.default_rng(12)
    kelvin, n = np.linspace(300, 360, 7), 120
    middle = (1 / 300 + 1 / 360) / 2
    parts, expected = [], []
    for k in range(n):
        height, variance = [], 0.0
        for way, factor in (("heating", 1.0), ("cooling", np.exp(0.12 * k / n))):
            sigma = factor * series(kelvin, noise=0.03, rng=rng)
            parts.append((kelvin, sigma, str(k), way))
            x, y = 1 / kelvin, np.log(sigma * kelvin)
            fit = stats.linregress(x, y)
            s2 = np.sum((y - fit.intercept - fit.slope * x) ** 2) / 5
            variance += s2 * (1 / 7 + (middle - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
            height.append(fit.intercept + fit.slope * middle)
        t = abs(height[1] - height[0]) / np.sqrt(variance)
        expected.append(2 * stats.t.sf(t, 10) < 0.0026998)  # outside of three standard errors of a normal
    assert 10 < sum(expected) < n - 10
    remarked = {
        finding.where
        for finding in findings_of(straight_lines(joined(*parts)), "hysteresis")
        if "the conductivity on cooling" in finding.text
    }
    assert remarked == {str(k) for k in range(n) if expected[k]}


def test_equal_runs_show_no_hysteresis_in_99_of_100_cases():
    # Two tests at 0.27 % each.
    rng = np.random.default_rng(9)
    kelvin, n = np.linspace(300, 360, 4), 300
    parts = [
        (kelvin, series(kelvin, noise=0.05, rng=rng), str(k), way) for k in range(n) for way in ("heating", "cooling")
    ]
    found = findings_of(straight_lines(joined(*parts)), "hysteresis")
    assert stats.binom.sf(len(found) - 1, n, 0.0054) > 1e-3


def test_findings_of_the_table_travel_on():
    data = attach(transport(STEPS, series(STEPS)), [Finding("conductivity-large", "1", "is it sigma T?")])
    assert attached(straight_lines(data)) == [Finding("conductivity-large", "1", "is it sigma T?")]


@pytest.mark.parametrize(
    ("data", "transition", "words"),
    [
        (transport([300.0], [1.0]).drop_attrs(), None, "needed the stage 'transport'"),
        (transport([300, 310], [np.nan, np.nan]), None, "needed conductivities, found none in 2 rows"),
        (transport([300, 310], [1.0, -1.0]), None, "needed conductivities and temperatures above 0"),
        (transport([300, 310], [1.0, 2.0]), "search", "found 'search'; give kelvin, such as 313.15, or \"find\""),
        (transport([300, 310], [1.0, 2.0]), [-5.0], "above 0 K, found [-5.0]"),
        (transport([300, 310], [1.0, 2.0]), [], "above 0 K, found []"),
    ],
)
def test_unusable_input_is_refused(data, transition, words):
    with pytest.raises(nd.InputError) as caught:
        straight_lines(data, transition=transition)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- the 26 series of OBELiX (Liverpool Ionics Dataset, CC BY 4.0) ----


@pytest.fixture
def conductivities():
    folder = os.environ.get("NMRDYN_REAL_DATA")
    if not folder:
        pytest.skip("NMRDYN_REAL_DATA is not set (the folder that holds conductivity/)")
    return Path(folder) / "conductivity"


def test_published_series_have_the_barriers_of_the_reference_fits_and_crooked_ones_are_flagged(conductivities):
    columns = {"temperature": "T (°C)", "target": "sigma (S/cm)", "composition": "sample", "source": "sample"}
    data = read_conductivity(conductivities / "conductivity.csv", columns=columns)
    with (conductivities / "reference_fits.csv").open(encoding="utf-8", newline="") as file:
        reference = list(csv.DictReader(file))
    lines = straight_lines(data).sel(convention="sigma_T").set_index(line="sample")
    assert lines.sizes["line"] == 26
    flagged = {}
    for row in reference:
        line = lines.sel(line=f"{row['composition'].strip()}, {row['doi']}")
        assert line["points"].item() == int(row["n"])
        # The table was made with 8.617333e-5 eV/K, 3e-8 less than k.
        assert line["activation_energy"].item() == pytest.approx(float(row["Ea_sigmaT_eV"]), abs=1e-6)
        assert line["rms"].item() == pytest.approx(float(row["rms_ln"]), abs=1e-6)
        if row["Ea_err_eV"]:
            assert line["activation_energy_stderr"].item() == pytest.approx(float(row["Ea_err_eV"]), abs=1e-6)
        if float(row["rms_ln"]) > 0.3 or not line["straight"]:
            flagged[row["composition"].strip().strip('"')] = line["reason"].item()
    assert sorted(flagged) == [
        "(Li2O)16.6 (SiO2)83.4",
        "(Li2S)0.8 (P2S5)0.2",
        "Li0.8La0.066Zr2(PO4)3",
        "Li1.4S2.2P0.6",
        "Li6FeCl8",
    ]
    assert all(reason.startswith("no single barrier: points scatter by") for reason in flagged.values())
    # It falls by 54 % in one step, which is no more than its scatter.
    assert flagged["(Li2S)0.8 (P2S5)0.2"] == "no single barrier: points scatter by 0.42 (rms) in ln(sigma T)"
    assert "the barrier grows on heating" in flagged["Li0.8La0.066Zr2(PO4)3"]


# ---- figure ----


def test_the_figure_has_points_lines_bands_and_barriers():
    kelvin = np.array([293.0, 300, 308, 318, 328, 338, 348])
    sigma = jump(kelvin, at=313, jump=4.6) * np.exp(0.05 * np.random.default_rng(3).normal(size=7))
    data = transport([*kelvin, 320.0], [*sigma, np.nan], error=0.1)  # and a row without a conductivity
    lines = straight_lines(data, transition=313.0)
    axes = conductivity_lines(data, lines)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    e, error = lines.activation_energy.values[:, 0], lines.activation_energy_stderr.values[:, 0]
    assert texts == [
        f"below 313 K, E(σT) = {e[0]:.3f} ± {error[0]:.3f} eV",
        f"above 313 K, E(σT) = {e[1]:.3f} ± {error[1]:.3f} eV",
    ]
    assert (axes.get_yscale(), axes.get_ylabel(), axes.get_xlabel()) == ("log", "σT / (S K/m)", "1000 K / T")
    drawn = [container.lines[0] for container in axes.containers]
    np.testing.assert_allclose(np.concatenate([line.get_ydata() for line in drawn]), sigma * kelvin)
    # The band of a line at one 1/T is that of statsmodels and textbooks: t s sqrt(1/n + (x - mean)^2 / Sxx).
    x, y = 1 / kelvin[3:], np.log(sigma * kelvin)[3:]
    fit = stats.linregress(x, y)
    s = np.sqrt(np.sum((y - fit.intercept - fit.slope * x) ** 2) / 2)
    at = x.min()
    reach = stats.t.ppf(0.975, 2) * s * np.sqrt(1 / 4 + (at - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    corners = axes.collections[-1].get_paths()[0].vertices if len(axes.collections) else None
    edge = corners[np.isclose(corners[:, 0], 1000 * at)][:, 1]
    np.testing.assert_allclose(np.log(edge.max() / edge.min()), 2 * reach, rtol=1e-6)


# ---- the command ----

TABLE = """sample, direction, T (°C), sigma (S/m)
A, heating, 20, 1.0e-5
A, heating, 30, 2.1e-5
A, heating, 60, 9.9e-4
A, heating, 80, 2.4e-3
A, heating, 100, 5.1e-3
B, , 20, 1e-4
B, , 40, 2e-4
B, , 60, 4.1e-4
"""


def printed(capsys, *arguments, status=0):
    assert main(["sigma", *map(str, arguments)]) == status
    return capsys.readouterr()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "eis.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_command_prints_a_row_a_line_in_both_conventions(capsys, table):
    out = printed(capsys, table, "--sample", "B").out.splitlines()
    assert out[0].split() == ["sample", "T/K", "n", "E(sigma", "T)/eV", "95", "%", "E(sigma)/eV", "rms"]
    kelvin, sigma = 273.15 + np.array([20, 40, 60]), np.array([1e-4, 2e-4, 4.1e-4])
    e = [-K * stats.linregress(1 / kelvin, np.log(value)).slope for value in (sigma * kelvin, sigma)]
    assert f"{e[0]:.3f} ± " in out[1]
    assert f"{e[1]:.3f} ± " in out[1]
    assert "293.15 to 333.15" in out[1]
    assert len(out) == 2


def test_command_prints_json_with_null_for_what_is_not_known(capsys, table, tmp_path):
    arguments = ("--sample", "A", "--direction", "heating", "--transition", "40°C", "--json")
    below, above = json.loads(printed(capsys, table, *arguments).out)
    assert (below["sample"], below["direction"], below["phase"]) == ("A", "heating", "below 313.15 K")
    assert (below["points"], below["activation_energy_sigma_T_stderr_eV"]) == (2, None)
    assert (above["points"], above["straight"], above["reason"], above["part"]) == (3, True, "", "total")
    assert above["activation_energy_sigma_T_low_eV"] < above["activation_energy_sigma_T_eV"]
    assert above["activation_energy_sigma_eV"] == pytest.approx(
        above["activation_energy_sigma_T_eV"] - K * 353, abs=5e-4
    )
    (found,) = (
        row for row in json.loads(printed(capsys, table, "--transition", "find", "--json").out) if row["sample"] == "B"
    )
    assert found["phase"] == ""
    assert found["warnings"] == []
    kelvin = np.array([293.15, 300.15, 308.15, 318.15, 328.15, 338.15, 348.15])
    noise = np.exp(0.02 * np.random.default_rng(1).normal(size=7))
    rows = [("A", t, s) for t, s in zip(kelvin, jump(kelvin, at=313, jump=4.6) * noise, strict=True)]
    rows += [("B", t, s) for t, s in zip(kelvin, series(kelvin, ln_prefactor=5) * noise, strict=True)]
    broken = tmp_path / "broken.csv"
    broken.write_text("sample,T (K),sigma (S/m)\n" + "".join(f"{n},{t},{s}\n" for n, t, s in rows), encoding="utf-8")
    warned = {
        row["sample"]: row["warnings"]
        for row in json.loads(printed(capsys, broken, "--transition", "find", "--json").out)
    }
    assert warned["B"] == []
    assert [text.startswith("a break between 308.15 and 318.15 K") for text in warned["A"]] == [True]


def test_command_keeps_bulk_and_grain_boundary_apart(capsys, tmp_path):
    kelvin = np.array([290.0, 300.0, 310.0, 320.0])
    rows = zip(kelvin, *(1 / series(kelvin, energy, ln_prefactor=8) for energy in (0.3, 0.5)), strict=True)
    path = tmp_path / "parts.csv"
    path.write_text("T (K);R_bulk (ohm);R_gb (ohm)\n" + "".join(f"{t};{a};{b}\n" for t, a, b in rows), encoding="utf-8")
    for part, energy in (("bulk", 0.3), ("grain_boundary", 0.5)):
        cell = ("--thickness", "1mm", "--area", "1mm^2", "--json")
        (line,) = json.loads(printed(capsys, path, "--part", part, *cell).out)
        assert (line["part"], line["activation_energy_sigma_T_eV"]) == (part, pytest.approx(energy, abs=1e-9))


def test_command_reads_resistances_with_a_geometry_and_renamed_columns(capsys, tmp_path):
    # R = L / (sigma A): 0.9 mm thick, radius 0.5 cm.
    kelvin = np.array([290.0, 300.0, 310.0, 320.0])
    path = tmp_path / "r.csv"
    ohm = 0.9e-3 / (np.pi * 0.5e-2**2) / series(kelvin)
    path.write_text(
        "temp;value\n" + "".join(f"{t};{r!r}\n" for t, r in zip(kelvin, ohm.tolist(), strict=True)), encoding="utf-8"
    )
    columns = ("--columns", "temp=T (K)", "--columns", "value=R (ohm)")
    (line,) = json.loads(printed(capsys, path, *columns, "--thickness", "0.9mm", "--radius", "0.5cm", "--json").out)
    assert line["activation_energy_sigma_T_eV"] == pytest.approx(0.35, abs=1e-9)
    assert line["log10_prefactor_sigma_T"] == pytest.approx(25 / np.log(10), rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.csv",), "none.csv"),
        (
            ("eis.csv", "--thickness", "0.9mm"),
            "needed --thickness and one of --radius, --diameter and --area, found --thickness",
        ),
        (("eis.csv", "--columns", "target"), "--columns: needed HEAD=NAME such as"),
        (("eis.csv", "--transition", "40"), "--transition: needed a temperature with a unit"),
        (("eis.csv", "--sample", "Z"), "Z"),
    ],
)
def test_command_refuses_in_one_line(capsys, table, monkeypatch, arguments, words):
    monkeypatch.chdir(table.parent)
    err = printed(capsys, *arguments, status=2).err
    assert words in err
    assert err.count("\n") == 1


def test_command_help_has_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["sigma", "--help"])
    assert "examples: nmrdyn sigma eis.csv" in " ".join(capsys.readouterr().out.split())
