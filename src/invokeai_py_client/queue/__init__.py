"""The queue of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import lazy_names

if TYPE_CHECKING:
    from invokeai_py_client.queue.job_handle import JobHandle
    from invokeai_py_client.queue.queue_handle import QueueHandle
    from invokeai_py_client.queue.queue_repo import QueueRepository

__all__ = ["JobHandle", "QueueHandle", "QueueRepository"]

_WHERE = {
    "JobHandle": "queue.job_handle",
    "QueueHandle": "queue.queue_handle",
    "QueueRepository": "queue.queue_repo",
}

__getattr__, __dir__ = lazy_names(__name__, _WHERE, base="invokeai_py_client")
