"""What a server says, as the machines receive it."""

from __future__ import annotations

from simclient.wire.failures import BacktestFailure
from simclient.wire.responses import ControlResponse, ErrorEvent, SequencedResponse


def said(response: ControlResponse, seq_id: int | None = None) -> SequencedResponse:
    return SequencedResponse(response=response, seq_id=seq_id)


def error(failure: BacktestFailure, seq_id: int | None = None) -> SequencedResponse:
    return said(ErrorEvent(failure=failure), seq_id)
