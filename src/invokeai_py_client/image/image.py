"""One image on the server."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.errors import InvokeAIClientError, WorkflowFormatError
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    import os

    from PIL.Image import Image as PILImage

    from invokeai_py_client.connection import Connection


logger = logging.getLogger("invokeai_py_client.image")


class AsyncImage(AsyncObject):
    """An image on the server. Data is fetched when a method needs it.

    Attributes:
        name: The image's name on the server, such as ``"6f0c3e0e-....png"``.

    Example:
        ```python
        await run.images[0].save("lighthouse.png")
        ```
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self._data: bytes | None = None
        self.name = name

    @property
    def url(self) -> str:
        """The URL of the full-resolution image."""
        return f"{self.connection.url}{self._path('full')}"

    async def bytes(self) -> bytes:
        """Return the image file as the server stores it (a PNG). It is downloaded once.

        Raises:
            NotFoundError: The image is no longer on the server.
        """
        if self._data is None:
            self._data = await self._download(self.connection)
        return self._data

    async def thumbnail(self) -> bytes:
        """Download the thumbnail: a WEBP image of at most 256 pixels per side.

        Raises:
            NotFoundError: The image is no longer on the server.
        """
        return await self.connection.http.bytes(self._path("thumbnail"))

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Download the image to a file.

        The file appears only when it is complete. Missing folders are created. The extension decides the format:
        ``.png`` as on the server, or ``.jpg``, ``.webp`` or ``.avif``, which require the extra
        ``invokeai-py-client[image]``. The metadata is kept.

        Args:
            path: A file, or a folder: an existing folder or a path that ends in ``/``. In a folder, the image
                keeps its name.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The image is no longer on the server.
            UsageError: The file cannot be written, or the image cannot be converted to its format.
        """
        from invokeai_py_client.files.convert import check_target, convert
        from invokeai_py_client.files.formats import is_truncated
        from invokeai_py_client.files.names import target_path

        target = target_path(path, self.name)
        check_target(target, "PNG")
        if self._data is None or is_truncated(self._data):
            from invokeai_py_client.image.download import fetch_to_disk

            await fetch_to_disk(self.connection, self._path("full"), target)
        else:
            from invokeai_py_client.files.atomic import write_atomically

            data = self._data
            await asyncio.to_thread(lambda: write_atomically(target, convert(data, target)))
        return target

    async def pil(self) -> PILImage:
        """Download the image and decode it with Pillow. Needs the extra ``invokeai-py-client[image]``."""
        from invokeai_py_client.files.images import decode

        return decode(await self.bytes(), self.name)

    async def metadata(self) -> dict[str, Any] | None:
        """Return the generation metadata embedded in the image, or None if it has none.

        Raises:
            NotFoundError: The image is not on the server.
        """
        return await self.connection.http.json("GET", self._path("metadata"), expect=dict | None)

    async def workflow(self) -> dict[str, Any] | None:
        """Return the workflow embedded in the image, with the values used, or None if it has none.

        The server stores one workflow for a whole batch, so after a sweep it has the values of the first run.
        ``graph()`` returns the values of the run that made this image.

        Raises:
            NotFoundError: The image is not on the server.
            WorkflowFormatError: The embedded data is not a workflow.
        """
        return await self._embedded("workflow")

    async def graph(self) -> dict[str, Any] | None:
        """Return the graph that made the image, as it was executed, or None if it is not embedded.

        Raises:
            NotFoundError: The image is not on the server.
            WorkflowFormatError: The embedded data is not a graph.
        """
        return await self._embedded("graph")

    async def _embedded(self, what: str) -> dict[str, Any] | None:
        response = await self.connection.http.json("GET", self._path("workflow"), expect={what: str | None})
        text: str | None = response.get(what)
        if not text:
            return None
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WorkflowFormatError(
                f"The {what} embedded in image {self.name!r} is not valid JSON: {error}."
            ) from None
        if not isinstance(found, dict):
            raise WorkflowFormatError(
                f"The {what} embedded in image {self.name!r} is not valid: expected a JSON object."
            )
        return cast("dict[str, Any]", found)

    async def _download(self, connection: Connection) -> bytes:
        return await connection.http.bytes(self._path("full"))

    def _path(self, what: str) -> str:
        from urllib.parse import quote

        return f"/api/v1/images/i/{quote(self.name, safe='')}/{what}"

    def _repr_png_(self) -> bytes | None:
        """Return the image's file for a notebook, or None if it cannot be downloaded."""
        if self._data is None:
            try:
                self._data = self.connection.call(self._download, timing.DISPLAY)
            except (InvokeAIClientError, TimeoutError) as error:
                logger.info("could not display image %s: %s", self.name, error)
        return self._data

    def __repr__(self) -> str:
        return f"<AsyncImage {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsyncImage) and (self.name, self.connection.url) == (
            other.name,
            other.connection.url,
        )

    def __hash__(self) -> int:
        return hash(self.name)
