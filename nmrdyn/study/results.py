"""results.nc -> the posterior, and the other results from it."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from nmrdyn.report.write import held, unfinished, write_results
from nmrdyn.schema import InputError, require

_MARGIN = 0.020  # eV, as of `report`


def read_posterior(path: str | Path) -> xr.DataTree:
    """Read what `infer` returned from the results.nc that `run` or `report` wrote.

    Parameters
    ----------
    path : results.nc, written by this version of nmrdyn, or its folder

    Returns
    -------
    posterior : DataTree, in memory

    Raises
    ------
    InputError
        For a file that is missing, cut, not ours, or written by another version.

    Examples
    --------
    >>> import nmrdyn as nd, tempfile
    >>> truth = nd.ConductivityTruth(activation_energy=0.55, conductivity=1e-2, reference_temperature=333.15,
    ...     temperature=range(280, 340, 10))
    >>> eis = nd.Process("eis", nd.simulate(truth, seed=1), mechanism=nd.Conductivity("sigma_T"))
    >>> posterior = nd.infer([eis], seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     summary = nd.report(posterior, folder)
    ...     again = read_posterior(f"{folder}/results.nc")
    >>> again["posterior"].dataset.identical(posterior["posterior"].dataset)
    True
    """
    from nmrdyn import __version__

    file = Path(path) / "results.nc" if Path(path).is_dir() else Path(path)
    needed = f"{file}: needed a results.nc written by nmrdyn"
    if not file.is_file():
        raise InputError(f"{needed}, found no file; name it or its folder")
    try:
        with xr.open_datatree(file, engine="h5netcdf") as stored:
            posterior = stored.load()
        version = posterior.attrs.get("nmrdyn_version")
        require(posterior, "posterior")
    except Exception as error:  # HDF5 finds many words for a damaged file
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{needed}, found another or damaged file ({said}); run the study again") from error
    if version != __version__:
        raise InputError(
            f"{needed} {__version__}, found one of {version}; use that version, or run the study again with this one"
        )
    return posterior


def rebuild(results: str | Path, out: str | Path | None = None) -> dict[str, object]:
    """Write report.html, summary.json and the tables anew from a results.nc, without the raw data.

    Parameters
    ----------
    results : results.nc, written by this version of nmrdyn
    out : a folder, that of results.nc unless said; it gets a copy of results.nc

    Returns
    -------
    summary : what summary.json holds

    Raises
    ------
    InputError
        As for `read_posterior` and `report`.
    """
    file = Path(results)
    folder = file.parent if out is None else Path(out)
    if unfinished(file.parent):
        with held(file.parent):  # which puts complete results into their place
            pass
    posterior = read_posterior(file)
    with held(folder):
        return write_results(posterior, folder, margin=float(posterior.attrs.get("margin", _MARGIN)), stored=file)
