"""What autodoc shows in another way than we want it.

- Napoleon takes the words before a colon in an attribute's docstring for a type, which in ours they never are.
- A default of a signature that fills a screen says less than what stands in the code.
- How a field is written on the wire (bounds, names, generations) stands beside its type for the codec; readers find it in the
  reference of the wire.
- An example in a docstring is indented, and would be a quotation.
- A type alias without words of its own would show those of `typing`.
- The documenter of sphinxcontrib-trio for functions does not note the types of their parameters, as Sphinx's own does.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import Any, get_type_hints

from sphinx.application import Sphinx
from sphinx.ext.autodoc.typehints import record_typehints

_BEFORE_NAPOLEON, _AFTER_NAPOLEON = 400, 600
_ATTRIBUTES = {"attribute", "data", "property"}
_OF_THE_CODEC = {"is_terminal", "unknown_fields", "wire_name", "wire_only"}
_UNKNOWN_FIELDS = re.compile(r"unknown_fields=\(\)(?:, )?")
_PACKAGES = (
    "simclient",
    "simclient.local",
    "simclient.research",
    "simclient.rpc",
    "simclient.testing",
    "simclient.wire",
)
_LIMITS = re.compile(r"\b(\w*Limits)\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)")
_FUNCTION = re.compile(r"<function (\w+)>")

_kept: list[str] = []


def take_away(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Leave Napoleon nothing to read of an attribute; of others, say that what stands indented is code."""
    if what in _ATTRIBUTES:
        _kept[:] = lines
        lines.clear()
    for place in range(len(lines) - 1, 1, -1):
        if lines[place].startswith("    ") and not lines[place - 1] and lines[place - 2][:1].strip():
            lines[place:place] = ["::", ""]


def give_back(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Go on with what there was."""
    if what in _ATTRIBUTES:
        has_words_of_its_type = "\n".join(_kept).strip() == (inspect.getdoc(type(obj)) or "").strip()
        lines[:] = [] if has_words_of_its_type else _kept


def shorten(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write defaults as the code has them."""
    if signature is None:
        return signature, returns

    short = _UNKNOWN_FIELDS.sub("", _FUNCTION.sub(r"\1", _LIMITS.sub(r"\1()", signature)))
    return re.sub(r"^\((?:\*, ?)?\)$", "()", short), returns


def note_types(
    app: Sphinx, what: str, name: str, obj: object, options: Any, signature: str | None, returns: str | None
) -> None:
    """Note the types of a function's parameters, for the list of them."""
    if what == "function":
        record_typehints(app, what, name, obj, options, signature or "", returns or "")


def skip(app: Sphinx, what: str, name: str, obj: object, would_skip: bool, options: object) -> bool | None:
    """Leave out what only the codec looks at."""
    return True if name in _OF_THE_CODEC else None


def strip_annotations(app: Sphinx) -> None:
    """Take from the types of fields what is beside them for the codec; in this process nothing is encoded."""
    for package in _PACKAGES:
        module = import_module(package)
        for value in [getattr(module, name) for name in module.__all__]:
            for cls in inspect.getmro(value) if inspect.isclass(value) else ():
                if cls.__module__.startswith("simclient.wire"):
                    plain = get_type_hints(cls)
                    cls.__annotations__ = {name: plain[name] for name in vars(cls).get("__annotations__", {})}


def setup(app: Sphinx) -> dict[str, Any]:
    """Come before and after Napoleon."""
    app.connect("autodoc-process-docstring", take_away, priority=_BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", give_back, priority=_AFTER_NAPOLEON)
    app.connect("autodoc-process-signature", shorten)
    app.connect("autodoc-process-signature", note_types)
    app.connect("autodoc-skip-member", skip)
    app.connect("builder-inited", strip_annotations)
    return {"parallel_read_safe": True}
