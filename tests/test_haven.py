"""The Haven ratio from posteriors made by hand, whose ratio is known, and the figures of it.

Energies are in eV, times in s, temperatures in K. Formulas here are written anew, not taken from the package.
"""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import nmrdyn as nd
from nmrdyn.findings import attached
from nmrdyn.haven import haven_ratio
from nmrdyn.plot.haven import haven as plot_haven
from nmrdyn.plot.haven import haven_ratio as plot_haven_ratio
from nmrdyn.schema import stamp
from nmrdyn.transport import Carriers, diffusion_conductivity, jump_diffusion, nernst_einstein, residence_time

K = 8.617333262e-5  # eV/K, CODATA 2018
E = 1.602176634e-19  # C, exact
QUANTILES = [0.025, 0.16, 0.5, 0.84, 0.975]
SODIUM = {"charge": 1, "ions_per_cell": 2, "lattice_constant": 4.70e-10, "jump_distance": 4.70e-10 / 2**0.5}
SODIUM |= {"dimensions": 3, "correlation_factor": 1.0}
ONE = Carriers(**SODIUM, correlation_times_per_jump=1.0)


def conditions(kelvin):
    n = len(kelvin)
    coords = {"experiment": [str(k + 1) for k in range(n)], "temperature": ("experiment", np.asarray(kelvin, float))}
    return coords | {"temperature_stderr": ("experiment", np.full(n, np.nan))}


def jumps(kelvin, tau=None, error=0.1):
    """A process of correlation times."""
    tau = np.full(len(kelvin), 1e-8) if tau is None else tau
    both = ("experiment", "branch")
    data = {"tau_c": (both, tau[:, None]), "tau_c_stderr": (both, error * tau[:, None])}
    data["feasible"] = ("experiment", np.ones(len(kelvin), dtype=bool))
    motion = stamp(xr.Dataset(data, coords=conditions(kelvin) | {"branch": ["slow"]}), "motion")
    return nd.Process("hop", motion, mechanism=nd.CorrelationTime())


def eis(kelvin, sigma=None, error=0.05, *, convention="sigma_T", part=None, law=None, **attrs):
    """A process of conductivities."""
    sigma = np.full(len(kelvin), 1e-2) if sigma is None else sigma
    data = {"conductivity": ("experiment", sigma), "conductivity_stderr": ("experiment", error * sigma)}
    coords = conditions(kelvin) | ({} if part is None else {"part": part})
    transport = stamp(xr.Dataset(data, coords=coords), "transport", **attrs)
    return nd.Process("eis", transport, mechanism=nd.Conductivity(convention), law=law or nd.Arrhenius())


def posterior_of(hop, conducting, draws, branch=None):
    """A posterior of both with these draws of "PROCESS.quantity", in two chains."""
    size = {np.size(value) for value in draws.values() if np.ndim(value)}.pop()
    values = {
        name: (("chain", "draw"), np.broadcast_to(np.asarray(value, dtype=float), size).reshape(2, -1).copy())
        for name, value in draws.items()
    }
    tree = xr.DataTree.from_dict(
        {
            "/posterior": xr.Dataset(values),
            "/processes/hop/motion": hop.data,
            "/processes/eis/transport": conducting.data,
        }
    )
    described = {"hop": {"branch": branch or {}}, "eis": {"branch": {}}}
    tree.attrs |= {"stage": "posterior", "passed": 1, "processes": json.dumps(described), "fixed": "{}"}
    return tree


def draws_at(kelvin, *, tau, sigma, barrier=0.55, barrier_sigma=None):
    """Draws of both laws with these tau_c and sigma (draw,) at one temperature."""
    barrier_sigma = barrier if barrier_sigma is None else barrier_sigma
    return {
        "hop.activation_energy": barrier,
        "hop.log10_tau0": np.log10(tau) - barrier / (K * kelvin * np.log(10)),
        "eis.activation_energy": barrier_sigma,
        "eis.log10_prefactor": np.log10(sigma * kelvin) + barrier_sigma / (K * kelvin * np.log(10)),
    }


def sigma_of(tau_res, kelvin, *, a=4.70e-10, jump=4.70e-10 / 2**0.5, ions=2, d=3, f=1.0, q=1):
    """n q^2 D*/kT with n = ions/a^3 and D* = f jump^2/(2 d tau_res), in SI."""
    return ions / a**3 * (q * E) ** 2 * f * jump**2 / (2 * d * tau_res) / (1.380649e-23 * kelvin)


ROOM = np.array([300.0, 320.0, 340.0])


def at(kelvin, tau, sigma, carriers=ONE, *, hop=None, conducting=None, **kwargs):
    """The Haven ratio at one temperature, of draws of tau_c and sigma there."""
    hop, conducting = hop or jumps(ROOM), conducting or eis(ROOM)
    tree = posterior_of(hop, conducting, draws_at(kelvin, tau=tau, sigma=sigma, **kwargs))
    return haven_ratio(tree, carriers, nmr=hop, conductivity=conducting, temperature=kelvin)


def test_sodium_antiperovskite_of_the_literature_has_a_haven_ratio_of_one_for_24_ns():
    # 7.56e-4 S/cm at 90 °C: Jiang et al. 2023; D_sigma = 7.7e-13 m^2/s and so tau_res = 2.4e-8 s for f = H_R = 1.
    found = at(363.15, np.full(8, 2.4e-8), np.full(8, 7.56e-2))
    assert found.haven_ratio.values == pytest.approx(1.0, abs=0.01)
    assert found.predicted.values == pytest.approx(sigma_of(2.4e-8, 363.15), rel=1e-6)
    assert found.measured.values == pytest.approx(7.56e-2, rel=1e-6)


def test_haven_ratio_of_the_residence_time_that_was_made_with_it():
    # An independently computed row: sigma, n, T, a, d = 3, H_R = 0.55, f = 0.6531 give tau_res = 2.7448926e-8 s.
    carriers = Carriers(
        charge=1, ions_per_cell=2, cell_volume=2 / 2.0e28, jump_distance=3.2e-10, dimensions=3,
        correlation_factor=0.6531, correlation_times_per_jump=1,
    )  # fmt: skip
    found = at(363.15, np.full(8, 2.7448926037564671e-8), np.full(8, 7.56e-2), carriers)
    assert found.haven_ratio.values == pytest.approx(0.55, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({"dimensions": 1}, 3.0),
        ({"dimensions": 2}, 1.5),
        ({"correlation_factor": 0.5}, 0.5),
        ({"charge": 2}, 4.0),
        ({"charge": -1}, 1.0),
        ({"ions_per_cell": 3}, 1.5),
        ({"jump_distance": 4.70e-10}, 2.0),
        ({"lattice_constant": 2 * 4.70e-10}, 1 / 8),
        ({"lattice_constant": None, "cell_volume": 2 * 4.70e-10**3}, 0.5),
        ({"correlation_times_per_jump": 2}, 0.5),
    ],
)
def test_each_number_of_the_carriers_enters_as_it_should(change, factor):
    tau, sigma = np.full(8, 1e-8), np.full(8, 1e-2)
    plain, changed = (
        at(320.0, tau, sigma, Carriers(**(SODIUM | {"correlation_times_per_jump": 1} | more))) for more in ({}, change)
    )
    np.testing.assert_allclose(changed.haven_ratio, factor * plain.haven_ratio, rtol=1e-12)
    np.testing.assert_allclose(changed.measured, plain.measured, rtol=1e-12)


def test_density_counts_all_mobile_ions_of_a_cell():
    assert ONE.density == pytest.approx(2 / 4.70e-10**3, rel=1e-12)
    believed = Carriers(**(SODIUM | {"lattice_constant": nd.Normal(4.70e-10, 1e-12)}))
    assert believed.density == pytest.approx(ONE.density, rel=1e-12)


# Quantiles of a standard normal distribution in two random orders, so that draws have known quantiles.
NORMAL = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
Z, Y = (np.random.default_rng(seed).permutation(NORMAL) for seed in (1, 2))


def reach(found):
    """Standard deviation of ln H_R by its 68 % interval."""
    low, high = np.log(found.haven_ratio.sel(quantile=[0.16, 0.84]).values.ravel())
    return (high - low) / (2 * stats.norm.ppf(0.84))


def test_errors_of_both_laws_and_of_the_cell_add_up():
    # Of 4000 draws the 68 % interval is known to 2.5 %.
    tau, sigma = 1e-8 * np.exp(0.3 * Z), 1e-2 * np.exp(0.2 * Y)
    assert reach(at(320.0, tau, sigma)) == pytest.approx(np.hypot(0.3, 0.2), rel=0.06)
    with_cell = at(320.0, tau, sigma, conducting=eis(ROOM, cell_stderr=0.5))
    assert reach(with_cell) == pytest.approx(np.sqrt(0.3**2 + 0.2**2 + 0.5**2), rel=0.06)
    assert with_cell.attrs["cell_stderr"] == 0.5
    spread = np.diff(np.log(with_cell.measured.sel(quantile=[0.16, 0.84]).values.ravel()))[0]
    assert spread / (2 * stats.norm.ppf(0.84)) == pytest.approx(np.hypot(0.2, 0.5), rel=0.06)
    # sigma alone, its quantiles being known exactly.
    known = 1e-2 * np.exp(0.2 * stats.norm.ppf(QUANTILES))
    np.testing.assert_allclose(at(320.0, tau, sigma).measured.values.ravel(), known, rtol=2e-3)


@pytest.mark.parametrize("unknown", [0.0, np.nan])
def test_a_cell_without_error_widens_nothing_and_is_remarked_on(unknown):
    found = at(320.0, 1e-8 * np.exp(0.3 * Z), np.full(4000, 1e-2), conducting=eis(ROOM, cell_stderr=unknown))
    assert reach(found) == pytest.approx(0.3, rel=2e-3)
    assert "no-cell-error" in {one.code for one in attached(found)}
    known = at(320.0, 1e-8 * np.exp(0.3 * Z), np.full(4000, 1e-2), conducting=eis(ROOM, cell_stderr=0.05))
    assert "no-cell-error" not in {one.code for one in attached(known)}


def test_errors_that_both_share_cancel_draw_by_draw():
    # A temperature that is too high makes tau_c short and sigma large by the same factor.
    found = at(320.0, 1e-8 * np.exp(-0.3 * Z), 1e-2 * np.exp(0.3 * Z))
    np.testing.assert_allclose(found.haven_ratio, sigma_of(1e-8, 320.0) / 1e-2, rtol=1e-6)
    assert np.ptp(np.log(found.predicted.values)) > 1


def test_unknown_jumps_per_correlation_time_are_flat_in_the_logarithm_between_one_and_two():
    found = at(320.0, np.full(4000, 1e-8), np.full(4000, 1e-2), Carriers(**SODIUM))
    wanted = sigma_of(1e-8, 320.0) / 1e-2 / 2.0 ** (1 - np.array(QUANTILES))
    np.testing.assert_allclose(found.haven_ratio.values.ravel(), wanted, rtol=0.02)


def test_priors_of_the_carriers_widen_the_ratio():
    carriers = Carriers(**(SODIUM | {"jump_distance": nd.Normal(3.32e-10, 0.166e-10)}), correlation_times_per_jump=1)
    found = at(320.0, np.full(4000, 1e-8), np.full(4000, 1e-2), carriers)
    assert reach(found) == pytest.approx(2 * 0.05, rel=0.06)  # it enters squared
    volume = Carriers(
        **(SODIUM | {"lattice_constant": None, "cell_volume": nd.Normal(1e-28, 1e-29)}), correlation_times_per_jump=1
    )
    assert reach(at(320.0, np.full(4000, 1e-8), np.full(4000, 1e-2), volume)) == pytest.approx(0.1, rel=0.08)


def test_draws_of_a_prior_stay_inside_what_is_possible():
    # A normal f of 0.9 ± 0.2 ends at 1, as one truncated there: its mean is 0.9 - 0.2 phi(0.5)/Phi(0.5), about 0.798.
    f = {"correlation_factor": nd.Normal(0.9, 0.2)}
    found = at(320.0, np.full(4000, 1e-8), np.full(4000, 1e-2), Carriers(**(SODIUM | f), correlation_times_per_jump=1))
    most = sigma_of(1e-8, 320.0) / 1e-2
    truncated = stats.truncnorm(-0.9 / 0.2, 0.5, loc=0.9, scale=0.2)
    np.testing.assert_allclose(found.haven_ratio.values.ravel(), most * truncated.ppf(QUANTILES), rtol=0.05)
    with pytest.raises(nd.InputError, match="prior of jump_distance above 0"):
        at(320.0, np.full(8, 1e-8), np.full(8, 1e-2), Carriers(**(SODIUM | {"jump_distance": nd.Uniform(-9.0, -1.0)})))


def test_both_conventions_of_a_conductivity_give_the_same_ratio_where_they_agree():
    draws = draws_at(320.0, tau=np.full(8, 1e-8), sigma=np.full(8, 1e-2))
    hop, other = jumps(ROOM), eis(ROOM, convention="sigma")
    draws["eis.log10_prefactor"] = np.log10(1e-2) + 0.55 / (K * 320 * np.log(10))  # of sigma, not of sigma T
    found = haven_ratio(posterior_of(hop, other, draws), ONE, nmr=hop, conductivity=other, temperature=[320.0, 340.0])
    assert found.measured.sel(quantile=0.5).values[0] == pytest.approx(1e-2, rel=1e-6)
    assert found.haven_ratio.sel(quantile=0.5).values[0] == pytest.approx(sigma_of(1e-8, 320.0) / 1e-2, rel=1e-6)
    rise = np.exp(0.55 / K * (1 / 320 - 1 / 340))
    assert found.measured.sel(quantile=0.5).values[1] == pytest.approx(1e-2 * rise, rel=1e-6)


def test_probability_below_one_is_a_share_of_the_draws():
    sigma = sigma_of(1e-8, 320.0)  # so that ln H_R = -ln(tau/1e-8)
    for shift in (-0.2, 0.0, 0.3):
        found = at(320.0, 1e-8 * np.exp(0.2 * Z + shift), np.full(4000, sigma))
        assert found.probability_below_one.item() == pytest.approx(stats.norm.cdf(shift / 0.2), abs=1e-3)


@pytest.mark.parametrize(
    ("ratio", "f", "one", "same_as_f"),
    [(1.0, 0.7815, 1, 0), (0.7815, 0.7815, 0, 1), (0.3, 0.7815, 0, 0), (1.0, 1.0, 1, 1)],
)
def test_ratio_is_held_against_one_and_against_the_correlation_factor(ratio, f, one, same_as_f):
    carriers = Carriers(**(SODIUM | {"correlation_factor": f}), correlation_times_per_jump=1)
    tau = 1e-8 * np.exp(0.05 * Z)  # 95 %: 10 %
    found = at(320.0, tau, np.full(4000, sigma_of(1e-8, 320.0, f=f) / ratio), carriers)
    assert (found.attrs["consistent_with_one"], found.attrs["consistent_with_f"]) == (one, same_as_f)


def test_both_branches_are_in_the_interval():
    tau = np.where(np.arange(4000) % 2 == 0, 1e-8, 1e-12)
    hop, conducting = jumps(ROOM), eis(ROOM, cell_stderr=0.01)
    tree = posterior_of(
        hop, conducting, draws_at(320.0, tau=tau, sigma=1e-2), {"fast": 0.5, "slow": 0.5, "crossing": 0.0}
    )
    found = haven_ratio(tree, ONE, nmr=hop, conductivity=conducting, temperature=320.0)
    low, high = found.haven_ratio.sel(quantile=[0.16, 0.84]).values.ravel()
    assert high / low == pytest.approx(1e4, rel=0.05)
    assert "haven-branch" in {one.code for one in attached(found)}


def codes(found):
    return {one.code for one in attached(found)}


def test_remarks_say_what_a_ratio_would_mean():
    one = sigma_of(1e-8, 320.0)
    exact, conducting = np.full(4000, 1e-8), eis(ROOM, cell_stderr=0.05, part="total")
    assert codes(at(320.0, exact, np.full(4000, one / 0.5), conducting=conducting)) == set()
    above = at(320.0, exact, np.full(4000, one / 30), conducting=conducting)
    assert codes(above) == {"haven-above-one"}
    assert "the Haven ratio is 30 (95 %: 27 to 33)" in attached(above)[0].text
    assert "(here: total)" in attached(above)[0].text
    below = at(320.0, exact, np.full(4000, one / 0.01), conducting=conducting)
    assert codes(below) == {"haven-far-below-one"}


def test_a_ratio_that_changes_with_temperature_is_remarked_on():
    # ln H_R rises by (E_eis - E_nmr) (1/kT_low - 1/kT_high) from the hot to the cold end: exp(0.10 x 4.55) = 1.58.
    found = at(320.0, np.full(8, 1e-8), np.full(8, 0.5), conducting=eis(ROOM, cell_stderr=0.01), barrier_sigma=0.65)
    (remark,) = [one for one in attached(found) if one.code == "haven-varies"]
    first, last = (
        sigma_of(1e-8 * np.exp(0.55 / K * (1 / t - 1 / 320)), t)
        / (0.5 * 320 / t * np.exp(-0.65 / K * (1 / t - 1 / 320)))
        for t in (300.0, 340.0)
    )
    assert f"from {first:.2g} at 300 K to {last:.2g} at 340 K" in remark.text
    assert first / last == pytest.approx(np.exp(0.10 / K * (1 / 300 - 1 / 340)), rel=1e-9)


def test_ranges_decide_what_is_inside_and_where_the_ratio_is_told():
    hop, conducting = jumps(np.array([300.0, 320.0, 340.0])), eis(np.array([320.0, 350.0, 380.0]))
    tree = posterior_of(hop, conducting, draws_at(320.0, tau=np.full(8, 1e-8), sigma=np.full(8, 1e-2)))
    found = haven_ratio(tree, ONE, nmr=hop, conductivity=conducting)
    kelvin = found.temperature.values
    assert (kelvin.min(), kelvin.max()) == (pytest.approx(300), pytest.approx(380))
    np.testing.assert_array_equal(found.inside, (kelvin >= 320) & (kelvin <= 340))
    assert found.attrs["reference_temperature"] == pytest.approx(2 / (1 / 320 + 1 / 340))
    assert "haven-extrapolated" not in codes(found)

    apart = eis(np.array([360.0, 380.0]))
    tree = posterior_of(hop, apart, draws_at(320.0, tau=np.full(8, 1e-8), sigma=np.full(8, 1e-2)))
    found = haven_ratio(tree, ONE, nmr=hop, conductivity=apart)
    assert not found.inside.any()
    assert found.attrs["reference_temperature"] == pytest.approx(2 / (1 / 340 + 1 / 360))
    (remark,) = [one for one in attached(found) if one.code == "haven-extrapolated"]
    assert "from 300 to 340 K and the conductivity from 360 to 380 K" in remark.text


def test_rows_without_a_value_do_not_widen_the_range():
    conducting = eis(np.array([300.0, 320.0, 340.0, 400.0]), np.array([1e-3, 1e-2, 1e-1, np.nan]))
    hop = jumps(np.array([290.0, 320.0, 410.0]))
    tree = posterior_of(hop, conducting, draws_at(320.0, tau=np.full(8, 1e-8), sigma=np.full(8, 1e-2)))
    found = haven_ratio(tree, ONE, nmr=hop, conductivity=conducting, temperature=[320.0, 390.0])
    assert found.inside.values.tolist() == [True, False]


def test_nothing_is_said_where_the_motion_may_be_frozen():
    hop, conducting = jumps(ROOM), eis(ROOM, law=nd.VTF())
    draws = draws_at(320.0, tau=np.full(8, 1e-8), sigma=np.full(8, 1e-2))
    del draws["eis.activation_energy"]
    draws |= {"eis.temperature_scale": 1200.0, "eis.vogel_temperature": np.linspace(150.0, 220.0, 8)}
    tree = posterior_of(hop, conducting, draws)
    found = haven_ratio(tree, ONE, nmr=hop, conductivity=conducting, temperature=[200.0, 250.0])
    assert np.isnan(found.haven_ratio.values[:, 0]).all()
    assert np.isnan(found.probability_below_one.values[0])
    assert np.isfinite(found.haven_ratio.values[:, 1]).all()


def test_the_stage_is_stamped_and_the_seed_decides():
    tau = 1e-8 * np.exp(0.1 * Z)
    hop, conducting = jumps(ROOM), eis(ROOM, cell_stderr=0.1)
    tree = posterior_of(hop, conducting, draws_at(320.0, tau=tau, sigma=1e-2))
    first, again, other = (haven_ratio(tree, ONE, nmr=hop, conductivity=conducting, seed=seed) for seed in (1, 1, 2))
    assert first.attrs["stage"] == "haven"
    assert first.predicted.attrs["units"] == first.measured.attrs["units"] == "S/m"
    assert first.haven_ratio.dims == ("quantile", "temperature")
    assert first.identical(again)
    assert not first.identical(other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dimensions": 4}, "needed 1, 2 or 3 dimensions, found 4"),
        ({"charge": 0}, "needed a charge in elementary charges, found 0"),
        ({"charge": np.nan}, "charge: needed one finite number"),
        ({"lattice_constant": None}, r"needed lattice_constant \[m\] or cell_volume \[m\^3\], found neither"),
        ({"cell_volume": 1e-28}, "found both"),
        ({"jump_distance": -1e-10}, "jump_distance: needed one finite number above 0"),
        ({"correlation_factor": 1.2}, "correlation_factor: needed one finite number above 0 and up to 1"),
        ({"ions_per_cell": [1, 2]}, "ions_per_cell: needed one finite number"),
    ],
)
def test_carriers_refuse_what_cannot_be(change, words):
    with pytest.raises(nd.InputError, match=words):
        Carriers(**(SODIUM | change))


def test_haven_ratio_refuses_what_it_cannot_tell():
    hop, conducting = jumps(ROOM), eis(ROOM)
    tree = posterior_of(hop, conducting, draws_at(320.0, tau=np.full(8, 1e-8), sigma=np.full(8, 1e-2)))
    with pytest.raises(nd.InputError, match="needed a process of T1 or correlation times as nmr, found eis of transp"):
        haven_ratio(tree, ONE, nmr=conducting, conductivity=conducting)
    with pytest.raises(nd.InputError, match="needed a process of conductivities as conductivity, found hop of motion"):
        haven_ratio(tree, ONE, nmr=hop, conductivity=hop)
    with pytest.raises(nd.InputError, match=r"temperature \[K\]: needed a finite number above 0"):
        haven_ratio(tree, ONE, nmr=hop, conductivity=conducting, temperature=-1.0)
    with pytest.raises(nd.InputError, match="needed the stage 'posterior'"):
        haven_ratio(hop.data, ONE, nmr=hop, conductivity=conducting)
    other = nd.Process("other", hop.data, mechanism=nd.CorrelationTime())
    with pytest.raises(nd.InputError, match="needed a process among hop, eis, found 'other'"):
        haven_ratio(tree, ONE, nmr=other, conductivity=conducting)


# Jumps and conductivities, there and back


size = st.floats(1e-3, 1e3)


@given(tau=size, a=size, f=st.floats(0.01, 1.0), haven=size, kelvin=size, n=size, d=st.sampled_from([1, 2, 3]))
def test_a_conductivity_made_of_jumps_gives_them_back(tau, a, f, haven, kelvin, n, d):
    walk = {"jump_distance": 1e-10 * a, "dimensions": d, "correlation_factor": f}
    density = {"carrier_density": 1e28 * n, "temperature": 300 * kelvin, "charge": -2}
    tracer = jump_diffusion(1e-9 * tau, **walk)
    sigma = diffusion_conductivity(tracer / haven, **density)
    assert nernst_einstein(sigma, **density) == pytest.approx(tracer / haven, rel=1e-12)
    assert residence_time(tracer / haven, **walk, haven_ratio=haven) == pytest.approx(1e-9 * tau, rel=1e-12)


def test_jump_diffusion_is_that_of_a_random_walk():
    # 20,000 walkers on a simple cubic lattice, 200 jumps each: <r^2> = 6 D t, known to 1/sqrt(20,000) x sqrt(2/3).
    rng = np.random.default_rng(5)
    axis, sign = rng.integers(0, 3, (20_000, 200)), rng.choice([-1, 1], (20_000, 200))
    place = np.stack([np.sum(sign * (axis == k), axis=1) for k in range(3)], axis=1) * 3e-10
    found = np.mean(np.sum(place**2, axis=1)) / (6 * 200 * 1e-9)
    assert jump_diffusion(1e-9, jump_distance=3e-10, dimensions=3, correlation_factor=1) == pytest.approx(
        found, rel=0.03
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: jump_diffusion(0.0, jump_distance=1e-10, dimensions=3, correlation_factor=1),
            "residence_time: needed",
        ),
        (lambda: jump_diffusion(1.0, jump_distance=1e-10, dimensions=0, correlation_factor=1), "1, 2 or 3 dimensions"),
        (lambda: jump_diffusion(1.0, jump_distance=1e-10, dimensions=3, correlation_factor=2), "factor of 1 or less"),
        (lambda: diffusion_conductivity(1.0, carrier_density=-1, temperature=300, charge=1), "carrier_density: needed"),
        (lambda: diffusion_conductivity(1.0, carrier_density=1, temperature=300, charge=0), "size of the charge"),
    ],
)
def test_impossible_jumps_are_refused(call, words):
    with pytest.raises(nd.InputError, match=words):
        call()


# Coverage


def line_posterior(kelvin, y, sd, rng, n):
    """Draws (n, 2) of slope [eV] and intercept of y = intercept + slope/kT with known errors, under flat priors."""
    design = np.stack([1 / (K * kelvin), np.ones(kelvin.size)], axis=1) / sd
    spread = np.linalg.inv(design.T @ design)
    return rng.multivariate_normal(spread @ design.T @ (y / sd), spread, n)


def test_intervals_hold_the_true_ratio_as_often_as_they_say():
    # 400 studies: 95 % ± 4.4 % and 68 % ± 9 % are four standard errors.
    rng, held95, held68 = np.random.default_rng(11), 0, 0
    jump = nd.Normal(3.32e-10, 0.10e-10)
    carriers = Carriers(**(SODIUM | {"jump_distance": jump}))
    cold, hot = np.linspace(290, 340, 6), np.linspace(300, 360, 5)
    for _ in range(400):
        per_jump, distance = 2 ** rng.random(), rng.normal(3.32e-10, 0.10e-10)
        true = np.exp(rng.uniform(np.log(0.1), np.log(2)))
        tau = 1e-13 * np.exp(0.40 / (K * cold))
        sigma = sigma_of(per_jump * 1e-13 * np.exp(0.40 / (K * hot)), hot, jump=distance) / true
        cell = np.exp(0.1 * rng.standard_normal())
        read_tau = np.log(tau) + 0.15 * rng.standard_normal(cold.size)
        read_sigma = np.log(sigma * cell * hot) + 0.08 * rng.standard_normal(hot.size)
        of_tau = line_posterior(cold, read_tau, 0.15, rng, 1000)
        of_sigma = line_posterior(hot, read_sigma, 0.08, rng, 1000)
        hop = jumps(cold, np.exp(read_tau))
        conducting = eis(hot, np.exp(read_sigma) / hot, cell_stderr=0.1)
        draws = {
            "hop.activation_energy": of_tau[:, 0],
            "hop.log10_tau0": of_tau[:, 1] / np.log(10),
            "eis.activation_energy": -of_sigma[:, 0],
            "eis.log10_prefactor": of_sigma[:, 1] / np.log(10),
        }
        tree = posterior_of(hop, conducting, draws)
        found = haven_ratio(tree, carriers, nmr=hop, conductivity=conducting, temperature=330.0)
        low95, low68, _, high68, high95 = found.haven_ratio.values[:, 0]
        held95 += low95 < true < high95
        held68 += low68 < true < high68
    assert held95 / 400 == pytest.approx(0.95, abs=0.044)
    assert held68 / 400 == pytest.approx(0.68, abs=0.09)


@pytest.mark.slow
def test_intervals_from_traces_and_conductivities_hold_the_true_ratio():
    # 20 studies from recoveries to the ratio; of 95 % intervals fewer than 16 hold it once in 390 times.
    rng, held = np.random.default_rng(12), 0
    kelvin, coupling = np.array([330.0, 345.0, 360.0]), {"nucleus": "23Na", "eta": 0.1}
    carriers = Carriers(**SODIUM)
    for seed in range(20):
        cq, per_jump, true = rng.normal(1e6, 0.05e6), 2 ** rng.random(), np.exp(rng.uniform(np.log(0.1), np.log(2)))
        offset = rng.standard_normal()
        truth = nd.RelaxationTruth(
            **coupling, cq=cq, larmor_frequency=132.32e6, activation_energy=0.45, tau_c=4e-8,
            reference_temperature=345.0, temperature=kelvin, temperature_error=offset, snr=40.0,
        )  # fmt: skip
        moved = nd.ConductivityTruth(
            activation_energy=0.45, conductivity=sigma_of(per_jump * 4e-8, 345.0) / true, reference_temperature=345.0,
            temperature=kelvin, log_scatter=0.05 * rng.standard_normal(), temperature_error=offset,
        )  # fmt: skip
        hop = nd.Process(
            "hop", nd.simulate(truth, seed=seed), mechanism=nd.BPP(**coupling, cq=1e6),
            recovery=nd.SingleExponential(), probe="oven",
        )  # fmt: skip
        transport = nd.simulate(moved, seed=seed + 100)
        transport.attrs["cell_stderr"] = 0.05
        conducting = nd.Process("eis", transport, mechanism=nd.Conductivity("sigma_T"), probe="oven")
        posterior = nd.infer(
            [hop, conducting], seed=seed, probes=[nd.Probe(name="oven", offset=1.0)],
            priors={"hop.cq": nd.Normal(1e6, 0.05e6)}, likelihood="fast",
        )  # fmt: skip
        found = haven_ratio(posterior, carriers, nmr=hop, conductivity=conducting, temperature=345.0, seed=seed)
        low, high = found.haven_ratio.sel(quantile=[0.025, 0.975]).values.ravel()
        held += low < true < high
    assert held >= 16


# Figures


def drawn(ranges=((300.0, 320.0, 340.0), (310.0, 350.0, 380.0)), temperature=None):
    hop, conducting = jumps(np.array(ranges[0])), eis(np.array(ranges[1]))
    draws = draws_at(320.0, tau=1e-8 * np.exp(0.2 * Z), sigma=1e-1 * np.exp(0.1 * Y), barrier_sigma=0.60)
    tree = posterior_of(hop, conducting, draws)
    return haven_ratio(tree, Carriers(**SODIUM), nmr=hop, conductivity=conducting, temperature=temperature)


@pytest.mark.parametrize("figure", [plot_haven, plot_haven_ratio])
def test_figures_show_medians_bands_and_where_both_were_measured(figure):
    found = drawn()
    axes = figure(found)
    names = ["predicted", "measured"] if figure is plot_haven else ["haven_ratio"]
    lines = {line.get_label(): line for line in axes.get_lines()}
    medians = [line for line in lines.values() if len(line.get_xdata()) == found.sizes["temperature"]]
    assert len(medians) == len(names)
    for line, name in zip(medians, names, strict=True):
        np.testing.assert_allclose(line.get_xdata(), 1000 / found.temperature)
        np.testing.assert_allclose(line.get_ydata(), found[name].sel(quantile=0.5))
    assert axes.get_yscale() == "log"
    assert "grey" in axes.get_xlabel()
    assert len(axes.collections) == 2 * len(names) + 1  # two bands each, and the grey
    grey = [path.get_extents() for path in axes.collections[-1].get_paths()]
    shaded = [any(one.x0 <= x <= one.x1 for one in grey) for x in 1000 / found.temperature.values]
    np.testing.assert_array_equal(shaded, ~found.inside.values)
    reach = axes.collections[0].get_paths()[0].get_extents()
    first = found[names[0]].sel(quantile=[0.025, 0.975])
    assert reach.y0 == pytest.approx(first.min().item())
    assert reach.y1 == pytest.approx(first.max().item())


def test_figures_of_few_temperatures_show_points_with_errors():
    axes = plot_haven(drawn(temperature=[300.0, 320.0, 330.0]))
    assert len(axes.containers) == 4
    assert "grey" not in axes.get_xlabel()
    with pytest.raises(nd.InputError, match="needed the stage 'haven'"):
        plot_haven(jumps(ROOM).data)
