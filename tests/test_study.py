"""study.toml: what it means, and that whatever is wrong with it is said before anything is done."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nmrdyn as nd
from nmrdyn.study.read import read_study

STUDY = """
[study]
name = "small"
seed = 1
margin = "15 meV"

[probe.nmr]
point = "1 K"
offset = "0.5 °C"
same_runs = true

[[process]]
name = "Na hop"
role = "cation hop"
data = "23Na"
nucleus = "23Na"
probe = "nmr"
recovery = "single"
mechanism = { kind = "quadrupolar", cq = "1.00 ± 0.05 MHz", eta = 0.1 }
law = "arrhenius"

[[process]]
name = "conductivity"
data = "eis/conductivity.csv"
mechanism = { kind = "conductivity", convention = "sigma_T" }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data for the study: expnos 1, 2, 3 at 300, 320, 340 K, and six conductivities at 290 to 340 K."""
    root = tmp_path_factory.mktemp("study")
    hop = nd.RelaxationTruth(
        nucleus="23Na",
        larmor_frequency=132.32e6,
        cq=1e6,
        eta=0.1,
        activation_energy=0.45,
        tau_c=1e-5,
        reference_temperature=333.15,
        temperature=[300.0, 320.0, 340.0],
    )
    eis = nd.ConductivityTruth(
        activation_energy=0.55, conductivity=1e-2, reference_temperature=333.15, temperature=range(290, 341, 10)
    )
    nd.simulate_folder(hop, root / "23Na", seed=1)
    nd.simulate_folder(eis, root / "eis", seed=2)
    (root / "eis" / "bare.csv").write_text("temperature, conductivity\n300, 0.01\n310, 0.02\n", encoding="utf-8")
    return root


def written(folder, text, name="study.toml"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def changed(old, new, text=STUDY):
    assert old in text
    return text.replace(old, new)


def test_study_means_what_it_says(folder):
    study = read_study(written(folder, STUDY))
    assert (study.name, study.seed, study.margin) == ("small", 1, pytest.approx(0.015))
    assert study.probes == [nd.Probe(name="nmr", point=1.0, offset=0.5, same_runs=True)]  # a step of 1 °C is 1 K
    hop, conductivity = study.processes
    assert (hop.name, hop.role, hop.probe, conductivity.probe) == ("Na hop", "cation hop", "nmr", None)
    assert hop.mechanism == nd.BPP(nucleus="23Na", cq=1e6, eta=0.1)
    assert hop.recovery == nd.SingleExponential()
    assert conductivity.mechanism == nd.Conductivity("sigma_T")
    assert hop.law == conductivity.law == nd.Arrhenius()
    assert hop.data["experiment"].values.tolist() == ["1", "2", "3"]
    np.testing.assert_allclose(conductivity.data["temperature"], np.arange(290.0, 341.0, 10.0))
    assert study.priors == {"Na hop.cq": nd.Normal(1e6, 0.05e6)}


def test_coupling_without_an_error_is_exact_and_the_margin_is_20_mev(folder):
    text = changed('"1.00 ± 0.05 MHz"', '"1.1 MHz"', changed('margin = "15 meV"\n', ""))
    study = read_study(written(folder, text))
    assert study.priors == {}
    assert study.processes[0].mechanism.cq == pytest.approx(1.1e6)
    assert study.margin == pytest.approx(0.020)


def left_out(process):
    return json.loads(process.data.attrs["left_out"])


@pytest.mark.parametrize("name", ["23Na/3", "3"])
def test_excluded_experiments_are_listed(folder, name):
    text = changed('law = "arrhenius"', f'exclude = ["{name}"]')
    hop, _ = read_study(written(folder, text)).processes
    assert hop.data["experiment"].values.tolist() == ["1", "2"]
    assert left_out(hop) == {"3": "excluded by the study"}


def test_experiments_outside_the_range_are_listed(folder):
    text = changed('law = "arrhenius"', 'exclude = ["23Na/2"]\ntemperature_range = ["26.0 °C", "325 K"]')
    hop, _ = read_study(written(folder, text)).processes
    assert hop.data["experiment"].values.tolist() == ["1"]
    assert left_out(hop) == {"2": "excluded by the study", "3": "outside 299.15 to 325 K"}


def test_run_remarks_on_everything_left_out_and_hashes_what_it_read(folder):
    text = (
        changed('law = "arrhenius"', 'exclude = ["23Na/3"]')
        + 'exclude = ["6"]\ntemperature_range = ["295 K", "340 K"]\n'
    )
    study = written(folder, text, "excluding.toml")
    posterior = nd.run(study)
    found = {r["where"]: r["text"] for r in json.loads(posterior.attrs["warnings"]) if r["code"] == "left-out"}
    assert found["Na hop/3"] == "left out: excluded by the study"
    assert found["conductivity/6"] == "left out: excluded by the study"
    assert found["conductivity/1"] == "left out: outside 295 to 340 K"
    assert posterior["observed_data"]["conductivity.ln_sigma"].size == 4
    hashes = json.loads(posterior.attrs["inputs"])
    read = [study, folder / "eis" / "conductivity.csv"]
    read += [folder / "23Na" / expno / part for expno in "123" for part in ("acqus", "acqu2s", "vdlist", "ser")]
    assert hashes == {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in read}
    assert (posterior.attrs["study"], posterior.attrs["margin"]) == ("small", pytest.approx(0.015))


HOP = STUDY.split("[[process]]")[1]

# What is changed into what, and what the message must say beside the file.
BROKEN = {
    "unknown table": ("[probe.nmr]", "[prob.nmr]", ["'prob'", "'probe'"]),
    "unknown key of the study": ("seed = 1", "seeds = 1", ["'seeds'", "'seed'"]),
    "unknown key of a probe": ("point =", "pont =", ["probe.nmr", "'pont'", "'point'"]),
    "unknown key of a process": ("nucleus =", "nuclues =", ["Na hop", "'nuclues'", "'nucleus'"]),
    "unknown key of a mechanism": ("cq =", "Cq =", ["Na hop", "'Cq'", "'cq'"]),
    "no seed": ("seed = 1\n", "", ["seed", "seed = 1"]),
    "negative seed": ("seed = 1", "seed = -1", ["seed", "-1"]),
    "fractional seed": ("seed = 1", "seed = 1.5", ["seed", "1.5"]),
    "seed in words": ("seed = 1", 'seed = "one"', ["seed", "'one'"]),
    "seed too large to store": ("seed = 1", f"seed = {2**70}", ["seed"]),
    "margin without a unit": ('"15 meV"', "15", ["margin", "meV", "15"]),
    "margin of 0": ('"15 meV"', '"0 meV"', ["margin", "0"]),
    "negative margin": ('"15 meV"', '"-15 meV"', ["margin", "-"]),
    "error of a temperature without a unit": ('point = "1 K"', "point = 1", ["probe.nmr", "point", "K"]),
    "negative error of a temperature": ('point = "1 K"', 'point = "-1 K"', ["nmr", "-1"]),
    "error of an error": ('offset = "0.5 °C"', 'offset = "0.5 ± 0.1 K"', ["probe.nmr", "offset", "±"]),
    "same_runs in words": ("same_runs = true", 'same_runs = "no"', ["probe.nmr", "same_runs", "'no'"]),
    "missing path": ('data = "23Na"', 'data = "24Na"', ["Na hop", "24Na", "relative to the study"]),
    "no data": ('data = "23Na"\n', "", ["Na hop", "data"]),
    "no mechanism": (HOP[HOP.index("mechanism") : HOP.index("law")], "", ["Na hop", "mechanism"]),
    "no name": ('name = "Na hop"\n', "", ["name"]),
    "name with a slash": ('"Na hop"', '"Na/hop"', ["Na/hop", "name"]),
    "name with a dot": ('"Na hop"', '"Na.hop"', ["Na.hop", "name"]),
    "same name twice": ('"conductivity"\ndata', '"Na hop"\ndata', ["Na hop", "different names"]),
    "coupling without a unit": ('"1.00 ± 0.05 MHz"', '"1.00 ± 0.05"', ["Na hop", "cq", "MHz", "1.00 ± 0.05"]),
    "bare coupling": ('"1.00 ± 0.05 MHz"', "1.0e6", ["Na hop", "cq", "MHz", "1000000.0"]),
    "coupling of 0": ('"1.00 ± 0.05 MHz"', '"0 MHz"', ["Na hop", "C_Q", "0"]),
    "coupling in the wrong unit": ('"1.00 ± 0.05 MHz"', '"1 meV"', ["Na hop", "cq", "meV"]),
    "no coupling": ('cq = "1.00 ± 0.05 MHz", ', "", ["Na hop", "cq"]),
    "asymmetry above 1": ("eta = 0.1", "eta = 1.1", ["Na hop", "eta", "1.1"]),
    "asymmetry in words": ("eta = 0.1", 'eta = "small"', ["Na hop", "eta", "'small'"]),
    "no nucleus": ('nucleus = "23Na"\n', "", ["Na hop", "nucleus"]),
    "spin 1/2": ('nucleus = "23Na"', 'nucleus = "1H"', ["Na hop", "quadrupolar nucleus", "1H", "0.5"]),
    "unknown nucleus": ('nucleus = "23Na"', 'nucleus = "23Mg"', ["Na hop", "nucleus", "23Mg"]),
    "nucleus without a mass": ('nucleus = "23Na"', "nucleus = 23", ["Na hop", "nucleus", "23"]),
    "unknown recovery": ('"single"', '"singel"', ["Na hop", "recovery", "single", "'singel'"]),
    "no recovery": ('recovery = "single"\n', "", ["Na hop", "recovery", "single"]),
    "unknown recovery in a table": ('"single"', '{ model = "singel" }', ["Na hop", "recovery", "single", "'singel'"]),
    "populations without a line": (
        '"single"',
        '{ model = "populations", initial = "all_sat" }',
        ["Na hop", "populations", "needed observed"],
    ),
    "line that the spin does not have": (
        '"single"',
        '{ model = "populations", initial = "all_sat", observed = "st2_upper" }',
        ["Na hop", "observed of spin 1.5", "st1_upper", "'st2_upper'"],
    ),
    "unknown law": ('"arrhenius"', '"arhenius"', ["Na hop", "law", "arrhenius", "'arhenius'"]),
    "law as a list": ('"arrhenius"', '["arrhenius"]', ["Na hop", "law", "arrhenius"]),
    "unknown mechanism": ('"quadrupolar"', '"dipolarr"', ["Na hop", "mechanism", "quadrupolar", "'dipolarr'"]),
    "mechanism in words": (
        'mechanism = { kind = "conductivity", convention = "sigma_T" }',
        'mechanism = "sigma"',
        ["mechanism"],
    ),
    "mechanism of two kinds": ('"quadrupolar"', '["quadrupolar"]', ["Na hop", "mechanism", "quadrupolar"]),
    "unknown convention": ('"sigma_T"', '"sigmaT"', ["conductivity", "sigma_T", "'sigmaT'"]),
    "unknown probe": ('probe = "nmr"', 'probe = "nrm"', ["Na hop", "probe", "'nrm'"]),
    "list of probes": ('probe = "nmr"', 'probe = ["nmr"]', ["Na hop", "probe"]),
    "unknown experiment excluded": ('law = "arrhenius"', 'exclude = ["23Na/4"]', ["Na hop", "exclude", "1, 2, 3", "4"]),
    "one experiment excluded without a list": (
        'law = "arrhenius"',
        'exclude = "23Na/3"',
        ["Na hop", "exclude", "'23Na/3'"],
    ),
    "number excluded": ('law = "arrhenius"', "exclude = 3", ["Na hop", "exclude", "3"]),
    "range of one temperature": ('law = "arrhenius"', 'temperature_range = "300 K"', ["Na hop", "temperature_range"]),
    "range without units": (
        'law = "arrhenius"',
        "temperature_range = [300, 340]",
        ["Na hop", "temperature_range", "K"],
    ),
    "range upside down": (
        'law = "arrhenius"',
        'temperature_range = ["340 K", "300 K"]',
        ["Na hop"],
    ),
    "one temperature left": (
        'law = "arrhenius"',
        'temperature_range = ["310 K", "330 K"]',
        ["Na hop", "two temperatures"],
    ),
    "no temperature left": ('law = "arrhenius"', 'temperature_range = ["500 K", "600 K"]', ["Na hop"]),
    "everything excluded": ('law = "arrhenius"', 'exclude = ["1", "2", "3"]', ["Na hop"]),
    "no process": (STUDY[STUDY.index("[[process]]") :], "", ["[[process]]"]),
    "process without a list": (STUDY[STUDY.index("[[process]]") :], "[process]\nname = 'a'", ["[[process]]"]),
    "broken TOML": ('name = "small"', 'name = "small', ["TOML", "line 3"]),
    "study as a value": ('[study]\nname = "small"\nseed = 1\nmargin = "15 meV"', "study = 1", ["[study]"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_study_is_refused_before_anything_is_sampled(case, folder, monkeypatch):
    monkeypatch.setattr("nmrdyn.inference.infer.sample", lambda *_, **__: pytest.fail("sampled a broken study"))
    old, new, words = BROKEN[case]
    file = written(folder, changed(old, new))
    out = folder / "out"
    with pytest.raises(nd.InputError) as error:
        nd.run(file, out)
    assert "\n" not in str(error.value)
    for word in (str(file), *words):
        assert word in str(error.value)
    assert not out.exists()


# Here the data are at fault, and the message names their file.
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("eis/conductivity.csv", "eis/bare.csv", ["eis/bare.csv", "unit", "'temperature'", "°C"]),
        ("eis/conductivity.csv", "eis", ["eis"]),
        ('data = "23Na"', 'data = "eis"', ["eis", "acqus"]),
        ('data = "23Na"', 'data = "eis/conductivity.csv"', ["eis/conductivity.csv", "found a file"]),
        ('nucleus = "23Na"', 'nucleus = "11B"', ["23Na", "needed 11B", "found 23Na"]),
    ],
)
def test_unusable_data_are_refused_by_name(old, new, words, folder):
    out = folder / "out"
    with pytest.raises(nd.InputError) as error:
        nd.run(written(folder, changed(old, new)), out)
    for word in (str(folder), *words):
        assert word in str(error.value)
    assert not out.exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00seed"])
def test_study_that_cannot_be_read_is_refused(content, tmp_path):
    file = tmp_path / "study.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(nd.InputError, match=r"study\.toml"):
        nd.run(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folder_that_cannot_hold_results_is_refused_before_anything_is_sampled(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("nmrdyn.inference.infer.sample", lambda *_, **__: pytest.fail("sampled for nothing"))
    taken = tmp_path / "taken"
    taken.write_text("a file", encoding="utf-8")
    for out in (taken, taken / "results"):
        with pytest.raises(nd.InputError, match="taken"):
            nd.run(written(folder, STUDY), out)
    assert taken.read_text(encoding="utf-8") == "a file"


def test_paths_are_relative_to_the_study(folder, tmp_path, monkeypatch):
    written(folder, STUDY)
    monkeypatch.chdir(folder.parent)
    assert len(read_study(Path(folder.name) / "study.toml").processes) == 2
    monkeypatch.chdir(tmp_path)
    assert len(read_study(folder / "study.toml").processes) == 2


EDITS = st.lists(
    st.tuples(
        st.integers(0, len(STUDY) - 1), st.none() | st.characters(codec="utf-8") | st.sampled_from("0-.\"'[]{},=\n/")
    ),
    min_size=1,
    max_size=2,
)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(edits=EDITS)
@example(edits=[(STUDY.index("seed"), None)])
def test_typing_errors_never_end_in_anything_but_an_input_error(folder, edits):
    text = STUDY
    for at, inserted in edits:
        text = text[:at] + (text[at + 1 :] if inserted is None else inserted + text[at:])
    said = None
    try:
        assert read_study(written(folder, text, "typed.toml")).processes
    except nd.InputError as error:
        said = str(error)
    assert said is None or str(folder) in said  # the study or its data are named
