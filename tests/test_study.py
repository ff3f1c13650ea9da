"""study.toml: what it means, and that whatever is wrong with it is said before anything is done."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nmrdyn as nd
from nmrdyn.findings import attached
from nmrdyn.study.models import read_law
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
def folder(sodium, tmp_path_factory):
    """Data for the study: expnos 1, 2, 3 at 300, 320, 340 K, and six conductivities at 290 to 340 K."""
    root = tmp_path_factory.mktemp("study")
    hop = replace(
        sodium,
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


QUADRUPOLAR = '{ kind = "quadrupolar", cq = "1.00 ± 0.05 MHz", eta = 0.1 }'
PROTONS = '{ kind = "dipolar", partner = "1H", distance = "2.50 ± 0.05 A", count = 8 }'
MOMENT = '{ kind = "dipolar", partner = "7Li", second_moment = "1.0e9 ± 1e8 s^-2" }'
BACKGROUND = '{ kind = "background", rate = "2.0 ± 0.1 /s" }'


def beside(*tables):
    """The study with other mechanisms beside the quadrupolar one, in a list."""
    return changed(QUADRUPOLAR, f"[{', '.join([QUADRUPOLAR, *tables])}]")


def read_hop(folder, text):
    """The process "Na hop" of a study, and its priors."""
    study = read_study(written(folder, text))
    return study.processes[0], study.priors


def test_mechanisms_in_a_list_add_up(folder):
    process, priors = read_hop(folder, beside(PROTONS, BACKGROUND))
    protons = nd.Dipolar(nucleus="23Na", partner="1H", distance=2.5 * 1e-10, count=8)
    assert process.mechanism == nd.BPP(nucleus="23Na", cq=1e6, eta=0.1) + protons + nd.Background(r1=2.0)
    # Whatever has a ± becomes a prior.
    assert priors == {
        "Na hop.cq": nd.Normal(1e6, 0.05e6),
        "Na hop.distance": nd.Normal(2.5 * 1e-10, 0.05 * 1e-10),
        "Na hop.r1": nd.Normal(2.0, 0.1),
    }


def test_mechanism_may_stand_alone_in_a_list_and_need_not_be_quadrupolar(folder):
    process, _ = read_hop(folder, beside())
    assert process.mechanism == nd.BPP(nucleus="23Na", cq=1e6, eta=0.1)
    process, priors = read_hop(folder, changed(QUADRUPOLAR, '{ kind = "dipolar", partner = "7Li", distance = "3 Å" }'))
    assert process.mechanism == nd.Dipolar(nucleus="23Na", partner="7Li", distance=3 * 1e-10, count=1)
    assert priors == {}


def test_dipolar_fields_may_be_told_by_their_second_moment_and_come_from_several_shells(folder):
    far = PROTONS.replace("2.50 ± 0.05", "3.5")
    process, priors = read_hop(folder, beside(PROTONS, far, MOMENT))
    near, far = (nd.Dipolar(nucleus="23Na", partner="1H", distance=r * 1e-10, count=8) for r in (2.5, 3.5))
    lithium = nd.Dipolar(nucleus="23Na", partner="7Li", second_moment=1e9)
    assert process.mechanism == nd.BPP(nucleus="23Na", cq=1e6, eta=0.1) + near + far + lithium
    assert priors["Na hop.second_moment"] == nd.Normal(1e9, 1e8)


def test_sign_of_a_coupling_says_nothing_and_a_part_of_it_may_fluctuate(folder):
    process, priors = read_hop(folder, changed('"1.00 ± 0.05 MHz", eta', '"-1.00 ± 0.05 MHz", fluctuating = 0.6, eta'))
    assert process.mechanism == nd.BPP(nucleus="23Na", cq=1e6, eta=0.1, fluctuating=0.6)
    assert priors == {"Na hop.cq": nd.Normal(1e6, 0.05e6)}


DENSITIES = {
    '"debye"': nd.Debye(),
    '"richards_2d"': nd.Richards2D(),
    '{ kind = "debye" }': nd.Debye(),
    '{ kind = "beta_bpp", beta = 1.6 }': nd.BetaBPP(beta=1.6),
    '{ kind = "cole_davidson", beta = 0.7 }': nd.ColeDavidson(beta=0.7),
    '{ kind = "cole_cole", alpha = 0.8 }': nd.ColeCole(alpha=0.8),
    '{ kind = "havriliak_negami", alpha = 0.8, gamma = 0.6 }': nd.HavriliakNegami(alpha=0.8, gamma=0.6),
    '{ kind = "kww", beta = 0.5 }': nd.KWW(beta=0.5),
    '{ kind = "log_normal", sigma = 2 }': nd.LogNormal(sigma=2.0),
    '{ kind = "lipari_szabo", s2 = 0.9, tau_e = "10 ps" }': nd.LipariSzabo(s2=0.9, tau_e=10 * 1e-12),
    '{ kind = "two_process", s2 = 0.9, ratio = 0.5 }': nd.TwoProcess(s2=0.9, ratio=0.5),
}


@pytest.mark.parametrize("said", DENSITIES)
def test_spectral_density_of_either_mechanism(said, folder):
    part = PROTONS.replace("count = 8", f"spectral_density = {said}")
    process, _ = read_hop(folder, changed("eta = 0.1 }", f"eta = 0.1, spectral_density = {said} }}"))
    assert process.mechanism == nd.BPP(nucleus="23Na", cq=1e6, eta=0.1, spectral_density=DENSITIES[said])
    process, _ = read_hop(folder, changed(QUADRUPOLAR, part))
    assert process.mechanism.spectral_density == DENSITIES[said]


def populations(interaction="quad", **changes):
    return nd.PopulationRecovery(
        **{"spin": 1.5, "interaction": interaction, "initial": "all_sat", "observed": "total"} | changes
    )


POPULATIONS = '{ model = "populations", initial = "all_sat", observed = "total" }'
RECOVERIES = {
    '"stretched"': nd.StretchedExponential(),
    '"bi"': nd.BiExponential(),
    '"tri"': nd.TriExponential(),
    '{ model = "single" }': nd.SingleExponential(),
    '{ model = "single", depth = 1 }': nd.SingleExponential(depth=1.0),
    '{ model = "bi", depth = 2.0 }': nd.BiExponential(depth=2.0),
    POPULATIONS: populations(),
    '{ model = "populations", initial = "ct_inv", observed = "ct", efficiency = 0.9 }': populations(
        initial="ct_inv", observed="ct", efficiency=0.9
    ),
}


@pytest.mark.parametrize("said", RECOVERIES)
def test_recovery_by_its_name_or_with_what_it_needs(said, folder):
    process, _ = read_hop(folder, changed('"single"', said))
    assert process.recovery == RECOVERIES[said]


@pytest.mark.parametrize(
    ("mechanism", "interaction"),
    [
        (QUADRUPOLAR, "quad"),
        (f"[{QUADRUPOLAR}]", "quad"),
        (f"[{QUADRUPOLAR}, {PROTONS}]", "mixed"),
        (f"[{BACKGROUND}, {QUADRUPOLAR}]", "mixed"),
        (PROTONS, "mag"),
        (f"[{PROTONS}, {BACKGROUND}]", "mag"),
    ],
)
def test_populations_relax_as_the_mechanism_says(mechanism, interaction, folder):
    text = changed(QUADRUPOLAR, mechanism, changed('"single"', POPULATIONS))
    assert read_hop(folder, text)[0].recovery == populations(interaction)


LAWS = {
    "arrhenius": nd.Arrhenius(),
    "vtf": nd.VTF(),
    "eyring": nd.Eyring(),
    "two_arrhenius": nd.TwoArrhenius(),
    "phase_transition": nd.PhaseTransition(),
}


@pytest.mark.parametrize("said", LAWS)
def test_law_by_its_name_or_in_a_table(said):
    assert read_law(said, "study") == read_law({"kind": said}, "study") == LAWS[said]


def test_temperature_of_a_transition_in_a_law_is_exact_and_has_a_unit():
    said = {"kind": "phase_transition", "temperature": "12 °C"}
    assert read_law(said, "study") == nd.PhaseTransition(temperature=285.15)


@pytest.mark.parametrize(("said", "kelvin"), [("212.5 K", 212.5), ("-40 °C", 233.15)])
def test_phase_transition_is_a_temperature(said, kelvin, folder):
    process, _ = read_hop(folder, changed('law = "arrhenius"', f'transition = "{said}"'))
    assert process.transition == pytest.approx(kelvin)
    assert read_hop(folder, STUDY)[0].transition is None


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


def test_what_was_said_of_an_excluded_experiment_is_left_out_with_it(sodium, tmp_path):
    nd.simulate_folder(replace(sodium, temperature=[300.0, 320.0, 340.0]), tmp_path / "23Na", seed=1)
    for expno in ("2", "3"):
        nd.damage(tmp_path / "23Na" / expno, "hole:5")
    text = STUDY.split('[[process]]\nname = "conductivity"')[0] + 'exclude = ["3"]\n'
    (process,) = read_study(written(tmp_path, text)).processes
    assert {finding.where for finding in attached(process.data)} == {"2"}


RAW = ("acqus", "acqu2s", "acqu", "vdlist", "ser", "audita.txt", "pdata/1/title")


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
    read += [folder / "23Na" / expno / part for expno in "123" for part in RAW]
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
    "unknown key of a spin's surroundings": (
        QUADRUPOLAR,
        PROTONS.replace("distance", "distanse"),
        ["Na hop", "'distanse'", "'distance'"],
    ),
    "key of another mechanism": (QUADRUPOLAR, PROTONS.replace("count", "eta"), ["Na hop", "unknown key 'eta'"]),
    "unknown key of a background": (
        QUADRUPOLAR,
        BACKGROUND.replace("rate", "rates"),
        ["Na hop", "'rates'", "'rate'"],
    ),
    "no partner": (
        QUADRUPOLAR,
        '{ kind = "dipolar", distance = "2 A" }',
        ["Na hop", "mechanism dipolar: needed partner, found kind, distance"],
    ),
    "no partner and no distance": (
        QUADRUPOLAR,
        '{ kind = "dipolar" }',
        ["Na hop", "mechanism dipolar: needed partner, found kind"],
    ),
    "no distance": (
        QUADRUPOLAR,
        '{ kind = "dipolar", partner = "1H" }',
        ["Na hop", "needed distance= or second_moment=, found neither"],
    ),
    "distance and second moment": (
        QUADRUPOLAR,
        PROTONS.replace("count = 8", 'second_moment = "1e9 s^-2"'),
        ["Na hop", "needed distance= or second_moment=, found both"],
    ),
    "second moment without a unit": (QUADRUPOLAR, MOMENT.replace(" s^-2", ""), ["Na hop", "second_moment", "s^-2"]),
    "second moment in the wrong unit": (QUADRUPOLAR, MOMENT.replace(" s^-2", " kHz"), ["Na hop", "s^-2", "'kHz'"]),
    "no rate of a background": (
        QUADRUPOLAR,
        '{ kind = "background" }',
        ["Na hop", "mechanism background: needed rate"],
    ),
    "no asymmetry": (", eta = 0.1", "", ["Na hop", "mechanism quadrupolar: needed eta"]),
    "no kind": ('kind = "quadrupolar", ', "", ["Na hop", "a mechanism kind among quadrupolar, dipolar, background"]),
    "asymmetry with an error that is missing": ("eta = 0.1", 'eta = "0.10 ±"', ["Na hop", "needed a number for eta"]),
    "asymmetry without end": ("eta = 0.1", "eta = 1e400", ["Na hop", "needed a finite number", "eta"]),
    "asymmetry with a negative error": ("eta = 0.1", 'eta = "0.10 ± -0.05"', ["Na hop", "eta", "0.10 ± -0.05"]),
    "nothing that fluctuates": ("eta = 0.1", "eta = 0.1, fluctuating = 0", ["Na hop", "fluctuating", "0"]),
    "more than all that fluctuates": ("eta = 0.1", "eta = 0.1, fluctuating = 1.2", ["Na hop", "fluctuating", "1.2"]),
    "distance without a unit": (
        QUADRUPOLAR,
        PROTONS.replace(" A", ""),
        ["Na hop", "distance", "(m, cm, mm, nm, pm, A, Å)", "'2.50 ± 0.05'"],
    ),
    "bare distance": (QUADRUPOLAR, PROTONS.replace('"2.50 ± 0.05 A"', "2.5e-10"), ["Na hop", "distance", "2.5e-10"]),
    "distance in the wrong unit": (QUADRUPOLAR, PROTONS.replace(" A", " MHz"), ["Na hop", "distance", "'MHz'"]),
    "distance of 0": (QUADRUPOLAR, PROTONS.replace("2.50 ± 0.05", "0"), ["Na hop", "distance", "above 0", "0"]),
    "negative distance": (QUADRUPOLAR, PROTONS.replace("2.50", "-2.50"), ["Na hop", "distance", "-2.5"]),
    "rate without a unit": (QUADRUPOLAR, BACKGROUND.replace(" /s", ""), ["Na hop", "r", "(/s, s^-1, ms^-1)"]),
    "rate in the wrong unit": (QUADRUPOLAR, BACKGROUND.replace(" /s", " Hz"), ["Na hop", "/s, s^-1", "'Hz'"]),
    "negative rate": (
        QUADRUPOLAR,
        f"[{QUADRUPOLAR}, {BACKGROUND.replace('2.0', '-2.0')}]",
        ["Na hop", "-2.0"],
    ),
    "number of partners in words": (QUADRUPOLAR, PROTONS.replace("8", '"eight"'), ["Na hop", "count", "'eight'"]),
    "no partners": (QUADRUPOLAR, PROTONS.replace("8", "0"), ["Na hop", "count", "above 0"]),
    "unknown partner": (QUADRUPOLAR, PROTONS.replace("1H", "9Q"), ["Na hop", "'9Q'"]),
    "partner without a mass": (QUADRUPOLAR, PROTONS.replace("1H", "H"), ["Na hop", "mass number", "1H", "2H"]),
    "conductivity in a list": (
        QUADRUPOLAR,
        f'[{QUADRUPOLAR}, {{ kind = "conductivity", convention = "sigma" }}]',
        ["Na hop", "needed mechanisms of relaxation in a list"],
    ),
    "empty list of mechanisms": (QUADRUPOLAR, "[]", ["Na hop", "needed mechanisms of relaxation in a list", "[]"]),
    "list of words": (QUADRUPOLAR, '["quadrupolar"]', ["Na hop", "a table for mechanism", "'quadrupolar'"]),
    "list of lists": (QUADRUPOLAR, f"[[{QUADRUPOLAR}]]", ["Na hop", "a table for mechanism"]),
    "the same mechanism twice": (
        QUADRUPOLAR,
        f"[{QUADRUPOLAR}, {QUADRUPOLAR}]",
        ["Na hop", "different ones", "quadrupolar, quadrupolar"],
    ),
    "no nucleus of a list": (
        f'nucleus = "23Na"\nprobe = "nmr"\nrecovery = "single"\nmechanism = {QUADRUPOLAR}',
        f'recovery = "single"\nmechanism = [{BACKGROUND}, {PROTONS}]',
        ["Na hop", "the nucleus of a dipolar mechanism", 'nucleus = "23Na"'],
    ),
    "background alone": (QUADRUPOLAR, BACKGROUND, ["Na hop", "a T1 with a minimum in tau_c"]),
    "two minima": (
        "eta = 0.1",
        'eta = 0.1, spectral_density = { kind = "two_process", s2 = 0.5, ratio = 0.01 }',
        ["Na hop", "a T1 with one minimum in tau_c, found 2"],
    ),
    "distances of two partners with errors": (
        QUADRUPOLAR,
        f'[{PROTONS}, {{ kind = "dipolar", partner = "7Li", distance = "3 A" }}]',
        ["Na hop.distance"],
    ),
    "unknown spectral density": (
        "eta = 0.1",
        'eta = 0.1, spectral_density = "debey"',
        ["Na hop", "a spectral density among debye, beta_bpp", "'debey'"],
    ),
    "spectral density without its parameter": (
        "eta = 0.1",
        'eta = 0.1, spectral_density = "kww"',
        ["Na hop", "spectral_density kww: needed beta"],
    ),
    "spectral density without one of its parameters": (
        "eta = 0.1",
        'eta = 0.1, spectral_density = { kind = "lipari_szabo", s2 = 0.5 }',
        ["Na hop", "spectral_density lipari_szabo: needed tau_e, found kind, s2"],
    ),
    "unknown parameter of a spectral density": (
        "eta = 0.1",
        'eta = 0.1, spectral_density = { kind = "kww", betta = 0.5 }',
        ["Na hop", "spectral_density: unknown key 'betta'", "'beta'"],
    ),
    "parameter out of its range": (
        "eta = 0.1",
        'eta = 0.1, spectral_density = { kind = "cole_davidson", beta = 1.5 }',
        ["Na hop", "beta", "1.5"],
    ),
    "parameter in words": (
        "eta = 0.1",
        'eta = 0.1, spectral_density = { kind = "kww", beta = "half" }',
        ["Na hop", "beta", "'half'"],
    ),
    "time without a unit": (
        "eta = 0.1",
        'eta = 0.1, spectral_density = { kind = "lipari_szabo", s2 = 0.5, tau_e = 1e-12 }',
        ["Na hop", "tau_e", "ps", "1e-12"],
    ),
    "time with an error": (
        "eta = 0.1",
        'eta = 0.1, spectral_density = { kind = "lipari_szabo", s2 = 0.5, tau_e = "1.0 ± 0.1 ps" }',
        ["Na hop", "tau_e", "±"],
    ),
    "spectral density as a number": ("eta = 0.1", "eta = 0.1, spectral_density = 0.5", ["Na hop", "spectral_density"]),
    "unknown key of a recovery": ('"single"', '{ model = "single", depht = 1 }', ["Na hop", "'depht'", "'depth'"]),
    "depth in words": ('"single"', '{ model = "single", depth = "full" }', ["Na hop", "depth", "'full'"]),
    "depth of populations": (
        '"single"',
        '{ model = "populations", initial = "all_sat", observed = "ct", depth = 1 }',
        ["Na hop", "unknown key 'depth'"],
    ),
    "recovery without a model": ('"single"', "{ depth = 1 }", ["Na hop", "recovery", "single", "populations"]),
    "populations by name alone": (
        '"single"',
        '"populations"',
        ["Na hop", "recovery populations: needed initial, observed, found model"],
    ),
    "preparation that the spin does not have": (
        '"single"',
        '{ model = "populations", initial = "line_upper_sat", observed = "ct" }',
        ["Na hop", "initial of spin 1.5", "'line_upper_sat'"],
    ),
    "efficiency in words": (
        '"single"',
        POPULATIONS.replace(" }", ', efficiency = "full" }'),
        ["Na hop", "efficiency", "'full'"],
    ),
    "transition without a unit": ('law = "arrhenius"', "transition = 320", ["Na hop", "transition", "K", "320"]),
    "transition with an error": (
        'law = "arrhenius"',
        'transition = "320 ± 2 K"',
        ["Na hop", "transition", "'320 ± 2 K'"],
    ),
    "transition below 0 K": ('law = "arrhenius"', 'transition = "-300 °C"', ["Na hop", "transition", "0 K"]),
    "unknown law": ('"arrhenius"', '"arhenius"', ["Na hop", "law", "arrhenius", "'arhenius'"]),
    "law as a list": ('"arrhenius"', '["arrhenius"]', ["Na hop", "law", "arrhenius"]),
    "unknown law in a table": (
        '"arrhenius"',
        '{ kind = "phase_transitoin" }',
        ["Na hop", "a law", "phase_transition", "'phase_transitoin'"],
    ),
    "law without a kind": ('"arrhenius"', '{ temperature = "12 °C" }', ["Na hop", "a law", "two_arrhenius", "None"]),
    "unknown key of a law": (
        '"arrhenius"',
        '{ kind = "phase_transition", temprature = "12 °C" }',
        ["'Na hop', law", "'temprature'", "'temperature'"],
    ),
    "key of another law": (
        '"arrhenius"',
        '{ kind = "vtf", temperature = "12 °C" }',
        ["'Na hop', law", "'temperature'", "'kind'"],
    ),
    "temperature of a law without a unit": (
        '"arrhenius"',
        '{ kind = "phase_transition", temperature = 285 }',
        ["'Na hop', law, temperature", "K", "285"],
    ),
    "temperature of a law with an error": (
        '"arrhenius"',
        '{ kind = "phase_transition", temperature = "285 ± 2 K" }',
        ["'Na hop', law, temperature", "'285 ± 2 K'"],
    ),
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
    monkeypatch.setattr("nmrdyn.inference.infer.sample_blocks", lambda *_, **__: pytest.fail("sampled a broken study"))
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
    monkeypatch.setattr("nmrdyn.inference.infer.sample_blocks", lambda *_, **__: pytest.fail("sampled for nothing"))
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


# Priors, several data, likelihood


PRIORS = 'priors = { scatter = 0, activation_energy = "0.4 ± 0.1 eV", transition_temperature = ["-3 °C", "300 K"] }'


@pytest.fixture(scope="module")
def sessions(sodium, tmp_path_factory):
    """Expnos 1, 2, 3 of two sessions, and conductivities of two."""
    root = tmp_path_factory.mktemp("sessions")
    nd.simulate_folder(replace(sodium, temperature=[300.0, 320.0, 340.0]), root / "23Na", seed=1)
    nd.simulate_folder(replace(sodium, temperature=[310.0, 330.0], delays=None), root / "later", seed=2)
    for name, rows in (("a", "300, 0.01\n310, 0.02\n"), ("b", "305, 0.015\n315, 0.03\n")):
        (root / f"{name}.csv").write_text(f"T [K], sigma [S/m]\n{rows}", encoding="utf-8")
    return root


def test_priors_of_a_law_are_a_number_a_value_with_its_error_or_a_range(sessions):
    study = read_study(written(sessions, changed('data = "eis/conductivity.csv"', f'data = "a.csv"\n{PRIORS}')))
    assert study.priors == {
        "Na hop.cq": nd.Normal(1e6, 0.05e6),
        "conductivity.scatter": 0.0,
        "conductivity.activation_energy": nd.Normal(0.4, 0.1),
        "conductivity.transition_temperature": nd.Uniform(270.15, 300.0),
    }


def test_temperature_scale_is_a_difference_and_an_asymmetry_may_have_an_error(sessions):
    law = 'law = "vtf"\npriors = { temperature_scale = "900 ± 50 K", vogel_temperature = "170 K", scatter = 0.01 }'
    text = changed("eta = 0.1", 'eta = "0.40 ± 0.05"', changed('law = "arrhenius"', law))
    hop, priors = read_hop(sessions, text.replace("eis/conductivity.csv", "a.csv"))
    assert (hop.law, hop.mechanism) == (nd.VTF(), nd.BPP(nucleus="23Na", cq=1e6, eta=0.4))
    assert priors == {
        "Na hop.cq": nd.Normal(1e6, 0.05e6),
        "Na hop.eta": nd.Normal(0.4, 0.05),
        "Na hop.temperature_scale": nd.Normal(900.0, 50.0),
        "Na hop.vogel_temperature": 170.0,
        "Na hop.scatter": 0.01,
    }


def joined(old='data = "23Na"', new='data = ["23Na", "later/"]', text=STUDY):
    return changed(old, new, text).replace("eis/conductivity.csv", "a.csv")


def test_several_data_become_one_with_a_probe_for_each(sessions):
    bath = '[probe.bath]\nscale = 0.01\n[[process]]\nname = "Na hop"'
    text = joined().replace('[[process]]\nname = "Na hop"', bath).replace('probe = "nmr"', 'probe = ["nmr", "bath"]')
    text = text.replace('law = "arrhenius"', 'exclude = ["23Na/3", "later/1"]')
    study = read_study(written(sessions, text))
    assert study.probes[1] == nd.Probe(name="bath", scale=0.01)
    hop = study.processes[0]
    assert hop.data["experiment"].values.tolist() == ["1/1", "1/2", "2/2"]
    np.testing.assert_allclose(hop.data["temperature"], [300.0, 320.0, 330.0])
    assert hop.probe is None
    assert hop.probes.tolist() == ["nmr", "nmr", "bath"]
    assert left_out(hop) == {"1/3": "excluded by the study", "2/1": "excluded by the study"}
    sources = json.loads(hop.data.attrs["sources"])
    assert {Path(name).resolve().relative_to(sessions.resolve()).parts[0] for name in sources} == {"23Na", "later"}


def test_several_data_may_share_a_probe_and_be_tables(sessions):
    text = joined('data = "eis/conductivity.csv"', 'data = ["a.csv", "b.csv"]\nprobe = "nmr"')
    conductivity = read_study(written(sessions, text)).processes[1]
    np.testing.assert_allclose(conductivity.data["conductivity"], [0.01, 0.02, 0.015, 0.03])
    assert conductivity.probes.tolist() == ["nmr"] * 4


@pytest.mark.parametrize("likelihood", ["traces", "t1", "fast"])
def test_likelihood_is_said_and_used(likelihood, sessions, monkeypatch):
    text = changed("seed = 1", f'seed = 1\nlikelihood = "{likelihood}"').replace("eis/conductivity.csv", "a.csv")
    file = written(sessions, text)
    assert read_study(file).likelihood == likelihood
    asked = {}
    monkeypatch.setattr("nmrdyn.study.run.infer", lambda *_, **said: asked.update(said) or nd.infer([], seed=1))
    with pytest.raises(nd.InputError):
        nd.run(file)
    assert asked["likelihood"] == likelihood


MISUSED = {
    "unknown likelihood": ("seed = 1", 'seed = 1\nlikelihood = "t2"', ["likelihood among traces, t1, fast", "'t2'"]),
    "likelihood as a list": ("seed = 1", 'seed = 1\nlikelihood = ["t1"]', ["likelihood among", "['t1']"]),
    "scale in words": ("same_runs", 'scale = "small"\nsame_runs', ["probe.nmr", "scale", "'small'"]),
    "negative scale": ("same_runs", "scale = -0.01\nsame_runs", ["nmr", "scale -0.01"]),
    "scale of one": ("same_runs", "scale = 1\nsame_runs", ["nmr", "scale 1"]),
    "priors without a table": ('law = "arrhenius"', "priors = 0.4", ["Na hop", "table for priors", "0.4"]),
    "barrier without a unit": (
        'law = "arrhenius"',
        "priors = { activation_energy = 0.4 }",
        ["priors, activation_energy", "eV", "0.4"],
    ),
    "barrier in kelvin": (
        'law = "arrhenius"',
        'priors = { activation_energy = "0.4 ± 0.1 K" }',
        ["priors, activation_energy", "'K'"],
    ),
    "temperature without a unit": (
        'law = "arrhenius"',
        "priors = { vogel_temperature = [100, 200] }",
        ["priors, vogel_temperature", "K", "100"],
    ),
    "range of one": (
        'law = "arrhenius"',
        'priors = { activation_energy = ["0.4 eV"] }',
        ["priors, activation_energy", "[low, high]"],
    ),
    "range upside down": (
        'law = "arrhenius"',
        'priors = { activation_energy = ["0.5 eV", "0.4 eV"] }',
        ["priors, activation_energy", "low below high", "0.5 and 0.4"],
    ),
    "range with errors": (
        'law = "arrhenius"',
        "priors = { log10_tau0 = [-14, '-12 ± 1'] }",
        ["priors, log10_tau0", "[low, high]"],
    ),
    "negative error": ('law = "arrhenius"', "priors = { log10_tau0 = '-13 ± -1' }", ["log10_tau0", "-13 ± -1"]),
    "prior in words": ('law = "arrhenius"', "priors = { scatter = 'none' }", ["priors, scatter", "'none'"]),
    "asymmetry in words": ("eta = 0.1", 'eta = "flat ± 0.1"', ["Na hop", "eta", "'flat"]),
    "no data in a list": ('data = "23Na"', "data = []", ["Na hop", "needed data, found none"]),
    "one of several missing": ('data = "23Na"', 'data = ["23Na", "24Na"]', ["Na hop", "'24Na'"]),
    "probes of one data set": ('probe = "nmr"', 'probe = ["nmr", "nmr"]', ["Na hop", "needed the name of a probe"]),
    "too few probes": (
        'data = "23Na"\nnucleus = "23Na"\nprobe = "nmr"',
        'data = ["23Na", "later"]\nnucleus = "23Na"\nprobe = ["nmr"]',
        ["Na hop", "one probe for each of 2 data sets", "found nmr"],
    ),
    "number as a probe": (
        'data = "23Na"\nnucleus = "23Na"\nprobe = "nmr"',
        'data = ["23Na", "later"]\nnucleus = "23Na"\nprobe = ["nmr", 1]',
        ["Na hop", "needed the name of a probe", "['nmr', 1]"],
    ),
    "excluded without its folder": (
        'data = "23Na"',
        'data = ["23Na", "later"]\nexclude = ["3"]',
        ["Na hop", "exclude", "23Na/1", "found 3"],
    ),
    "unknown experiment of one of several": (
        'data = "23Na"',
        'data = ["23Na", "later"]\nexclude = ["later/3"]',
        ["Na hop", "exclude", "needed experiments among 1, 2", "found 3"],
    ),
    "exclude in words": ('data = "23Na"', 'data = ["23Na", "later"]\nexclude = "23Na/3"', ["Na hop", "exclude"]),
}


@pytest.mark.parametrize("case", MISUSED)
def test_misused_keys_are_refused_in_one_line(case, sessions):
    old, new, words = MISUSED[case]
    file = written(sessions, joined(old, new))
    with pytest.raises(nd.InputError) as error:
        read_study(file)
    said = str(error.value)
    assert "\n" not in said
    assert said.count(str(file)) == 1
    for word in words:
        assert word in said


def test_unknown_prior_is_refused_with_those_that_exist(sessions, monkeypatch):
    monkeypatch.setattr("nmrdyn.inference.infer.sample_blocks", lambda *_, **__: pytest.fail("sampled for nothing"))
    text = joined('law = "arrhenius"', "priors = { scater = 0 }")
    with pytest.raises(nd.InputError, match=r"Na hop\.scatter.*found Na hop\.scater"):
        nd.run(written(sessions, text))


# Populations and mechanisms that add up, from raw data to the report


@pytest.fixture(scope="module")
def physics(tmp_path_factory):
    """23Na whose levels relax with two rates, and 11B that protons relax too: posterior, summary and truths."""
    root = tmp_path_factory.mktemp("physics")
    shared = {"reference_temperature": 333.15, "temperature": [300.0, 320.0, 340.0], "snr": 300.0}
    sodium = nd.RelaxationTruth(
        nucleus="23Na",
        larmor_frequency=132.32e6,
        cq=1e6,
        eta=0.1,
        activation_energy=0.45,
        tau_c=1e-5,
        recovery=populations(),
        **shared,
    )
    boron = nd.RelaxationTruth(
        nucleus="11B",
        larmor_frequency=160.49e6,
        cq=0.1e6,
        eta=0.4,
        beside=nd.Dipolar(nucleus="11B", partner="1H", distance=1.2e-10, count=4),
        activation_energy=0.4,
        tau_c=1e-6,
        **shared,
    )
    nd.simulate_folder(sodium, root / "23Na", seed=1)
    nd.simulate_folder(boron, root / "11B", seed=2)
    rotation = (
        HOP.replace("Na hop", "BH4 rotation")
        .replace("23Na", "11B")
        .replace(
            QUADRUPOLAR,
            '[{ kind = "quadrupolar", cq = "0.1 MHz", eta = 0.4 },'
            ' { kind = "dipolar", partner = "1H", distance = "1.20 ± 0.01 A", count = 4 }]',
        )
    )
    hop = HOP.replace('"single"', POPULATIONS).replace('law = "arrhenius"', 'transition = "280 K"')
    hop = hop.replace("1.00 ± 0.05 MHz", "1 MHz")
    plain = "priors = { scatter = 0 }\n"
    text = f"[study]\nseed = 1\n[[process]]{hop}{plain}[[process]]{rotation}{plain}".replace('probe = "nmr"\n', "")
    posterior = nd.run(written(root, text), root / "results")
    return posterior, json.loads((root / "results" / "summary.json").read_text(encoding="utf-8")), (sodium, boron)


def test_study_of_populations_and_sums_finds_its_truths(physics):
    posterior, summary, truths = physics
    assert summary["diagnostics"]["passed"] is True
    for name, truth in zip(("Na hop", "BH4 rotation"), truths, strict=True):
        energy, tau0 = (summary["processes"][name][key] for key in ("activation_energy_eV", "log10_tau0_s"))
        # 3.3 sd are 99.9 % of a normal distribution.
        assert abs(energy["mean"] - truth.activation_energy) < 3.3 * energy["sd"] < 0.1
        assert abs(tau0["mean"] - truth.log10_tau0) < 3.3 * tau0["sd"]
        fitted = posterior[f"processes/{name}/relaxation"].dataset
        assert np.all(np.abs(fitted["t1"].values - truth.t1) < 3.3 * fitted["t1_stderr"].values)
        # A single exponential finds a T1 that is 20 % long: not what was fitted to the levels.
        assert np.all(fitted["t1_stderr"].values < 0.05 * truth.t1)


def test_report_of_a_study_says_which_models_and_mechanisms_it_used(physics):
    _, summary, _ = physics
    hop, rotation = summary["processes"].values()
    assert hop["recovery"].startswith("PopulationRecovery(spin=1.5, interaction='quad', initial='all_sat'")
    assert "Dipolar(nucleus='11B', partner='1H', distance=1.2e-10, count=4.0" in rotation["mechanism"]
    assert summary["priors"]["BH4 rotation.distance"] == repr(nd.Normal(1.2 * 1e-10, 0.01 * 1e-10))
    assert summary["nuisances"]["BH4 rotation.distance"]["said"].startswith("sampled, Normal(")
    assert summary["nuisances"]["BH4 rotation.cq"] == {"said": "fixed at 100000.0 Hz"}
    assert summary["nuisances"]["BH4 rotation.scatter"] == {"said": "left out"}
    assert hop["mechanism_budget"] is None
    # 1.69 times the quadrupolar rate on the slow flank (independent double commutators).
    share = rotation["mechanism_budget"]["slow"]["dipolar 1H"]
    assert share == pytest.approx([1.69 / 2.69] * 2, rel=1e-3)
    found = [(entry["code"], entry["where"]) for entry in summary["warnings"]]
    assert ("several-exponentials", "BH4 rotation") in found  # single, on the slow branch
    assert ("several-exponentials", "Na hop") not in found
    assert "two-phases" not in [code for code, _ in found]  # all temperatures are above
    assert "dipolar-unchecked" not in [code for code, where in found if where == "BH4 rotation"]
