"""A rate that does not depend on the motion: paramagnetic centres, conduction electrons, other motions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nmrdyn.motion.mechanism import Adjustable, Mechanism
from nmrdyn.schema import Array, InputError, require_within


@dataclass(frozen=True, kw_only=True)
class Background(Mechanism):
    """A constant rate 1/T1 = `r1` of magnetic kind, to be added to a mechanism that depends on tau_c.

    It stands for whatever shortens T1 alike at all temperatures and sets the longest T1 that can be seen; by itself it
    tells nothing of motion. A constant is the simplest assumption: paramagnets without spin diffusion, or two-phonon
    processes (T1 proportional to T^-2), do depend on temperature.

    Parameters
    ----------
    r1 : [s^-1]

    Raises
    ------
    InputError
        For a rate below 0 or not finite.

    Examples
    --------
    >>> from nmrdyn import BPP
    >>> both = BPP(nucleus="11B", cq=0.1e6, eta=0.4) + Background(r1=1e-3)
    >>> print(f"{1 / both.rate(1e-2, 160.49e6):.0f} s")  # the motion alone would give a week
    998 s
    """

    kind: ClassVar[str] = "background"
    quantities: ClassVar[Mapping[str, Adjustable]] = {"r1": Adjustable("s^-1")}
    nucleus: ClassVar[None] = None
    spin: ClassVar[None] = None
    r1: float | Array

    def __post_init__(self) -> None:
        require_within("Background: r1 in s^-1", self.r1, least=0, below=np.inf)

    def transition_rates(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> tuple[Array, Array, Array]:
        shape = np.broadcast_shapes(np.shape(self.r1), np.shape(tau_c), np.shape(larmor_frequency))
        rate = np.broadcast_to(np.asarray(self.r1, dtype=float), shape)
        return np.zeros(shape), np.zeros(shape), rate / 2

    def rate_t2(self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike) -> Array:
        raise InputError("Background: needed a mechanism to tell T2 or T1rho, found a rate of T1 alone; leave it out")

    def rate_t1rho(
        self, tau_c: npt.ArrayLike, larmor_frequency: npt.ArrayLike, *, nutation_frequency: npt.ArrayLike
    ) -> Array:
        return self.rate_t2(tau_c, larmor_frequency)
