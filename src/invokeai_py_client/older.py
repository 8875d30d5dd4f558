"""What version 1's client had besides its repositories: shortcuts, and requests of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject, face
from invokeai_py_client.errors import NotFoundError, NotInvokeAIError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from invokeai_py_client.models import IvkDnnModel, IvkJob, JobStatus
    from invokeai_py_client.transport.http import HttpTransport
    from invokeai_py_client.workflow.definition import WorkflowDefinition
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle


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
        import json

        try:
            return json.loads(self.content) if self.content else None
        except ValueError:
            raise NotInvokeAIError(None, self.text, f"The answer is no JSON: {self.text[:120]!r}.") from None

    def __repr__(self) -> str:
        return f"<Answer: {len(self.content)} bytes of {self.content_type}>"


class AsyncOlderClient(AsyncObject):
    """Shortcuts into the repositories, and the two doors to the rest of the server's API."""

    @property
    def base_url(self) -> str:
        """The root of the server's API: what ``request()`` puts before its paths."""
        return f"{self._client.url}/api/v1"

    # ------------------------------------------------------------------ shortcuts

    async def create_workflow(
        self, definition: WorkflowDefinition | str | os.PathLike[str] | Mapping[str, Any]
    ) -> AsyncWorkflowHandle:
        """The same as ``client.workflow_repo.create_workflow(definition)``."""
        return await self._client.workflow_repo.create_workflow(definition)

    async def list_jobs(self, status: JobStatus | str | None = None, limit: int = 100) -> list[IvkJob]:
        """Items of the queue, the newest first, without their outputs.

        Args:
            status: Only those in this state.
            limit: How many at most.
        """
        jobs = await self._client.queue_repo.items(status=status)
        return jobs[::-1][: max(limit, 0)]

    async def cancel_job(self, job_id: str | int) -> bool:
        """Cancel a queue item.

        Returns:
            Whether it is canceled now; False where it had ended before.

        Raises:
            NotFoundError: The queue has no such item.
        """
        if not str(job_id).strip().isdecimal():
            raise UsageError(f"{job_id!r} is not the id of a queue item; those are whole numbers.")
        job = await self._client.queue_repo.cancel(int(job_id))
        return job.status == "cancelled"

    async def list_models(self, base_model: str | None = None) -> list[IvkDnnModel]:
        """The records of all models.

        Args:
            base_model: Only those of this architecture.
        """
        return await self._client.dnn_model_repo.list_models(base=base_model)

    async def get_model_info(self, model_key: str) -> IvkDnnModel:
        """A model's record.

        Raises:
            NotFoundError: The server has no such model.
        """
        model = await self._client.dnn_model_repo.get_model_by_key(model_key)
        if model is None:
            raise NotFoundError(404, None, f"The server has no model with the key {model_key!r}.")
        return model

    # ------------------------------------------------------------------ requests of one's own

    async def request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send a request for which this client has no method.

        Args:
            method: ``"GET"``, ``"POST"``...
            endpoint: The path below ``/api/v1``, or the whole of it (``/api/v2/models/stats``).
            params: Query parameters.
            json: The body, as JSON data.
            timeout: Seconds for the whole exchange; the client's timeout by default.

        Raises:
            APIRequestError: The server refused or failed, or could not be reached.
        """
        path = endpoint if endpoint.startswith("/api/") else f"/api/v1/{endpoint.lstrip('/')}"
        http: HttpTransport = self._client._http  # pyright: ignore[reportPrivateUsage]
        content, content_type = await http.raw(
            method.upper(), path, params=params, json=json, timeout=timeout
        )
        return Answer(content, content_type)

    @face(sync_name="_make_request")
    async def make_request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Answer:
        """Version 1's name of ``request()``."""
        return await self.request(method, endpoint, params=params, json=json, timeout=timeout)
