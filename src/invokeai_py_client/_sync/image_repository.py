"""The images of a server: listed, uploaded, downloaded, changed and deleted."""

# Written by tools/generate_sync.py from src/invokeai_py_client/image/repository.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.image.repository import (
    _DOWNLOADS_AT_ONCE,
    _UPLOADS_AT_ONCE,
    AsyncImageRepository,
)
from invokeai_py_client.models import ImageCategory, IvkImage

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from invokeai_py_client._sync.image_image import Image
    from invokeai_py_client.image.responses import (
        ImageNames,
    )
    from invokeai_py_client.image.transfer import TransferProgress
    from invokeai_py_client.image.upload import ImageSource


class ImageRepository(Face[AsyncImageRepository]):
    """The images of a server.

    Example:
        ```python
        record = client.image_repo.upload("portrait.jpg")
        client.image_repo.download_to(record.image_name, "copies/")
        ```
    """

    def image(self, image_name: str) -> Image:
        """An image by its name, to be fetched, shown or saved. Asks the server for nothing."""
        return wrap(self._impl.image(image_name))

    def get_image(self, image_name: str) -> IvkImage:
        """An image's record.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.get_image(image_name))

    def get_images(self, image_names: ImageNames) -> list[IvkImage]:
        """The records of several images, in the order asked for; those that do not exist are left out.

        One request for every 1,000; before InvokeAI 6.0 one for each.
        """
        return self._call(self._impl.get_images(image_names))

    def get_metadata(self, image_name: str) -> dict[str, Any] | None:
        """The generation metadata embedded in an image, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.get_metadata(image_name))

    def get_workflow(self, image_name: str) -> dict[str, Any] | None:
        """The workflow embedded in an image, with the values used, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.get_workflow(image_name))

    def get_graph(self, image_name: str) -> dict[str, Any] | None:
        """The graph embedded in an image, as it was executed, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return self._call(self._impl.get_graph(image_name))

    def list_images(
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
        return self._call(
            self._impl.list_images(
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
        )

    def iter_images(
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
    ) -> Iterator[IvkImage]:
        """As ``list_images()``, but page by page while one goes through it.

        None comes twice, and none is left out, while images are made or deleted meanwhile; those made
        after the beginning may be missing.
        """
        return self._iterate(
            self._impl.iter_images(
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
        )

    def count_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
    ) -> int:
        """How many images ``list_images()`` would list. One request, however many they are."""
        return self._call(
            self._impl.count_images(
                board_id=board_id,
                categories=categories,
                is_intermediate=is_intermediate,
                search_term=search_term,
            )
        )

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
