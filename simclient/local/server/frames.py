"""Server frames of RFC 6455, unmasked, encoded in bulk: sending them one by one through wsproto costs ten times as much."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["BINARY", "TEXT", "encode_frame", "encode_frames"]

TEXT: Final = 0x1
BINARY: Final = 0x2
_FINAL: Final = 0x80


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """Return one whole message as one frame."""
    length = len(payload)
    if length < 126:
        return bytes((_FINAL | opcode, length)) + payload
    if length < 65536:
        return bytes((_FINAL | opcode, 126)) + length.to_bytes(2, "big") + payload
    return bytes((_FINAL | opcode, 127)) + length.to_bytes(8, "big") + payload


def encode_frames(frames: Iterable[tuple[bool, bytes]]) -> bytes:
    """Return whole messages as they follow each other, each (is binary, payload)."""
    return b"".join([encode_frame(BINARY if is_binary else TEXT, payload) for is_binary, payload in frames])
