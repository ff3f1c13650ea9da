"""The stretched-exponential (Kohlrausch) recovery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import gamma

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import Array


@dataclass(frozen=True, kw_only=True)
class StretchedExponential(RecoveryModel):
    """M(t) = amplitude (1 - depth exp(-(t/T1*)^beta)); four parameters, or three with `depth` fixed.

    Phenomenology: the T1* it returns is the Kohlrausch time, at which 1/e is left to recover. It is neither the mean
    time T1*/beta Gamma(1/beta), which is `t1_mean`, nor the initial-rate T1 of BPP theory (the initial rate diverges
    for beta < 1).

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="11B", larmor_frequency=160.49e6, cq=0.1e6, eta=0.4, snr=1e4, beta=0.6,
    ...     activation_energy=0.4, tau_c=1e-6, reference_temperature=333.15, temperature=[333.15])
    >>> relaxation = nd.fit_recovery(nd.simulate(truth, seed=1), StretchedExponential())
    >>> print(f"T1* {relaxation.t1.item():.0f} s, beta {relaxation.beta.item():.2f}")
    T1* 61 s, beta 0.60
    """

    name: ClassVar[str] = "stretched"
    parameters: ClassVar[tuple[str, ...]] = ("t1", "beta")
    start: ClassVar[Mapping[str, tuple[float, ...]]] = {"beta": (1.0, 0.8, 0.6, 0.4)}
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"beta": (0.1, 2.0)}
    meaning: ClassVar[str] = "T1* (1/e time of a stretched exponential)"
    depth: float | None = None

    def decay(self, delay: Array, *parameters: float) -> Array:
        t1, beta = parameters
        return np.exp(-((delay / t1) ** beta))

    def mean_time(self, *parameters: float) -> float:
        t1, beta = parameters
        return float(t1 / beta * gamma(1 / beta))
