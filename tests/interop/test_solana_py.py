"""solana-py, unchanged, against the RPC of a session: what Python programs for Solana are written with."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import pytest
import trio
from solders.account_decoder import ParsedAccount
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.responses import GetTokenAccountsByOwnerJsonParsedResp
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_status import UiRawMessage, UiTransaction

from simclient import AccountData, BacktestSession, ReadyForContinue, open_backtest_session
from simclient.local import open_local_simulator
from simclient.local.bundle import open_bundle, shipped_bundle

solana = pytest.importorskip("solana.rpc.async_api", reason="solana-py is not installed: pip install solana")
from solana.rpc.async_api import AsyncClient  # noqa: E402
from solana.rpc.commitment import Confirmed  # noqa: E402
from solana.rpc.core import RPCException  # noqa: E402
from solana.rpc.models import DataSliceOpts, MemcmpOpts, TokenAccountOpts, TxOpts  # noqa: E402

TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ALICE, BOB = Keypair.from_seed(b"\x0a" * 32), Keypair.from_seed(b"\x0b" * 32)
SYSTEM_PROGRAM = "11111111111111111111111111111111"


@pytest.fixture
async def session() -> AsyncGenerator[BacktestSession]:
    """Give a session that has executed ten slots of the market."""
    with open_bundle(shipped_bundle()) as bundle:
        start, end = bundle.header.start_slot, bundle.header.end_slot
    async with (
        open_local_simulator() as simulator,
        open_backtest_session(simulator.url, start_slot=start, end_slot=end) as session,
    ):
        await until_ready(session)
        await session.rpc.modify_accounts({ALICE.pubkey(): AccountData.build(lamports=10**9, owner=SYSTEM_PROGRAM)})
        await session.advance(10)
        await until_ready(session)
        yield session


async def until_ready(session: BacktestSession) -> None:
    with trio.fail_after(60):
        async for event in session:
            if isinstance(event, ReadyForContinue):
                return


@pytest.fixture
async def client(session: BacktestSession) -> AsyncGenerator[AsyncClient]:
    async with AsyncClient(session.rpc_url, commitment=Confirmed) as client:
        yield client


async def payment(client: AsyncClient, lamports: int) -> VersionedTransaction:
    blockhash: Hash = (await client.get_latest_blockhash()).value.blockhash
    instruction = transfer(TransferParams(from_pubkey=ALICE.pubkey(), to_pubkey=BOB.pubkey(), lamports=lamports))
    return VersionedTransaction(MessageV0.try_compile(ALICE.pubkey(), [instruction], [], blockhash), [ALICE])


async def test_it_is_a_node(client: AsyncClient) -> None:
    """What a program asks first: health, version, genesis, identity, slot, height, epoch, and the newest blockhash."""
    slot = (await client.get_slot()).value

    assert await client.is_connected()
    assert (await client.get_version()).value.solana_core
    assert str((await client.get_genesis_hash()).value).startswith("5eykt4Us")
    assert len(bytes((await client.get_identity()).value.identity)) == 32
    assert (await client.get_epoch_info()).value.absolute_slot == slot
    assert (await client.get_epoch_schedule()).value.slots_per_epoch == 432_000
    assert (await client.get_block_height()).value > 0
    assert (await client.get_transaction_count()).value > 0
    assert (await client.get_minimum_balance_for_rent_exemption(0)).value > 0
    assert (await client.get_supply()).value.total > 0
    assert len((await client.get_largest_accounts()).value) == 20


async def test_accounts_are_read(client: AsyncClient) -> None:
    """Accounts come one by one, several at a time, and by program, also filtered, cut and parsed."""
    account = (await client.get_account_info(ALICE.pubkey())).value
    several = (await client.get_multiple_accounts([ALICE.pubkey(), Pubkey.new_unique()])).value
    tokens = (await client.get_program_accounts(TOKEN_PROGRAM, encoding="base64", filters=[165])).value
    mint = Pubkey.from_bytes(tokens[0].account.data[:32])
    of_mint = (
        await client.get_program_accounts(
            TOKEN_PROGRAM,
            encoding="base64",
            data_slice=DataSliceOpts(offset=0, length=32),
            filters=[165, MemcmpOpts(offset=0, bytes=str(mint))],
        )
    ).value
    parsed = (await client.get_program_accounts_json_parsed(TOKEN_PROGRAM, filters=[165])).value

    assert account is not None
    assert (account.lamports, (await client.get_balance(ALICE.pubkey())).value) == (10**9, 10**9)
    assert several[1] is None
    assert {one.account.data for one in of_mint} == {bytes(mint)}
    assert 0 < len(of_mint) < len(tokens) == len(parsed)
    assert isinstance(parsed[0].account.data, ParsedAccount)
    assert parsed[0].account.data.program == "spl-token"


async def test_tokens_are_read(client: AsyncClient) -> None:
    """Token accounts are found by their owner, with their balances, supply and largest holders."""
    [first, *_] = (await client.get_program_accounts(TOKEN_PROGRAM, encoding="base64", filters=[165])).value
    mint, owner = Pubkey.from_bytes(first.account.data[:32]), Pubkey.from_bytes(first.account.data[32:64])
    owned = await client.get_token_accounts_by_owner_json_parsed(owner, TokenAccountOpts(mint=mint))
    balance = (await client.get_token_account_balance(first.pubkey)).value
    supply = (await client.get_token_supply(mint)).value
    largest = (await client.get_token_largest_accounts(mint)).value

    assert isinstance(owned, GetTokenAccountsByOwnerJsonParsedResp)
    [found] = [one for one in owned.value if one.pubkey == first.pubkey]
    info = json.loads(found.account.data.to_json())["parsed"]["info"]
    assert info["tokenAmount"]["amount"] == balance.amount
    assert balance.decimals == supply.decimals
    assert int(largest[0].amount.amount) >= int(balance.amount)
    assert (await client.get_token_accounts_by_delegate(owner, TokenAccountOpts(mint=mint))).value == []


async def test_history_is_read(client: AsyncClient) -> None:
    """Blocks, their times and transactions, and the signatures of an address."""
    first = (await client.get_first_available_block()).value
    slots = (await client.get_blocks(first)).value
    block = (await client.get_block(slots[-1], max_supported_transaction_version=0)).value
    assert block is not None
    assert block.transactions
    assert isinstance(block.transactions[0].transaction, UiTransaction)
    [signature, *_] = block.transactions[0].transaction.signatures
    found = (await client.get_transaction(signature, max_supported_transaction_version=0)).value
    assert found is not None
    transaction = found.transaction.transaction
    assert isinstance(transaction, UiTransaction)
    assert isinstance(transaction.message, UiRawMessage)
    payer = transaction.message.account_keys[0]
    signatures = (await client.get_signatures_for_address(payer, limit=5)).value
    [status] = (await client.get_signature_statuses([signature])).value

    assert (found.slot, found.block_time) == (slots[-1], (await client.get_block_time(slots[-1])).value)
    assert signature in [one.signature for one in signatures]
    assert status is not None
    assert (status.slot, status.err) == (slots[-1], None)
    assert first == slots[0]


async def test_a_transaction_is_simulated_sent_and_confirmed(client: AsyncClient, session: BacktestSession) -> None:
    """What is sent is executed by the next slot, and is then confirmed."""
    sent = await payment(client, 10**6)
    assert isinstance(sent.message, MessageV0)
    fee = (await client.get_fee_for_message(sent.message)).value
    simulated = (await client.simulate_transaction(sent, sig_verify=True)).value
    signature = (await client.send_transaction(sent, TxOpts(preflight_commitment=Confirmed))).value
    await session.advance()
    await until_ready(session)
    [status] = (await client.confirm_transaction(signature)).value

    assert (fee, simulated.err) == (5_000, None)
    assert status is not None
    assert (await client.get_balance(BOB.pubkey())).value == 10**6


async def test_an_error_is_solanas(client: AsyncClient) -> None:
    """solana-py reads the errors as those of a node: here a failed preflight."""
    with pytest.raises(RPCException, match="Transaction simulation failed: Error processing Instruction 0"):
        await client.send_transaction(await payment(client, 10**12))
