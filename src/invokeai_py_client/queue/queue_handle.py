"""Where version 1 had one queue."""

from __future__ import annotations

from invokeai_py_client._sync import QueueHandle

__all__ = ["QueueHandle"]
