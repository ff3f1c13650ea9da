"""Truth -> raw data as a console leaves them: TopSpin expnos, and a CSV of conductivities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from nmrdyn.schema import ZERO_CELSIUS, Array, InputError
from nmrdyn.simulate.simulate import simulate
from nmrdyn.simulate.truth import ConductivityTruth, RelaxationTruth

_GROUP_DELAY = 67.984375  # points; that of DSPFVS 20, DECIM 40
_POINTS = 512  # complex points of a FID
_SPECTRAL_WIDTH = 100e3  # Hz
_FULL_SCALE = 2.0**22  # counts of the strongest point

ComplexArray = npt.NDArray[np.complex128]


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
        create(root / "conductivity.csv", "\n".join(lines) + "\n")
        return root / "conductivity.csv"
    for index, kelvin in enumerate(np.asarray(truth.temperature, dtype=float)):
        _write_expno(root / str(index + 1), truth, index, float(kelvin), rng)
    return root


def create(path: Path, text: str | bytes) -> None:
    """Write a new file; what exists is never overwritten."""
    if path.exists():
        raise InputError(f"{path}: already exists; nothing is overwritten, choose a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def _write_expno(folder: Path, truth: RelaxationTruth, index: int, kelvin: float, rng: np.random.Generator) -> None:
    rows = _digitised(truth, index, rng)
    n_rows = rows.shape[0]
    words = -(-2 * _POINTS // 256) * 256
    ser = np.zeros((n_rows, words), dtype="<i4")
    ser[:, : 2 * _POINTS : 2], ser[:, 1 : 2 * _POINTS : 2] = rows.real, rows.imag
    program = {"saturation_recovery": "satrec", "inversion_recovery": "t1ir"}[truth.kind]
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
        create(folder / name, text)
    create(folder / "vdlist", "".join(f"{delay:.6g}\n" for delay in truth.delay[index]))
    create(folder / "audita.txt", _audit(truth, n_rows))
    title = f"{truth.nucleus} {program} {kelvin - ZERO_CELSIUS:.1f} C\nsimulated by nmrdyn\n"
    create(folder / "pdata" / "1" / "title", title)
    create(folder / "ser", ser.tobytes())


def _digitised(truth: RelaxationTruth, index: int, rng: np.random.Generator) -> ComplexArray:
    """FIDs in counts, with the digital filter's build-up in front."""
    time = np.arange(_POINTS) / _SPECTRAL_WIDTH
    line = np.exp(2j * np.pi * truth.offset * time - (np.pi * truth.linewidth * time) ** 2 / (4 * np.log(2)))
    line *= np.exp(0.7j)  # any receiver phase will do
    scale = _FULL_SCALE / np.abs(line).max()
    noise = scale * np.linalg.norm(line) / truth.snr
    signal = scale * truth.recovered[index][:, None] * np.convolve(line, _filter())[:_POINTS]
    noisy = signal + noise * (rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape))
    return np.round(noisy)


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
        f"(   1,<>,<nmrdyn>,<simulator>,<simulate>,<>,\n      <simulated {truth.nucleus} recovery, {rows} rows>)\n"
        "##END=\n"
    )
