"""Several data sets of one process as one: the same motion at two fields, or in two sessions."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from nmrdyn.findings import Finding, attach, attached
from nmrdyn.schema import InputError, stamp


def join(data: Sequence[xr.Dataset], *, probes: Sequence[str] | None = None) -> xr.Dataset:
    """Put data of one nucleus together, so that one law is fitted to all of them.

    Parameters
    ----------
    data : n data sets of one stage (recovery, relaxation, motion or transport) and one nucleus
    probes : the thermometer of each data set by the name of a `Probe`, where they were measured with different ones

    Returns
    -------
    One data set; experiments whose names occur twice get the number of their data set in front ("2/12").

    Raises
    ------
    InputError
        Where stages or nuclei differ, or there is not one probe for each data set.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> def at(larmor_frequency):
    ...     return nd.simulate(nd.RelaxationTruth(nucleus="23Na", larmor_frequency=larmor_frequency, cq=1e6, eta=0.1,
    ...         activation_energy=0.45, tau_c=1e-9, reference_temperature=333.15, temperature=[323.0, 333.0]), seed=1)
    >>> both = join([at(105.8e6), at(211.6e6)], probes=["wide bore", "narrow bore"])
    >>> print(*both.experiment.values, *both.probe.values, sep=", ")
    1/1, 1/2, 2/1, 2/2, wide bore, wide bore, narrow bore, narrow bore
    """
    if not data:
        raise InputError("join: needed data sets, found none")
    for key in ("stage", "nucleus"):
        found = [str(one.attrs.get(key, "")) for one in data]
        if len(set(found)) > 1:
            raise InputError(f"join: needed data sets of one {key}, found {', '.join(found)}")
    if probes is not None and len(probes) != len(data):
        raise InputError(f"join: needed one probe for each of {len(data)} data sets, found {', '.join(probes)}")
    names = [str(name) for one in data for name in one["experiment"].values]
    numbered = len(set(names)) < len(names)
    longest = {along: max(one.sizes.get(along, 0) for one in data) for along in ("increment", "point")}
    parts, sources, remarks = [], [], []
    left_out: dict[str, str] = {}
    for index, one in enumerate(data):
        prefix = f"{index + 1}/" if numbered else ""
        part = one.pad({along: (0, n - one.sizes[along]) for along, n in longest.items() if along in one.dims})
        part = part.assign_coords(experiment=[f"{prefix}{name}" for name in one["experiment"].values])
        if probes is not None:
            part = part.assign_coords(
                probe=("experiment", np.full(one.sizes["experiment"], probes[index], dtype=object))
            )
        parts.append(part)
        left_out |= {f"{prefix}{name}": why for name, why in json.loads(one.attrs.get("left_out", "{}")).items()}
        sources += json.loads(one.attrs.get("sources", "[]"))
        remarks += [Finding(f.code, f"{prefix}{f.where}" if f.where else "", f.text) for f in attached(one)]
    shared = set.intersection(*(set(part.variables) for part in parts))
    dropped = [part.drop_vars([name for name in part.variables if name not in shared]) for part in parts]
    joined = xr.concat(dropped, dim="experiment", join="outer", combine_attrs="override")
    joined.attrs |= {"left_out": json.dumps(left_out), "sources": json.dumps(sources)}
    if spectra := [how for one in data for how in json.loads(one.attrs.get("spectra", "[]"))]:
        joined.attrs["spectra"] = json.dumps(spectra)
    if cells := [one.attrs["cell_stderr"] for one in data if "cell_stderr" in one.attrs]:
        joined.attrs["cell_stderr"] = max(cells)
    return attach(stamp(joined, data[0].attrs["stage"]), remarks)
