"""Tables of impedance spectra, resistances, conductivities and what was made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from nmrdyn.rounding import with_error
from nmrdyn.schema import ZERO_CELSIUS
from nmrdyn.table.column import (
    Column,
    counts,
    ends_of,
    intervals,
    limits,
    measured,
    numbers,
    remarks,
    spans,
    temperatures,
    texts,
    values_of,
    words_of,
)
from nmrdyn.table.recoveries import notes_of
from nmrdyn.table.table import Table

_MOST_TEMPERATURES = 12  # of a Haven ratio, which is a curve


def of_impedance(data: xr.Dataset) -> Table:
    """Impedance spectra, one row a spectrum."""
    frequency = data["frequency"].values
    known = np.isfinite(frequency) & np.isfinite(data["impedance_real"].values)
    columns = (
        *_samples(data),
        texts("from", words_of(data, "temperature_source"), "temperature_source"),
        numbers("points", "points", "", known.sum(axis=1), form=".0f"),
        spans("frequencies / Hz", "frequency", "Hz", *ends_of(frequency, known)),
        texts("read by", words_of(data, "read_by"), "read_by"),
    )
    return Table(columns, "Impedance spectra", notes_of(data))


def of_resistance(data: xr.Dataset) -> Table:
    """Resistances of the parts of a sample, one row a spectrum."""
    columns = [
        *_samples(data),
        measured("R / ohm", "R", "ohm", data["resistance"].values, data["resistance_stderr"].values),
        limits("limits of R / ohm", "R", "ohm", values_of(data, "resistance_low"), values_of(data, "resistance_high")),
    ]
    for part, name in (("bulk", "bulk"), ("grain_boundary", "gb")):
        value, error = (values_of(data, f"{part}_resistance{end}") for end in ("", "_stderr"))
        columns.append(measured(f"R {name} / ohm", f"R_{name}", "ohm", value, error, kept=False))
        capacitance = values_of(data, f"{part}_capacitance")
        columns.append(numbers(f"C {name} / F", f"C_{name}", "F", capacitance, digits=2))
    columns += [
        texts("circuit", words_of(data, "circuit")),
        numbers("misfit / %", "misfit", "", values_of(data, "misfit"), factor=100, digits=2),
        numbers("Kramers-Kronig / %", "kramers_kronig", "", values_of(data, "kramers_kronig"), factor=100, digits=2),
        remarks(words_of(data, "reason")),
    ]
    return Table(tuple(columns), "Resistances", notes_of(data))


def of_transport(data: xr.Dataset) -> Table:
    """Conductivities, one row a temperature."""
    low, high = values_of(data, "conductivity_low"), values_of(data, "conductivity_high")
    columns = (
        *_samples(data),
        measured("sigma / S/m", "conductivity", "S/m", data["conductivity"].values, data["conductivity_stderr"].values),
        limits("limits / S/m", "limits", "S/m", *(np.where(np.isfinite(low), ends, np.nan) for ends in (low, high))),
        remarks(words_of(data, "reason")),
    )
    part = str(data["part"].item()).replace("_", " ") if "part" in data.coords else ""
    caption = "Conductivities" + (f" of the {part}" if part not in ("", "total") else "")
    shared = float(data.attrs.get("cell_stderr", 0.0))
    notes = (f"the geometry adds {100 * shared:.2g} %, common to all temperatures of a sample",) if shared > 0 else ()
    return Table(columns, caption, (*notes, *notes_of(data)))


def of_lines(data: xr.Dataset) -> Table:
    """Barriers of conductivities by straight lines, one row a sample, direction and phase."""
    columns = [
        *(texts(name, words_of(data, name, along="line")) for name in ("sample", "direction", "phase")),
        counts("n", "points", data["points"].values),
        spans(
            "T / °C",
            "temperature",
            "K",
            data["temperature_low"].values,
            data["temperature_high"].values,
            shift=ZERO_CELSIUS,
        ),
    ]
    for convention in data["convention"].values:
        one, said = data.sel(convention=convention), str(convention).replace("_", " ")
        energy, error = one["activation_energy"].values, one["activation_energy_stderr"].values
        name = f"activation_energy_{convention}"
        columns.append(measured(f"E_a({said}) / meV", name, "eV", energy, error, factor=1e3))
        if convention == "sigma_T":
            ends = (values_of(one, f"activation_energy_{end}", along="line") for end in ("low", "high"))
            columns.append(intervals("95 % / meV", name, "eV", *ends, factor=1e3))
        prefactor = one["log10_prefactor"].values
        columns.append(numbers(f"log10 A({said})", f"log10_prefactor_{convention}", "", prefactor, form=".2f"))
    columns += [
        numbers("rms", "rms_sigma_T", "", data["rms"].sel(convention="sigma_T").values, form=".3f"),
        texts("straight", ["yes" if one else "no" for one in data["straight"].values]),
        remarks(words_of(data, "reason", along="line")),
    ]
    notes = ("A in S K/m for sigma T and in S/m for sigma; rms of the residuals in ln(sigma T)", *notes_of(data))
    return Table(tuple(columns), "Straight lines through ln(sigma T) and ln(sigma) against 1/T", notes)


def of_vacancies(data: xr.Dataset) -> Table:
    """Conductivities beside the model of vacancies, one row a sample."""
    error = values_of(data, "conductivity_stderr", along="sample")
    energy = with_error(1e3 * float(data["migration_energy"]), 1e3 * float(data["migration_energy_stderr"]))
    excess, spread = np.log10(data["excess"].values), data["log10_excess_stderr"].values
    columns = (
        numbers("vacant / %", "vacancy_fraction", "", data["vacancy_fraction"].values, factor=100),
        temperatures(data),
        measured("sigma / S/m", "conductivity", "S/m", data["conductivity"].values, error),
        numbers("predicted / S/m", "predicted", "S/m", data["predicted"].values, digits=3),
        numbers("excess", "excess", "", data["excess"].values, digits=3),
        measured("log10 excess", "log10_excess", "", excess, spread),
        texts("fitted", ["yes" if one else "no" for one in data["fitted"].values]),
        remarks(words_of(data, "reason", along="sample")),
    )
    return Table(
        columns,
        "Conductivities beside the model of vacancies",
        (f"free energy of migration {energy} meV", *notes_of(data)),
    )


def of_haven(data: xr.Dataset) -> Table:
    """The Haven ratio at some temperatures: medians and 95 % intervals."""
    count = data.sizes["temperature"]
    kept = np.unique(np.linspace(0, count - 1, min(count, _MOST_TEMPERATURES)).round().astype(int))
    some = data.isel(temperature=kept)
    columns = [temperatures(some)]
    for head, name, unit in (
        ("sigma of NMR / S/m", "predicted", "S/m"),
        ("sigma / S/m", "measured", "S/m"),
        ("Haven ratio", "haven_ratio", ""),
    ):
        low, middle, high = (some[name].sel(quantile=q).values for q in (0.025, 0.5, 0.975))
        end = f" / {unit}" if unit else ""
        columns.append(numbers(head, name, unit, middle, digits=3))
        columns.append(intervals(f"95 %{end}", name, unit, low, high))
    below = values_of(some, "probability_below_one", along="temperature")
    columns.append(numbers("P(< 1)", "probability_below_one", "", below, form=".3f"))
    columns.append(remarks(["" if one else "outside what was measured" for one in some["inside"].values]))
    notes = (f"{kept.size} of {count} temperatures; the sigma of NMR is that of a Haven ratio of 1",)
    names = " and ".join(filter(None, (str(data.attrs.get(one, "")) for one in ("nmr", "conductivity"))))
    return Table(tuple(columns), f"Haven ratio of {names}".removesuffix(" of "), (*notes, *notes_of(data)))


def _samples(data: xr.Dataset) -> tuple[Column, ...]:
    """Experiments, samples and directions, and temperatures."""
    said = tuple(texts(name, words_of(data, name)) for name in ("sample", "direction"))
    return texts("experiment", words_of(data, "experiment")), *said, temperatures(data)


MAKERS: Mapping[str, Callable[[xr.Dataset], Table]] = {
    "impedance": of_impedance,
    "resistance": of_resistance,
    "transport": of_transport,
    "lines": of_lines,
    "vacancies": of_vacancies,
    "haven": of_haven,
}
