"""The server's end of the template processes: one per bundle in use, from which the engines of its sessions are forked.

A template is started when the first session over its bundle begins, and kept for the next ones. Those without a session are ended when
there are too many. A template that has died is replaced by the next session; its engines have died with it.
"""

from __future__ import annotations

import socket
import sys
from array import array
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, final

import msgspec
import trio

from ...errors import ConnectionLost, SimClientError
from ...transport.companion import running_beside
from .messages import (
    BUNDLE,
    BURY,
    FORK,
    RECORDING,
    TEMPLATE_ANSWER,
    TEMPLATE_REQUEST,
    Action,
    Answer,
    BatchFilter,
    Failed,
    Load,
    Probe,
)
from .process import Engine, read_message, refusal

__all__ = ["EngineTemplates", "open_engine"]

_BURIAL_SECONDS: Final = 5.0
"""A killed process ends at once, unless the kernel holds it in a read of a disk that does not answer."""
_MOST_IDLE: Final = 4
"""Templates without a session that are kept: each is a process with the accounts of a bundle, some tens of megabytes."""


_MOST_BYTES: Final = 4 * 2**30
"""Of an engine by itself."""

_File = tuple[str, Path]
"""`BUNDLE` or `RECORDING`, and where it is."""


@final
class _Template:
    """A running template process."""

    def __init__(self, process: trio.Process, control: trio.SocketStream, version: object) -> None:
        self._process = process
        self.version = version
        """What tells the file that it has loaded from one put in its place."""
        self._control = control
        self._lock = trio.Lock()
        self.sessions = 0
        """How many engines of it run."""
        self.retired = trio.Event()

    @property
    def is_alive(self) -> bool:
        """Whether it can still be forked."""
        return self._process.poll() is None

    async def wait_until_prepared(self) -> None:
        """Wait for its first message."""
        message = await read_message(self._control)
        answer = None if message is None else msgspec.msgpack.decode(message, type=Answer)
        if isinstance(answer, Failed):
            raise refusal(answer)
        if answer is None:
            raise ConnectionLost(await self._epitaph())

    @asynccontextmanager
    async def open_engine(self, load: Load) -> AsyncGenerator[Engine]:
        """Fork an engine and begin its session; it is gone when the block is left."""
        ours, theirs = socket.socketpair()
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        try:
            process_id = await self._ask(FORK, 0, theirs)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        finally:
            theirs.close()

        engine = Engine(process_id, stream, partial(self._bury, process_id))
        try:
            async with (
                running_beside(engine.write_requests, name="engine requests"),
                running_beside(engine.read_answers, name="engine answers"),
            ):
                await engine.load(load)
                yield engine
        finally:
            with trio.move_on_after(_BURIAL_SECONDS, shield=True):
                await engine.aclose()

    async def aclose(self) -> None:
        """End the process, and its engines with it."""
        self._process.kill()
        with trio.move_on_after(_BURIAL_SECONDS, shield=True):
            await self._process.wait()
        await trio.aclose_forcefully(self._control)

    async def _bury(self, process_id: int) -> int | None:
        try:
            return await self._ask(BURY, process_id)
        except ConnectionLost:
            return None  # it has died with this process

    async def _ask(self, what: bytes, number: int, given: socket.socket | None = None) -> int:
        """Ask the process for one thing; a request that is begun is finished, since the next answer must be the next request's.

        Raises:
            ConnectionLost: It has died.
        """
        ancillary = [] if given is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [given.fileno()]))]
        with trio.move_on_after(_BURIAL_SECONDS, shield=True):
            async with self._lock:
                try:
                    await self._control.socket.sendmsg([TEMPLATE_REQUEST.pack(what, number)], ancillary)
                    answer = await self._control.receive_some(TEMPLATE_ANSWER.size)
                except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                    answer = b""
                if len(answer) == TEMPLATE_ANSWER.size:
                    return int(TEMPLATE_ANSWER.unpack(answer)[0])

        self._process.kill()
        raise ConnectionLost(await self._epitaph())

    async def _epitaph(self) -> str:
        status = await self._process.wait()
        return f"the engine's template process ended with status {status}; its standard error may say why"


@final
class EngineTemplates:
    """The templates of a simulator, each a task in its nursery.

    Args:
        nursery: The simulator's.
        most_bytes: What each engine may take of memory, beside its bundle's accounts.
    """

    def __init__(self, nursery: trio.Nursery, *, most_bytes: int) -> None:
        self._nursery = nursery
        self._most_bytes = most_bytes
        self._templates: dict[_File, _Template] = {}
        """The one that was used last is the last."""
        self._starting = trio.Lock()

    @asynccontextmanager
    async def open_engine(
        self,
        bundle: Path,
        *,
        start_slot: int,
        end_slot: int,
        extra_compute_units: int | None = None,
        signers: Iterable[str] = (),
        filters: Sequence[BatchFilter] = (),
        actions: Sequence[Action] = (),
        probes: Sequence[Probe] = (),
        is_recording: bool = False,
        speed: float | None = None,
    ) -> AsyncGenerator[Engine]:
        """Start an engine process for one session; it is gone when the block is left.

        Args:
            bundle: The file to replay.
            start_slot: The first slot; earlier slots of the bundle are executed in silence first.
            end_slot: The last slot, inclusive.
            extra_compute_units: Added to each limit that a transaction sets; signatures are then not verified.
            signers: Only recorded transactions that one of these has signed are executed; empty: all.
            filters: What `look_ahead` looks for.
            actions: What is done by itself.
            probes: What a router is asked by itself.
            is_recording: The file is a recording, which is given again and not executed.
            speed: Of a recording, as a multiple of the recorded one; None: without waiting.

        Raises:
            BundleError: The bundle cannot be read.
            InputError: An action has a transaction or an account that is none.
            ConnectionLost: The process could not be started, or died.
        """
        load = Load(
            id=1,
            start_slot=start_slot,
            end_slot=end_slot,
            extra_compute_units=extra_compute_units or 0,
            signers=frozenset(signers),
            filters=list(filters),
            actions=list(actions),
            probes=list(probes),
            speed=speed,
        )
        file = (RECORDING if is_recording else BUNDLE, bundle)
        template = await self._get(file)
        try:
            async with template.open_engine(load) as engine:
                yield engine
        finally:
            template.sessions -= 1
            if self._templates.get(file) is not template:
                self._retire_if_idle(template)
            self._end_some_idle()

    async def _get(self, file: _File) -> _Template:
        async with self._starting:
            template = self._templates.pop(file, None)
            if template is not None and not (template.is_alive and template.version == _version_of(file)):
                self._retire_if_idle(template)
                template = None
            if template is None:
                started: _Template | SimClientError = await self._nursery.start(self._run, file)
                if isinstance(started, SimClientError):
                    raise started
                template = started
            self._templates[file] = template
            template.sessions += 1
            return template

    def _retire_if_idle(self, template: _Template) -> None:
        """End a template that is no longer used, now or when its last session ends."""
        if not template.sessions:
            template.retired.set()

    def _end_some_idle(self) -> None:
        idle = [(file, template) for file, template in self._templates.items() if not template.sessions]
        for file, template in idle[: max(0, len(idle) - _MOST_IDLE)]:
            del self._templates[file]
            template.retired.set()

    async def _run(self, file: _File, *, task_status: trio.TaskStatus[_Template | SimClientError]) -> None:
        """Keep a template until it is retired; a failure to start is the asker's, and not the nursery's."""
        try:
            template = await _start(file, self._most_bytes)
        except SimClientError as error:
            task_status.started(error)
            return

        try:
            task_status.started(template)
            await template.retired.wait()
        finally:
            await template.aclose()


@asynccontextmanager
async def open_engine(bundle: Path, *, start_slot: int, end_slot: int) -> AsyncGenerator[Engine]:
    """Start one engine with a template of its own; as `EngineTemplates.open_engine`."""
    template = await _start((BUNDLE, bundle), _MOST_BYTES)
    try:
        async with template.open_engine(Load(id=1, start_slot=start_slot, end_slot=end_slot)) as engine:
            yield engine
    finally:
        await template.aclose()


async def _start(file: _File, most_bytes: int) -> _Template:
    """Start a template; it does not look for modules in the working directory (`-P`): a `trio.py` of the user's is not ours to run."""
    version = _version_of(file)
    command = [sys.executable, "-P", "-m", "simclient.local.engine", *map(str, file), str(most_bytes)]
    ours, theirs = socket.socketpair()
    control = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    try:
        process = await trio.lowlevel.open_process(command, stdin=theirs)
    except OSError as error:
        await trio.aclose_forcefully(control)
        raise ConnectionLost(f"the engine process cannot be started: {error}") from error
    finally:
        theirs.close()

    template = _Template(process, control, version)
    try:
        await template.wait_until_prepared()
    except BaseException:
        await template.aclose()
        raise

    return template


def _version_of(file: _File) -> object:
    try:
        found = file[1].stat()
    except OSError:
        return None  # whoever opens it says what is wrong

    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
