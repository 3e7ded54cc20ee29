"""Discovery filters: which transactions of a block match, from what was recorded of them.

The programs that a transaction invokes are those of its own instructions and those that its recorded logs name; without logs only the
former are known. Whether it moves tokens is read from its recorded token balances; without them a transaction that invokes a token
program counts as one that does. Source: `DiscoveryFilter::matches`, simulator-api 0.28.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import final

from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from ..bundle import RecordedOutcome
from .accounts import TOKEN_PROGRAMS
from .messages import BatchFilter
from .transactions import keys_of

__all__ = ["Facts"]

_INVOKE = "invoke"
_TOKEN_PROGRAMS = frozenset(map(str, TOKEN_PROGRAMS))


@final
class Facts:
    """What a filter may ask of a transaction; each is found out when it is first asked for."""

    def __init__(
        self,
        transaction: VersionedTransaction,
        recorded: RecordedOutcome | None,
        get_table: Callable[[Pubkey], Account | None],
    ) -> None:
        self._transaction = transaction
        self._recorded = recorded
        self._get_table = get_table

    def match(self, wanted: BatchFilter) -> bool:
        """Tell whether the transaction satisfies a filter."""
        if self.programs.isdisjoint(wanted.programs):
            return False
        if wanted.without_tokens and self.moves_tokens:
            return False

        return not wanted.accounts or not self.written.isdisjoint(wanted.accounts)

    @cached_property
    def programs(self) -> frozenset[str]:
        """The addresses of the programs that it invokes."""
        message = self._transaction.message
        keys = message.account_keys
        own = {keys[i.program_id_index] for i in message.instructions if i.program_id_index < len(keys)}
        logs = () if self._recorded is None else self._recorded.logs or ()
        return frozenset((*map(str, own), *_invoked(logs)))

    @cached_property
    def moves_tokens(self) -> bool:
        """Whether a token balance changed."""
        balances = None if self._recorded is None else self._recorded.token_balances
        if balances is None:
            return not self.programs.isdisjoint(_TOKEN_PROGRAMS)

        return any(balance.pre_amount != balance.post_amount for balance in balances)

    @cached_property
    def written(self) -> frozenset[str]:
        """The addresses that it may write."""
        return frozenset(map(str, keys_of(self._transaction, self._get_table).writable))


def _invoked(logs: Iterable[str]) -> set[str]:
    """Return the programs that logs name: lines such as `Program ADDRESS invoke [2]`."""
    words = (line.split(" ", 3) for line in logs if line.startswith("Program "))
    return {parts[1] for parts in words if len(parts) == 4 and parts[2] == _INVOKE}
