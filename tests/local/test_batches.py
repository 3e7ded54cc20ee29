"""Batches of a block, discoveries and scheduled actions, over real sockets and with another client than ours."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message as SolanaMessage
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from simclient.local import open_local_simulator
from simclient.local.engine.batches import batches_of
from simclient.local.engine.transactions import keys_of

from .blocks import FIRST_SLOT, MEMO_PROGRAM, PAYEE, PAYEE_ADDRESS, PAYER, pay, write_blocks
from .clients import Control, Message, creation, open_control, open_data, post
from .four_batches import BLOCK, LAST_SLOT, MEMO, balance, methods


async def go_to(control: Control, slot: int, batch: int | None = None) -> list[Message]:
    await control.send("continueTo", {"slot": slot, "batchIndex": batch})
    return await control.until("paused", "completed", "error")


# Batches


KEYS = [Keypair.from_seed(bytes([n]) * 32) for n in range(1, 5)]


@given(st.lists(st.sampled_from(KEYS), max_size=12), st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_no_two_of_a_batch_touch_what_one_writes(payers: list[Keypair], amounts: list[int]) -> None:
    """Batches cover a block without gaps; within one nobody writes what another reads or writes; each is as long as can be."""
    block = [VersionedTransaction.from_bytes(pay(a + 1, payer=p)) for p, a in zip(payers, amounts, strict=False)]
    batches = list(batches_of(block, lambda _: None))
    places = [place for batch in batches for place in range(batch.first, batch.end)]
    assert places == list(range(len(block)))
    for batch in batches:
        keys = [keys_of(block[place], lambda _: None) for place in range(batch.first, batch.end)]
        for at, one in enumerate(keys):
            for other in keys[at + 1 :]:
                assert not set(one.writable) & set(other.all)
                assert not set(other.writable) & set(one.all)


def test_transactions_that_share_nothing_are_one_batch() -> None:
    """Payments that write other accounts go together; programs that both only read do not part them."""
    strangers = [Keypair(), Keypair()]
    block = [VersionedTransaction.from_bytes(note(key)) for key in strangers]
    assert [(batch.first, batch.end) for batch in batches_of(block, lambda _: None)] == [(0, 2)]


def note(payer: Keypair) -> bytes:
    """Return a transaction that writes nothing but its payer."""
    message = SolanaMessage.new_with_blockhash([Instruction(MEMO_PROGRAM, b"x", [])], payer.pubkey(), Hash.default())
    return bytes(VersionedTransaction(message, [payer]))


def test_an_unknown_lookup_table_makes_a_batch_of_its_own() -> None:
    """What loads addresses that nobody knows is alone."""
    table = AddressLookupTableAccount(key=Pubkey.new_unique(), addresses=[PAYEE.pubkey()])
    key = Keypair()
    instruction = Instruction(MEMO_PROGRAM, b"x", [AccountMeta(PAYEE.pubkey(), is_signer=False, is_writable=True)])
    message = MessageV0.try_compile(key.pubkey(), [instruction], [table], Hash.default())
    loading = VersionedTransaction(message, [key])
    block = [
        VersionedTransaction.from_bytes(note(Keypair())),
        loading,
        VersionedTransaction.from_bytes(note(Keypair())),
    ]
    assert [(batch.first, batch.end) for batch in batches_of(block, lambda _: None)] == [(0, 1), (1, 2), (2, 3)]


async def test_a_pause_shows_the_state_before_the_batch(bundle: Path) -> None:
    """Paused before batch n the RPC shows what batch n - 1 left, in the slot itself; what follows goes on from there."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        seen = await go_to(control, FIRST_SLOT + 1, 2)
        assert methods(seen) == ["slotNotification", "paused"]
        assert seen[-1]["params"] == {"slot": FIRST_SLOT + 1, "batchIndex": 2}
        assert await balance(simulator, control) == 7 + 1 + 2
        assert (await post(simulator, control.endpoint, "getSlot")).json()["result"] == FIRST_SLOT + 1
        assert methods(await go_to(control, FIRST_SLOT + 1, 3)) == ["paused"]
        assert await balance(simulator, control) == 7 + 1 + 2 + 3
        assert [m["params"] for m in await control.advance() if m["method"] == "slotNotification"] == [FIRST_SLOT + 1]
        assert await balance(simulator, control) == 7 + 10


async def test_a_pause_before_the_first_batch_is_in_the_slot(bundle: Path) -> None:
    """Batch 0 stops in the slot with nothing of it executed; the same place again is no step."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await go_to(control, FIRST_SLOT + 1, 0)
        assert await balance(simulator, control) == 7
        assert methods(await go_to(control, FIRST_SLOT + 1, 0)) == ["paused"]
        assert await balance(simulator, control) == 7
        assert methods(await go_to(control, FIRST_SLOT + 1)) == ["slotNotification", "paused"]
        assert await balance(simulator, control) == 17


async def test_a_batch_beyond_the_last_is_the_end_of_the_slot(bundle: Path) -> None:
    """A slot with fewer batches is executed whole."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        seen = await go_to(control, FIRST_SLOT + 1, 99)
        assert [m["params"] for m in seen if m["method"] == "slotNotification"] == [FIRST_SLOT, FIRST_SLOT + 1]
        assert seen[-1]["params"] == {"slot": FIRST_SLOT + 1, "batchIndex": 99}


async def test_a_batch_that_was_executed_is_behind(bundle: Path) -> None:
    """A place within the slot that was passed is refused."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await go_to(control, FIRST_SLOT + 1, 2)
        error = (await go_to(control, FIRST_SLOT + 1, 1))[-1]

    assert "batch 1 of slot 1001 is behind" in str(error["params"])


async def test_transactions_given_at_a_pause_go_before_the_rest(bundle: Path) -> None:
    """A `continue` within a slot executes its transactions there; their index is counted on after the block's own."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await go_to(control, FIRST_SLOT + 1, 2)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS, replayFromSlot=FIRST_SLOT + 1)
            await control.advance(9, transactions=[b64encode(pay(100)).decode()])
            diffs = [m["params"]["result"] for m in (await data.until_complete())[:-1]]

    gains = [d["post"]["lamports"] - d["pre"]["lamports"] for d in diffs]
    assert (gains, [d["tx_index"] for d in diffs]) == ([1, 2, 100, 3, 4, 8], [0, 1, 4, 2, 3, 0])


async def test_a_transaction_that_is_not_executed_is_told(bundle: Path) -> None:
    """A user's transaction whose payer does not exist is a `simulationError`, and the run goes on."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        seen = await control.advance(transactions=[b64encode(pay(1, payer=Keypair())).decode()])

    assert "AccountNotFound" in next(m for m in seen if m["method"] == "error")["params"]["simulationError"]["error"]
    assert methods(seen)[-1] == "readyForContinue"


# Discoveries


PROGRAM_EXECUTED = {"kind": "programExecuted", "value": MEMO}


async def test_matches_are_announced_before_the_session_is_ready(bundle: Path) -> None:
    """Batches that invoke the program are announced on the server's own initiative, with their transactions and places."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.send(
            "createBacktestSession", {**creation(FIRST_SLOT, LAST_SLOT), "discoveries": [PROGRAM_EXECUTED]}
        )
        found = [m["params"] for m in await control.until("readyForContinue") if m["method"] == "discoveryBatch"]

    assert [(f["slot"], f["batchIndex"], f["transactionIndices"]) for f in found] == [
        (FIRST_SLOT + 1, 1, [1]),
        (FIRST_SLOT + 1, 3, [3]),
    ]
    assert [f["matched"] for f in found] == [[PROGRAM_EXECUTED]] * 2
    assert [b64decode(f["transactions"][0]["data"]) for f in found] == [BLOCK[1], BLOCK[3]]


async def test_stepping_from_match_to_match(bundle: Path) -> None:
    """`continueTo` an announced place pauses just before it; after the last one comes `readyForContinue`, which ends the stepping."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT, discoveries=[PROGRAM_EXECUTED])
        await go_to(control, FIRST_SLOT + 1, 1)
        assert await balance(simulator, control) == 7 + 1
        await go_to(control, FIRST_SLOT + 1, 3)
        assert await balance(simulator, control) == 7 + 1 + 2 + 3
        assert (await control.receive())["method"] == "readyForContinue"
        assert methods(await control.advance(2**64 - 1))[-1] == "completed"


async def test_a_match_is_announced_ahead_in_a_long_run(tmp_path: Path) -> None:
    """In a run over many slots every match comes before its slot."""
    slots = {FIRST_SLOT + n: [pay(n + 1, note="x" if n % 7 == 0 else "")] for n in range(600)}
    path = write_blocks(tmp_path / "long.bundle", slots)
    async with open_local_simulator([path]) as simulator, open_control(simulator) as control:
        await control.send(
            "createBacktestSession", {**creation(FIRST_SLOT, FIRST_SLOT + 599), "discoveries": [PROGRAM_EXECUTED]}
        )
        seen = await control.until("readyForContinue")
        seen += await control.advance(2**64 - 1)

    announced: set[int] = set()
    for message in seen:
        if message["method"] == "discoveryBatch":
            announced.add(message["params"]["slot"])
        if message["method"] == "slotNotification" and (message["params"] - FIRST_SLOT) % 7 == 0:
            assert message["params"] in announced
    assert len(announced) == 86


async def test_without_a_match_the_session_is_ready(bundle: Path) -> None:
    """A filter that nothing matches delays nothing."""
    nobody = {"kind": "programExecuted", "value": PAYEE_ADDRESS}
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT, discoveries=[nobody])
        assert "discoveryBatch" not in methods(await control.advance(9))


async def test_an_oracle_update_moves_no_tokens(bundle: Path) -> None:
    """`oracleUpdate` matches what invokes one of the programs, writes one of the accounts and moves no tokens."""
    async with open_local_simulator([bundle]) as simulator:
        counts = []
        for accounts in ([], [PAYEE_ADDRESS], [MEMO]):
            value = {"programs": [MEMO], "accounts": accounts}
            async with open_control(simulator) as control:
                params = {**creation(FIRST_SLOT, LAST_SLOT), "discoveries": [{"kind": "oracleUpdate", "value": value}]}
                await control.send("createBacktestSession", params)
                counts.append(methods(await control.until("readyForContinue")).count("discoveryBatch"))

    assert counts == [2, 2, 0]


async def test_only_the_chosen_signers_are_executed(tmp_path: Path) -> None:
    """With 0.9's `signerFilter` only transactions signed by one of these are executed."""
    path = write_blocks(tmp_path / "b.bundle", {FIRST_SLOT: [pay(1), pay(2, payer=PAYEE)]})
    async with open_local_simulator([path]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, FIRST_SLOT, signerFilter=[str(PAYER.pubkey())])
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "transactionSubscribe", {"mentions": [PAYEE_ADDRESS]})
            await control.advance(9)
            assert len(await data.until_complete()) == 2
