"""Truth -> impedance spectra of a pellet, in files as potentiostats write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import Array, InputError, require_within
from nmrdyn.simulate.folder import create
from nmrdyn.simulate.truth import ConductivityTruth

ComplexArray = npt.NDArray[np.complex128]


@dataclass(frozen=True, kw_only=True)
class ImpedanceTruth:
    """A pellet between two blocking electrodes at several temperatures.

    Attributes
    ----------
    bulk : conductivity of the bulk, and the temperatures
    grain_boundary : that of the grain boundaries by the geometry of the pellet, at the same temperatures; None for none
    thickness [m], area [m^2] : of the pellet
    bulk_capacitance, grain_boundary_capacitance [F] : the top of an arc lies at 1 / (2 pi R C)
    bulk_alpha, grain_boundary_alpha : exponents of the arcs, Z = R / (1 + (j omega R C)^alpha)
    electrode, electrode_alpha : Q [S s^alpha] and exponent of the tail, Z = 1 / (Q (j omega)^alpha)
    inductance : of the leads [H]
    frequency : from the highest [Hz]
    noise : standard error of each component over |Z|
    """

    bulk: ConductivityTruth
    grain_boundary: ConductivityTruth | None = None
    thickness: float = 1e-3
    area: float = 0.785e-4
    bulk_capacitance: float = 5e-12
    grain_boundary_capacitance: float = 1e-9
    bulk_alpha: float = 0.97
    grain_boundary_alpha: float = 0.88
    electrode: float = 2e-6
    electrode_alpha: float = 0.85
    inductance: float = 0.0
    frequency: npt.ArrayLike = tuple(np.geomspace(1e7, 1.0, 57))
    noise: float = 0.01

    @property
    def temperature(self) -> Array:
        """One a spectrum [K]."""
        return np.atleast_1d(np.asarray(self.bulk.temperature, dtype=float))

    @property
    def bulk_resistance(self) -> Array:
        """One a spectrum [ohm]."""
        return self.thickness / self.area / np.atleast_1d(self.bulk.exact)

    @property
    def grain_boundary_resistance(self) -> Array:
        """One a spectrum [ohm]; 0 without grain boundaries."""
        if self.grain_boundary is None:
            return np.zeros_like(self.bulk_resistance)
        return self.thickness / self.area / np.atleast_1d(self.grain_boundary.exact)

    @property
    def exact(self) -> ComplexArray:
        """Impedances (temperature, frequency) without noise [ohm]."""
        s = 2j * np.pi * np.asarray(self.frequency, dtype=float)
        z = s * self.inductance + 1 / (self.electrode * s**self.electrode_alpha)
        for resistance, capacitance, alpha in (
            (self.bulk_resistance, self.bulk_capacitance, self.bulk_alpha),
            (self.grain_boundary_resistance, self.grain_boundary_capacitance, self.grain_boundary_alpha),
        ):
            r = resistance[:, None]
            z = z + r / (1 + (s * r * capacitance) ** alpha)
        return z


def simulate_impedance(truth: ImpedanceTruth, folder: str | Path, *, seed: int, format: str = "gamry") -> Path:
    """Write one spectrum a temperature into `folder`, with the temperature in its name, such as pellet_333.15K.DTA.

    Parameters
    ----------
    truth : the pellet
    folder : where to write
    seed : of the noise
    format : "gamry" (.DTA), "biologic" (.mpt), "zplot" (.z) or "csv" (with a header that names units)

    Raises
    ------
    InputError
        Where a file already exists, the format is unknown, or the noise is negative.

    Examples
    --------
    >>> import tempfile
    >>> bulk = ConductivityTruth(
    ...     activation_energy=0.4, conductivity=1e-3, reference_temperature=300.0, temperature=[300.0]
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = simulate_impedance(ImpedanceTruth(bulk=bulk), folder, seed=1, format="zplot")
    ...     print(*(file.name for file in files.iterdir()))
    pellet_300.00K.z
    """
    if format not in _WRITERS:
        raise InputError(f"format: needed one of {', '.join(_WRITERS)}, found {format!r}")
    require_within("noise", truth.noise, least=0, single=True)
    ending, write = _WRITERS[format]
    rng = np.random.default_rng(seed)
    z = truth.exact
    z = z + truth.noise * np.abs(z) * (rng.standard_normal(z.shape) + 1j * rng.standard_normal(z.shape))
    frequency = np.asarray(truth.frequency, dtype=float)
    for kelvin, spectrum in zip(truth.temperature, z, strict=True):
        create(Path(folder) / f"pellet_{kelvin:.2f}K{ending}", write(frequency, spectrum))
    return Path(folder)


def _gamry(frequency: Array, z: ComplexArray) -> str:
    head = "EXPLAIN\nTAG\tEISPOT\nTITLE\tLABEL\tsimulated by nmrdyn\tTest &Identifier\nZCURVE\tTABLE\n"
    head += "\tPt\tTime\tFreq\tZreal\tZimag\tZsig\tZmod\tZphz\tIdc\tVdc\tIERange\n"
    head += "\t#\ts\tHz\tohm\tohm\tV\tohm\tdeg\tA\tV\t#\n"
    return head + "".join(
        f"\t{i}\t{i + 1}\t{f:.6E}\t{one.real:.6E}\t{one.imag:.6E}\t1\t{abs(one):.6E}\t{np.angle(one, deg=True):.4f}"
        "\t0.0\t0.0\t10\n"
        for i, (f, one) in enumerate(zip(frequency, z, strict=True))
    )


def _biologic(frequency: Array, z: ComplexArray) -> str:
    head = "Potentio Electrochemical Impedance Spectroscopy\n\nElectrode surface area : 0.785 cm²\n\n"
    columns = "freq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm\t|Z|/Ohm\tPhase(Z)/deg\ttime/s\tcycle number\t\n"
    count = 2 + head.count("\n") + 1
    rows = "".join(
        f"{f:.7E}\t{one.real:.7E}\t{-one.imag:.7E}\t{abs(one):.7E}\t{np.angle(one, deg=True):.7E}\t{i:.7E}\t1\t\n"
        for i, (f, one) in enumerate(zip(frequency, z, strict=True))
    )
    return f"EC-Lab ASCII FILE\nNb header lines : {count}\n{head}{columns}{rows}"


def _zplot(frequency: Array, z: ComplexArray) -> str:
    head = "ZPLOT2 ASCII\n  Measured Data, ZPlot:       3.2c\n  Experiment Type:            simulated by nmrdyn\n"
    head += f"  Data Points:                {frequency.size}\n"
    head += "  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\tRange\nEnd Comments\n"
    return head + "".join(
        f"{f:.6E}\t1.0000E-02\t0.0000E+00\t{i:.6E}\t{one.real:.6E}\t{one.imag:.6E}\t0.0000E+00\t0\t3\n"
        for i, (f, one) in enumerate(zip(frequency, z, strict=True))
    )


def _csv(frequency: Array, z: ComplexArray) -> str:
    rows = (f"{f:.7g}, {one.real:.7g}, {-one.imag:.7g}\n" for f, one in zip(frequency, z, strict=True))
    return "f (Hz), Z' (ohm), -Z'' (ohm)\n" + "".join(rows)


_WRITERS: dict[str, tuple[str, Callable[[Array, ComplexArray], str]]] = {
    "gamry": (".DTA", _gamry),
    "biologic": (".mpt", _biologic),
    "zplot": (".z", _zplot),
    "csv": (".csv", _csv),
}
