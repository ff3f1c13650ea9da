"""relaxation -> motion: T1 to correlation times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.findings import attach, attached
from nmrdyn.motion import checks
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import STAGES, Array, InputError, require, stamp

BRANCHES = ("fast", "slow")
# Linear propagation needs the branch to go on for this many standard errors of ln T1 on either side.
_ROOM = 3.0


def correlation_time(relaxation: xr.Dataset, mechanism: Mechanism) -> xr.Dataset:
    """Correlation times of each T1 on both branches.

    Parameters
    ----------
    relaxation : stage `relaxation` with n experiments
    mechanism : what relaxes the nucleus, such as `BPP` or a sum of mechanisms

    Returns
    -------
    motion : `tau_c (experiment, branch)` and its linear standard error [s], `feasible`, `t1_minimum`, and the share of
        each mechanism in the rate, `rate_share (experiment, branch, part)`. Where T1 is below the minimum, NaN and a
        reason; `near_minimum` tells where noise would explain it. Within three standard errors of where a branch ends
        the linear standard error is NaN too: there the error bar is neither symmetric nor confined to one branch, and
        only a posterior will do. What a referee would remark on stands in `attrs["warnings"]`.

    Raises
    ------
    InputError
        Where the mechanism is of another nucleus, or T1 has more than one minimum as a function of tau_c.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(nucleus="11B", larmor_frequency=160.49e6, cq=0.1e6, eta=0.4, snr=1e5,
    ...     activation_energy=0.4, tau_c=1e-6, reference_temperature=333.15, temperature=[313.15, 333.15])
    >>> relaxation = nd.fit_recovery(nd.simulate(truth, seed=1), nd.SingleExponential())
    >>> motion = nd.correlation_time(relaxation, nd.BPP(nucleus="11B", cq=0.1e6, eta=0.4))
    >>> f"{motion.tau_c.sel(branch='slow').values[1]:.2e}"
    '1.00e-06'
    """
    require(relaxation, "relaxation")
    nucleus = relaxation.attrs.get("nucleus", "")
    if nucleus and mechanism.nucleus not in (None, nucleus):
        raise InputError(f"correlation_time: needed a mechanism of {nucleus}, found one of {mechanism.nucleus}")
    t1, larmor = relaxation["t1"].values, relaxation["larmor_frequency"].values
    kelvin = relaxation["temperature"].values
    relative = relaxation["t1_stderr"].values / t1
    labels = mechanism.labels
    tau_c, stderr = np.full((t1.size, 2), np.nan), np.full((t1.size, 2), np.nan)
    share = np.full((t1.size, 2, len(labels)), np.nan)
    t1_min, inside = np.full(t1.size, np.nan), np.zeros((t1.size, 2), dtype=bool)
    reason = np.full(t1.size, "", dtype=object)
    for at in _alike(mechanism, kelvin):
        here = mechanism.at(float(kelvin[at[0]]))
        t1_min[at] = here.t1_minimum(larmor[at])
        tau_c[at] = np.stack(here.correlation_times(t1[at], larmor[at]), axis=-1)
        share[at] = np.stack(list(here.shares(tau_c[at], larmor[at, None]).values()), axis=-1)
        spread = np.abs(here.sensitivity(tau_c[at], larmor[at, None])) * relative[at, None] * tau_c[at]
        inside[at] = _inside(here, t1[at], larmor[at], relative[at])
        stderr[at] = np.where(inside[at], spread, np.nan)
    with np.errstate(invalid="ignore"):
        near = np.abs(np.log(t1 / t1_min)) < _ROOM * relative
    for i in range(t1.size):
        if mechanism.varies and np.isnan(kelvin[i]):
            reason[i] = "no temperature, on which the coupling depends"
        elif np.isnan(t1[i]):
            reason[i] = "no T1"
        else:
            known = bool(np.isfinite(relative[i]))
            reason[i] = _reason(t1[i], t1_min[i], tau_c[i], inside[i], near=bool(near[i]), known=known)
    with np.errstate(invalid="ignore"):
        feasible = t1 >= t1_min
    motion = xr.Dataset(
        {
            "tau_c": (("experiment", "branch"), tau_c),
            "tau_c_stderr": (("experiment", "branch"), stderr),
            "t1": relaxation["t1"].variable,
            "feasible": ("experiment", feasible),
            "near_minimum": ("experiment", near),
            "t1_minimum": ("experiment", t1_min),
            "rate_share": (("experiment", "branch", "part"), share),
            "reason": ("experiment", reason),
        }
        | {name: relaxation[name].variable for name in ("model", "rows_used") if name in relaxation},
        coords={"branch": list(BRANCHES), "part": labels, "experiment": relaxation["experiment"].values}
        | {name: relaxation[name].variable for name in STAGES["motion"].coords if name in relaxation.coords},
    )
    motion = stamp(motion, "motion", nucleus=nucleus, mechanism=repr(mechanism))
    return attach(motion, [*attached(relaxation), *checks.of_motion(motion, mechanism)])


def _alike(mechanism: Mechanism, kelvin: Array) -> list[npt.NDArray[np.int_]]:
    """Indices of experiments of one coupling: all of them, unless it depends on the temperature."""
    if not mechanism.varies:
        return [np.arange(kelvin.size)] if kelvin.size else []
    return [np.flatnonzero(kelvin == value) for value in np.unique(kelvin[np.isfinite(kelvin)])]


def _inside(mechanism: Mechanism, t1: Array, larmor: Array, relative: Array) -> npt.NDArray[np.bool_]:
    """Whether each branch (experiment, branch) goes on for three standard errors of T1 on both sides."""
    with np.errstate(over="ignore"):  # of a T1 that is not known at all
        ends = [mechanism.correlation_times(t1 * np.exp(way * relative), larmor) for way in (-_ROOM, _ROOM)]
    return np.asarray(np.isfinite(ends).all(axis=0).T)


def _reason(t1: float, t1_min: float, tau_c: Array, inside: npt.NDArray[np.bool_], *, near: bool, known: bool) -> str:
    if t1 < t1_min:
        by = ", by less than three standard errors" if near else ""
        return f"T1 {t1:.3g} s is below the shortest this mechanism allows, {t1_min:.3g} s{by}"
    missing = " and ".join(branch for branch, tau in zip(BRANCHES, tau_c, strict=True) if np.isnan(tau))
    if missing:
        return f"T1 {t1:.3g} s is longer than this mechanism allows on the {missing} branch"
    if near:
        return "within three standard errors of the T1 minimum: both branches are open"
    ending = [branch for branch, ok in zip(BRANCHES, inside, strict=True) if not ok]
    if ending and known:
        return f"within three standard errors of the longest T1 on the {' and the '.join(ending)} branch"
    return ""
