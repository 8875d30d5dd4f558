"""Limits on the size and speed of responses, which protect against malicious or broken servers.

Responses of InvokeAI stay far below these limits: its largest JSON documents have a few megabytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

LARGEST_ANSWER = 256 << 20
"""Maximum size of a response that is held in memory, in bytes (decompressed)."""

LARGEST_ERROR = 16 << 20
"""Maximum size of an error response, in bytes. Longer ones are truncated."""

LARGEST_FILE = 64 << 30
"""Maximum size of a file that is streamed to disk, in bytes."""

SLOWEST = 1024
"""Minimum average speed of a streamed file over the timeout of one request, in bytes per second."""


class TooMuchError(ValueError):
    """Raised if a response exceeds its maximum size."""


class TooSlowError(TimeoutError):
    """Raised if a file arrives too slowly."""


async def read_all(
    chunks: AsyncIterator[bytes], announced: int | None, limit: int, *, cut: bool = False
) -> bytes:
    """Return the whole body of a response.

    Args:
        chunks: The decompressed chunks of the body.
        announced: The length according to the server, or None.
        limit: The maximum number of bytes.
        cut: Whether to truncate a longer body instead of raising an error. Defaults to False.

    Raises:
        TooMuchError: The body has more than ``limit`` bytes.
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


async def check_pace(chunks: AsyncIterator[bytes], patience: float, limit: int) -> AsyncIterator[bytes]:
    """Yield the chunks of a file while checking its size and speed.

    Args:
        chunks: The chunks of the file.
        patience: Seconds over which the speed is measured.
        limit: The maximum number of bytes.

    Raises:
        TooMuchError: The file has more than ``limit`` bytes.
        TooSlowError: The chunks arrive more slowly than :data:`SLOWEST`.
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
        since += clock() - given  # do not count the time that the caller takes (a slow disk, for example)


def _too_much(limit: int) -> str:
    size = f"{limit >> 20} MB" if limit >> 20 else f"{limit} bytes"
    return f"it has more than {size}, the limit"
