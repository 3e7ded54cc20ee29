"""The blocks of a page: what is shown to be run, in the order in which it stands there.

A page is Markdown as MyST reads it. These blocks are run, others (`text`, `json`, …) are not:

- whatever has a caption is a file of that name, which a later command runs or reads;
- `python` without one is run where it stands; `await` may stand in it as it is;
- `console` has commands after `$ ` and what they print, in which `...` stands for anything;
- `sh` has commands alone, one to a line.

A comment right before a block prepares it, and is seen by nobody else: `<!-- setup` … `-->` holds commands, or Python in which a line
`...` is the place of the block; `<!-- not run: REASON -->` leaves it out.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import attrs

__all__ = ["Block", "Command", "blocks_of", "commands_of"]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<kind>setup|not run:)\s(?P<note>(?:(?!-->).)*)-->\n+)?"
    r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"\{code-block\}\s*(\w+)")
_CAPTION = re.compile(r"^:caption:\s*(\S+)\n", re.MULTILINE)
_OPTIONS = re.compile(r"\A(?::[\w-]+:[^\n]*\n)+\n?")


@attrs.frozen(kw_only=True)
class Block:
    """What stands between two fences."""

    line: int
    language: str
    text: str
    caption: str | None = None
    setup: str | None = None
    not_run: str | None = None


@attrs.frozen
class Command:
    """A command, and the lines that the page says it prints; None: the page does not say."""

    command: str
    output: str | None


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    return [_block(match, source) for match in _BLOCK.finditer(source)]


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a `console` or `sh` block."""
    if block.language == "sh":
        lines = block.text.replace("\\\n", "").splitlines()
        return [Command(line, None) for line in lines if line and not line.startswith("#")]

    commands: list[Command] = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *rest = part.splitlines()
        while command.endswith("\\"):
            command = f"{command}\n{rest.pop(0)}"
        commands.append(Command(command, "\n".join(rest)))
    return commands


def _block(match: re.Match[str], source: str) -> Block:
    info, text = match["info"].strip(), match["text"]
    directive = _DIRECTIVE.fullmatch(info)
    caption = None
    if directive is not None:
        options = _OPTIONS.match(text)
        named = None if options is None else _CAPTION.search(options[0])
        caption = None if named is None else named[1]
        text = _OPTIONS.sub("", text)
    return Block(
        line=source.count("\n", 0, match.start("fence")) + 1,
        language=info if directive is None else directive[1],
        text=textwrap.dedent(text),
        caption=caption,
        setup=match["note"] if match["kind"] == "setup" else None,
        not_run=match["note"].strip() if match["kind"] == "not run:" else None,
    )
