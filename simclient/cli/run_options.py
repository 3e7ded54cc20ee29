"""What can be asked of a run, by `simclient run` and by the commands that are one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from .options import FLAG, PATH, REPEATABLE, Place

__all__ = ["RunOptions", "SessionOptions"]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SessionOptions(Place):
    """What is executed and watched; the texts below the fields are the help."""

    advance: Annotated[int | None, Parameter(env_var="SIMULATOR_ADVANCE_COUNT")] = None
    """How many slots are asked for at a time; 100 by default."""
    parallel: Annotated[bool, FLAG, Parameter(env_var="SIMULATOR_PARALLEL")] = False
    """Have the server split the range, and run the parts at the same time; each begins with the state that was recorded."""
    account_diffs: Annotated[tuple[str, ...], REPEATABLE] = ()
    """A program: watch every account that it owns. Repeatable."""
    account: Annotated[tuple[str, ...], REPEATABLE] = ()
    """An account, such as a wallet: watch its changes. Repeatable."""
    logs: Annotated[tuple[str, ...], REPEATABLE] = ()
    """A program: watch the logs of transactions that mention it, and write them as `logs` lines. Repeatable."""
    transactions: Annotated[
        tuple[str, ...],
        REPEATABLE,
        Parameter(name=["--transactions", "--program-id"], env_var="SIMULATOR_PROGRAM_ID"),
    ] = ()
    """A program: watch the transactions that mention it. Repeatable. With --local, the token program where nothing else is watched."""
    program_so: Annotated[tuple[str, ...], REPEATABLE, Parameter(env_var="SIMULATOR_PROGRAM_SO")] = ()
    """PROGRAM=FILE: execute this .so in place of the program at an address. Repeatable. FILE alone belongs to a --program-id, by order."""
    account_overrides: Annotated[Path | None, Parameter(env_var="SIMULATOR_ACCOUNT_OVERRIDES")] = None
    """A JSON file of accounts to set before the first slot: {address: {lamports, owner, data: [base64, "base64"]}}."""
    extra_compute_units: Annotated[int | None, Parameter(env_var="SIMULATOR_EXTRA_COMPUTE_UNITS")] = None
    """Add so many to the compute unit limit of every transaction."""
    discover: Annotated[tuple[str, ...], REPEATABLE] = ()
    """A program: have the server announce the batches that invoke it, and count them. Repeatable."""
    name: str | None = None
    """A name for the session, never to be used again; newer servers only."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class RunOptions(SessionOptions):
    """What the user typed; the texts below the fields are the help."""

    instructions: Annotated[bool, FLAG] = False
    """Also write the instructions of transactions, for --idl of `logs`, `diffs` and `report`; lines become about twice as long."""
    fail_on_diff: Annotated[bool, FLAG, Parameter(env_var="SIMULATOR_FAIL_ON_DIFF")] = False
    """Exit with 3 if the server finds that the replay differs from what was recorded."""
    plan: Annotated[bool, FLAG, Parameter(env_var="SIMULATOR_PLAN")] = False
    """Only say what would be run, how long it would take, and what it would cost."""
    resume: Path | None = None
    """Take up the run of this file where it ended, with its own options, and complete the file."""
    retry_failed: Path | None = None
    """The same, but run only what failed."""
    output: Annotated[Path | None, PATH, Parameter(env_var="SIMULATOR_OUTPUT_FILE")] = None
    """Where to write the events: JSON, one object per line; compressed if it ends with .zst; Parquet if with .parquet; - for stdout."""
    record: Path | None = None
    """Where to keep the session as it came: `simclient local --replay` serves it again, without a server."""

    @property
    def has_free_standard_output(self) -> bool:
        """Whether the standard output is free for the summary, or carries the events."""
        return str(self.output) != "-"
