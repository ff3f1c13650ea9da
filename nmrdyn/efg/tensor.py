"""The tensor of the electric field gradient: C_Q and eta of one, and what is left of several after a jump."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nmrdyn.isotopes import Isotope, efg_factor
from nmrdyn.schema import Array, InputError

NOISE = 1e12  # V/m^2, below 1 Hz of C_Q for any nucleus; where symmetry demands zero, a calculation leaves less

_TRACE = 0.01  # of |V_zz|
_ASYMMETRY = 1e-6  # of the largest component


def quadrupolar_parameters(
    tensor: npt.ArrayLike, *, nucleus: str, unit: str, quadrupole_moment: float | None = None
) -> tuple[Array, Array]:
    """C_Q and eta from the full tensor of the electric field gradient.

    The isotropic part is taken out, the principal values are sorted |V_zz| >= |V_yy| >= |V_xx|, and

        C_Q = e Q V_zz / h,   eta = (V_xx - V_yy) / V_zz.

    VASP calls x what is y here and prints (V_yy - V_xx) / V_zz, the same number. To average over motion or over a
    trajectory, average tensors and never C_Q.

    Parameters
    ----------
    tensor : V_ij, shape (..., 3, 3), symmetric, without trace, with the sign of the second derivative of the potential
    nucleus : isotope such as "11B"
    unit : of `tensor`: "V/A^2" (or "V/Å^2"), "1e21 V/m^2", "V/m^2" or "a.u."
    quadrupole_moment : Q [m^2] in place of that of the table

    Returns
    -------
    cq : C_Q [Hz], signed, shape (...); at eta = 1 the sign is a matter of rounding
    eta : asymmetry, 0 to 1, shape (...); 0 where the tensor is zero

    Raises
    ------
    InputError
        For an array of another shape or one that is not finite, V_ij and V_ji that differ by more than 1e-6 of the
        largest component, a trace above 1 % of |V_zz| (neither matters below 1e12 V/m^2), and whatever
        `Isotope.quadrupolar_coupling` refuses.

    Notes
    -----
    Definitions: Cohen and Reif, Solid State Phys. 5 (1957) 321.

    Examples
    --------
    V_zz = 2 V/Å^2 along z, eta = 0.3, at 23Na (104 mb):

    >>> cq, eta = quadrupolar_parameters([[-0.7, 0, 0], [0, -1.3, 0], [0, 0, 2.0]], nucleus="23Na", unit="V/A^2")
    >>> print(f"{cq:.0f} Hz, {eta:.3f}")
    502942 Hz, 0.300
    """
    isotope = Isotope.get(nucleus)
    vxx, vyy, vzz = principal_values(traceless(_array(tensor) * efg_factor(unit), rounding=NOISE))
    cq = isotope.quadrupolar_coupling(vzz, unit="V/m^2", quadrupole_moment=quadrupole_moment)
    eta = np.divide(vxx - vyy, vzz, out=np.zeros_like(vzz), where=vzz != 0)
    # Only rounding takes eta outside.
    return cq[()], np.clip(eta, 0.0, 1.0)[()]


def fluctuating_fraction(tensors: npt.ArrayLike, *, populations: npt.ArrayLike | None = None) -> float:
    """The fraction of C_Q^2 (1 + eta^2/3) that fluctuates when a nucleus jumps between `tensors`.

        1 - sum_ij <V_ij>^2 / < sum_ij V_ij^2 >

    with averages over the sites. sum_ij V_ij^2 = (3/2) V_zz^2 (1 + eta^2/3) does not depend on the axes; what the jump
    leaves of it is static and relaxes nothing. The powder average of the initial rate 1/T1 is that of an isotropic
    motion times this fraction. It has one correlation time if there are two sites or every site exchanges with every
    other at one rate: then tau_c = tau_residence (N - 1)/N for N equal sites.

    Parameters
    ----------
    tensors : V_ij of each site in the axes of the crystal, shape (N, 3, 3), in any one unit
    populations : of the sites, shape (N,), adding up to 1; equal unless said

    Returns
    -------
    fraction : 0 (nothing moves) to 1 (the mean tensor vanishes)

    Raises
    ------
    InputError
        For an array of another shape, tensors that are not symmetric or have a trace (as in
        `quadrupolar_parameters`) or are all zero, and populations that are negative or do not add up to 1.

    Notes
    -----
    The invariant and its fluctuating part: Abragam, Principles of Nuclear Magnetism (1961), ch. VIII; for jumps in
    solids, Torchia and Szabo, J. Magn. Reson. 49 (1982) 107.

    Examples
    --------
    A jump by 90 degrees about z exchanges x and y, and leaves 1/4 of an axial tensor along x:

    >>> fluctuating_fraction([[[2, 0, 0], [0, -1, 0], [0, 0, -1]], [[-1, 0, 0], [0, 2, 0], [0, 0, -1]]])
    0.75
    """
    sites = _array(tensors)
    if sites.ndim != 3 or not len(sites):
        raise InputError(f"tensors: needed the shape (N, 3, 3) of N sites, found {sites.shape}")
    largest = np.abs(sites).max()
    if largest == 0:
        raise InputError("tensors: needed an electric field gradient at one site at least, found zeros only")
    # A site of high symmetry beside others has nothing but numerical noise.
    sites = traceless(sites / largest, rounding=1e-9)
    weights = _populations(populations, len(sites))
    mean = np.einsum("n,nij->ij", weights, sites)
    total = np.einsum("n,nij,nij->", weights, sites, sites)
    # Only rounding takes it outside.
    return float(np.clip(1 - np.sum(mean**2) / total, 0.0, 1.0))


def principal_values(tensor: Array) -> tuple[Array, Array, Array]:
    """V_xx, V_yy, V_zz of symmetric tensors (..., 3, 3), |V_zz| >= |V_yy| >= |V_xx|."""
    values: Array = np.asarray(np.linalg.eigvalsh(tensor), dtype=float)
    values = np.take_along_axis(values, np.argsort(np.abs(values), axis=-1, kind="stable"), axis=-1)
    return values[..., 0], values[..., 1], values[..., 2]


def traceless(tensor: Array, *, rounding: npt.ArrayLike = 0.0, names: Sequence[str] | None = None) -> Array:
    """The symmetric part of `tensor` (..., 3, 3) without its trace.

    Raises
    ------
    InputError
        Where more than rounding is lost by that: an asymmetry above 1e-6 of the largest component plus `rounding`, or
        a trace above 1 % of |V_zz| plus `rounding` (shape (...), in the unit of the tensor). It names the tensor by
        its index, or by `names`.
    """

    def refuse(bad: npt.NDArray[np.bool_], text: str, *amounts: Array) -> None:
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            name = names[index[0]] if names else f"tensor{list(index) if index else ''}"
            raise InputError(f"{name}: needed {text.format(*(amount[index] for amount in amounts))}")

    slack = np.asarray(rounding, dtype=float)
    transposed = np.swapaxes(tensor, -1, -2)
    largest = np.abs(tensor).max(axis=(-1, -2))
    asymmetry = np.abs(tensor - transposed).max(axis=(-1, -2))
    refuse(
        asymmetry > _ASYMMETRY * largest + slack,
        "V_ij = V_ji, found a difference of {:.3g} beside components up to {:.3g}; give the symmetric tensor",
        asymmetry,
        largest,
    )
    trace = np.trace(tensor, axis1=-2, axis2=-1)
    clean = (tensor + transposed) / 2 - trace[..., None, None] / 3 * np.eye(3)
    vzz = np.abs(principal_values(clean)[2])
    refuse(
        np.abs(trace) > _TRACE * vzz + slack,
        "a trace below 1 % of |V_zz|, found {:.3g} and {:.3g}; is it converged, and an electric field gradient?",
        trace,
        vzz,
    )
    return clean


def _array(tensor: npt.ArrayLike) -> Array:
    try:
        array = np.asarray(tensor, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"tensor: needed numbers of the shape (..., 3, 3), found {error}") from error
    if array.shape[-2:] != (3, 3):
        raise InputError(f"tensor: needed the shape (..., 3, 3), found {array.shape}")
    if not np.isfinite(array).all():
        raise InputError("tensor: needed finite numbers, found NaN or infinity")
    return array


def _populations(given: npt.ArrayLike | None, count: int) -> Array:
    if given is None:
        return np.full(count, 1 / count)
    try:
        populations = np.asarray(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"populations: needed numbers, found {given!r}") from error
    if populations.shape != (count,):
        raise InputError(f"populations: needed one of each of the {count} sites, found the shape {populations.shape}")
    if not (np.all(populations >= 0) and abs(populations.sum() - 1) < 1e-6):
        raise InputError(f"populations: needed fractions that add up to 1, found {populations.tolist()}")
    return populations / populations.sum()
