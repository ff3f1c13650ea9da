"""recovery -> ln L of ln T1 for each trace, with amplitude, depth, noise and stretching integrated out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from numpy.polynomial.polynomial import polyfit, polyval
from scipy.special import logsumexp, stdtr

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.table import MarginalTable, grid, make_table, ratio_grid
from nmrdyn.schema import Array, InputError, require

__all__ = ["MarginalTable", "supported", "tabulate"]

_SUPPORTED = (("t1",), ("t1", "beta"), ("t1", "ratio"))
# T1 is told apart from this factor below the first delay, where exponentials are over (and their squares no less than
# the smallest float at beta = 2), to this factor above the last, where recoveries are straight lines.
_BELOW, _ABOVE = 18.0, 1e3
_WIDTHS = (1e-9, 1.0)  # of ln T1, for data without noise and of nothing but noise
_TINY = 1e-150  # its square is a float
_SURE = 1e-6  # less than this is left to the other sign
_ANGLES, _ANGLE_WEIGHT = np.polynomial.legendre.leggauss(20)
_TRIED = 12  # values of beta tried first
_NEAR = 0.1  # of their step, tried next
_BETAS, _BETA_WEIGHT = np.polynomial.legendre.leggauss(32)
_CENTRES = np.geomspace(1.0, 4.0, 5)  # W1/W2 at which the best T1 is found
_FITTED = 10.0  # weight of the fitted one beside them


def supported(model: RecoveryModel) -> bool:
    """Whether traces of a model can be tabulated: its parameters are T1 alone, with beta, or with W1/W2.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> supported(nd.SingleExponential()), supported(nd.BiExponential())
    (True, False)
    """
    return model.parameters in _SUPPORTED


def tabulate(
    recovery: xr.Dataset, relaxation: xr.Dataset, model: RecoveryModel, *, scatter: bool, rows: npt.ArrayLike
) -> MarginalTable:
    """The marginal likelihood of ln T1 of some traces, tabulated.

    Amplitude and loss (amplitude times depth) are integrated over positive amplitudes that grow with the delay, under
    the prior |X'X|^(1/2) of their two columns X, so that their volume prefers no T1. The noise is integrated under
    1/variance together with the noise measured beside the signal, where there is one and the residuals do not exceed
    it (`error_scaled` of the fit); else it comes from the residuals alone. For a sum of squares S(T1) in units of the
    measured noise, of n rows, with p coefficients and nu degrees of freedom of the measured noise,

        L(T1) = (nu + S)^(-(nu + n - p)/2) P(amplitude > 0, loss < 0),

    where P is that of a bivariate Student-t: near the fit, L is the Student-t of `t1`, `t1_stderr` and `t1_dof`. A
    stretching exponent is integrated over a uniform prior on its bounds; W1/W2 of populations is an axis, since it
    follows from tau_c. Products of such likelihoods cover the truth as often as they say where the noise was measured;
    with noise from the few residuals of each trace they are too narrow. ln L is within 1e-3 of the integral wherever it
    is within 20 of its maximum.

    Parameters
    ----------
    recovery : stage `recovery`
    relaxation : `fit_recovery(recovery, model)`, which places the grids
    model : the recovery model, as in the fit; see `supported`
    scatter : whether the likelihood is also tabulated convolved with normals of an sd of up to 0.5 in ln T1
    rows : indices of experiments that have a T1

    Returns
    -------
    table : one row for each of `rows`

    Raises
    ------
    InputError
        For a model that is not supported, or an experiment without a T1.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, snr=100,
    ...     activation_energy=0.45, tau_c=1e-5, reference_temperature=333.15, temperature=[333.15])
    >>> recovery, model = nd.simulate(truth, seed=1), nd.SingleExponential()
    >>> table = tabulate(recovery, nd.fit_recovery(recovery, model), model, scatter=False, rows=[0])
    >>> log_t1 = np.linspace(1.3, 1.65, 701)
    >>> weight = np.exp(table.log_density(log_t1[None, None, :])[0, 0])
    >>> mean = weight @ log_t1 / weight.sum()
    >>> sd = np.sqrt(weight @ (log_t1 - mean) ** 2 / weight.sum())
    >>> bool(abs(np.log(truth.t1.item()) - mean) < 2 * sd), f"{sd:.2f}"
    (True, '0.02')
    """
    require(recovery, "recovery")
    require(relaxation, "relaxation")
    if not supported(model):
        known = ", ".join(" and ".join(names) for names in _SUPPORTED)
        raise InputError(f"marginal likelihood: needed a model of {known}, found {model}; use its T1 and error instead")
    chosen = np.atleast_1d(np.asarray(rows, dtype=int))
    fit = {name: relaxation[name].values[chosen] for name in ("t1", "t1_stderr", "ratio", "ratio_stderr")}
    if not (chosen.size and np.all(fit["t1_stderr"] > 0)):
        found = ", ".join(str(name) for name in relaxation["experiment"].values[chosen][~(fit["t1_stderr"] > 0)])
        raise InputError(f"marginal likelihood: needed experiments with a T1, found {found or 'none'}; leave them out")
    traces = _traces(recovery, chosen, model, relaxation["error_scaled"].values)
    centre, width = np.log(fit["t1"])[:, None], fit["t1_stderr"] / fit["t1"]
    shape, ratios = np.empty((chosen.size, 0)), np.empty((chosen.size, 1))
    if "ratio" in model.parameters:
        shape, ratios = ratio_grid(fit["ratio"], fit["ratio_stderr"])
        placed = [_place(*one) for one in zip(traces, centre[:, 0], fit["ratio"], strict=True)]
        centre, width = np.array([one for one, _ in placed]), np.array([one for _, one in placed])
    width = np.clip(width, *_WIDTHS)
    reach = np.max(np.abs(np.array([trace.ends for trace in traces]) - centre[:, :1]), axis=1)
    offsets = grid(reach, width)
    values = np.empty((*ratios.shape, offsets.size))
    for i, trace in enumerate(traces):
        around = width[i] * offsets
        if "ratio" in model.parameters:
            values[i] = [trace.log_likelihood(polyval(r, centre[i]) + around, np.exp(r)) for r in ratios[i]]
        elif "beta" in model.parameters:
            values[i] = _over_beta(trace, centre[i] + around)
        else:
            values[i] = trace.log_likelihood(centre[i] + around)
    values -= values.max(axis=(1, 2), keepdims=True)
    return make_table(values, centre=centre, width=width, shape=shape, scatter=scatter)


@dataclass(frozen=True)
class _Trace:
    """One trace in units of its noise; `noise_dof` is 0 where the residuals alone tell the noise."""

    model: RecoveryModel
    delay: Array
    target: Array
    weight: Array
    noise_dof: float
    ends: tuple[float, float]  # of ln(T1/s)

    @property
    def dof(self) -> float:
        """Degrees of freedom that are left to the noise at a given T1."""
        return self.noise_dof + self.delay.size - (2 if self.model.fixed is None else 1)

    def log_likelihood(self, log_t1: Array, *shape: Any) -> Array:
        """ln L (...) of ln(T1/s) (...); the parameters of `shape` broadcast against (..., delay)."""
        model, weight = self.model, self.weight
        over_t1 = self.delay * np.exp(-np.clip(log_t1, *self.ends))[..., None]
        decay = model.decay(over_t1, 1.0, *shape) * weight
        if model.fixed is not None:
            along, rest = split(self.target, weight - model.fixed * decay)
        else:
            level, recovering = split(self.target, weight)
            overlap, change = split(decay, weight)
            along, rest = split(recovering, change)
        squares = self.noise_dof + np.einsum("...i,...i", rest, rest)
        squares += 1e-30 * (self.target @ self.target)  # rounding, where there is no noise
        over_noise = along * np.sqrt(self.dof / squares)
        if model.fixed is not None:
            chance = stdtr(self.dof, over_noise)
        else:
            angle = np.arctan2(np.linalg.norm(change, axis=-1), overlap) + _TINY
            amplitude = level * np.sqrt(self.dof / squares) * np.sin(angle) - over_noise * np.cos(angle)
            chance = _both_below(amplitude, -over_noise, angle=angle, dof=self.dof)
        return np.asarray(np.log(chance + _TINY) - self.dof / 2 * np.log(squares))


def _traces(recovery: xr.Dataset, rows: npt.NDArray[np.intp], model: RecoveryModel, scaled: Array) -> list[_Trace]:
    """The traces of `rows`; the noise of those that are `scaled` comes from their residuals."""
    names = ("signal", "delay", "signal_stderr", "noise_dof")
    signals, delays, noises, dof = (recovery[name].values for name in names)
    traces = []
    for row in rows:
        used = np.isfinite(signals[row]) & np.isfinite(delays[row])
        signal, delay, noise = signals[row][used], delays[row][used], noises[row][used]
        measured = bool(np.all(np.isfinite(noise) & (noise > 0)))
        weight = 1 / noise if measured else np.full(signal.size, 1 / np.std(signal))
        ends = (np.log(delay[delay > 0].min() / _BELOW), np.log(delay.max() * _ABOVE))
        noise_dof = float(dof[row]) if measured and not scaled[row] else 0.0
        traces.append(_Trace(model, delay, signal * weight, weight, noise_dof, ends))
    return traces


def split(vector: Array, direction: Array) -> tuple[Array, Array]:
    """The component (...) of a vector (..., delay) along a direction, and what is left beside it."""
    unit = direction / (np.linalg.norm(direction, axis=-1, keepdims=True) + _TINY)
    along = np.einsum("...i,...i", vector, unit)
    return along, vector - along[..., None] * unit


def _both_below(first: Array, second: Array, *, angle: Array, dof: float) -> Array:
    """P(t1 < first, t2 < second) of a bivariate Student-t with the correlation cos(angle).

    From that of correlation 1, by its slope with the correlation (Genz, Stat. Comput. 14 (2004) 251).
    """
    chance = stdtr(dof, np.minimum(first, second))
    unsure = chance < 1 - _SURE
    a, b, end = first[unsure, None], second[unsure, None], angle[unsure, None]
    turn = end / 2 * (1 + _ANGLES)
    squared = ((a - b) ** 2 + 4 * a * b * np.sin(turn / 2) ** 2) / np.sin(turn) ** 2
    lost = end[:, 0] / 2 * ((1 + squared / dof) ** (-dof / 2) @ _ANGLE_WEIGHT) / (2 * np.pi)
    chance[unsure] = np.maximum(chance[unsure] - lost, 0.0)
    return chance


def _over_beta(trace: _Trace, log_t1: Array) -> Array:
    """ln L with the stretching exponent integrated over its bounds; its nodes crowd about the best at each T1."""
    low, high = trace.model.bounds["beta"]
    tried = np.linspace(low, high, _TRIED)
    best, _ = _peak(tried, trace.log_likelihood(log_t1[:, None], tried[:, None]), trace.dof)
    near = np.clip(best, low, high)[:, None] + _NEAR * (tried[1] - tried[0]) * np.arange(-1, 2)
    best, width = _peak(near, trace.log_likelihood(log_t1[:, None], near[..., None]), trace.dof)
    best, width = np.clip(best, low, high)[:, None], width[:, None]
    start, end = np.arcsinh((low - best) / width), np.arcsinh((high - best) / width)
    node = (start + end) / 2 + (end - start) / 2 * _BETAS
    volume = _BETA_WEIGHT * (end - start) / 2 * width * np.cosh(node)
    beta = best + width * np.sinh(node)
    return np.asarray(logsumexp(trace.log_likelihood(log_t1[:, None], beta[..., None]), b=volume, axis=-1))


def _peak(places: Array, height: Array, dof: float) -> tuple[Array, Array]:
    """Where ln L (..., place) is highest and how wide it is there, by a parabola through the sum of squares."""
    top = np.clip(np.argmax(height, axis=-1), 1, height.shape[-1] - 2)[..., None]
    three = np.take_along_axis(height, top + np.arange(-1, 2), axis=-1)
    left, middle, right = np.moveaxis(np.exp(-2 / dof * (three - three.max(axis=-1, keepdims=True))), -1, 0)
    bend = np.maximum(left + right - 2 * middle, 1e-12)
    step = places[..., 1] - places[..., 0]
    centre = np.take_along_axis(np.broadcast_to(places, height.shape), top, axis=-1)[..., 0]
    return centre + step * np.clip((left - right) / bend / 2, -1, 1), step * np.sqrt(2 / dof / bend)


def _place(trace: _Trace, log_t1: float, ratio: float) -> tuple[Array, float]:
    """The best ln T1 as a parabola in ln(W1/W2), and how wide ln L is at the fitted W1/W2."""

    def peak(at: float) -> tuple[float, float]:
        places = log_t1 + np.linspace(-1, 1, 17)
        for _ in range(3):
            best, width = _peak(places, trace.log_likelihood(places, at), trace.dof)
            places = best + (places[1] - places[0]) / 4 * np.arange(-1, 2)
        return float(best), float(width)

    best, width = peak(ratio)
    tried, weight = np.append(_CENTRES, ratio), np.append(np.ones(_CENTRES.size), _FITTED)
    return polyfit(np.log(tried), [*(peak(each)[0] for each in _CENTRES), best], 2, w=weight), width
