"""The images and videos that runs made, downloaded from their server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.files.names import files_of
from invokeai_py_client.image.repository import AsyncImageRepository
from invokeai_py_client.transport.retry import is_passing, patiently
from invokeai_py_client.video.repository import AsyncVideoRepository

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.run import AsyncRun

logger = logging.getLogger("invokeai_py_client.pool")

_AT_ONCE = 8


@dataclass(slots=True)
class Lost:
    """Runs whose files could not be downloaded because the server does not respond.

    Attributes:
        places: The places of the runs.
        error: The error of one of the downloads.
    """

    places: set[int]
    error: APIRequestError


async def fetch_files(
    connection: Connection, runs: Mapping[int, AsyncRun], *, wait: bool = True
) -> tuple[dict[str, bytes], Lost | None]:
    """Download the images and videos that runs made.

    Args:
        connection: The server.
        runs: The runs, by place.
        wait: Whether to tolerate an outage. Defaults to True.

    Returns:
        The content of the files by name, without those that the server does not have any more. And the runs whose
        files could not be downloaded, or None.
    """
    limit = asyncio.Semaphore(_AT_ONCE)
    files: dict[str, bytes] = {}
    lost: Lost | None = None

    async def fetch(place: int, kind: str, name: str) -> None:
        nonlocal lost
        repository = AsyncImageRepository if kind == "image" else AsyncVideoRepository
        async with limit:
            try:
                with patiently() if wait else nullcontext():
                    files[name] = await connection.part(repository).download(name)
            except APIRequestError as error:
                if not is_passing(error):
                    logger.warning("%s %s stays on %s: %s", kind, name, connection.url, error)
                    return
                lost = lost or Lost(set(), error)
                lost.places.add(place)

    await gather_or_cancel(
        fetch(place, kind, name)
        for place, run in runs.items()
        for kind, names in files_of(run)
        for name in names
    )
    return files, lost
