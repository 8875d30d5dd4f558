"""Progress of a language model that writes a prompt."""

from __future__ import annotations

from collections import deque
from typing import Any

from invokeai_py_client.events.kinds import LLMTaskProgress
from invokeai_py_client.events.parse import parse_any


class TaskEvents:
    """The events of one task, collected until they are processed.

    Args:
        task_id: The id of the task, which the client chose.
    """

    def __init__(self, task_id: str) -> None:
        self._task_id = task_id
        self._arrived: deque[LLMTaskProgress] = deque()
        self._last: tuple[Any, ...] = ()

    def listen(self, name: str, payload: Any) -> bool:
        """Process an event. Return whether it reports new progress of the task."""
        if name != LLMTaskProgress.event_type:
            return False
        event = parse_any(name, payload)
        if not isinstance(event, LLMTaskProgress) or event.task_id != self._task_id:
            return False
        state = (event.phase, event.percentage, event.current_tokens)
        if state == self._last:  # administrators receive each event twice (6.14.2)
            return False
        self._last = state
        self._arrived.append(event)
        return True

    def take(self) -> list[LLMTaskProgress]:
        """Return the progress that arrived since the last call, oldest first."""
        found = list(self._arrived)
        self._arrived.clear()
        return found
