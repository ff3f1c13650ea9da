"""The documentation: every key, public name and command has its place, its examples run, its links lead somewhere."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import re
import shutil
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import nmrdyn as nd
from nmrdyn.study import models
from nmrdyn.study.keys import SECTIONS, TABLES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="needs docs/, which an installed copy does not have")
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)


def module(path):
    """A module of the documentation, which is in no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{path.stem}", path)
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # where dataclasses look for their module
    spec.loader.exec_module(made)
    return made


examples = module(DOCS / "_ext" / "study_examples.py") if DOCS.is_dir() else None


def fenced(page, language):
    """The blocks of a page in a language, without their fences."""
    return re.findall(rf"^```{re.escape(language)}[^\n]*\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


# --- study.toml ---


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    examples.write_data(folder)
    return folder


def keys():
    """Each key with its section; spectra take seconds to fit."""
    for name, key in examples.all_keys() if examples else []:
        marks = [pytest.mark.slow] if key.data == "spectra" else []
        yield pytest.param(name, key, id=f"{name}-{key.name}", marks=marks)


@pytest.mark.parametrize(("section", "key"), list(keys()))
def test_the_example_of_each_key_is_taken_and_its_wrong_value_refused_in_one_line(section, key, data):
    assert examples.refusal(examples.study_with(section, key, key.example), data) == ""
    if key.wrong:
        found = examples.refusal(examples.study_with(section, key, key.wrong), data)
        assert "needed" in found
        assert "\n" not in found


def test_the_reader_takes_no_key_that_the_reference_lacks():
    """Every text that the reader looks up in a table of a study is a key of the reference."""
    known = set(TABLES).union(*(section.known for section in SECTIONS.values()))
    looked_up = set()
    for file in ("read", "data", "models", "carriers"):
        for node in ast.walk(ast.parse((ROOT / "nmrdyn" / "study" / f"{file}.py").read_text("utf-8"))):
            of = slot = None
            if isinstance(node, ast.Subscript):
                of, slot = node.value, node.slice
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
                of, slot = node.func.value, node.args[0]
            if isinstance(of, ast.Name) and of.id in ("entry", "table", "head") and isinstance(slot, ast.Constant):
                looked_up.add(slot.value)
    assert {"seed", "data", "kind", "dimensions"} <= looked_up  # of each of the four
    assert looked_up <= known | {"kind"}


@pytest.mark.parametrize(("section", "classes"), [("spectral-density", models._DENSITIES), ("law", models._LAWS)])
def test_every_field_of_a_density_and_of_a_law_is_a_key(section, classes):
    assert SECTIONS[section].known == {"kind"} | {item.name for one in classes.values() for item in fields(one)}


def kinds():
    for kind in examples.PROCESSES if examples else []:
        yield pytest.param(kind, marks=[pytest.mark.slow] if kind == "spectra" else [])


@pytest.mark.parametrize("kind", list(kinds()))
def test_a_study_of_each_kind_of_process_is_read(kind, data):
    process = {"name": kind, **examples.PROCESSES[kind]}
    text = "[study]\nseed = 1\n[[process]]\n" + "".join(f"{k} = {examples._toml(v)}\n" for k, v in process.items())
    assert examples.refusal(text, data) == ""


def tables_of(page):
    return [pytest.param(text, id=f"{page.stem}-{n}") for n, text in enumerate(fenced(page, "toml"))]


@pytest.mark.parametrize("text", [one for page in [ROOT / "README.md", *PAGES] for one in tables_of(page)])
def test_toml_of_pages_has_known_keys_alone(text):
    """Of whole tables and of lines of a process alike."""
    said = tomllib.loads(text)
    processes = said.pop("process", [])
    for table in said.pop("probe", {}).values():
        assert set(table) <= SECTIONS["probe"].known
    for name in ("study", "haven"):
        assert set(said.pop(name, {})) <= SECTIONS[name].known
    for process in [*processes, said]:
        assert set(process) <= SECTIONS["process"].known
        mechanisms = process.get("mechanism", [])
        for one in mechanisms if isinstance(mechanisms, list) else [mechanisms]:
            assert set(one) <= {"kind"} | models._MECHANISMS[one["kind"]].known
        for key in ("cell", "autocorrelation"):
            assert set(process.get(key, {})) <= SECTIONS[key].known
        if isinstance(process.get("recovery"), dict):
            assert set(process["recovery"]) <= SECTIONS["recovery-populations"].known | {"depth"}


# --- public names and commands ---


def public_names():
    stub = ast.parse((ROOT / "nmrdyn" / "__init__.pyi").read_text("utf-8"))
    return {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_every_public_name_has_a_place_once():
    placed = [name for page in PAGES for block in fenced(page, "{public-names}") for name in block.split()]
    own = [name for name in placed if not name.startswith("nmrdyn.")]
    assert len(own) == len(set(own))
    assert set(own) == public_names() - {"plot"}
    for name in placed:
        found = nd
        for part in name.removeprefix("nmrdyn.").split(".") if name in own else []:
            found = getattr(found, part)
        assert found.__doc__


def test_every_command_has_its_help_on_the_page():
    shown = re.findall(r"\{command\} nmrdyn (\S+) --help", (DOCS / "commands.md").read_text("utf-8"))
    files = {path.stem for path in (ROOT / "nmrdyn" / "cli").glob("*.py")}
    adding = {name for name in files if "def add(" in (ROOT / "nmrdyn" / "cli" / f"{name}.py").read_text("utf-8")}
    assert set(shown) == adding


# --- what is shown runs ---


def pages_with_examples():
    for page in PAGES:
        text = page.read_text("utf-8")
        if ">>>" in text:
            marks = [pytest.mark.slow] if re.search(r"nd\.(infer|simulate_impedance)\(", text) else []
            yield pytest.param(page, id=page.stem, marks=marks)


@pytest.mark.parametrize("page", list(pages_with_examples()))
@pytest.mark.slow
def test_examples_of_a_page_run(page, tmp_path, monkeypatch):
    shutil.copytree(examples.EXAMPLE, tmp_path / "example")
    monkeypatch.chdir(tmp_path)
    text = "\n".join(fenced(page, "python"))
    test = doctest.DocTestParser().get_doctest(text, {}, page.stem, str(page), 0)
    found = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test)
    assert found.attempted > 0
    assert found.failed == 0


def test_a_recovery_model_of_the_documentation_finds_its_truth():
    model = module(DOCS / "examples" / "log_normal_recovery.py").LogNormalRecovery
    t1, width = 2.0, 0.8
    # The mean of exp(-t/T) over a normal ln T, by a sum over a fine grid in place of the model's quadrature.
    u = np.linspace(-8, 8, 4001)
    density = np.exp(-(u**2) / 2) / np.exp(-(u**2) / 2).sum()
    delay = np.geomspace(0.02, 40, 24)
    left = np.exp(-delay[:, None] / (t1 * np.exp(width * u))) @ density
    assert model().decay(delay, t1, width) == pytest.approx(left, abs=2e-4)

    truth = nd.RelaxationTruth(
        nucleus="23Na", larmor_frequency=132.32e6, cq=1e6, eta=0.1, snr=1e4, activation_energy=0.45, tau_c=1e-5,
        reference_temperature=333.15, temperature=[333.15],
    )  # fmt: skip
    recovery = nd.simulate(truth, seed=1)
    delays = recovery["delay"].values
    lefts = np.exp(-delays[..., None] / (t1 * np.exp(width * u))) @ density
    noise = 1e-4 * np.random.default_rng(1).standard_normal(delays.shape)
    recovery = recovery.copy(data={"signal": 1 - lefts + noise, "signal_stderr": np.full(delays.shape, 1e-4)})
    found = nd.fit_recovery(recovery, model())
    assert found["t1"].item() == pytest.approx(t1, rel=0.01)


def test_a_spectral_density_of_the_documentation_is_the_transform_of_its_correlation():
    density, tau = module(DOCS / "examples" / "one_dimension.py").OneDimension(), 1e-9
    for x in (0.3, 1.0, 5.0):
        # integral of C(t) cos(x t) by parts, on t = s^2, where C is smooth, up to where its tail is known: t^(-3/2)/2.
        s = np.linspace(0, 200, 400_001)
        slope = np.gradient(density.correlation(s**2 * tau, tau), s)
        value = -np.trapezoid(slope * np.sin(x * s**2) / x, s) * tau
        assert density.evaluate(x / tau, tau) == pytest.approx(value, rel=2e-3)
    slow = density.evaluate(np.array([1e3, 4e3]) / tau, tau)
    assert slow[0] / slow[1] == pytest.approx(4**1.5, rel=0.05)


def test_a_mechanism_of_the_documentation_has_the_minimum_of_its_closed_form():
    mechanism = module(DOCS / "examples" / "shift_anisotropy.py").ShiftAnisotropy(nucleus="31P", anisotropy=150e-6)
    omega = 2 * np.pi * 162e6
    tau, shortest = mechanism.turning_point(162e6)
    assert omega * tau == pytest.approx(1, rel=1e-6)  # of x / (1 + x^2)
    assert shortest == pytest.approx(15 / (omega * 150e-6**2), rel=1e-9)
    assert mechanism.rate_t2(1e-13, 162e6) / mechanism.rate(1e-13, 162e6) == pytest.approx(7 / 6, rel=1e-6)
    both = nd.Dipolar(nucleus="31P", partner="1H", distance=2e-10, count=1) + mechanism
    assert sum(both.shares(1e-9, 162e6).values()) == pytest.approx(1)


# --- links and places ---


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_project_lead_to_files(name):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / name).read_text("utf-8"))
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_links_between_pages_lead_to_pages():
    wrong = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
            target = page.parent / link
            if "://" not in link and not (target.exists() or target.with_suffix(".md").exists()):
                wrong.append(f"{page.relative_to(DOCS)}: {link}")
    assert not wrong


def test_nothing_names_a_folder_of_one_machine():
    texts = [*PAGES, *DOCS.glob("_ext/*.py"), *DOCS.glob("examples/*.py"), DOCS / "conf.py"]
    found = [str(one) for one in texts if re.search(r"/work/|/home/|/root/|/Users/|C:\\\\", one.read_text("utf-8"))]
    assert not found
