"""Truth -> data: recoveries and conductivities, or the TopSpin folders and CSV files that hold them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import xarray as xr

from nmrdyn.motion.quadrupolar import BPP
from nmrdyn.schema import BOLTZMANN_EV, ZERO_CELSIUS, Array, InputError, stamp
from nmrdyn.thermal import Arrhenius

_GROUP_DELAY = 67.984375  # points; that of DSPFVS 20, DECIM 40
_POINTS = 512  # complex points of a FID
_SPECTRAL_WIDTH = 100e3  # Hz
_FULL_SCALE = 2.0**22  # counts of the strongest point
_NOISE_DOF = 400


@dataclass(frozen=True, kw_only=True)
class RelaxationTruth:
    """What a saturation- or inversion-recovery study of one nucleus would find if it were exact.

    Attributes
    ----------
    nucleus, larmor_frequency [Hz], cq [Hz], eta : as in `BPP`, which makes T1 from tau_c
    activation_energy [eV], tau_c [s] at reference_temperature [K] : the Arrhenius law of tau_c
    temperature : what the thermometer reads, one an experiment [K]
    temperature_error : true minus read temperature, one an experiment [K]; 0 unless said
    delays : recovery delays [s] shared by all experiments; unless said, 16 from 0.02 to 5 T1 for each
    depth : 1 saturated, 2 inverted
    beta : stretching exponent of the recovery
    snr : intensity at full recovery over its noise
    linewidth, offset [Hz] : of the Gaussian line
    """

    nucleus: str
    larmor_frequency: float
    cq: float
    eta: float
    activation_energy: float
    tau_c: float
    reference_temperature: float
    temperature: Sequence[float]
    temperature_error: Sequence[float] | float = 0.0
    delays: Sequence[float] | None = None
    depth: float = 1.0
    beta: float = 1.0
    snr: float = 60.0
    linewidth: float = 3e3
    offset: float = 1.5e3

    @property
    def log10_tau0(self) -> float:
        """log10 of the prefactor of tau_c in s."""
        exponent = Arrhenius().exponent(self.reference_temperature, self.activation_energy)
        return float(np.log10(self.tau_c) - exponent / np.log(10))

    @property
    def t1(self) -> Array:
        """True T1 of each experiment [s]."""
        actual = np.asarray(self.temperature, dtype=float) + self.temperature_error
        tau = Arrhenius().correlation_time(actual, activation_energy=self.activation_energy, log10_tau0=self.log10_tau0)
        return 1 / BPP(nucleus=self.nucleus, cq=self.cq, eta=self.eta).rate(tau, self.larmor_frequency)

    @property
    def delay(self) -> Array:
        """Recovery delays (experiment, increment) [s]."""
        if self.delays is not None:
            return np.tile(np.asarray(self.delays, dtype=float), (len(self.temperature), 1))
        table = self.t1[:, None] * np.geomspace(0.02, 5.0, 16)
        digits = 10.0 ** (1 - np.floor(np.log10(table)))
        return np.round(table * digits) / digits

    @property
    def recovered(self) -> Array:
        """Noise-free intensities (experiment, increment), 1 at full recovery."""
        return 1 - self.depth * np.exp(-((self.delay / self.t1[:, None]) ** self.beta))


@dataclass(frozen=True, kw_only=True)
class ConductivityTruth:
    """A conductivity that follows sigma T = A exp(-Ea / kT).

    Attributes
    ----------
    activation_energy : [eV], of sigma T
    conductivity : [S/m] at reference_temperature [K]
    temperature, temperature_error : as in `RelaxationTruth` [K]
    relative_error : standard error of a conductivity over its value
    """

    activation_energy: float
    conductivity: float
    reference_temperature: float
    temperature: Sequence[float]
    temperature_error: Sequence[float] | float = 0.0
    relative_error: float = 0.02

    @property
    def exact(self) -> Array:
        """True conductivities [S/m]."""
        actual = np.asarray(self.temperature, dtype=float) + self.temperature_error
        law = Arrhenius()
        rise = law.exponent(self.reference_temperature, self.activation_energy)
        rise = rise - law.exponent(actual, self.activation_energy)
        return self.conductivity * self.reference_temperature / actual * np.exp(rise)


def simulate(truth: RelaxationTruth | ConductivityTruth, *, seed: int) -> xr.Dataset:
    """Data of a truth with noise: stage `recovery` or `transport`.

    The same truth and seed give the same data.

    Examples
    --------
    >>> truth = ConductivityTruth(activation_energy=0.552, conductivity=1e-2, reference_temperature=333.15,
    ...     temperature=[288.15, 333.15], relative_error=0.0)
    >>> simulate(truth, seed=1).conductivity.values.round(5)
    array([0.00058, 0.01   ])
    """
    rng = np.random.default_rng(seed)
    temperature = np.asarray(truth.temperature, dtype=float)
    if isinstance(truth, ConductivityTruth):
        exact = truth.exact
        noise = truth.relative_error * exact
        transport = xr.Dataset(
            {
                "conductivity": ("experiment", exact + noise * rng.standard_normal(exact.size)),
                "conductivity_stderr": ("experiment", noise),
            },
            coords=_conditions(temperature),
        )
        return stamp(transport, "transport")
    exact = truth.recovered
    n = exact.shape[0]
    planned = np.full(n, exact.shape[1])
    recovery = xr.Dataset(
        {
            "signal": (("experiment", "increment"), exact + rng.standard_normal(exact.shape) / truth.snr),
            "signal_stderr": (("experiment", "increment"), np.full(exact.shape, 1 / truth.snr)),
        },
        coords=_conditions(temperature)
        | {
            "larmor_frequency": ("experiment", np.full(n, truth.larmor_frequency)),
            "delay": (("experiment", "increment"), truth.delay),
            "rows_recorded": ("experiment", planned),
            "rows_planned": ("experiment", planned),
            "kind": ("experiment", [_kind(truth)] * n),
            "pulse_program": ("experiment", ["simulated"] * n),
            "noise_dof": ("experiment", np.full(n, float(_NOISE_DOF))),
            "reason": ("experiment", np.array([""] * n, dtype=object)),
        },
    )
    return stamp(recovery, "recovery", nucleus=truth.nucleus)


def simulate_folder(truth: RelaxationTruth | ConductivityTruth, folder: str | Path, *, seed: int) -> Path:
    """Write a truth with noise as raw data: TopSpin expnos 1, 2, ... or a file conductivity.csv, in `folder`.

    Raises
    ------
    InputError
        Where something that would be written already exists.
    """
    root = Path(folder)
    rng = np.random.default_rng(seed)
    if isinstance(truth, ConductivityTruth):
        table = simulate(truth, seed=seed)
        lines = ["temperature (°C), conductivity (S/cm), conductivity_stderr (S/cm)"]
        for kelvin, value, error in zip(
            table["temperature"].values,
            table["conductivity"].values / 100,
            table["conductivity_stderr"].values / 100,
            strict=True,
        ):
            lines.append(f"{kelvin - ZERO_CELSIUS:.2f}, {value:.4e}, {error:.1e}")
        _create(root / "conductivity.csv", "\n".join(lines) + "\n")
        return root / "conductivity.csv"
    for index, kelvin in enumerate(truth.temperature):
        _write_expno(root / str(index + 1), truth, index, float(kelvin), rng)
    return root


@dataclass(frozen=True)
class _Example:
    """The packaged example study: its truths by the folder each is written to, and the seed of its data."""

    seed: int
    point_error: float
    offset: float
    relaxation: dict[str, RelaxationTruth] = field(default_factory=dict)
    conductivity: dict[str, ConductivityTruth] = field(default_factory=dict)


def _example() -> _Example:
    text = (files("nmrdyn") / "data" / "na2nh2bh4.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    celsius = [float(value) + ZERO_CELSIUS for value in table["temperature_C"]]
    reference = table["reference_temperature_C"] + ZERO_CELSIUS
    shared = {"temperature": celsius, "reference_temperature": reference}
    return _Example(
        seed=table["seed"],
        point_error=table["point_error_K"],
        offset=table["offset_K"],
        relaxation={name: RelaxationTruth(**shared, **entry) for name, entry in table["relaxation"].items()},
        conductivity={name: ConductivityTruth(**shared, **entry) for name, entry in table["conductivity"].items()},
    )


def example_truths(seed: int | None = None) -> dict[str, RelaxationTruth | ConductivityTruth]:
    """The truths of the example study by folder, with temperature errors drawn from `seed` (its own unless said).

    Nuclei share the errors of one thermometer; the conductivity has a thermometer of its own.
    """
    example = _example()
    rng = np.random.default_rng([example.seed if seed is None else seed, 0])
    n = len(next(iter(example.relaxation.values())).temperature)

    def draw() -> Array:
        return rng.normal(0, example.point_error, n) + rng.normal(0, example.offset)

    nmr, eis = draw(), draw()
    relaxation = {name: replace(truth, temperature_error=nmr) for name, truth in example.relaxation.items()}
    conductivity = {name: replace(truth, temperature_error=eis) for name, truth in example.conductivity.items()}
    return relaxation | conductivity


def example_study(folder: str | Path, *, seed: int | None = None) -> Path:
    """Write the example study (raw data and study.toml) into `folder`; returns the path of study.toml.

    Raises
    ------
    InputError
        Where something that would be written already exists.
    """
    root = Path(folder)
    start = _example().seed if seed is None else seed
    study = (files("nmrdyn") / "data" / "example-study.toml").read_text(encoding="utf-8")
    taken = [name for name in ("study.toml", *example_truths()) if (root / name).exists()]
    if taken:
        raise InputError(f"{root}: needed a new or empty folder, found {', '.join(taken)} in it; choose another")
    for index, (name, truth) in enumerate(example_truths(seed).items()):
        simulate_folder(truth, root / name, seed=start + 1 + index)
    _create(root / "study.toml", study)
    return root / "study.toml"


def _conditions(temperature: Array) -> dict[str, object]:
    n = temperature.size
    return {
        "experiment": [str(index + 1) for index in range(n)],
        "temperature": ("experiment", temperature),
        "temperature_stderr": ("experiment", np.full(n, np.nan)),
    }


def _kind(truth: RelaxationTruth) -> str:
    return "inversion_recovery" if truth.depth > 1.5 else "saturation_recovery"


def _create(path: Path, text: str | bytes) -> None:
    if path.exists():
        raise InputError(f"{path}: already exists; nothing is overwritten, choose a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def _write_expno(folder: Path, truth: RelaxationTruth, index: int, kelvin: float, rng: np.random.Generator) -> None:
    rows, noise = _digitised(truth, index, rng)
    n_rows = rows.shape[0]
    words = -(-2 * _POINTS // 256) * 256
    ser = np.zeros((n_rows, words), dtype="<i4")
    ser[:, : 2 * _POINTS : 2], ser[:, 1 : 2 * _POINTS : 2] = rows.real, rows.imag
    program = {"saturation_recovery": "satrec", "inversion_recovery": "t1ir"}[_kind(truth)]
    carrier = truth.larmor_frequency / 1e6
    acqus = {
        "BF1": f"{carrier:.6f}",
        "BYTORDA": 0,
        "DECIM": 40,
        "DIGMOD": 1,
        "DSPFVS": 20,
        "DTYPA": 0,
        "GRPDLY": _GROUP_DELAY,
        "NC": 0,
        "NS": 16,
        "NUC1": f"<{truth.nucleus}>",
        "O1": 0,
        "PARMODE": 1,
        "PULPROG": f"<{program}>",
        "SFO1": f"{carrier:.6f}",
        "SW_h": _SPECTRAL_WIDTH,
        "TD": 2 * _POINTS,
        "TE": f"{kelvin:.2f}",
        "VDLIST": "<simulated>",
        "ZGOPTNS": "<>",
    }
    direct, indirect = _jcamp(acqus), _jcamp({"FnMODE": 1, "NUC1": f"<{truth.nucleus}>", "TD": n_rows})
    for name, text in (("acqu", direct), ("acqus", direct), ("acqu2", indirect), ("acqu2s", indirect)):
        _create(folder / name, text)
    _create(folder / "vdlist", "".join(f"{delay:.6g}\n" for delay in truth.delay[index]))
    _create(folder / "audita.txt", _audit(truth, n_rows))
    title = f"{truth.nucleus} {program} {kelvin - ZERO_CELSIUS:.1f} C\nsimulated by nmrdyn\n"
    _create(folder / "pdata" / "1" / "title", title)
    _create(folder / "ser", ser.tobytes())


def _digitised(truth: RelaxationTruth, index: int, rng: np.random.Generator) -> tuple[Array, float]:
    """FIDs in counts with the digital filter's build-up in front, and the noise of a point."""
    time = np.arange(_POINTS) / _SPECTRAL_WIDTH
    line = np.exp(2j * np.pi * truth.offset * time - (np.pi * truth.linewidth * time) ** 2 / (4 * np.log(2)))
    line *= np.exp(0.7j)  # any receiver phase will do
    scale = _FULL_SCALE / np.abs(line).max()
    noise = scale * np.linalg.norm(line) / truth.snr
    signal = scale * truth.recovered[index][:, None] * np.convolve(line, _filter())[:_POINTS]
    noisy = signal + noise * (rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape))
    return np.round(noisy), noise


def _filter() -> Array:
    """Impulse response of the decimation filter: a windowed sinc centred on the group delay."""
    tap = np.arange(int(2 * _GROUP_DELAY) + 1) - _GROUP_DELAY
    return np.sinc(tap) * np.i0(8 * np.sqrt(np.clip(1 - (tap / _GROUP_DELAY) ** 2, 0, 1))) / np.i0(8)


def _jcamp(parameters: dict[str, object]) -> str:
    head = "##TITLE= Parameter file, nmrdyn simulator\n##JCAMPDX= 5.0\n##DATATYPE= Parameter Values\n##ORIGIN= nmrdyn\n"
    return head + "".join(f"##${key}= {value}\n" for key, value in parameters.items()) + "##END=\n"


def _audit(truth: RelaxationTruth, rows: int) -> str:
    return (
        "##TITLE= Audit trail, nmrdyn simulator\n##JCAMPDX= 5.01\n##ORIGIN= nmrdyn\n"
        "##AUDIT TRAIL=  $$ (NUMBER, WHEN, WHO, WHERE, PROCESS, VERSION, WHAT)\n"
        f"(   1,<>,<nmrdyn>,<simulator>,<simulate>,<>,\n      <simulated {truth.nucleus} recovery, {rows} rows>)\n##END=\n"
    )
