"""Everything drawn: the only room that imports matplotlib. Each function takes a stage and returns what it drew on."""

from nmrdyn.plot.arrhenius import arrhenius
from nmrdyn.plot.barriers import barriers, budget, corner, differences, savage_dickey
from nmrdyn.plot.conductivity import conductivity_lines, vacancies
from nmrdyn.plot.haven import haven, haven_ratio
from nmrdyn.plot.impedance import nyquist, nyquist_grid
from nmrdyn.plot.recoveries import recoveries, t1_distribution
from nmrdyn.plot.style import COLOURS, style, svg

__all__ = [
    "COLOURS",
    "arrhenius",
    "barriers",
    "budget",
    "conductivity_lines",
    "corner",
    "differences",
    "haven",
    "haven_ratio",
    "nyquist",
    "nyquist_grid",
    "recoveries",
    "savage_dickey",
    "style",
    "svg",
    "t1_distribution",
    "vacancies",
]
