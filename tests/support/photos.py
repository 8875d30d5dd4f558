"""Image files as people have them: rotated, CMYK, 16-bit, damaged."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

ORIENTATION = 0x0112


def png(shade: int = 0) -> bytes:
    """Return a small PNG file of a shade of gray."""
    return file_of(Pillow.new("RGB", (4, 4), (shade, shade, shade)), "PNG")


def file_of(image: Pillow.Image, kind: str, **options: Any) -> bytes:
    """Return an image as a file of a format."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(size: tuple[int, int] = (40, 20), mode: str = "RGB") -> Pillow.Image:
    """Return an image whose upper half is red and whose lower half is blue."""
    image = Pillow.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0], size[1] // 2))
    return image.convert(mode)


def rotated(orientation: int = 6, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    """Return a photo that has to be turned to show ``halves()`` upright, as cameras store it."""
    turns = {3: Pillow.Transpose.ROTATE_180, 6: Pillow.Transpose.ROTATE_90, 8: Pillow.Transpose.ROTATE_270}
    exif = Pillow.Exif()
    exif[ORIENTATION] = orientation
    return file_of(halves(mode=mode).transpose(turns[orientation]), kind, exif=exif, quality=95)


def deep(mode: str = "I;16") -> Pillow.Image:
    """Return a gray ramp from black to white with 16 or 32 bits per channel, 256 x 1 pixels."""
    image = Pillow.new(mode, (256, 1))
    for x in range(256):
        image.putpixel((x, 0), x / 255 if mode == "F" else x * 257)
    return image


def write(path: Path, data: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(data)
    return path
