"""Videos on the server: list, upload, download, change and delete them (InvokeAI 6.14+).

InvokeAI 6.6 to 6.8 had other videos, under some of the same routes: their requests and records have other fields. They
are treated like servers without videos.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client._partial import partial_failure
from invokeai_py_client.api.videos import AsyncVideosApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import (
    APIRequestError,
    InvokeAIClientError,
    NotFoundError,
    ServerTooOldError,
    UnprocessableError,
)
from invokeai_py_client.image.changes import Changed, change_files, unclear_failure
from invokeai_py_client.image.filters import check_board, filter_params
from invokeai_py_client.image.listing import Listing
from invokeai_py_client.image.responses import (
    MOST_NAMES,
    VideoName,
    VideoNames,
    category_word,
    changed_names,
    failed_names,
    name_list,
    name_of,
    page_of,
)
from invokeai_py_client.lookup import BOARDS, BoardRef, unknown_file
from invokeai_py_client.models import UNCATEGORIZED, ImageCategory
from invokeai_py_client.models.video import IvkVideo
from invokeai_py_client.schema.source import server_version
from invokeai_py_client.transport.json_shape import ListOf
from invokeai_py_client.transport.payload import path_part, portions
from invokeai_py_client.transport.retry import patient
from invokeai_py_client.video.record import AsyncIvkVideo
from invokeai_py_client.video.video import RECORD, AsyncVideo, HeldVideos, connected

if TYPE_CHECKING:
    from invokeai_py_client.image.transfer import TransferProgress
    from invokeai_py_client.transport.json_shape import Shape
    from invokeai_py_client.transport.payload import FormFile
    from invokeai_py_client.video.upload import VideoSource

T = TypeVar("T")

_PAGE: Shape = {"items": ListOf(RECORD), "total": int}
_NAMES: Shape = {"video_names": ListOf(str)}
_DOWNLOADS_AT_ONCE = 8
# A server processes two uploads at a time, and one for each user if it has several (6.14.2).
_UPLOADS_AT_ONCE = 2
_CHANGES_AT_ONCE = 8
_SINCE = (6, 14)


class AsyncVideoRepository(Resource):
    """The videos on a server. Methods take a video as its name, its record or a video of a run.

    Any signed-in user may call all methods. They concern your own videos, those on boards that others share with you,
    and for administrators, all videos. Since InvokeAI 6.14.

    Example:
        ```python
        record = await client.videos.upload("clip.mp4")
        await client.videos.download_to(record.video_name, "copies/")
        ```
    """

    def video(self, video_name: VideoName) -> AsyncVideo:
        """Return a video by its name, to download, show or save it. Sends no request."""
        name = name_of(video_name, "video")
        path_part(name, "a video")
        return AsyncVideo(self.connection, name)

    # ------------------------------------------------------------------ records

    async def get_video(self, video_name: VideoName) -> AsyncIvkVideo:
        """Fetch a video's record.

        Raises:
            UnknownNameError: The video is not on the server. This is also a ``NotFoundError``.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        record = await self.find_video(video_name)
        if record is None:
            raise await unknown_file(self.connection, "video", name_of(video_name, "video"))
        return record

    async def find_video(self, video_name: VideoName) -> AsyncIvkVideo | None:
        """Fetch a video's record, or return None if it is not on the server.

        Raises:
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        try:
            return self._record(await self._api.get_video_dto(name_of(video_name, "video"), expect=RECORD))
        except ServerTooOldError:
            raise
        except NotFoundError:
            return None

    async def get_videos(self, video_names: VideoNames) -> list[AsyncIvkVideo]:
        """Fetch the records of several videos, in the order of the names. Videos that do not exist are omitted.

        Sends one request per video.

        Raises:
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        names = name_list(video_names, "video")
        found = {record.name: record for record in await self._held.fetch(names)}
        return [found[name] for name in names if name in found]

    async def get_metadata(self, video_name: VideoName) -> dict[str, Any] | None:
        """Return the generation metadata of a video, or None if it has none.

        Raises:
            NotFoundError: The video is not on the server.
        """
        return await self.video(video_name).metadata()

    async def get_workflow(self, video_name: VideoName) -> dict[str, Any] | None:
        """Return the workflow stored with a video, with the values used, or None if it has none.

        Raises:
            NotFoundError: The video is not on the server.
        """
        return await self.video(video_name).workflow()

    async def get_graph(self, video_name: VideoName) -> dict[str, Any] | None:
        """Return the graph stored with a video, as it was executed, or None if it has none.

        Raises:
            NotFoundError: The video is not on the server.
        """
        return await self.video(video_name).graph()

    # ------------------------------------------------------------------ listing

    async def list_videos(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search_term: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> list[AsyncIvkVideo]:
        """List video records, newest first. Sends one request per 1,000 videos.

        Args:
            board_id: Only videos on this board: a board, its id or its name; ``"none"`` for uncategorized videos.
                Defaults to all boards.
            categories: Only videos of these categories. Defaults to all.
            is_intermediate: Only intermediate videos (True), only others (False), or both (None). Defaults to
                False.
            starred: Only starred videos (True), only others (False), or both (None). Defaults to None.
            search_term: Only videos whose metadata or date contains this text.
            since: Only videos created at this time or later, by the server's clock: a ``datetime``, a string such as
                ``"2026-01-31 12:00"``, ``"today"`` or ``"yesterday"``, or a duration before now such as ``"12h"`` or
                ``"7d"``. Defaults to the local time zone if the time has none.
            until: Only videos created at this time or earlier. A date includes the whole day.
            offset: Number of videos to skip. Defaults to 0.
            limit: The largest number of videos to return. Defaults to all.
            order_dir: ``"DESC"`` for newest first, ``"ASC"`` for oldest first. Defaults to ``"DESC"``.
            starred_first: Whether to list starred videos first. Defaults to False.

        Raises:
            UsageError: The offset or limit is negative, a category is unknown, the time is not valid, or a filter is
                empty.
            UnknownNameError: The board is not on the server.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        videos = self.iter_videos(
            board_id=board_id,
            categories=categories,
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
        return [video async for video in videos]

    async def iter_videos(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search_term: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> AsyncIterator[AsyncIvkVideo]:
        """Iterate over video records, requesting pages as needed. The arguments are those of ``list_videos()``.

        If videos are created or deleted during the iteration, no other video is yielded twice or skipped. Videos
        created after the start may be missing.
        """
        refuse_empty(since=since, until=until)
        listing = Listing[IvkVideo](
            await filter_params(self.connection, board_id, categories, is_intermediate, search_term),
            starred=starred,
            since=since,
            until=until,
            offset=offset,
            limit=limit,
            order_dir=order_dir,
            starred_first=starred_first,
        )
        while listing.params is not None:
            items, total = await self._page(**listing.params)
            if not total:
                await check_board(self.connection, board_id)
            for video in listing.take(connected(self.connection, items), total):
                yield cast("AsyncIvkVideo", video)

    async def count_videos(
        self,
        *,
        board_id: BoardRef | None = None,
        categories: Sequence[ImageCategory | str] | ImageCategory | str | None = None,
        is_intermediate: bool | None = False,
        search_term: str | None = None,
    ) -> int:
        """Return the number of videos that ``list_videos()`` would list. Sends one request.

        Raises:
            UsageError: A category is unknown, or a filter is empty.
            UnknownNameError: The board is not on the server.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        filters = await filter_params(self.connection, board_id, categories, is_intermediate, search_term)
        _, total = await self._page(**filters, limit=0)
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
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> list[str]:
        """List the names of videos, newest first. Sends one request for any number of videos.

        The arguments are those of ``list_videos()``.

        Raises:
            UsageError: A category is unknown, or a filter is empty.
            UnknownNameError: The board is not on the server.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        filters = await filter_params(self.connection, board_id, categories, is_intermediate, search_term)
        response = await self._api.get_video_names(
            **filters,
            order_dir=order_dir,
            starred_first=starred_first,
            expect=_NAMES,
        )
        names = response["video_names"]
        if not names:
            await check_board(self.connection, board_id)
        return names

    # ------------------------------------------------------------------ uploading

    async def upload(
        self,
        video: VideoSource,
        *,
        board_id: BoardRef | None = None,
        video_category: ImageCategory | str = ImageCategory.USER,
        is_intermediate: bool = False,
        filename: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        session_id: str | None = None,
    ) -> AsyncIvkVideo:
        """Upload a video. The server stores the file unchanged.

        Servers accept MP4 files with H.264 video of at most 1 GB. A file on disk is read while it is sent. Servers
        cannot store a workflow with an uploaded video (6.14.2).

        Args:
            video: A path, or the bytes of an MP4 file.
            board_id: The board for the video: a board, its id or its name. Defaults to no board, as does ``"none"``.
            video_category: The category. Defaults to ``ImageCategory.USER``.
            is_intermediate: Whether to hide it from the gallery. Defaults to False.
            filename: The file name to send. The server does not store it.
            metadata: Generation metadata to store.
            session_id: The session that the video belongs to.

        Raises:
            InputValueError: The file does not exist, or is not an MP4 file.
            UnknownNameError: The board is not on the server.
            APIRequestError: The server cannot read the video (415), it is too large (413), or the server failed.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        from invokeai_py_client.image.upload import metadata_text
        from invokeai_py_client.video.upload import read_clip

        refuse_empty(filename=filename, session_id=session_id)
        clip = await asyncio.to_thread(read_clip, video, filename=filename)
        fields = {
            "video_category": category_word(video_category),
            "is_intermediate": is_intermediate,
            "session_id": session_id,
            "metadata": None if metadata is None else metadata_text(metadata),
        }
        return await BOARDS.call(
            self.connection,
            UNCATEGORIZED if board_id is None else board_id,
            lambda board: self._post_video(clip, board, fields),
        )

    async def _post_video(self, clip: FormFile, board: str, fields: Mapping[str, Any]) -> AsyncIvkVideo:
        """Send an upload to a board.

        Raises:
            NotFoundError: The board is not on the server.
        """
        board_id = None if board == UNCATEGORIZED else board
        return self._record(
            await self._api.upload_video(file=clip, board_id=board_id, expect=RECORD, **fields)
        )

    async def upload_videos(
        self,
        sources: str | os.PathLike[str] | Iterable[VideoSource],
        *,
        board_id: BoardRef | None = None,
        video_category: ImageCategory | str = ImageCategory.USER,
        is_intermediate: bool = False,
        concurrency: int = _UPLOADS_AT_ONCE,
        on_progress: Callable[[TransferProgress], object] | None = None,
    ) -> list[AsyncIvkVideo]:
        """Upload several videos, a few at a time. If a file is missing or not an MP4 file, nothing is uploaded.

        If the response to an upload is lost, it isn't retried, because the video may already exist.

        Args:
            sources: A folder (its ``.mp4`` files, sorted by name), a pattern such as ``"clips/*.mp4"``, or a file. Or a
                list of videos, each a path or bytes.
            board_id: The board for the videos: a board, its id or its name. Defaults to no board.
            video_category: The category. Defaults to ``ImageCategory.USER``.
            is_intermediate: Whether to hide them from the gallery. Defaults to False.
            concurrency: The largest number of uploads at a time. Defaults to 2. Servers accept no more (6.14.2), and
                others wait.
            on_progress: Called with the progress after each video.

        Returns:
            The records, in the order of the sources.

        Raises:
            UsageError: There are no videos in ``sources``.
            InputValueError: A file is missing, or is not an MP4 file. Nothing was uploaded.
            UnknownNameError: The board is not on the server. Nothing was uploaded.
            TransferError: Some uploads failed. ``failed`` has their errors, ``done`` the records of the others, both
                keyed by path.
        """
        from invokeai_py_client.image.transfer import transfer_all
        from invokeai_py_client.image.upload import named_sources
        from invokeai_py_client.video.upload import check_clips, read_clip

        named = await asyncio.to_thread(named_sources, sources, "video")
        await asyncio.to_thread(check_clips, named)
        fields = {"video_category": category_word(video_category), "is_intermediate": is_intermediate}
        board = UNCATEGORIZED if board_id is None else await BOARDS.checked_id(self.connection, board_id)

        async def send(job: tuple[str, VideoSource]) -> tuple[AsyncIvkVideo, int]:
            label, source = job
            clip = await asyncio.to_thread(read_clip, source, label=label)
            size = clip.data.stat().st_size if isinstance(clip.data, Path) else len(clip.data)
            return await self._post_video(clip, board, fields), size

        return await transfer_all(
            [(label, (label, source)) for label, source in named],
            send,
            what="uploaded",
            kind="video",
            concurrency=concurrency,
            on_progress=on_progress,
        )

    # ------------------------------------------------------------------ downloading

    @patient
    async def download(self, video_name: VideoName) -> bytes:
        """Download a video into memory, as the server stores it. For large videos, use ``download_to()``.

        Raises:
            NotFoundError: The video is not on the server.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        return await self._api.get_video_full(name_of(video_name, "video"))

    @patient
    async def thumbnail(self, video_name: VideoName) -> bytes:
        """Download a video's thumbnail: its first frame, as a WEBP image of at most 256 pixels per side.

        Raises:
            NotFoundError: The video is not on the server.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        return await self._api.get_video_thumbnail(name_of(video_name, "video"))

    async def download_to(
        self, video_name: VideoName, path: str | os.PathLike[str], *, full_resolution: bool = True
    ) -> Path:
        """Download a video to a file. The file appears only when it is complete.

        A download that breaks off continues where it stopped.

        Args:
            video_name: The video.
            path: A file that ends in ``.mp4``, or a folder: an existing folder or a path that ends in ``/``. In a
                folder, the video keeps its name.
            full_resolution: Whether to download the video itself rather than its thumbnail. Defaults to True.

        Returns:
            The file's path.

        Raises:
            NotFoundError: The video is not on the server.
            UsageError: The file cannot be written, or has the extension of another format.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        from invokeai_py_client.image.download import download_file

        return await download_file(
            self.connection, name_of(video_name, "video"), path, "video", full_resolution=full_resolution
        )

    async def download_videos(
        self,
        video_names: VideoNames,
        folder: str | os.PathLike[str],
        *,
        template: str = "{video}",
        full_resolution: bool = True,
        overwrite: bool = False,
        concurrency: int = _DOWNLOADS_AT_ONCE,
        on_progress: Callable[[TransferProgress], object] | None = None,
    ) -> list[Path]:
        """Download videos to files, several at a time.

        Each file appears only when it is complete. A download that breaks off continues where it stopped. An existing
        file is skipped if it is complete and its name contains the video's name.

        Args:
            video_names: The videos: names, records or videos of runs.
            folder: The target folder. It is created if it does not exist.
            template: The file names. ``{video}`` is the video's name without its extension and ``{index}`` its number
                from 0. Every field of its record works as well: ``{created_at:%Y-%m-%d}/{duration}s-{video}``.
                Defaults to ``"{video}"``.
            full_resolution: Whether to download the videos themselves rather than their thumbnails. Defaults to True.
            overwrite: Whether to download existing files again. Defaults to False.
            concurrency: The largest number of downloads at a time. Defaults to 8.
            on_progress: Called with the progress after each video.

        Returns:
            The files' paths, in the order of the videos. A video passed twice has one file.

        Raises:
            UsageError: The template contains an unknown field, or its format is not supported.
            TransferError: Some downloads failed. ``failed`` has their errors, ``done`` the paths of the others.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        from invokeai_py_client.image.download import download_all

        require("names for the files, such as '{video}'", template=template)
        return await download_all(
            self.connection,
            video_names,
            self.get_videos,
            folder,
            template,
            "video",
            full_resolution=full_resolution,
            overwrite=overwrite,
            concurrency=concurrency,
            on_progress=on_progress,
        )

    # ------------------------------------------------------------------ changing and deleting

    async def update(
        self,
        video_name: VideoName,
        *,
        video_category: ImageCategory | str | None = None,
        is_intermediate: bool | None = None,
        starred: bool | None = None,
        session_id: str | None = None,
    ) -> AsyncIvkVideo:
        """Change a video's record. Omitted arguments keep their values.

        Args:
            video_name: The video.
            video_category: The new category.
            is_intermediate: Whether to hide the video from the gallery.
            starred: Whether to star it.
            session_id: The session that it belongs to.

        Returns:
            The changed record.

        Raises:
            NotFoundError: The video is not on the server.
            PermissionDeniedError: The video belongs to another user.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        refuse_empty(session_id=session_id)
        name = name_of(video_name, "video")
        try:
            response = await self._api.update_video(
                name,
                video_category=None if video_category is None else category_word(video_category),
                is_intermediate=is_intermediate,
                starred=starred,
                session_id=session_id,
                expect=RECORD,
            )
        except APIRequestError as error:
            if error.status_code in (400, 403):  # the responses if the video does not exist
                await self.get_video(name)
            raise
        record = self._record(response)
        self._held.forget([record.name])
        return record

    async def star(self, video_names: VideoNames) -> list[str]:
        """Star videos.

        Returns:
            The names of the videos.

        Raises:
            TransferError: The server refused or failed to star some of the videos, or does not have them. All others
                were starred: ``done`` has their names, ``failed`` the errors of the rest.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        return await self._change(video_names, self._api.star_videos_in_list, "starred")

    async def unstar(self, video_names: VideoNames) -> list[str]:
        """Remove the star from videos.

        Returns:
            The names of the videos.

        Raises:
            TransferError: The server refused or failed to unstar some of the videos, or does not have them. All others
                were unstarred: ``done`` has their names, ``failed`` the errors of the rest.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        return await self._change(video_names, self._api.unstar_videos_in_list, "unstarred")

    async def move(self, video_names: VideoNames, board_id: BoardRef) -> list[str]:
        """Move videos to a board, or off their boards with ``"none"``. Sends one request per video.

        Args:
            video_names: The videos, by name or record.
            board_id: The board, its id or its name.

        Returns:
            The names of the videos.

        Raises:
            UnknownNameError: The board is not on the server.
            PermissionDeniedError: You may not add videos to the board.
            TransferError: The server refused or failed to move some of the videos, or does not have them. All others
                were moved: ``done`` has their names, ``failed`` the errors of the rest.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        names = name_list(video_names, "video")
        board = await BOARDS.checked_id(self.connection, board_id)
        there = {
            record.name
            for portion in portions(names, MOST_NAMES)
            for record in await self._held.fetch(portion)
        }
        limit = asyncio.Semaphore(_CHANGES_AT_ONCE)
        failed: dict[str, InvokeAIClientError] = {}

        async def move(name: str) -> str | None:
            async with limit:
                try:
                    if board == UNCATEGORIZED:
                        await self._api.remove_video_from_board(video_name=name, idempotent=True)
                    else:
                        await self._api.add_video_to_board(board_id=board, video_name=name, idempotent=True)
                except ServerTooOldError:
                    raise
                except APIRequestError as error:
                    failed[name] = error
                    return None
                return name

        async def send(portion: list[str]) -> Changed:
            # The server reports success for a video that does not exist, or fails without a reason (6.14.2).
            moved = await gather_or_cancel(move(name) for name in portion if name in there)
            return Changed([name for name in moved if name is not None], failed)

        return await change_files(self._held, names, send, what="moved", kind="video")

    async def delete(self, video_names: VideoNames) -> list[str]:
        """Permanently delete videos from the server.

        Returns:
            The names of the videos.

        Raises:
            TransferError: The server refused or failed to delete some of the videos, or does not have them. All others
                were deleted: ``done`` has their names, ``failed`` the errors of the rest.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        return await self._change(video_names, self._api.delete_videos_from_list, "deleted")

    async def delete_uncategorized(self) -> list[str]:
        """Permanently delete your videos that are on no board. Administrators delete those of all users.

        Returns:
            The names of the deleted videos.

        Raises:
            TransferError: The server failed to delete some of the videos. All others were deleted: ``done`` has their
                names, ``failed`` the errors of the rest.
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        await self._refuse_older()  # InvokeAI 6.6 to 6.8 would delete other videos
        response = await self._api.delete_uncategorized_videos()
        deleted = changed_names(response, "deleted", "video")
        self._held.forget(deleted)
        failed: dict[str, InvokeAIClientError] = dict.fromkeys(
            failed_names(response, "video"), unclear_failure(response)
        )
        if failed:
            raise partial_failure("deleted", failed, {name: name for name in deleted}, kind="video")
        return deleted

    # ------------------------------------------------------------------ internals

    @property
    def _api(self) -> AsyncVideosApi:
        return self.connection.part(AsyncVideosApi)

    @property
    def _held(self) -> HeldVideos:
        return self.connection.part(HeldVideos)

    async def _page(self, **params: Any) -> tuple[list[Any], int]:
        page = page_of(await self._api.list_video_dtos(**params, expect=_PAGE))
        if not page[1]:
            await self._refuse_older()  # InvokeAI 6.6 to 6.8 have the route
        return page

    async def _change(
        self, videos: VideoNames, change: Callable[..., Awaitable[Any]], verb: str
    ) -> list[str]:
        async def send(portion: list[str]) -> Changed:
            try:
                response = await change(video_names=portion)
            except UnprocessableError:
                await self._refuse_older()  # InvokeAI 6.6 to 6.8 have the route, with another body
                raise
            # Videos that do not exist are among those that failed.
            failed = failed_names(response, "video")
            there = {record.name for record in await self._held.fetch(failed)}
            errors = {name: unclear_failure(response) for name in failed if name in there}
            return Changed(changed_names(response, verb, "video"), errors)

        return await change_files(self._held, name_list(videos, "video"), send, what=verb, kind="video")

    async def _refuse_older(self) -> None:
        """Check the server's version.

        Raises:
            ServerTooOldError: The server is older than InvokeAI 6.14.
        """
        version = await server_version(self.connection.http)
        if tuple(int(part) for part in version.split(".")[:2]) < _SINCE:
            since = ".".join(map(str, _SINCE))
            raise ServerTooOldError(
                f"Videos need InvokeAI {since} or later; this server is {version}.",
                since=since,
                version=version,
            )

    def _record(self, data: Mapping[str, Any]) -> AsyncIvkVideo:
        [record] = connected(self.connection, [data])
        return record
