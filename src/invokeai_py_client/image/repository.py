"""Images on the server: brought there, listed, fetched, changed, removed."""

from __future__ import annotations

from invokeai_py_client.image.transfer import AsyncImageTransfer


class AsyncImageRepository(AsyncImageTransfer):
    """The images of a server.

    Example:
        ```python
        record = await client.image_repo.upload("portrait.jpg")
        await client.image_repo.download_to(record.image_name, "copies/")
        ```
    """
