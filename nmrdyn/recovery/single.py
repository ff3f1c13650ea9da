"""The single-exponential recovery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import Array


@dataclass(frozen=True, kw_only=True)
class SingleExponential(RecoveryModel):
    """M(t) = amplitude (1 - depth exp(-t/T1)); three parameters, or two with `depth` fixed (1 saturated, 2 inverted).

    Exact for I = 1 and for any spin in the extreme narrowing limit or under a common spin temperature; for I = 3/2
    on the slow flank it returns a T1 that is 21 % long (all levels saturated, total signal, delays of 0.01 to 8 T1).

    Examples
    --------
    >>> SingleExponential().decay(np.array([0.0, 2.0]), 2.0).round(4)  # 1, then 1/e at t = T1
    array([1.    , 0.3679])
    """

    name: ClassVar[str] = "single"
    parameters: ClassVar[tuple[str, ...]] = ("t1",)
    meaning: ClassVar[str] = "T1"
    depth: float | None = None

    def decay(self, delay: Array, *parameters: float) -> Array:
        (t1,) = parameters
        return np.exp(-delay / t1)
