"""Images among a batch's values: those to upload before it is sent, and those that must be on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from invokeai_py_client.ivk_fields.pending import LocalImage, find_pending, replace_pending


def local_images(data: Sequence[Any]) -> list[LocalImage]:
    """The images of a batch that are still on this machine, each once."""
    return [one for one in find_pending(data) if isinstance(one, LocalImage)]


def uploaded(data: Sequence[Any], names: Mapping[LocalImage, str]) -> list[Any]:
    """The same data with the server's names of those images."""
    return replace_pending(data, {image: {"image_name": name} for image, name in names.items()})


def named_images(data: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """The names of the images that a batch expects on the server, each once."""
    values = [value for group in data for datum in group for value in datum["items"]]
    return list(dict.fromkeys(value["image_name"] for value in values if _is_image(value)))


def _is_image(value: Any) -> bool:
    return isinstance(value, Mapping) and "image_name" in value
