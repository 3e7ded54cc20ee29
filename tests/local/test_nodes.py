"""Bundles from the JSON of Solana nodes: what one node gave, a simulator replays."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
import zstandard
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.token.state import Mint, TokenAccount, TokenAccountState
from solders.transaction import VersionedTransaction

from simclient.errors import InputError
from simclient.local.agreement import Compared, compare_with_history
from simclient.local.bundle import open_bundle, shipped_bundle
from simclient.local.engine import open_engine
from simclient.local.nodes import build_bundle

from .blocks import (
    BLOCK_TIME,
    FIRST_SLOT,
    LAMPORTS,
    MEMO_PROGRAM,
    PAYEE_ADDRESS,
    PAYER,
    PAYER_ADDRESS,
    POOR,
    SYSTEM_PROGRAM,
    blockhash,
    pay,
)
from .node_files import ACCOUNTS, BLOCK, FROM_POOR, MEMO, PAYMENT, WITH_CONTEXT, Files, Json, account, block, exchange
from .rpc_calls import call, raw

UPGRADEABLE_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"


async def test_what_one_simulator_executed_another_replays_exactly(files: Files) -> None:
    """Blocks and accounts taken over RPC give a bundle whose replay agrees with them in everything that is recorded."""
    with open_bundle(shipped_bundle()) as market:
        start, end = market.header.start_slot, market.header.start_slot + 40
        addresses = [str(Pubkey.from_bytes(one.address)) for one in market.accounts()]
    async with open_engine(shipped_bundle(), start_slot=start, end_slot=end) as engine:
        lines: list[Json] = []
        for at in range(0, len(addresses), 100):
            params = [addresses[at : at + 100], {"encoding": "base64+zstd"}]
            lines.append(exchange("getMultipleAccounts", params, await call(engine, "getMultipleAccounts", *params)))
        while engine.next_slot is not None:
            await engine.execute_slot()
        slots = await call(engine, "getBlocks", start, end)
        for slot in slots:
            request = {
                "id": slot,
                "method": "getBlock",
                "params": [slot, {"encoding": "base64", "maxSupportedTransactionVersion": 1}],
            }
            lines.append({"request": request, "response": await raw(engine, request)})
    report = build_bundle([files.write("session.jsonl.zst", *lines)], files.output)
    agreement = compare_with_history(files.output)

    everything = Compared(equal=report.transactions, total=report.transactions)
    assert report.transactions > 100
    assert (report.slots, report.accounts_known_late) == (len(slots), 0)
    assert agreement.outcomes == agreement.fees == agreement.compute_units == everything
    assert agreement.logs == agreement.balances == everything
    assert agreement.moved_in.exact == agreement.moved_in.total > 0
    assert agreement.moved_out.exact == agreement.moved_out.total > 0


# The forms that are read


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("exchange.jsonl", [exchange("getBlock", [FIRST_SLOT], BLOCK)]),
        (
            "batch.json",
            [
                {
                    "request": [{"id": 5, "method": "getBlock", "params": [FIRST_SLOT]}],
                    "response": [{"id": 5, "result": BLOCK}],
                }
            ],
        ),
        ("wrapped.json", [{"slot": FIRST_SLOT, "block": BLOCK}]),
        ("beside.json.gz", [{"slot": FIRST_SLOT} | BLOCK]),
        (f"{FIRST_SLOT}.json", [BLOCK]),
        (f"{FIRST_SLOT}.answer.json.zst", [{"jsonrpc": "2.0", "id": 1, "result": BLOCK}]),
        ("list.json", [[{"slot": FIRST_SLOT, "block": BLOCK}]]),
    ],
)
def test_a_block_is_read_in_every_form(files: Files, name: str, values: Json) -> None:
    """The slot stands in the request, beside the block, or in the name of the file."""
    build_bundle([files.write(name, *values), files.write("accounts.json", ACCOUNTS)], files.output)

    [slot] = files.slots()
    assert (slot.slot, slot.parent_slot, slot.block_time) == (FIRST_SLOT, FIRST_SLOT - 1, BLOCK_TIME)
    assert (slot.blockhash, [one.wire for one in slot.transactions]) == (blockhash(FIRST_SLOT), [PAYMENT])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("info.jsonl", [exchange("getAccountInfo", [PAYER_ADDRESS], WITH_CONTEXT)]),
        (
            "several.jsonl",
            [exchange("getMultipleAccounts", [[PAYER_ADDRESS]], {"context": {"slot": 7}, "value": [account()]})],
        ),
        (
            "program.jsonl",
            [exchange("getProgramAccounts", [SYSTEM_PROGRAM], [{"pubkey": PAYER_ADDRESS, "account": account()}])],
        ),
        (
            "listed.json",
            [{"result": {"context": {"slot": 7}, "value": [{"pubkey": PAYER_ADDRESS, "account": account()}]}}],
        ),
        ("one.json", [{"pubkey": PAYER_ADDRESS, "account": account()}]),
        (f"{PAYER_ADDRESS}.json", [{"jsonrpc": "2.0", "id": 1, "result": WITH_CONTEXT}]),
        ("map.json", [{PAYER_ADDRESS: account() | {"data": {"data": "", "encoding": "base64"}}}]),
        ("old.json", [{PAYER_ADDRESS: account() | {"data": ""}}]),
    ],
)
def test_an_account_is_read_in_every_form(files: Files, name: str, values: Json) -> None:
    """The address stands in the request, beside the account, or in the name of the file."""
    build_bundle([files.write(name, *values), files.write("blocks.json", {"slot": FIRST_SLOT} | BLOCK)], files.output)

    [found] = files.accounts()
    assert (str(Pubkey.from_bytes(found.address)), found.lamports, found.data) == (PAYER_ADDRESS, LAMPORTS, b"")


def test_a_folder_is_read_in_the_order_of_its_numbers(files: Files) -> None:
    """A pretty-printed file per slot, named after it: slot 9 comes before slot 10; hidden files are passed over."""
    files.write("accounts.json", ACCOUNTS)
    files.write(".DS_Store.json", "no answer of a node")
    for slot in (9, 10, 100):
        (files.sources / f"{slot}.json").write_text(json.dumps({"result": block(pay(slot), slot=slot)}, indent=2))
    report = build_bundle([files.sources], files.output, name="numbers")

    assert [slot.slot for slot in files.slots()] == [9, 10, 100]
    assert (report.start_slot, report.end_slot) == (9, 100)


def test_a_skipped_slot_is_passed_over(files: Files) -> None:
    """A node answers null, or one of three errors, for a slot without a block."""
    refused = {
        "request": {"method": "getBlock", "params": [FIRST_SLOT + 1]},
        "response": {"error": {"code": -32007, "message": "Slot 1001 was skipped"}},
    }
    path = files.write(
        "blocks.jsonl", {"slot": FIRST_SLOT} | BLOCK, refused, exchange("getBlock", [FIRST_SLOT + 2], None)
    )

    assert build_bundle([path], files.output).slots == 1


def test_the_recorded_outcome_is_the_nodes(files: Files) -> None:
    """Error, fee, compute units, logs, balances and tokens are what the node said, an account of a lookup table included."""
    mint, holder, loaded = (str(Pubkey.from_bytes(bytes([n]) * 32)) for n in (5, 6, 7))
    amount = {"mint": mint, "owner": holder, "uiTokenAmount": {"amount": "9", "decimals": 0, "uiAmountString": "9"}}
    value = block(PAYMENT)
    value["transactions"][0]["meta"] = {
        "err": {"InstructionError": [0, {"Custom": 1}]},
        "fee": 5_000,
        "preBalances": [1, 2, 3],
        "postBalances": [1, 1, 3],
        "logMessages": ["one"],
        "computeUnitsConsumed": 150,
        "preTokenBalances": [],
        "postTokenBalances": [{"accountIndex": 3} | amount],
        "loadedAddresses": {"writable": [loaded], "readonly": []},
    }
    build_bundle([files.write("blocks.json", {"slot": FIRST_SLOT} | value)], files.output)
    recorded = files.slots()[0].transactions[0].recorded

    assert recorded is not None
    assert recorded.token_balances is not None
    assert (recorded.is_success, recorded.error) == (False, '{"InstructionError":[0,{"Custom":1}]}')
    assert (recorded.fee, recorded.compute_units, recorded.logs) == (5_000, 150, ("one",))
    assert recorded.post_balances == (1, 1, 3)
    [balance] = recorded.token_balances
    assert (str(Pubkey.from_bytes(balance.address)), balance.pre_amount, balance.post_amount) == (loaded, 0, 9)


# What is known, and what is not


def test_unknown_accounts_are_counted_and_named(files: Files) -> None:
    """An account that no file has is unknown; one that a node said does not exist, and what the runtime brings, are not."""
    sources = [
        files.write("accounts.json", ACCOUNTS),
        files.write("blocks.json", {"slot": FIRST_SLOT} | block(PAYMENT, MEMO, FROM_POOR)),
    ]
    report = build_bundle(sources, files.output)
    with open_bundle(files.output) as bundle:
        header = bundle.header

    assert (report.transactions, report.unknown_accounts, report.unknown_examples) == (3, 1, (str(POOR.pubkey()),))
    assert set(header.builtins) == {bytes(32), bytes(MEMO_PROGRAM)}
    assert "1 accounts that transactions touch are not known" in header.origin


def test_transactions_on_unknown_accounts_can_be_left_out(files: Files) -> None:
    """With `known_only` the bundle has just what can be replayed from what is known."""
    sources = [
        files.write("accounts.json", ACCOUNTS),
        files.write("blocks.json", {"slot": FIRST_SLOT} | block(PAYMENT, FROM_POOR)),
    ]
    report = build_bundle(sources, files.output, known_only=True)

    assert (report.transactions, report.transactions_left_out, report.unknown_accounts) == (1, 1, 0)
    assert [one.wire for one in files.slots()[0].transactions] == [PAYMENT]


def test_accounts_that_are_too_new_are_counted(files: Files) -> None:
    """A node gives accounts as they are now: those of the first slot or later are counted and said."""
    late = {"context": {"slot": FIRST_SLOT}, "value": account()}
    early = {"context": {"slot": FIRST_SLOT - 1}, "value": account()}
    sources = [
        files.write(f"{PAYER_ADDRESS}.json", late),
        files.write(f"{PAYEE_ADDRESS}.json", early),
        files.write("blocks.json", {"slot": FIRST_SLOT} | BLOCK),
    ]
    assert build_bundle(sources, files.output).accounts_known_late == 1


def test_the_last_state_of_an_account_counts(files: Files) -> None:
    """Later files mend earlier ones."""
    sources = [
        files.write("a.json", {PAYER_ADDRESS: account(1)}),
        files.write("b.json", {PAYER_ADDRESS: account(2)}),
        files.write("blocks.json", {"slot": FIRST_SLOT} | BLOCK),
    ]
    build_bundle(sources, files.output)
    assert [one.lamports for one in files.accounts()] == [2]


def test_a_programs_code_comes_before_it(files: Files) -> None:
    """The runtime loads a program when it is set, so its data comes first; without it the build is refused."""
    program, code = (str(Pubkey.from_bytes(bytes([n]) * 32)) for n in (1, 2))
    accounts = {
        program: account(owner=UPGRADEABLE_LOADER, data=bytes((2, 0, 0, 0)) + bytes([2]) * 32),
        code: account(owner=UPGRADEABLE_LOADER, data=bytes((3, 0, 0, 0)) + bytes(41)),
    }
    blocks = files.write("blocks.json", {"slot": FIRST_SLOT} | BLOCK)
    build_bundle([files.write("accounts.json", accounts), blocks], files.output)
    order = [str(Pubkey.from_bytes(one.address)) for one in files.accounts()]

    assert order == [code, program]
    del accounts[code]
    with pytest.raises(InputError, match=f"the program {program} has its code in {code}, which is not among"):
        build_bundle([files.write("accounts.json", accounts), blocks], files.output)


def test_tokens_of_the_mint_are_as_given(files: Files) -> None:
    """Data comes through byte for byte, also compressed."""
    mint = Pubkey.from_bytes(bytes([9]) * 32)
    data = bytes(TokenAccount(mint, mint, 5, None, TokenAccountState.Initialized, None, 0, None))
    compressed = account() | {"data": [b64encode(zstandard.compress(data)).decode(), "base64+zstd"]}
    accounts = {str(mint): account(data=bytes(Mint(None, 5, 0, True, None))), PAYER_ADDRESS: compressed}
    sources = [files.write("accounts.json", accounts), files.write("blocks.json", {"slot": FIRST_SLOT} | BLOCK)]
    build_bundle(sources, files.output)

    assert [one.data for one in files.accounts()] == [bytes(Mint(None, 5, 0, True, None)), data]


def test_votes_can_be_left_out(files: Files) -> None:
    """A vote is a transaction that calls the vote program."""
    program = Pubkey.from_string("Vote111111111111111111111111111111111111111")
    message = Message.new_with_blockhash([Instruction(program, b"", [])], PAYER.pubkey(), Hash.default())
    vote = bytes(VersionedTransaction(message, [PAYER]))
    path = files.write("blocks.json", {"slot": FIRST_SLOT} | block(vote, PAYMENT))

    assert build_bundle([path], files.output).transactions == 2
    report = build_bundle([path], files.output, without_votes=True)
    assert (report.transactions, report.votes_left_out) == (1, 1)
