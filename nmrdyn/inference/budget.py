"""The error budget: where the variance of each barrier, and of each difference of two, comes from."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.inference.model import JointModel
from nmrdyn.inference.process import law_parameters
from nmrdyn.schema import Array

_DRAWS = 4000
_SPREAD_DRAWS = 500
_LEAST_MODE = 0.01  # modes below this share of the draws are left to the rest
_STEP = 1e-3  # of derivatives, in standard deviations of the draws
_SIZES = ("scatter", "log10_noise")


def error_budget(model: JointModel, theta: Array, label: npt.NDArray[np.intp]) -> xr.Dataset:
    """How much of the variance of each barrier, and of each difference of two, comes from which source.

    About the mean of the draws of a mode, the rows are linear in all parameters; a prior is one more row. The estimate
    of generalised least squares (Aitken, Proc. R. Soc. Edinb. 55 (1935) 42) is linear in all rows, and its variance
    exactly the sum of what it makes of the variance of each source (JCGM 100:2008, section 5). Modes count by their
    share of the draws, and the variance between their means is the source `branch`. The `rest` is the variance of the
    draws less that sum: curvature, and priors and errors that are no Gaussians. It may be negative.

    Parameters
    ----------
    model : the joint model
    theta : draws of its posterior (draw, parameter), of which at most 4,000 are used
    label : the mode of each draw (draw,)

    Returns
    -------
    budget : `variance (quantity, source)` [eV^2], its `share` of the `total (quantity)`, the variance of the draws, and
        `saved`, the share that would go if the source were known exactly: more than its own where noisy data have to
        tell what a prior does not; NaN where that has no meaning. A `quantity` is a barrier, or the difference "A - B"
        of two. Sources are `noise`, `misfit` (scatter between experiments), `temperature` (of single runs), `offset`,
        `scale`, `cq` and whatever else has a prior, over all processes and probes, `law` (the priors of its
        parameters), `branch` and `rest`

    Examples
    --------
    Noise of 3 % at seven temperatures makes an error of 0.03 / sqrt(sum((1/kT - mean)^2)), here 4.6 meV:

    >>> import nmrdyn as nd
    >>> from nmrdyn.inference.measurements import measurements
    >>> from nmrdyn.inference.modes import find_modes
    >>> eis = nd.simulate(nd.ConductivityTruth(activation_energy=0.5, conductivity=1e-2, reference_temperature=300.0,
    ...     temperature=range(280, 341, 10), relative_error=0.03), seed=1)
    >>> process = nd.Process("eis", eis, mechanism=nd.Conductivity("sigma_T"))
    >>> model = JointModel([measurements(process, {"transport": eis})], {}, {"eis.scatter": 0.0})
    >>> modes = find_modes(model, np.random.default_rng(1))
    >>> budget = error_budget(model, modes.draws, modes.nearest(modes.draws))
    >>> print(f"{1e3 * budget.variance.sel(quantity='eis', source='noise').item() ** 0.5:.1f} meV")
    4.6 meV
    """
    pick = np.linspace(0, len(theta) - 1, min(_DRAWS, len(theta))).astype(int)
    theta, label = theta[pick], label[pick]
    names = list(model.barriers(theta[:1]))
    pairs = list(itertools.combinations(range(len(names)), 2))
    unit = np.eye(len(names))
    contrast = np.array([*unit, *(unit[a] - unit[b] for a, b in pairs)])
    values = contrast @ _barriers(model, theta)
    total = values.var(axis=1)

    modes, count = np.unique(label, return_counts=True)
    away = np.array([values[:, label == mode].mean(axis=1) - values.mean(axis=1) for mode in modes])
    heavy = count > _LEAST_MODE * len(label)
    shares = count[heavy] / count[heavy].sum()
    parts = [_linear(model, theta[label == mode], contrast) for mode in modes[heavy]]
    variance, saved = (
        {name: sum(share * part[k][name] for share, part in zip(shares, parts, strict=True)) for name in parts[0][k]}
        for k in range(2)
    )
    variance["branch"] = saved["branch"] = count / len(label) @ away**2
    variance["rest"] = total - sum(variance.values())
    unknown = np.full(len(contrast), np.nan)
    both = ("quantity", "source")
    table = np.stack(list(variance.values()), axis=1)
    return xr.Dataset(
        {
            "variance": (both, table, {"units": "eV^2"}),
            "share": (both, table / total[:, None]),
            "saved": (both, np.stack([saved.get(name, unknown) / total for name in variance], axis=1)),
            "total": ("quantity", total, {"units": "eV^2"}),
        },
        coords={"quantity": [*names, *(f"{names[a]} - {names[b]}" for a, b in pairs)], "source": list(variance)},
    )


def _barriers(model: JointModel, theta: Array) -> Array:
    """All barriers (barrier, draw) [eV]."""
    return np.array(list(model.barriers(theta).values()))


def _linear(model: JointModel, theta: Array, contrast: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """Of a model that is linear about one mode: the variance (quantity,) by source, and what goes without it."""
    width = np.array([prior.width for prior in model.priors.values()])
    centre, step = theta.mean(axis=0), np.maximum(_STEP * theta.std(axis=0), 1e-9 * width)
    ends = [centre + sign * np.diag(step) for sign in (-1, 1)]
    # Per width of the prior, so that every parameter is one more row of variance 1.
    low, high = (model.predict(end, np.zeros((1, 1, 1)))[..., 0] for end in ends)
    rows = np.nan_to_num((high - low) * (width / (2 * step))[:, None])  # (parameter, row)
    below, above = (_barriers(model, end) for end in ends)
    wanted = contrast @ ((above - below) * width / (2 * step))  # (quantity, parameter)
    slope = model.residuals(centre[None])[1]
    noise, misfit = _errors(model, theta)

    def inverse(x: Array, slope: Array = slope, error: Array = noise + misfit) -> Array:
        """What the inverse covariance of noise, misfit and temperature makes of rows (..., row)."""
        shared = model.runs.sum(slope * x / error) / (1 + model.runs.sum(slope**2 / error))
        return (x - slope * model.runs.spread(shared)) / error

    def covariance(weighted: Array) -> Array:
        return np.linalg.inv(rows @ weighted.T + np.eye(len(rows)))

    spread = covariance(inverse(rows))
    by_prior = wanted @ spread
    by_row = inverse(by_prior @ rows)
    variance = {
        "noise": by_row**2 @ noise,
        "misfit": by_row**2 @ misfit,
        "temperature": np.sum(model.runs.sum(by_row * slope) ** 2, axis=1),
    }
    whole = np.sum(by_prior * wanted, axis=1)
    without = {
        "misfit": covariance(inverse(rows, error=noise)),
        "temperature": covariance(inverse(rows, slope=np.zeros_like(slope))),
    }
    saved = {source: whole - np.sum(wanted @ left * wanted, axis=1) for source, left in without.items()}
    for source, columns in _columns(model).items():
        variance[source] = np.sum(by_prior[:, columns] ** 2, axis=1)
        if source != "law":
            known = by_prior[:, columns]
            saved[source] = np.sum(known @ np.linalg.inv(spread[np.ix_(columns, columns)]) * known, axis=1)
    return variance, saved


def _errors(model: JointModel, theta: Array) -> tuple[Array, Array]:
    """The variance (row,) of noise and of misfit, on average over the draws."""
    stderr, dof = model.spread(theta[:: max(1, len(theta) // _SPREAD_DRAWS)])
    # A Gaussian as informative as the Student-t (Lange, Little, Taylor, J. Am. Stat. Assoc. 84 (1989) 881).
    error = np.mean(stderr**2 * (dof + 3) / (dof + 1), axis=0)
    own = np.concatenate([np.where(np.isfinite(one.stderr), one.stderr, np.inf) for one in model.data])
    noise = error * np.minimum(1.0, own**2 / np.mean(stderr**2, axis=0))
    return noise, error - noise


def _columns(model: JointModel) -> dict[str, list[int]]:
    """The parameters of each source that has a prior; sizes of errors, which move no row, are none."""
    law = {name for one in model.data for name in law_parameters(one.process)}
    columns: dict[str, list[int]] = {}
    for k, name in enumerate(model.parameters):
        source = "law" if name in law else name.rsplit(".", 1)[1]
        if source not in _SIZES:
            columns.setdefault(source, []).append(k)
    return columns
