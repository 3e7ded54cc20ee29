"""Accounts as the control plane carries them."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import attrs

from .addresses import address_of
from .schema import REQUIRED, U64, AddressText, WireValue

__all__ = ["AccountData", "EncodedBinary"]


@attrs.frozen(kw_only=True)
class EncodedBinary(WireValue):
    """Bytes as text, with the name of the encoding; `base64` is the only one."""

    data: str
    encoding: Annotated[Literal["base64"], REQUIRED] = "base64"

    @classmethod
    def from_bytes(cls, data: bytes) -> EncodedBinary:
        """Encode `data`."""
        return cls(data=base64.b64encode(data).decode("ascii"))

    def decode(self) -> bytes:
        """Return the bytes.

        Raises:
            ValueError: The text is not strict base64.
        """
        return base64.b64decode(self.data, validate=True)


@attrs.frozen(kw_only=True)
class AccountData(WireValue):
    """The whole state of an account, as `modifyAccountStates` sets it."""

    data: EncodedBinary
    executable: bool
    lamports: U64
    owner: AddressText = attrs.field(converter=address_of)
    """The owning program's address, base58."""
    space: U64
    """The length of the data in bytes."""

    @classmethod
    def build(cls, *, lamports: int, owner: str, data: bytes = b"", executable: bool = False) -> AccountData:
        """Make one from raw bytes; `space` is their length."""
        return cls(
            data=EncodedBinary.from_bytes(data),
            executable=executable,
            lamports=lamports,
            owner=owner,
            space=len(data),
        )
