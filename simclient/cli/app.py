"""The commands and their options.

Nothing heavy is imported here: each command imports what it needs when it runs, so that `simclient --help` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from ..errors import InputError, SimClientError

__all__ = ["run_command"]

_CANCELLED = 130
_REPEATABLE = Parameter(negative="", consume_multiple=False)
_FLAG = Parameter(negative="")


def _versions() -> str:
    """Return the versions that decide what a run computes."""
    from ..research.versions import installed_versions

    return ", ".join(f"{name} {version}" for name, version in installed_versions().items())


app = App(
    name="simclient",
    help="Backtest Solana programs over past slots: on a simulator server, or on the one in this package.",
    version=_versions,
    help_format="plaintext",
    backend="trio",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
bundle = App(name="bundle", help="Make and look at bundles: files of blocks for the embedded simulator.")
app.command(bundle)


def run_command(tokens: Sequence[str]) -> int:
    """Run one command; print what went wrong as one line, and return the exit code."""
    from .terminal import drop_standard_output, print_error

    try:
        code: object = app(tokens)
    except CycloptsError as error:
        error.verbose = False
        print_error(f"{error}; see --help")
        return 2
    except SimClientError as error:
        print_error(str(error))
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        return _CANCELLED
    except OSError as error:  # what the library reads and writes is wrapped: this is the standard output
        drop_standard_output()
        print_error(f"cannot write the results: {error.strerror or error}")
        return 1

    return code if isinstance(code, int) else 0  # help and version return nothing


@app.command
async def run(
    url: str | None = None,
    /,
    *,
    local: Annotated[bool, _FLAG] = False,
    bundle: Path | None = None,
    start_slot: int | None = None,
    end_slot: int | None = None,
    slots: int | None = None,
    advance: int | None = None,
    account_diffs: Annotated[tuple[str, ...], _REPEATABLE] = (),
    account: Annotated[tuple[str, ...], _REPEATABLE] = (),
    logs: Annotated[tuple[str, ...], _REPEATABLE] = (),
    transactions: Annotated[tuple[str, ...], _REPEATABLE] = (),
    output: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
) -> int:
    """Run a backtest and say what it came to.

    A server's key is read from the environment variable SIMULATOR_API_KEY; the embedded simulator needs none.
    Ctrl-C closes the session and still writes the summary (exit code 130); a second one leaves at once.

    Examples:
    simclient run --local

    simclient run --local --slots 50 --output run.ndjson

    simclient run wss://HOST/backtest --start-slot 300000000 --slots 1000 --transactions PROGRAM --output run.ndjson

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        local: Use the simulator in this package.
        bundle: With --local: the blocks to replay, a bundle file; by default the small market that comes with the package.
        start_slot: The first slot; with --local by default the bundle's first.
        end_slot: The last slot, inclusive; with --local by default the bundle's last.
        slots: In place of --end-slot: how many slots, exactly.
        advance: How many slots are asked for at a time; 100 by default.
        account_diffs: A program: watch every account that it owns. Repeatable.
        account: An account, such as a wallet: watch its changes. Repeatable.
        logs: A program: watch the logs of transactions that mention it, and write them as `logs` lines. Repeatable.
        transactions: A program: watch the transactions that mention it. Repeatable. With --local and nothing to watch, all that the
            token program does is watched.
        output: Where to write the events, one JSON object per line; - for the standard output.
    """
    from .run import run as run_with
    from .run_options import RunOptions

    options = RunOptions(
        url=url,
        local=local,
        bundle=bundle,
        start_slot=start_slot,
        end_slot=end_slot,
        slots=slots,
        advance=advance,
        account_diffs=account_diffs,
        account=account,
        logs=logs,
        transactions=transactions,
        output=output,
    )
    return await run_with(options)


@app.command
async def local(*, port: int = 8900, bundle: Annotated[tuple[Path, ...], _REPEATABLE] = ()) -> int:
    """Serve the embedded simulator on this machine until Ctrl-C.

    Examples:
    simclient local

    simclient local --port 9000 --bundle day.bundle

    Args:
        port: The port on 127.0.0.1; 0 for any free one.
        bundle: A bundle file to serve, repeatable; by default the small market that comes with the package.
    """
    from .local import serve

    return await serve(bundle, port=port)


@app.command
async def ranges(url: str | None = None, /) -> int:
    """List the slots that a server can replay.

    Examples:
    simclient ranges ws://127.0.0.1:8900

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
    """
    from .ranges import show_ranges

    return await show_ranges(url)


@bundle.command(name="import")
def import_(*, whirlpool: tuple[Path, Path, Path], output: Path, slot_limit: int | None = None) -> int:
    """Make a bundle from the public archive of a real AMM, Orca Whirlpool.

    Examples:
    simclient bundle import --whirlpool state.json.gz transactions.jsonl.gz program.so.gz --output day.bundle

    Args:
        whirlpool: The archive's three files of a day: STATE TRANSACTIONS PROGRAM.
        output: The bundle file to write.
        slot_limit: Take only so many blocks from the beginning of the day.
    """
    from .bundles import import_whirlpool_archive

    return import_whirlpool_archive(*whirlpool, output=output, slot_limit=slot_limit)


@bundle.command
def info(file: Path, /) -> int:
    """Read a whole bundle, which checks it, and say what is in it.

    Examples:
    simclient bundle info day.bundle

    Args:
        file: The bundle file.
    """
    from .bundles import show_bundle

    return show_bundle(file)
