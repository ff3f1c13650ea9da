"""A recovery model in one file: rates of a log-normal distribution, as of crystallites that relax by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import Array

_POINTS, _WEIGHTS = np.polynomial.hermite_e.hermegauss(31)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True, kw_only=True)
class LogNormalRecovery(RecoveryModel):
    """M(t) = amplitude (1 - depth <exp(-t/T)>), ln T normal about ln T1 with the standard deviation `width`.

    T1 is the median. Valid where each part of the sample recovers with one exponential, without spin diffusion between
    parts, and for widths up to about 1.5, where the mean over 31 points of a Gauss-Hermite rule is still smooth.
    """

    name: ClassVar[str] = "log_normal"
    parameters: ClassVar[tuple[str, ...]] = ("t1", "width")
    start: ClassVar[Mapping[str, tuple[float, ...]]] = {"width": (0.2, 0.5, 1.0)}
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"width": (1e-3, 1.5)}
    meaning: ClassVar[str] = "median T1 of a log-normal distribution"
    depth: float | None = None

    def decay(self, delay: Array, *parameters: float) -> Array:
        t1, width = parameters
        times = t1 * np.exp(width * _POINTS)
        return np.exp(-np.asarray(delay)[..., None] / times) @ _WEIGHTS
