"""The bodies of the control host's HTTP methods, except `/available-ranges`, which is in `ranges`. All are snake_case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import attrs

from ..errors import InputError
from .accounts import AccountData
from .addresses import address_of
from .instants import read_instant
from .ranges import BundleKind
from .schema import I64, OMIT_DEFAULT, ONLY_0_28, U16, U64, AddressText, Base64Text, SnakeValue

__all__ = [
    "BundleBuild",
    "BundleBuildList",
    "BundleBuildRequest",
    "BundleBuildStatus",
    "BundleBuildUsage",
    "BundleDelete",
    "BundleDeleted",
    "CompletedBundle",
    "ComputeTotals",
    "DatasetCredentials",
    "DepthCoverage",
    "DepthGranularity",
    "DepthRequest",
    "DepthSource",
    "DepthSourceCoverage",
    "DepthStatus",
    "ProgramOverride",
    "SessionCounts",
    "SessionUsage",
    "SessionUsagePage",
    "SlotRange",
    "SnapshotSlot",
    "UsageBucket",
    "UsagePricing",
    "UsageReport",
]

BundleBuildStatus = Literal["completed", "failed", "in_progress", "needs_investigation"]
DepthSource = Literal["onchain", "router"]
DepthGranularity = Literal["slot", "oracle"]


def _instant(text: str) -> str:
    """Return an RFC 3339 text as the real types print it: in UTC, the fraction in threes of digits."""
    try:
        return str(read_instant(text))
    except ValueError as error:
        raise InputError(str(error)) from error


def _instant_or_none(text: str | None) -> str | None:
    return None if text is None else _instant(text)


# GET /usage, GET /usage/sessions


@attrs.frozen(kw_only=True)
class SessionCounts(SnakeValue):
    """How many sessions."""

    started: U64
    completed: U64
    failed: U64


@attrs.frozen(kw_only=True)
class ComputeTotals(SnakeValue):
    """What sessions took."""

    executed_slot_count: U64
    session_duration_ms: U64
    """In milliseconds."""


@attrs.frozen(kw_only=True)
class UsageBucket(SnakeValue):
    """The usage of one day; only in 0.28."""

    start: str = attrs.field(converter=_instant)
    """RFC 3339, as every time in this module."""
    end: str = attrs.field(converter=_instant)
    sessions: SessionCounts
    compute: ComputeTotals


@attrs.frozen(kw_only=True)
class BundleBuildUsage(SnakeValue):
    """How many bundle builds were requested; only in 0.28."""

    requested: U64


@attrs.frozen(kw_only=True)
class UsagePricing(SnakeValue):
    """What the account pays; only in 0.28."""

    dollars_per_slot: float
    dollars_per_minute: float
    max_ms_per_slot: U64
    """Beyond this many milliseconds a slot, time is charged and not slots."""


@attrs.frozen(kw_only=True)
class UsageReport(SnakeValue):
    """`GET /usage`: what one API key used."""

    api_key_name: str
    since: str = attrs.field(converter=_instant)
    until: str = attrs.field(converter=_instant)
    sessions: SessionCounts
    compute: ComputeTotals
    daily: Annotated[tuple[UsageBucket, ...], ONLY_0_28] = ()
    bundle_builds: Annotated[BundleBuildUsage | None, OMIT_DEFAULT, ONLY_0_28] = None
    pricing: Annotated[UsagePricing | None, OMIT_DEFAULT, ONLY_0_28] = None


@attrs.frozen(kw_only=True)
class SessionUsage(SnakeValue):
    """The usage of one session; only in 0.28."""

    session_id: str
    session_name: Annotated[str | None, OMIT_DEFAULT] = None
    started_at: str = attrs.field(converter=_instant)
    ended_at: str = attrs.field(converter=_instant)
    executed_slot_count: U64
    session_duration_ms: U64
    """In milliseconds."""


@attrs.frozen(kw_only=True)
class SessionUsagePage(SnakeValue):
    """`GET /usage/sessions`: one page; only in 0.28."""

    since: str = attrs.field(converter=_instant)
    until: str = attrs.field(converter=_instant)
    sessions: tuple[SessionUsage, ...]
    next_cursor: str | None = None
    """What to ask the next page with; None: this is the last."""


# GET /snapshot-slot


@attrs.frozen(kw_only=True)
class SnapshotSlot(SnakeValue):
    """`GET /snapshot-slot`; only in 0.28, as all that follows."""

    snapshot_slot: U64


# /build-bundle, /bundles


@attrs.frozen(kw_only=True)
class BundleBuildRequest(SnakeValue):
    """`POST /build-bundle`: record slots, inclusive on both ends."""

    start_slot: U64
    end_slot: U64
    bundle_size: U64 | None = None
    """In slots."""
    idempotency_key: str | None = None
    kind: BundleKind = "blocks"


@attrs.frozen(kw_only=True)
class BundleBuild(SnakeValue):
    """`GET /build-bundle/{id}`: how far a build is."""

    request_id: str
    start_slot: U64
    end_slot: U64
    bundle_size: U64 | None = None
    """In slots."""
    status: BundleBuildStatus
    created_at_unix_ms: U64
    """Milliseconds since 1970."""
    kind: BundleKind = "blocks"
    eta_secs: U64 | None = None
    """Seconds until it is done, as far as the server can tell."""


@attrs.frozen(kw_only=True)
class CompletedBundle(SnakeValue):
    """A bundle that is there."""

    start_slot: U64
    end_slot: U64
    kind: BundleKind
    completed_at_unix_ms: I64 | None = None
    size_bytes: I64 | None = None


@attrs.frozen(kw_only=True)
class BundleBuildList(SnakeValue):
    """`GET /build-bundle`: all builds, and the bundles that are there."""

    builds: tuple[BundleBuild, ...]
    bundles: tuple[CompletedBundle, ...] | None = None


@attrs.frozen(kw_only=True)
class BundleDelete(SnakeValue):
    """`DELETE /bundles`: remove what was recorded of these slots."""

    start_slot: U64
    end_slot: U64
    kind: BundleKind = "blocks"


@attrs.frozen(kw_only=True)
class BundleDeleted(SnakeValue):
    """The answer to it: what was removed."""

    start_slot: U64
    end_slot: U64
    kind: BundleKind


# /generate-depth


@attrs.frozen(kw_only=True)
class SlotRange(SnakeValue):
    """Slots, inclusive on both ends."""

    start: U64
    end: U64


@attrs.frozen(kw_only=True)
class ProgramOverride(SnakeValue):
    """A program to run in the place of the recorded one."""

    program_id: AddressText = attrs.field(converter=address_of)
    elf: Base64Text = attrs.field(repr=False)
    """The program, base64."""


@attrs.frozen(kw_only=True)
class DepthRequest(SnakeValue):
    """`POST /generate-depth`: compute market depth over slots, inclusive on both ends."""

    start_slot: U64
    end_slot: U64
    source: DepthSource = "onchain"
    granularity: Annotated[DepthGranularity, OMIT_DEFAULT] = "slot"
    markets: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    program_overrides: Annotated[tuple[ProgramOverride, ...], OMIT_DEFAULT] = ()
    account_overrides: Annotated[Mapping[AddressText, AccountData], OMIT_DEFAULT] = attrs.field(
        factory=dict[str, AccountData]
    )
    """By address."""


@attrs.frozen(kw_only=True)
class DepthStatus(SnakeValue):
    """`GET /generate-depth/{id}`: how far it is."""

    request_id: str
    start_slot: U64
    end_slot: U64
    source: DepthSource
    granularity: Annotated[DepthGranularity, OMIT_DEFAULT] = "slot"
    status: BundleBuildStatus
    capture: Annotated[SlotRange | None, OMIT_DEFAULT] = None
    modification_digest: Annotated[str | None, OMIT_DEFAULT] = None


@attrs.frozen(kw_only=True)
class DepthSourceCoverage(SnakeValue):
    """What there is of one source."""

    source: DepthSource
    revision: U16
    markets: tuple[str, ...]
    venues: tuple[str, ...]
    size_rungs: U64
    completed_ranges: tuple[SlotRange, ...]


@attrs.frozen(kw_only=True)
class DepthCoverage(SnakeValue):
    """`GET /generate-depth/coverage`."""

    sources: tuple[DepthSourceCoverage, ...]


# POST /datasets/credentials


@attrs.frozen(kw_only=True)
class DatasetCredentials(SnakeValue):
    """`POST /datasets/credentials`: short-lived keys to a bucket; the secrets stand in no repr."""

    access_key_id: str = attrs.field(repr=False)
    secret_access_key: str = attrs.field(repr=False)
    session_token: str = attrs.field(repr=False)
    expiration: str | None = attrs.field(default=None, converter=_instant_or_none)
    s3_uri: str
    user_s3_uri: Annotated[str | None, OMIT_DEFAULT] = None
    region: str | None = None
