"""Mechanisms, spectral densities, recovery models and laws of temperature, from the words of a study file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from nmrdyn.inference.observed import Conductivity, CorrelationTime, Diffusion, Observed
from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.laws.eyring import Eyring
from nmrdyn.laws.law import Law
from nmrdyn.laws.phase_transition import PhaseTransition
from nmrdyn.laws.two_arrhenius import TwoArrhenius
from nmrdyn.laws.vtf import VTF
from nmrdyn.motion import spectral_density as densities
from nmrdyn.motion.background import Background
from nmrdyn.motion.dipolar import Dipolar
from nmrdyn.motion.mechanism import Mechanism, MechanismSum
from nmrdyn.motion.quadrupolar import BPP
from nmrdyn.priors import Normal, Prior, Uniform
from nmrdyn.recovery.fit import MODELS
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.populations import PopulationRecovery
from nmrdyn.schema import InputError
from nmrdyn.study.keys import SECTIONS
from nmrdyn.study.toml import as_table, number, one_of, plain, require_known, said_at, shown
from nmrdyn.units import Quantity, parse

_MECHANISMS = {
    kind: SECTIONS[f"mechanism-{kind.replace('_', '-')}"]
    for kind in ("quadrupolar", "dipolar", "background", "conductivity", "correlation_time", "diffusion")
}
_DENSITIES: dict[str, type] = {
    "debye": densities.Debye,
    "beta_bpp": densities.BetaBPP,
    "cole_davidson": densities.ColeDavidson,
    "cole_cole": densities.ColeCole,
    "havriliak_negami": densities.HavriliakNegami,
    "kww": densities.KWW,
    "log_normal": densities.LogNormal,
    "richards_2d": densities.Richards2D,
    "lipari_szabo": densities.LipariSzabo,
    "two_process": densities.TwoProcess,
}
_LAWS: dict[str, type] = {law.name: law for law in (Arrhenius, VTF, Eyring, TwoArrhenius, PhaseTransition)}


class MechanismReader:
    """Reads the mechanism of a process; quantities with a ± become its `priors`."""

    def __init__(self, process: str, nucleus: object, where: str) -> None:
        self.process, self.nucleus, self.where = process, nucleus, where
        self.priors: dict[str, Prior] = {}

    def read(self, said: object) -> Mechanism | Observed:
        """One mechanism from a table, a sum from a list of tables."""
        if not isinstance(said, list):
            return self._one(as_table(said, "mechanism", self.where))
        parts = [self._one(as_table(table, "mechanism", self.where)) for table in said]
        mechanisms = [part for part in parts if isinstance(part, Mechanism)]
        if not parts or len(mechanisms) < len(parts):
            raise InputError(f"{self.where}: needed mechanisms of relaxation in a list, found {shown(said)}")
        with said_at(self.where):
            return MechanismSum(tuple(mechanisms)) if len(parts) > 1 else mechanisms[0]

    def _one(self, table: Mapping[str, Any]) -> Mechanism | Observed:
        kind = one_of(table.get("kind"), _MECHANISMS, "a mechanism kind", self.where)
        section = _MECHANISMS[kind]
        require_known(table, {"kind"} | section.known, f"{self.where}, mechanism")
        missing = sorted(set(section.needed) - set(table))
        if missing:
            raise InputError(f"{self.where}, mechanism {kind}: needed {', '.join(missing)}, found {', '.join(table)}")
        with said_at(self.where):
            if kind == "conductivity":
                return Conductivity(str(table["convention"]))
            if kind == "correlation_time":
                return CorrelationTime()
            if kind == "diffusion":
                return Diffusion()
            if kind == "background":
                return Background(r1=self._quantity(table["rate"], "rate", "r1"))
            if self.nucleus is None:
                raise InputError(
                    f'{self.where}: needed the nucleus of a {kind} mechanism, found none; say nucleus = "23Na"'
                )
            density = _density(table.get("spectral_density", "debye"), self.where)
            if kind == "dipolar":
                return Dipolar(
                    nucleus=str(self.nucleus),
                    partner=str(table["partner"]),
                    distance=self._optional(table, "length", "distance"),
                    second_moment=self._optional(table, "second moment", "second_moment"),
                    count=number(table.get("count", 1), "count", self.where),
                    spectral_density=density,
                )
            return BPP(
                nucleus=str(self.nucleus),
                cq=self._quantity(table["cq"], "frequency", "cq"),
                eta=self._believed(plain(table["eta"], "eta", self.where), "eta"),
                fluctuating=number(table.get("fluctuating", 1.0), "fluctuating", self.where),
                spectral_density=density,
            )

    def _optional(self, table: Mapping[str, Any], dimension: str, name: str) -> float | None:
        return self._quantity(table[name], dimension, name) if name in table else None

    def _quantity(self, said: object, dimension: str, name: str) -> float:
        """A value, whose error becomes its prior."""
        found = parse(said, dimension, name=f"{self.where}, {name}")
        # Codes print C_Q with a sign, on which relaxation does not depend.
        value = abs(found.value) if name == "cq" else found.value
        return self._believed(Quantity(value, found.stderr), name)

    def _believed(self, found: Quantity, name: str) -> float:
        if found.stderr > 0:
            self.priors[f"{self.process}.{name}"] = Normal(found.value, found.stderr)
        return found.value


def _density(said: object, where: str) -> densities.SpectralDensity:
    """A spectral density from its name, or from a table with its parameters."""
    table = {"kind": said} if isinstance(said, str) else as_table(said, "spectral_density", where)
    kind = one_of(table.get("kind"), _DENSITIES, "a spectral density", where)
    needed = {item.name for item in fields(_DENSITIES[kind])}
    require_known(table, {"kind"} | needed, f"{where}, spectral_density")
    missing = sorted(needed - set(table))
    if missing:
        raise InputError(f"{where}, spectral_density {kind}: needed {', '.join(missing)}, found {', '.join(table)}")
    values = {
        name: parse(table[name], "time", name=f"{where}, {name}", positive=True, exact=True).value
        if name == "tau_e"
        else number(table[name], name, where)
        for name in needed
    }
    density: densities.SpectralDensity = _DENSITIES[kind](**values)
    return density


def read_recovery(said: object, mechanism: Mechanism, where: str) -> RecoveryModel:
    """A recovery model from its name, or from a table with what it needs."""
    table = said if isinstance(said, dict) else {"model": said}
    known = dict.fromkeys([*MODELS, "populations"])
    name = one_of(table.get("model"), known, "a recovery", where)
    if name == "populations":
        return _populations(table, mechanism, where)
    require_known(table, SECTIONS["recovery"].known, f"{where}, recovery")
    depth = number(table["depth"], "depth", where) if "depth" in table else None
    return replace(MODELS[name], depth=depth)  # type: ignore[type-var]


def read_law(said: object, where: str) -> Law:
    """A law of temperature from its name, or from a table with what is known of it."""
    table = {"kind": said} if isinstance(said, str) else as_table(said, "law", where)
    kind = one_of(table.get("kind"), _LAWS, "a law", where)
    known = {item.name for item in fields(_LAWS[kind])}
    require_known(table, {"kind"} | known, f"{where}, law")
    values = {
        name: parse(table[name], "temperature", name=f"{where}, law, {name}", exact=True).value
        for name in known & set(table)
    }
    with said_at(where):
        law: Law = _LAWS[kind](**values)
        return law


def read_priors(said: object, process: str, where: str) -> dict[str, Prior | float]:
    """What is believed of the parameters of a law, and of the scatter: a number, "a ± b" or [low, high]."""
    table = as_table(said, "priors", where)
    priors: dict[str, Prior | float] = {}
    for name, value in table.items():
        place = f"{where}, priors, {name}"
        parts = [_believable(one, name, place) for one in (value if isinstance(value, list) else [value])]
        with said_at(place):
            if isinstance(value, list):
                if len(parts) != 2 or any(part.stderr for part in parts):
                    raise InputError(f"needed [low, high], found {shown(value)}")
                priors[f"{process}.{name}"] = Uniform(parts[0].value, parts[1].value)
            else:
                (one,) = parts
                priors[f"{process}.{name}"] = Normal(one.value, one.stderr) if one.stderr > 0 else one.value
    return priors


def _believable(value: object, name: str, where: str) -> Quantity:
    """A value of a parameter, with the unit that it has."""
    for word, dimension in (("activation_en", "energy"), ("temperature", "temperature")):
        if word in name and "entropy" not in name:
            return parse(value, dimension, name=where, difference=name != "transition_temperature")
    return plain(value, name, where)


def _populations(table: Mapping[str, Any], mechanism: Mechanism, where: str) -> PopulationRecovery:
    """Its spin and interaction follow from the mechanism."""
    require_known(table, SECTIONS["recovery-populations"].known, f"{where}, recovery")
    missing = sorted(set(SECTIONS["recovery-populations"].needed) - set(table))
    if missing:
        raise InputError(f"{where}, recovery populations: needed {', '.join(missing)}, found {', '.join(table)}")
    quadrupolar = [isinstance(part, BPP) for part in mechanism.parts]
    with said_at(where):
        return PopulationRecovery(
            spin=mechanism.spin or 0.5,
            interaction="quad" if all(quadrupolar) else "mixed" if any(quadrupolar) else "mag",
            initial=str(table["initial"]),
            observed=str(table["observed"]),
            efficiency=number(table["efficiency"], "efficiency", where) if "efficiency" in table else None,
        )
