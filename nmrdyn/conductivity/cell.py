"""The geometry of a pellet: resistances -> conductivities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.findings import attach, attached
from nmrdyn.schema import Array, InputError, require, require_within, stamp
from nmrdyn.units import parse

PARTS = {"total": "resistance", "bulk": "bulk_resistance", "grain_boundary": "grain_boundary_resistance"}
"""What can be asked of a sample, and the variable of the stage `resistance` that holds it."""

_SIZES = {"thickness": (1e-9, 0.05), "area": (1e-18, 0.04), "diameter": (1e-9, 0.2), "radius": (1e-9, 0.1)}
# m and m^2, from a thin film to a plate; what lies outside is said in another unit.


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A sample between two parallel electrodes, of a thickness and one of area, diameter and radius.

    Conductivity is thickness / (area * R). This holds for plane, parallel electrodes that touch the faces everywhere:
    the area is that of the electrodes, and fields beyond their rim count little while the sample is thin. It is the
    conductivity of the sample as it is: in a pellet with pores it is below that of the dense material. That of grain
    boundaries by the same geometry is an apparent one, as their own thickness is not known.

    Attributes
    ----------
    thickness : [m], with its standard error `thickness_stderr` [m], as each of these
    area : of one electrode [m^2]
    diameter : of round electrodes [m]
    radius : of round electrodes [m]

    Raises
    ------
    InputError
        Unless exactly one of area, diameter and radius is given, for an error of what is not given, and for lengths
        that are not positive or so large that they are not in m.

    Source: J. T. S. Irvine, D. C. Sinclair, A. R. West, Adv. Mater. 2 (1990) 132, doi:10.1002/adma.19900020304.

    Examples
    --------
    The sample of Gao et al. (2023), 25.529 kΩ, has 4.5e-3 mS/cm:

    >>> cell = Cell(thickness=0.9e-3, radius=0.5e-2, thickness_stderr=0.02e-3)
    >>> sigma, stderr = cell.conductivity(25.529e3, 100.0)
    >>> print(f"{sigma * 10:.2g} mS/cm, {stderr / sigma:.2%} from R and {cell.relative_stderr:.2%} from the cell")
    0.0045 mS/cm, 0.39% from R and 2.22% from the cell
    """

    thickness: float
    area: float | None = None
    diameter: float | None = None
    radius: float | None = None
    thickness_stderr: float = 0.0
    area_stderr: float = 0.0
    diameter_stderr: float = 0.0
    radius_stderr: float = 0.0

    def __post_init__(self) -> None:
        sizes = {name: getattr(self, name) for name in ("area", "diameter", "radius")}
        given = [name for name, size in sizes.items() if size is not None]
        if len(given) != 1:
            raise InputError(
                f"cell: needed one of area, diameter and radius, found {' and '.join(given) or 'none'}; say one"
            )
        for name in ("thickness", "area", "diameter", "radius"):
            stderr = getattr(self, f"{name}_stderr")
            if name != "thickness" and name not in given:
                if stderr:
                    raise InputError(f"cell: needed {name} beside {name}_stderr, found {given[0]}; say its error")
                continue
            unit, example = ("m^2", "0.785 cm^2 is 0.785e-4") if name == "area" else ("m", "0.9 mm is 0.9e-3")
            least, most = _SIZES[name]
            value = getattr(self, name)
            require_within(f"cell: {name} [{unit}]", value, least=least, most=most, single=True, advice=example)
            require_within(f"cell: {name}_stderr [{unit}]", stderr, least=0, single=True)

    @property
    def electrode_area(self) -> float:
        """Area of an electrode [m^2]."""
        if self.area is not None:
            return self.area
        return math.pi * (self.radius if self.radius is not None else (self.diameter or 0.0) / 2) ** 2

    @property
    def constant(self) -> float:
        """Thickness over area [1/m], which over R is the conductivity."""
        return self.thickness / self.electrode_area

    @property
    def relative_stderr(self) -> float:
        """Relative standard error of the constant, to first order, errors being independent."""
        size, power = next(
            (size, power)
            for size, power in (("area", 1), ("diameter", 2), ("radius", 2))
            if getattr(self, size) is not None
        )
        return math.hypot(
            self.thickness_stderr / self.thickness, power * getattr(self, f"{size}_stderr") / getattr(self, size)
        )

    @property
    def constant_stderr(self) -> float:
        """Standard error of the constant [1/m]."""
        return self.constant * self.relative_stderr

    def conductivity(
        self, resistance: npt.ArrayLike, resistance_stderr: npt.ArrayLike = math.nan
    ) -> tuple[Array, Array]:
        """Conductivity [S/m] of a resistance [ohm], and the standard error that it has from that of the resistance.

        The error of the cell is not in it: it is common to all temperatures, and no barrier has it.
        """
        return _conductivity(self.constant, resistance, resistance_stderr)


def cell_said(said: Mapping[str, object], *, where: str) -> Cell:
    """A cell from sizes with units, {"thickness": "0.90 ± 0.02 mm", "radius": "5 mm"}.

    Raises
    ------
    InputError
        As for `Cell`, or for a size that is none; with `where` before its name.
    """
    sizes: dict[str, float] = {}
    for name, text in said.items():
        found = parse(text, "area" if name == "area" else "length", name=f"{where}{name}", positive=True)
        sizes |= {name: found.value, f"{name}_stderr": found.stderr}
    return Cell(**sizes)


def conductivity_of(resistance: xr.Dataset, cell: Cell, *, part: str = "total") -> xr.Dataset:
    """Conductivities of one part of a sample, from its resistances and its geometry.

    Parameters
    ----------
    resistance : the stage `resistance`
    cell : the geometry
    part : "total", "bulk" or "grain_boundary"

    Returns
    -------
    transport : NaN rows with a `reason` where the resistance is not known; `conductivity_low` and `conductivity_high`
        where there are limits of the total resistance. `conductivity_stderr` is from the resistance alone;
        `attrs["cell_stderr"]` is the relative standard error of the cell, and so of all conductivities together: it
        counts where absolute conductivities are compared, and is in no barrier.

    Raises
    ------
    InputError
        For another stage, or a part of which no row is known where another one is.

    Examples
    --------
    >>> resistance = stamp(xr.Dataset({"resistance": ("experiment", [25.529e3]),
    ...     "resistance_stderr": ("experiment", [100.0])}, coords={"experiment": ["1"],
    ...     "temperature": ("experiment", [298.15]), "temperature_stderr": ("experiment", [0.5])}), "resistance")
    >>> conductivity_of(resistance, Cell(thickness=0.9e-3, radius=0.5e-2)).conductivity.values.round(7)
    array([0.0004489])
    """
    n = resistance.sizes.get("experiment", 0)
    return with_constants(
        resistance, np.full(n, cell.constant), part=part, cell_stderr=np.full(n, cell.relative_stderr)
    )


def with_constants(resistance: xr.Dataset, constant: Array, *, part: str, cell_stderr: Array) -> xr.Dataset:
    """As `conductivity_of`, with a constant [1/m] and its relative error for each row; NaN where there is none."""
    require(resistance, "resistance")
    if part not in PARTS:
        raise InputError(f"part: needed {', '.join(PARTS)}, found {str(part)[:40]!r}")
    name = PARTS[part]
    n = resistance.sizes["experiment"]
    value, stderr = (
        resistance[one].values if one in resistance else np.full(n, np.nan) for one in (name, f"{name}_stderr")
    )
    limits = [f"resistance_{end}" for end in ("low", "high")]
    limited = part == "total" and all(limit in resistance for limit in limits)
    known = [one for one, other in PARTS.items() if other in resistance and resistance[other].notnull().any()]
    if known and part not in known and not limited:
        raise InputError(f"part: needed the resistance of the {part}, found {', '.join(known)}; ask for one of these")
    sigma, sigma_stderr = _conductivity(constant, value, stderr)
    given = resistance["reason"].values if "reason" in resistance else np.full(n, "")
    reason = np.where(np.isnan(constant), "no geometry", np.where(np.isnan(value), f"no {part} resistance", ""))
    variables = {
        "conductivity": ("experiment", sigma),
        "conductivity_stderr": ("experiment", sigma_stderr),
        "reason": ("experiment", np.where(given == "", reason, given).astype(object)),
        "cell_stderr": ("experiment", cell_stderr),
    }
    if limited:
        with np.errstate(divide="ignore"):
            low, high = (constant / resistance[limit].values for limit in reversed(limits))
        variables |= {"conductivity_low": ("experiment", low), "conductivity_high": ("experiment", high)}
    coords = ("experiment", "temperature", "temperature_stderr", "sample", "direction")
    transport = xr.Dataset(variables, coords={one: resistance[one] for one in coords if one in resistance.coords})
    transport = transport.assign_coords(part=part)
    transport.attrs = {one: resistance.attrs[one] for one in ("sources", "seed") if one in resistance.attrs}
    return with_common_error(stamp(attach(transport, attached(resistance)), "transport"))


def with_common_error(transport: xr.Dataset) -> xr.Dataset:
    """The largest relative error of the geometries in `attrs["cell_stderr"]`, as rows are left of a table."""
    if "cell_stderr" in transport:
        transport.attrs["cell_stderr"] = float(transport["cell_stderr"].fillna(0.0).max())
    return transport


def _conductivity(
    constant: npt.ArrayLike, resistance: npt.ArrayLike, resistance_stderr: npt.ArrayLike
) -> tuple[Array, Array]:
    """Conductivity and its standard error to first order."""
    value = np.asarray(resistance, dtype=float)
    with np.errstate(all="ignore"):  # a resistance of 0 or of any size is for the caller to judge
        sigma = np.asarray(constant, dtype=float) / value
        return sigma, sigma * np.asarray(resistance_stderr, dtype=float) / value
