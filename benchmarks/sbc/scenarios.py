"""The simulated studies: what is measured, and what is drawn anew in each.

The nuisances are drawn from the priors that the model uses: 1 K of error on each temperature and on the calibration of
the thermometer, 5 % on C_Q, and a scatter of T1 (or of the conductivity) between experiments that is half-normal with
3 %. The barrier is drawn within 0.02 eV of what the scenario says, and tau_c at the reference temperature within a
factor of about 1.2. The model's priors of these two are flat and far wider, and their bounds far away: ranks are then
uniform as far as the data outweigh the priors, which they do to a small fraction of a posterior standard deviation.
Coverage here is for such truths, not for ones drawn from all of the prior, half of which no T1 would ever show.
Delays are spread about a guess of each T1 that is off by 30 %; the model takes them as given.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from zlib import crc32

import numpy as np
import xarray as xr

import nmrdyn as nd
from nmrdyn.priors import Normal, Prior
from nmrdyn.schema import BOLTZMANN_EV, Array

REFERENCE = 380.0  # K
POINT = OFFSET = 1.0  # K
CQ_ERROR = 0.05
SCATTER = 0.03
ENERGY_WINDOW = 0.02  # eV on either side
TAU_SPREAD = 0.2  # of ln tau_c at the reference temperature
DELAY_ERROR = 0.3  # of ln T1, when the delays were chosen
MINIMUM = 0.616  # omega tau_c at the T1 minimum of a spin with J(omega) + 4 J(2 omega)

_POPULATIONS = {"spin": 1.5, "interaction": "quad", "initial": "all_sat", "observed": "total"}


@dataclass(frozen=True)
class Quantity:
    """A ranked quantity: its true value, and the sampled parameter it is, less another where it is a difference."""

    truth: float
    of: str
    less: str = ""


@dataclass(frozen=True)
class Study:
    """What `infer` is given, and the truth of each ranked quantity."""

    processes: Sequence[nd.Process]
    probes: Sequence[nd.Probe]
    priors: Mapping[str, Prior]
    quantities: Mapping[str, Quantity]


@dataclass(frozen=True, kw_only=True)
class Nucleus:
    """How one nucleus moves and is measured; ranges are drawn from, log-uniformly.

    Attributes
    ----------
    energy : centre of the window of the barrier [eV]
    omega_tau : omega_0 tau_c at the reference temperature
    delays : recovery delays of each experiment
    depth : 1 saturated, 2 inverted
    excess : noise of the traces over what is measured
    populations : the recovery is that of the levels of a spin 3/2, two exponentials tied to tau_c
    """

    isotope: str = "23Na"
    larmor_frequency: float = 112.7e6  # at 10 T
    cq: float = 1e6
    eta: float = 0.1
    energy: float = 0.45
    omega_tau: float = MINIMUM
    delays: int = 16
    snr: tuple[float, float] = (20.0, 200.0)
    depth: tuple[float, float] = (1.0, 1.0)
    excess: tuple[float, float] = (1.0, 1.0)
    populations: bool = False


@dataclass(frozen=True)
class Scenario:
    """One kind of study; `draw` makes one."""

    says: str
    draw: Callable[[np.random.Generator], Study]


def study(scenario: str, seed: int) -> Study:
    """The study of a scenario that belongs to `seed`."""
    return SCENARIOS[scenario].draw(np.random.default_rng([seed, crc32(scenario.encode())]))


@dataclass(frozen=True)
class _Thermometer:
    """Temperatures as read, and their errors [K]."""

    read: Array
    error: Array
    shared: bool

    @classmethod
    def drawn(cls, n: int, rng: np.random.Generator, *, shared: bool = False) -> _Thermometer:
        return cls(np.linspace(300.0, 480.0, n), rng.normal(0, POINT, n) + rng.normal(0, OFFSET), shared)

    @property
    def probe(self) -> nd.Probe:
        return nd.Probe(name="probe", point=POINT, offset=OFFSET, same_runs=self.shared)


def _log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


def _scatter(n: int, rng: np.random.Generator) -> Array:
    return abs(rng.normal(0, SCATTER)) * rng.standard_normal(n)


def _energy(centre: float, rng: np.random.Generator) -> float:
    return float(rng.uniform(centre - ENERGY_WINDOW, centre + ENERGY_WINDOW))


def _truth(nucleus: Nucleus, thermometer: _Thermometer, rng: np.random.Generator) -> nd.RelaxationTruth:
    """A truth of this nucleus, its delays spread about a guess of T1 at each temperature."""
    n = thermometer.read.size
    one = nd.RelaxationTruth(
        nucleus=nucleus.isotope,
        larmor_frequency=nucleus.larmor_frequency,
        cq=nucleus.cq * (1 + CQ_ERROR * rng.standard_normal()),
        eta=nucleus.eta,
        activation_energy=_energy(nucleus.energy, rng),
        tau_c=nucleus.omega_tau / (2 * np.pi * nucleus.larmor_frequency) * np.exp(TAU_SPREAD * rng.standard_normal()),
        reference_temperature=REFERENCE,
        temperature=thermometer.read,
        temperature_error=thermometer.error,
        log_scatter=0.0 if nucleus.populations else _scatter(n, rng),
        depth=_log_uniform(nucleus.depth, rng),
        recovery=nd.PopulationRecovery(**_POPULATIONS) if nucleus.populations else None,
        snr=_log_uniform(nucleus.snr, rng),
        excess_noise=_log_uniform(nucleus.excess, rng),
    )
    guess = one.t1 * np.exp(DELAY_ERROR * rng.standard_normal(n))
    return replace(one, delays=guess[:, None] * np.geomspace(0.02, 5.0, nucleus.delays))


def _simulated(truth: nd.RelaxationTruth | nd.ConductivityTruth, rng: np.random.Generator) -> xr.Dataset:
    return nd.simulate(truth, seed=int(rng.integers(2**31)))


def _from_fids(truth: nd.RelaxationTruth, rng: np.random.Generator) -> xr.Dataset:
    """Written as a TopSpin folder of FIDs, and read."""
    with tempfile.TemporaryDirectory() as folder:
        return nd.read_topspin(nd.simulate_folder(truth, folder, seed=int(rng.integers(2**31)))).load()


def _relaxation(
    rng: np.random.Generator,
    *,
    nuclei: Mapping[str, Nucleus],
    temperatures: int = 10,
    measured: Callable[..., xr.Dataset] = _simulated,
    rank_cq: bool = False,
) -> Study:
    """A study of one nucleus or more in the same runs."""
    thermometer = _Thermometer.drawn(temperatures, rng, shared=len(nuclei) > 1)
    processes, priors, quantities = [], {}, {}
    for name, nucleus in nuclei.items():
        truth = _truth(nucleus, thermometer, rng)
        mechanism = nd.BPP(nucleus=nucleus.isotope, cq=nucleus.cq, eta=nucleus.eta)
        recovery = nd.PopulationRecovery(**_POPULATIONS) if nucleus.populations else nd.SingleExponential()
        data = measured(truth, rng)
        processes.append(nd.Process(name, data, mechanism=mechanism, recovery=recovery, probe="probe"))
        priors[f"{name}.cq"] = Normal(nucleus.cq, CQ_ERROR * nucleus.cq)
        if nucleus.populations:
            priors[f"{name}.scatter"] = 0.0  # the table of two rates and a scatter takes a second to build
        label = f"{name} " if len(nuclei) > 1 else ""
        quantities[f"{label}Ea"] = Quantity(truth.activation_energy, f"{name}.activation_energy")
        quantities[f"{label}log10 tau0"] = Quantity(truth.log10_tau0, f"{name}.log10_tau0")
        if rank_cq:
            quantities[f"{label}C_Q"] = Quantity(truth.cq, f"{name}.cq")
    if len(nuclei) == 2:
        first, second = (quantities[f"{name} Ea"] for name in nuclei)
        label = "Ea of " + " - ".join(nuclei)
        quantities[label] = Quantity(first.truth - second.truth, first.of, second.of)
    return Study(processes, [thermometer.probe], priors, quantities)


def _conductivity(rng: np.random.Generator) -> Study:
    thermometer = _Thermometer.drawn(10, rng)
    truth = nd.ConductivityTruth(
        activation_energy=_energy(0.45, rng),
        conductivity=1e-2 * np.exp(TAU_SPREAD * rng.standard_normal()),
        reference_temperature=REFERENCE,
        temperature=thermometer.read,
        temperature_error=thermometer.error,
        log_scatter=_scatter(thermometer.read.size, rng),
        relative_error=_log_uniform((0.005, 0.05), rng),
    )
    prefactor = np.log10(truth.conductivity * REFERENCE) + truth.activation_energy / (
        BOLTZMANN_EV * REFERENCE * np.log(10)
    )
    process = nd.Process("hop", _simulated(truth, rng), mechanism=nd.Conductivity("sigma_T"), probe="probe")
    quantities = {
        "Ea": Quantity(truth.activation_energy, "hop.activation_energy"),
        "log10 A": Quantity(prefactor, "hop.log10_prefactor"),
    }
    return Study([process], [thermometer.probe], {}, quantities)


def _one(says: str, *, temperatures: int = 10, rank_cq: bool = False, **nucleus: object) -> Scenario:
    """A scenario of one nucleus, 23Na about its T1 minimum unless said."""
    nuclei = {"hop": Nucleus(**nucleus)}  # type: ignore[arg-type]
    return Scenario(says, partial(_relaxation, nuclei=nuclei, temperatures=temperatures, rank_cq=rank_cq))


_BORON = Nucleus(isotope="11B", larmor_frequency=136.6e6, cq=0.1e6, eta=0.4, energy=0.40, omega_tau=100.0)

SCENARIOS: dict[str, Scenario] = {
    "slow": _one("23Na on the slow flank (omega tau = 100 at 380 K)", omega_tau=100.0),
    "fast": _one("23Na on the fast flank (omega tau = 0.005 at 380 K)", omega_tau=0.005),
    "minimum": _one("23Na about the T1 minimum (omega tau = 0.616 at 380 K)"),
    "six delays": _one("six delays at SNR 20, about the minimum", delays=6, snr=(20.0, 20.0)),
    "SNR 200": _one("SNR 200, about the minimum", snr=(200.0, 200.0)),
    "five temperatures": _one("five temperatures, about the minimum", temperatures=5),
    "C_Q": _one("SNR 60 to 200 about the minimum, C_Q from its 5 % prior ranked too", snr=(60.0, 200.0), rank_cq=True),
    "two nuclei": Scenario(
        "23Na about the minimum and 11B on the slow flank in the same runs",
        partial(_relaxation, nuclei={"Na": Nucleus(), "B": _BORON}),
    ),
    "inversion": _one("inversion recovery, 85 to 99 % inverted, about the minimum", depth=(1.7, 1.98)),
    "populations": _one("two exponentials of a spin 3/2, about the minimum, no scatter", populations=True),
    "conductivity": Scenario("conductivities with errors of 0.5 to 5 %", _conductivity),
    "misfit": _one("noise 2 to 8 times the measured one, about the minimum", snr=(100.0, 400.0), excess=(2.0, 8.0)),
    "FIDs": Scenario(
        "TopSpin folders of FIDs, written and read, about the minimum",
        partial(_relaxation, nuclei={"hop": Nucleus()}, measured=_from_fids),
    ),
}
