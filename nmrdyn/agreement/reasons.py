"""comparison -> reasons: what could explain that barriers of NMR and of conductivity differ, and what is ruled out."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import xarray as xr

from nmrdyn.agreement.causes import CAUSES, DOES_NOT_APPLY, FAR, NOT_TESTED, Pair, mev
from nmrdyn.inference.measurements import usable_rows
from nmrdyn.schema import InputError, require


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Whether one cause could explain the difference of a pair of barriers.

    `status` is "could explain", "ruled out", "not tested" or "does not apply"; `text` says why, with numbers.
    """

    pair: str
    code: str
    title: str
    status: str
    text: str


def agreement(posterior: xr.DataTree, comparison: xr.Dataset, *, pair: str | None = None) -> list[Reason]:
    """What could explain that E_NMR and E_EIS differ, and what the data rule out, for every such pair of barriers.

    Asked are backward hops, a motion that carries no charge, carriers that first have to form, grain boundaries, sigma
    in place of sigma T, a distribution of barriers, the other flank of the T1 minimum, a phase transition, and errors
    of temperature. Each is judged alone: "could explain" does not say that it does, and "ruled out" means that it could
    not make the difference by itself, or that these data show it absent. Where the barriers are the same, one reason
    says so.

    Parameters
    ----------
    posterior : what `infer` returned
    comparison : what `compare` made of it
    pair : one pair of `comparison`; all pairs of a barrier of NMR and one of conductivity or diffusion unless said

    Returns
    -------
    reasons : pair after pair; none where there is no such pair

    Raises
    ------
    InputError
        For a pair that is not there or not of this kind.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> kelvin, coupling = [300, 315, 330], {"nucleus": "23Na", "cq": 1e6, "eta": 0.1}
    >>> jumps = nd.RelaxationTruth(**coupling, larmor_frequency=132.32e6, activation_energy=0.45, tau_c=1e-5,
    ...     reference_temperature=315.0, temperature=kelvin)
    >>> moved = nd.ConductivityTruth(activation_energy=0.55, conductivity=1e-2, reference_temperature=315.0,
    ...     temperature=kelvin)
    >>> hop = nd.Process("hop", nd.simulate(jumps, seed=1), mechanism=nd.BPP(**coupling),
    ...     recovery=nd.SingleExponential())
    >>> eis = nd.Process("eis", nd.simulate(moved, seed=1), mechanism=nd.Conductivity("sigma_T"))
    >>> posterior = nd.infer([hop, eis], seed=1)
    >>> for reason in agreement(posterior, nd.compare(posterior)):
    ...     if reason.status in ("could explain", "ruled out"):
    ...         print(f"{reason.title}: {reason.status}")
    Backward hops: could explain
    Carriers that have to form: could explain
    sigma in place of sigma T: ruled out
    The other flank of the T1 minimum: ruled out
    """
    require(posterior, "posterior")
    require(comparison, "comparison")
    pairs = {one.label: one for one in _pairs(posterior, comparison)}
    if pair is not None and pair not in pairs:
        known = ", ".join(map(repr, pairs)) or "of which there is none"
        raise InputError(f"agreement: needed a pair of NMR and conductivity, {known}, found {pair!r}; name one of them")
    found: list[Reason] = []
    for label, one in pairs.items():
        if pair in (None, label):
            verdict = comparison.sel(pair=label)
            found += _reasons(one, verdict["verdict"].item(), verdict["reason"].item(), posterior.attrs["passed"])
    return found


def _reasons(pair: Pair, verdict: str, why: str, passed: int) -> Iterator[Reason]:
    """The reasons of one pair; the first says so where nothing is decided, or nothing needs explaining."""
    if not passed:
        yield Reason(
            pair=pair.label,
            code="undecided",
            title="Not decided",
            status=NOT_TESTED,
            text=f"{why}, so that no number can be trusted",
        )
        return
    if verdict == "same":
        text = f"nothing needs explaining: {why}. Causes that cancel each other would not show"
        yield Reason(pair=pair.label, code="same", title="The barriers agree", status=DOES_NOT_APPLY, text=text)
        return
    if verdict == "undecided":
        text = f"{why}; {pair.far} - E_NMR is {mev(pair.gap)}. What could explain a difference could also hide one"
        yield Reason(pair=pair.label, code="undecided", title="Not decided", status=NOT_TESTED, text=text)
    for code, (title, judge) in CAUSES.items():
        status, text = judge(pair)
        yield Reason(pair=pair.label, code=code, title=title, status=status, text=text)


def _pairs(posterior: xr.DataTree, comparison: xr.Dataset) -> Iterator[Pair]:
    """Each pair of a barrier of NMR and one of charge or mass that goes far."""
    described = json.loads(posterior.attrs["processes"])
    owner = {label: name for name, entry in described.items() for label in entry["barriers"]}
    draws, energies = posterior["posterior"].dataset, comparison["activation_energy"]
    for pair in comparison["pair"].values:
        labels = next((a, b) for a in owner for b in owner if f"{a} - {b}" == pair)
        nmr = [label for label in labels if _of_nmr(posterior, owner[label], described[owner[label]]["kind"])]
        far = [label for label in labels if described[owner[label]]["kind"] in FAR]
        if not (nmr and far):
            continue
        names = (owner[nmr[0]], owner[far[0]])
        scatter = f"{names[0]}.scatter"
        yield Pair(
            label=str(pair),
            names=names,
            entries=(described[names[0]], described[names[1]]),
            sides=(nmr[0].removeprefix(names[0]).strip(), far[0].removeprefix(names[1]).strip()),
            data=(_used(posterior, names[0], described), _used(posterior, names[1], described)),
            energy=(energies.sel(process=nmr[0]).values, energies.sel(process=far[0]).values),
            margin=float(comparison.attrs["margin"]),
            transitions=(_transition(draws, names[0], described), _transition(draws, names[1], described)),
            probes={name: _said(text) for name, text in json.loads(posterior.attrs["probes"]).items()},
            scatter=float(draws[scatter].median()) if scatter in draws else 0.0,
        )


def _of_nmr(posterior: xr.DataTree, name: str, kind: str) -> bool:
    """Whether a process was seen by NMR; C(t) of a simulation, which leaves an amplitude, was not."""
    return kind == "relaxation" or (
        kind == "motion" and "amplitude" not in posterior[f"processes/{name}/{kind}"].dataset
    )


def _used(posterior: xr.DataTree, name: str, described: dict[str, Any]) -> xr.Dataset:
    """The rows of a process that were used."""
    kind = described[name]["kind"]
    data = posterior[f"processes/{name}/{kind}"].dataset
    return data.isel(experiment=usable_rows(data, kind))


def _transition(draws: xr.Dataset, name: str, described: dict[str, Any]) -> float | None:
    """The temperature of the phase transition in the law of a process [K], given or inferred."""
    if described[name]["law_name"] != "phase_transition":
        return None
    given = described[name]["transition"]
    return float(draws[f"{name}.transition_temperature"].median()) if given is None else float(given)


def _said(representation: str) -> dict[str, Any]:
    """The keywords of the repr of a dataclass of plain values."""
    call = ast.parse(representation, mode="eval").body
    assert isinstance(call, ast.Call)
    return {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
