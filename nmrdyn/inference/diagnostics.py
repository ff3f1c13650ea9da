"""Whether the draws can be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from arviz_stats.base import array_stats  # type: ignore[attr-defined]
from scipy.fft import irfft, next_fast_len, rfft

from nmrdyn.schema import Array

MOST_R_HAT = 1.01
LEAST_ESS = 1000.0
LEAST_LENGTH = 50.0  # autocorrelation times
_WINDOW = 5.0  # autocorrelation times that the sum over lags reaches

# Parameters (draw, parameter) to what is reported beside them (draw, column).
Reported = Callable[[Array], Array]


@dataclass(frozen=True)
class Diagnostics:
    """Rank R-hat across ensembles and the smaller of bulk and tail ESS: of each parameter, then of what is reported."""

    r_hat: Array
    ess: Array

    @property
    def passed(self) -> bool:
        """Whether every column has an R-hat of at most 1.01 and an ESS of at least 1,000."""
        return bool(np.all((self.r_hat <= MOST_R_HAT) & (self.ess >= LEAST_ESS)))


def with_reported(theta: Array, reported: Reported | None) -> Array:
    """Parameters (..., parameter) with the reported columns behind them (..., parameter + column)."""
    if reported is None:
        return theta
    columns = reported(theta.reshape(-1, theta.shape[-1]))
    return np.concatenate([theta, columns.reshape(*theta.shape[:-1], -1)], axis=-1)


def diagnose(draws: Array, reported: Reported | None = None) -> Diagnostics:
    """Diagnostics of walker-major `draws (chain, draw, parameter)`, and of what is reported of them.

    A column that is one number throughout, such as a barrier that was fixed, is known.
    """
    columns = np.moveaxis(with_reported(draws, reported), -1, 0)
    r_hat, ess = np.ones(len(columns)), np.full(len(columns), float(columns[0].size))
    for k, column in enumerate(columns):
        if np.any(column != column[0, 0]):
            r_hat[k] = float(array_stats.rhat(column))
            bulk, tail = (
                array_stats.ess(column, method="bulk"),
                array_stats.ess(column, method="tail", prob=(0.05, 0.95)),
            )
            ess[k] = min(float(bulk), float(tail))
    return Diagnostics(r_hat, ess)


def autocorrelation_time(chain: Array) -> Array:
    """Integrated autocorrelation time in steps (column,): the longest of the ensembles, infinite where none moved.

    `chain` is (chain, step, walker, column). The autocovariance is the mean of those of all walkers, summed up to the
    first lag of five autocorrelation times (Sokal, Monte Carlo methods in statistical mechanics, 1996), as in
    `emcee.autocorr`, but without what that misses in short chains: 16 % at 60 autocorrelation times.

    Examples
    --------
    A Markov chain that keeps 0.8 of its value has an autocorrelation time of (1 + 0.8)/(1 - 0.8) = 9 steps:

    >>> rng = np.random.default_rng(1)
    >>> chain = rng.standard_normal((1, 2000, 100, 1))
    >>> for step in range(1, 2000):
    ...     chain[:, step] = 0.8 * chain[:, step - 1] + 0.6 * chain[:, step]
    >>> bool(abs(autocorrelation_time(chain)[0] - 9) < 0.5)
    True
    """
    chains, steps, _, columns = chain.shape
    size = next_fast_len(2 * steps, real=True)
    found = np.empty((chains, columns))
    for c in range(chains):
        for k in range(columns):
            values = chain[c, :, :, k]
            if np.all(values == values[0]):  # a number that is known, or walkers that never moved
                found[c, k] = 1.0 if np.all(values == values[0, 0]) else np.inf
                continue
            spectrum = rfft(values - values.mean(axis=0), size, axis=0)
            covariance = irfft(np.mean(np.abs(spectrum) ** 2, axis=1), size) / steps
            if not covariance[0] > 0:  # or no numbers
                found[c, k] = np.inf
                continue
            # Deviations from a walker's own mean miss 1/steps of the sum over all lags, at each lag.
            lag = np.arange(max(1, steps // 4))
            total = (2 * np.cumsum(covariance[lag]) - covariance[0]) / (1 - (2 * lag + 1) / steps)
            times = total / (covariance[0] + total / steps)
            window = np.flatnonzero(lag >= _WINDOW * times)
            found[c, k] = times[window[0] if window.size else -1]
    return found.max(axis=0)


def modes_agree(label: npt.NDArray[np.intp], weight: Array, effective_draws: float) -> bool:
    """Whether the draws visit each mode as often as importance sampling weighs it, within three Monte Carlo errors.

    `label (chain, draw)` is the mode of each draw. R-hat cannot see a mode that all ensembles weigh wrongly.
    """
    for mode, expected in enumerate(weight):
        inside = (label == mode).astype(float)
        found = inside.mean()
        ess = float(array_stats.ess(inside, method="mean")) if 0 < found < 1 else float(label.size)
        variance = max(expected * (1 - expected), 0.0) * (1 / max(ess, 1.0) + 1 / effective_draws)
        if abs(found - expected) > 3 * np.sqrt(variance) + 1e-3:
            return False
    return True


def converged(found: Diagnostics, tau: Array, kept: int) -> bool:
    """Whether every column passes: R-hat at most 1.01, ESS at least 1,000 and 50 autocorrelation times kept."""
    return found.passed and bool(np.all(kept >= LEAST_LENGTH * tau))
