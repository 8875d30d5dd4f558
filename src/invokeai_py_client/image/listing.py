"""Pagination of the image list: which page to request next and which of its images to keep. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from invokeai_py_client.errors import UsageError
from invokeai_py_client.image.responses import MOST_NAMES
from invokeai_py_client.models import IvkImage

if TYPE_CHECKING:
    from invokeai_py_client.models import IvkGalleryDay

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Listing:
    """One iteration over the image list.

    The server cannot filter by star or time. The listing requests starred images first, and newer images first, and
    stops at the first image that does not match.

    Attributes:
        params: Query parameters of the next page, or None at the end.
    """

    def __init__(
        self,
        filters: Mapping[str, Any],
        *,
        starred: bool | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_dir: Literal["ASC", "DESC"] = "DESC",
        starred_first: bool = False,
    ) -> None:
        """Start a listing. The arguments are those of ``list_images()``.

        Raises:
            UsageError: The offset or limit is negative, the order is unknown, or the time is not valid.
        """
        check_page(offset, limit, order_dir)
        self._starred = starred
        self._since = None if since is None else moment_of(since)
        self._until = None if until is None else moment_of(until, end=True)
        self._limit = limit
        # For "oldest first since a time", images are requested newest first and reversed at the end.
        self._reversed: list[IvkImage] | None = [] if self._since is not None and order_dir == "ASC" else None
        self._starred_first = starred_first
        self._filters = dict(filters) | {
            "order_dir": "DESC" if self._reversed is not None else order_dir,
            "starred_first": starred is True or (starred is None and starred_first),
        }
        filtered_here = starred is not None or since is not None or until is not None
        self._offset = 0 if filtered_here else offset
        self._skip = offset if filtered_here else 0
        self._total: int | None = None
        self._seen: set[str] = set()  # images created in the meantime push others to the next page
        self._returned = 0
        self.params: dict[str, Any] | None = None
        if limit != 0:
            self._next()

    def take(self, page: Sequence[IvkImage], total: int) -> list[IvkImage]:
        """Process the requested page and return the images in it that match."""
        if self._total is not None and total < self._total:
            # Images were deleted, so the next ones may have moved toward the beginning by at most that many places.
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
            if not older and not other and not self._is_newer(image):
                wanted.append(image)
        if self._reversed is not None:
            self._reversed += wanted
            wanted = self._oldest_first() if over else []
        chosen = self._cut(wanted)
        if over or self._returned == self._limit:
            self.params = None
        else:
            self._next()
        return chosen

    def _next(self) -> None:
        size = MOST_NAMES
        exact = self._starred is not False and self._until is None and self._reversed is None
        if self._limit is not None and exact:
            size = min(size, self._skip + self._limit - self._returned)
        self.params = {**self._filters, "offset": self._offset, "limit": size}

    def _cut(self, wanted: list[IvkImage]) -> list[IvkImage]:
        """Apply the offset and limit to images."""
        passed = min(self._skip, len(wanted))
        self._skip -= passed
        chosen = wanted[passed:]
        if self._limit is not None:
            chosen = chosen[: self._limit - self._returned]
        self._returned += len(chosen)
        return chosen

    def _oldest_first(self) -> list[IvkImage]:
        images = (self._reversed or [])[::-1]
        return sorted(images, key=lambda image: not image.starred) if self._starred_first else images

    def _is_up_front(self, image: IvkImage) -> bool:
        """Whether an image is listed before newer images."""
        return bool(self._filters["starred_first"]) and image.starred

    def _is_older(self, image: IvkImage) -> bool:
        made = image.created_at
        return self._since is not None and isinstance(made, datetime) and _aware(made) < self._since

    def _is_newer(self, image: IvkImage) -> bool:
        made = image.created_at
        return self._until is not None and isinstance(made, datetime) and _aware(made) > self._until


def check_page(offset: int, limit: int | None, order_dir: str) -> None:
    """Check the arguments that every listing has.

    Raises:
        UsageError: The offset or limit is negative, or the order is unknown.
    """
    for name, value in (("offset", offset), ("limit", limit)):
        if value is not None and value < 0:
            raise UsageError(f"Invalid {name} {value}: expected 0 or more.")
    if order_dir not in ("ASC", "DESC"):
        raise UsageError(f"Invalid order_dir {order_dir!r}: expected 'ASC' or 'DESC'.")


def day_text(day: date | str | IvkGalleryDay) -> str:
    """Return a day as servers write it, such as ``2026-01-31``.

    Raises:
        UsageError: The day is not valid.
    """
    given = getattr(
        day, "date", day
    )  # a record of client.gallery.days() has a text there, a datetime has a method
    if callable(given):
        given = given()
    if isinstance(given, date):
        return given.isoformat()
    try:
        return date.fromisoformat(str(given).strip()).isoformat()
    except ValueError:
        raise UsageError(f"Invalid day {day!r}: expected a date, or a text such as '2026-01-31'.") from None


def moment_of(time: datetime | str, *, end: bool = False) -> datetime:
    """Return a point in time with a time zone. Defaults to the local time zone if none is specified.

    Args:
        time: A ``datetime``; a date or time such as ``2026-01-31 12:00``; ``now``, ``today`` or ``yesterday``; or a
            duration before now in minutes, hours, days or weeks: ``30m``, ``12h``, ``7d``, ``2w``.
        end: Whether a date without a time means the end of the day. Defaults to False, its beginning.

    Raises:
        UsageError: The time is not valid.
    """
    if isinstance(time, str):
        time = _parsed(time.strip(), end)
    if not isinstance(time, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"Invalid time of type {type(time).__name__}: expected a datetime or a string.")
    return _aware(time)


def _parsed(text: str, end: bool) -> datetime:
    now = datetime.now().astimezone()
    word = text.casefold()
    if word == "now":
        return now
    if word in ("today", "yesterday"):
        text = (now - timedelta(days=word == "yesterday")).date().isoformat()
    ago = re.fullmatch(r"(\d{1,6}) ?(m|h|d|w)", word, re.ASCII)
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
        whole_day = end and re.fullmatch(r"[\d-]+", text, re.ASCII) is not None
        return moment + timedelta(days=1, microseconds=-1) if whole_day else moment
    except (ValueError, OverflowError):
        raise UsageError(
            f"Invalid time {text!r}: expected a date or time such as '2026-01-31', '2026-01-31 12:00' or "
            "'2026-01-31T12:00:00+01:00', 'today' or 'yesterday', or a duration before now such as '12h' or '7d'."
        ) from None


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.astimezone()
