"""TopSpin folder -> recovery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import xarray as xr

from nmrdyn.isotopes import Isotope, known_spin
from nmrdyn.progress import track
from nmrdyn.schema import RECOVERY_KINDS, InputError
from nmrdyn.topspin.arguments import DelaysLike, TemperatureLike, delays_said, temperatures_said
from nmrdyn.topspin.assemble import assemble
from nmrdyn.topspin.experiment.nucleus import fits_frequency
from nmrdyn.topspin.expno import Expno, ReadOptions, load
from nmrdyn.topspin.intensity.measure import METHODS
from nmrdyn.topspin.regions import RegionLike, regions_of
from nmrdyn.topspin.series import join_series
from nmrdyn.topspin.sources import expnos_in


class ScanEntry(TypedDict):
    """What `scan` says of one expno."""

    experiment: str
    path: str
    nucleus: str
    larmor_frequency_Hz: float | None
    pulse_program: str
    kind: str
    evidence: list[str]
    temperature_K: float | None
    temperature_stderr_K: float | None
    temperature_source: str
    mas_rate_Hz: float | None
    irradiated: str
    delays_s: list[float]
    rows_recorded: int
    rows_planned: int
    recorded_rows: list[int]
    warnings: list[str]


def scan(folder: str | Path, *, temperature: TemperatureLike | None = None) -> list[ScanEntry]:
    """What is in a TopSpin folder: one entry an expno, readable or not.

    Parameters
    ----------
    folder, temperature : as in `read_topspin`

    Raises
    ------
    InputError
        Where there is no such folder, or no expno in it.
    """
    trust, given = temperatures_said(temperature)
    reading = ReadOptions(trust=trust, given=given)
    with expnos_in(Path(folder)) as located:
        expnos = [load(one, reading) for one in track(located, "reading expnos", unit="expno")]
        for series in join_series(expnos, reading, delays=None):
            for one in expnos:
                if one.name in series.members:
                    one.problem = ""
                    one.remark("series", f"{series.evidence[0]}: read together as {series.kind} {series.name}")
    return [
        ScanEntry(
            experiment=one.name,
            path=str(one.path if one.located.archive is None else one.located.archive),
            nucleus=one.nucleus.name,
            larmor_frequency_Hz=_or_none(one.larmor_frequency),
            pulse_program=one.pulse_program,
            kind=one.kind,
            evidence=one.evidence,
            temperature_K=_or_none(one.temperature.kelvin),
            temperature_stderr_K=_or_none(one.temperature.stderr),
            temperature_source=one.temperature.source,
            mas_rate_Hz=_or_none(one.conditions.mas_rate),
            irradiated=one.conditions.irradiated,
            delays_s=[float(delay) for delay in one.delay],
            rows_recorded=one.rows_recorded,
            rows_planned=one.rows_planned,
            recorded_rows=[int(row) + 1 for row in np.flatnonzero(one.used)],
            warnings=[finding.text for finding in one.findings] + ([one.problem] if one.problem else []),
        )
        for one in expnos
    ]


def read_topspin(
    path: str | Path,
    *,
    nucleus: str | None = None,
    region: RegionLike | None = None,
    kind: str | None = None,
    method: str = "shape",
    echo: float | None = None,
    temperature: TemperatureLike | None = None,
    delays: DelaysLike | None = None,
    processed: bool = False,
) -> xr.Dataset:
    """Read the recoveries of an expno, a folder of expnos or of datasets of them, or a zip of any of these.

    Intensities come from the line shape that all rows of an expno share, cropped to where there is signal; rows that
    were not recorded or hold only zeros are left out together with their delays. The rows of each experiment are in
    the order of their delays, repeats kept.

    Parameters
    ----------
    path : an expno, a folder with expnos up to six levels down, or a zip of one
    nucleus : which nucleus to read where the folder holds several, such as "23Na"; also the right one where NUC1 is
        wrong and the frequency fits
    region : which part of the spectrum: "-5:5 kHz" or two numbers in Hz from the carrier, "-40:-30 ppm"; the whole
        spectrum unless said. Several, in a list or as {"BH4": "-45:-35 ppm", ...}, are several sites, each with
        experiments of its own (coordinate `site`)
    kind : "saturation_recovery" or "inversion_recovery", to read as one what is not called so
    method : "shape" (the line shape that all rows share) or "box" (an integral over the region, with one phase)
    echo : time of the echo top after the first point [s]; found from the data unless said
    temperature : which sources to believe, in this order, of "te", "vt", "title" and "audit" (all, so, unless said);
        or a table {experiment: K or (K, standard error)}, a CSV of one ("temperatures.csv"), or a formula
        such as "1.013*TE - 4.2 ± 1.5"
    delays : for recoveries measured as one-dimensional expnos the delay that was stepped through ("D7"; found where
        only one differs), or the delays [s] by experiment as a mapping or a CSV; for an arrayed expno a mapping of
        its name to the delays of its rows, in place of its vdlist
    processed : read pdata/N/2rr even where there is a ser

    Returns
    -------
    recovery : one row an experiment in natural order of the folders. An expno that should be a recovery but cannot
        be read is a NaN row with a `reason`; experiments of other kinds are listed in `attrs["left_out"]`. What
        TopSpin's own T1/T2 module found is in `attrs["topspin"]`, for comparison only. Box integrals are in `box`.

    Raises
    ------
    InputError
        Where there is no expno, none that is a recovery, several nuclei and none chosen, where the one expno that
        was given cannot be read, or a table names experiments that are not there.

    Examples
    --------
    >>> import tempfile, nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="11B", larmor_frequency=160.49e6, cq=0.1e6, eta=0.4, snr=300,
    ...     activation_energy=0.4, tau_c=1e-6, reference_temperature=333.15, temperature=[333.15])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recovery = nd.read_topspin(nd.simulate_folder(truth, folder, seed=1))
    >>> bool(abs(nd.fit_recovery(recovery, "single").t1.item() / 61.13 - 1) < 0.02)
    True
    """
    root = Path(path)
    _require_choice("kind", kind, (None, *RECOVERY_KINDS))
    _require_choice("method", method, METHODS)
    trust, given = temperatures_said(temperature)
    stepped, told, table = delays_said(delays)
    reading = ReadOptions(
        kind=kind,
        regions=regions_of(region),
        method=method,
        echo=echo,
        trust=trust,
        given=given,
        delays=told,
        processed=processed,
    )
    with expnos_in(root) as located:
        loaded = [load(one, reading) for one in track(located, "reading expnos", unit="expno")]
        expnos = join_series(loaded, reading, delays=stepped)
        names = list(dict.fromkeys(one.name for one in (*loaded, *expnos)))
        _require_present("temperature", given.unused(names) if given else [], names)
        _require_present("delays", [name for name in told if name not in names], names)
        wanted = _of_nucleus(expnos, nucleus, root)
        chosen = [one for one in wanted if one.kind in RECOVERY_KINDS or (one.problem and one.kind == "unknown")]
        left_out = {one.name: f"{one.nucleus.name} {one.kind}".strip() for one in expnos if one not in chosen}
        if not any(one.sites for one in chosen):
            problems = "; ".join(one.problem or f"{one.name}: is {one.kind}" for one in expnos[:3])
            way_out = "" if all(one.problem for one in expnos) else "; to read one as a recovery all the same say kind="
            raise InputError(f"{root}: needed a saturation or inversion recovery, found none ({problems}){way_out}")
        name = Isotope.get(nucleus).name if nucleus else next(one.nucleus.name for one in chosen if one.sites)
        extra = [file for file in (table, getattr(given, "path", None)) if file is not None]
        return assemble(chosen, nucleus=name, left_out=left_out, tables=extra)


def _require_choice(what: str, said: object, known: Sequence[object]) -> None:
    if said not in known:
        raise InputError(f"{what}: needed one of {', '.join(str(one) for one in known if one)}, found {said!r}")


def _require_present(what: str, unused: list[str], names: list[str]) -> None:
    if unused:
        found = ", ".join(name[:80] for name in unused[:5])
        raise InputError(
            f"{what}: needed experiments among {', '.join(names[:20])}, found {found}; "
            "names are paths from the folder that is read"
        )


def _of_nucleus(expnos: list[Expno], nucleus: str | None, root: Path) -> list[Expno]:
    known = {
        one.nucleus.name for one in expnos if one.kind in RECOVERY_KINDS and known_spin(one.nucleus.name) is not None
    }
    present = sorted(known)
    if nucleus is not None:
        wanted = Isotope.get(nucleus).name
        fitting = [one for one in expnos if one.nucleus.name and fits_frequency(wanted, one.nucleus)]
        if not fitting:
            raise InputError(f"{root}: needed {wanted}, found {', '.join(present) or 'no recovery'} (NUC1 in acqus)")
        # One whose parameters cannot be read may be of any nucleus: it stays, as a row with its reason.
        return [one for one in expnos if one in fitting or not one.nucleus.name]
    if len(present) > 1:
        raise InputError(f"{root}: found several nuclei, {', '.join(present)}; choose one with nucleus= (or --nucleus)")
    # A NUC1 that is no isotope is no other nucleus: such an expno is left out beside those that have one.
    return [one for one in expnos if not present or one.nucleus.name in (*present, "")]


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
