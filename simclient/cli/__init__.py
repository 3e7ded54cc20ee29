"""The command line: arguments in, calls of the library, rendering out.

Exit codes: 0 done, 1 failed, 2 the command or its input cannot be used (nothing was connected to), 130 cancelled by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_CANCELLED = 130
_EXTRA_PACKAGES = frozenset({"cyclopts", "rich"})


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        tokens: The arguments; those of the process where it is None.
    """
    try:
        from .app import run_command
    except KeyboardInterrupt:  # while it is being imported
        return _CANCELLED
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA_PACKAGES:
            raise
        sys.stderr.write(f'simclient: the command line needs {error.name}: pip install "simclient[cli]"\n')
        return 1

    return run_command(sys.argv[1:] if tokens is None else tokens)
