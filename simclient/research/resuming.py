"""Taking a run up with what it was asked for: its file says that, and the digests of the files that it used.

The first line of a file names URL, range, subscriptions and parameters; programs and accounts are read again from where they were, and must
be what they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
import msgspec

from ..errors import InputError
from ..wire.discovery import ProgramExecuted
from ..wire.subscriptions import AccountDiffs, Logs, Subscription, Transactions
from .preparation import AccountOverrides, ProgramReplacement, read_account_overrides, read_program
from .records import RunFileError, SessionOutcome
from .resume import read_resume_point
from .run_file import read_run
from .values import DEFAULT_ADVANCE_SLOTS, RunConfig, SessionState, StartedRun

__all__ = ["attached_config", "resumed_config", "started_before", "state_before"]


def resumed_config(path: Path, *, url: str | None = None) -> RunConfig:
    """Return what to run so that the file of a run becomes complete; `resume.is_complete` says that nothing is left.

    Args:
        path: The file.
        url: The server; by default the one of the file.

    Raises:
        RunFileError: It is no file of a run of simclient, or damaged.
        InputError: A program or a file of accounts is gone, or is not what it was.
    """
    point = read_resume_point(path)
    metadata = point.metadata
    try:
        asked = msgspec.convert(metadata.parameters, _Parameters)
    except msgspec.ValidationError as error:
        raise RunFileError(f"cannot resume {path}: its parameters cannot be read: {error}") from error

    return RunConfig(
        url=url or metadata.url or "",
        start_slot=metadata.start_slot,
        end_slot=metadata.end_slot,
        advance_slots=asked.advance_slots,
        subscriptions=tuple(_subscriptions(asked)),
        output=path.with_suffix("") if path.name.endswith(".parquet.ndjson") else path,
        write_logs=asked.write_logs,
        write_instructions=asked.write_instructions,
        send_summary=asked.send_summary,
        extra_compute_units=asked.extra_compute_units,
        programs=tuple(_program(path, one) for one in asked.programs),
        account_overrides=_overrides(path, asked.account_overrides),
        discoveries=tuple(ProgramExecuted(program=program) for program in asked.discover),
        is_parallel=asked.parallel and not point.open_ranges,
        ranges=point.open_ranges,
        origin=metadata.origin,
        resume=point,
    )


def attached_config(path: Path, *, url: str | None = None) -> RunConfig:
    """Return what to run so that the file of a run becomes complete by the session that it was written from, which still runs.

    The session says again what it did, and nothing is executed twice; what the file has is left out.

    Args:
        path: The file.
        url: The server; by default the one of the file.

    Raises:
        RunFileError: It is no file of a run of simclient, or damaged.
        InputError: It has no session that can be attached to.
    """
    run = read_run(path)
    sessions = {session.session_id: session for session in run.sessions()}
    config = resumed_config(path, url=url)
    if url is None and "path" in config.origin:
        raise InputError(
            f"cannot attach to the session of {path}: it ran on the embedded simulator, which has ended with its run;"
            f" run its slots again: simclient run --resume {path}"
        )
    if len(sessions) != 1 or config.is_parallel:
        raise InputError(
            f"cannot attach to the session of {path}: the file has {len(sessions)} of them; run its slots again:"
            f" simclient run --resume {path}"
        )

    [session_id] = sessions
    return attrs.evolve(
        config,
        attach=session_id,
        send_summary=False,
        extra_compute_units=None,
        programs=(),
        account_overrides=None,
        discoveries=(),
    )


def started_before(outcome: SessionOutcome) -> StartedRun:
    """Return a session of an earlier try as it began; its name is not known any more."""
    return StartedRun(
        session_id=outcome.session_id,
        task_id=None,
        session_name=None,
        start_slot=outcome.start_slot,
        end_slot=outcome.end_slot,
    )


def state_before(outcome: SessionOutcome) -> SessionState:
    """Return a session of an earlier try as one of this."""
    return SessionState(
        session_id=outcome.session_id,
        start_slot=outcome.start_slot,
        end_slot=outcome.end_slot,
        slots=outcome.slots,
        last_slot=outcome.end_slot,
        status=outcome.status,
    )


class _Program(msgspec.Struct):
    program: str
    source: str
    sha256: str


class _Overrides(msgspec.Struct):
    source: str
    sha256: str


class _Parameters(msgspec.Struct):
    """The parameters in the metadata; see `run_lines`. A session's name cannot be used again, so it is not taken."""

    advance_slots: Annotated[int, msgspec.Meta(ge=1)] = DEFAULT_ADVANCE_SLOTS
    extra_compute_units: int | None = None
    send_summary: bool = False
    write_logs: bool = False
    write_instructions: bool = False
    account_diffs: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    transactions: tuple[str, ...] = ()
    discover: tuple[str, ...] = ()
    programs: tuple[_Program, ...] = ()
    account_overrides: _Overrides | None = None
    parallel: bool = False


def _subscriptions(asked: _Parameters) -> list[Subscription]:
    """Return what was watched: one subscription for each kind."""
    subscriptions: list[Subscription] = []
    if asked.account_diffs or asked.accounts:
        subscriptions.append(AccountDiffs(program=asked.account_diffs, account=asked.accounts))
    if asked.logs:
        subscriptions.append(Logs(mentions=asked.logs))
    if asked.transactions:
        subscriptions.append(Transactions(mentions=asked.transactions))
    return subscriptions


def _program(path: Path, asked: _Program) -> ProgramReplacement:
    program = read_program(asked.program, Path(asked.source))
    _check_digest(path, asked.source, asked.sha256, program.sha256)
    return program


def _overrides(path: Path, asked: _Overrides | None) -> AccountOverrides | None:
    if asked is None:
        return None

    overrides = read_account_overrides(Path(asked.source))
    _check_digest(path, asked.source, asked.sha256, overrides.sha256)
    return overrides


def _check_digest(path: Path, source: str, asked: str, found: str) -> None:
    if asked != found:
        raise InputError(
            f"cannot resume {path}: {source} has changed since the run began (SHA-256 {found[:16]}…, then {asked[:16]}…);"
            " put the old file back, or run anew"
        )
