"""The style sheet that all figures share, and how they are written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

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


def svg(figure: Figure) -> bytes:
    """A figure as an SVG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    return buffer.getvalue()
