"""Dipolar and background relaxation, sums of mechanisms, T2 and T1rho, and the inversion of every sort of rate."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.constants import hbar, mu_0
from scipy.optimize import brentq, minimize_scalar
from scipy.spatial.transform import Rotation

import nmrdyn as nd
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
)
from nmrdyn.schema import stamp
from nmrdyn.thermal import LinearCoupling

LARMOR = 160.49e6  # of 11B in 11.7 T
OMEGA = 2 * np.pi * LARMOR
# omega tau_c at the T1 minimum of J(omega) + 4 J(2 omega): 32 u^3 + 20 u^2 + u - 5 = 0 with u = x^2, and
# x/(1 + x^2) + 4x/(1 + 4x^2) there.
X_MINIMUM, F_MINIMUM = 0.615795146961756244756, 1.425175719086501535330

# One spin B beside the spin A; like spins: the rate of the summed Iz. Redfield double commutators of the Cartesian
# dipolar Hamiltonian, calculated numerically and independently with CODATA 2018.
# A, B, distance [m], field [T], tau_c [s], coupling [rad/s], 1/T1, 1/T2, cross-relaxation [1/s].
PAIRS = [
    ("11B", "1H", 1.2e-10, 2.35, 1e-12, 140157.8979912222, 0.019644227643483628, 0.01964422967717504, 0.04911055207403),
    ("11B", "1H", 1.2e-10, 11.744, 1e-6, 140157.8979912222, 0.006913843320683147, 3928.851327826928, 0.0012642414625),
    ("23Na", "1H", 2.6e-10, 2.35, 1e-9, 11365.833134959905, 0.09584329606974268, 0.1015345127679682, 0.184227420364031),
    ("7Li", "1H", 2e-10, 11.744, 1e-10, 36667.67034635429, 0.12048078859063277, 0.12384255395524738, 0.274020918565354),
    ("1H", "11B", 1.2e-10, 2.35, 1e-7, 140157.8979912222, 2.138395946199589, 1972.7151132345068, 0.0631818308160986),
    ("13C", "1H", 1.09e-10, 11.744, 1e-9, 146575.299086639, 5.080019765831242, 7.4297741852755275, 0.45412965346204953),
    ("1H", "1H", 1.98e-10, 11.744, 1e-6, 97229.981750282, 0.0005746453972883909, 4254.151998159473, None),
    ("7Li", "7Li", 3e-10, 11.744, 1e-9, 4222.669304848881, 0.026098570208094266, 0.07080201436880451, None),
    ("11B", "11B", 4.5e-10, 2.35, 1e-10, 852.8827115350464, 0.0005448029351658861, 0.0005452683748665971, None),
]


def borohydride(distance=1.2e-10):
    """11B at the centre of four protons."""
    return nd.Dipolar(nucleus="11B", partner="1H", distance=distance, count=4)


def quadrupolar(**changes):
    return nd.BPP(**{"nucleus": "11B", "cq": 0.1e6, "eta": 0.4} | changes)


def debye(omega, tau):
    return tau / (1 + (omega * tau) ** 2)


# An independent calculation: spin matrices, Hamiltonians turned through the 60 rotations of the icosahedron (which
# average products of two tensors of rank 2 exactly), and sums of squared commutators.
ROTATIONS = Rotation.create_group("I").as_matrix()


def vector(spin, before=1, after=1):
    """(Ix, Iy, Iz) of one spin among others, (3, level, level)."""
    m = spin - np.arange(round(2 * spin) + 1)
    up = np.diag(np.sqrt((spin - m[1:]) * (spin + m[1:] + 1)), k=1)
    own = (up + up.T) / 2, (up - up.T) / 2j, np.diag(m)
    return np.array([np.kron(np.kron(np.eye(before), one), np.eye(after)) for one in own])


def pair(spin, other):
    return vector(spin, after=round(2 * other + 1)), vector(other, before=round(2 * spin + 1))


def turned(principal, left, right):
    """sum V_ij left_i right_j with V turned every way, (rotation, level, level)."""
    tensor = ROTATIONS @ np.diag(principal) @ np.swapaxes(ROTATIONS, 1, 2)
    return np.einsum("rij,iab,jbc->rac", tensor, left, right)


def commutators(hamiltonian, energy, observed, lock=0.0):
    """(angular frequency, mean |[H at that frequency, A]|^2 / |A|^2) for levels of `energy`; a lock along A."""
    value, basis = np.linalg.eigh(observed)
    step = value[:, None] - value
    differences = energy[:, None] - energy
    scale = np.abs(differences).max()
    found = []
    for rounded in np.unique(np.round(differences / scale, 9)):
        of_this = np.abs(differences / scale - rounded) < 1e-8
        part = basis.conj().T @ np.where(of_this, hamiltonian, 0) @ basis
        strength = np.mean(np.abs(part) ** 2, axis=0) * step**2 / np.sum(value**2)
        omega = differences[of_this][0] if rounded else lock * step
        found.append((omega, strength))
    return found


def golden_rule(hamiltonian, energy, observed, *, tau, lock=0.0):
    """Initial rate of the observable, from Redfield's equation."""
    return sum(np.sum(s * debye(omega, tau)) for omega, s in commutators(hamiltonian, energy, observed, lock))


def assert_pair_agrees(a, b, distance, field, tau, coupling, rate, rate_t2, cross):
    mechanism = nd.Dipolar(nucleus=a, partner=b, distance=distance)
    larmor = abs(nd.Isotope.get(a).gamma) * field / (2 * np.pi)
    # gamma(1H) of CODATA 2018 is 2.2e-7 above that of Harris 2001; where sigma nearly vanishes this grows tenfold.
    assert mechanism.coupling == pytest.approx(coupling, rel=1e-6, abs=0)
    assert mechanism.rate(tau, larmor) == pytest.approx(rate, rel=1e-5, abs=0)
    assert mechanism.rate_t2(tau, larmor) == pytest.approx(rate_t2, rel=1e-5, abs=0)
    if cross is None:
        with pytest.raises(nd.InputError, match="needed unlike spins"):
            mechanism.cross_relaxation(tau, larmor)
    else:
        assert mechanism.cross_relaxation(tau, larmor) == pytest.approx(cross, rel=1e-5, abs=0)


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: f"{row[0]}-{row[1]}-{row[4]:g}")
def test_dipolar_rates_agree_with_double_commutators(row):
    assert_pair_agrees(*row)


def test_dipolar_rates_of_the_whole_table(oracle):
    rows = oracle("g_dipolar.csv")
    assert {row["A"] == row["B"] for row in rows} == {True, False}
    for row in rows:
        numbers = [float(row[name]) for name in ("r_m", "B0_T", "tau_c_s", "b_rad_s", "R1", "R2")]
        assert_pair_agrees(row["A"], row["B"], *numbers, float(row["sigma_cross"]) if row["sigma_cross"] else None)


# 17O, 15N and 119Sn have a negative gamma: the signs of the two frequencies matter.
@pytest.mark.parametrize("x", [0.01, 0.8, 30.0])
@pytest.mark.parametrize(
    ("nucleus", "partner"),
    [("13C", "1H"), ("11B", "1H"), ("1H", "15N"), ("15N", "1H"), ("17O", "1H"), ("119Sn", "29Si"), ("1H", "2H")],
)
def test_unlike_spins_relax_by_the_golden_rule(nucleus, partner, x):
    own, other = nd.Isotope.get(nucleus), nd.Isotope.get(partner)
    mechanism = nd.Dipolar(nucleus=nucleus, partner=partner, distance=1.5e-10)
    spin, partner_spin = pair(own.spin, other.spin)
    larmor, lock = 50e6, 2e4
    omega = 2 * np.pi * larmor
    tau = x / omega
    energy = np.diag(spin[2] + other.gamma / own.gamma * partner_spin[2]).real * omega
    field = turned([mechanism.coupling, mechanism.coupling, -2 * mechanism.coupling], spin, partner_spin)
    for found, axis, nutation in (
        (mechanism.rate(tau, larmor), 2, 0.0),
        (mechanism.rate_t2(tau, larmor), 0, 0.0),
        (mechanism.rate_t1rho(tau, larmor, nutation_frequency=lock), 0, 2 * np.pi * lock),
    ):
        expected = golden_rule(field, energy, spin[axis], tau=tau, lock=nutation)
        assert found == pytest.approx(expected, rel=1e-11, abs=0)
    steps = [np.diag(s[2]).real[:, None] - np.diag(s[2]).real for s in (spin, partner_spin)]
    exchange = np.mean(np.abs(field) ** 2, axis=0) * steps[0] * steps[1] * debye(energy[:, None] - energy, tau)
    expected = np.sum(exchange) / np.sum(np.diag(partner_spin[2]).real ** 2)
    assert mechanism.cross_relaxation(tau, larmor) == pytest.approx(expected, rel=1e-10, abs=0)
    # Van Vleck's second moment: the part of the field that commutes with both Zeeman terms, against Ix.
    moment = sum(np.sum(s) for omega, s in commutators(field, energy, spin[0]) if np.all(omega == 0))
    assert mechanism.moment == pytest.approx(moment, rel=1e-12, abs=0)


@pytest.mark.parametrize("x", [0.01, 0.8, 30.0])
@pytest.mark.parametrize("nucleus", ["1H", "14N", "7Li", "29Si"])
def test_like_spins_relax_by_the_golden_rule(nucleus, x):
    mechanism = nd.Dipolar(nucleus=nucleus, partner=nucleus, distance=2e-10)
    first, second = pair(mechanism.spin, mechanism.spin)
    both, larmor, lock = first + second, 50e6, 2e4
    tau, energy = x / (2 * np.pi * larmor), np.diag(both[2]).real * 2 * np.pi * larmor
    field = turned([mechanism.coupling, mechanism.coupling, -2 * mechanism.coupling], first, second)
    for found, axis, nutation in (
        (mechanism.rate(tau, larmor), 2, 0.0),
        (mechanism.rate_t2(tau, larmor), 0, 0.0),
        (mechanism.rate_t1rho(tau, larmor, nutation_frequency=lock), 0, 2 * np.pi * lock),
    ):
        expected = golden_rule(field, energy, both[axis], tau=tau, lock=nutation)
        assert found == pytest.approx(expected, rel=1e-11, abs=0)
    moment = sum(np.sum(s) for omega, s in commutators(field, energy, both[0]) if np.all(omega == 0))
    assert mechanism.moment == pytest.approx(moment, rel=1e-12, abs=0)


@pytest.mark.parametrize("x", [0.01, 0.8, 30.0])
@pytest.mark.parametrize("spin", [1.0, 1.5, 2.5, 3.0])
def test_quadrupolar_rates_of_t1_t2_and_t1rho_are_the_golden_rule(spin, x):
    cq, eta, larmor, lock = 3e5, 0.35, 50e6, 2e4
    mechanism = nd.BPP(spin=spin, cq=cq, eta=eta)
    axes = vector(spin)
    tau, energy = x / (2 * np.pi * larmor), np.diag(axes[2]).real * 2 * np.pi * larmor
    strength = 2 * np.pi * cq / (2 * spin * (2 * spin - 1))
    field = strength * turned([-(1 - eta) / 2, -(1 + eta) / 2, 1.0], axes, axes)
    for found, axis, nutation in (
        (mechanism.rate(tau, larmor), 2, 0.0),
        (mechanism.rate_t2(tau, larmor), 0, 0.0),
        (mechanism.rate_t1rho(tau, larmor, nutation_frequency=lock), 0, 2 * np.pi * lock),
    ):
        expected = golden_rule(field, energy, axes[axis], tau=tau, lock=nutation)
        assert found == pytest.approx(expected, rel=1e-11, abs=0)


def test_borohydride_has_its_dipolar_numbers():
    # b = (mu0 / 4 pi) gamma_I gamma_S hbar / r^3 and M2 = (4/15) (3/4) 4 b^2, with the gammas of Harris 2001.
    mechanism = borohydride()
    b = mu_0 / (4 * np.pi) * 85847044.0 * 267522128.0 * hbar / 1.2e-10**3
    assert mechanism.coupling == pytest.approx(b, rel=1e-14, abs=0)
    assert b / (2 * np.pi) == pytest.approx(22.31e3, abs=5)
    assert mechanism.moment == pytest.approx(0.8 * b**2, rel=1e-14, abs=0)
    assert mechanism.moment == pytest.approx(1.572e10, abs=5e6)
    tau, t1 = mechanism.turning_point(LARMOR)
    assert (tau, t1) == (pytest.approx(7.2e-10, abs=5e-12), pytest.approx(61.7e-3, abs=5e-5))
    assert (quadrupolar() + mechanism).t1_minimum(LARMOR) == pytest.approx(35.8e-3, abs=5e-5)


@pytest.mark.parametrize(
    ("t1", "tau_quadrupolar", "tau_both", "t1_both"), [(61.13, 1e-6, 2.69e-6, 22.7), (427.9, 7e-6, 18.8e-6, 159.0)]
)
def test_dipolar_relaxation_of_borohydride_exceeds_the_quadrupolar(t1, tau_quadrupolar, tau_both, t1_both):
    # On the slow flank T1 is proportional to tau: both numbers follow from 1 + 1.69 = 2.69.
    ratio = borohydride().rate(tau_quadrupolar, LARMOR) / quadrupolar().rate(tau_quadrupolar, LARMOR)
    assert ratio == pytest.approx(1.69, abs=0.005)
    farther = borohydride(1.22e-10).rate(tau_quadrupolar, LARMOR) / quadrupolar().rate(tau_quadrupolar, LARMOR)
    assert farther == pytest.approx(1.53, abs=0.005)
    assert farther == pytest.approx(ratio * (1.2 / 1.22) ** 6, rel=1e-13, abs=0)
    both = quadrupolar() + borohydride()
    assert both.correlation_times(t1, LARMOR)[1] == pytest.approx(tau_both, rel=2e-3, abs=0)
    assert 1 / both.rate(tau_quadrupolar, LARMOR) == pytest.approx(t1_both, rel=2e-3, abs=0)


@pytest.mark.parametrize(("tau", "cq"), [(1e-5, 130e3), (1e-13, 137e3)])
def test_coupling_at_which_quadrupolar_and_dipolar_rates_are_equal(tau, cq):
    found = 0.1e6 * np.sqrt(borohydride().rate(tau, LARMOR) / quadrupolar().rate(tau, LARMOR))
    assert found == pytest.approx(cq, abs=0.5e3)
    shares = (quadrupolar(cq=found) + borohydride()).shares(tau, LARMOR)
    assert list(shares.values()) == pytest.approx([0.5, 0.5], rel=1e-12)


@pytest.mark.parametrize(("nucleus", "partner"), [("11B", "1H"), ("17O", "1H"), ("13C", "19F")])
def test_unlike_spins_in_extreme_narrowing_have_five_second_moments(nucleus, partner):
    mechanism = nd.Dipolar(nucleus=nucleus, partner=partner, second_moment=2e9)
    assert mechanism.rate(1e-18, 1e8) == pytest.approx(5 * 2e9 * 1e-18, rel=1e-13, abs=0)


def test_two_spins_one_half_in_extreme_narrowing_exchange_half_of_what_they_lose():
    # Solomon 1955: the nuclear Overhauser effect of a pair of unlike spins 1/2 is sigma/rho = 1/2, of either gamma.
    for nucleus in ("13C", "15N"):
        mechanism = nd.Dipolar(nucleus=nucleus, partner="1H", distance=1.1e-10, count=2)
        ratio = mechanism.cross_relaxation(1e-18, 1e8) / mechanism.rate(1e-18, 1e8)
        assert ratio == pytest.approx(0.5, rel=1e-12, abs=0)


@pytest.mark.parametrize("partner", ["15N", "17O", "119Sn"])
def test_partners_with_a_negative_gamma_turn_the_other_way(partner):
    # omega_I - omega_S is then the sum of the two magnitudes.
    own, other = nd.Isotope.get("1H"), nd.Isotope.get(partner)
    mechanism = nd.Dipolar(nucleus="1H", partner=partner, distance=2e-10)
    own_omega, tau = 2 * np.pi * 4e8, 1e-9
    other_omega = own_omega * abs(other.gamma / own.gamma)
    j = [debye(omega, tau) for omega in (own_omega + other_omega, own_omega, own_omega - other_omega)]
    assert mechanism.rate(tau, 4e8) == pytest.approx(mechanism.moment / 2 * np.dot([1, 3, 6], j), rel=1e-13, abs=0)


@pytest.mark.parametrize("larmor", [30e6, 500e6])
def test_like_spins_have_the_t1_minimum_of_bpp(larmor):
    # Closed form: T1,min = omega0 / ((2/3) M2 1.4252) at omega0 tau = 0.6158, as J(omega0) + 4 J(2 omega0) has it.
    mechanism = nd.Dipolar(nucleus="7Li", partner="7Li", second_moment=3e8)
    tau, t1 = mechanism.turning_point(larmor)
    assert t1 == pytest.approx(2 * np.pi * larmor / (2 / 3 * 3e8 * F_MINIMUM), rel=1e-12, abs=0)
    assert 2 * np.pi * larmor * tau == pytest.approx(X_MINIMUM, rel=1e-7, abs=0)


@pytest.mark.parametrize("partner", ["1H", "11B"])
def test_a_second_moment_stands_for_distance_and_count(partner):
    four = nd.Dipolar(nucleus="11B", partner=partner, distance=1.7e-10, count=4)
    one = nd.Dipolar(nucleus="11B", partner=partner, distance=1.7e-10)
    same = nd.Dipolar(nucleus="11B", partner=partner, second_moment=float(four.moment))
    tau = np.array([1e-12, 1e-9, 1e-6])
    rates = [lambda m: m.rate(tau, 1e8), lambda m: m.rate_t2(tau, 1e8)]
    if partner == "1H":
        rates.append(lambda m: m.cross_relaxation(tau, 1e8))
    for rate in rates:
        np.testing.assert_allclose(rate(four), 4 * rate(one), rtol=1e-14)
        np.testing.assert_allclose(rate(four), rate(same), rtol=1e-14)
    assert np.isnan(same.coupling)
    assert four.coupling == one.coupling
    assert (set(four.quantities), set(same.quantities)) == ({"distance"}, {"second_moment"})


def test_dipolar_rates_broadcast_over_distances():
    many = nd.Dipolar(nucleus="11B", partner="1H", distance=np.array([1.2e-10, 2.4e-10]))
    rates = many.rate(np.array([1e-12, 1e-9, 1e-6])[:, None], LARMOR)
    np.testing.assert_allclose(rates[:, 0] / rates[:, 1], 64, rtol=1e-14)  # r^-6
    with pytest.raises(nd.InputError, match="one distance"):
        many.correlation_times(1.0, LARMOR)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"partner": "1X"}, "needed an isotope"),
        ({}, "distance= or second_moment=, found neither"),
        ({"distance": 1e-10, "second_moment": 1e10}, "distance= or second_moment=, found both"),
        ({"distance": 0.0}, "distance: needed a finite number above 0, found 0"),
        ({"distance": np.array([1e-10, np.nan])}, "distance: needed a finite number above 0"),
        ({"distance": 1e-10, "count": 0}, "count: needed a finite number above 0"),
        ({"second_moment": -1.0}, "second_moment: needed a finite number above 0"),
        ({"second_moment": np.inf}, "second_moment: needed a finite number above 0"),
    ],
)
def test_dipolar_refuses_what_cannot_be(changes, words):
    with pytest.raises(nd.InputError, match=words):
        nd.Dipolar(**{"nucleus": "11B", "partner": "1H"} | changes)


@pytest.mark.parametrize(
    "mechanism",
    [
        quadrupolar(),
        nd.BPP(spin=3.5, cq=1e6, eta=0.0),
        borohydride(),
        nd.Dipolar(nucleus="1H", partner="1H", distance=2e-10),
        quadrupolar() + borohydride() + nd.Dipolar(nucleus="11B", partner="11B", distance=4e-10),
    ],
    ids=lambda mechanism: mechanism.label + str(mechanism.spin),
)
def test_t1_t2_and_t1rho_are_equal_in_extreme_narrowing_and_differ_beyond(mechanism):
    # The largest omega tau is 1e-7; the three differ by its square.
    rates = [
        mechanism.rate(1e-16, 1e8),
        mechanism.rate_t2(1e-16, 1e8),
        mechanism.rate_t1rho(1e-16, 1e8, nutation_frequency=5e4),
    ]
    np.testing.assert_allclose(rates, rates[0], rtol=1e-12)
    slow = 1e-5
    assert mechanism.rate(slow, 1e8) < mechanism.rate_t1rho(slow, 1e8, nutation_frequency=5e4)
    assert mechanism.rate_t1rho(slow, 1e8, nutation_frequency=5e4) < mechanism.rate_t2(slow, 1e8)


@pytest.mark.parametrize("tau", [1e-12, 2e-9, 1e-5])
def test_transverse_signal_of_a_spin_three_half_has_the_two_components_of_hubbard(tau):
    # Hubbard, J. Chem. Phys. 53 (1970) 985: 60 % (satellites) with J0 + J1, 40 % (centre) with J1 + J2.
    j0, j1, j2 = (debye(k * OMEGA, tau) for k in range(3))
    strength = np.pi**2 / 5 * 0.1e6**2 * (1 + 0.16 / 3)
    expected = strength * (0.6 * (j0 + j1) + 0.4 * (j1 + j2))
    assert quadrupolar().rate_t2(tau, LARMOR) == pytest.approx(expected, rel=1e-13, abs=0)


@pytest.mark.parametrize("mechanism", [quadrupolar(), borohydride(), quadrupolar() + borohydride()], ids=repr)
def test_spin_lock_ends_as_t2_where_it_ends(mechanism):
    tau = np.array([1e-11, 1e-9, 1e-6, 1e-4])
    weak = mechanism.rate_t1rho(tau, LARMOR, nutation_frequency=1e-4)  # (omega1 tau)^2 is 4e-15 at most
    np.testing.assert_allclose(weak, mechanism.rate_t2(tau, LARMOR), rtol=1e-13)
    np.testing.assert_array_equal(
        mechanism.rate_t1rho(tau, LARMOR, nutation_frequency=0.0), mechanism.rate_t2(tau, LARMOR)
    )


@pytest.mark.parametrize(
    ("mechanism", "x"),
    [
        (quadrupolar(), 0.5),  # J(2 omega1)
        (nd.Dipolar(nucleus="1H", partner="1H", distance=2e-10), 0.5),
        (borohydride(), 1.0),  # J(omega1): only one of the spins is locked
    ],
    ids=["quadrupolar", "like", "unlike"],
)
def test_t1rho_minimum_is_set_by_the_lock(mechanism, x):
    # The terms at the Larmor frequency move it by some (omega1 / omega0)^2, here 4e-10.
    lock = 10e3
    found = minimize_scalar(
        lambda ln_tau: -np.log(mechanism.rate_t1rho(np.exp(ln_tau), 500e6, nutation_frequency=lock)),
        bracket=np.log([1e-6, 1e-5, 1e-3]),
        options={"xtol": 1e-9},
    )
    assert 2 * np.pi * lock * np.exp(found.x) == pytest.approx(x, rel=1e-6, abs=0)


@pytest.mark.parametrize("spectral_density", [ColeDavidson(0.5), BetaBPP(1.6), TwoProcess(s2=0.8, ratio=0.01)])
def test_a_spectral_density_enters_at_its_frequencies(spectral_density):
    j0, lock, j1, j2 = (spectral_density.evaluate(omega, 2e-9) for omega in (0.0, 4 * np.pi * 5e6, OMEGA, 2 * OMEGA))
    k = 2 * np.pi**2 / 25 * 0.1e6**2 * (1 + 0.16 / 3)
    mechanism = quadrupolar(spectral_density=spectral_density)
    assert mechanism.rate(2e-9, LARMOR) == pytest.approx(k * (j1 + 4 * j2), rel=1e-13, abs=0)
    assert mechanism.rate_t2(2e-9, LARMOR) == pytest.approx(k / 2 * (3 * j0 + 5 * j1 + 2 * j2), rel=1e-13, abs=0)
    found = mechanism.rate_t1rho(2e-9, LARMOR, nutation_frequency=5e6)
    assert found == pytest.approx(k / 2 * (3 * lock + 5 * j1 + 2 * j2), rel=1e-13, abs=0)
    like = nd.Dipolar(nucleus="11B", partner="11B", second_moment=1e9, spectral_density=spectral_density)
    assert like.rate(2e-9, LARMOR) == pytest.approx(2 / 3 * 1e9 * (j1 + 4 * j2), rel=1e-13, abs=0)


def test_a_restricted_motion_sees_a_part_of_the_coupling():
    tau = np.array([1e-12, 1e-9, 1e-6])
    full, part = quadrupolar(), quadrupolar(fluctuating=0.5898)
    for name in ("rate", "rate_t2", "transition_rates"):
        whole = np.asarray(getattr(full, name)(tau, LARMOR))
        np.testing.assert_allclose(getattr(part, name)(tau, LARMOR), 0.5898 * whole, rtol=1e-14)
    assert part.t1_minimum(LARMOR) == pytest.approx(full.t1_minimum(LARMOR) / 0.5898, rel=1e-12, abs=0)
    for impossible in (0.0, 1.01, np.nan):
        with pytest.raises(nd.InputError, match="fluctuating fraction: needed a finite number above 0 and up to 1"):
            quadrupolar(fluctuating=impossible)


def test_a_coupling_may_follow_the_temperature():
    law = LinearCoupling(value=1.0e5, slope=-50.0, reference=300.0)
    mechanism = quadrupolar(cq=law)
    assert mechanism.at(340.0) == quadrupolar(cq=0.98e5)
    kelvin = np.array([300.0, 320.0, 340.0])
    several = [quadrupolar(cq=cq).rate(1e-6, LARMOR) for cq in (1.0e5, 0.99e5, 0.98e5)]
    np.testing.assert_allclose(mechanism.at(kelvin).rate(1e-6, LARMOR), several, rtol=1e-14)
    assert (mechanism + borohydride()).at(340.0) == quadrupolar(cq=0.98e5) + borohydride()
    assert quadrupolar().at(340.0) == quadrupolar()
    assert set(mechanism.quantities) == {"eta"}
    for use in (
        lambda: mechanism.rate(1e-6, LARMOR),
        lambda: mechanism.rate_t2(1e-6, LARMOR),
        lambda: mechanism.t1_minimum(LARMOR),
        lambda: (mechanism + borohydride()).correlation_times(1.0, LARMOR),
    ):
        with pytest.raises(nd.InputError, match=r"needed a temperature .*at\(temperature\)"):
            use()


def three_mechanisms():
    return quadrupolar(), borohydride(), nd.Background(r1=2e-3)


def test_rates_of_a_sum_add_up():
    first, second, third = three_mechanisms()
    total, tau = first + second + third, np.array([1e-12, 1e-9, 1e-6])
    np.testing.assert_allclose(
        total.rate(tau, LARMOR), first.rate(tau, LARMOR) + second.rate(tau, LARMOR) + 2e-3, rtol=1e-14
    )
    w1, w2, w = total.transition_rates(tau, LARMOR)
    np.testing.assert_array_equal((w1, w2), first.transition_rates(tau, LARMOR)[:2])
    np.testing.assert_allclose(w, (second.rate(tau, LARMOR) + 2e-3) / 2, rtol=1e-14)
    pair = first + second
    np.testing.assert_allclose(
        pair.rate_t2(tau, LARMOR), first.rate_t2(tau, LARMOR) + second.rate_t2(tau, LARMOR), rtol=1e-14
    )
    locked = [m.rate_t1rho(tau, LARMOR, nutation_frequency=3e4) for m in (pair, first, second)]
    np.testing.assert_allclose(locked[0], locked[1] + locked[2], rtol=1e-14)


def test_shares_of_a_sum_are_named_and_add_up_to_one():
    total, tau = sum(three_mechanisms()[1:], start=three_mechanisms()[0]), np.array([1e-12, 1e-9, 1e-6])
    shares = total.shares(tau, LARMOR)
    assert list(shares) == ["quadrupolar", "dipolar 1H", "background"]
    np.testing.assert_allclose(sum(shares.values()), 1, rtol=1e-14)
    np.testing.assert_allclose(shares["background"], 2e-3 / total.rate(tau, LARMOR), rtol=1e-14)
    assert borohydride().shares(1e-6, LARMOR) == {"dipolar 1H": 1.0}


def test_sums_are_associative_and_flat():
    a, b, c = three_mechanisms()
    assert (a + b) + c == a + (b + c) == nd.MechanismSum((a, b, c))
    assert ((a + b) + c).parts == (a, b, c)
    assert a.parts == (a,)
    assert repr(a + b + c) == f"{a!r} + {b!r} + {c!r}"
    assert (a + b) == (quadrupolar() + borohydride())
    assert (a + b) != (a + borohydride(1.22e-10))


def test_a_sum_knows_its_nucleus_and_spin():
    a, b, c = three_mechanisms()
    for total in (a + b + c, c + b, nd.BPP(spin=1.5, cq=1e5, eta=0.0) + b):
        assert (total.nucleus, total.spin) == ("11B", 1.5)
    unnamed = nd.BPP(spin=1.5, cq=1e5, eta=0.0) + c
    assert (unnamed.nucleus, unnamed.spin) == (None, 1.5)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (nd.Dipolar(nucleus="23Na", partner="1H", distance=2e-10), "one nucleus, found 11B and 23Na"),
        (nd.BPP(spin=2.5, cq=1e5, eta=0.0), "one spin, found 1.5 and 2.5"),
        (nd.BPP(spin=1.5, cq=1e5, eta=0.0), "different ones, found quadrupolar, (background, )?quadrupolar"),
        (quadrupolar(cq=0.2e6), "different ones, found quadrupolar, (background, )?quadrupolar"),
    ],
)
def test_a_sum_refuses_what_does_not_belong_together(other, words):
    with pytest.raises(nd.InputError, match=words):
        quadrupolar() + other
    with pytest.raises(nd.InputError, match=words):
        (quadrupolar() + nd.Background(r1=1.0)) + other


def test_values_of_a_sum_reach_the_part_they_belong_to():
    a, b, c = three_mechanisms()
    total = a + b + c
    assert set(total.quantities) == {"cq", "eta", "distance", "r1"}
    changed = total.with_values(cq=0.2e6, distance=1.22e-10, r1=1e-4)
    assert changed == quadrupolar(cq=0.2e6) + borohydride(1.22e-10) + nd.Background(r1=1e-4)
    assert total == a + b + c
    many = total.with_values(distance=np.array([1.2e-10, 1.3e-10])).rate(1e-6, LARMOR)
    np.testing.assert_allclose(many, [total.with_values(distance=r).rate(1e-6, LARMOR) for r in (1.2e-10, 1.3e-10)])


def test_a_name_that_two_parts_share_belongs_to_neither():
    total = quadrupolar() + borohydride() + nd.Dipolar(nucleus="11B", partner="23Na", distance=3e-10)
    assert set(total.quantities) == {"cq", "eta"}
    for name in ("distance", "nonsense"):
        with pytest.raises(nd.InputError, match=name):
            total.with_values(**{name: 1.5e-10})


@pytest.mark.parametrize(("t1", "rest"), [(0.03, borohydride()), (0.084, nd.Background(r1=1e-3))])
def test_coupling_needed_of_a_sum_puts_t1_on_the_minimum(t1, rest):
    total = quadrupolar() + rest
    assert total.t1_minimum(LARMOR) > t1
    needed = total.coupling_needed(t1, LARMOR)
    assert needed > 0.1e6
    assert total.with_values(cq=needed).t1_minimum(LARMOR) == pytest.approx(t1, rel=1e-12, abs=0)


def test_coupling_needed_is_none_where_the_rest_suffices_or_no_part_has_one():
    total = quadrupolar() + borohydride()
    needed = total.coupling_needed([0.03, 0.07, 10.0], [LARMOR])
    assert needed[0] > 0.1e6
    np.testing.assert_array_equal(needed[1:], 0)  # the dipolar minimum is 61.7 ms
    assert (quadrupolar() + nd.Background(r1=1e-3)).coupling_needed(2000.0, LARMOR) == 0
    rest = (borohydride() + nd.Background(r1=1e-3)).coupling_needed([[0.03], [0.07]], [LARMOR, 1e8])
    assert rest.shape == (2, 2)
    assert np.all(np.isnan(rest))


def test_background_adds_a_constant_and_limits_t1():
    total = quadrupolar() + nd.Background(r1=1e-3)
    tau = np.array([1e-30, 1e-12, 1e-9, 1e-6, 1e6])
    np.testing.assert_allclose(total.rate(tau, LARMOR), quadrupolar().rate(tau, LARMOR) + 1e-3, rtol=1e-14)
    fast, slow = total.correlation_times([0.01, 0.1, 990.0, 999.0, 1000.0, 1001.0, np.inf, np.nan], LARMOR)
    np.testing.assert_array_equal(np.isfinite(fast), [False, True, True, True, False, False, False, False])
    np.testing.assert_array_equal(np.isfinite(slow), np.isfinite(fast))
    # What is left of 1/T1 is the motion's: far from the minimum tau = R/(5 K), and 2K/(omega0^2 R).
    k = 2 * np.pi**2 / 25 * 0.1e6**2 * (1 + 0.16 / 3)
    left = 1 / 990.0 - 1e-3
    assert fast[2] == pytest.approx(left / (5 * k), rel=1e-10, abs=0)
    assert slow[2] == pytest.approx(2 * k / (OMEGA**2 * left), rel=1e-10, abs=0)
    assert nd.Background(r1=0.0).rate(1e-9, LARMOR) == 0
    assert nd.Background(r1=np.array([1.0, 2.0])).rate([[1e-9], [1e-6], [1e-3]], LARMOR).shape == (3, 2)


def test_background_alone_tells_nothing_of_motion():
    alone = nd.Background(r1=0.1)
    assert (alone.nucleus, alone.spin) == (None, None)
    for use in (lambda: alone.correlation_times(10.0, LARMOR), lambda: alone.t1_minimum(LARMOR)):
        with pytest.raises(nd.InputError, match="a minimum in tau_c, found none"):
            use()
    for mechanism in (alone, quadrupolar() + alone):
        with pytest.raises(nd.InputError, match="leave it out"):
            mechanism.rate_t2(1e-9, LARMOR)
        with pytest.raises(nd.InputError, match="leave it out"):
            mechanism.rate_t1rho(1e-9, LARMOR, nutation_frequency=1e4)
    for impossible in (-1e-3, np.nan, np.inf, np.array([1.0, -1.0])):
        with pytest.raises(nd.InputError, match=r"r1 in s.-1: needed a finite number from 0"):
            nd.Background(r1=impossible)


@pytest.mark.parametrize("tau", [1e-12, 1e-9, 1e-6])
@pytest.mark.parametrize(("nucleus", "spin"), [("14N", 1.0), ("11B", 1.5), ("27Al", 2.5), ("10B", 3.0)])
def test_populations_under_several_mechanisms_start_with_the_rate(nucleus, spin, tau):
    mechanism = (
        nd.BPP(nucleus=nucleus, cq=0.1e6, eta=0.4)
        + nd.Dipolar(nucleus=nucleus, partner="1H", distance=1.2e-10, count=4)
        + nd.Background(r1=2e-3)
    )
    model = nd.PopulationRecovery(spin=spin, interaction="mixed", initial="all_sat", observed="total")
    rates = dict(zip(("w1", "w2", "w"), mechanism.transition_rates(tau, LARMOR), strict=True))
    rate = mechanism.rate(tau, LARMOR)
    # The curvature is at most some 10 rate^2; rounding of 1 is 1e-16 over 1e-6.
    assert model.evaluate(1e-6 / rate, **rates) / 1e-6 == pytest.approx(rate / rate, rel=1e-5, abs=0)
    constants, amplitudes = model.exponentials(**rates)
    assert constants @ amplitudes == pytest.approx(rate, rel=1e-12, abs=0)


@pytest.mark.parametrize("g", [0.05, 0.3, 0.8, 1.2, 1.4])
def test_correlation_times_are_the_roots_of_the_quartic(g):
    # x/(1 + x^2) + 4x/(1 + 4x^2) = g, cleared of its denominators.
    roots = np.roots([4 * g, -8, 5 * g, -5, g])
    expected = np.sort(roots[np.abs(roots.imag) < 1e-9].real) / OMEGA
    k = 2 * np.pi**2 / 25 * 0.1e6**2 * (1 + 0.16 / 3)
    found = quadrupolar().correlation_times(OMEGA / (k * g), LARMOR)
    np.testing.assert_allclose(found, expected, rtol=1e-12)  # g = 1.4 amplifies rounding by 6


DENSITIES = [
    Debye(),
    BetaBPP(1.2),
    BetaBPP(1.7),
    ColeCole(0.5),
    ColeDavidson(0.3),
    HavriliakNegami(0.8, 0.6),
    KWW(0.6),
    LogNormal(2.0),
    Richards2D(),
    LipariSzabo(s2=0.8, tau_e=2e-12),
    TwoProcess(s2=0.8, ratio=0.2),
]


def assert_round_trip(mechanism, larmor, ln_x):
    tau = np.exp(ln_x) / (2 * np.pi * larmor)
    amplified = abs(float(mechanism.sensitivity(tau, larmor)))
    # Near a minimum, and where a rate that does not depend on tau_c governs, a float cannot tell tau_c.
    assume(amplified < 1e4)
    turn = mechanism.turning_point(larmor)[0]
    fast, slow = mechanism.correlation_times(1 / mechanism.rate(tau, larmor), larmor)
    assert (slow if tau > turn else fast) == pytest.approx(tau, rel=1e-13 * (1 + 10 * amplified), abs=0)
    assert not fast >= turn
    assert not slow <= turn


@settings(deadline=None, max_examples=80)
@given(density=st.sampled_from(DENSITIES), log_larmor=st.floats(6.5, 9.2), ln_x=st.floats(-15, 15))
def test_round_trips_with_every_spectral_density(density, log_larmor, ln_x):
    assert_round_trip(quadrupolar(spectral_density=density), 10**log_larmor, ln_x)


@settings(deadline=None, max_examples=80)
@given(
    log_cq=st.floats(4, 7),
    log_distance=st.floats(-10, -9.3),
    log_r1=st.one_of(st.none(), st.floats(-6, 0)),
    log_larmor=st.floats(6.5, 9.2),
    ln_x=st.floats(-15, 15),
)
def test_round_trips_with_sums(log_cq, log_distance, log_r1, log_larmor, ln_x):
    mechanism = quadrupolar(cq=10**log_cq) + borohydride(10**log_distance)
    if log_r1 is not None:
        mechanism = mechanism + nd.Background(r1=10**log_r1)
    assert_round_trip(mechanism, 10**log_larmor, ln_x)


@pytest.mark.parametrize(
    ("density", "x"),
    [
        (Debye(), X_MINIMUM),
        # Solutions of d ln(J(omega) + 4 J(2 omega)) / d ln(tau) = 0, four digits.
        (BetaBPP(1.6), 0.8750),
        (ColeDavidson(0.5), 1.124),
        (ColeCole(0.7), 0.626),
        (Richards2D(), 0.307),
    ],
)
def test_t1_minimum_lies_where_the_spectral_density_has_it(density, x):
    mechanism = quadrupolar(spectral_density=density)
    assert mechanism.turning_point(LARMOR)[0] * OMEGA == pytest.approx(x, rel=1e-3, abs=0)
    ln_x = np.linspace(-3, 3, 6001)
    rate = mechanism.rate(np.exp(ln_x) / OMEGA, LARMOR)
    # The nearest point of the scan is 5e-4 away: 1e-7 of the value, by the curvature.
    assert mechanism.t1_minimum(LARMOR) == pytest.approx(1 / rate.max(), rel=3e-7, abs=0)


def scanned_roots(mechanism, t1):
    """Every root by brute force: changes of sign on a fine grid of ln(tau), each refined."""

    def excess(ln_tau):
        return np.log(mechanism.rate(np.exp(ln_tau), LARMOR) * t1)

    grid = -np.log(OMEGA) + np.arange(-30, 30, 1.37e-3)
    at = np.flatnonzero(np.diff(np.sign(excess(grid))))
    return np.exp([brentq(excess, grid[i], grid[i + 1], xtol=1e-13) for i in at])


def test_two_minima_are_refused_by_name_and_give_up_to_four_solutions():
    mechanism = quadrupolar(spectral_density=TwoProcess(s2=0.5, ratio=1e-3))
    # Far apart, the motions have a minimum each where their own omega tau is 0.6158 (the other shifts it by some 1e-2).
    grid = -np.log(OMEGA) + np.arange(-5, 12, 1e-3)
    t1 = 1 / mechanism.rate(np.exp(grid), LARMOR)
    inner = np.flatnonzero((t1[1:-1] < t1[:-2]) & (t1[1:-1] < t1[2:])) + 1
    assert np.exp(grid[inner]) * OMEGA == pytest.approx([X_MINIMUM, 1e3 * X_MINIMUM], rel=1e-2)
    between = t1[inner[0] : inner[1]].max()
    places = ", ".join(f"{tau:.2g}" for tau in np.exp(grid[inner]))
    for use in (lambda: mechanism.correlation_times(1.0, LARMOR), lambda: mechanism.turning_point(LARMOR)):
        with pytest.raises(nd.InputError, match=rf"found 2 \(tau_c = {places} s\).*all_correlation_times"):
            use()
    low, high = np.sort(t1[inner])
    for value, count in (
        (0.9 * low, 0),
        ((low + high) / 2, 2),
        (2 * high, 4),
        (between * 0.999, 4),
        (1.1 * between, 2),
    ):
        found, expected = mechanism.all_correlation_times(value, LARMOR), scanned_roots(mechanism, value)
        assert found.shape == (count,)
        np.testing.assert_allclose(found, expected, rtol=1e-10)
        np.testing.assert_allclose(1 / mechanism.rate(found, LARMOR), value, rtol=1e-13)


@pytest.mark.parametrize(("ratio", "count"), [(0.11, 2), (0.13, 1)])
def test_minima_that_nearly_merge_are_told_apart(ratio, count):
    # At s2 = 1/2 the two minima of T1 merge where tau_fast/tau_slow is 0.124; at 0.11 the shallower one
    # is 0.7 % deep. The scan is a hundred times finer than the search.
    mechanism = quadrupolar(spectral_density=TwoProcess(s2=0.5, ratio=ratio))
    t1 = 1 / mechanism.rate(np.exp(np.arange(-5, 10, 5e-4)) / OMEGA, LARMOR)
    assert np.sum((t1[1:-1] < t1[:-2]) & (t1[1:-1] < t1[2:])) == count
    if count == 1:
        assert mechanism.t1_minimum(LARMOR) == pytest.approx(t1.min(), rel=1e-7, abs=0)
    else:
        with pytest.raises(nd.InputError, match="found 2"):
            mechanism.t1_minimum(LARMOR)


def test_all_solutions_of_one_minimum_are_both_branches():
    for mechanism in (quadrupolar(), quadrupolar() + borohydride()):
        for t1 in (0.01, 0.1, 61.13):
            pairs = np.array(mechanism.correlation_times(t1, LARMOR))
            expected = pairs[np.isfinite(pairs)]
            np.testing.assert_allclose(mechanism.all_correlation_times(t1, LARMOR), expected, rtol=1e-13)
    floor = quadrupolar(spectral_density=LipariSzabo(s2=0.9, tau_e=1e-12))
    assert floor.all_correlation_times(1e4, LARMOR).shape == (1,)


def test_turning_points_come_in_the_order_and_shape_of_the_frequencies():
    mechanism = quadrupolar() + borohydride()
    larmor = np.array([[300e6, 100e6, 200e6], [100e6, 50e6, 300e6]])
    tau, t1 = mechanism.turning_point(larmor)
    each = np.array([mechanism.turning_point(one) for one in larmor.ravel()])
    np.testing.assert_array_equal(tau, each[:, 0].reshape(2, 3))
    np.testing.assert_array_equal(t1, each[:, 1].reshape(2, 3))
    assert np.all(np.argsort(t1.ravel(), kind="stable") == np.argsort(larmor.ravel(), kind="stable"))
    assert mechanism.turning_point(1e8)[0].shape == ()
    assert mechanism.turning_point(np.array([]))[1].shape == (0,)


def test_correlation_times_broadcast_like_their_arguments():
    mechanism, t1, larmor = quadrupolar() + borohydride(), np.array([[1.0], [0.01], [9.0]]), np.array([LARMOR, 1e8])
    fast, slow = mechanism.correlation_times(t1, larmor)
    assert fast.shape == slow.shape == (3, 2)
    for i in range(3):
        for k in range(2):
            expected = mechanism.correlation_times(t1[i, 0], larmor[k])
            np.testing.assert_array_equal((fast[i, k], slow[i, k]), expected)
    assert np.all(np.isnan(fast[1]))


def test_a_rate_without_a_maximum_cannot_be_inverted():
    # J = tau/(1 + omega tau) grows to 1/omega and stays there.
    mechanism = quadrupolar(spectral_density=BetaBPP(1.0))
    for use in (lambda: mechanism.correlation_times(1.0, LARMOR), lambda: mechanism.t1_minimum(LARMOR)):
        with pytest.raises(nd.InputError, match="a minimum in tau_c, found none"):
            use()
    x, k = 0.5, 2 * np.pi**2 / 25 * 0.1e6**2 * (1 + 0.16 / 3)
    t1 = OMEGA / (k * (x / (1 + x) + 4 * x / (1 + 2 * x)))
    np.testing.assert_allclose(mechanism.all_correlation_times(t1, LARMOR), [x / OMEGA], rtol=1e-13)


def test_a_fast_internal_motion_ends_the_slow_branch_only():
    # Where the global motion is frozen, T1 is that of the internal one: closed form.
    mechanism = quadrupolar(spectral_density=LipariSzabo(s2=0.9, tau_e=1e-12))
    k = 2 * np.pi**2 / 25 * 0.1e6**2 * (1 + 0.16 / 3)
    longest = 1 / (k * 0.1 * (debye(OMEGA, 1e-12) + 4 * debye(2 * OMEGA, 1e-12)))
    fast, slow = mechanism.correlation_times(longest * np.array([0.99, 1.01]), LARMOR)
    assert np.all(np.isfinite(fast))
    np.testing.assert_array_equal(np.isfinite(slow), [True, False])


@pytest.mark.parametrize(
    ("mechanism", "words"),
    [
        (quadrupolar(cq=np.array([1e5, 2e5])) + borohydride(), "one cq"),
        (quadrupolar() + borohydride().with_values(distance=np.array([1e-10, 2e-10])), "one distance"),
        (quadrupolar(spectral_density=ColeDavidson(np.array([0.5, 0.6]))), "one beta"),
    ],
)
def test_inversion_refuses_arrays_of_parameters(mechanism, words):
    assert mechanism.rate(1e-6, LARMOR).shape == (2,)
    for use in (
        lambda: mechanism.correlation_times(1.0, LARMOR),
        lambda: mechanism.all_correlation_times(1.0, LARMOR),
        lambda: mechanism.t1_minimum(LARMOR),
    ):
        with pytest.raises(nd.InputError, match=words):
            use()


def relaxation_of(t1, relative, temperature=300.0):
    """T1 of 11B at `LARMOR` with one relative standard error."""
    t1, n = np.array(t1), len(t1)
    coords = {
        "experiment": [str(i + 1) for i in range(n)],
        "temperature": ("experiment", np.broadcast_to(temperature, n)),
        "temperature_stderr": ("experiment", np.ones(n)),
        "larmor_frequency": ("experiment", np.full(n, LARMOR)),
    }
    data = xr.Dataset({"t1": ("experiment", t1), "t1_stderr": ("experiment", relative * t1)}, coords=coords)
    return stamp(data, "relaxation", nucleus="11B")


def test_motion_of_a_sum_tells_who_relaxes_how_much():
    mechanism = quadrupolar() + borohydride()
    motion = nd.correlation_time(relaxation_of([22.7, 0.03], 0.01), mechanism)
    assert motion.rate_share.dims == ("experiment", "branch", "part")
    assert list(motion.part.values) == ["quadrupolar", "dipolar 1H"]
    share = motion.rate_share.sel(experiment="1", part="dipolar 1H").values
    # 1.69/2.69 where both are slow; 5 M2/(5 M2 + 5 K) where both are fast.
    k = 2 * np.pi**2 / 25 * 0.1e6**2 * (1 + 0.16 / 3)
    assert share == pytest.approx([borohydride().moment / (borohydride().moment + k), 1.69 / 2.69], rel=2e-3)
    assert np.all(np.isnan(motion.rate_share.sel(experiment="2")))
    assert list(motion.feasible.values) == [True, False]


@pytest.mark.parametrize("t1", [0.2, 61.13])
@pytest.mark.parametrize("mechanism", [quadrupolar(), quadrupolar() + borohydride()], ids=["one", "two"])
def test_standard_error_of_tau_c_is_that_of_normally_distributed_t1(mechanism, t1):
    # Mean and variance over the normal distribution by 15-point quadrature; at 1 % the curvature of ln(tau_c) against
    # ln(T1) adds some 1e-3 of the standard error at 0.2 s, where |d ln tau_c/d ln T1| is still 1.1 and more.
    node, weight = np.polynomial.hermite_e.hermegauss(15)
    weight = weight / weight.sum()
    motion = nd.correlation_time(relaxation_of([t1], 0.01), mechanism)
    for branch, tau in zip(("fast", "slow"), mechanism.correlation_times(t1 * (1 + 0.01 * node), LARMOR), strict=True):
        spread = np.sqrt(weight @ (tau - weight @ tau) ** 2)
        assert motion.tau_c_stderr.sel(branch=branch).item() == pytest.approx(spread, rel=2e-3, abs=0)


def test_no_linear_standard_error_where_a_constant_rate_ends_both_branches():
    # 1/r1 = 1000 s, the minimum is 85.07 ms; 3 sigma of 1 % are 3 %.
    mechanism = quadrupolar() + nd.Background(r1=1e-3)
    motion = nd.correlation_time(relaxation_of([960.0, 985.0, 1001.0, 0.086, 0.084, 0.080], 0.01), mechanism)
    for branch in ("fast", "slow"):
        on = motion.sel(branch=branch)
        np.testing.assert_array_equal(np.isfinite(on.tau_c), [True, True, False, True, False, False])
        np.testing.assert_array_equal(np.isfinite(on.tau_c_stderr), [True, False, False, False, False, False])
    np.testing.assert_array_equal(motion.feasible, [True, True, True, True, False, False])
    np.testing.assert_array_equal(motion.near_minimum, [False, False, False, True, True, False])
    # At 960 s 4 % of the rate is the motion's: tau_c changes by 25 % with 1 % of T1.
    np.testing.assert_allclose(motion.tau_c_stderr[0] / motion.tau_c[0], 0.01 / 0.04, rtol=1e-6)
    expected = (
        "",
        "longest T1",
        "longer than this mechanism allows",
        "within three standard errors of the T1 minimum",
        "by less than three standard errors",
        "is below the shortest this mechanism allows, 0.0851 s",
    )
    assert [words in reason for words, reason in zip(expected, motion.reason.values, strict=True)] == [True] * 6
    assert motion.reason.values[0] == ""


def test_no_linear_standard_error_where_an_internal_motion_ends_the_slow_branch():
    mechanism = quadrupolar(spectral_density=LipariSzabo(s2=0.9, tau_e=1e-12))
    longest = 1 / mechanism.rate(1e12, LARMOR)
    motion = nd.correlation_time(relaxation_of(longest * np.array([0.9, 0.98, 1.01]), 0.01), mechanism)
    np.testing.assert_array_equal(np.isfinite(motion.tau_c), [[True, True], [True, True], [True, False]])
    np.testing.assert_array_equal(np.isfinite(motion.tau_c_stderr), [[True, True], [True, False], [True, False]])
    assert motion.reason.values[0] == ""
    assert "longest T1 on the slow branch" in motion.reason.values[1]
    assert "longer than this mechanism allows on the slow branch" in motion.reason.values[2]


def test_motion_takes_the_coupling_at_the_temperature_of_each_experiment():
    law, kelvin = LinearCoupling(value=1.0e5, slope=-50.0, reference=300.0), [300.0, 340.0, np.nan]
    relaxation = relaxation_of([61.13, 61.13, 61.13], 0.01, kelvin)
    motion = nd.correlation_time(relaxation, quadrupolar(cq=law) + borohydride())
    for i, cq in enumerate((1.0e5, 0.98e5)):
        expected = (quadrupolar(cq=cq) + borohydride()).correlation_times(61.13, LARMOR)
        np.testing.assert_allclose(motion.tau_c[i], expected, rtol=1e-13)
    assert np.all(np.isnan(motion.tau_c[2]))
    assert "no temperature" in motion.reason.values[2]


def test_motion_refuses_a_mechanism_with_two_minima():
    mechanism = quadrupolar(spectral_density=TwoProcess(s2=0.5, ratio=1e-3))
    with pytest.raises(nd.InputError, match="found 2"):
        nd.correlation_time(relaxation_of([1.0], 0.01), mechanism)
