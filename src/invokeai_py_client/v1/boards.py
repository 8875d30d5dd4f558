"""Methods of the board repository that only version 1's scripts use: images by name, on any board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from invokeai_py_client.models import UNCATEGORIZED

if TYPE_CHECKING:
    from invokeai_py_client.board.handle import AsyncBoardHandle
    from invokeai_py_client.image.record import AsyncIvkImage
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.image.responses import ImageName
    from invokeai_py_client.models import IvkBoard


class _BoardRepository(Protocol):
    """The members of the board repository that these methods use."""

    @property
    def images(self) -> AsyncImageRepository: ...

    async def get_board_by_id(self, board_id: str) -> IvkBoard | None: ...

    async def get_board_handle_by_name(self, name: str) -> AsyncBoardHandle | None: ...

    async def get_image_by_name(self, image_name: ImageName) -> AsyncIvkImage | None: ...


class V1BoardMethods:
    """A base class of the board repository: images by name, and the record of the uncategorized images."""

    async def get_uncategorized_board(self: _BoardRepository) -> IvkBoard:
        """Return the record of the uncategorized images, with their number."""
        board = await self.get_board_by_id(UNCATEGORIZED)
        assert board is not None, "the record of the uncategorized images always exists"
        return board

    async def get_image_by_name(self: _BoardRepository, image_name: ImageName) -> AsyncIvkImage | None:
        """Return an image's record, or None if the image is not on the server."""
        return await self.images.find_image(image_name)

    async def get_image_current_board_id(self: _BoardRepository, image_name: ImageName) -> str | None:
        """Return the id of an image's board, ``"none"`` if it is uncategorized, or None if it is not on the server."""
        image = await self.get_image_by_name(image_name)
        return None if image is None else image.board_id or UNCATEGORIZED

    async def move_image_to_board_by_name(
        self: _BoardRepository, image_name: ImageName, target_board_name: str
    ) -> bool:
        """Move an image to the board with a name.

        Returns:
            Whether the server moved the image. False if the image is not on the server or no board has this name.

        Raises:
            UsageError: Several boards have this name.
        """
        board = await self.get_board_handle_by_name(target_board_name)
        return False if board is None else await board.add_image(image_name)

    def clear_cache(self) -> None:
        """Do nothing. Boards are never cached."""
