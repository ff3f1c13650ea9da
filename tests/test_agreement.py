"""What could explain that E_NMR and E_EIS differ: on posteriors made by hand, each number worked out here anew.

Energies are in eV, temperatures in K.
"""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import nmrdyn as nd
from nmrdyn.agreement.reasons import agreement
from nmrdyn.schema import stamp

K = 8.617333262e-5  # eV/K, CODATA 2018
# Quantiles of a standard normal distribution in random order.
Z = np.random.default_rng(1).permutation(stats.norm.ppf((np.arange(4000) + 0.5) / 4000))
SLOW, FAST = {"fast": 0.0, "slow": 1.0, "crossing": 0.0}, {"fast": 1.0, "slow": 0.0, "crossing": 0.0}
DEBYE = "BPP(nucleus='11B', cq=100000.0, eta=0.4, spectral_density=Debye(), spin=1.5, fluctuating=1.0)"
COLD = np.linspace(290.0, 334.0, 6)


def experiments(kelvin):
    return {"experiment": [str(k) for k in range(len(kelvin))], "temperature": ("experiment", np.asarray(kelvin))}


def t1_rows(kelvin, *, larmor=160.49e6, beta=None, error=0.02):
    ones = np.ones(len(kelvin))
    data = {"t1": ("experiment", ones), "t1_stderr": ("experiment", error * ones)}
    if beta is not None:
        data |= {"beta": ("experiment", beta * ones), "beta_stderr": ("experiment", 0.02 * ones)}
    return xr.Dataset(data, coords=experiments(kelvin) | {"larmor_frequency": ("experiment", larmor * ones)})


def tau_rows(kelvin):
    data = {"tau_c": (("experiment", "branch"), np.ones((len(kelvin), 1)))}
    return xr.Dataset(data, coords=experiments(kelvin) | {"branch": ["slow"]})


def sigma_rows(kelvin, part=None):
    data = {"conductivity": ("experiment", np.ones(len(kelvin)))}
    return xr.Dataset(data, coords=experiments(kelvin) | ({} if part is None else {"part": part}))


def md_rows(kelvin):
    return xr.Dataset({"diffusion": ("experiment", np.ones(len(kelvin)))}, coords=experiments(kelvin))


def process(rows, energy, *, law="arrhenius", law_fits=True, barriers=None, **said):
    """One process: its rows, its draws and what the posterior says of it."""
    kinds = {"t1": "relaxation", "tau_c": "motion", "conductivity": "transport", "diffusion": "diffusion"}
    kind = next(kinds[name] for name in kinds if name in rows)
    kelvin = rows["temperature"].values
    entry = {
        "kind": kind,
        "mechanism": DEBYE if kind == "relaxation" else "",
        "convention": "sigma_T" if kind == "transport" else "",
        "law_name": law,
        "transition": None,
        "law_fits": law_fits,
        "branch": SLOW if kind == "relaxation" else {},
        "barriers_at": 2 / (1 / kelvin.min() + 1 / kelvin.max()),
        "probe": "",
        "misfit": {"chi2": 4.0, "dof": 4, "p": 0.5, "p_curvature": 0.5, "level": 0.01},
    }
    return rows, np.asarray(energy, dtype=float), entry | said, barriers or [""]


def posterior_of(processes, *, passed=1, probes=None, **draws):
    """A posterior of processes by name; each has as many barriers as draws."""
    described, values, tree = {}, dict(draws), {}
    for name, (rows, energy, entry, sides) in processes.items():
        variables = {f"{name} {side}".strip(): f"{name}.activation_energy{side and '_' + side}" for side in sides}
        described[name] = entry | {"barriers": variables}
        for variable, one in zip(variables.values(), np.atleast_2d(energy), strict=True):
            values[variable] = one
        tree[f"/processes/{name}/{entry['kind']}"] = rows
    tree["/posterior"] = xr.Dataset({name: (("chain", "draw"), v.reshape(2, -1)) for name, v in values.items()})
    result = xr.DataTree.from_dict(tree)
    result.attrs |= {"stage": "posterior", "passed": passed, "processes": json.dumps(described)}
    result.attrs["probes"] = json.dumps({name: repr(probe) for name, probe in (probes or {}).items()})
    return result


def reasons(hop=None, eis=None, *, margin=0.020, **kwargs):
    """The reasons by code, of a barrier of 450 meV on the slow flank and one of 552 meV unless said."""
    processes = {
        "hop": hop or process(t1_rows(COLD), 0.450 + 0.005 * Z),
        "eis": eis or process(sigma_rows(COLD), 0.552 + 0.005 * Z[::-1]),
    }
    posterior = posterior_of(processes, **kwargs)
    found = agreement(posterior, nd.compare(posterior, margin))
    assert len({reason.pair for reason in found}) == 1
    return {reason.code: reason for reason in found}


def nmr(energy=0.450, rows=None, **said):
    return process(t1_rows(COLD) if rows is None else rows, energy + 0.005 * Z, **said)


def carried(energy=0.552, rows=None, **said):
    return process(sigma_rows(COLD) if rows is None else rows, energy + 0.005 * Z[::-1], **said)


ALL = [
    "local-hops", "another-motion", "carrier-formation", "grain-boundaries", "sigma-convention", "distribution",
    "flanks", "phase-transition", "temperatures",
]  # fmt: skip


# The verdict


def test_a_difference_has_all_causes_in_order():
    assert list(reasons()) == ALL
    assert {reason.pair for reason in reasons().values()} == {"hop - eis"}
    assert {reason.status for reason in reasons().values()} <= {
        "could explain", "ruled out", "not tested", "does not apply",
    }  # fmt: skip


def test_equal_barriers_need_no_explanation():
    (only,) = reasons(eis=carried(0.452)).values()
    assert (only.code, only.status) == ("same", "does not apply")
    assert only.text.startswith("nothing needs explaining: the 95 % interval, -16 to 12 meV, lies inside ±20 meV")


def test_an_undecided_pair_says_what_could_hide():
    found = reasons(eis=process(sigma_rows(COLD), 0.452 + 0.030 * Z[::-1]))
    assert list(found) == ["undecided", *ALL]
    # 2 meV; the sd is sqrt(30^2 + 5^2) = 30.4 meV, so that 95 % reach 60 meV to either side.
    assert "E_EIS - E_NMR is 2 meV (95 %: -5" in found["undecided"].text
    assert "crosses ±20 meV" in found["undecided"].text


def test_nothing_is_said_of_draws_that_did_not_converge():
    (only,) = reasons(passed=0).values()
    assert (only.code, only.status) == ("undecided", "not tested")
    assert only.text == "the sampler did not converge, so that no number can be trusted"


def test_only_pairs_of_nmr_and_conductivity_are_explained():
    processes = {"a": nmr(), "b": nmr(0.40), "eis": carried(), "bulk": carried(0.50)}
    posterior = posterior_of(processes)
    comparison = nd.compare(posterior)
    assert {reason.pair for reason in agreement(posterior, comparison)} == {
        "a - eis", "a - bulk", "b - eis", "b - bulk",
    }  # fmt: skip
    assert {reason.pair for reason in agreement(posterior, comparison, pair="b - bulk")} == {"b - bulk"}
    with pytest.raises(nd.InputError, match=r"needed a pair of NMR and conductivity, 'a - eis'.*found 'a - b'"):
        agreement(posterior, comparison, pair="a - b")
    lonely = posterior_of({"a": nmr(), "b": nmr(0.40)})
    assert agreement(lonely, nd.compare(lonely)) == []
    with pytest.raises(nd.InputError, match="of which there is none"):
        agreement(lonely, nd.compare(lonely), pair="a - b")
    with pytest.raises(nd.InputError, match="needed the stage 'comparison'"):
        agreement(lonely, lonely)


def test_the_order_of_the_processes_does_not_matter():
    posterior = posterior_of({"eis": carried(), "hop": nmr()})
    swapped = {reason.code: reason for reason in agreement(posterior, nd.compare(posterior))}
    assert swapped["local-hops"].text == reasons()["local-hops"].text
    assert swapped["local-hops"].pair == "eis - hop"


# Backward hops, and other motions


def test_450_and_552_mev_need_a_beta_of_1_82():
    # On the slow flank of beta-BPP ln T1 has the slope (beta - 1) E (Kuechler et al. 1994): 1 + 450/552 = 1.815.
    found = reasons()["local-hops"]
    assert found.status == "could explain"
    assert "beta = 1.82 (95 %: 1.79 to 1.84)" in found.text
    assert "with probability 1.00" in found.text


def test_the_slope_of_a_beta_bpp_flank_is_what_that_beta_was_worked_out_from():
    kelvin = np.array([300.0, 301.0])
    tau = 1e-6 * np.exp(0.552 / K * (1 / kelvin - 1 / 300))
    j = nd.BetaBPP(1 + 450 / 552).evaluate(2 * np.pi * 160e6, tau) + 4 * nd.BetaBPP(1 + 450 / 552).evaluate(
        4 * np.pi * 160e6, tau
    )
    assert np.diff(-np.log(j))[0] / np.diff(1 / (K * kelvin))[0] == pytest.approx(0.450, abs=1e-3)


def test_probability_of_a_beta_between_one_and_two_is_that_of_the_larger_barrier():
    # 450 ± 20 against 460 ± 20: P = Phi(10 / 28.3) = 0.638.
    first, second = (np.random.default_rng(seed).permutation(Z) for seed in (5, 6))
    found = reasons(process(t1_rows(COLD), 0.450 + 0.02 * first), process(sigma_rows(COLD), 0.460 + 0.02 * second))
    probability = float(found["local-hops"].text.split("with probability ")[1][:4])
    assert probability == pytest.approx(stats.norm.cdf(10 / np.hypot(20, 20)), abs=0.03)


@pytest.mark.parametrize(
    ("hop", "status", "words"),
    [
        (nmr(0.60), "ruled out", "here it is the larger (-48 meV"),
        (nmr(branch=FAST), "ruled out", "on the fast flank"),
        (
            nmr(branch={"fast": 0.3, "slow": 0.7, "crossing": 0.0}),
            "not tested",
            "(fast 0.30, slow 0.70, crossing 0.00)",
        ),
        (nmr(branch={"fast": 0.0, "slow": 0.0, "crossing": 1.0}), "not tested", "not surely on the slow flank"),
        (nmr(mechanism=DEBYE.replace("Debye()", "BetaBPP(beta=1.6)")), "does not apply", "the analysis has BetaBPP"),
        (nmr(rows=tau_rows(COLD)), "not tested", "the data are correlation times"),
    ],
)
def test_local_hops_are_ruled_out_or_not_tested(hop, status, words):
    found = reasons(hop)["local-hops"]
    assert found.status == status
    assert words in found.text


@pytest.mark.parametrize(
    ("error", "scatter", "fits", "status"),
    [
        (0.02, 0.0, True, "ruled out"),
        (0.10, 0.0, True, "could explain"),  # 14 % are less than three errors of 10 %
        (0.02, 0.10, True, "could explain"),
        (0.02, 0.0, False, "could explain"),
    ],
)
def test_two_fields_rule_out_a_beta_that_would_show(error, scatter, fits, status):
    # T1 goes with omega^1.815 in place of omega^2: by (2.0)^0.185 = 1.137 between two fields in the ratio 2.
    field = np.array([80e6, 160e6] * 3)
    hop = nmr(rows=t1_rows(COLD, larmor=field, error=error), law_fits=fits)
    found = reasons(hop, **{"hop.scatter": np.full(4000, scatter)})["local-hops"]
    assert found.status == status
    if status == "ruled out":
        assert "off by a factor of 1.14" in found.text


def test_two_fields_at_temperatures_of_their_own_rule_out_less():
    # 80 MHz when cold and 160 MHz when hot: a wrong power and another barrier together leave 0.061 of ln T1 (twice the
    # rms), in place of 0.123 where both fields are at all temperatures; three errors of 3 % lie between.
    field = np.repeat([80e6, 160e6], 3)
    apart = reasons(nmr(rows=t1_rows(COLD, larmor=field, error=0.03)))["local-hops"]
    assert apart.status == "could explain"
    both = reasons(nmr(rows=t1_rows(COLD, larmor=np.array([80e6, 160e6] * 3), error=0.03)))["local-hops"]
    assert both.status == "ruled out"


def test_recoveries_that_are_not_stretched_do_not_rule_out_barriers_that_each_ion_sees_in_turn():
    # ln rates spread by s/kT = 1.95. An ion that keeps its rate recovers stretched, one that has 2000 in turn does not.
    rng = np.random.default_rng(2)
    rates = np.exp(1.95 * rng.standard_normal((400, 2000)))  # (ion, residence time)
    time = np.linspace(0.1, 2.0, 20)
    for count, beta in ((1, (0.0, 0.8)), (2000, (0.97, 1.03))):
        rate = rates[:, :count].mean(axis=1)
        left = np.mean(np.exp(-time[:, None] * rate / np.exp(1.95**2 / 2)), axis=1)
        found = np.polyfit(np.log(time), np.log(-np.log(left)), 1)[0]
        assert beta[0] < found < beta[1]
    assert reasons(nmr(rows=t1_rows(COLD, beta=1.0)))["distribution"].status == "not tested"


# Carriers, grain boundaries, conventions


def test_formation_energy_is_twice_the_difference():
    found = reasons()["carrier-formation"]
    assert found.status == "could explain"
    # 2 x 102 = 204 meV; the sd is 2 x 7.07 = 14 meV.
    assert "E_f = 204 meV (95 %: 17" in found.text
    assert "It does not follow by itself" in found.text
    assert reasons(nmr(0.60))["carrier-formation"].status == "ruled out"


@pytest.mark.parametrize(
    ("part", "energy", "status"),
    [
        ("bulk", 0.450, "ruled out"),
        ("total", 0.450, "could explain"),
        ("total", 0.600, "not tested"),
        ("grain_boundary", 0.450, "could explain"),
        ("grain_boundary", 0.600, "could explain"),
        (None, 0.450, "not tested"),
    ],
)
def test_grain_boundaries_depend_on_the_part_that_was_measured(part, energy, status):
    assert reasons(nmr(energy), carried(rows=sigma_rows(COLD, part)))["grain-boundaries"].status == status


def test_sigma_t_rules_the_convention_out():
    found = reasons()["sigma-convention"]
    assert found.status == "ruled out"
    assert f"lower by kT = {1e3 * K * 312:.0f} meV at the mean temperature, 312 K" in found.text  # 27 meV


@pytest.mark.parametrize(
    ("energy", "status", "rest"),
    [
        (0.575, "could explain", 552 + 26.9 - 575),
        (0.610, "could explain", 552 + 26.9 - 610),  # -31 ± 14 reaches the margin of 20
        (0.450, "ruled out", 552 + 26.9 - 450),  # the wrong way
        (0.700, "ruled out", 552 + 26.9 - 700),
    ],
)
def test_sigma_explains_kt_and_no_more(energy, status, rest):
    found = reasons(nmr(energy), carried(convention="sigma"))["sigma-convention"]
    assert found.status == status
    assert f"so that {rest:.0f} meV (95 %" in found.text


def test_a_simulation_has_no_boundaries_conventions_or_formation_energies():
    found = reasons(eis=carried(rows=md_rows(COLD)))
    for code in ("carrier-formation", "grain-boundaries", "sigma-convention"):
        assert found[code].status == "does not apply"
    assert found["local-hops"].status == "could explain"


# A distribution of barriers


def test_the_spread_that_would_do_makes_the_difference_on_the_slow_flank():
    # Gaussian barriers: 1/T1 goes with the mean of 1/tau_c there, whose slope is checked by quadrature.
    middle = 2 / (1 / 290 + 1 / 334)
    spread = np.sqrt(K * middle * 0.102)
    found = reasons()["distribution"]
    assert found.status == "not tested"
    assert f"s = {1e3 * spread:.0f} meV" in found.text  # 52 meV
    node, weight = np.polynomial.hermite_e.hermegauss(60)
    kelvin = middle + np.array([-0.5, 0.5])
    rate = np.exp(-(0.552 + spread * node[:, None]) / (K * kelvin)).T @ weight
    slope = -np.diff(np.log(rate))[0] / np.diff(1 / (K * kelvin))[0]
    assert slope == pytest.approx(0.450, abs=1e-3)


@pytest.mark.parametrize(
    ("branch", "energy", "status", "words"),
    [
        (SLOW, 0.60, "ruled out", "which is the larger one"),
        (FAST, 0.450, "ruled out", "which is the smaller one"),
        (FAST, 0.60, "not tested", "on the fast flank it raises E_NMR"),
        ({"fast": 0.5, "slow": 0.5, "crossing": 0.0}, 0.450, "not tested", "the flank is not known"),
    ],
)
def test_a_distribution_moves_the_barrier_one_way_on_each_flank(branch, energy, status, words):
    found = reasons(nmr(energy, branch=branch))["distribution"]
    assert found.status == status
    assert words in found.text


def test_a_bend_speaks_for_a_distribution():
    bent = {"chi2": 30.0, "dof": 4, "p": 0.02, "p_curvature": 0.004, "level": 0.01}
    found = reasons(nmr(misfit=bent))["distribution"]
    assert found.status == "could explain"
    assert "p = 0.004" in found.text


@pytest.mark.parametrize(
    ("beta", "status"), [(0.45, "could explain"), (0.58, "could explain"), (0.80, "not tested"), (1.0, "not tested")]
)
def test_stretched_recoveries_are_held_against_the_spread(beta, status):
    found = reasons(nmr(rows=t1_rows(COLD, beta=beta)))["distribution"]
    assert found.status == status
    # sd of ln T1 is s/kT = sqrt(102/26.75) = 1.95; pi^2/6 (1/beta^2 - 1) = 1.95^2 for beta = 0.55.
    assert f"beta = 0.55, and measured is {beta:.2f} ± 0.02" in found.text


def test_spread_of_a_stretched_exponential_is_the_formula():
    # exp(-t^beta) is the survival of a Weibull, ln of which has the variance pi^2/(6 beta^2): that of ln T1 and that of
    # one exponential, pi^2/6, together.
    beta = 0.55
    assert stats.gumbel_l.var() / beta**2 - stats.gumbel_l.var() == pytest.approx(np.pi**2 / 6 * (1 / beta**2 - 1))


def test_an_analysis_with_a_distribution_needs_no_other():
    found = reasons(nmr(mechanism=DEBYE.replace("Debye()", "LogNormal(sigma=1.0)")))["distribution"]
    assert found.status == "does not apply"
    assert found.text.endswith("LogNormal")


# Flanks, phases and temperatures


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"branch": SLOW}, "ruled out", "on the slow flank (probability 1.00)"),
        ({"branch": {"fast": 0.4, "slow": 0.6, "crossing": 0.0}}, "could explain", "fast 0.40, slow 0.60"),
        ({"branch": {"fast": 0.0, "slow": 0.0, "crossing": 1.0}}, "ruled out", "on both flanks"),
        (
            {"branch": {"fast": 0.0, "slow": 0.0, "crossing": 1.0}, "law_fits": False},
            "could explain",
            "one law does not describe them together",
        ),
    ],
)
def test_the_flank_is_ruled_out_once_it_is_sure(said, status, words):
    found = reasons(nmr(**said))["flanks"]
    assert found.status == status
    assert words in found.text


def test_correlation_times_do_not_tell_their_flank():
    assert reasons(nmr(rows=tau_rows(COLD)))["flanks"].status == "not tested"


@pytest.mark.parametrize(
    ("kelvin", "said", "status", "words"),
    [
        (COLD, {}, "ruled out", "hop 290 to 334 K, eis 290 to 334 K"),
        (COLD + 20, {}, "not tested", "where both were measured, 310 to 334 K"),
        (COLD + 60, {}, "not tested", "no temperature is in both ranges"),
        (COLD[::2], {}, "not tested", "too few temperatures"),
        (COLD, {"law_fits": False}, "could explain", "one barrier does not describe eis"),
        (COLD, {"misfit": {"chi2": 0, "dof": 0, "p": np.nan}}, "not tested", "too few temperatures or no errors"),
    ],
)
def test_ranges_and_laws_tell_of_a_phase_transition(kelvin, said, status, words):
    found = reasons(eis=carried(rows=sigma_rows(kelvin), **said))["phase-transition"]
    assert found.status == status
    assert words in found.text


TWO = {"law": "phase_transition", "barriers": ["below", "above"], "transition": 313.0}


@pytest.mark.parametrize(
    ("kelvin", "below", "above"),
    [
        (COLD, "could explain", "could explain"),  # the conductivity has one barrier across it
        (COLD - 40, "ruled out", "could explain"),
        (COLD + 40, "could explain", "ruled out"),
    ],
)
def test_barriers_of_two_phases_are_told_apart(kelvin, below, above):
    hop = process(t1_rows(COLD), np.stack([0.45 + 0.005 * Z, 0.40 + 0.005 * Z]), **TWO)
    posterior = posterior_of({"hop": hop, "eis": carried(rows=sigma_rows(kelvin))})
    found = {
        reason.pair: reason
        for reason in agreement(posterior, nd.compare(posterior))
        if reason.code == "phase-transition"
    }
    assert {pair: reason.status for pair, reason in found.items()} == {
        "hop below - eis": below, "hop above - eis": above,
    }  # fmt: skip
    assert "hop has a transition at 313 K" in found["hop below - eis"].text


def test_two_laws_with_a_transition_are_compared_side_by_side():
    both = [0.45 + 0.005 * Z, 0.40 + 0.005 * Z], [0.55 + 0.005 * Z[::-1], 0.50 + 0.005 * Z[::-1]]
    hop = process(t1_rows(COLD), np.stack(both[0]), **TWO)
    eis = process(sigma_rows(COLD), np.stack(both[1]), **(TWO | {"transition": None}))
    posterior = posterior_of({"hop": hop, "eis": eis}, **{"eis.transition_temperature": np.full(4000, 312.0)})
    found = {
        reason.pair: reason.status
        for reason in agreement(posterior, nd.compare(posterior))
        if reason.code == "phase-transition"
    }
    assert found == {
        "hop below - eis below": "ruled out", "hop below - eis above": "could explain",
        "hop above - eis below": "could explain", "hop above - eis above": "ruled out",
    }  # fmt: skip


def probes(**errors):
    return {name: nd.Probe(name=name, **said) for name, said in errors.items()}


def test_offset_that_would_explain_the_difference():
    # 450 to 552 meV: T (sqrt(552/450) - 1) = 310.5 K x 0.1076 = 33 K, or a range of 44 K that is 35.9 K.
    found = reasons()["temperatures"]
    assert found.status == "not tested"
    assert "all have to be 33 K higher than was read, or their range to be 36 K in place of 44 K" in found.text
    # and so it is: a line through ln tau_c at temperatures that are 33.4 K higher.
    shifted = np.polyfit(1 / (K * (COLD + 33.4)), 0.450 / (K * COLD), 1)[0]
    assert shifted == pytest.approx(0.552, rel=0.01)
    stretched = 310.5 + (COLD - 310.5) * 35.9 / 44
    assert np.polyfit(1 / (K * stretched), 0.450 / (K * COLD), 1)[0] == pytest.approx(0.552, rel=0.01)


@pytest.mark.parametrize(
    ("errors", "status", "spread"),
    [
        ({"offset": 1.0}, "ruled out", np.hypot(2 * 450 / 310.5, 2 * 552 / 310.5)),  # 2 E d/T = 2.9 and 3.6 meV
        ({"offset": 20.0}, "could explain", 20 * np.hypot(2 * 450 / 310.5, 2 * 552 / 310.5)),
        ({"scale": 0.01}, "ruled out", 0.01 * np.hypot(450, 552)),
        ({"scale": 0.10}, "could explain", 0.10 * np.hypot(450, 552)),
        ({"point": 5.0}, "not tested", None),
    ],
)
def test_stated_errors_of_two_thermometers_rule_out_or_allow(errors, status, spread):
    found = reasons(nmr(probe="rotor"), carried(probe="oven"), probes=probes(rotor=errors, oven=errors))["temperatures"]
    assert found.status == status
    if spread:
        assert f"make {spread:.0f} meV (1 sd)" in found.text


def test_one_thermometer_for_both_explains_nothing():
    found = reasons(nmr(probe="oven"), carried(probe="oven"), probes=probes(oven={"offset": 20.0}))["temperatures"]
    assert found.status == "ruled out"
    assert "both have the thermometer oven" in found.text
    # Two thermometers in one process are not one: 20 K of either count.
    mixed = reasons(
        nmr(probe="oven, rotor"), carried(probe="oven, rotor"), probes=probes(oven={"offset": 20.0}, rotor={})
    )
    assert mixed["temperatures"].status == "could explain"


def test_rows_without_a_value_count_for_no_range():
    rows = sigma_rows(np.append(COLD, 500.0))
    rows["conductivity"][-1] = np.nan
    assert "eis 290 to 334 K" in reasons(eis=carried(rows=rows))["phase-transition"].text


# What `infer` writes


def test_reasons_from_a_posterior_of_infer():
    coupling, kelvin = {"nucleus": "23Na", "cq": 1e6, "eta": 0.1}, [300.0, 315.0, 330.0]
    jumps = nd.RelaxationTruth(
        **coupling, larmor_frequency=132.32e6, activation_energy=0.45, tau_c=1e-5, reference_temperature=315.0,
        temperature=kelvin, snr=200.0, beta=0.95,
    )  # fmt: skip
    rise = [280.0, 290.0, 300.0, 310.0, 320.0]
    sigma = np.exp(0.70 / K * (1 / 300 - 1 / np.array(rise))) * np.array([1e-3, 1e-3, 1e-3, 1e-1, 1e-1])
    data = {"conductivity": ("experiment", sigma), "conductivity_stderr": ("experiment", 0.02 * sigma)}
    coords = experiments(rise) | {"temperature_stderr": ("experiment", np.full(5, np.nan)), "part": "bulk"}
    transport = stamp(xr.Dataset(data, coords=coords), "transport")
    hop = nd.Process(
        "hop", nd.simulate(jumps, seed=1), mechanism=nd.BPP(**coupling), recovery=nd.StretchedExponential(),
        probe="rotor",
    )  # fmt: skip
    eis = nd.Process("eis", transport, mechanism=nd.Conductivity("sigma_T"), transition=305.0)
    posterior = nd.infer(
        [hop, eis], seed=1, probes=[nd.Probe(name="rotor", offset=1.0)], likelihood="fast",
        priors={"hop.scatter": 0.0, "eis.scatter": 0.0},
    )  # fmt: skip
    found = agreement(posterior, nd.compare(posterior), pair="hop - eis below")
    status = {reason.code: reason.status for reason in found if reason.code != "undecided"}
    assert status == {
        "local-hops": "could explain",
        "another-motion": "not tested",
        "carrier-formation": "could explain",
        "grain-boundaries": "ruled out",
        "sigma-convention": "ruled out",
        "distribution": "not tested",
        "flanks": "ruled out",
        "phase-transition": "could explain",  # the NMR data lie on both sides of 305 K
        "temperatures": "ruled out",
    }
