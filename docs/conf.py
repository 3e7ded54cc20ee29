"""Sphinx configuration; `nox -s docs` builds with warnings as errors."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "simclient"
author = "The simclient authors"
project_copyright = "the simclient authors, MIT licence"
release = metadata.version("simclient")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinxcontrib_trio",
    "autodoc_taste",
    "built_links",
    "command_reference",
    "error_reference",
]
exclude_patterns = ["_build", "changelog.d"]

default_role = "code"  # one backtick in docstrings, as in Markdown
smartquotes_action = "D"  # dashes; quotation marks are often JSON's

html_theme = "furo"
html_title = f"simclient {release}"
html_static_path = ["_static"]
pygments_dark_style = "github-dark"
html_css_files = ["pages.css"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

nb_execution_mode = "force"  # what the notebook shows is what came out now
nb_execution_in_temp = True
nb_execution_raise_on_error = True

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Cancellation", "notes_style"), ("Source", "notes_style")]

# A command is copied without its prompt, and without what it prints.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_exclude = ".linenos, .gp, .go"
