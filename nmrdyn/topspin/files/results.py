"""What TopSpin's own T1/T2 module left in an expno, to be shown beside our results; nothing here is judged or used."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from nmrdyn.topspin.files.text import numbered_pdata, plain, text_inside

_LARGEST = 4_000_000  # bytes; real files have some kilobytes
_LONGEST_LINE = 200  # letters
_MOST = 5_000  # lines of a report that say something; each site has four

_UNIT = r"(?:[mun]s?|s)"
_POWERS = {"": 0, "s": 0, "m": -3, "u": -6, "n": -9}
_NUMBER = re.compile(rf"([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:[eE]([-+]?[0-9]{{1,3}}))?({_UNIT}?)")
_DETACHED = re.compile(rf"(?<=[0-9.]) (?={_UNIT}(?: |$))")
_NO_NUMBER = re.compile(r"[-+]?(?:nan|inf|\*)", re.IGNORECASE)
_LINE = re.compile(
    r"""^[ \t]*(?:
        [A-Z]+[ ]fit[ \t]*:\s*(?P<fit>\S.*)  # older reports have the function on the next line
      | (?P<points>[0-9]{1,9})[ ]points[ ]for[ ](?P<site>\S.*)
      | (?P<quantity>T(?:[12]\w*)?)[ \t]*=(?P<times>.*)
      | SD[ \t]*=(?P<sd>.*)
    )$""",
    re.MULTILINE | re.VERBOSE,
)
_POSITION = re.compile(r", (?:Integral Region from|Peak Point (?:=|at)) ")


@dataclass(frozen=True)
class TopspinResult:
    """One relaxation time of a report, or the intensities of one site; what the file does not hold is "", 0, NaN or ().

    Attributes
    ----------
    file : the file it stands in, from the expno, such as "pdata/1/ct1t2.txt"
    fit : the function as the report gives it, such as "Saturation-Recovery(T1) : I[t]=I[0](1-exp(-t/T1))"
    site : which line, with its position where the report says it: "Peak 1, 573.885 ppm" was fitted by its height,
        "Integral 1, -2.378 to -249.004 ppm" by its area
    quantity : the report's own name of the time: "T1", "T2", or "T" for either T2 or T1rho
    component : 1, 2, ... for the exponentials of one site
    t1 : the time [s], whatever `quantity` says it is
    stderr : standard error of the time [s]; NaN from every report known, which give none
    sd : the report's SD: root mean square of the residuals over the largest |intensity|. It is no error of the time
    points : rows fitted or listed
    delay : (rows,) delays as TopSpin took them: pulse lengths without a unit count as seconds here, and where it knew
        no list they are row numbers
    values : (rows,) intensities, NaN where TopSpin found no peak
    """

    file: str
    fit: str = ""
    site: str = ""
    quantity: str = ""
    component: int = 0
    t1: float = np.nan
    stderr: float = np.nan
    sd: float = np.nan
    points: int = 0
    delay: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


def topspin_results(expno: Path) -> list[TopspinResult]:
    """The results of TopSpin's T1/T2 module in every pdata/N, in the order of N: times, then areas, then heights.

    Times come from the report ct1t2.txt, intensities from t1ints.txt (areas) and t1peaks.txt (heights). A file that
    is missing, above 4 MB, linked from outside the expno or not understood gives nothing; no error is raised. Of a
    report the first 5000 lines that say something are read. Fits of diffusion have no time and give nothing. The times
    are as good as TopSpin's fit and its delay list.

    Parameters
    ----------
    expno : the folder that holds acqus

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = Path(folder, "pdata", "1", "ct1t2.txt")
    ...     report.parent.mkdir(parents=True)
    ...     _ = report.write_text("AREA fit :\\n I[t]=I[0]+P*exp(-t/T1)\\n9 points for Integral 1\\nT1    =  4.649m\\n")
    ...     result, = topspin_results(Path(folder))
    >>> result.quantity, result.t1, result.site, result.fit
    ('T1', 0.004649, 'Integral 1', 'I[t]=I[0]+P*exp(-t/T1)')
    """
    results = []
    for path in numbered_pdata(expno):
        where = f"pdata/{path.name}"
        results += _report(_text(path / "ct1t2.txt", expno), f"{where}/ct1t2.txt")
        results += _intensities(_text(path / "t1ints.txt", expno), f"{where}/t1ints.txt", noun="Integral")
        results += _intensities(_text(path / "t1peaks.txt", expno), f"{where}/t1peaks.txt", noun="Peak")
    return results


def _text(path: Path, expno: Path) -> str:
    return text_inside(path, expno, most=_LARGEST, whole=True).replace("\r\n", "\n").replace("\r", "\n")


def _report(text: str, file: str) -> list[TopspinResult]:
    results: list[TopspinResult] = []
    block = TopspinResult(file)
    first = 0  # of the results that await their SD
    for line in islice(_LINE.finditer(text), _MOST):
        if line["fit"] is not None:
            block = replace(block, fit=plain(line["fit"], most=_LONGEST_LINE))
        elif line["site"] is not None:
            block = replace(
                block,
                site=_POSITION.sub(", ", plain(line["site"], most=_LONGEST_LINE), count=1),
                points=int(line["points"]),
            )
            first = len(results)
        elif line["times"] is not None:
            results += (
                replace(block, quantity=line["quantity"], component=i, t1=t1)
                for i, t1 in enumerate(_times(line["times"][:_LONGEST_LINE]), start=1)
                if np.isfinite(t1)
            )
        else:
            sd = next(iter(_times(line["sd"][:_LONGEST_LINE])), np.nan)
            results[first:] = [replace(result, sd=sd) for result in results[first:]]
            first = len(results)
    return results


def _times(text: str) -> list[float]:
    """The numbers of one line in s, NaN for "nan" and "****"; none at all where one word is neither."""
    words = _DETACHED.sub("", " ".join(text.split())).split()
    times = []
    for word in words:
        match = _NUMBER.fullmatch(word)
        if match is None and not _NO_NUMBER.match(word):
            return []
        times.append(np.nan if match is None else float(f"{match[1]}e{int(match[2] or 0) + _POWERS[match[3][:1]]}"))
    return times


def _intensities(text: str, file: str, *, noun: str) -> list[TopspinResult]:
    """Three numbers a line: a delay, then how many sites there are, then position, intensity and point of each."""
    try:
        rows = np.array(text.split()[1:], dtype=float).reshape(-1, 3)  # the first number counts the lines
    except ValueError:
        return []
    if len(rows) < 4 or rows[-1, 0] != -1 or not np.all(np.isfinite(rows)):
        return []
    sites = int(rows[1, 2])
    if sites < 1 or (len(rows) - 1) % (2 + sites):
        return []
    blocks = rows[:-1].reshape(-1, 2 + sites, 3)
    delay, values = blocks[:, 0, 0], blocks[:, 2:, 1]
    if np.any(delay < 0) or np.any(blocks[:, 1, 2] != sites):
        return []
    values = np.where((values == 0) & (blocks[:, 2:, 2] == 0), np.nan, values)
    return [
        TopspinResult(
            file, site=f"{noun} {i}", points=len(delay), delay=tuple(delay.tolist()), values=tuple(column.tolist())
        )
        for i, column in enumerate(values.T, start=1)
    ]
