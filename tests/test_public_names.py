"""What `import simclient` offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import simclient


@pytest.mark.parametrize("name", dir(simclient))
def test_every_public_name_has_a_home(name: str) -> None:
    """Each name can be imported, and is the object of its one home."""
    value = getattr(simclient, name)
    assert value is not None
    assert name in dir(simclient)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typo says what it is."""
    with pytest.raises(AttributeError, match="open_backtest_sesion"):
        getattr(simclient, "open_backtest_sesion")  # noqa: B009  # a type checker would refuse the attribute


def test_importing_the_package_imports_nothing_heavy() -> None:
    """The embedded simulator, the command line and trio cost nothing until they are used."""
    program = (
        "import sys, simclient; print(*sorted({'solders', 'rich', 'cyclopts', 'trio', 'httpx2'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
