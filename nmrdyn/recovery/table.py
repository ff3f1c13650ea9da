"""Tables of ln L against ln T1, one a trace, as splines that are read for all walkers, rows and nodes at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numpy.polynomial.polynomial import polyval
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates, spline_filter1d

from nmrdyn.schema import Array, InputError

# W1/W2 of a distribution of Debye processes.
RATIOS = (1.0, 4.0)
# The largest sd of ln T1 between experiments that is tabulated.
MOST_SCATTER = 0.5

# Steps of the grids: asinh of the distance from the fit over its error, and of the scatter over the error of ln T1.
_STEP = 0.06
_SCATTER_STEP = 0.17
_RATIO_STEP = 0.12
# Nodes past the ends: the splines level off at their last node, which is felt that far where they were steep.
_SCATTER_BEYOND, _RATIO_BEYOND = 4, 7
_LEAST_RATIO_WIDTH = 1e-3
_KERNEL = np.linspace(-7.2, 7.2, 17)  # standard deviations; even steps see tails, which Gaussian quadrature does not


@dataclass(frozen=True)
class MarginalTable:
    """ln L of ln T1 for each trace, on grids that are fine near the fit and coarse far from it; see `tabulate`.

    Attributes
    ----------
    centre : (row, power), polynomial in ln(W1/W2) of the ln(T1/s) in the middle of the grid
    width : (row,), sd of ln T1 by which the grid is spaced
    shape : (row, 4), ln(W1/W2) in the middle of its grid, its width, the first node and the step; (row, 0) without
    coefficients : (row, log_t1, scatter, ratio), of the cubic splines; one node along an axis that is not there
    """

    centre: Array
    width: Array
    shape: Array
    coefficients: Array

    @property
    def scattered(self) -> bool:
        """Whether it has an axis for the scatter between experiments."""
        return self.coefficients.shape[2] > 1

    @property
    def shaped(self) -> bool:
        """Whether it has an axis for W1/W2."""
        return self.coefficients.shape[3] > 1

    def select(self, rows: npt.ArrayLike) -> MarginalTable:
        """The table of some of its rows, by their indices or a mask."""
        chosen = np.asarray(rows)
        parts = {name: getattr(self, name)[chosen] for name in ("centre", "width", "shape", "coefficients")}
        return replace(self, **parts)

    def log_density(self, log_t1: Array, *, scatter: Array | None = None, ratio: Array | None = None) -> Array:
        """ln L (walker, row, node), less its maximum without scatter in each row; NaN only where an argument is NaN.

        Parameters
        ----------
        log_t1 : ln(T1/s) (walker, row, node); beyond the grid ln L stays what it is at its end
        scatter : sd of ln T1 between experiments beside the noise (walker,), from 0 to 0.5; 0 unless said
        ratio : W1/W2, broadcasts against `log_t1`; from 1 to 4

        Raises
        ------
        InputError
            For a scatter or a ratio that was not tabulated, or a ratio that is needed and missing.
        """
        if (ratio is not None) != self.shaped or (scatter is not None and not self.scattered):
            needed = _named(scatter=self.scattered, ratio=self.shaped)
            found = _named(scatter=scatter is not None, ratio=ratio is not None)
            raise InputError(f"marginal table: needed {needed}, found {found}; tabulate for what is sampled")
        rows, nodes, *others = self.coefficients.shape
        centre, width = self.centre[:, :1], self.width[:, None]
        places = []
        if self.scattered:
            sd = np.clip(np.zeros(1) if scatter is None else scatter, 0.0, MOST_SCATTER)[:, None, None]
            places.append(np.arcsinh(sd / width) / _SCATTER_STEP)
            width = np.hypot(width, sd)
        if ratio is not None:
            logarithm = np.log(np.clip(ratio, *RATIOS))
            middle, spread, first, step = self.shape.T[..., None]
            places.append((np.arcsinh((logarithm - middle) / spread) - first) / step)
            centre = np.asarray(polyval(logarithm, self.centre.T[..., None], tensor=False))
        half = nodes // 2
        place = np.clip(np.arcsinh((log_t1 - centre) / width) / _STEP, 1 - half, half - 1)
        place = place + (half + nodes * np.arange(rows)[:, None])  # the grids of all rows lie end to end
        spline = self.coefficients.reshape(rows * nodes, *(size for size in others if size > 1))
        coordinates = np.stack(np.broadcast_arrays(place, *places))
        # A coordinate that is NaN counts as outside.
        return np.asarray(map_coordinates(spline, coordinates, order=3, prefilter=False, mode="mirror", cval=np.nan))


def _named(**there: bool) -> str:
    return " and ".join(["ln T1", *(name for name, given in there.items() if given)])


def grid(reach: Array, width: Array) -> Array:
    """Offsets from the centre in units of `width (row,)`, alike for all rows, that cover a `reach (row,)` of ln T1."""
    half = int(np.ceil(np.max(np.arcsinh(reach / width)) / _STEP))
    return np.sinh(_STEP * np.arange(-half, half + 1))


def ratio_grid(ratio: Array, stderr: Array) -> tuple[Array, Array]:
    """`shape (row, 4)` of a `MarginalTable`, about the fitted W1/W2, and ln(W1/W2) of its nodes (row, node)."""
    middle, width = np.log(np.clip(ratio, *RATIOS)), np.maximum(stderr / ratio, _LEAST_RATIO_WIDTH)
    low, high = (np.arcsinh((np.log(end) - middle) / width) for end in RATIOS)
    inside = int(np.ceil(np.max(high - low) / _RATIO_STEP))
    step = (high - low) / inside
    first = low - _RATIO_BEYOND * step
    nodes = first[:, None] + step[:, None] * np.arange(inside + 2 * _RATIO_BEYOND + 1)
    return np.stack([middle, width, first, step], axis=1), middle[:, None] + width[:, None] * np.sinh(nodes)


def make_table(log_likelihood: Array, *, centre: Array, width: Array, shape: Array, scatter: bool) -> MarginalTable:
    """The table of `log_likelihood (row, ratio, log_t1)` on `grid`, with an axis for scatter where that is sampled."""
    levels = _convolved(log_likelihood, float(np.min(width))) if scatter else [log_likelihood]
    values = np.stack(levels, axis=1).transpose(0, 3, 1, 2)
    for axis in (1, 2, 3):
        if values.shape[axis] > 1:
            values = spline_filter1d(values, axis=axis, mode="mirror")
    # Splines of neighbouring rows do not meet.
    padded = np.pad(values, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="reflect")
    return MarginalTable(centre, width, shape, padded)


def _convolved(log_likelihood: Array, least_width: float) -> list[Array]:
    """The likelihood convolved with wider and wider normals, each from the one before, which is no narrower."""
    last = int(np.ceil(np.arcsinh(MOST_SCATTER / least_width) / _SCATTER_STEP)) + _SCATTER_BEYOND
    half = log_likelihood.shape[-1] // 2
    places = _STEP * np.arange(-half, half + 1)
    scatter = np.sinh(_SCATTER_STEP * np.arange(last + 1))
    width = np.hypot(1.0, scatter)
    weight = np.exp(-(_KERNEL**2) / 2)
    weight /= weight.sum()
    levels = [log_likelihood]
    for k in range(1, last + 1):
        shift = np.sqrt(scatter[k] ** 2 - scatter[k - 1] ** 2) * _KERNEL
        shifted = np.arcsinh((width[k] * np.sinh(places)[:, None] + shift) / width[k - 1])
        spline = CubicSpline(places, levels[-1], axis=-1, bc_type="clamped")
        values = spline(np.clip(shifted, places[0], places[-1]))
        top = values.max(axis=-1)
        mean = np.exp(values - top[..., None]) @ weight
        levels.append(top + np.log(mean))
    return levels
