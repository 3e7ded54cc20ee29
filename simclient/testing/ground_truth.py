"""Numbered ground truth: notifications that carry their number, and what became of them.

The server's script sends what `numbered_diffs` made; whatever the faults in between, the test compares what arrived. A control run with
the client's de-duplication off must show duplicates: otherwise the faults prove nothing.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, final

import attrs

from ..wire.program_address import SYSTEM_PROGRAM

__all__ = ["GroundTruth", "Numbered", "Verdict", "account_diff", "numbered_diffs"]


class Numbered(Protocol):
    """What a received notification must have to be compared; `AccountDiff` has it."""

    @property
    def slot(self) -> int:
        """Its slot."""
        ...

    @property
    def signature(self) -> str | None:
        """The text that holds its number."""
        ...


@attrs.frozen(kw_only=True)
class Verdict:
    """What became of the notifications; all zero, and nothing else, is right."""

    lost: int = 0
    """Sent, and never received."""
    duplicated: int = 0
    """Received more often than sent."""
    reordered: int = 0
    """Received after one with a higher number."""
    invented: int = 0
    """Received, but never sent, or with another slot."""


@attrs.frozen(kw_only=True)
class NumberedDiff:
    """One notification that the server is to send."""

    slot: int
    signature: str
    result: bytes = attrs.field(repr=False)
    """The `params.result`, JSON."""


@final
@attrs.frozen
class GroundTruth:
    """Everything that happened on one key, in order."""

    diffs: tuple[NumberedDiff, ...]

    @property
    def results(self) -> tuple[bytes, ...]:
        """What to pass to `DataPeer.notify`."""
        return tuple(diff.result for diff in self.diffs)

    def results_from(self, slot: int | None) -> tuple[bytes, ...]:
        """Return the results from `slot` on, inclusive, as a replay gives them; None: all."""
        return tuple(diff.result for diff in self.diffs if slot is None or diff.slot >= slot)

    def compare(self, received: Iterable[Numbered]) -> Verdict:
        """Tell what became of them; for several keys, one ground truth and one comparison each."""
        got = list(received)
        slots = {diff.signature: diff.slot for diff in self.diffs}
        sent = Counter(diff.signature for diff in self.diffs)
        known = [event.signature for event in got if event.signature and slots.get(event.signature) == event.slot]
        arrived = Counter(known)
        return Verdict(
            lost=sum((sent - arrived).values()),
            duplicated=sum((arrived - sent).values()),
            reordered=_reordered(known, list(sent)),
            invented=len(got) - len(known),
        )


def numbered_diffs(
    count: int,
    *,
    slots: Sequence[int],
    name: str = "diff",
    account: str = SYSTEM_PROGRAM,
    payload_bytes: int = 0,
    copies: int = 1,
) -> GroundTruth:
    """Make account diffs with numbers from 0 on, spread evenly over slots.

    Args:
        count: How many.
        slots: In ascending order.
        name: The number follows it in the signature; give each key a name of its own.
        account: The account that was written, base58.
        payload_bytes: The size of the account's data.
        copies: How often each really happened: equal bytes that are not duplicates.
    """
    diffs: list[NumberedDiff] = []
    for number in range(count):
        slot = slots[number * len(slots) // count]
        signature = f"{name}-{number:017d}"
        result = account_diff(slot, signature=signature, account=account, data=bytes(payload_bytes))
        diffs += [NumberedDiff(slot=slot, signature=signature, result=result)] * copies

    return GroundTruth(tuple(diffs))


def account_diff(
    slot: int, *, signature: str | None = None, account: str = SYSTEM_PROGRAM, lamports: int = 1, data: bytes = b""
) -> bytes:
    """Return the `params.result` of one account diff: from nothing to an account of the system program."""
    post = {
        "lamports": lamports,
        "data": [base64.b64encode(data).decode(), "base64"],
        "owner": SYSTEM_PROGRAM,
        "executable": False,
        "rentEpoch": 0,
        "space": len(data),
    }
    diff: dict[str, object] = {"context": {"slot": slot}, "account": account, "pre": None, "post": post}
    if signature is not None:
        diff["signature"] = signature

    return json.dumps(diff, separators=(",", ":")).encode()


def _reordered(arrived: Sequence[str], in_order: Sequence[str]) -> int:
    """Count those whose first arrival came after that of a later one."""
    number = {signature: place for place, signature in enumerate(in_order)}
    newest = -1
    late = 0
    for signature in dict.fromkeys(arrived):
        late += number[signature] < newest
        newest = max(newest, number[signature])

    return late
