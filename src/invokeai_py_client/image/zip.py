"""Downloads of many images as one zip file made by the server."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast
from zipfile import ZIP_STORED, ZipFile

from invokeai_py_client._atomic import Draft
from invokeai_py_client.api.images import AsyncImagesApi
from invokeai_py_client.api.operations import OPERATIONS
from invokeai_py_client.errors import (
    APIRequestError,
    ConnectionLostError,
    InvokeAIClientError,
    NotFoundError,
    RequestTimeoutError,
    ServerError,
    UsageError,
)
from invokeai_py_client.files.download import fetch_to_disk
from invokeai_py_client.files.names import target_path
from invokeai_py_client.image.responses import MOST_NAMES
from invokeai_py_client.lookup import fetch_board
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change
from invokeai_py_client.transport.payload import portions
from invokeai_py_client.transport.socket import BULK_DOWNLOADS

if TYPE_CHECKING:
    import os

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.transport.changes import Changes

_CHUNK = 1 << 20
# The zip's name, whether it had been announced before the download, and the file or the error.
_Fetched = tuple[str, bool, Path | NotFoundError | ConnectionLostError]


async def fetch_zip(
    connection: Connection,
    path: str | os.PathLike[str],
    *,
    image_names: Sequence[str] | None,
    board_id: str | None,
    timeout: float,
) -> Path:
    """Ask the server for a zip, wait for it, and download it.

    A server creates a zip of at most 1,000 images by their names (6.14). More images take several zips, whose files are
    put into one.

    Raises:
        UsageError: Neither images nor a board were passed, or both; or the file cannot be written.
        NotFoundError: The board or one of the images is not on the server.
        ServerError: The server could not create the zip.
        RequestTimeoutError: The zip was not ready in time.
    """
    if bool(image_names) == (board_id is not None):
        raise UsageError("bulk_download() expects either image_names (at least one) or a board_id.")
    try:
        async with asyncio.timeout(timeout):
            if not image_names:
                return await _fetch(connection, path, {"board_id": board_id})
            if len(image_names) <= MOST_NAMES:
                return await _fetch(connection, path, {"image_names": list(image_names)})
            return await _fetch_several(connection, path, image_names)
    except TimeoutError as error:
        if isinstance(error, InvokeAIClientError):
            raise
        raise RequestTimeoutError(
            None,
            None,
            f"{connection.url} did not create the zip within {timeout:g} seconds. Pass a longer timeout.",
            method="POST",
            path=OPERATIONS["download_images_from_list"].path,
        ) from None


async def _fetch_several(
    connection: Connection, path: str | os.PathLike[str], image_names: Sequence[str]
) -> Path:
    """Fetch several zips, and put their files into one."""
    with TemporaryDirectory(prefix="invokeai-zips-") as folder:
        parts = [
            await _fetch(connection, f"{folder}/", {"image_names": list(portion)})
            for portion in portions(image_names, MOST_NAMES)
        ]
        target = target_path(path, parts[0].name)
        try:
            await asyncio.to_thread(_join, parts, target)
        except OSError as error:
            raise UsageError(f"Cannot write the zip {str(target)!r}: {error.strerror or error}.") from None
    return target


def _join(parts: Sequence[Path], target: Path) -> None:
    """Put the files of several zips into one, in their order. Images are compressed already, so they are only stored.

    Raises:
        OSError: The file cannot be written.
    """
    joined = parts[0].with_suffix(".joined")
    with ZipFile(joined, "w", ZIP_STORED) as whole:
        for part in parts:
            with ZipFile(part) as zip_file:
                for entry in zip_file.infolist():
                    whole.writestr(entry.filename, zip_file.read(entry))
            part.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    with joined.open("rb") as file, Draft(target) as draft:
        while chunk := file.read(_CHUNK):
            draft.write(chunk)
        draft.keep()


async def _fetch(connection: Connection, path: str | os.PathLike[str], wanted: dict[str, Any]) -> Path:
    zips = _Zip(connection, path, wanted)
    room = connection.hub.changes(BULK_DOWNLOADS, zips.listen, zips.patience, tolerant=False)
    async with room as changes:
        while zips.target is None:
            zips.react(changes, await anext(changes))
    return zips.target


class _Zip:
    """The state of one zip: requested, announced, downloaded. Requested again if only a part of it arrived.

    Attributes:
        target: The downloaded file, or None until it is complete.
    """

    def __init__(self, connection: Connection, path: str | os.PathLike[str], wanted: dict[str, Any]) -> None:
        self.target: Path | None = None
        self._connection = connection
        self._path = path
        self._wanted = wanted
        self._item: str | None = None
        self._announced: dict[str, str | None] = {}
        self._attempts = 0
        self._fetching = 0
        self._is_missing = False
        self._pause = 0.0
        self._due = math.inf

    def listen(self, name: str, payload: Any) -> bool:
        """Process an event. Return whether it reports a finished or failed zip."""
        if name not in ("bulk_download_complete", "bulk_download_error") or not isinstance(payload, dict):
            return False
        event = cast("dict[str, Any]", payload)
        failed = str(event.get("error") or "no reason reported") if name.endswith("error") else None
        self._announced[str(event.get("bulk_download_item_name"))] = failed
        return True

    def patience(self) -> float:
        """Return the seconds until the download is tried without an event."""
        return max(0.0, self._due - time.monotonic())

    def react(self, changes: Changes, change: Change) -> None:
        """Request the zip, or download it if it is due.

        Raises:
            NotFoundError: One of the images is not on the server.
            ServerError: The server could not create the zip.
        """
        if self.target is not None:
            return
        if self._item is None:
            changes.read(self._ask, self._take_item, key=self._attempts)
        elif self._item in self._announced:
            failed = self._announced[self._item]
            if failed is not None:
                kind = NotFoundError if "not found" in failed.casefold() else ServerError
                raise kind(None, None, f"The server could not create the zip: {failed.rstrip('.')}.")
            if not self._is_missing:  # an earlier attempt may hang, so do not wait for it
                key = self._item, "announced"
                changes.read(self._fetch_announced, self._take_file, key=key, latest=False)
        elif change is Change.SILENCE:
            self._due = math.inf
            changes.read(self._fetch_early, self._take_file, key=(self._item, "early"), latest=False)

    async def _ask(self) -> str:
        return await _ask(self._connection, self._wanted)

    def _take_item(self, item: str) -> None:
        self._item = item
        self._attempts += 1
        self._wait_on()

    def _wait_on(self) -> None:
        first = timing.ZIP_SILENCE if self._connection.hub.connected else timing.ZIP_POLL
        self._pause = min(2 * self._pause, timing.ZIP_LONGEST) or first
        self._due = time.monotonic() + self._pause

    async def _fetch_announced(self) -> _Fetched:
        return await self._fetch()

    async def _fetch_early(self) -> _Fetched:
        return await self._fetch()

    async def _fetch(self) -> _Fetched:
        item = self._item or ""
        announced = item in self._announced
        target = target_path(self._path, item)
        self._fetching += 1
        try:
            path = self._connection.part(AsyncImagesApi).get_bulk_download_item_path(item)
            await fetch_to_disk(self._connection, path, target, once=True)
        except (NotFoundError, ConnectionLostError) as error:
            return item, announced, error
        finally:
            self._fetching -= 1
        return item, announced, target

    def _take_file(self, fetched: _Fetched) -> None:
        item, announced, found = fetched
        if isinstance(found, Path):
            self.target = found
        elif item != self._item:
            return
        elif isinstance(found, NotFoundError):
            self._is_missing = self._is_missing or announced
            # Another attempt may be receiving it, because a zip is sent only once.
            if self._is_missing and not self._fetching:
                raise found
            self._wait_on()
        else:
            # Only a part arrived and the server has deleted the zip, so it has to be created again.
            if self._attempts > self._connection.settings.max_retries:
                raise found
            self._item, self._is_missing = None, False


async def _ask(connection: Connection, wanted: dict[str, Any]) -> str:
    try:
        response: Any = await connection.part(AsyncImagesApi).download_images_from_list(
            **wanted, expect={"bulk_download_item_name": str}
        )
    except APIRequestError as error:
        board_id = wanted.get("board_id")
        # Several versions respond with 500 if the board is unknown.
        if error.status_code in (404, 500) and board_id:
            await fetch_board(connection, board_id)
        raise
    return str(response["bulk_download_item_name"])
