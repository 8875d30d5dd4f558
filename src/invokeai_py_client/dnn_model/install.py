"""The installation of one model, to wait for."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from invokeai_py_client._base import AsyncObject, repository_of
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

_INSTALL = "/api/v2/models/install"


class AsyncModelInstJobHandle(AsyncObject):
    """A model's installation on the server.

    Example:
        ```python
        job = await client.dnn_model_repo.install_model("models/charcoal.safetensors")
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
        self._info = await self._fetched()
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

    # ------------------------------------------------------------------ following it

    async def events(self, *, poll_interval: float = 2.0) -> AsyncIterator[InstallEvent]:
        """What happens to the installation from now on, until it has ended; first, how far it is.

        The events are those of ``invokeai_py_client.dnn_model.events``. They come as the server sends them.
        Where it sends none (a proxy lets no WebSocket through), the job is read every ``poll_interval``
        seconds, so that short steps may be missing. The last event always comes.

        Args:
            poll_interval: Seconds between two looks at the job where no events come; at the beginning they
                are shorter. Where they come, it is read five times less.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
            ServerUnreachableError: The server stayed away for five minutes.
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

        A paused installation is waited for as well: somebody may resume it.

        Args:
            timeout: Seconds to wait at most; for ever by default. 0 looks once.
            poll_interval: Seconds between two looks at the job where no events come; see ``events()``.
            on_progress: Called with the job whenever it got further, in the caller's thread or event loop.

        Returns:
            The completed job; its ``model_key`` is the model's key.

        Raises:
            ModelInstallJobFailed: It ended without a model.
            ModelInstallTimeout: It goes on after ``timeout`` seconds.
            ServerUnreachableError: The server stayed away for five minutes.
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
                f"The installation of {self._info.source} is not done after {timeout:g} s "
                f"(job {self._info.id}: {self._info.status}). It goes on.",
            )
        self.raise_if_failed()
        return self._info

    # ------------------------------------------------------------------ acting on it

    async def wait(self, timeout: float | None = None, poll_interval: float = 2.0) -> ModelInstJobInfo:
        """The same as ``wait_until()``."""
        return await self.wait_until(timeout, poll_interval)

    async def is_done(self) -> bool:
        """Whether it has ended by now, in whatever way."""
        return (await self.refresh()).is_complete()

    async def is_failed(self) -> bool:
        """Whether it has ended by now without a model: by an error, or because somebody canceled it."""
        info = await self.refresh()
        return info.is_complete() and not info.is_successful()

    async def cancel(self) -> ModelInstJobInfo:
        """Stop the installation. One that has ended stays as it is.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        if (await self.refresh()).is_complete():  # the server would call a completed one canceled
            return self._info
        await self._json("DELETE", f"{_INSTALL}/{self._info.id}", idempotent=False)
        return await self.refresh()

    async def pause(self) -> ModelInstJobInfo:
        """Have the download rest; what is there already is kept. One that has ended stays as it is.

        Raises:
            UsageError: The server is older than 6.12, or nothing is downloaded: the source is a path.
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return await self._order("pause")

    async def resume(self) -> ModelInstJobInfo:
        """Go on with a paused download. One that is not paused stays as it is.

        Raises:
            UsageError: The server is older than 6.12, or nothing is downloaded: the source is a path.
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return await self._order("resume")

    # ------------------------------------------------------------------ inside

    async def _follow(
        self, deadline: float | None, poll_interval: float
    ) -> AsyncGenerator[InstallEvent, None]:
        """The job's present state and each further one, until it has ended or time is up."""
        if self._info.is_complete() or _left(deadline) <= 0:
            first = event_between(None, await self.refresh())
            if first is not None:
                yield first
            return
        told = InstallEvents(self._info)
        pause = _Pause(self.connection.hub, poll_interval, deadline)

        async def fetch() -> tuple[int, ModelInstJobInfo]:
            return told.count, await self._fetched()

        def take(fetched: tuple[int, ModelInstJobInfo]) -> None:
            count, info = fetched
            changes.tolerant = True  # the server was there; a download takes hours
            if info.is_complete() or count == told.count:  # later events say more
                self._info = info
                told.forget()

        last: ModelInstJobInfo | None = None
        # 6.12 and 6.13 send events of models only to those who follow a queue.
        room = self.connection.hub.changes(queue_room("default"), told.listen, pause, tolerant=False)
        async with room as changes:
            async for change in changes:
                if change in (Change.START, Change.SILENCE):
                    told.missed = True
                while (now := told.next(self._info)) is not None:
                    self._info = now
                    event, last = event_between(last, now), now
                    if event is not None:
                        yield event
                if told.missed:
                    told.missed = False
                    changes.read(fetch, take)
                elif change is Change.RESPONSE:
                    event, last = event_between(last, self._info), self._info
                    if event is not None:
                        yield event
                if self._info.is_complete():
                    # It may have ended by what the receiver of the last event did with it.
                    event = event_between(last, self._info)
                    if event is not None:
                        yield event
                    return
                if pause.is_over(change):
                    return

    async def _fetched(self) -> ModelInstJobInfo:
        """Read the job, unless it has ended."""
        if self._info.id is None or self._info.is_complete():
            return self._info
        try:
            told = ModelInstJobInfo.from_api_response(await self._json("GET", f"{_INSTALL}/{self._info.id}"))
        except NotFoundError:
            told = None
        # A server that was restarted counts its jobs from 0 again, so another job may have this id now.
        if told is None or told.source != self._info.source:
            return await self._without_job()
        return await self._settled(told)

    async def _order(self, what: str) -> ModelInstJobInfo:
        if self._info.source_type == "local":
            raise UsageError(
                f"The installation of {self._info.source} cannot {what}: only downloads can, and it has none."
            )
        if (await self.refresh()).is_complete():
            return self._info
        try:
            answer = await self._json("POST", f"{_INSTALL}/{self._info.id}/{what}", idempotent=True)
        except APIRequestError as error:
            if error.status_code in (404, 405):  # what older servers say of paths that they do not know
                raise UsageError(
                    f"This server cannot {what} installations; InvokeAI can from 6.12 on."
                ) from error
            if error.status_code == 415:  # no such job: it was there a moment ago
                return await self.refresh()
            raise
        self._info = await self._settled(ModelInstJobInfo.from_api_response(answer))
        return self._info

    async def _settled(self, told: ModelInstJobInfo) -> ModelInstJobInfo:
        """The job as told, unless it failed only because there was nothing to do."""
        if told.error_reason != "DuplicateModelException":
            return told
        model = duplicate_of(await self._models.list_models(), told)
        return told if model is None else already_installed(told.source or "", model, told)

    async def _without_job(self) -> ModelInstJobInfo:
        """What became of a job that the server forgot: pruned, or the server was restarted."""
        source = self._info.source or ""
        model = model_of_source(await self._models.list_models(), source)
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
        return await self.connection.http.json(method, path, **options)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_models" not in state:
            self._models = repository_of(self.connection, "dnn_model.repository", "AsyncDnnModelRepository")

    def __repr__(self) -> str:
        return f"<AsyncModelInstJobHandle {self._info.id} of {self._info.source}: {self._info.status}>"


def _interval(seconds: float) -> float:
    if not seconds > 0:
        raise UsageError(f"poll_interval should be a positive number of seconds, not {seconds!r}.")
    return seconds


def _left(deadline: float | None) -> float:
    """Seconds until then."""
    return float("inf") if deadline is None else deadline - time.monotonic()


class _Pause:
    """How long to wait until an installation is read again: often at first, seldom while events arrive."""

    def __init__(self, hub: EventHub, poll_interval: float, deadline: float | None) -> None:
        self._hub = hub
        self._longest = poll_interval
        self._next = min(timing.INSTALL_FIRST_POLL, poll_interval)
        self._deadline = deadline

    def __call__(self) -> float:
        left = _left(self._deadline)
        if left <= 0:  # the last read
            return timing.POLL
        quiet = self._longest * timing.INSTALL_SILENCE if self._hub.connected else self._next
        self._next = min(self._next * 1.5, self._longest)
        return min(quiet, left)

    def is_over(self, change: Change) -> bool:
        """Whether time is up, and the job was read once more or does not respond."""
        left = _left(self._deadline)
        return left <= 0 and (change is Change.RESPONSE or left <= -timing.POLL)


async def ended_or_error(
    job: AsyncModelInstJobHandle,
    timeout: float | None,
    poll_interval: float,
    *,
    on_progress: Callable[[ModelInstJobInfo], object] | None,
) -> ModelInstallError | None:
    """Wait for one of several; that it failed or goes on keeps nobody from waiting for the others."""
    try:
        await job.wait_until(timeout, poll_interval, on_progress=on_progress)
    except (ModelInstallJobFailed, ModelInstallTimeout) as error:
        return error
    return None


def raise_first(ended: Sequence[ModelInstallError | None], *, check: bool) -> None:
    """Raise what became of several where not all is well: first of all that some go on."""
    late = [error for error in ended if isinstance(error, ModelInstallTimeout)]
    if late:
        first = late[0]
        raise ModelInstallTimeout(first.last_info, first.timeout, _of_several(first, late, ended, "go on"))
    failed = [error for error in ended if isinstance(error, ModelInstallJobFailed)]
    if failed and check:
        first = failed[0]
        raise ModelInstallJobFailed(first.info, _of_several(first, failed, ended, "failed"))


def _of_several(
    first: ModelInstallError, errors: Sequence[object], ended: Sequence[object], what: str
) -> str:
    return str(first) if len(ended) == 1 else f"{len(errors)} of {len(ended)} {what}. The first: {first}"
