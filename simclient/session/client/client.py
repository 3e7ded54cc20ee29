"""The client: one control host, its HTTP methods, and raw sessions on it.

    async with open_client("simulator.example", api_key=key) as client:
        ranges = await client.available_ranges()
        async with client.open_session(create_request(start_slot=100, slot_count=5)) as session:
            ...

The key goes to the control host, and to no other. Methods take no timeout: wait with `trio.fail_after`; `Limits.response_seconds` bounds
each wait for the host to send something.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import final

import trio

from ...errors import InputError, LocalProtocolError, RemoteError, RemoteProtocolError
from ...protocol.raw import RawMachine
from ...protocol.waits import CreatedSession
from ...transport.http import HttpClient
from ...transport.outside_trio import require_trio
from ...transport.streams import StreamOpener
from ...transport.websocket import WebSocket
from ...wire.http_bodies import (
    BundleBuild,
    BundleBuildList,
    BundleBuildRequest,
    BundleDeleted,
    DatasetCredentials,
    DepthCoverage,
    DepthRequest,
    DepthStatus,
    SessionUsage,
    SnapshotSlot,
    UsageReport,
)
from ...wire.instants import Instant
from ...wire.ranges import AvailableRange, BundleKind, RangeScope, filter_ranges, read_bound, read_ranges
from ...wire.requests import CreateSession
from ...wire.urls import control_url, redact
from ..control.opening import socket_opener, user_agent_of
from ..credentials import find_key
from ..limits import Limits
from ..options import SessionOptions
from ..raw.opening import RawIdentity, attach_raw, create_raw
from ..raw.reader import RawReader
from ..raw.session import RawSession
from .host import ControlHost, path_of
from .polling import poll
from .usage import SessionUsages, time_text

__all__ = ["SimulatorClient", "open_client"]


@asynccontextmanager
async def open_client(
    url: str,
    *,
    api_key: str | None = None,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    ssl_context: ssl.SSLContext | None = None,
    user_agent: str | None = None,
    open_stream: StreamOpener | None = None,
) -> AsyncGenerator[SimulatorClient]:
    """Open a client for the block; nothing is sent until something is asked.

    Args:
        url: The simulator: a host, or a `ws://` or `wss://` URL.
        api_key: The key; by default what `SIMULATOR_API_KEY` holds. A simulator on this machine needs none, nor does `available_ranges`.
        limits: Deadlines and bounds.
        ssl_context: For `wss://`; by default the system's trust.
        user_agent: Put before ours in the `User-Agent` header.
        open_stream: Opens the byte streams of all connections in place of TCP, as for `open_backtest_session`.

    Raises:
        InputError: The URL or the key cannot be used.
        LocalProtocolError: This is not a trio program.
    """
    require_trio("open_client")
    endpoint = control_url(url)
    secret = find_key(endpoint, api_key, is_optional=True)
    del api_key  # a traceback that shows locals must not show it
    agent = user_agent_of("raw", user_agent)
    options = SessionOptions(limits=limits, ssl_context=ssl_context, open_stream=open_stream)
    open_socket = socket_opener(endpoint, secret, options, agent)
    async with options.open_http() as http:
        host = ControlHost(endpoint, secret, agent, http)
        yield SimulatorClient(endpoint, host, http, open_socket=open_socket, options=options)


@final
class SimulatorClient:
    """One control host; made by `open_client`.

    Every method that asks the host may raise InputError (a value cannot be used, or there is no key), ConnectError or ConnectionLost (the
    host cannot be reached, or does not answer), HttpError (it refuses; `status`, at most 64 KiB of `body` and, after 429,
    `retry_after_seconds` are kept) and RemoteProtocolError (its answer cannot be read).
    """

    def __init__(
        self,
        endpoint: str,
        host: ControlHost,
        http: HttpClient,
        *,
        open_socket: Callable[[], AbstractAsyncContextManager[WebSocket]],
        options: SessionOptions,
    ) -> None:
        self._endpoint = endpoint
        self._host = host
        self._http = http
        self._open_socket = open_socket
        self._options = options
        self._limits = options.limits

    def __repr__(self) -> str:
        return f"<SimulatorClient {redact(self._endpoint)}>"

    # Raw sessions

    def open_session(
        self, request: CreateSession, *, on_created: Callable[[CreatedSession], None] | None = None
    ) -> AbstractAsyncContextManager[RawSession]:
        """Open a socket and create a session on it; a parallel one is driven by `send` and iteration.

        Leaving the block closes the session on the server, unless it was detached, and the socket, within `limits.closing_seconds`.

        Args:
            request: What `create_request` makes.
            on_created: Called with each session as soon as it is there, which for a parallel create may take minutes.

        Raises:
            InputError: There is no key.
            ConnectError: The simulator could not be reached.
            RemoteError: The server refused; `payload` says why.
            ConnectionLost: The socket ended before the answer.

        A create that is cancelled or not answered may have made a session all the same; it ends with its disconnect timeout.
        """
        limits = self._limits
        patience = limits.parallel_create_seconds if request.parallel else limits.response_seconds
        return self._opened(
            RawMachine(bound=self._limits.control_backlog),
            partial(create_raw, request=request, patience_seconds=patience, on_created=on_created),
        )

    def attach_session(
        self, session_id: str, last_sequence: int | None = None, *, is_ready: bool = False
    ) -> AbstractAsyncContextManager[RawSession]:
        """Open a socket and take up a session that exists; call `resume` to let it run.

        Args:
            session_id: The session's name.
            last_sequence: The sequence number up to which events are known; None: everything is sent again.
            is_ready: Whether the session waited for a request by those events, which will then not be said again.

        Raises:
            InputError: There is no key.
            ConnectError: The simulator could not be reached.
            RemoteError: The server refused; `payload` says why.
            ConnectionLost: The socket ended before the answer.

        Leaving the block does as with `open_session`.
        """
        return self._opened(
            RawMachine(bound=self._limits.control_backlog, last_sequence=last_sequence, is_ready=is_ready),
            partial(attach_raw, session_id=session_id, patience_seconds=self._limits.response_seconds),
        )

    async def create_sessions(
        self, request: CreateSession, *, on_created: Callable[[CreatedSession], None] | None = None
    ) -> tuple[CreatedSession, ...]:
        """Create one session or, by a parallel request, several, and leave them on the server for `attach_session`.

        They live there until their disconnect timeout: ask for one in `create_request`.

        Args:
            request: What `create_request` makes.
            on_created: Called with each session as soon as it is there.

        Raises:
            InputError, ConnectError, RemoteError, ConnectionLost: As for `open_session`.
        """
        async with self.open_session(request, on_created=on_created) as session:
            await session.detach()
        return session.sessions

    @asynccontextmanager
    async def _opened(
        self, machine: RawMachine, introduce: Callable[[RawReader], Awaitable[RawIdentity]]
    ) -> AsyncGenerator[RawSession]:
        self._host.require_key()
        async with self._open_socket() as socket:
            reader = RawReader(socket, machine)
            identity = await introduce(reader)
            session = RawSession(reader, identity, control_url=self._endpoint, http=self._http, options=self._options)
            try:
                yield session
            finally:
                with trio.move_on_after(self._limits.goodbye_seconds, shield=True):
                    await _leave(session)

    # What there is to replay

    async def available_ranges(
        self,
        *,
        after: int | str | None = None,
        before: int | str | None = None,
        kind: BundleKind | None = None,
        scope: RangeScope | None = None,
        include_account_state: bool = False,
    ) -> tuple[AvailableRange, ...]:
        """Return the ranges that the host lists, in its order.

        Args:
            after: Only ranges that begin at or after this slot, RFC 3339 time or date (midnight UTC).
            before: Only ranges that end at or before it; what is unknown of a range keeps it.
            kind: Only this kind; a range that does not say is of blocks.
            scope: Only the key's own, or only those for everybody; a range that does not say is for everybody.
            include_account_state: Whether recorded account state is listed too; 0.28.

        Source: `GET /available-ranges`; no key is needed, one that is there adds its own ranges.
        """
        earliest, latest = _bound(after), _bound(before)
        asked = [("include_account_state", "true")] if include_account_state or kind == "account_state" else []
        found = read_ranges(await self._host.get_text("/available-ranges", asked))
        found = filter_ranges(found, after=earliest, before=latest)
        return tuple(
            one
            for one in found
            if (kind is None or (one.kind or "blocks") == kind) and (scope is None or (one.scope or "global") == scope)
        )

    async def snapshot_slot(self) -> int:
        """Return the newest slot of which there is a snapshot. Source: `GET /snapshot-slot`, 0.28."""
        return (await self._host.get("/snapshot-slot", SnapshotSlot)).snapshot_slot

    # Usage

    async def usage(self, *, since: datetime | str | None = None, until: datetime | str | None = None) -> UsageReport:
        """Return what the key has used.

        Args:
            since: The beginning, a datetime with its zone, an RFC 3339 time or a date (midnight UTC); None: the host decides. The report
                begins at the midnight (UTC) at or before it.
            until: The end.

        Source: `GET /usage`.
        """
        return await self._host.get("/usage", UsageReport, [("since", time_text(since)), ("until", time_text(until))])

    def usage_sessions(
        self, *, since: datetime | str | None = None, until: datetime | str | None = None
    ) -> AsyncIterator[SessionUsage]:
        """Return an async iterator over the sessions that ended in a time, in no particular order; it reads page by page.

        Args:
            since: As for `usage`.
            until: As for `usage`.

        Raises:
            InputError: A time cannot be read.

        Source: `GET /usage/sessions`, 0.28; later pages repeat the `since` and `until` that the first answer gave, so that nothing falls
            between two.
        """
        return SessionUsages(self._host, time_text(since), time_text(until))

    # Bundles

    async def build_bundle(
        self,
        *,
        start_slot: int,
        end_slot: int,
        bundle_size: int | None = None,
        kind: BundleKind = "blocks",
        idempotency_key: str | None = None,
    ) -> BundleBuild:
        """Ask for slots to be recorded, and return at once; `wait_for_bundle` waits.

        Args:
            start_slot: The first slot.
            end_slot: The last slot, inclusive.
            bundle_size: In slots; None: the host decides.
            kind: What to record.
            idempotency_key: A second request with the same one finds the first one's build.

        Source: `POST /build-bundle`, 0.28.
        """
        _check_slots(start_slot, end_slot)
        request = BundleBuildRequest(
            start_slot=start_slot,
            end_slot=end_slot,
            bundle_size=bundle_size,
            kind=kind,
            idempotency_key=idempotency_key,
        )
        return await self._host.post("/build-bundle", BundleBuild, request)

    async def list_bundle_builds(self, *, limit: int | None = None) -> BundleBuildList:
        """Return the key's builds, newest first, at most `limit`, and its bundles. Source: `GET /build-bundle`, 0.28."""
        return await self._host.get("/build-bundle", BundleBuildList, [("limit", limit)])

    async def bundle_build(self, request_id: str) -> BundleBuild:
        """Return how far a build is. Source: `GET /build-bundle/{id}`, 0.28."""
        return await self._host.get(path_of("/build-bundle", request_id), BundleBuild)

    async def wait_for_bundle(
        self,
        request_id: str,
        *,
        poll_seconds: float = 15.0,
        on_progress: Callable[[BundleBuild], None] | None = None,
    ) -> BundleBuild:
        """Wait until a build is completed.

        Args:
            request_id: What `build_bundle` gave.
            poll_seconds: How long to wait between two questions; after 429, as long as the host says, if that is longer.
            on_progress: Called with every answer.

        Raises:
            RemoteError: The build has failed, or somebody must look at it; `payload` is the `BundleBuild`.
            ConnectError, ConnectionLost, HttpError: The host could not be asked five times in a row, or it does not know the build.
        """
        return await poll(partial(self.bundle_build, request_id), poll_seconds, on_progress)

    async def delete_bundle(self, *, start_slot: int, end_slot: int, kind: BundleKind = "blocks") -> BundleDeleted:
        """Delete one of the key's own bundles, named by its exact range. Source: `DELETE /bundles`, 0.28."""
        _check_slots(start_slot, end_slot)
        query = [("start_slot", start_slot), ("end_slot", end_slot), ("kind", kind)]
        return await self._host.delete("/bundles", BundleDeleted, query)

    # Market depth

    async def generate_depth(self, request: DepthRequest) -> DepthStatus:
        """Ask for the market depth over slots, and return at once; `wait_for_depth` waits. Source: `POST /generate-depth`, 0.28."""
        _check_slots(request.start_slot, request.end_slot)
        return await self._host.post("/generate-depth", DepthStatus, request)

    async def depth_status(self, request_id: str) -> DepthStatus:
        """Return how far it is. Source: `GET /generate-depth/{id}`, 0.28."""
        return await self._host.get(path_of("/generate-depth", request_id), DepthStatus)

    async def wait_for_depth(
        self,
        request_id: str,
        *,
        poll_seconds: float = 30.0,
        on_progress: Callable[[DepthStatus], None] | None = None,
    ) -> DepthStatus:
        """Wait until it is completed; arguments and errors are those of `wait_for_bundle`."""
        return await poll(partial(self.depth_status, request_id), poll_seconds, on_progress)

    async def depth_coverage(self) -> DepthCoverage:
        """Return what depth there is, and what a request would sample. Source: `GET /generate-depth/coverage`, 0.28."""
        return await self._host.get("/generate-depth/coverage", DepthCoverage)

    # Data sets

    async def dataset_credentials(self) -> DatasetCredentials:
        """Return short-lived keys to the data sets, for reading; no repr shows them. Source: `POST /datasets/credentials`, 0.28."""
        try:
            return await self._host.post("/datasets/credentials", DatasetCredentials)
        except RemoteProtocolError as error:
            path = error.path
        raise RemoteProtocolError(f"the credentials that the host gave cannot be read at {path}", path=path)


async def _leave(session: RawSession) -> None:
    """Close the session if that was not done."""
    try:
        await session.close()
    except (RemoteError, LocalProtocolError):
        return  # refused, or another task is still reading: the block's own outcome is what counts


def _bound(value: int | str | None) -> int | Instant | None:
    return read_bound(value) if isinstance(value, str) else value


def _check_slots(start_slot: int, end_slot: int) -> None:
    if not 0 <= start_slot <= end_slot < 2**64:
        raise InputError(
            f"not a range of slots: {start_slot} to {end_slot}, inclusive; the end is before the start, or not a u64"
        )
