"""Output of an electronic-structure program -> C_Q and eta of each atom of an element."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from nmrdyn.efg.magres import read_magres
from nmrdyn.efg.sites import Site, lines_of
from nmrdyn.efg.tensor import NOISE, quadrupolar_parameters, traceless
from nmrdyn.efg.vasp import read_outcar
from nmrdyn.isotopes import MILLIBARN, Isotope, is_mean_moment, isotopes_of
from nmrdyn.schema import InputError

# What the first lines of each kind of file hold.
_MAGRES = ("#$magres", "[atoms]", "<atoms>", "[magres]", "<magres>", "[calculation]", "<calculation>")
_OUTCAR = ("vasp.", "POTCAR:", "VRHFIN", "TITEL", "ions per type")
_HEAD = 65536  # characters


def read_efg(path: str | Path, *, nucleus: str) -> xr.Dataset:
    """Read the electric field gradients of one element from an OUTCAR of VASP or a .magres file.

    C_Q and eta are computed from the full tensor with the quadrupole moment of `nucleus`. What the program printed of
    them is not used: its moment may be another one.

    Parameters
    ----------
    path : an OUTCAR (a run with LEFG = .TRUE.) or a .magres file (CCP-NC format 1.0), told apart by their text
    nucleus : isotope such as "11B"

    Returns
    -------
    gradients : along `site`, all atoms of the element in the order of the file, called "B 3" (the number of the ion in
        an OUTCAR, label and index in a .magres file): `efg` (site, i, j) [V/m^2], symmetric and without the trace that
        rounding leaves, `cq` [Hz], signed, and `eta`; attrs `nucleus`, `quadrupole_moment` [m^2], `source` and `notes`
        (JSON list of what a reader should know)

    Raises
    ------
    InputError
        For a file that is of neither kind or cut short, an element that is not in it, a number that is not readable
        (with its line), a tensor that has a trace or is not symmetric beyond its last printed digit, or a nucleus of
        spin 1/2.

    Notes
    -----
    Formats: the VASP wiki, LEFG; Sturniolo et al., Solid State Nucl. Magn. Reson. 78 (2016) 64, for .magres. Programs
    differ in the sign of the gradient; T1 depends on C_Q^2.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> text = "[magres]\\nunits efg au\\nefg B 1 -0.35 0 0 0 -0.65 0 0 0 1.00\\n[/magres]\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "boron.magres"
    ...     _ = file.write_text(text, encoding="utf-8")
    ...     boron = read_efg(file, nucleus="11B")
    >>> print(*boron.site.values, (boron.cq / 1e6).values.round(4), boron.eta.values.round(6))
    B 1 [9.5372] [0.3]
    """
    from nmrdyn import __version__

    file = Path(path)
    isotope = Isotope.get(nucleus)
    isotope.quadrupolar_coupling(0.0, unit="V/m^2")  # refuses spin 1/2 before a long file is read
    try:
        sites, notes = (read_magres if _is_magres(file) else read_outcar)(file)
    except OSError as error:
        raise InputError(f"{file}: needed an OUTCAR or a .magres file, found {error.strerror or error}") from error
    chosen = [site for site in sites if site.element == isotope.element]
    if not chosen:
        found = ", ".join(sorted({site.element for site in sites})[:20])
        raise InputError(
            f"{file}: needed the tensor of a {isotope.element} atom ({isotope.name}), found those of {found}"
        )
    efg = traceless(
        np.array([site.tensor for site in chosen]),
        # Each of three diagonal elements is off by half of its last digit at most, two equal ones differ by one.
        rounding=NOISE + 1.5 * np.array([site.step for site in chosen]),
        names=[f"{file}, {site.label}" for site in chosen],
    )
    cq, eta = quadrupolar_parameters(efg, nucleus=isotope.name, unit="V/m^2")
    gradients = xr.Dataset(
        {"efg": (("site", "i", "j"), efg), "cq": ("site", cq), "eta": ("site", eta)},
        coords={"site": [site.label for site in chosen]},
    )
    gradients["efg"].attrs = {"units": "V/m^2", "long_name": "electric field gradient"}
    gradients["cq"].attrs = {"units": "Hz", "long_name": "quadrupolar coupling C_Q"}
    gradients["eta"].attrs = {"long_name": "asymmetry of the electric field gradient"}
    notes = [*notes, *_moment_notes(chosen, isotope), *_rounding_notes(chosen, cq, isotope)]
    return gradients.assign_attrs(
        nucleus=isotope.name,
        quadrupole_moment=isotope.quadrupole_moment,
        source=str(file),
        notes=json.dumps(notes, ensure_ascii=False),
        nmrdyn_version=__version__,
    )


def _is_magres(file: Path) -> bool:
    """Whether a file is .magres and no OUTCAR; refused if it is neither."""
    head, length = [], 0
    for _, line in lines_of(file):
        head.append(line)
        length += len(line)
        if length > _HEAD:
            break
    text = "".join(head)
    if any(mark in text for mark in _MAGRES):
        return True
    if any(mark in text for mark in _OUTCAR):
        return False
    raise InputError(f"{file}: needed an OUTCAR of VASP or a .magres file (not compressed), found neither")


def _moment_notes(sites: list[Site], isotope: Isotope) -> list[str]:
    """Each quadrupole moment with which the program made its own C_Q, where it is not that of the isotope."""
    notes = []
    for moment in sorted({site.quadrupole_moment for site in sites if np.isfinite(site.quadrupole_moment)}):
        if _printed_as(moment, isotope.quadrupole_moment):
            continue
        others = [one.name for one in isotopes_of(isotope.element) if _printed_as(moment, one.quadrupole_moment)]
        if others:
            what = f"that of {others[0]}"
        elif _printed_as(moment, isotope.quadrupole_moment_2008):
            what = "its value of 2008"
        elif is_mean_moment(moment, isotope.element):
            what = "the mean over isotopes"
        else:
            what = f"not that of {isotope.name}"
        notes.append(
            f"OUTCAR was made with Q = {moment / MILLIBARN:.6g} mb for {isotope.element}, which is {what}; "
            f"C_Q was recomputed with {isotope.quadrupole_moment / MILLIBARN:.6g} mb of {isotope.name}"
        )
    return notes


def _printed_as(moment: float, known: float) -> bool:
    """Whether `known` is `moment` to the three decimals of mb that VASP prints."""
    return abs(moment - known) < 0.6e-3 * MILLIBARN


def _rounding_notes(sites: list[Site], cq: np.ndarray, isotope: Isotope) -> list[str]:
    """The sites whose C_Q is so small that the last printed digit of V is more than 1 % of it."""
    step = np.abs(isotope.quadrupolar_coupling([site.step for site in sites], unit="V/m^2"))
    coarse = [site.label for site, one, value in zip(sites, step, cq, strict=True) if one > 0.01 * abs(value)]
    if not coarse or step.max() < 1:
        return []
    return [
        f"the last digit of V that is printed is {step.max():.3g} Hz of C_Q, more than 1 % of it at "
        f"{', '.join(coarse)}: eta there is uncertain"
    ]
