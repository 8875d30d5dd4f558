"""Images on the server: brought there, listed, fetched, changed, removed."""

# Written by tools/generate_sync.py from src/invokeai_py_client/image/repository.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.image.repository import AsyncImageRepository
from invokeai_py_client.models import ImageCategory, IvkImage

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from invokeai_py_client._sync.image_image import Image
    from invokeai_py_client.image.upload import ImageSource


class ImageRepository(Face[AsyncImageRepository]):
    """The images of a server.

    Example:
        record = client.image_repo.upload("portrait.jpg")
        client.image_repo.download_to(record.image_name, "copies/")
    """

    def image(self, image_name: str) -> Image:
        """An image by its name, to be fetched, shown or saved. Asks the server for nothing."""
        return wrap(self._impl.image(image_name))

    def upload(
        self,
        image: ImageSource,
        *,
        board_id: str | None = None,
        image_category: ImageCategory | str = ImageCategory.USER,
        is_intermediate: bool = False,
        filename: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        resize_to: tuple[int, int] | None = None,
        crop_visible: bool = False,
        session_id: str | None = None,
    ) -> IvkImage:
        """Bring an image to the server, which keeps it as a PNG.

        A workflow embedded in a PNG stays in it.

        Args:
            image: A path, the bytes of an image file, or a Pillow image.
            board_id: The board to put it on; none by default, and for ``"none"``.
            image_category: What it is for.
            is_intermediate: Whether the gallery is not to show it.
            filename: What to call the file; the server does not keep it.
            metadata: Generation metadata to embed.
            resize_to: Width and height to bring it to, on the server.
            crop_visible: Whether to cut off transparent or black borders, on the server.
            session_id: The session it belongs to, if any.

        Raises:
            InputValueError: There is no such file, or what is given is no image.
            NotFoundError: The server has no such board.
            APIRequestError: The server cannot read the image (415), or failed.
        """
        return self._call(
            self._impl.upload(
                image,
                board_id=board_id,
                image_category=image_category,
                is_intermediate=is_intermediate,
                filename=filename,
                metadata=metadata,
                resize_to=resize_to,
                crop_visible=crop_visible,
                session_id=session_id,
            )
        )

    def download(self, image_name: str, *, full_resolution: bool = True) -> bytes:
        """An image's file as the server keeps it, or its thumbnail (a WEBP of at most 256 pixels a side).

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.download(image_name, full_resolution=full_resolution))

    def download_to(
        self, image_name: str, path: str | os.PathLike[str], *, full_resolution: bool = True
    ) -> Path:
        """Write an image to a file, in pieces. The file appears whole or not at all.

        Args:
            image_name: The image.
            path: The file, or a folder (one that exists, or a path that ends in ``/``), in which the image
                keeps its name.
            full_resolution: Whether to take the image itself, or its thumbnail.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.download_to(image_name, path, full_resolution=full_resolution))

    def get_image(self, image_name: str) -> IvkImage:
        """An image's record.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.get_image(image_name))

    def get_images(self, image_names: Iterable[str]) -> list[IvkImage]:
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

    def list_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
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
            search_term: Only those whose metadata or date contains this.
            offset: How many to pass over.
            limit: How many at most; all by default.
            order_dir: ``"DESC"`` for the newest first, ``"ASC"`` for the oldest.
            starred_first: Whether starred ones come before all others.

        Raises:
            UsageError: A negative offset or limit, or an unknown category.
            NotFoundError: The server has no such board.
        """
        return self._call(
            self._impl.list_images(
                board_id=board_id,
                categories=categories,
                is_intermediate=is_intermediate,
                search_term=search_term,
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
        search_term: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> Iterator[IvkImage]:
        """As :meth:`list_images`, but page by page while one goes through it. None comes twice."""
        return self._iterate(
            self._impl.iter_images(
                board_id=board_id,
                categories=categories,
                is_intermediate=is_intermediate,
                search_term=search_term,
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
        """How many images :meth:`list_images` would list."""
        return self._call(
            self._impl.count_images(
                board_id=board_id,
                categories=categories,
                is_intermediate=is_intermediate,
                search_term=search_term,
            )
        )

    def update(
        self,
        image_name: str,
        *,
        image_category: ImageCategory | str | None = None,
        is_intermediate: bool | None = None,
        starred: bool | None = None,
        session_id: str | None = None,
    ) -> IvkImage:
        """Change an image's record.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(
            self._impl.update(
                image_name,
                image_category=image_category,
                is_intermediate=is_intermediate,
                starred=starred,
                session_id=session_id,
            )
        )

    def star(self, image_names: str | Iterable[str]) -> list[str]:
        """Star images.

        Returns:
            The names of those that the server starred; those it does not have are left out.
        """
        return self._call(self._impl.star(image_names))

    def unstar(self, image_names: str | Iterable[str]) -> list[str]:
        """Take the star from images.

        Returns:
            The names of those that the server unstarred; those it does not have are left out.
        """
        return self._call(self._impl.unstar(image_names))

    def delete(self, image_names: str | Iterable[str]) -> list[str]:
        """Delete images from the server for good.

        Returns:
            The names of those that the server deleted; those it did not have are left out.
        """
        return self._call(self._impl.delete(image_names))

    def count_intermediates(self) -> int:
        """How many by-products the server keeps."""
        return self._call(self._impl.count_intermediates())

    def clear_intermediates(self) -> int:
        """Delete all by-products for good.

        Returns:
            How many they were.
        """
        return self._call(self._impl.clear_intermediates())
