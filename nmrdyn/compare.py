"""Step 5: posterior -> comparison. Are two barriers the same, different, or can the data not tell?"""

from __future__ import annotations

import itertools
import json

import numpy as np
import xarray as xr

from nmrdyn.schema import InputError, require, stamp


def compare(posterior: xr.DataTree, margin: float = 0.020) -> xr.Dataset:
    """Differences of all pairs of barriers, draw by draw, so that shared errors cancel.

    Two barriers are `same` where the central 95 % interval of their difference lies inside +-margin, `different` where
    it lies outside, and `undecided` otherwise; also where a law does not describe its data, or the sampler did not
    converge, since the interval then means nothing.

    Parameters
    ----------
    posterior : what `infer` returned
    margin : barriers closer than this [eV] count as the same; to be chosen before the data are seen

    Returns
    -------
    comparison : `activation_energy (process, sample)` and `difference (pair, sample)` [eV], verdicts with reasons

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
    energy = {name: draws[f"{name}.activation_energy"].values.ravel() for name in described}
    failing = {name for name in described if is_misfit(described[name])}
    pairs = list(itertools.combinations(described, 2))
    draw_count = draws.sizes["chain"] * draws.sizes["draw"]
    difference = np.array([energy[a] - energy[b] for a, b in pairs]).reshape(len(pairs), draw_count)
    sigma = {name for name in described if described[name]["convention"] == "sigma"}
    verdicts = [
        _verdict(row, margin, _obstacle(pair, failing, sigma, passed=bool(posterior.attrs["passed"])))
        for row, pair in zip(difference, pairs, strict=True)
    ]
    comparison = xr.Dataset(
        {
            "activation_energy": (("process", "sample"), np.array(list(energy.values()))),
            "difference": (("pair", "sample"), difference),
            "law_fits": ("process", np.array([name not in failing for name in described])),
            "probability_positive": ("pair", np.mean(difference > 0, axis=1)),
            "probability_equivalent": ("pair", np.mean(np.abs(difference) < margin, axis=1)),
            "verdict": ("pair", np.array([verdict for verdict, _ in verdicts], dtype=object)),
            "reason": ("pair", np.array([reason for _, reason in verdicts], dtype=object)),
        },
        coords={"process": list(described), "pair": [f"{a} - {b}" for a, b in pairs]},
    )
    return stamp(comparison, "comparison", margin=margin)


def is_misfit(described: dict[str, dict[str, float]]) -> bool:
    """Whether the law of a process fails to describe its data, by the test that `infer` made."""
    misfit = described["misfit"]
    return bool(misfit["dof"] > 0 and misfit["p"] < misfit["level"])


def _obstacle(pair: tuple[str, str], failing: set[str], sigma: set[str], *, passed: bool) -> str:
    """Why the difference of a pair would mean nothing; "" where it means something."""
    if not passed:
        return "the sampler did not converge"
    if failing & set(pair):
        return f"one barrier does not describe {' and '.join(sorted(failing & set(pair)))}"
    if len(sigma & set(pair)) == 1:
        return f"the barrier of {(sigma & set(pair)).pop()} is that of sigma, which only compares as sigma T"
    return ""


def _verdict(difference: np.ndarray, margin: float, obstacle: str) -> tuple[str, str]:
    low, high = np.quantile(difference, [0.025, 0.975])
    limits = f"the 95 % interval, {1e3 * low:.0f} to {1e3 * high:.0f} meV,"
    if obstacle:
        return "undecided", obstacle
    if -margin < low and high < margin:
        return "same", f"{limits} lies inside ±{1e3 * margin:g} meV"
    if low > margin or high < -margin:
        return "different", f"{limits} lies outside ±{1e3 * margin:g} meV"
    return "undecided", f"{limits} crosses ±{1e3 * margin:g} meV"
