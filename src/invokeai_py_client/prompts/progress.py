"""Progress of a language model that writes a prompt."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

_PROGRESS = "llm_task_progress"


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """How far a language model on the server is (InvokeAI 6.14+).

    Attributes:
        phase: ``"loading_model"`` or ``"generating"``.
        message: The server's words for it.
        fraction: The part of the largest number of tokens that was written, from 0 to 1. None while the model loads.
        tokens: The number of tokens written, or None while the model loads.
        max_tokens: The largest number of tokens, or None while the model loads.
        raw: The server's event.
    """

    phase: str
    message: str = ""
    fraction: float | None = None
    tokens: int | None = None
    max_tokens: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


class TaskEvents:
    """The events of one task, collected until they are processed.

    Args:
        task_id: The id of the task, which the client chose.
    """

    def __init__(self, task_id: str) -> None:
        self._task_id = task_id
        self._arrived: deque[PromptProgress] = deque()
        self._last: PromptProgress | None = None

    def listen(self, name: str, payload: Any) -> bool:
        """Process an event. Return whether it reports new progress of the task."""
        if name != _PROGRESS or not isinstance(payload, Mapping):
            return False
        event = cast("Mapping[str, Any]", payload)
        if event.get("task_id") != self._task_id:
            return False
        progress = PromptProgress(
            phase=str(event.get("phase") or ""),
            message=str(event.get("message") or ""),
            fraction=_number(event.get("percentage")),
            tokens=_count(event.get("current_tokens")),
            max_tokens=_count(event.get("total_tokens")),
            raw=event,
        )
        if progress == self._last:  # administrators receive each event twice (6.14.2)
            return False
        self._last = progress
        self._arrived.append(progress)
        return True

    def take(self) -> list[PromptProgress]:
        """Return the progress that arrived since the last call, oldest first."""
        found = list(self._arrived)
        self._arrived.clear()
        return found


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
