"""The first words on a raw session's socket, and what the answer says of the session."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ...protocol.waits import AttachWait, CreatedSession, CreateWait
from ...wire.requests import AttachSession, CreateSession
from .reader import RawReader

__all__ = ["RawIdentity", "attach_raw", "create_raw"]


@attrs.frozen(kw_only=True)
class RawIdentity:
    """What does not change about a raw session."""

    session_id: str = attrs.field(repr=False)
    session_name: str | None = None
    task_id: str | None = None
    slots: tuple[int, int] | None = None
    """The first and the last, inclusive; None: not known here."""
    sessions: tuple[CreatedSession, ...] = ()


async def create_raw(
    reader: RawReader,
    request: CreateSession,
    *,
    patience_seconds: float,
    on_created: Callable[[CreatedSession], None] | None,
) -> RawIdentity:
    """Create the session, or the sub-sessions of a parallel one.

    Raises:
        RemoteError: The server refused.
        ConnectionLost: It did not answer.
    """
    wait = CreateWait(is_parallel=request.parallel, on_created=on_created)
    await reader.send(request)
    await reader.wait(wait, patience_seconds=patience_seconds)
    slots = (request.params.start_slot, request.params.end_slot)
    if request.parallel:
        return RawIdentity(
            session_id=wait.control_session_id or "",
            session_name=wait.control_session_name,
            slots=slots,
            sessions=tuple(wait.created),
        )

    return _identity_of(wait.created[0], slots)


async def attach_raw(reader: RawReader, session_id: str, *, patience_seconds: float) -> RawIdentity:
    """Take up a session.

    Raises:
        RemoteError: The server refused.
        ConnectionLost: It did not answer.
    """
    wait = AttachWait()
    await reader.send(AttachSession(session_id=session_id, last_sequence=reader.machine.last_sequence))
    await reader.wait(wait, patience_seconds=patience_seconds)
    attached = wait.attached
    assert attached is not None
    session = CreatedSession(
        session_id=attached.session_id,
        task_id=attached.task_id,
        session_name=attached.session_name,
        rpc_endpoint=attached.rpc_endpoint,
    )
    return _identity_of(session, None)


def _identity_of(session: CreatedSession, slots: tuple[int, int] | None) -> RawIdentity:
    return RawIdentity(
        session_id=session.session_id,
        session_name=session.session_name,
        task_id=session.task_id,
        slots=slots,
        sessions=(session,),
    )
