"""NMR thermometers: what a sample of known behaviour says of the temperature in the rotor or tube.

Each says where it was calibrated and refuses readings from elsewhere. Calibrate on the rotor and at the spinning rate
of the measurement: friction heats as the square of the spinning rate. (Longer than most modules, as a third of it is
the table of calibrations.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.optimize import elementwise

from nmrdyn.schema import Array, InputError

_ROUNDING = 1e-6  # K; readings at the end of the range are inside it, whatever a float makes of them


@dataclass(frozen=True, kw_only=True)
class Thermometer(ABC):
    """A calibration, reading against temperature; `thermometer` has the known ones.

    Attributes
    ----------
    name : what `thermometer` calls it
    observable : what is read
    unit : unit of a reading
    range : lowest and highest temperature of the calibration [K]
    source : where it was published
    """

    name: str
    observable: str
    unit: str
    range: tuple[float, float]
    source: str

    def temperature(
        self, reading: npt.ArrayLike, reading_stderr: npt.ArrayLike = 0.0, *, extrapolate: bool = False
    ) -> tuple[Array, Array]:
        """Temperature and its standard error, both [K], from `reading` and its standard error, broadcast.

        The error is that of the reading to first order, and of the slope of the calibration where that is known. The
        second is the same for all readings: it does not average out. NaN passes through. `extrapolate` allows
        temperatures outside `range`, at your own risk.

        Raises
        ------
        InputError
            For a reading outside the calibrated range, or one that no temperature gives, naming the first of them.

        Examples
        --------
        >>> kelvin, stderr = thermometer("ethylene_glycol").temperature([1.4, 1.8], 0.005)
        >>> kelvin.round(2), stderr.round(2)
        (array([323.7, 282.9]), array([0.51, 0.51]))
        """
        value, error = np.broadcast_arrays(np.asarray(reading, dtype=float), np.asarray(reading_stderr, dtype=float))
        refused = error[(error < 0) | np.isinf(error)]
        if refused.size:
            raise InputError(f"{self.name}: needed a standard error of 0 {self.unit} or more, found {refused[0]:g}")
        with np.errstate(invalid="ignore", over="ignore"):  # what comes of an impossible reading is refused below
            kelvin = self._kelvin(value)
        self._require_calibrated(kelvin, value, known=~np.isnan(value), extrapolate=extrapolate)
        return kelvin[()], np.hypot(self._kelvin_per_reading(kelvin) * error, self._calibration_stderr(kelvin))

    def reading(self, temperature: npt.ArrayLike, *, extrapolate: bool = False) -> Array:
        """The reading at `temperature` [K], broadcast; the inverse of `temperature`, with the same limits.

        Raises
        ------
        InputError
            For a temperature outside the calibrated range, or one that gives no reading.

        Examples
        --------
        >>> print(f"{thermometer('KBr_T1').reading(296.0):.4f} s")
        0.0772 s
        """
        kelvin = np.asarray(temperature, dtype=float)
        known = ~np.isnan(kelvin)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # what comes of 0 K is refused below
            value = self._reading(kelvin)
        self._require_calibrated(kelvin, value, known=known, extrapolate=extrapolate)
        return value

    def _require_calibrated(
        self, kelvin: Array, value: Array, *, known: npt.NDArray[np.bool_], extrapolate: bool
    ) -> None:
        low, high = self.range
        possible = (kelvin > 0) & np.isfinite(kelvin) & np.isfinite(value)
        inside = possible & (kelvin >= low - _ROUNDING) & (kelvin <= high + _ROUNDING)
        refused = known & ~(possible if extrapolate else inside)
        if not np.any(refused):
            return
        first = np.flatnonzero(refused)[0]
        found = f"{value.flat[first]:.6g} {self.unit}, {kelvin.flat[first]:.6g} K"
        ends = self._reading(np.array(self.range))
        span = f"{low:g} to {high:g} K ({self.observable} of {ends[0]:.4g} to {ends[1]:.4g} {self.unit})"
        if not possible.flat[first]:
            raise InputError(
                f"{self.name}: needed a reading that some temperature gives, found {found}; it covers {span}"
            )
        raise InputError(
            f"{self.name}: needed {span}, found {found}; say extrapolate=True to go beyond its calibration"
        )

    @abstractmethod
    def _kelvin(self, value: Array) -> Array:
        """Temperature [K]; NaN or not positive where there is none."""

    @abstractmethod
    def _reading(self, kelvin: Array) -> Array:
        """The reading at a temperature."""

    @abstractmethod
    def _kelvin_per_reading(self, kelvin: Array) -> Array:
        """dT / d(reading) at a temperature."""

    def _calibration_stderr(self, kelvin: Array) -> Array:
        """Standard error of the temperature that the calibration brings along [K]."""
        return np.zeros_like(kelvin)


@dataclass(frozen=True, kw_only=True)
class QuadraticShift(Thermometer):
    """T = constant + linear d + quadratic d^2 [K] for a difference of shifts d [ppm] that falls on heating."""

    constant: float
    linear: float
    quadratic: float

    def _kelvin(self, value: Array) -> Array:
        # Beyond the turning point the parabola would give the same temperature twice.
        falling = self.linear + 2 * self.quadratic * value < 0
        return np.where(falling, self.constant + self.linear * value + self.quadratic * value**2, np.nan)

    def _reading(self, kelvin: Array) -> Array:
        # The root of the parabola on its falling side, in the form that has no cancellation and allows quadratic = 0.
        missing = self.constant - kelvin
        return 2 * missing / (-self.linear + np.sqrt(self.linear**2 - 4 * self.quadratic * missing))

    def _kelvin_per_reading(self, kelvin: Array) -> Array:
        return self.linear + 2 * self.quadratic * self._reading(kelvin)


@dataclass(frozen=True, kw_only=True)
class InverseSquareRelaxation(Thermometer):
    """T1 = c0 + c1 T^-2 + c2 T^-4 + c3 T^-6 [s], which falls on heating."""

    coefficients: tuple[float, float, float, float]

    def _kelvin(self, value: Array) -> Array:
        kelvin = np.full(value.shape, np.nan)
        found = np.isfinite(value) & (value > self.coefficients[0])
        rest = value[found] - self.coefficients[0]
        # In u = T^-2 no term is larger than the rest of T1, and the largest is at least a third of it.
        one, two, three = self.coefficients[1:]
        high = np.min([rest / one, np.sqrt(rest / two), np.cbrt(rest / three)], axis=0)
        low = np.min([rest / (3 * one), np.sqrt(rest / (3 * two)), np.cbrt(rest / (3 * three))], axis=0)

        def excess(log_u: Array, wanted: Array) -> Array:
            u = np.exp(log_u)
            return u * (one + u * (two + u * three)) / wanted - 1

        ends = (np.log(low) - 0.1, np.log(high) + 0.1)  # rounding must not put a root outside
        kelvin[found] = np.exp(-elementwise.find_root(excess, ends, args=(rest,)).x / 2)
        return kelvin

    def _reading(self, kelvin: Array) -> Array:
        zero, one, two, three = self.coefficients
        u = kelvin**-2.0
        return zero + u * (one + u * (two + u * three))

    def _kelvin_per_reading(self, kelvin: Array) -> Array:
        _, one, two, three = self.coefficients
        u = kelvin**-2.0
        return -kelvin / (u * (2 * one + u * (4 * two + u * 6 * three)))


@dataclass(frozen=True, kw_only=True)
class CurieShift(Thermometer):
    """delta = limit - curie / T [ppm], the shift of a nucleus next to paramagnetic ions."""

    limit: float
    curie: float

    def _kelvin(self, value: Array) -> Array:
        return self.curie / np.where(value < self.limit, self.limit - value, np.nan)

    def _reading(self, kelvin: Array) -> Array:
        return self.limit - self.curie / kelvin

    def _kelvin_per_reading(self, kelvin: Array) -> Array:
        return kelvin**2 / self.curie


@dataclass(frozen=True, kw_only=True)
class LinearShift(Thermometer):
    """A shift [ppm] from that at `reference_temperature` [K], `slope` [ppm/K] a kelvin, with its standard error.

    An error of the reference temperature moves all temperatures alike; give it to the offset of the probe.
    """

    slope: float
    slope_stderr: float
    reference_temperature: float

    def __post_init__(self) -> None:
        low, high = self.range
        if not low <= self.reference_temperature <= high:
            raise InputError(
                f"{self.name}: needed a reference temperature from {low:g} to {high:g} K, where the shift is linear, "
                f"found {self.reference_temperature:g} K"
            )

    def _kelvin(self, value: Array) -> Array:
        return self.reference_temperature + value / self.slope

    def _reading(self, kelvin: Array) -> Array:
        return (kelvin - self.reference_temperature) * self.slope

    def _kelvin_per_reading(self, kelvin: Array) -> Array:
        return np.full_like(kelvin, 1 / self.slope)

    def _calibration_stderr(self, kelvin: Array) -> Array:
        return np.abs(kelvin - self.reference_temperature) * self.slope_stderr / abs(self.slope)


_AMMANN = "Ammann, Meier, Merbach, J. Magn. Reson. 46 (1982) 319"
_THURBER = "Thurber, Tycko, J. Magn. Reson. 196 (2009) 84"
_KEMP = "Kemp, Balakrishnan, Pike, Smith, Dupree, J. Magn. Reson. 204 (2010) 169"

_ABSOLUTE: dict[str, Thermometer] = {
    one.name: one
    for one in (
        QuadraticShift(
            name="methanol",
            observable="1H shift difference delta(OH) - delta(CH3) of neat CH3OH",
            unit="ppm",
            range=(178.0, 330.0),
            source=_AMMANN,
            constant=409.0,
            linear=-36.54,
            quadratic=-21.85,
        ),
        QuadraticShift(
            name="ethylene_glycol",
            observable="1H shift difference delta(OH) - delta(CH2) of neat HOCH2CH2OH",
            unit="ppm",
            range=(273.0, 416.0),
            source=_AMMANN,
            constant=466.5,
            linear=-102.0,
            quadratic=0.0,
        ),
        InverseSquareRelaxation(
            name="KBr_T1",
            observable="79Br T1 of KBr",
            unit="s",
            range=(20.0, 296.0),
            source=_THURBER,
            coefficients=(0.0145, 5330.0, 1.42e7, 2.48e9),
        ),
        CurieShift(
            name="Sm2Sn2O7_shift",
            observable="119Sn shift of Sm2Sn2O7",
            unit="ppm",
            range=(85.0, 300.0),
            source=_KEMP,
            limit=223.0,
            curie=9.54e4,
        ),
    )
}

_RELATIVE: dict[str, Callable[..., LinearShift]] = {
    "KBr_shift": partial(
        LinearShift,
        name="KBr_shift",
        observable="79Br shift of KBr from that at the reference temperature",
        unit="ppm",
        range=(200.0, 400.0),
        source=_THURBER,
        slope=-0.025,
        slope_stderr=0.0,  # none is known
    ),
    "PbNO3_shift": partial(
        LinearShift,
        name="PbNO3_shift",
        observable="207Pb shift of Pb(NO3)2 from that at the reference temperature",
        unit="ppm",
        range=(143.0, 423.0),
        source=f"Bielecki, Burum, J. Magn. Reson. A 116 (1995) 215; the error of the slope from {_KEMP}",
        slope=0.753,
        slope_stderr=(0.753 - 0.725) / 2,  # Kemp found 0.725 ppm/K from 153 to 293 K: the two calibrations disagree
    ),
    "MAPbCl3_shift": partial(
        LinearShift,
        name="MAPbCl3_shift",
        observable="207Pb shift of CH3NH3PbCl3 from that at the reference temperature",
        unit="ppm",
        range=(178.0, 410.0),
        source="Bernard, Goyal, Miskolzie et al., J. Magn. Reson. 283 (2017) 14",
        slope=0.905,
        slope_stderr=0.010,
    ),
}


def thermometer(name: str, *, reference_temperature: float | None = None) -> Thermometer:
    """The thermometer called `name`.

    ====================  ==========================================  ==========
    name                  reading                                     range
    ====================  ==========================================  ==========
    ``methanol``          delta(OH) - delta(CH3), 1H [ppm]            178-330 K
    ``ethylene_glycol``   delta(OH) - delta(CH2), 1H [ppm]            273-416 K
    ``KBr_T1``            79Br T1 [s]                                 20-296 K
    ``Sm2Sn2O7_shift``    119Sn shift [ppm]                           85-300 K
    ``KBr_shift``         79Br shift from the reference [ppm]         200-400 K
    ``PbNO3_shift``       207Pb shift from the reference [ppm]        143-423 K
    ``MAPbCl3_shift``     207Pb shift from the reference [ppm]        178-410 K
    ====================  ==========================================  ==========

    The last three need `reference_temperature` [K], the temperature at which the shift was set to 0. The errors of
    ``PbNO3_shift`` hold half the difference of its two published slopes, those of ``MAPbCl3_shift`` the published
    error of the slope; those of the others hold the reading alone. Sources are in the `source` of each.

    Raises
    ------
    InputError
        For an unknown name, and for a reference temperature that is missing or has no place.

    Examples
    --------
    >>> kelvin, stderr = thermometer("PbNO3_shift", reference_temperature=298.15).temperature(37.65, 0.1)
    >>> print(f"{kelvin:.2f} ± {stderr:.2f} K")
    348.15 ± 0.94 K
    >>> kelvin, _ = thermometer("KBr_T1").temperature(0.0772)
    >>> print(f"{kelvin:.0f} K")
    296 K
    """
    if name in _ABSOLUTE:
        if reference_temperature is not None:
            raise InputError(f"{name}: needed no reference temperature, found {reference_temperature} K; leave it out")
        return _ABSOLUTE[name]
    if name not in _RELATIVE:
        raise InputError(f"thermometer: needed one of {', '.join((*_ABSOLUTE, *_RELATIVE))}, found {name!r}")
    if reference_temperature is None:
        raise InputError(
            f"{name}: needed reference_temperature=, the temperature [K] at which the shift was set to 0, found none"
        )
    return _RELATIVE[name](reference_temperature=float(reference_temperature))
