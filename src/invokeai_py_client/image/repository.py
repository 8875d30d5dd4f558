"""Images on the server: list, upload, download, change and delete them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client._names import ExactId
from invokeai_py_client.api.board_images import AsyncBoardImagesApi
from invokeai_py_client.api.images import AsyncImagesApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import (
    APIRequestError,
    NotFoundError,
    ServerError,
    ServerTooOldError,
    TransferError,
)
from invokeai_py_client.image.changes import change_images
from invokeai_py_client.image.filters import check_board, filter_params
from invokeai_py_client.image.image import AsyncImage, HeldImages, connected, fetch_records
from invokeai_py_client.image.listing import Listing, check_page, day_text
from invokeai_py_client.image.record import AsyncIvkImage
from invokeai_py_client.image.responses import (
    MOST_NAMES,
    ImageName,
    ImageNames,
    category_word,
    category_words,
    file_path,
    name_list,
    name_of,
    origin_word,
    page_of,
)
from invokeai_py_client.lookup import BOARDS, BoardRef, fetch_board, unknown_file
from invokeai_py_client.models import UNCATEGORIZED, ImageCategory, ImageOrigin, IvkImage
from invokeai_py_client.transport.json_shape import ListOf
from invokeai_py_client.transport.payload import path_part, portions
from invokeai_py_client.transport.retry import patient

if TYPE_CHECKING:
    from invokeai_py_client.files.photos import Photo
    from invokeai_py_client.image.transfer import TransferProgress
    from invokeai_py_client.image.upload import ImageSource
    from invokeai_py_client.models import IvkGalleryDay
    from invokeai_py_client.transport.payload import Form

_VIDEO = ".mp4"
"""How the names of videos end, as the server documents it."""
_DOWNLOADS_AT_ONCE = 8
# An upload is held in memory as a whole, and the server decodes and encodes it again.
_UPLOADS_AT_ONCE = 4


class AsyncImageRepository(Resource):
    """The images on a server. Methods take an image as its name, its record or an image of a run.

    Example:
        ```python
        record = await client.images.upload("portrait.jpg")
        await client.images.download_to(record.image_name, "copies/")
        ```
    """

    def image(self, image_name: ImageName) -> AsyncImage:
        """Return an image by its name, to download, show or save it. Sends no request."""
        name = name_of(image_name)
        path_part(name, "an image")
        return AsyncImage(self.connection, name)

    # ------------------------------------------------------------------ records

    async def get_image(self, image_name: ImageName) -> AsyncIvkImage:
        """Fetch an image's record.

        Raises:
            UnknownNameError: The image is not on the server. This is also a ``NotFoundError``.
        """
        record = await self.find_image(image_name)
        if record is None:
            raise await unknown_file(self.connection, "image", name_of(image_name))
        return record

    async def find_image(self, image_name: ImageName) -> AsyncIvkImage | None:
        """Fetch an image's record, or return None if it is not on the server."""
        try:
            # The path takes an image in every form, and rejects what is not a name.
            return self._record(await self._api.get_image_dto(cast("str", image_name)))
        except NotFoundError:
            return None

    async def get_images(self, image_names: ImageNames) -> list[AsyncIvkImage]:
        """Fetch the records of several images, in the order of the names.

        Images that do not exist, or that you are not allowed to see, are omitted.

        Sends one request per 1,000 images, or one per image before InvokeAI 6.0.
        """
        names = name_list(image_names)
        found: dict[str, AsyncIvkImage] = {}
        for portion in portions(names, MOST_NAMES):
            for record in await fetch_records(self.connection, portion):
                found[record.image_name] = record
        return [found[name] for name in names if name in found]

    async def get_metadata(self, image_name: ImageName) -> dict[str, Any] | None:
        """Return the generation metadata embedded in an image, or None if it has none.

        Raises:
            NotFoundError: The image is not on the server.
        """
        return await self.image(image_name).metadata()

    async def get_workflow(self, image_name: ImageName) -> dict[str, Any] | None:
        """Return the workflow embedded in an image, with the values used, or None if it has none.

        Raises:
            NotFoundError: The image is not on the server.
        """
        return await self.image(image_name).workflow()

    async def get_graph(self, image_name: ImageName) -> dict[str, Any] | None:
        """Return the graph embedded in an image, as it was executed, or None if it has none.

        Raises:
            NotFoundError: The image is not on the server.
        """
        return await self.image(image_name).graph()

    # ------------------------------------------------------------------ listing

    async def list_images(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        image_origin: ImageOrigin | str | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search_term: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> list[AsyncIvkImage]:
        """List image records, newest first. Sends one request per 1,000 images.

        On servers with user accounts, these are your own images. Administrators get the images of all users. Images of
        others on a board that you can see are listed with ``board_id``.

        Args:
            board_id: Only images on this board: a board, its id or its name; ``"none"`` for uncategorized images.
                Defaults to all boards.
            categories: Only images of these categories. Defaults to all.
            image_origin: Only images that the server generated (``"internal"``), or only those that were uploaded
                (``"external"``). Defaults to both.
            is_intermediate: Only intermediate images (True), only others (False), or both (None). Defaults to
                False.
            starred: Only starred images (True), only others (False), or both (None). Defaults to None.
            search_term: Only images whose metadata or date contains this text.
            since: Only images created at this time or later, by the server's clock: a ``datetime``, a string such as
                ``"2026-01-31 12:00"``, ``"today"`` or ``"yesterday"``, or a duration before now such as ``"12h"`` or
                ``"7d"``. Defaults to the local time zone if the time has none.
            until: Only images created at this time or earlier. A date includes the whole day.
            offset: Number of images to skip. Defaults to 0.
            limit: The largest number of images to return. Defaults to all.
            order_dir: ``"DESC"`` for newest first, ``"ASC"`` for oldest first. Defaults to ``"DESC"``.
            starred_first: Whether to list starred images first. Defaults to False.

        Raises:
            UsageError: The offset or limit is negative, a category is unknown, the time is not valid, or a filter is
                empty.
            UnknownNameError: The board is not on the server.
        """
        images = self.iter_images(
            board_id=board_id,
            categories=categories,
            image_origin=image_origin,
            is_intermediate=is_intermediate,
            starred=starred,
            search_term=search_term,
            since=since,
            until=until,
            offset=offset,
            limit=limit,
            order_dir=order_dir,
            starred_first=starred_first,
        )
        return [image async for image in images]

    async def iter_images(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        image_origin: ImageOrigin | str | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search_term: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> AsyncIterator[AsyncIvkImage]:
        """Iterate over image records, requesting pages as needed. The arguments are those of ``list_images()``.

        If images are created or deleted during the iteration, no other image is yielded twice or skipped. Images
        created after the start may be missing.
        """
        refuse_empty(image_origin=image_origin, since=since, until=until)
        filters = await filter_params(self.connection, board_id, categories, is_intermediate, search_term)
        listing = Listing[IvkImage](
            {**filters, "image_origin": origin_word(image_origin)},
            starred=starred,
            since=since,
            until=until,
            offset=offset,
            limit=limit,
            order_dir=order_dir,
            starred_first=starred_first,
        )
        while listing.params is not None:
            items, total = page_of(await self._api.list_image_dtos(**listing.params))
            page = connected(self.connection, items)
            if not total:
                await check_board(self.connection, board_id)
            for image in listing.take(page, total):
                yield cast("AsyncIvkImage", image)

    async def count_images(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        image_origin: ImageOrigin | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
    ) -> int:
        """Return the number of images that ``list_images()`` would list. Sends one request.

        Raises:
            UsageError: A category is unknown, or a filter is empty.
            UnknownNameError: The board is not on the server.
        """
        refuse_empty(image_origin=image_origin)
        filters = await filter_params(self.connection, board_id, categories, is_intermediate, search_term)
        page = await self._api.list_image_dtos(**filters, image_origin=origin_word(image_origin), limit=0)
        total = page_of(page)[1]
        if not total:
            await check_board(self.connection, board_id)
        return total

    async def list_names(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
        day: date | str | IvkGalleryDay | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> list[str]:
        """List the names of images, newest first. Faster than ``list_images()``, which returns records.

        Sends one request, whatever the number of images; before InvokeAI 6.14, one per 1,000 images. Any signed-in user
        may call this.

        Args:
            board_id: Only images on this board: a board, its id or its name; ``"none"`` for uncategorized images.
                Defaults to all boards.
            categories: Only images of these categories. Defaults to all.
            is_intermediate: Only intermediate images (True), only others (False), or both (None). Defaults to
                False.
            search_term: Only images whose metadata or date contains this text.
            day: Only images made on this day, by the server's clock in UTC: a ``date``, a text such as
                ``"2026-01-31"``, or a record of ``client.gallery.days()``. Defaults to all days.
            order_dir: ``"DESC"`` for newest first, ``"ASC"`` for oldest first. Defaults to ``"DESC"``.
            starred_first: Whether to list starred images first. Defaults to False.

        Raises:
            UsageError: A category is unknown, the day is not valid, or a filter is empty.
            UnknownNameError: The board is not on the server.
        """
        from invokeai_py_client.api.gallery import AsyncGalleryApi

        check_page(0, None, order_dir)
        refuse_empty(categories=categories, search_term=search_term)
        created = None if day is None else day_text(day)
        board = None if board_id is None else await BOARDS.checked_id(self.connection, board_id)
        try:
            found = await self.connection.part(AsyncGalleryApi).list_gallery_item_names(
                board_id=board,
                categories=category_words(categories),
                is_intermediate=is_intermediate,
                search_term=search_term,
                created_date=created,
                order_dir=order_dir,
                starred_first=starred_first,
                expect={"item_names": ListOf(str)},
            )
        except ServerTooOldError:
            since = None if created is None else datetime.fromisoformat(created).replace(tzinfo=UTC)
            records = self.iter_images(
                board_id=None if board is None else ExactId(board),
                categories=categories,
                is_intermediate=is_intermediate,
                search_term=search_term,
                since=since,
                until=None if since is None else since + timedelta(days=1, microseconds=-1),
                order_dir=order_dir,
                starred_first=starred_first,
            )
            return [record.image_name async for record in records]
        return [name for name in found["item_names"] if not name.endswith(_VIDEO)]

    # ------------------------------------------------------------------ uploading

    async def upload(
        self,
        image: ImageSource,
        *,
        board_id: BoardRef | None = None,
        image_category: ImageCategory | str = ImageCategory.USER,
        is_intermediate: bool = False,
        filename: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        resize_to: tuple[int, int] | None = None,
        crop_visible: bool = False,
        session_id: str | None = None,
    ) -> AsyncIvkImage:
        """Upload an image. The server stores it as a PNG.

        A workflow embedded in a PNG is kept. Photos are turned upright according to their EXIF orientation. Images that
        a server cannot store correctly (CMYK, LAB, 16 or 32 bits per channel) are converted. Changes are logged. Files
        and bytes are only converted if Pillow is installed.

        Args:
            image: A path, the bytes of an image file, or a Pillow image.
            board_id: The board for the image: a board, its id or its name. Defaults to no board, as does ``"none"``.
            image_category: The category. Defaults to ``ImageCategory.USER``.
            is_intermediate: Whether to hide it from the gallery. Defaults to False.
            filename: The file name to send. The server does not store it.
            metadata: Generation metadata to embed.
            resize_to: Width and height in pixels to which the server resizes the image.
            crop_visible: Whether the server cuts off transparent or black borders. Defaults to False.
            session_id: The session that the image belongs to.

        Raises:
            InputValueError: The file does not exist, or is not an image.
            UnknownNameError: The board is not on the server.
            APIRequestError: The server cannot read the image (415), or failed.
        """
        from invokeai_py_client.files.photos import check_photo, note_changes
        from invokeai_py_client.image.upload import make_upload, read_photo

        refuse_empty(filename=filename, session_id=session_id)
        photo = await asyncio.to_thread(read_photo, image, filename=filename)
        note_changes([photo])
        form = make_upload(photo, filename=filename, metadata=metadata, resize_to=resize_to)
        params = {
            "image_category": category_word(image_category),
            "is_intermediate": is_intermediate,
            "session_id": session_id,
            "crop_visible": crop_visible or None,
        }
        try:
            return await BOARDS.call(
                self.connection,
                UNCATEGORIZED if board_id is None else board_id,
                lambda board: self._post_image(form, board, params),
            )
        except ServerError:  # the server's response to a damaged image has no reason
            await asyncio.to_thread(check_photo, photo.data, photo.name)
            raise

    async def _post_image(self, form: Form, board: str, params: dict[str, Any]) -> AsyncIvkImage:
        """Send an upload to a board.

        Raises:
            NotFoundError: The board is not on the server.
        """
        board_id = None if board == UNCATEGORIZED else board
        [(_, file)] = form.parts()
        fields: dict[str, Any] = dict(form.texts())
        response = await self._api.upload_image(**params, board_id=board_id, file=file, **fields)
        record = self._record(response)
        if board_id is not None and record.board_id is None:
            try:  # older servers (6.0.2) accept an image for a board that does not exist
                await fetch_board(self.connection, board)
            except NotFoundError:
                await self.delete(record.image_name)
                raise
        return record

    async def upload_images(
        self,
        sources: str | os.PathLike[str] | Iterable[ImageSource],
        *,
        board_id: BoardRef | None = None,
        image_category: ImageCategory | str = ImageCategory.USER,
        is_intermediate: bool = False,
        concurrency: int = _UPLOADS_AT_ONCE,
        on_progress: Callable[[TransferProgress], object] | None = None,
    ) -> list[AsyncIvkImage]:
        """Upload several images, a few at a time. If a file is missing or not an image, nothing is uploaded.

        Images are converted as by ``upload()``.

        If the response to an upload is lost, it isn't retried, because the image may already exist.

        Args:
            sources: A folder (its images, sorted by name), a pattern such as ``"refs/*.png"``, or a file. Or a list
                of images, each a path, bytes or a Pillow image.
            board_id: The board for the images: a board, its id or its name. Defaults to no board.
            image_category: The category. Defaults to ``ImageCategory.USER``.
            is_intermediate: Whether to hide them from the gallery. Defaults to False.
            concurrency: The largest number of uploads at a time. Defaults to 4.
            on_progress: Called with the progress after each image.

        Returns:
            Their records, in the order of the sources.

        Raises:
            UsageError: No images were passed.
            InputValueError: A file is missing or is not an image. Nothing was uploaded.
            UnknownNameError: The board is not on the server. Nothing was uploaded.
            TransferError: Some uploads failed. ``failed`` has their errors, ``done`` the records of the others, both
                keyed by path.
        """
        from invokeai_py_client.files.photos import note_changes
        from invokeai_py_client.image.transfer import transfer_all
        from invokeai_py_client.image.upload import check_sources, make_upload, named_sources, read_photo

        named = await asyncio.to_thread(named_sources, sources)
        await asyncio.to_thread(check_sources, named)
        params = {"image_category": category_word(image_category), "is_intermediate": is_intermediate}
        board = UNCATEGORIZED if board_id is None else await BOARDS.checked_id(self.connection, board_id)

        changed: list[Photo] = []

        async def send(job: tuple[str, ImageSource]) -> tuple[AsyncIvkImage, int]:
            label, source = job
            photo = await asyncio.to_thread(read_photo, source, label=label)
            record = await self._post_image(make_upload(photo), board, params)
            if photo.changes:
                changed.append(replace(photo, data=b""))
            return record, len(photo.data)

        try:
            return await transfer_all(
                [(label, (label, source)) for label, source in named],
                send,
                what="uploaded",
                concurrency=concurrency,
                on_progress=on_progress,
            )
        finally:
            note_changes(changed)

    # ------------------------------------------------------------------ downloading

    @patient
    async def download(self, image_name: ImageName, *, full_resolution: bool = True) -> bytes:
        """Download an image as the server stores it, or its thumbnail (WEBP, at most 256 pixels per side).

        Raises:
            NotFoundError: The image is not on the server.
        """
        path = file_path("image", name_of(image_name), "full" if full_resolution else "thumbnail")
        return await self.connection.http.bytes(path)

    async def download_to(
        self, image_name: ImageName, path: str | os.PathLike[str], *, full_resolution: bool = True
    ) -> Path:
        """Download an image to a file. The file appears only when it is complete.

        The extension decides the format, as for ``Image.save()``.

        Args:
            image_name: The image.
            path: A file, or a folder: an existing folder or a path that ends in ``/``. In a folder, the image
                keeps its name.
            full_resolution: Whether to download the image itself rather than its thumbnail. Defaults to True.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The image is not on the server.
            UsageError: The file cannot be written.
        """
        from invokeai_py_client.image.download import download_file

        return await download_file(
            self.connection, name_of(image_name), path, full_resolution=full_resolution
        )

    async def download_images(
        self,
        image_names: ImageNames,
        folder: str | os.PathLike[str],
        *,
        template: str = "{image}",
        full_resolution: bool = True,
        overwrite: bool = False,
        concurrency: int = _DOWNLOADS_AT_ONCE,
        on_progress: Callable[[TransferProgress], object] | None = None,
    ) -> list[Path]:
        """Download images to files, several at a time.

        Each file appears only when it is complete. An existing file is skipped if it is complete and its name
        contains the image's name, so an interrupted download resumes.

        Args:
            image_names: The images: names, records or images of runs.
            folder: The target folder. It is created if it does not exist.
            template: The file names. ``{image}`` is the image's name without its extension and ``{index}`` its number
                from 0. Every field of its record works as well: ``{created_at:%Y-%m-%d}/{width}x{height}-{image}``.
                An extension decides the format: ``{image}.jpg``.
                Defaults to ``"{image}"``.
            full_resolution: Whether to download the images themselves rather than their thumbnails. Defaults to True.
            overwrite: Whether to download existing files again. Defaults to False.
            concurrency: The largest number of downloads at a time. Defaults to 8.
            on_progress: Called with the progress after each image.

        Returns:
            The files' paths, in the order of the images. An image passed twice has one file.

        Raises:
            UsageError: The template contains an unknown field, or its format is not supported.
            TransferError: Some downloads failed. ``failed`` has their errors, ``done`` the paths of the others.
        """
        from invokeai_py_client.image.download import download_all

        require("names for the files, such as '{image}'", template=template)
        return await download_all(
            self.connection,
            image_names,
            self.get_images,
            folder,
            template,
            full_resolution=full_resolution,
            overwrite=overwrite,
            concurrency=concurrency,
            on_progress=on_progress,
        )

    async def bulk_download(
        self,
        path: str | os.PathLike[str],
        image_names: ImageNames | None = None,
        *,
        board_id: BoardRef | None = None,
        timeout: float = 600.0,
    ) -> Path:
        """Have the server create a zip of images, and download it. The server then deletes the zip.

        The zip has a folder for each category, with the images under their names. It does not contain the videos of a
        board; use ``client.videos.download_videos()`` for them. Prefer ``download_images()`` for
        many images, because it can resume after an interruption.

        Args:
            path: A file, or a folder: an existing folder or a path that ends in ``/``. In a folder, the zip has the
                name that the server chose.
            image_names: The images: names, records or images of runs. More than 1,000 take several zips, whose
                files are put into one.
            board_id: A board whose images to download, instead of ``image_names``: a board, its id or its name;
                ``"none"`` for uncategorized images. Videos are left out.
            timeout: Seconds to wait for the zip. Defaults to 600.

        Returns:
            The file's path.

        Raises:
            UsageError: Neither images nor a board were passed, or both; or the file cannot be written.
            NotFoundError: The board or an image is not on the server. For boards, this is an ``UnknownNameError``.
            ServerError: The server could not create the zip.
            RequestTimeoutError: The zip was not ready in time.
        """
        from invokeai_py_client.image.zip import fetch_zip

        names = None if image_names is None else name_list(image_names)
        if board_id == UNCATEGORIZED and names is None and self.connection.settings.has_account:
            # Servers with users create such a zip only for administrators.
            images = await self.list_images(board_id=UNCATEGORIZED)
            if not images:
                raise NotFoundError(404, None, "There are no uncategorized images to download.")
            names, board_id = [image.image_name for image in images], None

        async def fetch(board: str | None) -> Path:
            return await fetch_zip(self.connection, path, image_names=names, board_id=board, timeout=timeout)

        if board_id is None:
            return await fetch(None)
        return await BOARDS.call(self.connection, board_id, fetch)

    # ------------------------------------------------------------------ copying

    async def copy(
        self, image_names: ImageNames, board_id: BoardRef, *, concurrency: int = _UPLOADS_AT_ONCE
    ) -> list[AsyncIvkImage]:
        """Copy images to a board, or to no board with ``"none"``.

        The server cannot copy images, so each one is downloaded and uploaded again. The copies keep metadata,
        workflow, graph and category. They count as uploaded images and are not starred.

        Args:
            image_names: The images: names, records or images of runs.
            board_id: The board, its id or its name.
            concurrency: The largest number of copies at a time. Defaults to 4.

        Returns:
            The copies' records, in the order of the images.

        Raises:
            UnknownNameError: The board is not on the server.
            TransferError: Some images could not be copied. ``failed`` has their errors, ``done`` the copies of the
                others.
        """
        from invokeai_py_client.image.transfer import transfer_all

        names = name_list(image_names)
        board = await BOARDS.checked_id(self.connection, board_id)
        known = {image.image_name: image for image in await self.get_images(names)}

        async def copy_image(name: str) -> tuple[AsyncIvkImage, int]:
            original = known.get(name) or await self.get_image(name)
            data = await self.download(name)
            copy = await self.upload(
                data,
                board_id=board,
                image_category=original.image_category,
                is_intermediate=original.is_intermediate,
                session_id=original.session_id,
            )
            return copy, len(data)

        return await transfer_all(
            [(name, name) for name in names], copy_image, what="copied", concurrency=concurrency
        )

    # ------------------------------------------------------------------ changing and deleting

    async def update(
        self,
        image_name: ImageName,
        *,
        image_category: ImageCategory | str | None = None,
        is_intermediate: bool | None = None,
        starred: bool | None = None,
        session_id: str | None = None,
    ) -> AsyncIvkImage:
        """Change an image's record. Omitted arguments keep their values.

        Args:
            image_name: The image.
            image_category: The new category.
            is_intermediate: Whether to hide the image from the gallery.
            starred: Whether to star it.
            session_id: The session that it belongs to.

        Returns:
            The changed record.

        Raises:
            NotFoundError: The image is not on the server.
        """
        refuse_empty(session_id=session_id)
        changes = {
            "image_category": None if image_category is None else category_word(image_category),
            "is_intermediate": is_intermediate,
            "starred": starred,
            "session_id": session_id,
        }
        sent: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        try:
            record = self._record(await self._api.update_image(name_of(image_name), **sent))
        except APIRequestError as error:
            if error.status_code == 400:  # the server's response if the image does not exist
                await self.get_image(image_name)
            raise
        self.connection.part(HeldImages).forget([record.image_name])
        return record

    async def star(self, image_names: ImageNames) -> list[str]:
        """Star images.

        Returns:
            The names of the images.

        Raises:
            TransferError: The server refused or failed to star some of the images, or does not have them. All others
                were starred: ``done`` has their names, ``failed`` the errors of the rest.
        """
        names = name_list(image_names)
        return await change_images(
            self.connection, self._api.star_images_in_list, "starred", names, what="starred"
        )

    async def unstar(self, image_names: ImageNames) -> list[str]:
        """Remove the star from images.

        Returns:
            The names of the images.

        Raises:
            TransferError: The server refused or failed to unstar some of the images, or does not have them. All others
                were unstarred: ``done`` has their names, ``failed`` the errors of the rest.
        """
        names = name_list(image_names)
        return await change_images(
            self.connection, self._api.unstar_images_in_list, "unstarred", names, what="unstarred"
        )

    async def move(self, image_names: ImageNames, board_id: BoardRef) -> list[str]:
        """Move images to a board, or off their boards with ``"none"``.

        Args:
            image_names: The images, by name or record.
            board_id: The board, its id or its name.

        Returns:
            The names of the images.

        Raises:
            UnknownNameError: The board is not on the server.
            PermissionDeniedError: You may not add images to the board.
            TransferError: The server refused or failed to move some of the images, or does not have them. All others
                were moved: ``done`` has their names, ``failed`` the errors of the rest.
        """
        names = name_list(image_names)
        boards = self.connection.part(AsyncBoardImagesApi)

        async def move(board: str) -> list[str]:
            if board == UNCATEGORIZED:
                remove = boards.remove_images_from_board
                return await change_images(self.connection, remove, "removed", names, what="moved")
            try:
                return await change_images(
                    self.connection, boards.add_images_to_board, "added", names, what="moved", board_id=board
                )
            except TransferError as error:
                if not error.done:
                    await fetch_board(
                        self.connection, board
                    )  # older servers (6.0.2) do not report a missing board
                raise

        return await BOARDS.call(self.connection, board_id, move)

    async def delete(self, image_names: ImageNames) -> list[str]:
        """Permanently delete images from the server.

        Returns:
            The names of the images.

        Raises:
            TransferError: The server refused or failed to delete some of the images, or does not have them. All others
                were deleted: ``done`` has their names, ``failed`` the errors of the rest.
        """
        names = name_list(image_names)
        delete = self._api.delete_images_from_list
        return await change_images(self.connection, delete, "deleted", names, what="deleted")

    async def delete_uncategorized(self) -> list[str]:
        """Permanently delete all images that are on no board, including intermediate images. Videos are kept.

        Any signed-in user may call this. Administrators delete the images of all users. Sends one request per 1,000
        images.

        Returns:
            The names of the images.

        Raises:
            TransferError: The server refused or failed to delete some of the images. All others were deleted: ``done``
                has their names, ``failed`` the errors of the rest.
        """
        return await self.delete(await self.list_names(board_id=UNCATEGORIZED, is_intermediate=None))

    async def count_intermediates(self) -> int:
        """Return the number of intermediate images on the server."""
        return await self._api.get_intermediates_count(expect=int)

    async def clear_intermediates(self) -> int:
        """Permanently delete all intermediate images, those of all users.

        Administrator only, on servers with user accounts.

        Returns:
            The number of deleted images.
        """
        return await self._api.clear_intermediates(expect=int)

    # ------------------------------------------------------------------ internals

    @property
    def _api(self) -> AsyncImagesApi:
        return self.connection.part(AsyncImagesApi)

    def _record(self, data: Mapping[str, Any]) -> AsyncIvkImage:
        [record] = connected(self.connection, [data])
        return record
