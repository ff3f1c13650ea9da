"""The glossary: every stage of the pipeline, its variables, dimensions and units. Read this first.

    TopSpin folder -> recovery -> relaxation -> motion -> posterior -> comparison -> report
    impedance -> resistance -> transport ---------------^   |
    molecular dynamics -> diffusion, autocorrelation -------^

A stage is an `xarray.Dataset` (a `DataTree` for a posterior) with `attrs["stage"]`. Each function that makes
one ends with `stamp`, each function that takes one begins with `require`. A glossary is best read in one place, so that
this file is longer than others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

Array = npt.NDArray[np.float64]

BOLTZMANN_EV = 8.617333262145179e-5  # eV/K, exact in the SI of 2019
PLANCK_EV = 6.62607015e-34 / 1.602176634e-19  # eV s, exact
ZERO_CELSIUS = 273.15  # K

RECOVERY_KINDS = ("saturation_recovery", "inversion_recovery")


class InputError(ValueError):
    """Input that cannot be used; the text says what was needed, what was found, where, and the next move."""


@dataclass(frozen=True)
class Variable:
    """One quantity: its dimensions, its unit ("" for none) and the words for an axis."""

    dims: tuple[str, ...]
    unit: str
    long_name: str


@dataclass(frozen=True)
class Stage:
    """A stage: the variables it must have, those it may have, and the coordinates along `experiment`."""

    summary: str
    variables: dict[str, Variable]
    optional: dict[str, Variable] = field(default_factory=dict)
    coords: dict[str, Variable] = field(default_factory=dict)


_E = ("experiment",)
_EI = ("experiment", "increment")
_EB = ("experiment", "branch")
_EC = ("experiment", "component")
_EK = ("experiment", "peak")
_EP = ("experiment", "point")
_LC = ("line", "convention")
_QT = ("quantile", "temperature")
_PS = ("process", "sample")
_DS = ("pair", "sample")

_CONDITIONS = {
    "temperature": Variable(_E, "K", "temperature"),
    "temperature_stderr": Variable(_E, "K", "standard error of the temperature"),
}
_SPECTROMETER = _CONDITIONS | {
    "larmor_frequency": Variable(_E, "Hz", "Larmor frequency"),
}
_ROWS = {
    "rows_recorded": Variable(_E, "", "rows recorded"),
    "rows_planned": Variable(_E, "", "rows planned"),
}

STAGES: dict[str, Stage] = {
    "recovery": Stage(
        "Intensities against the recovery delay, one row an experiment, NaN where no row was recorded.",
        {
            "signal": Variable(_EI, "1", "intensity"),
            "signal_stderr": Variable(_EI, "1", "standard error of the intensity, measured"),
        },
        optional={
            "box": Variable(_EI, "1", "integral over the region, for comparison"),
            "box_stderr": Variable(_EI, "1", "standard error of the integral over the region"),
        },
        coords=_SPECTROMETER
        | _ROWS
        | {
            "delay": Variable(_EI, "s", "recovery delay"),
            "row": Variable(_EI, "", "row as recorded, from 1"),
            "site": Variable(_E, "", "name of the region that was read"),
            "read_by": Variable(_E, "", "how intensities were read, and where from the carrier"),
            "temperature_source": Variable(_E, "", "what told the temperature"),
            "mas_rate": Variable(_E, "Hz", "spinning rate"),
            "irradiated": Variable(_E, "", "what was irradiated besides"),
            "second_component": Variable(_E, "", "second line shape over the first"),
            "second_component_limit": Variable(_E, "", "smallest second line shape that would be seen"),
            "kind": Variable(_E, "", "kind of experiment"),
            "pulse_program": Variable(_E, "", "pulse program"),
            "noise_dof": Variable(_E, "", "degrees of freedom of the measured noise"),
            "reason": Variable(_E, "", "why a row is empty"),
        },
    ),
    "relaxation": Stage(
        "T1 of each experiment; a failed fit is a NaN row with a reason.",
        {
            "t1": Variable(_E, "s", "T1"),
            "t1_stderr": Variable(_E, "s", "standard error of T1"),
        },
        optional={
            "t1_low": Variable(_E, "s", "low end of the 95 % interval of T1, 0 where it is open"),
            "t1_high": Variable(_E, "s", "high end of the 95 % interval of T1, infinite where it is open"),
            "t1_dof": Variable(_E, "", "degrees of freedom of the standard error"),
            "t1_mean": Variable(_E, "s", "mean recovery time (area under the decay)"),
            "t1_meaning": Variable(_E, "", "which T1 the model gives"),
            "beta": Variable(_E, "", "stretching exponent"),
            "beta_stderr": Variable(_E, "", "standard error of the stretching exponent"),
            "ratio": Variable(_E, "", "ratio of the times of two exponentials, or W1/W2 of populations"),
            "ratio_stderr": Variable(_E, "", "standard error of the ratio"),
            "component_t1": Variable(_EC, "s", "time of an exponential, longest first"),
            "component_t1_stderr": Variable(_EC, "s", "standard error of the time of an exponential"),
            "component_fraction": Variable(_EC, "", "fraction of an exponential"),
            "component_fraction_stderr": Variable(_EC, "", "standard error of the fraction of an exponential"),
            "amplitude": Variable(_E, "1", "intensity at full recovery"),
            "depth": Variable(_E, "", "depth (1 saturated, 2 inverted)"),
            "reduced_chi2": Variable(_E, "", "reduced chi-square against the measured noise"),
            "converged": Variable(_E, "", "fit converged"),
            "error_scaled": Variable(_E, "", "residuals exceed the measured noise and scale the error"),
            "rows_used": Variable(_E, "", "rows used"),
            "reason": Variable(_E, "", "why a value is missing, or how its error was made"),
            "model": Variable(_E, "", "recovery model"),
            "model_weight": Variable(("experiment", "candidate"), "", "Akaike weight of each model tried"),
            "model_t1": Variable(("experiment", "candidate"), "s", "T1 by each model tried"),
            "fit": Variable(_EI, "1", "fitted recovery"),
        },
        coords=_SPECTROMETER | _ROWS,
    ),
    "distribution": Stage(
        "The distribution of T1 of each experiment; where there is none, a NaN row with a reason.",
        {
            "distribution": Variable(("experiment", "t1"), "", "density of ln T1"),
            "band": Variable(("experiment", "t1", "bound"), "", "band of the density of ln T1"),
            "mean_t1": Variable(_E, "s", "exp of the mean of ln T1"),
            "mean_t1_interval": Variable(("experiment", "bound"), "s", "interval of exp of the mean of ln T1"),
            "width": Variable(_E, "", "half of the central 68 % range of ln T1"),
            "resolution": Variable(_E, "", "half of the central 68 % range of ln T1 that a single T1 would show"),
            "peaks": Variable(_E, "", "number of peaks"),
            "peak_t1": Variable(_EK, "s", "T1 of a peak"),
            "peak_t1_interval": Variable((*_EK, "bound"), "s", "interval of T1 of a peak"),
            "peak_area": Variable(_EK, "", "area of a peak"),
            "peak_area_interval": Variable((*_EK, "bound"), "", "interval of the area of a peak"),
            "outside": Variable(_E, "", "share past the delays"),
            "reached": Variable(("experiment", "t1"), "", "T1 is within the delays"),
            "misfit": Variable(_E, "", "residuals over the noise"),
            "amplitude": Variable(_E, "1", "intensity at full recovery"),
            "depth": Variable(_E, "", "depth (1 saturated, 2 inverted)"),
            "reason": Variable(_E, "", "why there is no distribution"),
        },
        coords=_CONDITIONS | {"t1": Variable(("t1",), "s", "T1")},
    ),
    "motion": Stage(
        "Correlation times on both branches of T1(tau_c); NaN where no solution exists.",
        {
            "tau_c": Variable(_EB, "s", "correlation time"),
            "tau_c_stderr": Variable(_EB, "s", "standard error of the correlation time (linear)"),
            "feasible": Variable(_E, "", "T1 is not below the shortest the mechanism allows"),
        },
        optional={
            "branch_probability": Variable(_EB, "", "posterior probability of the branch"),
            "near_minimum": Variable(_E, "", "T1 is within three standard errors of its minimum"),
            "t1": Variable(_E, "s", "T1"),
            "t1_minimum": Variable(_E, "s", "shortest T1 the mechanism allows"),
            "rate_share": Variable((*_EB, "part"), "", "share of a mechanism in 1/T1"),
            "model": Variable(_E, "", "recovery model"),
            "amplitude": Variable(_E, "", "amplitude of the decay of C(t)"),
            "beta": Variable(_E, "", "stretching exponent of the decay of C(t)"),
            "reason": Variable(_E, "", "why a value is missing"),
            "rows_used": Variable(_E, "", "rows used"),
        },
        coords=_SPECTROMETER | _ROWS,
    ),
    "impedance": Stage(
        "Impedance spectra, one row a spectrum, NaN-padded.",
        {
            "impedance_real": Variable(_EP, "ohm", "real part of the impedance"),
            "impedance_imaginary": Variable(_EP, "ohm", "imaginary part of the impedance"),
        },
        coords=_CONDITIONS
        | {
            "frequency": Variable(_EP, "Hz", "frequency"),
            "direction": Variable(_E, "", "heating or cooling"),
            "read_by": Variable(_E, "", "whose format the file has"),
            "temperature_source": Variable(_E, "", "what told the temperature, or why nothing did"),
        },
    ),
    "resistance": Stage(
        "Resistances of the parts of a sample; where a spectrum tells none, a NaN row with a reason and its limits.",
        {
            "resistance": Variable(_E, "ohm", "total resistance"),
            "resistance_stderr": Variable(_E, "ohm", "standard error of the total resistance"),
        },
        optional={
            "resistance_low": Variable(_E, "ohm", "least total resistance, 0 where nothing limits it"),
            "resistance_high": Variable(_E, "ohm", "largest total resistance, infinite where nothing limits it"),
            "bulk_resistance": Variable(_E, "ohm", "resistance of the bulk"),
            "bulk_resistance_stderr": Variable(_E, "ohm", "standard error of the resistance of the bulk"),
            "bulk_capacitance": Variable(_E, "F", "capacitance of the arc of the bulk"),
            "grain_boundary_resistance": Variable(_E, "ohm", "resistance of the grain boundaries"),
            "grain_boundary_resistance_stderr": Variable(_E, "ohm", "standard error of that of the grain boundaries"),
            "grain_boundary_capacitance": Variable(_E, "F", "capacitance of the arc of the grain boundaries"),
            "circuit": Variable(_E, "", "equivalent circuit"),
            "circuit_values": Variable(_E, "", "values of its elements, in SI"),
            "circuit_reason": Variable(_E, "", "why this circuit"),
            "misfit": Variable(_E, "", "rms of the residuals of the circuit over |Z|"),
            "kramers_kronig": Variable(_E, "", "rms of the residuals of a Kramers-Kronig test over |Z|"),
            "converged": Variable(_E, "", "fit converged"),
            "reason": Variable(_E, "", "why a value is missing"),
            "fit_real": Variable(_EP, "ohm", "real part of the fit"),
            "fit_imaginary": Variable(_EP, "ohm", "imaginary part of the fit"),
        },
        coords=_CONDITIONS
        | {
            "sample": Variable(_E, "", "sample"),
            "direction": Variable(_E, "", "heating or cooling"),
        },
    ),
    "transport": Stage(
        "Conductivity against temperature.",
        {
            "conductivity": Variable(_E, "S/m", "conductivity"),
            "conductivity_stderr": Variable(_E, "S/m", "standard error of the conductivity"),
        },
        optional={
            "conductivity_low": Variable(_E, "S/m", "least conductivity, 0 where nothing limits it"),
            "conductivity_high": Variable(_E, "S/m", "largest conductivity, infinite where nothing limits it"),
            "cell_stderr": Variable(_E, "", "relative error of the geometry, common to the temperatures of a sample"),
            "reason": Variable(_E, "", "why a value is missing"),
        },
        coords=_CONDITIONS
        | {
            "sample": Variable(_E, "", "sample"),
            "direction": Variable(_E, "", "heating or cooling"),
            "part": Variable((), "", "total, bulk or grain_boundary"),
        },
    ),
    "lines": Stage(
        "Straight lines through ln(sigma T) and ln(sigma) against 1/T, one a sample, direction and phase.",
        {
            "activation_energy": Variable(_LC, "eV", "activation energy"),
            "activation_energy_stderr": Variable(_LC, "eV", "standard error of the activation energy"),
            "log10_prefactor": Variable(_LC, "", "log10 of the prefactor, S K/m for sigma_T and S/m for sigma"),
            "rms": Variable(_LC, "", "rms of the residuals in ln"),
            "straight": Variable(("line",), "", "a straight line describes the data"),
            "reason": Variable(("line",), "", "why there is no barrier, or why it is in doubt"),
        },
        optional={
            "activation_energy_low": Variable(_LC, "eV", "low end of the 95 % interval of the activation energy"),
            "activation_energy_high": Variable(_LC, "eV", "high end of the 95 % interval of the activation energy"),
        },
        coords={
            "convention": Variable(("convention",), "", "sigma_T or sigma"),
            "sample": Variable(("line",), "", "sample"),
            "direction": Variable(("line",), "", "heating or cooling"),
            "phase": Variable(("line",), "", "below or above a transition"),
            "points": Variable(("line",), "", "number of conductivities"),
            "temperature_low": Variable(("line",), "K", "lowest temperature"),
            "temperature_high": Variable(("line",), "K", "highest temperature"),
            "part": Variable((), "", "total, bulk or grain_boundary"),
        },
    ),
    "vacancies": Stage(
        "Conductivities of samples beside what a model of vacancies predicts.",
        {
            "conductivity": Variable(("sample",), "S/m", "conductivity"),
            "predicted": Variable(("sample",), "S/m", "conductivity predicted by the model of vacancies"),
            "log10_predicted_stderr": Variable(("sample",), "", "standard error of log10 of the prediction"),
            "excess": Variable(("sample",), "", "conductivity over the prediction"),
            "log10_excess_stderr": Variable(("sample",), "", "standard error of log10 of the excess"),
            "fitted": Variable(("sample",), "", "the sample took part in the fit"),
            "reason": Variable(("sample",), "", "why there is no excess"),
            "migration_energy": Variable((), "eV", "free energy of migration"),
            "migration_energy_stderr": Variable((), "eV", "standard error of the free energy of migration"),
        },
        optional={"conductivity_stderr": Variable(("sample",), "S/m", "standard error of the conductivity")},
        coords={
            "vacancy_fraction": Variable(("sample",), "", "fraction of the sites that is vacant"),
            "temperature": Variable(("sample",), "K", "temperature"),
        },
    ),
    "haven": Stage(
        "The conductivity that jumps seen by NMR would make beside the measured one.",
        {
            "predicted": Variable(_QT, "S/m", "conductivity predicted from NMR for a Haven ratio of 1"),
            "measured": Variable(_QT, "S/m", "conductivity as its law describes it"),
            "haven_ratio": Variable(_QT, "", "Haven ratio"),
        },
        optional={
            "probability_below_one": Variable(("temperature",), "", "probability that the Haven ratio is below 1"),
        },
        coords={
            "temperature": Variable(("temperature",), "K", "temperature"),
            "inside": Variable(("temperature",), "", "both were measured around this temperature"),
        },
    ),
    "diffusion": Stage(
        "Diffusion coefficients against temperature, as molecular dynamics gives them.",
        {
            "diffusion": Variable(_E, "m^2/s", "diffusion coefficient"),
            "diffusion_stderr": Variable(_E, "m^2/s", "standard error of the diffusion coefficient"),
        },
        coords=_CONDITIONS,
    ),
    "autocorrelation": Stage(
        "Rotational autocorrelation functions, one row a temperature, NaN-padded.",
        {"correlation": Variable(_EP, "", "rotational autocorrelation function")},
        optional={"correlation_stderr": Variable(_EP, "", "standard error of the autocorrelation function")},
        coords=_CONDITIONS | {"time": Variable(_EP, "s", "time")},
    ),
    "literature": Stage(
        "Published barriers, conductivities and correlation times, one entry a figure.",
        {
            "value": Variable(("entry",), "", "value in the unit of `unit`"),
            "stderr": Variable(("entry",), "", "standard error in the unit of `unit`, NaN where none is printed"),
        },
        coords={
            "entry": Variable(("entry",), "", "short name of the figure"),
            "compound": Variable(("entry",), "", "compound"),
            "phase": Variable(("entry",), "", "phase"),
            "quantity": Variable(("entry",), "", "what the figure is"),
            "moves": Variable(("entry",), "", "what moves"),
            "qualifier": Variable(("entry",), "", "about, above, below, or an end of a range: from, to"),
            "value_printed": Variable(("entry",), "", "value as printed"),
            "unit_printed": Variable(("entry",), "", "unit as printed"),
            "unit": Variable(("entry",), "", "eV, S/m or s"),
            "temperature_low": Variable(("entry",), "K", "lowest temperature that is printed"),
            "temperature_high": Variable(("entry",), "K", "highest temperature that is printed"),
            "convention": Variable(("entry",), "", "equation of a barrier from impedance, as far as it is stated"),
            "paper": Variable(("entry",), "", "the paper that was read"),
            "doi": Variable(("entry",), "", "its DOI"),
            "place": Variable(("entry",), "", "where in the paper"),
            "cited": Variable(("entry",), "", "whom the paper cites for the figure"),
            "note": Variable(("entry",), "", "note"),
        },
    ),
    "posterior": Stage("One joint set of draws over all processes (a DataTree in ArviZ's layout).", {}),
    "comparison": Stage(
        "Barriers side by side and their differences, draw by draw.",
        {
            "activation_energy": Variable(_PS, "eV", "activation energy"),
            "law_fits": Variable(("process",), "", "the law describes the data"),
            "difference": Variable(_DS, "eV", "difference of activation energies"),
            "probability_positive": Variable(("pair",), "", "probability that the difference is positive"),
            "probability_equivalent": Variable(("pair",), "", "probability that |difference| is inside the margin"),
            "verdict": Variable(("pair",), "", "same, different or undecided"),
            "reason": Variable(("pair",), "", "why the verdict is what it is"),
            "bayes_factor": Variable(("pair", "width"), "", "Bayes factor of no difference"),
        },
        coords={"width": Variable(("width",), "eV", "standard deviation of the difference if there is one")},
    ),
}


def require(data: Any, stage: str) -> None:
    """Refuse anything that is not the stage a function was written for.

    Raises
    ------
    InputError
        Naming what was needed, what was found and the next move.
    """
    makers = {
        "recovery": "read_topspin or simulate",
        "relaxation": "fit_recovery",
        "distribution": "t1_distribution",
        "motion": "correlation_time",
        "impedance": "read_impedance",
        "resistance": "fit_impedance",
        "transport": "read_conductivity",
        "lines": "straight_lines",
        "vacancies": "fit_vacancies",
        "haven": "haven_ratio",
        "diffusion": "read_diffusion",
        "autocorrelation": "read_autocorrelation",
        "literature": "literature",
        "posterior": "infer",
        "comparison": "compare",
    }
    found = getattr(data, "attrs", {}).get("stage", type(data).__name__)
    if found != stage:
        raise InputError(f"needed the stage '{stage}', found '{found}'; make one with nmrdyn.{makers[stage]}")
    spec = STAGES[stage]
    for name, variable in spec.variables.items():
        if name not in data:
            raise InputError(f"{stage}: needed the variable '{name}' ({variable.long_name}), found {sorted(data)}")
        unit = data[name].attrs.get("units", variable.unit)
        if unit != variable.unit:
            raise InputError(f"{stage}: needed '{name}' in {variable.unit}, found {unit}; convert it first")


def stamp(data: xr.Dataset, stage: str, **attrs: str | float | int) -> xr.Dataset:
    """Write units, long names, stage and version onto a Dataset (xarray does not reliably carry them)."""
    from nmrdyn import __version__

    spec = STAGES[stage]
    for name, variable in (spec.variables | spec.optional | spec.coords).items():
        if name in data.variables:
            data[name].attrs["long_name"] = variable.long_name
            if variable.unit:
                data[name].attrs["units"] = variable.unit
    data.attrs |= {"stage": stage, "nmrdyn_version": __version__, **attrs}
    return data


def require_within(
    what: str,
    value: float | Array,
    *,
    above: float = -np.inf,
    least: float = -np.inf,
    most: float = np.inf,
    below: float = np.inf,
    single: bool = False,
    advice: str = "",
) -> None:
    """Refuse a parameter of a model, or an array with any element, outside its range (without `above` and `below`).

    Raises
    ------
    InputError
        For a value outside, one that is no finite number, or an array where `single` asks for one number.
    """
    number = np.asarray(value)
    numeric = number.dtype.kind in "iuf" and number.size > 0 and not (single and number.ndim)
    # The infinite defaults of `above` and `below` refuse infinities, and comparisons refuse NaN.
    smallest, largest = (number.min(), number.max()) if numeric else (0.0, 0.0)
    if not (numeric and smallest > above and smallest >= least and largest <= most and largest < below):
        limits = [
            words
            for words, limit in (
                (f"above {above:g}", above),
                (f"from {least:g}", least),
                (f"up to {most:g}", most),
                (f"below {below:g}", below),
            )
            if np.isfinite(limit)
        ]
        kind, tail = "one finite number" if single else "a finite number", f"; {advice}" if advice else ""
        raise InputError(f"{what}: needed {' '.join([kind, ' and '.join(limits)]).rstrip()}, found {value}{tail}")
