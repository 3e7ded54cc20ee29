"""`simclient bundle …`: files of blocks for the embedded simulator."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..local.bundle import open_bundle
from ..local.whirlpool import import_whirlpool
from .terminal import clean, result_console

__all__ = ["import_whirlpool_archive", "show_bundle"]


def import_whirlpool_archive(
    state: Path, transactions: Path, program: Path, *, output: Path, slot_limit: int | None
) -> int:
    """Write a bundle from a day of the archive, and say what is in it and what is not.

    Raises:
        InputError: A file cannot be read, or the bundle cannot be written.
    """
    if slot_limit is not None and slot_limit < 1:
        raise InputError(f"--slot-limit {slot_limit}: 1 is the least")

    report = import_whirlpool(state, transactions, program, output, slot_limit=slot_limit)
    result_console().print(
        f"imported {report.swaps:,} swaps in {report.transactions:,} transactions"
        f" ({report.swaps_in_unknown_pools:,} in pools that the state does not have);"
        f" left out {report.transactions_left_out:,} transactions without a swap",
        soft_wrap=True,
    )
    return show_bundle(output)


def show_bundle(path: Path) -> int:
    """Read a whole bundle, which checks it, and say what is in it.

    Raises:
        BundleError: It cannot be read, or is damaged; the message names the place.
    """
    with open_bundle(path) as reader:
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
