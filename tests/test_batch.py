import tracemalloc
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq, curve_fit

import nmrdyn as nd
from nmrdyn.recovery.batch.chunk import Chunk, Grid
from nmrdyn.recovery.batch.shapes import Single, Stretched, Two
from nmrdyn.recovery.batch.traces import fit_traces

DELAY = np.geomspace(0.02, 5, 16)


def single(t, a, depth, t1):
    return a * (1 - depth * np.exp(-t / t1))


def stretched(t, a, depth, t1, beta):
    return a * (1 - depth * np.exp(-(np.abs(t / t1) ** beta)))


def bi(t, a, depth, t1, ratio, fraction):
    return a * (1 - depth * (fraction * np.exp(-t / t1) + (1 - fraction) * np.exp(-t * ratio / t1)))


CURVES = {"single": single, "stretched": stretched, "bi": bi}


def draw(kind, n, *, seed=1, snr=(20, 200), delay=DELAY):
    """Traces (increment, trace) of a model with random T1, depth and noise, and the truth (parameter, trace)."""
    rng = np.random.default_rng(seed)
    amplitude, depth = rng.uniform(0.5, 2, n), rng.uniform(0.8, 2, n)
    t1 = np.exp(rng.uniform(np.log(0.3), np.log(1.3), n))
    more = {
        "single": [],
        "stretched": [rng.uniform(0.4, 1.1, n)],
        "bi": [rng.uniform(5, 20, n), rng.uniform(0.3, 0.7, n)],
    }[kind]
    truth = np.array([amplitude, depth, t1, *more])
    noise = amplitude / np.exp(rng.uniform(*np.log(snr), n))
    return CURVES[kind](delay[:, None], *truth) + noise * rng.standard_normal((delay.size, n)), truth


def fitted_by_scipy(kind, signal, start):
    """Best parameters, covariance and sum of squares of one trace by Levenberg and Marquardt."""
    curve = CURVES[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its steps may overflow
        best, covariance = curve_fit(curve, DELAY, signal, start, xtol=1e-13, ftol=1e-13, maxfev=5000)
    return best, covariance, np.sum((signal - curve(DELAY, *best)) ** 2)


@pytest.mark.parametrize(("kind", "snr"), [("single", (20, 200)), ("stretched", (50, 200)), ("bi", (300, 1000))])
def test_batch_is_a_loop_over_curve_fit(kind, snr):
    signal, truth = draw(kind, 40, snr=snr)
    fits = fit_traces(DELAY, signal, model=kind)
    assert fits.converged.all()
    for i in range(40):
        best, covariance, ssr = fitted_by_scipy(kind, signal[:, i], truth[:, i])
        error = np.sqrt(np.diag(covariance))
        assert fits.ssr[i] == pytest.approx(ssr, rel=1e-7, abs=0)
        for k, name in enumerate(fits.parameters, 2):
            assert fits.parameters[name][i] == pytest.approx(best[k], abs=1e-3 * error[k]), name
            assert fits.stderr[name][i] == pytest.approx(error[k], rel=2e-3, abs=0), name
        assert fits.amplitude[i] == pytest.approx(best[0], abs=1e-3 * error[0])
        assert fits.depth[i] == pytest.approx(best[1], abs=1e-3 * error[1])
    assert np.all(fits.dof == 16 - len(truth))


def test_t1_of_two_exponentials_is_where_one_over_e_is_left_and_its_error_follows():
    signal, _ = draw("bi", 5, snr=(500, 1000))
    fits = fit_traces(DELAY, signal, model="bi")
    for i in range(5):
        slow, ratio, fraction = (fits.parameters[name][i] for name in ("t1", "ratio", "fraction"))

        def left(t, slow=slow, ratio=ratio, fraction=fraction):
            return fraction * np.exp(-t / slow) + (1 - fraction) * np.exp(-t * ratio / slow) - np.exp(-1)

        assert fits.t1[i] == pytest.approx(brentq(left, 0, 5, xtol=1e-14), rel=1e-9, abs=0)

        # The same curve with the 1/e time in the place of the longer one, whose error curve_fit then gives.
        def curve(t, a, depth, t1, ratio, fraction):
            one = brentq(lambda u: fraction * np.exp(-u) + (1 - fraction) * np.exp(-ratio * u) - np.exp(-1), 1e-4, 2)
            return bi(t, a, depth, t1 / one, ratio, fraction)

        start = (fits.amplitude[i], fits.depth[i], fits.t1[i], ratio, fraction)
        _, covariance = curve_fit(curve, DELAY, signal[:, i], start, xtol=1e-12, ftol=1e-12)
        assert fits.t1_stderr[i] == pytest.approx(np.sqrt(covariance[2, 2]), rel=1e-3, abs=0)


def slope_of_squares(log_t1, signal):
    """Half the slope of the sum of squares in ln T1, amplitude and loss at their best, in long double."""
    delay, signal = DELAY.astype(np.longdouble)[:, None], signal.astype(np.longdouble)
    decay = np.exp(-delay * np.exp(-log_t1))
    across = decay - decay.mean(axis=0)
    loss = np.sum(across * signal, axis=0) / np.sum(across**2, axis=0)
    residual = signal - signal.mean(axis=0) - loss * across
    return -loss * np.sum(residual * decay * delay * np.exp(-log_t1), axis=0)


def test_single_exponentials_converge_to_a_hundred_millionth_of_their_errors():
    signal, _ = draw("single", 500)
    fits = fit_traces(DELAY, signal)
    here = np.log(fits.t1.astype(np.longdouble))
    step = np.longdouble(1e-6)
    for _ in range(4):  # Newton's method on the slope, in long double
        curvature = (slope_of_squares(here + step, signal) - slope_of_squares(here - step, signal)) / (2 * step)
        here = here - slope_of_squares(here, signal) / curvature
    off = np.abs(here - np.log(fits.t1.astype(np.longdouble))) / (fits.t1_stderr / fits.t1)
    assert off.max() < 1e-8


@pytest.mark.parametrize("fixed", [None, 1.3])
@pytest.mark.parametrize(
    ("shape", "at"), [(Single, [0.1]), (Stretched, [0.1, 0.7]), (Two, [0.3, 1.5, 0.6]), (Two, [0.3, 1.5])]
)
def test_slopes_and_curvature_are_those_of_finite_differences(shape, at, fixed):
    noise = 0.01 * np.random.default_rng(2).standard_normal(16)
    signal = np.tile((bi(DELAY, 1.5, 1.3, 1.4, 4.2, 0.55) + noise)[:, None], (1, 32))
    chunk = Chunk(shape(DELAY), signal, fixed, Grid.of(shape(DELAY), fixed, DELAY[0] / 30, DELAY[-1] * 30))

    def point(place):
        return chunk.evaluate(np.tile(np.array(place)[:, None], (1, 32)), slice(None))

    here, step = point(at), 1e-4 * np.eye(len(at))
    for i, aside in enumerate(step):  # half the slope; minus half the curvature
        assert here.slope[i, 0] == pytest.approx(
            (point(at + aside).gain[0] - point(at - aside).gain[0]) / 4e-4, rel=1e-6
        )
        for j in range(i, len(at)):
            numeric = -(point(at + aside).slope[j, 0] - point(at - aside).slope[j, 0]) / 2e-4
            assert here.curvature[i, j][0] == pytest.approx(numeric, rel=1e-4)
    if len(at) == 2 and shape is Two:  # the fraction eliminated: what is left of the information of all three
        share = chunk.pair(np.tile(np.array(at)[:, None], (1, 32)), slice(None))[4][0]
        full = point([*at, share]).information
        for i, j in here.information:
            left = full[i, j][0] - full[i, 2][0] * full[j, 2][0] / full[2, 2][0]
            assert here.information[i, j][0] == pytest.approx(left, rel=1e-8)


@pytest.mark.parametrize("kind", ["single", "stretched", "bi"])
def test_a_trace_is_fitted_alike_whoever_else_is_in_the_batch(kind):
    signal, _ = draw(kind, 1100)
    together = fit_traces(DELAY, signal, model=kind)
    for chosen in (slice(7, 8), slice(1023, 1026), slice(None, None, 3)):
        apart = fit_traces(DELAY, signal[:, chosen], model=kind)
        for name in ("t1", "t1_stderr", "ssr", "amplitude"):
            np.testing.assert_array_equal(getattr(apart, name), getattr(together, name)[chosen])
        assert list(apart.reason) == list(together.reason[chosen])


@pytest.mark.parametrize("depth", [1.0, 2.0, 0.6])
@pytest.mark.parametrize(
    ("model", "kind"),
    [(nd.SingleExponential, "single"), (nd.StretchedExponential, "stretched"), (nd.BiExponential, "bi")],
)
def test_fixed_depth(model, kind, depth):
    rng = np.random.default_rng(4)
    more = {"single": (), "stretched": (0.7,), "bi": (8.0, 0.4)}[kind]
    start = (3.0, 0.9, *more)
    clean = CURVES[kind](DELAY, 3.0, depth, *start[1:])
    signal = clean[:, None] + 0.003 * rng.standard_normal((16, 10))
    fits = fit_traces(DELAY, signal, model=model(depth=depth))
    np.testing.assert_array_equal(fits.depth, depth)
    for i in range(10):
        best, covariance = curve_fit(
            lambda t, a, *others: CURVES[kind](t, a, depth, *others), DELAY, signal[:, i], start, xtol=1e-13, ftol=1e-13
        )
        error = np.sqrt(np.diag(covariance))
        for k, name in enumerate(fits.parameters, 1):
            assert fits.parameters[name][i] == pytest.approx(best[k], abs=1e-3 * error[k])
            assert fits.stderr[name][i] == pytest.approx(error[k], rel=2e-3, abs=0)
    exact = fit_traces(DELAY, clean[:, None], model=model(depth=depth))
    assert exact.parameters["t1"][0] == pytest.approx(0.9, rel=1e-7, abs=0)
    assert exact.amplitude[0] == pytest.approx(3.0, rel=1e-7, abs=0)


def test_a_delay_of_zero_and_the_scale_of_the_signal_change_nothing():
    delay = np.append(0.0, DELAY)
    signal = np.stack([stretched(delay, 2.0, 1.7, 0.5, 0.6), stretched(delay, 2e-9, 1.7, 0.5, 0.6)], axis=1)
    fits = fit_traces(delay, signal, model="stretched")
    np.testing.assert_allclose(fits.t1, 0.5, rtol=1e-7)
    np.testing.assert_allclose(fits.parameters["beta"], 0.6, rtol=1e-7)
    np.testing.assert_allclose(fits.amplitude, [2.0, 2e-9], rtol=1e-7)


def test_intervals_of_student_cover_95_percent_of_20000_traces():
    n = 20_000
    signal, truth = draw("single", n, snr=(20, 20.001))
    fits = fit_traces(DELAY, signal)
    assert fits.converged.all()
    inside = np.abs(fits.t1 - truth[2]) < stats.t.ppf(0.975, 13) * fits.t1_stderr
    assert 0.94 < inside.mean() < 0.96


def test_measured_noise_is_pooled_unless_residuals_exceed_it():
    signal, _ = draw("single", 200, snr=(100, 100.001))
    alone = fit_traces(DELAY, signal)
    level = alone.amplitude / 100
    pooled = fit_traces(DELAY, signal, noise=level, noise_dof=40)
    chi2 = alone.ssr / level**2
    misfit = stats.f.sf(chi2 / 13, 13, 40) < 0.01
    variance = np.where(misfit, chi2 / 13, (40 + chi2) / 53) * level**2
    np.testing.assert_allclose(pooled.t1_stderr, alone.t1_stderr * np.sqrt(variance / (alone.ssr / 13)), rtol=1e-12)
    np.testing.assert_array_equal(pooled.dof, np.where(misfit, 13, 53))
    worse = fit_traces(DELAY, signal, noise=level.min() / 10, noise_dof=40)
    np.testing.assert_allclose(worse.t1_stderr, alone.t1_stderr, rtol=1e-12)


def test_what_the_delays_do_not_determine_is_nan_with_a_reason():
    t = DELAY
    step = np.where(t < 0.6, 0.0, 1.0) + 1e-3 * np.sin(37 * t)
    cases = {
        "single": {
            "falls with the delay": np.exp(-t),
            "positive intensity": -1 - np.exp(-t),
            "not within a factor of 30": t / 1000,
            "over before the first delay": single(t, 1, 1, 0.003),
        },
        "stretched": {"beta is at its bound, 2": step},
        "bi": {"bound": single(t, 1, 1, 0.7) + 0.01 * (t - 0.7) * np.exp(-t / 0.7)},
    }
    for model, signals in cases.items():
        signal = np.stack([*signals.values(), single(t, 1, 1, 0.7)], axis=1)
        fits = fit_traces(t, signal, model=model)
        assert not fits.converged[:-1].any()
        for name in ("t1", "t1_stderr", "amplitude", "depth"):
            assert np.all(np.isnan(getattr(fits, name)[:-1])), name
        if model != "bi":
            for words, reason in zip(signals, fits.reason, strict=False):
                assert words in reason
            assert (fits.converged[-1], fits.reason[-1]) == (True, "")
        assert all(fits.reason[:-1])


def test_extra_memory_is_below_the_input():
    signal, _ = draw("single", 50_000)
    fit_traces(DELAY, signal[:, :10])
    tracemalloc.start()
    fit_traces(DELAY, signal)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < signal.nbytes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"signal": np.ones((5, 16))}, "transpose the signals"),
        ({"signal": np.ones(16)}, "add an axis"),
        ({"signal": np.full((16, 2), np.nan)}, "needed finite signals"),
        ({"delay": np.full(16, np.inf)}, "needed finite delays"),
        ({"delay": -DELAY}, "needed delays of 0 s or more"),
        ({"delay": DELAY[:3], "signal": np.ones((3, 2))}, "needed at least 4 rows for the model single, found 3"),
        ({"model": "tri"}, "needed one of single, stretched, bi"),
        ({"model": nd.TriExponential()}, "fit_recovery fits every model"),
        ({"noise": 0.0}, "needed noise above 0"),
        ({"noise": [0.1, 0.1, 0.1]}, "needed noise above 0, one or one a trace"),
    ],
)
def test_what_cannot_be_fitted_is_refused(arguments, words):
    given = {"delay": DELAY, "signal": draw("single", 2)[0]} | arguments
    with pytest.raises(nd.InputError, match=words):
        fit_traces(given.pop("delay"), given.pop("signal"), **given)


# fit_recovery ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class OneByOneSingle(nd.SingleExponential):
    """Known to no batch."""


@dataclass(frozen=True, kw_only=True)
class OneByOneStretched(nd.StretchedExponential):
    """Known to no batch."""


@dataclass(frozen=True, kw_only=True)
class OneByOneBi(nd.BiExponential):
    """Known to no batch."""


def recovery_of(sodium, delay, signal, stderr):
    """A stage `recovery` of signals (increment, trace)."""
    truth = replace(sodium, temperature=[333.15] * signal.shape[1], delays=list(delay))
    recovery = nd.simulate(truth, seed=1)
    recovery["signal"][:], recovery["signal_stderr"][:] = signal.T, stderr
    return recovery


NUMBERS = ("t1", "t1_stderr", "t1_dof", "t1_mean", "amplitude", "depth", "reduced_chi2", "beta", "beta_stderr")
MORE = ("ratio", "ratio_stderr", "component_t1", "component_t1_stderr", "component_fraction")


def assert_alike(batch, alone, names=NUMBERS):
    assert list(batch.reason.values) == list(alone.reason.values)
    np.testing.assert_array_equal(batch.error_scaled, alone.error_scaled)
    off = np.abs(batch.t1 - alone.t1) / alone.t1_stderr
    assert np.nanmax(off.values, initial=0.0) < 1e-6
    for name in names:
        np.testing.assert_allclose(batch[name], alone[name], rtol=2e-5, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(batch.fit, alone.fit, atol=1e-6 * float(np.nanmax(np.abs(alone.fit), initial=1.0)))


@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    seed=st.integers(0, 10_000),
    log_t1=st.floats(np.log(0.002), np.log(200)),
    depth=st.floats(-0.2, 2),
    beta=st.floats(0.5, 1.2),
    log_snr=st.floats(np.log(20), np.log(2000)),
    claimed=st.sampled_from([1.0, 0.2, np.nan]),
    models=st.sampled_from([(nd.SingleExponential, OneByOneSingle), (nd.StretchedExponential, OneByOneStretched)]),
)
def test_one_by_one_is_the_batch(sodium, seed, log_t1, depth, beta, log_snr, claimed, models):
    noise = np.exp(-log_snr)
    clean = stretched(DELAY, 1.0, depth, np.exp(log_t1), beta)
    signal = clean[:, None] + noise * np.random.default_rng(seed).standard_normal((16, 3))
    recovery = recovery_of(sodium, DELAY, signal, claimed * noise)
    batch, alone = (nd.fit_recovery(recovery, model()) for model in models)
    told = (batch.converged & alone.converged).values
    if models[0] is nd.SingleExponential:
        np.testing.assert_array_equal(batch.converged, alone.converged)
    # A stretched exponential in weak data may have two optima: the batch has the lower, or both have the same.
    excess = (batch.reduced_chi2 - alone.reduced_chi2).values / alone.reduced_chi2.values
    assert not np.any(excess[told] > 1e-9)
    same = told & ~(excess < -1e-9)
    if same.any():
        chosen = np.flatnonzero(same)
        assert_alike(batch.isel(experiment=chosen), alone.isel(experiment=chosen))


def test_one_by_one_is_the_batch_for_two_exponentials(sodium):
    signal, _ = draw("bi", 4, snr=(200, 1000))
    recovery = recovery_of(sodium, DELAY, signal, 0.01)
    batch, alone = (nd.fit_recovery(recovery, model()) for model in (nd.BiExponential, OneByOneBi))
    assert batch.converged.all()
    assert_alike(batch, alone, NUMBERS[:-2])
    for name in MORE:
        np.testing.assert_allclose(batch[name], alone[name], rtol=1e-4, err_msg=name)


def test_reasons_are_the_same_one_by_one(sodium):
    t = DELAY
    curves = [np.exp(-t), -1 - np.exp(-t), t / 1000, single(t, 1, 1, 0.003), np.ones(16), single(t, 1, 1, 0.7)]
    wave = np.where(np.arange(16) % 2, 0.01, -0.01)  # noise alone
    signal = np.stack([*curves, 1 + wave, single(t, 1, 1, 0.5) + wave], axis=1)
    recovery = recovery_of(sodium, t, signal, 1e-3)
    recovery["signal"][5, 2:] = np.nan
    batch, alone = (nd.fit_recovery(recovery, model()) for model in (nd.SingleExponential, OneByOneSingle))
    assert list(batch.reason.values) == list(alone.reason.values)
    words = [
        "falls",
        "positive",
        "factor of 30",
        "before the first",
        "same at all",
        "found 2",
        "",
        "times the measured",
    ]
    for word, reason in zip(words, batch.reason.values, strict=True):
        assert word in reason


def test_experiments_are_grouped_by_their_delays_and_keep_their_places(sodium):
    rng = np.random.default_rng(6)
    n = 16
    signal, truth = draw("single", n, snr=(100, 200))
    recovery = recovery_of(sodium, DELAY, signal, 0.01)
    for i in range(n):
        if i % 3 == 1:  # other delays
            recovery["delay"][i] = 2 * DELAY
        if i % 5 == 2:  # not all recorded
            recovery["signal"][i, rng.choice(16, 3, replace=False)] = np.nan
    recovery["signal_stderr"][:] *= rng.uniform(0.5, 2, n)[:, None]  # another noise for each
    together = nd.fit_recovery(recovery)
    one_by_one = xr.concat(
        [nd.fit_recovery(recovery.isel(experiment=[i])) for i in range(n)], "experiment", data_vars="all"
    )
    for name in ("t1", "t1_stderr", "model_weight", "fit", "component_t1", "reduced_chi2", "rows_used"):
        np.testing.assert_array_equal(together[name], one_by_one[name])
    assert list(together.reason.values) == list(one_by_one.reason.values)
    expected = np.where(np.arange(n) % 3 == 1, 2, 1) * truth[2]
    told = together.model.values == "single"
    assert np.all(np.abs(together.t1.values - expected)[told] < 6 * together.t1_stderr.values[told])


def test_noise_that_differs_within_a_trace_weighs_its_rows(sodium):
    signal, _ = draw("single", 1, snr=(50, 50.001))
    recovery = recovery_of(sodium, DELAY, signal, np.geomspace(0.01, 0.05, 16))
    sigma = recovery.signal_stderr.values[0]
    relaxation = nd.fit_recovery(recovery, "single")
    best, covariance = curve_fit(single, DELAY, signal[:, 0], (1, 1, 0.7), sigma, absolute_sigma=True, xtol=1e-13)
    chi2 = np.sum(((signal[:, 0] - single(DELAY, *best)) / sigma) ** 2)
    assert relaxation.t1.item() == pytest.approx(best[2], rel=1e-6, abs=0)
    error = np.sqrt(covariance[2, 2] * (400 + chi2) / (400 + 13))
    assert relaxation.t1_stderr.item() == pytest.approx(error, rel=1e-5, abs=0)


@pytest.mark.slow
def test_a_hundred_thousand_traces_have_no_failure():
    signal, truth = draw("single", 100_000, seed=8)
    fits = fit_traces(DELAY, signal)
    assert fits.converged.all()
    z = (fits.t1 - truth[2]) / fits.t1_stderr
    # Student's t with 13 degrees of freedom has the variance 13/11; its mean here knows a skewness at SNR 20.
    assert z.var() == pytest.approx(13 / 11, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "snr"), [("stretched", (20, 200)), ("bi", (100, 1000))])
def test_squares_are_never_larger_than_those_of_curve_fit_from_the_truth(kind, snr):
    signal, truth = draw(kind, 1500, seed=9, snr=snr)
    fits = fit_traces(DELAY, signal, model=kind)
    for i in range(1500):
        try:
            _, _, ssr = fitted_by_scipy(kind, signal[:, i], truth[:, i])
        except RuntimeError:
            continue
        assert not fits.converged[i] or fits.ssr[i] < ssr * (1 + 1e-4)
    assert fits.converged.mean() > 0.95


def test_signals_that_never_change_and_noise_without_freedom_are_named():
    fits = fit_traces(DELAY, np.zeros((16, 2)))
    assert list(fits.reason) == ["the signal is the same at all delays: nothing recovers"] * 2
    for dof in (-3, np.nan, [1, 2]):
        with pytest.raises(nd.InputError, match="needed noise_dof of 0 or more"):
            fit_traces(DELAY, np.ones((16, 3)), noise=0.1, noise_dof=dof)


def test_a_fit_whose_error_rounding_swallows_is_no_t1(sodium):
    # Seven parameters for eight rows of one exponential at SNR 20: the variance of T1 comes out negative.
    delay = np.geomspace(0.02, 3, 8)
    signal = 1 - np.exp(-delay / 0.7) + np.random.default_rng(4).normal(0, 0.05, (200, 8))[34]
    recovery = recovery_of(sodium, delay, signal[:, None], 0.05)
    recovery["noise_dof"][:] = 100
    relaxation = nd.fit_recovery(recovery, "tri")
    assert np.isnan(relaxation["t1"].item())
    assert "no finite error" in relaxation["reason"].item()
