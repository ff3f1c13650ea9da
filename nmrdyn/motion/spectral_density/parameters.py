"""The check that the parameters of spectral densities share."""

from __future__ import annotations

import numpy as np

from nmrdyn.schema import Array, InputError


def require_within(
    what: str,
    value: float | Array,
    *,
    above: float = -np.inf,
    least: float = -np.inf,
    most: float = np.inf,
    below: float = np.inf,
    single: bool = False,
    advice: str = "",
) -> None:
    """Refuse a parameter, or an array with any element, outside its range: `above` and `below` are not part of it.

    Raises
    ------
    InputError
        For a value outside, one that is no finite number, or an array where `single` asks for one number.
    """
    limits = [
        words
        for words, limit in (
            (f"above {above:g}", above),
            (f"from {least:g}", least),
            (f"up to {most:g}", most),
            (f"below {below:g}", below),
        )
        if np.isfinite(limit)
    ]
    number = np.asarray(value)
    numeric = number.dtype.kind in "iuf" and number.size > 0 and not (single and number.ndim)
    # The infinite defaults of `above` and `below` refuse infinities.
    if not numeric or not np.all((number > above) & (number >= least) & (number <= most) & (number < below)):
        kind, tail = "one finite number" if single else "a finite number", f"; {advice}" if advice else ""
        raise InputError(f"{what}: needed {kind} {' and '.join(limits)}, found {value}{tail}")
