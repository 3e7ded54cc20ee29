"""Running pages: their files, programs and commands, one after the other, in a folder of their own.

Commands run by bash at a terminal of 80 columns, so that they print what a reader sees. What stands for something of the reader's own
(`simulator.example`, `PROGRAM`, …) is replaced, and so is the port 8900, which may be taken here. A hosted simulator is stood in for by
`simclient local --require-key`. A command that serves until Ctrl-C is left running until the page ends.
"""

from __future__ import annotations

import ast
import fcntl
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import sys
import termios
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import trio

from .blocks import Block, Command, blocks_of, commands_of

__all__ = ["PageFailure", "run_pages"]

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = ROOT / "tests" / "local" / "data" / "whirlpool"
HELPERS = Path(__file__).parent / "helpers"
HANG_SECONDS = 180
COLUMNS, ROWS = 80, 50
KEY = "a-key-of-the-pages"

PLACEHOLDERS = {
    r"wss://(HOST|simulator\.example)/backtest": "{hosted}/backtest",
    r"\b(HOST|simulator\.example)\b": "{hosted}",
    r"\b8900\b": "{port}",
}
"""What a reader replaces by something of their own, and what takes its place here."""

IN_COMMANDS = {
    r"\bPROGRAM\b": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    r"\bADDRESS\b": "8csqMFpVqJkBRWYjzkVcXDhb9aAJVeQvjmNEh9GyzF1F",
    r"\bPOOL\b": "3uJZFVm987NLJAq8T6WpUG6TL6CArPwPQ7G391jo1Rc9",
    r"\b300000000\b": "350000000",
    r"--slots [12]000\b": "--slots 20",
    r"--port 9000\b": "--port {port}",
}
"""The same, of commands: the embedded market has these, and 240 slots."""

ARCHIVE_NAMES = {
    "whirlpool-state-20220406.json.gz": "state.json.gz",
    "whirlpool-transaction-20220406.jsonl.gz": "transactions.jsonl.gz",
    "whirlpool-20220331-127483851.so.gz": "program.so.gz",
}
"""The files of a day that a reader downloads, and the 24 slots of it that the tests have."""

SERVES = re.compile(r"^simclient local\b(?!.*(--help|&))")


class PageFailure(AssertionError):
    """A block of a page does not do what the page says."""


def run_pages(pages: Sequence[Path]) -> None:
    """Run every block of pages that belong together, in order, in one folder.

    Raises:
        PageFailure: One of them fails, or prints something else than its page says.
    """
    with TemporaryDirectory() as folder, _servers() as servers:
        sandbox = _Sandbox(Path(folder), servers)
        for page in pages:
            for block in blocks_of(page):
                if block.not_run is None:
                    sandbox.run(page, block)


class _Sandbox:
    """The folder of some pages, and what is running in it."""

    def __init__(self, folder: Path, servers: _Servers) -> None:
        self._page = Path()
        self._folder = folder
        self._servers = servers
        self._port = _free_port()
        (folder / "docs").symlink_to(ROOT / "docs")
        for name, source in ARCHIVE_NAMES.items():
            shutil.copy(ARCHIVE / source, folder / name)

    def run(self, page: Path, block: Block) -> None:
        """Run one block of a page."""
        self._page = page
        match block:
            case Block(caption=str(name)):
                (self._folder / name).write_text(self._filled(block.text))
            case Block(language="python"):
                self._run_program(block)
            case Block(language="console" | "sh"):
                prepared = [Command(line, None) for line in (block.setup or "").splitlines()]
                for command in [*prepared, *commands_of(block)]:
                    self._run_command(block, command)

    def _run_program(self, block: Block) -> None:
        program = self._filled(_program(block))
        (self._folder / ".block.py").write_text(program)
        result = subprocess.run(
            [sys.executable, "-W", "error", ".block.py"],
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            cwd=self._folder,
            env=self._environment(),
            check=False,
        )
        if result.returncode != 0 or result.stderr:
            raise self._failure(block, f"the program failed:\n{program}", result.stdout + result.stderr)

    def _run_command(self, block: Block, command: Command) -> None:
        text = self._filled(self._filled(command.command), IN_COMMANDS)
        if SERVES.match(text):
            text = text if "--port" in text else f"{text} --port {self._port}"
            shown = len((command.output or "").splitlines())
            printed = self._servers.start(text, self._folder, self._environment(), shown)
        else:
            code, printed = _at_a_terminal(text, self._folder, self._environment())
            allowed = re.search(r"#\s*exit code (\d+)", text)
            if code != (0 if allowed is None else int(allowed[1])):
                raise self._failure(block, f"$ {text}\nexit code {code}", printed)
        if command.output is not None and not _agrees(self._filled(command.output), printed):
            raise self._failure(block, f"$ {text}\nthe page says:\n{command.output}", printed)

    def _filled(self, text: str, placeholders: Mapping[str, str] = PLACEHOLDERS) -> str:
        for pattern, value in placeholders.items():
            if re.search(pattern, text):
                hosted = self._servers.hosted() if "{hosted}" in value else ""
                text = re.sub(pattern, value.format(hosted=hosted, port=self._port), text)
        return text

    def _environment(self) -> dict[str, str]:
        path = [str(Path(sys.executable).parent), os.environ["PATH"]]
        imports = [str(HELPERS), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **os.environ,
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join(imports),
            "TERM": "dumb",
            "COLUMNS": str(COLUMNS),
            "SIMULATOR_API_KEY": KEY,
        }

    def _failure(self, block: Block, what: str, printed: str) -> PageFailure:
        return PageFailure(f"{os.path.relpath(self._page, ROOT)}:{block.line}: {what}\nit printed:\n{printed}")


class _Servers:
    """Commands that run until the page ends."""

    def __init__(self) -> None:
        self._page_server: subprocess.Popen[str] | None = None
        self._hosted_server: subprocess.Popen[str] | None = None
        self._hosted = ""

    def hosted(self) -> str:
        """Return the URL of a simulator that asks for the key."""
        if self._hosted_server is None:
            environment = {**os.environ, "SIMULATOR_API_KEY": KEY}
            command = f"{sys.executable} -m simclient local --port 0 --split-slots 60 --require-key"
            self._hosted_server, printed = _start(command, Path.cwd(), environment, shown=1)
            self._hosted = re.findall(r"ws://[\d.:]+", printed)[0]
        return self._hosted

    def start(self, command: str, folder: Path, environment: dict[str, str], shown: int) -> str:
        """Start a server of the page, in place of the one before; return what it prints until it says that it is there."""
        _end(self._page_server)
        self._page_server, printed = _start(command, folder, environment, shown)
        return printed

    def stop(self) -> None:
        """End what runs."""
        _end(self._page_server)
        _end(self._hosted_server)


@contextmanager
def _servers() -> Iterator[_Servers]:
    servers = _Servers()
    try:
        yield servers
    finally:
        servers.stop()


def _start(command: str, folder: Path, environment: dict[str, str], shown: int) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=environment,
    )
    assert process.stdout is not None
    return process, _until_ready(process.stdout, shown)


def _end(process: subprocess.Popen[str] | None) -> None:
    if process is not None:
        process.terminate()
        process.communicate(timeout=HANG_SECONDS)


def _until_ready(output: IO[str], shown: int) -> str:
    """Read what the page shows of a server's lines, at least until it serves."""
    lines: list[str] = []
    for line in output:
        lines.append(line)
        if len(lines) >= shown and any("until Ctrl-C" in each for each in lines):
            return "".join(lines)
    raise PageFailure(f"the server ended:\n{''.join(lines)}")


def _at_a_terminal(command: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command at a terminal; return its exit code and what it printed."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        ["bash", "-eo", "pipefail", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=end,
        stderr=end,
        cwd=folder,
        env=environment,
    )
    os.close(end)
    printed = trio.run(_read_all, terminal, process)
    return process.wait(), printed.decode().replace("\r\n", "\n")


async def _read_all(terminal: int, process: subprocess.Popen[bytes]) -> bytes:
    """Read until the last end of the terminal is closed; a command that hangs is killed."""
    received = bytearray()
    async with trio.lowlevel.FdStream(terminal) as stream:
        with trio.move_on_after(HANG_SECONDS) as scope:
            try:
                async for chunk in stream:
                    received += chunk
            except trio.BrokenResourceError:
                pass  # how Linux says that nobody holds the other end any more
        if scope.cancelled_caught:
            process.kill()
            received += b"\nkilled: it did not end\n"
    return bytes(received)


def _program(block: Block) -> str:
    """Return the program of a block: with what prepares it, and with trio around it if it awaits."""
    program = block.text
    if block.setup is not None:
        place = re.search(r"^( *)\.\.\.$", block.setup, re.MULTILINE)
        program = (
            f"{block.setup}\n{block.text}"
            if place is None
            else block.setup.replace(place[0], textwrap.indent(block.text, place[1]), 1)
        )
    if not _awaits(program):
        return program

    imports = "from __future__ import annotations\n"
    return f"{imports}import trio\nasync def main():\n{textwrap.indent(program, '    ')}\ntrio.run(main)\n"


def _awaits(program: str) -> bool:
    """Whether `await` stands outside of every function."""
    try:
        compile(program, "block", "exec")
    except SyntaxError:
        compile(program, "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return True

    return False


def _agrees(expected: str, printed: str) -> bool:
    """Whether what was printed is what the page says: `...` stands for anything, and long lines may be broken in the page."""
    parts = re.split(r"(\.\.\.)", _tidy(expected))
    pattern = "".join(".*?" if part == "..." else re.escape(part) for part in parts)
    return re.fullmatch(pattern, _tidy(printed), re.DOTALL) is not None


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
