"""What `sampling.py` measures: simulated studies, their joint model, and our sampler, each in one place."""

from dataclasses import dataclass, field, replace
from unittest import mock

import numpy as np

import nmrdyn as nd
from nmrdyn.inference.measurements import measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.sampler import sample
from nmrdyn.inference.stages import stages_of

LARMOR = 112.7e6  # 23Na at 10 T
CQ, CQ_ERROR, ETA = 1e6, 0.05e6, 0.1
ENERGY, REFERENCE = 0.45, 380.0
TAU_AT_REFERENCE = 0.616 / (2 * np.pi * LARMOR)  # at the T1 minimum
POINT = OFFSET = 1.0  # K
RELATIVE_ERROR = 0.02  # of T1 and tau_c in tables


@dataclass(frozen=True)
class Study:
    """What `infer` is given."""

    processes: list
    probes: list = field(default_factory=list)
    priors: dict = field(default_factory=dict)

    @property
    def barrier(self):
        """The quantity whose effective samples are counted."""
        return f"{self.processes[0].name}.activation_energy"


def truth(temperature, seed, *, energy=ENERGY):
    rng = np.random.default_rng(seed)
    return nd.RelaxationTruth(
        nucleus="23Na",
        larmor_frequency=LARMOR,
        cq=CQ,
        eta=ETA,
        snr=60,
        activation_energy=energy,
        tau_c=TAU_AT_REFERENCE,
        reference_temperature=REFERENCE,
        temperature=temperature,
        temperature_error=rng.normal(0, POINT, len(temperature)) + rng.normal(0, OFFSET),
    )


def recoveries(*, seed=1):
    """Ten recoveries of 16 delays about the T1 minimum, with 1 K a point, 1 K in common and 5 % on C_Q."""
    data = nd.simulate(truth(np.linspace(300, 480, 10), seed), seed=seed)
    mechanism = nd.BPP(nucleus="23Na", cq=CQ, eta=ETA)
    hop = nd.Process("hop", data, mechanism=mechanism, recovery=nd.SingleExponential(), probe="vt")
    return Study([hop], [nd.Probe(name="vt", point=POINT, offset=OFFSET)], {"hop.cq": nd.Normal(CQ, CQ_ERROR)})


def t1_tables(temperatures, processes=1, *, folder, seed=1):
    """T1 of `processes` nuclei measured in the same runs, at `temperatures` temperatures each."""
    kelvin = np.linspace(300, 480, temperatures)
    rng = np.random.default_rng(seed)
    mechanism = nd.BPP(nucleus="23Na", cq=CQ, eta=ETA)
    found = []
    for k in range(processes):
        value = truth(kelvin, seed, energy=ENERGY + 0.01 * k).t1
        measured = value * np.exp(rng.normal(0, RELATIVE_ERROR, temperatures))
        data = table(folder, "T1", kelvin, measured, temperature_error=POINT)
        found.append(nd.Process(f"hop{k}", data, mechanism=mechanism, probe="vt"))
    probe = nd.Probe(name="vt", offset=OFFSET, same_runs=True)
    return Study(found, [probe], {f"{one.name}.cq": nd.Normal(CQ, CQ_ERROR) for one in found})


def tau_table(*, folder, seed=1):
    """Ten correlation times with errors of 2 % and exact temperatures, the data of a plain Arrhenius plot."""
    kelvin = np.linspace(300, 480, 10)
    exact = replace(truth(kelvin, seed), temperature_error=0.0).correlation_time
    noise = np.random.default_rng(seed).normal(0, RELATIVE_ERROR, kelvin.size)
    data = table(folder, "tau_c", kelvin, exact * np.exp(noise))
    # kinisi has no scatter beyond the errors.
    return Study([nd.Process("hop", data, mechanism=nd.CorrelationTime())], priors={"hop.scatter": 0.0})


def table(folder, quantity, kelvin, value, *, temperature_error=0.0):
    """A table as a user would give it, read."""
    rows = [
        f"{t:.6f}, {temperature_error}, {v:.12e}, {RELATIVE_ERROR * v:.12e}" for t, v in zip(kelvin, value, strict=True)
    ]
    header = f"T (K), temperature_stderr (K), {quantity} (s), {quantity}_stderr (s)"
    path = folder / "table.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return nd.read_table(path, nucleus="23Na", larmor_frequency=LARMOR)


def joint_model(study, *, likelihood="traces"):
    """The log posterior that `infer` samples."""
    probes = {probe.name: probe for probe in study.probes}
    data = [
        measurements(
            one,
            # Tables need no fit, and what else is made of them is no part of the likelihood.
            {one.datum: one.data} if one.recovery is None else stages_of(one, probes),
            likelihood=likelihood,
            scatter=study.priors.get(f"{one.name}.scatter") != 0,
        )
        for one in study.processes
    ]
    return JointModel(data, probes, study.priors, fast=likelihood == "fast")


def draw(model, modes, *, steps, ensembles=1, to_the_end=False):
    """Our sampler: as many steps as it needs and at most `steps`, or all of these where it goes `to_the_end`."""
    options = {"seed": np.random.SeedSequence(2), "ensembles": ensembles, "max_steps": steps, "progress": False}
    if not to_the_end:
        return sample(model, modes, **options)
    with mock.patch("nmrdyn.inference.sampler.LEAST_LENGTH", np.inf):
        return sample(model, modes, **options)
