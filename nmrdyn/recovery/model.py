"""What a recovery model must offer; each model is one small file beside this one."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy.typing as npt

from nmrdyn.schema import Array


class RecoveryModel(Protocol):
    """M(t) = amplitude (1 - depth * decay(t)): a model is its `decay`, from 1 at t = 0 to 0 at long times.

    `parameters` names what `decay` takes beside the delay, T1 first; `start` gives the values tried first for those
    that follow T1, and `bounds` their limits. Amplitude and depth are linear and free in every model.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]]
    start: ClassVar[dict[str, tuple[float, ...]]]
    bounds: ClassVar[dict[str, tuple[float, float]]]

    def decay(self, delay: Array, *parameters: npt.ArrayLike) -> Array:
        """What is left to recover after `delay` [s], given the `parameters` in their order."""
        ...
