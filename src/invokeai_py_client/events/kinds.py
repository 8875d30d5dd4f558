"""Typed events that are not about one run: queues, the workflow library, models, downloads and language models.

Each class represents one of the server's Socket.IO events. Values that the server did not send, or hides because they
are another user's, have the value None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from invokeai_py_client._text import brief_repr
from invokeai_py_client.run.events import ServerEvent


@dataclass(frozen=True, slots=True)
class GeneralEvent(ServerEvent):
    """Base class for events that are not about one run.

    Attributes:
        timestamp: Seconds since 1970, by the server's clock.
        raw: The payload as the server sent it.
    """

    __repr__ = brief_repr

    timestamp: float = field(repr=False)  # pyright: ignore[reportIncompatibleMethodOverride]
    raw: Mapping[str, Any] = field(repr=False)  # pyright: ignore[reportIncompatibleMethodOverride]


@dataclass(frozen=True, slots=True, repr=False)
class EventsConnected(GeneralEvent):
    """Events arrive from now on. Not an event of the server.

    ``client.watch()`` yields this first, whatever kinds you asked for, and again whenever events may have been missed:
    after a lost connection, or if the events were not read fast enough. Read the state again then.

    Attributes:
        missed: Whether earlier events may have been missed. False for the first.
    """

    missed: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class OtherEvent(GeneralEvent):
    """An event that this client does not know, from a newer server.

    Attributes:
        name: Its name.
    """

    name: str = ""


# ------------------------------------------------------------------ queues


@dataclass(frozen=True, slots=True, repr=False)
class QueueEvent(GeneralEvent):
    """Base class for events about many items of a queue.

    Attributes:
        queue_id: The id of the queue.
    """

    queue_id: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class BatchEnqueued(QueueEvent):
    """A batch was added to the queue.

    Attributes:
        batch_id: The batch's id.
        enqueued: How many items were added.
        requested: How many items the batch has. More than ``enqueued`` if the queue was full.
        priority: The batch's priority.
        origin: The origin that the client which sent the batch set, if any.
        user_id: The user who sent it.
    """

    event_type = "batch_enqueued"

    batch_id: str | None = None
    enqueued: int | None = None
    requested: int | None = None
    priority: int | None = None
    origin: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ItemsEvent(QueueEvent):
    """Base class for events about several items.

    Attributes:
        user_ids: The owners of the items, or None if the server hides them.
    """

    user_ids: tuple[str, ...] | None = None

    @property
    def redacted(self) -> bool:
        """Whether the server removed the details, because the event is about other users' items (InvokeAI 6.12+)."""
        return self.raw.get("user_ids") == []


@dataclass(frozen=True, slots=True, repr=False)
class ItemsRetried(ItemsEvent):
    """Items were retried.

    Attributes:
        retried_item_ids: The ids of the items that were retried, or None if the server hides them.
        retried_item_ids_by_user: These ids by owner, or None if the server hides them.
    """

    event_type = "queue_items_retried"

    retried_item_ids: tuple[int, ...] | None = None
    retried_item_ids_by_user: Mapping[str, tuple[int, ...]] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class ItemsCanceled(ItemsEvent):
    """Items that had not started were canceled or deleted in one request (InvokeAI 6.14+).

    Attributes:
        canceled_item_ids: The ids of the items, or None if the server hides them.
        canceled_item_ids_by_user: These ids by owner, or None if the server hides them.
    """

    event_type = "queue_items_canceled"

    canceled_item_ids: tuple[int, ...] | None = None
    canceled_item_ids_by_user: Mapping[str, tuple[int, ...]] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class QueueCleared(QueueEvent):
    """All items of the queue, or all items of one user, were deleted.

    Attributes:
        user_id: The user whose items were deleted. None if all users' items were deleted, or if the server hides it.
    """

    event_type = "queue_cleared"

    user_id: str | None = None

    @property
    def all_users(self) -> bool:
        """Whether all users' items were deleted."""
        return self.user_id is None and not self.redacted


@dataclass(frozen=True, slots=True, repr=False)
class ParametersRecalled(QueueEvent):
    """Parameters were sent to the user's open web UI (InvokeAI 6.12+).

    Attributes:
        user_id: The user.
        parameters: The parameters.
    """

    event_type = "recall_parameters_updated"

    user_id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


# ------------------------------------------------------------------ the workflow library


@dataclass(frozen=True, slots=True, repr=False)
class LibraryChanged(GeneralEvent):
    """Base class for changes of the workflow library (InvokeAI 6.14+).

    The server sends them to the owner and to administrators, and to all users if the workflow is shared.

    Attributes:
        workflow_id: The workflow's id.
        user_id: Its owner.
    """

    workflow_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class WorkflowCreated(LibraryChanged):
    """A workflow was added to the library.

    Attributes:
        is_public: Whether it is shared with all users.
    """

    event_type = "workflow_created"

    is_public: bool | None = None


@dataclass(frozen=True, slots=True, repr=False)
class WorkflowUpdated(LibraryChanged):
    """A workflow of the library was changed, shared, or is no longer shared.

    Attributes:
        old_is_public: Whether it was shared before.
        new_is_public: Whether it is shared now.
    """

    event_type = "workflow_updated"

    old_is_public: bool | None = None
    new_is_public: bool | None = None


@dataclass(frozen=True, slots=True, repr=False)
class WorkflowDeleted(LibraryChanged):
    """A workflow was deleted from the library.

    Attributes:
        is_public: Whether it was shared.
    """

    event_type = "workflow_deleted"

    is_public: bool | None = None


@dataclass(frozen=True, slots=True, repr=False)
class WorkflowAccessRevoked(LibraryChanged):
    """A workflow of another user is no longer shared."""

    event_type = "workflow_access_revoked"


# ------------------------------------------------------------------ downloads of files


@dataclass(frozen=True, slots=True, repr=False)
class DownloadEvent(GeneralEvent):
    """Base class for events about the download of one file, sent to administrators.

    Attributes:
        source: The file's URL.
    """

    source: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class DownloadStarted(DownloadEvent):
    """The download of a file started.

    Attributes:
        download_path: The file's path on the server.
    """

    event_type = "download_started"

    download_path: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class DownloadProgress(DownloadEvent):
    """A part of a file was downloaded.

    Attributes:
        download_path: The file's path on the server.
        current_bytes: The number of bytes downloaded so far.
        total_bytes: The size of the file in bytes, or 0 if unknown.
    """

    event_type = "download_progress"

    download_path: str | None = None
    current_bytes: int | None = None
    total_bytes: int | None = None

    @property
    def fraction(self) -> float | None:
        """The downloaded fraction from 0 to 1, or None if the size is unknown."""
        return min((self.current_bytes or 0) / self.total_bytes, 1.0) if self.total_bytes else None


@dataclass(frozen=True, slots=True, repr=False)
class DownloadCompleted(DownloadEvent):
    """A file was downloaded.

    Attributes:
        download_path: The file's path on the server.
        total_bytes: The size of the file in bytes.
    """

    event_type = "download_complete"

    download_path: str | None = None
    total_bytes: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class DownloadCanceled(DownloadEvent):
    """The download of a file was canceled."""

    event_type = "download_cancelled"


@dataclass(frozen=True, slots=True, repr=False)
class DownloadFailed(DownloadEvent):
    """The download of a file failed.

    Attributes:
        error_type: The server's exception type.
        error: The server's message.
    """

    event_type = "download_error"

    error_type: str | None = None
    error: str | None = None


# ------------------------------------------------------------------ models


@dataclass(frozen=True, slots=True, repr=False)
class ModelLoadEvent(GeneralEvent):
    """Base class for events about loading a model, sent to the user whose action needs it.

    ``run.events()`` yields them as ``ModelLoading`` and ``ModelLoaded`` if it is known for which run they are.

    Attributes:
        config: The model's record.
        submodel_type: The part that is loaded, such as ``unet`` or ``vae``, or None if the model has no parts.
        user_id: The user (InvokeAI 6.14+).
    """

    config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    submodel_type: str | None = None
    user_id: str | None = None

    @property
    def model_key(self) -> str | None:
        """The model's key."""
        key = self.config.get("key")
        return key if isinstance(key, str) else None

    @property
    def model_name(self) -> str | None:
        """The model's name."""
        name = self.config.get("name")
        return name if isinstance(name, str) else None


@dataclass(frozen=True, slots=True, repr=False)
class ModelLoadStarted(ModelLoadEvent):
    """The server started to load a model, or to take it from memory."""

    event_type = "model_load_started"


@dataclass(frozen=True, slots=True, repr=False)
class ModelLoadCompleted(ModelLoadEvent):
    """The server loaded a model."""

    event_type = "model_load_complete"


@dataclass(frozen=True, slots=True, repr=False)
class ModelInstallEvent(GeneralEvent):
    """Base class for events about the installation of a model, sent to administrators.

    Attributes:
        id: The job's id.
        source: The path, URL or repository, as text.
    """

    id: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ModelInstallProgress(ModelInstallEvent):
    """Progress of an installation's download.

    Attributes:
        local_path: Where the server stores the files.
        bytes: The number of bytes downloaded so far.
        total_bytes: The number of bytes to download, or 0 if unknown.
        parts: The progress of each file: ``url``, ``local_path``, ``bytes`` and ``total_bytes``.
    """

    event_type = "model_install_download_progress"

    local_path: str | None = field(default=None, repr=False)
    bytes: int | None = None
    total_bytes: int | None = None
    parts: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class ModelInstallDownloaded(ModelInstallEvent):
    """All files of an installation were downloaded."""

    event_type = "model_install_downloads_complete"


@dataclass(frozen=True, slots=True, repr=False)
class ModelInstallStarted(ModelInstallEvent):
    """The server examines the files and registers the model."""

    event_type = "model_install_started"


@dataclass(frozen=True, slots=True, repr=False)
class ModelInstallCompleted(ModelInstallEvent):
    """A model was installed.

    Attributes:
        key: The model's key.
        total_bytes: The number of bytes that were downloaded, or None for a local path.
        config: The model's record.
    """

    event_type = "model_install_complete"

    key: str | None = None
    total_bytes: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class ModelInstallCanceled(ModelInstallEvent):
    """An installation was canceled."""

    event_type = "model_install_cancelled"


@dataclass(frozen=True, slots=True, repr=False)
class ModelInstallFailed(ModelInstallEvent):
    """An installation failed.

    Attributes:
        error_type: The server's exception type.
        error: The server's message.
    """

    event_type = "model_install_error"

    error_type: str | None = None
    error: str | None = None


# ------------------------------------------------------------------ downloads of images


@dataclass(frozen=True, slots=True, repr=False)
class BulkDownloadEvent(GeneralEvent):
    """Base class for events about a ZIP file of images that the server prepares.

    Attributes:
        bulk_download_id: The room of the events: ``default``.
        bulk_download_item_id: The id that the request for the ZIP file returned.
        bulk_download_item_name: The name of the ZIP file.
        user_id: The user who requested it.
    """

    bulk_download_id: str | None = None
    bulk_download_item_id: str | None = None
    bulk_download_item_name: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class BulkDownloadStarted(BulkDownloadEvent):
    """The server started to prepare a ZIP file."""

    event_type = "bulk_download_started"


@dataclass(frozen=True, slots=True, repr=False)
class BulkDownloadCompleted(BulkDownloadEvent):
    """A ZIP file can be downloaded."""

    event_type = "bulk_download_complete"


@dataclass(frozen=True, slots=True, repr=False)
class BulkDownloadFailed(BulkDownloadEvent):
    """A ZIP file could not be prepared.

    Attributes:
        error: The server's message.
    """

    event_type = "bulk_download_error"

    error: str | None = None


# ------------------------------------------------------------------ language models


@dataclass(frozen=True, slots=True, repr=False)
class LLMTaskEvent(GeneralEvent):
    """Base class for events about a request to a language model (InvokeAI 6.14+).

    Attributes:
        task_id: The id that the request contained.
        user_id: The user who sent it.
    """

    task_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class LLMTaskProgress(LLMTaskEvent):
    """A language model made progress.

    Attributes:
        phase: ``loading_model`` or ``generating``.
        message: The server's description of the phase.
        percentage: The completed fraction from 0 to 1, or None if unknown.
        current_tokens: The number of tokens generated so far.
        total_tokens: The largest number of tokens that will be generated.
    """

    event_type = "llm_task_progress"

    phase: str | None = None
    message: str | None = None
    percentage: float | None = None
    current_tokens: int | None = None
    total_tokens: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class LLMTaskCompleted(LLMTaskEvent):
    """A language model finished."""

    event_type = "llm_task_complete"


@dataclass(frozen=True, slots=True, repr=False)
class LLMTaskFailed(LLMTaskEvent):
    """A request to a language model failed.

    Attributes:
        error: The server's message.
    """

    event_type = "llm_task_error"

    error: str | None = None
