"""WebSocket frames without I/O: the hot path of the notification feed, and bulk writing for both roles.

Rules kept by the reader (RFC 6455), each with the close code that a violation deserves:
- A server's frames are not masked; reserved bits and opcodes are zero; lengths are in their shortest form.
- Control frames are whole, at most 125 bytes, and may come between fragments; data frames may not.
- A message is at most `max_message_bytes`, known from the header before its payload has arrived.
- After a close frame nothing is read. Its code is one that may be sent, its reason is UTF-8.
UTF-8 of text messages is left to the JSON decoder, which reads every byte anyway.

Nothing is done per frame that can be done per read: whole frames are sliced out of the read in one loop, and an incomplete one waits
until enough bytes are there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import final

import attrs

__all__ = [
    "CloseFrame",
    "Frame",
    "FrameReader",
    "FrameViolation",
    "encode_close",
    "encode_frames",
    "encode_ping",
    "encode_pong",
]

Frame = tuple[bool, bytes]
"""One whole message: is it binary, and its payload."""

_FIN = 0x80
_MASKED = 0x80
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_WHOLE_TEXT, _WHOLE_BINARY = _FIN | _TEXT, _FIN | _BINARY
_LENGTH_16, _LENGTH_64 = 126, 127
"""Lengths of the short form that announce two or eight bytes of length."""
_LONGEST_CONTROL_BYTES = 125
_PROTOCOL_ERROR, _BAD_DATA, _TOO_BIG = 1002, 1007, 1009
_NO_CODE = 1005
"""What a close frame without a code counts as (RFC 6455, 7.1.5)."""
_MOST_FRAGMENTS = 100_000
"""Of one message: an honest server sends a few, and each costs memory beyond its bytes."""
_MOST_PINGS = 1000
"""Of one read; a flood is answered no further."""


class FrameViolation(Exception):  # it never leaves the transport
    """The peer broke a rule of the framing; `code` is what to close with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@attrs.frozen
class CloseFrame:
    """The peer's goodbye."""

    code: int
    reason: str


@final
class FrameReader:
    """Turns the bytes a server sends into messages, however they are split."""

    def __init__(self, max_message_bytes: int) -> None:
        """Start at the beginning of a frame."""
        self._max_message_bytes = max_message_bytes
        self._pieces: list[bytes] = []
        self._piece_bytes = 0
        self._needed_bytes = 2
        self._fragments: list[bytes] = []
        self._fragment_bytes = 0
        self._fragments_are_binary: bool | None = None
        self.pings: list[bytes] = []
        """Payloads of pings not yet answered; whoever answers clears the list."""
        self.close: CloseFrame | None = None
        """The close frame, once it has come."""

    def feed(self, data: bytes) -> list[Frame]:
        """Take what one read gave; return the messages that are whole now, in order.

        Raises:
            FrameViolation: The peer broke a rule. Messages before the violation are lost with it, as nothing after can be trusted; the
                subscription's cursor has them sent again.
        """
        if self.close is not None:
            return []

        if self._piece_bytes:
            self._pieces.append(data)
            self._piece_bytes += len(data)
            if self._piece_bytes < self._needed_bytes:
                return []
            data = b"".join(self._pieces)
        return self._cut(data)

    def _cut(self, data: bytes) -> list[Frame]:
        """Slice whole frames out of `data`; keep the rest."""
        frames: list[Frame] = []
        add = frames.append
        size, position, needed = len(data), 0, 2
        while size - position >= 2:
            first, length = data[position], data[position + 1]
            start = position + 2
            if length >= _LENGTH_16:
                start = self._length_end(position, length)
                if start > size:
                    needed = start - position
                    break
                length = self._long_length(data, position, start)
            if length + self._fragment_bytes > self._max_message_bytes:
                raise FrameViolation(_TOO_BIG, f"a message of more than {self._max_message_bytes} bytes")
            end = start + length
            if end > size:
                needed = end - position
                break
            if first == _WHOLE_BINARY and self._fragments_are_binary is None:
                add((True, data[start:end]))
            elif first == _WHOLE_TEXT and self._fragments_are_binary is None:
                add((False, data[start:end]))
            else:
                self._rare(first, data[start:end], frames)
            position = end
            if self.close is not None:
                break
        self._keep(data, position, needed)
        return frames

    def _keep(self, data: bytes, position: int, needed: int) -> None:
        rest = data[position:] if position < len(data) else b""
        self._pieces = [rest] if rest else []
        self._piece_bytes = len(rest)
        self._needed_bytes = needed

    @staticmethod
    def _length_end(position: int, length: int) -> int:
        """Where the header of a frame with a long length ends."""
        if length == _LENGTH_16:
            return position + 4
        if length == _LENGTH_64:
            return position + 10

        raise FrameViolation(_PROTOCOL_ERROR, "a masked frame from a server")

    @staticmethod
    def _long_length(data: bytes, position: int, start: int) -> int:
        length = int.from_bytes(data[position + 2 : start], "big")
        shortest = _LENGTH_16 if start - position == 4 else 2**16
        if length < shortest or length >= 2**63:
            raise FrameViolation(_PROTOCOL_ERROR, "a length that is not in its shortest form")

        return length

    def _rare(self, first: int, payload: bytes, frames: list[Frame]) -> None:
        """Take a frame that is not a whole data message: a fragment or a control frame."""
        opcode, is_last = first & 0x0F, bool(first & _FIN)
        if first & 0x70:
            raise FrameViolation(_PROTOCOL_ERROR, "a reserved bit is set")

        if opcode & 0x8:
            self._control(opcode, is_last, payload)
            return

        if opcode not in (_CONTINUATION, _TEXT, _BINARY):
            raise FrameViolation(_PROTOCOL_ERROR, f"the opcode {opcode} is reserved")
        if (opcode == _CONTINUATION) == (self._fragments_are_binary is None):
            raise FrameViolation(_PROTOCOL_ERROR, "a fragment out of place")

        if opcode != _CONTINUATION:
            self._fragments_are_binary = opcode == _BINARY
        self._fragments.append(payload)
        self._fragment_bytes += len(payload)
        if len(self._fragments) > _MOST_FRAGMENTS:
            raise FrameViolation(_TOO_BIG, f"a message of more than {_MOST_FRAGMENTS} fragments")
        if is_last:
            frames.append((bool(self._fragments_are_binary), b"".join(self._fragments)))
            self._fragments, self._fragment_bytes, self._fragments_are_binary = [], 0, None

    def _control(self, opcode: int, is_last: bool, payload: bytes) -> None:
        if not is_last or len(payload) > _LONGEST_CONTROL_BYTES:
            raise FrameViolation(_PROTOCOL_ERROR, "a control frame that is fragmented or longer than 125 bytes")

        match opcode:
            case 0x9:  # ping
                if len(self.pings) < _MOST_PINGS:
                    self.pings.append(payload)
            case 0xA:  # pong
                pass
            case 0x8:  # close
                self.close = _read_close(payload)
            case _:
                raise FrameViolation(_PROTOCOL_ERROR, f"the opcode {opcode} is reserved")


def _read_close(payload: bytes) -> CloseFrame:
    if not payload:
        return CloseFrame(_NO_CODE, "")
    if len(payload) == 1:
        raise FrameViolation(_PROTOCOL_ERROR, "a close frame with half a code")

    code = int.from_bytes(payload[:2], "big")
    may_be_sent = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
    if not (may_be_sent or 3000 <= code <= 4999):
        raise FrameViolation(_PROTOCOL_ERROR, f"the close code {code} may not be sent")

    try:
        return CloseFrame(code, payload[2:].decode())
    except UnicodeDecodeError as error:
        raise FrameViolation(_BAD_DATA, "a close reason that is not UTF-8") from error


def encode_frames(messages: Iterable[Frame], *, is_client: bool = False) -> bytes:
    """Return whole frames for messages, in order, ready to be sent at once.

    Args:
        messages: (is it binary, payload) each.
        is_client: Whether to mask, as a client must and a server must not.
    """
    parts: list[bytes] = []
    for is_binary, payload in messages:
        parts += _encode(_WHOLE_BINARY if is_binary else _WHOLE_TEXT, payload, is_client=is_client)
    return b"".join(parts)


def encode_ping(payload: bytes = b"", *, is_client: bool = True) -> bytes:
    """Return a ping."""
    return b"".join(_encode(_FIN | _PING, payload, is_client=is_client))


def encode_pong(payload: bytes, *, is_client: bool = True) -> bytes:
    """Return the answer to a ping."""
    return b"".join(_encode(_FIN | _PONG, payload, is_client=is_client))


def encode_close(code: int, reason: str = "", *, is_client: bool = True) -> bytes:
    """Return a close frame; a reason longer than a control frame holds is cut."""
    text = reason.encode()[: _LONGEST_CONTROL_BYTES - 2].decode("utf-8", "ignore").encode()
    return b"".join(_encode(_FIN | _CLOSE, code.to_bytes(2, "big") + text, is_client=is_client))


def _encode(first: int, payload: bytes, *, is_client: bool) -> tuple[bytes, bytes]:
    length = len(payload)
    mask_bit = _MASKED if is_client else 0
    if length < _LENGTH_16:
        head = bytes((first, mask_bit | length))
    elif length < 2**16:
        head = bytes((first, mask_bit | _LENGTH_16)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, mask_bit | _LENGTH_64)) + length.to_bytes(8, "big")
    if not is_client:
        return head, payload

    key = os.urandom(4)
    return head + key, _mask(payload, key)


def _mask(payload: bytes, key: bytes) -> bytes:
    """XOR `payload` with `key`, repeated; as one large number, which is fast enough for requests."""
    length = len(payload)
    pad = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(length, "big")
