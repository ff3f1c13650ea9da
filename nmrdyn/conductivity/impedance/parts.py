"""What the resistances of a fitted circuit are (bulk, grain boundaries, electrode), and whether they can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nmrdyn.conductivity.impedance.circuits import Circuit, Element, Group
from nmrdyn.schema import Array, InputError

# Capacitances of pellets of ordinary geometry: bulk about 1e-12 F (thin pellets more), grain boundaries 1e-11 to
# 1e-8 F, the interface with the electrode 1e-7 F and more (Irvine, Sinclair, West, Adv. Mater. 2 (1990) 132, table 1).
BULK_BELOW = 3e-11  # F, an arc alone
GRAIN_BOUNDARY_FROM = 1e-10  # F, an arc alone
ELECTRODE_FROM = 1e-7  # F, an arc
TAIL_FROM = 1e-8  # F, what is seen in part at the lowest frequencies
MOST_RELATIVE_ERROR = 0.3


@dataclass(frozen=True)
class Resistor:
    """A resistance of a circuit.

    Attributes
    ----------
    name : as in the circuit
    index : of its parameter
    value : [ohm]
    kind : "series", "arc" (its top lies among the measured frequencies), "open" (below them) or "electrode"
    capacitance : of its arc [F], NaN in series
    apex : frequency of the top of its arc [Hz], NaN in series
    """

    name: str
    index: int
    value: float
    kind: str
    capacitance: float
    apex: float


def resistors(circuit: Circuit, x: Array, *, low: float, high: float) -> list[Resistor]:
    """The resistances of a circuit with the parameters `x`, which was fitted from `low` to `high` [Hz].

    The capacitance of an arc is (Q R^(1 - alpha))^(1/alpha), that of an ideal capacitor with the same top frequency
    (Hsu, Mansfeld, Corrosion 57 (2001) 747); where the top lies outside, that of Q at the nearest frequency.

    Raises
    ------
    InputError
        For a resistance that stands neither in series nor beside a capacitance.
    """
    values = circuit.values(x)
    found = []
    for part in circuit.parts:
        if isinstance(part, Element):
            if part.kind == "R":
                found.append(_resistor(circuit, values, part.name))
            continue
        names = [branch.name for branch in map(_head, part.parts) if branch.kind == "R"]
        stores = [branch for branch in part.parts if isinstance(branch, Element) and branch.kind in ("C", "CPE")]
        inner = [name for name in part.parameters if name.startswith("R")]
        if len(stores) != 1 or names != inner or len(names) != 1:
            raise InputError(
                f"circuit: needed each resistance in series or alone beside one capacitance (C or CPE), "
                f"found {circuit.text!r}"
            )
        found.append(_arc(circuit, values, names[0], stores[0], low=low, high=high))
    return found


def tail_capacitance(circuit: Circuit, x: Array, *, low: float) -> float:
    """Capacitance [F] at `low` [Hz] of the C and CPE that stand in series; infinite where there is none."""
    values = circuit.values(x)
    stores = [part for part in circuit.parts if isinstance(part, Element) and part.kind in ("C", "CPE")]
    return 1 / sum(1 / _capacitance_at(values, part, low) for part in stores) if stores else math.inf


def sum_with_error(chosen: list[Resistor], covariance: Array) -> tuple[float, float]:
    """Sum of resistances [ohm] and its standard error, from the covariance of the logarithms; NaN for none."""
    if not chosen:
        return math.nan, math.nan
    values, index = np.array([one.value for one in chosen]), [one.index for one in chosen]
    return float(values.sum()), float(np.sqrt(values @ covariance[np.ix_(index, index)] @ values))


def bulk_and_grain_boundary(found: list[Resistor]) -> tuple[Resistor | None, Resistor | None, str]:
    """Which resistance is the bulk and which the grain boundaries, None where that is not known, and why.

    The capacitance tells it: of two arcs the smaller one is the bulk. A series resistance before an arc of grain
    boundaries is the bulk, the arc of which lies above the measured frequencies.
    """
    arcs = sorted((one for one in found if one.kind in ("arc", "open")), key=lambda one: one.capacitance)
    series = [one for one in found if one.kind == "series"]
    said = " and ".join(f"{one.capacitance:.1e} F" for one in arcs)
    if len(arcs) == 2 and not series and arcs[0].capacitance < GRAIN_BOUNDARY_FROM:
        return arcs[0], arcs[1], ""
    if len(arcs) == 1:
        (arc,) = arcs
        if arc.capacitance >= GRAIN_BOUNDARY_FROM:
            bulk = series[0] if len(series) == 1 else None
            return bulk, arc, "" if bulk else f"no bulk: the one arc has {said}, the capacitance of grain boundaries"
        if arc.capacitance < BULK_BELOW:
            return (
                arc,
                None,
                f"no grain boundaries seen: the one arc has {said}, that of a bulk, and may hold small ones",
            )
    if not arcs:
        return None, None, ""
    return None, None, f"bulk and grain boundaries not told apart: capacitances of {said}"


def _head(branch: Element | Group) -> Element:
    """The first element of a branch."""
    while isinstance(branch, Group):
        branch = branch.parts[0]
    return branch


def _resistor(circuit: Circuit, values: dict[str, float], name: str) -> Resistor:
    return Resistor(name, circuit.parameters.index(name), values[name], "series", math.nan, math.nan)


def _arc(circuit: Circuit, values: dict[str, float], name: str, store: Element, *, low: float, high: float) -> Resistor:
    resistance = values[name]
    q, alpha = (
        (values[store.name], 1.0) if store.kind == "C" else (values[f"{store.name}_0"], values[f"{store.name}_1"])
    )
    time = (resistance * q) ** (1 / alpha)
    apex = 1 / (2 * math.pi * time)
    if apex > high:
        return _resistor(circuit, values, name)
    capacitance = time / resistance if apex >= low else _capacitance_at(values, store, low)
    kind = "arc" if apex >= low else "open"
    if capacitance >= (ELECTRODE_FROM if kind == "arc" else TAIL_FROM):
        kind = "electrode"
    return Resistor(name, circuit.parameters.index(name), resistance, kind, capacitance, apex)


def _capacitance_at(values: dict[str, float], store: Element, frequency: float) -> float:
    """Capacitance [F] of a C or CPE at a frequency [Hz], from the imaginary part of its admittance."""
    if store.kind == "C":
        return values[store.name]
    q, alpha = values[f"{store.name}_0"], values[f"{store.name}_1"]
    return q * (2 * math.pi * frequency) ** (alpha - 1) * math.sin(alpha * math.pi / 2)
