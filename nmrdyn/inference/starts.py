"""Where the search for modes starts: a deterministic scan over both branches of T1(tau_c), or a straight line."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nmrdyn.inference.coordinates import Coordinates
from nmrdyn.inference.measurements import Measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.process import law_parameter
from nmrdyn.laws.law import LN10
from nmrdyn.laws.phase_transition import PhaseTransition
from nmrdyn.motion import inversion
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import BOLTZMANN_EV, Array

# eV, of the scan; closer where a barrier is hardly there
_ENERGIES = np.array([0.003, 0.01, 0.02, 0.035, *np.linspace(0.05, 1.97, 37)])
_REACH, _POINTS = 1.5, 25  # of ln tau_c about a branch
_MOST_STARTS = 4  # of each branch and each way in which the law can have a barrier there


def starting_points(target: Coordinates, one: Measurements) -> Array:
    """Where to start for one process (start, parameter); what its law does not tell begins at the centre of its prior.

    `target` has this process alone.
    """
    mechanism = one.process.mechanism
    if isinstance(mechanism, Mechanism):
        return _scanned(target, one, mechanism)
    return _line(target, one, mechanism.log_correlation_time(one.value, one.temperature))


def _line(target: Coordinates, one: Measurements, log_tau: Array) -> Array:
    """Starts for ln tau_c, or -ln of what grows with temperature, from the straight line against 1/kT."""
    inverse = 1 / (BOLTZMANN_EV * one.temperature)
    slope, intercept = np.polyfit(inverse, log_tau, 1)
    rms = np.std(log_tau - slope * inverse - intercept)
    barrier = np.clip(slope, 0.01, None)
    middle = one.middle
    at = np.mean(log_tau + barrier * (1 / (BOLTZMANN_EV * middle) - inverse))
    noise = {"log10_noise": np.array(np.log10(max(rms, 1e-9)))}
    sets = _like(one, log_tau=at, barrier=barrier, temperature=middle)
    if isinstance(one.process.law, PhaseTransition):
        sets = [_two_lines(one.process.law, values, one.temperature, log_tau) for values in sets]
    return np.concatenate([_points(target, one, values | noise, n=1) for values in sets])


def _two_lines(law: PhaseTransition, values: dict[str, Array], temperature: Array, log_tau: Array) -> dict[str, Array]:
    """`values`, with the straight line of each side of the transition that has two temperatures.

    One line through both would be far from each where ln tau_c jumps, and may lie beyond the prior.
    """
    at = values["transition_temperature"] if law.temperature is None else law.temperature
    above = temperature >= at
    inverse = 1 / (BOLTZMANN_EV * temperature)
    lines: dict[str, Array] = {}
    for side, rows in (("below", ~above), ("above", above)):
        if np.unique(temperature[rows]).size > 1:
            slope = np.polyfit(inverse[rows], log_tau[rows], 1)[0]
            lines[f"activation_energy_{side}"] = barrier = np.array(max(slope, 0.01))
            lines[f"log10_tau0_{side}"] = np.array(np.mean(log_tau[rows] - barrier * inverse[rows]) / LN10)
    return values | lines


def _scanned(target: Coordinates, one: Measurements, mechanism: Mechanism) -> Array:
    """Peaks of the posterior over the barrier, with tau_c in the middle of the range near each branch."""
    at, logs = _branches(target, one, mechanism)
    starts = []
    # Each branch as far as half way to the next, so that the higher peak of one does not hide that of the other.
    between = [-np.inf, *(np.add(logs[:-1], logs[1:]) / 2), np.inf]
    for log_tau, low, high in zip(logs, between[:-1], between[1:], strict=True):
        ends = max(low, log_tau - _REACH), min(high, log_tau + _REACH)
        barrier, tau = np.meshgrid(_ENERGIES, np.linspace(*ends, _POINTS), indexing="ij")
        for values in _like(one, log_tau=tau, barrier=barrier, temperature=at):
            theta = _points(target, one, values, n=barrier.size)
            free = target.outside(theta)
            height = target.model(theta)
            tops = []
            # A peak of either density: one that leans on an end shows in free coordinates alone, and one beside an
            # end in the parameters.
            for density in (height, height + target.log_slope(free)):
                surface = density.reshape(barrier.shape)
                best, profile = surface.argmax(axis=1), surface.max(axis=1)
                padded = np.concatenate([[-np.inf], profile, [-np.inf]])
                peaks = np.flatnonzero((profile >= padded[:-2]) & (profile > padded[2:]))
                highest = peaks[np.argsort(-profile[peaks])][:_MOST_STARTS]
                tops.append(np.ravel_multi_index((highest, best[highest]), barrier.shape))
            starts.append(theta[np.unique(np.concatenate(tops))])
    return np.concatenate(starts)


def _branches(target: Coordinates, one: Measurements, mechanism: Mechanism) -> tuple[float, list[float]]:
    """A temperature near the middle of the range at which T1 has solutions, and ln(tau_c/s) of each.

    Where no T1 has any, since all are shorter than the shortest, the places of the minima in the middle.
    """
    mechanism = _at_centres(target.model, one, mechanism)
    rows = np.argsort(np.abs(1 / one.temperature - 1 / one.middle), kind="stable")
    found: tuple[float, list[float]] | None = None
    for row in rows:
        kelvin, larmor = float(one.temperature[row]), float(one.larmor_frequency[row])
        roots = mechanism.at(kelvin).all_correlation_times(float(np.exp(one.value[row])), larmor)
        if len(roots) > 1:
            return kelvin, np.log(roots).tolist()
        if len(roots) == 1 and found is None:
            found = kelvin, np.log(roots).tolist()
    if found is not None:
        return found
    kelvin, larmor = float(one.temperature[rows[0]]), float(one.larmor_frequency[rows[0]])
    minima, _ = inversion.extrema(mechanism.at(kelvin).rate, larmor)
    return kelvin, minima.tolist() or [-np.log(2 * np.pi * larmor)]


def sides(model: JointModel, theta: Array) -> list[npt.NDArray[np.bool_]]:
    """Whether each draw is beyond the T1 minimum (draw,), at the coldest and at the hottest of each process.

    What tells no branches apart is left out.
    """
    found = []
    for one in model.data:
        if not isinstance(one.process.mechanism, Mechanism):
            continue
        mechanism, values = _at_centres(model, one, one.process.mechanism), model.law_values(one.process, theta)
        for row in {int(one.temperature.argmin()), int(one.temperature.argmax())}:
            kelvin = float(one.temperature[row])
            minima, _ = inversion.extrema(mechanism.at(kelvin).rate, float(one.larmor_frequency[row]))
            log_tau = one.process.law.log_correlation_time(kelvin, **values)
            found += [log_tau > turn for turn in minima]
    return found


def _at_centres(model: JointModel, one: Measurements, mechanism: Mechanism) -> Mechanism:
    """The mechanism with what is sampled of it at the centres of the priors."""
    centres = {key: prior.centre for key, prior in model.priors.items()} | model.fixed
    name = one.process.name
    own = {key: centres[f"{name}.{key}"] for key in mechanism.quantities if f"{name}.{key}" in centres}
    return mechanism.with_values(**own) if own else mechanism


def _like(
    one: Measurements, *, log_tau: npt.ArrayLike, barrier: npt.ArrayLike, temperature: float
) -> list[dict[str, Array]]:
    """Parameters of the law with this ln tau_c and this apparent barrier [eV] at `temperature` [K]; maybe several."""
    return one.process.law.like(log_tau=log_tau, barrier=barrier, temperature=temperature, measured=one.temperature)


def _points(target: Coordinates, one: Measurements, values: Mapping[str, npt.ArrayLike], *, n: int) -> Array:
    """`n` points (start, parameter) with these parameters of the law, off the ends; all else at its prior's centre."""
    model = target.model
    theta = np.tile([prior.centre for prior in model.priors.values()], (n, 1))
    for name, value in values.items():
        said = law_parameter(one.process, name)
        column = f"{one.process.name}.{said}"
        if column in model.priors:
            theta[:, model.parameters.index(column)] = np.ravel(value) * (1 if said == name else -1)
    return target.within(theta)
