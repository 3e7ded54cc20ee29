"""Notification streams rendered ahead of the measurement: whole WebSocket frames in memory, ready to be sent.

The messages have the fields and roughly the contents of real ones: addresses out of a small set, account data that changes in few
places, signatures that never repeat; but for logs they end in the running number as 17 digits, by which the Rust driver tells loss.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator

import attrs

from simclient.transport.frames import Frame, encode_frames
from simclient.wire.compression import StreamCompressor

__all__ = ["FIRST_SLOT", "KINDS", "PROGRAM", "PULSE", "SLOTS", "Stream", "frames_of", "messages_of"]

PROGRAM = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"
FIRST_SLOT = 350_000_000
SLOTS = 1000
"""Over which a stream is spread evenly."""
PULSE = "pulse:"
"""How the name of a `status` event or a signature begins that goes on with the `time.monotonic_ns` of its sending."""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_CHARACTER_OF_BYTE = (_ALPHABET * 5)[:256].encode()
_SIGNATURE_CHARACTERS = 70
"""Random ones, followed by `N` and the number."""
_BASE58_CHARACTERS = 86
"""Random ones after a `J`: base58 of 64 bytes, which solana-py insists on."""
_CHUNK_BYTES = 256 * 2**10
"""What is sent at once: whole frames, so that an answer to a ping fits in between."""
_MARK = "@@{}@@"
_SUBSCRIPTION_ID = 1

Render = Callable[[int, random.Random], bytes]


@attrs.frozen(kw_only=True)
class Stream:
    """What one connection is sent."""

    kind: str
    """A name in `KINDS`."""
    message_bytes: int
    count: int
    is_compressed: bool = False
    is_secured: bool = False
    """Whether it goes over TLS."""

    @property
    def how(self) -> str:
        """How it comes, in the words of the tables."""
        return f"{'zstd' if self.is_compressed else 'plain'}{', wss' if self.is_secured else ''}"


def messages_of(stream: Stream) -> Iterator[bytes]:
    """Render the notifications of a stream, then its end marker."""
    render = KINDS[stream.kind](stream.message_bytes)
    chance = random.Random(8)  # noqa: S311  # the same stream each time
    for number in range(stream.count):
        yield _with_slot(render, number, stream.count, chance)
    yield b'{"jsonrpc":"2.0","method":"subscriptionComplete","params":{"subscription":%d}}' % _SUBSCRIPTION_ID


def frames_of(stream: Stream) -> list[bytes]:
    """Render a stream as WebSocket frames, in chunks of whole frames."""
    compressor = StreamCompressor()
    chunks: list[bytes] = []
    waiting: list[Frame] = []
    waiting_bytes = 0
    for message in messages_of(stream):
        payload = compressor.compress(message) if stream.is_compressed else message
        waiting.append((stream.is_compressed, payload))
        waiting_bytes += len(payload)
        if waiting_bytes >= _CHUNK_BYTES:
            chunks.append(encode_frames(waiting))
            waiting, waiting_bytes = [], 0
    return [*chunks, encode_frames(waiting)]


def _with_slot(render: Render, number: int, count: int, chance: random.Random) -> bytes:
    slot = FIRST_SLOT + number * SLOTS // count
    return render(number, chance).replace(b'"slot":0', b'"slot":%d' % slot, 1)


def _signature(number: int, chance: random.Random) -> str:
    return _characters(_SIGNATURE_CHARACTERS, chance) + f"N{number:017}"


def _characters(count: int, chance: random.Random) -> str:
    """Return random characters of base58; that some are a little likelier does not matter here."""
    return chance.randbytes(count).translate(_CHARACTER_OF_BYTE).decode()


def _template(method: str, result: dict[str, object]) -> list[str]:
    """Return the message cut at its marks `@@name@@`: texts and names in turn."""
    params = {"subscription": _SUBSCRIPTION_ID, "result": result}
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(message, separators=(",", ":")).split("@@")


def _fill(template: list[str], values: dict[str, str]) -> bytes:
    return "".join(values[part] if index % 2 else part for index, part in enumerate(template)).encode()


def _addresses(count: int) -> list[str]:
    chance = random.Random(count)  # noqa: S311
    return ["".join(chance.choices(_ALPHABET, k=44)) for _ in range(count)]


_ACCOUNTS = _addresses(512)


def _account_diff(message_bytes: int) -> Render:
    def template(data_bytes: int) -> list[str]:
        states = {
            name: {
                "lamports": "@@lamports@@",
                "data": [_MARK.format(name), "base64"],
                "owner": PROGRAM,
                "executable": False,
                "rentEpoch": 2**64 - 1,
                "space": data_bytes,
            }
            for name in ("pre", "post")
        }
        head = {"context": {"slot": 0}, "account": "@@account@@", "signature": "@@signature@@"}
        return _template("accountDiffNotification", {**head, "tx_index": 12, "block_time": 1_780_000_000, **states})

    data_bytes = 0
    parts = _unquoted(template(data_bytes))
    fixed = len(_fill(parts, dict.fromkeys(("lamports", "account", "signature", "pre", "post"), "")))
    data_bytes = max(0, message_bytes - fixed - 2 * 7 - 44 - 88) // 8 * 3
    parts = _unquoted(template(data_bytes))

    def render(number: int, chance: random.Random) -> bytes:
        changing = min(data_bytes, 24)
        same = bytes(data_bytes - changing)
        return _fill(
            parts,
            {
                "lamports": str(2_039_280 + number % 1000),
                "account": chance.choice(_ACCOUNTS),
                "signature": _signature(number, chance),
                "pre": base64.b64encode(chance.randbytes(changing) + same).decode(),
                "post": base64.b64encode(chance.randbytes(changing) + same).decode(),
            },
        )

    return render


def _unquoted(template: list[str]) -> list[str]:
    """Take the quotes off the marks that stand for numbers."""
    parts = list(template)
    for index in range(1, len(parts), 2):
        if parts[index] == "lamports":
            parts[index - 1] = parts[index - 1].removesuffix('"')
            parts[index + 1] = parts[index + 1].removeprefix('"')
    return parts


def _logs(message_bytes: int) -> Render:
    lines = [f"Program {PROGRAM} invoke [1]"]
    while sum(map(len, lines)) + 4 * len(lines) < message_bytes - 300:
        lines.append(f"Program log: instruction {len(lines)} of {PROGRAM}")
    lines.append(f"Program {PROGRAM} success")
    value = {"signature": "@@signature@@", "err": None, "logs": lines}
    template = _template("logsNotification", {"context": {"slot": 0}, "value": value})
    return lambda _, chance: _fill(template, {"signature": "J" + _characters(_BASE58_CHARACTERS, chance)})


def _transaction(message_bytes: int) -> Render:
    keys = _ACCOUNTS[:20]
    instruction = {"programIdIndex": 3, "accounts": list(range(12)), "data": "3Bxs4gQ6iCpLiarB", "stackHeight": 1}
    balance = {
        "accountIndex": 2,
        "mint": PROGRAM,
        "owner": PROGRAM,
        "programId": PROGRAM,
        "uiTokenAmount": {"amount": "1234567", "decimals": 6, "uiAmount": 1.234567, "uiAmountString": "1.234567"},
    }
    logs = [f"Program {PROGRAM} invoke [1]"]
    result: dict[str, object] = {
        "slot": 0,
        "blockTime": 1_780_000_000,
        "version": "legacy",
        "transaction": {
            "signatures": ["@@signature@@"],
            "message": {
                "header": {
                    "numRequiredSignatures": 1,
                    "numReadonlySignedAccounts": 0,
                    "numReadonlyUnsignedAccounts": 4,
                },
                "accountKeys": keys,
                "recentBlockhash": PROGRAM,
                "instructions": [instruction] * 3,
            },
        },
        "meta": {
            "err": None,
            "status": {"Ok": None},
            "fee": 5000,
            "preBalances": [2_039_280] * 20,
            "postBalances": [2_039_281] * 20,
            "innerInstructions": [{"index": 0, "instructions": [instruction] * 4}],
            "preTokenBalances": [balance] * 4,
            "postTokenBalances": [balance] * 4,
            "rewards": [],
            "loadedAddresses": {"writable": [], "readonly": []},
            "computeUnitsConsumed": 54_000,
            "logMessages": logs,
        },
    }
    while len(json.dumps(result, separators=(",", ":"))) < message_bytes - 200:
        logs.append(f"Program log: instruction {len(logs)} of {PROGRAM}")
    template = _template("transactionNotification", result)
    return lambda number, chance: _fill(template, {"signature": _signature(number, chance)})


KINDS: dict[str, Callable[[int], Render]] = {
    "account-diff": _account_diff,
    "logs": _logs,
    "transaction": _transaction,
}
"""By name: makes, for a size in bytes, the function that renders a message."""
