"""Laws of temperature: what each says of tau_c, of its barriers, and of what is believed beforehand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

import nmrdyn as nd
from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.laws.eyring import Eyring
from nmrdyn.laws.law import Law
from nmrdyn.laws.phase_transition import PhaseTransition
from nmrdyn.laws.two_arrhenius import TwoArrhenius
from nmrdyn.laws.vtf import VTF
from nmrdyn.priors import LogUniform
from nmrdyn.schema import BOLTZMANN_EV, InputError

ANY = st.floats
KELVIN = ANY(20.0, 1500.0)
ENERGY, LOG10_TAU0 = ANY(0.01, 2.0), ANY(-18.0, -8.0)
SIDES = {
    "activation_energy_below": 0.6,
    "log10_tau0_below": -13.0,
    "activation_energy_above": 0.35,
    "log10_tau0_above": -12.0,
}
# Their rates are equal at 300 K.
TWO = {
    "activation_energy": 0.3,
    "log10_tau0": -10.0,
    "activation_energy_step": 6 * np.log(10) * BOLTZMANN_EV * 300.0,
    "log10_tau0_upper": -16.0,
}
# Each law with parameters of a plausible motion at 300 K.
LAWS = [
    (Arrhenius(), {"activation_energy": 0.4, "log10_tau0": -13.0}),
    (VTF(), {"temperature_scale": 1200.0, "vogel_temperature": 180.0, "log10_tau0": -13.0}),
    (VTF(), {"temperature_scale": 2500.0, "vogel_temperature": 100.0, "log10_tau0": -12.0}),
    (Eyring(), {"activation_enthalpy": 0.374, "activation_entropy": -4.4}),
    (Eyring(), {"activation_enthalpy": 0.6, "activation_entropy": 80.0}),
    (TwoArrhenius(), TWO),
    (PhaseTransition(temperature=310.0), SIDES),
    (PhaseTransition(), SIDES | {"transition_temperature": 290.0}),
]


def exactly(value, rel=1e-10):
    # The tables have 18 digits; exponents of up to 60 cost a float two of its sixteen.
    return pytest.approx(value, rel=rel, abs=0)


# An independent evaluation with 30 digits, k, e and h exact (SI 2019); kind, inputs, output, value.
ROWS = [
    ("arrhenius_tau", "tau0_s=8.9e-13;Ea_eV=0.400;T_K=200", "tau_s", 0.010689228903174395),
    ("arrhenius_tau", "tau0_s=1e-12;Ea_eV=0.552;T_K=288.15", "tau_s", 0.00451384296049029755),
    ("vtf_tau", "tau0_s=1e-13;B_K=1200;T0_K=180;T_K=220", "tau_s", 1.06864745815244621),
    ("vtf_tau", "tau0_s=1e-13;B_K=800;T0_K=0;T_K=220", "tau_s", 3.79535724973512573e-12),
    ("vtf_apparent_Ea", "B_K=1200;T0_K=180;T_K=220", "Ea_apparent_eV", 3.12809197415869941),
    ("eyring_from_arrhenius", "tau0_s=1e-13;Ea_eV=0.4;T_K=300", "dH_eV", 0.374148000213564468),
    ("eyring_from_arrhenius", "tau0_s=1e-13;Ea_eV=0.4;T_K=300", "dS_J_per_mol_K", -4.40794624874095415),
]


def convert(kind, inputs, output):
    """What a law makes of one row of the table."""
    known = {name: float(number) for name, number in (item.split("=") for item in inputs.split(";"))}
    kelvin, log10_tau0 = known["T_K"], np.log10(known.get("tau0_s", 1e-13))
    if kind.startswith("vtf"):
        values = {"temperature_scale": known["B_K"], "vogel_temperature": known["T0_K"], "log10_tau0": log10_tau0}
        method = VTF().correlation_time if kind == "vtf_tau" else VTF().apparent_barrier
        return method(kelvin, **values)
    values = {"activation_energy": known["Ea_eV"], "log10_tau0": log10_tau0}
    if kind == "arrhenius_tau":
        return Arrhenius().correlation_time(kelvin, **values)
    enthalpy, entropy = Eyring.from_arrhenius(**values, temperature=kelvin)
    return enthalpy if output == "dH_eV" else entropy


@pytest.mark.parametrize(("kind", "inputs", "output", "value"), ROWS, ids=[f"{row[0]}-{row[2]}" for row in ROWS])
def test_laws_agree_with_independent_numbers(kind, inputs, output, value):
    assert convert(kind, inputs, output) == exactly(value)


def test_laws_agree_with_the_whole_table(oracle):
    kinds = {row[0] for row in ROWS}
    rows = [row for row in oracle("e_arrhenius.csv") if row["kind"] in kinds]
    assert {row["kind"] for row in rows} == kinds
    for row in rows:
        assert convert(row["kind"], row["inputs"], row["output_name"]) == exactly(float(row["value"])), row


# --- what every law promises


@pytest.mark.parametrize(("law", "values"), LAWS)
def test_law_takes_the_parameters_it_names(law, values):
    assert isinstance(law, Law)
    assert list(law.parameters) == list(values)
    law.correlation_time(300.0, **values)
    with pytest.raises(TypeError):
        law.correlation_time(300.0, **dict(list(values.items())[1:]))
    with pytest.raises(TypeError):
        law.correlation_time(300.0, *values.values())


@pytest.mark.parametrize(("law", "values"), LAWS)
def test_correlation_time_is_the_exponential_of_its_logarithm(law, values):
    kelvin = np.array([230.0, 300.0, 600.0])
    # exp magnifies the rounding of logarithms of up to 30.
    np.testing.assert_allclose(
        np.log(law.correlation_time(kelvin, **values)), law.log_correlation_time(kelvin, **values), rtol=1e-14
    )


@pytest.mark.parametrize(("law", "values"), LAWS)
def test_results_broadcast_over_draws_and_temperatures(law, values):
    kelvin = np.array([280.0, 300.0, 320.0])
    assert np.isscalar(law.apparent_barrier(300.0, **values))
    assert all(np.isscalar(barrier) for barrier in law.barriers(300.0, **values).values())
    methods = [law.log_correlation_time, law.correlation_time, law.apparent_barrier]
    for suffix in law.barriers(300.0, **values):
        methods.append(lambda at, suffix=suffix, **given: law.barriers(at, **given)[suffix])
    for name in law.parameters:
        draws = values[name] * np.array([1.0, 1.01])
        for method in methods:
            together = method(kelvin, **values | {name: draws[:, None]})
            alone = [[method(one, **values | {name: draw}) for one in kelvin] for draw in draws]
            # A float and a vector of them may round differently.
            np.testing.assert_allclose(together, alone, rtol=1e-13)
            assert together.shape == (2, 3)


@pytest.mark.parametrize(("law", "values"), LAWS)
def test_walkers_rows_and_nodes_are_evaluated_at_once(law, values):
    # Every parameter has a value a walker, and every walker temperatures of its own.
    rng = np.random.default_rng(1)
    kelvin = 300.0 + 20 * rng.standard_normal((7, 4, 3))
    draws = {name: value * (1 + 0.01 * rng.standard_normal((7, 1, 1))) for name, value in values.items()}
    together = law.log_correlation_time(kelvin, **draws)
    for walker in range(7):
        mine = {name: float(draw[walker, 0, 0]) for name, draw in draws.items()}
        np.testing.assert_allclose(together[walker], law.log_correlation_time(kelvin[walker], **mine), rtol=1e-13)


@pytest.mark.parametrize(("law", "values"), LAWS)
@pytest.mark.parametrize("kelvin", [230.0, 300.0, 600.0])
def test_apparent_barrier_is_the_slope_of_the_arrhenius_plot(law, values, kelvin):
    # Central difference in 1/kT: error of the difference (step^2), of rounding (1e-16 / step); both below 1e-8.
    beta = 1 / (BOLTZMANN_EV * kelvin)
    step = 1e-5 * beta
    ends = 1 / (BOLTZMANN_EV * np.array([beta - step, beta + step]))
    low, high = law.log_correlation_time(ends, **values)
    assert law.apparent_barrier(kelvin, **values) == exactly((high - low) / (2 * step), rel=1e-7)


@pytest.mark.parametrize(
    ("law", "values"),
    [
        (Arrhenius(), {"activation_energy": 2.0, "log10_tau0": -8.0}),
        (VTF(), {"temperature_scale": 30000.0, "vogel_temperature": 1.0, "log10_tau0": -8.0}),
        (Eyring(), {"activation_enthalpy": 2.0, "activation_entropy": 0.0}),
        (TwoArrhenius(), TWO | {"activation_energy": 2.0}),
        (PhaseTransition(temperature=10.0), SIDES | {"activation_energy_above": 2.0}),
    ],
)
def test_motion_too_slow_for_a_float_is_infinitely_slow_without_a_warning(law, values):
    assert law.correlation_time(20.0, **values) == np.inf
    assert np.isfinite(law.log_correlation_time(20.0, **values))


@pytest.mark.parametrize("law", [Arrhenius(), VTF(), Eyring(), TwoArrhenius(), PhaseTransition()])
def test_what_is_believed_beforehand_says_something_everywhere(law):
    # Draws of the class priors need no care of the sampler: finite unless VTF has frozen, and no warning.
    rng = np.random.default_rng(2)
    draws = {name: parameter.prior.draw(4000, rng)[:, None] for name, parameter in law.parameters.items()}
    kelvin = np.array([30.0, 300.0, 1500.0])
    finite = np.isfinite(law.log_correlation_time(kelvin, **draws))
    frozen = kelvin <= draws["vogel_temperature"] if isinstance(law, VTF) else np.zeros((4000, 3), dtype=bool)
    np.testing.assert_array_equal(finite, ~frozen)


@pytest.mark.parametrize("law", [Arrhenius(), VTF(), Eyring(), TwoArrhenius(), PhaseTransition()])
def test_parameters_have_units_and_tau0_is_known_by_its_name(law):
    # A conductivity replaces all that multiplies tau_c: a decade of each together is a decade of tau_c.
    middle = {name: parameter.prior.centre for name, parameter in law.parameters.items()}
    scales = [name for name in law.parameters if name.startswith("log10_tau0")]
    moved = middle | {name: middle[name] + 1 for name in scales}
    change = law.log_correlation_time(450.0, **moved) - law.log_correlation_time(450.0, **middle)
    assert change == pytest.approx(0.0 if isinstance(law, Eyring) else np.log(10), rel=1e-13)
    assert {parameter.unit for parameter in law.parameters.values()} <= {"eV", "log10(s)", "K", "J/(mol K)"}
    assert all(law.parameters[name].unit == "log10(s)" for name in scales)


def test_priors_of_arrhenius_are_those_of_its_sides_and_of_two_processes():
    believed = {name: parameter.prior for name, parameter in Arrhenius().parameters.items()}
    assert believed == {"activation_energy": nd.Uniform(0.0, 2.0), "log10_tau0": nd.Uniform(-18.0, -8.0)}
    for law in (TwoArrhenius(), PhaseTransition(temperature=285.0)):
        assert [parameter.prior for parameter in law.parameters.values()] == 2 * list(believed.values())


def test_laws_are_public_and_cannot_be_changed():
    assert (nd.Arrhenius, nd.VTF, nd.Eyring) == (Arrhenius, VTF, Eyring)
    assert (nd.TwoArrhenius, nd.PhaseTransition) == (TwoArrhenius, PhaseTransition)
    with pytest.raises(TypeError):
        Arrhenius().parameters["activation_energy"] = VTF().parameters["temperature_scale"]


# --- VTF


@given(energy=ENERGY, tau0=LOG10_TAU0, kelvin=KELVIN)
def test_vtf_without_a_vogel_temperature_is_arrhenius(energy, tau0, kelvin):
    # With T0 = 0, Ea = k B.
    arrhenius = {"activation_energy": energy, "log10_tau0": tau0}
    vtf = {"temperature_scale": energy / BOLTZMANN_EV, "vogel_temperature": 0.0, "log10_tau0": tau0}
    # An exponent of 1160 at 20 K magnifies its rounding as much.
    same = exactly(Arrhenius().correlation_time(kelvin, **arrhenius), rel=1e-12)
    assert VTF().correlation_time(kelvin, **vtf) == same
    assert VTF().apparent_barrier(kelvin, **vtf) == exactly(energy, rel=1e-14)


def test_vtf_has_no_motion_at_the_vogel_temperature_and_below():
    values = {"temperature_scale": 1200.0, "vogel_temperature": 180.0, "log10_tau0": -13.0}
    kelvin = np.array([100.0, 180.0, 180.1, 300.0])
    for method in (VTF().log_correlation_time, VTF().correlation_time, VTF().apparent_barrier):
        assert np.isnan(method(kelvin, **values)).tolist() == [True, True, False, False]


# Conductivity relaxation of a Ca/Rb nitrate melt: tau0 = 5.1e-14 s, D = 3.5, T0 = 294 K with B = D T0 (Pimenov et al.,
# J. Non-Cryst. Solids 220 (1997) 93).
NITRATE = {"temperature_scale": 3.5 * 294.0, "vogel_temperature": 294.0, "log10_tau0": np.log10(5.1e-14)}


def test_molten_nitrate_is_nanoseconds_slow_at_the_published_temperature():
    # 5.1e-14 exp(1029 / 106) = 8.4e-10 s at 400 K, where omega tau_c of 87Rb at 97 MHz is about 0.5: its T1 minimum is
    # seen there.
    assert VTF().correlation_time(400.0, **NITRATE) == pytest.approx(8.37e-10, rel=2e-3)


@pytest.mark.parametrize("strength", [3.5, 10.0, 60.0])
def test_fragility_follows_from_the_strength_parameter(strength):
    # m = d log10(tau) / d(Tg/T) at Tg, where tau is 100 s, is 16 + 590 / D for tau0 = 1e-14 s (Böhmer, Ngai, Angell,
    # Plazek, J. Chem. Phys. 99 (1993) 4201). 590 has three digits.
    values = {"temperature_scale": strength * 250.0, "vogel_temperature": 250.0, "log10_tau0": -14.0}
    glass = brentq(lambda kelvin: VTF().log_correlation_time(kelvin, **values) - np.log(100.0), 251.0, 5000.0)
    fragility = VTF().apparent_barrier(glass, **values) / (BOLTZMANN_EV * glass * np.log(10))
    assert fragility == pytest.approx(16 + 590 / strength, rel=1e-3)


def test_vtf_may_be_any_known_glass_and_any_arrhenius_barrier_up_to_its_end():
    scale, vogel = (VTF().parameters[name].prior for name in ("temperature_scale", "vogel_temperature"))
    # The nitrate above, and a float glass: B = 4330.9 ln 10 K (the certified standard DGG-1).
    assert all(np.isfinite(scale.log_density(np.array([3.5 * 294.0, 4330.9 * np.log(10)]))))
    assert np.isfinite(vogel.log_density(np.array(294.0)))
    assert vogel.support[0] == 0.0
    assert (BOLTZMANN_EV * np.array(scale.support)).round(3).tolist() == [0.009, 1.723]


# --- Eyring


@given(energy=ANY(0.05, 2.0), tau0=LOG10_TAU0, kelvin=ANY(100.0, 1500.0))
def test_eyring_touches_arrhenius_at_its_temperature(energy, tau0, kelvin):
    enthalpy, entropy = Eyring.from_arrhenius(activation_energy=energy, log10_tau0=tau0, temperature=kelvin)
    values = {"activation_enthalpy": enthalpy, "activation_entropy": entropy}
    arrhenius = Arrhenius().correlation_time(kelvin, activation_energy=energy, log10_tau0=tau0)
    # Exponents of up to 230, added up in another order.
    assert Eyring().correlation_time(kelvin, **values) == exactly(arrhenius, rel=1e-12)
    assert Eyring().apparent_barrier(kelvin, **values) == exactly(energy, rel=1e-13)


def test_eyring_without_a_barrier_jumps_at_kt_over_h():
    # kT/h at 298.15 K is 6.2124e12 s^-1 (1.380649e-23 * 298.15 / 6.62607015e-34).
    tau = Eyring().correlation_time(298.15, activation_enthalpy=0.0, activation_entropy=0.0)
    # The logarithm, -29.5, has 15 digits behind its point.
    assert 1 / tau == exactly(1.380649e-23 * 298.15 / 6.62607015e-34, rel=1e-13)
    # One bit of entropy, R ln 2 = 5.7631 J/(mol K), doubles the rate.
    doubled = Eyring().correlation_time(
        298.15, activation_enthalpy=0.0, activation_entropy=8.31446261815324 * np.log(2)
    )
    assert tau / doubled == exactly(2.0, rel=1e-13)


def test_entropies_of_every_attempt_time_are_allowed():
    low, high = Eyring().parameters["activation_entropy"].prior.support
    kelvin = np.array([20.0, 100.0, 300.0, 1500.0])
    _, entropy = Eyring.from_arrhenius(activation_energy=0.4, log10_tau0=[[-18.0], [-8.0]], temperature=kelvin)
    # k ln(h / (kT tau0)) - k: 114 J/(mol K) at 20 K with 1e-18 s, -114 at 1500 K with 1e-8 s.
    assert (entropy.max(), entropy.min()) == (pytest.approx(114, abs=0.5), pytest.approx(-114, abs=0.5))
    assert low < entropy.min() < entropy.max() < high


# --- two processes


@given(energy=ENERGY, step=ANY(0.0, 2.0), tau0=LOG10_TAU0, upper=LOG10_TAU0, kelvin=ANY(50.0, 1500.0))
def test_rates_of_two_processes_add(energy, step, tau0, upper, kelvin):
    beta = 1 / (BOLTZMANN_EV * kelvin)
    first = -energy * beta - np.log(10) * tau0
    second = -(energy + step) * beta - np.log(10) * upper
    values = {
        "activation_energy": energy,
        "log10_tau0": tau0,
        "activation_energy_step": step,
        "log10_tau0_upper": upper,
    }
    # Logarithms of up to 500.
    assert -TwoArrhenius().log_correlation_time(kelvin, **values) == pytest.approx(
        np.logaddexp(first, second), rel=1e-13, abs=1e-12
    )
    barrier = TwoArrhenius().apparent_barrier(kelvin, **values)
    assert energy * (1 - 1e-15) <= barrier <= (energy + step) * (1 + 1e-15)


def test_two_processes_at_their_crossover_share_the_motion():
    # Equal rates: twice as fast as either, and the mean of the barriers.
    one = Arrhenius().correlation_time(300.0, activation_energy=TWO["activation_energy"], log10_tau0=-10.0)
    assert one / TwoArrhenius().correlation_time(300.0, **TWO) == exactly(2.0, rel=1e-12)
    mean = TWO["activation_energy"] + TWO["activation_energy_step"] / 2
    assert TwoArrhenius().apparent_barrier(300.0, **TWO) == exactly(mean, rel=1e-12)


@pytest.mark.parametrize(
    ("kelvin", "energy", "log10_tau0"),
    [
        (100.0, TWO["activation_energy"], TWO["log10_tau0"]),
        (1500.0, TWO["activation_energy"] + TWO["activation_energy_step"], TWO["log10_tau0_upper"]),
    ],
)
def test_lower_barrier_rules_in_the_cold_and_the_upper_one_in_the_heat(kelvin, energy, log10_tau0):
    # The other process has 10^(6 (300/T - 1)) of the rate: 1e12 times less at 100 K, 6e4 times at 1500 K.
    alone = Arrhenius().log_correlation_time(kelvin, activation_energy=energy, log10_tau0=log10_tau0)
    assert TwoArrhenius().log_correlation_time(kelvin, **TWO) == pytest.approx(alone, abs=2e-5)
    assert TwoArrhenius().apparent_barrier(kelvin, **TWO) == pytest.approx(energy, abs=1e-4)
    # Two ways are never slower than one of them.
    assert TwoArrhenius().log_correlation_time(kelvin, **TWO) <= alone


def test_both_barriers_of_two_processes_are_told_at_any_temperature():
    kelvin = np.array([100.0, 300.0, 1500.0])
    found = TwoArrhenius().barriers(kelvin, **TWO)
    assert list(found) == ["lower", "upper"]
    np.testing.assert_array_equal(found["lower"], [0.3] * 3)
    np.testing.assert_array_equal(found["upper"], [0.3 + TWO["activation_energy_step"]] * 3)


def test_labels_of_two_processes_cannot_swap():
    swapped = TWO | {"activation_energy_step": np.array([-0.1, 0.0])}
    for found in (
        TwoArrhenius().log_correlation_time(300.0, **swapped),
        TwoArrhenius().apparent_barrier(300.0, **swapped),
        TwoArrhenius().barriers(300.0, **swapped)["upper"],
    ):
        assert np.isnan(found).tolist() == [True, False]


# --- a phase transition


@given(kelvin=KELVIN, transition=ANY(50.0, 1500.0), below=ENERGY, above=ENERGY, first=LOG10_TAU0, second=LOG10_TAU0)
def test_each_side_of_a_transition_has_an_arrhenius_law_of_its_own(kelvin, transition, below, above, first, second):
    sides = dict(zip(SIDES, (below, first, above, second), strict=True))
    energy, log10_tau0 = (above, second) if kelvin >= transition else (below, first)
    alone = Arrhenius().log_correlation_time(kelvin, activation_energy=energy, log10_tau0=log10_tau0)
    assert PhaseTransition(temperature=transition).log_correlation_time(kelvin, **sides) == alone
    inferred = sides | {"transition_temperature": transition}
    assert PhaseTransition().log_correlation_time(kelvin, **inferred) == alone
    assert PhaseTransition().apparent_barrier(kelvin, **inferred) == energy


def test_transition_itself_belongs_to_the_side_above():
    law = PhaseTransition(temperature=285.0)
    assert law.apparent_barrier([284.999, 285.0, 285.001], **SIDES).tolist() == [0.6, 0.35, 0.35]
    # The two sides differ by 8 in ln tau_c here.
    above = law.log_correlation_time(285.0 + 1e-9, **SIDES)
    assert law.log_correlation_time(285.0, **SIDES) == pytest.approx(above, abs=1e-9)


def test_walkers_may_differ_in_the_transition():
    kelvin = np.array([280.0, 300.0])
    found = PhaseTransition().apparent_barrier(kelvin, **SIDES, transition_temperature=np.array([[290.0], [310.0]]))
    assert found.tolist() == [[0.6, 0.35], [0.6, 0.6]]


def test_both_barriers_of_a_transition_are_told_at_any_temperature():
    found = PhaseTransition(temperature=285.0).barriers(np.array([100.0, 500.0]), **SIDES)
    assert {side: barrier.tolist() for side, barrier in found.items()} == {"below": [0.6] * 2, "above": [0.35] * 2}


def test_transition_is_a_parameter_only_where_it_was_not_given():
    assert "transition_temperature" not in PhaseTransition(temperature=285.0).parameters
    assert PhaseTransition().parameters["transition_temperature"].prior == nd.Uniform(50.0, 1500.0)
    with pytest.raises(InputError, match=r"found 285 K and transition_temperature=300"):
        PhaseTransition(temperature=285.0).correlation_time(300.0, **SIDES, transition_temperature=300.0)
    with pytest.raises(InputError, match=r"PhaseTransition: needed one transition temperature, found none"):
        PhaseTransition().correlation_time(300.0, **SIDES)


@pytest.mark.parametrize("bad", [0.0, -10.0, np.nan, np.inf, [285.0, 300.0]])
def test_impossible_transition_is_refused(bad):
    with pytest.raises(InputError, match=r"^PhaseTransition: temperature"):
        PhaseTransition(temperature=bad)


# --- a size whose order of magnitude is not known


def test_log_uniform_prior_gives_every_factor_the_same_chance():
    prior = LogUniform(100.0, 20_000.0)
    chance = [
        quad(lambda value: np.exp(prior.log_density(np.array(value))), low, 3 * low)[0] for low in (120, 900, 6000)
    ]
    # quad is good to 1e-10 here.
    np.testing.assert_allclose(chance, np.log(3) / np.log(200), rtol=1e-9)
    whole = quad(lambda logarithm: np.exp(prior.log_density(np.exp(logarithm)) + logarithm), *np.log(prior.support))
    assert whole[0] == pytest.approx(1.0, rel=1e-9)
    assert prior.centre == pytest.approx(np.sqrt(2e6))
    outside = prior.log_density(np.array([-5.0, 0.0, 99.0, 20_001.0]))
    assert np.all(outside == -np.inf)


def test_draws_of_a_log_uniform_prior_have_its_middle_and_spread():
    prior = LogUniform(100.0, 20_000.0)
    draws = prior.draw(200_000, np.random.default_rng(3))
    assert prior.support[0] <= draws.min() < draws.max() <= prior.support[1]
    # Five standard errors: 1.53 / sqrt(n) of the mean logarithm, and about 0.3 % of the standard deviation.
    assert np.log(draws).mean() == pytest.approx(np.log(prior.centre), abs=5 * 1.53 / np.sqrt(draws.size))
    assert draws.std() == pytest.approx(prior.width, rel=0.015)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, 1.0), (1.0, np.inf), (np.nan, 1.0)]
)
def test_impossible_log_uniform_prior_is_refused(low, high):
    with pytest.raises(InputError, match=r"^LogUniform prior: needed"):
        LogUniform(low, high)
