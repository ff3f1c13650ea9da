import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nmrdyn as nd

# SI factors of the units and the shift of the Celsius scale, by definition.
CONDUCTIVITY = {"S/m": 1.0, "S/cm": 100.0, "mS/cm": 0.1, "µS/cm": 1e-4, "uS/cm": 1e-4, "mS/m": 1e-3}
TEMPERATURE = {"K": 0.0, "°C": 273.15, "C": 273.15, "degC": 273.15}


def read(folder, text):
    path = folder / "eis.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return nd.read_conductivity(path)


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


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(
        st.tuples(st.floats(1e-3, 1e4), st.floats(1e-15, 1e6), st.floats(1e-15, 1e6)), min_size=1, max_size=6
    ),
    unit=st.sampled_from(sorted(CONDUCTIVITY)),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_values_round_trip_through_a_table(tmp_path_factory, rows, unit, newline):
    lines = [f"T [K], sigma [{unit}], sigma_err [{unit}]", *(", ".join(map(repr, row)) for row in rows)]
    transport = read(tmp_path_factory.getbasetemp(), newline.join(lines) + newline)
    temperature, value, error = np.array(rows).T
    np.testing.assert_array_equal(transport.temperature, temperature)
    np.testing.assert_array_equal(transport.conductivity, value * CONDUCTIVITY[unit])
    np.testing.assert_array_equal(transport.conductivity_stderr, error * CONDUCTIVITY[unit])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("T, sigma [S/m]\n300, 1\n", "unit for the column 'T' (K, °C, C, degC), found none"),
        ("T [K], sigma\n300, 1\n", "unit for the column 'sigma' (S/m, S/cm"),
        ("T [F], sigma [S/m]\n300, 1\n", "found the unit 'F'"),
        ("T [K], sigma [Ohm cm]\n300, 1\n", "found the unit 'Ohm cm'"),
        ("sigma [S/m]\n1\n", "needed a column such as 'temperature (°C)', found sigma [S/m]"),
        ("T [K], D [m2/s]\n300, 1\n", "needed a column such as 'conductivity (S/cm)', found T [K], D [m2/s]"),
        ("T [°C];sigma [S/m]\n15;1\n", "needed a column such as"),
        ("T [K], sigma [S/m], sigma [S/cm]\n300, 1, 2\n", "one column of conductivity, found two"),
        ("T [K], sigma [S/m]\n300, 1\n310, -2\n", "line 3: needed a positive conductivity, found -2"),
        ("T [K], sigma [S/m]\n300, 0\n", "line 2: needed a positive conductivity, found 0"),
        ("T [°C], sigma [S/m]\n-280, 1\n", "line 2: needed a positive temperature, found -6.85"),
        ("T [K], sigma [S/m], sigma_err [S/m]\n300, 1, -0.1\n", "line 2: needed a positive stderr, found -0.1"),
        ("T [K], sigma [S/m], sigma_err [S/m]\n300, 1, 0\n", "line 2: needed a positive stderr, found 0"),
        ("# EIS\n\nT [K], sigma [S/m]\n300, 1\n\n310, n/a\n", "line 6: needed a number in column 2, found 'n/a'"),
        ("T [K], sigma [S/m]\n300, nan\n", "line 2: needed a number in column 2, found 'nan'"),
        ("T [K], sigma [S/m]\n300, inf\n", "line 2: needed a number in column 2, found 'inf'"),
        ("T [K], sigma [S/m]\n300\n", "line 2: needed a number in column 2, found ''"),
        ('T [K], sigma [S/m]\n300, "1\n310, 2\n', "line 2"),
        ("T [K], sigma [S/m]\n", "needed a header and rows of data, found 1 lines"),
        ("", "needed a header and rows of data, found 0 lines"),
        ("T [K], sigma [µS/cm]\n300, 1\n".encode("latin-1"), "needed text in UTF-8"),
        (b"\xff\xfeT\x00", "needed text in UTF-8"),
    ],
)
def test_unusable_tables_are_refused_naming_the_file_and_the_place(tmp_path, text, words):
    with pytest.raises(nd.InputError, match=re.escape(words)) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "eis.csv") in str(caught.value)


def test_missing_file_is_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(nd.InputError, match=re.escape(f"{path}: needed a CSV of conductivities")):
            nd.read_conductivity(path)
