"""How the enums of the wire are tagged: which variants each has, and what stands for an unknown one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, get_args

import attrs

from .actions import ActionAnchor, TxResolver
from .discovery import DiscoveryFilter, UnknownFilter
from .failures import BacktestFailure, UnknownFailure
from .json_text import JsonValue, RepeatedKeys
from .misfit import Misfit
from .replacements import ReplacementNotification
from .requests import ControlRequest
from .reroute import Seed
from .responses import ControlResponse, SessionEvent, UnknownResponse
from .schema import WireValue

__all__ = ["ABSENT", "Absent", "Adjacent", "External", "Internal", "Tagging", "is_in_external", "tagging_of"]


class Absent:
    """The type of `ABSENT`: there is no content."""


ABSENT: Final = Absent()

Content = JsonValue | Absent
UnknownMaker = Callable[[str, str], object]


@attrs.frozen(kw_only=True)
class Adjacent:
    """`{"method": NAME, "params": …}`; a variant without fields has no second member."""

    variants: tuple[type[WireValue], ...]
    unknown: UnknownMaker | None
    tag: str
    content: str

    def unwrap(self, value: JsonValue) -> tuple[str, Content]:
        """Return the variant's name and its content."""
        members = _object_with(self.tag, value)
        for name in (self.tag, self.content):
            if isinstance(members, RepeatedKeys) and name in members.repeated:
                raise Misfit("this member once", members[name]).at(name)
        return _tag_in(members, self.tag), members.get(self.content, ABSENT)

    def wrap(self, name: str, content: Content) -> JsonValue:
        """Return the whole of what `unwrap` takes apart."""
        return {self.tag: name} if isinstance(content, Absent) else {self.tag: name, self.content: content}

    def step(self, _: str) -> str | None:
        """Return the step of the JSON path that leads to the content."""
        return self.content


@attrs.frozen(kw_only=True)
class Internal:
    """`{"at": NAME, …}`: the tag stands among the variant's own fields."""

    variants: tuple[type[WireValue], ...]
    unknown: UnknownMaker | None
    tag: str

    def unwrap(self, value: JsonValue) -> tuple[str, Content]:
        """Return the variant's name and its fields."""
        members = _object_with(self.tag, value)
        if isinstance(members, RepeatedKeys):
            raise Misfit("every member once", members)
        return _tag_in(members, self.tag), {name: member for name, member in members.items() if name != self.tag}

    def wrap(self, name: str, content: Content) -> JsonValue:
        """Return the whole of what `unwrap` takes apart."""
        return {self.tag: name, **content} if isinstance(content, dict) else {self.tag: name}

    def step(self, _: str) -> str | None:
        """Return None: the fields stand where the tag does."""
        return None


@attrs.frozen(kw_only=True)
class External:
    """`{NAME: …}`; a variant without fields is the bare name."""

    variants: tuple[type[WireValue], ...]
    unknown: UnknownMaker | None

    def unwrap(self, value: JsonValue) -> tuple[str, Content]:
        """Return the variant's name and its content."""
        if isinstance(value, str):
            return value, ABSENT

        if not isinstance(value, dict) or len(value) != 1:
            raise Misfit("a name, or an object with one member", value)

        ((name, content),) = value.items()
        return name, content

    def wrap(self, name: str, content: Content) -> JsonValue:
        """Return the whole of what `unwrap` takes apart."""
        return name if isinstance(content, Absent) else {name: content}

    def step(self, name: str) -> str | None:
        """Return the step of the JSON path that leads to the content."""
        return name


Tagging = Adjacent | Internal | External


def tagging_of(union: object) -> Tagging | None:
    """Return how a union is tagged; None if it is not a union of the wire."""
    return _TAGGINGS.get(frozenset(get_args(union)))


def is_in_external(cls: type[WireValue]) -> bool:
    """Tell whether a class is a variant of an externally tagged enum."""
    return any(isinstance(tagging, External) and cls in tagging.variants for tagging in _TAGGINGS.values())


def _object_with(tag: str, value: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise Misfit(f"an object with {tag}", value)

    return value


def _tag_in(members: dict[str, JsonValue], tag: str) -> str:
    name = members.get(tag)
    if not isinstance(name, str):
        raise Misfit("the name of a variant", name).at(tag)

    return name


def _variants(union: object) -> tuple[type[WireValue], ...]:
    return tuple(kind for kind in get_args(union) if issubclass(kind, WireValue))


def _unknown_response(name: str, raw: str) -> object:
    return UnknownResponse(method=name, raw=raw)


def _by_method(union: object, unknown: UnknownMaker | None) -> Adjacent:
    return Adjacent(variants=_variants(union), unknown=unknown, tag="method", content="params")


_TAGGINGS: dict[frozenset[object], Tagging] = {
    frozenset(get_args(union)): tagging
    for union, tagging in (
        (ControlRequest, _by_method(ControlRequest, None)),
        (ControlResponse, _by_method(ControlResponse, _unknown_response)),
        (SessionEvent, _by_method(SessionEvent, _unknown_response)),
        (
            DiscoveryFilter,
            Adjacent(
                variants=_variants(DiscoveryFilter),
                unknown=lambda name, raw: UnknownFilter(kind=name, raw=raw),
                tag="kind",
                content="value",
            ),
        ),
        (ActionAnchor, Internal(variants=_variants(ActionAnchor), unknown=None, tag="at")),
        (TxResolver, Internal(variants=_variants(TxResolver), unknown=None, tag="type")),
        (ReplacementNotification, Internal(variants=_variants(ReplacementNotification), unknown=None, tag="kind")),
        (Seed, External(variants=_variants(Seed), unknown=None)),
        (
            BacktestFailure,
            External(variants=_variants(BacktestFailure), unknown=lambda name, raw: UnknownFailure(kind=name, raw=raw)),
        ),
    )
}
"""By the set of the union's members: the order in which a union was written does not matter."""
