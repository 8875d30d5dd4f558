"""Limit the memory for the events of runs that have ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import ref

from invokeai_py_client.run.events import NodeProgress, RunEvent

if TYPE_CHECKING:
    from invokeai_py_client.run.tracker import BatchTracker

_MOST = 4 << 20
_EVENT = 5 << 10  # an event of a text-to-image run takes about 5 kB, plus its preview


class PastEvents:
    """The runs that have ended whose events are kept, oldest first, on one connection.

    If their events take more than about 4 MB, those of the oldest runs are dropped. The latest run keeps its events.
    """

    def __init__(self) -> None:
        self._runs: deque[tuple[ref[BatchTracker], int, int]] = deque()
        self._size = 0

    def add(self, tracker: BatchTracker, item_id: int, events: Iterable[RunEvent]) -> None:
        """Add the events of a run that has just ended."""
        size = sum(map(_size_of, events))
        self._runs.append((ref(tracker), item_id, size))
        self._size += size
        for _ in range(len(self._runs) - 1):
            if self._size <= _MOST:
                return
            oldest = self._runs.popleft()
            known, item, taken = oldest
            owner = known()
            if owner is not None and not owner.drop_events(item):
                self._runs.append(oldest)  # someone is reading them
            else:
                self._size -= taken


def _size_of(event: RunEvent) -> int:
    preview = event.preview if isinstance(event, NodeProgress) else None
    return _EVENT + (0 if preview is None else len(preview.data_url))
