"""A study file, from its data to the folder of results."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import xarray as xr

from nmrdyn.inference.infer import infer
from nmrdyn.report.write import report, require_writable
from nmrdyn.study.read import read_study
from nmrdyn.study.toml import said_at


def run(study: str | Path, out: str | Path | None = None, *, progress: bool = False) -> xr.DataTree:
    """Run a study file and write report.html, summary.json, results.nc, t1.csv, tau_c.csv and draws.csv into `out`.

    Nothing is written before everything has succeeded, and nothing at all unless `out` is given.

    Parameters
    ----------
    study : a study.toml; the paths in it are relative to it
    out : a folder, made where it does not exist
    progress : show a progress bar

    Returns
    -------
    posterior : what `infer` returned, with the study's name, margin and the sha256 of every file read

    Raises
    ------
    InputError
        For anything in the study or its data that cannot be used.
    """
    file = Path(study)
    plan = read_study(file)
    if out is not None:
        require_writable(Path(out))  # before the work, not after it
    sources = {source for process in plan.processes for source in json.loads(process.data.attrs.get("sources", "[]"))}
    inputs = {name: _sha256(Path(name)) for name in [str(file), *sorted(sources)]}
    with said_at(str(file)):
        posterior = infer(
            plan.processes,
            seed=plan.seed,
            probes=plan.probes,
            priors=plan.priors,
            likelihood=plan.likelihood,
            progress=progress,
        )
    posterior.attrs |= {
        "study": plan.name,
        "margin": plan.margin,
        "inputs": json.dumps(inputs),
    }
    if out is not None:
        report(posterior, out, margin=plan.margin)
    return posterior


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
