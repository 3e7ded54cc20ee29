"""Taking up a run from its file: what it has, where the next line goes, and what is still to be run.

A session must begin where a bundle begins, and what a program did in one slot shows in the next. So a range that was not finished is
executed again from its first slot, and of what comes the lines that the file already has are left out: each as often as it is there. That
makes no gap and no double wherever the file was cut, in whatever order the streams came. Ranges that were finished are not run again.

A line is known by a hash of all that it says except which session said it: some 100 bytes of memory per line.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import final

import attrs
import msgspec
import zstandard

from .frames import whole_frames
from .records import RunFileError, RunMetadata, RunSummary, SessionOutcome, SessionStarted, decode_event
from .run_file import is_compressed, open_lines

__all__ = ["ResumePoint", "WrittenLines", "read_resume_point"]

_SESSION = b',"session_id":"'
_EVENTS = (b'{"type":"tx"', b'{"type":"diff"', b'{"type":"logs"')
_HASH_BYTES = 8


@final
class WrittenLines:
    """The lines that a file has and that have not come again yet."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()

    def add(self, line: bytes) -> None:
        """Take a line of the file."""
        self._counts[_known_by(line)] += 1

    def has(self, line: bytes) -> bool:
        """Tell whether the file has this line, and count it as having come again."""
        if not self._counts:
            return False

        key = _known_by(line)
        if key not in self._counts:
            return False

        self._counts[key] -= 1
        if not self._counts[key]:
            del self._counts[key]
        return True

    def __len__(self) -> int:
        """Return how many lines have not come again."""
        return self._counts.total()


@attrs.frozen(kw_only=True)
class ResumePoint:
    """Where a run can be taken up."""

    path: Path
    metadata: RunMetadata
    written: WrittenLines
    keep_bytes: int
    """Up to here the file is kept: whole lines, without a summary."""
    summary: RunSummary | None
    """How the run ended that is to be taken up; None: it was killed."""
    sessions: tuple[SessionOutcome, ...]
    """The parts of a parallel run, each range once, and how they ended; none where it is not known that these are all."""

    @property
    def open_ranges(self) -> tuple[tuple[int, int], ...]:
        """The parts of a parallel run that did not complete; empty: none did."""
        left = tuple((one.start_slot, one.end_slot) for one in self.sessions if one.status != "completed")
        return left if len(left) < len(self.sessions) else ()

    @property
    def finished_sessions(self) -> tuple[SessionOutcome, ...]:
        """The parts of a parallel run that did complete."""
        return tuple(one for one in self.sessions if one.status == "completed")

    @property
    def lacks_only_summary(self) -> bool:
        """Whether all parts of a parallel run completed, and it was killed before it could write that: nothing is left to run."""
        return self.summary is None and bool(self.sessions) and len(self.finished_sessions) == len(self.sessions)

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to run."""
        return self.summary is not None and self.summary.status == "completed"


def read_resume_point(path: Path) -> ResumePoint:
    """Read what the file of a run has.

    Raises:
        RunFileError: It cannot be read, is damaged, or not the file of a run of simclient.
    """
    metadata: RunMetadata | None = None
    summary: RunSummary | None = None
    started: list[SessionStarted] = []
    written = WrittenLines()
    keep_bytes = 0
    for number, (line, end) in enumerate(_whole_lines(path), start=1):
        if line.startswith(_EVENTS):
            written.add(line)
        else:
            event = _decoded(path, number, line)
            if number == 1 and isinstance(event, RunMetadata):
                metadata = event
            if isinstance(event, SessionStarted):
                started.append(event)
            if isinstance(event, RunSummary):
                if end == keep_bytes:
                    raise _packed_by_another(path)
                summary = event
                continue
        keep_bytes = end

    if metadata is None or metadata.tool != "simclient":
        raise RunFileError(f"cannot resume {path}: it is not the file of a run of simclient")
    return ResumePoint(
        path=path,
        metadata=metadata,
        written=written,
        keep_bytes=keep_bytes,
        summary=summary,
        sessions=_parts(metadata, started) if summary is None else summary.sessions,
    )


def _whole_lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the lines of a file that are whole, and where the file is cut to keep each.

    Raises:
        RunFileError: It cannot be read, or is compressed in a way that does not let it go on.
    """
    if not is_compressed(path):
        end = 0
        for line in open_lines(path):
            end += len(line)
            if line.endswith(b"\n"):
                yield line, end
        return

    try:
        for lines, end in whole_frames(path):
            for line in lines.splitlines(keepends=True):
                yield line, end
    except ValueError as error:
        raise _packed_by_another(path) from error
    except (OSError, zstandard.ZstdError) as error:
        raise RunFileError(f"cannot resume {path}: {error}") from error


def _packed_by_another(path: Path) -> RunFileError:
    return RunFileError(f"cannot resume {path}: it was compressed by another program; unpack it first: zstd -d {path}")


def _parts(metadata: RunMetadata, started: Sequence[SessionStarted]) -> tuple[SessionOutcome, ...]:
    """Return how the parts of a run that was killed ended, by the lines that each leaves when it completes.

    Nothing if they do not cover the range one after the other: then the kill came before all of them were written, or a later try
    had other parts.
    """
    parts: dict[tuple[int, int], SessionOutcome] = {}
    for one in started:
        place = one.start_slot, one.end_slot
        if one.status is not None or place not in parts:
            parts[place] = SessionOutcome(
                session_id=one.session_id,
                start_slot=one.start_slot,
                end_slot=one.end_slot,
                status=one.status or "running",
                slots=one.slots or 0,
            )
    ranges = sorted(parts)
    covers = bool(ranges) and ranges[0][0] <= metadata.start_slot and ranges[-1][1] >= metadata.end_slot
    if not covers or any(before[1] + 1 != after[0] for before, after in pairwise(ranges)):
        return ()
    return tuple(parts[place] for place in ranges)


def _known_by(line: bytes) -> bytes:
    """Return what tells a line from others: the session's id, its last key, does not."""
    end = line.rfind(_SESSION)
    return hashlib.blake2b(line if end < 0 else line[:end], digest_size=_HASH_BYTES).digest()


def _decoded(path: Path, number: int, line: bytes) -> object:
    try:
        return decode_event(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFileError(f"cannot resume {path}: it is damaged: line {number}: {error}") from error
