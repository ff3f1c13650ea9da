"""The site: python -m sphinx -W --keep-going -b html docs docs/_build; -D nb_execution_mode=off runs no notebook."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import nmrdyn

project = "nmrdyn"
author = "nmrdyn developers"
copyright = "nmrdyn developers, BSD 3-clause licence"
version = release = nmrdyn.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "generated",
    "offline_math",
    "parameters",
]
exclude_patterns = ["_build", "_ext", "examples", "**.ipynb_checkpoints", "Thumbs.db"]
html_theme = "furo"
html_title = "nmrdyn"
html_static_path = ["_static"]
html_css_files = ["nmrdyn.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "force"  # a cache would not see that nmrdyn has changed
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # nothing is loaded from elsewhere
nb_merge_streams = True

default_role = "literal"  # of docstrings
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
autosummary_generate = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
