"""Progressive saturation: the steady state of equally spaced pulses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.schema import Array, require_within


@dataclass(frozen=True, kw_only=True)
class ProgressiveSaturation(RecoveryModel):
    """The signal of the steady state against the time between pulses; `delay` is that time.

        M(t) = amplitude (1 - E) / (1 - cos(flip_angle) E),  E = exp(-t/T1)

    for single-exponential relaxation and no transverse magnetisation left at the next pulse. At 90 degrees it is a
    saturation recovery; below, it recovers sooner. Two parameters; a free `depth` (None) takes one more.
    Source: Ernst, Bodenhausen, Wokaun, Principles of NMR in One and Two Dimensions (1987), ch. 4.

    Parameters
    ----------
    flip_angle : [degree], above 0 and below 180

    Raises
    ------
    InputError
        For another flip angle.

    Examples
    --------
    >>> model = ProgressiveSaturation(flip_angle=60)
    >>> left = model.decay(np.array([2.0]), 2.0)  # of the recovery, at t = T1
    >>> print((1 - left).round(4), round((1 - np.exp(-1)) / (1 - 0.5 * np.exp(-1)), 4))
    [0.7746] 0.7746
    """

    name: ClassVar[str] = "progressive"
    parameters: ClassVar[tuple[str, ...]] = ("t1",)
    meaning: ClassVar[str] = "T1"
    flip_angle: float
    depth: float | None = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within(
            "progressive saturation: flip angle in degrees", self.flip_angle, above=0, below=180, single=True
        )

    def decay(self, delay: Array, *parameters: float) -> Array:
        (t1,) = parameters
        rest, cosine = np.exp(-delay / t1), np.cos(np.radians(self.flip_angle))
        return rest * (1 - cosine) / (1 - cosine * rest)
