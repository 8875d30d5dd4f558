"""Methods of the workflow repository that only version 1's scripts use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from invokeai_py_client._base import face
from invokeai_py_client._paths import user_path

if TYPE_CHECKING:
    import os

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.library import WorkflowRef
    from invokeai_py_client.models.workflow import IvkWorkflowRecord
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle


class _WorkflowRepository(Protocol):
    """The members of the workflow repository that these methods use."""

    connection: Connection

    async def create_workflow(
        self, definition: os.PathLike[str] | Mapping[str, Any], /
    ) -> AsyncWorkflowHandle: ...

    async def list_workflows(self) -> list[IvkWorkflowRecord]: ...

    async def find_workflow(self, name_or_id: WorkflowRef) -> WorkflowDefinition | None: ...


class _WorkflowHandle(Protocol):
    """The members of the workflow handle that these methods use."""

    async def enqueue_request(self, *, validate: bool, auto_board: str | None) -> dict[str, Any]: ...


class V1WorkflowHandleMethods:
    """A base class of the workflow handle: the graph that a submission sends."""

    @face(sync_name="_convert_to_api_format")
    async def convert_to_api_format(self: _WorkflowHandle, board_id: str | None = None) -> dict[str, Any]:
        """Return the graph that a submission would send. Prefer ``enqueue_request()``, which returns all of it.

        Args:
            board_id: The board (id or name) for board fields set to "auto". Defaults to uncategorized.
        """
        request = await self.enqueue_request(validate=False, auto_board=board_id)
        return request["batch"]["graph"]


class V1WorkflowMethods:
    """A base class of the workflow repository: handles from files and dicts, and older names for the library."""

    async def create_workflow_from_file(
        self: _WorkflowRepository, filepath: str | os.PathLike[str]
    ) -> AsyncWorkflowHandle:
        """Return a handle for a workflow file, as ``create_workflow()`` does.

        Raises:
            WorkflowFormatError: The file does not exist or does not contain a workflow.
        """
        return await self.create_workflow(user_path(filepath))

    async def create_workflow_from_dict(
        self: _WorkflowRepository, data: Mapping[str, Any]
    ) -> AsyncWorkflowHandle:
        """Return a handle for a workflow document, as ``create_workflow()`` does.

        Raises:
            WorkflowFormatError: The document is not a workflow.
        """
        return await self.create_workflow(data)

    async def list_available_workflows(self: _WorkflowRepository) -> list[IvkWorkflowRecord]:
        """List the workflows in the server's library, as ``list_workflows()`` does."""
        return await self.list_workflows()

    async def download_workflow(
        self: _WorkflowRepository, workflow_id: WorkflowRef
    ) -> WorkflowDefinition | None:
        """Return a workflow from the server's library, or None if it is not there."""
        return await self.find_workflow(workflow_id)
