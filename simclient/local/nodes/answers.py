"""What the JSON of a Solana node says: blocks with their slots, accounts with their addresses.

A node's answer does not say which slot or account it is about: that stands in the request. So these forms are read, in any mixture:

    {"request": …, "response": …}      a request with its answer, also batches of both: getBlock, getAccountInfo, getMultipleAccounts,
                                       getProgramAccounts
    {"slot": …, "block": …}            a block with its slot; the members of the block may also stand beside `slot`
    {"pubkey": …, "account": …}        an account, as getProgramAccounts and `solana account --output json` write it
    {ADDRESS: account, …}              accounts by address, as `modifyAccounts` takes them; null for one that does not exist
    an answer alone                    of getBlock in a file named after the slot, of getAccountInfo in one named after the address

Source: Solana's RPC, as Agave 4.1 answers it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated, TypeVar, cast

import attrs
import msgspec
import zstandard
from msgspec import Meta

from ...errors import InputError
from ...wire.addresses import decode_base58, is_address
from .files import Place

__all__ = ["NodeAccount", "NodeBlock", "NodeMeta", "NodeTokenBalance", "NodeTransaction", "facts_of"]

_SKIPPED = (-32004, -32007, -32009)
"""Errors that say of a slot that it has no block."""
_MOST_DATA_BYTES = 10 * 2**20
"""Of one account: the chain's own limit."""
_ENCODINGS = ("base58", "base64", "base64+zstd")
_MOST_BASE58 = 6_000
"""Characters, as it takes time by the square of its length; the largest transaction, 4,096 bytes, has 5,594."""
_Json = dict[str, object]
_U64 = Annotated[int, Meta(ge=0)]


class _Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A JSON object of a node; members that are not named here are left unread."""


_RecordT = TypeVar("_RecordT", bound=_Record)


class _Amount(_Record, frozen=True):
    amount: str


class NodeTokenBalance(_Record, frozen=True):
    """What a token account held before or after a transaction."""

    account_index: _U64
    ui_token_amount: _Amount


class _Loaded(_Record, frozen=True):
    writable: tuple[str, ...] = ()
    readonly: tuple[str, ...] = ()


class NodeMeta(_Record, frozen=True):
    """How a transaction ended."""

    err: object = None
    fee: _U64 | None = None
    post_balances: tuple[_U64, ...] | None = None
    log_messages: tuple[str, ...] | None = None
    compute_units_consumed: _U64 | None = None
    pre_token_balances: tuple[NodeTokenBalance, ...] | None = None
    post_token_balances: tuple[NodeTokenBalance, ...] | None = None
    loaded_addresses: _Loaded | None = None


class NodeTransaction(_Record, frozen=True):
    """A transaction of a block."""

    transaction: object
    meta: NodeMeta | None = None

    def wire(self, place: Place) -> bytes:
        """Return its bytes.

        Raises:
            InputError: It did not come as bytes.
        """
        found = _bytes_of(place, self.transaction)
        if found is None:
            raise InputError(
                f'cannot read {place}: a transaction that is not in bytes; ask getBlock for "encoding": "base64"'
            )

        return found


class _Block(_Record, frozen=True):
    blockhash: str
    parent_slot: _U64
    block_height: _U64 | None = None
    block_time: int | None = None
    transactions: tuple[NodeTransaction, ...] | None = None


@attrs.frozen(kw_only=True)
class NodeBlock:
    """A block and its slot."""

    place: Place
    slot: int
    parent_slot: int
    blockhash: bytes
    block_height: int
    block_time: int
    transactions: tuple[NodeTransaction, ...]


class _Account(_Record, frozen=True):
    lamports: _U64
    owner: str
    data: object
    executable: bool = False


@attrs.frozen(kw_only=True)
class NodeAccount:
    """An account, or the word that there is none."""

    place: Place
    address: str
    context_slot: int | None
    """After which it was like this; None where that is not said."""
    lamports: int = 0
    """0: it does not exist."""
    owner: bytes = bytes(32)
    data: bytes = b""
    executable: bool = False


def facts_of(place: Place, value: object) -> Iterator[NodeBlock | NodeAccount]:
    """Give what one JSON value says.

    Raises:
        InputError: It is none of the forms that are read, or a part of it is unreadable; the message names the place.
    """
    if isinstance(value, list):
        for one in cast("list[object]", value):
            yield from facts_of(place, one)
        return
    if not isinstance(value, dict):
        raise InputError(f"cannot read {place}: neither a block nor an account of a Solana node")

    found = cast("_Json", value)
    if "request" in found and "response" in found:
        yield from _exchanges(place, found["request"], found["response"])
    elif "result" in found or "error" in found:
        yield from _answer(place, found)
    elif "slot" in found and ("block" in found or "blockhash" in found):
        yield from _block(place, found["slot"], found.get("block", found))
    elif "pubkey" in found and "account" in found:
        yield _account(place, found["pubkey"], found["account"], None)
    elif "blockhash" in found and "parentSlot" in found:
        yield from _block(place, _number(place.stem), found)
    elif "context" in found and "value" in found:
        yield from _accounts_alone(place, found)
    elif found and all(map(is_address, found)):
        for address, account in found.items():
            yield _account(place, address, account, None)
    else:
        raise InputError(f"cannot read {place}: neither a block nor an account of a Solana node")


def _exchanges(place: Place, request: object, response: object) -> Iterator[NodeBlock | NodeAccount]:
    """Read a request with its answer, or a batch of both, paired by their ids."""
    if isinstance(request, list) and isinstance(response, list):
        by_id = {str(one.get("id")): one for one in _objects(cast("object", response))}
        for one in _objects(cast("object", request)):
            answer = by_id.get(str(one.get("id")))
            if answer is None:
                raise InputError(f"cannot read {place}: no answer to the request {str(one.get('id'))[:60]}")
            yield from _exchange(place, one, answer)
        return
    if not isinstance(request, dict) or not isinstance(response, dict):
        raise InputError(f"cannot read {place}: request and response are not two JSON objects, or two lists of them")

    yield from _exchange(place, cast("_Json", request), cast("_Json", response))


def _exchange(place: Place, request: _Json, response: _Json) -> Iterator[NodeBlock | NodeAccount]:
    method, params = request.get("method"), request.get("params")
    subject = _first(params)
    if "error" in response:
        _check_skipped(place, method, response)
        return

    result = response.get("result", response)
    match method:
        case "getBlock":
            yield from _block(place, subject, result)
        case "getAccountInfo":
            slot, account = _value_of(place, result)
            yield _account(place, subject, account, slot)
        case "getMultipleAccounts":
            slot, accounts = _value_of(place, result)
            yield from _several(place, subject, accounts, slot)
        case "getProgramAccounts":
            yield from _listed(place, result)
        case _:
            raise InputError(f"cannot read {place}: answers to {str(method)[:60]!r} hold no blocks and no accounts")


def _answer(place: Place, response: _Json) -> Iterator[NodeBlock | NodeAccount]:
    """Read an answer without its request: the file's name says what it is about."""
    if "error" in response:
        _check_skipped(place, "an answer", response)
        return

    result = response["result"]
    if isinstance(result, list):
        yield from _listed(place, cast("object", result))
    elif result is not None:
        yield from facts_of(place, result)


def _accounts_alone(place: Place, result: _Json) -> Iterator[NodeAccount]:
    slot, value = _value_of(place, result)
    if isinstance(value, list):
        yield from _listed(place, result)
        return
    if not is_address(place.stem):
        raise InputError(
            f"cannot read {place}: an account without its address; name the file after it, or keep the request beside the answer"
        )
    yield _account(place, place.stem, value, slot)


def _several(place: Place, addresses: object, accounts: object, slot: int | None) -> Iterator[NodeAccount]:
    asked = cast("list[object]", addresses) if isinstance(addresses, list) else []
    given = cast("list[object]", accounts) if isinstance(accounts, list) else []
    if len(asked) != len(given):
        raise InputError(f"cannot read {place}: {len(given)} accounts answer a request for {len(asked)}")

    for address, account in zip(asked, given, strict=True):
        yield _account(place, address, account, slot)


def _listed(place: Place, result: object) -> Iterator[NodeAccount]:
    slot, listed = _value_of(place, result) if _has_context(result) else (None, result)
    for one in _objects(listed):
        if "pubkey" not in one or "account" not in one:
            raise InputError(
                f"cannot read {place}: accounts without their addresses; keep the request beside the answer"
            )
        yield _account(place, one["pubkey"], one["account"], slot)


def _has_context(result: object) -> bool:
    return isinstance(result, dict)


def _value_of(place: Place, result: object) -> tuple[int | None, object]:
    """Take an answer apart that has a context."""
    found = cast("_Json", result) if isinstance(result, dict) else {}
    context = found.get("context")
    slot = cast("_Json", context).get("slot") if isinstance(context, dict) else None
    if type(slot) is not int or "value" not in found:
        raise InputError(f"cannot read {place}: an answer without context and value")

    return slot, found["value"]


def _objects(value: object) -> list[_Json]:
    """Return a list's members as objects; one that is none counts as empty."""
    members = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("_Json", one) if isinstance(one, dict) else {} for one in members]


def _first(params: object) -> object:
    members = cast("list[object]", params) if isinstance(params, list) else []
    return members[0] if members else None


def _check_skipped(place: Place, method: object, response: _Json) -> None:
    """Pass over the error of a slot that has no block.

    Raises:
        InputError: Any other error.
    """
    error = response["error"]
    code = cast("_Json", error).get("code") if isinstance(error, dict) else None
    if code not in _SKIPPED:
        message = cast("_Json", error).get("message") if isinstance(error, dict) else error
        raise InputError(f"cannot read {place}: the node refused {str(method)[:60]}: {str(message)[:200]}")


def _block(place: Place, slot: object, value: object) -> Iterator[NodeBlock]:
    if value is None:
        return  # a skipped slot
    if type(slot) is not int or slot < 0:
        raise InputError(
            f"cannot read {place}: a block without its slot; name the file after it, or keep the request beside the answer"
        )

    block = _converted(place, value, _Block)
    if block.block_height is None or block.block_time is None or block.transactions is None:
        raise InputError(
            f"cannot read {place}: the block of slot {slot} lacks its height, its time or its transactions"
        )

    blockhash = decode_base58(block.blockhash) if is_address(block.blockhash) else b""
    if not blockhash:
        raise InputError(f"cannot read {place}: the blockhash {block.blockhash[:60]!r} is not base58 of 32 bytes")
    yield NodeBlock(
        place=place,
        slot=slot,
        parent_slot=block.parent_slot,
        blockhash=blockhash,
        block_height=block.block_height,
        block_time=block.block_time,
        transactions=block.transactions,
    )


def _account(place: Place, address: object, value: object, context_slot: int | None) -> NodeAccount:
    if not isinstance(address, str) or not is_address(address):
        raise InputError(f"cannot read {place}: {str(address)[:60]!r} is not an address")
    if value is None:
        return NodeAccount(place=place, address=address, context_slot=context_slot)

    account = _converted(place, value, _Account)
    if not is_address(account.owner):
        raise InputError(f"cannot read {place}: the owner of {address}, {account.owner[:60]!r}, is not an address")
    return NodeAccount(
        place=place,
        address=address,
        context_slot=context_slot,
        lamports=account.lamports,
        owner=decode_base58(account.owner),
        data=_data(place, address, account.data),
        executable=account.executable,
    )


def _data(place: Place, address: str, data: object) -> bytes:
    if isinstance(data, dict):
        fields = cast("_Json", data)  # as `modifyAccounts` takes it
        data = [fields.get("data"), fields.get("encoding")]
    found = _bytes_of(place, data)
    if found is None:
        raise InputError(f'cannot read {place}: the data of {address} is not in bytes; ask for "encoding": "base64"')

    return found


def _bytes_of(place: Place, data: object) -> bytes | None:
    """Read `[text, encoding]`, or base58 text; None where it is neither."""
    if isinstance(data, str):
        return _bytes(data, "base58", place)

    pair = cast("list[object]", data) if isinstance(data, list) else []
    if len(pair) != 2 or not isinstance(pair[0], str) or pair[1] not in _ENCODINGS:
        return None
    return _bytes(pair[0], str(pair[1]), place)


def _bytes(text: str, encoding: str, place: Place) -> bytes:
    try:
        if encoding == "base58":
            if len(text) > _MOST_BASE58:
                raise ValueError("it is too long for that; ask for base64")
            return decode_base58(text)
        found = base64.b64decode(text, validate=True)
        if encoding == "base64":
            return found
        return zstandard.ZstdDecompressor(max_window_size=2**27).decompress(found, max_output_size=_MOST_DATA_BYTES)
    except (binascii.Error, ValueError, zstandard.ZstdError) as error:
        raise InputError(f"cannot read {place}: data that is not {encoding}: {error}") from error


def _converted(place: Place, value: object, kind: type[_RecordT]) -> _RecordT:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"cannot read {place}: {error}") from error


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= 20 else None
