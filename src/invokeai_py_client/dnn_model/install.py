"""The handle of a model installation."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from invokeai_py_client._base import AsyncObject, repository_of
from invokeai_py_client._text import hide_secrets, listed
from invokeai_py_client.api.models import AsyncModelsApi
from invokeai_py_client.dnn_model.events import InstallEvents, event_between
from invokeai_py_client.dnn_model.start import already_installed, duplicate_of, model_of_source
from invokeai_py_client.errors import (
    APIRequestError,
    ModelInstallError,
    ModelInstallJobFailed,
    ModelInstallTimeout,
    NotFoundError,
    UsageError,
)
from invokeai_py_client.models import InstallStatus, ModelInstJobInfo
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change
from invokeai_py_client.transport.loop import call_back
from invokeai_py_client.transport.socket import queue_room

if TYPE_CHECKING:
    from invokeai_py_client.dnn_model.events import InstallEvent
    from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
    from invokeai_py_client.transport.hub import EventHub

T = TypeVar("T")

_NAMED = 10


class AsyncModelInstJobHandle(AsyncObject):
    """A model's installation on the server.

    Example:
        ```python
        job = await client.models.install_model("models/charcoal.safetensors")
        info = await job.wait_until(timeout=600)
        print(info.model_key)
        ```
    """

    def __init__(self, models: AsyncDnnModelRepository, info: ModelInstJobInfo) -> None:
        self.connection = models.connection
        self._models = models
        self._info = info

    @property
    def job_id(self) -> int | None:
        """The job's id on the server, or None if no job was needed."""
        return self._info.id

    @property
    def info(self) -> ModelInstJobInfo:
        """The job, as last fetched."""
        return self._info

    async def refresh(self) -> ModelInstJobInfo:
        """Fetch the job again, unless it is complete.

        A job that failed because its model was already installed counts as completed, with
        ``info.extra["reason"] == "already_installed"``.

        Raises:
            ModelInstallJobFailed: The server no longer has the job, nor a model from its source.
        """
        self._info = await self._fetched()
        return self._info

    async def status(self) -> InstallStatus | str:
        """Fetch the job and return its status.

        Raises:
            ModelInstallJobFailed: The server no longer has the job, nor a model from its source.
        """
        return (await self.refresh()).status

    async def progress(self) -> float | None:
        """Fetch the job and return the downloaded fraction from 0 to 1, or None if the size is unknown.

        Raises:
            ModelInstallJobFailed: The server no longer has the job, nor a model from its source.
        """
        return (await self.refresh()).progress

    def raise_if_failed(self) -> None:
        """Raise an error if the installation, as last fetched, failed or was canceled.

        Raises:
            ModelInstallJobFailed: The installation failed or was canceled.
        """
        info = self._info
        if info.is_complete() and not info.is_successful():
            how = "was canceled" if info.status is InstallStatus.CANCELLED else "failed"
            why = ": " + ": ".join(filter(None, (info.error_reason, info.error))) if info.error else ""
            failed = [file.name for file in info.files if file.failed]
            # The source of a single file names it already.
            which = f" at {', '.join(failed)}" if failed and len(info.files) > 1 else ""
            raise ModelInstallJobFailed(
                info, hide_secrets(f"The installation of {info.source} {how}{which}{why}.")
            )

    # ------------------------------------------------------------------ following

    async def events(self, *, poll_interval: float = 2.0) -> AsyncIterator[InstallEvent]:
        """Yield the current state of the installation, then its events until it is complete.

        The events are those of ``invokeai_py_client.dnn_model.events``, as the server sends them. If no events
        arrive (for example because a proxy blocks WebSockets), the job is polled every ``poll_interval`` seconds, so
        short steps may be missing. The last event is always yielded.

        Args:
            poll_interval: Seconds between two polls if no events arrive; shorter at the beginning. While events
                arrive, polls are five times less frequent. Defaults to 2.

        Raises:
            ModelInstallJobFailed: The server no longer has the job, nor a model from its source.
            ServerUnreachableError: The server was unreachable for five minutes.
        """
        async with aclosing(self._follow(None, _interval(poll_interval))) as events:
            async for event in events:
                yield event

    async def wait_until(
        self,
        timeout: float | None = None,
        poll_interval: float = 2.0,
        *,
        on_progress: Callable[[ModelInstJobInfo], object] | None = None,
    ) -> ModelInstJobInfo:
        """Wait until the model is installed.

        Keeps waiting while the installation is paused, because it may be resumed elsewhere.

        Args:
            timeout: Seconds to wait; 0 checks once. Defaults to no limit.
            poll_interval: Seconds between two polls if no events arrive; see ``events()``. Defaults to 2.
            on_progress: Called with the job after each change, in the caller's thread or event loop.

        Returns:
            The completed job. Its ``model_key`` is the model's key.

        Raises:
            ModelInstallJobFailed: The installation failed or was canceled.
            ModelInstallTimeout: The installation is still running after ``timeout`` seconds.
            ServerUnreachableError: The server was unreachable for five minutes.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        async with aclosing(self._follow(deadline, _interval(poll_interval))) as events:
            async for event in events:
                if on_progress is not None:
                    await call_back(on_progress, event.info)
        if timeout is not None and not self._info.is_complete():
            raise ModelInstallTimeout(
                self._info,
                timeout,
                f"The installation of {self._source} is still running after {timeout:g} seconds "
                f"(job {self._info.id}: {self._info.status}). It continues on the server.",
            )
        self.raise_if_failed()
        return self._info

    # ------------------------------------------------------------------ controlling

    async def wait(self, timeout: float | None = None, poll_interval: float = 2.0) -> ModelInstJobInfo:
        """Wait until the model is installed, as ``wait_until()`` does."""
        return await self.wait_until(timeout, poll_interval)

    async def is_done(self) -> bool:
        """Fetch the job and return whether it has completed, failed or been canceled."""
        return (await self.refresh()).is_complete()

    async def is_failed(self) -> bool:
        """Fetch the job and return whether it has failed or been canceled."""
        info = await self.refresh()
        return info.is_complete() and not info.is_successful()

    async def cancel(self) -> ModelInstJobInfo:
        """Cancel the installation. Does nothing if it is complete.

        Raises:
            ModelInstallJobFailed: The server no longer has the job, nor a model from its source.
        """
        if (await self.refresh()).is_complete():  # the server would mark a completed job as canceled
            return self._info
        await self._api.cancel_model_install_job(self._id, idempotent=False)
        return await self.refresh()

    async def pause(self) -> ModelInstJobInfo:
        """Pause the download, keeping what was downloaded. Does nothing if the installation is complete.

        Raises:
            UsageError: The server is older than 6.12, or the source is a path, so nothing is downloaded.
            ModelInstallJobFailed: The server no longer has the job, nor a model from its source.
        """
        return await self._order("pause")

    async def resume(self) -> ModelInstJobInfo:
        """Resume a paused download. Does nothing if it is not paused.

        Raises:
            UsageError: The server is older than 6.12, or the source is a path, so nothing is downloaded.
            ModelInstallJobFailed: The server no longer has the job, nor a model from its source.
        """
        return await self._order("resume")

    async def restart_failed(self) -> ModelInstJobInfo:
        """Download again what failed, or what cannot be resumed. Does nothing if no download failed.

        Wait for it with ``wait_until()`` as before. Only administrators may call this. Needs InvokeAI 6.12 or later.

        Raises:
            UsageError: The source is a path; the installation was canceled; or the server has deleted files of it that
                were downloaded already (6.14.2 does so when a file fails), so that the model has to be installed again.
            ModelInstallJobFailed: The server no longer has the job.
            ServerTooOldError: The server is older.
        """
        if not await self._restartable("restart"):
            return self._info
        response = await self._api.restart_failed_model_install_job(self._id, idempotent=False)
        info = ModelInstJobInfo.from_api_response(response)
        if info.status is InstallStatus.ERROR:
            # Servers (6.14.2) have no record of a file whose request was refused.
            if info.source_type != "url":
                raise UsageError(
                    f"Cannot restart the installation of {self._source}: the server has not recorded which of its "
                    "files failed. Install the model again."
                )
            info = await self._restarted_file(info.source or "")
        self._info = info
        return info

    async def restart_file(self, url: str) -> ModelInstJobInfo:
        """Download one file of the installation again. Does nothing if the installation is complete.

        Wait for it with ``wait_until()`` as before. Only administrators may call this. Needs InvokeAI 6.12 or later.

        Args:
            url: The URL of the file: the ``source`` of one of ``info.download_parts``, or the source of the job.

        Raises:
            UsageError: The installation has no such file, or as in ``restart_failed()``.
            ModelInstallJobFailed: The server no longer has the job.
            ServerTooOldError: The server is older.
        """
        if not await self._restartable("restart"):
            return self._info
        files = [str(part.get("source")) for part in self._info.download_parts]
        if self._info.source_type == "url":
            files.append(self._info.source or "")
        if url not in files:  # the server (6.14.2) would leave the job waiting forever
            known = listed(list(dict.fromkeys(map(hide_secrets, files))), _NAMED) if files else "none"
            raise UsageError(
                f"The installation of {self._source} has no file {hide_secrets(url)!r}; expected one of {known}."
            )
        self._info = await self._restarted_file(url)
        return self._info

    # ------------------------------------------------------------------ internals

    @property
    def _api(self) -> AsyncModelsApi:
        return self.connection.part(AsyncModelsApi)

    @property
    def _id(self) -> int:
        assert self._info.id is not None
        return self._info.id

    async def _restartable(self, what: str) -> bool:
        """Fetch the job, and return whether there is anything left to download.

        Raises:
            UsageError: The installation cannot be restarted.
        """
        self._check_remote(what)
        if self._info.id is None or self._info.is_successful():
            return False
        self._info = await self._fetched(even_complete=True)  # someone else may have restarted it
        if self._info.is_successful():
            return False
        reason = ""
        if self._info.status is InstallStatus.CANCELLED:
            reason = "it was canceled"
        elif self._info.status is InstallStatus.ERROR and any(
            part.get("status") == "completed" for part in self._info.download_parts
        ):
            reason = "the server has deleted the files that it had downloaded"
        if reason:
            raise UsageError(
                f"Cannot {what} the installation of {self._source}: {reason}. Install the model again."
            )
        return True

    async def _restarted_file(self, url: str) -> ModelInstJobInfo:
        return ModelInstJobInfo.from_api_response(
            await self._api.restart_model_install_file(self._id, body=url, idempotent=False)
        )

    def _check_remote(self, what: str) -> None:
        if self._info.source_type == "local":
            raise UsageError(
                f"Cannot {what} the installation of {self._source}: only downloads can be paused, resumed or "
                "restarted, and a local path is not downloaded."
            )

    async def _follow(
        self, deadline: float | None, poll_interval: float
    ) -> AsyncGenerator[InstallEvent, None]:
        """Yield the job's current state and each change, until it is complete or the deadline has passed."""
        if self._info.is_complete() or _left(deadline) <= 0:
            first = event_between(None, await self.refresh())
            if first is not None:
                yield first
            return
        pending = InstallEvents(self._info)
        pause = _Pause(self.connection.hub, poll_interval, deadline)

        async def fetch() -> tuple[int, ModelInstJobInfo]:
            return pending.count, await self._fetched()

        def take(fetched: tuple[int, ModelInstJobInfo]) -> None:
            count, info = fetched
            if info.is_complete() or count == pending.count:  # otherwise, later events are newer
                self._info = info
                pending.forget()

        last: ModelInstJobInfo | None = None
        # 6.12 and 6.13 send model events only to clients that have subscribed to a queue.
        room = self.connection.hub.changes(queue_room("default"), pending.listen, pause, tolerant=False)
        async with room as changes:
            async for change in changes:
                if change in (Change.START, Change.SILENCE):
                    pending.missed = True
                while (now := pending.next(self._info)) is not None:
                    self._info = now
                    event, last = event_between(last, now), now
                    if event is not None:
                        yield event
                if pending.missed:
                    pending.missed = False
                    changes.read(fetch, take)
                elif change is Change.RESPONSE:
                    event, last = event_between(last, self._info), self._info
                    if event is not None:
                        yield event
                if self._info.is_complete():
                    # The receiver of the last event may have ended it, for example by canceling.
                    event = event_between(last, self._info)
                    if event is not None:
                        yield event
                    return
                if pause.is_over(change):
                    return

    async def _fetched(self, *, even_complete: bool = False) -> ModelInstJobInfo:
        """Fetch the job, unless it is complete."""
        if self._info.id is None or (self._info.is_complete() and not even_complete):
            return self._info
        try:
            job = ModelInstJobInfo.from_api_response(await self._api.get_model_install_job(self._id))
        except NotFoundError:
            job = None
        # After a restart, the server's job ids start from 0 again, so another job may have this id now.
        if job is None or job.source != self._info.source:
            return await self._without_job()
        return await self._accept_duplicate(job)

    async def _order(self, what: str) -> ModelInstJobInfo:
        self._check_remote(what)
        if (await self.refresh()).is_complete():
            return self._info
        try:
            change = {
                "pause": self._api.pause_model_install_job,
                "resume": self._api.resume_model_install_job,
            }[what]
            response = await change(self._id, explain=False)
        except APIRequestError as error:
            if error.status_code in (404, 405):  # the response of older servers to unknown routes
                raise UsageError(
                    f"Cannot {what} the installation of {self._source}: this needs InvokeAI 6.12 or later."
                ) from error
            if error.status_code == 415:  # the job is gone; it existed a moment ago
                return await self.refresh()
            raise
        self._info = await self._accept_duplicate(ModelInstJobInfo.from_api_response(response))
        return self._info

    async def _accept_duplicate(self, job: ModelInstJobInfo) -> ModelInstJobInfo:
        """Return a job, as completed if it failed only because the model was already installed."""
        if job.error_reason != "DuplicateModelException":
            return job
        model = duplicate_of(await self._models.list_models(), job)
        return job if model is None else already_installed(job.source or "", model, job)

    async def _without_job(self) -> ModelInstJobInfo:
        """Return the outcome of a job that is no longer on the server: it was pruned or the server restarted."""
        source = self._info.source or ""
        model = model_of_source(await self._models.list_models(), source)
        if model is None:
            raise ModelInstallJobFailed(
                self._info,
                f"The installation of {self._source} is lost: the server no longer has job {self._info.id}, nor a "
                "model from this source. The server may have restarted. Install the model again.",
            )
        info = self._info.model_copy(deep=True)
        info.status, info.model_key, info.config_out = InstallStatus.COMPLETED, model.key, model.to_dict()
        return info

    @property
    def _source(self) -> str:
        """The source, for messages."""
        return hide_secrets(self._info.source)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_models" not in state:
            self._models = repository_of(self.connection, "dnn_model.repository", "AsyncDnnModelRepository")

    def __repr__(self) -> str:
        return f"<AsyncModelInstJobHandle {self._info.id} of {self._source}: {self._info.status}>"


def _interval(seconds: float) -> float:
    if not seconds > 0:
        raise UsageError(f"Invalid poll_interval {seconds!r}: expected a number of seconds greater than 0.")
    return seconds


def _left(deadline: float | None) -> float:
    """Return the seconds until the deadline."""
    return float("inf") if deadline is None else deadline - time.monotonic()


class _Pause:
    """The time until the next poll of an installation: short at first, long while events arrive."""

    def __init__(self, hub: EventHub, poll_interval: float, deadline: float | None) -> None:
        self._hub = hub
        self._longest = poll_interval
        self._next = min(timing.INSTALL_FIRST_POLL, poll_interval)
        self._deadline = deadline
        self._last: float | None = None

    def __call__(self) -> float:
        left = _left(self._deadline)
        if left <= 0:  # the last poll, which may begin long after the deadline if the computer slept
            if self._last is None:
                self._last = time.monotonic() + (timing.AFTER_SLEEP if left <= -timing.POLL else timing.POLL)
            return timing.POLL
        quiet = self._longest * timing.INSTALL_SILENCE if self._hub.connected else self._next
        self._next = min(self._next * 1.5, self._longest)
        return min(quiet, left)

    def is_over(self, change: Change) -> bool:
        """Return whether the deadline has passed and the last poll has finished or timed out."""
        if self._last is None:
            return False
        return change is Change.RESPONSE or time.monotonic() >= self._last


async def ended_or_error(
    job: AsyncModelInstJobHandle,
    timeout: float | None,
    poll_interval: float,
    *,
    on_progress: Callable[[ModelInstJobInfo], object] | None,
) -> ModelInstallError | None:
    """Wait for one of several installations, and return its error so that the caller can wait for the others."""
    try:
        await job.wait_until(timeout, poll_interval, on_progress=on_progress)
    except (ModelInstallJobFailed, ModelInstallTimeout) as error:
        return error
    return None


def raise_first(ended: Sequence[ModelInstallError | None], *, check: bool) -> None:
    """Raise an error if some installations did not succeed. Timeouts take precedence over failures."""
    late = [error for error in ended if isinstance(error, ModelInstallTimeout)]
    if late:
        first = late[0]
        raise ModelInstallTimeout(
            first.last_info, first.timeout, _of_several(first, late, ended, "are still running")
        )
    failed = [error for error in ended if isinstance(error, ModelInstallJobFailed)]
    if failed and check:
        first = failed[0]
        raise ModelInstallJobFailed(first.info, _of_several(first, failed, ended, "failed"))


def _of_several(
    first: ModelInstallError, errors: Sequence[object], ended: Sequence[object], what: str
) -> str:
    return (
        str(first)
        if len(ended) == 1
        else f"{len(errors)} of {len(ended)} installations {what}. The first: {first}"
    )
