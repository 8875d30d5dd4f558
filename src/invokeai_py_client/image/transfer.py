"""Many files on their way to or from a server: several at once, all tried, and a word on each that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from invokeai_py_client.errors import (
    AuthenticationError,
    ConnectionLostError,
    InvokeAIClientError,
    ServerUnreachableError,
    TransferError,
    UsageError,
)
from invokeai_py_client.transport.loop import call_back

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 8
# How many failures a message tells; the error has them all.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """How far a transfer of many files is.

    Attributes:
        name: The file that has just ended, well or not.
        done: How many have ended well.
        failed: How many have not.
        total: How many there are.
        size: How many bytes came or went so far.
    """

    name: str
    done: int
    failed: int
    total: int
    size: int


async def transfer_all(
    jobs: Sequence[tuple[str, T]],
    transfer: Callable[[T], Awaitable[tuple[R, int]]],
    *,
    what: str,
    there: Mapping[str, R] | None = None,
    concurrency: int = AT_ONCE,
    on_progress: Callable[[TransferProgress], object] | None = None,
) -> list[R]:
    """Transfer files, several at once. One that fails does not keep the others from it.

    Only where no other can succeed (the server is gone, or wants a sign-in) the rest is not tried.

    Args:
        jobs: What people call each, and what ``transfer`` is given.
        transfer: Moves one; gives its result and its size in bytes.
        what: What was done to those that succeeded, for the message.
        there: Results that needed no transfer; they count as done.
        concurrency: How many at once.
        on_progress: Called after each.

    Returns:
        The results in the order of the jobs.

    Raises:
        TransferError: Not all succeeded.
        UsageError: The concurrency is less than one.
    """
    if concurrency < 1:
        raise UsageError(f"concurrency should be 1 or more, not {concurrency}.")
    had = dict(there or {})
    results: dict[int, R] = {}
    failed: dict[int, InvokeAIClientError] = {}
    hopeless: list[InvokeAIClientError] = []
    size = 0
    waiting = iter(enumerate(jobs))

    async def work() -> None:
        nonlocal size
        for index, (name, job) in waiting:
            if hopeless:
                failed[index] = hopeless[0]
                continue
            try:
                results[index], moved = await transfer(job)
                size += moved
            except InvokeAIClientError as error:
                failed[index] = error
                if _is_hopeless(error):
                    hopeless.append(error)
            if on_progress is not None:
                done, total = len(had) + len(results), len(had) + len(jobs)
                progress = TransferProgress(name, done, len(failed), total, size)
                await call_back(on_progress, progress)

    await _all_or_none([work() for _ in range(min(concurrency, len(jobs)))])
    if failed:
        errors = {jobs[index][0]: failed[index] for index in sorted(failed)}
        done = had | {jobs[index][0]: results[index] for index in sorted(results)}
        raise TransferError(_sentence(what, errors, len(errors) + len(done)), failed=errors, done=done)
    return [results[index] for index in range(len(jobs))]


def _sentence(what: str, errors: Mapping[str, InvokeAIClientError], total: int) -> str:
    lines = [f"{name}: {error}" for name, error in list(errors.items())[:_NAMED]]
    if len(errors) > len(lines):
        lines.append(f"and {len(errors) - len(lines)} more")
    return "\n  ".join([f"{len(errors)} of {total} images could not be {what}:", *lines])


def _is_hopeless(error: InvokeAIClientError) -> bool:
    if isinstance(error, ConnectionLostError):
        return False  # it may be about this file
    return isinstance(error, ServerUnreachableError | AuthenticationError)


async def _all_or_none(workers: list[Awaitable[None]]) -> None:
    """Wait for all; where one raises (a callback does), the others end before that comes out."""
    tasks = [asyncio.ensure_future(worker) for worker in workers]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
