"""Processes that share nothing are sampled by themselves, in fewer dimensions, and their draws put side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nmrdyn.inference.diagnostics import Diagnostics, diagnose, modes_agree
from nmrdyn.inference.measurements import Measurements
from nmrdyn.inference.model import JointModel
from nmrdyn.inference.modes import Modes, find_modes
from nmrdyn.inference.sampler import Chains, sample
from nmrdyn.schema import Array

_FEW = 60  # steps, of what is left when someone has stopped the sampling

# A model and its parameters (draw, parameter) to what is reported of them (draw, column).
Reporter = Callable[[JointModel, Array], Array]


@dataclass(frozen=True)
class Block:
    """The processes that share a thermometer: their model, its modes and its draws."""

    model: JointModel
    modes: Modes
    chains: Chains

    @property
    def flat(self) -> Array:
        """All draws (draw, parameter)."""
        return self.chains.draws.reshape(-1, self.chains.draws.shape[-1])

    @cached_property
    def label(self) -> npt.NDArray[np.intp]:
        """The mode of each draw (chain, draw)."""
        return self.modes.nearest(self.flat).reshape(self.chains.draws.shape[:2])

    @property
    def agrees(self) -> bool:
        """Whether the draws visit each mode as often as importance sampling weighs it."""
        return modes_agree(self.label, self.modes.weight, self.modes.effective_draws)


@dataclass(frozen=True)
class Sampled:
    """The draws of all blocks side by side: `draws (chain, draw, parameter)`, `log_posterior`, `label (chain, draw)`.

    `label` numbers the combination of modes. `check` is of the parameters and then of what is reported; `length
    (parameter,)` is the kept part of each in its autocorrelation times.
    """

    blocks: list[Block]
    draws: Array
    log_posterior: Array
    label: npt.NDArray[np.intp]
    check: Diagnostics
    length: Array
    autocorrelation_time: Array

    @property
    def flat(self) -> Array:
        """All draws (draw, parameter)."""
        return self.draws.reshape(-1, self.draws.shape[-1])

    @property
    def chains(self) -> list[Chains]:
        return [block.chains for block in self.blocks]

    @property
    def interrupted(self) -> bool:
        """Whether someone stopped the sampling."""
        return any(chains.interrupted for chains in self.chains)

    @property
    def converged(self) -> bool:
        """Whether everything passes, in each block and of what blocks have together."""
        return all(chains.converged for chains in self.chains) and self.check.passed

    @property
    def agrees(self) -> bool:
        """Whether all blocks visit their modes as often as these weigh."""
        return all(block.agrees for block in self.blocks)


def blocks_of(model: JointModel) -> list[list[Measurements]]:
    """The processes that share a thermometer, which are those that share errors."""
    groups: list[tuple[set[str], list[Measurements]]] = []
    for one in model.data:
        names, members = set(one.probes), [one]
        apart = []
        for known, others in groups:
            if known & names:
                names, members = names | known, others + members
            else:
                apart.append((known, others))
        groups = [*apart, (names, members)]
    order = {id(one): k for k, one in enumerate(model.data)}
    return sorted((members for _, members in groups), key=lambda members: order[id(members[0])])


def sample_blocks(
    model: JointModel,
    *,
    seed: np.random.SeedSequence,
    ensembles: int,
    max_steps: int,
    progress: bool,
    reported: Reporter,
    checkpoint: Path | None,
) -> Sampled:
    """Find and weigh the modes of each block, and draw from it until it has converged, or at most `max_steps`.

    Parameters
    ----------
    seed : makes every draw
    reported : what must have converged beside the parameters
    checkpoint : as for `sample`; further blocks have files of their own, numbered from 2

    Raises
    ------
    KeyboardInterrupt
        Where there is a checkpoint, which keeps what was drawn; without one, an interrupt ends sampling early.
    """
    models = [model.of(members) for members in blocks_of(model)]
    seeds = [child.spawn(2) for child in seed.spawn(len(models))]
    modes = [find_modes(one, np.random.default_rng(first)) for one, (first, _) in zip(models, seeds, strict=True)]
    blocks: list[Block] = []
    for k, (one, found, (_, child)) in enumerate(zip(models, modes, seeds, strict=True)):
        stopped = any(block.chains.interrupted for block in blocks)
        chains = sample(
            one,
            found,
            seed=child,
            ensembles=ensembles,
            max_steps=min(_FEW, max_steps) if stopped else max_steps,
            progress=progress,
            reported=partial(reported, one),
            checkpoint=_numbered(checkpoint, k),
        )
        if chains.interrupted and checkpoint is not None:
            raise KeyboardInterrupt
        blocks.append(Block(one, found, chains))
    return _side_by_side(model, blocks, reported)


def _numbered(path: Path | None, k: int) -> Path | None:
    return path if path is None or k == 0 else path.with_name(f"{path.stem}-{k + 1}{path.suffix}")


def _side_by_side(model: JointModel, blocks: list[Block], reported: Reporter) -> Sampled:
    """Draws of blocks are independent of each other, so that any may stand beside any."""
    n = min(block.chains.draws.shape[1] for block in blocks)
    columns: dict[str, Array] = {}
    length, tau = {}, {}
    log_posterior = np.zeros((len(blocks[0].chains.draws), n))
    label = np.zeros(log_posterior.shape, dtype=np.intp)
    for block in blocks:
        chains = block.chains
        kept = np.linspace(0, chains.draws.shape[1] - 1, n).astype(int)
        for k, name in enumerate(block.model.parameters):
            columns[name], tau[name] = chains.draws[:, kept, k], chains.autocorrelation_time[k]
            length[name] = chains.kept / tau[name]
        log_posterior = log_posterior + chains.log_posterior[:, kept]
        label = label * len(block.modes.weight) + block.label[:, kept]
    draws = np.stack([columns[name] for name in model.parameters], axis=-1)
    return Sampled(
        blocks=blocks,
        draws=draws,
        log_posterior=log_posterior,
        label=label,
        check=diagnose(draws, partial(reported, model)),
        length=np.array([length[name] for name in model.parameters]),
        autocorrelation_time=np.array([tau[name] for name in model.parameters]),
    )
