"""What a 0.28 session says of its scheduled actions and probes: the results of `actionSubscribe` and `diagnosticSubscribe`.

They arrive inside of the notifications of `reports`.
"""

from __future__ import annotations

from typing import Annotated

import attrs

from .accounts import EncodedBinary
from .replacements import ReplacementContext
from .schema import OMIT_DEFAULT, U32, U64, Named, RawText, WireValue

__all__ = ["ActionResult", "ActionTransactionOutcome", "DiagnosticResult"]


@attrs.frozen(kw_only=True)
class ActionTransactionOutcome(WireValue):
    """What became of one transaction of an action."""

    error: Annotated[str | None, OMIT_DEFAULT, Named("err")] = None
    """Not given: it succeeded."""
    logs: tuple[str, ...] = ()
    units_consumed: U64
    """Compute units."""
    fee: Annotated[U64 | None, OMIT_DEFAULT] = None
    """In lamports."""
    return_data: Annotated[RawText | None, OMIT_DEFAULT] = None
    """What the program returned, as JSON text."""


@attrs.frozen(kw_only=True)
class ActionResult(WireValue):
    """`actionNotification`: an action was carried out at its anchor."""

    context: ReplacementContext
    slot: U64
    batch_index: Annotated[U32 | None, OMIT_DEFAULT] = None
    tx_index: Annotated[U32 | None, OMIT_DEFAULT] = None
    action_index: U32
    """Its place in the session parameters' `actions`."""
    label: Annotated[str | None, OMIT_DEFAULT] = None
    committed: bool
    """Whether its effects were kept."""
    transaction_outcomes: tuple[ActionTransactionOutcome, ...] = ()
    accounts: tuple[RawText | None, ...] = ()
    """The return accounts afterwards, each as JSON text, in the order asked for; None where there is none."""
    matched: Annotated[EncodedBinary | None, OMIT_DEFAULT] = None
    """The transaction that the anchor's filter matched."""


@attrs.frozen(kw_only=True)
class DiagnosticResult(WireValue):
    """`diagnosticNotification`: what the router answered to one probe of one market at one value."""

    context: ReplacementContext
    slot: U64
    probe_index: U32
    """Its place in the session parameters' `diagnosticProbes`."""
    label: str | None = None
    market: str
    usd_value: U32
    """In whole dollars."""
    router_slot: U64 | None = None
    """How far the router had come."""
    results: RawText | None = None
    """As JSON text."""
    account_hashes: tuple[str, ...] = ()
    error: Annotated[str | None, Named("err")] = None
