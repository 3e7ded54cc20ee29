"""How each kind of vector is checked; see `vectors`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, cast

import attrs

from ..errors import InputError, RemoteProtocolError
from ..session.request import slot_range
from ..wire import http_bodies, replacements, reroute, urls
from ..wire.accounts import AccountData, EncodedBinary, program_data_account
from ..wire.actions import ActionAnchor, ActionKind, DiagnosticProbeParams, ScheduledAction, TxResolver
from ..wire.addresses import encode_base58
from ..wire.agents import AgentParams, AgentStats, ArbRouteParams
from ..wire.codec import read_response, read_value, write_response, write_value
from ..wire.compression import StreamCompressor, StreamDecompressor
from ..wire.discovery import DiscoveryFilter
from ..wire.failures import BacktestFailure
from ..wire.generation import Generation
from ..wire.json_text import JsonValue, dump
from ..wire.names import session_id, session_name
from ..wire.params import SessionParams
from ..wire.ranges import AvailableRange, BundleKind, filter_ranges, read_bound, split_range
from ..wire.requests import (
    CloseSubSession,
    Continue,
    ContinueSubSession,
    ContinueSubSessionTo,
    ContinueTo,
    ControlRequest,
    CreateSession,
)
from ..wire.reroute_stats import RerouteStats
from ..wire.responses import ControlResponse, DiscoveryBatch, Paused, SessionEvent
from ..wire.schema import NAME, AddressText
from ..wire.subscribe_options import SubscribeOptions
from ..wire.summary import SessionSummary

__all__ = ["Finding", "Vector", "check"]

Members = dict[str, JsonValue]


@attrs.frozen(kw_only=True)
class Vector:
    """One line of a file."""

    line: int
    generation: Generation
    members: Members

    @property
    def type(self) -> str:
        """Which real type or function made it."""
        return str(self.members["type"])

    @property
    def note(self) -> str:
        """What it is about, for people."""
        return str(self.members.get("note", ""))

    @property
    def is_accepted(self) -> bool:
        """Whether the real types read it."""
        return self.members["accept"] is True

    @property
    def text(self) -> str:
        """What is to be read."""
        return str(self.members["text"]) if "text" in self.members else dump(self.members["json"])

    @property
    def expected(self) -> JsonValue:
        """What is written after reading."""
        return self.members["canonical"] if "canonical" in self.members else self.members.get("json")


@attrs.frozen(kw_only=True)
class Finding:
    """What is wrong with our handling of a vector."""

    message: str
    written: JsonValue = None
    """What we wrote, where we read the text."""
    value: object = None
    """What we read, where we should not have, or wrote something else."""
    error: Exception | None = None
    """Why we refused what the real types read."""


def check(vector: Vector) -> Finding | None:
    """Return what is wrong, None if nothing is."""
    return _CHECKS.get(vector.type, _check_value)(vector)


def same(one: JsonValue, other: JsonValue) -> bool:
    """Tell whether two JSON values are the same, `1` and `1.0` and `true` told apart, compressed text compared by what it holds."""
    return json.dumps(_expanded(one), sort_keys=True) == json.dumps(_expanded(other), sort_keys=True)


def _check_value(vector: Vector) -> Finding | None:
    if vector.type not in _KINDS:
        return Finding(message="a type that nothing checks")

    kind, is_from_server = _KINDS[vector.type]
    try:
        value = read_value(kind, vector.text, generation=vector.generation, keeps_unknown=is_from_server)
    except RemoteProtocolError as error:
        return Finding(message=str(error), error=error) if vector.is_accepted else None
    if not vector.is_accepted:
        return Finding(message=f"should be refused: {vector.text}", value=value)

    return _compare(vector, value, json.loads(write_value(value, kind=kind, generation=vector.generation)))


def _compare(vector: Vector, value: object, written: JsonValue) -> Finding | None:
    if same(written, vector.expected):
        return None

    message = f"{vector.text} was written as {json.dumps(written)}, not as {json.dumps(vector.expected)}"
    return Finding(message=message, value=value, written=written)


def _check_control(vector: Vector) -> Finding | None:
    try:
        sequenced = read_response(vector.text, generation=vector.generation)
    except RemoteProtocolError as error:
        return Finding(message=str(error), error=error) if vector.is_accepted else None
    if not vector.is_accepted:
        return Finding(message=f"should be refused: {vector.text}", value=sequenced)

    written: Any = json.loads(write_response(sequenced.response, seq_id=sequenced.seq_id, generation=vector.generation))
    if vector.type == "SequencedResponse":
        return _compare(vector, sequenced, written)

    sequence = written.pop("seqId", None)
    return _compare(vector, sequenced, {"response": written, "seq": sequence})


def _check_sequenced(vector: Vector) -> Finding | None:
    finding = _check_control(vector)
    if finding is not None and not vector.is_accepted and "seqId" not in vector.text:
        return None  # the type needs a number; what reads control texts does not

    return finding


def _check_split(vector: Vector) -> Finding | None:
    asked = _members(vector.members["json"])
    try:
        pieces = split_range(
            _ranges(asked, vector.generation),
            cast("int", asked["start"]),
            cast("int", asked["end"]),
            kind=cast("Any", asked.get("kind", "blocks")),
            fewest=asked.get("fewest") is True,
            generation=vector.generation,
        )
    except InputError as error:
        is_same = not vector.is_accepted and str(error) == vector.members["error"]
        return None if is_same else Finding(message=f"{error}, not {vector.members.get('error')}", error=error)

    found: JsonValue = [list(piece) for piece in pieces]
    is_same = vector.is_accepted and same(found, vector.members["result"])
    return None if is_same else Finding(message=f"{found}, not {vector.members.get('result')}", written=found)


def _check_filter(vector: Vector) -> Finding | None:
    asked = _members(vector.members["json"])
    after, before = (None if asked[name] is None else read_bound(str(asked[name])) for name in ("after", "before"))
    kept = filter_ranges(_ranges(asked, vector.generation), after=after, before=before)
    found: JsonValue = [one.bundle_start_slot for one in kept]
    expected = vector.members["result"]
    assert isinstance(expected, list)
    wanted: JsonValue = [one["bundle_start_slot"] if isinstance(one, dict) else one for one in expected]
    return None if same(found, wanted) else Finding(message=f"{found}, not {wanted}", written=found)


def _check_bound(vector: Vector) -> Finding | None:
    try:
        bound = read_bound(str(vector.members["json"]))
    except InputError as error:
        return Finding(message=str(error), error=error) if vector.is_accepted else None
    if not vector.is_accepted:
        return Finding(message=f"should be refused: {vector.members['json']}", value=bound)

    expected = _members(vector.members["result"])
    if isinstance(bound, int):
        return None if expected.get("slot") == bound else Finding(message=f"{bound}, not {expected}")

    is_same = str(expected.get("time")).replace("+00:00", "Z") == str(bound)
    return None if is_same else Finding(message=f"{bound}, not {expected}")


def _check_url(function: Callable[[str], str]) -> Callable[[Vector], Finding | None]:
    def check_url(vector: Vector) -> Finding | None:
        try:
            found = function(str(vector.members["json"]))
        except InputError as error:
            return Finding(message=str(error), error=error) if vector.is_accepted else None
        if vector.is_accepted and found == vector.members["result"]:
            return None

        return Finding(message=f"{vector.members['json']}: {found}, not {vector.members.get('result')}", written=found)

    return check_url


def _check_id(function: Callable[[str], str]) -> Callable[[Vector], Finding | None]:
    def check_id(vector: Vector) -> Finding | None:
        try:
            text = cast("str", read_value(str, vector.text))
            found = function(text)
        except (InputError, RemoteProtocolError) as error:
            return Finding(message=str(error), error=error) if vector.is_accepted else None
        if vector.is_accepted and found == vector.expected:
            return None

        return Finding(message=f"{vector.text}: {found}, not {vector.expected}", value=found)

    return check_id


def _check_create_name(vector: Vector) -> Finding | None:
    create = cast("CreateSession", read_value(CreateSession, vector.text, generation=vector.generation))
    try:
        name = None if create.name is None else session_name(create.name)
    except InputError as error:
        return Finding(message=str(error), error=error) if vector.is_accepted else None
    if not vector.is_accepted:
        return Finding(message=f"the name should be refused: {create.name}", value=create)

    named: JsonValue = None if name is None else {"createToken": create.create_token, "name": name}
    return _compare(vector, create, {"name": named, "parallel": create.parallel})


def _check_apply(vector: Vector) -> Finding | None:
    options = cast("SubscribeOptions", read_value(SubscribeOptions, dump(vector.members["config"])))
    after = options.applied_to(vector.members["before"])
    is_same = same(after, vector.members["after"])
    return None if is_same else Finding(message=f"{after}, not {vector.members['after']}", written=after)


def _check_create(vector: Vector) -> Finding | None:
    asked = _members(vector.members["json"])
    try:
        start_slot, end_slot = slot_range(
            cast("int", asked["start_slot"]),
            end_slot=cast("int | None", asked["end_slot"]),
            slot_count=cast("int | None", asked["slot_count"]),
        )
    except InputError as error:
        return Finding(message=str(error), error=error) if vector.is_accepted else None
    if not vector.is_accepted:
        return Finding(message=f"should be refused: {asked}", value=(start_slot, end_slot))

    create = CreateSession(
        params=SessionParams(start_slot=start_slot, end_slot=end_slot), parallel=asked["parallel"] is True
    )
    written: JsonValue = json.loads(write_value(create, generation=Generation.V0_9))
    is_same = same(written, vector.members["result"])
    return None if is_same else Finding(message=f"{written}, not {vector.members['result']}", written=written)


def _check_injection(vector: Vector) -> Finding | None:
    asked = _members(vector.members["json"])
    authority = asked["authority"]
    account = program_data_account(
        bytes(cast("list[int]", asked["elf"])),
        deploy_slot=cast("int", asked["deploy_slot"]),
        lamports=cast("int", asked["lamports"]),
        authority=None if authority is None else encode_base58(bytes([cast("int", authority)]) * 32),
    )
    written: JsonValue = json.loads(write_value(account))
    (expected,) = _members(vector.members["result"]).values()
    return None if same(written, expected) else Finding(message=f"{written}, not {expected}", written=written)


def _check_stream(vector: Vector) -> Finding | None:
    decompressor = StreamDecompressor()
    messages = vector.members.get("messages")
    if not isinstance(messages, list):
        return _check_frames(vector, decompressor)

    compressor, again = StreamCompressor(), StreamDecompressor()
    for position, message in enumerate(_members(one) for one in messages):
        plain = str(message["plain"]).encode()
        if decompressor.decompress(base64.b64decode(str(message["frame"]))) != plain:
            return Finding(message=f"message {position} came out differently")
        if again.decompress(compressor.compress(plain)) != plain:
            return Finding(message=f"message {position} did not survive our own compression")
    return None


def _check_frames(vector: Vector, decompressor: StreamDecompressor) -> Finding | None:
    frames = vector.members["frames"]
    assert isinstance(frames, list)
    try:
        plain: JsonValue = [decompressor.decompress(base64.b64decode(str(frame))).decode() for frame in frames]
    except RemoteProtocolError as error:
        return Finding(message=str(error), error=error) if vector.is_accepted else None
    if not vector.is_accepted:
        return Finding(message="the frames should be refused", value=plain)

    return None if same(plain, vector.members["plain"]) else Finding(message=f"{plain}, not {vector.members['plain']}")


def _ranges(asked: Members, generation: Generation) -> tuple[AvailableRange, ...]:
    value = read_value(tuple[AvailableRange, ...], dump(asked["ranges"]), generation=generation)
    return cast("tuple[AvailableRange, ...]", value)


def _members(value: JsonValue) -> Members:
    assert isinstance(value, dict)
    return value


def _expanded(value: JsonValue) -> JsonValue:
    """Return `value` with every compressed text in it replaced by what it holds."""
    match value:
        case dict():
            return {name: _expanded(member) for name, member in value.items()}
        case list():
            return [_expanded(item) for item in value]
        case str() if value.startswith("KLUv/"):
            return _expanded(json.loads(StreamDecompressor().decompress(base64.b64decode(value))))
        case _:
            return value


_KINDS: dict[str, tuple[object, bool]] = {
    "AccountData": (AccountData, True),
    "AccountModifications": (Mapping[AddressText, AccountData], False),
    "ActionAnchor": (ActionAnchor, False),
    "ActionKind": (ActionKind, False),
    "AgentParams": (AgentParams, False),
    "AgentStatsReport": (AgentStats, True),
    "ArbRouteParams": (ArbRouteParams, False),
    "AvailableRange": (AvailableRange, True),
    "BacktestError": (BacktestFailure, True),
    "BacktestRequest": (ControlRequest, False),
    "BacktestResponse": (ControlResponse, True),
    "BacktestStatus": (Annotated[str, NAME], True),
    "BinaryEncoding": (Literal["base64"], True),
    "BundleBuildListResponse": (http_bodies.BundleBuildList, True),
    "BundleBuildRequest": (http_bodies.BundleBuildRequest, False),
    "BundleBuildStatus": (http_bodies.BundleBuildStatus, True),
    "BundleBuildStatusResponse": (http_bodies.BundleBuild, True),
    "BundleDeleteRequest": (http_bodies.BundleDelete, False),
    "BundleDeleteResponse": (http_bodies.BundleDeleted, True),
    "BundleKind": (BundleKind, True),
    "CloseSessionRequestV1": (CloseSubSession, False),
    "Compression": (Literal["zstd"], False),
    "ComputeTotals": (http_bodies.ComputeTotals, True),
    "ContinueParams": (Continue, False),
    "ContinueSessionRequestV1": (ContinueSubSession, False),
    "ContinueToParams": (ContinueTo, False),
    "ContinueToSessionRequestV1": (ContinueSubSessionTo, False),
    "CreateBacktestSessionRequest": (CreateSession, False),
    "CreateBacktestSessionRequestV1": (CreateSession, False),
    "CreateSessionParams": (SessionParams, False),
    "DatasetCredentialsResponse": (http_bodies.DatasetCredentials, True),
    "DepthCoverageResponse": (http_bodies.DepthCoverage, True),
    "DepthRequest": (http_bodies.DepthRequest, False),
    "DepthStatusResponse": (http_bodies.DepthStatus, True),
    "DiagnosticProbeParams": (DiagnosticProbeParams, False),
    "DirectFillTemplate": (reroute.DirectFillTemplate, False),
    "DiscoveryBatchEvent": (DiscoveryBatch, True),
    "DiscoveryFilter": (DiscoveryFilter, True),
    "EncodedBinary": (EncodedBinary, True),
    "FailFastDivergenceKind": (Literal["any-non-benign", "tracked"], True),
    "JobKind": (Literal["bundle_build", "depth"], True),
    "L1Score": (replacements.L1Score, True),
    "MintPair": (reroute.MintPair, False),
    "PausedEvent": (Paused, True),
    "ReplacementNotification": (replacements.ReplacementNotification, True),
    "RerouteLegNotification": (replacements.RerouteLeg, True),
    "RerouteParams": (reroute.RerouteParams, False),
    "RerouteStatsReport": (RerouteStats, True),
    "RouteHop": (replacements.RouteHop, True),
    "ScheduledAction": (ScheduledAction, False),
    "SessionCounts": (http_bodies.SessionCounts, True),
    "SessionEventKind": (SessionEvent, True),
    "SessionEventV1": (SessionEvent, True),
    "SessionSummary": (SessionSummary, True),
    "SessionUsagePage": (http_bodies.SessionUsagePage, True),
    "SlotRange": (http_bodies.SlotRange, True),
    "SnapshotSlotResponse": (http_bodies.SnapshotSlot, True),
    "SubscribeConfig": (SubscribeOptions, False),
    "SubscribeConfig.from_value": (SubscribeOptions, False),
    "TakerSlots": (reroute.TakerSlots, False),
    "TxResolver": (TxResolver, False),
    "UsagePricing": (http_bodies.UsagePricing, True),
    "UsageReport": (http_bodies.UsageReport, True),
    "VecAvailableRange": (tuple[AvailableRange, ...], True),
}
"""What each type is read as, and whether it comes from the server: then unknown variants are kept."""

_CHECKS: dict[str, Callable[[Vector], Finding | None]] = {
    "ControlSessionId": _check_id(lambda text: session_id(text, prefix="parallel_")),
    "CreateSession": _check_create,
    "RangeBound": _check_bound,
    "SequencedResponse": _check_sequenced,
    "SessionId": _check_id(session_id),
    "SessionName": _check_id(session_name),
    "SubscribeConfig.apply_to": _check_apply,
    "backtest_ws_url": _check_url(urls.control_url),
    "build_program_injection": _check_injection,
    "control": _check_control,
    "create_name": _check_create_name,
    "filter_ranges": _check_filter,
    "http_base_from_ws_url": _check_url(urls.http_base),
    "http_to_ws_url": _check_url(urls.websocket_url),
    "split_range": _check_split,
    "ws_compression": _check_stream,
}
