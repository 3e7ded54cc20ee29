"""The options that every kind of subscription takes, in the second parameter of its request, among those of its kind."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import attrs

from .json_text import JsonValue
from .schema import I64, OMIT_DEFAULT, ONLY_0_28, WireValue

__all__ = ["SubscribeOptions"]


@attrs.frozen(kw_only=True)
class SubscribeOptions(WireValue):
    """How a subscription is served; what is not said is left out."""

    shares_its_object: ClassVar[bool] = True

    replay_from_slot: Annotated[I64 | None, OMIT_DEFAULT] = None
    """Begin with what happened from this slot on (inclusive); None: with the first slot of the session."""
    compression: Annotated[Literal["zstd"] | None, OMIT_DEFAULT] = None
    """Ask for the zstd stream."""
    intra_slot_updates: Annotated[bool, OMIT_DEFAULT, ONLY_0_28] = False
    """Tell of every write, not only of the last in a slot."""

    def applied_to(self, params: JsonValue) -> JsonValue:
        """Return the parameters of a request with these options in them; without a place for options they stay as they are."""
        if not isinstance(params, list) or len(params) < 2 or not isinstance(params[1], dict):
            return params

        options: dict[str, JsonValue] = {
            "replayFromSlot": self.replay_from_slot,
            "compression": self.compression,
            "intraSlotUpdates": self.intra_slot_updates or None,
        }
        said = {name: option for name, option in options.items() if option is not None}
        return [params[0], {**params[1], **said}, *params[2:]]
