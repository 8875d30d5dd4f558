"""Typed events of an installation, derived from the server's events and job records. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.models import InstallStatus, ModelInstJobInfo
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.models.install import InstallFile, without_secrets

DOWNLOADING = "model_install_download_progress"
_STATUS_OF = {
    DOWNLOADING: InstallStatus.DOWNLOADING,
    "model_install_downloads_complete": InstallStatus.DOWNLOADS_DONE,
    "model_install_started": InstallStatus.RUNNING,
}
# After these events the job itself is read. Its record has more details, and the failure may be a duplicate model.
_FINAL = frozenset({"model_install_complete", "model_install_error", "model_install_cancelled"})
_ORDER = (InstallStatus.DOWNLOADING, InstallStatus.DOWNLOADS_DONE, InstallStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class InstallEvent:
    """A change of an installation's status or progress.

    Statuses without a subclass (``waiting``, or a status of a newer server) use this class.

    Attributes:
        info: The job at that time.
    """

    info: ModelInstJobInfo

    @property
    def job_id(self) -> int | None:
        """The job's id on the server, or None if no job was needed."""
        return self.info.id

    @property
    def source(self) -> str | None:
        """The path, URL or repository to install."""
        return self.info.source

    @property
    def status(self) -> InstallStatus | str:
        """The status at that time."""
        return self.info.status


@dataclass(frozen=True, slots=True)
class InstallDownloading(InstallEvent):
    """Progress of the download."""

    @property
    def bytes(self) -> int:
        """Number of bytes downloaded so far."""
        return self.info.bytes

    @property
    def total_bytes(self) -> int:
        """Number of bytes to download, or 0 if unknown."""
        return self.info.total_bytes

    @property
    def fraction(self) -> float | None:
        """Downloaded fraction from 0 to 1, or None if the size is unknown."""
        return self.info.progress

    @property
    def files(self) -> list[InstallFile]:
        """The progress of each file."""
        return self.info.files


@dataclass(frozen=True, slots=True)
class InstallDownloaded(InstallEvent):
    """The end of the download. The server has not examined the files yet."""


@dataclass(frozen=True, slots=True)
class InstallStarted(InstallEvent):
    """The start of the installation: the server examines the files and registers the model."""


@dataclass(frozen=True, slots=True)
class InstallPaused(InstallEvent):
    """A pause of the download until it is resumed (InvokeAI 6.12+)."""


@dataclass(frozen=True, slots=True)
class InstallCompleted(InstallEvent):
    """Successful installation. Always the last event."""

    @property
    def model_key(self) -> str | None:
        """The model's key."""
        return self.info.model_key


@dataclass(frozen=True, slots=True)
class InstallFailed(InstallEvent):
    """Failed installation. Always the last event."""

    @property
    def error(self) -> str | None:
        """The server's error message."""
        return self.info.error

    @property
    def error_reason(self) -> str | None:
        """The server's exception type."""
        return self.info.error_reason

    @property
    def failed_files(self) -> list[InstallFile]:
        """The files whose download failed. Empty if the server does not name them, or if something else failed."""
        return [file for file in self.info.files if file.failed]


@dataclass(frozen=True, slots=True)
class InstallCancelled(InstallEvent):
    """Canceled installation. Always the last event."""


_CLASSES: dict[InstallStatus, type[InstallEvent]] = {
    InstallStatus.DOWNLOADING: InstallDownloading,
    InstallStatus.DOWNLOADS_DONE: InstallDownloaded,
    InstallStatus.RUNNING: InstallStarted,
    InstallStatus.PAUSED: InstallPaused,
    InstallStatus.COMPLETED: InstallCompleted,
    InstallStatus.ERROR: InstallFailed,
    InstallStatus.CANCELLED: InstallCancelled,
}


def event_between(before: ModelInstJobInfo | None, after: ModelInstJobInfo) -> InstallEvent | None:
    """Return the event between two states of a job, or None if nothing changed."""
    if before is not None and before.status == after.status:
        further = (before.bytes, before.total_bytes) != (after.bytes, after.total_bytes)
        if after.status is not InstallStatus.DOWNLOADING or not further:
            return None
    status = after.status
    return (_CLASSES.get(status, InstallEvent) if isinstance(status, InstallStatus) else InstallEvent)(after)


def concerns(info: ModelInstJobInfo, name: str, payload: Any) -> bool:
    """Return whether a Socket.IO event is about a job."""
    if name not in _STATUS_OF and name not in _FINAL:
        return False
    event = as_mapping(payload)
    if info.id is None or event.get("id") != info.id:
        return False
    # After a restart, the server's job ids start from 0 again.
    return ModelInstJobInfo.from_api_response(event).source == info.source


def after_event(info: ModelInstJobInfo, name: str, payload: Mapping[str, Any]) -> ModelInstJobInfo | None:
    """Return the job after an event, or None if the job has to be read from the server.

    Duplicate and late events change nothing.
    """
    status = _STATUS_OF.get(name)
    if status is None:
        return None
    if info.is_complete() or (info.status in _ORDER and _ORDER.index(info.status) > _ORDER.index(status)):  # pyright: ignore[reportArgumentType]
        return info
    update: dict[str, Any] = {"status": status}
    if name == DOWNLOADING:
        event = ModelInstJobInfo.from_api_response(payload)
        update |= {"bytes": event.bytes, "total_bytes": max(event.total_bytes, info.total_bytes)}
        if isinstance(payload.get("parts"), list):
            update["download_parts"] = without_secrets(payload["parts"])
    return info.model_copy(update=update)


class InstallEvents:
    """Pending events of one job.

    Only the latest progress event of a download is kept, because the server sends many per second.

    Attributes:
        count: Number of received events of the job.
        missed: Whether the job has to be read, because events may have been lost or lack details.
    """

    def __init__(self, info: ModelInstJobInfo) -> None:
        self.count = 0
        self.missed = False
        self._info = info
        self._events: deque[tuple[str, Mapping[str, Any]]] = deque()

    def listen(self, name: str, payload: Any) -> bool:
        """Process a Socket.IO event. Return whether it concerns the job."""
        if name == "connect":
            self.missed = True
            self.forget()  # the job is read now, and its record is newer
        elif not concerns(self._info, name, payload):
            return False
        else:
            self.count += 1
            if name == DOWNLOADING and self._events and self._events[-1][0] == DOWNLOADING:
                self._events.pop()
            self._events.append((name, payload))
        return True

    def next(self, info: ModelInstJobInfo) -> ModelInstJobInfo | None:
        """Return the job after the next event, or None if there is no event or the job has to be read."""
        if not self._events:
            return None
        after = after_event(info, *self._events.popleft())
        if after is None:
            self.missed = True
        return after

    def forget(self) -> None:
        """Discard the pending events, because the job was read after them."""
        self._events.clear()
