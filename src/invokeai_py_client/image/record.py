"""Records of images from the asynchronous client, whose methods are coroutines."""

# A record is a record, even though its methods are coroutines.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import PlainValidator

from invokeai_py_client.models.image import ImageMetadata, IvkImage, metadata_reader

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from PIL.Image import Image as PILImage

    from invokeai_py_client.models.image import RecordSource


class AsyncImageMetadata(dict[str, Any]):
    """The metadata of an image from the asynchronous client: a dict, empty if the image has no metadata.

    ``await image.metadata()`` returns the metadata as well, also before it was loaded.
    """

    async def __call__(self) -> dict[str, Any] | None:
        """Return the metadata, or None if the image has no metadata."""
        return dict(self) if self else None


class AsyncIvkImage(IvkImage):
    """The record of an image, from the asynchronous client. Its methods are coroutines.

    Attributes:
        metadata: The metadata it was generated with. Load it with ``await image.metadata()``. If you do so for many
            records of a listing, several are loaded at once.
    """

    metadata: Annotated[AsyncImageMetadata, PlainValidator(metadata_reader(AsyncImageMetadata))] = cast(
        "Any", None
    )

    async def bytes(self) -> builtins.bytes:
        """Return the image's file, a PNG.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return await self._image.bytes()

    async def thumbnail(self) -> builtins.bytes:
        """Return the thumbnail, a WEBP file of at most 256 pixels per side.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return await self._image.thumbnail()

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the image to a file, completely or not at all. Missing folders are created.

        The extension decides the format, as for ``Image.save()``.

        Args:
            path: The file, or a folder (an existing one, or a path that ends in ``/``), in which the image keeps its
                name.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The file cannot be written, or the record did not come from a server.
        """
        return await self._image.save(path)

    async def pil(self) -> PILImage:
        """Return the image as a Pillow image. Requires the extra ``invokeai-py-client[image]``.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return await self._image.pil()

    async def recall(self, *, strict: bool = False) -> dict[str, Any]:
        """Put the prompts, models, seed and other settings of the image into the open web UI.

        Any signed-in user may call this (InvokeAI 6.12+).

        Args:
            strict: Whether to clear the web UI's other settings. Defaults to False.

        Returns:
            The values as the server passed them to the web UI, with the keys of models.

        Raises:
            UsageError: The image has no metadata that can be recalled, or the record did not come from a server.
            ModelNotFoundError: A model of the image is not on the server.
            NotFoundError: The image is not on the server.
        """
        return await self._image.recall(strict=strict)

    async def workflow(self) -> dict[str, Any] | None:
        """Return the workflow embedded in the image, or None if it has none.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return await self._image.workflow()

    async def graph(self) -> dict[str, Any] | None:
        """Return the executed graph embedded in the image, or None if it has none.

        Raises:
            NotFoundError: The image was deleted from the server.
            UsageError: The record did not come from a server.
        """
        return await self._image.graph()

    def __hash__(self) -> int:
        return super().__hash__()

    def __face__(self) -> IvkImage:
        """Return the record for the synchronous client."""
        twin = IvkImage.__new__(IvkImage)
        fields = dict(self.__dict__)
        metadata = fields.get("metadata")
        if metadata is not None:
            fields["metadata"] = ImageMetadata(metadata)
        source: RecordSource | None = (self.__pydantic_private__ or {}).get("_source")
        # Listings have thousands of records, and pydantic's own ways to copy a record take three times as long.
        object.__setattr__(twin, "__dict__", fields)
        object.__setattr__(twin, "__pydantic_extra__", self.__pydantic_extra__)
        object.__setattr__(twin, "__pydantic_fields_set__", self.__pydantic_fields_set__)
        object.__setattr__(twin, "__pydantic_private__", {"_source": source and source.face()})
        return twin
