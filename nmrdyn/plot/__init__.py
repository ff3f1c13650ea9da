"""Everything drawn: the only room that imports matplotlib. Each function takes a stage and returns what it drew on."""

from nmrdyn.plot.arrhenius import arrhenius
from nmrdyn.plot.barriers import barriers, differences, savage_dickey
from nmrdyn.plot.conductivity import conductivity_lines, vacancies
from nmrdyn.plot.distribution import t1_distribution
from nmrdyn.plot.figure import figure
from nmrdyn.plot.haven import haven, haven_ratio
from nmrdyn.plot.impedance import nyquist, nyquist_grid
from nmrdyn.plot.posterior import budget, corner
from nmrdyn.plot.recoveries import recoveries, recovery
from nmrdyn.plot.style import COLOURS, STYLE, style, svg

__all__ = [
    "COLOURS",
    "STYLE",
    "arrhenius",
    "barriers",
    "budget",
    "conductivity_lines",
    "corner",
    "differences",
    "figure",
    "haven",
    "haven_ratio",
    "nyquist",
    "nyquist_grid",
    "recoveries",
    "recovery",
    "savage_dickey",
    "style",
    "svg",
    "t1_distribution",
    "vacancies",
]
