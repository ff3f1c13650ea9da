"""nmrdyn compare: one results.nc under another margin, and pairs across several."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import nmrdyn as nd
from nmrdyn.cli.compare import _interval, _meV, _print
from nmrdyn.cli.main import main
from nmrdyn.compare import compare_results

EIS = {
    "conductivity": 1e-2,
    "reference_temperature": 333.15,
    "temperature": (280, 305, 335),
}  # too few to compare laws, which takes time


def inferred(seed, **barriers):
    processes = [
        nd.Process(
            name,
            nd.simulate(nd.ConductivityTruth(activation_energy=barrier, **EIS), seed=seed + k),
            mechanism=nd.Conductivity("sigma_T"),
        )
        for k, (name, barrier) in enumerate(barriers.items())
    ]
    return nd.infer(processes, seed=seed)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Folders one and two: of two barriers, 0.55 and 0.40 eV, and of one of 0.55 eV."""
    root = tmp_path_factory.mktemp("compare")
    nd.report(inferred(1, bulk=0.55, grain=0.40), root / "one" / "results", margin=0.030)
    nd.report(inferred(5, bulk=0.55), root / "two" / "results")
    return root


def found(*arguments, capsys):
    assert main(["compare", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_one_folder_has_its_own_margin_and_any_other(results, capsys):
    folder = results / "one" / "results"
    own = found(folder, capsys=capsys)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert own["margin_eV"] == 0.030
    for pair, difference in summary["differences"].items():
        for key in ("mean", "sd", "ci95", "verdict", "reason", "probability_equivalent", "probability_positive"):
            assert own["differences"][pair][key] == difference[key]
    wide = found(folder / "results.nc", "--margin", "500 meV", capsys=capsys)
    (pair,) = wide["differences"]
    assert (own["differences"][pair]["verdict"], wide["differences"][pair]["verdict"]) == ("different", "same")
    assert wide["differences"][pair]["mean"] == own["differences"][pair]["mean"]
    assert found(folder, "--margin", "48.24 kJ/mol", capsys=capsys)["margin_eV"] == pytest.approx(0.5, rel=1e-3)


def test_the_printed_table_is_in_meV():
    one = {"mean": 0.4534, "median": 0.4534, "sd": 0.0131, "ci95": [0.427, 0.480], "law_fits": True}
    assert (_meV(one), _interval(one)) == ("453(13)", "427 to 480")


def test_a_barrier_that_no_law_describes_is_not_printed(capsys):
    one = {"mean": 0.4534, "median": 0.4534, "sd": 0.0131, "ci95": [0.427, 0.480]}
    barriers = {"a": one | {"law_fits": True}, "b": one | {"law_fits": False}}
    _print({"barriers_eV": barriers, "differences": {}, "remarks": [], "published": []})
    first, second = capsys.readouterr().out.splitlines()[1:]
    assert first.split()[:2] == ["a", "453(13)"]
    assert second.split()[:3] == ["b", "none", "-"]
    assert "453" not in second


def test_several_results_are_compared_across(results, capsys):
    one, two = results / "one" / "results", results / "two" / "results"
    both = found(one, two, capsys=capsys)
    assert list(both["barriers_eV"]) == ["one: bulk", "one: grain", "two: bulk"]
    assert both["margin_eV"] == 0.020
    independent = {pair: difference["independent"] for pair, difference in both["differences"].items()}
    assert independent == {
        "one: bulk - one: grain": False,
        "one: bulk - two: bulk": True,
        "one: grain - two: bulk": True,
    }
    for pair in ("one: bulk - two: bulk", "one: grain - two: bulk"):
        first, second = (both["barriers_eV"][name] for name in pair.split(" - "))
        assert both["differences"][pair]["mean"] == pytest.approx(first["mean"] - second["mean"], abs=1e-12)
        # Independent: variances add.
        assert both["differences"][pair]["sd"] == pytest.approx(np.hypot(first["sd"], second["sd"]), rel=0.05)
    assert both["differences"]["one: grain - two: bulk"]["verdict"] == "different"
    assert main(["compare", str(one), str(two)]) == 0
    assert "pairs across results are of independent draws" in capsys.readouterr().out


def test_draws_of_one_seed_do_not_stand_side_by_side(results):
    # The same posterior twice: its draws are the same, yet count as independent.
    posterior = nd.read_posterior(results / "two" / "results" / "results.nc")
    twice = compare_results({"a": posterior, "b": posterior})
    sd = posterior["posterior"]["bulk.activation_energy"].values.std()
    assert float(twice.difference.std()) == pytest.approx(np.sqrt(2) * sd, rel=0.05)
    assert twice.independent.item() is True


def test_no_verdict_where_a_sampler_or_a_law_failed(results):
    one, two = (nd.read_posterior(results / name / "results" / "results.nc") for name in ("one", "two"))
    two.attrs["passed"] = 0
    comparison = compare_results({"one": one, "two": two}, 0.5)
    assert comparison.verdict.values.tolist() == ["same", "undecided", "undecided"]
    assert comparison.reason.values[1] == "the sampler did not converge"
    described = json.loads(one.attrs["processes"])
    described["grain"]["law_fits"] = False
    one.attrs["processes"], two.attrs["passed"] = json.dumps(described), 1
    comparison = compare_results({"one": one, "two": two}, 0.5)
    assert comparison.verdict.values.tolist() == ["undecided", "same", "undecided"]
    assert comparison.reason.values[0] == "one barrier does not describe one: grain"


def test_results_of_the_same_files_have_no_verdict_across(results):
    one, two = (nd.read_posterior(results / name / "results" / "results.nc") for name in ("one", "two"))
    one.attrs["inputs"] = json.dumps({"study.toml": "0", "eis.csv": "1", "grain.csv": "2"})
    two.attrs["inputs"] = json.dumps({"other.toml": "0", "copy.csv": "1"})
    shared = compare_results({"one": one, "two": two}, 0.5)
    assert shared.verdict.values.tolist() == ["same", "undecided", "undecided"]
    assert "made from the same data (1 files)" in shared.reason.values[1]
    two.attrs["inputs"] = json.dumps({"other.toml": "0", "eis.csv": "3"})  # the study file alone is no data
    assert compare_results({"one": one, "two": two}, 0.5).verdict.values.tolist() == ["same", "same", "same"]


def test_published_barriers_stand_beside(results, capsys):
    beside = found(results / "two" / "results", "--published", "Na2NH2BH4", capsys=capsys)["published"]
    assert sorted(one["value_eV"] for one in beside) == [0.400, 0.450, 0.552]
    assert main(["compare", str(results / "two" / "results"), "--published", "Na2NH2BH4"]) == 0
    assert "NMR tau_c" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["one/results", "one/results/results.nc"], ["one twice"]),
        (["one/results", "--margin", "30"], ["--margin", "meV"]),
        (["one/results", "--margin", "-3 meV"], ["--margin", "above 0"]),
        (["one/resluts"], ["did you mean", "results"]),
        (["one/results", "--published", "Li2OHBr2"], ["did you mean"]),
        (["one"], ["results.nc"]),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, words, results, monkeypatch, capsys):
    monkeypatch.chdir(results)
    assert main(["compare", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert all(word in err for word in words)


def test_names_are_told_apart_by_their_folders(results, tmp_path, monkeypatch, capsys):
    for place in ("x/a", "y/a", "y/b"):
        (tmp_path / place).mkdir(parents=True)
        shutil.copy(results / "two" / "results" / "results.nc", tmp_path / place)
    monkeypatch.chdir(tmp_path)
    assert list(found("x/a", "y/b", capsys=capsys)["results"]) == ["a", "b"]
    assert list(found("x/a", "y/a", capsys=capsys)["results"]) == ["x", "y"]
    assert list(found("x/a", "y/a", "y/b", capsys=capsys)["results"]) == ["x/a", "y/a", "y/b"]
    assert Path(found("x/a", capsys=capsys)["results"]["a"]) == Path("x/a/results.nc")
