"""The tables of what was found: barriers, differences, laws, error budget, influence, diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nmrdyn.report.tables import ENERGY, Cell, Table, estimate, interval, number, table, words
from nmrdyn.schema import ZERO_CELSIUS

_CONVENTIONS = {"sigma_T": "σT = A exp(−E/kT)", "sigma": "σ = A exp(−E/kT)", "": ""}
_PER_CENT = "{:.0f}"


def result_tables(
    summary: dict[str, Any], described: Mapping[str, Any], units: Mapping[str, str]
) -> dict[str, Table | list[Table]]:
    """All tables that the summary alone makes, by the name under which a section shows them."""
    return {
        "barriers": _barriers(summary, described),
        "differences": _differences(summary),
        "shares": _shares(summary),
        "parameters": _parameters(summary, units),
        "laws": _laws(summary, described),
        "lines": _lines(summary),
        "agreement": _agreement(summary),
        "published": _published(summary),
        "budget": _budget(summary),
        "influence": _influence(summary),
        "diagnostics": _diagnostics(summary),
        "nuisances": _nuisances(summary, units),
        "priors": _priors(summary),
        "inputs": table(
            "table-inputs",
            "Files that were read",
            ["File", "sha256"],
            [
                [words(name), words(digest, code=True)]
                for name, digest in summary["provenance"]["inputs_sha256"].items()
            ],
        ),
    }


def _barriers(summary: dict[str, Any], described: Mapping[str, Any]) -> Table:
    rows = []
    for name, process in summary["processes"].items():
        parameters = process["law_parameters"]
        other = parameters.get("log10_tau0") or parameters.get("log10_prefactor")
        misfit, branch = process["misfit"], process["branch"]
        tested = f"{misfit['chi2']:.1f} ({misfit['dof']})" + ("" if misfit["p"] is None else f", {misfit['p']:.2g}")
        soft = [_CONVENTIONS[described[name]["convention"]]]
        if described[name]["law_name"] in ("vtf", "eyring"):
            soft.append(f"at {process['barriers_at_K']:.0f} K")
        if not process["law_fits"]:
            soft.append("the law does not describe the data: no barrier")
        rows += [
            [
                Cell(label, soft="; ".join(filter(None, soft))),
                Cell(process["role"]),
                estimate(energy["median"], energy["sd"], scale=1e3),
                interval(energy["ci68"]),
                interval(energy["ci95"]),
                estimate(other["mean"], other["sd"]) if other else number(None),
                Cell("{fast:.3f}, {slow:.3f}, {crossing:.3f}".format(**branch), branch["fast"])
                if branch
                else Cell("–"),
                Cell(tested, misfit["chi2"]),
            ]
            for label, energy in process["barriers_eV"].items()
        ]
    head = ["Barrier", "Role", ENERGY, "68 % / meV", "95 % / meV", "log₁₀ τ₀/s or prefactor"]
    return table("table-barriers", "Barriers", [*head, "Branch: fast, slow, crossing", "χ² (dof), p"], rows)


def _differences(summary: dict[str, Any]) -> Table:
    rows = [
        [
            Cell(pair),
            estimate(one["mean"], one["sd"], scale=1e3),
            interval(one["ci95"]),
            number(one["probability_positive"], "{:.3f}"),
            number(one["probability_equivalent"], "{:.3f}"),
            Cell(one["verdict"]),
            words(one["reason"]),
        ]
        for pair, one in summary["differences"].items()
    ]
    head = ["Difference", "meV", "95 % / meV", "P(> 0)", "P(inside margin)", "Verdict", "Why"]
    return table("table-differences", "Differences of barriers", head, rows)


def _shares(summary: dict[str, Any]) -> Table:
    rows = []
    for name, process in summary["processes"].items():
        budget = process["mechanism_budget"] or {}
        for part in next(iter(budget.values()), {}):
            found = [budget.get(branch, {}).get(part) for branch in ("fast", "slow")]
            cells = [interval(one, scale=100, form="{:.1f} to {:.1f} %") if one else number(None) for one in found]
            rows.append([Cell(name), Cell(part), *cells])
    head = ["Process", "Mechanism", "Fast branch", "Slow branch"]
    return table("table-shares", "Share of each mechanism in 1/T1", head, rows)


def _parameters(summary: dict[str, Any], units: Mapping[str, str]) -> Table:
    rows = []
    for name, process in summary["processes"].items():
        for parameter, found in process["law_parameters"].items():
            cells = [estimate(found["median"], found["sd"]), interval(found["ci95"], scale=1, form="{:.4g} to {:.4g}")]
            unit = units.get(f"{name}.{parameter}", "")
            rows.append(
                [Cell(name), words(process["law"], code=True), Cell(parameter.replace("_", " ")), Cell(unit), *cells]
            )
    head = ["Process", "Law", "Parameter", "Unit", "Median ± sd", "95 %"]
    return table("table-parameters", "Parameters of the laws", head, rows)


def _laws(summary: dict[str, Any], described: Mapping[str, Any]) -> Table:
    rows = []
    for name, process in summary["processes"].items():
        evidence = process["law_evidence"] or {}
        for law, found in evidence.items():
            used = evidence[described[name]["law_name"]]
            gain = found["log_evidence"] - used["log_evidence"]
            said = f"{gain:+.2f} ± {found['log_evidence_stderr']:.2f}"
            mark = " (used)" if law == described[name]["law_name"] else ""
            rows.append([Cell(name), Cell(law + mark), Cell(said, gain), number(found["probability"], "{:.3f}")])
    head = ["Process", "Law", "ln(evidence) less that of the law used", "Probability"]
    return table("table-laws", "Laws of temperature", head, rows)


def _lines(summary: dict[str, Any]) -> Table:
    rows = []
    for name, lines in summary["conductivity_lines"].items():
        for line in lines:
            low, high = (kelvin - ZERO_CELSIUS for kelvin in line["temperature_K"])
            energies = [
                number(None)
                if line[key]["activation_energy_eV"] is None
                else estimate(line[key]["activation_energy_eV"], line[key]["stderr_eV"] or float("nan"), scale=1e3)
                for key in ("sigma_T", "sigma")
            ]
            rows.append(
                [
                    Cell(", ".join(filter(None, (name, line["sample"], line["direction"], line["phase"])))),
                    Cell(f"{low:.0f} to {high:.0f}", low),
                    number(line["points"], "{:.0f}"),
                    *energies,
                    number(line["sigma_T"]["rms_ln"], "{:.3f}"),
                    words(line["reason"]),
                ]
            )
    head = ["Process", "Range / °C", "Points", "E of σT / meV", "E of σ / meV", "rms in ln(σT)", "Remark"]
    return table("table-lines", "Straight lines through conductivities", head, rows)


def _agreement(summary: dict[str, Any]) -> list[Table]:
    pairs = dict.fromkeys(reason["pair"] for reason in summary["agreement"])
    return [
        table(
            f"table-agreement-{k}",
            pair,
            ["Cause", "Status", "Why"],
            [
                [Cell(one["title"]), Cell(one["status"]), words(one["text"])]
                for one in summary["agreement"]
                if one["pair"] == pair
            ],
        )
        for k, pair in enumerate(pairs)
    ]


def _published(summary: dict[str, Any]) -> Table:
    rows = []
    for one in summary["published"]:
        low, high = one["temperature_low"], one["temperature_high"]
        if low is None:
            kelvin = Cell("", float("nan"))
        else:
            kelvin = Cell(f"{low:.0f}" + ("" if high in (None, low) else f" to {high:.0f}"), low)
        rows.append(
            [
                Cell(", ".join(filter(None, (one["compound"], one["phase"])))),
                Cell(one["quantity"] + (f": {one['moves']}" if one["moves"] else "")),
                Cell(" ".join(filter(None, (one["qualifier"], one["value_printed"], one["unit_printed"])))),
                Cell(f"{one['value']:.4g} {one['unit']}", one["value"]),
                kelvin,
                Cell(one["convention"]),
                words(f"{one['paper']}, {one['place']}" + (f", doi {one['doi']}" if one["doi"] else "")),
            ]
        )
    head = ["Compound", "Quantity", "Printed", "eV or SI", "Range / K", "Convention", "Paper, place"]
    return table("table-published", "Published figures", head, rows)


def _budget(summary: dict[str, Any]) -> Table:
    sources = list(next(iter(summary["error_budget"].values()))["share"])
    rows = []
    for name, row in summary["error_budget"].items():
        cells = []
        for source in sources:
            share, saved = row["share"][source], row["saved"][source]
            less = "" if saved is None else f" ({100 * saved:.0f})"
            cells.append(number(None) if share is None else Cell(f"{100 * share:.0f}{less}", share))
        rows.append([Cell(name), number(1e3 * row["sd_eV"], "{:.1f}"), *cells])
    head = ["Barrier or difference", "sd / meV", *(f"{source} / %" for source in sources)]
    return table("table-budget", "Error budget", head, rows)


def _influence(summary: dict[str, Any]) -> Table:
    labels = list(summary["influence"][0]["barriers"]) if summary["influence"] else []
    rows = []
    for run in summary["influence"]:
        cells = [
            number(run["temperature_K"] - ZERO_CELSIUS, "{:.1f}"),
            words(run["experiments"]),
        ]
        for label in labels:
            one = run["barriers"][label]
            if one["mean"] is None:
                cells += [number(None), number(None)]
            else:
                cells += [estimate(one["mean"], one["sd"], scale=1e3), number(one["shift_sd"], "{:+.1f}")]
        pareto = number(run["pareto_k"])
        cells.append(Cell(pareto.text + (", sampled anew" if run["sampled_anew"] else ""), pareto.value))
        rows.append(cells)
    head = ["T left out / °C", "Experiments"]
    for label in labels:
        head += [f"{label} / meV", "shift / sd"]
    return table(
        "table-influence", "Barriers without one temperature", [*head, "Pareto k"], rows,
        folded="Every barrier without one temperature",
    )  # fmt: skip


def _diagnostics(summary: dict[str, Any]) -> Table:
    rows = []
    for name, process in summary["processes"].items():
        found = process["diagnostics"]
        rows.append(
            [
                Cell(name),
                number(found["r_hat"], "{:.4f}"),
                number(found["ess"], "{:.0f}"),
                number(found["autocorrelation_time"], "{:.1f} steps"),
                number(found["lengths"], "{:.0f}"),
                Cell("yes" if found["passed"] else "NO"),
            ]
        )
    head = ["Process", "R-hat", "ESS", "Autocorrelation time", "Length / time", "Passed"]
    return table("table-diagnostics", "Diagnostics", head, rows)


def _nuisances(summary: dict[str, Any], units: Mapping[str, str]) -> Table:
    rows = [
        [
            Cell(name),
            words(one["said"]),
            estimate(one["median"], one["sd"]) if "mean" in one else number(None),
            Cell(units.get(name, "")),
        ]
        for name, one in summary["nuisances"].items()
    ]
    return table("table-nuisances", "Quantities beside the laws", ["Quantity", "Treated as", "Found", "Unit"], rows)


def _priors(summary: dict[str, Any]) -> Table:
    rows = [[Cell(name), words(prior, code=True)] for name, prior in summary["priors"].items()]
    return table("table-priors", "Priors", ["Quantity", "Prior"], rows)
