"""A run in a notebook: its images as HTML."""

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


async def run_html(run: AsyncRun, connection: Connection | None = None) -> str | None:
    """Return the thumbnails of a run's images as HTML, or None if it has not ended or has no images.

    The HTML contains the thumbnails, so a saved notebook shows them without the server.

    Args:
        run: The run.
        connection: The connection to use. Defaults to that of the run.
    """
    try:
        names = [image.name for image in run.images]
    except RunNotFinishedError:
        return None
    if not names:
        return None
    shown = await gather_or_cancel(
        _thumbnail(AsyncImage(connection or run.connection, name)) for name in names[:_MOST_IMAGES]
    )
    took = "" if run.seconds is None else f" in {run.seconds:.1f} s"
    more = f", {len(names) - _MOST_IMAGES} more images" if len(names) > _MOST_IMAGES else ""
    caption = f"Run {run.item_id}: {run.status}{took}{more}"
    return f"<div><div>{''.join(shown)}</div>{escape(caption)}</div>"


async def _thumbnail(image: AsyncImage) -> str:
    try:
        data = await image.thumbnail()
    except APIRequestError as error:
        return f"<div>{escape(str(error))}</div>"
    name = escape(image.name)
    return f'<img src="data:image/webp;base64,{b64encode(data).decode()}" title="{name}" alt="{name}">'
