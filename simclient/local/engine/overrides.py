"""Accounts that scheduled actions have put in the place of others, for whoever looks at them from outside of the replay.

Later actions that are simulated see them, and so does whoever reads an account by its address; what the chain executes does not. An account
is overridden from a slot on, until a later slot, or a later action at the same slot, says otherwise.

Source: `OverrideSchedule`, simulator-api 0.28.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import final

from solders.account import Account
from solders.pubkey import Pubkey

from .accounts import read_modified
from .messages import Action

__all__ = ["Overrides"]


@final
class Overrides:
    """The overrides of a session, as of the slot that it is at.

    Args:
        actions: Those without transactions are what is overridden without running anything.
    """

    def __init__(self, actions: Iterable[Action] = ()) -> None:
        declared = [
            (slot, index, dict(map(read_modified, action.overrides)))
            for index, action in enumerate(actions)
            if not action.transactions
            for slot in set(action.slots or ())
        ]
        self._declared = sorted(declared, key=lambda one: one[:2], reverse=True)
        """What is still to come, the next one last."""
        self._slot = 0
        self._before: Mapping[Pubkey, Account] = {}
        """As of the slots before."""
        self._at: dict[int, Mapping[Pubkey, Account]] = {}
        """What actions have said at this slot, by their places among the session's."""
        self.active: dict[Pubkey, Account] = {}
        """By address."""

    def move_to(self, slot: int) -> None:
        """Let what was declared for this slot, and for slots without a block before it, take effect."""
        while self._declared and self._declared[-1][0] <= slot:
            self.set(*self._declared.pop())

    def set(self, slot: int, index: int, accounts: Mapping[Pubkey, Account]) -> None:
        """Override accounts from a slot on, as the action at a place says."""
        if slot != self._slot:
            self._slot, self._before, self._at = slot, self.active, {}
        self._at[index] = accounts
        active = dict(self._before)
        for _, said in sorted(self._at.items(), key=lambda item: item[0]):
            active.update(said)
        self.active = active
