"""study.toml to report, for all that stands beside NMR: impedance, simulations, Haven ratio, published figures."""

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import nmrdyn as nd
from nmrdyn import plot
from nmrdyn.cli.main import main
from nmrdyn.conductivity.read import spectra_of
from nmrdyn.findings import attached
from nmrdyn.report.summary import verdict_lines
from nmrdyn.study.read import read_study

K = 8.617333262e-5  # eV/K, CODATA 2018
CELL = nd.Cell(thickness=0.9e-3, thickness_stderr=0.02e-3, radius=5e-3, radius_stderr=0.1e-3)
BULK, BOUNDARIES, DIFFUSION, ROTATION = 0.45, 0.55, 0.50, 0.20  # eV
WARM = [300.0, 320.0, 340.0, 360.0]
HOT = [500.0, 650.0, 800.0, 1000.0]

STUDY = """
[study]
name = "<script>alert(1)</script> & $a_{$"
seed = 7
likelihood = "fast"
literature = "Na2NH2BH4"

[probe.oven]
point = "0.5 K"

[[process]]
name = "Na hop"
role = "cation hop"
data = "23Na"
nucleus = "23Na"
recovery = "single"
mechanism = { kind = "quadrupolar", cq = "1.00 MHz", eta = 0.1 }

[[process]]
name = "<i>$a_{$"
data = "eis"
part = "bulk"
temperature = "oven.csv"
cell = { thickness = "0.90 ± 0.02 mm", radius = "5.0 ± 0.1 mm" }
probe = "oven"
mechanism = { kind = "conductivity", convention = "sigma_T" }

[[process]]
name = "boundaries"
data = "eis"
part = "grain_boundary"
temperature = "oven.csv"
cell = { thickness = "0.90 ± 0.02 mm", radius = "5.0 ± 0.1 mm" }
probe = "oven"
mechanism = { kind = "conductivity", convention = "sigma" }

[[process]]
name = "AIMD"
data = "aimd.csv"
mechanism = { kind = "diffusion" }

[[process]]
name = "turn"
data = "c2.csv"
mechanism = { kind = "correlation_time" }
autocorrelation = { rank = 2, molecules = 27, length = "500 ps" }

[haven]
nmr = "Na hop"
conductivity = "<i>$a_{$"
charge = 1
ions_per_cell = 2
lattice_constant = "4.70 ± 0.02 A"
jump_distance = "3.32 A"
dimensions = 3
correlation_factor = "0.7 ± 0.1"
"""
EIS = "<i>$a_{$"
CARRIERS = nd.Carriers(
    charge=1, ions_per_cell=2, lattice_constant=nd.Normal(4.70e-10, 0.02e-10), jump_distance=3.32e-10, dimensions=3,
    correlation_factor=nd.Normal(0.7, 0.1),
)  # fmt: skip
TAIL = "pellet <b>$x$.DTA"  # a spectrum of the electrodes alone


def table(root, name, head, rows):
    (root / name).write_text(head + "\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def root(sodium, tmp_path_factory):
    """Data of every kind, each with its noise."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(6)

    def scattered(sd):
        return np.exp(sd * rng.standard_normal())

    hop = replace(sodium, activation_energy=BULK, tau_c=1.4e-7, reference_temperature=327.0, temperature=WARM)
    nd.simulate_folder(hop, root / "23Na", seed=1)

    def arrhenius(energy, sigma):
        return nd.ConductivityTruth(
            activation_energy=energy, conductivity=sigma, reference_temperature=300.0, temperature=WARM
        )

    pellet = nd.ImpedanceTruth(
        bulk=arrhenius(BULK, 2e-3), grain_boundary=arrhenius(BOUNDARIES, 1e-3), thickness=0.9e-3, area=np.pi * 25e-6
    )
    nd.simulate_impedance(pellet, root / "eis", seed=3)
    warm = {one: replace(getattr(pellet, one), temperature=WARM[:2]) for one in ("bulk", "grain_boundary")}
    nd.simulate_impedance(replace(pellet, **warm), root / "again", seed=4)
    tail = replace(pellet, bulk=replace(pellet.bulk, temperature=[400.0]), grain_boundary=None, bulk_capacitance=1e-14)
    nd.simulate_impedance(replace(tail, frequency=np.geomspace(10, 0.1, 21)), root / "tail", seed=5)
    shutil.move(root / "tail" / "pellet_400.00K.DTA", root / "eis" / TAIL)
    files = [*(f"pellet_{kelvin:.2f}K.DTA, {kelvin}" for kelvin in WARM), f"{TAIL}, 400"]
    table(root, "oven.csv", "file, T (K)", files)
    diffusion = [1e-7 * np.exp(-DIFFUSION / (K * kelvin)) * scattered(0.1) for kelvin in HOT]
    rows = [f"{kelvin}, {1e4 * d}, {1e3 * d}" for kelvin, d in zip(HOT, diffusion, strict=True)]
    table(root, "aimd.csv", "T (K), D (cm^2/s), D_stderr (cm^2/s)", rows)
    decays = {}
    for kelvin in HOT:
        tau = 0.1 * np.exp(ROTATION / (K * kelvin)) * scattered(0.05)  # ps
        decays[kelvin] = [f"{t}, {np.exp(-t / tau)}" for t in np.linspace(0, 8 * tau, 60)]
    table(root, "c2.csv", "T (K), t (ps), C", [f"{kelvin}, {row}" for kelvin in HOT for row in decays[kelvin]])
    table(root, "c500.csv", "t (ps), C", decays[500.0])
    sigma = [
        f"{sample}, {direction}, {kelvin}, {factor * np.exp(-0.4 / (K * kelvin)) * scattered(0.03)}"
        for sample, factor in (("<b>A</b>", 1e3), ("B", 3e3))
        for direction in ("heating", "cooling")
        for kelvin in WARM
    ]
    table(root, "sigma.csv", "sample, direction, T (K), sigma (S/cm)", sigma)
    table(root, "target.csv", "T (K), target", ["300, 0.1", "320, 0.2", "340, 0.4"])
    table(root, "ohm.csv", "T (K), R (kohm), R_bulk (kohm)", ["300, 8, 5", "320, 4, 2.5", "340, 2, 1.2"])
    tau = [f"{kelvin}, {1e-13 * np.exp(BULK / (K * kelvin)) * scattered(0.03)}" for kelvin in WARM]
    table(root, "tau.csv", "T (K), tau_c (s)", tau)
    table(root, "gaps.csv", "T (K), sigma (S/m)", ["300, 0.1", "320, ", "330, 0.25", "340, n/a", "350, 0.5"])
    return root


def written(root, text, name="study.toml"):
    file = root / name
    file.write_text(text, encoding="utf-8")
    return file


def process(lines, data, mechanism='{ kind = "conductivity", convention = "sigma_T" }'):
    """A study of one process, with what stands in it."""
    return f'[study]\nseed = 1\n[[process]]\nname = "one"\ndata = {data}\nmechanism = {mechanism}\n{lines}\n'


def only(root, text):
    (found,) = read_study(written(root, text, "only.toml")).processes
    return found


DIFFUSES, TURNS = '{ kind = "diffusion" }', '{ kind = "correlation_time" }'
RADIUS = 'cell = { thickness = "0.90 ± 0.02 mm", radius = "5.0 ± 0.1 mm" }'


# The keys


KEYS = {
    "sample": (
        process('sample = "B"\ndirection = "heating"', '"sigma.csv"'),
        lambda root: nd.read_conductivity(root / "sigma.csv", sample="B", direction="heating"),
    ),
    "sample of HTML": (
        process('sample = "<b>A</b>"\ndirection = "cooling"', '"sigma.csv"'),
        lambda root: nd.read_conductivity(root / "sigma.csv", sample="<b>A</b>", direction="cooling"),
    ),
    "columns": (
        process('columns = { target = "sigma (mS/cm)" }', '"target.csv"'),
        lambda root: nd.read_conductivity(root / "target.csv", columns={"target": "sigma (mS/cm)"}),
    ),
    "radius": (process(RADIUS, '"ohm.csv"'), lambda root: nd.read_conductivity(root / "ohm.csv", cell=CELL)),
    "diameter": (
        process('cell = { thickness = "1 mm", diameter = "1 cm" }\npart = "bulk"', '"ohm.csv"'),
        lambda root: nd.read_conductivity(root / "ohm.csv", cell=nd.Cell(thickness=1e-3, diameter=1e-2), part="bulk"),
    ),
    "area": (
        process('cell = { thickness = "1 mm", area = "0.50 ± 0.01 cm^2" }', '"ohm.csv"'),
        lambda root: nd.read_conductivity(
            root / "ohm.csv", cell=nd.Cell(thickness=1e-3, area=0.5e-4, area_stderr=1e-6)
        ),
    ),
    "spectra": (
        process(f'{RADIUS}\npart = "bulk"\ntemperature = "oven.csv"', '"eis"'),
        lambda root: nd.read_conductivity(root / "eis", cell=CELL, part="bulk", temperature=root / "oven.csv"),
    ),
    "circuit": (
        process(f'{RADIUS}\ncircuit = "two-arcs-tail"', '"again"'),
        lambda root: nd.read_conductivity(root / "again", cell=CELL, circuit="two-arcs-tail"),
    ),
    "diffusion": (process("", '"aimd.csv"', DIFFUSES), lambda root: nd.read_diffusion(root / "aimd.csv")),
    "rank 2": (
        process("autocorrelation = { rank = 2 }", '"c2.csv"', TURNS),
        lambda root: nd.rotational_correlation_time(nd.read_autocorrelation(root / "c2.csv"), rank=2),
    ),
    "rank 1": (
        process(
            'autocorrelation = { rank = 1, steps = "small", start = "0.2 ps", molecules = 27, '
            'length = "0.5 ns", temperature = "500 K" }',
            '"c500.csv"',
            TURNS,
        ),
        lambda root: nd.rotational_correlation_time(
            nd.read_autocorrelation(root / "c500.csv", temperature=500.0),
            rank=1,
            steps="small",
            start=0.2e-12,
            molecules=27,
            length=0.5e-9,
        ),
    ),
}


@pytest.mark.parametrize("key", KEYS)
def test_each_key_gives_what_the_call_gives(key, root):
    text, call = KEYS[key]
    found, expected = only(root, text).data, call(root)
    xr.testing.assert_allclose(found, expected, rtol=1e-12)  # 5.0 mm is not 5e-3 to the last digit
    assert found.reset_coords().keys() == expected.reset_coords().keys()
    assert found.attrs.get("cell_stderr", 0.0) == pytest.approx(expected.attrs.get("cell_stderr", 0.0), rel=1e-12)
    assert attached(found) == attached(expected)


def test_everything_that_was_read_is_among_the_sources(root):
    found = only(root, KEYS["spectra"][0])
    spectra = {str(file) for file in (root / "eis").iterdir()}
    assert set(json.loads(found.data.attrs["sources"])) == spectra | {str(root / "oven.csv")}


def test_spectra_of_several_folders_are_joined_with_their_names_and_the_worst_cell(root):
    one = only(root, process(RADIUS, '["eis", "again"]').replace("name =", 'temperature = "oven.csv"\nname ='))
    impedance, resistance = spectra_of(one.data)
    names = one.data["experiment"].values.tolist()
    assert impedance["experiment"].values.tolist() == resistance["experiment"].values.tolist() == names
    assert "1/pellet_300.00K.DTA" in names
    assert "2/pellet_300.00K.DTA" in names
    assert one.data.attrs["cell_stderr"] == pytest.approx(CELL.relative_stderr)
    # Each row is the resistance of the spectrum beside it.
    sigma = 0.9e-3 / (np.pi * 25e-6 * resistance["resistance"].values)
    np.testing.assert_allclose(one.data["conductivity"].values, sigma, rtol=1e-9)
    worse = nd.Cell(thickness=0.9e-3, thickness_stderr=0.09e-3, radius=5e-3)
    pair = [nd.read_conductivity(root / "again", cell=cell) for cell in (CELL, worse)]
    assert nd.join(pair).attrs["cell_stderr"] == pytest.approx(0.1)
    assert spectra_of(nd.read_conductivity(root / "gaps.csv")) is None


# What cannot be

TOML = process("", '"sigma.csv"')
SEVERAL = "needed the conductivity of one sample, found 2"
ABOUT = "[study]\nseed = 1\n"
WRONG = {
    "several samples": (TOML, [SEVERAL, "<b>A</b>, B", "sample='<b>A</b>'"]),
    "sample that is not there": (process('sample = "C"', '"sigma.csv"'), ["needed one sample 'C'", "'B'"]),
    "sample nearly there": (process('sample = "<b>A</B>"', '"sigma.csv"'), ["did you mean '<b>A</b>'"]),
    "sample as a number": (process("sample = 1", '"sigma.csv"'), ["needed text for sample, found 1"]),
    "direction that is none": (
        process('sample = "B"\ndirection = "up"', '"sigma.csv"'),
        ["heating or cooling", "'up'"],
    ),
    "direction that is not there": (process('direction = "cooling"', '"gaps.csv"'), ["needed rows of cooling"]),
    "unknown part": (
        process(f'{RADIUS}\npart = "grain"', '"ohm.csv"'),
        ["needed total, bulk, grain_boundary", "'grain'"],
    ),
    "part that is not known": (
        process(f'{RADIUS}\npart = "grain_boundary"', '"ohm.csv"'),
        ["needed the resistance of the grain_boundary"],
    ),
    "columns without text": (process("columns = { target = 1 }", '"target.csv"'), ["needed columns = {", "1"]),
    "columns that are no table": (process('columns = "target"', '"target.csv"'), ["needed a table for columns"]),
    "columns of spectra": (
        process(f'{RADIUS}\ncolumns = {{ target = "sigma (S/m)" }}', '"again"'),
        ["needed a table for columns"],
    ),
    "cell that is no table": (process('cell = "1 mm"', '"ohm.csv"'), ["needed a table for cell"]),
    "cell without thickness": (
        process('cell = { radius = "5 mm" }', '"ohm.csv"'),
        ["cell: needed a thickness", "radius"],
    ),
    "cell without area": (process('cell = { thickness = "1 mm" }', '"ohm.csv"'), ["one of area, diameter and radius"]),
    "cell with two areas": (
        process('cell = { thickness = "1 mm", radius = "5 mm", diameter = "1 cm" }', '"ohm.csv"'),
        ["one of area, diameter and radius", "diameter and radius"],
    ),
    "cell with an unknown key": (
        process('cell = { thickness = "1 mm", radios = "5 mm" }', '"ohm.csv"'),
        ["cell: unknown key 'radios'", "'radius'"],
    ),
    "cell without a unit": (
        process('cell = { thickness = 1, radius = "5 mm" }', '"ohm.csv"'),
        ["cell, thickness", "mm"],
    ),
    "cell of another size": (
        process('cell = { thickness = "0 mm", radius = "5 mm" }', '"ohm.csv"'),
        ["cell, thickness", "0"],
    ),
    "resistances without a cell": (process("", '"ohm.csv"'), ["geometry"]),
    "spectra without a cell": (process("", '"eis"'), ["geometry"]),
    "spectra without temperatures": (
        process(f'{RADIUS}\ntemperature = "gone.csv"', '"eis"'),
        ["needed the temperature 'gone.csv'"],
    ),
    "temperature of a table": (process('temperature = "oven.csv"', '"gaps.csv"'), ["the key temperature", "leave"]),
    "recovery of spectra": (process(f'{RADIUS}\nrecovery = "single"', '"eis"'), ["key recovery", "impedance spectra"]),
    "unknown circuit": (process(f'{RADIUS}\ncircuit = "R-R"', '"again"'), ["circuit", "R-R"]),
    "circuit as a number": (process(f"{RADIUS}\ncircuit = 1", '"again"'), ["needed text for circuit, found 1"]),
    "unknown key of a process": (process('sampel = "B"', '"sigma.csv"'), ["unknown key 'sampel'", "'sample'"]),
    "larmor of a conductivity": (process('larmor = "100 MHz"', '"gaps.csv"'), ["key larmor"]),
    "nucleus of a conductivity": (process('nucleus = "23Na"', '"gaps.csv"'), ["key nucleus"]),
    "nucleus of diffusion": (process('nucleus = "23Na"', '"aimd.csv"', DIFFUSES), ["key nucleus"]),
    "sample of diffusion": (process('sample = "B"', '"aimd.csv"', DIFFUSES), ["kind conductivity for the key sample"]),
    "cell of a rotation": (process(RADIUS, '"c2.csv"', TURNS), ["kind conductivity for the key cell"]),
    "convention of diffusion": (
        process("", '"aimd.csv"', '{ kind = "diffusion", convention = "sigma" }'),
        ["unknown key 'convention'"],
    ),
    "law of diffusion without a prefactor": (
        process('law = "eyring"', '"aimd.csv"', DIFFUSES),
        ["a law with a prefactor for a diffusion"],
    ),
    "autocorrelation of diffusion": (
        process("autocorrelation = { rank = 2 }", '"aimd.csv"', DIFFUSES),
        ["kind correlation_time for the key autoc"],
    ),
    "autocorrelation without rank": (
        process('autocorrelation = { steps = "large" }', '"c2.csv"', TURNS),
        ["autocorrelation: needed rank = 1 or 2"],
    ),
    "rank that is none": (process("autocorrelation = { rank = 3 }", '"c2.csv"', TURNS), ["rank = 1 or 2, found 3"]),
    "rank that is true": (
        process("autocorrelation = { rank = true }", '"c2.csv"', TURNS),
        ["rank = 1 or 2, found True"],
    ),
    "rank as a list": (process("autocorrelation = { rank = [1] }", '"c2.csv"', TURNS), ["rank = 1 or 2, found [1]"]),
    "rank 1 without steps": (process("autocorrelation = { rank = 1 }", '"c2.csv"', TURNS), ["steps='large'", "None"]),
    "steps of rank 2": (
        process('autocorrelation = { rank = 2, steps = "large" }', '"c2.csv"', TURNS),
        ["no steps for rank 2"],
    ),
    "half an error": (
        process("autocorrelation = { rank = 2, molecules = 27 }", '"c2.csv"', TURNS),
        ["both molecules and length"],
    ),
    "molecules in words": (
        process('autocorrelation = { rank = 2, molecules = "many", length = "1 ns" }', '"c2.csv"', TURNS),
        ["a number for molecules", "'many'"],
    ),
    "start without a unit": (process("autocorrelation = { rank = 2, start = 1 }", '"c2.csv"', TURNS), ["start", "1"]),
    "temperature said twice": (
        process('autocorrelation = { rank = 2, temperature = "500 K" }', '"c2.csv"', TURNS),
        ["needed one temperature"],
    ),
    "unknown key of a rotation": (
        process("autocorrelation = { rnak = 2 }", '"c2.csv"', TURNS),
        ["unknown key 'rnak'", "'rank'"],
    ),
    "larmor of a rotation": (
        process('autocorrelation = { rank = 2 }\nlarmor = "100 MHz"', '"c2.csv"', TURNS),
        ["key larmor"],
    ),
    "rotation that is no table": (process("autocorrelation = 2", '"c2.csv"', TURNS), ["needed a table for autocorr"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_one_line_with_file_and_process(case, root):
    text, words = WRONG[case]
    file = written(root, text, "wrong.toml")
    with pytest.raises(nd.InputError) as error:
        read_study(file)
    said = str(error.value)
    assert "\n" not in said
    assert str(file) in said
    assert "'one'" in said
    assert [word for word in words if word not in said] == [], said


HAVEN_SAID = "[haven]" + STUDY.split("[haven]")[1]
SMALL = f"""[study]
seed = 1

[[process]]
name = "Na hop"
data = "tau.csv"
mechanism = {TURNS}

[[process]]
name = "{EIS}"
data = "sigma.csv"
sample = "B"
direction = "heating"
mechanism = {{ kind = "conductivity", convention = "sigma_T" }}
"""
MORE = f"""
[[process]]
name = "AIMD"
data = "aimd.csv"
mechanism = {DIFFUSES}

[[process]]
name = "turn"
data = "c2.csv"
mechanism = {TURNS}
autocorrelation = {{ rank = 2 }}
"""
HAVEN = {
    "unknown key": ("charge = 1", "charges = 1", ["unknown key 'charges'", "'charge'"]),
    "missing keys": ("charge = 1\n", "", ["needed charge, found nmr"]),
    "two missing keys": ("charge = 1\nions_per_cell = 2\n", "", ["needed charge, ions_per_cell, found nmr"]),
    "process that is not there": ('nmr = "Na hop"', 'nmr = "Na"', ["needed nmr = one of Na hop", "found 'Na'"]),
    "process that is no name": ('nmr = "Na hop"', "nmr = 1", ["needed nmr = one of Na hop", "found 1"]),
    "conductivity as nmr": ('nmr = "Na hop"', f'nmr = "{EIS}"', ["T1 or correlation times for nmr", "Conductivity("]),
    "diffusion as nmr": ('nmr = "Na hop"', 'nmr = "AIMD"', ["T1 or correlation times for nmr", "Diffusion()"]),
    "rotation of a simulation": ('nmr = "Na hop"', 'nmr = "turn"', ["needed jumps of ions for nmr", "'turn'"]),
    "nmr as conductivity": (f'conductivity = "{EIS}"', 'conductivity = "Na hop"', ["conductivities for conductivity"]),
    "charge of 0": ("charge = 1", "charge = 0", ["charge", "0"]),
    "charge in words": ("charge = 1", 'charge = "one"', ["number for charge", "'one'"]),
    "no ions": ("ions_per_cell = 2", "ions_per_cell = 0", ["ions", "0"]),
    "endless ions": ("ions_per_cell = 2", "ions_per_cell = inf", ["ions_per_cell", "inf"]),
    "four dimensions": ("dimensions = 3", "dimensions = 4", ["dimensions", "4"]),
    "half a dimension": ("dimensions = 3", "dimensions = 2.5", ["needed dimensions = 1, 2 or 3", "2.5"]),
    "true dimensions": ("dimensions = 3", "dimensions = true", ["needed dimensions = 1, 2 or 3", "True"]),
    "length without a unit": ('"3.32 A"', "3.32", ["jump_distance", "3.32"]),
    "negative length": ('"3.32 A"', '"-3.32 A"', ["jump_distance", "-3.32"]),
    "length as an energy": ('"3.32 A"', '"3.32 eV"', ["jump_distance", "eV"]),
    "no density": ('lattice_constant = "4.70 ± 0.02 A"\n', "", ["lattice_constant", "cell_volume"]),
    "two densities": ("charge = 1", 'charge = 1\ncell_volume = "104 A^3"', ["lattice_constant", "cell_volume"]),
    "factor above 1": ('"0.7 ± 0.1"', "1.7", ["correlation", "1.7"]),
    "negative error": ('"0.7 ± 0.1"', '"0.7 ± -0.1"', ["correlation_factor", "error of 0 or more"]),
}


def test_haven_and_literature_are_read_as_they_are_written(root):
    plan = read_study(written(root, SMALL.replace("seed = 1", 'seed = 1\nliterature = "Na2NH2BH4"') + HAVEN_SAID))
    assert plan.jumps.carriers == CARRIERS
    assert (plan.jumps.nmr.name, plan.jumps.conductivity.name) == ("Na hop", EIS)
    assert plan.literature == "Na2NH2BH4"
    bare = read_study(written(root, SMALL))
    assert (bare.jumps, bare.literature) == (None, "")


@pytest.mark.parametrize("case", HAVEN)
def test_jumps_that_cannot_be_are_refused_before_anything_is_sampled(case, root, monkeypatch):
    monkeypatch.setattr("nmrdyn.study.run.infer", lambda *_, **__: pytest.fail("sampled for nothing"))
    old, new, words = HAVEN[case]
    assert HAVEN_SAID.count(old) == 1
    file = written(root, SMALL + MORE + HAVEN_SAID.replace(old, new), "wrong.toml")
    with pytest.raises(nd.InputError) as error:
        nd.run(file)
    said = str(error.value)
    assert said.startswith(f"{file}, [haven]")
    assert "\n" not in said
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('literature = "Na2(NH2)(BH5)"', ["literature: needed a compound", "did you mean Na2(NH2)(BH4)?"]),
        ("literature = 4", ["needed a compound for literature, found 4"]),
        ('literatur = "Li2OHCl"', ["unknown key 'literatur'", "'literature'"]),
        ('haven = "yes"', ["unknown key 'haven'"]),
    ],
)
def test_unknown_compounds_are_refused(said, words, root):
    file = written(root, TOML.replace("seed = 1", f"seed = 1\n{said}"), "wrong.toml")
    with pytest.raises(nd.InputError) as error:
        read_study(file)
    assert str(error.value).startswith(f"{file}, [study]")
    assert [word for word in words if word not in str(error.value)] == []


def test_haven_that_is_no_table_is_refused(root):
    file = written(root, f'haven = "yes"\n{TOML}'.replace('"sigma.csv"', '"gaps.csv"'), "wrong.toml")
    with pytest.raises(nd.InputError, match=r"wrong.toml: needed a table for \[haven\], found 'yes'"):
        read_study(file)


# Twice six points of 0.5 eV: cooled, they conduct twice as much; above 315 K, fifty times.
KELVIN = np.arange(290.0, 341.0, 10)
SIGMA = np.exp(-0.5 / (8.617333e-5) * (1 / KELVIN - 1 / 300)) / KELVIN


@pytest.mark.parametrize(
    ("law", "codes"),
    [
        ('law = "arrhenius"', {"no-single-barrier"}),
        ('transition = "315 K"', {"hysteresis"}),
        ('law = { kind = "phase_transition", temperature = "315 K" }', {"hysteresis"}),
        ('law = { kind = "phase_transition" }', {"hysteresis", "break-found"}),
        ('law = "vtf"', set()),
        ('law = "arrhenius"\ntemperature_range = ["320 K", "345 K"]\ndirection = "heating"', set()),
    ],
)
def test_what_lines_find_of_a_conductivity_is_a_warning(law, codes, tmp_path):
    jump = np.where(KELVIN > 315, 50, 1) * SIGMA
    heated = [f"{t}, {s!r}, heating" for t, s in zip(KELVIN, jump.tolist(), strict=True)]
    cooled = [f"{t}, {2 * s!r}, cooling" for t, s in zip(KELVIN, jump.tolist(), strict=True)]
    (tmp_path / "eis.csv").write_text("\n".join(["T (K), sigma (S/m), direction", *heated, *cooled]), encoding="utf-8")
    text = f'name = "eis"\ndata = "eis.csv"\n{law}\nmechanism = {{ kind = "conductivity", convention = "sigma_T" }}'
    (tmp_path / "study.toml").write_text(f"[study]\nseed = 1\n[[process]]\n{text}\n", encoding="utf-8")
    found = attached(read_study(tmp_path / "study.toml").processes[0].data)
    assert {one.code for one in found} == codes


def test_a_process_of_several_samples_is_refused(root):
    both = nd.read_conductivity(root / "sigma.csv")
    with pytest.raises(nd.InputError, match=SEVERAL):
        nd.Process("eis", both, mechanism=nd.Conductivity("sigma_T"))


# A whole study


@pytest.fixture(scope="module")
def results(root, tmp_path_factory):
    """The posterior of all of it, and the folder of its report."""
    folder = tmp_path_factory.mktemp("results")
    return nd.run(written(root, STUDY), folder), folder


@pytest.fixture(scope="module")
def summary(results):
    return json.loads(
        (results[1] / "summary.json").read_text(encoding="utf-8"), parse_constant=lambda said: pytest.fail(said)
    )


@pytest.fixture(scope="module")
def html(results):
    return (results[1] / "report.html").read_text(encoding="utf-8")


def test_barriers_hold_their_truths(summary):
    # That of sigma is lower than that of sigma T by about kT, here at the harmonic mean of 300 and 360 K.
    truths = {
        "Na hop": BULK, EIS: BULK, "boundaries": BOUNDARIES - K * 327.3, "AIMD": DIFFUSION, "turn": ROTATION,
    }  # fmt: skip
    for name, truth in truths.items():
        low, high = summary["processes"][name]["barriers_eV"][name]["ci95"]
        assert low - 0.003 < truth < high + 0.003, name


def test_every_file_that_was_read_has_its_sha256(root, summary):
    read = [root / "study.toml", root / "oven.csv", root / "aimd.csv", root / "c2.csv", *(root / "eis").iterdir()]
    found = {name: digest for name, digest in summary["provenance"]["inputs_sha256"].items() if "23Na" not in name}
    assert found == {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in read}


def test_haven_ratio_is_that_of_the_call(root, results, summary):
    posterior, _ = results
    plan = read_study(root / "study.toml")
    nmr, eis = plan.processes[:2]
    found = nd.haven_ratio(posterior, CARRIERS, nmr=nmr, conductivity=eis, seed=7)
    stored = posterior["haven"].to_dataset()
    assert stored.equals(found)
    # The middle of 300 and 360 K in 1/T, and the ratio of the truths there.
    kelvin = 2 / (1 / 300 + 1 / 360)
    assert stored.attrs["reference_temperature"] == pytest.approx(kelvin)
    assert summary["haven"]["temperature_K"] == pytest.approx(kelvin, abs=1.0)
    assert stored.attrs["cell_stderr"] == pytest.approx(np.hypot(0.02 / 0.9, 2 * 0.1 / 5.0))
    tau = 1.4e-7 * np.exp(BULK / K * (1 / kelvin - 1 / 327.0))
    density = 2 / 4.70e-10**3
    predicted = density * 1.602e-19 * 0.7 * 3.32e-10**2 / (6 * tau * K * kelvin)
    measured = 2e-3 * 300 / kelvin * np.exp(-BULK / K * (1 / kelvin - 1 / 300))
    # One to two tau_c between two jumps, which its median has as sqrt(2).
    ratio = predicted / np.sqrt(2) / measured
    assert summary["haven"]["haven_ratio"]["median"] == pytest.approx(ratio, rel=0.25)
    low, high = summary["haven"]["haven_ratio"]["ci95"]
    assert low < ratio < high
    codes = {finding.code for finding in attached(found)}
    assert codes <= {warning["code"] for warning in summary["warnings"]}


def test_spectra_and_their_fits_are_kept_with_the_rows_that_tell_nothing(results, summary, html):
    posterior, _ = results
    node = posterior[f"processes/{EIS}"]
    assert node["impedance"].sizes["experiment"] == node["transport"].sizes["experiment"] == 5
    row = node["transport"].to_dataset().sel(experiment=TAIL)
    assert np.isnan(row["conductivity"])
    assert row["reason"].item()
    rest = node["resistance"].to_dataset().drop_sel(experiment=TAIL)
    sigma = 0.9e-3 / (np.pi * 25e-6 * rest["bulk_resistance"].values)
    measured = node["transport"].to_dataset().drop_sel(experiment=TAIL)["conductivity"].values
    np.testing.assert_allclose(measured, sigma, rtol=1e-9)
    assert html.count(row["reason"].item()) >= 2  # in the tables of both processes
    (line,) = summary["conductivity_lines"][EIS]
    assert (line["points"], line["straight"]) == (4, True)
    # At the mean temperature the barriers of the conventions are kT apart.
    gap = line["sigma_T"]["activation_energy_eV"] - line["sigma"]["activation_energy_eV"]
    assert gap == pytest.approx(K * 2 / (1 / 300 + 1 / 360), abs=5e-4)


def test_names_from_the_data_are_text_in_the_report(html):
    for foul in ("<script>", "<i>", "<b>"):
        assert foul not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; $a_{$" in html
    assert "&lt;i&gt;$a_{$" in html
    assert "pellet &lt;b&gt;$x$.DTA" in html


def test_report_has_each_section_once_and_each_figure(html, summary):
    for heading in ("lines", "agreement", "haven", "published", "temperature", "data"):
        assert html.count(f'id="{heading}"') == 1
    for figure in ("Diffusion coefficients against", "Haven ratio against", "Conductivity times temperature against"):
        assert html.count(f'alt="{figure}') == 1
    # Bulk and grain boundaries are of the same spectra, which are drawn once.
    assert html.count('alt="Impedance spectra of') == 1
    assert "Impedance spectra: those of &lt;i&gt;$a_{$." in html
    for picture in re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', html):
        assert base64.b64decode(picture).lstrip().startswith(b"<?xml")
    assert "σT = A exp(−E/kT)</span>" in html
    assert "σ = A exp(−E/kT)</span>" in html
    published = [(one["quantity"], one["value"]) for one in summary["published"]]
    assert ("EIS (convention not stated)", 0.552) in published  # Tsai et al. (2023), Figure 1B
    assert "10.1002/aenm.202203284" in html


def test_agreement_is_of_nmr_with_what_goes_far_in_the_order_of_the_processes(html, summary):
    pairs = list(dict.fromkeys(reason["pair"] for reason in summary["agreement"]))
    assert pairs == [f"Na hop - {EIS}", "Na hop - boundaries", "Na hop - AIMD"]
    titles = re.findall(r"<h3>(Na hop - .*?)</h3>", html)
    assert titles == ["Na hop - &lt;i&gt;$a_{$", "Na hop - boundaries", "Na hop - AIMD"]
    assert any(line.startswith("Na hop - AIMD: ") for line in verdict_lines(summary))


@pytest.mark.slow
def test_report_is_written_anew_byte_by_byte(results, tmp_path):
    folder = results[1]
    assert main(["report", str(folder / "results.nc"), "--out", str(tmp_path)]) == 0
    names = sorted(file.name for file in folder.iterdir())
    assert names == sorted(file.name for file in tmp_path.iterdir())
    assert "report.html" in names
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_diffusion_is_drawn_with_its_errors_and_its_law(root, results):
    posterior, _ = results
    axes = plot.arrhenius(posterior, "diffusion")
    (points,) = axes.containers
    line, _, bars = points.lines
    np.testing.assert_allclose(line.get_xdata(orig=False), 1000 / np.array(HOT))
    measured = np.loadtxt(root / "aimd.csv", delimiter=",", skiprows=1)[:, 1] / 1e4  # cm^2/s
    np.testing.assert_allclose(line.get_ydata(orig=False), measured, rtol=1e-6)
    heights = np.array([np.ptp(segment[:, 1]) for segment in bars[1].get_segments()])
    np.testing.assert_allclose(heights, 0.2 * measured, rtol=1e-6)  # two standard errors of 10 %
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["AIMD"]
    median = next(one for one in axes.lines if len(one.get_xdata()) > len(HOT))
    x, y = (np.asarray(one, dtype=float) for one in (median.get_xdata(), median.get_ydata()))
    order = np.argsort(x)
    at = np.interp(1000 / 650.0, x[order], np.log(y[order]))
    assert np.exp(at) == pytest.approx(1e-7 * np.exp(-DIFFUSION / (K * 650.0)), rel=0.2)  # 3 sd of two or more


@pytest.mark.slow
def test_conductivities_that_are_missing_have_a_reason_in_the_report(root, tmp_path):
    nd.run(written(root, process("", '"gaps.csv"'), "gaps.toml"), tmp_path)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    data = nd.read_conductivity(root / "gaps.csv")
    assert np.isnan(data["conductivity"].values).tolist() == [False, True, False, True, False]
    for row in (1, 3):
        name, reason = data["experiment"].values[row], data["reason"].values[row]
        kelvin = data["temperature"].values[row]
        assert reason
        cells = rf'<td>{name}</td><td data-value="[^"]*">{kelvin - 273.15:.2f}</td><td data-value="">–</td>'
        assert re.search(rf'{cells}<td class="text">{re.escape(reason)}', html)


def test_sampling_is_asked_for_alike_whatever_is_shown_beside(root, monkeypatch):
    asked = []

    def infer(processes, **options):
        asked.append((processes, options))
        raise nd.InputError("enough")

    monkeypatch.setattr("nmrdyn.study.run.infer", infer)
    for text in (SMALL, SMALL.replace("seed = 1", 'seed = 1\nliterature = "Li2OHCl"') + HAVEN_SAID):
        with pytest.raises(nd.InputError, match="enough"):
            nd.run(written(root, text))
    (bare, options), (full, others) = asked
    assert options == others
    for one, other in zip(bare, full, strict=True):
        assert one.data.identical(other.data)
        assert replace(one, data=other.data) == other


@pytest.mark.slow
def test_draws_do_not_depend_on_what_is_shown_beside(root):
    more = SMALL.replace("seed = 1", 'seed = 1\nliterature = "Li2OHCl"') + HAVEN_SAID
    bare, full = (nd.run(written(root, one, f"{len(one)}.toml")) for one in (SMALL, more))
    assert "haven" in full.children
    assert "haven" not in bare.children
    assert full["posterior"].dataset.equals(bare["posterior"].dataset)


def test_sigma_draws_lines_and_spectra(root, tmp_path, capsys):
    arguments = ["sigma", str(root / "again"), "--thickness", "0.9mm", "--radius", "5mm", "--part", "bulk"]
    arguments += ["--circuit", "two-arcs-tail", "--plots"]
    assert main([*arguments, str(tmp_path / "plots")]) == 0
    assert sorted(file.name for file in (tmp_path / "plots").iterdir()) == ["lines.svg", "spectra.svg"]
    assert "0.45" in capsys.readouterr().out
    assert main(["sigma", str(root / "sigma.csv"), "--plots", str(tmp_path / "table")]) == 0
    assert [file.name for file in (tmp_path / "table").iterdir()] == ["lines.svg"]
    capsys.readouterr()
    assert main([*arguments, str(root / "oven.csv")]) == 2  # a file
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "oven.csv" in said.err


def test_names_with_dollars_are_drawn_as_they_are(root):
    name = "$a_{$"
    sample = nd.read_conductivity(root / "sigma.csv", sample="B")
    sample = sample.assign_coords(sample=xr.full_like(sample["sample"], name, dtype=object))
    axes = plot.conductivity_lines(sample, nd.straight_lines(sample))
    assert plot.svg(axes.figure).startswith(b"<?xml")
