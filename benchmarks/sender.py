"""`python -m benchmarks.sender KIND BYTES COUNT [--zstd] [--certificate PEM] …`: sends a stream from memory.

A process of its own, so that what is measured is the reader. It speaks just enough of the API for one session at a time: create,
continue, close on `/backtest`; subscribes on `/backtest/SESSION`, whose data begins with the `continue`. A subscriber on `/` has no
session, and its data begins at once. `completed` comes when every data connection has been sent its end. It prints its port, and ends
with its input.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import threading
import time
from contextlib import suppress

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from .streams import FIRST_SLOT, PROGRAM, PULSE, SLOTS, Stream, frames_of

__all__ = ["Sender"]


class _Session:
    """The one session that is open."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.readers: list[threading.Event] = []
        """One per data connection: set when it was sent everything."""


class Sender:
    """Serves control and data connections, a thread each."""

    def __init__(self, stream: Stream, pulse_seconds: float | None, trickle_seconds: float | None) -> None:
        self._count = stream.count
        self._chunks = [] if trickle_seconds is not None else frames_of(stream)
        self._trickle_seconds = trickle_seconds
        self._pulse_seconds = pulse_seconds
        self._session = _Session()

    def serve(self, connection: ServerConnection) -> None:
        """Serve one connection until it ends."""
        assert connection.request is not None
        path = connection.request.path
        with suppress(ConnectionClosed, OSError):
            if path == "/backtest":
                self._serve_control(connection)
            else:
                self._serve_data(connection, has_session=path != "/")

    def _serve_control(self, connection: ServerConnection) -> None:
        session = self._session = _Session()
        while True:
            match json.loads(connection.recv())["method"]:
                case "createBacktestSession":
                    created = {"session_id": "bench", "rpc_endpoint": "/backtest/bench"}
                    _say(connection, "sessionCreated", created)
                    _say(connection, "readyForContinue")
                case "continue":
                    session.started.set()
                    threading.Thread(target=self._run, args=(connection, session), daemon=True).start()
                case "closeBacktestSession":
                    _say(connection, "success")

    def _run(self, connection: ServerConnection, session: _Session) -> None:
        """Send control events until all data is sent, then `completed`."""
        with suppress(ConnectionClosed, OSError):
            for reader in session.readers:
                while not reader.wait(self._pulse_seconds):
                    _say(connection, "status", {"status": f"{PULSE}{time.monotonic_ns()}"})
            _say(connection, "slotNotification", FIRST_SLOT + SLOTS)
            _say(connection, "completed", {})

    def _serve_data(self, connection: ServerConnection, *, has_session: bool) -> None:
        session, is_done = self._session, threading.Event()
        request = json.loads(connection.recv())
        if has_session:
            session.readers.append(is_done)
        connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": 1}))
        if has_session:
            session.started.wait()
        try:
            if self._trickle_seconds is not None:
                self._trickle(connection, self._trickle_seconds)
            for chunk in self._chunks:
                with connection.protocol_mutex:  # the answer to a ping is written by another thread
                    connection.socket.sendall(chunk)
        finally:
            is_done.set()
        for _ in connection:
            pass

    def _trickle(self, connection: ServerConnection, seconds: float) -> None:
        """Send notifications one by one, each with its time for a signature."""
        for _ in range(self._count):
            time.sleep(seconds)
            result = {"context": {"slot": FIRST_SLOT}, "account": PROGRAM, "post": {"lamports": 1}}
            result["signature"] = f"{PULSE}{time.monotonic_ns()}"
            params = {"subscription": 1, "result": result}
            connection.send(json.dumps({"jsonrpc": "2.0", "method": "accountDiffNotification", "params": params}))
        connection.send('{"jsonrpc":"2.0","method":"subscriptionComplete","params":{"subscription":1}}')


def _say(connection: ServerConnection, method: str, params: object = None) -> None:
    message = {"method": method} if params is None else {"method": method, "params": params}
    connection.send(json.dumps(message))


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind")
    parser.add_argument("bytes", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--zstd", action="store_true")
    parser.add_argument("--certificate", help="speak TLS with the key and the certificate in this file")
    parser.add_argument("--pulse", type=float, help="between control events")
    parser.add_argument("--trickle", type=float, help="between notifications")
    arguments = parser.parse_args()
    stream = Stream(
        kind=arguments.kind,
        message_bytes=arguments.bytes,
        count=arguments.count,
        is_compressed=arguments.zstd,
    )
    sender = Sender(stream, arguments.pulse, arguments.trickle)
    secured: ssl.SSLContext | None = None
    if arguments.certificate is not None:
        secured = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secured.load_cert_chain(arguments.certificate)
    with serve(
        sender.serve,
        "127.0.0.1",
        0,
        ssl=secured,
        compression=None,
        ping_interval=None,
        max_size=None,
        server_header=None,
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.socket.getsockname()[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
