"""What version 1's client had besides its repositories: shortcuts, and requests of one's own."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Any, Protocol

from invokeai_py_client._base import face
from invokeai_py_client._text import clip
from invokeai_py_client.errors import NotFoundError, NotInvokeAIError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.models import IvkDnnModel, IvkJob, JobStatus
    from invokeai_py_client.queue.repository import AsyncQueueRepository
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle
    from invokeai_py_client.workflow.repository import AsyncWorkflowRepository


class Answer:
    """A server's answer to a request of one's own. One that is no success is an error instead.

    Attributes:
        content: Its body.
        content_type: What the server calls it: ``application/json``, ``image/png``...
    """

    status_code = 200
    ok = True

    def __init__(self, content: bytes, content_type: str) -> None:
        self.content = content
        self.content_type = content_type

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON data; None where it is empty.

        Raises:
            NotInvokeAIError: It is not JSON.
        """
        try:
            return json_module.loads(self.content) if self.content else None
        except ValueError:
            raise NotInvokeAIError(
                None, self.text, f"The answer is no JSON: {clip(self.text, 120)!r}."
            ) from None

    def __repr__(self) -> str:
        return f"<Answer: {len(self.content)} bytes of {self.content_type}>"


class _Client(Protocol):
    """What these methods need of the client."""

    @property
    def url(self) -> str: ...

    @property
    def workflow_repo(self) -> AsyncWorkflowRepository: ...

    @property
    def dnn_model_repo(self) -> AsyncDnnModelRepository: ...

    @property
    def queue_repo(self) -> AsyncQueueRepository: ...

    async def request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Answer: ...


class OlderClient:
    """Shortcuts into the repositories."""

    @property
    def base_url(self: _Client) -> str:
        """The root of the server's API: what ``request()`` puts before its paths."""
        return f"{self.url}/api/v1"

    # ------------------------------------------------------------------ shortcuts

    async def create_workflow(
        self: _Client, definition: WorkflowDefinition | str | os.PathLike[str] | Mapping[str, Any]
    ) -> AsyncWorkflowHandle:
        """The same as ``client.workflow_repo.create_workflow(definition)``."""
        return await self.workflow_repo.create_workflow(definition)

    async def list_jobs(
        self: _Client, status: JobStatus | str | None = None, limit: int = 100
    ) -> list[IvkJob]:
        """Items of the queue, the newest first, without their outputs.

        Args:
            status: Only those in this state.
            limit: How many at most.
        """
        jobs = await self.queue_repo.items(status=status)
        return jobs[::-1][: max(limit, 0)]

    async def cancel_job(self: _Client, job_id: str | int) -> bool:
        """Cancel a queue item.

        Returns:
            Whether it is canceled now; False where it had ended before.

        Raises:
            NotFoundError: The queue has no such item.
        """
        if not str(job_id).strip().isdecimal():
            raise UsageError(f"{job_id!r} is not the id of a queue item; those are whole numbers.")
        job = await self.queue_repo.cancel(int(job_id))
        return job.status == "cancelled"

    async def list_models(self: _Client, base_model: str | None = None) -> list[IvkDnnModel]:
        """The records of all models.

        Args:
            base_model: Only those of this architecture.
        """
        return await self.dnn_model_repo.list_models(base=base_model)

    async def get_model_info(self: _Client, model_key: str) -> IvkDnnModel:
        """A model's record.

        Raises:
            NotFoundError: The server has no such model.
        """
        model = await self.dnn_model_repo.get_model_by_key(model_key)
        if model is None:
            raise NotFoundError(404, None, f"The server has no model with the key {model_key!r}.")
        return model

    @face(sync_name="_make_request")
    async def make_request(
        self: _Client,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Answer:
        """Version 1's name of ``request()``."""
        return await self.request(method, endpoint, params=params, json=json, timeout=timeout)
