"""What a referee would remark on in fitted recoveries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from nmrdyn.findings import Finding, merged
from nmrdyn.isotopes import known_spin

# The longest delay should be this many T1, or the intensity at full recovery is extrapolated.
LEAST_RECYCLE = 4.0
_CREDIBLE = 0.1
_SHALLOW = 0.5
_DIP = 5.0  # standard errors; the lowest of a few points is 3 below the others by chance
# A spin 3/2 on the slow flank: fractions of the longer time, all levels saturated and the total observed, or the
# central transition saturated and observed. The ratio of the times is 4.
_SPIN_THREE_HALVES = {
    0.8: "all levels saturated or inverted, total signal",
    0.5: "central transition saturated or inverted, and observed",
}


def of_relaxation(relaxation: xr.Dataset, recovery: xr.Dataset) -> Iterator[Finding]:
    """Remarks on the fits of each experiment."""
    experiments = relaxation["experiment"].values
    t1 = relaxation["t1"].values
    failed = zip(experiments[np.isnan(t1)], relaxation["reason"].values[np.isnan(t1)], strict=True)
    yield from merged(Finding("no-t1", str(experiment), str(reason)) for experiment, reason in failed)
    scaled = relaxation["error_scaled"].values
    if scaled.any():
        worst = float(np.max(relaxation["reduced_chi2"].values[scaled]))
        yield Finding(
            "recovery-misfit",
            ", ".join(experiments[scaled]),
            f"residuals exceed the measured noise (reduced chi-square up to {worst:.3g}): "
            "errors of T1 were scaled by them",
        )
    unknown = np.isnan(relaxation["temperature"].values)
    if unknown.any():
        yield Finding("no-temperature", ", ".join(experiments[unknown]), "temperature unknown: not used")
    stretched = (relaxation["model"].values == "stretched") & np.isfinite(t1)
    if stretched.any():
        yield Finding(
            "stretched-t1",
            ", ".join(experiments[stretched]),
            "T1 is T1* of a stretched exponential, which is not the initial-rate T1 of BPP theory",
        )
    yield from _of_components(relaxation)
    yield from _of_choice(relaxation)
    yield from _of_delays(relaxation, recovery)
    yield from _of_depths(relaxation, recovery)
    yield from _of_dips(relaxation, recovery)


def _of_components(relaxation: xr.Dataset) -> Iterator[Finding]:
    """Two exponentials: those of one spin 3/2 are no two sites."""
    experiments = relaxation["experiment"].values
    several = np.isin(relaxation["model"].values, ("bi", "tri")) & np.isfinite(relaxation["t1"].values)
    if several.any():
        yield Finding(
            "exponentials-t1",
            ", ".join(experiments[several]),
            "T1 is the time at which 1/e is left to recover from several exponentials, which is not the initial-rate "
            "T1 of BPP theory",
        )
    nucleus = relaxation.attrs.get("nucleus", "")
    if known_spin(nucleus) != 1.5:
        return
    named: dict[str, list[str]] = {}
    for i in np.flatnonzero(relaxation["model"].values == "bi"):
        protocol = one_spin_three_halves(relaxation.isel(experiment=i))
        if protocol:
            named.setdefault(protocol, []).append(str(experiments[i]))
    for protocol, where in named.items():
        yield Finding(
            "one-site-two-rates",
            ", ".join(where),
            f"the two exponentials are those of one {nucleus} site on the slow flank ({protocol}): spin 3/2 recovers "
            "with two rates of 1:4, not two sites; fit PopulationRecovery",
        )


def one_spin_three_halves(relaxation: xr.Dataset) -> str:
    """The protocol with which two fitted exponentials would be one spin 3/2 on the slow flank, "" where they are not.

    Near means within three standard errors or 15 % of the ratio 4 and 0.05 of the fraction, and better than a factor
    of 2 in the ratio.
    """
    ratio, ratio_error = (float(relaxation[name]) for name in ("ratio", "ratio_stderr"))
    fraction = float(relaxation["component_fraction"].values[0])
    fraction_error = float(relaxation["component_fraction_stderr"].values[0])
    if not ratio_error < ratio / 2 or abs(ratio - 4) > max(3 * ratio_error, 0.6):
        return ""
    for expected, protocol in _SPIN_THREE_HALVES.items():
        if abs(fraction - expected) <= max(min(3 * fraction_error, 0.15), 0.05):
            possible = sum(abs(fraction - other) <= 3 * fraction_error for other in _SPIN_THREE_HALVES)
            return protocol if possible < 2 else "after which preparation, the noise hides"
    return ""


def _of_choice(relaxation: xr.Dataset) -> Iterator[Finding]:
    """Experiments that several models describe, with T1 that differ by more than its error."""
    t1, stderr = relaxation["t1"].values[:, None], relaxation["t1_stderr"].values[:, None]
    credible = relaxation["model_weight"].values > _CREDIBLE
    other = credible & (np.abs(np.log(relaxation["model_t1"].values / t1)) > stderr / t1)
    several = other.any(axis=1)
    if several.any():
        models = relaxation["candidate"].values[credible[several].any(axis=0)]
        yield Finding(
            "model-undecided",
            ", ".join(relaxation["experiment"].values[several]),
            f"the recoveries do not decide between {' and '.join(models)} (corrected Akaike weights above "
            f"{_CREDIBLE:g}), which give T1 that differ; its error holds the difference",
        )


def _of_delays(relaxation: xr.Dataset, recovery: xr.Dataset) -> Iterator[Finding]:
    """Recoveries that were not followed to their end."""
    recorded = np.where(np.isfinite(recovery["signal"].values), recovery["delay"].values, np.nan)
    usable = np.isfinite(relaxation["t1"].values)
    reach = np.full(usable.size, np.inf)
    reach[usable] = np.nanmax(recorded[usable], axis=1) / relaxation["t1"].values[usable]
    short = reach < LEAST_RECYCLE
    if short.any():
        yield Finding(
            "delays-too-short",
            ", ".join(relaxation["experiment"].values[short]),
            f"the longest delay is {reach[short].min():.1f} T1 or more, below {LEAST_RECYCLE:g}: "
            "full recovery is extrapolated, and a wrong recovery model would not show",
        )


def _of_depths(relaxation: xr.Dataset, recovery: xr.Dataset) -> Iterator[Finding]:
    """Saturation that left most of the signal: it failed, or what recovers slowly was not seen."""
    shallow = (recovery["kind"].values == "saturation_recovery") & (relaxation["depth"].values < _SHALLOW)
    shallow &= np.isfinite(relaxation["t1"].values)
    if shallow.any():
        yield Finding(
            "depth-low",
            ", ".join(relaxation["experiment"].values[shallow]),
            f"only {100 * relaxation['depth'].values[shallow].min():.0f} % of the signal recovers: the saturation left "
            "the rest, or the delays end before most of the recovery, whose T1 would be far longer",
        )


def _of_dips(relaxation: xr.Dataset, recovery: xr.Dataset) -> Iterator[Finding]:
    """Signals that fall before they recover, which one line of a quadrupolar nucleus may do, and no exponential."""
    nucleus = relaxation.attrs.get("nucleus", "")
    if (known_spin(nucleus) or 0.0) < 1:
        return
    used = np.isfinite(recovery["signal"].values)
    order = np.argsort(np.where(used, recovery["delay"].values, np.inf), axis=1, kind="stable")
    signal, stderr, used = (
        np.take_along_axis(rows, order, axis=1)
        for rows in (recovery["signal"].values, recovery["signal_stderr"].values, used)
    )
    asked = (relaxation["model"].values != "populations") & (used.sum(axis=1) >= 3)
    asked &= np.isfinite(relaxation["t1"].values)
    lowest = np.argmin(np.where(used, signal, np.inf), axis=1)[:, None]
    # Against the mean of what came before, so that noise of one early point is no dip.
    before = np.sum(np.where(np.arange(signal.shape[1]) < lowest, signal, 0.0), axis=1) / np.maximum(lowest[:, 0], 1)
    fall = before - np.take_along_axis(signal, lowest, axis=1)[:, 0]
    error = np.take_along_axis(stderr, lowest, axis=1)[:, 0] * np.sqrt(1 + 1 / np.maximum(lowest[:, 0], 1))
    depth = np.divide(fall, error, out=np.zeros(fall.size), where=asked & (lowest[:, 0] > 0) & (error > 0))
    dips = np.nan_to_num(depth) > _DIP
    if dips.any():
        yield Finding(
            "recovery-dips",
            ", ".join(relaxation["experiment"].values[dips]),
            f"the signal falls (by up to {depth[dips].max():.0f} standard errors) before it recovers, as the central "
            "transition does once all levels are saturated: fit PopulationRecovery with what was prepared and observed",
        )
