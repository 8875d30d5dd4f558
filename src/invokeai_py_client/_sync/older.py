"""What version 1's client had besides its repositories: shortcuts, and requests of one's own."""

# Written by tools/generate_sync.py from src/invokeai_py_client/older.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.older import Answer, AsyncOlderClient

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from invokeai_py_client._sync.workflow_handle import WorkflowHandle
    from invokeai_py_client.models import IvkDnnModel, IvkJob, JobStatus
    from invokeai_py_client.workflow.definition import WorkflowDefinition


class OlderClient(Face[AsyncOlderClient]):
    """Shortcuts into the repositories, and the two doors to the rest of the server's API."""

    @property
    def base_url(self) -> str:
        """The root of the server's API: what ``request()`` puts before its paths."""
        return self._impl.base_url

    def create_workflow(
        self, definition: WorkflowDefinition | str | os.PathLike[str] | Mapping[str, Any]
    ) -> WorkflowHandle:
        """The same as ``client.workflow_repo.create_workflow(definition)``."""
        return wrap(self._call(self._impl.create_workflow(definition)))

    def list_jobs(self, status: JobStatus | str | None = None, limit: int = 100) -> list[IvkJob]:
        """Items of the queue, the newest first, without their outputs.

        Args:
            status: Only those in this state.
            limit: How many at most.
        """
        return self._call(self._impl.list_jobs(status, limit))

    def cancel_job(self, job_id: str | int) -> bool:
        """Cancel a queue item.

        Returns:
            Whether it is canceled now; False where it had ended before.

        Raises:
            NotFoundError: The queue has no such item.
        """
        return self._call(self._impl.cancel_job(job_id))

    def list_models(self, base_model: str | None = None) -> list[IvkDnnModel]:
        """The records of all models.

        Args:
            base_model: Only those of this architecture.
        """
        return self._call(self._impl.list_models(base_model))

    def get_model_info(self, model_key: str) -> IvkDnnModel:
        """A model's record.

        Raises:
            NotFoundError: The server has no such model.
        """
        return self._call(self._impl.get_model_info(model_key))

    def request(
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
        return self._call(self._impl.request(method, endpoint, params=params, json=json, timeout=timeout))

    def _make_request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Answer:
        """Version 1's name of ``request()``."""
        return self._call(
            self._impl.make_request(method, endpoint, params=params, json=json, timeout=timeout)
        )
