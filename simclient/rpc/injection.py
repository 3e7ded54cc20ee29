"""Putting another program into a session: from an ELF file to the accounts that make the runtime execute it.

A program of the upgradeable loader is replaced by its ProgramData account alone: a header of 45 bytes, then the ELF. It keeps its upgrade
authority, and counts as deployed in the slot before the current one, since the runtime does not execute a program in the slot in which it
was deployed. A program of the older loaders is its own account, whose data is the ELF.

Source: `injection.rs` of simulator-client 0.28.0; `UpgradeableLoaderState` of solana-loader-v3-interface.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..errors import ProgramError
from ..wire.accounts import AccountData, program_data_account
from ..wire.addresses import address_of, decode_base58, encode_base58
from ..wire.program_address import UPGRADEABLE_LOADER, program_data_address
from ..wire.rpc_values import Account
from .patience import until_ready

if TYPE_CHECKING:
    from .session_rpc import SessionRpc

__all__ = ["check_elf", "program_accounts", "program_injection"]

_HEADER_BYTES = 45
"""`UpgradeableLoaderState::size_of_programdata_metadata()`; the loader reads the ELF from there, whether or not there is an authority."""
_MOST_ACCOUNT_BYTES = 10 * 2**20
"""`MAX_PERMITTED_DATA_LENGTH`, solana-system-interface."""
_ELF_HEADER_BYTES = 64
"""Of a 64-bit ELF file; the fields read below are of the ELF specification, version 1.2, chapter 4."""
_BPF_MACHINES = (247, 263)
"""EM_BPF and EM_SBPF: what Solana's toolchains say."""

_PROGRAM_TAG, _PROGRAM_DATA_TAG = (2).to_bytes(4, "little"), (3).to_bytes(4, "little")
_PROGRAM_BYTES = 36
_AUTHORITY_AT = 12
_OLD_LOADERS = ("BPFLoader2111111111111111111111111111111111", "BPFLoader1111111111111111111111111111111111")
_NATIVE_LOADER = "NativeLoader1111111111111111111111111111111"


def check_elf(elf: bytes) -> None:
    """Refuse what is not a program.

    Raises:
        ProgramError: It is not a 64-bit little-endian ELF for Solana's machine, or too long for an account.
    """
    if elf[:4] != b"\x7fELF" or len(elf) < _ELF_HEADER_BYTES:
        raise ProgramError(
            f"not an ELF file: it has {len(elf)} bytes and begins with {elf[:4]!r}; give the .so that cargo build-sbf makes"
        )
    if elf[4:6] != b"\x02\x01":
        raise ProgramError("the ELF file is not 64-bit little-endian; give the .so that cargo build-sbf makes")

    machine = int.from_bytes(elf[18:20], "little")
    if machine not in _BPF_MACHINES:
        raise ProgramError(
            f"the ELF file is for machine {machine}, not for Solana's; give the .so that cargo build-sbf makes"
        )
    if len(elf) > _MOST_ACCOUNT_BYTES - _HEADER_BYTES:
        raise ProgramError(
            f"the program has {len(elf)} bytes, and an account holds {_MOST_ACCOUNT_BYTES - _HEADER_BYTES} of one at most; strip it"
        )


def program_injection(
    program: object, elf: bytes, *, deploy_slot: int, lamports: int, authority: object = None
) -> dict[str, AccountData]:
    """Build the account that replaces a program of the upgradeable loader, for `advance(modify_accounts=…)`.

    Args:
        program: The program's address.
        elf: The new program.
        deploy_slot: Below the slot in which it is to run.
        lamports: At least the rent-exempt minimum of 45 + `len(elf)` bytes.
        authority: Who may upgrade it; None: nobody.

    Raises:
        ProgramError: `elf` is not a program.
        InputError: An address is not one, or the slot not a u64.
    """
    check_elf(elf)
    account = program_data_account(elf, deploy_slot=deploy_slot, lamports=lamports, authority=authority)
    return {program_data_address(program): account}


async def program_accounts(
    rpc: SessionRpc, program: object, elf: bytes, *, create: bool = False
) -> dict[str, AccountData]:
    """Build the accounts that put a program into a session, from what the session has; see `SessionRpc.program_accounts`."""
    check_elf(elf)
    address = address_of(program)
    return await until_ready(partial(_program_accounts, rpc, address, elf, create=create))


async def _program_accounts(rpc: SessionRpc, address: str, elf: bytes, *, create: bool) -> dict[str, AccountData]:
    account = await rpc.get_account(address)
    if account is None and create:
        return await _new(rpc, address, elf)
    if account is None:
        raise ProgramError(
            f"no program is deployed at {address}: check the address, or pass create=True to deploy it there"
        )
    if account.owner in _OLD_LOADERS and account.executable:
        lamports = await rpc.get_minimum_balance_for_rent_exemption(len(elf))
        return {address: AccountData.build(lamports=lamports, owner=account.owner, data=elf, executable=True)}

    data_address = _data_address(address, account)
    authority = _authority(await rpc.get_account(data_address))
    return {data_address: await _program_data(rpc, elf, authority)}


async def _new(rpc: SessionRpc, address: str, elf: bytes) -> dict[str, AccountData]:
    """Build both accounts of a program that is not there yet; the code comes first, as the loader needs it."""
    data_address = program_data_address(address)
    lamports = await rpc.get_minimum_balance_for_rent_exemption(_PROGRAM_BYTES)
    pointer = _PROGRAM_TAG + decode_base58(data_address)
    program = AccountData.build(lamports=lamports, owner=UPGRADEABLE_LOADER, data=pointer, executable=True)
    return {data_address: await _program_data(rpc, elf, None), address: program}


async def _program_data(rpc: SessionRpc, elf: bytes, authority: str | None) -> AccountData:
    slot = await rpc.get_slot()
    lamports = await rpc.get_minimum_balance_for_rent_exemption(_HEADER_BYTES + len(elf))
    return program_data_account(elf, deploy_slot=max(slot - 1, 0), lamports=lamports, authority=authority)


def _data_address(address: str, account: Account) -> str:
    """Return where the code of a program is.

    Raises:
        ProgramError: It is not a program of the upgradeable loader.
    """
    if account.owner == UPGRADEABLE_LOADER and account.data[:4] == _PROGRAM_TAG and len(account.data) >= _PROGRAM_BYTES:
        return encode_base58(account.data[4:_PROGRAM_BYTES])
    if account.owner == UPGRADEABLE_LOADER:
        raise ProgramError(f"{address} holds the code of a program, or a buffer; give the program's own address")
    if account.owner == _NATIVE_LOADER:
        raise ProgramError(f"{address} is built into the runtime and cannot be replaced")
    if account.executable:
        raise ProgramError(
            f"{address} is a program of the loader {account.owner}, which is not known here; write its account with modify_accounts"
        )

    raise ProgramError(f"{address} is no program: {account.owner} owns it; give the address of the program")


def _authority(program_data: Account | None) -> str | None:
    """Return who may upgrade a program whose code is in this account; None: nobody, or the program was closed."""
    if program_data is None or program_data.data[:4] != _PROGRAM_DATA_TAG or program_data.data[_AUTHORITY_AT] != 1:
        return None

    return encode_base58(program_data.data[_AUTHORITY_AT + 1 : _HEADER_BYTES])
