"""What is said to a program that does not run under trio."""

from __future__ import annotations

import trio

from ..errors import LocalProtocolError

__all__ = ["require_trio"]


def require_trio(what: str) -> None:
    """Refuse to go on where trio's own error, deep below, would not tell what to do.

    Args:
        what: What was called.

    Raises:
        LocalProtocolError: Nothing runs here, or another event loop.
    """
    if not trio.lowlevel.in_trio_run():
        raise LocalProtocolError(
            f"{what} runs under trio: call trio.run(main) in place of asyncio.run(main()); where there is no trio.run, as in a notebook,"
            " take simclient.notebook"
        )
