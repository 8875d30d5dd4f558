"""A video in a notebook, as HTML."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from invokeai_py_client.api.videos import AsyncVideosApi

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

_LARGEST = 8 << 20
"""The size in bytes up to which a notebook contains a video. Of larger ones it shows the thumbnail."""
_STYLE = "max-width: 512px; max-height: 512px"


async def video_html(connection: Connection, name: str) -> str:
    """Return a video as HTML. The HTML contains the video, so a saved notebook shows it without the server.

    A video of more than 8 MB is replaced by its thumbnail.

    Args:
        connection: The server.
        name: The name of the video.
    """
    videos = connection.part(AsyncVideosApi)
    data = bytearray()
    async with videos.get_video_full_stream(name) as stream:
        async for chunk in stream:
            data += chunk
            if len(data) > _LARGEST:
                break
    title = escape(name)
    if len(data) <= _LARGEST:
        source = f"data:video/mp4;base64,{b64encode(data).decode()}"
        return f'<video controls loop style="{_STYLE}" src="{source}" title="{title}"></video>'
    thumbnail = b64encode(await videos.get_video_thumbnail(name)).decode()
    note = f"{title} has more than {_LARGEST >> 20} MB. Save it to watch it: video.save(PATH)"
    return (
        f'<figure><img src="data:image/webp;base64,{thumbnail}" title="{title}" alt="{title}">'
        f"<figcaption>{note}</figcaption></figure>"
    )
