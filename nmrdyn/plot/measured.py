"""What stages hold against temperature, as series of points with their errors and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.plot.style import named
from nmrdyn.schema import Array

IMPROBABLE = 0.1  # a branch below it is drawn hollow and pale

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Series:
    """Points of one colour and marker, one an experiment of the stage, NaN where it has none.

    `low` and `high` are limits where there is no value, or where the interval of a value is open: NaN where there is no
    such limit. `pale` are points of an improbable branch.
    """

    label: str
    kelvin: Array
    kelvin_stderr: Array  # NaN where it is not known
    value: Array
    stderr: Array  # NaN where it is not known
    low: Array
    high: Array
    pale: _Mask
    larmor_frequency: float = np.nan
    fast: bool = False

    @property
    def seen(self) -> _Mask:
        """Which experiments there is something to be drawn of."""
        return np.isfinite(self.kelvin) & (np.isfinite(self.value) | np.isfinite(self.low) | np.isfinite(self.high))


def series_of(quantity: str, stages: Mapping[str, xr.Dataset], name: str, *, improbable: bool = True) -> list[Series]:
    """The series of a quantity in the stages of a process; `name` is that of the process or nucleus."""
    make: dict[str, tuple[str, Callable[[xr.Dataset, str], list[Series]]]] = {
        "t1": ("relaxation", _t1),
        "tau_c": ("motion", _tau_c),
        "sigma_T": ("transport", _sigma),
        "diffusion": ("diffusion", _diffusion),
    }
    stage, series = make[quantity]
    found = series(stages[stage], name) if stage in stages else []
    if not improbable:
        found = [replace(one, value=np.where(one.pale, np.nan, one.value)) for one in found]
    return [one for one in found if one.seen.any()]


def _t1(data: xr.Dataset, name: str) -> list[Series]:
    """T1 at each field."""
    t1, frequency = data["t1"].values, data["larmor_frequency"].values
    low, high = _limits(data, "t1", t1)
    fields = np.unique(frequency)
    return [
        _series(
            data, _joined(name, f"{field / 1e6:.1f} MHz" if fields.size > 1 else ""), t1, data["t1_stderr"].values,
            low=low, high=high, only=frequency == field, larmor_frequency=float(field),
        )
        for field in fields
    ]  # fmt: skip


def _tau_c(data: xr.Dataset, name: str) -> list[Series]:
    """Correlation times on each branch, and how probable that is."""
    found = []
    for k, branch in enumerate(map(str, data["branch"].values)):
        tau_c = data["tau_c"].values[:, k]
        pale = np.zeros(tau_c.shape, dtype=bool)
        words = branch
        if data.sizes["branch"] == 1:
            words = ""
        elif "branch_probability" in data:
            probability = data["branch_probability"].values[:, k]
            pale = probability < IMPROBABLE
            words = f"{branch}, {_said(probability[np.isfinite(tau_c)])}"
        found.append(
            _series(data, _joined(name, words), tau_c, data["tau_c_stderr"].values[:, k], pale=pale,
                    fast=branch == "fast")
        )  # fmt: skip
    return sorted(found, key=lambda one: bool(one.pale.all()))


def _said(probability: Array) -> str:
    """P of a branch, or from where to where it goes."""
    known = probability[np.isfinite(probability)]
    if not known.size:
        return "P unknown"
    least, most = known.min(), known.max()
    if most - least > 0.0015:
        return f"P = {least:.3f} to {most:.3f}"
    if least > 0.9995:
        return "P > 0.999"
    return "P < 0.001" if most < 0.0005 else f"P = {most:.3f}"


def _sigma(data: xr.Dataset, name: str) -> list[Series]:
    """sigma T of each sample and direction."""
    kelvin = data["temperature"].values
    sigma = data["conductivity"].values
    low, high = _limits(data, "conductivity", sigma)
    empty = np.full(kelvin.shape, "")
    groups = [data[key].values.astype(str) if key in data.coords else empty for key in ("sample", "direction")]
    pairs = sorted(set(zip(*groups, strict=True)))
    return [
        _series(
            data, _joined(name, *(pair if len(pairs) > 1 or not name else ())), sigma * kelvin,
            data["conductivity_stderr"].values * kelvin, low=low * kelvin, high=high * kelvin,
            only=(groups[0] == pair[0]) & (groups[1] == pair[1]),
        )
        for pair in pairs
    ]  # fmt: skip


def _diffusion(data: xr.Dataset, name: str) -> list[Series]:
    return [_series(data, named(name), data["diffusion"].values, data["diffusion_stderr"].values)]


def _joined(*words: str) -> str:
    return named(", ".join(filter(None, words)))


def _limits(data: xr.Dataset, quantity: str, value: Array) -> tuple[Array, Array]:
    """Limits that matter: those of experiments without a value, and those whose other side is open."""
    if f"{quantity}_low" not in data or f"{quantity}_high" not in data:
        return np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    low, high = data[f"{quantity}_low"].values, data[f"{quantity}_high"].values
    matters = np.isnan(value) | ~(low > 0) | ~np.isfinite(high)
    return np.where(matters & (low > 0), low, np.nan), np.where(matters & np.isfinite(high), high, np.nan)


def _series(
    data: xr.Dataset,
    label: str,
    value: Array,
    stderr: Array,
    *,
    low: Array | None = None,
    high: Array | None = None,
    only: _Mask | None = None,
    pale: _Mask | None = None,
    larmor_frequency: float = np.nan,
    fast: bool = False,
) -> Series:
    kelvin = data["temperature"].values
    shown = np.ones(kelvin.shape, dtype=bool) if only is None else only
    sideways = data["temperature_stderr"].values if "temperature_stderr" in data.coords else None
    none = np.full(kelvin.shape, np.nan)
    return Series(
        label=label,
        kelvin=kelvin,
        kelvin_stderr=none if sideways is None else sideways,
        value=np.where(shown, value, np.nan),
        stderr=stderr,
        low=none if low is None else np.where(shown, low, np.nan),
        high=none if high is None else np.where(shown, high, np.nan),
        pale=~shown & shown if pale is None else pale,
        larmor_frequency=larmor_frequency,
        fast=fast,
    )
