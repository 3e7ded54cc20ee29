"""Rerouting of order flow in a 0.28 session: what to quote again, and the templates that fill a swap directly."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

import attrs

from ..errors import InputError
from .accounts import EncodedBinary
from .addresses import address_of, address_set, decode_base58
from .schema import OMIT_DEFAULT, ONE_OR_MANY, U8, U32, AddressText, BareValue, WireValue

__all__ = [
    "DerivedAccount",
    "DirectFillTemplate",
    "MintPair",
    "RerouteFilter",
    "RerouteParams",
    "Seed",
    "SwapMode",
    "TakerSlots",
    "TemplateAccount",
    "TemplateInstruction",
    "UserSeed",
    "Utf8Seed",
]

SwapMode = Literal["ExactIn", "ExactOut"]

_AGGREGATORS = ("jupiter", "okx", "titan", "dflow")
_AMOUNT_BYTES = 8
"""An amount in instruction data is a u64."""
_MOST_ACCOUNTS = 255
_MOST_SEEDS = 16
_LONGEST_SEED_BYTES = 32


def _aggregators(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names in lower case, without repetition, in the order in which the real types write them."""
    lowered = {name.strip().lower() for name in names}
    unknown = lowered.difference(_AGGREGATORS)
    if unknown:
        raise InputError(f"unknown swap aggregator {sorted(unknown)[0][:40]!r}; there are {', '.join(_AGGREGATORS)}")

    return tuple(name for name in _AGGREGATORS if name in lowered)


def _pair(mints: Iterable[object]) -> tuple[str, ...]:
    addresses = sorted((address_of(mint) for mint in mints), key=decode_base58)
    if len(addresses) != 2:
        raise InputError(f"a pair has two mints, not {len(addresses)}")

    return tuple(addresses)


@attrs.frozen(kw_only=True)
class MintPair(BareValue):
    """Two mints, in the order of their bytes whichever way they were given; only in 0.28, like all of this module."""

    mints: tuple[AddressText, ...] = attrs.field(converter=_pair)


def _pair_set(pairs: Iterable[MintPair]) -> tuple[MintPair, ...]:
    return tuple(sorted(set(pairs), key=lambda pair: [decode_base58(mint) for mint in pair.mints]))


@attrs.frozen(kw_only=True)
class RerouteFilter(WireValue):
    """Which swaps are rerouted: those between the mints of one of these pairs."""

    pairs: tuple[MintPair, ...] = attrs.field(default=(), converter=_pair_set)


@attrs.frozen(kw_only=True)
class TemplateAccount(WireValue):
    """An account of a template's instruction."""

    address: AddressText = attrs.field(converter=address_of)
    writable: bool = False
    signer: bool = False


@attrs.frozen(kw_only=True)
class TemplateInstruction(WireValue):
    """The instruction that a template makes."""

    program_id: AddressText = attrs.field(converter=address_of)
    accounts: tuple[TemplateAccount, ...]
    data: EncodedBinary


@attrs.frozen(kw_only=True)
class Utf8Seed(BareValue):
    """`utf8`: the seed is this text."""

    wire_name: ClassVar[str] = "utf8"

    text: str


@attrs.frozen(kw_only=True)
class UserSeed(WireValue):
    """`user`: the seed is the taker's address."""

    wire_name: ClassVar[str] = "user"


Seed = Utf8Seed | UserSeed


@attrs.frozen(kw_only=True)
class DerivedAccount(WireValue):
    """An address that is derived for each taker."""

    program: AddressText = attrs.field(converter=address_of)
    seeds: tuple[Seed, ...]
    slots: Annotated[tuple[U8, ...], ONE_OR_MANY]
    """Places in the instruction's accounts where it is put, as in `TakerSlots`."""


@attrs.frozen(kw_only=True)
class TakerSlots(WireValue):
    """Which accounts of the instruction are the taker's: places counted from 0."""

    user: tuple[U8, ...]
    input_token_account: Annotated[tuple[U8, ...], ONE_OR_MANY]
    output_token_account: Annotated[tuple[U8, ...], ONE_OR_MANY]
    derived: Annotated[tuple[DerivedAccount, ...], OMIT_DEFAULT] = ()


@attrs.frozen(kw_only=True)
class DirectFillTemplate(WireValue):
    """A swap instruction in which amount and taker are filled in.

    Raises:
        InputError: The parts do not fit together.
    """

    label: str
    mode: SwapMode
    input_mint: AddressText = attrs.field(converter=address_of)
    output_mint: AddressText = attrs.field(converter=address_of)
    instruction: TemplateInstruction
    amount_offset: U32
    """Where in the instruction's data the amount is put, in bytes."""
    taker: TakerSlots

    def __attrs_post_init__(self) -> None:
        _check_template(self)


@attrs.frozen(kw_only=True)
class RerouteParams(WireValue):
    """What is rerouted and how."""

    aggregators: tuple[str, ...] = attrs.field(default=("jupiter",), converter=_aggregators)
    """Whose swaps: of `jupiter`, `okx`, `titan`, `dflow`."""
    filter: Annotated[RerouteFilter | None, OMIT_DEFAULT] = None
    detect_failed_l1_swaps: bool = False
    circular_arbs: bool = False
    requote: bool = True
    direct_fill: Annotated[tuple[DirectFillTemplate, ...], OMIT_DEFAULT] = ()
    extra_markets: Annotated[tuple[AddressText, ...], OMIT_DEFAULT] = attrs.field(default=(), converter=address_set)


def _check_template(template: DirectFillTemplate) -> None:
    count = len(template.instruction.accounts)
    if not template.label.strip():
        raise InputError("a template's label must not be blank")
    if template.input_mint == template.output_mint:
        raise InputError("a template must trade two different mints")
    if not 1 <= count <= _MOST_ACCOUNTS:
        raise InputError(f"a template's instruction has 1 to {_MOST_ACCOUNTS} accounts, not {count}")

    _check_amount(template)
    _check_slots(template)


def _check_amount(template: DirectFillTemplate) -> None:
    try:
        data_bytes = len(base64.b64decode(template.instruction.data.data, validate=True))
    except ValueError as error:
        raise InputError(f"a template's instruction data is not base64: {error}") from error
    if template.amount_offset + _AMOUNT_BYTES > data_bytes:
        raise InputError(f"no room for an amount at byte {template.amount_offset} of {data_bytes}")


def _check_slots(template: DirectFillTemplate) -> None:
    taker, accounts = template.taker, template.instruction.accounts
    token_slots = taker.input_token_account + taker.output_token_account
    derived_slots = tuple(slot for derived in taker.derived for slot in derived.slots)
    every_slot = taker.user + token_slots + derived_slots
    if not taker.user or not taker.input_token_account or not taker.output_token_account:
        raise InputError("a template needs a place for the user and for each token account")
    if any(slot >= len(accounts) for slot in every_slot):
        raise InputError(f"a place is past the instruction's {len(accounts)} accounts")
    if len(set(every_slot)) != len(every_slot):
        raise InputError("a place has more than one role")
    if not all(accounts[slot].signer for slot in taker.user):
        raise InputError("the user's place must be a signer")
    if not all(accounts[slot].writable for slot in token_slots):
        raise InputError("a token account's place must be writable")

    for derived in taker.derived:
        _check_derived(derived)


def _check_derived(derived: DerivedAccount) -> None:
    texts = [seed.text for seed in derived.seeds if isinstance(seed, Utf8Seed)]
    if not 1 <= len(derived.seeds) <= _MOST_SEEDS or any(len(text.encode()) > _LONGEST_SEED_BYTES for text in texts):
        raise InputError(f"a derived account has 1 to {_MOST_SEEDS} seeds of at most {_LONGEST_SEED_BYTES} bytes")
    if not derived.slots:
        raise InputError("a derived account needs a place")
