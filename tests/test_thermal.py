import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.recovery.stretched import StretchedExponential
from nmrdyn.schema import BOLTZMANN_EV, InputError
from nmrdyn.thermal import LinearCoupling, barrier_error, straight_line_barrier, two_point_barrier
from nmrdyn.transport import CORRELATION_FACTORS, nernst_einstein, residence_time
from nmrdyn.units import parse

ANY = st.floats


def exactly(value, rel=1e-10):
    # The tables have 18 digits; sums and exponents cost a float some of its sixteen.
    return pytest.approx(value, rel=rel, abs=0)


# An independent evaluation with 30 digits, k, e and h exact (SI 2019); kind, inputs, output, value.
ROWS = [
    ("two_point_Ea", "tau1_s=1e-3;T1_K=250;tau2_s=1e-8;T2_K=400", "Ea_eV", 0.661404770359241215),
    (
        "sigma_fit_of_sigmaT_law",
        "EaT_eV=0.552;A_S_K_per_cm=1e5;T_K=298.15 308.15 318.15 328.15 338.15",
        "Ea_from_ln_sigma_eV",
        0.52466437530954819,
    ),
    (
        "sigma_fit_of_sigmaT_law",
        "EaT_eV=0.552;A_S_K_per_cm=1e5;T_K=298.15 308.15 318.15 328.15 338.15",
        "sigma0_S_per_cm",
        115.856078425360275,
    ),
    (
        "sigmaT_fit_of_sigma_law",
        "Ea_eV=0.2;sigma0_S_per_cm=1e3;T_K=200 220 240 260",
        "Ea_from_ln_sigmaT_eV",
        0.219554497702584136,
    ),
    ("nernst_einstein", "sigma_S_per_m=1e-6;n_per_m3=1e27;T_K=300;z=1", "D_sigma_m2_per_s", 1.61355491259995072e-16),
    (
        "jump_rate_from_sigma",
        "sigma_S_per_m=1e-2;n_per_m3=1e28;T_K=600;z=2;a_m=3.2e-10;d=3;H_R=0.55;f=0.6531",
        "tau_res_s",
        2.51195552761648579e-7,
    ),
]


def convert(kind, inputs, output):
    """What nmrdyn makes of one row of the table."""
    given = {}
    for item in inputs.split(";"):
        name, text = item.split("=")
        numbers = [float(number) for number in text.split()]
        given[name] = numbers[0] if len(numbers) == 1 else np.array(numbers)
    kelvin = given.get("T_K")

    def diffusion():
        return nernst_einstein(
            given["sigma_S_per_m"], carrier_density=given["n_per_m3"], temperature=kelvin, charge=given["z"]
        )

    if kind == "two_point_Ea":
        return two_point_barrier([given["tau1_s"], given["tau2_s"]], [given["T1_K"], given["T2_K"]])
    if kind in ("sigma_fit_of_sigmaT_law", "sigmaT_fit_of_sigma_law"):
        falls = kind == "sigma_fit_of_sigmaT_law"
        energy, prefactor = ("EaT_eV", "A_S_K_per_cm") if falls else ("Ea_eV", "sigma0_S_per_cm")
        value = given[prefactor] * np.exp(-given[energy] / (BOLTZMANN_EV * kelvin)) * (1 / kelvin if falls else kelvin)
        slope, ln_prefactor = straight_line_barrier(kelvin, value)
        return slope if output.startswith("Ea") else np.exp(ln_prefactor)
    if kind == "nernst_einstein":
        return diffusion()
    assert kind == "jump_rate_from_sigma"
    return residence_time(
        diffusion(),
        jump_distance=given["a_m"],
        dimensions=int(given["d"]),
        correlation_factor=given["f"],
        haven_ratio=given["H_R"],
    )


@pytest.mark.parametrize(("kind", "inputs", "output", "value"), ROWS, ids=[f"{row[0]}-{row[2]}" for row in ROWS])
def test_conversions_agree_with_independent_numbers(kind, inputs, output, value):
    assert convert(kind, inputs, output) == exactly(value)


def test_conversions_agree_with_the_whole_table(oracle):
    kinds = {row[0] for row in ROWS}
    rows = [row for row in oracle("e_arrhenius.csv") if row["kind"] in kinds]
    assert {row["kind"] for row in rows} == kinds
    for row in rows:
        assert convert(row["kind"], row["inputs"], row["output_name"]) == exactly(float(row["value"])), row


# --- barriers


def test_barrier_of_two_published_correlation_times():
    # 11B in Na2(NH2)(BH4): 1 µs at 60 °C and 7 µs at 15 °C (Tsai et al. 2023). With the rounding of these digits,
    # 0.5 to 1.5 and 6.5 to 7.5 µs, 270 to 498 meV.
    kelvin = [parse("60 °C", "temperature", name="T").value, parse("15 °C", "temperature", name="T").value]
    assert two_point_barrier([1e-6, 7e-6], kelvin) == pytest.approx(0.358, abs=5e-4)
    rounded = two_point_barrier([[1.5e-6, 6.5e-6], [0.5e-6, 7.5e-6]], kelvin)
    np.testing.assert_allclose(rounded, [0.270, 0.498], atol=5e-4)


@given(energy=ANY(0.01, 2.0), tau0=ANY(-16.0, -8.0), first=ANY(150.0, 800.0), second=ANY(150.0, 800.0))
def test_two_points_of_an_arrhenius_law_give_its_barrier(energy, tau0, first, second):
    assume(abs(first - second) > 1.0)
    tau = Arrhenius().correlation_time([first, second], activation_energy=energy, log10_tau0=tau0)
    # Rounding of ln(tau), 4e-15, over a difference of 1/kT of at least 0.018 / eV.
    assert two_point_barrier(tau, [first, second]) == pytest.approx(energy, abs=5e-12)


def test_straight_line_equals_numpy_polyfit():
    # Scattered points: the scatter tells a least-squares line from one through some of the points.
    kelvin = np.array([298.15, 308.15, 318.15, 328.15, 338.15])
    value = np.array([1.1e-4, 2.3e-4, 4.2e-4, 9.9e-4, 1.6e-3])
    slope, intercept = np.polyfit(1 / kelvin, np.log(value), 1)
    energy, ln_prefactor = straight_line_barrier(kelvin, value)
    # polyfit does not centre 1/T, which costs it five digits.
    assert energy == exactly(-BOLTZMANN_EV * slope)
    assert ln_prefactor == exactly(intercept)


def test_barriers_of_sigma_and_sigma_t_differ_by_kt():
    # kT is 25.7 meV at 298 K, and 27 meV in the middle of 15 to 60 °C.
    kt = BOLTZMANN_EV * 298
    assert kt == pytest.approx(0.0257, abs=5e-5)
    kelvin = np.linspace(288.15, 333.15, 10)
    sigma = 1e5 / kelvin * np.exp(-0.552 / (BOLTZMANN_EV * kelvin))
    difference = straight_line_barrier(kelvin, sigma * kelvin)[0] - straight_line_barrier(kelvin, sigma)[0]
    assert difference == pytest.approx(0.027, abs=5e-4)
    # At one temperature it is kT: here over 0.2 K, where the line does not see the change of kT.
    kelvin = np.array([299.9, 300.0, 300.1])
    difference = straight_line_barrier(kelvin, 5.0 * kelvin)[0] - straight_line_barrier(kelvin, np.full(3, 5.0))[0]
    assert difference == exactly(BOLTZMANN_EV * 300, rel=1e-6)


def test_barrier_of_a_correlation_time_has_the_other_sign():
    kelvin = np.array([280.0, 300.0, 330.0])
    tau = Arrhenius().correlation_time(kelvin, activation_energy=0.45, log10_tau0=-12.5)
    energy, ln_prefactor = straight_line_barrier(kelvin, tau)
    assert energy == exactly(-0.45)
    assert ln_prefactor == exactly(-12.5 * np.log(10))


@pytest.mark.parametrize(
    ("tau", "kelvin"),
    [
        ([1e-6], [300.0, 310.0]),
        ([1e-6, 2e-6], 300.0),
        ([1e-6, 2e-6, 3e-6], [300.0, 310.0, 320.0]),
        ([1e-6, 2e-6], [300.0, 300.0]),
        ([1e-6, 0.0], [300.0, 310.0]),
        ([1e-6, 2e-6], [-300.0, 310.0]),
    ],
)
def test_two_points_that_give_no_barrier_are_refused(tau, kelvin):
    with pytest.raises(InputError, match=r"^two_point_barrier: needed"):
        two_point_barrier(tau, kelvin)


@pytest.mark.parametrize(
    ("kelvin", "value", "told"),
    [
        ([300.0], [1.0, 2.0], "one length"),
        ([[300.0, 310.0]], [[1.0, 2.0]], "one length"),
        ([300.0, 310.0], [1.0, 0.0], "positive"),
        ([300.0, -310.0], [1.0, 2.0], "positive"),
        ([300.0, 310.0], [1.0, np.nan], "positive"),
        ([300.0, np.inf], [1.0, 2.0], "positive"),
        ([300.0, 300.0], [1.0, 2.0], "two different temperatures"),
        ([300.0], [1.0], "two different temperatures"),
        ([], [], "two different temperatures"),
    ],
)
def test_points_without_a_line_are_refused(kelvin, value, told):
    with pytest.raises(InputError, match=told):
        straight_line_barrier(kelvin, value)


def test_barrier_error_is_what_a_wrong_thermometer_does_to_a_line():
    # Around 300 K, read 2 K and 0.02 K too high. The next order is (offset / T)^2.
    energy, kelvin = 0.45, np.linspace(299.0, 301.0, 21)
    value = np.exp(-energy / (BOLTZMANN_EV * kelvin))
    for offset in (2.0, 0.02, -2.0):
        seen = straight_line_barrier(kelvin + offset, value)[0] - energy
        # The spread of temperatures adds (1/300)^2 or so.
        assert barrier_error(energy, temperature=300.0, offset=offset) == exactly(
            seen, rel=0.6 * abs(offset) / 300 + 1e-4
        )
    # A scale error of 1 %, as the docstring says: e Ea, half of what an offset of 3 K does.
    assert straight_line_barrier(kelvin * 1.01, value)[0] == exactly(1.01 * energy)
    assert barrier_error(energy, temperature=300.0, offset=3.0) == exactly(2 * 0.01 * energy)


def test_barrier_error_broadcasts():
    assert barrier_error([[0.3], [0.6]], temperature=[200.0, 300.0, 400.0], offset=1.0).shape == (2, 3)


# --- a coupling that changes


@pytest.mark.parametrize("slope", [-1.2e3, 0.0, 4e2])
def test_coupling_is_a_line_through_its_reference(slope):
    coupling = LinearCoupling(value=1.5e6, slope=slope, reference=300.0)
    # One multiplication and one sum of floats of 1e6.
    np.testing.assert_allclose(coupling.at([300.0, 310.0]), [1.5e6, 1.5e6 + 10 * slope], rtol=1e-15)


@pytest.mark.parametrize("slope", [-1.2e3, 4e2])
@pytest.mark.parametrize("kelvin", [200.0, 300.0, 400.0])
def test_barrier_shift_is_the_slope_of_the_coupling_squared(slope, kelvin):
    coupling = LinearCoupling(value=1.5e6, slope=slope, reference=300.0)
    beta = 1 / (BOLTZMANN_EV * kelvin)
    step = 1e-5 * beta
    low, high = np.log(coupling.at(1 / (BOLTZMANN_EV * np.array([beta - step, beta + step]))) ** 2)
    # Central difference: step^2 and 1e-16 / step.
    assert coupling.barrier_shift(kelvin) == pytest.approx((high - low) / (2 * step), rel=1e-7)


@pytest.mark.parametrize(("flank", "sign"), [("fast", 1), ("slow", -1)])
def test_barrier_shift_is_what_the_flanks_of_t1_show(flank, sign):
    # T1 of spin 3/2 from 2 pi^2/25 C_Q^2 [J(w) + 4 J(2w)], J = tau / (1 + (w tau)^2), far on either flank.
    coupling = LinearCoupling(value=1.5e6, slope=-1.2e3, reference=300.0)
    values = {"activation_energy": 0.4, "log10_tau0": -21.0 if flank == "fast" else -10.0}
    omega = 2 * np.pi * 132.32e6
    beta = 1 / (BOLTZMANN_EV * 300.0)
    step = 1e-5 * beta
    ends = 1 / (BOLTZMANN_EV * np.array([beta - step, beta + step]))
    tau = Arrhenius().correlation_time(ends, **values)
    density = tau / (1 + (omega * tau) ** 2) + 4 * tau / (1 + 4 * (omega * tau) ** 2)
    low, high = np.log(1 / (2 * np.pi**2 / 25 * coupling.at(ends) ** 2 * density))
    apparent = -sign * (high - low) / (2 * step)  # the barrier that a constant C_Q would suggest
    # omega tau is 4e-6 and 4e5, whose squares say how far away the other flank is; the central difference adds 1e-10.
    assert apparent == pytest.approx(0.4 + sign * coupling.barrier_shift(300.0), abs=1e-9)


def test_coupling_that_vanishes_has_no_barrier_shift():
    coupling = LinearCoupling(value=1e5, slope=-1e3, reference=300.0)
    assert np.isnan(coupling.barrier_shift([400.0, 350.0])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("value", "slope", "reference"), [(np.nan, 0.0, 300.0), (1e6, np.inf, 300.0), (1e6, 0.0, 0.0), (1e6, 0.0, np.nan)]
)
def test_impossible_coupling_is_refused(value, slope, reference):
    with pytest.raises(InputError, match=r"^LinearCoupling: needed"):
        LinearCoupling(value=value, slope=slope, reference=reference)


# --- conductivity to jumps


def test_nernst_einstein_in_si():
    # sigma k T / (n (z e)^2) with k in J/K, written out.
    expected = 1e-2 * 1.380649e-23 * 600 / (1e28 * (2 * 1.602176634e-19) ** 2)
    assert nernst_einstein(1e-2, carrier_density=1e28, temperature=600, charge=2) == exactly(expected, rel=1e-14)
    assert nernst_einstein(1e-2, carrier_density=1e28, temperature=600, charge=-2) == exactly(expected, rel=1e-14)


def test_jump_rate_behind_a_published_conductivity():
    # Na2(BH4)(NH2), 7.56e-4 S/cm at 90 °C (Jiang et al., Adv. Funct. Mater. 2023); cubic cell of 4.70 Å with 2 Na that
    # jump a / sqrt(2). D_sigma = 7.7e-13 m^2/s and tau = 2.4e-8 s, where omega_0 tau_c of 23Na at 132.32 MHz is 20.
    sigma = parse("7.56e-4 S/cm", "conductivity", name="sigma").value
    kelvin = parse("90 °C", "temperature", name="T").value
    cell = parse("4.70 Å", "length", name="a").value
    diffusion = nernst_einstein(sigma, carrier_density=2 / cell**3, temperature=kelvin, charge=1)
    assert diffusion == pytest.approx(7.7e-13, rel=0.01)  # two digits were published
    random = {"dimensions": 3, "correlation_factor": 1, "haven_ratio": 1}
    tau = residence_time(diffusion, jump_distance=cell / np.sqrt(2), **random)
    assert tau == pytest.approx(2.4e-8, rel=0.02)
    assert 2 * np.pi * 132.32e6 * tau == pytest.approx(20, rel=0.03)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_random_walk_has_the_diffusion_coefficient_it_was_made_from(dimensions):
    # 4000 walkers, 400 jumps to either side of a random axis: <r^2> = 2 d D t. The standard error of the mean square is
    # sqrt(2/d) of it over sqrt(4000), at most 2.2 %; five of them.
    rng = np.random.default_rng(1)
    jumps = np.zeros((4000, 400, dimensions))
    axis = rng.integers(dimensions, size=(4000, 400, 1))
    np.put_along_axis(jumps, axis, rng.choice([-1.0, 1.0], size=(4000, 400, 1)), axis=2)
    distance, tau = 3e-10, 2e-9
    square = np.mean(np.sum(jumps.sum(axis=1) ** 2, axis=1)) * distance**2
    diffusion = square / (2 * dimensions * 400 * tau)
    found = residence_time(
        diffusion, jump_distance=distance, dimensions=dimensions, correlation_factor=1, haven_ratio=1
    )
    assert found == pytest.approx(tau, rel=0.11)


@pytest.mark.parametrize(("lattice", "factor"), CORRELATION_FACTORS.items())
def test_correlation_factors_follow_from_the_lattice_green_function(lattice, factor):
    # After a jump of the tracer the vacancy sits behind it. How much more often it takes the tracer back than onwards
    # is the odd part of its Green function, <|sum_e e_x exp(ik.e)|^2 / (1 - lambda(k))> over the zone, with
    # lambda the mean of exp(ik.e) over the z jumps e; then f = (1 + t) / (1 - t) (Bardeen, Herring 1952).
    jumps = {
        "sc": [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
        "bcc": [(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)],
        "fcc": [(1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1)],
    }[lattice]
    # A midpoint grid in one octant of k; the point at 0, where the integrand has a direction, costs 1 / points^3.
    points = 48
    half = (np.arange(points) + 0.5) * np.pi / points
    kx, ky, kz = np.meshgrid(half, np.concatenate([-half, half]), np.concatenate([-half, half]), indexing="ij")
    phase = [kx * x + ky * y + kz * z for x, y, z in jumps]
    z = 2 * len(jumps)
    even = sum(2 * np.cos(angle) for angle in phase) / z
    odd = sum(2 * x * np.sin(angle) for (x, _, _), angle in zip(jumps, phase, strict=True))
    if lattice == "bcc":  # lambda is 1 at (pi, pi, 0) and the like too: no grid point, same kind of point
        assert np.all(even < 1)
    length = 2 * sum(x * x for x, _, _ in jumps)
    cosine = -np.mean(odd**2 / (1 - even)) / (z * length)
    # Half a unit of the fourth digit; the grid is good to 1e-6.
    assert (1 + cosine) / (1 - cosine) == pytest.approx(factor, abs=5.1e-5)


def test_correlation_factors_cannot_be_changed():
    with pytest.raises(TypeError):
        CORRELATION_FACTORS["sc"] = 1.0


GOOD_CHARGE = {"carrier_density": 2.5e28, "temperature": 298.15, "charge": 1}
GOOD_JUMP = {"jump_distance": 3.2e-10, "dimensions": 3, "correlation_factor": 1, "haven_ratio": 1}


@pytest.mark.parametrize("name", GOOD_CHARGE)
@pytest.mark.parametrize("bad", [0, np.inf, [1.0, 0.0]])
def test_impossible_carriers_are_refused(name, bad):
    with pytest.raises(InputError, match=rf"^nernst_einstein: .*{name}: needed a positive, finite number"):
        nernst_einstein(1e-3, **GOOD_CHARGE | {name: bad})


@pytest.mark.parametrize("name", ["jump_distance", "correlation_factor", "haven_ratio"])
@pytest.mark.parametrize("bad", [0, -1, np.inf])
def test_impossible_jumps_are_refused(name, bad):
    with pytest.raises(InputError, match=rf"^residence_time: {name}: needed a positive, finite number"):
        residence_time(1e-14, **GOOD_JUMP | {name: bad})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dimensions": 4}, "1, 2 or 3 dimensions"),
        ({"dimensions": 2.5}, "dimensions"),
        ({"correlation_factor": 1.5}, "1 or less"),
    ],
)
def test_jumps_against_geometry_are_refused(change, told):
    with pytest.raises(InputError, match=told):
        residence_time(1e-14, **GOOD_JUMP | change)


@pytest.mark.parametrize("missing", GOOD_JUMP)
def test_no_property_of_a_jump_is_assumed(missing):
    with pytest.raises(TypeError):
        residence_time(1e-14, **{name: value for name, value in GOOD_JUMP.items() if name != missing})


def test_negative_and_zero_conductivity_and_diffusion_are_refused_and_nan_passes():
    for bad in (0.0, -1e-3):
        with pytest.raises(InputError, match=r"conductivity: .*found"):
            nernst_einstein([1e-3, bad], **GOOD_CHARGE)
        with pytest.raises(InputError, match=r"diffusion: .*found"):
            residence_time([1e-14, bad], **GOOD_JUMP)
    assert np.isnan(nernst_einstein([np.nan, 1e-3], **GOOD_CHARGE)).tolist() == [True, False]
    assert np.isnan(residence_time([np.nan, 1e-14], **GOOD_JUMP)).tolist() == [True, False]


def test_mean_times_of_stretched_exponentials_are_those_of_the_table(oracle):
    rows = [row for row in oracle("e_arrhenius.csv") if row["kind"] == "stretched_mean_T1"]
    assert rows
    for row in rows:
        given = dict(part.split("=") for part in row["inputs"].split(";"))
        found = StretchedExponential().mean_time(float(given["T1star_s"]), float(given["beta"]))
        assert found == exactly(float(row["value"])), row
