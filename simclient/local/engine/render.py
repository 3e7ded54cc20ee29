"""What subscribers receive of a note, as JSON: made when somebody wants it, and not before.

The server does this, which works without solders; only for the JSON of whole transactions it is imported, when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from .facts import AccountState, TransactionLogs, TransactionPlace
from .values import AccountChange, ExecutedNote, Kind, Note, Published

__all__ = ["wanted_results"]

_PLACE: Final = msgspec.msgpack.Decoder(TransactionPlace)
_LOGS: Final = msgspec.msgpack.Decoder(TransactionLogs)
_STATE: Final = msgspec.msgpack.Decoder(AccountState | None)
_ENCODER: Final = msgspec.json.Encoder()


def wanted_results(note: Note, kind: Kind | None, address: str, *, of_program: bool) -> Iterable[bytes]:
    """Return the JSON of `params.result` of each notification of one kind that names an address.

    Args:
        note: What was said.
        kind: Of the notifications; None: of none that there is.
        address: An account, a program, or the empty text for what concerns the session.
        of_program: Whether the address is that of the program which owns the account of a diff.
    """
    match note:
        case Published():
            is_wanted = note.kind == kind and address in (note.programs if of_program else note.keys)
            return (note.result,) if is_wanted else ()
        case ExecutedNote() if kind == "accountDiff":
            wanted = [one for one in note.changes if address in (one.owners if of_program else (one.account,))]
            return _diffs(note, wanted) if wanted else ()
        case ExecutedNote():
            render = _OF_TRANSACTION.get(kind)
            return (render(note),) if render is not None and address in note.mentioned else ()


def _diffs(note: ExecutedNote, changes: Iterable[AccountChange]) -> Iterator[bytes]:
    place = _PLACE.decode(note.facts)
    for change in changes:
        result = {
            "context": {"slot": place.slot},
            "account": change.account,
            "signature": place.signature,
            "tx_index": place.tx_index,
            "block_time": place.block_time,
            "pre": _STATE.decode(change.pre),
            "post": _STATE.decode(change.post),
        }
        yield _ENCODER.encode(result)


def _logs(note: ExecutedNote) -> bytes:
    told = _LOGS.decode(note.facts)
    value = {"signature": told.signature, "err": told.error, "logs": told.logs}
    return _ENCODER.encode({"context": {"slot": told.slot}, "value": value})


def _transaction(note: ExecutedNote) -> bytes:
    from .transaction_json import transaction_result  # brings solders

    return transaction_result(note.facts)


_OF_TRANSACTION: Final[Mapping[Kind | None, Callable[[ExecutedNote], bytes]]] = {
    "logs": _logs,
    "transaction": _transaction,
}
