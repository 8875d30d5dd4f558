"""Boards on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client._text import clip
from invokeai_py_client.api.boards import AsyncBoardsApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import (
    APIRequestError,
    NotFoundError,
    ServerError,
    ServerTooOldError,
    UsageError,
)
from invokeai_py_client.image.changes import raise_if_files_deleted, raise_if_files_left
from invokeai_py_client.image.image import HeldImages, HeldRecords
from invokeai_py_client.image.responses import ImageName, name_of
from invokeai_py_client.lookup import BOARDS, ExactId, fetch_board, fetch_boards
from invokeai_py_client.models import UNCATEGORIZED, BoardVisibility, IvkBoard
from invokeai_py_client.schema.source import server_version
from invokeai_py_client.v1.boards import V1BoardMethods
from invokeai_py_client.video.repository import AsyncVideoRepository
from invokeai_py_client.video.video import HeldVideos

if TYPE_CHECKING:
    from invokeai_py_client.board.handle import AsyncBoardHandle
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.lookup import BoardRef

_LONGEST_NAME = 300


class AsyncBoardRepository(V1BoardMethods, Resource):
    """The boards on a server. The board id ``"none"`` means the uncategorized images.

    Example:
        ```python
        board = await client.boards.create_board("Portraits")
        image = await board.upload_image("reference.jpg")
        ```
    """

    @property
    def images(self) -> AsyncImageRepository:
        """The images on the same server."""
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
        """List the records of all boards, newest first.

        Args:
            all: Ignored; kept for older code. All boards are listed.
            include_uncategorized: Whether the list starts with a record for the uncategorized images. Defaults to
                False.
            include_archived: Whether to include archived boards. Defaults to False.
            order_by: The field to sort by. Defaults to ``"created_at"``.
            direction: ``"DESC"`` for newest first or Z to A, ``"ASC"`` for the reverse. Defaults to ``"DESC"``.
        """
        del all
        boards = await fetch_boards(
            self.connection, order_by=order_by, direction=direction, include_archived=include_archived
        )
        return [await self._uncategorized(), *boards] if include_uncategorized else boards

    async def get_board_by_id(self, board_id: str) -> IvkBoard | None:
        """Return a board's record, or None if no board has this id."""
        if board_id == UNCATEGORIZED:
            return await self._uncategorized()
        try:
            return IvkBoard.from_api_response(await self._api.get_board(board_id))
        except NotFoundError:
            return None

    async def get_boards_by_name(self, name: str) -> list[IvkBoard]:
        """Return the boards with exactly this name, newest first, including archived boards.

        Several boards may have the same name.
        """
        require("the name of a board", name=name)
        boards = await self.list_boards(include_uncategorized=False, include_archived=True)
        return [board for board in boards if board.board_name == name]

    # ------------------------------------------------------------------ handles

    async def get_board(self, board: BoardRef) -> AsyncBoardHandle:
        """Return the handle of a board.

        Args:
            board: The board: a record or handle, a name, or an id; ``"none"`` for the uncategorized images. An exact
                name takes precedence over an id, and an id over a name in another case.

        Raises:
            UnknownNameError: The board is not on the server. This is also a ``NotFoundError``.
            UsageError: Several boards have this name.
        """
        return self._handle(await BOARDS.get(self.connection, board))

    async def find_board(self, board: BoardRef) -> AsyncBoardHandle | None:
        """Return the handle of a board, as ``get_board()`` does, or None if it is not on the server.

        Raises:
            UsageError: Several boards have this name.
        """
        record = await BOARDS.find(self.connection, board)
        return None if record is None else self._handle(record)

    async def get_board_handle(self, board_id: BoardRef | None) -> AsyncBoardHandle:
        """Return the handle of a board, as ``get_board()`` does.

        Args:
            board_id: The board: a record or handle, an id, or a name; ``"none"`` or None for the uncategorized images.

        Raises:
            UnknownNameError: The board is not on the server. This is also a ``NotFoundError``.
            UsageError: Several boards have this name.
        """
        return await self.get_board(UNCATEGORIZED if board_id is None else board_id)

    async def get_board_handle_by_name(self, name: str) -> AsyncBoardHandle | None:
        """Return the handle of the board with this name, or None if no board has it.

        Raises:
            UsageError: Several boards have this name.
        """
        boards = await self.get_boards_by_name(name)
        if len(boards) > 1:
            ids = ", ".join(board.board_id for board in boards)
            raise UsageError(f"{len(boards)} boards are named {name!r}. Use an id instead: {ids}.")
        return self._handle(boards[0]) if boards else None

    async def get_uncategorized_handle(self) -> AsyncBoardHandle:
        """Return the handle of the uncategorized images."""
        return self._handle(IvkBoard(board_id=UNCATEGORIZED, board_name="Uncategorized"))

    # ------------------------------------------------------------------ changing

    async def create_board(
        self,
        name: str,
        is_private: bool | None = None,
        *,
        board_visibility: BoardVisibility | str | None = None,
    ) -> AsyncBoardHandle:
        """Create a board. Several boards may have the same name.

        Servers since InvokeAI 6.13 create private boards. Another visibility takes a second request.

        Args:
            name: The board's name, at most 300 characters.
            is_private: True means the visibility "private", False means "public". For "shared", pass
                ``board_visibility``. Defaults to the server's default (private since InvokeAI 6.13).
            board_visibility: Who can see the board, on a server with several users (InvokeAI 6.13+): "private" (only
                its owner), "shared" (all users can see it and its images), or "public" (all users can also add images
                to it). Administrators can see and change all boards. Defaults to the server's default, "private".

        Raises:
            UsageError: The name is empty or too long, the visibility is unknown, or the arguments contradict
                each other.
            ServerTooOldError: The server has no visibility of boards (before InvokeAI 6.13). No board was created.
        """
        wanted = _visibility(is_private, board_visibility)
        # Servers up to 6.8 take is_private.
        made = await self._api.create_board(board_name=_checked_name(name), params={"is_private": is_private})
        board = IvkBoard.from_api_response(made)
        # Since 6.13 servers ignore is_private. Older servers have no visibility.
        if wanted is None or board.board_visibility == wanted:
            return self._handle(board)
        if board.board_visibility is None and board_visibility is None:
            return self._handle(board)
        try:
            if board.board_visibility is None:
                raise await self._too_old()
            board = await self.update_board(board, board_visibility=wanted)
        except APIRequestError:
            await self.delete_board(board)
            raise
        return self._handle(board)

    async def _too_old(self) -> ServerTooOldError:
        """Return the error for a server that has no visibility of boards."""
        version = await server_version(self.connection.http)
        return ServerTooOldError(
            f"The visibility of boards needs InvokeAI 6.13 or later; this server is {version}. Omit board_visibility.",
            since="6.13",
            version=version,
        )

    async def update_board(
        self,
        board_id: BoardRef,
        name: str | None = None,
        is_private: bool | None = None,
        *,
        cover_image_name: ImageName | None = None,
        archived: bool | None = None,
        board_visibility: BoardVisibility | str | None = None,
    ) -> IvkBoard:
        """Change a board. Omitted arguments keep their values.

        Args:
            board_id: The board, its id or its name.
            name: The new name, at most 300 characters.
            is_private: Whether only its owner can see it: True sets the visibility to "private", False to "public"
                (InvokeAI 6.13+). For "shared", pass ``board_visibility``.
            cover_image_name: The cover image. InvokeAI 6.14 stores it, but shows the newest image instead, preferably
                a starred image. Servers cannot remove a cover (6.14).
            archived: Whether to hide the board from listings.
            board_visibility: Who can see it, on a server with several users (InvokeAI 6.13+): "private", "shared" or
                "public", as in ``create_board()``. Only its owner and administrators can change it.

        Returns:
            The changed board.

        Raises:
            UnknownNameError: The board is not on the server. This is also a ``NotFoundError``.
            UsageError: There is nothing to change, the arguments contradict each other, or the board id is ``"none"``.
        """
        refuse_empty(name=name, cover_image_name=cover_image_name)
        visibility = _visibility(is_private, board_visibility)
        changes = {
            "board_name": None if name is None else _checked_name(name),
            "cover_image_name": None if cover_image_name is None else name_of(cover_image_name),
            "archived": archived,
            "board_visibility": None if visibility is None else visibility.value,
        }
        sent: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
        if not sent:
            raise UsageError("Nothing to change: pass at least one new value to update_board().")
        _refuse_uncategorized(board_id, "changed")

        async def change(board: str) -> IvkBoard:
            try:
                response = await self._api.update_board(board, **sent)
            except ServerError:  # the response of older servers (6.0.2) if the board does not exist
                await self._api.get_board(board)
                raise
            return IvkBoard.from_api_response(response)

        return await BOARDS.call(self.connection, board_id, change)

    async def delete_board(self, board_id: BoardRef, delete_images: bool = False) -> bool:
        """Permanently delete a board.

        Args:
            board_id: The board, its id or its name.
            delete_images: Whether to delete its images and videos as well. Otherwise they become uncategorized.
                ``IvkBoard.image_count``, ``asset_count`` and ``video_count`` say how many there are. Defaults to False.

        Returns:
            Whether the board existed.

        Raises:
            UsageError: The board id is ``"none"``, or several boards have this name.
            PermissionDeniedError: The board belongs to another user.
            TransferError: The board was deleted, but some of its images or videos were not: the server failed to
                delete them, or they belong to other users. They are uncategorized now.
        """
        _refuse_uncategorized(board_id, "deleted")

        async def delete(board: str) -> None:
            record = await fetch_board(self.connection, board)  # 6.0.2 reports success for missing boards
            there = await self._files_on(record) if delete_images else {}
            try:
                response = await self._api.delete_board(board, include_images=delete_images, expect=dict)
            except ServerError as error:
                raise_if_files_deleted(record.board_name, error)
                raise
            if delete_images:
                await raise_if_files_left(record.board_name, there, response)

        return await BOARDS.call_if_found(self.connection, board_id, delete)

    # ------------------------------------------------------------------ internals

    @property
    def _api(self) -> AsyncBoardsApi:
        return self.connection.part(AsyncBoardsApi)

    async def _uncategorized(self) -> IvkBoard:
        images = self.images
        general = await images.count_images(board_id=UNCATEGORIZED, categories="general")
        everything = await images.count_images(board_id=UNCATEGORIZED)
        try:
            videos = await self.connection.part(AsyncVideoRepository).count_videos(board_id=UNCATEGORIZED)
        except ServerTooOldError:
            videos = 0
        return IvkBoard(
            board_id=UNCATEGORIZED,
            board_name="Uncategorized",
            image_count=general,
            asset_count=everything - general,
            video_count=videos,
        )

    async def _files_on(self, board: IvkBoard) -> dict[HeldRecords, list[str]]:
        """Return the names of the images and videos on a board, also of intermediate ones."""
        images = await self._handle(board).list_image_names(is_intermediate=None)
        try:
            videos = await self.connection.part(AsyncVideoRepository).list_names(
                board_id=ExactId(board.board_id), is_intermediate=None
            )
        except ServerTooOldError:
            videos = []
        found = {self.connection.part(HeldImages): images, self.connection.part(HeldVideos): videos}
        return {held: names for held, names in found.items() if names}

    def _handle(self, board: IvkBoard) -> AsyncBoardHandle:
        from invokeai_py_client.board.handle import AsyncBoardHandle

        return AsyncBoardHandle(self, board)


def _checked_name(name: str) -> str:
    require("the name of a board", name=name)
    if len(name) > _LONGEST_NAME:
        raise UsageError(
            f"The board name {clip(name, 40)!r} has {len(name)} characters: expected at most {_LONGEST_NAME}."
        )
    return name


def _visibility(
    is_private: bool | None, board_visibility: BoardVisibility | str | None
) -> BoardVisibility | None:
    """Return the visibility that arguments mean, or None if they mean none.

    Raises:
        UsageError: The visibility is unknown, or the arguments contradict each other.
    """
    refuse_empty(board_visibility=board_visibility)
    if board_visibility is None:
        if is_private is None:
            return None
        return BoardVisibility.PRIVATE if is_private else BoardVisibility.PUBLIC
    wanted = BoardVisibility.parse(str(board_visibility))
    if not isinstance(wanted, BoardVisibility):
        known = ", ".join(repr(member.value) for member in BoardVisibility)
        raise UsageError(f"board_visibility: {wanted!r} is not valid; expected one of {known}.")
    if is_private is not None and is_private is not (wanted is BoardVisibility.PRIVATE):
        raise UsageError(
            f"is_private={is_private} contradicts board_visibility={wanted.value!r}. Pass one of them."
        )
    return wanted


def _refuse_uncategorized(board: BoardRef, what: str) -> None:
    if BOARDS.text(board) == UNCATEGORIZED:
        raise UsageError(f"'none' cannot be {what}: it means the uncategorized images and is not a board.")
