"""The installation of one model, to wait for."""

# Written by tools/generate_sync.py from src/invokeai_py_client/dnn_model/install.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._sync.face import Face
from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Iterator,
    )

    from invokeai_py_client.dnn_model.events import InstallEvent
    from invokeai_py_client.models import InstallStatus, ModelInstJobInfo


class ModelInstJobHandle(Face[AsyncModelInstJobHandle]):
    """A model's installation on the server.

    Example:
        ```python
        job = client.dnn_model_repo.install_model("models/charcoal.safetensors")
        info = job.wait_until(timeout=600)
        print(info.model_key)
        ```
    """

    @property
    def job_id(self) -> int | None:
        """The job's id on the server; None where no job was needed."""
        return self._impl.job_id

    @property
    def info(self) -> ModelInstJobInfo:
        """The job as the server last told it."""
        return self._impl.info

    def refresh(self) -> ModelInstJobInfo:
        """Ask the server for the job anew. Where it had ended, it is asked no more.

        A job that failed because its model was there already counts as completed, with
        ``info.extra["reason"] == "already_installed"``.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return self._call(self._impl.refresh())

    def status(self) -> InstallStatus | str:
        """How far it is now.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return self._call(self._impl.status())

    def progress(self) -> float | None:
        """How much is downloaded now, 0 to 1; None where nothing is known to download.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return self._call(self._impl.progress())

    def raise_if_failed(self) -> None:
        """Raise where the installation, as last told, ended without a model.

        Raises:
            ModelInstallJobFailed: It did.
        """
        self._impl.raise_if_failed()

    def events(self, *, poll_interval: float = 2.0) -> Iterator[InstallEvent]:
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
        return self._iterate(self._impl.events(poll_interval=poll_interval))

    def wait_until(
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
        return self._call(self._impl.wait_until(timeout, poll_interval, on_progress=on_progress))

    def wait(self, timeout: float | None = None, poll_interval: float = 2.0) -> ModelInstJobInfo:
        """The same as ``wait_until()``."""
        return self._call(self._impl.wait(timeout, poll_interval))

    def is_done(self) -> bool:
        """Whether it has ended by now, in whatever way."""
        return self._call(self._impl.is_done())

    def is_failed(self) -> bool:
        """Whether it has ended by now without a model: by an error, or because somebody canceled it."""
        return self._call(self._impl.is_failed())

    def cancel(self) -> ModelInstJobInfo:
        """Stop the installation. One that has ended stays as it is.

        Raises:
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return self._call(self._impl.cancel())

    def pause(self) -> ModelInstJobInfo:
        """Have the download rest; what is there already is kept. One that has ended stays as it is.

        Raises:
            UsageError: The server is older than 6.12, or nothing is downloaded: the source is a path.
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return self._call(self._impl.pause())

    def resume(self) -> ModelInstJobInfo:
        """Go on with a paused download. One that is not paused stays as it is.

        Raises:
            UsageError: The server is older than 6.12, or nothing is downloaded: the source is a path.
            ModelInstallJobFailed: The server knows neither the job nor a model from its source any more.
        """
        return self._call(self._impl.resume())
