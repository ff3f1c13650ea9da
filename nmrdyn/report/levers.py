"""What would change the verdict: the margin, what is not known exactly, branches, single temperatures, laws."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.compare import verdict_of
from nmrdyn.report.summary import DOUBTS
from nmrdyn.report.verdicts import Lever, decidable_of, ends_of, margin_of
from nmrdyn.rounding import with_error
from nmrdyn.schema import BOLTZMANN_EV, ZERO_CELSIUS, Array

_SOURCES = {
    "noise": "noise",
    "misfit": "the scatter between experiments",
    "temperature": "the temperature of each run",
    "offset": "the offset of the thermometers",
    "scale": "the scale of the thermometers",
    "cq": "C_Q",
    "eta": "eta",
    "branch": "the branch",
}
_LEAST = 0.01  # of an error; smaller savings are told together
_LEAST_BRANCH = 0.001


def levers(posterior: xr.DataTree, comparison: xr.Dataset, summary: dict[str, Any]) -> list[Lever]:
    """What would change each verdict, or each barrier where there is no pair, in sentences with numbers.

    The margins are those at which the 95 % interval of the draws would cross. What a source of error takes away is
    sd (1 - sqrt(1 - saved)) by the error budget. What a temperature changes is the shift of the barriers without it;
    their difference without it is given an error that grows as those of its barriers do.

    Returns
    -------
    levers : the theme, the sentence, and whether a verdict would change, which the themes other than the margin tell
    """
    if not summary["diagnostics"]["passed"]:
        return [Lever("Sampling", "The sampler did not converge: what would change the numbers cannot be told.")]
    return [
        *_of_margin(comparison, summary),
        *_of_errors(comparison, summary),
        *_of_branches(posterior, comparison, summary),
        *_of_temperatures(comparison, summary),
        *_of_laws(posterior, summary),
        *_of_conventions(summary),
        *_of_doubts(summary),
    ]


def conclusion(found: list[Lever], summary: dict[str, Any]) -> str:
    """The levers in one sentence."""
    if not summary["diagnostics"]["passed"]:
        return "Nothing can be said of draws that did not converge."
    if not summary["differences"]:
        return (
            "There is no pair of barriers, and so no verdict that could change; below is what would change a barrier."
        )
    if any(lever.changes for lever in found):
        return "Beside another margin, a verdict would change with what is marked below."
    return (
        "Nothing that was varied here but the margin would change a verdict: neither exact knowledge of one source of "
        "error, nor another branch, nor leaving out a single temperature."
    )


def _of_margin(comparison: xr.Dataset, summary: dict[str, Any]) -> Iterator[Lever]:
    decidable = decidable_of(summary)
    for pair, one in summary["differences"].items():
        if pair not in decidable:
            yield Lever("Margin", f"{pair}: no margin decides it, since {one['reason']}.")
            continue
        low, high = (1e3 * edge for edge in one["ci95"])
        same, different = max(abs(low), abs(high)), low if low > 0 else -high
        parts = [f"different below {different:.0f} meV"] if different > 0 else []
        parts.append(f"the same above {same:.0f} meV")
        margin = 1e3 * one["equivalence_margin_eV"]
        yield Lever("Margin", f"{pair}: {' and '.join(parts)}, undecided otherwise; the margin is {margin:g} meV.")


def _of_errors(comparison: xr.Dataset, summary: dict[str, Any]) -> Iterator[Lever]:
    decidable = decidable_of(summary)
    shown = summary["differences"] or summary["error_budget"]
    for name, row in summary["error_budget"].items():
        if name not in shown:
            continue
        saved = {
            source: 1 - np.sqrt(max(0.0, 1 - value)) for source, value in row["saved"].items() if value is not None
        }
        large = sorted((item for item in saved.items() if item[1] >= _LEAST), key=lambda item: -item[1])
        parts = [f"{_SOURCES.get(source, source.replace('_', ' '))} {100 * less:.0f} %" for source, less in large]
        small = [_SOURCES.get(source, source.replace("_", " ")) for source in saved if saved[source] < _LEAST]
        said = f"{name} (± {1e3 * row['sd_eV']:.1f} meV): "
        if parts:
            said += f"how much smaller exact knowledge would make its error: of {'; of '.join(parts)}"
            said += f"; of {', '.join(small)} less than 1 % each" if small else ""
        else:
            said += "exact knowledge of no source would make its error smaller by 1 %"
        noise = row["share"].get("noise")
        said += f". Noise makes {100 * noise:.0f} % of its variance." if noise is not None else "."
        changed = []
        if name in decidable and decidable[name]["verdict"] == "undecided":
            draws = comparison["difference"].sel(pair=name).values
            for source, less in large:
                low, high = ends_of(draws.mean() + (1 - less) * (draws - draws.mean()))
                if (verdict := verdict_of(low, high, margin_of(summary))) != "undecided":
                    changed.append(f"{_SOURCES.get(source, source)}: {verdict}")
        if changed:
            said += f" If the mean stayed, the verdict would then be, of {'; of '.join(changed)}."
        yield Lever("Errors", said, changes=bool(changed))


def _of_branches(posterior: xr.DataTree, comparison: xr.Dataset, summary: dict[str, Any]) -> Iterator[Lever]:
    for name, process in summary["processes"].items():
        if not process["branch"]:
            continue
        chosen = max(process["branch"], key=process["branch"].get)
        others = {key: value for key, value in process["branch"].items() if key != chosen and value >= _LEAST_BRANCH}
        if not others:
            sure = f"the {_branch_said(chosen)} has a probability above {1 - _LEAST_BRANCH:.3f}"
            yield Lever("Branch", f"{name}: nothing, {sure}.")
        for branch, probability in others.items():
            said = f"{name}: {_branch_said(branch)}, probability {probability:.3f}"
            inside = _on_branch(posterior, name, branch, probability)
            if inside is None:
                yield Lever("Branch", f"{said}; its draws are too few, or of no one barrier, to say more.")
                continue
            energy = posterior["posterior"].dataset[f"{name}.activation_energy"].values.ravel()[inside]
            parts, changed = [], False
            for pair in decidable_of(summary):
                if not _in_pair(pair, name):
                    continue
                verdict = verdict_of(
                    *ends_of(comparison["difference"].sel(pair=pair).values[inside]),
                    margin_of(summary),
                )
                changed |= verdict != summary["differences"][pair]["verdict"]
                parts.append(f"{pair} {verdict}")
            verdicts = f"; the verdicts there: {', '.join(parts)}" if parts else ""
            there = with_error(1e3 * energy.mean(), 1e3 * energy.std(ddof=1))
            yield Lever("Branch", f"{said}: the barrier there is {there} meV{verdicts}.", changes=changed)


def _branch_said(branch: str) -> str:
    return "T1 minimum inside the range" if branch == "crossing" else f"{branch} branch"


def _in_pair(pair: str, name: str) -> bool:
    return pair.startswith(f"{name} - ") or pair.endswith(f" - {name}")


def _on_branch(posterior: xr.DataTree, name: str, branch: str, probability: float) -> Array | None:
    """Which draws of an Arrhenius law lie on a branch; None where that cannot be told, or for fewer than 100."""
    draws, motion = posterior["posterior"].dataset, posterior["processes"].children[name]["motion"].dataset
    if f"{name}.log10_tau0" not in draws or f"{name}.activation_energy" not in draws:
        return None
    # The T1 minimum lies between the two correlation times of any T1, near their geometric mean.
    turning = np.nanmean(np.log(motion["tau_c"].values), axis=None)
    energy, tau0 = (draws[f"{name}.{key}"].values.ravel() for key in ("activation_energy", "log10_tau0"))
    kelvin = motion["temperature"].values[np.isfinite(motion["tau_c"].values).all(axis=1)]
    if not kelvin.size:
        return None
    cold, hot = (np.log(10) * tau0 + energy / (BOLTZMANN_EV * t) > turning for t in (kelvin.min(), kelvin.max()))
    inside = {"fast": ~cold & ~hot, "slow": cold & hot, "crossing": cold != hot}[branch]
    return inside if inside.sum() >= 100 and abs(inside.mean() - probability) < 0.02 else None


def _of_temperatures(comparison: xr.Dataset, summary: dict[str, Any]) -> Iterator[Lever]:
    if not summary["influence"]:
        return
    barriers = {
        label: one for process in summary["processes"].values() for label, one in process["barriers_eV"].items()
    }
    decidable = decidable_of(summary)
    for pair in decidable:
        ends = next(((a, b) for a in barriers for b in barriers if pair == f"{a} - {b}"), None)
        if ends is None:
            continue
        draws = comparison["difference"].sel(pair=pair).values
        found = [one for run in summary["influence"] if (one := _without(run, ends, barriers, draws)) is not None]
        if not found:
            yield Lever("Single temperatures", f"{pair}: without any of them a barrier has too few temperatures.")
            continue
        verdicts = [verdict_of(*one.interval, margin_of(summary)) for one in found]
        turned = [
            (one, verdict)
            for one, verdict in zip(found, verdicts, strict=True)
            if verdict != decidable[pair]["verdict"]
        ]
        most = max(found, key=lambda one: abs(one.shift))
        if turned:
            said = "; ".join(
                f"{one.said()}, the verdict {verdict} (95 %: {1e3 * low:.1f} to {1e3 * high:.1f} meV)"
                for one, verdict in turned
                for low, high in [one.interval]
            )
            yield Lever("Single temperatures", f"{pair}: {said}.", changes=True)
        else:
            said = f"none changes the verdict; the most influential is that {most.said()}, where it is"
            yield Lever("Single temperatures", f"{pair}: {said} {1e3 * draws.mean():+.0f} meV with all.")
    if not summary["differences"]:
        for label, one in barriers.items():
            runs = [run for run in summary["influence"] if run["barriers"].get(label, {}).get("mean") is not None]
            if runs:
                run = max(runs, key=lambda run: abs(run["barriers"][label]["shift_sd"]))
                left = run["barriers"][label]
                yield Lever(
                    "Single temperatures",
                    f"{label}: the most influential is {run['temperature_K'] - ZERO_CELSIUS:.1f} °C, without which the "
                    f"barrier would be {with_error(1e3 * left['mean'], 1e3 * left['sd'])} meV in place of "
                    f"{with_error(1e3 * one['mean'], 1e3 * one['sd'])} meV.",
                )


@dataclass(frozen=True)
class _Without:
    """A difference [eV] without one temperature."""

    celsius: float
    experiments: str
    mean: float
    sd: float
    shift: float

    @property
    def interval(self) -> tuple[float, float]:
        return self.mean - 1.96 * self.sd, self.mean + 1.96 * self.sd

    def said(self) -> str:
        return (
            f"without {self.celsius:.1f} °C ({self.experiments}) the difference would be "
            f"{1e3 * self.mean:+.0f} ± {1e3 * self.sd:.0f} meV"
        )


def _without(run: dict[str, Any], ends: tuple[str, str], barriers: dict[str, Any], draws: Array) -> _Without | None:
    """The difference of two barriers without a run; None where it has neither, or leaves too few temperatures."""
    left = {label: run["barriers"][label] for label in ends if run["barriers"][label]["mean"] is not None}
    if not left:
        return None
    means = [left[label]["mean"] if label in left else barriers[label]["mean"] for label in ends]
    variance = sum(left[label]["sd"] ** 2 if label in left else barriers[label]["sd"] ** 2 for label in ends)
    growth = np.sqrt(variance / sum(barriers[label]["sd"] ** 2 for label in ends))
    mean = means[0] - means[1]
    return _Without(
        celsius=run["temperature_K"] - ZERO_CELSIUS,
        experiments=run["experiments"],
        mean=mean,
        sd=float(draws.std(ddof=1) * growth),
        shift=float(mean - draws.mean()),
    )


def _of_laws(posterior: xr.DataTree, summary: dict[str, Any]) -> Iterator[Lever]:
    needed = json.loads(posterior.attrs["needed"])["law_log_odds"]
    described = json.loads(posterior.attrs["processes"])
    for name, process in summary["processes"].items():
        evidence, used = process["law_evidence"] or {}, described[name]["law_name"]
        others = {law: one for law, one in evidence.items() if law != used}
        if not others:
            continue
        best = max(others, key=lambda law: others[law]["log_evidence"])
        gain = others[best]["log_evidence"] - evidence[used]["log_evidence"]
        error = np.hypot(others[best]["log_evidence_stderr"], evidence[used]["log_evidence_stderr"])
        unsure = " Its Monte Carlo error is too large to tell." if abs(gain - needed) < 3 * error else ""
        yield Lever(
            "Law",
            f"{name}: of other laws, {best} has the largest evidence, {gain:+.2f} ± {error:.2f} in ln(evidence) less "
            f"that of {used}; above {needed:.1f}, beyond three of these errors, no barrier would be given.{unsure}",
        )


def _of_conventions(summary: dict[str, Any]) -> Iterator[Lever]:
    for name, lines in summary["conductivity_lines"].items():
        gaps = [
            1e3 * (line["sigma_T"]["activation_energy_eV"] - line["sigma"]["activation_energy_eV"])
            for line in lines
            if None not in (line["sigma_T"]["activation_energy_eV"], line["sigma"]["activation_energy_eV"])
        ]
        if gaps:
            low, high = min(gaps), max(gaps)
            by = f"{low:.0f}" if f"{low:.0f}" == f"{high:.0f}" else f"{low:.0f} to {high:.0f}"
            yield Lever(
                "Convention", f"{name}: as the slope of ln σ in place of ln(σT) its barrier would be {by} meV lower."
            )


def _of_doubts(summary: dict[str, Any]) -> Iterator[Lever]:
    found = [warning for warning in summary["warnings"] if warning["code"] in DOUBTS]
    for warning in found:
        yield Lever("Doubts", f"{warning['where']}: {warning['text']}.")
    if not found:
        yield Lever("Doubts", "No warning puts a barrier itself in doubt.")
