"""Where points lie in the picture of a figure, so that a page can put links on them."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nmrdyn.plot.style import svg
from nmrdyn.schema import Array, InputError

_NAME = "nmrdyn-axes"


def svg_with_points(axes: Axes, points: npt.ArrayLike) -> tuple[bytes, Array]:
    """The figure of `axes` as SVG, and where points of these axes lie in it.

    The frame of the axes is found in the SVG itself, so that the margins with which it was written do not matter.

    Parameters
    ----------
    axes : what was drawn on, with linear or logarithmic scales
    points : (point, 2) in the units of the axes

    Returns
    -------
    svg : the file
    place : (point, 2), fractions of the width from the left and of the height from the top; NaN for a point that is not
        finite or lies outside the axes

    Raises
    ------
    InputError
        For axes without a background, which the SVG does not show.

    Examples
    --------
    On a logarithmic axis the middle of 1 and 100 is 10, in the picture as in the axes:

    >>> axes = Figure(figsize=(4, 3)).subplots()
    >>> _ = axes.set(xlim=(0, 10), ylim=(1, 100), yscale="log")
    >>> (low, middle, high), outside = np.split(svg_with_points(axes, [(0, 1), (5, 10), (10, 100), (20, 10)])[1], [3])
    >>> bool(np.allclose(middle, (low + high) / 2)), bool(np.isnan(outside).all())
    (True, True)
    """
    figure = axes.figure
    assert isinstance(figure, Figure)
    axes.patch.set_gid(_NAME)
    picture = svg(figure)
    text = picture.decode()
    frame = re.search(rf'<g id="{_NAME}">\s*<path d="([^"]*)"', text)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    if frame is None or size is None:
        raise InputError("points: needed axes with a background, found none in the SVG; make their patch visible")
    corners = np.array(re.findall(r"[-\d.]+", frame[1]), dtype=float).reshape(-1, 2)
    left, top = corners.min(axis=0)
    right, bottom = corners.max(axis=0)
    with np.errstate(all="ignore"):
        inside = (axes.transScale + axes.transLimits).transform(np.asarray(points, dtype=float).reshape(-1, 2))
        inside[~np.all((inside >= 0) & (inside <= 1), axis=1)] = np.nan
    at = np.stack([left + inside[:, 0] * (right - left), bottom - inside[:, 1] * (bottom - top)], axis=1)
    return picture, at / np.array(size.groups(), dtype=float)
