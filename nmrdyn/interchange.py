"""Stages in the plain forms that other programs take."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from nmrdyn.schema import InputError, require


def to_vt_dataset(relaxation: xr.Dataset | Sequence[xr.Dataset]) -> xr.Dataset:
    """T1 against temperature and field as plain columns, for programs that analyse variable-temperature series.

    The columns are named for openNMR users, but this was not tried with openNMR, whose own layout is not documented
    where we could read it: rename the columns there as it asks for. Nothing in it needs nmrdyn or the stages:
    `to_vt_dataset(...).to_dataframe()` is a table of pandas, `.to_netcdf(...)` a file.

    Parameters
    ----------
    relaxation : what `fit_recovery` or `read_table` returned, or several of these, of any nuclei and fields

    Returns
    -------
    Dataset along `row`, sorted by nucleus, Larmor frequency and temperature: `temperature` [K], `t1` [s], `t1_stderr`
        [s], `larmor_frequency` [Hz], `nucleus` and `experiment`. Experiments without a T1 are left out; they are in
        `attrs["left_out"]`, JSON of each with its reason. Several stages may have experiments of one
        name.

    Raises
    ------
    InputError
        For anything but the stage `relaxation`, none of them, or no T1 at all.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, snr=300,
    ...     activation_energy=0.45, tau_c=1e-5, reference_temperature=333.15, temperature=[333.15, 313.15])
    >>> columns = to_vt_dataset(nd.fit_recovery(nd.simulate(truth, seed=1), "single"))
    >>> columns.temperature.values  # T1 is 4.36 s at 333.15 K
    array([313.15, 333.15])
    >>> bool(abs(columns.t1[1] / 4.36 - 1) < 0.02)
    True
    """
    stages = [relaxation] if isinstance(relaxation, xr.Dataset) else list(relaxation)
    if not stages:
        raise InputError("to_vt_dataset: needed T1 of one or several runs, found none; make some with fit_recovery")
    left_out: dict[str, str] = {}
    parts = []
    for one in stages:
        require(one, "relaxation")
        known = np.isfinite(one["t1"].values) & np.isfinite(one["temperature"].values)
        reasons = one["reason"].values if "reason" in one else np.full(known.size, "")
        left_out |= {
            str(name): str(reason) or "no T1 or no temperature"
            for name, reason, there in zip(one["experiment"].values, reasons, known, strict=True)
            if not there
        }
        parts.append(_columns(one.isel(experiment=known)))
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if not rows["t1"].size:
        raise InputError(f"to_vt_dataset: needed at least one T1, found none ({'; '.join(left_out.values())[:200]})")
    order = np.lexsort((rows["temperature"], rows["larmor_frequency"], rows["nucleus"]))
    units = {"temperature": "K", "t1": "s", "t1_stderr": "s", "larmor_frequency": "Hz"}
    return xr.Dataset(
        {
            name: ("row", values[order], {"units": units[name]} if name in units else {})
            for name, values in rows.items()
        },
        attrs={"left_out": json.dumps(left_out, ensure_ascii=False)},
    )


def _columns(one: xr.Dataset) -> dict[str, np.ndarray]:
    """The columns of one stage."""
    names = ("temperature", "t1", "t1_stderr", "larmor_frequency")
    columns = {name: np.asarray(one[name].values, dtype=float) for name in names}
    columns["nucleus"] = np.full(one.sizes["experiment"], str(one.attrs.get("nucleus", "")))
    return columns | {"experiment": one["experiment"].values.astype(str)}
