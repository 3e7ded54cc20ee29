"""The programs that are compared, each run as a process of its own against a sender that is another.

A run that does not get every notification exactly once is an error, not a figure.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import attrs

from .certificates import Certificates
from .streams import FIRST_SLOT, PROGRAM, SLOTS, Stream

__all__ = ["Address", "Figures", "Program", "median_of", "peer_binary", "sending"]

_LIMIT_SECONDS = 300.0
_LOOK_SECONDS = 0.02
"""Between looks at a program's memory."""


@attrs.frozen(kw_only=True)
class Address:
    """Where a sender is."""

    port: int
    authority: Path | None = None
    """Whom to trust, where it speaks TLS."""

    @property
    def url(self) -> str:
        """Without a path."""
        return f"{'ws' if self.authority is None else 'wss'}://127.0.0.1:{self.port}"


@attrs.frozen(kw_only=True)
class Program:
    """A way of reading a stream."""

    name: str
    consumer: str = "read"
    subscriptions: int = 1
    is_kept_alive_often: bool = False
    peer: Path | None = None
    """The Rust driver, where this is it."""

    @property
    def title(self) -> str:
        """What the tables call it."""
        sockets = "" if self.subscriptions == 1 else f", {self.subscriptions} subscriptions"
        return f"{self.name} ({self.consumer}{sockets})"

    def run(self, stream: Stream, address: Address) -> Figures:
        """Read the stream once.

        Raises:
            RuntimeError: It failed, or lost or doubled something.
        """
        command = self._ours(stream, address) if self.peer is None else self._peers(stream, address)
        said, peak_bytes = _run(command, self.title)
        figures = attrs.evolve(_figures(said), peak_bytes=peak_bytes)
        asked = stream.count * self.subscriptions
        if figures.events != asked:
            raise RuntimeError(f"{self.title} read {figures.events} of {asked} notifications")

        return figures

    def _ours(self, stream: Stream, address: Address) -> list[str]:
        flags = ["--subscriptions", str(self.subscriptions)]
        flags += [] if stream.is_compressed else ["--plain"]
        flags += ["--keepalive"] if self.is_kept_alive_often else []
        flags += [] if address.authority is None else ["--authority", str(address.authority)]
        what = [self.name, self.consumer, stream.kind, address.url]
        return [sys.executable, "-m", "benchmarks.consumers", *what, *flags]

    def _peers(self, stream: Stream, address: Address) -> list[str]:
        return [
            *(str(self.peer), "--url", f"{address.url}/backtest", "--key", "none"),
            *("--start", str(FIRST_SLOT), "--slots", str(SLOTS), "--advance", str(SLOTS)),
            *("--subscribe", f"{stream.kind}:{PROGRAM}"),
        ]


@attrs.frozen(kw_only=True)
class Figures:
    """What one run took."""

    events: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int = 0
    pulses_seconds: tuple[float, ...] = ()
    reconnects: int = 0

    @property
    def per_second(self) -> float:
        """Events."""
        return self.events / self.seconds

    @property
    def cpu_per_million(self) -> float:
        """CPU seconds per million events."""
        return self.cpu_seconds / self.events * 1e6


def _run(command: list[str], title: str) -> tuple[dict[str, Any], int]:
    """Run a program; return the line of JSON that it prints last, and its peak memory.

    The memory is looked up while it runs: what `getrusage` says of a child begins with the memory of its parent.
    """
    peak_bytes = 0
    deadline = monotonic() + _LIMIT_SECONDS
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:  # noqa: S603
        while True:
            try:
                out, errors = running.communicate(timeout=_LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                peak_bytes = max(peak_bytes, _peak_bytes(running.pid))
                if monotonic() > deadline:
                    running.kill()
    if running.returncode:
        raise RuntimeError(f"{title} failed: {errors[-2000:]}")

    return json.loads(out.splitlines()[-1]), peak_bytes


def _peak_bytes(process_id: int) -> int:
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return 0  # it has just ended, or this is no Linux

    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else 0


def _figures(said: dict[str, Any]) -> Figures:
    """Read the line that our programs print, or the Rust driver's."""
    if "stream_seconds" in said:
        return Figures(
            events=said["notifications"] - said["duplicates"],
            seconds=said["stream_seconds"],
            cpu_seconds=said["cpu_seconds"],
        )

    return Figures(
        events=said["events"],
        seconds=said["seconds"],
        cpu_seconds=said["cpu_seconds"],
        pulses_seconds=tuple(said["pulses_seconds"]),
        reconnects=said["reconnects"],
    )


def median_of(runs: list[Figures]) -> Figures:
    """Return the medians of several runs; the largest peak."""
    return Figures(
        events=runs[0].events,
        seconds=median(run.seconds for run in runs),
        cpu_seconds=median(run.cpu_seconds for run in runs),
        peak_bytes=max(run.peak_bytes for run in runs),
        pulses_seconds=tuple(pulse for run in runs for pulse in run.pulses_seconds),
    )


@contextmanager
def sending(stream: Stream, *flags: str) -> Iterator[Address]:
    """Run a sender for the block; gives where it is, once all is rendered."""
    what = [stream.kind, str(stream.message_bytes), str(stream.count), *(["--zstd"] if stream.is_compressed else [])]
    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates.write(Path(folder)) if stream.is_secured else None
        secured = [] if certificates is None else ["--certificate", str(certificates.server)]
        command = [sys.executable, "-m", "benchmarks.sender", *what, *secured, *flags]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:  # noqa: S603
            assert sender.stdin is not None
            assert sender.stdout is not None
            try:
                port = int(sender.stdout.readline())
                yield Address(port=port, authority=None if certificates is None else certificates.authority)
            finally:
                sender.stdin.close()  # which ends it


def peer_binary(path: Path) -> Path:
    """Return the Rust driver that `path` names, or holds."""
    binary = path / "client09" if path.is_dir() else path
    if not binary.is_file():
        raise SystemExit(f"--peer {path}: there is no client09; build it first, its README says how")

    return binary
