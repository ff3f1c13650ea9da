"""From a conductivity to a jump: Nernst and Einstein, and the time an ion stays where it is."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import BOLTZMANN_EV, Array, InputError

_ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact in the SI of 2019

# Self-diffusion by single vacancies, few of them. Compaan and Haven, Trans. Faraday Soc. 52 (1956) 786.
CORRELATION_FACTORS = MappingProxyType({"sc": 0.6531, "fcc": 0.7815, "bcc": 0.7272})


def nernst_einstein(
    conductivity: npt.ArrayLike, *, carrier_density: npt.ArrayLike, temperature: npt.ArrayLike, charge: npt.ArrayLike
) -> Array:
    """The diffusion coefficient that a conductivity stands for, D_sigma = sigma kT / (n q^2) [m^2/s].

    Parameters
    ----------
    conductivity : ionic conductivity sigma [S/m]; NaN passes through
    carrier_density : mobile ions a volume, n [m^-3]. Count all mobile ions, not the vacancies, if the residence time
        that follows is to be that of an ion: the concentration of vacancies is then part of 1/tau.
    temperature : [K]
    charge : of one carrier in elementary charges, such as 1 for Na+

    All broadcast.

    Raises
    ------
    InputError
        For a value that is not positive and finite, or a charge of 0.

    Examples
    --------
    1e-3 S/m from 2.5e28 Na+ a cubic metre at room temperature:

    >>> print(f"{nernst_einstein(1e-3, carrier_density=2.5e28, temperature=298.15, charge=1):.3e} m^2/s")
    6.414e-15 m^2/s
    """
    sigma = _positive("nernst_einstein: conductivity", conductivity, "S/m")
    density = _positive("nernst_einstein: carrier_density", carrier_density, "m^-3")
    kelvin = _positive("nernst_einstein: temperature", temperature, "K")
    number = _positive("nernst_einstein: size of the charge", np.abs(charge), "elementary charges")
    return sigma * BOLTZMANN_EV * kelvin / (density * number**2 * _ELEMENTARY_CHARGE)


def residence_time(
    diffusion: npt.ArrayLike,
    *,
    jump_distance: npt.ArrayLike,
    dimensions: int,
    correlation_factor: npt.ArrayLike,
    haven_ratio: npt.ArrayLike,
) -> Array:
    """The mean time between two jumps of an ion, tau_res = f a^2 / (2 d H_R D_sigma) [s]; 1/tau_res is its jump rate.

    From the random walk, D* = f a^2 / (2 d tau_res), and H_R = D*/D_sigma. It is the time of an ion if D_sigma was made
    with the density of all mobile ions. The correlation time of NMR equals tau_res where one ion jumps among many
    sites, and tau_res / 2 where it jumps between two sites only, or where both ions of a pair jump: a comparison is
    good to a factor of 2. Source: Haven, Verkerk, Phys. Chem. Glasses 6 (1965) 38; Murch, Solid State Ionics 7
    (1982) 177.

    Parameters
    ----------
    diffusion : D_sigma [m^2/s], see `nernst_einstein`; NaN passes through
    jump_distance : a [m]
    dimensions : d, 1, 2 or 3
    correlation_factor : f, see `CORRELATION_FACTORS`; 1 for jumps that do not know of each other
    haven_ratio : H_R; 1 if tracer and charge diffuse alike

    All but `dimensions` broadcast.

    Raises
    ------
    InputError
        For a value that is not positive and finite, dimensions other than 1, 2 and 3, or f above 1.

    Examples
    --------
    >>> tau = residence_time(6.414e-15, jump_distance=3.2e-10, dimensions=3, correlation_factor=1, haven_ratio=1)
    >>> print(f"{tau:.3e} s")
    2.661e-06 s
    """
    if dimensions not in (1, 2, 3):
        raise InputError(f"residence_time: needed 1, 2 or 3 dimensions, found {dimensions}")
    coefficient = _positive("residence_time: diffusion", diffusion, "m^2/s")
    distance = _positive("residence_time: jump_distance", jump_distance, "m")
    correlation = _positive("residence_time: correlation_factor", correlation_factor, "1")
    if np.any(correlation > 1):
        raise InputError(f"residence_time: needed a correlation factor of 1 or less, found {correlation.max():g}")
    haven = _positive("residence_time: haven_ratio", haven_ratio, "1")
    return correlation * distance**2 / (2 * dimensions * haven * coefficient)


def _positive(what: str, value: npt.ArrayLike, unit: str) -> Array:
    number = np.asarray(value, dtype=float)
    refused = number[(number <= 0) | np.isinf(number)]
    if refused.size:
        raise InputError(f"{what}: needed a positive, finite number [{unit}], found {refused[0]:g}")
    return number
