"""Where version 1 had the definition of a workflow."""

from __future__ import annotations

from invokeai_py_client.engine.definition import WorkflowDefinition

__all__ = ["WorkflowDefinition"]
