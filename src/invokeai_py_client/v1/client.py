"""Names of the client that version 1's scripts use: the repositories, and shortcuts into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from invokeai_py_client._base import face
from invokeai_py_client.transport.payload import id_number

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from invokeai_py_client.board.repository import AsyncBoardRepository
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.lookup import ModelRef
    from invokeai_py_client.models import IvkDnnModel, IvkJob, JobStatus
    from invokeai_py_client.queue.repository import AsyncQueueRepository
    from invokeai_py_client.transport.responses import Response
    from invokeai_py_client.v1.session import AsyncSession
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle
    from invokeai_py_client.workflow.repository import AsyncWorkflowRepository


class _Client(Protocol):
    """The members of the client that these methods use."""

    connection: Connection

    @property
    def url(self) -> str: ...

    @property
    def workflows(self) -> AsyncWorkflowRepository: ...

    @property
    def images(self) -> AsyncImageRepository: ...

    @property
    def boards(self) -> AsyncBoardRepository: ...

    @property
    def models(self) -> AsyncDnnModelRepository: ...

    @property
    def queue(self) -> AsyncQueueRepository: ...

    async def request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Response: ...


class V1ClientMethods:
    """A base class of the client: version 1's names of the repositories, and shortcuts into them."""

    @property
    def workflow_repo(self: _Client) -> AsyncWorkflowRepository:
        """The same object as ``client.workflows``."""
        return self.workflows

    @property
    def image_repo(self: _Client) -> AsyncImageRepository:
        """The same object as ``client.images``."""
        return self.images

    @property
    def board_repo(self: _Client) -> AsyncBoardRepository:
        """The same object as ``client.boards``."""
        return self.boards

    @property
    def dnn_model_repo(self: _Client) -> AsyncDnnModelRepository:
        """The same object as ``client.models``."""
        return self.models

    @property
    def queue_repo(self: _Client) -> AsyncQueueRepository:
        """The same object as ``client.queue``."""
        return self.queue

    @property
    def base_url(self: _Client) -> str:
        """The base URL of the server's API, which ``request()`` prepends to its paths."""
        return f"{self.url}/api/v1"

    @property
    def session(self: _Client) -> AsyncSession:
        """The HTTP session for requests to full URLs of the server. Prefer ``request()``."""
        from invokeai_py_client.v1.session import AsyncSession

        return self.connection.part(AsyncSession)

    # ------------------------------------------------------------------ shortcuts

    async def create_workflow(
        self: _Client, definition: WorkflowDefinition | str | os.PathLike[str] | Mapping[str, Any]
    ) -> AsyncWorkflowHandle:
        """Return a handle, as ``client.workflow(definition)`` does."""
        return await self.workflows.create_workflow(definition)

    async def list_jobs(
        self: _Client, status: JobStatus | str | None = None, limit: int = 100
    ) -> list[IvkJob]:
        """Return queue items without their outputs, newest first.

        Args:
            status: Return only items with this status. Defaults to all.
            limit: The largest number of items. Defaults to 100.
        """
        jobs = await self.queue.items(status=status)
        return jobs[::-1][: max(limit, 0)]

    async def cancel_job(self: _Client, job_id: str | int) -> bool:
        """Cancel a queue item.

        Returns:
            Whether the item is canceled now. False if it had already finished.

        Raises:
            NotFoundError: The item is not in the queue.
            UsageError: The id is not a whole number.
        """
        job = await self.queue.cancel(id_number(job_id, "queue item"))
        return job.status == "cancelled"

    async def list_models(self: _Client, base_model: str | None = None) -> list[IvkDnnModel]:
        """Return the records of all models.

        Args:
            base_model: Return only models of this architecture. Defaults to all.
        """
        return await self.models.list_models(base=base_model)

    async def get_model_info(self: _Client, model_key: ModelRef) -> IvkDnnModel:
        """Return a model's record, as ``client.models.get_model(model_key)`` does.

        Raises:
            ModelNotFoundError: The model is not on the server, or several models have this name.
        """
        return await self.models.get_model(model_key)

    @face(sync_name="_make_request")
    async def make_request(
        self: _Client,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a request, as ``request()`` does."""
        return await self.request(method, endpoint, params=params, json=json, timeout=timeout)
