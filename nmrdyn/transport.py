"""From a conductivity to a jump and back: Nernst and Einstein, and the time an ion stays where it is."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from nmrdyn.priors import LogUniform, Prior
from nmrdyn.schema import BOLTZMANN_EV, Array, InputError, require_within

ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact in the SI of 2019

_SPARE = 8  # draws of a prior for each that is needed, as those outside the possible values are left out

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
    return sigma * BOLTZMANN_EV * kelvin / (density * number**2 * ELEMENTARY_CHARGE)


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
    _require_walk("residence_time", dimensions, correlation_factor)
    coefficient = _positive("residence_time: diffusion", diffusion, "m^2/s")
    distance = _positive("residence_time: jump_distance", jump_distance, "m")
    haven = _positive("residence_time: haven_ratio", haven_ratio, "1")
    return np.asarray(correlation_factor) * distance**2 / (2 * dimensions * haven * coefficient)


def jump_diffusion(
    residence_time: npt.ArrayLike, *, jump_distance: npt.ArrayLike, dimensions: int, correlation_factor: npt.ArrayLike
) -> Array:
    """The tracer diffusion coefficient that jumps make, D* = f a^2 / (2 d tau_res) [m^2/s] (Einstein and Smoluchowski).

    With f = 1 it is that of jumps that do not know of each other. Source: Murch, Solid State Ionics 7 (1982) 177.

    Parameters
    ----------
    residence_time : mean time between two jumps of an ion, tau_res [s]; NaN passes through
    jump_distance : a [m]
    dimensions : d, 1, 2 or 3. The mean over the grains of a powder is that of d = 3, whatever the dimensions of a grain
    correlation_factor : f, see `CORRELATION_FACTORS`

    All but `dimensions` broadcast.

    Raises
    ------
    InputError
        For a value that is not positive and finite, dimensions other than 1, 2 and 3, or f above 1.

    Examples
    --------
    >>> print(f"{jump_diffusion(2.661e-6, jump_distance=3.2e-10, dimensions=3, correlation_factor=1):.3e} m^2/s")
    6.414e-15 m^2/s
    """
    _require_walk("jump_diffusion", dimensions, correlation_factor)
    time = _positive("jump_diffusion: residence_time", residence_time, "s")
    distance = _positive("jump_diffusion: jump_distance", jump_distance, "m")
    return np.asarray(correlation_factor) * distance**2 / (2 * dimensions * time)


def diffusion_conductivity(
    diffusion: npt.ArrayLike, *, carrier_density: npt.ArrayLike, temperature: npt.ArrayLike, charge: npt.ArrayLike
) -> Array:
    """The conductivity that a diffusion coefficient makes, sigma = n q^2 D / kT [S/m]; inverse of `nernst_einstein`.

    Parameters
    ----------
    diffusion : D [m^2/s]; a tracer's D* gives the conductivity for a Haven ratio of 1. NaN passes through
    carrier_density, temperature, charge : as in `nernst_einstein`

    All broadcast.

    Raises
    ------
    InputError
        For a value that is not positive and finite, or a charge of 0.

    Examples
    --------
    >>> print(f"{diffusion_conductivity(6.414e-15, carrier_density=2.5e28, temperature=298.15, charge=1):.2e} S/m")
    1.00e-03 S/m
    """
    coefficient = _positive("diffusion_conductivity: diffusion", diffusion, "m^2/s")
    density = _positive("diffusion_conductivity: carrier_density", carrier_density, "m^-3")
    kelvin = _positive("diffusion_conductivity: temperature", temperature, "K")
    number = _positive("diffusion_conductivity: size of the charge", np.abs(charge), "elementary charges")
    return density * number**2 * ELEMENTARY_CHARGE * coefficient / (BOLTZMANN_EV * kelvin)


@dataclass(frozen=True, kw_only=True)
class Carriers:
    """The ions that carry the charge, and how they jump. Every number may be a prior, such as Normal(4.70e-10, 1e-12).

    Parameters
    ----------
    charge : of one ion in elementary charges, such as 1 for Na+
    ions_per_cell : all mobile ions of a unit cell (formula units a cell times mobile ions in each), not the vacancies
    lattice_constant : of a cubic cell [m]; or say `cell_volume`
    cell_volume : [m^3]
    jump_distance : between the sites [m]
    dimensions : of the jumps, 1, 2 or 3. The mean over the grains of a powder is that of 3, whatever a grain has
    correlation_factor : f of the tracer, above 0 and up to 1 (see `CORRELATION_FACTORS`); 1 for jumps that do
        not know of each other
    correlation_times_per_jump : tau_res / tau_c, the mean time between two jumps of an ion over the correlation time of
        NMR: 1 where one ion jumps among many sites, 2 where it has two sites only or both ions of a pair jump; unknown
        between the two unless said

    Draws of a prior outside the possible values are left out.

    Raises
    ------
    InputError
        For a value outside its range, dimensions other than 1, 2 and 3, or not exactly one of `lattice_constant` and
        `cell_volume`.

    Examples
    --------
    Na2(NH2)(BH4), a cubic antiperovskite: two Na+ on the three face centres of a cell:

    >>> sodium = Carriers(charge=1, ions_per_cell=2, lattice_constant=4.70e-10, jump_distance=4.70e-10 / 2**0.5,
    ...     dimensions=3, correlation_factor=1)
    >>> print(f"{sodium.density:.3e} m^-3")
    1.926e+28 m^-3
    """

    charge: float
    ions_per_cell: float | Prior
    lattice_constant: float | Prior | None = None
    cell_volume: float | Prior | None = None
    jump_distance: float | Prior
    dimensions: int
    correlation_factor: float | Prior
    correlation_times_per_jump: float | Prior = LogUniform(1.0, 2.0)  # noqa: RUF009

    def __post_init__(self) -> None:
        if self.dimensions not in (1, 2, 3):
            raise InputError(f"carriers: needed 1, 2 or 3 dimensions, found {self.dimensions}")
        require_within("carriers: charge", self.charge, single=True)
        if self.charge == 0:
            raise InputError("carriers: needed a charge in elementary charges, found 0; such as 1 for Na+")
        if (self.lattice_constant is None) == (self.cell_volume is None):
            found = "neither" if self.cell_volume is None else "both"
            raise InputError(f"carriers: needed lattice_constant [m] or cell_volume [m^3], found {found}; say one")
        for name in ("ions_per_cell", *self._cell, "jump_distance", "correlation_times_per_jump", "correlation_factor"):
            value = getattr(self, name)
            if not hasattr(value, "draw"):
                require_within(f"carriers: {name}", value, above=0, most=_most(name), single=True)

    @property
    def _cell(self) -> tuple[str]:
        return ("cell_volume",) if self.lattice_constant is None else ("lattice_constant",)

    @property
    def density(self) -> float:
        """Mobile ions a volume [m^-3]; of priors, at their centres."""
        (cell,) = (_centre(getattr(self, name)) for name in self._cell)
        return _centre(self.ions_per_cell) / (cell**3 if self.cell_volume is None else cell)


def draw_carriers(carriers: Carriers, n: int, *, rng: np.random.Generator) -> dict[str, Array]:
    """`n` draws of every number of the carriers that may be a prior, and of their `density` [m^-3]."""
    names = ("ions_per_cell", *carriers._cell, "jump_distance", "correlation_factor", "correlation_times_per_jump")
    drawn = {name: _drawn(name, getattr(carriers, name), n, rng) for name in names}
    volume = drawn["cell_volume"] if "cell_volume" in drawn else drawn["lattice_constant"] ** 3
    return drawn | {"density": drawn["ions_per_cell"] / volume}


def _drawn(name: str, value: float | Prior, n: int, rng: np.random.Generator) -> Array:
    """Draws of a quantity above 0, and up to 1 for the correlation factor; all alike if it is a number."""
    if isinstance(value, int | float):
        return np.full(n, float(value))
    draws = value.draw(_SPARE * n, rng)
    possible = draws[(draws > 0) & (draws <= _most(name))]
    if possible.size < n:
        raise InputError(f"carriers: needed a prior of {name} above 0 and up to {_most(name):g}, found {value}")
    return possible[:n]


def _most(name: str) -> float:
    return 1.0 if name == "correlation_factor" else np.inf


def _centre(value: float | Prior) -> float:
    return float(value) if isinstance(value, int | float) else value.centre


def _require_walk(where: str, dimensions: int, correlation_factor: npt.ArrayLike) -> None:
    if dimensions not in (1, 2, 3):
        raise InputError(f"{where}: needed 1, 2 or 3 dimensions, found {dimensions}")
    correlation = _positive(f"{where}: correlation_factor", correlation_factor, "1")
    if np.any(correlation > 1):
        raise InputError(f"{where}: needed a correlation factor of 1 or less, found {correlation.max():g}")


def _positive(what: str, value: npt.ArrayLike, unit: str) -> Array:
    number = np.asarray(value, dtype=float)
    refused = number[(number <= 0) | np.isinf(number)]
    if refused.size:
        raise InputError(f"{what}: needed a positive, finite number [{unit}], found {refused[0]:g}")
    return number
