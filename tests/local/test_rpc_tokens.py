"""The RPC's token methods, and the encoding `jsonParsed`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey
from solders.token.state import Mint, TokenAccount, TokenAccountState

from simclient.local.bundle import BundleAccount
from simclient.local.engine import Engine, open_engine

from .blocks import FIRST_SLOT, PAYEE_ADDRESS, SYSTEM_PROGRAM, write_blocks
from .rpc_calls import call, error

TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
MINT, OTHER_MINT, NEW_MINT, OWNER, DELEGATE, RICH, POOR, NATIVE, EXTENDED, ORPHAN, UNINITIALIZED, MULTISIG = (
    Pubkey.from_bytes(bytes([number]) * 32) for number in range(101, 113)
)
EXTENSION_BYTES = bytes((2, 7, 0, 0, 0, 1, 0, 2, 0, 9, 9))
"""A token account: the extension `immutableOwner`, then one with state."""

Json = Any


def token(mint: Pubkey, amount: int, *, delegate: Pubkey | None = None, native: int | None = None) -> bytes:
    delegated = 7 if delegate is not None else 0
    state = TokenAccountState.Initialized
    return bytes(TokenAccount(mint, OWNER, amount, delegate, state, native, delegated, delegate))


def account(address: Pubkey, data: bytes, owner: Pubkey = TOKEN_PROGRAM) -> BundleAccount:
    return BundleAccount(address=bytes(address), lamports=1_000, owner=bytes(owner), data=data, executable=False)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncGenerator[Engine]:
    """Give an engine with accounts of both token programs."""
    accounts = [
        account(MINT, bytes(Mint(OWNER, 1_500_000, 6, True, None))),
        account(OTHER_MINT, bytes(Mint(None, 10, 0, True, OWNER))),
        account(NEW_MINT, bytes(Mint(None, 5, 2, True, None)) + bytes(83) + b"\1", TOKEN_2022),
        account(RICH, token(MINT, 1_250_000)),
        account(POOR, token(MINT, 250_000, delegate=DELEGATE)),
        account(NATIVE, token(OTHER_MINT, 10, native=3)),
        account(EXTENDED, token(NEW_MINT, 5) + EXTENSION_BYTES, TOKEN_2022),
        account(ORPHAN, token(DELEGATE, 1)),
        account(UNINITIALIZED, bytes(165)),
        account(MULTISIG, bytes((1, 2, 1)) + bytes(OWNER) + bytes(DELEGATE) + bytes(288)),
    ]
    path = write_blocks(tmp_path / "tokens.bundle", {FIRST_SLOT: []}, more=accounts)
    async with open_engine(path, start_slot=FIRST_SLOT, end_slot=FIRST_SLOT) as engine:
        yield engine


async def parsed(engine: Engine, address: Pubkey) -> Json:
    return (await call(engine, "getAccountInfo", str(address), {"encoding": "jsonParsed"}))["value"]["data"]


async def test_a_token_account_is_parsed(engine: Engine) -> None:
    """`jsonParsed` gives a token account as an object, as Solana's own nodes write it."""
    assert await parsed(engine, POOR) == {
        "program": "spl-token",
        "space": 165,
        "parsed": {
            "type": "account",
            "info": {
                "isNative": False,
                "mint": str(MINT),
                "owner": str(OWNER),
                "state": "initialized",
                "tokenAmount": {"amount": "250000", "decimals": 6, "uiAmount": 0.25, "uiAmountString": "0.25"},
                "delegate": str(DELEGATE),
                "delegatedAmount": {"amount": "7", "decimals": 6, "uiAmount": 7e-6, "uiAmountString": "0.000007"},
                "closeAuthority": str(DELEGATE),
            },
        },
    }


async def test_a_mint_is_parsed(engine: Engine) -> None:
    """`jsonParsed` gives a mint as an object."""
    assert await parsed(engine, MINT) == {
        "program": "spl-token",
        "space": 82,
        "parsed": {
            "type": "mint",
            "info": {
                "mintAuthority": str(OWNER),
                "supply": "1500000",
                "decimals": 6,
                "isInitialized": True,
                "freezeAuthority": None,
            },
        },
    }


async def test_an_account_of_wrapped_sol_has_its_reserve(engine: Engine) -> None:
    """A native token account says what it keeps for its rent."""
    info = (await parsed(engine, NATIVE))["parsed"]["info"]

    assert (info["isNative"], info["rentExemptReserve"]["amount"]) == (True, "3")


async def test_a_multisig_is_parsed(engine: Engine) -> None:
    """A multisig names its signers."""
    found = (await parsed(engine, MULTISIG))["parsed"]

    assert (found["type"], found["info"]["signers"]) == ("multisig", [str(OWNER), str(DELEGATE)])


async def test_extensions_are_said_to_be_there(engine: Engine) -> None:
    """A Token-2022 account is parsed as far as both programs agree, and no extension is passed over in silence."""
    found = await parsed(engine, EXTENDED)
    mint = await parsed(engine, NEW_MINT)

    assert (found["program"], found["space"], mint["parsed"]["type"]) == ("spl-token-2022", 176, "mint")
    assert found["parsed"]["info"]["tokenAmount"]["uiAmountString"] == "0.05"
    assert found["parsed"]["info"]["extensions"] == [
        {"extension": "immutableOwner"},
        {"extension": "unparseableExtension"},
    ]


@pytest.mark.parametrize("address", [ORPHAN, UNINITIALIZED, Pubkey.from_string(PAYEE_ADDRESS)])
async def test_what_cannot_be_parsed_is_given_in_base64(engine: Engine, address: Pubkey) -> None:
    """Without its mint a token account has no decimals; that, like any other account, comes as bytes."""
    data, encoding = await parsed(engine, address)

    assert encoding == "base64"
    assert len(b64decode(data)) == (0 if str(address) == PAYEE_ADDRESS else 165)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"mint": str(MINT)}, {RICH, POOR}),
        ({"programId": str(TOKEN_PROGRAM)}, {RICH, POOR, NATIVE, ORPHAN}),
        ({"programId": str(TOKEN_2022)}, {EXTENDED}),
        ({"mint": str(NEW_MINT)}, {EXTENDED}),
    ],
)
async def test_an_owners_token_accounts_are_found(engine: Engine, wanted: Json, expected: set[Pubkey]) -> None:
    """`getTokenAccountsByOwner` takes a mint or a program."""
    found = (await call(engine, "getTokenAccountsByOwner", str(OWNER), wanted, {"encoding": "jsonParsed"}))["value"]
    others = await call(engine, "getTokenAccountsByOwner", str(DELEGATE), wanted, {"encoding": "base64"})

    assert {one["pubkey"] for one in found} == {str(address) for address in expected}
    assert others["value"] == []


async def test_a_delegates_token_accounts_are_found(engine: Engine) -> None:
    """`getTokenAccountsByDelegate` looks at the delegate, not at the owner."""
    options = {"encoding": "base64", "dataSlice": {"offset": 64, "length": 8}}
    [found] = (await call(engine, "getTokenAccountsByDelegate", str(DELEGATE), {"mint": str(MINT)}, options))["value"]

    assert (found["pubkey"], b64decode(found["account"]["data"][0])) == (str(POOR), (250_000).to_bytes(8, "little"))


async def test_a_mint_has_its_supply_and_its_largest_holders(engine: Engine) -> None:
    """`getTokenSupply` and `getTokenLargestAccounts` are in the mint's decimals, largest first."""
    supply = (await call(engine, "getTokenSupply", str(MINT)))["value"]
    largest = (await call(engine, "getTokenLargestAccounts", str(MINT)))["value"]

    assert supply == {"amount": "1500000", "decimals": 6, "uiAmount": 1.5, "uiAmountString": "1.5"}
    assert [(one["address"], one["amount"]) for one in largest] == [(str(RICH), "1250000"), (str(POOR), "250000")]


async def test_a_balance_of_an_extended_account_is_found(engine: Engine) -> None:
    """`getTokenAccountBalance` reads both programs."""
    assert (await call(engine, "getTokenAccountBalance", str(EXTENDED)))["value"]["uiAmount"] == 0.05


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("getTokenAccountBalance", (str(DELEGATE),), "could not find account"),
        ("getTokenAccountBalance", (str(MINT),), "not a Token account"),
        ("getTokenAccountBalance", (str(MULTISIG),), "not a Token account"),
        ("getTokenSupply", (PAYEE_ADDRESS,), "not a Token mint"),
        ("getTokenSupply", (str(RICH),), "mint could not be unpacked"),
        ("getTokenLargestAccounts", (str(DELEGATE),), "could not find account"),
        ("getTokenAccountsByOwner", (str(OWNER),), "mint or programId"),
        ("getTokenAccountsByOwner", (str(OWNER), {}), "mint or programId"),
        ("getTokenAccountsByOwner", (str(OWNER), {"programId": SYSTEM_PROGRAM}), "unrecognized Token program id"),
        ("getTokenAccountsByOwner", (str(OWNER), {"mint": 5}), "not an address"),
    ],
)
async def test_what_is_no_token_is_refused(
    engine: Engine, method: str, params: tuple[object, ...], message: str
) -> None:
    """The errors say what the account is not."""
    found = await error(engine, method, *params)

    assert found["code"] == -32602
    assert message in found["message"]
