"""Several lines: which lie beside a region, whether they recover alike, and a window that keeps them all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import fdtri

from nmrdyn.schema import Array
from nmrdyn.topspin.files.digital_filter import ComplexArray
from nmrdyn.topspin.intensity.noise import Noise
from nmrdyn.topspin.intensity.reading import integral, read_by
from nmrdyn.topspin.intensity.region import find_regions, through_window, window
from nmrdyn.topspin.intensity.shape import Shape, shared_shape, signal_length

_LEVEL = 1e-3  # how often lines that recover alike are called something else
_NARROW = 0.25  # share of the spectrum below which lines are worth a window
_ROOM = 2  # widths that a window keeps on either side of a line
_LONGER = 2  # how much longer a FID must last in a window to be cropped there


def outside(lines: list[tuple[float, float]], region: tuple[float, float]) -> list[tuple[float, float]]:
    """The lines whose middle is not in a region."""
    return [(low, high) for low, high in lines if not min(region) <= (low + high) / 2 <= max(region)]


def line_window(n_points: int, dwell: float, lines: list[tuple[float, float]]) -> Array | None:
    """Weights (point) of frequencies that keep lines with their feet; None where that is much.

    In FIDs of this many points a line is at least two points of the spectrum wide.
    """
    if not lines:
        return None
    edge, least = 0.5 / dwell, 2 / (n_points * dwell)
    weights = np.zeros(n_points)
    for low, high in lines:
        room = max(_ROOM * (high - low), least)
        # Beyond an end of the spectrum it goes on at the other; a window does not.
        np.maximum(weights, window(n_points, dwell, (max(low - room, -edge), min(high + room, edge))), out=weights)
    return weights if np.mean(weights**2) < _NARROW else None


def narrow_lines(
    rows: ComplexArray, noise: Noise, *, dwell: float, points: int, share: float
) -> tuple[int, list[tuple[float, float]], Array] | None:
    """Where to crop FIDs of narrow lines, the lines, and a window (point) for them; None where they are not narrow.

    `points` is where the FIDs are cropped without a window, and `share` what is left of their noise. A line that lasts
    as long as the FID may be hidden in each point of it, and still stand out of the spectrum.
    """
    length, seen = points, rows[:, :points]
    whole = line_window(rows.shape[1], dwell, find_regions(rows, dwell, noise))
    if whole is not None:
        inside = through_window(rows, whole)
        length = signal_length(inside, noise, share=share * float(np.mean(whole**2)))
        length, seen = (length, inside[:, :length]) if length > _LONGER * points else (points, inside[:, :points])
    # Weaker lines, as spinning sidebands, stand out where the rows are added up.
    values = shared_shape(seen).values
    lines = find_regions((values @ rows[:, :length])[None] / np.linalg.norm(values), dwell, noise)
    weights = line_window(length, dwell, lines)
    return None if weights is None else (length, lines, weights)


def recovering(
    rows: ComplexArray,
    shape: Shape,
    noise: Noise,
    *,
    dwell: float,
    lines: list[tuple[float, float]],
    echo: float,
    alike: bool,
) -> tuple[list[tuple[float, float]], bool]:
    """The lines that differ from row to row, the one that does most first, and whether they recover alike.

    Where rows are `alike` but for their intensity a line is read by what of the shape lies in it, which sees most, and
    else by its integral.
    What is the same in all rows, as a spur or ring-down that a phase cycle has left, recovers in no way: it is taken
    out. All lines are given, and are alike, where that cannot be told.
    """
    if alike:
        # Lines were found in spectra of twice the points: a narrow one may lie between the frequencies of others.
        points = shape.filter.size
        padded = np.pad(shape.filter, (0, points))[None]
        windows = [window(2 * points, dwell, line) for line in lines]
        read = [read_by(rows, through_window(padded, one)[0, :points], shape, noise) for one in windows]
        if all(one.stderr[0] > 0 for one in read):
            # The noise in the shape itself, as in `carried`
            free = [float(np.sum(one**4)) / 2 for one in windows]
            strength = [float(np.sum((one.values / one.stderr) ** 2)) for one in read]
            added = [np.sqrt(1 + 2 * n / total) for n, total in zip(free, strength, strict=True)]
            read = [replace(one, stderr=one.stderr * more) for one, more in zip(read, added, strict=True)]
    else:
        read = [integral(rows, shape, noise, dwell=dwell, regions=[line], echo=echo) for line in lines]
    compared = len(rows) - 2  # but for a mean and a factor
    if len(lines) < 2 or compared < 1 or not all(one.stderr[0] > 0 for one in read):
        return lines, True
    course = np.array([(one.values - one.values.mean()) / one.stderr[0] for one in read])
    gain = np.sum(course**2, axis=1)
    least = (len(rows) - 1) * float(fdtri(len(rows) - 1, read[0].dof, 1 - _LEVEL))
    order = [int(i) for i in np.argsort(-gain, kind="stable") if gain[i] > least]
    if not order:
        return lines, True
    course = course[order]
    # Lines that recover alike are one course times a factor each, all with errors: each pair, and all together.
    together = course @ course.T
    pairs = [float(np.linalg.eigvalsh(together[np.ix_([0, i], [0, i])])[0]) for i in range(1, len(order))]
    dof = compared * max(len(order) - 1, 1)
    alike = max(pairs, default=0) <= compared * float(
        fdtri(compared, read[0].dof, 1 - _LEVEL / 2 / len(lines))
    ) and float(np.sum(np.linalg.eigvalsh(together)[:-1])) <= dof * float(fdtri(dof, read[0].dof, 1 - _LEVEL / 2))
    return [lines[i] for i in order], alike
