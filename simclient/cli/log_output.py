"""How the logs of a transaction look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ..research.idl import Idl
from ..research.records import LogsRecord, TransactionRecord
from ..wire.instructions import Instruction
from ..wire.notifications import ExecutedTransaction, TransactionLogs
from ..wire.transaction_errors import describe_transaction_error
from .idl_output import DecodedTransaction
from .watching import Printer

__all__ = ["LogPrinter"]


@final
class LogPrinter:
    """Prints logs, with what the IDLs say of them."""

    def __init__(self, idls: Sequence[Idl], *, is_json: bool, only_failed: bool) -> None:
        self._printer = Printer(is_json=is_json)
        self._idls = idls
        self._only_failed = only_failed

    def show(self, event: object) -> None:
        """Print the logs of an event of a session, if it has some."""
        if not isinstance(event, (TransactionLogs, ExecutedTransaction)):
            return

        error = describe_transaction_error(event.error)
        instructions = event.instructions if self._idls and isinstance(event, ExecutedTransaction) else ()
        self._show(event.slot, event.signature, event.logs, error, instructions, is_success=event.is_success)

    def show_record(self, event: object) -> None:
        """Print the logs of a line of a file, if it has some."""
        if isinstance(event, (TransactionRecord, LogsRecord)):
            instructions = event.instructions if isinstance(event, TransactionRecord) else None
            self._show(
                event.slot, event.signature, event.logs, event.error, instructions or (), is_success=event.success
            )

    def _show(
        self,
        slot: int,
        signature: str | None,
        logs: Sequence[str],
        error: str | None,
        instructions: Sequence[Instruction],
        *,
        is_success: bool,
    ) -> None:
        if self._only_failed and is_success:
            return

        for idl in self._idls if error is not None else ():
            error = idl.explain(error or "")
        outcome = "ok" if is_success else f"failed: {error or 'unknown error'}"
        as_json: dict[str, object] = {"slot": slot, "signature": signature, "success": is_success, "error": error}
        as_json["logs"] = list(logs)
        decoded = DecodedTransaction(self._idls, instructions, logs)
        if self._idls:
            as_json |= decoded.as_json()
        self._printer.show(as_json, [f"slot {slot}  {signature or 'no signature'}  {outcome}", *logs, *decoded.lines()])
