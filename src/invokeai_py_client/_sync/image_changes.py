"""Changing images that are on the server: their records, their stars, their board; and removing them."""

# Written by tools/generate_sync.py from src/invokeai_py_client/image/changes.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._sync.image_records import ImageRecords

if TYPE_CHECKING:
    from invokeai_py_client.image.changes import AsyncImageChanges
    from invokeai_py_client.image.responses import ImageNames
    from invokeai_py_client.models import ImageCategory, IvkImage


class ImageChanges(ImageRecords):
    """What can be done to images, with as few requests as the server allows: one for every 1,000."""

    _impl: AsyncImageChanges

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

    def star(self, image_names: ImageNames) -> list[str]:
        """Star images.

        Returns:
            The names of those that the server starred; those it does not have are left out.
        """
        return self._call(self._impl.star(image_names))

    def unstar(self, image_names: ImageNames) -> list[str]:
        """Take the star from images.

        Returns:
            The names of those that the server unstarred; those it does not have are left out.
        """
        return self._call(self._impl.unstar(image_names))

    def move(self, image_names: ImageNames, board_id: str) -> list[str]:
        """Put images on a board, wherever they were; ``"none"`` takes them off their boards.

        Returns:
            The names of those that the server moved; those it does not have are left out.

        Raises:
            NotFoundError: The server has no such board.
        """
        return self._call(self._impl.move(image_names, board_id))

    def delete(self, image_names: ImageNames) -> list[str]:
        """Delete images from the server for good.

        Returns:
            The names of those that the server deleted; those it did not have are left out (InvokeAI before 6.0
            counts them, too).
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
