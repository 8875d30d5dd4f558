"""Images as one zip that the server makes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client.errors import (
    APIRequestError,
    ConnectionLostError,
    InvokeAIClientError,
    NotFoundError,
    RequestTimeoutError,
    ServerError,
    UsageError,
)
from invokeai_py_client.files.names import target_path
from invokeai_py_client.image.download import fetch_to_disk
from invokeai_py_client.models import UNCATEGORIZED
from invokeai_py_client.routes import path_part
from invokeai_py_client.transport.socket import BULK_DOWNLOADS

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from invokeai_py_client.connection import Connection

_ROUTE = "/api/v1/images/download"
# The zip can be fetched once only, and while it is being written, too: what comes then is a part, and the rest is
# lost (6.14.2). So one looks for it without having been told only after some time, and later each time.
_SILENCE = 30.0
_WITHOUT_EVENTS = 1.0
_LONGEST = 60.0


class _Zips:
    """What the server says about the zips it makes."""

    def __init__(self) -> None:
        self._told: dict[str, str | None] = {}
        self._news = asyncio.Event()

    def listen(self, name: str, payload: Any) -> None:
        """Take an event."""
        if name not in ("bulk_download_complete", "bulk_download_error") or not isinstance(payload, dict):
            return
        event = cast("dict[str, Any]", payload)
        failed = str(event.get("error") or "it does not say why") if name.endswith("error") else None
        self._told[str(event.get("bulk_download_item_name"))] = failed
        self._news.set()

    async def ended(self, item: str, patience: float) -> bool:
        """Wait until a zip is told to be ready; False where nothing was said of it for so long.

        Raises:
            NotFoundError: The server has not all of the images.
            ServerError: The server could not make it.
        """
        try:
            async with asyncio.timeout(patience):
                while item not in self._told:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        failed = self._told[item]
        if failed is not None:
            kind = NotFoundError if "not found" in failed.casefold() else ServerError
            raise kind(None, None, f"The server could not make the zip: {failed.rstrip('.')}.")
        return True


async def fetch_zip(
    connection: Connection,
    path: str | os.PathLike[str],
    *,
    image_names: Sequence[str] | None,
    board_id: str | None,
    timeout: float,
) -> Path:
    """Have a zip made, wait for it, and fetch it.

    Raises:
        UsageError: Neither images nor a board are given, or both; or the file cannot be written.
        NotFoundError: The server has no such board, or not all of the images.
        ServerError: The server could not make it.
        RequestTimeoutError: It was not there in time.
    """
    if bool(image_names) == (board_id is not None):
        raise UsageError("bulk_download: give image_names, at least one, or a board_id.")
    wanted = {"image_names": list(image_names)} if image_names else {"board_id": board_id}
    try:
        async with asyncio.timeout(timeout):
            return await _fetch(connection, path, wanted)
    except TimeoutError as error:
        if isinstance(error, InvokeAIClientError):
            raise
        raise RequestTimeoutError(
            None,
            None,
            f"{connection.url} had not made the zip after {timeout:g} s.",
            method="POST",
            path=_ROUTE,
        ) from None


async def _fetch(connection: Connection, path: str | os.PathLike[str], wanted: dict[str, Any]) -> Path:
    hub, zips = connection.hub, _Zips()
    attempt = 0
    async with hub.listening(BULK_DOWNLOADS, zips.listen):
        patience = _SILENCE if hub.connected else _WITHOUT_EVENTS
        while True:
            attempt += 1
            item = await _ask(connection, wanted)
            target = target_path(path, item)
            try:
                while True:
                    ready = await zips.ended(item, patience)
                    patience = min(patience * 2, _LONGEST)
                    try:
                        await fetch_to_disk(
                            connection, f"{_ROUTE}/{path_part(item, 'a zip')}", target, once=True
                        )
                    except NotFoundError:
                        if ready:
                            raise
                    else:
                        return target
            except ConnectionLostError:
                # A part came, and what was there is gone: it has to be made again.
                if attempt > connection.settings.max_retries:
                    raise


async def _has_board(connection: Connection, board_id: str) -> bool:
    try:
        await connection.http.json("GET", f"/api/v1/boards/{path_part(board_id, 'a board')}")
    except NotFoundError:
        return board_id == UNCATEGORIZED  # the images on no board
    return True


async def _ask(connection: Connection, wanted: dict[str, Any]) -> str:
    http = connection.http
    try:
        answer = await http.json(
            "POST", _ROUTE, json=wanted, idempotent=True, expect={"bulk_download_item_name": str}
        )
    except APIRequestError as error:
        board_id = wanted.get("board_id")
        # An unknown board is an unexpected error to many a version.
        if error.status_code in (404, 500) and board_id and not await _has_board(connection, board_id):
            raise NotFoundError(404, None, f"The server has no board {board_id}.") from None
        raise
    return answer["bulk_download_item_name"]
