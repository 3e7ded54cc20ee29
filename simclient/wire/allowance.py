"""What reading one message may cost its reader.

A few kilobytes can stand for gigabytes: in compressed parts, which a message may have many of, one within another, and in JSON of nothing
but brackets, each of which is an object in memory. A server that reads what strangers write gives each message an allowance; whoever
reads without one, as our client does, is bounded by the size of the message and of each blob.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import final

from ..errors import RemoteProtocolError

__all__ = ["Allowance", "charge_blob", "charge_values"]


@final
class Allowance:
    """What is left for one message.

    Args:
        most_values: Of JSON, in the message and its compressed parts together, as far as brackets and commas tell.
        most_blob_bytes: Of all compressed parts together, when decompressed.
    """

    def __init__(self, *, most_values: int, most_blob_bytes: int) -> None:
        self._most_values = most_values
        self._most_blob_bytes = most_blob_bytes
        self._values_left = most_values
        self._blob_bytes_left = most_blob_bytes

    @contextmanager
    def applied(self) -> Generator[None]:
        """Charge what is read in the block, by this thread."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    def take_values(self, count: int) -> None:
        """Charge for values that are about to be read.

        Raises:
            RemoteProtocolError: There are too many.
        """
        self._values_left -= count
        if self._values_left < 0:
            raise RemoteProtocolError(f"a message of more than {self._most_values:,} values is not read")

    def take_blob_bytes(self, size: int) -> None:
        """Charge for bytes that were decompressed.

        Raises:
            RemoteProtocolError: There are too many.
        """
        self._blob_bytes_left -= size
        if self._blob_bytes_left < 0:
            raise RemoteProtocolError(
                f"a message whose compressed parts have more than {self._most_blob_bytes:,} bytes when decompressed is not read"
            )


_CURRENT: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


def charge_values(text: str) -> None:
    """Charge for the values of a JSON text before it is parsed.

    Raises:
        RemoteProtocolError: They may be more than is allowed.
    """
    allowance = _CURRENT.get()
    if allowance is not None:
        allowance.take_values(text.count("[") + text.count("{") + text.count(","))


def charge_blob(size: int) -> None:
    """Charge for so many bytes that were decompressed.

    Raises:
        RemoteProtocolError: They are more than is allowed.
    """
    allowance = _CURRENT.get()
    if allowance is not None:
        allowance.take_blob_bytes(size)
