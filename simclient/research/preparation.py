"""What is put into a session before its first slot: programs in place of those of the chain, and accounts.

Files are read and checked before anything is connected to; their digests go into the metadata of the run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import attrs
import msgspec

from ..errors import InputError
from ..rpc import SessionRpc
from ..rpc.injection import check_elf
from ..wire.accounts import AccountData
from ..wire.addresses import address_of
from ..wire.program_address import UPGRADEABLE_LOADER

__all__ = ["AccountOverrides", "ProgramReplacement", "modifications", "read_account_overrides", "read_program"]

_LOADERS = (
    UPGRADEABLE_LOADER,
    "BPFLoader2111111111111111111111111111111111",
    "BPFLoader1111111111111111111111111111111111",
    "LoaderV411111111111111111111111111111111111",
    "NativeLoader1111111111111111111111111111111",
)


@attrs.frozen(kw_only=True)
class ProgramReplacement:
    """A program to execute in place of the one that the chain has at an address."""

    program: str = attrs.field(converter=address_of)
    elf: bytes = attrs.field(repr=False)
    source: str
    """Where it was read from."""

    @property
    def sha256(self) -> str:
        """The digest of the ELF file, hexadecimal."""
        return hashlib.sha256(self.elf).hexdigest()


@attrs.frozen(kw_only=True)
class AccountOverrides:
    """Accounts to set before the first slot."""

    accounts: Mapping[str, AccountData]
    source: str
    """The file."""
    sha256: str
    """The digest of the file, hexadecimal."""


def read_program(program: str, path: Path) -> ProgramReplacement:
    """Read a program from its `.so` file.

    Raises:
        InputError: The address is none, or the file cannot be read or is no program; the message names it.
    """
    elf = _read(path)
    try:
        check_elf(elf)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error

    return ProgramReplacement(program=program, elf=elf, source=str(path))


def read_account_overrides(path: Path) -> AccountOverrides:
    """Read accounts from a JSON file, `{address: {lamports, owner, data: [base64, "base64"], executable, space}}`.

    That is the `value` of `getAccountInfo`; `data` may also be `{"data": …, "encoding": "base64"}`, and other keys are ignored. Programs
    are not set in this way: replace them.

    Raises:
        InputError: The file cannot be read, holds no account, or one that cannot be set; the message names it.
    """
    content = _read(path)
    try:
        texts = _OVERRIDES.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a file of accounts: {error}") from error

    if not texts:
        raise InputError(f"{path}: it holds no account; leave the option out")
    return AccountOverrides(
        accounts={_address(path, address): _account(path, address, one) for address, one in texts.items()},
        source=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
    )


async def modifications(
    rpc: SessionRpc, programs: tuple[ProgramReplacement, ...], overrides: AccountOverrides | None
) -> dict[object, AccountData]:
    """Return what goes with the first `continue`; where a program and an account have one address, the program wins.

    Raises:
        ProgramError: There is no program to replace at an address.
        SimClientError: The session's RPC does not answer.
    """
    accounts: dict[object, AccountData] = {}
    if overrides is not None:
        accounts.update(overrides.accounts)
    for one in programs:
        accounts.update(await rpc.program_accounts(one.program, one.elf))
    return accounts


class _EncodedData(msgspec.Struct):
    data: str
    encoding: Literal["base64"]


class _Override(msgspec.Struct):
    """An account in the file."""

    lamports: Annotated[int, msgspec.Meta(ge=0)]
    owner: str
    data: tuple[str, Literal["base64"]] | _EncodedData = ("", "base64")
    executable: bool = False


_OVERRIDES = msgspec.json.Decoder(dict[str, _Override])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _address(path: Path, text: str) -> str:
    try:
        return address_of(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _account(path: Path, address: str, override: _Override) -> AccountData:
    """Return one account of the file."""
    if override.executable or override.owner in _LOADERS:
        raise InputError(f"{path}: {address} is a program; replace it with its .so file in place of its account")

    text = override.data[0] if isinstance(override.data, tuple) else override.data.data
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InputError(f"{path}: the data of {address} is not base64: {error}") from error

    try:
        return AccountData.build(lamports=override.lamports, owner=override.owner, data=data)
    except InputError as error:
        raise InputError(f"{path}: the owner of {address}: {error}") from error
