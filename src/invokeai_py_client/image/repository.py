"""Images on the server: brought there, listed, fetched, changed, removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.errors import APIRequestError, NotFoundError, UsageError
from invokeai_py_client.image.answers import (
    MOST_NAMES,
    category_word,
    category_words,
    changed_names,
    name_list,
    page_of,
    records,
)
from invokeai_py_client.models import UNCATEGORIZED, ImageCategory, IvkImage
from invokeai_py_client.routes import path_part, portions

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.upload import ImageSource

_IMAGES = "/api/v1/images"


class AsyncImageRepository(AsyncObject):
    """The images of a server.

    Example:
        record = await client.image_repo.upload("portrait.jpg")
        await client.image_repo.download_to(record.image_name, "copies/")
    """

    def __init__(self, client: AsyncInvokeAIClient) -> None:
        self._client = client

    def image(self, image_name: str) -> AsyncImage:
        """An image by its name, to be fetched, shown or saved. Asks the server for nothing."""
        from invokeai_py_client.image.image import AsyncImage

        path_part(image_name, "an image")
        return AsyncImage(self._client, image_name)

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
        return IvkImage.from_api_response(answer)

    # ------------------------------------------------------------------ fetching

    async def download(self, image_name: str, *, full_resolution: bool = True) -> bytes:
        """An image's file as the server keeps it, or its thumbnail (a WEBP of at most 256 pixels a side).

        Raises:
            NotFoundError: The server has no such image.
        """
        http = self._client._http  # pyright: ignore[reportPrivateUsage]
        return await http.bytes(_file_path(image_name, full_resolution))

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
        """
        from invokeai_py_client.image.download import download_to_file
        from invokeai_py_client.image.files import target_path

        http_path = _file_path(image_name, full_resolution)
        target = target_path(path, image_name if full_resolution else f"{image_name}.thumbnail.webp")
        await download_to_file(
            self._client._http,  # pyright: ignore[reportPrivateUsage]
            http_path,
            target,
            max_retries=self._client.settings.max_retries,
        )
        return target

    async def get_image(self, image_name: str) -> IvkImage:
        """An image's record.

        Raises:
            NotFoundError: The server has no such image.
        """
        return IvkImage.from_api_response(await self._json("GET", _path(image_name)))

    async def get_images(self, image_names: Iterable[str]) -> list[IvkImage]:
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
        return await self._json("GET", f"{_path(image_name)}/metadata")

    async def get_workflow(self, image_name: str) -> dict[str, Any] | None:
        """The workflow embedded in an image, with the values used, if any.

        Raises:
            NotFoundError: The server has no such image.
        """
        return await self.image(image_name).workflow()

    # ------------------------------------------------------------------ listing

    async def list_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
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
            search_term: Only those whose metadata or date contains this.
            offset: How many to pass over.
            limit: How many at most; all by default.
            order_dir: ``"DESC"`` for the newest first, ``"ASC"`` for the oldest.
            starred_first: Whether starred ones come before all others.

        Raises:
            UsageError: A negative offset or limit, or an unknown category.
            NotFoundError: The server has no such board.
        """
        images = self.iter_images(
            board_id=board_id,
            categories=categories,
            is_intermediate=is_intermediate,
            search_term=search_term,
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
        search_term: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> AsyncIterator[IvkImage]:
        """As :meth:`list_images`, but page by page while one goes through it. None comes twice."""
        if offset < 0 or (limit is not None and limit < 0):
            raise UsageError(f"offset and limit should not be negative (they are {offset} and {limit}).")
        params = {
            "board_id": board_id,
            "categories": category_words(categories),
            "is_intermediate": is_intermediate,
            "search_term": search_term,
            "order_dir": order_dir,
            "starred_first": starred_first,
        }
        seen: set[str] = set()  # images made meanwhile push others to the next page
        while limit is None or len(seen) < limit:
            size = MOST_NAMES if limit is None else min(MOST_NAMES, limit - len(seen))
            answer = await self._json(
                "GET", f"{_IMAGES}/", params={**params, "offset": offset, "limit": size}
            )
            page, total = page_of(answer)
            for image in page:
                if image.image_name not in seen:
                    seen.add(image.image_name)
                    yield image
            offset += len(page)
            if not page or offset >= total:
                return

    async def count_images(
        self,
        *,
        board_id: str | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
    ) -> int:
        """How many images :meth:`list_images` would list."""
        params = {
            "board_id": board_id,
            "categories": category_words(categories),
            "is_intermediate": is_intermediate,
            "search_term": search_term,
            "limit": 0,
        }
        return page_of(await self._json("GET", f"{_IMAGES}/", params=params))[1]

    # ------------------------------------------------------------------ changing

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
            return IvkImage.from_api_response(await self._json("PATCH", _path(image_name), json=sent))
        except APIRequestError as error:
            if error.status_code == 400:  # what the server says of an image that it does not have
                await self.get_image(image_name)
            raise

    async def star(self, image_names: str | Iterable[str]) -> list[str]:
        """Star images.

        Returns:
            The names of those that the server starred; those it does not have are left out.
        """
        return await self._change("star", "starred", image_names)

    async def unstar(self, image_names: str | Iterable[str]) -> list[str]:
        """Take the star from images.

        Returns:
            The names of those that the server unstarred; those it does not have are left out.
        """
        return await self._change("unstar", "unstarred", image_names)

    async def delete(self, image_names: str | Iterable[str]) -> list[str]:
        """Delete images from the server for good.

        Returns:
            The names of those that the server deleted; those it did not have are left out.
        """
        return await self._change("delete", "deleted", image_names, repeatable=False)

    async def count_intermediates(self) -> int:
        """How many by-products the server keeps."""
        return int(await self._json("GET", f"{_IMAGES}/intermediates"))

    async def clear_intermediates(self) -> int:
        """Delete all by-products for good.

        Returns:
            How many they were.
        """
        return int(await self._json("DELETE", f"{_IMAGES}/intermediates", repeatable=False))

    # ------------------------------------------------------------------ inside

    async def _change(
        self, action: str, verb: str, image_names: str | Iterable[str], *, repeatable: bool = True
    ) -> list[str]:
        changed: set[str] = set()
        names = name_list(image_names)
        for portion in portions(names, MOST_NAMES):
            answer = await self._json(
                "POST", f"{_IMAGES}/{action}", json={"image_names": portion}, repeatable=repeatable
            )
            changed.update(changed_names(answer, verb))
        return [name for name in names if name in changed]

    async def _records_of(self, names: list[str]) -> list[IvkImage]:
        try:
            answer = await self._json(
                "POST", f"{_IMAGES}/images_by_names", json={"image_names": names}, repeatable=True
            )
        except APIRequestError as error:
            if error.status_code not in (404, 405):
                raise
        else:
            return records(answer)
        found: list[IvkImage] = []
        for name in names:
            try:
                found.append(await self.get_image(name))
            except NotFoundError:
                continue
        return found

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        return await self._client._http.json(method, path, **options)  # pyright: ignore[reportPrivateUsage]


def _path(image_name: str) -> str:
    return f"{_IMAGES}/i/{path_part(image_name, 'an image')}"


def _file_path(image_name: str, full_resolution: bool) -> str:
    return f"{_path(image_name)}/{'full' if full_resolution else 'thumbnail'}"
