"""The bundles of one simulator: what each covers, and which serve a range."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import final

import attrs

from ...errors import BundleError, InputError
from ...wire.failures import BundleNotFound
from ...wire.ranges import AvailableRange, BundleKind, split_range
from ...wire.recording import RecordedKey, RecordingHeader
from ...wire.requests import CreateSession
from ...wire.subscriptions import SubscriptionKey
from ..bundle import BundleHeader, open_bundle
from .refusals import Refused

__all__ = ["Piece", "ServedBundle", "ServedBundles", "Source", "read_bundles", "read_recordings", "recordings_at"]


_KEYS_SHOWN = 10
"""Recorded subscriptions that a refusal lists."""


@attrs.frozen(kw_only=True)
class Source:
    """A file to replay."""

    path: Path
    is_recording: bool = False
    speed: float | None = None
    """Of a recording, as a multiple of the recorded one; None: without waiting."""
    keys: tuple[RecordedKey, ...] = ()
    """What a recording has."""

    def why_not(self, key: SubscriptionKey) -> str | None:
        """Say why a subscription cannot be had; None: it can."""
        if not self.is_recording or RecordedKey.of(key) in self.keys:
            return None

        there_are = "; ".join(f"{one.method} {one.address}" for one in self.keys[:_KEYS_SHOWN])
        return f"the recording has no {key.method} of {key.address or 'the session'}; it has: {there_are or 'none'}"


@attrs.frozen(kw_only=True)
class Piece:
    """What one session replays of one bundle; slots are inclusive."""

    source: Source
    start_slot: int
    end_slot: int


@attrs.frozen(kw_only=True)
class ServedBundle:
    """A bundle or a recording, and what its header says."""

    source: Source
    header: BundleHeader | RecordingHeader
    start_time: int | None
    """Of the first block, in seconds since 1970; None where there is no block."""

    def covers(self, start_slot: int, end_slot: int) -> bool:
        """Tell whether every slot of a range is this bundle's."""
        return self.header.start_slot <= start_slot and end_slot <= self.header.end_slot


@final
class ServedBundles:
    """What can be replayed.

    Args:
        bundles: The files.
        split_slots: Offer each bundle also in pieces of so many slots, so that a parallel session is split there too.
    """

    def __init__(self, bundles: Sequence[ServedBundle], *, split_slots: int | None = None) -> None:
        self._bundles = tuple(bundles)
        self.ranges: tuple[AvailableRange, ...] = tuple(r for b in bundles for r in _ranges(b, split_slots))
        """What `/available-ranges` says."""
        self.account_state_ranges: tuple[AvailableRange, ...] = tuple(
            attrs.evolve(r, kind="account_state")
            for b in bundles
            if b.source.is_recording
            for r in _ranges(b, split_slots)
        )
        """What it says besides, if it is asked: account states that were recorded."""

    def pieces_of(self, request: CreateSession) -> tuple[Piece, ...]:
        """Return what a session replays, or what each sub-session of a parallel one does.

        Raises:
            Refused: No bundle covers the range, or it cannot be split without a gap.
        """
        start, end = request.params.start_slot, request.params.end_slot
        ranges = self.account_state_ranges if request.params.replay_account_state else self.ranges
        kind: BundleKind = "account_state" if request.params.replay_account_state else "blocks"
        try:
            bounds = split_range(ranges, start, end, kind=kind) if request.parallel else ((start, end),)
        except InputError:
            raise Refused(BundleNotFound(start_slot=start, end_slot=end)) from None

        return tuple(self._piece(*piece, only_recorded=request.params.replay_account_state) for piece in bounds)

    def _piece(self, start: int, end: int, *, only_recorded: bool) -> Piece:
        bundles = (b for b in self._bundles if b.source.is_recording or not only_recorded)
        bundle = next((bundle for bundle in bundles if bundle.covers(start, end)), None)
        if bundle is None:
            raise Refused(BundleNotFound(start_slot=start, end_slot=end))

        return Piece(source=bundle.source, start_slot=start, end_slot=end)


def read_bundles(paths: Sequence[Path]) -> tuple[ServedBundle, ...]:
    """Read the headers of bundles.

    Raises:
        BundleError: One cannot be read.
    """
    return tuple(_read(path) for path in paths)


def read_recordings(paths: Sequence[Path], *, speed: float | None) -> tuple[ServedBundle, ...]:
    """Read recordings, which shows whether they can be served; a folder stands for those in it.

    Raises:
        BundleError: One cannot be read, or a folder has none.
        InputError: The speed is none.
    """
    if speed is not None and not 0 < speed < math.inf:
        raise InputError(f"a recording cannot be served at {speed} times its speed: give a number above 0")

    return tuple(_read_recording(file, speed) for path in paths for file in recordings_at(path))


def recordings_at(path: Path) -> list[Path]:
    """Return the recordings that a path stands for: the file, or those of a folder, in which a parallel run was recorded.

    Raises:
        BundleError: The folder has none.
    """
    if not path.is_dir():
        return [path]

    found = sorted(path.glob("*.recording"))
    if not found:
        raise BundleError(f"cannot use the folder {path}: there is no file *.recording in it")
    return found


def _read_recording(path: Path, speed: float | None) -> ServedBundle:
    from ..recorded.index import read_recording  # only where there is one

    recorded = read_recording(path)
    recorded.close()
    source = Source(path=path, is_recording=True, speed=speed, keys=recorded.header.keys)
    return ServedBundle(source=source, header=recorded.header, start_time=None)


def _read(path: Path) -> ServedBundle:
    with open_bundle(path) as reader:
        for _ in reader.accounts():
            pass
        first = next(iter(reader.slots()), None)
        return ServedBundle(
            source=Source(path=path), header=reader.header, start_time=None if first is None else first.block_time
        )


def _ranges(bundle: ServedBundle, split_slots: int | None) -> Iterator[AvailableRange]:
    """Give the range of a bundle, and then those of its pieces; the time is only known of the first block."""
    first, last = bundle.header.start_slot, bundle.header.end_slot
    start_utc = None
    if bundle.start_time is not None:
        start_utc = datetime.fromtimestamp(bundle.start_time, UTC).isoformat().replace("+00:00", "Z")
    yield _range(first, last, start_utc)
    if split_slots is None or split_slots > last - first:
        return

    for start in range(first, last + 1, split_slots):
        yield _range(start, min(start + split_slots - 1, last), start_utc if start == first else None)


def _range(start: int, end: int, start_utc: str | None) -> AvailableRange:
    return AvailableRange(
        bundle_start_slot=start,
        bundle_start_slot_utc=start_utc,
        max_bundle_end_slot=end,
        max_bundle_size=end - start + 1,
    )
