"""Tables of conductivities and resistances: every spelling of a header, geometry, and what is refused or remarked on.

Formulas here are written anew, not taken from the package. Values are in SI.
"""

import csv
import json
import math
import os
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nmrdyn as nd
from nmrdyn.cli.main import main
from nmrdyn.columns.headers import ColumnSpec
from nmrdyn.columns.read import read_columns
from nmrdyn.conductivity.cell import Cell, conductivity_of
from nmrdyn.conductivity.read import read_conductivity
from nmrdyn.findings import Finding, attach
from nmrdyn.schema import stamp
from nmrdyn.units import UNITS, unit_factors

# SI factors of the units and the shift of the Celsius scale, by definition.
CONDUCTIVITY = {"S/m": 1.0, "S/cm": 100.0, "mS/cm": 0.1, "µS/cm": 1e-4, "uS/cm": 1e-4, "mS/m": 1e-3}
TEMPERATURE = {"K": 0.0, "°C": 273.15, "C": 273.15, "degC": 273.15}


def read(folder, text, **said):
    path = folder / "eis.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_conductivity(path, **said)


def remarks(transport):
    return {one["code"]: one for one in json.loads(transport.attrs["warnings"])}


# Headers and cells


@pytest.mark.parametrize(("unit", "factor"), CONDUCTIVITY.items())
@pytest.mark.parametrize(("scale", "zero"), TEMPERATURE.items())
def test_units_of_the_header_are_applied(tmp_path, unit, factor, scale, zero):
    header = f"temperature ({scale}), conductivity ({unit}), conductivity_stderr ({unit})"
    transport = read(tmp_path, f"{header}\n15, 2.5e-3, 1e-4\n60, 4, 2\n")
    np.testing.assert_allclose(transport.temperature, [15 + zero, 60 + zero], rtol=1e-14)
    np.testing.assert_allclose(transport.conductivity, [2.5e-3 * factor, 4 * factor], rtol=1e-14)
    np.testing.assert_allclose(transport.conductivity_stderr, [1e-4 * factor, 2 * factor], rtol=1e-14)
    assert (transport.attrs["stage"], transport.conductivity.attrs["units"]) == ("transport", "S/m")
    assert list(transport.experiment.values) == ["1", "2"]


@pytest.mark.parametrize(
    "header",
    ["T [K], sigma [S/m]", "T/K,σ/S/m", "Temp (K),Conductivity(S/m)", "temperature [K] , sigma_dc [S/m]"],
)
def test_headers_are_understood_in_several_spellings(tmp_path, header):
    transport = read(tmp_path, f"{header}\n300, 0.5\n")
    assert (transport.temperature.item(), transport.conductivity.item()) == (300.0, 0.5)
    assert np.isnan(transport.conductivity_stderr.item())  # no column of errors


# What programs write: Excel on Windows, Origin, columns apart by spaces.


@pytest.mark.parametrize("encoding", ["cp1252", "cp1250", "cp1254"])
def test_letters_of_excel_on_windows_are_read_and_remarked_on(tmp_path, encoding):
    text = "Temperature (°C);Conductivity (µS/cm);sample\n60;0,25;Münster\n"
    transport = read(tmp_path, text.encode(encoding))
    assert (transport.temperature.item(), transport.sample.item()) == (333.15, "Münster")
    assert transport.conductivity.item() == pytest.approx(0.25e-4, rel=1e-14)
    assert "Windows-1252" in remarks(transport)["encoding-guessed"]["text"]
    assert "encoding-guessed" not in remarks(read(tmp_path, text))


@pytest.mark.parametrize("comment", ["", "\tpellet 3\t\n", "\t\tby hand\n"])
@pytest.mark.parametrize(("left", "right"), [("", ""), ("(", ")"), ("[", "]")])
def test_units_may_stand_in_a_line_below_the_header(tmp_path, comment, left, right):
    text = f"1000/T\tln(σT)\tln(σT) error\n{left}1/K{right}\t{left}S K/cm{right}\t\n{comment}2.5\t-3\t0.1\n2\t-1\t0.1\n"
    transport = read(tmp_path, text)
    assert transport.temperature.values.tolist() == [400.0, 500.0]
    expected = 100 * np.exp([-3.0, -1.0]) / [400, 500]
    np.testing.assert_allclose(transport.conductivity, expected, rtol=1e-14)
    np.testing.assert_allclose(transport.conductivity_stderr, 0.1 * expected, rtol=1e-14)


def test_a_row_of_a_sample_with_the_name_of_a_unit_is_no_line_of_units(tmp_path):
    transport = read(tmp_path, "sample, T (K), sigma (S/m)\nA, , \nA, 300, 1\n")
    assert transport.reason.values.tolist() == ["no temperature", ""]
    transport = read(tmp_path, "pellet, state, T (K), sigma (S/m)\nA, C, 300, 1\n")
    assert remarks(transport)["columns-not-used"]["text"].endswith("not used: 'pellet', 'state'")


def test_cells_may_be_apart_by_spaces(tmp_path):
    transport = read(tmp_path, "T(K)   sigma(S/m)\n 300  1.5 \n310   2\n")
    assert transport.conductivity.values.tolist() == [1.5, 2.0]
    with pytest.raises(nd.InputError, match="set cells apart by tabs"):
        read(tmp_path, "T (K)   sigma (S/m)\n300  1.5\n")


@pytest.mark.parametrize("header", ["1/T (1/K)", "T-1 / K-1", "T⁻¹ (K^-1)"])
def test_reciprocal_temperatures(tmp_path, header):
    assert read(tmp_path, f"{header}; sigma (S/m)\n0,0025; 1\n0,002; 2\n").temperature.values.tolist() == [400.0, 500.0]


@pytest.mark.parametrize("unit", ["KΩ", "Kohm", "k\u2126", "kOhms"])
def test_thousands_of_ohms(tmp_path, unit):
    found = read(tmp_path, f"T (K), R ({unit})\n300, 2\n", cell=Cell(thickness=1e-3, area=1e-4))
    assert found.conductivity.item() == pytest.approx(10 / 2e3, rel=1e-14)


def test_columns_are_passed_over_at_the_command_line(tmp_path, capsys):
    path = tmp_path / "eis.csv"
    path.write_text("T (K), run, sigma (S/m)\n300, 7b, 1\n310, 7b, 2\n320, 7c, 3\n", encoding="utf-8")
    assert main(["sigma", str(path)]) == 2
    assert "--columns run=" in capsys.readouterr().err
    assert main(["sigma", str(path), "--columns", "run="]) == 0


def test_why_there_is_no_conductivity_is_told_where_there_is_none(tmp_path, capsys):
    path = tmp_path / "eis.csv"
    path.write_text("T (K), sigma (S/m)\n, 1\n, 2\n", encoding="utf-8")
    assert main(["sigma", str(path)]) == 2
    assert "found none in 2 rows: no temperature" in capsys.readouterr().err


# The same 4.489e-6 S/cm at 298.15 K in the forms that people write; logarithms and products were computed by hand:
# log10(4.489e-6) = -5.34785, ln -12.31389, ln(4.489e-6 * 298.15) = -6.61628, log10 of that product -2.87342.
SPELLINGS = {
    "sigma (S/cm)": "4.489e-6",
    "σ [S cm-1]": "4.489e-6",
    "σ / S·cm^-1": "4.489e-6",
    "conductivity (S cm⁻¹)": "4.489e-6",
    "σ (S cm−1)": "4.489e-6",
    "ionic conductivity (mS/cm)": "4.489e-3",
    "sigma_Na+ / (µS cm⁻¹)": "4.489",
    "sigma (μS/cm)": "4.489",
    "sigma (Ω^-1 cm^-1)": "4.489e-6",
    "sigma_total (Ohm-1 cm-1)": "4.489e-6",
    "log10 sigma (S/cm)": "-5.34785",
    "log10(σ/S cm-1)": "-5.34785",
    "log10(σ / (S/cm))": "-5.34785",
    "log₁₀(σ) (S cm⁻¹)": "-5.34785",
    "lg σ [S/m]": "-3.34785",
    "ln sigma (S/cm)": "-12.31389",
    "ln(sigma T / S K cm-1)": "-6.61628",
    "ln(σT) [K S cm⁻¹]": "-6.61628",
    "log10 σT (S K/cm)": "-2.87342",
    "sigma*T (S K/cm)": "1.338395e-3",
    "σT [S·K·cm^-1]": "1.338395e-3",
    "sigma T / S K m-1": "0.1338395",
}


@pytest.mark.parametrize("header", SPELLINGS)
def test_one_conductivity_in_every_spelling(tmp_path, header):
    transport = read(tmp_path, f"T (K)\t{header}\n298.15\t{SPELLINGS[header]}\n")
    assert transport.conductivity.item() == pytest.approx(4.489e-4, rel=2e-5)


@pytest.mark.parametrize(
    ("header", "cell", "kelvin"),
    [
        ("1000/T (1/K)", "3.2", 312.5),
        ("1000/T / K⁻¹", "3.2", 312.5),
        ("10³/T [K^-1]", "3.2", 312.5),
        ("T (℃)", "26.85", 300.0),
        ("T / °C", "−20", 253.15),  # the minus of a typesetter
        ("Temperature [K]", "300", 300.0),
    ],
)
def test_temperatures_in_every_spelling(tmp_path, header, cell, kelvin):
    assert read(tmp_path, f"{header};sigma (S/m)\n{cell};1e-3\n").temperature.item() == pytest.approx(kelvin, rel=1e-12)


def test_comments_blank_lines_other_columns_and_byte_order_marks_are_passed_over(tmp_path):
    lines = [
        "\ufeff# from EIS",
        "",
        "sample, sigma (S/m), note, T (K)",
        "A, 1, ok, 300",
        "# B, 9, bad, 305",
        "C, 2, ok, 310",
    ]
    transport = read(tmp_path, "\r\n".join(lines))
    np.testing.assert_array_equal(transport.temperature, [300, 310])
    np.testing.assert_array_equal(transport.conductivity, [1, 2])
    assert transport["sample"].values.tolist() == ["A", "C"]
    assert remarks(transport)["columns-not-used"]["text"] == "columns of the table not used: 'note'"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_a_spreadsheet_exports(tmp_path, encoding):
    text = 'sep=;\r\n"# Li2OHCl; run 2";;;;\r\n;;;;\r\nT (°C);σ (mS/cm);σ_err (%);;\r\n25,5;0,45;10;;\r\n'
    text += "#DIV/0!;0,5;;;\r\n40;#N/A;;;\r\n;;;;\r\n50;1;;;\r\n"
    transport = read(tmp_path, text.encode(encoding))
    np.testing.assert_allclose(transport.temperature, [298.65, np.nan, 313.15, 323.15], rtol=1e-14)
    np.testing.assert_allclose(transport.conductivity, [0.045, 0.05, np.nan, 0.1], rtol=1e-14)
    np.testing.assert_allclose(transport.conductivity_stderr, [0.0045, np.nan, np.nan, np.nan], rtol=1e-14)
    assert transport["reason"].values.tolist() == ["", "no temperature", "no conductivity", ""]
    text = remarks(transport)["cells-without-value"]["text"]
    assert "#DIV/0! in line 6, column 'T (°C)'" in text
    assert "#N/A in line 7" in text


@pytest.mark.parametrize("missing", ["", "-", "nan", "NaN", "n/a", "N/A", "#VALUE!"])
def test_what_is_missing_is_a_row_with_a_reason(tmp_path, missing):
    transport = read(tmp_path, f"T [K], sigma [S/m], sigma_err [S/m]\n300, {missing}, 1\n{missing}, 2, 1\n310, 3, \n")
    np.testing.assert_array_equal(transport.conductivity, [np.nan, 2, 3])
    np.testing.assert_array_equal(transport.conductivity_stderr, [np.nan, 1, np.nan])
    assert transport["reason"].values.tolist() == ["no conductivity", "no temperature", ""]


def test_errors_in_every_form(tmp_path):
    # d sigma = sigma ln(10) d log10 sigma; that of sigma*T is T times that of sigma.
    forms = {
        "sigma_stderr (S/cm)": "2e-6",
        "sigma error (%)": "2",
        "log10 sigma_stderr": repr(0.02 / math.log(10)),
        "ln(sigma)_err": "0.02",
        "sigma*T_err (S K/m)": repr(2e-4 * 300),
    }
    for header, cell in forms.items():
        for name, value in (("sigma (S/cm)", "1e-4"), ("log10 sigma (S/m)", "-2"), ("sigma*T (S K/m)", "3")):
            transport = read(tmp_path, f"T (K);{name};{header};T_err (°C)\n300;{value};{cell};0.5\n")
            assert transport.conductivity_stderr.item() == pytest.approx(2e-4, rel=1e-12), header
            assert transport.temperature_stderr.item() == 0.5


TEMPERATURES = {"T (K)": lambda t: t, "temperature [°C]": lambda t: t - 273.15, "1000/T (1/K)": lambda t: 1000 / t}
VALUES = {
    "sigma (S/cm)": lambda s, t: s / 100,
    "σ [mS cm-1]": lambda s, t: s * 10,
    "log10 sigma (S/m)": lambda s, t: math.log10(s),
    "ln(σ/S cm⁻¹)": lambda s, t: math.log(s / 100),
    "σT (S K/cm)": lambda s, t: s * t / 100,
    "log10(sigma*T / S K m-1)": lambda s, t: math.log10(s * t),
    "ln(sigma T / S K cm-1)": lambda s, t: math.log(s * t / 100),
}
ERRORS = {
    "sigma_err (S/m)": lambda s, r: s * r,
    "sigma_err (%)": lambda s, r: 100 * r,
    "log10 sigma_stderr": lambda s, r: r / math.log(10),
}


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(
        st.tuples(st.floats(280, 1500), st.floats(-12, 2.9), st.floats(1e-4, 0.5), st.sampled_from("AB")),
        min_size=1,
        max_size=6,
    ),
    kelvin=st.sampled_from(sorted(TEMPERATURES)),
    quantity=st.sampled_from(sorted(VALUES)),
    error=st.sampled_from(sorted(ERRORS)),
    mark=st.sampled_from([("\t", "."), (";", "."), (",", "."), (";", ","), ("\t", ","), (",", ",")]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    order=st.permutations(range(4)),
)
def test_values_round_trip_through_any_table(
    tmp_path_factory, rows, kelvin, quantity, error, mark, newline, encoding, order
):
    delimiter, point = mark
    lines = [[f'"{name}"' for name in (kelvin, quantity, error, "sample")]]
    for t, log_sigma, r, name in rows:
        sigma = 10**log_sigma
        numbers = (TEMPERATURES[kelvin](t), VALUES[quantity](sigma, t), ERRORS[error](sigma, r))
        lines.append([*(f'"{number:.16e}"'.replace(".", point) for number in numbers), name])
    text = newline.join(delimiter.join(line[place] for place in order) for line in lines)
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(text.encode(encoding))
    transport = read_conductivity(path)
    t, log_sigma, r, names = zip(*rows, strict=True)
    sigma = 10 ** np.array(log_sigma)
    np.testing.assert_allclose(transport.temperature, t, rtol=1e-9)
    np.testing.assert_allclose(transport.conductivity, sigma, rtol=1e-9)
    np.testing.assert_allclose(transport.conductivity_stderr, sigma * np.array(r), rtol=1e-9)
    assert transport["sample"].values.tolist() == list(names)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.floats(5, 3000), st.floats(1e-15, 1e3), st.floats(1e-15, 1e6)), min_size=1, max_size=6
    ).filter(lambda rows: any(sigma < 1 for _, sigma, _ in rows)),  # or columns may be swapped
    unit=st.sampled_from(sorted(CONDUCTIVITY)),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_values_in_si_round_trip_exactly(tmp_path_factory, rows, unit, newline):
    factor = CONDUCTIVITY[unit]
    lines = [f"T [K], sigma [{unit}], sigma_err [{unit}]", *(", ".join(map(repr, row)) for row in rows)]
    transport = read(tmp_path_factory.getbasetemp(), newline.join(lines) + newline)
    temperature, value, error = np.array(rows).T
    np.testing.assert_array_equal(transport.temperature, temperature)
    np.testing.assert_array_equal(transport.conductivity, value * factor)
    np.testing.assert_array_equal(transport.conductivity_stderr, error * factor)


# What is refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("T, sigma [S/m]\n300, 1\n", "unit for the column 'T' (K, °C, C, degC), found none"),
        ("T [K], sigma\n300, 1\n", "unit for the column 'sigma' (S/m, S/cm"),
        ("T [F], sigma [S/m]\n300, 1\n", "found the unit 'F'"),
        ("T [K], sigma [Ohm cm]\n300, 1\n", "found the unit 'Ohm cm'"),
        ("T [K], sigma [MS/cm]\n300, 1\n", "found the unit 'MS/cm'"),
        ("T [K], sigma T [S/cm]\n300, 1\n", "unit for the column 'sigma T [S/cm]' (S K/m, S K/cm"),
        ("1000/T, sigma [S/m]\n3, 1\n", "unit for the column '1000/T' (1/K), found none"),
        ("1000/T (K), sigma [S/m]\n3, 1\n", "unit for the column '1000/T (K)' (1/K), found the unit 'K'"),
        ("T [K], log10 sigma\n300, 1\n", "unit for the column 'log10 sigma' (S/m, S/cm"),
        ("T [K], log(sigma/S cm-1)\n300, -3\n", "needed log10 or ln in the name of the column 'log(sigma/S cm-1)'"),
        ("T [K], log sigma (S/cm)\n300, -3\n", "found log, which may be either"),
        ("sigma [S/m]\n1\n", "needed one column such as temperature (K), found no other column"),
        ("T [K], D [m2/s]\n300, 1\n", "needed one column such as 'conductivity (S/cm)', found 'D [m2/s]'"),
        ("EIS of Li\nT [K], sigma [S/m]\n300, 1\n", "needed 1 cells as in the header"),
        ("T [K], sigma [S/m], sigma [S/cm]\n300, 1, 2\n", "one column of conductivity, found 'sigma [S/m]' and"),
        ("T [K], sigma [S/m], sigma T [S K/m]\n300, 1, 300\n", "found conductivity and conductivity times temperature"),
        ("T [K], sigma [S/m], sigma_err [%], sigma T_err [S K/m]\n300, 1, 1, 1\n", "needed one column of errors"),
        ("T [K], T [°C], sigma [S/m]\n300, 27, 1\n", "one column of temperature, found 'T [K]' and 'T [°C]'"),
        ("T [K], 1000/T [1/K], sigma [S/m]\n300, 3.3, 1\n", "found temperature and 1000/T; leave one"),
        ("T [K], sigma [S/m]\n300, 1\n310, -2\n", "line 3, column 'sigma [S/m]': needed a value above 0, found '-2'"),
        ("T [K], sigma [S/cm]\n300, -4.2\n", "is it log10 conductivity?"),
        ("T [K], sigma [S/m]\n300, 0\n", "line 2, column 'sigma [S/m]': needed a value above 0, found '0'; leave"),
        ("T [°C], sigma [S/m]\n-280, 1\n", "line 2: needed a temperature from 0 to 3000 K, found -6.85"),
        ("T [K], sigma [S/m], sigma_err [S/m]\n300, 1, -0.1\n", "needed a value above 0, found '-0.1'"),
        ("T [K], sigma [S/m], sigma_err [S/m]\n300, 1, 0\n", "needed a value above 0, found '0'"),
        ("T [K], T_err [K], sigma [S/m]\n300, -1, 1\n", "line 2: needed a temperature error of 0 K or more"),
        ("# EIS\n\nT [K], sigma [S/m]\n300, 1\n\n310, none\n", "line 6, column 'sigma [S/m]': needed a finite number"),
        ("T [K], sigma [S/m]\n300, inf\n", "line 2, column 'sigma [S/m]': needed a finite number, found 'inf'"),
        ("T [K], log10 sigma [S/m]\n300, 400\n", "line 2, column 'log10 sigma [S/m]': needed the logarithm of a"),
        ("T [K], log10 sigma [S/m]\n300, -400\n", "needed the logarithm of a positive, finite conductivity"),
        (
            "T [K], sigma [S/m], sigma_err [%]\n300, 1e-300, 1e-300\n",
            "line 2: needed a positive, finite conductivity_st",
        ),
        ('T [K], sigma [S/m]\n300, "1\n310, 2\n', "line 2"),
        ("T [K], sigma [S/m]\n", "needed a CSV of conductivities, a header and rows of data, found 1 lines"),
        ("", "a header and rows of data, found 0 lines"),
        ("T [K], sigma [S/m]\n, \n", "needed rows of data below the header, found none"),
        ("T [K], sigma [S/m]\n'', \n", "needed a finite number"),
        ("T [K], sigma [µS/cm]\n300, 1\x00\n".encode("cp1252"), "needed text in UTF-8"),
        ("T [℃], sigma [S/cm]\n30, 1\n".encode("shift-jis"), "needed text in UTF-8"),
        ("T [℃], sigma [S/cm]\n30, 1\n".encode("gbk"), "needed a unit for the column"),
        ("T [K], sigma [S/m], total sigma [S/m]\n300, 1, 2\n", "one column of the total conductivity, found two"),
        ("30 1e-4\n40 2e-4\n", "needed a header that names quantities and units, as in 'T (K)', found '30', '1e-4'"),
        ("pellet 3,,\nT/K,sigma/S cm-1,\n300,1,\n", "found 'pellet 3'; write one, begin lines above it with #"),
        ("T [K], sigma [S/m]\n300, 1.0 ± 0.1\n", "found '1.0 ± 0.1'; write the error in a column of its own"),
        ("1/T [1/K], sigma [S/m]\n3.3, 1\n3.2, 1\n", "needed temperatures, found all below 1 K"),
        (b"\xff\xfeT\x00 \x00\xd8", "needed text in UTF-8"),
        # decimals
        ("T [K], sigma [S/m]\n300,5, 1,5\n", "found 4; write decimals with a point, or cells apart by ;"),
        ("T [K]; sigma [S/m]\n300.5; 0,5\n", "needed one mark of decimals, found '0,5' here and '300.5' at"),
        ("T [K]; sigma [S/m]\n300; 1,234\n", "'1,234', which is 1234 or 1.234; write decimals with a point"),
        ("T [K]; sigma [S/m]\n300; 1.234,5\n", "needed a finite number, found '1.234,5'"),
        # swapped columns: temperatures among the conductivities in S/cm and in mS/cm, and the reverse
        ("T [K], sigma [S/cm]\n1e-4, 300\n2e-4, 310\n", "all below 1 K; are columns swapped"),
        ("T [°C], sigma [S/cm]\n1e-4, 300\n2e-4, 310\n", "all above 10000 S/m, which no ions in a solid have; are"),
        ("T [°C], sigma [mS/cm]\n1e-4, 25\n2e-4, 60\n", "all within 1 °C of 0 °C; are columns swapped"),
        # resistances
        (
            "T [K], R [kΩ]\n300, 25\n",
            "needed the geometry of the sample beside resistances, found none; say cell=Cell(",
        ),
        ("T [K], R [kΩ], thickness [mm]\n300, 25, 1\n", "found thickness; say cell=Cell("),
        (
            "T [K], R [kΩ], thickness [mm], diameter [mm], area [cm^2]\n300, 1, 1, 1, 1\n",
            "found thickness and diameter",
        ),
        ("T [K], R [kΩ], thickness [m], area [cm^2]\n300, 1, 0.9, 1\n", "line 2: cell: thickness [m]: needed"),
        ("T [K], R, thickness [mm], area [cm^2]\n300, 1, 1, 1\n", "unit for the column 'R' (ohm, Ω"),
        ("T [K], R [S], thickness [mm], area [cm^2]\n300, 1, 1, 1\n", "found the unit 'S'"),
        ("T [K], R [kΩ], thickness [mm], area [cm]\n300, 1, 1, 1\n", "unit for the column 'area [cm]' (m^2, cm^2"),
        ("T [K], R [kΩ], R_total [kΩ], R_gb [kΩ]\n300, 1, 1, 1\n", "needed one column of the total resistance"),
        (
            "T [K], R_bulk [kΩ], thickness [mm], area [cm^2]\n300, 1, 1, 1\n",
            "needed the resistance of the total, found b",
        ),
        ("T [K], sigma_bulk [S/m]\n300, 1\n", "needed the conductivity of the total, found bulk; ask for that"),
        ("T [K], sigma [S/m], run\n300, 1, 1\n", "line 2: needed heating or cooling as the direction, found '1'"),
    ],
)
def test_unusable_tables_are_refused_naming_the_file_and_the_place(tmp_path, text, words):
    with pytest.raises(nd.InputError, match=re.escape(words)) as caught:
        read(tmp_path, text)
    assert "eis.csv" in str(caught.value) or str(caught.value).startswith("part: ")
    assert str(caught.value).isprintable()


def test_missing_file_is_refused(tmp_path):
    path = tmp_path / "none.csv"
    with pytest.raises(nd.InputError, match=re.escape(f"{path}: needed a CSV of conductivities")):
        read_conductivity(path)
    with pytest.raises(nd.InputError, match="needed a CSV of conductivities"):
        read_conductivity("\0.csv")


CELLS = st.sampled_from(
    ["", "T (K)", "1000/T (1/K)", "T (°C)", "sigma (S/cm)", "log10 sigma (S/cm)", "sigma T (S K/cm)", "sigma_err (%)",
     "sigma_stderr (S/m)", "sample", "direction", "R (kΩ)", "R_gb (ohm)", "R_err (%)", "thickness (mm)", "area (mm^2)",
     "area_err (%)", "radius (m)", "300", "1", "0,5", "1,234", "1e308", "-1e-320", "1e-320", "1e9999", "nan", "inf",
     "#N/A", "heating", "up", "A", "0.5"]
)  # fmt: skip
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=6).map(";".join), min_size=1, max_size=4).map("\n".join)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(content=TABLES.map(str.encode) | st.binary(max_size=60))
@example(content=b"T (K);R (ohm);thickness (mm);area (m^2)\n300;1e-320;1;1e-3")
@example(content=b"T (K);R (ohm);thickness (mm);radius (m)\n300;1;1;1e-200")
@example(content=b"1000/T (1/K);sigma T (S K/m)\n1e308;1e308")
@example(content=b"T (K);sigma (S/m);sigma_err (%)\n300;1e300;1e300")
def test_any_bytes_are_a_table_or_an_input_error(content, tmp_path_factory):
    problem, values = "", np.empty(0)
    try:
        transport = read(tmp_path_factory.getbasetemp(), content)
        values = np.concatenate([transport[name].values for name in ("conductivity", "conductivity_stderr")])
    except nd.InputError as error:
        problem = str(error)
    assert problem.isprintable()
    assert np.all(np.isnan(values) | ((values > 0) & np.isfinite(values)))


# What is remarked on


def test_conductivities_no_solid_has_are_remarked_on(tmp_path):
    text = "T (K), sigma (S/cm)\n300, 1e-3\n310, 20\n"  # sigma*T of 0.07 S/cm, said to be sigma
    transport = read(tmp_path, text)
    assert remarks(transport)["conductivity-large"]["where"] == "2"
    assert "sigma*T" in remarks(transport)["conductivity-large"]["text"]
    assert "conductivity-large" not in remarks(read(tmp_path, text.replace("20", "2")))


def test_temperatures_in_celsius_said_to_be_kelvin_are_remarked_on(tmp_path):
    text = "T (K), sigma (S/cm)\n25, 1e-6\n90, 1e-4\n"
    assert "are they in °C?" in remarks(read(tmp_path, text))["temperature-low"]["text"]
    assert "temperature-low" not in remarks(read(tmp_path, text.replace("K", "°C")))


def test_resistances_beside_conductivities_are_not_used_without_a_cell(tmp_path):
    text = "T (K), sigma (S/m), R (ohm)\n300, 0.1, 50\n"
    transport = read(tmp_path, text)
    assert transport.conductivity.item() == 0.1
    assert "resistances" in remarks(transport)["columns-not-used"]["text"]
    assert read(tmp_path, text, cell=Cell(thickness=1e-3, area=1e-4)).conductivity.item() == pytest.approx(0.2)


# Samples and directions

SAMPLES = """compound, source, T (K), sigma (S/m), ramp
LiF, 10.1/a, 300, 1, heat
LiF, 10.1/a, 310, 2, down
NaF, 10.1/a, 300, 3, up
NaF, 10.1/b, 300, 4, Cooling
Na, , 300, 5, h
"""


def test_samples_are_told_apart_and_chosen(tmp_path):
    columns = {"compound": "sample", "source": "sample"}
    transport = read(tmp_path, SAMPLES, columns=columns)
    assert transport["sample"].values.tolist() == ["LiF, 10.1/a"] * 2 + ["NaF, 10.1/a", "NaF, 10.1/b", "Na"]
    for name, values in {"LiF, 10.1/a": [1, 2], "LiF": [1, 2], "10.1/b": [4], "Na": [5]}.items():
        assert read(tmp_path, SAMPLES, columns=columns, sample=name).conductivity.values.tolist() == values
    for name, words in {
        "NaF": "found 'NaF, 10.1/a', 'NaF, 10.1/b'; say one of these",
        "NaF, 10": "found 'LiF, 10.1/a', 'NaF, 10.1/a', 'NaF, 10.1/b', 'Na'; did you mean",  # no part of a name
        "Lif": "found 'LiF, 10.1/a', 'NaF, 10.1/a', 'NaF, 10.1/b', 'Na'; did you mean 'LiF'?",
    }.items():
        with pytest.raises(nd.InputError, match=re.escape(words)):
            read(tmp_path, SAMPLES, columns=columns, sample=name)


def test_columns_are_renamed_or_passed_over(tmp_path):
    text = "temp;target;T (K)\n27;1e-3;1\n"
    transport = read(tmp_path, text, columns={"temp": "T (°C)", "target": "sigma (S/cm)", "T (K)": ""})
    assert (transport.temperature.item(), transport.conductivity.item()) == (300.15, 0.1)
    assert not remarks(transport)
    with pytest.raises(nd.InputError, match=r"needed a column 'tmp' to rename.*did you mean 'temp'\?"):
        read(tmp_path, text, columns={"tmp": "T (°C)"})


def test_directions_of_a_column_are_kept(tmp_path):
    transport = read(tmp_path, SAMPLES)
    assert transport["direction"].values.tolist() == ["heating", "cooling", "heating", "cooling", "heating"]
    assert read(tmp_path, SAMPLES, direction="cooling").conductivity.values.tolist() == [2, 4]
    with pytest.raises(nd.InputError, match="direction: needed heating or cooling, found 'up'"):
        read(tmp_path, SAMPLES, direction="up")


@pytest.mark.parametrize(
    ("celsius", "directions"),
    [
        ([20, 30, 40, 30, 20], "hhhcc"),
        ([40, 30, 20, 30, 40, 50], "ccchhh"),
        ([20, 30, 40, 40, 30, 20], "hhhccc"),  # the second time at the turn is part of the way back
        ([20, 30, "", 40, 35, 20], "hh-hcc"),
        ([20, 30, 40, 30], "----"),  # one step back is no run
        ([30, 20, 30, 40], "----"),
        ([20, 30, 40, 50], "----"),
        ([20, 30, 40, 30, 20, 30, 40], "-------"),
        ([20], "-"),
    ],
)
def test_a_turn_in_the_order_of_temperatures_tells_directions(tmp_path, celsius, directions):
    words = [{"h": "heating", "c": "cooling", "-": ""}[one] for one in directions]
    rows = "".join(f"{t},1\n" for t in celsius)
    assert read(tmp_path, f"T (°C),sigma (S/m)\n{rows}")["direction"].values.tolist() == words
    # Rows of another sample in between change nothing.
    rows = "".join(f"{t},1,A\n{place},2,B\n" for place, t in enumerate(celsius))
    both = read(tmp_path, f"T (°C),sigma (S/m),sample\n{rows}")
    assert both["direction"].values[::2].tolist() == words
    assert set(both["direction"].values[1::2].tolist()) == {""}
    if "heating" not in words:
        with pytest.raises(nd.InputError, match="needed rows of heating, found none that is known; add a column"):
            read(tmp_path, f"T (°C),sigma (S/m),sample\n{rows}", direction="heating")


# Geometry

GAO = Cell(thickness=0.9e-3, radius=0.5e-2)


def test_published_resistance_and_geometry_give_the_published_conductivity(tmp_path):
    # L. Gao et al. (2023), antiperovskite (Li2OH)0.99K0.01Cl at 25 °C: R = 25.529 kΩ (529 Ω bulk, 25.0 kΩ grain
    # boundaries), thickness 0.9 mm, radius 0.5 cm, 4.5e-3 mS/cm. They print D/(R r^2), but their number has pi r^2:
    # without pi it would be 1.41e-2 mS/cm.
    expected = 0.09 / (25.529e3 * math.pi * 0.25) * 100  # S/m
    assert expected * 10 == pytest.approx(4.5e-3, abs=0.05e-3)  # mS/cm, as rounded in print
    assert GAO.conductivity(25.529e3)[0] == pytest.approx(expected, rel=1e-12)
    rows = "T (°C), R (kΩ)\n25, 25.529\n", "T (°C), R_bulk (Ω), R_gb (kΩ)\n25, 529, 25.0\n"
    for text in rows:
        transport = read(tmp_path, text, cell=GAO)
        assert transport.conductivity.item() == pytest.approx(expected, rel=1e-12)
        assert transport["part"].item() == "total"
    # 1/R adds no parts: the grain boundaries hide the bulk, of 0.22 mS/cm.
    bulk = read(tmp_path, rows[1], cell=GAO, part="bulk")
    assert bulk.conductivity.item() == pytest.approx(expected * 25529 / 529, rel=1e-12)
    assert bulk["part"].item() == "bulk"
    boundary = read(tmp_path, rows[1], cell=GAO, part="grain_boundary")
    assert boundary.conductivity.item() == pytest.approx(expected * 25529 / 25000, rel=1e-12)


@pytest.mark.parametrize(
    ("size", "relative"), [({"radius": 5e-3}, 2), ({"diameter": 1e-2}, 2), ({"area": math.pi * 2.5e-5}, 1)]
)
def test_area_diameter_and_radius_are_one_geometry(size, relative):
    ((name, value),) = size.items()
    cell = Cell(thickness=0.9e-3, thickness_stderr=9e-6, **size, **{f"{name}_stderr": 0.02 * value})
    assert cell.constant == pytest.approx(0.9e-3 / (math.pi * 2.5e-5), rel=1e-12)  # 1/m
    # The errors against a million draws; first order is right to 0.1 % for errors of 2 %.
    rng = np.random.default_rng(1)
    thickness = rng.normal(0.9e-3, 9e-6, 1_000_000)
    drawn = thickness / (math.pi * 2.5e-5 * rng.normal(1, 0.02, 1_000_000) ** relative)
    assert cell.constant_stderr == pytest.approx(drawn.std(), rel=0.01)
    assert cell.relative_stderr == pytest.approx(math.hypot(0.01, 0.02 * relative), rel=1e-12)


def test_error_of_the_resistance_is_passed_on_and_that_of_the_cell_kept_apart(tmp_path):
    cell = Cell(thickness=1e-3, diameter=1e-2, thickness_stderr=3e-5, diameter_stderr=2e-4)
    transport = read(tmp_path, "T (K), R (ohm), R_err (%)\n300, 1000, 2\n310, 500, \n", cell=cell)
    expected = 1e-3 / (math.pi * 2.5e-5) / np.array([1000, 500])
    np.testing.assert_allclose(transport.conductivity, expected, rtol=1e-12)
    np.testing.assert_allclose(transport.conductivity_stderr, [0.02 * expected[0], np.nan], rtol=1e-12)
    assert transport.attrs["cell_stderr"] == pytest.approx(0.05, rel=1e-12)  # of 3 % and twice 2 %


def test_errors_of_bulk_and_grain_boundary_add_in_the_total(tmp_path):
    text = "T (K), R_b (ohm), R_b_err (ohm), grain boundary resistance (ohm), R_gb_err (%)\n300, 600, 3, 400, 1\n"
    transport = read(tmp_path, text, cell=GAO)
    assert (transport.conductivity_stderr / transport.conductivity).item() == pytest.approx(5 / 1000, rel=1e-12)


def test_geometry_of_each_sample_from_columns(tmp_path):
    text = """sample; T (K); R (kΩ); thickness (mm); thickness_err (mm); area (cm^2); area_err (%)
A; 300; 1; 1; 0,03; 0,5; 4
A; 310; 0,5; 1; 0,03; 0,5; 4
B; 300; 1; 2; ; 1; 2
C; 300; 1; ; ; 1; 2
"""
    transport = read(tmp_path, text)
    np.testing.assert_allclose(transport.conductivity, [0.02, 0.04, 0.02, np.nan], rtol=1e-12)
    assert transport["reason"].values.tolist() == ["", "", "", "no geometry"]
    assert transport.attrs["cell_stderr"] == pytest.approx(0.05)  # the largest
    assert read(tmp_path, text, sample="B").attrs["cell_stderr"] == pytest.approx(0.02)
    with pytest.raises(nd.InputError, match="one geometry, found cell and the columns thickness and area"):
        read(tmp_path, text, cell=GAO)


def test_column_without_a_part_is_of_the_part_that_is_asked_for(tmp_path):
    text = "T (K), sigma (S/m)\n300, 0.1\n"
    assert read(tmp_path, text, part="bulk")["part"].item() == "bulk"
    assert read(tmp_path, "T (K), R (ohm)\n300, 100\n", cell=GAO, part="bulk").conductivity.item() > 0
    text = "T (K), sigma (S/m), sigma_gb (S/m)\n300, 0.1, 0.2\n"
    assert read(tmp_path, text, part="grain_boundary").conductivity.item() == 0.2
    assert read(tmp_path, text).conductivity.item() == 0.1
    with pytest.raises(nd.InputError, match="conductivity of the bulk, found grain_boundary"):
        read(tmp_path, text, part="bulk")  # the column without a part is the total here
    with pytest.raises(nd.InputError, match="part: needed total, bulk, grain_boundary, found 'grain'"):
        read(tmp_path, text, part="grain")
    with pytest.raises(nd.InputError, match="needed resistances for the cell"):
        read(tmp_path, text, cell=GAO)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "one of area, diameter and radius, found none"),
        ({"area": 1e-4, "radius": 1e-3}, "found area and radius"),
        ({"radius": 0.5}, r"cell: radius \[m\]: needed one finite number from 1e-09 and up to 0.1, found 0.5; 0.9 mm"),
        ({"area": 0.785}, r"cell: area \[m\^2\]"),
        ({"diameter": -1e-3}, "found -0.001"),
        ({"radius": math.nan}, "found nan"),
        ({"radius": 1e-3, "diameter_stderr": 1e-5}, "needed diameter beside diameter_stderr, found radius"),
        ({"radius": 1e-3, "radius_stderr": -1e-5}, r"radius_stderr \[m\]"),
        ({"radius": 1e-3, "thickness": 0.9}, r"cell: thickness \[m\].*0.9 mm is 0.9e-3"),
    ],
)
def test_impossible_geometries_are_refused(said, words):
    with pytest.raises(nd.InputError, match=words):
        Cell(**({"thickness": 1e-3} | said))


def resistances():
    """Two rows known, one of which has limits only."""
    row = lambda *values: ("experiment", np.array(values))  # noqa: E731
    data = xr.Dataset(
        {
            "resistance": row(1000.0, np.nan, 10.0),
            "resistance_stderr": row(10.0, np.nan, np.nan),
            "resistance_low": row(950.0, 0.0, np.nan),
            "resistance_high": row(1050.0, 2000.0, np.nan),
            "bulk_resistance": row(500.0, 20.0, np.nan),
            "bulk_resistance_stderr": row(5.0, np.nan, np.nan),
            "reason": ("experiment", np.array(["", "no clear arc", ""], dtype=object)),
        },
        coords={
            "experiment": ["a", "b", "c"],
            "temperature": row(300.0, 310.0, 320.0),
            "temperature_stderr": row(1.0, 1.0, 1.0),
            "direction": ("experiment", ["heating", "heating", "cooling"]),
        },
    )
    return stamp(attach(data, [Finding("tail", "b", "words")]), "resistance", sources='["raw"]')


def test_limits_reasons_and_findings_of_resistances_are_carried():
    cell = Cell(thickness=1e-3, area=1e-4, area_stderr=1e-6)
    total = conductivity_of(resistances(), cell)
    np.testing.assert_allclose(total.conductivity, [0.01, np.nan, 1.0])
    np.testing.assert_allclose(total.conductivity_stderr, [1e-4, np.nan, np.nan])
    np.testing.assert_allclose(total.conductivity_low, [10 / 1050, 10 / 2000, np.nan])
    np.testing.assert_allclose(total.conductivity_high, [10 / 950, np.inf, np.nan])
    assert total["reason"].values.tolist() == ["", "no clear arc", ""]
    assert total["direction"].values.tolist() == ["heating", "heating", "cooling"]
    assert (total.attrs["cell_stderr"], total.attrs["sources"]) == (pytest.approx(0.01), '["raw"]')
    assert set(remarks(total)) == {"tail"}
    bulk = conductivity_of(resistances(), cell, part="bulk")
    np.testing.assert_allclose(bulk.conductivity, [0.02, 0.5, np.nan])
    assert bulk["reason"].values.tolist() == ["", "no clear arc", "no bulk resistance"]
    assert "conductivity_low" not in bulk
    with pytest.raises(nd.InputError, match="part: needed the resistance of the grain_boundary, found total, bulk"):
        conductivity_of(resistances(), cell, part="grain_boundary")
    with pytest.raises(nd.InputError, match="needed the stage 'resistance', found 'transport'"):
        conductivity_of(total, cell)


def test_a_folder_or_a_file_of_a_potentiostat_is_read_as_spectra(tmp_path, monkeypatch):
    called = {}

    def read_impedance(path, *, temperature=None):
        called.update(path=path, temperature=temperature)
        return "spectra"

    def fit_impedance(impedance, *, circuit="auto"):
        called.update(impedance=impedance, circuit=circuit)
        return resistances()

    for name, function in {"read": read_impedance, "fit": fit_impedance}.items():
        module = types.ModuleType(f"nmrdyn.conductivity.impedance.{name}")
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    transport = read_conductivity(tmp_path, cell=GAO, temperature="t.csv", direction="heating")
    assert called == {"path": str(tmp_path), "temperature": "t.csv", "impedance": "spectra", "circuit": "auto"}
    np.testing.assert_allclose(transport.conductivity, GAO.constant / np.array([1000, np.nan]))
    assert transport["sample"].values.tolist() == ["", ""]
    assert set(remarks(transport)) == {"tail"}
    assert not remarks(read_conductivity(tmp_path / "a.DTA", cell=GAO, direction="cooling"))  # "tail" is of "b"
    assert called["path"] == str(tmp_path / "a.DTA")
    read_conductivity(tmp_path / "a.csv", cell=GAO, circuit="p(R1,CPE1)")
    assert (called["path"], called["circuit"]) == (str(tmp_path / "a.csv"), "p(R1,CPE1)")
    with pytest.raises(nd.InputError, match="needed the geometry of the sample beside impedance spectra"):
        read_conductivity(tmp_path / "a.mpt")
    with pytest.raises(nd.InputError, match="needed a table for columns"):
        read_conductivity(tmp_path, cell=GAO, columns={"a": "b"})
    with pytest.raises(nd.InputError, match="needed impedance spectra for temperature="):
        read(tmp_path, "T (K),sigma (S/m)\n300,1\n", temperature=300.0)


# The reader of all tables


@pytest.mark.parametrize("dimension", UNITS)
def test_spellings_of_one_unit_have_one_value(dimension):
    by_factors = {}
    for unit, value in UNITS[dimension].items():
        by_factors.setdefault(unit_factors(unit), set()).add(value)
    assert () not in by_factors
    assert all(len(values) == 1 for values in by_factors.values())


def test_logarithms_and_errors_in_percent_are_for_every_table(tmp_path):
    path = tmp_path / "tau.csv"
    path.write_text("T (K);ln(tau_c/ps);τc err (%)\n300;6,907755278982137;5\n", encoding="utf-8")
    motion = nd.read_table(path)
    assert motion["tau_c"].item() == pytest.approx(1e-9, rel=1e-12)
    assert motion["tau_c_stderr"].item() == pytest.approx(5e-11, rel=1e-12)


def test_a_name_that_begins_with_a_hash_is_no_comment_if_quoted(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text('name,n\n"#3",1\n#4,2\n', encoding="utf-8")
    found = read_columns(path, {"name": ColumnSpec("name", "text"), "n": ColumnSpec("n", "number")}, what="names")
    assert found.texts["name"] == ("#3",)


# Real data


def test_series_of_the_literature_are_read(tmp_path):
    folder = os.environ.get("NMRDYN_REAL_DATA")
    if not folder:
        pytest.skip("NMRDYN_REAL_DATA is not set (the folder that holds conductivity/)")
    file = Path(folder) / "conductivity" / "conductivity.csv"
    columns = {"temperature": "T (°C)", "target": "sigma (S/cm)", "composition": "sample", "source": "sample"}
    transport = read_conductivity(file, columns=columns)
    samples = sorted(set(transport["sample"].values.tolist()))
    assert (transport.sizes["experiment"], len(samples)) == (123, 26)
    assert set(transport["direction"].values.tolist()) == {""}  # no run there is one of heating and then cooling
    with (file.parent / "reference_fits.csv").open(encoding="utf-8", newline="") as lines:
        fits = {f"{row['composition'].strip()}, {row['doi'].strip()}": row for row in csv.DictReader(lines)}
    assert sorted(fits) == samples
    for name, fit in fits.items():
        one = read_conductivity(file, columns=columns, sample=name)
        assert one.sizes["experiment"] == int(fit["n"])
        kelvin = one.temperature.values
        # Least squares of ln(sigma T) against 1/kT; k of CODATA 2018.
        slope = np.polyfit(1 / (8.617333262e-5 * kelvin), np.log(one.conductivity.values * kelvin), 1)[0]
        assert -slope == pytest.approx(float(fit["Ea_sigmaT_eV"]), abs=1e-6)
    # The file has the logarithms too, rounded otherwise.
    logarithms = columns | {"log_target": "log10 sigma (S/cm)"}
    del logarithms["target"]
    np.testing.assert_allclose(
        read_conductivity(file, columns=logarithms).conductivity, transport.conductivity, rtol=4e-3
    )
