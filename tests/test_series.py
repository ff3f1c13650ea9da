"""Recoveries measured as one-dimensional expnos, one delay each."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import nmrdyn as nd
from nmrdyn.findings import attached


def set_in(expno, key, value):
    path = expno / "acqus"
    text, count = re.subn(rf"##\${key}= .*\n", f"##${key}= {value}\n", path.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def truth(sodium):
    return replace(sodium, snr=200)


def test_a_series_gives_the_t1_of_the_arrayed_experiment(truth, tmp_path):
    recovery = nd.read_topspin(nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True))
    assert list(recovery.experiment.values) == ["101-116"]
    assert (recovery.kind.item(), recovery.rows_planned.item()) == ("saturation_recovery", 16)
    np.testing.assert_allclose(recovery.delay.values[0], truth.delay[0], rtol=1e-6)
    arrayed = nd.read_topspin(nd.simulate_folder(truth, tmp_path / "2d", seed=1))
    # Rounding to another NC costs less than a hundredth of the noise.
    stderr = arrayed.signal_stderr.values
    np.testing.assert_allclose(recovery.signal.values / stderr, arrayed.signal.values / stderr, rtol=0, atol=0.1)
    one, other = nd.fit_recovery(recovery, "single"), nd.fit_recovery(arrayed, "single")
    assert abs(one.t1.item() - truth.t1[0]) < 4 * one.t1_stderr.item()
    assert one.t1.item() == pytest.approx(other.t1.item(), rel=1e-3)


def test_each_temperature_is_a_series_of_its_own(truth, tmp_path):
    several = replace(truth, temperature=[323.15, 333.15, 343.15])
    recovery = nd.read_topspin(nd.simulate_folder(several, tmp_path / "1d", seed=1, arrayed=True))
    assert list(recovery.experiment.values) == ["101-116", "201-216", "301-316"]
    np.testing.assert_allclose(recovery.temperature, several.temperature)
    fitted = nd.fit_recovery(recovery, "single")
    assert np.all(np.abs(fitted.t1 - several.t1) < 4 * fitted.t1_stderr)


def test_scan_says_which_expnos_belong_together(truth, tmp_path):
    series = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    entries = nd.scan(series)
    assert len(entries) == 16
    for entry in entries:
        assert entry["kind"] == "other"
        assert any("differ in D7: read together as saturation_recovery 101-116" in text for text in entry["warnings"])


def test_a_series_out_of_order_and_with_a_repeat_keeps_each_delay(truth, tmp_path):
    delays = truth.delay[0][[5, 0, 9, 3, 3, 15, 12, 7]]
    shuffled = replace(truth, delays=delays)
    series = nd.simulate_folder(shuffled, tmp_path / "1d", seed=1, arrayed=True)
    recovery = nd.read_topspin(series)
    np.testing.assert_allclose(recovery.delay.values[0], np.sort(delays), rtol=1e-6)
    np.testing.assert_array_equal(recovery.row.values[0], np.argsort(delays, kind="stable") + 1)
    fitted = nd.fit_recovery(recovery, "single")
    assert abs(fitted.t1.item() - truth.t1[0]) < 4 * fitted.t1_stderr.item()


def test_a_program_without_a_name_is_joined_when_told(truth, tmp_path):
    series = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    for expno in series.iterdir():
        set_in(expno, "PULPROG", "<mine>")
    with pytest.raises(nd.InputError, match="needed a saturation or inversion recovery, found none"):
        nd.read_topspin(series)
    told = nd.read_topspin(series, delays="D7")
    assert told.kind.item() == "saturation_recovery"
    assert any("told by the data" in finding.text for finding in attached(told))
    by_name = nd.read_topspin(series, delays={str(101 + i): value for i, value in enumerate(truth.delay[0])})
    np.testing.assert_allclose(by_name.signal, told.signal)
    table = tmp_path / "delays.csv"
    table.write_text(
        "experiment, delay (ms)\n"
        + "".join(f"{101 + i}, {1e3 * value:.9g}\n" for i, value in enumerate(truth.delay[0])),
        encoding="utf-8",
    )
    by_table = nd.read_topspin(series, delays=table)
    np.testing.assert_allclose(by_table.delay, told.delay, rtol=1e-6)
    assert str(table) in json.loads(by_table.attrs["sources"])


def test_single_expnos_that_differ_in_more_than_a_delay_are_no_series(truth, tmp_path):
    series = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    for i in range(13):
        set_in(series / str(101 + i), "NS", 17 + i)
    with pytest.raises(nd.InputError, match="found none"):
        nd.read_topspin(series)


def test_delays_that_do_not_fit_are_refused(truth, tmp_path):
    series = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    with pytest.raises(nd.InputError, match=r"delays: needed those of 4 or more one-dimensional expnos .*, found 101"):
        nd.read_topspin(series, delays={"101": 0.1})
    with pytest.raises(nd.InputError, match=r"delays: needed experiments among 101, .*, found 99"):
        nd.read_topspin(series, delays={"99": 0.1})
    with pytest.raises(nd.InputError, match="needed delays of 0 s or more"):
        nd.read_topspin(series, delays={"101": -1.0})


def test_delays_of_the_rows_of_an_arrayed_expno_can_be_told(truth, tmp_path):
    folder = nd.simulate_folder(truth, tmp_path / "na", seed=1)
    (folder / "1" / "vdlist").unlink()
    recovery = nd.read_topspin(folder, delays={"1": truth.delay[0]})
    np.testing.assert_array_equal(recovery.delay.values[0], truth.delay[0])
    with pytest.raises(nd.InputError, match="found 4 delays and 16 rows; give those"):
        nd.read_topspin(folder, delays={"1": truth.delay[0][:4]})


def test_two_samples_one_after_the_other_are_two_series(truth, tmp_path):
    first = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    other = replace(truth, cq=2 * truth.cq, delays=truth.delay[0])
    second = nd.simulate_folder(other, tmp_path / "other", seed=2, arrayed=True)
    for expno in second.iterdir():
        expno.rename(first / str(int(expno.name) + 30))
    recovery = nd.read_topspin(first)
    assert list(recovery.experiment.values) == ["101-116", "131-146"]
    fitted = nd.fit_recovery(recovery, "single")
    assert np.all(np.abs(fitted.t1 - [truth.t1[0], other.t1[0]]) < 4 * fitted.t1_stderr)


def test_a_temperature_that_wanders_keeps_a_series_together(truth, tmp_path):
    series = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    for i in range(16):
        set_in(series / str(101 + i), "TE", 333.15 + 0.3 * i)
    recovery = nd.read_topspin(series)
    assert (recovery.rows_recorded.item(), recovery.rows_planned.item()) == (16, 16)
    assert recovery.temperature.item() == pytest.approx(333.15 + 0.3 * 7.5)
    assert "wanders by 4.5 K" in str(attached(recovery))
    by_formula = nd.read_topspin(series, temperature="TE + 10")
    assert by_formula.temperature.item() == pytest.approx(343.15 + 0.3 * 7.5)
    assert "wanders by 4.5 K" in str(attached(by_formula))
    assert nd.read_topspin(series, temperature={"101-116": (350.0, 1.0)}).temperature.item() == 350.0


def test_a_member_that_cannot_be_read_is_a_row_that_was_not_recorded(truth, tmp_path):
    series = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    (series / "104" / "fid").write_bytes((series / "104" / "fid").read_bytes()[:1000])
    (series / "107" / "fid").unlink()
    recovery = nd.read_topspin(series)
    assert (recovery.rows_recorded.item(), recovery.rows_planned.item()) == (14, 16)
    np.testing.assert_array_equal(recovery.row.values[0], [*range(1, 4), 5, 6, *range(8, 17)])
    assert any("14 of 16 rows used" in finding.text for finding in attached(recovery))
    fitted = nd.fit_recovery(recovery, "single")
    assert abs(fitted.t1.item() - truth.t1[0]) < 4 * fitted.t1_stderr.item()


@pytest.mark.parametrize(("key", "value"), [("NS", 32), ("GRPDLY", 60.5)])
def test_what_looks_like_a_member_and_is_none_is_told(truth, tmp_path, key, value):
    series = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    set_in(series / "105", key, value)
    recovery = nd.read_topspin(series)
    assert recovery.rows_planned.item() == 15
    assert f"105 has the same pulse program and is not read with it: {key} differs" in str(attached(recovery))


def test_delays_told_join_expnos_of_different_folders(truth, tmp_path):
    series = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    apart = tmp_path / "apart"
    for i in range(16):
        (apart / f"sat{i:02d}").mkdir(parents=True)
        (series / str(101 + i)).rename(apart / f"sat{i:02d}" / "1")
    recovery = nd.read_topspin(apart, delays={f"sat{i:02d}/1": delay for i, delay in enumerate(truth.delay[0])})
    assert list(recovery.experiment.values) == ["sat00/1-sat15/1"]
    fitted = nd.fit_recovery(recovery, "single")
    assert abs(fitted.t1.item() - truth.t1[0]) < 4 * fitted.t1_stderr.item()


def test_what_has_to_be_said_is_said_by_the_error(truth, tmp_path):
    series = nd.simulate_folder(truth, tmp_path / "1d", seed=1, arrayed=True)
    for i, expno in enumerate(sorted(series.iterdir())):
        path = expno / "acqus"
        listed = path.read_text(encoding="utf-8").replace("##$D= (0..63)\n0 0 ", f"##$D= (0..63)\n0 {i + 1} ")
        path.write_text(listed, encoding="utf-8")
    with pytest.raises(nd.InputError, match="differ in D1 and D7; say which of them was stepped through"):
        nd.read_topspin(series)
    told = nd.fit_recovery(nd.read_topspin(series, delays="D7"), "single")
    assert abs(told.t1.item() - truth.t1[0]) < 4 * told.t1_stderr.item()
