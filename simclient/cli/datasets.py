"""`simclient datasets …`: the service's data sets."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

__all__ = ["datasets"]

datasets = App(name="datasets", help="Access to the data sets of a server; newer servers only.")


@datasets.command
async def credentials(
    url: str | None = None,
    /,
    *,
    form: Annotated[Literal["env", "process", "json"], Parameter(name="--format")] = "env",
) -> int:
    """Print short-lived keys to the bucket of data sets. They are secrets: do not leave them in logs.

    $ eval "$(simclient datasets credentials HOST)"
    $ simclient datasets credentials HOST --format process

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        form: Shell exports, the document that AWS tools want of a `credential_process`, or all as JSON.

    Raises:
        SimClientError: The server cannot be asked, or refuses.
    """
    import shlex

    import attrs

    from .server import open_server
    from .terminal import print_json_text
    from .watching import print_line

    async with open_server(url) as client:
        keys = await client.dataset_credentials()
    if form == "json":
        print_json_text(attrs.asdict(keys))
        return 0
    if form == "process":
        document = {
            "Version": 1,
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret_access_key,
            "SessionToken": keys.session_token,
        }
        print_json_text(document if keys.expiration is None else document | {"Expiration": keys.expiration})
        return 0

    for name, value in (
        ("AWS_ACCESS_KEY_ID", keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key),
        ("AWS_SESSION_TOKEN", keys.session_token),
        ("AWS_REGION", keys.region),
        ("SIMULATOR_DATASETS_URI", keys.s3_uri),
    ):
        if value is not None:
            print_line(f"export {name}={shlex.quote(value)}")
    return 0
