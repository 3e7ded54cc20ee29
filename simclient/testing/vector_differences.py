"""Where this package differs from the real types on purpose, each difference with its reason and the vectors it covers."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..wire.generation import Generation
from ..wire.json_text import JsonValue, dump
from .vector_checks import Finding, Vector, same

__all__ = ["DIFFERENCES", "Difference"]


@attrs.frozen(kw_only=True)
class Difference:
    """One deliberate difference."""

    name: str
    reason: str
    covers: Callable[[Vector, Finding], bool]
    """Whether it explains this finding about this vector."""


def _only_more_was_kept(vector: Vector, finding: Finding) -> bool:
    return finding.written is not None and same(_common(finding.written, vector.expected), vector.expected)


def _common(written: JsonValue, expected: JsonValue) -> JsonValue:
    """Return `written` without the members that `expected` does not have in the same place."""
    match written, expected:
        case dict(), dict():
            return {name: _common(member, expected[name]) for name, member in written.items() if name in expected}
        case list(), list() if len(written) == len(expected):
            return [_common(one, other) for one, other in zip(written, expected, strict=True)]
        case _:
            return written


def _is_unknown_from_the_server(vector: Vector, finding: Finding) -> bool:
    error = str(vector.members.get("error", ""))
    return not vector.is_accepted and "unknown variant" in error and "Unknown" in repr(finding.value)


def _is_an_unknown_name(vector: Vector, finding: Finding) -> bool:
    error = str(vector.members.get("error", ""))
    is_name = vector.type == "BacktestStatus" or "Status(" in repr(finding.value)
    return (
        not vector.is_accepted
        and "unknown variant" in error
        and (is_name or "InvalidAccountEncoding(" in repr(finding.value))
    )


def _is_agent_stats_of_v2(vector: Vector, finding: Finding) -> bool:
    return vector.is_accepted and vector.type == "SessionEventKind" and "agent_stats" in str(finding.error)


def _is_a_session_id(vector: Vector, finding: Finding) -> bool:
    is_refused_id = not vector.is_accepted and "invalid" in str(vector.members.get("error")) and _has_id(vector.text)
    is_respelt_id = vector.is_accepted and finding.written is not None and _has_id(vector.text)
    return vector.generation is Generation.V0_28 and (is_refused_id or is_respelt_id)


def _has_id(text: str) -> bool:
    return any(f'"{name}"' in text for name in ("session_id", "sessionId", "control_session_id"))


def _is_a_spoilt_subscribe_option(vector: Vector, finding: Finding) -> bool:
    return vector.type == "SubscribeConfig.from_value" and finding.error is not None


def _is_an_unusable_url(vector: Vector, finding: Finding) -> bool:
    text = str(vector.members.get("json"))
    is_url = vector.type in ("backtest_ws_url", "http_base_from_ws_url", "http_to_ws_url")
    has_path_only = vector.type == "backtest_ws_url" and "://" not in text and "/" in text
    has_no_host = text.removesuffix("/") in ("", "ws:/", "wss:/", "http:/", "https:/") or "///" in text
    return is_url and (
        any(mark in text for mark in "?#@")
        or text != text.lower()
        or has_path_only
        or has_no_host
        or text != text.strip()
    )


def _is_a_short_header(vector: Vector, finding: Finding) -> bool:
    return vector.type == "build_program_injection" and '"authority":null' in dump(vector.members["json"])


def _is_a_user_agent(vector: Vector, finding: Finding) -> bool:
    return vector.type == "user_agent"


def _is_a_spoilt_option(vector: Vector, finding: Finding) -> bool:
    path = getattr(finding.error, "path", "")
    return vector.is_accepted and path.endswith((".parallel", ".name", ".createToken"))


def _is_a_bad_sequence(vector: Vector, finding: Finding) -> bool:
    return vector.is_accepted and getattr(finding.error, "path", "") == "$.seqId"


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        name="unknown fields",
        reason="the real types drop fields they do not know; ours keep them and write them back",
        covers=_only_more_was_kept,
    ),
    Difference(
        name="unknown variants",
        reason="the real types refuse variants they do not know; from a server ours keep them as Unknown values, so that a newer server"
        " does not break an older client",
        covers=_is_unknown_from_the_server,
    ),
    Difference(
        name="unknown names",
        reason="a status, or the encoding named by an error, is text for people: one that is unknown is kept as it came",
        covers=_is_an_unknown_name,
    ),
    Difference(
        name="spoilt options of a create",
        reason="the real types take a create whose parallel, name or createToken is unreadable for one without it; ours refuse it, so"
        " that a mistake does not open another session than was meant",
        covers=_is_a_spoilt_option,
    ),
    Difference(
        name="bad sequence numbers",
        reason="the real reader takes a response with an unreadable seqId for one without; ours reports it, since a cursor would be wrong",
        covers=_is_a_bad_sequence,
    ),
    Difference(
        name="agent statistics in V2",
        reason="one class stands for both generations of session events: it checks agent_stats also where the second ignores it",
        covers=_is_agent_stats_of_v2,
    ),
    Difference(
        name="session ids",
        reason="0.28 reads only its own form of ids and respells it; 0.9 takes any text, so ours keep any text as it came",
        covers=_is_a_session_id,
    ),
    Difference(
        name="spoilt options of a subscribe",
        reason="the real server takes unreadable options for none at all; ours refuses them, so that a mistake does not pass for a choice",
        covers=_is_a_spoilt_subscribe_option,
    ),
    Difference(
        name="unusable URLs",
        reason="the real functions edit URLs as text; ours refuse credentials and missing hosts, and put the path before a query",
        covers=_is_an_unusable_url,
    ),
    Difference(
        name="short program header",
        reason="without an authority simulator-client 0.9.0 writes a header of 13 bytes, a bug that 0.28 mended; ours writes 45",
        covers=_is_a_short_header,
    ),
    Difference(
        name="user agents",
        reason="ours names itself and must not pretend to be the real client; it has no use for telling real clients apart",
        covers=_is_a_user_agent,
    ),
)
