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
_SHARE = 0.4  # of the signal's energy that may be given up in any case
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
    level = 2 * noise.power[:points]
    if n < 4 or not np.all(level > 0):
        return 0
    for start in range(n // 2):
        # Where ringing is as strong as the signal it gets into the shape: the rest of the FID tells how rows differ.
        values = shared_shape(rows[:, start * block : points]).values
        shape = values @ rows[:, :points] / float(values @ values)
        rest = rows[:, :points] - np.outer(values, shape)
        # A phase that jumps from row to row is no ringing.
        late = slice(start * block, None)
        turned = (rest[:, late] @ shape[late].conj()).imag / float(np.linalg.norm(shape[late])) ** 2
        rest -= 1j * np.outer(turned, shape)
        power = np.sum(np.abs(rest) ** 2, axis=0) / level / (len(rows) - 1)
        loud = power[: n * block].reshape(n, block).mean(axis=1) > 1 + _LOUD / np.sqrt((len(rows) - 1) * block)
        if not loud[0]:
            return 0
        end = int(np.argmin(loud)) if not loud.all() else n  # the first block without
        first = end * block
        if start <= end and loud[end:].sum() <= 1 and _pays(rest[:, :first], shape, level, float(values @ values)):
            return first if _at_random(rest[np.argsort(delay, kind="stable"), :first], level[:first]) else 0
    return 0


def _pays(early: ComplexArray, shape: ComplexArray, level: Array, strength: float) -> bool:
    """Whether the first points give less than they disturb, or little."""
    first = early.shape[1]
    energy = np.maximum(np.abs(shape) ** 2 - level / strength, 0)
    given = float(energy[:first].sum() / energy.sum()) if energy.any() else 1.0
    # The noise of the rows through their shape without ringing, and what ringing adds to it
    passed = float(np.sum(np.abs(shape) ** 2 * level / 2))
    ringing = float(np.sum((early @ shape[:first].conj()).real ** 2)) / (len(early) - 1)
    return given <= _SHARE or (1 - given) * ringing > given * passed


def _at_random(rows: ComplexArray, level: Array) -> bool:
    """Whether rows in the order of their delays jump from one to the next, and do not recover."""
    expected = (len(rows) - 1) * float(np.sum(level))
    steps = float(np.sum(np.abs(np.diff(rows, axis=0)) ** 2)) - 2 * expected
    return steps > _AT_RANDOM * (float(np.sum(np.abs(rows) ** 2)) - expected)
