"""What kind of experiment it is, which nucleus, and under which conditions: sequences by hand, real folders, noise."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nmrdyn as nd
from nmrdyn.schema import InputError
from nmrdyn.topspin.experiment.conditions import conditions
from nmrdyn.topspin.experiment.kind import KINDS, kind_from_data, kind_of
from nmrdyn.topspin.experiment.nucleus import Nucleus, fits_frequency, nucleus_of
from nmrdyn.topspin.experiment.program import parse_program
from nmrdyn.topspin.experiment.sequence import irradiated, measured
from nmrdyn.topspin.files.parameters import read_parameters
from nmrdyn.topspin.sources import expnos_in

END = "\n  go=2 ph31\n  30m mc #0 to 2 F1QF(ivd)\nexit\nph1=0\nph31=0\n"


def scan_of(*lines, define=""):
    return f'"p2=p1*2"\n{define}\n1 ze\n2 30m\n  d1\n  ' + "\n  ".join(lines) + END


@pytest.fixture
def expno(tmp_path):
    """Write an expno with a pulse program, and say what kind it is."""

    def kind(text=None, *, files=(), dimensions=2, varied="", **acqus):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        if text is not None:
            (folder / "pulseprogram").write_text(text)
        for name in files:
            (folder / name).write_text("1\n2\n")
        return kind_of(folder, acqus, dimensions=dimensions, varied=varied)

    return kind


# Sequences as textbooks draw them: Hahn, Phys. Rev. 80 (1950) 580 (echo, stimulated echo); Meiboom and Gill, Rev. Sci.
# Instrum. 29 (1958) 688; Levitt, Prog. NMR Spectrosc. 18 (1986) 61 (composite inversion); Powles and Strange, Proc.
# Phys. Soc. 82 (1963) 6 (solid echo); Torchia, J. Magn. Reson. 30 (1978) 613; Stejskal and Tanner, J. Chem. Phys. 42
# (1965) 288.
SEQUENCES = {
    "saturation by a comb": ("saturation_recovery", ["3 d20", "(p1 ph4):f1", "lo to 3 times l20", "vd", "(p1 ph1):f1"]),
    "saturation by one pulse": ("saturation_recovery", ["p1 ph1", "vd", "p1 ph2"]),
    "saturation by a comb, echo": (
        "saturation_recovery",
        ["3 (p1 ph1):f1", "d20", "lo to 3 times 20", "vd", "(p1 ph1):f1", "d6", "(p2 ph2):f1", "d7"],
    ),
    "saturation by pulses one by one": (
        "saturation_recovery",
        ["p1 ph1", "d20", "p1 ph1", "d21", "p1 ph1", "d22", "vd", "p1 ph2"],
    ),
    "progressive saturation": ("saturation_recovery", ["vd", "p1 ph1"]),
    "inversion": ("inversion_recovery", ["p2 ph1", "vd", "p1 ph2"]),
    "inversion by twice p1, all on lines of groups": ("inversion_recovery", ["(p1*2 ph1):f1 vd", "(p1 ph2):f1"]),
    "inversion by a composite pulse": ("inversion_recovery", ["p1 ph1", "4u", "p2 ph2", "p1 ph1", "vd", "p1 ph2"]),
    "inversion, solid echo": ("inversion_recovery", ["p2 ph1", "vd", "p1 ph1", "d6", "p1 ph2", "d7"]),
    "Hahn echo": ("t2", ["p1 ph1", "vd", "p2 ph2", "vd"]),
    "Hahn echo, second delay in a sum": ("t2", ["p1 ph1", '"d7=vd-de-d8"', "vd", "p2 ph2", "d7"]),
    "Hahn echo sampled whole": ("t2", ["p1 ph1", "vd", "p2 ph2"]),
    "solid echo": ("t2", ["p1 ph1", "vd", "p1 ph2", "vd"]),
    "CPMG by counts": ("t2", ["p1 ph1", "3 d20", "p2 ph2", "d20", "lo to 3 times c"]),
    "CPMG by delays": ("t2", ["p1 ph1", "3 vd", "p2 ph2", "vd", "lo to 3 times l4"]),
    "spin lock by vp": ("t1rho", ["(p1 ph1):f1", "(vp pl14 ph2)"]),
    "spin lock by a delay": ("t1rho", ["p1 ph1", "vd cw:f1 ph2", "1u do:f1"]),
    "stimulated echo": ("stimulated_echo", ["p1 ph1", "d5", "p1 ph2", "vd", "p1 ph3", "d5"]),
    "stimulated echo of spin 1, 54.7 degrees, second delay in a sum": (
        "stimulated_echo",
        ["p1 ph1", "d5", "p3 ph2", '"DELTA=d5-de-p1"', "vd", "p3 ph3", "DELTA"],
    ),
    "stimulated echo, evolution time varied": ("stimulated_echo", ["p1 ph1", "vd", "p1 ph2", "d9", "p1 ph3", "vd"]),
    "T1 by Torchia": ("other", ["(p3 ph1):f2", "(p15 ph2):f1 (p15 ph3):f2", "p1 ph4", "vd", "p1 ph5"]),
    "contact varied": ("other", ["(p3 ph1):f2", "(vp ph3):f2 (vp ph2):f1"]),
    "nutation": ("other", ["(vp ph1):f1"]),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_as_textbooks_draw_them(name, expno):
    kind, lines = SEQUENCES[name]
    define = "define delay DELTA" if "DELTA" in lines[-1] else ""
    found = expno(scan_of(*lines, define=define), PULPROG="<mine>")
    assert found.name == kind
    assert found.evidence[0].startswith("pulse program text: ")


def test_diffusion_is_told_by_gradients_that_are_varied(expno):
    def pulses(gradient):
        return scan_of(
            *("p1 ph1", gradient, "d16", "p1 ph2", "vd", "p1 ph3", gradient, "d16"),
            define="define list<gradient> diff=<Difframp>\ndefine list<gradient> EA=<EA>",
        )

    assert expno(pulses("p30:gp6*diff")).name == "diffusion"
    assert expno(pulses("p30:gp6")).name == "stimulated_echo"
    assert expno(pulses("p30:gp6*EA")).name == "stimulated_echo"


def test_two_pulses_before_the_delay_are_left_to_the_name(expno):
    text = scan_of("p1 ph1", "d20", "p1 ph2", "vd", "p1 ph3", "d6", "p2 ph4", "d6")
    assert expno(text, PULPROG="<mine>").name == "unknown"
    assert "saturation or a stimulated echo" in expno(text, PULPROG="<mine>").evidence[0]
    assert expno(text, PULPROG="<stimecho.me>").name == "stimulated_echo"
    assert expno(text, PULPROG="<satrec2p>").name == "saturation_recovery"
    assert "two pulses" in expno(scan_of("p1 ph1", "20m", "p1 ph2", "vd", "p1 ph3")).evidence[0]


def test_a_pulse_of_unknown_angle_is_a_recovery_of_some_sort(expno):
    text = scan_of("(p44:sp30 ph1):f1", "p19:gp1", "d16", "vd", "p1 ph2")
    assert expno(text, PULPROG="<mine>").name == "unknown"
    assert expno(text, PULPROG="<t1ir_shaped>").name == "inversion_recovery"
    assert expno(text, PULPROG="<hahnecho>").name == "unknown"  # how it is read, not what is measured


def test_lists_of_any_name_and_times_derived_from_them(expno):
    define = 'define list<delay> t1delay = <$VDLIST>\n"l1=0"'
    text = scan_of('"DELTA=t1delay[l1]-p16-d16-4u"', "p2 ph1", "DELTA", "p1 ph2", define=define)
    assert expno(text.replace("ivd", "iu1")).name == "inversion_recovery"
    lock = scan_of("p1 ph1", "p15 ph2", define='"p15=vp"')
    assert expno(lock).name == "t1rho"
    train = scan_of(
        "p1 ph1", "3 d4", "p2 ph2", "d4", "lo to 3 times ncyc", define="define list<loopcounter> ncyc={1 2}"
    )
    found = expno(train)
    assert found.name == "t2"
    assert "CPMG" in found.evidence[0]


def test_the_relaxation_of_another_nucleus_seen_by_cross_polarisation_is_said(expno):
    contact = "(p15:sp1 ph2):f1 (p15:sp0 ph0):f2"
    text = scan_of("3 d20", "(p3 pl2 ph1):f2", "lo to 3 times l20", "vd", "(p3 ph1):f2", contact)
    found = expno(text, NUC1="13C", NUC2="<1H>")
    assert found.name == "saturation_recovery"
    assert found.warnings == ("the relaxation is that of 1H on channel f2, not that of NUC1",)


def test_one_program_two_kinds_by_its_options(expno):
    text = scan_of(
        *("#ifdef t1", "p2 ph20", "vd", "#endif", "p1 ph1", "#ifdef t2", "vd", "#else", "d6", "#endif", "p2 ph2"),
        *("#   ifndef t2", "d7", "#   else", "vd", "#   endif"),
    )
    assert expno(text, PULPROG="<hahnecho.me>", ZGOPTNS="<-Dt1 -Drot>").name == "inversion_recovery"
    assert expno(text, PULPROG="<hahnecho.me>", ZGOPTNS="<-D t2>").name == "t2"
    assert expno(text, PULPROG="<hahnecho.me>", ZGOPTNS="<>").name == "other"  # a plain echo: nothing varied


def test_an_option_that_the_program_never_asks_for_means_nothing(expno):
    found = expno(scan_of("p1 ph1", "vd", "p2 ph2", "vd"), ZGOPTNS="<-Dt1>")
    assert found.name == "t2"
    assert found.warnings == ("ZGOPTNS -Dt1 is left over: the pulse program does not use it",)


def test_options_alone_overrule_a_name_that_only_says_how_the_signal_is_read(expno):
    assert expno(PULPROG="<hahnecho.jb>", ZGOPTNS="<-Dt2>").name == "t2"
    first = expno(PULPROG="<hahnecho.jb>", ZGOPTNS="<-Dt1>")
    assert first.name == "unknown"
    assert "saturation or inversion not told" in first.evidence[0]
    assert expno(PULPROG="<hahnecho.jb>", ZGOPTNS="<-Dt1 -Dsat>").name == "saturation_recovery"


def test_the_text_wins_against_the_name_and_says_so(expno):
    found = expno(scan_of("p1 ph1", "vd", "p2 ph2", "vd"), PULPROG="<satrec.old>")
    assert found.name == "t2"
    (warning,) = found.warnings
    assert "satrec.old says saturation recovery" in warning
    assert "text says t2" in warning


# The first seven are in TopSpin's library (TopSpin pulse program catalogue), the rest are names used in laboratories.
@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("t1ir", "inversion_recovery"),
        ("t1ir1d", "inversion_recovery"),
        ("cpmg", "t2"),
        ("cpmg1d", "t2"),
        ("stebpgp1s", "diffusion"),
        ("ledbpgp2s", "diffusion"),
        ("satrect1", "saturation_recovery"),
        ("satrec", "saturation_recovery"),
        ("satrect1nodec", "saturation_recovery"),
        ("invrec", "inversion_recovery"),
        ("jf_fir", "inversion_recovery"),
        ("t1rho.h", "t1rho"),
        ("hXT1rho.cp", "t1rho"),
        ("dosy2d", "diffusion"),
        ("stimecho", "stimulated_echo"),
        ("project_esgppe.cw", "t2"),
        ("hahnecho", "t2"),
        ("cpxt1", "other"),
        ("zg", "other"),
        ("onepulse", "other"),
        ("19F_T1.cw", "unknown"),
        ("noesygpph", "unknown"),
        ("", "unknown"),
    ],
)
def test_names_of_pulse_programs(program, kind, expno):
    assert expno(PULPROG=f"<{program}>").name == kind


def test_one_dimension_is_other_whatever_it_is_called(expno):
    found = expno(scan_of("p2 ph1", "d7", "p1 ph2"), PULPROG="<t1ir1d>", dimensions=1)
    assert found.name == "other"
    assert found.evidence == ("one-dimensional", "pulse program t1ir1d: named inversion recovery")


def test_a_set_of_one_dimensional_expnos_by_the_delay_they_differ_in(expno):
    assert expno(scan_of("p2 ph1", "d7", "p1 ph2"), varied="d7").name == "inversion_recovery"
    found = expno(scan_of("p1 ph1"), varied="d1")
    assert found.name == "saturation_recovery"
    assert "the scan before saturates" in found.warnings[0]


def test_lists_left_over_from_earlier_experiments(expno):
    found = expno(scan_of("p1 ph1", "(vp ph2)"), files=["vdlist", "vplist"])
    assert found.name == "t1rho"
    assert "vdlist: left over, the pulse program does not use it" in found.evidence
    assert "vplist: pulse lengths are varied" in found.evidence
    plain = expno(scan_of("p1 ph1"), files=["vdlist"], PULPROG="<mine>")  # a D1 and nothing else
    assert plain.name == "other"
    assert "nothing is varied" in plain.evidence[0]
    assert expno(files=["difflist"], PULPROG="<mine>").name == "diffusion"
    assert expno(files=["vdlist"], PULPROG="<mine>").name == "unknown"


def test_comments_and_what_stands_beside_the_scan_are_no_steps():
    text = (
        '# 1 "/opt/pp/mine"\n;p2 ph1 inverts\n/* vd\n lo to 2 times 3 */\n"p2=2*p1"\n1 ze\n  p1 ph9\n2 d1 do:f2\n'
        "  (center (p1 ph1):f1 (p3 ph2):f2) ; vd\n  vd*0.5 cpds2:f2\n  (p1:sp1 ph3 d5 p2*0.5 ph4):f1\n"
        "  go=2 ph31\n  vd\nexit\nph1=0\n"
    )
    program = parse_program(text)
    assert program.expanded
    assert [(step.word, step.channel, step.angle) for step in program.steps if step.what == "pulse"] == [
        ("p1", 1, 90),
        ("p3", 2, 90),
        ("p1", 1, 90),
        ("p2", 1, 90),
    ]
    assert [step.word for step in program.steps if step.what == "delay"] == ["d1", "vd", "d5"]
    during = irradiated(program.steps)
    assert [during[i] for i, step in enumerate(program.steps) if step.what == "delay"] == [
        {},
        {2: "cpds2"},
        {2: "cpds2"},
    ]


def test_the_data_tell_recoveries_from_decays():
    delay = np.geomspace(1e-3, 10, 12)
    order = np.random.default_rng(1).permutation(delay.size)
    for sign in (1, -1):
        for curve, kind in (
            (1 - 2 * np.exp(-delay), "inversion_recovery"),
            (1 - 0.84 * np.exp(-delay), "saturation_recovery"),
            (np.exp(-delay), "other"),
            (0.5 + np.exp(-delay), "unknown"),
            (np.ones_like(delay), "unknown"),
        ):
            assert kind_from_data(sign * curve[order], delay[order]).name == kind
    noise = np.random.default_rng(2).standard_normal((200, delay.size))
    assert np.mean([kind_from_data(row, delay).name == "unknown" for row in noise]) > 0.7
    assert kind_from_data(np.full(8, np.nan), np.arange(8.0)).name == "unknown"
    with pytest.raises(InputError, match="found 3 and 2"):
        kind_from_data(np.ones(2), np.ones(3))


# ---- the nucleus


def console(nucleus, frequency, **channels):
    return {"NUC1": f"<{nucleus}>", "SFO1": frequency, **channels}


@pytest.fixture
def nucleus(tmp_path):
    return lambda acqus: nucleus_of(acqus, where=tmp_path / "acqus")


def test_a_nucleus_that_fits_is_not_doubted(nucleus):
    # Channels that are off keep 1H of this console or of earlier ones: one that agrees is enough.
    found = nucleus(console("7Li", 116.64189817, NUC2="off", BF2=300.13, BF3=399.9, BF4=399.9, BF5=500.13))
    assert found.fits == ("7Li",)
    assert not found.warnings
    # 27Al at 11.7 T, 1 MHz off in the middle of a spectrum taken in steps; nothing else is there.
    found = nucleus(console("27Al", 130.32 + 0.65, NUC2="1H", BF2=500.13))
    assert not found.warnings
    # 207Pb, 1.0 % up by a Knight shift; Xi = 20.920599 % (Harris et al., Pure Appl. Chem. 73 (2001) 1795)
    assert not nucleus(console("207Pb", 104.63 * 1.01, NUC2="off", BF2=500.13)).warnings
    # One channel and nothing else: nothing to hold against it.
    assert nucleus(console("23Na", 100.0)).fits == ()
    assert not nucleus(console("23Na", 100.0)).warnings
    # Parameters left from another console, and 13C is right for a common magnet.
    assert not nucleus(console("13C", 100.61, NUC2="off", BF2=500.13, BF3=500.13)).warnings


@pytest.mark.parametrize(
    "known", [{"NUC2": "1H", "BF2": 500.2}, {"NUC2": "off", "BF2": 500.2}, {"NUC3": "13C", "BF3": 125.778}]
)
def test_a_wrong_nucleus_is_said_with_what_fits(nucleus, known):
    # Xi(23Na) = 26.451900 %, Xi(27Al) = 26.056859 % (Harris et al.): 1.5 % apart
    for wrong in ("13C", "27Al", "1H"):
        found = nucleus(console(wrong, 132.33, **known))
        assert found.name == wrong
        assert found.fits[0] == "23Na"
        assert wrong in found.warnings[0]
        assert "23Na" in found.warnings[0]
        assert fits_frequency("na23", found)
        assert fits_frequency(wrong, found)
        assert not fits_frequency("11B", found)
    assert not nucleus(console("23Na", 132.33, **known)).warnings


def test_the_field_from_the_file_of_the_console_and_from_names(tmp_path, nucleus):
    assert nucleus(console("13C", 132.33, INSTRUM="<AV NEO 500>")).fits[0] == "23Na"
    assert not nucleus(console("23Na", 132.33, INSTRUM="<AV NEO 500>")).warnings
    assert not nucleus(console("13C", 132.33, PROBHD="<5 mm BBI Z8306/15>")).warnings
    (tmp_path / "uxnmr.info").write_text("Release : x\n1H-frequency : 500.20 MHz\n")
    assert nucleus(console("13C", 132.33)).fits[0] == "23Na"


def test_a_name_that_is_no_isotope(nucleus):
    found = nucleus(console("off", 132.33, BF2=500.2))
    assert found.name == "off"
    assert found.fits[0] == "23Na"
    assert "no isotope" in found.warnings[0]


def test_a_microwave_frequency_counts_where_an_isotope_fits(nucleus):
    # A nitroxide at 9.778 GHz and g = 2.0056 is at 0.3483 T, where 1H is at 14.83 MHz (gamma of CODATA 2022).
    tesla = 9.778e9 * 6.62607015e-34 / (2.0056 * 9.2740100657e-24)
    assert tesla * 42.577478 == pytest.approx(14.83, abs=0.01)
    assert nucleus(console("15N", 14.8314, USERA1="<9.7780>")).fits == ("1H",)
    assert not nucleus(console("15N", 50.69, USERA1="<9.7780>", NUC2="1H", BF2=500.13)).warnings
    assert not nucleus(console("23Na", 100.0, USERA1="<9.7780>")).warnings


# ---- conditions


def program_expno(folder, lines, title=""):
    (folder / "pdata/1").mkdir(parents=True, exist_ok=True)
    (folder / "pdata/1/title").write_text(title)
    (folder / "pulseprogram").write_text(scan_of(*lines))
    return folder


COMB = ["3 d20", "(p1 ph4):f1", "lo to 3 times l20"]


def test_irradiation_counts_while_the_magnetisation_recovers(tmp_path):
    hydrogen = {"NUC1": "13C", "NUC2": "<1H>", "CPDPRG": ["", "", "waltz64", ""]}

    def during(*lines, **changes):
        return conditions(program_expno(tmp_path, lines), {**hydrogen, **changes}).irradiated

    assert during(*COMB, "vd cpds2:f2", "1u do:f2", "p1 ph1") == "1H, cpds2 waltz64 during the recovery delay"
    assert during("1u cw:f2", *COMB, "vd", "p1 ph1") == "1H, cw during the recovery delay"
    assert during("1u cpd2:f2", *COMB, "1u do:f2", "vd", "p1 ph1") == ""
    assert during("1u do:f2", *COMB, "vd", "p1 ph1", "1u cpd2:f2") == ""
    # What is on at the end of a scan is on at the start of the next.
    assert during(*COMB, "vd", "p1 ph1", "1u cpd2:f2") == "1H, cpd2 waltz64 during the recovery delay"
    assert (
        during(*COMB, "4 (p3 ph5):f2", "vd*0.1", "lo to 4 times 10", "p1 ph1") == "1H, pulses during the recovery delay"
    )
    assert during(*COMB, "vd cw:f2", "1u do:f2", "p1 ph1", NUC2="off") == ""
    assert during(*COMB, "vd cpds2:f2", "1u do:f2", "p1 ph1", CPDPRG="", CPDPRG2="<spinal64>").startswith(
        "1H, cpds2 spin"
    )
    found = conditions(tmp_path / "none", hydrogen)
    assert found.irradiated == ""
    assert "no pulse program tells" in found.notes[0]


@pytest.mark.parametrize(
    ("title", "acqus", "rate"),
    [
        ("17O 1174 Hz (spinning frequency)\nrotor", {"MASR": 4000, "PROBHD": "PH MAS"}, 1174),
        ("5 kHz MAS", {}, 5000),
        ("MAS rate: 12.5kHz, wlock=10.0kHz", {}, 12500),
        ("wlock=10.0kHz", {}, np.nan),
        ("static echo", {"MASR": 12000, "PROBHD": "4 mm MAS"}, 0),
        ("", {"MASR": 12000, "PROBHD": "H123 (PH MASDVT400W1 BL4 N-P/H)"}, 12000),
        ("", {"MASR": 4200, "PROBHD": "4 mm MAS"}, np.nan),
        ("", {"MASR": 4200, "PROBHD": "5 mm BBI 1H/2H-BB Z-GRD Z8306/15"}, 0),
        ("", {"MASR": 12000}, np.nan),
        ("", {}, np.nan),
    ],
)
def test_the_spinning_rate_and_who_is_believed(tmp_path, title, acqus, rate):
    found = conditions(program_expno(tmp_path, [*COMB, "vd", "p1 ph1"], title), acqus)
    assert found.mas_rate == pytest.approx(rate, nan_ok=True)
    assert any("friction" in note for note in found.notes) == (rate > 0)


def test_cnst31_counts_where_the_pulse_program_uses_it(tmp_path):
    acqus = {"CNST": [1] * 31 + [20000.0, 1]}
    assert np.isnan(conditions(program_expno(tmp_path, [*COMB, "vd", "p1 ph1"]), acqus).mas_rate)
    lines = ['"d6=1s*l31/cnst31"', *COMB, "vd", "p1 ph1"]
    assert conditions(program_expno(tmp_path, lines), acqus).mas_rate == 20000


def test_friction_heats_as_the_square_of_the_speed_of_the_surface(tmp_path):
    # 10 K at 10 kHz in a 4 mm rotor: Brus, Solid State Nucl. Magn. Reson. 16 (2000) 151
    def kelvin(rate, probe):
        (note,) = [one for one in conditions(tmp_path, {"MASR": rate, "PROBHD": probe}).notes if "friction" in one]
        return float(note.split("about ")[1].split(" K")[0])

    assert kelvin(10000, "4 mm MAS") == 10
    assert kelvin(5000, "4 mm MAS") == 2.5
    assert kelvin(20000, "MAS BL2.5") == pytest.approx(10 * (20 * 2.5 / 40) ** 2, rel=0.05)  # two digits are told
    assert kelvin(10000, "MAS H12345") == 10


# ---- real folders


def parameters(folder):
    with expnos_in(folder) as located:
        return [(one.path, read_parameters(one.path / "acqus")) for one in located]


@pytest.mark.parametrize(
    ("folder", "kind", "first"),
    [
        ("17O-lamox-satrec", "saturation_recovery", "a loop of pulses"),
        ("7Li-T1rho", "t1rho", "spin lock"),
        ("1H-T2-noser", "t2", "CPMG"),
        ("crn87rb-T1", "inversion_recovery", "180 degrees"),
        ("crn87rb-T2", "t2", "echo: vd on both sides of p2"),
        ("dnplab-IR", "inversion_recovery", ""),
    ],
)
def test_the_kind_of_real_folders(topspin, folder, kind, first):
    for expno, acqus in parameters(topspin / folder):
        found = kind_of(expno, acqus, dimensions=2)
        assert found.name == kind
        assert first in found.evidence[0]
        assert not found.warnings


def test_the_pulse_program_of_real_folders_tells_without_name_or_options(topspin):
    for folder, kind in (("crn87rb-T1", "inversion_recovery"), ("crn87rb-T2", "t2")):
        for expno, acqus in parameters(topspin / folder):
            swapped = {"t2": "<-Dt1>", "inversion_recovery": "<-Dt2>"}[kind]
            assert kind_of(expno, acqus | {"ZGOPTNS": "<>", "PULPROG": "<x>"}, dimensions=2).name == kind
            found = kind_of(expno, acqus | {"ZGOPTNS": swapped}, dimensions=2)
            assert found.name == kind
            assert swapped.strip("<>") in found.warnings[0]


def test_the_nucleus_of_real_folders(topspin):
    # At 0.3483 T electrons of a nitroxide are at 9.778 GHz, as USERA1 of these expnos says; 15N is at 1.50 MHz.
    for expno, acqus in parameters(topspin):
        found = nucleus_of(acqus, where=expno / "acqus")
        if "dnplab-IR" in expno.parts:
            assert found.name == "15N"
            assert found.fits == ("1H",)
            assert all(words in found.warnings[0] for words in ("3.43", "146.3", "0.348", "9.77"))
        else:
            assert found.fits == (found.name,)
            assert not found.warnings


def test_the_conditions_of_real_folders(topspin):
    (oxygen,) = [conditions(*one) for one in parameters(topspin / "17O-lamox-satrec")]
    assert oxygen.mas_rate == 1174
    assert oxygen.irradiated == ""
    assert "MASR 4000 Hz" in oxygen.notes[0]
    assert "7 mm" in oxygen.notes[1]
    for folder in ("crn87rb-T1", "7Li-T1rho", "1H-T2-noser", "dnplab-IR"):
        for expno, acqus in parameters(topspin / folder):
            assert not conditions(expno, acqus).mas_rate > 0  # MASR says 4200 and 5000 Hz there


def test_folders_of_the_simulator(sodium, tmp_path):
    expno = nd.simulate_folder(sodium, tmp_path / "23Na", seed=1) / "1"
    acqus = read_parameters(expno / "acqus")
    assert kind_of(expno, acqus, dimensions=2).name == "saturation_recovery"
    assert kind_of(expno, acqus, dimensions=2).warnings == ()
    assert nucleus_of(acqus, where=expno / "acqus").warnings == ()
    assert conditions(expno, acqus).notes == ()


# ---- hostile input

WORDS = (
    'vd|p1|p2*2|(p1 ph1):f1|(|)|lo to 2 times vc|2|L,|#ifdef a|#else|#endif|"a=b"|"b=a+vd"|go=2|ze|p1:gp1*x|cw:f2|do:f2'
)
WORDS += "|define list<delay> x|\n|;|/*|*/|[|\x00"


@given(st.lists(st.sampled_from(WORDS.split("|")) | st.text(max_size=5), max_size=60), st.sampled_from([" ", "\n"]))
@settings(max_examples=150, deadline=1000)
def test_any_text_is_read_without_an_error(words, blank):
    program = parse_program(blank.join(words), defined=["a"], varied="d7")
    assert measured(program).kind in (*KINDS, "recovery", "")
    assert len(irradiated(program.steps)) == len(program.steps)


@pytest.mark.parametrize(
    "unit", ["1 ", "(", "(a", "/*", "#ifdef a\n", "#if\np1\n", "p1\nlo to 2 times 2\n", "p1\n", "vd[", "cw:"]
)
def test_a_large_file_takes_no_long_time(tmp_path, unit):
    start = "1 ze\n2 d1\np1 ph1\nd5\np1 ph2\nvd\np1 ph3\n"
    definitions = "".join(f'"d{i + 1}=d{i}"\n' for i in range(5000))
    steps = "".join(f"d{i}\n" for i in range(900))
    for text in (start + unit * (190_000 // len(unit)), definitions + start + steps + "go=2\n"):
        (tmp_path / "pulseprogram").write_text(text)
        begun = time.process_time()
        kind_of(tmp_path, {"PULPROG": "<x>"}, dimensions=2)
        assert time.process_time() - begun < 1


def test_parameters_of_any_sort(tmp_path):
    (tmp_path / "pulseprogram").mkdir()
    (tmp_path / "pdata/1/title").mkdir(parents=True)
    hostile = {
        "PULPROG": ["<a\x1b[2J>"],
        "ZGOPTNS": 3,
        "NUC1": None,
        "NUC2": [1],
        "SFO1": "x",
        "BF2": "1e999",
        "MASR": "\x00",
        "PROBHD": 5,
        "CNST": "1 2",
        "USERA1": float("nan"),
    }
    assert kind_of(tmp_path, hostile, dimensions=2).name == "unknown"
    assert "\x1b" not in kind_of(tmp_path, hostile | {"PULPROG": "satrec\x1b[2J"}, dimensions=2).evidence[0]
    assert nucleus_of(hostile, where=tmp_path / "acqus").fits == ()
    assert nucleus_of(hostile | {"NUC1": "1H", "SFO1": 400}, where=tmp_path / "acqus").warnings == ()
    assert np.isnan(conditions(tmp_path, hostile).mas_rate)


def test_a_link_that_leads_out_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text(scan_of("p2 ph1", "vd", "p1 ph2"))
    (tmp_path / "1").mkdir()
    (tmp_path / "1/pulseprogram").symlink_to(outside)
    assert kind_of(tmp_path / "1", {}, dimensions=2).evidence == ()


def test_a_nucleus_that_fits_goes_by_no_other_name():
    # 63Cu is 0.2 % from 23Na: what a shift could be, but nothing says that NUC1 is wrong.
    found = Nucleus("23Na", ("23Na", "63Cu"))
    assert fits_frequency("23Na", found)
    assert not fits_frequency("63Cu", found)
