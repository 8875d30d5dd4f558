"""Images on their way: from this machine to the server and back, one or many."""

# Written by tools/generate_sync.py from src/invokeai_py_client/image/transfer.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.image_changes import ImageChanges
from invokeai_py_client.image.transfer import _AT_ONCE, _UPLOADS_AT_ONCE, AsyncImageTransfer
from invokeai_py_client.models import ImageCategory, IvkImage

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from invokeai_py_client.image.responses import ImageNames
    from invokeai_py_client.image.transfers import TransferProgress
    from invokeai_py_client.image.upload import ImageSource


class ImageTransfer(ImageChanges):
    """Images brought to the server, fetched from it, and copied on it."""

    _impl: AsyncImageTransfer

    def upload(
        self,
        image: ImageSource,
        *,
        board_id: str | None = None,
        image_category: ImageCategory | str = ImageCategory.USER,
        is_intermediate: bool = False,
        filename: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        resize_to: tuple[int, int] | None = None,
        crop_visible: bool = False,
        session_id: str | None = None,
    ) -> IvkImage:
        """Bring an image to the server, which keeps it as a PNG.

        A workflow embedded in a PNG stays in it.

        Args:
            image: A path, the bytes of an image file, or a Pillow image.
            board_id: The board to put it on; none by default, and for ``"none"``.
            image_category: What it is for.
            is_intermediate: Whether the gallery is not to show it.
            filename: What to call the file; the server does not keep it.
            metadata: Generation metadata to embed.
            resize_to: Width and height to bring it to, on the server.
            crop_visible: Whether to cut off transparent or black borders, on the server.
            session_id: The session it belongs to, if any.

        Raises:
            InputValueError: There is no such file, or what is given is no image.
            NotFoundError: The server has no such board.
            APIRequestError: The server cannot read the image (415), or failed.
        """
        return self._call(
            self._impl.upload(
                image,
                board_id=board_id,
                image_category=image_category,
                is_intermediate=is_intermediate,
                filename=filename,
                metadata=metadata,
                resize_to=resize_to,
                crop_visible=crop_visible,
                session_id=session_id,
            )
        )

    def upload_images(
        self,
        sources: str | os.PathLike[str] | Iterable[ImageSource],
        *,
        board_id: str | None = None,
        image_category: ImageCategory | str = ImageCategory.USER,
        is_intermediate: bool = False,
        concurrency: int = _UPLOADS_AT_ONCE,
        on_progress: Callable[[TransferProgress], object] | None = None,
    ) -> list[IvkImage]:
        """Bring several images to the server, some at once. None is sent while a file is missing.

        An upload whose answer is lost is not repeated: the image may be there.

        Args:
            sources: A folder (its images, by name), a pattern such as ``"refs/*.png"``, a file; or several images,
                each a path, bytes or a Pillow image.
            board_id: The board to put them on.
            image_category: What they are for.
            is_intermediate: Whether the gallery is not to show them.
            concurrency: How many at once.
            on_progress: Called after each with how far it is.

        Returns:
            Their records, in the order given.

        Raises:
            UsageError: There is no image at all.
            InputValueError: A file is missing; nothing was sent.
            TransferError: Some did not get there. Its ``failed`` has their errors, its ``done`` the records of the
                others, by path.
        """
        return self._call(
            self._impl.upload_images(
                sources,
                board_id=board_id,
                image_category=image_category,
                is_intermediate=is_intermediate,
                concurrency=concurrency,
                on_progress=on_progress,
            )
        )

    def download(self, image_name: str, *, full_resolution: bool = True) -> bytes:
        """An image's file as the server keeps it, or its thumbnail (a WEBP of at most 256 pixels a side).

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.download(image_name, full_resolution=full_resolution))

    def download_to(
        self, image_name: str, path: str | os.PathLike[str], *, full_resolution: bool = True
    ) -> Path:
        """Write an image to a file, in pieces. The file appears whole or not at all.

        Args:
            image_name: The image.
            path: The file, or a folder (one that exists, or a path that ends in ``/``), in which the image
                keeps its name.
            full_resolution: Whether to take the image itself, or its thumbnail.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The server has no such image.
            UsageError: The file cannot be written.
        """
        return self._call(self._impl.download_to(image_name, path, full_resolution=full_resolution))

    def download_images(
        self,
        image_names: ImageNames,
        folder: str | os.PathLike[str],
        *,
        template: str = "{image}",
        full_resolution: bool = True,
        overwrite: bool = False,
        concurrency: int = _AT_ONCE,
        on_progress: Callable[[TransferProgress], object] | None = None,
    ) -> list[Path]:
        """Write images to files, several at once.

        Each file appears whole or not at all. One that is there already, has the image's name in its own and is
        whole is not fetched again: a download that was interrupted goes on where it was.

        Args:
            image_names: The images, by their names or records.
            folder: Where to; made where missing.
            template: What to call them: ``{image}`` is the image's name without its ending, ``{index}`` its number
                from 0, and every field of its record works: ``{created_at:%Y-%m-%d}/{width}x{height}-{image}``.
            full_resolution: Whether to take the images themselves, or their thumbnails.
            overwrite: Whether to fetch again what is there already.
            concurrency: How many at once.
            on_progress: Called after each with how far it is.

        Returns:
            The files' paths, in the order given; an image given twice has one file.

        Raises:
            UsageError: The template names what there is not.
            TransferError: Some could not be fetched. Its ``failed`` has their errors, its ``done`` the paths of the
                others.
        """
        return self._call(
            self._impl.download_images(
                image_names,
                folder,
                template=template,
                full_resolution=full_resolution,
                overwrite=overwrite,
                concurrency=concurrency,
                on_progress=on_progress,
            )
        )

    def bulk_download(
        self,
        path: str | os.PathLike[str],
        image_names: ImageNames | None = None,
        *,
        board_id: str | None = None,
        timeout: float = 600.0,
    ) -> Path:
        """Have the server make a zip of images, and fetch it. The server deletes it then.

        The zip has a folder for each category, with the images under their names. For many images
        ``download_images()`` is the surer way: it goes on where it was interrupted.

        Args:
            path: The file, or a folder (one that exists, or a path that ends in ``/``), in which the zip has the
                name that the server gives it.
            image_names: The images, by their names or records.
            board_id: Or a board, with all that is on it; ``"none"`` for the images on no board.
            timeout: Seconds to wait at most.

        Returns:
            The file's path.

        Raises:
            UsageError: Neither images nor a board are given, or both; or the file cannot be written.
            NotFoundError: The server has no such board, or no such image.
            ServerError: The server could not make the zip.
            RequestTimeoutError: It was not there in time.
        """
        return self._call(self._impl.bulk_download(path, image_names, board_id=board_id, timeout=timeout))

    def copy(
        self, image_names: ImageNames, board_id: str, *, concurrency: int = _UPLOADS_AT_ONCE
    ) -> list[IvkImage]:
        """Copy images to a board (``"none"`` for none). The server has no copying: each is fetched and brought again.

        Metadata, workflow and graph stay in them, and so does their category; the copies count as uploaded, and
        are not starred.

        Args:
            image_names: The images, by their names or records.
            board_id: The board.
            concurrency: How many at once.

        Returns:
            The copies' records, in the order given.

        Raises:
            NotFoundError: The server has no such board.
            TransferError: Some could not be copied. Its ``failed`` has their errors, its ``done`` the copies of the
                others.
        """
        return self._call(self._impl.copy(image_names, board_id, concurrency=concurrency))
