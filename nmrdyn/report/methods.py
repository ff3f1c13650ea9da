"""A paragraph for the methods section of a paper, of what was done in this study, with its references."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.report.data_tables import experiments_of, recovered
from nmrdyn.rounding import significant, with_error
from nmrdyn.schema import ZERO_CELSIUS

_REFERENCES = {
    "bpp": "Bloembergen, N.; Purcell, E. M.; Pound, R. V. Phys. Rev. 1948, 73, 679. doi:10.1103/PhysRev.73.679",
    "abragam": "Abragam, A. The Principles of Nuclear Magnetism; Oxford University Press: Oxford, 1961; chapter VIII.",
    "nmrglue": "Helmus, J. J.; Jaroniec, C. P. J. Biomol. NMR 2013, 55, 355. doi:10.1007/s10858-013-9718-x",
    "emcee": "Foreman-Mackey, D.; Hogg, D. W.; Lang, D.; Goodman, J. Publ. Astron. Soc. Pac. 2013, 125, 306. "
    "doi:10.1086/670067",
    "r_hat": "Vehtari, A.; Gelman, A.; Simpson, D.; Carpenter, B.; Bürkner, P.-C. Bayesian Anal. 2021, 16, 667. "
    "doi:10.1214/20-BA1221",
    "arviz": "Kumar, R.; Carroll, C.; Hartikainen, A.; Martin, O. J. Open Source Softw. 2019, 4, 1143. "
    "doi:10.21105/joss.01143",
    "scipy": "Virtanen, P. et al. Nat. Methods 2020, 17, 261. doi:10.1038/s41592-019-0686-2",
    "xarray": "Hoyer, S.; Hamman, J. J. Open Res. Softw. 2017, 5, 10. doi:10.5334/jors.148",
}
_RECOVERIES = {
    "SingleExponential": "a single exponential",
    "StretchedExponential": "a stretched exponential",
    "BiExponential": "two exponentials",
    "TriExponential": "three exponentials",
    "PopulationRecovery": "the populations of all levels",
}
_INTENSITIES = {"shape": "amplitudes of the line shape that all rows share", "box": "integrals over a region"}
_KINDS = {"saturation_recovery": "saturation recovery", "inversion_recovery": "inversion recovery"}
_LAWS = {
    "arrhenius": "an Arrhenius law",
    "vtf": "a Vogel-Tammann-Fulcher law",
    "eyring": "an Eyring law",
    "two_arrhenius": "the sum of two Arrhenius laws",
    "phase_transition": "an Arrhenius law on each side of a phase transition",
}


@dataclass
class _Numbers:
    """References in the order in which they are cited."""

    cited: list[str] = field(default_factory=list)

    def __call__(self, *keys: str) -> str:
        self.cited += [key for key in keys if key not in self.cited]
        return f" [{', '.join(str(self.cited.index(key) + 1) for key in keys)}]"


@dataclass(frozen=True)
class Methods:
    """The sentences as paragraphs, and the references in the order of their numbers."""

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]


def methods(posterior: xr.DataTree, comparison: xr.Dataset, summary: dict[str, Any]) -> Methods:
    """What was done in this study, from what the posterior says of itself."""
    cite = _Numbers()
    described = json.loads(posterior.attrs["processes"])
    measured = [
        sentence
        for name, node in posterior["processes"].children.items()
        for sentence in _of_process(name, node, described[name], summary, cite)
    ]
    return Methods(
        (
            " ".join(measured),
            " ".join(_of_temperatures(summary)),
            " ".join(_of_inference(comparison, posterior, summary, cite)),
        ),
        tuple(_REFERENCES[key] for key in cite.cited),
    )


def _of_process(
    name: str, node: xr.DataTree, entry: Mapping[str, Any], summary: dict[str, Any], cite: _Numbers
) -> list[str]:
    data = experiments_of(node)
    celsius = data["temperature"].values - ZERO_CELSIUS
    known = celsius[np.isfinite(celsius)]
    n = data.sizes["experiment"]
    across = f" between {known.min():.1f} and {known.max():.1f} °C" if known.size else ""
    if "transport" in node:
        parts = {"bulk": " of the bulk", "grain_boundary": " of the grain boundaries"}
        part = parts.get(str(data["part"].item()), "") if "part" in data.coords else ""
        said = [f"The conductivity{part} ({name}) was taken at {n} points{across}."]
        if "impedance" in node:
            said.append("Resistances came from fits of an equivalent circuit to impedance spectra.")
        equation = {"sigma_T": "σT = A exp(−E/kT)", "sigma": "σ = A exp(−E/kT)"}[entry["convention"]]
        return [
            *said,
            f"Its barrier is that of {equation}." if entry["law_name"] == "arrhenius" else _law_said(entry, "it"),
        ]
    if "diffusion" in node:
        return [f"Diffusion coefficients ({name}) were taken at {n} points{across}.", _law_said(entry, "they")]
    if "relaxation" not in node:
        return [f"Correlation times ({name}) were taken at {n} points{across}.", _law_said(entry, "they")]
    nucleus = entry["nucleus"] or "nuclear"
    fields = np.unique(data["larmor_frequency"].values) / 1e6
    at = " and ".join(f"{one:.2f} MHz" for one in fields if np.isfinite(one))
    kinds = list(dict.fromkeys(_KINDS.get(str(one), "") for one in recovered(node, "kind", "")))
    by = f" by {' and '.join(filter(None, kinds))}" if any(kinds) else ""
    said = [f"T1 of {nucleus} ({name}; Larmor frequency {at or 'not known'}) was taken{by} at {n} points{across}."]
    rates = np.array(recovered(node, "mas_rate", np.nan), dtype=float)
    if np.isfinite(rates).any():
        said.append(
            f"The sample was spun at {significant(np.nanmax(rates) / 1e3, 3)} kHz."
            if np.nanmax(rates) > 0
            else "The sample was static."
        )
    if "recovery" in node and "read_by" in node["recovery"].coords:
        ways = {str(one).split(",")[0] for one in recovered(node, "read_by", "")}
        how = [words for way, words in _INTENSITIES.items() if way in ways]
        said.append(
            f"Intensities were read from TopSpin data{', as ' if how else ''}{' or '.join(how)}, digital filters by "
            f"nmrglue{cite('nmrglue')}."
        )
    if "recovery" in node and (model := _calls(entry["recovery"])):
        words = _RECOVERIES.get(model[0][0], model[0][0])
        said.append(f"Recoveries were described by {words}, with amplitude, depth and noise free.")
    said.append(_mechanism_said(name, entry, summary, cite))
    said.append(_law_said(entry, "τc"))
    return said


def _law_said(entry: Mapping[str, Any], what: str) -> str:
    law = _LAWS.get(entry["law_name"], entry["law"])
    return f"{what[0].upper() + what[1:] if what != 'τc' else what} followed {law}."


def _mechanism_said(name: str, entry: Mapping[str, Any], summary: dict[str, Any], cite: _Numbers) -> str:
    """The mechanism with its couplings and their errors."""
    parts = []
    for call, values in _calls(entry["mechanism"]):
        density = values.get("spectral_density", "")
        debye = "Debye" in str(density)
        tail = f" with the spectral density {density}" if density and not debye else ""
        shape = f" with an exponential correlation function{cite('bpp')}" if debye else tail
        if call == "BPP":
            cq, eta = (_quantity(name, key, values.get(key), summary) for key in ("cq", "eta"))
            part = values.get("fluctuating", 1.0)
            of_it = f", fluctuating part of C_Q²(1 + η²/3) = {part}" if part != 1.0 else ""
            said = f"quadrupolar coupling (C_Q = {_scaled(cq, 1e6, 'MHz')}, η = {_scaled(eta, 1.0, '')}{of_it}){shape}"
            parts.append(said)
        elif call == "Dipolar":
            distance = _quantity(name, "distance", values.get("distance"), summary)
            near = f" at {_scaled(distance, 1e-10, 'Å')}" if distance else ""
            said = f"dipolar coupling to {values.get('count', 1):g} {values.get('partner')}{near}{shape}"
            parts.append(said)
        elif call == "Background":
            rate = _quantity(name, "r1", values.get("r1", values.get("rate")), summary)
            parts.append(f"a constant rate{f' of {_scaled(rate, 1.0, chr(8260) + chr(115))}' if rate else ''}")
        else:
            parts.append(call)
    said = f"Relaxation was ascribed to {' and '.join(parts) or entry['mechanism']}."
    if "abragam" in cite.cited or not any(call in ("BPP", "Dipolar") for call, _ in _calls(entry["mechanism"])):
        return said
    return f"{said} Its rates are those of second-order theory for isotropic motion in a high field{cite('abragam')}."


def _quantity(name: str, key: str, stated: Any, summary: dict[str, Any]) -> tuple[float, float] | None:
    """Mean and sd of the prior of a coupling, or its fixed value and 0."""
    prior = _calls(summary["priors"].get(f"{name}.{key}", ""))
    if prior and prior[0][0] == "Normal":
        return prior[0][1]["mean"], prior[0][1]["sd"]
    return (float(stated), 0.0) if isinstance(stated, int | float) else None


def _scaled(quantity: tuple[float, float] | None, scale: float, unit: str) -> str:
    if quantity is None:
        return "as sampled"
    value, error = quantity
    return f"{with_error(value / scale, error / scale)} {unit}".strip()


def _of_temperatures(summary: dict[str, Any]) -> list[str]:
    said = []
    for name, text in summary["probes"].items():
        for _, probe in _calls(text):
            errors = [
                f"{probe[key]:g} K {words}"
                for key, words in (("point", "for each temperature"), ("offset", "for their common offset"))
                if probe.get(key)
            ]
            if probe.get("scale"):
                errors.append(f"{100 * probe['scale']:g} % for their scale")
            if errors:
                shared = ", shared by what was measured in the same runs" if probe.get("same_runs") else ""
                said.append(f"Temperatures of {name} were given standard errors of {' and '.join(errors)}{shared}.")
    return said or ["Temperatures were taken as exact but for errors that the data give."]


def _of_inference(comparison: xr.Dataset, posterior: xr.DataTree, summary: dict[str, Any], cite: _Numbers) -> list[str]:
    likelihoods = dict.fromkeys(process["likelihood"] for process in summary["processes"].values())
    provenance, versions = summary["provenance"], summary["provenance"]["versions"]
    draws = posterior["posterior"].sizes
    found = [process["diagnostics"] for process in summary["processes"].values()]
    said = [
        f"{_together(posterior)}; the likelihood was that of {'; and of '.join(likelihoods)}.",
        f"Priors were {'; '.join(_priors_said(posterior, summary))}.",
        f"Modes of the posterior were searched for and weighed by importance sampling. "
        f"It was sampled with {provenance['sampler']}{cite('emcee')}, at most {provenance['steps']} steps, the first "
        f"{provenance['discarded']} discarded; {draws['chain'] * draws['draw']:,} draws of the rest were kept "
        f"(seed {provenance['seed']}).",
        f"R-hat{cite('r_hat')} was at most {max(one['r_hat'] for one in found):.4f} and the effective sample size, by "
        f"arviz-stats {versions['arviz-stats']}{cite('arviz')}, at least {min(one['ess'] for one in found):.0f}.",
    ]
    if not summary["diagnostics"]["passed"]:
        said.append("The sampler did not converge.")
    if summary["differences"]:
        margin = 1e3 * float(comparison.attrs["margin"])
        said.append(
            f"Two barriers count as different where the central 95 % interval of their difference lies outside "
            f"±{margin:g} meV, as the same where it lies inside, and as undecided otherwise."
        )
    said.append(
        f"Calculations were done with nmrdyn {provenance['nmrdyn']}, SciPy {versions['scipy']}{cite('scipy')}, xarray "
        f"{versions['xarray']}{cite('xarray')} and NumPy {versions['numpy']} on Python {versions['python']}."
    )
    return said


def _together(posterior: xr.DataTree) -> str:
    """What was inferred with what: processes that share no parameter are sampled by themselves."""
    blocks = [block["processes"] for block in json.loads(posterior.attrs["modes"])]
    if len(blocks) < 2:
        return "All parameters were inferred together"
    named = "; ".join(" and ".join(block) for block in blocks)
    return f"Parameters of processes that share any were inferred together, others by themselves ({named})"


def _priors_said(posterior: xr.DataTree, summary: dict[str, Any]) -> list[str]:
    """Every prior in words, once for the processes that share it."""
    owners: dict[tuple[str, str], list[str]] = {}
    for name, prior in summary["priors"].items():
        owner, quantity = name.split(".", 1)
        unit = posterior["posterior"][name].attrs.get("units", "") if name in posterior["posterior"] else ""
        words = f"{quantity.replace('_', ' ')}{f' / {unit}' if unit else ''}"
        if unit.startswith("log10("):
            words = f"log10({quantity.removeprefix('log10_').replace('_', ' ')} / {unit[6:-1]})"
        owners.setdefault((words, _prior_said(prior)), []).append(owner)
    return [f"{quantity}: {prior} ({', '.join(names)})" for (quantity, prior), names in owners.items()]


def _prior_said(prior: str) -> str:
    (kind, values), *_ = _calls(prior) or [("", {})]
    if kind == "Normal":
        return f"normal, {with_error(values['mean'], values['sd'])}"
    if kind in ("Uniform", "LogUniform"):
        law = "uniform" if kind == "Uniform" else "log-uniform"
        return f"{law} from {values['low']:g} to {values['high']:g}"
    return f"half-normal of scale {values['scale']:g}" if kind == "HalfNormal" else prior


def _calls(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The constructors in a repr with their arguments: numbers and text as such, models as their text."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return []
    found = []
    for node in _top_calls(tree):
        values = {}
        for keyword in node.keywords:
            try:
                values[str(keyword.arg)] = ast.literal_eval(keyword.value)
            except ValueError:
                values[str(keyword.arg)] = ast.unparse(keyword.value)
        found.append((ast.unparse(node.func), values))
    return found


def _top_calls(node: ast.AST) -> list[ast.Call]:
    """Constructors that are no argument of another, but for those that a sum holds."""
    if isinstance(node, ast.BinOp):
        return [*_top_calls(node.left), *_top_calls(node.right)]
    if isinstance(node, ast.Tuple | ast.List):
        return [call for one in node.elts for call in _top_calls(one)]
    if isinstance(node, ast.Call) and "Sum" in ast.unparse(node.func):
        return [call for one in (*node.args, *(key.value for key in node.keywords)) for call in _top_calls(one)]
    return [node] if isinstance(node, ast.Call) else []
