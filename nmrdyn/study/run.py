"""A study file, from its data to the folder of results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import xarray as xr
from threadpoolctl import threadpool_limits

from nmrdyn.conductivity.read import spectra_of
from nmrdyn.findings import attached
from nmrdyn.haven import haven_ratio
from nmrdyn.inference.checkpoint import CheckpointError
from nmrdyn.inference.infer import infer
from nmrdyn.inference.posterior import versions
from nmrdyn.progress import names, shown, stage
from nmrdyn.report.write import held, write_results
from nmrdyn.study.read import Study, read_study
from nmrdyn.study.toml import said_at

_DRAWN = ".nmrdyn-draws-"  # and a key: what an unfinished run has drawn


@threadpool_limits.wrap(limits=1)  # with more, the last digits of sums depend on their number
def run(
    study: str | Path,
    out: str | Path | None = None,
    *,
    progress: bool = False,
    say: Callable[[str], object] | None = None,
) -> xr.DataTree:
    """Run a study file and write report.html, summary.json, results.nc, t1.csv, tau_c.csv and draws.csv into `out`.

    All six appear together once everything has succeeded; until then earlier ones stay. Meanwhile a hidden file in
    `out` keeps what was drawn, from which another run of the same study, data and versions goes on to the same draws
    after this one was killed or interrupted. Nothing is written unless `out` is given.

    Parameters
    ----------
    study : a study.toml; the paths in it are relative to it
    out : a folder, made where it does not exist
    progress : show on standard error what is under way
    say : is given a sentence on what became of what an unfinished run has drawn

    Returns
    -------
    posterior : what `infer` returned, with the study's name, margin and the sha256 of every file read

    Raises
    ------
    InputError
        For anything in the study or its data that cannot be used, and where another run writes to `out`.
    KeyboardInterrupt
        With a sentence on what is kept, where there is something.

    Examples
    --------
    >>> import nmrdyn as nd, tempfile
    >>> truth = nd.ConductivityTruth(activation_energy=0.55, conductivity=1e-2, reference_temperature=333.15,
    ...     temperature=range(280, 340, 10))
    >>> text = '''[study]
    ... seed = 1
    ... [[process]]
    ... name = "eis"
    ... data = "conductivity.csv"
    ... mechanism = { kind = "conductivity", convention = "sigma_T" }'''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = nd.simulate_folder(truth, folder, seed=1).with_name("study.toml")
    ...     size = file.write_text(text)
    ...     barrier = run(file)["posterior"]["eis.activation_energy"]
    >>> bool(abs(barrier.mean() - 0.55) < 3 * barrier.std())
    True
    """
    with shown(progress):
        return _run(Path(study), None if out is None else Path(out), say or (lambda _: None))


def _run(file: Path, folder: Path | None, say: Callable[[str], object]) -> xr.DataTree:
    """Run a study file, and write the results where there is a folder for them."""
    if folder is None:
        plan = _read(file)
        return _inferred(plan, file, _inputs(plan, file))
    with held(folder):  # before the work, not after it
        plan = _read(file)
        inputs = _inputs(plan, file)
        drawn = folder / f"{_DRAWN}{_key(inputs)}.h5"
        _look_for(drawn, say)
        try:
            posterior = _inferred(plan, file, inputs, drawn=drawn, say=say)
            with stage("writing the report and the tables"):
                write_results(posterior, folder, margin=plan.margin)
        except KeyboardInterrupt:
            if not drawn.exists():
                raise
            kept = f"what was drawn is kept, and nmrdyn run {file} --out {folder} goes on from it"
            raise KeyboardInterrupt(kept) from None
        _discard(drawn)
    return posterior


def _read(file: Path) -> Study:
    with stage(f"reading the data of {names([file.name])}"):
        return read_study(file)


def _inferred(
    plan: Study,
    file: Path,
    inputs: dict[str, str],
    *,
    drawn: Path | None = None,
    say: Callable[[str], object] | None = None,
) -> xr.DataTree:
    """The posterior of a study, which says what it was made of."""
    work = partial(
        infer,
        plan.processes,
        seed=plan.seed,
        probes=plan.probes,
        priors=plan.priors,
        likelihood=plan.likelihood,
        checkpoint=drawn,
    )
    with said_at(str(file)):
        spectra = _spectra(plan)  # before the sampling, while they are what was read
        try:
            posterior = work()
        except CheckpointError as error:
            if drawn is None or say is None:
                raise
            say(f"what an unfinished run had drawn is of no use, and was discarded ({error})")
            _discard(drawn)
            posterior = work()
        _add_haven(posterior, plan)
    posterior.attrs |= {"study": plan.name, "margin": plan.margin, "inputs": json.dumps(inputs)}
    posterior.attrs["literature"] = plan.literature
    if spectra:
        read_with = {"impedance": version("impedance")}
        posterior.attrs["versions"] = json.dumps(json.loads(posterior.attrs["versions"]) | read_with)
    for name, (impedance, resistance) in spectra.items():
        posterior[f"processes/{name}/impedance"] = xr.DataTree(impedance)
        posterior[f"processes/{name}/resistance"] = xr.DataTree(resistance)
    return posterior


def _add_haven(posterior: xr.DataTree, plan: Study) -> None:
    """The Haven ratio, where the study asks for one, with what there is to remark on it."""
    if plan.jumps is None:
        return
    jumps = plan.jumps
    found = haven_ratio(posterior, jumps.carriers, nmr=jumps.nmr, conductivity=jumps.conductivity, seed=plan.seed)
    warnings = [*json.loads(posterior.attrs["warnings"]), *(finding.as_dict() for finding in attached(found))]
    posterior.attrs["warnings"] = json.dumps(warnings)
    posterior["haven"] = xr.DataTree(found)


def _spectra(plan: Study) -> dict[str, tuple[xr.Dataset, xr.Dataset]]:
    """Impedance spectra with their fits by process, for the report; those that several share are fitted once."""
    fitted: dict[str, tuple[xr.Dataset, xr.Dataset] | None] = {}
    found = {}
    for process in plan.processes:
        said = process.data.attrs.get("spectra", "")
        if said not in fitted:
            fitted[said] = spectra_of(process.data)
        if spectra := fitted[said]:
            found[process.name] = spectra
    return found


def _inputs(plan: Study, file: Path) -> dict[str, str]:
    """The sha256 of the study and of every file that was read for it."""
    sources = {source for process in plan.processes for source in json.loads(process.data.attrs.get("sources", "[]"))}
    return {name: _sha256(Path(name)) for name in [str(file), *sorted(sources)]}


def _key(inputs: dict[str, str]) -> str:
    """What tells a study with its data and versions from any other."""
    from nmrdyn import __version__

    files = sorted((str(Path(name).resolve()), digest) for name, digest in inputs.items())
    made_of = json.dumps([files, versions() | {"nmrdyn": __version__}], sort_keys=True)
    return hashlib.sha256(made_of.encode()).hexdigest()[:16]


def _look_for(drawn: Path, say: Callable[[str], object]) -> None:
    """Say what is there of an unfinished run, and remove what is another's."""
    found = list(drawn.parent.glob(f"{_DRAWN}*"))
    others = [file for file in found if not file.name.startswith(drawn.stem)]
    for file in others:
        file.unlink()
    if others:
        say("discarded what an unfinished run had drawn: it was of another study, other data or other versions")
    if drawn.exists():
        say("going on from what an unfinished run had drawn")


def _discard(drawn: Path) -> None:
    for file in drawn.parent.glob(f"{_DRAWN}*"):
        file.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
