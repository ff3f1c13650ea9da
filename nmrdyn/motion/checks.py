"""What a referee would remark on in correlation times and the mechanism that gave them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.findings import Finding
from nmrdyn.motion.dipolar import Dipolar
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import BOLTZMANN_EV, PLANCK_EV, Array

_HIGH_FIELD = 0.05  # C_Q over the Larmor frequency; second order is then right to 3e-4
_REDFIELD = 1e-2  # tau_c / T1
_VIBRATION = 1e-14  # s
_HIGH_TEMPERATURE = 0.01  # h nu / kT
_SEVERAL_RATES = 1.16 / 1.04  # W1/W2 at omega tau_c = 0.2
_SHARE = 0.1  # of the rate, below which a mechanism may be left out
_SHORTEST_BOND = 1.0e-10  # m, of hydrogen to anything
_TREND = 3.0  # standard errors


def of_motion(motion: xr.Dataset, mechanism: Mechanism) -> Iterator[Finding]:
    """Remarks on tau_c; where the posterior has weighed the branches, on the probable one only."""
    yield from _of_solutions(motion, mechanism)
    yield from _of_validity(motion, mechanism)
    yield from _of_recovery_model(motion, mechanism)
    yield from _of_missing_dipoles(motion, mechanism)
    yield from _of_trend(motion)


def meant(motion: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Which branches (experiment, branch) may be meant: all, or where they were weighed those above one half."""
    if "branch_probability" not in motion:
        return np.ones(motion["tau_c"].shape, dtype=bool)
    return np.asarray(motion["branch_probability"].values > 0.5)


def _named(motion: xr.Dataset, which: np.ndarray) -> str:
    return ", ".join(motion["experiment"].values[which])


def _of_solutions(motion: xr.Dataset, mechanism: Mechanism) -> Iterator[Finding]:
    t1, larmor, shortest = (motion[name].values for name in ("t1", "larmor_frequency", "t1_minimum"))
    below = np.isfinite(t1) & np.isfinite(shortest) & ~motion["feasible"].values & ~motion["near_minimum"].values
    if below.any():
        kelvin = np.sort(motion["temperature"].values[below])
        at = ", ".join(f"{value:g}" for value in kelvin[np.isfinite(kelvin)])
        text = (
            f"T1 {f'at {at} K ' if at else ''}is shorter than the shortest this mechanism allows "
            f"({shortest[below].min():.3g} s): no tau_c exists there"
        )
        needed = mechanism.coupling_needed(t1[below], larmor[below])
        if np.isfinite(needed).all():
            text += f"; C_Q would have to be at least {needed.max() / 1e6:.3g} MHz"
        yield Finding("t1-below-minimum", _named(motion, below), text)
    missing = (np.isnan(motion["tau_c"].values) & meant(motion)).any(axis=1)
    above = np.isfinite(t1) & motion["feasible"].values & missing
    if above.any():
        yield Finding(
            "t1-above-maximum",
            _named(motion, above),
            f"T1 up to {t1[above].max():.3g} s is longer than the rates that do not depend on tau_c allow: "
            "no tau_c exists there; is the background rate too large?",
        )
    near = motion["near_minimum"].values
    if near.any():
        yield Finding("near-minimum", _named(motion, near), "T1 is within three standard errors of its minimum")


def _of_validity(motion: xr.Dataset, mechanism: Mechanism) -> Iterator[Finding]:
    cq = _coupling(motion, mechanism)
    if cq is not None and np.any(cq > _HIGH_FIELD * motion["larmor_frequency"].values):
        yield Finding(
            "not-high-field",
            "",
            f"C_Q ({np.nanmax(cq) / 1e6:.3g} MHz) is above {_HIGH_FIELD:g} of the Larmor frequency: "
            "the BPP rate, which is of second order, may not hold",
        )
    cold = (
        PLANCK_EV * motion["larmor_frequency"].values > _HIGH_TEMPERATURE * BOLTZMANN_EV * motion["temperature"].values
    )
    if cold.any():
        yield Finding(
            "not-high-temperature",
            _named(motion, cold),
            f"h nu is above {_HIGH_TEMPERATURE:g} kT: populations are no longer linear in the energy",
        )
    fast = np.where(meant(motion), motion["tau_c"].values, np.nan)[:, list(motion["branch"].values).index("fast")]
    alone = "" if "branch_probability" in motion else "on the fast branch "
    with np.errstate(invalid="ignore"):
        strong, short = fast / motion["t1"].values > _REDFIELD, fast < _VIBRATION
    if strong.any():
        yield Finding(
            "redfield",
            _named(motion, strong),
            f"{alone}tau_c exceeds {_REDFIELD:g} T1: relaxation is too strong for second-order theory",
        )
    if short.any():
        yield Finding(
            "fast-implausible",
            _named(motion, short),
            f"{alone}tau_c would be {fast[short].min():.1g} s, shorter than a vibration (about {_VIBRATION:g} s): "
            "not a reorientation; the slow branch, or another mechanism",
        )


def _coupling(motion: xr.Dataset, mechanism: Mechanism) -> Array | None:
    """|C_Q| [Hz] of each experiment, None without a quadrupolar part."""
    for part in mechanism.parts:
        if hasattr(part, "cq"):
            kelvin = motion["temperature"].values
            values = part.cq.at(kelvin) if hasattr(part.cq, "at") else np.full(kelvin.size, part.cq)
            return np.abs(np.asarray(values, dtype=float))
    return None


def _of_recovery_model(motion: xr.Dataset, mechanism: Mechanism) -> Iterator[Finding]:
    """One exponential, or a stretched one, where the levels relax with several rates."""
    if mechanism.spin is None or mechanism.spin <= 1 or "model" not in motion:
        return
    tau = np.where(meant(motion), motion["tau_c"].values, np.nan)
    larmor, kelvin = motion["larmor_frequency"].values, motion["temperature"].values
    simple = np.isin(motion["model"].values, ("single", "stretched"))
    single = simple[:, None] & np.isfinite(tau) & np.isfinite(kelvin)[:, None]
    several = np.zeros(single.shape, dtype=bool)
    for i in np.flatnonzero(single.any(axis=1)):
        w1, w2, w = mechanism.at(kelvin[i]).transition_rates(tau[i][single[i]], larmor[i])
        several[i, single[i]] = (w1 > _SEVERAL_RATES * w2) & (w1 + w2 > _SHARE * w)
    if several.any():
        slow = several[:, list(motion["branch"].values).index("slow")].any()
        on = "on the slow branch " if slow else "at omega tau_c above 0.2 "
        yield Finding(
            "several-exponentials",
            "",
            f"{on}a spin {mechanism.spin:g} recovers with several rates unless a common spin temperature holds; "
            "a single or stretched exponential then shifts tau0 (at spin 3/2 a single T1 comes out some 20 % long for "
            "the total signal with delays of 0.01 to 8 T1), and Ea where the T1 minimum is in range; "
            "PopulationRecovery has these rates",
        )


def _of_missing_dipoles(motion: xr.Dataset, mechanism: Mechanism) -> Iterator[Finding]:
    """How near a proton would have to be for its dipolar field to matter, where none was said."""
    if mechanism.nucleus in (None, "1H") or any(isinstance(part, Dipolar) for part in mechanism.parts):
        return
    tau = np.where(meant(motion), motion["tau_c"].values, np.nan)
    proton = Dipolar(nucleus=str(mechanism.nucleus), partner="1H", distance=_SHORTEST_BOND)
    larmor, rate = motion["larmor_frequency"].values[:, None], 1 / motion["t1"].values[:, None]
    with np.errstate(invalid="ignore"):
        ratio = proton.rate(tau, larmor) / rate
    if not np.any(ratio > _SHARE):
        return
    distance = _SHORTEST_BOND * (np.nanmax(ratio) / _SHARE) ** (1 / 6)
    yield Finding(
        "dipolar-unchecked",
        "",
        f"no dipolar relaxation was considered; one proton nearer than {distance * 1e10:.1f} Å to {mechanism.nucleus} "
        f"would add more than {100 * _SHARE:.0f} % to the rate if it moves with the same tau_c: "
        "add Dipolar where there are such",
    )


def _of_trend(motion: xr.Dataset) -> Iterator[Finding]:
    """Whether T1 changes with temperature as the probable branch says."""
    if "branch_probability" not in motion:
        return
    kelvin, t1 = motion["temperature"].values, motion["t1"].values
    usable = np.isfinite(kelvin) & np.isfinite(t1)
    if np.unique(kelvin[usable]).size < 3:
        return
    log_t1 = np.log(t1[usable])
    if np.ptp(log_t1) < 1e-9:
        return
    (slope, _), covariance = np.polyfit(1 / kelvin[usable], log_t1, 1, cov=True)
    strength = slope / np.sqrt(covariance[0, 0])
    weight = float(np.nanmean(motion["branch_probability"].sel(branch="slow").values))
    if abs(strength) > _TREND and (weight < 0.05) == (slope > 0) and not 0.05 <= weight <= 0.95:
        seen, branch = ("falls", "fast") if slope > 0 else ("rises", "slow")
        yield Finding(
            "branch-trend",
            "",
            f"T1 {seen} on heating, which an activated motion does not do on the {branch} branch that was found: "
            "another mechanism sets the trend",
        )
