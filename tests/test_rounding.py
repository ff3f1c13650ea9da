"""Rounding by errors: what is printed is the value to half of its last digit, with two digits of the error."""

import math
import re
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmrdyn.rounding import interval, parenthesis, significant, superscript, with_error

FINITE = st.floats(allow_nan=False, allow_infinity=False)
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


@pytest.mark.parametrize(
    ("value", "error", "text", "short"),
    [
        (4.712, 0.1936, "4.71 ± 0.19", "4.71(19)"),
        (0.004712, 0.0001936, "(4.71 ± 0.19) × 10⁻³", "4.71(19)e-3"),
        (-0.105, 0.019, "-0.105 ± 0.019", "-0.105(19)"),
        (53.42, 2.06, "53.4 ± 2.1", "53.4(21)"),
        (450.0, 13.2, "450 ± 13", "450(13)"),
        (450.0, 123.0, "(4.5 ± 1.2) × 10²", "4.5(12)e2"),  # zeros that are not significant are not printed
        (1234.5, 56.0, "(1.234 ± 0.056) × 10³", "1.234(56)e3"),
        (9.96, 0.996, "10.0 ± 1.0", "10.0(10)"),  # the error rounds up into another place
        (9.96, 0.99, "9.96 ± 0.99", "9.96(99)"),
        (999.96, 0.5, "999.96 ± 0.50", "999.96(50)"),
        (999.996, 0.5, "(1.00000 ± 0.00050) × 10³", "1.00000(50)e3"),
        (0.0, 0.02, "0.000 ± 0.020", "0.000(20)"),
        (-0.0001, 0.5, "0.00 ± 0.50", "0.00(50)"),  # no -0.00
        (0.3, 1.2, "0.3 ± 1.2", "0.3(12)"),  # an error above the value
        (1.0, 5.3e7, "(0.0 ± 5.3) × 10⁷", "0.0(53)e7"),
        (1e-300, 2e-301, "(1.00 ± 0.20) × 10⁻³⁰⁰", "1.00(20)e-300"),
        (5e-324, 5e-324, "(4.9 ± 4.9) × 10⁻³²⁴", "4.9(49)e-324"),
        (1.5e308, 1e307, "(1.50 ± 0.10) × 10³⁰⁸", "1.50(10)e308"),
        (math.nan, 1.0, "–", "-"),
        (math.inf, 1.0, "–", "-"),
        (53.4196, math.nan, "53.42", "53.42"),
        (53.4196, math.inf, "53.42", "53.42"),
        (53.4196, 0.0, "53.42", "53.42"),
        (53.4196, -1.0, "53.42", "53.42"),
        (53.4196, 1e-40, "53.42", "53.42"),  # an error below the last digit of the number
        (0.0, 0.0, "0", "0"),
    ],
)
def test_value_and_error(value, error, text, short):
    assert with_error(value, error) == text
    assert parenthesis(value, error) == short


@given(FINITE, st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_printed_value_is_within_half_of_its_last_digit(value, error):
    found = re.fullmatch(r"\(?(-?[\d.]+) ± ([\d.]+)\)?(?: × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", with_error(value, error))
    if error <= 1e-15 * abs(value):
        assert found is None
        return
    shift = int((found[3] or "0").translate(RAISED))
    digit = Decimal((0, (1,), -len(found[1].partition(".")[2]) + shift))
    for printed, number in ((found[1], value), (found[2], error)):
        with localcontext(prec=1200):
            assert abs(Decimal(printed).scaleb(shift) - Decimal(number)) <= digit / 2
    assert len(found[2].replace(".", "").lstrip("0")) == 2
    # The short form says the same.
    bracket = re.fullmatch(r"(-?[\d.]+)\((\d\d)\)(?:e(-?\d+))?", parenthesis(value, error))
    assert (bracket[1], int(bracket[3] or 0)) == (found[1], shift)
    assert bracket[2] == found[2].replace(".", "").lstrip("0")


def test_value_and_error_end_at_the_same_place():
    for value, error in ((4.712, 0.1936), (1234.5, 56.0), (0.0021, 3e-5)):
        number, spread = re.findall(r"[\d.]+", with_error(value, error))[:2]
        assert len(number.partition(".")[2]) == len(spread.partition(".")[2])


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.4275, 0.4796, "0.427 to 0.480"),  # (high - low)/4 = 0.013: three decimals; 0.4275 is 0.42749999...
        (-142.96, -68.62, "-143 to -69"),
        (-0.2, 31.2, "-0.2 to 31.2"),
        (-0.001, 31.2, "0.0 to 31.2"),
        (0.0021, 0.0054, "(2.10 to 5.40) × 10⁻³"),
        (1.0, 1.0, "1 to 1"),
        (math.nan, 1.0, "–"),
        (0.0, math.inf, "–"),
    ],
)
def test_intervals_are_rounded_by_their_width(low, high, text):
    assert interval(low, high) == text


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ends_of_intervals_are_within_an_eightieth_of_their_width(low, width):
    high = low + width
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return
    found = re.fullmatch(r"\(?(-?[\d.]+) to (-?[\d.]+)\)?(?: × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", interval(low, high))
    power = 10.0 ** int((found[3] or "0").translate(RAISED))
    # Two digits of a quarter of the width are at worst 10: half of the last of them is a twentieth of a quarter.
    for printed, number in ((found[1], low), (found[2], high)):
        assert abs(float(printed) * power - number) <= (high - low) / 80 * (1 + 1e-6)


def test_plain_numbers():
    assert [significant(value) for value in (0.25, 132.32, 1234.0, 0.00964, -0.00012344, 1.2e7, math.nan)] == [
        "0.25",
        "132.3",
        "1234",
        "9.64 × 10⁻³",
        "-1.234 × 10⁻⁴",
        "1.2 × 10⁷",
        "–",
    ]
    assert significant(0.0) == "0"
    assert superscript(-1203456789) == "⁻¹²⁰³⁴⁵⁶⁷⁸⁹"
