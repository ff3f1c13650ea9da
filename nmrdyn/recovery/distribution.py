"""recovery -> a distribution of T1 for each experiment, with bands, for recoveries that are neither one T1 nor two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.findings import Finding, attach, attached
from nmrdyn.recovery.batch.rules import NOTHING
from nmrdyn.recovery.fit import require_recoveries
from nmrdyn.recovery.inversion import peaks, read_trace, width
from nmrdyn.schema import Array, InputError, require, require_within, stamp

_LEAST_ROWS = 6
_BEYOND = 3.0  # the grid reaches this factor past the delays on both sides
_NODES = 48
_OUTSIDE = 0.05  # of the distribution past the delays is remarked on
_MISFIT = 2.0  # times the noise is remarked on
_SHARP = 1.4  # times the width of a single T1 is no wider


def t1_distribution(
    recovery: xr.Dataset,
    *,
    depth: float | None = None,
    t1: npt.ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 400,
    seed: int = 1,
) -> xr.Dataset:
    """Non-negative distribution of ln T1 of each experiment, by regularised inversion of its recovery, with bands.

    The signal is sum_k g_k (1 - depth exp(-t/T1_k)) with g_k >= 0. Without a `depth` it is c - sum_k h_k exp(-t/T1_k)
    with h_k >= 0 and a free offset c, and all T1 share the depth sum_k h_k / c. Many distributions describe a recovery
    within its noise; the squared norm of g or h times a strength is added to the sum of squares, which is a normal
    prior of mean 0 (Butler, Reeds and Dawson, SIAM J. Numer. Anal. 18 (1981) 381, solve it for non-negative ones).
    The rule for the strength: its logarithm is drawn from its marginal likelihood, before the restriction to
    non-negative values and with the variance of the noise integrated out together with the measured noise. Each of
    `draws` repeats the inversion with its strength and variance from there, fresh noise on the signal, and fresh prior
    means (Everink, Dong and Andersen, Inverse Probl. 39 (2023) 115004), so that values of exactly 0 occur. The
    distribution is the mean of the draws, bands are their quantiles. Monte Carlo bands on such distributions were
    proposed by Prange and Song, J. Magn. Reson. 196 (2009) 54.

    What the data do not tell stays open: T1 past the delays (`reached`, `outside`), and widths below `resolution`. Two
    T1 with a ratio of 10 show as two peaks from a signal-to-noise ratio of about 200 up; with a ratio of 2 as one broad
    peak. A second peak need not be there: a stretched exponential of beta 0.6, whose distribution has one maximum,
    shows two in a quarter to a third of simulations at a signal-to-noise ratio of 300; a log-normal one of sd 0.7 in
    none of 100.

    Over simulated pairs of a ratio of 10, single T1 and log-normal distributions with free depth, 95 % bands hold
    areas, `mean_t1` and positions in 88 to 100 % at signal-to-noise ratios of 200 and 1000. There `mean_t1` is short by
    up to 15 %, since what recovers before the first delay is not told from the depth; of one or two sharp lines
    `peak_t1` is the number to quote. With a fixed depth the interval of `mean_t1` is too narrow for broad
    distributions: it held 30 to 98 % for pairs, 17 % for the stretched exponential, whose `mean_t1` is 11 % long.

    Parameters
    ----------
    recovery : stage `recovery`, saturation or inversion
    depth : 1 saturated, 2 inverted; free unless given
    t1 : grid of T1 [s], increasing in even steps of its logarithm; from a third of the shortest to three times the
        longest delay of all experiments unless given
    level : probability of the bands
    draws : number of inversions
    seed : of the random numbers

    Returns
    -------
    distribution : Dataset with, per experiment,

        `distribution` (experiment, t1), density of ln T1, which integrates to 1; `band` (experiment, t1, bound)
        `mean_t1` [s], exp of the mean of ln T1, and `mean_t1_interval` (experiment, bound)
        `width` and `resolution`, half of the range of ln T1 that holds the central 68 %, of the distribution and of
        what a single T1 would show
        `peaks`, their number: maxima within the delays, each with an area above 0.01 at the low end of its band; two
        are one unless the density between them falls below half the lower
        `peak_t1` [s] and `peak_area` (experiment, peak), which together hold all, and their intervals (experiment,
        peak, bound)
        `outside`, the share past the delays; `reached` (experiment, t1), whether a T1 is within them
        `misfit`, root mean square of the residuals over the noise; it is large where no non-negative distribution, or
        not that depth, describes the recovery
        `amplitude`, `depth`, and `reason` where there is none (NaN): too few rows, or no recovery is seen

    Raises
    ------
    InputError
        For experiments that are no recoveries, a depth outside 0 to 10, a level outside 0 to 1, fewer than 50 draws,
        or a grid that is not increasing in even steps of ln T1.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, snr=500,
    ...     activation_energy=0.45, tau_c=1e-5, reference_temperature=333.15, temperature=[333.15])
    >>> found = t1_distribution(nd.simulate(truth, seed=1), draws=200)
    >>> low, high = found["mean_t1_interval"].values[0]
    >>> found["peaks"].item(), bool(low < truth.t1.item() < high)
    (1, True)
    """
    require(recovery, "recovery")
    require_within("t1_distribution: level", level, above=0, below=1, single=True)
    require_within("t1_distribution: draws", draws, least=50, single=True)
    if depth is not None:
        require_within("t1_distribution: depth", depth, above=0, most=10, single=True)
    require_recoveries(recovery)
    delay = np.where(np.isfinite(recovery["signal"].values), recovery["delay"].values, np.nan)
    grid = _grid(delay) if t1 is None else _given(t1)
    generators = np.random.default_rng(seed).spawn(recovery.sizes["experiment"])
    rows = []
    for i, rng in enumerate(generators):
        one = recovery.isel(experiment=i)
        rows.append(_distribution(one, grid, depth=depth, level=level, draws=draws, rng=rng))
    return _assemble(recovery, grid, rows, level=level)


def _grid(delay: Array) -> Array:
    positive = delay[delay > 0]
    if not positive.size:
        raise InputError("t1_distribution: needed delays above 0 s, found none; read the delays first")
    return np.geomspace(positive.min() / _BEYOND, positive.max() * _BEYOND, _NODES)


def _given(t1: npt.ArrayLike) -> Array:
    grid = np.asarray(t1, dtype=float)
    require_within("t1_distribution: t1", grid, above=0)
    steps = np.diff(np.log(grid.ravel()))
    if grid.ndim != 1 or grid.size < 10 or steps.min() <= 0 or np.ptp(steps) > 1e-6 * steps.max():
        raise InputError(
            f"t1_distribution: needed 10 or more T1 in even steps of the logarithm, found {grid}; use numpy.geomspace"
        )
    return grid


def _distribution(
    one: xr.Dataset, grid: Array, *, depth: float | None, level: float, draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """What is found in one experiment, or its `reason` alone."""
    if one["reason"].item():
        return {"reason": str(one["reason"].item())}
    trace = read_trace(one, depth)
    if trace.signal.size < _LEAST_ROWS or np.unique(trace.delay).size < _LEAST_ROWS or np.any(trace.delay < 0):
        return {"reason": f"needed at least {_LEAST_ROWS} different delays of 0 s or more, found others"}
    inversion = trace.inversion(grid, trace.signal)
    drawn, noise = inversion.draw(draws, rng) if inversion.target.any() else (np.empty(0), 0.0)
    if not drawn.size:
        return {"reason": NOTHING}
    share = drawn / drawn.sum(axis=1, keepdims=True)
    log_t1 = np.log(grid)
    mean = share.mean(axis=0)
    step = log_t1[1] - log_t1[0]
    tail = np.array([(1 - level) / 2, (1 + level) / 2])
    centre = float(mean @ log_t1)
    amplitude = trace.amplitude(grid, drawn)
    size = drawn.sum(axis=1).mean()
    alone, _ = trace.alone(grid, t1=np.exp(centre), size=size, noise=noise).draw(draws // 4, rng)
    reached = (grid >= trace.delay[trace.delay > 0].min()) & (grid <= trace.delay.max())
    return {
        "reason": "",
        "distribution": mean / step,
        "band": np.quantile(share, tail, axis=0).T / step,
        "mean_t1": np.exp(centre),
        "mean_t1_interval": np.exp(np.quantile(share @ log_t1, tail)),
        "width": width(mean, log_t1),
        "resolution": width(alone.sum(axis=0), log_t1) if alone.size else np.inf,
        "outside": mean[~reached].sum(),
        "misfit": np.sqrt(inversion.misfit(drawn) / inversion.target.size) / noise,
        "reached": reached,
        "amplitude": amplitude,
        "depth": size / amplitude if depth is None else depth,
        "peaks": peaks(share, log_t1, tail=tail, reached=reached),
    }


def _assemble(recovery: xr.Dataset, grid: Array, rows: list[dict[str, Any]], *, level: float) -> xr.Dataset:
    n, m = len(rows), max([1, *(len(row.get("peaks", ())) for row in rows)])
    numbers = ("mean_t1", "width", "resolution", "outside", "misfit", "amplitude", "depth")
    shapes: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = dict.fromkeys(numbers, (("experiment",), (n,)))
    shapes |= {
        "distribution": (("experiment", "t1"), (n, grid.size)),
        "band": (("experiment", "t1", "bound"), (n, grid.size, 2)),
        "mean_t1_interval": (("experiment", "bound"), (n, 2)),
    }
    values = {name: (dims, np.full(shape, np.nan)) for name, (dims, shape) in shapes.items()}
    peak = {name: np.full((n, m, 3), np.nan) for name in ("peak_t1", "peak_area")}
    reached = np.zeros((n, grid.size), dtype=bool)
    for i, row in enumerate(rows):
        if row["reason"]:
            continue
        reached[i] = row["reached"]
        for name, (_, array) in values.items():
            array[i] = row[name]
        for k, parts in enumerate(row["peaks"]):
            for name, part in zip(peak, parts, strict=True):
                peak[name][i, k] = part
    found = xr.Dataset(
        values
        | {name: (("experiment", "peak"), array[..., 0]) for name, array in peak.items()}
        | {f"{name}_interval": (("experiment", "peak", "bound"), array[..., 1:]) for name, array in peak.items()}
        | {
            "peaks": ("experiment", [len(row.get("peaks", ())) for row in rows]),
            "reached": (("experiment", "t1"), reached),
            "reason": ("experiment", np.array([row["reason"] for row in rows], dtype=object)),
        },
        coords={"experiment": recovery["experiment"].values, "t1": grid, "bound": ["low", "high"]}
        | {"temperature": recovery["temperature"].variable},
    )
    found = stamp(found, "distribution", level=level, nucleus=recovery.attrs.get("nucleus", ""))
    return attach(found, [*attached(recovery), *_remarks(found)])


def _remarks(found: xr.Dataset) -> Iterator[Finding]:
    """What a distribution does not tell."""
    experiments = found["experiment"].values
    for name, reason in zip(experiments, found["reason"].values, strict=True):
        if reason:
            yield Finding("no-distribution", str(name), str(reason))
    outside = found["outside"].values > _OUTSIDE
    if outside.any():
        yield Finding(
            "t1-outside-delays",
            ", ".join(experiments[outside]),
            f"up to {100 * found['outside'].values[outside].max():.0f} % of the T1 distribution lies past the delays, "
            "where nothing but the sum of what is there is told",
        )
    poor = found["misfit"].values > _MISFIT
    if poor.any():
        yield Finding(
            "t1-distribution-misfit",
            ", ".join(experiments[poor]),
            f"no non-negative T1 distribution describes the recovery: residuals are up to "
            f"{found['misfit'].values[poor].max():.1f} times the noise",
        )
    sharp = found["width"].values <= _SHARP * found["resolution"].values
    if sharp.any():
        yield Finding(
            "t1-distribution-unresolved",
            ", ".join(experiments[sharp]),
            "the T1 distribution is no wider than that of a single T1 would be at this noise",
        )
