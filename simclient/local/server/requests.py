"""What a client asks on the control socket, checked before anything is done; each refusal has the type that the protocol has for it."""

from __future__ import annotations

import re
from base64 import b64decode

import msgspec

from ...wire.accounts import AccountData
from ...wire.addresses import is_address
from ...wire.codec import read_request
from ...wire.failures import (
    InvalidAccountEncoding,
    InvalidAccountOwner,
    InvalidAccountPubkey,
    InvalidRequest,
    InvalidTransactionEncoding,
)
from ...wire.generation import NEWEST, Generation
from ...wire.params import SessionParams
from ...wire.requests import Continue, ContinueTo, ControlRequest, CreateSession
from ..engine import ModifiedAccount
from .advance import Advance, Pause, Position
from .refusals import Refused
from .schedule import Schedule, read_schedule

__all__ = ["check_continue", "check_continue_to", "check_name", "check_params", "read_control"]

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?", re.ASCII)
"""Source: `SessionName`, simulator-api 0.28.0."""


class _Params(msgspec.Struct):
    replayAccountState: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 (the wire's name)
    agents: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Create(msgspec.Struct):
    params: _Params


def read_control(text: str | bytes) -> tuple[ControlRequest, Generation | None]:
    """Read a request, and of a creation whose client wrote it.

    Raises:
        RemoteProtocolError: It is not a request of the protocol.
    """
    request = read_request(text)
    return request, _generation_of(text) if isinstance(request, CreateSession) else None


def _generation_of(create: str | bytes) -> Generation:
    """Tell from a creation's text whose it is: 0.28 always writes `replayAccountState`, 0.9 always `agents`."""
    try:
        params = msgspec.json.decode(create, type=_Create).params
    except msgspec.DecodeError:  # such as parameters in an array, which nobody's client writes
        return NEWEST

    is_old = params.replayAccountState is msgspec.UNSET and params.agents is not msgspec.UNSET
    return Generation.V0_9 if is_old else Generation.V0_28


def check_params(params: SessionParams) -> Schedule:
    """Check what a session is to be; return what it is to do by itself.

    Raises:
        Refused: The range is reversed, or something is asked for that this simulator does not do.
    """
    start, end = params.start_slot, params.end_slot
    if end < start:
        raise _refused(f"the range is reversed: endSlot {end} is before startSlot {start}")

    if params.agents:
        raise _refused("agents are not served by this simulator, which does not trade by itself; leave agents out")
    if params.reroute:
        raise _refused("reroute is not served by this simulator: there is no router in it; leave reroute out")
    return read_schedule(params)


def check_name(name: str | None) -> str | None:
    """Return a session's name in lower case; None where none is asked for.

    Raises:
        Refused: It is no name.
    """
    if name is None:
        return None

    lowered = name.lower()
    if not _NAME.fullmatch(lowered):
        rule = "use 1 to 100 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit"
        raise _refused(f"{name[:120]!r} is not a session name: {rule}")

    return lowered


def check_continue(request: Continue) -> Advance:
    """Decode what a `continue` carries.

    Raises:
        Refused: With the index or the address of the first bad part.
    """
    if not request.advance_count:
        raise _refused("advanceCount is 0; give at least 1")

    return Advance(
        slots=request.advance_count,
        transactions=tuple(_transaction(text, index) for index, text in enumerate(request.transactions)),
        modifications=tuple(_modified(address, account) for address, account in request.modify_account_states.items()),
    )


def check_continue_to(request: ContinueTo, position: Position) -> Advance:
    """Say what a `continueTo` means for a session that is at `position`.

    Raises:
        Refused: That lies behind.
    """
    pause = Pause(slot=request.slot, batch=request.batch_index)
    if position.is_behind(pause):
        where = f"slot {pause.slot}" if pause.batch is None else f"batch {pause.batch} of slot {pause.slot}"
        raise _refused(f"{where} is behind: the session has executed slot {position.slot}{_within(position)}")

    return Advance(pause=pause)


def _within(position: Position) -> str:
    return "" if position.within is None else f" and {position.within[1]} batches of slot {position.within[0]}"


def _transaction(text: str, index: int) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(InvalidTransactionEncoding(index=index, error=str(error))) from error


def _modified(address: str, account: AccountData) -> ModifiedAccount:
    if not is_address(address):
        raise Refused(InvalidAccountPubkey(address=address, error="not base58 of 32 bytes"))
    if not is_address(account.owner):
        raise Refused(InvalidAccountOwner(address=address, error="not base58 of 32 bytes"))

    try:
        data = account.data.decode()
    except ValueError as error:
        encoding = account.data.encoding
        raise Refused(InvalidAccountEncoding(address=address, encoding=encoding, error=str(error))) from error

    return ModifiedAccount(address, account.lamports, account.owner, data, account.executable)


def _refused(error: str) -> Refused:
    return Refused(InvalidRequest(error=error))
