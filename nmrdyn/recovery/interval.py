"""recovery and relaxation -> an interval of T1 for each experiment, as skewed as the data make it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.optimize.elementwise import find_minimum, find_root
from scipy.special import xlogy
from scipy.stats import t as student_t

from nmrdyn.recovery.batch.rules import error_scale
from nmrdyn.recovery.marginal import split
from nmrdyn.recovery.stretched import StretchedExponential
from nmrdyn.recovery.trace import Rows
from nmrdyn.schema import Array, InputError, require, require_within

# T1 is looked for from this factor below the shortest delay to this factor above the longest; further off, the
# recovery is over before the first delay, or a straight line.
_BELOW, _ABOVE = 30.0, 1e3
_NODES = 96  # of ln T1 over that range
_BETAS = 8  # stretching exponents tried at each T1
_STEPS = 5  # of Gauss and Newton from the best of them
_AT_ONCE = 2**20  # numbers in one array
_TINY = 1e-150  # its square is a float
_CURVATURE = 0.3  # step that tells it, in standard errors

_Index = npt.NDArray[np.intp]


def t1_interval(recovery: xr.Dataset, relaxation: xr.Dataset, *, level: float = 0.95) -> xr.DataArray:
    """Confidence interval of T1 by its profile likelihood, open where the delays set no limit.

    Of single and stretched exponentials the interval holds every T1 with

        S(T1) - S_min <= t^2 s^2,

    where S is the sum of squares with all else (amplitude, depth, stretching exponent) at its best, t the quantile of
    Student's distribution, and s^2 and its degrees of freedom follow the rule of `fit_recovery`: residuals no larger
    than the measured noise are pooled with it, others stand alone. To first order this is t1 ± t t1_stderr; unlike
    that it follows the skewness of T1, and it is the exact F test were S a parabola (Bates and Watts, Nonlinear
    Regression Analysis and Its Applications, Wiley 1988, ch. 6). Where the shape of S is not one valley, the interval
    is from the lowest to the highest such T1.

    An experiment whose single or stretched fit was refused as the data do not determine T1 has an interval too: often
    a limit on one side, with free depth. Intervals of those with a T1 alone would be those of a selection, which hold
    less often: of five delays up to 1.5 T1 and a noise told by the residuals alone, half the fits are refused, and
    intervals of the others hold T1 in 92 %.

    Of other models the interval is log-normal, t1 exp(± t t1_stderr/t1) with `t1_dof`. Where several models were
    compared, what they add to the variance of ln T1 widens the interval of the chosen one in quadrature.

    Parameters
    ----------
    recovery : stage `recovery`
    relaxation : `fit_recovery(recovery, ...)`
    level : probability with which intervals hold the T1

    Returns
    -------
    interval : (experiment, bound) [s], bound "low" and "high". 0 or infinite where T1 of a 30th of the shortest, or a
        thousand times the longest delay are not excluded; NaN without a T1 of another model, for too few rows, a delay
        below 0, or a signal that is the same at all delays. The coordinate `method` along experiment is "profile",
        "log-normal" or "".

    Raises
    ------
    InputError
        For other stages, a fit of other experiments, or a level that is not between 0 and 1.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, snr=50,
    ...     activation_energy=0.45, tau_c=1e-5, reference_temperature=333.15, temperature=[333.15])
    >>> recovery = nd.simulate(truth, seed=1)
    >>> low, high = t1_interval(recovery, nd.fit_recovery(recovery, "single")).values[0]
    >>> bool(low < truth.t1.item() < high), bool(high < 1.2 * low)
    (True, True)
    """
    require(recovery, "recovery")
    require(relaxation, "relaxation")
    require_within("t1_interval: level", level, above=0, below=1, single=True)
    names = ("t1", "t1_stderr", "t1_dof", "depth", "model", "error_scaled")
    if not recovery.indexes["experiment"].equals(relaxation.indexes["experiment"]) or not {*names} <= {*relaxation}:
        raise InputError(
            "t1_interval: needed a recovery and its fit, found other experiments or another relaxation; give "
            "fit_recovery(recovery, ...) of that recovery"
        )
    t1, stderr, dof, depth, model, scaled = (relaxation[name].values for name in names)
    error = stderr / t1
    with np.errstate(over="ignore"):  # an error without end
        reach = np.exp(_quantile(level, np.where(np.isnan(dof), np.inf, dof)) * error)
    interval = np.stack([t1 / reach, t1 * reach], axis=1)
    method = np.where(np.isfinite(t1), "log-normal", "").astype(object)
    traces = _traces(recovery)
    parameters = traces.rows - (dof - np.where(scaled, 0.0, traces.noise_dof))
    added = np.nan_to_num(error) * (relaxation.sizes.get("candidate", 1) > 1)
    for name, others in (("single", 0), ("stretched", 1)):
        for fixed in (False, True):
            n_parameters = others + (2 if fixed else 3)
            rows = np.flatnonzero((model == name) & ((parameters == others + 2) == fixed) & traces.usable(n_parameters))
            at_once = max(1, _AT_ONCE // (_NODES * traces.delay.shape[1]))
            for some in np.array_split(rows, -(-rows.size // at_once) or 1):
                part = traces.select(some, n_parameters, depth=depth if fixed else None, stretched=bool(others))
                interval[some] = part.interval(level, error=added[some])
            method[rows] = "profile"
    return xr.DataArray(
        interval,
        dims=("experiment", "bound"),
        coords={"experiment": relaxation["experiment"].values, "bound": ["low", "high"]}
        | {"method": ("experiment", method)},
        name="t1_interval",
        attrs={"units": "s", "long_name": "confidence interval of T1", "level": level},
    )


def _quantile(level: float, dof: Array) -> Array:
    return np.asarray(student_t.ppf((1 + level) / 2, dof))


@dataclass(frozen=True)
class _Traces:
    """Traces (trace, delay) in units of their noise, padded with weights of 0; `noise_dof` is 0 where not measured."""

    delay: Array
    target: Array
    weight: Array
    noise_dof: Array

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """How many rows each trace has."""
        return np.sum(self.weight > 0, axis=1)

    def usable(self, n_parameters: int) -> npt.NDArray[np.bool_]:
        """Which traces could tell so many parameters."""
        delay = np.sort(np.where(self.weight > 0, self.delay, np.nan), axis=1)
        different = np.sum(np.diff(delay, axis=1) > 0, axis=1) + 1
        sensible = np.all(self.delay >= 0, axis=1) & np.any(self.delay > 0, axis=1) & np.isfinite(self.noise_dof)
        return (self.rows > n_parameters) & (different >= n_parameters) & sensible

    def select(self, rows: _Index, n_parameters: int, *, depth: Array | None, stretched: bool) -> _Profile:
        """The profile likelihoods of some traces, with their depths (trace,) if those are fixed."""
        parts = (self.delay[rows], self.target[rows], self.weight[rows], self.noise_dof[rows])
        return _Profile(
            *parts, (self.rows[rows] - n_parameters).astype(float), None if depth is None else depth[rows], stretched
        )


def _traces(recovery: xr.Dataset) -> _Traces:
    rows = Rows.of(recovery)
    used, measured = rows.used, rows.measured
    kept = np.where(used, rows.signal, 0.0)
    size = np.linalg.norm(kept, axis=1, keepdims=True)
    unit = np.where(measured[:, None] & used, rows.noise, np.where(size > 0, size, 1.0))
    weight = used / unit
    flat = np.all(~used | (kept == kept.max(axis=1, keepdims=True, initial=-np.inf, where=used)), axis=1)
    noise_dof = np.where(flat, np.nan, np.where(measured, rows.noise_dof, 0.0))
    return _Traces(np.where(used, rows.delay, 0.0), kept * weight, weight, noise_dof)


@dataclass(frozen=True)
class _Profile:
    """S of ln T1 for some traces, as in `_Traces`; `dof` is what their own rows leave to the noise."""

    delay: Array
    target: Array
    weight: Array
    noise_dof: Array
    dof: Array
    depth: Array | None
    stretched: bool

    def interval(self, level: float, *, error: Array) -> Array:
        """Ends (trace, 2) of T1 [s]; `error` (trace,) is the whole standard error of ln T1, 0 without other models."""
        every = np.arange(self.dof.size)
        low = np.log(np.min(np.where(self.delay > 0, self.delay, np.inf), axis=1, initial=np.inf) / _BELOW)
        high = np.log(np.max(self.delay, axis=1, initial=0.0) * _ABOVE)
        grid = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _NODES)
        chi2 = self.chi2(grid, every[:, None])
        best, least = self._lowest(grid, chi2)
        variance, dof, _ = error_scale(least, self.dof, self.noise_dof)
        allowed = least + _quantile(level, dof) ** 2 * variance
        inside = chi2 <= allowed[:, None]
        inside[every, np.argmin(np.abs(grid - best[:, None]), axis=1)] = True
        ends = np.stack(
            [
                self._end(grid[:, ::way], inside[:, ::way], best, allowed=allowed, beyond=-way * np.inf)
                for way in (1, -1)
            ],
            axis=1,
        )
        step = _CURVATURE * np.clip(error, 1e-9, 1.0)
        rise = (self.chi2(best - step, every) + self.chi2(best + step, every)) / 2 - least
        own = variance * step**2 / np.maximum(rise, 1e-300)
        added = _quantile(level, dof) ** 2 * np.maximum(error**2 - own, 0.0)
        apart = ends - best[:, None]
        return np.exp(best[:, None] + np.sign(apart) * np.sqrt(apart**2 + added[:, None]))

    def _lowest(self, grid: Array, chi2: Array) -> tuple[Array, Array]:
        """Where S is least, and S there, from its values on a grid; at an end of the grid if it is least there."""
        every = np.arange(len(grid))
        node = np.argmin(chi2, axis=1)
        best, least = grid[every, node], chi2[every, node]
        valley = np.flatnonzero((node > 0) & (node < _NODES - 1))
        bracket = tuple(grid[valley, node[valley] + shift] for shift in (-1, 0, 1))
        found = find_minimum(self.chi2, bracket, args=(valley,))
        better = found.f_x < least[valley]
        best[valley[better]], least[valley[better]] = found.x[better], found.f_x[better]
        return best, least

    def _end(self, grid: Array, inside: npt.NDArray[np.bool_], best: Array, *, allowed: Array, beyond: float) -> Array:
        """The first ln T1 (trace,) along the grid that is allowed, or `beyond` if the first node is."""
        first = np.argmax(inside, axis=1)
        closed = np.flatnonzero(first > 0)
        end = np.full(first.size, beyond)
        outer, inner = grid[closed, first[closed] - 1], grid[closed, first[closed]]
        # The node next to the best may lie outside although the best does not.
        inner = np.where(self.chi2(inner, closed) > allowed[closed], best[closed], inner)
        found = find_root(lambda x, i: self.chi2(x, i) - allowed[i], (outer, inner), args=(closed,))
        end[closed] = np.where(found.success, found.x, best[closed])
        return end

    def chi2(self, log_t1: Array, trace: _Index) -> Array:
        """S (...) at ln(T1/s) (...) of traces (...) by their indices."""
        if not self.stretched:
            return self._fitted(log_t1, trace, np.ones_like(log_t1))[0]
        low, high = StretchedExponential.bounds["beta"]
        tried = np.linspace(low, high, _BETAS)
        chi2 = np.stack([self._fitted(log_t1, trace, np.full_like(log_t1, beta))[0] for beta in tried])
        least, beta = chi2.min(axis=0), tried[np.argmin(chi2, axis=0)]
        for _ in range(_STEPS):
            here, step = self._fitted(log_t1, trace, beta)
            least = np.minimum(least, here)
            beta = np.clip(beta + step, low, high)
        return np.asarray(least)

    def _fitted(self, log_t1: Array, trace: _Index, beta: Array) -> tuple[Array, Array]:
        """S with amplitude and loss at their best, of a positive recovery, and Gauss and Newton's step of beta."""
        weight, target = self.weight[trace], self.target[trace]
        over_t1 = self.delay[trace] * np.exp(-log_t1)[..., None]
        power = over_t1 ** beta[..., None] if self.stretched else over_t1
        decay = weight * np.exp(-power)
        if self.depth is not None:
            curve = weight - self.depth[trace][..., None] * decay
        else:
            _, target = split(target, weight)
            _, curve = split(-decay, weight)
        along, rest = split(target, curve)
        rest = np.where(along[..., None] > 0, rest, target)
        chi2 = np.einsum("...i,...i", rest, rest)
        if not self.stretched:
            return chi2, np.zeros_like(chi2)
        slope = decay * xlogy(power, over_t1)
        if self.depth is not None:
            slope = self.depth[trace][..., None] * slope
        else:
            _, slope = split(slope, weight)
        _, slope = split(slope, curve)
        slope = slope * (along / (np.linalg.norm(curve, axis=-1) + _TINY))[..., None]
        step = np.einsum("...i,...i", rest, slope) / (np.einsum("...i,...i", slope, slope) + _TINY)
        return chi2, np.where(along > 0, step, 0.0)
