"""The style sheet that all figures share, and how they are written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

STYLE = str(Path(__file__).parent.parent / "data" / "nmrdyn.mplstyle")
"""The style sheet as a file, for `matplotlib.pyplot.style.use`."""

SINGLE, DOUBLE = 85 / 25.4, 170 / 25.4  # widths of one column and of two, in inches

# Okabe and Ito's colours, told apart by the colour-blind; in the order of the processes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Beside colours, so that a grey copy can be read too.
MARKERS = ("o", "s", "D", "P", "X", "p", "h")
LINES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), ":", (0, (3, 1)))
GREY = "#6b6b6b"
_PIXELS = 200  # an inch, of clouds of points; lines are vectors


@contextmanager
def style() -> Iterator[None]:
    """The style sheet of all figures, for drawing one's own beside them.

    Examples
    --------
    >>> import matplotlib
    >>> with style():
    ...     print(matplotlib.rcParams["pdf.fonttype"])
    42
    """
    with mpl.rc_context(_sheet()):
        yield


@cache
def _sheet() -> mpl.RcParams:
    return mpl.rc_params_from_file(STYLE, use_default_template=False)


def named(name: object) -> str:
    """A name from the data as text of a figure; matplotlib would take what stands between two $ for mathematics."""
    return str(name).replace("$", r"\$")


def svg(figure: Figure) -> bytes:
    """A figure as an SVG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="svg", dpi=_PIXELS, metadata={"Date": None})
    return buffer.getvalue()
