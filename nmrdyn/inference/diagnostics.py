"""Whether the draws can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from arviz_stats.base import array_stats  # type: ignore[attr-defined]
from emcee.autocorr import integrated_time

from nmrdyn.schema import Array

MOST_R_HAT = 1.01
LEAST_ESS = 1000.0
LEAST_LENGTH = 50.0  # autocorrelation times


@dataclass(frozen=True)
class Diagnostics:
    """One value a parameter: rank R-hat across ensembles, and the smaller of bulk and tail ESS."""

    r_hat: Array
    ess: Array


def diagnose(draws: Array) -> Diagnostics:
    """Diagnostics of walker-major `draws (chain, draw, parameter)`."""
    columns = [draws[..., k] for k in range(draws.shape[-1])]
    ess = [
        min(float(array_stats.ess(c, method="bulk")), float(array_stats.ess(c, method="tail", prob=(0.05, 0.95))))
        for c in columns
    ]
    return Diagnostics(np.array([float(array_stats.rhat(c)) for c in columns]), np.array(ess))


def autocorrelation_time(chain: Array) -> Array:
    """Integrated autocorrelation time in steps (parameter,): the longest of the ensembles.

    `chain` is (chain, step, walker, parameter).
    """
    with np.errstate(all="ignore"):  # a parameter that never moved has no autocorrelation time
        return np.max([np.atleast_1d(integrated_time(one, tol=0, quiet=True)) for one in chain], axis=0)


def modes_agree(label: Array, weight: Array, effective_draws: float) -> bool:
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
    """Whether every parameter passes: R-hat at most 1.01, ESS at least 1,000 and 50 autocorrelation times kept."""
    passed = (found.r_hat <= MOST_R_HAT) & (found.ess >= LEAST_ESS) & (kept >= LEAST_LENGTH * tau)
    return bool(np.all(passed))
