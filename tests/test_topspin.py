import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import nmrdyn as nd
from nmrdyn.findings import attached
from nmrdyn.topspin.files.fid import read_fids
from nmrdyn.topspin.files.parameters import read_parameters

DTYPES = {(0, 0): "<i4", (1, 0): ">i4", (0, 2): "<f8", (1, 2): ">f8"}  # by BYTORDA, DTYPA


@pytest.fixture
def fine(sodium):
    """Two temperatures with little noise."""
    return replace(sodium, temperature=[333.15, 353.15], snr=500)


def set_parameter(expno, key, value, file="acqus"):
    """Rewrite one parameter; None takes it out."""
    path = expno / file
    line = "" if value is None else f"##${key}= {value}\n"
    text, count = re.subn(rf"##\${key}= .*\n", line, path.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")


def read_words(expno):
    """The numbers of a simulated ser (row, word): real and imaginary in turn, 512 complex points."""
    return np.frombuffer((expno / "ser").read_bytes(), "<i4").reshape(-1, 1024).copy()


def write_words(expno, words, byte_order=0, data_type=0):
    """Write a ser as TopSpin does: each row begins at a multiple of 1024 bytes."""
    dtype = np.dtype(DTYPES[byte_order, data_type])
    width = -(-words.shape[1] * dtype.itemsize // 1024) * 1024 // dtype.itemsize
    padded = np.zeros((len(words), width), dtype)
    padded[:, : words.shape[1]] = words
    (expno / "ser").write_bytes(padded.tobytes())
    for key, value in (("TD", words.shape[1]), ("BYTORDA", byte_order), ("DTYPA", data_type)):
        set_parameter(expno, key, value)


def notes_of(recovery):
    """What was remarked on the reading, by experiment."""
    notes = {}
    for finding in attached(recovery):
        for name in finding.where.split(", "):
            notes.setdefault(name, []).append(finding.text)
    return notes


def scales(recovery, truth):
    """Intensity of a full recovery in each experiment, by least squares."""
    weight, exact = 1 / recovery.signal_stderr.values**2, truth.recovered
    return np.sum(weight * recovery.signal.values * exact, axis=1) / np.sum(weight * exact**2, axis=1)


def mean_chi2(recovery, truth):
    """Reduced chi-square of the intensities against the truth; a scale costs each experiment one degree of freedom."""
    residual = recovery.signal.values - scales(recovery, truth)[:, None] * truth.recovered
    return np.sum((residual / recovery.signal_stderr.values) ** 2) / (residual.shape[0] * (residual.shape[1] - 1))


@pytest.mark.parametrize("depth", [1.0, 2.0, 0.8])
def test_simulated_folder_gives_back_t1_and_intensities(sodium, tmp_path, depth):
    truth = replace(sodium, temperature=[323.15, 333.15, 343.15], snr=100, depth=depth)
    folder = nd.simulate_folder(truth, tmp_path / "na", seed=1)
    recovery = nd.read_topspin(folder)
    assert list(recovery.experiment.values) == ["1", "2", "3"]
    assert set(recovery.kind.values) == {"inversion_recovery" if depth == 2 else "saturation_recovery"}
    assert (recovery.attrs["nucleus"], recovery.attrs["stage"]) == ("23Na", "recovery")
    np.testing.assert_array_equal(recovery.temperature, truth.temperature)
    np.testing.assert_array_equal(recovery.larmor_frequency, 132.32e6)
    np.testing.assert_allclose(recovery.delay, truth.delay, rtol=1e-5)  # six digits in vdlist
    np.testing.assert_array_equal(recovery.rows_recorded, 16)
    np.testing.assert_array_equal(recovery.rows_planned, 16)

    relaxation = nd.fit_recovery(recovery, "single")
    assert np.all(np.abs(relaxation.t1 - truth.t1) < 4 * relaxation.t1_stderr)
    assert np.all(np.abs(relaxation.depth / depth - 1) < 0.1)

    # chi-square of three experiments with one degree of freedom fewer than rows, 0.1 % on either side.
    low, high = stats.chi2.ppf([0.001, 0.999], 3 * 15) / (3 * 15)
    assert low < mean_chi2(recovery, truth) < high
    for i, scale in enumerate(scales(recovery, truth)):
        stderr = recovery.signal_stderr.values[i]
        # The noise of a matched filter is 1/snr of the full intensity, less what the crop loses of it and the noise
        # that the line shape itself carries (a few per cent each), and it is measured to its own scatter.
        assert stderr.mean() / scale == pytest.approx(
            1 / 100, rel=4 / np.sqrt(2 * recovery.noise_dof.values[i]) + 0.05, abs=0
        )


def test_t1_stderr_from_folders_matches_the_scatter_of_t1(sodium, tmp_path):
    n, delays = 80, list(sodium.t1[0] * np.geomspace(0.1, 5, 6))
    truth = replace(sodium, temperature=[333.15] * n, snr=20, delays=delays)
    relaxation = nd.fit_recovery(nd.read_topspin(nd.simulate_folder(truth, tmp_path / "na", seed=2)), "single")
    z = (relaxation.t1.values - truth.t1) / relaxation.t1_stderr.values
    # The standard deviation of n normal values follows chi with n - 1 degrees of freedom: 0.1 % on either side is
    # 0.77 to 1.26.
    low, high = np.sqrt(stats.chi2.ppf([0.001, 0.999], n - 1) / (n - 1))
    assert low < np.std(z, ddof=1) < high


def test_noise_of_intensities_is_honest_at_low_signal(sodium, tmp_path):
    n, delays = 80, list(sodium.t1[0] * np.geomspace(0.1, 5, 6))
    truth = replace(sodium, temperature=[333.15] * n, snr=20, delays=delays)
    recovery = nd.read_topspin(nd.simulate_folder(truth, tmp_path / "na", seed=3))
    low, high = stats.chi2.ppf([0.001, 0.999], 5 * n) / (5 * n)
    assert low < mean_chi2(recovery, truth) < high


# Rows kept of 16, and bytes of the next row: a run that was stopped leaves a shorter file, or rows of zeros.
@pytest.mark.parametrize(
    ("rows", "rest", "zeros"), [(13, 0, 0), (13, 1500, 0), (13, 0, 3)], ids=["cut", "torn", "zeros"]
)
def test_stopped_run_keeps_its_rows_with_their_own_delays(fine, tmp_path, rows, rest, zeros):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    whole = (folder / "1" / "ser").read_bytes()
    (folder / "1" / "ser").write_bytes(whole[: rows * 4096 + rest] + bytes(zeros * 4096))
    recovery = nd.read_topspin(folder)
    np.testing.assert_allclose(recovery.delay.values[0, :rows], fine.delay[0, :rows], rtol=1e-5)
    assert np.all(np.isfinite(recovery.signal.values[0, :rows]))
    assert np.all(np.isnan(recovery.signal.values[0, rows:]))
    assert np.all(np.isnan(recovery.delay.values[0, rows:]))
    assert np.all(np.isfinite(recovery.signal.values[1]))
    assert list(recovery.rows_recorded.values) == [rows, 16]
    assert list(recovery.rows_planned.values) == [16, 16]
    assert list(notes_of(recovery)) == ["1"]
    assert notes_of(recovery)["1"][-1] == "13 of 16 rows used, each with its own delay of 16 in the list"
    relaxation = nd.fit_recovery(recovery, "single")
    assert np.all(np.abs(relaxation.t1 - fine.t1) < 4 * relaxation.t1_stderr)
    assert list(relaxation.rows_used.values) == [rows, 16]
    assert [entry["rows_recorded"] for entry in nd.scan(folder)] == [rows, 16]


def test_zero_row_inside_is_left_out_with_its_delay(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    words = read_words(folder / "1")
    words[[5, 6]] = 0
    write_words(folder / "1", words)
    recovery = nd.read_topspin(folder / "1")
    there = [i for i in range(16) if i not in (5, 6)]
    assert np.all(np.isfinite(recovery.signal))
    np.testing.assert_allclose(recovery.delay.values[0], fine.delay[0, there], rtol=1e-5)
    np.testing.assert_array_equal(recovery.row.values[0], np.array(there) + 1)
    assert notes_of(recovery)["1"] == [
        "rows 6-7 of ser hold only zeros",
        "14 of 16 rows used, each with its own delay of 16 in the list",
    ]
    relaxation = nd.fit_recovery(recovery, "single")
    assert abs(relaxation.t1.item() - fine.t1[0]) < 4 * relaxation.t1_stderr.item()


def test_delay_list_longer_than_the_rows_is_used_from_its_start(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    with (folder / "2" / "vdlist").open("a") as file:
        file.write("100\n200\n300\n")
    recovery = nd.read_topspin(folder)
    assert recovery.sizes["increment"] == 16
    np.testing.assert_allclose(recovery.delay, fine.delay, rtol=1e-5)
    assert notes_of(recovery) == {"2": ["16 of 16 rows used, each with its own delay of 19 in the list"]}
    relaxation = nd.fit_recovery(recovery, "single")
    assert np.all(np.abs(relaxation.t1 - fine.t1) < 4 * relaxation.t1_stderr)


def without_ser(expno):
    (expno / "ser").unlink()


def with_empty_ser(expno):
    (expno / "ser").write_bytes(b"")


def with_zero_ser(expno):
    write_words(expno, read_words(expno) * 0)


def without_vdlist(expno):
    (expno / "vdlist").unlink()


def with_short_vdlist(expno):
    (expno / "vdlist").write_text("0.1\n0.2\n")


def with_other_text_as_vdlist(expno):
    (expno / "vdlist").write_text("0.1\n0.2 seconds\n")


def without_frequency(expno):
    set_parameter(expno, "SFO1", None)


def without_points(expno):
    set_parameter(expno, "TD", None)


def without_width(expno):
    set_parameter(expno, "SW_h", None)


def with_text_as_points(expno):
    set_parameter(expno, "TD", "many")


def with_text_as_group_delay(expno):
    set_parameter(expno, "GRPDLY", "abc")


def with_text_as_firmware(expno):
    set_parameter(expno, "DSPFVS", "abc")


def with_group_delay_beyond_the_fid(expno):
    set_parameter(expno, "GRPDLY", "600")


def without_rows_planned(expno):
    set_parameter(expno, "TD", None, "acqu2s")


def with_empty_acqus(expno):
    (expno / "acqus").write_bytes(b"")


def with_not_a_number_in_ser(expno):
    words = read_words(expno).astype(float)
    words[3, 150] = np.nan
    write_words(expno, words, data_type=2)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without_ser, "needed the data file ser, found none"),
        (with_empty_ser, "needed rows of 4096 bytes, found 0 bytes"),
        (with_zero_ser, "only zeros"),
        (without_vdlist, "needed a delay list vdlist, found none"),
        (with_short_vdlist, "found 2 delays and 16 rows"),
        (with_other_text_as_vdlist, "found 'seconds'"),
        (without_frequency, "needed the parameter SFO1, found none"),
        (without_points, "needed the parameter TD, found none"),
        (without_width, "needed the parameter SW_h, found none"),
        (with_text_as_points, "needed a number for TD, found 'many'"),
        (with_text_as_group_delay, "GRPDLY"),
        (with_text_as_firmware, "DSPFVS"),
        (with_group_delay_beyond_the_fid, "GRPDLY"),
        (without_rows_planned, "acqu2s: needed the parameter TD, found none"),
        (with_empty_acqus, "needed the parameter SFO1, found none"),
        (with_not_a_number_in_ser, "ser"),
    ],
)
def test_unreadable_expno_is_a_nan_row_with_a_reason_and_alone_an_error(fine, tmp_path, damage, words):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    whole = nd.fit_recovery(nd.read_topspin(folder), "single")
    damage(folder / "1")
    recovery = nd.read_topspin(folder)
    assert list(recovery.experiment.values) == ["1", "2"]
    assert np.all(np.isnan(recovery.signal.values[0]))
    assert words in recovery.reason.values[0]
    relaxation = nd.fit_recovery(recovery, "single")
    assert np.isnan(relaxation.t1[0])
    assert relaxation.reason.values[0] == recovery.reason.values[0]
    assert relaxation.t1.values[1] == whole.t1.values[1]
    assert any(words in warning for warning in nd.scan(folder)[0]["warnings"])
    with pytest.raises(nd.InputError, match=re.escape(words)):
        nd.read_topspin(folder / "1")


def test_path_without_expnos_is_refused(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    (tmp_path / "empty").mkdir()
    (folder / "conductivity.csv").write_text("T (K)\n", encoding="utf-8")
    for path, words in (
        (tmp_path / "empty", "found none"),
        (tmp_path / "nothing", "no such file or folder"),
        (folder / "conductivity.csv", "found a file"),
    ):
        for verb in (nd.read_topspin, nd.scan):
            with pytest.raises(nd.InputError, match=f"{re.escape(str(path))}.*{words}"):
                verb(path)


# What consoles show that have no sensor.
@pytest.mark.parametrize("shown", ["0", "683.16", "673.2", "690.2", "-1", "<>", None])
def test_temperature_of_a_console_without_a_sensor_is_unknown(fine, tmp_path, shown):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    set_parameter(folder / "1", "TE", shown)
    (folder / "1" / "acqu").unlink()
    (folder / "1" / "pdata" / "1" / "title").unlink()
    recovery = nd.read_topspin(folder)
    np.testing.assert_array_equal(recovery.temperature, [np.nan, 353.15])
    assert "no temperature is known" in notes_of(recovery)["1"][-1]
    assert [entry["temperature_K"] for entry in nd.scan(folder)] == [None, 353.15]
    assert np.all(np.isfinite(nd.fit_recovery(recovery, "single").t1))


@pytest.mark.parametrize(("byte_order", "data_type"), list(DTYPES))
def test_byte_orders_and_number_types_read_the_same(fine, tmp_path, byte_order, data_type):
    folder = nd.simulate_folder(replace(fine, temperature=[333.15]), tmp_path / "na", seed=1)
    words = read_words(folder / "1")[:, :900]  # neither 3,600 nor 7,200 bytes are a multiple of 1,024
    write_words(folder / "1", words)
    expected = nd.read_topspin(folder)
    write_words(folder / "1", words, byte_order, data_type)
    found = nd.read_topspin(folder)
    assert (folder / "1" / "ser").stat().st_size == 16 * (4096 if data_type == 0 else 8192)
    np.testing.assert_array_equal(found.signal, expected.signal)
    np.testing.assert_array_equal(found.signal_stderr, expected.signal_stderr)
    assert notes_of(found) == {}


# Group delays of 67.98 points: as written, with eight more, and as old firmware has it (DSPFVS 10, DECIM 2 is 44.75
# points in Bruker's table: Westler and Abildgaard, DMX digital filters and non-Bruker offline processing, 1996) or
# without a filter at all (DECIM 1).
@pytest.mark.parametrize(
    ("more", "parameters"),
    [
        (8, {"GRPDLY": 75.984375}),
        (-23, {"GRPDLY": -1, "DSPFVS": 10, "DECIM": 2}),
        (-67, {"GRPDLY": -1, "DSPFVS": 10, "DECIM": 1}),
    ],
    ids=["longer", "old firmware", "no filter"],
)
def test_intensities_do_not_depend_on_the_group_delay(fine, tmp_path, more, parameters):
    folder = nd.simulate_folder(replace(fine, temperature=[333.15], snr=50), tmp_path / "na", seed=1)
    expected = nd.read_topspin(folder)
    words = read_words(folder / "1")
    words = np.pad(words, ((0, 0), (2 * more, 0)), constant_values=7) if more > 0 else words[:, -2 * more :]
    write_words(folder / "1", words)
    for key, value in parameters.items():
        set_parameter(folder / "1", key, value)
    np.testing.assert_allclose(nd.read_topspin(folder).signal, expected.signal, rtol=1e-9)


def test_digital_filter_is_removed_so_that_the_fid_comes_first(sodium, tmp_path):
    expno = nd.simulate_folder(replace(sodium, snr=1e5), tmp_path / "na", seed=1) / "1"
    acqus = read_parameters(expno / "acqus")
    rows = np.abs(read_fids(expno, acqus, read_parameters(expno / "acqu2s")).rows)
    # Envelope of the simulated Gaussian line, closed form; the filter delays by 67.984 points of 10 µs.
    point = np.arange(4, 25)
    time = (point + np.floor(67.984375) - 67.984375) * 1e-5
    envelope = np.exp(-((np.pi * sodium.linewidth * time) ** 2) / (4 * np.log(2)))
    found = rows[-1, point] * envelope.sum() / rows[-1, point].sum()
    # The filter rings by 1 % after a sudden onset; a shift by one point would change the envelope by 5 %.
    np.testing.assert_allclose(found, envelope, atol=0.01)
    assert np.argmax(rows[-1]) <= 2


def test_unknown_digital_filter_is_refused(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    for key, value in (("GRPDLY", -1), ("DSPFVS", 11), ("DECIM", 999)):
        set_parameter(folder / "1", key, value)
    with pytest.raises(nd.InputError, match=r"needed a known digital filter, found .*DSPFVS 11, DECIM 999"):
        nd.read_topspin(folder / "1")


def test_two_nuclei_in_a_folder_need_a_choice(fine, tmp_path):
    nd.simulate_folder(fine, tmp_path / "na", seed=1)
    boron = replace(fine, nucleus="11B", larmor_frequency=160.49e6, cq=1e5, tau_c=1e-6, temperature=[333.15])
    nd.simulate_folder(boron, tmp_path / "b", seed=2)
    with pytest.raises(nd.InputError, match=r"several nuclei, 11B, 23Na; choose one with nucleus="):
        nd.read_topspin(tmp_path)
    assert [entry["nucleus"] for entry in nd.scan(tmp_path)] == ["11B", "23Na", "23Na"]
    recovery = nd.read_topspin(tmp_path, nucleus="B11")
    assert (list(recovery.experiment.values), recovery.attrs["nucleus"]) == (["b/1"], "11B")
    assert list(nd.read_topspin(tmp_path, nucleus="23Na").experiment.values) == ["na/1", "na/2"]
    with pytest.raises(nd.InputError, match=r"needed 7Li, found 11B, 23Na"):
        nd.read_topspin(tmp_path, nucleus="7Li")


def test_experiments_come_in_natural_order(sodium, tmp_path):
    folder = nd.simulate_folder(replace(sodium, temperature=[300.0 + i for i in range(11)]), tmp_path / "na", seed=1)
    recovery = nd.read_topspin(folder)
    assert list(recovery.experiment.values) == [str(i) for i in range(1, 12)]
    np.testing.assert_array_equal(recovery.temperature, 300.0 + np.arange(11))


def test_scan_lists_what_is_there(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    set_parameter(folder / "2", "ZGOPTNS", "<-Dt2>")
    set_parameter(folder / "2", "PULPROG", "<hahnecho>")
    first, second = nd.scan(folder)
    assert first == {
        "experiment": "1",
        "path": str(folder / "1"),
        "nucleus": "23Na",
        "larmor_frequency_Hz": 132.32e6,
        "pulse_program": "satrec",
        "kind": "saturation_recovery",
        "evidence": ["pulse program satrec: named saturation recovery", "vdlist: delays are varied"],
        "temperature_K": 333.15,
        "temperature_stderr_K": None,
        "temperature_source": "TE",
        "mas_rate_Hz": None,
        "irradiated": "",
        "delays_s": pytest.approx(list(fine.delay[0]), rel=1e-5, abs=0),
        "rows_recorded": 16,
        "rows_planned": 16,
        "recorded_rows": list(range(1, 17)),
        "warnings": [],
    }
    assert second["kind"] == "t2"
    recovery = nd.read_topspin(folder)
    assert list(recovery.experiment.values) == ["1"]
    assert json.loads(recovery.attrs["left_out"]) == {"2": "23Na t2"}
    with pytest.raises(nd.InputError, match="found none"):
        nd.read_topspin(folder / "2")


@pytest.mark.parametrize(("depth", "kind"), [(1.0, "saturation_recovery"), (2.0, "inversion_recovery")])
def test_kind_is_told_by_the_data_where_names_are_silent(fine, tmp_path, depth, kind):
    folder = nd.simulate_folder(replace(fine, depth=depth), tmp_path / "na", seed=1)
    set_parameter(folder / "1", "PULPROG", "<myown.ab>")
    recovery = nd.read_topspin(folder / "1")
    assert recovery.kind.item() == kind
    assert any("was told by the data" in note for note in notes_of(recovery)["1"])
    assert nd.fit_recovery(recovery, "single").depth.item() == pytest.approx(depth, rel=0.02, abs=0)


def test_region_reads_one_line_of_two(fine, tmp_path):
    # Two lines 25 kHz apart, 3 kHz wide each, with T1 of 4.4 s and 8.7 s in one FID.
    delays = list(fine.t1[0] * np.geomspace(0.02, 10, 16))
    left = replace(fine, temperature=[333.15], offset=-12.5e3, delays=delays)
    right = replace(left, offset=12.5e3, cq=left.cq / np.sqrt(2))
    folder = nd.simulate_folder(left, tmp_path / "left", seed=1)
    other = nd.simulate_folder(right, tmp_path / "right", seed=2)
    write_words(folder / "1", read_words(folder / "1") + read_words(other / "1"))
    for truth, region in ((left, (-25e3, 0.0)), (right, (25e3, 0.0))):
        relaxation = nd.fit_recovery(nd.read_topspin(folder, region=region), "single")
        # The tail of the other line leaks in with about linewidth / (pi distance) = 4 % of its own recovery.
        assert relaxation.t1.item() == pytest.approx(truth.t1[0], rel=0.04, abs=0)


# A line of 3 kHz has decayed in half the FID, one of 300 Hz has not.
@pytest.mark.parametrize(("linewidth", "region"), [(3e3, (-4e3, 7e3)), (300.0, (1e3, 2e3))], ids=["short", "long"])
def test_noise_of_a_region_is_honest(sodium, tmp_path, linewidth, region):
    n = 40
    truth = replace(sodium, temperature=[333.15] * n, snr=100, linewidth=linewidth)
    recovery = nd.read_topspin(nd.simulate_folder(truth, tmp_path / "na", seed=5), region=region)
    low, high = stats.chi2.ppf([0.001, 0.999], 15 * n) / (15 * n)
    assert low < mean_chi2(recovery, truth) < high


def test_region_outside_the_spectrum_is_refused(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    with pytest.raises(nd.InputError, match="region"):
        nd.read_topspin(folder, region=(80e3, 90e3))  # the spectrum ends at 50 kHz


def test_reading_leaves_the_raw_folder_as_it_was(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)

    def state():
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return {file: (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns) for file in files}

    before = state()
    assert len(before) == 16
    nd.scan(folder)
    nd.fit_recovery(nd.read_topspin(folder), "single")
    assert state() == before


def test_expno_with_unreadable_parameters_stays_as_a_row_where_a_nucleus_is_chosen(fine, tmp_path):
    folder = nd.simulate_folder(replace(fine, temperature=[320.0, 333.15]), tmp_path / "na", seed=1)
    (folder / "1" / "acqus").write_bytes(b"\x00\xff" * 50)
    recovery = nd.read_topspin(folder, nucleus="23Na")
    assert list(recovery.experiment.values) == ["1", "2"]
    assert np.all(np.isnan(recovery.signal.values[0]))
    assert recovery.reason.values[0] != ""


def test_larmor_frequency_of_zero_is_refused(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    set_parameter(folder / "1", "SFO1", "0")
    with pytest.raises(nd.InputError, match="SFO1 above 0"):
        nd.read_topspin(folder / "1")


def test_a_nucleus_that_is_none_does_not_stop_the_others(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    set_parameter(folder / "1", "NUC1", "<off>")
    recovery = nd.read_topspin(folder)
    assert (list(recovery.experiment.values), recovery.attrs["nucleus"]) == (["2"], "23Na")
    assert json.loads(recovery.attrs["left_out"]) == {"1": "off saturation_recovery"}


def test_no_control_character_reaches_a_result(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    set_parameter(folder / "1", "PULPROG", "<satrec\x1b[2J\u202e>")
    assert nd.scan(folder)[0]["pulse_program"] == "satrec?[2J?"


def test_an_expno_that_the_table_of_temperatures_misses_is_told(fine, tmp_path):
    folder = nd.simulate_folder(fine, tmp_path / "na", seed=1)
    recovery = nd.read_topspin(folder, temperature={"1": 300.0})
    np.testing.assert_array_equal(recovery.temperature, [300.0, 353.15])
    assert list(recovery.temperature_source.values) == ["table given", "TE"]
    assert "does not tell the temperature of 2" in notes_of(recovery)["2"][0]
    hot = nd.read_topspin(folder, temperature="TE*1e10")
    np.testing.assert_array_equal(hot.temperature, fine.temperature)
    assert all("is no temperature" in notes[0] for notes in notes_of(hot).values())
