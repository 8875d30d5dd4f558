"""Methods of the workflow repository that only version 1's scripts use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from invokeai_py_client._base import face
from invokeai_py_client._paths import user_path
from invokeai_py_client.api.workflows import AsyncWorkflowsApi
from invokeai_py_client.errors import NotFoundError, UsageError
from invokeai_py_client.lookup import WORKFLOWS, fetch_workflow

if TYPE_CHECKING:
    import os

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.lookup import WorkflowRef
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle


class _WorkflowRepository(Protocol):
    """The members of the workflow repository that these methods use."""

    connection: Connection

    async def create_workflow(
        self, definition: os.PathLike[str] | Mapping[str, Any], /
    ) -> AsyncWorkflowHandle: ...

    async def list_workflows(self) -> list[dict[str, Any]]: ...

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
    """A base class of the workflow repository: handles from files and dicts, and the server's library."""

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

    async def list_available_workflows(self: _WorkflowRepository) -> list[dict[str, Any]]:
        """List the workflows in the server's library, as ``list_workflows()`` does."""
        return await self.list_workflows()

    async def download_workflow(
        self: _WorkflowRepository, workflow_id: WorkflowRef
    ) -> WorkflowDefinition | None:
        """Return a workflow from the server's library, or None if it is not there."""
        return await self.find_workflow(workflow_id)

    async def upload_workflow(
        self: _WorkflowRepository, definition: WorkflowDefinition, overwrite: bool = False
    ) -> str:
        """Save a workflow in the server's library, as one of the user's workflows.

        Args:
            definition: The workflow.
            overwrite: Whether to replace the library workflow with the same id, if it exists. Defaults to False, so
                that the workflow gets a new id.

        Returns:
            The workflow's id in the library.
        """
        document = definition.to_dict()
        # The server rejects the default workflows of InvokeAI with status 500 (6.14.2), so change the category.
        if isinstance(meta := document.get("meta"), dict):
            document["meta"] = {**meta, "category": "user"}
        api = self.connection.part(AsyncWorkflowsApi)
        if overwrite and definition.id is not None:
            try:
                await api.get_workflow(definition.id)
                await api.update_workflow(definition.id, workflow=document)
            except NotFoundError:
                pass  # the workflow is not in the library
            else:
                return definition.id
        document.pop("id", None)
        record = await api.create_workflow(workflow=document, expect={"workflow_id": str})
        return record["workflow_id"]

    async def delete_workflow(self: _WorkflowRepository, workflow_id: WorkflowRef) -> bool:
        """Delete a workflow from the server's library. Default workflows cannot be deleted.

        Args:
            workflow_id: A record of ``list_workflows()``, an id, or a name.

        Returns:
            Whether the workflow existed.

        Raises:
            UsageError: The workflow is a default workflow, or several workflows have this name.
        """

        async def delete(workflow_id: str) -> None:
            record = await fetch_workflow(self.connection, workflow_id)
            meta: Any = record["workflow"].get("meta")
            if isinstance(meta, Mapping) and cast("Mapping[str, Any]", meta).get("category") == "default":
                raise UsageError(
                    f"Cannot delete workflow {record.get('name')!r}: it is a default workflow of the server."
                )
            await self.connection.part(AsyncWorkflowsApi).delete_workflow(workflow_id)

        return await WORKFLOWS.call_if_found(self.connection, workflow_id, delete)
