"""Arguments that choose something. An empty text or list is an error, because it would choose everything or nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from invokeai_py_client.errors import UsageError


def is_blank(value: object) -> bool:
    """Whether a value is a text without characters other than white space."""
    return isinstance(value, str) and not value.strip()


def refuse_empty(**arguments: object) -> None:
    """Check that optional names, ids, texts and filters are not empty.

    Servers omit an empty filter, so a variable that is not set would turn "the images of this board" into "all images".

    Args:
        **arguments: The arguments by name, which default to None. None and values of other types are accepted.

    Raises:
        UsageError: A text is empty, a list is empty, or a list contains an empty text.
    """
    for name, value in arguments.items():
        if _is_empty(value):
            kind = (
                "a text that is not empty"
                if isinstance(value, str)
                else "at least one value, and no empty texts"
            )
            raise UsageError(
                f"{name}: {value!r} is empty; expected {kind}. Omit {name}, or pass None, if you mean no value."
            )


def require(expected: str, **arguments: object) -> None:
    """Check that arguments that must have a value are not empty.

    Args:
        expected: A description of the values to pass, such as "the name of an image".
        **arguments: The arguments by name. Values of other types than texts and lists are accepted.

    Raises:
        UsageError: A text is empty, a list is empty, or a list contains an empty text.
    """
    for name, value in arguments.items():
        if _is_empty(value):
            raise UsageError(f"{name}: {value!r} is empty; expected {expected}.")


def _is_empty(value: object) -> bool:
    """Whether a value is an empty text, or a list without values or with an empty text."""
    if is_blank(value):
        return True
    if not isinstance(value, Collection) or isinstance(value, str | bytes | Mapping):
        return False
    items: Collection[object] = value  # pyright: ignore[reportUnknownVariableType]
    return not items or any(map(is_blank, items))
