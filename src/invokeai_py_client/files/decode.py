"""A file that a server gave, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client.errors import APIRequestError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage


def decode(data: bytes, name: str) -> PILImage:
    """A loaded Pillow image. Needs the extra ``invokeai-py-client[image]``.

    Raises:
        APIRequestError: It is none that Pillow reads, or one of far too many pixels.
    """
    from io import BytesIO

    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(BytesIO(data))
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise APIRequestError(None, None, f"Pillow cannot read the image {name}: {error}.") from error
    return image
