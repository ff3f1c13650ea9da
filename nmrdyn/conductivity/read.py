"""Step 1': conductivities, resistances and a geometry, or impedance spectra -> transport."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.conductivity.cell import PARTS, Cell, conductivity_of, with_common_error
from nmrdyn.conductivity.table import transport_of_table
from nmrdyn.findings import Finding, attach, attached, within
from nmrdyn.join import join
from nmrdyn.schema import InputError, stamp

_SPECTRA = (".dta", ".mpt", ".z", ".par")  # files that hold one impedance spectrum, never a table
_LARGE = 1e3  # S/m, 10 S/cm; above what ions in solids reach
_COLD = 120.0  # K; conductivities of ions in solids are hardly measured below


def read_conductivity(
    path: str | Path,
    *,
    sample: str | None = None,
    direction: str | None = None,
    part: str = "total",
    cell: Cell | None = None,
    columns: Mapping[str, str] | None = None,
    circuit: str | None = None,
    temperature: Any = None,
) -> xr.Dataset:
    """Read a table of conductivities or resistances whose header names the units, or impedance spectra.

    A table (CSV, TSV, text of a spreadsheet) needs a column of temperatures (`temperature (°C)`, `T [K]`, `1000/T
    (1/K)`) and one of conductivities: `sigma (S/cm)`, `conductivity [mS cm-1]`, `log10 sigma (S/cm)`, `ln(sigma T / S K
    cm-1)` or `sigma*T (S K/cm)`, which is divided by T. In its place there may be resistances, `R (kΩ)`, `R_bulk
    (ohm)`, `R_gb (ohm)`, which need a geometry: `cell`, or columns such as `thickness (mm)` and `diameter (mm)`. Errors
    are columns such as `conductivity_stderr (S/cm)`, `sigma_err (%)`, `log10 sigma_stderr`, `temperature_stderr (K)`. A
    column `sample` tells samples apart, one `direction` (or `run`, `ramp`) heating from cooling; without it a turn in
    the order of the temperatures of a sample does, if there are two steps before and behind it. Cells and comments are
    as `nmrdyn.columns.read.read_columns` has them.

    A folder and a file of a potentiostat are impedance spectra, of which `fit_impedance` tells the resistances.

    Parameters
    ----------
    path : the table, a file of impedance spectra or a folder of them
    sample : keeps the rows of this sample; one of the names that were joined will do where no other sample has it
    direction : keeps "heating" or "cooling"
    part : "total", "bulk" or "grain_boundary"; where no column names a part, they are taken for this one
    cell : the geometry of the sample, with which resistances are used also where there are conductivities
    columns : headers of the table by what they are read as, {"target": "sigma (S/cm)"}; "" passes over a column, and
        several columns that are read as `sample` are joined by ", "
    circuit : "auto", or the equivalent circuit of impedance spectra; says that a file is a spectrum
    temperature : of impedance spectra, as `read_impedance` takes it

    Returns
    -------
    transport : `conductivity` and `conductivity_stderr` [S/m], one row a temperature; the error is NaN where none is
        given, and a row without a value is NaN with a `reason`. With a geometry, `attrs["cell_stderr"]` is its relative
        error, common to all temperatures and in no `conductivity_stderr`. Findings: columns not used, conductivities
        that are too large for ions ("conductivity-large"), temperatures in K that may be °C ("temperature-low").

    Raises
    ------
    InputError
        Where a column, a unit or the geometry is missing, a unit or a logarithm has two meanings, a value is not
        positive, columns seem to be swapped, or no row is of the sample or direction; it names line and column.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "eis.csv"
    ...     _ = file.write_text("sample; T [K]; sigma [mS/cm]\\nA; 300; 0,1\\nA; 310; 0,2\\nB; 300; 7\\n")
    ...     read_conductivity(file, sample="A").conductivity.values
    array([0.01, 0.02])
    """
    if part not in PARTS:
        raise InputError(f"part: needed {', '.join(PARTS)}, found {str(part)[:40]!r}")
    file = Path(path)
    if circuit is not None or file.suffix.lower() in _SPECTRA or _is_folder(file):
        if columns:
            raise InputError(f"{file}: needed a table for columns, found impedance spectra; leave columns out")
        transport = _transport_of_spectra(file, part=part, cell=cell, circuit=circuit, temperature=temperature)
    else:
        if temperature is not None:
            raise InputError(
                f"{file}: needed impedance spectra for temperature=, found a table; add a column 'temperature (°C)', "
                "or say circuit='auto' if it is a spectrum"
            )
        transport = transport_of_table(file, part=part, cell=cell, columns=columns)
    kept = _of_sample(transport["sample"].values, sample, file) & _of_direction(transport, direction, file)
    transport = transport.isel(experiment=kept)
    findings = within(attached(transport), transport["experiment"].values.tolist())
    return stamp(with_common_error(attach(transport, [*findings, *_remarks(transport)])), "transport")


def _is_folder(file: Path) -> bool:
    try:
        return file.is_dir()
    except (OSError, ValueError):  # names that no file can have
        return False


def _transport_of_spectra(
    file: Path, *, part: str, cell: Cell | None, circuit: str | None, temperature: Any
) -> xr.Dataset:
    """Conductivities of impedance spectra, by way of their resistances."""
    if cell is None:
        raise InputError(
            f"{file}: needed the geometry of the sample beside impedance spectra, found none; "
            "say cell=Cell(thickness=0.9e-3, radius=5e-3) in m (--thickness and --radius of nmrdyn sigma)"
        )
    temperature = str(temperature) if isinstance(temperature, Path) else temperature
    how = {"path": str(file), "circuit": circuit or "auto", "temperature": temperature}
    transport = conductivity_of(_read_spectra(**how)[1], cell, part=part)
    if temperature is None or isinstance(temperature, str):
        transport.attrs["spectra"] = json.dumps([how])
    unknown = np.full(transport.sizes["experiment"], "")
    return transport.assign_coords(
        {name: ("experiment", unknown) for name in ("sample", "direction") if name not in transport.coords}
    )


def spectra_of(transport: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset] | None:
    """The impedance spectra that a transport was made of, read again, and their resistances; None for other data."""
    read = [_read_spectra(**how) for how in json.loads(transport.attrs.get("spectra", "[]"))]
    return (join([one for one, _ in read]), join([one for _, one in read])) if read else None


def _read_spectra(path: str | Path, *, circuit: str, temperature: Any) -> tuple[xr.Dataset, xr.Dataset]:
    """Impedance spectra and their resistances."""
    from nmrdyn.conductivity.impedance.fit import fit_impedance
    from nmrdyn.conductivity.impedance.read import read_impedance

    impedance = read_impedance(path, temperature=temperature)
    return impedance, fit_impedance(impedance, circuit=circuit)


def _of_sample(names: npt.NDArray[Any], wanted: str | None, file: Path) -> npt.NDArray[np.bool_]:
    """Which rows are of the sample that is asked for."""
    if wanted is None:
        return np.full(names.size, True)
    known = list(dict.fromkeys(names.tolist()))
    found = [name for name in known if name == wanted] or [name for name in known if wanted in name.split(", ")]
    if len(found) != 1:
        names_and_parts = [*known, *(word for name in known for word in name.split(", "))]
        near = difflib.get_close_matches(wanted, names_and_parts, n=1)
        move = f"; did you mean {near[0]!r}?" if near and not found else "; say one of these"
        listed = ", ".join(repr(name[:60]) for name in (found or known)[:30])
        raise InputError(f"{file}: needed one sample {wanted[:60]!r}, found {listed}{move}")
    return np.asarray(names == found[0])


def _of_direction(transport: xr.Dataset, wanted: str | None, file: Path) -> npt.NDArray[np.bool_]:
    """Which rows are of the direction that is asked for."""
    directions = transport["direction"].values
    if wanted is None:
        return np.full(directions.size, True)
    if wanted not in ("heating", "cooling"):
        raise InputError(f"direction: needed heating or cooling, found {wanted[:40]!r}")
    kept = np.asarray(directions == wanted)
    if not kept.any():
        known = ", ".join(sorted({str(one) for one in directions} - {""})) or "none that is known"
        raise InputError(f"{file}: needed rows of {wanted}, found {known}; add a column 'direction'")
    return kept


def _remarks(transport: xr.Dataset) -> list[Finding]:
    """What makes a conductivity or a temperature doubtful."""
    found = []
    sigma, temperature = transport["conductivity"], transport["temperature"]
    large = transport["experiment"].values[np.nan_to_num(sigma.values) > _LARGE].tolist()
    if large:
        text = (
            f"conductivities up to {float(sigma.max()):.3g} S/m, above {_LARGE:g} S/m, which hardly any ions in a "
            "solid reach: is the column sigma*T, or its unit mS/cm?"
        )
        found.append(Finding("conductivity-large", ", ".join(large), text))
    if temperature.notnull().any() and float(temperature.max()) < _COLD:
        low, high = float(temperature.min()), float(temperature.max())
        text = f"temperatures from {low:g} to {high:g} K, at which ions in solids hardly conduct: are they in °C?"
        found.append(Finding("temperature-low", "", text))
    return found
