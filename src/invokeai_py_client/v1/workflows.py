"""What version 1's repository of workflows had besides, by its names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from invokeai_py_client.errors import NotFoundError, UsageError, WorkflowNotFoundError
from invokeai_py_client.routes import path_part

if TYPE_CHECKING:
    import os

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

_ROUTE = "/api/v1/workflows"


class _Workflows(Protocol):
    """What these methods need of the workflow repository."""

    connection: Connection

    async def create_workflow(
        self, definition: os.PathLike[str] | Mapping[str, Any], /
    ) -> AsyncWorkflowHandle: ...

    async def list_workflows(self) -> list[dict[str, Any]]: ...

    async def get_workflow(self, name_or_id: str) -> WorkflowDefinition: ...


class OlderWorkflows:
    """Handles from files and dicts, and the server's library."""

    async def create_workflow_from_file(
        self: _Workflows, filepath: str | os.PathLike[str]
    ) -> AsyncWorkflowHandle:
        """The same as ``create_workflow()`` of a path.

        Raises:
            WorkflowFormatError: There is no such file, or it holds no workflow.
        """
        return await self.create_workflow(Path(filepath))

    async def create_workflow_from_dict(self: _Workflows, data: Mapping[str, Any]) -> AsyncWorkflowHandle:
        """The same as ``create_workflow()`` of a dict.

        Raises:
            WorkflowFormatError: It is not a workflow.
        """
        return await self.create_workflow(data)

    async def list_available_workflows(self: _Workflows) -> list[dict[str, Any]]:
        """The same as ``list_workflows()``: those in the server's library."""
        return await self.list_workflows()

    async def download_workflow(self: _Workflows, workflow_id: str) -> WorkflowDefinition | None:
        """A workflow of the server's library; None where it has no such workflow."""
        try:
            return await self.get_workflow(workflow_id)
        except WorkflowNotFoundError:
            return None

    async def upload_workflow(
        self: _Workflows, definition: WorkflowDefinition, overwrite: bool = False
    ) -> str:
        """Put a workflow into the server's library, as one of the user's own.

        Args:
            definition: The workflow.
            overwrite: Whether to replace the one with its id, if the library has it; otherwise it becomes another
                one with an id of its own.

        Returns:
            Its id there.
        """
        document = definition.to_dict()
        # The server refuses those of InvokeAI's own, which one may have fetched, with a 500 (6.14.2).
        if isinstance(meta := document.get("meta"), dict):
            document["meta"] = {**meta, "category": "user"}
        http = self.connection.http
        if overwrite and definition.id is not None:
            try:
                path = f"{_ROUTE}/i/{path_part(definition.id, 'a workflow')}"
                await http.json("GET", path)
                await http.json("PATCH", path, json={"workflow": document}, idempotent=True)
            except NotFoundError:
                pass  # it is not there yet, or not any more
            else:
                return definition.id
        document.pop("id", None)
        record = await http.json(
            "POST", f"{_ROUTE}/", json={"workflow": document}, expect={"workflow_id": str}, idempotent=False
        )
        return record["workflow_id"]

    async def delete_workflow(self: _Workflows, workflow_id: str) -> bool:
        """Take a workflow out of the server's library. Those that come with the server stay.

        Returns:
            Whether there was such a workflow.
        """
        http = self.connection.http
        path = f"{_ROUTE}/i/{path_part(workflow_id, 'a workflow')}"
        try:
            record = await http.json("GET", path, expect={"workflow": dict})
        except NotFoundError:
            return False
        meta: Any = record["workflow"].get("meta")
        if isinstance(meta, Mapping) and cast("Mapping[str, Any]", meta).get("category") == "default":
            raise UsageError(f"The workflow {workflow_id} comes with the server; it cannot be deleted.")
        await http.json("DELETE", path, idempotent=False)
        return True
