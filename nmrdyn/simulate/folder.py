"""Truth -> raw data as a console leaves them: TopSpin expnos, and a CSV of conductivities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nmrdyn.schema import ZERO_CELSIUS, InputError
from nmrdyn.simulate.console import ComplexArray, Console, console_of
from nmrdyn.simulate.processed import transformed
from nmrdyn.simulate.simulate import simulate
from nmrdyn.simulate.truth import ConductivityTruth, RelaxationTruth

_POINTS = 512  # complex points of a FID
_SPECTRAL_WIDTH = 100e3  # Hz
_FULL_SCALE = 2.0**22  # counts of the strongest point
_PHASE = 0.7  # rad; any receiver phase will do


def simulate_folder(
    truth: RelaxationTruth | ConductivityTruth,
    folder: str | Path,
    *,
    seed: int,
    console: str | Console = "avance3",
    processed: bool = False,
    arrayed: bool = False,
) -> Path:
    """Write a truth with noise as raw data: TopSpin expnos 1, 2, ... or a file conductivity.csv, in `folder`.

    Parameters
    ----------
    truth : one expno, or one line of the table, a temperature
    folder : where to write
    seed : of the noise
    console : "avance3", "neo", "xwinnmr" or "topspin1", or a `Console`
    processed : write pdata/1/2rr too
    arrayed : write each delay as a one-dimensional expno with the delay in D7 and an NC of its own, 101, 102, ... at
        the first temperature, 201, 202, ... at the second

    Raises
    ------
    InputError
        Where something that would be written already exists, or the console is unknown.
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
        expno = _Expno(truth, index, float(kelvin), console_of(console) if isinstance(console, str) else console)
        rows = _digitised(expno, rng)
        if arrayed:
            _write_fids(root, expno, rows)
        else:
            _write_ser(root / str(index + 1), expno, rows)
            if processed:
                _write_processed(root / str(index + 1) / "pdata" / "1", expno, rows)
    return root


def create(path: Path, text: str | bytes) -> None:
    """Write a new file; what exists is never overwritten."""
    if path.exists():
        raise InputError(f"{path}: already exists; nothing is overwritten, choose a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


@dataclass(frozen=True)
class _Expno:
    """One temperature of a truth, and the console that measures it."""

    truth: RelaxationTruth
    index: int
    kelvin: float
    console: Console

    @property
    def program(self) -> str:
        return {"saturation_recovery": "satrec", "inversion_recovery": "t1ir"}[self.truth.kind]

    @property
    def carrier(self) -> float:
        return self.truth.larmor_frequency / 1e6

    def acqus(self, **more: object) -> dict[str, object]:
        """Its parameters in the order of their names, as consoles write them."""
        parameters = {
            "BF1": f"{self.carrier:.6f}",
            "NS": 16,
            "NUC1": f"<{self.truth.nucleus}>",
            "O1": 0,
            "PARMODE": 1,
            "PULPROG": f"<{self.program}>",
            "SFO1": f"{self.carrier:.6f}",
            "SW_h": _SPECTRAL_WIDTH,
            "TD": 2 * _POINTS,
            "TE": f"{self.kelvin:.2f}",
            "VDLIST": "<simulated>",
            "ZGOPTNS": "<>",
        }
        return dict(sorted((parameters | self.console.parameters | more).items()))

    @property
    def title(self) -> str:
        words = f"{self.truth.nucleus} {self.program} {self.kelvin - ZERO_CELSIUS:.1f} C"
        return f"{words}\nsimulated by nmrdyn\n"


def _write_ser(folder: Path, expno: _Expno, rows: ComplexArray) -> None:
    truth, n_rows = expno.truth, rows.shape[0]
    direct = _jcamp(expno.acqus())
    indirect = _jcamp({"FnMODE": 1, "NUC1": f"<{truth.nucleus}>", "TD": n_rows})
    for name, text in (("acqu", direct), ("acqus", direct), ("acqu2", indirect), ("acqu2s", indirect)):
        create(folder / name, text)
    create(folder / expno.console.vdlist, "".join(f"{delay:.6g}\n" for delay in truth.delay[expno.index]))
    create(folder / "audita.txt", _audit(truth, n_rows))
    create(folder / "pdata" / "1" / "title", expno.title)
    create(folder / "ser", expno.console.encode(rows))


def _write_fids(root: Path, expno: _Expno, rows: ComplexArray) -> None:
    """One expno a delay; the NC of each differs, as a console sets it by the height of the signal."""
    for i, (row, delay) in enumerate(zip(rows, expno.truth.delay[expno.index], strict=True)):
        folder = root / str(100 * (expno.index + 1) + i + 1)
        console = replace(expno.console, nc=-(i % 4))
        delays = ["0"] * 64
        delays[7] = f"{delay:.6g}"
        text = _jcamp(replace(expno, console=console).acqus(D="(0..63)\n" + " ".join(delays), PARMODE=0, VDLIST="<>"))
        for name in ("acqu", "acqus"):
            create(folder / name, text)
        create(folder / "audita.txt", _audit(expno.truth, 1))
        create(folder / "pdata" / "1" / "title", expno.title)
        create(folder / "fid", console.encode(row[None]))


def _write_processed(folder: Path, expno: _Expno, rows: ComplexArray) -> None:
    made = transformed(
        rows,
        width=_SPECTRAL_WIDTH,
        carrier=expno.carrier,
        group_delay=expno.console.group_delay,
        phase=float(np.degrees(_PHASE)),
    )
    for names, parameters in ((("proc", "procs"), made.procs), (("proc2", "proc2s"), made.proc2s)):
        for name in names:
            create(folder / name, _jcamp(dict(sorted(parameters.items()))))
    create(folder / "2rr", made.data)


def _digitised(expno: _Expno, rng: np.random.Generator) -> ComplexArray:
    """FIDs in counts, with the digital filter's build-up in front."""
    truth = expno.truth
    time = np.arange(_POINTS) / _SPECTRAL_WIDTH
    line = np.exp(2j * np.pi * truth.offset * time - (np.pi * truth.linewidth * time) ** 2 / (4 * np.log(2)))
    line *= np.exp(1j * _PHASE)
    scale = _FULL_SCALE / np.abs(line).max()
    noise = scale * np.linalg.norm(line) / truth.snr
    shape = np.convolve(line, expno.console.build_up())[:_POINTS]
    signal = scale * truth.recovered[expno.index][:, None] * shape
    noisy = signal + noise * (rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape))
    return np.round(noisy)


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
