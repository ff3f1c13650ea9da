"""The stretched-exponential (Kohlrausch) recovery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array


@dataclass(frozen=True)
class StretchedExponential:
    """M(t) = amplitude (1 - depth exp(-(t/T1*)^beta)); four parameters.

    Phenomenology: the T1* it returns is the Kohlrausch time. It is neither the mean time T1*/beta Gamma(1/beta) nor
    the initial-rate T1 of BPP theory (the initial rate diverges for beta < 1).

    Examples
    --------
    >>> float(StretchedExponential().decay(np.array([2.0]), 2.0, 0.6)[0]) == np.exp(-1)
    True
    """

    name: ClassVar[str] = "stretched"
    parameters: ClassVar[tuple[str, ...]] = ("t1", "beta")
    start: ClassVar[dict[str, tuple[float, ...]]] = {"beta": (1.0, 0.8, 0.6, 0.4)}
    bounds: ClassVar[dict[str, tuple[float, float]]] = {"beta": (0.1, 2.0)}
    meaning: ClassVar[str] = "T1* of a stretched exponential"

    def decay(self, delay: Array, *parameters: npt.ArrayLike) -> Array:
        t1, beta = parameters
        return np.exp(-((delay / np.asarray(t1)) ** np.asarray(beta)))
