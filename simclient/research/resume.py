"""Taking up a run from its file: what it has, where the next line goes, and what is still to be run.

A session must begin where a bundle begins, and what a program did in one slot shows in the next. So a range that was not finished is
executed again from its first slot, and of what comes the lines that the file already has are left out: each as often as it is there. That
makes no gap and no double wherever the file was cut, in whatever order the streams came. Ranges that were finished are not run again.

A line is known by a hash of all that it says except which session said it: some 100 bytes of memory per line.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import final

import attrs
import msgspec

from .records import RunFileError, RunMetadata, RunSummary, SessionOutcome, decode_event
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

    @property
    def open_ranges(self) -> tuple[tuple[int, int], ...]:
        """The parts of a parallel run that did not complete; empty: none did, or nobody wrote down which."""
        sessions = () if self.summary is None else self.summary.sessions
        left = tuple((one.start_slot, one.end_slot) for one in sessions if one.status != "completed")
        return left if len(left) < len(sessions) else ()

    @property
    def finished_sessions(self) -> tuple[SessionOutcome, ...]:
        """The parts of a parallel run that did complete."""
        sessions = () if self.summary is None else self.summary.sessions
        return tuple(one for one in sessions if one.status == "completed")

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to run."""
        return self.summary is not None and self.summary.status == "completed"


def read_resume_point(path: Path) -> ResumePoint:
    """Read what the file of a run has.

    Raises:
        RunFileError: It cannot be read, is compressed, damaged, or not the file of a run of simclient.
    """
    if is_compressed(path):
        raise RunFileError(f"cannot resume {path}: it is compressed; unpack it first: zstd -d {path}")

    metadata: RunMetadata | None = None
    summary: RunSummary | None = None
    written = WrittenLines()
    keep_bytes = 0
    for number, line in enumerate(open_lines(path), start=1):
        if not line.endswith(b"\n"):
            break
        if line.startswith(_EVENTS):
            written.add(line)
        else:
            event = _decoded(path, number, line)
            if number == 1 and isinstance(event, RunMetadata):
                metadata = event
            if isinstance(event, RunSummary):
                summary = event
                continue
        keep_bytes += len(line)

    if metadata is None or metadata.tool != "simclient":
        raise RunFileError(f"cannot resume {path}: it is not the file of a run of simclient")
    return ResumePoint(path=path, metadata=metadata, written=written, keep_bytes=keep_bytes, summary=summary)


def _known_by(line: bytes) -> bytes:
    """Return what tells a line from others: the session's id, its last key, does not."""
    end = line.rfind(_SESSION)
    return hashlib.blake2b(line if end < 0 else line[:end], digest_size=_HASH_BYTES).digest()


def _decoded(path: Path, number: int, line: bytes) -> object:
    try:
        return decode_event(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFileError(f"cannot resume {path}: it is damaged: line {number}: {error}") from error
