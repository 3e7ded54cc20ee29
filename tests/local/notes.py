"""What an engine has said, in the words of those who would receive it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from simclient.local.engine import Kind, Note, Published, SlotResult, wanted_results
from simclient.local.engine.messages import ExecutedSlot


def published(result: SlotResult | ExecutedSlot) -> list[Published]:
    """Return every notification that somebody could have, each once."""
    return [one for note in result.notes for one in _published(note)]


def _published(note: Note) -> Iterator[Published]:
    if isinstance(note, Published):
        yield note
        return

    for change in note.changes:
        [diff] = wanted_results(note, "accountDiff", change.account, of_program=False)
        yield Published("accountDiff", (change.account,), change.owners, diff)
    kinds: tuple[Kind, ...] = ("transaction", "logs")
    for kind in kinds:
        [result] = wanted_results(note, kind, note.mentioned[-1], of_program=False)
        yield Published(kind, note.mentioned, (), result)


def values(result: SlotResult, kind: str) -> list[dict[str, object]]:
    return [msgspec.json.decode(p.result) for p in published(result) if p.kind == kind]


def diffs(result: SlotResult) -> dict[str, tuple[int, int]]:
    """Return what each account held before and after, by address; 0 where it did not exist."""
    found = [msgspec.json.decode(p.result) for p in published(result) if p.kind == "accountDiff"]
    return {d["account"]: (lamports_of(d["pre"]), lamports_of(d["post"])) for d in found}


def lamports_of(state: dict[str, int] | None) -> int:
    return 0 if state is None else state["lamports"]
