"""What a raw session waits for, each as a small machine that is shown every message in turn and takes what is its own.

A wait is over when it has what it waits for. An error that answers a request ends it with `RemoteError`; a numbered one between attach and
resume is a replayed event, and a `simulationError` never ends anything: both are left to the user, as is everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, final

import attrs

from ..errors import RemoteError, RemoteProtocolError
from ..wire.failures import SimulationError, describe_failure
from ..wire.names import short_id
from ..wire.responses import (
    Completed,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SequencedResponse,
    SessionAttached,
    SessionCreated,
    SessionsCreated,
    SessionsCreatedV2,
    SlotNotification,
    Status,
    Success,
)
from .raw import RawMachine

__all__ = [
    "AttachWait",
    "CloseWait",
    "CreateWait",
    "CreatedSession",
    "ProgressWait",
    "ResumeWait",
    "StatusWait",
    "Wait",
]

_Value = TypeVar("_Value")


@attrs.frozen(kw_only=True)
class CreatedSession:
    """A session that the server has made; one of several where the create was parallel."""

    session_id: str = attrs.field(repr=short_id)
    """The server's name for it; whoever knows it can read the session's state, so it is shown only in part."""
    task_id: str | None = None
    """The server's opaque name for the task that runs it."""
    session_name: str | None = None
    rpc_endpoint: str | None = attrs.field(default=None, repr=False)
    """Where its data plane is: a URL, or a path on the control host; None where the server only listed the id."""
    start_slot: int | None = None
    """Its part of the range, inclusive on both ends; None where the server does not say."""
    end_slot: int | None = None


class Wait(Protocol):
    """Something to wait for."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is waited for."""
        ...

    def takes(self, message: SequencedResponse) -> bool:
        """Look at a message; tell whether it is used up.

        Raises:
            RemoteError: It is an error that ends the wait.
        """
        ...


@final
class CreateWait:
    """Waits for the answer to a create, in each of its forms."""

    def __init__(self, *, is_parallel: bool, on_created: Callable[[CreatedSession], None] | None = None) -> None:
        """Wait.

        Args:
            is_parallel: Whether several sessions were asked for.
            on_created: Called with each session as soon as the server says that it is there.
        """
        self._is_parallel = is_parallel
        self._on_created = on_created
        self.created: list[CreatedSession] = []
        self.control_session_id: str | None = None
        """The name of the parallel session as a whole; 0.9 has none."""
        self.control_session_name: str | None = None
        self.is_over = False

    def takes(self, message: SequencedResponse) -> bool:
        """Take `sessionCreated` and the lists of sessions."""
        match message.response:
            case SessionCreated() as created:
                self._add(
                    CreatedSession(
                        session_id=created.session_id,
                        task_id=created.task_id,
                        session_name=created.session_name,
                        rpc_endpoint=created.rpc_endpoint,
                    )
                )
                self.is_over = not self._is_parallel
            case SessionsCreated(session_ids=ids) if self._is_parallel:
                self._finish(tuple(CreatedSession(session_id=session_id) for session_id in ids))
            case SessionsCreatedV2() as listed if self._is_parallel:
                self.control_session_id = listed.control_session_id
                self.control_session_name = listed.control_session_name
                self._finish(_listed(listed))
            case SessionsCreated() | SessionsCreatedV2():
                raise RemoteProtocolError("one session was asked for, and the server answered with a list of sessions")
            case _:
                _raise_refusal(message, "to create the session")
                return False

        return True

    def _add(self, created: CreatedSession) -> None:
        self.created.append(created)
        if self._on_created is not None:
            self._on_created(created)

    def _finish(self, listed: tuple[CreatedSession, ...]) -> None:
        """The list is what counts; a session that was streamed before lends it its endpoint. An empty list means those streamed."""
        self.is_over = True
        streamed = {one.session_id: one for one in self.created}
        if not listed:
            return

        self.created = [_joined(one, streamed.get(one.session_id)) for one in listed]
        if self._on_created is not None:
            for one in self.created:
                if one.session_id not in streamed:
                    self._on_created(one)


@final
class AttachWait:
    """Waits for the answer to an attach."""

    def __init__(self) -> None:
        self.attached: SessionAttached | None = None

    @property
    def is_over(self) -> bool:
        """Whether the session was taken up."""
        return self.attached is not None

    def takes(self, message: SequencedResponse) -> bool:
        """Take `sessionAttached`."""
        if isinstance(message.response, SessionAttached):
            self.attached = message.response
            return True

        _raise_refusal(message, "to attach to the session")
        return False


@final
class ResumeWait:
    """Waits for the answer to a resume."""

    def __init__(self) -> None:
        self.is_over = False

    def takes(self, message: SequencedResponse) -> bool:
        """Take `success`."""
        if isinstance(message.response, Success):
            self.is_over = True
            return True

        _raise_refusal(message, "to resume the session")
        return False


@final
class ProgressWait:
    """Waits until the session is ready or has completed, and for so many slots of the request that is being carried out."""

    def __init__(self, machine: RawMachine, *, slots: int, takes_progress: bool) -> None:
        """Wait.

        Args:
            machine: Whose progress.
            slots: How many slots must have been announced.
            takes_progress: Whether to take the slots and statuses too, which `machine.progress` has counted.
        """
        self._machine = machine
        self._slots = slots
        self._takes_progress = takes_progress

    @property
    def is_over(self) -> bool:
        """Whether the session can go on, or has ended."""
        machine = self._machine
        return machine.completed is not None or (machine.is_ready and machine.progress.slots >= self._slots)

    def takes(self, message: SequencedResponse) -> bool:
        """Take what says that the session is ready or has ended, and what counts the way there."""
        match message.response:
            case ReadyForContinue() | Paused() | Completed():
                return True
            case SlotNotification() | Status():
                return self._takes_progress
            case _:
                _raise_error(message)
                return False


@final
class StatusWait:
    """Waits for a status of this name, which will not come any more once the run has completed."""

    def __init__(self, machine: RawMachine, name: str) -> None:
        self._machine = machine
        self._name = name
        self.has_come = machine.take_status(name)

    @property
    def is_over(self) -> bool:
        """Whether the status has come, or never will."""
        return self.has_come or self._machine.completed is not None

    def takes(self, message: SequencedResponse) -> bool:
        """Take the status."""
        match message.response:
            case Status(status=name) if name == self._name:
                self.has_come = True
                return True
            case _:
                _raise_error(message)
                return False


@final
class CloseWait:
    """Waits for the answer to a close; a run that ends just then has ended the session too."""

    def __init__(self) -> None:
        self.is_over = False

    def takes(self, message: SequencedResponse) -> bool:
        """Take `success`; `completed` ends the wait too, and is left to the user."""
        match message.response:
            case Success():
                self.is_over = True
                return True
            case Completed():
                self.is_over = True
                return False
            case _:
                _raise_refusal(message, "to close the session")
                return False


def _listed(listed: SessionsCreatedV2) -> tuple[CreatedSession, ...]:
    """Join the lists of `sessionsCreatedV2`; one that is shorter than that of the ids says nothing of the rest."""
    return tuple(
        CreatedSession(
            session_id=session_id,
            task_id=_at(listed.task_ids, place),
            start_slot=_at(listed.start_slots, place),
            end_slot=_at(listed.end_slots, place),
        )
        for place, session_id in enumerate(listed.session_ids)
    )


def _joined(listed: CreatedSession, streamed: CreatedSession | None) -> CreatedSession:
    if streamed is None:
        return listed

    return attrs.evolve(
        streamed,
        task_id=listed.task_id or streamed.task_id,
        start_slot=listed.start_slot,
        end_slot=listed.end_slot,
    )


def _at(values: Sequence[_Value], place: int) -> _Value | None:
    return values[place] if place < len(values) else None


def _raise_refusal(message: SequencedResponse, asked: str) -> None:
    """Raise an unnumbered error, which answers what was asked."""
    if message.seq_id is None:
        _raise_error(message, f"the server refused {asked}")


def _raise_error(message: SequencedResponse, what: str = "the server reported an error") -> None:
    match message.response:
        case ErrorEvent(failure=failure) if not isinstance(failure, SimulationError):
            raise RemoteError(f"{what}: {describe_failure(failure)}", payload=failure)
        case _:
            return
