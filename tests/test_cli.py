"""The command line, run in this process: what it prints, what it writes, and how it refuses."""

import csv
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from html.parser import HTMLParser
from importlib import import_module

import numpy as np
import pytest
import xarray as xr

import nmrdyn as nd
from nmrdyn.cli.main import main, parsers
from nmrdyn.cli.show import encodable, print_table
from nmrdyn.findings import attached
from nmrdyn.report.summary import verdict_lines
from nmrdyn.simulate.example import example_truths

RESULTS = ["draws.csv", "report.html", "results.nc", "summary.json", "t1.csv", "tau_c.csv"]

STUDY = """
[study]
seed = 1

[[process]]
name = "hop"
data = "23Na"
nucleus = "23Na"
recovery = "single"
mechanism = { kind = "quadrupolar", cq = "1 MHz", eta = 0.1 }

[[process]]
name = "eis"
role = "<i>conduction</i>"
data = "conductivity.csv"
mechanism = { kind = "conductivity", convention = "sigma_T" }
"""


def no_constant(name):
    raise AssertionError(f"{name} is no JSON")


def parsed(text):
    return json.loads(text, parse_constant=no_constant)


def table(file):
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def folder(sodium, tmp_path_factory):
    """Expnos 23Na/1 to 23Na/3, of which 2 has no ser and 3 no temperature; six conductivities; a study of them."""
    root = tmp_path_factory.mktemp("cli")
    hop = replace(
        sodium,
        temperature=[300.0, 320.0, 340.0],
    )
    eis = nd.ConductivityTruth(
        activation_energy=0.55, conductivity=1e-2, reference_temperature=333.15, temperature=range(290, 341, 10)
    )
    nd.simulate_folder(hop, root / "23Na", seed=1)
    nd.simulate_folder(eis, root, seed=2)
    (root / "23Na" / "2" / "ser").unlink()
    acqus = root / "23Na" / "3" / "acqus"
    acqus.write_text(acqus.read_text(encoding="utf-8").replace("TE= 340.00", "TE= 673.2"), encoding="utf-8")
    (root / "23Na" / "3" / "acqu").unlink()
    (root / "23Na" / "3" / "pdata" / "1" / "title").unlink()
    (root / "empty").mkdir()
    (root / "no-list").mkdir()
    shutil.copytree(root / "23Na" / "1", root / "no-list" / "1")
    (root / "no-list" / "1" / "vdlist").unlink()
    (root / "bare.csv").write_text("temperature, conductivity\n300, 0.01\n310, 0.02\n", encoding="utf-8")
    (root / "study.toml").write_text(STUDY, encoding="utf-8")
    return root


# scan, t1, tau


def test_scan_lists_every_expno(folder, capsys):
    assert main(["scan", str(folder / "23Na"), "--json"]) == 0
    one, two, three = parsed(capsys.readouterr().out)
    assert list(one) == [
        "experiment",
        "path",
        "nucleus",
        "larmor_frequency_Hz",
        "pulse_program",
        "kind",
        "evidence",
        "temperature_K",
        "temperature_stderr_K",
        "temperature_source",
        "mas_rate_Hz",
        "irradiated",
        "delays_s",
        "rows_recorded",
        "rows_planned",
        "recorded_rows",
        "warnings",
    ]
    assert (one["experiment"], one["path"], one["nucleus"]) == ("1", str(folder / "23Na" / "1"), "23Na")
    assert one["larmor_frequency_Hz"] == pytest.approx(132.32e6)
    assert (one["kind"], one["pulse_program"], one["temperature_K"]) == ("saturation_recovery", "satrec", 300.0)
    assert (len(one["delays_s"]), one["rows_recorded"], one["rows_planned"], one["warnings"]) == (16, 16, 16, [])
    assert two["rows_recorded"] == 0
    assert any("ser" in warning for warning in two["warnings"])
    assert three["temperature_K"] is None
    assert main(["scan", str(folder / "23Na")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("2: ", "3: ")) for line in lines[4:])
    assert all(word in lines[1] for word in ("1", "23Na", "saturation_recovery", "300.0", "132.320", "16/16", "satrec"))
    assert "unknown" in lines[3]


def test_t1_lists_every_recovery_failed_ones_too(folder, capsys):
    assert main(["t1", str(folder / "23Na"), "--model", "single", "--json"]) == 0
    one, two, three = parsed(capsys.readouterr().out)
    assert list(one)[:15] == [
        "experiment",
        "temperature_K",
        "nucleus",
        "larmor_frequency_Hz",
        "model",
        "t1_s",
        "t1_stderr_s",
        "beta",
        "depth",
        "reduced_chi2",
        "rows_used",
        "rows_planned",
        "converged",
        "reason",
        "warnings",
    ]
    relaxation = nd.fit_recovery(nd.read_topspin(folder / "23Na"), "single")
    assert one["t1_s"] == pytest.approx(relaxation.t1.values[0])
    assert one["t1_stderr_s"] == pytest.approx(relaxation.t1_stderr.values[0])
    assert (one["temperature_K"], one["model"], one["beta"], one["converged"]) == (300.0, "single", None, True)
    assert (one["rows_used"], one["rows_planned"], one["reason"]) == (16, 16, "")
    assert two["t1_s"] is two["t1_stderr_s"] is None
    assert (two["converged"], two["rows_used"]) == (False, 0)
    assert "ser" in two["reason"]
    assert three["temperature_K"] is None
    assert three["t1_s"] > 0
    assert main(["t1", str(folder / "23Na")]) == 0
    lines = capsys.readouterr().out.splitlines()
    head, *rows = lines[:4]
    assert re.split("  +", head) == [
        "expno",
        "T/K",
        "from",
        "model",
        "T1/s",
        "95 %",
        "beta",
        "depth",
        "chi2_red",
        "rows",
        "remarks",
    ]
    auto = nd.read_topspin(folder / "23Na")
    low, high = nd.t1_interval(auto, nd.fit_recovery(auto)).values[0]
    assert f"{low:.3g} to {high:.3g}" in rows[0]
    assert one["t1_low_s"] < one["t1_s"] < one["t1_high_s"]
    assert two["t1_low_s"] is two["t1_high_s"] is None
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert "ser" in rows[1]
    # Below the table stands what a referee would remark on, but for what the table says already.
    said = attached(nd.fit_recovery(nd.read_topspin(folder / "23Na")))
    assert {("no-t1", "2"), ("no-temperature", "3")} < {(finding.code, finding.where) for finding in said}
    assert lines[4:] == [
        f"{finding.where}: {finding.text} [{finding.code}]" for finding in said if finding.code != "no-t1"
    ]
    assert "3: temperature unknown: not used [no-temperature]" in lines


def test_t1_says_which_t1_it_is_and_what_else_would_fit(folder, capsys):
    assert main(["t1", str(folder / "23Na"), "--json"]) == 0
    one, two, three = parsed(capsys.readouterr().out)
    assert list(one)[15:] == [
        "t1_meaning",
        "t1_low_s",
        "t1_high_s",
        "t1_mean_s",
        "topspin",
        "components",
        "model_weights",
        "kind",
        "site",
        "read_by",
        "temperature_stderr_K",
        "temperature_source",
        "mas_rate_Hz",
        "irradiated",
        "second_component",
        "second_component_limit",
    ]
    relaxation = nd.fit_recovery(nd.read_topspin(folder / "23Na"))
    assert [entry["model"] for entry in (one, two, three)] == relaxation["model"].values.tolist()
    assert one["t1_meaning"] == relaxation["t1_meaning"].values[0]
    assert one["t1_mean_s"] == pytest.approx(relaxation["t1_mean"].values[0])
    assert list(one["model_weights"]) == ["single", "stretched", "bi"]
    for entry in (one, three):
        assert sum(entry["model_weights"].values()) == pytest.approx(1)
        assert entry["model_weights"][entry["model"]] == max(entry["model_weights"].values())
    assert (two["t1_meaning"], two["t1_mean_s"], two["components"]) == ("", None, [])
    # A remark on several experiments stands with each, and one on a failed fit is its reason.
    for finding in attached(relaxation):
        for entry in (one, two, three):
            named = entry["experiment"] in finding.where.split(", ")
            assert (finding.text in entry["warnings"]) == (named and finding.code != "no-t1")
    assert any(warning.startswith("TE 673.2") for warning in three["warnings"])


def test_t1_of_two_exponentials_lists_both(sodium, tmp_path, capsys):
    levels = nd.PopulationRecovery(spin=1.5, interaction="quad", initial="all_sat", observed="total")
    truth = replace(sodium, temperature=[320.0], snr=1000.0, recovery=levels)
    nd.simulate_folder(truth, tmp_path / "levels", seed=1)
    assert main(["t1", str(tmp_path / "levels"), "--model", "bi", "--json"]) == 0
    (entry,) = parsed(capsys.readouterr().out)
    # W1 = 4 W2: 0.8 and 0.2 at 5/8 and 5/2 of the initial rate (Andrew and Tunstall 1961).
    longer, shorter = entry["components"]
    assert longer["t1_s"] == pytest.approx(1.6 * truth.t1[0], rel=0.05)
    assert (longer["fraction"], longer["t1_s"] / shorter["t1_s"]) == (
        pytest.approx(0.8, abs=0.05),
        pytest.approx(4, rel=0.2),
    )
    assert longer["fraction"] + shorter["fraction"] == pytest.approx(1)
    assert any("one 23Na site on the slow flank" in warning for warning in entry["warnings"])
    assert main(["t1", str(tmp_path / "levels"), "--model", "bi"]) == 0
    assert any(line.endswith("[one-site-two-rates]") for line in capsys.readouterr().out.splitlines()[2:])
    # From the levels themselves.
    assert main(["t1", str(tmp_path / "levels"), *POPULATIONS, "--json"]) == 0
    (entry,) = parsed(capsys.readouterr().out)
    assert entry["t1_s"] == pytest.approx(truth.t1[0], abs=4 * entry["t1_stderr_s"])
    assert entry["t1_stderr_s"] < 0.03 * truth.t1[0]
    assert entry["warnings"] == []


POPULATIONS = ["--model", "populations", "--initial", "all_sat", "--observed", "total"]


def test_t1_from_populations_takes_the_spin_of_the_nucleus(folder, capsys):
    assert main(["t1", str(folder / "23Na"), *POPULATIONS, "--json"]) == 0
    entries = parsed(capsys.readouterr().out)
    model = nd.PopulationRecovery(spin=1.5, interaction="quad", initial="all_sat", observed="total")
    relaxation = nd.fit_recovery(nd.read_topspin(folder / "23Na"), model)
    assert [entry["t1_s"] for entry in entries[::2]] == pytest.approx(relaxation["t1"].values[::2].tolist())
    assert [entry["model"] for entry in entries] == ["populations"] * 3
    assert entries[0]["t1_meaning"] == "T1 of the initial rate of <I_z>, all levels saturated"
    assert entries[1]["t1_s"] is None
    assert entries[0]["model_weights"] == {"populations": 1.0}


def test_t1_shows_what_topspin_found(folder, tmp_path, capsys):
    expno = tmp_path / "1"
    shutil.copytree(folder / "23Na" / "1", expno)
    assert main(["t1", str(expno), "--model", "single"]) == 0
    assert "TopSpin" not in capsys.readouterr().out
    report = expno / "pdata" / "1" / "ct1t2.txt"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(
        "AREA fit :\n I[t]=I[0]+P*exp(-t/T1)\n\n16 points for Integral 1\nT1 = 3.210m\n", encoding="utf-8"
    )
    assert main(["t1", str(expno), "--model", "single"]) == 0
    head, row, *_ = capsys.readouterr().out.splitlines()
    assert row[head.index("TopSpin/s") :].split("  ")[0] == "T1 0.00321"
    assert main(["t1", str(expno), "--model", "single", "--json"]) == 0
    (entry,) = parsed(capsys.readouterr().out)
    (found,) = entry["topspin"]
    assert (found["quantity"], found["t1_s"], found["site"]) == ("T1", 0.00321, "Integral 1")


TAU = ["tau", "--nucleus", "11B", "--cq", "0.1MHz", "--eta", "0.4", "--larmor", "160.49MHz"]


def test_tau_gives_both_branches(capsys):
    # Solved in closed form for J = tau/(1 + (omega tau)^2) with high precision; 1 µs is where T1 is 61.13 s.
    assert main([*TAU, "--t1", "61.13 s", "--json"]) == 0
    found = parsed(capsys.readouterr().out)
    assert {"tau_c_fast_s", "tau_c_slow_s", "t1_minimum_s", "feasible"} <= set(found)
    assert found["tau_c_fast_s"] == pytest.approx(3.934e-13, rel=2e-4)
    assert found["tau_c_slow_s"] == pytest.approx(1.000e-6, rel=2e-4)
    # At omega tau = 0.6158 the rate is 1.4252/omega of 2 pi^2/25 C_Q^2 (1 + eta^2/3) (Abragam 1961, ch. VIII).
    omega = 2 * np.pi * 160.49e6
    assert found["t1_minimum_s"] == pytest.approx(
        omega / 1.4252 / (2 * np.pi**2 / 25 * 1e10 * (1 + 0.16 / 3)), rel=1e-3
    )
    assert found["feasible"] is True
    assert main([*TAU, "--t1", "61130ms"]) == 0
    out = capsys.readouterr().out
    assert [float(number) for number in re.findall(r"tau_c \w+ +(\S+) s", out)] == pytest.approx(
        [3.934e-13, 1.000e-6], rel=2e-4
    )


def test_tau_below_the_minimum_has_no_solution(capsys):
    assert main([*TAU, "--t1", "10 ms", "--json"]) == 0
    found = parsed(capsys.readouterr().out)
    assert (found["tau_c_fast_s"], found["tau_c_slow_s"], found["feasible"]) == (None, None, False)
    assert main([*TAU, "--t1", "10 ms"]) == 0
    # T1 at the minimum is proportional to C_Q^-2.
    needed = 0.1 * np.sqrt(found["t1_minimum_s"] / 0.010)
    assert f"C_Q would have to be at least {needed:.4g} MHz" in capsys.readouterr().out


PROTONS = ["--dipolar", "1H:1.20A:4"]


def test_tau_adds_dipolar_relaxation(capsys):
    # 11B in BH4- with protons at 1.20 Å: 1.69 times the quadrupolar rate where both are slow, 1.89 times where both are
    # fast, so that 61.13 s mean 2.69 µs; the shortest T1 of both is 35.8 ms (independent double commutators).
    assert main([*TAU, "--t1", "61.13 s", *PROTONS, "--json"]) == 0
    found = parsed(capsys.readouterr().out)
    assert list(found) == ["tau_c_fast_s", "tau_c_slow_s", "t1_minimum_s", "feasible", "shares"]
    assert found["tau_c_slow_s"] == pytest.approx(2.69e-6, rel=1e-3)
    assert found["t1_minimum_s"] == pytest.approx(35.8e-3, rel=2e-3)
    for branch, ratio in (("fast", 1.89), ("slow", 1.69)):
        shares = found["shares"][branch]
        assert list(shares) == ["quadrupolar", "dipolar 1H"]
        assert sum(shares.values()) == pytest.approx(1, rel=1e-14)
        assert shares["dipolar 1H"] / shares["quadrupolar"] == pytest.approx(ratio, rel=3e-3)
    assert main([*TAU, "--t1", "61.13 s", *PROTONS]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "T1 minimum   0.03584 s",
        "tau_c fast   1.361e-13 s",
        "  1/T1 is quadrupolar 34.6 %, dipolar 1H 65.4 % (1.89 times quadrupolar)",
        "tau_c slow   2.69e-06 s",
        "  1/T1 is quadrupolar 37.2 %, dipolar 1H 62.8 % (1.69 times quadrupolar)",
    ]


def test_tau_without_dipolar_relaxation_is_all_quadrupolar(capsys):
    assert main([*TAU, "--t1", "61.13 s", "--json"]) == 0
    shares = parsed(capsys.readouterr().out)["shares"]
    assert shares == {branch: {"quadrupolar": pytest.approx(1, rel=1e-14)} for branch in ("fast", "slow")}
    assert main([*TAU, "--t1", "61.13 s"]) == 0
    assert "1/T1" not in capsys.readouterr().out


def test_tau_takes_several_partners_and_one_of_each_unless_said(capsys):
    assert main([*TAU, "--t1", "61.13 s", *PROTONS, "--dipolar", "7Li:250pm", "--json"]) == 0
    found = parsed(capsys.readouterr().out)
    protons = nd.Dipolar(nucleus="11B", partner="1H", distance=1.2e-10, count=4)
    lithium = nd.Dipolar(nucleus="11B", partner="7Li", distance=2.5e-10)
    mechanism = nd.BPP(nucleus="11B", cq=0.1e6, eta=0.4) + protons + lithium
    fast, slow = mechanism.correlation_times(61.13, 160.49e6)
    assert (found["tau_c_fast_s"], found["tau_c_slow_s"]) == (pytest.approx(fast), pytest.approx(slow))
    assert list(found["shares"]["slow"]) == ["quadrupolar", "dipolar 1H", "dipolar 7Li"]
    for shares in found["shares"].values():
        assert sum(shares.values()) == pytest.approx(1, rel=1e-14)


def test_tau_takes_shells_of_one_partner(capsys):
    assert main([*TAU, "--t1", "61.13 s", *PROTONS, "--dipolar", "1H:2.5A:8", "--json"]) == 0
    shares = parsed(capsys.readouterr().out)["shares"]["slow"]
    assert list(shares) == ["quadrupolar", "dipolar 1H at 1.20 Å", "dipolar 1H at 2.50 Å"]
    # The rate is proportional to the number and to r^-6.
    near, far = list(shares.values())[1:]
    assert far / near == pytest.approx(2 * (1.2 / 2.5) ** 6)
    assert sum(shares.values()) == pytest.approx(1, rel=1e-14)


def test_tau_below_the_minimum_of_several_mechanisms_has_no_solution(capsys):
    assert main([*TAU, "--t1", "30 ms", *PROTONS, "--json"]) == 0
    found = parsed(capsys.readouterr().out)
    assert (found["tau_c_fast_s"], found["tau_c_slow_s"], found["feasible"]) == (None, None, False)
    assert found["shares"]["slow"] == {"quadrupolar": None, "dipolar 1H": None}
    assert main([*TAU, "--t1", "30 ms", *PROTONS]) == 0
    out = capsys.readouterr().out
    needed = float(re.search(r"C_Q would have to be at least (\S+) MHz", out)[1])
    protons = nd.Dipolar(nucleus="11B", partner="1H", distance=1.2e-10, count=4)
    shortest = (nd.BPP(nucleus="11B", cq=needed * 1e6, eta=0.4) + protons).t1_minimum(160.49e6)
    assert shortest == pytest.approx(0.030, rel=5e-4)  # four digits of C_Q, of which T1 has the square


# What is refused


def refused(arguments, capsys, *words):
    """Exit status 2, nothing on standard output, and one line on standard error that holds the words."""
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.startswith("nmrdyn: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert "Traceback" not in err
    for word in words:
        assert word in err


@pytest.mark.parametrize("command", ["scan", "t1"])
@pytest.mark.parametrize("where", ["empty", "missing", "study.toml"])
def test_folder_without_expnos_is_refused(command, where, folder, capsys):
    refused([command, folder / where], capsys, str(folder / where), "expno")


def test_expno_without_ser_is_refused(folder, capsys):
    refused(["t1", folder / "23Na" / "2"], capsys, str(folder / "23Na" / "2"), "ser")


def test_expno_without_delays_is_refused(folder, capsys):
    refused(["t1", folder / "no-list" / "1"], capsys, str(folder / "no-list" / "1"), "vdlist")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scna"], "needed a command, found 'scna'; did you mean scan?"),
        (["dance"], "needed a command, found 'dance'; there are scan, init, t1, "),
        (["t1", "x", "--model", "triple"], "--model: needed one of auto, single, "),
        (["t1", "x", "--model", "sinlge"], "found 'sinlge'; did you mean single?"),
        (["t1", "--nucleos", "23Na"], "unknown option --nucleos; did you mean --nucleus?"),
        (["tau", "--nucleos=23Na"], "unknown option --nucleos; did you mean --nucleus?"),
        (["tau", "--nuc", "23Na"], "unknown option --nuc"),
        (["sigma", "x", "--part", "bluk"], "--part: needed one of total, bulk, grain_boundary, found 'bluk'"),
        (["--vesion"], "unknown option --vesion; did you mean --version?"),
        (["run", "study.toml"], "needed --out"),
        (["completion", "tcsh"], "shell: needed one of bash, zsh, fish"),
    ],
)
def test_mistyped_words_are_refused_with_the_nearest(arguments, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    usage, said, *rest = err.splitlines()
    assert (out, rest) == ("", [])
    assert usage.startswith("usage: nmrdyn ")
    assert said.startswith("nmrdyn: ")
    assert words in said


def test_mistyped_paths_are_refused_with_the_nearest(folder, capsys):
    refused(["scan", folder / "23NA"], capsys, "found no such file or folder", f"did you mean {folder / '23Na'}?")
    refused(["t1", folder / "24Na" / "1"], capsys, f"did you mean {folder / '23Na'}?")
    refused(["run", folder / "study.tml", "--out", folder / "out"], capsys, f"did you mean {folder / 'study.toml'}?")
    refused(["sigma", folder / "conductivty.csv"], capsys, f"did you mean {folder / 'conductivity.csv'}?")


def test_spin_one_half_is_refused(capsys):
    arguments = ["tau", "--nucleus", "1H", "--cq", "0.1MHz", "--eta", "0.4", "--larmor", "500MHz", "--t1", "1s"]
    refused(arguments, capsys, "quadrupolar nucleus", "1H", "0.5")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--cq", "0.1", ["--cq", "MHz", "'0.1'"]),
        ("--larmor", "160.49", ["--larmor", "MHz"]),
        ("--t1", "61.1", ["--t1", "ms"]),
        ("--t1", "-61.1 s", ["--t1", "-61.1"]),
        ("--t1", "0 s", ["--t1", "0"]),
        ("--larmor", "0 MHz", ["--larmor", "0"]),
        ("--nucleus", "11X", ["nucleus", "'11X'"]),
        ("--cq", "0 MHz", ["C_Q", "0"]),
        ("--eta", "1.4", ["eta", "1.4"]),
    ],
)
def test_tau_refuses_what_has_no_unit_or_no_meaning(option, value, words, capsys):
    arguments = [*TAU, "--t1", "61.13 s"]
    arguments[arguments.index(option) + 1] = value
    if value.startswith("-"):  # as argparse needs it
        at = arguments.index(option)
        arguments[at : at + 2] = [f"{option}={value}"]
    refused(arguments, capsys, *words)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("1H", ["--dipolar", "isotope:distance:count such as 1H:1.20A:4", "'1H'"]),
        ("1H:1.20:4", ["--dipolar", "a unit (m, cm, mm, nm, pm, A, Å)", "'1.20'"]),
        ("1H:1.2MHz:4", ["--dipolar", "'MHz'"]),
        ("1H:1.2A:x", ["--dipolar", "'1H:1.2A:x'"]),
        ("1H:1.2A:1.5", ["--dipolar", "'1H:1.2A:1.5'"]),
        ("1H:1.2A:-4", ["--dipolar", "'1H:1.2A:-4'"]),
        ("1H:1.2A:²", ["--dipolar", "'1H:1.2A:²'"]),
        ("1H:1.2A:", ["--dipolar", "'1H:1.2A:'"]),
        ("1H:1.2A:4:5", ["--dipolar", "'1H:1.2A:4:5'"]),
        ("1H:1.2A:0", ["count", "above 0"]),
        ("1H:0A:4", ["--dipolar", "above 0", "'0A'"]),
        ("1H:1.2±0.1A:4", ["--dipolar", "±"]),
        ("9Q:1.2A:4", ["isotope", "'9Q'"]),
        ("H:1.2A:4", ["mass number", "1H"]),
        (":1.2A:4", ["isotope", "''"]),
    ],
)
def test_dipolar_partners_that_cannot_be_are_refused(said, words, capsys):
    refused([*TAU, "--t1", "61.13 s", "--dipolar", said], capsys, *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "populations"], ["--model populations", "--initial and --observed"]),
        (["--model", "populations", "--initial", "all_sat"], ["--model populations", "needed --observed"]),
        (["--model", "populations", "--observed", "ct"], ["--model populations", "needed --initial"]),
        (["--initial", "all_sat"], ["--initial", "needed --model populations", "auto"]),
        (["--model", "single", "--observed", "ct"], ["--observed", "needed --model populations", "single"]),
        ([*POPULATIONS[:-1], "st2_upper"], ["observed of spin 1.5", "st1_upper", "'st2_upper'"]),
        ([*POPULATIONS[:3], "none", *POPULATIONS[4:]], ["initial of spin 1.5", "all_sat", "'none'"]),
    ],
)
def test_populations_need_their_preparation_and_line(options, words, folder, capsys):
    refused(["t1", folder / "23Na", *options], capsys, *words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"23Na"\nnucleus', '"24Na"\nnucleus', ["hop", "24Na"]),
        ("[study]\nseed", "[study]\nsead", ["'sead'", "'seed'"]),
        ('cq = "1 MHz"', 'cq = "1"', ["hop", "cq", "MHz"]),
        ('"23Na"\nnucleus', '"23Na/1"\nnucleus', ["hop", "two temperatures", "found 1"]),
        ("conductivity.csv", "bare.csv", ["bare.csv", "unit"]),
    ],
)
def test_unusable_study_is_refused(old, new, words, folder, capsys):
    assert old in STUDY
    file = folder / "broken.toml"
    file.write_text(STUDY.replace(old, new), encoding="utf-8")
    refused(["run", file, "--out", folder / "out"], capsys, *words)
    assert not (folder / "out").exists()


def test_missing_study_is_refused(folder, capsys):
    refused(["run", folder / "none.toml", "--out", folder / "out"], capsys, "none.toml")


def test_demo_overwrites_nothing(tmp_path, capsys):
    (tmp_path / "study.toml").write_text("mine", encoding="utf-8")
    refused(["demo", tmp_path], capsys, str(tmp_path), "study.toml", "choose another")
    assert [file.name for file in tmp_path.iterdir()] == ["study.toml"]
    assert (tmp_path / "study.toml").read_text(encoding="utf-8") == "mine"


# Help


COMMANDS = ["scan", "init", "t1", "tau", "sigma", "run", "demo", "report", "compare", "completion"]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_is_given(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert stopped.value.code == 0
    out, err = capsys.readouterr()
    assert out.startswith(" ".join(["usage: nmrdyn", *command]))
    assert "\nexamples:\n  nmrdyn " in out
    assert err == ""


def test_examples_of_the_help_can_be_parsed(capsys):
    parser, commands = parsers()
    for name in COMMANDS:
        examples = commands[name].epilog.splitlines()[1:]
        assert 2 <= len(examples) <= 4
        for example in examples:
            program, *words = shlex.split(re.split(r" > | \| |  +\(", example.strip())[0])
            assert program == "nmrdyn"
            assert parser.parse_args(words).command


def test_no_command_gives_the_help(capsys):
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: nmrdyn COMMAND")
    assert "exit status:\n  0    done, also with warnings" in out
    assert all(f"\n    {name}" in out for name in COMMANDS)
    assert err == ""


def test_version_is_given(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"nmrdyn {nd.__version__}\n"


@pytest.mark.parametrize("arguments", [["dance"], ["run", "study.toml"], ["tau", "--nucleus", "11B"]])
def test_incomplete_commands_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: nmrdyn" in capsys.readouterr().err


# A small run, and what the report makes of text from the data


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, file):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())


@pytest.fixture(scope="module")
def small(folder, tmp_path_factory):
    """The conductivities alone, by `run`; standard output and the folder of results."""
    head, _, eis = STUDY.split("[[process]]")
    (folder / "eis.toml").write_text(f"{head}[[process]]{eis}", encoding="utf-8")
    out = tmp_path_factory.mktemp("small") / "new" / "results"
    with redirect_stdout(io.StringIO()) as printed:
        assert main(["run", str(folder / "eis.toml"), "--out", str(out)]) == 0
    return printed.getvalue(), out


def test_run_prints_the_verdict_and_writes_six_files(small):
    printed, out = small
    assert sorted(file.name for file in out.iterdir()) == RESULTS
    summary = parsed((out / "summary.json").read_text(encoding="utf-8"))
    assert printed.splitlines() == [*verdict_lines(summary), f"results in {out}"]
    assert summary["study"] == "eis"  # the file's name, where the study has none
    energy = summary["processes"]["eis"]["activation_energy_eV"]
    assert printed.startswith(f"eis: {1e3 * energy['median']:.0f} meV (95 %: {1e3 * energy['ci95'][0]:.0f} to ")
    assert table(out / "t1.csv") == table(out / "tau_c.csv") == []


def test_report_shows_text_from_the_data_as_text_and_doubt_first(small, tmp_path):
    with xr.open_datatree(small[1] / "results.nc", engine="h5netcdf") as stored:
        posterior = stored.load()
    posterior.attrs |= {"study": "<script>alert(1)</script>", "passed": 0}
    summary = nd.report(posterior, tmp_path)
    page = Page(tmp_path / "report.html")
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == 1  # the own of the report, whose hash the policy of the page allows
    assert "i" not in tags
    assert page.text.count("<script>alert(1)</script>") == 2  # title and heading
    assert "<i>conduction</i>" in page.text
    # With diagnostics that failed, the first thing to read says so.
    assert tags[tags.index("body") + 1] == "p"
    assert page.text[page.text.index("<script>alert(1)</script>") + 2].startswith("The sampler did not converge")
    assert verdict_lines(summary)[0].startswith("NOT CONVERGED")
    assert page.text[page.text.index("Verdict") + 1].startswith("NOT CONVERGED")


def test_report_that_fails_leaves_earlier_results_alone(small, tmp_path, monkeypatch):
    with xr.open_datatree(small[1] / "results.nc", engine="h5netcdf") as stored:
        posterior = stored.load()
    (tmp_path / "report.html").write_text("earlier", encoding="utf-8")

    def fail(*_):
        raise RuntimeError("no more space")

    monkeypatch.setattr(import_module("nmrdyn.report.write"), "draw_rows", fail)
    with pytest.raises(RuntimeError, match="no more space"):
        nd.report(posterior, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "earlier"


@pytest.mark.slow
def test_report_takes_a_relaxation_that_was_not_fitted_here(sodium, tmp_path):
    # Only T1 and its error, as from a table: all else of a relaxation is optional.
    truth = replace(
        sodium,
        temperature=[300.0, 320.0, 340.0],
    )
    fitted = nd.fit_recovery(nd.simulate(truth, seed=1), "single")
    bare = fitted[["t1", "t1_stderr"]].drop_vars(["rows_recorded", "rows_planned", "kind"])
    process = nd.Process("hop", bare, mechanism=nd.BPP(nucleus="23Na", cq=1e6, eta=0.1))
    posterior = nd.infer([process], seed=1, max_steps=250)
    nd.report(posterior, tmp_path)
    assert [float(row["t1_s"]) for row in table(tmp_path / "t1.csv")] == pytest.approx(fitted.t1.values.tolist())


def test_verdict_of_processes_whose_names_hold_a_dash():
    difference = {"mean": 0.1, "sd": 0.01, "verdict": "different", "reason": "far apart"}
    summary = {
        "diagnostics": {"passed": True},
        "processes": {},
        "differences": {"Na - fast - Na - slow": difference},
        "warnings": [],
    }
    (line,) = verdict_lines(summary)
    assert "different; far apart (difference +100 ± 10 meV)" in line


# The example study, once and as a whole


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "example"
    with redirect_stdout(io.StringIO()) as printed:
        assert main(["demo", str(root)]) == 0
    summary = parsed((root / "results" / "summary.json").read_text(encoding="utf-8"))
    return root, summary, printed.getvalue()


NAMES = {"23Na hop": "23Na", "BH4 rotation": "11B", "conductivity": "eis"}


def assert_moments(value):
    assert {"mean", "sd", "median", "ci68", "ci95"} <= set(value)
    low, high = value["ci95"]
    assert low < value["ci68"][0] < value["median"] < value["ci68"][1] < high
    assert low < value["mean"] < high
    assert 0 < value["sd"] < high - low


def test_demo_writes_data_study_and_six_results(demo):
    root, summary, printed = demo
    assert sorted(entry.name for entry in root.iterdir()) == ["11B", "23Na", "eis", "results", "study.toml"]
    assert sorted(file.name for file in (root / "results").iterdir()) == RESULTS
    assert printed.splitlines() == [
        f"wrote {root / 'study.toml'}",
        *verdict_lines(summary),
        f"results in {root / 'results'}",
    ]


def test_summary_keeps_its_contract(demo):
    _, summary, _ = demo
    assert {"processes", "differences", "warnings", "provenance"} <= set(summary)
    assert list(summary["processes"]) == list(NAMES)
    for name, process in summary["processes"].items():
        assert_moments(process["activation_energy_eV"])
        assert isinstance(process["law"], str)
        assert "Arrhenius" in process["law"]
        check = process["diagnostics"]
        assert check["passed"] is True
        assert check["ess"] >= 1000
        assert 0.99 < check["r_hat"] <= 1.01
        assert check["autocorrelation_time"] > 0
        if name == "conductivity":
            assert process["log10_tau0_s"] is None
            assert_moments(process["log10_prefactor"])
        else:
            assert_moments(process["log10_tau0_s"])
            assert set(process["branch"]) == {"fast", "slow", "crossing"}
            assert sum(process["branch"].values()) == pytest.approx(1)
            assert process["branch"]["slow"] > 0.99  # both are deep on the slow branch
    for warning in summary["warnings"]:
        assert set(warning) == {"code", "where", "text"}
        assert all(isinstance(text, str) and text for text in warning.values())


def test_barriers_hold_their_truths(demo):
    _, summary, _ = demo
    # Tsai et al., Adv. Energy Mater. 13 (2023) 2203284; 3.3 sd are 99.9 % of a normal distribution.
    for name, truth in (("23Na hop", 0.450), ("BH4 rotation", 0.400), ("conductivity", 0.552)):
        energy = summary["processes"][name]["activation_energy_eV"]
        assert abs(energy["mean"] - truth) < 3.3 * energy["sd"]
        assert energy["sd"] < 0.03


def test_differences_have_the_verdict_of_their_interval(demo):
    _, summary, _ = demo
    assert list(summary["differences"]) == [
        "23Na hop - BH4 rotation",
        "23Na hop - conductivity",
        "BH4 rotation - conductivity",
    ]
    keys = {
        "mean",
        "sd",
        "ci95",
        "probability_positive",
        "probability_equivalent",
        "equivalence_margin_eV",
        "verdict",
    }
    for pair, difference in summary["differences"].items():
        assert keys <= set(difference)
        first, second = (summary["processes"][name]["activation_energy_eV"] for name in pair.split(" - "))
        assert difference["mean"] == pytest.approx(first["mean"] - second["mean"], abs=1e-12)
        assert difference["equivalence_margin_eV"] == pytest.approx(0.020)
        low, high = difference["ci95"]
        outside, inside = low > 0.020 or high < -0.020, max(-low, high) < 0.020
        assert difference["verdict"] == ("different" if outside else "same" if inside else "undecided")
        assert 0 <= difference["probability_positive"] <= 1
        assert 0 <= difference["probability_equivalent"] <= 1
    # The nuclei share one thermometer: their difference is better known than independent barriers would allow.
    na, bh4 = (summary["processes"][name]["activation_energy_eV"]["sd"] for name in ("23Na hop", "BH4 rotation"))
    assert summary["differences"]["23Na hop - BH4 rotation"]["sd"] < 0.8 * np.hypot(na, bh4)


RAW = ("acqus", "acqu2s", "acqu", "vdlist", "ser", "audita.txt", "pdata/1/title")


def test_provenance_hashes_every_file_that_was_read(demo):
    root, summary, _ = demo
    provenance = summary["provenance"]
    assert provenance["seed"] == 1
    assert {"python", "numpy", "scipy", "emcee", "xarray"} <= set(provenance["versions"])
    read = [root / "study.toml", root / "eis" / "conductivity.csv"]
    read += [file for part in RAW for file in root.glob(f"*/*/{part}")]
    assert len(read) == 2 + 20 * len(RAW)
    expected = {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in read}
    assert provenance["inputs_sha256"] == expected


def test_t1_table_holds_the_truth(demo):
    root, _, _ = demo
    rows = table(root / "results" / "t1.csv")
    assert len(rows) == 20
    assert {"process", "experiment", "temperature_K", "nucleus", "larmor_frequency_Hz"} <= set(rows[0])
    assert {"model", "t1_s", "t1_stderr_s", "beta", "depth", "reduced_chi2", "rows_used", "converged"} <= set(rows[0])
    truths = example_truths()
    for name in ("23Na hop", "BH4 rotation"):
        mine = [row for row in rows if row["process"] == name]
        assert [row["experiment"] for row in mine] == [str(index) for index in range(1, 11)]
        z = (np.array([float(row["t1_s"]) for row in mine]) - truths[NAMES[name]].t1) / np.array(
            [float(row["t1_stderr_s"]) for row in mine]
        )
        assert np.all(np.abs(z) < 5)
        assert 0.3 < np.std(z) < 1.8  # chi-square of ten: 99.9 % lie within 0.37 and 1.72 of 1


def test_tau_table_has_both_branches(demo):
    root, _, _ = demo
    rows = table(root / "results" / "tau_c.csv")
    assert len(rows) == 40
    assert {"process", "experiment", "temperature_K", "branch", "tau_c_s", "tau_c_stderr_s"} <= set(rows[0])
    for fast, slow in zip(rows[::2], rows[1::2], strict=True):
        assert (fast["branch"], slow["branch"]) == ("fast", "slow")
        assert (fast["process"], fast["experiment"]) == (slow["process"], slow["experiment"])
        assert float(fast["tau_c_s"]) < 1e-9 < float(slow["tau_c_s"])  # 1/omega is about 1 ns
        assert float(slow["branch_probability"]) > 0.99


def test_draws_table_is_a_thinned_posterior(demo):
    root, summary, _ = demo
    rows = table(root / "results" / "draws.csv")
    with xr.open_datatree(root / "results" / "results.nc", engine="h5netcdf") as stored:
        posterior = stored["posterior"].dataset.load()
    assert list(rows[0]) == ["chain", "draw", *posterior]
    assert 3000 < len(rows) <= 4000
    assert {row["chain"] for row in rows} == {"0", "1"}
    for row in rows[:: len(rows) // 10]:
        kept = posterior.isel(chain=int(row["chain"]), draw=int(row["draw"]))
        for name in posterior:
            assert float(row[name]) == pytest.approx(kept[name].item(), rel=1e-8)
    energy = summary["processes"]["23Na hop"]["activation_energy_eV"]
    drawn = np.array([float(row["23Na hop.activation_energy"]) for row in rows])
    # Ten sd of the mean of 1,000 effective draws.
    assert drawn.mean() == pytest.approx(energy["mean"], abs=0.3 * energy["sd"])
    assert drawn.std() == pytest.approx(energy["sd"], rel=0.2)


def test_report_is_one_file_with_the_verdict_first(demo):
    root, summary, _ = demo
    file = root / "results" / "report.html"
    page = Page(file)
    tags = [tag for tag, _ in page.tags]
    assert not {"link", "iframe", "object", "base", "form"} & set(tags)
    for _, attrs in page.tags:
        for key in ("src", "href", "srcset", "action", "poster", "data", "xlink:href"):
            if attrs.get(key) is not None:
                assert attrs[key].startswith(("data:image/", "#"))
        assert not any(key.startswith("on") for key in attrs)
    style = re.search(r"<style>(.*?)</style>", file.read_text(encoding="utf-8"), re.S)[1]
    assert "url(" not in style
    assert "@import" not in style
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) >= 7
    assert all(attrs["src"].startswith("data:image/") and attrs["alt"] for attrs in images)
    headings = [attrs["id"] for tag, attrs in page.tags if tag == "h2"]
    assert headings[0] == "verdict"
    lines = verdict_lines(summary)
    at = page.text.index(lines[0])
    assert page.text[at - 1] == "Verdict"
    assert page.text[at : at + len(lines)] == lines
    for prior in summary["priors"].values():
        assert any(prior in text for text in page.text)
    assert not any("did not converge" in text for text in page.text)


def test_a_region_may_begin_with_a_minus(folder, capsys):
    assert main(["t1", str(folder / "23Na" / "1"), "--model", "single", "--region", "-6:9kHz", "--json"]) == 0
    (entry,) = parsed(capsys.readouterr().out)
    alone = nd.fit_recovery(nd.read_topspin(folder / "23Na" / "1", region="-6:9 kHz"), "single")
    assert entry["t1_s"] == pytest.approx(alone.t1.item())


def test_names_are_printed_without_what_a_terminal_obeys(folder, tmp_path, capsys):
    for name in ("a\x1b[31m\nb", b"\xff".decode("utf-8", "surrogateescape")):
        shutil.copytree(folder / "23Na" / "1", tmp_path / name / "1")
    assert main(["scan", str(tmp_path)]) == 0
    assert main(["scan", str(tmp_path), "--json"]) == 0
    printed = capsys.readouterr().out
    assert r"a\x1b[31m\nb/1" in printed
    assert "\x1b" not in printed


def test_results_are_not_written_into_raw_data(folder, capsys):
    before = sorted(folder.rglob("*"))
    sodium = folder / "23Na"
    for out in (sodium, sodium / "new", sodium / "1", sodium / "1" / "pdata" / "new"):
        assert main(["run", str(folder / "study.toml"), "--out", str(out)]) == 2
        assert "needed a folder outside the raw data" in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before


# Whatever goes wrong, and whoever reads it


def test_an_unexpected_error_is_one_line_and_status_1(monkeypatch, tmp_path, capsys):
    def fail(*_, **__):
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr(import_module("nmrdyn.simulate.example"), "example_study", fail)
    said = "nmrdyn: internal error: ZeroDivisionError: a b; run again with --debug for the traceback, and report it\n"
    assert main(["demo", str(tmp_path)]) == 1
    assert capsys.readouterr().err == said
    for arguments in (["--debug", "demo", str(tmp_path)], ["demo", str(tmp_path), "--debug"]):
        assert main(arguments) == 1
        err = capsys.readouterr().err
        assert err.startswith("Traceback (most recent call last):")
        assert err.endswith(said)


def test_debug_shows_the_traceback_of_a_refusal(folder, capsys):
    assert main(["scan", str(folder / "empty"), "--debug"]) == 2
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):")


def test_an_interrupt_is_status_130(monkeypatch, tmp_path, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("nmrdyn.simulate.example"), "example_study", stop)
    assert main(["demo", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "nmrdyn: interrupted; nothing was written\n"


def test_run_report_and_demo_print_the_summary_as_json(small, tmp_path, monkeypatch, capsys):
    _, out = small
    text = (out / "summary.json").read_text(encoding="utf-8")
    assert main(["report", str(out), "--out", str(tmp_path / "again"), "--json"]) == 0
    printed, err = capsys.readouterr()
    assert (parsed(printed), err) == (parsed(text), "")

    def ready(study, folder, **_):  # as if it had run
        shutil.copytree(out, folder)

    monkeypatch.setattr(import_module("nmrdyn.study.run"), "run", ready)
    assert main(["demo", str(tmp_path / "demo"), "--json"]) == 0
    printed, err = capsys.readouterr()
    assert parsed(printed) == parsed(text)
    assert err == f"nmrdyn: wrote {tmp_path / 'demo' / 'study.toml'}\n"
    assert main(["demo", str(tmp_path / "quiet"), "--json", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_several_studies_print_json(folder, tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text("[study]", encoding="utf-8")
    arguments = ["run", str(tmp_path / "a.toml"), str(tmp_path / "b.toml"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--json"]) == 2
    printed, err = capsys.readouterr()
    assert [(one["name"], one["status"]) for one in parsed(printed)] == [("a", "failed"), ("b", "failed")]
    assert all("seed" in one["reason"] for one in parsed(printed))
    assert err.count("nmrdyn: ") == 2


def test_a_stream_without_all_letters_gets_others(folder):
    line = [sys.executable, "-m", "nmrdyn", "sigma", str(folder / "conductivity.csv")]
    shown = subprocess.run(
        line, capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    ).stdout.decode("ascii")
    assert " +- 0." in shown
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    encodable(stream)
    stream.write("4 ± 1 × 10⁻³ at 60 °C, 3 µs, 中")
    stream.flush()
    assert stream.buffer.getvalue() == b"4 +- 1 x 10^-3 at 60 degC, 3 us, ?"


class Terminal(io.StringIO):
    """A terminal of text."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (80, ["name  T/K  remark", "a     300  the sampler did not converge in time", "b     310"]),
        (40, ["name  T/K  remark", "a     300  the sampler did not converge", "           in time", "b     310"]),
        (
            30,
            ["name  T/K", "a     300", "    the sampler did not", "    converge in time", "b     310"],
        ),
        (
            8,
            [
                "name    a",
                "T/K     300",
                "remark  the sampler did not converge in time",
                "",
                "name    b",
                "T/K     310",
            ],
        ),
    ],
)
def test_tables_fit_a_narrow_terminal(width, lines, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    remarks = ["the sampler did not converge in time", ""]
    print_table({"name": ["a", "b"], "T/K": ["300", "310"], "remark": remarks, "empty": ["-", ""]})
    assert terminal.getvalue().rstrip().splitlines() == lines


@pytest.mark.slow
def test_a_terminal_shows_what_is_under_way(folder, monkeypatch, tmp_path):
    (folder / "fast.toml").write_text("[[process]]".join(STUDY.split("[[process]]")[::2]), encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with redirect_stdout(io.StringIO()):
        assert main(["run", str(folder / "fast.toml"), "--out", str(tmp_path / "out")]) == 0
    for stage in (
        "reading the data of fast.toml",
        "searching branches and modes of eis",
        "sampling eis",
        "leaving out each temperature",
        "writing the report",
    ):
        assert stage in sys.stderr.getvalue()


@pytest.mark.parametrize(
    ("stream", "options", "wanted"),
    [(Terminal, [], True), (Terminal, ["--quiet"], False), (io.StringIO, [], False)],
)
def test_bars_are_for_those_who_look(stream, options, wanted, small, monkeypatch, tmp_path, capsys):
    asked = []

    def ready(study, out, *, progress, say):
        asked.append((progress, say is not None))
        shutil.copytree(small[1], out)

    monkeypatch.setattr(import_module("nmrdyn.study.run"), "run", ready)
    monkeypatch.setattr(sys, "stderr", stream())
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    assert main(["run", str(tmp_path / "study.toml"), "--out", str(tmp_path / "out"), *options]) == 0
    assert asked == [(wanted, not options)]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_words_and_paths(folder, capsys):
    pytest.importorskip("shtab")
    for shell in ("zsh", "fish"):
        assert main(["completion", shell]) == 0
        assert "nucleus" in capsys.readouterr().out
    assert main(["completion", "bash"]) == 0
    (folder / "completion.bash").write_text(capsys.readouterr().out, encoding="utf-8")
    asked = {
        ("",): set(COMMANDS),
        ("t1", "--m"): {"--model", "--method"},
        ("t1", "--model", "s"): {"single", "stretched"},
        ("run", "stu"): {"study.toml"},
        ("run", "study.toml", "--out", "23"): {"23Na"},
        ("completion", ""): {"bash", "zsh", "fish"},
    }
    script = "source completion.bash; complete=$(complete -p nmrdyn); function=${complete##*-F }\n"
    for words in asked:
        script += (
            f"COMP_WORDS=({shlex.join(['nmrdyn', *words])}); COMP_CWORD={len(words)}; COMPREPLY=()\n"
            '${function%% *} nmrdyn "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; echo "${COMPREPLY[@]}"\n'
        )
    found = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert [set(line.split()) for line in found.splitlines()] == list(asked.values())


@pytest.mark.skipif(sys.platform == "win32", reason="no pipe that breaks so")
def test_reader_who_leaves_early_ends_the_command_without_a_word(tmp_path):
    rows = "\n".join(f"s{k}, {300 + t}, {1e-4 * (1 + t)}" for k in range(2000) for t in (0, 10, 20))
    (tmp_path / "eis.csv").write_text(f"sample, T (K), sigma (S/cm)\n{rows}\n", encoding="utf-8")
    line = [sys.executable, "-m", "nmrdyn", "sigma", str(tmp_path / "eis.csv")]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == ""
        assert child.wait() == 141
