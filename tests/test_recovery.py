from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import curve_fit

import nmrdyn as nd

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
    assert reasons[0] == "needed at least 4 rows for a single exponential, found 3"
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
    assert stretched.reason.values[0] == "needed at least 5 rows for a stretched exponential, found 4"
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


def test_auto_prefers_the_stretched_exponential_for_a_stretched_recovery(sodium):
    relaxation = nd.fit_recovery(nd.simulate(replace(sodium, beta=0.6, snr=200), seed=9), "auto")
    assert relaxation.model.item() == "stretched"
    # The likelihood ratio of the two decides: residuals of the single one are many times the noise.
    assert relaxation.model_weight.sel(candidate="stretched").item() > 0.999
    assert relaxation.model_weight.sum().item() == pytest.approx(1, rel=1e-12, abs=0)
    assert relaxation.beta.item() == pytest.approx(0.6, abs=4 * relaxation.beta_stderr.item())
    assert relaxation.t1.item() == pytest.approx(sodium.t1[0], abs=4 * relaxation.t1_stderr.item())


def test_auto_weighs_the_models_by_the_corrected_akaike_criterion(sodium):
    n = 60
    recovery = nd.simulate(replace(sodium, temperature=[333.15] * n, snr=200), seed=10)
    relaxation = nd.fit_recovery(recovery)
    # AICc of least squares (Hurvich and Tsai 1989), 16 rows, k parameters of which the variance is one:
    # 16 ln(chi2) + 2k + 2k(k+1)/(16-k-1). The weight of a model is exp(-AICc/2) over the sum of them.
    criteria = []
    for model, k in (("single", 4), ("stretched", 5)):
        chi2 = np.sum((recovery.signal - nd.fit_recovery(recovery, model).fit).values ** 2, axis=1)
        criteria.append(16 * np.log(chi2) + 2 * k + 2 * k * (k + 1) / (15 - k))
    np.testing.assert_allclose(
        relaxation.model_weight[:, 0], 1 / (1 + np.exp((criteria[0] - criteria[1]) / 2)), rtol=1e-6
    )
    # beta then costs 4.364, so that single data are called stretched where 16 ln(1 + F/12) > 4.364 with F of 1 and 12
    # degrees of freedom: 7.6 %, binomially.
    wrong = stats.binom.ppf(0.999, n, stats.f.sf(12 * np.expm1(4.364 / 16), 1, 12))
    assert np.sum(relaxation.model.values == "single") >= n - wrong
    np.testing.assert_array_equal(relaxation.model_weight[:, 0] > 0.5, relaxation.model == "single")


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
