"""Going through the server's list of images: which page comes next, and which of its images are wanted. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from invokeai_py_client.errors import UsageError
from invokeai_py_client.image.responses import MOST_NAMES
from invokeai_py_client.models import IvkImage


class Listing:
    """One way through the list.

    The server has no filter for stars and times. So starred ones are asked for first, newer ones too, and the listing
    ends where they end.

    Attributes:
        params: The query of the page that comes next; None at the end.
    """

    def __init__(
        self,
        filters: Mapping[str, Any],
        *,
        starred: bool | None = None,
        since: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> None:
        """Say what to list; the arguments are those of ``list_images()``.

        Raises:
            UsageError: A negative offset or limit, an unknown order, or a time that is none.
        """
        if offset < 0 or (limit is not None and limit < 0):
            raise UsageError(f"offset and limit should not be negative (they are {offset} and {limit}).")
        if order_dir not in ("ASC", "DESC"):
            raise UsageError(f"order_dir should be 'ASC' or 'DESC', not {order_dir!r}.")
        self._starred = starred
        self._since = None if since is None else moment_of(since)
        self._limit = limit
        # The oldest since a time: the server gives them from the newest on, so they are turned round at the end.
        self._turned: list[IvkImage] | None = [] if self._since is not None and order_dir == "ASC" else None
        self._starred_first = starred_first
        self._filters = dict(filters) | {
            "order_dir": "DESC" if self._turned is not None else order_dir,
            "starred_first": starred is True or (starred is None and starred_first),
        }
        sifted = starred is not None or since is not None
        self._offset = 0 if sifted else offset
        self._skip = offset if sifted else 0
        self._total: int | None = None
        self._seen: set[str] = set()  # images made meanwhile push others to the next page
        self._given = 0
        self.params: dict[str, Any] | None = None
        if limit != 0:
            self._next()

    def take(self, page: Sequence[IvkImage], total: int) -> list[IvkImage]:
        """Take the page that was asked for, and give the images in it that are wanted."""
        if self._total is not None and total < self._total:
            # Images went away: those that come next have moved towards the beginning, as far as that at most.
            self._offset = max(0, self._offset - (self._total - total))
            self._total = total
            self._next()
            return []
        self._total = total
        self._offset += len(page)
        over = not page or self._offset >= total
        wanted: list[IvkImage] = []
        for image in page:
            if image.image_name in self._seen:
                continue
            self._seen.add(image.image_name)
            older, other = self._is_older(image), self._starred not in (None, image.starred)
            if (other and self._starred) or (older and (self._starred or not self._is_up_front(image))):
                over = True
                break
            if not older and not other:
                wanted.append(image)
        if self._turned is not None:
            self._turned += wanted
            wanted = self._turned_round() if over else []
        chosen = self._cut(wanted)
        if over or self._given == self._limit:
            self.params = None
        else:
            self._next()
        return chosen

    def _next(self) -> None:
        size = MOST_NAMES
        if self._limit is not None and self._starred is not False and self._turned is None:
            size = min(size, self._skip + self._limit - self._given)
        self.params = {**self._filters, "offset": self._offset, "limit": size}

    def _cut(self, wanted: list[IvkImage]) -> list[IvkImage]:
        """What is left of images by offset and limit."""
        passed = min(self._skip, len(wanted))
        self._skip -= passed
        chosen = wanted[passed:]
        if self._limit is not None:
            chosen = chosen[: self._limit - self._given]
        self._given += len(chosen)
        return chosen

    def _turned_round(self) -> list[IvkImage]:
        turned = (self._turned or [])[::-1]
        return sorted(turned, key=lambda image: not image.starred) if self._starred_first else turned

    def _is_up_front(self, image: IvkImage) -> bool:
        """Whether it comes before newer ones."""
        return bool(self._filters["starred_first"]) and image.starred

    def _is_older(self, image: IvkImage) -> bool:
        made = image.created_at
        return self._since is not None and isinstance(made, datetime) and _aware(made) < self._since


def moment_of(time: datetime | str) -> datetime:
    """A point in time, with its zone; without one it is meant in this machine's.

    Raises:
        UsageError: It is none.
    """
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            raise UsageError(
                f"{time!r} is no time; write it like '2026-01-31 12:00' or '2026-01-31T12:00:00+01:00'."
            ) from None
    if not isinstance(time, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"since should be a datetime or a text, not {type(time).__name__}.")
    return _aware(time)


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.astimezone()
