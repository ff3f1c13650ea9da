"""Notebooks as they are kept: without outputs, asserting their numbers at their end, and bound to no machine."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def test_there_are_six_in_order():
    assert [file.name[:3] for file in NOTEBOOKS] == ["01-", "02-", "03-", "04-", "05-", "06-"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda file: file.stem)
def notebook(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def code(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_outputs_are_stripped(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_its_last_cell_asserts_its_numbers(notebook):
    assert notebook["cells"][-1]["cell_type"] == "code"
    assert re.search(r"\bassert\b|np\.testing\.assert_", code(notebook)[-1])
    assert not any(re.search(r"^\s*assert\b", cell, re.M) for cell in code(notebook)[:-1])


def test_it_needs_no_set_up_and_no_machine(notebook):
    text = json.dumps(notebook)
    assert "%matplotlib" not in text
    assert "pyplot" not in text
    assert not re.search(r"(?<![\w.])/(?:home|work|tmp|Users|root)/", text)


def test_it_begins_with_a_title_that_is_a_question_or_names_one(notebook):
    first = notebook["cells"][0]
    assert first["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")
