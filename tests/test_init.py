"""nmrdyn init: what it finds in a folder, the file that it writes, and where it refuses to write."""

import json
import os
import shutil
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nmrdyn as nd
from nmrdyn.cli.main import main
from nmrdyn.simulate.example import example_study
from nmrdyn.study.gaps import gaps
from nmrdyn.study.read import read_study

COUPLINGS = ["--cq", "23Na=1.00±0.05MHz,11B=0.100±0.005MHz", "--eta", "23Na=0.1", "--eta", "11B=0.4"]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example study with its folders 23Na, 11B and eis."""
    return example_study(tmp_path_factory.mktemp("init") / "example")


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty folder, the current one."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def run(*arguments):
    return main([str(argument) for argument in arguments])


def by_data(study):
    """The processes of a study by nucleus, and None for a conductivity."""
    return {process.data.attrs.get("nucleus"): process for process in study.processes}


def test_filled_in_it_is_the_example_study(example, work, capsys):
    assert run("init", example.parent, *COUPLINGS) == 0
    assert capsys.readouterr().err == ""
    mine, given = read_study(work / "study.toml"), read_study(example)
    assert (mine.seed, mine.margin, mine.likelihood) == (given.seed, given.margin, given.likelihood)
    assert sorted(mine.probes, key=str) == sorted(given.probes, key=str)
    ours, theirs = by_data(mine), by_data(given)
    assert set(ours) == set(theirs) == {"23Na", "11B", None}
    for key, process in ours.items():
        other = theirs[key]
        assert (process.mechanism, process.recovery, process.law) == (other.mechanism, other.recovery, other.law)
        assert list(process.probes) == list(other.probes)
        assert process.data.drop_attrs().identical(other.data.drop_attrs())
    priors = {f"{process.name}.{key}": process for key in ("cq", "eta") for process in given.processes}
    renamed = {name.replace(priors[name].name, priors[name].data.attrs["nucleus"]) for name in given.priors}
    assert set(mine.priors) == renamed == {"23Na.cq", "11B.cq"}
    assert mine.priors["23Na.cq"] == given.priors["23Na hop.cq"]


@pytest.mark.slow
def test_filled_in_it_gives_the_barriers_of_the_example_study(example, work, capsys):
    assert run("init", example.parent, *COUPLINGS) == 0
    assert run("run", "study.toml", "--out", "results", "--json") == 0
    summary = json.loads(capsys.readouterr().out.partition("results\n")[2])
    for name, truth in (("23Na", 0.450), ("11B", 0.400), ("conductivity", 0.552)):
        energy = summary["processes"][name]["activation_energy_eV"]
        assert abs(energy["mean"] - truth) < 3.3 * energy["sd"]


def test_what_cannot_be_known_stops_the_run_with_its_lines(example, work, capsys):
    assert run("init", example.parent, "--cq", "11B=0.1MHz") == 0
    said = capsys.readouterr().out
    text = Path("study.toml").read_text(encoding="utf-8")
    lines = text.splitlines()
    found = gaps(text)
    assert [gap.key for gap in found] == ["eta", "cq", "eta"]
    assert all(lines[gap.line - 1].startswith("mechanism = ") for gap in found)
    first, second = sorted({gap.line for gap in found})
    assert f"fill in line {first}: eta; line {second}: cq, eta" in said
    assert run("run", "study.toml", "--out", "results") == 2
    err = capsys.readouterr().err
    assert err.startswith("nmrdyn: study.toml: needed values in place of ")
    assert f"line {first}: eta; line {second}: cq, eta" in err
    assert err.count("\n") == 1
    assert not Path("results").exists()


def test_json_tells_what_was_found(example, work, capsys):
    assert run("init", example.parent, "-o", "new.toml", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["study"] == "new.toml"
    assert [one["name"] for one in found["processes"]] == ["11B", "23Na", "conductivity"]
    assert [len(one["temperatures_K"]) for one in found["processes"]] == [10, 10, 10]
    assert [len(one["experiments"]) for one in found["processes"]] == [10, 10, 0]
    assert found["processes"][1]["larmor_frequency_Hz"] == pytest.approx(132.32e6)
    assert found["processes"][1]["experiments"][0]["rows_planned"] == 16
    assert [gap["key"] for gap in found["fill_in"]] == ["cq", "eta", "cq", "eta"]
    assert (work / "new.toml").is_file()


def test_an_existing_file_is_kept_unless_forced(example, work, capsys):
    Path("study.toml").write_text("mine", encoding="utf-8")
    assert run("init", example.parent) == 2
    assert "--force" in capsys.readouterr().err
    assert Path("study.toml").read_text(encoding="utf-8") == "mine"
    assert run("init", example.parent, "--force") == 0
    assert "[[process]]" in Path("study.toml").read_text(encoding="utf-8")
    assert [file.name for file in work.iterdir()] == ["study.toml"]


def test_no_device_or_pipe_is_replaced_and_a_link_is_followed(example, work, capsys):
    os.mkfifo("pipe")
    assert run("init", example.parent, "-o", "pipe", "--force") == 2
    assert "found a device or a pipe" in capsys.readouterr().err
    assert Path("pipe").is_fifo()
    Path("link.toml").symlink_to("there.toml")
    assert run("init", example.parent, "-o", "link.toml") == 0
    assert Path("link.toml").is_symlink()
    assert "[[process]]" in Path("there.toml").read_text(encoding="utf-8")
    assert sorted(file.name for file in work.iterdir()) == ["link.toml", "pipe", "there.toml"]


def test_a_mistyped_source_of_temperatures_is_named(example, work, capsys):
    # Beside recoveries lies a table of conductivities, which by itself would make a study.
    assert run("init", example.parent, "--temperature", "tee") == 2
    err = capsys.readouterr().err
    assert "tee" in err
    assert "no expnos" not in err
    assert not Path("study.toml").exists()


@pytest.mark.parametrize("formula", ["TE*1e3", "1/0"])
def test_a_formula_that_gives_no_temperature_is_named(formula, example, work, capsys):
    assert run("init", example.parent, "--temperature", formula) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"formula {formula}" in line
    assert "11B/1" in line
    assert not list(work.iterdir())


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_stream_is_no_error(closed, example, work, monkeypatch):
    monkeypatch.setattr(sys, closed, None)
    assert run("init", example.parent) == 0


def test_nothing_is_written_into_the_data(example, work, monkeypatch, capsys):
    before = sorted(example.parent.rglob("*"))
    inside = example.parent / "23Na" / "study.toml"
    assert run("init", example.parent, "-o", inside) == 2
    assert "outside the data" in capsys.readouterr().err
    link = work / "link"
    link.symlink_to(example.parent, target_is_directory=True)
    assert run("init", example.parent, "-o", link / "23Na" / "new.toml") == 2
    monkeypatch.chdir(example.parent / "23Na")
    assert run("init", ".") == 2
    err = capsys.readouterr().err
    assert f"cd .. first, or say -o {Path('..', 'study.toml')}" in err
    assert sorted(example.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cq", "7Li=1MHz"], ["--cq", "11B, 23Na", "7Li"]),
        (["--cq", "11B=1"], ["--cq 11B", "MHz"]),
        (["--cq", "1MHz"], ["NUCLEUS=VALUE"]),
        (["--eta", "11B=1.4"], ["eta", "1.4"]),
        (["--eta", "11B"], ["--eta", "23Na=0.1"]),
        (["--temperature", "none.csv"], ["none.csv", "table of temperatures"]),
    ],
)
def test_values_that_cannot_be_are_refused(options, words, example, work, capsys):
    assert run("init", example.parent, *options) == 2
    err = capsys.readouterr().err
    assert all(word in err for word in words)
    assert err.count("\n") == 1
    assert list(work.iterdir()) == []


def test_fields_unreadable_expnos_and_other_tables(sodium, work, tmp_path, capsys):
    data = tmp_path / "data"
    low = replace(sodium, temperature=[300.0, 320.0, 340.0])
    nd.simulate_folder(low, data / "Na", seed=1)
    nd.simulate_folder(replace(low, larmor_frequency=52.9e6), tmp_path / "other", seed=2)
    for one in (1, 2, 3):
        shutil.copytree(tmp_path / "other" / str(one), data / "Na" / f"1{one}")
    (data / "Na" / "2" / "ser").unlink()
    (data / "two.csv").write_text(
        "sample, T (K), sigma (S/m)\nA, 300, 0.01\nA, 310, 0.02\nA, 320, 0.03\nB/1, 300, 0.1\nB/1, 310, 0.2\n",
        encoding="utf-8",
    )
    (data / "pellet.csv").write_text("T (K), R (ohm)\n300, 1000\n310, 500\n320, 200\n", encoding="utf-8")
    (data / "notes.csv").write_text("who, what\nme, nothing\n", encoding="utf-8")
    (data / "results").mkdir()
    (data / "results" / "summary.json").touch()
    (data / "results" / "t1.csv").write_text("T (K), sigma (S/m)\n300, 1\n310, 2\n", encoding="utf-8")
    assert run("init", data, "--cq", "23Na=1MHz", "--eta", "23Na=0.10 ± 0.05") == 0
    assert "2 of 3 recoveries usable" in capsys.readouterr().out
    text = Path("study.toml").read_text(encoding="utf-8")
    study = tomllib.loads(text)
    names = [process["name"] for process in study["process"]]
    assert names == ["23Na at 132 MHz", "23Na at 53 MHz", "conductivity", "conductivity A", "conductivity B 1"]
    high, low_field, pellet, first, second = study["process"]
    assert high["exclude"] == ["11", "12", "13"]
    assert low_field["exclude"] == ["1", "2", "3"]
    assert '# exclude = ["2"]' not in text  # where exclude is used already
    assert high["mechanism"] == {"kind": "quadrupolar", "cq": "1MHz", "eta": "0.10 ± 0.05"}
    assert pellet["cell"] == {"thickness": "? mm", "radius": "? mm"}
    assert (first["sample"], second["sample"]) == ("A", "B/1")
    assert set(study["probe"]) == {"nmr500", "nmr200", "eis"}
    assert "same_runs" not in study["probe"]["nmr500"]
    assert "#   notes.csv: needed" in text
    assert "results" not in text.partition("[study]")[2].replace("--out results", "")
    filled = text.replace('"? mm"', '"1 mm"')
    Path("filled.toml").write_text(filled, encoding="utf-8")
    plan = read_study(Path("filled.toml"))
    assert [process.data.sizes["experiment"] for process in plan.processes] == [3, 3, 3, 3, 2]
    assert plan.processes[0].data["larmor_frequency"].values == pytest.approx(132.32e6)
    assert plan.processes[1].data["larmor_frequency"].values == pytest.approx(52.9e6)


def test_a_series_of_expnos_is_one_recovery(series, work, capsys):
    assert run("init", series, "--cq", "23Na=1MHz", "--eta", "23Na=0.1", "--json") == 0
    (process,) = json.loads(capsys.readouterr().out)["processes"]
    assert [one["experiment"] for one in process["experiments"]] == ["11-18", "21-28"]
    assert process["experiments"][0]["members"] == [str(number) for number in range(11, 19)]
    (found,) = read_study(Path("study.toml")).processes
    assert found.data["experiment"].values.tolist() == ["11-18", "21-28"]


def test_scan_lists_a_series_in_one_row(series, capsys):
    assert run("scan", series) == 0
    _, first, second, *remarks = capsys.readouterr().out.splitlines()
    assert first.split()[:4] == ["11-18", "23Na", "saturation_recovery", "300.0"]
    assert "8/8" in first
    assert "8 one-dimensional expnos that differ in D7" in first
    assert second.startswith("21-28")
    assert f"11-18: read together: {', '.join(str(number) for number in range(11, 19))}" in remarks
    assert run("scan", series, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 16


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Saturation recoveries at two temperatures as eight one-dimensional expnos each, which differ in D7."""
    root = tmp_path_factory.mktemp("series")
    for first, kelvin in ((11, 300.0), (21, 320.0)):
        _write_series(root, first, kelvin)
    return root


def _write_series(root, first, kelvin):
    rng = np.random.default_rng(first)
    delays = np.geomspace(0.02, 20, 8)
    time = np.arange(512) * 2e-5
    for number, delay in enumerate(delays, first):
        expno = root / str(number)
        expno.mkdir()
        signal = (1 - np.exp(-delay / 1.5)) * 1e5 * np.exp(-time / 1e-3) + rng.normal(0, 300, (2, 512)).T @ [1, 1j]
        np.stack([signal.real, signal.imag], axis=1).round().astype("<i4").tofile(expno / "fid")
        array = [0.0] * 64
        array[7] = delay
        (expno / "acqus").write_text(
            "##TITLE= Parameter file, TOPSPIN Version 3.5\n##$BYTORDA= 0\n##$DTYPA= 0\n##$TD= 1024\n##$SW_h= 50000\n"
            "##$SW= 377.9\n##$SFO1= 132.32\n##$BF1= 132.32\n##$O1= 0\n##$NUC1= <23Na>\n##$PULPROG= <satrec>\n"
            f"##$NS= 8\n##$RG= 64\n##$DECIM= 1\n##$DSPFVS= 0\n##$DIGMOD= 0\n##$GRPDLY= -1\n##$TE= {kelvin}\n"
            f"##$D= (0..63)\n{' '.join(str(value) for value in array)}\n##END=\n",
            encoding="utf-8",
        )


@pytest.mark.parametrize("name", ['say "cheese"', "back\\slash", "±°C ü 中", "a # b = [c]", "'"])
def test_names_that_toml_has_to_quote(name, sodium, work, tmp_path):
    if sys.platform == "win32" and set('"\\') & set(name):
        pytest.skip("no such names on Windows")
    data = tmp_path / name
    nd.simulate_folder(replace(sodium, temperature=[300.0, 340.0]), data / "Na", seed=1)
    assert run("init", data, "--cq", "23Na=1MHz", "--eta", "23Na=0.1") == 0
    plan = read_study(Path("study.toml"))
    assert plan.name == name
    assert plan.processes[0].data.sizes["experiment"] == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names of other bytes")
def test_a_name_that_is_no_text_is_refused(sodium, work, tmp_path, capsys):
    data = tmp_path / os.fsdecode(b"a\xff")
    nd.simulate_folder(replace(sodium, temperature=[300.0, 340.0]), data, seed=1)
    assert run("init", data) == 2
    assert "needed a name that is text" in capsys.readouterr().err
    assert list(work.iterdir()) == []


def test_a_spin_of_one_half_asks_for_its_partners(sodium, work, tmp_path):
    proton = nd.simulate_folder(replace(sodium, temperature=[300.0, 340.0]), tmp_path / "H", seed=1)
    for acqus in proton.glob("*/acqus"):
        text = acqus.read_text(encoding="utf-8")
        acqus.write_text(text.replace("<23Na>", "<1H>").replace("132.32", "500.13"), encoding="utf-8")
    assert run("init", proton) == 0
    text = Path("study.toml").read_text(encoding="utf-8")
    assert [gap.key for gap in gaps(text)] == ["partner", "distance", "count"]
    filled = text.replace('"?", distance = "? A", count = "?"', '"1H", distance = "1.2 A", count = 3')
    Path("study.toml").write_text(filled, encoding="utf-8")
    (process,) = read_study(Path("study.toml")).processes
    assert process.mechanism == nd.Dipolar(nucleus="1H", partner="1H", distance=1.2e-10, count=3)


def test_temperatures_that_were_said_are_in_the_study(sodium, work, tmp_path):
    data = nd.simulate_folder(replace(sodium, temperature=[300.0, 340.0]), tmp_path / "Na", seed=1)
    table = tmp_path / "kelvin.csv"
    table.write_text("experiment, temperature (K)\n1, 301\n2, 341\n", encoding="utf-8")
    for said, expected in (("TE + 5", [305, 345]), ("te,title", [300, 340]), (str(table), [301, 341])):
        assert run("init", data, "--temperature", said, "--force", *["--cq", "23Na=1MHz", "--eta", "23Na=0.1"]) == 0
        (process,) = read_study(Path("study.toml")).processes
        assert process.data["temperature"].values.tolist() == expected


def test_a_folder_without_a_barrier_is_refused(sodium, work, tmp_path, capsys):
    data = nd.simulate_folder(sodium, tmp_path / "Na", seed=1)
    assert run("init", data) == 2
    err = capsys.readouterr().err
    assert "two temperatures or more" in err
    assert "1 known temperature," in err
    (tmp_path / "empty").mkdir()
    assert run("init", tmp_path / "empty") == 2
    assert "no expnos and no tables" in capsys.readouterr().err
    assert list(work.iterdir()) == []


def test_real_folders_give_one_file_or_one_error(topspin, work, capsys):
    found = {}
    for folder in sorted(path for path in topspin.iterdir() if path.is_dir()):
        status = run("init", folder, "-o", f"{folder.name}.toml")
        out, err = capsys.readouterr()
        found[folder.name] = status
        if status == 0:
            table = tomllib.loads(Path(f"{folder.name}.toml").read_text(encoding="utf-8"))
            assert table["process"]
            assert f"wrote {folder.name}.toml" in out
        else:
            assert (status, out, err.count("\n")) == (2, "", 1)
            assert "two temperatures or more" in err
    assert found["crn87rb-T1"] == 0
