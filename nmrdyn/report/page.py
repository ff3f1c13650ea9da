"""The HTML report: one self-contained file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files
from itertools import groupby
from typing import Any

import jinja2
import xarray as xr
from markupsafe import Markup

from nmrdyn.report.data_tables import fit_table, motion_table, names_of, read_table, reading
from nmrdyn.report.levers import conclusion, levers
from nmrdyn.report.methods import methods
from nmrdyn.report.pictures import (
    MOST_RECOVERIES,
    Picture,
    measured_pictures,
    other_pictures,
    recovery_pictures,
    spectra_pictures,
)
from nmrdyn.report.places import TITLES, Placed, placed
from nmrdyn.report.result_tables import result_tables
from nmrdyn.report.summary import verdict_lines


def render(posterior: xr.DataTree, comparison: xr.Dataset, summary: dict[str, Any]) -> str:
    """The report as HTML text; titles and names from the data are shown as text, never as markup."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_packaged),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tied"] = _tied
    described = json.loads(posterior.attrs["processes"])
    nodes = dict(posterior["processes"].children)
    units = {str(name): values.attrs.get("units", "") for name, values in posterior["posterior"].data_vars.items()}
    tables = result_tables(summary, described, units)
    recoveries, not_drawn = recovery_pictures(posterior)
    measured = measured_pictures(posterior, recoveries)
    spectra, same_spectra = spectra_pictures(posterior)
    warnings = placed(
        summary["warnings"], {name: names_of(node) for name, node in nodes.items()}, _sections(measured, summary)
    )
    found = levers(posterior, comparison, summary)
    script = _packaged("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.jinja").render(
        summary=summary,
        passed=summary["diagnostics"]["passed"],
        verdict=verdict_lines(summary),
        margin=1e3 * float(comparison.attrs["margin"]),
        levers=[(theme, list(one)) for theme, one in groupby(found, key=lambda lever: lever.theme)],
        conclusion=conclusion(found, summary),
        contents=_contents(measured, summary),
        described=described,
        needed=json.loads(posterior.attrs["needed"]),
        read=read_table(posterior, described),
        readings={name: reading(node) for name, node in nodes.items()},
        fit_tables={name: fit_table(k, name, node, warnings) for k, (name, node) in enumerate(nodes.items())},
        motion_tables={name: motion_table(k, name, node) for k, (name, node) in enumerate(nodes.items())},
        tables=tables,
        measured=measured,
        recoveries=recoveries,
        not_drawn=not_drawn,
        most=MOST_RECOVERIES,
        spectra=spectra,
        same_spectra=same_spectra,
        pictures={"savage_dickey": None} | other_pictures(posterior, comparison, summary),
        placed=warnings,
        titles=TITLES,
        at=_by_place(warnings, list(described)),
        methods=methods(posterior, comparison, summary),
        study_file=next((name for name in summary["provenance"]["inputs_sha256"] if name.endswith(".toml")), ""),
        css=Markup(_packaged("report.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def _tied(text: str) -> str:
    """Text whose units do not part from their numbers at the end of a line."""
    return re.sub(r" (?=(?:%|meV|°C|±)(?!\w))|(?<=±) ", "\N{NO-BREAK SPACE}", text)


def _packaged(name: str) -> str:
    """The text of a template, the style sheet or the script."""
    return (files("nmrdyn.report") / "templates" / name).read_text(encoding="utf-8")


def _sections(measured: dict[str, Picture], summary: dict[str, Any]) -> list[str]:
    """The places of this report where warnings can stand."""
    there = {
        "motion": "tau_c" in measured,
        "lines": any(summary["conductivity_lines"].values()),
        "haven": summary["haven"] is not None,
    }
    return [name for name in TITLES if there.get(name, True)]


def _contents(measured: dict[str, Picture], summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections below the contents, by the names of their elements."""
    compared = any(summary[key] for key in ("differences", "conductivity_lines", "agreement", "haven", "published"))
    said = [
        ("data", "Data"),
        ("fits", "Fits"),
        ("motion", "Motion") if "tau_c" in measured else None,
        ("barriers", "Barriers"),
        ("comparison", "Comparison") if compared else None,
        ("error-budget", "Error budget"),
        ("diagnostics", "Diagnostics"),
        ("provenance", "Provenance"),
        ("methods", "Methods"),
        ("warnings", "Warnings"),
    ]
    return [one for one in said if one is not None]


def _by_place(warnings: list[Placed], names: list[str]) -> dict[tuple[str, str | None], list[Placed]]:
    """The warnings of each section that are about one process, and under None those about several or none."""
    found: dict[tuple[str, str | None], list[Placed]] = {
        (section, name): [] for section in TITLES for name in (*names, None)
    }
    for one in warnings:
        found[one.section, one.processes[0] if len(one.processes) == 1 else None].append(one)
    return found
