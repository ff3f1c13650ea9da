"""The posterior against closed forms, quadrature and grids; its diagnostics; and what it remarks on.

Energies are in eV, times in s, temperatures in K. Formulas here are written anew, not taken from the package.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats
from numpy.polynomial.hermite_e import hermegauss
from scipy import stats
from scipy.special import logsumexp

import nmrdyn as nd
from nmrdyn.inference.checks import _of_probes
from nmrdyn.inference.diagnostics import Diagnostics, autocorrelation_time, converged, diagnose, modes_agree
from nmrdyn.inference.measurements import measurements, usable_rows
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import find_modes
from nmrdyn.inference.predictive import predict
from nmrdyn.report.summary import verdict_lines
from nmrdyn.schema import stamp

K = 8.617333262e-5  # eV/K, CODATA 2018
LARMOR = 132.32e6
OMEGA = 2 * np.pi * LARMOR
SODIUM = {"nucleus": "23Na", "cq": 1e6, "eta": 0.1}
BORON = {"nucleus": "11B", "cq": 0.1e6, "eta": 0.4}


def conditions(kelvin, point=np.nan):
    n = len(kelvin)
    return {
        "experiment": [str(index + 1) for index in range(n)],
        "temperature": ("experiment", np.asarray(kelvin, dtype=float)),
        "temperature_stderr": ("experiment", np.full(n, point)),
    }


def transport(kelvin, conductivity, relative_error):
    value = np.asarray(conductivity)
    data = {"conductivity": ("experiment", value), "conductivity_stderr": ("experiment", relative_error * value)}
    return stamp(xr.Dataset(data, coords=conditions(kelvin)), "transport")


def relaxation(kelvin, t1, relative_error, *, dof=None, nucleus="23Na", larmor=LARMOR, point=np.nan):
    n = len(kelvin)
    data = {"t1": ("experiment", np.asarray(t1)), "t1_stderr": ("experiment", relative_error * np.asarray(t1))}
    if dof is not None:
        data["t1_dof"] = ("experiment", np.full(n, float(dof)))
    coords = conditions(kelvin, point) | {"larmor_frequency": ("experiment", np.full(n, larmor))}
    return stamp(xr.Dataset(data, coords=coords), "relaxation", nucleus=nucleus)


def ln_t1(tau, *, cq=1e6, eta=0.1, omega=OMEGA, **_):
    """ln T1 of a spin 3/2 (Abragam 1961, ch. VIII): 1/T1 = 2 pi^2/25 C_Q^2 (1 + eta^2/3) [J(w) + 4 J(2w)]."""
    densities = tau / (1 + (omega * tau) ** 2) + 4 * tau / (1 + (2 * omega * tau) ** 2)
    return -np.log(2 * np.pi**2 / 25 * cq**2 * (1 + eta**2 / 3) * densities)


def tau_c(kelvin, barrier, log10_tau0):
    return 10.0**log10_tau0 * np.exp(barrier / (K * kelvin))


def log10_tau0(tau, kelvin, barrier):
    return np.log10(tau) - barrier / (K * kelvin) / np.log(10)


def model_of(*processes, probes=(), priors=None):
    known = {probe.name: probe for probe in probes}
    data = [measurements(process, {process.datum: process.data}) for process in processes]
    return JointModel(data, known, unscattered(processes) | (priors or {}))


def unscattered(processes):
    """Priors that leave out the scatter between experiments, for closed forms that do not know it."""
    known = [p for p in processes if not np.isnan(p.data.get("conductivity_stderr", xr.DataArray(0.0))).any()]
    return {f"{process.name}.scatter": 0.0 for process in known}


def infer(processes, **kwargs):
    return nd.infer(processes, **kwargs | {"priors": unscattered(processes) | kwargs.get("priors", {})})


def described(posterior, name):
    return json.loads(posterior.attrs["processes"])[name]


def remarks(posterior):
    return {remark["code"]: remark for remark in json.loads(posterior.attrs["warnings"])}


# The exact posterior of a straight line


def line_through(kelvin, ln_sigma_t, covariance):
    """Generalised least squares: mean and covariance of (Ea, log10 prefactor) under flat priors."""
    design = np.stack([-1 / (K * kelvin), np.full(kelvin.size, np.log(10))], axis=1)
    weighted = np.linalg.solve(covariance, design)
    spread = np.linalg.inv(design.T @ weighted)
    return spread @ (weighted.T @ ln_sigma_t), spread


def assert_draws_follow(posterior, name, mean, covariance):
    """Mean and sd of the draws within five Monte Carlo errors; returns the deviations of the means in those errors."""
    ess = described(posterior, name)["diagnostics"]["ess"]
    found = []
    for k, quantity in enumerate(("activation_energy", "log10_prefactor")):
        draws = posterior["posterior"][f"{name}.{quantity}"].values.ravel()
        sd = np.sqrt(covariance[k, k])
        found.append((draws.mean() - mean[k]) / (sd / np.sqrt(ess)))
        assert abs(found[-1]) <= 5
        assert abs(draws.std() / sd - 1) <= 5 / np.sqrt(2 * ess)
    return found


def conductivity_case(seed, kelvin, barrier, noise, probe=None):
    """sigma T = 1e5 exp(-Ea/kT), read with an error of the temperature and of the impedance."""
    rng = np.random.default_rng(seed)
    actual = kelvin.copy()
    if probe is not None:
        actual += rng.normal(0, probe.point, kelvin.size) + rng.normal(0, probe.offset)
    ln_sigma = np.log(1e5) - barrier / (K * actual) - np.log(actual) + noise * rng.standard_normal(kelvin.size)
    data = transport(kelvin, np.exp(ln_sigma), noise)
    process = nd.Process("eis", data, mechanism=nd.Conductivity("sigma_T"), probe=probe.name if probe else None)
    return process, ln_sigma + np.log(kelvin)


LINES = [
    (2, np.array([300.0, 310.0, 310.0, 350.0]), 0.20, np.array([0.01, 0.05, 0.02, 0.03])),
    (3, np.array([290.0, 330.0]), 0.80, np.array([0.05, 0.05])),
]


EVEN = (1, np.arange(280.0, 341.0, 10.0), 0.50, np.full(7, 0.02))


def line(name="eis", **kwargs):
    process, _ = conductivity_case(*EVEN)
    return nd.Process(name, process.data, mechanism=nd.Conductivity("sigma_T"), **kwargs)


@pytest.fixture(scope="module")
def straight():
    return infer([line()], seed=1)


def test_draws_of_an_even_line_follow_the_closed_form(straight):
    _, kelvin, _, noise = EVEN
    mean, covariance = line_through(kelvin, conductivity_case(*EVEN)[1], np.diag(noise**2))
    assert_draws_follow(straight, "eis", mean, covariance)


@pytest.mark.parametrize(("seed", "kelvin", "barrier", "noise"), LINES)
def test_draws_of_a_straight_line_follow_the_closed_form(seed, kelvin, barrier, noise):
    process, y = conductivity_case(seed, kelvin, barrier, noise)
    mean, covariance = line_through(kelvin, y, np.diag(noise**2))
    assert_draws_follow(infer([process], seed=seed), "eis", mean, covariance)


def with_temperature_errors(seed):
    # Errors so small that the line is straight to the tolerance: the slope g dT changes by 2 dT/T = 3e-4 of itself
    # over one offset, and g follows Ea, which is known to 4e-4 of itself; so V is constant, and shifts of order
    # 10 temperatures x 4e-4 of a standard deviation are far below five Monte Carlo errors of about 0.01 sd each.
    kelvin, barrier, noise = np.arange(280.0, 341.0, 6.0), 0.5, 3e-4
    probe = nd.Probe(name="oven", point=0.005, offset=0.05)
    process, y = conductivity_case(seed, kelvin, barrier, noise, probe)
    slope = barrier / (K * kelvin**2)  # of ln sigma T = ln A - Ea/kT
    slope_of_sigma = slope - 1 / kelvin  # the data are ln sigma, and ln T moves too
    moved = np.diag(noise**2 + slope_of_sigma**2 * probe.point**2)
    covariance = moved + np.outer(slope_of_sigma, slope_of_sigma) * probe.offset**2
    posterior = infer([process], seed=seed, probes=[probe])
    return posterior, line_through(kelvin, y, covariance), line_through(kelvin, y, moved)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_draws_with_temperature_errors_follow_the_closed_form(seed):
    posterior, (mean, covariance), (_, without_offset) = with_temperature_errors(seed)
    assert_draws_follow(posterior, "eis", mean, covariance)
    # The case is one in which the offset matters, or it would prove nothing.
    assert covariance[0, 0] > 2 * without_offset[0, 0]


@pytest.mark.slow
def test_deviations_from_the_closed_form_are_monte_carlo_errors():
    found, studies = [], 40
    for seed in range(studies):
        kelvin, noise = np.arange(280.0, 341.0, 10.0), np.full(7, 0.02)
        process, y = conductivity_case(seed, kelvin, 0.5, noise)
        mean, covariance = line_through(kelvin, y, np.diag(noise**2))
        found.append(assert_draws_follow(infer([process], seed=seed), "eis", mean, covariance)[0])
    # The sd of that many standard normals lies between these with probability 0.995.
    low, high = np.sqrt(stats.chi2.ppf([0.0025, 0.9975], studies - 1) / (studies - 1))
    assert low < np.std(found, ddof=1) < high


# The likelihood against brute force


def kernel(value, predicted, stderr, dof):
    """Log density of a normal or Student-t error, without the constant of the normal."""
    z = (value - predicted) / stderr
    constant = np.log(2 * np.pi) / 2  # of the normal, left out
    return (-(z**2) / 2 if dof is None else stats.t(dof).logpdf(z) + constant) - np.log(stderr)


def brute_force(runs):
    """Sum over runs of ln of the integral over one temperature error, by 4,001 steps from -9 to 9 of its sd.

    A run is a function of that error: the log density of all that was measured in it. Its own normal density is
    taken without the constant.
    """
    error = np.linspace(-9, 9, 4001)
    return sum(logsumexp(run(error) - error**2 / 2) + np.log(error[1] - error[0]) for run in runs)


KELVIN = np.linspace(350.0, 370.0, 5)
# omega tau = 0.6158 is the T1 minimum, here at 360 K in the middle of the range.
THETA = np.array([0.45, log10_tau0(0.6158 / OMEGA, 360.0, 0.45)])
# From the truth along and across the ridge of the posterior: changes of Ea, and of ln tau_c at 360 K.
AROUND = [(0.0, 0.0), (0.02, 0.0), (-0.03, 0.01), (0.0, -0.03), (0.1, 0.02)]


def moved(theta, energy, ln_tau):
    barrier = theta[0] + energy
    tau = tau_c(360.0, *theta) * np.exp(ln_tau)
    return [barrier, log10_tau0(tau, 360.0, barrier)]


def near_minimum(seed, relative_error, *, dof=None, kelvin=KELVIN, shared=True):
    """Two nuclei near their minimum, both with true temperatures 1 K off at random: T1 of each, and parameters."""
    rng = np.random.default_rng(seed)
    error = rng.standard_normal(kelvin.size)
    noise = rng.standard_normal((2, kelvin.size)) if dof is None else rng.standard_t(dof, (2, kelvin.size))
    boron = np.array([0.40, log10_tau0(3 * 0.6158 / OMEGA, 360.0, 0.40)])
    second = error if shared else rng.standard_normal(kelvin.size)
    sodium_t1 = np.exp(ln_t1(tau_c(kelvin + error, *THETA), **SODIUM) + relative_error * noise[0])
    boron_t1 = np.exp(ln_t1(tau_c(kelvin + second, *boron), **BORON) + relative_error * noise[1])
    return sodium_t1, boron_t1, boron


def hop(kelvin, t1, relative_error, dof=None, point=1.0):
    data = relaxation(kelvin, t1, relative_error, dof=dof, point=point)
    return nd.Process("hop", data, mechanism=nd.BPP(**SODIUM), probe="oven")


def rotation(kelvin, t1, relative_error, dof=None, point=1.0):
    data = relaxation(kelvin, t1, relative_error, dof=dof, nucleus="11B", point=point)
    return nd.Process("rotation", data, mechanism=nd.BPP(**BORON), probe="oven")


def of_row(kelvin, t1, theta, relative_error, dof, mechanism):
    return lambda error: kernel(np.log(t1), ln_t1(tau_c(kelvin + error, *theta), **mechanism), relative_error, dof)


# Errors of T1 and of temperature of about the same size, and noise as it is measured (None) or from five residuals.
@pytest.mark.parametrize(("relative_error", "dof"), [(0.02, None), (0.05, None), (0.05, 5)])
@pytest.mark.parametrize("kelvin", [KELVIN, np.array([350.0, 350.0, 360.0])])
def test_likelihood_of_one_process_is_the_integral_over_each_temperature(kelvin, relative_error, dof):
    t1, _, _ = near_minimum(1, relative_error, dof=dof, kelvin=kelvin)
    # same_runs does not join two experiments of one process at the same temperature.
    model = model_of(hop(kelvin, t1, relative_error, dof), probes=[nd.Probe(name="oven", point=1.0, same_runs=True)])
    for change in AROUND:
        theta = moved(THETA, *change)
        rows = [of_row(at, value, theta, relative_error, dof, SODIUM) for at, value in zip(kelvin, t1, strict=True)]
        assert model.log_likelihood(np.array([theta]))[0] == pytest.approx(brute_force(rows), rel=1e-4)


@pytest.mark.parametrize(("relative_error", "dof"), [(0.02, None), (0.05, 5)])
@pytest.mark.parametrize("same_runs", [True, False])
def test_likelihood_of_shared_runs_integrates_each_temperature_once(same_runs, relative_error, dof):
    t1, other, boron = near_minimum(2, relative_error, dof=dof, shared=same_runs)
    model = model_of(
        hop(KELVIN, t1, relative_error, dof),
        rotation(KELVIN + 0.2, other, relative_error, dof),  # read within half a kelvin: the same run
        probes=[nd.Probe(name="oven", point=1.0, same_runs=same_runs)],
    )
    assert (model.runs.n, model.runs.shared) == ((5, 5) if same_runs else (10, 0))
    for change in AROUND:
        theta = moved(THETA, *change)
        first = [of_row(at, value, theta, relative_error, dof, SODIUM) for at, value in zip(KELVIN, t1, strict=True)]
        second = [
            of_row(at + 0.2, value, boron, relative_error, dof, BORON) for at, value in zip(KELVIN, other, strict=True)
        ]
        runs = first + second
        if same_runs:
            runs = [lambda error, a=a, b=b: a(error) + b(error) for a, b in zip(first, second, strict=True)]
        value = model.log_likelihood(np.array([[*theta, *boron]]))[0]
        assert value == pytest.approx(brute_force(runs), rel=1e-4)


def test_runs_more_than_half_a_kelvin_apart_are_not_shared():
    t1, other, _ = near_minimum(2, 0.02)
    probe = nd.Probe(name="oven", point=1.0, same_runs=True)
    model = model_of(hop(KELVIN, t1, 0.02), rotation(KELVIN + 0.6, other, 0.02), probes=[probe])
    assert (model.runs.n, model.runs.shared) == (10, 0)


def test_thermometers_share_nothing_with_each_other():
    t1, other, _ = near_minimum(2, 0.02)
    probes = [nd.Probe(name=name, point=1.0, same_runs=True) for name in ("oven", "bath")]
    bath = replace(rotation(KELVIN, other, 0.02), probe="bath")
    model = model_of(hop(KELVIN, t1, 0.02), bath, probes=probes)
    assert (model.runs.n, model.runs.shared) == (10, 0)


def exact_log_likelihood(theta, kelvin, t1, relative_error, point, *, dof=None, nodes=201):
    """ln likelihood (draw,) of one sodium process, by Gauss-Hermite quadrature over each temperature."""
    node, weight = hermegauss(1 if point == 0 else nodes)
    used = weight > 1e-30
    total = np.zeros(len(theta))
    for at, value in zip(kelvin, t1, strict=True):
        tau = tau_c(at + point * node[used], theta[:, :1], theta[:, 1:])
        density = kernel(np.log(value), ln_t1(tau, **SODIUM), relative_error, dof)
        total += logsumexp(density, b=weight[used] / weight.sum(), axis=1)
    return total


def moments(value, weight):
    mean = weight @ value
    return mean, np.sqrt(weight @ (value - mean) ** 2)


# T1 known far better than the temperature, and Student-t errors: the hardest cases for five nodes.
@pytest.mark.parametrize(("relative_error", "dof"), [(0.02, 5), (0.005, None), (0.005, 13)])
def test_coarse_quadrature_does_not_move_the_posterior(relative_error, dof):
    kelvin = np.linspace(300.0, 480.0, 10)
    t1, _, _ = near_minimum(3, relative_error, dof=dof, kelvin=kelvin)
    model = model_of(hop(kelvin, t1, relative_error, dof), probes=[nd.Probe(name="oven", point=1.0)])
    modes = find_modes(model, np.random.default_rng(1), draws=4000)
    kept = modes.draw_weight > 1e-12
    draws, weight = modes.draws[kept], modes.draw_weight[kept] / modes.draw_weight[kept].sum()
    error = exact_log_likelihood(draws, kelvin, t1, relative_error, 1.0, dof=dof) - model.log_likelihood(draws)
    exact_weight = weight * np.exp(error - weight @ error)
    mean, sd = moments(draws[:, 0], weight)
    exact_mean, exact_sd = moments(draws[:, 0], exact_weight / exact_weight.sum())
    assert abs(mean - exact_mean) < 0.05 * exact_sd
    assert sd == pytest.approx(exact_sd, rel=0.02)


# Both branches


def branch_shares(theta, weight, kelvin):
    """Shares of slow, fast and crossing; the minimum of T1 is at omega tau = 0.6158."""
    slow = tau_c(kelvin, theta[:, :1], theta[:, 1:]) > 0.6158 / OMEGA
    everywhere, nowhere = slow.all(axis=1), ~slow.any(axis=1)
    return np.array([weight[everywhere].sum(), weight[nowhere].sum(), weight[~everywhere & ~nowhere].sum()])


def exact_grid(kelvin, t1, relative_error, point):
    """Posterior on a grid of 400 barriers by 1,601 values of ln tau_c in the middle of the range (unit Jacobian)."""
    theta, density = [], []
    for energy in (np.arange(400) + 0.5) / 200:
        prefactor = (np.linspace(-30, -14, 1601) - energy / (K * kelvin.mean())) / np.log(10)
        inside = (prefactor > -18) & (prefactor < -8)  # the prior of log10 tau0 is flat here, and 0 elsewhere
        theta.append(np.stack([np.full(inside.sum(), energy), prefactor[inside]], axis=1))
        density.append(exact_log_likelihood(theta[-1], kelvin, t1, relative_error, point, nodes=11))
    theta, density = np.concatenate(theta), np.concatenate(density)
    weight = np.exp(density - density.max())
    return theta, weight / weight.sum()


# Temperatures so close, or T1 so uncertain, that its slope hardly shows: seed, temperatures, error of T1, error of
# each temperature, omega tau at 333 K.
WEAK = {
    "slow, a little fast": (1, np.array([333.0, 334.5, 336.0]), 0.05, 0.0, 5.0),
    "slow or fast": (4, np.array([333.0, 334.5, 336.0]), 0.05, 0.3, 5.0),
    "two temperatures": (4, np.array([333.0, 337.0]), 0.08, 0.0, 3.0),
    "fast with hardly a barrier": (6, np.array([333.0, 337.0]), 0.08, 0.0, 3.0),  # the fast mode leans on Ea = 0
    "at the minimum": (2, np.array([333.0, 334.5, 336.0]), 0.05, 0.0, 0.7),
    "across the minimum": (4, np.linspace(323.0, 343.0, 5), 0.02, 0.0, 0.6158),
}


def weak_hop(seed, kelvin, relative_error, point, omega_tau):
    rng = np.random.default_rng(seed)
    tau = tau_c(kelvin, 0.45, log10_tau0(omega_tau / OMEGA, 333.0, 0.45))
    t1 = np.exp(ln_t1(tau, **SODIUM) + relative_error * rng.standard_normal(kelvin.size))
    return hop(kelvin, t1, relative_error, point=point), exact_grid(kelvin, t1, relative_error, point)


@pytest.mark.parametrize("case", WEAK)
def test_branches_weigh_as_on_a_dense_grid(case):
    process, (theta, weight) = weak_hop(*WEAK[case])
    modes = find_modes(model_of(process, probes=[nd.Probe(name="oven")]), np.random.default_rng(1))
    exact = branch_shares(theta, weight, WEAK[case][1])
    np.testing.assert_allclose(branch_shares(modes.draws, modes.draw_weight, WEAK[case][1]), exact, atol=0.01)
    if exact[2] < 1e-3:  # slow and fast are apart, so that modes and branches are the same thing
        np.testing.assert_allclose(branch_shares(modes.centre, modes.weight, WEAK[case][1]), exact, atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["two temperatures", "at the minimum"])
def test_draws_of_a_weak_study_are_those_of_a_dense_grid(case):
    process, (theta, weight) = weak_hop(*WEAK[case])
    posterior = nd.infer([process], seed=1, probes=[nd.Probe(name="oven")])
    assert posterior.attrs["passed"] == 1
    found = described(posterior, "hop")["branch"]
    shares = [found["slow"], found["fast"], found["crossing"]]
    # Shares come from 4,000 draws: a Monte Carlo error of at most 0.008, and 0.01 for the sampler.
    np.testing.assert_allclose(shares, branch_shares(theta, weight, WEAK[case][1]), atol=0.03)
    energy = posterior["posterior"]["hop.activation_energy"].values
    mean, sd = moments(theta[:, 0], weight)
    assert energy.mean() == pytest.approx(mean, abs=0.1 * sd)
    assert energy.std() == pytest.approx(sd, rel=0.05)


# What is refused, and where the prior is 0


@pytest.mark.parametrize(
    ("processes", "options", "words"),
    [
        ([], {}, ["at least one process"]),
        ([line("a"), line("a")], {}, ["different names", "a, a"]),
        ([line(probe="oven")], {}, ["eis", "'oven'", "none"]),
        ([line(probe="oven")], {"probes": [nd.Probe(name="bath")]}, ["eis", "'oven'", "bath"]),
        ([line()], {"priors": {"eis.cq": nd.Normal(1e6, 1e5)}}, ["eis.cq", "eis.activation_energy"]),
        ([line()], {"priors": {"other.eta": nd.Uniform(0, 1)}}, ["other.eta", "eis.activation_energy"]),
    ],
)
def test_processes_that_do_not_go_together_are_refused(processes, options, words):
    with pytest.raises(nd.InputError) as error:
        nd.infer(processes, seed=1, **options)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("kelvin", [[333.0], [333.0, 333.0], [333.0, np.nan]])
def test_fewer_than_two_temperatures_are_refused(kelvin):
    process = nd.Process("eis", transport(kelvin, np.ones(len(kelvin)), 0.02), mechanism=nd.Conductivity("sigma_T"))
    with pytest.raises(nd.InputError, match=r"eis: needed at least two temperatures, found 1"):
        nd.infer([process], seed=1)


def test_couplings_are_positive_and_asymmetries_within_their_range():
    kelvin = np.linspace(300.0, 480.0, 10)
    t1, _, _ = near_minimum(3, 0.05, kelvin=kelvin)
    wide = {"hop.cq": nd.Normal(1e6, 3e6), "hop.eta": nd.Normal(0.5, 2.0)}
    model = model_of(hop(kelvin, t1, 0.05), probes=[nd.Probe(name="oven", point=1.0)], priors=wide)
    assert model.parameters == ["hop.activation_energy", "hop.log10_tau0", "hop.cq", "hop.eta"]
    inside, *outside = np.array([[*THETA, cq, eta] for cq, eta in ((1e6, 0.1), (-1e6, 0.1), (1e6, -0.1), (1e6, 1.1))])
    assert np.isfinite(model(inside)[0])
    assert np.all(np.isneginf(model(np.array(outside))))
    # T1 knows only C_Q^2 (1 + eta^2/3): the mirror image at -C_Q fits as well, and must not be drawn.
    modes = find_modes(model, np.random.default_rng(1), draws=4000)
    drawn = modes.draws[modes.draw_weight > 0]
    assert np.all(drawn[:, 2] > 0)
    assert np.all((drawn[:, 3] >= 0) & (drawn[:, 3] <= 1))


# Seeds


def test_same_seed_gives_the_same_draws_and_leaves_numpy_alone(straight):
    np.random.seed(99)  # noqa: NPY002
    before = np.random.get_state(legacy=False)  # noqa: NPY002
    again, other = (infer([line()], seed=seed) for seed in (1, 2))
    np.testing.assert_equal(np.random.get_state(legacy=False), before)  # noqa: NPY002
    for group in ("posterior", "sample_stats", "posterior_predictive"):
        xr.testing.assert_identical(straight[group].dataset, again[group].dataset)
        for name, values in straight[group].dataset.items():
            assert not np.any(values.values[0, :500] == other[group][name].values[0, :500])
    energy = straight["posterior"]["eis.activation_energy"].values
    assert not np.any(energy[0] == energy[1])


# Diagnostics


def test_chains_that_disagree_do_not_pass():
    rng = np.random.default_rng(1)
    agree = rng.standard_normal((2, 4000, 2))
    apart = agree + np.array([0.0, 0.5])[:, None, None] * np.array([0.0, 1.0])
    tau, kept = np.ones(2), 4000
    assert np.all(diagnose(agree).r_hat < 1.01)
    assert converged(diagnose(agree), tau, kept)
    found = diagnose(apart)
    assert found.r_hat[0] < 1.01 < found.r_hat[1]
    assert not converged(found, tau, kept)


def test_each_diagnostic_can_fail_by_itself():
    good, tau = {"r_hat": np.array([1.0, 1.01]), "ess": np.array([1000.0, 9000.0])}, np.array([2.0, 10.0])
    assert converged(Diagnostics(**good), tau, 500)
    assert not converged(Diagnostics(**good | {"r_hat": np.array([1.0, 1.0101])}), tau, 500)
    assert not converged(Diagnostics(**good | {"ess": np.array([999.0, 9000.0])}), tau, 500)
    assert not converged(Diagnostics(**good | {"r_hat": np.array([1.0, np.nan])}), tau, 500)
    assert not converged(Diagnostics(**good), tau, 499)


def test_modes_that_all_ensembles_weigh_wrongly_are_noticed():
    # Ensembles agree, so that R-hat is 1, but draws visit the second mode as often as the share says.
    rng = np.random.default_rng(1)
    weight = np.array([0.9, 0.1])

    def labels(share):
        return (rng.random((2, 5000)) < share).astype(int)

    # Three errors of 10,000 independent draws and as many effective weights are 0.013, and 0.001 is allowed for.
    assert modes_agree(labels(0.10), weight, 10_000)
    assert not modes_agree(labels(0.13), weight, 10_000)
    assert not modes_agree(labels(0.07), weight, 10_000)
    assert not modes_agree(labels(0.0), weight, 10_000)
    assert modes_agree(labels(0.13), weight, 100)  # weights that are themselves uncertain
    stuck = np.repeat(labels(0.13)[:, :100], 50, axis=1)  # 200 independent draws
    assert modes_agree(stuck, weight, 10_000)
    assert modes_agree(labels(0.0), np.array([1.0 + 2e-16]), 10_000)  # one mode, rounded


def test_effective_draws_are_counted():
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((2, 20_000))
    chain = np.empty_like(noise)
    chain[:, 0] = noise[:, 0]
    for step in range(1, 20_000):
        chain[:, step] = 0.9 * chain[:, step - 1] + np.sqrt(1 - 0.81) * noise[:, step]
    # An autoregressive chain of coefficient a has an autocorrelation time of (1 + a)/(1 - a) = 19 steps.
    assert diagnose(noise[..., None]).ess[0] > 30_000
    assert 1000 < diagnose(chain[..., None]).ess[0] < 1.3 * 40_000 / 19
    assert autocorrelation_time(chain[:, :, None, None])[0] == pytest.approx(19, rel=0.3)


def test_stored_draws_keep_each_walker_in_one_piece(straight):
    draws = straight["posterior"]["eis.activation_energy"]
    steps = draws.sizes["draw"] // 128
    tau = described(straight, "eis")["diagnostics"]["autocorrelation_time"]
    assert tau > 2  # steps
    walkers = draws.values.reshape(2, 128, steps) - draws.values.mean()
    within = np.mean(walkers[:, :, 1:] * walkers[:, :, :-1]) / np.mean(walkers**2)
    between = np.mean(walkers[:, 1:] * walkers[:, :-1]) / np.mean(walkers**2)
    # A process with this autocorrelation time has a lag-one correlation of about (tau - 1)/(tau + 1); walkers of an
    # ensemble are nearly independent.
    assert within > 0.5 * (tau - 1) / (tau + 1)
    assert abs(between) < 0.05
    # Hence ArviZ counts no more draws than the chain is long, in its own autocorrelation times.
    ess = float(array_stats.ess(draws.values, method="bulk"))
    assert ess < 1.5 * draws.size * straight["posterior"].attrs["thinned_by"] / tau
    step_major = np.swapaxes(draws.values.reshape(2, 128, steps), 1, 2).reshape(2, -1)
    assert float(array_stats.ess(step_major, method="bulk")) > 1.5 * ess


# Remarks


@pytest.mark.slow
def test_curved_data_are_no_single_barrier():
    kelvin = np.linspace(290.0, 340.0, 8)
    rng = np.random.default_rng(1)
    # Vogel-Tamman-Fulcher with T0 = 230 K, slow throughout: the apparent barrier falls from 1.6 to 0.7 eV.
    tau = 1e-8 * np.exp(800 / (kelvin - 230))
    t1 = np.exp(ln_t1(tau, **SODIUM) + 0.03 * rng.standard_normal(kelvin.size))
    posterior = infer([hop(kelvin, t1, 0.03, point=0.5)], seed=1, probes=[nd.Probe(name="oven", offset=1.0)])
    misfit = described(posterior, "hop")["misfit"]
    assert misfit["dof"] == 6  # 8 temperatures, 2 parameters
    assert misfit["p"] < misfit["level"]
    found = remarks(posterior)["law-misfit"]
    assert found["where"] == "hop"
    assert f"chi-square {misfit['chi2']:.0f} for 6 degrees of freedom" in found["text"]


def test_straight_data_have_the_chi_square_of_the_line(straight):
    _, kelvin, _, noise = EVEN
    y = conductivity_case(*EVEN)[1]
    mean, _ = line_through(kelvin, y, np.eye(7))
    residual = y - np.log(10) * mean[1] + mean[0] / (K * kelvin)
    misfit = described(straight, "eis")["misfit"]
    assert misfit["dof"] == 5
    # The best of 500 draws stands for the line: chi-square of two parameters below 0.01 has probability 0.5 % each.
    assert misfit["chi2"] == pytest.approx(np.sum((residual / noise) ** 2), abs=0.05)
    # Five Monte Carlo errors of 4,000 simulated chi-squares.
    assert misfit["p_chi2"] == pytest.approx(stats.chi2(5).sf(misfit["chi2"]), abs=0.04)
    # What is quadratic in 1/T and no line can take up, in units of the noise: a standard normal.
    design = np.stack([np.ones(7), 1 / kelvin, 1 / kelvin**2], axis=1) / noise[:, None]
    bend = np.linalg.qr(design / np.linalg.norm(design, axis=0))[0][:, 2]
    z = bend @ (residual / noise)
    assert misfit["p_curvature"] == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.04)
    assert misfit["p"] == min(1.0, 2 * min(misfit["p_chi2"], misfit["p_curvature"]))
    assert "law-misfit" not in remarks(straight)


def test_t1_below_the_minimum_names_the_coupling_it_needs():
    kelvin = np.linspace(300.0, 480.0, 10)
    rng = np.random.default_rng(1)
    tau = tau_c(kelvin, 0.45, log10_tau0(0.6158 / OMEGA, 390.0, 0.45))
    t1 = np.exp(ln_t1(tau, cq=1.4e6, eta=0.1) + 0.02 * rng.standard_normal(10))
    process = nd.Process("hop", relaxation(kelvin, t1, 0.02), mechanism=nd.BPP(**SODIUM))
    posterior = infer([process], seed=1, priors={"hop.cq": nd.Normal(1e6, 5e4)})
    found = remarks(posterior)
    # The shortest T1, at omega tau = 0.6158, is proportional to C_Q^-2.
    shortest = np.exp(ln_t1(0.6158 / OMEGA, **SODIUM))
    low = t1 < shortest
    assert 2 <= low.sum() < 10
    where = ", ".join(str(index + 1) for index in np.flatnonzero(low))
    text = found["t1-below-minimum"]["text"]
    assert found["t1-below-minimum"]["where"] == f"hop/{where}"
    assert f"at least {np.sqrt(shortest / t1.min()):.3g} MHz" in text
    assert f"({shortest:.3g} s)" in text
    assert all(f"{value:g}" in text for value in kelvin[low])
    # The data pull C_Q to 1.4 MHz, eight of its standard deviations away.
    assert found["prior-conflict"]["where"] == "hop.cq"
    assert "no-temperature-error" in found
    motion = posterior["processes/hop/motion"].dataset
    assert np.array_equal(~motion["feasible"].values, low)
    assert np.all(np.isnan(motion["tau_c"].values[low]))


def test_scatter_without_errors_gives_students_t():
    kelvin, barrier = np.arange(280.0, 361.0, 10.0), 0.5
    rng = np.random.default_rng(1)
    y = np.log(1e5) - barrier / (K * kelvin) + 0.05 * rng.standard_normal(9)
    data = transport(kelvin, np.exp(y), np.nan)
    posterior = nd.infer([nd.Process("eis", data, mechanism=nd.Conductivity("sigma"))], seed=1)
    mean, unit = line_through(kelvin, y, np.eye(9))
    residual = y - np.log(10) * mean[1] + mean[0] / (K * kelvin)
    scale = np.sqrt(unit[0, 0] * residual @ residual / 7)
    # A flat prior on the log of the noise makes the barrier Student-t with 9 - 2 degrees of freedom (Jeffreys).
    energy = posterior["posterior"]["eis.activation_energy"].values
    ess = described(posterior, "eis")["diagnostics"]["ess"]
    for level in (0.025, 0.16, 0.5, 0.84, 0.975):
        below = np.mean(energy < mean[0] + scale * stats.t(7).ppf(level))
        assert below == pytest.approx(level, abs=5 * np.sqrt(level * (1 - level) / ess))
    found = remarks(posterior)
    assert "no-conductivity-error" in found
    assert f"kT ({1e3 * K * 320:.0f} meV)" in found["sigma-convention"]["text"]


def test_shared_runs_that_share_nothing_are_named():
    probe = nd.Probe(name="oven", point=1.0, same_runs=True)
    t1, other, _ = near_minimum(2, 0.02)
    apart = model_of(hop(KELVIN, t1, 0.02), rotation(KELVIN + 2, other, 0.02), probes=[probe])
    (found,) = _of_probes(apart)
    assert (found.code, found.where) == ("no-shared-runs", "oven")
    together = model_of(hop(KELVIN, t1, 0.02), rotation(KELVIN, other, 0.02), probes=[probe])
    assert not list(_of_probes(together))


# A study that did not converge: what it says, and how it is stored


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """Seven parameters, 250 steps: recoveries of which one is empty and one has no temperature, and conductivities."""
    truth = nd.RelaxationTruth(
        larmor_frequency=LARMOR,
        activation_energy=0.45,
        tau_c=1e-5,
        reference_temperature=333.15,
        temperature=np.linspace(290.0, 340.0, 6),
        **SODIUM,
    )
    recovery = nd.simulate(truth, seed=1)
    recovery["signal"][1] = np.nan
    recovery["reason"][1] = "ser holds only zeros"
    recovery["temperature"][2] = np.nan
    mechanism = nd.BPP(**SODIUM)
    oven, bath = nd.Probe(name="oven", point=1.0, offset=1.0), nd.Probe(name="bath", offset=1.0)
    processes = [
        nd.Process("Na hop", recovery, mechanism=mechanism, recovery=nd.SingleExponential(), probe="oven"),
        line(probe="bath"),
    ]
    priors = {"Na hop.cq": nd.Normal(1e6, 5e4)}
    posterior = nd.infer(processes, seed=1, probes=[oven, bath], priors=priors, max_steps=250)
    folder = tmp_path_factory.mktemp("unfinished")
    return posterior, nd.report(posterior, folder), folder


def test_too_few_steps_are_told_everywhere(unfinished):
    posterior, summary, folder = unfinished
    assert posterior.attrs["passed"] == 0
    assert "in 250 steps" in remarks(posterior)["not-converged"]["text"]
    comparison = nd.compare(posterior)
    assert comparison.verdict.item() == "undecided"
    assert comparison.reason.item() == "the sampler did not converge"
    assert summary["diagnostics"]["passed"] is False
    assert summary["differences"]["Na hop - eis"]["verdict"] == "undecided"
    assert verdict_lines(summary)[0].startswith("NOT CONVERGED")
    body = (folder / "report.html").read_text(encoding="utf-8").split("<body>")[1].strip()
    assert body.startswith('<p class="alarm">The sampler did not converge')


def test_empty_rows_stay_with_their_reason(unfinished):
    posterior, _, _ = unfinished
    relaxation = posterior["processes/Na hop/relaxation"].dataset
    assert relaxation.sizes["experiment"] == 6
    assert np.isnan(relaxation["t1"].values[1])
    assert relaxation["reason"].values[1] == "ser holds only zeros"
    found = remarks(posterior)
    assert (found["no-t1"]["where"], found["no-t1"]["text"]) == ("Na hop/2", "ser holds only zeros")
    assert found["no-temperature"]["where"] == "Na hop/3"
    # Deep on the slow branch, with a single exponential, spin 3/2.
    assert found["several-exponentials"]["where"] == "Na hop"
    # Four rows are usable.
    assert posterior["observed_data"]["Na hop.ln_t1"].size == 4


def test_posterior_has_the_layout_that_arviz_reads(unfinished):
    posterior, _, _ = unfinished
    assert posterior.attrs["stage"] == "posterior"
    draws = posterior["posterior"].dataset
    assert set(draws) == {
        "Na hop.activation_energy",
        "Na hop.log10_tau0",
        "Na hop.scatter",
        "Na hop.cq",
        "eis.activation_energy",
        "eis.log10_prefactor",
        "eis.scatter",
        "oven.offset",
        "bath.offset",
    }
    assert all(values.dims == ("chain", "draw") for values in draws.values())
    assert draws["Na hop.activation_energy"].attrs["units"] == "eV"
    assert draws["oven.offset"].attrs["units"] == "K"
    assert draws.sizes["chain"] == 2
    assert {"sampler", "steps"} <= set(draws.attrs)
    assert posterior["sample_stats"]["lp"].dims == ("chain", "draw")
    assert posterior["sample_stats"]["lp"].shape == draws["oven.offset"].shape
    observed, predictive = posterior["observed_data"].dataset, posterior["posterior_predictive"].dataset
    assert set(observed) == set(predictive) == {"Na hop.ln_t1", "eis.ln_sigma"}
    for name in observed:
        assert predictive[name].dims == ("chain", "draw", *observed[name].dims)
    assert set(posterior["processes"].children) == {"Na hop", "eis"}
    assert {"recovery", "relaxation", "motion"} <= set(posterior["processes/Na hop"].children)
    assert "transport" in posterior["processes/eis"].children
    for stage in ("recovery", "relaxation", "motion"):
        assert posterior[f"processes/Na hop/{stage}"].attrs["stage"] == stage
    motion = posterior["processes/Na hop/motion"].dataset
    used = np.array([0, 3, 4, 5])
    np.testing.assert_allclose(motion["branch_probability"].values[used].sum(axis=1), 1)


def test_replicated_data_scatter_like_the_observed(unfinished):
    posterior, _, _ = unfinished
    replicated = posterior["posterior_predictive"]["eis.ln_sigma"].values[0]
    # The line has 7 points of 2 % noise and an offset of its thermometer: what is predicted is the line with noise.
    scatter = (replicated - posterior["observed_data"]["eis.ln_sigma"].values).std(axis=0)
    assert np.all((scatter > 0.015) & (scatter < 0.06))


def test_results_open_again_as_they_were(unfinished):
    posterior, _, folder = unfinished
    with xr.open_datatree(folder / "results.nc", engine="h5netcdf") as stored:
        xr.testing.assert_equal(stored.load(), posterior)
        for key, value in posterior.attrs.items():
            assert stored.attrs[key] == value
        kinds = (str, int, float, np.integer, np.floating)
        for group in stored.subtree:
            attrs = [group.attrs, *(variable.attrs for variable in group.variables.values())]
            assert all(isinstance(value, kinds) for each in attrs for value in each.values())
        assert "signal" in stored["processes/Na hop/recovery"]
    again = nd.compare(stored)
    xr.testing.assert_identical(again, nd.compare(posterior))


# Coverage


def study_of_one_nucleus(seed):
    """Recoveries at ten temperatures across the T1 minimum, each nuisance drawn from what the model believes of it."""
    rng = np.random.default_rng([seed, 7])
    truth = nd.RelaxationTruth(
        nucleus="23Na",
        larmor_frequency=LARMOR,
        cq=rng.normal(1e6, 5e4),
        eta=0.1,
        activation_energy=rng.uniform(0.35, 0.55),
        tau_c=0.6158 / OMEGA,
        reference_temperature=rng.uniform(330, 450),
        temperature=np.linspace(300.0, 480.0, 10),
        temperature_error=rng.normal(0, 1, 10) + rng.normal(0, 1),
        snr=60,
    )
    recovery = nd.simulate(truth, seed=seed)
    fitted = nd.fit_recovery(recovery, "single")
    fitted = fitted.assign_coords(temperature_stderr=("experiment", np.ones(10)))
    process = nd.Process("hop", fitted, mechanism=nd.BPP(**SODIUM), probe="oven")
    probe = nd.Probe(name="oven", point=1.0, offset=1.0)
    model = model_of(process, probes=[probe], priors={"hop.cq": nd.Normal(1e6, 5e4)})
    modes = find_modes(model, np.random.default_rng(seed))
    return truth.activation_energy, modes.draws[:, 0], modes.draw_weight


def ranks(studies):
    """The posterior probability below the truth, of each study."""
    found = []
    for seed in range(studies):
        truth, energy, weight = study_of_one_nucleus(seed)
        found.append(weight[energy < truth].sum())
    return np.array(found)


def test_intervals_hold_the_truth():
    below = ranks(30)
    # Binomial(30, 0.95) is below 25 with probability 0.3 %.
    assert np.sum(np.abs(below - 0.5) < 0.475) >= 25
    # Normal scores: 99.9 % of chi-square with 30 degrees of freedom; error bars of half the size exceed it.
    assert 10.8 < np.sum(stats.norm.ppf(below) ** 2) < 62.2


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    below = ranks(200)
    # Binomial(200, 0.95): 181 to 198 holds 99.7 %; Binomial(200, 0.5): 77 to 123 holds 99.9 %.
    assert 181 <= np.sum(np.abs(below - 0.5) < 0.475) <= 198
    assert 77 <= np.sum(np.abs(below - 0.5) < 0.25) <= 123
    # Ranks of the truth are uniform.
    assert stats.kstest(below, "uniform").pvalue > 1e-3


def test_law_that_holds_is_called_misfit_as_often_as_the_level_says_where_errors_have_few_degrees_of_freedom():
    # Student-t errors of 4 degrees of freedom about a straight line; a chi-square null would call a quarter misfit.
    kelvin, wrong, studies = np.linspace(300.0, 400.0, 10), 0, 60
    for seed in range(studies):
        rng = np.random.default_rng([7, seed])
        tau = tau_c(kelvin, 0.45, log10_tau0(100 / OMEGA, 333.0, 0.45))
        t1 = np.exp(ln_t1(tau, **SODIUM) + 0.03 * rng.standard_t(4, kelvin.size))
        model = model_of(hop(kelvin, t1, 0.03, 4, point=0.0), probes=[nd.Probe(name="oven")])
        modes = find_modes(model, rng, draws=2000)
        wrong += predict(model, modes.draws[modes.draw_weight > 0], rng).misfits[0].p < 0.05
    # Binomial: more than 9 of 60 at 5 % has a probability of 0.1 %.
    assert wrong <= 9


def test_rows_without_a_value_above_0_or_without_a_temperature_are_not_used():
    truth = nd.ConductivityTruth(
        activation_energy=0.5, conductivity=1e-2, reference_temperature=300, temperature=range(280, 341, 10)
    )
    eis = nd.simulate(truth, seed=1)
    eis.conductivity.values[[1, 2, 3]] = [0.0, -1e-3, np.nan]
    eis.temperature.values[4] = np.nan
    assert usable_rows(eis, "transport").tolist() == [0, 5, 6]
    used = measurements(nd.Process("eis", eis, mechanism=nd.Conductivity("sigma_T")), {"transport": eis})
    assert used.rows.tolist() == [0, 5, 6]
