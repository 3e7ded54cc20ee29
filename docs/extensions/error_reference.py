"""Directives for the page about errors, which has nothing that the classes do not say.

`exceptions` documents every exception of some modules, parents first; `refusals` is a table of what a server's error can be.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from types import ModuleType
from typing import Any, get_args

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from simclient.wire import failures

REMEDY = "What to do: "


class Exceptions(SphinxDirective):
    """`.. exceptions:: MODULE …`: every exception that the modules offer."""

    has_content = False
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Document each class by autodoc."""
        modules = [import_module(name) for name in self.arguments[0].split()]
        found = [(module, error) for module in modules for error in _exceptions_of(module)]
        lines: list[str] = []
        for module, error in found:
            if REMEDY not in (inspect.getdoc(error) or ""):
                raise self.error(f"{error.__name__} does not say what to do")
            lines += [f".. autoexception:: {module.__name__}.{error.__name__}", "   :show-inheritance:", ""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class Refusals(SphinxDirective):
    """`.. refusals::`: the kinds of errors that a server reports, what they mean and what to do about them."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Write the table as reStructuredText and have it read."""
        lines = [
            ".. list-table::",
            "   :header-rows: 1",
            "",
            "   * - error",
            "     - what it means",
            "     - what to do",
            "",
        ]
        for failure in get_args(failures.BacktestFailure):
            meaning, remedy = _meaning_and_remedy(failure)
            ends = " Ends the session." if failure.is_terminal else ""
            lines += [f"   * - ``{failure.__name__}``", f"     - {meaning}{ends}", f"     - {remedy}"]
        node = nodes.Element()
        self.state.nested_parse(StringList(lines, source="simclient.wire.failures"), self.content_offset, node)
        return node.children


def _exceptions_of(module: ModuleType) -> list[type[Exception]]:
    offered = [getattr(module, name) for name in getattr(module, "__all__", ())]
    errors = [each for each in offered if inspect.isclass(each) and issubclass(each, Exception)]
    return sorted(errors, key=lambda error: [base.__name__ for base in reversed(error.__mro__)])


def _meaning_and_remedy(failure: type) -> tuple[str, str]:
    meaning, _, remedy = (inspect.getdoc(failure) or "").partition(REMEDY)
    return _literals(meaning.strip()), _literals(remedy.strip())


def _literals(text: str) -> str:
    return text.replace("`", "``")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("exceptions", Exceptions)
    app.add_directive("refusals", Refusals)
    return {"parallel_read_safe": True}
