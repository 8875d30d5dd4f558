"""One image on the server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.errors import WorkflowFormatError

if TYPE_CHECKING:
    import os

    from PIL.Image import Image as PILImage

    from invokeai_py_client.connection import Connection


class AsyncImage(AsyncObject):
    """An image on the server, by its name. Nothing is fetched until it is asked for.

    Attributes:
        name: The image's name on the server (``....png``).

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
        """Where the full image is."""
        return f"{self.connection.url}{self._path('full')}"

    async def bytes(self) -> bytes:
        """The image's file, as the server keeps it (a PNG). Fetched once.

        Raises:
            NotFoundError: The server no longer has it.
        """
        if self._data is None:
            self._data = await self.connection.http.bytes(self._path("full"))
        return self._data

    async def thumbnail(self) -> bytes:
        """A WEBP of at most 256 pixels a side.

        Raises:
            NotFoundError: The server no longer has the image.
        """
        return await self.connection.http.bytes(self._path("thumbnail"))

    async def save(self, path: str | os.PathLike[str]) -> Path:
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
        from invokeai_py_client.files.formats import is_truncated
        from invokeai_py_client.files.names import target_path

        target = target_path(path, self.name)
        if self._data is None or is_truncated(self._data):
            from invokeai_py_client.image.download import fetch_to_disk

            await fetch_to_disk(self.connection, self._path("full"), target)
        else:
            from invokeai_py_client.files.atomic import write_atomically

            await asyncio.to_thread(write_atomically, target, self._data)
        return target

    async def pil(self) -> PILImage:
        """The image as a Pillow image. Needs the extra ``invokeai-py-client[image]``."""
        from invokeai_py_client.files.images import decode

        return decode(await self.bytes(), self.name)

    async def metadata(self) -> dict[str, Any] | None:
        """The generation metadata that the workflow wrote into it, if any."""
        return await self.connection.http.json("GET", self._path("metadata"), expect=dict | None)

    async def workflow(self) -> dict[str, Any] | None:
        """The workflow that made it, if it carries one: with the values used, or of a sweep those of its first run.

        The server keeps one workflow for a whole batch; ``graph()`` has the values of this image's own run.

        Raises:
            NotFoundError: The server has no such image.
            WorkflowFormatError: It carries something else.
        """
        return await self._embedded("workflow")

    async def graph(self) -> dict[str, Any] | None:
        """The graph that made it, as it was executed, if it carries one.

        Raises:
            NotFoundError: The server has no such image.
            WorkflowFormatError: It carries something else.
        """
        return await self._embedded("graph")

    async def _embedded(self, what: str) -> dict[str, Any] | None:
        answer = await self.connection.http.json("GET", self._path("workflow"), expect={what: str | None})
        text: str | None = answer.get(what)
        if not text:
            return None
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WorkflowFormatError(f"The {what} in the image {self.name} is no JSON: {error}.") from None
        if not isinstance(found, dict):
            raise WorkflowFormatError(f"The {what} in the image {self.name} is no JSON object.")
        return cast("dict[str, Any]", found)

    def _path(self, what: str) -> str:
        from urllib.parse import quote

        return f"/api/v1/images/i/{quote(self.name, safe='')}/{what}"

    def _repr_png_(self) -> bytes | None:
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
