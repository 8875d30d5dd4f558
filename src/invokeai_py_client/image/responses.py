"""Reading what the image and board routes answer, which differs from version to version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from invokeai_py_client.errors import NotInvokeAIError, UsageError
from invokeai_py_client.models import ImageCategory, IvkImage
from invokeai_py_client.models.base import as_mapping

ImageNames: TypeAlias = str | IvkImage | Iterable[str | IvkImage]
"""Images of a server: one or several, by their names or records."""

MOST_NAMES = 1000
"""How many names the server takes in one request, and how many records it gives."""


def changed_names(answer: Any, verb: str) -> list[str]:
    """The names that a bulk route says it changed.

    ``starred_images`` and the like from InvokeAI 6.0; before that ``updated_image_names``,
    ``added_image_names``, ``removed_image_names``.

    Args:
        answer: The decoded answer.
        verb: ``deleted``, ``starred``, ``unstarred``, ``added`` or ``removed``.
    """
    data = as_mapping(answer)
    for key in (f"{verb}_images", f"{verb}_image_names", "updated_image_names"):
        names = data.get(key)
        if isinstance(names, list):
            return [str(name) for name in names]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise NotInvokeAIError(None, answer, f"The server did not say which images were {verb}: {answer!r:.200}.")


def page_of(answer: Any) -> tuple[list[IvkImage], int]:
    """A page of image records, and how many there are in all."""
    data = as_mapping(answer)
    items: Any = data.get("items")
    total = data.get("total")
    if not isinstance(items, list) or not isinstance(total, int):
        raise NotInvokeAIError(None, answer, f"The server did not answer with a page: {answer!r:.200}.")
    return records(items), total  # pyright: ignore[reportUnknownArgumentType]


def records(items: Iterable[Any]) -> list[IvkImage]:
    """Image records."""
    return [IvkImage.from_api_response(item) for item in items]


def category_words(
    categories: Iterable[ImageCategory | str] | ImageCategory | str | None,
) -> list[str] | None:
    """Categories as the server spells them."""
    if categories is None:
        return None
    if isinstance(categories, str):
        categories = [categories]
    return [category_word(category) for category in categories]


def category_word(category: ImageCategory | str) -> str:
    """A category as the server spells it.

    Raises:
        UsageError: The server has no such category.
    """
    known = ImageCategory.parse(category)
    if not isinstance(known, ImageCategory):
        words = ", ".join(member.value for member in ImageCategory)
        raise UsageError(f"{category!r} is not an image category; there are {words}.")
    return known.value


def name_list(images: ImageNames) -> list[str]:
    """The names of one image or several as a list, each once.

    Raises:
        UsageError: Something else than names and records.
    """
    several = [images] if isinstance(images, str | IvkImage) else images
    return list(dict.fromkeys(_name(image) for image in several))


def _name(image: str | IvkImage) -> str:
    if isinstance(image, IvkImage):
        return image.image_name
    if not isinstance(image, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(
            f"An image should be given by its name or its record, not as {type(image).__name__}."
        )
    return image
