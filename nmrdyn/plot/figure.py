"""Figures and axes that show themselves as the last line of a notebook cell, without pyplot and without set-up."""

from __future__ import annotations

import base64
import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nmrdyn.plot.style import DOUBLE, SINGLE, style
from nmrdyn.schema import InputError

_DPI = 220  # of the picture in a notebook
_ON_SCREEN = 144  # CSS pixels an inch, so that the 8 pt letters of print are read easily

_WIDTHS = {"single": SINGLE, "double": DOUBLE}


class ShownFigure(Figure):
    """A figure that a notebook shows, and whose axes are `ShownAxes`."""

    def add_subplot(self, *args: Any, **kwargs: Any) -> Any:
        if "projection" not in kwargs and not kwargs.get("polar"):
            kwargs.setdefault("axes_class", ShownAxes)
        with style():
            return super().add_subplot(*args, **kwargs)

    def add_axes(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("axes_class", ShownAxes)
        with style():
            return super().add_axes(*args, **kwargs)

    def savefig(self, fname: Any, **kwargs: Any) -> None:
        """Write the figure in the style it was drawn in, as matplotlib makes some of it only now."""
        with style():
            super().savefig(fname, **kwargs)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return _picture(self)


class ShownAxes(Axes):
    """Axes that a notebook shows, with all else in their figure."""

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return _picture(root(self))


def root(axes: Axes) -> Figure:
    """The figure that axes are in, also where they are in a part of it."""
    whole = axes.figure.figure
    assert isinstance(whole, Figure)
    return whole


def figure(width: str = "single", *, height: float = 70.0) -> ShownFigure:
    """An empty figure in the style of all others, for several of them side by side.

    Parameters
    ----------
    width : "single" (85 mm) or "double" (170 mm), one column of a journal or two
    height : of the figure, mm

    Raises
    ------
    InputError
        For another width.

    Examples
    --------
    >>> two = figure("double").subplots(1, 2)
    >>> [type(axes).__name__ for axes in two]
    ['ShownAxes', 'ShownAxes']
    """
    if width not in _WIDTHS:
        raise InputError(f"figure: needed a width among {', '.join(_WIDTHS)}, found {width!r}")
    return _empty(_WIDTHS[width], height / 25.4, layout="constrained")


def new_axes(ax: Axes | None, *, width: float = SINGLE, height: float) -> Axes:
    """The axes that were given, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    axes = _empty(width, height, layout="constrained").add_subplot()
    assert isinstance(axes, Axes)
    return axes


def new_figure(figure: Any, *, width: float = DOUBLE, height: float, layout: str = "constrained") -> Any:
    """The figure (or part of one) that was given, or a new one of this size in inches."""
    return figure if figure is not None else _empty(width, height, layout=layout)


def _empty(width: float, height: float, *, layout: str) -> ShownFigure:
    with style():
        return ShownFigure(figsize=(width, height), layout=layout)  # type: ignore[arg-type]


def _picture(figure: Figure) -> tuple[dict[str, Any], dict[str, Any]]:
    """A PNG with twice the pixels of the screen, and the size it is shown in."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=_DPI)
    width, height = (round(_ON_SCREEN * inches) for inches in figure.get_size_inches())
    shown = {"text/plain": repr(figure), "image/png": base64.b64encode(buffer.getvalue()).decode()}
    return shown, {"image/png": {"width": width, "height": height}}
