"""Where version 1 had the repository of workflows."""

from __future__ import annotations

from invokeai_py_client._sync import WorkflowRepository

__all__ = ["WorkflowRepository"]
