"""A file (HDF5) that keeps what the ensembles drew, and from which they go on to the draws of an unbroken run."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import emcee
import h5py
import numpy as np

from nmrdyn.schema import Array, InputError

_FORMAT = "nmrdyn checkpoint 1"


class CheckpointError(InputError):
    """A file from which this sampling cannot go on."""


@dataclass(frozen=True)
class Checkpoint:
    """The ensembles so far, in round coordinates, and `centre` and `spread` that lead from these to the coordinates."""

    ensembles: list[emcee.backends.Backend]
    centre: Array
    spread: Array


def require_place(path: Path) -> None:
    """Refuse a path at which no file can be.

    Raises
    ------
    CheckpointError
        For a folder, or a file in a folder that does not exist.
    """
    if path.is_dir():
        raise CheckpointError(
            f"checkpoint: needed the path of a file, found the folder {path}; add a name, such as draws.h5"
        )
    if not path.absolute().parent.is_dir():
        raise CheckpointError(
            f"checkpoint: needed a folder for {path}, found none at {path.absolute().parent}; make it first"
        )


def write_checkpoint(path: Path, state: Checkpoint, *, study: Mapping[str, str]) -> None:
    """Write beside the file and rename, so that it is whole at every moment, whatever ends the program.

    Raises
    ------
    InputError
        Where there is no room or no permission; an earlier file stays as it was.
    """
    content = io.BytesIO()  # HDF5 does not say plainly that a disk is full, and leaves its file open
    with h5py.File(content, "w") as file:
        file.attrs["format"] = _FORMAT
        file.create_group("study").attrs.update(study)
        file["centre"], file["spread"] = state.centre, state.spread
        for k, ensemble in enumerate(state.ensembles):
            group = file.create_group(f"ensembles/{k}")
            group["chain"], group["log_prob"] = ensemble.get_chain(), ensemble.get_log_prob()
            group["accepted"] = ensemble.accepted
            kind, keys, *counters = ensemble.random_state
            group["random_keys"] = keys
            group.attrs.update({"random_kind": kind, "random_counters": np.array(counters, dtype=float)})
    aside = path.with_name(f"{path.name}.part")
    try:
        with aside.open("wb") as whole:
            whole.write(content.getbuffer())
            whole.flush()
            os.fsync(whole.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise InputError(
            f"{path}: needed room for what was drawn, found {error.strerror or error}; make room and run it again"
        ) from error


def read_checkpoint(path: Path, *, study: Mapping[str, str]) -> Checkpoint:
    """What was written, if it is of this study.

    Raises
    ------
    CheckpointError
        For a file that is no checkpoint, or one of another study, naming what differs.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != _FORMAT:
                raise CheckpointError(
                    f"{path}: needed a checkpoint of nmrdyn, found another HDF5 file; name a new file"
                )
            found = dict(file["study"].attrs)
            if differing := sorted(name for name in study.keys() | found.keys() if study.get(name) != found.get(name)):
                raise CheckpointError(another_study(path, differing))
            ensembles = [_ensemble(file[f"ensembles/{k}"]) for k in range(len(file["ensembles"]))]
            return Checkpoint(ensembles, file["centre"][...], file["spread"][...])
    except (OSError, KeyError) as error:
        raise CheckpointError(
            f"{path}: needed a checkpoint of nmrdyn, found another file ({error}); name a new file"
        ) from error


def another_study(path: Path, differing: Sequence[str]) -> str:
    """What to say of a checkpoint of which something differs."""
    return (
        f"{path}: needed a checkpoint of this study, found one with other {', '.join(differing)}; "
        "delete it to begin anew, or name a new file"
    )


def _ensemble(group: h5py.Group) -> emcee.backends.Backend:
    """An ensemble in memory as emcee left it."""
    chain = group["chain"][...]
    ensemble = emcee.backends.Backend()
    ensemble.reset(*chain.shape[1:])
    ensemble.chain, ensemble.log_prob, ensemble.accepted = chain, group["log_prob"][...], group["accepted"][...]
    ensemble.iteration = len(chain)
    position, has_gauss, gauss = group.attrs["random_counters"]
    keys = group["random_keys"][...]
    ensemble.random_state = (group.attrs["random_kind"], keys, int(position), int(has_gauss), float(gauss))
    return ensemble
