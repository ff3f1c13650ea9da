"""Which law the data of a process speak for: the evidence of each, by importance sampling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from nmrdyn.inference.measurements import Measurements, measurements
from nmrdyn.inference.model import JointModel, priors_of
from nmrdyn.inference.modes import find_modes
from nmrdyn.inference.process import Probe, Process, law_parameters
from nmrdyn.inference.stages import stages_of
from nmrdyn.laws.arrhenius import Arrhenius
from nmrdyn.laws.law import Law
from nmrdyn.laws.phase_transition import PhaseTransition
from nmrdyn.laws.two_arrhenius import TwoArrhenius
from nmrdyn.laws.vtf import VTF
from nmrdyn.priors import Prior
from nmrdyn.schema import InputError

# One straight line, one that steepens on cooling, and one that flattens.
USUAL_LAWS: tuple[Law, ...] = (Arrhenius(), VTF(), TwoArrhenius())
_LEAST_TEMPERATURES = 4
_REPEATS = 2  # independent searches
_MOST_ERROR = 1.0  # of ln(evidence), above which there are no probabilities
_DRAWS, _EFFECTIVE = 2000, 1000.0  # of a batch, and what all are worth: half of what a posterior needs


@threadpool_limits.wrap(limits=1)  # with more, the last digits of sums depend on their number
def compare_laws(
    process: Process,
    laws: Sequence[Law] = USUAL_LAWS,
    *,
    seed: int,
    probes: Iterable[Probe] = (),
    priors: Mapping[str, Prior | float] | None = None,
    likelihood: str = "traces",
) -> xr.Dataset:
    """The evidence of several laws of temperature for one process.

    The evidence is the mean of the likelihood over the prior, by mixture importance sampling about all modes. It is
    found twice, and its Monte Carlo error holds what the two say differently. It weighs how well a law fits against
    how much it could have fitted, so that it depends on the priors: those of the laws' classes unless others are given.

    Parameters
    ----------
    process : as for `infer`; its own law is not used
    laws : to compare, such as [Arrhenius(), VTF()]
    seed, probes, priors, likelihood : as for `infer`; a prior of a law's parameter is used by the laws that have it

    Returns
    -------
    Dataset with `log_evidence (law)`, its error `log_evidence_stderr`, and `probability` if all were as likely before,
        NaN where an evidence is not even known to a factor of e

    Raises
    ------
    InputError
        Where there are no laws, or the data of the process cannot be used.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.ConductivityTruth(activation_energy=0.5, conductivity=1e-2, reference_temperature=333.15,
    ...     temperature=range(250, 350, 10))
    >>> eis = nd.Process("eis", nd.simulate(truth, seed=1), mechanism=nd.Conductivity("sigma_T"))
    >>> found = compare_laws(eis, [nd.Arrhenius(), nd.VTF()], seed=1)
    >>> bool(found.probability.sel(law="arrhenius") > 0.5)
    True
    """
    if not laws:
        raise InputError("compare_laws: needed at least one law, found none")
    known = {probe.name: probe for probe in probes}
    said = dict(priors or {})
    scatter = said.get(f"{process.name}.scatter") != 0
    one = measurements(process, stages_of(process, known), likelihood=likelihood, scatter=scatter)
    return evidence_of(one, laws, known, said, seed=np.random.SeedSequence(seed), fast=likelihood == "fast")


def evidence_of(
    one: Measurements,
    laws: Sequence[Law],
    probes: Mapping[str, Probe],
    priors: Mapping[str, Prior | float],
    *,
    seed: np.random.SeedSequence,
    fast: bool,
) -> xr.Dataset:
    """The evidence of each law for the measurements of one process."""
    each_law = [replace(one.process, law=law, transition=None) for law in laws]
    every = {name for process in (*each_law, one.process) for name in law_parameters(process)}
    log_evidence, stderr = [], []
    for process, child in zip(each_law, seed.spawn(len(laws)), strict=True):
        believed = {name: prior for name, prior in priors.items() if name not in every - set(law_parameters(process))}
        model = JointModel([replace(one, process=process)], probes, priors_of([one], believed), fast=fast)
        found = [
            find_modes(model, np.random.default_rng(again), draws=_DRAWS, effective=_EFFECTIVE)
            for again in child.spawn(_REPEATS)
        ]
        each = np.array([modes.log_evidence for modes in found])
        stated = np.array([modes.log_evidence_stderr for modes in found])
        log_evidence.append(float(np.logaddexp.reduce(each) - np.log(_REPEATS)))
        # A part of the posterior that one search did not see shows as a difference between two.
        stderr.append(float(np.hypot(np.sqrt(np.sum(stated**2)) / _REPEATS, np.ptp(each) / 2)))
    weight = np.exp(np.array(log_evidence) - max(log_evidence))
    weight *= 1.0 if max(stderr) <= _MOST_ERROR else np.nan
    return xr.Dataset(
        {
            "log_evidence": ("law", np.array(log_evidence)),
            "log_evidence_stderr": ("law", np.array(stderr)),
            "probability": ("law", weight / weight.sum()),
        },
        coords={"law": [law.name for law in laws]},
        attrs={"method": "mixture importance sampling about all modes"},
    )


def candidates(one: Measurements) -> list[Law]:
    """The laws that are compared unasked: its own and the usual ones.

    None with few temperatures, or across a phase transition, which no one of these laws crosses.
    """
    own = one.process.law
    few = np.unique(one.temperature).size < _LEAST_TEMPERATURES
    if few or not np.all(np.isfinite(one.stderr)) or isinstance(own, PhaseTransition):
        return []
    return [own, *(law for law in USUAL_LAWS if law != own)]
