"""Step 5: posterior -> comparison. Are two barriers the same, different, or can the data not tell?"""

from __future__ import annotations

import itertools
import json
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
    require(posterior, "posterior")
    if not margin > 0:
        raise InputError(f"compare: needed a margin above 0 eV, found {margin}")
    described = json.loads(posterior.attrs["processes"])
    draws = posterior["posterior"].dataset
    owner, energy = {}, {}
    for name, entry in described.items():
        for label, variable in entry.get("barriers", {name: f"{name}.activation_energy"}).items():
            owner[label], energy[label] = name, draws[variable].values.ravel()
    failing = {name for name, entry in described.items() if not _law_fits(entry)}
    sigma = {name for name, entry in described.items() if entry["convention"] == "sigma"}
    pairs = list(itertools.combinations(energy, 2))
    draw_count = draws.sizes["chain"] * draws.sizes["draw"]
    difference = np.array([energy[a] - energy[b] for a, b in pairs]).reshape(len(pairs), draw_count)
    passed = bool(posterior.attrs["passed"])
    obstacles = [_obstacle((owner[a], owner[b]), failing, sigma, passed=passed) for a, b in pairs]
    verdicts = [_verdict(row, margin, obstacle) for row, obstacle in zip(difference, obstacles, strict=True)]
    factor = np.full((len(pairs), _WIDTHS.size), np.nan)
    for k, obstacle in enumerate(obstacles):
        if not obstacle:
            factor[k] = _bayes_factor(difference[k])
    comparison = xr.Dataset(
        {
            "activation_energy": (("process", "sample"), np.array(list(energy.values()))),
            "difference": (("pair", "sample"), difference),
            "law_fits": ("process", np.array([owner[label] not in failing for label in energy])),
            "probability_positive": ("pair", np.mean(difference > 0, axis=1)),
            "probability_equivalent": ("pair", np.mean(np.abs(difference) < margin, axis=1)),
            "verdict": ("pair", np.array([verdict for verdict, _ in verdicts], dtype=object)),
            "reason": ("pair", np.array([reason for _, reason in verdicts], dtype=object)),
            "bayes_factor": (("pair", "width"), factor),
        },
        coords={"process": list(energy), "pair": [f"{a} - {b}" for a, b in pairs], "width": _WIDTHS},
    )
    return stamp(comparison, "comparison", margin=margin)


def _law_fits(entry: dict[str, Any]) -> bool:
    """Whether the law of a process describes its data: what `infer` says, or else the test that it made."""
    misfit = entry["misfit"]
    return bool(entry.get("law_fits", not (misfit["dof"] > 0 and misfit["p"] < misfit["level"])))


def _obstacle(pair: tuple[str, str], failing: set[str], sigma: set[str], *, passed: bool) -> str:
    """Why the difference of the barriers of two processes would mean nothing; "" where it means something."""
    if not passed:
        return "the sampler did not converge"
    if failing & set(pair):
        return f"one barrier does not describe {' and '.join(sorted(failing & set(pair)))}"
    if (pair[0] in sigma) != (pair[1] in sigma):
        return f"the barrier of {(sigma & set(pair)).pop()} is that of sigma, which only compares as sigma T"
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
    if -margin < low and high < margin:
        return "same", f"{limits} lies inside ±{1e3 * margin:g} meV"
    if low > margin or high < -margin:
        return "different", f"{limits} lies outside ±{1e3 * margin:g} meV"
    return "undecided", f"{limits} crosses ±{1e3 * margin:g} meV"
