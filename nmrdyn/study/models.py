"""Mechanisms, spectral densities and recovery models, from the words of a study file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from nmrdyn.priors import Normal, Prior
from nmrdyn.inference.process import Conductivity, CorrelationTime
from nmrdyn.motion import spectral_density as densities
from nmrdyn.motion.background import Background
from nmrdyn.motion.dipolar import Dipolar
from nmrdyn.motion.mechanism import Mechanism, MechanismSum
from nmrdyn.motion.quadrupolar import BPP
from nmrdyn.recovery.fit import MODELS
from nmrdyn.recovery.model import RecoveryModel
from nmrdyn.recovery.populations import PopulationRecovery
from nmrdyn.schema import InputError
from nmrdyn.study.toml import as_table, number, one_of, require_known, said_at
from nmrdyn.units import parse

# The keys of each kind of mechanism: those it needs, and those it may have.
_MECHANISMS: dict[str, tuple[set[str], set[str]]] = {
    "quadrupolar": ({"cq", "eta"}, {"fluctuating", "spectral_density"}),
    "dipolar": ({"partner"}, {"distance", "count", "second_moment", "spectral_density"}),
    "background": ({"rate"}, set()),
    "conductivity": ({"convention"}, set()),
    "correlation_time": (set(), set()),
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


class MechanismReader:
    """Reads the mechanism of a process; quantities with a ± become its `priors`."""

    def __init__(self, process: str, nucleus: object, where: str) -> None:
        self.process, self.nucleus, self.where = process, nucleus, where
        self.priors: dict[str, Prior] = {}

    def read(self, said: object) -> Mechanism | Conductivity | CorrelationTime:
        """One mechanism from a table, a sum from a list of tables."""
        if not isinstance(said, list):
            return self._one(as_table(said, "mechanism", self.where))
        parts = [self._one(as_table(table, "mechanism", self.where)) for table in said]
        mechanisms = [part for part in parts if isinstance(part, Mechanism)]
        if not parts or len(mechanisms) < len(parts):
            raise InputError(f"{self.where}: needed mechanisms of relaxation in a list, found {said!r}")
        with said_at(self.where):
            return MechanismSum(tuple(mechanisms)) if len(parts) > 1 else mechanisms[0]

    def _one(self, table: Mapping[str, Any]) -> Mechanism | Conductivity | CorrelationTime:
        kind = one_of(table.get("kind"), _MECHANISMS, "a mechanism kind", self.where)
        needed, optional = _MECHANISMS[kind]
        require_known(table, {"kind"} | needed | optional, f"{self.where}, mechanism")
        missing = sorted(needed - set(table))
        if missing:
            raise InputError(f"{self.where}, mechanism {kind}: needed {', '.join(missing)}, found {', '.join(table)}")
        with said_at(self.where):
            if kind == "conductivity":
                return Conductivity(str(table["convention"]))
            if kind == "correlation_time":
                return CorrelationTime()
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
                eta=number(table["eta"], "eta", self.where),
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
        if found.stderr > 0:
            self.priors[f"{self.process}.{name}"] = Normal(value, found.stderr)
        return value


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
    require_known(table, {"model", "depth"}, f"{where}, recovery")
    depth = number(table["depth"], "depth", where) if "depth" in table else None
    return replace(MODELS[name], depth=depth)  # type: ignore[type-var]


def _populations(table: Mapping[str, Any], mechanism: Mechanism, where: str) -> PopulationRecovery:
    """Its spin and interaction follow from the mechanism."""
    require_known(table, {"model", "initial", "observed", "efficiency"}, f"{where}, recovery")
    missing = sorted({"initial", "observed"} - set(table))
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
