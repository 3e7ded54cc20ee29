"""What every RPC method shares: the state, the context of answers, and the two options that all of them take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, final

from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from .accounts import is_absent
from .ledger import Ledger
from .overrides import Overrides
from .rpc_params import INVALID_PARAMS, Json, Options, Params, Refused
from .svm import Machine

__all__ = ["VERSION", "Bank", "Method", "Replayed"]

VERSION: Final = "4.1.0"
"""The Agave release that this LiteSVM is made from."""
_MIN_CONTEXT_SLOT_NOT_REACHED = -32016
_COMMITMENTS = ("processed", "confirmed", "finalized")

Method = Callable[[Params], object]


class Replayed(Protocol):
    """What has a state: the replay of a bundle, or of a recording."""

    machine: Machine
    ledger: Ledger
    overrides: Overrides

    def send(self, transaction: VersionedTransaction) -> None:
        """Let a transaction go into the next block.

        Raises:
            InputError: It cannot.
        """


@final
class Bank:
    """The state after the last executed slot, by Solana's name for it."""

    def __init__(self, replay: Replayed) -> None:
        self.replay = replay
        self.machine = replay.machine
        self.ledger = replay.ledger

    def account(self, address: Pubkey) -> Account | None:
        """Return an account as it is read by its address; None where it does not exist."""
        overridden = self.replay.overrides.active.get(address)
        if overridden is None:
            return self.machine.get_account(address)

        return None if is_absent(overridden) else overridden

    def options(self, params: Params, index: int, *, text_means: str = "") -> Options:
        """Return the configuration at `index`, its commitment and least slot checked.

        There is one state here, so every commitment means the same.

        Raises:
            Refused: The slot asked for was not reached, or the configuration is none.
        """
        options = params.options(index, text_means=text_means)
        options.choice("commitment", _COMMITMENTS, "finalized")
        least = options.number("minContextSlot")
        if least is not None and least > self.machine.slot:
            raise Refused(
                _MIN_CONTEXT_SLOT_NOT_REACHED,
                "Minimum context slot has not been reached",
                {"contextSlot": self.machine.slot},
            )
        return options

    def historic_options(self, params: Params, index: int, *, text_means: str = "") -> Options:
        """Return the configuration of a method that reads the ledger, which Solana does not do for `processed`."""
        options = self.options(params, index, text_means=text_means)
        if options.get("commitment") == "processed":
            raise Refused(INVALID_PARAMS, "Method does not support commitment below `confirmed`")

        return options

    def with_context(self, value: object) -> Json:
        """Return an answer with the slot that it is of."""
        return {"context": {"slot": self.machine.slot, "apiVersion": VERSION}, "value": value}
