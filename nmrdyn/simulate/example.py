"""The example study: Na2(NH2)(BH4) after Tsai et al. 2023, from packaged parameters."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from nmrdyn.schema import ZERO_CELSIUS, Array, InputError
from nmrdyn.simulate.folder import create, simulate_folder
from nmrdyn.simulate.truth import ConductivityTruth, RelaxationTruth


@dataclass(frozen=True)
class _Example:
    """The packaged example study: its truths by the folder each is written to, and the seed of its data."""

    seed: int
    point_error: float
    offset: float
    relaxation: dict[str, RelaxationTruth] = field(default_factory=dict)
    conductivity: dict[str, ConductivityTruth] = field(default_factory=dict)


def _example() -> _Example:
    text = (files("nmrdyn") / "data" / "na2nh2bh4.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    celsius = [float(value) + ZERO_CELSIUS for value in table["temperature_C"]]
    reference = table["reference_temperature_C"] + ZERO_CELSIUS
    shared = {"temperature": celsius, "reference_temperature": reference}
    return _Example(
        seed=table["seed"],
        point_error=table["point_error_K"],
        offset=table["offset_K"],
        relaxation={name: RelaxationTruth(**shared, **entry) for name, entry in table["relaxation"].items()},
        conductivity={name: ConductivityTruth(**shared, **entry) for name, entry in table["conductivity"].items()},
    )


def example_truths(seed: int | None = None) -> dict[str, RelaxationTruth | ConductivityTruth]:
    """The truths of the example study by folder, with temperature errors drawn from `seed` (its own unless said).

    Nuclei share the errors of one thermometer; the conductivity has a thermometer of its own.
    """
    example = _example()
    rng = np.random.default_rng([example.seed if seed is None else seed, 0])
    n = np.size(next(iter(example.relaxation.values())).temperature)

    def draw() -> Array:
        return rng.normal(0, example.point_error, n) + rng.normal(0, example.offset)

    nmr, eis = draw(), draw()
    relaxation = {name: replace(truth, temperature_error=nmr) for name, truth in example.relaxation.items()}
    conductivity = {name: replace(truth, temperature_error=eis) for name, truth in example.conductivity.items()}
    return relaxation | conductivity


def example_study(folder: str | Path, *, seed: int | None = None) -> Path:
    """Write the example study (raw data and study.toml) into `folder`; returns the path of study.toml.

    Raises
    ------
    InputError
        Where something that would be written already exists.
    """
    root = Path(folder)
    start = _example().seed if seed is None else seed
    study = (files("nmrdyn") / "data" / "example-study.toml").read_text(encoding="utf-8")
    taken = [name for name in ("study.toml", *example_truths()) if (root / name).exists()]
    if taken:
        raise InputError(f"{root}: needed a new or empty folder, found {', '.join(taken)} in it; choose another")
    for index, (name, truth) in enumerate(example_truths(seed).items()):
        simulate_folder(truth, root / name, seed=start + 1 + index)
    create(root / "study.toml", study)
    return root / "study.toml"
