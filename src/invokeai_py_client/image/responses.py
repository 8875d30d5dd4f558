"""Parsers for responses of the image and board routes, which differ between versions of InvokeAI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias, cast

from invokeai_py_client._given import require
from invokeai_py_client.api.operations import OPERATIONS
from invokeai_py_client.errors import NotInvokeAIError, UsageError
from invokeai_py_client.models import ImageCategory, ImageOrigin
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.transport.payload import path_part


class NamedVideo(Protocol):
    """A video of this client: a ``Video`` of a run, or an ``IvkVideo`` of a listing."""

    @property
    def video_name(self) -> str:
        """The video's name on the server."""
        ...


class NamedImage(Protocol):
    """An image of this client: an ``Image`` of a run, or an ``IvkImage`` of a listing."""

    @property
    def image_name(self) -> str:
        """The image's name on the server."""
        ...


ImageName: TypeAlias = str | NamedImage
"""An image: its name, a run's image, or a record."""

ImageNames: TypeAlias = str | NamedImage | Iterable[str | NamedImage]
"""One image or several, each as a name, a run's image or a record."""

VideoName: TypeAlias = str | NamedVideo
"""A video: its name, a run's video, or a record."""

VideoNames: TypeAlias = str | NamedVideo | Iterable[str | NamedVideo]
"""One video or several, each as a name, a run's video or a record."""

Kind: TypeAlias = Literal["image", "video"]
"""The kinds of files in the gallery. Their fields and routes are named after them."""

MOST_NAMES = 1000
"""The largest number of names in a request, and of records in a response."""


def changed_names(response: Any, verb: str, kind: Kind = "image") -> list[str]:
    """Return the names of the images or videos that a bulk route reports as changed.

    The key is ``starred_images`` and the like since InvokeAI 6.0. Before, it was ``updated_image_names``,
    ``added_image_names`` or ``removed_image_names``.

    Args:
        response: The decoded response.
        verb: ``deleted``, ``starred``, ``unstarred``, ``added`` or ``removed``.
        kind: What was changed. Defaults to ``"image"``.
    """
    data = as_mapping(response)
    for key in (f"{verb}_{kind}s", f"{verb}_image_names", "updated_image_names"):
        names = data.get(key)
        if isinstance(names, list):
            return [str(name) for name in names]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise NotInvokeAIError(
        None,
        response,
        f"Unexpected response: expected the names of the {verb} {kind}s, got {response!r:.200}.",
    )


def failed_names(response: Any, kind: Kind = "image") -> list[str]:
    """Return the names of the images or videos for which a bulk route failed (reported since InvokeAI 6.14)."""
    names = as_mapping(response).get(f"failed_{kind}s")
    return [str(name) for name in cast("list[Any]", names)] if isinstance(names, list) else []


def page_of(response: Any) -> tuple[list[Any], int]:
    """Return the records of a page as the server sent them, and the total number of images or videos."""
    data = as_mapping(response)
    items: Any = data.get("items")
    total = data.get("total")
    if not isinstance(items, list) or not isinstance(total, int):
        raise NotInvokeAIError(
            None, response, f"Unexpected response: expected a page of records, got {response!r:.200}."
        )
    return cast("list[Any]", items), total


def category_words(
    categories: Iterable[ImageCategory | str] | ImageCategory | str | None,
) -> list[str] | None:
    """Return the server's names of categories."""
    if categories is None:
        return None
    if isinstance(categories, str):
        categories = [categories]
    return [category_word(category) for category in categories]


def category_word(category: ImageCategory | str) -> str:
    """Return the server's name of a category.

    Raises:
        UsageError: The category is unknown.
    """
    known = ImageCategory.parse(category)
    if not isinstance(known, ImageCategory):
        words = ", ".join(member.value for member in ImageCategory)
        raise UsageError(f"Unknown image category {category!r}: expected one of {words}.")
    return known.value


def origin_word(origin: ImageOrigin | str | None) -> str | None:
    """Return the server's name of an origin.

    Raises:
        UsageError: The origin is unknown.
    """
    if origin is None:
        return None
    known = ImageOrigin.parse(origin)
    if not isinstance(known, ImageOrigin):
        words = ", ".join(member.value for member in ImageOrigin)
        raise UsageError(f"Unknown image origin {origin!r}: expected one of {words}.")
    return known.value


def name_list(files: ImageNames | VideoNames, kind: Kind = "image") -> list[str]:
    """Return the names of one image or video or several, as a list without duplicates.

    Raises:
        UsageError: An item is neither a file of this kind nor a name.
    """
    return list(dict.fromkeys(name_of(file, kind) for file in file_list(files, kind)))


def file_list(files: ImageNames | VideoNames, kind: Kind = "image") -> list[Any]:
    """Return one image or video or several, as a list.

    Raises:
        UsageError: It is neither a file of this kind nor a list.
    """
    if isinstance(files, str) or hasattr(files, f"{kind}_name"):
        return [files]
    if not isinstance(files, Iterable):
        raise UsageError(_invalid(files, kind))
    return list(files)


def name_of(file: object, kind: Kind = "image") -> str:
    """Return the name of an image or a video.

    Raises:
        UsageError: It is neither a file of this kind nor a name, or the name is empty.
    """
    name = file if isinstance(file, str) else getattr(file, f"{kind}_name", None)
    if not isinstance(name, str):
        raise UsageError(_invalid(file, kind))
    require(f"the name of {_article(kind)}", **{f"{kind}_name": name})
    return name


def file_path(kind: str, name: str, what: str) -> str:
    """Return the server's path of the file (``full``) or the thumbnail (``thumbnail``) of an image or a video."""
    pattern = OPERATIONS[f"get_{kind}_{what}"].path
    return pattern.replace(f"{{{kind}_name}}", path_part(name, _article(kind)))


def _invalid(file: object, kind: Kind) -> str:
    return f"Invalid {kind} of type {type(file).__name__}: expected {_article(kind)}, its name or its record."


def _article(kind: str) -> str:
    return "an image" if kind == "image" else "a video"
