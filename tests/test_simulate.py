from dataclasses import replace

import numpy as np
import pytest

import nmrdyn as nd

BOLTZMANN_EV = 8.617333262145179e-5  # eV/K, exact in the SI of 2019


@pytest.fixture
def transport():
    return nd.ConductivityTruth(
        activation_energy=0.552,
        conductivity=1e-2,
        reference_temperature=333.15,
        temperature=[288.15, 300.0, 315.0, 333.15, 350.0],
    )


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_makes_the_same_data_and_another_seed_others(sodium, transport):
    for truth in (sodium, transport):
        assert nd.simulate(truth, seed=1).identical(nd.simulate(truth, seed=1))
        assert not nd.simulate(truth, seed=1).identical(nd.simulate(truth, seed=2))


def test_same_seed_makes_the_same_files_and_another_seed_others(sodium, transport, tmp_path):
    for name, truth in (("na", replace(sodium, temperature=[313.15, 333.15])), ("eis", transport)):
        for copy, seed in (("a", 1), ("b", 1), ("c", 2)):
            nd.simulate_folder(truth, tmp_path / name / copy, seed=seed)
        first, same, other = (files_of(tmp_path / name / copy) for copy in "abc")
        assert first == same
        assert first.keys() == other.keys()
        assert first != other


def test_simulate_does_not_touch_the_global_random_state(sodium):
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    nd.simulate(sodium, seed=5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_nothing_is_overwritten(sodium, transport, tmp_path):
    for name, truth in (("na", sodium), ("eis", transport)):
        nd.simulate_folder(truth, tmp_path / name, seed=1)
        before = files_of(tmp_path / name)
        with pytest.raises(nd.InputError, match="already exists"):
            nd.simulate_folder(truth, tmp_path / name, seed=2)
        assert files_of(tmp_path / name) == before


def test_a_file_in_the_way_is_left_alone(sodium, tmp_path):
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "acqus").write_text("mine")
    with pytest.raises(nd.InputError, match="already exists"):
        nd.simulate_folder(replace(sodium, temperature=[313.15, 333.15]), tmp_path, seed=1)
    assert (tmp_path / "2" / "acqus").read_text() == "mine"


@pytest.mark.parametrize("energy", [0.1, 0.552, 1.3])
def test_conductivity_times_temperature_has_the_slope_of_the_barrier(transport, energy):
    # Closed form: sigma T = A exp(-Ea / kT).
    truth = replace(transport, activation_energy=energy, relative_error=0.0)
    data = nd.simulate(truth, seed=1)
    inverse = 1 / (BOLTZMANN_EV * data.temperature.values)
    slopes = np.diff(np.log(data.conductivity.values * data.temperature.values)) / np.diff(inverse)
    np.testing.assert_allclose(slopes, -energy, rtol=1e-12)
    assert data.conductivity.values[3] == pytest.approx(1e-2, rel=1e-14, abs=0)  # at the reference temperature
    np.testing.assert_array_equal(data.conductivity_stderr, 0)


def test_conductivity_is_that_of_the_true_and_not_of_the_read_temperature(transport):
    truth = replace(transport, temperature=[331.15, 335.15], temperature_error=[2.0, -2.0], relative_error=0.0)
    data = nd.simulate(truth, seed=1)
    np.testing.assert_array_equal(data.temperature, [331.15, 335.15])
    np.testing.assert_allclose(data.conductivity, 1e-2, rtol=1e-12)


def test_conductivity_noise_has_the_stated_size(transport):
    truth = replace(transport, temperature=[300.0] * 2000, relative_error=0.03)
    data = nd.simulate(truth, seed=1)
    np.testing.assert_allclose(data.conductivity_stderr, 0.03 * truth.exact, rtol=1e-14)
    z = (data.conductivity.values - truth.exact) / data.conductivity_stderr.values
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * 2000)  # four standard errors of a standard deviation


def test_conductivity_file_reads_back(transport, tmp_path):
    path = nd.simulate_folder(transport, tmp_path, seed=4)
    data, expected = nd.read_conductivity(path), nd.simulate(transport, seed=4)
    np.testing.assert_allclose(data.temperature, expected.temperature, atol=0.005)  # two decimals of °C
    np.testing.assert_allclose(data.conductivity, expected.conductivity, rtol=5e-5)  # five digits
    np.testing.assert_allclose(data.conductivity_stderr, expected.conductivity_stderr, rtol=5e-2)  # two digits


def test_true_t1_is_the_closed_formula():
    # 1/T1 = (2 pi^2/25) C_Q^2 (1 + eta^2/3) [J(omega0) + 4 J(2 omega0)] for I = 3/2, with tau_c from Arrhenius.
    truth = nd.RelaxationTruth(
        nucleus="11B",
        larmor_frequency=160.49e6,
        cq=0.1e6,
        eta=0.4,
        activation_energy=0.4,
        tau_c=1e-6,
        reference_temperature=333.15,
        temperature=[288.15, 333.15, 500.0, 900.0],
        temperature_error=[1.0, 0.0, -2.0, 5.0],
    )
    actual = np.array([289.15, 333.15, 498.0, 905.0])
    tau = 1e-6 * np.exp(0.4 / BOLTZMANN_EV * (1 / actual - 1 / 333.15))
    x = 2 * np.pi * 160.49e6 * tau
    rate = 2 * np.pi**2 / 25 * 1e10 * (1 + 0.16 / 3) * tau * (1 / (1 + x**2) + 4 / (1 + 4 * x**2))
    np.testing.assert_allclose(truth.t1, 1 / rate, rtol=1e-12)
    assert truth.log10_tau0 == pytest.approx(-6 - 0.4 / (BOLTZMANN_EV * 333.15) / np.log(10), rel=1e-12, abs=0)


def test_recovered_is_the_closed_curve_and_noise_has_the_stated_size(sodium):
    truth = replace(sodium, temperature=[333.15] * 100, depth=1.9, beta=0.7, snr=25)
    data = nd.simulate(truth, seed=1)
    exact = 1 - 1.9 * np.exp(-((data.delay.values / truth.t1[:, None]) ** 0.7))
    np.testing.assert_allclose(truth.recovered, exact, rtol=1e-12)
    # Noise measured with 400 degrees of freedom is known to 3.5 %: five standard errors.
    np.testing.assert_allclose(data.signal_stderr, 1 / 25, rtol=5 / np.sqrt(800))
    z = (data.signal.values - exact) * 25
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * 1600)  # four standard errors of a standard deviation
    assert set(data.kind.values) == {"inversion_recovery"}


def test_delays_are_as_told_or_reach_from_a_fiftieth_to_five_t1(sodium):
    told = replace(sodium, temperature=[313.15, 333.15], delays=[0.1, 1.0, 10.0])
    np.testing.assert_array_equal(told.delay, [[0.1, 1.0, 10.0]] * 2)
    free = replace(told, delays=None)
    # Two digits are kept.
    np.testing.assert_allclose(free.delay, free.t1[:, None] * np.geomspace(0.02, 5, 16), rtol=0.05)
