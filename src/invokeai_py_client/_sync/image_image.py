"""One image on the server."""

# Written by tools/generate_sync.py from src/invokeai_py_client/image/image.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face
from invokeai_py_client.image.image import AsyncImage

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from PIL.Image import Image as PILImage

    from invokeai_py_client.connection import Connection


class Image(Face[AsyncImage]):
    """An image on the server, by its name. Nothing is fetched until it is asked for.

    Attributes:
        name: The image's name on the server (``....png``).

    Example:
        ```python
        run.images[0].save("lighthouse.png")
        ```
    """

    @property
    def connection(self) -> Connection:
        return self._impl.connection

    @property
    def name(self) -> str:
        """The image's name on the server (``....png``)."""
        return self._impl.name

    @property
    def url(self) -> str:
        """Where the full image is."""
        return self._impl.url

    def bytes(self) -> bytes:
        """The image's file, as the server keeps it (a PNG). Fetched once.

        Raises:
            NotFoundError: The server no longer has it.
        """
        return self._call(self._impl.bytes())

    def thumbnail(self) -> bytes:
        """A WEBP of at most 256 pixels a side.

        Raises:
            NotFoundError: The server no longer has the image.
        """
        return self._call(self._impl.thumbnail())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the image to a file, as it arrives.

        The file appears whole or not at all. Missing folders are created.

        Args:
            path: The file, or a folder (one that exists, or a path that ends in ``/``), in which the image
                keeps its name.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The server no longer has it.
            UsageError: The file cannot be written.
        """
        return self._call(self._impl.save(path))

    def pil(self) -> PILImage:
        """The image as a Pillow image. Needs the extra ``invokeai-py-client[image]``."""
        return self._call(self._impl.pil())

    def metadata(self) -> dict[str, Any] | None:
        """The generation metadata that the workflow wrote into it, if any."""
        return self._call(self._impl.metadata())

    def workflow(self) -> dict[str, Any] | None:
        """The workflow that made it, if it carries one: with the values used, or of a sweep those of its first run.

        The server keeps one workflow for a whole batch; ``graph()`` has the values of this image's own run.

        Raises:
            NotFoundError: The server has no such image.
            WorkflowFormatError: It carries something else.
        """
        return self._call(self._impl.workflow())

    def graph(self) -> dict[str, Any] | None:
        """The graph that made it, as it was executed, if it carries one.

        Raises:
            NotFoundError: The server has no such image.
            WorkflowFormatError: It carries something else.
        """
        return self._call(self._impl.graph())

    def _repr_png_(self) -> bytes | None:
        return self._impl._repr_png_()
