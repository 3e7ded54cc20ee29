"""The policy of a managed session: every deadline and bound in one frozen value, in seconds and counts.

Source of the defaults: the managed client of simulator-client 0.9.0, where a line does not say otherwise.
"""

from __future__ import annotations

import attrs

from ..errors import InputError
from ..protocol.budget import BudgetLimits

__all__ = ["Limits"]


@attrs.frozen(kw_only=True)
class Limits:
    """How long a session waits for what, and how much it keeps.

    Raises:
        InputError: A value is not a number above 0; `math.inf` is one.
    """

    connect_seconds: float = 30.0
    """Name lookup, TCP, TLS and the WebSocket handshake together."""
    response_seconds: float = 120.0
    """For the answer to create, attach and resume, and for each wait for an HTTP answer."""
    parallel_create_seconds: float = 900.0
    """For each part of the answer to a parallel create: the server may wait for free places."""
    keepalive_interval_seconds: float = 15.0
    keepalive_deadline_seconds: float = 45.0
    """Without any inbound traffic for so long, while we were reading, a connection counts as dead."""
    drain_idle_seconds: float = 60.0
    """After `completed`, a connected subscription may be silent for so long before its end marker."""
    continue_grace_seconds: float = 10.0
    """After a resume, how long to wait for a sign that the server took a `continue` written just before the cut. Ours."""
    closing_seconds: float = 5.0
    """For everything that leaving the block does."""
    reconnect: BudgetLimits = attrs.field(factory=BudgetLimits)
    local_attempts: int = 4
    """Failed connections in a row, about 15 s, after which a server on this machine counts as gone, with its sessions: unlike one on
    the network, nothing between us and it can be the reason. Ours."""
    max_message_bytes: int = 256 * 2**20
    """The longest message read; a transaction or a 10 MiB account in base64 is well below."""
    control_backlog: int = 65_536
    """Control events that the user has not taken; a run of slots counts once. Beyond it the control socket is not read."""
    data_batches: int = 1
    """Batches of notifications (what one read of a socket gives, 1 MiB at most) waiting for the user. More would only be colder when
    they are taken, and in the way of control events. Ours."""
    boundary_bytes: int = 16 * 2**20
    """Raw notifications of the newest slot kept per key to recognise a replay; beyond it their digests are. Ours."""

    def __attrs_post_init__(self) -> None:
        for name, value in attrs.asdict(self, recurse=False).items():
            if name != "reconnect" and not (isinstance(value, int | float) and value > 0):
                raise InputError(f"Limits({name}={value!r}) is no limit: give a number above 0")

    @property
    def goodbye_seconds(self) -> float:
        """For closing the session on the server: what the closing of the sockets leaves."""
        return self.closing_seconds * 3 / 5
