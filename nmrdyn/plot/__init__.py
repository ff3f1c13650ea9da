"""Everything drawn: the only room that imports matplotlib. Each function takes a stage and returns what it drew on."""

from nmrdyn.plot.arrhenius import arrhenius
from nmrdyn.plot.barriers import barriers, budget, corner, differences, savage_dickey
from nmrdyn.plot.recoveries import recoveries, t1_distribution
from nmrdyn.plot.style import COLOURS, style, svg

__all__ = [
    "COLOURS",
    "arrhenius",
    "barriers",
    "budget",
    "corner",
    "differences",
    "recoveries",
    "savage_dickey",
    "style",
    "svg",
    "t1_distribution",
]
