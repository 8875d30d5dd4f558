"""The records of images: found by filter, read, with what is embedded in the images."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.image.listing import Listing
from invokeai_py_client.image.responses import (
    MOST_NAMES,
    ImageNames,
    category_words,
    name_list,
    page_of,
    records,
)
from invokeai_py_client.models import ImageCategory, IvkImage
from invokeai_py_client.routes import ROUTE_MISSING, path_part, portions

if TYPE_CHECKING:
    from invokeai_py_client.image.image import AsyncImage

IMAGES = "/api/v1/images"


def image_path(image_name: str) -> str:
    """The path of an image's record."""
    return f"{IMAGES}/i/{path_part(image_name, 'an image')}"


class AsyncImageRecords(Resource):
    """The records of a server's images."""

    def image(self, image_name: str) -> AsyncImage:
        """An image by its name, to be fetched, shown or saved. Asks the server for nothing."""
        from invokeai_py_client.image.image import AsyncImage

        path_part(image_name, "an image")
        return AsyncImage(self.connection, image_name)

    # ------------------------------------------------------------------ one by one

    async def get_image(self, image_name: str) -> IvkImage:
        """An image's record.

        Raises:
            NotFoundError: The server has no such image.
        """
        return IvkImage.from_api_response(await self._json("GET", image_path(image_name)))

    async def get_images(self, image_names: ImageNames) -> list[IvkImage]:
        """The records of several images, in the order asked for; those that do not exist are left out.

        One request for every 1,000; before InvokeAI 6.0 one for each.
        """
        names = name_list(image_names)
        found: dict[str, IvkImage] = {}
        for portion in portions(names, MOST_NAMES):
            for record in await self._records_of(portion):
                found[record.image_name] = record
        return [found[name] for name in names if name in found]

    async def get_metadata(self, image_name: str) -> dict[str, Any] | None:
        """The generation metadata embedded in an image, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return await self.image(image_name).metadata()

    async def get_workflow(self, image_name: str) -> dict[str, Any] | None:
        """The workflow embedded in an image, with the values used, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return await self.image(image_name).workflow()

    async def get_graph(self, image_name: str) -> dict[str, Any] | None:
        """The graph embedded in an image, as it was executed, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return await self.image(image_name).graph()

    # ------------------------------------------------------------------ listing

    async def list_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search_term: str | None = None,
        since: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> list[IvkImage]:
        """The records of images, newest first. One request for every 1,000.

        Args:
            board_id: Only those of a board; ``"none"`` for those on no board.
            categories: Only those of these categories.
            is_intermediate: Only by-products (True), only others (False), or all (None).
            starred: Only starred ones (True), only others (False), or all (None).
            search_term: Only those whose metadata or date contains this.
            since: Only those made then or later, by the server's clock: a time, or a text such as
                ``"2026-01-31 12:00"``. Without a zone it is this machine's local time.
            offset: How many to pass over.
            limit: How many at most; all by default.
            order_dir: ``"DESC"`` for the newest first, ``"ASC"`` for the oldest.
            starred_first: Whether starred ones come before all others.

        Raises:
            UsageError: A negative offset or limit, an unknown category, or a time that is none.
            NotFoundError: The server has no such board.
        """
        images = self.iter_images(
            board_id=board_id,
            categories=categories,
            is_intermediate=is_intermediate,
            starred=starred,
            search_term=search_term,
            since=since,
            offset=offset,
            limit=limit,
            order_dir=order_dir,
            starred_first=starred_first,
        )
        return [image async for image in images]

    async def iter_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search_term: str | None = None,
        since: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> AsyncIterator[IvkImage]:
        """As ``list_images()``, but page by page while one goes through it.

        None comes twice, and none is left out, while images are made or deleted meanwhile; those made
        after the beginning may be missing.
        """
        listing = Listing(
            {
                "board_id": board_id,
                "categories": category_words(categories),
                "is_intermediate": is_intermediate,
                "search_term": search_term,
            },
            starred=starred,
            since=since,
            offset=offset,
            limit=limit,
            order_dir=order_dir,
            starred_first=starred_first,
        )
        while listing.params is not None:
            page, total = page_of(await self._json("GET", f"{IMAGES}/", params=listing.params))
            for image in listing.take(page, total):
                yield image

    async def count_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
    ) -> int:
        """How many images ``list_images()`` would list. One request, however many they are."""
        params = {
            "board_id": board_id,
            "categories": category_words(categories),
            "is_intermediate": is_intermediate,
            "search_term": search_term,
            "limit": 0,
        }
        return page_of(await self._json("GET", f"{IMAGES}/", params=params))[1]

    # ------------------------------------------------------------------ inside

    async def _records_of(self, names: list[str]) -> list[IvkImage]:
        try:
            answer = await self._json(
                "POST", f"{IMAGES}/images_by_names", json={"image_names": names}, idempotent=True, expect=list
            )
        except ROUTE_MISSING:  # before InvokeAI 6.0
            pass
        else:
            return records(answer)
        found: list[IvkImage] = []
        for name in names:
            try:
                found.append(await self.get_image(name))
            except NotFoundError:
                continue
        return found
