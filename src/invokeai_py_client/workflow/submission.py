"""What a submission gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkflowSubmission:
    """What was submitted; its attributes can be read as keys, too.

    Attributes:
        batch_id: The batch's id.
        item_ids: The queue items, in the batch's order.
        session_id: The session of the first item.
    """

    batch_id: str
    item_ids: tuple[int, ...]
    session_id: str | None

    def __getitem__(self, key: str) -> Any:
        if key not in self.__slots__:
            raise KeyError(key)
        return getattr(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """An attribute, or ``default`` where there is none of that name."""
        return getattr(self, key) if key in self.__slots__ else default
