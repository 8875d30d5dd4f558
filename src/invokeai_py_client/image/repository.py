"""The images of a server: listed, uploaded, downloaded, changed and deleted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import APIRequestError, NotFoundError
from invokeai_py_client.image.listing import Listing
from invokeai_py_client.image.responses import (
    MOST_NAMES,
    ImageNames,
    category_word,
    category_words,
    changed_names,
    name_list,
    page_of,
    records,
)
from invokeai_py_client.models import UNCATEGORIZED, ImageCategory, IvkImage
from invokeai_py_client.transport.payload import ROUTE_MISSING, path_part, portions

if TYPE_CHECKING:
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.transfer import TransferProgress
    from invokeai_py_client.image.upload import ImageSource

_IMAGES = "/api/v1/images"
_BOARD_IMAGES = "/api/v1/board_images"
_DOWNLOADS_AT_ONCE = 8
# An upload is in memory as a whole, and the server decodes and encodes it again.
_UPLOADS_AT_ONCE = 4


class AsyncImageRepository(Resource):
    """The images of a server.

    Example:
        ```python
        record = await client.image_repo.upload("portrait.jpg")
        await client.image_repo.download_to(record.image_name, "copies/")
        ```
    """

    def image(self, image_name: str) -> AsyncImage:
        """An image by its name, to be fetched, shown or saved. Asks the server for nothing."""
        from invokeai_py_client.image.image import AsyncImage

        path_part(image_name, "an image")
        return AsyncImage(self.connection, image_name)

    # ------------------------------------------------------------------ records

    async def get_image(self, image_name: str) -> IvkImage:
        """An image's record.

        Raises:
            NotFoundError: The server has no such image.
        """
        return IvkImage.from_api_response(await self._json("GET", _record_path(image_name)))

    async def get_images(self, image_names: ImageNames) -> list[IvkImage]:
        """The records of several images, in the order asked for; those that do not exist are left out.

        One request for every 1,000; before InvokeAI 6.0 one for each.
        """
        names = name_list(image_names)
        found: dict[str, IvkImage] = {}
        for portion in portions(names, MOST_NAMES):
            for record in await self._records_of(portion):
                found[record.image_name] = record
        return [found[name] for name in names if name in found]

    async def get_metadata(self, image_name: str) -> dict[str, Any] | None:
        """The generation metadata embedded in an image, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return await self.image(image_name).metadata()

    async def get_workflow(self, image_name: str) -> dict[str, Any] | None:
        """The workflow embedded in an image, with the values used, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return await self.image(image_name).workflow()

    async def get_graph(self, image_name: str) -> dict[str, Any] | None:
        """The graph embedded in an image, as it was executed, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return await self.image(image_name).graph()

    # ------------------------------------------------------------------ listing

    async def list_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search_term: str | None = None,
        since: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> list[IvkImage]:
        """The records of images, newest first. One request for every 1,000.

        Args:
            board_id: Only those of a board; ``"none"`` for those on no board.
            categories: Only those of these categories.
            is_intermediate: Only by-products (True), only others (False), or all (None).
            starred: Only starred ones (True), only others (False), or all (None).
            search_term: Only those whose metadata or date contains this.
            since: Only those made then or later, by the server's clock: a time, or a text such as
                ``"2026-01-31 12:00"``. Without a zone it is this machine's local time.
            offset: How many to pass over.
            limit: How many at most; all by default.
            order_dir: ``"DESC"`` for the newest first, ``"ASC"`` for the oldest.
            starred_first: Whether starred ones come before all others.

        Raises:
            UsageError: A negative offset or limit, an unknown category, or a time that is none.
            NotFoundError: The server has no such board.
        """
        images = self.iter_images(
            board_id=board_id,
            categories=categories,
            is_intermediate=is_intermediate,
            starred=starred,
            search_term=search_term,
            since=since,
            offset=offset,
            limit=limit,
            order_dir=order_dir,
            starred_first=starred_first,
        )
        return [image async for image in images]

    async def iter_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search_term: str | None = None,
        since: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> AsyncIterator[IvkImage]:
        """As ``list_images()``, but page by page while one goes through it.

        None comes twice, and none is left out, while images are made or deleted meanwhile; those made
        after the beginning may be missing.
        """
        listing = Listing(
            {
                "board_id": board_id,
                "categories": category_words(categories),
                "is_intermediate": is_intermediate,
                "search_term": search_term,
            },
            starred=starred,
            since=since,
            offset=offset,
            limit=limit,
            order_dir=order_dir,
            starred_first=starred_first,
        )
        while listing.params is not None:
            page, total = page_of(await self._json("GET", f"{_IMAGES}/", params=listing.params))
            for image in listing.take(page, total):
                yield image

    async def count_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
    ) -> int:
        """How many images ``list_images()`` would list. One request, however many they are."""
        params = {
            "board_id": board_id,
            "categories": category_words(categories),
            "is_intermediate": is_intermediate,
            "search_term": search_term,
            "limit": 0,
        }
        return page_of(await self._json("GET", f"{_IMAGES}/", params=params))[1]

    # ------------------------------------------------------------------ uploading

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
            f"{_IMAGES}/upload",
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
        from invokeai_py_client.image.transfer import transfer_all
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

    # ------------------------------------------------------------------ downloading

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
        from invokeai_py_client.files.names import target_path
        from invokeai_py_client.image.download import fetch_to_disk, file_path

        http_path = file_path(image_name, full_resolution)
        target = target_path(path, image_name if full_resolution else f"{image_name}.thumbnail.webp")
        await fetch_to_disk(self.connection, http_path, target)
        return target

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
        from invokeai_py_client.files.formats import is_whole
        from invokeai_py_client.files.names import needs_records, paths_for
        from invokeai_py_client.image.download import download_files

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
        from invokeai_py_client.image.transfer import transfer_all

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

    # ------------------------------------------------------------------ changing and deleting

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
            return IvkImage.from_api_response(await self._json("PATCH", _record_path(image_name), json=sent))
        except APIRequestError as error:
            if error.status_code == 400:  # what the server says of an image that it does not have
                await self.get_image(image_name)
            raise

    async def star(self, image_names: ImageNames) -> list[str]:
        """Star images.

        Returns:
            The names of those that the server starred; those it does not have are left out.
        """
        return await self._change(f"{_IMAGES}/star", "starred", image_names)

    async def unstar(self, image_names: ImageNames) -> list[str]:
        """Take the star from images.

        Returns:
            The names of those that the server unstarred; those it does not have are left out.
        """
        return await self._change(f"{_IMAGES}/unstar", "unstarred", image_names)

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
        return await self._change(f"{_IMAGES}/delete", "deleted", image_names, idempotent=False)

    async def count_intermediates(self) -> int:
        """How many by-products the server keeps."""
        return await self._json("GET", f"{_IMAGES}/intermediates", expect=int)

    async def clear_intermediates(self) -> int:
        """Delete all by-products for good.

        Returns:
            How many they were.
        """
        return await self._json("DELETE", f"{_IMAGES}/intermediates", idempotent=False, expect=int)

    # ------------------------------------------------------------------ inside

    async def _records_of(self, names: list[str]) -> list[IvkImage]:
        try:
            answer = await self._json(
                "POST",
                f"{_IMAGES}/images_by_names",
                json={"image_names": names},
                idempotent=True,
                expect=list,
            )
        except ROUTE_MISSING:  # before InvokeAI 6.0
            pass
        else:
            return records(answer)
        found: list[IvkImage] = []
        for name in names:
            try:
                found.append(await self.get_image(name))
            except NotFoundError:
                continue
        return found

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


def _record_path(image_name: str) -> str:
    return f"{_IMAGES}/i/{path_part(image_name, 'an image')}"


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
