"""How the change of an account looks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import final

from ..errors import RemoteProtocolError
from ..research.balances import state_of
from ..research.idl import Decoded, Idl
from ..research.idl.borsh import Value
from ..research.records import AccountDiffRecord, TransactionRecord
from ..research.token_accounts import token_holding
from ..wire.instructions import Instruction
from ..wire.notifications import AccountDiff, AccountState, ExecutedTransaction
from .idl_output import DecodedTransaction
from .watching import Printer

__all__ = ["DiffPrinter"]


@final
class DiffPrinter:
    """Prints changes of accounts, with what the IDLs say of them."""

    def __init__(self, idls: Sequence[Idl], *, is_json: bool) -> None:
        self._printer = Printer(is_json=is_json)
        self._idls = idls

    def show(self, event: object) -> None:
        """Print an event of a session, if it is a change, or a transaction that the IDLs say something of."""
        match event:
            case AccountDiff():
                self._show(event.slot, event.signature, event.account or "", event.pre, event.post)
            case ExecutedTransaction():
                self._show_transaction(event.slot, event.signature, event.instructions, event.logs)
            case _:
                pass

    def show_record(self, event: object, accounts: Sequence[str] = ()) -> None:
        """Print a line of a file, if it is a change, or a transaction that the IDLs say something of.

        Args:
            event: The line.
            accounts: Only what is about these; by default about any.
        """
        match event:
            case AccountDiffRecord() if not accounts or event.account in accounts:
                signature = event.signature or (None if set(event.tx_hash) <= {"1"} else event.tx_hash)
                self._show(event.slot, signature, event.account, state_of(event.pre_state), state_of(event.post_state))
            case TransactionRecord():
                instructions = event.instructions or ()
                if not accounts or any(account in one.accounts for one in instructions for account in accounts):
                    self._show_transaction(event.slot, event.signature, instructions, event.logs)
            case _:
                pass

    def _show_transaction(
        self, slot: int, signature: str | None, instructions: Sequence[Instruction], logs: Sequence[str]
    ) -> None:
        """Print what the programs were told and what they told, which says why accounts changed."""
        decoded = DecodedTransaction(self._idls, instructions, logs)
        if not decoded.is_empty:
            as_json = {"slot": slot, "signature": signature, **decoded.as_json()}
            self._printer.show(as_json, [f"slot {slot}  {signature or 'no signature'}", *decoded.lines()])

    def _show(
        self, slot: int, signature: str | None, account: str, pre: AccountState | None, post: AccountState | None
    ) -> None:
        before, after = self._read(pre), self._read(post)
        as_json: dict[str, object] = {"slot": slot, "signature": signature, "account": account}
        as_json |= {"pre": before, "post": after}
        title = f"slot {slot}  {account}  {signature or 'outside of transactions'}"
        changes = [f"{path}: {old} -> {new}" for path, old, new in _changes(before, after)]
        self._printer.show(as_json, [title, *changes])

    def _read(self, state: AccountState | None) -> dict[str, Value] | None:
        """Return what a state says; None: there is no account."""
        if state is None:
            return None

        found: dict[str, Value] = {"lamports": state.lamports, "owner": state.owner}
        holding = token_holding(state)
        if holding is not None:
            return found | {"mint": holding.mint, "wallet": holding.owner, "amount": holding.amount}

        decoded = self._decoded(state)
        if decoded is not None:
            return found | {decoded.name: decoded.fields}
        return found | {"data": _data_text(state)}

    def _decoded(self, state: AccountState) -> Decoded | None:
        """Return what an IDL says of an account that its program owns."""
        data = _data(state)
        for idl in self._idls if data else ():
            if idl.address in (None, state.owner):
                decoded = idl.account(data)
                if decoded is not None:
                    return decoded
        return None


def _data(state: AccountState) -> bytes:
    try:
        return state.data or b""
    except RemoteProtocolError:
        return b""


def _data_text(state: AccountState) -> str | None:
    try:
        return state.data_base64
    except RemoteProtocolError:
        return None


def _changes(before: Value, after: Value, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield where two states differ, by the names of their fields."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _changes(before.get(name), after.get(name), f"{path}.{name}" if path else name)
        return
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(old, new, f"{path}[{index}]")
        return

    yield path or "account", _text(before), _text(after)


def _text(value: Value) -> str:
    """Return a value on one line; long data are cut."""
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
