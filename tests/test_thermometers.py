from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmrdyn.schema import InputError
from nmrdyn.thermometers import thermometer

ABSOLUTE = ("methanol", "ethylene_glycol", "KBr_T1", "Sm2Sn2O7_shift")
RELATIVE = ("KBr_shift", "PbNO3_shift", "MAPbCl3_shift")
ALL = (*ABSOLUTE, *RELATIVE)
REFERENCE = 298.15


def get(name):
    return thermometer(name, reference_temperature=REFERENCE if name in RELATIVE else None)


# Published polynomials, evaluated by hand. Thermometer, reading, temperature [K].
ROWS = [
    ("methanol", 1.7, 283.7355),
    ("methanol", 2.1, 235.9075),
    ("ethylene_glycol", 1.4, 323.7),
    ("ethylene_glycol", 1.8, 282.9),
    # T1 of KBr is 0.0145 + 0.533 + 0.142 + 0.00248 s at 100 K.
    ("KBr_T1", 0.69198, 100.0),
    ("KBr_T1", 0.15666375, 200.0),
    # 223 - 9.54e4/150 and /300.
    ("Sm2Sn2O7_shift", -413.0, 150.0),
    ("Sm2Sn2O7_shift", -95.0, 300.0),
    # 0.753, -0.025 and 0.905 ppm/K times 50 K, from 298.15 K; heating moves 79Br to low frequency, 207Pb to high.
    ("PbNO3_shift", 37.65, 348.15),
    ("KBr_shift", -1.25, 348.15),
    ("MAPbCl3_shift", 45.25, 348.15),
]


@pytest.mark.parametrize(("name", "reading", "kelvin"), ROWS)
def test_temperatures_of_published_calibrations(name, reading, kelvin):
    # A rounding of 1e-13 in a reading of 400 ppm is 1e-12 K.
    assert get(name).temperature(reading)[0] == pytest.approx(kelvin, abs=1e-9)
    assert get(name).reading(kelvin) == pytest.approx(reading, rel=1e-10)


def test_temperatures_of_the_whole_table(oracle):
    rows = oracle("h_thermometers.csv")
    names = {
        "methanol": "methanol",
        "ethylene_glycol": "ethylene_glycol",
        "KBr_79Br_T1": "KBr_T1",
        "KBr_79Br_shift": "KBr_shift",
        "Sm2Sn2O7": "Sm2Sn2O7_shift",
        "PbNO3": "PbNO3_shift",
        "MAPbCl3": "MAPbCl3_shift",
    }
    assert rows
    for row in rows:
        name = next(name for prefix, name in names.items() if row["thermometer"].startswith(prefix))
        inputs = {key: float(value) for key, value in (item.split("=") for item in row["inputs"].split(";"))}
        known = thermometer(name, reference_temperature=inputs.pop("T_ref_K", None))
        (reading,) = inputs.values()
        expected = float(row["T_K"])
        inside = known.range[0] <= expected <= known.range[1]
        assert known.temperature(reading, extrapolate=not inside)[0] == pytest.approx(expected, abs=1e-9), row
        if not inside:
            with pytest.raises(InputError, match="extrapolate"):
                known.temperature(reading)


def test_relaxation_of_potassium_bromide_at_room_temperature():
    # T1(79Br) = 0.0772 s at 296 K.
    assert get("KBr_T1").reading(296.0) == pytest.approx(0.0772, abs=5e-5)
    assert get("KBr_T1").temperature(0.0772)[0] == pytest.approx(296.0, abs=0.1)


def test_sensitivity_of_samarium_stannate():
    # 4.2 ppm/K at 150 K (Kemp et al. 2010, abstract): 1 ppm is 0.236 K.
    _, stderr = get("Sm2Sn2O7_shift").temperature(get("Sm2Sn2O7_shift").reading(150.0), 1.0)
    assert 1 / stderr == pytest.approx(4.2, abs=0.05)


def test_two_calibrations_of_lead_nitrate_are_within_its_error_twice():
    # 0.753 (Bielecki, Burum 1995) and 0.725 ppm/K (Kemp et al. 2010): over 50 K they differ by 2 K, and the error is
    # half of what they differ.
    reading = 0.753 * 50
    kelvin, stderr = get("PbNO3_shift").temperature(reading)
    assert kelvin == pytest.approx(REFERENCE + 50, abs=1e-9)
    assert stderr == pytest.approx(50 * 0.014 / 0.753, rel=1e-12)
    other = REFERENCE + reading / 0.725
    assert other - kelvin == pytest.approx(1.93, abs=0.005)
    assert 2.0 < (other - kelvin) / stderr < 2.1


@pytest.mark.parametrize("name", ALL)
@given(fraction=st.floats(0.0, 1.0))
def test_reading_and_temperature_are_each_others_inverse(name, fraction):
    known = get(name)
    low, high = known.range
    kelvin = low + fraction * (high - low)
    # The largest rounding is that of a cubic in T^-2 with terms of 40 s: a few 1e-14 relative.
    assert known.temperature(known.reading(kelvin))[0] == pytest.approx(kelvin, abs=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_readings_are_monotone_over_the_range(name):
    known = get(name)
    steps = np.diff(known.reading(np.linspace(*known.range, 200)))
    assert np.all(steps > 0) or np.all(steps < 0)


@pytest.mark.parametrize("kelvin", [1.0, 5.0, 19.0, 300.0, 700.0, 3000.0])
def test_root_is_found_far_outside_the_calibration(kelvin):
    known = get("KBr_T1")
    reading = known.reading(kelvin, extrapolate=True)
    # At 3000 K 96 % of T1 is its constant, which leaves 14 digits to the rest.
    assert known.temperature(reading, extrapolate=True)[0] == pytest.approx(kelvin, rel=1e-12)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
def test_standard_error_is_that_of_the_reading(name, part):
    known = get(name)
    kelvin = known.range[0] + part * (known.range[1] - known.range[0])
    reading = known.reading(kelvin)
    step = 1e-5 * max(abs(reading), 1e-2)
    low, high = known.temperature([reading - step, reading + step])[0]
    slope = abs(high - low) / (2 * step)
    wide = 1e6 * step  # so wide that the error of the slope of the calibration does not count
    stderr = known.temperature(reading, wide)[1]
    alone = known.temperature(reading, 0.0)[1]
    # Central difference: step^2 relative to the width of the curve, and 1e-12 K of the root over 1e-3 K.
    assert np.sqrt(stderr**2 - alone**2) == pytest.approx(slope * wide, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "slope", "slope_stderr"), [("PbNO3_shift", 0.753, 0.014), ("MAPbCl3_shift", 0.905, 0.01)]
)
def test_standard_error_of_relative_shifts_by_monte_carlo(name, slope, slope_stderr):
    # 400 000 draws of reading and slope; the spread of a standard deviation is 1/sqrt(2n) = 0.11 %, five of them, and
    # second order in the slope is (0.019)^2.
    rng = np.random.default_rng(2)
    reading = rng.normal(60.0, 0.5, 400_000)
    drawn = REFERENCE + reading / rng.normal(slope, slope_stderr, reading.size)
    kelvin, stderr = get(name).temperature(60.0, 0.5)
    assert stderr == pytest.approx(drawn.std(), rel=0.007)
    assert abs(drawn.mean() - kelvin) < 0.05


def test_standard_error_of_a_relaxation_time_by_monte_carlo():
    # 1 % of T1 at 200 K; 100 000 draws, five times 1/sqrt(2n), and some 1e-4 of second order.
    known = get("KBr_T1")
    middle = float(known.reading(200.0))
    drawn, _ = known.temperature(np.random.default_rng(3).normal(middle, 0.01 * middle, 100_000))
    assert known.temperature(middle, 0.01 * middle)[1] == pytest.approx(drawn.std(), rel=0.012)


def test_reference_has_no_error_of_its_own():
    for name in RELATIVE:
        kelvin, stderr = get(name).temperature(0.0)
        assert (kelvin, stderr) == (REFERENCE, 0.0)
        assert np.isscalar(kelvin)


@pytest.mark.parametrize("name", ALL)
def test_shapes_broadcast_and_nan_passes(name):
    known = get(name)
    middle = known.reading(np.mean(known.range))
    kelvin, stderr = known.temperature([[middle], [np.nan]], [0.01, 0.02, np.nan])
    assert kelvin.shape == stderr.shape == (2, 3)
    assert np.isnan(kelvin).tolist() == [[False] * 3, [True] * 3]
    assert np.isnan(stderr).tolist() == [[False, False, True], [True] * 3]
    assert np.isnan(known.reading([np.nan, np.mean(known.range)])).tolist() == [True, False]
    assert known.temperature([])[0].shape == (0,)


@pytest.mark.parametrize("name", ALL)
def test_ends_of_the_range_are_inside_and_a_tenth_of_a_kelvin_more_is_not(name):
    known = get(name)
    for end, outward in zip(known.range, (-0.1, 0.1), strict=True):
        assert known.temperature(known.reading(end))[0] == pytest.approx(end, abs=1e-9)
        beyond = known.reading(end + outward, extrapolate=True)
        span = f"{known.range[0]:g} to {known.range[1]:g} K"
        with pytest.raises(InputError, match=rf"^{name}: needed {span} .*extrapolate=True"):
            known.temperature(beyond)
        with pytest.raises(InputError, match=rf"^{name}: needed {span} .*extrapolate=True"):
            known.reading(end + outward)
        # One reading of many is enough, and the message names it.
        middle = known.reading(np.mean(known.range))
        with pytest.raises(InputError, match=f"{end + outward:.6g} K"):
            known.temperature([middle, np.nan, beyond])
        assert known.temperature(beyond, extrapolate=True)[0] == pytest.approx(end + outward, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("methanol", -2.95),  # the other side of the parabola: 326.6 K, were it not refused
        ("methanol", 4.0),  # below 0 K
        ("ethylene_glycol", 4.6),
        ("KBr_T1", 0.0145),  # what T1 becomes at infinite temperature
        ("KBr_T1", 0.0),
        ("KBr_T1", -1.0),
        ("Sm2Sn2O7_shift", 223.0),
        ("Sm2Sn2O7_shift", 300.0),
        ("KBr_shift", 8.0),
        ("methanol", np.inf),
        ("methanol", -np.inf),
        ("ethylene_glycol", -np.inf),
        ("KBr_T1", np.inf),
        ("Sm2Sn2O7_shift", -np.inf),
        ("PbNO3_shift", np.inf),
    ],
)
@pytest.mark.parametrize("extrapolate", [False, True])
def test_readings_that_no_temperature_gives_are_refused(name, reading, extrapolate):
    with pytest.raises(InputError, match=rf"^{name}: needed a reading that some temperature gives"):
        get(name).temperature(reading, extrapolate=extrapolate)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kelvin", [0.0, -10.0, np.inf])
def test_temperatures_that_are_none_are_refused(name, kelvin):
    with pytest.raises(InputError, match=rf"^{name}: needed"):
        get(name).reading(kelvin, extrapolate=True)


def test_methanol_is_not_read_above_its_turning_point():
    # 409 + 36.54^2 / (4 * 21.85) = 424.28 K is the top of the parabola.
    with pytest.raises(InputError, match="needed a reading"):
        get("methanol").reading(425.0, extrapolate=True)
    assert get("methanol").reading(424.0, extrapolate=True) == pytest.approx(-0.7237, abs=5e-5)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bad", [-0.1, np.inf, [0.1, -0.1]])
def test_impossible_errors_are_refused(name, bad):
    known = get(name)
    with pytest.raises(InputError, match=rf"^{name}: needed a standard error of 0 {known.unit} or more"):
        known.temperature(known.reading(280.0), bad)


def test_unknown_thermometer_is_refused_naming_the_known():
    with pytest.raises(InputError, match="found 'mercury'") as caught:
        thermometer("mercury")
    assert all(name in str(caught.value) for name in ALL)


@pytest.mark.parametrize("name", RELATIVE)
@pytest.mark.parametrize("reference", [None, 50.0, 500.0, np.nan])
def test_relative_shift_needs_a_reference_inside_its_range(name, reference):
    with pytest.raises(InputError, match=rf"^{name}: needed (reference_temperature=|a reference temperature from)"):
        thermometer(name, reference_temperature=reference)


@pytest.mark.parametrize("name", ABSOLUTE)
def test_absolute_thermometer_refuses_a_reference(name):
    with pytest.raises(InputError, match=rf"^{name}: needed no reference temperature, found 300"):
        thermometer(name, reference_temperature=300.0)


@pytest.mark.parametrize("name", ALL)
def test_thermometer_says_what_it_is_and_cannot_be_changed(name):
    known = get(name)
    assert known.name == name
    assert known.unit in ("ppm", "s")
    assert any(f"({year})" in known.source for year in (1982, 1995, 2009, 2010, 2017))
    assert get(name) == known
    with pytest.raises(FrozenInstanceError):
        known.range = (0.0, 1000.0)


@pytest.mark.parametrize("name", ALL)
def test_table_of_thermometers_gives_their_ranges(name):
    line = next(line for line in thermometer.__doc__.splitlines() if line.strip().startswith(f"``{name}``"))
    low, high = get(name).range
    assert line.endswith(f" {low:g}-{high:g} K")
