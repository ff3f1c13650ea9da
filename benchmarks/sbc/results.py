"""What the calibration found: the table of all studies, a summary of it, and the figure."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nmrdyn.plot import COLOURS, style
from sbc.scenarios import SCENARIOS
from sbc.uniformity import GRID, band, counts, coverage, p_value

LEVELS = (0.50, 0.68, 0.90, 0.95)
_FEWEST = 50  # studies of a scenario and method, to be drawn where others have as many
_LINES = {"importance": "-", "emcee": (0, (4, 1.5))}
_SHADES = {"fewest": "0.92", "most": "0.82"}


@dataclass(frozen=True)
class Row:
    """One quantity of one study by one method; a study that failed is one row without a quantity, `note` says why."""

    scenario: str
    method: str
    seed: int
    quantity: str = ""
    truth: float = np.nan
    mean: float = np.nan
    sd: float = np.nan
    rank: float = np.nan
    seconds: float = np.nan
    note: str = ""

    def words(self) -> list[str]:
        """The row with few digits: a rank to 1e-4, the rest to about a hundredth of a posterior sd."""
        digits = {"truth": "#.6g", "mean": "#.6g", "sd": ".3g", "rank": ".4f", "seconds": ".2f"}
        values = zip(fields(self), astuple(self), strict=True)
        return ["" if value != value else format(value, digits.get(one.name, "")) for one, value in values]


def append(path: Path, rows: Iterable[Row]) -> None:
    """Add the rows of one study; a new file begins with the names of the columns."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(one.name for one in fields(Row))
        writer.writerows(row.words() for row in rows)


def load(path: Path) -> pd.DataFrame:
    """All rows so far."""
    names = [one.name for one in fields(Row)]
    if not path.exists():
        return pd.DataFrame(columns=names)
    return pd.read_csv(path, keep_default_na=False, na_values=dict.fromkeys(names[4:-1], ""))


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a scenario, method and quantity. Energies in meV, other quantities in their own units.

    `bias` and `rmse` are those of the posterior mean, `seconds` the mean processor time of a study; `failed` the
    studies without a posterior, which no other column counts, and `doubtful` those whose sampler did not converge,
    which all do.
    """
    lines = []
    for (scenario, method), group in rows.groupby(["scenario", "method"], sort=False):
        failed = group.loc[group["quantity"] == "", "seed"].nunique()
        for quantity, part in group[group["quantity"] != ""].groupby("quantity", sort=False):
            unit = 1e3 if "Ea" in quantity else 1.0
            away, rank = unit * (part["mean"] - part["truth"]), part["rank"].to_numpy()
            lines.append(
                {"scenario": scenario, "method": method, "quantity": quantity, "studies": len(part), "failed": failed}
                | {"doubtful": int((part["note"] != "").sum())}
                | {f"{100 * level:.0f} %": coverage(rank, level) for level in LEVELS}
                | {"p": p_value(rank), "rmse": np.sqrt(np.mean(away**2)), "mean sd": unit * part["sd"].mean()}
                | {"bias": (away.mean(), away.std() / np.sqrt(len(part))), "seconds": part["seconds"].mean()}
            )
        if not len(group[group["quantity"] != ""]):
            lines.append({"scenario": scenario, "method": method, "studies": 0, "failed": failed})
    return pd.DataFrame(lines)


def markdown(rows: pd.DataFrame, command: str) -> str:
    """The summary as a page."""
    table = summarise(rows)
    p = table["p"].dropna() if "p" in table else pd.Series(dtype=float)
    lines = [
        "# Calibration",
        "",
        f"Written by `{command}`; every study is a row of `calibration.csv`, the figure is `calibration.svg`.",
        "Coverage is that of central intervals, with the binomial error of a calibrated one [%]. p is that of the",
        "largest departure of the ranks' ECDF from a straight line (Säilynoja, Bürkner, Vehtari 2022). rmse and bias",
        "are those of the posterior mean; energies in meV, log10 quantities in decades, C_Q in Hz. Failed studies have",
        "no posterior; doubtful ones did not converge and are counted like the others. Studies of emcee are the first",
        "of those of importance sampling, with the same data; CPU s is the processor time of one study.",
        "",
        *(f"- **{name}**: {SCENARIOS[name].says}" for name in dict.fromkeys(rows["scenario"]) if name in SCENARIOS),
        "",
    ]
    head = ["scenario", "method", "quantity", "studies", "failed", "doubtful"]
    head += [*(f"{100 * level:.0f} %" for level in LEVELS), "p", "rmse", "mean sd", "bias", "CPU s"]
    lines += [f"| {' | '.join(head)} |", f"|{'---|' * 3}{'---:|' * (len(head) - 3)}"]
    for line in table.to_dict("records"):
        lines.append(f"| {' | '.join(_cells(line))} |")
    if len(p):
        lines += ["", f"Of {len(p)} p-values {int((p < 0.05).sum())} are below 0.05; {0.05 * len(p):.1f} would be by"]
        lines[-1] += f" chance. The smallest is {p.min():.2g}; times their number, {min(1.0, p.min() * len(p)):.2g}."
    return "\n".join(lines) + "\n"


def _cells(line: dict) -> list[str]:
    cells = [str(line[name]) for name in ("scenario", "method")]
    if not line["studies"]:
        return [*cells, "", "0", str(line["failed"]), *[""] * (len(LEVELS) + 6)]
    cells += [str(line[name]) for name in ("quantity", "studies", "failed", "doubtful")]
    cells += ["{:.1f} ± {:.1f}".format(*(100 * x for x in line[f"{100 * level:.0f} %"])) for level in LEVELS]
    cells += [f"{line['p']:.2g}", f"{line['rmse']:.3g}", f"{line['mean sd']:.3g}"]
    return [*cells, "{:+.2g} ± {:.1g}".format(*line["bias"]), f"{line['seconds']:.2f}"]


def write(folder: Path, command: str) -> str:
    """Make calibration.md, which is returned, and calibration.svg of the rows in calibration.csv in this folder."""
    rows = load(folder / "calibration.csv")
    page = markdown(rows, command)
    (folder / "calibration.md").write_text(page, encoding="utf-8")
    with style():
        draw(rows).savefig(folder / "calibration.svg", metadata={"Date": None})
    return page


def draw(rows: pd.DataFrame) -> Figure:
    """ECDF of the ranks less what it should be: a panel a scenario, with bands that 95 % of uniform ranks stay in."""
    good = rows[rows["quantity"] != ""]
    studies = good.groupby(["scenario", "method"])["seed"].transform("nunique")
    enough = good[studies >= _FEWEST]
    good = enough if len(enough) else good  # a figure of a few studies shows their number and little else
    names = [name for name in SCENARIOS if name in set(good["scenario"])]
    columns = max(1, min(3, len(names)))
    lines = max(1, -(-len(names) // columns))
    figure = Figure(figsize=(2.6 * columns + 0.4, 1.9 * lines + 0.8), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for ax, name in zip(axes.flat, names, strict=False):
        _panel(ax, good[good["scenario"] == name])
        ax.set_title(name)
    methods = [Line2D([], [], color="0.2", ls=ls, lw=1.2, label=name) for name, ls in _LINES.items()]
    bands = [Patch(color=shade, label=f"95 % band, {word} studies") for word, shade in _SHADES.items()]
    figure.legend(handles=[*methods, *bands], loc="outside upper center", ncols=4)
    figure.supxlabel("rank of the truth in its posterior", fontsize=9)
    figure.supylabel("ECDF of the ranks − rank", fontsize=9)
    return figure


def _panel(ax: Axes, part: pd.DataFrame) -> None:
    """The quantities of one scenario by each method, over the bands for as many studies."""
    sizes = sorted(set(part.groupby(["method", "quantity"]).size()))
    for shade, n in zip(_SHADES.values(), [sizes[0], sizes[-1]], strict=True):
        low, high = band(int(n))
        ax.fill_between([0, *GRID, 1], [0, *(low - GRID), 0], [0, *(high - GRID), 0], color=shade, lw=0)
    ax.axhline(0, color="0.5", lw=0.6)
    for colour, quantity in zip(COLOURS, dict.fromkeys(part["quantity"]), strict=False):
        for method, dashes in _LINES.items():
            rank = part.loc[(part["quantity"] == quantity) & (part["method"] == method), "rank"].to_numpy()
            if rank.size:
                label = quantity.replace("log10", "log₁₀").replace("tau0", "τ₀") if method == "importance" else None
                ax.plot(GRID, counts(rank) / rank.size - GRID, color=colour, ls=dashes, lw=1.1, label=label)
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
    ax.set(xlim=(0, 1), ylim=(low - 0.45 * (high - low), high), yticks=ticks)  # room for the legend
    ax.legend(loc="lower center", ncols=3 if part["quantity"].nunique() > 2 else 2, fontsize=6, handlelength=1.2)
