"""The block that owns a session's tasks: who is cancelled when, and what comes out."""

from __future__ import annotations

import os
import signal

import pytest
import trio
import trio.testing

from simclient.session.tasks import open_tasks


async def forever() -> None:
    await trio.sleep_forever()


async def fail(error: BaseException) -> None:
    raise error


async def test_children_end_with_the_block() -> None:
    """Leaving the block cancels what still runs in it."""
    ended = trio.Event()

    async def child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with open_tasks() as tasks:
        tasks.start_soon(child, name="child")
        await trio.testing.wait_all_tasks_blocked()
    assert ended.is_set()


async def test_the_bodys_exception_comes_out_bare() -> None:
    """No group of ours is around it."""
    with pytest.raises(ZeroDivisionError):
        async with open_tasks() as tasks:
            tasks.start_soon(forever, name="forever")
            raise ZeroDivisionError


async def test_a_group_of_the_body_passes_untouched() -> None:
    """The very object that the user raised arrives."""
    group = ExceptionGroup("mine", [ValueError("one"), KeyError("two")])
    with pytest.raises(ExceptionGroup) as caught:
        async with open_tasks():
            raise group
    assert caught.value is group


async def test_a_childs_failure_comes_out_bare_and_ends_the_rest() -> None:
    """The body is cancelled, siblings too, and the failure is the one exception."""
    with pytest.raises(ZeroDivisionError):
        async with open_tasks() as tasks:
            tasks.start_soon(forever, name="forever")
            tasks.start_soon(fail, ZeroDivisionError(), name="failing")
            await trio.sleep_forever()


async def test_the_bodys_exception_wins_over_a_childs() -> None:
    """The later one becomes its note."""

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("child")

    with pytest.raises(ZeroDivisionError) as caught:
        async with open_tasks() as tasks:
            tasks.start_soon(fail_when_cancelled, name="child")
            await trio.testing.wait_all_tasks_blocked()
            raise ZeroDivisionError
    assert caught.value.__notes__ == ["also failed: KeyError: 'child'"]


async def test_children_outlive_the_cancellation_of_the_body() -> None:
    """While the body cleans up, its children still work for it."""
    with trio.CancelScope() as outer:
        async with open_tasks() as tasks:
            asked, answered = trio.Event(), trio.Event()

            async def answer() -> None:
                await asked.wait()
                answered.set()

            tasks.start_soon(answer, name="answer")
            try:
                outer.cancel()
                await trio.sleep_forever()
            finally:
                with trio.fail_after(5) as clean_up:
                    clean_up.shield = True
                    asked.set()
                    await answered.wait()
    assert outer.cancelled_caught


async def test_one_child_can_be_cancelled_alone() -> None:
    """Its siblings go on."""
    async with open_tasks() as tasks:
        other_ran = trio.Event()
        scope = tasks.start_soon(forever, name="forever")
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        tasks.start_soon(_set, other_ran, name="other")
        await other_ran.wait()


async def _set(event: trio.Event) -> None:
    event.set()


def test_ctrl_c_arrives_in_the_body() -> None:
    """A child in the middle of its work is not torn by KeyboardInterrupt; the program's main task gets it, bare."""

    async def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(3):
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with open_tasks() as tasks:
            tasks.start_soon(interrupt, name="interrupt")
            with trio.fail_after(10):
                await trio.sleep_forever()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            trio.run(main)
    finally:
        signal.signal(signal.SIGINT, before)
