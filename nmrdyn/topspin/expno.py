"""One expno as far as it can be read: what it is, its rows with their delays, and the intensities of its sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nmrdyn.findings import Finding
from nmrdyn.schema import RECOVERY_KINDS, Array, InputError
from nmrdyn.temperatures import Given
from nmrdyn.topspin.experiment.conditions import Conditions, conditions
from nmrdyn.topspin.experiment.kind import kind_from_data, kind_of
from nmrdyn.topspin.experiment.nucleus import Nucleus, nucleus_of
from nmrdyn.topspin.experiment.temperature import SOURCES, Temperature, temperature_of
from nmrdyn.topspin.files.fid import Fids, count_rows, read_fids
from nmrdyn.topspin.files.lists import find_list, is_delay, read_list
from nmrdyn.topspin.files.parameters import count, number, read_parameters
from nmrdyn.topspin.files.processed import find_processed, read_processed
from nmrdyn.topspin.files.shift import ppm_to_hz
from nmrdyn.topspin.files.text import numbered_pdata, plain
from nmrdyn.topspin.intensity.measure import Intensities, measure
from nmrdyn.topspin.regions import Region
from nmrdyn.topspin.sources import Located

# Which list a kind of experiment steps through, where it is not the delays.
_LISTS = {"t1rho": ("vp", "vd"), "t2": ("vd", "vc"), "diffusion": ()}
# What else tells of an expno, where it is there.
_TOLD_BY = ("acqu", "audita.txt", "uxnmr.info", "pulseprogram", "pulseprogram.precomp")
_TOLD_BY_PROCESSING = ("title", "procs", "proc2s", "ct1t2.txt", "t1ints.txt", "t1peaks.txt")


@dataclass(frozen=True)
class ReadOptions:
    """How expnos are read; `read_topspin` says what each is."""

    kind: str | None = None
    regions: Sequence[Region] = ()
    method: str = "shape"
    echo: float | None = None
    trust: Sequence[str] = SOURCES
    given: Given | None = None
    delays: Mapping[str, Array] = field(default_factory=dict)
    processed: bool = False


@dataclass
class Expno:
    """What one expno holds; `problem` says what stopped the reading.

    `delay` are the delays of the rows planned, `used` tells which of the rows recorded have a signal, `sites` holds
    the intensities of those by the name of the region. `members` are the expnos of a series, `processed` is the
    pdata/N that was read.
    """

    located: Located
    acqus: dict[str, Any] = field(default_factory=dict)
    nucleus: Nucleus = field(default_factory=lambda: Nucleus("", (), ()))
    larmor_frequency: float = np.nan
    pulse_program: str = ""
    kind: str = "unknown"
    evidence: list[str] = field(default_factory=list)
    temperature: Temperature = field(default_factory=lambda: Temperature(np.nan, np.nan, "", ()))
    conditions: Conditions = field(default_factory=lambda: Conditions(np.nan, "", ()))
    files: list[Path] = field(default_factory=list)
    delay: Array = field(default_factory=lambda: np.empty(0))
    rows_recorded: int = 0
    rows_planned: int = 0
    used: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    sites: dict[str, Intensities] = field(default_factory=dict)
    problem: str = ""
    findings: list[Finding] = field(default_factory=list)
    members: tuple[str, ...] = ()
    processed: Path | None = None

    @property
    def name(self) -> str:
        """What results call it."""
        return self.located.name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.located.path

    def experiments(self) -> list[str]:
        """What its sites are called in results, or it itself where nothing could be measured."""
        return [f"{self.name} {site}".rstrip() for site in self.sites or ("",)]

    def remark(self, code: str, *texts: str, site: str = "") -> None:
        """Keep what a referee would ask about."""
        self.findings += [Finding(code, f"{self.name} {site}".rstrip(), text) for text in texts]

    @property
    def arrayed(self) -> bool:
        """Whether it has a second dimension of its own."""
        return (self.path / "acqu2s").is_file()


def load(located: Located, reading: ReadOptions) -> Expno:
    """Read all there is of one expno, and keep the first problem instead of raising it."""
    one = Expno(located)
    try:
        _describe(one, reading)
        if one.arrayed:
            _read_rows(one, reading)
        else:
            one.problem = f"{one.name}: one-dimensional, needed an arrayed experiment"
    except InputError as error:
        one.problem = str(error)
    except OSError as error:
        one.problem = f"{error.filename or one.path}: needed a readable file, found {error.strerror or error}"
    one.problem = one.located.shown(one.problem)
    one.findings = [replace(finding, text=one.located.shown(finding.text)) for finding in one.findings]
    return one


def _describe(one: Expno, reading: ReadOptions) -> None:
    """What the parameters tell."""
    file = one.path / "acqus"
    one.files += [file, *(one.path / name for name in _TOLD_BY)]
    one.files += [folder / name for folder in numbered_pdata(one.path) for name in _TOLD_BY_PROCESSING]
    one.acqus = acqus = read_parameters(file)
    one.nucleus = nucleus_of(acqus, where=file)
    frequency = number(acqus, "SFO1", where=file)
    if frequency <= 0:
        raise InputError(f"{file}: needed SFO1 above 0 MHz, found {frequency:g}")
    one.larmor_frequency = frequency * 1e6
    one.pulse_program = plain(acqus.get("PULPROG", ""))
    one.temperature = temperature_of(one.path, acqus, name=one.name, trust=reading.trust, given=reading.given)
    one.conditions = conditions(one.path, acqus)
    found = kind_of(one.path, acqus, dimensions=2 if one.arrayed else 1)
    one.kind, one.evidence = found.name, list(found.evidence)
    if reading.kind is not None and one.arrayed:
        one.kind = reading.kind
        one.evidence.insert(0, f"told: {reading.kind}")
    one.remark("nucleus", *one.nucleus.warnings)
    one.remark("temperature", *one.temperature.notes)
    one.remark("conditions", *one.conditions.notes)
    one.remark("kind", *found.warnings)


def _read_rows(one: Expno, reading: ReadOptions) -> None:
    """The rows of an arrayed expno with their delays, and the intensities where it is or may be a recovery."""
    acqu2s = read_parameters(one.path / "acqu2s")
    one.files.append(one.path / "acqu2s")
    one.rows_planned = count(acqu2s, "TD", where=one.path / "acqu2s")
    recovers = one.kind in (*RECOVERY_KINDS, "unknown")
    try:
        _read_delays(one, reading)
    except InputError:
        if recovers:
            one.rows_recorded = count_rows(one.path, one.acqus)
            raise
    fids = _rows(one, acqu2s, processed=reading.processed)
    one.remark("rows", *fids.notes)
    one.used = ~fids.empty
    one.rows_recorded, one.rows_planned = int(one.used.sum()), fids.planned
    if recovers:
        _match_delays(one)
        measure_sites(one, fids, reading)


def _read_delays(one: Expno, reading: ReadOptions) -> None:
    """What is stepped through: the delays told, else a list of the expno."""
    if one.name in reading.delays:
        one.delay = reading.delays[one.name]
        return
    kinds = _LISTS.get(one.kind, ("vd",))
    found = [(kind, file) for kind in kinds if (file := find_list(one.path, kind, one.acqus))]
    for kind, file in found[:1]:
        one.files.append(file)
        if kind == "vc":
            one.evidence.append(f"{plain(file.name)}: counts of a loop, {read_list(file, kind).size} of them")
        else:
            one.delay = read_list(file, kind)
    if not found and one.kind in (*RECOVERY_KINDS, "unknown"):
        missing = one.path / "vdlist"
        if missing.is_file():  # `find_list` has passed it over
            raise InputError(
                f"{missing}: needed a file of the expno, found a link that leads out of it; copy the file itself"
            )
        one.delay = read_list(missing, "vd")


def _rows(one: Expno, acqu2s: dict[str, Any], *, processed: bool) -> Fids:
    """The rows of ser, or of 2rr where there is no ser or it was asked for."""
    folder = find_processed(one.path) if processed or not (one.path / "ser").is_file() else None
    if folder is None:
        if processed:
            raise InputError(f"{one.path}: needed processed data (pdata/N/2rr), found none; process them or read ser")
        one.files.append(one.path / "ser")
        return read_fids(one.path, one.acqus, acqu2s)
    one.processed = folder
    one.files += [folder / "2rr", folder / "procs"]
    why = "as was told" if processed else "as there is no ser"
    one.remark("processed", f"read from {folder.relative_to(one.path).as_posix()}/2rr, {why}")
    return read_processed(folder, one.acqus)


def _match_delays(one: Expno) -> None:
    """Give each row its delay, by position; say what is missing.

    Raises
    ------
    InputError
        Where nothing was recorded, a row that was has no delay, or a delay is none.
    """
    recorded = np.flatnonzero(one.used)
    if recorded.size == 0:
        raise InputError(f"{one.name}: needed rows with a signal, found only zeros; was anything acquired?")
    if one.delay.size <= recorded[-1]:
        raise InputError(
            f"{one.name}: needed a delay for each row, found {one.delay.size} delays and {recorded[-1] + 1} rows; give "
            "those that were used with delays="
        )
    wrong = one.delay[~is_delay(one.delay)]
    if wrong.size:
        raise InputError(f"{one.name}: needed delays of 0, or from 1e-12 to 1e6 s, found {wrong[0]:g} s in the list")
    if recorded.size < one.rows_planned or one.delay.size != one.rows_planned:
        one.remark(
            "rows",
            f"{recorded.size} of {one.rows_planned} rows used, each with its own delay of {one.delay.size} in the list",
        )


def measure_sites(one: Expno, fids: Fids, reading: ReadOptions) -> None:
    """The intensities of every region, and the kind of experiment where only the data tell it."""
    delay = one.delay[np.flatnonzero(one.used)]
    regions: Sequence[Region | None] = reading.regions or [None]
    for region in regions:
        found = measure(
            fids.rows[one.used],
            delay,
            dwell=fids.dwell,
            region=_in_hz(one, region, fids.centre) if region else None,
            method=reading.method,
            echo=reading.echo,
            white=fids.white,
        )
        site = region.site if region else ""
        one.sites[site] = found
        one.remark("line-shape", *found.notes, site=site)
    if one.kind == "unknown":
        told = kind_from_data(next(iter(one.sites.values())).values, delay)
        one.kind = told.name
        one.evidence += told.evidence
        one.remark("kind", f"kind {told.name} was told by the data, not by a name or the pulse program")


def _in_hz(one: Expno, region: Region, centre: float) -> tuple[float, float]:
    """The ends of a region from the middle of the spectrum of the rows [Hz]."""
    if not region.ppm:
        return region.low - centre, region.high - centre
    folder = one.processed or next((path for path in numbered_pdata(one.path) if (path / "procs").is_file()), None)
    reference = read_parameters(folder / "procs") if folder else {}
    low, high = (ppm_to_hz(end, one.acqus, procs=reference, where=one.path) for end in (region.low, region.high))
    return low - centre, high - centre
