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
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="11B", larmor_frequency=160.49e6, cq=0.1e6, eta=0.4, snr=1e4, beta=0.6,
    ...     activation_energy=0.4, tau_c=1e-6, reference_temperature=333.15, temperature=[333.15])
    >>> relaxation = nd.fit_recovery(nd.simulate(truth, seed=1), StretchedExponential())
    >>> print(f"T1* {relaxation.t1.item():.0f} s, beta {relaxation.beta.item():.2f}")
    T1* 61 s, beta 0.60
    """

    name: ClassVar[str] = "stretched"
    parameters: ClassVar[tuple[str, ...]] = ("t1", "beta")
    start: ClassVar[dict[str, tuple[float, ...]]] = {"beta": (1.0, 0.8, 0.6, 0.4)}
    bounds: ClassVar[dict[str, tuple[float, float]]] = {"beta": (0.1, 2.0)}

    def decay(self, delay: Array, *parameters: npt.ArrayLike) -> Array:
        t1, beta = parameters
        return np.exp(-((delay / np.asarray(t1)) ** np.asarray(beta)))
