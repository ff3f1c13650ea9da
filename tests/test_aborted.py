"""Aborted and odd acquisitions, simulated on four consoles and made of a real one: T1 is right, the rows are said."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import nmrdyn as nd
from nmrdyn.cli.main import main
from nmrdyn.findings import attached
from nmrdyn.simulate.console import CONSOLES

# What was done, and the rows (from 1) that are left of 16 delays from 0.02 to 5 T1.
DAMAGE = {
    "cut:13": range(1, 14),
    "torn:13": range(1, 14),
    "zeros:3": range(1, 14),
    "hole:5": [*range(1, 5), *range(6, 17)],
    "longer:2": range(1, 17),
    "units": range(1, 17),
}


@pytest.fixture
def truth(sodium):
    return replace(sodium, snr=200)


@pytest.mark.parametrize("console", CONSOLES)
@pytest.mark.parametrize("how", DAMAGE)
def test_t1_is_right_and_the_rows_are_said(truth, tmp_path, console, how):
    expno = nd.simulate_folder(truth, tmp_path / "na", seed=1, console=console) / "1"
    nd.damage(expno, how)
    recovery = nd.read_topspin(expno)
    left = np.array(DAMAGE[how])
    np.testing.assert_array_equal(recovery.row.values[0], left)
    np.testing.assert_allclose(recovery.delay.values[0], truth.delay[0, left - 1], rtol=1e-5)
    assert (recovery.rows_recorded.item(), recovery.rows_planned.item()) == (left.size, 16)
    relaxation = nd.fit_recovery(recovery, "single")
    assert abs(relaxation.t1.item() - truth.t1[0]) < 4 * relaxation.t1_stderr.item()
    assert relaxation.t1_stderr.item() < 0.1 * truth.t1[0]
    said = [finding.text for finding in attached(relaxation)]
    assert any(f"{left.size} of 16 rows used" in text for text in said) == (how != "units")
    motion = nd.correlation_time(relaxation, nd.BPP(nucleus="23Na", cq=1e6, eta=0.1))
    assert (motion.rows_used.item(), motion.rows_planned.item()) == (left.size, 16)


@pytest.mark.parametrize("console", CONSOLES)
def test_rows_without_a_delay_are_an_error_with_both_counts(truth, tmp_path, console, capsys):
    expno = nd.simulate_folder(truth, tmp_path / "na", seed=1, console=console) / "1"
    nd.damage(expno, "shorter:3")
    with pytest.raises(nd.InputError, match=r"found 13 delays and 16 rows"):
        nd.read_topspin(expno)
    assert main(["t1", str(expno)]) == 2
    assert "found 13 delays" in capsys.readouterr().err
    # Rows that were never recorded need no delay.
    nd.damage(expno, "zeros:3")
    assert nd.read_topspin(expno).rows_recorded.item() == 13


@pytest.mark.parametrize("console", CONSOLES)
def test_processed_data_stand_in_for_a_lost_ser(truth, tmp_path, console):
    expno = nd.simulate_folder(truth, tmp_path / "na", seed=1, console=console, processed=True) / "1"
    from_ser, told = nd.read_topspin(expno), nd.read_topspin(expno, processed=True)
    nd.damage(expno, "no ser")
    from_2rr = nd.read_topspin(expno)
    np.testing.assert_array_equal(told.signal, from_2rr.signal)
    assert any("2rr, as there is no ser" in finding.text for finding in attached(from_2rr))
    raw, processed = (nd.fit_recovery(one, "single") for one in (from_ser, from_2rr))
    assert abs(processed.t1.item() - truth.t1[0]) < 4 * processed.t1_stderr.item()
    # The same noise was transformed.
    assert processed.t1.item() == pytest.approx(raw.t1.item(), abs=raw.t1_stderr.item())
    assert processed.t1_stderr.item() == pytest.approx(raw.t1_stderr.item(), rel=0.3)


def cut(expno, rows):
    data = (expno / "ser").read_bytes()
    (expno / "ser").write_bytes(data[: rows * len(data) // 15])


def empty_from(expno, row, count):
    data = bytearray((expno / "ser").read_bytes())
    size = len(data) // 15
    data[row * size : (row + count) * size] = bytes(count * size)
    (expno / "ser").write_bytes(bytes(data))


def relist(expno, change):
    words = (expno / "vdlist").read_text(encoding="utf-8").split()
    (expno / "vdlist").write_text("\n".join(change(words)), encoding="utf-8")


VARIANTS = {
    "cut after 9 of 15": (lambda expno: cut(expno, 9), 9),
    "cut after 6 of 15": (lambda expno: cut(expno, 6), 6),
    "trailing rows zero": (lambda expno: empty_from(expno, 9, 6), 9),
    "an interior row zero": (lambda expno: empty_from(expno, 5, 1), 14),
    "list longer": (lambda expno: relist(expno, lambda words: [*words, "1", "2"]), 15),
    "list shorter": (lambda expno: relist(expno, lambda words: words[:12]), 0),
    "units": (
        lambda expno: (expno / "vdlist").write_text(
            "5u 10u 30u 50u\n100u 300u 500u 1m 3m 5m 10m\n30m 50m 100m 300m\n", encoding="utf-8"
        ),
        15,
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_variants_of_a_real_saturation_recovery(topspin, tmp_path, variant):
    source = topspin / "17O-lamox-satrec" / "1"
    expno = tmp_path / "1"
    shutil.copytree(source, expno, copy_function=shutil.copyfile)
    change, rows = VARIANTS[variant]
    change(expno)
    if rows == 0:
        with pytest.raises(nd.InputError, match=r"found 12 delays and 15 rows"):
            nd.read_topspin(expno)
        return
    recovery = nd.read_topspin(expno)
    assert (recovery.rows_recorded.item(), recovery.rows_planned.item()) == (rows, 15)
    whole = nd.read_topspin(source)
    kept = recovery.row.values[0].astype(int) - 1
    np.testing.assert_allclose(recovery.delay.values[0], whole.delay.values[0][kept], rtol=1e-12)
    relaxation = nd.fit_recovery(recovery, "single")
    if rows >= 14:
        # The repository's own fit has 4.65 ms.
        assert abs(relaxation.t1.item() - 4.65e-3) < 3 * relaxation.t1_stderr.item()
    elif rows == 9:
        assert "delays-too-short" in {finding.code for finding in attached(relaxation)}
    else:
        # Six delays of up to 0.07 T1 tell nothing of it, and are not said to.
        assert relaxation.t1_stderr.item() > 0.5 * relaxation.t1.item()
        assert {"delays-too-short", "depth-low"} <= {finding.code for finding in attached(relaxation)}
