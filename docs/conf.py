"""Sphinx configuration; `nox -s docs` builds with warnings as errors."""

from __future__ import annotations

from importlib import metadata

project = "simclient"
author = "The simclient authors"
release = metadata.version("simclient")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib_trio"]
exclude_patterns = ["_build", "changelog.d"]

html_theme = "furo"
html_title = f"simclient {release}"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
