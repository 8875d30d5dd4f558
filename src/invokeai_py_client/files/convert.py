"""Converting images to the format that the extension of a file promises.

The server stores images as PNG files, and thumbnails as WEBP files. Pillow converts them to other formats, and the
metadata that InvokeAI embeds in a PNG file is kept.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.formats import VIDEO, format_of, format_of_data, is_other_format
from invokeai_py_client.files.images import decode

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95, "method": 4},
    "AVIF": {"quality": 90},
}
_PNG_TEXTS = ("invokeai_metadata", "invokeai_workflow", "invokeai_graph")
_EXIF, _COMMENT = 0x8769, 0x9286
_ASCII = b"ASCII\0\0\0"
# A JPEG file has at most 65,533 bytes of EXIF data. Its headers take some of them.
_JPEG_LIMIT = 65_000
_INSTALL = "pip install 'invokeai-py-client[image]'"


def check_target(path: Path, source: str) -> None:
    """Check that an image or a video can be saved in the format that the extension of a file promises.

    Args:
        path: The file to write.
        source: The format of the file on the server: ``"PNG"``, ``"WEBP"`` or, for a video, ``"MP4"``. Files of this
            format are copied.

    Raises:
        UsageError: The format is not supported, or converting to it requires Pillow, which is missing or too old.
    """
    if source == "MP4":
        if path.suffix.casefold() != VIDEO and (is_other_format(path) or format_of(path) is not None):
            raise UsageError(
                f"Cannot save a video as {path}: {path.suffix} is not a supported format. Use {VIDEO}."
            )
        return
    if is_other_format(path):
        raise UsageError(
            f"Cannot save an image as {path}: {path.suffix} is not a supported format. Use .png, .jpg, .webp or .avif."
        )
    target = format_of(path)
    if target is None or target == source:
        return
    try:
        from PIL import Image
    except ImportError:
        raise UsageError(
            f"Cannot save an image as {path}: converting {source} to {target} requires Pillow. Install it"
            f" ({_INSTALL}), or save a {source} file."
        ) from None
    Image.init()
    if target not in Image.SAVE:
        raise UsageError(
            f"Cannot save an image as {path}: the installed Pillow cannot write {target}. Update it"
            f" ({_INSTALL} --upgrade), or save a {source} file."
        )


def convert(data: bytes, path: Path) -> bytes:
    """Return an image in the format that the extension of a file promises.

    The color profile and InvokeAI's metadata are kept: in a PNG file as text, in other formats as a JSON object in
    the EXIF tag UserComment. Its keys are ``invokeai_metadata``, ``invokeai_workflow`` and ``invokeai_graph``. A JPEG
    file has room for 64 KB, so the graph, and then the workflow, are left out if necessary. Transparent areas become
    white in a JPEG file.

    Args:
        data: The content of an image file.
        path: The file to write.

    Raises:
        APIRequestError: Pillow cannot read the image.
        UsageError: The format is not supported, or Pillow cannot write the image in it.
    """
    target = format_of(path)
    if target is None or target == format_of_data(data[:12]):
        return data
    check_target(path, format_of_data(data[:12]) or "this image")
    with decode(data, path.name) as image:
        options = dict(_OPTIONS[target])
        if image.info.get("icc_profile"):
            options["icc_profile"] = image.info["icc_profile"]
        options |= _metadata_options(image, target)
        written = io.BytesIO()
        try:
            _in_mode_for(image, target).save(written, target, **options)
        except (OSError, ValueError) as error:
            raise UsageError(f"Cannot save an image as {path}: {error}. Use .png instead.") from error
    return written.getvalue()


def embedded_metadata(image: PILImage) -> dict[str, Any]:
    """Return the metadata that InvokeAI embedded in an image, also if it was converted from a PNG file.

    Returns:
        The values of ``invokeai_metadata``, ``invokeai_workflow`` and ``invokeai_graph``, as far as the image has
        them.
    """
    found = {name: _parsed(image.info[name]) for name in _PNG_TEXTS if isinstance(image.info.get(name), str)}
    if found:
        return found
    comment = image.getexif().get_ifd(_EXIF).get(_COMMENT)
    if not isinstance(comment, bytes) or not comment.startswith(_ASCII):
        return {}
    kept = _parsed(comment.removeprefix(_ASCII).decode("ascii", "replace"))
    return {name: kept[name] for name in _PNG_TEXTS if name in kept} if isinstance(kept, dict) else {}


def _metadata_options(image: PILImage, target: str) -> dict[str, Any]:
    """Return the options with which Pillow writes an image's metadata."""
    found = embedded_metadata(image)
    if not found:
        return {}
    if target == "PNG":
        from PIL.PngImagePlugin import PngInfo

        texts = PngInfo()
        for name, value in found.items():
            texts.add_itxt(name, value if isinstance(value, str) else json.dumps(value))
        return {"pnginfo": texts}
    from PIL.Image import Exif

    comment = b""
    while found:
        comment = _ASCII + json.dumps(found, separators=(",", ":")).encode("ascii")
        if target != "JPEG" or len(comment) <= _JPEG_LIMIT:
            break
        found.popitem()
        comment = b""
    exif = Exif()
    exif.get_ifd(_EXIF)[_COMMENT] = comment
    return {"exif": exif.tobytes()} if comment else {}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _in_mode_for(image: PILImage, target: str) -> PILImage:
    """Return an image in a mode that a format supports."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits per pixel, which Pillow would clip
        image = cast("Any", image).point(lambda value: value * (1 / 256)).convert("L")  # pyright: ignore[reportUnknownLambdaType]
    transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    if target == "PNG":
        return image
    if not transparent:
        return image if image.mode in ("RGB", "L") and target == "JPEG" else image.convert("RGB")
    image = image.convert("RGBA")
    if target != "JPEG":
        return image
    paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(paper, image).convert("RGB")
