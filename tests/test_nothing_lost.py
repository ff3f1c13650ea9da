"""Results appear whole or not at all, and draws survive whatever ends a run."""

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import nmrdyn as nd
from nmrdyn.cli.main import main
from nmrdyn.inference import sampler
from nmrdyn.inference.checkpoint import read_checkpoint, write_checkpoint
from nmrdyn.report import write
from nmrdyn.study.results import read_posterior, rebuild

NAMES = ["draws.csv", "report.html", "results.nc", "summary.json", "t1.csv", "tau_c.csv"]

STUDY = """
[study]
seed = {seed}

[[process]]
name = "eis"
data = "eis/conductivity.csv"
mechanism = {{ kind = "conductivity", convention = "sigma_T" }}
priors = {{ scatter = 0 }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three conductivities, and studies of them that differ in their seed."""
    root = tmp_path_factory.mktemp("data")
    truth = nd.ConductivityTruth(
        activation_energy=0.55, conductivity=1e-2, reference_temperature=333.15, temperature=range(290, 341, 25)
    )
    nd.simulate_folder(truth, root / "eis", seed=2)
    for seed in (1, 2):
        (root / f"seed{seed}.toml").write_text(STUDY.format(seed=seed), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def unbroken(folder):
    """Results of a run that nothing disturbed."""
    nd.run(folder / "seed1.toml", folder / "unbroken")
    return folder / "unbroken"


def content(folder):
    """What a user sees in a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.startswith(".")}


def hidden(folder):
    return sorted(file.name for file in folder.iterdir() if file.name.startswith("."))


# Every operation on files fails once, or is the last


class Killed(BaseException):
    """No more of the process."""


class Saboteur:
    """An audit hook that ends each operation on files below a folder, from the n-th on or that one alone."""

    EVENTS = frozenset(("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"))

    def __init__(self):
        self.folder = None
        sys.addaudithook(self.hook)

    def arm(self, folder, at, *, error=None):
        self.folder, self.left, self.error = str(folder), at, error

    def disarm(self):
        """Whether it struck."""
        self.folder = None
        return self.left <= 0

    def hook(self, event, arguments):
        if self.folder is None or event not in self.EVENTS or self.folder not in os.fsdecode(str(arguments[0])):
            return
        self.left -= 1
        if self.left == 0 and self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        if self.left <= 0 and self.error is None:
            raise Killed


@pytest.fixture(scope="module")
def saboteur():
    return Saboteur()


@pytest.fixture
def old_and_new(unbroken, tmp_path, monkeypatch):
    """A folder with old results, and a way to write new ones into it fast: each file says which it is."""
    monkeypatch.setattr(write, "render", lambda *_: "new report")
    monkeypatch.setattr(write, "summarise", lambda *_: {"new": True})
    for rows in ("t1_rows", "tau_rows", "draw_rows"):
        monkeypatch.setattr(write, rows, lambda _: [["new"]])
    monkeypatch.setattr(write, "_netcdf", lambda *_: b"new results")
    posterior = read_posterior(unbroken / "results.nc")
    out = tmp_path / "out"

    def begin():
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        for name in NAMES:
            (out / name).write_text("old", encoding="utf-8")
        (out / "mine.txt").write_text("old and mine", encoding="utf-8")

    return out, begin, lambda: nd.report(posterior, out)


OLD = dict.fromkeys(NAMES, b"old")


def new_or_old(out):
    """Which results a folder holds, of which some may be missing; never some of each."""
    seen = content(out)
    assert seen.pop("mine.txt") == b"old and mine"
    ages = {b"new" in text for text in seen.values()}
    assert len(ages) < 2, seen
    return seen


def test_results_are_never_a_mixture_wherever_the_process_ends(old_and_new, saboteur):
    out, begin, report = old_and_new
    befores, struck, at = 0, True, 0
    while struck:
        begin()
        at += 1
        saboteur.arm(out, at)
        with suppress(Killed):
            report()
        struck = saboteur.disarm()
        seen = new_or_old(out)
        committed = (out / ".nmrdyn-whole").is_dir() or seen != OLD
        befores += not committed
        assert committed or sorted(seen) == NAMES
        with write.held(out):  # the next run
            pass
        assert hidden(out) == []
        final = new_or_old(out)
        assert sorted(final) == NAMES
        assert (final != OLD) == committed
    assert befores > 10
    assert at - befores > 12  # six removals and six moves among them


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EACCES])
def test_failing_operations_give_one_line_and_leave_nothing_behind(old_and_new, saboteur, error):
    out, begin, report = old_and_new
    refused, struck, at = 0, True, 0
    while struck:
        begin()
        at += 1
        saboteur.arm(out, at, error=error)
        said = ""
        try:
            report()
        except nd.InputError as refusal:
            said = str(refusal)
        struck = saboteur.disarm()
        refused += bool(said)
        assert not said or (os.strerror(error) in said and str(out) in said and "\n" not in said)
        seen = new_or_old(out)
        if ".nmrdyn-whole" in hidden(out):
            with write.held(out):
                pass
            assert sorted(new_or_old(out)) == NAMES
        else:
            assert sorted(seen) == NAMES
        assert hidden(out) == [] or (hidden(out) == [".nmrdyn-lock"] and struck)
    assert refused > 20


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources")
@pytest.mark.parametrize("limit", [100, 15_000])  # bytes: within the report, and within results.nc
def test_full_disk_gives_one_line_and_leaves_old_results(unbroken, tmp_path, monkeypatch, limit):
    import resource

    monkeypatch.setattr(write, "render", lambda *_: "x" * 10_000)
    posterior = read_posterior(unbroken / "results.nc")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("earlier", encoding="utf-8")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        for name in ("out", "new"):
            with pytest.raises(
                nd.InputError, match=f"{name}: needed room and permission.*; make room and run it again$"
            ):
                nd.report(posterior, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert content(tmp_path / "out") == {"report.html": b"earlier"}
    assert hidden(tmp_path / "out") == []
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind the administrator")
def test_folder_without_permission_is_refused(unbroken, tmp_path):
    out = tmp_path / "out"
    out.mkdir(mode=0o555)
    with pytest.raises(nd.InputError, match="found a folder without permission to write"):
        rebuild(unbroken / "results.nc", out)


def test_read_only_folder_is_refused_before_anything_is_done(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(nd.InputError, match="found a folder without permission to write"):
        nd.run(folder / "seed1.toml", tmp_path / "new" / "results")
    assert list(tmp_path.iterdir()) == []


def test_folder_in_the_place_of_a_result_is_refused(folder, tmp_path):
    (tmp_path / "t1.csv").mkdir()
    with pytest.raises(nd.InputError, match=r"needed a place for the file t1\.csv, found a folder"):
        nd.run(folder / "seed1.toml", tmp_path)


def test_refused_study_leaves_no_folder(folder, tmp_path):
    with pytest.raises(nd.InputError, match="needed a study file"):
        nd.run(folder / "missing.toml", tmp_path / "new" / "results")
    assert list(tmp_path.iterdir()) == []


# One run in a folder


def test_second_run_into_a_folder_is_refused_at_once(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("nmrdyn.study.run.read_study", lambda *_: pytest.fail("began"))
    with write.held(tmp_path), pytest.raises(nd.InputError, match="found another run that writes to it; wait"):
        nd.run(folder / "seed1.toml", tmp_path)
    assert hidden(tmp_path) == []


def test_lock_ends_with_its_process(tmp_path):
    code = "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); "
    holder = [sys.executable, "-c", f"{code} input()", str(tmp_path / ".nmrdyn-lock")]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(nd.InputError, match="another run"), write.held(tmp_path):
            pass
        other.kill()
    with write.held(tmp_path):
        pass
    assert hidden(tmp_path) == []


# Draws go on


def drawn(folder):
    return [name for name in hidden(folder) if name.startswith(".nmrdyn-draws-")]


class Stop:
    """Ends a run in place of writing its n-th checkpoint."""

    def __init__(self, at, error):
        self.left, self.error = at, error

    def __call__(self, *arguments, **options):
        self.left -= 1
        if self.left == 0:
            raise self.error
        write_checkpoint(*arguments, **options)


@pytest.mark.parametrize("error", [Killed(), KeyboardInterrupt()], ids=lambda error: type(error).__name__)
def test_draws_after_an_end_are_those_without(error, folder, unbroken, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "draws.csv").write_text("earlier", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(sampler, "write_checkpoint", Stop(2, error))
        arguments = ["run", str(folder / "seed1.toml"), "--out", str(out)]
        if isinstance(error, Killed):
            with pytest.raises(Killed):
                main(arguments)
        else:
            assert main(arguments) == 130
            goes_on = f"what was drawn is kept, and nmrdyn {' '.join(arguments)} goes on from it"
            assert capsys.readouterr().err == f"nmrdyn: interrupted; {goes_on}\n"
    assert content(out) == {"draws.csv": b"earlier"}
    assert len(drawn(out)) == 1
    if not isinstance(error, Killed):
        return  # the same file, from which the first goes on
    said = []
    nd.run(folder / "seed1.toml", out, say=said.append)
    assert said == ["going on from what an unfinished run had drawn"]
    assert content(out) == content(unbroken)
    assert hidden(out) == []


def test_interrupt_before_anything_was_drawn_says_that_nothing_was_written(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sampler, "write_checkpoint", Stop(1, KeyboardInterrupt()))
    assert main(["run", str(folder / "seed1.toml"), "--out", str(tmp_path / "new")]) == 130
    assert capsys.readouterr().err == "nmrdyn: interrupted; nothing was written\n"
    assert not (tmp_path / "new").exists()


@pytest.fixture
def begun(folder, unbroken, tmp_path):
    """A folder in which a run of the first study was killed."""
    for name in (*NAMES, "mine.txt"):
        (tmp_path / name).write_text("old", encoding="utf-8")
    name = f"{key_of(folder / 'seed1.toml')}.h5"
    (tmp_path / name).write_bytes(b"cut")
    (tmp_path / f"{name}.part").write_bytes(b"cut")
    return tmp_path, name


def key_of(study):
    """The name of the hidden file of a study, as a run makes it."""
    from nmrdyn.study.read import read_study
    from nmrdyn.study.run import _DRAWN, _inputs, _key

    return f"{_DRAWN}{_key(_inputs(read_study(study), study))}"


def test_draws_of_another_study_are_discarded_with_a_sentence(folder, begun, monkeypatch):
    out, name = begun
    said = []
    monkeypatch.setattr("nmrdyn.study.run.infer", stop)
    with pytest.raises(nd.InputError, match="here"):
        nd.run(folder / "seed2.toml", out, say=said.append)
    assert said == ["discarded what an unfinished run had drawn: it was of another study, other data or other versions"]
    assert hidden(out) == []
    assert not (out / name).exists()


def stop(*_, **__):
    raise nd.InputError("here")


@pytest.mark.parametrize("change", ["data", "versions", "study"])
def test_key_changes_with_study_data_and_versions(change, folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "eis", tmp_path / "eis")
    study = tmp_path / "study.toml"
    study.write_text(STUDY.format(seed=1), encoding="utf-8")
    before = key_of(study)
    monkeypatch.chdir(tmp_path)
    assert key_of(Path("study.toml")) == before  # wherever it is run from
    if change == "data":
        table = tmp_path / "eis" / "conductivity.csv"
        table.write_text(table.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    elif change == "study":
        study.write_text(STUDY.format(seed=1) + "\n", encoding="utf-8")
    else:
        monkeypatch.setattr("nmrdyn.study.run.versions", lambda: {"numpy": "1"})
    assert key_of(study) != before


def test_draws_that_cannot_be_read_are_discarded_with_a_sentence(folder, begun, monkeypatch):
    out, name = begun
    calls = []

    def infer(*_, checkpoint, **__):
        calls.append(checkpoint.exists())
        read_checkpoint(checkpoint, study={})

    monkeypatch.setattr("nmrdyn.study.run.infer", infer)
    said = []
    with pytest.raises(nd.InputError, match="needed a checkpoint"):
        nd.run(folder / "seed1.toml", out, say=said.append)
    assert calls == [True, False]
    assert said[0] == "going on from what an unfinished run had drawn"
    assert said[1].startswith("what an unfinished run had drawn is of no use, and was discarded (")
    assert name in said[1]
    assert hidden(out) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources")
def test_checkpoint_without_room_leaves_the_one_before(tmp_path):
    import resource

    file = tmp_path / "draws.h5"
    file.write_bytes(b"earlier")
    state = sampler.Checkpoint([], np.zeros(2), np.eye(2))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(nd.InputError, match=r"draws\.h5: needed room for what was drawn"):
            write_checkpoint(file, state, study={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert content(tmp_path) == {"draws.h5": b"earlier"}


# Killed for good


KILLS, SEED = 20, 20261121


def command(study, out):
    return [sys.executable, "-m", "nmrdyn", "run", str(study), "--out", str(out)]


@pytest.mark.slow
def test_run_killed_at_twenty_times_leaves_old_results_or_draws_that_go_on(folder, tmp_path):
    for name, seed in (("study", 1), ("other", 2)):
        longer = STUDY.format(seed=seed).replace("scatter = 0", "")
        (folder / f"{name}.toml").write_text(longer, encoding="utf-8")
    nd.run(folder / "other.toml", folder / "other")
    start = time.monotonic()
    subprocess.run(command(folder / "study.toml", folder / "whole"), check=True, capture_output=True)
    length = time.monotonic() - start
    old, new = content(folder / "other"), content(folder / "whole")
    spread = random.Random(SEED)
    outcomes = []
    for kill in range(KILLS):
        out = tmp_path / str(kill)
        shutil.copytree(folder / "other", out)
        with subprocess.Popen(command(folder / "study.toml", out), stdout=subprocess.DEVNULL) as child:
            time.sleep(length * (0.2 + 0.8 * (kill + spread.random()) / KILLS))  # imports take the first fifth
            child.kill()
        seen, kept = content(out), [name for name in drawn(out) if name.endswith(".h5")]
        assert seen in (old, new)
        outcomes.append(f"{'new' if seen == new else 'old'} results, {'with' if kept else 'without'} draws")
        again = subprocess.run(command(folder / "study.toml", out), check=True, capture_output=True, text=True)
        assert ("going on from" in again.stderr) == bool(kept)
        assert content(out) == new
        assert hidden(out) == []
    counts = {outcome: outcomes.count(outcome) for outcome in outcomes}
    (tmp_path / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
    assert outcomes.count("old results, with draws") >= 5


# The report without the raw data


@pytest.fixture(scope="module")
def rich(sodium, tmp_path_factory):
    """Results with sums of mechanisms, an empty row, several lines of text and a margin of its own; hardly sampled."""
    root = tmp_path_factory.mktemp("rich")
    data = nd.simulate(replace(sodium, temperature=[280.0, 300.0, 320.0, 340.0]), seed=1)
    data["signal"][3, :] = np.nan
    both = nd.MechanismSum((nd.BPP(nucleus="23Na", cq=1e6, eta=0.1), nd.Background(r1=1e-3)))
    probe = nd.Probe(name="nmr", point=1.0, offset=0.5)
    hop = nd.Process("hop", data, mechanism=both, recovery=nd.SingleExponential(), probe="nmr")
    truth = nd.ConductivityTruth(
        activation_energy=0.55, conductivity=1e-2, reference_temperature=333.15, temperature=range(290, 341, 15)
    )
    eis = nd.Process("σ <b>", nd.simulate(truth, seed=2), mechanism=nd.Conductivity("sigma_T"))
    priors = {"hop.cq": nd.Normal(1e6, 5e4), "hop.scatter": 0.0}
    posterior = nd.infer([hop, eis], seed=1, probes=[probe], priors=priors, max_steps=40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "render", lambda *_: "report")
        nd.report(posterior, root / "results", margin=0.033)
    return posterior, root / "results"


def test_report_is_rebuilt_byte_for_byte(unbroken, tmp_path, capsys):
    assert main(["report", str(unbroken / "results.nc"), "--out", str(tmp_path / "again")]) == 0
    assert content(tmp_path / "again") == content(unbroken)
    assert capsys.readouterr().out.endswith(f"results in {tmp_path / 'again'}\n")


@pytest.mark.slow
def test_page_with_recoveries_is_rebuilt_byte_for_byte(rich, tmp_path):
    posterior, _ = rich
    nd.report(posterior, tmp_path / "first", margin=0.033)
    rebuild(tmp_path / "first" / "results.nc", tmp_path / "again")
    assert content(tmp_path / "again") == content(tmp_path / "first")


def test_report_goes_beside_its_results_unless_said(rich, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(write, "render", lambda *_: "report")
    shutil.copy(rich[1] / "results.nc", tmp_path)
    assert main(["report", str(tmp_path / "results.nc")]) == 0
    assert content(tmp_path) == content(rich[1])
    assert capsys.readouterr().out.endswith(f"results in {tmp_path}\n")


def test_posterior_is_read_as_it_was(rich):
    posterior, results = rich
    again = read_posterior(results / "results.nc")
    assert [group.path for group in again.subtree] == [group.path for group in posterior.subtree]
    assert again.attrs == posterior.attrs | {"margin": 0.033}
    for group in posterior.subtree:
        for name, values in group.dataset.variables.items():
            found = again[group.path].dataset[name].values
            if values.dtype.kind in "OU":
                assert found.tolist() == values.values.tolist()
            else:
                np.testing.assert_array_equal(found, values.values)


def test_report_completes_what_was_broken_off(rich, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "render", lambda *_: "report")
    _, results = rich
    shutil.copytree(results, tmp_path / "out" / ".nmrdyn-whole")
    rebuild(tmp_path / "out" / "results.nc", tmp_path / "elsewhere")
    assert content(tmp_path / "out") == content(tmp_path / "elsewhere") == content(results)
    assert hidden(tmp_path / "out") == []


def test_files_that_are_no_results_are_refused_in_one_line(rich, tmp_path, capsys):
    posterior, results = rich
    whole = (results / "results.nc").read_bytes()
    file = tmp_path / "results.nc"
    spread = random.Random(SEED)
    contents = [b"", b"no HDF5", whole[:-1], *(whole[: spread.randrange(len(whole))] for _ in range(5))]
    for text in contents:
        file.write_bytes(text)
        refused(file, "found another or damaged file", capsys)
    with h5py.File(file, "w") as other:
        other["x"] = np.arange(3)
    refused(file, "found another or damaged file", capsys)
    nd.simulate(
        nd.ConductivityTruth(
            activation_energy=0.5, conductivity=1e-2, reference_temperature=300.0, temperature=[290.0, 300.0]
        ),
        seed=1,
    ).to_netcdf(file, engine="h5netcdf")
    refused(file, "found another or damaged file (needed the stage 'posterior', found 'transport'", capsys)
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, "needed a results.nc written by nmrdyn, found no file", capsys)
    refused(tmp_path / "missing.nc", "found no such file", capsys)
    later = posterior.copy()
    later.attrs["nmrdyn_version"] = "99.0"
    later.to_netcdf(file, engine="h5netcdf")
    refused(file, "found one of 99.0", capsys)
    empty.rmdir()
    assert content(tmp_path).keys() == {"results.nc"}


def refused(file, words, capsys):
    assert main(["report", str(file), "--out", str(file.parent / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert str(file) in line


def test_results_carry_versions_and_hashes(unbroken, folder):
    provenance = json.loads((unbroken / "summary.json").read_text(encoding="utf-8"))["provenance"]
    attrs = read_posterior(unbroken / "results.nc").attrs
    assert {"python", "numpy", "scipy", "emcee", "xarray", "arviz-stats"} <= set(provenance["versions"])
    assert provenance["nmrdyn"] == nd.__version__ == attrs["nmrdyn_version"]
    assert json.loads(attrs["inputs"]) == provenance["inputs_sha256"]
    assert set(provenance["inputs_sha256"]) == {str(folder / name) for name in ("seed1.toml", "eis/conductivity.csv")}
