"""Tables of stages: what they say, how they show themselves, and that they read back."""

import io
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import nmrdyn as nd
from nmrdyn.findings import Finding, attach
from nmrdyn.schema import STAGES, stamp
from nmrdyn.table.column import Column, measured, texts
from nmrdyn.table.make import _MAKERS
from nmrdyn.table.table import Table

HOSTILE = ["a_b & 50 % $x$ \\ {} # ~ ^", "<script>alert(1)</script>", '=HYPERLINK("x")', "\x1b[31mred", "漢字"]


def relaxation_stage(**more):
    data = xr.Dataset(
        {
            "t1": ("experiment", [61.13, np.nan, 4.356]),
            "t1_stderr": ("experiment", [1.21, np.nan, 0.0423]),
            "t1_low": ("experiment", [58.8, np.nan, 0.0]),
            "t1_high": ("experiment", [63.5, np.nan, 4.44]),
            "rows_used": ("experiment", [16, 0, 9]),
            "beta": ("experiment", np.full(3, np.nan)),
            "reason": ("experiment", ["", "no signal in the region", ""]),
        },
        coords={
            "experiment": ["na/1", "na/2", "na/3"],
            "temperature": ("experiment", [288.15, 298.15, 333.15]),
            "temperature_stderr": ("experiment", [1.0, 1.0, np.nan]),
            "larmor_frequency": ("experiment", np.full(3, 132.32e6)),
            "rows_planned": ("experiment", [16, 16, 16]),
        },
    ).assign(**more)
    attach(data, [Finding("code", "na/3", "delays end too early")])
    return stamp(data, "relaxation", nucleus="23Na")


def transport_stage():
    data = xr.Dataset(
        {
            "conductivity": ("experiment", [4.964e-4, 9.489e-3]),
            "conductivity_stderr": ("experiment", [1e-5, 1.9e-4]),
            "reason": ("experiment", ["", ""]),
        },
        coords={
            "experiment": ["1", "2"],
            "temperature": ("experiment", [288.15, 333.15]),
            "temperature_stderr": ("experiment", [0.5, 0.5]),
            "sample": ("experiment", ["A", "A"]),
            "direction": ("experiment", ["heating", "cooling"]),
            "part": "total",
        },
    )
    return stamp(data, "transport")


def column(table, head):
    return next(one for one in table.columns if one.head == head)


def cells(table, head):
    return list(column(table, head).cells)


def test_t1_is_rounded_by_its_error_and_a_missing_one_has_its_reason():
    table = nd.table(relaxation_stage())
    assert cells(table, "T1 / s") == ["61.1 ± 1.2", "–", "4.356 ± 0.042"]
    assert cells(table, "95 % / s") == ["58.8 to 63.5", "–", "below 4.44"]
    assert cells(table, "T / °C") == ["15.0 ± 1.0", "25.0 ± 1.0", "60.0"]
    assert cells(table, "rows") == ["16 of 16", "0 of 16", "9 of 16"]
    assert cells(table, "remark") == ["", "no signal in the region", ""]
    assert table.columns[-1].head == "remark"
    assert table.caption == "T1 of 23Na at 132.32 MHz"
    assert table.notes == ("na/3: delays end too early",)


def test_columns_that_say_nothing_are_left_out_but_not_t1_itself():
    assert "beta" not in [one.head for one in nd.table(relaxation_stage()).columns]
    data = relaxation_stage()
    data["beta"][0] = 0.7
    assert cells(nd.table(data), "beta") == ["0.7", "–", "–"]
    nothing = data.assign(t1=np.nan * data.t1)
    assert cells(nd.table(stamp(nothing, "relaxation")), "T1 / s") == ["–"] * 3


def test_several_fields_have_a_column_of_their_own():
    data = relaxation_stage()
    data["larmor_frequency"][2] = 79.4e6
    table = nd.table(data)
    assert cells(table, "ν / MHz") == ["132.32", "132.32", "79.40"]
    assert table.caption == "T1 of 23Na"


def test_two_exponentials_have_times_and_shares():
    times = (("experiment", "component"), [[10.0, 0.5, np.nan], [np.nan] * 3, [8.0, np.nan, np.nan]])
    share = (("experiment", "component"), [[0.7, 0.3, np.nan], [np.nan] * 3, [1.0, np.nan, np.nan]])
    table = nd.table(relaxation_stage(component_t1=times, component_fraction=share))
    assert cells(table, "T1 (2) / s") == ["0.5", "–", "–"]
    assert cells(table, "share (1) / %") == ["70", "–", "100"]
    assert "T1 (3) / s" not in [one.head for one in table.columns]


@pytest.mark.parametrize("stage", sorted(set(STAGES)))
def test_every_stage_of_the_glossary_has_a_table(stage):
    assert stage in _MAKERS


def test_t1_reads_back_from_csv(tmp_path):
    data = relaxation_stage()
    nd.table(data).to_csv(tmp_path / "t1.csv")
    again = nd.read_table(tmp_path / "t1.csv")
    assert again.attrs["nucleus"] == "23Na"
    for name in ("t1", "t1_stderr", "temperature", "temperature_stderr", "larmor_frequency"):
        np.testing.assert_array_equal(again[name].values, data[name].values)
    assert again["experiment"].values.tolist() == ["na/1", "na/2", "na/3"]


def test_correlation_times_read_back_from_csv(tmp_path):
    source = tmp_path / "tau.csv"
    source.write_text(
        "T (K), tau_c (s), tau_c_stderr (s)\n333.15, 1.23456789e-6, 1e-7\n288.15, 7e-6, \n290, , \n", encoding="utf-8"
    )
    data = nd.read_table(source)
    table = nd.table(data)
    table.to_csv(tmp_path / "again.csv")
    again = nd.read_table(tmp_path / "again.csv")
    assert again.attrs["stage"] == "motion"
    for name in ("tau_c", "tau_c_stderr", "temperature"):
        np.testing.assert_array_equal(again[name].values, data[name].values)
    assert cells(table, "tau_c / s") == ["(1.23 ± 0.10) × 10⁻⁶", "7 × 10⁻⁶", "–"]
    assert cells(table, "remark") == ["", "", "no tau_c"]


def test_conductivities_read_back_from_csv(tmp_path):
    data = transport_stage()
    nd.table(data).to_csv(tmp_path / "eis.csv")
    again = nd.read_conductivity(tmp_path / "eis.csv")
    for name in ("conductivity", "conductivity_stderr", "temperature", "temperature_stderr"):
        np.testing.assert_array_equal(again[name].values, data[name].values)
    assert again["direction"].values.tolist() == ["heating", "cooling"]
    assert again["sample"].values.tolist() == ["A", "A"]


def test_csv_file_has_the_mark_that_excel_knows_and_numbers_for_pandas(tmp_path):
    table, file = nd.table(relaxation_stage()), tmp_path / "t1.csv"
    text = table.to_csv(file)
    assert file.read_bytes().startswith(b"\xef\xbb\xbfexperiment,")
    assert file.read_text(encoding="utf-8-sig") == text
    frame = pd.read_csv(file)
    for name in ("temperature (K)", "T1 (s)", "T1_stderr (s)", "T1_high (s)", "rows_used"):
        assert frame[name].dtype == float
    np.testing.assert_array_equal(frame["T1 (s)"], [61.13, np.nan, 4.356])
    own = table.to_pandas()
    assert list(own) == list(frame)
    np.testing.assert_array_equal(own["T1 (s)"], frame["T1 (s)"])


def test_open_intervals_stay_numbers_in_csv():
    data = relaxation_stage()
    data["t1_high"][0] = np.inf
    frame = pd.read_csv(io.StringIO(nd.table(data).to_csv()))
    assert frame["T1_high (s)"].tolist()[0] == np.inf


def test_words_never_become_formulas_of_a_spreadsheet(tmp_path):
    words = ["=1+1", "+SUM(A1)", "-cmd|x", "@A1", "-1.5", "plain", "a\n=b"]
    table = Table((texts("note", words),))
    assert [row[0] for row in pd.read_csv(io.StringIO(table.to_csv()), dtype=str).values] == [
        "'=1+1",
        "'+SUM(A1)",
        "'-cmd|x",
        "'@A1",
        "-1.5",
        "plain",
        "a =b",
    ]
    table.to_excel(tmp_path / "words.xlsx")
    from openpyxl import load_workbook

    sheet = load_workbook(tmp_path / "words.xlsx").active
    assert {cell.data_type for (cell,) in sheet.iter_rows()} == {"s"}
    assert sheet["A2"].value == "=1+1"


def test_excel_holds_numbers(tmp_path):
    nd.table(relaxation_stage()).to_excel(tmp_path / "t1.xlsx")
    frame = pd.read_excel(tmp_path / "t1.xlsx")
    np.testing.assert_array_equal(frame["T1 (s)"], [61.13, np.nan, 4.356])


def test_files_that_cannot_be_written_are_input_errors(tmp_path, monkeypatch):
    table = nd.table(relaxation_stage())
    with pytest.raises(nd.InputError, match="needed a file that can be written"):
        table.to_csv(tmp_path)
    with pytest.raises(nd.InputError, match=r"ends in \.xlsx, found '\.xls'"):
        table.to_excel(tmp_path / "a.xls")
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(nd.InputError, match="pip install openpyxl"):
        table.to_excel(tmp_path / "a.xlsx")


class Elements(HTMLParser):
    """The elements of a table, by name, with their attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])
        self.closed = False

    def handle_data(self, data):
        if self.found and not self.closed:
            self.found[-1][2] += data

    def handle_endtag(self, tag):
        self.closed = True

    def of(self, tag):
        return [one for one in self.found if one[0] == tag]


def test_html_has_heads_captions_and_numbers_to_sort_by():
    table = nd.table(relaxation_stage())
    page = Elements(table.to_html(identity="t1-na", caption="of <sodium>"))
    assert page.of("table")[0][1] == {"id": "t1-na"}
    assert page.of("caption")[0][2] == "of <sodium>"
    assert all(head[1]["scope"] == "col" for head in page.of("th"))
    heads = [head[2] for head in page.of("th")]
    rows = np.array(page.of("td"), dtype=object).reshape(3, len(heads), 3)
    of_t1 = [attrs["data-value"] for _, attrs, _ in rows[:, heads.index("T1 / s")]]
    assert of_t1 == ["61.13", "", "4.356"]
    assert "data-value" not in rows[0, heads.index("experiment")][1]
    assert rows[1, heads.index("T1 / s")][2] == "–"
    assert "<caption>" not in table.to_html(caption="")
    assert "T1 of 23Na" in table.to_html()


@pytest.mark.parametrize("text", HOSTILE)
def test_html_shows_any_text_as_text(text):
    table = Table((texts(text, [text]),), caption=text, notes=(text,))
    for html in (table.to_html(identity=text), table._repr_html_()):
        page = Elements(html)
        assert not page.of("script")
        assert page.of("td")[0][2] == text.replace("\x1b", "�")
        assert "\x1b" not in html


def test_notebook_html_needs_nothing_else():
    html = nd.table(relaxation_stage())._repr_html_()
    assert "delays end too early" in html
    assert not re.search(r"(src|href)=|https?:|@import|url\(", html)


def test_text_is_aligned_by_what_a_terminal_shows():
    table = Table((texts("name", ["漢字", "e\u0301", "abcdef"]), texts("next", ["x", "y", "z"])))
    lines = str(table).splitlines()
    # Two columns of a terminal each for 漢 and 字, one for e with a combining accent.
    assert [line.index(mark) for line, mark in zip(lines[2:], "xyz", strict=True)] == [6, 9, 8]
    assert "\x1b" not in str(Table((texts("a", ["\x1b[31m"]),)))
    assert repr(table) == str(table)


def test_long_words_are_wrapped_in_a_terminal():
    table = Table((texts("a", ["one"]), texts("why", ["word " * 60])), caption="c")
    lines = str(table).splitlines()
    assert max(map(len, lines)) <= 66
    assert sum(line.count("word") for line in lines) == 60


def test_latex_escapes_all_that_is_special():
    data = relaxation_stage().assign_coords(experiment=["a_b & 50 % $x$ \\ {} # ~ ^", "n/2", "[n]"])
    text = nd.table(data).to_latex()
    row = next(line for line in text.splitlines() if line.startswith("a"))
    assert row.startswith(
        r"a\_b \& 50 \% \$x\$ \textbackslash{} \{\} \# \textasciitilde{} \textasciicircum{} & 15.0 $\pm$ 1.0 & "
    )
    assert row.endswith(r" \\")
    # A [ after \\ would be its argument.
    assert r"{}[n] &" in text
    assert r"\begin{tabular}{lrrrrl}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 4
    assert all(len(re.findall(r"(?<!\\)&", line)) == 5 for line in rows)
    assert r"$T_1$ / s" in rows[0]
    assert r"$^{\circ}$C" in rows[0]


def test_latex_is_plain_and_balanced():
    table = Table(
        (
            measured("tau_c / s", "tau_c", "s", [4.71e-15, -2.0], [1.9e-16, 0.1]),
            texts("remark", ["Å Ω µs 10⁻³ 5 < 6 | – −", "E_a -3 x-4"]),
        ),
        caption="{T1} & co",
        notes=("50 %",),
    )
    text = table.to_latex()
    assert r"(4.71 $\pm$ 0.19) $\times$ 10$^{-15}$" in text
    assert r"$-$2.00 $\pm$ 0.10" in text
    assert r"\AA{} $\Omega$ $\mu$s 10$^{-3}$ 5 $<$ 6 $|$ -- $-$" in text
    assert r"E\_a $-$3 x-4" in text
    assert r"\caption{\{T1\} \& co}" in text
    assert r"50 \%" in text
    assert text.isascii()
    plain = re.sub(r"\\[{}$%]", "", text)
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert re.findall(r"\\(?:begin|end)\{(\w+)\}", text) == ["table", "tabular", "tabular", "table"]


def comparison_stage():
    rng = np.random.default_rng(1)
    energy = np.stack([0.450 + 0.010 * rng.standard_normal(4000), 0.400 + 0.012 * rng.standard_normal(4000)])
    data = xr.Dataset(
        {
            "activation_energy": (("process", "sample"), energy),
            "difference": (("pair", "sample"), energy[:1] - energy[1:]),
            "law_fits": ("process", [True, False]),
            "probability_positive": ("pair", [1.0]),
            "probability_equivalent": ("pair", [0.027]),
            "verdict": ("pair", ["undecided"]),
            "reason": ("pair", ["one barrier does not describe B"]),
            "bayes_factor": (("pair", "width"), [[np.nan]]),
        },
        coords={"process": ["A", "B"], "pair": ["A - B"], "width": [0.1]},
    )
    return stamp(data, "comparison", margin=0.020)


def test_comparison_has_barriers_and_below_them_differences_with_verdicts():
    table = nd.table(comparison_stage())
    assert cells(table, "barrier or difference") == ["A", "B", "A - B"]
    value = cells(table, "E_a / meV")
    assert value[0] == "450 ± 10"
    assert re.fullmatch(r"50 ± 1[56]|49 ± 1[56]|51 ± 1[56]", value[2])  # hypot(10, 12) = 15.6
    assert cells(table, "verdict") == ["", "", "undecided"]
    assert cells(table, "remark") == ["", "its law does not describe the data", "one barrier does not describe B"]
    assert cells(table, "P(|Δ| < 20 meV)") == ["–", "–", "0.027"]
    frame = table.to_pandas()
    assert frame["median (eV)"].tolist() == pytest.approx([0.450, 0.400, 0.050], abs=0.001)


def test_motion_shows_both_branches_and_why_there_is_none():
    data = xr.Dataset(
        {
            "tau_c": (("experiment", "branch"), [[1e-9, 1e-6], [np.nan, np.nan]]),
            "tau_c_stderr": (("experiment", "branch"), [[1e-10, 1e-7], [np.nan, np.nan]]),
            "feasible": ("experiment", [True, False]),
            "branch_probability": (("experiment", "branch"), [[0.25, 0.75], [np.nan, np.nan]]),
            "t1": ("experiment", [1.0, 1e-4]),
        },
        coords={
            "experiment": ["1", "2"],
            "branch": ["fast", "slow"],
            "temperature": ("experiment", [300.0, 310.0]),
            "temperature_stderr": ("experiment", [np.nan, np.nan]),
            "larmor_frequency": ("experiment", [1e8, 1e8]),
        },
    )
    table = nd.table(stamp(data, "motion", nucleus="7Li"))
    assert cells(table, "tau_c slow / s") == ["(1.00 ± 0.10) × 10⁻⁶", "–"]
    assert cells(table, "P(slow)") == ["0.750", "–"]
    assert cells(table, "remark") == ["", "T1 is below the shortest that the mechanism allows"]


def test_lines_in_both_conventions():
    kelvin = np.array([300.0, 320.0, 340.0, 360.0])
    sigma = 1e5 / kelvin * np.exp(-0.35 / (8.617333262e-5 * kelvin)) * np.exp([0.01, -0.02, 0.02, -0.01])
    variables = {"conductivity": ("experiment", sigma), "conductivity_stderr": ("experiment", 0.02 * sigma)}
    transport = stamp(xr.Dataset(variables, coords={"temperature": ("experiment", kelvin)}), "transport")
    lines = nd.straight_lines(transport)
    table = nd.table(lines)
    energy = 1e3 * lines.activation_energy.sel(convention="sigma_T").item()
    assert cells(table, "E_a(sigma T) / meV")[0].startswith(f"{energy:.1f} ±")
    assert float(cells(table, "E_a(sigma) / meV")[0].split()[0]) == pytest.approx(energy - 28, abs=1)  # kT = 28 meV
    assert cells(table, "T / °C") == ["26.85 to 86.85"]


def test_vacancies_show_the_excess():
    model = nd.VacancyModel(
        neighbours=8, attempt_frequency=5e12, jump_distance=3.25e-10, correlation_factor=0.69, site_density=3 / 1e-28
    )
    vacant = np.array([0.0, 0.03, 0.07, 0.12, 1 / 3])
    sigma = model.conductivity(vacant, temperature=333.15, barrier=0.55) * [1, 1.01, 0.99, 1, 100]
    table = nd.table(nd.fit_vacancies(vacant, np.where(vacant, sigma, 1e-9), temperature=333.15, model=model))
    assert cells(table, "remark")[0] == "no vacancies but unknown ones"
    assert cells(table, "fitted") == ["no", "yes", "yes", "yes", "no"]
    assert float(cells(table, "excess")[-1]) == pytest.approx(100, rel=0.02)
    assert table.notes[0].startswith("free energy of migration 550.00 ± 0.")


def test_haven_shows_some_temperatures_and_says_so():
    kelvin = np.linspace(300, 340, 60)
    value = np.outer([0.4, 0.45, 0.5, 0.55, 0.6], np.ones(60))
    data = xr.Dataset(
        dict.fromkeys(("predicted", "measured", "haven_ratio"), (("quantile", "temperature"), value)),
        coords={
            "quantile": [0.025, 0.16, 0.5, 0.84, 0.975],
            "temperature": kelvin,
            "inside": ("temperature", kelvin < 335),
        },
    )
    table = nd.table(stamp(data, "haven", nmr="hop", conductivity="eis"))
    assert table.caption == "Haven ratio of hop and eis"
    assert table.notes[0].startswith("12 of 60 temperatures")
    assert cells(table, "Haven ratio") == ["0.5"] * 12
    assert cells(table, "remark")[-1] == "outside what was measured"
    assert table.to_pandas()["haven_ratio_high"].tolist() == [0.6] * 12


def test_literature_scan_reasons_laws_and_predictions_have_tables(tmp_path):
    figures = nd.table(nd.literature(compound="Na2NH2BH4"))
    assert "450 meV" in cells(figures, "as printed")
    entry = {
        "experiment": "1", "nucleus": "23Na", "kind": "saturation_recovery", "temperature_K": None,
        "temperature_source": "", "larmor_frequency_Hz": 132.32e6, "mas_rate_Hz": None, "rows_recorded": 9,
        "rows_planned": 16, "delays_s": [], "pulse_program": "satrec", "evidence": [], "irradiated": "",
        "warnings": ["no ser"],
    }  # fmt: skip
    scan = nd.table([entry])
    assert cells(scan, "T / °C") == ["–"]
    assert cells(scan, "rows") == ["9 of 16"]
    assert cells(scan, "remark") == ["no ser"]
    reasons = nd.table([SimpleNamespace(pair="A - B", title="Backward hops", status="not tested", text="why")])
    assert reasons.rows == [("A - B", "Backward hops", "not tested", "why")]
    laws = xr.Dataset(
        {"log_evidence": ("law", [-10.94, -12.98]), "log_evidence_stderr": ("law", [0.014, 0.09])}
        | {"probability": ("law", [0.88, 0.12])},
        coords={"law": ["arrhenius", "vtf"]},
    )
    assert nd.table(laws).rows[1] == ("vtf", "-12.980 ± 0.090", "0.120")
    prediction = xr.Dataset(
        {
            "tau_c": (("quantile", "temperature"), [[1e-6], [2e-6], [3e-6]]),
            "t1": (("quantile", "field", "temperature"), [[[1.0]], [[2.0]], [[3.0]]]),
            "slow_probability": (("field", "temperature"), [[0.9]]),
        },
        coords={"quantile": [0.025, 0.5, 0.975], "temperature": [300.0], "larmor_frequency": ("field", [1e8])},
    )
    table = nd.table(prediction)
    assert cells(table, "T1 at 100.00 MHz / s") == ["2"]
    assert cells(table, "95 % at 100.00 MHz / s") == ["1.00 to 3.00"]
    assert cells(table, "P(slow) at 100.00 MHz") == ["0.900"]


def test_impedance_and_molecular_dynamics_have_tables():
    point = ("experiment", "point")
    conditions = {"temperature": ("experiment", [300.0]), "temperature_stderr": ("experiment", [np.nan])}
    spectrum = xr.Dataset(
        {"impedance_real": (point, [[1e3, 2e3, np.nan]]), "impedance_imaginary": (point, [[-1.0, -2.0, np.nan]])},
        coords=conditions | {"experiment": ["a"], "frequency": (point, [[1e6, 10.0, np.nan]])},
    )
    table = nd.table(stamp(spectrum, "impedance"))
    assert cells(table, "points") == ["2"]
    assert cells(table, "frequencies / Hz") == ["10 to 1 × 10⁶"]
    resistance = xr.Dataset(
        {"resistance": ("experiment", [np.nan]), "resistance_stderr": ("experiment", [np.nan])}
        | {"resistance_low": ("experiment", [2e4]), "resistance_high": ("experiment", [np.inf])}
        | {"reason": ("experiment", ["no arc ends inside the spectrum"])},
        coords=conditions | {"experiment": ["a"]},
    )
    table = nd.table(stamp(resistance, "resistance"))
    assert cells(table, "limits of R / ohm") == ["above 2e+04"]
    assert cells(table, "remark") == ["no arc ends inside the spectrum"]
    diffusion = xr.Dataset(
        {"diffusion": ("experiment", [2e-12]), "diffusion_stderr": ("experiment", [1e-13])},
        coords=conditions | {"experiment": ["1"]},
    )
    assert cells(nd.table(stamp(diffusion, "diffusion")), "D / m²/s") == ["(2.00 ± 0.10) × 10⁻¹²"]
    turning = xr.Dataset(
        {"correlation": (point, [[1.0, 0.5, np.nan]])},
        coords=conditions | {"experiment": ["1"], "time": (point, [[0.0, 5e-12, np.nan]])},
    )
    table = nd.table(stamp(turning, "autocorrelation"))
    assert cells(table, "C at the end") == ["0.500"]
    assert cells(table, "times / ps") == ["0 to 5"]


def test_recovery_and_distribution_have_tables(sodium):
    recovery = nd.simulate(sodium, seed=1)
    table = nd.table(recovery)
    assert cells(table, "rows") == [f"{recovery.rows_recorded.item()} of {recovery.rows_planned.item()}"]
    signal, noise = recovery.signal.values[0], recovery.signal_stderr.values[0]
    assert float(cells(table, "signal/noise")[0]) == pytest.approx(np.abs(signal).max() / np.median(noise), rel=0.01)
    found = nd.table(nd.t1_distribution(recovery, draws=50))
    assert float(cells(found, "mean T1 / s")[0]) == pytest.approx(4.36, rel=0.2)


@pytest.mark.parametrize("wrong", [3, "t1.csv", xr.Dataset(), [1, 2], [{"a": 1}], xr.Dataset(attrs={"stage": "tea"})])
def test_anything_else_is_refused(wrong):
    with pytest.raises(nd.InputError, match=r"table: needed a stage .* found"):
        nd.table(wrong)


def test_a_stage_without_its_variables_is_refused():
    with pytest.raises(nd.InputError, match="needed the variable 't1'"):
        nd.table(xr.Dataset(attrs={"stage": "relaxation"}))


def test_column_sorts_by_its_first_numbers():
    assert Column("a", ("x",), {"a": (1.0,)}).numeric
    assert not texts("a", ["1"]).numeric
