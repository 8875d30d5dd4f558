"""The background loop: used from threads, inside loops, after forks, interrupted, closed and reused."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from invokeai_py_client.errors import ConnectionLostError, UsageError
from invokeai_py_client.transport.loop import LoopThread, call_back, if_abandoned

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and POSIX signals")


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


async def answer(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def where() -> tuple[int, int]:
    return threading.get_ident(), id(asyncio.get_running_loop())


# --------------------------------------------------------------------------- calls


def test_call_returns_result_or_raises(thread: LoopThread) -> None:
    async def fail() -> None:
        raise LookupError("no such thing")

    assert thread.call(answer(7)) == 7
    with pytest.raises(LookupError, match="no such thing"):
        thread.call(fail())


def test_nothing_runs_until_the_first_call(thread: LoopThread) -> None:
    assert not thread.is_running
    thread.call(answer(1))
    assert thread.is_running
    assert thread.thread is not None
    assert thread.thread.daemon


def test_threads_share_one_loop(thread: LoopThread) -> None:
    together = threading.Barrier(8)

    def work(_: int) -> tuple[int, int]:
        together.wait()
        return thread.call(where())

    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(work, range(8)))
    assert len(places) == 1


def test_calls_from_threads_run_concurrently(thread: LoopThread) -> None:
    met = thread.call(make_event())
    order: list[str] = []

    async def waits() -> None:
        await met.wait()
        order.append("waited")

    async def frees() -> None:
        order.append("freed")
        met.set()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(thread.call, waits())
        pool.submit(thread.call, frees()).result(10)
        first.result(10)
    assert order == ["freed", "waited"]


async def make_event() -> asyncio.Event:
    return asyncio.Event()


async def test_call_works_inside_a_running_loop(thread: LoopThread) -> None:
    ident, loop = thread.call(where())
    assert (ident, loop) != await where()


def test_call_from_loop_thread_raises(thread: LoopThread) -> None:
    async def outer() -> None:
        thread.call(answer(1))

    with pytest.raises(UsageError, match="client's event thread"):
        thread.call(outer())


def test_awaiting_from_loop_thread_raises(thread: LoopThread) -> None:
    async def outer() -> None:
        await thread.await_from_elsewhere(answer(1))

    with pytest.raises(UsageError, match="client's event thread"):
        thread.call(outer())


# --------------------------------------------------------------------------- callbacks


def test_callback_runs_in_calling_thread_and_may_call_client(thread: LoopThread) -> None:
    seen: list[tuple[int, Any]] = []

    def callback(value: int) -> None:
        seen.append((threading.get_ident(), thread.call(answer(value * 10))))

    async def work() -> str:
        for value in (1, 2, 3):
            await call_back(callback, value)
        return "done"

    assert thread.call(work()) == "done"
    here = threading.get_ident()
    assert seen == [(here, 10), (here, 20), (here, 30)]


def test_callbacks_of_nested_calls_run_in_the_same_thread(thread: LoopThread) -> None:
    seen: list[str] = []

    async def inner() -> None:
        await call_back(seen.append, "inner")

    def callback() -> None:
        thread.call(inner())
        seen.append("outer")

    async def outer() -> None:
        await call_back(callback)

    thread.call(outer())
    assert seen == ["inner", "outer"]


@pytest.mark.parametrize("kind", [LookupError, RuntimeError, TimeoutError, asyncio.InvalidStateError])
def test_exception_of_callback_is_raised_by_call(thread: LoopThread, kind: type[Exception]) -> None:
    cleaned: list[bool] = []

    def callback() -> None:
        raise kind("from the callback")

    async def work() -> None:
        try:
            await call_back(callback)
        finally:
            cleaned.append(True)

    with pytest.raises(kind, match="from the callback"):
        thread.call(work())
    assert cleaned == [True]
    assert thread.call(answer(1)) == 1


def test_callback_that_raises_stop_iteration_does_not_hang(thread: LoopThread) -> None:
    nothing = iter(())

    async def work() -> None:
        await call_back(lambda: next(nothing))

    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        thread.call(work())
    assert isinstance(caught.value.__cause__, StopIteration)


def test_interrupted_call_is_undone_if_it_has_returned(
    thread: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C can come at the moment when the coroutine returns, so that its result is lost."""
    undone: list[str] = []
    serve = LoopThread._serve

    def interrupted(inbox: Any, at_most: float | None = None) -> None:
        serve(inbox, at_most)
        monkeypatch.setattr(LoopThread, "_serve", staticmethod(serve))
        raise KeyboardInterrupt

    async def undo() -> None:
        await asyncio.sleep(0)
        undone.append("undone")

    async def start() -> str:
        if_abandoned(undo)
        return "started"

    assert thread.call(start()) == "started"
    assert undone == []
    monkeypatch.setattr(LoopThread, "_serve", staticmethod(interrupted))
    with pytest.raises(KeyboardInterrupt):
        thread.call(start())
    assert undone == ["undone"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interruption_inside_callback_cancels_call(thread: LoopThread, kind: type[BaseException]) -> None:
    ends: list[str] = []

    def callback() -> None:
        raise kind

    async def work() -> None:
        try:
            await call_back(callback)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ends.append("cleaned up")
            raise

    with pytest.raises(kind):
        thread.call(work())
    assert ends == ["cleaned up"]


def test_callbacks_run_while_interrupted_call_cleans_up(thread: LoopThread) -> None:
    seen: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def work() -> None:
        try:
            await call_back(interrupt)
        finally:
            await call_back(seen.append, "in the cleanup")

    with pytest.raises(KeyboardInterrupt):
        thread.call(work())
    assert seen == ["in the cleanup"]


def test_synchronous_call_rejects_asynchronous_callback(thread: LoopThread) -> None:
    async def callback() -> None:
        raise AssertionError("never awaited")

    async def work() -> None:
        await call_back(callback)

    with pytest.raises(UsageError, match="AsyncInvokeAIClient"):
        thread.call(work())


async def test_callbacks_of_the_asynchronous_client_run_in_place_and_are_awaited() -> None:
    seen: list[Any] = []

    async def slow(value: int) -> None:
        await asyncio.sleep(0)
        seen.append(value)

    await call_back(seen.append, 1)
    await call_back(slow, 2)
    assert seen == [1, 2]


async def test_callbacks_of_an_awaited_call_run_in_the_awaiting_loop(thread: LoopThread) -> None:
    seen: list[tuple[int, int]] = []

    async def callback() -> None:
        seen.append(await where())

    async def work() -> str:
        await call_back(callback)
        return "done"

    assert await thread.await_from_elsewhere(work()) == "done"
    assert seen == [await where()]


async def test_exception_of_callback_is_raised_by_awaited_call(thread: LoopThread) -> None:
    def callback() -> None:
        raise LookupError("from the callback")

    async def work() -> None:
        await call_back(callback)

    with pytest.raises(LookupError, match="from the callback"):
        await thread.await_from_elsewhere(work())


# --------------------------------------------------------------------------- interruption


@posix_only
def test_control_c_cancels_the_coroutine_and_waits_for_its_cleanup(thread: LoopThread) -> None:
    main = threading.main_thread()
    assert threading.current_thread() is main
    ends: list[str] = []

    async def work() -> None:
        await call_back(int)  # the calling thread waits by now
        signal.pthread_kill(main.ident or 0, signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(50):  # a cleanup that takes many iterations of the loop
                await asyncio.sleep(0.001)
            ends.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        thread.call(work())
    assert ends == ["cleaned up"]
    assert thread.call(answer("still usable")) == "still usable"


@posix_only
def test_control_c_while_iterating_ends_the_generator(thread: LoopThread) -> None:
    main = threading.main_thread()
    ends: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            await call_back(int)  # the calling thread waits by now
            signal.pthread_kill(main.ident or 0, signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ends.append("closed")

    items = thread.iterate(numbers())
    assert next(items) == 1
    with pytest.raises(KeyboardInterrupt):
        next(items)
    assert ends == ["closed"]


async def test_canceling_awaited_call_waits_for_cleanup(thread: LoopThread) -> None:
    begun = asyncio.Event()
    ends: list[str] = []

    async def work() -> None:
        try:
            await call_back(begun.set)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            ends.append("cleaned up")

    task = asyncio.create_task(thread.await_from_elsewhere(work()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ends == ["cleaned up"]


async def test_timeout_around_awaited_call(thread: LoopThread) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await thread.await_from_elsewhere(asyncio.Event().wait())


# --------------------------------------------------------------------------- iterating


async def count(ends: list[str]) -> AsyncIterator[int]:
    try:
        for number in range(3):
            await asyncio.sleep(0)
            yield number
    finally:
        await asyncio.sleep(0)
        ends.append("closed")


def test_iterate_yields_every_item(thread: LoopThread) -> None:
    ends: list[str] = []
    assert list(thread.iterate(count(ends))) == [0, 1, 2]
    assert ends == ["closed"]


def test_closing_iteration_closes_generator(thread: LoopThread) -> None:
    ends: list[str] = []
    items = thread.iterate(count(ends))
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert ends == ["closed"]


def test_leaving_for_loop_closes_generator(thread: LoopThread) -> None:
    ends: list[str] = []
    for _ in thread.iterate(count(ends)):
        break
    assert ends == ["closed"]


def test_error_in_iterator_is_raised(thread: LoopThread) -> None:
    async def breaks() -> AsyncIterator[int]:
        yield 1
        raise LookupError("broken")

    items = thread.iterate(breaks())
    assert next(items) == 1
    with pytest.raises(LookupError, match="broken"):
        next(items)


def test_loop_keeps_running_between_items(thread: LoopThread) -> None:
    ends: list[str] = []
    for number in thread.iterate(count(ends)):
        assert thread.call(answer(number)) == number


async def test_follow_yields_every_item_in_another_loop(thread: LoopThread) -> None:
    ends: list[str] = []
    assert [number async for number in thread.follow(count(ends))] == [0, 1, 2]
    assert ends == ["closed"]


async def test_closing_follow_closes_generator(thread: LoopThread) -> None:
    ends: list[str] = []
    items = thread.follow(count(ends))
    assert await anext(items) == 0
    await items.aclose()  # type: ignore[attr-defined]
    assert ends == ["closed"]


async def test_canceling_follow_lets_generator_clean_up(thread: LoopThread) -> None:
    begun = asyncio.Event()
    ends: list[str] = []

    async def waits() -> AsyncIterator[int]:
        try:
            await call_back(begun.set)
            await asyncio.Event().wait()
            yield 1
        finally:
            await asyncio.sleep(0.02)
            ends.append("closed")

    async def consume() -> None:
        async for _ in thread.follow(waits()):
            raise AssertionError("there are no items")

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ends == ["closed"]


# --------------------------------------------------------------------------- closing


def test_close_ends_thread_and_can_be_repeated(thread: LoopThread) -> None:
    thread.close()
    thread.call(answer(1))
    running = thread.thread
    thread.close()
    thread.close()
    assert running is not None
    assert not running.is_alive()
    assert not thread.is_running
    assert thread.thread is None


def test_closed_loop_starts_again(thread: LoopThread) -> None:
    thread.call(answer(1))
    first = thread.thread
    thread.close()
    assert thread.call(answer(2)) == 2
    assert thread.is_running
    # Compare the objects, not their ids, because the system reuses the id of a thread that has ended.
    assert thread.thread is not first


def test_close_leaves_no_helper_threads(thread: LoopThread) -> None:
    before = set(threading.enumerate())
    thread.call(asyncio.to_thread(threading.get_ident))
    thread.close()
    assert set(threading.enumerate()) <= before


def test_close_cancels_running_tasks(thread: LoopThread) -> None:
    ends: list[str] = []

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cancelled")

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(background())
        await asyncio.sleep(0)
        return task

    kept = thread.call(begin())
    thread.close()
    assert ends == ["cancelled"]
    assert kept.cancelled()


def test_call_raises_if_client_is_closed(thread: LoopThread) -> None:
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(thread.call, work())
        assert begun.wait(10)
        thread.close()
        with pytest.raises(ConnectionLostError, match="closed during this call"):
            call.result(10)


async def test_awaited_call_raises_if_client_is_closed(thread: LoopThread) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        await call_back(begun.set)
        await asyncio.Event().wait()

    task = asyncio.create_task(thread.await_from_elsewhere(work()))
    await begun.wait()
    await asyncio.to_thread(thread.close)
    with pytest.raises(ConnectionLostError, match="closed during this call"):
        await task


def test_callback_may_close_loop(thread: LoopThread) -> None:
    async def work() -> None:
        await call_back(thread.close)
        raise AssertionError("the loop is closed")

    with pytest.raises(ConnectionLostError, match="closed during this call"):
        thread.call(work())
    assert not thread.is_running


def test_closing_loop_closes_iterators_without_restarting_it(thread: LoopThread) -> None:
    ends: list[str] = []
    items = thread.iterate(count(ends))
    assert next(items) == 0
    thread.close()
    assert ends == ["closed"]
    items.close()  # type: ignore[attr-defined]
    assert not thread.is_running


def test_calls_racing_with_close_always_end(thread: LoopThread) -> None:
    stop = threading.Event()

    def work() -> int:
        done = 0
        while not stop.is_set():
            try:
                thread.call(answer(1))
                done += 1
            except ConnectionLostError:
                continue
        return done

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(work) for _ in range(3)]
        for _ in range(30):
            thread.close()
        stop.set()
        for call in calls:
            call.result(20)


# --------------------------------------------------------------------------- other processes


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
    )


@posix_only
def test_forked_process_gets_new_loop() -> None:
    done = run_python("""
        import asyncio, gc, os, sys, threading
        from invokeai_py_client.transport.loop import LoopThread

        async def ident():
            return os.getpid(), threading.get_ident()

        thread = LoopThread()
        assert thread.call(ident())[0] == os.getpid()
        child = os.fork()
        if child == 0:
            assert not thread.is_running
            assert thread.call(ident())[0] == os.getpid()
            thread.close()
            assert not thread.is_running
            gc.collect()
            sys.exit(7)  # with all that ends a Python, so that complaints of left-overs are heard
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        assert thread.call(ident())[0] == os.getpid()
        thread.close()
        print("fine")
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


@posix_only
def test_lock_held_while_forking_does_not_block_child() -> None:
    done = run_python("""
        import os, threading
        from invokeai_py_client.transport.loop import LoopThread

        async def one():
            return 1

        thread = LoopThread()
        thread.call(one())
        thread._lock.acquire()  # as another thread would that calls at this moment
        child = os.fork()
        if child == 0:
            os._exit(7 if thread.call(one()) == 1 else 1)
        thread._lock.release()
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        thread.close()
    """)
    assert (done.stderr, done.returncode) == ("", 0)


@posix_only
def test_closing_in_child_does_not_affect_parent() -> None:
    done = run_python("""
        import os, sys
        from invokeai_py_client.transport.loop import LoopThread

        async def one():
            return 1

        thread = LoopThread()
        thread.call(one())
        child = os.fork()
        if child == 0:
            thread.close()
            sys.exit(7)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        assert thread.call(one()) == 1
        thread.close()
    """)
    assert (done.stderr, done.returncode) == ("", 0)


def test_script_that_closes_nothing_ends_quietly() -> None:
    done = run_python("""
        from invokeai_py_client import InvokeAIClient

        client = InvokeAIClient.from_url("http://127.0.0.1:9", max_retries=0)
        print(client.health_check())
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("False\n", "", 0)
