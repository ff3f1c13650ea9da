"""posterior -> haven: the conductivity that jumps seen by NMR would make, beside the measured one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.findings import Finding, attach
from nmrdyn.inference.forecast import QUANTILES, log_draws
from nmrdyn.inference.measurements import usable_rows
from nmrdyn.inference.process import Process
from nmrdyn.schema import Array, InputError, require, require_within, stamp
from nmrdyn.transport import Carriers, diffusion_conductivity, draw_carriers, jump_diffusion

_POINTS = 60
_LEAST = 0.1  # Haven ratios of vacancies and concerted jumps lie above
_SURE = 0.99  # of a branch
_NOTABLE = 0.1  # change of ln H_R between the ends of the common range


def haven_ratio(
    posterior: xr.DataTree,
    carriers: Carriers,
    *,
    nmr: Process,
    conductivity: Process,
    temperature: npt.ArrayLike | None = None,
    seed: int = 1,
) -> xr.Dataset:
    """The conductivity that the jumps seen by NMR would make, the measured one, and their ratio, the Haven ratio.

    From tau_c follow tau_res = r tau_c, where r is `correlation_times_per_jump`, the tracer diffusion coefficient
    D* = f a^2 / (2 d tau_res), and what it would conduct if charge and tracer moved alike, sigma_1 = n q^2 D* / kT.
    With D_sigma from the measured sigma, the Haven ratio is H_R = D*/D_sigma = sigma_1/sigma. It is f where ions jump
    by single vacancies of which there are few, mostly between 0.1 and 1 where they move together, and the same at all
    temperatures as far as geometry makes it. Above 1, or far below 0.1, NMR and conductivity do not tell of the same
    jumps, or a number is wrong.
    Source: Haven, Verkerk, Phys. Chem. Glasses 6 (1965) 38; Murch, Solid State Ionics 7 (1982) 177.

    Both laws are taken draw by draw, so that shared temperature errors and both branches of T1(tau_c) are in the
    intervals; so is the relative error of the cell of the impedance measurement, `attrs["cell_stderr"]` of the
    transport.
    They hold for the laws: without scatter, and outside the measured ranges as far as the laws do.

    Parameters
    ----------
    posterior : what `infer` returned of both processes together
    carriers : which ions jump, and how
    nmr, conductivity : the processes as `infer` was given them
    temperature : one, or (temperature,) [K]; both measured ranges together unless said
    seed : draws what is uncertain of the carriers and of the cell

    Returns
    -------
    haven : quantiles 0.025, 0.16, 0.5, 0.84 and 0.975 of `predicted` and `measured` [S/m] and of `haven_ratio`, and
        `probability_below_one`, that of H_R < 1; `inside` is where both were measured. In attrs, at
        `reference_temperature` [K], the middle of where both were measured: `consistent_with_one` and
        `consistent_with_f`, 1 where the 95 % interval of H_R holds 1, or that of H_R/f does. Findings say what a
        ratio would mean

    Raises
    ------
    InputError
        For a process that the posterior does not have, one of another kind, a temperature that is not above 0, or a
        prior that is mostly outside the possible values.

    Examples
    --------
    Na+ that jumps every 24 ns at 90 °C, and the 7.56e-2 S/m that this makes:

    >>> import nmrdyn as nd
    >>> kelvin, coupling = [340, 352, 363], {"nucleus": "23Na", "cq": 1e6, "eta": 0.1}
    >>> jumps = nd.RelaxationTruth(**coupling, larmor_frequency=132.32e6, activation_energy=0.55, tau_c=2.4e-8,
    ...     reference_temperature=363.15, temperature=kelvin)
    >>> moved = nd.ConductivityTruth(activation_energy=0.55, conductivity=7.56e-2, reference_temperature=363.15,
    ...     temperature=kelvin)
    >>> hop = nd.Process("hop", nd.simulate(jumps, seed=1), mechanism=nd.BPP(**coupling),
    ...     recovery=nd.SingleExponential())
    >>> eis = nd.Process("eis", nd.simulate(moved, seed=1), mechanism=nd.Conductivity("sigma_T"))
    >>> sodium = Carriers(charge=1, ions_per_cell=2, lattice_constant=4.70e-10, jump_distance=4.70e-10 / 2**0.5,
    ...     dimensions=3, correlation_factor=1, correlation_times_per_jump=1)
    >>> found = haven_ratio(nd.infer([hop, eis], seed=1), sodium, nmr=hop, conductivity=eis, temperature=352.0)
    >>> low, high = found.haven_ratio.sel(quantile=[0.025, 0.975]).values.ravel()
    >>> bool(low < 1.0 < high)
    True
    """
    require(posterior, "posterior")
    for process, kinds, wanted in (
        (nmr, ("relaxation", "motion"), "T1 or correlation times as nmr"),
        (conductivity, ("transport",), "conductivities as conductivity"),
    ):
        if process.datum not in kinds:
            raise InputError(f"haven_ratio: needed a process of {wanted}, found {process.name} of {process.datum}")
    ranges = [_measured_range(posterior, process) for process in (nmr, conductivity)]
    low, high = max(edge for edge, _ in ranges), min(edge for _, edge in ranges)
    reference = 2 / (1 / low + 1 / high)
    if temperature is None:
        ends = [min(edge for edge, _ in ranges), max(edge for _, edge in ranges)]
        kelvin = 1 / np.linspace(1 / ends[1], 1 / ends[0], _POINTS)
    else:
        kelvin = np.atleast_1d(np.asarray(temperature, dtype=float))
        require_within("haven_ratio: temperature [K]", kelvin, above=0)
    # Behind the temperatures asked for stand those that the remarks are about.
    everywhere = np.append(kelvin, [low, reference, high])
    log_tau = log_draws(posterior, nmr, temperature=everywhere)
    cell_stderr = float(np.nan_to_num(conductivity.data.attrs.get("cell_stderr", 0.0)))
    rng = np.random.default_rng(seed)
    of_one_second, correlation = _conductivity_of_jumps(carriers, everywhere, len(log_tau), rng)
    predicted = np.log(of_one_second) - log_tau
    measured = log_draws(posterior, conductivity, temperature=everywhere)
    measured = measured + cell_stderr * rng.standard_normal((len(log_tau), 1))
    ratio = predicted - measured
    below = np.where(np.isnan(ratio).any(axis=0), np.nan, np.mean(ratio < 0, axis=0))
    found = xr.Dataset(
        {
            "predicted": (("quantile", "temperature"), _quantiles(predicted)[:, :-3]),
            "measured": (("quantile", "temperature"), _quantiles(measured)[:, :-3]),
            "haven_ratio": (("quantile", "temperature"), _quantiles(ratio)[:, :-3]),
            "probability_below_one": ("temperature", below[:-3]),
        },
        coords={
            "quantile": list(QUANTILES),
            "temperature": kelvin,
            "inside": ("temperature", (kelvin >= low) & (kelvin <= high)),
        },
    )
    at_reference = ratio[:, -2]
    found = stamp(
        found,
        "haven",
        nmr=nmr.name,
        conductivity=conductivity.name,
        carriers=repr(carriers),
        cell_stderr=cell_stderr,
        reference_temperature=reference,
        consistent_with_one=int(_holds_one(at_reference)),
        consistent_with_f=int(_holds_one(at_reference - np.log(correlation))),
    )
    return attach(found, _remarks(found, posterior, conductivity, ranges, ratio[:, -3:]))


def _remarks(
    found: xr.Dataset, posterior: xr.DataTree, conductivity: Process, ranges: list[tuple[float, float]], ratio: Array
) -> Iterator[Finding]:
    """What the ratio means; `ratio` is ln H_R at both ends and in the middle of where both were measured."""
    nmr, kelvin = found.attrs["nmr"], found.attrs["reference_temperature"]
    where = f"{nmr}, {conductivity.name}"
    middle, (first, _, last) = _quantiles(ratio)[:, 1], _quantiles(ratio)[2]
    (nmr_low, nmr_high), (low, high) = ranges
    said = f"at {kelvin:.0f} K the Haven ratio is {middle[2]:.2g} (95 %: {middle[0]:.2g} to {middle[4]:.2g})"
    part = conductivity.data.coords.get("part")
    part_of = "" if part is None or not str(part.item()) else f" (here: {part.item()})"
    if middle[0] > 1:
        yield Finding(
            "haven-above-one",
            where,
            f"{said}: the jumps that NMR sees would conduct more than was measured. Jumps to and fro and rotations "
            "carry no charge; tau_c may be too short (coupling, branch); grain boundaries, pores and contacts lower a "
            f"conductivity{part_of}; or the density or jump distance is wrong",
        )
    if middle[4] < _LEAST:
        yield Finding(
            "haven-far-below-one",
            where,
            f"{said}: more charge moves than the jumps that NMR sees would carry. Other ions or electrons conduct, "
            "ions move many at a time, tau_c may be too long (coupling, branch, another motion), or the density or "
            "jump distance is wrong",
        )
    if max(nmr_low, low) > min(nmr_high, high):
        yield Finding(
            "haven-extrapolated",
            where,
            f"NMR was measured from {nmr_low:.0f} to {nmr_high:.0f} K and the conductivity from {low:.0f} to "
            f"{high:.0f} K, with no temperature in common: the Haven ratio at {kelvin:.0f} K is as good as the laws "
            "beyond their data",
        )
    elif abs(np.log(last / first)) > _NOTABLE and not _holds_one(ratio[:, 2] - ratio[:, 0]):
        yield Finding(
            "haven-varies",
            where,
            f"the Haven ratio goes from {first:.2g} at {max(nmr_low, low):.0f} K to {last:.2g} at "
            f"{min(nmr_high, high):.0f} K, as the barriers differ; where both tell of the same jumps it stays the same",
        )
    branch = json.loads(posterior.attrs["processes"])[nmr].get("branch") or {}
    if branch and max(branch["fast"], 1 - branch["fast"]) < _SURE:
        yield Finding(
            "haven-branch",
            nmr,
            f"tau_c is on the fast branch with probability {branch['fast']:.2f}: the interval of the Haven ratio holds "
            "both branches, which lie far apart",
        )
    if found.attrs["cell_stderr"] == 0:
        yield Finding(
            "no-cell-error",
            conductivity.name,
            "no error of thickness and area was given: the Haven ratio takes the conductivities as exact but for noise",
        )


def _measured_range(posterior: xr.DataTree, process: Process) -> tuple[float, float]:
    """Lowest and highest temperature of the data that were used [K]."""
    known = json.loads(posterior.attrs["processes"])
    if process.name not in known:
        raise InputError(f"haven_ratio: needed a process among {', '.join(known)}, found {process.name!r}")
    data = posterior[f"processes/{process.name}/{process.datum}"].dataset
    kelvin = data["temperature"].values[usable_rows(data, process.datum)]
    return float(kelvin.min()), float(kelvin.max())


def _conductivity_of_jumps(carriers: Carriers, kelvin: Array, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """What tau_c = 1 s would conduct for H_R = 1 [S/m] (draw, temperature), and f (draw,)."""
    drawn = draw_carriers(carriers, n, rng=rng)
    correlation = drawn["correlation_factor"]
    diffusion = jump_diffusion(
        drawn["correlation_times_per_jump"],  # s, of one correlation time of 1 s
        jump_distance=drawn["jump_distance"],
        dimensions=carriers.dimensions,
        correlation_factor=correlation,
    )
    sigma = diffusion_conductivity(
        diffusion[:, None], carrier_density=drawn["density"][:, None], temperature=kelvin, charge=carriers.charge
    )
    return sigma, correlation


def _quantiles(log_value: Array) -> Array:
    return np.exp(np.quantile(log_value, QUANTILES, axis=0))


def _holds_one(log_value: Array) -> bool:
    """Whether the central 95 % of a value, given by its logarithm, hold 1."""
    low, high = np.quantile(log_value, [0.025, 0.975])
    return bool(low <= 0 <= high)
