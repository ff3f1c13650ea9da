"""Impedance spectra: files, circuits, resistances with errors, and when there are none."""

import hashlib
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from nmrdyn.conductivity.cell import Cell, conductivity_of
from nmrdyn.conductivity.impedance.circuits import CIRCUITS, circuit_of
from nmrdyn.conductivity.impedance.fit import fit_impedance
from nmrdyn.conductivity.impedance.kramers_kronig import kramers_kronig
from nmrdyn.conductivity.impedance.parts import Resistor, sum_with_error
from nmrdyn.conductivity.impedance.read import read_impedance
from nmrdyn.conductivity.impedance.temperatures import direction_of, temperatures_of
from nmrdyn.findings import attached
from nmrdyn.plot.impedance import nyquist, nyquist_grid
from nmrdyn.schema import BOLTZMANN_EV, InputError
from nmrdyn.simulate.impedance import ImpedanceTruth, simulate_impedance
from nmrdyn.simulate.truth import ConductivityTruth
from nmrdyn.thermal import straight_line_barrier

FREQUENCY = np.geomspace(1e7, 1.0, 57)
DIMS = ("experiment", "point")


def arc(frequency, resistance, capacitance, alpha=1.0):
    return resistance / (1 + (2j * np.pi * frequency * resistance * capacitance) ** alpha)


def tail(frequency, q, alpha=0.85):
    return 1 / (q * (2j * np.pi * frequency) ** alpha)


def noisy(z, noise, seed):
    rng = np.random.default_rng(seed)
    return z + noise * np.abs(z) * (rng.standard_normal(z.shape) + 1j * rng.standard_normal(z.shape))


def spectra(z, frequency=FREQUENCY):
    z = np.atleast_2d(z)
    n = len(z)
    return xr.Dataset(
        {"impedance_real": (DIMS, z.real), "impedance_imaginary": (DIMS, z.imag)},
        {
            "experiment": [str(i) for i in range(n)],
            "frequency": (DIMS, np.tile(frequency, (n, 1))),
            "temperature": ("experiment", np.full(n, 300.0)),
        },
        {"stage": "impedance"},
    )


def codes(data):
    return {finding.code for finding in attached(data)}


# --- circuits


@pytest.mark.parametrize("name", [*CIRCUITS, "R0-p(R1-W1,C1)-L1", "p(R1,CPE1,R2-C2)", "L0-R0-p(R1,C1)"])
def test_impedance_of_a_circuit_is_that_of_impedance_py(name):
    from impedance.models.circuits import CustomCircuit

    circuit = circuit_of(name)
    x = np.random.default_rng(1).normal(size=len(circuit.parameters))
    x[circuit.is_alpha] = 0.8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is no fit
        theirs = CustomCircuit(circuit.text, initial_guess=list(circuit.values(x).values())).predict(FREQUENCY)
    ours, slopes = circuit.evaluate(2 * np.pi * FREQUENCY, x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    for k, slope in enumerate(slopes.T):
        step = np.zeros_like(x)
        step[k] = 1e-6
        above, below = (circuit.evaluate(2 * np.pi * FREQUENCY, x + sign * step)[0] for sign in (1, -1))
        np.testing.assert_allclose(slope, (above - below) / 2e-6, rtol=1e-6, atol=1e-8 * np.abs(ours).max())


@pytest.mark.parametrize(
    "text", ["", "arcs", "R1-", "p(R1)", "p(R1,C1", "R1,C1", "R-C", "R1--C1", "p(R1,C1))", "Wo1-R1", "R1-R1", "C1-L1"]
)
def test_a_text_that_is_no_circuit_is_refused(text):
    with pytest.raises(InputError, match=r"^circuit: needed"):
        circuit_of(text)


def test_resistance_without_a_capacitance_beside_it_is_refused():
    with pytest.raises(InputError, match="alone beside one capacitance"):
        fit_impedance(spectra(arc(FREQUENCY, 1e4, 1e-10)), circuit="p(R1,W1)")


# --- resistances

TWO_ARCS = arc(FREQUENCY, 5e4, 5e-12, 0.97) + arc(FREQUENCY, 1.5e5, 1e-9, 0.88)


def test_exact_spectrum_gives_exact_resistances_and_capacitances():
    one = fit_impedance(spectra(TWO_ARCS + tail(FREQUENCY, 2e-6))).isel(experiment=0)
    assert one.circuit.item() == "two-arcs-tail"
    assert one.resistance.item() == pytest.approx(2e5, rel=1e-5)
    assert one.bulk_resistance.item() == pytest.approx(5e4, rel=1e-5)
    assert one.grain_boundary_resistance.item() == pytest.approx(1.5e5, rel=1e-5)
    assert one.bulk_capacitance.item() == pytest.approx(5e-12, rel=1e-4)
    assert one.grain_boundary_capacitance.item() == pytest.approx(1e-9, rel=1e-4)
    np.testing.assert_allclose(one.fit_real + 1j * one.fit_imaginary, TWO_ARCS + tail(FREQUENCY, 2e-6), rtol=1e-4)


@pytest.mark.parametrize("n", [100, pytest.param(600, marks=pytest.mark.slow)])
def test_intervals_of_resistances_hold_them_as_often_as_they_say(n):
    z = TWO_ARCS + tail(FREQUENCY, 2e-6)
    fits = fit_impedance(spectra(np.array([noisy(z, 0.01, seed) for seed in range(n)])), circuit="two-arcs-tail")
    for name, truth in (("resistance", 2e5), ("bulk_resistance", 5e4), ("grain_boundary_resistance", 1.5e5)):
        score = np.log(fits[name] / truth) / (fits[f"{name}_stderr"] / fits[name])
        # Three binomial errors around 68.3 and 95.4 %; a standard deviation has an error of 1 / sqrt(2n).
        assert abs((abs(score) < 1).mean() - 0.683) < 3 * np.sqrt(0.683 * 0.317 / n), name
        assert (abs(score) < 2).mean() > 0.954 - 3 * np.sqrt(0.954 * 0.046 / n), name
        assert abs(score.std() - 1) < 3 / np.sqrt(2 * n), name
        assert abs(score.mean()) < 3 / np.sqrt(n), name
    assert fits.misfit.mean().item() == pytest.approx(0.01 * np.sqrt(1 - 8 / 114), rel=0.05)  # 8 parameters


@pytest.mark.parametrize(
    ("z", "circuit", "bulk", "boundary"),
    [
        (arc(FREQUENCY, 1e5, 5e-12), "arc", 1e5, np.nan),
        (arc(FREQUENCY, 1e5, 5e-12) + tail(FREQUENCY, 2e-6), "arc-tail", 1e5, np.nan),
        (2e3 + arc(FREQUENCY, 5e3, 2e-9) + tail(FREQUENCY, 2e-6), "series-arc-tail", 2e3, 5e3),
        (TWO_ARCS, "two-arcs", 5e4, 1.5e5),
    ],
)
def test_simplest_circuit_is_taken_and_capacitances_name_its_parts(z, circuit, bulk, boundary):
    one = fit_impedance(spectra(noisy(z, 0.003, 5))).isel(experiment=0)
    assert one.circuit.item() == circuit
    assert one.resistance.item() == pytest.approx(np.nansum([bulk, boundary]), abs=4 * one.resistance_stderr.item())
    for name, truth in (("bulk_resistance", bulk), ("grain_boundary_resistance", boundary)):
        assert one[name].item() == pytest.approx(truth, abs=4 * one[f"{name}_stderr"].item(), nan_ok=True)
    assert np.isnan(one.resistance_low.item())


def test_one_arc_between_bulk_and_grain_boundary_is_a_total_without_parts():
    fits = fit_impedance(spectra(noisy(arc(FREQUENCY, 1e5, 6e-11, 0.9), 0.003, 1)))
    assert fits.resistance.item() == pytest.approx(1e5, rel=0.01)
    assert np.isnan(fits.bulk_resistance.item())
    assert "parts-unknown" in codes(fits)


def test_arcs_of_electrodes_are_not_counted():
    z = noisy(arc(FREQUENCY, 2e5, 5e-12) + arc(FREQUENCY, 3e4, 5e-7), 0.003, 2)
    fits = fit_impedance(spectra(z), circuit="two-arcs")
    assert fits.resistance.item() == pytest.approx(2e5, rel=0.01)
    assert "electrode-arc" in codes(fits)


def test_arc_that_does_not_close_gives_a_lower_limit():
    for seed in range(2):
        one = fit_impedance(spectra(noisy(arc(FREQUENCY, 1e10, 5e-11, 0.95), 0.005, seed))).isel(experiment=0)
        assert np.isnan(one.resistance.item())
        assert 0 < one.resistance_low.item() < 1e10
        assert np.isinf(one.resistance_high.item())
        assert "close" in one.reason.item()


def test_arc_behind_which_grain_boundaries_would_be_lost_in_noise_is_a_lower_limit():
    # Of 2.4 Gohm the fit would see 0.09: at 60 Hz 4 nF are 0.7 % of the bulk resistance.
    frequency = np.geomspace(3e6, 60.0, 30)
    z = noisy(arc(frequency, 9e7, 2e-12, 0.96) + arc(frequency, 2.3e9, 4.4e-9, 0.92), 0.006, 1)
    one = fit_impedance(spectra(z, frequency), circuit="arc").isel(experiment=0)
    assert "may follow" in one.reason.item()
    assert np.isnan(one.resistance.item())
    assert 8e7 < one.resistance_low.item() < 1e8
    assert one.bulk_resistance.item() == pytest.approx(9e7, rel=0.1)


def test_start_of_a_grain_boundary_arc_is_no_tail():
    z = noisy(arc(FREQUENCY, 1e5, 5e-12) + arc(FREQUENCY, 1e11, 1e-9, 0.9), 0.003, 3)
    one = fit_impedance(spectra(z)).isel(experiment=0)
    assert np.isnan(one.resistance.item())
    assert one.bulk_resistance.item() == pytest.approx(1e5, rel=0.03)
    assert one.resistance_low.item() == pytest.approx(z.real.max())


def test_tail_alone_gives_an_upper_limit_unless_its_circuit_is_named():
    z = noisy(50 + tail(FREQUENCY, 2e-6), 0.003, 4)
    one = fit_impedance(spectra(z)).isel(experiment=0)
    assert np.isnan(one.resistance.item())
    assert 50 < one.resistance_high.item() < 55
    assert one.resistance_low.item() == 0
    named = fit_impedance(spectra(z), circuit="tail")
    assert named.resistance.item() == pytest.approx(50, rel=0.01)


def test_upper_limit_holds_where_the_arc_begins_above_the_highest_frequency():
    frequency = np.geomspace(1e5, 1.0, 40)  # the top of the arc is at 320 kHz
    z = np.array([noisy(arc(frequency, 1e5, 5e-12) + tail(frequency, 2e-6), 0.003, seed) for seed in range(4)])
    fits = fit_impedance(spectra(z, frequency))
    assert np.isnan(fits.resistance).all()
    assert (fits.resistance_high > 1e5).all()
    assert (fits.resistance_high < 1.1e5).all()


def test_what_no_circuit_describes_has_no_resistance():
    z = arc(FREQUENCY, 1e5, 5e-12) * np.random.default_rng(1).lognormal(0, 0.4, FREQUENCY.size)
    fits = fit_impedance(spectra(z), circuit="arc")
    assert np.isnan(fits.resistance.item())
    assert "no circuit describes it" in fits.reason.item()


def test_error_of_a_sum_holds_that_its_parts_are_correlated():
    # Resistances of 100 and 50 ohm with 3 and 4 %, correlated by -0.5: variance 9 + 4 - 6 ohm^2.
    covariance = np.array([[9e-4, 0, -6e-4], [0, 1, 0], [-6e-4, 0, 16e-4]])
    chosen = [Resistor(f"R{k}", k, value, "arc", 1e-12, 1e3) for k, value in ((0, 100.0), (2, 50.0))]
    value, stderr = sum_with_error(chosen, covariance)
    assert value == 150
    assert stderr == pytest.approx(np.sqrt(7))


def test_few_points_are_no_fit():
    one = fit_impedance(spectra(TWO_ARCS[:3], FREQUENCY[:3]), circuit="two-arcs").isel(experiment=0)
    assert one.reason.item() == "needed 5 points that can be fitted, found 3"
    assert (one.resistance_low.item(), one.resistance_high.item()) == (0, np.inf)
    assert not one.converged.item()


def test_inductance_of_the_leads_does_not_shift_the_resistance():
    frequency = np.geomspace(1e7, 10.0, 50)
    z = 200 + arc(frequency, 800, 2e-9) + tail(frequency, 5e-6)
    leads = 2j * np.pi * frequency * 1e-6
    fits = fit_impedance(spectra(np.array([noisy(z + leads, 0.003, seed) for seed in range(3)]), frequency))
    score = (fits.resistance - 1000) / fits.resistance_stderr
    assert abs(score).max() < 4
    assert "impedance-points" in codes(fits)
    # Points that are not fitted have no fit drawn through them; the others have.
    assert np.isnan(fits.fit_real[:, 0]).all()
    assert np.isfinite(fits.fit_real[:, -1]).all()
    with_l = fit_impedance(spectra(noisy(z + leads, 0.003, 1), frequency), circuit="L0-R0-p(R1,CPE1)-CPE2")
    inductance = with_l.circuit_values.item().split(",")[0].removeprefix("L0=")
    assert float(inductance) == pytest.approx(1e-6, rel=0.03)
    assert np.isfinite(with_l.fit_real).all()


@pytest.mark.slow
def test_error_of_a_lone_arc_holds_the_grain_boundaries_inside_it_and_any_error_a_small_drift():
    # Bulks of 1e5 ohm with boundaries of 5 %, which one arc holds; then resistances that fall by 2 % during the sweep.
    hidden = arc(FREQUENCY, 1e5, 5e-12, 0.97) + arc(FREQUENCY, 5e3, 1e-10, 0.88) + tail(FREQUENCY, 2e-6)
    fits = fit_impedance(spectra(np.array([noisy(hidden, 0.01, seed) for seed in range(12)])))
    lone = fits.isel(experiment=fits.circuit.values == "arc-tail")
    assert lone.sizes["experiment"] > 6
    assert (abs(lone.bulk_resistance - 1e5) < 2 * lone.bulk_resistance_stderr).all()
    assert (lone.bulk_resistance > 1.03e5).all()
    drift = np.linspace(1.01, 0.99, FREQUENCY.size)
    z = arc(FREQUENCY, 5e4 * drift, 5e-12, 0.97) + arc(FREQUENCY, 1.5e5 * drift, 1e-9, 0.88) + tail(FREQUENCY, 2e-6)
    fits = fit_impedance(spectra(np.array([noisy(z, 0.001, seed) for seed in range(5)])))
    for name, truth in (("resistance", 2e5), ("bulk_resistance", 5e4), ("grain_boundary_resistance", 1.5e5)):
        assert (abs(fits[name] - truth) < 3 * fits[f"{name}_stderr"]).all()
    named = fit_impedance(spectra(noisy(z, 0.001, 0)), circuit="two-arcs-tail")
    assert abs(named.resistance - 2e5) > 3 * named.resistance_stderr


def random_pellet(rng):
    """A pellet as (spectrum, frequency, total resistance): with or without grain boundaries, any range and noise."""
    frequency = np.geomspace(10 ** rng.uniform(6, 7), 10 ** rng.uniform(-1, 2), int(rng.integers(30, 71)))
    bulk = 10 ** rng.uniform(1, 8)
    boundary = bulk * 10 ** rng.uniform(-1, 1.5) if rng.random() < 0.7 else 0.0
    z = arc(frequency, bulk, 10 ** rng.uniform(-11.7, -10.8), rng.uniform(0.9, 1))
    z = z + tail(frequency, 10 ** rng.uniform(-7, -5), rng.uniform(0.7, 0.95))
    if boundary:
        z = z + arc(frequency, boundary, 10 ** rng.uniform(-10, -8), rng.uniform(0.75, 0.95))
    return noisy(z, 10 ** rng.uniform(-2.7, -1.7), int(rng.integers(2**32))), frequency, bulk + boundary


@pytest.mark.slow
def test_no_accepted_resistance_is_far_off():
    rng = np.random.default_rng(2024)
    score, wrong_limits = [], 0
    for _ in range(600):
        z, frequency, truth = random_pellet(rng)
        one = fit_impedance(spectra(z, frequency)).isel(experiment=0)
        value = one.resistance.item()
        if np.isfinite(value):
            score.append(np.log(value / truth) * value / one.resistance_stderr.item())
        else:
            wrong_limits += not 0.95 * one.resistance_low.item() <= truth <= 1.05 * one.resistance_high.item()
    score = np.abs(score)
    assert len(score) > 300
    assert (score > 3).mean() < 0.01 + 3 * np.sqrt(0.01 / len(score))
    assert (score > 6).sum() == 0
    assert wrong_limits < 6
    assert (score < 1).mean() > 0.6


# --- Kramers-Kronig


def test_kramers_kronig_residuals_are_the_noise_of_a_valid_spectrum():
    for resistance in (1e2, 1e5, 1e8):
        z = arc(FREQUENCY, resistance, 5e-12, 0.95) + arc(FREQUENCY, 3 * resistance, 1e-9, 0.85) + tail(FREQUENCY, 2e-6)
        rms, noise = np.mean([kramers_kronig(FREQUENCY, noisy(z, 0.01, seed)) for seed in range(8)], axis=0)
        assert 0.008 < rms < 0.0105
        assert rms < 1.2 * noise


def test_drift_during_the_sweep_is_remarked_on():
    def finding(drift, noise):
        change = 1 + drift * np.linspace(0, 1, FREQUENCY.size)
        z = arc(FREQUENCY, 5e4 * change, 5e-12, 0.97) + arc(FREQUENCY, 1.5e5 * change, 1e-9, 0.88)
        z = np.array([noisy(z + tail(FREQUENCY, 2e-6), noise, seed) for seed in range(8)])
        return [
            f.where for f in attached(fit_impedance(spectra(z), circuit="two-arcs-tail")) if f.code == "kramers-kronig"
        ]

    assert len(finding(0.3, 0.003)) == 8
    assert finding(0.0, 0.003) == []
    assert finding(0.0, 0.02) == []


# --- files

REAL, IMAGINARY = np.array([150.0, 180.5, 300.0, 310.0]), np.array([-20.0, -90.25, 15.0, -400.0])
HZ = np.array([1e5, 1e4, 1e3, 1e2])
ROWS = list(zip(HZ, REAL, IMAGINARY, strict=True))


def each(form):
    return "".join(form.format(i=i, f=f, r=r, x=x, m=-x) for i, (f, r, x) in enumerate(ROWS))


FILES = {
    "Gamry": (
        "p_60C.DTA",
        "EXPLAIN\nTAG\tEISPOT\nOCVCURVE\tTABLE\t1\n\tPt\tT\tVf\n\t#\ts\tV\n\t0\t0.25\t-3.4E-001\n"
        "ZCURVE\tTABLE\n\tPt\tTime\tFreq\tZreal\tZimag\n\t#\ts\tHz\tohm\tohm\n"
        + each("\t{i}\t1\t{f:E}\t{r:E}\t{x:E}\t0\n"),
    ),
    "BioLogic EC-Lab": (
        "p_60C.mpt",
        "EC-Lab ASCII FILE\nNb header lines : 4      \nElectrode surface area : 0.001 cm²\n"
        "freq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm\t|Z|/Ohm\t\n" + each("{f:.7E}\t{r:.7E}\t{m:.7E}\t0\n").replace(".", ","),
    ),
    "VersaStudio": (
        "p_60C.par",
        "<Application>\nName=VersaStudio\n</Application>\n<Action0>\nSegments=0\nComment=エ\n</Action0>\n<Action1>\n"
        "Segments=1\n</Action1>\n<Segment1>\nType=2\nVersion=3\nDefinition=Segment #\n"
        + each("0,{i},0,0,0,0,0,0,0,{f},0,0,0,0,{r},{x},0,0\n")
        + "</Segment1>\n",
    ),
    "CH Instruments": (
        "p_60C.txt",
        "Feb. 20, 2020\nA.C. Impedance\n\nFreq/Hz, Z'/ohm, Z\"/ohm, Z/ohm, Phase/deg\n\n"
        + each("{f:e}, {r:e}, {x:e}, 1, 1\n"),
    ),
    "Autolab": (
        "p_60C.txt",
        '"Z60W Data File: Version 1.1"\n4\n"  Freq (Hz)    Ampl     Bias   Time(Sec)   Z\'(a)    Z\'\'(b)"\n'
        + each("{f},0,0,0,{r},{x},0,0\n"),
    ),
    "ZPlot": (
        "p_60C.z",
        "ZPLOT2 ASCII\n  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\nEnd Comments\n"
        + each("{f:E}\t0\t0\t0\t{r:E}\t{x:E}\t0\t0\n"),
    ),
    "Parstat": (
        "p_60C.txt",
        "Potential (V)\tCurrent (A)\tElapsed Time (s)\tFrequency (Hz)\tZre (ohms)\tZim (ohms)\t|Vac| (V)\t\n"
        "3.49\t-0.1\t10\t0\t0\t0\t0\t\n" + each("3.4\t0.1\t2\t{f}\t{r}\t{x}\t0\t\n"),
    ),
    "PowerSuite": ("p_60C.txt", "Frequency\t Zre\t Zimg\n" + each("{f}\t {r}\t {x}\n")),
    "three columns": ("p_60C.csv", "# freq,Re(Z),Im(Z)\n" + each("{f},{r},{x}\n")),
    "table": (
        "p_60C.csv",
        "f (kHz); Z' (kohm); -Z'' (kohm)\n" + "".join(f"{f / 1e3}; {r / 1e3}; {-x / 1e3}\n" for f, r, x in ROWS),
    ),
}


@pytest.mark.parametrize("read_by", FILES)
@pytest.mark.parametrize("end", ["", "\r\n \r\n"])
def test_each_format_is_told_by_its_content_and_read_alike(read_by, end, tmp_path):
    name, text = FILES[read_by]
    file = tmp_path / name
    file.write_bytes((text.replace("\n", "\r\n") if end else text).encode() + end.encode())
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    one = read_impedance(file)
    assert one.read_by.item() == read_by
    np.testing.assert_allclose(one.frequency.values[0], HZ, rtol=1e-6)
    np.testing.assert_allclose(one.impedance_real.values[0], REAL, rtol=1e-6)
    np.testing.assert_allclose(one.impedance_imaginary.values[0], IMAGINARY, rtol=1e-6)
    assert one.temperature.item() == pytest.approx(333.15)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("line", ["{f};{r};{x}\n", "{f} ; {r} ; {x}\n", "{f}\t{r}\t{x}\n", "  {f}   {r} {x}  \n"])
def test_three_columns_may_be_apart_by_anything_but_decimal_commas(line, tmp_path):
    file = tmp_path / "p_60C.txt"
    file.write_text("# f/Hz Z' Z''\n" + each(line))
    one = read_impedance(file)
    assert one.read_by.item() == "three columns"
    np.testing.assert_allclose(one.impedance_real.values[0], REAL, rtol=1e-6)
    np.testing.assert_allclose(one.impedance_imaginary.values[0], IMAGINARY, rtol=1e-6)
    file.write_text(each(line).replace(".", ","))
    with pytest.raises(InputError):
        read_impedance(file)


@pytest.mark.parametrize(
    ("header", "factor", "sign"),
    [
        ("freq/Hz, Re(Z)/ohm, Im(Z)/ohm", 1, 1),
        ("frequency [Hz], Zreal [kΩ], -Zimag [kΩ]", 1e3, -1),
        ("f (Hz), Z' (Mohm), Z'' (Mohm)", 1e6, 1),
        ("f (Hz), Z' (ohm), -Z\" (ohm)", 1, -1),
    ],
)
def test_header_of_a_table_names_units_and_the_sign(header, factor, sign, tmp_path):
    file = tmp_path / "300K.csv"
    file.write_text(f"{header}\n100, 2, 3\n", encoding="utf-8")
    one = read_impedance(file)
    assert one.impedance_real.item() == pytest.approx(2 * factor)
    assert one.impedance_imaginary.item() == pytest.approx(3 * factor * sign)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("f (Hz), Z' (ohm)\n1, 2\n", "needed one column such as Z''"),
        ("f (Hz), Z' (ohm), Z'' (ohm), -Z'' (ohm)\n1, 2, 3, 3\n", "needed one column such as Z''"),
        ("f, Z' (ohm), Z'' (ohm)\n1, 2, 3\n", "needed a unit"),
        ("f (Hz), Z' (S), Z'' (ohm)\n1, 2, 3\n", "needed a unit"),
        ("f (Hz), Z' (ohm), Z'' (ohm)\n1, , 3\n", "needed frequencies"),
        ("1,2,3\n4,5\n", "three columns"),
        ("1,2,3\n-4,5,6\n", "needed frequencies"),
        ("1,2,3\n4,abc,6\n", "finite impedances"),
        ("0,0,0\n0,0,0\n", "points with a frequency, found 0"),
        ("what,is,this\n1,2,3\n", "an impedance spectrum"),
        ("", "an impedance spectrum"),
        ("EC-Lab ASCII FILE\nNb header lines : 99\n", "BioLogic"),
        ("EC-Lab ASCII FILE\nNb header lines : 3\nfreq/Hz\tRe(Z)/Ohm\t\n1\t2\t\n", '"-Im'),
        ("ZCURVE\tTABLE\n\tPt\n\t#\n\t0\t1\n", "Gamry"),
        ("<Application>\nName=VersaStudio\n", "VersaStudio"),
    ],
)
def test_broken_file_is_one_error_with_its_name(text, words, tmp_path):
    file = tmp_path / "broken_20C.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=words) as error:
        read_impedance(file)
    assert "broken_20C.csv" in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_damaged_file_is_read_or_refused(read_by, data):
    name, text = FILES[read_by]
    raw = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1)) if raw else 0
        kind = data.draw(st.sampled_from(["cut", "set", "drop", "insert"]))
        if kind == "cut":
            del raw[at:]
        elif kind == "set" and raw:
            raw[at] = data.draw(st.integers(0, 255))
        elif kind == "drop":
            del raw[at : at + 7]
        else:
            raw[at:at] = data.draw(st.binary(max_size=6))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(bytes(raw))
        try:
            one = read_impedance(file)
        except InputError:
            return
    assert one.attrs["stage"] == "impedance"
    assert (one.frequency.values[np.isfinite(one.frequency.values)] > 0).all()


def test_large_files_are_refused(tmp_path):
    file = tmp_path / "20C.csv"
    file.write_bytes(b"1,2,3\n" * 3_500_000)
    with pytest.raises(InputError, match="20 MB"):
        read_impedance(file)
    file.write_bytes(b"1,2,3\n" * 100_001)
    with pytest.raises(InputError, match="100000 points"):
        read_impedance(file)


def test_sweeps_of_one_file_are_apart(tmp_path):
    rows = "".join(f"{f},{100 + k},-5\n" for k in range(3) for f in (1000, 100, 10))
    (tmp_path / "a_300K.csv").write_text(rows)
    (tmp_path / "b_310K.csv").write_text("".join(f"{f},200,-5\n" for f in (10, 100, 1000, 10, 100)))
    both = read_impedance(tmp_path)
    assert both.experiment.values.tolist() == [
        "a_300K.csv",
        "a_300K.csv#2",
        "a_300K.csv#3",
        "b_310K.csv",
        "b_310K.csv#2",
    ]
    assert both.impedance_real.values[:, 0].tolist() == [100, 101, 102, 200, 200]
    assert np.isfinite(both.frequency).sum("point").values.tolist() == [3, 3, 3, 3, 2]
    apart = {"a_300K.csv": 300.0, "a_300K.csv#2": 301.0, "a_300K#3": (302.0, 0.5), "b_310K": 310.0}
    told = read_impedance(tmp_path, temperature=apart)
    assert told.temperature.values.tolist() == [300.0, 301.0, 302.0, 310.0, 310.0]
    assert told.temperature_stderr.values[2] == 0.5


def test_folder_passes_over_what_is_no_spectrum(tmp_path):
    (tmp_path / "heating").mkdir()
    (tmp_path / "heating" / "60C.csv").write_text("1000,100,-5\n100,120,-9\n")
    (tmp_path / "notes.txt").write_text("the pellet broke\n")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    (tmp_path / ".hidden.csv").write_text("1,2,3\n")
    one = read_impedance(tmp_path)
    assert one.experiment.values.tolist() == ["heating/60C.csv"]
    assert one.direction.item() == "heating"
    assert [finding.text for finding in attached(one)] == ["notes.txt: no impedance spectrum in a known format"]
    with pytest.raises(InputError, match="needed"):
        read_impedance(tmp_path / "nothing")


def test_imaginary_parts_of_the_wrong_sign_are_remarked_on(tmp_path):
    (tmp_path / "60C.csv").write_text("1000,100,5\n100,120,9\n")
    assert "impedance-sign" in codes(read_impedance(tmp_path / "60C.csv"))


# --- temperatures


@pytest.mark.parametrize(
    ("name", "kelvin"),
    [
        ("sample_60C.mpt", 333.15),
        ("sample_333K.csv", 333.0),
        ("-20C.z", 253.15),
        ("a_-20C_heating.z", 253.15),
        ("25degC.DTA", 298.15),
        ("pellet 40p5C.txt", 313.65),
        ("pellet 40.5 °C.txt", 313.65),
        ("run2/300.15K.csv", 300.15),
        ("25c.csv", 298.15),
        ("sample-20C.csv", np.nan),  # a hyphen or a sign
        ("20C_to_60C.csv", np.nan),
        ("sample_60.csv", np.nan),
        ("Na3C_1.csv", np.nan),
        ("run_3_c.csv", np.nan),
        ("0K.csv", np.nan),
    ],
)
def test_temperature_in_a_name_has_a_unit_and_is_the_only_one(name, kelvin):
    (told, sure), _ = temperatures_of([name, "1K.csv"], None)
    assert sure.kelvin == 1.0
    assert told.kelvin == pytest.approx(kelvin, nan_ok=True)
    assert (told.source == "name of the file") == np.isfinite(kelvin)


@pytest.mark.parametrize(
    ("name", "direction"),
    [("s_60C_heating.z", "heating"), ("h_60C.z", "heating"), ("cooling/60C.z", "cooling"), ("60C_c.z", "cooling"),
     ("60 C.z", ""), ("heating_cooling_60C.z", ""), ("chalk_60C.z", "")],
)  # fmt: skip
def test_direction_in_a_name(name, direction):
    assert direction_of(name) == direction


def test_temperatures_from_a_table(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("1000,100,-5\n100,120,-9\n")
    table = tmp_path / "temperatures.csv"
    table.write_text(
        "file, temperature (°C), temperature_stderr (K)\na.csv, 60, 0.5\nb, 20, 0.5\nd, 30, 1\n", encoding="utf-8"
    )
    spectra = read_impedance(tmp_path, temperature=table)
    assert spectra.experiment.values.tolist() == ["a.csv", "b.csv", "c.csv"]
    np.testing.assert_allclose(spectra.temperature, [333.15, 293.15, np.nan])
    assert spectra.temperature_source.values.tolist()[1:] == [
        "table temperatures.csv",
        "not among the temperatures given",
    ]
    assert "temperatures-not-used" in codes(spectra)


@pytest.mark.parametrize("wrong", [None, {"other": 300.0}, {"a": -5.0}, -3.0, {"a": "hot"}, "nothing.csv", [300.0]])
def test_spectra_without_a_temperature_are_refused(wrong, tmp_path):
    (tmp_path / "a.csv").write_text("1000,100,-5\n100,120,-9\n")
    with pytest.raises(InputError, match="needed"):
        read_impedance(tmp_path / "a.csv", temperature=wrong)


# --- from files to barriers

TEMPERATURES = np.array([260.0, 280.0, 300.0, 320.0, 340.0, 360.0])
TRUTH = ImpedanceTruth(
    bulk=ConductivityTruth(
        activation_energy=0.40, conductivity=1e-4, reference_temperature=300.0, temperature=TEMPERATURES
    ),
    grain_boundary=ConductivityTruth(
        activation_energy=0.52, conductivity=3e-5, reference_temperature=300.0, temperature=TEMPERATURES
    ),
)


@pytest.mark.parametrize("form", ["gamry", "biologic", "zplot", "csv"])
def test_simulated_files_are_read_as_they_were_made(form, tmp_path):
    exact = ImpedanceTruth(bulk=TRUTH.bulk, grain_boundary=TRUTH.grain_boundary, noise=0.0)
    one = read_impedance(simulate_impedance(exact, tmp_path / "eis", seed=1, format=form))
    np.testing.assert_allclose(one.temperature, TEMPERATURES)
    np.testing.assert_allclose(one.impedance_real + 1j * one.impedance_imaginary, exact.exact, rtol=2e-6)
    with pytest.raises(InputError, match="already exists"):
        simulate_impedance(exact, tmp_path / "eis", seed=1, format=form)
    with pytest.raises(InputError, match="format"):
        simulate_impedance(exact, tmp_path / "other", seed=1, format="origin")


def test_barriers_of_bulk_and_grain_boundaries_from_files(tmp_path):
    spectra_read = read_impedance(simulate_impedance(TRUTH, tmp_path / "eis", seed=7, format="biologic"))
    # The circuit is named, so that errors are those of the noise.
    fits = fit_impedance(spectra_read, circuit="two-arcs-tail")
    cell = Cell(thickness=TRUTH.thickness, area=TRUTH.area)
    for part, truth in (("bulk", 0.40), ("grain_boundary", 0.52)):
        transport = conductivity_of(fits, cell, part=part)
        sigma = transport.conductivity.values
        assert np.isfinite(sigma).all()
        energy, _ = straight_line_barrier(TEMPERATURES, sigma * TEMPERATURES)
        distance = 1 / TEMPERATURES - (1 / TEMPERATURES).mean()
        errors = transport.conductivity_stderr.values / sigma
        stderr = BOLTZMANN_EV * np.linalg.norm(distance * errors) / (distance @ distance)
        assert stderr < 0.001
        assert abs(energy - truth) < 3 * stderr, part


def test_missing_package_is_one_error(monkeypatch, tmp_path):
    (tmp_path / "300K.csv").write_text("1000,100,-5\n")
    for name in ("impedance", "impedance.preprocessing"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"pip install impedance"):
        read_impedance(tmp_path / "300K.csv")


# --- figures


def test_figure_has_one_scale_points_fit_and_resistances_with_errors():
    z = spectra(np.array([noisy(TWO_ARCS + tail(FREQUENCY, 2e-6), 0.01, 1), 50 + tail(FREQUENCY, 2e-6)]))
    fits = fit_impedance(z)
    axes = nyquist(z, fits, experiment="0")
    assert axes.get_aspect() == 1.0
    texts = [text.get_text() for text in axes.texts]
    total, stderr = fits.resistance.values[0] / 1e3, fits.resistance_stderr.values[0] / 1e3
    assert any(text.startswith("total") and f"{total:.0f}"[:2] in text and "±" in text for text in texts)
    assert {text.split()[0] for text in texts} >= {"bulk", "grain", "total"}
    drawn = axes.containers[-1].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(sorted(drawn[:, 0]), [total - stderr, total + stderr])
    assert any(text.get_text().startswith("R <") for text in nyquist(z, fits, experiment="1").texts)
    assert len(nyquist_grid(z, fits).axes) == 2
    with pytest.raises(InputError, match="one spectrum"):
        nyquist(z, fits)
