"""`.. commands::`: every command with its arguments and options, as cyclopts has them for `--help`."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from simclient.cli.app import build_app

_FIRST_COMMAND = re.compile(r"^\.\. _cyclopts-simclient-\w+:$", re.MULTILINE)
_EXAMPLES = re.compile(r"(?:^\$ .*\n)+", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w`-])(--[a-z][a-z-]*)(?![\w`-])")
"""In running text, where its hyphens would become a dash."""
_CHOICES_AND_DEFAULTS = re.compile(r"(?<!`)`(?!`)([^`\n]+)`(?!`)")


class Commands(SphinxDirective):
    """Writes the commands as reStructuredText and has it read."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Leave out what `simclient --help` lists: the sections are the list."""
        text = build_app(is_listing=False).generate_docs(output_format="rst")
        first = _FIRST_COMMAND.search(text)
        assert first is not None
        text = _CHOICES_AND_DEFAULTS.sub(r"``\1``", text[first.start() :])
        text = "".join(
            line if line.startswith(("$", "``")) else _OPTION.sub(r"``\1``", line)
            for line in text.splitlines(keepends=True)
        )
        text = _EXAMPLES.sub(_as_block, text)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def _as_block(match: re.Match[str]) -> str:
    lines = "".join(f"   {line}\n" for line in match[0].splitlines())
    return f".. code-block:: console\n\n{lines}\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
