"""WebSocket frames without I/O: the hot path of the notification feed, and bulk writing for both roles.

Rules kept by the reader (RFC 6455), each with the close code that a violation deserves:
- A server's frames are not masked; reserved bits and opcodes are zero; lengths are in their shortest form.
- Control frames are whole, at most 125 bytes, and may come between fragments; data frames may not.
- A message is at most `max_message_bytes`, all fragments together.
- All that is checked as soon as the header is there, before the payload has arrived.
- A violation or a close frame ends the reader: messages before it are returned, what follows is ignored.
- How the bytes are cut into reads makes no difference.
UTF-8 of text messages is left to the JSON decoder, which reads every byte anyway.

Nothing is done per frame that can be done per read: whole frames of one kind are sliced out of the read in one tight loop and come out as
a run; everything rare takes the long way, and an incomplete frame waits until enough bytes are there.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from typing import final

import attrs

__all__ = [
    "NO_CODE",
    "Ending",
    "Frame",
    "FrameReader",
    "Run",
    "encode_close",
    "encode_frames",
    "encode_ping",
    "encode_pong",
]

Frame = tuple[bool, bytes]
"""One whole message: is it binary, and its payload."""
Run = tuple[bool, list[bytes]]
"""Whole messages of one kind that came one after the other: are they binary, and their payloads."""

_FIN = 0x80
_MASKED = 0x80
_RESERVED_BITS = 0x70
_CONTROL = 0x08
"""The bit of an opcode that says it is of a control frame."""
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES = frozenset({_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG})
_WHOLE_TEXT, _WHOLE_BINARY = _FIN | _TEXT, _FIN | _BINARY
_SHORT_HEADER_BYTES, _MEDIUM_HEADER_BYTES = 2, 4
_LENGTH_16, _LENGTH_64 = 126, 127
"""Lengths of the short form that announce two or eight bytes of length."""
_MEDIUM_BYTES = 2**16
"""Payloads below this have a short or a medium header."""
_READ_HEADER = struct.Struct(">BBH").unpack_from
"""First byte, length of the short form, and the two bytes that are a length where the short one says so."""
_LONGEST_CONTROL_BYTES = 125
_PROTOCOL_ERROR, _BAD_DATA, _TOO_BIG = 1002, 1007, 1009
NO_CODE = 1005
"""What a close frame without a code counts as (RFC 6455, 7.1.5); it is never sent."""
_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
"""Those that may stand in a close frame: RFC 6455, 7.4, and the registry it founded."""


@attrs.frozen(kw_only=True)
class Ending:
    """How the peer's half of the connection ended."""

    code: int
    """Of the peer's close frame; after a violation, what to close with."""
    reason: str
    """The peer's words; after a violation, which rule was broken."""
    is_violation: bool


class _Violation(Exception):
    """A broken rule: the code to close with, and which rule it was."""

    def __init__(self, code: int, rule: str) -> None:
        super().__init__(code, rule)
        self.code = code
        self.rule = rule


@final
class FrameReader:
    """Turns the bytes a server sends into messages, however they are split.

    Args:
        max_message_bytes: Of one message, all its fragments together.

    Attributes:
        ending: None as long as the server may go on.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self.ending: Ending | None = None
        self._max_message_bytes = max_message_bytes
        self._incomplete = bytearray()
        self._needed_bytes = _SHORT_HEADER_BYTES
        self._fragments: bytearray | None = None
        self._fragments_are_binary = False
        self._ping: bytes | None = None

    def take_ping(self) -> bytes | None:
        """Return the payload of the newest unanswered ping; only that one needs an answer (RFC 6455, 5.5.3)."""
        ping, self._ping = self._ping, None
        return ping

    def feed(self, data: bytes) -> list[Run]:
        """Take what one read gave; return the messages that are whole now, in order."""
        runs: list[Run] = []
        start = 0
        while self._incomplete and self.ending is None:
            missing = self._needed_bytes - len(self._incomplete)
            self._incomplete += data[start : start + missing]
            if len(data) - start < missing:
                return runs

            start += missing
            begun, self._incomplete = bytes(self._incomplete), bytearray()
            self._cut_all(begun, 0, runs)
        if self.ending is None:
            self._cut_all(data, start, runs)
        return runs

    def _cut_all(self, data: bytes, start: int, runs: list[Run]) -> None:
        """Slice whole messages out of `data` from `start` on, and keep the rest."""
        try:
            position = self._cut(data, start, runs)
        except _Violation as violation:
            self._end(violation.code, violation.rule, is_violation=True)
        else:
            self._incomplete += data[position:]

    def _cut(self, data: bytes, position: int, runs: list[Run]) -> int:
        """Slice whole messages out of `data`; return where the first incomplete frame begins."""
        size = len(data)
        while size - position >= _SHORT_HEADER_BYTES:
            if self._fragments is None and self._max_message_bytes >= _MEDIUM_BYTES:
                position = _cut_run(data, position, runs)
                if size - position < _SHORT_HEADER_BYTES:
                    break

            start, end = self._bounds(data, position)
            if end > size:
                self._check(data[position])
                self._needed_bytes = end - position
                return position

            self._take(data[position], data[start:end], runs)
            position = end
            if self.ending is not None:
                return size
        self._needed_bytes = _SHORT_HEADER_BYTES
        return position

    def _bounds(self, data: bytes, position: int) -> tuple[int, int]:
        """Return where the payload of the frame at `position` begins and ends, as far as its header is there."""
        first, length = data[position], data[position + 1]
        start = position + _SHORT_HEADER_BYTES
        if length >= _LENGTH_16:
            start += _long_length_bytes(first, length)
            if start > len(data):
                return start, start
            length = _long_length(data[position + _SHORT_HEADER_BYTES : start])
        if not first & _CONTROL and length > self._max_message_bytes - len(self._fragments or b""):
            raise _Violation(_TOO_BIG, f"a message of more than {self._max_message_bytes} bytes")

        return start, start + length

    def _check(self, first: int) -> None:
        """Check what the first byte of a header says."""
        opcode = first & 0x0F
        if first & _RESERVED_BITS:
            raise _Violation(_PROTOCOL_ERROR, "a reserved bit is set")
        if opcode not in _OPCODES:
            raise _Violation(_PROTOCOL_ERROR, f"the opcode {opcode} is reserved")
        if opcode & _CONTROL and not first & _FIN:
            raise _Violation(_PROTOCOL_ERROR, "a control frame is fragmented")
        if not opcode & _CONTROL and (opcode == _CONTINUATION) == (self._fragments is None):
            raise _Violation(_PROTOCOL_ERROR, "a fragment is out of place")

    def _take(self, first: int, payload: bytes, runs: list[Run]) -> None:
        """Take any whole frame."""
        self._check(first)
        match first & 0x0F:
            case 0x8:  # close
                self._take_close(payload)
            case 0x9:  # ping
                self._ping = payload
            case 0xA:  # pong: that it came is all it says
                pass
            case _ if first in (_WHOLE_TEXT, _WHOLE_BINARY):
                _payloads_of(first == _WHOLE_BINARY, runs).append(payload)
            case opcode:
                self._take_fragment(opcode, payload, runs, is_last=bool(first & _FIN))

    def _take_fragment(self, opcode: int, payload: bytes, runs: list[Run], *, is_last: bool) -> None:
        if self._fragments is None:
            self._fragments = bytearray()
            self._fragments_are_binary = opcode == _BINARY
        self._fragments += payload
        if is_last:
            _payloads_of(self._fragments_are_binary, runs).append(bytes(self._fragments))
            self._fragments = None

    def _take_close(self, payload: bytes) -> None:
        if not payload:
            self._end(NO_CODE, "", is_violation=False)
            return

        code = int.from_bytes(payload[:2], "big")
        if len(payload) == 1 or code not in _CLOSE_CODES:
            raise _Violation(_PROTOCOL_ERROR, "a close frame has no valid code")

        try:
            reason = payload[2:].decode()
        except UnicodeDecodeError:
            raise _Violation(_BAD_DATA, "a close reason is not UTF-8") from None
        self._end(code, reason, is_violation=False)

    def _end(self, code: int, reason: str, *, is_violation: bool) -> None:
        self.ending = Ending(code=code, reason=reason, is_violation=is_violation)
        self._incomplete = bytearray()
        self._fragments = None


def _cut_run(data: bytes, position: int, runs: list[Run]) -> int:
    """Slice whole messages of the kind that is at `position` out of `data`, as long as they come; return where it stopped.

    The hot loop: what it does not know it leaves to the long way, so it need not judge.
    """
    kind = data[position]
    if kind not in (_WHOLE_TEXT, _WHOLE_BINARY):
        return position

    payloads: list[bytes] = []
    add = payloads.append
    size, last_header = len(data), len(data) - _MEDIUM_HEADER_BYTES
    while position <= last_header:
        first, length, medium_length = _READ_HEADER(data, position)
        if length == _LENGTH_16:
            start, length = position + _MEDIUM_HEADER_BYTES, medium_length
            if length < _LENGTH_16:
                break
        elif length < _LENGTH_16:
            start = position + _SHORT_HEADER_BYTES
        else:
            break
        end = start + length
        if first != kind or end > size:
            break
        add(data[start:end])
        position = end
    if payloads:
        _payloads_of(kind == _WHOLE_BINARY, runs).extend(payloads)
    return position


def _payloads_of(is_binary: bool, runs: list[Run]) -> list[bytes]:
    """Return the payloads of the last run, if it is of this kind, or of a new one."""
    if not runs or runs[-1][0] != is_binary:
        runs.append((is_binary, []))
    return runs[-1][1]


def _long_length_bytes(first: int, length: int) -> int:
    """Return how many bytes of length follow the short header."""
    if length & _MASKED:
        raise _Violation(_PROTOCOL_ERROR, "a frame from a server is masked")
    if first & _CONTROL:
        raise _Violation(_PROTOCOL_ERROR, f"a control frame has more than {_LONGEST_CONTROL_BYTES} bytes")

    return 2 if length == _LENGTH_16 else 8


def _long_length(encoded: bytes) -> int:
    length = int.from_bytes(encoded, "big")
    shortest = _LENGTH_16 if len(encoded) == 2 else 2**16
    if length < shortest or length >= 2**63:
        raise _Violation(_PROTOCOL_ERROR, "a length is not in its shortest form, or longer than 63 bits")

    return length


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
    """Return a close frame: without a code for `NO_CODE`; a reason longer than a control frame holds is cut."""
    if code == NO_CODE:
        return b"".join(_encode(_FIN | _CLOSE, b"", is_client=is_client))

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
