"""The HTTP methods of the client against a loopback server: what they ask, what they give, and how they fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import trio

from simclient.errors import ConnectionLost, HttpError, InputError, RemoteError, RemoteProtocolError
from simclient.session.client.client import SimulatorClient, open_client
from simclient.session.limits import Limits
from simclient.testing import HttpAnswer, HttpRequest, open_scripted_server
from simclient.wire.codec import write_value
from simclient.wire.http_bodies import (
    BundleBuild,
    BundleBuildList,
    BundleDeleted,
    ComputeTotals,
    DatasetCredentials,
    DepthCoverage,
    DepthRequest,
    DepthStatus,
    SessionCounts,
    SessionUsage,
    SessionUsagePage,
    SnapshotSlot,
    UsageReport,
)
from simclient.wire.ranges import AvailableRange, write_ranges

HANG_SECONDS = 10
SINCE, UNTIL = "2026-01-01T00:00:00Z", "2026-01-08T12:30:00Z"
BUILD = BundleBuild(request_id="r 1/2", start_slot=1, end_slot=9, status="in_progress", created_at_unix_ms=5)
DEPTH = DepthStatus(request_id="d1", start_slot=1, end_slot=9, source="onchain", status="in_progress")
REPORT = UsageReport(
    api_key_name="mine",
    since=SINCE,
    until=UNTIL,
    sessions=SessionCounts(started=3, completed=2, failed=1),
    compute=ComputeTotals(executed_slot_count=10, session_duration_ms=20),
)


class Host:
    """Answers requests in turn, and remembers them."""

    def __init__(self, answers: Iterable[HttpAnswer]) -> None:
        self._answers = list(answers)
        self.requests: list[HttpRequest] = []

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        return self._answers.pop(0)

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    def query(self, index: int) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.requests[index].path).query)


def value(wire_value: object) -> HttpAnswer:
    return HttpAnswer(body=write_value(wire_value).encode())


@asynccontextmanager
async def client_of(*answers: HttpAnswer, limits: Limits = Limits()) -> AsyncIterator[tuple[SimulatorClient, Host]]:  # noqa: B008
    """Open a client of a host that gives these answers; every request must carry the key."""
    host = Host(answers)
    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(http=host) as server:
            async with open_client(server.url, api_key="k", limits=limits) as client:
                yield client, host
    assert all(request.headers["x-api-key"] == "k" for request in host.requests)
    assert host._answers == []


def usage_of(name: str) -> SessionUsage:
    return SessionUsage(session_id=name, started_at=SINCE, ended_at=UNTIL, executed_slot_count=1, session_duration_ms=2)


class TestRanges:
    RANGES = (
        AvailableRange(bundle_start_slot=100, max_bundle_end_slot=199, bundle_start_slot_utc="2026-01-01T00:00:00Z"),
        AvailableRange(bundle_start_slot=200, max_bundle_end_slot=None, bundle_start_slot_utc=None),
        AvailableRange(
            bundle_start_slot=300,
            max_bundle_end_slot=399,
            bundle_start_slot_utc="2026-01-03T00:00:00Z",
            kind="account_state",
            scope="user",
        ),
    )

    @pytest.mark.parametrize(
        ("find", "starts"),
        [
            (lambda client: client.available_ranges(), [100, 200, 300]),
            (lambda client: client.available_ranges(after=200), [200, 300]),
            (lambda client: client.available_ranges(before="250"), [100, 200]),
            (lambda client: client.available_ranges(after="2026-01-02"), [200, 300]),
            (lambda client: client.available_ranges(kind="blocks"), [100, 200]),
            (lambda client: client.available_ranges(scope="user"), [300]),
        ],
    )
    async def test_the_list_is_filtered(self, find: Callable[[SimulatorClient], object], starts: list[int]) -> None:
        """Bounds are slots, times or dates; what is unknown of a range keeps it."""
        async with client_of(HttpAnswer(body=write_ranges(self.RANGES).encode())) as (client, host):
            found = await find(client)  # type: ignore[misc]
        assert [one.bundle_start_slot for one in found] == starts
        assert host.asked == ["GET /available-ranges"]

    @pytest.mark.parametrize("arguments", [{"include_account_state": True}, {"kind": "account_state"}])
    async def test_account_state_is_asked_for(self, arguments: dict[str, object]) -> None:
        """Whoever wants that kind gets it listed."""
        async with client_of(HttpAnswer(body=write_ranges(self.RANGES).encode())) as (client, host):
            found = await client.available_ranges(**arguments)  # type: ignore[arg-type]
        assert self.RANGES[2] in found
        assert host.asked == ["GET /available-ranges?include_account_state=true"]

    async def test_a_bound_that_is_none_is_refused_before_anything_is_asked(self) -> None:
        """The message names it."""
        async with client_of() as (client, _):
            with pytest.raises(InputError, match="yesterday"):
                await client.available_ranges(after="yesterday")


class TestUsage:
    async def test_times_are_sent_in_utc(self) -> None:
        """A datetime of any zone, a text or a date; the report comes back whole."""
        moment = datetime(2026, 1, 8, 14, 30, tzinfo=timezone(timedelta(hours=2)))
        async with client_of(value(REPORT)) as (client, host):
            assert await client.usage(since="2026-01-01", until=moment) == REPORT
        assert host.query(0) == {"since": [SINCE], "until": [UNTIL]}

    @pytest.mark.parametrize("since", ["soon", "12345", datetime(2026, 1, 1)])
    async def test_a_time_that_is_none_is_refused(self, since: str | datetime) -> None:
        """So is a datetime without a zone, and a slot."""
        async with client_of() as (client, _):
            with pytest.raises(InputError):
                await client.usage(since=since)

    async def test_pages_follow_one_another_within_the_first_window(self) -> None:
        """Later pages repeat the since and until that the first answer gave."""
        first = SessionUsagePage(since=SINCE, until=UNTIL, sessions=(usage_of("a"), usage_of("b")), next_cursor="c/1")
        empty = SessionUsagePage(since=SINCE, until=UNTIL, sessions=(), next_cursor="c2")
        last = SessionUsagePage(since=SINCE, until=UNTIL, sessions=(usage_of("c"),))
        async with client_of(value(first), value(empty), value(last)) as (client, host):
            found = [one.session_id async for one in client.usage_sessions(until=datetime(2027, 1, 1, tzinfo=UTC))]

        assert found == ["a", "b", "c"]
        assert host.query(0) == {"until": ["2027-01-01T00:00:00Z"]}
        assert host.query(1) == {"since": [SINCE], "until": [UNTIL], "cursor": ["c/1"]}
        assert host.query(2) == {"since": [SINCE], "until": [UNTIL], "cursor": ["c2"]}

    async def test_a_page_that_could_not_be_had_is_asked_for_again(self) -> None:
        """A failure in the middle loses nothing."""
        first = SessionUsagePage(since=SINCE, until=UNTIL, sessions=(usage_of("a"),), next_cursor="1")
        last = SessionUsagePage(since=SINCE, until=UNTIL, sessions=(usage_of("b"),))
        async with client_of(value(first), HttpAnswer(status=503), value(last)) as (client, _):
            sessions = client.usage_sessions()
            assert (await anext(sessions)).session_id == "a"
            with pytest.raises(HttpError):
                await anext(sessions)
            assert [one.session_id async for one in sessions] == ["b"]

    async def test_a_page_that_follows_itself_is_an_error(self) -> None:
        """It would never end."""
        page = SessionUsagePage(since=SINCE, until=UNTIL, sessions=(), next_cursor="1")
        async with client_of(value(page), value(page)) as (client, _):
            with pytest.raises(RemoteProtocolError, match="after itself"):
                await anext(client.usage_sessions())


class TestBundles:
    async def test_the_life_of_a_build(self) -> None:
        """Each method asks at its own place, and gives its own type; an id is quoted."""
        deleted = BundleDeleted(start_slot=1, end_slot=9, kind="account_state")
        answers = (value(SnapshotSlot(snapshot_slot=7)), value(BUILD), value(BundleBuildList(builds=(BUILD,))))
        async with client_of(*answers, value(BUILD), value(deleted)) as (client, host):
            assert await client.snapshot_slot() == 7
            assert await client.build_bundle(start_slot=1, end_slot=9, idempotency_key="once") == BUILD
            assert (await client.list_bundle_builds(limit=2)).builds == (BUILD,)
            assert await client.bundle_build(BUILD.request_id) == BUILD
            assert await client.delete_bundle(start_slot=1, end_slot=9, kind="account_state") == deleted

        assert host.asked == [
            "GET /snapshot-slot",
            "POST /build-bundle",
            "GET /build-bundle?limit=2",
            "GET /build-bundle/r%201%2F2",
            "DELETE /bundles?start_slot=1&end_slot=9&kind=account_state",
        ]
        assert host.requests[1].body == (
            b'{"start_slot":1,"end_slot":9,"bundle_size":null,"idempotency_key":"once","kind":"blocks"}'
        )

    async def test_waiting_shows_progress_and_outlasts_a_busy_host(self) -> None:
        """429 and 503 are waited out, as long as the host says; then the completed build comes back."""
        done = attrs.evolve(BUILD, status="completed")
        busy = HttpAnswer(status=429, headers={"Retry-After": "0"})
        seen: list[str] = []
        async with client_of(value(BUILD), busy, HttpAnswer(status=503), value(BUILD), value(done)) as (client, _):
            build = await client.wait_for_bundle(
                "r1", poll_seconds=0.0, on_progress=lambda build: seen.append(build.status)
            )
        assert build == done
        assert seen == ["in_progress", "in_progress", "completed"]

    @pytest.mark.parametrize("status", ["failed", "needs_investigation"])
    async def test_a_build_that_fails_is_an_error(self, status: Literal["failed", "needs_investigation"]) -> None:
        """The build is its payload."""
        failed = attrs.evolve(BUILD, status=status)
        async with client_of(value(failed)) as (client, _):
            with pytest.raises(RemoteError, match=f"slots 1 to 9 ended as '{status}'") as caught:
                await client.wait_for_bundle("r1")
        assert caught.value.payload == failed

    async def test_waiting_gives_up_after_five_fruitless_questions(self) -> None:
        """And at once where the host does not know the build."""
        async with client_of(*[HttpAnswer(status=502)] * 5, HttpAnswer(status=404)) as (client, _):
            for status in (502, 404):
                with pytest.raises(HttpError) as caught:
                    await client.wait_for_bundle("r1", poll_seconds=0.0)
                assert caught.value.status == status

    async def test_what_cannot_be_asked_is_refused_before(self) -> None:
        """A reversed range, and an empty id."""
        async with client_of() as (client, _):
            with pytest.raises(InputError, match="9 to 1"):
                await client.build_bundle(start_slot=9, end_slot=1)
            with pytest.raises(InputError, match="/build-bundle needs the id"):
                await client.bundle_build("")


class TestDepthAndDatasets:
    async def test_depth(self) -> None:
        """A request, its status until it is there, and the coverage."""
        request = DepthRequest(start_slot=1, end_slot=9)
        done = attrs.evolve(DEPTH, status="completed")
        async with client_of(value(DEPTH), value(DEPTH), value(done), value(DepthCoverage(sources=()))) as (
            client,
            host,
        ):
            assert await client.generate_depth(request) == DEPTH
            assert await client.depth_status("d1") == DEPTH
            assert await client.wait_for_depth("d1") == done
            assert (await client.depth_coverage()).sources == ()
        assert host.asked == [
            "POST /generate-depth",
            "GET /generate-depth/d1",
            "GET /generate-depth/d1",
            "GET /generate-depth/coverage",
        ]

    async def test_credentials_are_in_no_repr(self) -> None:
        """They can be used, and are not shown."""
        credentials = DatasetCredentials(
            access_key_id="AKIA", secret_access_key="S3CR", session_token="T0KEN", s3_uri="s3://sets"
        )
        async with client_of(value(credentials)) as (client, host):
            found = await client.dataset_credentials()
        assert found == credentials
        assert host.asked == ["POST /datasets/credentials"]
        assert not any(secret in repr(found) for secret in ("AKIA", "S3CR", "T0KEN"))

    async def test_credentials_that_cannot_be_read_are_not_shown_either(
        self, assert_hides: Callable[[str, BaseException], None]
    ) -> None:
        """The error says where, not what."""
        answer = HttpAnswer(body=b'{"access_key_id":["S3CR"],"secret_access_key":"S3CR","session_token":1,"s3_uri":""}')
        async with client_of(answer) as (client, _):
            with pytest.raises(RemoteProtocolError, match="access_key_id") as caught:
                await client.dataset_credentials()
        assert "S3CR" not in str(caught.value)
        assert caught.value.excerpt == ""
        assert caught.value.__context__ is None


class TestErrors:
    async def test_a_refusal_keeps_status_body_and_patience(self) -> None:
        """The body is bounded."""
        answer = HttpAnswer(status=429, body=b"slow down " * 10_000, headers={"Retry-After": "7"})
        async with client_of(answer) as (client, _):
            with pytest.raises(HttpError) as caught:
                await client.usage()
        assert (caught.value.status, caught.value.retry_after_seconds) == (429, 7.0)
        assert caught.value.body.startswith("slow down")
        assert len(caught.value.body) <= 64 * 2**10

    async def test_an_answer_of_another_shape_names_its_method(self) -> None:
        """The path in the JSON and the method of the host."""
        async with client_of(HttpAnswer(body=b'{"snapshot_slot":"7"}')) as (client, _):
            with pytest.raises(RemoteProtocolError, match=r"snapshot_slot") as caught:
                await client.snapshot_slot()
        assert caught.value.__notes__ == ["it was the answer of /snapshot-slot"]

    async def test_a_silent_host_is_given_up(self) -> None:
        """After `response_seconds`."""

        async def swallow(stream: trio.SocketStream) -> None:
            async with stream:
                await trio.sleep_forever()

        with trio.fail_after(HANG_SECONDS):
            async with trio.open_nursery() as nursery:
                [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
                nursery.start_soon(trio.serve_listeners, swallow, [listener])
                url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
                async with open_client(url, limits=Limits(response_seconds=0.05)) as client:
                    with pytest.raises(ConnectionLost):
                        await client.available_ranges()
                nursery.cancel_scope.cancel()

    @pytest.mark.parametrize(
        "ask", [lambda c: c.usage(), lambda c: c.snapshot_slot(), lambda c: c.dataset_credentials()]
    )
    async def test_a_remote_host_needs_a_key(
        self, monkeypatch: pytest.MonkeyPatch, ask: Callable[[SimulatorClient], object]
    ) -> None:
        """For everything but the ranges; it is missed before anything is connected to."""
        monkeypatch.delenv("SIMULATOR_API_KEY", raising=False)
        async with open_client("simulator.invalid") as client:
            with pytest.raises(InputError, match="set SIMULATOR_API_KEY"):
                await ask(client)  # type: ignore[misc]

    async def test_without_a_key_the_ranges_are_asked_for_without_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No empty header is sent."""
        monkeypatch.delenv("SIMULATOR_API_KEY", raising=False)
        host = Host([HttpAnswer(body=b"[]")])
        async with open_scripted_server(http=host) as server, open_client(server.url) as client:
            assert await client.available_ranges() == ()
        assert "x-api-key" not in host.requests[0].headers
