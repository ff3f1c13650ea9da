"""Chemical shift -> frequency from the carrier, by the reference the spectrum was processed with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nmrdyn.schema import InputError
from nmrdyn.topspin.files.parameters import number


def ppm_to_hz(ppm: float, acqus: dict[str, Any], *, procs: dict[str, Any], where: Path) -> float:
    """Frequency from the carrier [Hz] of a shift on TopSpin's axis, positive at higher ppm.

    SF is the frequency of 0 ppm [MHz], SFO1 that of the carrier. Without SF (no processed data) 0 ppm is at BF1, as
    TopSpin has it before a reference (SR) is set.

    Parameters
    ----------
    ppm : the shift
    acqus, procs : parameters of acquisition and of processing; `procs` may be {}
    where : the expno, for errors

    Raises
    ------
    InputError
        Where SFO1, or both SF and BF1, are missing or not above 0.

    Examples
    --------
    >>> round(ppm_to_hz(10.0, {"SFO1": 100.002, "BF1": 100.0}, procs={"SF": 100.0005}, where=Path("12")), 3)
    -499.995
    """
    carrier = number(acqus, "SFO1", where=where)
    reference = number(procs, "SF", where=where, default=0)
    if reference == 0:
        reference = number(acqus, "BF1", where=where)
    if not (carrier > 0 and reference > 0):
        raise InputError(
            f"{where}: needed SFO1 and SF above 0 MHz, found {carrier:g} and {reference:g}; give the region in Hz"
        )
    return reference * ppm + (reference - carrier) * 1e6
