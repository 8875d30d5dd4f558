"""Where version 1 had the repository of boards."""

from __future__ import annotations

from invokeai_py_client._sync import BoardRepository

__all__ = ["BoardRepository"]
