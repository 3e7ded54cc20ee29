"""What all notifications have, and the account states in some of them; see `notifications`."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Annotated, Literal, final

import msgspec
from msgspec import Meta, Raw, Struct

from ..errors import RemoteProtocolError

__all__ = [
    "EXCERPT_CHARACTERS",
    "NOT_ON_THE_WIRE",
    "AccountState",
    "Context",
    "Notification",
    "Unsigned",
    "error_text",
    "excerpt_of",
    "result_of",
]

Unsigned = Annotated[int, Meta(ge=0)]
NOT_ON_THE_WIRE = "simclient: "
"""Prefix of fields that no message can name."""

EXCERPT_CHARACTERS = 200
_DECODE_BASE64 = msgspec.json.Decoder(tuple[bytes, Literal["base64"]]).decode
"""Several times as fast as `base64.b64decode`, and as strict."""


@final
class AccountState(Struct, frozen=True, gc=False, rename="camel"):
    """An account at one moment, its fields in the order in which servers write them; any may be missing."""

    lamports: Unsigned | None = None
    encoded: Raw = msgspec.field(default=Raw(), name="data")
    owner: str | None = None
    """The owning program's address."""
    executable: bool | None = None
    rent_epoch: Unsigned | None = None
    space: Unsigned | None = None
    """The length of the data in bytes."""

    @property
    def data_base64(self) -> str | None:
        """The account's data as the server sent it; None where it is absent or in another encoding.

        Raises:
            RemoteProtocolError: It cannot be read at all.
        """
        if not self.encoded:
            return None

        try:
            encoded: object = msgspec.json.decode(self.encoded)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RemoteProtocolError(f"account data cannot be read: {error}", path="$.data") from error

        match encoded:
            case [str(text), "base64"]:
                return text
            case _:
                return None

    @property
    def data(self) -> bytes | None:
        """The account's data, decoded at each reading; None where it is absent or in another encoding.

        Raises:
            RemoteProtocolError: It is not base64.
        """
        with suppress(msgspec.MsgspecError):  # which the long way tells apart and describes
            return _DECODE_BASE64(self.encoded)[0]

        text = self.data_base64
        if text is None:
            return None

        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise RemoteProtocolError(
                f"account data is not base64: {error}", path="$.data[0]", excerpt=text[:40]
            ) from error


class Notification(Struct, frozen=True, gc=False, kw_only=True):
    """What every notification has."""

    raw: bytes = msgspec.field(default=b"", name=f"{NOT_ON_THE_WIRE}raw")
    """The whole message as JSON."""
    label: str | None = msgspec.field(default=None, name=f"{NOT_ON_THE_WIRE}label")
    """The label of the subscription that it came by."""

    @property
    def result_bytes(self) -> bytes:
        """The raw JSON of `params.result`: what does not depend on the connection that it came by."""
        return result_of(self.raw)


class _Result(Struct, frozen=True, gc=False):
    result: Raw


class _OnlyTheResult(Struct, frozen=True, gc=False):
    params: _Result


_ONLY_THE_RESULT = msgspec.json.Decoder(_OnlyTheResult)


def result_of(raw: bytes) -> bytes:
    """Return the raw JSON of `params.result` of a message; one without raises `msgspec.ValidationError`."""
    return bytes(_ONLY_THE_RESULT.decode(raw).params.result)


class Context(Struct, frozen=True, gc=False):
    """Where a notification stands in the replay."""

    slot: Unsigned


def error_text(raw: Raw) -> str | None:
    """Return the JSON text of an error; None where it is absent or null."""
    text = bytes(raw).decode("utf-8", "replace") if raw else "null"
    return None if text == "null" else text


def excerpt_of(payload: bytes) -> str:
    """Return the beginning of a payload, for the messages of errors."""
    return payload[:EXCERPT_CHARACTERS].decode("utf-8", "replace")
