"""Transfers of many files to or from a server: several at a time, all of them tried, each failure reported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._partial import is_hopeless, partial_failure
from invokeai_py_client.errors import InvokeAIClientError, UsageError
from invokeai_py_client.transport.loop import call_back

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """The progress of a transfer of many files.

    Attributes:
        name: The file whose transfer has just finished or failed.
        done: Number of files that were transferred.
        failed: Number of files that failed.
        total: Number of files in all.
        size: Number of bytes transferred so far.
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
    kind: str = "image",
    there: Mapping[str, R] | None = None,
    concurrency: int = AT_ONCE,
    on_progress: Callable[[TransferProgress], object] | None = None,
) -> list[R]:
    """Transfer files, several at a time. A failure does not stop the other transfers.

    If no other transfer can succeed (the server is unreachable or requires a sign-in), the rest is skipped.

    Args:
        jobs: The display name of each file, and the argument for ``transfer``.
        transfer: Transfers one file. Returns the result and the size in bytes.
        what: Past participle for the error message, such as "uploaded".
        kind: The kind of file for the error message. Defaults to "image".
        there: Results that need no transfer. They count as done.
        concurrency: The largest number of transfers at a time. Defaults to 8.
        on_progress: Called after each file.

    Returns:
        The results in the order of the jobs.

    Raises:
        TransferError: Some transfers failed.
        UsageError: The concurrency is less than 1.
    """
    if concurrency < 1:
        raise UsageError(f"Invalid concurrency {concurrency}: expected 1 or more.")
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
                if is_hopeless(error):
                    hopeless.append(error)
            if on_progress is not None:
                done, total = len(had) + len(results), len(had) + len(jobs)
                progress = TransferProgress(name, done, len(failed), total, size)
                await call_back(on_progress, progress)

    # An exception in a callback cancels the other transfers as well.
    await gather_or_cancel([work() for _ in range(min(concurrency, len(jobs)))])
    if failed:
        errors = {jobs[index][0]: failed[index] for index in sorted(failed)}
        done = had | {jobs[index][0]: results[index] for index in sorted(results)}
        raise partial_failure(what, errors, done, kind=kind)
    return [results[index] for index in range(len(jobs))]
