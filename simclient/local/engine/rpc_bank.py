"""What every RPC method shares: the state, the context of answers, and the two options that all of them take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, final

from solders.transaction import VersionedTransaction

from .ledger import Ledger
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
