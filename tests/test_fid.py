import contextlib
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import curve_fit

import nmrdyn as nd
from nmrdyn.schema import InputError
from nmrdyn.simulate.console import CONSOLES, Console
from nmrdyn.simulate.damage import damage
from nmrdyn.topspin.files.digital_filter import group_delay, signal_start
from nmrdyn.topspin.files.fid import count_rows, dwell_time, read_fid, read_fids
from nmrdyn.topspin.files.lists import find_list, read_list
from nmrdyn.topspin.files.parameters import read_parameters
from nmrdyn.topspin.files.processed import find_processed, read_processed
from nmrdyn.topspin.files.shift import ppm_to_hz


@pytest.fixture
def quiet(sodium):
    """One temperature, little noise."""
    return replace(sodium, snr=2000)


def rows_of(expno):
    acqu2s = read_parameters(expno / "acqu2s") if (expno / "acqu2s").is_file() else {}
    return read_fids(expno, read_parameters(expno / "acqus"), acqu2s)


def processed_rows(expno):
    return read_processed(find_processed(expno), read_parameters(expno / "acqus"))


def heights(fids, points=300):
    """Intensity of each row: its projection on the first singular vector, as a real number."""
    u, s, _ = np.linalg.svd(fids.rows[:, :points], full_matrices=False)
    return np.real(u[:, 0] * s[0] * np.exp(-0.5j * np.angle(np.sum(u[:, 0] ** 2))))


def write_raw(folder, words, dtype="<i4", name="ser", row_bytes=None, **acqus):
    """An expno with `words` (row, number), each row padded with zeros to `row_bytes`."""
    folder.mkdir(parents=True, exist_ok=True)
    dtype = np.dtype(dtype)
    bare = words.shape[1] * dtype.itemsize
    row_bytes = -(-bare // 1024) * 1024 if row_bytes is None else row_bytes
    data = b"".join(row.astype(dtype).tobytes() + bytes(row_bytes - bare) for row in words)
    (folder / name).write_bytes(data)
    given_types = {"DTYPA": {"i": 0, "f": 2}[dtype.kind], "BYTORDA": int(dtype.byteorder == ">")}
    return {"TD": words.shape[1], "SW_h": 1e5, "SFO1": 100.0, "GRPDLY": 0, "DSPFVS": 20} | given_types | acqus


# --- raw data ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(CONSOLES))
def test_each_console_gives_back_the_rows_that_were_measured(quiet, tmp_path, name):
    expno = nd.simulate_folder(quiet, tmp_path, seed=1, console=name) / "1"
    console = CONSOLES[name]
    fids = rows_of(expno)
    assert (fids.rows.shape, fids.notes, fids.planned) == ((16, 512 - int(console.group_delay)), (), 16)
    assert fids.dwell == 1e-5
    found = heights(fids)
    exact = quiet.recovered[0]
    scale = np.sum(found * exact) / np.sum(exact**2)
    # Matched filter: 1/2000 of the full intensity, less a few per cent lost in front of the group delay.
    assert np.std(found / scale - exact) < 1.6 / 2000
    # Strongest point 2**22 counts at full recovery, whatever NC is; a low pass overshoots by 9 % at most (Gibbs).
    assert 0.95 < np.abs(fids.rows[-1]).max() / (2**22 * exact[-1]) < 1.12
    delays = read_list(find_list(expno, "vd", read_parameters(expno / "acqus")), "vd")
    np.testing.assert_allclose(delays, quiet.delay[0], rtol=1e-5)


def test_consoles_differ_on_disk(quiet, tmp_path):
    sizes, first = {}, {}
    for name in CONSOLES:
        expno = nd.simulate_folder(quiet, tmp_path / name, seed=1, console=name) / "1"
        sizes[name] = (expno / "ser").stat().st_size
        first[name] = read_parameters(expno / "acqus")
    assert sizes == {"avance3": 65536, "neo": 131072, "xwinnmr": 65536, "topspin1": 65536}
    assert "GRPDLY" not in first["xwinnmr"]
    assert (first["topspin1"]["GRPDLY"], first["topspin1"]["BYTORDA"], first["neo"]["DTYPA"]) == (-1, 1, 2)


@pytest.mark.parametrize("dtype", ["<i4", ">i4", "<f8", ">f8"])
@pytest.mark.parametrize("points", [900, 901, 1024])
def test_rows_are_read_exactly_in_every_type_and_order(tmp_path, dtype, points):
    words = np.random.default_rng(1).integers(-(2**31), 2**31, (5, points))
    acqus = write_raw(tmp_path, words, dtype, NC=-3)
    even = points // 2 * 2  # an odd TD leaves half a point
    expected = (words[:, 0:even:2] + 1j * words[:, 1:even:2]) / 8
    np.testing.assert_array_equal(read_fids(tmp_path, acqus, {"TD": 5}).rows, expected)
    assert count_rows(tmp_path, acqus) == 5


# nmrglue issue 234: a NEO's ser of 344064 float64 in 256 rows, 10752 bytes each, which is no multiple of 1024.
def test_rows_of_a_neo_may_follow_without_padding(tmp_path):
    words = np.random.default_rng(1).normal(size=(256, 1344))
    acqus = write_raw(tmp_path, words, "<f8", row_bytes=10752)
    assert (tmp_path / "ser").stat().st_size == 344064 * 8
    fids = read_fids(tmp_path, acqus, {"TD": 256})
    np.testing.assert_array_equal(fids.rows, words[:, ::2] + 1j * words[:, 1::2])
    assert fids.notes == ()
    # Cut at a row it is still plain; inside a row nothing tells 10752 from 11264 bytes.
    (tmp_path / "ser").write_bytes((tmp_path / "ser").read_bytes()[: 100 * 10752])
    assert read_fids(tmp_path, acqus, {"TD": 256}).notes == ("ser holds 100 complete rows of 256 planned",)
    (tmp_path / "ser").write_bytes((tmp_path / "ser").read_bytes()[: 99 * 10752 + 8])
    with pytest.raises(InputError, match=r"are 94.5 rows of 11264 bytes or 99 rows of 10752"):
        read_fids(tmp_path, acqus, {"TD": 256})


def test_size_that_fits_two_row_lengths_is_told_by_the_padding_and_the_planned_rows(tmp_path):
    # 900 float64: 225 rows of 8192 bytes are 256 rows of 7200.
    rng = np.random.default_rng(1)
    words = rng.normal(size=(225, 900))
    acqus = write_raw(tmp_path, words, "<f8")
    for planned in (225, 256, 300):
        fids = read_fids(tmp_path, acqus, {"TD": planned})
        assert fids.rows.shape == (225, 450)
        np.testing.assert_array_equal(fids.rows[7].real, words[7, ::2])
    bare = rng.normal(size=(256, 900))
    (tmp_path / "ser").write_bytes(bare.astype("<f8").tobytes())
    np.testing.assert_array_equal(read_fids(tmp_path, acqus, {"TD": 256}).rows[7].real, bare[7, ::2])
    with pytest.raises(InputError, match=r"225 rows of 8192 bytes or 256 rows of 7200"):
        read_fids(tmp_path, acqus, {"TD": 300})


@pytest.mark.parametrize(
    ("how", "recorded", "empty", "notes"),
    [
        ("cut:9", 9, [], ["ser holds 9 complete rows of 16 planned"]),
        ("cut:6", 6, [], ["ser holds 6 complete rows of 16 planned"]),
        ("torn:9", 9, [], ["ser holds 9 complete rows of 16 planned and part of one more, which was dropped"]),
        ("zeros:6", 16, range(10, 16), ["rows 11-16 of ser hold only zeros"]),
        ("hole:5", 16, [4], ["row 5 of ser holds only zeros"]),
        ("longer:2", 16, [], []),
        ("shorter:2", 16, [], []),
        ("units", 16, [], []),
    ],
)
@pytest.mark.parametrize("console", ["avance3", "neo"])
def test_what_was_recorded_is_told(quiet, tmp_path, how, recorded, empty, notes, console):
    whole = nd.simulate_folder(quiet, tmp_path / "whole", seed=1, console=console) / "1"
    expno = nd.simulate_folder(quiet, tmp_path / "na", seed=1, console=console) / "1"
    damage(expno, how)
    fids = rows_of(expno)
    assert list(fids.notes) == notes
    assert (len(fids.rows), fids.planned, count_rows(expno, read_parameters(expno / "acqus"))) == (
        recorded,
        16,
        recorded,
    )
    assert list(np.flatnonzero(fids.empty)) == list(empty)
    expected = rows_of(whole).rows[:recorded]
    expected[list(empty)] = 0
    np.testing.assert_array_equal(fids.rows, expected)
    delays = read_list(find_list(expno, "vd", read_parameters(expno / "acqus")), "vd")
    n = {"longer:2": 18, "shorter:2": 14}.get(how, 16)
    assert delays.size == n
    np.testing.assert_allclose(delays[:16], quiet.delay[0][: min(n, 16)], rtol=1e-5)


def test_row_without_its_padding_is_no_complete_row(tmp_path):
    acqus = write_raw(tmp_path, np.arange(1, 901)[None])
    data = (tmp_path / "ser").read_bytes()
    (tmp_path / "ser").write_bytes(data[:3604])
    with pytest.raises(InputError, match="needed rows of 4096 bytes, found 3604 bytes in all"):
        read_fids(tmp_path, acqus, {"TD": 4})
    (tmp_path / "ser").write_bytes(data * 2 + data[:500])
    assert read_fids(tmp_path, acqus, {}).notes == (
        "ser holds 2 complete rows and part of one more, which was dropped",
    )


def test_more_rows_than_planned_and_several_runs_of_zeros_are_told(tmp_path):
    words = np.ones((20, 512))
    words[[1, 4, 5, 6, 8, 19]] = 0
    acqus = write_raw(tmp_path, words)
    fids = read_fids(tmp_path, acqus, {"TD": 16})
    assert fids.notes == (
        "ser holds 20 rows, more than the 16 planned",
        "rows 2, 5-7, 9, 20 of ser hold only zeros",
    )
    assert fids.planned == 20
    for td in (0, 1, None):
        assert read_fids(tmp_path, acqus, {} if td is None else {"TD": td}).planned == 20


def test_damage_refuses_what_the_simulator_did_not_write(quiet, tmp_path):
    expno = nd.simulate_folder(quiet, tmp_path / "na", seed=1) / "1"
    for how in ("cut:0", "cut:16", "zeros:99", "shorter:16", "burn", "cut:", ""):
        with pytest.raises(InputError, match="how: needed"):
            damage(expno, how)
    write_raw(tmp_path / "real", np.ones((4, 512)))
    for name in ("acqus", "acqu2s"):
        (tmp_path / "real" / name).write_text("##TITLE= Parameter file, TopSpin 4.1.4\n##$TD= 4\n")
    before = (tmp_path / "real" / "ser").read_bytes()
    with pytest.raises(InputError, match="simulate_folder wrote"):
        damage(tmp_path / "real", "cut:2")
    assert (tmp_path / "real" / "ser").read_bytes() == before


def test_arrayed_expnos_are_comparable_though_their_nc_differs(quiet, tmp_path):
    together = rows_of(nd.simulate_folder(quiet, tmp_path / "2d", seed=1) / "1")
    folder = nd.simulate_folder(quiet, tmp_path / "1d", seed=1, arrayed=True)
    expnos = [folder / str(101 + i) for i in range(16)]
    acqus = [read_parameters(expno / "acqus") for expno in expnos]
    assert {one["NC"] for one in acqus} == {0, -1, -2, -3}
    np.testing.assert_allclose([one["D"][7] for one in acqus], quiet.delay[0], rtol=1e-5)
    for i, expno in enumerate(expnos):
        fid = read_fid(expno, acqus[i])
        np.testing.assert_array_equal(fid.rows[0], together.rows[i])  # both are whole counts
        assert (fid.planned, fid.notes) == (1, ())


def test_fid_of_another_length_than_told_is_refused(tmp_path):
    acqus = write_raw(tmp_path, np.ones((1, 900)), name="fid")
    assert read_fid(tmp_path, acqus).rows.shape == (1, 450)
    bare = (tmp_path / "fid").read_bytes()[:3600]  # without padding, as consoles write it
    (tmp_path / "fid").write_bytes(bare)
    assert read_fid(tmp_path, acqus).rows.shape == (1, 450)
    for data in (bare[:-4], bare + bytes(4), b""):
        (tmp_path / "fid").write_bytes(data)
        with pytest.raises(InputError, match=f"needed 3600 bytes .TD 900 in acqus., found {len(data)}"):
            read_fid(tmp_path, acqus)


# --- parameters -------------------------------------------------------------------------------------------------------


# Table of W. M. Westler and F. Abildgaard, DMX digital filters and non-Bruker offline processing (1996).
@pytest.mark.parametrize(
    ("acqus", "points"),
    [
        ({"GRPDLY": 67.984375, "DSPFVS": 20, "DECIM": 40, "DIGMOD": 1}, 67.984375),
        ({"GRPDLY": 76, "DSPFVS": 21, "DECIM": 1680, "DIGMOD": 3}, 76),
        ({"GRPDLY": 0, "DSPFVS": 20, "DECIM": 40}, 0),
        ({"GRPDLY": -1, "DSPFVS": 10, "DECIM": 12, "DIGMOD": 1}, 60.375),
        ({"GRPDLY": 0, "DSPFVS": 11, "DECIM": 24}, 70 + 1 / 6),
        ({"DSPFVS": 12, "DECIM": 16.0}, 71.625),
        ({"DSPFVS": 13, "DECIM": 4}, 2.875),
        ({"GRPDLY": -1, "DSPFVS": 10, "DECIM": 1, "DIGMOD": 0}, 0),
        ({"GRPDLY": -1, "DSPFVS": 10, "DECIM": 1}, 0),
        ({"DSPFVS": 12, "DECIM": 8, "DIGMOD": 0}, 0),
        ({}, 0),
        ({"GRPDLY": -1, "DSPFVS": 20, "DECIM": 40}, None),
        ({"GRPDLY": 68, "DSPFVS": 20, "DECIM": 40, "DIGMOD": 0}, None),
    ],
)
def test_group_delay_follows_from_the_parameters(tmp_path, acqus, points):
    assert group_delay(acqus, where=tmp_path) == points


@pytest.mark.parametrize("acqus", [{"DSPFVS": 10, "DECIM": 2.5}, {"DSPFVS": 11, "DECIM": 999}, {"DSPFVS": 12.5}])
def test_unknown_filters_are_refused(tmp_path, acqus):
    with pytest.raises(InputError, match="needed a known digital filter, found GRPDLY -1"):
        group_delay({"DECIM": 4} | acqus, where=tmp_path)


@pytest.mark.parametrize("name", sorted(CONSOLES))
def test_data_show_where_the_signal_begins(quiet, tmp_path, name):
    """Where parameters are silent; a fraction of a point is as good as a filter's definition."""
    expno = nd.simulate_folder(quiet, tmp_path, seed=1, console=name) / "1"
    acqus = read_parameters(expno / "acqus") | {"GRPDLY": 0, "DSPFVS": 20}
    whole = read_fids(expno, acqus, {})
    assert whole.rows.shape[1] == 512
    assert signal_start(whole.rows) == pytest.approx(CONSOLES[name].group_delay, abs=1)
    found = read_fids(expno, acqus | {"GRPDLY": -1}, {})
    assert "the data show that the signal begins at point" in found.notes[0]
    assert abs(found.rows.shape[1] - (512 - CONSOLES[name].group_delay)) < 1.5
    # Cut in front, it begins at once.
    assert signal_start(whole.rows[:, 80:]) == 0


def test_beginning_that_is_not_plain_is_refused(tmp_path):
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(8, 1024))
    echoes = [1e3 * np.exp(-(((np.arange(1024) // 2 - 60) / width) ** 2)) + noise for width in (10, 20)]
    for words in (noise, *echoes):
        acqus = write_raw(tmp_path, np.round(100 * words), GRPDLY=-1, DECIM=40)
        with pytest.raises(InputError, match="no plain beginning of the signal"):
            read_fids(tmp_path, acqus, {})


def test_width_follows_from_ppm_where_there_is_no_sw_h(tmp_path):
    # crn87rb-T1/12: SW_h 500 kHz, SW 3817.56260219802 ppm, SFO1 130.97362168 MHz.
    told = {"SW": 3817.56260219802, "SFO1": 130.97362168}
    assert dwell_time(told, where=tmp_path) == pytest.approx(2e-6, rel=1e-10)
    assert dwell_time(told | {"SW_h": 500000}, where=tmp_path) == 2e-6


def with_a_folder_as_ser(expno):
    (expno / "ser").unlink()
    (expno / "ser").mkdir()


def with_a_link_as_ser(expno):
    (expno / "ser").rename(expno.parent / "elsewhere")
    (expno / "ser").symlink_to(expno.parent / "elsewhere")


def with_three_bytes(expno):
    (expno / "ser").write_bytes(b"abc")


def with_a_hole_of_terabytes(expno):
    with (expno / "ser").open("wb") as file:
        file.truncate(10**12)


@pytest.mark.parametrize(
    ("more", "harm", "words"),
    [
        ({"TD": 1e12}, None, "needed rows of 4000000000000 bytes, found 40960 bytes"),
        ({"TD": -4}, None, "needed TD of 2 or more"),
        ({"NC": 10000}, None, "NC as a whole number from -64 to 64, found 10000"),
        ({"NC": -65}, None, "NC as a whole number"),
        ({"NC": 0.5}, None, "NC as a whole number"),
        ({"SW_h": 0}, None, "needed SW_h above 0 Hz, found 0"),
        ({"SW_h": float("nan")}, None, "needed a number for SW_h"),
        ({"SW_h": None}, None, "needed the parameter SW_h, found none"),
        ({"DTYPA": 3}, None, "needed DTYPA 0 (int32) or 2 (float64), found 3"),
        ({"BYTORDA": 2}, None, "needed BYTORDA 0 or 1, found 2"),
        ({"AQ_mod": 2}, None, "needed complex points (AQ_mod 1 qsim or 3 DQD), found AQ_mod 2"),
        ({"AQ_mod": 0}, None, "found AQ_mod 0"),
        ({"DTYPA": 2, "TD": 512}, None, "needed finite counts, found others"),
        ({}, with_a_folder_as_ser, "needed the data file ser, found a folder"),
        ({}, with_a_link_as_ser, "found a link that leads out of it"),
        ({}, with_three_bytes, "found 3 bytes in all"),
        ({}, with_a_hole_of_terabytes, "needed at most 2 GB, found 1000"),
    ],
)
def test_absurd_input_is_one_clear_error(tmp_path, more, harm, words):
    expno = tmp_path / "1"
    acqus = write_raw(expno, np.full((10, 1024), -1)) | more  # all bits set: read as float64 that is not a number
    if harm:
        harm(expno)
    with pytest.raises(InputError, match=re.escape(words)):
        read_fids(expno, acqus, {"TD": 10})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e70, -1e70])
def test_what_no_console_counts_is_refused(tmp_path, value):
    words = np.ones((3, 512))
    words[1, 100] = value
    acqus = write_raw(tmp_path, words, "<f8")
    with pytest.raises(InputError, match="needed finite counts"):
        read_fids(tmp_path, acqus, {"TD": 3})


def test_a_link_inside_the_expno_is_read(tmp_path):
    acqus = write_raw(tmp_path, np.ones((3, 512)))
    (tmp_path / "ser").rename(tmp_path / "ser.orig")
    (tmp_path / "ser").symlink_to(tmp_path / "ser.orig")
    assert len(read_fids(tmp_path, acqus, {}).rows) == 3


NUMBERS = st.one_of(
    st.none(), st.integers(-5, 5000), st.floats(), st.sampled_from([1e12, -1e300, "abc", "", [1, 2], True])
)
KEYS = ("TD", "DTYPA", "BYTORDA", "NC", "SW_h", "SW", "SFO1", "GRPDLY", "DSPFVS", "DECIM", "DIGMOD", "AQ_mod")


def read_or_refuse(read):
    """Finite rows, or None after an InputError of one line; any other error is raised."""
    try:
        fids = read()
    except InputError as refusal:
        error = str(refusal)
        fids = None
    else:
        error = ""
        assert np.all(np.isfinite(fids.rows))
    assert "\n" not in error
    return fids


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=5000), acqus=st.dictionaries(st.sampled_from(KEYS), NUMBERS), rows=NUMBERS)
def test_random_bytes_and_parameters_give_rows_or_an_input_error(tmp_path_factory, data, acqus, rows):
    folder = tmp_path_factory.getbasetemp()
    for name in ("ser", "fid"):
        (folder / name).write_bytes(data)
    defaults = {"TD": 64, "SW_h": 1e5, "GRPDLY": 0, "DSPFVS": 20}
    for read in (lambda: read_fids(folder, defaults | acqus, {"TD": rows}), lambda: read_fid(folder, defaults | acqus)):
        fids = read_or_refuse(read)
        assert fids is None or fids.rows.nbytes <= 4 * len(data)


def test_reading_takes_less_than_three_times_the_file(tmp_path):
    words = np.ones((100, 16384))
    acqus = write_raw(tmp_path, words)
    tracemalloc.start()
    read_fids(tmp_path, acqus, {"TD": 100})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.2 * (tmp_path / "ser").stat().st_size


# --- processed data ---------------------------------------------------------------------------------------------------


def write_processed(expno, rows, *, size, window=1.0, dtype="<i4", blocks=None, strip=None, turn=0.0, **more):
    """Spectra (2rr) of FIDs `rows` without a filter, by definition: one sum over points for each frequency."""
    n_rows, n_points = rows.shape
    frequency = 0.5 - np.arange(size) / size  # in units of the width, the highest first
    spectra = (rows * window) @ np.exp(-2j * np.pi * np.outer(np.arange(n_points), frequency))
    spectra = np.real(spectra * np.exp(-2j * np.pi * turn / 360 * np.arange(size) / size))
    start, kept = strip or (0, size)
    spectra = spectra[:, start : start + kept]
    power = int(np.ceil(np.log2(np.abs(spectra).max() / 2**29)))
    height, columns = blocks or (n_rows, kept)
    table = spectra.reshape(n_rows // height, height, kept // columns, columns).swapaxes(1, 2) / 2.0**power
    dtype = np.dtype(dtype)
    table = np.round(table).astype(dtype)
    shared = {"NC_proc": power, "BYTORDP": int(dtype.byteorder == ">"), "DTYPP": 2 * (dtype.kind == "f")}
    acqus = {"TD": 2 * n_points, "SW_h": 1e5, "SFO1": 100.0, "BF1": 100.0, "GRPDLY": 0, "DSPFVS": 20}
    left = 1e5 * frequency[start]
    procs = {"SI": kept, "FTSIZE": size, "XDIM": columns, "SW_p": 1e5 * kept / size, "SF": 100.0, "OFFSET": left / 100}
    procs |= {"PHC1": turn, "TDeff": 2 * n_points, "FT_mod": 6, "PH_mod": 1} | shared
    proc2s = {"SI": n_rows, "XDIM": height, "TDeff": n_rows, "FT_mod": 0} | shared
    pdata = expno / "pdata" / "1"
    pdata.mkdir(parents=True, exist_ok=True)
    for path, parameters in (
        (expno / "acqus", acqus),
        (expno / "acqu2s", {"TD": n_rows}),
        (pdata / "procs", procs),
        (pdata / "proc2s", proc2s),
    ):
        parameters = {key: more.pop(f"{path.name}_{key}", value) for key, value in parameters.items()}
        lines = parameters | {key[len(path.name) + 1 :]: more[key] for key in more if key.startswith(f"{path.name}_")}
        text = "".join(f"##${key}= {value}\n" for key, value in lines.items() if value is not None)
        path.write_text(f"##TITLE= test\n{text}##END=\n")
    (pdata / "2rr").write_bytes(table.tobytes())
    return expno


def lines_and_noise(n_rows=8, n_points=256, noise=0.0):
    """FIDs of two lines, other shares in each row; the first decays in 20 points."""
    rng = np.random.default_rng(1)
    time = np.arange(n_points)
    shapes = np.exp(2j * np.pi * np.outer([0.11, -0.23], time) - np.outer([1 / 20, 1 / 12], time) + 0.4j)
    rows = rng.normal(size=(n_rows, 2)) @ shapes * 1e6
    return rows + noise * (rng.standard_normal(rows.shape) + 1j * rng.standard_normal(rows.shape))


@pytest.mark.parametrize("dtype", ["<i4", ">i4", "<f8", ">f8"])
@pytest.mark.parametrize("blocks", [None, (2, 64), (8, 512), (1, 32)])
def test_spectra_give_back_the_fids_they_were_made_of(tmp_path, dtype, blocks):
    rows = lines_and_noise(noise=1e3)
    fids = processed_rows(write_processed(tmp_path, rows, size=512, dtype=dtype, blocks=blocks))
    # Integers of 28 bits: one in 2**28 of the largest number.
    np.testing.assert_allclose(fids.rows[:, 1:], rows[:, 1:], atol=1e-6 * np.abs(rows).max())
    np.testing.assert_allclose(fids.rows[:, 0], rows[:, 0].real, atol=1e-6 * np.abs(rows).max())
    assert (fids.notes, fids.white, fids.planned, fids.dwell, fids.centre) == ((), True, 8, 1e-5, 0.0)


TIME = np.arange(256) * 1e-5
WINDOWS = {
    "em": (np.exp(-np.pi * 200 * TIME), {"WDW": 1, "LB": 200}),
    # TopSpin's Processing Reference: exp(-at - bt^2), a = pi LB, b = -a / (2 GB AQ); it is largest at GB AQ.
    "gm": (
        np.exp(np.pi * 300 * TIME - np.pi * 300 / (2 * 0.2 * 256e-5) * TIME**2),
        {"WDW": 2, "LB": -300, "GB": 0.2},
    ),
    "sine": (np.sin(np.pi / 2 * TIME / 256e-5 + np.pi / 2), {"WDW": 3, "SSB": 2}),
    "qsine": (np.sin(np.pi * 2 / 3 * TIME / 256e-5 + np.pi / 3) ** 2, {"WDW": 4, "SSB": 3}),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_window_functions_are_undone(tmp_path, name):
    window, parameters = WINDOWS[name]
    rows = lines_and_noise(noise=1e3)
    more = {f"procs_{key}": value for key, value in parameters.items()}
    fids = processed_rows(write_processed(tmp_path, rows, size=512, window=window, **more))
    n = fids.rows.shape[1]
    assert n == pytest.approx(np.sum(window >= 0.05 * window.max()), abs=1)  # smaller weights are left out
    np.testing.assert_allclose(fids.rows[:, 1:], rows[:, 1:n], atol=1e-5 * np.abs(rows).max())
    assert fids.white


# Zero filled, not zero filled, cut short, and a FID moved before its first point by the phase, which folds it.
@pytest.mark.parametrize(
    ("size", "turn", "words"),
    [
        (2048, 0.0, None),
        (1024, 0.0, "2rr has fewer points (1024) than two FIDs of 1024"),
        (1500, 0.0, "2rr has fewer points (1500) than two FIDs of 1024"),
        (4096, 36000.0, "moved the FID 100.0 points before the first"),
    ],
)
def test_noise_of_processed_rows_is_white(tmp_path, size, turn, words):
    rng = np.random.default_rng(2)
    n = 1024
    rows = rng.standard_normal((32, n)) + 1j * rng.standard_normal((32, n))
    window = np.exp(-np.arange(n) / 700)
    more = {"procs_WDW": 1, "procs_LB": 1e5 / 700 / np.pi}
    if turn:
        window = np.ones(n)
        more = {}
    fids = processed_rows(write_processed(tmp_path, rows, size=size, turn=turn, window=window, **more))
    assert fids.white
    assert fids.notes == () if words is None else words in fids.notes[0]
    # Power of the noise in 16 stretches: mean of m squared normal numbers with variance 1 each; 0.1 % on either side.
    for part in np.array_split(fids.rows, 16, axis=1):
        count = 2 * part.size
        low, high = stats.chi2.ppf([0.001 / 16, 1 - 0.001 / 16], count) / count
        assert low < np.mean(np.abs(part) ** 2) / 2 < high
    spectrum = np.mean(np.abs(np.fft.fft(fids.rows, axis=1)) ** 2, axis=0)
    assert np.abs(np.corrcoef(spectrum[1:], spectrum[:-1])[0, 1]) < 5 / np.sqrt(spectrum.size)
    neighbours = np.mean(fids.rows[:, 1:] * fids.rows[:, :-1].conj()) / np.mean(np.abs(fids.rows) ** 2)
    assert abs(neighbours) < 5 / np.sqrt(fids.rows.size)


@pytest.mark.parametrize(("start", "kept", "line"), [(32, 128, 0.41), (256, 192, -0.2), (64, 256, 0.3)])
def test_window_of_a_spectrum_keeps_its_frequencies(tmp_path, start, kept, line):
    # 512 points from +50 kHz down; the line is at `line` of 100 kHz.
    rows = np.outer([1.0, 2.0], np.exp((2j * np.pi * line - 0.02) * np.arange(256))) * 1e6
    fids = processed_rows(write_processed(tmp_path, rows, size=512, strip=(start, kept)))
    assert f"2rr holds {kept} of the 512 points" in fids.notes[0]
    assert fids.dwell == pytest.approx(512 / kept * 1e-5)
    assert fids.centre == pytest.approx(1e5 * (0.5 - (start + kept / 2) / 512))
    spectrum = np.abs(np.fft.fft(fids.rows[1], 4096))
    found = np.fft.fftfreq(4096, fids.dwell)[np.argmax(spectrum)] + fids.centre
    assert found == pytest.approx(line * 1e5, abs=100)
    np.testing.assert_allclose(fids.rows[1], 2 * fids.rows[0], atol=1e-6 * np.abs(fids.rows).max())


@pytest.mark.parametrize("console", sorted(CONSOLES))
def test_simulated_2rr_tells_the_same_recovery_as_ser(sodium, tmp_path, console):
    expno = nd.simulate_folder(sodium, tmp_path, seed=1, console=console, processed=True) / "1"
    raw, processed = rows_of(expno), processed_rows(expno)
    assert (len(processed.rows), processed.planned, processed.notes, processed.white) == (16, 16, (), True)
    first, second = heights(raw, 100), heights(processed, 100)
    # Both hold the same noise but for the first point, a tenth of the signal: noise of two runs would differ by 1.41.
    assert np.std(second / second[-1] - first / first[-1]) * 60 < 0.6


def test_simulated_2rr_without_a_fraction_of_a_point_is_the_fid(quiet, tmp_path):
    whole = Console(64.0, {"DECIM": 40, "DSPFVS": 20, "GRPDLY": 64})
    expno = nd.simulate_folder(quiet, tmp_path, seed=1, console=whole, processed=True) / "1"
    raw, found = rows_of(expno).rows, processed_rows(expno).rows
    assert found.shape[1] > 350
    beyond = slice(5, found.shape[1])  # before, the mirrored build-up of the filter lies on the FID
    phased = raw[:, beyond] * np.exp(-0.7j)
    np.testing.assert_allclose(found[:, beyond], phased, atol=1e-5 * np.abs(raw).max())


def test_unknown_filter_leaves_out_the_end_of_the_fid(quiet, tmp_path):
    expno = nd.simulate_folder(quiet, tmp_path, seed=1, processed=True) / "1"
    acqus = read_parameters(expno / "acqus")
    known = read_processed(expno / "pdata" / "1", acqus).rows
    unknown = read_processed(expno / "pdata" / "1", acqus | {"GRPDLY": -1, "DSPFVS": 11, "DECIM": 999}).rows
    assert known.shape[1] - unknown.shape[1] == 100 - 67
    np.testing.assert_array_equal(unknown[:, 100:], known[:, 100 : unknown.shape[1]])


def test_filter_that_was_removed_by_a_phase_leaves_the_fid(tmp_path):
    # Without PKNL a first-order phase of 360 degrees a point takes the group delay out of the spectrum.
    rows = lines_and_noise()
    late = np.hstack([np.zeros((8, 60)), rows])
    expno = write_processed(tmp_path, late, size=1024, turn=60 * 360.0, acqus_GRPDLY=60, procs_PKNL="no")
    fids = processed_rows(expno)
    assert (fids.notes, fids.rows.shape) == ((), (8, 256))
    np.testing.assert_allclose(fids.rows[:, 1:], rows[:, 1:], atol=1e-6 * np.abs(rows).max())


def test_rows_and_procnos_are_counted(quiet, tmp_path):
    expno = nd.simulate_folder(quiet, tmp_path, seed=1, processed=True) / "1"
    assert find_processed(expno) == expno / "pdata" / "1"
    (expno / "pdata" / "1").rename(expno / "pdata" / "10")
    (expno / "pdata" / "9").mkdir()
    assert find_processed(expno) == expno / "pdata" / "10"
    assert find_processed(expno / "pdata") is None
    for name in ("9", "11", "notes"):
        (expno / "pdata" / name).mkdir(exist_ok=True)
        (expno / "pdata" / name / "2rr").write_bytes(b"")
    assert find_processed(expno) == expno / "pdata" / "9"
    (expno / "pdata" / "9" / "2rr").unlink()
    procs = expno / "pdata" / "10" / "proc2s"
    procs.write_text(procs.read_text().replace("##$TDeff= 16", "##$TDeff= 14"))
    fids = processed_rows(expno)
    assert (len(fids.rows), fids.planned, fids.notes) == (14, 16, ("2rr holds 14 rows of 16 planned",))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"procs_SI": 500}, "needed SI as a multiple of XDIM"),
        ({"procs_XDIM": 0, "procs_SI": 1024}, "needed 32768 bytes (8 rows of 1024 points), found 16384"),
        ({"procs_SI": 1e12, "procs_XDIM": 1}, "found 16384"),
        ({"procs_NC_proc": 10000}, "NC_proc as a whole number"),
        ({"procs_PH_mod": 2}, "magnitudes"),
        ({"procs_FT_mod": 0}, "run xf2"),
        ({"proc2s_FT_mod": 6}, "xfb"),
        ({"procs_SW_p": 0}, "needed SW_p above 0"),
        ({"procs_DTYPP": 2}, "needed 32768 bytes"),
        ({"procs_SI": None}, "needed the parameter SI"),
        ({"procs_WDW": "many"}, "needed a number for WDW"),
        ({"procs_PHC1": 1e9}, "needed a FID inside"),
    ],
)
def test_absurd_processed_data_are_one_clear_error(tmp_path, more, words):
    expno = write_processed(tmp_path, lines_and_noise(), size=512, blocks=(8, 512), **more)
    with pytest.raises(InputError, match=re.escape(words)):
        processed_rows(expno)


@pytest.mark.parametrize("key", ["WDW", "ME_mod", "TDoff"])
def test_what_cannot_be_undone_is_told(tmp_path, key):
    value = 9 if key == "WDW" else 2
    fids = processed_rows(write_processed(tmp_path, lines_and_noise(), size=512, **{f"procs_{key}": value}))
    assert not fids.white
    assert f"{key} {value}" in fids.notes[0] or key in fids.notes[0]


PROCESSED = ("SI", "XDIM", "FTSIZE", "SW_p", "OFFSET", "SF", "PHC1", "TDeff", "WDW", "LB", "GB", "SSB", "NC_proc")


@settings(max_examples=60, deadline=None)
@given(procs=st.dictionaries(st.sampled_from(PROCESSED), NUMBERS.filter(lambda v: not isinstance(v, list)), max_size=4))
def test_random_processing_parameters_give_rows_or_an_input_error(tmp_path_factory, procs):
    folder = tmp_path_factory.getbasetemp() / "processed"
    write_processed(folder, lines_and_noise(2, 32), size=64, **{f"procs_{key}": value for key, value in procs.items()})
    read_or_refuse(lambda: processed_rows(folder))


# --- chemical shift ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("acqus", "procs", "offset", "width"),
    [  # crn87rb-T1/12, 17O-lamox-satrec/1 and 1H-T2-noser/1: SF, OFFSET (7 digits) and SW_p of procs
        ({"SFO1": 130.97362168}, {"SF": 130.973611862055}, 1908.856, 500000),
        ({"SFO1": 67.863634622}, {"SF": 67.804154}, 8251.421, 1000000),
        ({"SFO1": 600.40282188}, {"SF": 600.4}, 14.61403, 11904.7619047619),
    ],
)
def test_axis_of_topspin_is_centred_on_the_carrier(tmp_path, acqus, procs, offset, width):
    left = ppm_to_hz(offset, acqus, procs=procs, where=tmp_path)
    right = ppm_to_hz(offset - width / procs["SF"], acqus, procs=procs, where=tmp_path)
    assert left == pytest.approx(width / 2, abs=0.1)
    assert right == pytest.approx(-width / 2, abs=0.1)


def test_shift_without_a_reference_counts_from_bf1(tmp_path):
    acqus = {"SFO1": 100.002, "BF1": 100.0}
    assert ppm_to_hz(20.0, acqus, procs={}, where=tmp_path) == pytest.approx(0, abs=1e-6)
    assert ppm_to_hz(30.0, acqus, procs={}, where=tmp_path) == pytest.approx(1000)
    for broken in ({"SFO1": 0, "BF1": 100}, {"SFO1": 100}, {"SFO1": 100, "BF1": -1}, {}):
        with pytest.raises(InputError, match="needed"):
            ppm_to_hz(0.0, broken, procs={}, where=tmp_path)


# --- real folders -----------------------------------------------------------------------------------------------------


def stretched(t, top, depth, t1, beta):
    return top * (1 - depth * np.exp(-((t / t1) ** beta)))


def test_rubidium_recovers_alike_from_ser_and_from_2rr(topspin):
    expno = topspin / "crn87rb-T1" / "12"
    delay = read_list(find_list(expno, "vd", read_parameters(expno / "acqus")), "vd")
    fits = []
    for fids in (rows_of(expno), processed_rows(expno)):
        assert (len(fids.rows), fids.planned, fids.notes, fids.white) == (20, 20, (), True)
        values = heights(fids)
        values *= np.sign(values[np.argmax(delay)])
        fit, covariance = curve_fit(stretched, delay, values / values.max(), p0=(1, 1.5, 5e-5, 0.9))
        fits.append((fit[2], np.sqrt(covariance[2, 2])))
    (raw, error), (processed, _) = fits
    assert abs(raw - processed) < error / 2  # the same noise: 49.95 and 50.04 µs with ± 0.56
    assert raw == pytest.approx(5.0388e-05, abs=2 * 9.3e-07)  # the measurer's own


def test_oxygen_noise_is_the_same_in_ser_and_2rr(topspin):
    expno = topspin / "17O-lamox-satrec" / "1"
    raw, processed = rows_of(expno), processed_rows(expno)
    assert (len(raw.rows), len(processed.rows)) == (15, 15)
    assert "moved the FID 19.7 points before the first" in processed.notes[0]

    def power(rows):
        return np.mean(np.abs(rows - rows.mean(axis=0)) ** 2)

    assert power(processed.rows[:, 1200:]) == pytest.approx(power(raw.rows[:, 3000:]), rel=0.05)


@pytest.mark.parametrize(("name", "region"), [("crn87rb-T1/12", None), ("17O-lamox-satrec/1", None)])
def test_positive_frequencies_of_raw_data_are_at_high_shift(topspin, name, region):
    """The spectrum of ser, as a Fourier transform gives it, lies where 2rr has it on TopSpin's axis."""
    expno = topspin / name
    raw, processed = rows_of(expno), processed_rows(expno)
    frequency = np.fft.fftfreq(4096, raw.dwell)

    def centre(rows):
        power = np.sum(np.abs(np.fft.fft(rows[:, 20:1500], 4096, axis=1)) ** 2, axis=0)
        power -= np.median(power)
        return np.sum(frequency * power**2) / np.sum(power**2)

    assert abs(centre(raw.rows)) > 1e3
    assert centre(raw.rows) == pytest.approx(centre(processed.rows), abs=0.1 * abs(centre(raw.rows)))
    # Independently: the highest point of 2rr itself, by its block sizes in PROVENANCE's folder (points, rows).
    rows, block = {"crn87rb-T1/12": (32, (32, 32)), "17O-lamox-satrec/1": (32, (4, 4096))}[name]
    procs = read_parameters(expno / "pdata" / "1" / "procs")
    points = procs["SI"]
    table = np.fromfile(expno / "pdata" / "1" / "2rr", "<i4").reshape(
        rows // block[0], points // block[1], block[0], block[1]
    )
    spectra = table.swapaxes(1, 2).reshape(rows, points).astype(float)
    top = int(np.argmax(np.sum(spectra**2, axis=0)))
    shift = procs["OFFSET"] - top * procs["SW_p"] / procs["SF"] / points
    hertz = ppm_to_hz(shift, read_parameters(expno / "acqus"), procs=procs, where=expno)
    assert np.sign(hertz) == np.sign(centre(raw.rows))


def test_expno_without_ser_is_read_from_2rr(topspin):
    expno = topspin / "1H-T2-noser" / "1"
    fids = processed_rows(expno)
    assert (len(fids.rows), fids.planned, fids.empty.any(), fids.white) == (16, 16, False, True)
    sizes = np.linalg.norm(fids.rows[:, :1000], axis=1)
    counts = read_list(expno / "vclist", "vc")  # the line decays with the loop count
    assert stats.spearmanr(counts, sizes).statistic < -0.95
    assert sizes[np.argmax(counts)] < 0.5 * sizes[np.argmin(counts)]


@pytest.mark.parametrize(
    ("name", "rows", "points"),
    [
        ("17O-lamox-satrec/1", 15, 5000 - 68),
        ("7Li-T1rho/79", 26, 4994),  # DSPFVS 10, DECIM 1, DIGMOD 0: no filter
        ("dnplab-IR/28", 8, 7983 - 60),  # DSPFVS 10, DECIM 12: 60.375 points
        ("crn87rb-T1/49", 29, 4096 - 67),
    ],
)
def test_real_rows_are_counted_and_begin_with_the_signal(topspin, name, rows, points):
    fids = rows_of(topspin / name)
    assert fids.rows.shape == (rows, points)
    assert fids.notes == ()
    amplitude = np.sqrt(np.mean(np.abs(fids.rows) ** 2, axis=0))
    assert np.argmax(amplitude[:30] > 0.4 * amplitude[:30].max()) <= 3
    assert count_rows(topspin / name, read_parameters(topspin / name / "acqus")) == rows


# nmrglue's own parser does not come to an end on these.
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("##$TD= 1024\n##$PULPROG= <sat", "needed the end of PULPROG"),
        ("##$D= (0..99999999)\n1 2 3\n##END=\n", "needed 100000000 values of D, found 3"),
    ],
)
def test_a_parameter_file_that_was_cut_is_one_error(tmp_path, text, said):
    (tmp_path / "acqus").write_text(text, encoding="utf-8")
    with pytest.raises(nd.InputError, match=said):
        read_parameters(tmp_path / "acqus")


@given(data=st.binary(max_size=400), at=st.floats(0, 1, exclude_max=True))
def test_a_damaged_parameter_file_gives_parameters_or_one_error(tmp_path_factory, data, at):
    path = tmp_path_factory.getbasetemp() / "damaged"
    whole = b"##TITLE= x\n##$D= (0..3)\n0 1 2 3\n##$NUC1= <11B>\n##$TD= 1024\n$$ note\n##$TE= 300.5\n##END=\n"
    cut = int(at * len(whole))
    path.write_bytes(whole[:cut] + data + whole[cut:])
    with contextlib.suppress(nd.InputError):
        assert all(isinstance(value, int | float | str | list) for value in read_parameters(path).values())
