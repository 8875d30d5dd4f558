"""Records of model installations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field

from invokeai_py_client._text import hide_secrets
from invokeai_py_client.models.base import BaseModelField, InstallStatusField, IvkModel, as_mapping
from invokeai_py_client.models.enums import InstallStatus

_SECRETS = frozenset({"access_token", "token"})


@dataclass(frozen=True, slots=True)
class InstallFile:
    """The download of one of a model's files.

    Attributes:
        url: The file's URL.
        path: Its path on the server, or None if unknown.
        bytes: Number of bytes downloaded so far.
        total_bytes: Its size in bytes, or 0 if unknown.
        error_type: The server's exception type, if the download failed.
        error: The server's message, if the download failed.
    """

    url: str
    path: str | None = field(default=None, repr=False)
    bytes: int = 0
    total_bytes: int = 0
    error_type: str | None = None
    error: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The file's name, without the folder."""
        return PurePosixPath(urlsplit(self.url).path).name or hide_secrets(self.url)

    @property
    def fraction(self) -> float | None:
        """The downloaded fraction from 0 to 1, or None if the size is unknown."""
        return min(self.bytes / self.total_bytes, 1.0) if self.total_bytes > 0 else None

    @property
    def failed(self) -> bool:
        """Whether the download failed."""
        return self.error_type is not None

    def __repr__(self) -> str:
        error = f", error_type={self.error_type!r}" if self.error_type else ""
        return hide_secrets(f"InstallFile({self.url!r}, {self.bytes} of {self.total_bytes} bytes{error})")


class ModelInstJobInfo(IvkModel):
    """The state of an installation at the time of the request.

    Access tokens in the server's response are removed.

    Attributes:
        id: The job's id on the server. Ids start again from 0 when the server restarts. None if no job was needed.
        status: The status. A status that this client does not know stays text.
        model_key: The key of the model, after it was installed.
        source: The path, URL or repository, as text.
        source_type: ``local``, ``hf``, ``url`` or ``external``.
        inplace: Whether the model's file stays in its place instead of being copied or moved.
        error: The server's error message, if it failed.
        error_reason: The type of the server's exception, if it failed.
        bytes: The number of bytes downloaded so far.
        total_bytes: The number of bytes to download, as far as known.
        config_out: The record of the model, after it was installed.
        source_metadata: The description of the model by its source: author, license, files...
        download_parts: The state of each file to download.
        extra: Information added by this client: ``reason`` is ``already_installed`` if there was nothing to do.
    """

    _brief: ClassVar[tuple[str, ...]] = ("id", "status", "source", "model_key", "error")

    id: int | None = Field(default=None, validation_alias=AliasChoices("id", "job_id"))
    status: InstallStatusField = InstallStatus.WAITING
    model_key: str | None = None
    source: str | None = None
    source_type: str | None = None
    inplace: bool = False
    local_path: str | None = None
    error: str | None = None
    error_reason: str | None = None
    error_traceback: str | None = None
    bytes: int = 0
    total_bytes: int = 0
    config_in: dict[str, Any] | None = None
    config_out: dict[str, Any] | None = None
    source_metadata: dict[str, Any] | None = None
    download_parts: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    extra: dict[str, Any] = Field(default_factory=dict[str, Any])

    def __repr__(self) -> str:
        return hide_secrets(super().__repr__())  # the URL of a source may contain a password or a token

    @property
    def job_id(self) -> int | None:
        """An alias of ``id``."""
        return self.id

    @property
    def progress(self) -> float | None:
        """The downloaded part from 0 to 1, or None if the size of the download is not known."""
        return min(self.bytes / self.total_bytes, 1.0) if self.total_bytes > 0 else None

    @property
    def files(self) -> list[InstallFile]:
        """The downloads of the model's files, as far as known. Empty before the download and for local paths."""
        return [_file_of(part) for part in self.download_parts]

    def is_complete(self) -> bool:
        """Return whether the installation has ended, successfully or not."""
        return isinstance(self.status, InstallStatus) and self.status.is_final

    def is_successful(self) -> bool:
        """Return whether the model was installed."""
        return self.status is InstallStatus.COMPLETED

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        data = without_secrets(data)
        source = data.get("source")
        if isinstance(source, Mapping):
            data["source"], data["source_type"] = source_text(cast("Mapping[str, Any]", source))
        if data.get("status") not in (None, "error"):
            # Servers keep the error of the first attempt after a restart (6.14.2).
            for name in ("error", "error_reason", "error_traceback"):
                data.pop(name, None)
        if data.get("model_key") is None:
            data["model_key"] = as_mapping(data.get("config_out")).get("key")
        return data


class ModelInstallConfig(IvkModel):
    """Properties of a model to set at its installation, instead of those that the server detects.

    A dict with the same keys works too. The server supports further keys.
    """

    name: str | None = None
    description: str | None = None
    base: BaseModelField | None = None
    type: str | None = None
    path: str | None = None
    format: str | None = None
    prediction_type: str | None = None
    upcast_attention: bool | None = None
    trigger_phrases: list[str] | None = None
    default_settings: dict[str, Any] | None = None
    variant: str | None = None
    config_path: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict[str, Any])

    def keys(self) -> list[str]:
        """Return the keys that are set, so that ``dict(config)`` and ``**config`` work."""
        return list(self.to_record_changes())

    def __getitem__(self, name: str) -> Any:
        return self.to_record_changes()[name]

    def to_record_changes(self) -> dict[str, Any]:
        """Return the changes to send to the server: all values that are set, and those in ``extra``."""
        changes = self.to_dict()
        extra = changes.pop("extra")
        return {**changes, **extra}


def without_secrets(data: Any) -> Any:
    """Return a copy of the data without access tokens."""
    if isinstance(data, Mapping):
        items = cast("Mapping[Any, Any]", data).items()
        return {key: without_secrets(value) for key, value in items if key not in _SECRETS}
    if isinstance(data, list):
        return [without_secrets(item) for item in cast("list[Any]", data)]
    return data


def _file_of(part: Mapping[str, Any]) -> InstallFile:
    # Jobs and events describe files in different ways.
    def number(name: str) -> int:
        value = part.get(name)
        return value if isinstance(value, int) else 0

    failed = part.get("status") == "error"
    path = part.get("download_path") or part.get("local_path")
    return InstallFile(
        str(part.get("source") or part.get("url") or ""),
        path if isinstance(path, str) else None,
        number("bytes"),
        number("total_bytes"),
        str(part.get("error_type") or "error") if failed else None,
        str(part.get("error") or "") if failed else None,
    )


def source_text(source: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return a source as text that can be passed to an installation, and its type."""
    kind = source.get("type")
    if kind == "hf":
        parts = [str(source.get("repo_id", "")), str(source.get("variant") or "")]
        if source.get("subfolder"):
            parts.append(str(source["subfolder"]))
        text = ":".join(parts).rstrip(":")
    elif kind == "external":
        text = f"external://{source.get('provider_id')}/{source.get('provider_model_id')}"
    else:
        text = str(source.get("path") or source.get("url") or "") or None
    return text, kind if isinstance(kind, str) else None
