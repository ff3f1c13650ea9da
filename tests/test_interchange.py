"""What other programs take: ArviZ, plain columns, pandas, and the schema of summary.json."""

import copy
import csv
import io
import json
from importlib.resources import files

import arviz_stats
import jsonschema
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import nmrdyn as nd
from nmrdyn.report.rows import draw_rows, t1_rows, tau_rows
from nmrdyn.report.summary import SCHEMA, summarise
from nmrdyn.schema import stamp

LAYOUT = json.loads((files("nmrdyn") / "data" / "summary.schema.json").read_text(encoding="utf-8"))
CHECK = jsonschema.Draft202012Validator(LAYOUT)
TEMPERATURES = [290.0, 312.0, 335.0]  # three, which is too few to compare laws, and quick
WORST = (("bulk", {}), ("tail", {"prob": (0.05, 0.95)}))


def hop(law=None, temperature=TEMPERATURES):
    truth = nd.RelaxationTruth(
        nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, activation_energy=0.45, tau_c=1e-5,
        reference_temperature=333.15, temperature=temperature,
    )  # fmt: skip
    coupling = nd.BPP(nucleus="23Na", cq=1e6, eta=0.1)
    data = nd.fit_recovery(nd.simulate(truth, seed=1), "single")
    return nd.Process("Na hop", data, mechanism=coupling, law=law or nd.Arrhenius())


def conducting():
    truth = nd.ConductivityTruth(
        activation_energy=0.55, conductivity=1e-2, reference_temperature=333.15, temperature=TEMPERATURES
    )
    return nd.Process("eis", nd.simulate(truth, seed=1), mechanism=nd.Conductivity("sigma_T"))


@pytest.fixture(scope="module")
def unfinished():
    """A posterior of two processes that had too few steps, so that it did not converge."""
    return nd.infer([hop(), conducting()], seed=1, max_steps=60, likelihood="fast")


def stored(posterior, path):
    posterior.to_netcdf(path, engine="h5netcdf")
    return path


def summary_of(posterior):
    """What summary.json holds, through JSON."""
    return json.loads(json.dumps(summarise(posterior, nd.compare(posterior)), allow_nan=False))


def faults(summary):
    return [f"{list(one.path)}: {one.message}" for one in CHECK.iter_errors(summary)]


def test_results_open_in_arviz_as_they_are(unfinished, tmp_path):
    with xr.open_datatree(stored(unfinished, tmp_path / "results.nc")) as tree:
        found = arviz_stats.summary(tree, round_to="none")
        names = list(unfinished["posterior"].data_vars)
        assert list(found.index) == names
        name = "Na hop.activation_energy"
        draws = unfinished["posterior"][name]
        assert found.loc[name, "mean"] == pytest.approx(float(draws.mean()))
        assert found.loc[name, "sd"] == pytest.approx(float(draws.std(ddof=1)), rel=1e-3)
        diagnostics = json.loads(unfinished.attrs["processes"])["Na hop"]["diagnostics"]
        own = [one for one in names if one.startswith("Na hop.")]
        assert max(float(arviz_stats.rhat(tree)[one]) for one in own) == pytest.approx(diagnostics["r_hat"])
        bulk, tail = (arviz_stats.ess(tree, method=method, **more) for method, more in WORST)
        least = min(min(float(bulk[one]), float(tail[one])) for one in own)
        assert least == pytest.approx(diagnostics["ess"])


def relaxation(temperature, t1, *, nucleus="23Na", larmor=132.32e6, reason=None):
    n = len(t1)
    data = xr.Dataset(
        {"t1": ("experiment", np.array(t1)), "t1_stderr": ("experiment", 0.02 * np.array(t1))}
        | {"reason": ("experiment", reason or [""] * n)},
        coords={
            "experiment": [str(k + 1) for k in range(n)],
            "temperature": ("experiment", np.array(temperature)),
            "temperature_stderr": ("experiment", np.ones(n)),
            "larmor_frequency": ("experiment", np.full(n, larmor)),
        },
    )
    return stamp(data, "relaxation", nucleus=nucleus)


def test_columns_of_several_runs_are_sorted_and_say_what_is_missing():
    first = relaxation([330.0, 300.0, 310.0], [1.0, 3.0, np.nan], reason=["", "", "no signal"])
    second = relaxation([320.0], [0.5], larmor=79.4e6)
    third = relaxation([310.0], [9.0], nucleus="11B", larmor=160.49e6)
    columns = nd.to_vt_dataset([first, second, third])
    assert columns.nucleus.values.tolist() == ["11B", "23Na", "23Na", "23Na"]
    assert columns.larmor_frequency.values.tolist() == [160.49e6, 79.4e6, 132.32e6, 132.32e6]
    assert columns.temperature.values.tolist() == [310.0, 320.0, 300.0, 330.0]
    assert columns.t1.values.tolist() == [9.0, 0.5, 3.0, 1.0]
    assert columns.t1_stderr.values.tolist() == [0.02 * value for value in (9.0, 0.5, 3.0, 1.0)]
    assert columns.experiment.values.tolist() == ["1", "1", "2", "1"]
    assert json.loads(columns.attrs["left_out"]) == {"3": "no signal"}
    assert columns.t1.attrs["units"] == "s"
    frame = columns.to_dataframe()
    assert list(frame) == ["temperature", "t1", "t1_stderr", "larmor_frequency", "nucleus", "experiment"]


def test_columns_survive_a_file(tmp_path):
    columns = nd.to_vt_dataset(relaxation([300.0, 310.0], [3.0, 2.0]))
    columns.to_netcdf(tmp_path / "vt.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "vt.nc", engine="h5netcdf") as again:
        assert again.load().equals(columns)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "found none; make some with fit_recovery"),
        (xr.Dataset(), "needed the stage 'relaxation'"),
        (relaxation([300.0], [np.nan], reason=["flat"]), r"needed at least one T1, found none \(flat\)"),
    ],
)
def test_columns_of_nothing_are_refused(given, words):
    with pytest.raises(nd.InputError, match=words):
        nd.to_vt_dataset(given)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (t1_rows, {"process", "experiment", "nucleus", "model", "t1_meaning", "reason"}),
        (tau_rows, {"process", "experiment", "branch", "reason"}),
        (draw_rows, set()),
    ],
)
def test_csv_files_are_numbers_in_pandas(unfinished, rows, words):
    text = io.StringIO()
    csv.writer(text).writerows(rows(unfinished))
    text.seek(0)
    frame = pd.read_csv(text)
    numeric = {name for name in frame if pd.api.types.is_numeric_dtype(frame[name])}
    assert set(frame) - numeric <= words  # a column of 1, 2, 3 or of nothing may be numbers too
    assert frame.shape[0] > 0


def test_layout_is_a_schema_that_says_what_each_key_is():
    jsonschema.Draft202012Validator.check_schema(LAYOUT)
    assert LAYOUT["properties"]["schema"]["const"] == SCHEMA

    def objects(part, path=""):
        if isinstance(part, dict):
            if part.get("type") == "object":
                yield path, part
            for key, value in part.items():
                yield from objects(value, f"{path}/{key}")
        elif isinstance(part, list):
            for k, value in enumerate(part):
                yield from objects(value, f"{path}/{k}")

    found = dict(objects(LAYOUT))
    assert len(found) > 20
    # Closed, or a mapping of names to something that is said.
    assert not [path for path, one in found.items() if one.get("additionalProperties", True) is True]
    for path, one in found.items():
        silent = [
            key
            for key, value in one.get("properties", {}).items()
            if not ({"description", "$ref", "enum"} & set(value))
        ]
        assert not silent, (path, silent)


def test_summary_fits_its_layout_even_without_convergence(unfinished):
    summary = summary_of(unfinished)
    assert summary["schema"] == "nmrdyn-summary/1"
    assert not faults(summary)
    assert not summary["diagnostics"]["passed"]


def test_summary_of_a_study_with_published_figures_and_a_haven_ratio_fits(unfinished):
    carriers = nd.Carriers(
        charge=1,
        ions_per_cell=2,
        lattice_constant=4.70e-10,
        jump_distance=3.32e-10,
        dimensions=3,
        correlation_factor=0.7,
    )
    posterior = unfinished.copy()
    posterior.attrs |= {"study": "with all", "literature": "Na2(NH2)(BH4)", "inputs": json.dumps({"a/ser": "0" * 64})}
    posterior["haven"] = xr.DataTree(nd.haven_ratio(unfinished, carriers, nmr=hop(), conductivity=conducting()))
    summary = summary_of(posterior)
    assert summary["haven"]
    assert summary["published"]
    assert not faults(summary)


@pytest.mark.slow
@pytest.mark.parametrize("law", [nd.VTF(), nd.TwoArrhenius(), nd.PhaseTransition(temperature=312.0)])
def test_summary_fits_for_every_kind_of_law(law):
    summary = summary_of(nd.infer([hop(law, range(280, 341, 10))], seed=1, max_steps=60, likelihood="fast"))
    assert not faults(summary)
    assert summary["processes"]["Na hop"]["law_evidence"] or law.name == "phase_transition"
    assert bool(summary["differences"]) == (law.name != "vtf")


@pytest.mark.slow
def test_summary_of_tables_fits(tmp_path):
    file = tmp_path / "tau.csv"
    rows = "".join(f"{kelvin}, {1e-13 * np.exp(0.4 / (8.617333e-5 * kelvin))}\n" for kelvin in TEMPERATURES)
    file.write_text("T (K), tau_c (s)\n" + rows, encoding="utf-8")
    process = nd.Process("turn", nd.read_table(file), mechanism=nd.CorrelationTime())
    summary = summary_of(nd.infer([process], seed=1, max_steps=60))
    assert not faults(summary)
    assert summary["processes"]["turn"]["nucleus"] == ""


def test_table_of_a_posterior_has_every_quantity_in_readable_units(unfinished):
    table = nd.table(unfinished)
    frame = table.to_pandas().set_index("name")
    assert list(frame.index) == list(unfinished["posterior"].data_vars)
    draws = unfinished["posterior"]["Na hop.activation_energy"]
    assert frame.loc["Na hop.activation_energy", "median"] == pytest.approx(float(draws.median()))
    assert frame.loc["Na hop.activation_energy", "high"] == pytest.approx(float(draws.quantile(0.975)))
    shown = {(process, quantity): (value, unit) for process, quantity, value, _, unit, *_ in table.rows}
    value, unit = shown["Na hop", "E_a"]
    assert unit == "meV"
    assert float(value.split()[0]) == pytest.approx(1e3 * float(draws.median()), rel=1e-2)
    assert ("Na hop", "log10(tau0 / s)") in shown
    assert table.notes[0].startswith("NOT CONVERGED")


PLACES = [
    ("schema", "nmrdyn-summary/2"),
    ("differences/Na hop - eis/mean", "0.1"),
    ("differences/Na hop - eis/verdict", "maybe"),
    ("differences/Na hop - eis/ci95", [0.1]),
    ("processes/Na hop/activation_energy_eV/sd", None),
    ("processes/Na hop/diagnostics/passed", 1.5),
    ("processes/Na hop/nucleus", None),
    ("provenance/seed", "1"),
    ("warnings", {}),
]


@pytest.mark.parametrize(("place", "value"), PLACES)
def test_a_wrong_value_does_not_fit(unfinished, place, value):
    summary = copy.deepcopy(summary_of(unfinished))
    *way, last = place.split("/")
    inner = summary
    for key in way:
        inner = inner[key]
    inner[last] = value
    assert faults(summary)


@pytest.mark.parametrize("key", sorted(LAYOUT["required"]))
def test_a_missing_key_does_not_fit(unfinished, key):
    summary = summary_of(unfinished)
    del summary[key]
    assert any(f"'{key}' is a required property" in fault for fault in faults(summary))


def test_an_unknown_key_does_not_fit(unfinished):
    assert faults(summary_of(unfinished) | {"new": 1})
