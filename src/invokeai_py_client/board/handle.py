"""One board to work with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._base import AsyncObject, repository_of
from invokeai_py_client.errors import NotFoundError, UsageError
from invokeai_py_client.image.responses import category_words
from invokeai_py_client.models import UNCATEGORIZED, ImageCategory, IvkBoard, IvkImage
from invokeai_py_client.transport.json_shape import ListOf
from invokeai_py_client.transport.payload import path_part

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from invokeai_py_client.board.repository import AsyncBoardRepository
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.image.upload import ImageSource


class AsyncBoardHandle(AsyncObject):
    """A board to work with, or the images on no board (id ``"none"``).

    Example:
        ```python
        board = await client.board_repo.get_board_handle_by_name("Portraits")
        for image in await board.list_images():
            await board.save_image(image.image_name, "copies/")
        ```
    """

    def __init__(self, boards: AsyncBoardRepository, board: IvkBoard) -> None:
        self.connection = boards.connection
        self._boards = boards
        self._board = board

    @property
    def board(self) -> IvkBoard:
        """The board's record as the server last gave it."""
        return self._board

    @property
    def board_id(self) -> str:
        """The board's id."""
        return self._board.board_id

    @property
    def board_name(self) -> str:
        """What people call it."""
        return self._board.board_name

    @property
    def is_uncategorized(self) -> bool:
        """Whether this stands for the images on no board."""
        return self.board_id == UNCATEGORIZED

    async def refresh(self) -> IvkBoard:
        """Ask the server for the board's record anew.

        Raises:
            NotFoundError: The server no longer has the board.
        """
        board = await self._boards.get_board_by_id(self.board_id)
        if board is None:
            raise NotFoundError(404, None, f"The server no longer has the board {self.board_id}.")
        self._board = board
        return board

    # ------------------------------------------------------------------ images to it and from it

    async def upload_image(
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
        return await self._upload(file_path, None, image_category, is_intermediate)

    async def upload_image_data(
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
        return await self._upload(image_data, filename, image_category, is_intermediate)

    async def download_image(self, image_name: str | IvkImage, full_resolution: bool = True) -> bytes:
        """An image's file as the server keeps it, or its thumbnail (a WEBP of at most 256 pixels a side).

        Raises:
            NotFoundError: The server has no such image.
        """
        return await self._images.download(str(image_name), full_resolution=full_resolution)

    async def save_image(
        self, image_name: str | IvkImage, path: str | os.PathLike[str], full_resolution: bool = True
    ) -> Path:
        """Write an image to a file, or into a folder. The file appears whole or not at all.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The server has no such image.
        """
        return await self._images.download_to(str(image_name), path, full_resolution=full_resolution)

    # ------------------------------------------------------------------ what is on it

    async def list_images(
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
        del order_by
        return await self._images.list_images(
            board_id=self.board_id,
            categories=categories,
            is_intermediate=is_intermediate,
            search_term=search_term,
            offset=offset,
            limit=limit,
            order_dir=order_dir,
            starred_first=starred_first,
        )

    async def list_image_names(
        self,
        *,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
    ) -> list[str]:
        """The names of the board's images, in one request however many they are.

        Raises:
            NotFoundError: The server no longer has the board.
        """
        params = {"categories": category_words(categories), "is_intermediate": is_intermediate}
        path = f"/api/v1/boards/{path_part(self.board_id, 'a board')}/image_names"
        return await self.connection.http.json("GET", path, params=params, expect=ListOf(str))

    async def get_image_count(self) -> int:
        """How many images ``list_images()`` would list: of all categories, by-products left out."""
        return await self._images.count_images(board_id=self.board_id)

    # ------------------------------------------------------------------ changing

    async def move_image_to(self, image_name: str | IvkImage, target_board_id: str) -> bool:
        """Put an image on another board; ``"none"`` takes it off its board.

        Returns:
            Whether the server moved it; False where it has no such image.

        Raises:
            NotFoundError: The server has no such board.
        """
        path_part(image_name, "an image")
        return image_name in await self._images.move(str(image_name), target_board_id)

    async def add_image(self, image_name: str | IvkImage) -> bool:
        """Put an image on this board, wherever it was.

        Returns:
            Whether the server did; False where it has no such image.
        """
        return await self.move_image_to(image_name, self.board_id)

    async def remove_image(self, image_name: str | IvkImage) -> bool:
        """Take an image off this board; it is on no board afterwards.

        Returns:
            Whether it was on this board, and the server took it off.

        Raises:
            UsageError: This is no board, but stands for the images on none.
        """
        if self.is_uncategorized:
            raise UsageError("An image that is on no board cannot be taken off one.")
        try:
            image = await self._images.get_image(str(image_name))
        except NotFoundError:
            return False
        return image.board_id == self.board_id and await self.move_image_to(image_name, UNCATEGORIZED)

    async def delete_image(self, image_name: str | IvkImage) -> bool:
        """Delete an image from the server for good.

        Returns:
            Whether the server deleted it; False where it has no such image (InvokeAI before 6.0 says True).
        """
        return image_name in await self._images.delete(str(image_name))

    async def star_image(self, image_name: str | IvkImage) -> bool:
        """Star an image.

        Returns:
            Whether the server did; False where it has no such image.
        """
        return image_name in await self._images.star(str(image_name))

    async def unstar_image(self, image_name: str | IvkImage) -> bool:
        """Take the star from an image.

        Returns:
            Whether the server did; False where it has no such image.
        """
        return image_name in await self._images.unstar(str(image_name))

    # ------------------------------------------------------------------ inside

    async def _upload(
        self, image: ImageSource, filename: str | None, category: ImageCategory | str, is_intermediate: bool
    ) -> IvkImage:
        return await self._images.upload(
            image,
            board_id=self.board_id,
            image_category=category,
            is_intermediate=is_intermediate,
            filename=filename,
        )

    @property
    def _images(self) -> AsyncImageRepository:
        return self._boards.images

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_boards" not in state:
            self._boards = repository_of(self.connection, "board.repository", "AsyncBoardRepository")

    def to_dict(self) -> dict[str, Any]:
        """The board's record as plain JSON data."""
        return self._board.to_dict()

    def __repr__(self) -> str:
        return f"<AsyncBoardHandle {self.board_name!r} ({self.board_id})>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AsyncBoardHandle)
            and self.board_id == other.board_id
            and self.connection.url == other.connection.url
        )

    def __hash__(self) -> int:
        return hash(self.board_id)
