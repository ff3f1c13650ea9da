"""The joint model as a whole: traces, populations, laws, fields, thermometers, blocks, checkpoints and remarks.

Energies are in eV, times in s, temperatures in K. Formulas here are written anew, not taken from the package.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.integrate import trapezoid
from scipy.special import logsumexp

import nmrdyn as nd
from nmrdyn.inference.blocks import blocks_of
from nmrdyn.inference.measurements import measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import find_modes
from nmrdyn.inference.posterior import nuisances
from nmrdyn.inference.sampler import _Run
from nmrdyn.inference.stages import stages_of
from nmrdyn.recovery.table import MarginalTable
from nmrdyn.schema import stamp

K = 8.617333262e-5  # eV/K, CODATA 2018
LARMOR = 132.32e6
SODIUM = {"nucleus": "23Na", "cq": 1e6, "eta": 0.1}
BORON = {"nucleus": "11B", "cq": 0.1e6, "eta": 0.4}
MINIMUM = 0.6158  # omega tau at the T1 minimum of a spin 3/2


def ln_t1(tau, *, cq=1e6, eta=0.1, larmor=LARMOR, **_):
    """ln T1 of a spin 3/2 (Abragam 1961, ch. VIII): 1/T1 = 2 pi^2/25 C_Q^2 (1 + eta^2/3) [J(w) + 4 J(2w)]."""
    omega = 2 * np.pi * larmor
    densities = tau / (1 + (omega * tau) ** 2) + 4 * tau / (1 + (2 * omega * tau) ** 2)
    return -np.log(2 * np.pi**2 / 25 * cq**2 * (1 + eta**2 / 3) * densities)


def tau_c(kelvin, barrier, log10_tau0):
    return 10.0**log10_tau0 * np.exp(barrier / (K * kelvin))


def log10_tau0(tau, kelvin, barrier):
    return np.log10(tau) - barrier / (K * kelvin) / np.log(10)


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


def relaxation(kelvin, t1, relative_error, *, dof=None, nucleus="23Na", larmor=LARMOR):
    n, t1 = len(kelvin), np.asarray(t1)
    data = {"t1": ("experiment", t1), "t1_stderr": ("experiment", relative_error * t1)}
    if dof is not None:
        data["t1_dof"] = ("experiment", np.full(n, float(dof)))
    coords = conditions(kelvin) | {"larmor_frequency": ("experiment", np.full(n, larmor))}
    return stamp(xr.Dataset(data, coords=coords), "relaxation", nucleus=nucleus)


def correlation_times(kelvin, tau, relative_error):
    both = ("experiment", "branch")
    data = {"tau_c": (both, tau[:, None]), "tau_c_stderr": (both, relative_error * tau[:, None])}
    data["feasible"] = ("experiment", np.ones(len(kelvin), dtype=bool))
    return stamp(xr.Dataset(data, coords=conditions(kelvin) | {"branch": ["slow"]}), "motion")


def ready(*processes, probes=(), priors=None, likelihood="traces"):
    """The joint model as `infer` makes it."""
    known, believed = {probe.name: probe for probe in probes}, priors or {}
    data = [
        measurements(
            one, stages_of(one, known), likelihood=likelihood, scatter=believed.get(f"{one.name}.scatter") != 0
        )
        for one in processes
    ]
    return JointModel(data, known, believed, fast=likelihood == "fast")


def searched(model, seed=1, **kwargs):
    return find_modes(model, np.random.default_rng(seed), **kwargs)


def weighed(modes, value):
    """Mean and sd of a function of the weighted draws, and the Monte Carlo error of each."""
    weight = modes.draw_weight
    mean = weight @ value
    square = (value - mean) ** 2
    sd = np.sqrt(weight @ square)
    return mean, sd, np.sqrt(weight**2 @ square), np.sqrt(weight**2 @ (square - sd**2) ** 2) / (2 * sd)


def assert_moments(modes, value, mean, sd):
    """Weighted draws have this mean and sd, within five Monte Carlo errors."""
    found, spread, mean_error, sd_error = weighed(modes, value)
    assert modes.effective_draws > 1000
    assert abs(found - mean) < 5 * mean_error
    assert abs(spread - sd) < 5 * sd_error


def least_squares(design, y, covariance):
    """Generalised least squares under flat priors: mean and covariance of the coefficients."""
    weighted = np.linalg.solve(covariance, design)
    spread = np.linalg.inv(design.T @ weighted)
    return spread @ (weighted.T @ y), spread


def line(kelvin):
    """The design of ln sigma T: columns of Ea and of the log10 prefactor."""
    return np.stack([-1 / (K * kelvin), np.full(kelvin.size, np.log(10))], axis=1)


def codes(posterior):
    return {remark["code"] for remark in json.loads(posterior.attrs["warnings"])}


def remark(posterior, code):
    (found,) = [one for one in json.loads(posterior.attrs["warnings"]) if one["code"] == code]
    return found


def conductivity(name, kelvin, barrier, noise, *, seed=1, actual=None, errors=True, **kwargs):
    """sigma T = 1e5 exp(-Ea/kT) with noise; the process and ln sigma T as read."""
    rng = np.random.default_rng(seed)
    actual = kelvin if actual is None else actual
    ln_sigma = np.log(1e5) - barrier / (K * actual) - np.log(actual) + noise * rng.standard_normal(kelvin.size)
    data = transport(kelvin, np.exp(ln_sigma), noise if errors else np.nan)
    return nd.Process(name, data, mechanism=nd.Conductivity("sigma_T"), **kwargs), ln_sigma + np.log(kelvin)


# The likelihood from traces


RUNS = np.linspace(350.0, 370.0, 5)


def truth_of(nucleus, kelvin, **kwargs):
    """Recoveries across the T1 minimum, which lies at 360 K unless another tau_c is said."""
    said = {"activation_energy": 0.45, "tau_c": MINIMUM / (2 * np.pi * LARMOR), "reference_temperature": 360.0}
    return nd.RelaxationTruth(larmor_frequency=LARMOR, temperature=kelvin, **(nucleus | said | kwargs))


def hop(kelvin, nucleus=SODIUM, name="hop", *, seed=1, probe="oven", recovery=None, **kwargs):
    data = nd.simulate(truth_of(nucleus, kelvin, **kwargs), seed=seed)
    model = recovery or nd.SingleExponential()
    return nd.Process(name, data, mechanism=nd.BPP(**nucleus), recovery=model, probe=probe)


def row_of(one, row, theta, scatter, error, kelvin, nucleus):
    """ln L of one trace with its temperature off by `error` (node,), from its table."""
    predicted = ln_t1(tau_c(kelvin + error, *theta), **nucleus)
    sd = None if scatter is None else np.array([scatter])
    return one.table.select([row]).log_density(predicted[None, None], scatter=sd)[0, 0]


@pytest.fixture(scope="module")
def traces():
    """Two nuclei in the same runs with and without scatter: the model and its scatter."""
    rng = np.random.default_rng(3)
    true = rng.standard_normal(RUNS.size)
    processes = [
        hop(RUNS, temperature_error=true, snr=30.0),
        hop(RUNS, BORON, "rotation", seed=2, temperature_error=true, snr=30.0),
    ]
    return {
        (scattered, same_runs): ready(
            *processes,
            probes=[nd.Probe(name="oven", point=1.0, same_runs=same_runs)],
            priors={} if scattered else {"hop.scatter": 0.0, "rotation.scatter": 0.0},
        )
        for scattered in (True, False)
        for same_runs in (True, False)
    }


@pytest.mark.parametrize("scatter", [None, 0.02, 0.1])
@pytest.mark.parametrize("same_runs", [True, False])
def test_likelihood_of_traces_is_their_integral_over_each_temperature(scatter, same_runs, traces):
    model = traces[scatter is not None, same_runs]
    assert all(one.table is not None for one in model.data)
    error = np.linspace(-9, 9, 4001)
    for energy, shift in ((0.0, 0.0), (0.05, -0.02), (-0.1, 0.03)):
        theta = []
        for barrier in (0.45, 0.45):
            tau = MINIMUM / (2 * np.pi * LARMOR) * np.exp(shift)
            theta.append([barrier + energy, log10_tau0(tau, 360.0, barrier + energy)])
        rows = [
            [row_of(one, row, at, scatter, error, RUNS[row], nucleus) for row in range(RUNS.size)]
            for one, at, nucleus in zip(model.data, theta, (SODIUM, BORON), strict=True)
        ]
        runs = np.sum(rows, axis=0) if same_runs else np.concatenate(rows)
        exact = logsumexp(runs - error**2 / 2, axis=1) + np.log(error[1] - error[0])
        more = [] if scatter is None else [scatter]
        found = model.runs_log_likelihood(np.array([[*theta[0], *more, *theta[1], *more]]))[0]
        assert found.size == (5 if same_runs else 10)
        np.testing.assert_allclose(found, exact, rtol=0, atol=2e-3)
        assert np.ptp(exact) > 0.1  # runs differ, or their order would not matter


# Populations


POPULATIONS = nd.PopulationRecovery(spin=1.5, interaction="quad", initial="all_sat", observed="total")
ACROSS = np.linspace(300.0, 480.0, 10)


@pytest.fixture(scope="module")
def levels():
    """Recoveries of SNR 200 whose levels relax with two rates, about the minimum: their processes by model."""
    truth = truth_of(SODIUM, ACROSS, reference_temperature=390.0, snr=200.0, recovery=POPULATIONS)
    data, mechanism = nd.simulate(truth, seed=1), nd.BPP(**SODIUM)
    models = (POPULATIONS, nd.SingleExponential())
    return [ready(nd.Process("hop", data, mechanism=mechanism, recovery=model)) for model in models]


def test_populations_are_asked_at_the_ratio_of_their_correlation_time(levels, monkeypatch):
    asked, log_density = [], MarginalTable.log_density

    def spied(self, log_t1, *, scatter=None, ratio=None):
        asked.append(ratio)
        return log_density(self, log_t1, scatter=scatter, ratio=ratio)

    monkeypatch.setattr(MarginalTable, "log_density", spied)
    theta = np.array([[0.45, -13.0, 0.0], [0.3, -10.0, 0.0], [0.6, -15.0, 0.0]])
    levels[0].log_likelihood(theta)
    squared = (2 * np.pi * LARMOR * tau_c(ACROSS, theta[:, :1], theta[:, 1:2])) ** 2
    # J(w)/J(2w) of a Debye process: 1 where it is fast, 4 where it is slow.
    np.testing.assert_allclose(asked[0][:, :, 0], (1 + 4 * squared) / (1 + squared), rtol=1e-9)


def test_single_exponential_shifts_the_barrier_where_levels_relax_with_two_rates(levels):
    (right, sd), (wrong, wrong_sd) = (
        weighed(modes, modes.draws[:, 0])[:2] for modes in (searched(model) for model in levels)
    )
    assert abs(right - 0.45) < 3.3 * sd < 5e-3
    # On the slow side the slower rate is seen, so that T1 rises more steeply: upwards, by some 10 meV.
    assert 5e-3 < wrong - 0.45 < 20e-3
    assert wrong - 0.45 > 3.3 * wrong_sd


# Student-t errors with scatter


def shapes(dof, ratio):
    """ln density of T1 by the model and by convolution, for |z| up to 4 of their joint error."""
    stderr, z = 0.02, np.linspace(-4, 4, 33)
    total, scatter = stderr * np.hypot(1, ratio), stderr * ratio
    kelvin, theta = 320.0 + 0.01 * np.arange(z.size), [0.45, -13.0]
    t1 = np.exp(ln_t1(tau_c(kelvin, *theta), **SODIUM) + z * total)
    process = nd.Process("hop", relaxation(kelvin, t1, stderr, dof=dof), mechanism=nd.BPP(**SODIUM))
    found = ready(process).runs_log_likelihood(np.array([[*theta, scatter]]))[0] + np.log(total)
    wide = np.linspace(-9, 9, 3601)[:, None]
    density = stats.t(dof).pdf((z * total - scatter * wide) / stderr) / stderr * stats.norm.pdf(wide)
    exact = np.log(trapezoid(density, wide[:, 0], axis=0) * total * np.sqrt(2 * np.pi))
    return z, found, exact


# Beyond two errors the approximation has too light tails where the noise has few degrees of freedom: ln density is
# off by up to 0.5 (13) and 1.0 (5) at |z| = 4.
@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0])
@pytest.mark.parametrize(("dof", "reach", "most"), [(5, 2.0, 0.11), (13, 2.0, 0.06), (400, 4.0, 0.011)])
def test_student_t_with_scatter_is_close_to_the_convolution(dof, reach, most, ratio):
    z, found, exact = shapes(dof, ratio)
    assert np.abs(found - exact)[np.abs(z) <= reach].max() < most


# Laws


COLD = np.arange(250.0, 351.0, 10.0)
EXACT = {"eis.scatter": 0.0}


def glass(kelvin, noise, *, seed, law):
    """1/(sigma T) = 1e-9 exp(900 K/(T - 170 K)), a Vogel-Fulcher-Tammann law."""
    rng = np.random.default_rng(seed)
    ln_sigma = np.log(1e9) - 900 / (kelvin - 170) - np.log(kelvin) + noise * rng.standard_normal(kelvin.size)
    return nd.Process("eis", transport(kelvin, np.exp(ln_sigma), noise), mechanism=nd.Conductivity("sigma_T"), law=law)


def test_curved_law_is_told_from_a_straight_one_and_holds_its_truth():
    process = glass(COLD, 0.05, seed=1, law=nd.VTF())
    found = nd.compare_laws(process, [nd.Arrhenius(), nd.VTF()], seed=1, priors=EXACT)["log_evidence"]
    assert found.sel(law="vtf") - found.sel(law="arrhenius") > np.log(100)
    modes = searched(ready(process, priors=EXACT))
    for column, truth in enumerate((900.0, 170.0, 9.0)):
        mean, sd, _, _ = weighed(modes, modes.draws[:, column])
        assert abs(mean - truth) < 3.3 * sd
    assert weighed(modes, modes.draws[:, 1])[1] < 30  # K: the prior alone has 115


def test_straight_data_do_not_speak_for_another_law():
    # Odds above 100 for a wrong law occur in fewer than one study in 100 (Markov), so in 12 at most one in ten times.
    for seed in range(12):
        process, _ = conductivity("eis", COLD[::2], 0.5, 0.05, seed=seed)
        found = nd.compare_laws(process, [nd.Arrhenius(), nd.VTF()], seed=seed, priors=EXACT)
        gain = found["log_evidence"] - found["log_evidence"].sel(law="arrhenius")
        assert float(gain.max()) < np.log(100)


def test_there_are_no_probabilities_of_laws_whose_evidence_is_hardly_known(monkeypatch):
    def poor(*_, **__):
        return SimpleNamespace(log_evidence=-3.0, log_evidence_stderr=errors.pop())

    monkeypatch.setattr("nmrdyn.inference.evidence.find_modes", poor)
    process, _ = conductivity("eis", COLD[::2], 0.5, 0.05)
    errors = [0.2] * 4
    assert nd.compare_laws(process, [nd.Arrhenius(), nd.VTF()], seed=1)["probability"].values.tolist() == [0.5, 0.5]
    errors = [0.2, 0.2, 2.0, 2.0]
    found = nd.compare_laws(process, [nd.Arrhenius(), nd.VTF()], seed=1)
    assert found["log_evidence_stderr"].values[0] > 1
    assert np.isnan(found["probability"]).all()


def test_evidence_of_a_straight_line_is_the_closed_form():
    process, y = conductivity("eis", COLD[::2], 0.5, 0.05)
    mean, spread = least_squares(line(COLD[::2]), y, 0.05**2 * np.eye(6))
    residual = y - line(COLD[::2]) @ mean
    # Flat priors of 2 eV and 35 decades; without the constant of six normal densities.
    exact = -residual @ residual / 2 / 0.05**2 - 6 * np.log(0.05)
    exact += np.log(2 * np.pi) + np.linalg.slogdet(spread)[1] / 2 - np.log(2 * 35)
    found = nd.compare_laws(process, [nd.Arrhenius()], seed=1, priors=EXACT)
    assert abs(found["log_evidence"].item() - exact) < 5 * found["log_evidence_stderr"].item() < 0.1


def test_eyring_and_arrhenius_agree_on_the_apparent_barrier():
    rng = np.random.default_rng(1)
    kelvin = np.arange(290.0, 341.0, 10.0)
    tau = tau_c(kelvin, 0.45, -13.0) * np.exp(0.05 * rng.standard_normal(kelvin.size))
    found = []
    for law in (nd.Arrhenius(), nd.Eyring()):
        data = correlation_times(kelvin, tau, 0.05)
        model = ready(nd.Process("hop", data, mechanism=nd.CorrelationTime(), law=law), priors={"hop.scatter": 0.0})
        modes = searched(model)
        found.append(weighed(modes, model.barriers(modes.draws)["hop"])[:2])
    (mean, sd), (other, other_sd) = found
    # They differ by the curvature of ln T alone, over 15 % of T.
    assert abs(mean - other) < 0.15 * sd
    assert other_sd == pytest.approx(sd, rel=0.05)
    assert abs(mean - 0.45) < 3.3 * sd


# A phase transition


def two_phases(kelvin, noise, *, at=301.0, seed=1, **kwargs):
    """Barriers of 0.6 eV below a transition and 0.4 eV above, where sigma jumps by a factor of 20."""
    rng = np.random.default_rng(seed)
    below, above = -0.6 / (K * kelvin), -0.4 / (K * kelvin) - 0.2 / (K * at) + np.log(20)
    y = 20 + np.where(kelvin < at, below, above) + noise * rng.standard_normal(kelvin.size)
    data = transport(kelvin, np.exp(y - np.log(kelvin)), noise)
    return nd.Process("eis", data, mechanism=nd.Conductivity("sigma_T"), **kwargs), y


@pytest.fixture(scope="module")
def phases():
    process, y = two_phases(COLD, 0.05, transition=301.0)
    return nd.infer([process], seed=1, priors=EXACT), y


def test_each_side_of_a_transition_has_the_barrier_of_its_own_line(phases):
    posterior, y = phases
    assert posterior.attrs["passed"] == 1
    comparison = nd.compare(posterior)
    assert comparison["process"].values.tolist() == ["eis below", "eis above"]
    assert comparison["pair"].values.tolist() == ["eis below - eis above"]
    assert "eis.activation_energy" not in posterior["posterior"]  # no line across
    ess = json.loads(posterior.attrs["processes"])["eis"]["diagnostics"]["ess"]
    for label, side in (("eis below", COLD < 301), ("eis above", COLD >= 301)):
        mean, spread = least_squares(line(COLD[side]), y[side], 0.05**2 * np.eye(side.sum()))
        draws = comparison["activation_energy"].sel(process=label).values
        sd = np.sqrt(spread[0, 0])
        assert abs(draws.mean() - mean[0]) < 5 * sd / np.sqrt(ess)
        assert abs(draws.std() / sd - 1) < 5 / np.sqrt(2 * ess)
    assert remark(posterior, "two-phases")["where"] == "eis"
    assert "301 K" in remark(posterior, "two-phases")["text"]


def test_data_on_one_side_of_a_transition_have_one_law():
    kelvin = COLD
    assert two_phases(kelvin, 0.05, transition=301.0)[0].law == nd.PhaseTransition(temperature=301.0)
    for outside in (240.0, 250.0, 351.0):  # the transition belongs to the side above
        assert two_phases(kelvin, 0.05, transition=outside)[0].law == nd.Arrhenius()
    assert two_phases(kelvin, 0.05, transition=340.0)[0].law == nd.PhaseTransition(temperature=340.0)
    with pytest.raises(nd.InputError, match=r"eis: .*350 K, found 10 below and 1 above"):  # no line through one point
        two_phases(kelvin, 0.05, transition=350.0)


@pytest.mark.parametrize("at", [301.0, 285.0])
def test_evidence_of_an_inferred_transition_is_the_closed_form(at):
    process, y = two_phases(COLD, 0.05, at=at)
    # It may lie anywhere in a gap of 10 K, of the 1,450 K that its prior allows; then each side is a straight line.
    exact = np.log(10 / 1450) - COLD.size * np.log(0.05)
    for side in (at > COLD, at <= COLD):
        mean, spread = least_squares(line(COLD[side]), y[side], 0.05**2 * np.eye(side.sum()))
        residual = y[side] - line(COLD[side]) @ mean
        exact += (
            np.log(2 * np.pi) + np.linalg.slogdet(spread)[1] / 2 - np.log(2 * 35) - residual @ residual / 2 / 0.05**2
        )
    found = nd.compare_laws(process, [nd.PhaseTransition()], seed=1, priors=EXACT)
    assert abs(found["log_evidence"].item() - exact) < max(0.1, 5 * found["log_evidence_stderr"].item())


def test_inferred_transition_lies_between_the_temperatures_about_it():
    process, _ = two_phases(COLD, 0.05, law=nd.PhaseTransition())
    posterior = nd.infer([process], seed=1, priors=EXACT, max_steps=120)
    drawn = posterior["posterior"]["eis.transition_temperature"].values
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert low < 301.0 < high
    # Between two temperatures all are alike: a uniform distribution of their distance.
    assert (drawn.min(), drawn.max()) == pytest.approx((300.0, 310.0), abs=0.1)
    assert (low, high) == pytest.approx((300.25, 309.75), abs=0.2)


# Several fields and several thermometers


def at_fields(seed, larmors, omega_tau=3.0):
    """T1 at two temperatures 4 K apart, known to 8 %, at each field: too little to tell the branch by."""
    rng = np.random.default_rng(seed)
    kelvin = np.array([333.0, 337.0])
    tau = tau_c(kelvin, 0.45, log10_tau0(omega_tau / (2 * np.pi * LARMOR), 333.0, 0.45))
    parts = []
    for larmor in larmors:
        t1 = np.exp(ln_t1(tau, larmor=larmor, **SODIUM) + 0.08 * rng.standard_normal(2))
        parts.append(relaxation(kelvin, t1, 0.08, larmor=larmor))
    return parts


def slow_share(data):
    process = nd.Process("hop", data, mechanism=nd.BPP(**SODIUM))
    modes = searched(ready(process, priors={"hop.scatter": 0.0}))
    tau = tau_c(333.0, modes.draws[:, 0], modes.draws[:, 1])
    return modes.draw_weight[tau > MINIMUM / (2 * np.pi * LARMOR)].sum()


def test_two_fields_decide_where_one_cannot():
    one, other = at_fields(9, [LARMOR, 2.5 * LARMOR])
    assert 0.05 < slow_share(one) < 0.95
    assert 0.05 < slow_share(other) < 0.95
    # T1 grows with the square of the field where tau_c is long, and does not know it where it is short.
    assert slow_share(nd.join([one, other])) > 0.999


def test_joined_data_keep_their_names_fields_and_rows():
    first = nd.simulate(truth_of(SODIUM, [300.0, 320.0]), seed=1)
    second = nd.simulate(truth_of(SODIUM, [310.0], delays=np.geomspace(1e-3, 1.0, 9)), seed=2)
    both = nd.join([first, second.assign_coords(larmor_frequency=("experiment", [211.6e6]))])
    assert both["experiment"].values.tolist() == ["1/1", "1/2", "2/1"]
    assert both["larmor_frequency"].values.tolist() == [LARMOR, LARMOR, 211.6e6]
    assert both.attrs["stage"] == "recovery"
    assert both["signal"].shape == (3, 16)
    np.testing.assert_array_equal(both["signal"].values[2, :9], second["signal"].values[0])
    assert np.isnan(both["signal"].values[2, 9:]).all()
    # Padding changes nothing that is fitted.
    alone = nd.fit_recovery(second, "single")
    assert nd.fit_recovery(both, "single")["t1"].values[2] == alone["t1"].item()
    apart = nd.join([first, second.assign_coords(experiment=["late"])])
    assert apart["experiment"].values.tolist() == ["1", "2", "late"]


def test_t1_of_different_models_are_joined():
    # Their candidates and components differ in number, of which xarray warns unless told what to do.
    data = [nd.simulate(truth_of(SODIUM, [kelvin]), seed=1) for kelvin in (300.0, 310.0)]
    fits = [nd.fit_recovery(data[0], "single"), nd.fit_recovery(data[1], "auto")]
    both = nd.join(fits)
    assert both["t1"].values.tolist() == [one["t1"].item() for one in fits]


def test_data_that_are_of_different_things_are_not_joined():
    sodium, boron = (nd.simulate(truth_of(one, [300.0]), seed=1) for one in (SODIUM, BORON))
    with pytest.raises(nd.InputError, match=r"join: needed data sets of one nucleus, found 23Na, 11B"):
        nd.join([sodium, boron])
    with pytest.raises(nd.InputError, match=r"one stage, found recovery, relaxation"):
        nd.join([sodium, nd.fit_recovery(sodium, "single")])
    with pytest.raises(nd.InputError, match=r"one probe for each of 2 data sets, found oven"):
        nd.join([sodium, sodium], probes=["oven"])
    with pytest.raises(nd.InputError, match=r"found none"):
        nd.join([])


FINE = np.arange(280.0, 341.0, 6.0)


def offset_slope(kelvin, barrier):
    """d ln(sigma)/dT, and the data are ln sigma at a read temperature."""
    return barrier / (K * kelvin**2) - 1 / kelvin


def test_joined_sessions_have_each_the_offset_of_their_thermometer():
    # Errors so small that the line is straight to the tolerance.
    noise, offset = 3e-4, (0.05, 0.08)
    rng = np.random.default_rng(1)
    kelvin = [FINE[:6], FINE[5:]]
    parts = [
        conductivity("eis", at, 0.5, noise, seed=k, actual=at + rng.normal(0, offset[k])) for k, at in enumerate(kelvin)
    ]
    data = nd.join([process.data for process, _ in parts], probes=["oven", "bath"])
    probes = [nd.Probe(name=name, offset=sd) for name, sd in zip(("oven", "bath"), offset, strict=True)]
    process = nd.Process("eis", data, mechanism=nd.Conductivity("sigma_T"))
    model = ready(process, probes=probes, priors=EXACT)
    assert model.parameters[2:] == ["oven.offset", "bath.offset"]
    both = np.concatenate(kelvin)
    shared = [np.where(np.arange(both.size) < 6, 1.0, 0.0), np.where(np.arange(both.size) < 6, 0.0, 1.0)]
    covariance = noise**2 * np.eye(both.size)
    for which, sd in zip(shared, offset, strict=True):
        move = which * offset_slope(both, 0.5) * sd
        covariance += np.outer(move, move)
    mean, spread = least_squares(line(both), np.concatenate([y for _, y in parts]), covariance)
    modes = searched(model)
    assert_moments(modes, modes.draws[:, 0], mean[0], np.sqrt(spread[0, 0]))
    # With one thermometer for both it would be another.
    move = 0.05 * sum(which * offset_slope(both, 0.5) for which in shared)
    one = least_squares(line(both), np.zeros(both.size), noise**2 * np.eye(both.size) + np.outer(move, move))[1]
    assert abs(one[0, 0] / spread[0, 0] - 1) > 0.15


# Errors of calibration


def test_error_of_the_scale_moves_the_barrier_in_proportion():
    process, y = conductivity("eis", FINE, 0.5, 3e-3, probe="oven")
    model = ready(process, probes=[nd.Probe(name="oven", scale=0.01)], priors=EXACT)
    assert model.parameters == ["eis.activation_energy", "eis.log10_prefactor", "oven.scale"]
    modes = searched(model)
    energy, scale = modes.draws[:, 0], modes.draws[:, 2]
    # True temperatures are T (1 + s): the barrier of the line times 1 + s, since ln sigma T changes by a constant else.
    mean, spread = least_squares(line(FINE), y, 3e-3**2 * np.eye(FINE.size))
    assert_moments(modes, energy / (1 + scale), mean[0], np.sqrt(spread[0, 0]))
    assert_moments(modes, energy, mean[0], np.hypot(np.sqrt(spread[0, 0]), 0.01 * mean[0]))
    assert_moments(modes, scale, 0.0, 0.01)  # data say nothing of it


@pytest.mark.parametrize(("quantity", "value"), [("offset", 5.0), ("scale", 0.02)])
def test_error_of_calibration_that_is_given_a_number_moves_the_barrier(quantity, value):
    process, y = conductivity("eis", FINE, 0.5, 3e-3, probe="oven")
    probe = nd.Probe(name="oven", **{quantity: 1e-3})
    model = ready(process, probes=[probe], priors=EXACT | {f"oven.{quantity}": value})
    assert f"oven.{quantity}" not in model.parameters
    actual = FINE + value if quantity == "offset" else FINE * (1 + value)
    mean, spread = least_squares(line(actual), y + np.log(actual / FINE), 3e-3**2 * np.eye(FINE.size))
    modes = searched(model)
    assert_moments(modes, modes.draws[:, 0], mean[0], np.sqrt(spread[0, 0]))


def test_offset_cancels_in_the_difference_of_nuclei_measured_together():
    # Deep on the slow flank T1 is proportional to tau_c: two straight lines, moved together by one offset.
    rng = np.random.default_rng(1)
    noise, offset = 3e-4, 0.05
    actual = FINE + rng.normal(0, offset)
    y, processes = [], []
    for nucleus, name, barrier in ((SODIUM, "hop", 0.45), (BORON, "rotation", 0.40)):
        at = log10_tau0(1e-5, 310.0, barrier)
        y.append(ln_t1(tau_c(actual, barrier, at), **nucleus) + noise * rng.standard_normal(FINE.size))
        data = relaxation(FINE, np.exp(y[-1]), noise, nucleus=nucleus["nucleus"])
        processes.append(nd.Process(name, data, mechanism=nd.BPP(**nucleus), probe="oven"))
    probe = nd.Probe(name="oven", offset=offset)
    model = ready(*processes, probes=[probe], priors={"hop.scatter": 0.0, "rotation.scatter": 0.0})
    modes = searched(model)
    barrier = model.barriers(modes.draws)
    design = np.kron(np.eye(2), np.stack([1 / (K * FINE), np.ones(FINE.size)], axis=1))
    move = np.concatenate([-e / (K * FINE**2) for e in (0.45, 0.40)])
    mean, spread = least_squares(
        design, np.concatenate(y), noise**2 * np.eye(move.size) + offset**2 * np.outer(move, move)
    )
    # 1/T1 is K tau/(omega tau)^2 [1 + 4/4], less parts of 1/(omega tau)^2 < 1e-6.
    contrast = np.array([1.0, 0.0, -1.0, 0.0])
    sd = np.sqrt(contrast @ spread @ contrast)
    assert_moments(modes, barrier["hop"] - barrier["rotation"], contrast @ mean, sd)
    assert_moments(modes, barrier["hop"], mean[0], np.sqrt(spread[0, 0]))
    # If each had an offset of its own, the difference would be known worse by far.
    apart = spread.copy()
    apart[:2, 2:] = apart[2:, :2] = 0
    assert sd < 0.5 * np.sqrt(contrast @ apart @ contrast)


# What the likelihood is made of


def test_likelihoods_of_traces_of_t1_and_the_fast_one_agree():
    kelvin = np.linspace(290.0, 340.0, 10)
    process = hop(kelvin, snr=60.0, tau_c=1e-5, reference_temperature=333.15)
    probe = nd.Probe(name="oven", point=1.0, offset=1.0)
    found = []
    for likelihood in ("traces", "t1", "fast"):
        model = ready(process, probes=[probe], likelihood=likelihood)
        assert (model.data[0].table is not None) == (likelihood == "traces")
        assert model.fast == (likelihood == "fast")
        modes = searched(model, effective=4000.0)
        found.append(weighed(modes, modes.draws[:, 0])[:2])
    (mean, sd), *others = found
    for other, other_sd in others:
        assert abs(other - mean) < 0.15 * sd
        assert other_sd == pytest.approx(sd, rel=0.10)


def test_fast_likelihood_of_hundreds_of_temperatures_is_the_line():
    rng = np.random.default_rng(1)
    kelvin, point, noise = np.linspace(280.0, 340.0, 300), 0.05, 3e-3
    y = ln_t1(tau_c(kelvin + point * rng.standard_normal(300), 0.45, log10_tau0(1e-5, 310.0, 0.45)), **SODIUM)
    y += noise * rng.standard_normal(300)
    process = nd.Process("hop", relaxation(kelvin, np.exp(y), noise), mechanism=nd.BPP(**SODIUM), probe="oven")
    model = ready(process, probes=[nd.Probe(name="oven", point=point)], priors={"hop.scatter": 0.0}, likelihood="fast")
    modes = searched(model, draws=2000, effective=1100.0)
    design = np.stack([1 / (K * kelvin), np.ones(300)], axis=1)
    move = 0.45 / (K * kelvin**2) * point
    mean, spread = least_squares(design, y, np.diag(noise**2 + move**2))
    assert_moments(modes, modes.draws[:, 0], mean[0], np.sqrt(spread[0, 0]))


# Priors


def test_number_in_place_of_a_prior_fixes_a_quantity():
    kelvin = np.linspace(330.0, 390.0, 4)
    t1 = np.exp(ln_t1(tau_c(kelvin, 0.45, -13.5), cq=1.2e6, eta=0.1))
    process = nd.Process("hop", relaxation(kelvin, t1, 0.05), mechanism=nd.BPP(**SODIUM))
    model = ready(process, priors={"hop.scatter": 0.0, "hop.cq": 1.2e6, "hop.log10_tau0": -13.5})
    assert model.parameters == ["hop.activation_energy"]
    assert model.fixed == {"hop.scatter": 0.0, "hop.cq": 1.2e6, "hop.log10_tau0": -13.5}
    # Without residuals the density of each row is that of a normal at its centre: -ln(0.05).
    assert model.log_likelihood(np.array([[0.45]]))[0] == pytest.approx(-4 * np.log(0.05), abs=1e-6)
    with_scatter = ready(process, priors={"hop.scatter": 0.12, "hop.cq": 1.2e6, "hop.log10_tau0": -13.5})
    assert with_scatter.log_likelihood(np.array([[0.45]]))[0] == pytest.approx(-4 * np.log(0.13), abs=1e-6)


def test_unknown_priors_are_refused_with_those_that_exist():
    process, _ = conductivity("eis", COLD, 0.5, 0.05, probe="oven")
    with pytest.raises(nd.InputError) as error:
        nd.infer([process], seed=1, probes=[nd.Probe(name="oven", offset=1.0)], priors={"eis.log10_tau0": -13.0})
    assert "found eis.log10_tau0" in str(error.value)
    for name in ("eis.activation_energy", "eis.log10_prefactor", "eis.scatter", "oven.offset"):
        assert name in str(error.value)
    hop = nd.Process("hop", relaxation(COLD, np.ones(11), 0.1), mechanism=nd.BPP(**SODIUM))
    with pytest.raises(nd.InputError, match=r"hop\.cq, hop\.eta.*found hop\.distance"):
        nd.infer([hop], seed=1, priors={"hop.distance": 1e-10})


def test_every_nuisance_is_said_to_be_sampled_fixed_integrated_out_or_left_out():
    data = relaxation(COLD, np.ones(11), 0.1)
    hop = nd.Process("hop", data, mechanism=nd.BPP(**SODIUM), probe="oven")
    eis, _ = conductivity("eis", COLD, 0.5, 0.05, probe="bath")
    probes = [nd.Probe(name="oven", point=1.0, offset=0.5), nd.Probe(name="bath", scale=0.01)]
    priors = {"hop.cq": nd.Normal(1e6, 5e4), "eis.scatter": 0.0, "eis.log10_prefactor": 5.0}
    said = nuisances(ready(hop, eis, probes=probes, priors=priors))
    assert said == {
        "bath.offset": "left out",
        "bath.point": "left out unless the data give it",
        "bath.scale": "sampled, Normal(mean=0.0, sd=0.01)",
        "eis.scatter": "left out",
        "hop.cq": "sampled, Normal(mean=1000000.0, sd=50000.0)",
        "hop.eta": "fixed at 0.1",
        "hop.scatter": "sampled, HalfNormal(scale=0.03)",
        "oven.offset": "sampled, Normal(mean=0.0, sd=0.5)",
        "oven.point": "integrated out, 1 K",
        "oven.scale": "left out",
    }


# Blocks


def names_of(blocks):
    return [[one.process.name for one in block] for block in blocks]


def test_processes_that_share_a_thermometer_are_sampled_together():
    def eis(name, probe):
        return conductivity(name, COLD, 0.5, 0.05, probe=probe)[0]

    probes = [nd.Probe(name=name, offset=1.0) for name in "pqr"]
    model = ready(eis("a", "p"), eis("b", "q"), eis("c", "p"), eis("d", None), eis("e", None), probes=probes)
    assert names_of(blocks_of(model)) == [["a", "c"], ["b"], ["d"], ["e"]]
    # "c" has both thermometers, so that "a" and "b" hang together by it.
    bridge = nd.join([eis("c", None).data, eis("c", None).data], probes=["p", "q"])
    bridge = nd.Process("c", bridge, mechanism=nd.Conductivity("sigma_T"))
    others = [eis("a", "p"), eis("d", "r"), eis("b", "q")]
    for processes in ([bridge, *others], [*others, bridge]):
        blocks = names_of(blocks_of(ready(*processes, probes=probes)))
        assert sorted(sorted(block) for block in blocks) == [["a", "b", "c"], ["d"]]


@pytest.fixture(scope="module")
def clean():
    """Two conductivities that share nothing, with errors as stated."""
    cases = [("a", COLD, 0.5, 0.05), ("b", FINE, 0.4, 0.02)]
    made = [conductivity(*case, seed=k + 1) for k, case in enumerate(cases)]
    processes, priors = [process for process, _ in made], {"a.scatter": 0.0, "b.scatter": 0.0}
    lines = {
        name: least_squares(line(kelvin), y, noise**2 * np.eye(kelvin.size))
        for (name, kelvin, _, noise), (_, y) in zip(cases, made, strict=True)
    }
    return nd.infer(processes, seed=1, priors=priors), ready(*processes, priors=priors), lines


def test_blocks_have_each_its_closed_form_and_are_independent(clean):
    posterior, model, lines = clean
    assert [block["processes"] for block in json.loads(posterior.attrs["modes"])] == [["a"], ["b"]]
    draws, described = posterior["posterior"].dataset, json.loads(posterior.attrs["processes"])
    for name, (mean, spread) in lines.items():
        energy, sd = draws[f"{name}.activation_energy"].values, np.sqrt(spread[0, 0])
        ess = described[name]["diagnostics"]["ess"]
        assert abs(energy.mean() - mean[0]) < 5 * sd / np.sqrt(ess)
        assert abs(energy.std() / sd - 1) < 5 / np.sqrt(2 * ess)
    a, b = (draws[f"{name}.activation_energy"].values.ravel() for name in "ab")
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(ess)
    theta = np.stack([draws[name].values.ravel() for name in model.parameters], axis=1)
    np.testing.assert_allclose(posterior["sample_stats"]["lp"].values.ravel(), model(theta), atol=1e-8)
    total = sum(block["log_evidence"] for block in json.loads(posterior.attrs["modes"]))
    joint = searched(model)
    assert abs(total - joint.log_evidence) < 5 * joint.log_evidence_stderr + 0.02


# Checkpoints


def test_run_that_goes_on_draws_what_an_unbroken_one_draws(tmp_path, monkeypatch):
    process, _ = conductivity("eis", COLD[::2], 0.5, 0.05)
    kwargs = {"seed": 1, "priors": EXACT}
    whole = nd.infer([process], max_steps=150, **kwargs)
    file = tmp_path / "draws.h5"
    first = nd.infer([process], max_steps=70, checkpoint=file, **kwargs)
    assert first["posterior"].attrs["steps"] == 70
    resumed = nd.infer([process], max_steps=150, checkpoint=file, **kwargs)
    assert resumed["posterior"].attrs["steps"] == 150
    for group in ("posterior", "sample_stats", "posterior_predictive"):
        xr.testing.assert_identical(whole[group].dataset, resumed[group].dataset)
    other, _ = conductivity("eis", COLD[::2], 0.5, 0.05, seed=9)
    for processes, changed, words in (
        ([process], {"seed": 2}, "seed"),
        ([process], {"priors": {"eis.scatter": 0.01}}, "data or model"),
        ([process], {"priors": {}}, "parameters, priors"),
        ([other], {}, "data or model"),
    ):
        with pytest.raises(nd.InputError, match=f"found one with other {words};"):
            nd.infer(processes, max_steps=150, checkpoint=file, **kwargs | changed)


# Remarks


REMARKS = {"another-law", "two-phases", "one-temperature-decides", "interrupted", "prior-conflict"}


def test_clean_study_has_none_of_the_remarks(clean):
    assert not codes(clean[0]) & (REMARKS | {"law-misfit", "not-converged", "modes-disagree", "several-modes"})


def test_interrupted_sampling_says_so_and_keeps_what_was_drawn(monkeypatch):
    process, _ = conductivity("eis", COLD[::2], 0.5, 0.05)
    advance = _Run.advance

    def once(self, states, steps, bar):
        if self.steps:
            raise KeyboardInterrupt
        advance(self, states, steps, bar)

    monkeypatch.setattr(_Run, "advance", once)
    posterior = nd.infer([process], seed=1, priors=EXACT)
    assert {"interrupted", "not-converged"} <= codes(posterior)
    assert posterior["posterior"].attrs["interrupted"] == 1
    assert posterior["posterior"].attrs["steps"] == 60
    assert "after 60 steps" in remark(posterior, "interrupted")["text"]
    assert np.isfinite(posterior["posterior"]["eis.activation_energy"].values).all()


def test_law_that_describes_the_data_far_better_is_named():
    process = glass(COLD, 0.05, seed=1, law=nd.Arrhenius())
    posterior = nd.infer([process], seed=1, max_steps=60, priors=EXACT)
    found = remark(posterior, "another-law")
    assert found["where"] == "eis"
    assert "the data speak for the law vtf over arrhenius" in found["text"]
    assert json.loads(posterior.attrs["processes"])["eis"]["law_fits"] is False


def test_temperature_on_which_a_barrier_hangs_is_named():
    kelvin = np.array([300.0, 302.0, 304.0, 306.0, 350.0])
    process, y = conductivity("eis", kelvin, 0.5, 0.02)
    # The last is off by so much that the four others say another barrier.
    data = transport(kelvin, np.exp(y - np.log(kelvin) + np.array([0, 0, 0, 0, 1.5])), 0.02)
    process = nd.Process("eis", data, mechanism=nd.Conductivity("sigma_T"))
    posterior = nd.infer([process], seed=1, max_steps=60, priors=EXACT)
    found = [one for one in json.loads(posterior.attrs["warnings"]) if one["code"] == "one-temperature-decides"]
    assert "eis/5" in [one["where"] for one in found]
    text = next(one["text"] for one in found if one["where"] == "eis/5")
    mean, spread = least_squares(line(kelvin[:4]), y[:4], 0.02**2 * np.eye(4))
    assert "without 350.0 K the barrier eis would be" in text
    said = int(text.split("would be ")[1].split(" ±")[0])
    assert abs(said - 1e3 * mean[0]) < 0.1 * 1e3 * np.sqrt(spread[0, 0])


def test_scatter_that_nobody_believed_is_a_conflict():
    process, _ = conductivity("eis", COLD, 0.5, 0.30, seed=1)
    data = process.data.assign(conductivity_stderr=process.data["conductivity_stderr"] / 15)
    process = nd.Process("eis", stamp(data, "transport"), mechanism=nd.Conductivity("sigma_T"))
    posterior = nd.infer([process], seed=1, max_steps=60)
    found = remark(posterior, "prior-conflict")
    assert found["where"] == "eis.scatter"
    assert "at most about 0.06" in found["text"]


# The exact posterior of a straight line


LEVELS = np.array([0.025, 0.16, 0.5, 0.84, 0.975])


def unknown_errors(seed):
    """A line of nine conductivities without errors: the process, and the Student-t that its barrier follows."""
    kelvin = np.arange(280.0, 361.0, 10.0)
    process, y = conductivity("eis", kelvin, 0.5, 0.05, seed=seed, errors=False)
    mean, unit = least_squares(line(kelvin), y, np.eye(9))
    residual = y - line(kelvin) @ mean
    # A flat prior on the log of the noise: 9 - 2 degrees of freedom (Jeffreys, Theory of Probability, section 3.4).
    return process, stats.t(7, loc=mean[0], scale=np.sqrt(unit[0, 0] * residual @ residual / 7))


def test_line_without_errors_has_the_students_t_posterior():
    deviations = []
    for seed in range(20):
        process, exact = unknown_errors(seed)
        modes = searched(ready(process), seed=seed)
        energy = modes.draws[:, 0]
        mean, sd, mean_error, sd_error = weighed(modes, energy)
        deviations.append((mean - exact.mean()) / mean_error)
        assert abs(deviations[-1]) < 5
        assert abs(sd - exact.std()) < 5 * sd_error
        for level in LEVELS:
            below, _, error, _ = weighed(modes, (energy < exact.ppf(level)).astype(float))
            assert abs(below - level) < 5 * error
    # The errors are neither too large nor too small: 99.9 % of chi-square with 20 degrees of freedom.
    assert stats.chi2(20).ppf(0.0005) < np.sum(np.square(deviations)) < stats.chi2(20).ppf(0.9995)


@pytest.mark.slow
def test_draws_of_a_line_without_errors_follow_students_t():
    deviations = []
    for seed in range(20):
        process, exact = unknown_errors(seed)
        posterior = nd.infer([process], seed=seed)
        energy = posterior["posterior"]["eis.activation_energy"].values
        ess = json.loads(posterior.attrs["processes"])["eis"]["diagnostics"]["ess"]
        deviations.append((energy.mean() - exact.mean()) / (exact.std() / np.sqrt(ess)))
        assert abs(deviations[-1]) < 5
        # The fourth moment of a Student-t of 7 degrees of freedom is 3 + 6/(7 - 4) squared variances.
        assert abs(energy.std() / exact.std() - 1) < 5 * np.sqrt((5 - 1) / 4 / ess)
        for level in LEVELS:
            below = np.mean(energy < exact.ppf(level))
            assert abs(below - level) < 5 * np.sqrt(level * (1 - level) / ess)
    assert np.sum(np.square(deviations)) < stats.chi2(20).ppf(0.9995)
