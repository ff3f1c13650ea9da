"""The order of the house: who may import whom, and what the public names promise."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import nmrdyn as nd

ROOT = Path(nd.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# What each room may know beside itself. Physics and statistics flow one way; only study and cli know them all.
BOTTOM = {"schema", "units", "isotopes", "findings", "rounding"}
MAY_IMPORT = {
    "schema": set(),
    "units": {"schema"},
    "isotopes": {"schema", "units"},
    "findings": set(),
    "rounding": set(),
    "progress": set(),
    "priors": {"schema"},
    "columns": {"schema", "units", "findings"},
    "formulas": {"schema"},
    "efg": BOTTOM,
    "thermal": BOTTOM,
    "laws": BOTTOM | {"priors"},
    "join": BOTTOM,
    "thermometers": BOTTOM,
    "transport": BOTTOM | {"priors"},
    "temperatures": BOTTOM | {"thermometers", "columns", "formulas"},
    "read_table": BOTTOM | {"columns"},
    "topspin": BOTTOM | {"columns", "temperatures", "progress"},
    "recovery": BOTTOM,
    "motion": BOTTOM,
    "conductivity": BOTTOM | {"columns", "thermal", "transport", "join"},
    "haven": BOTTOM | {"transport", "inference"},
    "agreement": BOTTOM | {"inference"},
    "molecular_dynamics": BOTTOM | {"columns"},
    "literature": BOTTOM | {"columns"},
    "inference": BOTTOM | {"motion", "recovery", "laws", "priors", "progress"},
    "compare": BOTTOM,
    "interchange": {"schema"},
    "table": BOTTOM,
    "plot": BOTTOM,
    "report": BOTTOM | {"table", "compare", "plot", "agreement", "conductivity", "literature"},
    "simulate": BOTTOM | {"motion", "recovery", "laws"},
    "study": BOTTOM
    | {
        "topspin",
        "read_table",
        "recovery",
        "motion",
        "conductivity",
        "molecular_dynamics",
        "literature",
        "transport",
        "haven",
        "inference",
        "compare",
        "report",
        "plot",
        "laws",
        "priors",
        "join",
        "simulate",
        "progress",
    },
    "cli": BOTTOM
    | {"topspin", "recovery", "motion", "conductivity", "inference", "compare", "report", "plot", "thermal", "simulate"}
    | {"study", "rounding", "progress", "literature"},
    "__main__": {"cli"},
    "__init__": set(),
}

# Where a heavy package may be imported.
ONLY_IN = {
    "nmrglue": ["topspin/"],
    "impedance": ["conductivity/impedance/"],
    "emcee": ["inference/"],
    "arviz_stats": ["inference/"],
    "matplotlib": ["plot/"],
    "corner": ["plot/"],
    "jinja2": ["report/"],
    "markupsafe": ["report/"],
    "filelock": ["report/write.py"],
    "distributed": ["study/campaign.py"],
    "dask": ["study/campaign.py"],
    "argparse": ["cli/"],
    "shtab": ["cli/completion.py"],
    "tqdm": ["progress.py", "inference/sampler.py", "cli/run.py"],
    "tomllib": ["study/", "simulate/example.py"],
}


def name(file):
    return file.relative_to(ROOT).as_posix()


def room(file):
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(file):
    """Every module that a file imports, wherever in it; `from a import b` counts as a and a.b."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


@pytest.mark.parametrize("file", FILES, ids=name)
def test_imports_run_one_way(file):
    known = MAY_IMPORT[room(file)] | {room(file), "__version__"}
    rooms = {module.split(".")[1] for module in imported(file) if module.startswith("nmrdyn.")}
    assert rooms <= known


@pytest.mark.parametrize("file", FILES, ids=name)
def test_heavy_packages_stay_in_their_room(file):
    packages = {module.split(".")[0] for module in imported(file)}
    for package, places in ONLY_IN.items():
        if package in packages:
            assert any(name(file).startswith(place) for place in places)


@pytest.mark.parametrize("file", [file for file in FILES if room(file) != "cli"], ids=name)
def test_only_the_command_line_prints(file):
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if getattr(call.func, "id", "") in ("print", "input")]


def run_fresh(code):
    """Standard output of a new interpreter."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_nmrdyn_loads_nothing_heavy():
    loaded = run_fresh("import sys, nmrdyn; print(*sys.modules)").split()
    assert "nmrdyn" in loaded
    assert not {"emcee", "nmrglue", "matplotlib", "jinja2", "xarray", "scipy", "h5netcdf", "arviz_stats"} & set(loaded)


def test_help_loads_nothing_heavy():
    code = """
import contextlib, io, sys
from nmrdyn.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["run", "--help"])
print(*sys.modules)
"""
    assert not {"emcee", "nmrglue", "matplotlib", "jinja2", "xarray", "numpy"} & set(run_fresh(code).split())


@pytest.mark.parametrize("first", ["nmrdyn.study", "nmrdyn.compare, nmrdyn.report, nmrdyn.simulate"])
def test_functions_stay_functions_after_their_modules_were_imported(first):
    code = f"""
import {first}
import nmrdyn.study
import nmrdyn as nd
print(all(type(f).__name__ == "function" for f in (nd.compare, nd.simulate, nd.report, nd.infer, nd.run)))
"""
    assert run_fresh(code) == "True\n"


def test_module_and_package_have_one_version():
    from importlib.metadata import version

    assert nd.__version__ == version("nmrdyn")


PUBLIC = sorted(nd.__all__)


def test_contract_names_are_public():
    wanted = {"scan", "read_topspin", "fit_recovery", "SingleExponential", "StretchedExponential", "BPP", "Debye"}
    wanted |= {"correlation_time", "read_conductivity", "Process", "Conductivity", "Normal", "infer", "compare"}
    wanted |= {"report", "simulate", "run", "plot", "Isotope", "InputError", "Arrhenius", "Probe", "Uniform"}
    assert wanted <= set(PUBLIC)


@pytest.mark.parametrize("public", PUBLIC)
def test_public_name_resolves_and_is_described(public):
    thing = getattr(nd, public)
    assert inspect.getdoc(thing)
    if not inspect.ismodule(thing):
        assert thing.__name__ == public
        assert thing.__module__.startswith("nmrdyn.")
        own = thing.__doc__
        assert own
        assert not own.startswith(f"{public}(")  # what a dataclass says of itself


def functions():
    """Public functions, and the public methods and constructors of public classes."""
    for public in PUBLIC:
        thing = getattr(nd, public)
        if inspect.isfunction(thing):
            yield public, thing
        elif inspect.ismodule(thing):
            for key, value in vars(thing).items():
                if inspect.isfunction(value) and not key.startswith("_") and value.__module__ == thing.__name__:
                    yield f"{public}.{key}", value
        elif inspect.isclass(thing) and not issubclass(thing, Exception):
            for key, value in inspect.getmembers(thing, callable):
                if not key.startswith("_") and inspect.isfunction(value):
                    yield f"{public}.{key}", value
            # Isotopes come from a table, and are not made by hand.
            if public != "Isotope":
                yield f"{public}()", thing


@pytest.mark.parametrize(("called", "function"), [pytest.param(*one, id=one[0]) for one in functions()])
def test_public_functions_take_at_most_two_positional_arguments(called, function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds]
    if positional and positional[0] == "self":
        positional = positional[1:]
    assert len(positional) <= 2


def test_every_module_says_what_it_is_for():
    for file in FILES:
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), file


def test_importing_every_module_draws_and_prints_nothing(capsys):
    for file in FILES:
        if file.name not in ("__main__.py",):
            parts = file.relative_to(ROOT.parent).with_suffix("").parts
            importlib.import_module(".".join(parts).removesuffix(".__init__"))
    assert capsys.readouterr() == ("", "")
