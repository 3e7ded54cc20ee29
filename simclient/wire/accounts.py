"""Accounts as the control plane carries them."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import attrs

from .addresses import address_of, decode_base58
from .program_address import UPGRADEABLE_LOADER
from .schema import REQUIRED, U64, AddressText, WireValue

__all__ = ["AccountData", "EncodedBinary", "program_data_account"]

_PROGRAM_DATA_TAG = 3
"""The variant `ProgramData` of the loader's account state."""


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


def program_data_account(elf: bytes, *, deploy_slot: int, lamports: int, authority: object = None) -> AccountData:
    """Make the ProgramData account that holds a program of the upgradeable loader.

    Its header always has 45 bytes, also without an authority: the 13 bytes that simulator-client 0.9.0 wrote are a bug that 0.28 mended.

    Args:
        elf: The program.
        deploy_slot: When it was deployed: before the slot in which it is to run.
        lamports: At least the rent-exempt minimum of the account.
        authority: Who may upgrade it, an address; None: nobody.

    Raises:
        InputError: `authority` is not an address.
    """
    header = _PROGRAM_DATA_TAG.to_bytes(4, "little") + deploy_slot.to_bytes(8, "little")
    owner = bytes(33) if authority is None else b"\x01" + decode_base58(address_of(authority))
    return AccountData.build(lamports=lamports, owner=UPGRADEABLE_LOADER, data=header + owner + elf)
