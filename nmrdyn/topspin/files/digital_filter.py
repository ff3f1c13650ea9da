"""Group delay of the console's digital filter, and the points in which the filter builds up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nmrglue as ng
import numpy as np
import numpy.typing as npt

from nmrdyn.schema import InputError
from nmrdyn.topspin.files.parameters import number

ComplexArray = npt.NDArray[np.complex128]

LONGEST_DELAY = 100.0  # points; real filters delay by up to 76


def group_delay(acqus: dict[str, Any], *, where: Path) -> float | None:
    """Group delay in points as acqus tells it; 0 without a filter, None where acqus is silent or contradicts itself.

    Consoles since 2003 (DSPFVS 20 and above) write GRPDLY. For older ones it follows from DSPFVS and DECIM by Bruker's
    table (W. M. Westler, F. Abildgaard, DMX digital filters and non-Bruker offline processing, 1996), as nmrglue has
    it. DECIM 1 and DIGMOD 0 (analog) are acquisitions without a filter.

    Raises
    ------
    InputError
        Where DSPFVS and DECIM are not in the table, or a parameter is no number.

    Examples
    --------
    >>> group_delay({"GRPDLY": -1, "DSPFVS": 10, "DECIM": 12, "DIGMOD": 1}, where=Path("acqus"))
    60.375
    """
    delay = number(acqus, "GRPDLY", where=where, default=-1)
    version = number(acqus, "DSPFVS", where=where, default=0)
    decim = number(acqus, "DECIM", where=where, default=1)
    analog = number(acqus, "DIGMOD", where=where, default=1) == 0
    if delay > 0:
        return None if analog else delay
    if analog or decim == 1 or version < 10:
        return 0.0
    if version >= 14:
        return 0.0 if delay == 0 else None
    table = ng.bruker.bruker_dsp_table.get(version, {})
    if decim not in table:
        raise InputError(
            f"{where}: needed a known digital filter, found GRPDLY {delay:g}, DSPFVS {version:g}, DECIM {decim:g}; "
            "process the data in TopSpin and read 2rr"
        )
    return float(table[decim])


def without_build_up(rows: ComplexArray, acqus: dict[str, Any], *, where: Path) -> tuple[ComplexArray, list[str]]:
    """Rows (row, point) without the points before the group delay, and notes.

    The fraction of a point that remains only turns the phase of the line shape, which all rows share; folding the
    build-up back in, as for a spectrum, would double the noise of the first points.

    Raises
    ------
    InputError
        Where the group delay is neither told nor plain in the data, or beyond half of the FID.
    """
    delay = group_delay(acqus, where=where)
    notes = []
    if delay is None:
        delay = signal_start(rows)
        found = ", ".join(f"{key} {acqus.get(key, 'absent')}" for key in ("DIGMOD", "DSPFVS", "GRPDLY"))
        if delay is None:
            raise InputError(
                f"{where}: needed the group delay of the digital filter, found {found} and no plain beginning of the "
                "signal; process the data in TopSpin and read 2rr"
            )
        notes.append(f"{found} do not tell the digital filter: the data show that the signal begins at point {delay:g}")
    if delay > rows.shape[1] / 2:
        raise InputError(
            f"{where}: needed GRPDLY inside the FID of {rows.shape[1]} points, found {delay:g}; is TD right?"
        )
    return rows[:, int(delay) :], notes


def signal_start(rows: ComplexArray) -> float | None:
    """The point at which the rows rise to half of their largest amplitude, as a filter does at its group delay.

    None where that is not plain: no signal far above the noise, or one that rises slowly, like an echo.
    """
    amplitude = np.sqrt(np.sum(np.abs(rows) ** 2, axis=0))
    top = amplitude[: 2 * int(LONGEST_DELAY)].max()
    if not top > 10 * np.median(amplitude[-(amplitude.size // 4) :]):
        return None
    start = int(np.argmax(amplitude >= top / 2))
    early, late = amplitude[: start // 2], amplitude[start // 2 : max(start - 3, 0)]
    sharp = np.all(early < 0.02 * top) and np.all(late < 0.2 * top)
    return float(start) if start == 0 or (2 <= start <= LONGEST_DELAY and sharp) else None
