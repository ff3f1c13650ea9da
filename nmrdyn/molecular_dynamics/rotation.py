"""Rotational autocorrelation functions -> correlation times of the reorientation, as NMR would see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import least_squares
from scipy.special import gamma

from nmrdyn.columns.headers import ColumnSpec
from nmrdyn.columns.read import read_columns
from nmrdyn.findings import Finding, attach, attached
from nmrdyn.schema import Array, InputError, require, require_within, stamp

_WANTED = {
    "temperature": ColumnSpec("(?-i:T)|temp|temperature", "temperature", positive=True),
    "time": ColumnSpec("(?-i:t)|time|lag", "time", required=True),
    "correlation": ColumnSpec("C|C_?[12]|correlation|C\\(t\\)", "number", required=True),
}
_LEAST_POINTS = 5  # of a decay, which has three parameters
_NOISE = 0.05  # of C(t), below which a correlation function of molecular dynamics is mostly noise
_FALLEN = np.exp(-1.0)  # to where a decay must have come before its time is told


def read_autocorrelation(path: str | Path, *, temperature: float | None = None) -> xr.Dataset:
    """Read a CSV of C(t) = <P_l(u(t) . u(0))>, one line a time: `T (K), t (ps), C`.

    Parameters
    ----------
    path : the file
    temperature : [K], where the file is of one temperature and has no column of it

    Returns
    -------
    autocorrelation : `correlation (experiment, point)`, in order of time, NaN-padded

    Raises
    ------
    InputError
        Where the file, a column or a unit is missing, the temperature is said twice or not at all, a time comes twice
        at one temperature, a time is below 0, or C lies outside -1 to 1.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "c.csv"
    ...     _ = file.write_text("T (K), t (ps), C\\n300, 0, 1\\n300, 10, 0.37\\n363, 0, 1\\n363, 10, 0.14\\n")
    ...     read_autocorrelation(file).correlation.values
    array([[1.  , 0.37],
           [1.  , 0.14]])
    """
    table = read_columns(path, _WANTED, what="a table of rotational autocorrelation functions")
    time, value = table.numbers["time"], table.numbers["correlation"]
    column = table.numbers.get("temperature")
    if (column is None) == (temperature is None):
        found = "none" if column is None else f"a column and {temperature:g} K beside it"
        raise InputError(f"{table.path}: needed one temperature, found {found}; add a column 'T (K)', or say one")
    kelvin = np.full(time.size, temperature, dtype=float) if column is None else column
    for what, wrong in (
        ("a temperature, a time and a value", np.isnan(kelvin + time + value)),
        ("a time of 0 or more, within 1e-20 and 1 s", (time < 0) | (time > 1) | ((time > 0) & (time < 1e-20))),
        ("a correlation from -1 to 1", np.abs(value) > 1 + 1e-6),
    ):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"{table.where(row)}: needed {what}, found T {kelvin[row]:g} K, t {time[row]:g} s, C {value[row]:g}"
            )
    distinct = np.unique(kelvin)
    length = max(int(np.sum(kelvin == one)) for one in distinct)
    times, values = np.full((2, distinct.size, length), np.nan)
    for k, one in enumerate(distinct):
        rows = np.flatnonzero(kelvin == one)
        rows = rows[np.argsort(time[rows], kind="stable")]
        again = np.flatnonzero(np.diff(time[rows]) == 0)
        if again.size:
            raise InputError(
                f"{table.where(int(rows[again[0] + 1]))}: needed each time once at {one:g} K, found one twice"
            )
        times[k, : rows.size], values[k, : rows.size] = time[rows], value[rows]
    data = xr.Dataset(
        {"correlation": (("experiment", "point"), values)},
        coords={
            "experiment": [f"{one:g} K" for one in distinct],
            "temperature": ("experiment", distinct),
            "temperature_stderr": ("experiment", np.full(distinct.size, np.nan)),
            "time": (("experiment", "point"), times),
        },
    )
    attach(data, table.findings())
    return stamp(data, "autocorrelation", sources=json.dumps([str(table.path)]))


def rotational_correlation_time(
    autocorrelation: xr.Dataset,
    *,
    rank: int,
    steps: str | None = None,
    start: float = 0.0,
    molecules: int | None = None,
    length: float | None = None,
) -> xr.Dataset:
    """The correlation time of rank 2, which quadrupolar and dipolar relaxation see, from C(t) of rank 1 or 2.

    A decay A exp(-(t/tau)^beta) is fitted to C(t) from `start` to where C first falls below 0.05, and its mean time
    tau Gamma(1/beta)/beta taken. A below 1 is what librations took before; of rank 2, relaxation is slower by it.

    Of rank 1, C1 = <u(t) . u(0)>, the time of rank 2 follows in two limits alone. In large steps, such as a tetrahedron
    makes that turns by 120 degrees, all ranks decay together: tau_2 = tau_1. In steps much smaller than a radian
    tau_l = 1/(l(l+1) D), so that tau_2 = tau_1/3 (Abragam, The Principles of Nuclear Magnetism, 1961, chapter VIII).
    C1 cannot tell which of the two holds; a trajectory gives C2 as easily.

    Parameters
    ----------
    autocorrelation : stage `autocorrelation`
    rank : 1 or 2, of C(t)
    steps : for rank 1, "large" or "small"
    start : [s], from which time on C(t) is fitted; later than librations, if there are any
    molecules, length : number of molecules that C(t) is the mean of, and length of the trajectory [s]; they give the
        error, tau_c sqrt(4 tau_c / (molecules length)), as of the time integral of a correlation function (Zwanzig,
        Ailawadi, Phys. Rev. 182 (1969) 280). Of simulated tetrahedra that jump, 93 to 98 % of the intervals
        tau_c exp(±1.96 stderr/tau_c) held the truth; with small steps it is 1.3 to 1.6 times too large. Where tau_c
        is 0.4 of the run, times are a tenth (27 molecules) to a fifth (8) too short, as longer ones are not seen.
        Without both there is no error, and `infer` takes its size from the scatter about the law.

    Returns
    -------
    motion : `tau_c` and `tau_c_stderr` [s] with the branch "given", `amplitude` and `beta` of the fit, for a `Process`
        with the mechanism `CorrelationTime()`. Where C(t) does not fall below 1/e of what it was at `start`, or has
        fewer than five points, there is no tau_c but a `reason`.

    Raises
    ------
    InputError
        For another rank, rank 1 without `steps`, or half of what tells the error.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> t = np.linspace(0, 50e-12, 101)
    >>> c = stamp(xr.Dataset({"correlation": (("experiment", "point"), np.exp(-t / 6e-12)[None])},
    ...     coords={"experiment": ["300 K"], "temperature": ("experiment", [300.0]),
    ...         "temperature_stderr": ("experiment", [np.nan]), "time": (("experiment", "point"), t[None])}),
    ...     "autocorrelation")
    >>> for steps in ("large", "small"):
    ...     tau = rotational_correlation_time(c, rank=1, steps=steps, molecules=27, length=50e-12)
    ...     print(f"{tau.tau_c.item():.2e} ± {tau.tau_c_stderr.item():.0e} s")
    6.00e-12 ± 8e-13 s
    2.00e-12 ± 3e-13 s
    """
    require(autocorrelation, "autocorrelation")
    factor = _to_rank_2(rank, steps)
    if (molecules is None) != (length is None):
        raise InputError("rotational_correlation_time: needed both molecules and length for an error, found one")
    require_within("rotational_correlation_time: start [s]", start, least=0, single=True)
    n = autocorrelation.sizes["experiment"]
    tau, amplitude, beta = np.full((3, n), np.nan)
    reason = np.full(n, "", dtype=object)
    for k in range(n):
        decay = _decay(autocorrelation["time"].values[k], autocorrelation["correlation"].values[k], start)
        if isinstance(decay, str):
            reason[k] = decay
        else:
            tau[k], amplitude[k], beta[k] = decay
    stderr = np.full(n, np.nan)
    if molecules is not None and length is not None:
        require_within("rotational_correlation_time: molecules", molecules, least=1, single=True)
        require_within("rotational_correlation_time: length [s]", length, above=0, single=True)
        stderr = tau * np.sqrt(4 * tau / (molecules * length))
    variables: dict[str, Any] = {
        "tau_c": (("experiment", "branch"), factor * tau[:, None]),
        "tau_c_stderr": (("experiment", "branch"), factor * stderr[:, None]),
        "feasible": ("experiment", np.isfinite(tau)),
        "amplitude": ("experiment", amplitude),
        "beta": ("experiment", beta),
        "reason": ("experiment", reason),
    }
    coords = {name: autocorrelation[name] for name in ("experiment", "temperature", "temperature_stderr")}
    motion = xr.Dataset(
        variables,
        coords=coords | {"branch": ["given"], "larmor_frequency": ("experiment", np.full(n, np.nan))},
    )
    said = "C(t) is of rank 2, as in NMR"
    if rank == 1:
        said = f"C(t) is of rank 1, in {steps} steps: tau_2 = tau_1{'/3' if steps == 'small' else ''}"
    attach(motion, [*attached(autocorrelation), Finding("rotational-rank", "", said)])
    return stamp(motion, "motion", nucleus="", sources=autocorrelation.attrs.get("sources", "[]"))


def _to_rank_2(rank: int, steps: str | None) -> float:
    """tau_2 over the time of C(t)."""
    if rank not in (1, 2):
        raise InputError(f"rotational_correlation_time: needed rank 1 or 2, found {rank}")
    if rank == 2:
        if steps is not None:
            raise InputError(
                f"rotational_correlation_time: needed no steps for rank 2, found {steps!r}; leave them out"
            )
        return 1.0
    if steps not in ("large", "small"):
        raise InputError(
            "rotational_correlation_time: needed steps='large' (tau_2 = tau_1) or 'small' (tau_2 = tau_1/3) for "
            f"rank 1, found {steps!r}"
        )
    return 1.0 if steps == "large" else 1 / 3


def _decay(time: Array, correlation: Array, start: float) -> tuple[float, float, float] | str:
    """Mean time, amplitude and stretching exponent of a decay, or why there are none."""
    known = np.isfinite(time + correlation) & (time >= start)
    t, c = time[known], correlation[known]
    noise = np.flatnonzero(c < _NOISE)
    if noise.size:
        t, c = t[: noise[0] + 1], c[: noise[0] + 1]
    if t.size < _LEAST_POINTS:
        return f"C(t) has {t.size} points from {start * 1e12:g} ps to where it falls below {_NOISE:g}, too few"
    if c.min() > _FALLEN * c[0]:
        return f"C(t) falls only from {c[0]:.2f} to {c.min():.2f} in {t[-1] * 1e12:.3g} ps, too little for a time"
    guess = t[np.flatnonzero(c <= _FALLEN * c[0])[0]]

    def residual(p: Array) -> Array:
        return p[0] * np.exp(-((t / np.exp(p[1])) ** p[2])) - c

    found = least_squares(residual, [c[0], np.log(guess), 1.0], bounds=([0.0, -100.0, 0.2], [1.2, 10.0, 1.5]))
    size, log_tau, beta = found.x
    return float(np.exp(log_tau) * gamma(1 / beta) / beta), float(size), float(beta)
