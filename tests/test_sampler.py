"""Free coordinates, modes and evidence, ensembles with interrupts and checkpoints: against closed forms.

Toy posteriors have densities that can be integrated by hand. Energies are in eV, times in s, temperatures in K.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import emcee
import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import trapezoid

import nmrdyn as nd
from nmrdyn.inference.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from nmrdyn.inference.coordinates import Coordinates
from nmrdyn.inference.diagnostics import autocorrelation_time, diagnose
from nmrdyn.inference.measurements import measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import derivatives, find_modes, weigh
from nmrdyn.inference.sampler import sample
from nmrdyn.priors import HalfNormal, Normal, Uniform
from nmrdyn.schema import stamp


class Toy:
    """A posterior of parameters x0, x1, ... with these priors and this log likelihood (draw, parameter) -> (draw,)."""

    data = ()

    def __init__(self, priors, log_likelihood=lambda theta: np.zeros(len(theta)), supports=None):
        self.priors = {f"x{k}": prior for k, prior in enumerate(priors)}
        self.parameters = list(self.priors)
        self.supports = np.array([prior.support for prior in priors] if supports is None else supports, dtype=float)
        self.log_likelihood = log_likelihood

    def log_prior(self, theta):
        inside = np.all((theta >= self.supports[:, 0]) & (theta <= self.supports[:, 1]), axis=1)
        total = sum(prior.log_density(theta[:, k]) for k, prior in enumerate(self.priors.values()))
        return np.where(inside, total, -np.inf)

    def __call__(self, theta):
        return self.log_prior(theta) + self.log_likelihood(theta)


def modes_of(model, starts, seed=1, draws=4000, effective=2000.0):
    rng = np.random.default_rng(seed)
    points = np.array(starts, dtype=float)
    return weigh(model, points, rng, draws=draws, effective=effective, regions=lambda theta: [])


# Coordinates

KINDS = {
    "range": (Uniform(-18.0, -8.0), (-18.0, -8.0), (-18.0, -10.0, -8.0)),
    "size": (HalfNormal(0.03), (0.0, np.inf), (0.0, 0.02, 1e3)),
    "positive": (Normal(1e6, 2e6), (0.0, np.inf), (0.0, 1e6, 1e8)),
    "below": (Normal(-1.0, 1.0), (-np.inf, 0.0), (-1e3, -1.0, 0.0)),
    "open": (Normal(0.0, 1.0), (-np.inf, np.inf), (-50.0, 0.0, 50.0)),
}


def coordinates(kind, **options):
    prior, support, _ = KINDS[kind]
    return Coordinates(Toy([prior], supports=[support]), **options)


@pytest.mark.parametrize("kind", KINDS)
@given(place=st.floats(-20.0, 20.0))
def test_free_coordinates_lead_to_a_parameter_and_back(kind, place):
    free = coordinates(kind)
    theta = free.inside(np.array([[place]]))
    assert free.inside(free.outside(theta)) == pytest.approx(theta, rel=1e-12)
    low, high = KINDS[kind][1]
    assert low <= theta.item() <= high


@pytest.mark.parametrize("kind", KINDS)
def test_free_coordinates_are_finite_at_the_ends_and_far_beyond(kind):
    free, ends = coordinates(kind), np.array(KINDS[kind][2])[:, None]
    assert np.all(np.isfinite(free.outside(ends)))
    low, high = KINDS[kind][1]
    for place in (-1e100, -1e4, 1e4, 1e100):
        theta = free.inside(np.array([[place]]))
        assert np.isfinite(theta.item())
        assert low <= theta.item() <= high
        assert not np.isnan(free(np.array([[place]])).item())


@pytest.mark.parametrize("kind", KINDS)
def test_density_of_free_coordinates_holds_the_same_probability(kind):
    prior = KINDS[kind][0]
    free = coordinates(kind)
    place = free.outside(np.array([[prior.centre]])).item()
    grid = place + np.linspace(-60, 60, 240_001)
    found = trapezoid(np.exp(free.log_prior(grid[:, None])), grid)
    exact = {"positive": stats.norm(1e6, 2e6).sf(0.0), "below": stats.norm(-1.0, 1.0).cdf(0.0)}.get(kind, 1.0)
    assert found == pytest.approx(exact, rel=1e-6)
    # The slope is that of `inside`, whose size is the Jacobian.
    at, step = np.array([[place + 0.3]]), 1e-5
    rise = (free.inside(at + step) - free.inside(at - step)).item() / (2 * step)
    assert free.slope(at).item() == pytest.approx(rise, rel=1e-6)
    assert free.log_slope(at).item() == pytest.approx(np.log(abs(rise)), abs=1e-6)


def test_the_middle_of_a_range_is_left_straight():
    # Between a quarter and three quarters of a range a coordinate is the parameter, so that straight ridges stay so.
    free = coordinates("range")
    theta = np.linspace(-15.5, -10.5, 11)[:, None]
    np.testing.assert_allclose(free.outside(theta), theta, atol=1e-3)
    np.testing.assert_array_equal(coordinates("range", ranges=False).outside(theta), theta)


# Modes and evidence


def line_case(seed):
    """A straight line with known errors and normal priors: likelihood, log evidence and the posterior."""
    rng = np.random.default_rng(seed)
    design = np.stack([np.ones(8), np.linspace(-1, 1, 8), rng.standard_normal(8)], axis=1)
    sd, noise = np.array([1.0, 30.0, 0.01]), 0.2
    y = design @ (sd * rng.standard_normal(3)) + noise * rng.standard_normal(8)
    covariance = (design * sd**2) @ design.T + noise**2 * np.eye(8)

    def log_likelihood(theta):
        squares = np.sum((y - theta @ design.T) ** 2, axis=1)
        return -squares / (2 * noise**2) - 8 * np.log(noise * np.sqrt(2 * np.pi))

    spread = np.linalg.inv(design.T @ design / noise**2 + np.diag(1 / sd**2))
    mean = spread @ design.T @ y / noise**2
    model = Toy([Normal(0.0, one) for one in sd], log_likelihood)
    return model, stats.multivariate_normal(np.zeros(8), covariance).logpdf(y), mean, spread


def test_evidence_of_a_straight_line_is_the_closed_form_and_its_error_honest():
    z = []
    for seed in range(25):
        model, exact, _, _ = line_case(seed)
        modes = modes_of(model, [[0.0, 0.0, 0.0]], seed=seed, draws=1000, effective=500.0)
        assert modes.log_evidence_stderr < 0.03
        z.append((modes.log_evidence - exact) / modes.log_evidence_stderr)
    # 99.9 % of chi-square with 25 degrees of freedom.
    assert 8.6 < np.sum(np.square(z)) < 52.6


def two_peaks(theta):
    """0.8 of a normal at (0.3, 0.3) of sd 0.01, and 0.2 of one at (0.7, 0.6) of sd 0.03: nothing between."""
    peaks = [(0.8, [0.3, 0.3], 0.01), (0.2, [0.7, 0.6], 0.03)]
    parts = [np.log(w) + stats.norm(at, sd).logpdf(theta).sum(axis=1) for w, at, sd in peaks]
    return np.logaddexp(*parts)


@pytest.mark.parametrize("seed", range(5))
def test_two_separate_modes_weigh_what_they_hold(seed):
    model = Toy([Uniform(0.0, 1.0), Uniform(0.0, 1.0)], two_peaks)
    modes = modes_of(model, [[0.35, 0.35], [0.6, 0.6]], seed=seed)
    assert modes.weight == pytest.approx([0.8, 0.2], abs=0.01)
    assert np.all(modes.weight_stderr <= 0.003)
    assert abs(modes.log_evidence) < 5 * modes.log_evidence_stderr  # the likelihood integrates to 1
    assert list(modes.nearest(np.array([[0.3, 0.3], [0.7, 0.6]]))) == [0, 1]


def test_more_is_drawn_until_the_weights_of_modes_are_known():
    model = Toy([Uniform(0.0, 1.0), Uniform(0.0, 1.0)], two_peaks)
    modes = modes_of(model, [[0.35, 0.35], [0.6, 0.6]], draws=400, effective=50.0)
    assert np.all(modes.weight_stderr <= 0.0033)


def test_curvature_is_that_of_a_quadratic_form():
    matrix = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -0.7], [0.5, -0.7, 2.0]])
    model = Toy([Normal(0.0, 1.0)] * 3, lambda theta: -0.5 * np.einsum("ni,ij,nj->n", theta, matrix - np.eye(3), theta))
    at, transform = np.array([[0.2, -0.1, 0.3]]), np.array([[[0.5, 0.0, 0.1], [0.2, 1.0, 0.0], [0.0, -0.3, 0.7]]])
    gradient, hessian = derivatives(Coordinates(model), at, transform)
    np.testing.assert_allclose(hessian[0], -transform[0].T @ matrix @ transform[0], atol=1e-9)
    np.testing.assert_allclose(gradient[0], -transform[0].T @ matrix @ at[0], atol=1e-9)


def test_posterior_that_leans_on_ends_has_the_closed_form():
    # Exponentials that fall from an end of each range: 0.2 (1 - exp(-5)) and 0.05 (1 - exp(-20)).
    model = Toy([Uniform(0.0, 1.0)] * 2, lambda theta: -theta[:, 0] / 0.2 - (1 - theta[:, 1]) / 0.05)
    modes = modes_of(model, [[0.5, 0.5]])
    exact = np.log(0.2 * -np.expm1(-5) * 0.05 * -np.expm1(-20))
    assert modes.log_evidence == pytest.approx(exact, abs=4 * modes.log_evidence_stderr)
    assert modes.log_evidence_stderr < 0.03
    # Mean of an exponential of 0.2 that is cut off at 1.
    assert modes.draw_weight @ modes.draws[:, 0] == pytest.approx(0.2 - np.exp(-5) / -np.expm1(-5), abs=0.01)


def test_a_narrow_ridge_across_its_whole_range_is_covered():
    # The sum of two parameters is known to 0.002, neither by itself: the density is uniform along a diagonal.
    model = Toy([Uniform(0.0, 1.0)] * 2, lambda theta: stats.norm(0.9, 0.002).logpdf(theta.sum(axis=1)))
    for seed in range(3):
        modes = modes_of(model, [[0.5, 0.4]], seed=seed)
        assert modes.log_evidence == pytest.approx(np.log(0.9), abs=5 * modes.log_evidence_stderr)
        assert modes.effective_draws > 2000
        assert len(modes.draws) < 8000
        for share in (0.1, 0.5, 0.9):
            below = modes.draw_weight[modes.draws[:, 0] < 0.9 * share].sum()
            assert below == pytest.approx(share, abs=0.02)


def test_prior_that_reaches_beyond_what_is_possible_counts_there_as_nothing():
    model = Toy([Normal(1.0, 2.0), Normal(0.0, 1.0)], supports=[(0.0, np.inf), (-np.inf, np.inf)])
    modes = modes_of(model, [[1.0, 0.0]])
    assert np.exp(modes.log_evidence) == pytest.approx(stats.norm(1.0, 2.0).sf(0.0), rel=0.05)
    assert np.all(modes.draws[:, 0] > 0)


def test_priors_and_data_that_exclude_each_other_are_told():
    model = Toy([Uniform(0.0, 1.0)], lambda theta: np.full(len(theta), -np.inf))
    with pytest.raises(nd.InputError, match="exclude each other"):
        modes_of(model, [[0.5]])


# Ensembles


def run(model, starts=((0.0, 0.0, 0.0),), *, seed=1, max_steps=20_000, **options):
    modes = modes_of(model, starts)
    entropy = np.random.SeedSequence(seed)
    return sample(model, modes, seed=entropy, ensembles=2, max_steps=max_steps, progress=False, **options)


def test_draws_of_a_straight_line_follow_the_closed_form():
    model, _, mean, spread = line_case(1)
    chains = run(model)
    assert chains.converged
    flat, ess = chains.draws.reshape(-1, 3), chains.check.ess
    sd = np.sqrt(np.diag(spread))
    assert np.all(np.abs(flat.mean(axis=0) - mean) < 5 * sd / np.sqrt(ess))
    assert np.all(np.abs(flat.std(axis=0) / sd - 1) < 5 / np.sqrt(2 * ess))
    np.testing.assert_allclose(chains.log_posterior.ravel(), model(flat), rtol=1e-9)
    assert chains.moves == "0.5 KDEMove + 0.5 DEMove"
    assert chains.steps == chains.discarded + chains.kept
    assert chains.kept >= 50 * chains.autocorrelation_time.max()


def test_ensembles_find_a_size_that_may_be_nothing():
    # HalfNormal prior alone, in logarithms: its moments are scale (2/pi)^0.5 and scale^2.
    chains = run(Toy([HalfNormal(0.03), Normal(0.0, 1.0)]), [[0.02, 0.0]])
    size, ess = chains.draws[..., 0].ravel(), chains.check.ess[0]
    assert size.mean() == pytest.approx(0.03 * np.sqrt(2 / np.pi), abs=5 * 0.018 / np.sqrt(ess))
    assert np.mean(size < 0.003) == pytest.approx(2 * stats.norm.cdf(0.1) - 1, abs=5 * np.sqrt(0.08 / ess))
    np.testing.assert_allclose(
        chains.log_posterior.ravel(), Toy([HalfNormal(0.03), Normal(0, 1)])(chains.draws.reshape(-1, 2)), atol=1e-8
    )


def test_coupling_that_is_hardly_known_converges():
    # 23Na far on the slow side, where T1 tells tau_c / C_Q^2 alone: ln tau_c follows ln C_Q^2 over the whole prior,
    # +-200 %, which ends at 0.
    kelvin, rng = np.linspace(300.0, 400.0, 8), np.random.default_rng(1)
    omega, k = 2 * np.pi * 132.32e6, 8.617333262e-5
    tau = 100 / omega * np.exp(0.45 / k * (1 / kelvin - 1 / 350.0))
    rate = (
        2
        * np.pi**2
        / 25
        * 1e12
        * (1 + 0.01 / 3)
        * (tau / (1 + (omega * tau) ** 2) + 4 * tau / (1 + 4 * (omega * tau) ** 2))
    )
    t1 = np.exp(0.02 * rng.standard_normal(8)) / rate
    data = xr.Dataset(
        {"t1": ("experiment", t1), "t1_stderr": ("experiment", 0.02 * t1)},
        coords={
            "experiment": [str(one) for one in range(8)],
            "temperature": ("experiment", kelvin),
            "temperature_stderr": ("experiment", np.zeros(8)),
            "larmor_frequency": ("experiment", np.full(8, 132.32e6)),
        },
    )
    process = nd.Process(
        "hop", stamp(data, "relaxation", nucleus="23Na"), mechanism=nd.BPP(nucleus="23Na", cq=1e6, eta=0.1)
    )
    priors = {"hop.cq": Normal(1e6, 2e6), "hop.scatter": 0.0}
    model = JointModel([measurements(process, {"relaxation": process.data})], {}, priors)
    modes = find_modes(model, np.random.default_rng(1))
    chains = sample(model, modes, seed=np.random.SeedSequence(1), ensembles=2, max_steps=2000, progress=False)
    assert chains.converged
    barrier, _, cq = chains.draws.reshape(-1, 3).T
    assert barrier.mean() == pytest.approx(0.45, abs=0.02)
    assert cq.min() > 0
    # Above 1.5 MHz all is on the slow side, where each C_Q has its tau0, so that its prior is all that is known of it.
    ess, prior = chains.check.ess[2], stats.norm(1e6, 2e6)
    for limit in (2e6, 3e6, 5e6):
        exact = 1 - prior.sf(limit) / prior.sf(1.5e6)
        assert np.mean(cq[cq > 1.5e6] < limit) == pytest.approx(exact, abs=5 * np.sqrt(0.5 / ess))
    # The same by importance sampling.
    weighed = modes.draw_weight @ (modes.draws[:, 2] < 1e6)
    assert np.mean(cq < 1e6) == pytest.approx(weighed, abs=0.05)


# Data across a phase transition, where a conductivity jumps


def jumping(jump, *, kelvin=(280.0, 290.0, 300.0, 310.0, 320.0), energy=0.5, sigma=1e-4, transition=305.0, **options):
    """A conductivity of barrier `energy` whose logarithm jumps at 305 K; its law is told the transition, if any."""
    truth = nd.ConductivityTruth(
        activation_energy=energy,
        conductivity=sigma,
        reference_temperature=300.0,
        temperature=kelvin,
        log_scatter=np.where(np.array(kelvin) > 305.0, jump, 0.0),
    )
    law = {"law": nd.PhaseTransition(temperature=transition)} | options
    return nd.Process("eis", nd.simulate(truth, seed=1), mechanism=nd.Conductivity("sigma_T"), probe="oven", **law)


def jump_modes(process, probe, seed=1):
    model = JointModel([measurements(process, {"transport": process.data})], {"oven": probe}, {})
    return model, find_modes(model, np.random.default_rng(seed))


FIVE, FOUR = (280.0, 290.0, 300.0, 310.0, 320.0), (290.0, 300.0, 310.0, 320.0)


@pytest.mark.parametrize(("sigma", "jump", "kelvin"), [(1e-4, 5.0, FIVE), (1e-2, 8.0, FOUR)])
@pytest.mark.parametrize(("scale", "offset"), [(0.0005, 0.0), (0.002, 0.0), (0.0, 0.1)])
def test_a_jump_at_a_transition_leaves_the_evidence_as_it_is(scale, offset, sigma, jump, kelvin):
    # The prefactor above moves by the jump; its prior is flat, and ends far from there.
    probe = nd.Probe(name="oven", scale=scale, offset=offset)
    even, odd = (jump_modes(jumping(size, kelvin=kelvin, sigma=sigma), probe)[1] for size in (0.0, jump))
    assert odd.effective_draws > 1000
    error = np.hypot(even.log_evidence_stderr, odd.log_evidence_stderr)
    assert odd.log_evidence == pytest.approx(even.log_evidence, abs=5 * error)


def test_a_jump_at_a_transition_that_is_looked_for_leaves_the_evidence_as_it_is():
    # A smaller jump leaves the place of the transition as certain, since each is 100 errors or more.
    kelvin = (270.0, 280.0, 290.0, 300.0, 310.0, 320.0, 330.0)
    small, large = (
        jump_modes(jumping(size, kelvin=kelvin, transition=None), nd.Probe(name="oven", scale=0.002))[1]
        for size in (2.0, 5.0)
    )
    error = np.hypot(small.log_evidence_stderr, large.log_evidence_stderr)
    assert large.log_evidence == pytest.approx(small.log_evidence, abs=5 * error)


def two_lines(process):
    """The barriers of the least-squares lines below and above 305 K [eV]."""
    kelvin = process.data["temperature"].values
    log, inverse = np.log(process.data["conductivity"].values * kelvin), -1 / (8.617333262e-5 * kelvin)
    return [np.polyfit(inverse[rows], log[rows], 1)[0] for rows in (kelvin < 305, kelvin > 305)]


@pytest.mark.parametrize("scale", [0.002, 0.01])
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_barriers_on_both_sides_of_a_jump_are_those_of_two_lines(seed, scale):
    process = jumping(5.0)
    _, modes = jump_modes(process, nd.Probe(name="oven", scale=scale), seed)
    for column, slope in zip((0, 2), two_lines(process), strict=True):
        drawn = modes.draws[:, column]
        mean = modes.draw_weight @ drawn
        sd = np.sqrt(modes.draw_weight @ (drawn - mean) ** 2)
        assert mean == pytest.approx(slope, abs=(5 / np.sqrt(modes.effective_draws) + 0.03) * sd)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_ensembles_converge_across_a_jump(seed):
    process = jumping(5.0)
    model, modes = jump_modes(process, nd.Probe(name="oven", scale=0.002), seed)
    chains = sample(model, modes, seed=np.random.SeedSequence(seed), ensembles=2, max_steps=4000, progress=False)
    assert chains.converged
    flat, ess = chains.draws.reshape(-1, len(model.parameters)), chains.check.ess
    for column, slope in zip((0, 2), two_lines(process), strict=True):
        mean, sd = flat[:, column].mean(), flat[:, column].std()
        assert mean == pytest.approx(slope, abs=(5 / np.sqrt(ess[column]) + 0.03) * sd)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("probe", [nd.Probe(name="oven", scale=0.002), nd.Probe(name="oven", offset=0.1)])
@pytest.mark.parametrize("law", [nd.PhaseTransition(temperature=305.0), nd.VTF(), nd.TwoArrhenius()])
def test_sparse_data_converge_or_say_that_they_did_not(law, probe, seed):
    jump = 5.0 if isinstance(law, nd.PhaseTransition) else 0.0
    process = jumping(jump, kelvin=(290.0, 300.0, 310.0, 320.0), law=law)
    found = nd.infer([process], seed=seed, probes=[probe], max_steps=600)
    codes = {one["code"] for one in json.loads(found.attrs["warnings"])}
    draws = found["posterior"].dataset
    assert all(np.all(np.isfinite(draws[name])) for name in draws.data_vars)
    model = JointModel([measurements(process, {"transport": process.data})], {"oven": probe}, {})
    theta = np.stack([draws[name].values.ravel() for name in model.parameters], axis=1)
    assert np.all(np.isfinite(model.log_prior(theta)))
    assert "not-converged" in codes or draws.sizes["draw"] * draws.sizes["chain"] > 1000


def test_search_that_failed_leaves_an_ensemble_that_can_move():
    # One draw has all the weight, and but for those of the prior all proposals are that draw.
    model, _, mean, spread = line_case(1)
    modes = modes_of(model, [[0.0, 0.0, 0.0]])
    alike = modes.points.copy()
    alike[np.arange(len(alike)) % 10 > 0] = alike[0]
    rng = np.random.default_rng(2)
    alike[::10] = np.stack([prior.draw(len(alike[::10]), rng) for prior in model.priors.values()], axis=1)
    weight = np.zeros(len(alike))
    weight[1] = 1.0
    failed = replace(modes, points=alike, draw_weight=weight, effective_draws=1.0)
    chains = sample(model, failed, seed=np.random.SeedSequence(1), ensembles=2, max_steps=4000, progress=False)
    assert chains.converged
    flat, sd = chains.draws.reshape(-1, 3), np.sqrt(np.diag(spread))
    assert np.all(np.abs(flat.mean(axis=0) - mean) < 5 * sd / np.sqrt(chains.check.ess))


def test_walkers_of_a_poor_search_start_near_the_best():
    # All proposals carry some weight, though most lie where the posterior never goes: none of those is a start.
    model, _, _, _ = line_case(1)
    modes = modes_of(model, [[0.0, 0.0, 0.0]])
    rng = np.random.default_rng(3)
    wide = np.concatenate([modes.points, np.stack([p.draw(len(modes.points), rng) for p in model.priors.values()], 1)])
    weight = np.full(len(wide), 1e-12)
    weight[:7] = 1.0
    poor = replace(modes, points=wide, draws=wide, draw_weight=weight / weight.sum(), effective_draws=7.0)
    chains = sample(model, poor, seed=np.random.SeedSequence(1), ensembles=2, max_steps=5, progress=False)
    assert chains.log_posterior.min() > chains.log_posterior.max() - 40


def test_many_parameters_are_moved_by_differences_alone():
    chains = run(Toy([Normal(0.0, 1.0)] * 11), [[0.0] * 11], max_steps=40)
    assert chains.moves == "1 DEMove"
    assert (chains.steps, chains.converged, chains.draws.shape[2]) == (40, False, 11)


def test_what_is_reported_must_converge_too():
    model = line_case(1)[0]

    def reported(theta):
        # A number that was fixed, a difference, and one that is none.
        return np.stack([np.full(len(theta), 0.45), theta[:, 0] - theta[:, 1], np.full(len(theta), np.nan)], axis=1)

    fine = run(model, reported=lambda theta: reported(theta)[:, :2])
    assert fine.converged
    assert fine.steps > 100
    assert fine.check.r_hat.shape == fine.autocorrelation_time.shape == (5,)
    assert fine.check.r_hat[3] == 1.0
    assert np.all(fine.check.ess > 1000)
    never = run(model, reported=reported, max_steps=100)
    assert (never.steps, never.converged) == (100, False)


def after(calls, what, log_likelihood):
    """The same likelihood, which does something else from this call on."""
    count = 0

    def counted(theta):
        nonlocal count
        count += 1
        if count > calls:
            what()
        return log_likelihood(theta)

    return counted


def stop():
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole():
    return run(line_case(1)[0], max_steps=130)


def broken(calls, **options):
    """Sampling that is interrupted after so many evaluations, each of half an ensemble."""
    model = line_case(1)[0]
    modes = modes_of(model, [[0.0, 0.0, 0.0]])
    model.log_likelihood = after(calls, stop, model.log_likelihood)
    options = {"seed": np.random.SeedSequence(1), "ensembles": 2, "max_steps": 300, "progress": False} | options
    return sample(model, modes, **options)


def test_interrupt_keeps_what_was_drawn(whole, capsys):
    # The first block of 60 steps of both ensembles takes 2 x (60 x 2 + 1) calls; then the first goes on by itself.
    chains = broken(2 * 121 + 30)
    assert chains.interrupted
    assert (chains.steps, chains.discarded, chains.kept) == (60, 12, 48)
    assert chains.draws.shape[0] == 2
    assert not chains.converged
    assert not whole.interrupted
    # In the middle of the first block of the second ensemble: 20 steps that both have done.
    assert broken(121 + 1 + 2 * 20).steps == 20
    assert broken(121 + 1 + 2 * 2).draws.shape[2] == 3
    assert capsys.readouterr() == ("", "")


def test_interrupt_before_anything_was_drawn_ends_it():
    with pytest.raises(KeyboardInterrupt):
        broken(50)


def assert_same(a, b):
    np.testing.assert_array_equal(a.draws, b.draws)
    np.testing.assert_array_equal(a.log_posterior, b.log_posterior)
    assert (a.steps, a.acceptance) == (b.steps, b.acceptance)


@pytest.mark.parametrize("calls", [121 + 70, 2 * 121 + 30, 2 * 121 + 200])
def test_draws_after_an_interrupt_are_those_without(whole, tmp_path, calls):
    file = tmp_path / "draws.h5"
    assert broken(calls, checkpoint=file).interrupted
    again = run(line_case(1)[0], max_steps=130, checkpoint=file)
    assert again.resumed == (0 if calls < 2 * 121 else 60)
    assert_same(again, whole)
    # What is finished is read back.
    model = line_case(1)[0]
    finished = run(model, max_steps=130, checkpoint=file)
    assert finished.resumed == finished.steps
    assert_same(finished, whole)
    assert [path.name for path in tmp_path.iterdir()] == ["draws.h5"]


KILLED = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
import os, signal
import numpy as np
from test_sampler import after, line_case, modes_of, sample
model = line_case(1)[0]
modes = modes_of(model, [[0.0, 0.0, 0.0]])
model.log_likelihood = after(2 * 121 + 100, lambda: os.kill(os.getpid(), signal.SIGKILL), model.log_likelihood)
sample(model, modes, seed=np.random.SeedSequence(1), ensembles=2, max_steps=130, progress=False,
       checkpoint=Path({file!r}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_draws_after_a_kill_are_those_without(whole, tmp_path):
    file = tmp_path / "draws.h5"
    code = KILLED.format(tests=str(Path(__file__).parent), file=str(file))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=os.environ.copy())
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert_same(run(line_case(1)[0], max_steps=130, checkpoint=file), whole)


def test_checkpoint_keeps_the_whole_state_of_the_random_numbers(tmp_path):
    random = np.random.RandomState(1)
    random.randn()  # leaves the second of a pair for the next call
    backend = emcee.backends.Backend()
    backend.reset(4, 2)
    backend.grow(1, None)
    state = emcee.State(np.ones((4, 2)), log_prob=np.zeros(4), random_state=random.get_state())
    backend.save_step(state, np.array([True, False, True, True]))
    file, study = tmp_path / "draws.h5", {"seed": "1"}
    write_checkpoint(file, Checkpoint([backend], np.zeros(2), np.eye(2)), study=study)
    (again,) = read_checkpoint(file, study=study).ensembles
    copy = np.random.RandomState()
    copy.set_state(again.random_state)
    np.testing.assert_array_equal(copy.randn(5), random.randn(5))
    np.testing.assert_array_equal(again.accepted, backend.accepted)


def test_longer_run_goes_on_from_a_shorter(whole, tmp_path):
    file, model = tmp_path / "draws.h5", line_case(1)[0]
    assert run(model, max_steps=30, checkpoint=file).steps == 30
    longer = run(model, max_steps=130, checkpoint=file)
    assert longer.resumed == 30
    np.testing.assert_array_equal(longer.draws[0, 0], whole.draws[0, 0])


def test_checkpoint_of_another_study_is_refused(tmp_path):
    file = tmp_path / "draws.h5"
    run(line_case(1)[0], max_steps=20, checkpoint=file)
    before = file.read_bytes()
    with pytest.raises(nd.InputError, match=r"draws\.h5: needed a checkpoint of this study.*other seed; delete it"):
        run(line_case(1)[0], seed=2, max_steps=20, checkpoint=file)
    # The same parameters and priors, but other data.
    with pytest.raises(nd.InputError, match="other data or model"):
        run(line_case(2)[0], max_steps=20, checkpoint=file)
    with pytest.raises(nd.InputError, match="other parameters, priors"):
        run(Toy([Normal(0, 1)]), [[0.0]], max_steps=20, checkpoint=file)
    assert file.read_bytes() == before


def test_files_that_are_no_checkpoint_are_refused_and_left_alone(tmp_path):
    text, table = tmp_path / "notes.txt", tmp_path / "table.h5"
    text.write_text("not HDF5", encoding="utf-8")
    with h5py.File(table, "w") as file:
        file["x"] = np.arange(3)
    for path in (text, table):
        before = path.read_bytes()
        with pytest.raises(nd.InputError, match=f"{path.name}: needed a checkpoint of nmrdyn"):
            run(line_case(1)[0], max_steps=20, checkpoint=path)
        assert path.read_bytes() == before
    with pytest.raises(nd.InputError, match="found the folder"):
        run(line_case(1)[0], max_steps=20, checkpoint=tmp_path)
    with pytest.raises(nd.InputError, match="needed a folder"):
        run(line_case(1)[0], max_steps=20, checkpoint=tmp_path / "missing" / "draws.h5")


# Diagnostics


def autoregressive(steps, keep, walkers=128, seed=1):
    """A stationary chain (1, step, walker, 1) with an autocorrelation time of (1 + keep)/(1 - keep) steps."""
    rng = np.random.default_rng(seed)
    chain = rng.standard_normal((1, steps, walkers, 1))
    for step in range(1, steps):
        chain[:, step] = keep * chain[:, step - 1] + np.sqrt(1 - keep**2) * chain[:, step]
    return chain


@pytest.mark.parametrize(("steps", "keep", "tolerance"), [(60, 0.6, 0.15), (250, 0.6, 0.08), (4000, 0.9, 0.05)])
def test_autocorrelation_times_of_short_chains_are_not_too_short(steps, keep, tolerance):
    found = autocorrelation_time(autoregressive(steps, keep))[0]
    assert found == pytest.approx((1 + keep) / (1 - keep), rel=tolerance)


def test_chain_that_never_moved_has_no_autocorrelation_time():
    stuck = np.tile(np.random.default_rng(1).standard_normal((1, 1, 8, 1)), (1, 100, 1, 1))
    assert autocorrelation_time(stuck)[0] == np.inf
    both = np.concatenate([autoregressive(100, 0.5, walkers=8), stuck])
    assert autocorrelation_time(both)[0] == np.inf
    # One walker that is stuck among others makes the time longer, not unknown.
    mixed = np.concatenate([autoregressive(400, 0.5, walkers=31), np.full((1, 400, 1, 1), 3.0)], axis=2)
    assert np.isfinite(autocorrelation_time(mixed)[0])


def test_diagnostics_take_what_is_reported_behind_the_parameters():
    draws = np.random.default_rng(1).standard_normal((2, 4000, 2))
    apart = np.array([[0.0], [0.5]])

    def reported(theta):
        return (theta[:, 0].reshape(2, -1) + apart).reshape(-1, 1)

    found = diagnose(draws, reported)
    assert found.r_hat.shape == (3,)
    assert np.all(found.r_hat[:2] < 1.01)
    assert found.r_hat[2] > 1.01
