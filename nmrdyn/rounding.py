"""Numbers rounded by their standard errors; the one place that does so for reports, tables and the command line."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

_PLAIN = 2  # powers of ten up to this one are written out
_LAST_DIGIT = 1e-15  # of a float; an error below it says nothing
_PRECISE = 1100  # decimal digits, more than a float has


def with_error(value: float, error: float) -> str:
    """A value and its standard error, with two significant digits of the error.

    Both have a common power of ten where the larger one is 1000 or more or below 0.01, or where the error would
    otherwise need zeros that are not significant. Without an error (NaN, infinite, 0 or less) the value has four
    significant digits; without a finite value the text is a dash.

    >>> with_error(4.712, 0.1936), with_error(0.004712, 0.0001936), with_error(450.0, 123.0)
    ('4.71 ± 0.19', '(4.71 ± 0.19) × 10⁻³', '(4.5 ± 1.2) × 10²')
    >>> with_error(9.96, 0.996), with_error(0.0, 0.02), with_error(53.4196, float("nan")), with_error(float("nan"), 1.0)
    ('10.0 ± 1.0', '0.000 ± 0.020', '53.42', '–')
    """
    if not math.isfinite(value):
        return "–"
    if not _is_error(value, error):
        return significant(value)
    number, spread, exponent = _rounded(value, error)
    text = f"{number:f} ± {spread:f}"
    return f"({text}) × 10{superscript(exponent)}" if exponent else text


def parenthesis(value: float, error: float) -> str:
    """A value with the two significant digits of its error in brackets, which count in units of the last digit.

    The rules are those of `with_error`, in letters that every terminal has.

    >>> parenthesis(0.004712, 0.0001936), parenthesis(53.42, 2.06), parenthesis(450.0, 123.0)
    ('4.71(19)e-3', '53.4(21)', '4.5(12)e2')
    >>> parenthesis(float("nan"), 1.0)
    '-'
    """
    if not math.isfinite(value):
        return "-"
    if not _is_error(value, error):
        return f"{value:.4g}"
    number, spread, exponent = _rounded(value, error)
    digits = "".join(map(str, spread.as_tuple().digits)).lstrip("0")
    return f"{number:f}({digits})" + (f"e{exponent}" if exponent else "")


def interval(low: float, high: float) -> str:
    """The ends of a 95 % interval, with two significant digits of the standard error that it would have if normal.

    >>> interval(0.4231, 0.4752), interval(-27.3, 4.1), interval(0.0021, 0.0054), interval(float("nan"), 1.0)
    ('0.423 to 0.475', '-27.3 to 4.1', '(2.10 to 5.40) × 10⁻³', '–')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "–"
    spread = (high - low) / 4
    larger = max(low, high, key=abs)
    if not _is_error(larger, spread):
        return f"{significant(low)} to {significant(high)}"
    _, error, exponent = _rounded(larger, spread)
    with localcontext(prec=_PRECISE):
        ends = [Decimal(float(end)).scaleb(-exponent).quantize(error) for end in (low, high)]
    text = " to ".join(f"{end if end else abs(end):f}" for end in ends)
    return f"({text}) × 10{superscript(exponent)}" if exponent else text


def significant(value: float, digits: int = 4) -> str:
    """A number without an error, with this many significant digits but no zeros at the end.

    >>> significant(132.32e6, 5), significant(0.25), significant(0.00964), significant(float("inf"))
    ('1.3232 × 10⁸', '0.25', '9.64 × 10⁻³', '–')
    """
    if not math.isfinite(value):
        return "–"
    number, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    if abs(int(exponent)) <= max(_PLAIN, digits - 1) and int(exponent) >= -_PLAIN:
        return f"{value:.{digits}g}"
    return f"{float(number):g} × 10{superscript(int(exponent))}"


def superscript(number: int) -> str:
    """A whole number in raised letters.

    >>> superscript(-12)
    '⁻¹²'
    """
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _is_error(value: float, error: float) -> bool:
    return math.isfinite(error) and error > 0 and error > _LAST_DIGIT * abs(value)


def _rounded(value: float, error: float) -> tuple[Decimal, Decimal, int]:
    """Value and error, rounded to two digits of the error, over a power of ten; and its exponent."""
    with localcontext(prec=_PRECISE):  # exact: the digits of a float, no less
        spread = _to_two_digits(Decimal(float(error)))
        number = Decimal(float(value)).quantize(spread)
        if not number:
            number = abs(number)  # no -0.00
        first, place = max(number.adjusted() if number else spread.adjusted(), spread.adjusted()), spread.adjusted() - 1
        exponent = first if abs(first) > _PLAIN or place > 0 else 0
        return number.scaleb(-exponent), spread.scaleb(-exponent), exponent


def _to_two_digits(spread: Decimal) -> Decimal:
    rounded = spread.quantize(Decimal((0, (1,), spread.adjusted() - 1)))
    # 0.996 becomes 1.00, which has a digit too many.
    return rounded.quantize(Decimal((0, (1,), rounded.adjusted() - 1)))
