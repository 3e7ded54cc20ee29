"""A stream at full speed and a consumer that sleeps: is memory held by backpressure?

    python -m simclient.testing.soak.flood 2000000

It runs over real sockets, in a process of its own, because it measures the memory of the process.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import trio

from ...session.managed import open_backtest_session
from ...transport.frames import encode_frames
from ...wire.jsonrpc import write_notification
from ...wire.notifications import AccountDiff
from ...wire.program_address import TOKEN_PROGRAM
from ...wire.responses import Completed, ReadyForContinue
from ...wire.subscriptions import AccountDiffs
from ..connection import ScriptFailure
from ..ground_truth import account_diff
from ..peer import ControlPeer, DataPeer
from ..scripted import open_scripted_server

__all__ = ["MOST_GROWTH_BYTES", "Flood", "flood"]

MOST_GROWTH_BYTES = 64 * 2**20
_PER_SLOT = 1000
_FIRST_SLOT = 1_000_000_000
"""Ten digits, so that the bytes of a slot can be replaced."""
_PAYLOAD_BYTES = 300
_STEADY_SECONDS = 0.5
"""The server counts as held when it has got no further for so long."""
_NAPS = 5


@attrs.frozen(kw_only=True)
class Flood:
    """What came of it."""

    received: int
    growth_bytes: int
    """Of the peak of the process's memory, from before the stream began."""
    sent_while_asleep: int
    """How far the server got before it was held."""


async def flood(count: int) -> Flood:
    """Stream `count` notifications, a multiple of 1000, to a consumer that sleeps before the first and now and then later."""
    progress = _Progress(count // _PER_SLOT)
    async with (
        open_scripted_server(control=[_control], data=[progress.send]) as server,
        open_backtest_session(
            server.url,
            start_slot=1,
            end_slot=2**40,
            subscriptions=[AccountDiffs(program=TOKEN_PROGRAM)],
            compress=False,
        ) as session,
    ):
        before = _peak_bytes()
        held_at = await progress.wait_until_held()
        received = 0
        async for event in session:
            received += isinstance(event, AccountDiff)
            if received % max(1, count // _NAPS) == 1:
                await trio.sleep(_STEADY_SECONDS)
    return Flood(received=received, growth_bytes=_peak_bytes() - before, sent_while_asleep=held_at * _PER_SLOT)


async def _control(peer: ControlPeer) -> None:
    await peer.accept_create()
    await peer.send(ReadyForContinue(), Completed())
    await peer.accept_close()


class _Progress:
    """The server's side of the stream, and how far it is."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._sent_slots = 0

    async def send(self, peer: DataPeer) -> None:
        """Send slot after slot, as fast as the client takes them."""
        await peer.accept_subscribe()
        for frames in _slots_of_frames(self._slots):
            await peer.send_bytes(frames)
            self._sent_slots += 1
        await peer.complete()
        await peer.hold()

    async def wait_until_held(self) -> int:
        """Wait until the server gets no further; return how many slots it has sent."""
        seen = -1
        while seen != self._sent_slots:
            seen = self._sent_slots
            await trio.sleep(_STEADY_SECONDS)
        return seen


def _slots_of_frames(slots: int) -> Iterator[bytes]:
    """Give the notifications of each slot as bytes of the wire, made once and renumbered."""
    results = (
        account_diff(_FIRST_SLOT, signature=f"flood-{number:017d}", data=bytes(_PAYLOAD_BYTES))
        for number in range(_PER_SLOT)
    )
    messages = [(False, write_notification("accountDiffNotification", 1, result)) for result in results]
    template = encode_frames(messages, is_client=False)
    first = b'"slot":%d' % _FIRST_SLOT
    for slot in range(_FIRST_SLOT, _FIRST_SLOT + slots):
        yield template.replace(first, b'"slot":%d' % slot)


def _peak_bytes() -> int:
    """Return the most memory that the process has ever used."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS gives bytes


def main(count: int) -> int:
    """Print the figure; return the exit code."""
    if count < _PER_SLOT:
        raise ScriptFailure(f"at least {_PER_SLOT} notifications are needed, not {count}")
    count -= count % _PER_SLOT
    outcome = trio.run(flood, count)
    print(  # noqa: T201
        f"{outcome.received:,} of {count:,} received; the server was held after {outcome.sent_while_asleep:,};"
        f" peak memory +{outcome.growth_bytes / 2**20:.0f} MiB"
    )
    return 0 if outcome.received == count and outcome.growth_bytes < MOST_GROWTH_BYTES else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
