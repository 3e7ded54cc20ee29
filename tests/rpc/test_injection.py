"""Programs put into a session: what is refused, what is built, and that the runtime executes it."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction, VersionedTransaction

from simclient import (
    AccountData,
    BacktestSession,
    ConnectError,
    HttpError,
    InputError,
    ProgramError,
    RpcError,
    open_backtest_session,
)
from simclient.local import open_local_simulator
from simclient.rpc.injection import check_elf, program_injection
from simclient.rpc.patience import until_ready
from simclient.wire.program_address import (
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    UPGRADEABLE_LOADER,
    program_data_address,
)

from .sessions import START_SLOT, ready_session
from .sessions import until_ready as until_ready_again

MEMO_PROGRAM = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
OLD_LOADER = "BPFLoader2111111111111111111111111111111111"
SYSTEM_PROGRAM = "1" * 32
NEW_PROGRAM = str(Keypair.from_seed(bytes(range(32))).pubkey())
AUTHORITY = str(Pubkey(bytes([7]) * 32))
WHIRLPOOL = Path(__file__).parents[1] / "local" / "data" / "whirlpool" / "program.so.gz"
ELF = gzip.decompress(WHIRLPOOL.read_bytes())


def call_of(program: str) -> VersionedTransaction:
    """Make a transaction that calls a program with nothing."""
    payer = Keypair.from_seed(bytes([3]) * 32)
    instruction = Instruction(Pubkey.from_string(program), b"", [])
    message = Message([instruction], payer.pubkey())
    return VersionedTransaction.from_legacy(Transaction.new_unsigned(message))


async def logs_of(session: BacktestSession, program: str) -> list[str]:
    """Return what a call of a program logs on the session's state."""
    transaction = call_of(program)
    await session.rpc.set_balance(transaction.message.account_keys[0], 10**9)
    return list((await session.rpc.simulate_transaction(transaction)).logs)


class TestElf:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda elf: b"", "has 0 bytes"),
            (lambda elf: b"\x7fELF", "has 4 bytes"),
            (lambda elf: b"#!/bin/sh" + elf, "begins with"),
            (lambda elf: elf[:4] + b"\x01" + elf[5:], "64-bit little-endian"),
            (lambda elf: elf[:18] + (62).to_bytes(2, "little") + elf[20:], "for machine 62"),
            (lambda elf: elf + bytes(10 * 2**20), "strip it"),
        ],
    )
    def test_what_is_no_program_is_refused(self, change: Callable[[bytes], bytes], message: str) -> None:
        """Emptiness, another file, another machine's library, too much: each says what was there."""
        with pytest.raises(ProgramError, match=message):
            check_elf(change(ELF))

    def test_the_longest_program_fills_an_account(self) -> None:
        """45 bytes are the header's."""
        room = 10 * 2**20 - 45
        check_elf(ELF + bytes(room - len(ELF)))
        with pytest.raises(ProgramError):
            check_elf(ELF + bytes(room - len(ELF) + 1))


@pytest.mark.parametrize("authority", [None, AUTHORITY])
def test_the_header_has_45_bytes_with_and_without_an_authority(authority: str | None) -> None:
    """Variant 3, the deploy slot, the flag and 32 bytes; then the ELF."""
    [(address, account)] = program_injection(
        TOKEN_PROGRAM, ELF, deploy_slot=99, lamports=5, authority=authority
    ).items()
    data = account.data.decode()
    assert address == program_data_address(TOKEN_PROGRAM)
    assert (account.owner, account.lamports, account.executable) == (UPGRADEABLE_LOADER, 5, False)
    assert data[:12] == (3).to_bytes(4, "little") + (99).to_bytes(8, "little")
    assert data[12:45] == (bytes(33) if authority is None else b"\x01" + bytes([7]) * 32)
    assert data[45:] == ELF
    assert account.space == len(data)


class TestOnTheSimulator:
    async def test_a_program_is_replaced_from_the_next_call_on(self) -> None:
        """The runtime executes the other program, and the chain knows its rent, slot and authority."""
        async with ready_session() as session:
            await session.advance(2)
            await until_ready_again(session)
            before = await logs_of(session, TOKEN_PROGRAM)
            other = await session.rpc.get_account(program_data_address(TOKEN_2022_PROGRAM))
            assert other is not None
            elf = other.data[45:]

            await session.rpc.replace_program(TOKEN_PROGRAM, elf)

            after = await logs_of(session, TOKEN_PROGRAM)
            replaced = await session.rpc.get_account(program_data_address(TOKEN_PROGRAM))
            slot = await session.rpc.get_slot()
            rent = await session.rpc.get_minimum_balance_for_rent_exemption(45 + len(elf))

        assert before != after
        assert replaced is not None
        assert (replaced.lamports, replaced.data[45:]) == (rent, elf)
        assert int.from_bytes(replaced.data[4:12], "little") == slot - 1

    async def test_an_rpc_that_is_not_ready_is_waited_for(self) -> None:
        """Asked at once, before the session is ready, it answers 503, and the program is replaced all the same."""
        async with open_local_simulator() as simulator:
            async with open_backtest_session(simulator.url, start_slot=START_SLOT, slot_count=5) as session:
                with pytest.raises(HttpError) as caught:
                    await session.rpc.get_slot()
                await session.rpc.replace_program(TOKEN_PROGRAM, ELF)
                replaced = await session.rpc.get_account(program_data_address(TOKEN_PROGRAM))
        assert caught.value.status == 503
        assert replaced is not None
        assert replaced.data[45:] == ELF

    async def test_a_program_that_does_not_load_is_refused_and_nothing_changes(self) -> None:
        """It begins as a program does, and is none: the server says so."""
        async with ready_session() as session:
            before = await session.rpc.get_account(program_data_address(TOKEN_PROGRAM))
            with pytest.raises(RpcError, match="modifyAccounts failed") as caught:
                await session.rpc.replace_program(TOKEN_PROGRAM, ELF[:64] + bytes(1000))
            assert await session.rpc.get_account(program_data_address(TOKEN_PROGRAM)) == before
        assert caught.value.method == "modifyAccounts"

    async def test_the_upgrade_authority_is_kept(self) -> None:
        """Whoever could upgrade it still can."""
        async with ready_session() as session:
            injection = program_injection(TOKEN_PROGRAM, ELF, deploy_slot=1, lamports=10**10, authority=AUTHORITY)
            await session.rpc.modify_accounts(injection)
            [(_, account)] = (await session.rpc.program_accounts(TOKEN_PROGRAM, ELF)).items()
        assert account.data.decode()[12:45] == b"\x01" + bytes([7]) * 32

    async def test_accounts_can_ride_with_an_advance(self) -> None:
        """`program_accounts` changes nothing by itself; its accounts do with the next slot."""
        async with ready_session() as session:
            before = await logs_of(session, TOKEN_PROGRAM)
            accounts = await session.rpc.program_accounts(TOKEN_PROGRAM, ELF)
            assert await logs_of(session, TOKEN_PROGRAM) == before
            await session.advance(1, modify_accounts=accounts)
            await until_ready_again(session)
            assert await logs_of(session, TOKEN_PROGRAM) != before

    async def test_a_program_of_an_older_loader_is_its_own_account(self) -> None:
        """The loader stays, and the other program runs."""
        async with ready_session() as session:
            before = await logs_of(session, MEMO_PROGRAM)
            await session.rpc.replace_program(MEMO_PROGRAM, ELF)
            account = await session.rpc.get_account(MEMO_PROGRAM)
            assert await logs_of(session, MEMO_PROGRAM) != before
        assert account is not None
        assert (account.owner, account.data, account.executable) == (OLD_LOADER, ELF, True)

    async def test_a_new_program_is_deployed_only_on_request(self) -> None:
        """A mistyped address is an error that says so; with `create=True` the program runs."""
        async with ready_session() as session:
            with pytest.raises(ProgramError, match="create=True"):
                await session.rpc.replace_program(NEW_PROGRAM, ELF)
            await session.rpc.replace_program(NEW_PROGRAM, ELF, create=True)
            logs = await logs_of(session, NEW_PROGRAM)
            again = await session.rpc.program_accounts(NEW_PROGRAM, ELF)
        assert logs[0] == f"Program {NEW_PROGRAM} invoke [1]"
        assert [*again] == [program_data_address(NEW_PROGRAM)]

    @pytest.mark.parametrize(
        ("address", "message"),
        [
            (SYSTEM_PROGRAM, "built into the runtime"),
            (program_data_address(TOKEN_PROGRAM), "give the program's own address"),
            ("nowhere", "not an address"),
        ],
    )
    async def test_what_cannot_be_replaced_is_an_error_with_the_way_out(self, address: str, message: str) -> None:
        """A builtin, the account of the code, and no address at all."""
        async with ready_session() as session:
            with pytest.raises(InputError, match=message):
                await session.rpc.replace_program(address, ELF)

    async def test_a_wallet_is_no_program(self) -> None:
        """The message names its owner."""
        async with ready_session() as session:
            await session.rpc.set_balance(NEW_PROGRAM, 5)
            with pytest.raises(ProgramError, match=f"{SYSTEM_PROGRAM} owns it"):
                await session.rpc.replace_program(NEW_PROGRAM, ELF)


class TestPatience:
    def failing(self, *errors: Exception) -> Callable[[], Awaitable[str]]:
        left = list(errors)

        async def ask() -> str:
            await trio.lowlevel.checkpoint()
            if left:
                raise left.pop(0)
            return "answer"

        return ask

    async def test_an_rpc_that_is_not_ready_is_asked_again(self, autojump_clock: trio.testing.MockClock) -> None:
        """503 and refused connections are waited out, with growing delays; the server's own word counts if it is longer."""
        not_ready = HttpError("x", status=503, body="", retry_after_seconds=3.0)
        assert (
            await until_ready(self.failing(not_ready, ConnectError("y"), HttpError("z", status=503, body="")))
            == "answer"
        )
        assert trio.current_time() - 0.0 >= 3.0 + 1.0 + 2.0

    async def test_the_patience_has_an_end(self, autojump_clock: trio.testing.MockClock) -> None:
        """Eleven attempts within 65.5 s, then the last error."""
        start = trio.current_time()
        errors = [HttpError(f"{number}", status=503, body="") for number in range(20)]
        with pytest.raises(HttpError) as caught:
            await until_ready(self.failing(*errors))
        assert caught.value is errors[10]
        assert trio.current_time() - start == pytest.approx(65.5)

    @pytest.mark.parametrize("error", [HttpError("x", status=404, body=""), ConnectError("x", retryable=False)])
    async def test_what_time_does_not_mend_is_raised_at_once(
        self, error: Exception, autojump_clock: trio.testing.MockClock
    ) -> None:
        """A session that has gone is not waited for."""
        start = trio.current_time()
        with pytest.raises(type(error)):
            await until_ready(self.failing(error))
        assert trio.current_time() == start


async def test_the_accounts_of_a_new_program_are_a_program_to_anyone() -> None:
    """The pointer and the code, both rent-exempt; the pointer is executable."""
    async with ready_session() as session:
        accounts = await session.rpc.program_accounts(NEW_PROGRAM, ELF, create=True)
    code, pointer = accounts.values()
    assert isinstance(pointer, AccountData)
    assert (pointer.executable, pointer.space, code.executable) == (True, 36, False)
    assert min(pointer.lamports, code.lamports) > 10**6
