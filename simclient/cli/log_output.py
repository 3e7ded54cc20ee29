"""How the logs of a transaction look."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import final

from ..research.idl import Idl
from ..research.records import LogsRecord, TransactionRecord
from ..wire.notifications import TransactionLogs
from ..wire.transaction_errors import describe_transaction_error
from .watching import Printer

__all__ = ["LogPrinter"]


@final
class LogPrinter:
    """Prints logs, with what the IDLs say of them."""

    def __init__(self, idls: Sequence[Idl], *, is_json: bool, only_failed: bool) -> None:
        self._printer = Printer(is_json=is_json)
        self._idls = idls
        self._only_failed = only_failed

    def show(self, logs: TransactionLogs) -> None:
        """Print the logs of a notification."""
        error = describe_transaction_error(logs.error)
        self._show(logs.slot, logs.signature, logs.logs or (), error, is_success=logs.is_success)

    def show_record(self, event: object) -> None:
        """Print the logs of a line of a file, if it has some."""
        if isinstance(event, (TransactionRecord, LogsRecord)):
            self._show(event.slot, event.signature, event.logs, event.error, is_success=event.success)

    def _show(
        self, slot: int, signature: str | None, logs: Sequence[str], error: str | None, *, is_success: bool
    ) -> None:
        if self._only_failed and is_success:
            return

        for idl in self._idls if error is not None else ():
            error = idl.explain(error or "")
        events = [(idl.name, event) for idl in self._idls for event in idl.events_in(logs)]
        outcome = "ok" if is_success else f"failed: {error or 'unknown error'}"
        as_json: dict[str, object] = {"slot": slot, "signature": signature, "success": is_success, "error": error}
        as_json["logs"] = list(logs)
        if self._idls:
            as_json["events"] = [{"program": name, **event.as_json()} for name, event in events]
        details = [*logs, *(f"event {name}.{event.name} {json.dumps(event.fields)}" for name, event in events)]
        self._printer.show(as_json, [f"slot {slot}  {signature or 'no signature'}  {outcome}", *details])
