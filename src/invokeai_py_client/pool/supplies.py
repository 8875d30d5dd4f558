"""The images, videos and boards of orders on one server, and the requests with that server's names for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client.board.repository import AsyncBoardRepository
from invokeai_py_client.image.repository import AsyncImageRepository
from invokeai_py_client.pool.order import BOARD, IMAGE, VIDEO, with_names
from invokeai_py_client.video.repository import AsyncVideoRepository

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection


class Supplies:
    """The images, videos and boards that orders name, and their names on this server.

    Args:
        connection: The server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._uploads: dict[str, dict[str, str]] = {IMAGE: {}, VIDEO: {}}
        self._boards: dict[str, str] = {}
        self._making_boards = asyncio.Lock()

    async def missing(self, inputs: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Return the images and videos of the reference server that this server does not have.

        Args:
            inputs: Their names on the reference server, by the key that names them: ``image_name``, ``video_name``.

        Raises:
            APIRequestError: The server cannot be reached.
        """
        wanted: dict[str, list[str]] = {}
        for key, names in inputs.items():
            known = self._uploads[key]
            unknown = [name for name in names if name not in known]
            if not unknown:
                continue
            if key == IMAGE:
                images = await self._connection.part(AsyncImageRepository).get_images(unknown)
                there = {image.name for image in images}
            else:
                videos = await self._connection.part(AsyncVideoRepository).get_videos(unknown)
                there = {video.name for video in videos}
            known.update((name, name) for name in unknown if name in there)
            if missing := [name for name in unknown if name not in there]:
                wanted[key] = missing
        return wanted

    async def upload(self, key: str, name: str, data: bytes) -> None:
        """Store an image or a video of the reference server on this server, for orders that name it.

        Args:
            key: The key that names it: ``image_name`` or ``video_name``.
            name: Its name on the reference server.
            data: The content of the file.

        Raises:
            APIRequestError: The server rejected it, or cannot be reached.
        """
        if key == IMAGE:
            image = await self._connection.part(AsyncImageRepository).upload(data, filename=name)
            self._uploads[key][name] = image.image_name
        else:
            video = await self._connection.part(AsyncVideoRepository).upload(data, filename=name)
            self._uploads[key][name] = video.video_name

    async def translated(self, body: Mapping[str, Any], boards: Mapping[str, str]) -> Mapping[str, Any]:
        """Return a request with this server's images, videos and boards.

        Args:
            body: The body of ``enqueue_batch``.
            boards: The names of its boards, by their id on the reference server.

        Raises:
            APIRequestError: The server cannot be reached.
        """
        ids = {board: await self._board(board, name) for board, name in boards.items()}
        return with_names(body, {**self._uploads, BOARD: ids})

    async def _board(self, board_id: str, name: str) -> str:
        """Return the id of a board on this server: the same board, or one of its name. It is created if missing."""
        async with self._making_boards:
            known = self._boards.get(board_id)
            if known is None:
                repository = self._connection.part(AsyncBoardRepository)
                if await repository.get_board_by_id(board_id) is not None:
                    known = board_id
                else:
                    found = await repository.get_boards_by_name(name)
                    known = found[0].board_id if found else (await repository.create_board(name)).board_id
                self._boards[board_id] = known
            return known
