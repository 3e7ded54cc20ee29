"""The rules of the house, asserted on the syntax trees of every module; docs/explanation/architecture.md gives the reasons.

The installed package is read, not the checkout, so that the rules hold for what users get.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import simclient

PACKAGE = Path(simclient.__file__).parent
ARCHITECTURE_PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "architecture.md"

ALLOWED_IMPORTS: dict[str, set[str]] = {
    "errors": set(),
    "wire": {"errors"},
    "protocol": {"wire", "errors"},
    "transport": {"errors"},
    "rpc": {"transport", "wire", "errors"},
    "session": {"rpc", "protocol", "transport", "wire", "errors"},
    "local": {"transport", "wire", "errors"},
    "research": {"session", "rpc", "wire", "errors"},
    "notebook": {"research", "session", "rpc", "protocol", "local", "wire", "errors"},
    "cli": {"research", "session", "rpc", "local", "wire", "errors"},
    "testing": {"research", "session", "rpc", "local", "protocol", "transport", "wire", "errors"},
    "__init__": {"research", "session", "rpc", "local", "protocol", "transport", "wire", "errors"},
    "__main__": {"cli"},
}
"""What the modules of a layer may import from other layers of simclient; type-checking imports count."""

NURSERY_OWNERS = ("session/tasks.py", "transport/", "local/server/", "local/engine/", "testing/")
"""Who may call `trio.open_nursery`: the one door for tasks, the guards of sockets, and loops of servers and engines."""

FOREIGN_LIMITS: dict[str, tuple[str, ...]] = {
    "cattrs": ("wire/",),
    "trio_websocket": ("transport/", "local/server/", "testing/"),
    "solders": ("local/",),
    "cyclopts": ("cli/",),
    "rich": ("cli/",),
    "polars": ("research/",),
    "pytest": ("testing/",),
}
"""Libraries that have one home."""

WITHOUT_IO = ("wire/", "protocol/")
IO_MODULES = {
    "trio",
    "trio_websocket",
    "asyncio",
    "socket",
    "ssl",
    "httpx2",
    "random",
    "secrets",
    "logging",
    "threading",
}
"""What pure layers do without; `time` is checked with them for `protocol/`, whose clock is an argument."""

LONGEST_MODULE_LINES = 400
"""A longer module needs a line that names it in the architecture page."""


@attrs.frozen(kw_only=True)
class Module:
    """One parsed module of the package."""

    path: str
    """Relative to the package, with slashes: `wire/codec.py`."""
    tree: ast.Module
    lines: int

    @property
    def layer(self) -> str:
        """The top-level package or module of simclient that it belongs to."""
        return self.path.split("/")[0].split(".")[0]

    @property
    def package(self) -> tuple[str, ...]:
        """The dotted name of the package that relative imports start from."""
        return ("simclient", *self.path.split("/")[:-1])


def modules() -> list[Module]:
    """Read the whole package."""
    found: list[Module] = []
    for file in sorted((*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi"))):
        text = file.read_text(encoding="utf-8")
        path = file.relative_to(PACKAGE).as_posix()
        found.append(Module(path=path, tree=ast.parse(text), lines=text.count("\n")))

    return found


def imports(module: Module) -> Iterator[str]:
    """Yield the absolute dotted name of everything that `module` imports, wherever the statement stands."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)

        if isinstance(node, ast.ImportFrom):
            source = _absolute(module, node)
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""

    base = module.package[: len(module.package) - node.level + 1]
    return ".".join((*base, node.module) if node.module else base)


def layers_imported(module: Module) -> set[str]:
    """Return the other layers of simclient that `module` imports from; `from simclient import Name` is `__init__`."""
    found: set[str] = set()
    for name in imports(module):
        parts = name.split(".")
        if parts[0] != "simclient":
            continue

        second = parts[1] if len(parts) > 1 else "__init__"
        found.add(second if second in ALLOWED_IMPORTS else "__init__")

    return found - {module.layer}


def foreign_imports(module: Module) -> set[str]:
    """Return the top-level names of the other packages that `module` imports."""
    return {name.split(".")[0] for name in imports(module)} - {"simclient"}


def starts_with_any(path: str, prefixes: tuple[str, ...]) -> bool:
    """Tell whether `path` is one of the files, or in one of the folders, of `prefixes`."""
    return any(path == prefix or (prefix.endswith("/") and path.startswith(prefix)) for prefix in prefixes)


MODULES = modules()
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.path)


@each_module
def test_a_module_imports_only_from_the_layers_below_it(module: Module) -> None:
    """Every import goes down the house, never up or across."""
    assert module.layer in ALLOWED_IMPORTS, f"{module.path} is in no known layer: add it to ALLOWED_IMPORTS"

    assert layers_imported(module) <= ALLOWED_IMPORTS[module.layer]


@each_module
def test_a_nursery_is_opened_only_by_its_owners(module: Module) -> None:
    """Tasks are owned in few places, so that their ends can be reasoned about."""
    opens = any(
        (isinstance(node, ast.Attribute) and node.attr == "open_nursery")
        or (isinstance(node, ast.alias) and node.name == "open_nursery")
        for node in ast.walk(module.tree)
    )

    assert not opens or starts_with_any(module.path, NURSERY_OWNERS)


@each_module
def test_a_library_with_one_home_is_imported_only_there(module: Module) -> None:
    """What a library can do wrong is caught at one door."""
    strays = {
        name
        for name in foreign_imports(module)
        if name in FOREIGN_LIMITS and not starts_with_any(module.path, FOREIGN_LIMITS[name])
    }

    assert strays == set()


@pytest.mark.parametrize(
    "module", [m for m in MODULES if starts_with_any(m.path, WITHOUT_IO)], ids=lambda module: module.path
)
def test_a_pure_module_does_no_io(module: Module) -> None:
    """Values and rules know neither a loop, nor a socket, nor chance; the rules know no clock either."""
    banned = IO_MODULES | ({"time", "datetime"} if module.layer == "protocol" else set())

    assert foreign_imports(module) & banned == set()


@each_module
def test_a_long_module_is_accounted_for(module: Module) -> None:
    """A module over the limit has its reason in docs/explanation/architecture.md."""
    if module.lines > LONGEST_MODULE_LINES:
        assert module.path in ARCHITECTURE_PAGE.read_text(encoding="utf-8")


def test_the_architecture_page_names_files_that_exist() -> None:
    """Every path on the page that begins with a layer's folder leads to a module, or to a folder."""
    page = ARCHITECTURE_PAGE.read_text(encoding="utf-8")
    named = {
        path for path in re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", page) if path.split("/")[0] in ALLOWED_IMPORTS
    }
    assert named
    assert {path for path in named if not (PACKAGE / path).exists()} == set()


def test_the_test_files_that_the_pages_name_are_there() -> None:
    """Where a page says what shows a thing, it can be looked up."""
    root = Path(__file__).parent.parent
    pages = [root / "README.md", *(root / "docs").rglob("*.md")]
    named = {name for page in pages for name in re.findall(r"tests/[\w/]+\.py", page.read_text(encoding="utf-8"))}

    assert named
    assert [name for name in sorted(named) if not (root / name).is_file()] == []


@pytest.mark.parametrize(
    ("statement", "path", "expected"),
    [
        ("from ..wire.codec import read_response", "session/control.py", {"wire"}),
        ("from .. import errors", "wire/codec.py", {"errors"}),
        ("import simclient.local.bundle", "cli/run.py", {"local"}),
        ("from simclient import AccountDiff", "cli/run.py", {"__init__"}),
        ("from ...wire import urls", "local/server/http.py", {"wire"}),
        ("from .values import Bundle", "local/bundle/reader.py", set()),
        ("def f():\n    from ..local import open_local_simulator", "session/open.py", {"local"}),
        ("if TYPE_CHECKING:\n    from ..cli import main", "session/open.py", {"cli"}),
    ],
)
def test_every_spelling_of_an_import_is_seen(statement: str, path: str, expected: set[str]) -> None:
    """Relative, absolute, local and type-checking imports all count."""
    module = Module(path=path, tree=ast.parse(statement), lines=1)

    assert layers_imported(module) == expected
