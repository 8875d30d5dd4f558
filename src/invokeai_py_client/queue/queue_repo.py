"""Where version 1 had the repository of queues."""

from __future__ import annotations

from invokeai_py_client._sync import QueueRepository

__all__ = ["QueueRepository"]
