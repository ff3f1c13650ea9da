"""Verdicts on posteriors made by hand, with draws that are known."""

import json

import numpy as np
import pytest
import xarray as xr

import nmrdyn as nd

# Evenly spaced in random order: mean 0, sd 1 and all shares are those of the uniform distribution.
Z = np.random.default_rng(1).permutation(np.sqrt(12) * ((np.arange(4000) + 0.5) / 4000 - 0.5))


def posterior(energies, *, passed=1, misfit=(), sigma=()):
    """A posterior with these draws [eV] of each barrier, in two chains."""
    draws = {
        f"{name}.activation_energy": (("chain", "draw"), values.reshape(2, -1)) for name, values in energies.items()
    }
    tree = xr.DataTree.from_dict({"/posterior": xr.Dataset(draws)})
    described = {
        name: {
            "convention": "sigma" if name in sigma else "",
            "misfit": {"chi2": 9.0, "dof": 6, "p": 0.001 if name in misfit else 0.2, "level": 0.01},
        }
        for name in energies
    }
    tree.attrs |= {"stage": "posterior", "passed": passed, "processes": json.dumps(described)}
    return tree


def two(mean, sd, **kwargs):
    """Barriers a and b whose difference is uniform with this mean and sd [meV]: 95 % lie within 1.645 sd."""
    return posterior({"a": 0.4 + 1e-3 * (mean + sd * Z), "b": np.full(4000, 0.4)}, **kwargs)


def only(comparison):
    return comparison.isel(pair=0)


# The central 95 % of a uniform distribution reach 0.95 sqrt(3) = 1.645 sd to either side of its mean.
@pytest.mark.parametrize(
    ("mean", "sd", "verdict"),
    [
        (0, 5, "same"),  # -8 to 8 inside 20
        (11, 5, "same"),  # 3 to 19: 0 lies outside, and yet the same by the margin
        (12.5, 5, "undecided"),  # 4 to 21 crosses
        (-12.5, 5, "undecided"),
        (0, 13, "undecided"),  # -21 to 21: wider than the margin on both sides
        (50, 17, "different"),  # 22 to 78
        (-50, 17, "different"),
        (50, 19, "undecided"),  # 19 to 81
    ],
)
def test_verdict_follows_the_interval_and_the_margin(mean, sd, verdict):
    comparison = only(nd.compare(two(mean, sd), margin=0.020))
    assert comparison.verdict.item() == verdict
    low, high = mean - 1.645 * sd, mean + 1.645 * sd
    words = {"same": "lies inside ±20 meV", "different": "lies outside ±20 meV", "undecided": "crosses ±20 meV"}
    assert comparison.reason.item() == f"the 95 % interval, {low:.0f} to {high:.0f} meV, {words[verdict]}"


def test_margin_decides_and_is_20_mev_unless_said():
    close = two(30, 5)  # 22 to 38
    assert [nd.compare(close, margin).verdict.item() for margin in (0.015, 0.030, 0.045)] == [
        "different",
        "undecided",
        "same",
    ]
    assert nd.compare(close).attrs["margin"] == 0.020
    assert nd.compare(close).verdict.item() == "different"


@pytest.mark.parametrize("margin", [0.0, -0.02, float("nan")])
def test_margin_must_be_positive(margin):
    with pytest.raises(nd.InputError, match=r"needed a margin above 0 eV, found"):
        nd.compare(two(0, 5), margin=margin)


@pytest.mark.parametrize(("mean", "sd"), [(0, 5), (50, 5), (0, 50)])
def test_no_verdict_where_the_numbers_mean_nothing(mean, sd):
    unfinished = only(nd.compare(two(mean, sd, passed=0)))
    assert (unfinished.verdict.item(), unfinished.reason.item()) == ("undecided", "the sampler did not converge")
    bent = only(nd.compare(two(mean, sd, misfit="b")))
    assert (bent.verdict.item(), bent.reason.item()) == ("undecided", "one barrier does not describe b")
    both = only(nd.compare(two(mean, sd, misfit="ab")))
    assert both.reason.item() == "one barrier does not describe a and b"


def test_barrier_of_sigma_is_only_compared_with_its_like():
    # It lies about kT below that of sigma T, which is more than the margin.
    mixed = only(nd.compare(two(50, 5, sigma="b")))
    assert mixed.verdict.item() == "undecided"
    assert "b is that of sigma" in mixed.reason.item()
    assert nd.compare(two(50, 5, sigma="ab")).verdict.item() == "different"


def test_misfit_of_one_process_leaves_the_other_pairs_alone():
    barriers = {"a": 0.4 + 0.001 * Z, "b": 0.5 + 0.001 * np.roll(Z, 1), "c": 0.6 + 0.001 * np.roll(Z, 2)}
    comparison = nd.compare(posterior(barriers, misfit="c"))
    assert comparison.pair.values.tolist() == ["a - b", "a - c", "b - c"]
    assert comparison.verdict.values.tolist() == ["different", "undecided", "undecided"]
    assert comparison.law_fits.values.tolist() == [True, True, False]


def test_two_temperatures_test_no_law_and_so_refute_none():
    tree = two(50, 5)
    described = json.loads(tree.attrs["processes"])
    described["a"]["misfit"] = {"chi2": 0.0, "dof": 0, "p": float("nan"), "level": 0.01}
    tree.attrs["processes"] = json.dumps(described)
    assert nd.compare(tree).verdict.item() == "different"


# Of a uniform distribution with this mean and sd [meV], the share above 0 and the share inside 20 meV.
@pytest.mark.parametrize(
    ("mean", "sd", "positive", "equivalent"),
    [
        (0, 10, 0.5, 1.0),  # -17.3 to 17.3
        (10, 10, 0.5 + 10 / (20 * np.sqrt(3)), 0.5 + 10 / (20 * np.sqrt(3))),  # -7.3 to 27.3
        (100, 10, 1.0, 0.0),
        (0, 40, 0.5, 20 / (40 * np.sqrt(3))),  # -69 to 69
    ],
)
def test_probabilities_are_shares_of_the_draws(mean, sd, positive, equivalent):
    comparison = only(nd.compare(two(mean, sd)))
    assert comparison.probability_positive.item() == pytest.approx(positive, abs=1e-3)
    assert comparison.probability_equivalent.item() == pytest.approx(equivalent, abs=1e-3)


def test_shared_errors_cancel_draw_by_draw():
    # Both barriers carry the same error of 30 meV, and b one of 2 meV of its own.
    shared, own = 0.030 * Z, 0.002 * Z[::-1]
    comparison = nd.compare(posterior({"a": 0.41 + shared, "b": 0.40 + shared + own}))
    difference = comparison.difference.sel(pair="a - b").values
    np.testing.assert_allclose(difference, 0.01 - own, atol=1e-12)
    assert difference.std() == pytest.approx(0.002, rel=1e-3)
    assert comparison.verdict.item() == "same"
    np.testing.assert_array_equal(comparison.activation_energy.sel(process="a").values, 0.41 + shared)


def test_comparison_is_stamped():
    comparison = nd.compare(two(0, 5))
    assert comparison.attrs["stage"] == "comparison"
    assert comparison.difference.dims == ("pair", "sample")
    assert comparison.activation_energy.dims == ("process", "sample")
    assert comparison.difference.attrs["units"] == comparison.activation_energy.attrs["units"] == "eV"
    assert comparison.sizes == {"process": 2, "sample": 4000, "pair": 1, "width": 25}


def test_one_process_has_no_pairs():
    comparison = nd.compare(posterior({"a": 0.4 + 0.01 * Z}))
    assert comparison.sizes["pair"] == 0
    assert comparison.process.values.tolist() == ["a"]


def test_only_a_posterior_is_compared():
    with pytest.raises(nd.InputError, match=r"needed the stage 'posterior', found 'Dataset'.*infer"):
        nd.compare(xr.Dataset())


def test_a_barrier_of_sigma_compares_only_with_another_of_sigma():
    # ln sigma and ln sigma T differ in slope by kT, some 26 meV at room temperature.
    one = only(nd.compare(two(50, 5, sigma=("b",))))
    assert one.verdict.item() == "undecided"
    assert "b is that of sigma" in one.reason.item()
    assert only(nd.compare(two(50, 5, sigma=("a", "b")))).verdict.item() == "different"
