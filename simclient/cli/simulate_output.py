"""Reading a transaction that the user names, and how a simulation looks."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from ..errors import InputError
from ..wire.rpc_values import SimulationResult
from ..wire.transaction_errors import describe_transaction_error
from .terminal import clean, print_json_text, result_console

__all__ = ["print_simulation", "read_transaction"]

_SHORTEST_TRANSACTION = 100
"""Bytes: a signature, a key, a blockhash. A shorter text is rather the name of a file."""
_LONGEST_SHOWN = 500
"""Characters of what may be a path or a whole transaction."""
_LONGEST_NAME = 255
"""Of a file: a longer text is the transaction itself."""


def read_transaction(source: str) -> bytes:
    """Return the wire form of a transaction.

    Args:
        source: A file, `-`, or base64 text.

    Raises:
        InputError: There is no such file, and the text is no base64.
    """
    if source == "-":
        return _decoded(sys.stdin.buffer.read(), "the standard input")

    path = Path(source)
    if len(source) <= _LONGEST_NAME and path.exists():
        try:
            return _decoded(path.read_bytes(), source)
        except OSError as error:
            raise InputError(f"cannot read {source}: {error.strerror or error}") from error

    try:
        wire = base64.b64decode(source, validate=True)
    except ValueError:
        wire = b""
    if len(wire) < _SHORTEST_TRANSACTION:
        raise InputError(
            f"cannot read {source[:_LONGEST_SHOWN]}: there is no such file, and it is no transaction in base64 either"
        )

    return wire


def print_simulation(result: SimulationResult, *, is_json: bool) -> int:
    """Print what a transaction would do, and return the exit code."""
    error = describe_transaction_error(result.error)
    if is_json:
        print_json_text(
            {
                "success": result.is_success,
                "error": error,
                "err": result.error,
                "compute_units": result.units_consumed,
                "logs": result.logs,
                "return_data": None if result.return_data is None else base64.b64encode(result.return_data).decode(),
            }
        )
        return 0 if result.is_success else 1

    console = result_console()
    console.print("it would succeed" if result.is_success else f"it would fail: {clean(error or '')}", soft_wrap=True)
    if result.units_consumed is not None:
        console.print(f"compute units: {result.units_consumed:,}")
    for line in result.logs:
        console.print(f"    {clean(line)}", soft_wrap=True)
    return 0 if result.is_success else 1


def _decoded(content: bytes, source: str) -> bytes:
    """Return the bytes of base64 text; what is no such text is the transaction itself."""
    if not content.strip():
        raise InputError(f"{source} is empty: give a transaction, as bytes or base64")
    try:
        return base64.b64decode(content.strip(), validate=True)
    except ValueError:
        return content
