"""The installation of one model, to wait for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.dnn_model.installed import already_installed, duplicate_of, model_of_source
from invokeai_py_client.errors import ModelInstallJobFailed, ModelInstallTimeout, NotFoundError, UsageError
from invokeai_py_client.models import InstallStatus, ModelInstJobInfo

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient

_INSTALL = "/api/v2/models/install"
# A local model is installed in a fraction of a second, a large one takes minutes: look often at first.
_FIRST_PAUSE = 0.05


class AsyncModelInstJobHandle(AsyncObject):
    """A model's installation on the server.

    Example:
        job = await client.dnn_model_repo.install_model("/models/portrait.safetensors", inplace=True)
        info = await job.wait_until(timeout=600)
        print(info.model_key)
    """

    def __init__(self, client: AsyncInvokeAIClient, info: ModelInstJobInfo) -> None:
        self._client = client
        self._info = info

    @property
    def job_id(self) -> int | None:
        """The job's id on the server; None where no job was needed."""
        return self._info.id

    @property
    def info(self) -> ModelInstJobInfo:
        """The job as the server last told it."""
        return self._info

    async def refresh(self) -> ModelInstJobInfo:
        """Ask the server for the job anew. Where it had ended, it is asked no more.

        A job that failed because its model was there already counts as completed, with
        ``info.extra["reason"] == "already_installed"``.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        if self._info.id is None or self._info.is_complete():
            return self._info
        try:
            told = ModelInstJobInfo.from_api_response(await self._json("GET", f"{_INSTALL}/{self._info.id}"))
        except NotFoundError:
            told = None
        # A server that was restarted counts its jobs from 0 anew: another job may have this id now.
        if told is None or told.source != self._info.source:
            self._info = await self._without_job()
        else:
            self._info = await self._settled(told)
        return self._info

    async def status(self) -> InstallStatus | str:
        """How far it is now.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return (await self.refresh()).status

    async def progress(self) -> float | None:
        """How much is downloaded now, 0 to 1; None where nothing is known to download.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return (await self.refresh()).progress

    def raise_if_failed(self) -> None:
        """Raise where the installation, as last told, ended without a model.

        Raises:
            ModelInstallJobFailed: It did.
        """
        info = self._info
        if info.is_complete() and not info.is_successful():
            how = "was canceled" if info.status is InstallStatus.CANCELLED else "failed"
            why = ": " + ": ".join(filter(None, (info.error_reason, info.error))) if info.error else ""
            raise ModelInstallJobFailed(info, f"The installation of {info.source} {how}{why}.")

    async def wait_until(self, timeout: float | None = None, poll_interval: float = 2.0) -> ModelInstJobInfo:
        """Wait until the model is installed.

        Args:
            timeout: Seconds to wait at most; for ever by default. 0 looks once.
            poll_interval: Seconds between two looks at the job; at the beginning they are shorter.

        Returns:
            The completed job; its ``model_key`` is the model's key.

        Raises:
            ModelInstallJobFailed: It ended without a model.
            ModelInstallTimeout: It goes on after ``timeout`` seconds.
        """
        if not poll_interval > 0:
            raise UsageError(f"poll_interval should be a positive number of seconds, not {poll_interval!r}.")
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = min(_FIRST_PAUSE, poll_interval)
        while not (await self.refresh()).is_complete():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise ModelInstallTimeout(
                    self._info,
                    timeout,
                    f"The installation of {self._info.source} is not done after {timeout:g} s "
                    f"(job {self._info.id}: {self._info.status}). It goes on.",
                )
            await asyncio.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 1.5, poll_interval)
        self.raise_if_failed()
        return self._info

    async def cancel(self) -> ModelInstJobInfo:
        """Stop the installation. One that has ended stays as it is.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        if (await self.refresh()).is_complete():  # the server would call a completed one canceled
            return self._info
        await self._json("DELETE", f"{_INSTALL}/{self._info.id}", repeatable=False)
        return await self.refresh()

    # ------------------------------------------------------------------ inside

    async def _settled(self, told: ModelInstJobInfo) -> ModelInstJobInfo:
        """The job as told, unless it failed only because there was nothing to do."""
        if told.error_reason != "DuplicateModelException":
            return told
        model = duplicate_of(await self._client.dnn_model_repo.list_models(), told)
        return told if model is None else already_installed(told.source or "", model, told)

    async def _without_job(self) -> ModelInstJobInfo:
        """What became of a job that the server forgot: pruned, or the server was restarted."""
        source = self._info.source or ""
        model = model_of_source(await self._client.dnn_model_repo.list_models(), source)
        if model is None:
            raise ModelInstallJobFailed(
                self._info,
                f"The server no longer knows the installation job {self._info.id} of {source}, "
                "and has no model from there. Was it restarted, or the job pruned? Install it again.",
            )
        info = self._info.model_copy(deep=True)
        info.status, info.model_key, info.config_out = InstallStatus.COMPLETED, model.key, model.to_dict()
        return info

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        return await self._client._http.json(method, path, **options)  # pyright: ignore[reportPrivateUsage]

    def __repr__(self) -> str:
        return f"<AsyncModelInstJobHandle {self._info.id} of {self._info.source}: {self._info.status}>"
