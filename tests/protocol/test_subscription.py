"""The subscription machine: cursors, replays, end markers, and what breaks a socket."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simclient.protocol.subscription import Notification, Received, SubscriptionMachine
from simclient.wire.compression import StreamCompressor
from simclient.wire.detached import Position
from simclient.wire.notifications import AccountDiff, UnknownNotification
from simclient.wire.subscriptions import AccountDiffs, Logs, Subscription, Transactions

A = "11111111111111111111111111111111"
B = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"


def machine(
    subscription: Subscription | None = None,
    *,
    start_slot: int = 100,
    exactly_once: bool = True,
    boundary_bytes: int = 2**20,
    positions: Iterable[Position] = (),
    has_begun: bool = False,
) -> SubscriptionMachine:
    return SubscriptionMachine(
        subscription or AccountDiffs(program=A),
        start_slot=start_slot,
        exactly_once=exactly_once,
        compress=True,
        max_message_bytes=2**20,
        boundary_bytes=boundary_bytes,
        positions=positions,
        has_begun=has_begun,
    )


def acknowledgement(request_id: int, subscription_id: int) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": subscription_id}).encode()


def diff(subscription_id: int, slot: int, signature: str = "s") -> bytes:
    result = {"context": {"slot": slot}, "account": A, "signature": signature}
    params = {"subscription": subscription_id, "result": result}
    return json.dumps({"jsonrpc": "2.0", "method": "accountDiffNotification", "params": params}).encode()


def end(subscription_id: int) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "method": "subscriptionComplete", "params": {"subscription": subscription_id}}
    ).encode()


def texts(*payloads: bytes) -> list[tuple[bool, list[bytes]]]:
    return [(False, list(payloads))]


def seen(notifications: Iterable[Notification]) -> list[tuple[int | None, str | None]]:
    return [(n.slot, n.signature) for n in notifications if isinstance(n, AccountDiff)]


def cursor_of(text: str) -> int | None:
    options = json.loads(text)["params"][1]
    slot: int | None = options.get("replayFromSlot")
    return slot


def up(subject: SubscriptionMachine, subscription_id: int = 1) -> SubscriptionMachine:
    subject.connected()
    subject.receive(texts(acknowledgement(1, subscription_id)))
    return subject


def test_the_first_subscribe_carries_no_cursor() -> None:
    """There is nothing to replay yet."""
    [text] = machine().connected()
    assert json.loads(text)["method"] == "accountDiffSubscribe"
    assert cursor_of(text) is None


def test_it_is_up_when_every_key_is_acknowledged() -> None:
    """Two programs need two acknowledgements."""
    subject = machine(AccountDiffs(program=[A, B]))
    assert len(subject.connected()) == 2
    subject.receive(texts(acknowledgement(1, 10)))
    assert not subject.is_up
    subject.receive(texts(acknowledgement(2, 20)))
    assert subject.is_up


def test_notifications_between_acknowledgements_are_handed_on_in_order() -> None:
    """The first key may stream before the second is acknowledged."""
    subject = machine(AccountDiffs(program=[A, B]))
    subject.connected()
    received = subject.receive(
        texts(acknowledgement(1, 10), diff(10, 1, "a"), diff(10, 2, "b"), acknowledgement(2, 20))
    )
    assert seen(received.notifications) == [(1, "a"), (2, "b")]


def test_it_ends_with_the_end_marker_of_every_key() -> None:
    """One marker of two is not the end."""
    subject = machine(AccountDiffs(program=[A, B]))
    subject.connected()
    subject.receive(texts(acknowledgement(1, 10), acknowledgement(2, 20), end(10)))
    assert not subject.has_ended
    subject.receive(texts(end(20)))
    assert subject.has_ended


def test_a_reconnect_asks_from_the_last_slot_of_each_key() -> None:
    """Keys have cursors of their own; one without notifications begins anew, and one that has ended is not asked for again."""
    third = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
    subject = machine(AccountDiffs(program=[A, B, third]))
    subject.connected()
    subject.receive(texts(acknowledgement(1, 1), acknowledgement(2, 2), acknowledgement(3, 3)))
    subject.receive(texts(diff(1, 5), diff(3, 7), diff(1, 6), end(3)))
    subject.disconnected()
    assert [cursor_of(text) for text in subject.connected()] == [6, 100]


def test_the_boundary_slot_is_not_handed_on_twice() -> None:
    """The replay of the last slot is recognised under a new subscription id and in another order."""
    subject = up(machine())
    subject.receive(texts(diff(1, 1, "a"), diff(1, 2, "b"), diff(1, 2, "c")))
    subject.disconnected()
    up(subject, 9)
    received = subject.receive(texts(diff(9, 2, "c"), diff(9, 2, "b"), diff(9, 2, "d"), diff(9, 3, "e")))
    assert seen(received.notifications) == [(2, "d"), (3, "e")]
    assert subject.duplicates_dropped == 2


def test_equal_bytes_that_really_occurred_twice_are_handed_on_twice() -> None:
    """The comparison is one of multisets."""
    subject = up(machine())
    subject.receive(texts(diff(1, 2, "same")))
    subject.disconnected()
    up(subject, 2)
    received = subject.receive(texts(diff(2, 2, "same"), diff(2, 2, "same")))
    assert seen(received.notifications) == [(2, "same")]


def test_a_drop_before_the_first_notification_asks_for_everything_from_the_start() -> None:
    """What was on its way when the socket broke would be lost otherwise, in silence: a plain subscribe only gives what is to come."""
    subject = up(machine())
    subject.disconnected()
    [text] = subject.connected()
    assert cursor_of(text) == 100


def test_a_session_that_ran_before_is_asked_for_what_was_missed_at_once() -> None:
    """Of a key that has a position from there, and of one that has none from the first slot."""
    position = Position(method="accountDiffSubscribe", address=A, is_program=True, slot=105)
    subject = machine(AccountDiffs(program=(A, B)), positions=[position], has_begun=True)
    assert [cursor_of(text) for text in subject.connected()] == [105, 100]


def test_a_second_drop_in_the_same_slot_is_made_up_for() -> None:
    """What the first replay added to the boundary slot counts at the second."""
    subject = up(machine())
    subject.receive(texts(diff(1, 2, "a")))
    subject.disconnected()
    up(subject, 2)
    subject.receive(texts(diff(2, 2, "a"), diff(2, 2, "b")))
    subject.disconnected()
    up(subject, 3)
    received = subject.receive(texts(diff(3, 2, "b"), diff(3, 2, "a"), diff(3, 2, "c")))
    assert seen(received.notifications) == [(2, "c")]


def test_a_replay_from_before_the_cursor_is_dropped() -> None:
    """A server that replays its whole tail doubles nothing."""
    subject = up(machine())
    subject.receive(texts(diff(1, 1, "a"), diff(1, 2, "b"), diff(1, 3, "c")))
    subject.disconnected()
    up(subject, 2)
    received = subject.receive(texts(diff(2, 1, "a"), diff(2, 2, "b"), diff(2, 3, "c"), diff(2, 4, "d")))
    assert seen(received.notifications) == [(4, "d")]


def test_at_least_once_shows_the_boundary_slot_twice() -> None:
    """On request nothing is dropped: the control run that proves the faults make duplicates."""
    subject = up(machine(exactly_once=False))
    subject.receive(texts(diff(1, 2, "a")))
    subject.disconnected()
    up(subject, 2)
    received = subject.receive(texts(diff(2, 2, "a"), diff(2, 3, "b")))
    assert seen(received.notifications) == [(2, "a"), (3, "b")]


def test_a_slot_larger_than_the_bound_is_compared_by_digests() -> None:
    """Memory is bounded and the comparison still exact."""
    subject = up(machine(boundary_bytes=300))
    sent = [diff(1, 5, f"s{n}") for n in range(50)]
    subject.receive(texts(*sent))
    subject.disconnected()
    up(subject, 1)
    received = subject.receive(texts(*sent, diff(1, 5, "new")))
    assert seen(received.notifications) == [(5, "new")]


def test_disorder_within_a_key_is_counted_and_handed_on() -> None:
    """A server that goes back in slots, without a reconnect, is reported and not mended."""
    subject = up(machine())
    received = subject.receive(texts(diff(1, 5, "a"), diff(1, 4, "late"), diff(1, 6, "b")))
    assert seen(received.notifications) == [(5, "a"), (4, "late"), (6, "b")]
    assert subject.out_of_order == 1


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 7]), st.integers(0, 4), st.sampled_from("ab")), max_size=12),
    st.booleans(),
)
def test_a_run_is_taken_as_its_messages_one_by_one(sent: list[tuple[int, int, str]], is_compressed: bool) -> None:
    """In bulk or not, of one key, two or an unknown one, in order or not, on a first socket or a later one: all comes out alike."""
    in_bulk, one_by_one = machine(AccountDiffs(program=[A, B])), machine(AccountDiffs(program=[A, B]))
    outcomes: list[list[object]] = [[], []]
    for subject, outcome in zip((in_bulk, one_by_one), outcomes, strict=True):
        for _ in range(2):
            subject.connected()
            subject.receive(texts(acknowledgement(1, 1), acknowledgement(2, 2)))
            stream = StreamCompressor()
            payloads = [diff(*message) for message in sent]
            if is_compressed:
                payloads = [stream.compress(payload) for payload in payloads]
            runs = [payloads] if subject is in_bulk else [[payload] for payload in payloads]
            for run in runs:
                received = subject.receive([(is_compressed, run)])
                assert received.fault is None
                outcome += seen(received.notifications)
            subject.disconnected()
        outcome += [subject.delivered, subject.duplicates_dropped, subject.out_of_order]
        outcome += [cursor_of(text) for text in subject.connected()]
    assert outcomes[0] == outcomes[1]


def test_two_keys_that_take_turns_keep_cursors_of_their_own() -> None:
    """Their slots need not be in order with each other."""
    subject = machine(AccountDiffs(program=[A, B]))
    subject.connected()
    subject.receive(texts(acknowledgement(1, 1), acknowledgement(2, 2)))
    received = subject.receive(texts(diff(1, 9, "a"), diff(2, 4, "b"), diff(1, 9, "c"), diff(2, 5, "d")))
    assert seen(received.notifications) == [(9, "a"), (4, "b"), (9, "c"), (5, "d")]
    assert subject.out_of_order == 0
    subject.disconnected()
    assert [cursor_of(text) for text in subject.connected()] == [9, 5]


def test_compressed_and_plain_frames_are_read_alike() -> None:
    """Binary frames are one zstd stream, text frames are plain, and both may come."""
    subject = up(machine())
    stream = StreamCompressor()
    frames = [
        (True, [stream.compress(diff(1, 1, "a"))]),
        (False, [diff(1, 2, "b")]),
        (True, [stream.compress(diff(1, 3, "c"))]),
    ]
    assert seen(subject.receive(frames).notifications) == [(1, "a"), (2, "b"), (3, "c")]


def test_each_socket_starts_a_new_stream() -> None:
    """The compressed stream of the old socket is forgotten."""
    subject = up(machine())
    subject.receive([(True, [StreamCompressor().compress(diff(1, 1, "a"))])])
    subject.disconnected()
    up(subject, 1)
    received = subject.receive([(True, [StreamCompressor().compress(diff(1, 2, "b"))])])
    assert seen(received.notifications) == [(2, "b")]


def test_a_stream_that_breaks_within_a_run_gives_what_came_before() -> None:
    """What was decompressed before the damage is handed on; what follows is not read."""
    subject, stream = up(machine()), StreamCompressor()
    good = [stream.compress(diff(1, 1, "a")), stream.compress(diff(1, 2, "b"))]
    received = subject.receive([(True, [*good, b"damage", stream.compress(diff(1, 3, "c"))])])
    assert seen(received.notifications) == [(1, "a"), (2, "b")]
    assert received.fault is not None


@pytest.mark.parametrize("broken", [(False, b'{"jsonrpc":'), (True, b"not zstd"), (False, b"\xff\xfe")])
def test_an_unreadable_message_breaks_the_socket_after_what_came_before(broken: tuple[bool, bytes]) -> None:
    """What was read before the damage is handed on; the fault asks for a reconnect."""
    subject = up(machine())
    is_binary, payload = broken
    received = subject.receive([(False, [diff(1, 1, "a")]), (is_binary, [payload]), (False, [diff(1, 2, "b")])])
    assert seen(received.notifications) == [(1, "a")]
    assert received.fault is not None


def test_a_refused_subscribe_names_what_was_refused() -> None:
    """The error has the method, the address and the server's words."""
    subject = machine(Logs(mentions=B))
    subject.connected()
    refusal = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no"}}).encode()
    received: Received = subject.receive(texts(refusal))
    assert received.refusal is not None
    assert "logsSubscribe" in str(received.refusal)
    assert B in str(received.refusal)


def test_an_acknowledgement_of_nothing_breaks_the_socket() -> None:
    """A server that answers what was not asked is not to be trusted with the rest."""
    subject = machine()
    subject.connected()
    assert subject.receive(texts(acknowledgement(7, 1))).fault is not None


def test_unknown_notifications_are_handed_on() -> None:
    """A new method of a new server arrives as a typed value with its raw JSON."""
    subject = up(machine())
    payload = (
        b'{"jsonrpc":"2.0","method":"weatherNotification","params":{"subscription":1,"result":{"context":{"slot":3}}}}'
    )
    [notification] = subject.receive(texts(payload)).notifications
    assert isinstance(notification, UnknownNotification)


def test_transactions_and_logs_carry_their_commitment() -> None:
    """The subscribe request says what the user asked for."""
    for subscription in (Transactions(mentions=A, commitment="finalized"), Logs(mentions=A, commitment="finalized")):
        [text] = machine(subscription).connected()
        assert json.loads(text)["params"][1]["commitment"] == "finalized"


def test_notifications_carry_the_label_of_their_subscription() -> None:
    """A name that the user gave tells subscriptions apart."""
    subject = up(machine(AccountDiffs(program=A, label="mine")))
    [notification] = subject.receive(texts(diff(1, 1))).notifications
    assert notification.label == "mine"


@given(st.data())
def test_any_cuts_and_inclusive_replays_deliver_exactly_once(data: st.DataObject) -> None:
    """Against a model server that replays inclusively from the cursor in any order within a slot, nothing is lost or doubled."""
    slots = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=25).map(sorted))
    truth = [(slot, data.draw(st.sampled_from("abc"))) for slot in slots]
    subject = machine(start_slot=0, boundary_bytes=data.draw(st.sampled_from([1, 200, 2**20])))
    delivered: list[tuple[int | None, str | None]] = []
    subscription_id = 0
    while not subject.has_ended:
        subscription_id += 1
        [text] = subject.connected()
        cursor = cursor_of(text)
        tail = [one for one in truth if cursor is None or one[0] >= cursor]
        # A slot is replayed in an order of its own, slots in theirs.
        tail = sorted(data.draw(st.permutations(tail)), key=lambda one: one[0])
        is_last = subscription_id > 4
        cut = len(tail) if is_last else data.draw(st.integers(0, len(tail)))
        frames = [diff(subscription_id, slot, signature) for slot, signature in tail[:cut]]
        ending = [end(subscription_id)] if is_last else []
        received = subject.receive(texts(acknowledgement(1, subscription_id), *frames, *ending))
        delivered += seen(received.notifications)
        subject.disconnected()
    assert Counter(delivered) == Counter(truth)
    assert [slot for slot, _ in delivered] == slots
