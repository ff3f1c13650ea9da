import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nmrdyn as nd
from nmrdyn.schema import stamp

SPINS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.5)
# Real root of 32 u^3 + 20 u^2 + u - 5 = 0 with u = x^2, where f(x) = x/(1 + x^2) + 4x/(1 + 4x^2) has its maximum.
X_MINIMUM = 0.615795146961756244756

# (3 pi^2 / 50) (2I + 3) / (I^2 (2I - 1)): closed forms 3pi^2/10, 2pi^2/25, 7pi^2/200, 12pi^2/625, 3pi^2/250, 2pi^2/245,
# pi^2/225, written out.
PREFACTOR = {
    1.0: 2.960881320326807,
    1.5: 0.789568352087149,
    2.0: 0.345436154038128,
    2.5: 0.189496404500916,
    3.0: 0.118435252813072,
    3.5: 0.080568199192567,
    4.5: 0.043864908449286,
}

# Initial rates of <Iz> after saturation of all levels: an independent stochastic Liouville calculation with numerical
# spin matrices (second order). Spin, C_Q [Hz], eta, Larmor frequency [Hz], tau_c [s], 1/T1 [1/s].
RATES = [
    (1.5, 100000.0, 0.4, 160490000.0, 7e-06, 0.0023368552908941812),
    (1.5, 100000.0, 0.4, 160490000.0, 9.918e-10, 10.72140949217248),
    (1.5, 1500000.0, 0.25, 132320000.0, 1e-12, 9.06767773339593),
    (1.0, 168000.0, 0.0, 76800000.0, 1.3e-09, 246.777844363781),
    (1.0, 3000.0, 0.5, 44200000.0, 1e-07, 0.007479966417371645),
    (2.5, 1000000.0, 0.9, 130300000.0, 7.5e-10, 418.9356870404795),
    (2.5, 7000000.0, 0.2, 67800000.0, 1e-06, 103.69522505848062),
    (3.0, 1500000.0, 0.1, 53700000.0, 1e-11, 13.367861736671236),
    (3.5, 5000000.0, 0.7, 121500000.0, 8e-10, 4374.294357554071),
    (4.5, 20000000.0, 0.5, 122400000.0, 1e-12, 95.04044385182499),
]

# Roots by 40-digit bisection on the golden-rule transition sum. Spin, C_Q, eta, Larmor frequency, T1 [s],
# tau_c fast and slow [s], d ln tau_c / d ln T1 fast and slow.
ROOTS = [
    (
        1.5,
        1e5,
        0.4,
        160.49e6,
        61.13,
        3.933872427348029e-13,
        9.999631454023998e-7,
        -1.00000107005308123,
        1.0000012293807514,
    ),
    (
        1.5,
        1e5,
        0.4,
        160.49e6,
        0.0852,
        5.752025401163677e-10,
        6.484588604629645e-10,
        -20.4115296188290522,
        20.547126288741418,
    ),
    (
        1.5,
        1.5e6,
        0.25,
        132.32e6,
        1e-3,
        1.136145942178856e-10,
        5.071307448159412e-9,
        -1.06208560481788551,
        1.07103442594389976,
    ),
    (
        1.0,
        1.68e5,
        0.0,
        76.8e6,
        300.0,
        7.977543434070517e-15,
        2.153320312375351e-4,
        -1.00000000010076958,
        1.00000000011577387,
    ),
    (
        2.5,
        3e6,
        0.1,
        130.3e6,
        0.1,
        1.168806513928937e-12,
        5.105856426497849e-7,
        -1.00000622649641962,
        1.00000715360049732,
    ),
    (
        3.5,
        5e6,
        0.7,
        121.5e6,
        0.02,
        4.267837120328210e-12,
        1.608190634088102e-7,
        -1.00007218528038622,
        1.0000829330630593,
    ),
]
INFEASIBLE = [
    (1.5, 1e5, 0.4, 160.49e6, 0.084),
    (1.5, 1.5e6, 0.25, 132.32e6, 3.2e-4),
    (1.0, 1.68e5, 0.0, 76.8e6, 1e-3),
    (4.5, 2e7, 0.5, 122.4e6, 1e-5),
]


def quadrupolar(spin, cq=1e6, eta=0.0):
    return nd.BPP(spin=spin, cq=cq, eta=eta)


def golden_rule_rate(spin, cq, eta, larmor, tau):
    """Rate of <Iz> under a common spin temperature, summed over transitions (Abragam 1961, ch. VIII)."""
    c = 3 * np.pi**2 / 20 * cq**2 * (1 + eta**2 / 3) / (spin**2 * (2 * spin - 1) ** 2)
    omega = 2 * np.pi * larmor
    j1, j2 = (tau / (1 + (k * omega * tau) ** 2) for k in (1, 2))
    m = np.arange(-spin, spin + 1)
    step = (spin - m) * (spin + m + 1)
    single = c * (2 * m + 1) ** 2 * step * j1
    double = c * step * (spin - m - 1) * (spin + m + 2) * j2
    return np.sum(single + 4 * double) / np.sum(m**2)


@pytest.mark.parametrize("spin", SPINS)
def test_rate_has_the_closed_prefactor(spin):
    # Closed form in extreme narrowing, J(omega0) + 4 J(2 omega0) = 5 tau_c.
    rate = quadrupolar(spin, cq=2e5, eta=0.6).rate(1e-20, 1e8)
    assert rate == pytest.approx(PREFACTOR[spin] * 2e5**2 * 1.12 * 5e-20, rel=1e-13, abs=0)


@pytest.mark.parametrize("tau", [1e-13, 1e-9, 1e-5])
@pytest.mark.parametrize("spin", SPINS)
def test_rate_is_the_golden_rule_sum(spin, tau):
    expected = golden_rule_rate(spin, 1.3e6, 0.35, 9e7, tau)
    assert quadrupolar(spin, 1.3e6, 0.35).rate(tau, 9e7) == pytest.approx(expected, rel=1e-13, abs=0)


@pytest.mark.parametrize(("spin", "cq", "eta", "larmor", "tau", "rate"), RATES)
def test_rate_agrees_with_a_stochastic_liouville_calculation(spin, cq, eta, larmor, tau, rate):
    assert quadrupolar(spin, cq, eta).rate(tau, larmor) == pytest.approx(rate, rel=1e-9, abs=0)


def test_rates_of_the_whole_stochastic_liouville_table(oracle):
    rows = oracle("a_t1_rates.csv")
    assert rows
    for row in rows:
        cq, larmor = float(row["C_Q_Hz"]), float(row["nu0_Hz"])
        rate = quadrupolar(float(row["I"]), cq, float(row["eta"])).rate(float(row["tau_c_s"]), larmor)
        assert rate == pytest.approx(float(row["R1_init_redfield"]), rel=1e-9, abs=0), row["id"]
        # To all orders in C_Q the same calculation departs from second order by at most 0.12 (C_Q / nu0)^2.
        assert rate == pytest.approx(float(row["R1_init_sle"]), rel=1e-9 + 0.12 * (cq / larmor) ** 2, abs=0), row["id"]


def test_rate_broadcasts_over_correlation_times_frequencies_and_couplings():
    tau, larmor = np.array([1e-12, 1e-9, 1e-6])[:, None], np.array([1e8, 2e8])
    rate = quadrupolar(1.5).rate(tau, larmor)
    assert rate.shape == (3, 2)
    assert rate[2, 0] == quadrupolar(1.5).rate(1e-6, 1e8)
    many = quadrupolar(1.5, cq=np.array([1e6, 2e6]), eta=np.array([0.0, 1.0])).rate(1e-9, 1e8)
    assert many[1] / many[0] == pytest.approx(4 * (1 + 1 / 3), rel=1e-14, abs=0)  # closed form: C_Q^2 (1 + eta^2/3)


@pytest.mark.parametrize("spin", SPINS)
def test_transition_rates_are_consistent_with_the_rate(spin):
    # Closed forms: 1/T1 = (2I+3)/(5I(2I-1)) (W1 + 4 W2); W1/W2 = J(omega0)/J(2 omega0) = (1 + 4x^2)/(1 + x^2).
    mechanism, tau, larmor = quadrupolar(spin, 7e5, 0.2), np.array([1e-12, 1e-9, 1e-6]), 1e8
    w1, w2, w = mechanism.transition_rates(tau, larmor)
    x = 2 * np.pi * larmor * tau
    expected = (2 * spin + 3) / (5 * spin * (2 * spin - 1)) * (w1 + 4 * w2)
    np.testing.assert_allclose(mechanism.rate(tau, larmor), expected, rtol=1e-13)
    np.testing.assert_allclose(w1 / w2, (1 + 4 * x**2) / (1 + x**2), rtol=1e-13)
    np.testing.assert_array_equal(w, 0)


# T1 minimum = q nu0 / (C_Q^2 (1 + eta^2/3)) with q = 2 pi / (prefactor * 1.425175719086501535), closed form.
@pytest.mark.parametrize(
    ("spin", "q"),
    [
        (1.0, 1.488985448932658),
        (1.5, 5.583695433497468),
        (2.5, 23.26539763957279),
        (3.5, 54.72021524827519),
        (4.5, 100.5065178029544),
    ],
)
@pytest.mark.parametrize("larmor", [5e6, 160.49e6, 1.2e9])
def test_t1_minimum_has_its_closed_value_and_place(spin, q, larmor):
    mechanism = quadrupolar(spin, 4e5, 0.7)
    tau, t1 = mechanism.turning_point(larmor)
    assert t1 == pytest.approx(q * larmor / (4e5**2 * (1 + 0.49 / 3)), rel=1e-12, abs=0)
    assert mechanism.t1_minimum(larmor) == t1
    # A minimum is located to the square root of the precision of a float.
    assert 2 * np.pi * larmor * tau == pytest.approx(X_MINIMUM, rel=1e-7, abs=0)


@pytest.mark.parametrize(("spin", "cq", "eta", "larmor", "t1", "fast", "slow", "_a", "_b"), ROOTS)
def test_correlation_times_agree_with_forty_digit_roots(spin, cq, eta, larmor, t1, fast, slow, _a, _b):
    found = quadrupolar(spin, cq, eta).correlation_times(t1, larmor)
    assert found == (pytest.approx(fast, rel=1e-8, abs=0), pytest.approx(slow, rel=1e-8, abs=0))


@pytest.mark.parametrize(("spin", "cq", "eta", "larmor", "t1"), INFEASIBLE)
def test_no_correlation_time_below_the_t1_minimum(spin, cq, eta, larmor, t1):
    mechanism = quadrupolar(spin, cq, eta)
    assert t1 < mechanism.t1_minimum(larmor)
    assert np.all(np.isnan(mechanism.correlation_times(t1, larmor)))


def test_correlation_times_of_the_whole_table_of_roots(oracle):
    rows = oracle("b_tau_from_t1.csv")
    assert {row["feasible"] for row in rows} == {"0", "1"}
    for row in rows:
        mechanism = quadrupolar(float(row["I"]), float(row["C_Q_Hz"]), float(row["eta"]))
        t1, larmor, shortest = float(row["T1_s"]), float(row["nu0_Hz"]), float(row["T1_min_s"])
        tau_shortest, found_shortest = mechanism.turning_point(larmor)
        assert found_shortest == pytest.approx(shortest, rel=1e-12, abs=0), row["id"]
        assert tau_shortest == pytest.approx(float(row["tau_at_min_s"]), rel=1e-7, abs=0), row["id"]
        if abs(t1 / shortest - 1) < 1e-5:
            continue  # a float cannot tell on which side of the minimum it lies
        found = mechanism.correlation_times(t1, larmor)
        if row["feasible"] == "0":
            assert np.all(np.isnan(found)), row["id"]
            continue
        for branch, tau in zip(("fast", "slow"), found, strict=True):
            assert tau == pytest.approx(float(row[f"tau_{branch}_s"]), rel=1e-8, abs=0), row["id"]
            slope = float(row[f"dlntau_dlnT1_{branch}"])
            assert mechanism.sensitivity(tau, larmor) == pytest.approx(slope, rel=1e-7, abs=0), row["id"]


@settings(deadline=None, max_examples=150)
@given(
    spin=st.sampled_from(SPINS),
    log_cq=st.floats(2, 8),
    eta=st.floats(0, 1),
    log_larmor=st.floats(6, 9.3),
    ln_x=st.floats(-25, 25),
)
def test_correlation_time_round_trips_through_t1(spin, log_cq, eta, log_larmor, ln_x):
    distance = ln_x - np.log(X_MINIMUM)
    assume(abs(distance) > 1e-3)
    mechanism, larmor = quadrupolar(spin, 10**log_cq, eta), 10**log_larmor
    tau = np.exp(ln_x) / (2 * np.pi * larmor)
    fast, slow = mechanism.correlation_times(1 / mechanism.rate(tau, larmor), larmor)
    # Rounding of ln T1 is amplified by 1 / distance near the minimum, where d ln T1 = 0.815 distance d ln tau_c.
    tolerance = 1e-13 * (1 + 1 / abs(distance))
    assert (slow if distance > 0 else fast) == pytest.approx(tau, rel=tolerance, abs=0)
    assert fast < slow


def test_correlation_times_exist_at_the_t1_minimum_itself():
    # A T1 equal to t1_minimum is feasible; both roots are the turning point, to the square root of a float's precision.
    mechanism, larmor = nd.BPP(nucleus="11B", cq=0.1e6, eta=0.4), np.linspace(10e6, 900e6, 300)
    for tau in mechanism.correlation_times(mechanism.t1_minimum(larmor), larmor):
        np.testing.assert_allclose(2 * np.pi * larmor * tau, X_MINIMUM, rtol=1e-6)


def test_rates_broadcast_over_arrays_of_couplings_and_inversion_refuses_them():
    couplings = np.array([1e5, 2e5])
    both = nd.BPP(nucleus="11B", cq=couplings, eta=0.4)
    single = [nd.BPP(nucleus="11B", cq=cq, eta=0.4).rate(1e-6, 160.49e6) for cq in couplings]
    np.testing.assert_allclose(both.rate(1e-6, 160.49e6), single, rtol=1e-14)
    for inversion in (lambda: both.correlation_times(61.13, 160.49e6), lambda: both.t1_minimum(160.49e6)):
        with pytest.raises(nd.InputError, match="one cq"):
            inversion()


@pytest.mark.parametrize("ln_x", [-20.0, -6.0, -2.0, -1.0, -0.2, 0.0, 0.5, 3.0, 8.0, 20.0])
def test_sensitivity_is_the_closed_derivative(ln_x):
    # Closed form: -f / (x f') with f(x) = x/(1 + x^2) + 4x/(1 + 4x^2).
    x = np.exp(ln_x)
    f = x / (1 + x**2) + 4 * x / (1 + 4 * x**2)
    slope = (1 - x**2) / (1 + x**2) ** 2 + 4 * (1 - 4 * x**2) / (1 + 4 * x**2) ** 2
    found = quadrupolar(1.5).sensitivity(x / (2 * np.pi * 1e8), 1e8)
    assert found == pytest.approx(-f / (x * slope), rel=1e-8, abs=0)  # rounding over a step of 1e-5
    if abs(ln_x) > 15:
        assert found == pytest.approx(np.sign(ln_x), rel=1e-8, abs=0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nucleus": "1H", "cq": 1e5, "eta": 0.0}, "1H with spin 0.5"),
        ({"spin": 0.5, "cq": 1e5, "eta": 0.0}, "found spin 0.5"),
        ({"spin": 1.25, "cq": 1e5, "eta": 0.0}, "found spin 1.25"),
        ({"nucleus": "11B", "cq": 1e5, "eta": 1.01}, "eta: needed a finite number from 0 and up to 1, found 1.01"),
        ({"nucleus": "11B", "cq": 1e5, "eta": -0.1}, "eta: needed a finite number from 0 and up to 1, found -0.1"),
        ({"nucleus": "11B", "cq": 1e5, "eta": np.nan}, "eta: needed a finite number from 0 and up to 1, found nan"),
        ({"nucleus": "11B", "cq": 0.0, "eta": 0.0}, "C_Q in Hz that is not zero"),
        ({"nucleus": "11B", "cq": np.nan, "eta": 0.0}, "C_Q in Hz: needed a finite number, found nan"),
        ({"nucleus": "11B", "cq": np.array([1e5, 0.0]), "eta": 0.0}, "C_Q in Hz that is not zero"),
        ({"nucleus": "11B", "spin": 2.5, "cq": 1e5, "eta": 0.0}, "spin of 11B, 1.5, found 2.5"),
        ({"cq": 1e5, "eta": 0.0}, "nucleus= or spin="),
    ],
)
def test_mechanism_refuses_what_cannot_be(fields, words):
    with pytest.raises(nd.InputError, match=words):
        nd.BPP(**fields)


@pytest.mark.parametrize("cq", [0.1e6, -0.1e6])
def test_coupling_needed_puts_t1_on_the_minimum(cq):
    mechanism = nd.BPP(nucleus="11B", cq=cq, eta=0.4)
    needed = mechanism.coupling_needed(0.05, 160.49e6)
    assert needed > 0.1e6
    assert nd.BPP(nucleus="11B", cq=needed, eta=0.4).t1_minimum(160.49e6) == pytest.approx(0.05, rel=1e-12, abs=0)


def relaxation_of(t1, stderr):
    n = len(t1)
    data = xr.Dataset(
        {"t1": ("experiment", np.array(t1)), "t1_stderr": ("experiment", np.array(stderr))},
        coords={
            "experiment": [str(i + 1) for i in range(n)],
            "temperature": ("experiment", np.full(n, 300.0)),
            "temperature_stderr": ("experiment", np.full(n, 1.0)),
            "larmor_frequency": ("experiment", np.full(n, 160.49e6)),
        },
    )
    return stamp(data, "relaxation", nucleus="11B")


def test_motion_has_both_branches_and_says_why_a_value_is_missing():
    # 11B, C_Q 0.1 MHz, eta 0.4 at 160.49 MHz: the T1 minimum is 85.075 ms; roots of 61.13 s as in ROOTS.
    relaxation = relaxation_of([61.13, 0.084, 0.0852, np.nan, 427.9], [0.6113, 1e-4, 1e-4, np.nan, np.nan])
    motion = nd.correlation_time(relaxation, nd.BPP(nucleus="11B", cq=0.1e6, eta=0.4))
    assert list(motion.branch.values) == ["fast", "slow"]
    assert motion.tau_c.dims == ("experiment", "branch")
    assert (motion.attrs["stage"], motion.tau_c.attrs["units"]) == ("motion", "s")
    np.testing.assert_allclose(motion.t1_minimum, 0.08507537469512738, rtol=1e-12)
    np.testing.assert_array_equal(motion.feasible, [True, False, True, False, True])
    np.testing.assert_allclose(motion.tau_c[0], [3.933872427348029e-13, 9.999631454023998e-7], rtol=1e-8)
    np.testing.assert_allclose(motion.tau_c[2], [5.752025401163677e-10, 6.484588604629645e-10], rtol=1e-8)
    np.testing.assert_allclose(motion.tau_c[4], [5.619946142740710e-14, 6.999582652805084e-6], rtol=1e-8)
    assert np.all(np.isnan(motion.tau_c[[1, 3]]))
    # 1 % of T1 is 1.000001 % of tau_c on both branches so far from the minimum.
    np.testing.assert_allclose(motion.tau_c_stderr[0] / motion.tau_c[0], [0.01000001070, 0.01000001229], rtol=1e-8)
    assert np.all(np.isnan(motion.tau_c_stderr[1:]))  # below it, within 3 sigma (0.35 %) of it, none, no stderr of T1
    reasons = motion.reason.values
    assert reasons[0] == ""
    assert "T1 0.084 s is below the shortest this mechanism allows, 0.0851 s" in reasons[1]
    assert "within three standard errors of the T1 minimum" in reasons[2]
    assert reasons[3] == "no T1"


def test_motion_near_the_minimum_depends_on_the_standard_error():
    # ln(0.0866 / 0.085075) = 0.0178: outside 3 sigma of 0.5 %, inside 3 sigma of 0.7 %.
    relaxation = relaxation_of([0.0866, 0.0866], [0.005 * 0.0866, 0.007 * 0.0866])
    motion = nd.correlation_time(relaxation, nd.BPP(nucleus="11B", cq=0.1e6, eta=0.4))
    assert np.all(np.isfinite(motion.tau_c_stderr[0]))
    assert np.all(np.isnan(motion.tau_c_stderr[1]))
    assert list(motion.reason.values != "") == [False, True]


@pytest.mark.parametrize("cq", [0.1e6, nd.LinearCoupling(value=0.1e6, slope=-100.0, reference=300.0)])
def test_many_experiments_have_the_correlation_times_of_each_by_itself(cq):
    # On both sides of the minima, at three fields and two temperatures of which one is unknown, with T1s and errors
    # that are missing, infinite or larger than T1.
    rng = np.random.default_rng(1)
    t1 = np.geomspace(0.03, 1e3, 40)
    stderr = t1 * rng.choice([1e-3, 0.1, 3.0, 1e3, np.nan, np.inf], 40)
    t1[rng.choice(40, 4)] = np.nan
    relaxation = relaxation_of(t1, stderr)
    relaxation["larmor_frequency"][:] = rng.choice([160.49e6, 128.4e6, 96.3e6], 40)
    relaxation["temperature"][:] = rng.choice([300.0, 350.0, np.nan], 40)
    mechanism = nd.BPP(nucleus="11B", cq=cq, eta=0.4)
    together = nd.correlation_time(relaxation, mechanism)
    alone = [nd.correlation_time(relaxation.isel(experiment=[i]), mechanism) for i in range(40)]
    xr.testing.assert_allclose(together, xr.concat(alone, "experiment", data_vars="minimal"), rtol=1e-12)


def test_motion_needs_the_stage_relaxation(sodium):
    with pytest.raises(nd.InputError, match="needed the stage 'relaxation', found 'recovery'"):
        nd.correlation_time(nd.simulate(sodium, seed=1), nd.BPP(nucleus="23Na", cq=1e6, eta=0.1))
