"""Parsers for responses of the image and board routes, which differ between versions of InvokeAI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias, cast

from invokeai_py_client._given import refuse_empty
from invokeai_py_client.errors import NotInvokeAIError, UsageError
from invokeai_py_client.models import ImageCategory, ImageOrigin
from invokeai_py_client.models.base import as_mapping


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

MOST_NAMES = 1000
"""The largest number of names in a request, and of records in a response."""


def changed_names(response: Any, verb: str) -> list[str]:
    """Return the names of the images that a bulk route reports as changed.

    The key is ``starred_images`` and the like since InvokeAI 6.0. Before, it was ``updated_image_names``,
    ``added_image_names`` or ``removed_image_names``.

    Args:
        response: The decoded response.
        verb: ``deleted``, ``starred``, ``unstarred``, ``added`` or ``removed``.
    """
    data = as_mapping(response)
    for key in (f"{verb}_images", f"{verb}_image_names", "updated_image_names"):
        names = data.get(key)
        if isinstance(names, list):
            return [str(name) for name in names]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise NotInvokeAIError(
        None,
        response,
        f"Unexpected response: expected the names of the {verb} images, got {response!r:.200}.",
    )


def failed_names(response: Any) -> list[str]:
    """Return the names of the images for which a bulk route failed, as servers report since InvokeAI 6.14."""
    names = as_mapping(response).get("failed_images")
    return [str(name) for name in cast("list[Any]", names)] if isinstance(names, list) else []


def page_of(response: Any) -> tuple[list[Any], int]:
    """Return the image records of a page as the server sent them, and the total number of images."""
    data = as_mapping(response)
    items: Any = data.get("items")
    total = data.get("total")
    if not isinstance(items, list) or not isinstance(total, int):
        raise NotInvokeAIError(
            None, response, f"Unexpected response: expected a page of images, got {response!r:.200}."
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


def name_list(images: ImageNames) -> list[str]:
    """Return the names of one image or several as a list without duplicates.

    Raises:
        UsageError: An item is neither an image nor a name.
    """
    return list(dict.fromkeys(map(name_of, image_list(images))))


def image_list(images: ImageNames) -> list[str | NamedImage]:
    """Return one image or several as a list.

    Raises:
        UsageError: It is neither an image nor a list.
    """
    if isinstance(images, str) or hasattr(images, "image_name"):
        return [cast("str | NamedImage", images)]
    if not isinstance(images, Iterable):
        raise UsageError(_invalid(images))
    return list(images)


def name_of(image: object) -> str:
    """Return the name of an image.

    Raises:
        UsageError: It is neither an image nor a name, or the name is empty.
    """
    name = image if isinstance(image, str) else getattr(image, "image_name", None)
    if not isinstance(name, str):
        raise UsageError(_invalid(image))
    refuse_empty(image_name=name)
    return name


def _invalid(image: object) -> str:
    return f"Invalid image of type {type(image).__name__}: expected an image, its name or its record."
