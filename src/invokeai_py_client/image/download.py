"""Downloading to a file: in pieces, so that memory stays flat, and whole or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.image.files import AtomicFile
from invokeai_py_client.transport.retry import retry_delay

if TYPE_CHECKING:
    from pathlib import Path

    from invokeai_py_client.transport.http import HttpTransport


async def download_to_file(http: HttpTransport, path: str, target: Path, *, max_retries: int) -> None:
    """Fetch a server's path into a file. A broken download starts anew, as often as requests are repeated.

    Raises:
        APIRequestError: The server refused or failed, or could not be reached.
    """
    attempt = 0
    while True:
        attempt += 1
        file = await asyncio.to_thread(AtomicFile, target)
        try:
            async with http.stream(path) as chunks:
                async for chunk in chunks:
                    file.write(chunk)
            await asyncio.to_thread(file.keep)
            return
        except APIRequestError as error:
            delay = retry_delay(error, attempt=attempt, max_retries=max_retries, repeatable=True)
            if delay is None:
                raise
        finally:
            file.discard()
        await asyncio.sleep(delay)
