"""Where version 1 had the queue's records."""

from __future__ import annotations

from invokeai_py_client.models.enums import JobStatus as QueueItemStatus
from invokeai_py_client.models.job import IvkJob as QueueItem
from invokeai_py_client.models.queue import (
    CancelAllExceptCurrentResult,
    ClearResult,
    ProcessorStatus,
    PruneResult,
    QueueStatus,
)
from invokeai_py_client.models.queue import (
    QueueStatus as QueueAndProcessorStatus,
)

__all__ = [
    "CancelAllExceptCurrentResult",
    "ClearResult",
    "ProcessorStatus",
    "PruneResult",
    "QueueAndProcessorStatus",
    "QueueItem",
    "QueueItemStatus",
    "QueueStatus",
]
