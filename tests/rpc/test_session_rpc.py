"""Every method of a session's RPC, against the embedded simulator and the market that comes with it."""

from __future__ import annotations

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction

from simclient import AccountData
from simclient.errors import RpcError
from simclient.local.bundle import BundleAccount, open_bundle, shipped_bundle
from simclient.rpc import SessionRpc
from simclient.rpc.session_rpc import MemcmpFilter
from simclient.wire.addresses import encode_base58
from simclient.wire.rpc_values import DataSlice, TokenAmount

from .sessions import START_SLOT, ready_session, until_ready

SYSTEM = "1" * 32
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TOKEN_ACCOUNT_BYTES = 165
ABSENT = str(Keypair.from_seed(bytes(32)).pubkey())


def market_accounts() -> tuple[BundleAccount, ...]:
    with open_bundle(shipped_bundle()) as bundle:
        return tuple(bundle.accounts())


ACCOUNTS = market_accounts()
"""As they are before the first slot."""


async def fund(rpc: SessionRpc, lamports: int) -> Keypair:
    """Put a new wallet into the session's state."""
    wallet = Keypair()
    await rpc.modify_accounts({wallet.pubkey(): AccountData.build(lamports=lamports, owner=SYSTEM)})
    return wallet


async def payment(rpc: SessionRpc, wallet: Keypair, lamports: int, *, to: str = ABSENT) -> VersionedTransaction:
    instruction = transfer(
        TransferParams(from_pubkey=wallet.pubkey(), to_pubkey=Pubkey.from_string(to), lamports=lamports)
    )
    blockhash = Hash.from_string((await rpc.get_latest_blockhash()).blockhash)
    message = Message.new_with_blockhash([instruction], wallet.pubkey(), blockhash)
    return VersionedTransaction.from_legacy(Transaction([wallet], message, blockhash))


async def test_accounts_are_read_as_the_bundle_has_them() -> None:
    """Lamports, owner, data and executable arrive exactly; an account that does not exist is None."""
    async with ready_session() as session:
        for account in ACCOUNTS[:5]:
            found = await session.rpc.get_account(encode_base58(account.address))
            assert found is not None
            assert (found.lamports, found.owner, found.data, found.executable) == (
                account.lamports,
                encode_base58(account.owner),
                account.data,
                account.executable,
            )
            assert await session.rpc.get_balance(encode_base58(account.address)) == account.lamports

        assert await session.rpc.get_account(ABSENT) is None
        assert await session.rpc.get_balance(ABSENT) == 0


async def test_many_accounts_come_in_the_order_asked_for() -> None:
    """More than 100 addresses are asked for in parts; each account stands where its address stood."""
    known = [encode_base58(account.address) for account in ACCOUNTS]
    addresses = [*known, ABSENT, *reversed(known), ABSENT, *known]

    async with ready_session() as session:
        found = await session.rpc.get_multiple_accounts(addresses)

    lamports = {encode_base58(account.address): account.lamports for account in ACCOUNTS}
    assert len(addresses) > 100
    assert [None if account is None else account.lamports for account in found] == [
        lamports.get(address) for address in addresses
    ]


async def test_the_accounts_of_a_program_are_filtered_and_sliced() -> None:
    """Size and bytes select the token accounts of one mint; the slice is what comes, the size stays known."""
    of_tokens = [account for account in ACCOUNTS if encode_base58(account.owner) == TOKEN]
    holdings = [account for account in of_tokens if len(account.data) == TOKEN_ACCOUNT_BYTES]
    mint = holdings[0].data[:32]

    async with ready_session() as session:
        everything = await session.rpc.get_program_accounts(TOKEN)
        selected = await session.rpc.get_program_accounts(
            TOKEN,
            data_size=TOKEN_ACCOUNT_BYTES,
            memcmp=[MemcmpFilter(offset=0, data=mint)],
            data_slice=DataSlice(offset=64, length=8),
        )

    assert {one.address for one in everything} == {encode_base58(account.address) for account in of_tokens}
    assert {one.address: one.account.data for one in selected} == {
        encode_base58(account.address): account.data[64:72] for account in holdings if account.data[:32] == mint
    }
    assert {one.account.space for one in selected} == {TOKEN_ACCOUNT_BYTES}


async def test_a_token_account_has_an_exact_amount() -> None:
    """The amount is the account's u64; an account that holds no tokens is an RpcError."""
    holding = next(account for account in ACCOUNTS if len(account.data) == TOKEN_ACCOUNT_BYTES)
    amount = int.from_bytes(holding.data[64:72], "little")

    async with ready_session() as session:
        found = await session.rpc.get_token_account_balance(encode_base58(holding.address))
        with pytest.raises(RpcError, match="getTokenAccountBalance failed") as caught:
            await session.rpc.get_token_account_balance(SYSTEM)

    assert found == TokenAmount(amount=amount, decimals=6)
    assert (caught.value.method, caught.value.code) == ("getTokenAccountBalance", -32602)


async def test_the_state_is_that_after_the_last_executed_slot() -> None:
    """Slot, height, blockhash and transactions are those of the bundle's executed slots."""
    with open_bundle(shipped_bundle()) as bundle:
        first = next(iter(bundle.slots()))
    signature = str(VersionedTransaction.from_bytes(first.transactions[0].wire).signatures[0])
    recorded = first.transactions[0].recorded
    assert recorded is not None

    async with ready_session() as session:
        assert await session.rpc.get_transaction(signature) is None
        await session.advance(1)
        await until_ready(session)

        assert await session.rpc.get_slot() == first.slot
        assert await session.rpc.get_block_height() == first.block_height
        assert (await session.rpc.get_latest_blockhash()).blockhash == encode_base58(first.blockhash)
        transaction = await session.rpc.get_transaction(signature)

    assert transaction is not None
    assert (transaction.slot, transaction.signature, transaction.error) == (first.slot, signature, recorded.error)


async def test_rent_grows_with_the_data() -> None:
    """The rent exemption is Solana's: 6960 lamports for each byte, 128 of them for the account itself."""
    async with ready_session() as session:
        assert await session.rpc.get_minimum_balance_for_rent_exemption(0) == 128 * 6960
        assert await session.rpc.get_minimum_balance_for_rent_exemption(TOKEN_ACCOUNT_BYTES) == (128 + 165) * 6960


async def test_modified_accounts_are_there_at_once() -> None:
    """Whole accounts are set, and 0 lamports delete one."""
    address = Keypair().pubkey()

    async with ready_session() as session:
        await session.rpc.modify_accounts({address: AccountData.build(lamports=10**9, owner=TOKEN, data=b"data")})
        made = await session.rpc.get_account(address)
        await session.rpc.modify_accounts({str(address): AccountData.build(lamports=0, owner=SYSTEM)})

        assert made is not None
        assert (made.lamports, made.owner, made.data) == (10**9, TOKEN, b"data")
        assert await session.rpc.get_account(address) is None


async def test_a_simulation_changes_nothing() -> None:
    """A simulated payment shows the accounts after it, and leaves them as they were; signed or not."""
    async with ready_session() as session:
        wallet = await fund(session.rpc, 10**9)
        transaction = await payment(session.rpc, wallet, 10**8)

        result = await session.rpc.simulate_transaction(transaction, accounts=[ABSENT, wallet.pubkey()])
        checked = await session.rpc.simulate_transaction(bytes(transaction), verify_signatures=True)

        assert result.is_success
        assert result.error is None
        assert [account and account.lamports for account in result.accounts] == [10**8, 10**9 - 10**8 - 5000]
        assert result.units_consumed == checked.units_consumed == 150
        assert any("success" in line for line in result.logs)
        assert await session.rpc.get_balance(wallet.pubkey()) == 10**9


async def test_a_failing_simulation_is_a_result() -> None:
    """A payment beyond the wallet says its error and logs, and None for each account asked for."""
    async with ready_session() as session:
        wallet = await fund(session.rpc, 10**9)
        transaction = await payment(session.rpc, wallet, 10**10)

        result = await session.rpc.simulate_transaction(transaction, accounts=[ABSENT])

    assert not result.is_success
    assert result.error == '{"InstructionError":[0,{"Custom":1}]}'
    assert result.accounts == (None,)
    assert any("insufficient lamports" in line for line in result.logs)


async def test_a_sent_transaction_is_executed_with_the_next_slot() -> None:
    """A payment goes into the next block, and can be found by the signature that sending gave."""
    async with ready_session() as session:
        await session.advance(1)
        await until_ready(session)
        wallet = await fund(session.rpc, 10**9)
        signature = await session.rpc.send_transaction(await payment(session.rpc, wallet, 10**8))
        await session.advance(1)
        await until_ready(session)

        transaction = await session.rpc.get_transaction(signature)
        assert transaction is not None
        assert (transaction.slot, transaction.is_success) == (START_SLOT + 1, True)
        assert await session.rpc.get_balance(ABSENT) == 10**8


async def test_a_transaction_that_fails_its_preflight_is_refused() -> None:
    """The error carries Solana's code and the simulation's result as JSON."""
    async with ready_session() as session:
        wallet = await fund(session.rpc, 10**9)
        with pytest.raises(RpcError, match="simulation failed") as caught:
            await session.rpc.send_transaction(await payment(session.rpc, wallet, 10**10))

    assert caught.value.code == -32002
    assert '"Custom":1' in (caught.value.data or "")
