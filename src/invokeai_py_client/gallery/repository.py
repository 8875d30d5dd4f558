"""The gallery: images and videos in one list, newest first, and the days on which they were made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any, Literal

from invokeai_py_client.connection import Resource
from invokeai_py_client.image.filters import check_board, filter_params
from invokeai_py_client.image.listing import check_page, day_text
from invokeai_py_client.image.responses import MOST_NAMES
from invokeai_py_client.lookup import BoardRef
from invokeai_py_client.models import (
    ImageCategory,
    IvkGalleryDay,
    IvkGalleryImage,
    IvkGalleryItem,
    IvkGalleryVideo,
)
from invokeai_py_client.transport.json_shape import ListOf

_KINDS: dict[str, type[IvkGalleryItem]] = {"image": IvkGalleryImage, "video": IvkGalleryVideo}


class AsyncGalleryRepository(Resource):
    """The images and videos on a server, as the web UI's gallery shows them.

    Example:
        ```python
        for item in await client.gallery.list_items(limit=20):
            print(item.kind, item.name)
        ```
    """

    async def list_items(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> list[IvkGalleryItem]:
        """List images and videos together, newest first. Sends one request per 1,000 items.

        Any signed-in user may call this (InvokeAI 6.14+). Administrators see the items of all users.

        Args:
            board_id: Only items on this board: a board, its id or its name; ``"none"`` for uncategorized items.
                Defaults to all boards.
            categories: Only items of these categories. Defaults to all.
            is_intermediate: Only intermediate items (True), only others (False), or both (None). Defaults to False.
            search_term: Only items whose metadata or date contains this text.
            offset: Number of items to skip. Defaults to 0.
            limit: The largest number of items to return. Defaults to all.
            order_dir: ``"DESC"`` for newest first, ``"ASC"`` for oldest first. Defaults to ``"DESC"``.
            starred_first: Whether to list starred items first. Defaults to False.

        Returns:
            The items: ``IvkGalleryImage`` and ``IvkGalleryVideo`` records. Methods that take an image or a video accept
            them.

        Raises:
            UsageError: The offset or limit is negative, a category is unknown, or a filter is empty.
            UnknownNameError: The board is not on the server.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        items = self.iter_items(
            board_id=board_id,
            categories=categories,
            is_intermediate=is_intermediate,
            search_term=search_term,
            offset=offset,
            limit=limit,
            order_dir=order_dir,
            starred_first=starred_first,
        )
        return [item async for item in items]

    async def iter_items(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> AsyncIterator[IvkGalleryItem]:
        """Iterate over images and videos, requesting pages as needed. The arguments are those of ``list_items()``.

        No item is yielded twice, even if items are created or deleted during the iteration. Any signed-in user may call
        this (InvokeAI 6.14+).
        """
        from invokeai_py_client.api.gallery import AsyncGalleryApi

        check_page(offset, limit, order_dir)
        filters = await self._filters(board_id, categories, is_intermediate, search_term)
        api = self.connection.part(AsyncGalleryApi)
        seen: set[str] = set()
        total = 0
        while limit is None or len(seen) < limit:
            page = await api.list_gallery_items(
                **filters,
                offset=offset,
                limit=MOST_NAMES if limit is None else min(MOST_NAMES, limit - len(seen)),
                order_dir=order_dir,
                starred_first=starred_first,
                expect={"items": ListOf({"kind": str, "name": str}), "total": int},
            )
            gone, total = total - page["total"], page["total"]
            if (
                gone > 0
            ):  # items were deleted, so the next ones moved toward the beginning by at most that many places
                offset = max(0, offset - gone)
                continue
            offset += len(page["items"])
            for record in page["items"]:
                if record["name"] not in seen:
                    seen.add(record["name"])
                    kind = _KINDS.get(record["kind"], IvkGalleryItem)
                    yield kind.from_api_response(record)
            if not page["items"] or offset >= total:
                return

    async def list_names(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
        day: date | str | IvkGalleryDay | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> list[str]:
        """List the names of images and videos, newest first. Sends one request, whatever their number.

        Any signed-in user may call this (InvokeAI 6.14+). ``client.images.list_names()`` lists images only, and works
        with older servers.

        Args:
            board_id: Only items on this board: a board, its id or its name; ``"none"`` for uncategorized items.
                Defaults to all boards.
            categories: Only items of these categories. Defaults to all.
            is_intermediate: Only intermediate items (True), only others (False), or both (None). Defaults to False.
            search_term: Only items whose metadata or date contains this text.
            day: Only items made on this day, by the server's clock in UTC: a ``date``, a text such as ``"2026-01-31"``,
                or a record of ``days()``. Defaults to all days.
            order_dir: ``"DESC"`` for newest first, ``"ASC"`` for oldest first. Defaults to ``"DESC"``.
            starred_first: Whether to list starred items first. Defaults to False.

        Returns:
            The names. Names of videos end in ``.mp4``.

        Raises:
            UsageError: A category is unknown, the day is not valid, or a filter is empty.
            UnknownNameError: The board is not on the server.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        from invokeai_py_client.api.gallery import AsyncGalleryApi

        check_page(0, None, order_dir)
        created = None if day is None else day_text(day)
        filters = await self._filters(board_id, categories, is_intermediate, search_term)
        found = await self.connection.part(AsyncGalleryApi).list_gallery_item_names(
            **filters,
            created_date=created,
            order_dir=order_dir,
            starred_first=starred_first,
            expect={"item_names": ListOf(str)},
        )
        return found["item_names"]

    async def days(self) -> list[IvkGalleryDay]:
        """List the days on which images or videos were made, latest first, with their numbers.

        Any signed-in user may call this (InvokeAI 6.13+). Days are those of the server's clock in UTC. Intermediate
        images do not count.

        Raises:
            ServerTooOldError: The server is older than InvokeAI 6.13.
        """
        from invokeai_py_client.api.virtual_boards import AsyncVirtualBoardsApi

        records = await self.connection.part(AsyncVirtualBoardsApi).list_virtual_boards_by_date(
            expect=ListOf({"date": str})
        )
        return [IvkGalleryDay.from_api_response(record) for record in records]

    async def _filters(
        self,
        board_id: BoardRef | None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None,
        is_intermediate: bool | None,
        search_term: str | None,
    ) -> dict[str, Any]:
        filters = await filter_params(self.connection, board_id, categories, is_intermediate, search_term)
        await check_board(self.connection, board_id)
        return filters
