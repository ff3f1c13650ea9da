"""The parts of the report that need no browser: places of points and warnings, levers, methods, many experiments."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import nmrdyn as nd
from nmrdyn.plot import points
from nmrdyn.plot.points import svg_with_points
from nmrdyn.report import pictures
from nmrdyn.report.levers import conclusion, levers
from nmrdyn.report.methods import methods
from nmrdyn.report.page import render
from nmrdyn.report.pictures import measured_pictures, recovery_pictures
from nmrdyn.report.places import placed
from nmrdyn.report.summary import DOUBTS, summarise


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Without corner plots, which are slow to draw and nothing here looks at."""
    monkeypatch.setattr(pictures.plot, "corner", lambda *_: Figure())


def eis(barrier, seed):
    return nd.simulate(
        nd.ConductivityTruth(
            activation_energy=barrier, conductivity=1e-2, reference_temperature=333.15, temperature=range(280, 340, 10)
        ),
        seed=seed,
    )


@pytest.fixture(scope="module")
def study(sodium):
    """23Na on the slow branch as a table of T1, and a conductivity, with priors and a thermometer; not converged."""
    truth = replace(sodium, temperature=[280.0, 295.0, 310.0, 333.15])
    fitted = nd.fit_recovery(nd.simulate(truth, seed=1), "single")
    mechanism = nd.BPP(nucleus="23Na", cq=1e6, eta=0.1) + nd.Dipolar(
        nucleus="23Na", partner="1H", distance=2.5e-10, count=3
    )
    processes = [
        nd.Process("Na hop", fitted, mechanism=mechanism, probe="oven"),
        nd.Process("eis", eis(0.55, 1), mechanism=nd.Conductivity("sigma_T"), probe="oven"),
    ]
    probe = nd.Probe(name="oven", point=0.5, offset=1.0)
    priors = {"Na hop.cq": nd.Normal(1.0e6, 0.05e6)}
    posterior = nd.infer(processes, seed=1, probes=[probe], priors=priors, max_steps=250, likelihood="fast")
    comparison = nd.compare(posterior)
    return posterior, comparison, summarise(posterior, comparison)


# Where points lie


def markers(svg):
    """Where the SVG draws markers: fractions from the left and the top."""
    text = svg.decode()
    size = np.array(re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups(), dtype=float)
    found = re.findall(r'<use xlink:href="#\w+" x="([-\d.]+)" y="([-\d.]+)"', text)
    return np.array(found, dtype=float) / size


def tight(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight")
    return buffer.getvalue()


@pytest.mark.parametrize("margins", ["as they are", "tight"])
def test_points_lie_on_their_markers_whatever_the_margins(margins, monkeypatch):
    if margins == "tight":
        monkeypatch.setattr(points, "svg", tight)
    x, y = [3.0, 3.2, 3.5], [1e-9, 3e-7, 2e-4]
    axes = Figure(figsize=(5, 3)).subplots()
    axes.plot(x, y, "o")
    axes.set_yscale("log")
    axes.set_xlim(2.9, 3.4)  # the last one is outside
    svg, place = svg_with_points(axes, np.transpose([x, y]))
    assert np.isnan(place[2]).all()
    for one in place[:2]:
        assert np.abs(markers(svg) - one).max(axis=1).min() < 1e-4


def test_points_need_axes_that_the_picture_shows():
    axes = Figure().subplots()
    axes.patch.set_visible(False)
    with pytest.raises(nd.InputError, match="needed axes with a background"):
        svg_with_points(axes, [(0.5, 0.5)])


def test_every_point_of_a_report_lies_on_a_marker_of_its_figure(study):
    found = measured_pictures(study[0], {})
    # Four T1, each with two correlation times, and six conductivities.
    assert {key: len(one.points) for key, one in found.items()} == {"t1": 4, "tau_c": 8, "sigma_T": 6}
    for picture in found.values():
        drawn = 100 * markers(base64.b64decode(picture.source.split(",")[1]))
        for point in picture.points:
            assert np.abs(drawn - [point.left, point.top]).max(axis=1).min() < 0.01
    first = min(found["t1"].points, key=lambda point: point.left)  # the hottest
    assert first.said.startswith("Na hop, expno 4, 60.0 °C: T1 = ")
    assert (first.row, first.recovery) == ("e-0-3", "")
    assert "s at 6.9 °C to" in found["t1"].alt


def test_every_figure_of_a_report_says_numbers_in_its_alternative_text(study):
    html = render(study[0], study[1], study[2])
    texts = re.findall(r'<img[^>]* alt="([^"]*)"', html)
    assert len(texts) > 5
    assert not [text for text in texts if not re.search(r"\d", text.replace("23Na", ""))]


# Many experiments


def test_of_many_recoveries_the_worst_are_drawn(sodium, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_RECOVERIES", 2)
    monkeypatch.setattr(pictures.plot, "recovery", lambda *_: Figure().subplots())
    recovery = nd.simulate(replace(sodium, temperature=[300.0, 310.0, 320.0, 333.0]), seed=1)
    relaxation = nd.fit_recovery(recovery, "single")
    relaxation["reduced_chi2"].values[:] = [1.0, 3.0, 0.5, 2.0]
    recovery["signal"].values[2] = np.nan  # nothing to draw
    posterior = xr.DataTree.from_dict({"/processes/Na/recovery": recovery, "/processes/Na/relaxation": relaxation})
    drawn, missing = recovery_pictures(posterior)
    assert [one.identity for one in drawn["Na"]] == ["r-0-1", "r-0-3"]
    assert missing == {"Na": 1}


# Warnings


@pytest.mark.parametrize(
    ("where", "processes", "experiments"),
    [
        ("a hop", ["a hop"], []),
        ("a hop.log10_tau0", ["a hop"], []),
        ("a hop/1, 3", ["a hop"], [("a hop", "1"), ("a hop", "3")]),
        ("a hop/1, b/na/2", ["a hop", "b"], [("a hop", "1"), ("b", "na/2")]),
        ("a hop, b", ["a hop", "b"], []),
        ("a", ["a"], []),
        ("posterior", [], []),
        ("oven", [], []),
    ],
)
def test_warnings_are_about_the_processes_and_experiments_they_name(where, processes, experiments):
    known = {"a": ["1"], "a hop": ["1", "2", "3"], "b": ["na/2"]}
    (found,) = placed([{"code": "law-misfit", "where": where, "text": "x"}], known, ["data", "barriers"])
    assert (list(found.processes), list(found.experiments)) == (processes, experiments)


def test_a_name_with_a_comma_is_one_process():
    (found,) = placed([{"code": "x", "where": "a, b", "text": "x"}], {"a": ["b"], "a, b": ["1"]}, ["data"])
    assert (found.processes, found.experiments) == (("a, b",), ())


@pytest.mark.parametrize(
    ("code", "section"),
    [
        ("law-misfit", "barriers"),
        ("t1-below-minimum", "motion"),
        ("t1-outside-delays", "fits"),
        ("haven-above-one", "haven"),
        ("no-t1", "fits"),
        ("no-temperature", "data"),
        ("never-seen-before", "data"),
        ("not-converged", "data"),  # as these pages have no diagnostics
    ],
)
def test_warnings_stand_in_the_section_of_their_code(code, section):
    (found,) = placed([{"code": code, "where": "", "text": "x"}], {}, ["data", "fits", "motion", "barriers", "haven"])
    assert found.section == section


def test_page_has_each_warning_at_its_place_and_in_the_list(study):
    posterior, comparison, summary = study
    warnings = [
        {"code": "no-t1", "where": "Na hop/2", "text": "first <b>"},
        {"code": "several-exponentials", "where": "Na hop", "text": "zweitens"},
        {"code": "not-converged", "where": "posterior", "text": "drittens"},
    ]
    page = render(posterior, comparison, summary | {"warnings": warnings})
    section = r'<section aria-labelledby="([\w-]+)">(.*?)</section>\s*(?=<section|<nav|</main)'
    sections = dict(re.findall(section, page, re.S))
    assert list(sections) == [
        "verdict", "levers", "data", "fits", "motion", "barriers", "comparison", "error-budget", "diagnostics",
        "provenance", "methods", "warnings",
    ]  # fmt: skip
    places = [("fits", "first &lt;b&gt;"), ("motion", "zweitens"), ("diagnostics", "drittens")]
    for number, (section, text) in enumerate(places, 1):
        assert f'href="#warning-{number}">Warning {number}</a>' in sections[section]
        assert text in sections[section]
        assert re.search(rf'<li id="warning-{number}".*?{text}.*?href="#{section}"', sections["warnings"])
        assert sum(text in one for one in sections.values()) == 2
    # The row of the experiment says so too.
    assert re.search(r'<tr id="e-0-1">.*?href="#warning-1">warning 1</a></td></tr>', sections["fits"])


# What would change the verdict


def two_barriers(mean, sd, **changes):
    """A posterior, comparison and summary of two barriers of 500 and 500 - mean meV, as far as levers read them."""
    draws = 1e-3 * np.random.default_rng(1).normal(mean, sd, 200_000)
    ends = [float(edge) for edge in np.quantile(draws, [0.025, 0.975])]
    verdict = "same" if max(map(abs, ends)) < 0.02 else "different" if ends[0] > 0.02 else "undecided"
    one = {
        "mean": mean * 1e-3, "sd": sd * 1e-3, "ci95": ends, "verdict": verdict, "equivalence_margin_eV": 0.02,
        "reason": "the 95 % interval lies somewhere",
    }  # fmt: skip
    barrier = {"sd": 0.7e-3 * sd}
    processes = {
        name: {"barriers_eV": {name: barrier | {"mean": value}}, "branch": None, "law_evidence": None}
        for name, value in (("a", 0.5), ("b", 0.5 - 1e-3 * mean))
    }
    summary = {
        "diagnostics": {"passed": True},
        "differences": {"a - b": one | changes.pop("difference", {})},
        "processes": processes,
        "error_budget": {
            "a - b": {"sd_eV": 1e-3 * sd, "share": {"noise": 0.36, "cq": 0.64}, "saved": {"noise": None, "cq": 0.64}}
        },
        "influence": [],
        "conductivity_lines": {},
        "warnings": [],
    } | changes
    comparison = xr.Dataset({"difference": (("pair", "sample"), draws[None])}, {"pair": ["a - b"]})
    attrs = {
        "needed": json.dumps({"law_log_odds": 4.6}),
        "processes": json.dumps({name: {"law_name": "arrhenius"} for name in "ab"}),
    }
    return SimpleNamespace(attrs=attrs), comparison, summary


def said(found, theme):
    (one,) = [lever for lever in found if lever.theme == theme]
    return one


def test_margins_are_those_at_which_the_interval_crosses():
    # 50 ± 10 meV: 30.4 to 69.6.
    found = levers(*two_barriers(50, 10))
    assert said(found, "Margin").text == (
        "a - b: different below 30 meV and the same above 70 meV, undecided otherwise; the margin is 20 meV."
    )
    # -5 ± 10: -24.6 to 14.6, which holds 0, so that no margin makes them different.
    assert said(levers(*two_barriers(-5, 10)), "Margin").text.startswith("a - b: the same above 25 meV, undecided")


@pytest.mark.parametrize("mean", [50, 35])  # intervals that would be different, and undecided
def test_no_margin_decides_what_means_nothing(mean):
    obstacle = {"verdict": "undecided", "reason": "one barrier does not describe b"}
    found = levers(*two_barriers(mean, 10, difference=obstacle))
    assert said(found, "Margin").text == "a - b: no margin decides it, since one barrier does not describe b."


def test_exact_knowledge_takes_off_an_error_what_the_budget_says():
    # 64 % of the variance leaves 60 % of the error: 30 ± 10 meV becomes 30 ± 6, which is 18 to 42.
    found = levers(*two_barriers(30, 10))
    assert "of C_Q 40 %" in said(found, "Errors").text
    assert "Noise makes 36 % of its variance" in said(found, "Errors").text
    assert not said(found, "Errors").changes
    # 35 ± 10 is undecided, 35 ± 6, 23 to 47, is not.
    arguments = two_barriers(35, 10)
    found = levers(*arguments)
    assert said(found, "Errors").changes
    assert "of C_Q: different" in said(found, "Errors").text
    assert "with what is marked below" in conclusion(found, arguments[2])


def run(kelvin, a, sd):
    barriers = {"a": {"mean": a, "sd": sd, "shift_sd": 1.0}, "b": {"mean": None, "sd": None, "shift_sd": None}}
    return {"temperature_K": kelvin, "experiments": "a/1", "barriers": barriers}


@pytest.mark.parametrize(("a", "changes"), [(0.495, False), (0.48, True)])
def test_a_single_temperature_changes_the_verdict_where_the_interval_then_crosses(a, changes):
    # 50 ± 10 meV, different; 45 ± 10 is 25 to 65, 30 ± 10 is 10 to 50.
    arguments = two_barriers(50, 10, influence=[run(288.15, a, 0.007), run(298.15, 0.499, 0.007)])
    found = levers(*arguments)
    one = said(found, "Single temperatures")
    assert one.changes == changes
    assert f"without 15.0 °C (a/1) the difference would be +{1e3 * (a - 0.45):.0f} ± 10 meV" in one.text
    assert ("the verdict undecided" in one.text) == changes
    assert ("nothing" in conclusion(found, arguments[2]).lower()) != changes


def test_the_error_without_a_temperature_grows_as_those_of_its_barriers():
    # The variance of a is four times as large, that of b as it was: sqrt(5/2).
    found = levers(*two_barriers(50, 10, influence=[run(288.15, 0.5, 0.014)]))
    assert "+50 ± 16 meV, the verdict undecided" in said(found, "Single temperatures").text


def test_another_branch_is_told_by_its_own_draws():
    rng = np.random.default_rng(2)
    energy = np.where(np.arange(20_000) < 4000, 0.30, 0.50) + rng.normal(0, 0.001, 20_000)
    # At 300 K tau_c is 1 ps on the fast branch, and 1 us on the slow one.
    log10_tau0 = np.where(np.arange(20_000) < 4000, -12.0, -6.0) - energy / (8.617333e-5 * 300 * np.log(10))
    posterior, _, summary = two_barriers(50, 1)
    draws = xr.Dataset({"a.activation_energy": ("draw", energy), "a.log10_tau0": ("draw", log10_tau0)})
    motion = xr.Dataset({"tau_c": (("experiment", "branch"), [[1e-12, 1e-6]]), "temperature": ("experiment", [300.0])})
    tree = xr.DataTree.from_dict({"/posterior": draws, "/processes/a/motion": motion})
    tree.attrs = posterior.attrs
    comparison = xr.Dataset({"difference": (("pair", "sample"), (energy - 0.45)[None])}, {"pair": ["a - b"]})
    summary["processes"]["a"]["branch"] = {"fast": 0.2, "slow": 0.8, "crossing": 0.0}
    one = said(levers(tree, comparison, summary), "Branch")
    assert one.text == (
        "a: fast branch, probability 0.200: the barrier there is 300.0 ± 1.0 meV; the verdicts there: a - b different."
    )
    summary["processes"]["a"]["branch"] = {"fast": 0.0, "slow": 1.0, "crossing": 0.0}
    assert said(levers(tree, comparison, summary), "Branch").text == (
        "a: nothing, the slow branch has a probability above 0.999."
    )


def test_laws_conventions_and_doubts_are_told_with_their_numbers():
    def line(energy):
        return {"activation_energy_eV": energy}

    code = sorted(DOUBTS)[0]
    warnings = [{"code": code, "where": "a", "text": "in doubt"}, {"code": "other", "where": "a", "text": "harmless"}]
    lines = {"a": [{"sigma_T": line(0.526), "sigma": line(0.500)}]}
    posterior, comparison, summary = two_barriers(50, 10, warnings=warnings, conductivity_lines=lines)
    evidence = {"arrhenius": -10.0, "vtf": -9.0, "eyring": -14.0}
    summary["processes"]["a"]["law_evidence"] = {
        law: {"log_evidence": value, "log_evidence_stderr": 0.3} for law, value in evidence.items()
    }
    found = levers(posterior, comparison, summary)
    assert (
        "vtf has the largest evidence, +1.00 ± 0.42 in ln(evidence) less that of arrhenius" in said(found, "Law").text
    )
    assert said(found, "Convention").text.endswith("its barrier would be 26 meV lower.")
    assert said(found, "Doubts").text == "a: in doubt."


def test_draws_that_did_not_converge_tell_nothing(study):
    found = levers(*study)
    assert [lever.theme for lever in found] == ["Sampling"]
    assert conclusion(found, study[2]).startswith("Nothing can be said")


# Methods


def test_methods_tell_what_was_done_with_the_references_that_apply(study):
    found = methods(*study)
    text = " ".join(found.paragraphs)
    assert "T1 of 23Na (Na hop; Larmor frequency 132.32 MHz)" in text
    assert "at 4 points between 6.9 and 60.0 °C" in text
    assert "C_Q = 1.000 ± 0.050 MHz, η = 0.1" in text
    assert "dipolar coupling to 3 1H at 2.5 Å" in text
    assert "standard errors of 0.5 K for each temperature and 1 K for their common offset" in text
    assert "cq / Hz: normal, (1.000 ± 0.050) × 10⁶ (Na hop)" in text
    assert "lies outside ±20 meV" in text
    assert "The sampler did not converge." in text
    assert "ln σ with a Student-t error" in text
    # A table of T1 was not read with nmrglue; the rest is numbered in the order of the text.
    assert not any("nmrglue" in one or "Helmus" in one for one in found.references)
    assert "10.1103/PhysRev.73.679" in found.references[0]
    cited = dict.fromkeys(int(one) for one in re.findall(r"\[(\d+)\]", text))
    assert list(cited) == list(range(1, len(found.references) + 1))


def test_page_holds_its_script_by_hash_and_loads_nothing(study):
    page = render(*study)
    (script,) = re.findall(r'<script id="behaviour">(.*?)</script>', page, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert not re.search(r"(?:src|href)=\"(?!data:image/|#)", page)
    assert "url(" not in page.split("</style>")[0]
