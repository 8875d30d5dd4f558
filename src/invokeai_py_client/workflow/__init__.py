"""Workflows: from the file to the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invokeai_py_client._sync.workflow_handle import WorkflowHandle
    from invokeai_py_client._sync.workflow_repository import WorkflowRepository
    from invokeai_py_client.workflow.definition import WorkflowDefinition

__all__ = ["WorkflowDefinition", "WorkflowHandle", "WorkflowRepository"]

_WHERE = {
    "WorkflowDefinition": "invokeai_py_client.workflow.definition",
    "WorkflowHandle": "invokeai_py_client._sync.workflow_handle",
    "WorkflowRepository": "invokeai_py_client._sync.workflow_repository",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
