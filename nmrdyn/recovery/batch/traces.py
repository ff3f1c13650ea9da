"""T1 of many traces with the same delays at once: every point of an image or a spectrum, or a bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nmrdyn.recovery.batch.newton import covariance, propagated
from nmrdyn.recovery.batch.rules import FLAT, GOOD, REACH, error_scale, explanation, parameter_count, unusable, verdicts
from nmrdyn.recovery.batch.search import Optima, optima
from nmrdyn.recovery.batch.shapes import SHAPES, Shape
from nmrdyn.recovery.exponentials import BiExponential
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.single import SingleExponential
from nmrdyn.recovery.stretched import StretchedExponential
from nmrdyn.schema import Array, InputError

_NAMED: dict[str, RecoveryModel] = {
    model.name: model for model in (SingleExponential(), StretchedExponential(), BiExponential())
}


@dataclass(frozen=True, kw_only=True)
class TraceFits:
    """Fits of many traces, each array (trace,); where a fit is no T1, it is NaN, not `converged`, with a `reason`.

    `t1` [s] is T1 in the sense of the model, `amplitude` the intensity at full recovery, `ssr` the sum of the squared
    residuals (of any fit), and `dof` the degrees of freedom of the errors. `parameters` and `stderr` hold what the
    model names: times [s] and numbers, and their standard errors.
    """

    model: RecoveryModel
    t1: Array
    t1_stderr: Array
    amplitude: Array
    depth: Array
    parameters: dict[str, Array]
    stderr: dict[str, Array]
    ssr: Array
    dof: Array
    converged: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.object_]


@dataclass(frozen=True)
class Found:
    """The best fits of a model to traces, and what they are worth.

    `best` (parameter, trace) are the model's parameters, the first as its logarithm, with their `slopes` in the
    coordinates of the search and the covariance `spread` of these for residuals of variance 1; `code` the verdicts;
    `shortest` [s] (trace,) the shortest exponential.
    """

    model: RecoveryModel
    shape: Shape
    fits: Optima
    best: Array
    slopes: Array
    spread: Array
    shortest: Array
    code: npt.NDArray[np.uint8]

    def explained(self, trace: int) -> str:
        """Why a trace has no T1."""
        return explanation(self.model, int(self.code[trace]), self.best[:, trace], float(self.shortest[trace]))


def fit_traces(
    delay: npt.ArrayLike,
    signal: npt.ArrayLike,
    *,
    model: RecoveryModel | str = "single",
    noise: npt.ArrayLike | None = None,
    noise_dof: npt.ArrayLike = np.inf,
) -> TraceFits:
    """T1 of many traces at once, by least squares with free amplitude and, unless it is fixed, depth.

    Every trace is brought to the optimum of its sum of squares, as a loop over `scipy.optimize.curve_fit` would, of ten
    thousand traces a few hundred times sooner; standard errors are good to 1e-4 of themselves. Two exponentials that
    noise hardly tells apart may end in another minimum. A T1 at the end of what is searched (a factor of 30 beyond the
    delays), an exponential shorter than a third of the first delay, an exponent or a ratio at its bound, and a signal
    that falls or never changes are no results: NaN, with a reason. Whether a trace holds more than noise is not asked,
    and a third of pure noise has a T1; `fit_recovery` asks, and knows findings and units.
    Method: variable projection (Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973) 413).

    Parameters
    ----------
    delay : [s] (increment,), all traces have the same
    signal : (increment, trace), finite; delays first, so that a sum over delays runs along memory
    model : "single", "stretched" or "bi", or `SingleExponential(depth=...)`, `StretchedExponential(...)`,
        `BiExponential(...)`
    noise : measured standard error of an intensity, one for all or (trace,); the errors then follow the rule of
        `fit_recovery`. Without it they come from the residuals of each trace, with `dof` degrees of freedom
    noise_dof : degrees of freedom of the measured noise

    Raises
    ------
    InputError
        For other shapes or models, values that are not finite, and delays that cannot tell the parameters.

    Examples
    --------
    >>> delay = np.geomspace(0.01, 5, 16)
    >>> truth = np.geomspace(0.3, 1.2, 1000)
    >>> clean = 1 - 0.9 * np.exp(-delay[:, None] / truth)
    >>> fits = fit_traces(delay, clean + np.random.default_rng(1).normal(0, 0.01, clean.shape))
    >>> z = (fits.t1 - truth) / fits.t1_stderr  # Student's t with 13 degrees of freedom: variance 13/11
    >>> bool(fits.converged.all()), bool(abs(z.var() / (13 / 11) - 1) < 0.15)
    (True, True)

    Residual bootstrap of one trace: 10,000 replicates, residuals scaled to the variance of the noise.

    >>> trace = clean[:, :1] + np.random.default_rng(2).normal(0, 0.01, (16, 1))
    >>> one = fit_traces(delay, trace)
    >>> curve = one.amplitude * (1 - one.depth * np.exp(-delay[:, None] / one.t1))
    >>> residual = (trace - curve)[:, 0] * np.sqrt(16 / 13)
    >>> again = curve + np.random.default_rng(3).choice(residual, (16, 10_000))
    >>> bool(0.8 < fit_traces(delay, again).t1.std() / one.t1_stderr[0] < 1.2)
    True
    """
    delays, signals, model = _checked(delay, signal, model)
    if noise is not None:
        level = np.asarray(noise, dtype=float)
        if level.ndim > 1 or level.size not in (1, signals.shape[1]) or not np.all((level > 0) & np.isfinite(level)):
            raise InputError(f"fit_traces: needed noise above 0, one or one a trace, found {noise}; leave it out")
        known = np.asarray(noise_dof, dtype=float)
        if known.ndim > 1 or known.size not in (1, signals.shape[1]) or not np.all(known >= 0):
            raise InputError(f"fit_traces: needed noise_dof of 0 or more, one or one a trace, found {noise_dof!r}")
    found = find(model, delays, signals)
    free = delays.size - parameter_count(model)
    if noise is None:
        variance, dof = found.fits.ssr / free, np.full(found.fits.ssr.shape, float(free))
    else:
        scale, dof, _ = error_scale(found.fits.ssr / level**2, free, np.broadcast_to(known, found.fits.ssr.shape))
        variance = scale * level**2
    t1, slopes = found.shape.t1(found.fits.at)
    t1_stderr = t1 * np.sqrt(propagated(slopes, found.spread) * variance)
    with np.errstate(divide="ignore", invalid="ignore"):  # of a signal of zeros
        factor = np.full(t1.shape, model.fixed) if model.fixed is not None else -found.fits.loss / found.fits.amplitude
    parameters, stderr = {"t1": t1}, {"t1": t1_stderr}
    if len(model.parameters) > 1:
        values, errors = found.best, found.slopes * np.sqrt(np.einsum("iij->ij", found.spread) * variance)
        values[0] = np.exp(values[0])
        errors[0] *= values[0]
        parameters, stderr = (dict(zip(model.parameters, rows, strict=True)) for rows in (values, errors))
    reason = np.full(t1.shape, "", dtype=object)
    wrong = np.flatnonzero(found.code != GOOD)
    for i in wrong.tolist():
        reason[i] = found.explained(i) if np.ptp(signals[:, i]) else FLAT
    if wrong.size:
        for array in (t1, t1_stderr, factor, found.fits.amplitude, *parameters.values(), *stderr.values()):
            array[wrong] = np.nan
    return TraceFits(
        model=model,
        t1=t1,
        t1_stderr=t1_stderr,
        amplitude=found.fits.amplitude,
        depth=factor,
        parameters=parameters,
        stderr=stderr,
        ssr=found.fits.ssr,
        dof=dof,
        converged=found.code == GOOD,
        reason=reason,
    )


def find(model: RecoveryModel, delay: Array, signal: Array, *, exact: bool = False) -> Found:
    """The best fits of a model that has a shape to `signal` (increment, trace); delays as `unusable` lets them pass."""
    shape, low, high, first = _searched(model, delay.tobytes())
    fits = optima(shape, signal, fixed=model.fixed, low=low, high=high, exact=exact)
    best, slopes = shape.best(fits.at)
    shortest = shape.shortest(fits.at)
    spread, regular = covariance(fits.information)
    code = verdicts(
        model,
        best,
        shape.limits(low, high),
        amplitude=fits.amplitude,
        loss=np.where(fits.rises, fits.loss, 0.0),
        converged=fits.converged & regular,
        shortest=shortest if len(best) == 3 or model.fixed is None else np.full_like(shortest, np.inf),
        first=first,
    )
    return Found(model, shape, fits, best, slopes, spread, shortest, code)


@lru_cache(maxsize=16)
def _searched(model: RecoveryModel, delays: bytes) -> tuple[Shape, float, float, float]:
    """The shape, between which T1 [s] it is searched, and the first delay [s]; the same from call to call."""
    delay = np.frombuffer(delays)
    first, last = float(delay[delay > 0].min()), float(delay.max())
    return SHAPES[type(model)](delay), first / REACH, last * REACH, first


@lru_cache(maxsize=16)
def _unusable(model: RecoveryModel, delays: bytes) -> str:
    """Why no trace with these delays can be fitted, or ""."""
    delay = np.frombuffer(delays)
    return unusable(delay, model) if np.all(np.isfinite(delay)) else "needed finite delays, found others"


def _checked(
    delay: npt.ArrayLike, signal: npt.ArrayLike, model: RecoveryModel | str
) -> tuple[Array, Array, RecoveryModel]:
    """Delays, signals and the model as they are needed."""
    chosen = _NAMED.get(model) if isinstance(model, str) else model
    if chosen is None or type(chosen) not in SHAPES:
        raise InputError(
            f"fit_traces: needed one of {', '.join(_NAMED)}, or SingleExponential, StretchedExponential or "
            f"BiExponential, found {model!r}; fit_recovery fits every model"
        )
    delays, signals = np.asarray(delay, dtype=float), np.asarray(signal, dtype=float)
    if delays.ndim != 1 or signals.ndim != 2 or len(signals) != delays.size or not signals.shape[1]:
        raise InputError(
            f"fit_traces: needed delays (increment,) and signals (increment, trace), found {delays.shape} and "
            f"{signals.shape}; transpose the signals, or add an axis to a single trace"
        )
    reason = _unusable(chosen, delays.tobytes())
    if reason or not np.all(np.isfinite(signals)):
        raise InputError(
            f"fit_traces: {reason or 'needed finite signals, found others'}; leave such rows or traces out"
        )
    return delays, signals, chosen
