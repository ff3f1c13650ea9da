"""The shipped calibration in small: 100 studies, and the tools that judge 1,000."""

from dataclasses import replace

import calibration
import numpy as np
import pytest
from sbc import results, scenarios, uniformity
from sbc.posteriors import METHODS
from scipy.stats import binom, chi2, kstest, norm

import nmrdyn as nd

MIX = {"slow": 30, "fast": 30, "minimum": 30, "two nuclei": 10}
BOLTZMANN_EV = 8.617333262145179e-5  # eV/K, exact in the SI of 2019


def line_holds(study):
    """Whether a weighted straight line through ln tau_c against 1/kT, as papers draw it, holds Ea at nominal 95 %."""
    (process,) = study.processes
    relaxation = nd.fit_recovery(process.data, process.recovery)
    good = np.isfinite(relaxation.t1.values)
    t1, stderr = relaxation.t1.values[good], relaxation.t1_stderr.values[good]
    inverse = 1 / (BOLTZMANN_EV * relaxation.temperature.values[good])
    _, tau = process.mechanism.correlation_times(t1, relaxation.larmor_frequency.values[good])
    # On the slow flank tau_c is proportional to T1, and its relative error is that of T1.
    (slope, _), covariance = np.polyfit(inverse, np.log(tau), 1, w=t1 / stderr, cov="unscaled")
    return abs(slope - study.quantities["Ea"].truth) < norm.ppf(0.975) * np.sqrt(covariance[0, 0])


@pytest.mark.slow
def test_intervals_of_100_studies_hold_the_truth_and_a_straight_line_does_not():
    # P(87 hits or fewer of 100 at a true 95 %) = 1.5e-3.
    assert binom.cdf(87, 100, 0.95) == pytest.approx(1.5e-3, rel=0.05)
    hits = dict.fromkeys(MIX, 0)
    for name, n in MIX.items():
        for seed in range(1, n + 1):
            rows = calibration.infer_study(calibration.Task(name, seed, ("importance",)))
            assert not [row.note for row in rows if row.note]
            rank = {row.quantity: row.rank for row in rows}
            hits[name] += abs(rank.get("Ea of Na - B", rank.get("Ea")) - 0.5) < 0.475
    assert sum(hits.values()) >= 88, hits
    # The line knows neither temperature errors nor scatter, and should hold about half: P(more than 23 of 30) = 7e-4.
    assert sum(line_holds(scenarios.study("slow", seed)) for seed in range(1, 31)) <= 23


@pytest.mark.parametrize("n", [100, 250])
def test_uniform_ranks_leave_the_band_in_5_percent_of_cases(n):
    low, high = uniformity.band(n)
    rng = np.random.default_rng(1)
    left, p = [], []
    for rank in rng.random((4000, n)):
        ecdf = uniformity.counts(rank) / n
        left.append(bool(np.any((ecdf < low - 1e-12) | (ecdf > high + 1e-12))))
        if len(p) < 150 or left[-1]:
            p.append(uniformity.p_value(rank))
    # The statistic is discrete: the band is the narrowest that at most 5 % leave, and falls short of it by 0.1 %.
    error = np.sqrt(0.05 * 0.95 / 4000)
    assert 0.049 - 4 * error < np.mean(left) < 0.05 + 4 * error
    # Out of the band and p below 5 % are one thing.
    assert np.sum(np.array(p) <= 0.05) == np.sum(left)
    assert np.mean(np.array(p[:150]) <= 0.5) == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 150))


def test_two_ranks_have_the_probability_that_counting_gives():
    # Two ranks on the grid of hundredths, all 100 x 100 cells counted: how extreme is the pair (0.005, 0.025)?
    grid, cells = np.arange(1, 100) / 100, (np.arange(100) + 0.5) / 100

    def extreme(count):
        binomial = binom(2, grid)
        return (2 * np.minimum(binomial.cdf(count), binomial.sf(count - 1))).min(axis=-1)

    below = (cells[:, None] <= grid).astype(int)
    all_pairs = extreme(below[:, None] + below[None])
    observed = extreme(below[0] + below[2])
    expected = np.mean(all_pairs <= observed * (1 + 1e-12))
    assert uniformity.p_value(np.array([0.005, 0.025])) == pytest.approx(expected, rel=1e-9, abs=0)


@pytest.mark.parametrize(("width", "shift"), [(1.25, 0.0), (0.8, 0.0), (1.0, 0.2)])
def test_posteriors_too_narrow_too_wide_or_off_are_found(width, shift):
    z = np.random.default_rng(2).standard_normal(1000)
    assert uniformity.p_value(norm.cdf(width * z + shift)) < 1e-3
    assert uniformity.p_value(norm.cdf(z)) > 0.01


def test_coverage_counts_central_intervals():
    rank = np.array([0.01, 0.03, 0.2, 0.4, 0.5, 0.6, 0.8, 0.9, 0.97, 0.999])
    assert uniformity.coverage(rank, 0.95)[0] == 0.8
    assert uniformity.coverage(rank, 0.5)[0] == 0.3
    assert uniformity.coverage(rank, 0.9)[1] == pytest.approx(np.sqrt(0.9 * 0.1 / 10), rel=1e-12)


def test_weighted_rank_is_the_posterior_probability_below_the_truth():
    # Draws of a uniform weighed as a standard normal.
    x = np.random.default_rng(3).uniform(-6, 6, 200_000)
    weight = norm.pdf(x) / norm.pdf(x).sum()
    for truth in (-1.5, 0.0, 0.7):
        assert uniformity.weighted_rank(x, weight, truth) == pytest.approx(norm.cdf(truth), abs=0.01)


def test_thinned_ranks_are_uniform_where_chains_are_autocorrelated():
    # AR(1) with an autocorrelation time of 19 draws and a standard normal for its stationary distribution.
    rng = np.random.default_rng(4)
    n, length, memory = 400, 4000, 0.9
    chain = np.empty((length, n))
    chain[0] = rng.standard_normal(n)
    for i in range(1, length):
        chain[i] = memory * chain[i - 1] + np.sqrt(1 - memory**2) * rng.standard_normal(n)
    ranks = np.array(
        [uniformity.thinned_rank(one, t, rng) for one, t in zip(chain.T, rng.standard_normal(n), strict=True)]
    )
    assert uniformity.p_value(ranks) > 0.01
    assert 0 < uniformity.thinned_rank(chain[:, 0], -100.0, rng) < 0.01
    assert 0.99 < uniformity.thinned_rank(chain[:, 0], 100.0, rng) < 1


def run(folder, *arguments):
    calibration.main(["--scenario", "conductivity", "--jobs", "1", "--out", str(folder), *arguments])
    return (folder / "calibration.csv").read_text(encoding="utf-8").splitlines()


def test_a_run_goes_on_where_it_stopped_and_repeats_nothing(tmp_path, capsys):
    first = run(tmp_path, "--studies", "3", "--emcee", "1")
    assert len(first) == 1 + 2 * (3 + 1)  # two quantities a study and method
    more = run(tmp_path, "--studies", "5", "--emcee", "1")
    assert more[: len(first)] == first
    assert [line.split(",")[:3] for line in more[len(first) :: 2]] == [["conductivity", "importance", s] for s in "45"]
    assert run(tmp_path, "--studies", "5", "--emcee", "1") == more
    assert run(tmp_path, "--studies", "9", "--emcee", "9", "--minutes", "0") == more
    page = (tmp_path / "calibration.md").read_text(encoding="utf-8")
    assert "| conductivity | importance | Ea | 5 | 0 | 0 |" in page
    assert page in capsys.readouterr().out
    assert (tmp_path / "calibration.svg").stat().st_size > 10_000
    # Both methods see one posterior: means agree within five Monte Carlo errors of 1,000 draws.
    ours = results.load(tmp_path / "calibration.csv").query("seed == 1 and quantity == 'Ea'").set_index("method")
    assert abs(ours["mean"].diff().iloc[1]) < 5 * ours["sd"].max() / np.sqrt(1000)
    assert ours.loc["emcee", "sd"] == pytest.approx(ours.loc["importance", "sd"], rel=0.15)
    assert ours["truth"].nunique() == 1


def test_a_study_is_that_of_its_seed():
    one, same, other = (scenarios.study("minimum", seed) for seed in (7, 7, 8))
    assert one.processes[0].data.identical(same.processes[0].data)
    assert one.quantities == same.quantities
    assert one.quantities != other.quantities


def test_studies_that_raise_are_counted_as_failed_and_not_repeated(tmp_path, monkeypatch):
    draw, seen = scenarios.SCENARIOS["conductivity"].draw, []

    def sometimes(rng):
        seen.append(rng)
        if len(seen) == 2:
            raise nd.InputError("nothing, here\n| to see")
        return draw(rng)

    def never(found):
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setitem(
        scenarios.SCENARIOS, "conductivity", replace(scenarios.SCENARIOS["conductivity"], draw=sometimes)
    )
    monkeypatch.setitem(METHODS, "emcee", never)
    lines = run(tmp_path, "--studies", "4", "--emcee", "1")
    table = results.summarise(results.load(tmp_path / "calibration.csv")).set_index(["method", "quantity"])
    assert table.loc[("importance", "Ea"), ["studies", "failed"]].tolist() == [3, 1]
    assert table.loc["emcee", "failed"].tolist() == [1]
    assert table.loc["emcee", "studies"].tolist() == [0]
    assert sum("InputError: nothing, here | to see" in line for line in lines) == 1
    assert sum("LinAlgError: singular" in line for line in lines) == 1
    assert run(tmp_path, "--studies", "4", "--emcee", "1") == lines
    assert len(seen) == 4


LEVELS = nd.PopulationRecovery(spin=1.5, interaction="quad", initial="all_sat", observed="ct")


@pytest.mark.parametrize("populations", [None, LEVELS])
def test_scatter_is_a_change_of_the_clock_of_each_recovery(sodium, populations):
    # ln T1 larger by s: the recovery at t is the one without scatter at t exp(-s), whatever its shape.
    scatter, delays = np.array([0.3, -0.2]), np.geomspace(0.01, 20, 7)
    truth = replace(sodium, temperature=[313.15, 333.15], delays=delays, recovery=populations)
    moved = replace(truth, log_scatter=scatter)
    np.testing.assert_allclose(moved.t1 / truth.t1, np.exp(scatter), rtol=1e-13)
    scaled = replace(truth, delays=delays * np.exp(-scatter)[:, None])  # delays of their own for each experiment
    np.testing.assert_array_equal(scaled.delay, delays * np.exp(-scatter)[:, None])
    np.testing.assert_allclose(moved.recovered, scaled.recovered, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(moved.correlation_time, truth.correlation_time)


def test_scatter_of_a_conductivity():
    truth = nd.ConductivityTruth(
        activation_energy=0.4, conductivity=1e-2, reference_temperature=330.0, temperature=[300.0, 330.0]
    )
    moved = replace(truth, log_scatter=[0.1, -0.05])
    np.testing.assert_allclose(moved.exact / truth.exact, np.exp([0.1, -0.05]), rtol=1e-13)


def test_noise_is_measured_with_its_degrees_of_freedom_and_may_exceed_what_is_measured(sodium):
    n, dof = 2000, 12
    truth = replace(sodium, temperature=[333.15] * n, snr=50, noise_dof=dof, excess_noise=3.0)
    data = nd.simulate(truth, seed=1)
    stderr = data.signal_stderr.values
    np.testing.assert_array_equal(stderr, stderr[:, :1] * np.ones(16))
    np.testing.assert_array_equal(data.noise_dof, dof)
    assert kstest(dof * (50 * stderr[:, 0]) ** 2, chi2(dof).cdf).pvalue > 1e-3
    z = (data.signal.values - truth.recovered) * 50 / 3
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * z.size)  # four standard errors of a standard deviation
