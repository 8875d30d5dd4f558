"""Workflows: from the file to the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invokeai_py_client.workflow.workflow_handle import (
        IvkWorkflowInput,
        IvkWorkflowOutput,
        OutputMapping,
        WorkflowHandle,
    )
    from invokeai_py_client.workflow.workflow_model import WorkflowDefinition
    from invokeai_py_client.workflow.workflow_repo import WorkflowRepository

__all__ = [
    "IvkWorkflowInput",
    "IvkWorkflowOutput",
    "OutputMapping",
    "WorkflowDefinition",
    "WorkflowHandle",
    "WorkflowRepository",
]

_WHERE = {
    "IvkWorkflowInput": "workflow.workflow_handle",
    "IvkWorkflowOutput": "workflow.workflow_handle",
    "OutputMapping": "workflow.workflow_handle",
    "WorkflowDefinition": "workflow.workflow_model",
    "WorkflowHandle": "workflow.workflow_handle",
    "WorkflowRepository": "workflow.workflow_repo",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"invokeai_py_client.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
