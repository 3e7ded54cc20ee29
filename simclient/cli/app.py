"""The commands: what each is called, in one line what it does, and the module that it lives in.

A module is imported when its command is used, so `simclient --help` costs no more than this file; each command imports what is heavy
when it runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from ..errors import InputError, SimClientError

__all__ = ["COMMANDS", "build_app", "run_command"]

_CANCELLED = 130

COMMANDS = (
    ("run", "run:run", "Run a backtest and say what it came to."),
    ("compare", "compare:compare", "Compare two runs transaction by transaction, from their files alone."),
    (
        "summarize",
        "summarize:summarize",
        "Say what a run came to, and what every wallet gained or lost, from its file.",
    ),
    ("report", "report:report", "Write one HTML file about a run or a comparison, or its charts as PNG."),
    ("logs", "logs:logs", "Show what programs log in a range of slots, or in the file of a run."),
    ("diffs", "diffs:diffs", "Show every change of accounts in a range of slots, or in the file of a run."),
    (
        "discover",
        "discover:discover",
        "List the batches of a range that invoke a program: the places where a program can stop before them.",
    ),
    (
        "simulate",
        "simulate:simulate",
        "Say what a transaction would do on the state after a slot; nothing of it is kept.",
    ),
    ("sessions", "sessions:sessions", "Take up sessions that run on a server."),
    (
        "record",
        "record:record",
        "Run a session and keep it as it came, to be served again by `simclient local --replay`.",
    ),
    ("ranges", "ranges:ranges", "List the slots that a server can replay."),
    ("usage", "usage:usage", "Say what your API key has used, and what that costs where the server says its prices."),
    ("depth", "depth:depth", "Have a server compute market depth, and see what there is; newer servers only."),
    ("datasets", "datasets:datasets", "Access to the data sets of a server; newer servers only."),
    ("local", "local:local", "Serve the embedded simulator on this machine until Ctrl-C."),
    (
        "bundle",
        "bundles:bundle",
        "Make and look at bundles, files of blocks for the embedded simulator; have a server record some.",
    ),
    ("completion", "completion:completion", "Print what makes a shell complete commands and options."),
)
"""Name, `module:attribute` below `simclient.cli`, and the line for `simclient --help`, which is the first of the command's own help."""


def _versions() -> str:
    """Return the versions that decide what a run computes, and those of the protocol that are spoken."""
    from ..research.versions import installed_versions
    from ..wire.generation import Generation

    protocol = " and ".join(generation.value for generation in Generation)
    versions = installed_versions() | {"protocol: simulator-api": protocol}
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def build_app(*, is_listing: bool = True) -> App:
    """Return the root of the commands.

    Args:
        is_listing: Whether the list of commands may be shown: cyclopts takes the lines given for it in place of the commands' own help,
            so they are left out when a command was named.
    """
    app = App(
        name="simclient",
        help="Backtest Solana programs over past slots: on a simulator server, or on the one in this package.",
        version=_versions,
        help_format="plaintext",
        default_parameter=Parameter(negative=""),
        backend="trio",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for position, (name, home, line) in enumerate(COMMANDS):
        app.command(f"simclient.cli.{home}", name=name, help=line if is_listing else None, sort_key=position)
    return app


def run_command(tokens: Sequence[str]) -> int:
    """Run one command; print what went wrong as one line, and return the exit code."""
    from .terminal import drop_standard_output, fill_closed_streams, print_error

    fill_closed_streams()
    try:
        code: object = build_app(is_listing=not tokens or tokens[0].startswith("-"))(tokens)
    except CycloptsError as error:
        error.verbose = False
        print_error(f"{str(error).rstrip('.')}; see --help")
        return 2
    except SimClientError as error:
        print_error(str(error))
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        return _CANCELLED
    except BrokenPipeError:  # as in `simclient logs … | head`: the reader has what it wanted
        drop_standard_output()
        return 1
    except OSError as error:  # what the library reads and writes is wrapped: this is the standard output
        drop_standard_output()
        print_error(f"cannot write the results: {error.strerror or error}")
        return 1

    return code if isinstance(code, int) else 0  # help and version return nothing
