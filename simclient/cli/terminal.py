"""What is printed, and how: results on the standard output, everything else on the standard error.

Whatever a server says is hostile: control characters, which could move the cursor or hide text, are shown as `�`, and rich's markup
and highlighting are off.
"""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "clean",
    "drop_standard_output",
    "error_console",
    "fill_closed_streams",
    "print_error",
    "print_json_text",
    "result_console",
]

_PIPE_COLUMNS = 200
"""Without a terminal, lines are for programs: wide enough for whole addresses."""
_LONGEST_TEXT = 2_000
"""Characters of a server's text that are shown."""


def fill_closed_streams() -> None:
    """Open what the caller has closed, as `>&-` does: else the next file that is opened would get the number of a standard stream.

    A closed output cannot be written, so results are an error, as on a full disk; there is no place to say errors, and they are dropped.
    """
    if sys.stdout is None:
        sys.stdout = _opened_as(1, os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = _opened_as(2, os.O_WRONLY)


def _opened_as(number: int, flags: int) -> TextIO:
    descriptor = os.open(os.devnull, flags)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    return open(number, "w", encoding="utf-8", closefd=False)


def clean(text: str) -> str:
    """Return a text that is safe to print on one line."""
    shown = "".join(c if c.isprintable() else " " if c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"


def result_console() -> Console:
    """Return the console for results."""
    return _console(sys.stdout)


def error_console() -> Console:
    """Return the console for progress, notices and errors."""
    return _console(sys.stderr)


def print_json_text(value: object) -> None:
    """Print a value as JSON on the standard output, for programs."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value).decode(), indent=2) + "\n")
    sys.stdout.flush()


def print_error(message: str) -> None:
    """Print one line about what went wrong."""
    try:
        sys.stderr.write(f"simclient: {clean(message)}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        # Nobody reads the errors; the exit code is what is left. Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def drop_standard_output() -> None:
    """Give up an output that cannot be written, so that Python does not try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console(stream: IO[str]) -> Console:
    from rich.console import Console  # an error is printed without it

    width = None if stream.isatty() else _PIPE_COLUMNS
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
