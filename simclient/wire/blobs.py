"""Parts of a request that 0.28 carries compressed: base64 of zstd of JSON, in a string."""

from __future__ import annotations

import base64

import zstandard

from .allowance import charge_blob
from .compression import MAX_WINDOW_BYTES
from .json_text import JsonValue
from .misfit import Misfit

__all__ = ["MAX_BLOB_BYTES", "pack", "unpack"]

MAX_BLOB_BYTES = 256 * 2**20
"""The ceiling of what a blob may decompress to; the real types have the same."""

_STEP_BYTES = 1024
"""How much is decompressed before the size is looked at; at most 32 MiB can come of it."""


def pack(text: str) -> str:
    """Return `text` compressed."""
    return base64.b64encode(zstandard.ZstdCompressor().compress(text.encode())).decode("ascii")


def unpack(value: JsonValue, most_bytes: int = MAX_BLOB_BYTES) -> bytes:
    """Return what `pack` made a string of.

    Raises:
        Misfit: It is not such a string, it is cut short, or it decompresses to more than `most_bytes`.
        RemoteProtocolError: It decompresses to more than the message may cost.
    """
    if not isinstance(value, str):
        raise Misfit("a string (base64 of zstd of JSON)", value)

    try:
        return _decompress(base64.b64decode(value, validate=True), value, most_bytes)
    except (ValueError, zstandard.ZstdError) as error:
        raise Misfit(f"base64 of zstd of JSON ({error})", value) from None


def _decompress(compressed: bytes, value: str, most_bytes: int) -> bytes:
    stream = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
    pieces: list[bytes] = []
    size_bytes = 0
    for start in range(0, len(compressed), _STEP_BYTES):
        pieces.append(stream.decompress(compressed[start : start + _STEP_BYTES]))
        size_bytes += len(pieces[-1])
        charge_blob(len(pieces[-1]))
        if size_bytes > most_bytes:
            raise Misfit(f"a blob of at most {most_bytes} bytes when decompressed", value)
    if not stream.eof or stream.unused_data:
        raise Misfit("one whole zstd frame", value)

    return b"".join(pieces)
