"""Where version 1 had the handle of a workflow."""

from __future__ import annotations

from invokeai_py_client._sync import WorkflowHandle
from invokeai_py_client.engine.inputs import WorkflowInput as IvkWorkflowInput
from invokeai_py_client.workflow.outputs import OutputMapping
from invokeai_py_client.workflow.outputs import WorkflowOutput as IvkWorkflowOutput
from invokeai_py_client.workflow.submission import WorkflowSubmission

__all__ = ["IvkWorkflowInput", "IvkWorkflowOutput", "OutputMapping", "WorkflowHandle", "WorkflowSubmission"]
