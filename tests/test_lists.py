"""Lists of delays, pulse lengths and counts, as consoles and people write them."""

import re
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nmrdyn as nd
from nmrdyn.topspin.files.lists import find_list, read_list
from nmrdyn.topspin.files.parameters import read_parameters

KINDS = ("vd", "vp", "vc")
POWERS = {"s": 0, "m": -3, "u": -6, "n": -9}

# The lists of the public folders, by folder and expno; delays and pulse lengths in s. Those of crn87rb-T1 and T2 are
# not free to copy and are compared with a plain reading of the same numbers instead.
INVERSION = [20e-3, 56.854e-3, 161.616e-3, 459.422e-3, 1.306, 3.713, 10.553, 30]
REAL = {
    "17O-lamox-satrec/1/vdlist": [
        5e-6,
        1e-5,
        3e-5,
        5e-5,
        1e-4,
        3e-4,
        5e-4,
        1e-3,
        3e-3,
        5e-3,
        0.01,
        0.03,
        0.05,
        0.1,
        0.3,
    ],
    "dnplab-IR/28/vdlist": INVERSION,
    "dnplab-IR/30/vdlist": INVERSION,
    "dnplab-IR/304/vdlist": INVERSION,
    "7Li-T1rho/79/vplist": [
        *(10e-6, 20e-6, 30e-6, 40e-6, 50e-6, 60e-6, 100e-6, 200e-6, 300e-6, 500e-6, 750e-6, 1e-3, 1.5e-3, 2e-3),
        *(2.5e-3, 3e-3, 5e-3, 7.5e-3, 0.01, 0.012, 0.025, 0.04, 0.06, 0.1, 0.2, 0.4),
    ],
    "1H-T2-noser/1/vclist": [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 320, 384],
}
REAL["1H-T2-noser/1/lists/vc/t2.cw"] = REAL["1H-T2-noser/1/vclist"]


def kind_of(path):
    return path.parent.name if path.parent.parent.name == "lists" else path.name.removesuffix("list")


def read(text, kind="vd"):
    """The values of a list with this content, text or bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kind}list"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_list(path, kind)


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1\n")
    return folder


# Real lists


@pytest.mark.parametrize("name", REAL)
def test_real_lists_have_their_published_values(topspin, name):
    path = topspin / name
    assert read_list(path, kind_of(path)).tolist() == REAL[name]  # both are the float nearest to the same decimals


def test_every_real_list_is_read_and_has_as_many_values_as_rows_were_planned(topspin):
    lists = sorted([*topspin.glob("*/*/v[dpc]list"), *topspin.glob("*/*/lists/v[dpc]/*")])
    assert len(lists) == 18
    for path in lists:
        values = read_list(path, kind_of(path))
        expno = path.parents[2] if path.parent.name == "vc" else path.parent
        if "dnplab-IR/4/" in path.as_posix():  # 13 lines for 5 planned rows: a list used only in part
            assert values[[0, -1]].tolist() == [0.012, 20.0]
            assert values.size == 13
            continue
        assert values.size == int(read_parameters(expno / "acqu2s")["TD"]), path
        if "crn87rb" in path.as_posix():  # plain seconds in two interleaved halves, blank lines at some ends
            assert values.tolist() == [float(word) for word in path.read_text().split()]
            assert np.sum(np.diff(values) < 0) == 1


def test_real_folders_with_and_without_a_list(topspin, tmp_path):
    expno = topspin / "1H-T2-noser" / "1"
    parameters = read_parameters(expno / "acqus")
    assert find_list(expno, "vc", parameters) == expno / "vclist"
    shutil.copytree(expno / "lists", tmp_path / "lists")
    assert find_list(tmp_path, "vc", parameters) == tmp_path / "lists" / "vc" / "t2.cw"
    assert [find_list(tmp_path, kind, parameters) for kind in ("vd", "vp")] == [None, None]
    bare = topspin / "dnplab-IR" / "33"
    assert find_list(bare, "vd", read_parameters(bare / "acqus")) is None


# Where a list is


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("written", ["slow", "<slow>", " <slow> ", '"slow"', "'slow'", '<"slow">'])
def test_plain_list_first_then_the_named_one(tmp_path, kind, written):
    key = f"{kind.upper()}LIST"
    make(tmp_path, f"{kind}list", f"lists/{kind}/slow", f"lists/{kind}/fast")
    assert find_list(tmp_path, kind, {key: written}) == tmp_path / f"{kind}list"
    (tmp_path / f"{kind}list").unlink()
    assert find_list(tmp_path, kind, {key: written}) == tmp_path / "lists" / kind / "slow"
    assert find_list(tmp_path, kind, {key: "<gone>"}) is None
    assert find_list(tmp_path, kind, {}) is None
    others = [other for other in KINDS if other != kind]
    assert [find_list(tmp_path, other, {key: written}) for other in others] == [None, None]


@pytest.mark.parametrize("parameters", [{}, {"VDLIST": ""}, {"VDLIST": "<DDDDDDDDDDDDDDD>"}, {"VDLIST": 7}])
def test_an_only_list_is_taken_whatever_its_name(tmp_path, parameters):
    make(tmp_path, "lists/vd/slow", "lists/vd/.DS_Store", "lists/vd/._slow", "lists/vd/slow~", "lists/vd/old/slower")
    assert find_list(tmp_path, "vd", parameters) == tmp_path / "lists" / "vd" / "slow"


@pytest.mark.parametrize(
    "name", ["../../vdlist", "../../../vdlist", "sub/list", "..\\x", "..", ".", "", "a\0b", "/", "C:\\x"]
)
def test_a_name_never_leads_out_of_the_folder_of_lists(tmp_path, name):
    expno = make(tmp_path / "1", "lists/vd/a", "lists/vd/b", "lists/vd/sub/list")
    make(tmp_path, "vdlist", "1/secret/vdlist", "1/x", "x")
    for written in (name, f"<{name}>", str(tmp_path / "vdlist"), f"<{tmp_path}/1/lists/vd/a>"):
        assert find_list(expno, "vd", {"VDLIST": written}) is None
    (expno / "lists/vd/b").unlink()
    assert find_list(expno, "vd", {"VDLIST": name}) == expno / "lists" / "vd" / "a"


def test_no_list(tmp_path):
    assert find_list(tmp_path, "vd", {"VDLIST": "<t1>"}) is None
    assert find_list(tmp_path / "gone", "vd", {"VDLIST": "<t1>"}) is None
    make(tmp_path, "lists")  # a file of that name
    assert find_list(tmp_path, "vd", {"VDLIST": "<t1>"}) is None
    folder = make(tmp_path / "1", "vdlist/not-a-list", "lists/vd/t1/not-a-list")
    assert find_list(folder, "vd", {"VDLIST": "<t1>"}) is None


# What a list says


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0 2.0 3 5", [1, 2, 3, 5]),
        ("0.002s\n0.003s\n0.016s", [0.002, 0.003, 0.016]),  # as in github.com/Saarikakumar/CCRLX_Pandas
        ("20.000m\n1.306\n30.000\n", [0.02, 1.306, 30]),
        ("5U 10M 7N 2S", [5e-6, 0.01, 7e-9, 2]),
        ("5us 10ms 7ns 5US 10Ms", [5e-6, 0.01, 7e-9, 5e-6, 0.01]),
        ("5 u\n10 ms 3 s 4", [5e-6, 0.01, 3, 4]),
        ("1e-3 1.5E-05 1d-3 1D+1 2e3m 1e+003", [1e-3, 1.5e-5, 1e-3, 10, 2, 1000]),
        (".5 5. 0 0.0 0m", [0.5, 5, 0, 0, 0]),
        ("3\n1\n3\n2\n1\n", [3, 1, 3, 2, 1]),  # order and repeats kept
        ("1\r\n2\r\n", [1, 2]),
        ("1\r2\r", [1, 2]),
        ("\n\n 1 \t\n\t2\t3  \n\n \n", [1, 2, 3]),
        ("; 4\n#5\n  ; 6 7\n1 ; 2\n3 # 4\n5#6\n7;seven 9\n8;", [1, 3, 5, 7, 8]),
        ("\ufeff1\n2", [1, 2]),
        (b"\xef\xbb\xbf1 ; \xb5s\n2", [1, 2]),
        ("1\u00a0m\n2", [1e-3, 2]),  # a blank pasted from a document
        (b"1 ; 20 \xb0C, \xb5s \x85 9\n2 # \xff\xfe\x00\n", [1, 2]),
        ("1 ; 20 °C, µs \u2028 9\n2", [1, 2]),
        (b"\xff\xfe" + "1m\r\n2 ; \u00b0\r\n".encode("utf-16-le"), [1e-3, 2]),
        (b"\xfe\xff" + "1m\r\n2\r\n".encode("utf-16-be"), [1e-3, 2]),
    ],
)
def test_delays_as_people_write_them(text, expected):
    assert read(text).tolist() == expected


def test_a_number_without_a_unit():
    assert read("10\n400000\n2.5", "vp").tolist() == [1e-5, 0.4, 2.5e-6]
    assert read("10u 10m 10s 10 n", "vp").tolist() == [1e-5, 1e-2, 10, 1e-8]
    assert read("10\n400000\n2.5", "vd").tolist() == [10, 400000, 2.5]
    assert read("0\n10\n400000 8.0 1e2", "vc").tolist() == [0, 10, 400000, 8, 100]


# Made from what a list may hold: values as exact decimals, written in any of the accepted ways.
GAPS = st.sampled_from(
    ["\n", "\r\n", "\r", " ", "\t", "   ", " \n", "\t\r\n\r\n", "\n \n", " ; 5u, µ 1\n", " # 3\r\n", "\n;7\r"]
)


@st.composite
def written(draw, kind):
    """A word of a list, and its value in s or as a count."""
    if kind == "vc":
        count = draw(st.integers(0, 10**9))
        return draw(st.sampled_from([str(count), f"{count}.0", f"{count}e0"])), Decimal(count)
    number = Decimal(draw(st.integers(0, 10**12))).scaleb(draw(st.integers(-12, 2)))
    text = draw(st.sampled_from([f"{number:f}", f"{number:e}", f"{number:E}", f"{number:e}".replace("e", "d")]))
    unit = draw(st.sampled_from(["", *POWERS, "ms", "us", "ns"]))
    power = POWERS[unit[0]] if unit else {"vd": 0, "vp": -6}[kind]
    unit = draw(st.sampled_from([unit, unit.upper(), unit.title()]))
    return text + (draw(st.sampled_from(["", " ", "\t "])) if unit else "") + unit, number.scaleb(power)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(KINDS).flatmap(
        lambda kind: st.tuples(st.just(kind), st.lists(written(kind), min_size=1, max_size=8))
    ),
    st.data(),
)
def test_any_mixture_of_formats_gives_the_values_back(case, data):
    kind, items = case
    text = data.draw(st.sampled_from(["", "\n", "; 1 2 3\n", "# 4\r\n"]))
    for word, _ in items:
        text += word + data.draw(GAPS)
    coding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]))
    expected = [float(value) for _, value in items]
    values = read(text.encode(coding), kind)
    assert values.dtype == np.float64
    assert values.tolist() == expected  # a Decimal, too, becomes the nearest float


# What is refused


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.binary(max_size=60)
    | st.text("0123456789.eEdDmunsSMU+-,;#: \t\r\n", max_size=40).map(str.encode)
    | st.text("059.eunsſµٳ⁵\u00a0\u2028;, \n", max_size=12).map(str.encode)
    | st.lists(st.sampled_from(["1", "2m", "nan", "inf", "1e999", "1e-999", "9e9999m", "-0", "u", ";"]))
    .map(" ".join)
    .map(str.encode),
)
@example("vd", "5ſ".encode())
@example("vd", b"1e" + b"9" * 5000)
@example("vd", b"\xff\xfe1")
@example("vc", b"1e308")
@example("vp", b"1" * 5000)
def test_anything_else_is_refused_and_never_breaks(kind, data):
    try:
        values = read(data, kind)
    except nd.InputError:
        return
    assert values.size > 0
    assert np.all(np.isfinite(values) & (values >= 0))
    assert kind != "vc" or np.all(values % 1 == 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "line", "found", "move"),
    [
        ("1\n0,5\n", 2, "0,5", "write decimals with a point"),
        ("1, 2, 3", 1, "1,", "a blank between values"),
        ("1\r\n\r\n-3\r\n", 3, "-3", "none can be below zero"),
        ("1\r-0\r", 2, "-0", "none can be below zero"),
        ("# first\n1\nnan", 3, "nan", ""),
        ("inf", 1, "inf", ""),
        ("1e999", 1, "1e999", ""),
        ("1\n2 seconds", 2, "seconds", ""),
        ("1x", 1, "1x", ""),
        ("5p", 1, "5p", ""),
        ("5m5", 1, "5m5", ""),
        ("5 x m", 1, "x", ""),
        ("m 5", 1, "m", ""),
        ("5\nm", 2, "m", ""),
        ("1_000", 1, "1_000", ""),
        ("0x10", 1, "0x10", ""),
        ("٣", 1, "٣", ""),
        ("5ſ", 1, "5ſ", ""),
        ("1 +", 1, "+", ""),
        ("e5", 1, "e5", ""),
        (".", 1, ".", ""),
        ("1.2.3", 1, "1.2.3", ""),
        ("1:2", 1, "1:2", ""),
        ("1e", 1, "1e", ""),
        (b"1\x00", 1, "1\\x00", ""),
        ("1;2;3", 1, "1;2;3", "put blanks in its place"),
        ("4\n1; 2 3", 2, "1; 2 3", "leave a blank before ;"),
    ],
)
def test_refusals_name_file_line_finding_and_next_move(kind, text, line, found, move):
    if kind == "vc" and "m" in found:
        move = "without a unit"
    with pytest.raises(
        nd.InputError, match=rf"{kind}list, line {line}: needed .*, found '{re.escape(found)}'.*; .*{move}"
    ):
        read(text, kind)


@pytest.mark.parametrize("text", ["2.5", "1 4u", "4 u", "4s", "1e-1", "4ms"])
def test_counts_are_whole_and_have_no_unit(text):
    word = re.escape(text.split()[-1])
    with pytest.raises(nd.InputError, match=f"line 1: needed a count such as 4, found '{word}'; give whole numbers"):
        read(text, "vc")
    assert np.all(read(text, "vd") > 0)


@pytest.mark.parametrize("text", ["", "\n \r\n\t", "; 1\n# 2\n", "\ufeff", b"\xff\xfe"])
@pytest.mark.parametrize(("kind", "noun"), [("vd", "delays"), ("vp", "pulse lengths"), ("vc", "counts")])
def test_an_empty_list_is_refused(text, kind, noun):
    with pytest.raises(nd.InputError, match=f"{kind}list: needed {noun}, found an empty list; copy it"):
        read(text, kind)


def test_a_file_that_is_no_list_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "vdlist"
    path.write_bytes(b"1;" + b"x" * 3_999_998)
    assert read_list(path, "vd").tolist() == [1]
    with path.open("r+b") as file:
        file.truncate(10**12)  # a sparse terabyte: reading it would fail
    with pytest.raises(nd.InputError, match="vdlist: needed a delay list of at most 4 MB, found more"):
        read_list(path, "vd")


def test_no_file_and_no_such_kind(tmp_path):
    for path in (tmp_path / "vdlist", make(tmp_path, "vplist/x") / "vplist"):
        with pytest.raises(nd.InputError, match=rf"needed a delay list {path.name}, found none; is this an arrayed"):
            read_list(path, "vd")
    with pytest.raises(nd.InputError, match="kind: needed one of vd, vp, vc, found 'va'"):
        read_list(tmp_path / "valist", "va")
    with pytest.raises(nd.InputError, match=r"kind: needed one of vd, vp, vc, found '\.\./vd'"):
        find_list(tmp_path, "../vd", {})


def test_what_cannot_be_read_is_refused(tmp_path, monkeypatch):
    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    expno = make(tmp_path, "vdlist", "lists/vp/a")
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(nd.InputError, match="vdlist: needed a readable file, found Permission denied; check"):
        read_list(expno / "vdlist", "vd")
    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(nd.InputError, match="vp: needed a readable folder, found Permission denied; check"):
        find_list(expno, "vp", {})
