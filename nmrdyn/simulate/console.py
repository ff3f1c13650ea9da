"""What differs between the consoles that write raw data: types of numbers, digital filter, lists."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array, InputError

ComplexArray = npt.NDArray[np.complex128]

_BLOCK = 1024  # bytes; each row of a ser begins at a multiple of this


@dataclass(frozen=True)
class Console:
    """One console's way to write raw data.

    Attributes
    ----------
    group_delay : points by which its digital filter delays the FID
    told : the parameters that tell the filter
    big_endian : BYTORDA 1
    floating : float64 (DTYPA 2) instead of int32
    nc : the power of two that a number counts (NC)
    vdlist : where the list of delays is, from the expno
    """

    group_delay: float
    told: dict[str, object] = field(default_factory=dict)
    big_endian: bool = False
    floating: bool = False
    nc: int = 0
    vdlist: str = "vdlist"

    @property
    def parameters(self) -> dict[str, object]:
        """Its parameters in acqus."""
        types = {"BYTORDA": int(self.big_endian), "DTYPA": 2 * int(self.floating), "NC": self.nc}
        return {"DIGMOD": 1} | self.told | types

    def encode(self, rows: ComplexArray) -> bytes:
        """Rows of counts as the bytes of a ser; a float is written as it was counted, too."""
        dtype = np.dtype((">" if self.big_endian else "<") + ("f8" if self.floating else "i4"))
        words = 2 * rows.shape[1]
        padded = -(-words * dtype.itemsize // _BLOCK) * _BLOCK // dtype.itemsize
        table = np.zeros((rows.shape[0], padded), dtype)
        counts = rows / 2.0**self.nc
        table[:, :words:2], table[:, 1:words:2] = np.round(counts.real), np.round(counts.imag)
        return table.tobytes()

    def build_up(self) -> Array:
        """Impulse response of the decimation filter: a windowed sinc centred on the group delay."""
        tap = np.arange(int(2 * self.group_delay) + 1) - self.group_delay
        return np.sinc(tap) * np.i0(8 * np.sqrt(np.clip(1 - (tap / self.group_delay) ** 2, 0, 1))) / np.i0(8)


# The parameters are those of real folders; old filters: DSPFVS 10 and DECIM 12 are 60.375 points, 12 and 24 are
# 70.17 (W. M. Westler, F. Abildgaard, DMX digital filters and non-Bruker offline processing, 1996).
CONSOLES = {
    "avance3": Console(67.984375, {"DECIM": 40, "DSPFVS": 20, "GRPDLY": 67.984375}),
    "neo": Console(
        76.0,
        {"DECIM": 1680, "DIGMOD": 3, "DSPFVS": 21, "GRPDLY": 76},
        floating=True,
        vdlist="lists/vd/simulated",
    ),
    "xwinnmr": Console(60.375, {"DECIM": 12, "DSPFVS": 10}, big_endian=True),
    "topspin1": Console(70 + 1 / 6, {"DECIM": 24, "DSPFVS": 12, "GRPDLY": -1}, big_endian=True, nc=-3),
}


def console_of(name: str) -> Console:
    """A console by its name.

    Raises
    ------
    InputError
        For an unknown name.
    """
    if name not in CONSOLES:
        raise InputError(f"console: needed one of {', '.join(CONSOLES)}, found {name!r}; give a Console of your own")
    return CONSOLES[name]
