"""Rows of FIDs -> the intensity of each row with its error, and what the user should know of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nmrdyn.schema import Array, InputError
from nmrdyn.topspin.files.digital_filter import ComplexArray
from nmrdyn.topspin.intensity.box import box_over_baseline, echo_top
from nmrdyn.topspin.intensity.by_shape import read_by_shape, share_left
from nmrdyn.topspin.intensity.drift import followed, moved
from nmrdyn.topspin.intensity.lines import narrow_lines, outside, recovering
from nmrdyn.topspin.intensity.noise import Noise, measure_noise, without_offset
from nmrdyn.topspin.intensity.reading import integral, read_by
from nmrdyn.topspin.intensity.region import find_regions, listed, settling, tails, through_window, window
from nmrdyn.topspin.intensity.ringdown import ringdown
from nmrdyn.topspin.intensity.shape import signal_length

METHODS = ("shape", "box")

_LEAST_POINTS = 8
_SQUARES = 1e60  # numbers up to this can be squared, summed and squared again
_NOTHING = 1e-300  # the inverse of a smaller number may be none
_PAYS = 0.1  # variance that the noise in the shape adds to weak rows, over that of their own, above which a window pays
_DEGREE = 1  # of the polynomial that tails of lines outside a region can be


@dataclass(frozen=True)
class Intensities:
    """Intensities of the rows of one experiment, by the shared line shape and by the integral.

    `values`, `stderr` (row): real, with the sign that grows with the delay; NaN, as all numbers, where a region holds
    no signal above the noise. `noise_dof`: degrees of freedom of the noise behind `stderr`. `second_component`: the
    second singular value over the first where it is above noise, else 0; `second_component_limit`: how large it must be
    to be seen. `region` (low, high) [Hz from the carrier]: what was read. `method`: "shape" or "box". `box`,
    `box_stderr` (row): the integral, for comparison. `notes`: for the user.
    """

    values: Array
    stderr: Array
    noise_dof: float
    second_component: float
    second_component_limit: float
    region: tuple[float, float]
    method: str
    box: Array
    box_stderr: Array
    notes: tuple[str, ...]


def measure(
    rows: ComplexArray,
    delay: Array,
    *,
    dwell: float,
    region: tuple[float, float] | None = None,
    method: str = "shape",
    echo: float | None = None,
    white: bool = True,
) -> Intensities:
    """Intensity of each row of FIDs as the product with one filter, the same for all rows.

    The filter is the line shape that all rows share, cropped to where there is signal, and so close to the matched
    filter. Where rows differ by more than their intensity (a line that broadens, or drifts by about its width), the
    shape is no fair filter; they are read by the integral over the lines then, and a note says so. A part of less than
    `second_component_limit` with a T1 of its own stays unseen and is averaged in.

    Parameters
    ----------
    rows : (row, point) complex FIDs without the build-up of the digital filter; at least 2 rows of 8 points
    delay : (row) recovery delays [s]
    dwell : time between points [s]
    region : (low, high) [Hz from the carrier], to read one line of several; all unless said, and where lines do not
        recover alike the one that recovers most. Of a line beside the region, 4 widths from the one in it, less than
        1 % is left in the intensities, and less than 0.3 % from 10 widths; keeping it out costs half of the signal to
        noise at 4 widths, and a quarter at 10
    method : "shape", or "box" for the integral over the region
    echo : top of the echo [s after the first point]; found unless said
    white : whether the noise is alike along the FID; it is not after apodisation

    Raises
    ------
    InputError
        For too few rows or points, numbers that are not finite, rows without signal, or an impossible region.

    Examples
    --------
    >>> import numpy as np
    >>> time, delay = np.arange(1024) * 1e-5, np.geomspace(0.05, 5, 8)
    >>> line = np.exp(0.7j - (2e3 * time) ** 2)
    >>> rng = np.random.default_rng(1)
    >>> noise = 0.02 * (rng.standard_normal((8, 1024)) + 1j * rng.standard_normal((8, 1024)))
    >>> found = measure(np.outer(1 - np.exp(-delay), line) + noise, delay, dwell=1e-5)
    >>> relative = found.values / found.values[-1] - (1 - np.exp(-delay)) / (1 - np.exp(-5))
    >>> bool(np.all(np.abs(relative) < 4 * found.stderr / found.values[-1]))
    True
    """
    scale = _checked(rows, delay, dwell, method, echo)
    if not 1 / _SQUARES < scale < _SQUARES:
        rows = rows / scale
    else:
        scale = 1.0
    noise = measure_noise(rows, white=white)
    rows = without_offset(rows, noise)
    first = ringdown(rows, delay, noise)
    notes = []
    if first:
        rows, noise = rows[:, first:], replace(noise, power=noise.power[first:])
        notes.append(
            f"the first {first} points ({1e6 * first * dwell:.3g} µs) differ from row to row at random, as where the "
            "probe still rings: left out"
        )
    begin = first * dwell
    echo = None if echo is None else echo - begin
    found = _measure(rows, delay, noise, dwell=dwell, region=region, line=region, method=method, echo=echo, begin=begin)
    return replace(
        found,
        notes=(*notes, *found.notes),
        values=scale * found.values,
        stderr=scale * found.stderr,
        box=scale * found.box,
        box_stderr=scale * found.box_stderr,
    )


def _measure(
    rows: ComplexArray,
    delay: Array,
    noise: Noise,
    *,
    dwell: float,
    region: tuple[float, float] | None,
    line: tuple[float, float] | None,
    method: str,
    echo: float | None,
    begin: float,
) -> Intensities:
    """`measure` for rows that were checked; `line` is what the integral covers of `region`.

    The first point is `begin` [s] after the first that was recorded.
    """
    inside, weights = rows, None
    if region is not None:
        weights = window(rows.shape[1], dwell, region)
        inside = through_window(rows, weights)[:, : -settling(rows.shape[1], dwell, region)]
    left = share_left(inside, weights, noise)
    points = signal_length(inside, noise, share=left)
    # Lines beside the region are looked for where they are not weakened by its window.
    seen = points if region is None else signal_length(rows, noise)
    lines = find_regions(rows[:, :seen], dwell, noise)
    beside = [] if region is None else outside(lines, region)
    cropped = inside[:, :points]
    if beside and weights is not None:
        foreign = tails(weights, points, _DEGREE)
        cropped = cropped - (cropped @ foreign.conj().T) @ foreign
    found = read_by_shape(inside, cropped, delay, noise, dwell=dwell, left=left, weights=weights)
    if line is not None and line == region and not found.seen:
        return _nothing(len(rows), line)
    if region is None and found.added > _PAYS and found.alike:
        narrow = narrow_lines(rows, noise, dwell=dwell, points=points, share=left)
        if narrow is not None:
            length, through, weights = narrow
            within = read_by_shape(rows, rows[:, :length], delay, noise, dwell=dwell, left=left, narrow=weights)
            if within.alike:
                found, points, lines = within, length, through
    shape, noise, change = found.shape, found.noise, found.change

    strongest = (shape.values @ rows[:, :points]) / np.linalg.norm(shape.values)
    if echo is None:
        echo = echo_top(strongest, dwell, float(np.sqrt(noise.power[0])))
    if region is None and lines:
        lines, together = recovering(
            rows[:, :points], shape, noise, dwell=dwell, lines=lines, echo=echo, alike=found.alike
        )
        if not together:
            return _one_of_several(rows, delay, noise, lines, dwell=dwell, method=method, echo=echo, begin=begin)
    regions = [(min(line), max(line))] if line is not None else sorted(lines) or [(-0.5 / dwell, 0.5 / dwell)]
    if beside and region is not None:
        around = (min(region), max(region))
        filter_ = box_over_baseline(rows.shape[1], dwell, regions[0], around=around, echo=echo)
        by_box = read_by(rows, filter_, shape, noise)
    else:
        by_box = integral(rows[:, :points], shape, noise, dwell=dwell, regions=regions, echo=echo)

    notes = []
    if beside:
        notes.append(f"lines beside the region, {listed(beside)} from the carrier: their tails are taken out of it")
    if method == "shape" and change.shape_differs:
        method = "box"
        notes.append(followed(change, regions))
    elif found.second > 0:
        notes.append(
            f"the rows do not share one line shape: second component {100 * found.second:.2g} % of the first"
            f"{moved(change)}, or two sites with T1 of their own: give region="
        )
    if method == "box" and echo > 1.5 * dwell:  # the first point may lie up to one before the group delay
        notes.append(f"echo top {1e6 * (echo + begin):.3g} µs after the first point, from which the phases are counted")
    chosen = by_box if method == "box" else found.reading
    sign = _sign(chosen.values, delay)
    return Intensities(
        values=sign * chosen.values,
        stderr=chosen.stderr,
        noise_dof=chosen.dof,
        second_component=found.second,
        second_component_limit=found.limit,
        region=(min(region), max(region)) if region is not None else (-0.5 / dwell, 0.5 / dwell),
        method=method,
        box=sign * by_box.values,
        box_stderr=by_box.stderr,
        notes=tuple(notes),
    )


def _nothing(n_rows: int, region: tuple[float, float]) -> Intensities:
    """No intensities, of a region without a signal; those of other regions are none the worse."""
    none = np.full(n_rows, np.nan)
    return Intensities(
        values=none,
        stderr=none,
        noise_dof=np.nan,
        second_component=np.nan,
        second_component_limit=np.nan,
        region=(min(region), max(region)),
        method="shape",
        box=none,
        box_stderr=none,
        notes=(
            f"region: needed a signal, found none above the noise in {listed([region])} from the carrier; choose "
            "another region",
        ),
    )


def _checked(rows: ComplexArray, delay: Array, dwell: float, method: str, echo: float | None) -> float:
    """The largest magnitude of the rows, once all input is usable."""
    if method not in METHODS:
        raise InputError(f"method: needed {' or '.join(METHODS)}, found {method!r}")
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] < _LEAST_POINTS:
        raise InputError(f"rows: needed at least two recorded rows of {_LEAST_POINTS} points, found {rows.shape}")
    if delay.shape != (len(rows),) or not np.all(np.isfinite(delay)):
        raise InputError(f"delay: needed one finite delay for each of {len(rows)} rows, found {delay}")
    if not (np.isfinite(dwell) and dwell > 0) or not (echo is None or np.isfinite(echo)):
        raise InputError(f"dwell and echo: needed finite times, dwell above 0 s, found {dwell} and {echo} s")
    scale = float(max(np.max(part) for part in (rows.real, -rows.real.min(), rows.imag, -rows.imag.min())))
    if not np.isfinite(scale):
        raise InputError("rows: needed finite numbers, found others; is DTYPA in acqus right?")
    if scale < _NOTHING:
        raise InputError("rows: needed a signal, found only zeros; leave rows without data out")
    return scale


def _one_of_several(
    rows: ComplexArray,
    delay: Array,
    noise: Noise,
    lines: list[tuple[float, float]],
    *,
    dwell: float,
    method: str,
    echo: float,
    begin: float,
) -> Intensities:
    """Read the first of several lines, as far as half way to the next, and tell of the others."""
    low, high = lines[0]
    room = high - low
    below = max([one[1] for one in lines[1:] if one[1] <= low], default=-0.5 / dwell)
    above = min([one[0] for one in lines[1:] if one[0] >= high], default=0.5 / dwell)
    region = (max(low - room, (low + below) / 2), min(high + room, (high + above) / 2))
    found = _measure(
        rows, delay, noise, dwell=dwell, region=region, line=lines[0], method=method, echo=echo, begin=begin
    )
    note = (
        f"lines do not recover alike, or move: {listed(lines)} from the carrier; read {listed([region])}, where most "
        "recovers; choose another with region="
    )
    return replace(found, notes=(note, *found.notes))


def _sign(values: Array, delay: Array) -> float:
    """The sign with which the signal grows with the delay; a signal that only decays stays positive."""
    ordered = values[np.argsort(delay, kind="stable")]
    one_signed = np.all(ordered * np.sign(ordered[0]) > -0.1 * abs(ordered[0]))
    if one_signed and abs(ordered[-1]) < 0.5 * abs(ordered[0]):
        return 1.0 if ordered[0] > 0 else -1.0
    return 1.0 if np.sum((delay - delay.mean()) * values) >= 0 else -1.0
