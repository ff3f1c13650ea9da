"""relaxation -> motion: T1 to correlation times."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import STAGES, require, stamp

BRANCHES = ("fast", "slow")


def correlation_time(relaxation: xr.Dataset, mechanism: Mechanism) -> xr.Dataset:
    """Correlation times of each T1 on both branches.

    Parameters
    ----------
    relaxation : stage `relaxation` with n experiments
    mechanism : what relaxes the nucleus, such as `BPP`

    Returns
    -------
    motion : `tau_c (experiment, branch)` and its linear standard error [s], `feasible`, `t1_minimum`. Where T1 is
        below the minimum, NaN and a reason. Within three standard errors of the minimum the linear standard error is
        NaN too: there the error bar is neither symmetric nor confined to one branch, and only a posterior will do.

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
    t1 = relaxation["t1"].values
    larmor = relaxation["larmor_frequency"].values
    relative = relaxation["t1_stderr"].values / t1
    tau_c = np.stack(mechanism.correlation_times(t1, larmor), axis=-1)
    t1_min = mechanism.t1_minimum(larmor)
    margin = np.where(np.isfinite(t1), np.log(t1 / t1_min), np.nan)
    with np.errstate(invalid="ignore"):
        feasible = margin >= 0
        near = feasible & (margin < 3 * relative)
    stderr = np.abs(mechanism.sensitivity(tau_c, larmor[:, None])) * relative[:, None] * tau_c
    stderr[near] = np.nan
    reason = np.where(
        np.isnan(t1),
        "no T1",
        np.where(
            ~feasible,
            [
                f"T1 {a:.3g} s is below the shortest this mechanism allows, {b:.3g} s"
                for a, b in zip(t1, t1_min, strict=True)
            ],
            np.where(near, "within three standard errors of the T1 minimum: both branches are open", ""),
        ),
    )
    motion = xr.Dataset(
        {
            "tau_c": (("experiment", "branch"), tau_c),
            "tau_c_stderr": (("experiment", "branch"), stderr),
            "feasible": ("experiment", feasible),
            "near_minimum": ("experiment", near),
            "t1_minimum": ("experiment", t1_min),
            "reason": ("experiment", reason.astype(object)),
        },
        coords={"branch": list(BRANCHES), "experiment": relaxation["experiment"].values}
        | {name: relaxation[name].variable for name in STAGES["motion"].coords},
    )
    return stamp(motion, "motion", nucleus=relaxation.attrs.get("nucleus", ""), mechanism=repr(mechanism))
