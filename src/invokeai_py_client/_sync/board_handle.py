"""One board to work with."""

# Written by tools/generate_sync.py from src/invokeai_py_client/board/handle.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._sync.face import Face
from invokeai_py_client.board.handle import AsyncBoardHandle
from invokeai_py_client.models import ImageCategory, IvkBoard, IvkImage

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from invokeai_py_client.image.upload import ImageSource


class BoardHandle(Face[AsyncBoardHandle]):
    """A board to work with, or the images on no board (id ``"none"``).

    Example:
        ```python
        board = client.board_repo.get_board_handle_by_name("Portraits")
        for image in board.list_images():
            board.save_image(image.image_name, "copies/")
        ```
    """

    @property
    def board(self) -> IvkBoard:
        """The board's record as the server last gave it."""
        return self._impl.board

    @property
    def board_id(self) -> str:
        """The board's id."""
        return self._impl.board_id

    @property
    def board_name(self) -> str:
        """What people call it."""
        return self._impl.board_name

    @property
    def is_uncategorized(self) -> bool:
        """Whether this stands for the images on no board."""
        return self._impl.is_uncategorized

    def refresh(self) -> IvkBoard:
        """Ask the server for the board's record anew.

        Raises:
            NotFoundError: The server no longer has the board.
        """
        return self._call(self._impl.refresh())

    def upload_image(
        self,
        file_path: str | os.PathLike[str],
        is_intermediate: bool = False,
        image_category: ImageCategory | str = ImageCategory.USER,
    ) -> IvkImage:
        """Bring an image file to this board.

        Raises:
            InputValueError: There is no such file.
            APIRequestError: The server cannot read the image (415), or failed.
        """
        return self._call(self._impl.upload_image(file_path, is_intermediate, image_category))

    def upload_image_data(
        self,
        image_data: ImageSource,
        filename: str | None = "image.png",
        is_intermediate: bool = False,
        image_category: ImageCategory | str = ImageCategory.USER,
    ) -> IvkImage:
        """Bring an image to this board: the bytes of an image file, or a Pillow image.

        Args:
            image_data: The image.
            filename: What to call the file; the server does not keep it.
            is_intermediate: Whether the gallery is not to show it.
            image_category: What it is for.

        Raises:
            InputValueError: What is given is no image.
            APIRequestError: The server cannot read the image (415), or failed.
        """
        return self._call(self._impl.upload_image_data(image_data, filename, is_intermediate, image_category))

    def download_image(self, image_name: str | IvkImage, full_resolution: bool = True) -> bytes:
        """An image's file as the server keeps it, or its thumbnail (a WEBP of at most 256 pixels a side).

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.download_image(image_name, full_resolution))

    def save_image(
        self, image_name: str | IvkImage, path: str | os.PathLike[str], full_resolution: bool = True
    ) -> Path:
        """Write an image to a file, or into a folder. The file appears whole or not at all.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.save_image(image_name, path, full_resolution))

    def list_images(
        self,
        *,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
        order_by: Literal["created_at"] = "created_at",
    ) -> list[IvkImage]:
        """The records of the board's images, newest first. One request for every 1,000.

        Args:
            categories: Only those of these categories.
            is_intermediate: Only by-products (True), only others (False), or all (None).
            search_term: Only those whose metadata or date contains this.
            offset: How many to pass over.
            limit: How many at most; all by default.
            order_dir: ``"DESC"`` for the newest first, ``"ASC"`` for the oldest.
            starred_first: Whether starred ones come before all others.
            order_by: Servers sort by nothing else; kept for older callers.
        """
        return self._call(
            self._impl.list_images(
                categories=categories,
                is_intermediate=is_intermediate,
                search_term=search_term,
                offset=offset,
                limit=limit,
                order_dir=order_dir,
                starred_first=starred_first,
                order_by=order_by,
            )
        )

    def list_image_names(
        self,
        *,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
    ) -> list[str]:
        """The names of the board's images, in one request however many they are.

        Raises:
            NotFoundError: The server no longer has the board.
        """
        return self._call(self._impl.list_image_names(categories=categories, is_intermediate=is_intermediate))

    def get_image_count(self) -> int:
        """How many images ``list_images()`` would list: of all categories, by-products left out."""
        return self._call(self._impl.get_image_count())

    def move_image_to(self, image_name: str | IvkImage, target_board_id: str) -> bool:
        """Put an image on another board; ``"none"`` takes it off its board.

        Returns:
            Whether the server moved it; False where it has no such image.

        Raises:
            NotFoundError: The server has no such board.
        """
        return self._call(self._impl.move_image_to(image_name, target_board_id))

    def add_image(self, image_name: str | IvkImage) -> bool:
        """Put an image on this board, wherever it was.

        Returns:
            Whether the server did; False where it has no such image.
        """
        return self._call(self._impl.add_image(image_name))

    def remove_image(self, image_name: str | IvkImage) -> bool:
        """Take an image off this board; it is on no board afterwards.

        Returns:
            Whether it was on this board, and the server took it off.

        Raises:
            UsageError: This is no board, but stands for the images on none.
        """
        return self._call(self._impl.remove_image(image_name))

    def delete_image(self, image_name: str | IvkImage) -> bool:
        """Delete an image from the server for good.

        Returns:
            Whether the server deleted it; False where it has no such image (InvokeAI before 6.0 says True).
        """
        return self._call(self._impl.delete_image(image_name))

    def star_image(self, image_name: str | IvkImage) -> bool:
        """Star an image.

        Returns:
            Whether the server did; False where it has no such image.
        """
        return self._call(self._impl.star_image(image_name))

    def unstar_image(self, image_name: str | IvkImage) -> bool:
        """Take the star from an image.

        Returns:
            Whether the server did; False where it has no such image.
        """
        return self._call(self._impl.unstar_image(image_name))

    def to_dict(self) -> dict[str, Any]:
        """The board's record as plain JSON data."""
        return self._impl.to_dict()
