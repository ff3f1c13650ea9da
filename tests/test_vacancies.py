import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import nmrdyn as nd
from nmrdyn.conductivity.vacancies import VacancyModel, fit_vacancies
from nmrdyn.plot.conductivity import vacancies
from nmrdyn.transport import nernst_einstein

K = 1.380649e-23  # J/K, SI of 2019
E = 1.602176634e-19  # C, SI of 2019

# The sodium sites of cubic Na3-xO1-x(NH2)x(BH4): three face centres a cell, eight neighbours at a/sqrt(2); a = 4.6 Å.
CELL = 4.6e-10
MODEL = VacancyModel(
    neighbours=8,
    attempt_frequency=5e12,
    jump_distance=CELL / np.sqrt(2),
    correlation_factor=0.69,
    site_density=3 / CELL**3,
)
# Vacancy fraction x/3 at x = 0, 0.2, 0.5, 0.75 and 1 (Tsai et al. 2023, doi 10.1002/aenm.202203284, Figure 1).
TSAI = np.array([0, 0.2, 0.5, 0.75, 1.0]) / 3


def by_random_walk(vacant, kelvin, barrier, *, charge=1):
    """sigma of ions that try nu times a second and neighbour to jump into a site, which is vacant with 1 - c."""
    rate = MODEL.neighbours * MODEL.attempt_frequency * vacant * np.exp(-barrier * E / (K * kelvin))
    diffusion = MODEL.correlation_factor * MODEL.jump_distance**2 * rate / 6  # <r^2> = n a^2 f = 6 D t
    return MODEL.site_density * (1 - vacant) * (charge * E) ** 2 * diffusion / (K * kelvin)


@settings(deadline=None, max_examples=100)
@given(
    vacant=st.floats(1e-6, 0.999),
    kelvin=st.floats(200, 800),
    barrier=st.floats(0, 1.5),
    charge=st.sampled_from([1, -1, 2]),
)
def test_model_is_a_random_walk_of_ions_into_vacancies(vacant, kelvin, barrier, charge):
    model = VacancyModel(**{**vars(MODEL), "charge": charge})
    sigma = model.conductivity(vacant, temperature=kelvin, barrier=barrier)
    assert sigma == pytest.approx(by_random_walk(vacant, kelvin, barrier, charge=charge), rel=1e-9)
    # Back through Nernst and Einstein, all ions counted: D = (1 - c) D_v f.
    diffusion = nernst_einstein(
        sigma, carrier_density=(1 - vacant) * MODEL.site_density, temperature=kelvin, charge=charge
    )
    of_vacancy = 8 * 5e12 * MODEL.jump_distance**2 / 6 * np.exp(-barrier * E / (K * kelvin))
    assert diffusion == pytest.approx(vacant * of_vacancy * 0.69, rel=1e-9)


def test_random_walkers_on_the_sodium_sites_diffuse_as_the_model_says():
    # One vacancy walks at random over the face centres (f of the vacancy is 1): <r^2> = z nu a^2 t exp(-dG/kT).
    rng = np.random.default_rng(1)
    offsets = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    steps = [[(t, o) for t in range(3) if t != s for o in _neighbours(offsets[s], offsets[t])] for s in range(3)]
    assert [len(one) for one in steps] == [8, 8, 8]
    kind = np.array([[t for t, _ in one] for one in steps])
    move = np.array([[o for _, o in one] for one in steps])
    assert np.allclose(np.linalg.norm(move, axis=2), 1 / np.sqrt(2))
    walkers, jumps = 20_000, 60
    site, place = rng.integers(0, 3, walkers), np.zeros((walkers, 3))
    for _ in range(jumps):
        choice = rng.integers(0, 8, walkers)
        place, site = place + move[site, choice], kind[site, choice]
    walked = CELL**2 * np.sum(place**2, axis=1)
    of_model = by_random_walk(1e-9, 333.15, 0.0) / (1e-9 * 0.69)  # per vacancy, without correlation
    diffusion = walked.mean() / 6 / (jumps / (8 * 5e12))
    sigma = MODEL.site_density * E**2 * diffusion / (K * 333.15)
    assert sigma == pytest.approx(of_model, rel=4 * walked.std() / walked.mean() / np.sqrt(walkers))
    model = MODEL.conductivity(1e-9, temperature=333.15, barrier=0.0) / (1e-9 * 0.69)
    assert sigma == pytest.approx(float(model), rel=4 * walked.std() / walked.mean() / np.sqrt(walkers))


def _neighbours(here, there):
    """Ways from one site to the nearest of another kind, in cell edges."""
    shifts = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T
    ways = there + shifts - here
    return ways[np.isclose(np.linalg.norm(ways, axis=1), 1 / np.sqrt(2))]


def test_conductivity_is_largest_where_half_of_the_sites_are_vacant_and_none_without_vacancies():
    vacant = np.linspace(0, 1, 101)
    sigma = MODEL.conductivity(vacant, temperature=333.15, barrier=0.5)
    assert vacant[np.argmax(sigma)] == 0.5
    assert (sigma[0], sigma[-1]) == (0, 0)
    np.testing.assert_allclose(sigma, sigma[::-1], rtol=1e-12)


@pytest.mark.parametrize("factor", [0.3, 20.0])
def test_prefactor_and_barrier_cannot_be_told_apart_at_one_temperature(factor):
    sigma = MODEL.conductivity(TSAI, temperature=333.15, barrier=0.55) * [1, 1, 1, 10, 100]
    other = VacancyModel(**{**vars(MODEL), "attempt_frequency": factor * MODEL.attempt_frequency})
    fits = [fit_vacancies(TSAI[1:], sigma[1:], temperature=333.15, model=one, up_to=0.17) for one in (MODEL, other)]
    shift = K / E * 333.15 * np.log(factor)
    assert fits[1].migration_energy - fits[0].migration_energy == pytest.approx(shift, rel=1e-9)
    np.testing.assert_allclose(fits[1].excess, fits[0].excess, rtol=1e-9)


def test_excess_at_full_substitution_is_what_tsai_et_al_report():
    # "values 10^2 greater than the extrapolated conductivity at x = 1", "deviation ... greater than about 15 %".
    sigma = MODEL.conductivity(TSAI, temperature=333.15, barrier=0.55) * [1, 1, 1, 10, 100]
    sigma[0] = 1e-9  # measured without nominal vacancies
    fit = fit_vacancies(TSAI, sigma, temperature=333.15, model=MODEL, up_to=0.17)
    np.testing.assert_allclose(fit.excess.values[1:], [1, 1, 10, 100], rtol=1e-9)
    np.testing.assert_allclose(fit.predicted.values[1:], sigma[1:] / [1, 1, 10, 100], rtol=1e-9)
    assert fit.migration_energy.item() == pytest.approx(0.55, rel=1e-12)
    assert fit.fitted.values.tolist() == [False, True, True, False, False]
    assert np.isnan(fit.excess.values[0])
    assert fit.predicted.values[0] == 0
    assert fit.reason.values.tolist() == ["no vacancies but unknown ones", "", "", "", ""]
    assert (fit.attrs["stage"], fit.attrs["up_to"], fit.attrs["dof"]) == ("vacancies", 0.17, 1)
    # x = 0.5 stands at 0.167, above 0.15.
    assert fit_vacancies(TSAI, sigma, temperature=333.15, model=MODEL).fitted.values.sum() == 1


def test_several_temperatures_tell_one_barrier():
    # sigma = sigma_0(T) exp(-dG/kT): a line through the origin of ln(sigma/sigma_0) against -1/kT.
    rng = np.random.default_rng(3)
    vacant, kelvin = np.tile([0.03, 0.08, 0.12], 2), np.repeat([313.15, 373.15], 3)
    sigma = by_random_walk(vacant, kelvin, 0.6) * np.exp(0.1 * rng.normal(size=6))
    fit = fit_vacancies(vacant, sigma, temperature=kelvin, model=MODEL)
    x, y = -E / (K * kelvin), np.log(sigma / by_random_walk(vacant, kelvin, 0.0))
    energy = x @ y / (x @ x)
    scatter = np.sqrt(np.sum((y - energy * x) ** 2) / 5)
    assert fit.migration_energy.item() == pytest.approx(energy, rel=1e-9)
    assert fit.migration_energy_stderr.item() == pytest.approx(scatter / np.sqrt(x @ x), rel=1e-6)


@pytest.mark.parametrize("stated", [None, 0.1, 0.02])
def test_error_of_an_excess_holds_the_truth(stated):
    # Four samples that scatter by 10 %, and a fifth a hundredfold above; 0.02: the table says too little.
    rng = np.random.default_rng(7)
    vacant, runs = np.array([0.03, 0.06, 0.09, 0.12, 1 / 3]), 500
    clean = MODEL.conductivity(vacant, temperature=333.15, barrier=0.55) * [1, 1, 1, 1, 100]
    pull = []
    for _ in range(runs):
        sigma = clean * np.exp(0.1 * rng.normal(size=5))
        fit = fit_vacancies(
            vacant, sigma, temperature=333.15, model=MODEL, stderr=None if stated is None else stated * sigma
        )
        pull.append((np.log10(fit.excess.values[-1]) - 2) / fit.log10_excess_stderr.values[-1])
    reach = 1.96 if stated == 0.1 else stats.t.ppf(0.975, 3)
    held = np.mean(np.abs(pull) < reach)
    # With errors stated right, enlarging them where chi-square is large makes intervals a little too wide.
    assert (
        0.95 - 3.5 * np.sqrt(0.95 * 0.05 / runs)
        < held
        < (0.995 if stated == 0.1 else 0.95 + 3.5 * np.sqrt(0.95 * 0.05 / runs))
    )


def test_one_sample_gives_no_error_unless_one_is_stated():
    sigma = MODEL.conductivity([0.05, 0.3], temperature=333.15, barrier=0.5)
    fit = fit_vacancies([0.05, 0.3], sigma, temperature=333.15, model=MODEL)
    assert np.isnan(fit.migration_energy_stderr)
    assert np.isnan(fit.log10_excess_stderr.values).all()
    fit = fit_vacancies([0.05, 0.3], sigma, temperature=333.15, model=MODEL, stderr=0.1 * sigma)
    assert fit.migration_energy_stderr.item() == pytest.approx(0.1 * K * 333.15 / E, rel=1e-9)
    assert fit.log10_excess_stderr.values[1] == pytest.approx(np.hypot(0.1, 0.1) / np.log(10), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"neighbours": 0}, "VacancyModel: neighbours"),
        ({"attempt_frequency": -1.0}, "VacancyModel: attempt_frequency"),
        ({"jump_distance": np.nan}, "VacancyModel: jump_distance"),
        ({"site_density": np.inf}, "VacancyModel: site_density"),
        ({"correlation_factor": 1.2}, "VacancyModel: correlation_factor"),
        ({"charge": 0}, "VacancyModel: size of the charge"),
    ],
)
def test_models_that_cannot_be_are_refused(change, words):
    with pytest.raises(nd.InputError, match=words):
        VacancyModel(**{**vars(MODEL), **change})


@pytest.mark.parametrize(
    ("fractions", "sigma", "other", "words"),
    [
        ([0.1, 0.2], [1.0], {}, "one conductivity for each vacancy fraction, found shapes (2,) and (1,)"),
        ([10.0, 20.0], [1.0, 2.0], {}, "vacancy_fraction: needed a finite number from 0 and below 1"),
        ([0.1], [-1.0], {}, "conductivity [S/m]: needed a finite number above 0"),
        ([0.1], [1.0], {"temperature": [300.0, 310.0]}, "needed one temperature or 1, found (2,)"),
        ([0.1], [1.0], {"temperature": 0.0}, "temperature [K]: needed a finite number above 0"),
        ([0.1], [1.0], {"stderr": 0.0}, "stderr [S/m]: needed a finite number above 0"),
        ([0.1], [1.0], {"up_to": 15}, "up_to: needed one finite number above 0 and below 1"),
        ([0.0, 0.2], [1.0, 2.0], {}, "needed a conductivity at a vacancy fraction above 0 and up to 0.15"),
    ],
)
def test_unusable_input_is_refused(fractions, sigma, other, words):
    with pytest.raises(nd.InputError) as caught:
        fit_vacancies(fractions, sigma, **{"temperature": 333.15, "model": MODEL, **other})
    assert words in str(caught.value)


def test_the_figure_has_samples_model_band_and_excess():
    sigma = MODEL.conductivity(TSAI, temperature=333.15, barrier=0.55) * [1, 1.1, 0.9, 10, 100]
    sigma[0] = 1e-9
    fit = fit_vacancies(TSAI, sigma, temperature=333.15, model=MODEL, up_to=0.17)
    axes = vacancies(fit)
    fraction, curve = axes.lines[0].get_data()
    energy = fit.migration_energy.item()
    np.testing.assert_allclose(curve, by_random_walk(fraction, 333.15, energy), rtol=1e-6)
    edge = axes.collections[0].get_paths()[0].vertices
    ends = edge[np.isclose(edge[:, 0], fraction[50])][:, 1]
    # Two samples, one degree of freedom: 12.7 standard errors on either side.
    assert np.log10(ends.max() / ends.min()) == pytest.approx(
        2 * stats.t.ppf(0.975, 1) * fit.log10_predicted_stderr.values[1], rel=1e-6
    )
    assert [text.get_text() for text in axes.texts] == [
        f"×{fit.excess.values[k]:.3g} (×/÷ {10 ** fit.log10_excess_stderr.values[k]:.2g})" for k in (3, 4)
    ]
    assert axes.get_title().startswith(f"model of vacancies, ΔG = {energy:.3f} ± ")
