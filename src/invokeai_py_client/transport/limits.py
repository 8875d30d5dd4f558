"""How much of an answer is taken, and how slowly it may come: bounds for servers that mean harm, or are broken.

InvokeAI's own answers stay far below them: its largest JSON documents have a few megabytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

LARGEST_ANSWER = 256 << 20
"""Bytes of an answer that is held in memory (decompressed)."""

LARGEST_ERROR = 16 << 20
"""Bytes of an error's body that are read; of a longer one the beginning is told."""

LARGEST_FILE = 64 << 30
"""Bytes of a file that is written to disk as it comes."""

SLOWEST = 1024
"""Bytes a second that a file has to bring on average, while the timeout of one request passes."""


class TooMuchError(ValueError):
    """An answer that does not end where it should."""


class TooSlowError(TimeoutError):
    """A file that comes drop by drop."""


async def read_all(
    chunks: AsyncIterator[bytes], announced: int | None, limit: int, *, cut: bool = False
) -> bytes:
    """The whole of an answer.

    Args:
        chunks: Its parts, decompressed.
        announced: Its length as the server says it, if it does.
        limit: The most bytes to take.
        cut: Give the beginning of a longer one instead of an error.

    Raises:
        TooMuchError: There is more than that.
    """
    if announced is not None and announced > limit and not cut:
        raise TooMuchError(_too_much(limit))
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            if cut:
                break
            raise TooMuchError(_too_much(limit))
        parts.append(chunk)
    return b"".join(parts)


async def watched(chunks: AsyncIterator[bytes], patience: float, limit: int) -> AsyncIterator[bytes]:
    """The parts of a file, as long as they come in a reasonable pace and end some day.

    Args:
        chunks: The parts.
        patience: Seconds over which the pace is measured.
        limit: The most bytes to take.

    Raises:
        TooMuchError: There is more than that.
        TooSlowError: They come more slowly than :data:`SLOWEST`.
    """
    clock = asyncio.get_running_loop().time
    since, size, total = clock(), 0, 0
    async for chunk in chunks:
        size += len(chunk)
        total += len(chunk)
        if total > limit:
            raise TooMuchError(_too_much(limit))
        if clock() - since > patience:
            if size < SLOWEST * patience:
                raise TooSlowError
            since, size = clock(), 0
        given = clock()
        yield chunk
        since += clock() - given  # what the caller does with a part (a slow disk) is not the server's time


def _too_much(limit: int) -> str:
    return (
        f"the answer has more than {limit >> 20} MB" if limit >> 20 else f"the answer has over {limit} bytes"
    )
