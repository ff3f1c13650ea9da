"""What a referee would remark on: when each remark is made, of which experiments, and how it travels to the report.

Formulas here are written anew, not taken from the package. With x = omega tau_c a spin 3/2 relaxes with
1/T1 = (K/omega) f(x), f(x) = x/(1 + x^2) + 4x/(1 + 4x^2), K = (2 pi^2/25) C_Q^2 (1 + eta^2/3) (Abragam 1961, ch. VIII).
"""

import json
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq

import nmrdyn as nd
from nmrdyn.findings import Finding, attach, attached, merged, within
from nmrdyn.inference.checks import _of_prefactors, _of_process
from nmrdyn.inference.measurements import measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import find_modes
from nmrdyn.motion.checks import of_motion
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.recovery.checks import of_relaxation
from nmrdyn.recovery.fit import complete
from nmrdyn.report.summary import summarise, verdict_lines
from nmrdyn.schema import stamp

K_B = 8.617333262e-5  # eV/K, CODATA 2018
LARMOR = 160.49e6  # of 11B in 11.7 T
OMEGA = 2 * np.pi * LARMOR
# Where f has its maximum: 32 u^3 + 20 u^2 + u - 5 = 0 with u = x^2; and that maximum.
X_MINIMUM, F_MINIMUM = 0.615795146961756244756, 1.425175719086501535330
# One 11B-1H pair at 1.20 Å [rad/s], CODATA 2018; the ratio of the Larmor frequencies, 100 % / 32.083974 % (Harris et
# al., Pure Appl. Chem. 73 (2001) 1795).
PAIR, PROTON = 140157.8979912222, 1 / 0.32083974


def f(x):
    return x / (1 + x**2) + 4 * x / (1 + 4 * x**2)


def debye(omega, tau):
    return tau / (1 + (omega * tau) ** 2)


def strength(cq=0.1e6, eta=0.4):
    return 2 * np.pi**2 / 25 * cq**2 * (1 + eta**2 / 3)


K = strength()


def t1_of(tau, *, cq=0.1e6, eta=0.4):
    """T1 of a spin 3/2 at `LARMOR`."""
    return OMEGA / (strength(cq, eta) * f(OMEGA * np.asarray(tau)))


def dipolar_rate(tau, distance=1.2e-10, count=4):
    """1/T1 of 11B by protons (Abragam 1961, ch. VIII); M2 is (4/15) S(S + 1) = 1/5 of b^2 for each."""
    moment = count / 5 * (PAIR * (1.2e-10 / distance) ** 3) ** 2
    j = [debye(OMEGA * factor, tau) for factor in (1 - PROTON, 1.0, 1 + PROTON)]
    return moment / 2 * (j[0] + 3 * j[1] + 6 * j[2])


def quadrupolar(**changes):
    return nd.BPP(**{"nucleus": "11B", "cq": 0.1e6, "eta": 0.4} | changes)


def protons(distance=1.2e-10, count=4):
    return nd.Dipolar(nucleus="11B", partner="1H", distance=distance, count=count)


def relaxation(t1, relative=0.02, *, kelvin=None, nucleus="11B", larmor=LARMOR, model=None):
    """T1 with one relative error, at 300, 310 ... K unless said."""
    t1 = np.atleast_1d(np.asarray(t1, dtype=float))
    n = t1.size
    data = {"t1": ("experiment", t1), "t1_stderr": ("experiment", relative * t1)}
    if model is not None:
        data["model"] = ("experiment", np.full(n, model, dtype=object))
    coords = {
        "experiment": [str(i + 1) for i in range(n)],
        "temperature": ("experiment", 300.0 + 10 * np.arange(n) if kelvin is None else np.array(kelvin, dtype=float)),
        "temperature_stderr": ("experiment", np.full(n, np.nan)),
        "larmor_frequency": ("experiment", np.broadcast_to(np.asarray(larmor, dtype=float), n)),
    }
    return stamp(xr.Dataset(data, coords=coords), "relaxation", nucleus=nucleus)


def by_code(findings):
    """Findings by their code, of which there is no second."""
    listed = list(findings)
    named = {finding.code: finding for finding in listed}
    assert len(named) == len(listed)
    return named


def remarks(mechanism, t1, relative=0.02, *, slow=None, **options):
    """Remarks on T1 under a mechanism; with the probabilities `slow` of the slow branch, where they were weighed."""
    data = relaxation(t1, relative, nucleus=mechanism.nucleus or "11B", **options)
    motion = nd.correlation_time(data, mechanism)
    if slow is None:
        return by_code(attached(motion))
    weight = np.broadcast_to(np.asarray(slow, dtype=float), motion.sizes["experiment"])
    branches = (("experiment", "branch"), np.stack([1 - weight, weight], axis=-1))
    return by_code(of_motion(motion.assign(branch_probability=branches), mechanism))


def where(found, code):
    """The place of a remark, None where it was not made."""
    return found[code].where if code in found else None


# Findings on their way


def test_findings_are_kept_as_text_and_replaced_as_a_whole(tmp_path):
    data = relaxation([1.0])
    assert attached(data) == []
    first, second = Finding("one", "1, 2", "T1 is 5 µs, 'about'"), Finding("two", "", 'a "b" <c>')
    assert attach(data, iter([first, second])) is data
    assert attached(data) == [first, second]
    data.to_netcdf(tmp_path / "kept.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "kept.nc", engine="h5netcdf") as kept:
        assert attached(kept) == [first, second]
    assert attached(attach(data, [second])) == [second]
    assert first.as_dict() == {"code": "one", "where": "1, 2", "text": "T1 is 5 µs, 'about'"}


def test_each_stage_hands_on_what_the_one_before_found(sodium):
    said = Finding("by-hand", "1", "from the console")
    recovery = attach(nd.simulate(sodium, seed=1), [said])
    fitted = nd.fit_recovery(recovery, "stretched")
    assert [finding.code for finding in attached(fitted)] == ["by-hand", "stretched-t1"]
    motion = nd.correlation_time(fitted, nd.BPP(nucleus="23Na", cq=20e6, eta=0.1))
    assert attached(motion)[:2] == attached(fitted)
    assert "not-high-field" in by_code(attached(motion))
    assert attached(recovery) == [said]
    # A table of T1 from elsewhere keeps its remarks too.
    given = attach(relaxation([61.13]), [said])
    assert attached(nd.correlation_time(complete(given), quadrupolar()))[0] == said


# Recoveries

BLANK = {
    "reason": "",
    "model": "single",
    "error_scaled": False,
    "t1_stderr": 0.02,
    "depth": 1.0,
    **dict.fromkeys(("reduced_chi2", "ratio", "ratio_stderr"), np.nan),
}
COMPONENTS = ("component_t1", "component_t1_stderr", "component_fraction", "component_fraction_stderr")


def fits(*rows, nucleus="23Na", weights=None, candidates=("single",), reach=5.0):
    """Fits of 2 s and the recoveries behind them, of which nothing is to be said but what `rows` change."""
    n = len(rows)
    table = [{"t1": 2.0, "temperature": 300.0} | BLANK | dict.fromkeys(COMPONENTS, np.nan) | row for row in rows]
    names = [str(i + 1) for i in range(n)]

    def column(name):
        values = [row[name] for row in table]
        return ("experiment", np.array(values, dtype=object if isinstance(values[0], str) else None))

    variables = {name: column(name) for name in ("t1", *BLANK)}
    variables |= {
        name: (("experiment", "component"), np.array([np.resize(row[name], 2) for row in table], dtype=float))
        for name in COMPONENTS
    }
    variables["model_weight"] = (("experiment", "candidate"), np.ones((n, 1)) if weights is None else np.array(weights))
    others = np.array([row.get("others", [row["t1"]] * len(candidates)) for row in table], dtype=float)
    variables["model_t1"] = (("experiment", "candidate"), others)
    coords = {"experiment": names, "candidate": list(candidates), "temperature": column("temperature")}
    relaxation = xr.Dataset(variables, coords=coords, attrs={"nucleus": nucleus})
    delay = np.broadcast_to(2.0 * np.array([0.1, 1.0, reach]), (n, 3)).copy()
    recovery = xr.Dataset(
        {
            "signal": (("experiment", "increment"), np.tile([0.1, 0.6, 1.0], (n, 1))),
            "signal_stderr": (("experiment", "increment"), np.full((n, 3), 0.01)),
        },
        coords={
            "experiment": names,
            "delay": (("experiment", "increment"), delay),
            "kind": ("experiment", ["saturation_recovery"] * n),
        },
    )
    return relaxation, recovery


def of_fits(*rows, **options):
    return by_code(of_relaxation(*fits(*rows, **options)))


FAILED = {"t1": np.nan, "reason": "the delays do not determine it"}


def test_of_good_fits_there_is_nothing_to_say():
    assert of_fits({}, {}, {}) == {}
    assert of_fits({}, nucleus="") == {}


def test_experiments_without_t1_are_named_each_with_its_reason():
    found = list(of_relaxation(*fits({}, FAILED, {}, FAILED | {"reason": "ser holds only zeros"})))
    assert found == [
        Finding("no-t1", "2", "the delays do not determine it"),
        Finding("no-t1", "4", "ser holds only zeros"),
    ]


def test_misfits_are_named_with_the_worst_of_them():
    scaled = {"error_scaled": True}
    # The third is larger by chance of few degrees of freedom, and was not scaled.
    found = of_fits(scaled | {"reduced_chi2": 3.456}, {}, {"reduced_chi2": 9.0}, scaled | {"reduced_chi2": 2.0})
    assert set(found) == {"recovery-misfit"}
    assert found["recovery-misfit"].where == "1, 4"
    assert "up to 3.46" in found["recovery-misfit"].text


def test_unknown_temperatures_are_named():
    found = of_fits({"temperature": np.nan}, {}, {"temperature": np.nan})
    assert found == {"no-temperature": Finding("no-temperature", "1, 3", "temperature unknown: not used")}


@pytest.mark.parametrize(
    ("models", "code"),
    [(("stretched",), "stretched-t1"), (("bi", "tri"), "exponentials-t1"), (("single", "populations", "given"), None)],
)
def test_t1_that_is_not_of_an_initial_rate_is_named(models, code):
    for model in models:
        found = of_fits({}, {"model": model}, {"model": model}, {"model": model} | FAILED)
        assert set(found) == {code, "no-t1"} - {None}
        if code:
            assert found[code].where == "2, 3"  # the fourth has no T1 of any kind
            assert "initial-rate" in found[code].text


# Four times of T1 is the criterion; the longest delay here is `reach` of them.
@pytest.mark.parametrize(("reach", "short"), [(4.0, False), (4.0 * (1 - 1e-12), True), (3.0, True), (30.0, False)])
def test_recoveries_that_were_not_followed_to_their_end_are_named(reach, short):
    found = of_fits({}, FAILED, {"t1": 1.0}, reach=reach)
    expected = "1" if reach > 2 else "1, 3"  # T1 of 2 s and of 1 s
    assert where(found, "delays-too-short") == (expected if short else None)


def test_delays_without_a_signal_were_not_recorded():
    relaxation, recovery = fits({}, {}, {})
    recovery["signal"][1, 2] = np.nan  # stopped after a delay of 1 T1
    recovery["delay"][2, 2] = np.nan  # a shorter list
    found = by_code(of_relaxation(relaxation, recovery))
    assert found["delays-too-short"].where == "2, 3"
    assert "is 1.0 T1 or more" in found["delays-too-short"].text
    # Of several, the shortest is said.
    recovery["delay"][1, 1] = 5.0
    assert "is 1.0 T1 or more" in by_code(of_relaxation(relaxation, recovery))["delays-too-short"].text
    recovery["delay"][2, 1] = 6.0
    assert "is 2.5 T1 or more" in by_code(of_relaxation(relaxation, recovery))["delays-too-short"].text


def test_models_that_the_data_do_not_tell_apart_are_named_where_their_t1_differ():
    weights = [[0.9, 0.1, 0.0], [0.899, 0.101, 0.0], [0.8, 0.15, 0.05], [0.8, 0.15, 0.05], [0.0, 0.0, 0.0]]
    # T1 is 2.00(2) s; the second model says less by a little more or less than its error.
    beyond, within = 2.0 * np.exp(-0.0101), 2.0 * np.exp(-0.0099)
    rows = [{"others": [2.0, t1, 1.0]} for t1 in (beyond, beyond, beyond, within)]
    found = of_fits(*rows, FAILED, weights=weights, candidates=("single", "stretched", "bi"))
    assert found["model-undecided"].where == "2, 3"  # above 0.1, not at it
    assert "between single and stretched (" in found["model-undecided"].text
    assert "model-undecided" not in of_fits({}, weights=[[0.5, 0.5]], candidates=("single", "stretched"))


def bi(ratio=4.0, fraction=0.8, ratio_stderr=0.01, fraction_stderr=0.001):
    """Two exponentials; the fraction is that of the longer time."""
    return {
        "model": "bi",
        "ratio": ratio,
        "ratio_stderr": ratio_stderr,
        "component_fraction": (fraction, 1 - fraction),
        "component_fraction_stderr": (fraction_stderr, fraction_stderr),
    }


ALL = "all levels saturated or inverted, total signal"
CENTRAL = "central transition saturated or inverted, and observed"
EITHER = "after which preparation, the noise hides"


# A spin 3/2 with W1 = 4 W2 recovers with 4/5 and 1/5, or 1/2 and 1/2, at rates of 1:4 (Andrew and Tunstall 1961).
# On both sides of 15 % of the ratio or three standard errors, 0.05 of the fraction or three, of a factor of 2 in the
# ratio, and of 0.15 in the fraction. Where three standard errors hold both fractions, no preparation is named.
@pytest.mark.parametrize(
    ("changes", "protocol"),
    [
        ({}, ALL),
        ({"fraction": 0.5}, CENTRAL),
        ({"ratio": 4.59}, ALL),
        ({"ratio": 4.61}, None),
        ({"ratio": 3.41}, ALL),
        ({"ratio": 3.39}, None),
        ({"ratio": 5.49, "ratio_stderr": 0.5}, ALL),
        ({"ratio": 5.51, "ratio_stderr": 0.5}, None),
        ({"ratio_stderr": 1.99}, ALL),
        ({"ratio_stderr": 2.01}, None),
        ({"fraction": 0.751}, ALL),
        ({"fraction": 0.749}, None),
        ({"fraction": 0.849}, ALL),
        ({"fraction": 0.851}, None),
        ({"fraction": 0.451}, CENTRAL),
        ({"fraction": 0.449}, None),
        ({"fraction": 0.549}, CENTRAL),
        ({"fraction": 0.551}, None),
        ({"fraction": 0.681, "fraction_stderr": 0.04}, ALL),
        ({"fraction": 0.679, "fraction_stderr": 0.04}, None),
        ({"fraction": 0.649, "fraction_stderr": 1.0}, EITHER),
        ({"fraction": 0.651, "fraction_stderr": 1.0}, EITHER),
        ({"fraction": 0.349, "fraction_stderr": 1.0}, None),
        ({"fraction": 0.2}, None),  # of the shorter time 0.8: no spin 3/2
        ({"ratio_stderr": np.nan}, None),
        ({"fraction_stderr": np.nan}, None),
        ({"ratio": np.nan}, None),
    ],
)
def test_two_exponentials_of_one_site_are_called_that(changes, protocol):
    found = of_fits({}, bi(**changes))
    assert where(found, "one-site-two-rates") == ("2" if protocol else None)
    if protocol:
        assert f"one 23Na site on the slow flank ({protocol})" in found["one-site-two-rates"].text


def test_two_exponentials_are_named_by_protocol():
    found = list(of_relaxation(*fits(bi(), bi(fraction=0.5), {}, bi(), bi(ratio=10.0))))
    assert [(one.code, one.where) for one in found] == [
        ("exponentials-t1", "1, 2, 4, 5"),
        ("one-site-two-rates", "1, 4"),
        ("one-site-two-rates", "2"),
    ]


@pytest.mark.parametrize("nucleus", ["27Al", "1H", "2H", ""])
def test_two_exponentials_of_other_spins_may_be_sites(nucleus):
    assert set(of_fits(bi(), nucleus=nucleus)) == {"exponentials-t1"}


def test_nucleus_that_is_not_in_the_table_still_has_t1(sodium):
    # Its spin is unknown, and T1 needs none.
    recovery = nd.simulate(sodium, seed=1)
    recovery.attrs["nucleus"] = "235U"
    fitted = nd.fit_recovery(recovery, "single")
    assert fitted.t1.item() == pytest.approx(sodium.t1[0], abs=4 * fitted.t1_stderr.item())
    assert set(of_fits(bi(), nucleus="235U")) == {"exponentials-t1"}
    assert dips([0.0, -0.19, 0.0, 1.0], nucleus="235U") == {}


def dips(signal, *, first=None, stderr=0.01, delay=None, nucleus="23Na", **row):
    """Remarks on a second experiment with these intensities and an error of 0.01; the first grows unless said."""
    relaxation, _ = fits({}, row, nucleus=nucleus)
    n = len(signal)
    rows = ("experiment", "increment")
    recovery = xr.Dataset(
        {
            "signal": (rows, np.stack([np.linspace(0.0, 1.0, n) if first is None else first, signal])),
            "signal_stderr": (rows, np.full((2, n), stderr)),
        },
        coords={
            "experiment": ["1", "2"],
            "kind": ("experiment", ["saturation_recovery"] * 2),
            "delay": (rows, np.tile(np.geomspace(0.1, 20.0, n) if delay is None else delay, (2, 1))),
        },
    )
    return by_code(of_relaxation(relaxation, recovery))


# A line that falls before it recovers: by five standard errors of the lowest point and of the mean of what is earlier.
@pytest.mark.parametrize(
    ("signal", "dip"),
    [
        ([0.0, -0.0706, 0.5, 1.0], None),  # 4.99 of sqrt(2) 0.01
        ([0.0, -0.0709, 0.5, 1.0], "5"),
        ([0.01, -0.01, -0.0611, 0.5, 1.0], None),  # 4.99 of sqrt(3/2) 0.01
        ([0.01, -0.01, -0.0614, 0.5, 1.0], "5"),
        ([0.0, 0.2, 0.0, -0.19, 0.5, 1.0], "22"),  # below the mean of 0, 0.2 and 0: 22.2 of sqrt(4/3) 0.01
        ([-0.19, 0.0, 0.2, 1.0], None),
        ([np.nan, -0.19, 0.0, 1.0], None),  # the first was not recorded
        ([0.0, -0.19, np.nan, np.nan], None),  # no more than two were
        ([0.0, -0.19, 1.0, np.nan], "13"),
    ],
)
def test_recoveries_that_fall_first_are_named(signal, dip):
    found = dips(signal)
    assert where(found, "recovery-dips") == (None if dip is None else "2")
    if dip:
        assert f"by up to {dip} standard errors" in found["recovery-dips"].text


def test_recoveries_that_may_not_fall_or_may_are_not_named():
    falling = [0.0, -0.19, 0.0, 1.0]
    assert "recovery-dips" in dips(falling)
    assert "recovery-dips" in dips(falling, nucleus="2H")
    both = dips(falling, first=[0.0, -0.1, 0.0, 1.0])["recovery-dips"]
    assert both.where == "1, 2"
    assert "by up to 13 standard errors" in both.text  # 0.19 of sqrt(2) 0.01
    assert "recovery-dips" in dips(falling[1::-1] + falling[2:], delay=[0.5, 0.1, 1.0, 20.0])
    assert "recovery-dips" not in dips(falling, model="populations")  # which have that dip in them
    assert "recovery-dips" not in dips(falling, nucleus="1H")
    assert "recovery-dips" not in dips(falling, nucleus="")
    assert "recovery-dips" not in dips(falling, stderr=np.nan)  # and without a noise to compare with


# Correlation times: whether there are any


def test_t1_below_its_minimum_and_near_it():
    shortest, relative = OMEGA / (K * F_MINIMUM), 0.02
    t1 = shortest * np.exp(relative * np.array([-3.001, -2.999, 2.999, 3.001]))
    found = remarks(quadrupolar(), t1, relative)
    assert where(found, "t1-below-minimum") == "1"
    assert where(found, "near-minimum") == "2, 3"
    assert f"at 300 K is shorter than the shortest this mechanism allows ({shortest:.3g} s)" in (
        found["t1-below-minimum"].text
    )
    # Without a standard error nothing is near, and what is below is below.
    found = remarks(quadrupolar(), shortest * np.array([1 - 1e-9, 1 + 1e-9]), np.nan)
    assert (where(found, "t1-below-minimum"), where(found, "near-minimum")) == ("1", None)


def test_temperatures_of_t1_below_the_minimum_are_listed_in_order():
    found = remarks(quadrupolar(), [0.05, 61.13, 0.04], kelvin=[310.5, 320.0, 300.0])
    assert where(found, "t1-below-minimum") == "1, 3"
    assert "T1 at 300, 310.5 K is shorter" in found["t1-below-minimum"].text


# 1/T1 at its maximum is F_MINIMUM/omega times K, times (2/3) M2 of like spins, which have the same J, or a constant:
# what is left for K tells C_Q.
@pytest.mark.parametrize(
    ("beside", "rate"),
    [
        (None, 0.0),
        (nd.Background(r1=2.0), 2.0),
        (nd.Dipolar(nucleus="11B", partner="11B", second_moment=4e9), 8e9 / 3 * F_MINIMUM / OMEGA),
    ],
    ids=["alone", "background", "like spins"],
)
def test_coupling_that_a_short_t1_needs_is_said(beside, rate):
    mechanism = quadrupolar() if beside is None else quadrupolar() + beside
    found = remarks(mechanism, [0.02, 0.01, 61.13])
    needed = 0.1e6 * np.sqrt((1 / 0.01 - rate) * OMEGA / F_MINIMUM / K)
    assert where(found, "t1-below-minimum") == "1, 2"
    assert f"C_Q would have to be at least {needed / 1e6:.3g} MHz" in found["t1-below-minimum"].text


def test_coupling_needed_is_the_largest_of_all_fields():
    # C_Q^2 is proportional to omega/T1: 0.02 s at ten times the field needs more than 0.01 s.
    found = remarks(quadrupolar(), [0.01, 0.02], larmor=[LARMOR, 10 * LARMOR])
    needed = 0.1e6 * np.sqrt(10 * OMEGA / F_MINIMUM / K / 0.02)
    assert f"at least {needed / 1e6:.3g} MHz" in found["t1-below-minimum"].text


@pytest.mark.parametrize(
    "mechanism", [protons(), quadrupolar(cq=nd.LinearCoupling(value=0.1e6, slope=0.0, reference=300.0))]
)
def test_no_coupling_is_asked_for_where_none_can_be_changed(mechanism):
    found = remarks(mechanism, [0.01, 61.13])
    assert where(found, "t1-below-minimum") == "1"
    assert "C_Q" not in found["t1-below-minimum"].text


def test_t1_above_what_a_background_allows():
    mechanism, longest = quadrupolar() + nd.Background(r1=1e-2), 100.0
    found = remarks(mechanism, longest * np.array([1 - 1e-6, 1 + 1e-6, 1.5]))
    assert where(found, "t1-above-maximum") == "2, 3"
    assert "T1 up to 150 s" in found["t1-above-maximum"].text
    assert "t1-below-minimum" not in found
    assert where(remarks(mechanism, [99.0, 50.0]), "t1-above-maximum") is None


def ends_slowly():
    """A mechanism whose slow branch ends, and the longest T1 there: that of the internal motion, closed form."""
    longest = 1 / (K * 0.1 * (debye(OMEGA, 1e-12) + 4 * debye(2 * OMEGA, 1e-12)))
    return quadrupolar(spectral_density=nd.LipariSzabo(s2=0.9, tau_e=1e-12)), longest


@pytest.mark.parametrize(("slow", "expected"), [(None, "2"), (0.0, None), (1.0, "2"), (0.49, None), (0.51, "2")])
def test_t1_above_the_end_of_one_branch_matters_where_that_branch_is_meant(slow, expected):
    mechanism, longest = ends_slowly()
    found = remarks(mechanism, longest * np.array([0.99, 1.01]), slow=slow)
    assert where(found, "t1-above-maximum") == expected


# Where the T1 minimum lies between experiments, each has a branch of its own. Here the first is slow, the second fast.
@pytest.mark.parametrize("code", ["t1-above-maximum", "fast-implausible", "redfield"])
def test_branches_are_those_of_each_experiment(code):
    mechanism, longest = ends_slowly()
    cases = {
        "t1-above-maximum": (mechanism, [1.01 * longest] * 2, "1"),
        "fast-implausible": (quadrupolar(), t1_of([5e-15, 5e-15]), "2"),
        "redfield": (quadrupolar(cq=LARMOR), t1_of(np.array([0.5, 0.5]) / OMEGA, cq=LARMOR), "2"),
    }
    mechanism, t1, expected = cases[code]
    assert where(remarks(mechanism, t1), code) == "1, 2"
    assert where(remarks(mechanism, t1, slow=[1.0, 0.0]), code) == expected


def test_levels_of_an_experiment_relax_as_on_its_own_branch():
    # Of the first, whose fast root has one rate, a single exponential; of the second, whose slow root has two, more.
    data = relaxation(t1_of(np.array([0.01, 10.0]) / OMEGA), model="single")
    data["model"][1] = "populations"
    motion = nd.correlation_time(data, quadrupolar())
    for slow, flagged in (([0.0, 1.0], False), ([1.0, 1.0], True)):
        branches = (("experiment", "branch"), np.stack([1 - np.array(slow), slow], axis=-1))
        found = by_code(of_motion(motion.assign(branch_probability=branches), quadrupolar()))
        assert ("several-exponentials" in found) == flagged


# An experiment without a temperature has no C_Q that depends on it, and is said to have no temperature.
@pytest.mark.parametrize("cq", [0.1e6, nd.LinearCoupling(value=0.1e6, slope=-100.0, reference=300.0)])
def test_no_remark_speaks_of_a_temperature_that_is_not_a_number(cq):
    found = remarks(quadrupolar(cq=cq), [61.13, 0.05, 40.0, 0.01], kelvin=[300.0, np.nan, 320.0, 330.0])
    assert where(found, "t1-below-minimum") == ("2, 4" if cq == 0.1e6 else "4")
    assert not [finding for finding in found.values() if re.search(r"\bnan\b", finding.text)]


def test_no_remark_speaks_of_a_coupling_that_is_not_a_number():
    cq = nd.LinearCoupling(value=10e6, slope=-100.0, reference=300.0)
    found = remarks(quadrupolar(cq=cq), [0.05, 0.05, 0.05], kelvin=[300.0, np.nan, 320.0])
    assert "C_Q (10 MHz)" in found["not-high-field"].text


# Correlation times: whether theory holds


@pytest.mark.parametrize("beside", [None, protons()])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("factor", "flagged"), [(1.0, False), (1 + 1e-9, True)])
def test_coupling_above_a_twentieth_of_the_field_is_named(factor, flagged, sign, beside):
    part = quadrupolar(cq=sign * 0.05 * LARMOR * factor)
    found = remarks(part if beside is None else part + beside, [1.0])
    assert where(found, "not-high-field") == ("" if flagged else None)
    if flagged:
        assert "C_Q (8.02 MHz) is above 0.05 of the Larmor frequency" in found["not-high-field"].text


def test_the_lowest_field_and_the_largest_coupling_count():
    assert "not-high-field" in remarks(quadrupolar(cq=0.05 * LARMOR), [1.0, 1.0], larmor=[LARMOR, 0.9 * LARMOR])
    falling = quadrupolar(cq=nd.LinearCoupling(value=0.05 * LARMOR, slope=-1e4, reference=300.0))
    assert "not-high-field" not in remarks(falling, [1.0, 1.0], kelvin=[300.0, 310.0])
    found = remarks(falling, [1.0, 1.0], kelvin=[310.0, 299.0])
    assert "C_Q (8.03 MHz)" in found["not-high-field"].text
    assert "not-high-field" not in remarks(protons(distance=0.5e-10), [1.0])


def test_energies_above_a_hundredth_of_kt_are_named():
    # h nu / kT, with h = 4.135667696e-15 eV s (CODATA 2018): 0.77 K in 11.7 T.
    kelvin = 4.135667696e-15 * LARMOR / (0.01 * K_B)
    found = remarks(quadrupolar(), [61.13] * 4, kelvin=[kelvin * (1 + 1e-6), kelvin * (1 - 1e-6), 300.0, np.nan])
    assert where(found, "not-high-temperature") == "2"
    assert where(remarks(quadrupolar(), [61.13], kelvin=[4.0]), "not-high-temperature") is None


def test_relaxation_too_strong_for_second_order_is_named_on_the_fast_branch_only():
    strong = strength(cq=LARMOR)
    # tau_c/T1 = (K/omega^2) x f(x), which grows with x and goes on growing beyond the minimum.
    x = brentq(lambda x: strong / OMEGA**2 * x * f(x) - 1e-2, 1e-6, X_MINIMUM, xtol=1e-14)
    t1 = t1_of(x / OMEGA * np.array([1 - 1e-6, 1 + 1e-6]), cq=LARMOR)
    mechanism = quadrupolar(cq=LARMOR)
    for slow, begins in ((None, "on the fast branch tau_c"), (0.0, "tau_c"), (0.49, "tau_c")):
        found = remarks(mechanism, t1, slow=slow)
        assert where(found, "redfield") == "2"
        assert found["redfield"].text.startswith(f"{begins} exceeds 0.01 T1")
    for slow in (0.51, 1.0):
        assert "redfield" not in remarks(mechanism, t1, slow=slow)


def test_motion_faster_than_a_vibration_is_named_on_the_fast_branch_only():
    t1 = t1_of(1e-14 * np.array([1 + 1e-6, 1 - 1e-6, 0.3]))
    for slow, begins in ((None, "on the fast branch tau_c"), (0.0, "tau_c"), (0.49, "tau_c")):
        found = remarks(quadrupolar(), t1, slow=slow)
        assert where(found, "fast-implausible") == "2, 3"
        assert found["fast-implausible"].text.startswith(f"{begins} would be 3e-15 s")
    for slow in (0.51, 1.0):
        assert "fast-implausible" not in remarks(quadrupolar(), t1, slow=slow)


# W1/W2 = J(omega)/J(2 omega) = (1 + 4x^2)/(1 + x^2): 1.12 where omega tau_c is 0.2, and 4 on the slow flank.
@pytest.mark.parametrize(
    ("x", "slow", "begins"),
    [
        (0.1998, 0.0, None),
        (0.2002, 0.0, "at omega tau_c above 0.2 a spin 1.5"),
        (0.2002, 0.49, "at omega tau_c above 0.2 a spin 1.5"),
        (1e-3, 0.49, None),
        (1e-3, 0.51, "on the slow branch a spin 1.5"),
        (1e-3, None, "on the slow branch a spin 1.5"),
        (100.0, 1.0, "on the slow branch a spin 1.5"),
    ],
)
def test_an_exponential_where_there_are_several_is_named(x, slow, begins):
    found = remarks(quadrupolar(), t1_of([x / OMEGA]), slow=slow, model="single")
    assert where(found, "several-exponentials") == (None if begins is None else "")
    if begins:
        assert found["several-exponentials"].text.startswith(begins)


@pytest.mark.parametrize(
    ("mechanism", "model", "flagged"),
    [
        (quadrupolar(), "single", True),
        (quadrupolar(), "stretched", True),
        (quadrupolar(), "bi", False),
        (quadrupolar(), "populations", False),
        (quadrupolar(), "given", False),
        (quadrupolar(), None, False),
        (nd.BPP(nucleus="27Al", cq=0.1e6, eta=0.4), "single", True),
        (nd.BPP(spin=3.5, cq=0.1e6, eta=0.4), "single", True),
        (nd.BPP(nucleus="2H", cq=0.1e6, eta=0.4), "single", False),  # total <Iz> of spin 1 has one rate
        (protons(), "single", False),  # a magnetic field has one rate
        (nd.Dipolar(nucleus="1H", partner="1H", distance=2e-10), "single", False),
    ],
)
def test_single_and_stretched_exponentials_of_quadrupolar_spins_above_1_are_named(mechanism, model, flagged):
    tau = 100 / OMEGA
    found = remarks(mechanism, 1 / mechanism.rate(tau, LARMOR), slow=1.0, model=model)
    assert where(found, "several-exponentials") == ("" if flagged else None)


@pytest.mark.parametrize(("factor", "flagged"), [(0.999, False), (1.001, True)])
def test_quadrupolar_rates_below_a_tenth_of_the_magnetic_one_do_not_show(factor, flagged):
    # W1, W2 = (3 pi^2 / 10 I) C_Q^2 (1 + eta^2/3) J, W = r1/2 (Andrew and Tunstall 1961), at omega tau_c = 10.
    tau = 10 / OMEGA
    w1, w2 = (np.pi**2 / 5 * 0.1e6**2 * (1 + 0.16 / 3) * debye(n * OMEGA, tau) for n in (1, 2))
    r1 = 2 * (w1 + w2) / (0.1 * factor)
    found = remarks(quadrupolar() + nd.Background(r1=r1), 1 / (1 / t1_of(tau) + r1), slow=1.0, model="single")
    assert ("several-exponentials" in found) == flagged


def test_experiments_of_other_models_and_unknown_temperature_do_not_count():
    data = relaxation(t1_of([1e-6, 1e-6, 1e-6]), kelvin=[np.nan, 300.0, 310.0], model="single")
    data["model"][1:] = "populations"
    assert "several-exponentials" not in by_code(attached(nd.correlation_time(data, quadrupolar())))
    data["model"][2] = "single"
    assert "several-exponentials" in by_code(attached(nd.correlation_time(data, quadrupolar())))


# 11B in BH4- at C_Q = 0.1 MHz and 160.49 MHz: four protons at 1.20 Å relax it 1.69 times as strongly as its quadrupole
# moment on the slow flank, and 1.89 times on the fast one. One proton adds a tenth from 1.2 Å (16.9/4)^(1/6) on.
@pytest.mark.parametrize(("slow", "tau", "distance"), [(1.0, 1e-6, "1.5"), (0.0, 4e-13, "1.6"), (None, 1e-6, "1.6")])
def test_proton_that_would_matter_is_said(slow, tau, distance):
    expected = 1.2 * (10 * dipolar_rate(tau) * t1_of(tau) / 4) ** (1 / 6)
    if slow is not None:
        assert f"{expected:.1f}" == distance
    found = remarks(quadrupolar(), t1_of([tau]), slow=slow)
    assert where(found, "dipolar-unchecked") == ""
    assert f"one proton nearer than {distance} Å to 11B" in found["dipolar-unchecked"].text


@dataclass(frozen=True)
class ProtonField(Mechanism):
    """A field on a proton that is not called dipolar."""

    kind = "field"
    nucleus = "1H"
    spin = 0.5
    quantities = {}  # noqa: RUF012

    def transition_rates(self, tau_c, larmor_frequency):
        w = 1e7 * debye(2 * np.pi * larmor_frequency, np.asarray(tau_c))
        return 0 * w, 0 * w, w

    rate_t2 = rate_t1rho = None


@pytest.mark.parametrize(
    "mechanism",
    [
        nd.BPP(nucleus="23Na", cq=1e6, eta=0.1),
        quadrupolar() + protons(distance=10e-10, count=1),
        quadrupolar() + nd.Dipolar(nucleus="11B", partner="7Li", distance=10e-10),
        protons(),
        nd.BPP(spin=1.5, cq=0.1e6, eta=0.4),  # of no nucleus
        ProtonField(),
    ],
)
def test_protons_are_not_asked_for_where_they_hardly_matter_or_were_considered(mechanism):
    t1 = 1 / mechanism.rate(100 / OMEGA, LARMOR)
    for slow in (None, 0.0, 1.0):
        assert "dipolar-unchecked" not in remarks(mechanism, t1, slow=slow)


@pytest.mark.parametrize(("factor", "flagged"), [(0.999, True), (1.001, False)])
def test_a_proton_at_one_angstrom_is_the_nearest(factor, flagged):
    # C_Q at which it has a tenth of the quadrupolar rate.
    tau = 1e-6
    cq = 0.1e6 * np.sqrt(10 * dipolar_rate(tau, 1e-10, 1) * t1_of(tau))
    assert 0.2e6 < cq < 0.5e6
    found = remarks(quadrupolar(cq=factor * cq), t1_of([tau], cq=factor * cq), slow=1.0)
    assert ("dipolar-unchecked" in found) == flagged
    if flagged:
        assert "nearer than 1.0 Å" in found["dipolar-unchecked"].text


def trend(slope, strength, kelvin=(300.0, 310.0, 325.0, 345.0)):
    """T1 of slope `slope` [K] in ln T1 against 1/T, whose least-squares line has it at `strength` standard errors."""
    inverse = 1 / np.array(kelvin)
    n, centred = inverse.size, inverse - inverse.mean()
    # A residual of unit length that the line takes nothing of.
    other = np.linalg.qr(np.stack([np.ones(n), inverse, inverse**2], axis=1))[0][:, 2]
    noise = abs(slope) * np.sqrt(centred @ centred * (n - 2)) / strength
    return 60 * np.exp(slope * centred + noise * other)


@pytest.mark.parametrize(
    ("slope", "slow", "words"),
    [
        (1000.0, 0.0, "T1 falls on heating, which an activated motion does not do on the fast branch"),
        (1000.0, 1.0, None),
        (-1000.0, 1.0, "T1 rises on heating, which an activated motion does not do on the slow branch"),
        (-1000.0, 0.0, None),
        (1000.0, 0.049, "T1 falls"),
        (1000.0, 0.051, None),  # undecided
        (-1000.0, 0.949, None),
        (-1000.0, 0.951, "T1 rises"),
        (-1000.0, [1.0, 1.0, 0.9, np.nan], "T1 rises"),  # 0.967 of those that were weighed
        (-1000.0, [1.0, 1.0, 0.8, np.nan], None),  # 0.933
    ],
)
def test_trend_of_t1_against_its_branch_is_named(slope, slow, words):
    found = remarks(quadrupolar(), trend(slope, 3.01), slow=slow, kelvin=(300.0, 310.0, 325.0, 345.0))
    assert where(found, "branch-trend") == (None if words is None else "")
    if words:
        assert found["branch-trend"].text.startswith(words)
    found = remarks(quadrupolar(), trend(slope, 2.99), slow=slow, kelvin=(300.0, 310.0, 325.0, 345.0))
    assert "branch-trend" not in found


@pytest.mark.parametrize(
    ("t1", "kelvin"),
    [
        ([60.0, 50.0, 40.0], [300.0, 300.0, 320.0]),
        ([60.0, 50.0, 40.0], [300.0, 310.0, np.nan]),
        ([60.0, 50.0, np.nan], [300.0, 310.0, 320.0]),
        ([61.0, 61.0, 61.0], [250.0, 300.0, 350.0]),
    ],
    ids=["two temperatures", "two known temperatures", "two values", "no trend"],
)
def test_no_trend_is_seen_where_there_is_none(t1, kelvin):
    for slow in (0.0, 1.0):
        assert "branch-trend" not in remarks(quadrupolar(), t1, slow=slow, kelvin=kelvin)


def test_trend_needs_branches_that_were_weighed():
    assert "branch-trend" not in remarks(quadrupolar(), trend(-1000.0, 30.0), kelvin=(300.0, 310.0, 325.0, 345.0))


# The posterior's own


def hop(data=None, *, name="hop", mechanism=None, **options):
    data = relaxation(t1_of([1e-6, 0.5e-6, 0.3e-6])) if data is None else data
    return nd.Process(name, data, mechanism=mechanism or quadrupolar(), **options)


def model_of(process, priors=None):
    """Without scatter, so that closed forms hold."""
    known = {f"{process.name}.scatter": 0.0} | (priors or {})
    return JointModel([measurements(process, {process.datum: process.data})], {}, known)


def on_process(process):
    stages = {"motion": nd.correlation_time(process.data, process.mechanism)}
    one = measurements(process, {"relaxation": process.data})
    return by_code(_of_process(one, stages, {}))


@pytest.mark.parametrize(
    ("transition", "flagged"),
    [(None, False), (299.0, False), (300.0, False), (310.01, True), (320.0, True), (330.01, False)],
)
def test_phase_transition_inside_the_data_is_named(transition, flagged):
    data = relaxation(t1_of([1e-6, 0.5e-6, 0.3e-6, 0.2e-6]))
    found = on_process(hop(data, transition=transition))
    assert where(found, "two-phases") == ("hop" if flagged else None)
    if flagged:
        assert f"the phase transition at {transition:g} K" in found["two-phases"].text


@pytest.mark.parametrize("transition", [300.01, 320.0])
def test_side_of_a_transition_with_one_temperature_is_refused(transition):
    with pytest.raises(nd.InputError, match=r"hop: needed two temperatures or more on each side .*leave out the side"):
        hop(transition=transition)


def test_phase_transition_concerns_conductivities_too():
    data = {name: ("experiment", np.full(4, 0.1)) for name in ("conductivity", "conductivity_stderr")}
    coords = relaxation([1.0] * 4, kelvin=[290.0, 300.0, 310.0, 320.0]).drop_vars("larmor_frequency").coords
    table = stamp(xr.Dataset(data, coords=coords), "transport")
    for at, flagged in ((305.0, True), (321.0, False)):
        process = nd.Process("eis", table, mechanism=nd.Conductivity("sigma_T"), transition=at)
        found = by_code(_of_process(measurements(process, {"transport": table}), {"transport": table}, {}))
        assert where(found, "two-phases") == ("eis" if flagged else None)


def test_remarks_on_the_data_carry_the_name_of_their_process():
    data = attach(relaxation([61.13, 50.0, 40.0]), [Finding("by-hand", "2, 3", "as said"), Finding("of-all", "", "so")])
    data.attrs["left_out"] = json.dumps({"4": "excluded by the study", "7": "excluded by the study", "5": "too hot"})
    process = hop(data, name="BH4 rotation")
    one = measurements(process, {"relaxation": data})
    listed = list(_of_process(one, {"motion": nd.correlation_time(data, quadrupolar())}, {}))
    assert Finding("by-hand", "BH4 rotation/2, 3", "as said") in listed
    assert Finding("of-all", "BH4 rotation", "so") in listed
    assert Finding("left-out", "BH4 rotation/4, 7", "left out: excluded by the study") in listed
    assert Finding("left-out", "BH4 rotation/5", "left out: too hot") in listed
    assert {one.where.split("/")[0] for one in listed} == {"BH4 rotation"}


def drawn(log10_tau0):
    """Draws in which log10 tau0 has these values, and the barrier is 0.4 eV."""
    return np.stack([np.full(len(log10_tau0), 0.4), np.array(log10_tau0, dtype=float)], axis=-1)


@pytest.mark.parametrize(
    ("inside", "outside", "flagged"),
    [
        ([-12.0] * 5, [-10.0] * 95, False),  # 5 % is not less than 5 %
        ([-12.0] * 4, [-10.0] * 96, True),
        ([-14.999] * 5, [-15.001] * 95, False),
        ([-11.001] * 5, [-10.999] * 95, False),
        ([], [-15.001] * 100, True),
        ([], [-10.999] * 100, True),
        ([-14.999] * 100, [], False),
        ([-11.001] * 100, [], False),
    ],
)
def test_attempt_times_that_no_vibration_has_are_named(inside, outside, flagged):
    model = model_of(hop())
    found = by_code(_of_prefactors(model, drawn(inside + outside)))
    assert where(found, "tau0-implausible") == ("hop.log10_tau0" if flagged else None)
    if flagged:
        assert f"about 1e{np.median(inside + outside):.1f} s" in found["tau0-implausible"].text


# Quantities of a mechanism with priors

TAU0_AND_BARRIER = [0.4, -12.0]
QUANTITIES = {
    "cq": (quadrupolar(), 0.12e6, "Hz"),
    "eta": (quadrupolar(), 0.7, ""),
    "distance": (quadrupolar() + protons(), 1.3e-10, "m"),
    "second_moment": (
        quadrupolar() + nd.Dipolar(nucleus="11B", partner="1H", second_moment=1e10),
        2e10,
        "rad^2 s^-2",
    ),
    "r1": (quadrupolar() + nd.Background(r1=1e-3), 2e-3, "s^-1"),
}


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_sampled_quantity_does_what_a_fixed_one_does(name):
    mechanism, value, unit = QUANTITIES[name]
    model = model_of(hop(mechanism=mechanism), {f"hop.{name}": nd.Normal(value, 0.1 * value)})
    assert model.parameters == ["hop.activation_energy", "hop.log10_tau0", f"hop.{name}"]
    assert model.unit(f"hop.{name}") == unit
    values = value * np.array([1.0, 1.1])
    theta = np.array([[*TAU0_AND_BARRIER, one] for one in values])
    fixed = [
        model_of(hop(mechanism=mechanism.with_values(**{name: one}))).log_likelihood(np.array([TAU0_AND_BARRIER]))[0]
        for one in values
    ]
    np.testing.assert_allclose(model.log_likelihood(theta), fixed, rtol=1e-12)
    assert fixed[0] != fixed[1]
    # What cannot be has no density; eta ends at 1 as well.
    outside = [-value, 1.01] if name == "eta" else [-value]
    assert np.all(np.isneginf(model(np.array([[*TAU0_AND_BARRIER, one] for one in outside]))))
    assert np.all(np.isfinite(model(theta)))


TWO_SHELLS = protons() + protons(distance=2.5e-10)
LAW = nd.LinearCoupling(value=0.1e6, slope=-100.0, reference=300.0)


@pytest.mark.parametrize(
    ("mechanism", "name"),
    [
        (quadrupolar(), "distance"),
        (quadrupolar(), "r1"),
        (quadrupolar(), "fluctuating"),
        (quadrupolar() + protons(), "second_moment"),
        (quadrupolar() + protons(), "count"),
        (protons(), "cq"),
        (quadrupolar() + TWO_SHELLS, "distance"),  # of which of the two?
        (quadrupolar(cq=LAW), "cq"),
    ],
)
def test_priors_of_what_a_mechanism_does_not_have_are_refused(mechanism, name):
    with pytest.raises(nd.InputError) as error:
        nd.infer([hop(name="BH4", mechanism=mechanism)], seed=1, priors={f"BH4.{name}": nd.Normal(1.0, 0.1)})
    assert f"found BH4.{name}" in str(error.value)
    # All that could have been meant are listed.
    for known in ("activation_energy", "log10_tau0", *mechanism.quantities):
        assert f"BH4.{known}" in str(error.value).split(", found")[0]


@pytest.mark.parametrize("prior", [nd.Normal(-1.2e-10, 1e-11), nd.Uniform(-2e-10, 1e-10)])
def test_priors_about_negative_values_are_refused(prior):
    with pytest.raises(nd.InputError, match=r"hop\.distance: needed a prior about a possible value"):
        model_of(hop(mechanism=protons()), {"hop.distance": prior})


# What is inferred, against closed forms on the flanks of T1

KELVIN = np.array([290.0, 303.0, 316.0, 328.0, 340.0])
NOISE = 0.005


def noisy(t1, seed=1):
    return t1 * np.exp(NOISE * np.random.default_rng(seed).standard_normal(t1.shape))


def line(kelvin, ln_tau):
    """Least squares of ln tau_c = ln tau0 + Ea/kT with errors of `NOISE`: mean and covariance of (Ea, ln tau0)."""
    design = np.stack([1 / (K_B * kelvin), np.ones(kelvin.size)], axis=1)
    return np.linalg.lstsq(design, ln_tau, rcond=None)[0], NOISE**2 * np.linalg.inv(design.T @ design)


@dataclass(frozen=True)
class Draws:
    """Draws of (Ea, ln tau0) (2, draw), their weights, and how many equally weighted ones they are worth."""

    value: np.ndarray
    weight: np.ndarray
    effective: float

    @property
    def mean(self):
        return self.value @ self.weight

    @property
    def sd(self):
        return np.sqrt((self.value - self.mean[:, None]) ** 2 @ self.weight)


def inferred(posterior):
    """The draws of the only process that is called "hop", which have converged."""
    draws = posterior["posterior"]
    energy, log10_tau0 = (draws[f"hop.{name}"].values.ravel() for name in ("activation_energy", "log10_tau0"))
    assert posterior.attrs["passed"] == 1
    ess = json.loads(posterior.attrs["processes"])["hop"]["diagnostics"]["ess"]
    return Draws(np.stack([energy, np.log(10) * log10_tau0]), np.full(energy.size, 1 / energy.size), ess)


def weighed(process):
    """The same by the importance sampling from which `infer` starts."""
    modes = find_modes(model_of(process), np.random.default_rng(1))
    return Draws(modes.draws[:, :2].T * [[1.0], [np.log(10)]], modes.draw_weight, modes.effective_draws)


def assert_draws_follow(draws, mean, covariance):
    """Means within five Monte Carlo errors and standard deviations within five of theirs."""
    assert draws.effective >= 1000
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_array_less(np.abs(draws.mean - mean), 5 * sd / np.sqrt(draws.effective))
    np.testing.assert_array_less(np.abs(draws.sd / sd - 1), 5 / np.sqrt(2 * draws.effective))


# omega tau_c is above 700 everywhere: the flank is straight to 2e-6.
ROTATION = 1e-6 * np.exp(0.4 / K_B * (1 / KELVIN - 1 / 333.15))
# 1/T1 = SLOW/tau_c on it, for each mechanism.
SLOW = {
    "quadrupolar": 2 * K / OMEGA**2,
    "dipolar": 0.4 * PAIR**2 / OMEGA**2 * ((1 - PROTON) ** -2 + 3 + 6 * (1 + PROTON) ** -2),
}


@pytest.fixture(scope="module")
def borohydride():
    """11B in BH4-, relaxed by its quadrupole moment and four protons: T1, and the posterior of both mechanisms."""
    data = relaxation(noisy(1 / (1 / t1_of(ROTATION) + dipolar_rate(ROTATION))), NOISE, kelvin=KELVIN)
    return data, nd.infer([hop(data, mechanism=quadrupolar() + protons())], seed=1, priors={"hop.scatter": 0.0})


def test_mechanisms_that_add_up_give_the_barrier_and_its_prefactor(borohydride):
    data, posterior = borohydride
    mean, covariance = line(KELVIN, np.log(data["t1"].values * sum(SLOW.values())))
    draws = inferred(posterior)
    assert_draws_follow(draws, mean, covariance)
    truth = 0.4, np.log(1e-6) - 0.4 / (K_B * 333.15)
    assert np.all(np.abs(draws.mean - truth) < 3 * draws.sd)


def test_a_mechanism_left_out_shifts_the_prefactor_and_not_the_barrier(borohydride):
    data, posterior = borohydride
    mean, covariance = line(KELVIN, np.log(data["t1"].values * SLOW["quadrupolar"]))
    both, alone = inferred(posterior), weighed(hop(data, mechanism=quadrupolar()))
    assert_draws_follow(alone, mean, covariance)
    shift = alone.mean - both.mean
    error = 5 * np.hypot(both.sd / np.sqrt(both.effective), alone.sd / np.sqrt(alone.effective))
    assert abs(shift[0]) < error[0]
    # 1/T1 of 0.01636 and 0.02764 /s at 1 µs, four protons at 1.20 Å: tau0 comes out shorter by 2.69.
    assert shift[1] == pytest.approx(-np.log(1 + 0.02764 / 0.01636), abs=error[1])
    assert error[1] < 0.02


def test_summary_has_the_budget_of_mechanisms_that_add_up(borohydride):
    _, posterior = borohydride
    summary = summarise(posterior, nd.compare(posterior))
    budget = summary["processes"]["hop"]["mechanism_budget"]
    assert {branch: list(parts) for branch, parts in budget.items()} == {
        "fast": ["quadrupolar", "dipolar 1H"],
        "slow": ["quadrupolar", "dipolar 1H"],
    }
    # Both rates are 1/tau_c on the slow flank and proportional to tau_c on the fast: shares that do not change. The
    # ratio of the magnetic moments is that of the frequencies to 1.8e-4, of which the share takes a fifth; the fast
    # branch is straight to 4e-6.
    for branch, share, tolerance in (
        ("slow", SLOW["quadrupolar"] / sum(SLOW.values()), 5e-5),
        ("fast", K / (K + 0.8 * PAIR**2), 4e-6),
    ):
        assert budget[branch]["quadrupolar"] == pytest.approx([share, share], rel=tolerance)
        assert budget[branch]["dipolar 1H"] == pytest.approx([1 - share, 1 - share], rel=tolerance)
    assert json.loads(json.dumps(summary)) == summary


def test_budget_spans_all_experiments_that_have_a_tau_c(borohydride):
    # A background has the share r1 T1, whatever tau_c is; the last T1 is too short for any.
    _, posterior = borohydride
    mechanism = quadrupolar() + nd.Background(r1=1e-2)
    tree = posterior.copy()

    def budget(t1, mechanism):
        tree["/processes/hop/motion"] = xr.DataTree(nd.correlation_time(relaxation(t1), mechanism))
        return summarise(tree, nd.compare(posterior))["processes"]["hop"]["mechanism_budget"]

    found = budget([20.0, 80.0, 50.0, 0.01], mechanism)
    for branch in ("fast", "slow"):
        assert found[branch]["background"] == pytest.approx([0.2, 0.8], rel=1e-12)
        assert found[branch]["quadrupolar"] == pytest.approx([0.2, 0.8], rel=1e-12)
    assert budget([0.01], mechanism) == {}
    assert budget([20.0], quadrupolar()) is None


def test_uncertain_distance_widens_the_prefactor_by_six_times_and_not_the_barrier():
    t1, relative = noisy(1 / dipolar_rate(ROTATION)), 0.02
    process = hop(relaxation(t1, NOISE, kelvin=KELVIN), mechanism=protons())
    posterior = nd.infer(
        [process], seed=1, priors={"hop.distance": nd.Normal(1.2e-10, relative * 1.2e-10), "hop.scatter": 0.0}
    )
    mean, covariance = line(KELVIN, np.log(t1 * SLOW["dipolar"]))
    # T1 is proportional to r^6 tau_c: ln tau0 takes up -6 ln r, whose spread is (sigma/r)^2 to 0.1 %.
    draws = inferred(posterior)
    assert_draws_follow(draws, mean, covariance + np.diag([0.0, (6 * relative) ** 2]))
    assert (6 * relative) ** 2 > 5 * covariance[1, 1]
    distance = posterior["posterior"]["hop.distance"]
    slope = np.polyfit(np.log(distance.values.ravel()), draws.value[1], 1)[0]
    assert slope == pytest.approx(-6, abs=5 * np.sqrt(covariance[1, 1] / draws.effective) / relative)
    assert distance.attrs["units"] == "m"


# 23Na whose C_Q loses 0.1 % a kelvin. T1 is tau_c omega^2/(2K) at omega tau_c of 500 and more, and 1/(5 K tau_c) at
# 0.0014 and less: both to 7e-6.
@pytest.mark.parametrize(("branch", "tau", "sign"), [("slow", 1e-6, 1), ("fast", 1e-12, -1)])
def test_coupling_that_changes_with_temperature_and_its_bias_where_it_is_taken_as_constant(branch, tau, sign):
    coupling, larmor = nd.LinearCoupling(value=1e6, slope=-1e3, reference=316.0), 132.32e6
    ln_tau = np.log(tau) + 0.2 / K_B * (1 / KELVIN - 1 / 316.0)
    cq = 1e6 - 1e3 * (KELVIN - 316.0)

    def ln_t1_at_1_second(cq):
        """ln T1 for tau_c of 1 s, on the straight flank."""
        k = strength(cq, 0.1)
        return np.log((2 * np.pi * larmor) ** 2 / (2 * k)) if sign > 0 else -np.log(5 * k)

    t1 = noisy(np.exp(ln_t1_at_1_second(cq) + sign * ln_tau))
    data = relaxation(t1, NOISE, kelvin=KELVIN, nucleus="23Na", larmor=larmor)
    law, constant = (hop(data, mechanism=nd.BPP(nucleus="23Na", cq=c_q, eta=0.1)) for c_q in (coupling, 1e6))
    mean, covariance = line(KELVIN, sign * (np.log(t1) - ln_t1_at_1_second(cq)))
    assert abs(mean[0] - 0.2) < 3 * np.sqrt(covariance[0, 0])
    assert_draws_follow(weighed(law), mean, covariance)
    biased, _ = line(KELVIN, sign * (np.log(t1) - ln_t1_at_1_second(1e6)))
    assert_draws_follow(weighed(constant), biased, covariance)
    # The line weighs a shift that changes by 40 % over the range; it is that of the middle to second order, 1 %.
    middle = 1 / np.mean(1 / KELVIN)
    assert biased[0] - mean[0] == pytest.approx(-sign * float(coupling.barrier_shift(middle)), rel=0.01)
    if branch == "slow":
        return
    posterior = nd.infer([law], seed=1, priors={f"{law.name}.scatter": 0.0})
    assert_draws_follow(inferred(posterior), mean, covariance)
    assert json.loads(posterior.attrs["processes"])["hop"]["branch"]["fast"] > 0.999
    motion = posterior["processes/hop/motion"].dataset
    np.testing.assert_allclose(motion["tau_c"].sel(branch="fast"), np.exp(ln_tau), rtol=5 * NOISE)


# From the recovery to the report


@pytest.fixture(scope="module")
def travelled(sodium, tmp_path_factory):
    """23Na on the slow branch, with a remark from elsewhere and a phase transition; its posterior, summary and page."""
    truth = replace(
        sodium,
        temperature=[280.0, 290.0, 310.0, 330.0],
    )
    recovery = attach(nd.simulate(truth, seed=1), [Finding("by-hand", "1", "<b>T1</b> & co")])
    mechanism = nd.BPP(nucleus="23Na", cq=1e6, eta=0.1)
    process = nd.Process(
        "Na hop", recovery, mechanism=mechanism, recovery=nd.SingleExponential(), transition=300.0, role="hop"
    )
    posterior = nd.infer([process], seed=1, priors={f"{process.name}.scatter": 0.0})
    folder = tmp_path_factory.mktemp("travelled")
    nd.report(posterior, folder)
    plain = nd.correlation_time(nd.fit_recovery(recovery, "single"), mechanism)
    return posterior, folder, plain


def test_branches_are_weighed_before_remarks_on_them_are_made(travelled):
    posterior, _, plain = travelled
    # T1 of 43 s at 290 K would be 6 fs on the fast branch, which the fall of T1 on heating excludes.
    assert where(by_code(attached(plain)), "fast-implausible") == "1, 2"
    assert json.loads(posterior.attrs["processes"])["Na hop"]["branch"]["slow"] > 0.999
    motion = attached(posterior["processes/Na hop/motion"].dataset)
    assert [finding.code for finding in motion] == ["by-hand", "several-exponentials"]
    assert by_code(motion)["several-exponentials"].text.startswith("on the slow branch a spin 1.5")
    codes = [entry["code"] for entry in json.loads(posterior.attrs["warnings"])]
    assert "fast-implausible" not in codes
    assert "branch-trend" not in codes


def test_remarks_travel_from_the_recovery_to_the_report(travelled):
    posterior, folder, _ = travelled
    said = Finding("by-hand", "1", "<b>T1</b> & co")
    for stage in ("recovery", "relaxation", "motion"):
        assert attached(posterior[f"processes/Na hop/{stage}"].dataset)[0] == said
    warnings = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["warnings"]
    assert warnings == json.loads(posterior.attrs["warnings"])
    assert {"code": "by-hand", "where": "Na hop/1", "text": "<b>T1</b> & co"} in warnings
    assert ("several-exponentials", "Na hop") in [(entry["code"], entry["where"]) for entry in warnings]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<strong>Na hop/1</strong>: &lt;b&gt;T1&lt;/b&gt; &amp; co <code>by-hand</code>" in page
    assert "<b>T1" not in page
    for entry in warnings:
        assert f"<code>{entry['code']}</code>" in page
    with xr.open_datatree(folder / "results.nc", engine="h5netcdf") as stored:
        assert attached(stored["processes/Na hop/motion"].to_dataset())[0] == said


def test_phase_transition_stands_beside_the_barrier(travelled):
    posterior, folder, _ = travelled
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    found = {entry["code"]: entry for entry in summary["warnings"]}
    assert found["two-phases"]["where"] == "Na hop"
    assert "300 K" in found["two-phases"]["text"]
    barriers = summary["processes"]["Na hop"]["barriers_eV"]
    assert list(barriers) == ["Na hop below", "Na hop above"]
    assert summary["processes"]["Na hop"]["activation_energy_eV"] is None
    below, above, _ = verdict_lines(summary)
    assert below.startswith("Na hop below: ")
    assert above.startswith(f"Na hop above: {1e3 * barriers['Na hop above']['median']:.0f} meV")
    assert summary["processes"]["Na hop"]["mechanism_budget"] is None
    assert posterior.attrs["passed"] == 1


def test_findings_of_several_places_are_merged_and_narrowed():
    said = [Finding("a", "1", "x"), Finding("b", "1", "x"), Finding("a", "3", "x"), Finding("c", "", "y")]
    together = merged(said)
    assert together == [Finding("a", "1, 3", "x"), Finding("b", "1", "x"), Finding("c", "", "y")]
    assert within(together, {"3"}) == [Finding("a", "3", "x"), Finding("c", "", "y")]


@pytest.mark.parametrize(("depth", "told"), [(0.3, True), (0.8, False)])
def test_saturation_that_left_most_of_the_signal_is_told(sodium, depth, told):
    fitted = nd.fit_recovery(nd.simulate(replace(sodium, depth=depth, snr=200), seed=1), "single")
    found = [finding for finding in attached(fitted) if finding.code == "depth-low"]
    assert [finding.where for finding in found] == (["1"] if told else [])
    if told:
        assert "only 30 % of the signal recovers" in found[0].text
