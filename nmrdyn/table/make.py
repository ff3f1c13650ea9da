"""Any stage -> a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr

from nmrdyn.schema import InputError, require
from nmrdyn.table import conductivities, lists, motions, posteriors, recoveries
from nmrdyn.table.table import Table

_MAKERS: dict[str, Any] = {}
for _family in (recoveries, motions, conductivities, posteriors, lists):
    _MAKERS |= _family.MAKERS


def table(data: xr.Dataset | xr.DataTree | Sequence[Any]) -> Table:
    """A table of any stage, with values rounded by their errors and the reason where one is missing.

    One row is an experiment; of a posterior a sampled quantity, of a comparison a barrier and, below these, a
    difference with its verdict; of `scan` an expno, of `agreement` a cause. Temperatures are shown in °C and barriers
    in meV, and exported in K and eV. What the data carry as findings stands below as notes.

    Parameters
    ----------
    data : a stage of `nmrdyn.schema`, a list from `scan` or `agreement`, what `predict` or `compare_laws` returned

    Returns
    -------
    table : shows itself in a notebook and a terminal; see its `to_latex`, `to_csv`, `to_pandas`, `to_excel`, `to_html`

    Raises
    ------
    InputError
        For anything else.

    Examples
    --------
    T1 of 11B with C_Q = 100 kHz where tau_c is 1 µs, which makes it 61.1 s:

    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="11B", larmor_frequency=160.49e6, cq=0.1e6, eta=0.4, snr=300,
    ...     activation_energy=0.4, tau_c=1e-6, reference_temperature=333.15, temperature=[333.15])
    >>> relaxation = nd.fit_recovery(nd.simulate(truth, seed=1), "single")
    >>> shown = nd.table(relaxation)
    >>> [column.head for column in shown.columns][:4]
    ['experiment', 'T / °C', 'model', 'T1 / s']
    >>> bool(abs(shown.to_pandas()["T1 (s)"].item() / 61.13 - 1) < 0.02)
    True
    """
    stage = getattr(data, "attrs", {}).get("stage", "")
    if stage in _MAKERS:
        require(data, stage)
        made: Table = _MAKERS[stage](data)
        return made
    if isinstance(data, xr.Dataset) and "log_evidence" in data and "law" in data.dims:
        return posteriors.of_laws(data)
    if isinstance(data, xr.Dataset) and {"quantile", "temperature"} <= set(data.coords):
        return posteriors.of_prediction(data)
    if isinstance(data, Sequence) and not isinstance(data, str):
        if all(isinstance(one, dict) and "pulse_program" in one for one in data) and data:
            return lists.of_scan(data)
        if all(hasattr(one, "status") and hasattr(one, "pair") for one in data):
            return lists.of_reasons(data)
    found = stage or type(data).__name__
    raise InputError(
        f"table: needed a stage ({', '.join(_MAKERS)}), a list from scan or agreement, or what predict or compare_laws "
        f"returned, found {found!r}; give one of these"
    )
