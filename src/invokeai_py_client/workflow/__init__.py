"""Workflows: from the file to the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _WHERE, base="invokeai_py_client")
