"""A table of diffusion coefficients -> diffusion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from nmrdyn.columns.headers import ColumnSpec
from nmrdyn.columns.read import TEMPERATURES, kelvin, read_columns, row_names
from nmrdyn.findings import attach
from nmrdyn.schema import InputError, stamp

_LARGEST = 1e-6  # m^2/s; water has 2.3e-9, and no ion in a solid more
_WANTED = {
    "experiment": ColumnSpec("experiment|run", "text"),
    **TEMPERATURES,
    "diffusion": ColumnSpec(r"D\*?|D_?tracer|diffusion(?:[ _]coefficient)?", "diffusion", required=True, positive=True),
    "stderr": ColumnSpec(
        r"(?:D\*?|diffusion(?:[ _]coefficient)?)[ _]?(?:stderr|error|err|sd|uncertainty|±)", "diffusion", positive=True
    ),
}


def read_diffusion(path: str | Path) -> xr.Dataset:
    """Read a CSV of diffusion coefficients whose header names the units.

    Needed are a column of temperatures, `T (K)`, and one of `D (cm^2/s)` (or m^2/s, A^2/ps, nm^2/ns); `D_stderr` is
    used where there is one, empty cells are unknown. Tracer diffusion is meant, as the mean squared displacement of
    single ions gives it. Its error has to count jumps: in a short run with few of them, D is uncertain by several times
    1/sqrt(number of jumps), whatever a line through the mean squared displacement says (He, Zhu, Epstein, Mo, npj
    Comput. Mater. 4 (2018) 18).

    Returns
    -------
    diffusion : `diffusion` and `diffusion_stderr` [m^2/s], for a `Process` with the mechanism `Diffusion()`

    Raises
    ------
    InputError
        Where the file, a column or a unit is missing, or a value is no positive number; it names line and column. Where
        D is larger than in any liquid, since the unit is then another.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "aimd.csv"
    ...     _ = file.write_text("T (K), D (cm^2/s), D_stderr (cm^2/s)\\n500, 1.0e-6, 2e-7\\n700, 8e-6, 1e-6\\n")
    ...     read_diffusion(file).diffusion.values
    array([1.e-10, 8.e-10])
    """
    table = read_columns(path, _WANTED, what="a table of diffusion coefficients")
    temperature, temperature_stderr = kelvin(table)
    value = table.numbers["diffusion"]
    n = value.size
    too_large = np.flatnonzero(value > _LARGEST)
    if too_large.size:
        raise InputError(
            f"{table.where(int(too_large[0]))}: needed a diffusion coefficient of at most {_LARGEST:g} m^2/s, found "
            f"{value[too_large[0]]:g}; is the unit in the header another, or are columns swapped?"
        )
    diffusion = xr.Dataset(
        {
            "diffusion": ("experiment", value),
            "diffusion_stderr": ("experiment", table.numbers.get("stderr", np.full(n, np.nan))),
        },
        coords={
            "experiment": row_names(table),
            "temperature": ("experiment", temperature),
            "temperature_stderr": ("experiment", temperature_stderr),
        },
    )
    attach(diffusion, table.findings())
    return stamp(diffusion, "diffusion", sources=json.dumps([str(table.path)]))
