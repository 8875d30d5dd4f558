"""The request that starts an installation, unless the source is already installed."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._paths import absolute_path, exists
from invokeai_py_client._text import hide_secrets
from invokeai_py_client.api.models import AsyncModelsApi
from invokeai_py_client.errors import (
    APIRequestError,
    AuthenticationError,
    ModelInstallStartError,
    PermissionDeniedError,
    UsageError,
)
from invokeai_py_client.models import InstallStatus, IvkDnnModel, ModelInstJobInfo

if TYPE_CHECKING:
    from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository

# The server queries Hugging Face for a repository's files before it responds.
_START_TIMEOUT = 1800.0
_AT_ONCE = 4


def source_text(source: str | os.PathLike[str]) -> str:
    """Return the source of a model as text. Local paths are made absolute, as the server runs in another folder.

    Raises:
        UsageError: The source is not a string or path, or it is empty.
    """
    if not isinstance(source, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"Invalid model source {source!r}: expected a path, a URL or owner/name.")
    text = os.fspath(source)
    if not text.strip():
        raise UsageError("The model source is empty: expected a path, a URL or owner/name.")
    return server_path(text)


def server_path(path: str | os.PathLike[str]) -> str:
    """Return a path on the server's machine, which may be this one: then it is made absolute, and ``~`` expanded.

    Raises:
        UsageError: The path starts with ``~``, and the home directory is unknown.
    """
    text = os.fspath(path)
    return str(absolute_path(text)) if text.startswith("~") or exists(text) else text


def _not_started(source: str, error: ModelInstallStartError) -> ModelInstJobInfo:
    """Return the failed job of an installation that the server did not start."""
    info = ModelInstJobInfo(source=source)
    info.status = InstallStatus.ERROR
    info.error_reason, info.error = type(error).__name__, str(error)
    return info


async def start(
    models: AsyncDnnModelRepository,
    source: str,
    config: Mapping[str, Any] | None,
    inplace: bool | None,
    access_token: str | None,
    known: Iterable[IvkDnnModel],
) -> ModelInstJobInfo:
    """Start an installation, unless one of the known models comes from the source.

    Raises:
        ModelInstallStartError: The server did not start the installation.
    """
    there = model_of_source(known, source)
    if there is not None:
        return already_installed(source, there)
    api = models.connection.part(AsyncModelsApi)
    try:
        response = await api.install_model(
            source=source,
            # By default, the server would move a local file into its models folder.
            inplace=inplace is not False,
            access_token=access_token,
            body=dict(config or {}),  # required even if it is empty
            timeout=_START_TIMEOUT,
        )
    except (AuthenticationError, PermissionDeniedError):
        raise
    except APIRequestError as error:
        if error.status_code is None:
            raise
        # Older servers respond with 409 and no job if the model is already installed.
        if error.status_code == 409:
            there = model_of_source(await models.list_models(), source)
        if there is not None:
            return already_installed(source, there)
        raise ModelInstallStartError(
            error.status_code,
            error.payload,
            hide_secrets(f"Cannot start the installation of {source}. {error}"),
            method=error.method,
            path=error.path,
            request_id=error.request_id,
        ) from None
    return ModelInstJobInfo.from_api_response(response)


async def start_each(
    models: AsyncDnnModelRepository,
    sources: Sequence[str],
    inplace: bool | None,
    access_token: str | None,
    known: Iterable[IvkDnnModel],
) -> list[ModelInstJobInfo]:
    """Start several installations. Returns a failed job for each one that the server did not start."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def starting(source: str) -> ModelInstJobInfo:
        async with limit:
            try:
                return await start(models, source, None, inplace, access_token, known)
            except ModelInstallStartError as error:
                return _not_started(source, error)

    return await gather_or_cancel(starting(source) for source in sources)


# The server's error message (InvokeAI 5.15 to 6.14) if a model with this path exists.
_SAME_PATH = re.compile(r"A model with path '(.+)' is already installed")
_REPOSITORY = re.compile(r"[^/:\s]+/[^/:\s]+(:.*)?")

ALREADY_INSTALLED = "already_installed"


def looks_like_repository(source: str) -> bool:
    """Return whether a source looks like ``owner/name``, with an optional variant and subfolder."""
    return _REPOSITORY.fullmatch(source) is not None


def model_of_source(models: Iterable[IvkDnnModel], source: str) -> IvkDnnModel | None:
    """Return the model that was installed from a source or whose path it is, or None."""
    wanted = _plain(source)
    for model in models if wanted is not None else ():
        origin = getattr(model, "source", None)
        if wanted in (_plain(origin if isinstance(origin, str) else ""), _plain(model.path or "")):
            return model
    return None


def duplicate_of(models: Iterable[IvkDnnModel], job: ModelInstJobInfo) -> IvkDnnModel | None:
    """Return the model that a job failed to install a second time, or None if it failed for another reason.

    Installing a source again is not an HTTP error (6.14.2): the job is created and fails with
    ``DuplicateModelException``. It fails in the same way if another model has the same name, which does not count.
    """
    if job.status is not InstallStatus.ERROR or job.error_reason != "DuplicateModelException":
        return None
    models = list(models)
    same_path = _SAME_PATH.search(job.error or "")
    found = model_of_source(models, same_path[1]) if same_path else None
    return found or model_of_source(models, job.source or "") or model_of_source(models, job.local_path or "")


def already_installed(
    source: str, model: IvkDnnModel, job: ModelInstJobInfo | None = None
) -> ModelInstJobInfo:
    """Return the job of an installation that had nothing to do."""
    info = job.model_copy(deep=True) if job is not None else ModelInstJobInfo(source=source)
    info.status = InstallStatus.COMPLETED
    info.model_key = model.key
    info.config_out = model.to_dict()
    info.error = info.error_reason = info.error_traceback = None
    info.extra = {**info.extra, "reason": ALREADY_INSTALLED}
    return info


def _plain(source: str) -> str | None:
    """Return a source in normalized spelling, or None if it is empty."""
    text = source.strip().strip('"')
    if not text:
        return None
    if "://" in text or looks_like_repository(text):
        return re.sub("::+", ":", text)
    return PurePath(text).as_posix()
