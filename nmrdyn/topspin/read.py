"""TopSpin folder -> recovery."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.isotopes import Isotope
from nmrdyn.schema import RECOVERY_KINDS, Array, InputError, stamp
from nmrdyn.topspin.fid import Fids, count_rows, read_fids
from nmrdyn.topspin.intensity import Intensities, band, shared_line_shape
from nmrdyn.topspin.lists import find_list, read_list
from nmrdyn.topspin.parameters import find_expnos, kind_from_program, named_kind, number, read_parameters, temperature
from nmrdyn.topspin.results import topspin_results


class ScanEntry(TypedDict):
    """What `scan` says of one expno."""

    experiment: str
    path: str
    nucleus: str
    larmor_frequency_Hz: float | None
    pulse_program: str
    kind: str
    temperature_K: float | None
    delays_s: list[float]
    rows_recorded: int
    rows_planned: int
    warnings: list[str]


@dataclass
class _Expno:
    """One expno as far as it could be read; `problem` says what stopped it."""

    name: str
    path: Path
    nucleus: str = ""
    larmor_frequency: float = np.nan
    pulse_program: str = ""
    kind: str = "unknown"
    temperature: float = np.nan
    delay_list: Path | None = None
    delay: Array = field(default_factory=lambda: np.empty(0))
    rows_recorded: int = 0
    rows_planned: int = 0
    intensities: Intensities | None = None
    used: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    problem: str = ""
    warnings: list[str] = field(default_factory=list)


def scan(folder: str | Path) -> list[ScanEntry]:
    """What is in a TopSpin folder: one entry an expno, readable or not.

    Parameters
    ----------
    folder : an expno, or a folder with expnos up to three levels down

    Raises
    ------
    InputError
        Where there is no such folder, or no expno in it.
    """
    root = Path(folder)
    return [
        ScanEntry(
            experiment=one.name,
            path=str(one.path),
            nucleus=one.nucleus,
            larmor_frequency_Hz=_or_none(one.larmor_frequency),
            pulse_program=one.pulse_program,
            kind=one.kind,
            temperature_K=_or_none(one.temperature),
            delays_s=[float(delay) for delay in one.delay],
            rows_recorded=one.rows_recorded,
            rows_planned=one.rows_planned,
            warnings=one.warnings + ([one.problem] if one.problem else []),
        )
        for one in (_load(expno, root, None) for expno in find_expnos(root))
    ]


def read_topspin(
    path: str | Path,
    *,
    nucleus: str | None = None,
    region: tuple[float, float] | None = None,
    kind: str | None = None,
) -> xr.Dataset:
    """Read the recoveries of an expno or a folder of expnos.

    Intensities come from the line shape that all rows of an expno share, cropped to where there is signal; rows that
    were not recorded or hold only zeros are left out together with their delays.

    Parameters
    ----------
    path : an expno, or a folder with expnos up to three levels down
    nucleus : which nucleus to read where the folder holds several, such as "23Na"
    region : (low, high) in Hz from the carrier, to read one line of several; the whole spectrum unless said. The tail
        of a line beside the region leaks into it with about linewidth / (pi distance) of its intensity
    kind : "saturation_recovery" or "inversion_recovery" where the names and the data do not tell

    Returns
    -------
    recovery : one row an experiment in natural order of the folders. An expno that should be a recovery but cannot
        be read is a NaN row with a `reason`; experiments of other kinds are listed in `attrs["left_out"]`. What
        TopSpin's own T1/T2 module found is in `attrs["topspin"]`, for comparison only.

    Raises
    ------
    InputError
        Where there is no expno, none that is a recovery, several nuclei and none chosen, or where the one expno that
        was given cannot be read.

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
    if kind is not None and kind not in RECOVERY_KINDS:
        raise InputError(f"kind: needed one of {', '.join(RECOVERY_KINDS)}, found {kind!r}")
    expnos = [_load(expno, root, region, kind) for expno in find_expnos(root)]
    wanted = _of_nucleus(expnos, nucleus, root)
    chosen = [one for one in wanted if one.kind in RECOVERY_KINDS or (one.problem and one.kind == "unknown")]
    left_out = {one.name: f"{one.nucleus} {one.kind}".strip() for one in expnos if one not in chosen}
    if not any(one.intensities is not None for one in chosen):
        problems = "; ".join(one.problem or f"{one.name}: is {one.kind}" for one in expnos[:3])
        raise InputError(f"{root}: needed a saturation or inversion recovery, found none ({problems})")
    return _assemble(chosen, root, left_out)


def _of_nucleus(expnos: list[_Expno], nucleus: str | None, root: Path) -> list[_Expno]:
    present = sorted({one.nucleus for one in expnos if one.nucleus and one.kind in RECOVERY_KINDS})
    if nucleus is not None:
        wanted = Isotope.get(nucleus).name
        # One whose parameters cannot be read may be of any nucleus: it stays, as a row with its reason.
        kept = [one for one in expnos if one.nucleus in (wanted, "")]
        if wanted not in {one.nucleus for one in kept}:
            raise InputError(f"{root}: needed {wanted}, found {', '.join(present) or 'no recovery'} (NUC1 in acqus)")
        return kept
    if len(present) > 1:
        raise InputError(f"{root}: found several nuclei, {', '.join(present)}; choose one with nucleus=")
    return expnos


def _load(expno: Path, root: Path, region: tuple[float, float] | None, kind: str | None = None) -> _Expno:
    """Read all there is of one expno, and keep the first problem instead of raising it."""
    name = expno.name if expno == root else expno.relative_to(root).as_posix()
    one = _Expno(name=name, path=expno)
    try:
        acqus = read_parameters(expno / "acqus")
        one.nucleus = _nucleus(acqus)
        frequency = number(acqus, "SFO1", where=expno / "acqus")
        if frequency <= 0:
            raise InputError(f"{expno / 'acqus'}: needed SFO1 above 0 MHz, found {frequency:g}")
        one.larmor_frequency = frequency * 1e6
        one.pulse_program = str(acqus.get("PULPROG", "")).strip("<>")
        one.temperature = temperature(acqus)
        if np.isnan(one.temperature):
            one.warnings.append(f"TE {acqus.get('TE')} is not a temperature: unknown")
        one.kind = kind or named_kind(acqus) or kind_from_program(expno / "pulseprogram")
        arrayed = (expno / "acqu2s").is_file()
        if not arrayed:
            one.kind = "other"
            one.problem = f"{name}: one-dimensional, needed an arrayed experiment"
            return one
        acqu2s = read_parameters(expno / "acqu2s")
        one.rows_planned = int(number(acqu2s, "TD", where=expno / "acqu2s"))
        one.rows_recorded = count_rows(expno, acqus)
        recovers = not one.kind or one.kind in RECOVERY_KINDS
        one.delay_list = find_list(expno, "vd", acqus)
        if recovers or one.delay_list is not None:
            one.delay = read_list(one.delay_list or expno / "vdlist", "vd")
        if not recovers:
            return one
        fids = read_fids(expno, acqus, acqu2s)
        _match_delays(one, fids)
        rows = fids.rows if region is None else band(fids.rows, fids.dwell, region)
        one.used = ~fids.empty
        one.intensities = shared_line_shape(rows[one.used], one.delay[one.used], whole=fids.rows[one.used])
        if one.intensities.second_component > 0:
            one.warnings.append(
                "the rows do not share one line shape (second component "
                f"{100 * one.intensities.second_component:.1f} % of the first): a line that drifts, or two sites"
            )
        if not one.kind:
            one.kind = _kind_from_data(one.intensities.values, one.delay[one.used])
            one.warnings.append(f"kind {one.kind} was told by the data, not by a name or the pulse program")
    except InputError as error:
        one.kind = one.kind or "unknown"
        one.problem = str(error)
    return one


def _nucleus(acqus: dict[str, Any]) -> str:
    text = str(acqus.get("NUC1", "")).strip("<>")
    try:
        return Isotope.get(text).name
    except InputError:
        return text


def _match_delays(one: _Expno, fids: Fids) -> None:
    """Give each recorded row its delay, by position; say what is missing."""
    recorded = len(fids.rows)
    if one.delay.size < recorded:
        raise InputError(
            f"{one.name}: needed a delay for each row, found {one.delay.size} delays in vdlist "
            f"and {recorded} rows in ser"
        )
    zero = int(fids.empty.sum())
    if zero == recorded:
        raise InputError(f"{one.name}: ser holds only zeros")
    if recorded < one.rows_planned or zero or one.delay.size != one.rows_planned:
        one.warnings.append(
            f"vdlist has {one.delay.size} delays, ser has {recorded - zero} recorded rows of {one.rows_planned} "
            f"planned; used {recorded - zero} rows with their own delays"
        )
    one.delay = one.delay[:recorded]
    one.rows_recorded = recorded - zero


def _kind_from_data(values: Array, delay: Array) -> str:
    ordered = values[np.argsort(delay, kind="stable")]
    top = np.max(np.abs(ordered))
    early, late = np.mean(ordered[:2]) / top, np.mean(ordered[-2:]) / top
    if late < 0.3 or late <= early:
        return "unknown"
    return "inversion_recovery" if early < -0.2 * late else "saturation_recovery"


def _assemble(expnos: list[_Expno], root: Path, left_out: dict[str, str]) -> xr.Dataset:
    n, width = len(expnos), max(one.delay.size for one in expnos)
    signal, stderr, delay = (np.full((n, width), np.nan) for _ in range(3))
    dof = np.zeros(n)
    for i, one in enumerate(expnos):
        if one.intensities is not None:
            at = np.flatnonzero(one.used)
            signal[i, at], stderr[i, at], delay[i, at] = one.intensities.values, one.intensities.stderr, one.delay[at]
            dof[i] = one.intensities.noise_dof
    sources = [
        file
        for one in expnos
        for file in (*(one.path / part for part in ("acqus", "acqu2s", "ser", "pulseprogram")), one.delay_list)
        if file is not None and file.is_file()
    ]
    recovery = xr.Dataset(
        {"signal": (("experiment", "increment"), signal), "signal_stderr": (("experiment", "increment"), stderr)},
        coords={
            "experiment": [one.name for one in expnos],
            "temperature": ("experiment", [one.temperature for one in expnos]),
            "temperature_stderr": ("experiment", np.full(n, np.nan)),
            "larmor_frequency": ("experiment", [one.larmor_frequency for one in expnos]),
            "delay": (("experiment", "increment"), delay),
            "rows_recorded": ("experiment", [int(one.used.sum()) for one in expnos]),
            "rows_planned": ("experiment", [one.rows_planned for one in expnos]),
            "kind": ("experiment", [one.kind for one in expnos]),
            "pulse_program": ("experiment", [one.pulse_program for one in expnos]),
            "noise_dof": ("experiment", dof),
            "reason": ("experiment", np.array([one.problem for one in expnos], dtype=object)),
        },
    )
    nuclei = [one.nucleus for one in expnos if one.intensities is not None]
    notes = {one.name: one.warnings for one in expnos if one.warnings}
    fits = {one.name: [fit for fit in topspin_results(one.path) if fit.quantity] for one in expnos}
    topspin = {
        name: [{"quantity": fit.quantity, "t1_s": fit.t1, "site": fit.site, "fit": fit.fit} for fit in found]
        for name, found in fits.items()
        if found
    }
    return stamp(
        recovery,
        "recovery",
        nucleus=nuclei[0],
        left_out=json.dumps(left_out),
        notes=json.dumps(notes),
        sources=json.dumps([str(file) for file in sources]),
        topspin=json.dumps(topspin),
    )


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
