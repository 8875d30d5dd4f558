"""The handle of a board."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._base import AsyncObject, repository_of
from invokeai_py_client._given import refuse_empty
from invokeai_py_client.errors import NotFoundError, TransferError, UsageError
from invokeai_py_client.image.record import AsyncIvkImage
from invokeai_py_client.image.responses import ImageName, ImageNames, category_words, name_list
from invokeai_py_client.models import UNCATEGORIZED, ImageCategory, IvkBoard
from invokeai_py_client.transport.json_shape import ListOf
from invokeai_py_client.transport.payload import path_part

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from invokeai_py_client.board.repository import AsyncBoardRepository
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.image.upload import ImageSource
    from invokeai_py_client.lookup import BoardRef


class AsyncBoardHandle(AsyncObject):
    """A board and its images. The id ``"none"`` means the uncategorized images.

    Example:
        ```python
        board = await client.boards.get_board_handle_by_name("Portraits")
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
        """The board's record, as last fetched."""
        return self._board

    @property
    def board_id(self) -> str:
        """The board's id."""
        return self._board.board_id

    @property
    def board_name(self) -> str:
        """The board's name."""
        return self._board.board_name

    @property
    def is_uncategorized(self) -> bool:
        """Whether this handle represents the uncategorized images rather than a board."""
        return self.board_id == UNCATEGORIZED

    async def refresh(self) -> IvkBoard:
        """Fetch the board's record again.

        Raises:
            NotFoundError: The board no longer exists.
        """
        board = await self._boards.get_board_by_id(self.board_id)
        if board is None:
            raise NotFoundError(
                404, None, f"The board {self.board_name!r} ({self.board_id}) no longer exists."
            )
        self._board = board
        return board

    # ------------------------------------------------------------------ uploads and downloads

    async def upload_image(
        self,
        file_path: str | os.PathLike[str],
        is_intermediate: bool = False,
        image_category: ImageCategory | str = ImageCategory.USER,
    ) -> AsyncIvkImage:
        """Upload an image file to this board.

        Args:
            file_path: The file.
            is_intermediate: Whether to hide the image from the gallery. Defaults to False.
            image_category: The category. Defaults to ``ImageCategory.USER``.

        Raises:
            InputValueError: The file does not exist.
            APIRequestError: The server cannot read the image (415), or failed.
        """
        return await self._upload(file_path, None, image_category, is_intermediate)

    async def upload_image_data(
        self,
        image_data: ImageSource,
        filename: str | None = "image.png",
        is_intermediate: bool = False,
        image_category: ImageCategory | str = ImageCategory.USER,
    ) -> AsyncIvkImage:
        """Upload an image to this board: the bytes of an image file, or a Pillow image.

        Args:
            image_data: The image.
            filename: The file name to send. The server does not store it.
            is_intermediate: Whether to hide the image from the gallery. Defaults to False.
            image_category: The category. Defaults to ``ImageCategory.USER``.

        Raises:
            InputValueError: The argument is not an image.
            APIRequestError: The server cannot read the image (415), or failed.
        """
        return await self._upload(image_data, filename, image_category, is_intermediate)

    async def download_image(self, image_name: ImageName, full_resolution: bool = True) -> bytes:
        """Download an image as the server stores it, or its thumbnail (WEBP, at most 256 pixels per side).

        Raises:
            NotFoundError: The image is not on the server.
        """
        return await self._images.download(image_name, full_resolution=full_resolution)

    async def save_image(
        self, image_name: ImageName, path: str | os.PathLike[str], full_resolution: bool = True
    ) -> Path:
        """Download an image to a file or into a folder. The file appears only when it is complete.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The image is not on the server.
        """
        return await self._images.download_to(image_name, path, full_resolution=full_resolution)

    # ------------------------------------------------------------------ listing

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
    ) -> list[AsyncIvkImage]:
        """List the records of the board's images, newest first. Sends one request per 1,000 images.

        Args:
            categories: Only images of these categories. Defaults to all.
            is_intermediate: Only intermediate images (True), only others (False), or both (None). Defaults to
                False.
            search_term: Only images whose metadata or date contains this text.
            offset: Number of images to skip. Defaults to 0.
            limit: The largest number of images to return. Defaults to all.
            order_dir: ``"DESC"`` for newest first, ``"ASC"`` for oldest first. Defaults to ``"DESC"``.
            starred_first: Whether to list starred images first. Defaults to False.
            order_by: Ignored; kept for older code. Servers only sort by creation time.
        """
        del order_by
        return await self._images.list_images(
            board_id=self,
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
        """List the names of the board's images. Sends one request.

        Raises:
            NotFoundError: The board no longer exists.
            UsageError: A category is unknown, or the list of categories is empty.
        """
        refuse_empty(categories=categories)
        from invokeai_py_client.api.boards import AsyncBoardsApi

        return await self.connection.part(AsyncBoardsApi).list_all_board_image_names(
            self.board_id,
            categories=category_words(categories),
            is_intermediate=is_intermediate,
            expect=ListOf(str),
        )

    async def get_image_count(self) -> int:
        """Return the number of images that ``list_images()`` would list, without intermediate images."""
        return await self._images.count_images(board_id=self)

    # ------------------------------------------------------------------ changing

    async def move_image_to(self, image_name: ImageNames, target_board_id: BoardRef) -> bool:
        """Move one or more images to another board, or off their boards with ``"none"``.

        Args:
            image_name: The image, or several images.
            target_board_id: The board, its id or its name.

        Returns:
            Whether the server moved all of them. False if an image is not on the server.

        Raises:
            UnknownNameError: The target board is not on the server.
            TransferError: The server refused or failed to move an image. All others were moved.
        """
        return await _for_all(self._images.move(_checked(image_name), target_board_id))

    async def add_image(self, image_name: ImageNames) -> bool:
        """Move one or more images to this board.

        Returns:
            Whether the server moved all of them. False if an image is not on the server.

        Raises:
            TransferError: The server refused or failed to move an image. All others were moved.
        """
        return await self.move_image_to(image_name, self)

    async def remove_image(self, image_name: ImageNames) -> bool:
        """Remove one or more images from this board. The images are uncategorized afterwards.

        Returns:
            Whether all of them were on this board and the server removed them.

        Raises:
            UsageError: This handle represents the uncategorized images.
            TransferError: The server refused or failed to remove an image. All others were removed.
        """
        if self.is_uncategorized:
            raise UsageError("Cannot remove an image from 'none': uncategorized images are not on a board.")
        names = _checked(image_name)
        known = await self._images.get_images(names)
        there = [record.image_name for record in known if record.board_id == self.board_id]
        moved = await _for_all(self._images.move(there, UNCATEGORIZED)) if there else True
        return moved and len(there) == len(names)

    async def delete_image(self, image_name: ImageNames) -> bool:
        """Permanently delete one or more images from the server.

        Returns:
            Whether the server deleted all of them. False if an image is not on the server (True before InvokeAI 6.0).

        Raises:
            TransferError: The server refused or failed to delete an image. All others were deleted.
        """
        return await _for_all(self._images.delete(image_name))

    async def star_image(self, image_name: ImageNames) -> bool:
        """Star one or more images.

        Returns:
            Whether the server starred all of them. False if an image is not on the server.

        Raises:
            TransferError: The server refused or failed to star an image. All others were starred.
        """
        return await _for_all(self._images.star(image_name))

    async def unstar_image(self, image_name: ImageNames) -> bool:
        """Remove the star from one or more images.

        Returns:
            Whether the server unstarred all of them. False if an image is not on the server.

        Raises:
            TransferError: The server refused or failed to unstar an image. All others were unstarred.
        """
        return await _for_all(self._images.unstar(image_name))

    # ------------------------------------------------------------------ internals

    async def _upload(
        self, image: ImageSource, filename: str | None, category: ImageCategory | str, is_intermediate: bool
    ) -> AsyncIvkImage:
        return await self._images.upload(
            image,
            board_id=self,
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
        """Return the board's record as JSON data."""
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


def _checked(images: ImageNames) -> list[str]:
    names = name_list(images)
    for name in names:
        path_part(name, "an image")
    return names


async def _for_all(change: Awaitable[object]) -> bool:
    """Wait for a change of images, and return whether all of them are on the server.

    Raises:
        TransferError: The server refused or failed to change some of them.
    """
    try:
        await change
    except TransferError as error:
        if not all(isinstance(reason, NotFoundError) for reason in error.failed.values()):
            raise
        return False
    return True
