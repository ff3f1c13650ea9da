"""A coupling that changes with temperature, and barriers from points and straight lines. Laws are in `laws`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import BOLTZMANN_EV, Array, InputError


@dataclass(frozen=True, kw_only=True)
class LinearCoupling:
    """A coupling that changes with temperature: C_Q(T) = value + slope (T - reference).

    Parameters
    ----------
    value : C_Q at the reference temperature [Hz]
    slope : dC_Q/dT [Hz/K], mostly negative
    reference : reference temperature [K]

    Raises
    ------
    InputError
        For a value or slope that is not finite, or a reference that is not above 0 K.

    Examples
    --------
    >>> coupling = LinearCoupling(value=1.0e6, slope=-1.0e3, reference=300.0)
    >>> print(f"{coupling.at(310.0):.0f} Hz")
    990000 Hz
    """

    value: float
    slope: float
    reference: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.value, self.slope, self.reference]).all() and self.reference > 0):
            raise InputError(
                "LinearCoupling: needed a finite value [Hz] and slope [Hz/K] and a reference above 0 K, "
                f"found {self.value}, {self.slope} and {self.reference}"
            )

    def at(self, temperature: npt.ArrayLike) -> Array:
        """C_Q [Hz] at `temperature` [K], broadcast."""
        return self.value + self.slope * (np.asarray(temperature, dtype=float) - self.reference)

    def barrier_shift(self, temperature: npt.ArrayLike) -> Array:
        """What the change of C_Q does to the barrier read from a flank of T1 [eV], where it was taken as constant.

        This is d ln K / d(1/kT) = -2 k T^2 (dC_Q/dT) / C_Q at `temperature` [K], with the strength K proportional to
        C_Q^2; NaN where C_Q is 0. It is positive for a coupling that shrinks on heating. On the fast flank
        T1 = 1/(5 K tau_c), so that the slope gives Ea plus this shift; on the slow flank T1 = omega_0^2 tau_c / (2K),
        which gives Ea minus it.

        Examples
        --------
        A coupling that loses 0.1 % a kelvin adds 15.5 meV on the fast flank:

        >>> print(f"{LinearCoupling(value=1.0e6, slope=-1.0e3, reference=300.0).barrier_shift(300.0):.4f} eV")
        0.0155 eV
        """
        kelvin = np.asarray(temperature, dtype=float)
        cq = self.at(kelvin)
        return -2 * BOLTZMANN_EV * kelvin**2 * self.slope / np.where(cq == 0, np.nan, cq)


def two_point_barrier(tau: npt.ArrayLike, temperature: npt.ArrayLike) -> Array:
    """The barrier [eV] between two correlation times, k ln(tau1/tau2) / (1/T1 - 1/T2).

    Parameters
    ----------
    tau, temperature : shape (..., 2), [s] and [K]; they broadcast

    Raises
    ------
    InputError
        Unless there are two positive values of each, at two different temperatures.

    Examples
    --------
    1 µs at 60 °C and 7 µs at 15 °C:

    >>> print(f"{two_point_barrier([1e-6, 7e-6], [333.15, 288.15]):.3f} eV")
    0.358 eV
    """
    time, kelvin = np.asarray(tau, dtype=float), np.asarray(temperature, dtype=float)
    if time.shape[-1:] != (2,) or kelvin.shape[-1:] != (2,):
        raise InputError(f"two_point_barrier: needed two values of each, found shapes {time.shape} and {kelvin.shape}")
    if np.any(time <= 0) or np.any(kelvin <= 0) or np.any(kelvin[..., 0] == kelvin[..., 1]):
        raise InputError(
            "two_point_barrier: needed positive correlation times at two different temperatures, "
            f"found {time} s at {kelvin} K"
        )
    inverse = 1 / kelvin
    return BOLTZMANN_EV * np.log(time[..., 0] / time[..., 1]) / (inverse[..., 0] - inverse[..., 1])


def straight_line_barrier(temperature: npt.ArrayLike, value: npt.ArrayLike) -> tuple[float, float]:
    """(Ea [eV], ln prefactor) of value = prefactor exp(-Ea/kT), by an unweighted line through ln(value) against 1/T.

    For sigma, sigma T, a diffusion coefficient or a rate; a correlation time gives -Ea. The barrier of sigma is lower
    than that of sigma T by about kT, 26 meV at 298 K: say which of the two was used. For comparison with published
    lines; a barrier with an error bar comes from `infer`.

    Parameters
    ----------
    temperature, value : shape (n,), [K] and any one unit, which becomes that of the prefactor

    Raises
    ------
    InputError
        Unless both have the same length, are positive and finite, and the temperatures differ.

    Examples
    --------
    >>> kelvin = np.array([300.0, 320.0, 340.0])
    >>> energy, ln_prefactor = straight_line_barrier(kelvin, 5.0 * np.exp(-0.3 / (8.617333262e-5 * kelvin)))
    >>> print(f"{energy:.4f} eV, {np.exp(ln_prefactor):.4f}")
    0.3000 eV, 5.0000
    """
    kelvin, number = np.asarray(temperature, dtype=float), np.asarray(value, dtype=float)
    if kelvin.ndim != 1 or kelvin.shape != number.shape:
        raise InputError(
            "straight_line_barrier: needed two lists of one length, found temperatures of shape "
            f"{kelvin.shape} and values of shape {number.shape}"
        )
    if not np.all((kelvin > 0) & np.isfinite(kelvin) & (number > 0) & np.isfinite(number)):
        raise InputError(
            "straight_line_barrier: needed positive, finite temperatures and values, found others; leave out such rows"
        )
    if np.unique(kelvin).size < 2:
        raise InputError(f"straight_line_barrier: needed two different temperatures, found {np.unique(kelvin)}")
    inverse, logarithm = 1 / kelvin, np.log(number)
    distance = inverse - inverse.mean()
    slope = float(distance @ logarithm / (distance @ distance))
    return -BOLTZMANN_EV * slope, float(logarithm.mean() - slope * inverse.mean())


def barrier_error(activation_energy: npt.ArrayLike, *, temperature: npt.ArrayLike, offset: npt.ArrayLike) -> Array:
    """What a constant temperature error does to a barrier [eV]: 2 Ea offset / T, to first order in offset / T.

    `offset` [K] is what the thermometer reads too much over all of the range around `temperature` [K]; the barrier then
    comes out too high by this much. An error of scale, readings of T (1 + e), changes it by e Ea: half of what the
    offset e T does. All broadcast.

    Examples
    --------
    >>> print(f"{barrier_error(0.45, temperature=300.0, offset=2.0):.4f} eV")
    0.0060 eV
    """
    return 2 * np.asarray(activation_energy) * np.asarray(offset) / np.asarray(temperature, dtype=float)
