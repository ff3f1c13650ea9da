"""Which part of the spectrum is read: one region or several, in Hz or kHz from the carrier or in ppm."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nmrdyn.schema import InputError

# A region is text ("-40:-30 ppm"), two numbers in Hz, several of these, or a mapping of sites to them.
RegionLike = (
    str | tuple[float, float] | Sequence["str | tuple[float, float]"] | Mapping[str, "str | tuple[float, float]"]
)

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
_TEXT = re.compile(
    rf"\s*(?:(?P<site>[^=]*[^=\s])\s*=\s*)?(?P<low>{_NUMBER})\s*(?::|\.\.|\s)\s*(?P<high>{_NUMBER})\s*(?P<unit>\S*)\s*"
)
_FACTORS = {"": 1.0, "Hz": 1.0, "kHz": 1e3, "ppm": None}


@dataclass(frozen=True)
class Region:
    """`low` to `high` in Hz from the carrier, or in ppm; `site` is what it is called, "" where nothing need be."""

    low: float
    high: float
    ppm: bool = False
    site: str = ""

    @property
    def text(self) -> str:
        """As it would be typed."""
        return f"{self.low:g}:{self.high:g} {'ppm' if self.ppm else 'Hz'}"


def regions_of(said: RegionLike | None) -> list[Region]:
    """The regions that were asked for, none for the whole spectrum. Several regions are called by their text or name.

    Raises
    ------
    InputError
        For what is no region, an unknown unit, or two regions of one name.

    Examples
    --------
    >>> regions_of("-5:5 kHz")
    [Region(low=-5000.0, high=5000.0, ppm=False, site='')]
    >>> [(one.site, one.low, one.ppm) for one in regions_of({"BH4": "-45:-35 ppm", "B12": "-20:-10 ppm"})]
    [('BH4', -45.0, True), ('B12', -20.0, True)]
    """
    if said is None:
        return []
    if isinstance(said, Mapping) and said:
        regions = [_region(value, str(site)) for site, value in said.items()]
    elif isinstance(said, str) or _is_pair(said):
        regions = [_region(said)]
    elif isinstance(said, Sequence) and said:
        regions = [_region(value) for value in said]
    else:
        raise InputError(f'region: needed one such as "-40:-30 ppm", or several, found {said!r}')
    if len(regions) > 1:
        regions = [one if one.site else Region(one.low, one.high, one.ppm, one.text) for one in regions]
    names = [one.site for one in regions]
    if len(set(names)) < len(names):
        raise InputError(f"region: needed sites of different names, found {', '.join(names)}")
    return regions


def _is_pair(said: object) -> bool:
    return isinstance(said, Sequence) and len(said) == 2 and all(isinstance(end, int | float) for end in said)


def _region(said: object, site: str = "") -> Region:
    """One region; its lower end first, whichever was said first, as ppm run from the left to the right."""
    ppm = False
    if isinstance(said, str):
        match = _TEXT.fullmatch(said)
        if match is None or match["unit"] not in _FACTORS:
            raise InputError(
                f'region: needed one such as "-5:5 kHz", "-40:-30 ppm" or "BH4=-40:-30 ppm", found {said!r}'
            )
        factor = _FACTORS[match["unit"]]
        ppm, site = factor is None, site or (match["site"] or "").strip()
        ends = [float(match[end]) * (factor or 1.0) for end in ("low", "high")]
    elif _is_pair(said):
        ends = [float(end) for end in said]  # type: ignore[attr-defined]
    else:
        raise InputError(
            f'region: needed two numbers in Hz from the carrier, or text such as "-5:5 kHz", found {said!r}'
        )
    low, high = sorted(ends)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"region: needed two different finite ends, found {said!r}")
    return Region(low, high, ppm, site)
