"""Parsers for responses of the image and board routes, which differ between versions of InvokeAI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from invokeai_py_client.errors import NotInvokeAIError, UsageError
from invokeai_py_client.models import ImageCategory, IvkImage
from invokeai_py_client.models.base import as_mapping

ImageNames: TypeAlias = str | IvkImage | Iterable[str | IvkImage]
"""One image or several, as names or records."""

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


def page_of(response: Any) -> tuple[list[IvkImage], int]:
    """Return the image records of a page, and the total number of images."""
    data = as_mapping(response)
    items: Any = data.get("items")
    total = data.get("total")
    if not isinstance(items, list) or not isinstance(total, int):
        raise NotInvokeAIError(
            None, response, f"Unexpected response: expected a page of images, got {response!r:.200}."
        )
    return records(items), total  # pyright: ignore[reportUnknownArgumentType]


def records(items: Iterable[Any]) -> list[IvkImage]:
    """Return image records parsed from a response."""
    return [IvkImage.from_api_response(item) for item in items]


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


def name_list(images: ImageNames) -> list[str]:
    """Return the names of one image or several as a list without duplicates.

    Raises:
        UsageError: An item is neither a name nor a record.
    """
    several = [images] if isinstance(images, str | IvkImage) else images
    return list(dict.fromkeys(_name(image) for image in several))


def _name(image: str | IvkImage) -> str:
    if isinstance(image, IvkImage):
        return image.image_name
    if not isinstance(image, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(
            f"Invalid image of type {type(image).__name__}: expected an image name or an image record."
        )
    return image
