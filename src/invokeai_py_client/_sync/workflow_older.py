"""What version 1's repository of workflows had besides, by its names."""

# Written by tools/generate_sync.py from src/invokeai_py_client/workflow/older.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.workflow.older import AsyncOlderWorkflowRepository

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from invokeai_py_client._sync.workflow_handle import WorkflowHandle
    from invokeai_py_client.workflow.definition import WorkflowDefinition


class OlderWorkflowRepository(Face[AsyncOlderWorkflowRepository]):
    """Handles from files and dicts, and the server's library."""

    def create_workflow_from_file(self, filepath: str | os.PathLike[str]) -> WorkflowHandle:
        """The same as ``create_workflow()`` of a path.

        Raises:
            WorkflowFormatError: There is no such file, or it holds no workflow.
        """
        return wrap(self._call(self._impl.create_workflow_from_file(filepath)))

    def create_workflow_from_dict(self, data: Mapping[str, Any]) -> WorkflowHandle:
        """The same as ``create_workflow()`` of a dict.

        Raises:
            WorkflowFormatError: It is not a workflow.
        """
        return wrap(self._call(self._impl.create_workflow_from_dict(data)))

    def list_available_workflows(self) -> list[dict[str, Any]]:
        """The same as ``list_workflows()``: those in the server's library."""
        return self._call(self._impl.list_available_workflows())

    def download_workflow(self, workflow_id: str) -> WorkflowDefinition | None:
        """A workflow of the server's library; None where it has no such workflow."""
        return self._call(self._impl.download_workflow(workflow_id))

    def upload_workflow(self, definition: WorkflowDefinition, overwrite: bool = False) -> str:
        """Put a workflow into the server's library, as one of the user's own.

        Args:
            definition: The workflow.
            overwrite: Whether to replace the one with its id, if the library has it; otherwise it becomes another
                one with an id of its own.

        Returns:
            Its id there.
        """
        return self._call(self._impl.upload_workflow(definition, overwrite))

    def delete_workflow(self, workflow_id: str) -> bool:
        """Take a workflow out of the server's library. Those that come with the server stay.

        Returns:
            Whether there was such a workflow.
        """
        return self._call(self._impl.delete_workflow(workflow_id))
