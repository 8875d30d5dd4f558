"""The records of images: found by filter, read, with what is embedded in the images."""

# Written by tools/generate_sync.py from src/invokeai_py_client/image/records.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.image.records import AsyncImageRecords

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from invokeai_py_client._sync.image_image import Image
    from invokeai_py_client.image.responses import (
        ImageNames,
    )
    from invokeai_py_client.models import ImageCategory, IvkImage


class ImageRecords(Face[AsyncImageRecords]):
    """The records of a server's images."""

    def image(self, image_name: str) -> Image:
        """An image by its name, to be fetched, shown or saved. Asks the server for nothing."""
        return wrap(self._impl.image(image_name))

    def get_image(self, image_name: str) -> IvkImage:
        """An image's record.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.get_image(image_name))

    def get_images(self, image_names: ImageNames) -> list[IvkImage]:
        """The records of several images, in the order asked for; those that do not exist are left out.

        One request for every 1,000; before InvokeAI 6.0 one for each.
        """
        return self._call(self._impl.get_images(image_names))

    def get_metadata(self, image_name: str) -> dict[str, Any] | None:
        """The generation metadata embedded in an image, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.get_metadata(image_name))

    def get_workflow(self, image_name: str) -> dict[str, Any] | None:
        """The workflow embedded in an image, with the values used, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.get_workflow(image_name))

    def get_graph(self, image_name: str) -> dict[str, Any] | None:
        """The graph embedded in an image, as it was executed, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.get_graph(image_name))

    def list_images(
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
        return self._call(
            self._impl.list_images(
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
        )

    def iter_images(
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
    ) -> Iterator[IvkImage]:
        """As ``list_images()``, but page by page while one goes through it.

        None comes twice, and none is left out, while images are made or deleted meanwhile; those made
        after the beginning may be missing.
        """
        return self._iterate(
            self._impl.iter_images(
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
        )

    def count_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
    ) -> int:
        """How many images ``list_images()`` would list. One request, however many they are."""
        return self._call(
            self._impl.count_images(
                board_id=board_id,
                categories=categories,
                is_intermediate=is_intermediate,
                search_term=search_term,
            )
        )
