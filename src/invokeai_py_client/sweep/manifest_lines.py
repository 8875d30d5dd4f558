"""The lines of a manifest. Their values are checked, because files can be damaged by editors, disks and crashes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeGuard, cast

from invokeai_py_client._text import clip
from invokeai_py_client.errors import UsageError
from invokeai_py_client.transport.json_shape import Shape, shape_error

_CAUTION = (
    "Restore the file from a backup, or correct the line. Keep the file: it records the runs that were sent, "
    "and a new sweep would send them again."
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a manifest.

    Attributes:
        path: The manifest.
        number: The number of the line. The first line has number 1.
        data: The JSON object on the line.
    """

    path: Path
    number: int
    data: Mapping[str, Any]

    @property
    def kind(self) -> Any:
        """The kind of the line, such as ``run``."""
        return self.data.get("kind")

    def check(self, shape: Shape) -> None:
        """Check the shape of the line.

        Raises:
            UsageError: A value is missing or has the wrong type.
        """
        wrong = shape_error(self.data, shape)
        if wrong is not None:
            self.fail(f"it {wrong}")

    def number_of(self, key: str, end: int) -> int:
        """Return a whole number from 0 to ``end - 1``.

        Raises:
            UsageError: The value is another one.
        """
        value: Any = self.data.get(key)
        if not is_whole(value) or value >= end:
            self.fail(f"{key!r} is {clip(repr(value), 40)}; expected a whole number from 0 to {end - 1}")
        return value

    def numbers_of(self, key: str, most: int) -> list[int]:
        """Return different whole numbers from a list of numbers and of pairs of the first and the last number.

        Args:
            key: The key of the list.
            most: The largest possible count of numbers.

        Raises:
            UsageError: The value is not such a list, or has more numbers.
        """
        value: Any = self.data.get(key)
        found: list[int] = []
        for stretch in cast("list[Any]", value) if isinstance(value, list) else [None]:
            pair = cast("list[Any]", stretch) if isinstance(stretch, list) else [stretch, stretch]
            first, last = pair if len(pair) == 2 else (None, None)
            if not is_whole(first) or not is_whole(last) or not 0 <= last - first < most:
                self.fail(f"{key!r} is not a list of numbers such as [1, [3, 5]]")
            found.extend(range(first, last + 1))
            if len(found) > most:
                self.fail(f"{key!r} has more than {most} numbers")
        if len(set(found)) < len(found):
            self.fail(f"{key!r} has a number twice")
        return found

    def fail(self, problem: str) -> NoReturn:
        """Raise the error for a damaged line.

        Args:
            problem: The problem, as the end of a sentence, such as "'rows' is not a list".

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"The manifest {self.path} is damaged in line {self.number}: {problem}. {_CAUTION}")


def is_whole(value: Any) -> TypeGuard[int]:
    """Return whether a JSON value is a whole number of at least 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_time(value: Any) -> bool:
    """Return whether a JSON value is a finite number of at least 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def is_complete(text: bytes) -> bool:
    """Return whether a last line without a line break is complete, and not the part that a crash left."""
    return _parsed(text) is not None


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a manifest. An incomplete last line, which a crash leaves behind, is omitted.

    Raises:
        UsageError: The file cannot be read, or a line is not a JSON object.
    """
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                data = _parsed(text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text)
                if data is not None:
                    yield Line(path, number, data)
                elif number == 1 and text.endswith(b"\n"):
                    raise not_a_manifest(path)
                elif text.endswith(b"\n") and text.strip():
                    Line(path, number, {}).fail("it is not a JSON object")
    except OSError as error:
        raise UsageError(f"Cannot read the manifest {path}: {error.strerror or error}.") from None


def not_a_manifest(path: Path) -> UsageError:
    """Return the error for a file that is not a manifest."""
    return UsageError(
        f"{path} is not the manifest of a sweep: line 1 is not its header. Pass the file that the sweep wrote."
    )


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):  # ValueError includes bytes that are not UTF-8
        return None
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None
