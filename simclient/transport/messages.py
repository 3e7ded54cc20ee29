"""Where WebSocket messages end in a stream of bytes, for faults that strike between them; payloads are skipped, not read."""

from __future__ import annotations

from typing import final

__all__ = ["MessageCounter"]

_MOST_HEAD_BYTES = 64 * 2**10
"""A head that is longer is none, and the stream no WebSocket."""
_FIN, _MASKED, _CONTROL = 0x80, 0x80, 0x08
_LENGTH_BYTES = {126: 2, 127: 8}
"""By the short form of a length: how many bytes of length follow (RFC 6455, 5.2)."""
_MASK_BYTES = 4


@final
class MessageCounter:
    """Takes one direction of a connection, from its first byte; either direction will do."""

    def __init__(self) -> None:
        self._passed = 0
        self._head: bytearray | None = bytearray()
        self._is_websocket = True
        self._header = bytearray()
        self._to_skip = 0
        self._ends_message = False

    def feed(self, data: bytes) -> list[int]:
        """Return where, in bytes from the beginning, the handshake (first) and the messages (after it) end that end in `data`."""
        ends: list[int] = []
        start = self._passed
        position = self._skip_head(data, ends)
        while position < len(data) and self._is_websocket:
            if self._to_skip:
                step = min(self._to_skip, len(data) - position)
                self._to_skip -= step
            else:
                step = 1
                self._read_header(data[position])
            position += step
            if not (self._to_skip or self._header) and self._ends_message:
                ends.append(start + position)
        self._passed = start + len(data)
        return ends

    def _skip_head(self, data: bytes, ends: list[int]) -> int:
        """Return where in `data` the frames begin."""
        if self._head is None:
            return 0

        before = len(self._head)
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            self._is_websocket = len(self._head) <= _MOST_HEAD_BYTES
            return len(data)

        head = bytes(self._head[:end]).lower()
        self._head = None
        self._is_websocket = head.startswith(b"http/1.1 101") or b"upgrade: websocket" in head
        if self._is_websocket:
            ends.append(end + 4)
        return end + 4 - before

    def _read_header(self, byte: int) -> None:
        """Take one byte of a frame's header; when it is whole, know how much to skip and whether a message ends there."""
        header = self._header
        header.append(byte)
        if len(header) < 2:
            return

        short, mask_bytes = header[1] & 0x7F, _MASK_BYTES if header[1] & _MASKED else 0
        length_bytes = _LENGTH_BYTES.get(short, 0)
        if len(header) < 2 + length_bytes:
            return

        length = int.from_bytes(header[2:]) if length_bytes else short
        self._to_skip = length + mask_bytes
        self._ends_message = bool(header[0] & _FIN) and not header[0] & _CONTROL
        header.clear()
