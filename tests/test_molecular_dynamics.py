"""Diffusion coefficients and rotational autocorrelation functions of molecular dynamics."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import nmrdyn as nd
from nmrdyn.schema import stamp

KT = 8.617333262145179e-5  # eV/K


def autocorrelation(time, values, temperature):
    """The stage, from arrays (point,), (experiment, point) and (experiment,)."""
    values = np.atleast_2d(values)
    n = len(values)
    return stamp(
        xr.Dataset(
            {"correlation": (("experiment", "point"), values)},
            coords={
                "experiment": [f"{one:g} K" for one in temperature],
                "temperature": ("experiment", np.asarray(temperature, dtype=float)),
                "temperature_stderr": ("experiment", np.full(n, np.nan)),
                "time": (("experiment", "point"), np.tile(time, (n, 1))),
            },
        ),
        "autocorrelation",
    )


def walk(rng, *, molecules, count, angle):
    """Unit vectors (count, molecules, 3) that turn about random axes by `angle` a step; None: to anywhere."""
    u = rng.standard_normal((molecules, 3))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    path = [u]
    for _ in range(count - 1):
        v = rng.standard_normal((molecules, 3))
        if angle is not None:
            v -= u * np.sum(u * v, axis=1, keepdims=True)
            v /= np.linalg.norm(v, axis=1, keepdims=True)
            u = np.cos(angle) * u + np.sin(angle) * v
        else:
            v /= np.linalg.norm(v, axis=1, keepdims=True)
            u = np.where(rng.random((molecules, 1)) < 0.1, v, u)
        path.append(u)
    return np.array(path)


def correlated(path, lags, rank):
    """C(t) of a walk, over all molecules and origins."""
    values = []
    for lag in lags:
        cosine = np.sum(path[lag:] * path[: len(path) - lag], axis=2)
        values.append(np.mean(cosine if rank == 1 else (3 * cosine**2 - 1) / 2))
    return np.array(values)


@pytest.mark.parametrize("angle", [0.15, None])
def test_rank_1_with_the_steps_of_a_walk_gives_the_time_of_rank_2(angle):
    """In small steps tau_1 = 3 tau_2; in steps to anywhere tau_1 = tau_2."""
    rng = np.random.default_rng(4)
    path = walk(rng, molecules=800, count=700, angle=angle)
    lags = np.arange(0, 160, 4)
    time = lags * 1e-12
    steps = "small" if angle else "large"
    first = nd.rotational_correlation_time(autocorrelation(time, correlated(path, lags, 1), [300]), rank=1, steps=steps)
    second = nd.rotational_correlation_time(autocorrelation(time, correlated(path, lags, 2), [300]), rank=2)
    # A step of angle a multiplies C1 by cos a, and C2 by (3 cos^2 a - 1)/2; a jump to anywhere both by 0.9.
    exact = -1e-12 / np.log((3 * np.cos(angle) ** 2 - 1) / 2 if angle else 0.9)
    assert second.tau_c.item() == pytest.approx(exact, rel=0.05)
    assert first.tau_c.item() == pytest.approx(exact, rel=0.05)
    other = "large" if angle else "small"
    wrong = nd.rotational_correlation_time(autocorrelation(time, correlated(path, lags, 1), [300]), rank=1, steps=other)
    assert first.tau_c.item() / wrong.tau_c.item() == pytest.approx(1 / 3 if angle else 3)


@given(tau=st.floats(0.5, 8.0), beta=st.floats(0.5, 1.0), amplitude=st.floats(0.5, 1.0))
def test_stretched_decays_give_their_mean_time(tau, beta, amplitude):
    """The mean of exp(-(t/tau)^beta) is tau Gamma(1/beta)/beta, here by quadrature."""
    time = np.concatenate([[0], np.geomspace(0.01, 60, 200)])
    found = nd.rotational_correlation_time(
        autocorrelation(time * 1e-12, amplitude * np.exp(-((time / tau) ** beta)), [300]), rank=2
    )
    fine = np.concatenate([[0], np.geomspace(1e-4, 1e5, 40_001)])
    mean = np.trapezoid(np.exp(-((fine / tau) ** beta)), fine)
    assert found.tau_c.item() == pytest.approx(mean * 1e-12, rel=1e-3)
    assert found.amplitude.item() == pytest.approx(amplitude, rel=1e-3)
    assert found.beta.item() == pytest.approx(beta, rel=1e-3)


def test_librations_before_the_start_do_not_shorten_the_time():
    time = np.linspace(0, 40e-12, 401)
    value = 0.8 * np.exp(-time / 8e-12) + 0.2 * np.exp(-time / 0.05e-12)
    found = nd.rotational_correlation_time(autocorrelation(time, value, [300]), rank=2, start=0.5e-12)
    assert found.tau_c.item() == pytest.approx(8e-12, rel=1e-3)
    assert found.amplitude.item() == pytest.approx(0.8, rel=1e-3)


def test_a_frozen_rotation_has_no_time_but_a_reason():
    time = np.linspace(0, 50e-12, 101)
    values = np.stack([np.exp(-time / 200e-12), np.exp(-time / 5e-12)])
    found = nd.rotational_correlation_time(autocorrelation(time, values, [250, 350]), rank=1, steps="large")
    assert np.isnan(found.tau_c.values[0]).all()
    assert "falls only from 1.00 to 0.78 in 50 ps" in found.reason.values[0]
    assert found.tau_c.values[1, 0] == pytest.approx(5e-12, rel=1e-6)
    assert found.reason.values[1] == ""


def test_intervals_of_times_hold_that_of_tetrahedra_that_jump():
    # 300 runs of 27 molecules over 100 correlation times. P2 is 1 where a bond stands and -1/3 where another one does,
    # so that C = exp(-4 k t/3) for jumps at a rate k. 95 % ± 3.8 % are three standard errors.
    rng, runs, tau, count = np.random.default_rng(3), 300, 20.0, 2000
    jumped = rng.random((runs, count - 1, 27)) < -np.expm1(-0.75 / tau)
    turns = np.where(jumped, rng.integers(1, 4, jumped.shape, dtype=np.int8), 0)
    site = np.cumsum(turns, axis=1, dtype=np.int8) % 4
    lags = np.arange(0, 200, 5)
    stays = np.array([np.mean(site[:, lag:] == site[:, : count - 1 - lag], axis=(1, 2)) for lag in lags]).T
    stage = autocorrelation(lags * 1e-12, (4 * stays - 1) / 3, np.arange(300.0, 300.0 + runs))
    found = nd.rotational_correlation_time(stage, rank=2, molecules=27, length=(count - 1) * 1e-12)
    score = np.log(found.tau_c / (tau * 1e-12)) * found.tau_c / found.tau_c_stderr
    assert float((abs(score) < 1.96).mean()) == pytest.approx(0.95, abs=0.038)
    assert float(score.std()) == pytest.approx(1, abs=0.15)


@pytest.mark.slow
def test_error_of_a_time_is_the_spread_of_short_runs():
    """tau sqrt(4 tau / (molecules length)) against 200 runs of 20 molecules over 60 correlation times."""
    rng = np.random.default_rng(7)
    exact = -1 / np.log(0.9)
    lags = np.arange(0, 60, 2)
    count = int(60 * exact)
    found = []
    for _ in range(200):
        path = walk(rng, molecules=20, count=count, angle=None)
        stage = autocorrelation(lags * 1e-12, correlated(path, lags, 2), [300])
        found.append(nd.rotational_correlation_time(stage, rank=2, molecules=20, length=count * 1e-12))
    tau = np.array([one.tau_c.item() for one in found]) * 1e12
    said = np.mean([one.tau_c_stderr.item() for one in found]) * 1e12
    assert tau.mean() == pytest.approx(exact, rel=0.03)
    assert 0.6 < said / tau.std(ddof=1) < 1.7


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"rank": 3}, "needed rank 1 or 2, found 3"),
        ({"rank": 1}, "needed steps='large'"),
        ({"rank": 1, "steps": "medium"}, "needed steps='large'"),
        ({"rank": 2, "steps": "large"}, "needed no steps for rank 2"),
        ({"rank": 2, "molecules": 27}, "needed both molecules and length"),
        ({"rank": 2, "molecules": 27, "length": -1.0}, "length [s]"),
        ({"rank": 2, "start": -1.0}, "start [s]"),
    ],
)
def test_what_cannot_be_made_a_time_is_refused(asked, said):
    stage = autocorrelation(np.linspace(0, 5e-11, 50), np.exp(-np.linspace(0, 10, 50)), [300])
    with pytest.raises(nd.InputError) as error:
        nd.rotational_correlation_time(stage, **asked)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t (ps), C\n0, 1\n1, 0.5\n", "needed one temperature, found none"),
        ("T (K), t (ps), C\n300, 0, 1\n300, 0, 0.5\n", "line 3: needed each time once at 300 K"),
        ("T (K), t (ps), C\n300, -1, 1\n300, 0, 0.5\n", "line 2: needed a time of 0 or more"),
        ("T (K), t (ps), C\n300, 0, 1\n300, 1, 1.5\n", "line 3: needed a correlation from -1 to 1"),
        ("T (K), t (ps), C\n300, 0, 1\n300, , 0.5\n", "line 3: needed a temperature, a time and a value"),
        ("T (K), t, C\n300, 0, 1\n300, 1, 0.5\n", "needed a unit for the column 't'"),
        ("T (K), t (ps)\n300, 0\n300, 1\n", "'correlation'"),
    ],
)
def test_bad_tables_of_autocorrelation(tmp_path, text, said):
    file = tmp_path / "c.csv"
    file.write_text(text)
    with pytest.raises(nd.InputError) as error:
        nd.read_autocorrelation(file)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("T (K), D (cm^2/s)\n500, 1e-1\n600, 2e-1\n", "line 2: needed a diffusion coefficient of at most"),
        ("T (K), D\n500, 1e-6\n", "needed a unit for the column 'D'"),
        ("T (K), D (cm^2/s)\n500, -1e-6\n600, 1e-6\n", "line 2"),
        ("run, T (K), D (cm^2/s)\na, 500, 1e-6\na, 600, 1e-6\n", "a different name for each"),
    ],
)
def test_bad_tables_of_diffusion(tmp_path, text, said):
    file = tmp_path / "d.csv"
    file.write_text(text)
    with pytest.raises(nd.InputError) as error:
        nd.read_diffusion(file)
    assert said in str(error.value)


@given(
    values=st.lists(st.floats(1e-14, 1e-8), min_size=2, max_size=8),
    unit=st.sampled_from([("m^2/s", 1.0), ("cm^2/s", 1e-4), ("A^2/ps", 1e-8), ("nm^2/ns", 1e-9)]),
)
def test_diffusion_is_read_as_it_was_written(tmp_path_factory, values, unit):
    file = tmp_path_factory.mktemp("d") / "d.csv"
    lines = [f"{300 + 10 * k}; {value / unit[1]!r}; {0.1 * value / unit[1]!r}" for k, value in enumerate(values)]
    file.write_text("\n".join([f"T (K); D ({unit[0]}); D_stderr ({unit[0]})", *lines]))
    found = nd.read_diffusion(file)
    np.testing.assert_allclose(found.diffusion, values, rtol=1e-12)
    np.testing.assert_allclose(found.diffusion_stderr, 0.1 * np.array(values), rtol=1e-12)
    np.testing.assert_allclose(found.temperature, 300 + 10 * np.arange(len(values)))


@pytest.mark.slow
def test_barrier_of_diffusion_is_its_truth_and_stands_beside_others(tmp_path):
    rng = np.random.default_rng(3)
    kelvin = np.array([500.0, 550, 600, 650, 700, 800])
    value = 3e-7 * np.exp(-0.30 / (KT * kelvin)) * np.exp(0.1 * rng.standard_normal(6))
    file = tmp_path / "aimd.csv"
    rows = [f"{t:g},{1e4 * d:.6e},{1e3 * d:.3e}" for t, d in zip(kelvin, value, strict=True)]
    file.write_text("\n".join(["T (K),D (cm^2/s),D_stderr (cm^2/s)", *rows]))
    aimd = nd.Process("AIMD", nd.read_diffusion(file), mechanism=nd.Diffusion())
    truth = nd.ConductivityTruth(
        activation_energy=0.55, conductivity=1e-2, reference_temperature=333, temperature=range(290, 350, 10)
    )
    eis = nd.Process("eis", nd.simulate(truth, seed=1), mechanism=nd.Conductivity("sigma_T"))
    posterior = nd.infer([aimd, eis], seed=1)
    draws = posterior["posterior"]["AIMD.activation_energy"].values.ravel()
    # Against the weighted line, with 10 % and the scatter that every law is allowed.
    line = np.polyfit(1 / (KT * kelvin), np.log(value), 1)
    assert draws.mean() == pytest.approx(-line[0], abs=2e-3)
    assert abs(draws.mean() - 0.30) < 3 * draws.std()
    prefactor = posterior["posterior"]["AIMD.log10_prefactor"].values.ravel()
    assert prefactor.mean() == pytest.approx(line[1] / np.log(10), abs=0.05)
    comparison = nd.compare(posterior)
    assert comparison.verdict.sel(pair="AIMD - eis").item() == "different"
    ahead = nd.predict(posterior, aimd, temperature=[600.0])
    low, high = ahead.diffusion.sel(quantile=[0.025, 0.975]).values.ravel()
    assert low < 3e-7 * np.exp(-0.30 / (KT * 600)) < high


@pytest.mark.parametrize(
    ("observed", "log_value"),
    [
        (nd.CorrelationTime(), lambda x, kelvin: x),
        (nd.Conductivity("sigma"), lambda x, kelvin: -x),
        (nd.Conductivity("sigma_T"), lambda x, kelvin: -x - np.log(kelvin)),
        (nd.Diffusion(), lambda x, kelvin: -x),
    ],
)
def test_what_is_observed_is_made_of_the_law_and_back(observed, log_value):
    log_tau, kelvin = np.array([-20.0, -3.0, 5.0]), np.array([250.0, 300.0, 700.0])
    value = observed.log_value(log_tau, kelvin)
    np.testing.assert_allclose(value, log_value(log_tau, kelvin), rtol=1e-15)
    np.testing.assert_allclose(observed.log_correlation_time(value, kelvin), log_tau, rtol=1e-14)
