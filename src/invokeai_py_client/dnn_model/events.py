"""What happens to an installation, as typed events. Pure: what the server told in, events out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.models import InstallStatus, ModelInstJobInfo
from invokeai_py_client.models.base import as_mapping

DOWNLOADING = "model_install_download_progress"
_STATUS_OF = {
    DOWNLOADING: InstallStatus.DOWNLOADING,
    "model_install_downloads_complete": InstallStatus.DOWNLOADS_DONE,
    "model_install_started": InstallStatus.RUNNING,
}
# After these the job itself is read: it says more than they do, and may have failed for nothing.
_FINAL = frozenset({"model_install_complete", "model_install_error", "model_install_cancelled"})
_ORDER = (InstallStatus.DOWNLOADING, InstallStatus.DOWNLOADS_DONE, InstallStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class InstallEvent:
    """An installation has another status, or has got further.

    A status without a class of its own (``waiting``, or a word of a newer server) comes as this class.

    Attributes:
        info: The job as it was then.
    """

    info: ModelInstJobInfo

    @property
    def job_id(self) -> int | None:
        """The job's id on the server; None where no job was needed."""
        return self.info.id

    @property
    def source(self) -> str | None:
        """The path, URL or repository that is installed."""
        return self.info.source

    @property
    def status(self) -> InstallStatus | str:
        """How far it was then."""
        return self.info.status


@dataclass(frozen=True, slots=True)
class InstallDownloading(InstallEvent):
    """Files are being downloaded."""

    @property
    def bytes(self) -> int:
        """Downloaded so far."""
        return self.info.bytes

    @property
    def total_bytes(self) -> int:
        """To download, as far as known; 0 where it is not."""
        return self.info.total_bytes

    @property
    def fraction(self) -> float | None:
        """Downloaded part, 0 to 1; None where the size is not known."""
        return self.info.progress


@dataclass(frozen=True, slots=True)
class InstallDownloaded(InstallEvent):
    """All files are there; the server has not looked at them yet."""


@dataclass(frozen=True, slots=True)
class InstallStarted(InstallEvent):
    """The server looks at the files, and makes a record of them."""


@dataclass(frozen=True, slots=True)
class InstallPaused(InstallEvent):
    """The download rests until somebody resumes it (InvokeAI 6.12+)."""


@dataclass(frozen=True, slots=True)
class InstallCompleted(InstallEvent):
    """The model is installed. The last event."""

    @property
    def model_key(self) -> str | None:
        """The model's key."""
        return self.info.model_key


@dataclass(frozen=True, slots=True)
class InstallFailed(InstallEvent):
    """There is no model. The last event."""

    @property
    def error(self) -> str | None:
        """The server's message."""
        return self.info.error

    @property
    def error_reason(self) -> str | None:
        """The server's exception type."""
        return self.info.error_reason


@dataclass(frozen=True, slots=True)
class InstallCancelled(InstallEvent):
    """Somebody stopped it. The last event."""


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
    """The event that leads from one state of a job to the next; None where nothing happened."""
    if before is not None and before.status == after.status:
        further = (before.bytes, before.total_bytes) != (after.bytes, after.total_bytes)
        if after.status is not InstallStatus.DOWNLOADING or not further:
            return None
    status = after.status
    return (_CLASSES.get(status, InstallEvent) if isinstance(status, InstallStatus) else InstallEvent)(after)


def concerns(info: ModelInstJobInfo, name: str, payload: Any) -> bool:
    """Whether one of the server's Socket.IO events is about a job."""
    if name not in _STATUS_OF and name not in _FINAL:
        return False
    told = as_mapping(payload)
    if info.id is None or told.get("id") != info.id:
        return False
    # A server that was restarted counts its jobs from 0 anew.
    return ModelInstJobInfo.from_api_response(told).source == info.source


def after_event(info: ModelInstJobInfo, name: str, payload: Mapping[str, Any]) -> ModelInstJobInfo | None:
    """The job after one of the server's events; None where the event says that the job has to be read.

    Doubled and late events change nothing.
    """
    status = _STATUS_OF.get(name)
    if status is None:
        return None
    if info.is_complete() or (info.status in _ORDER and _ORDER.index(info.status) > _ORDER.index(status)):  # pyright: ignore[reportArgumentType]
        return info
    update: dict[str, Any] = {"status": status}
    if name == DOWNLOADING:
        told = ModelInstJobInfo.from_api_response(payload)
        update |= {"bytes": told.bytes, "total_bytes": max(told.total_bytes, info.total_bytes)}
    return info.model_copy(update=update)


class InstallEvents:
    """The events of one job that have not been applied to it yet.

    Of a download's progress only the latest is kept: the server sends it many times a second.

    Attributes:
        count: How many events of the job came.
        missed: Whether the job has to be read, because events may have been lost or say too little.
    """

    def __init__(self, info: ModelInstJobInfo) -> None:
        self.count = 0
        self.missed = False
        self._info = info
        self._events: deque[tuple[str, Mapping[str, Any]]] = deque()

    def listen(self, name: str, payload: Any) -> bool:
        """Take one of the server's events. Returns whether it concerns the job."""
        if name == "connect":
            self.missed = True
            self.forget()  # what is read now is newer
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
        """Drop the events that were not applied: the job was read after them."""
        self._events.clear()
