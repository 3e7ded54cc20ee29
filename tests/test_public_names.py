"""What `import simclient` and its public packages offer."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import simclient
import simclient.local
import simclient.notebook
import simclient.research
import simclient.rpc
import simclient.testing
import simclient.wire

PUBLIC = (
    simclient,
    simclient.local,
    simclient.notebook,
    simclient.research,
    simclient.rpc,
    simclient.testing,
    simclient.wire,
)
"""Where programs import from; what lies deeper may move."""


def names_of(module: ModuleType) -> dict[str, object]:
    names = vars(module).get("__all__", ())
    return {name: getattr(module, name) for name in names}


OFFERED: list[tuple[str, object]] = [
    (f"{module.__name__}.{name}", value) for module in PUBLIC for name, value in names_of(module).items()
]
OFFERED_CLASSES = {value for _, value in OFFERED if inspect.isclass(value)}


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_every_public_name_can_be_imported_and_is_listed(module: ModuleType) -> None:
    """Each name has an object behind it, and `dir` tells of it."""
    names = names_of(module)
    assert names
    assert None not in names.values()
    assert set(names) <= set(dir(module))


def test_what_public_signatures_name_is_public_too() -> None:
    """Nobody must import from a module that may move in order to give an argument or to annotate a result."""
    hidden = {
        f"{wanted.__module__}.{wanted.__qualname__}, in {place}"
        for name, value in OFFERED
        for place, function in signatures_of(name, value)
        for wanted in classes_in(typing.get_type_hints(function, localns=typing_names(function)))
        if wanted not in OFFERED_CLASSES
    }
    assert not hidden


def signatures_of(name: str, value: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield what has annotations: a function, or the methods, properties and fields of a class."""
    if inspect.isfunction(value):
        yield name, inspect.unwrap(value)
    elif inspect.isclass(value):
        yield name, value
        for attribute, member in vars(value).items():
            function = member.fget if isinstance(member, property) else member
            if inspect.isfunction(function) and not attribute.startswith("_"):
                yield f"{name}.{attribute}", inspect.unwrap(function)


def typing_names(function: Callable[..., Any]) -> dict[str, object]:
    """Return what the function's module imports for type checkers only."""
    module = sys.modules[function.__module__]
    names: dict[str, object] = {}
    source = inspect.getsource(module)
    if "\nif TYPE_CHECKING:\n" in source:
        block = source.split("\nif TYPE_CHECKING:\n", 1)[1]
        lines = [line.strip() for line in block.splitlines() if line.startswith("    ")]
        imports = [line for line in lines if line.startswith(("from ", "import "))]
        exec("\n".join(imports), {"__package__": module.__package__}, names)
    return names


def classes_in(annotation: object) -> Iterator[type]:
    """Yield the classes of simclient that an annotation, or a mapping of them, is made of."""
    if isinstance(annotation, dict):
        for name, part in annotation.items():
            if not name.startswith("_"):
                yield from classes_in(part)
    elif isinstance(annotation, list) or typing.get_args(annotation):
        for part in annotation if isinstance(annotation, list) else typing.get_args(annotation):
            yield from classes_in(part)
    elif (
        inspect.isclass(annotation) and annotation.__module__.startswith("simclient.") and annotation.__name__[0] != "_"
    ):
        yield annotation


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typo says what it is."""
    with pytest.raises(AttributeError, match="open_backtest_sesion"):
        getattr(simclient, "open_backtest_sesion")  # noqa: B009  # a type checker would refuse the attribute


EXTRAS = {"IPython", "cyclopts", "numpy", "pandas", "polars", "pyarrow", "pytest", "resvg_py", "rich", "solders"}
"""What extras bring; all of it is installed here."""
IMPORTED = {
    "import simclient": EXTRAS | {"attrs", "cattrs", "httpx2", "msgspec", "trio", "zstandard"},
    "from simclient import open_backtest_session, open_client, open_parallel_session": EXTRAS,
    "import simclient.notebook": EXTRAS,
    "from simclient.research import compare_runs, read_run, run_backtest, summarize, write_report": EXTRAS,
    "from simclient import open_local_simulator": EXTRAS - {"solders"},
    "import simclient.cli": EXTRAS | {"trio"},
}
"""Programs, and what they do without until they use it."""


@pytest.mark.parametrize("program", IMPORTED)
def test_an_import_imports_nothing_that_is_not_used(program: str) -> None:
    """Extras, and for the package itself every dependency, cost nothing before that."""
    result = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {*result.stdout.split()} & IMPORTED[program] == set()
