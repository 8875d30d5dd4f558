"""Arguments that choose something. An empty text or list is an error, because it would choose everything or nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from invokeai_py_client.errors import UsageError


def is_blank(value: object) -> bool:
    """Whether a value is a text without characters other than white space."""
    return isinstance(value, str) and not value.strip()


def refuse_empty(**arguments: object) -> None:
    """Check that names, ids, texts and filters are not empty.

    Servers omit an empty filter, so a variable that is not set would turn "the images of this board" into "all images".

    Args:
        **arguments: The arguments by name. None and values of other types are accepted.

    Raises:
        UsageError: A text is empty, a list is empty, or a list contains an empty text.
    """
    for name, value in arguments.items():
        if is_blank(value):
            expected = "a text that is not empty"
        elif isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping):
            items: Collection[object] = value  # pyright: ignore[reportUnknownVariableType]
            if items and not any(map(is_blank, items)):
                continue
            expected = "at least one value, and no empty texts"
        else:
            continue
        raise UsageError(
            f"{name}: {value!r} is empty; expected {expected}. Omit {name}, or pass None, if you mean no value."
        )
