"""Step 5: posterior -> comparison. Are two barriers the same, different, or can the data not tell?"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.schema import Array, InputError, require, stamp

_WIDTHS = np.geomspace(0.005, 0.5, 25)  # eV
_LEAST_NEAR = 20  # draws near 0, from which a density there can be told


def compare(posterior: xr.DataTree, margin: float = 0.020) -> xr.Dataset:
    """Differences of all pairs of barriers, draw by draw, so that shared errors cancel.

    Two barriers are `same` where the central 95 % interval of their difference lies inside +-margin, `different` where
    it lies outside, and `undecided` otherwise; also where a law does not describe its data, or the sampler did not
    converge, since the interval then means nothing.

    Beside the verdict stands the Bayes factor of no difference against one drawn from Normal(0, w), for widths w from
    5 to 500 meV, since it depends on w as much as on the data: p(0) / mean of Normal(difference; 0, w) over the draws,
    where p is the density of the draws (Dickey, Ann. Math. Stat. 42 (1971) 204). It takes the priors of the barriers as
    flat where the data are, which those of Arrhenius laws are. It is NaN where the verdict has an obstacle, and where
    fewer than 20 draws lie within a kernel's width of 0: it then is well below 1, and these draws cannot tell how far.

    Parameters
    ----------
    posterior : what `infer` returned
    margin : barriers closer than this [eV] count as the same; to be chosen before the data are seen

    Returns
    -------
    comparison : `activation_energy (process, sample)` and `difference (pair, sample)` [eV], verdicts with reasons, and
        `bayes_factor (pair, width)`. Along `process` is each barrier: "NAME", or "NAME below" where a law has several

    Raises
    ------
    InputError
        For a margin that is not positive.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> def eis(barrier):
    ...     return nd.simulate(nd.ConductivityTruth(activation_energy=barrier, conductivity=1e-2,
    ...         reference_temperature=333.15, temperature=range(280, 340, 10)), seed=3)
    >>> runs = [nd.Process(n, eis(e), mechanism=nd.Conductivity("sigma_T")) for n, e in (("a", 0.55), ("b", 0.40))]
    >>> comparison = nd.compare(nd.infer(runs, seed=1))
    >>> comparison.pair.item(), comparison.verdict.item()
    ('a - b', 'different')
    """
    return _compared([_barriers(posterior)], margin)


def compare_results(posteriors: Mapping[str, xr.DataTree], margin: float = 0.020) -> xr.Dataset:
    """Differences of all pairs of barriers of several posteriors, those of one as `compare` has them.

    Between two posteriors draws are independent, and so are put side by side at random. An error that both share, such
    as that of a thermometer that both used, then counts twice and does not cancel: such an interval is rather too wide.

    Parameters
    ----------
    posteriors : by name, what `infer` returned or `read_posterior` read
    margin : as for `compare`

    Returns
    -------
    comparison : as of `compare`, with barriers called "NAME: BARRIER", and `independent (pair)`, whether the two are
        from different posteriors; those that were made from the same files have no verdict

    Raises
    ------
    InputError
        For no posterior, or a margin that is not positive.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> def run(barrier, seed):
    ...     eis = nd.simulate(nd.ConductivityTruth(activation_energy=barrier, conductivity=1e-2,
    ...         reference_temperature=333.15, temperature=range(280, 340, 10)), seed=seed)
    ...     return nd.infer([nd.Process("eis", eis, mechanism=nd.Conductivity("sigma_T"))], seed=seed)
    >>> comparison = compare_results({"first": run(0.55, 1), "second": run(0.40, 2)})
    >>> comparison.pair.item(), comparison.verdict.item(), comparison.independent.item()
    ('first: eis - second: eis', 'different', True)
    """
    if not posteriors:
        raise InputError("compare_results: needed at least one posterior, found none")
    return _compared([_barriers(one, f"{name}: ") for name, one in posteriors.items()], margin)


@dataclass(frozen=True)
class _Barrier:
    """A barrier with its draws [eV], what it describes, and why nothing may be said of it."""

    label: str
    energy: Array
    owner: str
    fits: bool
    of_sigma: bool
    passed: bool
    files: frozenset[str]  # sha256 of the data that its study read


def _barriers(posterior: xr.DataTree, before: str = "") -> list[_Barrier]:
    """The barriers of a posterior, with something before their names."""
    require(posterior, "posterior")
    draws = posterior["posterior"].dataset
    read = json.loads(posterior.attrs.get("inputs", "{}"))
    files = frozenset(digest for name, digest in read.items() if not name.endswith(".toml"))
    return [
        _Barrier(
            label=f"{before}{label}",
            energy=draws[variable].values.ravel(),
            owner=f"{before}{name}",
            fits=_law_fits(entry),
            of_sigma=entry["convention"] == "sigma",
            passed=bool(posterior.attrs["passed"]),
            files=files,
        )
        for name, entry in json.loads(posterior.attrs["processes"]).items()
        for label, variable in entry.get("barriers", {name: f"{name}.activation_energy"}).items()
    ]


def _compared(groups: list[list[_Barrier]], margin: float) -> xr.Dataset:
    """The comparison of barriers in groups, draw by draw in each, and at random between them."""
    if not margin > 0:
        raise InputError(f"compare: needed a margin above 0 eV, found {margin}")
    rng = np.random.default_rng(0)  # decides which of independent draws stand side by side, and nothing else
    n = min(one.energy.size for group in groups for one in group)
    barriers, group_of = [], []
    for k, group in enumerate(groups):
        # Runs of one seed would otherwise have like draws at like places.
        order = rng.permutation(group[0].energy.size)[:n] if len(groups) > 1 else slice(None)
        barriers += [replace(one, energy=one.energy[order]) for one in group]
        group_of += [k] * len(group)
    pairs = list(itertools.combinations(range(len(barriers)), 2))
    difference = np.array([barriers[a].energy - barriers[b].energy for a, b in pairs]).reshape(len(pairs), n)
    obstacles = [_obstacle(barriers[a], barriers[b], apart=group_of[a] != group_of[b]) for a, b in pairs]
    verdicts = [_verdict(row, margin, obstacle) for row, obstacle in zip(difference, obstacles, strict=True)]
    factor = np.full((len(pairs), _WIDTHS.size), np.nan)
    for k, obstacle in enumerate(obstacles):
        if not obstacle:
            factor[k] = _bayes_factor(difference[k])
    comparison = xr.Dataset(
        {
            "activation_energy": (("process", "sample"), np.array([one.energy for one in barriers])),
            "difference": (("pair", "sample"), difference),
            "law_fits": ("process", np.array([one.fits for one in barriers])),
            "probability_positive": ("pair", np.mean(difference > 0, axis=1)),
            "probability_equivalent": ("pair", np.mean(np.abs(difference) < margin, axis=1)),
            "verdict": ("pair", np.array([verdict for verdict, _ in verdicts], dtype=object)),
            "reason": ("pair", np.array([reason for _, reason in verdicts], dtype=object)),
            "bayes_factor": (("pair", "width"), factor),
        },
        coords={
            "process": [one.label for one in barriers],
            "pair": [f"{barriers[a].label} - {barriers[b].label}" for a, b in pairs],
            "width": _WIDTHS,
        },
    )
    if len(groups) > 1:
        comparison["independent"] = ("pair", np.array([group_of[a] != group_of[b] for a, b in pairs]))
    return stamp(comparison, "comparison", margin=margin)


def _law_fits(entry: dict[str, Any]) -> bool:
    """Whether the law of a process describes its data: what `infer` says, or else the test that it made."""
    misfit = entry["misfit"]
    return bool(entry.get("law_fits", not (misfit["dof"] > 0 and misfit["p"] < misfit["level"])))


def _obstacle(first: _Barrier, second: _Barrier, *, apart: bool) -> str:
    """Why the difference of two barriers would mean nothing; "" where it means something."""
    pair = (first, second)
    if not all(one.passed for one in pair):
        return "the sampler did not converge"
    if failing := sorted({one.owner for one in pair if not one.fits}):
        return f"one barrier does not describe {' and '.join(failing)}"
    if first.of_sigma != second.of_sigma:
        owner = first.owner if first.of_sigma else second.owner
        return f"the barrier of {owner} is that of sigma, which only compares as sigma T"
    if apart and (shared := len(first.files & second.files)):
        return f"both results were made from the same data ({shared} files), so that their errors are not independent"
    return ""


def _bayes_factor(difference: Array) -> Array:
    """Of no difference against Normal(0, width) (width,)."""
    half = difference.size // 2
    ordered = np.sort(difference)
    # By the narrowest half of the draws, which a second mode does not widen: 1.349 sd of a normal distribution.
    spread = np.min(ordered[half:] - ordered[: difference.size - half]) / 1.349
    kernel = 0.9 * spread * difference.size**-0.2  # Silverman 1986, section 3.4.2
    if np.sum(np.abs(difference) < kernel) < _LEAST_NEAR:
        return np.full(_WIDTHS.size, np.nan)
    return _mean_normal(difference, np.array([kernel]))[0] / _mean_normal(difference, _WIDTHS)


def _mean_normal(difference: Array, width: Array) -> Array:
    """The density of Normal(0, width) at the differences, on average (width,)."""
    return np.array([np.mean(np.exp(-((difference / w) ** 2) / 2)) / (w * np.sqrt(2 * np.pi)) for w in width])


def _verdict(difference: Array, margin: float, obstacle: str) -> tuple[str, str]:
    low, high = np.quantile(difference, [0.025, 0.975])
    limits = f"the 95 % interval, {1e3 * low:.0f} to {1e3 * high:.0f} meV,"
    if obstacle:
        return "undecided", obstacle
    verdict = verdict_of(low, high, margin)
    lies = {"same": "lies inside", "different": "lies outside", "undecided": "crosses"}[verdict]
    return verdict, f"{limits} {lies} ±{1e3 * margin:g} meV"


def verdict_of(low: float, high: float, margin: float) -> str:
    """The verdict that the ends of a 95 % interval and a margin make."""
    if -margin < low and high < margin:
        return "same"
    return "different" if low > margin or high < -margin else "undecided"
