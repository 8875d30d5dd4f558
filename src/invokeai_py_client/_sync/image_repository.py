"""Images on the server: brought there, listed, fetched, changed, removed."""

# Written by tools/generate_sync.py from src/invokeai_py_client/image/repository.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._sync.image_transfer import ImageTransfer

if TYPE_CHECKING:
    from invokeai_py_client.image.repository import AsyncImageRepository


class ImageRepository(ImageTransfer):
    """The images of a server.

    Example:
        ```python
        record = client.image_repo.upload("portrait.jpg")
        client.image_repo.download_to(record.image_name, "copies/")
        ```
    """

    _impl: AsyncImageRepository
