"""How options are spelled, the same in every command."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from ..errors import InputError

__all__ = ["FLAG", "PATH", "REPEATABLE", "Place", "check_replaces_none"]

REPEATABLE = Parameter(consume_multiple=False, show_default=False)
"""An option that is given once per value."""
FLAG = Parameter(show_default=False)
"""A switch."""
PATH = Parameter(allow_leading_hyphen=True)
"""A file, or `-` for the standard output."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Place:
    """Which slots, and of which simulator; the texts below the fields are the help."""

    local: Annotated[bool, FLAG] = False
    """Use the simulator in this package."""
    bundle: Path | None = None
    """With --local: the blocks to replay, a bundle file; by default the small market that comes with the package."""
    start_slot: Annotated[int | None, Parameter(env_var="SIMULATOR_START_SLOT")] = None
    """The first slot; with --local by default the bundle's first."""
    end_slot: Annotated[int | None, Parameter(env_var="SIMULATOR_END_SLOT")] = None
    """The last slot, inclusive; with --local by default the bundle's last."""
    slots: int | None = None
    """In place of --end-slot: how many slots, exactly."""


def check_replaces_none(option: str, output: Path, inputs: Iterable[Path]) -> None:
    """Check that a file to write is none of those that are read.

    Raises:
        InputError: It is one of them.
    """
    if output.exists() and any(one.exists() and one.samefile(output) for one in inputs):
        raise InputError(f"{option} {output} would replace a file that is read; name another one")
