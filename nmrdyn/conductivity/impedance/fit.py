"""Impedance spectra -> resistances with errors, by an equivalent circuit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from scipy.optimize import OptimizeResult, least_squares

from nmrdyn.conductivity.impedance.circuits import CIRCUITS, LEAST_ALPHA, Circuit, ComplexArray, circuit_of
from nmrdyn.conductivity.impedance.kramers_kronig import OVER_NOISE, SYSTEMATIC, kramers_kronig
from nmrdyn.conductivity.impedance.parts import (
    MOST_RELATIVE_ERROR,
    TAIL_FROM,
    bulk_and_grain_boundary,
    resistors,
    sum_with_error,
    tail_capacitance,
)
from nmrdyn.findings import Finding, attach, attached
from nmrdyn.schema import Array, require, stamp

_SAME = 1e-6  # costs of two fits that found the same minimum
_MOST_MISFIT = 0.1  # rms of the residuals over |Z| from which on a circuit does not describe a spectrum
_INDUCTIVE = 0.01  # share of an inductance in |Z| from which on points are left out
_SPARE = 4  # numbers there must be beyond the parameters
_DRIFT, _HIDDEN = 0.005, 0.05  # of the total, for changes during a sweep; of a bulk in one arc, for boundaries in it
_NUMBERS = (
    *("resistance", "resistance_stderr", "resistance_low", "resistance_high"),
    *("bulk_resistance", "bulk_resistance_stderr", "bulk_capacitance"),
    *("grain_boundary_resistance", "grain_boundary_resistance_stderr", "grain_boundary_capacitance"),
    *("misfit", "kramers_kronig"),
)
_TEXTS = ("circuit", "circuit_values", "circuit_reason", "reason")


@dataclass(frozen=True)
class CircuitFit:
    """A circuit with the parameters that describe a spectrum best, and the covariance of these."""

    circuit: Circuit
    x: Array
    covariance: Array
    misfit: float
    bic: float
    aic: float


@dataclass
class _Row:
    """What is known of one spectrum."""

    numbers: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_NUMBERS, math.nan))
    texts: dict[str, str] = field(default_factory=lambda: dict.fromkeys(_TEXTS, ""))
    fitted: ComplexArray | None = None
    findings: list[tuple[str, str]] = field(default_factory=list)


def fit_impedance(impedance: xr.Dataset, *, circuit: str = "auto") -> xr.Dataset:
    """Resistances of bulk and grain boundaries from impedance spectra, by an equivalent circuit.

    Residuals are weighted by |Z|, and errors scaled by them: they hold for noise that is one share of |Z| at all
    frequencies. Where it is five times as large at low ones, the 68 % interval of R held 54 %; at high ones, 98 %.
    "auto" takes the circuit of `CIRCUITS` with the lowest BIC, and how far the others differ is part of the error of
    the total, by Akaike weights. 0.5 % of the total is then in all errors, for samples that change during the sweep,
    and 5 % in that of a bulk that is one arc, for grain boundaries inside it: 0.9 % of 863 simulated bulks were beyond
    three errors, and 3.3 % of 552 with a drift of up to 3 %. What an arc is, its capacitance tells (Irvine, Sinclair,
    West, Adv. Mater. 2 (1990) 132, for pellets of ordinary geometry): from 1e-7 F on it is an electrode, which is not
    counted. The resistance is the sum of bulk, grain boundaries and series resistance.

    There is a resistance only where the top of an arc lies among the measured frequencies and of none below them, its
    error is below 30 %, and what follows the arcs has the capacitance of a blocking electrode (1e-8 F and more) rather
    than of one more arc seen in part. Without a tail, an arc of grain boundaries of 1e-8 F would have to rise above the
    noise at the lowest frequency. Otherwise it is NaN with a reason, and `resistance_low` or `resistance_high`
    limit it: an arc that does not close is larger than the largest real part; where there is only a tail, the
    resistance is below the real part at the highest frequency, or the upper end of its intercept. Points with a
    positive imaginary part at the upper end, and those where that inductance is above 1 % of |Z|, are not fitted
    unless the circuit has an L.

    Parameters
    ----------
    impedance : stage `impedance`
    circuit : "auto", a name of `nmrdyn.conductivity.impedance.circuits.CIRCUITS` ("tail", "arc", "arc-tail",
        "series-arc-tail", "two-arcs", "two-arcs-tail"), or a text in the grammar of impedance.py, such as
        "R0-p(R1,CPE1)-W1"; of a text with arcs, the one of the shortest time constant first

    Returns
    -------
    resistance : stage `resistance`, one row a spectrum, all in ohm; limits are NaN where there is a resistance.
        Findings: violations of the Kramers-Kronig relations, arcs of electrodes, parts not told apart, points left out

    Raises
    ------
    InputError
        For another stage, a circuit that cannot be read, or impedance.py not installed.

    Examples
    --------
    >>> frequency = np.geomspace(1e7, 1.0, 50)[None]
    >>> s = 2j * np.pi * frequency
    >>> z = 1 / (1 / 5e4 + 4e-12 * s) + 1 / (1 / 3e5 + 6e-10 * s) + 1 / (2e-6 * s)
    >>> dims = ("experiment", "point")
    >>> spectrum = xr.Dataset(
    ...     {"impedance_real": (dims, z.real), "impedance_imaginary": (dims, z.imag)},
    ...     {"experiment": ["1"], "frequency": (dims, frequency), "temperature": ("experiment", [300.0])},
    ...     {"stage": "impedance"},
    ... )
    >>> resistance = fit_impedance(spectrum)
    >>> print(f"{resistance.resistance.item():.4g} = {resistance.bulk_resistance.item():.4g} + "
    ...       f"{resistance.grain_boundary_resistance.item():.4g} ohm, {resistance.circuit.item()}")
    3.5e+05 = 5e+04 + 3e+05 ohm, two-arcs-tail
    """
    require(impedance, "impedance")
    candidates = [circuit_of(name) for name in (CIRCUITS if circuit == "auto" else [circuit])]
    frequency = impedance["frequency"].values
    z = impedance["impedance_real"].values + 1j * impedance["impedance_imaginary"].values
    names = impedance["experiment"].values.tolist()
    rows = [_row(f, one, candidates) for f, one in zip(frequency, z, strict=True)]
    findings = [Finding(code, name, text) for name, row in zip(names, rows, strict=True) for code, text in row.findings]
    fitted = np.array([np.full(z.shape[1], np.nan + 0j) if row.fitted is None else row.fitted for row in rows])
    along = ("experiment",)
    data = (
        {name: (along, np.array([row.numbers[name] for row in rows])) for name in _NUMBERS}
        | {name: (along, np.array([row.texts[name] for row in rows], dtype=object).astype(str)) for name in _TEXTS}
        | {"converged": (along, np.array([row.fitted is not None for row in rows]))}
        | {"fit_real": (("experiment", "point"), fitted.real), "fit_imaginary": (("experiment", "point"), fitted.imag)}
    )
    kept = ("temperature", "temperature_stderr", "sample", "direction")
    coords = {"experiment": impedance["experiment"]} | {
        name: impedance[name] for name in kept if name in impedance.coords
    }
    result = xr.Dataset(data, coords, {"sources": impedance.attrs.get("sources", "[]")})
    return stamp(attach(result, attached(impedance) + findings), "resistance")


def _row(frequency: Array, z: ComplexArray, candidates: list[Circuit]) -> _Row:
    """The fit of one spectrum, NaN-padded."""
    row = _Row()
    row.numbers |= {"resistance_low": 0.0, "resistance_high": math.inf}
    inductance = any("L" in name for circuit in candidates for name in circuit.parameters)
    used = np.isfinite(frequency) & (z.real > 0)
    if not inductance:
        used &= ~_inductive(frequency, z)
    left = int(np.isfinite(frequency).sum() - used.sum())
    if left:
        row.findings.append(
            ("impedance-points", f"{left} inductive points, or with a real part below 0, are not fitted")
        )
    f, seen = frequency[used], z[used]
    fits = [fit for circuit in candidates if (fit := fit_circuit(2 * math.pi * f, seen, circuit)) is not None]
    if not fits:
        fewest = min(len(circuit.parameters) for circuit in candidates)
        row.texts["reason"] = f"needed {(fewest + _SPARE + 1) // 2} points that can be fitted, found {f.size}"
        return row
    best, row.texts["circuit_reason"] = _choice(fits)
    row.fitted = np.full(z.size, np.nan + 0j)
    row.fitted[used] = best.circuit.evaluate(2 * math.pi * f, best.x)[0]
    row.texts["circuit"] = best.circuit.name
    row.texts["circuit_values"] = ", ".join(
        f"{name}={value:.4g}" for name, value in best.circuit.values(best.x).items()
    )
    row.numbers["misfit"] = best.misfit
    row.numbers["kramers_kronig"], noise = kramers_kronig(f, seen)
    systematic = math.sqrt(max(row.numbers["kramers_kronig"] ** 2 - noise**2, 0.0))
    if systematic > SYSTEMATIC and row.numbers["kramers_kronig"] > OVER_NOISE * noise:
        text = f"residuals of {100 * systematic:.1f} % beyond noise in a Kramers-Kronig test: drift, or not linear"
        row.findings.append(("kramers-kronig", text))
    _judge(row, [best, *(fit for fit in fits if fit is not best)], f, seen)
    return row


def _judge(row: _Row, fits: list[CircuitFit], frequency: Array, z: ComplexArray) -> None:
    """Write resistances into the row, or the reason why there are none and what limits them."""
    (best, *rivals), asked = fits, len(fits) == 1
    low, high = float(frequency.min()), float(frequency.max())
    found = resistors(best.circuit, best.x, low=low, high=high)
    counted = [one for one in found if one.kind != "electrode"]
    for one in found:
        if one.kind == "electrode":
            text = f"the arc of {one.name} has {one.capacitance:.1e} F, the capacitance of an electrode; not counted"
            row.findings.append(("electrode-arc", text))
    bulk, boundary, unknown = bulk_and_grain_boundary(found)
    value, stderr = sum_with_error(counted, best.covariance)
    drift, hidden = (0.0, 0.0) if asked else (_DRIFT * value, _HIDDEN if boundary is None else 0.0)
    for prefix, part in (("bulk", bulk), ("grain_boundary", boundary)):
        of_part, error = sum_with_error([part] if part else [], best.covariance)
        error = math.hypot(error, drift, hidden * of_part)
        if part and part.kind != "open" and best.misfit <= _MOST_MISFIT and error < MOST_RELATIVE_ERROR * of_part:
            row.numbers |= {f"{prefix}_resistance": of_part, f"{prefix}_resistance_stderr": error}
            row.numbers[f"{prefix}_capacitance"] = part.capacitance
    stderr = math.hypot(stderr, drift, _spread(value, best, rivals, low=low, high=high))
    opened = [one for one in counted if one.kind == "open"]
    tail = tail_capacitance(best.circuit, best.x, low=low)
    largest = float(z.real.max())
    if best.misfit > _MOST_MISFIT:
        row.texts["reason"] = f"no circuit describes it: residuals of {100 * best.misfit:.0f} % of |Z|"
    elif opened:
        row.texts["reason"] = (
            f"the arc of {opened[0].name} does not close: its top would lie at {opened[0].apex:.2g} Hz, "
            f"measured down to {low:.2g} Hz"
        )
        row.numbers["resistance_low"] = largest
    elif tail < TAIL_FROM and best.circuit.name in CIRCUITS:
        row.texts["reason"] = (
            f"what follows at low frequencies has {tail:.1e} F, too little for a blocking electrode: an arc that "
            "does not close"
        )
        row.numbers["resistance_low"] = largest
    elif not asked and not any(one.kind == "arc" for one in counted):
        others = "only of electrodes" if len(counted) < len(found) else "only what follows"
        row.texts["reason"] = (
            f"no arc of bulk or grain boundaries, {others}; name a circuit to take its intercept as resistance"
        )
        row.numbers["resistance_high"] = max(float(z.real[np.argmax(frequency)]), value + 3 * stderr)
    elif boundary is None and math.isinf(tail) and _hides(best, frequency, z):
        row.texts["reason"] = f"one arc and no blocking tail down to {low:.2g} Hz: grain boundaries may follow below"
        row.numbers["resistance_low"] = max(value - 2 * stderr, 0.0)
    elif not stderr < MOST_RELATIVE_ERROR * value:
        row.texts["reason"] = f"not determined: {value:.2g} ± {stderr:.2g} ohm"
    else:
        row.numbers |= {"resistance": value, "resistance_stderr": stderr}
        row.numbers |= {"resistance_low": math.nan, "resistance_high": math.nan}
        if unknown:
            row.findings.append(("parts-unknown", unknown))


def _hides(best: CircuitFit, frequency: Array, z: ComplexArray) -> bool:
    """Whether grain boundaries of a large capacitance would be lost in the noise at the lowest frequency."""
    at = int(np.argmin(frequency))
    return bool(1 / (2 * math.pi * frequency[at] * TAIL_FROM) < 3 * best.misfit * np.abs(z[at]))


def _spread(value: float, best: CircuitFit, rivals: list[CircuitFit], *, low: float, high: float) -> float:
    """Root mean square by which the other circuits differ from a resistance [ohm], by their Akaike weights."""
    weights, squares = [1.0], [0.0]
    for fit in rivals:
        counted = [one for one in resistors(fit.circuit, fit.x, low=low, high=high) if one.kind != "electrode"]
        if counted and all(one.kind != "open" for one in counted):
            weights.append(math.exp(min(best.aic - fit.aic, 20.0) / 2))
            squares.append((sum(one.value for one in counted) - value) ** 2)
    return math.sqrt(np.average(squares, weights=weights))


def fit_circuit(omega: Array, z: ComplexArray, circuit: Circuit) -> CircuitFit | None:
    """The parameters of a circuit that describe `z` [ohm] at `omega` [rad/s] best; None for too few points."""
    n, k = 2 * z.size, len(circuit.parameters)
    if n < k + _SPARE:
        return None
    weight = 1 / np.abs(z)

    def residuals(x: Array) -> Array:
        return _stacked((circuit.evaluate(omega, x)[0] - z) * weight)

    def slopes(x: Array) -> Array:
        return _stacked(circuit.evaluate(omega, x)[1] * weight[:, None])

    # Wide enough for any circuit, and narrow enough that no power overflows.
    lower = np.where(circuit.is_alpha, LEAST_ALPHA, -70.0)
    upper = np.where(circuit.is_alpha, 1.0, 70.0)
    done: list[OptimizeResult] = []
    for start in circuit.starts(omega, z):
        done.append(least_squares(residuals, np.clip(start, lower, upper), slopes, bounds=(lower, upper)))
        if len(done) > 1 and math.isclose(done[-1].cost, done[-2].cost, rel_tol=_SAME):
            break
    best = min(done, key=lambda one: one.cost)
    rss = max(2 * best.cost, np.finfo(float).eps ** 2)
    scale = np.maximum(np.linalg.norm(best.jac, axis=0), np.finfo(float).tiny ** 0.25)
    jacobian = best.jac / scale
    covariance = np.linalg.pinv(jacobian.T @ jacobian) / np.outer(scale, scale) * rss / (n - k)
    deviance = n * math.log(rss / n)
    return CircuitFit(
        circuit, best.x, covariance, math.sqrt(rss / n), bic=deviance + k * math.log(n), aic=deviance + 2 * k
    )


def _stacked(value: ComplexArray) -> Array:
    return np.concatenate([value.real, value.imag])


def _choice(fits: list[CircuitFit]) -> tuple[CircuitFit, str]:
    """The simplest fit that none surpasses, and why."""
    best = min(fits, key=lambda one: one.bic)
    if len(fits) == 1:
        return best, "the circuit that was asked for"
    said = ", ".join(f"{fit.bic - best.bic:+.0f} for {fit.circuit.name}" for fit in fits if fit is not best)
    return best, f"BIC against this circuit: {said}"


def _inductive(frequency: Array, z: ComplexArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Points at the upper end that the inductance of the leads shows in."""
    order = np.argsort(-np.where(np.isfinite(frequency), frequency, -np.inf), kind="stable")
    positive = z.imag[order] > 0
    run = int(np.argmin(positive)) if not positive.all() else positive.size
    if run == 0:
        return np.zeros(frequency.shape, dtype=bool)
    inductance = np.nanmax(z.imag[order[:run]] / frequency[order[:run]])
    return inductance * frequency > _INDUCTIVE * np.abs(z)
