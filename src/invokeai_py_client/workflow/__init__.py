"""Workflows: handles and their repository.

This module exports version 1's names. They are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import old_names

if TYPE_CHECKING:
    from invokeai_py_client._sync import WorkflowHandle, WorkflowRepository
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.engine.inputs import WorkflowInput as IvkWorkflowInput
    from invokeai_py_client.workflow.outputs import OutputMapping
    from invokeai_py_client.workflow.outputs import WorkflowOutput as IvkWorkflowOutput

__all__ = [
    "IvkWorkflowInput",
    "IvkWorkflowOutput",
    "OutputMapping",
    "WorkflowDefinition",
    "WorkflowHandle",
    "WorkflowRepository",
]

__getattr__ = old_names(__name__)


def __dir__() -> list[str]:
    return __all__
