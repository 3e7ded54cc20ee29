"""The program's instructions beside the swap, rebuilt from what the archive has of them: one table, read in both directions.

What they do to pools, ticks and positions decides what later swaps move, so a replay that is to be exact needs them. Limits are left
out, as in swaps. A position that was opened with metadata is opened without: the metadata is another program's, and changes nothing here.

Source: orca-so/whirlpools, program of 2022-03-31 (`instructions/*.rs`): the order of accounts and arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import attrs
import msgspec
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from ...errors import InputError
from ...wire import program_address
from .archive import ArchivedInstruction
from .swaps import WHIRLPOOL_PROGRAM

__all__ = ["LIQUIDITY", "Rebuilt", "rebuilt_instruction"]

_RENT: Final = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
_SYSTEM_PROGRAM: Final = Pubkey.default()
_TOKEN_PROGRAM: Final = Pubkey.from_string(program_address.TOKEN_PROGRAM)
_ASSOCIATED_TOKEN_PROGRAM: Final = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
_PROGRAMS: Final[Mapping[str, Pubkey]] = {
    "TokenProgram": _TOKEN_PROGRAM,
    "SystemProgram": _SYSTEM_PROGRAM,
    "Rent": _RENT,
    "AssociatedTokenProgram": _ASSOCIATED_TOKEN_PROGRAM,
}
"""Accounts that are the same for everybody; every other name is a key of the payload."""

_NO_MAXIMUM: Final = (2**64 - 1).to_bytes(8, "little")
_NO_MINIMUM: Final = bytes(8)


@attrs.frozen
class _Argument:
    """A number of the payload, and how it is written."""

    name: str
    size_bytes: int
    is_signed: bool = False


@attrs.frozen
class _Shape:
    """How an instruction is written."""

    name: str
    """The program's own, in snake case."""
    accounts: str
    """In order; `s` after the name says that it signs, `w` that it is written."""
    arguments: tuple[_Argument | bytes | str, ...] = ()
    """Numbers of the payload, bytes that are always the same, and the name of an account whose bump seed is given."""


_U128: Final = 16
_MODIFY_LIQUIDITY = (
    "Whirlpool:w TokenProgram PositionAuthority:s Position:w PositionTokenAccount TokenOwnerAccountA:w TokenOwnerAccountB:w"
    " TokenVaultA:w TokenVaultB:w TickArrayLower:w TickArrayUpper:w"
)
_OPEN_POSITION = _Shape(
    "open_position",
    "Funder:sw Owner Position:w PositionMint:sw PositionTokenAccount:w Whirlpool TokenProgram SystemProgram Rent AssociatedTokenProgram",
    ("Position", _Argument("TickLowerIndex", 4, True), _Argument("TickUpperIndex", 4, True)),
)
LIQUIDITY: Final[Mapping[str, _Shape]] = {
    "initializePool": _Shape(
        "initialize_pool",
        "WhirlpoolsConfig TokenMintA TokenMintB Funder:sw Whirlpool:w TokenVaultA:sw TokenVaultB:sw FeeTier TokenProgram"
        " SystemProgram Rent",
        ("Whirlpool", _Argument("TickSpacing", 2), _Argument("InitialSqrtPrice", _U128)),
    ),
    "initializeTickArray": _Shape(
        "initialize_tick_array",
        "Whirlpool Funder:sw TickArray:w SystemProgram",
        (_Argument("StartTickIndex", 4, True),),
    ),
    "initializeReward": _Shape(
        "initialize_reward",
        "RewardAuthority:s Funder:sw Whirlpool:w RewardMint RewardVault:sw TokenProgram SystemProgram Rent",
        (_Argument("RewardIndex", 1),),
    ),
    "setRewardEmissions": _Shape(
        "set_reward_emissions",
        "Whirlpool:w RewardAuthority:s RewardVault",
        (_Argument("RewardIndex", 1), _Argument("EmissionsPerSecondX64", _U128)),
    ),
    "openPosition": _OPEN_POSITION,
    "openPositionWithMetadata": _OPEN_POSITION,
    "increaseLiquidity": _Shape(
        "increase_liquidity", _MODIFY_LIQUIDITY, (_Argument("LiquidityAmount", _U128), _NO_MAXIMUM, _NO_MAXIMUM)
    ),
    "decreaseLiquidity": _Shape(
        "decrease_liquidity", _MODIFY_LIQUIDITY, (_Argument("LiquidityAmount", _U128), _NO_MINIMUM, _NO_MINIMUM)
    ),
    "updateFeesAndRewards": _Shape("update_fees_and_rewards", "Whirlpool:w Position:w TickArrayLower TickArrayUpper"),
    "collectFees": _Shape(
        "collect_fees",
        "Whirlpool PositionAuthority:s Position:w PositionTokenAccount TokenOwnerAccountA:w TokenVaultA:w TokenOwnerAccountB:w"
        " TokenVaultB:w TokenProgram",
    ),
    "collectReward": _Shape(
        "collect_reward",
        "Whirlpool PositionAuthority:s Position:w PositionTokenAccount RewardOwnerAccount:w RewardVault:w TokenProgram",
        (_Argument("RewardIndex", 1),),
    ),
    "closePosition": _Shape(
        "close_position", "PositionAuthority:s Receiver:w Position:w PositionMint:w PositionTokenAccount:w TokenProgram"
    ),
}
"""By the archive's name."""


@attrs.frozen(kw_only=True)
class Rebuilt:
    """An instruction, and the accounts that it names."""

    name: str
    """The archive's."""
    instruction: Instruction
    keys: Mapping[str, Pubkey]
    """By the archive's name, without its `key`."""
    numbers: Mapping[str, int]


def rebuilt_instruction(path: Path, number: int, archived: ArchivedInstruction) -> Rebuilt:
    """Rebuild one of the instructions of the table.

    Args:
        path: The file it is from, for the message of the error.
        number: The line it is from.
        archived: Its name is in the table.

    Raises:
        InputError: Its payload lacks something, or has something else in its place.
    """
    shape = LIQUIDITY[archived.name]
    try:
        payload = msgspec.json.decode(archived.payload, type=dict[str, object])
        numbers = {one.name: _number(payload, one) for one in shape.arguments if isinstance(one, _Argument)}
        keys: dict[str, Pubkey] = {}
        metas: list[AccountMeta] = []
        for name, _, flags in (account.partition(":") for account in shape.accounts.split()):
            address = _PROGRAMS[name] if name in _PROGRAMS else _address(payload, name)
            keys[name] = address
            metas.append(AccountMeta(address, is_signer="s" in flags, is_writable="w" in flags))
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise InputError(f"{path}, line {number}: a {archived.name} that cannot be read: {error}") from error

    data = sha256(f"global:{shape.name}".encode()).digest()[:8] + b"".join(
        _written(argument, keys, numbers) for argument in shape.arguments
    )
    return Rebuilt(
        name=archived.name, instruction=Instruction(WHIRLPOOL_PROGRAM, data, metas), keys=keys, numbers=numbers
    )


def _written(argument: _Argument | bytes | str, keys: Mapping[str, Pubkey], numbers: Mapping[str, int]) -> bytes:
    match argument:
        case _Argument():
            return numbers[argument.name].to_bytes(argument.size_bytes, "little", signed=argument.is_signed)
        case bytes():
            return argument
        case str():
            return bytes((_bump(argument, keys, numbers),))


def _bump(account: str, keys: Mapping[str, Pubkey], numbers: Mapping[str, int]) -> int:
    """Find the bump seed of a position or a pool."""
    if account == "Position":
        seeds = [b"position", bytes(keys["PositionMint"])]
    else:
        names = ("WhirlpoolsConfig", "TokenMintA", "TokenMintB")
        spacing = numbers["TickSpacing"].to_bytes(2, "little")
        seeds = [b"whirlpool", *(bytes(keys[name]) for name in names), spacing]
    return Pubkey.find_program_address(seeds, WHIRLPOOL_PROGRAM)[1]


def _number(payload: Mapping[str, object], argument: _Argument) -> int:
    value = payload.get(f"data{argument.name}")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TypeError(f"$.data{argument.name} is not a number")

    found = int(value) if isinstance(value, int) or len(value) <= 40 else -1
    bits = 8 * argument.size_bytes - argument.is_signed
    if not (-(2**bits) if argument.is_signed else 0) <= found < 2**bits:
        raise ValueError(f"$.data{argument.name} is {str(value)[:60]}, which {argument.size_bytes} bytes do not hold")
    return found


def _address(payload: Mapping[str, object], name: str) -> Pubkey:
    value = payload.get(f"key{name}")
    if not isinstance(value, str):
        raise TypeError(f"$.key{name} is not an address")

    try:
        return Pubkey.from_string(value)
    except ValueError as error:
        raise ValueError(f"$.key{name}: {error}") from error
