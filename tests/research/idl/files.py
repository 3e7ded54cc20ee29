"""One program's IDL in both formats, and bytes as its program writes them."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

from simclient.wire.addresses import encode_base58

PROGRAM = encode_base58(bytes([9]) * 32)
OWNER = bytes([7]) * 32

SIDE: dict[str, object] = {
    "name": "Side",
    "type": {
        "kind": "enum",
        "variants": [
            {"name": "Bid"},
            {"name": "Ask"},
            {"name": "At", "fields": [{"name": "slot", "type": "i64"}]},
            {"name": "Pair", "fields": ["u8", "bool"]},
        ],
    },
}
ERRORS: list[object] = [
    {"code": 6001, "name": "SlippageExceeded", "msg": "too much slippage"},
    {"code": 6002, "name": "Closed"},
]

FILLED_NEW = bytes([9]) * 8

OLD: dict[str, object] = {
    "version": "0.1.0",
    "name": "market",
    "instructions": [
        {"name": "initialize", "accounts": [], "args": []},
        {
            "name": "placeOrder",
            "accounts": [
                {"name": "owner", "isMut": True, "isSigner": True},
                {"name": "vaults", "accounts": [{"name": "base", "isMut": True, "isSigner": False}]},
            ],
            "args": [{"name": "order", "type": {"defined": "Order"}}, {"name": "limit", "type": {"option": "u64"}}],
        },
    ],
    "accounts": [
        {
            "name": "Book",
            "type": {
                "kind": "struct",
                "fields": [
                    {"name": "owner", "type": "publicKey"},
                    {"name": "orders", "type": {"vec": {"defined": "Order"}}},
                    {"name": "seed", "type": {"array": ["u8", 4]}},
                ],
            },
        }
    ],
    "types": [
        {
            "name": "Order",
            "type": {
                "kind": "struct",
                "fields": [
                    {"name": "side", "type": {"defined": "Side"}},
                    {"name": "price", "type": "u128"},
                    {"name": "note", "type": "string"},
                ],
            },
        },
        SIDE,
    ],
    "events": [{"name": "Filled", "fields": [{"name": "amount", "type": "u64", "index": False}]}],
    "errors": ERRORS,
    "metadata": {"address": PROGRAM},
}

NEW: dict[str, object] = {
    "address": PROGRAM,
    "metadata": {"name": "market", "version": "0.1.0", "spec": "0.1.0"},
    "instructions": [
        {"name": "initialize", "discriminator": [175, 175, 109, 31, 13, 152, 155, 237], "accounts": [], "args": []},
        {
            "name": "place_order",
            "discriminator": [51, 194, 155, 175, 109, 130, 96, 106],
            "accounts": [
                {"name": "owner", "writable": True, "signer": True},
                {"name": "vaults", "accounts": [{"name": "base", "writable": True}]},
            ],
            "args": [
                {"name": "order", "type": {"defined": {"name": "Order"}}},
                {"name": "limit", "type": {"option": "u64"}},
            ],
        },
        {"name": "short", "discriminator": [5], "accounts": [], "args": [{"name": "n", "type": "u8"}]},
    ],
    "accounts": [
        {"name": "Book", "discriminator": [1, 2, 3, 4, 5, 6, 7, 8]},
        {"name": "Grid", "discriminator": [8, 7, 6, 5, 4, 3, 2, 1]},
    ],
    "events": [{"name": "Filled", "discriminator": [9, 9, 9, 9, 9, 9, 9, 9]}],
    "errors": ERRORS,
    "types": [
        {
            "name": "Book",
            "type": {
                "kind": "struct",
                "fields": [
                    {"name": "owner", "type": "pubkey"},
                    {"name": "orders", "type": {"vec": {"defined": {"name": "Order"}}}},
                    {"name": "seed", "type": {"array": ["u8", 4]}},
                ],
            },
        },
        {"name": "Filled", "type": {"kind": "struct", "fields": [{"name": "amount", "type": "u64"}]}},
        {
            "name": "Order",
            "type": {
                "kind": "struct",
                "fields": [
                    {"name": "side", "type": {"defined": {"name": "Side"}}},
                    {"name": "price", "type": "u128"},
                    {"name": "note", "type": "string"},
                ],
            },
        },
        SIDE,
        {
            "name": "Row",
            "generics": [{"kind": "type", "name": "T"}, {"kind": "const", "name": "N", "type": "usize"}],
            "type": {
                "kind": "struct",
                "fields": [{"name": "cells", "type": {"array": [{"generic": "T"}, {"generic": "N"}]}}],
            },
        },
        {"name": "Cell", "type": {"kind": "type", "alias": "i16"}},
        {
            "name": "Grid",
            "serialization": "bytemuck",
            "repr": {"kind": "c"},
            "type": {
                "kind": "struct",
                "fields": [
                    {
                        "name": "row",
                        "type": {
                            "defined": {
                                "name": "Row",
                                "generics": [
                                    {"kind": "type", "type": {"defined": {"name": "Cell"}}},
                                    {"kind": "const", "value": "3"},
                                ],
                            }
                        },
                    },
                    {"name": "ratio", "type": "f64"},
                    {"name": "owner", "type": {"coption": "pubkey"}},
                    {"name": "tags", "type": {"hashMap": ["string", "u8"]}},
                ],
            },
        },
    ],
}


def write(path: Path, idl: object) -> Path:
    path.write_text(json.dumps(idl))
    return path


def text(value: str) -> bytes:
    return len(value).to_bytes(4, "little") + value.encode()


def order(side: bytes, price: int, note: str) -> bytes:
    return side + price.to_bytes(16, "little") + text(note)


def grid(*, has_owner: bool) -> bytes:
    row = struct.pack("<3h", -1, 2, 300)
    return (
        row
        + struct.pack("<d", 0.5)
        + int(has_owner).to_bytes(4, "little")
        + OWNER
        + b"\x01\0\0\0"
        + text("a")
        + b"\x07"
    )


def event_line(amount: int, discriminator: bytes = FILLED_NEW) -> str:
    return "Program data: " + base64.b64encode(discriminator + amount.to_bytes(8, "little")).decode()
