import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmrdyn import InputError
from nmrdyn.units import UNITS, Quantity, parse

# SI prefixes; 96.48533212331002 kJ/mol per eV is e N_A, exact in the SI of 2019; 1 cal = 4.184 J.
VALUES = [
    ("0.1 MHz", "frequency", 1e5, 0.0),
    ("0.1MHz", "frequency", 1e5, 0.0),
    ("1.00 ± 0.05 MHz", "frequency", 1e6, 5e4),
    ("1.00+/-0.05MHz", "frequency", 1e6, 5e4),
    ("1.5 +- .5 kHz", "frequency", 1500.0, 500.0),
    ("1e3 Hz", "frequency", 1e3, 0.0),
    ("-2.5E-1 GHz", "frequency", -2.5e8, 0.0),
    ("7 µs", "time", 7e-6, 0.0),  # micro sign
    ("7 μs", "time", 7e-6, 0.0),  # Greek mu
    ("7 us", "time", 7e-6, 0.0),
    ("2 min", "time", 120.0, 0.0),
    ("20 ± 5 ms", "time", 0.02, 0.005),
    ("400 meV", "energy", 0.4, 0.0),
    ("96.48533212331002 kJ/mol", "energy", 1.0, 0.0),
    ("23.060547830619026 kcal/mol", "energy", 1.0, 0.0),
    ("1eV", "energy", 1.0, 0.0),
    ("1.20 Å", "length", 1.2e-10, 0.0),
    ("120 pm", "length", 1.2e-10, 0.0),
    ("333.15 K", "temperature", 333.15, 0.0),
    ("60 °C", "temperature", 333.15, 0.0),
    ("60 ± 1 °C", "temperature", 333.15, 1.0),
    ("-10 degC", "temperature", 263.15, 0.0),
    ("1 S/cm", "conductivity", 100.0, 0.0),
    ("1 mS/cm", "conductivity", 0.1, 0.0),
    ("1 µS/cm", "conductivity", 1e-4, 0.0),
    ("1 S cm-1", "conductivity", 100.0, 0.0),
    ("25.5 ± 0.5 KΩ", "resistance", 25.5e3, 500.0),
    ("0.785 cm2", "area", 0.785e-4, 0.0),
]
SI = {"frequency": "Hz", "time": "s", "energy": "eV", "length": "m", "temperature": "K", "conductivity": "S/m"}


@pytest.mark.parametrize(("text", "dimension", "value", "stderr"), VALUES)
def test_parse_reads_values_in_si(text, dimension, value, stderr):
    found = parse(text, dimension, name="it")
    assert found.value == pytest.approx(value, rel=1e-14, abs=0)
    assert found.stderr == pytest.approx(stderr, rel=1e-14, abs=0)


def test_temperature_difference_has_no_zero_point():
    assert parse("1 °C", "temperature", name="offset", difference=True) == Quantity(1.0)
    assert parse("1 K", "temperature", name="offset", difference=True) == Quantity(1.0)
    assert parse("1 °C", "temperature", name="point").value == pytest.approx(274.15, rel=1e-14, abs=0)


@settings(deadline=None, max_examples=200)
@given(
    dimension=st.sampled_from(list(SI)),
    value=st.floats(-1e12, 1e12),
    stderr=st.floats(0, 1e12),
    mark=st.sampled_from(["±", " ± ", "+/-", " +- "]),
    gap=st.sampled_from(["", " ", "  "]),
)
def test_si_text_round_trips_exactly(dimension, value, stderr, mark, gap):
    value = abs(value) + 1e-9 if dimension == "temperature" else value  # 0 K and below are refused
    text = f"{value!r}{mark}{stderr!r}{gap}{SI[dimension]}"
    assert parse(text, dimension, name="it") == Quantity(value, stderr)


@pytest.mark.parametrize("text", ["0 K", "-1 K", "-300 °C", "1e400 K"])
def test_impossible_temperatures_are_refused(text):
    with pytest.raises(InputError, match=r"needed a (temperature above 0 K|finite temperature)"):
        parse(text, "temperature", name="T")
    if not text.startswith("1e400"):
        parse(text, "temperature", name="T", difference=True)  # a step may be anything


@pytest.mark.parametrize(("dimension", "si"), SI.items())
def test_missing_unit_is_refused_naming_the_units(dimension, si):
    with pytest.raises(InputError, match=r"^cq: ") as caught:
        parse("0.1", dimension, name="cq")
    assert si in str(caught.value)
    assert all(unit in str(caught.value) for unit in UNITS[dimension])


@pytest.mark.parametrize("text", ["0.1 Mhz", "0.1 s", "0.1 M Hz", "1,5 MHz", "1.0.5 MHz", "1 MHz ± 2 kHz"])
def test_unknown_unit_is_refused_naming_the_units(text):
    with pytest.raises(InputError, match=r"^cq: ") as caught:
        parse(text, "frequency", name="cq")
    assert all(unit in str(caught.value) for unit in ("Hz", "kHz", "MHz", "GHz", text))


@pytest.mark.parametrize("text", ["", "MHz", "about 1 MHz", "nan MHz", "inf MHz", "± 1 MHz", None])
def test_text_without_a_number_is_refused(text):
    with pytest.raises(InputError, match=r"^cq: needed a frequency such as"):
        parse(text, "frequency", name="cq")


def test_negative_standard_error_is_refused():
    with pytest.raises(InputError, match="standard error of 0 or more"):
        parse("1 ± -0.1 MHz", "frequency", name="cq")
