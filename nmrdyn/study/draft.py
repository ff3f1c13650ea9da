"""A study file as text, from what lies in a folder; what nobody but its user can know is left as "?"."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from nmrdyn.isotopes import Isotope, known_spin
from nmrdyn.motion.quadrupolar import BPP
from nmrdyn.schema import InputError
from nmrdyn.study.init import Candidate, Findings
from nmrdyn.study.recoveries import name_within
from nmrdyn.study.toml import plain
from nmrdyn.units import parse

_COLUMN = 38  # where comments begin
_SHOWN = 40  # of what was left out, and of the recoveries of a process
_LAWS = 'or "vtf", "eyring", "two_arrhenius", "phase_transition"'
_SAME_FIELD = 0.01


def couplings(cq: Sequence[str], eta: Sequence[str], found: Findings) -> dict[str, dict[str, str]]:
    """C_Q and eta by nucleus, as TOML values, from texts such as "23Na=1.00±0.05MHz,11B=0.1MHz".

    Raises
    ------
    InputError
        For a nucleus that was not found or has no quadrupole, a missing unit, or a value that cannot be.
    """
    nuclei = sorted({one.nucleus for one in found.processes if one.nucleus})
    said: dict[str, dict[str, str]] = {}
    for key, texts in (("cq", cq), ("eta", eta)):
        for text in (part for whole in texts for part in re.split(r",(?=\s*\w+\s*=)", whole)):
            name, equals, value = (part.strip() for part in text.partition("="))
            if not (name and equals and value):
                example = "23Na=1.00±0.05MHz" if key == "cq" else "23Na=0.1"
                raise InputError(f"--{key}: needed NUCLEUS=VALUE such as {example}, found {text!r}")
            nucleus = Isotope.get(name).name
            where = f"--{key} {nucleus}"
            if nucleus not in nuclei:
                raise InputError(f"--{key}: needed a nucleus among {', '.join(nuclei) or 'none'}, found {nucleus}")
            if key == "cq":
                BPP(nucleus=nucleus, cq=abs(parse(value, "frequency", name=where).value), eta=0.0)
                said.setdefault(nucleus, {})[key] = quoted(value)
            else:
                number = plain(value, "eta", where)
                BPP(nucleus=nucleus, cq=1e6, eta=number.value)
                said.setdefault(nucleus, {})[key] = quoted(value) if number.stderr else repr(number.value)
    return said


def draft(
    found: Findings,
    study: Path,
    *,
    name: str,
    couplings: Mapping[str, Mapping[str, str]],
    temperature: str | Sequence[str] | None = None,
) -> str:
    """The text of a study file that is to lie at `study`.

    Raises
    ------
    InputError
        For data whose path is no text.
    """
    lines = [
        "# Made by nmrdyn init from what was found. Paths are relative to this file.",
        f'# Fill in what is "?", look at every guess, then: nmrdyn run {_comment(study.name)} --out results',
        "",
        "[study]",
        f"name = {quoted(name)}",
        _with("seed = 1", "makes every draw"),
        _with('margin = "20 meV"', "barriers closer than this count as the same; choose it before you see them"),
    ]
    probes = _probes(found.processes)
    for probe, members in probes.items():
        lines += ["", *_probe(probe, members)]
    for probe, members in probes.items():
        for one in members:
            lines += ["", *_process(one, probe, study, couplings.get(one.nucleus, {}), temperature)]
    if found.left_out:
        lines += ["", "# Left out:"]
        lines += [f"#   {_comment(name)}: {_comment(why)}" for name, why in list(found.left_out.items())[:_SHOWN]]
        if len(found.left_out) > _SHOWN:
            lines.append(f"#   and {len(found.left_out) - _SHOWN} more")
    return "\n".join([*lines, ""])


def _probes(processes: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """The processes by thermometer: one for each field, one for impedance."""
    fields: list[list[Candidate]] = []
    for one in (one for one in processes if one.nucleus):
        for group in fields:
            if abs(one.proton_frequency / group[0].proton_frequency - 1) < _SAME_FIELD:
                group.append(one)
                break
        else:
            fields.append([one])
    several = len(fields) > 1
    named = {f"nmr{f'{group[0].proton_frequency / 1e6:.0f}' if several else ''}": group for group in fields}
    eis = [one for one in processes if not one.nucleus]
    return named | ({"eis": eis} if eis else {})


def _probe(name: str, members: Sequence[Candidate]) -> list[str]:
    """The section of a thermometer."""
    who = ", ".join(one.name for one in members)
    at = f" at {members[0].proton_frequency / 1e6:.0f} MHz of 1H" if members[0].nucleus else ""
    lines = [
        _with(f"[probe.{name}]", f"the thermometer of {_comment(who)}{at}"),
        _with('point = "1 K"', "standard error of each temperature: a guess, put in yours"),
        _with('offset = "1 K"', "standard error of the calibration: a guess, put in yours"),
    ]
    first, *others = ([round(kelvin, 1) for kelvin in one.temperatures] for one in members)
    if others and members[0].nucleus and all(one == first for one in others):
        why = "all were found at the same temperatures; false where the set point was changed between them"
        lines.append(_with("same_runs = true", why))
    return lines


def _process(
    one: Candidate,
    probe: str,
    study: Path,
    coupling: Mapping[str, str],
    temperature: str | Sequence[str] | None,
) -> list[str]:
    lines = [
        "[[process]]",
        f"name = {quoted(one.name)}",
        _with('# role = ""', "words for the report, such as cation hop, anion rotation, long-range conduction"),
        f"data = {quoted(relative(one.data, study.parent))}",
    ]
    if not one.nucleus:
        return [*lines, *_conductivity(one), f'probe = "{probe}"', _with('law = "arrhenius"', _LAWS)]
    lines += [f'nucleus = "{one.nucleus}"', f'probe = "{probe}"']
    if temperature is not None:
        said = quoted(temperature) if isinstance(temperature, str) else _list(temperature)
        lines.append(f"temperature = {said}")
    return [*lines, *_recoveries(one), *_physics(one, coupling), _with('law = "arrhenius"', _LAWS)]


def _recoveries(one: Candidate) -> list[str]:
    """What was found, as comments, and what is another process's."""
    low, high = one.temperatures[0], one.temperatures[-1]
    rows = [("expno", "T/K", "from", "rows", "kind", "")]
    for each in one.recoveries[:_SHOWN]:
        kelvin = "unknown" if each.temperature is None else f"{each.temperature:.1f}"
        used = f"{each.rows_recorded}/{each.rows_planned}"
        rows.append((name_within(each, one.data), kelvin, each.temperature_source, used, each.kind, each.problem))
    cells = [[_comment(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in cells) for k in range(5)]
    number = f"{len(one.recoveries)} recover{'y' if len(one.recoveries) == 1 else 'ies'}"
    lines = [f"# {number} at {one.larmor_frequency / 1e6:.3f} MHz, {low:.1f} to {high:.1f} K:"]
    for row in cells:
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True))
        lines.append(f"#   {text.rstrip()}")
    if len(one.recoveries) > _SHOWN:
        lines.append(f"#   and {len(one.recoveries) - _SHOWN} more")
    if one.exclude:
        why = "of another field; one motion at two fields may be one fit, with both left in"
        lines.append(_with(f"exclude = {_list(one.exclude)}", why))
    elif failing := [name_within(each, one.data) for each in one.recoveries if each.problem]:
        lines.append(_with(f"# exclude = {_list(failing)}", "no T1 comes of them as they are"))
    return lines


def _physics(one: Candidate, coupling: Mapping[str, str]) -> list[str]:
    """Recovery and mechanism; the couplings are no business of the data."""
    spin = known_spin(one.nucleus) or 0.0
    if spin < 1:
        return [
            _with('recovery = "single"', 'or "stretched", "bi"'),
            '# Relaxed by which nuclei, how far and how many? Or by their second moment: second_moment = "1e9 s^-2"',
            'mechanism = { kind = "dipolar", partner = "?", distance = "? A", count = "?" }',
        ]
    halves = f"{2 * spin:.0f}/2" if spin % 1 else f"{spin:.0f}"
    lines = [_with('recovery = "single"', 'or "stretched", "bi"')]
    if spin > 1:
        done = "all_inv" if all(each.kind == "inversion_recovery" for each in one.recoveries) else "all_sat"
        lines += [
            f"# Of spin {halves} one exponential is exact only where all levels recover alike. Where the central line",
            "# alone is seen, or motion is slow, the levels themselves tell, by what was done and what is observed:",
            f'# recovery = {{ model = "populations", initial = "{done}", observed = "ct" }}',
        ]
    cq, eta = coupling.get("cq", '"? MHz"'), coupling.get("eta", '"?"')
    if "?" in cq + eta:
        lines.append(f'# C_Q and eta of {one.nucleus}, such as cq = "1.00 ± 0.05 MHz", eta = 0.1; a ± is a prior:')
    return [*lines, f'mechanism = {{ kind = "quadrupolar", cq = {cq}, eta = {eta} }}']


def _conductivity(one: Candidate) -> list[str]:
    lines = []
    if one.temperatures:
        low, high = one.temperatures[0], one.temperatures[-1]
        lines.append(f"# {len(one.temperatures)} temperatures, {low:.1f} to {high:.1f} K")
    if one.sample:
        lines.append(f"sample = {quoted(one.sample)}")
    if len(one.directions) > 1:
        lines.append(_with('# direction = "heating"', "both runs are taken, unless one is said"))
    if one.needs_cell:
        lines += [
            _with('part = "total"', 'or "bulk", "grain_boundary"'),
            '# The pellet, such as thickness = "0.90 ± 0.02 mm", radius = "5.0 ± 0.1 mm":',
            'cell = { thickness = "? mm", radius = "? mm" }',
        ]
    return [*lines, _with('mechanism = { kind = "conductivity", convention = "sigma_T" }', "sigma T = A exp(-E/kT)")]


def relative(path: Path, folder: Path) -> str:
    """A path from a folder, with slashes; whole where there is no way, as between drives."""
    try:
        return Path(os.path.relpath(path, folder or ".")).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def quoted(text: str) -> str:
    """A string of TOML.

    >>> print(quoted('a "b" \\\\ °C'))
    "a \\"b\\" \\\\ °C"

    Raises
    ------
    InputError
        For a name of a file that is no text.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        shown = text.encode("utf-8", errors="replace").decode()
        raise InputError(f"{shown}: needed a name that is text, found other bytes; rename the folder") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(quoted, texts))}]"


def _with(code: str, comment: str) -> str:
    return f"{code:<{_COLUMN}}# {comment}" if len(code) < _COLUMN else f"{code}  # {comment}"


def _comment(text: str) -> str:
    """Text that ends no comment."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
