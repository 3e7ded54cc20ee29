"""The pictures of the documentation, made anew by `nox -s pictures` or `python docs/pictures.py`; nothing in them is drawn by hand.

`run.svg` is what a terminal shows during and after `simclient run --local`; `activity.png` is a chart of the report about that run.
(The chart of speeds comes from `nox -s bench`.)
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

PICTURES = Path(__file__).parent / "pictures"
COLUMNS, SHOWN_ROWS = 96, 20
_LIVE_ENDS = "\x1b[?25h"
"""The cursor comes back: what was live is wiped, and results follow."""
_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
"""rich's pictures ask another host for a font; these take one that the reader has."""


def main() -> None:
    """Make every picture."""
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "run.svg").write_text(terminal_picture(["run", "--local"]))
    with TemporaryDirectory() as folder:
        simclient("run", "--local", "--output", f"{folder}/run.ndjson")
        simclient("report", f"{folder}/run.ndjson", "--png", f"{folder}/charts")
        shutil.copy(f"{folder}/charts/activity.png", PICTURES / "activity.png")


def terminal_picture(arguments: list[str]) -> str:
    """Run a command at a terminal, and draw the terminal as SVG: the last sight of what moved, then the first rows of the results."""
    printed = at_a_terminal([sys.executable, "-m", "simclient", *arguments])
    live, _, results = printed.rpartition(_LIVE_ENDS)
    head = live.split("\n")[0]
    bar = "\n".join(line.rpartition("\x1b[2K")[2] for line in live.splitlines()[-2:])
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="256")
    console.print(Text(f"$ simclient {' '.join(arguments)}", style="bold"))
    for part in (head, bar, *results.rpartition("\x1b[2K")[2].splitlines()[:SHOWN_ROWS]):
        console.print(Text.from_ansi(part))
    console.print("…")
    picture = console.export_svg(title="simclient", theme=MONOKAI, unique_id="run")
    return _FONTS.sub("", picture).replace("Fira Code", "ui-monospace")


def at_a_terminal(command: list[str]) -> str:
    """Return what a command writes to a terminal with colours."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=end, stderr=end, env=environment)
    os.close(end)
    received = bytearray()
    while True:
        try:
            received += os.read(terminal, 65_536)
        except OSError:  # how Linux says that nobody holds the other end any more
            break
    os.close(terminal)
    if process.wait() != 0:
        raise SystemExit(f"{command} failed:\n{received.decode()}")
    return received.decode().replace("\r\n", "\n")


def simclient(*arguments: str) -> None:
    """Run a command of which only the files are wanted."""
    subprocess.run([sys.executable, "-m", "simclient", *arguments], check=True, capture_output=True)


if __name__ == "__main__":
    main()
