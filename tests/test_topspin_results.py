"""TopSpin's own T1/T2 results: real reports (not part of the project), and synthetic ones in every layout known."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmrdyn.topspin.files.results import topspin_results

RECOVERY = "I[t]=I[0]+P*exp(-t/T1)"
DECAY = "I[t]=P*exp(-t/T2)"
SATURATION = "Saturation-Recovery(T1) : I[t]=I[0](1-exp(-t/T1))"
EITHER = "Exponential decay (T2 or T1rho) : I[t]=I[0]*exp(-t/T)"
DIFFUSION = "Diffusion : Variable Gradient : I=I[0]*exp(-D*SQR(2*PI*gamma*Gi*LD)*(BD-LD/3)*1e4)"
INTEGRAL = "Integral Region from 12.500 to -7.250 ppm"


@pytest.fixture
def expno(tmp_path):
    (tmp_path / "pdata" / "1").mkdir(parents=True)
    return tmp_path


def write(expno, text, name="ct1t2.txt", number="1"):
    file = expno / "pdata" / number / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1"))
    return expno


def older(*blocks, fit=RECOVERY, mode="AREA"):
    """The report without a title: function on its own line, then (site, lines of parameters) in turn."""
    text = f"Dataset :\n /opt/data/nmr/8/pdata/1\n{mode} fit :\n {fit}\n\n"
    for site, parameters in blocks:
        text += f"2 points for {site}\nResults     Comp. 1    \n\n{parameters}\n\n"
        text += "    tau    ppm     integral    intensity\n\n"
        text += (
            "   20.000u     3.113   8.1250e+08     eliminated\n    1.500m     3.113   9.2500e+09   1.7500e+07\n\n\n\n"
        )
    return text


def simfit(*blocks, fit=SATURATION, mode="INTENSITY"):
    """The report titled SIMFIT, with Windows line ends as most of them have."""
    text = f"SIMFIT RESULTS\n==============\n\nDataset : C:/nmr/8/pdata/1/ct1t2.txt\n\n{mode} fit : {fit}\n\n"
    for site, parameters in blocks:
        text += f"3 points for {site}\n\nConverged after 41 iterations!\n\nResults     Comp. 1       Comp. 2    \n\n"
        text += f"{parameters}\n\nPoint       Tau          Expt          Calc       Difference\n\n"
        text += "    1       0.000n     4.625e-02     0.000e+00   -4.625e-02\n"
        text += "    2       1.500m     5.125e-01     5.000e-01   -1.250e-02\n\n" + 60 * "=" + "\n\n"
    return text.replace("\n", "\r\n")


def listed(*rows, end="-1 0 0\n"):
    """t1ints.txt or t1peaks.txt from (delay, (intensity, point), ...)."""
    text = ""
    for delay, *sites in rows:
        text += f"{delay:g} 0 0\n0 0 {len(sites)}\n" + "".join(f"877.5 {value:g} {point}\n" for value, point in sites)
    return f"{text.count(chr(10)) + 1}\n{text}{end}"


def test_older_report_of_two_integrals_with_one_t1_each(expno):
    blocks = [
        (
            f"Integral 1,  {INTEGRAL}",
            "I[0]  =    9.750e-01\nP     =   -1.625e+00\nT1    =       4.649m\nSD    =    1.250e-02",
        ),
        ("Integral 2,  Integral Region from -7.250 to -40.000 ppm", "T1    =       3.875s\nSD    =    2.500e-02"),
    ]
    first, second = topspin_results(write(expno, older(*blocks)))
    assert (first.file, first.fit, first.quantity) == ("pdata/1/ct1t2.txt", RECOVERY, "T1")
    assert (first.site, first.component, first.points) == ("Integral 1, 12.500 to -7.250 ppm", 1, 2)
    assert (first.t1, first.sd) == (4.649e-3, 1.25e-2)
    assert np.isnan(first.stderr)
    assert (first.delay, first.values) == ((), ())
    assert (second.site, second.t1, second.sd) == ("Integral 2, -7.250 to -40.000 ppm", 3.875, 2.5e-2)
    assert second.fit == RECOVERY


def test_older_report_of_a_peak_and_of_a_t2(expno):
    text = older(
        ("Peak 1,  Peak Point at -68.500 ppm", "T2    =      53.889u\nSD    =    1e-3"), fit=DECAY, mode="INTENSITY"
    )
    (result,) = topspin_results(write(expno, text))
    assert (result.quantity, result.t1, result.fit) == ("T2", 53.889e-6, DECAY)
    assert result.site == "Peak 1, -68.500 ppm"


def test_simfit_report_with_two_components_and_two_peaks(expno):
    parameters = "I[0]  =   3.750e-001    6.250e-001  \nT1    =      60.750m        1.625s\n\n"
    parameters += "RSS   =   2.500e-003\nSD    =   2.887e-002"
    text = simfit(
        ("Peak 1,  Peak Point = 28.125 ppm", parameters), ("Peak 2,  Peak Point = -3.500 ppm", "T1  =  250.000n")
    )
    results = topspin_results(write(expno, text))
    assert [(one.site, one.component, one.t1) for one in results] == [
        ("Peak 1, 28.125 ppm", 1, 60.75e-3),
        ("Peak 1, 28.125 ppm", 2, 1.625),
        ("Peak 2, -3.500 ppm", 1, 250e-9),
    ]
    assert {one.fit for one in results} == {SATURATION}
    np.testing.assert_array_equal([one.sd for one in results], [2.887e-2, 2.887e-2, np.nan])


def test_time_of_a_decay_is_named_as_the_report_names_it_and_one_dimensional_peaks_have_no_position(expno):
    (result,) = topspin_results(write(expno, simfit(("Peak 1", "T     =   10202.500s  "), fit=EITHER)))
    assert (result.quantity, result.t1, result.site, result.fit) == ("T", 10202.5, "Peak 1", EITHER)
    (result,) = topspin_results(write(expno, simfit(("Peak 1", "T1rho =      17.500m"), fit="Spin-lock : f")))
    assert (result.quantity, result.t1) == ("T1rho", 17.5e-3)


def test_diffusion_has_no_relaxation_time(expno):
    parameters = (
        "I[0]             =   1.000e+000\nDiff Con.        =   5.125e-010 m2/s\nGamma            =   4.258e+003 Hz/G\n"
        "Little Delta     =    2.000m\nBig Delta        =   49.875m\n\nRSS   =   1.000e-004\nSD    =   2.500e-003"
    )
    assert topspin_results(write(expno, simfit(("Peak 1,  Peak Point = 4.750 ppm", parameters), fit=DIFFUSION))) == []


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2.658m", [2.658e-3]),
        ("2.658 m", [2.658e-3]),  # a unit apart is still the unit
        ("2.658ms 53.889 us", [2.658e-3, 53.889e-6]),
        ("0.000n", [0.0]),
        ("4.25s", [4.25]),
        ("4.25", [4.25]),
        ("4.250e-003", [4.25e-3]),
        ("-4.250m", [-4.25e-3]),  # a fit that ran away: as it stands
        ("3500037.750s", [3500037.75]),
        ("nans", []),
        ("************", []),
        ("1e999s", []),
        ("4.25s +/- 0.25s", []),  # not understood: 0.25 s must not pass for a second component
        ("4,25s", []),
        ("4.25 min", []),
        ("", []),
    ],
)
def test_units_and_what_is_no_number(expno, written, seconds):
    results = topspin_results(write(expno, simfit(("Peak 1", f"T1    =  {written}"))))
    assert [one.t1 for one in results] == seconds


def test_component_that_failed_leaves_the_number_of_the_next(expno):
    (result,) = topspin_results(write(expno, simfit(("Peak 1", "T1    =      nans        1.625s"))))
    assert (result.component, result.t1) == (2, 1.625)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_odd_bytes(expno, end):
    text = (
        older(("Peak 1,  Peak Point = 1.5 ppm", "T1 = 2.5m\nSD = 0.125"))
        .replace("/opt", "/\xb5\xff\x80")
        .replace("\n", end)
    )
    (result,) = topspin_results(write(expno, text))
    assert (result.t1, result.sd, result.fit) == (2.5e-3, 0.125, RECOVERY)


def test_control_characters_do_not_reach_the_terminal(expno):
    (result,) = topspin_results(write(expno, simfit(("Peak 1 \x1b[31m\x9b", "T1 = 2.5m"), fit="f\x07\x00")))
    assert (result.site, result.fit) == ("Peak 1 ?[31m?", "f??")


@pytest.mark.parametrize("sd", ["", "nan", "1.5e-01?", "SD"])
def test_sd_belongs_to_its_own_site_and_may_be_missing(expno, sd):
    text = simfit(
        ("Peak 1", f"T1 = 2.5m\nSD = {sd}"), ("Peak 2", "T1 = 3.5m"), ("Peak 3", "T1 = 4.5m\nSD = 0.25\nSD = 9")
    )
    np.testing.assert_array_equal([one.sd for one in topspin_results(write(expno, text))], [np.nan, np.nan, 0.25])


def test_report_cut_short_gives_what_it_has(expno):
    whole = older((f"Integral 1,  {INTEGRAL}", "P     =   -1.625e+00\nT1    =       4.649m\nSD    =    1.250e-02"))
    (result,) = topspin_results(write(expno, whole[: whole.index("SD")]))
    assert result.t1 == 4.649e-3
    assert np.isnan(result.sd)
    assert topspin_results(write(expno, whole[: whole.index("T1    =")])) == []


def test_intensities_of_two_sites(expno):
    rows = [(2e-5, (-3.5e9, 12250), (1.25e9, 0)), (1e-5, (0, 0), (2.5e9, 0)), (0.3, (4.5e9, 12251), (0, 12252))]
    write(expno, listed(*rows).replace("\n", "\r\n"), "t1ints.txt")
    first, second = topspin_results(write(expno, listed(*(row[:2] for row in rows)), "t1peaks.txt"))[:2]
    assert (first.file, first.site, first.points) == ("pdata/1/t1ints.txt", "Integral 1", 3)
    assert first.delay == second.delay == (2e-5, 1e-5, 0.3)  # in the order of the rows
    np.testing.assert_array_equal(first.values, [-3.5e9, np.nan, 4.5e9])  # no peak found: no intensity
    assert (second.site, second.values) == ("Integral 2", (1.25e9, 2.5e9, 0.0))
    assert np.isnan(first.t1)
    assert (first.quantity, first.fit, first.component) == ("", "", 0)
    peaks = topspin_results(expno)[2]
    assert (peaks.file, peaks.site) == ("pdata/1/t1peaks.txt", "Peak 1")


def test_report_and_lists_agree_on_a_known_recovery(expno):
    """SD is the root mean square residual over the largest intensity; checked on real reports below."""
    delay, t1 = np.geomspace(1e-3, 1, 12), 0.125
    noise = np.random.default_rng(3).normal(0, 0.03, 12)
    values = 1 - 1.5 * np.exp(-delay / t1) + noise
    values /= np.abs(values).max()
    rms = np.sqrt(np.mean((values - (1 - 1.5 * np.exp(-delay / t1))) ** 2))
    write(expno, listed(*((t, (v * 1e9, 0)) for t, v in zip(delay, values, strict=True))), "t1ints.txt")
    write(expno, older((f"Integral 1,  {INTEGRAL}", f"T1 = {t1 * 1e3:.3f}m\nSD = {rms:.3e}")))
    time, areas = topspin_results(expno)
    scaled = np.array(areas.values) / np.abs(areas.values).max()
    found = np.sqrt(np.mean((scaled - (1 - 1.5 * np.exp(-np.array(areas.delay) / time.t1))) ** 2))
    assert found == pytest.approx(time.sd, rel=2e-3)  # three decimals of SD and six digits of the intensities


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4\n",
        "-1\n-1 0 0\n",
        listed((0.5, (1e9, 0)), (1.0, (2e9, 0)), end=""),  # cut
        listed((0.5, (1e9, 0)), (1.0, (2e9, 0)), end="-1 0\n"),
        listed((0.5, (1e9, 0)), (1.0, (2e9, 0)), end="2.0 0 0\n"),
        listed((0.5, (1e9, 0)), (1.0, (2e9, 0), (3e9, 0))),  # sites come and go
        listed((0.5, (1e9, 0)), (-0.5, (2e9, 0))),
        listed((0.5, (1e9, 0)), (float("nan"), (2e9, 0))),
        listed((0.5, (1e9, 0)), (1.0, (float("inf"), 0))),
        "4\n0.5 0 0\n0 0 1\n877 1e9 zero\n-1 0 0\n",
        "4\n0.5 0 0\n0 0 0\n877 1e9 0\n-1 0 0\n",
        "4\n0.5 0 0\n0 0 1.5\n877 1e9 0\n-1 0 0\n",
        "4\n0.5 0 0\n0 0 -1\n877 1e9 0\n-1 0 0\n",
        "4\n0.5 0 0\n0 0 -2\n877 1e9 0\n-1 0 0\n",
        "4\n0.5 0 0\n0 0 1e300\n877 1e9 0\n-1 0 0\n",
    ],
)
def test_list_that_is_not_understood_gives_nothing_and_leaves_the_rest(expno, text):
    write(expno, text, "t1ints.txt")
    write(expno, text, "t1peaks.txt")
    assert topspin_results(expno) == []
    (result,) = topspin_results(write(expno, older(("Peak 1", "T1 = 2.5m"))))
    assert result.t1 == 2.5e-3


def test_folders_in_the_order_of_their_numbers_and_no_others(expno):
    for number, time in [("999", 9), ("2", 2), ("10", 10), ("1", 1)]:
        write(expno, older(("Peak 1", f"T1 = {time}.000s")), number=number)
    write(expno, older(("Peak 1", "T1 = 5.000s")), number="1_copy")
    (expno / "pdata" / "3").write_text("a file")
    (expno / "pdata" / "4" / "ct1t2.txt").mkdir(parents=True)
    results = topspin_results(expno)
    assert [one.t1 for one in results] == [1, 2, 10, 9]
    assert [one.file for one in results][2] == "pdata/10/ct1t2.txt"


def test_missing_folders_and_files(tmp_path):
    assert topspin_results(tmp_path) == []
    assert topspin_results(tmp_path / "nowhere") == []
    assert topspin_results(tmp_path / "no\0where") == []
    (tmp_path / "pdata").write_text("a file")
    assert topspin_results(tmp_path) == []


def test_file_that_may_not_be_read_gives_nothing(expno, monkeypatch):
    write(expno, older(("Peak 1", "T1 = 2.5m")))

    def refuse(*args, **kwargs):
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    assert topspin_results(expno) == []


def test_large_file_is_skipped(expno):
    text = simfit(("Peak 1", "T1 = 2.5m")).encode()
    assert len(topspin_results(write(expno, text.ljust(4_000_000)))) == 1
    assert topspin_results(write(expno, text.ljust(4_000_001))) == []


def test_links_out_of_the_expno_are_not_followed(expno, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "ct1t2.txt").write_text(simfit(("Peak 1", "T1 = 2.5m")))
    inside = expno / "pdata" / "1" / "ct1t2.txt"
    inside.symlink_to(outside / "ct1t2.txt")
    (expno / "pdata" / "2").symlink_to(outside)
    assert topspin_results(expno) == []
    inside.unlink()
    inside.symlink_to(inside)  # a ring
    assert topspin_results(expno) == []
    inside.unlink()
    (expno / "report").write_text(simfit(("Peak 1", "T1 = 2.5m")))
    inside.symlink_to("../../report")
    assert len(topspin_results(expno)) == 1
    (outside / "8").symlink_to(expno)  # the expno itself may be reached by a link
    assert len(topspin_results(outside / "8")) == 1


WORDS = st.sampled_from(
    [
        "\n",
        " ",
        "T1 =",
        "T",
        "=",
        "2.5m",
        "SD",
        "AREA fit :",
        "3 points for ",
        "1",
        "0",
        "-1",
        "0 0\n",
        "nan",
        "1e9",
        "1_0",
    ]
)


@given(st.one_of(st.binary(max_size=200), st.lists(WORDS, max_size=40).map(lambda words: "".join(words).encode())))
def test_no_bytes_raise(tmp_path_factory, data):
    expno = tmp_path_factory.getbasetemp() / "any-bytes"
    (expno / "pdata" / "1").mkdir(parents=True, exist_ok=True)
    for name in ("ct1t2.txt", "t1ints.txt", "t1peaks.txt"):
        write(expno, data, name)
    for result in topspin_results(expno):
        assert np.isfinite(result.t1) != bool(result.values)
        assert len(result.delay) == len(result.values)


# What the files say, however good the fit; 38 and 12 are close to independent fits, 14 is off by three.
# Folder, fit, site, name of the times, times [s], SD, rows.
REPORTS = [
    ("17O-lamox-satrec/1", SATURATION, "Peak 1, 573.885 ppm", "T1", [2.658e-3], 0.1178, 15),
    ("7Li-T1rho/79", EITHER, "Peak 1, 28.158 ppm", "T", [10202.919, 16089.783], 0.0645, 26),  # microseconds, in fact
    ("crn87rb-T1/12", RECOVERY, "Integral 1, -2.378 to -249.004 ppm", "T1", [53.889e-6], 9.769e-3, 12),
    ("crn87rb-T1/14", RECOVERY, "Integral 1, -4.162 to -209.535 ppm", "T1", [114.059e-6], 0.1034, 20),
    ("crn87rb-T1/38", RECOVERY, "Integral 1, 97.297 to -246.551 ppm", "T1", [1.589e-3], 0.05375, 29),
    ("crn87rb-T2/13", RECOVERY, "Integral 1, 47.348 to -296.500 ppm", "T1", [105.959e-6], 0.1740, 20),  # of a T2
]


@pytest.mark.parametrize(("folder", "fit", "site", "quantity", "times", "sd", "rows"), REPORTS)
def test_real_reports(topspin, folder, fit, site, quantity, times, sd, rows):
    results = topspin_results(topspin / folder)
    reported = [one for one in results if one.file == "pdata/1/ct1t2.txt"]
    assert [one.t1 for one in reported] == times
    assert [one.component for one in reported] == list(range(1, len(times) + 1))
    for one in reported:
        assert (one.fit, one.site, one.quantity, one.sd, one.points) == (fit, site, quantity, sd, rows)
    areas, heights = (one for one in results if one not in reported)
    assert (areas.file, areas.site, areas.points) == ("pdata/1/t1ints.txt", "Integral 1", rows)
    assert (heights.file, heights.site, heights.points) == ("pdata/1/t1peaks.txt", "Peak 1", rows)
    assert len(areas.delay) == len(areas.values) == rows
    assert np.all(np.isfinite(areas.values))


# The function that was fitted, as t1par beside the report has it: full recovery, depth, and the file fitted.
@pytest.mark.parametrize(
    ("folder", "level", "depth", "file"),
    [
        ("17O-lamox-satrec/1", 0.961789305463608, -0.961789305463608, "pdata/1/t1peaks.txt"),
        ("crn87rb-T1/12", 0.990419617652444, -1.35110966753092, "pdata/1/t1ints.txt"),
        ("crn87rb-T1/14", 1.08172686914529, -0.759558332089741, "pdata/1/t1ints.txt"),
        ("crn87rb-T1/38", 0.954432656801298, -1.64053554383937, "pdata/1/t1ints.txt"),
        ("crn87rb-T2/13", -0.1100100897547, 0.785549641963956, "pdata/1/t1ints.txt"),
    ],
)
def test_real_sd_is_the_spread_of_the_residuals_and_no_error_of_t1(topspin, folder, level, depth, file):
    results = topspin_results(topspin / folder)
    (report,) = [one for one in results if one.quantity]
    (fitted,) = [one for one in results if one.file == file]
    delay, values = np.array(fitted.delay), np.array(fitted.values)
    residual = values / np.abs(values).max() - (level + depth * np.exp(-delay / report.t1))
    assert np.sqrt(np.mean(residual**2)) == pytest.approx(report.sd, rel=6e-4)  # SD is written with four digits


def test_real_heights_without_a_peak_are_left_open_and_folders_without_a_report_are_empty(topspin):
    heights = topspin_results(topspin / "crn87rb-T1" / "12")[-1]
    # Its report calls all but the third to the fifth row eliminated.
    assert np.flatnonzero(np.isfinite(heights.values)).tolist() == [2, 3, 4]
    for folder in ("crn87rb-T1/49", "dnplab-IR/304", "1H-T2-noser/1"):
        assert topspin_results(topspin / folder) == []
