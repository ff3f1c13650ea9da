"""Many studies in one command: as one by one, whatever happens to some of them."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import nmrdyn as nd
from nmrdyn.cli.main import main
from nmrdyn.study import campaign
from nmrdyn.study.campaign import StudyOutcome, run_many

# Campaigns of processes that only pretend

GOOD = """
import json, pathlib, sys, time
time.sleep(0.3)
energy = {"mean": 0.45, "sd": 0.01}
fits = {"law_fits": True, "barriers_eV": {"Na hop": energy}}
summary = {"processes": {"Na hop": fits, "eis": {"law_fits": False, "barriers_eV": {"eis": energy}}},
           "differences": {"Na hop - eis": {"mean": -0.1, "sd": 0.02, "verdict": "different"}},
           "diagnostics": {"passed": "doubtful" not in sys.argv[1]}}
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
(folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
"""
BAD = "import sys; print('a warning', file=sys.stderr); sys.exit('nmrdyn: study.toml: needed a, found b')"
CODES = {
    "bad": BAD,
    "silent": "raise SystemExit(3)",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "long": "import time; time.sleep(60)",
}


@pytest.fixture
def pretended(monkeypatch):
    """The processes that were begun, and how many ran beside each."""
    begun, beside = [], []

    def begin(task, said):
        beside.append(sum(child.poll() is None for child in begun))
        code = CODES.get(task.name, GOOD)
        with said.open("wb") as errors:
            begun.append(subprocess.Popen([sys.executable, "-S", "-c", code, str(task.folder)], stderr=errors))
        return begun[-1]

    monkeypatch.setattr(campaign, "_begun", begin)
    return begun, beside


def table(file):
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_failed_studies_are_reported_and_the_rest_finished(pretended, tmp_path, capsys):
    names = ["one", "bad", "killed", "silent", "doubtful"]
    studies = [str(tmp_path / f"{name}.toml") for name in names]
    out = tmp_path / "out"
    assert main(["run", *studies, "--out", str(out), "--jobs", "2"]) == 2
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split() == ["study", "status", "t/s", "barriers/meV", "verdicts"]
    assert lines[1].startswith("one       done")
    assert lines[1].endswith("Na hop 450 ± 10  Na hop - eis: different")
    assert [line.split()[0] for line in lines[1:6]] == names
    assert "not converged" in lines[5]
    assert lines[6] == f"results in {out}, the table in {out / 'campaign.csv'}"
    assert sorted(line.rsplit(" (", 1)[0] for line in printed.err.splitlines()) == [
        "nmrdyn: bad: study.toml: needed a, found b",
        "nmrdyn: doubtful: not converged",
        "nmrdyn: killed: its process was ended by signal 9; run the same again",
        "nmrdyn: one: done",
        "nmrdyn: silent: its process ended with status 3",
    ]
    rows = table(out / "campaign.csv")
    assert [row["study"] for row in rows] == ["one", "one", "bad", "killed", "silent", "doubtful", "doubtful"]
    barrier, difference, failed = rows[:3]
    assert (barrier["quantity"], barrier["mean_eV"], barrier["sd_eV"]) == ("Na hop", "0.45", "0.01")
    assert (difference["quantity"], difference["mean_eV"], difference["verdict"]) == (
        "Na hop - eis",
        "-0.1",
        "different",
    )
    assert (failed["status"], failed["quantity"], failed["reason"]) == ("failed", "", "study.toml: needed a, found b")
    assert float(barrier["seconds"]) > 0.2
    assert sorted(file.name for file in out.iterdir()) == ["campaign.csv", "doubtful", "one"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_run_at_once_than_there_are_jobs(jobs, pretended, tmp_path):
    outcomes = run_many([f"{name}.toml" for name in "abcde"], tmp_path, jobs=jobs)
    assert [one.name for one in outcomes] == list("abcde")
    assert all(one.status == "done" for one in outcomes)
    assert max(pretended[1]) == jobs - 1


def test_interrupt_stops_what_runs_and_keeps_what_is_finished(pretended, tmp_path, capsys, monkeypatch):
    said = []

    def interrupted(text):
        said.append(text)
        if len(said) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("nmrdyn.cli.run._remark", interrupted)
    studies = [f"{name}.toml" for name in ("one", "long", "waiting")]
    assert main(["run", *studies, "--out", str(tmp_path), "--jobs", "2"]) == 130
    assert [row["status"] for row in table(tmp_path / "campaign.csv")] == ["done", "done", "interrupted", "interrupted"]
    assert len(pretended[0]) == 2
    assert pretended[0][1].returncode == -signal.SIGTERM
    assert "long" in capsys.readouterr().out
    assert "the same command goes on" in said[-1]


@pytest.mark.parametrize(
    ("studies", "options", "words"),
    [
        (["a.toml", "elsewhere/a.toml"], {}, "elsewhere/a.toml: needed studies of different names, found a.toml too"),
        (["a.toml", "A.toml"], {}, "A.toml: needed studies of different names"),
        (["campaign.csv.toml"], {}, "needed studies of different names, found campaign.csv too"),
        ([], {}, "needed at least one study"),
        (["a.toml"], {"jobs": 0}, "needed one job or more, found 0"),
    ],
)
def test_campaigns_that_cannot_be_are_refused(studies, options, words, tmp_path):
    with pytest.raises(nd.InputError) as error:
        run_many(studies, tmp_path / "out", **options)
    assert words in str(error.value)
    assert not (tmp_path / "out").exists()


def test_scheduler_needs_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(nd.InputError, match="needed the package distributed"):
        run_many(["a.toml"], tmp_path / "out", scheduler="tcp://127.0.0.1:1")


def test_worker_tells_why_a_study_failed(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    seconds, reason = campaign._by_worker(str(tmp_path / "missing.toml"), str(tmp_path / "out"))
    assert seconds >= 0
    assert "needed a study file" in reason

    def broken(*_):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(campaign, "run", broken)
    assert campaign._by_worker("a.toml", "out")[1] == "ZeroDivisionError: by zero"


def test_outcome_of_a_study_that_never_ran_is_empty(tmp_path):
    campaign._write_table(
        tmp_path / "campaign.csv", [StudyOutcome(name="a", folder=tmp_path, status="interrupted", seconds=0.0)]
    )
    (row,) = table(tmp_path / "campaign.csv")
    assert row == {
        "study": "a", "status": "interrupted", "seconds": "0.0", "quantity": "", "mean_eV": "", "sd_eV": "",
        "verdict": "", "reason": "",
    }  # fmt: skip


# Campaigns of studies


STUDY = """
[study]
seed = {seed}

[[process]]
name = "eis"
data = "eis/conductivity.csv"
mechanism = {{ kind = "conductivity", convention = "sigma_T" }}
"""
NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Three studies, one without data, and the draws of each of the three by itself."""
    root = tmp_path_factory.mktemp("campaign")
    truth = nd.ConductivityTruth(
        activation_energy=0.55, conductivity=1e-2, reference_temperature=333.15, temperature=range(290, 341, 10)
    )
    nd.simulate_folder(truth, root / "eis", seed=2)
    for seed, name in enumerate(NAMES):
        (root / f"{name}.toml").write_text(STUDY.format(seed=seed), encoding="utf-8")
        nd.run(root / f"{name}.toml", root / "alone" / name)
    (root / "broken.toml").write_text(STUDY.format(seed=1).replace("eis/", "none/"), encoding="utf-8")
    return root


def command(*words):
    return [sys.executable, "-m", "nmrdyn", "run", *words]


def same_results(folder, studies, names=NAMES, files=("draws.csv", "report.html", "results.nc", "summary.json")):
    for name in names:
        for file in files:
            assert (folder / name / file).read_bytes() == (studies / "alone" / name / file).read_bytes()


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_threads(studies, tmp_path):
    line = command(str(studies / "one.toml"), "--out", str(tmp_path / "one"))
    subprocess.run(line, check=True, env=os.environ | {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"})
    same_results(tmp_path, studies, names=["one"])


@pytest.mark.slow
def test_jobs_give_the_draws_of_one_by_one(studies, tmp_path):
    said = [str(studies / f"{name}.toml") for name in (*NAMES, "broken")]
    done = subprocess.run(
        command(*said, "--out", str(tmp_path / "out"), "--jobs", "2"), capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "broken: " in done.stderr
    same_results(tmp_path / "out", studies)
    assert [row["status"] for row in table(tmp_path / "out" / "campaign.csv")] == ["done"] * 3 + ["failed"]
    assert not (tmp_path / "out" / "broken").exists()
    # From the folder of the studies, all else as it was.
    shutil.rmtree(tmp_path / "out")
    done = subprocess.run(command("one.toml", "--out", str(tmp_path / "out" / "one")), check=True, cwd=studies)
    same_results(tmp_path / "out", studies, names=["one"], files=["draws.csv"])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no signal to one process")
def test_interrupted_campaign_goes_on(studies, tmp_path):
    out = tmp_path / "out"
    line = command(*(str(studies / f"{name}.toml") for name in NAMES), "--out", str(out))
    # A shell without job control starts what runs in its background, such as these tests, with interrupts ignored.
    heard = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        child = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, heard)
    with child:
        wait_for(lambda: list(out.glob("two/.nmrdyn-draws-*.h5")))
        child.send_signal(signal.SIGINT)
        printed, said = child.communicate()
    assert child.returncode == 130
    assert "Traceback" not in said
    assert said.endswith("nmrdyn: interrupted; what was drawn is kept, and the same command goes on from it\n")
    assert [row["status"] for row in table(out / "campaign.csv")] == ["done", "interrupted", "interrupted"]
    assert "interrupted" in printed
    same_results(out, studies, names=["one"])
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    assert "done" in done.stdout
    same_results(out, studies)


CLUSTER = """
if __name__ == "__main__":
    from distributed import LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, *(worker.pid for worker in cluster.workers.values()), flush=True)
        input()
"""


def wait_for(what, patience=120.0):
    end = time.monotonic() + patience
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_cluster_gives_the_same_draws_though_a_worker_is_killed(studies, tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "cluster.py").write_text(CLUSTER, encoding="utf-8")
    out = tmp_path / "out"
    said = [str(studies / f"{name}.toml") for name in (*NAMES, "broken")]
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "cluster.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as cluster:
        address, *workers = cluster.stdout.readline().split()
        assert len(workers) == 2
        line = command(*said, "--out", str(out), "--scheduler", address)
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as child:
            wait_for(lambda: len(list(out.glob("*/.nmrdyn-draws-*.h5"))) >= 2)  # both are at work
            os.kill(int(workers[0]), signal.SIGKILL)
            printed, errors = child.communicate(timeout=300)
        cluster.communicate("\n", timeout=60)
    assert child.returncode == 2, errors
    assert [row["status"] for row in table(out / "campaign.csv")] == ["done"] * 3 + ["failed"], errors
    assert "found no " in table(out / "campaign.csv")[-1]["reason"]
    same_results(out, studies, files=["draws.csv"])
    hidden = [file.name for file in out.rglob(".*")]
    assert hidden == []
    summary = json.loads((out / "one" / "summary.json").read_text(encoding="utf-8"))
    assert summary["diagnostics"]["passed"]
    assert "three" in printed


@pytest.mark.slow
def test_scheduler_that_does_not_answer_is_refused_in_one_line(studies, tmp_path):
    pytest.importorskip("distributed")
    done = subprocess.run(
        command(str(studies / "one.toml"), "--out", str(tmp_path / "out"), "--scheduler", "tcp://127.0.0.1:1"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("nmrdyn: tcp://127.0.0.1:1: needed a dask scheduler")
    assert not (tmp_path / "out").exists()
