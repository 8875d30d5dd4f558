"""Waits until the server has moved its image files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from invokeai_py_client.errors import InvokeAIClientError, RequestTimeoutError, TransferError
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change, Changes

if TYPE_CHECKING:
    from invokeai_py_client.administration.server import AsyncServerRepository
    from invokeai_py_client.models.administration import ImageMoveStatus


async def finished_move(
    server: AsyncServerRepository, timeout: float | None, *, all_moved: bool = True
) -> ImageMoveStatus:
    """Wait until a move has ended.

    Args:
        server: The server. It sends no events about moves, so the status is polled.
        timeout: The longest time to wait in seconds, or None for no limit.
        all_moved: Whether no image may be left in another folder. Defaults to True.

    Raises:
        RequestTimeoutError: It did not end in time.
        TransferError: Some files could not be moved.
    """
    try:
        async with asyncio.timeout(timeout):
            status = await _ended(server)
    except TimeoutError as error:
        if isinstance(error, InvokeAIClientError):
            raise
        raise RequestTimeoutError(
            None,
            None,
            f"The server has not moved its image files within {timeout:g} seconds. It continues: see "
            "image_move_status().",
        ) from None
    if status.last_error or (all_moved and status.needs_move_count):
        reason = status.last_error or (status.latest_job or {}).get("error_message") or "See the server's log"
        count = status.needs_move_count
        files = "Image files" if not count else "1 image file" if count == 1 else f"{count:,} image files"
        raise TransferError(f"{files} could not be moved: {str(reason).rstrip('.')}.")
    return status


async def _ended(server: AsyncServerRepository) -> ImageMoveStatus:
    connection = server.connection
    statuses: list[ImageMoveStatus] = []
    changes = Changes(lambda: timing.IMAGE_MOVE_POLL, outage_timeout=connection.settings.outage_timeout)
    async with connection.hub.waiting(changes):
        changes.read(server.image_move_status, statuses.append, key="status")
        async for change in changes:
            if statuses and not statuses[-1].is_running:
                break
            if change is Change.SILENCE:
                changes.read(server.image_move_status, statuses.append, key="status")
    return statuses[-1]
