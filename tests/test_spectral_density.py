"""Spectral densities against closed forms, independent quadrature, their flanks and their limits."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import gamma, wofz

from nmrdyn.motion.spectral_density import (
    KWW,
    BetaBPP,
    ColeCole,
    ColeDavidson,
    Debye,
    HavriliakNegami,
    LipariSzabo,
    LogNormal,
    Richards2D,
    TwoProcess,
    kww,
    log_normal,
)
from nmrdyn.schema import BOLTZMANN_EV, InputError

TAU = 1e-9

MODELS = [
    Debye(),
    BetaBPP(1.0),
    BetaBPP(1.6),
    ColeDavidson(0.05),
    ColeDavidson(0.5),
    ColeCole(0.3),
    ColeCole(0.7),
    HavriliakNegami(0.8, 0.5),
    HavriliakNegami(1.0, 0.4),
    KWW(0.05),
    KWW(0.5),
    KWW(0.93),
    LogNormal(0.5),
    LogNormal(4.0),
    LogNormal(20.0),
    Richards2D(),
    LipariSzabo(0.3, 2e-11),
    TwoProcess(0.7, 0.01),
]


def name(model):
    return repr(model)


def reduced(model, x):
    """J/tau at x = omega tau."""
    return model.evaluate(np.asarray(x) / TAU, TAU) / TAU


def t1(model, omega, tau):
    """T1 of unit strength, from J(omega) + 4 J(2 omega)."""
    return 1 / (model.evaluate(omega, tau) + 4 * model.evaluate(2 * omega, tau))


# --- values -----------------------------------------------------------------------------------------------------------

# Model, omega [rad/s], tau [s], J [s]: independent quadrature over the distribution of Debye processes, or along a
# rotated contour; 14 digits.
QUADRATURE = [
    (Debye(), 831391079.846003, 1.2e-9, 6.0140005216104e-10),  # beta_bpp with beta = 2
    (BetaBPP(1.5), 2016902483.60465, 1e-10, 9.1694414858741e-11),
    (BetaBPP(1.0), 62831.8530717959, 1e-4, 1.3730256169841e-5),
    (ColeDavidson(0.6), 831391079.846003, 1.2e-9, 4.4323993624129e-10),
    (ColeDavidson(0.3), 2016902483.60465, 1e-4, 5.7670687144236e-12),
    (ColeCole(0.7), 831391079.846003, 1e-12, 7.4331766066139e-12),
    (ColeCole(0.95), 2016902483.60465, 1e-6, 3.5848743091356e-13),
    (HavriliakNegami(0.8, 0.5), 831391079.846003, 1.2e-9, 2.9203321715617e-10),
    (HavriliakNegami(0.6, 0.9), 2016902483.60465, 1e-6, 6.0340593021126e-12),
    (KWW(0.8), 831391079.846003, 1.2e-9, 4.9829766658096e-10),
    (KWW(0.5), 831391079.846003, 1e-4, 2.6068724045098e-12),
    (LogNormal(2.0), 831391079.846003, 1.2e-9, 3.0483239356887e-10),
    (LogNormal(4.0), 62831.8530717959, 1e-12, 1.6589523115095e-9),
    (Richards2D(), 831391079.846003, 1.2e-9, 8.3457999299506e-10),
    (LipariSzabo(0.3, 1e-12), 2016902483.60465, 1.2e-9, 5.3194615447868e-11),
    (LipariSzabo(0.8, 2e-11), 831391079.846003, 1.2e-9, 4.8505341580559e-10),
]

# Model, omega tau, J [s] for tau = 1 ns: the definition in arithmetic of 50 digits (for KWW the power series, or the
# trapezoid rule along another contour than the one in use).
FIFTY_DIGITS = [
    (ColeDavidson(0.3), 1e-12, 3e-10),
    (ColeDavidson(0.3), 1e12, 1.14037257632935e-25),
    (ColeCole(0.95), 1e-12, 3.968799390079842e-9),
    (ColeCole(0.95), 1e12, 3.968799390079842e-33),
    (HavriliakNegami(0.6, 0.9), 1e-12, 4.594096605969317e-5),
    (HavriliakNegami(0.6, 0.9), 1e12, 2.483851013724285e-28),
    (Richards2D(), 1e-12, 5.52620422318571e-8),
    (Richards2D(), 1e12, 1e-33),
    (BetaBPP(1.2), 1e12, 3.981071705534957e-24),
    (LogNormal(4.0), 1e-12, 2.974108190490173e-6),
    (LogNormal(4.0), 1e12, 2.974108190490173e-30),
    (LogNormal(6.0), 1e-12, 0.005509935952118461),
    (KWW(0.1), 1e-12, 0.003398308622456073),
    (KWW(0.1), 1.0, 5.749553644669619e-11),
    (KWW(0.1), 1e12, 8.842106707183204e-24),
    (KWW(0.5), 1.0, 2.705135801622141e-10),
    (KWW(0.5), 1e12, 6.266565686579068e-28),
    (KWW(0.97), 1.0, 4.880228920523794e-10),
    (KWW(0.97), 10.0, 1.036336714341079e-11),
    (KWW(0.97), 1e12, 2.26014374995395e-33),
]


@pytest.mark.parametrize(("model", "omega", "tau", "j"), QUADRATURE)
def test_values_agree_with_independent_quadrature(model, omega, tau, j):
    # 14 digits of J, and 15 of omega to the power of 2 at most
    assert model.evaluate(omega, tau) == pytest.approx(j, rel=2e-13, abs=0)


@pytest.mark.parametrize(("model", "x", "j"), FIFTY_DIGITS)
def test_values_agree_with_fifty_digits_far_out(model, x, j):
    # a relative error of 1e-16 of x^alpha, times |ln x| < 28, times the sum of a few
    assert model.evaluate(x / TAU, TAU) == pytest.approx(j, rel=5e-14, abs=0)


def model_of(row):
    parameters = dict(item.split("=") for item in row["params"].split(";") if item)
    return {
        "bpp": Debye,
        "beta_bpp": BetaBPP,
        "cole_davidson": ColeDavidson,
        "cole_cole": ColeCole,
        "havriliak_negami": HavriliakNegami,
        "kww": KWW,
        "log_normal": LogNormal,
        "richards_2d": Richards2D,
        "lipari_szabo": LipariSzabo,
    }[row["model"]](
        **{
            {"S2": "s2", "tau_e_s": "tau_e", "sigma_lntau": "sigma"}.get(key, key): float(value)
            for key, value in parameters.items()
        }
    )


def test_values_of_the_whole_table(oracle):
    rows = oracle("d_spectral_density.csv")
    assert len({row["model"] for row in rows}) == 9
    for row in rows:
        j = model_of(row).evaluate(float(row["omega_rad_s"]), float(row["tau_s"]))
        assert j == pytest.approx(float(row["J_s"]), rel=1e-9, abs=0), row["id"]


@pytest.mark.parametrize(("alpha", "gamma"), [(1.0, 0.3), (0.4, 1.0), (0.7, 0.5), (0.99, 0.99), (0.02, 0.03)])
def test_havriliak_negami_is_the_imaginary_part_of_its_complex_function(alpha, gamma):
    # -Im (1 + (ix)^alpha)^(-gamma) / x in complex arithmetic, which loses no more than two digits at these x
    x = np.geomspace(0.03, 30, 31)
    expected = -np.imag((1 + (1j * x) ** alpha) ** -gamma) / x
    np.testing.assert_allclose(reduced(HavriliakNegami(alpha, gamma), x), expected, rtol=2e-13)


def test_kww_of_one_half_is_its_closed_form():
    # Laplace transform of exp(-sqrt t): 1/s - sqrt(pi)/2 s^(-3/2) erfcx(1/(2 sqrt s)), here at s = -ix; erfcx(z) is
    # Faddeeva's w(iz). The two terms cancel to the fraction x.
    x = np.geomspace(1e-2, 1e6, 97)
    s = -1j * x
    expected = np.real(1 / s - np.sqrt(np.pi) / 2 * s**-1.5 * wofz(0.5j / np.sqrt(s)))
    np.testing.assert_allclose(reduced(KWW(0.5), x), expected, rtol=2e-12)


@pytest.mark.parametrize(("beta", "x"), [(0.3, 1e-3), (0.3, 0.02), (0.5, 0.3), (0.8, 0.1), (0.8, 2.0), (0.95, 4.0)])
def test_kww_is_the_cosine_transform(beta, x):
    # With s = t^beta; between the zeros of the cosine, up to where exp(-s) is 1e-18.
    zeros = ((np.arange(0.5, x * 41 ** (1 / beta) / np.pi + 1) * np.pi) / x) ** beta
    ends = [0.0, *zeros[zeros < 41], 41.0]
    total = sum(
        quad(
            lambda s: np.exp(-s) * np.cos(x * s ** (1 / beta)) * s ** (1 / beta - 1) / beta,
            *pair,
            epsrel=1e-11,
            epsabs=1e-14,
        )[0]
        for pair in pairwise(ends)
    )
    assert reduced(KWW(beta), x) == pytest.approx(total, rel=1e-10, abs=0)  # cancellation costs two digits


@pytest.mark.parametrize("sigma", [0.3, 2.0, 6.0])
@pytest.mark.parametrize("x", [1e-5, 0.1, 1.0, 30.0])
def test_log_normal_is_the_mean_of_debye(sigma, x):
    def integrand(u):
        return np.exp(-(u**2) / 2 + sigma * u) / (1 + (x * np.exp(sigma * u)) ** 2) / np.sqrt(2 * np.pi)

    bend = -np.log(x) / sigma
    ends = sorted({-14.0, -sigma, 0.0, sigma, 14.0, *([bend] if abs(bend) < 14 else [])})
    total = sum(quad(integrand, *pair, epsrel=1e-12, epsabs=0)[0] for pair in pairwise(ends))
    assert reduced(LogNormal(sigma), x) == pytest.approx(total, rel=1e-11, abs=0)


# --- the tables of KWW and LogNormal ----------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.05, 0.1, 0.3, 0.5, 0.8, 0.97, 1.0])
def test_kww_table_is_the_direct_integral(beta):
    edge = np.log(kww.series_edge(beta))
    ln_x = np.append(
        np.random.default_rng(1).uniform(edge - 3 - 2.5 / beta, edge, 400), np.linspace(edge - 0.2, edge, 99)
    )
    np.testing.assert_allclose(reduced(KWW(beta), np.exp(ln_x)), kww.integral(ln_x, beta), rtol=2e-13)


@pytest.mark.parametrize("beta", [0.05, 0.1, 0.3, 0.5, 0.8, 0.97, 1.0])
def test_kww_series_continues_the_direct_integral(beta):
    x = kww.series_edge(beta) * np.array([0.95, 1.0, 1.05])
    np.testing.assert_allclose(kww.series(x, beta), kww.integral(np.log(x), beta), rtol=1e-13)
    # On either side of the edge J falls smoothly: the third difference of ln J in steps of 1e-4 is rounding.
    x = kww.series_edge(beta) * np.exp(1e-4 * np.array([-1.5, -0.5, 0.5, 1.5]))
    assert abs(np.diff(np.log(reduced(KWW(beta), x)), 3)[0]) < 1e-12


@pytest.mark.parametrize("sigma", [1e-3, 0.1, 1.0, 4.0, 8.0, 20.0])
def test_log_normal_table_is_the_direct_integral(sigma):
    y = np.append(np.random.default_rng(1).uniform(0, sigma**2 + 9 * sigma + 20, 300), np.linspace(0, 0.2, 99))
    expected = log_normal.integral(y, sigma)
    np.testing.assert_allclose(reduced(LogNormal(sigma), np.exp(-y)), expected, rtol=5e-13)
    # x J is even in ln x: u -> -u. (Beyond e^300 the float ends.)
    y, expected = y[y < 300], expected[y < 300]
    np.testing.assert_allclose(reduced(LogNormal(sigma), np.exp(y)), expected * np.exp(-2 * y), rtol=5e-13)


# --- limits -----------------------------------------------------------------------------------------------------------

WIDE = np.geomspace(1e-12, 1e12, 241)


@pytest.mark.parametrize(
    "model",
    [
        BetaBPP(2.0),
        ColeDavidson(1.0),
        ColeCole(1.0),
        HavriliakNegami(1.0, 1.0),
        KWW(1.0),
        LogNormal(1e-7),  # to sigma^2/2
        LipariSzabo(1.0, 1e-12),
        TwoProcess(1.0, 0.1),
    ],
    ids=name,
)
def test_special_cases_are_debye(model):
    np.testing.assert_allclose(reduced(model, WIDE), 1 / (1 + WIDE**2), rtol=1e-13)


@pytest.mark.parametrize("width", [0.02, 0.3, 0.7, 0.95, 1 - 1e-12])
def test_havriliak_negami_holds_cole_cole_and_cole_davidson(width):
    np.testing.assert_allclose(reduced(HavriliakNegami(width, 1.0), WIDE), reduced(ColeCole(width), WIDE), rtol=1e-13)
    np.testing.assert_allclose(
        reduced(HavriliakNegami(1.0, width), WIDE), reduced(ColeDavidson(width), WIDE), rtol=1e-13
    )


@pytest.mark.parametrize("model", [ColeDavidson, ColeCole, KWW])
def test_parameters_just_below_one_are_nearly_debye(model):
    # J departs from Debye's by 1 - beta times terms such as ln x < 28 or, on the slow flank, ln x too.
    j = reduced(model(1 - 1e-12), WIDE)
    np.testing.assert_allclose(j, 1 / (1 + WIDE**2), rtol=1e-10)


def test_narrow_log_normal_departs_from_debye_by_its_variance():
    # Taylor: the mean of f(ln tau + s) over a Gaussian s is f + sigma^2/2 f'' + O(sigma^4). For f = x sech(ln x)/2 the
    # second derivative is f [1 - 8 x^2/(1 + x^2)^2] - and x J is f.
    sigma, x = 1e-3, np.geomspace(1e-4, 1e4, 41)
    expected = (1 + sigma**2 / 2 * (1 - 8 * x**2 / (1 + x**2) ** 2)) / (1 + x**2)
    np.testing.assert_allclose(reduced(LogNormal(sigma), x), expected, rtol=1e-11)


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (Debye(), 1.0),
        (BetaBPP(1.3), 1.0),
        (ColeDavidson(0.3), 0.3),
        (ColeCole(0.9), np.inf),
        (ColeCole(1.0), 1.0),
        (HavriliakNegami(0.9, 0.3), np.inf),
        (HavriliakNegami(1.0, 0.3), 0.3),
        (KWW(0.05), gamma(20) * 20),
        (KWW(0.4), gamma(2.5) / 0.4),
        (LogNormal(0.2), np.exp(0.02)),
        (LogNormal(20.0), np.exp(200.0)),
        (Richards2D(), np.inf),
        (LipariSzabo(0.25, TAU), 0.25 + 0.75 / 2),
        (TwoProcess(0.25, 0.1), 0.25 + 0.075),
    ],
    ids=str,
)
def test_zero_frequency_has_its_closed_limit(model, limit):
    j = model.evaluate([0.0, -0.0], TAU)
    np.testing.assert_allclose(j, limit * TAU, rtol=1e-13)
    if np.isfinite(limit):
        # x^alpha is 1e-8 and less for the widest of them, LogNormal(20) apart, which is reached below e^-570.
        np.testing.assert_allclose(reduced(model, 1e-250), limit, rtol=1e-13)


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_omega_has_no_sign(model):
    omega = np.geomspace(1e3, 1e15, 13)
    np.testing.assert_array_equal(model.evaluate(-omega, TAU), model.evaluate(omega, TAU))


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_values_are_positive_and_finite_over_a_hundred_decades(model):
    j = reduced(model, np.geomspace(1e-50, 1e50, 401))
    assert np.all(np.isfinite(j))
    assert np.all(j > 0)


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_what_is_missing_stays_missing(model):
    j = model.evaluate([1e9, np.nan, 1e9], [TAU, TAU, np.nan])
    np.testing.assert_array_equal(np.isnan(j), [False, True, True])


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_omega_and_tau_broadcast(model):
    omega, tau = np.array([0.5e9, 1e9, 3e9]), np.array([[1e-12], [2e-9]])
    both = model.evaluate(omega, tau)
    assert both.shape == (2, 3)
    one = model.evaluate(3e9, 2e-9)
    assert type(one) is np.float64
    assert type(model.evaluate(0, 2e-9)) is np.float64
    assert both[1, 2] == pytest.approx(one, rel=1e-15, abs=0)
    assert model.evaluate(list(omega), 1e-12).shape == (3,)


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (BetaBPP, (1.2, 1.9)),
        (ColeDavidson, (0.3, 1.0)),
        (ColeCole, (0.4, 1.0)),
        (lambda gamma: HavriliakNegami(0.7, gamma), (0.3, 1.0)),
        (lambda alpha: HavriliakNegami(alpha, 0.6), (0.3, 1.0)),
        (lambda s2: LipariSzabo(s2, 1e-11), (0.2, 0.9)),
        (lambda s2: TwoProcess(s2, 0.1), (0.2, 0.9)),
    ],
)
def test_parameters_of_closed_forms_broadcast(make, values):
    omega = np.array([0.0, 1e8, 1e10])
    many = make(np.array(values)[:, None]).evaluate(omega, TAU)
    np.testing.assert_allclose(many, [make(value).evaluate(omega, TAU) for value in values], rtol=1e-15)


# --- physics ----------------------------------------------------------------------------------------------------------

# ln T1 against 1/kT in units of the barrier, and the power of omega, fast and slow flank: the leading terms of each J.
FLANKS = [
    (Debye(), (-1, 0), (1, 2)),
    (BetaBPP(1.0), (-1, 0), (0, 1)),
    (BetaBPP(1.6), (-1, 0), (0.6, 1.6)),
    (ColeDavidson(0.5), (-1, 0), (0.5, 1.5)),
    (ColeCole(0.7), (-0.7, 0.3), (0.7, 1.7)),
    (HavriliakNegami(0.8, 0.5), (-0.8, 0.2), (0.4, 1.4)),
    (HavriliakNegami(1.0, 0.5), (-1, 0), (0.5, 1.5)),
    (KWW(0.5), (-1, 0), (0.5, 1.5)),
    (KWW(0.8), (-1, 0), (0.8, 1.8)),
    (TwoProcess(0.7, 0.01), (-1, 0), (1, 2)),
]


@pytest.mark.parametrize(("model", "fast", "slow"), FLANKS)
def test_flanks_have_their_slope_and_power(model, fast, slow):
    # The next terms are smaller by x^0.5 and more: 1e-10 at 1e-20 and 1e20.
    step = np.array([-0.5, 0.5])
    for x, (slope, power) in ((1e-20, fast), (1e20, slow)):
        by_tau = np.diff(np.log(t1(model, x / TAU, TAU * np.exp(step))))[0]  # ln tau is E/kT and a constant
        by_omega = np.diff(np.log(t1(model, x / TAU * np.exp(step), TAU)))[0]
        assert (by_tau, by_omega) == (pytest.approx(slope, abs=1e-9), pytest.approx(power, abs=1e-9))


@pytest.mark.parametrize(("omega", "sign"), [(1e-60, -1), (1e60, 1)])
def test_flanks_of_a_distribution_of_barriers_depend_on_temperature(omega, sign):
    # On the flanks ln T1 = -(E/kT + (s/kT)^2/2) + const and +E/kT - (s/kT)^2/2 + const: parabolas in 1/kT, whose
    # central difference is exact.
    energy, spread, inverse = 0.4, 0.05, 1 / (BOLTZMANN_EV * 300)
    at = inverse * np.array([0.9, 1.1])
    ln_t1 = [np.log(t1(LogNormal(spread * b), omega, 1e-13 * np.exp(energy * b))) for b in at]
    slope = np.diff(ln_t1)[0] / np.diff(at)[0]
    assert slope == pytest.approx(sign * energy - spread**2 * inverse, rel=1e-12, abs=0)
    model = LogNormal(spread * inverse)
    power = np.log2(t1(model, 2 * omega, TAU) / t1(model, omega, TAU))
    assert power == pytest.approx(1 + sign, abs=1e-12)


def test_flanks_of_two_dimensions_are_logarithmic():
    # ln T1 = -ln tau - ln[ln(1/x^2) + 4 ln(1/4x^2)] + O(x^2): the slopes -1 + 10/[...] and 10/[...] at the fast side.
    model, step, x = Richards2D(), np.array([-0.01, 0.01]), 1e-6
    logarithms = np.log(x**-2) + 4 * np.log(x**-2 / 4)
    by_tau = np.diff(np.log(t1(model, x / TAU, TAU * np.exp(step))))[0] / 0.02
    by_omega = np.diff(np.log(t1(model, x / TAU * np.exp(step), TAU)))[0] / 0.02
    assert by_tau == pytest.approx(-1 + 10 / logarithms, abs=1e-6)  # the third derivative, times 0.01^2/6
    assert by_omega == pytest.approx(10 / logarithms, abs=1e-6)
    of_j = np.diff(np.log(model.evaluate(x / TAU, TAU * np.exp(step))))[0] / 0.02
    assert of_j == pytest.approx(0.93, abs=0.005)  # of J(omega) alone, 1 - 2/ln(1/x^2), to its two digits
    slow = np.diff(np.log(t1(model, 1e12 / TAU, TAU * np.exp(step))))[0] / 0.02
    assert slow == pytest.approx(1, abs=1e-9)


def test_flanks_of_lipari_szabo_belong_to_the_global_motion_then_to_the_internal_one():
    omega, model = 1e9, LipariSzabo(0.7, 1e-15)
    for tau, slope, power in ((1e-12, -1, 0), (1e-7, 1, 2), (100.0, 0, 0)):
        step = np.array([0.999, 1.001])
        width = np.log(step[1] / step[0])
        by_tau = np.diff(np.log(t1(model, omega, tau * step)))[0] / width
        by_omega = np.diff(np.log(t1(model, omega * step, tau)))[0] / width
        # The other terms: tau_e/tau and omega tau on the fast flank, omega^2 tau tau_e x 5/2 x 3/7 on the slow one.
        assert (by_tau, by_omega) == (pytest.approx(slope, abs=1e-3), pytest.approx(power, abs=1e-3))


# omega tau where T1 is shortest, from an independent minimisation, to the digits given; the first is the root of
# 32 u^3 + 20 u^2 + u - 5 = 0 with u = x^2.
@pytest.mark.parametrize(
    ("model", "x", "digit"),
    [
        (Debye(), 0.6158, 1e-4),
        (BetaBPP(1.6), 0.8750, 1e-4),
        (ColeDavidson(0.5), 1.124, 1e-3),
        (ColeCole(0.7), 0.626, 1e-3),
        (Richards2D(), 0.307, 1e-3),
    ],
    ids=str,
)
def test_t1_is_shortest_where_it_should_be(model, x, digit):
    found = minimize_scalar(lambda ln_x: np.log(t1(model, 1e9, np.exp(ln_x) / 1e9)), bounds=(-5, 5))
    assert np.exp(found.x) == pytest.approx(x, abs=0.5 * digit + 1e-6)


@pytest.mark.parametrize(("s2", "threshold"), [(0.5, 0.1236), (0.8, 0.0251)])
def test_two_processes_have_two_minima_where_they_are_far_apart(s2, threshold):
    # 4 digits of the ratio at which the maximum between them appears, by bisection on a dense grid
    tau = np.geomspace(1e-12, 1e-5, 200001)
    minima = []
    for ratio in (threshold * 0.99, threshold * 1.01):
        curve = t1(TwoProcess(s2, ratio), 1e9, tau)
        minima.append(np.sum((curve[1:-1] < curve[:-2]) & (curve[1:-1] < curve[2:])))
    assert minima == [2, 1]


@pytest.mark.parametrize(
    ("model", "area", "power"),
    [
        (Debye(), np.pi / 2, 1.0),
        (ColeDavidson(0.4), np.pi / 2, 0.4),
        (ColeCole(0.6), np.pi / 2, 0.6),
        (HavriliakNegami(0.7, 0.8), np.pi / 2, 0.56),
        (KWW(0.3), np.pi / 2, 0.3),
        (KWW(0.9), np.pi / 2, 0.9),
        (LogNormal(3.0), np.pi / 2, 0.7),
        (LipariSzabo(0.4, 1e-10), np.pi / 2, 1.0),
        (TwoProcess(0.4, 0.02), np.pi / 2, 1.0),
        (BetaBPP(1.5), np.pi / 1.5 / np.sin(np.pi / 1.5), 0.5),  # a definition, whose C(0) is not 1
        (Richards2D(), np.pi, 1.0),
    ],
    ids=str,
)
def test_area_under_j_is_that_of_c_at_zero(model, area, power):
    # C(0) = 2/pi times the area. x J is analytic in a strip about the real ln x, so that the trapezoid rule in ln x is
    # exact; it falls at least as x^power and x^-power.
    step, reach = 0.05, 35 / power
    ln_x = np.arange(-reach, reach, step)
    total = step * np.sum(np.exp(ln_x) * reduced(model, np.exp(ln_x)))
    assert total == pytest.approx(area, rel=2e-13, abs=0)


BETA = st.floats(0.05, 1)
ANY_MODEL = st.one_of(
    st.just(Debye()),
    st.just(Richards2D()),
    st.builds(BetaBPP, st.floats(1, 2)),
    st.builds(ColeDavidson, st.floats(1e-3, 1)),
    st.builds(ColeCole, st.floats(1e-3, 1)),
    st.builds(HavriliakNegami, st.floats(1e-3, 1), st.floats(1e-3, 1)),
    st.builds(KWW, BETA),
    st.builds(LogNormal, st.floats(1e-3, 20)),
    st.builds(LipariSzabo, st.floats(0, 1), st.floats(1e-15, 1e-6)),
    st.builds(TwoProcess, st.floats(0, 1), st.floats(1e-6, 0.999)),
)


@settings(deadline=None, max_examples=200)
@given(model=ANY_MODEL, ln_x=st.floats(-30, 30), ln_step=st.floats(0.01, 10))
def test_superpositions_of_debye_fall_with_frequency_and_never_faster_than_it_squared(model, ln_x, ln_step):
    omega, step = np.exp(ln_x) / TAU, np.exp(ln_step)
    j, further = model.evaluate(omega, TAU), model.evaluate(step * omega, TAU)
    # J(omega)/J(2 omega) is 1 to 4 for each Debye process, so for a sum of them; that it is W1/W2 makes it matter.
    # Rounding: of x^alpha and of the tables, where the flank is flat.
    assert j > 0
    assert 1 - 1e-12 <= j / further <= step**2 * (1 + 1e-12)
    assert 1 - 1e-12 <= j / model.evaluate(2 * omega, TAU) <= 4 * (1 + 1e-12)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BetaBPP(0.99), "BetaBPP: beta: needed a finite number from 1 and up to 2, found 0.99"),
        (lambda: BetaBPP(2.01), "found 2.01"),
        (lambda: BetaBPP(np.array([1.5, 2.5])), "found .1.5 2.5."),
        (lambda: BetaBPP("1.5"), "found 1.5"),
        (lambda: BetaBPP(None), "found None"),
        (lambda: ColeDavidson(0), "ColeDavidson: beta: needed a finite number above 0 and up to 1, found 0"),
        (lambda: ColeDavidson(1.01), "found 1.01"),
        (lambda: ColeDavidson(np.nan), "found nan"),
        (lambda: ColeCole(0.0), "ColeCole: alpha: needed a finite number above 0 and up to 1, found 0"),
        (lambda: ColeCole(1.01), "found 1.01"),
        (lambda: HavriliakNegami(1.2, 0.5), "HavriliakNegami: alpha: .* found 1.2"),
        (lambda: HavriliakNegami(0.5, 1.2), "HavriliakNegami: gamma: .* found 1.2"),
        (lambda: HavriliakNegami(0.5, 0.0), "HavriliakNegami: gamma: .* found 0"),
        (lambda: KWW(0.0), "KWW: beta: needed one finite number from 0.05 and up to 1, found 0"),
        (lambda: KWW(0.04), "found 0.04; LogNormal describes wider distributions"),
        (lambda: KWW(1.1), "found 1.1"),
        (lambda: KWW(np.array([0.5, 0.6])), "needed one finite number"),
        (lambda: LogNormal(0.0), "LogNormal: sigma: needed one finite number above 0 and up to 20, found 0"),
        (lambda: LogNormal(20.1), "found 20.1; sigma is the standard deviation of ln"),
        (lambda: LogNormal(np.array([0.5, 0.6])), "needed one finite number"),
        (lambda: LipariSzabo(-0.1, 1e-12), "LipariSzabo: s2: needed a finite number from 0 and up to 1, found -0.1"),
        (lambda: LipariSzabo(1.1, 1e-12), "found 1.1"),
        (lambda: LipariSzabo(0.5, 0.0), "LipariSzabo: tau_e in s: needed a finite number above 0, found 0"),
        (lambda: LipariSzabo(0.5, np.inf), "tau_e in s: .* found inf"),
        (lambda: TwoProcess(1.1, 0.1), "TwoProcess: s2: .* found 1.1"),
        (lambda: TwoProcess(0.5, 0.0), "TwoProcess: ratio: needed a finite number above 0 and below 1, found 0"),
        (lambda: TwoProcess(0.5, 1.0), "found 1.0; ratio is tau_fast/tau_slow"),
    ],
)
def test_parameters_outside_their_range_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_models_are_equal_by_value_and_do_not_change():
    assert KWW(0.5) == KWW(0.5) != KWW(0.6)
    assert {LogNormal(2.0): "key"}[LogNormal(2)] == "key"
    with pytest.raises(AttributeError):
        KWW(0.5).beta = 0.6
