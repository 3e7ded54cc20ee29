"""`simclient bundle request`, `status`, `list` and `delete`: bundles that a server records; newer servers only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import App, Parameter

from ..errors import InputError
from .options import FLAG
from .terminal import clean, error_console, print_json_text, result_console

if TYPE_CHECKING:
    from ..wire.http_bodies import BundleBuild
    from ..wire.ranges import BundleKind

__all__ = ["add_server_commands"]

_DEFAULT_POLL_SECONDS = 15.0


def add_server_commands(bundle: App) -> None:
    """Add the commands to those of `simclient bundle`."""
    for command in (request, status, delete):
        bundle.command(command)
    bundle.command(list_, name="list")


async def request(
    url: str | None = None,
    /,
    *,
    start_slot: int | None = None,
    end_slot: int | None = None,
    latest: int | None = None,
    bundle_size: int | None = None,
    account_state: Annotated[bool, FLAG] = False,
    idempotency_key: str | None = None,
    wait: Annotated[bool, FLAG] = False,
    poll_seconds: float = _DEFAULT_POLL_SECONDS,
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
) -> int:
    """Have a server record slots, so that it can replay them; newer servers only.

    $ simclient bundle request HOST --start-slot 300000000 --end-slot 300000999 --wait
    $ simclient bundle request HOST --latest 1000 --json

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        start_slot: The first slot.
        end_slot: The last slot, inclusive.
        latest: In place of a range: so many slots, from the next one of the chain on.
        bundle_size: In slots; by default the server decides.
        account_state: Record the state of accounts in place of transactions.
        idempotency_key: A second request with the same key finds the first one's build.
        wait: Wait until it is done; the exit code is 1 if it fails.
        poll_seconds: How often to ask meanwhile.
        json: Print JSON.

    Raises:
        InputError: The range cannot be used, or there is no server or no key.
        SimClientError: The server cannot be asked, or refuses; or it was waited for and failed.
    """
    from .server import open_server

    if (latest is None) == (start_slot is None and end_slot is None) or (start_slot is None) != (end_slot is None):
        raise InputError("which slots? give --start-slot and --end-slot, or --latest")
    if latest is not None and latest < 1:
        raise InputError(f"--latest {latest}: 1 is the least")

    async with open_server(url) as client:
        if latest is not None:
            newest = await client.snapshot_slot()
            start_slot, end_slot = newest + 1, newest + latest
        assert start_slot is not None
        assert end_slot is not None
        build = await client.build_bundle(
            start_slot=start_slot,
            end_slot=end_slot,
            bundle_size=bundle_size,
            kind=_kind(account_state=account_state),
            idempotency_key=idempotency_key,
        )
        if wait:
            error_console().print(f"waiting for {_describe(build)}", soft_wrap=True)
            build = await client.wait_for_bundle(build.request_id, poll_seconds=poll_seconds)
    return _show(build, is_json=json)


async def status(
    request_id: str, url: str | None = None, /, *, json: Annotated[bool, FLAG, Parameter(name="--json")] = False
) -> int:
    """Say how far a server is with recording slots; newer servers only.

    $ simclient bundle status REQUEST_ID HOST

    Args:
        request_id: What `bundle request` printed.
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        json: Print JSON.

    Raises:
        SimClientError: The server cannot be asked, or refuses.
    """
    from .server import open_server

    async with open_server(url) as client:
        return _show(await client.bundle_build(request_id), is_json=json)


async def list_(
    url: str | None = None,
    /,
    *,
    limit: int | None = None,
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
) -> int:
    """List what a server was asked to record, the newest first, and your own bundles; newer servers only.

    $ simclient bundle list HOST --limit 10

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        limit: At most so many.
        json: Print JSON.

    Raises:
        SimClientError: The server cannot be asked, or refuses.
    """
    from .server import open_server

    async with open_server(url) as client:
        found = await client.list_bundle_builds(limit=limit)
    if json:
        print_json_text(attrs.asdict(found))
        return 0

    lines = [_describe(build) for build in found.builds]
    for bundle in found.bundles or ():
        size = "" if bundle.size_bytes is None else f", {bundle.size_bytes:,} bytes"
        lines.append(f"bundle of {bundle.kind}: slots {bundle.start_slot} to {bundle.end_slot}{size}")
    for line in lines or ["the server lists none"]:
        result_console().print(line, soft_wrap=True)
    return 0


async def delete(
    url: str | None = None,
    /,
    *,
    start_slot: int,
    end_slot: int,
    account_state: Annotated[bool, FLAG] = False,
    yes: Annotated[bool, FLAG] = False,
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
) -> int:
    """Delete one of your own bundles from a server; newer servers only.

    $ simclient bundle delete HOST --start-slot 300000000 --end-slot 300000999
    $ simclient bundle delete HOST --start-slot 300000000 --end-slot 300000999 --yes

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        start_slot: The first slot of the bundle, exactly.
        end_slot: Its last slot, inclusive.
        account_state: One that holds the state of accounts.
        yes: Do not ask.
        json: Print JSON.

    Raises:
        InputError: Nobody is there to be asked, and --yes was not given.
        SimClientError: The server cannot be asked, or refuses.
    """
    from .server import open_server, server_url

    endpoint = server_url(url)  # before anybody is asked anything
    kind = _kind(account_state=account_state)
    if not yes and not _confirm(f"delete the bundle of {kind} with slots {start_slot} to {end_slot}?"):
        error_console().print("nothing was deleted")
        return 1

    async with open_server(endpoint) as client:
        deleted = await client.delete_bundle(start_slot=start_slot, end_slot=end_slot, kind=kind)
    if json:
        print_json_text(attrs.asdict(deleted))
    else:
        result_console().print(f"deleted: {deleted.kind}, slots {deleted.start_slot} to {deleted.end_slot}")
    return 0


def _confirm(question: str) -> bool:
    """Ask on the terminal.

    Raises:
        InputError: There is none.
    """
    if not sys.stdin.isatty():
        raise InputError(f"{question} nobody is there to be asked: add --yes")

    error_console().print(f"{question} [yes/no] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _kind(*, account_state: bool) -> BundleKind:
    return "account_state" if account_state else "blocks"


def _show(build: BundleBuild, *, is_json: bool) -> int:
    """Print how far a build is."""
    if is_json:
        print_json_text(attrs.asdict(build))
    else:
        result_console().print(_describe(build), soft_wrap=True)
    return 0


def _describe(build: BundleBuild) -> str:
    left = "" if build.eta_secs is None else f", about {build.eta_secs:,} s left"
    place = f"slots {build.start_slot} to {build.end_slot}"
    return f"{clean(build.request_id)}: {build.status}, {place}, {build.kind}{left}"
