"""The beginning of FIDs where the probe still rings, differently in each row."""

from __future__ import annotations

import numpy as np

from nmrdyn.schema import Array
from nmrdyn.topspin.files.digital_filter import ComplexArray
from nmrdyn.topspin.intensity.noise import Noise
from nmrdyn.topspin.intensity.shape import shared_shape, signal_length

_BLOCKS = 48  # parts of the FID that are compared with the noise
_LEAST_BLOCK = 4  # points
_LOUD = 4.0  # standard errors above the noise
_SHARE = 0.4  # of the signal's energy that may be given up
_AT_RANDOM = 1.0  # squared steps from row to row over squares; 2 at random, far below for a second line that recovers


def ringdown(rows: ComplexArray, delay: Array, noise: Noise) -> int:
    """Points to leave out at the beginning of FIDs (row, point) measured with `delay` (row); 0 where nothing rings.

    Ringing is what the shared shape does not explain, is over while most of the signal is still to come, and jumps from
    row to row: a second line with a T1 of its own does not.
    """
    if len(rows) < 4:
        return 0
    points = signal_length(rows, noise)
    block = max(points // _BLOCKS, _LEAST_BLOCK)
    n = points // block
    shape = shared_shape(rows[:, :points])
    rest = rows[:, :points] - np.outer(shape.values, shape.filter)
    level = 2 * noise.power[:points]
    if n < 4 or not np.all(level > 0):
        return 0
    power = np.sum(np.abs(rest) ** 2, axis=0) / level / (len(rows) - 1)
    loud = power[: n * block].reshape(n, block).mean(axis=1) > 1 + _LOUD / np.sqrt((len(rows) - 1) * block)
    end = int(np.argmin(loud))  # the first block without
    first = end * block
    if end == 0 or loud[end:].sum() > 1 or np.sum(np.abs(shape.filter[:first]) ** 2) > _SHARE:
        return 0
    early = rest[np.argsort(delay, kind="stable"), :first]
    expected = (len(rows) - 1) * float(np.sum(level[:first]))
    steps = float(np.sum(np.abs(np.diff(early, axis=0)) ** 2)) - 2 * expected
    return first if steps > _AT_RANDOM * (float(np.sum(np.abs(early) ** 2)) - expected) else 0
