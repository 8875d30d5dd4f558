"""A run in a notebook: its images and videos as HTML."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.errors import APIRequestError, RunNotFinishedError
from invokeai_py_client.image.image import AsyncImage

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.run import AsyncRun

_MOST_IMAGES = 8
_MOST_VIDEOS = 2


async def run_html(run: AsyncRun, connection: Connection | None = None) -> str | None:
    """Return the thumbnails of a run's images, and its videos, as HTML, or None if it has not ended or has neither.

    The HTML contains them, so a saved notebook shows them without the server.

    Args:
        run: The run.
        connection: The connection to use. Defaults to that of the run.
    """
    try:
        images, videos = run.images, run.videos
    except RunNotFinishedError:
        return None
    if not images and not videos:
        return None
    to = connection or run.connection
    shown = await gather_or_cancel(
        [
            *(_thumbnail(AsyncImage(to, image.name)) for image in images[:_MOST_IMAGES]),
            *(_video(to, video.name) for video in videos[:_MOST_VIDEOS]),
        ]
    )
    took = "" if run.seconds is None else f" in {run.seconds:.1f} s"
    more = _more(len(images) - _MOST_IMAGES, "image") + _more(len(videos) - _MOST_VIDEOS, "video")
    caption = f"Run {run.item_id}: {run.status}{took}{more}"
    return f"<div><div>{''.join(shown)}</div>{escape(caption)}</div>"


def _more(count: int, kind: str) -> str:
    return f", {count} more {kind}{'s' * (count > 1)}" if count > 0 else ""


async def _video(connection: Connection, name: str) -> str:
    from invokeai_py_client.video.html import video_html

    try:
        return await video_html(connection, name)
    except APIRequestError as error:
        return f"<div>{escape(str(error))}</div>"


async def _thumbnail(image: AsyncImage) -> str:
    try:
        data = await image.thumbnail()
    except APIRequestError as error:
        return f"<div>{escape(str(error))}</div>"
    name = escape(image.name)
    return f'<img src="data:image/webp;base64,{b64encode(data).decode()}" title="{name}" alt="{name}">'
