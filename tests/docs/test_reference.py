"""The reference of the API leaves nothing out that is public."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from .running import ROOT

REFERENCE = ROOT / "docs" / "reference"
AUTOMATIC = re.compile(r"^\.\. (?:currentmodule:: (\S+)|auto\w+:: (\S+))$", re.MULTILINE)


def documented() -> set[str]:
    names: set[str] = set()
    for page in (REFERENCE / "api").glob("*.md"):
        module = ""
        for current, name in AUTOMATIC.findall(page.read_text(encoding="utf-8")):
            module = current or module
            if name:
                names.add(name if name.startswith("simclient.") else f"{module}.{name}")
    return names


def value_of(name: str) -> object:
    package, _, attribute = name.rpartition(".")
    return getattr(import_module(package), attribute)


@pytest.mark.parametrize("package", ["", ".local", ".notebook", ".research", ".rpc", ".testing"])
def test_every_public_name_has_an_entry(package: str) -> None:
    """By whatever name it is offered; exceptions stand on the page about errors, which takes them from the classes."""
    module = import_module(f"simclient{package}")
    entries = [value_of(name) for name in documented()]
    missing = [name for name in module.__all__ if not any(getattr(module, name) is entry for entry in entries)]

    assert [name for name in missing if not is_exception(getattr(module, name))] == []


def test_every_entry_is_of_a_public_name() -> None:
    """What is gone from the code is gone from the page."""
    for entry in documented():
        package, _, name = entry.rpartition(".")
        assert name in import_module(package).__all__, entry


def is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)
