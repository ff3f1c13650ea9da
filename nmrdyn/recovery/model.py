"""What a recovery model must offer; each model is one small file beside this one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nmrdyn.schema import Array, require_within


class RecoveryModel(ABC):
    """M(t) = amplitude (1 - c decay(t)): a model is its `decay`, which ends at 0 and, for exponentials, begins at 1.

    `parameters` names what `decay` takes beside the delay, a time first (searched in its logarithm); `start` gives the
    values tried first for the others, and `bounds` their limits. A parameter in `ends` may lie at its limit for a
    physical reason; any other that does was not determined by the data. The amplitude is linear and free; c, with
    which M(0) = amplitude (1 - c decay(0)), is linear too, and free unless `fixed`.
    """

    name: ClassVar[str]
    start: ClassVar[Mapping[str, tuple[float, ...]]] = {}
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {}
    ends: ClassVar[frozenset[str]] = frozenset()
    meaning: ClassVar[str]  # what the `t1` of this model is

    if TYPE_CHECKING:  # a property at run time would hide the fields of dataclasses

        @property
        def parameters(self) -> tuple[str, ...]: ...
        @property
        def depth(self) -> float | None: ...

    def __post_init__(self) -> None:
        if self.fixed is not None:
            require_within(f"{self.name}: depth or efficiency", self.fixed, above=0, most=10, single=True)

    @abstractmethod
    def decay(self, delay: Array, *parameters: float) -> Array:
        """What is left to recover after `delay` [s], given the `parameters` in their order."""

    @property
    def fixed(self) -> float | None:
        """The factor c of `decay`, None where it is free."""
        return self.depth

    def t1(self, *parameters: float) -> float:
        """The T1 [s] that the parameters mean, in the sense of `meaning`."""
        return parameters[0]

    def mean_time(self, *parameters: float) -> float:
        """The area under the decay over its beginning [s], infinite or NaN where that is not defined."""
        return parameters[0]

    def components(self, *parameters: float) -> tuple[Array, Array]:
        """Times [s] and fractions of exponentials that are told apart, longest first; none for most models."""
        return np.zeros(0), np.zeros(0)

    def regions(self, low: float, high: float) -> list[Array]:
        """Logarithms of the first parameter to begin from, an array for each region that is searched by itself.

        `low` and `high` are the shortest and longest T1 [s] that the delays could tell.
        """
        return [np.linspace(np.log(low), np.log(high), 64)]

    def at(self, larmor_frequency: float, temperature: float) -> RecoveryModel:
        """The model at a Larmor frequency [Hz] and a temperature [K], for those that depend on them."""
        return self
