"""Conversion of Pillow images into images that a server can store: PNG files with at most 8 bits per channel.

InvokeAI 6.14 ignores the EXIF orientation of photos, fails to store CMYK, LAB and 32-bit images, and turns the brighter
values of 16-bit images white when a node reads them.
"""

from __future__ import annotations

import math
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

ORIENTATION = 0x0112
"""The EXIF tag of the orientation."""

_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
_WITH_ALPHA = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
_FASTEST = 1


def changes_for(image: PILImage) -> list[str]:
    """Return what ``storable()`` would change in an image, as past participles. Does not decode the image."""
    changes: list[str] = []
    if _orientation(image) != 1:
        changes.append("turned upright (EXIF orientation)")
    if _is_deep(image):
        changes.append(
            f"reduced from {'16' if image.mode.startswith('I;16') else '32'} to 8 bits per channel"
        )
    elif image.mode not in _MODES:
        changes.append(f"converted from {image.mode} to {_WITH_ALPHA.get(image.mode, 'RGB')}")
    return changes


def upright_size(image: PILImage) -> tuple[int, int]:
    """Return the width and the height of an image as it looks. Does not decode the image."""
    width, height = image.size
    is_turned = _orientation(image) in (5, 6, 7, 8)
    return (height, width) if is_turned else (width, height)


def storable(image: PILImage) -> PILImage:
    """Return an image that a server can store as it looks.

    Raises:
        ValueError: The image contains values that are not finite numbers.
        OSError: The data of the image is damaged.
    """
    from PIL import ImageOps

    if _is_deep(image):
        upright = _eight_bits(image)
        upright.info.update(image.info)
    elif image.mode not in _MODES:
        upright = image.convert(_WITH_ALPHA.get(image.mode, "RGB"))
        if upright.info.get("icc_profile") == image.info.get("icc_profile"):  # that of the other color space
            upright.info.pop("icc_profile", None)
    else:
        upright = image
    orientation = _orientation(image)
    if orientation == 1:
        return upright
    if _orientation(upright) != orientation:  # conversions may drop the tag
        upright.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(upright)


def png_bytes(image: PILImage) -> bytes:
    """Return an image as a PNG file, with the texts that the original PNG file contained.

    Raises:
        ValueError: The image cannot be converted.
        OSError: The data of the image is damaged.
    """
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    info: dict[Any, Any] = image.info
    for key, text in info.items():
        if isinstance(key, str) and isinstance(text, str) and key.startswith("invokeai_"):
            texts.add_text(key, text)
    buffer = BytesIO()
    storable(image).save(buffer, format="PNG", pnginfo=texts, compress_level=_FASTEST)
    return buffer.getvalue()


def _is_deep(image: PILImage) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def _orientation(image: PILImage) -> int:
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - Pillow raises various errors for damaged EXIF data, which is not essential
        return 1
    return found if isinstance(found, int) and 2 <= found <= 8 else 1


def _eight_bits(image: PILImage) -> PILImage:
    """Return a gray image with 8 bits, scaled so that no values are cut off."""
    deep = image if image.mode == "F" else image.convert("I").convert("F")
    extrema: Any = deep.getextrema()
    low, high = extrema
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("some of its values are not finite numbers")
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        low, high = 0, 65_535
    elif low >= 0 and high <= 1 and image.mode == "F":
        low, high = 0, 1
    elif low >= 0 and high <= 255:
        low, high = 0, 255
    elif low >= 0 and high <= 65_535:
        low, high = 0, 65_535
    scale = 255 / ((high - low) or 1)
    return cast("Any", deep).point(partial(_scaled, scale, 0.5 - low * scale)).convert("L")


def _scaled(scale: float, offset: float, value: Any) -> Any:
    return value * scale + offset
