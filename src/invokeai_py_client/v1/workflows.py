"""Methods of the workflow repository that only version 1's scripts use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from invokeai_py_client._paths import user_path
from invokeai_py_client.errors import NotFoundError, UsageError, WorkflowNotFoundError
from invokeai_py_client.transport.payload import path_part

if TYPE_CHECKING:
    import os

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

_ROUTE = "/api/v1/workflows"


class _WorkflowRepository(Protocol):
    """The members of the workflow repository that these methods use."""

    connection: Connection

    async def create_workflow(
        self, definition: os.PathLike[str] | Mapping[str, Any], /
    ) -> AsyncWorkflowHandle: ...

    async def list_workflows(self) -> list[dict[str, Any]]: ...

    async def get_workflow(self, name_or_id: str) -> WorkflowDefinition: ...


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

    async def download_workflow(self: _WorkflowRepository, workflow_id: str) -> WorkflowDefinition | None:
        """Return a workflow from the server's library, or None if it is not there."""
        try:
            return await self.get_workflow(workflow_id)
        except WorkflowNotFoundError:
            return None

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
        http = self.connection.http
        if overwrite and definition.id is not None:
            try:
                path = f"{_ROUTE}/i/{path_part(definition.id, 'a workflow')}"
                await http.json("GET", path)
                await http.json("PATCH", path, json={"workflow": document}, idempotent=True)
            except NotFoundError:
                pass  # the workflow is not in the library
            else:
                return definition.id
        document.pop("id", None)
        record = await http.json(
            "POST", f"{_ROUTE}/", json={"workflow": document}, expect={"workflow_id": str}, idempotent=False
        )
        return record["workflow_id"]

    async def delete_workflow(self: _WorkflowRepository, workflow_id: str) -> bool:
        """Delete a workflow from the server's library. Default workflows cannot be deleted.

        Returns:
            Whether the workflow existed.

        Raises:
            UsageError: The workflow is a default workflow.
        """
        http = self.connection.http
        path = f"{_ROUTE}/i/{path_part(workflow_id, 'a workflow')}"
        try:
            record = await http.json("GET", path, expect={"workflow": dict})
        except NotFoundError:
            return False
        meta: Any = record["workflow"].get("meta")
        if isinstance(meta, Mapping) and cast("Mapping[str, Any]", meta).get("category") == "default":
            raise UsageError(
                f"Cannot delete workflow {workflow_id!r}: it is a default workflow of the server."
            )
        await http.json("DELETE", path, idempotent=False)
        return True
