"""Real TopSpin folders from public repositories; they are not part of the project."""

import numpy as np
import pytest

import nmrdyn as nd

# crn87rb-T1: the measurer's own Kohlrausch fits. Expno, temperature [K], T1 [s] and its error, beta.
RUBIDIUM = [
    (49, 310, 7.1401e-03, 8.7e-05, 0.675),
    (40, 330, 4.4709e-03, 6.1e-05, 0.664),
    (38, 340, 1.8221e-03, 2.8e-05, 0.687),
    (33, 350, 5.5991e-04, 4.0e-06, 0.844),
    (28, 360, 1.8312e-04, 9.7e-07, 0.901),
    (23, 370, 8.9333e-05, 6.1e-07, 0.888),
    (12, 380, 5.0388e-05, 9.3e-07, 0.875),
    (14, 390, 3.6164e-05, 1.1e-06, 0.920),
]


def test_rubidium_t1_agrees_with_the_measurers_own_fits(topspin):
    recovery = nd.read_topspin(topspin / "crn87rb-T1")
    assert recovery.attrs["nucleus"] == "87Rb"
    assert set(recovery.kind.values) == {"inversion_recovery"}
    np.testing.assert_allclose(recovery.larmor_frequency, 130.97362168e6, rtol=1e-9)
    relaxation = nd.fit_recovery(recovery, "stretched")
    # T1 differs across this line: where its integral is taken matters, and the echo top has to be told.
    by_hand = nd.fit_recovery(nd.read_topspin(topspin / "crn87rb-T1", echo=8e-6), "stretched")
    assert relaxation.t1.sel(experiment="33").item() == pytest.approx(by_hand.t1.sel(experiment="33").item(), rel=0.02)
    assert sorted(relaxation.experiment.values) == sorted(str(row[0]) for row in RUBIDIUM)
    for expno, kelvin, t1, stderr, beta in RUBIDIUM:
        one = (by_hand if expno == 33 else relaxation).sel(experiment=str(expno))
        assert one.temperature.item() == pytest.approx(kelvin, abs=0.5)
        joint = np.hypot(stderr, one.t1_stderr.item())
        assert abs(one.t1.item() - t1) < max(0.02 * t1, joint), expno
        assert one.beta.item() == pytest.approx(beta, abs=0.03), expno  # the fits of two people differ by 0.025


def test_oxygen_saturation_recovery_without_a_temperature(topspin):
    recovery = nd.read_topspin(topspin / "17O-lamox-satrec")
    assert (recovery.attrs["nucleus"], recovery.kind.item()) == ("17O", "saturation_recovery")
    assert np.isnan(recovery.temperature.item())
    relaxation = nd.fit_recovery(recovery, "single")
    # Three-parameter fits: 4.65 and 4.72 ms from heights, 5.36 ms from areas; 16 % of the signal survives saturation.
    assert 4.4e-3 < relaxation.t1.item() < 5.4e-3
    assert 0.75 < relaxation.depth.item() < 0.92


@pytest.mark.parametrize(("name", "kind"), [("crn87rb-T2", "t2"), ("7Li-T1rho", "t1rho"), ("1H-T2-noser", "t2")])
def test_other_experiments_are_not_read_as_recoveries(topspin, name, kind):
    assert {entry["kind"] for entry in nd.scan(topspin / name)} == {kind}
    with pytest.raises(nd.InputError, match=f"needed a saturation or inversion recovery, found none.*{kind}"):
        nd.read_topspin(topspin / name)


def test_old_console_with_a_drifting_line_and_missing_data(topspin):
    recovery = nd.read_topspin(topspin / "dnplab-IR")
    assert list(recovery.experiment.values) == ["4", "28", "30", "33", "304"]
    assert np.all(np.isnan(recovery.temperature.sel(experiment=["28", "30", "304"])))  # TE is 683.16
    relaxation = nd.fit_recovery(recovery, "single")
    assert np.all(np.isnan(relaxation.t1.sel(experiment=["4", "33"])))
    assert all("found none" in reason for reason in relaxation.reason.sel(experiment=["4", "33"]).values)
    # Independent three-parameter fits of areas.
    for expno, t1, stderr in (("28", 2.04, 0.09), ("30", 2.329, 0.040), ("304", 2.188, 0.032)):
        one = relaxation.sel(experiment=expno)
        assert abs(one.t1.item() - t1) < 4 * np.hypot(stderr, one.t1_stderr.item()), expno
        assert one.t1.item() == pytest.approx(2, abs=0.5), expno


def test_whole_folder_is_scanned_without_a_stop(topspin):
    entries = nd.scan(topspin)
    assert {entry["experiment"].split("/")[0] for entry in entries} == {path.name for path in topspin.iterdir()}
    with pytest.raises(nd.InputError, match="several nuclei"):
        nd.read_topspin(topspin)
