"""The rows by the line shape that they share, with errors, and how far they share it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmrdyn.schema import Array
from nmrdyn.topspin.files.digital_filter import ComplexArray
from nmrdyn.topspin.intensity.drift import Change, changes
from nmrdyn.topspin.intensity.noise import Noise, noise_edge
from nmrdyn.topspin.intensity.reading import Reading, passed_by
from nmrdyn.topspin.intensity.region import through_window
from nmrdyn.topspin.intensity.shape import Shape, carried, shared_shape


@dataclass(frozen=True)
class ByShape:
    """The rows by their shared shape, and how far they share it."""

    shape: Shape
    reading: Reading
    noise: Noise
    seen: bool  # whether there is more than noise
    second: float
    limit: float
    change: Change
    added: float  # variance that noise in the shape adds to weak rows, over that of the noise in the row itself

    @property
    def alike(self) -> bool:
        """Whether rows differ by nothing but their intensity, as far as can be seen."""
        return not self.second and not self.change.shape_differs


def share_left(inside: ComplexArray, weights: Array | None, noise: Noise) -> float:
    """The share of the noise that a window has left."""
    left = 1.0 if weights is None else float(np.mean(weights**2))
    if not noise.late or not noise.power[0] > 0:
        return left
    # Spurs, and noise that is not white, must not pass for signal.
    late = inside[:, inside.shape[1] // 2 :]
    return max(left, float(np.vdot(late, late).real) / late.size / (2 * noise.power[0]))


def read_by_shape(
    rows: ComplexArray,
    cropped: ComplexArray,
    delay: Array,
    noise: Noise,
    *,
    dwell: float,
    left: float,
    weights: Array | None = None,
    narrow: Array | None = None,
) -> ByShape:
    """Read rows by the shape of their first points.

    All points went through a window of `weights`; only the first go through one of `narrow`.
    """
    if narrow is not None:
        cropped, left = through_window(cropped, narrow), left * float(np.mean(narrow**2))
    shape = shared_shape(cropped)
    filter_ = shape.filter if narrow is None else through_window(shape.filter[None], narrow)[0]
    passed, here = passed_by(rows, filter_, noise, weights)
    power, opened = here.power[: cropped.shape[1]], narrow if weights is None else weights
    spread = 2 * float(np.sum(power**2)) * (1.0 if opened is None else float(np.mean(opened**4)))
    mean = 2 * float(np.sum(power)) * left
    stderr = np.sqrt(passed + carried(shape.values, spread, passed))
    edges = [
        noise_edge(n, mean=mean, spread=spread) * (1 + 3 * np.sqrt(2 / here.dof)) if mean > 0 else 0.0
        for n in (len(rows) + 1, len(rows))
    ]
    ratio, limit = (float(np.sqrt(min(energy / shape.energy[0], 1))) for energy in (shape.energy[1], edges[1]))
    return ByShape(
        shape=shape,
        reading=Reading(shape.values, stderr, here.through(shape.filter)[1]),
        noise=here,
        seen=float(shape.energy[0]) > edges[0],
        second=ratio if ratio > limit and len(rows) > 2 else 0.0,
        limit=limit,
        change=changes(cropped, delay, shape=shape, noise=here, dwell=dwell, passed=passed),
        added=spread / (passed * float(np.sum(shape.values**2))) if passed > 0 else 0.0,
    )
