"""Workflows: made ready to run, and kept in the server's library."""

# Written by tools/generate_sync.py from src/invokeai_py_client/workflow/repository.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face, unwrap, wrap
from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from invokeai_py_client._sync.image_image import Image
    from invokeai_py_client._sync.workflow_handle import WorkflowHandle
    from invokeai_py_client.engine.definition import WorkflowDefinition


class WorkflowRepository(Face[AsyncWorkflowRepository]):
    """Workflows of one server."""

    def create_workflow(
        self, source: WorkflowDefinition | str | os.PathLike[str] | Mapping[str, Any] | Image
    ) -> WorkflowHandle:
        """Make a workflow ready to run on this server.

        Args:
            source: A definition, a file (JSON as the web UI exports it, or a PNG that carries a workflow), a
                dict, JSON text, an image on the server, or the id or name of a workflow in the server's
                library.

        Returns:
            A handle with the workflow's inputs, typed by the server's own schema.

        Raises:
            WorkflowFormatError: It is no workflow.
            WorkflowNotFoundError: Neither a file nor a workflow of the library has that name.
            ServerUnreachableError: Nothing answers at the address, or it is not InvokeAI.
        """
        return wrap(self._call(self._impl.create_workflow(unwrap(source))))

    def get_definition(
        self, source: WorkflowDefinition | str | os.PathLike[str] | Mapping[str, Any] | Image
    ) -> WorkflowDefinition:
        """The workflow that a source holds; see ``create_workflow()`` for what a source can be.

        Raises:
            WorkflowFormatError: It is no workflow.
            WorkflowNotFoundError: Neither a file nor a workflow of the library has that name.
        """
        return self._call(self._impl.get_definition(unwrap(source)))

    def list_workflows(
        self, query: str | None = None, *, categories: Sequence[str] = ("user", "default")
    ) -> list[dict[str, Any]]:
        """The workflows in the server's library, by name.

        Args:
            query: Only those with this text in name, description or tags.
            categories: ``user`` for one's own, ``default`` for those that come with the server.

        Returns:
            One record each, with ``workflow_id``, ``name``, ``description``, ``category`` and more.
        """
        return self._call(self._impl.list_workflows(query, categories=categories))

    def get_workflow(self, name_or_id: str) -> WorkflowDefinition:
        """A workflow of the server's library, by its id or its name.

        Raises:
            WorkflowNotFoundError: There is none, or several have that name.
        """
        return self._call(self._impl.get_workflow(name_or_id))
