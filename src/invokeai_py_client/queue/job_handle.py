"""Where version 1 had one queue item."""

from __future__ import annotations

from invokeai_py_client._sync import JobHandle

__all__ = ["JobHandle"]
