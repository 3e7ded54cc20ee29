"""What a 0.28 session reports of its own accord: scheduled actions, diagnostic probes and replaced transactions.

They come by subscriptions without an address and are few, so they are read whole, by the codec. Source: `actionSubscribe`,
`diagnosticSubscribe` and `replacementSubscribe` of simulator-client 0.28.0.
"""

from __future__ import annotations

from typing import cast, final

import attrs
import msgspec

from .action_results import ActionResult, DiagnosticResult
from .codec import read_value
from .notification_parts import result_of
from .replacements import ReplacementNotification

__all__ = ["REPORT_METHODS", "ActionReport", "DiagnosticReport", "ReplacementReport", "Report", "read_report"]


@attrs.frozen(kw_only=True)
class _Report:
    raw: bytes = attrs.field(repr=False)
    """The whole message as JSON."""
    subscription_id: int
    """The server's number for the subscription, on the current connection."""
    label: str | None = None
    """The label of the subscription that it came by."""

    @property
    def result_bytes(self) -> bytes:
        """The raw JSON of `params.result`: what does not depend on the connection that it came by."""
        return result_of(self.raw)


@final
@attrs.frozen(kw_only=True)
class ActionReport(_Report):
    """`actionNotification`: a scheduled action was carried out at its anchor."""

    result: ActionResult

    @property
    def slot(self) -> int:
        """The slot in which it was carried out."""
        return self.result.context.slot


@final
@attrs.frozen(kw_only=True)
class DiagnosticReport(_Report):
    """`diagnosticNotification`: what the router answered to a probe."""

    result: DiagnosticResult

    @property
    def slot(self) -> int:
        """The slot at which it was asked."""
        return self.result.context.slot


@final
@attrs.frozen(kw_only=True)
class ReplacementReport(_Report):
    """`replacementNotification`: what became of a transaction that was routed anew."""

    result: ReplacementNotification

    @property
    def slot(self) -> int:
        """The slot of the transaction."""
        return self.result.context.slot


Report = ActionReport | DiagnosticReport | ReplacementReport

REPORT_METHODS = frozenset({"actionNotification", "diagnosticNotification", "replacementNotification"})


class _Params(msgspec.Struct, frozen=True):
    subscription: int
    result: msgspec.Raw


class _Message(msgspec.Struct, frozen=True):
    method: str
    params: _Params


_MESSAGE = msgspec.json.Decoder(_Message)


def read_report(payload: bytes, label: str | None) -> Report:
    """Read a notification whose method is one of `REPORT_METHODS`.

    Raises:
        RemoteProtocolError: Its result is not what its method calls for.
        msgspec.ValidationError: It has no subscription or no result.
    """
    message = _MESSAGE.decode(payload)
    number, result = message.params.subscription, bytes(message.params.result)
    match message.method:
        case "actionNotification":
            action = cast("ActionResult", read_value(ActionResult, result))
            return ActionReport(raw=payload, label=label, subscription_id=number, result=action)
        case "diagnosticNotification":
            answer = cast("DiagnosticResult", read_value(DiagnosticResult, result))
            return DiagnosticReport(raw=payload, label=label, subscription_id=number, result=answer)
        case _:
            replaced = cast("ReplacementNotification", read_value(ReplacementNotification, result))
            return ReplacementReport(raw=payload, label=label, subscription_id=number, result=replaced)
