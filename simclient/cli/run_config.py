"""The options of `simclient run`, checked: what is wrong with them is said before anything is started or connected to."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from ..errors import InputError
from ..research.event_file import STANDARD_OUTPUT, check_output
from ..research.preparation import ProgramReplacement, read_account_overrides, read_program
from ..research.recording import check_recordings_folder
from ..research.values import DEFAULT_ADVANCE_SLOTS, RunConfig
from ..wire.addresses import address_of
from ..wire.discovery import ProgramExecuted
from ..wire.program_address import TOKEN_PROGRAM
from ..wire.subscriptions import AccountDiffs, Logs, Subscription, Transactions
from ..wire.urls import redact
from .run_options import RunOptions
from .server import user_agent

__all__ = [
    "BlockRange",
    "addresses_of",
    "check_only_resumes",
    "check_options",
    "run_config",
]

_VARIABLES = {
    "start_slot": "SIMULATOR_START_SLOT",
    "end_slot": "SIMULATOR_END_SLOT",
    "advance": "SIMULATOR_ADVANCE_COUNT",
    "parallel": "SIMULATOR_PARALLEL",
    "account_overrides": "SIMULATOR_ACCOUNT_OVERRIDES",
    "extra_compute_units": "SIMULATOR_EXTRA_COMPUTE_UNITS",
    "fail_on_diff": "SIMULATOR_FAIL_ON_DIFF",
    "plan": "SIMULATOR_PLAN",
    "output": "SIMULATOR_OUTPUT_FILE",
    "transactions": "SIMULATOR_PROGRAM_ID",
    "program_so": "SIMULATOR_PROGRAM_SO",
}
"""Options that may come from the environment: there they are for every run, and no word about this one."""


@attrs.frozen(kw_only=True)
class BlockRange:
    """The slots that are there, inclusive, and where they come from."""

    start_slot: int
    end_slot: int
    name: str
    origin: str
    path: str

    def as_origin(self) -> dict[str, str]:
        """Return it as the metadata of a run has it."""
        return {"bundle": self.name, "about": self.origin, "path": self.path}


def check_options(options: RunOptions, url: str | None) -> None:
    """Check what can be checked without knowing the server or the bundle.

    Args:
        options: What the user typed.
        url: The server that was named, if one was.

    Raises:
        InputError: Options that exclude each other, one that is missing, or a value that cannot be used.
    """
    if options.local and url is not None:
        raise InputError(f"--local and the URL {redact(url)} exclude each other: leave one out")
    if options.bundle is not None and not options.local:
        raise InputError(f"--bundle {options.bundle} is for the embedded simulator: add --local")
    if options.slots is not None and options.end_slot is not None:
        raise InputError("--slots and --end-slot exclude each other: give one of them")
    if options.slots is not None and options.slots < 1:
        raise InputError(f"--slots {options.slots}: 1 is the least")
    if options.advance is not None and options.advance < 1:
        raise InputError(f"--advance {options.advance}: 1 is the least")
    if options.extra_compute_units is not None and not 0 <= options.extra_compute_units < 2**32:
        raise InputError(f"--extra-compute-units {options.extra_compute_units}: give a number from 0 to {2**32 - 1}")
    for file in (options.output, None if options.parallel else options.record):
        if file is not None:
            check_output(file)
    if options.parallel and options.record is not None:
        check_recordings_folder(options.record)
    if options.record is not None and options.record in (STANDARD_OUTPUT, options.output):
        raise InputError(f"--record {options.record}: a recording needs a file of its own")


def run_config(options: RunOptions, *, url: str, available: BlockRange | None) -> RunConfig:
    """Return what to run.

    Args:
        options: Checked ones.
        url: The server.
        available: The range of the local bundle, which is the default; None for a server, whose range we do not know.

    Raises:
        InputError: The range is missing, reversed or not in the bundle, or an address is none.
    """
    start_slot, end_slot = _range(options, available)
    return RunConfig(
        url=url,
        start_slot=start_slot,
        end_slot=end_slot,
        advance_slots=DEFAULT_ADVANCE_SLOTS if options.advance is None else options.advance,
        subscriptions=_subscriptions(options, is_local=available is not None),
        output=options.output,
        record=options.record,
        write_logs=bool(options.logs),
        write_instructions=options.instructions,
        send_summary=options.fail_on_diff or available is not None,
        extra_compute_units=options.extra_compute_units,
        programs=_programs(_paired(options)),
        account_overrides=None
        if options.account_overrides is None
        else read_account_overrides(options.account_overrides),
        discoveries=tuple(ProgramExecuted(program=program) for program in addresses_of("--discover", options.discover)),
        name=options.name,
        is_parallel=options.parallel,
        origin={} if available is None else available.as_origin(),
        user_agent=user_agent(),
    )


def check_only_resumes(options: RunOptions) -> Path:
    """Check that a run that is taken up is given no other options; return its file.

    Raises:
        InputError: There are others: a run goes on with those that it was begun with.
    """
    file = options.resume or options.retry_failed
    assert file is not None
    given = attrs.asdict(options, recurse=False)
    others = {
        name
        for name, default in attrs.asdict(RunOptions(), recurse=False).items()
        if given[name] != default and _VARIABLES.get(name, "") not in os.environ
    }
    if len(others) != 1:
        raise InputError(f"a run goes on with the options that it was begun with: give nothing but the file {file}")
    return file


def _range(options: RunOptions, available: BlockRange | None) -> tuple[int, int]:
    """Return the first and the last slot."""
    start_slot = options.start_slot if available is None or options.start_slot is not None else available.start_slot
    if start_slot is None:
        raise InputError("which slots? give --start-slot, and --slots or --end-slot")

    if options.slots is not None:
        end_slot = start_slot + options.slots - 1
    elif options.end_slot is not None:
        end_slot = options.end_slot
    elif available is not None:
        end_slot = available.end_slot
    else:
        raise InputError(f"how far from slot {start_slot}? give --slots or --end-slot")

    if end_slot < start_slot:
        raise InputError(
            f"the range is reversed: the end slot {end_slot} is before the start slot {start_slot}; swap them"
        )
    if available is not None and not available.start_slot <= start_slot <= end_slot <= available.end_slot:
        raise InputError(
            f"slots {start_slot} to {end_slot} are not all in the bundle {available.name}:"
            f" it has {available.start_slot} to {available.end_slot}"
        )
    return start_slot, end_slot


def _subscriptions(options: RunOptions, *, is_local: bool) -> tuple[Subscription, ...]:
    """Return what to watch: one socket for each kind, so that its events stay in order."""
    asked = (options.account_diffs, options.account, options.logs, options.transactions)
    if is_local and not any(asked):
        return (
            AccountDiffs(program=TOKEN_PROGRAM),
            Logs(mentions=TOKEN_PROGRAM),
            Transactions(mentions=TOKEN_PROGRAM),
        )

    programs, accounts = (
        addresses_of("--account-diffs", options.account_diffs),
        addresses_of("--account", options.account),
    )
    logs, transactions = addresses_of("--logs", options.logs), addresses_of("--transactions", options.transactions)
    subscriptions: list[Subscription] = []
    if programs or accounts:
        subscriptions.append(AccountDiffs(program=programs, account=accounts))
    if logs:
        subscriptions.append(Logs(mentions=logs))
    if transactions:
        subscriptions.append(Transactions(mentions=transactions))
    return tuple(subscriptions)


def _paired(options: RunOptions) -> tuple[str, ...]:
    """Return the programs of --program-so, each with its address: files alone belong to --program-id, by their order.

    Raises:
        InputError: There are more or fewer files than addresses.
    """
    files, addresses = options.program_so, options.transactions
    if not files or any("=" in file for file in files):
        return files
    if len(files) != len(addresses):
        raise InputError(
            f"--program-so {files[0]}: give PROGRAM=FILE, an address and the .so file to execute there"
            f" (or as many files as --program-id: there are {len(files)} and {len(addresses)})"
        )

    return tuple(f"{address}={file}" for address, file in zip(addresses, files, strict=True))


def _programs(texts: tuple[str, ...]) -> tuple[ProgramReplacement, ...]:
    """Return the programs of --program-so.

    Raises:
        InputError: One is not PROGRAM=FILE, is named twice, or its file cannot be used.
    """
    programs: dict[str, ProgramReplacement] = {}
    for text in texts:
        address, equals, file = text.partition("=")
        if not equals or not file:
            raise InputError(f"--program-so {text}: give PROGRAM=FILE, an address and the .so file to execute there")
        [program] = addresses_of("--program-so", (address,))
        if program in programs:
            raise InputError(f"--program-so {text}: {program} is replaced twice; leave one out")
        programs[program] = read_program(program, Path(file))
    return tuple(programs.values())


def addresses_of(option: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses an option names, each once.

    Raises:
        InputError: A text is not an address; the message names the option.
    """
    try:
        return tuple(dict.fromkeys(address_of(text) for text in texts))
    except InputError as error:
        raise InputError(f"{option}: {error}") from error
