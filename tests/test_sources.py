"""Where expnos are found: folders, nested datasets, one expno and what is inside it, and zips of them."""

import json
import os
import shutil
import stat
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nmrdyn as nd
from nmrdyn.topspin.sources import expnos_in


def names(path):
    with expnos_in(path) as located:
        return [one.name for one in located]


def empty_expno(folder):
    folder.mkdir(parents=True)
    (folder / "acqus").write_text("##END=\n", encoding="utf-8")
    return folder


def packed(folder, archive, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(archive, "w", method) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder.parent))
    return archive


@pytest.fixture
def nested(tmp_path):
    for name in ("vt/na/2", "vt/na/10", "vt/na/1", "vt/b/3", "vt/old/data/user/nmr/set/7"):
        empty_expno(tmp_path / name)
    return tmp_path / "vt"


def test_nested_datasets_in_natural_order(nested):
    assert names(nested) == ["b/3", "na/1", "na/2", "na/10", "old/data/user/nmr/set/7"]
    assert names(nested / "na") == ["1", "2", "10"]
    assert names(nested / "na" / "10") == ["10"]


def test_a_file_or_a_pdata_folder_inside_an_expno_stands_for_it(nested):
    inside = nested / "na" / "10" / "pdata" / "1"
    inside.mkdir(parents=True)
    (nested / "na" / "10" / "ser").write_bytes(b"")
    for path in (inside, inside.parent, nested / "na" / "10" / "ser", nested / "na" / "10" / "acqus"):
        assert names(path) == ["10"]


def test_a_folder_that_links_back_to_itself_is_read_once(nested):
    (nested / "na" / "back").symlink_to(nested, target_is_directory=True)
    (nested / "na" / "nowhere").symlink_to(nested / "missing")
    assert names(nested) == ["b/3", "na/1", "na/2", "na/10", "old/data/user/nmr/set/7"]


def test_a_zip_gives_what_its_folder_gives(sodium, tmp_path):
    truth = replace(sodium, temperature=[323.15, 333.15], snr=200)
    folder = nd.simulate_folder(truth, tmp_path / "na", seed=1)
    archive = packed(folder, tmp_path / "na.zip")
    zipped, plain = nd.read_topspin(archive), nd.read_topspin(folder)
    assert list(zipped.experiment.values) == ["na/1", "na/2"]
    np.testing.assert_array_equal(zipped.signal, plain.signal)
    np.testing.assert_array_equal(zipped.delay, plain.delay)
    assert zipped.attrs["sources"] == f'["{archive}"]'
    assert [entry["path"] for entry in nd.scan(archive)] == [str(archive)] * 2


def test_a_zip_of_one_expno_without_a_folder(sodium, tmp_path):
    expno = nd.simulate_folder(sodium, tmp_path / "na", seed=1) / "1"
    archive = tmp_path / "one.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in expno.rglob("*"):
            file.write(path, path.relative_to(expno))
    assert list(nd.read_topspin(archive).experiment.values) == ["one"]


def test_nothing_of_a_zip_is_written_outside_its_place(tmp_path):
    archive = tmp_path / "evil.zip"
    link = zipfile.ZipInfo("na/2/acqus")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("../out/acqus", "/abs/acqus", "na/../../up/acqus", "C:/drive/acqus", "..\\back\\acqus"):
            file.writestr(name, "##END=\n")
        file.writestr("__MACOSX/na/1/acqus", "##END=\n")
        file.writestr(link, "/etc/passwd")
        file.writestr("na/1/acqus", "##END=\n")
    before = sorted(tmp_path.rglob("*"))
    with expnos_in(archive) as located:
        assert [one.name for one in located] == ["na/1"]
        root = located[0].path.parents[1]
        assert sorted(path.name for path in root.rglob("*")) == ["1", "acqus", "na"]
    assert not root.exists()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_that_grows_beyond_reason_is_refused_before_it_is_unpacked(tmp_path):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file, file.open("na/1/ser", "w") as member:
        for _ in range(260):
            member.write(bytes(1_000_000))
    with pytest.raises(nd.InputError, match=r"bomb\.zip: needed an archive of at most \d+ MB .* found 260 MB"):
        names(archive)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"not a zip"), "found a file"),
        (lambda path: packed(empty_expno(path.parent / "a").parent / "a", path), None),
        (lambda path: zipfile.ZipFile(path, "w").close(), "found none"),
    ],
    ids=["text", "good", "empty"],
)
def test_what_a_zip_may_be(tmp_path, make, message):
    path = tmp_path / "given.zip"
    make(path)
    if message is None:
        assert names(path) == ["a"]
    else:
        with pytest.raises(nd.InputError, match=message):
            names(path)


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(nd.InputError, match="no such file or folder; give a TopSpin expno"):
        names(tmp_path / "missing")
    with pytest.raises(nd.InputError, match="found none; give the folder that holds them"):
        names(tmp_path)


@pytest.fixture(scope="module")
def good_zip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zip") / "a"
    empty_expno(folder / "1")
    (folder / "1" / "ser").write_bytes(bytes(range(256)) * 4)
    return packed(folder, folder.parent / "a.zip").read_bytes()


@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_zip_is_one_clear_error_or_still_read(good_zip, tmp_path_factory, where, byte, cut):
    data = bytearray(good_zip)
    at = int(where * len(data))
    data[at] = byte
    path = tmp_path_factory.mktemp("bad") / "bad.zip"
    path.write_bytes(bytes(data[:at] if cut else data))
    try:
        found = names(path)
    except nd.InputError as error:
        found, said = [], str(error)
    else:
        said = str(path)
    shutil.rmtree(path.parent)
    assert len(found) <= 1
    assert str(path) in said
    assert not list(Path(path.parent.parent).glob("nmrdyn-*"))


def test_a_link_that_leads_out_is_not_followed(nested, tmp_path):
    empty_expno(tmp_path / "private" / "9")
    (nested / "na" / "out").symlink_to(tmp_path / "private", target_is_directory=True)
    (nested / "na" / "99").symlink_to(tmp_path / "private" / "9", target_is_directory=True)
    assert names(nested) == ["b/3", "na/1", "na/2", "na/10", "old/data/user/nmr/set/7"]


def test_the_expno_one_stands_in_has_its_name(nested, monkeypatch):
    monkeypatch.chdir(nested / "na" / "10")
    assert names(Path()) == ["10"]


def test_what_is_said_of_a_zip_names_the_zip(sodium, tmp_path):
    folder = nd.simulate_folder(replace(sodium, temperature=[323.15, 333.15]), tmp_path / "na", seed=1)
    (folder / "2" / "ser").unlink()
    archive = packed(folder, tmp_path / "na.zip")
    recovery = nd.read_topspin(archive)
    assert f"{archive}:na/2: needed the data file ser" in recovery.reason.values[1]
    assert "nmrdyn-" not in str(nd.scan(archive))


def test_backslashes_of_old_packers_part_folders(tmp_path):
    archive = tmp_path / "old.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("na\\1\\acqus", "na\\2\\acqus"):
            info = zipfile.ZipInfo("x")
            info.filename = name
            file.writestr(info, "##END=\n")
    assert names(archive) == ["na/1", "na/2"]


OPENED: set[str] | None = None


def note_opened(event, arguments):
    if OPENED is not None and event == "open" and isinstance(arguments[0], str | os.PathLike):
        OPENED.add(str(Path(arguments[0]).absolute()))


@pytest.fixture
def opened():
    """The names of all files that Python opens."""
    global OPENED
    if OPENED is None:
        sys.addaudithook(note_opened)  # which cannot be taken back
    OPENED = set()
    yield OPENED
    OPENED.clear()


def read_but_not_a_source(folder, opened):
    opened.clear()
    recovery = nd.read_topspin(folder)
    read = {file for file in opened if Path(file).is_relative_to(folder.resolve()) and Path(file).is_file()}
    assert read
    return read - {str(Path(file).absolute()) for file in json.loads(recovery.attrs["sources"])}


def test_every_file_that_is_read_is_a_source(sodium, tmp_path, opened):
    folder = nd.simulate_folder(replace(sodium, temperature=[323.15, 333.15]), tmp_path / "na", seed=1)
    (folder / "1" / "pulseprogram").write_text("; satrec\n", encoding="utf-8")
    (folder / "1" / "uxnmr.info").write_text("CONFIGURATION\n", encoding="utf-8")
    assert read_but_not_a_source(folder, opened) == set()
    assert {"pulseprogram", "uxnmr.info", "title"} <= {Path(file).name for file in opened}


def test_every_file_of_real_folders_that_is_read_is_a_source(topspin, opened):
    for name in ("crn87rb-T1", "dnplab-IR", "17O-lamox-satrec"):
        assert read_but_not_a_source(topspin / name, opened) == set()
