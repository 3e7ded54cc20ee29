"""Diagnostic probes: what a router would quote at chosen slots. There is no router here, and each probe is answered with that.

Source: `DiagnosticNotification`, simulator-client 0.28.0: `err` says why a probe produced no sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from .messages import Probe
from .values import Published

__all__ = ["answers_of"]

_WHY_NOT = "this simulator has no router to ask"


def answers_of(probes: Sequence[Probe], slot: int) -> Iterator[Published]:
    """Give what is answered after a slot that has a block: one answer for each market at each value."""
    for index, probe in enumerate(probes):
        is_due = slot in probe.slots if probe.slots is not None else not slot % (probe.every_slots or 1)
        if not is_due:
            continue

        for market in probe.markets:
            for value in probe.usd_values:
                yield Published("diagnostic", ("",), (), _answer(slot, index, probe.label, market, value))


def _answer(slot: int, index: int, label: str | None, market: str, usd_value: int) -> bytes:
    answer: dict[str, object] = {
        "context": {"slot": slot},
        "slot": slot,
        "probeIndex": index,
        "label": label,
        "market": market,
        "usdValue": usd_value,
        "accountHashes": [],
        "err": _WHY_NOT,
    }
    return msgspec.json.encode(answer)
