"""The instructions of an executed transaction: its own, and those by which programs called other programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import msgspec
from msgspec import Raw, Struct

from ..errors import RemoteProtocolError
from .addresses import decode_base58
from .notification_parts import Unsigned, excerpt_of

__all__ = ["Instruction", "read_instructions"]

_CALLED_DEPTH = 2
"""Of an instruction that a program made, where the server does not say how deep."""


@final
class Instruction(Struct, frozen=True, gc=False):
    """One instruction that was executed, or would have been had the transaction not failed before."""

    program: str
    """The program that was invoked."""
    accounts: tuple[str, ...]
    """The accounts that it was given, in its order."""
    data: str
    """In base58, as on the wire."""
    depth: int = 1
    """1: of the transaction itself; more: made by the nearest instruction before it that is less deep."""

    @property
    def data_bytes(self) -> bytes:
        """The data, decoded at each reading.

        Raises:
            ValueError: They are not base58.
        """
        return decode_base58(self.data)


class _Compiled(Struct, frozen=True, gc=False, rename="camel"):
    program_id_index: Unsigned
    accounts: tuple[Unsigned, ...] = ()
    data: str = ""
    stack_height: Unsigned | None = None


class _Inner(Struct, frozen=True, gc=False):
    index: Unsigned
    """Of the transaction's own instruction."""
    instructions: tuple[_Compiled, ...] = ()


_OWN = msgspec.json.Decoder(tuple[_Compiled, ...] | None)
_INNER = msgspec.json.Decoder(tuple[_Inner, ...] | None)


def read_instructions(own: Raw, inner: Raw, keys: Sequence[str]) -> tuple[Instruction, ...]:
    """Return instructions in the order in which they were made.

    Args:
        own: `message.instructions`, as it came; empty if it is missing.
        inner: `meta.innerInstructions`, as it came; empty if it is missing.
        keys: The addresses that they refer to by number.

    Raises:
        RemoteProtocolError: They are not in the `json` encoding, or refer to an address that is not there.
    """
    try:
        compiled = _OWN.decode(own) if own else None
        called = _INNER.decode(inner) if inner else None
        return tuple(_in_order(compiled or (), called or (), keys))
    except (msgspec.DecodeError, UnicodeDecodeError, IndexError) as error:
        raise RemoteProtocolError(
            f"cannot read the instructions of a transaction: {error}",
            path="$.params.result.transaction.message.instructions",
            excerpt=excerpt_of(bytes(own)),
        ) from error


def _in_order(own: Sequence[_Compiled], inner: Sequence[_Inner], keys: Sequence[str]) -> Iterator[Instruction]:
    called = {one.index: one.instructions for one in inner}
    for index, instruction in enumerate(own):
        yield _resolved(instruction, keys, 1)
        for one in called.get(index, ()):
            yield _resolved(one, keys, one.stack_height or _CALLED_DEPTH)


def _resolved(compiled: _Compiled, keys: Sequence[str], depth: int) -> Instruction:
    return Instruction(
        program=keys[compiled.program_id_index],
        accounts=tuple(keys[index] for index in compiled.accounts),
        data=compiled.data,
        depth=depth,
    )
