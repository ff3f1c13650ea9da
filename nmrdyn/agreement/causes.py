"""What could make a barrier of NMR differ from that of a conductivity: each cause judged by what the data say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.schema import BOLTZMANN_EV, Array

COULD, RULED_OUT, NOT_TESTED, DOES_NOT_APPLY = "could explain", "ruled out", "not tested", "does not apply"
FAR = MappingProxyType({"transport": "E_EIS", "diffusion": "E_MD"})  # kinds of data on charge or mass that goes far
_RARE = 0.05  # probability below which something does not count
_LEAST_TEMPERATURES = 4  # two on each side of a transition
_MOST = 0.8  # of the whole range, which two ranges share that are nearly the same


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A barrier of NMR and one of charge or mass that goes far; of two things each, that of NMR comes first.

    Attributes
    ----------
    label : the pair in the comparison
    names, entries : of the processes, and what the posterior says of them
    sides : the side of a phase transition that each barrier belongs to, "" for none
    data : the measured rows that were used
    energy : draws of each barrier [eV] (draw,)
    margin : barriers closer than this [eV] count as the same
    transitions : the temperature of the phase transition in each law [K], if there is one
    probes : what is said of each thermometer
    scatter : of ln T1 beyond its errors
    """

    label: str
    names: tuple[str, str]
    entries: tuple[dict[str, Any], dict[str, Any]]
    sides: tuple[str, str]
    data: tuple[xr.Dataset, xr.Dataset]
    energy: tuple[Array, Array]
    margin: float
    transitions: tuple[float | None, float | None]
    probes: dict[str, dict[str, Any]]
    scatter: float

    @property
    def gap(self) -> Array:
        """How much the barrier of conductivity exceeds that of NMR [eV] (draw,)."""
        return self.energy[1] - self.energy[0]

    @property
    def larger(self) -> float:
        """Probability that the barrier of conductivity is the larger one."""
        return float(np.mean(self.gap > 0))

    @property
    def far(self) -> str:
        """What the barrier of conductivity is called."""
        return FAR[self.entries[1]["kind"]]

    @property
    def ranges(self) -> list[tuple[float, float]]:
        """Lowest and highest temperature of each [K]."""
        return [(float(one["temperature"].min()), float(one["temperature"].max())) for one in self.data]

    @property
    def branch(self) -> dict[str, float]:
        """Probability that T1 was measured on the fast flank, on the slow one, or across its minimum; empty if none."""
        return self.entries[0]["branch"] or {}

    @property
    def flank(self) -> str:
        """The flank that is sure, "" for none."""
        return next((name for name in ("slow", "fast") if self.branch.get(name, 0.0) > 1 - _RARE), "")

    @property
    def shares(self) -> str:
        """The probabilities of the flanks in words."""
        return ", ".join(f"{name} {share:.2f}" for name, share in self.branch.items())

    @property
    def spectral_density(self) -> str:
        """The spectral densities beside Debye's in the mechanism, "" for none."""
        said = re.findall(r"spectral_density=(\w+)", self.entries[0]["mechanism"])
        return ", ".join(dict.fromkeys(name for name in said if name != "Debye"))


def _local_hops(pair: Pair) -> tuple[str, str]:
    """A slow flank that is too flat. Küchler, Heitjans, Payer, Schöllhorn, Solid State Ionics 70/71 (1994) 434."""
    if not pair.branch:
        return NOT_TESTED, "the data are correlation times: how they were found from relaxation is not known here"
    if pair.spectral_density:
        return DOES_NOT_APPLY, f"the analysis has {pair.spectral_density}, whose flanks have slopes of their own"
    if pair.larger < _RARE:
        return RULED_OUT, f"they flatten the slow flank, which lowers E_NMR; here it is the larger ({mev(pair.gap)})"
    if pair.flank == "fast":
        return RULED_OUT, "T1 was measured on the fast flank, whose slope is the barrier however ions hop back"
    if pair.flank != "slow":
        return NOT_TESTED, f"T1 is not surely on the slow flank ({pair.shares}); fit it with BetaBPP and compare"
    beta = 1 + pair.energy[0] / pair.energy[1]
    text = (
        "on the slow flank of a beta-BPP spectral density the slope is (beta - 1) times the barrier: "
        f"beta = {_number(beta, '.2f')} would do, which lies between 1 and 2 with probability {pair.larger:.2f}"
    )
    field, inverse = np.log(pair.data[0]["larmor_frequency"].values), 1e3 / pair.data[0]["temperature"].values
    left = 2 * np.std(field - np.polyval(np.polyfit(inverse, field, 1), inverse))  # what no barrier makes up for
    power = 2 - float(np.median(beta))
    error = float(np.hypot((pair.data[0]["t1_stderr"] / pair.data[0]["t1"]).median(), pair.scatter))
    if power * left > 3 * error and pair.entries[0]["law_fits"]:
        shown = f"between its fields T1 would be off by a factor of {np.exp(power * np.ptp(field)):.2f}"
        return RULED_OUT, f"{text}; but {shown}, where its square describes T1 within about {100 * error:.0f} %"
    return COULD, f"{text}. Far enough apart, two fields tell: T1 then goes with the power beta of the field, not 2"


def _another_motion(pair: Pair) -> tuple[str, str]:
    """A rotation, or jumps among few sites, that relaxes the nucleus and carries nothing far."""
    return NOT_TESTED, (
        "a rotation or jumps among few sites would have a barrier of their own, on either flank and at all fields; "
        "a Haven ratio above 1, another nucleus or a calculation tells"
    )


def _carrier_formation(pair: Pair) -> tuple[str, str]:
    """Vacancies or interstitials of thermal origin, whose number grows on heating."""
    if pair.far == "E_MD":
        return DOES_NOT_APPLY, "a simulation has the carriers that were put in"
    if pair.larger < _RARE:
        return RULED_OUT, f"it would add to E_EIS, which here is the smaller ({mev(pair.gap)})"
    return COULD, (
        f"Schottky or Frenkel pairs of formation energy E_f add E_f/2 to E_EIS: E_f = {mev(2 * pair.gap)} would be "
        "needed. It does not follow by itself: the same concentration of vacancies is in the residence time of an ion, "
        "so that E_NMR has the same E_f/2 unless NMR sees hops that need no new vacancy. Vacancies made by composition "
        "or doping have no E_f"
    )


def _grain_boundaries(pair: Pair) -> tuple[str, str]:
    """Whose conductivity it is, by the part of the sample that was said."""
    if pair.far == "E_MD":
        return DOES_NOT_APPLY, "a simulation of a crystal has none"
    part = str(pair.data[1].coords["part"].item()) if "part" in pair.data[1].coords else ""
    if part == "bulk":
        return RULED_OUT, "the conductivity is that of the bulk"
    if part == "grain_boundary":
        return COULD, "the conductivity is that of the grain boundaries: E_EIS is their barrier"
    if pair.larger < _RARE:
        return NOT_TESTED, "boundaries in series mostly raise E_EIS, here the smaller; the bulk alone would tell"
    if part == "total":
        return COULD, "the conductivity is that of the whole pellet: boundaries with a larger barrier raise E_EIS"
    return NOT_TESTED, "whether the conductivity is that of the bulk was not said; impedance spectra tell the two apart"


def _convention(pair: Pair) -> tuple[str, str]:
    """The barrier of sigma is that of sigma T less kT."""
    if pair.far == "E_MD":
        return DOES_NOT_APPLY, "a diffusion coefficient counts jumps, as 1/tau_c does"
    kelvin = float(pair.data[1]["temperature"].mean())
    shift = BOLTZMANN_EV * kelvin
    size = f"kT = {1e3 * shift:.0f} meV at the mean temperature, {kelvin:.0f} K"
    if pair.entries[1]["convention"] == "sigma_T":
        return RULED_OUT, f"E_EIS is that of sigma T, which compares with tau_c; that of sigma is lower by {size}"
    rest = pair.gap + shift
    low, high = np.quantile(rest, [0.025, 0.975])
    text = f"E_EIS is that of sigma; that of sigma T is larger by {size}, so that {mev(rest)} remains. Fit sigma T"
    return (COULD if low < pair.margin and high > -pair.margin else RULED_OUT), text


def _distribution(pair: Pair) -> tuple[str, str]:
    """Gaussian barriers: rates average on the slow flank, times on the fast one, and charge takes the middle.

    As in Svare, Borsa, Torgeson, Martin, Phys. Rev. B 48 (1993) 9336. The spread of ln T1 in exp(-(t/T)^beta) is the
    root of pi^2/6 (1/beta^2 - 1).
    """
    if pair.spectral_density:
        return DOES_NOT_APPLY, f"the analysis has one, or a spectral density that acts alike: {pair.spectral_density}"
    if not pair.flank:
        return NOT_TESTED, "it lowers E_NMR on the slow flank and raises it on the fast one, and the flank is not known"
    slow, heat = pair.flank == "slow", BOLTZMANN_EV * pair.entries[0]["barriers_at"]
    needed = pair.gap if slow else -pair.gap
    moved = f"on the {pair.flank} flank it {'lowers' if slow else 'raises'} E_NMR"
    if np.mean(needed > 0) < _RARE:
        return RULED_OUT, f"{moved}, which is the {'larger' if slow else 'smaller'} one ({mev(pair.gap)})"
    width = np.sqrt(heat * needed[needed > 0])
    text = f"{moved} by s^2/kT, so that barriers with a Gaussian spread of s = {mev(width)} would do"
    misfit = pair.entries[0]["misfit"]
    if misfit["dof"] > 0 and misfit["p_curvature"] < misfit["level"]:
        return COULD, f"{text}; ln T1 bends in 1/T (p = {misfit['p_curvature']:.2g}), as it then does"
    beta = pair.data[0]["beta"].values if "beta" in pair.data[0] else np.array([np.nan])
    if not np.isfinite(beta).any():
        return NOT_TESTED, f"{text}; a stretched recovery or t1_distribution would show it"
    found, error = np.nanmedian(beta), np.nanmedian(pair.data[0]["beta_stderr"].values)
    stretched = float(np.median(1 / np.sqrt(1 + 6 * (width / heat / np.pi) ** 2)))
    text += f"; if it lasts, recoveries have beta = {stretched:.2f}, and measured is {found:.2f} ± {error:.2f}"
    if found - 2 * error > stretched:
        return NOT_TESTED, f"{text}: it does not last, as where ions hop on within T1 or spin diffusion evens it out"
    return COULD, f"{text} (the levels of a quadrupolar nucleus may lower it as well)"


def _flanks(pair: Pair) -> tuple[str, str]:
    """Whether tau_c may be the other solution of T1."""
    if not pair.branch:
        return NOT_TESTED, "the data are correlation times: whoever made them chose the flank"
    name, share = max(pair.branch.items(), key=lambda item: item[1])
    if share <= 1 - _RARE:
        return (
            COULD,
            f"on which flank T1 was measured is open ({pair.shares}), and E_NMR holds all; a second field tells",
        )
    if name == "crossing" and not pair.entries[0]["law_fits"]:
        return COULD, "T1 was measured on both flanks, and one law does not describe them together"
    where = {"crossing": "both flanks, with its minimum between them"}.get(name, f"the {name} flank")
    return RULED_OUT, f"T1 was measured on {where} (probability {share:.2f}), and is analysed so"


def _phases(pair: Pair) -> tuple[str, str]:
    """Whether both barriers belong to one phase."""
    ranges = pair.ranges
    low, high = max(one for one, _ in ranges), min(one for _, one in ranges)
    spans = ", ".join(f"{n} {a:.0f} to {b:.0f} K" for n, (a, b) in zip(pair.names, ranges, strict=True))
    for k, kelvin in enumerate(pair.transitions):
        if kelvin is None:
            continue
        own, other, (start, stop) = pair.sides[k], pair.sides[1 - k], ranges[1 - k]
        said = f"{pair.names[k]} has a transition at {kelvin:.0f} K"
        if not other and start < kelvin <= stop:
            return COULD, f"{said}, and {pair.names[1 - k]} one barrier from {start:.0f} to {stop:.0f} K, across it"
        other = other or ("below" if stop < kelvin else "above")
        if own != other:
            return COULD, f"{said}: compared are one barrier {own} it and one {other} it"
        return RULED_OUT, f"{said}: both barriers are those {own} it"
    if low > high:
        return NOT_TESTED, f"no temperature is in both ranges ({spans}): a transition may lie between them"
    for name, entry in zip(pair.names, pair.entries, strict=True):
        if not entry["law_fits"]:
            return COULD, f"one barrier does not describe {name} ({spans}); a transition inside its range would do that"
    few = any(np.unique(one["temperature"].values).size < _LEAST_TEMPERATURES for one in pair.data)
    if few or not all(entry["misfit"]["dof"] > 0 for entry in pair.entries):
        return NOT_TESTED, f"{spans}: too few temperatures or no errors to see whether one barrier describes both"
    if high - low > _MOST * (max(one for _, one in ranges) - min(one for one, _ in ranges)):
        return RULED_OUT, f"both have nearly the same range ({spans}), and one barrier describes each"
    return NOT_TESTED, f"{spans}: compare the two where both were measured, {low:.0f} to {high:.0f} K"


def _temperatures(pair: Pair) -> tuple[str, str]:
    """With true temperatures T + d a barrier is about E (1 + d/T)^2, with (1 + s) T it is E (1 + s)."""
    used = [set(entry["probe"].split(", ")) - {""} for entry in pair.entries]
    if used[0] == used[1] and len(used[0]) == 1:
        return (
            RULED_OUT,
            f"both have the thermometer {used[0].pop()}, whose errors change both by nearly the same factor",
        )
    energy = [float(np.median(one)) for one in pair.energy]
    middle = [2 / (1 / low + 1 / high) for low, high in pair.ranges]
    width, factor = pair.ranges[0][1] - pair.ranges[0][0], energy[1] / energy[0]
    offset = middle[0] * (np.sqrt(factor) - 1)
    text = (
        f"the NMR temperatures would all have to be {abs(offset):.0f} K {'higher' if offset > 0 else 'lower'} than was "
        f"read, or their range to be {width / factor:.0f} K in place of {width:.0f} K"
    )
    variance = 0.0
    for names, barrier, kelvin in zip(used, energy, middle, strict=True):
        shift, scale = (max((pair.probes[n][error] for n in names), default=0.0) for error in ("offset", "scale"))
        variance += (2 * barrier * shift / kelvin) ** 2 + (barrier * scale) ** 2
    if variance == 0:
        return NOT_TESTED, f"{text}; no offset or scale of a thermometer was stated"
    text += f"; the stated errors of the thermometers make {1e3 * np.sqrt(variance):.0f} meV (1 sd)"
    if abs(float(np.median(pair.gap))) > 2 * np.sqrt(variance):
        return RULED_OUT, text
    return COULD, f"{text}, which the interval of the difference already holds"


CAUSES: MappingProxyType[str, tuple[str, Callable[[Pair], tuple[str, str]]]] = MappingProxyType(
    {
        "local-hops": ("Backward hops", _local_hops),
        "another-motion": ("A motion that carries no charge", _another_motion),
        "carrier-formation": ("Carriers that have to form", _carrier_formation),
        "grain-boundaries": ("Grain boundaries", _grain_boundaries),
        "sigma-convention": ("sigma in place of sigma T", _convention),
        "distribution": ("A distribution of barriers", _distribution),
        "flanks": ("The other flank of the T1 minimum", _flanks),
        "phase-transition": ("A phase transition", _phases),
        "temperatures": ("Errors of temperature", _temperatures),
    }
)


def mev(energy: Array) -> str:
    """Median and 95 % interval of an energy [eV], in words."""
    return _number(1e3 * energy, ".0f", " meV")


def _number(value: Array, form: str, unit: str = "") -> str:
    low, middle, high = np.quantile(value, [0.025, 0.5, 0.975])
    return f"{middle:{form}}{unit} (95 %: {low:{form}} to {high:{form}})"
