"""Several studies, each in a process of its own, here or on a dask cluster."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nmrdyn.report.write import held
from nmrdyn.schema import InputError
from nmrdyn.study.run import run

_TABLE = "campaign.csv"
_POLL = 0.05  # s
_PATIENCE = 10.0  # s, for a scheduler to answer
_ALONE = threading.Lock()  # neither matplotlib nor HDF5 likes two studies in one process


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """What became of a study: "done", "not converged", "failed" for a `reason`, or "interrupted".

    `barriers` are mean and sd [eV] by name, without those of laws that do not describe their data; `verdicts` are by
    pair. The results are in `folder`.
    """

    name: str
    folder: Path
    status: str
    seconds: float
    reason: str = ""
    barriers: dict[str, tuple[float, float]] = field(default_factory=dict)
    differences: dict[str, tuple[float, float]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Task:
    """A study and the folder of its results."""

    study: Path
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name


def run_many(
    studies: Sequence[str | Path],
    out: str | Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    say: Callable[[str], object] | None = None,
) -> list[StudyOutcome]:
    """Run studies as `run` does, each into a folder in `out` that is called as its file, and write out/campaign.csv.

    Draws are those of `run`, whatever runs beside. A study that fails stops no other; one whose process is killed goes
    on where it was when all are run again. An interrupt from the keyboard stops what runs and keeps what is finished.

    Parameters
    ----------
    studies : n study files of different names
    out : a folder, made where it does not exist
    jobs : how many to run at once here, each with one thread
    scheduler : address of a dask cluster to run them in place of this host, such as "tcp://host:8786". Its workers need
        nmrdyn of this version, the paths of this host, and one thread each; what they have begun is not interrupted
    say : is given a sentence on each study that ends

    Returns
    -------
    outcomes : n of them, in the order of the studies

    Raises
    ------
    InputError
        For studies of the same name, a folder that cannot be written to, or a cluster that does not answer.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (outcome,) = run_many([f"{folder}/missing.toml"], folder)
    >>> outcome.name, outcome.status
    ('missing', 'failed')
    """
    root = Path(out)
    tasks = _tasks([Path(study) for study in studies], root)
    if jobs < 1:
        raise InputError(f"run_many: needed one job or more, found {jobs}")
    outcomes = {task.name: _unfinished(task, "interrupted") for task in tasks}
    with held(root):
        work = _here(tasks, jobs) if scheduler is None else _there(tasks, scheduler)
        # An interrupt is told by the studies that it stopped.
        with suppress(KeyboardInterrupt), closing(work) as ended:
            for outcome in ended:
                outcomes[outcome.name] = outcome
                if say:
                    say(f"{outcome.name}: {outcome.reason or outcome.status} ({outcome.seconds:.0f} s)")
        _write_table(root / _TABLE, list(outcomes.values()))
    return list(outcomes.values())


def _tasks(studies: list[Path], root: Path) -> list[_Task]:
    """A folder for each study; some file systems do not tell A from a."""
    if not studies:
        raise InputError("run_many: needed at least one study, found none")
    taken: dict[str, Path] = {_TABLE: Path(_TABLE)}
    for study in studies:
        if other := taken.get(study.stem.lower()):
            raise InputError(f"{study}: needed studies of different names, found {other} too; rename one of them")
        taken[study.stem.lower()] = study
    return [_Task(study, root / study.stem) for study in studies]


def _here(tasks: list[_Task], jobs: int) -> Generator[StudyOutcome, None, None]:
    """Each by the command line in a new process, so that a crash is its own."""
    waiting, running = deque(tasks), dict[subprocess.Popen[bytes], tuple[_Task, float]]()
    with tempfile.TemporaryDirectory(prefix="nmrdyn-") as said:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    task = waiting.popleft()
                    running[_begun(task, Path(said, task.name))] = task, time.monotonic()
                for child in [one for one in running if one.poll() is not None]:
                    task, start = running.pop(child)
                    seconds = time.monotonic() - start
                    if child.returncode == 0:
                        yield _finished(task, seconds)
                    else:
                        reason = _reason(child.returncode, Path(said, task.name))
                        yield _unfinished(task, "failed", seconds=seconds, reason=reason)
                time.sleep(_POLL)
        finally:
            for child in running:
                child.terminate()
                child.wait()


def _begun(task: _Task, said: Path) -> subprocess.Popen[bytes]:
    """The process of a study, which says what goes wrong into a file."""
    with said.open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "nmrdyn", "run", str(task.study), "--out", str(task.folder)],
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,  # an interrupt reaches it from here alone
        )


def _reason(status: int, said: Path) -> str:
    """Why a process failed."""
    lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
    if status < 0:
        return f"its process was ended by signal {-status}; run the same again"
    return lines[-1].removeprefix("nmrdyn: ") if lines else f"its process ended with status {status}"


def _there(tasks: list[_Task], address: str) -> Generator[StudyOutcome, None, None]:
    """Each by a worker of a cluster; one whose worker dies goes to another, which goes on from its draws."""
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise InputError(
            "run_many: needed the package distributed for a scheduler, found none; pip install distributed"
        ) from error
    try:
        place = urlsplit(address if "://" in address else f"tcp://{address}")
        # A client that finds nobody says so in many lines, and once more when it is thrown away.
        socket.create_connection((place.hostname or "", place.port or 0), timeout=_PATIENCE).close()
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{address}: needed a dask scheduler, found none that answers; start one first") from error
    with client:
        futures: dict[Any, _Task] = {
            client.submit(_by_worker, str(task.study.resolve()), str(task.folder.resolve()), pure=False): task
            for task in tasks
        }
        try:
            for future in as_completed(futures, loop=client.loop):
                task = futures[future]
                lost = future.exception()  # such as that of a study that kills its workers
                seconds, reason = (0.0, " ".join(str(lost).split())) if lost else future.result()
                if reason:
                    yield _unfinished(task, "failed", seconds=seconds, reason=reason)
                else:
                    yield _finished(task, seconds)
        finally:
            client.cancel(list(futures))


def _by_worker(study: str, folder: str) -> tuple[float, str]:
    """How long a study took, and why it failed, if it did."""
    import dask  # after the worker that calls this

    # xarray would ask the scheduler for a lock on a file in memory, which it does not know.
    with _ALONE, dask.config.set(scheduler="synchronous"):
        start = time.monotonic()
        try:
            run(study, folder)
        except Exception as error:  # a failed study is an outcome, and stops no other
            said = str(error) if isinstance(error, InputError | OSError) else f"{type(error).__name__}: {error}"
            return time.monotonic() - start, " ".join(said.split())
        return time.monotonic() - start, ""


def _unfinished(task: _Task, status: str, *, seconds: float = 0.0, reason: str = "") -> StudyOutcome:
    """Of a study without results."""
    return StudyOutcome(name=task.name, folder=task.folder, status=status, seconds=seconds, reason=reason)


def _finished(task: _Task, seconds: float) -> StudyOutcome:
    """What summary.json says of it."""
    summary = json.loads((task.folder / "summary.json").read_text(encoding="utf-8"))
    barriers = {
        name: (energy["mean"], energy["sd"])
        for process in summary["processes"].values()
        if process["law_fits"]
        for name, energy in process["barriers_eV"].items()
    }
    pairs = summary["differences"].items()
    return StudyOutcome(
        name=task.name,
        folder=task.folder,
        status="done" if summary["diagnostics"]["passed"] else "not converged",
        seconds=seconds,
        barriers=barriers,
        differences={pair: (one["mean"], one["sd"]) for pair, one in pairs},
        verdicts={pair: one["verdict"] for pair, one in pairs},
    )


def _write_table(path: Path, outcomes: list[StudyOutcome]) -> None:
    """One row for each barrier and each difference, or one for a study that has none; written aside, then renamed."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["study", "status", "seconds", "quantity", "mean_eV", "sd_eV", "verdict", "reason"])
    for one in outcomes:
        head = [one.name, one.status, f"{one.seconds:.1f}"]
        rows = [[name, *values, ""] for name, values in one.barriers.items()]
        rows += [[pair, *values, one.verdicts[pair]] for pair, values in one.differences.items()]
        for row in rows or [["", "", "", ""]]:
            table.writerow([*head, *row, one.reason])
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_text(text.getvalue(), encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise InputError(f"{path}: needed room for the table, found {error.strerror or error}; make room") from error
