"""The exceptions of simclient: few, typed and plain.

Each message says what was being done, to what, and what to do next. One exception comes out of a session block, never a group.
No message, repr or argument holds an API key.

    SimClientError
    ├── InputError              a value you passed cannot be used (also a ValueError); nothing was sent
    │   ├── BundleError         a bundle file cannot be read or written; the place in it is named
    │   └── ProgramError        a program cannot be put into a session: no ELF, or a program that cannot be replaced
    ├── ConnectError            never got a connection: address, TLS, handshake, key, capacity
    ├── ConnectionLost          had it, and it broke; out of a session: the reconnect budget is spent
    ├── ProtocolError
    │   ├── LocalProtocolError  you asked for something illegal in this state
    │   └── RemoteProtocolError the server said something unreadable or illegal
    ├── RemoteError             the server refused: its typed payload
    │   ├── RpcError            a JSON-RPC error object: code, message, data
    │   └── HttpError           an HTTP status other than success: status, body
    ├── SubscriptionFailed      which one, the last slot delivered; everything before it was delivered
    └── SessionClosed           used after the end
"""

from __future__ import annotations

__all__ = [
    "BundleError",
    "ConnectError",
    "ConnectionLost",
    "HttpError",
    "InputError",
    "LocalProtocolError",
    "ProgramError",
    "ProtocolError",
    "RemoteError",
    "RemoteProtocolError",
    "RpcError",
    "SessionClosed",
    "SimClientError",
    "SubscriptionFailed",
]


class SimClientError(Exception):
    """The root of every error that simclient raises on purpose.

    What to do: Catch it to catch all of them: `except SimClientError as error: print(error)`.
    """


class InputError(SimClientError, ValueError):
    """A value that you passed cannot be used; raised before anything is sent.

    What to do: Correct the value that the message names.
    """


class BundleError(InputError):
    """A block bundle cannot be read or written; the message names the file and the place in it.

    What to do: Get or make the file anew; `simclient bundle info FILE` checks one.
    """


class ProgramError(InputError):
    """A program cannot be put into a session: the file is none, or what stands at the address cannot be replaced; nothing was changed.

    What to do: Give the `.so` that the build wrote, and the address of a program that the loader lets be replaced.
    """


class ConnectError(SimClientError):
    """A connection could not be made.

    What to do: Check the address, the network and the key. Where `retryable` is true the same call may succeed later.

    Attributes:
        retryable: Whether another attempt may succeed (a refused port may open; a bad certificate or key will not mend).
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class ConnectionLost(SimClientError):
    """A connection that was up has gone.

    What to do: Run the rest again: `simclient run --resume FILE`, or attach by the session's id while the server keeps it.

    Attributes:
        code: The WebSocket close code, 1006 where the peer sent no close frame, None where there is no WebSocket.
        reason: The close reason the peer gave; it is the peer's text, so treat it as hostile.
    """

    def __init__(self, message: str, *, code: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class ProtocolError(SimClientError):
    """A rule of the protocol was broken, on either side.

    What to do: See which of the two it is.
    """


class LocalProtocolError(ProtocolError):
    """You asked for something that is illegal in this state; nothing was sent and nothing changed.

    What to do: Wait for the state that the message names, such as `ReadyForContinue`, and ask again.
    """


class RemoteProtocolError(ProtocolError):
    """The server said something unreadable or illegal.

    What to do: Check that the address is a simulator's and that simclient is new enough for it; else report it, with `excerpt`.

    Attributes:
        path: The JSON path of the part that is wrong, `$` for the whole message.
        excerpt: At most 200 characters of what was there.
    """

    def __init__(self, message: str, *, path: str = "$", excerpt: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.excerpt = excerpt


class RemoteError(SimClientError):
    """The server refused.

    What to do: Look at `payload`: each kind of refusal has its own remedy, in the table of the server's errors.

    Attributes:
        payload: The typed error that the server gave (one of the classes of `simclient.wire.failures`), or None.
    """

    def __init__(self, message: str, *, payload: object = None) -> None:
        super().__init__(message)
        self.payload = payload


class RpcError(RemoteError):
    """A JSON-RPC request was answered with an error object.

    What to do: Look at `code`: -32602 is a parameter, -32002 a transaction that fails in simulation, with its logs in `data`.

    Attributes:
        method: The method that was called.
        code: The JSON-RPC error code; Solana's own are -32001 to -32016.
        data: The error's `data` as JSON text, None where absent.
    """

    def __init__(self, message: str, *, method: str, code: int, data: str | None = None) -> None:
        super().__init__(message)
        self.method = method
        self.code = code
        self.data = data


class HttpError(RemoteError):
    """An HTTP request was answered with a status other than success.

    What to do: 401 and 403 are about the key; after 429 wait `retry_after_seconds`; 5xx may pass.

    Attributes:
        status: The HTTP status code.
        body: At most 64 KiB of the answer's body, decoded as UTF-8 with replacement.
        retry_after_seconds: What a `Retry-After` header in seconds said, else None.
    """

    def __init__(self, message: str, *, status: int, body: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.retry_after_seconds = retry_after_seconds


class SubscriptionFailed(SimClientError):
    """A subscription ended before its end marker; everything received before was delivered.

    What to do: Use what was delivered, up to `last_slot`, and run again from there; with `--resume` if there is a file.

    Attributes:
        subscription: Which one, as its `describe()` says it.
        last_slot: The last slot delivered for it, None if there was none.
    """

    def __init__(self, message: str, *, subscription: str, last_slot: int | None) -> None:
        super().__init__(message)
        self.subscription = subscription
        self.last_slot = last_slot


class SessionClosed(SimClientError):
    """The session has ended; the reason, if it was a failure, is this error's `__cause__`.

    What to do: Open another session; do not use one after its block or after `Completed`.
    """
