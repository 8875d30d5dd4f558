"""Boards on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import NotFoundError, ServerError, UsageError
from invokeai_py_client.models import UNCATEGORIZED, BoardVisibility, IvkBoard
from invokeai_py_client.transport.payload import path_part
from invokeai_py_client.v1.boards import V1BoardMethods

if TYPE_CHECKING:
    from invokeai_py_client.board.handle import AsyncBoardHandle
    from invokeai_py_client.image.repository import AsyncImageRepository

_BOARDS = "/api/v1/boards"
_LONGEST_NAME = 300


class AsyncBoardRepository(V1BoardMethods, Resource):
    """The boards of a server. Images on no board count as those of a board with the id ``"none"``.

    Example:
        ```python
        board = await client.board_repo.create_board("Portraits")
        image = await board.upload_image("reference.jpg")
        ```
    """

    @property
    def images(self) -> AsyncImageRepository:
        """The images of the same server."""
        from invokeai_py_client.image.repository import AsyncImageRepository

        return self.connection.part(AsyncImageRepository)

    async def list_boards(
        self,
        all: bool = True,
        include_uncategorized: bool = False,
        *,
        include_archived: bool = False,
        order_by: Literal["created_at", "board_name"] = "created_at",
        direction: Literal["ASC", "DESC"] = "DESC",
    ) -> list[IvkBoard]:
        """The records of all boards, newest first.

        Args:
            all: Nothing: boards are always listed in full. Kept for older callers.
            include_uncategorized: Whether to begin with one that stands for the images on no board.
            include_archived: Whether to list archived boards too.
            order_by: What to sort by.
            direction: ``"DESC"`` for the newest first, or for Z to A.
        """
        del all
        params = {
            "all": True,
            "order_by": order_by,
            "direction": direction,
            "include_archived": include_archived,
        }
        answer = await self._json("GET", f"{_BOARDS}/", params=params, expect=list)
        boards = [IvkBoard.from_api_response(item) for item in answer]
        return [await self._uncategorized(), *boards] if include_uncategorized else boards

    async def get_board_by_id(self, board_id: str) -> IvkBoard | None:
        """A board's record; None where the server has no such board."""
        if board_id == UNCATEGORIZED:
            return await self._uncategorized()
        try:
            return IvkBoard.from_api_response(await self._json("GET", _path(board_id)))
        except NotFoundError:
            return None

    async def get_boards_by_name(self, name: str) -> list[IvkBoard]:
        """The boards of exactly this name, newest first; there may be several. Archived ones count."""
        boards = await self.list_boards(include_uncategorized=False, include_archived=True)
        return [board for board in boards if board.board_name == name]

    # ------------------------------------------------------------------ boards to work with

    async def get_board_handle(self, board_id: str | None) -> AsyncBoardHandle:
        """A board to work with.

        Args:
            board_id: Its id; ``"none"`` or None for the images on no board.

        Raises:
            NotFoundError: The server has no such board.
        """
        if board_id is None or board_id == UNCATEGORIZED:
            return await self.get_uncategorized_handle()
        return self._handle(IvkBoard.from_api_response(await self._json("GET", _path(board_id))))

    async def get_board_handle_by_name(self, name: str) -> AsyncBoardHandle | None:
        """A board to work with, by its name; None where there is none of this name.

        Raises:
            UsageError: Several boards have this name.
        """
        boards = await self.get_boards_by_name(name)
        if len(boards) > 1:
            ids = ", ".join(board.board_id for board in boards)
            raise UsageError(f"{len(boards)} boards are called {name!r}; take one by its id: {ids}.")
        return self._handle(boards[0]) if boards else None

    async def get_uncategorized_handle(self) -> AsyncBoardHandle:
        """The images on no board, to work with."""
        return self._handle(IvkBoard(board_id=UNCATEGORIZED, board_name="Uncategorized"))

    # ------------------------------------------------------------------ changing

    async def create_board(self, name: str, is_private: bool | None = None) -> AsyncBoardHandle:
        """Make a board. Another of the same name does not hinder it.

        Args:
            name: What to call it; at most 300 characters.
            is_private: Whether only its owner is to see it, on a server with several users. By default what
                the server does by default (which is yes, from InvokeAI 6.13).

        Raises:
            UsageError: The name is too long.
        """
        params = {"board_name": _checked_name(name), "is_private": is_private}
        board = IvkBoard.from_api_response(await self._json("POST", f"{_BOARDS}/", params=params))
        if is_private and board.board_visibility not in (None, BoardVisibility.PRIVATE):
            board = await self.update_board(board.board_id, board_visibility=BoardVisibility.PRIVATE)
        return self._handle(board)

    async def update_board(
        self,
        board_id: str,
        name: str | None = None,
        is_private: bool | None = None,
        *,
        cover_image_name: str | None = None,
        archived: bool | None = None,
        board_visibility: BoardVisibility | str | None = None,
    ) -> IvkBoard:
        """Change a board.

        Args:
            board_id: The board.
            name: A new name.
            is_private: The same as the visibility "private", or "public" (InvokeAI 6.13+).
            cover_image_name: The image to show for it. InvokeAI 6.14 keeps the choice, but shows the newest image,
                starred ones first.
            archived: Whether listings are to leave it out.
            board_visibility: Who sees it, on a server with several users (InvokeAI 6.13+).

        Returns:
            The board as it is now.

        Raises:
            NotFoundError: The server has no such board.
            UsageError: There is nothing to change, or ``"none"`` was meant, which is no board.
        """
        if is_private is not None and board_visibility is None:
            board_visibility = BoardVisibility.PRIVATE if is_private else BoardVisibility.PUBLIC
        changes = {
            "board_name": None if name is None else _checked_name(name),
            "cover_image_name": cover_image_name,
            "archived": archived,
            "board_visibility": None if board_visibility is None else str(board_visibility),
        }
        sent = {key: value for key, value in changes.items() if value is not None}
        if not sent:
            raise UsageError("update_board: say what to change.")
        _refuse_uncategorized(board_id, "changed")
        try:
            answer = await self._json("PATCH", _path(board_id), json=sent, idempotent=True)
        except ServerError:  # what older servers (6.0.2) say of a board that they do not have
            await self._json("GET", _path(board_id))
            raise
        return IvkBoard.from_api_response(answer)

    async def delete_board(self, board_id: str, delete_images: bool = False) -> bool:
        """Delete a board for good.

        Args:
            board_id: The board.
            delete_images: Whether to delete the images on it too; otherwise they are on no board afterwards.

        Returns:
            Whether there was such a board.

        Raises:
            UsageError: ``"none"`` was meant, which is no board.
        """
        _refuse_uncategorized(board_id, "deleted")
        params = {"include_images": delete_images}
        try:
            await self._json("GET", _path(board_id))  # older servers (6.0.2) delete what they do not have
            await self._json("DELETE", _path(board_id), params=params, idempotent=False)
        except NotFoundError:
            return False
        return True

    # ------------------------------------------------------------------ inside

    async def _uncategorized(self) -> IvkBoard:
        images = self.images
        general = await images.count_images(board_id=UNCATEGORIZED, categories="general")
        everything = await images.count_images(board_id=UNCATEGORIZED)
        return IvkBoard(
            board_id=UNCATEGORIZED,
            board_name="Uncategorized",
            image_count=general,
            asset_count=everything - general,
        )

    def _handle(self, board: IvkBoard) -> AsyncBoardHandle:
        from invokeai_py_client.board.handle import AsyncBoardHandle

        return AsyncBoardHandle(self, board)


def _path(board_id: str) -> str:
    return f"{_BOARDS}/{path_part(board_id, 'a board')}"


def _checked_name(name: str) -> str:
    if len(name) > _LONGEST_NAME:
        raise UsageError(f"A board's name should have at most {_LONGEST_NAME} characters, not {len(name)}.")
    return name


def _refuse_uncategorized(board_id: str, what: str) -> None:
    if board_id == UNCATEGORIZED:
        raise UsageError(f"'none' stands for the images on no board; it is no board and cannot be {what}.")
