"""Hostile input: whatever a folder, a zip, a study or a table holds gives a valid stage or one clear InputError."""

import json
import os
import re
import shutil
import signal
import struct
import tempfile
import tracemalloc
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hostile.folders import Hostile, seeded, simulated, state
from hostile.texts import SPECTRA, STUDY, TABLES, VALUES, mutated

import nmrdyn as nd
from nmrdyn.cli.main import main
from nmrdyn.schema import STAGES
from nmrdyn.study.read import read_study
from nmrdyn.temperatures import read_temperatures
from nmrdyn.topspin.experiment import program
from nmrdyn.topspin.files.lists import read_list
from nmrdyn.topspin.files.parameters import read_parameters
from nmrdyn.topspin.files.results import topspin_results

LIMIT = 30  # s a case may take, on a machine that is busy with others; the slowest takes a few tenths
WORDS = 1200  # letters of an error
ACQUS = "##$SFO1= 100\n##$NUC1= <23Na>\n##END=\n"


class _Hung(BaseException):
    """No `except Exception` may catch it."""


@contextmanager
def in_time(seconds=LIMIT):
    def stop(*_):
        raise _Hung

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Hung:
        pytest.fail(f"took more than {seconds} s")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(call, what):
    """What a call gives, or None and one clear line."""
    try:
        with in_time():
            return call()
    except nd.InputError as error:
        said = str(error)
        assert "\n" not in said, (what, said[:300])
        assert 0 < len(said) < WORDS, (what, said[:300])
        return None


def peak(call):
    """Bytes that a call allocates at most."""
    tracemalloc.start()
    try:
        outcome(call, "memory")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def parameter(path, key, default=None):
    """The last number of that name in a parameter file, read by one regular expression."""
    text = path.read_bytes().decode("latin-1")
    found = re.findall(rf"(?:^|[\r\n])##\${key}=[ \t]*([-+0-9.eE]+)[ \t]*(?=[\r\n]|$)", text)
    return float(found[-1]) if found else default


def check_rows(entry):
    """Rows that were read are all the complete rows of the file, less those of zeros; never more than there are."""
    expno, rows = Path(entry["path"]), entry["rows_recorded"]
    assert rows == len(entry["recorded_rows"]) or not entry["recorded_rows"]
    if not rows or not (expno / "ser").is_file():
        return
    data = (expno / "ser").read_bytes()
    words, kind = parameter(expno / "acqus", "TD"), parameter(expno / "acqus", "DTYPA", 0.0)
    if words is None or words != int(words):
        return  # written in a way that this test does not read
    bare = int(words) * {0: 4, 1: 4, 2: 8}[int(kind)]
    lengths = {bare, -(-bare // 1024) * 1024}
    used = np.array(entry["recorded_rows"], dtype=int)
    agree = []
    for length in lengths:
        whole = len(data) // length
        table = np.frombuffer(data[: whole * length], np.uint8).reshape(whole, length)[:, :bare]
        written = np.flatnonzero(table.any(axis=1)) + 1
        agree.append(rows == whole if not used.size else np.array_equal(used, written))
    assert any(agree), (entry["experiment"], rows, len(data), lengths)


def check_stage(data):
    """A stage that can be handed on: the variables it must have, finite where it says that it is."""
    assert set(STAGES[data.attrs["stage"]].variables) <= set(data.variables)
    for name in ("warnings", "left_out", "sources"):
        json.dumps(json.loads(data.attrs.get(name, "{}")))
    assert all(name.isprintable() for name in data["experiment"].values)


def try_folder(hostile, what):
    """Scan, read and fit a folder; True where it could be read."""
    before = state(hostile.top)
    entries = outcome(lambda: nd.scan(hostile.path), what)
    recovery = outcome(lambda: nd.read_topspin(hostile.path), what)
    assert state(hostile.top) == before, what
    assert not list(Path(tempfile.gettempdir()).iterdir()), what
    for entry in entries or []:
        json.dumps(entry)
        assert all(text.isprintable() for text in (entry["experiment"], *entry["warnings"])), what
        if hostile.path.is_dir():
            check_rows(entry)
    if recovery is None:
        return False
    check_stage(recovery)
    relaxation = outcome(lambda: nd.fit_recovery(recovery, "single"), what)
    check_stage(relaxation)
    assert np.all(np.isfinite(relaxation.t1) | (relaxation.reason != "")), what
    return True


def try_cases(folders, cases):
    """Mutate each folder in turn; how many could still be read."""
    read = 0
    for case in cases:
        hostile = folders[case % len(folders)]
        what = hostile.change(seeded(case))
        try:
            read += try_folder(hostile, f"case {case}: {what}")
        finally:
            hostile.restore()
    return read


@pytest.fixture
def own_temporary(tmp_path, monkeypatch):
    """A folder for temporary files that shows what is left."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def folders(tmp_path, own_temporary):
    made = simulated(tmp_path / "raw")
    return [Hostile(path, tmp_path / "outside" / name) for name, path in made.items()]


def test_any_change_of_a_folder_gives_a_stage_or_one_clear_error(folders):
    for hostile in folders:
        assert try_folder(hostile, "as simulated")
    read = try_cases(folders, range(60))
    assert 20 < read < 58  # the mutations do reach what is read, and do not break all


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_five_thousand_changes_of_a_folder(folders, part):
    assert 500 < try_cases(folders, range(1000 * (part + 1), 1000 * (part + 2))) < 900


@pytest.mark.slow
def test_any_change_of_a_real_folder(topspin, tmp_path, own_temporary):
    made = []
    for name in ("17O-lamox-satrec", "7Li-T1rho", "1H-T2-noser", "crn87rb-T2"):
        shutil.copytree(topspin / name, tmp_path / "raw" / name, copy_function=shutil.copyfile)
        made.append(Hostile(tmp_path / "raw" / name, tmp_path / "outside" / name))
    try_cases(made, range(400))


def reader(kind, folder):
    """What reads each kind of table or study."""
    return {
        "conductivity": nd.read_conductivity,
        "resistances": lambda path: nd.read_conductivity(path, part="bulk"),
        "origin": nd.read_conductivity,
        "diffusion": nd.read_diffusion,
        "autocorrelation": lambda path: nd.rotational_correlation_time(nd.read_autocorrelation(path), rank=2),
        "t1": lambda path: nd.read_table(path, nucleus="23Na"),
        "tau": nd.read_table,
        "temperatures": read_temperatures,
        "vdlist": lambda path: read_list(path, "vd"),
        "delays": lambda path: nd.fit_recovery(nd.read_topspin(folder / "ser" / "1", delays=path), "single"),
        "magres": lambda path: nd.read_efg(path, nucleus="11B"),
        "OUTCAR": lambda path: nd.read_efg(path, nucleus="11B"),
        "study": read_study,
    }.get(kind, lambda path: nd.read_impedance(path, temperature=300.0))


@pytest.fixture
def texts(tmp_path, own_temporary):
    simulated(tmp_path)
    for name in ("tau", "t1", "conductivity", "resistances", "diffusion", "autocorrelation"):
        (tmp_path / f"{name}.csv").write_text(TABLES[name], encoding="utf-8")
    (tmp_path / "spectrum_60C.csv").write_text(SPECTRA["header"], encoding="utf-8")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


def try_texts(folder, kind, cases):
    """Mutate a text; how many could still be read."""
    text, read = (TABLES | SPECTRA | {"study": STUDY})[kind], reader(kind, folder)
    file = folder / ("study.toml" if kind == "study" else "x.csv")
    file.write_text(text, encoding="utf-8")
    assert read(file) is not None
    limits = {"values": VALUES} if kind == "study" else {}
    done = 0
    for case in cases:
        file.write_bytes(mutated(text, seeded(f"{kind} {case}"), **limits))
        before = state(folder)
        found = outcome(lambda: read(file), f"{kind} {case}")
        temporary = Path(tempfile.gettempdir())
        assert not list(temporary.iterdir())
        if kind in SPECTRA or getattr(found, "attrs", {}).get("stage") in ("transport", "diffusion"):
            check_positive(found, f"{kind} {case}")
        done += found is not None
        assert {**state(folder), temporary: ()} == {**before, temporary: ()}  # copies of spectra were there
    return done


def check_positive(data, what):
    """What is known of a stage that came of a mutated file is finite, and above 0 where it must be."""
    if data is None:
        return
    check_stage(data)
    for name in STAGES[data.attrs["stage"]].variables:
        known = data[name].values[~np.isnan(data[name].values)]
        assert np.all(np.isfinite(known)), what
        assert np.all(known > 0) or name.startswith("impedance"), what
    for name in ("temperature", "frequency"):
        assert name not in data.coords or not np.any(data[name].values <= 0), what


@pytest.mark.parametrize("kind", [*TABLES, *SPECTRA, "study"])
def test_any_change_of_a_table_or_a_study(texts, kind):
    cases = 60 if kind == "study" else 25  # most changes of a study are refused
    assert 0 < try_texts(texts, kind, range(cases)) < cases


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*TABLES, *SPECTRA, "study"])
def test_a_thousand_changes_of_a_table_or_a_study(texts, kind):
    assert 10 < try_texts(texts, kind, range(1000, 2000)) < 900


# What once hung, or took memory without bound: each within the time of a case.


@pytest.mark.parametrize("unit", ["<", "a<", "##$a=\n", "\n", "9", "(0..9)"])
def test_long_parameter_files_are_read_in_linear_time(tmp_path, unit):
    (tmp_path / "acqus").write_text("##$D= (0..1)\n" + unit * (400_000 // len(unit)), encoding="utf-8")
    with in_time(8):
        outcome(lambda: read_parameters(tmp_path / "acqus"), unit)


@pytest.mark.parametrize("text", ["T1 = " + "1 " * 1_900_000, "T1=1\nSD=1\n" * 300_000, "1 points for x\n" * 250_000])
def test_a_long_report_of_topspin_is_read_to_a_bound(tmp_path, text):
    report = tmp_path / "pdata" / "1" / "ct1t2.txt"
    report.parent.mkdir(parents=True)
    report.write_text(text, encoding="utf-8")
    with in_time(8):
        assert len(topspin_results(tmp_path)) <= 5000


def test_a_pulse_program_is_parsed_once(folders, monkeypatch):
    calls = []
    monkeypatch.setattr(program, "_steps", lambda *words: calls.append(words) or [])
    program._parsed.cache_clear()
    nd.scan(folders[0].path)
    program._parsed.cache_clear()
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["acqus", "acqu2s", "vdlist", "pulseprogram", "audita.txt", "pdata/1/title"])
def test_a_gigabyte_of_nothing_is_read_to_a_bound(folders, name):
    file = folders[0].path / "1" / name
    os.truncate(file, 10**9)
    assert peak(lambda: nd.scan(folders[0].path)) < 60e6
    assert peak(lambda: nd.read_topspin(folders[0].path)) < 60e6


def test_memory_of_raw_data_is_in_proportion_to_the_file(folders):
    expno = folders[0].path / "1"
    os.truncate(expno / "ser", 50_000_000)  # 24,000 rows of 2 kB, all but six of them zeros
    assert peak(lambda: nd.read_topspin(expno)) < 5 * 50e6
    text = (expno / "acqus").read_text(encoding="utf-8")
    (expno / "acqus").write_text(text.replace("##$TD= 1024", "##$TD= 12500000"), encoding="utf-8")
    assert peak(lambda: nd.read_topspin(expno)) < 5 * 50e6


def test_a_gigabyte_in_place_of_a_table_or_a_study(tmp_path):
    for kind in (*TABLES, "header", "study"):
        if kind == "delays":
            continue
        file = tmp_path / f"{kind}.csv"
        file.write_text("[magres]\n" if kind == "magres" else " vasp.6\n" if kind == "OUTCAR" else "", encoding="utf-8")
        os.truncate(file, 10**9)
        assert peak(lambda kind=kind, file=file: reader(kind, tmp_path)(file)) < 20e6, kind
        os.truncate(file, 0)


@pytest.mark.parametrize("kind", [*(name for name in TABLES if name != "delays"), "header", "study"])
def test_what_is_no_file_is_not_opened(tmp_path, kind):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "loop", tmp_path / "fifo", Path("/dev/zero"), tmp_path, tmp_path / ("x" * 300)):
        with in_time(5):
            assert outcome(lambda path=path: reader(kind, tmp_path)(path), path) is None
    assert outcome(lambda: reader(kind, tmp_path)(Path("a\0b")), "NUL") is None


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_folder_whose_name_can_be_none(tmp_path, name):
    with pytest.raises(nd.InputError):
        nd.scan(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000 + "]" * 5000,
        "[study]\nseed" + ".a" * 5000 + " = 1\n",
        "[study]\nseed = " + "9" * 5000,
        "[study]\nseed = 0x" + "f" * 5000,
        '[study]\nseed = 1\nmargin = "' + "1" * 90_000 + '\\n2"',
        *(
            '[study]\nseed = 1\n[[process]]\nname = "a"\nnucleus = "23Na"\n'
            f'mechanism = {{ kind = "quadrupolar", cq = "1 MHz", eta = 0.1 }}\n{said}'
            for said in ('data = ["a\\u0000b", "c"]', 'data = ["loop", "t1.csv"]', 'data = ["t1.csv"]\nexclude = 5')
        ),
    ],
)
def test_studies_that_broke_the_reader(texts, text):
    (texts / "study.toml").write_text(text, encoding="utf-8")
    assert outcome(lambda: read_study(texts / "study.toml"), text[:80]) is None


def test_a_table_of_many_rows_is_refused_or_read_in_time(tmp_path):
    file = tmp_path / "t1.csv"
    head = "T (K), T1 (s), experiment, nucleus, larmor (MHz)\n"
    file.write_text(head + "".join(f"3,1,{i},23Na,9\n" for i in range(20_000)), encoding="utf-8")
    with in_time(20):
        assert nd.read_table(file).sizes["experiment"] == 20_000
    units = "K " * 900_000
    for text in (
        "," * 1_000_000 + "\n1\n", head + "3,1,1,23Na,9\n" * 200_000, f"{units}\n{units}\n",
        f"T,T1\nK,{units * 2}s\n3,1\n",
    ):  # fmt: skip
        file.write_text(text, encoding="utf-8")
        with in_time(20):
            assert outcome(lambda: nd.read_table(file), "table") is None


@pytest.mark.parametrize("step", ["1e5", "1e-300"])
def test_times_that_no_trajectory_has(tmp_path, step):
    text = "T (K), t (s), C\n" + "".join(f"300, {n * float(step)!r}, {0.8**n}\n" for n in range(20))
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    assert outcome(lambda: reader("autocorrelation", tmp_path)(tmp_path / "c.csv"), step) is None


def test_counts_of_ions_that_no_file_can_hold(tmp_path):
    text = TABLES["OUTCAR"]
    for count in ("99999999999", "9" * 5000):
        (tmp_path / "OUTCAR").write_text(text.replace("     2", f" {count}"), encoding="utf-8")
        assert peak(lambda: nd.read_efg(tmp_path / "OUTCAR", nucleus="11B")) < 20e6
    with pytest.raises(nd.InputError, match="needed the number of ions"):
        nd.read_efg(tmp_path / "OUTCAR", nucleus="11B")


@pytest.mark.parametrize("number", ["1e999", "0e999", "1e" + "9" * 5000, "1e300"])
def test_absurd_gradients(tmp_path, number):
    (tmp_path / "a.magres").write_text(
        TABLES["magres"].replace("-0.35 0 0 0 -0.65 0 0 0 1.00", f" {number}" * 9), encoding="utf-8"
    )
    outcome(lambda: nd.read_efg(tmp_path / "a.magres", nucleus="11B"), number)


# Folders that lead elsewhere, or are called what no console calls them.


@pytest.mark.parametrize("name", ["acqus", "acqu2s", "vdlist", "ser", "pdata"])
def test_a_link_out_of_an_expno_is_not_followed(folders, tmp_path, name):
    expno = folders[0].path / "1"
    (expno / "pulseprogram").unlink()
    shutil.move(expno / name, tmp_path / "elsewhere")
    (expno / name).symlink_to(tmp_path / "elsewhere")
    (entry,) = nd.scan(folders[0].path)
    if name == "pdata":
        assert not any("title" in text for text in entry["warnings"])
    else:
        assert entry["rows_recorded"] in (0, 6)
        assert name == "acqu2s" or any("link that leads out" in text for text in entry["warnings"])
        with pytest.raises(nd.InputError):
            nd.read_topspin(folders[0].path)


def test_names_that_are_no_text_are_told_by_their_codes(folders):
    place = os.fsencode(folders[0].path)
    for name in (b"\xff\xfe", b"a\x1b[2Jb", b"line\nend", b"<b>&"):
        shutil.copytree(folders[0].path / "1", Path(os.fsdecode(os.path.join(place, name))))  # noqa: PTH118
    entries = nd.scan(folders[0].path)
    names = {entry["experiment"] for entry in entries}
    assert names == {"1", r"\udcff\udcfe", r"a\x1b[2Jb", r"line\nend", "<b>&"}
    recovery = nd.read_topspin(folders[0].path)
    assert set(recovery.experiment.values) == names
    json.dumps(recovery.attrs["sources"]).encode("utf-8")


def test_a_title_stays_text_and_reaches_no_terminal(folders, capsys):
    (folders[0].path / "1" / "pdata" / "1" / "title").write_text(
        "\x1b]0;owned\x07<script>alert(1)</script> T = 60 °C", encoding="utf-8"
    )
    acqus = folders[0].path / "1" / "acqus"
    acqus.write_text(acqus.read_text(encoding="utf-8").replace("<satrec>", "<\x1b[31msatrec<b>>"), encoding="utf-8")
    assert main(["scan", str(folders[0].path)]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert nd.scan(folders[0].path)[0]["kind"] == "saturation_recovery"


def test_a_series_whose_signals_begin_apart(tmp_path):
    folder = simulated(tmp_path)["arrayed"]
    expnos = sorted(folder.iterdir())
    for expno in expnos:
        text = (expno / "acqus").read_text(encoding="utf-8")
        text = re.sub(r"##\$(GRPDLY|DSPFVS)= .*", lambda one: f"##${one[1]}= {-1 if one[1] == 'GRPDLY' else 20}", text)
        (expno / "acqus").write_text(text, encoding="utf-8")
    data = np.frombuffer((expnos[-2] / "fid").read_bytes(), "<i4")
    (expnos[-2] / "fid").write_bytes(np.roll(data, -40).tobytes())
    outcome(lambda: nd.read_topspin(folder), "begins apart")


@pytest.mark.parametrize("value", ["9" * 400, "-5", "nan", "1e300"])
def test_delays_of_a_series_that_are_none(tmp_path, value):
    folder = simulated(tmp_path)["arrayed"]
    acqus = sorted(folder.iterdir())[2] / "acqus"
    acqus.write_text(acqus.read_text(encoding="utf-8").replace(" 1.5 ", f" {value} "), encoding="utf-8")
    assert value in acqus.read_text(encoding="utf-8")
    assert outcome(lambda: nd.read_topspin(folder), value) is None
    assert len(nd.scan(folder)) == 6
    with pytest.raises(nd.InputError, match="D7"):
        nd.read_topspin(folder, delays="D7")


@pytest.mark.parametrize("value", ["-4", "1e300", "nan", "6.5"])
def test_rows_planned_are_a_count(folders, value):
    acqu2s = folders[0].path / "1" / "acqu2s"
    acqu2s.write_text(f"##$TD= {value}\n##END=\n", encoding="utf-8")
    (entry,) = nd.scan(folders[0].path)
    assert (entry["rows_recorded"], entry["rows_planned"]) == (0, 0)
    assert any("TD" in text for text in entry["warnings"])


# Zips.


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def test_of_a_zip_only_what_is_read_is_unpacked(tmp_path, own_temporary, monkeypatch):
    path = zipped(
        tmp_path / "a.zip",
        [
            ("na/1/acqus", ACQUS), ("na/1/pdata/1/title", "x"), ("na/1/lists/vd/list", "1"),
            ("na/movie.mp4", bytes(10**8)),
            ("na/1/pdata/1/1r", b"x"), ("na/inner.zip", b"PK"), ("a/" * 3000 + "acqus", ACQUS), ("na/1/setup.py", "x"),
            ("../acqus", ACQUS), ("/acqus", ACQUS), ("na/1/lists/vd/../../x", "x"),
        ],
    )  # fmt: skip
    names = []

    def found(root, _):
        names.extend(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())
        return []

    monkeypatch.setattr("nmrdyn.topspin.sources._found", found)
    nd.scan(path)
    assert sorted(names) == ["na/1/acqus", "na/1/lists/vd/list", "na/1/pdata/1/title"]
    assert not list(own_temporary.iterdir())


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_expands_without_end(tmp_path, own_temporary, method):
    path = zipped(tmp_path / "bomb.zip", [("1/acqus", ACQUS), ("1/ser", bytes(80_000_000))], method)
    assert peak(lambda: nd.scan(path)) < 20e6
    with pytest.raises(nd.InputError, match=r"at most 2\d MB|stored or deflated"):
        nd.scan(path)
    assert not list(own_temporary.iterdir())


@pytest.mark.parametrize("size", [10, 2**32 - 2])
def test_a_zip_that_lies_about_its_size(tmp_path, own_temporary, size):
    path = zipped(tmp_path / "a.zip", [("1/acqus", ACQUS + " " * 50_000_000)])
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", size)
    path.write_bytes(data)
    assert peak(lambda: nd.scan(path)) < 20e6
    with pytest.raises(nd.InputError):
        nd.scan(path)
    assert not list(own_temporary.iterdir())


def test_a_zip_of_several_disks_and_names_that_are_none(tmp_path, own_temporary):
    end = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 10, 0)
    end += struct.pack("<4sIQI", b"PK\x06\x07", 7, 0, 9)
    end += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    (tmp_path / "disks.zip").write_bytes(end)
    with pytest.raises(nd.InputError, match="multiple disks"):
        nd.scan(tmp_path / "disks.zip")
    path = zipped(tmp_path / "a.zip", [("1/acqus", ACQUS), ("x", "")])
    data = path.read_bytes().replace(b"\x01\x00\x00\x00x", b"\x01\x00\x00\x00\0")
    at = data.rfind(b"PK\x01\x02")
    path.write_bytes(data[: at + 46] + b"\0" + data[at + 47 :])
    with in_time(5):
        outcome(lambda: nd.scan(path), "a name of NUL")


@pytest.mark.parametrize("cases", [100, pytest.param(3000, marks=pytest.mark.slow)])
def test_any_change_of_the_headers_of_a_zip(tmp_path, own_temporary, cases):
    path = zipped(
        tmp_path / "a.zip", [("na/1/acqus", ACQUS), ("na/1/ser", bytes(4096)), ("na/1/vdlist", "1 2 3"), ("na/x", "")]
    )
    good = path.read_bytes()
    heads = [one.start() for one in re.finditer(rb"PK(\x03\x04|\x01\x02|\x05\x06)", good)]
    read = 0
    for case in range(cases):
        rng, data = seeded(f"zip {case}"), bytearray(good)
        for _ in range(rng.choice((1, 2, 5))):
            data[min(rng.choice(heads) + rng.randrange(60), len(data) - 1)] = rng.choice(
                (0, 255, 1, rng.randrange(256))
            )
        path.write_bytes(data)
        read += outcome(lambda: nd.scan(path), f"zip {case}") is not None
        assert not list(own_temporary.iterdir())
    assert 0.1 < read / cases < 0.9


# At the command line: one line, exit status 2.


@pytest.mark.parametrize("make", ["acqus", "study", "table", "zip", "fifo"])
def test_one_line_at_the_command_line(folders, tmp_path, capsys, make):
    path = tmp_path / "hostile"
    arguments = ["scan", str(path)]
    if make == "acqus":
        (folders[0].path / "1" / "acqus").write_bytes(b"##$TD= \x1b[2J\n" + b"<" * 300_000)
        arguments = ["t1", str(folders[0].path)]
    elif make == "study":
        path.write_text("[study]\nseed" + ".a" * 5000 + " = 1\n", encoding="utf-8")
        arguments = ["run", str(path), "--out", str(tmp_path / "out")]
    elif make == "table":
        path.with_suffix(".csv").write_bytes(b"T (K), T1 (s)\n\x1b[2J, 1\n")
        arguments = ["t1", str(folders[0].path), "--temperature", str(path.with_suffix(".csv"))]
    elif make == "zip":
        zipped(path, [("1/ser", bytes(80_000_000))])
    else:
        os.mkfifo(path)
    with in_time():
        assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.rstrip("\n").isprintable()
    assert "Traceback" not in said.err
