"""The filters that the lists of images, of videos and of the gallery have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client._given import refuse_empty
from invokeai_py_client.image.responses import category_words
from invokeai_py_client.lookup import BOARDS, BoardRef

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.models import ImageCategory


async def filter_params(
    connection: Connection,
    board_id: BoardRef | None,
    categories: Sequence[ImageCategory | str] | ImageCategory | str | None,
    is_intermediate: bool | None,
    search_term: str | None,
) -> dict[str, Any]:
    """Return the parameters of a request that lists images or videos.

    Raises:
        UsageError: A category is unknown, or a filter is empty.
        UnknownNameError: No board has this name or id. Whether the board of an object exists is checked by
            ``check_board()``, if the list is empty.
    """
    refuse_empty(categories=categories, search_term=search_term)
    return {
        "board_id": None if board_id is None else await BOARDS.id_of(connection, board_id),
        "categories": category_words(categories),
        "is_intermediate": is_intermediate,
        "search_term": search_term,
    }


async def check_board(connection: Connection, board: BoardRef | None) -> None:
    """Check that a board exists: the server lists nothing for boards that do not exist.

    Raises:
        UnknownNameError: The object's board was deleted. Strings have been looked up already.
    """
    if board is not None and not isinstance(board, str):
        await BOARDS.checked_id(connection, board)
