"""Changing images that are on the server: their records, their stars, their board; and removing them."""

from __future__ import annotations

from typing import Any

from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.image.records import IMAGES, AsyncImageRecords, image_path
from invokeai_py_client.image.responses import MOST_NAMES, ImageNames, category_word, changed_names, name_list
from invokeai_py_client.models import UNCATEGORIZED, ImageCategory, IvkImage
from invokeai_py_client.routes import path_part, portions

_BOARD_IMAGES = "/api/v1/board_images"


class AsyncImageChanges(AsyncImageRecords):
    """What can be done to images, with as few requests as the server allows: one for every 1,000."""

    async def update(
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
        changes = {
            "image_category": None if image_category is None else category_word(image_category),
            "is_intermediate": is_intermediate,
            "starred": starred,
            "session_id": session_id,
        }
        sent = {name: value for name, value in changes.items() if value is not None}
        try:
            return IvkImage.from_api_response(await self._json("PATCH", image_path(image_name), json=sent))
        except APIRequestError as error:
            if error.status_code == 400:  # what the server says of an image that it does not have
                await self.get_image(image_name)
            raise

    async def star(self, image_names: ImageNames) -> list[str]:
        """Star images.

        Returns:
            The names of those that the server starred; those it does not have are left out.
        """
        return await self._change(f"{IMAGES}/star", "starred", image_names)

    async def unstar(self, image_names: ImageNames) -> list[str]:
        """Take the star from images.

        Returns:
            The names of those that the server unstarred; those it does not have are left out.
        """
        return await self._change(f"{IMAGES}/unstar", "unstarred", image_names)

    async def move(self, image_names: ImageNames, board_id: str) -> list[str]:
        """Put images on a board, wherever they were; ``"none"`` takes them off their boards.

        Returns:
            The names of those that the server moved; those it does not have are left out.

        Raises:
            NotFoundError: The server has no such board.
        """
        if board_id == UNCATEGORIZED:
            return await self._change(f"{_BOARD_IMAGES}/batch/delete", "removed", image_names)
        path = f"/api/v1/boards/{path_part(board_id, 'a board')}"
        names = name_list(image_names)
        moved = await self._change(f"{_BOARD_IMAGES}/batch", "added", names, board_id=board_id)
        if names and not moved:
            await self._json("GET", path)  # older servers (6.0.2) say nothing of a missing board
        return moved

    async def delete(self, image_names: ImageNames) -> list[str]:
        """Delete images from the server for good.

        Returns:
            The names of those that the server deleted; those it did not have are left out (InvokeAI before 6.0
            counts them, too).
        """
        return await self._change(f"{IMAGES}/delete", "deleted", image_names, idempotent=False)

    async def count_intermediates(self) -> int:
        """How many by-products the server keeps."""
        return await self._json("GET", f"{IMAGES}/intermediates", expect=int)

    async def clear_intermediates(self) -> int:
        """Delete all by-products for good.

        Returns:
            How many they were.
        """
        return await self._json("DELETE", f"{IMAGES}/intermediates", idempotent=False, expect=int)

    # ------------------------------------------------------------------ inside

    async def _change(
        self, path: str, verb: str, image_names: ImageNames, *, idempotent: bool = True, **more: Any
    ) -> list[str]:
        changed: set[str] = set()
        names = name_list(image_names)
        for portion in portions(names, MOST_NAMES):
            body = {**more, "image_names": portion}
            answer = await self._json("POST", path, json=body, idempotent=idempotent)
            said = changed_names(answer, verb)
            if "removed_image_names" in answer:  # InvokeAI before 6.0 names those that it does not have, too
                said = [image.image_name for image in await self.get_images(said)]
            changed.update(said)
        return [name for name in names if name in changed]
