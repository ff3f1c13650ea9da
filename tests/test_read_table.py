"""Tables of T1 and tau_c in place of a folder: units, truths, what is refused, and a study of tables alone.

Energies are in eV, times in s, temperatures in K. Formulas here are written anew, not taken from the package.
"""

import csv
import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

import nmrdyn as nd
from nmrdyn.inference.measurements import measurements
from nmrdyn.inference.observed import CorrelationTime
from nmrdyn.read_table import read_table
from nmrdyn.schema import stamp
from nmrdyn.study.read import read_study

K = 8.617333262e-5  # eV/K, CODATA 2018
LARMOR = 132.32e6
SODIUM = {"nucleus": "23Na", "larmor_frequency": LARMOR}


def written(folder, text, name="table.csv"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def described(posterior, name):
    return json.loads(posterior.attrs["processes"])[name]


def remarks(posterior):
    return {remark["code"]: remark for remark in json.loads(posterior.attrs["warnings"])}


# Values, in every unit and form


@pytest.mark.parametrize(
    ("header", "row", "t1", "stderr", "kelvin"),
    [
        ("T (K), T1 (s), T1_stderr (s)", "300, 0.25, 0.01", 0.25, 0.01, 300.0),
        ("temperature (°C);T1 [ms];T1 error [ms]", "60;250;10", 0.25, 0.01, 333.15),
        ("temp/K\tT_1/min\tT_1_sd/s", "300\t0.5\t0.3", 30.0, 0.3, 300.0),
        # 1/T1 = 4 /s; the error of T1 is that of the rate times T1^2.
        ("T (K), 1/T1 (1/s), R1_stderr (1/s)", "300, 4, 0.16", 0.25, 0.01, 300.0),
        ("T (K), R1 (s^-1), T1_stderr (ms)", "300, 4, 10", 0.25, 0.01, 300.0),
        ("T (K), 1/T1 [1/ms]", "300, 0.004", 0.25, np.nan, 300.0),
        ("1000/T (1/K), T1 (us)", "3.2, 250000", 0.25, np.nan, 312.5),
        ("1000/T [K^-1], T1 (s)", "4, 0.25", 0.25, np.nan, 250.0),
    ],
)
def test_units_of_t1(header, row, t1, stderr, kelvin, tmp_path):
    data = read_table(written(tmp_path, f"{header}\n{row}\n"), **SODIUM)
    assert data.attrs["stage"] == "relaxation"
    assert data.attrs["nucleus"] == "23Na"
    found = [data[name].item() for name in ("t1", "t1_stderr", "temperature", "larmor_frequency")]
    np.testing.assert_allclose(found, [t1, stderr, kelvin, LARMOR], rtol=1e-12)
    assert np.isnan(data["temperature_stderr"].item())


@pytest.mark.parametrize(
    ("header", "row", "tau", "stderr"),
    [
        ("T (K), tau_c (ps), tau_c_stderr (ps)", "300, 2.5, 0.1", 2.5e-12, 1e-13),
        ("T (K), τc (us), τc err (ns)", "300, 2.5, 100", 2.5e-6, 1e-7),
        # d tau = ln(10) tau d log10 tau
        ("T (K), log10 tau_c (s), log10 tau_c_stderr", "300, -6, 0.1", 1e-6, 2.302585093e-7),
        ("T (K), log10(tau_c/s), tau_c_stderr (us)", "300, -6, 0.1", 1e-6, 1e-7),
        ("T (K), log10 tau_c (ps), tau_c_stderr (%)", "300, 6, 10", 1e-6, 1e-7),
    ],
)
def test_units_of_tau_c(header, row, tau, stderr, tmp_path):
    data = read_table(written(tmp_path, f"{header}\n{row}\n"))
    assert data.attrs["stage"] == "motion"
    assert data["tau_c"].dims == ("experiment", "branch")
    assert data["branch"].values.tolist() == ["given"]
    np.testing.assert_allclose([data["tau_c"].item(), data["tau_c_stderr"].item()], [tau, stderr], rtol=1e-9)


def test_columns_beside_the_values_are_used_or_listed(tmp_path):
    file = written(
        tmp_path,
        "note,experiment,T (°C),T_stderr (°C),T1 (s),nucleus,larmor (MHz)\n"
        "good,b/7,60,0.5,2,23Na,132.32\n,b/3,20,1,3,Na23,105.84\n<b>,c/1,60,1,9,11B,160.49\nagain,b/9,60,,4,23Na,132.32\n",
    )
    data = read_table(file, nucleus="23Na")
    assert data["experiment"].values.tolist() == ["b/7", "b/3", "b/9"]  # the order of the table, with its repeat
    np.testing.assert_allclose(data["temperature"], [333.15, 293.15, 333.15])
    np.testing.assert_allclose(data["temperature_stderr"], [0.5, 1.0, np.nan])
    np.testing.assert_allclose(data["larmor_frequency"], [132.32e6, 105.84e6, 132.32e6])
    assert json.loads(data.attrs["left_out"]) == {"c/1": "of another nucleus, 11B"}
    assert json.loads(data.attrs["sources"]) == [str(file)]
    assert [one["text"] for one in json.loads(data.attrs["warnings"])] == ["columns of the table not used: 'note'"]
    assert read_table(file, nucleus="11B")["t1"].values.tolist() == [9.0]


def test_what_is_missing_is_a_row_with_a_reason(tmp_path):
    file = written(
        tmp_path, "T (K),T1 (s),T1_stderr (s),larmor (MHz)\n300,,0.1,132\n,2,,132\n310,3,0.1,\n320,4,0.1,132\n"
    )
    data = read_table(file, nucleus="23Na")
    assert data["reason"].values.tolist() == ["no T1", "no temperature", "no Larmor frequency", ""]
    np.testing.assert_array_equal(data["t1"], [np.nan, 2, np.nan, 4])
    np.testing.assert_array_equal(data["t1_stderr"], [np.nan, np.nan, np.nan, 0.1])
    motion = read_table(written(tmp_path, "T (K),tau_c (s)\n300,-\n310,1e-6\n"))
    assert motion["reason"].values.tolist() == ["no tau_c", ""]
    assert motion["feasible"].values.tolist() == [False, True]


REFUSED = {
    "no file": (None, {}, ["table.csv", "no such file"]),
    "no rows": ("T (K),T1 (s)\n,,\n", SODIUM, ["needed rows"]),
    "no value": ("T (K),beta\n300,1\n", {}, ["T1 (ms) or tau_c (s)", "'beta'"]),
    "both": ("T (K),T1 (s),tau_c (s)\n300,1,1e-6\n", SODIUM, ["found T1 and tau_c", "leave one"]),
    "T1 in two forms": ("T (K),T1 (s),R1 (1/s)\n300,1,1\n", SODIUM, ["found T1 and 1/T1", "leave one"]),
    "errors in two forms": ("T (K),T1 (s),T1_err (s),R1_err (1/s)\n300,1,1,1\n", SODIUM, ["one column of errors"]),
    "temperature in two units": ("T (K),T (°C),T1 (s)\n300,27,1\n", SODIUM, ["one column of temperature", "'T (°C)'"]),
    "temperature in two forms": ("T (K),1000/T (1/K),T1 (s)\n300,3.3,1\n", SODIUM, ["temperature and 1000/T"]),
    "no temperature": ("T1 (s)\n1\n", SODIUM, ["temperature (K)"]),
    "no unit": ("T (K),T1\n300,1\n", SODIUM, ["unit", "'T1'", "ms"]),
    "wrong unit": ("T (K),T1 (Hz)\n300,1\n", SODIUM, ["unit", "'T1 (Hz)'", "'Hz'", "ms"]),
    "degrees Fahrenheit": ("T (F),T1 (s)\n80,1\n", SODIUM, ["'T (F)'", "°C"]),
    "logarithm without a unit": ("T (K),log10 tau_c\n300,3\n", {}, ["unit", "'log10 tau_c'", "(s, "]),
    "logarithm to either base": ("T (K),log tau_c (s)\n300,-6\n", {}, ["'log tau_c (s)'", "log10 or ln"]),
    "negative T1": ("T (K),T1 (s)\n300,1\n310,-1\n", SODIUM, ["line 3", "'T1 (s)'", "above 0", "'-1'"]),
    "T1 of zero": ("T (K),T1 (s)\n300,0\n", SODIUM, ["line 2", "above 0"]),
    "rate of zero": ("T (K),1/T1 (1/s)\n300,0\n", SODIUM, ["line 2", "above 0"]),
    "error of zero": ("T (K),T1 (s),T1_err (s)\n300,1,0\n", SODIUM, ["line 2", "above 0", "leave the cell empty"]),
    "negative temperature error": ("T (K),T_err (K),T1 (s)\n300,-1,1\n", SODIUM, ["line 2", "0 K or more"]),
    "words": ("T (K),T1 (s)\n300,long\n", SODIUM, ["line 2", "'T1 (s)'", "'long'"]),
    "decimal comma": ("T (K);T1 (s)\n300.5;1,5\n", SODIUM, ["line 2", "'1,5'", "point"]),
    "too small a rate": ("T (K),1/T1 (1/s)\n300,1e-320\n", SODIUM, ["line 2", "finite T1"]),
    "too long a tau_c": ("T (K),log10 tau_c (s)\n300,999\n", {}, ["line 2", "finite tau_c"]),
    "too short a tau_c": ("T (K),log10 tau_c (s)\n300,-999\n", {}, ["line 2", "positive, finite tau_c"]),
    "below absolute zero": ("T (K),T1 (s)\n300,1\n-5,1\n", SODIUM, ["line 3", "-5 K", "swapped"]),
    "inverse temperature in K": ("T (K),T1 (s)\n0.0033,1\n0.0032,1\n", SODIUM, ["all below 1 K", "swapped"]),
    "T1 and T swapped": ("T (K),T1 (s)\n0.2,300\n0.4,310\n", SODIUM, ["all below 1 K", "swapped"]),
    "too hot": ("1000/T (1/K),T1 (s)\n0.0033,1\n", SODIUM, ["line 2", "3000 K", "swapped"]),
    "T1 of days": ("T (K),T1 (s)\n300,2e5\n310,3e5\n", SODIUM, ["T1", "100000 s", "swapped"]),
    "no Larmor frequency": ("T (K),T1 (s)\n300,1\n", {"nucleus": "23Na"}, ["larmor (MHz)", "larmor_frequency=132.3e6"]),
    "two Larmor frequencies": ("T (K),T1 (s),larmor (MHz)\n300,1,132\n", SODIUM, ["one Larmor", "column"]),
    "Larmor frequency in MHz": (
        "T (K),T1 (s)\n300,1\n",
        {"nucleus": "23Na", "larmor_frequency": 132.3},
        ["Hz", "found 132.3"],
    ),
    "Larmor column in Hz that is in MHz": (
        "T (K),T1 (s),larmor (Hz)\n300,1,132.3\n",
        {"nucleus": "23Na"},
        ["line 2", "Hz", "132.3"],
    ),
    "no nucleus": ("T (K),T1 (s)\n300,1\n", {"larmor_frequency": LARMOR}, ["nucleus='23Na'", "column 'nucleus'"]),
    "unknown nucleus": ("T (K),T1 (s)\n300,1\n", {**SODIUM, "nucleus": "23Nb"}, ["23Nb"]),
    "unknown nucleus in a row": ("T (K),T1 (s),nucleus\n300,1,Na\n", {"larmor_frequency": LARMOR}, ["line 2", "'Na'"]),
    "two nuclei": (
        "T (K),T1 (s),nucleus\n300,1,23Na\n300,1,11B\n",
        {"larmor_frequency": LARMOR},
        ["one nucleus, found 23Na, 11B", "say which"],
    ),
    "another nucleus": ("T (K),T1 (s),nucleus\n300,1,11B\n", SODIUM, ["rows of 23Na", "11B"]),
    "one name twice": ("experiment,T (K),T1 (s)\na,300,1\na,310,1\n", SODIUM, ["line 3", "'a' twice"]),
    "no name": ("experiment,T (K),T1 (s)\n,300,1\n", SODIUM, ["line 2", "name"]),
    "control characters in a name": ("experiment,T (K),T1 (s)\na\x1b[2J,300,1\n", SODIUM, ["line 2", "name", "\\x1b"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unusable_table_is_refused_with_what_is_wrong(case, tmp_path):
    text, said, words = REFUSED[case]
    file = tmp_path / "table.csv" if text is None else written(tmp_path, text)
    with pytest.raises(nd.InputError) as error:
        read_table(file, **said)
    assert str(error.value).isprintable()
    for word in words:
        assert word in str(error.value)


TEXT = "experiment,T (K),T1 (s),T1_stderr (s),nucleus\na,300,2.5,0.1,23Na\nb,310,2.1,0.1,23Na\nc,320,,,23Na\n"
EDITS = st.lists(
    st.tuples(
        st.integers(0, len(TEXT) - 1),
        st.none() | st.characters(codec="utf-8") | st.sampled_from(list('0-.e1",;\n/')),
    ),
    min_size=1,
    max_size=4,
)
CELLS = st.sampled_from(
    ["", "T (K)", "1000/T (1/K)", "T1 (ms)", "1/T1 (1/s)", "tau_c (ps)", "log10 tau_c (s)", "nucleus", "23Na", "300",
     "1e308", "-1e-320", "1e9999", "nan", "inf", "T1_stderr (s)", "log10 tau_c_stderr", "larmor (MHz)", "experiment"]
)  # fmt: skip
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=5).map(",".join), min_size=1, max_size=4).map("\n".join)


def edited(edits):
    text = TEXT
    for at, inserted in edits:
        text = text[:at] + (text[at + 1 :] if inserted is None else inserted + text[at:])
    return text


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(content=EDITS.map(edited).map(str.encode) | TABLES.map(str.encode) | st.binary(max_size=60))
@example(content=b"T (K),log10 tau_c (s),log10 tau_c_stderr\n300,307,100\n")
@example(content=b"T (K),1/T1 (1/s),R1_stderr (1/s)\n300,1e-300,1e300\n")
def test_any_bytes_are_a_table_or_an_input_error(content, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(content)
    said = None
    try:
        data = read_table(file, **SODIUM)
    except nd.InputError as error:
        said = str(error)
    if said is not None:
        assert "any.csv" in said or said.startswith("nucleus")
        assert "\n" not in said
        return
    for name in {"t1", "t1_stderr", "tau_c", "tau_c_stderr"} & set(data):
        values = data[name].values
        assert np.all(np.isnan(values) | ((values > 0) & np.isfinite(values)))


# Barriers

SHORT = {"ensembles": 1, "max_steps": 250}


def test_table_of_t1_is_the_same_data_as_the_stage(tmp_path, sodium):
    hop = replace(sodium, temperature=[300.0, 320.0, 340.0], snr=200)
    fitted = nd.fit_recovery(nd.simulate(hop, seed=4), nd.SingleExponential())
    bare = stamp(fitted[["t1", "t1_stderr"]].reset_coords(drop=True), "relaxation", nucleus="23Na")
    bare = bare.assign_coords(
        {name: fitted[name] for name in ("temperature", "temperature_stderr", "larmor_frequency")}
    )
    rows = zip(*(bare[name].values.tolist() for name in ("temperature", "t1", "t1_stderr")), strict=True)
    text = "T (K),T1 (s),T1_stderr (s)\n" + "".join(f"{a!r},{b!r},{c!r}\n" for a, b, c in rows)
    table = read_table(written(tmp_path, text), **SODIUM)
    mechanism = nd.BPP(nucleus="23Na", cq=1e6, eta=0.1)
    draws = [
        nd.infer([nd.Process("hop", data, mechanism=mechanism)], seed=2, **SHORT)["posterior"].dataset
        for data in (bare, table)
    ]
    xr.testing.assert_identical(*draws)
    assert abs(draws[1]["hop.activation_energy"].mean() - 0.45) < 4 * draws[1]["hop.activation_energy"].std()


def line_through(kelvin, ln_tau):
    """Least squares: Ea, and its standard error by the rms of the residuals (n - 2 degrees of freedom)."""
    design = np.stack([1 / (K * kelvin), np.ones(kelvin.size)], axis=1)
    covariance = np.linalg.inv(design.T @ design)
    mean = covariance @ design.T @ ln_tau
    residual = ln_tau - design @ mean
    return mean[0], np.sqrt(residual @ residual / (kelvin.size - 2) * covariance[0, 0])


def tau_table(kelvin, ln_tau, stderr):
    error = "" if stderr is None else ",log10 tau_c_stderr"
    cell = "" if stderr is None else f",{stderr / math.log(10)!r}"
    logarithm = (ln_tau / math.log(10)).tolist()
    rows = "".join(f"{t!r},{y!r}{cell}\n" for t, y in zip(kelvin.tolist(), logarithm, strict=True))
    return f"T (K),log10 tau_c (s){error}\n{rows}"


def assert_quantiles(posterior, distribution):
    """Quantiles of Ea within five Monte Carlo errors; a short chain is a smaller sample of the same posterior."""
    energy, ess = (
        posterior["posterior"]["BH4.activation_energy"].values,
        described(posterior, "BH4")["diagnostics"]["ess"],
    )
    assert ess > 500
    for level in (0.025, 0.16, 0.5, 0.84, 0.975):
        below = np.mean(energy < distribution.ppf(level))
        assert below == pytest.approx(level, abs=5 * np.sqrt(level * (1 - level) / ess))


def test_scatter_of_correlation_times_without_errors_gives_students_t(tmp_path):
    kelvin = np.arange(280.0, 361.0, 10.0)
    ln_tau = -13 * np.log(10) + 0.4 / (K * kelvin) + 0.05 * np.random.default_rng(5).standard_normal(kelvin.size)
    data = read_table(written(tmp_path, tau_table(kelvin, ln_tau, None)))
    posterior = nd.infer([nd.Process("BH4", data, mechanism=CorrelationTime())], seed=1, **SHORT)
    # Flat priors on the line and on the logarithm of the noise: Student's t with 9 - 2 degrees of freedom (Jeffreys).
    assert_quantiles(posterior, stats.t(7, *line_through(kelvin, ln_tau)))
    assert "gives no errors" in remarks(posterior)["no-tau-c-error"]["text"]
    assert described(posterior, "BH4")["misfit"]["dof"] == 0
    np.testing.assert_allclose(posterior["observed_data"]["BH4.ln_tau_c"], ln_tau, rtol=1e-12)
    # The band of the law holds the truth, at its ends too.
    band = posterior["processes/BH4/prediction"].dataset
    exact = 1e-13 * np.exp(0.4 / (K * band["temperature"].values))
    assert np.all((band["tau_c"][0] < exact) & (exact < band["tau_c"][-1]))


def test_quoted_correlation_times_of_bh4_give_358_mev_and_not_400(tmp_path):
    # 11B in Na2(NH2)(BH4), 1 µs at 60 °C and 7 µs at 15 °C, and a quoted Ea of 400 meV: P.-C. Tsai et al., Adv. Energy
    # Mater. 13 (2023) 2203284. The line through both has Ea = k ln 7 / (1/288.15 K - 1/333.15 K) = 357.7 meV, and
    # errors of 1 % give it an sd of k sqrt(2) 0.01 / (1/288.15 K - 1/333.15 K) = 2.6 meV.
    file = written(tmp_path, "temperature (°C),tau_c (us),tau_c_stderr (us)\n60,1,0.01\n15,7,0.07\n")
    process = nd.Process("BH4", read_table(file), mechanism=CorrelationTime())
    posterior = nd.infer([process], seed=1, priors={"BH4.scatter": 0.0}, **SHORT)
    per_logarithm = K / (1 / 288.15 - 1 / 333.15)
    exact = stats.norm(per_logarithm * np.log(7), per_logarithm * np.sqrt(2) * 0.01)
    assert exact.mean() == pytest.approx(0.358, abs=5e-4)
    assert_quantiles(posterior, exact)
    assert np.quantile(posterior["posterior"]["BH4.activation_energy"], 0.999) < 0.4
    assert "law-untested" in remarks(posterior)  # two temperatures always lie on a line


def test_branch_that_was_chosen_by_hand_is_a_process_too(sodium):
    fitted = nd.fit_recovery(nd.simulate(replace(sodium, temperature=[300.0, 340.0], snr=500), seed=1), "single")
    motion = nd.correlation_time(fitted, nd.BPP(nucleus="23Na", cq=1e6, eta=0.1))
    slow = nd.Process("hop", motion.sel(branch=["slow"]), mechanism=CorrelationTime())
    one = measurements(slow, {slow.datum: slow.data})
    # Two points: Ea = k ln(tau_1/tau_2) / (1/T1 - 1/T2); 0.45 eV is the truth.
    barrier = K * (one.value[0] - one.value[1]) / (1 / 300 - 1 / 340)
    assert abs(barrier - 0.45) < 4 * K * np.hypot(*one.stderr) / (1 / 300 - 1 / 340) < 0.02
    for both in (motion, motion.sel(branch="slow")):
        with pytest.raises(nd.InputError, match=r"hop: needed correlation times of one branch.*sel\(branch"):
            nd.Process("hop", both, mechanism=CorrelationTime())


def test_processes_refuse_data_of_another_kind(tmp_path):
    tau = read_table(written(tmp_path, "T (K),tau_c (s)\n300,1e-6\n310,1e-6\n"))
    t1 = read_table(written(tmp_path, "T (K),T1 (s)\n300,1\n310,1\n"), **SODIUM)
    mechanism = nd.BPP(nucleus="23Na", cq=1e6, eta=0.1)
    with pytest.raises(nd.InputError, match=r"a: needed mechanism=CorrelationTime\(\)"):
        nd.Process("a", tau, mechanism=mechanism)
    with pytest.raises(nd.InputError, match="needed the stage 'motion', found 'relaxation'"):
        nd.Process("a", t1, mechanism=CorrelationTime())
    with pytest.raises(nd.InputError, match=r"a: needed no recovery model.*leave nothing to fit"):
        nd.Process("a", t1, mechanism=mechanism, recovery=nd.SingleExponential())


# Studies


HOP = """
[[process]]
name = "hop"
data = "t1.csv"
nucleus = "23Na"
larmor = "132.32 MHz"
mechanism = { kind = "quadrupolar", cq = "1 MHz", eta = 0.1 }
exclude = ["n3"]
priors = { scatter = 0 }
temperature_range = ["295 K", "75 °C"]
"""
ROTATION = """
[[process]]
name = "rotation"
role = "anion rotation"
data = "tables/tau.csv"
nucleus = "11B"
mechanism = { kind = "correlation_time" }
exclude = ["4"]
priors = { scatter = 0 }
"""
EIS = """
[[process]]
name = "conductivity"
data = "eis.csv"
mechanism = { kind = "conductivity", convention = "sigma_T" }
temperature_range = ["280 K", "345 K"]
priors = { scatter = 0 }
"""
STUDY = f"[study]\nname = 'tables'\nseed = 1\n{HOP}{ROTATION}{EIS}"


def t1_of(kelvin, barrier=0.45, tau=1e-5, at=333.15):
    """T1 of 23Na (Abragam 1961, ch. VIII): 1/T1 = 2 pi^2/25 C_Q^2 (1 + eta^2/3) [J(w) + 4 J(2w)] with spin 3/2."""
    omega = 2 * np.pi * LARMOR
    tau = tau * np.exp(barrier / K * (1 / kelvin - 1 / at))
    densities = tau / (1 + (omega * tau) ** 2) + 4 * tau / (1 + (2 * omega * tau) ** 2)
    return 1 / (2 * np.pi**2 / 25 * 1e12 * (1 + 0.01 / 3) * densities)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """T1 with Ea = 450 meV, tau_c with 400 meV and conductivities with 550 meV, all of 2 % and with 2 % errors."""
    root = tmp_path_factory.mktemp("tables")
    (root / "tables").mkdir()
    rng = np.random.default_rng(6)
    kelvin = np.array([290.0, 300.0, 310.0, 320.0, 330.0, 340.0, 350.0])
    t1 = t1_of(kelvin) * np.exp(0.02 * rng.standard_normal(7))
    rows = [f"n{i},{t},{1e3 * y!r},{20 * y!r}" for i, (t, y) in enumerate(zip(kelvin, t1.tolist(), strict=True), 1)]
    rows[4] = "n5,330,,"
    written(root, "\n".join(["experiment,T (K),T1 (ms),T1_stderr (ms)", *rows]), "t1.csv")
    ln_tau = np.log(1e-13) + 0.4 / (K * kelvin) + 0.02 * rng.standard_normal(7)
    written(root / "tables", tau_table(kelvin, ln_tau, 0.02), "tau.csv")
    sigma = np.exp(20 - 0.55 / (K * kelvin) + 0.02 * rng.standard_normal(7)) / kelvin
    rows = [f"{t},{y!r},{0.02 * y!r}" for t, y in zip(kelvin, sigma.tolist(), strict=True)]
    written(root, "\n".join(["T (K),sigma (S/m),sigma_stderr (S/m)", *rows]), "eis.csv")
    return root


@pytest.fixture(scope="module")
def results(folder):
    """The posterior, the summary and the folder of a study of three tables."""
    posterior = nd.run(written(folder, STUDY, "study.toml"), folder / "out")
    return posterior, json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8")), folder


def test_study_of_tables_finds_its_truths(results):
    posterior, summary, _ = results
    assert summary["diagnostics"]["passed"]
    for name, truth in (("hop", 0.45), ("rotation", 0.40), ("conductivity", 0.55)):
        energy = summary["processes"][name]["activation_energy_eV"]
        assert abs(energy["mean"] - truth) < 3.3 * energy["sd"] < 0.03  # 3.3 sd are 99.9 % of a normal distribution
        assert summary["processes"][name]["law_fits"]
    tau0 = summary["processes"]["rotation"]["log10_tau0_s"]
    assert abs(tau0["mean"] + 13) < 3.3 * tau0["sd"]
    assert [summary["processes"][name]["nucleus"] for name in ("hop", "rotation")] == ["23Na", "11B"]
    assert summary["processes"]["hop"]["branch"]["slow"] > 0.999
    assert summary["processes"]["rotation"]["branch"] is None
    assert summary["differences"]["hop - rotation"]["verdict"] == "different"
    assert nd.compare(posterior, 0.02)["reason"].values[0].endswith("lies outside ±20 meV")


def test_everything_left_out_is_listed_with_its_reason(results):
    posterior, summary, root = results
    expected = {
        "hop": {"n3": "excluded by the study", "n1": "outside 295 to 348.15 K", "n7": "outside 295 to 348.15 K"},
        "rotation": {"4": "excluded by the study"},
        "conductivity": {"7": "outside 280 to 345 K"},
    }
    page = (root / "out" / "report.html").read_text(encoding="utf-8")
    for name, left_out in expected.items():
        assert summary["processes"][name]["left_out"] == left_out
        assert described(posterior, name)["left_out"] == left_out
        stage = posterior[f"processes/{name}"][described(posterior, name)["kind"]].dataset
        assert json.loads(stage.attrs["left_out"]) == left_out
        assert not set(stage["experiment"].values) & set(left_out)
        for experiment, why in left_out.items():
            assert f"{experiment} ({why})" in page


def test_files_of_a_study_of_tables(results):
    posterior, summary, root = results
    files = ["study.toml", "eis.csv", "t1.csv", "tables/tau.csv"]
    expected = {str(root / name): hashlib.sha256((root / name).read_bytes()).hexdigest() for name in files}
    assert summary["provenance"]["inputs_sha256"] == expected
    with (root / "out" / "tau_c.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["process"] == "rotation"]
    motion = posterior["processes/rotation/motion"].dataset
    assert [float(row["tau_c_s"]) for row in rows] == motion["tau_c"].values.ravel().tolist()
    assert {(row["branch"], row["branch_probability"]) for row in rows} == {("given", "1.0")}
    with (root / "out" / "t1.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["process"], row["experiment"]) for row in rows] == [("hop", name) for name in ("n2", "n4", "n5", "n6")]
    assert [row["reason"] for row in rows] == ["", "", "no T1", ""]
    with (root / "out" / "draws.csv").open(encoding="utf-8", newline="") as file:
        assert {"rotation.activation_energy", "rotation.log10_tau0"} < set(next(csv.reader(file)))
    with xr.open_datatree(root / "out" / "results.nc", engine="h5netcdf") as tree:
        assert tree["processes/rotation/motion"]["branch"].values.tolist() == ["given"]


def test_correlation_times_are_drawn_with_their_band(results):
    posterior, _, _ = results
    axes = nd.plot.arrhenius(posterior, "tau_c")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [label for label in labels if "rotation" in label] == ["rotation"]  # no branch beside it
    points = next(one for one in axes.containers if one.get_label() == "rotation")
    motion = posterior["processes/rotation/motion"].dataset
    np.testing.assert_allclose(points[0].get_ydata().astype(float), motion["tau_c"].values.ravel())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('larmor = "132.32 MHz"\n', "", ["hop", "t1.csv", 'larmor = "132.3 MHz"']),
        ('"132.32 MHz"', '"132.32"', ["hop", "larmor", "unit", "MHz"]),
        ('nucleus = "11B"', 'larmor = "5 s"', ["rotation", "larmor", "'5 s'"]),
        ("larmor =", "recovery = 'single'\nlarmor =", ["hop", "raw data", "recovery", "left to read so or to fit"]),
        ('nucleus = "11B"', 'recovery = "single"', ["rotation", "recovery", "left to read so or to fit"]),
        ("larmor =", "processed = true\nlarmor =", ["hop", "raw data", "processed"]),
        ('data = "t1.csv"', 'data = "tables/tau.csv"', ["hop", "a table of tau_c", "correlation_time"]),
        ('data = "tables/tau.csv"', 'data = "eis.csv"', ["rotation", "eis.csv", "T1 (ms) or tau_c (s)"]),
        ('{ kind = "correlation_time" }', '{ kind = "correlation_time", cq = 1 }', ["rotation", "cq"]),
        ('{ kind = "correlation_time" }', '[{ kind = "correlation_time" }]', ["rotation", "needed mechanisms"]),
        (
            '"tables/tau.csv"',
            '"t1.csv"\nlarmor = "132 MHz"',
            ["rotation", "a table of T1", "a mechanism of relaxation"],
        ),
        ('data = "eis.csv"', 'data = "eis.csv"\nlarmor = "132 MHz"', ["conductivity", "leave larmor out"]),
        ('exclude = ["4"]', 'exclude = ["8"]', ["rotation", "exclude", "found 8"]),
        ('"295 K"', '"345 K"', ["hop", "two temperatures"]),
        ("larmor =", "larmour =", ["hop", "'larmour'", "'larmor'"]),
    ],
)
def test_study_of_tables_says_what_it_cannot_use(old, new, words, folder, monkeypatch):
    monkeypatch.setattr("nmrdyn.inference.infer.sample_blocks", lambda *_, **__: pytest.fail("sampled a broken study"))
    assert old in STUDY
    file = written(folder, STUDY.replace(old, new, 1), "broken.toml")
    with pytest.raises(nd.InputError) as error:
        nd.run(file, folder / "broken")
    for word in (str(file), *words):
        assert word in str(error.value)
    assert not (folder / "broken").exists()


RAW = 'data = "23Na"\nnucleus = "23Na"\nrecovery = "single"\n'


@pytest.fixture
def asked(sodium, folder, monkeypatch):
    """What a study asks of the reader of raw data, which answers with a simulation."""
    (folder / "23Na").mkdir(exist_ok=True)
    written(folder, "experiment,T (K)\n1,300\n", "temperatures.csv")
    written(folder, "delay (s)\n1\n", "Delays.CSV")
    seen = {}

    def reader(path, **options):
        seen.update(options, path=path)
        data = nd.simulate(replace(sodium, temperature=[300.0, 320.0]), seed=1)
        data.attrs["sources"] = json.dumps([str(path / "1" / "ser")])
        return data

    monkeypatch.setattr("nmrdyn.study.data.read_topspin", reader)

    def ask(keys):
        text = f"[study]\nseed = 1\n{HOP[: HOP.index('exclude')]}".replace('data = "t1.csv"\nnucleus = "23Na"\n', RAW)
        process = read_study(written(folder, text.replace('larmor = "132.32 MHz"', keys), "raw.toml")).processes[0]
        return dict(seen), json.loads(process.data.attrs["sources"])

    return ask


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ("", {}),
        ('region = "-5 .. 5 kHz"', {"region": "-5 .. 5 kHz"}),
        ('temperature = "title"', {"temperature": "title"}),
        ('temperature = ["title", "te"]', {"temperature": ["title", "te"]}),
        ('temperature = "1.05 * TE - 3"', {"temperature": "1.05 * TE - 3"}),
        ('method = "box"\nprocessed = false', {"method": "box", "processed": False}),
        ('delays = "1 ms, 10 ms"', {"delays": "1 ms, 10 ms"}),
    ],
)
def test_keys_of_reading_are_passed_on_where_they_are_said(keys, options, asked, folder):
    seen, sources = asked(keys)
    assert seen == {"path": folder / "23Na", "nucleus": "23Na", **options}
    assert sources == [str(folder / "23Na" / "1" / "ser")]


def test_tables_beside_raw_data_are_found_and_hashed(asked, folder):
    seen, sources = asked('temperature = "temperatures.csv"\ndelays = "Delays.CSV"')
    expected = {"temperature": str(folder / "temperatures.csv"), "delays": str(folder / "Delays.CSV")}
    assert {key: seen[key] for key in expected} == expected
    assert sources == [str(folder / "23Na" / "1" / "ser"), *expected.values()]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('temperature = "gone.csv"', ["temperature", "'gone.csv'", "relative to the study"]),
        ('delays = "gone.csv"', ["delays", "'gone.csv'"]),
        ("temperature = 300", ["text for temperature", "300"]),
        ("temperature = ['te', 1]", ["text for temperature", "['te', 1]"]),
        ("region = [-5, 5]", ["text for region", "[-5, 5]"]),
        ('method = "boxes"', ["a method among shape, box", "'boxes'"]),
        ("method = ['box']", ["a method among shape, box"]),
        ('processed = "yes"', ["processed = true or false", "'yes'"]),
        ('larmor = "132 MHz"', ["a table of T1 or tau_c", "larmor", "leave larmor out"]),
    ],
)
def test_keys_of_reading_that_cannot_be_used(keys, words, asked):
    with pytest.raises(nd.InputError) as error:
        asked(keys)
    for word in ("raw.toml", "hop", *words):
        assert word in str(error.value)
