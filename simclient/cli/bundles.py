"""`simclient bundle …`: files of blocks for the embedded simulator."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from ..errors import InputError
from .terminal import clean, result_console

__all__ = ["bundle"]

bundle = App(name="bundle", help="Make and look at bundles: files of blocks for the embedded simulator.")


@bundle.command(name="import")
def import_(*, whirlpool: tuple[Path, Path, Path], output: Path, slot_limit: int | None = None) -> int:
    """Make a bundle from the public archive of a real AMM, Orca Whirlpool.

    $ simclient bundle import --whirlpool state.json.gz transactions.jsonl.gz program.so.gz --output day.bundle

    Args:
        whirlpool: The archive's three files of a day: STATE TRANSACTIONS PROGRAM.
        output: The bundle file to write.
        slot_limit: Take only so many blocks from the beginning of the day.

    Raises:
        InputError: A file cannot be read, or the bundle cannot be written.
    """
    from ..local.whirlpool import import_whirlpool

    if slot_limit is not None and slot_limit < 1:
        raise InputError(f"--slot-limit {slot_limit}: 1 is the least")

    report = import_whirlpool(*whirlpool, output, slot_limit=slot_limit)
    result_console().print(
        f"imported {report.swaps:,} swaps in {report.transactions:,} transactions"
        f" ({report.swaps_in_unknown_pools:,} in pools that the state does not have);"
        f" left out {report.transactions_left_out:,} transactions without a swap",
        soft_wrap=True,
    )
    return info(output)


@bundle.command
def info(file: Path, /) -> int:
    """Read a whole bundle, which checks it, and say what is in it.

    $ simclient bundle info day.bundle

    Args:
        file: The bundle file.

    Raises:
        BundleError: It cannot be read, or is damaged; the message names the place.
    """
    from ..local.bundle import open_bundle

    with open_bundle(file) as reader:
        header = reader.header
        accounts = sum(1 for _ in reader.accounts())
        slots = transactions = 0
        for slot in reader.slots():
            slots += 1
            transactions += len(slot.transactions)

    console = result_console()
    for name, value in (
        ("name", header.name),
        ("slots", f"{header.start_slot} to {header.end_slot}, {slots:,} of them with a block"),
        ("transactions", f"{transactions:,}"),
        ("accounts", f"{accounts:,}"),
        ("made by", header.created_by),
        ("origin", header.origin),
    ):
        console.print(f"{name}: {clean(value)}", soft_wrap=True)
    return 0
