"""The recording of a session: every event as it came, written while the session runs (`docs/reference/recording-format.md`).

    async with open_backtest_session(url, ..., subscriptions=subscriptions) as session:
        async with open_recording("run.recording", session, subscriptions=subscriptions) as events:
            async for event in events:
                ...

- An existing file is replaced when the first bytes are there to be written, not before.
- Events are collected and written many at a time, compressed in a worker thread. Whatever ends the program, the file is readable up to the
  last chunk that was written, and says that it was cut.
- `simclient local --replay FILE` serves it again.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

import trio

from ..errors import InputError
from ..session.backtest import BacktestSession
from ..session.inbox import Event
from ..wire.codec import write_response
from ..wire.notifications import (
    AccountDiff,
    ActionReport,
    DiagnosticReport,
    ExecutedTransaction,
    ReplacementReport,
    TransactionLogs,
    UnknownNotification,
)
from ..wire.recording import RecordedKey, RecordingEncoder, RecordingHeader, compressed
from ..wire.responses import Completed
from ..wire.subscriptions import Subscription, keys_of
from ..wire.urls import redact
from .event_file import OutputError, check_output
from .versions import installed_versions

__all__ = ["SessionRecording", "check_recordings_folder", "open_recording", "recording_in"]

_NOTIFICATIONS: Final = (
    AccountDiff,
    ExecutedTransaction,
    TransactionLogs,
    ActionReport,
    DiagnosticReport,
    ReplacementReport,
    UnknownNotification,
)
_FULL_BYTES: Final = 2**20
"""So much waits in memory before whoever takes events waits for the disk."""
_PATIENCE_SECONDS: Final = 2.0
"""What waits for so long is written, however little it is: small chunks compress badly, and what is not written can be lost."""
_SUFFIX: Final = ".recording"
_CLOSING_SECONDS: Final = 5.0
"""For the last events: a disk that takes nothing for so long is given up."""


@asynccontextmanager
async def open_recording(
    path: Path | str,
    session: BacktestSession,
    *,
    subscriptions: Sequence[Subscription] = (),
    url: str = "",
    origin: Mapping[str, str] | None = None,
) -> AsyncGenerator[SessionRecording]:
    """Record a session for the block; iterate over the result in place of the session.

    Args:
        path: The file to write.
        session: An open one, of which nothing was read yet.
        subscriptions: What it was opened with: only for these is the recording served again.
        url: The server's, for the file's header; credentials are left out.
        origin: Where the blocks are from, as far as that is known.

    Raises:
        InputError: The file cannot be written; nothing was touched.
        OutputError: Writing failed on the way.
    Cancellation: what was received is written, within 5 s, and the recording says that it was cancelled.
    """
    path = Path(path)
    check_output(path)
    recording = SessionRecording(path, session, _header(session, subscriptions, url, origin or {}))
    try:
        yield recording
    except BaseException as error:
        is_cancelled = isinstance(error, trio.Cancelled | KeyboardInterrupt)
        reason = None if is_cancelled else str(error) or type(error).__name__
        recording.end("cancelled" if is_cancelled else "failed", reason)
        try:
            await _finish(recording)  # noqa: ASYNC102 - what it awaits is shielded, with a deadline of its own
        except OutputError as second:
            error.add_note(f"also failed: {second}")
        raise

    recording.end("completed" if recording.has_completed else "left", None)
    await _finish(recording)


def check_recordings_folder(folder: Path) -> None:
    """Make sure that the recordings of a parallel run, one of each session, can be put into a folder.

    Raises:
        InputError: It is a file, or holds recordings already, or cannot be made; nothing was touched.
    """
    if folder.is_dir():
        if any(folder.glob(f"*{_SUFFIX}")):
            raise InputError(f"cannot record into {folder}: there are recordings in it already; name another folder")
    elif folder.exists():
        raise InputError(f"cannot record into {folder}: a parallel run is recorded into a folder, and this is a file")
    elif not folder.parent.is_dir():
        raise InputError(f"cannot record into {folder}: there is no directory {folder.parent}")


def recording_in(folder: Path, session: BacktestSession) -> Path:
    """Return where the recording of a session of a parallel run goes; the folder is made if it is not there.

    Raises:
        InputError: The folder cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot record into {folder}: {error.strerror}") from error

    return folder / f"{session.start_slot}-{session.end_slot}{_SUFFIX}"


@final
class SessionRecording:
    """An async iterator of the events of a session, each of which is recorded; made by `open_recording`."""

    def __init__(self, path: Path, session: BacktestSession, header: RecordingHeader) -> None:
        self._path = path
        self._events = aiter(session)
        self._descriptor: int | None = None
        self._encoder = RecordingEncoder()
        self._encoder.begin(header)
        self._begin_time = self._flush_time = trio.current_time()
        self._one_writer = trio.Lock()
        self._is_broken = False
        self.has_completed = False
        """Whether the session's `Completed` was recorded."""

    def __aiter__(self) -> SessionRecording:
        return self

    async def __anext__(self) -> Event:
        """Return the next event of the session.

        Raises:
            OutputError: The file cannot be written. From then on nothing more is.
            SimClientError: As the session's own iterator.

        Cancellation: no event is lost; iterate again.
        """
        await self._flush_if_due()
        event = await anext(self._events)
        self._add(event)
        return event

    def end(self, status: str, reason: str | None) -> None:
        """The session has ended; a last flush makes the recording whole."""
        self._encoder.end(status, reason)

    async def flush(self, *, abandon_on_cancel: bool = False) -> None:
        """Write every event that was taken.

        Args:
            abandon_on_cancel: Leave a write that hangs to its thread when cancelled; only for the last flush.

        Raises:
            OutputError: The file cannot be written. From then on nothing more is.
        """
        async with self._one_writer:
            self._flush_time = trio.current_time()
            content = self._encoder.take()
            if not content or self._is_broken:
                return

            try:
                await trio.to_thread.run_sync(self._write, content, abandon_on_cancel=abandon_on_cancel)
            except OSError as error:
                self._is_broken = True
                raise OutputError(
                    f"cannot write the recording {self._path}: {error.strerror or error}; what was written before is kept"
                ) from error

    def close(self) -> None:
        """Close the file; what was not flushed is not written."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def _add(self, event: Event) -> None:
        at = round((trio.current_time() - self._begin_time) * 1e6)
        try:
            if isinstance(event, _NOTIFICATIONS):
                self._encoder.data(at, event.raw)
            else:
                self._encoder.control(at, write_response(event).encode())
        except ValueError as error:
            raise OutputError(f"cannot record {event!r}: {error}") from error

        self.has_completed |= isinstance(event, Completed)

    async def _flush_if_due(self) -> None:
        is_full = self._encoder.waiting_bytes >= _FULL_BYTES
        if is_full or trio.current_time() - self._flush_time >= _PATIENCE_SECONDS:
            await self.flush()

    def _write(self, content: bytes) -> None:
        """Compress and write, in a worker thread."""
        data = compressed(content)
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            data = RecordingEncoder.prologue() + data
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]


def _header(
    session: BacktestSession, subscriptions: Sequence[Subscription], url: str, origin: Mapping[str, str]
) -> RecordingHeader:
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions().items())
    return RecordingHeader(
        created_by=versions,
        url=redact(url) if url else "",
        start_slot=session.start_slot,
        end_slot=session.end_slot,
        started_utc=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        keys=tuple(RecordedKey.of(key) for subscription in subscriptions for key in keys_of(subscription)),
        origin=dict(origin),
    )


async def _finish(recording: SessionRecording) -> None:
    """Write the last events within a bounded time, also while being cancelled.

    Raises:
        OutputError: They cannot be written, or the disk takes nothing.
    """
    try:
        with trio.move_on_after(_CLOSING_SECONDS, shield=True) as scope:
            await recording.flush(abandon_on_cancel=True)
    finally:
        recording.close()
    if scope.cancelled_caught:
        raise OutputError(f"the recording took nothing for {_CLOSING_SECONDS:.0f} s: its last events are missing")
