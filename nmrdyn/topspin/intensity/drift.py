"""Rows whose line moves or broadens: how much, and whether the shared shape still reads them right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from nmrdyn.schema import Array
from nmrdyn.topspin.files.digital_filter import ComplexArray
from nmrdyn.topspin.intensity.noise import Noise
from nmrdyn.topspin.intensity.region import listed
from nmrdyn.topspin.intensity.shape import Shape

_LEVEL = 1e-3  # how often rows of one shape are taken for rows that change
_TOLD = 5.0  # errors by which a drift or a broadening must exceed zero to be told
_SEEN = 4.0  # errors by which a part that is the same in all rows must exceed the noise
_APART = 0.01  # how far the rows must be from all alike for such a part to be told
_STRONG = 0.3  # of the strongest row; near its zero a recovery shows parts that do not vanish with it, not a shift


@dataclass(frozen=True)
class Change:
    """What changes from row to row beside the intensity, to first order.

    `drift` and `broadening` [Hz] are ranges over the strong rows, with their errors; `shape_differs` says that the
    intensity itself is affected.
    """

    drift: float
    drift_error: float
    broadening: float
    broadening_error: float
    shape_differs: bool


def changes(rows: ComplexArray, delay: Array, *, shape: Shape, noise: Noise, dwell: float, passed: float) -> Change:
    """Compare each row with the shared shape and its first changes.

    A line that moves by f adds 2 pi i f t times its FID, one that broadens by w (full width, Lorentzian) -pi w t times.
    Only real changes reach the intensities: a small drift does not; nor does what is the same in all rows, as
    ring-down that a phase cycle has left, which is taken out. `delay` (row); `passed` is the noise variance of the
    values.
    """
    n_rows, points = rows.shape
    time = np.arange(points) / points
    basis = [shape.filter]
    for power in (1, 2):
        basis.append(_orthogonal(time**power * shape.filter, basis))
    broader, bent = basis[1:]
    ratio = noise.through(broader)[0] / passed if passed > 0 else 1.0
    seen = rows @ np.stack([broader, bent]).conj().T
    level = np.array([noise.through(one)[0] for one in (broader, bent)])
    standard = seen.real / np.sqrt(np.maximum(level, 1e-300))
    free = [shape.values]
    if _has_common_part(rows, np.stack([shape.filter, broader, bent]), values=shape.values, noise=noise):
        free.append(np.ones(n_rows))
    known = np.linalg.qr(np.stack(free, axis=1))[0]
    standard = standard - known @ (known.T @ standard)
    # A change of any kind, and one that grows with the delay: that one biases T1 most, and is seen best.
    statistic = float(np.sum(standard**2))
    trend = shape.values * np.argsort(np.argsort(delay, kind="stable"), kind="stable")
    trend -= known @ (known.T @ trend)
    grown = float(np.sum((trend @ standard) ** 2) / max(trend @ trend, 1e-300))
    strength = np.abs(shape.values)
    strong = strength > _STRONG * strength.max()
    slope = float(abs(np.vdot(broader, time * shape.filter)))  # of the FID, in units of `points`
    drift = drift_error = broadening = broadening_error = 0.0
    if strong.sum() >= 2 and slope > 0:
        span = points * dwell * slope
        relative = seen[strong, 0] / shape.values[strong]
        error = np.sqrt(ratio * passed) / strength[strong]
        frequency, width = relative.imag / (2 * np.pi * span), -relative.real / (np.pi * span)
        drift, drift_error = float(np.ptp(frequency)), float(np.max(error) / (2 * np.pi * span))
        broadening, broadening_error = float(np.ptp(width)), float(np.max(error) / (np.pi * span))
    compared = 2 * (n_rows - len(free))
    limit = compared * float(fdtri(max(compared, 1), noise.dof, 1 - _LEVEL / 2))
    differs = statistic > limit or grown > 2 * float(fdtri(2, noise.dof, 1 - _LEVEL / 2))
    return Change(drift, drift_error, broadening, broadening_error, compared > 0 and differs)


def _has_common_part(rows: ComplexArray, basis: ComplexArray, *, values: Array, noise: Noise) -> bool:
    """Whether all that rows hold beside their shape is the same in all, and no change of the line (in `basis`)."""
    same = np.ones(len(rows)) - values * (values.sum() / (values @ values))
    norm = float(np.linalg.norm(same))
    if len(rows) < 4 or not norm > _APART * np.sqrt(len(rows)):
        return False
    level = 2 * noise.power[: rows.shape[1]]
    error = _SEEN * float(np.linalg.norm(level))
    common = same @ rows / norm
    inside = basis.conj() @ common
    beyond = float(np.linalg.norm(common - inside @ basis)) ** 2 - float(np.sum(level))
    if beyond < max(error, float(np.linalg.norm(inside)) ** 2):
        return False
    rest = float(np.linalg.norm(rows)) ** 2 - float(np.linalg.norm(values @ rows)) ** 2 / float(values @ values)
    rest -= float(np.linalg.norm(common)) ** 2 + (len(rows) - 2) * float(np.sum(level))
    return rest < error * np.sqrt(len(rows) - 2)


def followed(change: Change, regions: list[tuple[float, float]]) -> str:
    """The sentence for a line that is read by its integral because it changes."""
    return (
        f"the line changes from row to row{moved(change)}, or two sites with T1 of their own: give region=; read by "
        f"its integral over {listed(regions)}, which follows it at about twice the noise, and not by the shared shape"
    )


def moved(change: Change) -> str:
    """By how much a line drifts and broadens, in brackets, or "" where neither is told from noise."""
    said = []
    if change.drift > _TOLD * change.drift_error:
        said.append(f"moves by {_frequency(change.drift)}")
    if change.broadening > _TOLD * change.broadening_error:
        said.append(f"broadens by {_frequency(change.broadening)}")
    return f" (it {' and '.join(said)})" if said else ""


def _frequency(hertz: float) -> str:
    return f"{hertz / 1e3:.3g} kHz" if hertz >= 1e3 else f"{hertz:.3g} Hz"


def _orthogonal(vector: ComplexArray, basis: list[ComplexArray]) -> ComplexArray:
    """The part of a vector that is orthogonal to a basis, of norm 1."""
    for one in basis:
        vector = vector - one * np.vdot(one, vector)
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm > 0 else vector
