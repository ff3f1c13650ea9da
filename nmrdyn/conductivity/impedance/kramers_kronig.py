"""Whether a spectrum obeys the Kramers-Kronig relations, by the linear test of impedance.py."""

from __future__ import annotations

import math

import numpy as np

from nmrdyn.conductivity.impedance import package
from nmrdyn.conductivity.impedance.circuits import ComplexArray
from nmrdyn.schema import Array

SYSTEMATIC = 0.005  # residuals over |Z| beyond noise from which on a spectrum is remarked on
OVER_NOISE = 1.5  # and how far the residuals must exceed the noise
_PER_DECADE = 3  # elements RC; fewer leave residuals of their own, more follow the noise
_FEWEST = 8  # points


def kramers_kronig(frequency: Array, z: ComplexArray) -> tuple[float, float]:
    """Residuals of the linear Kramers-Kronig test and their noise, both as rms of a component over |Z|.

    The spectrum is fitted by elements RC at fixed time constants, a series resistance, inductance and capacitance,
    which all obey the relations (Boukamp, J. Electrochem. Soc. 142 (1995) 1885; Schönleber, Klotz, Ivers-Tiffée,
    Electrochim. Acta 131 (2014) 20). A sample that changes during the sweep, or does not respond linearly, leaves
    residuals that are smooth along the frequency. The noise is what differs from point to point (second differences):
    for a valid spectrum both numbers are alike.

    Parameters
    ----------
    frequency : [Hz], shape (n,), in the order of the sweep
    z : [ohm], shape (n,)

    Returns
    -------
    NaN twice for fewer than 8 points, or where the linear system is singular

    Raises
    ------
    InputError
        Where impedance.py is not installed.

    Examples
    --------
    >>> frequency = np.geomspace(1e6, 1.0, 50)
    >>> rms, _ = kramers_kronig(frequency, 1e4 / (1 + 1j * frequency / 1e3))
    >>> rms < 5e-3
    True
    """
    if frequency.size < _FEWEST:
        return math.nan, math.nan
    validation = package("validation")
    decades = math.log10(frequency.max() / frequency.min())
    elements = max(3, min(round(_PER_DECADE * decades), frequency.size // 2))
    # impedance.py 1.7 writes numbers into a text and evaluates that; numpy 2 would write "np.float64(1.0)". Its own
    # choice of the number of elements (c=0.85) stops too early where a blocking electrode is in series.
    with np.printoptions(legacy="1.25"):
        try:
            *_, real, imaginary = validation.linKK(
                frequency, z, c=None, max_M=elements, fit_type="complex", add_cap=True
            )
        except np.linalg.LinAlgError:
            return math.nan, math.nan
    residuals = np.array([real, imaginary], dtype=float)
    bends = np.diff(residuals, 2, axis=1)
    return float(np.sqrt(np.mean(residuals**2))), float(np.sqrt(np.mean(bends**2) / 6))
