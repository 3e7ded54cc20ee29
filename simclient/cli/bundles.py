"""`simclient bundle …`: files of blocks for the embedded simulator; what a server records is in `server_bundles`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App

from ..errors import InputError
from .options import REPEATABLE
from .server_bundles import add_server_commands
from .terminal import clean, result_console

if TYPE_CHECKING:
    from ..local.agreement import Compared, Movements
    from ..local.recorded.index import RecordedSession

__all__ = ["bundle"]

_ERRORS_SHOWN = 10
_URL_VARIABLE = "SOLANA_RPC_URL"

bundle = App(
    name="bundle",
    help="Make and look at bundles, files of blocks for the embedded simulator; have a server record some.",
)
add_server_commands(bundle)


@bundle.command
def build(
    sources: tuple[Path, ...],
    /,
    *,
    output: Path,
    name: str = "",
    without_votes: bool = False,
    known_only: bool = False,
    mentions: Annotated[tuple[str, ...], REPEATABLE] = (),
) -> int:
    """Make a bundle from blocks and accounts that Solana RPC nodes gave as JSON.

    $ simclient bundle build blocks/ accounts.jsonl.gz --output range.bundle
    $ simclient bundle build blocks/ accounts.jsonl.gz --without-votes --known-only --output range.bundle

    Args:
        sources: Files of JSON, or folders of them; which forms they may have is in the documentation, under "bundle format".
        output: The bundle file to write.
        name: A short name for it; by default that of the output.
        without_votes: Leave out the validators' votes.
        known_only: Leave out the transactions that touch an account whose state is not known.
        mentions: Take only transactions that mention this address, repeatable.

    Raises:
        InputError: A file cannot be read, or the bundle cannot be written.
    """
    from ..local.nodes import build_bundle

    report = build_bundle(
        sources, output, name=name, without_votes=without_votes, known_only=known_only, mentions=mentions
    )
    others = f", {report.others_left_out:,} transactions that mention nothing wanted" if mentions else ""
    lines = [
        f"built from {report.slots:,} blocks: {report.transactions:,} transactions on {report.accounts:,} accounts",
        (
            f"left out: {report.votes_left_out:,} votes{others},"
            f" {report.transactions_left_out:,} transactions that touch unknown accounts"
        ),
    ]
    if report.accounts_known_late:
        lines.append(f"{report.accounts_known_late:,} accounts are as they were after the first slot or later")
    if report.unknown_accounts:
        some = ", ".join(report.unknown_examples)
        lines.append(
            f"not known, and empty at first: {report.unknown_accounts:,} accounts that transactions touch, such as {some}"
        )
    _print(lines)
    return info(output)


@bundle.command
async def capture(
    folder: Path,
    /,
    *,
    slots: int,
    start_slot: int | None = None,
    account: Annotated[tuple[str, ...], REPEATABLE] = (),
    program: Annotated[tuple[str, ...], REPEATABLE] = (),
    mentions: Annotated[tuple[str, ...], REPEATABLE] = (),
    rpc_url: str | None = None,
) -> int:
    """Ask a live Solana RPC node for accounts and blocks, and keep its answers in a folder that `bundle build` reads.

    $ simclient bundle capture node/ --program PROGRAM --slots 50
    $ simclient bundle build node/ --without-votes --mentions PROGRAM --output range.bundle

    The accounts named are asked for first, and then the blocks that follow; what else the transactions touch is asked for last. Begun
    again with the same folder it goes on where it was.

    Args:
        folder: Where to keep the answers.
        slots: How many slots.
        start_slot: The first one, of blocks that the node still has; by default the one after that which the accounts are of.
        account: An account to ask for before the blocks, repeatable.
        program: A program to ask for before the blocks, with all accounts that it owns, repeatable.
        mentions: Ask for further accounts only of transactions that mention this address, repeatable; by default of all but votes.
        rpc_url: The node's URL. It often holds a key, so it is better given in the environment variable SOLANA_RPC_URL.

    Raises:
        InputError: An argument cannot be used, the node refuses, or the folder cannot be written.
        ConnectionLost: The node could not be asked.
    """
    from ..local.nodes import capture_range

    url = rpc_url or os.environ.get(_URL_VARIABLE)
    if not url:
        raise InputError(f"no node to ask: set {_URL_VARIABLE} to its URL, or give --rpc-url")

    report = await capture_range(
        url,
        folder,
        slots=slots,
        start_slot=start_slot,
        accounts=account,
        programs=program,
        mentions=mentions,
        say=lambda line: _print([line]),
    )
    _print(
        [
            (
                f"captured slots {report.start_slot} to {report.end_slot}: {report.blocks:,} blocks,"
                f" {report.accounts:,} accounts before them and {report.late_accounts:,} after them; {report.requests:,} requests"
            )
        ]
    )
    return 0


@bundle.command
def check(file: Path, /) -> int:
    """Execute a whole bundle, and say how far that agrees with what was recorded.

    $ simclient bundle check day.bundle

    Args:
        file: The bundle file.

    Raises:
        BundleError: It cannot be read or executed; the message names the place.
    """
    from ..local.agreement import compare_with_history

    found = compare_with_history(file)
    _print(
        [
            (
                f"executed {found.transactions:,} transactions in {found.slots:,} blocks,"
                f" {found.not_executed:,} of which the runtime refused before their first instruction"
            ),
            _compared("outcome (succeeded or failed)", found.outcomes),
            _compared("fee", found.fees),
            _compared("compute units", found.compute_units),
            _compared("log lines", found.logs),
            _compared("lamports of all accounts", found.balances),
            _moved("tokens moved into an account", found.moved_in),
            _moved("tokens moved out of an account", found.moved_out),
            *(f"error: {count:,} x {error}" for error, count in found.errors[:_ERRORS_SHOWN]),
        ]
    )
    return 0


@bundle.command(name="import")
def import_(*, whirlpool: tuple[Path, Path, Path], output: Path, slot_limit: int | None = None) -> int:
    """Make a bundle from the public archive of a real AMM, Orca Whirlpool.

    $ simclient bundle import --whirlpool state.json.gz transactions.jsonl.gz program.so.gz --output day.bundle

    Args:
        whirlpool: The archive's three files of a day: STATE TRANSACTIONS PROGRAM. With the STATE of the day before the replay is exact.
        output: The bundle file to write.
        slot_limit: Take only so many blocks from the beginning of the day.

    Raises:
        InputError: A file cannot be read, or the bundle cannot be written.
    """
    from ..local.whirlpool import import_whirlpool

    if slot_limit is not None and slot_limit < 1:
        raise InputError(f"--slot-limit {slot_limit}: 1 is the least")

    report = import_whirlpool(*whirlpool, output, slot_limit=slot_limit)
    _print(
        [
            (
                f"imported {report.swaps:,} swaps ({report.swaps_in_unknown_pools:,} in pools that the state does not have)"
                f" and {report.liquidity_instructions:,} other instructions in {report.transactions:,} transactions;"
                f" left out {report.transactions_left_out:,} transactions of which nothing can be rebuilt"
            )
        ]
    )
    return info(output)


@bundle.command
def info(file: Path, /) -> int:
    """Read a whole bundle or recording, which checks it, and say what is in it.

    $ simclient bundle info day.bundle
    $ simclient bundle info paid.recording

    Args:
        file: The bundle, or the recording, or the folder of recordings that a parallel run has left.

    Raises:
        BundleError: It cannot be read, or is damaged; the message names the place. A recording that was cut is read up to there.
    """
    from ..local.bundle import open_bundle
    from ..local.recorded.index import is_recording, read_recording
    from ..local.server.bundles import recordings_at

    if file.is_dir() or is_recording(file):
        for number, path in enumerate(recordings_at(file)):
            recorded = read_recording(path)
            recorded.close()
            _print([*([""] if number else []), *_recording_lines(recorded)])
        return 0

    with open_bundle(file) as reader:
        header = reader.header
        accounts = sum(1 for _ in reader.accounts())
        slots = transactions = 0
        for slot in reader.slots():
            slots += 1
            transactions += len(slot.transactions)

    _print(
        f"{name}: {value}"
        for name, value in (
            ("name", header.name),
            ("slots", f"{header.start_slot} to {header.end_slot}, {slots:,} of them with a block"),
            ("transactions", f"{transactions:,}"),
            ("accounts", f"{accounts:,}"),
            ("made by", header.created_by),
            ("origin", header.origin),
        )
    )
    return 0


def _recording_lines(recorded: RecordedSession) -> Iterable[str]:
    header = recorded.header
    slots = recorded.slots
    got = f", {len(slots):,} of them there, the last {slots[-1].slot}" if slots else ", none of them there"
    yield f"recording of: {header.url or 'an unnamed server'}, {header.started_utc}"
    yield f"slots: {header.start_slot} to {header.end_slot}{got}"
    yield f"events: {recorded.notification_count:,} notifications, {recorded.event_count:,} of the control plane"
    for key in header.keys:
        yield f"subscription: {key.method} {key.address}{' (program)' if key.is_program else ''}"
    for name, value in header.origin.items():
        yield f"origin, {name}: {value}"
    yield f"made by: {header.created_by}"
    yield f"ended: {recorded.status}" if recorded.damage is None else f"cut or damaged: {recorded.damage}"


def _compared(what: str, compared: Compared) -> str:
    if not compared.total:
        return f"{what}: nothing recorded"

    return f"{what}: the same in {compared.equal:,} of {compared.total:,} ({_percent(compared.equal, compared.total)})"


def _moved(what: str, moved: Movements) -> str:
    if not moved.total:
        return f"{what}: nothing recorded"

    parts = (
        (moved.exact, "exactly"),
        (moved.within_a_thousandth, "within 0.1 %"),
        (moved.within_a_hundredth, "within 1 %"),
        (moved.within_a_tenth, "within 10 %"),
        (moved.farther, "farther off"),
        (moved.missing, "not moved at all"),
    )
    counts = ", ".join(f"{count:,} {how} ({_percent(count, moved.total)})" for count, how in parts)
    return f"{what}: of {moved.total:,} amounts {counts}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _print(lines: Iterable[str]) -> None:
    """Print lines; what comes from a file may hold control characters."""
    console = result_console()
    for line in lines:
        console.print(clean(line), soft_wrap=True)
