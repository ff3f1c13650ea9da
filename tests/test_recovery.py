import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq, curve_fit

import nmrdyn as nd
from nmrdyn.findings import Finding, attach
from nmrdyn.recovery.checks import one_spin_three_halves

MODELS = {"single": nd.SingleExponential(), "stretched": nd.StretchedExponential()}


def with_signal(recovery, signal, stderr=None):
    """The same recovery with other intensities."""
    changed = recovery.copy(deep=True)
    changed["signal"][:] = signal
    if stderr is not None:
        changed["signal_stderr"][:] = stderr
    return changed


def exact(truth, model):
    """Fit of a recovery without noise."""
    return nd.fit_recovery(with_signal(nd.simulate(truth, seed=1), truth.recovered), model)


# Depth 1 saturated, 2 inverted, 0.83 a saturation that leaves 17 %, 1.7 an imperfect inversion.
@pytest.mark.parametrize("depth", [1.0, 2.0, 0.83, 1.7])
@pytest.mark.parametrize(("model", "beta"), [("single", 1.0), ("stretched", 1.0), ("stretched", 0.6)])
def test_noise_free_recovery_is_recovered(sodium, depth, model, beta):
    truth = replace(sodium, depth=depth, beta=beta)
    for relaxation in (exact(truth, model), exact(truth, MODELS[model])):
        assert relaxation.t1.item() == pytest.approx(truth.t1[0], rel=1e-6, abs=0)
        assert relaxation.depth.item() == pytest.approx(depth, rel=1e-6, abs=0)
        assert relaxation.amplitude.item() == pytest.approx(1.0, rel=1e-6, abs=0)
        np.testing.assert_allclose(relaxation.fit.values, truth.recovered, atol=1e-6)
        if model == "stretched":
            assert relaxation.beta.item() == pytest.approx(beta, rel=1e-6, abs=0)
        else:
            assert np.isnan(relaxation.beta.item())
    assert (relaxation.converged.item(), relaxation.reason.item()) == (True, "")
    assert (relaxation.attrs["stage"], relaxation.t1.attrs["units"]) == ("relaxation", "s")


@pytest.mark.parametrize("scale", [1e-9, 3e5])
def test_t1_does_not_depend_on_the_scale_of_the_signal(sodium, scale):
    recovery = nd.simulate(sodium, seed=3)
    scaled = with_signal(recovery, recovery.signal * scale, recovery.signal_stderr * scale)
    one, other = nd.fit_recovery(recovery, "single"), nd.fit_recovery(scaled, "single")
    for name in ("t1", "t1_stderr", "depth", "reduced_chi2"):
        assert other[name].item() == pytest.approx(one[name].item(), rel=1e-6, abs=0), name
    assert other.amplitude.item() == pytest.approx(one.amplitude.item() * scale, rel=1e-6, abs=0)


# I = 3/2 on the slow flank, W1 = 4 W2, so that exp(-2 W1 t) and exp(-2 W2 t) decay at 5/2 and 5/8 of 1/T1. Closed
# biexponentials: all levels saturated, total signal 1 - (e1 + 4 e2)/5; central transition alone 1 - (e1 + e2)/2.
# The ratios 1.206 and 0.760 and the exponents are those of independent three- and four-parameter fits to these curves.
@pytest.mark.parametrize(
    ("weights", "ratio", "beta"), [((0.2, 0.8), 1.206, 0.869), ((0.5, 0.5), 0.760, 0.806)], ids=["total", "central"]
)
def test_single_exponential_is_biased_for_spin_three_halves_on_the_slow_flank(sodium, weights, ratio, beta):
    t1 = sodium.t1[0]
    truth = replace(sodium, delays=list(t1 * np.geomspace(0.01, 8, 24)))
    time = truth.delay[0] / t1
    curve = 1 - weights[0] * np.exp(-2.5 * time) - weights[1] * np.exp(-0.625 * time)
    recovery = with_signal(nd.simulate(truth, seed=1), curve)
    single = nd.fit_recovery(recovery, "single").t1.item() / t1
    assert single == pytest.approx(ratio, abs=5e-4)  # three decimals are given
    other, _ = curve_fit(lambda t, a, d, tau: a * (1 - d * np.exp(-t / tau)), time, curve, p0=(1, 1, 1), xtol=1e-12)
    assert single == pytest.approx(other[2], rel=1e-6, abs=0)
    assert nd.fit_recovery(recovery, "stretched").beta.item() == pytest.approx(beta, abs=5e-4)


def z_scores(relaxation, truth):
    return (relaxation.t1.values - truth.t1) / relaxation.t1_stderr.values


def test_t1_stderr_matches_the_scatter_of_t1(sodium):
    truth = replace(sodium, temperature=[333.15] * 300, snr=200)
    relaxation = nd.fit_recovery(nd.simulate(truth, seed=11), "single")
    ratio = np.std(relaxation.t1.values, ddof=1) / np.sqrt(np.mean(relaxation.t1_stderr.values**2))
    # The scatter of n values follows chi with n - 1 degrees of freedom: 0.1 % on either side.
    low, high = np.sqrt(stats.chi2.ppf([0.001, 0.999], 299) / 299)
    assert low < ratio < high
    # Noise as claimed: an F test at 1 % calls about 1 % of the traces worse, binomially.
    assert np.sum(relaxation.reason.values != "") <= stats.binom.ppf(0.999, 300, 0.01)
    # chi-square of 300 * 13 degrees of freedom.
    low, high = stats.chi2.ppf([0.001, 0.999], 300 * 13) / (300 * 13)
    assert low < relaxation.reduced_chi2.values.mean() < high


# Noise known to 400 degrees of freedom; noise estimated with 5; noise not measured at all: error from 3 residuals.
@pytest.mark.parametrize("noise_dof", [400, 5, 0])
def test_student_t_intervals_cover_at_their_level(sodium, noise_dof):
    n = 300
    truth = replace(sodium, temperature=[333.15] * n, snr=200, delays=list(sodium.t1[0] * np.geomspace(0.1, 5, 6)))
    recovery = nd.simulate(truth, seed=12)
    recovery["noise_dof"][:] = noise_dof
    if noise_dof == 0:
        recovery["signal_stderr"][:] = np.nan
    else:
        spread = np.sqrt(np.random.default_rng(13).chisquare(noise_dof, n) / noise_dof)
        recovery["signal_stderr"][:] = recovery.signal_stderr.values * spread[:, None]
    relaxation = nd.fit_recovery(recovery, "single")
    good = relaxation.reason.values == "" if noise_dof else np.ones(n, dtype=bool)
    np.testing.assert_array_equal(relaxation.t1_dof.values[good], noise_dof + 3)
    inside = np.abs(z_scores(relaxation, truth)) < stats.t.ppf(0.975, relaxation.t1_dof.values)
    # 0.1 % on either side of a binomial with 300 trials at 95 %.
    low, high = stats.binom.ppf([0.001, 0.999], n, 0.95)
    assert low <= inside.sum() <= high
    if noise_dof == 0:
        assert all("noise was not measured" in reason for reason in relaxation.reason.values)
        assert np.all(np.isnan(relaxation.reduced_chi2.values))


def test_residuals_above_the_noise_scale_the_error(sodium):
    recovery = nd.simulate(replace(sodium, snr=40), seed=5)
    claimed = with_signal(recovery, recovery.signal, 1 / 200)  # a fifth of the true noise
    unknown = with_signal(recovery, recovery.signal, np.nan)
    scaled, residual = nd.fit_recovery(claimed, "single"), nd.fit_recovery(unknown, "single")
    chi2 = float(np.sum(((recovery.signal - scaled.fit) * 200) ** 2))
    assert scaled.t1_dof.item() == recovery.sizes["increment"] - 3
    assert scaled.reduced_chi2.item() == pytest.approx(chi2 / 13, rel=1e-9, abs=0)
    assert f"residuals are {np.sqrt(chi2 / 13):.1f} times the measured noise" in scaled.reason.item()
    low, high = stats.chi2.ppf([0.001, 0.999], 13)
    assert low < chi2 / 25 < high  # five times the noise
    # The claimed noise drops out of the error.
    assert scaled.t1_stderr.item() == pytest.approx(residual.t1_stderr.item(), rel=1e-6, abs=0)


def test_residuals_within_the_noise_are_pooled_with_it(sodium):
    recovery = nd.simulate(replace(sodium, snr=200), seed=6)
    unknown = nd.fit_recovery(with_signal(recovery, recovery.signal, np.nan), "single")
    for overclaim in (1.0, 5.0):
        claimed = with_signal(recovery, recovery.signal, overclaim / 200)
        claimed["noise_dof"][:] = 24
        pooled = nd.fit_recovery(claimed, "single")
        chi2 = float(np.sum(((recovery.signal - pooled.fit) * 200 / overclaim) ** 2))
        # Closed form of a pooled variance, against that of the residuals alone, chi2 / 13.
        expected = unknown.t1_stderr.item() * np.sqrt((24 + chi2) / (24 + 13) / (chi2 / 13))
        assert pooled.t1_stderr.item() == pytest.approx(expected, rel=1e-6, abs=0)
        assert (pooled.t1_dof.item(), pooled.reason.item()) == (37, "")


def test_failed_fits_are_nan_rows_with_a_reason_and_leave_the_others_alone(sodium):
    t1 = sodium.t1[0]
    recovery = nd.simulate(replace(sodium, temperature=[333.15] * 6, snr=1e4), seed=8)
    alone = nd.fit_recovery(recovery, "single")
    signal, delay = recovery.signal.values, recovery.delay.values
    signal[0, 3:] = np.nan  # three rows
    signal[1] = np.exp(-delay[1] / t1)  # a decay
    signal[2] = delay[2] / (1000 * t1)  # a recovery far slower than the delays: a straight line
    signal[4] = np.where(np.arange(16) == 0, 0.0, 1.0)  # a recovery far faster than the delays: a step
    delay[4, 0] = 0.0
    relaxation = nd.fit_recovery(recovery, "single")
    failed = [0, 1, 2, 4]
    assert np.all(np.isnan(relaxation.t1[failed]))
    assert np.all(np.isnan(relaxation.t1_stderr[failed]))
    np.testing.assert_array_equal(relaxation.converged, [i not in failed for i in range(6)])
    np.testing.assert_array_equal(relaxation.rows_used, [3, 16, 16, 16, 16, 16])
    reasons = relaxation.reason.values
    assert reasons[0] == "needed at least 4 rows for the model single, found 3"
    assert "not a recovery" in reasons[1]
    assert "T1 is not within a factor of 30 of the delays" in reasons[2]
    assert "T1 is not within a factor of 30 of the delays" in reasons[4]
    for name in ("t1", "t1_stderr", "amplitude", "depth", "t1_dof"):
        np.testing.assert_array_equal(relaxation[name][[3, 5]], alone[name][[3, 5]])


def test_too_few_rows_or_different_delays_give_no_t1(sodium):
    recovery = nd.simulate(replace(sodium, temperature=[333.15] * 2, snr=1e4), seed=8)
    recovery["signal"][0, 4:] = np.nan  # four rows: enough for three parameters, not for four
    recovery["delay"][1] = np.where(np.arange(16) < 8, 1.0, 4.0)
    single, stretched = nd.fit_recovery(recovery, "single"), nd.fit_recovery(recovery, "stretched")
    assert np.isfinite(single.t1[0])
    assert single.t1_dof[0] == 400 + 1
    assert stretched.reason.values[0] == "needed at least 5 rows for the model stretched, found 4"
    assert single.reason.values[1] == "needed at least 3 different delays, found 2"
    assert np.all(np.isnan([single.t1[1], stretched.t1[0], stretched.t1[1]]))


@pytest.mark.parametrize("stderr", [0.01, np.nan], ids=["noise measured", "noise not measured"])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_flat_signal_is_a_nan_row_with_a_reason(sodium, level, stderr):
    relaxation = nd.fit_recovery(with_signal(nd.simulate(sodium, seed=1), level, stderr), "single")
    assert np.isnan(relaxation.t1.item())
    assert relaxation.reason.item()


def test_negative_delays_are_a_nan_row_with_a_reason(sodium):
    recovery = nd.simulate(sodium, seed=1)
    recovery["delay"][:] = -recovery.delay
    relaxation = nd.fit_recovery(recovery, "single")
    assert np.isnan(relaxation.t1.item())
    assert relaxation.reason.item()


def codes(relaxation):
    """Findings: code -> (where, text)."""
    return {entry["code"]: (entry["where"], entry["text"]) for entry in json.loads(relaxation.attrs["warnings"])}


def test_auto_prefers_the_stretched_exponential_for_a_stretched_recovery(sodium):
    relaxation = nd.fit_recovery(nd.simulate(replace(sodium, beta=0.6, snr=200), seed=9), "auto")
    assert relaxation.model.item() == "stretched"
    # The likelihood ratios decide: residuals of the single one are many times the noise; two exponentials come near, at
    # the cost of one parameter more.
    weight = relaxation.model_weight.squeeze()
    assert weight.sel(candidate="single").item() < 1e-9
    assert weight.sel(candidate="stretched").item() > 0.9
    assert weight.sum().item() == pytest.approx(1, rel=1e-12, abs=0)
    assert relaxation.beta.item() == pytest.approx(0.6, abs=4 * relaxation.beta_stderr.item())
    assert relaxation.t1.item() == pytest.approx(sodium.t1[0], abs=4 * relaxation.t1_stderr.item())
    assert relaxation.t1_meaning.item() == "T1* (1/e time of a stretched exponential)"
    assert "model-undecided" not in codes(relaxation)
    better = nd.fit_recovery(nd.simulate(replace(sodium, beta=0.6, snr=1000), seed=9))
    assert better.model_weight.sel(candidate="stretched").item() > 0.999


def two_sites(sodium, snr, n=1, seed=1, ratio=20.0, fraction=0.5, nucleus="11B"):
    """Two exponentials, the longer with T1 = 1 s, at 24 delays of 0.01 to 8 s."""
    truth = replace(sodium, temperature=[333.15] * n, delays=list(np.geomspace(0.01, 8, 24)), snr=snr)
    recovery = nd.simulate(truth, seed=seed)
    left = fraction * np.exp(-truth.delay) + (1 - fraction) * np.exp(-ratio * truth.delay)
    recovery["signal"][:] += 1 - left - truth.recovered
    recovery.attrs["nucleus"] = nucleus
    return recovery


def test_auto_prefers_two_exponentials_for_two_sites(sodium):
    relaxation = nd.fit_recovery(two_sites(sodium, 300))
    assert relaxation.model.item() == "bi"
    assert relaxation.model_weight.sel(candidate="bi").item() > 0.999
    # Half is left of the slow site alone at 1/e: exp(-t)/2 + exp(-20 t)/2 = 1/e.
    expected = brentq(lambda t: (np.exp(-t) + np.exp(-20 * t)) / 2 - np.exp(-1), 0.1, 1)
    assert relaxation.t1.item() == pytest.approx(expected, abs=4 * relaxation.t1_stderr.item())
    assert relaxation.t1_meaning.item() == "time at which 1/e is left to recover"
    assert codes(relaxation)["exponentials-t1"][0] == "1"


def test_a_model_that_does_not_know_its_t1_does_not_make_the_error_of_another(sodium):
    # Two exponentials have a weight of some per cent where there is one, and now and then a T1 known to a factor of e.
    recovery = nd.simulate(replace(sodium, temperature=np.full(300, 330.0), snr=40), seed=3)
    auto, single = nd.fit_recovery(recovery), nd.fit_recovery(recovery, "single")
    same = auto["model"].values == "single"
    assert same.mean() > 0.6
    ratio = (auto["t1_stderr"] / single["t1_stderr"]).values[same]
    assert ratio.min() > 0.99  # the other models may be a little surer
    assert np.quantile(ratio, 0.99) < 3  # it was 13 when every model was heard


def test_auto_weighs_the_models_and_carries_what_they_say_otherwise(sodium):
    n = 10
    recovery = nd.simulate(replace(sodium, temperature=[333.15] * n, snr=200), seed=10)
    relaxation = nd.fit_recovery(recovery)
    # AICc of least squares (Hurvich and Tsai 1989), 16 rows, k parameters of which the variance is one:
    # 16 ln(chi2) + 2k + 2k(k+1)/(16-k-1). The weight of a model is exp(-AICc/2) over the sum of them, 0 without a fit.
    fits = {model: nd.fit_recovery(recovery, model) for model in ("single", "stretched", "bi")}
    likelihoods, t1s, variances = [], [], []
    for (model, fit), k in zip(fits.items(), (4, 5, 6), strict=True):
        chi2 = np.sum((recovery.signal - fit.fit).values ** 2 * 200**2, axis=1)
        criterion = 16 * np.log(chi2) + 2 * k + 2 * k * (k + 1) / (15 - k)
        likelihoods.append(np.where(fit.converged, np.exp(-criterion / 2), 0.0))
        t1s.append(fit.t1.values)
        variances.append((fit.t1_stderr / fit.t1).values ** 2)
        assert relaxation.model_weight.candidate.values[k - 4] == model
    weights, t1s, variances = np.array(likelihoods) / np.sum(likelihoods, axis=0), np.array(t1s), np.array(variances)
    np.testing.assert_allclose(relaxation.model_weight.values.T, weights, rtol=1e-6)
    assert 0 < np.sum(weights[2] == 0) < n  # some two-exponential fits say nothing, some do
    # T1 is that of the best, its relative variance the weighted mean of those of the models and of what separates them.
    best = np.argmax(weights, axis=0)
    np.testing.assert_array_equal(relaxation.model.values, np.array(list(fits))[best])
    np.testing.assert_allclose(relaxation.t1, t1s[best, np.arange(n)], rtol=1e-12)
    spread = np.where(weights > 0, weights * (variances + np.log(t1s / relaxation.t1.values) ** 2), 0).sum(axis=0)
    np.testing.assert_allclose(relaxation.t1_stderr, relaxation.t1 * np.sqrt(spread), rtol=1e-6)
    assert np.all(np.abs(z_scores(relaxation, sodium)) < 3.5)
    # beta costs 4.364, so that single data are called stretched where 16 ln(1 + F/12) > 4.364 with F of 1 and 12
    # degrees of freedom: 7.6 %, binomially; two exponentials, which contain them nearly, are not chosen more often.
    wrong = stats.binom.ppf(0.999, n, 2 * stats.f.sf(12 * np.expm1(4.364 / 16), 1, 12))
    assert np.sum(relaxation.model.values == "single") >= n - wrong
    np.testing.assert_allclose(relaxation.model_t1.values.T, np.where(weights > 0, t1s, np.nan), rtol=1e-12)
    differ = np.abs(np.log(t1s / relaxation.t1.values)) > (relaxation.t1_stderr / relaxation.t1).values
    several = np.any((weights > 0.1) & differ, axis=0)
    assert not several.all()
    where, _ = codes(relaxation).get("model-undecided", ("", ""))
    assert where == ", ".join(recovery.experiment.values[several])


def test_models_in_a_list_are_compared(sodium):
    recovery = nd.simulate(replace(sodium, snr=200), seed=10)
    names, auto = nd.fit_recovery(recovery, ["single", "stretched", "bi"]), nd.fit_recovery(recovery)
    xr.testing.assert_equal(names, auto)
    one = nd.fit_recovery(recovery, [nd.SingleExponential()])
    assert one.model_weight.item() == 1
    assert one.t1_stderr.item() == nd.fit_recovery(recovery, "single").t1_stderr.item()
    # Depth 1 is true and saves a parameter: AICc falls by 4.
    depths = [nd.SingleExponential(), nd.SingleExponential(depth=1.0)]
    both = nd.fit_recovery(recovery, depths)
    assert list(both.candidate.values) == [repr(model) for model in depths]
    assert both.model_weight.values.argmax() == 1
    assert both.depth.item() == pytest.approx(1, rel=1e-12, abs=0)
    for models in ([], ["single", "double"]):
        with pytest.raises(nd.InputError, match="needed one of auto, single, stretched"):
            nd.fit_recovery(recovery, models)


@pytest.mark.slow
@pytest.mark.parametrize("beta", [1.0, 0.6])
def test_auto_intervals_cover_the_time_at_which_one_over_e_is_left(sodium, beta):
    # T1 of a single exponential and T1* of a stretched one. What the models say otherwise may only widen the interval.
    truth = replace(sodium, temperature=[333.15] * 300, snr=200, beta=beta)
    recovery = nd.simulate(truth, seed=14)
    relaxation, own = nd.fit_recovery(recovery), nd.fit_recovery(recovery, "single" if beta == 1 else "stretched")
    inside = np.abs(z_scores(relaxation, truth)) < stats.t.ppf(0.975, relaxation.t1_dof.values)
    assert inside.sum() >= stats.binom.ppf(0.001, 300, 0.95)
    widened = np.median(relaxation.t1_stderr / own.t1_stderr)
    assert 1 <= widened < 1.1  # and they are no wider than they must be
    assert np.sum(relaxation.model.values == own.model.values) > 240


def test_fixed_depth_is_a_parameter_less(sodium):
    truth = replace(sodium, depth=2.0, snr=100)
    recovery = nd.simulate(truth, seed=15)
    delay, signal, noise = (recovery[name].values[0] for name in ("delay", "signal", "signal_stderr"))

    def against(model, curve, start, dof):
        relaxation = nd.fit_recovery(recovery, model)
        assert relaxation.depth.item() == pytest.approx(2, rel=1e-12, abs=0)
        assert relaxation.attrs["model"] == repr(model)
        best, covariance = curve_fit(curve, delay, signal, start, noise, absolute_sigma=True, xtol=1e-13, ftol=1e-13)
        chi2 = np.sum(((signal - curve(delay, *best)) / noise) ** 2)
        assert relaxation.t1_dof.item() == 400 + dof
        assert relaxation.reduced_chi2.item() == pytest.approx(chi2 / dof, rel=1e-8, abs=0)
        errors = np.sqrt(np.diag(covariance) * (400 + chi2) / (400 + dof))  # pooled with the measured noise
        assert relaxation.t1.item() == pytest.approx(best[1], rel=1e-6, abs=0)
        assert relaxation.t1_stderr.item() == pytest.approx(errors[1], rel=1e-5, abs=0)
        assert relaxation.amplitude.item() == pytest.approx(best[0], rel=1e-6, abs=0)
        return relaxation, best, errors

    against(nd.SingleExponential(depth=2.0), lambda t, a, tau: a * (1 - 2 * np.exp(-t / tau)), (1, 4), 14)
    relaxation, best, errors = against(
        nd.StretchedExponential(depth=2.0), lambda t, a, tau, b: a * (1 - 2 * np.exp(-((t / tau) ** b))), (1, 4, 1), 13
    )
    assert relaxation.beta.item() == pytest.approx(best[2], rel=1e-6, abs=0)
    assert relaxation.beta_stderr.item() == pytest.approx(errors[2], rel=1e-5, abs=0)
    free, fixed = (nd.fit_recovery(recovery, nd.SingleExponential(depth=depth)) for depth in (None, 2.0))
    assert fixed.t1_stderr.item() < free.t1_stderr.item()
    wrong = nd.fit_recovery(recovery, nd.SingleExponential(depth=1.0))
    assert not wrong.converged.item() or "recovery-misfit" in codes(wrong)


@pytest.mark.parametrize("depth", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("model", [nd.SingleExponential, nd.StretchedExponential, nd.BiExponential, nd.TriExponential])
def test_depths_that_cannot_be_are_refused(model, depth):
    with pytest.raises(nd.InputError, match=r"depth or efficiency: needed .* above 0"):
        model(depth=depth)


def test_fixed_depth_of_two_and_three_exponentials(sodium):
    recovery = with_signal(two_sites(sodium, 300), 0.0)
    delay = recovery.delay.values[0]
    recovery["signal"][:] = 1 - 0.6 * np.exp(-delay) - 0.4 * np.exp(-10 * delay)
    fixed = nd.fit_recovery(recovery, nd.BiExponential(depth=1.0))
    assert (fixed.depth.item(), fixed.t1_dof.item()) == (pytest.approx(1, rel=1e-12), 400 + 24 - 4)
    np.testing.assert_allclose(fixed.component_t1[0, :2], [1, 0.1], rtol=1e-6)
    free = nd.fit_recovery(recovery, "bi")
    assert free.t1_dof.item() == 400 + 24 - 5
    assert np.all(fixed.component_t1_stderr[0, :2] < free.component_t1_stderr[0, :2])


def test_two_exponentials_without_noise(sodium):
    recovery = two_sites(sodium, 300)
    delay = recovery.delay.values[0]
    recovery["signal"][:] = 3 * (1 - 1.8 * (0.3 * np.exp(-delay / 2) + 0.7 * np.exp(-delay / 0.25)))
    relaxation = nd.fit_recovery(recovery, "bi")
    np.testing.assert_allclose(relaxation.component_t1[0], [2, 0.25, np.nan], rtol=1e-6)
    np.testing.assert_allclose(relaxation.component_fraction[0], [0.3, 0.7, np.nan], rtol=1e-6)
    assert relaxation.ratio.item() == pytest.approx(8, rel=1e-6, abs=0)
    assert relaxation.depth.item() == pytest.approx(1.8, rel=1e-6, abs=0)
    assert relaxation.amplitude.item() == pytest.approx(3, rel=1e-6, abs=0)
    assert relaxation.t1_mean.item() == pytest.approx(0.3 * 2 + 0.7 * 0.25, rel=1e-6, abs=0)  # area
    expected = brentq(lambda t: 0.3 * np.exp(-t / 2) + 0.7 * np.exp(-t / 0.25) - np.exp(-1), 0.01, 2)
    assert relaxation.t1.item() == pytest.approx(expected, rel=1e-6, abs=0)
    # 1 and 2 share what is left: their errors are one.
    error = relaxation.component_fraction_stderr.values[0]
    assert error[0] == pytest.approx(error[1], rel=1e-9, abs=0)


def test_an_exponential_that_is_over_before_the_first_delay_is_not_told(sodium):
    # First delay 0.01 s, T1 of the fast site 4 ms and 2.5 ms: after more than three of its times little is left to see.
    seen, unseen = (nd.fit_recovery(two_sites(sodium, 1e5, ratio=ratio), "bi") for ratio in (250.0, 400.0))
    assert seen.ratio.item() == pytest.approx(250, abs=4 * seen.ratio_stderr.item())
    assert not unseen.converged.item()
    assert "0.0025 s is over before the first delay" in unseen.reason.item()


def test_errors_of_two_exponentials_are_those_of_least_squares(sodium):
    recovery = two_sites(sodium, 300, seed=19, ratio=10.0, fraction=0.6)
    delay, signal, noise = (recovery[name].values[0] for name in ("delay", "signal", "signal_stderr"))

    def curve(t, a, depth, slow, fast, fraction):
        return a * (1 - depth * (fraction * np.exp(-t / slow) + (1 - fraction) * np.exp(-t / fast)))

    best, covariance = curve_fit(
        curve, delay, signal, (1, 1, 1, 0.1, 0.6), noise, absolute_sigma=True, xtol=1e-13, ftol=1e-13
    )
    chi2 = np.sum(((signal - curve(delay, *best)) / noise) ** 2)
    covariance *= (400 + chi2) / (400 + 19)  # pooled with the measured noise
    errors = np.sqrt(np.diag(covariance))
    relaxation = nd.fit_recovery(recovery, "bi")
    np.testing.assert_allclose(relaxation.component_t1[0, :2], best[2:4], rtol=1e-5)
    np.testing.assert_allclose(relaxation.component_t1_stderr[0, :2], errors[2:4], rtol=1e-4)
    np.testing.assert_allclose(relaxation.component_fraction_stderr[0, :2], errors[4], rtol=1e-4)
    slope = np.array([1 / best[3], -best[2] / best[3] ** 2])
    assert relaxation.ratio_stderr.item() == pytest.approx(np.sqrt(slope @ covariance[2:4, 2:4] @ slope), rel=1e-4)
    # Implicit derivative of the time at which 1/e is left.
    t1 = relaxation.t1.item()
    parts = np.exp(-t1 / best[2:4]) * [best[4], 1 - best[4]]
    slope = np.append(parts * t1 / best[2:4] ** 2, np.diff(np.exp(-t1 / best[3:1:-1]))) / np.sum(parts / best[2:4])
    assert np.sum(parts) == pytest.approx(np.exp(-1), rel=1e-5, abs=0)
    assert relaxation.t1_stderr.item() == pytest.approx(np.sqrt(slope @ covariance[2:, 2:] @ slope), rel=1e-4, abs=0)


@pytest.mark.slow
def test_errors_of_two_exponentials_match_the_scatter(sodium):
    n = 200
    relaxation = nd.fit_recovery(two_sites(sodium, 300, n=n, seed=16), "bi")
    assert np.all(relaxation.converged)
    t1 = brentq(lambda t: (np.exp(-t) + np.exp(-20 * t)) / 2 - np.exp(-1), 0.1, 1)
    values = {
        "t1": (relaxation.t1, relaxation.t1_stderr, t1),
        "slow": (relaxation.component_t1[:, 0], relaxation.component_t1_stderr[:, 0], 1.0),
        "fast": (relaxation.component_t1[:, 1], relaxation.component_t1_stderr[:, 1], 0.05),
        "fraction": (relaxation.component_fraction[:, 0], relaxation.component_fraction_stderr[:, 0], 0.5),
        "ratio": (relaxation.ratio, relaxation.ratio_stderr, 20.0),
    }
    low, high = np.sqrt(stats.chi2.ppf([0.001, 0.999], n - 1) / (n - 1))
    for name, (found, error, truth) in values.items():
        z = (found.values - truth) / error.values
        assert low < np.std(z, ddof=1) < high, name
        assert abs(z.mean()) < 0.3, name


def test_three_exponentials_without_noise(sodium):
    recovery = two_sites(sodium, 300)
    delay = np.geomspace(0.005, 60, 40)
    recovery = recovery.isel(increment=np.arange(40) % 24).assign_coords(delay=(recovery.delay.dims, delay[None]))
    times, fractions = np.array([10.0, 1.0, 0.05]), np.array([0.5, 0.3, 0.2])
    recovery["signal"][:] = 1 - 0.9 * np.exp(-delay[:, None] / times) @ fractions
    recovery["signal_stderr"][:] = 1e-6
    relaxation = nd.fit_recovery(recovery, "tri")
    np.testing.assert_allclose(relaxation.component_t1[0], times, rtol=1e-5)
    np.testing.assert_allclose(relaxation.component_fraction[0], fractions, rtol=1e-5)
    assert relaxation.depth.item() == pytest.approx(0.9, rel=1e-6, abs=0)
    assert relaxation.t1_mean.item() == pytest.approx(times @ fractions, rel=1e-5, abs=0)
    expected = brentq(lambda t: np.exp(-t / times) @ fractions - np.exp(-1), 0.1, 10)
    assert relaxation.t1.item() == pytest.approx(expected, rel=1e-6, abs=0)
    assert relaxation.t1_meaning.item() == "time at which 1/e is left to recover"
    assert "exponentials-t1" in codes(relaxation)


@pytest.mark.parametrize("beta", [0.6, 1.0, 1.4])
def test_mean_time_of_a_stretched_exponential_is_its_area(sodium, beta):
    relaxation = exact(replace(sodium, beta=beta), "stretched")
    area = quad(lambda t: np.exp(-(t**beta)), 0, 300, epsabs=1e-13, limit=400, points=(0.01, 1, 30))[0]
    assert relaxation.t1_mean.item() == pytest.approx(sodium.t1[0] * area, rel=1e-6, abs=0)
    assert relaxation.t1_meaning.item() == "T1* (1/e time of a stretched exponential)"
    assert codes(relaxation)["stretched-t1"][0] == "1"


def steady_state(delay, t1, flip_angle):
    """Magnetisation before each of many pulses, followed pulse by pulse."""
    rest, cosine, before = np.exp(-delay / t1), np.cos(np.radians(flip_angle)), np.ones_like(delay)
    for _ in range(20000):
        before = 1 - (1 - before * cosine) * rest
    return before


@pytest.mark.parametrize("flip_angle", [15.0, 60.0, 90.0, 120.0])
def test_progressive_saturation_is_the_steady_state_of_pulses(sodium, flip_angle):
    truth = replace(sodium, delays=list(sodium.t1[0] * np.geomspace(0.02, 5, 16)))
    recovery = nd.simulate(truth, seed=1)
    curve = steady_state(truth.delay[0], sodium.t1[0], flip_angle)
    recovery["signal"][:] = 7 * curve
    relaxation = nd.fit_recovery(recovery, nd.ProgressiveSaturation(flip_angle=flip_angle))
    assert relaxation.t1.item() == pytest.approx(sodium.t1[0], rel=1e-6, abs=0)
    assert relaxation.amplitude.item() == pytest.approx(7, rel=1e-6, abs=0)
    assert relaxation.depth.item() == pytest.approx(1, rel=1e-12, abs=0)
    assert relaxation.t1_dof.item() == 400 + 14
    assert relaxation.model.item() == "progressive"
    np.testing.assert_allclose(relaxation.fit.values[0], 7 * curve, rtol=0, atol=1e-5)
    saturation = nd.fit_recovery(recovery, nd.SingleExponential(depth=1.0))
    if flip_angle == 90:
        assert saturation.t1.item() == pytest.approx(relaxation.t1.item(), rel=1e-9, abs=0)
    else:  # it recovers sooner below 90 degrees, later above
        assert (saturation.t1.item() < sodium.t1[0]) == (flip_angle < 90)


def test_progressive_saturation_with_a_free_depth(sodium):
    truth = replace(sodium, delays=list(sodium.t1[0] * np.geomspace(0.02, 5, 16)))
    recovery = nd.simulate(truth, seed=1)
    recovery["signal"][:] = 1 - 0.8 * (1 - steady_state(truth.delay[0], sodium.t1[0], 60.0))
    relaxation = nd.fit_recovery(recovery, nd.ProgressiveSaturation(flip_angle=60.0, depth=None))
    assert relaxation.t1.item() == pytest.approx(sodium.t1[0], rel=1e-6, abs=0)
    assert relaxation.depth.item() == pytest.approx(0.8, rel=1e-6, abs=0)


@pytest.mark.parametrize("flip_angle", [0.0, 180.0, -30.0, 270.0, np.nan])
def test_flip_angles_that_saturate_nothing_are_refused(flip_angle):
    with pytest.raises(nd.InputError, match=r"flip angle in degrees: needed .* above 0 and below 180, found"):
        nd.ProgressiveSaturation(flip_angle=flip_angle)


# Findings ------------------------------------------------------------------------------------------------------------


def test_findings_name_the_experiments(sodium):
    recovery = nd.simulate(replace(sodium, temperature=[333.15] * 5, snr=200), seed=17)
    recovery = attach(recovery, [Finding("from-before", "3", "said by an earlier stage")])
    recovery["signal"][0, 3:] = np.nan
    recovery["signal_stderr"][2] = 1e-4
    recovery["signal_stderr"][4] = 1e-3
    recovery["temperature"][[1, 3]] = np.nan
    relaxation = nd.fit_recovery(recovery, "single")
    found = codes(relaxation)
    assert found["from-before"] == ("3", "said by an earlier stage")
    assert found["no-t1"] == ("1", relaxation.reason.values[0])
    assert found["recovery-misfit"][0] == "3, 5"
    assert f"up to {relaxation.reduced_chi2.values[2]:.3g}" in found["recovery-misfit"][1]
    np.testing.assert_array_equal(relaxation.error_scaled, [False, False, True, False, True])
    assert found["no-temperature"] == ("2, 4", "temperature unknown: not used")
    assert set(found) == {"from-before", "no-t1", "recovery-misfit", "no-temperature"}
    clean = nd.fit_recovery(nd.simulate(replace(sodium, snr=200), seed=17), "single")
    assert codes(clean) == {}


def test_every_failed_fit_is_a_finding_of_its_own(sodium):
    recovery = nd.simulate(replace(sodium, temperature=[333.15] * 3, snr=200), seed=17)
    recovery["signal"][0, 3:] = np.nan
    recovery["signal"][2] = np.exp(-recovery.delay.values[2] / 4)
    relaxation = nd.fit_recovery(recovery)
    entries = [entry for entry in json.loads(relaxation.attrs["warnings"]) if entry["code"] == "no-t1"]
    assert [entry["where"] for entry in entries] == ["1", "3"]
    assert [entry["text"] for entry in entries] == list(relaxation.reason.values[[0, 2]])
    assert all(entry["text"] for entry in entries)


def test_delays_that_end_before_four_t1_are_named(sodium):
    t1 = sodium.t1[0]
    recovery = nd.simulate(replace(sodium, temperature=[333.15] * 4, snr=1e5), seed=18)
    longest = np.array([5.0, 3.9, 4.1, 2.0])
    recovery["delay"][:] = t1 * longest[:, None] * np.geomspace(0.01, 1, 16)
    recovery["signal"][:] = 1 - np.exp(-recovery.delay.values / t1)
    # What was planned beyond, and not recorded, does not count.
    recovery["delay"][3, -1], recovery["signal"][3, -1] = 9 * t1, np.nan
    where, text = codes(nd.fit_recovery(recovery, "single"))["delays-too-short"]
    assert where == "2, 4"
    assert "the longest delay is 1.5 T1" in text  # 2 * 100^(-1/15) = 1.47
    assert "delays-too-short" not in codes(nd.fit_recovery(recovery.isel(experiment=[0, 2]), "single"))


def test_nucleus_need_not_be_known_to_fit_its_recovery(sodium):
    recovery = nd.simulate(sodium, seed=1)
    known = nd.fit_recovery(recovery, "single").t1.item()
    recovery.attrs["nucleus"] = "103Rh"  # not in the table of isotopes
    assert nd.fit_recovery(recovery, "single").t1.item() == known


def two_exponentials(ratio, ratio_stderr, fraction, fraction_stderr):
    return xr.Dataset(
        {
            "ratio": ratio,
            "ratio_stderr": ratio_stderr,
            "component_fraction": ("component", [fraction, 1 - fraction, np.nan]),
            "component_fraction_stderr": ("component", [fraction_stderr, fraction_stderr, np.nan]),
        }
    )


# Near is within three standard errors, at least 0.6, of the ratio, and within three, at least 0.05 and at most 0.15, of
# the fraction; the ratio is to be known within a factor of 2.
@pytest.mark.parametrize(
    ("ratio", "ratio_stderr", "fraction", "fraction_stderr", "expected"),
    [
        (4.0, 0.0, 0.8, 0.0, "all"),
        (4.0, 0.0, 0.5, 0.0, "central"),
        (4.59, 0.1, 0.8, 0.0, "all"),
        (4.61, 0.1, 0.8, 0.0, ""),
        (3.41, 0.1, 0.8, 0.0, "all"),
        (3.39, 0.1, 0.8, 0.0, ""),
        (5.49, 0.5, 0.8, 0.0, "all"),
        (5.51, 0.5, 0.8, 0.0, ""),
        (7.0, 3.4, 0.8, 0.0, "all"),
        (7.0, 3.6, 0.8, 0.0, ""),
        (2.5, 1.3, 0.8, 0.0, ""),
        (4.0, np.nan, 0.8, 0.0, ""),
        (np.nan, np.nan, np.nan, np.nan, ""),
        (4.0, 0.1, 0.849, 0.01, "all"),
        (4.0, 0.1, 0.851, 0.01, ""),
        (4.0, 0.1, 0.751, 0.01, "all"),
        (4.0, 0.1, 0.749, 0.01, ""),
        (4.0, 0.1, 0.549, 0.01, "central"),
        (4.0, 0.1, 0.551, 0.01, ""),
        (4.0, 0.1, 0.451, 0.01, "central"),
        (4.0, 0.1, 0.449, 0.01, ""),
        (4.0, 0.1, 0.71, 0.031, "all"),
        (4.0, 0.1, 0.71, 0.029, ""),
        (4.0, 0.1, 0.651, 0.2, "after"),
        (4.0, 0.1, 0.649, 0.2, "after"),
        (4.0, 0.1, 0.351, 0.2, "after"),
        (4.0, 0.1, 0.349, 0.2, ""),
        (4.0, 0.1, 0.951, 0.2, ""),
    ],
)
def test_what_counts_as_one_spin_three_halves(ratio, ratio_stderr, fraction, fraction_stderr, expected):
    said = one_spin_three_halves(two_exponentials(ratio, ratio_stderr, fraction, fraction_stderr))
    assert said.split(" ")[0] == expected


@pytest.mark.parametrize("model", ["biexponential", "", "Single"])
def test_unknown_model_is_refused_naming_the_known(sodium, model):
    with pytest.raises(nd.InputError, match="needed one of auto, single, stretched"):
        nd.fit_recovery(nd.simulate(sodium, seed=1), model)


@pytest.mark.parametrize("kind", ["t2", "t1rho", "unknown"])
def test_other_kinds_of_experiment_are_refused(sodium, kind):
    recovery = nd.simulate(replace(sodium, temperature=[333.15] * 2), seed=1)
    recovery = recovery.assign_coords(kind=("experiment", ["saturation_recovery", kind]))
    with pytest.raises(nd.InputError, match=f"^2: needed a saturation or inversion recovery, found {kind}"):
        nd.fit_recovery(recovery, "single")


def test_fit_needs_the_stage_recovery_in_its_units(sodium):
    recovery = nd.simulate(sodium, seed=1)
    with pytest.raises(nd.InputError, match="needed the stage 'recovery', found 'relaxation'"):
        nd.fit_recovery(nd.fit_recovery(recovery, "single"), "single")
    recovery["signal"].attrs["units"] = "V"
    with pytest.raises(nd.InputError, match="needed 'signal' in 1, found V"):
        nd.fit_recovery(recovery, "single")


def test_recovery_to_a_negative_intensity_is_a_nan_row_with_a_reason(sodium):
    recovery = nd.simulate(sodium, seed=1)
    delay = recovery["delay"].values
    recovery["signal"] = recovery["signal"].dims, -1 - 0.5 * np.exp(-delay / 4.4)
    relaxation = nd.fit_recovery(recovery, "single")
    assert np.isnan(relaxation.t1.item())
    assert "positive intensity" in relaxation.reason.item()
