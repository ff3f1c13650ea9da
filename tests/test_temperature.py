"""Temperatures: what an expno says, what the user gives, and the tables with units that carry it."""

import math
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nmrdyn.columns.headers import ColumnSpec
from nmrdyn.columns.read import read_columns
from nmrdyn.formulas import read_formula
from nmrdyn.schema import InputError
from nmrdyn.temperatures import given_temperatures, read_temperatures, temperature_formula
from nmrdyn.thermometers import thermometer
from nmrdyn.topspin.experiment.temperature import SOURCES, temperature_of
from nmrdyn.topspin.files.parameters import read_parameters


def expno(folder, *, title=None, acqu=None, audit=None):
    """An expno with a title, a set point and an audit trail."""
    (folder / "pdata" / "1").mkdir(parents=True, exist_ok=True)
    if title is not None:
        (folder / "pdata" / "1" / "title").write_bytes(title if isinstance(title, bytes) else title.encode())
    if acqu is not None:
        (folder / "acqu").write_text(f"##TITLE= Parameter file\n##$MASR= 4200\n##$TE= {acqu}\n##END=\n")
    if audit is not None:
        (folder / "audita.txt").write_text(audit)
    return folder


def told(folder, te=None, **parts):
    """What temperature_of says of an expno with these parts; keywords of its own pass through."""
    keywords = {key: parts.pop(key) for key in ("trust", "given", "name") if key in parts}
    acqus = parts.pop("acqus", {}) | ({} if te is None else {"TE": te})
    return temperature_of(expno(folder, **parts), acqus, **({"name": "na/12"} | keywords))


# Read-outs of real consoles without a sensor: 0 (Avance IV and NEO), 673.2, 683.16 and 690.2 (older Avance, 400 to 417
# degrees Celsius), -53.16766 (Avance III: a calibration applied to no sensor), and what overflows or is no number.
NO_SENSOR = [0, 0.0, "0", 673.2, 673.15, 683.16, 683.2, 690.2, 690.15, -53.16766, -9999, 9999, 1e300, -273.15]
NO_SENSOR += ["nan", "inf", math.nan, math.inf, "", "<>", [300, 300], "300 K", 10**400, "yes"]


@pytest.mark.parametrize("te", NO_SENSOR, ids=lambda te: repr(te)[:12])
def test_a_read_out_without_a_sensor_is_never_a_temperature(tmp_path, te):
    found = told(tmp_path, te)
    assert math.isnan(found.kelvin)
    assert found.source == ""
    assert "is no temperature: no sensor" in found.notes[0]
    assert told(tmp_path, te, title="T = 310 K").kelvin == 310.0


def test_parameters_without_a_read_out_are_noted(tmp_path):
    assert told(tmp_path).notes[0] == "acqus has no TE"


@pytest.mark.parametrize("te", [4.2, 100.0, 163, 298.0, 300, "333.2", 673.4, 683.0, 690.0, 1273.15])
def test_a_read_out_is_the_temperature(tmp_path, te):
    found = told(tmp_path, te)
    assert (found.kelvin, found.source) == (float(te), "TE")
    assert math.isnan(found.stderr)


TITLES = {
    "T=380K\nCRN\nT1": 380.0,
    "7Li satrec\nTemp=-110C (163K)\nT1rho=17.407ms\np1=7.5us at 35W\nD1=1s": 163.0,
    "-110C (163K)": 163.0,
    "163 K": 163.0,
    "T = 310K": 310.0,
    "60 °C": 333.15,
    "60C": 333.15,
    "333.2K": 333.2,
    "333,2 K": 333.2,
    "60 degC": 333.15,
    "60 &deg;C": 333.15,
    "<b>60</b>°C": 333.15,
    "60oC": 333.15,
    "60\u2103": 333.15,
    "-20 °C": 253.15,
    "\u221220°C": 253.15,
    "13 °C": 286.15,
    "1H-13C CPMAS at 298 K, 14.1 T, 5 kHz, 400 MHz": 298.0,
    "13C CP 25C": 298.15,
    "NaBH4_60C_T1": 333.15,
    "20240830-300K": 300.0,
    "T=5C": 278.15,
    "T = 64 K": 64.0,
    "TD 64K, 300K": 300.0,
    "25C, 298K": 298.0,
    "K2CO3 300 Kelvin": 300.0,
    "60 °C (60.5 °C at the end)": 333.15,
}


@pytest.mark.parametrize(("title", "kelvin"), TITLES.items())
def test_a_title_says_a_temperature(tmp_path, title, kelvin):
    found = told(tmp_path, 0, title=title)
    assert (found.kelvin, found.source) == (kelvin, "title")


@pytest.mark.parametrize(
    "title",
    [
        "RT",
        "13C",
        "13 C",
        "T=13C",
        "1H-13C CPMAS",
        "1H-13C CP, 10 kHz, 14.1 T, 400 MHz, d1 = 60 s",
        "[U-13C]glucose 12C 14C",
        "5 kHz",
        "14.1T",
        "T1 C-13",
        "T1 K2CO3",
        "2 K+ in KBr",
        "TD 64K",
        "8K * 20",
        "cycled at 2C and 0.5C",
        "10 K/min",
        "T1 = 300 ms",
        "300,310K",
        "C60",
        "1300 ppm",
        "100000 K",
        "-300 K",
        "-400 °C",
        "",
    ],
)
def test_a_title_without_a_temperature_says_none(tmp_path, title):
    found = told(tmp_path, 0, title=title)
    assert math.isnan(found.kelvin)
    assert not [note for note in found.notes if "title" in note]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("280-340 K", "range of temperatures up to 340 K"),
        ("300 K to 340 K", "range of temperatures up to 340 K"),
        ("300K and 310K", "several temperatures, 300 K and 310 K; none is used"),
        ("300 K, 60 °C", "several temperatures, 300 K and 333.15 K; none is used"),
        ("sample-60C", "says -60C, with a minus or a hyphen"),
    ],
)
def test_a_title_that_says_no_one_temperature_is_noted(tmp_path, title, words):
    found = told(tmp_path, 0, title=title)
    assert math.isnan(found.kelvin)
    assert any(words in note for note in found.notes)


def test_of_several_temperatures_in_a_title_the_labelled_one_is_used(tmp_path):
    found = told(tmp_path, 0, title="dried at 400K, T=300K")
    assert found.kelvin == 300.0
    assert any("300 K and 400 K; that after 'T =' is used" in note for note in found.notes)


def test_a_title_may_say_its_error(tmp_path):
    found = told(tmp_path, 0, title="T = 310 ± 0.5 K")
    assert (found.kelvin, found.stderr) == (310.0, 0.5)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "utf-8-sig"])
def test_a_title_may_have_any_encoding(tmp_path, encoding):
    assert told(tmp_path, 0, title="Größe 60 °C".encode(encoding)).kelvin == 333.15


@settings(deadline=None, max_examples=100)
@given(
    title=st.one_of(
        st.binary(max_size=300), st.text(alphabet="0123456789.,-+ ±KCT=°/_abH*", max_size=80).map(str.encode)
    )
)
@example(b"T=" + b"9" * 9000 + b"K")
@example(b"<" * 8000)
@example(b"T = " * 2000 + b"1K")
def test_any_title_gives_a_temperature_or_none(tmp_path_factory, title):
    found = told(tmp_path_factory.getbasetemp() / "any", 0, title=title)
    assert math.isnan(found.kelvin) or 1 <= found.kelvin <= 2000
    assert all(note.isprintable() for note in found.notes)


@settings(deadline=None, max_examples=60)
@given(kelvin=st.integers(100, 12000).map(lambda tenths: tenths / 10), celsius=st.booleans())
def test_titles_round_trip(tmp_path_factory, kelvin, celsius):
    text = f"23Na T1, T = {kelvin - 273.15:.2f} °C, 10 kHz" if celsius else f"23Na T1, T = {kelvin} K, 10 kHz"
    found = told(tmp_path_factory.getbasetemp() / "round", 0, title=text)
    assert found.kelvin == pytest.approx(kelvin, abs=1e-9)


def test_a_long_title_is_read_from_its_beginning_only(tmp_path):
    assert told(tmp_path, 0, title="T=300K\n" + "x" * 2_000_000).kelvin == 300.0
    assert math.isnan(told(tmp_path, 0, title="x" * 2_000_000 + "\nT=300K").kelvin)


def test_files_linked_from_outside_say_nothing(tmp_path):
    (tmp_path / "secret").write_text("T=300K")
    folder = expno(tmp_path / "1")
    for file in (folder / "pdata" / "1" / "title", folder / "audita.txt"):
        file.symlink_to(tmp_path / "secret")
    assert math.isnan(told(folder, 0).kelvin)


def test_the_title_of_the_first_processing_is_read(tmp_path):
    folder = expno(tmp_path, title=b"")
    for number, title in (("10", "T=310K"), ("9", "T=390K")):
        (folder / "pdata" / number).mkdir()
        (folder / "pdata" / number / "title").write_text(title)
    assert temperature_of(folder, {}, name="1").kelvin == 390.0


def test_a_console_in_celsius_is_found_by_its_title(tmp_path):
    for te, title, kelvin in ((-110, "-110C (163K)", 163.0), (60.0, "60 °C", 333.15)):
        found = told(tmp_path, te, title=title)
        assert (found.kelvin, found.source) == (kelvin, "title")
        assert found.notes == (f"TE {te:g} is no temperature in K: the title says the same in °C",)


def test_odd_read_outs_are_used_with_a_note_unless_the_title_agrees(tmp_path):
    for te in (25.0, 999.0):
        found = told(tmp_path / f"{te}", te)
        assert (found.kelvin, found.source) == (te, "TE")
        assert "outside what most probes reach (60 to 700 K)" in found.notes[0]
        assert told(tmp_path / f"{te}", te, title=f"T = {te:g} K").notes == ()


def test_a_read_out_of_a_new_data_set_is_noted_where_the_parameters_tell(tmp_path):
    untouched = {"TE1": 300, "TE2": 300, "TE3": 300, "TE4": 300, "DATE": 1600000000}
    measured = untouched | {"TE1": 299.8, "TE2": 0}
    assert "no other sensor was read" in told(tmp_path, 300, acqus=untouched).notes[0]
    assert "nothing was acquired (DATE 0)" in told(tmp_path, 298, acqus={"DATE": 0}).notes[0]
    for acqus, te in ((measured, 300), (untouched, 300.01), ({"DATE": 1}, 300)):
        assert told(tmp_path, te, acqus=acqus).notes == ()
    assert told(tmp_path, 300, acqus=untouched, title="300 K").notes == ()


def test_the_set_point_is_used_where_someone_set_it(tmp_path):
    found = told(tmp_path / "set", 0, acqu=310.5)
    assert (found.kelvin, found.source) == (310.5, "VT set point")
    for te in (298, 300):  # TopSpin's own value
        found = told(tmp_path / "new", 0, acqu=te)
        assert math.isnan(found.kelvin)
        assert any(f"the set point {te} K (TE of acqu) is that of a new data set" in note for note in found.notes)
    assert math.isnan(told(tmp_path / "none", 0, acqu="<>").kelvin)


TRAIL = """##TITLE= Audit trail, TopSpin 4.1.4
(   1,<2023-05-24 14:49:12.002 +0000>,<nmrsu>,<CZC1459CVK>,<go4>,<TopSpin 4.1.4>,
      <created by zg
       double data hash MD5: 256K * 16
       40 B7 D7 77 62 73 6C 59 3B 9B A8 8A 90 0E 4F E4
       {}>)
"""


def test_an_audit_trail_says_a_temperature_only_by_its_name(tmp_path):
    assert told(tmp_path, 0, audit=TRAIL.format("user comment: temperature = 305.5 K")).source == "audit trail"
    assert told(tmp_path, 0, audit=TRAIL.format("user comment: temperature = 305.5 K")).kelvin == 305.5
    assert math.isnan(told(tmp_path, 0, audit=TRAIL.format("data hash MD5: 350K")).kelvin)


def test_the_order_of_trust_is_the_users(tmp_path):
    folder = expno(tmp_path, title="T=310K", acqu=320, audit="T = 340 K")
    values = {"te": 300.5, "vt": 320.0, "title": 310.0, "audit": 340.0, "given": 350.0}
    table = given_temperatures({"na/12": 350.0})
    for first in values:
        order = (first, *(key for key in values if key != first))
        found = temperature_of(folder, {"TE": 300.5}, name="na/12", trust=order, given=table)
        assert found.kelvin == values[first]
        differing = [note for note in found.notes if f"says {values[first]:g} K" in note]
        assert len(differing) == len(values) - 1  # each of the others is more than 2 K away
    assert temperature_of(folder, {"TE": 300.5}, name="na/12", given=table).source == "table given"
    assert temperature_of(folder, {"TE": 300.5}, name="na/13", given=table).source == "TE"
    assert temperature_of(folder, {}, name="1", trust=()).source == ""
    assert temperature_of(folder, {"TE": 0}, name="1", trust="te").source == ""
    assert temperature_of(folder, {"TE": 0}, name="1", trust="title").notes == ()
    with pytest.raises(InputError, match=r"found 'tilte'; did you mean title\?"):
        temperature_of(folder, {}, name="1", trust=("te", "tilte"))
    assert SOURCES == ("te", "vt", "title", "audit")


def test_sources_that_agree_to_two_kelvin_are_not_noted(tmp_path):
    assert told(tmp_path, 308.1, title="310 K").notes == ()
    assert told(tmp_path, 307.9, title="310 K").notes == ("TE says 307.9 K, title 310 K; TE is used",)
    # A formula differs by intent, and a read-out without a sensor says nothing.
    assert told(tmp_path, 307.9, title="308 K", given=temperature_formula("TE + 20")).notes == ()
    assert told(tmp_path, 683.16, title="310 K", trust=("title", "te")).notes == ()


def test_formulas_take_the_read_outs_of_an_expno(tmp_path):
    parts = {"title": "T=310K", "acqu": 320, "audit": "T = 340 K", "acqus": {"TE1": 323.923, "MASR": 10000}}
    for text, kelvin in {
        "1.013*TE - 4.2 + 1.1e-7*MAS**2": 1.013 * 300.5 - 4.2 + 11,
        "VT": 320.0,
        "TITLE - 1": 309.0,
        "(AUDIT + TITLE)/2": 325.0,
        "TE1": 323.923,
        "300": 300.0,
    }.items():
        found = told(tmp_path, 300.5, given=temperature_formula(f"{text} ± 1.5"), **parts)
        assert found.kelvin == pytest.approx(kelvin, rel=1e-14)
        assert (found.stderr, found.source) == (1.5, f"formula {text}")


def test_a_formula_without_its_read_out_leaves_the_word_to_others(tmp_path):
    found = told(tmp_path, 683.16, title="T=310K", given=temperature_formula("TE + 4"))
    assert (found.kelvin, found.source) == (310.0, "title")
    assert found.notes[0] == "formula TE + 4: TE not known here"
    found = told(tmp_path, 300.5, given=temperature_formula("TE - 400"), trust=("given",))
    assert math.isnan(found.kelvin)
    assert found.notes[0] == "formula TE - 400: it gives no temperature here"


def test_a_spinning_rate_nobody_set_is_noted(tmp_path):
    formula = temperature_formula("TE + 1e-7*MAS**2")
    assert "MASR 4200 Hz is that of a new data set" in told(tmp_path, 310, acqus={"MASR": 4200}, given=formula).notes[0]
    assert told(tmp_path, 310, acqus={"MASR": 4000}, given=formula).notes == ()


numbers = st.floats(0.01, 100).map(lambda x: f"{x:.3g}")
expressions = st.recursive(
    st.one_of(numbers, st.sampled_from(["x", "y"])),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda text: f"(-{text})"),
    ),
    max_leaves=6,
).filter(lambda text: len(text) <= 200)


@settings(deadline=None, max_examples=200)
@given(text=expressions, x=st.floats(0.1, 500), y=st.floats(0.1, 500))
@example(text="9**9**9**9", x=1.0, y=1.0)
@example(text="(-2)**0.5", x=1.0, y=1.0)
@example(text="1/(x - 1)", x=1.0, y=1.0)
@example(text="-2**2 - 3 - 4", x=1.0, y=1.0)
def test_formulas_are_pythons_arithmetic_of_floats(text, x, y):
    floats = re.sub(r"(?<![\w.])(\d+)(?![\w.])", r"\1.0", text)  # of integers, 9**9**9**9 would never end
    try:
        expected = eval(floats, {"__builtins__": {}}, {"x": x, "y": y})
    except (ArithmeticError, ValueError):
        expected = math.nan
    if isinstance(expected, complex) or not math.isfinite(expected):
        expected = math.nan
    np.testing.assert_equal(read_formula(text, ["x", "y"], what="test").value({"x": x, "y": y}), expected)


def test_a_formula_without_one_of_its_values_has_none():
    formula = read_formula("x**0 * 300", ["x"], what="test")
    assert formula.value({"x": 2.0}) == 300.0
    assert math.isnan(formula.value({"x": math.nan}))
    assert math.isnan(formula.value({}))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "__import__('os')",
            "TE.real",
            "TE()",
            "[TE]",
            "TE if TE else VT",
            "lambda: 1",
            "1j",
            "'TE'",
            "True",
            "TE @ VT",
        ),
        *(
            "TE // 2",
            "TE % 2",
            "TE < VT",
            "not TE",
            "~TE",
            "(TE, VT)",
            "f'{TE}'",
            "TE = 3",
            "TE; VT",
            "",
            "TE +",
            "1e999",
        ),
        *(
            "(TE := 3)",
            "TE\x00",
            "1or 2",
            "(" * 150,
            "TE" + " " * 300,
            "60 °C",
            "TE ± ± 1",
            "TE ± x",
            "TE ± -1",
            "TE ± nan",
        ),
        *("{1: 2}", "print(1)", "...", "None", "TE and VT", "9" * 201, "TE ± 1 ± 2", "*TE", "TE ± 1e999"),
    ],
)
def test_a_formula_that_is_no_arithmetic_is_refused(text):
    with pytest.raises(InputError):
        temperature_formula(text)


@pytest.mark.parametrize(("name", "near"), [("te", "TE"), ("TITEL", "TITLE"), ("MASR", "MAS")])
def test_an_unknown_name_is_refused_with_the_nearest(name, near):
    with pytest.raises(InputError, match=rf"found '{name}' in .*; did you mean {near}\?"):
        temperature_formula(f"{name} + 1")


def test_a_formula_with_deep_signs_is_no_trouble():
    assert temperature_formula("-" * 198 + "1").temperature("1", {})[0] == 1.0


def table(folder, text):
    path = folder / "temperatures.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_temperatures(path)


def test_a_table_gives_temperatures_by_experiment(tmp_path):
    found = table(
        tmp_path, "# by hand\nexperiment; T (°C); T_err (°C); note\nna/1; 60; 0.5; ok\nna\\2/; -10; ; x\n3;;;\n"
    )
    assert found.temperature("na/1", {}) == pytest.approx((333.15, 0.5))
    np.testing.assert_equal(found.temperature("na/2", {}), (263.15, math.nan))
    np.testing.assert_equal(found.temperature("3", {}), (math.nan, math.nan))
    np.testing.assert_equal(found.temperature("4", {}), (math.nan, math.nan))
    assert found.unused(["na/1", "na/7"]) == ["na/2", "3"]
    assert found.source_of("na/1") == "table temperatures.csv"


# Temperatures inside every calibration, and what the error of a reading and the published error of a slope make of it.
THERMOMETERS = {
    "methanol": ("methanol (ppm)", 1.0, {}),
    "ethylene_glycol": ("ethylene_glycol [ppm]", 1.0, {}),
    "KBr_T1": ("KBr_T1 (ms)", 1e-3, {}),
    "Sm2Sn2O7_shift": ("Sm2Sn2O7_shift/ppm", 1.0, {}),
    "KBr_shift": ("KBr_shift (ppm from 290 K)", 1.0, {"reference_temperature": 290.0}),
    "PbNO3_shift": ("PbNO3_shift (ppm from 25 °C)", 1.0, {"reference_temperature": 298.15}),
    "MAPbCl3_shift": ("MAPbCl3_shift (ppm from 298.15 K)", 1.0, {"reference_temperature": 298.15}),
}


@pytest.mark.parametrize("name", THERMOMETERS)
@pytest.mark.parametrize("kelvin", [280.0, 293.0])
def test_readings_of_thermometers_round_trip(tmp_path, name, kelvin):
    header, factor, options = THERMOMETERS[name]
    instrument = thermometer(name, **options)
    reading = float(instrument.reading(kelvin))
    error = abs(reading) * 0.01 + 1e-3 * factor
    unit = re.search(r"[(\[/].*", header)[0].replace(" from 290 K", "").replace(" from 25 °C", "")
    unit = unit.replace(" from 298.15 K", "")
    text = f"experiment, {header}, {name}_stderr {unit}\n7, {reading / factor!r}, {error / factor!r}\n"
    found = table(tmp_path, text)
    assert found.temperature("7", {}) == pytest.approx((kelvin, float(instrument.temperature(reading, error)[1])))
    assert found.source_of("7") == f"table temperatures.csv ({name})"


def test_the_list_of_thermometers_is_complete():
    with pytest.raises(InputError) as error:
        thermometer("none")
    assert re.search(r"one of (.*), found", str(error.value))[1].split(", ") == list(THERMOMETERS)


def test_bromine_t1_by_the_published_formula(tmp_path):
    # Thurber and Tycko, J. Magn. Reson. 196 (2009) 84: T1 = 0.0145 + 5330/T^2 + 1.42e7/T^4 + 2.48e9/T^6 seconds.
    def t1(kelvin):
        return 0.0145 + 5330 / kelvin**2 + 1.42e7 / kelvin**4 + 2.48e9 / kelvin**6

    slope = (t1(250.01) - t1(249.99)) / 0.02
    text = f"experiment, KBr_T1 (s), KBr_T1_stderr (s)\n7, {t1(250.0)!r}, 0.001\n8, {t1(100.0)!r},\n"
    found = table(tmp_path, text)
    assert found.temperature("7", {}) == pytest.approx((250.0, abs(0.001 / slope)), rel=1e-6)
    kelvin, stderr = found.temperature("8", {})
    assert kelvin == pytest.approx(100.0)
    assert math.isnan(stderr)  # a reading without an error gives a temperature without one


def test_lead_shift_by_the_published_slope(tmp_path):
    # Bielecki and Burum, J. Magn. Reson. A 116 (1995) 215: 0.753 ppm/K; the two published slopes are 0.028 apart.
    text = "experiment, PbNO3_shift (ppm from 298.15 K), PbNO3_shift_stderr (ppm)\n7, -37.65, 0.1\n"
    kelvin, stderr = table(tmp_path, text).temperature("7", {})
    assert kelvin == pytest.approx(298.15 - 50)
    assert stderr == pytest.approx(math.hypot(0.1 / 0.753, 50 * 0.014 / 0.753))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "experiment, temperature\n1, 300\n",
            "needed a unit for the column 'temperature' (K, °C, C, degC), found none",
        ),
        ("experiment, T (F)\n1, 300\n", "found the unit 'F'"),
        ("experiment, note\n1, 300\n", "needed a column 'temperature (K)' or a thermometer (methanol"),
        ("temperature (K)\n300\n", "with a column such as 'experiment'"),
        ("experiment, T (K)\n1, 300\n1, 301\n", "line 3: needed each experiment once, found '1' again"),
        ("experiment, T (K)\n, 300\n", "line 2: needed the name of an experiment"),
        ("experiment, T (K)\n1, -3\n", "line 2, column 'T (K)': needed a value above 0, found '-3'"),
        ("experiment, T (K)\n1, 3e2 K\n", "needed a finite number, found '3e2 K'"),
        ("experiment, T (K)\n1, 300,5\n", "write decimals with a point"),
        ("experiment; T (K)\n1; 300,5\n2; 300.5\n", "write decimals with a point"),
        ("experiment, T (K), T_stderr (K)\n1, , 3\n", "line 2: needed temperature beside its standard error"),
        (
            "experiment, T (K), KBr_T1 (s)\n1, 300, 0.08\n",
            "line 2: needed one temperature, found temperature and KBr_T1",
        ),
        ("experiment, KBr_T1 (s)\n\n1, 0.01\n", "line 3: KBr_T1: needed"),
        ("experiment, KBr_T1 (s)\n1, 0.07\n", "line 2: KBr_T1: needed 20 to 296 K"),
        ("experiment, KBr_T1 (ppm)\n1, 0.07\n", "found the unit 'ppm'"),
        ("experiment, PbNO3_shift (ppm)\n1, 3\n", "line 2: PbNO3_shift: needed reference_temperature="),
        ("experiment, PbNO3_shift (ppm at 300 K)\n1, 3\n", "needed a unit such as 'ppm from 298.15 K'"),
        ("experiment, methanol (ppm from 300 K)\n1, 1.5\n", "methanol: needed no reference temperature"),
        ("experiment, T (K), T_stdrr (K), KBr_T1_sterr (s)\n1, 300, 1, 2\n", "did you mean KBr_T1_stderr?"),
        ("experiment, T (K), temp (K)\n1, 300, 300\n", "needed one column of temperature"),
        (b"experiment, T (K)\n1, \x81\n", "needed text in UTF-8"),
        ("experiment, T (K)\n", "needed a table of temperatures, a header and rows"),
        ('experiment, T (K)\n"1, 300\n', "line 2: not readable as CSV"),
        ("experiment, T (K)\n" + "1, 300\n" * 700_000, "at most 4 MB"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, words):
    with pytest.raises(InputError) as error:
        table(tmp_path, text)
    assert words in str(error.value)
    assert "temperatures.csv" in str(error.value)


def test_a_mapping_gives_temperatures():
    found = given_temperatures({"na/12": 300, 7: (310.0, 0.5)})
    np.testing.assert_equal(found.temperature("na/12", {}), (300.0, math.nan))
    assert found.temperature("7", {}) == (310.0, 0.5)
    assert found.unused(["7"]) == ["na/12"]
    for wrong in (
        {"1": 0},
        {"1": -300.0},
        {"1": "300"},
        {"1": math.nan},
        {"1": (300, -1)},
        {"1": (300, 1, 2)},
        {"1": True},
    ):
        with pytest.raises(InputError, match="temperature of '1'"):
            given_temperatures(wrong)
    with pytest.raises(InputError, match="found int"):
        given_temperatures(300)


def test_what_is_given_is_told_by_its_form(tmp_path):
    path = tmp_path / "temperatures.csv"
    path.write_text("experiment, T (K)\n1, 300\n")
    for form in (path, str(path), given_temperatures(path)):
        assert given_temperatures(form).temperature("1", {})[0] == 300.0
    assert given_temperatures("TE + 3").temperature("1", {"TE": 300.0})[0] == 303.0
    assert given_temperatures("TE + 3").unused(["1"]) == []
    with pytest.raises(InputError, match="no such file"):
        given_temperatures(str(tmp_path / "missing.csv"))


columns = {
    "t1": ColumnSpec("t1", "time", positive=True),
    "who": ColumnSpec("sample|name", "text"),
    "n": ColumnSpec("n", "number"),
}


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.floats(1e-9, 1e6), st.text('abc ,;"', max_size=5).map(str.strip)), min_size=1, max_size=5
    ),
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
    mark=st.sampled_from(",;\t"),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_columns_round_trip(tmp_path_factory, rows, unit, mark, newline, encoding):
    quoted = [f'{value!r}{mark}"{text.replace(chr(34), chr(34) * 2)}"' for value, text in rows]
    path = tmp_path_factory.getbasetemp() / "columns.csv"
    path.write_bytes(newline.join([f"T1 / {unit}{mark}sample", "# comment", *quoted, mark]).encode(encoding))
    found = read_columns(path, columns, what="a table")
    factor = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit]
    np.testing.assert_array_equal(found.numbers["t1"], [value * factor for value, _ in rows])
    assert found.texts["who"] == tuple(text for _, text in rows)
    assert found.lines == tuple(range(3, 3 + len(rows)))
    assert "n" not in found.numbers


@settings(deadline=None, max_examples=60)
@given(data=st.one_of(st.binary(max_size=300), st.text('T1()s/,;\n\t"0.e-# ', max_size=120).map(str.encode)))
@example(b"T1 (s)\n" + b"1" * 100_000 + b"x\n")
@example(b"T1" + b" " * 100_000 + b"(\n1\n")
@example(b"T1 (s), n (K)\n1, 2\n")
@example(b'\t""\x00\n\x00')
def test_any_bytes_are_a_table_or_an_input_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(data)
    problem, lengths = "", set()
    try:
        found = read_columns(path, columns, what="a table")
        lengths = {len(values) for values in (*found.numbers.values(), *found.texts.values())} - {len(found.lines)}
    except InputError as error:
        problem = str(error)
    assert problem.isprintable()
    assert not lengths


# TE of acqus in each folder; NaN where the console had no sensor.
REAL = {"dnplab-IR": {4: math.nan, 28: math.nan, 30: math.nan, 304: math.nan, 33: 300.0}}
REAL["17O-lamox-satrec"] = {1: math.nan}
REAL["7Li-T1rho"] = {79: 163.0}
REAL["1H-T2-noser"] = {1: 297.9991}
REAL["crn87rb-T1"] = {49: 310.0, 40: 330.0, 38: 340.0, 33: 350.0, 28: 360.0, 23: 370.0, 12: 380.0, 14: 390.0}


@pytest.mark.parametrize("folder", REAL)
def test_real_folders(topspin, folder):
    for number, kelvin in REAL[folder].items():
        path = topspin / folder / str(number)
        acqus = read_parameters(path / "acqus")
        found = temperature_of(path, acqus, name=str(number))
        np.testing.assert_equal(found.kelvin, kelvin)
        if math.isnan(kelvin):
            assert "is no temperature: no sensor was read" in found.notes[0]
        elif folder != "dnplab-IR":
            assert found.notes == ()
        if folder in ("crn87rb-T1", "7Li-T1rho"):  # their titles say it too
            assert temperature_of(path, acqus, name="x", trust=["title"]).kelvin == kelvin


def test_real_folder_with_a_second_sensor(topspin):
    path = topspin / "17O-lamox-satrec" / "1"
    acqus = read_parameters(path / "acqus")
    assert any("TE1" in note and "323.923 K" in note for note in temperature_of(path, acqus, name="1").notes)
    assert temperature_of(path, acqus, name="1", given=given_temperatures("TE1")).kelvin == 323.923
