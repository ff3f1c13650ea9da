import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.optimize import minimize_scalar

import nmrdyn as nd

SPINS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5)
HALF_INTEGERS = (1.5, 2.5, 3.5, 4.5)

# Some rows of a table of recoveries by a 30-digit matrix exponential of the golden-rule rate matrix: spin, interaction,
# (W1, W2, W) [1/s], initial, observed, delay [s], M/M_eq.
ROWS = [
    (1.0, "quad", (1.0, 0.25, 0.0), "line_upper_sat", "line_upper", 0.2, 0.4208112614205704),
    (4.5, "quad", (1.0, 0.25, 0.0), "all_sat", "ct", 11.25, 0.5374993198534685),
    (4.5, "mag", (0.0, 0.0, 1.0), "ct_sat_long", "st1_upper", 0.75, 0.9661787357109679),
    (1.5, "quad", (0.3, 1.0, 0.0), "st1_upper_sat", "st1_upper", 0.5813953488372093, 0.5369706896610238),
    (1.5, "mixed", (1.0, 0.5, 0.05), "st1_upper_sat", "st1_upper", 0.7692307692307693, 0.8861828235241092),
    (2.5, "mixed", (1.0, 0.25, 0.1), "st1_upper_sat", "st1_upper", 1.9230769230769231, 0.9830291448811163),
    (3.5, "mixed", (0.5, 0.5, 0.02), "st1_both_sat", "st3_upper", 3.595890410958904, 0.9920869451029951),
    (3.5, "quad", (1.0, 0.6, 0.0), "ct_sat", "st3_upper", 3.088235294117647, 0.9982187379690914),
    (3.5, "mag", (0.0, 0.0, 1.0), "ct_inv", "st2_upper", 0.5, 0.9913538043176823),
    (1.5, "quad", (0.3, 1.0, 0.0), "all_sat", "ct", 0.4069767441860465, 0.8971362886096989),
    (1.5, "quad", (1.0, 0.6, 0.0), "ct_sat_long", "ct", 0.5147058823529411, 0.5290363153964421),
    (2.5, "quad", (0.2, 1.0, 0.0), "all_sat", "st2_upper", 1.0416666666666667, 0.06820060124006654),
    (2.5, "quad", (0.2, 1.0, 0.0), "ct_sat_long", "ct", 1.0416666666666667, 0.4250384820900802),
    (2.5, "mag", (0.0, 0.0, 1.0), "st1_upper_sat", "st1_upper", 0.35, 0.9784574100223844),
    (4.5, "quad", (1.0, 0.25, 0.0), "ct_sat_long", "ct", 5.25, 0.916375583443298),
]


def populations(spin, initial="all_sat", observed="total", interaction="quad", **others):
    return nd.PopulationRecovery(spin=spin, interaction=interaction, initial=initial, observed=observed, **others)


def levels(spin):
    return spin - np.arange(round(2 * spin) + 1)


def golden_rule(spin, w1=0.0, w2=0.0, w=0.0):
    """Rate matrix from matrix elements of spin operators, levels from I to -I (Andrew and Tunstall 1961)."""
    m = levels(spin)
    iz, up = np.diag(m), np.diag(np.sqrt((spin - m[1:]) * (spin + m[1:] + 1)), 1)
    norm = 2 * spin * (2 * spin - 1) ** 2
    jumps = w1 * (iz @ up + up @ iz) ** 2 / norm + w2 * (up @ up) ** 2 / norm + w * up**2
    jumps = jumps + jumps.T
    return np.diag(jumps.sum(axis=0)) - jumps


def pair(spin, line):
    """The levels (m + 1, m) of a line, as indices."""
    name, _, side = line.partition("_")
    half = spin % 1 == 0.5
    upper = 0.5 if name == "ct" else float(name.lstrip("linest") or 1) + (0.5 if half else 0.0)
    m = upper if side in ("", "upper") else 1 - upper
    return round(spin - m), round(spin - m + 1)


def prepared(spin, initial, matrix):
    """Populations after an ideal preparation, n_eq = m."""
    n = levels(spin)
    if initial.startswith("all"):
        return n * (0.0 if initial.endswith("sat") else -1.0)
    if initial == "ct_sat_long":
        # Held at equal populations, the others reach the least of (n - n_eq) R (n - n_eq) (least entropy production).
        upper, lower = pair(spin, "ct")
        held = np.zeros(n.size)
        held[[upper, lower]] = 1, -1
        system = np.block([[matrix, held[:, None]], [held[None], np.zeros((1, 1))]])
        return np.linalg.lstsq(system, np.append(matrix @ n, 0.0))[0][:-1]
    line, how = initial.rsplit("_", 1)
    for side in ("upper", "lower") if line.endswith("both") else ("",):
        upper, lower = pair(spin, line.replace("both", side))
        above, below = n[upper], n[lower]
        n[[upper, lower]] = (below, above) if how == "inv" else (above + below) / 2
    return n


def reference(spin, initial, observed, delay, **rates):
    """M/M_eq by matrix exponentials."""
    matrix, equilibrium = golden_rule(spin, **rates), levels(spin)
    start = prepared(spin, initial, matrix)
    n = np.array([equilibrium + expm(-matrix * t) @ (start - equilibrium) for t in np.atleast_1d(delay)])
    if observed == "total":
        return n @ equilibrium / (equilibrium @ equilibrium)
    upper, lower = pair(spin, observed)
    return n[:, upper] - n[:, lower]


def lines(spin):
    """A line of each kind: the innermost and the outermost."""
    if spin % 1 == 0.5:
        return ["ct", "st1_upper", f"st{round(spin - 0.5)}_lower"]
    return ["line_upper", "line1_lower", f"line{round(spin)}_upper"]


def preparations(spin):
    names = ["all_sat", "all_inv"] + [f"{line}_{how}" for line in lines(spin) for how in ("sat", "inv")]
    return [*names, "ct_sat_long", "st1_both_sat", "st1_both_inv"] if spin % 1 == 0.5 else names


CASES = [(spin, initial) for spin in SPINS for initial in preparations(spin)]
DELAYS = np.array([0.0, 0.003, 0.05, 0.3, 1.1, 4.0, 17.0])


# The kinetics --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spin", "interaction", "rates", "initial", "observed", "delay", "expected"), ROWS)
def test_recovery_is_that_of_a_thirty_digit_matrix_exponential(
    spin, interaction, rates, initial, observed, delay, expected
):
    w1, w2, w = rates
    found = populations(spin, initial, observed, interaction).evaluate(delay, w1=w1, w2=w2, w=w)
    assert found == pytest.approx(expected, rel=0, abs=1e-12)  # some rounding errors of numbers near 1


def test_recoveries_of_the_whole_table_of_matrix_exponentials(oracle):
    rows = oracle("c_recovery.csv")
    assert {row["mechanism"] for row in rows} == {"quad", "mag", "mixed"}
    curves = {}
    for row in rows:
        curves.setdefault(row["curve"], []).append(row)
    for name, curve in curves.items():
        one = curve[0]
        model = populations(float(one["I"]), one["ic"], one["obs"], one["mechanism"])
        delay, expected = ([float(row[key]) for row in curve] for key in ("t_s", "M_over_Meq"))
        found = model.evaluate(delay, w1=float(one["W1_s"]), w2=float(one["W2_s"]), w=float(one["W_s"]))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(("spin", "initial"), CASES)
def test_recovery_is_the_matrix_exponential_of_spin_operators(spin, initial):
    given_rates = {"quad": {"w1": 0.7, "w2": 0.31}, "mag": {"w": 0.23}, "mixed": {"w1": 0.4, "w2": 0.9, "w": 0.13}}
    for observed in ("total", *lines(spin)):
        for interaction, rates in given_rates.items():
            found = populations(spin, initial, observed, interaction).evaluate(DELAYS, **rates)
            expected = reference(spin, initial, observed, DELAYS, **rates)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12, err_msg=f"{observed} {interaction}")


def test_spin_may_be_written_as_an_integer():
    # One line of a spin 1 saturated and observed: amplitudes 1/4 and 3/4, closed form (see below).
    rates, amplitudes = nd.PopulationRecovery(
        spin=1, interaction="quad", initial="line_upper_sat", observed="line_upper"
    ).exponentials(w1=1.0, w2=1.0)
    np.testing.assert_allclose(rates, [3, 5], rtol=1e-12)
    np.testing.assert_allclose(amplitudes, [0.75, 0.25], rtol=1e-12)


@pytest.mark.parametrize(("w1", "w2"), [(1.0, 1.0), (4.0, 1.0), (0.3, 0.8), (2.0, 0.01)])
def test_spin_one_is_closed(w1, w2):
    # All levels saturated: rate W1 + 4 W2, on the total and on each line, whatever W1/W2. One line saturated and
    # observed: the even part of the populations decays with 3 W1.
    for observed in ("total", "line_upper", "line_lower", "line1_upper"):
        rates, amplitudes = populations(1.0, "all_sat", observed).exponentials(w1=w1, w2=w2)
        np.testing.assert_allclose(rates, [w1 + 4 * w2], rtol=1e-12)
        np.testing.assert_allclose(amplitudes, [1], rtol=1e-12)
    for other, sign in (("line_upper", 1), ("line_lower", -1)):
        found = populations(1.0, "line_upper_sat", other).evaluate(DELAYS, w1=w1, w2=w2)
        expected = 1 - np.exp(-(w1 + 4 * w2) * DELAYS) / 4 - sign * 0.75 * np.exp(-3 * w1 * DELAYS)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def spin_three_halves(initial, observed, w1, w2, t):
    """1 - M/M_eq of a saturated spin 3/2, closed form: even in e1 = exp(-2 W1 t) and e2 = exp(-2 W2 t)."""
    e1, e2 = np.exp(-2 * w1 * t), np.exp(-2 * w2 * t)
    return {
        ("all", "total"): (e1 + 4 * e2) / 5,
        ("all", "ct"): 2 * e2 - e1,
        ("all", "st1_upper"): e1,
        ("ct", "total"): e2 / 5 - e1 / 10,
        ("ct", "ct"): (e1 + e2) / 2,
        ("ct", "st1_upper"): -e1 / 2,
        ("ct_long", "ct"): (w1 * e2 + w2 * e1) / (w1 + w2),
    }[initial, observed]


@pytest.mark.parametrize("observed", ["total", "ct", "st1_upper"])
@pytest.mark.parametrize("initial", ["all", "ct"])
@pytest.mark.parametrize(("w1", "w2"), [(1.0, 1.0), (4.0, 1.0), (0.3, 0.8), (5e-3, 3e2)])
def test_spin_three_halves_is_closed(initial, observed, w1, w2):
    time = DELAYS / (w1 + w2)
    left = spin_three_halves(initial, observed, w1, w2, time)
    for how, factor in (("sat", 1), ("inv", 2)):
        found = populations(1.5, f"{initial}_{how}", observed).evaluate(time, w1=w1, w2=w2)
        np.testing.assert_allclose(found, 1 - factor * left, rtol=0, atol=1e-12)
    found = populations(1.5, "ct_sat_long", "ct").evaluate(time, w1=w1, w2=w2)
    np.testing.assert_allclose(found, 1 - spin_three_halves("ct_long", "ct", w1, w2, time), rtol=0, atol=1e-12)


def test_central_transition_of_a_saturated_spin_three_halves_goes_negative():
    # Slow flank: 1 - 2u + u^4 with u = exp(-2 W2 t) is lowest, 1 - 3/2 2^(-1/3) = -0.1906, at u = 2^(-1/3).
    model = populations(1.5, "all_sat", "ct")
    lowest = minimize_scalar(lambda t: float(model.evaluate(t, w1=4.0, w2=1.0)), bracket=(0.0, 0.1, 1.0), tol=1e-12)
    assert np.exp(-2 * lowest.x) == pytest.approx(2 ** (-1 / 3), rel=1e-7, abs=0)  # half the digits at a minimum
    assert lowest.fun == pytest.approx(1 - 1.5 * 2 ** (-1 / 3), rel=1e-13, abs=0)
    assert round(lowest.fun, 4) == -0.1906


def test_quadrupolar_order_of_spin_three_halves():
    # Difference of the two satellites after one was saturated: rate 2 (W1 + W2), and T1/T1Q = 25/8 on the slow flank,
    # the value published for ultraslow Li in a glass ceramic (Solid State Nucl. Magn. Reson. 31 (2007) 28).
    upper, lower = (
        populations(1.5, "st1_upper_sat", f"st1_{side}").evaluate(DELAYS, w1=4.0, w2=1.0) for side in ("upper", "lower")
    )
    np.testing.assert_allclose(lower - upper, (lower - upper)[0] * np.exp(-10 * DELAYS), rtol=0, atol=1e-12)
    rates, amplitudes = populations(1.5).exponentials(w1=4.0, w2=1.0)
    assert 10 / (rates @ amplitudes) == pytest.approx(25 / 8, rel=1e-12, abs=0)


def odd_matrix(spin, w1, w2):
    """A of da/dt = -A a for a_m = n_m - n_(-m), m = I ... 1/2, worked out by hand from the golden rule."""
    if spin == 1.5:
        return [[w1 + w2, -w1 + w2], [-w1 + w2, w1 + w2]]
    if spin == 2.5:
        c = -2 * w1 / 5 + 9 * w2 / 10
        return [
            [w1 + w2 / 2, -w1, -w2 / 2],
            [-w1, 7 * w1 / 5 + 9 * w2 / 10, c],
            [-w2 / 2, c, 2 * w1 / 5 + 7 * w2 / 5],
        ]
    if spin == 3.5:
        c = -5 * w1 / 21 + 20 * w2 / 21
        return [
            [w1 + w2 / 3, -w1, -w2 / 3, 0],
            [-w1, 37 * w1 / 21 + 5 * w2 / 7, -16 * w1 / 21, -5 * w2 / 7],
            [-w2 / 3, -16 * w1 / 21, w1 + 9 * w2 / 7, c],
            [0, -5 * w2 / 7, c, 5 * w1 / 21 + 5 * w2 / 3],
        ]
    c = -w1 / 6 + 25 * w2 / 24
    return [
        [w1 + w2 / 4, -w1, -w2 / 4, 0, 0],
        [-w1, 2 * w1 + 7 * w2 / 12, -w1, -7 * w2 / 12, 0],
        [-w2 / 4, -w1, 19 * w1 / 12 + 9 * w2 / 8, -7 * w1 / 12, -7 * w2 / 8],
        [0, -7 * w2 / 12, -7 * w1 / 12, 3 * w1 / 4 + 13 * w2 / 8, c],
        [0, 0, -7 * w2 / 8, c, w1 / 6 + 23 * w2 / 12],
    ]


@pytest.mark.parametrize("spin", HALF_INTEGERS)
@pytest.mark.parametrize(("w1", "w2"), [(1.0, 1.0), (4.0, 1.0), (0.3, 0.8)])
def test_half_integer_spins_follow_their_odd_matrices(spin, w1, w2):
    matrix, m = np.array(odd_matrix(spin, w1, w2)), np.arange(spin, 0, -1)
    for initial, lost in (("all_sat", 2 * m), ("ct_sat", np.where(m == 0.5, 2 * m, 0))):
        odd = np.array([2 * m - expm(-matrix * t) @ lost for t in DELAYS])
        expected = {"total": odd @ m / (2 * m @ m), "ct": odd[:, -1]}
        expected |= {f"st{k}_upper": (odd[:, -1 - k] - odd[:, -k]) / 2 for k in range(1, m.size)}
        for observed, curve in expected.items():
            found = populations(spin, initial, observed).evaluate(DELAYS, w1=w1, w2=w2)
            np.testing.assert_allclose(found, curve, rtol=0, atol=1e-12, err_msg=f"{initial} {observed}")
    rates, _ = populations(spin, "ct_sat", "ct").exponentials(w1=w1, w2=w2)
    np.testing.assert_allclose(np.unique(rates.round(12)), np.unique(np.linalg.eigvalsh(matrix).round(12)), rtol=1e-11)


def characteristic(spin, w1, w2):
    """Coefficients of the characteristic polynomial of the odd matrix, highest power first (closed form)."""
    if spin == 2.5:
        return [
            1,
            -14 / 5 * (w1 + w2),
            3 / 100 * (40 * w1**2 + 208 * w1 * w2 + 45 * w2**2),
            -9 / 25 * w1 * w2 * (4 * w1 + 7 * w2),
        ]
    return [
        1,
        -4 * (w1 + w2),
        4 / 441 * (417 * w1**2 + 1453 * w1 * w2 + 435 * w2**2),
        -40 / 3087 * (56 * w1**3 + 681 * w1**2 * w2 + 763 * w1 * w2**2 + 70 * w2**3),
        800 / 27783 * w1 * w2 * (24 * w1**2 + 113 * w1 * w2 + 63 * w2**2),
    ]


@pytest.mark.parametrize("spin", [2.5, 3.5])
@given(ratio=st.floats(0.05, 20))
def test_rates_are_roots_of_the_characteristic_polynomial(spin, ratio):
    rates, _ = populations(spin, "ct_sat", "ct").exponentials(w1=ratio, w2=1.0)
    polynomial = characteristic(spin, ratio, 1.0)
    for rate in rates:
        assert abs(np.polyval(polynomial, rate)) < 1e-12 * np.polyval(np.abs(polynomial), rate)


# Central transition saturated and observed: amplitudes of the ranks k = 1, 3, 5, ... (Narath, Phys. Rev. 162 (1967)
# 320, for magnetic relaxation), which the quadrupolar relaxation with W1 = W2 shares.
NARATH = {
    1.5: ("1/10", "9/10"),
    2.5: ("1/35", "8/45", "50/63"),
    3.5: ("1/84", "3/44", "75/364", "1225/1716"),
    4.5: ("1/165", "24/715", "6/65", "1568/7293", "7938/12155"),
}
# Quadrupolar rates of the same ranks over W1 = W2, closed.
NARROWING = {
    2.5: ("4/5", "33/10", "3/2"),
    3.5: ("10/21", "50/21", "80/21", "4/3"),
    4.5: ("1/3", "43/24", "85/24", "49/12", "5/4"),
}
# First satellite saturated and observed, ranks 1, 2, 3, ...
SATELLITE = {
    2.5: ("1/35", "3/56", "1/40", "25/56", "25/56"),
    3.5: ("1/84", "1/84", "1/33", "9/77", "1/1092", "49/132", "196/429"),
}


def numbers(texts):
    return np.array([float(Fraction(text)) for text in texts])


def spectrum(found):
    """Rates and amplitudes by ascending rate."""
    rates, amplitudes = found
    order = np.argsort(rates)
    return rates[order], amplitudes[order]


@pytest.mark.parametrize("spin", HALF_INTEGERS)
def test_magnetic_amplitudes_of_the_central_transition_are_those_of_narath(spin):
    k = 2 * np.arange(spin + 0.5) + 1
    for how, factor in (("sat", 1), ("inv", 2)):
        rates, amplitudes = populations(spin, f"ct_{how}", "ct", "mag").exponentials(w=0.7)
        np.testing.assert_allclose(rates, 0.7 * k * (k + 1), rtol=1e-12)
        np.testing.assert_allclose(amplitudes, factor * numbers(NARATH[spin]), rtol=1e-10)


@pytest.mark.parametrize("spin", SATELLITE)
def test_magnetic_amplitudes_of_the_first_satellite(spin):
    k = np.arange(2 * spin) + 1
    rates, amplitudes = populations(spin, "st1_upper_sat", "st1_upper", "mag").exponentials(w=0.7)
    np.testing.assert_allclose(rates, 0.7 * k * (k + 1), rtol=1e-12)
    np.testing.assert_allclose(amplitudes, numbers(SATELLITE[spin]), rtol=1e-9)


@pytest.mark.parametrize("spin", SPINS)
def test_magnetic_relaxation_is_diagonal_in_ranks(spin):
    # Populations of rank k, the orthogonal polynomials of degree k in m, relax with k(k+1) W: any line, any spin.
    m = levels(spin)
    ranks = np.linalg.qr(np.vander(m, increasing=True))[0].T
    line = lines(spin)[0]
    for initial in ("all_sat", f"{lines(spin)[1]}_sat", f"{line}_inv"):
        start = prepared(spin, initial, golden_rule(spin, w=1.0)) - m
        upper, lower = pair(spin, line)
        weight = np.zeros(m.size)
        weight[[upper, lower]] = 1, -1
        expected = -(ranks @ weight) * (ranks @ start)
        k = np.arange(m.size)
        kept = np.abs(expected) > 1e-12
        rates, amplitudes = populations(spin, initial, line, "mag").exponentials(w=1.0)
        np.testing.assert_allclose(rates, (k * (k + 1))[kept], rtol=1e-12)
        np.testing.assert_allclose(amplitudes, expected[kept], rtol=0, atol=1e-12)


@pytest.mark.parametrize("spin", SPINS)
def test_magnetic_relaxation_after_saturation_of_all_levels_is_one_exponential(spin):
    for observed in ("total", *lines(spin)):
        rates, amplitudes = populations(spin, "all_sat", observed, "mag").exponentials(w=0.3)
        np.testing.assert_allclose(rates, [0.6], rtol=1e-12)
        np.testing.assert_allclose(amplitudes, [1], rtol=1e-12)


@pytest.mark.parametrize("spin", NARROWING)
def test_quadrupolar_ranks_in_extreme_narrowing(spin):
    rates, amplitudes = populations(spin, "ct_sat", "ct").exponentials(w1=0.4, w2=0.4)
    order = np.argsort(numbers(NARROWING[spin]))
    np.testing.assert_allclose(rates, 0.4 * numbers(NARROWING[spin])[order], rtol=1e-12)
    np.testing.assert_allclose(amplitudes, numbers(NARATH[spin])[order], rtol=1e-10)


@pytest.mark.parametrize("spin", SPINS)
def test_extreme_narrowing_is_one_exponential_after_saturation_of_all_levels(spin):
    for observed in ("total", *lines(spin)):
        rates, amplitudes = populations(spin, "all_sat", observed).exponentials(w1=0.4, w2=0.4)
        np.testing.assert_allclose(rates, [0.4 * (2 * spin + 3) / (spin * (2 * spin - 1))], rtol=1e-12)
        np.testing.assert_allclose(amplitudes, [1], rtol=1e-12)


def test_spin_three_halves_in_extreme_narrowing_is_one_exponential_after_any_odd_preparation():
    for initial in ("ct_sat", "ct_inv", "ct_sat_long", "st1_both_sat"):
        rates, _ = populations(1.5, initial, "ct").exponentials(w1=0.4, w2=0.4)
        np.testing.assert_allclose(rates, [0.8], rtol=1e-12)


# Slow flank, W1 = 4 W2: rates over W1 and amplitudes to the digits of an independent diagonalisation of the golden-rule
# rate matrix. "all": all levels saturated; the central transition (CT) saturated and observed.
SLOW_RATES = {
    2.5: (0.257558, 0.834393, 2.408050),
    3.5: (0.161226, 0.667117, 1.317647, 2.854010),
    4.5: (0.114188, 0.621091, 0.922901, 1.919123, 3.2977),
}
SLOW = [
    (2.5, "all_sat", "total", (0.933020, 0.051852, 0.015128)),
    (2.5, "all_sat", "ct", (2.213850, -1.240943, 0.027092)),
    (2.5, "ct_sat", "ct", (0.150085, 0.848529, 0.001386)),
    (3.5, "all_sat", "total", (0.969556, 0.010640, 0.019176, 0.000629)),
    (3.5, "ct_sat", "ct", (0.043593, 0.951743, 0.000326, 0.004338)),
    (4.5, "all_sat", "total", (0.976150, 0.003335, 0.019683, 0.000807, 2.5e-5)),
]


@pytest.mark.parametrize(("spin", "initial", "observed", "expected"), SLOW)
def test_slow_flank(spin, initial, observed, expected):
    rates, amplitudes = populations(spin, initial, observed).exponentials(w1=4.0, w2=1.0)
    digits = [4 if rate == 3.2977 else 6 for rate in SLOW_RATES[spin]]
    assert [round(rate / 4, n) for rate, n in zip(rates, digits, strict=True)] == list(SLOW_RATES[spin])
    assert amplitudes.round(6) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize(("only", "left"), [("w1", 27 / 35), ("w2", 3 / 35)])
def test_one_quadrupolar_rate_alone_does_not_complete_the_recovery(only, left):
    # Spin 5/2, closed form: single jumps do not cross the central transition, so that m adds up to 9/2 on each side;
    # double jumps keep 5/2, 1/2, -3/2 apart, where it adds up to 3/2. Of sum m^2 = 35/2 stay 2 (9/2)^2/3, 2 (3/2)^2/3.
    found = populations(2.5, "all_sat", "total").evaluate(1e6, **{only: 1.0})
    assert found == pytest.approx(1 - left, rel=0, abs=1e-9)  # a rate of 0, known to 1e-15


@pytest.mark.parametrize("spin", SPINS)
@given(w1=st.floats(1e-3, 1e3), w2=st.floats(1e-3, 1e3), w=st.floats(0, 1e3))
def test_initial_rate_after_saturation_of_all_levels(spin, w1, w2, w):
    # Closed form: 1/T1 = (2I+3)/(5I(2I-1)) (W1 + 4 W2) + 2W.
    rates, amplitudes = populations(spin, interaction="mixed").exponentials(w1=w1, w2=w2, w=w)
    expected = (2 * spin + 3) / (5 * spin * (2 * spin - 1)) * (w1 + 4 * w2) + 2 * w
    assert rates @ amplitudes == pytest.approx(expected, rel=1e-9, abs=0)  # small amplitudes are left out


@pytest.mark.parametrize("tau", [1e-13, 1e-9, 1e-5])
@pytest.mark.parametrize("spin", SPINS)
def test_initial_rate_is_that_of_the_mechanism(spin, tau):
    quadrupolar, larmor = nd.BPP(spin=spin, cq=1.3e6, eta=0.35), 9e7
    w1, w2, _ = quadrupolar.transition_rates(tau, larmor)
    rates, amplitudes = populations(spin).exponentials(w1=w1, w2=w2)
    assert rates @ amplitudes == pytest.approx(quadrupolar.rate(tau, larmor), rel=1e-11, abs=0)


def test_mechanisms_add_in_the_rate_matrix():
    both = nd.BPP(nucleus="11B", cq=0.1e6, eta=0.4) + nd.Dipolar(nucleus="11B", partner="1H", distance=1.2e-10, count=4)
    w1, w2, w = both.transition_rates(1e-6, 160.49e6)
    assert min(w1, w2, w) > 0
    rates, amplitudes = populations(1.5, interaction="mixed").exponentials(w1=w1, w2=w2, w=w)
    assert rates @ amplitudes == pytest.approx(both.rate(1e-6, 160.49e6), rel=1e-11, abs=0)
    assert rates.size == 2  # and not the three of two recoveries side by side


@pytest.mark.parametrize("spin", SPINS)
def test_inversion_loses_twice_what_saturation_loses(spin):
    rates = {"w1": 0.7, "w2": 0.31, "w": 0.05}
    for observed in ("total", *lines(spin)):
        for what in ("all", *lines(spin)):
            saturated, inverted = (
                1 - populations(spin, f"{what}_{how}", observed, "mixed").evaluate(DELAYS, **rates)
                for how in ("sat", "inv")
            )
            np.testing.assert_allclose(inverted, 2 * saturated, rtol=0, atol=1e-12)


@pytest.mark.parametrize("spin", SPINS)
def test_upper_and_lower_lines_mirror_each_other(spin):
    rates = {"w1": 0.7, "w2": 0.31, "w": 0.05}
    stem = "st{}" if spin % 1 == 0.5 else "line{}"
    symmetric = ["all_sat", "all_inv"]
    if spin % 1 == 0.5:
        symmetric += ["ct_sat", "ct_inv", "ct_sat_long", "st1_both_sat", f"st{round(spin - 0.5)}_both_inv"]
    elif spin > 1:
        symmetric += [f"line{round(spin)}_both_sat"]
    for k in range(1, round(spin + 0.5 if spin % 1 == 0.5 else spin + 1)):
        line = stem.format(k)
        for initial in symmetric:
            upper, lower = (
                populations(spin, initial, f"{line}_{side}", "mixed").evaluate(DELAYS, **rates)
                for side in ("upper", "lower")
            )
            np.testing.assert_allclose(upper, lower, rtol=0, atol=1e-12, err_msg=initial)
        one, other = (
            populations(spin, f"{line}_{side}_sat", f"{line}_{side}", "mixed").evaluate(DELAYS, **rates)
            for side in ("upper", "lower")
        )
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_both_lines_of_spin_one_saturated_are_all_levels_saturated():
    both = populations(1.0, "line_both_sat", "line_upper").evaluate(DELAYS, w1=0.7, w2=0.31)
    np.testing.assert_allclose(both, 1 - np.exp(-(0.7 + 4 * 0.31) * DELAYS), rtol=0, atol=1e-12)


@settings(deadline=None)
@given(
    case=st.sampled_from(CASES),
    which=st.integers(0, 3),
    w1=st.floats(0.01, 100),
    w2=st.floats(0.01, 100),
    w=st.one_of(st.just(0.0), st.floats(0.01, 100)),
    delay=st.floats(0, 100),
)
def test_recovery_stays_within_bounds_and_completes(case, which, w1, w2, w, delay):
    spin, initial = case
    observed = ("total", *lines(spin))[which]
    model = populations(spin, initial, observed, "mixed")
    rates, amplitudes = model.exponentials(w1=w1, w2=w2, w=w)
    assert rates.min() > 0
    assert model.evaluate(40 / rates.min(), w1=w1, w2=w2, w=w) == pytest.approx(1, rel=0, abs=1e-12)
    # exp(-Rt) mixes populations with positive weights that add up to 1, both ways: no deviation grows.
    start = prepared(spin, initial, golden_rule(spin, w1, w2, w)) - levels(spin)
    found = float(model.evaluate(delay, w1=w1, w2=w2, w=w))
    if observed == "total":
        assert abs(1 - found) <= np.linalg.norm(start) / np.linalg.norm(levels(spin)) + 1e-12
    else:
        assert abs(1 - found) <= np.ptp(start) + 1e-12
    if initial in (f"{observed}_sat", f"{observed}_inv") or (observed == "total" and initial.startswith("all")):
        # What is observed is what was prepared: all amplitudes are positive, and M rises.
        assert np.all(amplitudes > 0)
        assert np.sum(amplitudes) == pytest.approx(1 if initial.endswith("sat") else 2, rel=1e-9, abs=0)


def test_delays_and_rates_broadcast():
    model = populations(2.5, "ct_sat", "st1_upper")
    w1, w2 = np.array([0.2, 1.0, 4.0])[:, None], 0.5
    grid = model.evaluate(DELAYS, w1=w1, w2=w2)
    assert grid.shape == (3, DELAYS.size)
    for row, rate in zip(grid, w1[:, 0], strict=True):
        np.testing.assert_allclose(row, model.evaluate(DELAYS, w1=rate, w2=w2), rtol=0, atol=1e-12)
    assert model.evaluate(DELAYS, w1=1.0, w2=0.5).shape == DELAYS.shape
    assert np.shape(model.evaluate(0.3, w1=1.0, w2=0.5)) == ()
    each = model.evaluate(np.array([0.1, 0.2, 0.3]), w1=w1[:, 0], w2=np.full(3, w2))
    np.testing.assert_allclose(
        each, [model.evaluate(t, w1=v, w2=w2) for t, v in zip((0.1, 0.2, 0.3), w1[:, 0], strict=True)]
    )
    rates, amplitudes = model.exponentials(w1=w1, w2=w2)
    assert rates.shape == amplitudes.shape == (3, 1, 6)
    assert populations(2.5, "ct_sat_long", "ct").evaluate(DELAYS, w1=w1, w2=w2).shape == grid.shape


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spin": 0.5}, "needed spin 1, 3/2, ... 9/2, found 0.5"),
        ({"spin": 5.0}, "needed spin 1, 3/2, ... 9/2, found 5"),
        ({"spin": 1.25}, "needed spin 1, 3/2, ... 9/2, found 1.25"),
        ({"spin": np.nan}, "needed spin 1, 3/2, ... 9/2, found nan"),
        ({"interaction": "dipolar"}, "needed an interaction among quad, mag, mixed, found 'dipolar'"),
        ({"initial": "saturated"}, "needed initial of spin 1.5 such as all_sat, ct_sat, st1_upper_sat, found"),
        ({"initial": "ct"}, "needed initial"),
        ({"initial": "ct_long"}, "needed initial"),
        ({"initial": "total_sat"}, "needed initial"),
        ({"initial": "st2_both_sat"}, "needed initial"),
        ({"initial": "line_upper_sat"}, "needed initial"),
        ({"initial": "st1_upper_half"}, "needed initial"),
        ({"observed": "st2_upper"}, "needed observed of spin 1.5 such as total, ct, st1_upper, found 'st2_upper'"),
        ({"observed": "st1"}, "needed observed"),
        ({"observed": "st1_both"}, "needed observed"),
        ({"observed": "all"}, "needed observed"),
        ({"spin": 1.0, "observed": "ct"}, "needed observed of spin 1 such as total, line1_upper, found 'ct'"),
        ({"spin": 2.0, "observed": "line3_upper"}, "such as total, line1_upper, line2_upper, found 'line3_upper'"),
        ({"spin": 3.0, "observed": "st1_upper"}, "needed observed of spin 3"),
        ({"spin": 1.0, "initial": "ct_sat"}, "needed initial of spin 1 such as all_sat, line1_upper_sat, found"),
        ({"spin": 2.0, "initial": "ct_sat_long"}, "needed initial of spin 2"),
        # Two inversions that share a level have an order.
        ({"spin": 1.0, "initial": "line_both_inv"}, "needed initial of spin 1 such as all_inv"),
        ({"efficiency": 0.0}, "efficiency: needed .* above 0"),
        ({"efficiency": np.nan}, "efficiency: needed .* above 0"),
        (
            {"mechanism": nd.BPP(nucleus="27Al", cq=1e6, eta=0.0)},
            "needed a mechanism of spin 1.5, found one of spin 2.5",
        ),
    ],
)
def test_what_a_spin_does_not_have_is_refused(changes, words):
    fields = {"spin": 1.5, "interaction": "quad", "initial": "all_sat", "observed": "total"} | changes
    with pytest.raises(nd.InputError, match=words):
        nd.PopulationRecovery(**fields)


@pytest.mark.parametrize(
    ("interaction", "rates", "words"),
    [
        ("quad", {"w1": 1.0, "w2": 1.0, "w": 0.1}, "needed w = 0, found 0.1"),
        ("mag", {"w": 1.0, "w1": 0.2}, "needed w1 = 0, found 0.2"),
        ("mag", {"w": 1.0, "w2": 0.2}, "needed w2 = 0, found 0.2"),
        ("quad", {"w1": -1.0, "w2": 1.0}, "rates of 0 /s or more, found w1 = -1"),
        ("mixed", {"w1": 1.0, "w2": 1.0, "w": -0.1}, "rates of 0 /s or more, found w = -0.1"),
        ("quad", {"w1": 1.0, "w2": np.array([0.5, -0.5])}, "rates of 0 /s or more, found w2"),
        ("quad", {"w1": np.nan, "w2": 1.0}, "rates of 0 /s or more, found w1 = nan"),
        ("quad", {"w1": 1.0, "w2": np.inf}, "rates of 0 /s or more, found w2 = inf"),
    ],
)
def test_rates_that_cannot_be_are_refused(interaction, rates, words):
    model = populations(1.5, interaction=interaction)
    with pytest.raises(nd.InputError, match=words):
        model.evaluate(1.0, **rates)
    with pytest.raises(nd.InputError, match=words):
        model.exponentials(**rates)


# Fits ----------------------------------------------------------------------------------------------------------------

LARMOR = 132.32e6  # of 23Na
SODIUM = nd.BPP(nucleus="23Na", cq=1e6, eta=0.0)
SCALED = np.geomspace(0.01, 8, 24)  # delays over T1


NUCLEI = {1.0: "2H", 1.5: "23Na", 2.0: "", 2.5: "27Al", 3.0: "10B", 3.5: "45Sc", 4.5: "93Nb"}


def recovery_of(curve, delay, *, snr, spin=1.5, n=1, seed=1):
    """`n` recoveries of a nucleus of this spin, with this curve, with noise (unless seed is None) of 1 / snr."""
    truth = nd.RelaxationTruth(
        nucleus="23Na",
        larmor_frequency=LARMOR,
        cq=1e6,
        eta=0.0,
        activation_energy=0.45,
        tau_c=1e-5,
        reference_temperature=333.15,
        temperature=[333.15] * n,
        delays=list(delay),
        snr=snr,
    )
    recovery = nd.simulate(truth, seed=1)
    noise = 0.0 if seed is None else np.random.default_rng(seed).standard_normal((n, len(delay))) / snr
    recovery["signal"][:] = curve + noise
    recovery.attrs["nucleus"] = NUCLEI[spin]
    return recovery


def rates_of(spin, ratio, t1=1.0, share=0.0):
    """(W1, W2, W) [1/s] with this W1/W2 and this initial rate, of which `share` is magnetic."""
    w2 = (1 - share) / t1 * 5 * spin * (2 * spin - 1) / (2 * spin + 3) / (ratio + 4)
    return {"w1": ratio * w2, "w2": w2} | ({"w": share / 2 / t1} if share else {})


def curve_of(model, ratio, *, efficiency=1.0, share=0.0):
    """Noise-free recovery with T1 = 1 at the delays SCALED."""
    return 1 - efficiency * (1 - model.evaluate(SCALED, **rates_of(model.spin, ratio, share=share)))


def codes(relaxation):
    """Findings: code -> (where, text)."""
    return {entry["code"]: (entry["where"], entry["text"]) for entry in json.loads(relaxation.attrs["warnings"])}


@pytest.mark.parametrize(
    ("spin", "initial", "observed", "ratio"),
    [
        (1.0, "line_upper_sat", "line_upper", 3.0),
        (1.5, "all_sat", "total", 2.5),
        (1.5, "all_sat", "ct", 4.0),
        (1.5, "all_inv", "ct", 1.3),
        (1.5, "ct_sat", "ct", 1.3),
        pytest.param(1.5, "ct_sat_long", "ct", 3.0, marks=pytest.mark.slow),
        (2.0, "line1_upper_sat", "line1_upper", 2.0),
        (2.5, "all_sat", "total", 4.0),
        (2.5, "ct_sat", "ct", 3.0),
        (2.5, "ct_inv", "st1_upper", 4.0),
        pytest.param(3.0, "all_sat", "total", 3.7, marks=pytest.mark.slow),
        (3.5, "ct_sat", "ct", 1.3),
        (3.5, "st1_both_sat", "st1_upper", 2.0),
        (4.5, "all_inv", "total", 3.0),
        (4.5, "ct_sat", "ct", 1.0),
        pytest.param(4.5, "st1_both_sat", "st1_upper", 4.0, marks=pytest.mark.slow),
    ],
)
def test_noise_free_recovery_gives_back_t1_and_the_ratio(spin, initial, observed, ratio):
    model = populations(spin, initial, observed)
    curve = curve_of(model, ratio, efficiency=0.9)
    relaxation = nd.fit_recovery(recovery_of(curve, SCALED, snr=1e9, spin=spin, seed=None), model)
    assert relaxation.reason.item() == ""
    assert relaxation.t1.item() == pytest.approx(1, rel=1e-6, abs=0)
    assert relaxation.ratio.item() == pytest.approx(ratio, rel=1e-5, abs=0)
    start = model.evaluate(0.0, **rates_of(spin, ratio))
    assert relaxation.depth.item() == pytest.approx(0.9 * (1 - start), rel=1e-6, abs=0)
    assert relaxation.amplitude.item() == pytest.approx(1, rel=1e-6, abs=0)
    np.testing.assert_allclose(relaxation.fit.values[0], curve, rtol=0, atol=1e-7)
    assert relaxation.t1_meaning.item() == "T1 of the initial rate of <I_z>, all levels saturated"
    assert relaxation.model.item() == "populations"


@pytest.mark.parametrize(
    ("spin", "initial", "observed", "ratio", "share"),
    [
        (1.5, "all_sat", "ct", 2.5, 0.5),
        pytest.param(2.5, "ct_sat", "ct", 2.0, 0.3, marks=pytest.mark.slow),
        pytest.param(2.5, "st1_upper_sat", "st1_upper", 3.0, 0.2, marks=pytest.mark.slow),
        (3.5, "st1_both_sat", "st1_upper", 3.0, 0.1),
    ],
)
def test_noise_free_recovery_by_two_mechanisms_gives_back_t1(spin, initial, observed, ratio, share):
    model = populations(spin, initial, observed, "mixed")
    curve = curve_of(model, ratio, share=share)
    relaxation = nd.fit_recovery(recovery_of(curve, SCALED, snr=1e9, spin=spin, seed=None), model)
    assert relaxation.t1.item() == pytest.approx(1, rel=1e-5, abs=0)
    assert relaxation.ratio.item() == pytest.approx(ratio, rel=1e-4, abs=0)


@pytest.mark.parametrize("spin", [1.5, 3.5])
def test_magnetic_recovery_needs_one_parameter(spin):
    model = populations(spin, "ct_sat", "ct", "mag")
    curve = model.evaluate(SCALED, w=0.5)
    relaxation = nd.fit_recovery(recovery_of(curve, SCALED, snr=1e9, spin=spin, seed=None), model)
    assert relaxation.t1.item() == pytest.approx(1, rel=1e-6, abs=0)
    assert np.isnan(relaxation.ratio.item())
    assert relaxation.t1_dof.item() == 400 + 24 - 3


@pytest.mark.parametrize(("spin", "initial", "observed"), [(1.5, "all_sat", "ct"), (2.5, "ct_inv", "ct")])
def test_mean_time_is_the_area_under_what_is_left(spin, initial, observed):
    model, rates = populations(spin, initial, observed), rates_of(spin, 2.0)
    relaxation = nd.fit_recovery(recovery_of(curve_of(model, 2.0), SCALED, snr=1e9, spin=spin, seed=None), model)
    area = quad(lambda t: 1 - float(model.evaluate(t, **rates)), 0, 60, points=(0.1, 1, 5), limit=200, epsabs=1e-12)[0]
    expected = area / (1 - float(model.evaluate(0.0, **rates)))
    assert relaxation.t1_mean.item() == pytest.approx(expected, rel=1e-6, abs=0)


def z_scores(relaxation, t1=1.0):
    return (relaxation.t1.values - t1) / relaxation.t1_stderr.values


def assert_covered(relaxation, t1=1.0):
    """95 % intervals hold T1 no less often than a binomial at 95 % allows (0.1 %)."""
    inside = np.abs(z_scores(relaxation, t1)) < stats.t.ppf(0.975, relaxation.t1_dof.values)
    assert inside.sum() >= stats.binom.ppf(0.001, inside.size, 0.95)


@pytest.mark.parametrize("n", [12, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("initial", "observed"), [("all_sat", "ct"), pytest.param("ct_sat", "ct", marks=pytest.mark.slow)]
)
def test_errors_of_populations_match_the_scatter(initial, observed, n):
    # W1/W2 = 2.5 is that of omega_0 tau_c = 1.
    model = populations(1.5, initial, observed)
    relaxation = nd.fit_recovery(recovery_of(curve_of(model, 2.5), SCALED, snr=100, n=n, seed=3), model)
    z = z_scores(relaxation)
    low, high = np.sqrt(stats.chi2.ppf([0.001, 0.999], n - 1) / (n - 1))
    assert low < np.std(z, ddof=1) < high
    assert abs(z.mean()) < 3.3 / np.sqrt(n)  # 0.1 % of a normal
    assert_covered(relaxation)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spin", "initial", "observed", "ratio"),
    [
        (1.5, "all_sat", "total", 2.5),
        (1.5, "all_sat", "total", 4.0),
        (2.5, "all_sat", "total", 4.0),
        (2.5, "ct_sat", "ct", 3.0),
        (3.5, "ct_sat", "ct", 1.3),
    ],
)
def test_intervals_of_populations_cover(spin, initial, observed, ratio):
    model = populations(spin, initial, observed)
    recovery = recovery_of(curve_of(model, ratio), SCALED, snr=100, spin=spin, n=200, seed=6)
    relaxation = nd.fit_recovery(recovery, model)
    assert_covered(relaxation)


def test_central_transition_of_saturated_spin_three_halves_is_no_single_exponential():
    model = populations(1.5, "all_sat", "ct")
    recovery = recovery_of(curve_of(model, 4.0), SCALED, snr=100, n=3, seed=7)
    assert np.all(recovery.signal.values.min(axis=1) < -0.15)
    relaxation, single = nd.fit_recovery(recovery, model), nd.fit_recovery(recovery, "single")
    assert relaxation.fit.values.min() < -0.15
    assert np.all(np.abs(z_scores(relaxation)) < 3.3)
    assert codes(relaxation) == {}
    assert codes(single)["recovery-misfit"][0] == "1, 2, 3"
    assert codes(single)["recovery-dips"][0] == "1, 2, 3"
    assert np.all(single.t1.values > 2)  # it means nothing


def test_dips_are_told_from_noise():
    # What is not below -0.03 (3 standard errors of each of some points), and what has no quadrupole moment, has no dip.
    curve = curve_of(populations(1.5, "all_sat", "ct"), 4.0)
    recovery = recovery_of(np.stack([curve, 1 - np.exp(-SCALED), curve]), SCALED, snr=100, n=3, seed=17)
    recovery["signal"][2] = recovery.signal[2].values[::-1]
    recovery["delay"][2] = recovery.delay[2].values[::-1]
    where, text = codes(nd.fit_recovery(recovery, "single"))["recovery-dips"]
    assert where == "1, 3"
    # 0.19 below what came before, whose mean is 0.06 below 0.
    assert 10 < float(text.split("by up to ")[1].split(" ")[0]) < 20
    recovery.attrs["nucleus"] = "31P"
    assert "recovery-dips" not in codes(nd.fit_recovery(recovery, "single"))


def test_model_of_another_spin_is_refused():
    recovery = recovery_of(1 - np.exp(-SCALED), SCALED, snr=100, spin=2.5)
    with pytest.raises(nd.InputError, match=r"needed a model of 27Al, found one of spin 1\.5"):
        nd.fit_recovery(recovery, populations(1.5))
    recovery.attrs["nucleus"] = ""
    assert nd.fit_recovery(recovery, populations(1.5)).converged.item()


@pytest.mark.parametrize(("initial", "observed"), [("all_sat", "total"), ("all_sat", "ct")])
def test_fast_branch_is_no_failure(initial, observed):
    # W1/W2 = 1 is its end; T1 is that of the single exponential which the recovery is.
    model = populations(1.5, initial, observed)
    recovery = recovery_of(curve_of(model, 1.0), SCALED, snr=100, n=3, seed=28)
    relaxation, single = nd.fit_recovery(recovery, model), nd.fit_recovery(recovery, "single")
    assert np.all(relaxation.converged)
    assert np.all(relaxation.reason.values == "")
    assert np.all(relaxation.ratio.values >= 1)
    assert np.all(np.abs(relaxation.ratio.values - 1) < 3.3 * relaxation.ratio_stderr.values)
    assert np.all(np.abs(z_scores(relaxation)) < 3.3)
    assert np.all(relaxation.t1_stderr.values >= single.t1_stderr.values * (1 - 1e-6))


@pytest.mark.parametrize("ratio", [1.0, 1.6, 2.5, 4.0])
def test_undetermined_ratio_carries_its_range_into_t1(ratio):
    # A satellite after inversion of the central transition recovers with 2 W1 alone: W1/W2 could be anything from 1 to
    # 4, and T1, which goes as (W1/W2) / (W1/W2 + 4) at a given W1, anything within a factor of 2.5.
    model = populations(1.5, "ct_inv", "st1_upper")
    for snr in (100, 1e9):
        relaxation = nd.fit_recovery(recovery_of(curve_of(model, ratio), SCALED, snr=snr, seed=9), model)
        found, stderr = relaxation.t1.item(), relaxation.t1_stderr.item()
        assert abs(np.log(found)) < 3 * stderr / found
        assert stderr < found * np.log(4)


def bpp_rates(x):
    """tau_c [s], T1 [s] and rates of SODIUM at omega_0 tau_c = x."""
    tau = x / (2 * np.pi * LARMOR)
    w1, w2, _ = SODIUM.transition_rates(tau, LARMOR)
    return tau, 1 / float(SODIUM.rate(tau, LARMOR)), {"w1": w1, "w2": w2}


@pytest.mark.parametrize("x", [0.2, 2.0, 30.0])
def test_mechanism_leaves_one_unknown(x):
    tau, t1, rates = bpp_rates(x)
    free, tied = populations(1.5, "ct_sat", "ct"), populations(1.5, "ct_sat", "ct", mechanism=SODIUM)
    curve = free.evaluate(SCALED * t1, **rates)
    exact = nd.fit_recovery(recovery_of(curve, SCALED * t1, snr=1e9, seed=None), tied)
    assert exact.t1.item() == pytest.approx(1 / SODIUM.rate(tau, LARMOR), rel=1e-6, abs=0)
    assert exact.t1_dof.item() == 400 + 24 - 3  # tau_c, amplitude, efficiency
    recovery = recovery_of(curve, SCALED * t1, snr=100, seed=10)
    one, two = nd.fit_recovery(recovery, tied), nd.fit_recovery(recovery, free)
    assert one.t1_stderr.item() < two.t1_stderr.item()
    assert abs(z_scores(one, t1).item()) < 3.3


@pytest.mark.parametrize("n", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_intervals_with_a_mechanism_cover(n):
    _, t1, rates = bpp_rates(2.0)
    model = populations(1.5, "all_sat", "ct", mechanism=SODIUM)
    recovery = recovery_of(model.evaluate(SCALED * t1, **rates), SCALED * t1, snr=100, n=n, seed=11)
    relaxation = nd.fit_recovery(recovery, model)
    low, high = np.sqrt(stats.chi2.ppf([0.001, 0.999], n - 1) / (n - 1))
    assert low < np.std(z_scores(relaxation, t1), ddof=1) < high
    assert_covered(relaxation, t1)


def test_branches_with_the_same_shape_are_both_in_the_error():
    # The satellite after inversion of the central transition tells J(omega_0) alone, which omega_0 tau_c = x and 1/x
    # have in common; 1/T1 goes as x/(1 + x^2) + 4x/(1 + 4x^2).
    _, slow, rates = bpp_rates(2.0)
    _, fast, _ = bpp_rates(0.5)
    assert fast / slow == pytest.approx((0.4 + 8 / 17) / (0.4 + 1), rel=1e-12, abs=0)
    model = populations(1.5, "ct_inv", "st1_upper", mechanism=SODIUM)
    recovery = recovery_of(model.evaluate(SCALED * slow, **rates), SCALED * slow, snr=1e4, seed=12)
    relaxation = nd.fit_recovery(recovery, model)
    t1, stderr = relaxation.t1.item(), relaxation.t1_stderr.item()
    assert min(abs(t1 / slow - 1), abs(t1 / fast - 1)) < 1e-3
    # Each is as likely as the other.
    assert stderr / t1 == pytest.approx(np.log(slow / fast) / np.sqrt(2), rel=0.01, abs=0)
    assert "both branches" in relaxation.reason.item()


def test_mechanism_without_such_a_t1_is_a_nan_row_with_a_reason():
    weak = nd.BPP(nucleus="23Na", cq=1.0, eta=0.0)
    model = populations(1.5, "all_sat", "total", mechanism=weak)
    relaxation = nd.fit_recovery(recovery_of(1 - np.exp(-SCALED), SCALED, snr=100), model)
    assert np.isnan(relaxation.t1.item())
    assert "the mechanism allows no T1 as short" in relaxation.reason.item()
    assert codes(relaxation)["no-t1"] == ("1", relaxation.reason.item())


class Coupling:
    """C_Q that falls linearly with temperature [K]."""

    def at(self, temperature):
        return 1e6 * (2 - temperature / 333.15)


def test_mechanism_is_taken_at_the_temperature_of_each_experiment():
    changing = nd.BPP(nucleus="23Na", cq=Coupling(), eta=0.0)
    _, t1, rates = bpp_rates(2.0)
    recovery = recovery_of(populations(1.5).evaluate(SCALED * t1, **rates), SCALED * t1, snr=1e4, n=3, seed=19)
    recovery["temperature"][:] = np.array([333.15, 250.0, np.nan])
    tied = populations(1.5, mechanism=changing)
    relaxation = nd.fit_recovery(recovery, tied)
    for i, cq in enumerate((1e6, Coupling().at(250.0))):
        constant = populations(1.5, mechanism=nd.BPP(nucleus="23Na", cq=cq, eta=0.0))
        expected = nd.fit_recovery(recovery.isel(experiment=[i]), constant)
        for name in ("t1", "t1_stderr"):
            assert relaxation[name].values[i] == pytest.approx(expected[name].item(), rel=1e-9, abs=0)
    # Without a temperature there is no coupling; a constant one needs none.
    assert np.isnan(relaxation.t1.values[2])
    assert relaxation.reason.values[2]
    assert nd.fit_recovery(recovery, populations(1.5, mechanism=SODIUM)).converged.values[2]


def test_recovery_upside_down_is_none():
    # Followed for 3 T1 only, a shallow dip and rise could be a long recovery of negative amplitude.
    model, delay = populations(1.5, "all_sat", "ct"), SCALED * 3 / 8
    curve = model.evaluate(delay, **rates_of(1.5, 1.5))
    relaxation = nd.fit_recovery(recovery_of(curve, delay, snr=100, n=4, seed=3), model)
    assert np.all(relaxation.converged)
    assert np.all(np.abs(z_scores(relaxation)) < 3.3)


def test_protocols_are_compared_in_a_list():
    protocols = [populations(1.5, initial, "ct") for initial in ("all_sat", "ct_sat", "st1_both_sat")]
    recovery = recovery_of(curve_of(protocols[1], 3.0), SCALED, snr=100, seed=16)
    relaxation = nd.fit_recovery(recovery, protocols)
    # All are called "populations"; what they are tells them apart.
    assert list(relaxation.candidate.values) == [repr(model) for model in protocols]
    assert relaxation.model_weight[0, 1] > 0.999
    assert set(relaxation.model.values) == {"populations"}
    np.testing.assert_allclose(relaxation.t1, nd.fit_recovery(recovery, protocols[1]).t1, rtol=1e-12)


def test_efficiency_is_free_unless_it_is_said():
    free, ideal = populations(1.5, "all_sat", "ct"), populations(1.5, "all_sat", "ct", efficiency=1.0)
    full = recovery_of(curve_of(free, 2.5), SCALED, snr=100, seed=13)
    loose, fixed = nd.fit_recovery(full, free), nd.fit_recovery(full, ideal)
    assert fixed.depth.item() == pytest.approx(1, rel=1e-12, abs=0)
    assert (loose.t1_dof.item(), fixed.t1_dof.item()) == (420, 421)
    assert fixed.t1_stderr.item() < loose.t1_stderr.item()
    assert abs(z_scores(fixed).item()) < 3.3
    lame = recovery_of(curve_of(free, 2.5, efficiency=0.95), SCALED, snr=300, seed=13)
    loose, fixed = nd.fit_recovery(lame, free), nd.fit_recovery(lame, ideal)
    assert loose.depth.item() == pytest.approx(0.95, abs=0.01)  # 24 points with noise of 0.003
    assert abs(z_scores(loose).item()) < 3.3
    assert "recovery-misfit" in codes(fixed)


# What a naive fit makes of it ----------------------------------------------------------------------------------------


# Slow flank (W1 = 4 W2) or extreme narrowing (W1 = W2), delays of 0.01 to 8 T1, no noise: T1 of a single exponential,
# T1* and beta of a stretched one, times over the T1 of the initial rate; free depth or fixed at 1. Independent fits.
BIAS = [
    (1.5, "all_sat", "total", 4.0, 1.0, 1.159, 1.269, 0.895),
    (1.5, "ct_sat", "ct", 4.0, 1.0, 0.722, 0.802, 0.864),
    (2.5, "all_sat", "total", 4.0, 1.0, 1.124, 1.164, 0.952),
    (2.5, "ct_sat", "ct", 4.0, 1.0, 0.438, 0.448, 0.958),
    (3.5, "all_sat", "total", 4.0, 1.0, 1.117, 1.146, 0.963),
    (3.5, "ct_sat", "ct", 4.0, 1.0, 0.296, 0.299, 0.980),
    (4.5, "all_sat", "total", 4.0, 1.0, 1.114, 1.140, 0.967),
    (4.5, "ct_sat", "ct", 4.0, 1.0, 0.213, 0.215, 0.979),
    (1.5, "all_sat", "total", 4.0, None, 1.206, None, 0.869),
    (1.5, "ct_sat", "ct", 4.0, None, 0.760, None, 0.806),
    (1.5, "ct_sat", "ct", 1.0, 1.0, 1.000, None, None),
    (2.5, "ct_sat", "ct", 1.0, 1.0, 0.467, None, None),
    (3.5, "ct_sat", "ct", 1.0, 1.0, 0.276, None, None),
    (4.5, "ct_sat", "ct", 1.0, 1.0, 0.184, None, None),
]


@pytest.mark.parametrize(("spin", "initial", "observed", "ratio", "depth", "single", "stretched", "beta"), BIAS)
def test_bias_of_single_and_stretched_exponentials(spin, initial, observed, ratio, depth, single, stretched, beta):
    curve = curve_of(populations(spin, initial, observed), ratio)
    recovery = recovery_of(curve, SCALED, snr=1e6, spin=spin, seed=None)
    found = nd.fit_recovery(recovery, nd.SingleExponential(depth=depth))
    assert round(found.t1.item(), 3) == single
    other = nd.fit_recovery(recovery, nd.StretchedExponential(depth=depth))
    if stretched is not None:
        assert round(other.t1.item(), 3) == stretched
    if beta is not None:
        assert round(other.beta.item(), 3) == beta


@pytest.mark.parametrize(
    ("initial", "observed", "fraction", "protocol"),
    [
        ("all_sat", "total", 0.8, "all levels saturated"),
        ("ct_sat", "ct", 0.5, "central transition saturated"),
    ],
)
def test_two_exponentials_of_one_spin_three_halves_are_named(initial, observed, fraction, protocol):
    # 1 - M is 4/5 and 1/5, or 1/2 and 1/2, at rates of 2 W2 and 2 W1 = 8 W2.
    curve = curve_of(populations(1.5, initial, observed), 4.0)
    recovery = recovery_of(curve, SCALED, snr=300, n=3, seed=14)
    relaxation = nd.fit_recovery(recovery, nd.BiExponential())
    for name, expected in (("ratio", 4.0), ("component_fraction", fraction)):
        value, error = (relaxation[key].values.reshape(3, -1)[:, 0] for key in (name, f"{name}_stderr"))
        assert np.all(np.abs(value - expected) < 3.3 * error), name
    where, text = codes(relaxation)["one-site-two-rates"]
    assert where == "1, 2, 3"
    assert f"one 23Na site on the slow flank ({protocol}" in text
    # The same numbers from a spin 5/2, which has three rates, or from no known nucleus, say nothing of the kind.
    for nucleus in ("27Al", ""):
        recovery.attrs["nucleus"] = nucleus
        other = nd.fit_recovery(recovery.isel(experiment=[0]), nd.BiExponential())
        assert "one-site-two-rates" not in codes(other)
        assert "exponentials-t1" in codes(other)


@pytest.mark.parametrize(("ratio", "fraction"), [(20.0, 0.5), (4.0, 0.2), (10.0, 0.8)])
def test_two_genuine_sites_are_not_taken_for_one(ratio, fraction):
    curve = 1 - fraction * np.exp(-SCALED) - (1 - fraction) * np.exp(-ratio * SCALED)
    relaxation = nd.fit_recovery(recovery_of(curve, SCALED, snr=300, n=2, seed=15), nd.BiExponential())
    assert np.all(np.abs(relaxation.ratio.values - ratio) < 3.3 * relaxation.ratio_stderr.values)
    assert "one-site-two-rates" not in codes(relaxation)
    assert codes(relaxation)["exponentials-t1"][0] == "1, 2"
