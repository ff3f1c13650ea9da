"""The style sheet that all figures share, and how they are written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from nmrdyn.schema import ZERO_CELSIUS, Array

# Okabe and Ito's colours, told apart by the colour-blind; in the order of the processes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#6b6b6b"
_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "xtick.direction": "out",
    "figure.dpi": 110,
    "svg.fonttype": "path",
    "svg.hashsalt": "nmrdyn",
}


@contextmanager
def style() -> Iterator[None]:
    """The style sheet of all figures, for drawing one's own beside them."""
    with mpl.rc_context(_STYLE):
        yield


def named(name: object) -> str:
    """A name from the data as text of a figure; matplotlib would take what stands between two $ for mathematics."""
    return str(name).replace("$", r"\$")


def svg(figure: Figure) -> bytes:
    """A figure as an SVG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    return buffer.getvalue()


def arrhenius_axes(axes: Axes, *, remark: str = "") -> None:
    """A logarithmic axis over 1000/T, with °C on top."""
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(LogLocator(subs="auto"))
    axes.set_xlabel(f"1000 K / T{remark}")
    top = axes.secondary_xaxis("top", functions=(_celsius, _inverse))
    top.set_xlabel("T / °C")
    top.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))


def _celsius(inverse: npt.ArrayLike) -> Array:
    return 1000.0 / np.maximum(np.asarray(inverse), 1e-6) - ZERO_CELSIUS


def _inverse(celsius: npt.ArrayLike) -> Array:
    return 1000.0 / np.maximum(np.asarray(celsius) + ZERO_CELSIUS, 1e-3)
