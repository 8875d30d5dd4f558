"""Images on their way: from this machine to the server and back, one or many."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.image.changes import AsyncImageChanges
from invokeai_py_client.image.records import IMAGES
from invokeai_py_client.image.responses import ImageNames, category_word, name_list
from invokeai_py_client.models import UNCATEGORIZED, ImageCategory, IvkImage
from invokeai_py_client.routes import path_part

if TYPE_CHECKING:
    from invokeai_py_client.image.transfers import TransferProgress
    from invokeai_py_client.image.upload import ImageSource

_AT_ONCE = 8
# An upload is in memory as a whole, and the server decodes and writes it anew.
_UPLOADS_AT_ONCE = 4


class AsyncImageTransfer(AsyncImageChanges):
    """Images brought to the server, fetched from it, and copied on it."""

    # ------------------------------------------------------------------ bringing images there

    async def upload(
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
        from invokeai_py_client.image.upload import make_upload

        form = await asyncio.to_thread(
            make_upload, image, filename=filename, metadata=metadata, resize_to=resize_to
        )
        answer = await self._json(
            "POST",
            f"{IMAGES}/upload",
            params={
                "image_category": category_word(image_category),
                "is_intermediate": is_intermediate,
                "board_id": None if board_id == UNCATEGORIZED else board_id,
                "session_id": session_id,
                "crop_visible": crop_visible or None,
            },
            upload=form,
        )
        image = IvkImage.from_api_response(answer)
        if board_id not in (None, UNCATEGORIZED) and image.board_id is None:
            try:  # older servers (6.0.2) take an image for a board that they do not have
                await self._json("GET", f"/api/v1/boards/{path_part(board_id, 'a board')}")
            except NotFoundError:
                await self.delete(image.image_name)
                raise
        return image

    async def upload_images(
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
        from invokeai_py_client.image.transfers import transfer_all
        from invokeai_py_client.image.upload import named_sources

        named = await asyncio.to_thread(named_sources, sources)
        category = category_word(image_category)

        async def send(source: ImageSource) -> tuple[IvkImage, int]:
            record = await self.upload(
                source, board_id=board_id, image_category=category, is_intermediate=is_intermediate
            )
            return record, await asyncio.to_thread(_size, source)

        return await transfer_all(
            named, send, what="uploaded", concurrency=concurrency, on_progress=on_progress
        )

    # ------------------------------------------------------------------ fetching

    async def download(self, image_name: str, *, full_resolution: bool = True) -> bytes:
        """An image's file as the server keeps it, or its thumbnail (a WEBP of at most 256 pixels a side).

        Raises:
            NotFoundError: The server has no such image.
        """
        from invokeai_py_client.image.download import file_path

        http = self.connection.http
        return await http.bytes(file_path(image_name, full_resolution))

    async def download_to(
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
        from invokeai_py_client.files.atomic import target_path
        from invokeai_py_client.image.download import download_to_file, file_path

        http_path = file_path(image_name, full_resolution)
        target = target_path(path, image_name if full_resolution else f"{image_name}.thumbnail.webp")
        http = self.connection.http
        await download_to_file(http, http_path, target, max_retries=self.connection.settings.max_retries)
        return target

    async def download_images(
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
        from invokeai_py_client.files.atomic import is_whole
        from invokeai_py_client.image.download import download_files
        from invokeai_py_client.image.paths import needs_records, paths_for

        given = [image_names] if isinstance(image_names, str | IvkImage) else list(image_names)
        names = name_list(given)
        for name in names:
            path_part(name, "an image")
        known = {image.image_name: image for image in given if isinstance(image, IvkImage)}
        if needs_records(template):
            unknown = [name for name in names if name not in known]
            known |= {image.image_name: image for image in await self.get_images(unknown)} if unknown else {}
        suffix = ".png" if full_resolution else ".webp"
        paths = paths_for(names, known, folder, template, suffix)
        kept: set[str] = set()
        if "{image" in template and not overwrite:
            kept = await asyncio.to_thread(lambda: {name for name in names if is_whole(paths[name])})
        await download_files(
            self.connection,
            [(name, paths[name]) for name in names if name not in kept],
            there={name: paths[name] for name in names if name in kept},
            full_resolution=full_resolution,
            concurrency=concurrency,
            on_progress=on_progress,
        )
        return [paths[image.image_name if isinstance(image, IvkImage) else image] for image in given]

    async def bulk_download(
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
        from invokeai_py_client.image.zip import fetch_zip

        names = None if image_names is None else name_list(image_names)
        return await fetch_zip(self.connection, path, image_names=names, board_id=board_id, timeout=timeout)

    # ------------------------------------------------------------------ copying

    async def copy(
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
        from invokeai_py_client.image.transfers import transfer_all

        names = name_list(image_names)
        if board_id != UNCATEGORIZED:
            await self._json("GET", f"/api/v1/boards/{path_part(board_id, 'a board')}")
        known = {image.image_name: image for image in await self.get_images(names)}

        async def one(name: str) -> tuple[IvkImage, int]:
            original = known.get(name) or await self.get_image(name)
            data = await self.download(name)
            copy = await self.upload(
                data,
                board_id=board_id,
                image_category=original.image_category,
                is_intermediate=original.is_intermediate,
                session_id=original.session_id,
            )
            return copy, len(data)

        return await transfer_all(
            [(name, name) for name in names], one, what="copied", concurrency=concurrency
        )


def _size(source: ImageSource) -> int:
    """The bytes of a local image; of a Pillow image, those of its pixels."""
    if isinstance(source, str | os.PathLike):
        try:
            return Path(source).expanduser().stat().st_size
        except OSError:
            return 0
    if isinstance(source, bytes | bytearray | memoryview):
        return len(source)
    return len(source.tobytes())
